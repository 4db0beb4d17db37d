// SPDX-License-Identifier: GPL-2.0-only
/*
 * Constraints: what a device needs of storage, derived from what its driver
 * has told the DMA API already, merged with those of other devices, and held
 * against a size or a mapped table. Knows nothing of buffers.
 *
 * A number in a refusal may reach a program, so none of them is an address.
 */
#include <linux/dma-map-ops.h>
#include <linux/iommu-dma.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/sizes.h>

#include "../core/internal.h"

#define DMA_BUF_CONSTRAINT_FLAGS (DMA_BUF_CONSTRAINT_CONTIGUOUS |	\
				  DMA_BUF_CONSTRAINT_CONTIGUOUS_PREFERRED | \
				  DMA_BUF_CONSTRAINT_COHERENT)

/*
 * Every refusal of this file goes through here: -EBUSY, and why if the caller
 * wants to know.
 */
static int constraints_refuse(struct dma_buf_conflict *conflict, u32 field,
			      u64 wanted, u64 found)
{
	if (conflict)
		*conflict = (struct dma_buf_conflict) { field, wanted, found };

	return -EBUSY;
}

/* The smallest mask that covers @address, which tells little of it. */
static u64 constraints_mask_of(u64 address)
{
	return address ? GENMASK_ULL(fls64(address) - 1, 0) : 0;
}

/*
 * Each device has a table of its own, so one run of storage can be cut for each
 * as it likes. What remains to contradict is where a run may lie: between an
 * address that is too high and the next multiple of the alignment below.
 */
