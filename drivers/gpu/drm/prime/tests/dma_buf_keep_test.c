// SPDX-License-Identifier: GPL-2.0
/*
 * Kept attachments: when one is kept, who gets it, and each way to its end, with
 * the number of calls that the exporter sees.
 */
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/shmem_fs.h>
#include <linux/sizes.h>

#include <kunit/device.h>

#include "mock_drm.h"
#include "mock_exporter.h"
#include "mock_importer.h"

#define KEEP_MB "/sys/module/dma_buf/parameters/keep_mb"

struct keep_fixture {
	struct mock_exporter *exp;
	struct mock_importer *imp;
	struct dma_buf *dmabuf;
	char keep_mb[16];	/* before the test */
};

static ssize_t knob_write(const char *value)
{
	struct file *file = filp_open(KEEP_MB, O_WRONLY, 0);
	ssize_t ret;

	if (IS_ERR(file))
		return PTR_ERR(file);
	ret = kernel_write(file, value, strlen(value), NULL);
	filp_close(file, NULL);
	return ret;
}

static void set_knob(struct kunit *test, unsigned int mb)
{
	char value[16];
	int length = snprintf(value, sizeof(value), "%u", mb);

	KUNIT_ASSERT_EQ(test, knob_write(value), length);
}

static int keep_init(struct kunit *test)
{
	struct keep_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);
	struct file *file;
	ssize_t got;

	KUNIT_ASSERT_NOT_NULL(test, fix);
	file = filp_open(KEEP_MB, O_RDONLY, 0);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(file), KEEP_MB ": %ld", PTR_ERR(file));
	got = kernel_read(file, fix->keep_mb, sizeof(fix->keep_mb) - 1, NULL);
	filp_close(file, NULL);
	KUNIT_ASSERT_GT(test, got, 0);
	test->priv = fix;
	/* Nothing of others, and more than any test but those of the limit wants. */
	set_knob(test, 0);
	set_knob(test, 64);
	return 0;
}

static void keep_exit(struct kunit *test)
{
	struct keep_fixture *fix = test->priv;

	if (fix && fix->keep_mb[0])
		KUNIT_EXPECT_GT(test, knob_write(fix->keep_mb), 0);
}

static struct mock_exporter *keep_exporter(struct kunit *test, bool dynamic)
{
	struct mock_exporter *exp = mock_exporter_create(test, dynamic);

	exp->ops.cache_sgt_mapping = !dynamic;
	exp->keep = true;
	return exp;
}

static struct keep_fixture *keep_setup(struct kunit *test, bool dynamic)
{
	struct keep_fixture *fix = test->priv;

	fix->exp = keep_exporter(test, dynamic);
	fix->imp = mock_importer_create(test, false);
	fix->dmabuf = mock_exporter_export(fix->exp);
	return fix;
}

static struct dma_buf_attachment *attach_map(struct kunit *test, struct dma_buf *dmabuf,
					     struct device *dev, struct sg_table **sgt)
{
	struct dma_buf_attachment *attach = dma_buf_attach(dmabuf, dev);

	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(attach), "attach: %ld", PTR_ERR(attach));
	*sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(*sgt), "map: %ld", PTR_ERR(*sgt));
	return attach;
}

static void unmap_detach(struct dma_buf_attachment *attach, struct sg_table *sgt)
{
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	dma_buf_detach(attach->dmabuf, attach);
}

/* One import and its end; gives the table, to be compared only. */
static struct sg_table *import_once(struct kunit *test, struct dma_buf *dmabuf,
				    struct device *dev)
{
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	attach = attach_map(test, dmabuf, dev, &sgt);
	unmap_detach(attach, sgt);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(dmabuf->resv));
	return sgt;
}

/* So many attachments were made, and so many ended, each once. */
static void expect_made(struct kunit *test, struct mock_exporter *exp, int made, int ended)
{
	int pins = exp->ops.pin ? 1 : 0;

	MOCK_EXPECT_CALLS(test, exp, MOCK_ATTACH, made);
	MOCK_EXPECT_CALLS(test, exp, MOCK_PIN, made * pins);
	MOCK_EXPECT_CALLS(test, exp, MOCK_MAP, made);
	MOCK_EXPECT_CALLS(test, exp, MOCK_UNMAP, ended);
	MOCK_EXPECT_CALLS(test, exp, MOCK_UNPIN, ended * pins);
	MOCK_EXPECT_CALLS(test, exp, MOCK_DETACH, ended);
}

