// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugfs' dma_buf/holders: who holds which buffer, for root. It has a line for
 * each holder and each pending fence of a buffer. For the buffer's file and for
 * each of its GEM objects it has the number of references, and how many of them
 * the holders explain.
 *
 * An open of the file looks at everything once: all processes with their fds
 * and mappings, the sockets of AF_UNIX, the DRM files among the fds and
 * mappings, and the list of buffers. Others may come and go meanwhile, so the
 * sums are exact only while the system is at rest.
 *
 * Nobody waits for a reader. It holds a spinlock for some hundred fds or the
 * sockets of one hash bucket, never waits for mmap_lock or a mutex of DRM, and
 * takes no reservation object. It takes references to a process, to its memory,
 * and to one DRM file, buffer or fence at a time. If its reference is the last one,
 * the target is released at once: memory by a work item, everything else by the
 * reader. Only what a released DRM file had imported waits until the reader
 * returns to user space.
 * Records hold nothing: they have numbers, and pointers that are only compared.
 *
 * "DOC: locking" of core/object.c has the order of the locks.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/magic.h>
#include <linux/pid_namespace.h>
#include <linux/sched/mm.h>
#include <linux/sort.h>
#include <net/af_unix.h>

#include "../negotiate/internal.h"
#include DRM_PRIME_AF_UNIX_H
#include "internal.h"

/* Called in atomic context, too, so it does not grow the array. */
static void dma_buf_holders_add(struct dma_buf_holders *h, struct dma_buf_holder record)
{
	record.pid = h->pid;
	strscpy(record.comm, h->comm);
	if (h->used++ < h->room)
		h->records[h->used - 1] = record;
}

/* The inode number of a dma-buf file; 0 for a file of another kind. */
static u64 dma_buf_holders_ino(struct file *file)
{
	return file_inode(file)->i_sb->s_magic == DMA_BUF_MAGIC ? file_inode(file)->i_ino : 0;
}

/*
 * Is it a DRM file? If so, and if this process was not seen to have it yet, takes
 * a reference to it, to look into it when all locks are dropped.
 */
static bool dma_buf_holders_is_drm(struct dma_buf_holders *h, struct file *file)
{
	const unsigned int major = file->private_data ? dma_buf_device_major(file) : 0;

	if (!h->gem || (major != DMA_BUF_MAJOR_DRM && major != DMA_BUF_MAJOR_ACCEL))
		return false;

	if (!xa_load(&h->seen, (unsigned long)file))
		h->file = get_file(file);
	return true;
}

static void dma_buf_holders_look_into_drm(struct dma_buf_holders *h)
{
	if (h->file) {
		xa_store(&h->seen, (unsigned long)h->file, xa_mk_value(0), GFP_KERNEL);
		h->gem(h, h->file, NULL, 0);
		__fput_sync(h->file);
		h->file = NULL;
	}
}

/* Files in messages that nobody has read from this socket. */
static void dma_buf_holders_socket(struct dma_buf_holders *h, struct sock *sk)
{
	struct dma_buf_holder record = { .what = "message", .files = 1 };
	struct scm_fp_list *fp;
	struct sk_buff *skb;

	if (sk->sk_family != AF_UNIX || !atomic_read(&unix_sk(sk)->scm_stat.nr_fds))
		return;

	/* On 6.12 a receiver takes the files out of a message under this mutex only. */
	scoped_cond_guard(mutex_try, h->busy++, &unix_sk(sk)->iolock) {
		guard(spinlock)(&sk->sk_receive_queue.lock);
		skb_queue_walk(&sk->sk_receive_queue, skb) {
			fp = UNIXCB(skb).fp;
			record.owner = fp;
			for (record.number = 0; fp && record.number < fp->count; record.number++) {
				record.ino = dma_buf_holders_ino(fp->fp[record.number]);
				if (record.ino)
					h->add(h, record);
			}
		}
	}
}

