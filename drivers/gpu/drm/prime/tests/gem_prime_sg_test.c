// SPDX-License-Identifier: GPL-2.0
/*
 * Scatter lists: from pages, to pages, to addresses, and how far they run on.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "mock_drm.h"

#define SG_ORDER	2
#define SG_PAGES	BIT(SG_ORDER)

struct sg_fixture {
	struct mock_drm *mock;
	struct page *block;
	struct page *pages[SG_PAGES];
};

static void free_block(void *block)
{
	__free_pages(block, SG_ORDER);
}

static void free_table(void *sgt)
{
	sg_free_table(sgt);
	kfree(sgt);
}

static int sg_init(struct kunit *test)
{
	struct sg_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, fix);
	fix->mock = mock_drm_create(test);
	fix->block = alloc_pages(GFP_KERNEL, SG_ORDER);
	KUNIT_ASSERT_NOT_NULL(test, fix->block);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_block, fix->block), 0);
	for (i = 0; i < SG_PAGES; i++)
		fix->pages[i] = fix->block + i;
	test->priv = fix;
	return 0;
}

static struct sg_table *pages_to_sg(struct kunit *test, unsigned int n)
{
	struct sg_fixture *fix = test->priv;
	struct sg_table *sgt = drm_prime_pages_to_sg(fix->mock->drm, fix->pages, n);

	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_table, sgt), 0);
	return sgt;
}

static void contiguous_pages(struct kunit *test)
{
	struct sg_fixture *fix = test->priv;
	struct sg_table *sgt = pages_to_sg(test, SG_PAGES);

	KUNIT_EXPECT_EQ(test, sgt->orig_nents, 1);
	KUNIT_EXPECT_PTR_EQ(test, sg_page(sgt->sgl), fix->block);
	KUNIT_EXPECT_EQ(test, sgt->sgl->length, SG_PAGES * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, sgt->sgl->offset, 0);
}

static void scattered_pages(struct kunit *test)
{
	struct sg_fixture *fix = test->priv;
	struct page *back[SG_PAGES];
	struct sg_table *sgt;
	int i;

	swap(fix->pages[0], fix->pages[3]);
	sgt = pages_to_sg(test, SG_PAGES);
	KUNIT_EXPECT_EQ(test, sgt->orig_nents, 3);
	KUNIT_ASSERT_EQ(test, drm_prime_sg_to_page_array(sgt, back, SG_PAGES), 0);
	for (i = 0; i < SG_PAGES; i++)
		KUNIT_EXPECT_PTR_EQ(test, back[i], fix->pages[i]);
}

/* Without a device nothing limits a segment. */
static void without_device(struct kunit *test)
{
	struct sg_fixture *fix = test->priv;
	struct sg_table *sgt = drm_prime_pages_to_sg(NULL, fix->pages, SG_PAGES);

	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_EQ(test, sgt->orig_nents, 1);
	free_table(sgt);
}

static void to_page_array(struct kunit *test)
{
	struct sg_fixture *fix = test->priv;
	struct page *back[SG_PAGES + 1] = {};
	int i;

	KUNIT_ASSERT_EQ(test, drm_prime_sg_to_page_array(pages_to_sg(test, SG_PAGES), back,
							 SG_PAGES + 1), 0);
	for (i = 0; i < SG_PAGES; i++)
		KUNIT_EXPECT_PTR_EQ(test, back[i], fix->pages[i]);
	KUNIT_EXPECT_NULL(test, back[SG_PAGES]);
}

static void to_page_array_too_small(struct kunit *test)
{
	struct page *back[SG_PAGES] = {};

	PRIME_TEST_NEEDS_WARN(test);
	prime_test_twice()
		KUNIT_EXPECT_LT(test, drm_prime_sg_to_page_array(pages_to_sg(test, SG_PAGES), back,
								 SG_PAGES - 1), 0);
	KUNIT_EXPECT_NULL(test, back[SG_PAGES - 1]);
}

/* A table of segments at the given addresses, as a mapping would leave it. */
static struct sg_table *dma_table(struct kunit *test, const dma_addr_t *addr,
				  const unsigned int *pages, int n)
{
	struct sg_table *sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	struct sg_fixture *fix = test->priv;
	struct scatterlist *sg;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, sgt);
	KUNIT_ASSERT_EQ(test, sg_alloc_table(sgt, n, GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_table, sgt), 0);
	for_each_sgtable_sg(sgt, sg, i) {
		sg_set_page(sg, fix->block, pages[i] * PAGE_SIZE, 0);
		sg_dma_address(sg) = addr[i];
		sg_dma_len(sg) = pages[i] * PAGE_SIZE;
	}
	sgt->nents = n;
	return sgt;
}

#define SG_BASE	((dma_addr_t)SZ_1G)

struct contiguous_case {
	const char *name;
	int n;
	dma_addr_t addr[3];
	unsigned int pages[3];
	unsigned long contiguous;
};