static const struct {
	const char *name;
	bool dynamic;
} keep_cases[] = {
	{ "static_exporter", false },
	{ "dynamic_exporter", true },
};

KUNIT_ARRAY_PARAM_DESC(keep, keep_cases, name);

static struct keep_fixture *keep_setup_param(struct kunit *test)
{
	const typeof(keep_cases[0]) *param = test->param_value;

	return keep_setup(test, param->dynamic);
}

/* --- who gets it --- */

static void revived(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup_param(test);
	struct dma_buf_attachment *attach;
	struct sg_table *first, *sgt;
	int i;

	first = import_once(test, fix->dmabuf, fix->imp->dev);
	expect_made(test, fix->exp, 1, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&fix->dmabuf->attachments));
	KUNIT_EXPECT_EQ(test, file_count(fix->dmabuf->file), 1);

	for (i = 0; i < 3; i++) {
		attach = attach_map(test, fix->dmabuf, fix->imp->dev, &sgt);
		KUNIT_EXPECT_PTR_EQ(test, sgt, first);
		KUNIT_EXPECT_PTR_EQ(test, attach->dmabuf, fix->dmabuf);
		KUNIT_EXPECT_PTR_EQ(test, attach->dev, fix->imp->dev);
		KUNIT_EXPECT_NULL(test, attach->importer_ops);
		KUNIT_EXPECT_NULL(test, attach->importer_priv);
		KUNIT_EXPECT_TRUE(test, list_is_singular(&fix->dmabuf->attachments));
		/* A table for both directions is one for each. */
		KUNIT_EXPECT_PTR_EQ(test, first,
				    dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE));
		unmap_detach(attach, sgt);
		expect_made(test, fix->exp, 1, 0);
		KUNIT_EXPECT_TRUE(test, list_empty(&fix->dmabuf->attachments));
	}
}

static void other_device(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup_param(test);
	struct mock_importer *other = mock_importer_create(test, false);
	struct sg_table *first;

	first = import_once(test, fix->dmabuf, fix->imp->dev);
	import_once(test, fix->dmabuf, other->dev);
	expect_made(test, fix->exp, 2, 0);
	KUNIT_EXPECT_PTR_EQ(test, import_once(test, fix->dmabuf, fix->imp->dev), first);
	expect_made(test, fix->exp, 2, 0);
}

static void other_buffer(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup_param(test);
	struct dma_buf *dmabuf = mock_exporter_export(fix->exp);

	import_once(test, fix->dmabuf, fix->imp->dev);
	import_once(test, dmabuf, fix->imp->dev);
	expect_made(test, fix->exp, 2, 0);
}

/* It follows moves, and would have to be told of them. */
static void dynamic_importer(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup(test, false);
	struct mock_importer *imp = mock_importer_create(test, true);
	struct dma_buf_attachment *attach;

	import_once(test, fix->dmabuf, imp->dev);
	attach = mock_importer_attach(imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	expect_made(test, fix->exp, 2, 0);
	dma_buf_detach(fix->dmabuf, attach);
	expect_made(test, fix->exp, 2, 1);
}

/* Two importers on one device at a time: one attachment of it stays. */
static void two_of_one_device(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup_param(test);
	struct dma_buf_attachment *attach[2];
	struct sg_table *sgt[2];
	int i;

	import_once(test, fix->dmabuf, fix->imp->dev);
	for (i = 0; i < 2; i++)
		attach[i] = attach_map(test, fix->dmabuf, fix->imp->dev, &sgt[i]);
	KUNIT_EXPECT_PTR_NE(test, attach[0], attach[1]);
	KUNIT_EXPECT_PTR_NE(test, sgt[0], sgt[1]);
	expect_made(test, fix->exp, 2, 0);
	unmap_detach(attach[0], sgt[0]);
	expect_made(test, fix->exp, 2, 0);
	unmap_detach(attach[1], sgt[1]);
	expect_made(test, fix->exp, 2, 1);
}

/* --- what is not kept --- */

static void not_allowed(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup_param(test);

	fix->exp->keep = false;
	import_once(test, fix->dmabuf, fix->imp->dev);
	expect_made(test, fix->exp, 1, 1);
}

static void not_mapped(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup(test, false);
	struct dma_buf_attachment *attach = dma_buf_attach(fix->dmabuf, fix->imp->dev);

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	dma_buf_detach(fix->dmabuf, attach);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_DETACH, 1);
}

