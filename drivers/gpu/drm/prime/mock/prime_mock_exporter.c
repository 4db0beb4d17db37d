// SPDX-License-Identifier: GPL-2.0
/*
 * prime_mock as an exporter: dma-buf operations that follow a script, in four
 * tables. vmap, vunmap and mmap are those of the object.
 */
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_prime.h>

#include "prime_layer.h"
#include "prime_mock_exporter.h"
#include "prime_mock_fence.h"

/* One mapping for one importer. */
struct mock_mapping {
	struct sg_table sgt;
	struct mock_storage *storage;	/* held; a move gives the object another */
};

static struct mock_object *to_exported(struct dma_buf *dmabuf)
{
	return to_mock_object((struct drm_gem_object *)dmabuf->priv);
}

static int mock_exp_attach(struct dma_buf *dmabuf,
			   struct dma_buf_attachment *attach)
{
	struct mock_record *record = to_exported(dmabuf)->record;
	int ret = mock_op_begin(record, PRIME_MOCK_ATTACH);

	if (!ret && to_exported(dmabuf)->flags & PRIME_MOCK_REVOCABLE &&
	    !dma_buf_attach_revocable(attach))
		ret = -EOPNOTSUPP;
	if (!ret)
		mock_op_balance(record, PRIME_MOCK_ATTACHED, 1);
	return mock_op_end(record, PRIME_MOCK_ATTACH, ret);
}

static void mock_exp_detach(struct dma_buf *dmabuf,
			    struct dma_buf_attachment *attach)
{
	struct mock_record *record = to_exported(dmabuf)->record;

	mock_op_begin(record, PRIME_MOCK_DETACH);
	mock_op_balance(record, PRIME_MOCK_ATTACHED, -1);
}

/* --- move --- */
static bool mock_exp_is_bound(struct mock_object *obj)
{
	dma_resv_assert_held(obj->base.resv);
	return obj->pins || obj->vmaps ||
	       (obj->maps && !(obj->flags & MOCK_FOLLOWED));
}

int mock_exp_move_locked(struct mock_object *obj, struct mock_storage **storage)
{
	struct file *file = NULL;

	if (!(obj->flags & PRIME_MOCK_REVOCABLE) && mock_exp_is_bound(obj))
		return -EBUSY;
	/* A buffer that is being released has no importers and no mappings. */
	if (obj->dmabuf)
		file = get_file_active(&obj->dmabuf->file);
	/* The file may have ended, and its memory may be another file. */
	if (file && file->private_data != obj->dmabuf) {
		fput(file);
		file = NULL;
	}
	if (file) {
		dma_buf_invalidate_mappings(obj->dmabuf);
		unmap_mapping_range(file->f_mapping, 0, 0, 1);
		fput(file);
	}
	drm_vma_node_unmap(&obj->base.vma_node,
			   obj->base.dev->anon_inode->i_mapping);
	/* PRIME_MOCK_REVOCABLE: has every importer unmapped and unpinned? */
	if (mock_exp_is_bound(obj))
		return -EBUSY;
	mock_storage_copy(*storage, obj->storage);
	swap(*storage, obj->storage);
	mock_record_moved(obj->record);
	return 0;
}

/*
 * PRIME_MOCK_MOVING: moves an object that nobody holds in place, before each
 * use. The CPU has copied the bytes by then, so the fence stands for no
 * pending work.
 */
