// SPDX-License-Identifier: GPL-2.0
/*
 * Mapping, what an importer sees of the table, fences a mapping waits for, pinning.
 */
#include "mock_exporter.h"
#include "mock_importer.h"

struct map_fixture {
	struct mock_exporter *exp;
	struct mock_importer *imp;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
};

static void map_detach(void *data)
{
	struct map_fixture *fix = data;

	dma_buf_detach(fix->dmabuf, fix->attach);
}

static struct map_fixture *map_setup(struct kunit *test, bool dynamic)
{
	struct map_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fix);
	fix->exp = mock_exporter_create(test, dynamic);
	fix->imp = mock_importer_create(test, dynamic);
	fix->dmabuf = mock_exporter_export(fix->exp);
	fix->attach = mock_importer_attach(fix->imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(fix->attach));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, map_detach, fix), 0);
	return fix;
}

static struct sg_table *map(struct map_fixture *fix, enum dma_data_direction dir)
{
	struct sg_table *sgt;

	dma_resv_lock(fix->dmabuf->resv, NULL);
	sgt = dma_buf_map_attachment(fix->attach, dir);
	dma_resv_unlock(fix->dmabuf->resv);
	return sgt;
}

static void unmap(struct map_fixture *fix, struct sg_table *sgt, enum dma_data_direction dir)
{
	dma_resv_lock(fix->dmabuf->resv, NULL);
	dma_buf_unmap_attachment(fix->attach, sgt, dir);
	dma_resv_unlock(fix->dmabuf->resv);
}

/* Both sides static: each map is the exporter's. */
static void map_each_time(struct kunit *test)
{
	struct map_fixture *fix = map_setup(test, false);
	struct sg_table *one, *two;

	one = map(fix, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(one));
	KUNIT_EXPECT_EQ(test, fix->exp->dir, DMA_TO_DEVICE);
	KUNIT_EXPECT_TRUE(test, fix->exp->op[MOCK_MAP].resv_locked);
	two = map(fix, DMA_FROM_DEVICE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(two));
	KUNIT_EXPECT_EQ(test, fix->exp->dir, DMA_FROM_DEVICE);
	KUNIT_EXPECT_PTR_NE(test, one, two);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_MAP, 2);
	unmap(fix, two, DMA_FROM_DEVICE);
	unmap(fix, one, DMA_TO_DEVICE);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNMAP, 2);
	KUNIT_EXPECT_TRUE(test, fix->exp->op[MOCK_UNMAP].resv_locked);
}

static void map_table(struct kunit *test)
{
	struct map_fixture *fix = map_setup(test, false);
	struct sg_table *sgt = map(fix, DMA_BIDIRECTIONAL);

	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_EQ(test, sgt->nents, 1);
	KUNIT_EXPECT_EQ(test, sg_dma_len(sgt->sgl), MOCK_EXPORTER_SIZE);
	KUNIT_EXPECT_EQ(test, sg_dma_address(sgt->sgl),
			(dma_addr_t)page_to_phys(fix->exp->pages));
	/* With debugging on, importers must not find the pages. */
	if (IS_ENABLED(CONFIG_DMABUF_DEBUG))
		KUNIT_EXPECT_PTR_NE(test, sg_page(sgt->sgl), fix->exp->pages);
	else
		KUNIT_EXPECT_PTR_EQ(test, sg_page(sgt->sgl), fix->exp->pages);
	unmap(fix, sgt, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_PTR_EQ(test, fix->exp->unmapped_page, fix->exp->pages);
}

/* What an exporter may hand out: entries for DMA, and entries with pages. */
struct table_shape {
	const char *name;
	unsigned int nents, orig_nents;
};

static const struct table_shape table_shapes[] = {
	{ "nothing", 0, 0 },
	{ "one", 1, 1 },
	{ "chained", 300, 300 },
	{ "no pages", 3, 0 },
	{ "merged", 2, 5 },
};

KUNIT_ARRAY_PARAM_DESC(table_shapes, table_shapes, name);

struct table_exporter {
	const struct table_shape *shape;
	struct sg_table sgt;
	struct sg_table *returned;
};

static struct sg_table *shaped_map(struct dma_buf_attachment *attach,
				   enum dma_data_direction dir)
{
	struct table_exporter *exp = attach->dmabuf->priv;

	return &exp->sgt;
}

static void shaped_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			 enum dma_data_direction dir)
{
	struct table_exporter *exp = attach->dmabuf->priv;

	exp->returned = sgt;
}

