// SPDX-License-Identifier: GPL-2.0
/*
 * Storage for constraints: where its pages lie, that they are zeroed, and the
 * tables that are made of it.
 */
#include <kunit/visibility.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "../negotiate/internal.h"
#include "prime_test.h"

static void storage_end(void *data)
{
	dma_buf_storage_put(data);
}

static struct dma_buf_storage *storage_alloc(struct kunit *test,
					     const struct dma_buf_constraints *c, size_t size)
{
	struct dma_buf_conflict conflict;
	struct dma_buf_storage *st = dma_buf_storage_alloc(c, size, &conflict);

	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(st), "%pe, field %u", st, conflict.field);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, storage_end, st), 0);
	KUNIT_EXPECT_EQ(test, st->nr_pages, size >> PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, conflict.field, DMA_BUF_FIELD_NONE);
	return st;
}

/* A walk of its own: runs, and whether each is within the constraints. */
static unsigned long count_runs(struct kunit *test, const struct dma_buf_storage *st,
				const struct dma_buf_constraints *c)
{
	unsigned long i, runs = 0, length = 0;

	for (i = 0; i < st->nr_pages; i++) {
		phys_addr_t at = page_to_phys(st->pages[i]);

		KUNIT_EXPECT_LE(test, at + PAGE_SIZE - 1, c->dma_mask);
		if (i && at == page_to_phys(st->pages[i - 1]) + PAGE_SIZE) {
			length += PAGE_SIZE;
			continue;
		}
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED(at, c->alignment));
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED(length, c->length_align));
		length = PAGE_SIZE;
		runs++;
	}
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED(length, c->length_align));
	return runs;
}

struct place_case {
	const char *name;
	size_t size;
	unsigned int bits;
	u32 runs;
	u32 alignment;
	u32 length_align;
	u32 flags;
};

static const struct place_case place_cases[] = {
	{ "anything", SZ_1M + PAGE_SIZE, 64, U32_MAX, 1, 1, 0 },
	{ "one_page", PAGE_SIZE, 64, U32_MAX, 1, 1, 0 },
	{ "32_bits", SZ_1M, 32, U32_MAX, 1, 1, 0 },
	{ "28_bits", SZ_4M + 3 * PAGE_SIZE, 28, U32_MAX, 1, 1, 0 },
	{ "24_bits", SZ_64K, 24, U32_MAX, 1, 1, 0 },
	{ "contiguous", SZ_64K + PAGE_SIZE, 64, 1, 1, 1, DMA_BUF_CONSTRAINT_CONTIGUOUS },
	{ "contiguous_beyond_the_largest_order", 6 * SZ_1M, 64, 1, 1, 1,
	  DMA_BUF_CONSTRAINT_CONTIGUOUS },
	{ "contiguous_28_bits", SZ_1M, 28, 1, 1, 1, DMA_BUF_CONSTRAINT_CONTIGUOUS },
	{ "contiguous_beyond_the_largest_order_28_bits", 6 * SZ_1M, 28, 1, 1, 1,
	  DMA_BUF_CONSTRAINT_CONTIGUOUS },
	{ "three_runs", SZ_1M, 64, 3, 1, 1, 0 },
	{ "three_runs_beyond_the_largest_order", 15 * SZ_1M, 64, 3, 1, 1, 0 },
	{ "starts_aligned", SZ_1M, 64, U32_MAX, SZ_64K, 1, 0 },
	{ "lengths_aligned", SZ_1M, 64, U32_MAX, 1, SZ_16K, 0 },
	{ "start_of_less_than_its_alignment", 3 * PAGE_SIZE, 64, U32_MAX, SZ_64K, 1, 0 },
	{ "33_bits", SZ_1M, 33, U32_MAX, 1, 1, 0 },
	{ "all_at_once", SZ_1M, 28, 2, SZ_64K, SZ_64K, 0 },
};

KUNIT_ARRAY_PARAM_DESC(place, place_cases, name);