static int mock_exp_settle(struct mock_object *obj)
{
	struct mock_storage *storage;
	long left;
	int ret;

	dma_resv_assert_held(obj->base.resv);
	if (!(obj->flags & PRIME_MOCK_MOVING) || mock_exp_is_bound(obj))
		return 0;
	left = dma_resv_wait_timeout(obj->base.resv, DMA_RESV_USAGE_BOOKKEEP, true,
				     MOCK_FENCE_WAIT);
	if (left <= 0)
		return left == -ERESTARTSYS ? -EINTR : left ?: -ETIMEDOUT;
	storage = mock_storage_alloc(obj->base.size, obj->backing, obj->dma_bits);
	if (IS_ERR(storage))
		return PTR_ERR(storage);
	ret = mock_fence_add_locked(to_mock_device(obj->base.dev), obj->base.resv,
				    DMA_RESV_USAGE_KERNEL, PRIME_MOCK_MOVING_MS);
	if (!ret)
		ret = mock_exp_move_locked(obj, &storage);
	mock_storage_put(storage);
	return ret;
}

static int mock_exp_pin(struct dma_buf_attachment *attach)
{
	struct mock_object *obj = to_exported(attach->dmabuf);

	return mock_exp_settle(obj) ?: obj->base.funcs->pin(&obj->base);
}

static void mock_exp_unpin(struct dma_buf_attachment *attach)
{
	struct mock_object *obj = to_exported(attach->dmabuf);

	obj->base.funcs->unpin(&obj->base);
}

/* --- scatter list --- */
/* Limits of a segment; read once, since a test may change them meanwhile. */
struct mock_segment_limits {
	u64 size;
	u64 boundary;
};

static struct mock_segment_limits mock_segment_limits(struct mock_object *obj,
						      struct device *dev)
{
	struct mock_segment_limits limits = { U64_MAX, U64_MAX };

	if (!(obj->flags & PRIME_MOCK_IGNORE_LIMITS)) {
		limits.size = dma_get_max_seg_size(dev);
		limits.boundary = dma_get_seg_boundary(dev);
	}
	return limits;
}

/* The number of pages from @first on that make one segment. */
static unsigned int mock_segment_pages(struct mock_storage *storage,
				       const struct mock_segment_limits *limits,
				       unsigned int first)
{
	phys_addr_t start = page_to_phys(storage->pages[first]);
	unsigned int n = 1;

	while (first + n < storage->count) {
		u64 length = (u64)n << PAGE_SHIFT;

		if (page_to_phys(storage->pages[first + n]) != start + length ||
		    length + PAGE_SIZE > limits->size ||
		    !((start + length) & limits->boundary))
			break;
		n++;
	}
	return n;
}

static int mock_fill_list(struct mock_object *obj, struct device *dev,
			  struct sg_table *sgt)
{
	struct mock_segment_limits limits = mock_segment_limits(obj, dev);
	struct mock_storage *storage = obj->storage;
	unsigned int i, pages, segments = 0;
	struct scatterlist *sg;
	int ret;

	for (i = 0; i < storage->count; i += pages, segments++)
		pages = mock_segment_pages(storage, &limits, i);
	ret = sg_alloc_table(sgt, segments, GFP_KERNEL);
	if (ret)
		return ret;
	for (i = 0, sg = sgt->sgl; sg; i += pages, sg = sg_next(sg)) {
		pages = mock_segment_pages(storage, &limits, i);
		sg_set_page(sg, storage->pages[i], pages << PAGE_SHIFT, 0);
	}
	return 0;
}

/* The DMA API warns of memory out of reach, unless an IOMMU translates. */
static bool mock_in_reach(struct mock_storage *storage, struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);
	unsigned int i;

	if (domain && iommu_is_dma_domain(domain))
		return true;
	for (i = 0; i < storage->count; i++)
		if (page_to_phys(storage->pages[i]) + PAGE_SIZE - 1 >
		    dma_get_mask(dev))
			return false;
	return true;
}

static struct sg_table *mock_map(struct mock_object *obj, struct device *dev,
				 enum dma_data_direction direction)
{
	struct mock_mapping *mapping;
	int ret;

