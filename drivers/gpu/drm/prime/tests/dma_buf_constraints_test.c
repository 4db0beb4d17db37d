// SPDX-License-Identifier: GPL-2.0
/*
 * Constraints of devices: derived, merged, and held against sizes and tables.
 * What merging promises is tried on random constraints, the same ones in every
 * run.
 */
#include <linux/dma-buf-constraints.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/prandom.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>

#include <kunit/visibility.h>

#include "../negotiate/internal.h"
#include "mock_exporter.h"
#include "mock_importer.h"

#define ROUNDS		20000
#define MAX_ENTRIES	4

static struct rnd_state rnd;

static u32 pick(u32 n)
{
	return prandom_u32_state(&rnd) % n;
}

/* Narrow ranges, so that some contradict each other, and tables suit some. */
static void random_constraints(struct dma_buf_constraints *c)
{
	dma_buf_constraints_init(c);
	if (pick(2))
		c->dma_mask = DMA_BIT_MASK(PAGE_SHIFT + 2 + pick(8));
	if (pick(8) == 0)
		c->dma_mask = 16 * PAGE_SIZE + pick(256 * PAGE_SIZE);
	if (pick(2))
		c->segment_boundary = DMA_BIT_MASK(PAGE_SHIFT + pick(8));
	if (pick(2))
		c->max_segment_size = PAGE_SIZE << pick(6);
	if (pick(2))
		c->max_segments = 1 + pick(4);
	if (pick(2))
		c->alignment = 1 << pick(PAGE_SHIFT + 10);
	if (pick(2))
		c->length_align = 1 << pick(PAGE_SHIFT + 8);
	if (pick(2))
		c->pitch_align = 1 << pick(10);
	if (pick(2))
		c->offset_align = 1 << pick(14);
	c->flags = pick(16);
	c->use = pick(16);
}

