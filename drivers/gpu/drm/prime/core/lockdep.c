// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shows lockdep the lock order of "DOC: locking" once at boot, so that the
 * first wrong step anywhere is reported, not only the unlucky one.
 *
 * dma_resv.c does the same for what lies around a reservation object: mmap_lock
 * outside, memory reclaim and the lock of a file's mappings inside, which late
 * storage takes to be taken out of page tables. Here are the locks that this
 * core adds.
 */
#include <linux/percpu.h>
#include <linux/sched/mm.h>

#include "internal.h"

#if IS_ENABLED(CONFIG_LOCKDEP) && IS_ENABLED(CONFIG_DEBUG_FS)

static int __init dma_buf_lockdep_prime(void)
{
	struct mutex *list_lock = &raw_cpu_ptr(&dma_buf_lists)->lock;
	struct dma_resv resv;

	dma_resv_init(&resv);

	mutex_lock(list_lock);
	dma_resv_lock(&resv, NULL);
	fs_reclaim_acquire(GFP_KERNEL);
	spin_lock(&dma_buf_kept_lock);
	spin_unlock(&dma_buf_kept_lock);
	fs_reclaim_release(GFP_KERNEL);
	dma_resv_unlock(&resv);
	mutex_unlock(list_lock);

	dma_resv_fini(&resv);
	return 0;
}
subsys_initcall(dma_buf_lockdep_prime);

#endif
