// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports a buffer's fences as a sync_file, and adds the fences of a sync_file
 * to a buffer: from implicit to explicit synchronisation and back.
 */
#include <linux/uaccess.h>

#include "internal.h"

/*
 * Returns a signalled fence for a buffer whose fences have all signalled, or NULL
 * without memory. Its time is that of the last of these fences that the
 * reservation object still has. If the reservation object is locked, this does not
 * wait: its holder may be adding fences, and may keep it for long. The fence then
 * gets the current time, which is never before the last signal.
 */
static struct dma_fence *dma_buf_fence_signalled(struct dma_resv *resv, enum dma_resv_usage usage)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	ktime_t last = 0;

	if (!dma_resv_trylock(resv))
		return dma_fence_allocate_private_stub(ktime_get());

	/* A fence that is just being signalled may have no time yet: it counts as signalled now. */
	dma_resv_for_each_fence(&cursor, resv, usage, fence)
		if (dma_fence_is_signaled(fence))
			last = max(last, test_bit(DMA_FENCE_FLAG_TIMESTAMP_BIT, &fence->flags) ?
					 fence->timestamp : ktime_get());
	dma_resv_unlock(resv);
	return last ? dma_fence_allocate_private_stub(last) : dma_fence_get_stub();
}

/*
 * The fd is installed after everything that can fail, including the copy to
 * user space.
 */
static int dma_buf_fence_export(struct dma_buf *dmabuf, bool write, s32 __user *ufd)
{
	const enum dma_resv_usage usage = dma_resv_usage_rw(write);
	struct sync_file *sync_file;
	struct dma_fence *fence;
	int ret;

	CLASS(get_unused_fd, fd)(O_CLOEXEC);
	if (fd < 0)
		return fd;

	/* One fence that stands for all fences the access has to wait for. */
	ret = dma_resv_get_singleton(dmabuf->resv, usage, &fence);
	if (ret)
		return ret;
	if (!fence)
		fence = dma_buf_fence_signalled(dmabuf->resv, usage);

	sync_file = fence ? sync_file_create(fence) : NULL;
	dma_fence_put(fence);
	if (!sync_file)
		return -ENOMEM;

	if (put_user(fd, ufd)) {
		fput(sync_file->file);
		return -EFAULT;
	}

	fd_install(take_fd(fd), sync_file->file);
	return 0;
}

/* Adds a merged fence in parts, so that signalled parts can be dropped. */
static int dma_buf_fence_add(struct dma_buf *dmabuf, struct dma_fence *fences,
			     enum dma_resv_usage usage)
{
	struct dma_fence_unwrap iter;
	struct dma_fence *fence;
	unsigned int count = 0;
	int ret;

	dma_fence_unwrap_for_each(fence, &iter, fences)
		count++;
	if (!count)
		return 0;

	guard(dma_resv)(dmabuf->resv);
	ret = dma_resv_reserve_fences(dmabuf->resv, count);
	if (ret)
		return ret;

	dma_fence_unwrap_for_each(fence, &iter, fences)
		dma_resv_add_fence(dmabuf->resv, fence, usage);
	return 0;
}

/* The arguments of both ioctls have the same layout. */
long dma_buf_sync_file_ioctl(struct dma_buf *dmabuf, unsigned int cmd,
			     struct dma_buf_export_sync_file __user *uarg)
{
	struct dma_buf_export_sync_file arg;
	struct dma_fence *fence;
	bool write;
	int ret;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (!arg.flags || (arg.flags & ~DMA_BUF_SYNC_RW))
		return -EINVAL;

	write = arg.flags & DMA_BUF_SYNC_WRITE;
	if (cmd == DMA_BUF_IOCTL_EXPORT_SYNC_FILE)
		return dma_buf_fence_export(dmabuf, write, &uarg->fd);

	fence = sync_file_get_fence(arg.fd);
	if (!fence)
		return -EINVAL;

	ret = dma_buf_fence_add(dmabuf, fence, write ? DMA_RESV_USAGE_WRITE : DMA_RESV_USAGE_READ);
	dma_fence_put(fence);

	return ret;
}