static int constraints_contradict(const struct dma_buf_constraints *c,
				  struct dma_buf_conflict *conflict)
{
	/* Address 0 is a multiple of everything, and nobody's. */
	if (c->alignment > c->dma_mask)
		return constraints_refuse(conflict, DMA_BUF_FIELD_ALIGNMENT,
					  c->alignment,
					  (constraints_mask_of(c->dma_mask) + 1) / 2);
	if (c->length_align - 1 > c->dma_mask)
		return constraints_refuse(conflict, DMA_BUF_FIELD_LENGTH_ALIGN,
					  c->length_align, c->dma_mask + 1);
	return 0;
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
EXPORT_SYMBOL_NS_GPL(dma_buf_constraints_init, DMA_BUF);

/* What a driver said of its device; hangs on the device. */
struct dma_buf_constraints_devres {
	struct dma_buf_constraints constraints;
};

static void constraints_devres_release(struct device *dev, void *res)
{
}

/*
 * Matching functions run with the device's list locked, so that what they copy
 * can't be freed by a driver that leaves meanwhile.
 */
static int constraints_devres_read(struct device *dev, void *res, void *data)
{
	struct dma_buf_constraints_devres *own = res;
	struct dma_buf_constraints *c = data;

	*c = own->constraints;
	return 1;
}

static int constraints_devres_write(struct device *dev, void *res, void *data)
{
	struct dma_buf_constraints_devres *own = res;
	const struct dma_buf_constraints *c = data;

	own->constraints = *c;
	return 1;
}

static void constraints_derive(struct dma_buf_constraints *c,
			       struct device *dev)
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
 * dma_buf_constraints_from_device - what a device needs
 * @c: filled in
 * @dev: device that does DMA
 *
 * Takes what the driver gave to devm_dma_buf_constraints_set(), else what the
 * DMA API knows of the device: mask and bus limit, &device.dma_parms. Behind
 * an IOMMU that translates for the DMA API only what concerns pages is left.
 *
 * A device that does not snoop caches is no reason to ask for coherent
 * storage: the DMA API maintains the caches at map, and SYNC after.
 *
 * Context: any.
 */
void dma_buf_constraints_from_device(struct dma_buf_constraints *c,
				     struct device *dev)
{
	if (!devres_find(dev, constraints_devres_release,
			 constraints_devres_read, c))
		constraints_derive(c, dev);
	if (use_dma_iommu(dev))
		constraints_translate(c);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_constraints_from_device, DMA_BUF);

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
 * and change a field. An IOMMU is accounted for later, so a driver need not
 * know whether there is one. Holds until the driver leaves the device or
 * calls this again. Attachments to a buffer that is placed late keep the
 * constraints they were made with.
 *
 * Context: may sleep; the driver doesn't call it twice at a time.
 *
 * Return: 0; -EINVAL when a field is no mask, no power of two, 0 where 0 means
 * nothing, when no segment could satisfy all fields, or for an unknown flag;
 * -ENOMEM.
 */
int devm_dma_buf_constraints_set(struct device *dev,
				 const struct dma_buf_constraints *c)
{
	struct dma_buf_constraints_devres *own;
	struct dma_buf_constraints copy = *c;

	/* Not the driver's to say, but there if it began with what we derive. */
	copy.flags &= ~DMA_BUF_CONSTRAINT_TRANSLATED;
	if (!constraints_valid(&copy))
		return -EINVAL;

	if (devres_find(dev, constraints_devres_release,
			constraints_devres_write, &copy))
		return 0;

	own = devres_alloc(constraints_devres_release, sizeof(*own), GFP_KERNEL);
	if (!own)
		return -ENOMEM;
	own->constraints = copy;
	devres_add(dev, own);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(devm_dma_buf_constraints_set, DMA_BUF);

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
EXPORT_SYMBOL_NS_GPL(dma_buf_constraints_merge, DMA_BUF);

/*
 * How long the segments of a long run can be: within the boundary and whole
 * multiples of pages, in which buffers are mapped. 0 when none can.
 */
static u64 constraints_piece(const struct dma_buf_constraints *c)
{
	const u64 unit = max_t(u64, c->length_align, PAGE_SIZE);
	/* As a mask, since a boundary of all ones plus one is 0. */
	const u64 most = min(c->max_segment_size - 1, c->segment_boundary);

	return (most + 1) & -unit;
}

/* How many segments a single run of @size bytes makes. */
static u64 constraints_pieces(const struct dma_buf_constraints *c, size_t size)
{
	const u64 piece = constraints_piece(c);

	/* A piece may be too long to add to anything. */
	return size && piece ? div64_u64(size - 1, piece) + 1 : 1;
}

/**
 * dma_buf_constraints_check_size - can a device take a buffer of a size at all?
 * @c: constraints of one device
 * @size: bytes
 * @conflict: filled in when it can't; may be NULL
 *
 * Context: any.
 *
 * Return: 0; -EBUSY when no storage of @size bytes would suit.
 */
int dma_buf_constraints_check_size(const struct dma_buf_constraints *c,
				   size_t size,
				   struct dma_buf_conflict *conflict)
{
	const u64 piece = constraints_piece(c);
	const u64 segments = constraints_pieces(c, size);

	if (!size)
		return 0;
	if (size - 1 > c->dma_mask)
		return constraints_refuse(conflict, DMA_BUF_FIELD_DMA_MASK,
					  c->dma_mask,
					  constraints_mask_of(size - 1));
	if (size & (c->length_align - 1))
		return constraints_refuse(conflict, DMA_BUF_FIELD_LENGTH_ALIGN,
					  c->length_align, size & -size);
	if (c->flags & DMA_BUF_CONSTRAINT_CONTIGUOUS &&
	    c->max_segment_size < size)
		return constraints_refuse(conflict,
					  DMA_BUF_FIELD_MAX_SEGMENT_SIZE,
					  c->max_segment_size, size);
	if (!piece && c->segment_boundary < c->max_segment_size)
		return constraints_refuse(conflict,
					  DMA_BUF_FIELD_SEGMENT_BOUNDARY,
					  c->segment_boundary, PAGE_SIZE - 1);
	if (!piece)
		return constraints_refuse(conflict,
					  DMA_BUF_FIELD_MAX_SEGMENT_SIZE,
					  c->max_segment_size, PAGE_SIZE);
	if (segments > c->max_segments)
		return constraints_refuse(conflict, DMA_BUF_FIELD_MAX_SEGMENTS,
					  c->max_segments, segments);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_constraints_check_size, DMA_BUF);

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
	u64 first, last, length, next = 0;
	unsigned int i, runs = 0;
	struct scatterlist *sg;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		length = sg_dma_len(sg);
		if (!length)
			continue;
		first = sg_dma_address(sg);
		last = first + length - 1;
		if (!runs || first != next)
			runs++;
		next = last + 1;

		if (last > c->dma_mask)
			return constraints_refuse(conflict,
						  DMA_BUF_FIELD_DMA_MASK,
						  c->dma_mask,
						  constraints_mask_of(last));
		if ((first ^ last) & ~c->segment_boundary)
			return constraints_refuse(conflict,
						  DMA_BUF_FIELD_SEGMENT_BOUNDARY,
						  c->segment_boundary,
						  constraints_mask_of(first ^ last));
		if (length > c->max_segment_size)
			return constraints_refuse(conflict,
						  DMA_BUF_FIELD_MAX_SEGMENT_SIZE,
						  c->max_segment_size, length);
		if (first & (c->alignment - 1))
			return constraints_refuse(conflict,
						  DMA_BUF_FIELD_ALIGNMENT,
						  c->alignment, first & -first);
		if (length & (c->length_align - 1))
			return constraints_refuse(conflict,
						  DMA_BUF_FIELD_LENGTH_ALIGN,
						  c->length_align,
						  length & -length);
	}

