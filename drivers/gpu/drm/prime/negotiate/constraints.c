// SPDX-License-Identifier: GPL-2.0-only
/*
 * Constraints: what a device needs of storage. They are derived from what the
 * device's driver has told the DMA API, merged with those of other devices, and
 * compared with a size or a mapped table. This file knows nothing of buffers.
 *
 * A number in a refusal may reach a program, so none of them is an address.
 */
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/iommu-dma.h>
#include <linux/log2.h>
#include <linux/math64.h>

#include <kunit/visibility.h>

#include "internal.h"

#define DMA_BUF_CONSTRAINT_FLAGS (DMA_BUF_CONSTRAINT_CONTIGUOUS | DMA_BUF_CONSTRAINT_COHERENT)

/* A fault to look for, and the refusal that reports it. */
struct constraints_check {
	bool fails;
	struct dma_buf_conflict why;
};

/* Reports the first check that fails. */
static int constraints_judge(const struct constraints_check *checks,
			     unsigned int count, struct dma_buf_conflict *conflict)
{
	for (; count--; checks++) {
		if (checks->fails)
			return dma_buf_conflict_set(conflict, checks->why);
	}
	return 0;
}

/*
 * Each device has a table of its own, so each can cut a run of storage in
 * its own way. Constraints contradict each other only about where a run may
 * lie: the highest address and the alignment may leave no place for it.
 */
static int constraints_contradict(const struct dma_buf_constraints *c,
				  struct dma_buf_conflict *conflict)
{
	const struct constraints_check checks[] = {
		/* The bus of a device can begin above the device's mask. */
		{ !c->dma_mask,
		  { DMA_BUF_FIELD_DMA_MASK, c->dma_mask, PAGE_SIZE - 1 } },
		/* Only address 0 would be aligned, and it is never allocated. */
		{ c->alignment > c->dma_mask,
		  { DMA_BUF_FIELD_ALIGNMENT, c->alignment,
		    (dma_buf_mask_of(c->dma_mask) + 1) / 2 } },
		{ c->length_align - 1 > c->dma_mask,
		  { DMA_BUF_FIELD_LENGTH_ALIGN, c->length_align,
		    c->dma_mask + 1 } },
	};

	return constraints_judge(checks, ARRAY_SIZE(checks), conflict);
}

/**
 * dma_buf_constraints_init - constraints that everything satisfies
 * @c: constraints
 *
 * Merging them changes nothing.
 *
 * Context: any.
 */
void dma_buf_constraints_init(struct dma_buf_constraints *c)
{
	*c = (struct dma_buf_constraints) {
		.dma_mask = U64_MAX,
		.segment_boundary = U64_MAX,
		.max_segment_size = U64_MAX,
		.max_segments = U32_MAX,
		.alignment = 1,
		.length_align = 1,
		.pitch_align = 1,
		.offset_align = 1,
		.size_align = 1,
	};
}
EXPORT_SYMBOL_NS_GPL(dma_buf_constraints_init, "DMA_BUF");

/* devres frees the constraints that a driver has set. */
static void constraints_devres_release(struct device *dev, void *res)
{
}

/*
 * Matching functions run with the device's list locked. So a driver that leaves
 * at the same time can't free what they copy.
 */
static int constraints_devres_read(struct device *dev, void *res, void *data)
{
	memcpy(data, res, sizeof(struct dma_buf_constraints));
	return 1;
}

static int constraints_devres_write(struct device *dev, void *res, void *data)
{
	memcpy(res, data, sizeof(struct dma_buf_constraints));
	return 1;
}

static void constraints_derive(struct dma_buf_constraints *c, struct device *dev)
{
	dma_buf_constraints_init(c);
	/* This device does no DMA: its driver copies with the CPU. */
	if (!dev->dma_mask)
		return;
	c->dma_mask = min_not_zero(dma_get_mask(dev), dev->bus_dma_limit);
	c->max_segment_size = dma_get_max_seg_size(dev);
	/* ULONG_MAX stands for no boundary. */
	if (dma_get_seg_boundary(dev) != ULONG_MAX)
		c->segment_boundary = dma_get_seg_boundary(dev);
	c->alignment = dma_get_min_align_mask(dev) + 1;
}

