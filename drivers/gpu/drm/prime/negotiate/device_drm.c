// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells the dma-buf core which device a DRM or accel node stands for: the one
 * that PRIME imports attach.
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

static struct device *device_drm_get(struct file *file)
{
	/* Only the DRM core opens files of its majors. */
	struct drm_file *drm_file = file->private_data;
	struct drm_device *drm = drm_file->minor->dev;
	struct device *dev;
	int idx;

	if (!drm_dev_enter(drm, &idx))
		return ERR_PTR(-ENODEV);
	dev = get_device(drm->dev);
	drm_dev_exit(idx);

	return dev ?: ERR_PTR(-ENODEV);
}

static struct dma_buf_device_class device_drm = {
	.major = DRM_MAJOR,
	.get = device_drm_get,
	.owner = THIS_MODULE,
};

static struct dma_buf_device_class device_accel = {
	.major = ACCEL_MAJOR,
	.get = device_drm_get,
	.owner = THIS_MODULE,
};

static int __init device_drm_init(void)
{
	int ret;

	ret = dma_buf_device_class_register(&device_drm);
	if (ret)
		return ret;

	ret = dma_buf_device_class_register(&device_accel);
	if (ret)
		dma_buf_device_class_unregister(&device_drm);
	return ret;
}
module_init(device_drm_init);

static void __exit device_drm_exit(void)
{
	dma_buf_device_class_unregister(&device_accel);
	dma_buf_device_class_unregister(&device_drm);
}
module_exit(device_drm_exit);

MODULE_DESCRIPTION("DRM nodes in the negotiation of dma-buf storage");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
MODULE_ALIAS("dma-buf-device-" __stringify(DRM_MAJOR));
MODULE_ALIAS("dma-buf-device-" __stringify(ACCEL_MAJOR));