static bool same(const struct dma_buf_constraints *a, const struct dma_buf_constraints *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* Merged into @to: whether there was a conflict. */
static bool merged(struct dma_buf_constraints *to, const struct dma_buf_constraints *a,
		   const struct dma_buf_constraints *b)
{
	*to = *a;
	return !dma_buf_constraints_merge(to, b, NULL);
}

struct random_table {
	struct sg_table sgt;
	struct scatterlist sg[MAX_ENTRIES];
};

static void random_table(struct random_table *table)
{
	u32 count = 1 + pick(MAX_ENTRIES), i;
	dma_addr_t addr = pick(512) * PAGE_SIZE;

	sg_init_table(table->sg, count);
	for (i = 0; i < count; i++) {
		sg_dma_address(&table->sg[i]) = addr;
		sg_dma_len(&table->sg[i]) = PAGE_SIZE << pick(4);
		/* Half of the entries follow on the one before. */
		addr += sg_dma_len(&table->sg[i]);
		if (pick(2))
			addr = pick(512) * PAGE_SIZE;
	}
	table->sgt = (struct sg_table) {
		.sgl = table->sg, .nents = count, .orig_nents = count,
	};
}

static void merge_commutes(struct kunit *test)
{
	struct dma_buf_constraints a, b, ab, ba;
	struct dma_buf_conflict one, two;
	int i, ret, conflicts = 0;

	for (i = 0; i < ROUNDS; i++) {
		random_constraints(&a);
		random_constraints(&b);
		ab = a;
		ba = b;
		one = (struct dma_buf_conflict) {};
		two = one;
		ret = dma_buf_constraints_merge(&ab, &b, &one);
		KUNIT_ASSERT_EQ(test, dma_buf_constraints_merge(&ba, &a, &two), ret);
		KUNIT_ASSERT_EQ(test, one.field, two.field);
		KUNIT_ASSERT_EQ(test, one.wanted, two.wanted);
		KUNIT_ASSERT_EQ(test, one.found, two.found);
		KUNIT_ASSERT_EQ(test, ret ? -EBUSY : 0, ret);
		KUNIT_ASSERT_EQ(test, !!ret, one.field != DMA_BUF_FIELD_NONE);
		KUNIT_ASSERT_TRUE(test, ret ? same(&ab, &a) && same(&ba, &b) : same(&ab, &ba));
		conflicts += !!ret;
	}
	/* Both outcomes were seen. */
	KUNIT_EXPECT_GT(test, conflicts, ROUNDS / 50);
	KUNIT_EXPECT_LT(test, conflicts, ROUNDS / 2);
}

static void merge_associates(struct kunit *test)
{
	struct dma_buf_constraints a, b, c, ab, bc, left, right;
	int i, conflicts = 0;

	for (i = 0; i < ROUNDS; i++) {
		bool l, r;

		random_constraints(&a);
		random_constraints(&b);
		random_constraints(&c);
		l = merged(&ab, &a, &b) && merged(&left, &ab, &c);
		r = merged(&bc, &b, &c) && merged(&right, &a, &bc);
		KUNIT_ASSERT_EQ(test, l, r);
		if (l)
			KUNIT_ASSERT_TRUE(test, same(&left, &right));
		conflicts += !l;
	}
	KUNIT_EXPECT_GT(test, conflicts, ROUNDS / 50);
	KUNIT_EXPECT_LT(test, conflicts, ROUNDS / 2);
}

/* With itself and with no constraints: nothing changes. */
static void merge_is_idempotent(struct kunit *test)
{
	struct dma_buf_constraints a, none, to;
	int i;

	dma_buf_constraints_init(&none);
	for (i = 0; i < ROUNDS; i++) {
		random_constraints(&a);
		/* What contradicts itself is a conflict with anything. */
		if (!merged(&to, &a, &a)) {
			KUNIT_ASSERT_FALSE(test, merged(&to, &a, &none));
			continue;
		}
		KUNIT_ASSERT_TRUE(test, same(&to, &a));
		KUNIT_ASSERT_TRUE(test, merged(&to, &a, &none));
		KUNIT_ASSERT_TRUE(test, same(&to, &a));
		KUNIT_ASSERT_TRUE(test, merged(&to, &none, &a));
		KUNIT_ASSERT_TRUE(test, same(&to, &a));
	}
}

/* A table suits the merged constraints exactly when it suits both. */
static void merge_is_both(struct kunit *test)
{
	struct dma_buf_constraints a, b, both;
	struct random_table table;
	int i, good = 0;

	for (i = 0; i < ROUNDS; i++) {
		bool one, two, all;

		random_constraints(&a);
		random_constraints(&b);
		if (!merged(&both, &a, &b))
			continue;
		random_table(&table);
		one = !dma_buf_constraints_check_table(&a, &table.sgt, NULL);
		two = !dma_buf_constraints_check_table(&b, &table.sgt, NULL);
		all = !dma_buf_constraints_check_table(&both, &table.sgt, NULL);
		KUNIT_ASSERT_EQ(test, all, one && two);
		good += all;
	}
	KUNIT_EXPECT_GT(test, good, ROUNDS / 200);
}

/* If check_size() refuses a size, no table of that size satisfies the constraints. */
static void size_is_necessary(struct kunit *test)
{
	struct dma_buf_conflict conflict;
	struct dma_buf_constraints c;
	struct random_table table;
	struct scatterlist *sg;
	int i, refused = 0;
	unsigned int j;

	for (i = 0; i < ROUNDS; i++) {
		size_t size = 0;

		random_constraints(&c);
		/* check_table() takes adjacent entries as one. check_size() wants a single one. */
		c.flags &= ~DMA_BUF_CONSTRAINT_CONTIGUOUS;
		random_table(&table);
		for_each_sgtable_dma_sg(&table.sgt, sg, j)
			size += sg_dma_len(sg);
		if (!dma_buf_constraints_check_size(&c, size, &conflict))
			continue;
		refused++;
		/* Entries apart from one another can be aligned; a run that is cut can't. */
		if (conflict.field == DMA_BUF_FIELD_ALIGNMENT)
			continue;
		/* A table may overlap, and so fit below a mask that a buffer exceeds. */
		if (size - 1 > c.dma_mask)
			continue;
		KUNIT_ASSERT_EQ(test, dma_buf_constraints_check_table(&c, &table.sgt, NULL),
				-EBUSY);
	}
	KUNIT_EXPECT_GT(test, refused, ROUNDS / 50);
}

#define MOST_PIECES 32

/* The table that a device gets of one run: cut at its boundaries and sizes. */
static int check_cut_run(const struct dma_buf_constraints *c, u64 start, u64 size)
{
	const u64 piece = dma_buf_constraints_piece(c, size);
	static struct scatterlist sg[MOST_PIECES];
	struct sg_table sgt = { .sgl = sg };
	u64 at, left;

	sg_init_table(sg, MOST_PIECES);
	for (at = 0; at < size; at += left) {
		left = min(piece - 1, c->segment_boundary - ((start + at) & c->segment_boundary));
		left = min(left + 1, size - at);
		sg_dma_address(&sg[sgt.nents]) = start + at;
		sg_dma_len(&sg[sgt.nents]) = left;
		sgt.nents++;
	}
	return dma_buf_constraints_check_table(c, &sgt, NULL);
}

/* One run of storage, cut as the device likes, has no more entries than it takes. */
static void one_run_suits(struct kunit *test)
{
	struct device *dev = prime_test_device(test);
	struct dma_buf_constraints c, storage;
	int i, tried = 0;

	for (i = 0; i < ROUNDS; i++) {
		size_t size = PAGE_SIZE * (1 + pick(MOST_PIECES));

		random_constraints(&c);
		c.flags &= ~DMA_BUF_CONSTRAINT_CONTIGUOUS;
		if (pick(2))
			c.max_segment_size = PAGE_SIZE * (1 + pick(12));
		if (dma_buf_constraints_check_size(&c, size, NULL))
			continue;
		storage = c;
		dma_buf_constraints_of_storage(&storage, dev, size);
		KUNIT_ASSERT_GE(test, storage.max_segments, 1);
		KUNIT_ASSERT_LE(test, storage.max_segments, c.max_segments);
		KUNIT_ASSERT_EQ(test, storage.max_segments == 1,
				!!(storage.flags & DMA_BUF_CONSTRAINT_CONTIGUOUS));
		if (c.max_segments == U32_MAX)
			continue;
		/* A run that begins aligned, and at a boundary. */
		c.dma_mask = U64_MAX;
		KUNIT_ASSERT_EQ(test, check_cut_run(&c, SZ_64M, size), 0);
		tried++;
	}
	KUNIT_EXPECT_GT(test, tried, ROUNDS / 20);
}

/* If the alignment exceeds the length of a segment, the device takes one segment only. */
static void alignment_beyond_the_segment(struct kunit *test)
{
	struct dma_buf_constraints c;
	struct dma_buf_conflict conflict;
	int ret;

	dma_buf_constraints_init(&c);
	c.max_segment_size = SZ_64K;
	c.alignment = SZ_128K;
	KUNIT_EXPECT_EQ(test, dma_buf_constraints_check_size(&c, SZ_64K, NULL), 0);
	ret = dma_buf_constraints_check_size(&c, SZ_128K, &conflict);
	KUNIT_EXPECT_EQ(test, ret, -EBUSY);
	KUNIT_EXPECT_EQ(test, conflict.field, DMA_BUF_FIELD_ALIGNMENT);
	KUNIT_EXPECT_EQ(test, conflict.wanted, SZ_128K);
	KUNIT_EXPECT_EQ(test, conflict.found, SZ_64K);
	/* Segments of whole multiples of the alignment only. */
	c.max_segment_size = SZ_256K + SZ_64K;
	c.max_segments = 2;
	KUNIT_EXPECT_EQ(test, dma_buf_constraints_check_size(&c, SZ_512K, NULL), 0);
	ret = dma_buf_constraints_check_size(&c, SZ_512K + SZ_64K, &conflict);
	KUNIT_EXPECT_EQ(test, ret, -EBUSY);
	KUNIT_EXPECT_EQ(test, conflict.field, DMA_BUF_FIELD_MAX_SEGMENTS);
	KUNIT_EXPECT_EQ(test, conflict.found, 3);
}

static void expect_conflict(struct kunit *test, int ret, const struct dma_buf_conflict *conflict,
			    u32 field, u64 wanted, u64 found)
{
	KUNIT_EXPECT_EQ(test, ret, -EBUSY);
	KUNIT_EXPECT_EQ(test, conflict->field, field);
	KUNIT_EXPECT_EQ_MSG(test, conflict->wanted, wanted, "field %u", field);
	KUNIT_EXPECT_EQ_MSG(test, conflict->found, found, "field %u", field);
}

/* Fields that are 0 become those of no constraints. */
static struct dma_buf_constraints filled_in(struct dma_buf_constraints c)
{
	struct dma_buf_constraints none;

	dma_buf_constraints_init(&none);
	c.dma_mask = c.dma_mask ?: none.dma_mask;
	c.segment_boundary = c.segment_boundary ?: none.segment_boundary;
	c.max_segment_size = c.max_segment_size ?: none.max_segment_size;
	c.max_segments = c.max_segments ?: none.max_segments;
	c.alignment = c.alignment ?: none.alignment;
	c.length_align = c.length_align ?: none.length_align;
	return c;
}

/* One table for each field, whose only fault is that field. */
static void table_names_the_field(struct kunit *test)
{
	static const struct {
		struct dma_buf_constraints c;
		u32 count;
		dma_addr_t addr[2];
		u32 len[2];
		struct dma_buf_conflict expect;
	} cases[] = {
		{ { .dma_mask = DMA_BIT_MASK(28) }, 1, { 0x10000000 }, { SZ_4K },
		  { DMA_BUF_FIELD_DMA_MASK, DMA_BIT_MASK(28), DMA_BIT_MASK(29) } },
		{ { .dma_mask = DMA_BIT_MASK(28) }, 1, { 0x0ffff000 }, { SZ_8K },
		  { DMA_BUF_FIELD_DMA_MASK, DMA_BIT_MASK(28), DMA_BIT_MASK(29) } },
		{ { .dma_mask = DMA_BIT_MASK(28) }, 1, { 0x0ffff000 }, { SZ_4K }, {} },
		{ { .segment_boundary = 0xffff }, 1, { 0xf000 }, { SZ_8K },
		  { DMA_BUF_FIELD_SEGMENT_BOUNDARY, 0xffff, 0x1ffff } },
		{ { .segment_boundary = 0xffff }, 2, { 0xf000, 0x10000 }, { SZ_4K, SZ_64K }, {} },
		{ { .max_segment_size = SZ_64K }, 2, { 0, SZ_1M }, { SZ_64K, SZ_128K },
		  { DMA_BUF_FIELD_MAX_SEGMENT_SIZE, SZ_64K, SZ_128K } },
		{ { .max_segments = 1 }, 2, { 0, SZ_4K }, { SZ_4K, SZ_4K },
		  { DMA_BUF_FIELD_MAX_SEGMENTS, 1, 2 } },
		{ { .alignment = SZ_64K }, 2, { 0, 0x21000 }, { SZ_4K, SZ_4K },
		  { DMA_BUF_FIELD_ALIGNMENT, SZ_64K, SZ_4K } },
		{ { .length_align = SZ_64K }, 2, { 0, SZ_1M }, { SZ_64K, SZ_8K },
		  { DMA_BUF_FIELD_LENGTH_ALIGN, SZ_64K, SZ_8K } },
		{ { .flags = DMA_BUF_CONSTRAINT_CONTIGUOUS }, 2, { 0, SZ_8K }, { SZ_4K, SZ_4K },
		  { DMA_BUF_FIELD_CONTIGUOUS, 1, 2 } },
		{ { .flags = DMA_BUF_CONSTRAINT_CONTIGUOUS }, 2, { SZ_8K, SZ_4K },
		  { SZ_4K, SZ_4K }, { DMA_BUF_FIELD_CONTIGUOUS, 1, 2 } },
		/* Adjacent entries are one run. */
		{ { .flags = DMA_BUF_CONSTRAINT_CONTIGUOUS }, 2, { 0, SZ_4K }, { SZ_4K, SZ_4K },
		  {} },
	};
	struct dma_buf_constraints c, none;
	struct dma_buf_conflict conflict;
	struct scatterlist sg[2];
	struct sg_table sgt;
	unsigned int i, j;
	int ret;

	dma_buf_constraints_init(&none);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		c = filled_in(cases[i].c);
		sg_init_table(sg, cases[i].count);
		for (j = 0; j < cases[i].count; j++) {
			sg_dma_address(&sg[j]) = cases[i].addr[j];
			sg_dma_len(&sg[j]) = cases[i].len[j];
		}
		sgt = (struct sg_table) {
			.sgl = sg, .nents = cases[i].count, .orig_nents = cases[i].count,
		};
		conflict = (struct dma_buf_conflict) {};
		ret = dma_buf_constraints_check_table(&c, &sgt, &conflict);
		KUNIT_EXPECT_EQ_MSG(test, !!ret, !!cases[i].expect.field, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, conflict.field, cases[i].expect.field, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, conflict.wanted, cases[i].expect.wanted, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, conflict.found, cases[i].expect.found, "case %u", i);
		KUNIT_EXPECT_EQ(test, dma_buf_constraints_check_table(&none, &sgt, NULL), 0);
		KUNIT_EXPECT_EQ(test, dma_buf_constraints_check_table(&c, &sgt, NULL), ret);
	}
}