static void shaped_release(struct dma_buf *dmabuf)
{
}

static void shaped_fill(struct kunit *test, struct table_exporter *exp)
{
	const unsigned int most = max(exp->shape->nents, exp->shape->orig_nents);
	struct scatterlist *sg;
	unsigned int i;

	if (!most)
		return;
	KUNIT_ASSERT_EQ(test, sg_alloc_table(&exp->sgt, most, GFP_KERNEL), 0);
	for_each_sg(exp->sgt.sgl, sg, most, i) {
		sg_dma_address(sg) = (dma_addr_t)i * 2 * PAGE_SIZE;
		sg_dma_len(sg) = PAGE_SIZE;
	}
	exp->sgt.nents = exp->shape->nents;
	exp->sgt.orig_nents = exp->shape->orig_nents;
}

/* Whatever the shape, the importer sees each address, and the exporter its own table. */
static void map_shape(struct kunit *test)
{
	static const struct dma_buf_ops ops = {
		.map_dma_buf = shaped_map,
		.unmap_dma_buf = shaped_unmap,
		.release = shaped_release,
	};
	struct table_exporter *exp = kunit_kzalloc(test, sizeof(*exp), GFP_KERNEL);
	struct mock_importer *imp = mock_importer_create(test, false);
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf_attachment *attach;
	struct dma_buf *dmabuf;
	struct scatterlist *sg;
	struct sg_table *sgt;
	unsigned int i, most;

	KUNIT_ASSERT_NOT_NULL(test, exp);
	exp->shape = test->param_value;
	most = max(exp->shape->nents, exp->shape->orig_nents);
	shaped_fill(test, exp);
	info.ops = &ops;
	info.size = PAGE_SIZE;
	info.priv = exp;
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	attach = mock_importer_attach(imp, dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));

	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_EQ(test, sgt->nents, exp->shape->nents);
	for_each_sgtable_dma_sg(sgt, sg, i) {
		KUNIT_EXPECT_EQ(test, sg_dma_address(sg), (dma_addr_t)i * 2 * PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, sg_dma_len(sg), PAGE_SIZE);
	}
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_PTR_EQ(test, exp->returned, &exp->sgt);

	dma_buf_detach(dmabuf, attach);
	exp->sgt.orig_nents = most;
	sg_free_table(&exp->sgt);
	dma_buf_put(dmabuf);
}

/*
 * With debugging on, the importer gets a copy that has addresses for DMA and
 * nothing else. Linux 6.12 scrambles the exporter's table instead.
 */
static bool importer_gets_copy(void)
{
	return IS_ENABLED(CONFIG_DMABUF_DEBUG) &&
	       (!DMA_BUF_MAPS_AT_ATTACH || IS_ENABLED(CONFIG_DRM_PRIME_LAYER));
}

