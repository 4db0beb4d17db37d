// SPDX-License-Identifier: GPL-2.0-only
/*
 * Storage of late buffers that nobody uses is given back when memory is short:
 * its content goes to a shmem file, which the kernel can swap, and comes back
 * when storage is placed for the next use.
 */
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/shmem_fs.h>
#include <linux/shrinker.h>
#include <linux/swap.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <kunit/static_stub.h>
#include <kunit/visibility.h>

#include "../core/internal.h"
#include "internal.h"
#include "storage.h"

/**
 * DOC: memory pressure
 *
 * Storage is idle when no device has it mapped, nobody has pinned it and the
 * kernel has no mapping of it. Mappings of user space don't count: they are
 * taken down and fault again. Under memory pressure idle storage is given back,
 * whatever kind of memory it is: one that has long not been used first, unless
 * work is under way on the buffer (a fence that has not signalled) or somebody
 * has its reservation object.
 *
 * The next map, pin, vmap or fault needs memory for the content anew, as the
 * first one did, and fails as that one when there is none: with -ENOMEM, with
 * -EBUSY for want of one long run, or with SIGBUS. It fails with -EIO when the
 * content can't be read from swap. The content stays where it is then, and the
 * next attempt may be luckier. Who can't take that has the storage pinned.
 *
 * Without swap nothing is given back, since a shmem file needs as much memory.
 * Memory is short when the machine's is; the limit of a memory cgroup alone
 * does not take storage from its members. The file is charged to the memory
 * cgroup that the storage is charged to; while the content is copied, both are.
 *
 * A shrinker can't take a reservation object, under which memory is allocated,
 * nor allocate itself, and leaves it to a worker.
 *
 * A buffer is in the list of idle ones, or not, as its reservation object's
 * holder left it; one spinlock protects the list and the sums and nests in
 * anything, memory reclaim included. Buffers are not kept alive by the list.
 * The worker takes the reservation object with a trylock under the spinlock,
 * while the list says that there is such a buffer, and marks it.
 * dma_buf_late_fini() takes the buffer off the list, so that it is not chosen
 * any more, and waits for the mark to go, which is the last that the worker
 * does to it. It copies no further then. Between its trylock and that the
 * worker takes locks of the shmem file, of the mappings of user space and of
 * memory reclaim, none of which the caller of dma_buf_late_fini() may hold, and
 * no other reservation object.
 *
 * debugfs dma_buf/late tells how much storage is in use, idle, and given back.
 * A number of bytes written to it is given back at once, with or without swap.
 */

/* Protects all below, and what &struct dma_buf_late says. */
DEFINE_SPINLOCK(dma_buf_late_lock);
/* Links &dma_buf_late.idle, the longest unused first. */
static LIST_HEAD(dma_buf_late_idle);
/* Of each state but DMA_BUF_LATE_NONE. */
static struct dma_buf_late_sum {
	unsigned int buffers;
	unsigned long pages;
} dma_buf_late_sums[DMA_BUF_LATE_STATES];
/* Pages that the worker is asked to give back. */
static unsigned long dma_buf_late_wanted;
/* Woken when a buffer isn't being worked on any more. */
static DECLARE_WAIT_QUEUE_HEAD(dma_buf_late_left);

static void dma_buf_late_work_fn(struct work_struct *work);
static DECLARE_WORK(dma_buf_late_work, dma_buf_late_work_fn);

static void dma_buf_late_account_locked(struct dma_buf_late *late,
					enum dma_buf_late_state state)
{
	const unsigned long pages = late->size >> PAGE_SHIFT;

	lockdep_assert_held(&dma_buf_late_lock);

	if (late->state != DMA_BUF_LATE_NONE) {
		dma_buf_late_sums[late->state].buffers--;
		dma_buf_late_sums[late->state].pages -= pages;
	}
	if (state != DMA_BUF_LATE_NONE) {
		dma_buf_late_sums[state].buffers++;
		dma_buf_late_sums[state].pages += pages;
	}
	late->state = state;
}