/* Also sockets without an fd: not accepted yet, or in a message themselves. */
static void dma_buf_holders_sockets(struct dma_buf_holders *h)
{
#ifdef CONFIG_UNIX
	struct net *net;
	struct sock *sk;
	int i;

	guard(rcu)();
	for_each_net_rcu(net) {
		for (i = 0; i < UNIX_HASH_SIZE; i++) {
			guard(spinlock)(&net->unx.table.locks[i]);
			sk_for_each(sk, &net->unx.table.buckets[i])
				dma_buf_holders_socket(h, sk);
		}
	}
#endif
}

/* For iterate_fd(). Returns the fd to go on with when locks should be dropped. */
static int dma_buf_holders_fd(const void *arg, struct file *file, unsigned int fd)
{
	struct dma_buf_holders *h = (struct dma_buf_holders *)arg;
	struct dma_buf_holder record = { .what = "fd", .owner = h->files, .number = fd };
	struct socket *sock = IS_ENABLED(CONFIG_UNIX) ? sock_from_file(file) : NULL;

	record.ino = dma_buf_holders_ino(file);
	/* One that was opened with O_PATH holds the dentry only. */
	record.files = file->f_op == &dma_buf_fops;
	if (record.ino)
		h->add(h, record);
	else if (sock && sock->sk)
		dma_buf_holders_socket(h, sock->sk);
	else
		dma_buf_holders_is_drm(h, file);
	return h->file || ++h->walked % 256 == 0 ? fd + 1 : 0;
}

static void dma_buf_holders_fds(struct dma_buf_holders *h, struct task_struct *task)
{
	int fd = 0;

	do {
		task_lock(task);
		h->files = task->files;
		fd = task->files ? iterate_fd(task->files, fd, dma_buf_holders_fd, h) : 0;
		task_unlock(task);
		dma_buf_holders_look_into_drm(h);
		cond_resched();
	} while (fd > 0);
}

static void dma_buf_holders_mapping(struct dma_buf_holders *h, struct vm_area_struct *vma)
{
	struct dma_buf_holder record = { .what = "mapping", .owner = vma->vm_mm, .objects = 1 };

	if (!vma->vm_file)
		return;
	record.ino = dma_buf_holders_ino(vma->vm_file);
	record.files = !!record.ino;
	record.number = vma->vm_start >> PAGE_SHIFT;
	/* A GEM object, if the exporter is a DRM driver. */
	record.object = vma->vm_private_data;
	if (record.ino || dma_buf_holders_is_drm(h, vma->vm_file))
		h->add(h, record);
}

static void dma_buf_holders_mappings(struct dma_buf_holders *h, struct task_struct *task)
{
	struct mm_struct *mm = get_task_mm(task);
	struct vm_area_struct *vma = NULL;
	unsigned long next = 0;

	if (!mm)
		return;
	do {
		if (!mmap_read_trylock(mm)) {
			h->busy++;
			break;
		}
		while ((vma = find_vma(mm, next))) {
			dma_buf_holders_mapping(h, vma);
			next = vma->vm_end;
			if (h->file || mmap_lock_is_contended(mm))
				break;
		}
		mmap_read_unlock(mm);
		dma_buf_holders_look_into_drm(h);
		cond_resched();
	} while (vma);
	/* After a last mmput() the mapped files would stay until this task returns. */
	mmput_async(mm);
}

/*
 * Returns the next thread, with a reference. Skips threads that share the fds of
 * their process. The others may still share fds or memory with a thread of
 * another process; dma_buf_holders_sum() sees this by the owner of the records.
 */
static struct task_struct *dma_buf_holders_next_task(int *nr)
{
	struct task_struct *task;
	struct pid *pid;

	guard(rcu)();
	while ((pid = find_ge_pid(*nr, &init_pid_ns))) {
		*nr = pid_nr(pid) + 1;
		task = pid_task(pid, PIDTYPE_PID);
		if (task && (thread_group_leader(task) ||
			     /* data_race(): a thread that is seen twice counts once. */
			     data_race(task->files != task->group_leader->files)))
			return get_task_struct(task);
	}
	return NULL;
}

