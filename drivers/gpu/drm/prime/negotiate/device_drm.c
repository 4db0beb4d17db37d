// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells the dma-buf core which device a DRM or accel node stands for: the one
 * that PRIME attaches at import.
 */
#include <linux/device.h>
#include <linux/dma-buf-constraints.h>
#include <linux/fs.h>
#include <linux/module.h>

#include <drm/drm_accel.h>
#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_ioctl.h>

#include "../kernel.h"

static struct device *device_drm_get(struct file *file)
{
	/* Only the DRM core opens files of its majors. */
	struct drm_file *drm_file = file->private_data;
	struct drm_device *drm = drm_file->minor->dev;
	struct device *dev;
	int idx;

	/* An unregistered device may lose its driver and get another. */
	if (!drm->registered || !drm_dev_enter(drm, &idx))
		return ERR_PTR(-ENODEV);
	dev = get_device(drm_dev_dma_dev(drm));
	drm_dev_exit(idx);

	return dev ?: ERR_PTR(-ENODEV);
}

static struct dma_buf_device_class device_drm = {
	.majors = { DRM_MAJOR, ACCEL_MAJOR },
	.get = device_drm_get,
};
module_driver(device_drm, dma_buf_device_class_register, dma_buf_device_class_unregister);

MODULE_DESCRIPTION("DRM nodes in the negotiation of dma-buf storage");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_ALIAS("dma-buf-device-" __stringify(DRM_MAJOR));
MODULE_ALIAS("dma-buf-device-" __stringify(ACCEL_MAJOR));
