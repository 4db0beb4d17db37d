// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that suit constraints, from the kernel's own allocators: the page
 * allocator by order and zone, CMA and ranges of movable pages for what is
 * longer or lower than that one gives.
 *
 * Every page is charged to the active memory cgroup of the caller, whichever
 * allocator it comes from, and is returned page by page, so that blocks need
 * no memory of their own. No allocation ends in the OOM killer.
 */
#include <linux/dma-map-ops.h>
#include <linux/highmem.h>
#include <linux/log2.h>
#include <linux/memblock.h>
#include <linux/memcontrol.h>
#include <linux/memory_hotplug.h>
#include <linux/sched/signal.h>

#include <kunit/visibility.h>

#include "../core/internal.h"
#include "storage.h"

static u64 dma_buf_storage_align(const struct dma_buf_constraints *c)
{
	return max3((u64)c->alignment, (u64)c->length_align, (u64)PAGE_SIZE);
}

/* The longest segment that the device takes and a scatter list can hold. */
static u64 dma_buf_storage_max_segment(const struct dma_buf_constraints *c)
{
	u64 bytes = min_t(u64, c->max_segment_size, UINT_MAX);

	return round_down(bytes, dma_buf_storage_align(c));
}

static void dma_buf_storage_blame(struct dma_buf_conflict *conflict, u32 field,
				  u64 wanted, u64 found)
{
	*conflict = (struct dma_buf_conflict) {
		.field = field, .wanted = wanted, .found = found,
	};
}

/* Number of adjacent pages from @first on, @most at most. */
static unsigned long dma_buf_storage_run(const struct dma_buf_storage *st,
					 unsigned long first, unsigned long most)
{
	unsigned long pfn = page_to_pfn(st->pages[first]);
	unsigned long n = 1;

	most = min(most, st->nr_pages - first);
	while (n < most && page_to_pfn(st->pages[first + n]) == pfn + n)
		n++;
	return n;
}

/*
 * Number of pages of the segment that starts at page @first: adjacent ones, up
 * to the device's longest segment and to its next boundary.
 */
static unsigned long dma_buf_storage_segment(const struct dma_buf_storage *st,
					     const struct dma_buf_constraints *c,
					     unsigned long first)
{
	u64 start = page_to_phys(st->pages[first]);
	/* One less than the bytes up to the boundary, which can be 2^64. */
	u64 left = c->segment_boundary - (start & c->segment_boundary);
	u64 bytes = min(dma_buf_storage_max_segment(c) - 1, left) + 1;

	return dma_buf_storage_run(st, first, bytes >> PAGE_SHIFT);
}

/* The smallest mask that covers @address: no address is told. */
static u64 dma_buf_storage_mask_of(u64 address)
{
	return address ? GENMASK_ULL(fls64(address) - 1, 0) : 0;
}

/**
 * dma_buf_storage_suits - is the storage what devices need?
 * @st: storage
 * @c: constraints as of dma_buf_get_constraints(), which count runs: each
 *	device has a table of its own that cuts them
 * @conflict: why not
 *
 * Context: any; no lock needed.
 *
 * Return: whether it is.
 */
bool dma_buf_storage_suits(const struct dma_buf_storage *st,
			   const struct dma_buf_constraints *c,
			   struct dma_buf_conflict *conflict)
{
	unsigned long i, n, runs = 0;

	for (i = 0; i < st->nr_pages; i += n, runs++) {
		const u64 start = page_to_phys(st->pages[i]);
		u64 length, last;

		n = dma_buf_storage_run(st, i, st->nr_pages);
		length = (u64)n << PAGE_SHIFT;
		last = start + length - 1;

		if (last > c->dma_mask) {
			dma_buf_storage_blame(conflict, DMA_BUF_FIELD_DMA_MASK,
					      c->dma_mask,
					      dma_buf_storage_mask_of(last));
			return false;
		}
		if (!IS_ALIGNED(start, c->alignment)) {
			dma_buf_storage_blame(conflict, DMA_BUF_FIELD_ALIGNMENT,
					      c->alignment, start & -start);
			return false;
		}
		if (!IS_ALIGNED(length, c->length_align)) {
			dma_buf_storage_blame(conflict, DMA_BUF_FIELD_LENGTH_ALIGN,
					      c->length_align, length & -length);
			return false;
		}
	}

