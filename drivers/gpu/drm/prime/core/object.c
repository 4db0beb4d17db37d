// SPDX-License-Identifier: GPL-2.0-only
/*
 * The buffer as an object: made by export, kept alive by its file, freed when
 * the last reference and the last path to that file are gone.
 */
#include <linux/magic.h>

#include "internal.h"

/**
 * DOC: overview
 *
 * Three parties share a buffer. The *exporter* owns the storage and describes
 * it with &struct dma_buf_ops. An *importer* attaches its device and maps the
 * buffer for it. The *core* stands between them: it carries references and
 * file descriptors, keeps the list of attachments, decides who pins and who
 * waits, and knows nothing of where the storage is.
 *
 * A buffer's way through the core::
 *
 *	exporter  dma_buf_export() ── dma_buf_fd() ──▶ file descriptor
 *	importer  dma_buf_get(fd) ── dma_buf_attach() ── dma_buf_map_attachment()
 *	          … DMA …
 *	          dma_buf_unmap_attachment() ── dma_buf_detach() ── dma_buf_put()
 *
 * User space may also map the file, bracket its access with
 * DMA_BUF_IOCTL_SYNC, poll it for fences, and turn its fences into sync_files
 * and back.
 */

/**
 * DOC: lifetime
 *
 * A buffer lives as long as its file has references: those of file
 * descriptors, of memory mappings, and those taken by dma_buf_get() and
 * get_dma_buf(). An attachment does not hold one; the importer does.
 *
 * When the last reference goes, the buffer first leaves sysfs and the list of
 * buffers, and its watches their fences, so that nothing finds it any more. It is
 * freed only when its dentry goes as well: a process that is just reading
 * /proc/PID/maps or a /proc/PID/fd link holds the dentry without the file and
 * asks for the buffer's name. Then &dma_buf_ops.release runs, once, and the
 * exporter's module is let go.
 */

/**
 * DOC: locking
 *
 * One lock matters to drivers: the buffer's reservation object. Upstream names
 * tell who takes it: a function with the suffix ``_unlocked`` wants to be
 * called *without* the lock and takes it itself.
 *
 * ====================================== ====================================
 * function                               reservation object
 * ====================================== ====================================
 * dma_buf_export()                       not needed
 * dma_buf_fd()                           not needed
 * dma_buf_get()                          not needed
 * dma_buf_put()                          not needed
 * dma_buf_attach()                       takes it
 * dma_buf_dynamic_attach()               takes it
 * dma_buf_detach()                       takes it
 * dma_buf_move_notify()                  caller holds it
 * dma_buf_pin()                          caller holds it
 * dma_buf_unpin()                        caller holds it
 * dma_buf_map_attachment()               caller holds it
 * dma_buf_map_attachment_unlocked()      takes it
 * dma_buf_unmap_attachment()             caller holds it
 * dma_buf_unmap_attachment_unlocked()    takes it
 * dma_buf_begin_cpu_access()             not held (exporters may take it)
 * dma_buf_end_cpu_access()               not held (exporters may take it)
 * dma_buf_mmap()                         not held (exporters may take it)
 * dma_buf_try_map_attachment()           takes it, or -EBUSY
 * dma_buf_set_late()                     not needed
 * dma_buf_refuse()                       not needed
 * dma_buf_get_constraints()              caller holds it
 * dma_buf_vmap()                         caller holds it
 * dma_buf_vmap_unlocked()                takes it
 * dma_buf_vunmap()                       caller holds it
 * dma_buf_vunmap_unlocked()              takes it
 * ====================================== ====================================
 *
 * "Caller holds" is asserted at the top of each such function. The exporter's
 * pin, unpin, map_dma_buf, unmap_dma_buf, vmap and vunmap run with the lock
 * held, and so do the operations of a late exporter; all others run without.
 *
 * Storage that is placed late, negotiate/late.c, is allocated, moved and taken out
 * of page tables with the reservation object held.
 *
 * Order, outermost first: mmap_lock or a list of buffers (debugfs), the
 * reservation object, memory reclaim. The mutex under which a directory in
 * sysfs is made (core/stats.c) is never held with any of them but the last.
 * The buffer's name lock, the lock of the last refusal, those of kept
 * attachments and of idle storage and the wait queue's lock nest inside anything;
 * but for trylocks nothing nests in them. The wait queue's lock is also taken inside a fence's
 * lock, from interrupts. The mutex of the device classes is taken with no other
 * lock held.
 * core/lockdep.c teaches lockdep this order at boot, as dma_resv.c does for
 * mmap_lock.
 */

