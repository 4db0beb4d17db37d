// SPDX-License-Identifier: GPL-2.0
/* Poll, and fences to sync_files and back. */
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/sync_file.h>
#include <uapi/linux/dma-buf.h>

#include "mocks.h"

static struct storage *st;
static struct dma_buf *buffer;
static struct dma_fence *fences[2];
static int fd;

static void begin(int n)
{
	int i;

	st = storage_export(false, NULL);
	buffer = st->dmabuf;
	fd = dma_buf_fd(buffer, O_CLOEXEC);
	for (i = 0; i < n; i++) {
		fences[i] = fence_new_lock_apart();
		fence_add(buffer, fences[i], DMA_RESV_USAGE_WRITE);
	}
}

static void end(void)
{
	ex_files_end();
	ex_join();
	CHECK(atomic_read(&storages_released) == 1);
}

/* --- poll, as select() and poll() do it --- */

struct poller {
	poll_table table;
	wait_queue_entry_t entry;
	wait_queue_head_t *head;
	struct task_struct *task;
	int woken;
};

static int poller_wake(wait_queue_entry_t *entry, unsigned int mode, int flags, void *key)
{
	struct poller *p = container_of(entry, struct poller, entry);

	WRITE_ONCE(p->woken, 1);
	return wake_up_process(p->task);
}

static void poller_queue(struct file *file, wait_queue_head_t *head, poll_table *table)
{
	struct poller *p = container_of(table, struct poller, table);

	p->head = head;
	init_waitqueue_func_entry(&p->entry, poller_wake);
	add_wait_queue(head, &p->entry);
}

/* Returns what is ready: at once, or after waiting for it. */
static __poll_t poll_fd(__poll_t events, bool wait)
{
	struct poller p = { .task = current };

	struct file *file = fget(fd);
	__poll_t ready;

	if (!file)
		return EPOLLNVAL;
	ex_note("poll");
	init_poll_funcptr(&p.table, wait ? poller_queue : NULL);
	p.table._key = events;
	for (;;) {
		ready = file->f_op->poll(file, &p.table) & events;
		p.table._qproc = NULL;
		if (ready || !wait)
			break;
		set_current_state(TASK_INTERRUPTIBLE);
		if (!READ_ONCE(p.woken))
			schedule();
		__set_current_state(TASK_RUNNING);
		smp_store_mb(p.woken, 0);
	}
	if (p.head)
		remove_wait_queue(p.head, &p.entry);
	fput(file);
	ex_user_return();
	ex_note("  gives %x", (__force unsigned int)ready);
	return ready;
}

static void poll_wait_write(void)
{
	/* All fences have signalled then. */
	if (poll_fd(EPOLLOUT, true) == EPOLLOUT)
		CHECK(dma_resv_test_signaled(buffer->resv, DMA_RESV_USAGE_READ));
}

static void poll_wait_read(void)
{
	if (poll_fd(EPOLLIN, true) == EPOLLIN)
		CHECK(dma_resv_test_signaled(buffer->resv, DMA_RESV_USAGE_WRITE));
}

static void poll_and_close(void)
{
	poll_fd(EPOLLIN | EPOLLOUT, false);
	ex_close(fd);
}

static void poll_only(void)
{
	poll_fd(EPOLLIN, false);
}

static void signal_first(void)
{
	fence_signal_by_interrupt(fences[0]);
}

static void signal_second(void)
{
	fence_signal_by_interrupt(fences[1]);
}

static void close_fd(void)
{
	ex_close(fd);
}

static void run(int n, void (*a)(void), void (*b)(void), void (*c)(void))
{
	begin(n);
	thread(1, a);
	thread(2, b);
	if (c)
		thread(3, c);
	run_threads();
	end();
}

static void poll_signal(void) { run(1, poll_wait_write, signal_first, NULL); }
EX_SCENARIO(poll_signal, "poll-signal", "a poller waits for a fence", poll_signal, 4, -1, 5, -1);
static void poll_signal_signal(void) { run(2, poll_wait_write, signal_first, signal_second); }
EX_SCENARIO(poll_two, "poll-signal-signal", "a poller waits for two fences", poll_signal_signal, 2,
	    -1, 2, -1);
static void poll_poll_signal(void) { run(1, poll_wait_read, poll_wait_write, signal_first); }
EX_SCENARIO(poll_poll, "poll-poll-signal", "a poller for reading, one for writing, and a fence",
	    poll_poll_signal, 2, -1, 2, -1);
static void poll_poll_same(void) { run(1, poll_wait_write, poll_wait_write, signal_first); }
EX_SCENARIO(poll_same, "poll-same-signal", "two pollers of one direction, and a fence",
	    poll_poll_same, 2, -1, 2, -1);
/* Invariant 12: the buffer ends though the fence may never signal. */
static void poll_close(void) { run(1, poll_and_close, signal_first, NULL); }
EX_SCENARIO(poll_close, "poll-close-signal", "poll and last close against a fence", poll_close, 4,
	    -1, 5, -1);
static void poll_poll_close(void) { run(1, poll_only, close_fd, signal_first); }
EX_SCENARIO(poll_poll_close, "poll-close-race", "a poll, the last close and a fence",
	    poll_poll_close, 2, -1, 3, -1);

/* The reference of the walk may be the last one while the watch is on the fence. */
static void poll_close_walk(void) { run(1, poll_and_close, signal_first, read_holders); }
EX_SCENARIO(poll_close_holders, "poll-close-holders",
	    "poll and last close, a fence and a walk of all holders", poll_close_walk, 2, 0, 2, 1);

/*
 * Somebody else uses the reservation object, and drops the fence once it has signalled. The fence's
 * lock is not in the fence, so a reference to the fence does not keep the lock.
 */
