// SPDX-License-Identifier: GPL-2.0
/*
 * prime_mock as an importer: its attachments, its imported objects, and the
 * device's limits, which it checks on each table.
 */
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_prime.h>

#include "prime_layer.h"
#include "prime_mock_exporter.h"
#include "prime_mock_importer.h"

struct mock_imported {
	struct drm_gem_object base;
	struct mock_import *import;	/* held, constant */
};

#define to_mock_imported(o) container_of(o, struct mock_imported, base)

/* --- limits --- */
#ifdef CONFIG_DRM_PRIME_LAYER
/*
 * The DMA API can't express a number of segments, nor how images lie. Late
 * exporters and programs ask for it.
 */
static int mock_constraints_set(struct device *dev,
				const struct drm_prime_mock_limits *args)
{
	struct dma_buf_constraints c;

	dma_buf_constraints_init(&c);
	c.dma_mask = DMA_BIT_MASK(args->dma_bits);
	c.max_segment_size = args->max_segment_size;
	c.segment_boundary = args->segment_boundary;
	if (args->max_segments)
		c.max_segments = args->max_segments;
	c.pitch_align = args->pitch_align ?: 1;
	c.offset_align = args->offset_align ?: 1;
	c.size_align = args->size_align ?: 1;
	return devm_dma_buf_constraints_set(dev, &c);
}
#else
static int mock_constraints_set(struct device *dev,
				const struct drm_prime_mock_limits *args)
{
	return 0;
}
#endif

static bool mock_limits_valid(const struct drm_prime_mock_limits *args)
{
	const u32 flags = PRIME_MOCK_GEM_DYNAMIC | PRIME_MOCK_GEM_PEER2PEER |
			  PRIME_MOCK_UNCHECKED;
	const u64 boundary = args->segment_boundary;

	if (args->flags & ~flags || !args->dma_bits || args->dma_bits > 64 ||
	    !args->max_segment_size || boundary & (boundary + 1) ||
	    boundary < SZ_4K - 1 || args->pad)
		return false;
	/* Powers of two, or 0. */
	if (args->pitch_align & (args->pitch_align - 1) ||
	    args->offset_align & (args->offset_align - 1) ||
	    args->size_align & (args->size_align - 1))
		return false;
	return !(args->flags & PRIME_MOCK_GEM_PEER2PEER) ||
	       args->flags & PRIME_MOCK_GEM_DYNAMIC;
}

int mock_ioctl_limits(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct mock_device *mock = to_mock_device(drm);
	struct drm_prime_mock_limits *args = data;
	int ret, idx;

	if (!mock_limits_valid(args))
		return -EINVAL;
	/* What is set after the driver has left the device would stay for the next driver. */
	if (!drm_dev_enter(drm, &idx))
		return -ENODEV;
	mutex_lock(&mock->lock);
	ret = dma_set_mask_and_coherent(drm->dev, DMA_BIT_MASK(args->dma_bits));
	if (!ret)
		ret = mock_constraints_set(drm->dev, args);
	if (!ret) {
		dma_set_max_seg_size(drm->dev, args->max_segment_size);
		dma_set_seg_boundary(drm->dev, args->segment_boundary);
		WRITE_ONCE(mock->max_segments, args->max_segments);
		WRITE_ONCE(mock->import_flags, args->flags);
	}
	mutex_unlock(&mock->lock);
	drm_dev_exit(idx);
	return ret;
}

/* --- attachment --- */
/*
 * Some exporters move a buffer while it is being mapped or pinned. An import
 * that holds nothing yet does not take that for a revocation.
 */
static void mock_import_revoke_locked(struct mock_import *import)
{
	if (!import->sgt && !import->pins)
		return;
	if (import->sgt)
		mock_import_unmap_locked(import);
	for (; import->pins; import->pins--)
		dma_buf_unpin(import->attach);
	import->revoked = true;
}

static void mock_invalidate(struct dma_buf_attachment *attach)
{
	struct mock_import *import = attach->importer_priv;

	dma_resv_assert_held(attach->dmabuf->resv);
	mock_op_begin(import->mock->total, PRIME_MOCK_NOTIFY);
	import->notified++;
	import->stale = true;
	if (import->revocable)
		mock_import_revoke_locked(import);
}