	if (runs > 1 && (c->flags & DMA_BUF_CONSTRAINT_CONTIGUOUS)) {
		dma_buf_storage_blame(conflict, DMA_BUF_FIELD_CONTIGUOUS, 1, runs);
		return false;
	}
	if (runs > c->max_segments) {
		dma_buf_storage_blame(conflict, DMA_BUF_FIELD_MAX_SEGMENTS,
				      c->max_segments, runs);
		return false;
	}
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_storage_suits);

/**
 * dma_buf_storage_table - scatter list for a device
 * @st: storage that suits @c
 * @c: constraints of the device
 * @sgt: where to make it; freed with sg_free_table()
 *
 * Context: may sleep; no lock needed.
 *
 * Return: 0 or -ENOMEM.
 */
int dma_buf_storage_table(const struct dma_buf_storage *st,
			  const struct dma_buf_constraints *c,
			  struct sg_table *sgt)
{
	unsigned long i, n, segments = 0;
	struct scatterlist *sg;
	int ret;

	for (i = 0; i < st->nr_pages; i += dma_buf_storage_segment(st, c, i))
		segments++;

	ret = sg_alloc_table(sgt, segments, GFP_KERNEL);
	if (ret)
		return ret;

	sg = sgt->sgl;
	for (i = 0; i < st->nr_pages; i += n, sg = sg_next(sg)) {
		n = dma_buf_storage_segment(st, c, i);
		sg_set_page(sg, st->pages[i], n << PAGE_SHIFT, 0);
	}
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_storage_table);

/* Where the whole block has to lie; segments are looked at in the end. */
static bool dma_buf_block_suits(const struct dma_buf_constraints *c,
				struct page *page, unsigned long nr)
{
	u64 start = page_to_phys(page);

	return start + ((u64)nr << PAGE_SHIFT) - 1 <= c->dma_mask &&
	       IS_ALIGNED(start, dma_buf_storage_align(c));
}

/*
 * The page allocator gives powers of two that are aligned to their size. Where
 * the mask lies below a zone's end it may still be lucky; the next lower zone
 * comes after.
 */
static struct page *dma_buf_block_buddy(const struct dma_buf_constraints *c,
					unsigned long nr, bool insist)
{
	const unsigned int order = max(get_order((u64)nr << PAGE_SHIFT),
				       get_order(dma_buf_storage_align(c)));
	gfp_t gfp = GFP_USER | __GFP_ACCOUNT | __GFP_ZERO | __GFP_NOWARN;
	gfp_t zones[3];
	unsigned long i;
	struct page *page;
	int n = 0, z;

	if (order > MAX_PAGE_ORDER)
		return NULL;

	/* Who can do with less doesn't have memory reclaimed for it. */
	if (insist)
		gfp |= __GFP_RETRY_MAYFAIL;
	else
		gfp = (gfp | __GFP_NORETRY) & ~__GFP_DIRECT_RECLAIM;

	if (c->dma_mask >= PFN_PHYS(max_pfn) - 1) {
		zones[n++] = __GFP_HIGHMEM;
	} else {
		zones[n++] = __GFP_DMA32;
		if (c->dma_mask < DMA_BIT_MASK(32))
			zones[n++] = __GFP_DMA;
	}

	for (z = 0; z < n; z++) {
		page = alloc_pages(gfp | zones[z], order);
		if (!page)
			continue;
		if (!dma_buf_block_suits(c, page, nr)) {
			__free_pages(page, order);
			continue;
		}
		split_page(page, order);
		for (i = nr; i < 1ul << order; i++)
			__free_page(page + i);
		return page;
	}
	return NULL;
}

/* Pages that no flag made clean and charged. */
static int dma_buf_block_finish(struct page *page, unsigned long nr)
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
/* Has the range a chance? Whether its pages really move, the caller sees. */
static bool dma_buf_range_movable(struct zone *zone, unsigned long pfn,
				  unsigned long nr)
{
	unsigned long end = pfn + nr;
	struct page *page;

	for (; pfn < end; pfn++) {
		page = pfn_to_online_page(pfn);
		if (!page || page_zone(page) != zone)
			return false;
		if (PageReserved(page) || PageSlab(page) || PageHuge(page))
			return false;
	}
	return true;
}