/* Storage is where the constraints want it, and the check agrees. */
static void placed(struct kunit *test)
{
	const struct place_case *p = test->param_value;
	struct dma_buf_storage_info info = { };
	struct dma_buf_conflict conflict;
	struct dma_buf_constraints c;
	struct dma_buf_storage *st;
	unsigned long runs;

	dma_buf_constraints_init(&c);
	c.dma_mask = prime_test_low_mask(p->bits);
	c.max_segments = p->runs;
	c.alignment = p->alignment;
	c.length_align = p->length_align;
	c.flags = p->flags;

	st = storage_alloc(test, &c, p->size);
	runs = count_runs(test, st, &c);
	KUNIT_EXPECT_LE(test, runs, p->runs);
	KUNIT_EXPECT_TRUE(test, dma_buf_storage_suits(st, &c, &conflict));

	dma_buf_storage_describe(st, &info);
	KUNIT_EXPECT_EQ(test, info.segments, runs);
	KUNIT_EXPECT_TRUE(test, info.flags & DMA_BUF_STORAGE_PLACED);
	KUNIT_EXPECT_EQ(test, !!(info.flags & DMA_BUF_STORAGE_CONTIGUOUS), runs == 1);
	KUNIT_EXPECT_GE(test, info.largest, p->size / runs);
	/* A mask, which shows no address. */
	KUNIT_EXPECT_EQ(test, info.reach & (info.reach + 1), 0);
	KUNIT_EXPECT_GE(test, info.reach, page_to_phys(st->pages[0]) + PAGE_SIZE - 1);
	KUNIT_EXPECT_LE(test, info.reach, c.dma_mask);
}

static bool is_filled(struct page *page, u8 value)
{
	void *at = kmap_local_page(page);
	bool filled = !memchr_inv(at, value, PAGE_SIZE);

	kunmap_local(at);
	return filled;
}

static void fill_all(struct dma_buf_storage *st, u8 value)
{
	unsigned long i;

	for (i = 0; i < st->nr_pages; i++) {
		void *at = kmap_local_page(st->pages[i]);

		memset(at, value, PAGE_SIZE);
		kunmap_local(at);
	}
}

/* Memory that held something else comes back clean, whoever allocated it. */
static void zeroed(struct kunit *test)
{
	static const struct {
		size_t size;
		unsigned int bits;
		u32 flags;
	} kinds[] = {
		{ SZ_1M, 64, 0 },
		{ SZ_1M, 28, 0 },
		{ 6 * SZ_1M, 64, DMA_BUF_CONSTRAINT_CONTIGUOUS },
		{ 6 * SZ_1M, 28, DMA_BUF_CONSTRAINT_CONTIGUOUS },
	};
	struct dma_buf_conflict conflict;
	struct dma_buf_constraints c;
	struct dma_buf_storage *st;
	unsigned long i, dirty = 0;
	int kind, round;

	for (kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		dma_buf_constraints_init(&c);
		c.dma_mask = prime_test_low_mask(kinds[kind].bits);
		c.flags = kinds[kind].flags;
		for (round = 0; round < 3; round++) {
			st = dma_buf_storage_alloc(&c, kinds[kind].size, &conflict);
			KUNIT_ASSERT_FALSE(test, IS_ERR(st));
			for (i = 0; i < st->nr_pages; i++)
				dirty += !is_filled(st->pages[i], 0);
			fill_all(st, 0x5a);
			dma_buf_storage_put(st);
		}
	}
	KUNIT_EXPECT_EQ(test, dirty, 0);
}

/* Every zone that has pages below the mask is tried, from the highest on. */
static void zones(struct kunit *test)
{
	const u64 top = DMA_BIT_MASK(40), small = DMA_BIT_MASK(28);

	KUNIT_EXPECT_EQ(test, dma_buf_storage_zone(DMA_BIT_MASK(64), top), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_storage_zone(DMA_BIT_MASK(36), top), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_storage_zone(DMA_BIT_MASK(32), top), 1);
	KUNIT_EXPECT_EQ(test, dma_buf_storage_zone(DMA_BIT_MASK(28), top), 1);
	KUNIT_EXPECT_EQ(test, dma_buf_storage_zone(DMA_BIT_MASK(28), small), 0);
}

