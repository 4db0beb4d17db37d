// SPDX-License-Identifier: GPL-2.0
/*
 * Polling a buffer's file: readable after the writers, writable after everyone.
 */
#include <linux/completion.h>
#include <linux/poll.h>

#include "mock_exporter.h"
#include "mock_importer.h"

/**
 * struct poller - one poll() call on one file
 * @table: what the file's poll operation gets
 * @wait: entry on the queue of the file
 * @queue: that queue, NULL until the operation asked to wait
 * @woken: completed by each wake-up
 * @wakes: number of wake-ups
 */
struct poller {
	poll_table table;
	wait_queue_entry_t wait;
	wait_queue_head_t *queue;
	struct completion woken;
	atomic_t wakes;
};

struct poll_fixture {
	struct mock_exporter *exp;
	struct dma_buf *dmabuf;
	struct poller poller;
};

static int poller_wake(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct poller *poller = container_of(wait, struct poller, wait);

	atomic_inc(&poller->wakes);
	complete(&poller->woken);
	return 1;
}

static void poller_queue(struct file *file, wait_queue_head_t *queue, poll_table *table)
{
	struct poller *poller = container_of(table, struct poller, table);

	if (poller->queue)
		return;
	poller->queue = queue;
	add_wait_queue(queue, &poller->wait);
}

static void poller_end(void *data)
{
	struct poller *poller = data;

	if (poller->queue)
		remove_wait_queue(poller->queue, &poller->wait);
	poller->queue = NULL;
}

static void poller_init(struct poller *poller)
{
	memset(poller, 0, sizeof(*poller));
	init_poll_funcptr(&poller->table, poller_queue);
	init_waitqueue_func_entry(&poller->wait, poller_wake);
	init_completion(&poller->woken);
}

static int poll_init(struct kunit *test)
{
	struct poll_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fix);
	fix->exp = mock_exporter_create(test, false);
	fix->dmabuf = mock_exporter_export(fix->exp);
	poller_init(&fix->poller);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, poller_end, &fix->poller), 0);
	test->priv = fix;
	return 0;
}

/* poll() for @events: what is ready now. */
static unsigned int poll_for(struct poll_fixture *fix, __poll_t events)
{
	fix->poller.table._key = events;
	return (__force unsigned int)vfs_poll(fix->dmabuf->file, &fix->poller.table);
}

#define IN	((__force unsigned int)EPOLLIN)
#define OUT	((__force unsigned int)EPOLLOUT)

static void poll_idle(struct kunit *test)
{
	struct poll_fixture *fix = test->priv;

	KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLIN | EPOLLOUT), IN | OUT);
	KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLIN), IN);
	KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLOUT), OUT);
	KUNIT_EXPECT_EQ(test, poll_for(fix, 0), 0u);
	KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLPRI), 0u);
	KUNIT_EXPECT_PTR_EQ(test, fix->poller.queue, &fix->dmabuf->poll);
}

/* Without a table the caller asks for the state only. */
static void poll_without_table(struct kunit *test)
{
	struct poll_fixture *fix = test->priv;

	KUNIT_EXPECT_EQ(test, (__force unsigned int)vfs_poll(fix->dmabuf->file, NULL), IN | OUT);
}

struct poll_case {
	const char *name;
	enum dma_resv_usage usage;
	bool blocks_in;
	bool blocks_out;
};

static const struct poll_case poll_cases[] = {
	{ "kernel", DMA_RESV_USAGE_KERNEL, true, true },
	{ "write", DMA_RESV_USAGE_WRITE, true, true },
	{ "read", DMA_RESV_USAGE_READ, false, true },
	{ "bookkeep", DMA_RESV_USAGE_BOOKKEEP, false, false },
};

KUNIT_ARRAY_PARAM_DESC(poll, poll_cases, name);

static void poll_busy(struct kunit *test)
{
	const struct poll_case *param = test->param_value;
	struct poll_fixture *fix = test->priv;
	unsigned int ready = (param->blocks_in ? 0 : IN) | (param->blocks_out ? 0 : OUT);
	struct mock_fence *fence = mock_fence_add(test, fix->dmabuf->resv, param->usage);
	unsigned int now;

	KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLIN), ready & IN);
	KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLOUT), ready & OUT);
	now = poll_for(fix, EPOLLIN | EPOLLOUT);
	KUNIT_EXPECT_EQ(test, now, ready);
	dma_fence_signal(&fence->base);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(poll_for(fix, EPOLLIN | EPOLLOUT) == (IN | OUT)));
}

static void poll_wakes(struct kunit *test)
{
	const struct poll_case *param = test->param_value;
	struct poll_fixture *fix = test->priv;
	struct mock_fence *fence;
	int wakes;

	if (!param->blocks_out) {
		/* Nobody waits for such a fence, so nobody is woken by it. */
		fence = mock_fence_add(test, fix->dmabuf->resv, param->usage);
		KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLOUT), OUT);
		wakes = atomic_read(&fix->poller.wakes);
		dma_fence_signal(&fence->base);
		KUNIT_EXPECT_EQ(test, atomic_read(&fix->poller.wakes), wakes);
		return;
	}
	fence = mock_fence_add(test, fix->dmabuf->resv, param->usage);
	KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLOUT), 0u);
	KUNIT_EXPECT_EQ(test, atomic_read(&fix->poller.wakes), 0);
	mock_fence_signal_in(fence, 20);
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&fix->poller.woken, 5 * HZ), 0ul);
	KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLOUT), OUT);
}

