/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What devices need of the storage that they share, in terms that can be
 * merged, and what an exporter asks for before it places that storage.
 * Not in mainline.
 */
#ifndef __LINUX_DMA_BUF_CONSTRAINTS_H
#define __LINUX_DMA_BUF_CONSTRAINTS_H

#include <linux/bits.h>
#include <linux/types.h>

#include <uapi/linux/dma-buf-constraints.h>

struct device;
struct dma_buf;
struct dma_buf_attachment;
struct sg_table;

/**
 * struct dma_buf_constraints - what storage has to be for a device
 * @dma_mask: highest address that the device reaches
 * @segment_boundary: a mask such as 0xffff; no segment may cross a multiple of
 *	mask + 1 bytes
 * @max_segment_size: bytes
 * @max_segments: how many segments the device takes
 * @alignment: of the start of every segment, in bytes; a power of two
 * @length_align: of the length of every segment, in bytes; a power of two
 * @flags: DMA_BUF_CONSTRAINT_CONTIGUOUS and the like
 *
 * For a device behind an IOMMU these are what remains for the pages, not what
 * the device needs of its I/O addresses: the IOMMU provides those.
 */
struct dma_buf_constraints {
	u64 dma_mask;
	u64 segment_boundary;
	u64 max_segment_size;
	u32 max_segments;
	u32 alignment;
	u32 length_align;
	u32 flags;
};

/**
 * struct dma_buf_conflict - why storage or another device does not suit
 * @field: DMA_BUF_FIELD_*, 0 for none
 * @wanted: what the constraint asks for, in the field's unit
 * @found: what there is
 */
struct dma_buf_conflict {
	u32 field;
	u64 wanted;
	u64 found;
};

/* Pure: derive, merge, compare. */
void dma_buf_constraints_init(struct dma_buf_constraints *c);
void dma_buf_constraints_from_device(struct dma_buf_constraints *c,
				     struct device *dev);
int devm_dma_buf_constraints_set(struct device *dev,
				 const struct dma_buf_constraints *c);
int dma_buf_constraints_merge(struct dma_buf_constraints *c,
			      const struct dma_buf_constraints *other,
			      struct dma_buf_conflict *conflict);
int dma_buf_constraints_check_size(const struct dma_buf_constraints *c,
				   size_t size,
				   struct dma_buf_conflict *conflict);
int dma_buf_constraints_check_table(const struct dma_buf_constraints *c,
				    const struct sg_table *sgt,
				    struct dma_buf_conflict *conflict);

/* Of a buffer: merged over every attachment and every device announced. */
int dma_buf_get_constraints(struct dma_buf *dmabuf,
			    struct dma_buf_constraints *c,
			    struct dma_buf_conflict *conflict);
const struct dma_buf_constraints *
dma_buf_attachment_constraints(const struct dma_buf_attachment *attach);

/* An exporter that allocates at the first map says so, and why it refuses. */
void dma_buf_set_late(struct dma_buf *dmabuf,
		      int (*storage)(struct dma_buf *dmabuf,
				     struct dma_buf_storage_info *info));
void dma_buf_refuse(struct dma_buf *dmabuf, struct device *dev,
		    const struct dma_buf_conflict *conflict);

/* -EBUSY instead of sleeping; see dma_buf_map.c. */
struct sg_table *
dma_buf_try_map_attachment(struct dma_buf_attachment *attach,
			   enum dma_data_direction dir);

/* Which struct device a file of a subsystem's character device stands for. */
struct dma_buf_device_class {
	unsigned int major;
	struct device *(*get)(struct file *file);
	struct module *owner;
	/* private: links all of them */
	struct list_head node;
};

int dma_buf_device_class_register(struct dma_buf_device_class *class);
void dma_buf_device_class_unregister(struct dma_buf_device_class *class);

#endif /* __LINUX_DMA_BUF_CONSTRAINTS_H */