static void map_copy(struct kunit *test)
{
	struct map_fixture *fix = map_setup(test, false);
	struct sg_table *sgt = map(fix, DMA_BIDIRECTIONAL);
	struct sg_table *own = fix->exp->table;

	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_EQ(test, sgt != own, importer_gets_copy());
	KUNIT_EXPECT_EQ(test, sgt->nents, own->nents);
	KUNIT_EXPECT_EQ(test, sg_dma_address(sgt->sgl), sg_dma_address(own->sgl));
	KUNIT_EXPECT_EQ(test, sg_dma_len(sgt->sgl), sg_dma_len(own->sgl));
	if (importer_gets_copy()) {
		KUNIT_EXPECT_EQ(test, sgt->orig_nents, own->nents);
		KUNIT_EXPECT_NULL(test, sg_page(sgt->sgl));
		/* Elsewhere the DMA entry has no length of its own, and uses this one. */
		if (IS_ENABLED(CONFIG_NEED_SG_DMA_LENGTH))
			KUNIT_EXPECT_EQ(test, sgt->sgl->length, 0);
		KUNIT_EXPECT_PTR_EQ(test, sg_page(own->sgl), fix->exp->pages);
		KUNIT_EXPECT_EQ(test, own->sgl->length, MOCK_EXPORTER_SIZE);
	}
	unmap(fix, sgt, DMA_BIDIRECTIONAL);
}

/*
 * RDMA shifts and shortens the DMA entries of its table in place, and puts them
 * back before it unmaps. The exporter's table is whole meanwhile if the importer
 * has a copy, and whole again in any case when it gets it back.
 */
static void map_edited(struct kunit *test)
{
	struct map_fixture *fix = map_setup(test, false);
	struct sg_table *sgt = map(fix, DMA_BIDIRECTIONAL);
	struct scatterlist *own = fix->exp->table->sgl;
	dma_addr_t address = sg_dma_address(own);

	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	sg_dma_address(sgt->sgl) += PAGE_SIZE;
	sg_dma_len(sgt->sgl) -= PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, sg_dma_address(own) == address, importer_gets_copy());
	KUNIT_EXPECT_EQ(test, sg_dma_len(own) == MOCK_EXPORTER_SIZE, importer_gets_copy());
	sg_dma_address(sgt->sgl) -= PAGE_SIZE;
	sg_dma_len(sgt->sgl) += PAGE_SIZE;
	unmap(fix, sgt, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, fix->exp->unmapped_address, address);
	KUNIT_EXPECT_EQ(test, fix->exp->unmapped_len, MOCK_EXPORTER_SIZE);
}

static void map_unlocked(struct kunit *test)
{
	struct map_fixture *fix = map_setup(test, false);
	struct sg_table *sgt;

	sgt = dma_buf_map_attachment_unlocked(fix->attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_TRUE(test, fix->exp->op[MOCK_MAP].resv_locked);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(fix->dmabuf->resv));
	dma_buf_unmap_attachment_unlocked(fix->attach, sgt, DMA_TO_DEVICE);
	KUNIT_EXPECT_TRUE(test, fix->exp->op[MOCK_UNMAP].resv_locked);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(fix->dmabuf->resv));
}

static void map_of_nothing(struct kunit *test)
{
	PRIME_TEST_NEEDS_WARN(test);
	prime_test_twice() {
		KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_map_attachment(NULL, DMA_TO_DEVICE)),
				-EINVAL);
		KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_map_attachment_unlocked(NULL, DMA_TO_DEVICE)),
				-EINVAL);
	}
}

/* An attachment that no attach filled in. */
static void map_without_buffer(struct kunit *test)
{
	struct dma_buf_attachment attach = {};

	PRIME_TEST_NEEDS_WARN(test);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_map_attachment(&attach, DMA_TO_DEVICE)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_map_attachment_unlocked(&attach, DMA_TO_DEVICE)),
			-EINVAL);
}

static void pin_of_static(struct kunit *test)
{
	struct map_fixture *fix;

	PRIME_TEST_NEEDS_WARN(test);
	fix = map_setup(test, false);
	dma_resv_lock(fix->dmabuf->resv, NULL);
	prime_test_twice() {
		KUNIT_EXPECT_EQ(test, dma_buf_pin(fix->attach), 0);
		dma_buf_unpin(fix->attach);
	}
	dma_resv_unlock(fix->dmabuf->resv);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_PIN, 0);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNPIN, 0);
}

