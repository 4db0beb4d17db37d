// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that suit constraints, from the kernel's own allocators. Most come from
 * the page allocator, by order and zone. CMA and ranges of movable pages serve
 * longer blocks, and masks for which there is no zone.
 *
 * Every page is charged to the active memory cgroup of the caller, whichever
 * allocator it comes from. Pages are returned one by one, so nothing records the
 * blocks. Only a block of CMA is returned as a whole. The process that touches a
 * buffer first may belong to another cgroup than the one that pays. So no
 * allocation of pages may call the OOM killer: each has __GFP_RETRY_MAYFAIL, which
 * alloc_contig_range() adds itself, or does not reclaim.
 */
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/highmem.h>
#include <linux/iommu-dma.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/memblock.h>
#include <linux/memcontrol.h>
#include <linux/memory_hotplug.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

#include <kunit/visibility.h>

#include "internal.h"

/* In pages: each block is aligned to this, and its length is a multiple of it. */
static unsigned long storage_align(const struct dma_buf_storage *st)
{
	const struct dma_buf_constraints *c = &st->wanted;

	return max3(c->alignment, c->length_align, (u32)PAGE_SIZE) >> PAGE_SHIFT;
}

/* The number of adjacent pages from @first on, at most @most. */
static unsigned long storage_run(const struct dma_buf_storage *st,
				 unsigned long first, unsigned long most)
{
	unsigned long pfn = page_to_pfn(st->pages[first]);
	unsigned long n = 1;

	/* All loops over the runs of a storage call this. */
	cond_resched();
	most = min(most, st->nr_pages - first);
	while (n < most && page_to_pfn(st->pages[first + n]) == pfn + n)
		n++;
	return n;
}

/*
 * The number of pages in the entry that starts at page @first. They are
 * adjacent, and end at the device's longest segment or next boundary. An IOMMU
 * does not split entries, so no entry may be longer than a segment there either.
 */
static unsigned long storage_entry(const struct dma_buf_storage *st, struct device *dev,
				   const struct dma_buf_constraints *c,
				   unsigned long first)
{
	const u64 size = (u64)st->nr_pages << PAGE_SHIFT;
	/* The length of an entry of a scatter list is limited, too. */
	const u64 most = clamp(dma_buf_constraints_piece(c, size), (u64)PAGE_SIZE, (u64)SZ_2G);
	u64 start, left;

	if (use_dma_iommu(dev)) {
		div64_u64_rem((u64)first << PAGE_SHIFT, most, &start);
		left = most - start - 1;
	} else {
		start = phys_to_dma(dev, page_to_phys(st->pages[first]));
		/* One less than the number of bytes, which can be 2^64. */
		left = c->segment_boundary - (start & c->segment_boundary);
	}
	return storage_run(st, first, (min(most - 1, left) + 1) >> PAGE_SHIFT);
}

/**
 * dma_buf_storage_suits - does storage suit constraints?
 * @st: storage
 * @c: constraints from dma_buf_get_constraints(); they count runs, since
 *	each device has a table of its own that cuts the runs
 * @conflict: out: why not
 *
 * A run that crosses a boundary and does not start on one may take one more
 * entry than its length says, so it counts as two.
 *
 * Context: may sleep; no lock needed.
 *
 * Return: true if it does.
 */
bool dma_buf_storage_suits(const struct dma_buf_storage *st, const struct dma_buf_constraints *c,
			   struct dma_buf_conflict *conflict)
{
	const u64 boundary = c->segment_boundary;
	unsigned long i, n, runs = 0, crossing = 0;
	struct dma_buf_constraints whole = *c;

	whole.segment_boundary = U64_MAX;
	whole.max_segment_size = U64_MAX;
	for (i = 0; i < st->nr_pages; i += n, runs++) {
		const u64 start = page_to_phys(st->pages[i]);
		u64 length;

		n = storage_run(st, i, st->nr_pages);
		length = (u64)n << PAGE_SHIFT;
		if (dma_buf_constraints_check_run(&whole, start, length, conflict))
			return false;
		if (start & boundary && (start ^ (start + length - 1)) & ~boundary)
			crossing++;
	}
	return !dma_buf_constraints_check_count(c, runs + crossing, runs, conflict);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_storage_suits);

/**
 * dma_buf_storage_table - make a scatter list for a device
 * @st: storage that suits the device
 * @dev: the device
 * @c: the device's constraints
 * @sgt: out: the list, to be freed with sg_free_table()
 *
 * Context: may sleep; no lock needed.
 *
 * Return: 0 or -ENOMEM.
 */
