// SPDX-License-Identifier: GPL-2.0-only
/*
 * Late storage mapped for devices: the scatter list of each, given to the DMA
 * API or past it, synced for the processor and for devices, and bounced where
 * the exporter allows that.
 */
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/iommu-dma.h>
#include <linux/swiotlb.h>

#include "../core/internal.h"
#include "internal.h"
#include "storage.h"

/**
 * DOC: bounced mappings
 *
 * Storage is where all devices reach it, so that ``swiotlb=force`` need not be
 * obeyed: as for memory of dma_alloc_pages(), the device is given the address
 * of the page. Where the DMA API bounces for another reason (memory encryption,
 * a device with a restricted pool), the device would work on a copy, and the
 * mapping is refused with DMA_BUF_FIELD_BOUNCE.
 *
 * An exporter may allow copies (&dma_buf_late.may_bounce). A mapping that the
 * DMA API bounces is then made, and so is one for a device whose DMA mask does
 * not reach storage that can't move; anything else that does not suit is still
 * refused. So that nobody sees stale data,
 *
 * - a bounced mapping that the device may write (DMA_FROM_DEVICE,
 *   DMA_BIDIRECTIONAL) is the only mapping of the storage while it stands, and
 *   any other one is refused with DMA_BUF_FIELD_BOUNCE;
 * - one that the device only reads (DMA_TO_DEVICE) stands beside others that
 *   are only read, and beside no other kind, whichever comes first;
 * - the copy is filled when it is mapped, and again at the end of an access of
 *   the processor that may have written;
 * - what the device wrote is copied back when an access of the processor begins
 *   and when the mapping ends. A copy that a device only reads never is.
 *
 * As with caches that are not coherent, accesses of the processor have to be
 * told (DMA_BUF_IOCTL_SYNC), and only one at a time may write while a device
 * does. GET_STORAGE does not call such storage coherent.
 */

/* A device that has the storage mapped. */
struct dma_buf_late_mapping {
	struct list_head node;		/* in dma_buf_late.mappings */
	struct sg_table sgt;
	struct dma_buf_storage *storage;	/* with a reference */
	struct device *dev;
	enum dma_data_direction dir;	/* of the DMA API */
	bool direct;			/* sgt is not known to the DMA API */
	bool bounced;			/* the device has a copy */
};

/* --- who may have a copy --- */

/* Storage that suits but for the mask, of an exporter that lets devices bounce. */
bool dma_buf_late_may_bounce(struct dma_buf_late *late,
			     const struct dma_buf_constraints *all,
			     struct dma_buf_conflict *conflict)
{
	struct dma_buf_constraints rest = *all;

	if (!late->may_bounce || conflict->field != DMA_BUF_FIELD_DMA_MASK)
		return false;

	rest.dma_mask = U64_MAX;
	return dma_buf_storage_suits(late->storage, &rest, conflict);
}

static bool dma_buf_late_within(const struct dma_buf_storage *st, u64 mask)
{
	struct dma_buf_conflict conflict;
	struct dma_buf_constraints c;

	dma_buf_constraints_init(&c);
	c.dma_mask = mask;
	return dma_buf_storage_suits(st, &c, &conflict);
}

/* The DMA API takes it for a mistake when a device doesn't reach its pool. */
static bool dma_buf_late_has_pool(struct device *dev)
{
#ifdef CONFIG_SWIOTLB
	const struct io_tlb_mem *mem = dev->dma_io_tlb_mem;

	return mem && is_swiotlb_active(dev) && mem->defpool.end &&
	       dma_capable(dev, phys_to_dma(dev, mem->defpool.start),
			   mem->defpool.end - mem->defpool.start, true);
#else
	return false;
#endif
}

/* Storage that can't move does not suit @all: may @attach use it as it is? */
bool dma_buf_late_reached(struct dma_buf_late *late,
			  struct dma_buf_attachment *attach,
			  const struct dma_buf_constraints *all,
			  struct dma_buf_conflict *conflict)
{
	const struct dma_buf_conflict mask = *conflict;
	struct dma_buf_constraints own;

	dma_resv_assert_held(late->resv);

	if (!dma_buf_late_may_bounce(late, all, conflict))
		return false;
	dma_buf_attachment_constraints(attach, &own);
	if (dma_buf_late_within(late->storage, own.dma_mask) ||
	    dma_buf_late_has_pool(attach->dev))
		return true;

