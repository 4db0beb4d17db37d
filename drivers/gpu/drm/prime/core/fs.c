// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pseudo filesystem of dma-buf files. Each file has an inode of its own, so
 * that user space can tell buffers apart by the inode number, and a dentry that
 * shows the buffer's name in /proc.
 */
#include <linux/magic.h>

#include "internal.h"

static struct vfsmount *dma_buf_mnt;
static const struct dentry_operations *dma_buf_dops;

/*
 * &dentry_operations.d_dname: /proc shows "/dmabuf:NAME". The caller may hold
 * only the dentry, so the buffer must live as long as its dentry.
 */
char *dma_buf_dentry_name(struct dentry *dentry, char *buf, int len)
{
	struct dma_buf *dmabuf = dentry->d_fsdata;

	guard(spinlock)(&dmabuf->name_lock);
	return dynamic_dname(buf, len, "/%pd:%s", dentry, dmabuf->name ?: "");
}

static int dma_buf_fs_init_context(struct fs_context *fc)
{
	struct pseudo_fs_context *ctx = init_pseudo(fc, DMA_BUF_MAGIC);

	if (!ctx)
		return -ENOMEM;

	ctx->dops = dma_buf_dops;
	return 0;
}

static struct file_system_type dma_buf_fs = {
	.name = "dmabuf",
	.init_fs_context = dma_buf_fs_init_context,
	.kill_sb = kill_anon_super,
};

/*
 * Creates a file with an inode of its own, whose number is never used again.
 * The caller sets the dentry's d_fsdata and the file's private_data.
 */
struct file *dma_buf_file_create(size_t size, int flags)
{
	static atomic64_t next_ino = ATOMIC64_INIT(0);
	struct inode *inode;
	struct file *file;

	inode = alloc_anon_inode(dma_buf_mnt->mnt_sb);
	if (IS_ERR(inode))
		return ERR_CAST(inode);

	inode->i_ino = atomic64_inc_return(&next_ino);
	inode->i_size = size;
	inode_set_bytes(inode, size);

	file = alloc_file_pseudo(inode, dma_buf_mnt, "dmabuf",
				 flags & (O_ACCMODE | O_NONBLOCK), &dma_buf_fops);
	if (IS_ERR(file))
		iput(inode);
	return file;
}

int dma_buf_fs_init(const struct dentry_operations *dops)
{
	dma_buf_dops = dops;
	dma_buf_mnt = kern_mount(&dma_buf_fs);

	return PTR_ERR_OR_ZERO(dma_buf_mnt);
}