	if (sgt->nents > c->max_segments)
		return constraints_refuse(conflict, DMA_BUF_FIELD_MAX_SEGMENTS,
					  c->max_segments, sgt->nents);
	if (runs > 1 && c->flags & DMA_BUF_CONSTRAINT_CONTIGUOUS)
		return constraints_refuse(conflict, DMA_BUF_FIELD_CONTIGUOUS,
					  1, runs);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_constraints_check_table, DMA_BUF);

/**
 * dma_buf_constraints_of_storage - what a device needs of a buffer's storage
 * @c: constraints of one device that dma_buf_constraints_check_size() passes
 *	for @size; changed
 * @size: bytes
 *
 * A device counts the entries of its table, storage comes in runs. A table of
 * one run has as many entries as the run has pieces of at most the segment
 * size within the boundary, and each further run costs at most one entry more.
 * What is left of &dma_buf_constraints.max_segments may be spent on runs. One
 * run and DMA_BUF_CONSTRAINT_CONTIGUOUS are the same afterwards.
 *
 * Context: any.
 */
void dma_buf_constraints_of_storage(struct dma_buf_constraints *c, size_t size)
{
	const u64 pieces = constraints_pieces(c, size);

	if (c->max_segments != U32_MAX)
		c->max_segments -= min_t(u64, pieces, c->max_segments) - 1;

	if (c->flags & DMA_BUF_CONSTRAINT_CONTIGUOUS)
		c->max_segments = 1;
	else if (c->max_segments == 1)
		c->flags |= DMA_BUF_CONSTRAINT_CONTIGUOUS;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_constraints_of_storage, DMA_BUF);

/**
 * dma_buf_attachment_constraints - what the device of an attachment needs
 * @attach: attachment
 * @c: filled in
 *
 * For an exporter, in any of its operations. The table that it maps for
 * @attach is held against these, not against the merged ones. For a buffer
 * that is placed late they were taken before the exporter's attach and stay
 * what they were; for any other the device is asked now.
 *
 * Context: any.
 */
void dma_buf_attachment_constraints(const struct dma_buf_attachment *attach,
				    struct dma_buf_constraints *c)
{
	const struct dma_buf_constraints *own =
		to_dma_buf_attachment_object(attach)->constraints;

	if (own)
		*c = *own;
	else
		dma_buf_constraints_from_device(c, attach->dev);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_attachment_constraints, DMA_BUF);
