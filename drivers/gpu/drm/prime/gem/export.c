// SPDX-License-Identifier: GPL-2.0
/*
 * GEM objects as dma-bufs: made once per object, recognised when they come
 * back, and let go with the object.
 */
#include "internal.h"

static const struct dma_buf_ops drm_prime_dmabuf_ops = {
	.attach = drm_gem_map_attach,
	.detach = drm_gem_map_detach,
	.cache_sgt_mapping = true,
	.map_dma_buf = drm_gem_map_dma_buf,
	.unmap_dma_buf = drm_gem_unmap_dma_buf,
	.vmap = drm_gem_dmabuf_vmap,
	.vunmap = drm_gem_dmabuf_vunmap,
	.mmap = drm_gem_dmabuf_mmap,
	.release = drm_gem_dmabuf_release,
};

/**
 * drm_gem_dmabuf_export - dma_buf_export() for GEM objects
 * @dev: device of the object
 * @exp_info: with the &drm_gem_object in &dma_buf_export_info.priv
 *
 * Holds the object and the device until drm_gem_dmabuf_release(), and shares
 * the device's address_space so that the driver can zap user mappings of the
 * buffer with those of its own file. For drivers with a
 * &drm_gem_object_funcs.export of their own.
 *
 * Context: may sleep; no lock needed.
 *
 * Return: as dma_buf_export().
 */
struct dma_buf *drm_gem_dmabuf_export(struct drm_device *dev,
				      struct dma_buf_export_info *exp_info)
{
	struct drm_gem_object *obj = exp_info->priv;
	struct dma_buf *dmabuf = dma_buf_export(exp_info);

	if (!IS_ERR(dmabuf)) {
		dmabuf->file->f_mapping = dev->anon_inode->i_mapping;
		drm_gem_object_get(obj);
		drm_dev_get(dev);
	}

	return dmabuf;
}
EXPORT_SYMBOL(drm_gem_dmabuf_export);

/**
 * drm_gem_dmabuf_release - &dma_buf_ops.release for GEM objects
 * @dma_buf: buffer from drm_gem_dmabuf_export()
 *
 * Context: may sleep; no lock needed.
 */
void drm_gem_dmabuf_release(struct dma_buf *dma_buf)
{
	struct drm_gem_object *obj = dma_buf->priv;
	struct drm_device *dev = obj->dev;

	/* The object first: freeing it may need the device. */
	drm_gem_object_put(obj);
	drm_dev_put(dev);
}
EXPORT_SYMBOL(drm_gem_dmabuf_release);

/**
 * drm_gem_prime_export - &drm_gem_object_funcs.export for most drivers
 * @obj: object
 * @flags: DRM_CLOEXEC, DRM_RDWR
 *
 * The buffer uses the object's reservation object and the operations of
 * gem/ops.c.
 *
 * Context: may sleep; no lock needed.
 *
 * Return: as dma_buf_export().
 */
struct dma_buf *drm_gem_prime_export(struct drm_gem_object *obj, int flags)
{
	struct drm_device *dev = obj->dev;
	DEFINE_DMA_BUF_EXPORT_INFO(info);

	/* The callbacks end up in the driver, so that is what must stay. */
	info.owner = dev->driver->fops->owner;
	info.ops = &drm_prime_dmabuf_ops;
	info.priv = obj;
	info.resv = obj->resv;
	info.size = obj->size;
	info.flags = flags;

	return drm_gem_dmabuf_export(dev, &info);
}
EXPORT_SYMBOL(drm_gem_prime_export);

/* The object of @dev that @dmabuf was exported from by this layer, or NULL. */
struct drm_gem_object *drm_prime_export_object(struct drm_device *dev,
					       struct dma_buf *dmabuf)
{
	struct drm_gem_object *obj = dmabuf->priv;

	if (dmabuf->ops != &drm_prime_dmabuf_ops || obj->dev != dev)
		return NULL;

	return obj;
}