static struct dma_resv shared;

static void signal_and_replace(void)
{
	struct dma_fence *stub = dma_fence_get_stub();

	fence_signal_by_interrupt(fences[0]);
	dma_resv_lock(&shared, NULL);
	dma_resv_replace_fences(&shared, 1, stub, DMA_RESV_USAGE_READ);
	dma_resv_unlock(&shared);
	dma_fence_put(stub);
}

static void poll_close_shared(void)
{
	dma_resv_init(&shared);
	st = storage_export(false, &shared);
	buffer = st->dmabuf;
	fd = dma_buf_fd(buffer, O_CLOEXEC);
	fences[0] = fence_new_lock_apart();
	fences[0]->context = 1;
	fence_add(buffer, fences[0], DMA_RESV_USAGE_WRITE);
	poll_fd(EPOLLIN | EPOLLOUT, false);
	thread(1, close_fd);
	thread(2, signal_and_replace);
	run_threads();
	dma_resv_fini(&shared);
	end();
}
EX_SCENARIO(poll_close_shared, "poll-close-shared",
	    "last close against a fence that leaves a shared reservation object", poll_close_shared,
	    4, -1, 5, -1);

/* --- sync_files --- */

static int export_sync_file(void)
{
	struct dma_buf_export_sync_file arg = { .flags = DMA_BUF_SYNC_RW, .fd = -1 };
	struct file *file = fget(fd);
	long ret;

	if (!file)
		return -EBADF;
	ex_installed[ex_self()] = 0;
	ret = file->f_op->unlocked_ioctl(file, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, (unsigned long)&arg);
	/* Invariant 8. */
	CHECK(ex_installed[ex_self()] == !ret && (!ret || ret == -ENOMEM));
	if (!ret) {
		struct dma_fence *fence = sync_file_get_fence(arg.fd);

		/* It stands for all fences of the buffer, so it signals last. */
		CHECK(!dma_fence_is_signaled(fence) ||
		      dma_resv_test_signaled(buffer->resv, DMA_RESV_USAGE_READ));
		dma_fence_put(fence);
	}
	fput(file);
	ex_user_return();
	return ret ?: arg.fd;
}

static void export_sync(void)
{
	int sync = export_sync_file();

	if (sync >= 0)
		ex_close(sync);
}

static void import_sync(void)
{
	struct dma_buf_import_sync_file arg = { .flags = DMA_BUF_SYNC_WRITE };
	struct file *file = fget(fd);

	if (!file)
		return;
	arg.fd = export_sync_file();
	if (arg.fd >= 0) {
		file->f_op->unlocked_ioctl(file, DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
					   (unsigned long)&arg);
		ex_close(arg.fd);
	}
	fput(file);
	ex_user_return();
}

/* A fence that the buffer does not have, for the buffer; this thread has a reference to it. */
static void import_other(void)
{
	struct dma_buf_import_sync_file arg = { .flags = DMA_BUF_SYNC_WRITE };
	struct sync_file *sync = sync_file_create(fences[0]);
	struct file *file = fget(fd);
	long ret;

	arg.fd = sync ? get_unused_fd_flags(O_CLOEXEC) : -1;
	if (arg.fd >= 0) {
		fd_install(arg.fd, sync->file);
		ret = file->f_op->unlocked_ioctl(file, DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
						 (unsigned long)&arg);
		/* The program may take the buffer to be busy until the fence signals. */
		CHECK(ret || !dma_resv_test_signaled(buffer->resv, DMA_RESV_USAGE_WRITE) ||
		      dma_fence_is_signaled(fences[0]));
		ex_close(arg.fd);
	} else if (sync) {
		fput(sync->file);
	}
	dma_fence_put(fences[0]);
	fput(file);
	ex_user_return();
}

static void sync_other(void)
{
	begin(0);
	fences[0] = dma_fence_get(fence_new());
	thread(1, import_other);
	thread(2, signal_first);
	run_threads();
	end();
}
EX_SCENARIO(sync_other, "sync-import-other", "a sync_file for a buffer without fences, and its fence",
	    sync_other, 3, 2, 4, 3);

static void sync_signal(void) { run(1, export_sync, signal_first, NULL); }
EX_SCENARIO(sync_signal, "sync-signal", "export of a sync_file against its fence", sync_signal, 3,
	    2, 4, 3);
static void sync_signals(void) { run(2, export_sync, signal_first, signal_second); }
EX_SCENARIO(sync_signals, "sync-signal-signal", "export of a sync_file of two fences", sync_signals,
	    2, 0, 2, 1);
static void sync_import(void) { run(1, import_sync, signal_first, NULL); }
EX_SCENARIO(sync_import, "sync-import",
	    "a buffer's fence to a sync_file and back, against the fence", sync_import, 3, 2, 4, 3);
static void sync_close(void) { run(1, import_sync, close_fd, signal_first); }
EX_SCENARIO(sync_close, "sync-import-close",
	    "a buffer's fence to a sync_file and back, the last close, and the fence", sync_close,
	    2, 0, 2, 1);

/* What it exports has the time of the last signal or, while somebody holds the lock, a later one. */
static void signal_then_export(void)
{
	struct sync_file *sync;
	ktime_t signalled;
	int sync_fd;

	signal_first();
	signalled = fences[0]->timestamp;
	sync_fd = export_sync_file();
	if (sync_fd < 0)
		return;
	sync = ex_file(sync_fd)->private_data;
	CHECK(sync->fence->timestamp >= signalled);
	ex_close(sync_fd);
}

static void sync_idle(void) { run(1, signal_then_export, export_sync, NULL); }
EX_SCENARIO(sync_idle, "sync-idle", "export of a sync_file after the signal, and another export",
	    sync_idle, 2, 0, 3, 1);
