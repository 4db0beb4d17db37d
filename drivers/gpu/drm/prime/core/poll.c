// SPDX-License-Identifier: GPL-2.0-only
/*
 * Polling a buffer for its fences: readable when the writers are done,
 * writable when everybody is.
 *
 * A buffer that never had a fence is answered without a look at the rest of
 * the reservation object, any idle one without a lock. Otherwise one watch per
 * direction, &dma_buf.cb_in or &dma_buf.cb_out, sits on one unsignalled fence,
 * however many pollers there are, and wakes them all; they look again and, if
 * need be, put the watch on the next fence. A watch holds no reference to the
 * buffer: closing the buffer takes it off its fence.
 *
 * What a watch has in &struct dma_buf is its callback, the wait queue, and in
 * "active" the event that it is armed or being armed for, or 0. The fence has a
 * place in the container. The wait queue's lock protects "active" and fence.
 */
#include "internal.h"

static struct dma_fence **dma_buf_watch_fence(struct dma_buf_poll_cb_t *watch)
{
	struct dma_buf *dmabuf = container_of(watch->poll, typeof(*dmabuf), poll);
	struct dma_buf_object *obj = to_dma_buf_object(dmabuf);

	return watch == &dmabuf->cb_in ? &obj->fence_in : &obj->fence_out;
}

/* Runs inside the fence's lock, from any context. */
static void dma_buf_watch_fire(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct dma_buf_poll_cb_t *watch = container_of(cb, typeof(*watch), cb);
	wait_queue_head_t *poll = watch->poll;
	unsigned long flags;

	spin_lock_irqsave(&poll->lock, flags);
	*dma_buf_watch_fence(watch) = NULL;
	watch->active = 0;
	/* No key: io_uring and aio take one for the answer and never look again. */
	wake_up_all_locked(poll);
	spin_unlock_irqrestore(&poll->lock, flags);

	/* The watch may be gone; the fence has whoever signals it. */
	dma_fence_put(fence);
}

/* Puts the watch on the first fence that is still unsignalled, if any. */
static bool dma_buf_watch_attach(struct dma_buf_poll_cb_t *watch,
				 struct dma_resv *resv, enum dma_resv_usage usage)
{
	struct dma_fence **slot = dma_buf_watch_fence(watch);
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	bool armed = false;

	dma_resv_iter_begin(&cursor, resv, usage);
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		spin_lock_irq(&watch->poll->lock);
		*slot = dma_fence_get(fence);
		spin_unlock_irq(&watch->poll->lock);

		armed = !dma_fence_add_callback(fence, &watch->cb,
						dma_buf_watch_fire);
		if (armed)
			break;

		spin_lock_irq(&watch->poll->lock);
		*slot = NULL;
		spin_unlock_irq(&watch->poll->lock);
		dma_fence_put(fence);
	}
	dma_resv_iter_end(&cursor);

	return armed;
}

/* The watch is on a fence, or about to be, that has not signalled. */
static bool dma_buf_watch_pending(struct dma_buf_poll_cb_t *watch)
{
	struct dma_fence *fence;
	bool pending;

	spin_lock_irq(&watch->poll->lock);
	fence = *dma_buf_watch_fence(watch);
	pending = fence && !test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags);
	spin_unlock_irq(&watch->poll->lock);

	return pending;
}

/*
 * True: nothing to wait for. False: somebody's call, perhaps this one, has the
 * watch, and everybody in the wait queue will be woken.
 */
static bool dma_buf_watch_ready(struct dma_buf_poll_cb_t *watch, __poll_t event,
				struct dma_resv *resv, enum dma_resv_usage usage)
{
	__poll_t taken;

	if (dma_buf_watch_pending(watch))
		return false;
	if (dma_resv_test_signaled(resv, usage))
		return true;

	spin_lock_irq(&watch->poll->lock);
	taken = watch->active;
	watch->active = event;
	spin_unlock_irq(&watch->poll->lock);
	if (taken || dma_buf_watch_attach(watch, resv, usage))
		return false;

	/* Who found the watch taken meanwhile counts on being woken. */
	spin_lock_irq(&watch->poll->lock);
	watch->active = 0;
	wake_up_all_locked(watch->poll);
	spin_unlock_irq(&watch->poll->lock);
	return true;
}

/*
 * For the last close: nobody polls any more, only a fence may still fire.
 * dma_fence_remove_callback() takes the fence's lock, so that a callback which
 * is running has left the buffer when it returns.
 */
static void dma_buf_watch_stop(struct dma_buf_poll_cb_t *watch)
{
	struct dma_fence **slot = dma_buf_watch_fence(watch);
	struct dma_fence *fence;

	/* Never on a fence: so it is with most buffers. */
	if (!watch->cb.func)
		return;

	spin_lock_irq(&watch->poll->lock);
	fence = *slot ? dma_fence_get(*slot) : NULL;
	spin_unlock_irq(&watch->poll->lock);
	if (!fence)
		return;

	if (dma_fence_remove_callback(fence, &watch->cb))
		dma_fence_put(*slot);
	dma_fence_put(fence);
}

__poll_t dma_buf_poll(struct file *file, poll_table *table)
{
	struct dma_buf *dmabuf = file->private_data;
	__poll_t wanted, ready = 0;

	poll_wait(file, &dmabuf->poll, table);

	wanted = poll_requested_events(table) & (EPOLLIN | EPOLLOUT);
	if (!rcu_access_pointer(dmabuf->resv->fences))
		return wanted;

	if ((wanted & EPOLLIN) &&
	    dma_buf_watch_ready(&dmabuf->cb_in, EPOLLIN, dmabuf->resv,
				dma_resv_usage_rw(false)))
		ready |= EPOLLIN;
	if ((wanted & EPOLLOUT) &&
	    dma_buf_watch_ready(&dmabuf->cb_out, EPOLLOUT, dmabuf->resv,
				dma_resv_usage_rw(true)))
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
	dma_buf_watch_stop(&obj->base.cb_in);
	dma_buf_watch_stop(&obj->base.cb_out);
}