/* A block longer than the highest order leaves low memory to devices that reach no other. */
static void long_block_is_high(struct kunit *test)
{
	struct page *page = alloc_page(GFP_KERNEL);
	struct dma_buf_constraints c;
	enum zone_type highest;

	KUNIT_ASSERT_NOT_NULL(test, page);
	highest = page_zonenum(page);
	__free_page(page);
	if (!IS_ENABLED(CONFIG_CONTIG_ALLOC) || totalram_pages() < SZ_4G >> PAGE_SHIFT)
		kunit_skip(test, "needs CONTIG_ALLOC, and 4 GiB so that there are several zones");
	dma_buf_constraints_init(&c);
	c.flags = DMA_BUF_CONSTRAINT_CONTIGUOUS;
	/* More than the common CMA area has. */
	KUNIT_EXPECT_EQ(test, page_zonenum(storage_alloc(test, &c, 72 * SZ_1M)->pages[0]), highest);
}

static void block_end(void *page)
{
	__free_pages(page, MAX_PAGE_ORDER);
}

/*
 * Right below the mask is memory of the kernel, which can't be moved away. If the page
 * allocator gives low memory by itself, as with several zones, the search for a range
 * does not run.
 */
static void below_kernel_memory(struct kunit *test)
{
	const size_t size = PAGE_SIZE << MAX_PAGE_ORDER;
	struct dma_buf_constraints c, any;
	struct dma_buf_storage *st;
	struct page *page[9];
	unsigned int i;

	if (!IS_ENABLED(CONFIG_CONTIG_ALLOC) || size > SZ_4M)
		kunit_skip(test, "needs CONTIG_ALLOC, and pageblocks of 4 MiB or less");
	/* The highest of them stays, so eight free ones are below it. */
	for (i = 0; i < ARRAY_SIZE(page); i++) {
		page[i] = alloc_pages(GFP_KERNEL, MAX_PAGE_ORDER);
		KUNIT_ASSERT_NOT_NULL(test, page[i]);
		KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, block_end, page[i]), 0);
		if (page[i] > page[0])
			swap(page[i], page[0]);
	}
	for (i = 1; i < ARRAY_SIZE(page); i++)
		kunit_release_action(test, block_end, page[i]);

	dma_buf_constraints_init(&any);
	any.flags = DMA_BUF_CONSTRAINT_CONTIGUOUS;
	c = any;
	c.dma_mask = page_to_phys(page[0]) + size - 1;
	/* The page allocator may give low memory by chance, until some of it is taken. */
	for (i = 0; i < 4 * size / SZ_64K; i++) {
		st = storage_alloc(test, &any, SZ_64K);
		if (page_to_phys(st->pages[0]) > c.dma_mask)
			break;
	}
	storage_alloc(test, &c, SZ_64K);
}

/* The pages of another storage from @first on, in the order of @order, if given. */
static struct dma_buf_storage *part_of(struct kunit *test, const struct dma_buf_storage *st,
				       unsigned long first, unsigned long nr,
				       unsigned long (*order)(unsigned long i, unsigned long nr))
{
	struct dma_buf_storage *part = kunit_kzalloc(test, struct_size(part, pages, nr),
						     GFP_KERNEL);
	unsigned long i;

	KUNIT_ASSERT_NOT_NULL(test, part);
	part->nr_pages = nr;
	for (i = 0; i < nr; i++)
		part->pages[i] = st->pages[first + (order ? order(i, nr) : i)];
	return part;
}

static unsigned long upside_down_order(unsigned long i, unsigned long nr)
{
	return nr - 1 - i;
}