static void merge_names_the_field(struct kunit *test)
{
	struct dma_buf_constraints a, b;
	struct dma_buf_conflict conflict;
	int ret;

	dma_buf_constraints_init(&a);
	dma_buf_constraints_init(&b);
	a.dma_mask = DMA_BIT_MASK(20);
	b.alignment = SZ_1M;
	ret = dma_buf_constraints_merge(&a, &b, &conflict);
	expect_conflict(test, ret, &conflict, DMA_BUF_FIELD_ALIGNMENT, SZ_1M, SZ_512K);
	a.dma_mask = SZ_1M + SZ_4K;
	KUNIT_EXPECT_EQ(test, dma_buf_constraints_merge(&a, &b, &conflict), 0);
	KUNIT_EXPECT_EQ(test, a.alignment, SZ_1M);

	/* A device that reaches nothing of memory. */
	a.dma_mask = 0;
	ret = dma_buf_constraints_merge(&a, &b, &conflict);
	expect_conflict(test, ret, &conflict, DMA_BUF_FIELD_DMA_MASK, 0, PAGE_SIZE - 1);

	dma_buf_constraints_init(&a);
	dma_buf_constraints_init(&b);
	a.dma_mask = DMA_BIT_MASK(20);
	b.length_align = SZ_2M;
	ret = dma_buf_constraints_merge(&a, &b, &conflict);
	expect_conflict(test, ret, &conflict, DMA_BUF_FIELD_LENGTH_ALIGN, SZ_2M, SZ_1M);
	a.dma_mask = DMA_BIT_MASK(21);
	KUNIT_EXPECT_EQ(test, dma_buf_constraints_merge(&a, &b, NULL), 0);
	KUNIT_EXPECT_EQ(test, a.length_align, SZ_2M);
}

