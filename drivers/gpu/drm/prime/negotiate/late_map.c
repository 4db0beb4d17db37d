// SPDX-License-Identifier: GPL-2.0-only
/*
 * Late storage mapped for devices. Each device has a scatter list of its own.
 * It is mapped by the DMA API or directly, and synced for the CPU and for
 * devices.
 *
 * Storage lies where the device reaches it. So even with "swiotlb=force" the
 * device gets the address of the page itself, as for memory from
 * dma_alloc_pages(). The DMA API may bounce for another reason: memory
 * encryption, a device with a restricted pool, or a driver that claims more
 * than its device can do. The device would then work on a copy, so the mapping
 * is refused.
 */
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/iommu-dma.h>
#include <linux/swiotlb.h>

#include "internal.h"

/**
 * struct dma_buf_late_mapping - a device that has the storage mapped
 * @node: in &dma_buf_late.mappings; protected by the reservation object
 * @sgt: the table that the importer has
 * @storage: held; after a move it is not the buffer's storage any more
 * @dev: the device; the importer keeps it while it has the mapping
 * @dir: direction of the DMA
 * @direct: @sgt was mapped without the DMA API
 *
 * Only @node changes.
 */
struct dma_buf_late_mapping {
	struct list_head node;
	struct sg_table sgt;
	struct dma_buf_storage *storage;
	struct device *dev;
	enum dma_data_direction dir;
	bool direct;
};

/* Sets DMA addresses without an IOMMU; false if one is out of reach. */
static bool late_mapping_reaches(struct dma_buf_late_mapping *m)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_sg(&m->sgt, sg, i) {
		sg_dma_address(sg) = phys_to_dma(m->dev, sg_phys(sg));
		sg_dma_len(sg) = sg->length;
		if (!dma_capable(m->dev, sg_dma_address(sg), sg->length, true, 0))
			return false;
	}
	m->sgt.nents = m->sgt.orig_nents;
	return true;
}

/* Maps the table, or refuses if the DMA API would bounce. */
static int late_mapping_map_table(struct dma_buf_late_mapping *m, struct dma_buf_conflict *conflict)
{
	const struct dma_buf_conflict bounce = { DMA_BUF_FIELD_BOUNCE, 0, 1 };
	const bool forced = is_swiotlb_force_bounce(m->dev);

	/*
	 * Behind an IOMMU the DMA API bounces only an entry that does not fill
	 * the IOMMU's pages, and all entries do here. Other DMA operations
	 * don't tell whether they bounce.
	 */
	if (!use_dma_iommu(m->dev) && !get_dma_ops(m->dev)) {
		m->direct = forced && !is_swiotlb_for_alloc(m->dev) &&
			    !force_dma_unencrypted(m->dev) &&
			    dev_is_dma_coherent(m->dev);
		if (!late_mapping_reaches(m) || (forced && !m->direct))
			return dma_buf_conflict_set(conflict, bounce);
	}
	return m->direct ? 0 : dma_map_sgtable(m->dev, &m->sgt, m->dir, DMA_ATTR_SKIP_CPU_SYNC);
}

/*
 * Several devices map the same memory. The DMA API takes this for a mistake,
 * unless the flag says that the caller maintains the caches.
 */
static void late_mapping_unmap(struct dma_buf_late_mapping *m)
{
	if (!m->direct)
		dma_unmap_sgtable(m->dev, &m->sgt, m->dir, DMA_ATTR_SKIP_CPU_SYNC);
}

static int late_mapping_map(struct dma_buf_late_mapping *m, struct dma_buf_conflict *conflict)
{
	struct dma_buf_constraints c;
	int ret;

	dma_buf_constraints_from_device(&c, m->dev);
	ret = dma_buf_storage_table(m->storage, m->dev, &c, &m->sgt);
	if (ret)
		return ret;

	ret = late_mapping_map_table(m, conflict);
	if (ret)
		goto err_free;

	ret = dma_buf_constraints_check_table(&c, &m->sgt, conflict);
	if (!ret)
		return 0;

	/* The device has not used the table, so nothing needs a sync. */
	late_mapping_unmap(m);
err_free:
	sg_free_table(&m->sgt);
	return ret;
}

static void late_mapping_sync(struct dma_buf_late_mapping *m, bool for_cpu)
{
	if (!m->direct && for_cpu)
		dma_sync_sgtable_for_cpu(m->dev, &m->sgt, m->dir);
	else if (!m->direct)
		dma_sync_sgtable_for_device(m->dev, &m->sgt, m->dir);
}

/**
 * dma_buf_late_mapping_create - map late storage for a device
 * @late: storage that is placed
 * @attach: attachment that it suits
 * @dir: direction of the DMA
 * @conflict: the reason, when the device is refused
 *
 * Context: may sleep; caller holds the reservation object.
 *
 * Return: the table for dma_buf_late_mapping_destroy(), or ERR_PTR: -EBUSY;
 * -ENOMEM; or the error of dma_map_sgtable().
 */
struct sg_table *dma_buf_late_mapping_create(struct dma_buf_late *late,
					     struct dma_buf_attachment *attach,
					     enum dma_data_direction dir,
					     struct dma_buf_conflict *conflict)
{
	struct dma_buf_late_mapping *m;
	int ret;

	dma_resv_assert_held(late->resv);

	m = kzalloc(sizeof(*m), GFP_KERNEL);
	if (!m)
		return ERR_PTR(-ENOMEM);
	m->dev = attach->dev;
	m->dir = dir;
	m->storage = late->storage;
	ret = late_mapping_map(m, conflict);
	if (ret) {
		kfree(m);
		return ERR_PTR(ret);
	}

	late_mapping_sync(m, false);
	kref_get(&m->storage->refs);
	list_add(&m->node, &late->mappings);
	return &m->sgt;
}

/* Undoes dma_buf_late_mapping_create(), with the reservation object held. */
void dma_buf_late_mapping_destroy(struct sg_table *sgt)
{
	struct dma_buf_late_mapping *m =
		container_of(sgt, struct dma_buf_late_mapping, sgt);

	list_del(&m->node);
	late_mapping_sync(m, true);
	late_mapping_unmap(m);
	sg_free_table(&m->sgt);
	dma_buf_storage_put(m->storage);
	kfree(m);
}

/* Makes what devices wrote visible to the CPU, or what the CPU wrote visible to devices. */
void dma_buf_late_mappings_sync(struct dma_buf_late *late, bool for_cpu)
{
	struct dma_buf_late_mapping *m;

	dma_resv_assert_held(late->resv);

	list_for_each_entry(m, &late->mappings, node)
		late_mapping_sync(m, for_cpu);
}
