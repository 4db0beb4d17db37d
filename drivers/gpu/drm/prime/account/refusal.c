// SPDX-License-Identifier: GPL-2.0-only
/*
 * Refusals: why a process could not share a buffer, kept until it asks.
 *
 * The steps of sharing nest: an import attaches, which may pin and map. A record
 * is about the innermost step that failed. Whether anything was refused, and with
 * which errno, is known only at the end of the system call: a driver may try
 * something else when a step fails, and an importer that refuses a buffer just
 * gives it back. So a task work finishes the record when the task returns to
 * user space. It drops the record if the call succeeded. Only a call that failed
 * may cost another refusal its place.
 */
#include <linux/sched/signal.h>
#include <linux/task_work.h>
#include <linux/uaccess.h>

#include "../negotiate/internal.h"
#include "internal.h"

/**
 * DOC: refusals
 *
 * A process can read its own refusals, the last one for each buffer. If it has
 * 8, a new one replaces its oldest one. If there are 256 in all, a new one
 * replaces the oldest one. Those of processes that have ended do not count.
 */
#define REFUSALS_MAX		256
#define REFUSALS_OF_PROCESS	8
/* Beside these, records of calls that are not over. A process may have a quarter of them. */
#define CALLS_MAX		64

/**
 * struct refusal - one record
 * @work: finishes it
 * @queued: @work will run; the record is not used for another buffer until then
 * @pid: the thread group, with a reference; NULL when the record is not in use
 * @task: the thread whose system call has not ended; only compared. If NULL while
 *	@queued, the record is dropped when the call ends
 * @ino: inode number of the buffer, which is never used again
 * @age: larger for one that was told later
 * @why: what the process is told; nothing as long as the error is 0
 *
 * refusal_lock protects all of it.
 */
struct refusal {
	struct callback_head work;
	bool queued;
	struct pid *pid;
	struct task_struct *task;
	u64 ino, age;
	struct dma_buf_refusal why;
};

static struct refusal refusals[REFUSALS_MAX + CALLS_MAX];
static u64 refusal_age;
static DEFINE_SPINLOCK(refusal_lock);

/* The first part of the struct is the interface of the first release. */
static_assert(offsetof(struct dma_buf_refusal, step) == 88);
static_assert(sizeof(struct dma_buf_refusal) == 208);

/* Does the process learn of it, if it asks? */
static bool refusal_told(const struct refusal *r)
{
	return !r->queued && r->why.error && r->pid && pid_has_task(r->pid, PIDTYPE_TGID);
}

/*
 * Returns the oldest of the refusals that are told to @pid, or to all if it is NULL,
 * and of one buffer if @ino is not 0. Returns NULL if there are at most @max.
 */
static struct refusal *refusal_oldest_locked(const struct pid *pid, u64 ino, unsigned int max)
{
	struct refusal *r, *oldest = NULL;
	unsigned int count = 0;

	lockdep_assert_held(&refusal_lock);

	for (r = refusals; r < refusals + ARRAY_SIZE(refusals); r++) {
		if (!refusal_told(r) || (pid && r->pid != pid) || (ino && r->ino != ino))
			continue;
		if (!count++ || r->age < oldest->age)
			oldest = r;
	}
	return count > max ? oldest : NULL;
}

/* A record that tells nothing is dropped. Otherwise an older one may have to make room. */
static void refusal_settle_locked(struct refusal *r)
{
	struct refusal *drop = r;

	lockdep_assert_held(&refusal_lock);

	if (refusal_told(r)) {
		r->age = ++refusal_age;
		drop = refusal_oldest_locked(r->pid, r->ino, 1) ?:
		       refusal_oldest_locked(r->pid, 0, REFUSALS_OF_PROCESS) ?:
		       refusal_oldest_locked(NULL, 0, REFUSALS_MAX);
		trace_dma_buf_refusal(r->ino, &r->why);
	}
	if (drop) {
		put_pid(drop->pid);
		drop->pid = NULL;
	}
}

/* A signal interrupted the call; nothing was refused. */
static bool refusal_error_counts(int error)
{
	return error && error != -EINTR &&
	       (error > -ERESTARTSYS || error < -ERESTART_RESTARTBLOCK);
}

