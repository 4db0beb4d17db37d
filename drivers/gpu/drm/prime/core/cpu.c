// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CPU's access to a buffer: begin and end, mmap, vmap.
 */
#include "internal.h"

/**
 * dma_buf_begin_cpu_access - let the CPU read or write the buffer
 * @dmabuf: buffer
 * @dir: DMA_FROM_DEVICE to read, DMA_TO_DEVICE to write, DMA_BIDIRECTIONAL for
 *	both
 *
 * First waits for the fences that an access in @dir depends on. Then calls the
 * exporter to make the memory coherent, which would be too early while a device
 * still writes. Finally waits for a move of the storage that the exporter may
 * have queued. After success the caller ends the access with
 * dma_buf_end_cpu_access() and the same direction. After a failure, including a
 * signal, the access has not begun, and the caller must not end it.
 *
 * Context: may sleep; reservation object not held; an exporter may take it.
 *
 * Return: 0; -EINVAL without a buffer; -ERESTARTSYS when a signal arrives
 * during a wait; or the error of the exporter's begin_cpu_access.
 */
int dma_buf_begin_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	bool write = dir == DMA_TO_DEVICE || dir == DMA_BIDIRECTIONAL;
	long ret;

	if (WARN_ON_ONCE(!dmabuf))
		return -EINVAL;
	might_lock(&dmabuf->resv->lock.base);

	ret = dma_resv_wait_timeout(dmabuf->resv, dma_resv_usage_rw(write), true,
				    MAX_SCHEDULE_TIMEOUT);
	if (ret < 0)
		return ret;

	if (!dmabuf->ops->begin_cpu_access || dma_buf_sync_harms(dmabuf))
		return 0;

	ret = dmabuf->ops->begin_cpu_access(dmabuf, dir);
	if (ret)
		return dma_buf_refused(dmabuf, NULL, DMA_BUF_STEP_CPU, ret);

	/* The exporter may have moved the storage and queued the copy. */
	ret = dma_resv_wait_timeout(dmabuf->resv, DMA_RESV_USAGE_KERNEL, true,
				    MAX_SCHEDULE_TIMEOUT);
	if (ret >= 0)
		return 0;

	/* The caller won't end this access, since begin failed. */
	dma_buf_end_cpu_access(dmabuf, dir);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_begin_cpu_access, "DMA_BUF");

/**
 * dma_buf_end_cpu_access - hand the buffer back to the devices
 * @dmabuf: buffer
 * @dir: direction of the matching dma_buf_begin_cpu_access()
 *
 * Context: may sleep; reservation object not held; an exporter may take it.
 *
 * Return: 0; -EINVAL without a buffer; or the error of the exporter's
 * end_cpu_access.
 */
int dma_buf_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	if (WARN_ON_ONCE(!dmabuf))
		return -EINVAL;
	might_lock(&dmabuf->resv->lock.base);

	if (!dmabuf->ops->end_cpu_access || dma_buf_sync_harms(dmabuf))
		return 0;
	return dmabuf->ops->end_cpu_access(dmabuf, dir);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_end_cpu_access, "DMA_BUF");

/* Does a mapping with the length of @vma lie in the buffer at page @pgoff? */
bool dma_buf_range_fits(const struct dma_buf *dmabuf,
			struct vm_area_struct *vma, unsigned long pgoff)
{
	unsigned long pages = dmabuf->size >> PAGE_SHIFT;

	return pgoff <= pages && vma_pages(vma) <= pages - pgoff;
}

/**
 * dma_buf_mmap - map a buffer in the mmap of a driver's own file
 * @dmabuf: buffer
 * @vma: mapping; its file becomes the buffer's file
 * @pgoff: first page of the buffer to map, in pages
 *
 * For drivers whose own file has an mmap and whose memory is a dma-buf. User
 * space brackets its access with DMA_BUF_IOCTL_SYNC.
 *
 * Context: mmap_lock held for writing; reservation object not held; an
 * exporter may take it.
 *
 * Return: 0; -EINVAL without buffer or @vma, when the exporter has no mmap, or
 * when the range is not inside the buffer; -EOVERFLOW when @pgoff and the
 * length of @vma wrap; or the error of the exporter's mmap.
 */
