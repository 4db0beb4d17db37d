// SPDX-License-Identifier: GPL-2.0
/*
 * Claims: which thread is importing which buffer into a file.
 *
 * An import can take long, since the exporter may pin and map. It runs without
 * a lock of DRM. Instead the thread has a claim: an entry of the file's table
 * that has no handle yet. Only threads that import the same buffer into the
 * same file wait for the claim to end.
 */
#include <linux/wait.h>

#include "internal.h"

/*
 * lockdep sees a claim as a lock that a thread holds while it imports. A thread
 * that waits for a claim must not hold a lock that an import may take.
 */
#ifdef CONFIG_LOCKDEP
static struct lockdep_map drm_prime_claim_map =
	STATIC_LOCKDEP_MAP_INIT("drm_prime_claim", &drm_prime_claim_map);
#endif

/*
 * One counter and one queue serve all files, since two threads of a file rarely
 * import the same buffer at the same time.
 */
static atomic_t drm_prime_claims_ended = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(drm_prime_claim_waiters);

/*
 * Waits until any claim has ended, with or without success. Drops the prime
 * lock meanwhile. Only a fatal signal ends the wait early, with -ERESTARTSYS,
 * since programs do not expect a signal to interrupt this ioctl.
 */
int drm_prime_claim_wait_locked(struct drm_prime_table *table)
{
	const int seen = atomic_read(&drm_prime_claims_ended);
	int ret;

	lockdep_assert_held(&table->lock);

	mutex_unlock(&table->lock);

	lock_map_acquire(&drm_prime_claim_map);
	lock_map_release(&drm_prime_claim_map);
	ret = wait_event_killable(drm_prime_claim_waiters,
				  atomic_read(&drm_prime_claims_ended) != seen);

	mutex_lock(&table->lock);
	return ret;
}

/*
 * Returns a claim to import the buffer of @file, which was found by @fd and has
 * no entry in the table of @file_priv. The thread must end the claim with
 * drm_prime_claim_end_locked(). Returns ERR_PTR(-EINVAL) when @file is not a
 * dma-buf, or ERR_PTR(-ENOMEM).
 */
struct drm_prime_entry *
drm_prime_claim_begin_locked(struct drm_file *file_priv, struct file *file, int fd)
{
	struct drm_prime_table *table = to_drm_prime_table(&file_priv->prime);
	struct drm_prime_entry *claim;
	struct dma_buf *dmabuf;

	lockdep_assert_held(&table->lock);

	dmabuf = dma_buf_from_file(file, fd);
	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);

	claim = drm_prime_entry_alloc_locked(table);
	if (!claim) {
		dma_buf_refused(dmabuf, drm_dev_dma_dev(file_priv->minor->dev),
				DMA_BUF_STEP_HANDLE, -ENOMEM);
		dma_buf_put(dmabuf);
		return ERR_PTR(-ENOMEM);
	}

	drm_prime_entry_link_locked(table, claim, dmabuf, 0);
	/* Like a trylock: the prime lock is held, but nobody else has this claim. */
	lock_map_acquire_try(&drm_prime_claim_map);
	return claim;
}

/*
 * Ends a claim. @handle is the handle that the import made. It is 0 if the
 * import failed or another thread has already closed the handle.
 */
void drm_prime_claim_end_locked(struct drm_prime_table *table,
				struct drm_prime_entry *claim, u32 handle)
{
	lockdep_assert_held(&table->lock);

	/* Another thread may have guessed and exported the handle already. */
	if (handle && !drm_prime_entry_by_handle_locked(table, handle))
		drm_prime_entry_set_handle_locked(table, claim, handle);
	else
		drm_prime_entry_unlink_locked(table, claim);

	atomic_inc_return(&drm_prime_claims_ended);
	/* After a full barrier: a waiter queues itself, then reads the counter. */
	if (waitqueue_active(&drm_prime_claim_waiters))
		wake_up_all(&drm_prime_claim_waiters);
	lock_map_release(&drm_prime_claim_map);
}
