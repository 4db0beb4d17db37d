// SPDX-License-Identifier: GPL-2.0
/*
 * Attaching and detaching: static and dynamic exporters and importers crossed,
 * each way to fail, who is told of a move.
 */
#include "mock_exporter.h"
#include "mock_importer.h"

struct attach_case {
	const char *name;
	bool exporter_dynamic;
	bool importer_dynamic;
};

static const struct attach_case attach_cases[] = {
	{ "static_exporter_static_importer", false, false },
	{ "static_exporter_dynamic_importer", false, true },
	{ "dynamic_exporter_static_importer", true, false },
	{ "dynamic_exporter_dynamic_importer", true, true },
};

KUNIT_ARRAY_PARAM_DESC(attach, attach_cases, name);

struct attach_fixture {
	struct mock_exporter *exp;
	struct mock_importer *imp;
	struct dma_buf *dmabuf;
	bool mixed;
};

static struct attach_fixture *attach_setup(struct kunit *test, bool exporter_dynamic,
					   bool importer_dynamic)
{
	struct attach_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fix);
	fix->exp = mock_exporter_create(test, exporter_dynamic);
	fix->imp = mock_importer_create(test, importer_dynamic);
	fix->dmabuf = mock_exporter_export(fix->exp);
	fix->mixed = exporter_dynamic != importer_dynamic;
	return fix;
}

static struct attach_fixture *attach_setup_param(struct kunit *test)
{
	const struct attach_case *param = test->param_value;

	return attach_setup(test, param->exporter_dynamic, param->importer_dynamic);
}

static struct dma_buf_attachment *attach_ok(struct kunit *test, struct attach_fixture *fix)
{
	struct dma_buf_attachment *attach = mock_importer_attach(fix->imp, fix->dmabuf);

	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(attach), "attach: %ld", PTR_ERR(attach));
	return attach;
}

/* An attach fails with @err and leaves nothing behind. So far detach ran @detached times. */
static void attach_fails(struct kunit *test, struct attach_fixture *fix, int err, int detached)
{
	struct dma_buf_attachment *attach = mock_importer_attach(fix->imp, fix->dmabuf);

	KUNIT_EXPECT_EQ(test, PTR_ERR(attach), (long)err);
	if (!IS_ERR(attach))
		dma_buf_detach(fix->dmabuf, attach);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_DETACH, detached);
	KUNIT_EXPECT_TRUE(test, list_empty(&fix->dmabuf->attachments));
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(fix->dmabuf->resv));
	mock_exporter_expect_balanced(fix->exp);
}

static void attach_fields(struct kunit *test)
{
	const struct attach_case *param = test->param_value;
	struct attach_fixture *fix = attach_setup_param(test);
	struct dma_buf_attachment *attach = attach_ok(test, fix);

	KUNIT_EXPECT_PTR_EQ(test, attach->dmabuf, fix->dmabuf);
	KUNIT_EXPECT_PTR_EQ(test, attach->dev, fix->imp->dev);
	KUNIT_EXPECT_PTR_EQ(test, attach->importer_ops,
			    param->importer_dynamic ?
			    (const struct dma_buf_attach_ops *)&fix->imp->ops : NULL);
	KUNIT_EXPECT_PTR_EQ(test, attach->importer_priv,
			    param->importer_dynamic ? (void *)fix->imp : NULL);
	KUNIT_EXPECT_FALSE(test, attach->peer2peer);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&fix->dmabuf->attachments));
	KUNIT_EXPECT_EQ(test, dma_buf_is_dynamic(fix->dmabuf), param->exporter_dynamic);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_ATTACH, 1);
	KUNIT_EXPECT_FALSE(test, fix->exp->op[MOCK_ATTACH].resv_locked);

	dma_buf_detach(fix->dmabuf, attach);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_DETACH, 1);
	KUNIT_EXPECT_FALSE(test, fix->exp->op[MOCK_DETACH].resv_locked);
	KUNIT_EXPECT_TRUE(test, list_empty(&fix->dmabuf->attachments));
	mock_exporter_expect_balanced(fix->exp);
}

/* Whether the buffer is mapped for good at attach. */
static bool attach_maps(struct attach_fixture *fix)
{
	return DMA_BUF_MAPS_AT_ATTACH && fix->mixed;
}

/* One map and its unmap, and how often they pin and map. */
static void map_once(struct kunit *test, struct attach_fixture *fix,
		     struct dma_buf_attachment *attach, int pins, int maps)
{
	int pinned = mock_exporter_calls(fix->exp, MOCK_PIN);
	int mapped = mock_exporter_calls(fix->exp, MOCK_MAP);
	int unpinned = mock_exporter_calls(fix->exp, MOCK_UNPIN);
	int unmapped = mock_exporter_calls(fix->exp, MOCK_UNMAP);
	struct sg_table *sgt;

	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_PIN, pinned + pins);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_MAP, mapped + maps);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNPIN, unpinned + pins);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNMAP, unmapped + maps);
}