/* Each device has its own table: one run suits the first, its pieces the second. */
static void segments_do_not_contradict(struct kunit *test)
{
	struct device *dev = prime_test_device(test);
	struct dma_buf_constraints one, small;

	dma_buf_constraints_init(&one);
	one.max_segments = 1;
	one.alignment = SZ_1M;
	dma_buf_constraints_init(&small);
	small.max_segment_size = SZ_64K;
	small.max_segments = 20;
	dma_buf_constraints_of_storage(&one, dev, SZ_1M);
	dma_buf_constraints_of_storage(&small, dev, SZ_1M);
	/* 16 entries for one run, and one more for each of four further runs. */
	KUNIT_EXPECT_EQ(test, small.max_segments, 5);
	KUNIT_EXPECT_FALSE(test, small.flags & DMA_BUF_CONSTRAINT_CONTIGUOUS);
	KUNIT_EXPECT_EQ(test, dma_buf_constraints_merge(&small, &one, NULL), 0);
	KUNIT_EXPECT_EQ(test, small.max_segments, 1);
	KUNIT_EXPECT_TRUE(test, small.flags & DMA_BUF_CONSTRAINT_CONTIGUOUS);
}

static void contiguous_is_one_segment(struct kunit *test)
{
	struct device *dev = prime_test_device(test);
	struct dma_buf_constraints c;

	dma_buf_constraints_init(&c);
	c.flags = DMA_BUF_CONSTRAINT_CONTIGUOUS;
	dma_buf_constraints_of_storage(&c, dev, SZ_1M);
	KUNIT_EXPECT_EQ(test, c.max_segments, 1);
	KUNIT_EXPECT_EQ(test, c.flags, DMA_BUF_CONSTRAINT_CONTIGUOUS);
}

