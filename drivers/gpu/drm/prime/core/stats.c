// SPDX-License-Identifier: GPL-2.0-only
/*
 * One directory per buffer in /sys/kernel/dmabuf/buffers, which tells the
 * buffer's size and exporter to whoever does the accounts of the system.
 *
 * Making and removing it costs twice what the rest of an export does, and many
 * buffers are gone again at once. So a new buffer is put on a list, and a
 * worker makes the directories of those that are still there two rounds later.
 * A round is shorter than a frame of a display: whoever makes and drops buffers
 * as it draws doesn't pay for the accounts, and these are never more than two
 * rounds behind.
 *
 * The directories are made of kernfs nodes; nothing here needs a kobject each.
 */
#include <linux/kernfs.h>
#include <linux/kobject.h>
#include <linux/percpu.h>
#include <linux/sysfs.h>
#include <linux/workqueue.h>

#include "internal.h"

#if IS_ENABLED(CONFIG_DMABUF_SYSFS_STATS)

#define DMA_BUF_STATS_ROUND	msecs_to_jiffies(10)

/**
 * struct dma_buf_stats_queue - buffers of one processor without a directory
 * @lock: protects everything here, and &dma_buf_object.stats_pending and
 *	&dma_buf_object.stats_node of the processor's buffers
 * @young: links &dma_buf_object.stats_node, those of this round
 * @old: those that have seen a round begin
 */
struct dma_buf_stats_queue {
	spinlock_t lock;	/* of both lists */
	struct list_head young;
	struct list_head old;
};

static DEFINE_PER_CPU(struct dma_buf_stats_queue, dma_buf_stats_queues);

/* Held while a directory is made, so that a release can wait for it. */
static DEFINE_MUTEX(dma_buf_stats_making);

static struct kobject *dma_buf_stats_top;
static struct kobject *dma_buf_stats_buffers;

static int dma_buf_stats_exporter_show(struct seq_file *s, void *unused)
{
	const struct kernfs_open_file *of = s->private;
	const struct dma_buf *dmabuf = of->kn->priv;

	seq_printf(s, "%s\n", dmabuf->exp_name);
	return 0;
}

static int dma_buf_stats_size_show(struct seq_file *s, void *unused)
{
	const struct kernfs_open_file *of = s->private;
	const struct dma_buf *dmabuf = of->kn->priv;

	seq_printf(s, "%zu\n", dmabuf->size);
	return 0;
}

static const struct kernfs_ops dma_buf_stats_exporter_ops = {
	.seq_show = dma_buf_stats_exporter_show,
};

static const struct kernfs_ops dma_buf_stats_size_ops = {
	.seq_show = dma_buf_stats_size_show,
};

static struct kernfs_node *
dma_buf_stats_file_create(struct kernfs_node *dir, const char *name,
			  const struct kernfs_ops *ops, struct dma_buf *dmabuf)
{
	static struct lock_class_key __maybe_unused key;

	return __kernfs_create_file(dir, name, 0444, GLOBAL_ROOT_UID,
				    GLOBAL_ROOT_GID, PAGE_SIZE, ops, dmabuf, NULL,
				    IS_ENABLED(CONFIG_DEBUG_LOCK_ALLOC) ? &key : NULL);
}

/* NULL when there is no memory. */
static struct kernfs_node *dma_buf_stats_dir_create(struct dma_buf *dmabuf)
{
	struct kernfs_node *dir, *file;
	char name[24];

	snprintf(name, sizeof(name), "%lu", file_inode(dmabuf->file)->i_ino);
	dir = kernfs_create_dir(dma_buf_stats_buffers->sd, name, 0755, NULL);
	if (IS_ERR(dir))
		return NULL;

	file = dma_buf_stats_file_create(dir, "exporter_name",
					 &dma_buf_stats_exporter_ops, dmabuf);
	if (!IS_ERR(file))
		file = dma_buf_stats_file_create(dir, "size",
						 &dma_buf_stats_size_ops, dmabuf);
	if (!IS_ERR(file))
		return dir;

	kernfs_remove(dir);
	return NULL;
}

