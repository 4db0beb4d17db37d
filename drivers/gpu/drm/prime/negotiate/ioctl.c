// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls for negotiation on a dma-buf file, and the operations through
 * which the core calls negotiate/.
 *
 * Everybody who has the descriptor may ask. Announcing a device decides where
 * the storage lies, so the buffer must have been exported for writing. All
 * holders of a descriptor have the same right, since a dma-buf has one struct
 * file with one mode. No answer contains an address.
 */
#include <linux/file.h>
#include <linux/uaccess.h>

#include "internal.h"

/* Copies the fields that the program knows. Fields that only it knows become 0. */
static long negotiate_answer(void __user *uarg, size_t usize, const void *answer, size_t size)
{
	if (copy_to_user(uarg, answer, min(usize, size)))
		return -EFAULT;
	if (usize > size && clear_user(uarg + size, usize - size))
		return -EFAULT;
	return 0;
}

static int negotiate_constraints(struct dma_buf *dmabuf, struct dma_buf_constraints_info *info)
{
	struct dma_buf_constraints c;
	unsigned int devices;
	int ret;

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;
	ret = dma_buf_get_constraints(dmabuf, &c, NULL);
	devices = dma_buf_negotiation_count_locked(dmabuf);
	dma_resv_unlock(dmabuf->resv);

	*info = (struct dma_buf_constraints_info) {
		.dma_mask = c.dma_mask,
		.segment_boundary = c.segment_boundary,
		.max_segment_size = c.max_segment_size,
		.max_segments = c.max_segments,
		.alignment = c.alignment,
		.length_align = c.length_align,
		.flags = c.flags,
		.devices = devices,
	};
	return ret;
}

/*
 * Announcing a device again changes nothing. So if a signal ends the wait that
 * follows the announcement, nothing has to be undone.
 */
static long negotiate_announce(struct dma_buf *dmabuf, struct device *dev,
			       struct dma_buf_add_device *arg,
			       void __user *uarg, size_t usize)
{
	/* If the program can't take the answer, the device is not announced. */
	long ret = negotiate_answer(uarg, usize, arg, sizeof(*arg));

	if (!ret)
		ret = dma_buf_negotiation_announce(dmabuf, dev);
	if (!ret)
		ret = negotiate_constraints(dmabuf, &arg->merged);
	return ret ?: negotiate_answer(uarg, usize, arg, sizeof(*arg));
}

static long negotiate_add_device(struct file *file, void __user *uarg, size_t usize)
{
	struct dma_buf_add_device arg;
	struct file *device_file;
	struct device *dev;
	long ret;

	if (usize < offsetofend(struct dma_buf_add_device, flags))
		return -EINVAL;
	ret = copy_struct_from_user(&arg, sizeof(arg), uarg, usize);
	if (ret)
		return ret;
	if (arg.flags)
		return -EINVAL;
	if (!dma_buf_is_late(file->private_data))
		return -EOPNOTSUPP;
	if (!(file->f_mode & FMODE_WRITE))
		return -EACCES;

	/* The open file keeps the device. */
	device_file = fget(arg.device_fd);
	if (!device_file)
		return -EBADF;
	dev = dma_buf_device_get(device_file);
	ret = PTR_ERR_OR_ZERO(dev);
	if (!ret) {
		ret = negotiate_announce(file->private_data, dev, &arg, uarg,
					 usize);
		put_device(dev);
	}
	fput(device_file);
	return ret;
}

static long negotiate_get_constraints(struct file *file, void __user *uarg, size_t usize)
{
	struct dma_buf_constraints_info info;
	int ret = negotiate_constraints(file->private_data, &info);

	return ret ?: negotiate_answer(uarg, usize, &info, sizeof(info));
}

static long negotiate_get_storage(struct file *file, void __user *uarg, size_t usize)
{
	struct dma_buf *dmabuf = file->private_data;
	struct dma_buf_storage_info info = { .size = dmabuf->size };
	int ret;

	strscpy(info.exporter, dmabuf->exp_name);
	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;
	ret = dma_buf_negotiation_get(dmabuf)->late->storage(dmabuf, &info);
	dma_resv_unlock(dmabuf->resv);
	return ret ?: negotiate_answer(uarg, usize, &info, sizeof(info));
}

/* A request without the size of its struct, which depends on the program. */
#define REQUEST(cmd) ((cmd) & ~IOCSIZE_MASK)

/* The first two need a buffer whose storage is placed late. */
static const struct {
	unsigned int request;
	long (*answer)(struct file *file, void __user *uarg, size_t usize);
} negotiate_requests[] = {
	{ REQUEST(DMA_BUF_IOCTL_GET_CONSTRAINTS), negotiate_get_constraints },
	{ REQUEST(DMA_BUF_IOCTL_GET_STORAGE), negotiate_get_storage },
	{ REQUEST(DMA_BUF_IOCTL_ADD_DEVICE), negotiate_add_device },
};

static long negotiate_ioctl(struct file *file, unsigned int cmd, void __user *uarg)
{
	const size_t usize = _IOC_SIZE(cmd);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(negotiate_requests); i++) {
		if (negotiate_requests[i].request != REQUEST(cmd))
			continue;
		if (!usize)
			return -EINVAL;
		if (i < 2 && !dma_buf_is_late(file->private_data))
			return -EOPNOTSUPP;
		return negotiate_requests[i].answer(file, uarg, usize);
	}
	return -ENOTTY;
}

/* --- what the core calls --- */

static const struct dma_buf_negotiate_ops negotiate_ops = {
	.admit = dma_buf_negotiation_attach_locked,
	.ioctl = negotiate_ioctl,
	.close = dma_buf_negotiation_stop,
	.free = dma_buf_negotiation_free,
};

/* Runs before the first buffer can exist. */
static int __init dma_buf_negotiate_init(void)
{
	dma_buf_negotiate_ops = &negotiate_ops;
	return 0;
}
core_initcall(dma_buf_negotiate_init);