/*
 * For what the page allocator has no order or no zone for: take a range that
 * the mask covers and have what is in it moved away. High ranges first, low
 * ones are what others have nothing instead of.
 */
static struct page *dma_buf_block_range(const struct dma_buf_constraints *c,
					unsigned long nr)
{
	const unsigned long align = max_t(unsigned long, roundup_pow_of_two(nr),
					  dma_buf_storage_align(c) >> PAGE_SHIFT);
	struct zone *zone;
	struct page *page;

	for_each_populated_zone(zone) {
		u64 top = min_t(u64, zone_end_pfn(zone),
				(c->dma_mask >> PAGE_SHIFT) + 1);
		unsigned long pfn = round_down(top, align);

		/* Longterm users must not pin what is kept movable. */
		if (zone_idx(zone) >= ZONE_MOVABLE)
			continue;

		while (pfn >= zone->zone_start_pfn + align) {
			pfn -= align;
			if (fatal_signal_pending(current))
				return NULL;
			if (!dma_buf_range_movable(zone, pfn, nr) ||
			    alloc_contig_range(pfn, pfn + nr, MIGRATE_MOVABLE,
					       GFP_KERNEL | __GFP_NOWARN))
				continue;

			page = pfn_to_page(pfn);
			if (!dma_buf_block_finish(page, nr))
				return page;
			free_contig_range(pfn, nr);
			return NULL;
		}
	}
	return NULL;
}
#else
static struct page *dma_buf_block_range(const struct dma_buf_constraints *c,
					unsigned long nr)
{
	return NULL;
}
#endif

/* What a block has to be aligned to, if it is to be cut at few boundaries. */
static u64 dma_buf_storage_boundary(const struct dma_buf_storage *st,
				    const struct dma_buf_constraints *c)
{
	const u64 size = (u64)st->nr_pages << PAGE_SHIFT;

	return c->segment_boundary < size - 1 ? c->segment_boundary + 1 :
	       c->segment_boundary == U64_MAX ? PAGE_SIZE :
						roundup_pow_of_two(size);
}

/* All of it as one block of the common CMA area. */
static int dma_buf_storage_fill_cma(struct dma_buf_storage *st,
				    const struct dma_buf_constraints *c)
{
	struct page *page;
	unsigned long i;

	page = dma_alloc_from_contiguous(NULL, st->nr_pages,
					 get_order((u64)st->nr_pages << PAGE_SHIFT),
					 true);
	if (!page)
		return -ENOMEM;

	/* CMA aligns less than the others: the boundary could cost an entry. */
	if (!dma_buf_block_suits(c, page, st->nr_pages) ||
	    !IS_ALIGNED(page_to_phys(page), dma_buf_storage_boundary(st, c)) ||
	    dma_buf_block_finish(page, st->nr_pages)) {
		dma_release_from_contiguous(NULL, page, st->nr_pages);
		return -ENOMEM;
	}

	for (i = 0; i < st->nr_pages; i++)
		st->pages[i] = page + i;
	st->cma = page;
	return 0;
}

static void dma_buf_storage_empty(struct dma_buf_storage *st, unsigned long filled)
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
 * Fill with blocks of @most pages, then of half as many where there are none,
 * but of @least. Only the smallest may take long.
 */
