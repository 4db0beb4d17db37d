// SPDX-License-Identifier: GPL-2.0
/*
 * What Linux 7.3 does and 6.12 does not: importers that pin a buffer for as long
 * as they map it, and so have no callback to be told of a move.
 */
#include "mock_exporter.h"
#include "mock_importer.h"

struct nocallback_fixture {
	struct mock_exporter *exp;
	struct mock_importer *imp;
	struct mock_importer *told;	/* has a callback */
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	struct dma_buf_attachment *told_attach;
};

static void detach_both(void *data)
{
	struct nocallback_fixture *fix = data;

	dma_buf_detach(fix->dmabuf, fix->attach);
	dma_buf_detach(fix->dmabuf, fix->told_attach);
}

static int nocallback_init(struct kunit *test)
{
	struct nocallback_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fix);
	fix->exp = mock_exporter_create(test, true);
	fix->imp = mock_importer_create(test, true);
	fix->imp->ops.invalidate_mappings = NULL;
	fix->told = mock_importer_create(test, true);
	fix->dmabuf = mock_exporter_export(fix->exp);
	fix->attach = mock_importer_attach(fix->imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(fix->attach));
	fix->told_attach = mock_importer_attach(fix->told, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(fix->told_attach));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, detach_both, fix), 0);
	test->priv = fix;
	return 0;
}

/* Only callbacks that exist are called. */
static void others_are_told(struct kunit *test)
{
	struct nocallback_fixture *fix = test->priv;

	dma_resv_lock(fix->dmabuf->resv, NULL);
	dma_buf_invalidate_mappings(fix->dmabuf);
	dma_resv_unlock(fix->dmabuf->resv);
	KUNIT_EXPECT_EQ(test, mock_calls(&fix->imp->invalidate), 0);
	KUNIT_EXPECT_EQ(test, mock_calls(&fix->told->invalidate), 1);
}

/* As RDMA does: pin, map, hold both for long. The core adds no pin of its own. */
static void pins_before_map(struct kunit *test)
{
	struct nocallback_fixture *fix = test->priv;
	struct sg_table *sgt;

	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_PIN, 0);
	dma_resv_lock(fix->dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_buf_pin(fix->attach), 0);
	sgt = dma_buf_map_attachment(fix->attach, DMA_BIDIRECTIONAL);
	dma_resv_unlock(fix->dmabuf->resv);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_PIN, 1);
	dma_resv_lock(fix->dmabuf->resv, NULL);
	dma_buf_unmap_attachment(fix->attach, sgt, DMA_BIDIRECTIONAL);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNPIN, 0);
	dma_buf_unpin(fix->attach);
	dma_resv_unlock(fix->dmabuf->resv);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNPIN, 1);
}

/* Map, then pin: the pin holds what is mapped already. */
static void maps_before_pin(struct kunit *test)
{
	struct nocallback_fixture *fix = test->priv;
	struct sg_table *sgt;

	dma_resv_lock(fix->dmabuf->resv, NULL);
	sgt = dma_buf_map_attachment(fix->attach, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_FALSE(test, IS_ERR(sgt));
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_PIN, 0);
	KUNIT_EXPECT_EQ(test, dma_buf_pin(fix->attach), 0);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_MAP, 1);
	if (!IS_ERR(sgt))
		dma_buf_unmap_attachment(fix->attach, sgt, DMA_BIDIRECTIONAL);
	dma_buf_unpin(fix->attach);
	dma_resv_unlock(fix->dmabuf->resv);
	mock_exporter_expect_unused(fix->exp);
}

static void not_revocable(struct kunit *test)
{
	struct nocallback_fixture *fix = test->priv;

	KUNIT_EXPECT_FALSE(test, dma_buf_attach_revocable(fix->attach));
	KUNIT_EXPECT_TRUE(test, dma_buf_attach_revocable(fix->told_attach));
}

static struct kunit_case dma_buf_nocallback_cases[] = {
	KUNIT_CASE(others_are_told),
	KUNIT_CASE(pins_before_map),
	KUNIT_CASE(maps_before_pin),
	KUNIT_CASE(not_revocable),
	{}
};

static struct kunit_suite dma_buf_nocallback_suite = {
	.name = "dma_buf_nocallback",
	.init = nocallback_init,
	.test_cases = dma_buf_nocallback_cases,
};

kunit_test_suite(dma_buf_nocallback_suite);