static void map_not_cached(struct kunit *test)
{
	struct keep_fixture *fix = test->priv;

	fix->exp = keep_exporter(test, false);
	fix->exp->ops.cache_sgt_mapping = false;
	fix->imp = mock_importer_create(test, false);
	fix->dmabuf = mock_exporter_export(fix->exp);
	import_once(test, fix->dmabuf, fix->imp->dev);
	expect_made(test, fix->exp, 1, 1);
}

static void one_direction(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup(test, false);
	struct dma_buf_attachment *attach = dma_buf_attach(fix->dmabuf, fix->imp->dev);
	struct sg_table *sgt;

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	dma_buf_detach(fix->dmabuf, attach);
	expect_made(test, fix->exp, 1, 1);
}

static void map_failed(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup(test, false);
	struct dma_buf_attachment *attach = dma_buf_attach(fix->dmabuf, fix->imp->dev);

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	mock_exporter_fail(fix->exp, MOCK_MAP, 1, -EIO);
	KUNIT_EXPECT_EQ(test, -EIO,
			PTR_ERR(dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL)));
	dma_buf_detach(fix->dmabuf, attach);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_DETACH, 1);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNMAP, 0);
}

static void root_device_end(void *dev)
{
	root_device_unregister(dev);
}

/*
 * A device without driver may get one, and must have no resources then. One
 * that has some all the same is on its own for good, and ends them itself.
 */
static void device_without_driver(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup(test, false);
	struct device *dev = root_device_register("prime-test-root");

	KUNIT_ASSERT_FALSE(test, IS_ERR(dev));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, root_device_end, dev), 0);
	KUNIT_ASSERT_EQ(test, dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(64)), 0);

	import_once(test, fix->dmabuf, dev);
	expect_made(test, fix->exp, 1, 1);

	KUNIT_ASSERT_NOT_NULL(test, devm_kmalloc(dev, 1, GFP_KERNEL));
	import_once(test, fix->dmabuf, dev);
	expect_made(test, fix->exp, 2, 1);
	kunit_release_action(test, root_device_end, dev);
	expect_made(test, fix->exp, 2, 2);
}

/* --- what ends it --- */

static void release_ends(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup_param(test);

	import_once(test, fix->dmabuf, fix->imp->dev);
	mock_exporter_put(test, fix->dmabuf);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_exporter_calls(fix->exp, MOCK_RELEASE)));
	expect_made(test, fix->exp, 1, 1);
}

static void move_ends(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup_param(test);
	struct mock_importer *other = mock_importer_create(test, false);
	int pins = fix->exp->ops.pin ? 1 : 0;

	import_once(test, fix->dmabuf, fix->imp->dev);
	import_once(test, fix->dmabuf, other->dev);
	dma_resv_lock(fix->dmabuf->resv, NULL);
	dma_buf_move_notify(fix->dmabuf);
	/* Here the exporter would move it. */
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNMAP, 2);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNPIN, 2 * pins);
	KUNIT_EXPECT_TRUE(test, fix->exp->op[MOCK_UNMAP].resv_locked);
	dma_buf_move_notify(fix->dmabuf);
	dma_resv_unlock(fix->dmabuf->resv);

	KUNIT_EXPECT_TRUE(test,
			  prime_test_wait(mock_exporter_calls(fix->exp, MOCK_DETACH) == 2));
	expect_made(test, fix->exp, 2, 2);
	import_once(test, fix->dmabuf, fix->imp->dev);
	expect_made(test, fix->exp, 3, 2);
}