/* A run that crosses a boundary, and does not start on one, counts as two. */
static void straddles(struct kunit *test)
{
	struct dma_buf_storage *whole, *begins, *crosses;
	struct dma_buf_conflict conflict;
	struct dma_buf_constraints c;

	dma_buf_constraints_init(&c);
	c.flags = DMA_BUF_CONSTRAINT_CONTIGUOUS;
	whole = storage_alloc(test, &c, 4 * PAGE_SIZE);
	/* It starts at a multiple of its size, its second quarter does not. */
	begins = part_of(test, whole, 0, whole->nr_pages / 2, NULL);
	crosses = part_of(test, whole, whole->nr_pages / 4, whole->nr_pages / 2, NULL);
	dma_buf_constraints_init(&c);
	c.segment_boundary = 2 * PAGE_SIZE - 1;
	c.max_segments = 2;
	KUNIT_EXPECT_TRUE(test, dma_buf_storage_suits(crosses, &c, &conflict));
	c.max_segments = 1;
	KUNIT_EXPECT_FALSE(test, dma_buf_storage_suits(crosses, &c, &conflict));
	KUNIT_EXPECT_EQ(test, conflict.field, DMA_BUF_FIELD_MAX_SEGMENTS);
	KUNIT_EXPECT_EQ(test, conflict.wanted, 1);
	KUNIT_EXPECT_EQ(test, conflict.found, 2);
	KUNIT_EXPECT_TRUE(test, dma_buf_storage_suits(begins, &c, &conflict));
}

#ifdef CONFIG_IOMMU_DMA
/* Runs of three pages, each below the one before. */
static unsigned long threes_order(unsigned long i, unsigned long nr)
{
	return nr - 3 - i / 3 * 3 + i % 3;
}
#endif

/* An IOMMU joins entries and cuts none: they end where its segments do. */
static void tables_to_be_joined(struct kunit *test)
{
#ifdef CONFIG_IOMMU_DMA
	const unsigned long segment = 16 * PAGE_SIZE;
	struct device *dev = prime_test_device(test);
	struct dma_buf_storage *st, *shuffled;
	struct dma_buf_constraints c;
	struct scatterlist *sg;
	struct sg_table sgt;
	unsigned long i, at = 0;

	dma_buf_constraints_init(&c);
	c.flags = DMA_BUF_CONSTRAINT_CONTIGUOUS;
	st = storage_alloc(test, &c, 3 * segment);
	/* A segment has 16 pages. Five runs of three do not fill it, so the sixth is cut. */
	shuffled = part_of(test, st, 0, st->nr_pages, threes_order);
	c.flags = 0;
	c.max_segment_size = segment;
	dev_set_dma_iommu(dev);
	KUNIT_ASSERT_EQ(test, dma_buf_storage_table(shuffled, dev, &c, &sgt), 0);
	dev_clear_dma_iommu(dev);
	for_each_sgtable_sg(&sgt, sg, i) {
		KUNIT_EXPECT_EQ(test, at / segment, (at + sg->length - 1) / segment);
		at += sg->length;
	}
	KUNIT_EXPECT_EQ(test, at, 3 * segment);
	sg_free_table(&sgt);
#else
	kunit_skip(test, "CONFIG_IOMMU_DMA is off");
#endif
}

