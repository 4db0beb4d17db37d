// SPDX-License-Identifier: GPL-2.0-only
/*
 * Between a buffer's fences and sync_files: the bridge from implicit to
 * explicit synchronisation and back.
 */
#include <linux/uaccess.h>

#include "internal.h"

#if IS_ENABLED(CONFIG_SYNC_FILE)

static bool dma_buf_access_valid(u32 flags)
{
	return flags && !(flags & ~DMA_BUF_SYNC_RW);
}

/* One fence for all that an access has to wait for; never NULL. */
static struct dma_fence *dma_buf_fence_collect(struct dma_buf *dmabuf, u32 flags)
{
	bool write = flags & DMA_BUF_SYNC_WRITE;
	struct dma_fence *fence;
	int ret;

	ret = dma_resv_get_singleton(dmabuf->resv, dma_resv_usage_rw(write), &fence);
	if (ret)
		return ERR_PTR(ret);

	return fence ?: dma_fence_get_stub();
}

/*
 * The fd stays reserved while everything that can fail happens, the copy to
 * user space last.
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

	arg.fd = get_unused_fd_flags(O_CLOEXEC);
	if (arg.fd < 0)
		return arg.fd;

	fence = dma_buf_fence_collect(dmabuf, arg.flags);
	if (IS_ERR(fence)) {
		ret = PTR_ERR(fence);
		goto err_fd;
	}

	sync_file = sync_file_create(fence);
	dma_fence_put(fence);
	if (!sync_file) {
		ret = -ENOMEM;
		goto err_fd;
	}

	if (copy_to_user(uarg, &arg, sizeof(arg))) {
		ret = -EFAULT;
		goto err_sync_file;
	}

	fd_install(arg.fd, sync_file->file);
	return 0;

err_sync_file:
	fput(sync_file->file);
err_fd:
	put_unused_fd(arg.fd);
	return ret;
}

/* A merged fence goes in as its parts, so that signalled ones can be dropped. */
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

	dma_resv_lock(dmabuf->resv, NULL);
	ret = dma_resv_reserve_fences(dmabuf->resv, count);
	if (!ret) {
		dma_fence_unwrap_for_each(fence, &iter, fences)
			dma_resv_add_fence(dmabuf->resv, fence, usage);
	}
	dma_resv_unlock(dmabuf->resv);

	return ret;
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

#endif /* CONFIG_SYNC_FILE */