/* Adds what an outer step knows to the record of an inner one, which says more. */
static void refusal_complete_locked(struct refusal *r, const struct dma_buf_refusal *why)
{
	const struct dma_buf_refusal said = r->why;

	lockdep_assert_held(&refusal_lock);

	if (!said.step && why->step) {
		/* A driver gave its reason within this step. The rest comes from the step. */
		r->why = *why;
		memcpy(&r->why, &said, offsetof(struct dma_buf_refusal, device));
		r->why.flags &= ~DMA_BUF_REFUSAL_GUESSED;
	}
	r->why.error = said.error ?: why->error;
	/* ENODEV mostly comes from a driver that imports nothing: a guess would mislead. */
	if (r->why.error == ENODEV && r->why.flags & DMA_BUF_REFUSAL_GUESSED)
		r->why.field = DMA_BUF_FIELD_ERROR;
	if (r->why.field == DMA_BUF_FIELD_ERROR) {
		r->why.flags &= ~DMA_BUF_REFUSAL_GUESSED;
		r->why.wanted = 0;
		r->why.found = r->why.error;
	}
}

/* The system call is over. */
static void refusal_finish(struct callback_head *work)
{
	struct refusal *r = container_of(work, struct refusal, work);
	const int error = syscall_get_error(current, current_pt_regs());

	guard(spinlock)(&refusal_lock);
	r->queued = false;
	/* The errno of the step that failed or, if none did, that of the call. */
	r->why.error = !r->task || !refusal_error_counts(error) ? 0 : r->why.error ?: -error;
	r->task = NULL;
	refusal_complete_locked(r, &r->why);
	refusal_settle_locked(r);
}

/*
 * Did this step fail because the recorded one failed? It did if it is a step
 * around that one, or if the importer gives the buffer back. For a thread that
 * never returns to user space, no end of a call separates two failures, so the
 * order of the steps decides.
 */
static bool refusal_follows(const struct refusal *r, const struct dma_buf_refusal *why)
{
	/* A driver may attach another device than the one that its import is told of. */
	if (why->step < DMA_BUF_STEP_IMPORT && r->why.device[0] &&
	    strcmp(r->why.device, why->device))
		return false;
	if (!why->error && r->why.error)
		return why->step == DMA_BUF_STEP_GIVEN_BACK;
	return why->step >= r->why.step && (!r->why.error || r->why.error == why->error);
}

/*
 * Returns the record of the buffer for the system call that this thread is in, or else
 * an empty one that is in use from now on. Returns NULL if too many calls are not over:
 * a process can make calls last, but not take the records of all others. One QBUF may
 * need 16: it may give back the 8 planes that it replaces, and then the 8 new ones.
 *
 * If the buffer is refused for certain (@failed), other buffers that this call has given
 * back were not refused: they only made room for it. So their records are dropped.
 */
static struct refusal *refusal_get_locked(u64 ino, bool failed)
{
	struct refusal *r, *found = NULL, *unused = NULL;
	struct pid *tgid = task_tgid(current);
	unsigned int calls = 0;

	lockdep_assert_held(&refusal_lock);

	for (r = refusals; r < refusals + ARRAY_SIZE(refusals); r++) {
		const bool mine = r->pid == tgid;

		if (mine && r->task == current && r->ino == ino)
			found = r;
		else if (failed && r->task == current && !r->why.error)
			r->task = NULL;
		calls += mine && r->queued;
		if (!unused && !r->queued && !refusal_told(r))
			unused = r;
	}
	if (found || !unused || calls >= CALLS_MAX / 4)
		return found;

	/* It may be of another process. */
	put_pid(unused->pid);
	*unused = (struct refusal){ .pid = get_pid(tgid), .task = current, .ino = ino };
	/* These tasks have no result of a system call in their registers. */
	init_task_work(&unused->work, refusal_finish);
	unused->queued = !(current->flags & (PF_KTHREAD | PF_USER_WORKER | PF_EXITING)) &&
			 !task_work_add(current, &unused->work, TWA_RESUME);
	return unused;
}

static void refusal_failed(const struct dma_buf_failure *failure)
{
	struct dma_buf_refusal why;
	struct refusal *r;
	bool told;

	if (failure->error && !refusal_error_counts(failure->error))
		return;
	dma_buf_reason_find(failure, &why);

	guard(spinlock)(&refusal_lock);
	r = refusal_get_locked(to_dma_buf_object(failure->dmabuf)->ino, why.error);
	if (!r)
		return;

	told = refusal_told(r) && refusal_follows(r, &why);
	if (r->why.field && refusal_follows(r, &why))
		refusal_complete_locked(r, &why);
	else if (why.error || !r->why.error)
		r->why = why;
	if (why.error && !told && !r->queued)
		refusal_settle_locked(r);
}

