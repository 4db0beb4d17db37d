/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What devices need of the storage that they share, in terms that can be
 * merged, and what an exporter asks for before it places that storage.
 * Not in mainline.
 */
#ifndef __LINUX_DMA_BUF_CONSTRAINTS_H
#define __LINUX_DMA_BUF_CONSTRAINTS_H

#include <linux/bits.h>
#include <linux/dma-direction.h>
#include <linux/types.h>

#include <uapi/linux/dma-buf-constraints.h>

struct device;
struct dma_buf;
struct dma_buf_attachment;
struct file;
struct sg_table;

/**
 * struct dma_buf_constraints - what storage has to be for a device
 * @dma_mask: highest address that the device reaches: of its bus for a device,
 *	of memory for a buffer
 * @segment_boundary: a mask such as 0xffff; no segment may cross a multiple of
 *	mask + 1 bytes
 * @max_segment_size: bytes
 * @max_segments: how many segments the device takes, UINT_MAX for any number;
 *	merged for a buffer, how many runs its storage may consist of
 * @alignment: of the start of every segment, in bytes; a power of two
 * @length_align: of the length of every segment, in bytes; a power of two
 * @flags: DMA_BUF_CONSTRAINT_CONTIGUOUS and the like
 *
 * A segment is one entry of a mapped scatter list.
 *
 * The constraints of a device describe the addresses that it gets.
 * dma_buf_constraints_of_storage() turns them into those of the pages, and only
 * these are merged for a buffer.
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
 * @found: what there is; for masks the mask that would have been enough, so
 *	that no address is told
 */
struct dma_buf_conflict {
	u32 field;
	u64 wanted;
	u64 found;
};

#ifdef CONFIG_DRM_PRIME_NEGOTIATE
void dma_buf_constraints_init(struct dma_buf_constraints *c);
int devm_dma_buf_constraints_set(struct device *dev,
				 const struct dma_buf_constraints *c);
bool dma_buf_is_late(struct dma_buf *dmabuf);
void dma_buf_refuse(struct dma_buf *dmabuf, struct device *dev,
		    const struct dma_buf_conflict *conflict);
#else
/* For drivers that say what they need, and why they refuse, if asked. */
static inline void dma_buf_constraints_init(struct dma_buf_constraints *c)
{
	*c = (struct dma_buf_constraints) { };
}

static inline int
devm_dma_buf_constraints_set(struct device *dev,
			     const struct dma_buf_constraints *c)
{
	return 0;
}

static inline bool dma_buf_is_late(struct dma_buf *dmabuf)
{
	return false;
}

static inline void dma_buf_refuse(struct dma_buf *dmabuf, struct device *dev,
				  const struct dma_buf_conflict *conflict)
{
}
#endif

void dma_buf_constraints_from_device(struct dma_buf_constraints *c,
				     struct device *dev);
int dma_buf_constraints_merge(struct dma_buf_constraints *c,
			      const struct dma_buf_constraints *other,
			      struct dma_buf_conflict *conflict);
int dma_buf_constraints_check_size(const struct dma_buf_constraints *c,
				   size_t size,
				   struct dma_buf_conflict *conflict);
int dma_buf_constraints_check_table(const struct dma_buf_constraints *c,
				    const struct sg_table *sgt,
				    struct dma_buf_conflict *conflict);
void dma_buf_constraints_of_storage(struct dma_buf_constraints *c,
				    struct device *dev, size_t size);

/* Of a buffer: merged over every attachment and every device announced. */
int dma_buf_get_constraints(struct dma_buf *dmabuf,
			    struct dma_buf_constraints *c,
			    struct dma_buf_conflict *conflict);

/**
 * struct dma_buf_late_ops - an exporter that places its storage when it is used
 */
struct dma_buf_late_ops {
	/**
	 * @storage: says where the storage is. The core has cleared the
	 * answer and filled in size and name of the exporter.
	 *
	 * Context: may sleep; the reservation object is held.
	 *
	 * Return: 0 or a negative errno for the program that asks.
	 */
	int (*storage)(struct dma_buf *dmabuf,
		       struct dma_buf_storage_info *info);

	/**
	 * @admit: a device joins, by attachment or by announcement; @merged
	 * are the constraints of all devices with the new one, which do not
	 * contradict one another. Optional.
	 *
	 * Context: may sleep; the reservation object is held.
	 *
	 * Return: 0 when the storage is not placed yet, suits, or can move;
	 * -EBUSY with @conflict filled in otherwise, and the device is
	 * refused for that reason.
	 */
	int (*admit)(struct dma_buf *dmabuf,
		     const struct dma_buf_constraints *merged,
		     struct dma_buf_conflict *conflict);
};

/* An exporter that allocates at the first map says so. */
int dma_buf_set_late(struct dma_buf *dmabuf,
		     const struct dma_buf_late_ops *ops);

/* -EBUSY instead of sleeping; see core/map.c. */
struct sg_table *
dma_buf_try_map_attachment(struct dma_buf_attachment *attach,
			   enum dma_data_direction dir);

/**
 * struct dma_buf_device_class - the files of a character-device major or two
 * @majors: major numbers; the second one may be 0
 * @get: the struct device that does DMA for an open file, with a reference;
 *	ERR_PTR(-ENODEV) when it is gone or has none. May sleep
 */
struct dma_buf_device_class {
	unsigned int majors[2];
	struct device *(*get)(struct file *file);
	/* private: links all of them */
	struct list_head node;
};

int dma_buf_device_class_register(struct dma_buf_device_class *class);
void dma_buf_device_class_unregister(struct dma_buf_device_class *class);

#endif /* __LINUX_DMA_BUF_CONSTRAINTS_H */
