// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of all buffers, and what debugfs tells of it in dma_buf/bufinfo.
 */
#include "dma_buf_internal.h"

#if IS_ENABLED(CONFIG_DEBUG_FS)

/* Protects the list; taken before any buffer's reservation object. */
DEFINE_MUTEX(dma_buf_list_lock);
/* Links &dma_buf.list_node. */
static LIST_HEAD(dma_buf_list);

void dma_buf_list_add(struct dma_buf *dmabuf)
{
	mutex_lock(&dma_buf_list_lock);
	list_add(&dmabuf->list_node, &dma_buf_list);
	mutex_unlock(&dma_buf_list_lock);
}

void dma_buf_list_del(struct dma_buf *dmabuf)
{
	mutex_lock(&dma_buf_list_lock);
	list_del(&dmabuf->list_node);
	mutex_unlock(&dma_buf_list_lock);
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

static int dma_buf_bufinfo_show(struct seq_file *s, void *unused)
{
	struct dma_buf *dmabuf;
	size_t bytes = 0;
	unsigned int count = 0;
	int ret;

	ret = mutex_lock_interruptible(&dma_buf_list_lock);
	if (ret)
		return ret;

	seq_puts(s, "\nDma-buf Objects:\n");
	seq_printf(s, "%-8s\t%-8s\t%-8s\t%-8s\texp_name\t%-8s\tname\n",
		   "size", "flags", "mode", "count", "ino");

	list_for_each_entry(dmabuf, &dma_buf_list, list_node) {
		ret = dma_buf_describe(s, dmabuf);
		if (ret)
			goto out;
		bytes += dmabuf->size;
		count++;
	}

	seq_printf(s, "\nTotal %u objects, %zu bytes\n", count, bytes);
out:
	mutex_unlock(&dma_buf_list_lock);
	return ret;
}
DEFINE_SHOW_ATTRIBUTE(dma_buf_bufinfo);

struct dentry * __init dma_buf_debugfs_init(void)
{
	struct dentry *dir = debugfs_create_dir("dma_buf", NULL);

	debugfs_create_file("bufinfo", 0444, dir, NULL, &dma_buf_bufinfo_fops);
	return dir;
}

#endif /* CONFIG_DEBUG_FS */