static void unmap_of_nothing(struct kunit *test)
{
	struct dma_buf_attachment no_buffer = {};
	struct sg_table sgt = {};
	struct map_fixture *fix;

	PRIME_TEST_NEEDS_WARN(test);
	fix = map_setup(test, false);
	prime_test_twice() {
		dma_buf_unmap_attachment_unlocked(fix->attach, NULL, DMA_TO_DEVICE);
		dma_buf_unmap_attachment_unlocked(NULL, NULL, DMA_TO_DEVICE);
		dma_buf_unmap_attachment_unlocked(&no_buffer, &sgt, DMA_TO_DEVICE);
		dma_buf_unmap_attachment(fix->attach, NULL, DMA_TO_DEVICE);
		dma_buf_unmap_attachment(NULL, NULL, DMA_TO_DEVICE);
		dma_buf_unmap_attachment(&no_buffer, &sgt, DMA_TO_DEVICE);
	}
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNMAP, 0);
}

static void map_op_fails(struct kunit *test)
{
	struct map_fixture *fix = map_setup(test, false);

	mock_exporter_fail(fix->exp, MOCK_MAP, 1, -EIO);
	KUNIT_EXPECT_EQ(test, PTR_ERR(map(fix, DMA_TO_DEVICE)), -EIO);
	fix->exp->map_null = true;
	KUNIT_EXPECT_EQ(test, PTR_ERR(map(fix, DMA_TO_DEVICE)), -ENOMEM);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_map_attachment_unlocked(fix->attach, DMA_TO_DEVICE)),
			-ENOMEM);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(fix->dmabuf->resv));
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNMAP, 0);
}

static void map_op_fails_dynamic(struct kunit *test)
{
	struct map_fixture *fix = map_setup(test, true);

	mock_exporter_fail(fix->exp, MOCK_MAP, 1, -EIO);
	KUNIT_EXPECT_EQ(test, PTR_ERR(map(fix, DMA_TO_DEVICE)), -EIO);
	mock_exporter_expect_unused(fix->exp);
	fix->exp->map_null = true;
	KUNIT_EXPECT_EQ(test, PTR_ERR(map(fix, DMA_TO_DEVICE)), -ENOMEM);
	mock_exporter_expect_unused(fix->exp);
}

/*
 * Both sides dynamic: without move notification in the kernel each mapping pins,
 * with it none does.
 */
static void map_dynamic_pins(struct kunit *test)
{
	struct map_fixture *fix = map_setup(test, true);
	int pins = DMA_BUF_FOLLOWS_MOVES ? 0 : 1;
	struct sg_table *sgt = map(fix, DMA_TO_DEVICE);

	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_PIN, pins);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNPIN, 0);
	unmap(fix, sgt, DMA_TO_DEVICE);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNPIN, pins);
	if (pins) {
		mock_exporter_fail(fix->exp, MOCK_PIN, 2, -ENOSPC);
		KUNIT_EXPECT_EQ(test, PTR_ERR(map(fix, DMA_TO_DEVICE)), -ENOSPC);
		MOCK_EXPECT_CALLS(test, fix->exp, MOCK_MAP, 1);
	}
}

/* A static importer cannot look at fences: the map waits for the kernel's. */
static void static_waits_for_kernel_fence(struct kunit *test)
{
	struct map_fixture *fix = map_setup(test, false);
	struct mock_fence *fence;
	struct sg_table *sgt;

	fence = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_KERNEL);
	mock_fence_signal_in(fence, 50);
	sgt = map(fix, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&fence->base));
	unmap(fix, sgt, DMA_TO_DEVICE);
}

static void static_ignores_other_fences(struct kunit *test)
{
	struct map_fixture *fix = map_setup(test, false);
	struct mock_fence *write, *read;
	struct sg_table *sgt;

	write = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_WRITE);
	read = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_READ);
	/* Signalled in the end, so that a wrong wait fails and does not hang. */
	mock_fence_signal_in(write, 3000);
	mock_fence_signal_in(read, 3000);
	sgt = map(fix, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&write->base));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&read->base));
	unmap(fix, sgt, DMA_TO_DEVICE);
}