/* The same while the device is attached: that one is not the cache's. */
static void move_leaves_attached(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup_param(test);
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	import_once(test, fix->dmabuf, fix->imp->dev);
	attach = attach_map(test, fix->dmabuf, fix->imp->dev, &sgt);
	dma_resv_lock(fix->dmabuf->resv, NULL);
	dma_buf_move_notify(fix->dmabuf);
	dma_resv_unlock(fix->dmabuf->resv);
	expect_made(test, fix->exp, 1, 0);
	unmap_detach(attach, sgt);
	expect_made(test, fix->exp, 1, 0);
}

static void knob_ends(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup_param(test);

	import_once(test, fix->dmabuf, fix->imp->dev);
	set_knob(test, 0);
	expect_made(test, fix->exp, 1, 1);
	KUNIT_EXPECT_FALSE(test, fix->exp->op[MOCK_DETACH].resv_locked);

	import_once(test, fix->dmabuf, fix->imp->dev);
	expect_made(test, fix->exp, 2, 2);

	set_knob(test, 64);
	import_once(test, fix->dmabuf, fix->imp->dev);
	expect_made(test, fix->exp, 3, 2);
	KUNIT_EXPECT_LT(test, knob_write("many"), 0);
	expect_made(test, fix->exp, 3, 2);
}

/* Attached when the knob is turned: ended by the detach. */
static void knob_leaves_attached(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup_param(test);
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	attach = attach_map(test, fix->dmabuf, fix->imp->dev, &sgt);
	set_knob(test, 0);
	expect_made(test, fix->exp, 1, 0);
	unmap_detach(attach, sgt);
	expect_made(test, fix->exp, 1, 1);
}

static void put_dev(void *dev)
{
	put_device(dev);
}

/*
 * The younger device goes first: on KUnit's bus the driver of the first matches
 * all that come later, and goes with it.
 */
static void device_ends(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup_param(test);
	struct mock_importer *younger = mock_importer_create(test, false);
	struct device *dev = fix->imp->dev;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	import_once(test, fix->dmabuf, dev);
	import_once(test, fix->dmabuf, younger->dev);
	kunit_device_unregister(test, younger->dev);
	expect_made(test, fix->exp, 2, 1);

	/* Attached while its device goes: not kept afterwards. */
	attach = attach_map(test, fix->dmabuf, dev, &sgt);
	get_device(dev);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_dev, dev), 0);
	kunit_device_unregister(test, dev);
	expect_made(test, fix->exp, 2, 1);
	unmap_detach(attach, sgt);
	expect_made(test, fix->exp, 2, 2);

	/* Nor by one who attaches what is left of it. */
	import_once(test, fix->dmabuf, dev);
	expect_made(test, fix->exp, 3, 3);
}

/* The end of a buffer waits for whoever is ending an attachment of it. */
static void release_waits(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup_param(test);

	import_once(test, fix->dmabuf, fix->imp->dev);
	fix->exp->op[MOCK_DETACH].sleep_ms = 100;
	/* The worker detaches, slowly. */
	dma_resv_lock(fix->dmabuf->resv, NULL);
	dma_buf_move_notify(fix->dmabuf);
	dma_resv_unlock(fix->dmabuf->resv);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_exporter_calls(fix->exp, MOCK_DETACH)));
	mock_exporter_put(test, fix->dmabuf);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_exporter_calls(fix->exp, MOCK_RELEASE)));
	KUNIT_EXPECT_EQ(test, mock_done(&fix->exp->op[MOCK_DETACH]), 1);
	expect_made(test, fix->exp, 1, 1);
}

/* So does the end of a device, but not for what belongs to others. */
static void device_waits(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup_param(test);
	struct mock_importer *younger = mock_importer_create(test, false);
	struct mock_exporter *slow = keep_exporter(test, false);
	struct dma_buf *dmabuf = mock_exporter_export(slow);

	import_once(test, dmabuf, fix->imp->dev);
	import_once(test, fix->dmabuf, younger->dev);
	slow->op[MOCK_DETACH].sleep_ms = 500;
	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_move_notify(dmabuf);
	dma_resv_unlock(dmabuf->resv);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_exporter_calls(slow, MOCK_DETACH)));

	/* The mock counts a call when it begins and again when it is done. */
	kunit_device_unregister(test, younger->dev);
	expect_made(test, fix->exp, 1, 1);
	KUNIT_EXPECT_EQ(test, mock_done(&slow->op[MOCK_DETACH]), 0);
	kunit_device_unregister(test, fix->imp->dev);
	KUNIT_EXPECT_EQ(test, mock_done(&slow->op[MOCK_DETACH]), 1);
}