static const struct contiguous_case contiguous_cases[] = {
	{ "one", 1, { SG_BASE }, { 3 }, 3 },
	{ "two_adjacent", 2, { SG_BASE, SG_BASE + 2 * PAGE_SIZE }, { 2, 1 }, 3 },
	{ "three_adjacent", 3, { SG_BASE, SG_BASE + PAGE_SIZE, SG_BASE + 2 * PAGE_SIZE },
	  { 1, 1, 4 }, 6 },
	{ "hole", 2, { SG_BASE, SG_BASE + 3 * PAGE_SIZE }, { 2, 1 }, 2 },
	{ "backwards", 2, { SG_BASE, SG_BASE - PAGE_SIZE }, { 1, 1 }, 1 },
	{ "hole_then_adjacent", 3,
	  { SG_BASE, SG_BASE + 4 * PAGE_SIZE, SG_BASE + 5 * PAGE_SIZE }, { 2, 1, 1 }, 2 },
	{ "adjacent_then_hole", 3,
	  { SG_BASE, SG_BASE + PAGE_SIZE, SG_BASE + 9 * PAGE_SIZE }, { 1, 2, 1 }, 3 },
	{ "nothing_then_adjacent", 3, { SG_BASE, SG_BASE + PAGE_SIZE, SG_BASE + PAGE_SIZE },
	  { 1, 0, 1 }, 1 },
};

KUNIT_ARRAY_PARAM_DESC(contiguous, contiguous_cases, name);

static void contiguous_size(struct kunit *test)
{
	const struct contiguous_case *param = test->param_value;
	struct sg_table *sgt = dma_table(test, param->addr, param->pages, param->n);

	KUNIT_EXPECT_EQ(test, drm_prime_get_contiguous_size(sgt), param->contiguous * PAGE_SIZE);
}

/* Only mapped segments count. There can be fewer of them than entries with pages. */
static void contiguous_size_merged(struct kunit *test)
{
	const dma_addr_t addr[] = { SG_BASE, SG_BASE + 2 * PAGE_SIZE };
	const unsigned int pages[] = { 2, 2 };
	struct sg_table *sgt = dma_table(test, addr, pages, 2);

	sgt->nents = 1;
	KUNIT_EXPECT_EQ(test, drm_prime_get_contiguous_size(sgt), 2 * PAGE_SIZE);
}

static void to_addr_array(struct kunit *test)
{
	const dma_addr_t addr[] = { SG_BASE, SG_BASE + 9 * PAGE_SIZE };
	const unsigned int pages[] = { 2, 1 };
	struct sg_table *sgt = dma_table(test, addr, pages, 2);
	dma_addr_t back[4] = {};

	KUNIT_ASSERT_EQ(test, drm_prime_sg_to_dma_addr_array(sgt, back, 3), 0);
	KUNIT_EXPECT_EQ(test, back[0], SG_BASE);
	KUNIT_EXPECT_EQ(test, back[1], SG_BASE + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, back[2], SG_BASE + 9 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, back[3], 0);
}

static void to_addr_array_too_small(struct kunit *test)
{
	const dma_addr_t addr[] = { SG_BASE, SG_BASE + 9 * PAGE_SIZE };
	const unsigned int pages[] = { 2, 1 };
	struct sg_table *sgt = dma_table(test, addr, pages, 2);
	dma_addr_t back[3] = {};

	PRIME_TEST_NEEDS_WARN(test);
	prime_test_twice()
		KUNIT_EXPECT_LT(test, drm_prime_sg_to_dma_addr_array(sgt, back, 2), 0);
	KUNIT_EXPECT_EQ(test, back[2], 0);
}

static void free_pages_array(void *pages)
{
	kvfree(pages);
}

/* The bytes of more than 4 GiB are not counted in 32 bits. Here they are a few pages many times. */
static void pages_beyond_4g(struct kunit *test)
{
	const unsigned int n = (SZ_4G >> PAGE_SHIFT) + 2;
	struct sg_fixture *fix = test->priv;
	struct scatterlist *sg;
	struct sg_table *sgt;
	struct page **pages;
	u64 bytes = 0;
	unsigned int i;

	pages = kvmalloc_array(n, sizeof(*pages), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_pages_array, pages), 0);
	for (i = 0; i < n; i++)
		pages[i] = fix->block + i % SG_PAGES;
	sgt = drm_prime_pages_to_sg(NULL, pages, n);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_table, sgt), 0);
	for_each_sgtable_sg(sgt, sg, i)
		bytes += sg->length;
	KUNIT_EXPECT_EQ(test, bytes, (u64)n << PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, sgt->orig_nents, DIV_ROUND_UP(n, SG_PAGES));
}

static struct kunit_case gem_prime_sg_cases[] = {
	KUNIT_CASE(contiguous_pages),
	KUNIT_CASE(scattered_pages),
	KUNIT_CASE(without_device),
	KUNIT_CASE(to_page_array),
	KUNIT_CASE(to_page_array_too_small),
	KUNIT_CASE_PARAM(contiguous_size, contiguous_gen_params),
	KUNIT_CASE(contiguous_size_merged),
	KUNIT_CASE(to_addr_array),
	KUNIT_CASE(to_addr_array_too_small),
	KUNIT_CASE(pages_beyond_4g),
	{}
};

static struct kunit_suite gem_prime_sg_suite = {
	.name = "gem_prime_sg",
	.init = sg_init,
	.test_cases = gem_prime_sg_cases,
};

kunit_test_suite(gem_prime_sg_suite);