/*
 * If the system call fails, the importer has refused the buffer, unless a signal
 * may have ended the call: some importers turn -ERESTARTSYS of the mapping into
 * another errno.
 */
static void refusal_given_back(struct dma_buf_attachment *attach, const struct sg_table *sgt)
{
	if (!signal_pending(current))
		refusal_failed(&(struct dma_buf_failure) {
			attach->dmabuf, attach->dev, DMA_BUF_STEP_GIVEN_BACK, 0, sgt });
}

/**
 * dma_buf_refuse - say why a buffer is refused
 * @attach: attachment, also in &dma_buf_ops.attach
 * @field: DMA_BUF_FIELD_*
 * @wanted: what the device wants, in the field's unit; no address
 * @found: what there is
 *
 * For a driver that is about to return an error: an exporter in its attach, pin
 * or map_dma_buf, or an importer that looked at the table and gives the buffer
 * back. The program reads it with DMA_BUF_IOCTL_GET_REFUSAL, with the errno that
 * it got. Without this call it learns what the core can see.
 *
 * Context: may sleep; the reservation object may be held.
 */
void dma_buf_refuse(struct dma_buf_attachment *attach, u32 field, u64 wanted, u64 found)
{
	const struct dma_buf_conflict why = { field, wanted, found };

	refusal_failed(&(struct dma_buf_failure) { attach->dmabuf, attach->dev, .why = &why });
}
EXPORT_SYMBOL_NS_GPL(dma_buf_refuse, "DMA_BUF");

/* Only judges the mapping. The caller reports the refusal, as for every other step. */
static int refusal_check(struct dma_buf_attachment *attach, const struct sg_table *sgt)
{
	struct dma_buf_refusal why;

	dma_buf_reason_find(&(struct dma_buf_failure) { attach->dmabuf, attach->dev,
			    DMA_BUF_STEP_TABLE, 0, sgt }, &why);
	return why.flags & DMA_BUF_REFUSAL_BOUNCED ? -EOPNOTSUPP : 0;
}

static long refusal_ioctl(struct file *file, unsigned int cmd, void __user *uarg)
{
	struct dma_buf_refusal why = { };
	const size_t usize = _IOC_SIZE(cmd), size = min(usize, sizeof(why));
	struct refusal *r;

	/* The size in the request says how much of it the program knows. */
	if ((cmd ^ DMA_BUF_IOCTL_GET_REFUSAL) & ~IOCSIZE_MASK)
		return -ENOTTY;
	if (!usize)
		return -EINVAL;

	scoped_guard(spinlock, &refusal_lock) {
		r = refusal_oldest_locked(task_tgid(current),
					  to_dma_buf_object(file->private_data)->ino, 0);
		if (r)
			why = r->why;
	}
	if (copy_to_user(uarg, &why, size) || clear_user(uarg + size, usize - size))
		return -EFAULT;
	return 0;
}

/* debugfs' dma_buf/refusals: a line for each record of a process that still exists. */
int dma_buf_refusals_show(struct seq_file *s, void *unused)
{
	struct refusal *r;

	seq_puts(s, "pid\tino\texporter\tdevice\tstep\tby\terror\tfield\twanted\tfound\tsegments\truns\tlargest\tsize\tflags\n");
	guard(spinlock)(&refusal_lock);
	for (r = refusals; r < refusals + ARRAY_SIZE(refusals); r++) {
		const struct dma_buf_refusal *why = &r->why;

		if (!refusal_told(r))
			continue;
		seq_printf(s, "%d\t%llu\t%s\t%s\t%u\t%u\t%u\t%u\t%llu\t%llu\t%u\t%u\t%llu\t%llu\t%u\n",
			   pid_vnr(r->pid), r->ino, why->exporter,
			   why->device[0] ? why->device : "-", why->step, why->by, why->error,
			   why->field, why->wanted, why->found, why->segments, why->runs,
			   why->largest, why->size, why->flags);
	}
	return 0;
}

static const struct dma_buf_account_ops refusal_ops = {
	.failed = refusal_failed,
	.given_back = refusal_given_back,
	.check = refusal_check,
	.ioctl = refusal_ioctl,
};

/* Runs before any buffer can exist. */
static int __init refusal_init(void)
{
	dma_buf_account_ops = &refusal_ops;
	return 0;
}
core_initcall(refusal_init);