/* A device's table: cut at its size and boundary, whole, in order. */
static void tables(struct kunit *test)
{
	struct device *dev = prime_test_device(test);
	static const u64 sizes[] = { PAGE_SIZE, SZ_64K, SZ_64K + 512, SZ_1M, U64_MAX };
	static const u64 boundaries[] = { PAGE_SIZE - 1, SZ_64K - 1, SZ_4M - 1, U64_MAX };
	struct dma_buf_constraints c;
	struct dma_buf_storage *st;
	struct scatterlist *sg;
	struct sg_table sgt;
	unsigned int s, b, i;

	dma_buf_constraints_init(&c);
	st = storage_alloc(test, &c, SZ_1M + 3 * PAGE_SIZE);
	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		for (b = 0; b < ARRAY_SIZE(boundaries); b++) {
			unsigned long page = 0;

			c.max_segment_size = sizes[s];
			c.segment_boundary = boundaries[b];
			KUNIT_ASSERT_EQ(test, dma_buf_storage_table(st, dev, &c, &sgt), 0);
			for_each_sgtable_sg(&sgt, sg, i) {
				u64 first = sg_phys(sg), last = first + sg->length - 1;

				KUNIT_EXPECT_LE(test, sg->length, sizes[s]);
				KUNIT_EXPECT_EQ(test, first & ~boundaries[b],
						last & ~boundaries[b]);
				KUNIT_EXPECT_PTR_EQ(test, sg_page(sg), st->pages[page]);
				page += sg->length >> PAGE_SHIFT;
			}
			KUNIT_EXPECT_EQ(test, page, st->nr_pages);
			sg_free_table(&sgt);
		}
	}
}

/* Boundaries are those of the addresses that the device gets, not those of memory. */
static void tables_of_a_bus(struct kunit *test)
{
	static const struct bus_dma_region ranges[] = {
		{ .dma_start = PAGE_SIZE, .size = SIZE_MAX >> 1 },
		{ }
	};
	struct device *dev = prime_test_device(test);
	struct dma_buf_constraints c;
	struct dma_buf_storage *st;
	struct scatterlist *sg;
	struct sg_table sgt = { };
	unsigned int i;
	int ret;

	dma_buf_constraints_init(&c);
	st = storage_alloc(test, &c, SZ_1M);
	c.segment_boundary = SZ_64K - 1;
	dev->dma_range_map = ranges;
	ret = dma_buf_storage_table(st, dev, &c, &sgt);
	for_each_sgtable_sg(&sgt, sg, i) {
		const u64 first = phys_to_dma(dev, sg_phys(sg)), last = first + sg->length - 1;

		KUNIT_EXPECT_EQ(test, first / SZ_64K, last / SZ_64K);
	}
	/* Before an assertion: the end of the device would free the map. */
	dev->dma_range_map = NULL;
	KUNIT_ASSERT_EQ(test, ret, 0);
	sg_free_table(&sgt);
}

/* Storage that is not what is wanted: the reason, and no address in it. */
static void refused(struct kunit *test)
{
	struct dma_buf_conflict conflict;
	struct dma_buf_constraints c, plain;
	struct dma_buf_storage *whole, *upside_down;

	dma_buf_constraints_init(&plain);
	plain.flags = DMA_BUF_CONSTRAINT_CONTIGUOUS;
	plain.max_segments = 1;
	whole = storage_alloc(test, &plain, 16 * PAGE_SIZE);
	upside_down = part_of(test, whole, 0, 16, upside_down_order);

	KUNIT_EXPECT_TRUE(test, dma_buf_storage_suits(whole, &plain, &conflict));
	KUNIT_EXPECT_FALSE(test, dma_buf_storage_suits(upside_down, &plain, &conflict));
	KUNIT_EXPECT_EQ(test, conflict.field, DMA_BUF_FIELD_CONTIGUOUS);
	KUNIT_EXPECT_EQ(test, conflict.found, 16);

	dma_buf_constraints_init(&c);
	KUNIT_EXPECT_TRUE(test, dma_buf_storage_suits(upside_down, &c, &conflict));
	c.max_segments = 15;
	KUNIT_EXPECT_FALSE(test, dma_buf_storage_suits(upside_down, &c, &conflict));
	KUNIT_EXPECT_EQ(test, conflict.field, DMA_BUF_FIELD_MAX_SEGMENTS);
	KUNIT_EXPECT_EQ(test, conflict.wanted, 15);
	KUNIT_EXPECT_EQ(test, conflict.found, 16);

	dma_buf_constraints_init(&c);
	c.alignment = 2 * PAGE_SIZE;
	KUNIT_EXPECT_FALSE(test, dma_buf_storage_suits(upside_down, &c, &conflict));
	KUNIT_EXPECT_EQ(test, conflict.field, DMA_BUF_FIELD_ALIGNMENT);
	KUNIT_EXPECT_EQ(test, conflict.found, PAGE_SIZE);

	dma_buf_constraints_init(&c);
	c.length_align = 2 * PAGE_SIZE;
	KUNIT_EXPECT_FALSE(test, dma_buf_storage_suits(upside_down, &c, &conflict));
	KUNIT_EXPECT_EQ(test, conflict.field, DMA_BUF_FIELD_LENGTH_ALIGN);

	dma_buf_constraints_init(&c);
	c.dma_mask = PAGE_SIZE - 1;
	KUNIT_EXPECT_FALSE(test, dma_buf_storage_suits(whole, &c, &conflict));
	KUNIT_EXPECT_EQ(test, conflict.field, DMA_BUF_FIELD_DMA_MASK);
	KUNIT_EXPECT_EQ(test, conflict.wanted, PAGE_SIZE - 1);
	KUNIT_EXPECT_EQ(test, conflict.found & (conflict.found + 1), 0);
}