static struct dma_buf_object *
dma_buf_stats_next(struct dma_buf_stats_queue *queue)
{
	struct dma_buf_object *obj;

	spin_lock(&queue->lock);
	obj = list_first_entry_or_null(&queue->old, typeof(*obj), stats_node);
	if (obj) {
		list_del(&obj->stats_node);
		obj->stats_pending = false;
	}
	spin_unlock(&queue->lock);

	return obj;
}

/* One that got no memory is young again. */
static bool dma_buf_stats_make_next(struct dma_buf_stats_queue *queue)
{
	struct dma_buf_object *obj;
	struct kernfs_node *dir;

	guard(mutex)(&dma_buf_stats_making);

	obj = dma_buf_stats_next(queue);
	if (!obj)
		return false;

	dir = dma_buf_stats_dir_create(&obj->base);
	if (dir)
		obj->stats_dir = dir;
	else
		dma_buf_stats_add(obj);

	return true;
}

static void dma_buf_stats_work_run(struct work_struct *work);
static DECLARE_DELAYED_WORK(dma_buf_stats_work, dma_buf_stats_work_run);

static void dma_buf_stats_work_run(struct work_struct *work)
{
	struct dma_buf_stats_queue *queue;
	bool more = false;
	int cpu;

	for_each_possible_cpu(cpu) {
		queue = per_cpu_ptr(&dma_buf_stats_queues, cpu);
		while (dma_buf_stats_make_next(queue))
			cond_resched();

		spin_lock(&queue->lock);
		list_splice_tail_init(&queue->young, &queue->old);
		more |= !list_empty(&queue->old);
		spin_unlock(&queue->lock);
	}

	if (more)
		queue_delayed_work(system_unbound_wq, &dma_buf_stats_work,
				   DMA_BUF_STATS_ROUND);
}

/* The buffer has its file; it will be listed in a moment. */
void dma_buf_stats_add(struct dma_buf_object *obj)
{
	struct dma_buf_stats_queue *queue;
	bool idle;

	queue = per_cpu_ptr(&dma_buf_stats_queues, obj->cpu);
	spin_lock(&queue->lock);
	list_add_tail(&obj->stats_node, &queue->young);
	obj->stats_pending = true;
	/* Under the lock: a worker that began earlier will see the buffer. */
	idle = !delayed_work_pending(&dma_buf_stats_work);
	spin_unlock(&queue->lock);

	if (idle)
		queue_delayed_work(system_unbound_wq, &dma_buf_stats_work,
				   DMA_BUF_STATS_ROUND);
}

static bool dma_buf_stats_cancel(struct dma_buf_object *obj)
{
	struct dma_buf_stats_queue *queue;
	bool pending;

	queue = per_cpu_ptr(&dma_buf_stats_queues, obj->cpu);
	spin_lock(&queue->lock);
	pending = obj->stats_pending;
	if (pending) {
		list_del(&obj->stats_node);
		obj->stats_pending = false;
	}
	spin_unlock(&queue->lock);

	return pending;
}

/* Afterwards nothing reads the buffer from sysfs. May wait for the worker. */
void dma_buf_stats_del(struct dma_buf_object *obj)
{
	bool pending = dma_buf_stats_cancel(obj);

	if (pending)
		return;

	/* The worker has been there, is there, or was and has put it back. */
	mutex_lock(&dma_buf_stats_making);
	pending = dma_buf_stats_cancel(obj);
	mutex_unlock(&dma_buf_stats_making);
	if (!pending)
		kernfs_remove(obj->stats_dir);
}

int __init dma_buf_stats_init(void)
{
	struct dma_buf_stats_queue *queue;
	int cpu;

	for_each_possible_cpu(cpu) {
		queue = per_cpu_ptr(&dma_buf_stats_queues, cpu);
		spin_lock_init(&queue->lock);
		INIT_LIST_HEAD(&queue->young);
		INIT_LIST_HEAD(&queue->old);
	}

	dma_buf_stats_top = kobject_create_and_add("dmabuf", kernel_kobj);
	dma_buf_stats_buffers = kobject_create_and_add("buffers", dma_buf_stats_top);
	if (dma_buf_stats_top && dma_buf_stats_buffers)
		return 0;

	dma_buf_stats_fini();
	return -ENOMEM;
}

void __init dma_buf_stats_fini(void)
{
	kobject_put(dma_buf_stats_buffers);
	kobject_put(dma_buf_stats_top);
}

#endif /* CONFIG_DMABUF_SYSFS_STATS */