static int dma_buf_storage_fill(struct dma_buf_storage *st,
				const struct dma_buf_constraints *c,
				unsigned long least, unsigned long most)
{
	/* There is no zone for such a mask, but ranges. */
	const bool low = c->dma_mask < DMA_BIT_MASK(32);
	unsigned long filled = 0, nr, i;
	struct page *page;
	int ret;

	while (filled < st->nr_pages) {
		const unsigned long rest = st->nr_pages - filled;
		bool insist;

		ret = -EINTR;
		if (fatal_signal_pending(current))
			goto err_empty;

		while (most > least && most > rest)
			most = max(least, rounddown_pow_of_two(most - 1));
		insist = most == least;
		nr = min(most, rest);

		page = dma_buf_block_buddy(c, nr, insist);
		if (!page && (low || (insist && nr > 1)))
			page = dma_buf_block_range(c, nr);
		if (!page) {
			ret = -ENOMEM;
			if (insist)
				goto err_empty;
			most = max(least, rounddown_pow_of_two(most - 1));
			continue;
		}

		for (i = 0; i < nr; i++)
			st->pages[filled++] = page + i;
		cond_resched();
	}
	return 0;

err_empty:
	dma_buf_storage_empty(st, filled);
	return ret;
}

/* One segment: a block of the page allocator, else of CMA, else a range. */
static int dma_buf_storage_fill_whole(struct dma_buf_storage *st,
				      const struct dma_buf_constraints *c)
{
	if (st->nr_pages > MAX_ORDER_NR_PAGES && !dma_buf_storage_fill_cma(st, c))
		return 0;

	return dma_buf_storage_fill(st, c, st->nr_pages, st->nr_pages);
}

/* Large blocks, as long as there are some. */
static int dma_buf_storage_fill_large(struct dma_buf_storage *st,
				      const struct dma_buf_constraints *c)
{
	const unsigned long least = dma_buf_storage_align(c) >> PAGE_SHIFT;

	return dma_buf_storage_fill(st, c, least,
				    max_t(unsigned long, least, MAX_ORDER_NR_PAGES));
}

/* As many blocks as there may be runs. */
static int dma_buf_storage_fill_few(struct dma_buf_storage *st,
				    const struct dma_buf_constraints *c)
{
	const unsigned long align = dma_buf_storage_align(c) >> PAGE_SHIFT;
	unsigned long nr = roundup(DIV_ROUND_UP(st->nr_pages, c->max_segments),
				   align);

	return dma_buf_storage_fill(st, c, nr, nr);
}

/* What is left is @st with its pages, or nothing. */
static int dma_buf_storage_place(struct dma_buf_storage *st,
				 const struct dma_buf_constraints *c,
				 struct dma_buf_conflict *conflict)
{
	const bool one = c->max_segments == 1 ||
			 (c->flags & DMA_BUF_CONSTRAINT_CONTIGUOUS);
	int ret;

	if (one || (c->flags & DMA_BUF_CONSTRAINT_CONTIGUOUS_PREFERRED)) {
		ret = dma_buf_storage_fill_whole(st, c);
		if (!ret && dma_buf_storage_suits(st, c, conflict))
			return 0;
		if (!ret)
			dma_buf_storage_empty(st, st->nr_pages);
		if (ret == -EINTR)
			return ret;
	}
	if (one) {
		if (!conflict->field)
			dma_buf_storage_blame(conflict, DMA_BUF_FIELD_CONTIGUOUS,
					      1, 0);
		return ret ?: -EBUSY;
	}

	ret = dma_buf_storage_fill_large(st, c);
	if (ret)
		return ret;
	if (dma_buf_storage_suits(st, c, conflict))
		return 0;
	dma_buf_storage_empty(st, st->nr_pages);
	if (conflict->field != DMA_BUF_FIELD_MAX_SEGMENTS)
		return -EBUSY;

	ret = dma_buf_storage_fill_few(st, c);
	if (ret)
		return ret;
	if (dma_buf_storage_suits(st, c, conflict))
		return 0;
	dma_buf_storage_empty(st, st->nr_pages);
	return -EBUSY;
}

/**
 * dma_buf_storage_alloc - allocate pages that suit constraints
 * @c: constraints as of dma_buf_get_constraints(), of which
 *	DMA_BUF_CONSTRAINT_CONTIGUOUS_PREFERRED is tried and not insisted on
 * @size: bytes, a multiple of PAGE_SIZE
 * @conflict: cleared; says on failure which constraint could not be met, with
 *	field DMA_BUF_FIELD_NONE for want of memory
 *
 * The pages are zeroed and charged to the active memory cgroup.
 *
 * Context: process context, may sleep.
 *
 * Return: the storage for dma_buf_storage_put(), or ERR_PTR: -EBUSY when no
 * storage of this size can meet the constraints or none was found; -ENOMEM;
 * -EINTR after a fatal signal.
 */