static struct dma_buf *drm_prime_export_create(struct drm_gem_object *obj, u32 flags)
{
	/*
	 * With the last handle the object's buffer was let go; a new one
	 * would have nobody to let it go again.
	 */
	if (!obj->handle_count)
		return ERR_PTR(-ENOENT);

	if (obj->funcs && obj->funcs->export)
		return obj->funcs->export(obj, flags);

	return drm_gem_prime_export(obj, flags);
}

/*
 * New buffers that no file descriptor is out for. They can still be dropped
 * without anybody having seen them, so their object must not point to them:
 * drivers look at &drm_gem_object.dma_buf under locks of all kinds and count on
 * it to stay while the object has handles. Links &drm_prime_export.pending,
 * which each holds one more reference to its buffer.
 *
 * The lock protects the list and nests in &drm_device.object_name_lock.
 */
static LIST_HEAD(drm_prime_pending);
static DEFINE_SPINLOCK(drm_prime_pending_lock);

/* The buffer that @obj is being exported as, with the list's reference. */
static struct dma_buf *drm_prime_pending_take(struct drm_gem_object *obj)
{
	struct drm_prime_export *export;
	struct dma_buf *dmabuf = NULL;

	spin_lock(&drm_prime_pending_lock);
	list_for_each_entry(export, &drm_prime_pending, pending) {
		if (export->obj != obj)
			continue;
		list_del_init(&export->pending);
		dmabuf = export->dmabuf;
		break;
	}
	spin_unlock(&drm_prime_pending_lock);

	return dmabuf;
}

/*
 * Finds or makes the buffer of @export->obj: the one it was imported from, the
 * one it was exported as, the one it is being exported as, or a new one.
 */
int drm_prime_export_begin(struct drm_prime_export *export, u32 flags)
{
	struct drm_gem_object *obj = export->obj;
	struct drm_device *dev = obj->dev;
	struct dma_buf *dmabuf;

	INIT_LIST_HEAD(&export->pending);

	mutex_lock(&dev->object_name_lock);
	/*
	 * A second export wants it, so it is no longer the first one's to drop.
	 * Not without handles: nobody would let go of it again.
	 */
	if (obj->handle_count && !obj->dma_buf && !obj->import_attach)
		obj->dma_buf = drm_prime_pending_take(obj);

	dmabuf = obj->import_attach ? obj->import_attach->dmabuf : obj->dma_buf;
	if (dmabuf) {
		get_dma_buf(dmabuf);
	} else {
		dmabuf = drm_prime_export_create(obj, flags);
		if (IS_ERR(dmabuf))
			goto out;
		get_dma_buf(dmabuf);
		spin_lock(&drm_prime_pending_lock);
		list_add(&export->pending, &drm_prime_pending);
		spin_unlock(&drm_prime_pending_lock);
	}
	export->dmabuf = dmabuf;
out:
	mutex_unlock(&dev->object_name_lock);
	return PTR_ERR_OR_ZERO(dmabuf);
}

/* Ends a pending export; @keep: the object shall know its buffer from now on. */
static void drm_prime_pending_settle(struct drm_prime_export *export, bool keep)
{
	struct drm_gem_object *obj = export->obj;
	struct dma_buf *drop = NULL;

	mutex_lock(&obj->dev->object_name_lock);
	spin_lock(&drm_prime_pending_lock);
	if (!list_empty(&export->pending)) {
		list_del_init(&export->pending);
		drop = export->dmabuf;
	}
	spin_unlock(&drm_prime_pending_lock);

	/* Goes with the last handle, unless that went before. */
	if (drop && keep && obj->handle_count && !obj->dma_buf)
		swap(obj->dma_buf, drop);
	mutex_unlock(&obj->dev->object_name_lock);

	if (drop)
		dma_buf_put(drop);
}

void drm_prime_export_commit(struct drm_prime_export *export)
{
	drm_prime_pending_settle(export, true);
}

void drm_prime_export_abort(struct drm_prime_export *export)
{
	drm_prime_pending_settle(export, false);
}