/* --- the limit --- */

struct limit_fixture {
	struct mock_exporter *exp[3];
	struct dma_buf *dmabuf[3];
	struct device *dev;
};

/* Three buffers where two have room. */
static struct limit_fixture *limit_setup(struct kunit *test)
{
	struct limit_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, fix);
	fix->dev = prime_test_device(test);
	for (i = 0; i < ARRAY_SIZE(fix->exp); i++) {
		fix->exp[i] = keep_exporter(test, false);
		fix->exp[i]->size = SZ_512K;
		fix->dmabuf[i] = mock_exporter_export(fix->exp[i]);
	}
	set_knob(test, 1);
	for (i = 0; i < 2; i++)
		import_once(test, fix->dmabuf[i], fix->dev);
	return fix;
}

static bool ended(struct mock_exporter *exp, int times)
{
	return prime_test_wait(mock_exporter_calls(exp, MOCK_DETACH) == times);
}

/* The third is not kept, but the first makes room for it. */
static void limit_holds(struct kunit *test)
{
	struct limit_fixture *fix = limit_setup(test);

	expect_made(test, fix->exp[0], 1, 0);
	expect_made(test, fix->exp[1], 1, 0);
	import_once(test, fix->dmabuf[2], fix->dev);
	expect_made(test, fix->exp[2], 1, 1);
	KUNIT_EXPECT_TRUE(test, ended(fix->exp[0], 1));
	expect_made(test, fix->exp[0], 1, 1);
	expect_made(test, fix->exp[1], 1, 0);

	import_once(test, fix->dmabuf[2], fix->dev);
	expect_made(test, fix->exp[2], 2, 1);
	expect_made(test, fix->exp[1], 1, 0);
}

static void limit_oldest_first(struct kunit *test)
{
	struct limit_fixture *fix = limit_setup(test);

	/* Now the second is the one that was not used for longest. */
	import_once(test, fix->dmabuf[0], fix->dev);
	expect_made(test, fix->exp[0], 1, 0);
	import_once(test, fix->dmabuf[2], fix->dev);
	KUNIT_EXPECT_TRUE(test, ended(fix->exp[1], 1));
	expect_made(test, fix->exp[0], 1, 0);
}

static void limit_too_big(struct kunit *test)
{
	struct limit_fixture *fix = limit_setup(test);
	struct mock_exporter *big = keep_exporter(test, false);
	struct dma_buf *dmabuf;

	big->size = SZ_1M + PAGE_SIZE;
	dmabuf = mock_exporter_export(big);
	import_once(test, dmabuf, fix->dev);
	expect_made(test, big, 1, 1);
	/* What has room stays. */
	msleep(100);
	expect_made(test, fix->exp[0], 1, 0);
	expect_made(test, fix->exp[1], 1, 0);
}

/* Somebody else who is busy with a buffer. */
struct busy {
	struct work_struct work;
	struct dma_resv *resv;
	struct completion begun;
	struct completion over;
};

static void busy_work(struct work_struct *work)
{
	struct busy *busy = container_of(work, struct busy, work);

	dma_resv_lock(busy->resv, NULL);
	complete(&busy->begun);
	wait_for_completion(&busy->over);
	dma_resv_unlock(busy->resv);
}

static void busy_end(void *data)
{
	struct busy *busy = data;

	complete(&busy->over);
	flush_work(&busy->work);
}

