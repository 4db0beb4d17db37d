// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-heap "negotiated": a file descriptor first, storage at the first use,
 * where every device that was added or attached by then can reach it.
 *
 * An allocation costs kernel memory of a few hundred bytes, charged to the
 * memory cgroup like the storage later; the number of buffers is bounded by
 * RLIMIT_NOFILE.
 */
#include <linux/dma-heap.h>

#include <linux/dma-buf-late.h>

#include "dma_buf_internal.h"

static struct dma_buf_late *dma_buf_negotiated_of(struct dma_buf *dmabuf)
{
	return dmabuf->priv;
}

static int dma_buf_negotiated_pin(struct dma_buf_attachment *attach)
{
	return dma_buf_late_pin(dma_buf_negotiated_of(attach->dmabuf), attach);
}

static void dma_buf_negotiated_unpin(struct dma_buf_attachment *attach)
{
	dma_buf_late_unpin(dma_buf_negotiated_of(attach->dmabuf));
}

static struct sg_table *
dma_buf_negotiated_map(struct dma_buf_attachment *attach,
		       enum dma_data_direction dir)
{
	return dma_buf_late_map(dma_buf_negotiated_of(attach->dmabuf), attach, dir);
}

static void dma_buf_negotiated_unmap(struct dma_buf_attachment *attach,
				     struct sg_table *sgt,
				     enum dma_data_direction dir)
{
	dma_buf_late_unmap(dma_buf_negotiated_of(attach->dmabuf), sgt);
}

static int dma_buf_negotiated_begin(struct dma_buf *dmabuf,
				    enum dma_data_direction dir)
{
	return dma_buf_late_begin_cpu_access(dma_buf_negotiated_of(dmabuf));
}

static int dma_buf_negotiated_end(struct dma_buf *dmabuf,
				  enum dma_data_direction dir)
{
	return dma_buf_late_end_cpu_access(dma_buf_negotiated_of(dmabuf));
}

static int dma_buf_negotiated_mmap(struct dma_buf *dmabuf,
				   struct vm_area_struct *vma)
{
	return dma_buf_late_mmap(dma_buf_negotiated_of(dmabuf), vma);
}

static int dma_buf_negotiated_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	return dma_buf_late_vmap(dma_buf_negotiated_of(dmabuf), map);
}

static void dma_buf_negotiated_vunmap(struct dma_buf *dmabuf,
				      struct iosys_map *map)
{
	dma_buf_late_vunmap(dma_buf_negotiated_of(dmabuf));
}

static void dma_buf_negotiated_release(struct dma_buf *dmabuf)
{
	struct dma_buf_late *late = dma_buf_negotiated_of(dmabuf);

	dma_buf_late_fini(late);
	kfree(late);
}

static const struct dma_buf_ops dma_buf_negotiated_ops = {
	.pin = dma_buf_negotiated_pin,
	.unpin = dma_buf_negotiated_unpin,
	.map_dma_buf = dma_buf_negotiated_map,
	.unmap_dma_buf = dma_buf_negotiated_unmap,
	.begin_cpu_access = dma_buf_negotiated_begin,
	.end_cpu_access = dma_buf_negotiated_end,
	.mmap = dma_buf_negotiated_mmap,
	.vmap = dma_buf_negotiated_vmap,
	.vunmap = dma_buf_negotiated_vunmap,
	.release = dma_buf_negotiated_release,
};

static int dma_buf_negotiated_storage(struct dma_buf *dmabuf,
				      struct dma_buf_storage_info *info)
{
	return dma_buf_late_describe(dma_buf_negotiated_of(dmabuf), info);
}

static int dma_buf_negotiated_admit(struct dma_buf *dmabuf,
				    const struct dma_buf_constraints *merged,
				    struct dma_buf_conflict *conflict)
{
	return dma_buf_late_admit(dma_buf_negotiated_of(dmabuf), merged, conflict);
}

static const struct dma_buf_late_ops dma_buf_negotiated_late_ops = {
	.storage = dma_buf_negotiated_storage,
	.admit = dma_buf_negotiated_admit,
};

/* example: exporter */
static struct dma_buf *dma_buf_negotiated_allocate(struct dma_heap *heap,
						   unsigned long len,
						   u32 fd_flags, u64 heap_flags)
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

	/* From here on the release frees everything. */
	ret = dma_buf_late_init(late, len, dmabuf->resv, NULL);
	if (!ret)
		ret = dma_buf_set_late(dmabuf, &dma_buf_negotiated_late_ops);
	if (ret) {
		dma_buf_put(dmabuf);
		return ERR_PTR(ret);
	}
	late->dmabuf = dmabuf;
	return dmabuf;
}

/* example: end */

static const struct dma_heap_ops dma_buf_negotiated_heap_ops = {
	.allocate = dma_buf_negotiated_allocate,
};

static int __init dma_buf_negotiated_init(void)
{
	const struct dma_heap_export_info info = {
		.name = "negotiated",
		.ops = &dma_buf_negotiated_heap_ops,
	};

	return PTR_ERR_OR_ZERO(dma_heap_add(&info));
}
device_initcall(dma_buf_negotiated_init);