/* Indices: is the importer told of moves, and does it take peer memory? */
static const struct dma_buf_attach_ops mock_attach_ops[2][2] = {
	[0][1] = {
		.allow_peer2peer = true,
	},
	[1][0] = {
		.invalidate_mappings = mock_invalidate,
	},
	[1][1] = {
		.allow_peer2peer = true,
		.invalidate_mappings = mock_invalidate,
	},
};

static void mock_import_release(struct kref *refs)
{
	struct mock_import *import = container_of(refs, struct mock_import, refs);

	mutex_destroy(&import->lock);
	kfree(import);
}

void mock_import_put(struct mock_import *import)
{
	kref_put(&import->refs, mock_import_release);
}

struct mock_import *mock_import_create(struct mock_device *mock, bool gem)
{
	struct mock_import *import = kzalloc(sizeof(*import), GFP_KERNEL_ACCOUNT);

	if (!import)
		return NULL;
	kref_init(&import->refs);
	mutex_init(&import->lock);
	import->mock = mock;
	import->gem = gem;
	return import;
}

int mock_import_attach(struct mock_import *import, struct dma_buf *dmabuf,
		       u32 flags)
{
	bool peer2peer = flags & PRIME_MOCK_IMPORT_PEER2PEER;
	bool told = !(flags & PRIME_MOCK_IMPORT_UNTOLD);
	struct device *dev = import->mock->drm.dev;
	struct dma_buf_attachment *attach;

	/* The core would refuse the attachment too, with a warning. */
	if (!told && !PRIME_CALLBACK_OPTIONAL)
		return -EINVAL;
	import->revocable = flags & PRIME_MOCK_IMPORT_REVOCABLE;
	if (flags & PRIME_MOCK_IMPORT_DYNAMIC)
		attach = dma_buf_dynamic_attach(dmabuf, dev,
						&mock_attach_ops[told][peer2peer],
						import);
	else
		attach = dma_buf_attach(dmabuf, dev);
	if (IS_ERR(attach))
		return PTR_ERR(attach);
	import->attach = attach;
	import->dmabuf = dmabuf;
	atomic64_inc(&import->mock->imports);
	return 0;
}

/* --- scatter list --- */
/* Of an address only the highest bit is told. */
static u64 mock_mask_of(u64 address)
{
	return address ? GENMASK_ULL(fls64(address) - 1, 0) : 0;
}

/* Each refusal says which limit it is about, and what the list has. */
static int mock_check_segment(struct dma_buf_attachment *attach,
			      struct scatterlist *sg)
{
	u64 first = sg_dma_address(sg), last = first + sg_dma_len(sg) - 1;
	u64 boundary = dma_get_seg_boundary(attach->dev);
	u64 longest = dma_get_max_seg_size(attach->dev);
	u64 mask = dma_get_mask(attach->dev);

	if (last > mask) {
		dma_buf_refuse(attach, DMA_BUF_FIELD_DMA_MASK, mask,
			       mock_mask_of(last));
		return -EIO;
	}
	if (sg_dma_len(sg) > longest) {
		dma_buf_refuse(attach, DMA_BUF_FIELD_MAX_SEGMENT_SIZE, longest,
			       sg_dma_len(sg));
		return -EFBIG;
	}
	if ((first & ~boundary) != (last & ~boundary)) {
		dma_buf_refuse(attach, DMA_BUF_FIELD_SEGMENT_BOUNDARY, boundary,
			       mock_mask_of(first ^ last));
		return -EXDEV;
	}
	return 0;
}

/* Checks that the list is within the device's limits and covers the buffer. */
static int mock_check_list(struct mock_device *mock,
			   struct dma_buf_attachment *attach,
			   struct sg_table *sgt)
{
	u32 max_segments = READ_ONCE(mock->max_segments);
	struct scatterlist *sg;
	u64 length = 0;
	unsigned int i;
	int ret;