/* An empty entry does not part the entries around it, whatever its address. */
static void empty_entry_is_none(struct kunit *test)
{
	struct dma_buf_constraints c;
	struct scatterlist sg[3];
	struct sg_table sgt = { .sgl = sg, .nents = 3, .orig_nents = 3 };
	int i;

	dma_buf_constraints_init(&c);
	c.flags = DMA_BUF_CONSTRAINT_CONTIGUOUS;
	c.dma_mask = SZ_64K - 1;
	sg_init_table(sg, 3);
	for (i = 0; i < 3; i++) {
		sg_dma_address(&sg[i]) = i == 1 ? SZ_1M : SZ_4K + i / 2 * SZ_4K;
		sg_dma_len(&sg[i]) = i == 1 ? 0 : SZ_4K;
	}
	KUNIT_EXPECT_EQ(test, dma_buf_constraints_check_table(&c, &sgt, NULL), 0);
	sg_dma_len(&sg[1]) = SZ_4K;
	KUNIT_EXPECT_EQ(test, dma_buf_constraints_check_table(&c, &sgt, NULL), -EBUSY);
}

static void size_names_the_field(struct kunit *test)
{
	struct dma_buf_constraints c;
	struct dma_buf_conflict conflict;
	int ret;

	dma_buf_constraints_init(&c);
	KUNIT_EXPECT_EQ(test, dma_buf_constraints_check_size(&c, SIZE_MAX & PAGE_MASK, NULL), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_constraints_check_size(&c, 0, NULL), 0);

	c.dma_mask = DMA_BIT_MASK(20);
	KUNIT_EXPECT_EQ(test, dma_buf_constraints_check_size(&c, SZ_1M, NULL), 0);
	ret = dma_buf_constraints_check_size(&c, SZ_2M, &conflict);
	expect_conflict(test, ret, &conflict, DMA_BUF_FIELD_DMA_MASK, DMA_BIT_MASK(20),
			DMA_BIT_MASK(21));

	dma_buf_constraints_init(&c);
	c.length_align = SZ_64K;
	KUNIT_EXPECT_EQ(test, dma_buf_constraints_check_size(&c, SZ_128K, NULL), 0);
	ret = dma_buf_constraints_check_size(&c, SZ_128K + SZ_8K, &conflict);
	expect_conflict(test, ret, &conflict, DMA_BUF_FIELD_LENGTH_ALIGN, SZ_64K, SZ_8K);

	dma_buf_constraints_init(&c);
	c.flags = DMA_BUF_CONSTRAINT_CONTIGUOUS;
	c.max_segment_size = SZ_64K;
	KUNIT_EXPECT_EQ(test, dma_buf_constraints_check_size(&c, SZ_64K, NULL), 0);
	ret = dma_buf_constraints_check_size(&c, SZ_128K, &conflict);
	expect_conflict(test, ret, &conflict, DMA_BUF_FIELD_MAX_SEGMENT_SIZE, SZ_64K, SZ_128K);

	c.flags = 0;
	c.max_segment_size = 16 * PAGE_SIZE;
	c.max_segments = 4;
	KUNIT_EXPECT_EQ(test, dma_buf_constraints_check_size(&c, 64 * PAGE_SIZE, NULL), 0);
	ret = dma_buf_constraints_check_size(&c, 65 * PAGE_SIZE, &conflict);
	expect_conflict(test, ret, &conflict, DMA_BUF_FIELD_MAX_SEGMENTS, 4, 5);
	/* The boundary cuts as well. */
	c.segment_boundary = 8 * PAGE_SIZE - 1;
	ret = dma_buf_constraints_check_size(&c, 64 * PAGE_SIZE, &conflict);
	expect_conflict(test, ret, &conflict, DMA_BUF_FIELD_MAX_SEGMENTS, 4, 8);

	dma_buf_constraints_init(&c);
	c.size_align = SZ_64K;
	KUNIT_EXPECT_EQ(test, dma_buf_constraints_check_size(&c, SZ_128K, &conflict), 0);
	ret = dma_buf_constraints_check_size(&c, SZ_128K + SZ_8K, &conflict);
	expect_conflict(test, ret, &conflict, DMA_BUF_FIELD_SIZE_ALIGN, SZ_64K, SZ_8K);

	/* Buffers are mapped in whole pages. */
	dma_buf_constraints_init(&c);
	c.max_segment_size = 512;
	ret = dma_buf_constraints_check_size(&c, 2 * PAGE_SIZE, &conflict);
	expect_conflict(test, ret, &conflict, DMA_BUF_FIELD_MAX_SEGMENT_SIZE, 512, PAGE_SIZE);
	dma_buf_constraints_init(&c);
	c.segment_boundary = 511;
	ret = dma_buf_constraints_check_size(&c, 2 * PAGE_SIZE, &conflict);
	expect_conflict(test, ret, &conflict, DMA_BUF_FIELD_SEGMENT_BOUNDARY, 511, PAGE_SIZE - 1);
}

