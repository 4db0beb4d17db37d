// SPDX-License-Identifier: GPL-2.0-only
/*
 * Constraints: what a device needs of storage, derived from what its driver
 * has told the DMA API already, merged with those of other devices, and held
 * against a size or a mapped table. Knows nothing of buffers.
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

#define DMA_BUF_CONSTRAINT_FLAGS (DMA_BUF_CONSTRAINT_CONTIGUOUS |	\
				  DMA_BUF_CONSTRAINT_CONTIGUOUS_PREFERRED | \
				  DMA_BUF_CONSTRAINT_COHERENT)

/* Something that must not be, and how a refusal for it reads. */
struct constraints_check {
	bool fails;
	struct dma_buf_conflict why;
};

/* The first one that fails is the reason. */
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
 * Each device has a table of its own, so one run of storage can be cut for each
 * as it likes. What remains to contradict is where a run may lie: between an
 * address that is too high and the next multiple of the alignment below.
 */
static int constraints_contradict(const struct dma_buf_constraints *c,
				  struct dma_buf_conflict *conflict)
{
	const struct constraints_check checks[] = {
		/* As of a bus that begins above the mask of its device. */
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
	};
}
EXPORT_SYMBOL_NS_GPL(dma_buf_constraints_init, "DMA_BUF");

/* What a driver said of its device hangs on the device. */
static void constraints_devres_release(struct device *dev, void *res)
{
}

/*
 * Matching functions run with the device's list locked, so that what they copy
 * can't be freed by a driver that leaves meanwhile.
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
	const bool silent = !dev->dma_parms ||
			    !dev->dma_parms->max_segment_size;

	dma_buf_constraints_init(c);
	c->dma_mask = min_not_zero(dma_get_mask(dev), dev->bus_dma_limit);
	c->max_segment_size = dma_get_max_seg_size(dev);
	/* ULONG_MAX stands for no boundary. */
	if (dma_get_seg_boundary(dev) != ULONG_MAX)
		c->segment_boundary = dma_get_seg_boundary(dev);
	c->alignment = dma_get_min_align_mask(dev) + 1;

	/*
	 * Helpers for devices that take one address ask for the largest size
	 * there is, or forget to; so do devices that take any table. Trying
	 * for one run costs less than finding out at the first frame.
	 */
	if (silent || c->max_segment_size >= U32_MAX)
		c->flags |= DMA_BUF_CONSTRAINT_CONTIGUOUS_PREFERRED;
}

/**
 * dma_buf_constraints_from_device - what a device needs
 * @c: filled in
 * @dev: device that does DMA
 *
 * Takes what the driver gave to devm_dma_buf_constraints_set(), else what the
 * DMA API knows of the device: mask and bus limit, &device.dma_parms. These are
 * about the addresses that the device is given;
 * dma_buf_constraints_of_storage() turns them into what its pages have to be.
 *
 * A device that does not snoop caches is no reason to ask for coherent
 * storage: the DMA API maintains the caches at map, and SYNC after.
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
	       !(c->flags & ~DMA_BUF_CONSTRAINT_FLAGS) &&
	       c->length_align <= c->max_segment_size &&
	       c->length_align - 1 <= boundary &&
	       !constraints_contradict(c, NULL);
}

/**
 * devm_dma_buf_constraints_set - say what a device needs, instead of guessing
 * @dev: device that does DMA
 * @c: what it needs of the addresses that it is given; copied
 *
 * For what the DMA API has no word for: a number of segments, one segment only,
 * coherent memory. Most drivers begin with dma_buf_constraints_from_device()
 * and change a field. An IOMMU, and a bus with addresses of its own, are
 * accounted for later, so a driver need not know whether there is one. What the
 * DMA API has a word for it has to be told as well, since behind an IOMMU it makes
 * the segments. Holds until the driver leaves the device or calls this again.
 * Storage that is placed for the device already is looked at anew when it maps.
 *
 * Context: may sleep; the driver doesn't call it twice at a time.
 *
 * Return: 0; -EINVAL when a field is no mask, no power of two, 0 where 0 means
 * nothing, when no segment could satisfy all fields, or for an unknown flag;
 * -ENOMEM.
 */