	if (READ_ONCE(mock->import_flags) & PRIME_MOCK_UNCHECKED)
		return 0;
	for_each_sgtable_dma_sg(sgt, sg, i) {
		ret = mock_check_segment(attach, sg);
		if (ret)
			return ret;
		length += sg_dma_len(sg);
	}
	if (length < attach->dmabuf->size)
		return -EINVAL;
	if (!max_segments || sgt->nents <= max_segments)
		return 0;
	dma_buf_refuse(attach, DMA_BUF_FIELD_MAX_SEGMENTS, max_segments,
		       sgt->nents);
	return -E2BIG;
}

int mock_import_map_locked(struct mock_import *import,
			   enum dma_data_direction direction)
{
	struct sg_table *sgt;
	int ret;

	lockdep_assert_held(&import->lock);
	dma_resv_assert_held(import->dmabuf->resv);
	sgt = dma_buf_map_attachment(import->attach, direction);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	ret = mock_check_list(import->mock, import->attach, sgt);
	if (ret) {
		dma_buf_unmap_attachment(import->attach, sgt, direction);
		return ret;
	}
	import->sgt = sgt;
	import->direction = direction;
	import->stale = false;
	return 0;
}

int mock_import_trim_locked(struct mock_import *import)
{
	struct scatterlist *first = import->sgt->sgl;

	dma_resv_assert_held(import->dmabuf->resv);
	if (sg_dma_len(first) <= PAGE_SIZE)
		return -EINVAL;
	sg_dma_address(first) += PAGE_SIZE;
	sg_dma_len(first) -= PAGE_SIZE;
	import->trimmed = true;
	return 0;
}

void mock_import_unmap_locked(struct mock_import *import)
{
	dma_resv_assert_held(import->dmabuf->resv);
	if (import->trimmed) {
		sg_dma_address(import->sgt->sgl) -= PAGE_SIZE;
		sg_dma_len(import->sgt->sgl) += PAGE_SIZE;
		import->trimmed = false;
	}
	dma_buf_unmap_attachment(import->attach, import->sgt, import->direction);
	import->sgt = NULL;
	import->stale = false;
}

/* --- imported objects --- */
/* Part of freeing an imported object, which may be incomplete. */
static void mock_import_end(struct mock_imported *obj)
{
	struct mock_import *import = obj->import;
	struct sg_table *sgt;
	bool attached;

	mutex_lock(&import->lock);
	attached = import->attach;
	sgt = import->sgt;
	import->attach = NULL;
	import->dmabuf = NULL;
	import->sgt = NULL;
	mutex_unlock(&import->lock);
	if (attached) {
		atomic64_dec(&import->mock->imports);
		drm_prime_gem_destroy(&obj->base, sgt);
	}
	mock_import_put(import);
}

static void mock_imported_free(struct drm_gem_object *base)
{
	struct mock_imported *obj = to_mock_imported(base);
	struct mock_device *mock = to_mock_device(base->dev);

	if (obj->import)
		mock_import_end(obj);
	drm_gem_object_release(base);
	atomic64_dec(&mock->objects);
	kfree(obj);
}

static const struct drm_gem_object_funcs mock_imported_funcs = {
	.free = mock_imported_free,
};

/* Makes an object that will get an attachment. The object holds the buffer. */
static struct mock_imported *mock_imported_create(struct mock_device *mock,
						  size_t size)
{
	struct mock_imported *obj = kzalloc(sizeof(*obj), GFP_KERNEL_ACCOUNT);

	if (!obj)
		return NULL;
	obj->base.funcs = &mock_imported_funcs;
	drm_gem_private_object_init(&mock->drm, &obj->base, size);
	atomic64_inc(&mock->objects);
	obj->import = mock_import_create(mock, true);
	if (!obj->import) {
		drm_gem_object_put(&obj->base);
		return NULL;
	}
	return obj;
}

struct mock_import *mock_import_by_handle(struct drm_file *file, u32 handle)
{
	struct drm_gem_object *base = drm_gem_object_lookup(file, handle);
	struct mock_import *import = ERR_PTR(-EINVAL);

	if (!base)
		return ERR_PTR(-ENOENT);
	if (base->funcs == &mock_imported_funcs) {
		import = to_mock_imported(base)->import;
		kref_get(&import->refs);
	}
	drm_gem_object_put(base);
	return import;
}