/**
 * DOC: errors
 *
 * A refused request changes nothing: no reference, no file descriptor, no
 * attachment and no pin is left behind. Errors of an exporter's operation
 * reach the caller as they are. The core's own:
 *
 * ============ =============================================================
 * -EBADF       the number is no open file descriptor
 * -E2BIG       the argument is longer than what is known, and not 0 there
 * -EBUSY       the attachment is mapped in another direction; a try would have
 *              to wait; the storage is already placed where this device can't
 *              reach it, or can't suit all devices
 * -EFAULT      the argument's memory is not accessible
 * -EINVAL      not a dma-buf, unknown flags, a range outside the buffer, or an
 *              operation the exporter does not offer
 * -EMFILE      the table of file descriptors is full
 * -ENFILE      the system has no file left
 * -ENODEV      the kernel was built without dma-buf; the device to announce is
 *              gone
 * -ENOENT      the exporter's module is going away
 * -ENOMEM      no memory
 * -ENOSPC      too many devices announced
 * -ENOTTY      no such ioctl
 * -EOPNOTSUPP  the storage of this buffer is not negotiable
 * -EOVERFLOW   offset and length of a mapping wrap around
 * -ERESTARTSYS a signal came while waiting for fences
 * ============ =============================================================
 *
 * Arguments that no correct driver passes also leave one warning in the log.
 */

const struct dma_buf_negotiate_ops *dma_buf_negotiate_ops;

static struct vfsmount *dma_buf_mnt;
/* Containers without and with a reservation object: kmalloc would round up. */
static struct kmem_cache *dma_buf_cache;
static struct kmem_cache *dma_buf_resv_cache;

/*
 * Lets /proc show "/dmabuf:NAME". Callers may have the dentry only, which is
 * why the buffer outlives its file until dma_buf_dentry_release().
 */
static char *dma_buf_dentry_name(struct dentry *dentry, char *buf, int len)
{
	struct dma_buf *dmabuf = dentry->d_fsdata;
	char name[DMA_BUF_NAME_LEN] = "";

	spin_lock(&dmabuf->name_lock);
	if (dmabuf->name)
		strscpy(name, dmabuf->name);
	spin_unlock(&dmabuf->name_lock);

	return dynamic_dname(buf, len, "/%pd:%s", dentry, name);
}

/*
 * The inode of the buffer that a processor released last, for its next export.
 * Making, evicting and freeing one is a quarter of an export. An inode that
 * nobody else refers to is as good as new but for what is set here and in
 * dma_buf_file_create(): whoever maps, locks or looks at it holds a reference,
 * and security modules leave S_PRIVATE alone.
 */
static DEFINE_PER_CPU(struct inode *, dma_buf_spare_inode);

static struct inode *dma_buf_inode_get(void)
{
	struct inode *inode = this_cpu_xchg(dma_buf_spare_inode, NULL);

	if (!inode)
		return alloc_anon_inode(dma_buf_mnt->mnt_sb);

	inode->i_mode = 0600;
	inode->i_uid = current_fsuid();
	inode->i_gid = current_fsgid();
	inode->i_write_hint = WRITE_LIFE_NOT_SET;
	simple_inode_init_ts(inode);
	return inode;
}

static bool dma_buf_inode_unused(const struct inode *inode)
{
#ifdef CONFIG_FSNOTIFY
	/* Evictable marks of fanotify hold no reference. */
	if (rcu_access_pointer(inode->i_fsnotify_marks))
		return false;
#endif
	return atomic_read(&inode->i_count) == 1;
}

static void dma_buf_inode_put(struct inode *inode)
{
	if (!dma_buf_inode_unused(inode) ||
	    this_cpu_cmpxchg(dma_buf_spare_inode, NULL, inode))
		iput(inode);
}

static void dma_buf_object_free(struct dma_buf_object *obj)
{
	struct kmem_cache *cache = dma_buf_cache;

	if (obj->negotiation)
		dma_buf_negotiate_ops->free(&obj->base);
	if (obj->owns_resv) {
		dma_resv_fini(&obj->own_resv);
		cache = dma_buf_resv_cache;
	}
	kfree(obj->base.name);
	kmem_cache_free(cache, obj);
}

