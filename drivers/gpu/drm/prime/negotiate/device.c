// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which device an open file stands for. The core knows nothing of DRM or V4L2;
 * small modules that do register for the major number of their subsystem, and
 * are loaded when a program names such a file.
 */
#include <linux/file.h>
#include <linux/kmod.h>

#include "../core/internal.h"

/* Protects the list. */
static DEFINE_MUTEX(dma_buf_device_lock);
/* Links &dma_buf_device_class.node. */
static LIST_HEAD(dma_buf_device_classes);

static struct dma_buf_device_class *device_class_find_locked(unsigned int major)
{
	struct dma_buf_device_class *class;

	lockdep_assert_held(&dma_buf_device_lock);

	list_for_each_entry(class, &dma_buf_device_classes, node) {
		if (class->major == major)
			return class;
	}
	return NULL;
}

/**
 * dma_buf_device_class_register - speak for the files of a major number
 * @class: major number and how to get from a file to its device; the caller
 *	keeps it until it is unregistered
 *
 * Context: may sleep.
 *
 * Return: 0; -EBUSY when somebody speaks for them already.
 */
int dma_buf_device_class_register(struct dma_buf_device_class *class)
{
	int ret = 0;

	mutex_lock(&dma_buf_device_lock);
	if (device_class_find_locked(class->major))
		ret = -EBUSY;
	else
		list_add(&class->node, &dma_buf_device_classes);
	mutex_unlock(&dma_buf_device_lock);

	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_device_class_register, DMA_BUF);

/**
 * dma_buf_device_class_unregister - speak for them no longer
 * @class: what was registered
 *
 * Meant for a module's exit: a call of &dma_buf_device_class.get under way
 * holds the module, so none is left by then.
 *
 * Context: may sleep.
 */
void dma_buf_device_class_unregister(struct dma_buf_device_class *class)
{
	mutex_lock(&dma_buf_device_lock);
	list_del(&class->node);
	mutex_unlock(&dma_buf_device_lock);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_device_class_unregister, DMA_BUF);

/* With a reference to its module. */
static struct dma_buf_device_class *device_class_get(unsigned int major)
{
	struct dma_buf_device_class *class;

	mutex_lock(&dma_buf_device_lock);
	class = device_class_find_locked(major);
	if (class && !try_module_get(class->owner))
		class = NULL;
	mutex_unlock(&dma_buf_device_lock);

	return class;
}

/*
 * A program must not make us ask for modules at will: only for a file that it
 * has open, and of these majors.
 */
static bool device_major_known(unsigned int major)
{
	return major == DMA_BUF_MAJOR_V4L2 || major == DMA_BUF_MAJOR_DRM ||
	       major == DMA_BUF_MAJOR_ACCEL;
}

static struct device *device_of_file(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct dma_buf_device_class *class;
	struct device *dev;

	if (!S_ISCHR(inode->i_mode))
		return ERR_PTR(-EINVAL);

	class = device_class_get(imajor(inode));
	if (!class && device_major_known(imajor(inode))) {
		request_module("dma-buf-device-%u", imajor(inode));
		class = device_class_get(imajor(inode));
		if (!class)
			return ERR_PTR(-ENODEV);
	}
	if (!class)
		return ERR_PTR(-EINVAL);

	dev = class->get(file);
	module_put(class->owner);
	return dev;
}

/*
 * The device behind a descriptor, with a reference; -EBADF when it is not
 * open, -EINVAL when it is no device node of a subsystem that shares buffers,
 * -ENODEV when the device is gone, does no DMA, or the kernel was built
 * without the module that knows.
 */
struct device *dma_buf_device_get(int fd)
{
	struct file *file = fget(fd);
	struct device *dev;

	if (!file)
		return ERR_PTR(-EBADF);

	dev = device_of_file(file);
	fput(file);
	return dev;
}