	*conflict = mask;
	return false;
}

/* Does the device see other memory than the processor? */
static bool dma_buf_late_bounced(struct dma_buf_late_mapping *m)
{
	struct scatterlist *sg;
	unsigned int i;

	/*
	 * Behind an IOMMU only parts of its pages bounce, which there are none
	 * of; other operations than these two keep it to themselves.
	 */
	if (m->direct || use_dma_iommu(m->dev) || get_dma_ops(m->dev))
		return false;

	/* Both begin with the same page, and each entry is copied as a whole. */
	for_each_sgtable_dma_sg(&m->sgt, sg, i) {
		if (dma_to_phys(m->dev, sg_dma_address(sg)) != sg_phys(sg))
			return true;
	}
	return false;
}

static bool dma_buf_late_is_written(const struct dma_buf_late_mapping *m)
{
	return m->dir != DMA_TO_DEVICE;
}

/*
 * Where there is a copy, nobody writes, but for one that is alone. Mappings of
 * storage that has moved are past.
 */
static bool dma_buf_late_is_consistent(struct dma_buf_late *late,
				       const struct dma_buf_late_mapping *m)
{
	struct dma_buf_late_mapping *other;

	list_for_each_entry(other, &late->mappings, node) {
		if (other->storage != late->storage ||
		    (!m->bounced && !other->bounced))
			continue;
		if (dma_buf_late_is_written(m) || dma_buf_late_is_written(other))
			return false;
	}
	return true;
}

/* --- the DMA API --- */

/*
 * "swiotlb=force" makes the DMA API bounce what drivers hand it, and spares what
 * it allocates. Storage that was placed for its devices is of the latter kind.
 * Memory that the device really can't see is not.
 */
static bool dma_buf_late_is_direct(struct dma_buf_late_mapping *m, u64 mask)
{
	return is_swiotlb_force_bounce(m->dev) && !is_swiotlb_for_alloc(m->dev) &&
	       !force_dma_unencrypted(m->dev) && !get_dma_ops(m->dev) &&
	       !use_dma_iommu(m->dev) && dev_is_dma_coherent(m->dev) &&
	       dma_buf_late_within(m->storage, mask);
}

static int dma_buf_late_map_direct(struct dma_buf_late_mapping *m)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_sg(&m->sgt, sg, i) {
		sg_dma_address(sg) = phys_to_dma(m->dev, sg_phys(sg));
		sg_dma_len(sg) = sg->length;
		if (!dma_capable(m->dev, sg_dma_address(sg), sg->length, true))
			return -EIO;
	}
	m->sgt.nents = m->sgt.orig_nents;
	m->direct = true;
	return 0;
}

/*
 * Several devices have the same memory mapped, which the DMA API takes for a
 * mistake unless it is told that caches are cared for here.
 */
static void dma_buf_late_unmap_dma(struct dma_buf_late_mapping *m)
{
	if (m->direct)
		return;

	dma_sync_sgtable_for_cpu(m->dev, &m->sgt, m->dir);
	dma_unmap_sgtable(m->dev, &m->sgt, m->dir, DMA_ATTR_SKIP_CPU_SYNC);
}

static int dma_buf_late_refuse_bounce(struct dma_buf_conflict *conflict)
{
	*conflict = (struct dma_buf_conflict) {
		.field = DMA_BUF_FIELD_BOUNCE, .wanted = 0, .found = 1,
	};
	return -EBUSY;
}

/* The device's own constraints count entries of its table. */
static int dma_buf_late_map_dma(struct dma_buf_late *late,
				struct dma_buf_late_mapping *m,
				const struct dma_buf_constraints *c,
				struct dma_buf_conflict *conflict)
{
	int ret;

	if (dma_buf_late_is_direct(m, c->dma_mask))
		ret = dma_buf_late_map_direct(m);
	else
		ret = dma_map_sgtable(m->dev, &m->sgt, m->dir,
				      DMA_ATTR_SKIP_CPU_SYNC);
	if (ret)
		return ret;

