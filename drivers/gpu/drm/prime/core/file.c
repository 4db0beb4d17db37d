// SPDX-License-Identifier: GPL-2.0-only
/*
 * File operations of a dma-buf: ioctls, the name, the size by lseek, fdinfo,
 * release. CPU access, poll and sync_file are in files of their own and called
 * from here.
 */
#include <linux/compat.h>
#include <linux/uaccess.h>

#include "internal.h"

const struct dma_buf_negotiate_ops *dma_buf_negotiate_ops __ro_after_init;

/*
 * The last reference is gone, and nobody can get another one. The buffer's
 * memory is freed with the dentry, see "DOC: lifetime".
 */
static int dma_buf_release(struct inode *inode, struct file *file)
{
	struct dma_buf_object *obj;

	/* A failed export may leave a file without a buffer. */
	if (!file->private_data)
		return 0;

	obj = to_dma_buf_object(file->private_data);
	if (obj->negotiation)
		dma_buf_negotiate_ops->close(&obj->base);
	dma_buf_list_end_file(obj);
	dma_buf_poll_fini(obj);
	return 0;
}

static int dma_buf_mmap_file(struct file *file, struct vm_area_struct *vma)
{
	struct dma_buf *dmabuf = file->private_data;

	if (!dmabuf->ops->mmap || !dma_buf_range_fits(dmabuf, vma, vma->vm_pgoff))
		return dma_buf_refused(dmabuf, NULL, DMA_BUF_STEP_MMAP, -EINVAL, .by_core = true);

	trace_dma_buf_mmap_internal(dmabuf);
	return dma_buf_refused(dmabuf, NULL, DMA_BUF_STEP_MMAP, dmabuf->ops->mmap(dmabuf, vma));
}

/*
 * The file has no position. Programs seek to learn the size: SEEK_END returns
 * it, and SEEK_SET returns 0. Both take offset 0 only.
 */
static loff_t dma_buf_llseek(struct file *file, loff_t offset, int whence)
{
	struct dma_buf *dmabuf = file->private_data;

	if (offset || (whence != SEEK_SET && whence != SEEK_END))
		return -EINVAL;

	return whence == SEEK_END ? dmabuf->size : 0;
}

static long dma_buf_ioctl_sync(struct dma_buf *dmabuf, const struct dma_buf_sync __user *uarg)
{
	static const enum dma_data_direction directions[] = {
		[DMA_BUF_SYNC_READ] = DMA_FROM_DEVICE,
		[DMA_BUF_SYNC_WRITE] = DMA_TO_DEVICE,
		[DMA_BUF_SYNC_RW] = DMA_BIDIRECTIONAL,
	};
	struct dma_buf_sync arg;
	enum dma_data_direction dir;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;

	if ((arg.flags & ~DMA_BUF_SYNC_VALID_FLAGS_MASK) || !(arg.flags & DMA_BUF_SYNC_RW))
		return -EINVAL;
	dir = directions[arg.flags & DMA_BUF_SYNC_RW];

	/* Most exporters have nothing to do here. They are spared the call. */
	if (arg.flags & DMA_BUF_SYNC_END)
		return dmabuf->ops->end_cpu_access ? dma_buf_end_cpu_access(dmabuf, dir) : 0;

	return dma_buf_begin_cpu_access(dmabuf, dir);
}

static long dma_buf_ioctl_set_name(struct dma_buf *dmabuf, const char __user *uname)
{
	const char *name = strndup_user(uname, DMA_BUF_NAME_LEN);

	if (IS_ERR(name))
		return PTR_ERR(name);

	scoped_guard(spinlock, &dmabuf->name_lock)
		swap(dmabuf->name, name);

	/* A BPF program may read the old name without the lock. */
	kfree_rcu_mightsleep(name);
	return 0;
}

static long dma_buf_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct dma_buf *dmabuf = file->private_data;
	void __user *uarg = (void __user *)arg;
	long ret;

	switch (cmd) {
	case DMA_BUF_IOCTL_SYNC:
		return dma_buf_ioctl_sync(dmabuf, uarg);
	case DMA_BUF_SET_NAME_A:
	case DMA_BUF_SET_NAME_B:
		return dma_buf_ioctl_set_name(dmabuf, uarg);
	case DMA_BUF_IOCTL_EXPORT_SYNC_FILE:
	case DMA_BUF_IOCTL_IMPORT_SYNC_FILE:
		return IS_ENABLED(CONFIG_SYNC_FILE) ?
		       dma_buf_sync_file_ioctl(dmabuf, cmd, uarg) : -ENOTTY;
	default:
		ret = dma_buf_account_ioctl(file, cmd, uarg);
		return ret == -ENOTTY && dma_buf_negotiate_ops ?
		       dma_buf_negotiate_ops->ioctl(file, cmd, uarg) : ret;
	}
}

static void dma_buf_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct dma_buf *dmabuf = file->private_data;

	/* Don't count the reference of the reader of fdinfo. */
	seq_printf(m, "size:\t%zu\ncount:\t%ld\nexp_name:\t%s\nexporter:\t%s\n",
		   dmabuf->size, file_count(file) - 1, dmabuf->exp_name,
		   dma_buf_exporter_name(to_dma_buf_object(dmabuf)));

	guard(spinlock)(&dmabuf->name_lock);
	if (dmabuf->name)
		seq_printf(m, "name:\t%s\n", dmabuf->name);
}

const struct file_operations dma_buf_fops = {
	.llseek = dma_buf_llseek,
	.mmap = dma_buf_mmap_file,
	.poll = dma_buf_poll,
	.show_fdinfo = dma_buf_show_fdinfo,
	.unlocked_ioctl = dma_buf_ioctl,
	.compat_ioctl = compat_ptr_ioctl,	/* same layouts */
	.release = dma_buf_release,
};
