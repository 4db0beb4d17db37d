/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Constraints: what devices need of the storage that they share, and how to
 * merge these needs. An exporter asks for the merged constraints before it
 * places the storage. Not in mainline.
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
struct sg_table;

/**
 * struct dma_buf_constraints - what a device needs of storage
 * @dma_mask: highest address that the device reaches; for a device, an
 *	address of its bus; merged for a buffer, an address of memory
 * @segment_boundary: a mask such as 0xffff; no segment may cross a multiple of
 *	mask + 1 bytes
 * @max_segment_size: bytes
 * @max_segments: how many segments the device takes, UINT_MAX for any
 *	number; merged for a buffer, how many runs its storage may have
 * @alignment: of the start of every segment, in bytes; a power of two
 * @length_align: of the length of every segment, in bytes; a power of two
 * @flags: DMA_BUF_CONSTRAINT_CONTIGUOUS and the like
 * @use: DMA_BUF_USE_* of devices that a program added; 0 for what a driver says
 * @pitch_align: of the distance between two lines of an image, in bytes; a power
 *	of two, as the next two
 * @offset_align: of the start of an image in the buffer
 * @size_align: of the size of the buffer
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
	u32 use;
	u32 pitch_align;
	u32 offset_align;
	u32 size_align;
};

/**
 * struct dma_buf_conflict - why storage or another device does not suit
 * @field: DMA_BUF_FIELD_*, 0 for none
 * @wanted: what the constraint asks for, in the field's unit
 * @found: what there is; for a mask the one that would have been enough,
 *	so that no address is shown
 */
struct dma_buf_conflict {
	u32 field;
	u64 wanted;
	u64 found;
};

/* For drivers that say what they need, and why they refuse, if asked. */
#ifdef CONFIG_DRM_PRIME_ACCOUNT
void dma_buf_constraints_init(struct dma_buf_constraints *c);
int devm_dma_buf_constraints_set(struct device *dev,
				 const struct dma_buf_constraints *c);
#else
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
#endif

#ifdef CONFIG_DRM_PRIME_NEGOTIATE
bool dma_buf_is_late(struct dma_buf *dmabuf);
#else
static inline bool dma_buf_is_late(struct dma_buf *dmabuf)
{
	return false;
}
#endif

#ifdef CONFIG_DRM_PRIME_ACCOUNT
void dma_buf_refuse(struct dma_buf_attachment *attach, u32 field, u64 wanted, u64 found);
#else
static inline void dma_buf_refuse(struct dma_buf_attachment *attach, u32 field,
				  u64 wanted, u64 found)
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

/* Merges the constraints of all devices of a buffer. */
int dma_buf_get_constraints(struct dma_buf *dmabuf,
			    struct dma_buf_constraints *c,
			    struct dma_buf_conflict *conflict);

/**
 * struct dma_buf_late_ops - operations of an exporter that places storage late
 */
struct dma_buf_late_ops {
	/**
	 * @storage: tells where the storage is. The core has cleared the
	 *	answer. If a program asks, it has also filled in the size and the
	 *	exporter's name.
	 *
	 * Context: may sleep; the reservation object is held.
	 *
	 * Return: 0 or a negative errno for the program that asks.
	 */
	int (*storage)(struct dma_buf *dmabuf,
		       struct dma_buf_storage_info *info);

	/**
	 * @admit: a device joins, by attachment or by announcement.
	 *	@merged are the constraints of all devices including the new
	 *	one. They don't contradict each other. Optional.
	 *
	 * Context: may sleep; the reservation object is held.
	 *
	 * Return: 0 when the storage is not placed, suits, or can move.
	 * Otherwise -EBUSY with the reason in @conflict, or another negative
	 * errno; the device is then refused.
	 */
	int (*admit)(struct dma_buf *dmabuf,
		     const struct dma_buf_constraints *merged,
		     struct dma_buf_conflict *conflict);

	/**
	 * @commit: a program wants the storage placed now, for all devices that
	 *	have joined. It must not move afterwards. Optional; without it
	 *	the program gets -EOPNOTSUPP.
	 *
	 * Context: may sleep; the reservation object is held.
	 *
	 * Return: 0, also when it was committed before; -EBUSY with the reason
	 * in @conflict; or another negative errno.
	 */
	int (*commit)(struct dma_buf *dmabuf, struct dma_buf_conflict *conflict);
};

/* For an exporter that allocates at the first map. */
int dma_buf_set_late(struct dma_buf *dmabuf,
		     const struct dma_buf_late_ops *ops);

/* Returns -EBUSY instead of waiting; see core/map.c. */
struct sg_table *
dma_buf_try_map_attachment(struct dma_buf_attachment *attach,
			   enum dma_data_direction dir);

#endif /* __LINUX_DMA_BUF_CONSTRAINTS_H */
