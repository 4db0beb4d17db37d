// SPDX-License-Identifier: GPL-2.0-only
/*
 * Polling a buffer for its fences: readable when the writers are done,
 * writable when everybody is.
 *
 * A buffer with nothing pending is answered without any lock. Otherwise one
 * watch per direction sits on one unsignalled fence, however many pollers
 * there are, and wakes them all; they look again and, if need be, put the
 * watch on the next fence. A watch holds no reference to the buffer: closing
 * the buffer takes it off its fence.
 */
#include "dma_buf_internal.h"

/* Runs inside the fence's lock, from any context. */
static void dma_buf_watch_fire(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct dma_buf_watch *watch = container_of(cb, typeof(*watch), cb);
	wait_queue_head_t *poll = watch->poll;
	unsigned long flags;

	spin_lock_irqsave(&poll->lock, flags);
	watch->fence = NULL;
	watch->busy = false;
	/* No key: io_uring and aio take one for the answer and never look again. */
	wake_up_all_locked(poll);
	spin_unlock_irqrestore(&poll->lock, flags);

	/* The watch may be gone; the fence has whoever signals it. */
	dma_fence_put(fence);
}

/* Puts the watch on the first fence that is still unsignalled, if any. */
static bool dma_buf_watch_attach(struct dma_buf_watch *watch,
				 struct dma_resv *resv, enum dma_resv_usage usage)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	bool armed = false;

	dma_resv_iter_begin(&cursor, resv, usage);
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		watch->fence = dma_fence_get(fence);
		armed = !dma_fence_add_callback(fence, &watch->cb,
						dma_buf_watch_fire);
		if (armed)
			break;
		watch->fence = NULL;
		dma_fence_put(fence);
	}
	dma_resv_iter_end(&cursor);

	return armed;
}

/*
 * True: nothing to wait for. False: somebody's call, perhaps this one, has the
 * watch, and everybody in the wait queue will be woken.
 */
static bool dma_buf_watch_ready(struct dma_buf_watch *watch,
				struct dma_resv *resv, enum dma_resv_usage usage)
{
	bool taken;

	if (dma_resv_test_signaled(resv, usage))
		return true;

	spin_lock_irq(&watch->poll->lock);
	taken = watch->busy;
	watch->busy = true;
	spin_unlock_irq(&watch->poll->lock);
	if (taken || dma_buf_watch_attach(watch, resv, usage))
		return false;

	/* Who found the watch taken meanwhile counts on being woken. */
	spin_lock_irq(&watch->poll->lock);
	watch->busy = false;
	wake_up_all_locked(watch->poll);
	spin_unlock_irq(&watch->poll->lock);
	return true;
}

/*
 * For the last close: nobody polls any more, only a fence may still fire.
 * dma_fence_remove_callback() takes the fence's lock, so that a callback which
 * is running has left the buffer when it returns.
 */
static void dma_buf_watch_stop(struct dma_buf_watch *watch)
{
	struct dma_fence *fence;

	spin_lock_irq(&watch->poll->lock);
	fence = watch->fence ? dma_fence_get(watch->fence) : NULL;
	spin_unlock_irq(&watch->poll->lock);
	if (!fence)
		return;

	if (dma_fence_remove_callback(fence, &watch->cb))
		dma_fence_put(watch->fence);
	dma_fence_put(fence);
}

__poll_t dma_buf_poll(struct file *file, poll_table *table)
{
	struct dma_buf_object *obj = to_dma_buf_object(file->private_data);
	struct dma_buf *dmabuf = &obj->base;
	__poll_t wanted, ready = 0;

	poll_wait(file, &dmabuf->poll, table);

	wanted = poll_requested_events(table);
	if ((wanted & EPOLLIN) &&
	    dma_buf_watch_ready(&obj->readable, dmabuf->resv,
				dma_resv_usage_rw(false)))
		ready |= EPOLLIN;
	if ((wanted & EPOLLOUT) &&
	    dma_buf_watch_ready(&obj->writable, dmabuf->resv,
				dma_resv_usage_rw(true)))
		ready |= EPOLLOUT;

	return ready;
}

void dma_buf_poll_init(struct dma_buf_object *obj)
{
	init_waitqueue_head(&obj->base.poll);

	obj->readable.poll = &obj->base.poll;
	obj->writable.poll = &obj->base.poll;
}

void dma_buf_poll_fini(struct dma_buf_object *obj)
{
	dma_buf_watch_stop(&obj->readable);
	dma_buf_watch_stop(&obj->writable);
}
