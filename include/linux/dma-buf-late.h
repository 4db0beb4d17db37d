/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Late allocation: an exporter's storage is placed at the first use of the
 * buffer, where all devices that have joined reach it. It moves if it
 * does not suit a device that joins later. Not in mainline.
 */
#ifndef __LINUX_DMA_BUF_LATE_H
#define __LINUX_DMA_BUF_LATE_H

#include <linux/dma-buf-constraints.h>
#include <linux/dma-direction.h>
#include <linux/list.h>
#include <linux/mm_types.h>

struct address_space;
struct device;
struct dma_buf;
struct dma_buf_attachment;
struct dma_buf_storage;
struct dma_resv;
struct iosys_map;
struct mem_cgroup;
struct sg_table;
struct vm_fault;

/**
 * struct dma_buf_late - late storage; part of an exporter's object
 * @size: bytes, a multiple of PAGE_SIZE; constant once it is placed
 * @resv: reservation object; constant. It protects the fields that are not
 *	constant. The exporter keeps it until dma_buf_late_fini()
 * @own: what the exporter's device needs; constant
 * @fixed_size: the exporter has a device. @own is for storage of @size bytes, so
 *	a commit does not change @size; constant
 * @f_mapping: address space in which user space maps the object, and
 *	&file.f_mapping of its dma-buf; NULL if the object is mapped through its
 *	dma-buf only; constant. The exporter keeps it until dma_buf_late_fini().
 *	For a GEM object it is that of the DRM device, which outlives its objects
 * @f_start: offset of the object in @f_mapping, in bytes; constant
 * @memcg: memory cgroup of the process that made the object, with a reference;
 *	constant
 * @dmabuf: the dma-buf, or NULL. Without a reference: closing its file
 *	unbinds it. Written with dma_buf_negotiate_lock held, and cleared with
 *	the reservation object held, too. So a reader that holds the reservation
 *	object can use the buffer until it drops that lock
 * @storage: NULL until it is placed; the object holds a reference
 * @mappings: links the mappings for devices
 * @pins: number of pins
 * @committed: one of @pins is for ever
 * @vmaps: users of @vaddr
 * @vaddr: the kernel mapping that all users share; NULL while @vmaps is 0. Each
 *	user has a pin, so @storage, which holds the pages, stays
 */
struct dma_buf_late {
	size_t size;
	struct dma_resv *resv;
	struct dma_buf_constraints own;
	bool fixed_size;
	struct address_space *f_mapping;
	loff_t f_start;
	struct mem_cgroup *memcg;
	struct dma_buf *dmabuf;
	struct dma_buf_storage *storage;
	struct list_head mappings;
	unsigned int pins;
	bool committed;
	unsigned int vmaps;
	void *vaddr;
};

int dma_buf_late_init(struct dma_buf_late *late, size_t size,
		      struct dma_resv *resv, struct device *dev);
void dma_buf_late_fini(struct dma_buf_late *late);
int dma_buf_late_bind(struct dma_buf_late *late, struct dma_buf *dmabuf);

/* For an exporter that uses the storage itself. */
int dma_buf_late_vmap_own(struct dma_buf_late *late, struct iosys_map *map);
void dma_buf_late_vunmap_own(struct dma_buf_late *late);
vm_fault_t dma_buf_late_fault(struct dma_buf_late *late, struct vm_fault *vmf);

/* Operations of a buffer that is bound to storage. */
void dma_buf_late_detach(struct dma_buf *dmabuf,
			 struct dma_buf_attachment *attach);
int dma_buf_late_pin(struct dma_buf_attachment *attach);
void dma_buf_late_unpin(struct dma_buf_attachment *attach);
struct sg_table *dma_buf_late_map(struct dma_buf_attachment *attach,
				  enum dma_data_direction dir);
void dma_buf_late_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			enum dma_data_direction dir);
int dma_buf_late_begin_cpu_access(struct dma_buf *dmabuf,
				  enum dma_data_direction dir);
int dma_buf_late_end_cpu_access(struct dma_buf *dmabuf,
				enum dma_data_direction dir);
int dma_buf_late_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma);
int dma_buf_late_vmap(struct dma_buf *dmabuf, struct iosys_map *map);
void dma_buf_late_vunmap(struct dma_buf *dmabuf, struct iosys_map *map);

/*
 * The &struct dma_buf_ops of a late exporter has these and a release. These
 * operations own &dma_buf_attachment.priv, which holds what the device needs.
 */
#define DMA_BUF_LATE_OPS						\
	.detach = dma_buf_late_detach,					\
	.pin = dma_buf_late_pin,					\
	.unpin = dma_buf_late_unpin,					\
	.map_dma_buf = dma_buf_late_map,				\
	.unmap_dma_buf = dma_buf_late_unmap,				\
	.begin_cpu_access = dma_buf_late_begin_cpu_access,		\
	.end_cpu_access = dma_buf_late_end_cpu_access,			\
	.mmap = dma_buf_late_mmap,					\
	.vmap = dma_buf_late_vmap,					\
	.vunmap = dma_buf_late_vunmap

#endif /* __LINUX_DMA_BUF_LATE_H */