static void device_tells(struct kunit *test)
{
	struct device *dev = prime_test_device(test);
	struct device_dma_parameters parms = {};
	struct dma_buf_constraints c, none;

	dma_buf_constraints_init(&none);
	dma_buf_constraints_from_device(&c, dev);
	KUNIT_EXPECT_EQ(test, c.dma_mask, DMA_BIT_MASK(64));
	/* What the DMA API says for a device of which it knows nothing. */
	KUNIT_EXPECT_EQ(test, c.max_segment_size, SZ_64K);
	KUNIT_EXPECT_EQ(test, c.flags, 0);
	KUNIT_EXPECT_EQ(test, c.segment_boundary, none.segment_boundary);
	KUNIT_EXPECT_EQ(test, c.max_segments, none.max_segments);
	KUNIT_EXPECT_EQ(test, c.alignment, 1);
	KUNIT_EXPECT_EQ(test, c.length_align, 1);

	dev->dma_parms = &parms;
	dma_set_max_seg_size(dev, SZ_1M);
	dma_set_seg_boundary(dev, SZ_4M - 1);
	dma_set_min_align_mask(dev, SZ_8K - 1);
	KUNIT_ASSERT_EQ(test, dma_set_mask(dev, DMA_BIT_MASK(40)), 0);
	dma_buf_constraints_from_device(&c, dev);
	KUNIT_EXPECT_EQ(test, c.dma_mask, DMA_BIT_MASK(40));
	KUNIT_EXPECT_EQ(test, c.max_segment_size, SZ_1M);
	KUNIT_EXPECT_EQ(test, c.segment_boundary, SZ_4M - 1);
	KUNIT_EXPECT_EQ(test, c.alignment, SZ_8K);
	KUNIT_EXPECT_EQ(test, c.flags, 0);

	dev->bus_dma_limit = DMA_BIT_MASK(36);
	dma_set_max_seg_size(dev, UINT_MAX);
	dma_buf_constraints_from_device(&c, dev);
	KUNIT_EXPECT_EQ(test, c.dma_mask, DMA_BIT_MASK(36));
	/* UINT_MAX, as amdgpu and others set it, does not mean one segment. */
	KUNIT_EXPECT_EQ(test, c.flags, 0);
	dev->bus_dma_limit = 0;
	dev->dma_parms = NULL;
}

/* Without a mask, as an interface of USB, a device does no DMA and needs nothing of storage. */
static void device_without_mask(struct kunit *test)
{
	struct device *dev = prime_test_device(test);
	struct dma_buf_constraints c, none;
	u64 *mask = dev->dma_mask;

	dma_buf_constraints_init(&none);
	dev->dma_mask = NULL;
	dma_buf_constraints_from_device(&c, dev);
	dev->dma_mask = mask;
	KUNIT_EXPECT_TRUE(test, same(&c, &none));
}