static void dma_buf_dentry_release(struct dentry *dentry)
{
	struct dma_buf *dmabuf = dentry->d_fsdata;
	struct module *owner;

	/* An export that failed half way has a dentry but no buffer yet. */
	if (!dmabuf)
		return;

	owner = dmabuf->owner;
	WARN_ON_ONCE(dmabuf->vmapping_counter);

	dma_buf_kept_release(dmabuf);
	dmabuf->ops->release(dmabuf);
	WARN_ON_ONCE(!list_empty(&dmabuf->attachments));

	/* The dentry has let go of the inode by now. */
	dma_buf_inode_put(to_dma_buf_object(dmabuf)->inode);
	dma_buf_object_free(to_dma_buf_object(dmabuf));
	module_put(owner);
}

static const struct dentry_operations dma_buf_dentry_ops = {
	.d_dname = dma_buf_dentry_name,
	.d_release = dma_buf_dentry_release,
};

/* No page is ever in the inode's page cache, so there is none to look for. */
static const struct super_operations dma_buf_super_ops = {
	.statfs = simple_statfs,
	.evict_inode = clear_inode,
};

static int dma_buf_fs_init_context(struct fs_context *fc)
{
	struct pseudo_fs_context *ctx = init_pseudo(fc, DMA_BUF_MAGIC);

	if (!ctx)
		return -ENOMEM;

	ctx->ops = &dma_buf_super_ops;
	ctx->dops = &dma_buf_dentry_ops;
	return 0;
}

static struct file_system_type dma_buf_fs = {
	.name = "dmabuf",
	.init_fs_context = dma_buf_fs_init_context,
	.kill_sb = kill_anon_super,
};

/*
 * A file of its own inode for each buffer: user space tells buffers apart by
 * inode number, so the numbers are handed out once and never again.
 */
static struct file *dma_buf_file_create(size_t size, int flags)
{
	static atomic64_t next_ino = ATOMIC64_INIT(0);
	struct inode *inode;
	struct file *file;

	inode = dma_buf_inode_get();
	if (IS_ERR(inode))
		return ERR_CAST(inode);

	inode->i_ino = atomic64_inc_return(&next_ino);
	inode->i_size = size;
	inode_set_bytes(inode, size);

	file = alloc_file_pseudo(inode, dma_buf_mnt, "dmabuf",
				 flags & (O_ACCMODE | O_NONBLOCK), &dma_buf_fops);
	if (IS_ERR(file)) {
		iput(inode);
		return file;
	}

	file->f_mode |= FMODE_LSEEK;
	return file;
}

static struct dma_buf_object *
dma_buf_object_alloc(const struct dma_buf_export_info *info)
{
	struct dma_buf_object *obj;
	struct dma_buf *dmabuf;

	obj = kmem_cache_zalloc(info->resv ? dma_buf_cache : dma_buf_resv_cache,
				GFP_KERNEL);
	if (!obj)
		return NULL;

	dmabuf = &obj->base;
	dmabuf->size = info->size;
	dmabuf->ops = info->ops;
	dmabuf->priv = info->priv;
	dmabuf->owner = info->owner;
	dmabuf->exp_name = info->exp_name;
	dmabuf->resv = info->resv;
	if (!dmabuf->resv) {
		dma_resv_init(&obj->own_resv);
		dmabuf->resv = &obj->own_resv;
		obj->owns_resv = true;
	}
	obj->cpu = raw_smp_processor_id();
	spin_lock_init(&dmabuf->name_lock);
	INIT_LIST_HEAD(&dmabuf->attachments);
	INIT_LIST_HEAD(&obj->kept);
	dma_buf_poll_init(obj);

	return obj;
}

static bool dma_buf_export_info_valid(const struct dma_buf_export_info *info)
{
	const struct dma_buf_ops *ops = info->ops;

	if (!info->priv || !ops)
		return false;
	/* Accounts without a name are none. */
	if (IS_ENABLED(CONFIG_DMABUF_SYSFS_STATS) && !info->exp_name)
		return false;
	if (!ops->map_dma_buf || !ops->unmap_dma_buf || !ops->release)
		return false;
	if (!ops->pin != !ops->unpin)
		return false;
	/* What may move can't be kept mapped behind the importers' backs. */
	return !(ops->cache_sgt_mapping && ops->pin);
}

/**
 * dma_buf_export - make a buffer out of an exporter's storage
 * @exp_info: exporter, operations, size in bytes and file mode
 *
 * The caller owns the one reference and gives it away with dma_buf_fd() or
 * drops it with dma_buf_put(); either way &dma_buf_ops.release runs when the
 * last one is gone. A failed export never calls it.
 *
 * Context: may sleep; no lock needed.
 *
 * Return: the buffer, or ERR_PTR: -EINVAL when mandatory operations or
 * &dma_buf_export_info.priv are missing or contradict one another; -ENOENT
 * when the exporter's module is being unloaded; -ENFILE when the system has no
 * file left; -ENOMEM.
 */
