/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A dma-buf importer, static or dynamic, and the fences it leaves behind.
 */
#ifndef MOCK_IMPORTER_H
#define MOCK_IMPORTER_H

#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/workqueue.h>

#include "mock_script.h"
#include "prime_test.h"

/**
 * struct mock_importer - a device that attaches to buffers
 * @test: the test it belongs to
 * @dev: the device
 * @dynamic: whether it attaches with importer operations
 * @ops: its importer operations
 * @invalidate: script of invalidate_mappings
 * @notified: attachment of the last invalidate_mappings
 */
struct mock_importer {
	struct kunit *test;
	struct device *dev;
	bool dynamic;
	struct dma_buf_attach_ops ops;
	struct mock_script invalidate;
	struct dma_buf_attachment *notified;
};

struct mock_importer *mock_importer_create(struct kunit *test, bool dynamic);
struct dma_buf_attachment *mock_importer_attach(struct mock_importer *imp,
						struct dma_buf *dmabuf);

/**
 * struct mock_fence - a fence signalled by hand or after a delay
 * @base: the fence
 * @lock: lock of the fence
 * @work: signals it
 * @over: the work is over, which shows only when somebody adds a callback
 */
struct mock_fence {
	struct dma_fence base;
	spinlock_t lock;	/* of @base */
	struct delayed_work work;
	bool over;
};

struct mock_fence *mock_fence_create(struct kunit *test);
struct mock_fence *mock_fence_add(struct kunit *test, struct dma_resv *resv,
				  enum dma_resv_usage usage);
void mock_fence_signal_in(struct mock_fence *fence, unsigned int ms);
void mock_resv_add(struct kunit *test, struct dma_resv *resv, struct dma_fence *fence,
		   enum dma_resv_usage usage);

#endif /* MOCK_IMPORTER_H */
