// SPDX-License-Identifier: GPL-2.0
/*
 * What Linux 6.12 does and 7.3 does not: the core keeps a table for an attachment,
 * from its first map on or from attach on, and every dynamic importer has a callback.
 */
#include "mock_exporter.h"
#include "mock_importer.h"

struct kept_fixture {
	struct mock_exporter *exp;
	struct mock_importer *imp;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
};

static void kept_detach(void *data)
{
	struct kept_fixture *fix = data;

	dma_buf_detach(fix->dmabuf, fix->attach);
}

static struct kept_fixture *kept_setup(struct kunit *test)
{
	struct kept_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fix);
	fix->exp = mock_exporter_create(test, false);
	fix->exp->ops.cache_sgt_mapping = true;
	fix->imp = mock_importer_create(test, false);
	fix->dmabuf = mock_exporter_export(fix->exp);
	fix->attach = mock_importer_attach(fix->imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(fix->attach));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, kept_detach, fix), 0);
	return fix;
}

static struct sg_table *map(struct kept_fixture *fix, enum dma_data_direction dir)
{
	return dma_buf_map_attachment_unlocked(fix->attach, dir);
}

static void unmap(struct kept_fixture *fix, struct sg_table *sgt, enum dma_data_direction dir)
{
	dma_buf_unmap_attachment_unlocked(fix->attach, sgt, dir);
}

static void kept_same_table(struct kunit *test)
{
	struct kept_fixture *fix = kept_setup(test);
	struct sg_table *one, *two;

	one = map(fix, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(one));
	KUNIT_EXPECT_PTR_EQ(test, fix->attach->sgt, one);
	KUNIT_EXPECT_EQ(test, fix->attach->dir, DMA_TO_DEVICE);
	two = map(fix, DMA_TO_DEVICE);
	KUNIT_EXPECT_PTR_EQ(test, one, two);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_MAP, 1);
	unmap(fix, two, DMA_TO_DEVICE);
	unmap(fix, one, DMA_TO_DEVICE);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNMAP, 0);
	KUNIT_EXPECT_PTR_EQ(test, map(fix, DMA_TO_DEVICE), one);
	unmap(fix, one, DMA_TO_DEVICE);
	kunit_release_action(test, kept_detach, fix);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNMAP, 1);
	KUNIT_EXPECT_TRUE(test, fix->exp->op[MOCK_UNMAP].resv_locked);
}

static void kept_other_direction(struct kunit *test)
{
	struct kept_fixture *fix = kept_setup(test);
	struct sg_table *sgt = map(fix, DMA_TO_DEVICE);

	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_EQ(test, PTR_ERR(map(fix, DMA_FROM_DEVICE)), -EBUSY);
	KUNIT_EXPECT_EQ(test, PTR_ERR(map(fix, DMA_BIDIRECTIONAL)), -EBUSY);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_MAP, 1);
	unmap(fix, sgt, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(map(fix, DMA_FROM_DEVICE)), -EBUSY);
}

static void kept_bidirectional(struct kunit *test)
{
	struct kept_fixture *fix = kept_setup(test);
	struct sg_table *sgt = map(fix, DMA_BIDIRECTIONAL);

	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_PTR_EQ(test, map(fix, DMA_TO_DEVICE), sgt);
	KUNIT_EXPECT_PTR_EQ(test, map(fix, DMA_FROM_DEVICE), sgt);
	unmap(fix, sgt, DMA_FROM_DEVICE);
	unmap(fix, sgt, DMA_TO_DEVICE);
	unmap(fix, sgt, DMA_BIDIRECTIONAL);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_MAP, 1);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNMAP, 0);
}

/* A failed map must not be kept. */
static void kept_failure(struct kunit *test)
{
	struct kept_fixture *fix = kept_setup(test);
	struct sg_table *sgt;

	mock_exporter_fail(fix->exp, MOCK_MAP, 1, -EIO);
	KUNIT_EXPECT_EQ(test, PTR_ERR(map(fix, DMA_TO_DEVICE)), -EIO);
	KUNIT_EXPECT_NULL(test, fix->attach->sgt);
	sgt = map(fix, DMA_FROM_DEVICE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_EQ(test, fix->attach->dir, DMA_FROM_DEVICE);
	unmap(fix, sgt, DMA_FROM_DEVICE);
}

/* A table that is kept can't follow a move. */
static void kept_and_pin_refused(struct kunit *test)
{
	struct dma_buf_export_info info;
	struct mock_exporter *exp;

	PRIME_TEST_NEEDS_WARN(test);
	exp = mock_exporter_create(test, true);
	exp->ops.cache_sgt_mapping = true;
	mock_exporter_info(exp, &info);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_export(&info)), -EINVAL);
}

/* Where one side can't follow a move, attach maps in both directions. */
static void kept_from_attach(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct dma_buf *dmabuf = mock_exporter_export(exp);
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	attach = mock_importer_attach(mock_importer_create(test, true), dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	KUNIT_EXPECT_NOT_NULL(test, attach->sgt);
	KUNIT_EXPECT_EQ(test, attach->dir, DMA_BIDIRECTIONAL);
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_EXPECT_PTR_EQ(test, sgt, attach->sgt);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, attach);
}

static void no_callback_refused(struct kunit *test)
{
	struct mock_exporter *exp;
	struct mock_importer *imp;
	struct dma_buf *dmabuf;

	PRIME_TEST_NEEDS_WARN(test);
	exp = mock_exporter_create(test, true);
	imp = mock_importer_create(test, true);
	dmabuf = mock_exporter_export(exp);
	imp->ops.move_notify = NULL;
	KUNIT_EXPECT_EQ(test, PTR_ERR(mock_importer_attach(imp, dmabuf)), -EINVAL);
	MOCK_EXPECT_CALLS(test, exp, MOCK_ATTACH, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&dmabuf->attachments));
}

static struct kunit_case dma_buf_kept_cases[] = {
	KUNIT_CASE(kept_same_table),
	KUNIT_CASE(kept_other_direction),
	KUNIT_CASE(kept_bidirectional),
	KUNIT_CASE(kept_failure),
	KUNIT_CASE(kept_and_pin_refused),
	KUNIT_CASE(kept_from_attach),
	KUNIT_CASE(no_callback_refused),
	{}
};

static struct kunit_suite dma_buf_kept_suite = {
	.name = "dma_buf_kept",
	.test_cases = dma_buf_kept_cases,
};

kunit_test_suite(dma_buf_kept_suite);
