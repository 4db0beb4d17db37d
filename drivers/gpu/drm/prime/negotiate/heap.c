// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-heap "negotiated". An allocation gives a file descriptor and no
 * storage. Storage is placed by a commit, or at the first use, where every device
 * that was added or attached before can reach it.
 *
 * A buffer without storage takes some kernel memory. What this heap allocates, and
 * the file, are charged to the memory cgroup, as the storage is later. The core's
 * struct is not, as for any dma-buf. RLIMIT_NOFILE limits the number of buffers.
 */
#include <linux/dma-heap.h>

#include "internal.h"

/* example: exporter */
static void negotiated_release(struct dma_buf *dmabuf)
{
	struct dma_buf_late *late = dmabuf->priv;

	dma_buf_late_fini(late);
	kfree(late);
}

static const struct dma_buf_ops dma_buf_negotiated_ops = {
	DMA_BUF_LATE_OPS,
	.release = negotiated_release,
};

static struct dma_buf *negotiated_allocate(struct dma_heap *heap, unsigned long len, u32 fd_flags,
					   u64 heap_flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf_late *late;
	struct dma_buf *dmabuf;
	int ret;

	late = kzalloc(sizeof(*late), GFP_KERNEL_ACCOUNT);
	if (!late)
		return ERR_PTR(-ENOMEM);

	info.exp_name = dma_heap_get_name(heap);
	info.ops = &dma_buf_negotiated_ops;
	info.size = len;
	info.flags = fd_flags;
	info.priv = late;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		kfree(late);
		return dmabuf;
	}

	/* From here on release frees everything. */
	ret = dma_buf_late_init(late, len, dmabuf->resv, NULL) ?: dma_buf_late_bind(late, dmabuf);
	if (ret) {
		dma_buf_put(dmabuf);
		return ERR_PTR(ret);
	}
	return dmabuf;
}

/* example: end */

static const struct dma_heap_ops dma_buf_negotiated_heap_ops = {
	.allocate = negotiated_allocate,
};

static int __init negotiated_init(void)
{
	const struct dma_heap_export_info info = {
		.name = "negotiated",
		.ops = &dma_buf_negotiated_heap_ops,
	};

	return PTR_ERR_OR_ZERO(dma_heap_add(&info));
}
device_initcall(negotiated_init);
