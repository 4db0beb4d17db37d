// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA_BUF_IOCTL_TRY_DEVICE: would this device take this buffer? The subsystem of the
 * device tries it, and leaves nothing behind. What fails on the way is recorded as in
 * an import, so a program can ask for the reason.
 *
 * Whoever may import into the device may try it. So a security module (Landlock,
 * SELinux) is asked about the ioctl of the device with which a program imports.
 */
#include <linux/file.h>
#include <linux/kmod.h>
#include <linux/security.h>
#include <linux/uaccess.h>
#include <linux/videodev2.h>

#include <drm/drm.h>

#include "../negotiate/internal.h"
#include "internal.h"

static_assert(sizeof(struct dma_buf_try_device) == 12);

/* Answers all other requests. */
static const struct dma_buf_account_ops *try_next __ro_after_init;
static struct dma_buf_account_ops try_ops __ro_after_init;

/* Returns 0, unless a mapping would place the storage or might move it. */
static int try_is_placed(struct dma_buf *dmabuf)
{
	const struct dma_buf_negotiation *n = dma_buf_negotiation_get(dmabuf);
	struct dma_buf_storage_info info = { };
	int ret;

	if (!n)
		return 0;
	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;
	if (n->ops->storage(dmabuf, &info) || !(info.flags & DMA_BUF_STORAGE_COMMITTED))
		ret = -EOPNOTSUPP;
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

static long try_device(struct dma_buf *dmabuf, struct file *device, u32 *judged)
{
	int (*try)(struct file *device, struct dma_buf *dmabuf, u32 *judged);
	unsigned int import;
	long ret;

	ret = try_is_placed(dmabuf);
	if (ret)
		return ret;
	switch (dma_buf_device_major(device)) {
	case DMA_BUF_MAJOR_V4L2:
		import = VIDIOC_QBUF;
		break;
	case DMA_BUF_MAJOR_DRM:
	case DMA_BUF_MAJOR_ACCEL:
		import = DRM_IOCTL_PRIME_FD_TO_HANDLE;
		break;
	default:
		return -EOPNOTSUPP;
	}
	ret = security_file_ioctl(device, import, 0);
	if (ret)
		return ret;
	/* For V4L2 it loads the module that has the function. */
	try = import == VIDIOC_QBUF ? symbol_request(dma_buf_v4l2_try) :
				      symbol_get(drm_prime_import_try);
	if (!try)
		return -EOPNOTSUPP;
	ret = try(device, dmabuf, judged);
	symbol_put_addr(try);
	return ret;
}

static long try_ioctl(struct file *file, unsigned int cmd, void __user *uarg)
{
	struct dma_buf_try_device __user *uanswer = uarg;
	struct dma_buf_try_device arg;
	struct file *device;
	long ret;

	if ((cmd ^ DMA_BUF_IOCTL_TRY_DEVICE) & ~IOCSIZE_MASK)
		return try_next->ioctl(file, cmd, uarg);
	if (_IOC_SIZE(cmd) < sizeof(arg))
		return -EINVAL;
	ret = copy_struct_from_user(&arg, sizeof(arg), uarg, _IOC_SIZE(cmd));
	if (ret)
		return ret;
	if (arg.flags)
		return -EINVAL;
	/* If the answer can't be written, nothing is tried. */
	if (put_user(0, &uanswer->judged))
		return -EFAULT;
	device = fget(arg.device_fd);
	if (!device)
		return -EBADF;
	arg.judged = 0;
	ret = try_device(file->private_data, device, &arg.judged);
	fput(device);
	return put_user(arg.judged, &uanswer->judged) ? -EFAULT : ret;
}

/* Runs after account/ has set its operations, and before the first buffer exists. */
static int __init try_init(void)
{
	try_next = dma_buf_account_ops;
	try_ops = *try_next;
	try_ops.ioctl = try_ioctl;
	dma_buf_account_ops = &try_ops;
	return 0;
}
postcore_initcall(try_init);