	m->bounced = dma_buf_late_bounced(m);
	if ((m->bounced && !late->may_bounce) || !dma_buf_late_is_consistent(late, m)) {
		/* The device has seen nothing, and nothing is copied back. */
		if (!m->direct)
			dma_unmap_sgtable(m->dev, &m->sgt, m->dir,
					  DMA_ATTR_SKIP_CPU_SYNC);
		return dma_buf_late_refuse_bounce(conflict);
	}

	if (!m->direct)
		dma_sync_sgtable_for_device(m->dev, &m->sgt, m->dir);
	/* Behind an IOMMU the device's own limits are of its addresses. */
	if (use_dma_iommu(m->dev))
		return 0;

	ret = dma_buf_constraints_check_table(c, &m->sgt, conflict);
	if (ret)
		dma_buf_late_unmap_dma(m);
	return ret;
}

/* --- for negotiate/late.c, which holds the reservation object --- */

/**
 * dma_buf_late_mapping_create - the storage for a device
 * @late: storage, placed
 * @attach: attachment that it suits, or that may bounce
 * @dir: direction of the DMA
 * @conflict: cleared; filled in where the device is refused for a reason
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
	struct dma_buf_constraints c;
	struct dma_buf_late_mapping *m;
	int ret;

	dma_resv_assert_held(late->resv);

	m = kzalloc(sizeof(*m), GFP_KERNEL);
	if (!m)
		return ERR_PTR(-ENOMEM);
	m->dev = attach->dev;
	m->dir = dir;
	m->storage = dma_buf_storage_get(late->storage);
	dma_buf_attachment_constraints(attach, &c);
	if (late->may_bounce) {
		/* What the processor writes meanwhile has to get into the copy. */
		if (dir == DMA_FROM_DEVICE)
			m->dir = DMA_BIDIRECTIONAL;
		/* As long as the DMA API can bounce in one piece. */
		c.max_segment_size = min_t(u64, c.max_segment_size,
					   dma_max_mapping_size(m->dev));
	}

	ret = dma_buf_storage_table(m->storage, &c, &m->sgt);
	if (ret)
		goto err_free;
	ret = dma_buf_late_map_dma(late, m, &c, conflict);
	if (ret)
		goto err_table;

	list_add(&m->node, &late->mappings);
	return &m->sgt;

err_table:
	sg_free_table(&m->sgt);
err_free:
	dma_buf_storage_put(m->storage);
	kfree(m);
	return ERR_PTR(ret);
}

/* Undoes dma_buf_late_mapping_create(), with the reservation object held. */
void dma_buf_late_mapping_destroy(struct sg_table *sgt)
{
	struct dma_buf_late_mapping *m =
		container_of(sgt, struct dma_buf_late_mapping, sgt);

	list_del(&m->node);
	dma_buf_late_unmap_dma(m);
	sg_free_table(&m->sgt);
	dma_buf_storage_put(m->storage);
	kfree(m);
}

/* DMA_BUF_STORAGE_*, as far as mappings decide. */
u32 dma_buf_late_mappings_flags(struct dma_buf_late *late)
{
	u32 flags = DMA_BUF_STORAGE_COHERENT;
	struct dma_buf_late_mapping *m;

	dma_resv_assert_held(late->resv);

	list_for_each_entry(m, &late->mappings, node) {
		flags |= DMA_BUF_STORAGE_MAPPED;
		if (m->bounced || !dev_is_dma_coherent(m->dev))
			flags &= ~DMA_BUF_STORAGE_COHERENT;
	}
	return flags;
}

/* The processor sees what devices wrote. */
void dma_buf_late_sync_for_cpu(struct dma_buf_late *late)
{
	struct dma_buf_late_mapping *m;

	dma_resv_assert_held(late->resv);

	list_for_each_entry(m, &late->mappings, node) {
		if (!m->direct)
			dma_sync_sgtable_for_cpu(m->dev, &m->sgt, m->dir);
	}
}

/*
 * Devices see what the processor wrote. If it only read, a copy stays as it is:
 * the device may have written there since.
 */
void dma_buf_late_sync_for_device(struct dma_buf_late *late, bool wrote)
{
	struct dma_buf_late_mapping *m;

	dma_resv_assert_held(late->resv);

	list_for_each_entry(m, &late->mappings, node) {
		if (!m->direct && (wrote || !m->bounced))
			dma_sync_sgtable_for_device(m->dev, &m->sgt, m->dir);
	}
}