static enum dma_buf_late_state dma_buf_late_state_of(struct dma_buf_late *late)
{
	dma_resv_assert_held(late->resv);

	if (late->swap)
		return DMA_BUF_LATE_SWAPPED;
	if (!late->storage)
		return DMA_BUF_LATE_NONE;
	if (late->pins || late->vmaps || !list_empty(&late->mappings))
		return DMA_BUF_LATE_USED;
	return DMA_BUF_LATE_IDLE;
}

/*
 * After each use and each change of it: may the storage go? Among those that
 * may, it is the last one then.
 */
void dma_buf_late_touch_locked(struct dma_buf_late *late)
{
	const enum dma_buf_late_state state = dma_buf_late_state_of(late);

	spin_lock(&dma_buf_late_lock);
	dma_buf_late_account_locked(late, state);
	if (state == DMA_BUF_LATE_IDLE)
		list_move_tail(&late->idle, &dma_buf_late_idle);
	else
		list_del_init(&late->idle);
	spin_unlock(&dma_buf_late_lock);
}

/* User space faults again, and finds the storage that there is then. */
void dma_buf_late_zap_locked(struct dma_buf_late *late)
{
	dma_resv_assert_held(late->resv);

	if (late->dmabuf)
		unmap_mapping_range(late->dmabuf->file->f_mapping, 0,
				    late->size, 1);
	if (late->file)
		unmap_mapping_range(late->file, late->file_start, late->size, 1);
}

/* --- the file --- */

/* A page of it with a reference, new ones zeroed. No OOM killer either way. */
struct page *dma_buf_late_swap_page(struct file *file, pgoff_t index, gfp_t gfp)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_late_swap_page, file, index, gfp);

	return shmem_read_mapping_page_gfp(file->f_mapping, index,
					   GFP_HIGHUSER | __GFP_NOWARN | gfp);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_late_swap_page);

/* Memory and swap of it at once, not when somebody gets round to it. */
static void dma_buf_late_swap_drop(struct file *file)
{
	shmem_truncate_range(file_inode(file), 0, (loff_t)-1);
	fput(file);
}

static int dma_buf_late_copy_out(struct dma_buf_late *late, struct file *file)
{
	struct dma_buf_storage *st = late->storage;
	struct page *page;
	unsigned long i;

	for (i = 0; i < st->nr_pages; i++) {
		/* dma_buf_late_fini() waits, and wants no copy. */
		if (READ_ONCE(late->ending))
			return -EINTR;
		page = dma_buf_late_swap_page(file, i, __GFP_NORETRY);
		if (IS_ERR(page))
			return PTR_ERR(page);
		copy_highpage(page, st->pages[i]);
		set_page_dirty(page);
		put_page(page);
		cond_resched();
	}
	return 0;
}

/**
 * dma_buf_late_swap_in_locked - copy the content to new storage
 * @late: storage that was given back
 * @to: storage of the same size, which nobody uses yet
 *
 * Context: may sleep; caller holds the reservation object.
 *
 * Return: 0, and the file is gone; -ENOMEM, -EIO, or -EINTR after a fatal
 * signal, and it is as it was.
 */
int dma_buf_late_swap_in_locked(struct dma_buf_late *late,
				struct dma_buf_storage *to)
{
	struct mem_cgroup *memcg;
	struct page *page;
	unsigned long i;
	int ret = 0;

	dma_resv_assert_held(late->resv);

	memcg = set_active_memcg(late->memcg);
	for (i = 0; i < to->nr_pages && !ret; i++) {
		page = dma_buf_late_swap_page(late->swap, i, __GFP_RETRY_MAYFAIL);
		if (IS_ERR(page)) {
			ret = PTR_ERR(page) == -ENOMEM ? -ENOMEM : -EIO;
			break;
		}
		copy_highpage(to->pages[i], page);
		put_page(page);
		cond_resched();
		if (fatal_signal_pending(current))
			ret = -EINTR;
	}
	set_active_memcg(memcg);
	if (ret)
		return ret;