/* A reason if no storage could suit, and -ENOMEM if there is no such memory. */
static void impossible(struct kunit *test)
{
	struct dma_buf_conflict conflict;
	struct dma_buf_constraints c;
	struct dma_buf_storage *st;

	dma_buf_constraints_init(&c);
	c.dma_mask = DMA_BIT_MASK(20);
	st = dma_buf_storage_alloc(&c, SZ_2M, &conflict);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(st), -EBUSY);
	KUNIT_EXPECT_EQ(test, conflict.field, DMA_BUF_FIELD_DMA_MASK);

	/* There are no such pages free on any machine. */
	c.dma_mask = PAGE_SIZE - 1;
	st = dma_buf_storage_alloc(&c, PAGE_SIZE, &conflict);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(st), -ENOMEM);

	/* Longer than all of the memory. */
	dma_buf_constraints_init(&c);
	c.flags = DMA_BUF_CONSTRAINT_CONTIGUOUS;
	st = dma_buf_storage_alloc(&c, (totalram_pages() + 1) << PAGE_SHIFT, &conflict);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(st), -ENOMEM);
}

/* A program that is killed gets no storage, of many pieces or of one, and no reason. */
static void killed(struct kunit *test)
{
	struct dma_buf_conflict conflict;
	struct dma_buf_constraints c;
	struct dma_buf_storage *st;

	dma_buf_constraints_init(&c);
	prime_test_kill_self();
	st = dma_buf_storage_alloc(&c, SZ_1M, &conflict);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(st), -EINTR);
	KUNIT_EXPECT_EQ(test, conflict.field, DMA_BUF_FIELD_NONE);
	c.flags = DMA_BUF_CONSTRAINT_CONTIGUOUS;
	st = dma_buf_storage_alloc(&c, SZ_1M, &conflict);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(st), -EINTR);
	KUNIT_EXPECT_EQ(test, conflict.field, DMA_BUF_FIELD_NONE);
	prime_test_signal_clear();
}

static struct kunit_case dma_buf_storage_cases[] = {
	KUNIT_CASE_PARAM(placed, place_gen_params),
	KUNIT_CASE(zeroed),
	KUNIT_CASE(zones),
	KUNIT_CASE(long_block_is_high),
	KUNIT_CASE(below_kernel_memory),
	KUNIT_CASE(straddles),
	KUNIT_CASE(tables),
	KUNIT_CASE(tables_to_be_joined),
	KUNIT_CASE(tables_of_a_bus),
	KUNIT_CASE(refused),
	KUNIT_CASE(impossible),
	KUNIT_CASE(killed),
	{}
};

static struct kunit_suite dma_buf_storage_suite = {
	.name = "dma_buf_storage",
	.test_cases = dma_buf_storage_cases,
};

kunit_test_suite(dma_buf_storage_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
