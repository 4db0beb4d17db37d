// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds the device behind an open file. Small modules do this for DRM and V4L2,
 * which the core does not know. They may not be loaded, so their functions are
 * looked up by name.
 */
#include <linux/kmod.h>
#include <linux/module.h>

#include <kunit/static_stub.h>
#include <kunit/visibility.h>

#include "internal.h"

/*
 * Returns the device that an import into an open file attaches, with a
 * reference. The caller holds the file, since the device may be static data of a
 * module, and the reference does not keep the module. Sets DMA_BUF_DEVICE_* in
 * @how.
 *
 * Returns -EINVAL if the file is no DRM, accel or V4L2 node, so that a program can't
 * make the kernel load any other module. Returns -ENODEV if the device is gone, or
 * if the kernel has no module for this subsystem. Returns -EOPNOTSUPP if the node's
 * driver imports nothing, and -ERESTARTSYS after a signal. On 6.12 also returns the
 * errors of dma_buf_export(), see linux-6.12/probe.c.
 */
struct device *dma_buf_device_get(struct file *file, unsigned int *how)
{
	struct device *(*ask)(struct file *file, unsigned int *how);
	struct device *dev;

	KUNIT_STATIC_STUB_REDIRECT(dma_buf_device_get, file, how);

	/* These load the module that has the function. */
	switch (dma_buf_device_major(file)) {
	case DMA_BUF_MAJOR_V4L2:
		ask = symbol_request(dma_buf_device_of_v4l2);
		break;
	case DMA_BUF_MAJOR_DRM:
	case DMA_BUF_MAJOR_ACCEL:
		ask = symbol_request(dma_buf_device_of_drm);
		break;
	default:
		return ERR_PTR(-EINVAL);
	}
	if (!ask)
		return ERR_PTR(-ENODEV);
	dev = ask(file, how);
	symbol_put_addr(ask);
	return dev;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_device_get);
