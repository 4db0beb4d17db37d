// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls for negotiation on a dma-buf file, and the operations through
 * which the core calls negotiate/.
 *
 * Everybody who has the descriptor may ask. Adding and removing a device and the
 * commit decide where the storage lies, so the buffer must have been exported for
 * writing. All holders of a descriptor have the same right, since a dma-buf has one
 * struct file with one mode. No answer contains an address.
 */
#include <linux/file.h>
#include <linux/uaccess.h>

#include "internal.h"

/* The argument of any request. */
union negotiate_arg {
	struct dma_buf_device_use device;
	struct dma_buf_commit commit;
	struct dma_buf_constraints_info info;
	/* The first part of @info. */
	struct dma_buf_constraints constraints;
	struct dma_buf_storage_info storage;
};

static_assert(offsetof(struct dma_buf_constraints_info, size_align) ==
	      offsetof(struct dma_buf_constraints, size_align));
static_assert(offsetof(struct dma_buf_constraints_info, devices) ==
	      sizeof(struct dma_buf_constraints));

/* The fields of the reason are at the same offsets in both structs that have them. */
static_assert(offsetof(struct dma_buf_device_use, field) == offsetof(struct dma_buf_commit, field));

static long negotiate_reason(union negotiate_arg *arg, long ret, struct dma_buf_conflict why)
{
	if (ret && !why.field)
		why = (struct dma_buf_conflict) {
			DMA_BUF_FIELD_ERROR, 0, ret == -ERESTARTSYS ? EINTR : -ret
		};
	arg->device.field = why.field;
	arg->device.wanted = why.wanted;
	arg->device.found = why.found;
	return ret;
}

#define DMA_BUF_USE_ALL (DMA_BUF_USE_READ | DMA_BUF_USE_WRITE | DMA_BUF_USE_SCANOUT | \
			 DMA_BUF_USE_CPU)

/* Adds a device with a use, or removes it. */
static long negotiate_device(struct dma_buf *dmabuf, unsigned int cmd, union negotiate_arg *arg)
{
	const bool add = cmd == DMA_BUF_IOCTL_ADD_DEVICE;
	struct file *file = fget(arg->device.device_fd);
	struct dma_buf_conflict why = { };
	const u32 use = arg->device.use;
	struct device *dev = NULL;
	unsigned int how = 0;
	long ret = -EBADF;

	if (arg->device.flags || use & ~DMA_BUF_USE_ALL || !use == add)
		ret = -EINVAL;
	else if (file)
		ret = PTR_ERR_OR_ZERO(dev = dma_buf_device_get(file, &how));
	if (!ret) {
		strscpy_pad(arg->device.device, dev_name(dev));
		ret = add ? dma_buf_negotiation_announce(dmabuf, dev, how, use, &why) :
			    dma_buf_negotiation_withdraw(dmabuf, dev);
		put_device(dev);
	}
	/* The open file keeps the device. */
	if (file)
		fput(file);
	return negotiate_reason(arg, ret, why);
}

static long negotiate_commit(struct dma_buf *dmabuf, unsigned int cmd, union negotiate_arg *arg)
{
	struct dma_buf_conflict why = { };
	long ret = -EINVAL;

	memset(arg->commit.device, 0, sizeof(arg->commit.device));
	if (!arg->commit.flags)
		ret = dma_buf_negotiation_commit(dmabuf, &arg->commit, &why);
	return negotiate_reason(arg, ret, why);
}

static long negotiate_constraints_locked(struct dma_buf *dmabuf, union negotiate_arg *arg)
{
	arg->info.devices = dma_buf_negotiation_count_locked(dmabuf);
	return dma_buf_get_constraints(dmabuf, &arg->constraints, NULL);
}

static long negotiate_storage_locked(struct dma_buf *dmabuf, union negotiate_arg *arg)
{
	arg->storage.size = dmabuf->size;
	strscpy(arg->storage.exporter, dmabuf->exp_name);
	return dma_buf_negotiation_get(dmabuf)->ops->storage(dmabuf, &arg->storage);
}

static long negotiate_ask(struct dma_buf *dmabuf, unsigned int cmd, union negotiate_arg *arg)
{
	long ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);

	if (ret)
		return ret;
	ret = cmd == DMA_BUF_IOCTL_GET_STORAGE ? negotiate_storage_locked(dmabuf, arg) :
						 negotiate_constraints_locked(dmabuf, arg);
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

static const struct {
	unsigned int cmd;
	long (*answer)(struct dma_buf *dmabuf, unsigned int cmd, union negotiate_arg *arg);
} negotiate_requests[] = {
	{ DMA_BUF_IOCTL_ADD_DEVICE, negotiate_device },
	{ DMA_BUF_IOCTL_REMOVE_DEVICE, negotiate_device },
	{ DMA_BUF_IOCTL_COMMIT, negotiate_commit },
	{ DMA_BUF_IOCTL_GET_CONSTRAINTS, negotiate_ask },
	{ DMA_BUF_IOCTL_GET_STORAGE, negotiate_ask },
};

/* Fields that the program knows and this kernel does not become 0. */
static long negotiate_reply(void __user *uarg, size_t usize, const void *arg, size_t size)
{
	return copy_to_user(uarg, arg, size) ||
	       clear_user(uarg + size, usize - size) ? -EFAULT : 0;
}

static long negotiate_ioctl(struct file *file, unsigned int cmd, void __user *uarg)
{
	const size_t usize = _IOC_SIZE(cmd);
	union negotiate_arg arg = { };
	unsigned int i = 0;
	size_t size;
	long ret;

	/* The size in a request is that of the program's struct. */
	while ((negotiate_requests[i].cmd ^ cmd) & ~IOCSIZE_MASK) {
		if (++i == ARRAY_SIZE(negotiate_requests))
			return -ENOTTY;
	}
	/* No struct has grown since the first version, so a program has no shorter one. */
	size = _IOC_SIZE(negotiate_requests[i].cmd);
	if (usize < size)
		return -EINVAL;
	if (!dma_buf_is_late(file->private_data))
		return -EOPNOTSUPP;
	/* A request with an input changes where the storage lies. */
	if (cmd & IOC_IN) {
		if (!(file->f_mode & FMODE_WRITE))
			return -EACCES;
		/* Writes to the struct first: if that fails, nothing is done. */
		ret = copy_struct_from_user(&arg, size, uarg, usize) ?:
		      negotiate_reply(uarg, usize, &arg, size);
		if (ret)
			return ret;
	}
	ret = negotiate_requests[i].answer(file->private_data, negotiate_requests[i].cmd, &arg);
	return negotiate_reply(uarg, usize, &arg, size) ?: ret;
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