int dma_buf_storage_table(const struct dma_buf_storage *st, struct device *dev,
			  const struct dma_buf_constraints *c,
			  struct sg_table *sgt)
{
	unsigned long i, n, segments = 0;
	struct scatterlist *sg;
	int ret;

	for (i = 0; i < st->nr_pages; i += storage_entry(st, dev, c, i))
		segments++;

	ret = sg_alloc_table(sgt, segments, GFP_KERNEL);
	if (ret)
		return ret;

	sg = sgt->sgl;
	for (i = 0; i < st->nr_pages; i += n, sg = sg_next(sg)) {
		n = storage_entry(st, dev, c, i);
		sg_set_page(sg, st->pages[i], n << PAGE_SHIFT, 0);
	}
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_storage_table);

/* Checks where the block lies. Segments are checked at the end. */
static bool block_suits(const struct dma_buf_storage *st, struct page *page, unsigned long nr)
{
	return PFN_PHYS(page_to_pfn(page) + nr) - 1 <= st->wanted.dma_mask &&
	       IS_ALIGNED(page_to_pfn(page), storage_align(st));
}

/* The highest address of the machine's memory. */
#define STORAGE_TOP (PFN_PHYS(max_pfn) - 1)

/* From the highest to the lowest. */
static const gfp_t storage_zones[] = { __GFP_HIGHMEM, __GFP_DMA32, __GFP_DMA };

/**
 * dma_buf_storage_zone - the first zone to try for pages below a mask
 * @dma_mask: the mask
 * @top: highest address of the machine's memory
 *
 * No zone ends between the end of DMA32 and the end of memory, and the zones
 * below may be empty. So for a mask in between, the highest zone is tried
 * first: some of its pages are low enough.
 *
 * Return: 0 for the highest, 1 for DMA32.
 */
unsigned int dma_buf_storage_zone(u64 dma_mask, u64 top)
{
	return dma_mask < top && dma_mask <= DMA_BIT_MASK(32);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_storage_zone);

static struct page *block_of_zone(const struct dma_buf_storage *st,
				  unsigned long nr, unsigned int order, gfp_t gfp)
{
	struct page *page = alloc_pages(gfp, order);
	unsigned long i;

	if (!page)
		return NULL;
	if (!block_suits(st, page, nr)) {
		__free_pages(page, order);
		return NULL;
	}

	split_page(page, order);
	for (i = nr; i < 1ul << order; i++)
		__free_page(page + i);
	return page;
}

/* Takes a block of the page allocator: a power of two, aligned to its size. */
static struct page *block_buddy(const struct dma_buf_storage *st, unsigned long nr, bool insist)
{
	const unsigned int order = order_base_2(max(nr, storage_align(st)));
	gfp_t gfp = GFP_USER | __GFP_ACCOUNT | __GFP_ZERO | __GFP_NOWARN;
	struct page *page = NULL;
	unsigned int i;

	if (order > MAX_PAGE_ORDER)
		return NULL;

	/* Waits for reclaim only if smaller blocks are not possible (@insist). */
	if (insist)
		gfp |= __GFP_RETRY_MAYFAIL;
	else
		gfp = (gfp | __GFP_NORETRY) & ~__GFP_DIRECT_RECLAIM;

	i = dma_buf_storage_zone(st->wanted.dma_mask, STORAGE_TOP);
	for (; i < ARRAY_SIZE(storage_zones) && !page; i++)
		page = block_of_zone(st, nr, order, gfp | storage_zones[i]);
	return page;
}

/* Clears and charges pages of an allocator that does neither. */
static int block_finish(struct page *page, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (memcg_kmem_charge_page(page + i, GFP_KERNEL |
					   __GFP_RETRY_MAYFAIL | __GFP_NOWARN, 0))
			return -ENOMEM;
		clear_highpage(page + i);
		cond_resched();
	}
	return 0;
}

#ifdef CONFIG_CONTIG_ALLOC
/* Might the range be emptied? alloc_contig_range() finds out for certain. */
static bool range_movable(struct zone *zone, unsigned long pfn, unsigned long nr)
{
	struct page *page;

	for (; nr; nr--, pfn++) {
		page = pfn_to_online_page(pfn);
		if (!page || page_zone(page) != zone || PageReserved(page) ||
		    PageSlab(page) || PageHuge(page) || is_migrate_cma_page(page))
			return false;
	}
	return true;
}

/*
 * Returns the highest free or emptied range below @top, cleared and charged.
 * alloc_contig_range() refuses a pageblock for one page that can't be moved. So
 * when it fails, no other range of the block is tried. After 64 failures it is
 * not likely that one succeeds, and each may have moved pages for nothing.
 */