	if (!mock_in_reach(obj->storage, dev))
		return ERR_PTR(-EIO);
	mapping = kzalloc(sizeof(*mapping), GFP_KERNEL);
	if (!mapping)
		return ERR_PTR(-ENOMEM);
	ret = mock_fill_list(obj, dev, &mapping->sgt);
	if (ret)
		goto free;
	/* The importer syncs the memory for the device. */
	ret = dma_map_sgtable(dev, &mapping->sgt, direction,
			      DMA_ATTR_SKIP_CPU_SYNC);
	if (ret)
		goto free_list;
	mapping->storage = mock_storage_get(obj->storage);
	obj->maps++;
	return &mapping->sgt;

free_list:
	sg_free_table(&mapping->sgt);
free:
	kfree(mapping);
	return ERR_PTR(ret);
}

static struct sg_table *mock_exp_map(struct dma_buf_attachment *attach,
				     enum dma_data_direction direction)
{
	struct mock_object *obj = to_exported(attach->dmabuf);
	int ret = mock_op_begin(obj->record, PRIME_MOCK_MAP);
	struct sg_table *sgt;

	dma_resv_assert_held(obj->base.resv);
	if (!ret)
		ret = mock_exp_settle(obj);
	sgt = ret ? ERR_PTR(ret) : mock_map(obj, attach->dev, direction);
	if (!IS_ERR(sgt))
		mock_op_balance(obj->record, PRIME_MOCK_MAPPED, 1);
	mock_op_end(obj->record, PRIME_MOCK_MAP, PTR_ERR_OR_ZERO(sgt));
	return sgt;
}

static void mock_exp_unmap(struct dma_buf_attachment *attach,
			   struct sg_table *sgt,
			   enum dma_data_direction direction)
{
	struct mock_mapping *mapping = container_of(sgt, struct mock_mapping, sgt);
	struct mock_object *obj = to_exported(attach->dmabuf);

	dma_resv_assert_held(obj->base.resv);
	mock_op_begin(obj->record, PRIME_MOCK_UNMAP);
	mock_op_balance(obj->record, PRIME_MOCK_MAPPED, -1);
	obj->maps--;
	dma_unmap_sgtable(attach->dev, sgt, direction, DMA_ATTR_SKIP_CPU_SYNC);
	sg_free_table(sgt);
	mock_storage_put(mapping->storage);
	kfree(mapping);
}

/* --- CPU --- */
static int mock_exp_begin(struct dma_buf *dmabuf, enum dma_data_direction direction)
{
	struct mock_record *record = to_exported(dmabuf)->record;
	int ret = mock_op_begin(record, PRIME_MOCK_BEGIN);

	if (!ret)
		mock_op_balance(record, PRIME_MOCK_BEGUN, 1);
	return mock_op_end(record, PRIME_MOCK_BEGIN, ret);
}

static int mock_exp_end(struct dma_buf *dmabuf, enum dma_data_direction direction)
{
	struct mock_record *record = to_exported(dmabuf)->record;
	int ret = mock_op_begin(record, PRIME_MOCK_END);

	if (!ret)
		mock_op_balance(record, PRIME_MOCK_BEGUN, -1);
	return mock_op_end(record, PRIME_MOCK_END, ret);
}

/* --- export and release --- */
static void mock_exp_release(struct dma_buf *dmabuf)
{
	struct mock_object *obj = to_exported(dmabuf);

	mock_op_begin(obj->record, PRIME_MOCK_RELEASE);
	dma_resv_lock(obj->base.resv, NULL);
	if (obj->dmabuf == dmabuf)
		obj->dmabuf = NULL;
	dma_resv_unlock(obj->base.resv);
	mock_op_balance(obj->record, PRIME_MOCK_EXPORTED, -1);
	drm_gem_dmabuf_release(dmabuf);
}

static const struct dma_buf_ops mock_static_ops = {
	.attach = mock_exp_attach,
	.detach = mock_exp_detach,
	.map_dma_buf = mock_exp_map,
	.unmap_dma_buf = mock_exp_unmap,
	.release = mock_exp_release,
	.begin_cpu_access = mock_exp_begin,
	.end_cpu_access = mock_exp_end,
	.mmap = drm_gem_dmabuf_mmap,
	.vmap = drm_gem_dmabuf_vmap,
	.vunmap = drm_gem_dmabuf_vunmap,
};