/**
 * dma_buf_constraints_from_device - what a device needs
 * @c: filled in
 * @dev: device that does DMA
 *
 * Takes what the driver gave to devm_dma_buf_constraints_set(). If it gave
 * nothing, takes what the DMA API knows of the device: the mask, the bus limit
 * and &device.dma_parms. These constraints are about the addresses that the
 * device gets. dma_buf_constraints_of_storage() turns them into constraints of
 * the pages.
 *
 * A device that does not snoop caches does not need coherent storage: the DMA
 * API maintains the caches at map, and SYNC does so afterwards.
 *
 * Context: any.
 */
void dma_buf_constraints_from_device(struct dma_buf_constraints *c, struct device *dev)
{
	if (!devres_find(dev, constraints_devres_release, constraints_devres_read, c))
		constraints_derive(c, dev);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_constraints_from_device, "DMA_BUF");

static bool constraints_valid(const struct dma_buf_constraints *c)
{
	const u64 boundary = c->segment_boundary;

	return c->dma_mask && !(boundary & (boundary + 1)) && boundary &&
	       c->max_segment_size && c->max_segments &&
	       is_power_of_2(c->alignment) && is_power_of_2(c->length_align) &&
	       is_power_of_2(c->pitch_align) && is_power_of_2(c->offset_align) &&
	       is_power_of_2(c->size_align) && !c->use &&
	       !(c->flags & ~DMA_BUF_CONSTRAINT_FLAGS) &&
	       c->length_align <= c->max_segment_size &&
	       c->length_align - 1 <= boundary &&
	       !constraints_contradict(c, NULL);
}

/**
 * devm_dma_buf_constraints_set - say what a device needs
 * @dev: device that does DMA
 * @c: what the device needs of the addresses that it gets; copied
 *
 * For needs that the DMA API can't express: a number of segments, one segment
 * only, coherent memory, the pitch of an image. Most drivers begin with
 * dma_buf_constraints_from_device() and change a field. The layer accounts for
 * an IOMMU, or a bus with addresses of its own, later. So a driver need not
 * know whether there is one. Tell the DMA API, too, about the limits that it
 * can express, since behind an IOMMU it makes the segments. The constraints
 * hold until the driver leaves the device or calls this again. Storage that is
 * already placed is checked against them when the device maps.
 *
 * Context: may sleep; the driver makes one call at a time.
 *
 * Return: 0; -EINVAL for an unknown flag, for a field that must be a mask or a
 * power of two and is not, for a 0 that has no meaning, or when no segment
 * could satisfy all fields; -ENOMEM.
 */
