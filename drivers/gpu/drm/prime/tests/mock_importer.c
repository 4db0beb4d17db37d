// SPDX-License-Identifier: GPL-2.0
/*
 * The importing side: devices that attach, and fences of their work.
 */
#include <linux/slab.h>

#include "mock_importer.h"

static void mock_invalidate(struct dma_buf_attachment *attach)
{
	struct mock_importer *imp = attach->importer_priv;

	imp->notified = attach;
	mock_script_run(&imp->invalidate, attach->dmabuf->resv);
}

struct mock_importer *mock_importer_create(struct kunit *test, bool dynamic)
{
	struct mock_importer *imp = kunit_kzalloc(test, sizeof(*imp), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, imp);
	imp->test = test;
	imp->dynamic = dynamic;
	imp->ops.invalidate_mappings = mock_invalidate;
	imp->dev = prime_test_device(test);
	return imp;
}

struct dma_buf_attachment *mock_importer_attach(struct mock_importer *imp, struct dma_buf *dmabuf)
{
	if (imp->dynamic)
		return dma_buf_dynamic_attach(dmabuf, imp->dev, &imp->ops, imp);
	return dma_buf_attach(dmabuf, imp->dev);
}

static const char *mock_fence_name(struct dma_fence *fence)
{
	return "mock-fence";
}

static bool mock_fence_enable(struct dma_fence *fence)
{
	return !container_of(fence, struct mock_fence, base)->over;
}

static const struct dma_fence_ops mock_fence_ops = {
	.enable_signaling = mock_fence_enable,
	.get_driver_name = mock_fence_name,
	.get_timeline_name = mock_fence_name,
};

static void mock_fence_work(struct work_struct *work)
{
	struct mock_fence *fence = container_of(to_delayed_work(work), struct mock_fence, work);

	dma_fence_signal(&fence->base);
}

static void mock_fence_end(void *data)
{
	struct mock_fence *fence = data;

	cancel_delayed_work_sync(&fence->work);
	/* No waiter may outlive the test. */
	dma_fence_signal(&fence->base);
	dma_fence_put(&fence->base);
}

/* Each fence has a context of its own, so that none replaces another. */
struct mock_fence *mock_fence_create(struct kunit *test)
{
	struct mock_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fence);
	spin_lock_init(&fence->lock);
	INIT_DELAYED_WORK(&fence->work, mock_fence_work);
	dma_fence_init(&fence->base, &mock_fence_ops, &fence->lock, dma_fence_context_alloc(1), 1);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, mock_fence_end, fence), 0);
	return fence;
}

void mock_resv_add(struct kunit *test, struct dma_resv *resv, struct dma_fence *fence,
		   enum dma_resv_usage usage)
{
	int ret;

	dma_resv_lock(resv, NULL);
	ret = dma_resv_reserve_fences(resv, 1);
	if (!ret)
		dma_resv_add_fence(resv, fence, usage);
	dma_resv_unlock(resv);
	KUNIT_ASSERT_EQ(test, ret, 0);
}

struct mock_fence *mock_fence_add(struct kunit *test, struct dma_resv *resv,
				  enum dma_resv_usage usage)
{
	struct mock_fence *fence = mock_fence_create(test);

	mock_resv_add(test, resv, &fence->base, usage);
	return fence;
}

void mock_fence_signal_in(struct mock_fence *fence, unsigned int ms)
{
	schedule_delayed_work(&fence->work, msecs_to_jiffies(ms));
}