struct dma_buf_storage *
dma_buf_storage_alloc(const struct dma_buf_constraints *c, size_t size,
		      struct dma_buf_conflict *conflict)
{
	struct dma_buf_storage *st;
	int ret;

	*conflict = (struct dma_buf_conflict) { };
	if (size - 1 > c->dma_mask) {
		dma_buf_storage_blame(conflict, DMA_BUF_FIELD_DMA_MASK, c->dma_mask,
				      dma_buf_storage_mask_of(size - 1));
		return ERR_PTR(-EBUSY);
	}

	st = kzalloc(sizeof(*st), GFP_KERNEL_ACCOUNT);
	if (!st)
		return ERR_PTR(-ENOMEM);

	kref_init(&st->refs);
	st->nr_pages = size >> PAGE_SHIFT;
	st->wanted = c->flags;
	st->pages = kvmalloc_array(st->nr_pages, sizeof(*st->pages),
				   GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!st->pages) {
		ret = -ENOMEM;
		goto err_free;
	}

	ret = dma_buf_storage_place(st, c, conflict);
	if (ret)
		goto err_pages;

	*conflict = (struct dma_buf_conflict) { };
	return st;

err_pages:
	kvfree(st->pages);
err_free:
	kfree(st);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_storage_alloc);

static void dma_buf_storage_release(struct kref *refs)
{
	struct dma_buf_storage *st = container_of(refs, struct dma_buf_storage,
						  refs);

	dma_buf_storage_empty(st, st->nr_pages);
	kvfree(st->pages);
	kfree(st);
}

/**
 * dma_buf_storage_put - drop a reference
 * @st: storage
 *
 * Context: may sleep.
 */
void dma_buf_storage_put(struct dma_buf_storage *st)
{
	kref_put(&st->refs, dma_buf_storage_release);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_storage_put);

/**
 * dma_buf_storage_copy - copy the content
 * @to: storage of the same size, which nobody uses yet
 * @from: storage that nobody writes
 *
 * Context: may sleep; no lock needed.
 */
void dma_buf_storage_copy(struct dma_buf_storage *to,
			  const struct dma_buf_storage *from)
{
	unsigned long i;

	for (i = 0; i < to->nr_pages; i++) {
		copy_highpage(to->pages[i], from->pages[i]);
		cond_resched();
	}
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_storage_copy);

/**
 * dma_buf_storage_describe - what user space may know of the storage
 * @st: storage
 * @info: where to add it; flags are added to those that are there
 *
 * Context: any; no lock needed.
 */
void dma_buf_storage_describe(const struct dma_buf_storage *st,
			      struct dma_buf_storage_info *info)
{
	static const u32 zones[] = {
#ifdef CONFIG_ZONE_DMA
		[ZONE_DMA] = DMA_BUF_ZONE_DMA,
#endif
#ifdef CONFIG_ZONE_DMA32
		[ZONE_DMA32] = DMA_BUF_ZONE_DMA32,
#endif
		[ZONE_NORMAL] = DMA_BUF_ZONE_NORMAL,
	};
	unsigned long i, n;

	info->zone = DMA_BUF_ZONE_NONE;
	info->segments = 0;
	info->largest = 0;
	for (i = 0; i < st->nr_pages; i += n) {
		u32 zone = min_t(u32, page_zonenum(st->pages[i]), ZONE_NORMAL);

		n = dma_buf_storage_run(st, i, st->nr_pages);
		info->segments++;
		info->largest = max(info->largest, (u64)n << PAGE_SHIFT);
		info->zone = max(info->zone, zones[zone]);
	}
	if (st->cma)
		info->zone = DMA_BUF_ZONE_CMA;

	info->size = (u64)st->nr_pages << PAGE_SHIFT;
	info->flags |= DMA_BUF_STORAGE_PLACED;
	if (info->segments == 1)
		info->flags |= DMA_BUF_STORAGE_CONTIGUOUS;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_storage_describe);