static void dma_buf_holders_tasks(struct dma_buf_holders *h)
{
	struct task_struct *task;
	int nr = 1;

	while (!fatal_signal_pending(current) && (task = dma_buf_holders_next_task(&nr))) {
		h->pid = task_tgid_nr(task);
		get_task_comm(h->comm, task);
		dma_buf_holders_fds(h, task);
		dma_buf_holders_mappings(h, task);
		put_task_struct(task);
		xa_destroy(&h->seen);
	}
	h->pid = 0;
}

/* The caller holds the dentry, which keeps the buffer, but not its file. */
static void dma_buf_holders_buffer(struct dma_buf_holders *h, struct dma_buf_object *obj)
{
	struct dma_buf_holder record = { .what = "buffer", .head = 2, .ino = obj->ino };
	struct file *file = get_file_active(&obj->base.file);
	struct dma_buf_attachment *attach;
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	if (file) {
		record.count = file_count(file) - 1;
		__fput_sync(file);
	}
	record.number = obj->base.size;
	strscpy(record.where, dma_buf_exporter_name(obj));
	h->add(h, record);
	/* The buffer keeps the GEM object that it was recorded for. */
	if (h->gem && READ_ONCE(obj->key))
		h->gem(h, NULL, READ_ONCE(obj->key), obj->ino);

	/*
	 * A pending fence holds nothing, but the buffer is in use. A fence that the
	 * iterator shows twice is one line.
	 */
	record = (struct dma_buf_holder){ .what = "fence", .ino = obj->ino };
	dma_resv_iter_begin(&cursor, obj->base.resv, DMA_RESV_USAGE_BOOKKEEP);
	if (rcu_access_pointer(obj->base.resv->fences))
		dma_resv_for_each_fence_unlocked(&cursor, fence) {
			struct seq_file s = { .buf = record.where, .size = sizeof(record.where) };

			/* Linux 6.12 reads the names without it. */
			guard(rcu)();
			dma_fence_describe(fence, &s);
			record.where[s.count - 1] = '\0';
			record.owner = fence;
			h->add(h, record);
		}
	dma_resv_iter_end(&cursor);

	/* An importer holds the file for each attachment. */
	record = (struct dma_buf_holder){ .what = "attachment", .files = 1, .ino = obj->ino };
	guard(spinlock)(&obj->base.name_lock);
	list_for_each_entry(attach, &obj->base.attachments, node) {
		record.owner = attach;
		strscpy(record.where, dev_name(attach->dev));
		h->add(h, record);
	}
}

static void dma_buf_holders_buffers(struct dma_buf_holders *h)
{
	struct dma_buf_object *obj, *next;

	for (obj = dma_buf_list_next(NULL, false); obj; obj = next) {
		dma_buf_holders_buffer(h, obj);
		next = dma_buf_list_next(obj, false);
		/* This may be the last reference, which frees the buffer. */
		dput(obj->dentry);
		cond_resched();
	}
}

/*
 * Records that do not differ are one reference. Sorting, adding up and printing
 * call this for each record, so it also lets other tasks run.
 */
static int dma_buf_holders_differ(const struct dma_buf_holder *a, const struct dma_buf_holder *b)
{
	cond_resched();
	return cmp_int(a->key, b->key) ?: cmp_int(b->head, a->head) ?: strcmp(a->what, b->what) ?:
	       cmp_int(a->owner, b->owner) ?: cmp_int(a->number, b->number);
}

/* Orders equal records by process; those without one are last. */
static int dma_buf_holders_compare(const void *a, const void *b)
{
	return dma_buf_holders_differ(a, b) ?:
	       cmp_int(((struct dma_buf_holder *)b)->pid, ((struct dma_buf_holder *)a)->pid);
}

/*
 * Sorts the records by object (@head is 1) or by buffer (2). The first record of
 * each object or buffer describes it, and the references found are added up
 * there. A holder of an object is listed under the object's buffer.
 */