/* An IOMMU provides addresses; it neither cuts entries nor aligns pages. */
static void translated_device(struct kunit *test)
{
#ifdef CONFIG_IOMMU_DMA
	struct device *dev = prime_test_device(test);
	struct dma_buf_constraints c, own, none;

	dma_buf_constraints_init(&none);
	dma_buf_constraints_init(&own);
	own.dma_mask = DMA_BIT_MASK(32);
	own.segment_boundary = SZ_4M - 1;
	own.max_segments = 16;
	own.alignment = SZ_8K;
	own.flags = DMA_BUF_CONSTRAINT_CONTIGUOUS;
	own.pitch_align = 64;
	own.offset_align = 256;
	own.size_align = SZ_64K;
	KUNIT_ASSERT_EQ(test, devm_dma_buf_constraints_set(dev, &own), 0);
	dev_set_dma_iommu(dev);
	/* What the driver said holds for the device's table. */
	dma_buf_constraints_from_device(&c, dev);
	KUNIT_EXPECT_TRUE(test, same(&c, &own));
	dma_buf_constraints_of_storage(&c, dev, SZ_1M);
	dev_clear_dma_iommu(dev);
	KUNIT_EXPECT_EQ(test, c.dma_mask, none.dma_mask);
	KUNIT_EXPECT_EQ(test, c.segment_boundary, none.segment_boundary);
	KUNIT_EXPECT_EQ(test, c.max_segments, none.max_segments);
	KUNIT_EXPECT_EQ(test, c.max_segment_size, SZ_4M);
	KUNIT_EXPECT_EQ(test, c.alignment, SZ_8K);
	KUNIT_EXPECT_EQ(test, c.flags, DMA_BUF_CONSTRAINT_TRANSLATED);
	/* How an image lies in the buffer is the same behind an IOMMU. */
	KUNIT_EXPECT_EQ(test, c.pitch_align, 64);
	KUNIT_EXPECT_EQ(test, c.offset_align, 256);
	KUNIT_EXPECT_EQ(test, c.size_align, SZ_64K);
#else
	kunit_skip(test, "CONFIG_IOMMU_DMA is off");
#endif
}

/* The bus of BCM2711: its peripherals see the first GiB from 0xc0000000 on. */
static const struct bus_dma_region bcm2711_ranges[] = {
	{ .cpu_start = 0xfc000000, .dma_start = 0x7c000000, .size = 0x03800000 },
	{ .cpu_start = 0, .dma_start = 0xc0000000, .size = SZ_1G },
	{ }
};

struct reach_case {
	const char *name;
	const struct bus_dma_region *ranges;
	u64 bus, memory;
};

static const struct reach_case reach_cases[] = {
	{ "no_ranges", NULL, DMA_BIT_MASK(36), DMA_BIT_MASK(36) },
	{ "bcm2711", bcm2711_ranges, DMA_BIT_MASK(32), SZ_1G - 1 },
	{ "bcm2711_narrow", bcm2711_ranges, 0xcfffffff, SZ_256M - 1 },
	{ "bcm2711_beside_memory", bcm2711_ranges, DMA_BIT_MASK(31), 0 },
};

KUNIT_ARRAY_PARAM_DESC(reach, reach_cases, name);

/* A mask is about the bus; storage has addresses of memory. */
static void bus_is_not_memory(struct kunit *test)
{
	const struct reach_case *p = test->param_value;
	struct device *dev = prime_test_device(test);
	struct dma_buf_constraints c;

	dev->dma_range_map = p->ranges;
	dma_buf_constraints_init(&c);
	c.dma_mask = p->bus;
	dma_buf_constraints_of_storage(&c, dev, SZ_4K);
	KUNIT_EXPECT_EQ(test, c.dma_mask, p->memory);
	dev->dma_range_map = NULL;
}

/* For a device that snoops caches all storage is coherent. */
static void coherence_is_demanded(struct kunit *test)
{
	struct device *dev = prime_test_device(test);
	struct dma_buf_constraints c;

	dma_buf_constraints_init(&c);
	c.flags = DMA_BUF_CONSTRAINT_COHERENT;
	dma_buf_constraints_of_storage(&c, dev, SZ_4K);
	KUNIT_EXPECT_EQ(test, c.flags,
			dev_is_dma_coherent(dev) ? 0 : DMA_BUF_CONSTRAINT_COHERENT);
}

/* example: override */
static int engine_probe_constraints(struct device *dev)
{
	struct dma_buf_constraints c;

	/* What the DMA API knows, and seven descriptors. */
	dma_buf_constraints_from_device(&c, dev);
	c.max_segments = 7;
	return devm_dma_buf_constraints_set(dev, &c);
}

/* example: end */