int dma_buf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma, unsigned long pgoff)
{
	if (WARN_ON_ONCE(!vma || !dmabuf) || !dmabuf->ops->mmap)
		return -EINVAL;

	if (vma_pages(vma) > ULONG_MAX - pgoff)
		return -EOVERFLOW;
	if (!dma_buf_range_fits(dmabuf, vma, pgoff))
		return -EINVAL;

	vma->vm_pgoff = pgoff;
	vma_set_file(vma, dmabuf->file);

	trace_dma_buf_mmap(dmabuf);
	return dma_buf_refused(dmabuf, NULL, DMA_BUF_STEP_MMAP, dmabuf->ops->mmap(dmabuf, vma));
}
EXPORT_SYMBOL_NS_GPL(dma_buf_mmap, "DMA_BUF");

/**
 * dma_buf_vmap - map a buffer into kernel address space
 * @dmabuf: buffer
 * @map: where to return the mapping
 *
 * All users share one mapping, and each of them calls dma_buf_vunmap(). CPU
 * access is bracketed by dma_buf_begin_cpu_access() and
 * dma_buf_end_cpu_access().
 *
 * Context: may sleep; caller holds the reservation object.
 *
 * Return: 0; -EINVAL without a buffer or when the exporter has no vmap; or the
 * error of the exporter's vmap. @map is cleared on failure.
 */
int dma_buf_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct iosys_map fresh = { };
	int ret;

	iosys_map_clear(map);
	if (WARN_ON_ONCE(!dmabuf))
		return -EINVAL;
	dma_resv_assert_held(dmabuf->resv);

	if (!dmabuf->vmapping_counter) {
		ret = dmabuf->ops->vmap ? dmabuf->ops->vmap(dmabuf, &fresh) : -EINVAL;
		if (ret)
			return dma_buf_refused(dmabuf, NULL, DMA_BUF_STEP_VMAP, ret);
		dmabuf->vmap_ptr = fresh;
	}

	dmabuf->vmapping_counter++;
	*map = dmabuf->vmap_ptr;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_vmap, "DMA_BUF");

/**
 * dma_buf_vmap_unlocked - take the lock and map into kernel address space
 * @dmabuf: buffer
 * @map: where to return the mapping
 *
 * Context: may sleep; takes the reservation object.
 *
 * Return: as dma_buf_vmap().
 */
int dma_buf_vmap_unlocked(struct dma_buf *dmabuf, struct iosys_map *map)
{
	iosys_map_clear(map);
	if (WARN_ON_ONCE(!dmabuf))
		return -EINVAL;

	guard(dma_resv)(dmabuf->resv);
	return dma_buf_vmap(dmabuf, map);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_vmap_unlocked, "DMA_BUF");

/**
 * dma_buf_vunmap - give a kernel mapping back
 * @dmabuf: buffer
 * @map: mapping from dma_buf_vmap()
 *
 * Context: may sleep; caller holds the reservation object.
 */
void dma_buf_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	if (WARN_ON_ONCE(!dmabuf))
		return;
	dma_resv_assert_held(dmabuf->resv);

	/* Leave the buffer's mapping to its users if @map is another one. */
	if (WARN_ON_ONCE(!dmabuf->vmapping_counter || !iosys_map_is_equal(&dmabuf->vmap_ptr, map)))
		return;

	if (--dmabuf->vmapping_counter)
		return;

	if (dmabuf->ops->vunmap)
		dmabuf->ops->vunmap(dmabuf, map);
	iosys_map_clear(&dmabuf->vmap_ptr);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_vunmap, "DMA_BUF");

/**
 * dma_buf_vunmap_unlocked - take the lock and give a kernel mapping back
 * @dmabuf: buffer
 * @map: mapping from dma_buf_vmap_unlocked()
 *
 * Context: may sleep; takes the reservation object.
 */
void dma_buf_vunmap_unlocked(struct dma_buf *dmabuf, struct iosys_map *map)
{
	if (WARN_ON_ONCE(!dmabuf))
		return;

	guard(dma_resv)(dmabuf->resv);
	dma_buf_vunmap(dmabuf, map);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_vunmap_unlocked, "DMA_BUF");
