// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes the core's locks once at boot in the order of "DOC: locking". So
 * lockdep reports a wrong order the first time that it happens.
 *
 * dma_resv.c does the same for mmap_lock, which is outside a reservation
 * object, and memory reclaim, which is inside. This file adds the core's own
 * locks.
 */
#include <linux/sched/mm.h>

#include "internal.h"

static int __init dma_buf_lockdep_prime(void)
{
	struct dma_buf_object obj = { };

	dma_buf_object_init(&obj);
	dma_resv_init(&obj.own_resv);

	dma_resv_lock(&obj.own_resv, NULL);
	fs_reclaim_acquire(GFP_KERNEL);
	might_lock(&obj.base.name_lock);
	spin_lock_irq(&obj.base.poll.lock);
	spin_unlock_irq(&obj.base.poll.lock);
	dma_buf_list_add(&obj);
	dma_buf_list_del(&obj);
	fs_reclaim_release(GFP_KERNEL);
	dma_resv_unlock(&obj.own_resv);

	dma_resv_fini(&obj.own_resv);
	return 0;
}
subsys_initcall(dma_buf_lockdep_prime);