/*
 * Where one side cannot follow a move, 6.12 maps the buffer for good at attach.
 * 7.3 maps nothing before the importer asks, and pins for a static one then.
 */
static void attach_maps_when_mixed(struct kunit *test)
{
	const struct attach_case *param = test->param_value;
	struct attach_fixture *fix = attach_setup_param(test);
	struct dma_buf_attachment *attach = attach_ok(test, fix);
	bool follows = param->importer_dynamic && DMA_BUF_FOLLOWS_MOVES;
	bool pins = param->exporter_dynamic && !follows;
	int kept = attach_maps(fix), i;

	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_MAP, kept);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_PIN, kept && pins);
	if (kept)
		KUNIT_EXPECT_TRUE(test, fix->exp->op[MOCK_MAP].resv_locked);
	for (i = 0; i < 3; i++)
		map_once(test, fix, attach, !kept && pins, !kept);
	KUNIT_EXPECT_TRUE(test, fix->exp->op[MOCK_MAP].resv_locked);
	if (pins)
		KUNIT_EXPECT_TRUE(test, fix->exp->op[MOCK_PIN].resv_locked);

	dma_buf_detach(fix->dmabuf, attach);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNMAP, kept ? 1 : 3);
	mock_exporter_expect_balanced(fix->exp);
}

static void attach_op_fails(struct kunit *test)
{
	struct attach_fixture *fix = attach_setup_param(test);

	/* Storage that is placed where the device cannot reach it: EBUSY. */
	mock_exporter_fail(fix->exp, MOCK_ATTACH, 1, -EBUSY);
	attach_fails(test, fix, -EBUSY, 0);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_PIN, 0);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_MAP, 0);

	dma_buf_detach(fix->dmabuf, attach_ok(test, fix));
}

static void attach_optional_ops(struct kunit *test)
{
	struct attach_fixture *fix = attach_setup_param(test);
	struct dma_buf_attachment *attach;

	fix->exp->ops.attach = NULL;
	fix->exp->ops.detach = NULL;
	attach = attach_ok(test, fix);
	dma_buf_detach(fix->dmabuf, attach);
	KUNIT_EXPECT_TRUE(test, list_empty(&fix->dmabuf->attachments));
}

/* A map that fails with @err leaves nothing behind, and the next one works. */
static void map_fails(struct kunit *test, struct attach_fixture *fix, int err)
{
	struct dma_buf_attachment *attach = attach_ok(test, fix);
	struct sg_table *sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);

	KUNIT_EXPECT_EQ(test, PTR_ERR(sgt), (long)err);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(fix->dmabuf->resv));
	mock_exporter_expect_unused(fix->exp);
	if (!IS_ERR(sgt))
		dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	dma_buf_detach(fix->dmabuf, attach);
}

static void attach_pin_fails(struct kunit *test)
{
	struct attach_fixture *fix = attach_setup(test, true, false);

	mock_exporter_fail(fix->exp, MOCK_PIN, 1, -ENOSPC);
	if (attach_maps(fix))
		attach_fails(test, fix, -ENOSPC, 1);
	else
		map_fails(test, fix, -ENOSPC);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_MAP, 0);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNPIN, 0);
}

static void attach_map_fails(struct kunit *test)
{
	const struct attach_case *param = test->param_value;
	struct attach_fixture *fix = attach_setup_param(test);
	bool pins = param->exporter_dynamic &&
		    !(param->importer_dynamic && DMA_BUF_FOLLOWS_MOVES);

	mock_exporter_fail(fix->exp, MOCK_MAP, 1, -EIO);
	if (!attach_maps(fix)) {
		/* No mapping is made at attach, so none can fail there. */
		map_fails(test, fix, -EIO);
		MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNPIN, pins);
		fix->exp->map_null = true;
		map_fails(test, fix, -ENOMEM);
		fix->exp->map_null = false;
		return;
	}
	attach_fails(test, fix, -EIO, 1);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNPIN, pins);

	fix->exp->map_null = true;
	attach_fails(test, fix, -ENOMEM, 2);
	fix->exp->map_null = false;
	dma_buf_detach(fix->dmabuf, attach_ok(test, fix));
}

static void attach_of_nothing(struct kunit *test)
{
	struct attach_fixture *fix;

	PRIME_TEST_NEEDS_WARN(test);
	fix = attach_setup(test, false, false);
	prime_test_twice() {
		KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_attach(NULL, fix->imp->dev)), -EINVAL);
		KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_attach(fix->dmabuf, NULL)), -EINVAL);
	}
	KUNIT_EXPECT_TRUE(test, list_empty(&fix->dmabuf->attachments));
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_ATTACH, 0);
}

static void invalidate(struct dma_buf *dmabuf)
{
	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_invalidate_mappings(dmabuf);
	dma_resv_unlock(dmabuf->resv);
}

