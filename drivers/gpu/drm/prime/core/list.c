// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lists of all buffers, one for each processor so that exports on several
 * don't meet, and what debugfs tells of them in dma_buf/bufinfo.
 *
 * A buffer stays on the list it was put on, wherever it is released, so a walk
 * over the lists one by one meets each buffer that lives meanwhile once.
 */
#include <linux/percpu.h>

#include "internal.h"

#if IS_ENABLED(CONFIG_DEBUG_FS)

DEFINE_PER_CPU(struct dma_buf_list, dma_buf_lists);

void dma_buf_list_add(struct dma_buf_object *obj)
{
	struct dma_buf_list *list = per_cpu_ptr(&dma_buf_lists, obj->cpu);

	mutex_lock(&list->lock);
	list_add(&obj->base.list_node, &list->buffers);
	mutex_unlock(&list->lock);
}

void dma_buf_list_del(struct dma_buf_object *obj)
{
	struct dma_buf_list *list = per_cpu_ptr(&dma_buf_lists, obj->cpu);

	mutex_lock(&list->lock);
	list_del(&obj->base.list_node);
	mutex_unlock(&list->lock);
}

static void dma_buf_describe_attachments_locked(struct seq_file *s,
						struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;
	unsigned int count = 0;

	dma_resv_assert_held(dmabuf->resv);

	seq_puts(s, "\tAttached Devices:\n");
	list_for_each_entry(attach, &dmabuf->attachments, node) {
		seq_printf(s, "\t%s\n", dev_name(attach->dev));
		count++;
	}
	seq_printf(s, "Total %u devices attached\n\n", count);
}

static int dma_buf_describe(struct seq_file *s, struct dma_buf *dmabuf)
{
	struct file *file = dmabuf->file;
	int ret;

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;

	spin_lock(&dmabuf->name_lock);
	seq_printf(s, "%08zu\t%08x\t%08x\t%08ld\t%s\t%08lu\t%s\n", dmabuf->size,
		   file->f_flags, file->f_mode, file_count(file),
		   dmabuf->exp_name, file_inode(file)->i_ino,
		   dmabuf->name ?: "<none>");
	spin_unlock(&dmabuf->name_lock);

	dma_resv_describe(dmabuf->resv, s);
	dma_buf_describe_attachments_locked(s, dmabuf);
	dma_resv_unlock(dmabuf->resv);

	return 0;
}

static int dma_buf_list_describe(struct seq_file *s, struct dma_buf_list *list,
				 unsigned int *count, size_t *bytes)
{
	struct dma_buf *dmabuf;
	int ret;

	ret = mutex_lock_interruptible(&list->lock);
	if (ret)
		return ret;

	list_for_each_entry(dmabuf, &list->buffers, list_node) {
		ret = dma_buf_describe(s, dmabuf);
		if (ret)
			break;
		*bytes += dmabuf->size;
		(*count)++;
	}
	mutex_unlock(&list->lock);

	return ret;
}

static int dma_buf_bufinfo_show(struct seq_file *s, void *unused)
{
	unsigned int count = 0;
	size_t bytes = 0;
	int cpu, ret;

	seq_puts(s, "\nDma-buf Objects:\n");
	seq_printf(s, "%-8s\t%-8s\t%-8s\t%-8s\texp_name\t%-8s\tname\n",
		   "size", "flags", "mode", "count", "ino");

	for_each_possible_cpu(cpu) {
		ret = dma_buf_list_describe(s, per_cpu_ptr(&dma_buf_lists, cpu),
					    &count, &bytes);
		if (ret)
			return ret;
	}

	seq_printf(s, "\nTotal %u objects, %zu bytes\n", count, bytes);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(dma_buf_bufinfo);

struct dentry * __init dma_buf_debugfs_init(void)
{
	struct dentry *dir = debugfs_create_dir("dma_buf", NULL);
	struct dma_buf_list *list;
	int cpu;

	for_each_possible_cpu(cpu) {
		list = per_cpu_ptr(&dma_buf_lists, cpu);
		mutex_init(&list->lock);
		INIT_LIST_HEAD(&list->buffers);
	}

	debugfs_create_file("bufinfo", 0444, dir, NULL, &dma_buf_bufinfo_fops);
	return dir;
}

#endif /* CONFIG_DEBUG_FS */