static const struct dma_buf_ops mock_cached_ops = {
	PRIME_OPS_KEEP_TABLE
	.attach = mock_exp_attach,
	.detach = mock_exp_detach,
	.map_dma_buf = mock_exp_map,
	.unmap_dma_buf = mock_exp_unmap,
	.release = mock_exp_release,
	.begin_cpu_access = mock_exp_begin,
	.end_cpu_access = mock_exp_end,
	.mmap = drm_gem_dmabuf_mmap,
	.vmap = drm_gem_dmabuf_vmap,
	.vunmap = drm_gem_dmabuf_vunmap,
};

static const struct dma_buf_ops mock_dynamic_ops = {
	.attach = mock_exp_attach,
	.detach = mock_exp_detach,
	.pin = mock_exp_pin,
	.unpin = mock_exp_unpin,
	.map_dma_buf = mock_exp_map,
	.unmap_dma_buf = mock_exp_unmap,
	.release = mock_exp_release,
	.begin_cpu_access = mock_exp_begin,
	.end_cpu_access = mock_exp_end,
	.mmap = drm_gem_dmabuf_mmap,
	.vmap = drm_gem_dmabuf_vmap,
	.vunmap = drm_gem_dmabuf_vunmap,
};

static const struct dma_buf_ops mock_minimal_ops = {
	.map_dma_buf = mock_exp_map,
	.unmap_dma_buf = mock_exp_unmap,
	.release = mock_exp_release,
};

static const struct dma_buf_ops *mock_ops_of(struct mock_object *obj)
{
	if (obj->flags & MOCK_FOLLOWED)
		return &mock_dynamic_ops;
	if (obj->flags & PRIME_MOCK_MINIMAL)
		return &mock_minimal_ops;
	if (obj->flags & PRIME_MOCK_CACHED)
		return &mock_cached_ops;
	return &mock_static_ops;
}

struct drm_gem_object *mock_exported_object(struct dma_buf *dmabuf)
{
	if (dmabuf->ops->release != mock_exp_release)
		return NULL;
	return dmabuf->priv;
}

static struct dma_buf *mock_export_own(struct mock_object *obj, int flags)
{
	struct drm_device *drm = obj->base.dev;
	struct dma_buf_export_info info = {
		.exp_name = drm->driver->name,
		.owner = drm->driver->fops->owner,
		.ops = mock_ops_of(obj),
		.size = obj->base.size,
		.flags = flags,
		.priv = &obj->base,
		.resv = obj->base.resv,
	};
	struct dma_buf *dmabuf = drm_gem_dmabuf_export(drm, &info);

	if (IS_ERR(dmabuf))
		return dmabuf;
	dma_resv_lock(obj->base.resv, NULL);
	obj->dmabuf = dmabuf;
	dma_resv_unlock(obj->base.resv);
	mock_op_balance(obj->record, PRIME_MOCK_EXPORTED, 1);
	return dmabuf;
}

struct dma_buf *mock_export(struct drm_gem_object *base, int flags)
{
	struct mock_object *obj = to_mock_object(base);
	int ret = mock_op_begin(obj->record, PRIME_MOCK_EXPORT);
	struct dma_buf *dmabuf;

	if (ret)
		dmabuf = ERR_PTR(ret);
	else if (obj->flags & PRIME_MOCK_DEFAULT)
		dmabuf = drm_gem_prime_export(base, flags);
	else
		dmabuf = mock_export_own(obj, flags);
	mock_op_end(obj->record, PRIME_MOCK_EXPORT, PTR_ERR_OR_ZERO(dmabuf));
	return dmabuf;
}