/* A buffer that somebody is busy with is passed over. */
static void limit_passes_over(struct kunit *test)
{
	struct limit_fixture *fix = limit_setup(test);
	struct busy *busy = kunit_kzalloc(test, sizeof(*busy), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, busy);
	busy->resv = fix->dmabuf[0]->resv;
	INIT_WORK(&busy->work, busy_work);
	init_completion(&busy->begun);
	init_completion(&busy->over);
	schedule_work(&busy->work);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, busy_end, busy), 0);
	wait_for_completion(&busy->begun);

	import_once(test, fix->dmabuf[2], fix->dev);
	KUNIT_EXPECT_TRUE(test, ended(fix->exp[1], 1));
	expect_made(test, fix->exp[0], 1, 0);
}

static void limit_lowered(struct kunit *test)
{
	struct limit_fixture *fix = limit_setup(test);

	set_knob(test, 2);
	import_once(test, fix->dmabuf[2], fix->dev);
	expect_made(test, fix->exp[2], 1, 0);
	set_knob(test, 1);
	expect_made(test, fix->exp[0], 1, 1);
	expect_made(test, fix->exp[1], 1, 0);
	expect_made(test, fix->exp[2], 1, 0);
}

/* --- fences --- */

/* A revived mapping waits for what moves or clears the storage, like a new one. */
static void revived_waits(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup_param(test);
	struct dma_buf_attachment *attach;
	struct mock_fence *fence;
	struct sg_table *sgt;

	import_once(test, fix->dmabuf, fix->imp->dev);
	fence = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_KERNEL);
	mock_fence_signal_in(fence, 50);
	attach = attach_map(test, fix->dmabuf, fix->imp->dev, &sgt);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&fence->base));
	expect_made(test, fix->exp, 1, 0);
	unmap_detach(attach, sgt);
}

/* Also for one that comes between attach and map of a static exporter. */
static void revived_waits_at_map(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup(test, false);
	struct dma_buf_attachment *attach;
	struct mock_fence *fence;
	struct sg_table *sgt;

	import_once(test, fix->dmabuf, fix->imp->dev);
	attach = dma_buf_attach(fix->dmabuf, fix->imp->dev);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	fence = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_KERNEL);
	mock_fence_signal_in(fence, 50);
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&fence->base));
	expect_made(test, fix->exp, 1, 0);
	unmap_detach(attach, sgt);
}

/* A signal ends the wait; the attachment is kept as before. */
static void revived_interrupted(struct kunit *test)
{
	struct keep_fixture *fix = keep_setup_param(test);
	bool dynamic = fix->exp->ops.pin;
	struct dma_buf_attachment *attach;
	struct mock_fence *fence;
	struct sg_table *sgt;

	import_once(test, fix->dmabuf, fix->imp->dev);
	fence = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_KERNEL);
	prime_test_signal_self();
	attach = dma_buf_attach(fix->dmabuf, fix->imp->dev);
	if (dynamic) {
		KUNIT_EXPECT_EQ(test, PTR_ERR(attach), (long)-ERESTARTSYS);
	} else {
		KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
		sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
		KUNIT_EXPECT_EQ(test, PTR_ERR(sgt), (long)-ERESTARTSYS);
		dma_buf_detach(fix->dmabuf, attach);
	}
	prime_test_signal_clear();
	KUNIT_EXPECT_TRUE(test, list_empty(&fix->dmabuf->attachments));
	expect_made(test, fix->exp, 1, 0);

	dma_fence_signal(&fence->base);
	import_once(test, fix->dmabuf, fix->imp->dev);
	expect_made(test, fix->exp, 1, 0);
}

/* --- GEM objects --- */

static void put_dma_buf(void *dmabuf)
{
	dma_buf_put(dmabuf);
}

/* An object with a shmem file, and its buffer; the file goes with the object. */
static struct dma_buf *gem_shmem(struct kunit *test, struct mock_drm *mock)
{
	struct file *file = mock_drm_open(mock), *filp;
	struct drm_gem_object *obj;
	struct dma_buf *dmabuf;
	u32 handle;

	handle = mock_drm_object_handle(mock, file, &obj);
	filp = shmem_file_setup("prime-test", obj->size, VM_NORESERVE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(filp));
	obj->filp = filp;
	dmabuf = drm_gem_prime_handle_to_dmabuf(mock->drm, mock_drm_priv(file), handle,
						DRM_CLOEXEC | DRM_RDWR);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_dma_buf, dmabuf), 0);
	return dmabuf;
}