int devm_dma_buf_constraints_set(struct device *dev, const struct dma_buf_constraints *c)
{
	struct dma_buf_constraints *own;

	if (!constraints_valid(c))
		return -EINVAL;

	if (devres_find(dev, constraints_devres_release, constraints_devres_write, (void *)c))
		return 0;

	own = devres_alloc(constraints_devres_release, sizeof(*own), GFP_KERNEL);
	if (!own)
		return -ENOMEM;
	*own = *c;
	devres_add(dev, own);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(devm_dma_buf_constraints_set, "DMA_BUF");

/**
 * dma_buf_constraints_merge - what suits two devices
 * @c: constraints of one; becomes those of both
 * @other: constraints of the other
 * @conflict: filled in when there is one; may be NULL
 *
 * Takes the stricter of each field. The order in which constraints are merged
 * does not matter, nor does merging the same ones twice. Since every device
 * has a scatter list of its own, sizes and numbers of segments never
 * contradict one another. Only the addresses can: the lowest mask may leave no
 * place for the alignment or the length, or none at all.
 *
 * Context: any.
 *
 * Return: 0; -EBUSY on a conflict, which leaves @c unchanged.
 */
int dma_buf_constraints_merge(struct dma_buf_constraints *c,
			      const struct dma_buf_constraints *other,
			      struct dma_buf_conflict *conflict)
{
	const struct dma_buf_constraints both = {
		.dma_mask = min(c->dma_mask, other->dma_mask),
		.segment_boundary = min(c->segment_boundary, other->segment_boundary),
		.max_segment_size = min(c->max_segment_size, other->max_segment_size),
		.max_segments = min(c->max_segments, other->max_segments),
		.alignment = max(c->alignment, other->alignment),
		.length_align = max(c->length_align, other->length_align),
		.flags = c->flags | other->flags,
		.pitch_align = max(c->pitch_align, other->pitch_align),
		.offset_align = max(c->offset_align, other->offset_align),
		.size_align = max(c->size_align, other->size_align),
		.use = c->use | other->use,
	};
	int ret;

	ret = constraints_contradict(&both, conflict);
	if (!ret)
		*c = both;
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_constraints_merge, "DMA_BUF");

/*
 * Returns the length of the segments of a run of @size bytes. A segment lies
 * within the boundary and has whole pages, since buffers are mapped in pages.
 * The length keeps the next segment of the run aligned. Returns 0 if no length
 * fits.
 */
u64 dma_buf_constraints_piece(const struct dma_buf_constraints *c, u64 size)
{
	const u64 unit = max3((u64)c->length_align, (u64)c->alignment, (u64)PAGE_SIZE);
	/* A mask, since the boundary plus one may wrap to 0. */
	const u64 most = min(c->max_segment_size - 1, c->segment_boundary);

	return size - 1 <= most ? size : (most + 1) & -unit;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_constraints_piece);

/* The number of segments of a single run that starts at a boundary. */
static u64 constraints_pieces(const struct dma_buf_constraints *c, u64 size)
{
	const u64 piece = dma_buf_constraints_piece(c, size);
	u64 windows = 0, rest = size;

	if (!size || !piece || piece == size)
		return 1;

	/* Each stretch between two boundaries is cut separately. */
	if (c->segment_boundary < size - 1) {
		windows = size >> fls64(c->segment_boundary);
		windows *= div64_u64(c->segment_boundary, piece) + 1;
		rest = size & c->segment_boundary;
	}
	return windows + (rest ? div64_u64(rest - 1, piece) + 1 : 0);
}

/**
 * dma_buf_constraints_check_size - can a device take a buffer of a size at all?
 * @c: constraints of one device
 * @size: bytes
 * @conflict: filled in when it can't; may be NULL
 *
 * If a run of storage is longer than a segment, each of its segments has to be
 * aligned. So a buffer that is longer than one segment is refused if the
 * alignment exceeds the length of a segment.
 *
 * Context: any.
 *
 * Return: 0; -EBUSY when no storage of @size bytes would suit.
 */
int dma_buf_constraints_check_size(const struct dma_buf_constraints *c, size_t size,
				   struct dma_buf_conflict *conflict)
{
	const u64 longest = min(c->max_segment_size - 1, c->segment_boundary) + 1;
	const bool none = !dma_buf_constraints_piece(c, size);
	const u64 segments = constraints_pieces(c, size);
	const struct constraints_check checks[] = {
		{ size - 1 > c->dma_mask,
		  { DMA_BUF_FIELD_DMA_MASK, c->dma_mask,
		    dma_buf_mask_of(size - 1) } },
		{ size & (c->length_align - 1),
		  { DMA_BUF_FIELD_LENGTH_ALIGN, c->length_align, size & -size } },
		{ size & (c->size_align - 1),
		  { DMA_BUF_FIELD_SIZE_ALIGN, c->size_align, size & -size } },
		{ c->flags & DMA_BUF_CONSTRAINT_CONTIGUOUS &&
		  c->max_segment_size < size,
		  { DMA_BUF_FIELD_MAX_SEGMENT_SIZE, c->max_segment_size, size } },
		{ none && longest >= max_t(u64, c->length_align, PAGE_SIZE),
		  { DMA_BUF_FIELD_ALIGNMENT, c->alignment,
		    (dma_buf_mask_of(longest) + 1) / 2 } },
		{ none && c->segment_boundary < c->max_segment_size,
		  { DMA_BUF_FIELD_SEGMENT_BOUNDARY, c->segment_boundary,
		    PAGE_SIZE - 1 } },
		{ none,
		  { DMA_BUF_FIELD_MAX_SEGMENT_SIZE, c->max_segment_size,
		    PAGE_SIZE } },
		{ segments > c->max_segments,
		  { DMA_BUF_FIELD_MAX_SEGMENTS, c->max_segments, segments } },
	};

	return size ? constraints_judge(checks, ARRAY_SIZE(checks), conflict) : 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_constraints_check_size, "DMA_BUF");

/* Checks adjacent bytes: an entry of a table, or a run of storage. */
int dma_buf_constraints_check_run(const struct dma_buf_constraints *c, u64 first, u64 length,
				  struct dma_buf_conflict *conflict)
{
	const u64 last = first + length - 1;
	const struct constraints_check checks[] = {
		{ last > c->dma_mask,
		  { DMA_BUF_FIELD_DMA_MASK, c->dma_mask, dma_buf_mask_of(last) } },
		{ (first ^ last) & ~c->segment_boundary,
		  { DMA_BUF_FIELD_SEGMENT_BOUNDARY, c->segment_boundary,
		    dma_buf_mask_of(first ^ last) } },
		{ length > c->max_segment_size,
		  { DMA_BUF_FIELD_MAX_SEGMENT_SIZE, c->max_segment_size, length } },
		{ first & (c->alignment - 1),
		  { DMA_BUF_FIELD_ALIGNMENT, c->alignment, first & -first } },
		{ length & (c->length_align - 1),
		  { DMA_BUF_FIELD_LENGTH_ALIGN, c->length_align,
		    length & -length } },
	};

	return constraints_judge(checks, ARRAY_SIZE(checks), conflict);
}

/* Checks the number of segments, and the number of runs that they form. */
int dma_buf_constraints_check_count(const struct dma_buf_constraints *c,
				    unsigned long segments, unsigned long runs,
				    struct dma_buf_conflict *conflict)
{
	const struct constraints_check checks[] = {
		{ runs > 1 && c->flags & DMA_BUF_CONSTRAINT_CONTIGUOUS,
		  { DMA_BUF_FIELD_CONTIGUOUS, 1, runs } },
		{ segments > c->max_segments,
		  { DMA_BUF_FIELD_MAX_SEGMENTS, c->max_segments, segments } },
	};

	return constraints_judge(checks, ARRAY_SIZE(checks), conflict);
}

/**
 * dma_buf_constraints_check_table - does a mapped table suit a device?
 * @c: constraints of the device that @sgt is mapped for
 * @sgt: table with DMA addresses
 * @conflict: filled in when it does not; may be NULL
 *
 * Segments whose DMA addresses follow one another count as one run, however many
 * entries the table has. A table does not show coherence, so that is not
 * checked.
 *
 * Context: any; caller keeps the mapping.
 *
 * Return: 0; -EBUSY for the first constraint that is violated.
 */
int dma_buf_constraints_check_table(const struct dma_buf_constraints *c, const struct sg_table *sgt,
				    struct dma_buf_conflict *conflict)
{
	unsigned int i, runs = 0;
	struct scatterlist *sg;
	u64 first, next = 0;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (!sg_dma_len(sg))
			continue;
		first = sg_dma_address(sg);
		if (!runs || first != next)
			runs++;
		next = first + sg_dma_len(sg);
		if (dma_buf_constraints_check_run(c, first, sg_dma_len(sg), conflict))
			return -EBUSY;
	}
	return dma_buf_constraints_check_count(c, sgt->nents, runs, conflict);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_constraints_check_table, "DMA_BUF");

