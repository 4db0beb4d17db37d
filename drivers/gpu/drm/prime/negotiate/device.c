// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds the device behind an open file. Small modules do this for DRM and V4L2,
 * which the core does not know. Each registers for the major numbers of its
 * subsystem, and is loaded when a program first names a file with one of them.
 */
#include <linux/kmod.h>

#include "internal.h"

/* Protects the list; held while a class looks up a device. */
static DEFINE_MUTEX(dma_buf_device_lock);
/* Links &dma_buf_device_class.node. */
static LIST_HEAD(dma_buf_device_classes);

static struct dma_buf_device_class *device_class_find_locked(unsigned int major)
{
	struct dma_buf_device_class *class;

	lockdep_assert_held(&dma_buf_device_lock);

	list_for_each_entry(class, &dma_buf_device_classes, node) {
		if (class->majors[0] == major || class->majors[1] == major)
			return class;
	}
	return NULL;
}

/**
 * dma_buf_device_class_register - look up devices for one or two majors
 * @class: major numbers and how to get from a file to its device; the
 *	caller keeps it until it is unregistered
 *
 * Context: may sleep.
 *
 * Return: 0; -EBUSY when a class has one of these majors already.
 */
int dma_buf_device_class_register(struct dma_buf_device_class *class)
{
	int ret = 0;

	mutex_lock(&dma_buf_device_lock);
	if (device_class_find_locked(class->majors[0]) ||
	    (class->majors[1] && device_class_find_locked(class->majors[1])))
		ret = -EBUSY;
	else
		list_add(&class->node, &dma_buf_device_classes);
	mutex_unlock(&dma_buf_device_lock);

	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_device_class_register, "DMA_BUF");

/**
 * dma_buf_device_class_unregister - undo dma_buf_device_class_register()
 * @class: what was registered
 *
 * Waits for a call of &dma_buf_device_class.get that is under way.
 *
 * Context: may sleep.
 */
void dma_buf_device_class_unregister(struct dma_buf_device_class *class)
{
	mutex_lock(&dma_buf_device_lock);
	list_del(&class->node);
	mutex_unlock(&dma_buf_device_lock);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_device_class_unregister, "DMA_BUF");

/* Returns NULL when no class has the major of the file. */
static struct device *device_ask(struct file *file, unsigned int major)
{
	struct dma_buf_device_class *class;
	struct device *dev = NULL;

	mutex_lock(&dma_buf_device_lock);
	class = device_class_find_locked(major);
	if (class)
		dev = class->get(file);
	mutex_unlock(&dma_buf_device_lock);

	return dev;
}

/*
 * A program must not load arbitrary modules through this. So a module is loaded
 * only for an open file with one of these majors.
 */
static bool device_major_known(unsigned int major)
{
	return major == DMA_BUF_MAJOR_V4L2 || major == DMA_BUF_MAJOR_DRM ||
	       major == DMA_BUF_MAJOR_ACCEL;
}

/*
 * Returns the device behind an open file, with a reference. The caller holds
 * the file, since the device may be static data of a module, and the reference
 * does not keep the module.
 *
 * Returns -EINVAL if the file is no device node of a subsystem that shares
 * buffers. Returns -ENODEV if the device is gone or does no DMA, or if the
 * kernel was built without the module for this subsystem.
 */
struct device *dma_buf_device_get(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct device *dev;

	if (!S_ISCHR(inode->i_mode))
		return ERR_PTR(-EINVAL);

	dev = device_ask(file, imajor(inode));
	if (!dev && device_major_known(imajor(inode))) {
		request_module("dma-buf-device-%u", imajor(inode));
		dev = device_ask(file, imajor(inode)) ?: ERR_PTR(-ENODEV);
	}
	return dev ?: ERR_PTR(-EINVAL);
}