/* One request for both directions is woken for each that becomes ready. */
static void poll_wakes_both(struct kunit *test)
{
	struct poll_fixture *fix = test->priv;
	struct mock_fence *write = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_WRITE);
	struct mock_fence *read = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_READ);

	KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLIN | EPOLLOUT), 0u);
	dma_fence_signal(&write->base);
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&fix->poller.woken, 5 * HZ), 0ul);
	KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLIN), IN);
	KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLOUT), 0u);
	dma_fence_signal(&read->base);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(poll_for(fix, EPOLLIN | EPOLLOUT) == (IN | OUT)));
}

/* A fence is not pending if the attempt to put a watch on it finds that it has signalled. */
static void poll_finds_signaled(struct kunit *test)
{
	struct poll_fixture *fix = test->priv;
	struct mock_fence *fence = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_WRITE);

	fence->over = true;
	KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLIN), IN);
	KUNIT_EXPECT_EQ(test, atomic_read(&fix->poller.wakes), 1);
	KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLOUT), OUT);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(file_count(fix->dmabuf->file) == 1));
}

static int count_wake(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	atomic_inc(wait->private);
	return 1;
}

/* Of two exclusive waiters, one may wait for the other direction: both look again. */
static void poll_wakes_exclusive(struct kunit *test)
{
	struct poll_fixture *fix = test->priv;
	atomic_t wakes[2] = { };
	wait_queue_entry_t wait[2];
	struct mock_fence *fence;
	int i;

	for (i = 0; i < ARRAY_SIZE(wait); i++) {
		init_waitqueue_func_entry(&wait[i], count_wake);
		wait[i].private = &wakes[i];
		add_wait_queue_exclusive(&fix->dmabuf->poll, &wait[i]);
	}
	fence = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_WRITE);
	KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLIN), 0u);
	dma_fence_signal(&fence->base);
	for (i = 0; i < ARRAY_SIZE(wait); i++) {
		KUNIT_EXPECT_EQ(test, atomic_read(&wakes[i]), 1);
		remove_wait_queue(&fix->dmabuf->poll, &wait[i]);
	}
}

/* After the wake-up a new fence can be polled for, again and again. */
static void poll_rearms(struct kunit *test)
{
	struct poll_fixture *fix = test->priv;
	struct mock_fence *fence;
	int i;

	for (i = 0; i < 4; i++) {
		fence = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_WRITE);
		reinit_completion(&fix->poller.woken);
		KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLIN), 0u);
		dma_fence_signal(&fence->base);
		KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&fix->poller.woken, 5 * HZ),
				0ul);
		KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLIN), IN);
	}
}

/*
 * A pending fence that was polled for does not keep the buffer for ever. Mainline
 * releases it at the signal, and the layer at the last put: see poll_holds_nothing.
 */
static void poll_release_armed(struct kunit *test)
{
	struct poll_fixture *fix = test->priv;
	struct mock_fence *fence;

	fence = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_WRITE);
	KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLIN | EPOLLOUT), 0u);
	kunit_release_action(test, poller_end, &fix->poller);
	mock_exporter_put(test, fix->dmabuf);
	flush_delayed_fput();
	dma_fence_signal(&fence->base);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_exporter_calls(fix->exp, MOCK_RELEASE)));
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_RELEASE, 1);
}

/* A poll that waits for nothing leaves no reference behind. */
static void poll_keeps_count(struct kunit *test)
{
	struct poll_fixture *fix = test->priv;
	struct mock_fence *fence;

	KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLIN | EPOLLOUT), IN | OUT);
	KUNIT_EXPECT_EQ(test, file_count(fix->dmabuf->file), 1);
	fence = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_WRITE);
	KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLIN | EPOLLOUT), 0u);
	KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLIN | EPOLLOUT), 0u);
	dma_fence_signal(&fence->base);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(file_count(fix->dmabuf->file) == 1));
}

/* Nor does one that waits, so the buffer goes though its fence is pending. */
static void poll_holds_nothing(struct kunit *test)
{
	struct poll_fixture *fix = test->priv;
	struct mock_fence *fence;

	fence = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_WRITE);
	KUNIT_EXPECT_EQ(test, poll_for(fix, EPOLLIN | EPOLLOUT), 0u);
	KUNIT_EXPECT_EQ(test, file_count(fix->dmabuf->file), 1);
	kunit_release_action(test, poller_end, &fix->poller);
	mock_exporter_put(test, fix->dmabuf);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_exporter_calls(fix->exp, MOCK_RELEASE)));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&fence->base));
	/* The watch is off the fence, and has given back its reference. */
	KUNIT_EXPECT_TRUE(test, list_empty(&fence->base.cb_list));
	KUNIT_EXPECT_EQ(test, kref_read(&fence->base.refcount), 1u);
}

static struct kunit_case dma_buf_poll_cases[] = {
	KUNIT_CASE(poll_idle),
	KUNIT_CASE(poll_without_table),
	KUNIT_CASE_PARAM(poll_busy, poll_gen_params),
	KUNIT_CASE_PARAM(poll_wakes, poll_gen_params),
	KUNIT_CASE(poll_wakes_both),
	KUNIT_CASE(poll_finds_signaled),
	KUNIT_CASE(poll_wakes_exclusive),
	KUNIT_CASE(poll_rearms),
	KUNIT_CASE(poll_release_armed),
	KUNIT_CASE(poll_keeps_count),
	KUNIT_CASE(poll_holds_nothing),
	{}
};

static struct kunit_suite dma_buf_poll_suite = {
	.name = "dma_buf_poll",
	.init = poll_init,
	.test_cases = dma_buf_poll_cases,
};

kunit_test_suite(dma_buf_poll_suite);