	dma_buf_late_swap_drop(late->swap);
	late->swap = NULL;
	return 0;
}

/* The number of pages given back; 0 leaves all as it was. */
static unsigned long dma_buf_late_swap_out_locked(struct dma_buf_late *late)
{
	struct mem_cgroup *memcg;
	struct file *file;
	int ret;

	if (dma_buf_late_state_of(late) != DMA_BUF_LATE_IDLE ||
	    !dma_resv_test_signaled(late->resv, DMA_RESV_USAGE_BOOKKEEP))
		return 0;

	memcg = set_active_memcg(late->memcg);
	file = shmem_file_setup("dma-buf-late", late->size, VM_NORESERVE);
	if (IS_ERR(file)) {
		set_active_memcg(memcg);
		return 0;
	}
	/* Nobody writes from here on. */
	dma_buf_late_zap_locked(late);
	ret = dma_buf_late_copy_out(late, file);
	set_active_memcg(memcg);
	if (ret) {
		dma_buf_late_swap_drop(file);
		return 0;
	}

	dma_buf_storage_put(late->storage);
	late->storage = NULL;
	late->swap = file;
	dma_buf_late_touch_locked(late);
	return late->size >> PAGE_SHIFT;
}

/* --- giving back --- */

/* The first in the list, if nobody is busy with it; it becomes the last. */
static unsigned long dma_buf_late_reclaim_first(void)
{
	struct dma_buf_late *late;
	unsigned long pages;

	spin_lock(&dma_buf_late_lock);
	late = list_first_entry_or_null(&dma_buf_late_idle, typeof(*late), idle);
	if (!late) {
		spin_unlock(&dma_buf_late_lock);
		return 0;
	}
	list_move_tail(&late->idle, &dma_buf_late_idle);
	/* There as long as the buffer is in the list, and marked. */
	if (!dma_resv_trylock(late->resv)) {
		spin_unlock(&dma_buf_late_lock);
		return 0;
	}
	late->swapping = true;
	spin_unlock(&dma_buf_late_lock);

	pages = dma_buf_late_swap_out_locked(late);
	dma_resv_unlock(late->resv);

	spin_lock(&dma_buf_late_lock);
	late->swapping = false;
	spin_unlock(&dma_buf_late_lock);
	/* From here on the buffer may be gone. */
	wake_up_all(&dma_buf_late_left);
	return pages;
}

/**
 * dma_buf_late_reclaim - give storage back
 * @wanted: pages that are enough
 *
 * Tries each idle buffer once.
 *
 * Context: may sleep; no reservation object held.
 *
 * Return: pages given back.
 */
unsigned long dma_buf_late_reclaim(unsigned long wanted)
{
	unsigned long freed = 0;
	unsigned int left;

	spin_lock(&dma_buf_late_lock);
	left = dma_buf_late_sums[DMA_BUF_LATE_IDLE].buffers;
	spin_unlock(&dma_buf_late_lock);

	while (left-- && freed < wanted) {
		freed += dma_buf_late_reclaim_first();
		cond_resched();
	}
	return freed;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_late_reclaim);

static void dma_buf_late_work_fn(struct work_struct *work)
{
	unsigned long wanted;

	spin_lock(&dma_buf_late_lock);
	wanted = dma_buf_late_wanted;
	spin_unlock(&dma_buf_late_lock);

	dma_buf_late_reclaim(wanted);

	/* What could not be had is asked for again. */
	spin_lock(&dma_buf_late_lock);
	dma_buf_late_wanted -= wanted;
	spin_unlock(&dma_buf_late_lock);
}

static bool dma_buf_late_is_left(struct dma_buf_late *late)
{
	bool left;

	spin_lock(&dma_buf_late_lock);
	left = !late->swapping;
	spin_unlock(&dma_buf_late_lock);

	return left;
}