static void driver_overrides(struct kunit *test)
{
	struct device *dev = prime_test_device(test);
	struct device *other = prime_test_device(test);
	struct dma_buf_constraints c, set;

	dma_buf_constraints_from_device(&set, dev);
	set.max_segments = 7;
	KUNIT_ASSERT_EQ(test, engine_probe_constraints(dev), 0);
	dma_buf_constraints_from_device(&c, dev);
	KUNIT_EXPECT_TRUE(test, same(&c, &set));
	set.max_segments = 1;
	set.flags = DMA_BUF_CONSTRAINT_CONTIGUOUS;
	KUNIT_ASSERT_EQ(test, devm_dma_buf_constraints_set(dev, &set), 0);
	dma_buf_constraints_from_device(&c, dev);
	KUNIT_EXPECT_TRUE(test, same(&c, &set));
	/* Another device is none of its business. */
	dma_buf_constraints_from_device(&c, other);
	KUNIT_EXPECT_FALSE(test, same(&c, &set));
	/* The driver leaves. */
	device_release_driver(dev);
	dma_buf_constraints_from_device(&c, dev);
	KUNIT_EXPECT_EQ(test, c.max_segments, UINT_MAX);
}

static void nonsense_is_refused(struct kunit *test)
{
	struct device *dev = prime_test_device(test);
	struct dma_buf_constraints c, was;

#define EXPECT_REFUSED(field, value)						\
	do {									\
		dma_buf_constraints_init(&c);					\
		c.field = value;						\
		KUNIT_EXPECT_EQ_MSG(test, devm_dma_buf_constraints_set(dev, &c), -EINVAL, #field); \
	} while (0)

	EXPECT_REFUSED(dma_mask, 0);
	EXPECT_REFUSED(segment_boundary, 0);
	EXPECT_REFUSED(segment_boundary, SZ_64K);
	EXPECT_REFUSED(max_segment_size, 0);
	EXPECT_REFUSED(max_segments, 0);
	EXPECT_REFUSED(alignment, 0);
	EXPECT_REFUSED(alignment, 3 * SZ_4K);
	EXPECT_REFUSED(length_align, 0);
	EXPECT_REFUSED(length_align, 3);
	EXPECT_REFUSED(pitch_align, 0);
	EXPECT_REFUSED(pitch_align, 48);
	EXPECT_REFUSED(offset_align, 0);
	EXPECT_REFUSED(offset_align, 3);
	EXPECT_REFUSED(size_align, 0);
	EXPECT_REFUSED(size_align, 3 * SZ_4K);
	EXPECT_REFUSED(use, DMA_BUF_USE_READ);
	/* Bit 1 was a guess of the first version. */
	EXPECT_REFUSED(flags, 1 << 1);
	EXPECT_REFUSED(flags, 1 << 4);
#undef EXPECT_REFUSED
	dma_buf_constraints_init(&c);
	c.max_segment_size = SZ_64K;
	c.length_align = SZ_128K;
	KUNIT_EXPECT_EQ(test, devm_dma_buf_constraints_set(dev, &c), -EINVAL);
	dma_buf_constraints_init(&c);
	c.segment_boundary = SZ_64K - 1;
	c.length_align = SZ_128K;
	KUNIT_EXPECT_EQ(test, devm_dma_buf_constraints_set(dev, &c), -EINVAL);
	dma_buf_constraints_init(&c);
	c.dma_mask = DMA_BIT_MASK(16);
	c.alignment = SZ_64K;
	KUNIT_EXPECT_EQ(test, devm_dma_buf_constraints_set(dev, &c), -EINVAL);
	/* None of them was kept. */
	dma_buf_constraints_from_device(&was, dev);
	KUNIT_EXPECT_EQ(test, was.max_segment_size, SZ_64K);
	KUNIT_EXPECT_EQ(test, was.alignment, 1);
}

static int constraints_init(struct kunit *test)
{
	prandom_seed_state(&rnd, 20110811);
	return 0;
}

static struct kunit_case dma_buf_constraints_cases[] = {
	KUNIT_CASE(merge_commutes),
	KUNIT_CASE(merge_associates),
	KUNIT_CASE(merge_is_idempotent),
	KUNIT_CASE(merge_is_both),
	KUNIT_CASE(size_is_necessary),
	KUNIT_CASE(one_run_suits),
	KUNIT_CASE(table_names_the_field),
	KUNIT_CASE(merge_names_the_field),
	KUNIT_CASE(segments_do_not_contradict),
	KUNIT_CASE(contiguous_is_one_segment),
	KUNIT_CASE(empty_entry_is_none),
	KUNIT_CASE(size_names_the_field),
	KUNIT_CASE(alignment_beyond_the_segment),
	KUNIT_CASE(device_tells),
	KUNIT_CASE(device_without_mask),
	KUNIT_CASE(translated_device),
	KUNIT_CASE_PARAM(bus_is_not_memory, reach_gen_params),
	KUNIT_CASE(coherence_is_demanded),
	KUNIT_CASE(driver_overrides),
	KUNIT_CASE(nonsense_is_refused),
	{}
};

static struct kunit_suite dma_buf_constraints_suite = {
	.name = "dma_buf_constraints",
	.init = constraints_init,
	.test_cases = dma_buf_constraints_cases,
};

kunit_test_suite(dma_buf_constraints_suite);