static struct page *block_below(struct zone *zone, unsigned long top,
				unsigned long nr, unsigned long align)
{
	unsigned long pfn = round_down(top, align);
	unsigned int tries = 64;

	while (tries && pfn >= zone->zone_start_pfn + align && !fatal_signal_pending(current)) {
		cond_resched();
		pfn -= align;
		if (!range_movable(zone, pfn, nr))
			continue;
		tries--;
		if (alloc_contig_range(pfn, pfn + nr, ACR_FLAGS_NONE, GFP_KERNEL | __GFP_NOWARN)) {
			pfn = pageblock_start_pfn(pfn);
			continue;
		}

		if (!block_finish(pfn_to_page(pfn), nr))
			return pfn_to_page(pfn);
		free_contig_range(pfn, nr);
		return NULL;
	}
	return NULL;
}

/*
 * For blocks longer than the highest order, and masks for which there is no
 * zone: takes a range below the mask and has its pages moved away. High zones and
 * high ranges are tried first, because some devices reach only low ones. Pages
 * with long-term pins must not lie in ZONE_MOVABLE.
 */
static struct page *block_range(const struct dma_buf_storage *st, unsigned long nr)
{
	const unsigned long align = max(roundup_pow_of_two(nr), storage_align(st));
	const u64 most = (st->wanted.dma_mask >> PAGE_SHIFT) + 1;
	struct page *page = NULL;
	struct zoneref *z;
	struct zone *zone;

	for_each_zone_zonelist(zone, z, node_zonelist(numa_mem_id(), GFP_KERNEL), ZONE_NORMAL)
		page = page ?: block_below(zone, min(zone_end_pfn(zone), most), nr, align);
	return page;
}
#else
static struct page *block_range(const struct dma_buf_storage *st, unsigned long nr)
{
	return NULL;
}
#endif

static struct page *block_alloc(const struct dma_buf_storage *st, unsigned long nr, bool insist)
{
	/* There may be no free page below such a mask, but a range can be emptied. */
	const bool low = st->wanted.dma_mask < STORAGE_TOP;
	struct page *page = block_buddy(st, nr, insist);

	if (!page && (low || (insist && nr > 1)))
		page = block_range(st, nr);
	return page;
}

/* Takes all pages as one block of the common CMA area. */
static bool storage_fill_cma(struct dma_buf_storage *st)
{
	const unsigned int order = order_base_2(st->nr_pages);
	struct page *page;
	unsigned long i;

	page = dma_alloc_from_contiguous(NULL, st->nr_pages, order, true);
	if (!page)
		return false;

	for (i = 0; i < st->nr_pages; i++)
		st->pages[i] = page + i;
	/* CMA aligns less strictly than the page allocator. */
	if (dma_buf_storage_suits(st, &st->wanted, NULL) && !block_finish(page, st->nr_pages))
		st->cma = page;
	else
		dma_release_from_contiguous(NULL, page, st->nr_pages);
	return st->cma;
}

static void storage_empty(struct dma_buf_storage *st, unsigned long filled)
{
	if (st->cma) {
		dma_release_from_contiguous(NULL, st->cma, st->nr_pages);
		st->cma = NULL;
		return;
	}

	while (filled--) {
		__free_page(st->pages[filled]);
		cond_resched();
	}
}

/*
 * Fills the storage with blocks of @most pages. If there is no such block,
 * halves the length, down to @least. The page allocator may wait for reclaim only
 * when it is asked for @least pages. block_range() may wait for any length.
 */
static int storage_fill(struct dma_buf_storage *st, unsigned long least, unsigned long most)
{
	unsigned long filled = 0, nr;
	struct page *page;

	while (filled < st->nr_pages && !fatal_signal_pending(current)) {
		nr = min(most, st->nr_pages - filled);
		/* A block is no longer than what is left, unless it has @least pages. */
		if (most > least && most > nr) {
			most = max(least, rounddown_pow_of_two(nr));
			continue;
		}
		page = block_alloc(st, nr, most == least);
		if (!page && most == least)
			break;
		if (!page)
			most = max(least, rounddown_pow_of_two(most - 1));
		while (page && nr--)
			st->pages[filled++] = page++;
		cond_resched();
	}
	if (filled == st->nr_pages)
		return 0;

	storage_empty(st, filled);
	return fatal_signal_pending(current) ? -EINTR : -ENOMEM;
}

