// SPDX-License-Identifier: GPL-2.0
/*
 * GEM objects as dma-bufs: exported once per object, and recognised at import.
 */
#include "internal.h"

/**
 * drm_gem_dmabuf_export - dma_buf_export() for GEM objects
 * @dev: device of the object
 * @exp_info: with the &drm_gem_object in &dma_buf_export_info.priv
 *
 * Takes references to the object and the device until drm_gem_dmabuf_release().
 * Uses the device's address_space, so that the driver can zap user mappings of
 * the buffer together with those of its own file. For drivers with a
 * &drm_gem_object_funcs.export of their own.
 *
 * Context: may sleep; no lock needed.
 *
 * Return: as dma_buf_export().
 */
struct dma_buf *drm_gem_dmabuf_export(struct drm_device *dev, struct dma_buf_export_info *exp_info)
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

	/* The callbacks call the driver, so its module must stay. */
	info.owner = dev->driver->fops->owner;
	info.ops = &drm_prime_dmabuf_ops;
	info.priv = obj;
	info.resv = obj->resv;
	info.size = obj->size;
	info.flags = flags;

	return drm_gem_dmabuf_export(dev, &info);
}
EXPORT_SYMBOL(drm_gem_prime_export);

/**
 * drm_gem_is_prime_exported_dma_buf - is this buffer an object of this device?
 * @dev: device
 * @dma_buf: buffer
 *
 * For a driver with a &drm_driver.gem_prime_import of its own.
 *
 * Context: any; no lock needed.
 *
 * Return: true if drm_gem_prime_export() made the buffer of an object of @dev.
 */
bool drm_gem_is_prime_exported_dma_buf(struct drm_device *dev, struct dma_buf *dma_buf)
{
	struct drm_gem_object *obj = dma_buf->priv;

	return dma_buf->ops == &drm_prime_dmabuf_ops && obj->dev == dev;
}
EXPORT_SYMBOL(drm_gem_is_prime_exported_dma_buf);

/*
 * Returns the buffer of an object, with a reference. This is the buffer from
 * which the object was imported, or the buffer of an earlier export if it still
 * has references, or a new one. Returns -ENOENT for an object without handles:
 * only the close of the last handle would drop the reference that
 * &drm_gem_object.dma_buf takes. Otherwise returns the error of the driver's
 * export.
 */
struct dma_buf *drm_prime_export_get(struct drm_gem_object *obj, u32 flags)
{
	struct dma_buf *dmabuf;

	guard(mutex)(&obj->dev->object_name_lock);
	dmabuf = obj->import_attach ? obj->import_attach->dmabuf : obj->dma_buf;
	if (dmabuf) {
		get_dma_buf(dmabuf);
		return dmabuf;
	}
	if (!obj->handle_count)
		return ERR_PTR(-ENOENT);

	dmabuf = dma_buf_record_find(obj);
	if (!dmabuf) {
		dmabuf = obj->funcs && obj->funcs->export ?
			 obj->funcs->export(obj, flags) : drm_gem_prime_export(obj, flags);
		if (IS_ERR(dmabuf))
			return dmabuf;
		/* A driver's export may return an imported buffer, which does not hold @obj. */
		if (dmabuf->priv == obj)
			dma_buf_record_add(dmabuf, obj, obj->dev->driver->name);
	}

	/* The object drops this reference with its last handle. */
	get_dma_buf(dmabuf);
	obj->dma_buf = dmabuf;
	return dmabuf;
}
