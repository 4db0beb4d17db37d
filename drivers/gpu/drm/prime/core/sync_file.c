// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports a buffer's fences as a sync_file, and imports the fences of one: from
 * implicit to explicit synchronisation and back.
 */
#include <linux/uaccess.h>

#include "internal.h"

static bool dma_buf_access_valid(u32 flags)
{
	return flags && !(flags & ~DMA_BUF_SYNC_RW);
}

/*
 * The fd is installed after everything that can fail, including the copy to
 * user space.
 */
long dma_buf_sync_file_export(struct dma_buf *dmabuf,
			      struct dma_buf_export_sync_file __user *uarg)
{
	struct dma_buf_export_sync_file arg;
	struct sync_file *sync_file;
	struct dma_fence *fence;
	int ret;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (!dma_buf_access_valid(arg.flags))
		return -EINVAL;

	CLASS(get_unused_fd, fd)(O_CLOEXEC);
	if (fd < 0)
		return fd;

	/* One fence that stands for all fences the access has to wait for. */
	ret = dma_resv_get_singleton(dmabuf->resv,
				     dma_resv_usage_rw(arg.flags & DMA_BUF_SYNC_WRITE),
				     &fence);
	if (ret)
		return ret;
	if (!fence)
		fence = dma_fence_get_stub();

	sync_file = sync_file_create(fence);
	dma_fence_put(fence);
	if (!sync_file)
		return -ENOMEM;

	arg.fd = fd;
	if (copy_to_user(uarg, &arg, sizeof(arg))) {
		fput(sync_file->file);
		return -EFAULT;
	}

	fd_install(take_fd(fd), sync_file->file);
	return 0;
}

/* Adds the parts of a merged fence, so that signalled ones can be dropped. */
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

long dma_buf_sync_file_import(struct dma_buf *dmabuf,
			      const struct dma_buf_import_sync_file __user *uarg)
{
	struct dma_buf_import_sync_file arg;
	struct dma_fence *fence;
	int ret;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (!dma_buf_access_valid(arg.flags))
		return -EINVAL;

	fence = sync_file_get_fence(arg.fd);
	if (!fence)
		return -EINVAL;

	ret = dma_buf_fence_add(dmabuf, fence,
				arg.flags & DMA_BUF_SYNC_WRITE ?
				DMA_RESV_USAGE_WRITE : DMA_RESV_USAGE_READ);
	dma_fence_put(fence);

	return ret;
}