struct dma_buf *dma_buf_export(const struct dma_buf_export_info *exp_info)
{
	struct dma_buf_object *obj;
	struct dma_buf *dmabuf;
	struct file *file;
	int ret;

	if (WARN_ON_ONCE(!dma_buf_export_info_valid(exp_info)))
		return ERR_PTR(-EINVAL);

	if (!try_module_get(exp_info->owner))
		return ERR_PTR(-ENOENT);

	file = dma_buf_file_create(exp_info->size, exp_info->flags);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto err_module;
	}

	obj = dma_buf_object_alloc(exp_info);
	if (!obj) {
		ret = -ENOMEM;
		goto err_file;
	}
	dmabuf = &obj->base;

	/* From here on the file's release frees everything. */
	dmabuf->file = file;
	obj->inode = file_inode(file);
	ihold(obj->inode);
	file->private_data = dmabuf;
	file->f_path.dentry->d_fsdata = dmabuf;
	dma_buf_list_add(obj);
	dma_buf_stats_add(obj);

	return dmabuf;

err_file:
	fput(file);
err_module:
	module_put(exp_info->owner);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_export, DMA_BUF);

/**
 * dma_buf_fd - give a buffer to user space
 * @dmabuf: buffer; on success the caller's reference now belongs to the fd
 * @flags: O_CLOEXEC or 0
 *
 * Any thread of the process can close the new descriptor before this function
 * gives its number back: don't touch @dmabuf afterwards without a reference of
 * your own, and do all that can fail before.
 *
 * Context: process context, may sleep; no lock needed.
 *
 * Return: the descriptor; -EINVAL without a buffer; -EMFILE when the table of
 * descriptors is full; -ENOMEM when it can't grow.
 */
int dma_buf_fd(struct dma_buf *dmabuf, int flags)
{
	int fd = -EINVAL;

	if (dmabuf && dmabuf->file)
		fd = get_unused_fd_flags(flags);
	if (fd >= 0)
		fd_install(fd, dmabuf->file);

	return fd;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_fd, DMA_BUF);

/**
 * dma_buf_get - the buffer behind a file descriptor
 * @fd: descriptor from user space
 *
 * Context: process context; no lock needed.
 *
 * Return: the buffer with a reference for dma_buf_put(), or ERR_PTR: -EBADF
 * when @fd is not open; -EINVAL when it is no dma-buf.
 */
struct dma_buf *dma_buf_get(int fd)
{
	struct file *file = fget(fd);

	if (file && dma_buf_file_is_ours(file))
		return file->private_data;

	if (!file)
		return ERR_PTR(-EBADF);

	fput(file);
	return ERR_PTR(-EINVAL);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_get, DMA_BUF);

/**
 * dma_buf_put - drop a reference
 * @dmabuf: buffer
 *
 * Context: any; the release after the last reference runs in process context.
 */
void dma_buf_put(struct dma_buf *dmabuf)
{
	if (WARN_ON_ONCE(!dmabuf || !dmabuf->file))
		return;

	fput(dmabuf->file);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_put, DMA_BUF);

static int __init dma_buf_init(void)
{
	struct dentry *debugfs;
	int ret = -ENOMEM;

	dma_buf_cache = kmem_cache_create("dma_buf",
					  offsetof(struct dma_buf_object, own_resv),
					  0, 0, NULL);
	dma_buf_resv_cache = kmem_cache_create("dma_buf_resv",
					       sizeof(struct dma_buf_object),
					       0, 0, NULL);
	if (!dma_buf_cache || !dma_buf_resv_cache)
		goto err_caches;

	ret = dma_buf_stats_init();
	if (ret)
		goto err_caches;

	dma_buf_mnt = kern_mount(&dma_buf_fs);
	if (IS_ERR(dma_buf_mnt)) {
		ret = PTR_ERR(dma_buf_mnt);
		goto err_stats;
	}

	debugfs = dma_buf_debugfs_init();
	dma_buf_keep_init(debugfs);
	return 0;

err_stats:
	dma_buf_stats_fini();
err_caches:
	kmem_cache_destroy(dma_buf_cache);
	kmem_cache_destroy(dma_buf_resv_cache);
	return ret;
}
subsys_initcall(dma_buf_init);