static void static_wait_interrupted(struct kunit *test)
{
	struct map_fixture *fix = map_setup(test, false);
	struct mock_fence *fence;
	struct sg_table *sgt;

	fence = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_KERNEL);
	mock_fence_signal_in(fence, 3000);
	prime_test_signal_self();
	sgt = map(fix, DMA_TO_DEVICE);
	prime_test_signal_clear();
	KUNIT_EXPECT_EQ(test, PTR_ERR(sgt), -ERESTARTSYS);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&fence->base));
	mock_exporter_expect_unused(fix->exp);
	if (!IS_ERR(sgt))
		unmap(fix, sgt, DMA_TO_DEVICE);
}

/* A dynamic importer has to wait itself. */
static void dynamic_does_not_wait(struct kunit *test)
{
	struct map_fixture *fix = map_setup(test, true);
	struct mock_fence *fence;
	struct sg_table *sgt;

	fence = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_KERNEL);
	mock_fence_signal_in(fence, 3000);
	sgt = map(fix, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&fence->base));
	unmap(fix, sgt, DMA_TO_DEVICE);
}

static void pin_unpin(struct kunit *test)
{
	struct map_fixture *fix = map_setup(test, true);

	dma_resv_lock(fix->dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_buf_pin(fix->attach), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_pin(fix->attach), 0);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_PIN, 2);
	KUNIT_EXPECT_TRUE(test, fix->exp->op[MOCK_PIN].resv_locked);
	dma_buf_unpin(fix->attach);
	dma_buf_unpin(fix->attach);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNPIN, 2);
	mock_exporter_fail(fix->exp, MOCK_PIN, 3, -EINTR);
	KUNIT_EXPECT_EQ(test, dma_buf_pin(fix->attach), -EINTR);
	dma_resv_unlock(fix->dmabuf->resv);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNPIN, 2);
}

/* A static exporter has nothing to pin: pinning succeeds and does nothing. */
static void pin_static_exporter(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct mock_importer *imp = mock_importer_create(test, true);
	struct dma_buf *dmabuf = mock_exporter_export(exp);
	struct dma_buf_attachment *attach = mock_importer_attach(imp, dmabuf);

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_buf_pin(attach), 0);
	dma_buf_unpin(attach);
	dma_resv_unlock(dmabuf->resv);
	dma_buf_detach(dmabuf, attach);
}

static struct kunit_case dma_buf_map_cases[] = {
	KUNIT_CASE(map_each_time),
	KUNIT_CASE(map_table),
	KUNIT_CASE_PARAM(map_shape, table_shapes_gen_params),
	KUNIT_CASE(map_copy),
	KUNIT_CASE(map_edited),
	KUNIT_CASE(map_unlocked),
	KUNIT_CASE(map_of_nothing),
	KUNIT_CASE(map_without_buffer),
	KUNIT_CASE(pin_of_static),
	KUNIT_CASE(unmap_of_nothing),
	KUNIT_CASE(map_op_fails),
	KUNIT_CASE(map_op_fails_dynamic),
	KUNIT_CASE(map_dynamic_pins),
	KUNIT_CASE(static_waits_for_kernel_fence),
	KUNIT_CASE(static_ignores_other_fences),
	KUNIT_CASE(static_wait_interrupted),
	KUNIT_CASE(dynamic_does_not_wait),
	KUNIT_CASE(pin_unpin),
	KUNIT_CASE(pin_static_exporter),
	{}
};

static struct kunit_suite dma_buf_map_suite = {
	.name = "dma_buf_map",
	.test_cases = dma_buf_map_cases,
};

kunit_test_suite(dma_buf_map_suite);