/*
 * Returns the address up to which a device can use all memory, if its bus
 * reaches up to @limit. The ranges of a bus have no order. The lowest one is
 * memory; the others may be something else.
 */
static u64 constraints_reach(struct device *dev, u64 limit)
{
	const struct bus_dma_region *lowest = dev->dma_range_map, *range;

	if (!lowest)
		return dma_to_phys(dev, limit);

	for (range = lowest; range->size; range++) {
		if (range->cpu_start < lowest->cpu_start)
			lowest = range;
	}
	if (limit < lowest->dma_start)
		return 0;
	return lowest->cpu_start + min(limit - lowest->dma_start, lowest->size - 1);
}

/* Keeps only what an IOMMU that joins the pages can't provide. */
static void constraints_translate(struct dma_buf_constraints *c)
{
	/*
	 * An IOMMU does not split an entry of a table. So an entry that is too
	 * long stays too long, and one longer than the boundary crosses it.
	 */
	if (c->segment_boundary != U64_MAX)
		c->max_segment_size = min(c->max_segment_size, c->segment_boundary + 1);
	c->segment_boundary = U64_MAX;
	c->dma_mask = U64_MAX;
	c->max_segments = U32_MAX;
	c->flags &= ~DMA_BUF_CONSTRAINT_CONTIGUOUS;
	c->flags |= DMA_BUF_CONSTRAINT_TRANSLATED;
}