/* On success @st has pages that suit; on failure it has none. */
static int storage_try(struct dma_buf_storage *st, unsigned long least,
		       unsigned long most, struct dma_buf_conflict *conflict)
{
	int ret = 0;

	if (least < st->nr_pages || least <= MAX_ORDER_NR_PAGES || !storage_fill_cma(st))
		ret = storage_fill(st, least, most);
	if (ret || dma_buf_storage_suits(st, &st->wanted, conflict))
		return ret;

	storage_empty(st, st->nr_pages);
	return -EBUSY;
}

/*
 * Takes one block if that is needed. Otherwise tries large blocks. If they form
 * too many runs, tries blocks so long that their number is allowed.
 */
static int storage_place(struct dma_buf_storage *st, struct dma_buf_conflict *conflict)
{
	const struct dma_buf_conflict none = { DMA_BUF_FIELD_CONTIGUOUS, 1, 0 };
	const u32 segments = st->wanted.max_segments;
	unsigned long least = storage_align(st);
	int ret;

	if (segments == 1 || st->wanted.flags & DMA_BUF_CONSTRAINT_CONTIGUOUS) {
		ret = storage_try(st, st->nr_pages, st->nr_pages, conflict);
		if (ret && ret != -EINTR && !conflict->field)
			*conflict = none;
		return ret;
	}

	ret = storage_try(st, least, max(least, MAX_ORDER_NR_PAGES), conflict);
	if (ret != -EBUSY || conflict->field != DMA_BUF_FIELD_MAX_SEGMENTS)
		return ret;

	least = roundup(DIV_ROUND_UP(st->nr_pages, segments), least);
	return storage_try(st, least, least, conflict);
}

/**
 * dma_buf_storage_alloc - allocate pages that suit constraints
 * @c: constraints from dma_buf_get_constraints()
 * @size: bytes, a multiple of PAGE_SIZE
 * @conflict: out: the constraint that could not be met; DMA_BUF_FIELD_NONE
 *	on success. With -ENOMEM or -EINTR it may be set or not
 *
 * The pages are zeroed and charged to the active memory cgroup.
 *
 * Context: process context, may sleep.
 *
 * Return: the storage for dma_buf_storage_put(), or ERR_PTR: -EBUSY when no
 * storage of this size can meet the constraints, or none was found; -ENOMEM;
 * -EINTR after a fatal signal.
 */
struct dma_buf_storage *
dma_buf_storage_alloc(const struct dma_buf_constraints *c, size_t size,
		      struct dma_buf_conflict *conflict)
{
	const struct dma_buf_conflict too_long = {
		DMA_BUF_FIELD_DMA_MASK, c->dma_mask, dma_buf_mask_of(size - 1),
	};
	struct dma_buf_storage *st;
	int ret;

	*conflict = (struct dma_buf_conflict) { };
	if (size - 1 > c->dma_mask)
		return ERR_PTR(dma_buf_conflict_set(conflict, too_long));

	st = kvzalloc(struct_size(st, pages, size >> PAGE_SHIFT),
		      GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
	if (!st)
		return ERR_PTR(-ENOMEM);

	kref_init(&st->refs);
	st->nr_pages = size >> PAGE_SHIFT;
	st->wanted = *c;
	ret = storage_place(st, conflict);
	if (ret) {
		kvfree(st);
		return ERR_PTR(ret);
	}

	*conflict = (struct dma_buf_conflict) { };
	return st;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_storage_alloc);

static void storage_release(struct kref *refs)
{
	struct dma_buf_storage *st = container_of(refs, struct dma_buf_storage, refs);

	storage_empty(st, st->nr_pages);
	kvfree(st);
}

/**
 * dma_buf_storage_put - drop a reference
 * @st: storage
 *
 * Context: may sleep.
 */
void dma_buf_storage_put(struct dma_buf_storage *st)
{
	kref_put(&st->refs, storage_release);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_storage_put);

/**
 * dma_buf_storage_describe - tell user space about the storage
 * @st: storage
 * @info: out; all zeroes before, except size and exporter
 *
 * Context: may sleep; no lock needed.
 */
void dma_buf_storage_describe(const struct dma_buf_storage *st, struct dma_buf_storage_info *info)
{
	unsigned long i, n;

	for (i = 0; i < st->nr_pages; i += n) {
		n = storage_run(st, i, st->nr_pages);
		info->segments++;
		info->largest = max(info->largest, (u64)n << PAGE_SHIFT);
		info->reach |= dma_buf_mask_of(page_to_phys(st->pages[i]) + (n << PAGE_SHIFT) - 1);
	}

	info->flags |= DMA_BUF_STORAGE_PLACED;
	if (info->segments == 1)
		info->flags |= DMA_BUF_STORAGE_CONTIGUOUS;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_storage_describe);