static struct drm_gem_object *mock_import_dynamic(struct mock_device *mock,
						  struct dma_buf *dmabuf,
						  u32 flags)
{
	struct mock_imported *obj = mock_imported_create(mock, dmabuf->size);
	struct mock_import *import;
	int ret;

	if (!obj)
		return ERR_PTR(-ENOMEM);
	import = obj->import;
	ret = mock_import_attach(import, dmabuf, flags);
	if (ret)
		goto put;
	/* From here on mock_import_end() undoes everything. */
	get_dma_buf(dmabuf);
	obj->base.import_attach = import->attach;
	obj->base.resv = dmabuf->resv;

	ret = mock_op_begin(mock->total, PRIME_MOCK_IMPORT_SG);
	if (!ret) {
		mutex_lock(&import->lock);
		dma_resv_lock(dmabuf->resv, NULL);
		ret = mock_import_map_locked(import, DMA_BIDIRECTIONAL);
		dma_resv_unlock(dmabuf->resv);
		mutex_unlock(&import->lock);
	}
	mock_op_end(mock->total, PRIME_MOCK_IMPORT_SG, ret);
	if (!ret)
		return &obj->base;
put:
	drm_gem_object_put(&obj->base);
	return ERR_PTR(ret);
}

static struct drm_gem_object *mock_import_buffer(struct mock_device *mock,
						 struct dma_buf *dmabuf)
{
	struct drm_gem_object *base = mock_exported_object(dmabuf);
	u32 limits = READ_ONCE(mock->import_flags);
	u32 flags = PRIME_MOCK_IMPORT_DYNAMIC;

	/* The helper finds only buffers of drm_gem_prime_export(). */
	if (base && base->dev == &mock->drm) {
		drm_gem_object_get(base);
		return base;
	}
	if (!(limits & PRIME_MOCK_GEM_DYNAMIC))
		return drm_gem_prime_import(&mock->drm, dmabuf);
	if (limits & PRIME_MOCK_GEM_PEER2PEER)
		flags |= PRIME_MOCK_IMPORT_PEER2PEER;
	return mock_import_dynamic(mock, dmabuf, flags);
}

struct drm_gem_object *mock_gem_import(struct drm_device *drm,
				       struct dma_buf *dmabuf)
{
	struct mock_device *mock = to_mock_device(drm);
	int ret = mock_op_begin(mock->total, PRIME_MOCK_IMPORT);
	struct drm_gem_object *base;

	base = ret ? ERR_PTR(ret) : mock_import_buffer(mock, dmabuf);
	mock_op_end(mock->total, PRIME_MOCK_IMPORT, PTR_ERR_OR_ZERO(base));
	return base;
}

static struct drm_gem_object *
mock_import_static(struct mock_device *mock, struct dma_buf_attachment *attach,
		   struct sg_table *sgt)
{
	int ret = mock_check_list(mock, attach, sgt);
	struct mock_import *import;
	struct mock_imported *obj;

	if (ret)
		return ERR_PTR(ret);
	obj = mock_imported_create(mock, attach->dmabuf->size);
	if (!obj)
		return ERR_PTR(-ENOMEM);
	import = obj->import;
	import->dmabuf = attach->dmabuf;
	import->attach = attach;
	import->sgt = sgt;
	import->direction = DMA_BIDIRECTIONAL;
	atomic64_inc(&mock->imports);
	return &obj->base;
}

/* The list is mapped for this device until the object is freed. */
struct drm_gem_object *mock_gem_import_sg_table(struct drm_device *drm,
						struct dma_buf_attachment *attach,
						struct sg_table *sgt)
{
	struct mock_device *mock = to_mock_device(drm);
	int ret = mock_op_begin(mock->total, PRIME_MOCK_IMPORT_SG);
	struct drm_gem_object *base;

	base = ret ? ERR_PTR(ret) : mock_import_static(mock, attach, sgt);
	mock_op_end(mock->total, PRIME_MOCK_IMPORT_SG, PTR_ERR_OR_ZERO(base));
	return base;
}