/* The part of dma_buf_constraints_of_storage() that needs the device. */
void dma_buf_constraints_of_memory(struct dma_buf_constraints *c, struct device *dev)
{
	if (dev_is_dma_coherent(dev))
		c->flags &= ~DMA_BUF_CONSTRAINT_COHERENT;
	if (use_dma_iommu(dev))
		constraints_translate(c);
	else
		c->dma_mask = constraints_reach(dev, c->dma_mask);
}

/* The part that needs the size. */
void dma_buf_constraints_of_size(struct dma_buf_constraints *c, size_t size)
{
	const u64 pieces = constraints_pieces(c, size);

	if (c->max_segments != U32_MAX)
		c->max_segments -= min_t(u64, pieces, c->max_segments) - 1;

	if (c->flags & DMA_BUF_CONSTRAINT_CONTIGUOUS)
		c->max_segments = 1;
	else if (c->max_segments == 1)
		c->flags |= DMA_BUF_CONSTRAINT_CONTIGUOUS;
}

/**
 * dma_buf_constraints_of_storage - what a device needs of a buffer's storage
 * @c: constraints of @dev that dma_buf_constraints_check_size() passes for
 *	@size; changed
 * @dev: the device
 * @size: bytes
 *
 * The device's mask limits addresses of its bus. The new mask limits addresses of
 * memory. Behind an IOMMU that translates for the DMA API, only the constraints
 * that concern pages are left. The table that the IOMMU makes is checked against
 * the others. For a device that snoops caches all storage is coherent.
 *
 * A device counts the entries of its table, and storage comes in runs. For
 * storage of one run, the table has one entry for each piece. A piece is at
 * most a segment long and crosses no boundary. Each further run can add one
 * entry. So can each run that crosses a boundary and does not start on one. The
 * result allows one run, and as many more as &dma_buf_constraints.max_segments
 * exceeds the number of pieces. If it allows only one run, it also has
 * DMA_BUF_CONSTRAINT_CONTIGUOUS, and the other way round.
 *
 * Context: any.
 */
void dma_buf_constraints_of_storage(struct dma_buf_constraints *c, struct device *dev, size_t size)
{
	dma_buf_constraints_of_memory(c, dev);
	dma_buf_constraints_of_size(c, size);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_constraints_of_storage, "DMA_BUF");