/* Nobody else reaches @late but for the list; afterwards nobody at all. */
void dma_buf_late_swap_fini(struct dma_buf_late *late)
{
	/* That is what the worker does that is waited for. */
	might_alloc(GFP_KERNEL);

	WRITE_ONCE(late->ending, true);
	spin_lock(&dma_buf_late_lock);
	list_del_init(&late->idle);
	spin_unlock(&dma_buf_late_lock);
	wait_event(dma_buf_late_left, dma_buf_late_is_left(late));

	spin_lock(&dma_buf_late_lock);
	dma_buf_late_account_locked(late, DMA_BUF_LATE_NONE);
	spin_unlock(&dma_buf_late_lock);
	if (late->swap)
		dma_buf_late_swap_drop(late->swap);
	late->swap = NULL;
}

unsigned long dma_buf_late_swap_room(void)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_late_swap_room);

	return max(get_nr_swap_pages(), 0l);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_late_swap_room);

unsigned long dma_buf_late_shrink_count(struct shrinker *shrinker,
					struct shrink_control *sc)
{
	const unsigned long swap = dma_buf_late_swap_room();
	unsigned long idle, wanted;

	spin_lock(&dma_buf_late_lock);
	idle = min(dma_buf_late_sums[DMA_BUF_LATE_IDLE].pages, swap);
	wanted = dma_buf_late_wanted;
	spin_unlock(&dma_buf_late_lock);

	return idle > wanted ? idle - wanted : SHRINK_EMPTY;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_late_shrink_count);

unsigned long dma_buf_late_shrink_scan(struct shrinker *shrinker,
				       struct shrink_control *sc)
{
	spin_lock(&dma_buf_late_lock);
	/* Less than what there is has gone meanwhile; never less than before. */
	dma_buf_late_wanted = max(dma_buf_late_wanted,
				  min(dma_buf_late_wanted + sc->nr_to_scan,
				      dma_buf_late_sums[DMA_BUF_LATE_IDLE].pages));
	spin_unlock(&dma_buf_late_lock);
	queue_work(system_unbound_wq, &dma_buf_late_work);

	return sc->nr_to_scan;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_late_shrink_scan);

/* --- debugfs, init --- */

static int dma_buf_late_show(struct seq_file *s, void *unused)
{
	static const char * const names[] = {
		[DMA_BUF_LATE_USED] = "in use",
		[DMA_BUF_LATE_IDLE] = "idle",
		[DMA_BUF_LATE_SWAPPED] = "given back",
	};
	struct dma_buf_late_sum sums[DMA_BUF_LATE_STATES];
	int i;

	spin_lock(&dma_buf_late_lock);
	memcpy(sums, dma_buf_late_sums, sizeof(sums));
	spin_unlock(&dma_buf_late_lock);

	for (i = DMA_BUF_LATE_USED; i < DMA_BUF_LATE_STATES; i++)
		seq_printf(s, "%s: %u buffers, %lu bytes\n", names[i],
			   sums[i].buffers, sums[i].pages << PAGE_SHIFT);
	return 0;
}

/* More bytes than that are given back, swap or not, if so many are idle. */
static ssize_t dma_buf_late_write(struct file *file, const char __user *ubuf,
				  size_t count, loff_t *ppos)
{
	unsigned long long bytes;
	int ret = kstrtoull_from_user(ubuf, count, 0, &bytes);

	if (ret)
		return ret;

	dma_buf_late_reclaim(min_t(u64, (bytes >> PAGE_SHIFT) + 1, ULONG_MAX));
	return count;
}
DEFINE_SHOW_STORE_ATTRIBUTE(dma_buf_late);

void __init dma_buf_late_swap_init(struct dentry *dir)
{
	struct shrinker *shrinker = shrinker_alloc(0, "dma-buf-late");

	/* Without it storage just stays. */
	if (shrinker) {
		shrinker->count_objects = dma_buf_late_shrink_count;
		shrinker->scan_objects = dma_buf_late_shrink_scan;
		shrinker_register(shrinker);
	}
	debugfs_create_file("late", 0644, dir, NULL, &dma_buf_late_fops);
}