int devm_dma_buf_constraints_set(struct device *dev, const struct dma_buf_constraints *c)
{
	struct dma_buf_constraints *own;

	if (!constraints_valid(c))
		return -EINVAL;

	if (devres_find(dev, constraints_devres_release,
			constraints_devres_write, (void *)c))
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
 * contradict one another. What can is an alignment or a length that does not
 * fit below the lowest mask.
 *
 * Context: any.
 *
 * Return: 0; -EBUSY on a conflict, @c is unchanged then.
 */
int dma_buf_constraints_merge(struct dma_buf_constraints *c,
			      const struct dma_buf_constraints *other,
			      struct dma_buf_conflict *conflict)
{
	const struct dma_buf_constraints both = {
		.dma_mask = min(c->dma_mask, other->dma_mask),
		.segment_boundary = min(c->segment_boundary,
					other->segment_boundary),
		.max_segment_size = min(c->max_segment_size,
					other->max_segment_size),
		.max_segments = min(c->max_segments, other->max_segments),
		.alignment = max(c->alignment, other->alignment),
		.length_align = max(c->length_align, other->length_align),
		.flags = c->flags | other->flags,
	};
	int ret;

	ret = constraints_contradict(&both, conflict);
	if (!ret)
		*c = both;
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_constraints_merge, "DMA_BUF");

/*
 * How long the segments of a run of @size bytes are: within the boundary, whole
 * pages, in which buffers are mapped, and so long that the next one is aligned,
 * if there is one. 0 when no length will do.
 */
u64 dma_buf_constraints_piece(const struct dma_buf_constraints *c, u64 size)
{
	const u64 unit = max3((u64)c->length_align, (u64)c->alignment,
			      (u64)PAGE_SIZE);
	/* As a mask, since a boundary of all ones plus one is 0. */
	const u64 most = min(c->max_segment_size - 1, c->segment_boundary);

	return size - 1 <= most ? size : (most + 1) & -unit;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_constraints_piece);

/* How many segments a single run that starts at a boundary makes. */
static u64 constraints_pieces(const struct dma_buf_constraints *c, u64 size)
{
	const u64 piece = dma_buf_constraints_piece(c, size);
	u64 windows = 0, rest = size;

	if (!size || !piece || piece == size)
		return 1;

	/* Each stretch between two boundaries is cut for itself. */
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
 * Context: any.
 *
 * Storage comes in runs that may be longer than a segment, and each segment of
 * a run has to be aligned: an alignment that is longer than a segment is refused
 * for a buffer that is longer than one.
 *
 * Return: 0; -EBUSY when no storage of @size bytes would suit.
 */
int dma_buf_constraints_check_size(const struct dma_buf_constraints *c,
				   size_t size,
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

/* Of adjacent bytes: an entry of a table, or a run of storage. */
int dma_buf_constraints_check_run(const struct dma_buf_constraints *c,
				  u64 first, u64 length,
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

/* How many segments there are, and how many runs of adjacent ones. */
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
 * One run is told by addresses that follow one another, however many entries
 * it has. Coherence can't be seen in a table and is not looked at.
 *
 * Context: any; caller keeps the mapping.
 *
 * Return: 0; -EBUSY for the first thing that does not suit.
 */
int dma_buf_constraints_check_table(const struct dma_buf_constraints *c,
				    const struct sg_table *sgt,
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
 * The highest address of memory below which a device reaches all, if its bus
 * reaches up to @limit. Ranges of the bus are in no order, and may be of other
 * things than memory, which lies lowest.
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
	return lowest->cpu_start + min(limit - lowest->dma_start,
				       lowest->size - 1);
}

/* Leave what an IOMMU that joins the pages can't help with. */
static void constraints_translate(struct dma_buf_constraints *c)
{
	/*
	 * It cuts no entry of a table: one that is too long stays so, and
	 * would cross a boundary that is shorter than itself.
	 */
	if (c->segment_boundary != U64_MAX)
		c->max_segment_size = min(c->max_segment_size,
					  c->segment_boundary + 1);
	c->segment_boundary = U64_MAX;
	c->dma_mask = U64_MAX;
	c->max_segments = U32_MAX;
	c->flags &= ~(DMA_BUF_CONSTRAINT_CONTIGUOUS |
		      DMA_BUF_CONSTRAINT_CONTIGUOUS_PREFERRED);
	c->flags |= DMA_BUF_CONSTRAINT_TRANSLATED;
}

/**
 * dma_buf_constraints_of_storage - what a device needs of a buffer's storage
 * @c: constraints of @dev that dma_buf_constraints_check_size() passes for
 *	@size; changed
 * @dev: the device
 * @size: bytes
 *
 * A device is given addresses of its bus, storage has addresses of memory: the
 * mask is that of memory afterwards. Behind an IOMMU that translates for the DMA
 * API only what concerns pages is left, and the table that it makes is held
 * against the rest. A device that snoops caches finds all storage coherent.
 *
 * A device counts the entries of its table, storage comes in runs. For storage
 * of one run the table has one entry for each piece, which is at most a segment
 * long and crosses no boundary. Each further run can add one entry. So can each
 * run that crosses a boundary and does not start on one. The result allows one
 * run, and as many more as &dma_buf_constraints.max_segments exceeds the number
 * of pieces. One run and DMA_BUF_CONSTRAINT_CONTIGUOUS are the same afterwards.
 *
 * Context: any.
 */
void dma_buf_constraints_of_storage(struct dma_buf_constraints *c, struct device *dev, size_t size)
{
	const u64 pieces = constraints_pieces(c, size);

	if (dev_is_dma_coherent(dev))
		c->flags &= ~DMA_BUF_CONSTRAINT_COHERENT;
	if (use_dma_iommu(dev)) {
		constraints_translate(c);
		return;
	}

	c->dma_mask = constraints_reach(dev, c->dma_mask);
	if (c->max_segments != U32_MAX)
		c->max_segments -= min_t(u64, pieces, c->max_segments) - 1;

	if (c->flags & DMA_BUF_CONSTRAINT_CONTIGUOUS)
		c->max_segments = 1;
	else if (c->max_segments == 1)
		c->flags |= DMA_BUF_CONSTRAINT_CONTIGUOUS;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_constraints_of_storage, "DMA_BUF");
