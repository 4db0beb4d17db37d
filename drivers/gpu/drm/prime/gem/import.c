// SPDX-License-Identifier: GPL-2.0
/*
 * Dma-bufs of other devices as GEM objects: attach the device, map the buffer,
 * and let the driver make an object from the scatter list.
 */
#include "internal.h"

/**
 * drm_gem_prime_import_dev - import a dma-buf for a chosen device
 * @dev: device of the new object
 * @dma_buf: buffer
 * @attach_dev: device that will do the DMA; it may differ from
 *	drm_dev_dma_dev()
 *
 * For a buffer that drm_gem_prime_export() made of an object of @dev, this
 * returns that object. Otherwise the new object holds the buffer, attached and
 * mapped, until drm_prime_gem_destroy(), and uses the buffer's reservation
 * object.
 *
 * Context: may sleep; takes the buffer's reservation object.
 *
 * Return: the object with a reference, or ERR_PTR: -EINVAL when the driver has
 * no &drm_driver.gem_prime_import_sg_table; or the error of dma_buf_attach(),
 * dma_buf_map_attachment() or the driver.
 */
struct drm_gem_object *drm_gem_prime_import_dev(struct drm_device *dev, struct dma_buf *dma_buf,
						struct device *attach_dev)
{
	struct dma_buf_attachment *attach;
	struct drm_gem_object *obj;
	struct sg_table *sgt;

	if (drm_gem_is_prime_exported_dma_buf(dev, dma_buf)) {
		obj = dma_buf->priv;
		/* No reference to the buffer: it holds the object already. */
		drm_gem_object_get(obj);
		return obj;
	}

	if (!dev->driver->gem_prime_import_sg_table)
		return ERR_PTR(dma_buf_refused(dma_buf, attach_dev, DMA_BUF_STEP_IMPORT, -EINVAL,
			.why = &(struct dma_buf_conflict){ DMA_BUF_FIELD_OPERATION, 1, 0 }));

	attach = dma_buf_attach(dma_buf, attach_dev);
	if (IS_ERR(attach))
		return ERR_CAST(attach);

	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt)) {
		obj = ERR_CAST(sgt);
		goto err_detach;
	}

	obj = dev->driver->gem_prime_import_sg_table(dev, attach, sgt);
	if (IS_ERR(obj))
		goto err_unmap;

	get_dma_buf(dma_buf);
	obj->resv = dma_buf->resv;
	obj->import_attach = attach;
	return obj;

err_unmap:
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
err_detach:
	dma_buf_detach(dma_buf, attach);
	return obj;
}
EXPORT_SYMBOL(drm_gem_prime_import_dev);

/**
 * drm_gem_prime_import - import a dma-buf
 * @dev: device of the new object
 * @dma_buf: buffer
 *
 * DRM_IOCTL_PRIME_FD_TO_HANDLE calls this for drivers without a
 * &drm_driver.gem_prime_import.
 *
 * Context: may sleep; takes the buffer's reservation object.
 *
 * Return: as drm_gem_prime_import_dev().
 */
struct drm_gem_object *drm_gem_prime_import(struct drm_device *dev, struct dma_buf *dma_buf)
{
	return drm_gem_prime_import_dev(dev, dma_buf, drm_dev_dma_dev(dev));
}
EXPORT_SYMBOL(drm_gem_prime_import);

/**
 * drm_prime_gem_destroy - release the buffer of an imported object
 * @obj: object from drm_gem_prime_import_dev() that is being freed
 * @sg: its scatter list, or NULL when the driver has returned it already
 *
 * For the driver's &drm_gem_object_funcs.free.
 *
 * Context: may sleep; takes the buffer's reservation object.
 */
void drm_prime_gem_destroy(struct drm_gem_object *obj, struct sg_table *sg)
{
	struct dma_buf_attachment *attach = obj->import_attach;
	struct dma_buf *dmabuf = attach->dmabuf;

	if (sg)
		dma_buf_unmap_attachment_unlocked(attach, sg, DMA_BIDIRECTIONAL);
	dma_buf_detach(dmabuf, attach);
	dma_buf_put(dmabuf);
}
EXPORT_SYMBOL(drm_prime_gem_destroy);

/* For the whole GEM side, which is in one module with the rest of DRM. */
MODULE_IMPORT_NS("DMA_BUF");