static void attach_peer2peer(struct kunit *test)
{
	struct attach_fixture *fix = attach_setup(test, true, true);
	struct dma_buf_attachment *attach;

	fix->imp->ops.allow_peer2peer = true;
	attach = attach_ok(test, fix);
	KUNIT_EXPECT_TRUE(test, attach->peer2peer);
	dma_buf_detach(fix->dmabuf, attach);
}

static void detach_of_nothing(struct kunit *test)
{
	struct dma_buf_attachment *attach;
	struct attach_fixture *fix;
	struct dma_buf *other;

	PRIME_TEST_NEEDS_WARN(test);
	fix = attach_setup(test, false, false);
	other = mock_exporter_export(mock_exporter_create(test, false));
	attach = mock_importer_attach(fix->imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	prime_test_twice() {
		dma_buf_detach(fix->dmabuf, NULL);
		dma_buf_detach(NULL, attach);
		dma_buf_detach(other, attach);
	}
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_DETACH, 0);
	KUNIT_EXPECT_EQ(test, list_count_nodes(&fix->dmabuf->attachments), 1);
	dma_buf_detach(fix->dmabuf, attach);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_DETACH, 1);
}

/* An attachment holds no reference on the buffer, but the list knows them all. */
static void attach_many(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, true);
	struct dma_buf *dmabuf = mock_exporter_export(exp);
	struct dma_buf_attachment *attach[4];
	int i;

	for (i = 0; i < ARRAY_SIZE(attach); i++) {
		attach[i] = mock_importer_attach(mock_importer_create(test, i & 1), dmabuf);
		KUNIT_ASSERT_FALSE(test, IS_ERR(attach[i]));
	}
	KUNIT_EXPECT_EQ(test, list_count_nodes(&dmabuf->attachments), ARRAY_SIZE(attach));
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);
	for (i = 0; i < ARRAY_SIZE(attach); i++)
		dma_buf_detach(dmabuf, attach[i ^ 2]);
	KUNIT_EXPECT_TRUE(test, list_empty(&dmabuf->attachments));
}

static void invalidate_reaches_dynamic(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, true);
	struct dma_buf *dmabuf = mock_exporter_export(exp);
	struct dma_buf_attachment *attach[4];
	struct mock_importer *imp[4];
	int i;

	for (i = 0; i < ARRAY_SIZE(imp); i++) {
		imp[i] = mock_importer_create(test, i & 1);
		attach[i] = mock_importer_attach(imp[i], dmabuf);
		KUNIT_ASSERT_FALSE(test, IS_ERR(attach[i]));
	}
	invalidate(dmabuf);
	for (i = 0; i < ARRAY_SIZE(imp); i++) {
		KUNIT_EXPECT_EQ(test, mock_calls(&imp[i]->invalidate), i & 1);
		if (i & 1) {
			KUNIT_EXPECT_PTR_EQ(test, imp[i]->notified, attach[i]);
			KUNIT_EXPECT_TRUE(test, imp[i]->invalidate.resv_locked);
		}
	}
	for (i = 0; i < ARRAY_SIZE(imp); i++)
		dma_buf_detach(dmabuf, attach[i]);

	/* After detach nobody hears of a move. */
	invalidate(dmabuf);
	KUNIT_EXPECT_EQ(test, mock_calls(&imp[1]->invalidate), 1);
}

static bool linked_at_detach;

static void detach_looks(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	linked_at_detach = !list_empty(&dmabuf->attachments);
}

/* When the exporter's detach runs, the attachment is off the list. */
static void detach_unlinks_first(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct mock_importer *imp = mock_importer_create(test, true);
	struct dma_buf_attachment *attach;
	struct dma_buf *dmabuf;

	exp->ops.attach = NULL;
	exp->ops.detach = detach_looks;
	dmabuf = mock_exporter_export(exp);
	attach = mock_importer_attach(imp, dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	linked_at_detach = true;
	dma_buf_detach(dmabuf, attach);
	KUNIT_EXPECT_FALSE(test, linked_at_detach);
}

static struct kunit_case dma_buf_attach_cases[] = {
	KUNIT_CASE_PARAM(attach_fields, attach_gen_params),
	KUNIT_CASE_PARAM(attach_maps_when_mixed, attach_gen_params),
	KUNIT_CASE_PARAM(attach_op_fails, attach_gen_params),
	KUNIT_CASE_PARAM(attach_optional_ops, attach_gen_params),
	KUNIT_CASE_PARAM(attach_map_fails, attach_gen_params),
	KUNIT_CASE(attach_pin_fails),
	KUNIT_CASE(attach_of_nothing),
	KUNIT_CASE(attach_peer2peer),
	KUNIT_CASE(attach_many),
	KUNIT_CASE(detach_of_nothing),
	KUNIT_CASE(invalidate_reaches_dynamic),
	KUNIT_CASE(detach_unlinks_first),
	{}
};

static struct kunit_suite dma_buf_attach_suite = {
	.name = "dma_buf_attach",
	.test_cases = dma_buf_attach_cases,
};

kunit_test_suite(dma_buf_attach_suite);
