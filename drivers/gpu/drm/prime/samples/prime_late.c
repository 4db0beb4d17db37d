// SPDX-License-Identifier: GPL-2.0-only
/*
 * The smallest driver with late GEM objects: a device without hardware, with
 * dumb buffers. A sample, and an exporter for tests.
 */
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/platform_device.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_gem.h>
#include <drm/drm_gem_late.h>
#include <drm/drm_managed.h>

/* example: driver */
DEFINE_DRM_GEM_FOPS(late_fops);

static const struct drm_driver late_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER,
	.name = "prime_late",
	.desc = "exporter of buffers that are placed late",
	.major = 1,
	.fops = &late_fops,
	DRM_GEM_LATE_DRIVER_OPS,
};

/* example: end */

static int late_probe(struct platform_device *pdev)
{
	struct drm_device *drm;
	int ret;

	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	dma_set_max_seg_size(&pdev->dev, U32_MAX - PAGE_SIZE + 1);

	drm = drm_dev_alloc(&late_driver, &pdev->dev);
	if (IS_ERR(drm))
		return PTR_ERR(drm);
	platform_set_drvdata(pdev, drm);

	ret = drm_dev_register(drm, 0);
	if (ret)
		drm_dev_put(drm);
	return ret;
}

static void late_remove(struct platform_device *pdev)
{
	struct drm_device *drm = platform_get_drvdata(pdev);

	drm_dev_unplug(drm);
	drm_dev_put(drm);
}

static struct platform_driver late_platform_driver = {
	.driver = { .name = "prime_late" },
	.probe = late_probe,
	.remove = late_remove,
};

static struct platform_device *late_device;

static int __init late_init(void)
{
	const struct platform_device_info info = {
		.name = "prime_late",
		.dma_mask = DMA_BIT_MASK(64),
	};
	int ret;

	late_device = platform_device_register_full(&info);
	if (IS_ERR(late_device))
		return PTR_ERR(late_device);

	ret = platform_driver_register(&late_platform_driver);
	if (ret)
		platform_device_unregister(late_device);
	return ret;
}

static void __exit late_exit(void)
{
	platform_driver_unregister(&late_platform_driver);
	platform_device_unregister(late_device);
}

module_init(late_init);
module_exit(late_exit);

MODULE_DESCRIPTION("Exporter of late GEM objects for tests");
MODULE_LICENSE("GPL");
