// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells the dma-buf core which device a DRM or accel node stands for: the one
 * that PRIME attaches at import.
 */
#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_gem_dma_helper.h>
#include <drm/drm_gem_shmem_helper.h>

#include "internal.h"

/* Drivers with these helpers refuse a buffer that is not one segment for the device. */
static bool device_drm_one_address(const struct drm_driver *driver)
{
	return IS_REACHABLE(CONFIG_DRM_GEM_DMA_HELPER) &&
	       (driver->gem_prime_import_sg_table == drm_gem_dma_prime_import_sg_table ||
		driver->gem_prime_import_sg_table == drm_gem_dma_prime_import_sg_table_vmap);
}

struct device *dma_buf_device_of_drm(struct file *file, unsigned int *how)
{
	/* The DRM core has opened it, see dma_buf_device_major(). */
	struct drm_file *drm_file = file->private_data;
	struct drm_device *drm = drm_file->minor->dev;
	struct device *dev = NULL;
	int idx;

	/* An unregistered device may lose its driver and get another. */
	if (!drm->registered || !drm_dev_enter(drm, &idx))
		return ERR_PTR(-ENODEV);
	if (device_drm_one_address(drm->driver))
		*how |= DMA_BUF_DEVICE_ONE_ADDRESS;
	if (drm->driver->gem_prime_import || drm->driver->gem_prime_import_sg_table)
		dev = drm_dev_get_import_dev(drm);
	drm_dev_exit(idx);

	return dev ?: ERR_PTR(-EOPNOTSUPP);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_device_of_drm, "DMA_BUF");

MODULE_DESCRIPTION("DRM nodes in the negotiation of dma-buf storage");
MODULE_LICENSE("GPL");
