// SPDX-License-Identifier: GPL-2.0
/*
 * Claims: which thread is importing which buffer into a file.
 *
 * An import can take long, since the exporter may pin and map. It runs without
 * a lock of DRM. Instead the thread has a claim: an entry of the file's table
 * that has no handle yet. Only threads that import the same buffer into the
 * same file wait for the claim to end.
 */
#include <linux/wait_bit.h>

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
 * One counter serves all files, since two threads of a file rarely import the
 * same buffer at the same time.
 */
static atomic_t drm_prime_claims_ended = ATOMIC_INIT(0);

/*
 * Waits until any claim has ended, with or without success. Drops the prime
 * lock meanwhile. Only a fatal signal ends the wait early, since programs do
 * not expect a signal to interrupt this ioctl.
 */
static int drm_prime_claim_wait_locked(struct drm_prime_table *table)
{
	const int seen = atomic_read(&drm_prime_claims_ended);
	int ret;

	lockdep_assert_held(&table->lock);

	mutex_unlock(&table->lock);

	lock_map_acquire(&drm_prime_claim_map);
	lock_map_release(&drm_prime_claim_map);
	ret = wait_var_event_killable(&drm_prime_claims_ended,
				      atomic_read(&drm_prime_claims_ended) != seen);

	mutex_lock(&table->lock);
	return ret;
}

/*
 * Returns a claim to import a buffer. The caller's reference to @dmabuf then
 * belongs to the claim. The thread must end the claim with
 * drm_prime_claim_end_locked(). Returns NULL, and the handle in *@handle, if
 * the file has a handle for the buffer. Otherwise returns ERR_PTR: -ENOMEM;
 * -ERESTARTSYS when the thread is killed while it waits for another thread's
 * claim.
 */
struct drm_prime_entry *drm_prime_claim_begin(struct drm_prime_table *table,
					      struct dma_buf *dmabuf, u32 *handle)
{
	struct drm_prime_entry *entry;
	int ret;

	guard(mutex)(&table->lock);
	while ((entry = drm_prime_entry_by_file_locked(table, dmabuf->file))) {
		*handle = entry->handle;
		if (*handle)
			return NULL;
		ret = drm_prime_claim_wait_locked(table);
		if (ret)
			return ERR_PTR(ret);
	}

	entry = drm_prime_entry_alloc_locked(table);
	if (!entry)
		return ERR_PTR(-ENOMEM);

	drm_prime_entry_link_locked(table, entry, dmabuf, 0);
	/* Nobody else has this claim, so this doesn't wait under the prime lock. */
	lock_map_acquire_try(&drm_prime_claim_map);
	return entry;
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

	/* A full barrier: a waiter queues itself, then reads the counter. */
	atomic_inc_return(&drm_prime_claims_ended);
	wake_up_var(&drm_prime_claims_ended);
	lock_map_release(&drm_prime_claim_map);
}