static struct sg_table *shmem_get_sg_table(struct drm_gem_object *obj)
{
	struct page *page = shmem_read_mapping_page(obj->filp->f_mapping, 0);
	struct sg_table *sgt;

	if (IS_ERR(page))
		return ERR_CAST(page);
	sgt = drm_prime_pages_to_sg(obj->dev, &page, 1);
	put_page(page);
	return sgt;
}

static void gem_of_shmem(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);
	struct device *dev = prime_test_device(test);
	struct dma_buf *dmabuf;

	mock->funcs.get_sg_table = shmem_get_sg_table;
	dmabuf = gem_shmem(test, mock);
	import_once(test, dmabuf, dev);
	import_once(test, dmabuf, dev);
	MOCK_DRM_EXPECT_CALLS(test, mock, MOCK_GEM_PIN, 1);
	MOCK_DRM_EXPECT_CALLS(test, mock, MOCK_GEM_UNPIN, 0);
	set_knob(test, 0);
	MOCK_DRM_EXPECT_CALLS(test, mock, MOCK_GEM_UNPIN, 1);
}

/* Storage elsewhere, as with TTM, though the object has a shmem file. */
static void gem_of_other_memory(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);
	struct device *dev = prime_test_device(test);
	struct dma_buf *dmabuf = gem_shmem(test, mock);
	struct drm_gem_object *obj = dmabuf->priv;
	struct page *page;

	import_once(test, dmabuf, dev);
	MOCK_DRM_EXPECT_CALLS(test, mock, MOCK_GEM_UNPIN, 1);

	page = shmem_read_mapping_page(obj->filp->f_mapping, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(page));
	put_page(page);
	import_once(test, dmabuf, dev);
	MOCK_DRM_EXPECT_CALLS(test, mock, MOCK_GEM_PIN, 2);
	MOCK_DRM_EXPECT_CALLS(test, mock, MOCK_GEM_UNPIN, 2);
}

static struct kunit_case dma_buf_keep_cases[] = {
	KUNIT_CASE_PARAM(revived, keep_gen_params),
	KUNIT_CASE_PARAM(other_device, keep_gen_params),
	KUNIT_CASE_PARAM(other_buffer, keep_gen_params),
	KUNIT_CASE(dynamic_importer),
	KUNIT_CASE_PARAM(two_of_one_device, keep_gen_params),
	KUNIT_CASE_PARAM(not_allowed, keep_gen_params),
	KUNIT_CASE(not_mapped),
	KUNIT_CASE(map_not_cached),
	KUNIT_CASE(one_direction),
	KUNIT_CASE(map_failed),
	KUNIT_CASE(device_without_driver),
	KUNIT_CASE_PARAM(release_ends, keep_gen_params),
	KUNIT_CASE_PARAM(move_ends, keep_gen_params),
	KUNIT_CASE_PARAM(move_leaves_attached, keep_gen_params),
	KUNIT_CASE_PARAM(knob_ends, keep_gen_params),
	KUNIT_CASE_PARAM(knob_leaves_attached, keep_gen_params),
	KUNIT_CASE_PARAM(device_ends, keep_gen_params),
	KUNIT_CASE_PARAM(release_waits, keep_gen_params),
	KUNIT_CASE_PARAM(device_waits, keep_gen_params),
	KUNIT_CASE(limit_holds),
	KUNIT_CASE(limit_oldest_first),
	KUNIT_CASE(limit_too_big),
	KUNIT_CASE(limit_passes_over),
	KUNIT_CASE(limit_lowered),
	KUNIT_CASE_PARAM(revived_waits, keep_gen_params),
	KUNIT_CASE(revived_waits_at_map),
	KUNIT_CASE_PARAM(revived_interrupted, keep_gen_params),
	KUNIT_CASE(gem_of_shmem),
	KUNIT_CASE(gem_of_other_memory),
	{}
};

static struct kunit_suite dma_buf_keep_suite = {
	.name = "dma_buf_keep",
	.init = keep_init,
	.exit = keep_exit,
	.test_cases = dma_buf_keep_cases,
};

kunit_test_suite(dma_buf_keep_suite);