static void dma_buf_holders_sum(struct dma_buf_holders *h, u8 head)
{
	struct dma_buf_holder *first = NULL, *r, *end = h->records + h->used;

	for (r = h->records; r < end; r++)
		r->key = head == 1 ? (unsigned long)r->object : r->ino;
	sort(h->records, h->used, sizeof(*r), dma_buf_holders_compare, NULL);

	for (r = h->records; r < end; r++) {
		if (r == h->records || r->key != r[-1].key)
			first = r;
		if (!r->key || first->head != head)
			continue;
		r->ino = first->ino;
		if (r == first || dma_buf_holders_differ(r, r - 1))
			first->found += head == 1 ? r->objects : r->files;
	}
}

static void dma_buf_holders_print(struct dma_buf_holders *h, struct seq_file *s)
{
	struct dma_buf_holder *r;

	for (r = h->records; r < h->records + h->used; r++) {
		/* Skips records of no buffer, and repeats unless they are of another process. */
		if (!r->ino || (r > h->records && !dma_buf_holders_differ(r, r - 1) &&
				(r->head || !r->pid || r->pid == r[-1].pid)))
			continue;
		if (r->head == 2)
			seq_printf(s, "buffer %llu: %llu bytes", r->ino, r->number);
		else
			seq_printf(s, "\t%s %llu", r->what, r->number);
		if (r->where[0])
			seq_printf(s, " of %*pEs", (int)strlen(r->where), r->where);
		if (r->head)
			seq_printf(s, ": %ld references, %ld found\n", r->count, r->found);
		else
			seq_printf(s, r->pid ? " in %d (%*pEs)\n" : "\n", r->pid,
				   (int)strlen(r->comm), r->comm);
	}
	seq_printf(s, "%u locks were busy\n", h->busy);
}

/* Looks again, with a larger array, until there is room for all records. */
static int dma_buf_holders_look(struct dma_buf_holders *h)
{
	do {
		kvfree(h->records);
		h->room = h->used + h->used / 4 + 256;
		h->used = 0;
		h->busy = 0;
		h->records = kvcalloc(h->room, sizeof(*h->records), GFP_KERNEL | __GFP_NOWARN);
		if (!h->records || fatal_signal_pending(current))
			return -ENOMEM;
		dma_buf_holders_tasks(h);
		dma_buf_holders_sockets(h);
		dma_buf_holders_buffers(h);
	} while (h->used > h->room);

	dma_buf_holders_sum(h, 1);
	dma_buf_holders_sum(h, 2);
	return 0;
}

static int dma_buf_holders_show(struct seq_file *s, void *unused)
{
	struct dma_buf_holders h = { .add = dma_buf_holders_add };
	int ret;

	xa_init(&h.seen);
	/* Holds drm.ko meanwhile. */
	h.gem = symbol_get(drm_prime_holders_find);
	ret = dma_buf_holders_look(&h);
	if (!ret && s->size < h.used * 96) {
		/* seq_file doubles the size and calls this again, with room for all lines. */
		s->size = h.used * 64;
		seq_commit(s, -1);
	} else if (!ret) {
		dma_buf_holders_print(&h, s);
	}
	kvfree(h.records);
	if (h.gem)
		symbol_put(drm_prime_holders_find);
	return ret;
}
DEFINE_SHOW_ATTRIBUTE(dma_buf_holders);
DEFINE_SHOW_ATTRIBUTE(dma_buf_refusals);

/* For root only, since both tell about all processes. */
static int __init dma_buf_account_init(void)
{
	struct dentry *dir = debugfs_lookup("dma_buf", NULL);

	debugfs_create_file("holders", 0400, dir, NULL, &dma_buf_holders_fops);
	debugfs_create_file("refusals", 0400, dir, NULL, &dma_buf_refusals_fops);
	dput(dir);
	return 0;
}
late_initcall(dma_buf_account_init);
