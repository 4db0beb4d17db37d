// SPDX-License-Identifier: GPL-2.0-only
/*
 * Polling a buffer for its fences: readable when the writers are done,
 * writable when everybody is.
 *
 * A poll of a buffer that never had a fence returns at once. Otherwise there is
 * one watch for each direction, &dma_buf.cb_in and &dma_buf.cb_out, however many
 * pollers there are. A watch is a callback on one unsignalled fence. When that
 * fence signals, all pollers wake up, look again, and put the watch on the next
 * fence. A watch holds no reference to the buffer: when the buffer's file ends,
 * the watch is taken off its fence.
 *
 * &dma_buf_object.fence_in and &dma_buf_object.fence_out point to the fences of
 * the two watches. They are NULL while a watch is not in use. The wait queue's
 * lock protects them.
 */
#include "internal.h"

static struct dma_fence **dma_buf_watch_fence(struct dma_buf_poll_cb_t *watch)
{
	struct dma_buf *dmabuf = container_of(watch->poll, typeof(*dmabuf), poll);
	struct dma_buf_object *obj = to_dma_buf_object(dmabuf);

	return watch == &dmabuf->cb_in ? &obj->fence_in : &obj->fence_out;
}

/* As a callback it runs inside the fence's lock, from any context. */
static void dma_buf_watch_fire(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct dma_buf_poll_cb_t *watch = container_of(cb, typeof(*watch), cb);
	wait_queue_head_t *poll = watch->poll;
	unsigned long flags;

	spin_lock_irqsave(&poll->lock, flags);
	WRITE_ONCE(*dma_buf_watch_fence(watch), NULL);
	/*
	 * Without a key: io_uring and aio would take the key for the result
	 * and not look again. Wake everybody: without a key, an exclusive
	 * wake-up might go to a waiter for the other direction.
	 */
	wake_up_all_locked(poll);
	spin_unlock_irqrestore(&poll->lock, flags);

	/* The buffer may be gone now. The caller still holds the fence. */
	dma_fence_put(fence);
}

/*
 * Returns true if the watch will fire, false if @fence has signalled. The RCU
 * section is for dma_fence_add_callback(), see dma_buf_watch_stop(): the fence
 * may signal after it was found pending and before its lock is taken.
 */
static bool dma_buf_watch_arm(struct dma_buf_poll_cb_t *watch, struct dma_fence *fence)
{
	struct dma_fence **slot = dma_buf_watch_fence(watch);

	guard(rcu)();
	/* The watch is already on a fence, which will wake everybody. */
	scoped_guard(spinlock_irq, &watch->poll->lock) {
		if (*slot)
			return true;
		WRITE_ONCE(*slot, dma_fence_get(fence));
	}

	if (!dma_fence_add_callback(fence, &watch->cb, dma_buf_watch_fire))
		return true;

	/* A thread that found the watch in use relies on a wake-up. */
	dma_buf_watch_fire(fence, &watch->cb);
	return false;
}

/* Returns true if no fence is pending. Otherwise the watch is on a fence. */
static bool dma_buf_watch_ready(struct dma_buf *dmabuf, bool write)
{
	struct dma_buf_poll_cb_t *watch = write ? &dmabuf->cb_out : &dmabuf->cb_in;
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	/* The watch is on a fence. When that signals, all pollers look again. */
	if (READ_ONCE(*dma_buf_watch_fence(watch)))
		return false;

	dma_resv_iter_begin(&cursor, dmabuf->resv, dma_resv_usage_rw(write));
	dma_resv_for_each_fence_unlocked(&cursor, fence)
		if (dma_buf_watch_arm(watch, fence))
			break;
	dma_resv_iter_end(&cursor);

	return !fence;
}

/*
 * For the last close: nobody polls any more, but the fence may still signal.
 * dma_fence_remove_callback() takes the fence's lock, so a callback that is
 * running has finished with the buffer when it returns. The lock is in the
 * fence, or in something that lives for a grace period after the signal.
 */
static void dma_buf_watch_stop(struct dma_buf_poll_cb_t *watch)
{
	struct dma_fence **slot = dma_buf_watch_fence(watch);
	struct dma_fence *fence;

	guard(rcu)();
	scoped_guard(spinlock_irq, &watch->poll->lock)
		fence = dma_fence_get(*slot);

	if (fence && dma_fence_remove_callback(fence, &watch->cb))
		dma_fence_put(*slot);
	dma_fence_put(fence);
}

__poll_t dma_buf_poll(struct file *file, poll_table *table)
{
	__poll_t wanted = poll_requested_events(table) & (EPOLLIN | EPOLLOUT), ready = 0;
	struct dma_buf *dmabuf = file->private_data;

	poll_wait(file, &dmabuf->poll, table);
	if (!rcu_access_pointer(dmabuf->resv->fences))
		return wanted;

	if ((wanted & EPOLLIN) && dma_buf_watch_ready(dmabuf, false))
		ready |= EPOLLIN;
	if ((wanted & EPOLLOUT) && dma_buf_watch_ready(dmabuf, true))
		ready |= EPOLLOUT;

	return ready;
}

void dma_buf_poll_init(struct dma_buf_object *obj)
{
	struct dma_buf *dmabuf = &obj->base;

	init_waitqueue_head(&dmabuf->poll);
	dmabuf->cb_in.poll = &dmabuf->poll;
	dmabuf->cb_out.poll = &dmabuf->poll;
}

void dma_buf_poll_fini(struct dma_buf_object *obj)
{
	/* The watches of most buffers were never on a fence. */
	if (obj->base.cb_in.cb.func)
		dma_buf_watch_stop(&obj->base.cb_in);
	if (obj->base.cb_out.cb.func)
		dma_buf_watch_stop(&obj->base.cb_out);
}
