// SPDX-License-Identifier: GPL-2.0-only
/*
 * The buffer as an object: created by export, found by its file, and freed with
 * the dentry of that file.
 */
#include "internal.h"

/**
 * DOC: overview
 *
 * Three parties share a buffer. The *exporter* owns the storage and describes
 * it with &struct dma_buf_ops. An *importer* attaches its device and maps the
 * buffer for it. The *core* stands between them: it manages references, file
 * descriptors and the list of attachments, and decides who pins and who waits.
 * It does not know where the storage is.
 *
 * The calls, in order::
 *
 *	exporter  dma_buf_export() ── dma_buf_fd() ──▶ file descriptor
 *	importer  dma_buf_get(fd) ── dma_buf_attach() ── dma_buf_map_attachment()
 *	          … DMA …
 *	          dma_buf_unmap_attachment() ── dma_buf_detach() ── dma_buf_put()
 *
 * User space may also map the file, bracket its access with
 * DMA_BUF_IOCTL_SYNC, poll the file for fences, export its fences as a
 * sync_file, and import those of a sync_file.
 */

/**
 * DOC: lifetime
 *
 * A buffer can be used as long as its file has references: those of file
 * descriptors, of memory mappings, and those taken by dma_buf_get() and
 * get_dma_buf(). An attachment does not hold a reference; the importer does.
 *
 * When the last reference is dropped, the file ends. After that nobody can get
 * a reference to the buffer, its poll watches are removed from their fences,
 * and &dma_buf.file points to a file that has no references.
 *
 * The buffer is freed with its dentry, usually at once. A process that reads a
 * link in /proc/PID/fd, reads bufinfo, or has the buffer open with O_PATH holds
 * the dentry without the file. Until the dentry is freed, the buffer keeps its
 * name, its memory and its line in bufinfo. Then &dma_buf_ops.release runs
 * once, and the reference to the exporter's module is dropped.
 */

/**
 * DOC: locking
 *
 * One lock matters to drivers: the buffer's reservation object. A function
 * with the suffix ``_unlocked`` is called *without* the lock and takes it
 * itself.
 *
 * ====================================== ====================================
 * function                               reservation object
 * ====================================== ====================================
 * dma_buf_export()                       not needed
 * dma_buf_fd()                           not needed
 * dma_buf_fd_install()                   not needed
 * dma_buf_from_file()                    not needed
 * dma_buf_get()                          not needed
 * dma_buf_put()                          not needed
 * dma_buf_attach()                       takes it
 * dma_buf_dynamic_attach()               takes it
 * dma_buf_detach()                       takes it
 * dma_buf_attach_revocable()             not needed
 * dma_buf_invalidate_mappings()          caller holds it
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
 * dma_buf_record_add()                   not needed
 * dma_buf_record_find()                  not needed
 * dma_buf_set_late()                     not needed
 * dma_buf_is_late()                      not needed
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
 * held, and so do those of &struct dma_buf_late_ops. The exporter's other
 * operations run without the lock.
 *
 * The reservation object is also held when late storage (negotiate/late.c) is
 * allocated, when it moves, and when its user mappings are removed.
 *
 * This is the order of all locks of the layer, outermost first. A thread takes
 * no lock that stands above one that it holds.
 *
 * ================== ========================================================
 * lock               what it protects, and who takes it
 * ================== ========================================================
 * claim              The import of one buffer into one DRM file. lockdep sees
 *                    it as a lock; gem/claim.c explains it.
 * prime lock         &drm_prime_file_private.lock: the file's handle table.
 *                    The close of a handle takes it to remove the handle's
 *                    entry. The spinlock &drm_file.table_lock nests in it.
 * object_name_lock   Of a DRM device: &drm_gem_object.dma_buf, and how many
 *                    handles an object has. Drivers export with it held.
 * mmap_lock          The mappings of a process. The layer only tries it. Page
 *                    faults and mmap of a buffer run with it held.
 * reservation object The storage, pins, mappings and attachments of a buffer.
 * memory reclaim     Not a lock, but lockdep sees it as one. An allocation
 *                    that may sleep may run it.
 * core/list.c        Spinlock: the list of all buffers, the records of
 *                    exporters' objects, and the change of &dma_buf.file. The
 *                    lock of a dentry nests in it.
 * name_lock          Spinlock: &dma_buf.name. Lets a reader of bufinfo walk
 *                    &dma_buf.attachments without the reservation object.
 *                    Nothing nests in it.
 * poll               Spinlock of the wait queue &dma_buf.poll: the watches. It
 *                    is also taken inside a fence's lock, from interrupts.
 * negotiation.c      Spinlock of negotiate/: announced devices, and which
 *                    buffer has late storage. The lock of a device's resources
 *                    nests in it.
 * refusal.c          Spinlock of account/: the records of refusals. Only the
 *                    locks of put_pid() nest in it.
 * ================== ========================================================
 *
 * The spinlocks do not nest in one another. The driver's import takes its own
 * locks, and those of the core, with only the claim held.
 *
 * These locks are taken with no lock of the table held:
 *
 * * device_lock() of a device that a program announces. Only memory reclaim, the
 *   lock of the device's resources and the spinlock of negotiation.c nest in it.
 * * device_lock() of a V4L2 node whose device is looked up. Nothing nests in it.
 * * The lock of a V4L2 queue in which try/v4l2.c tries a buffer. The
 *   device_lock() of its node nests in it, and in that the reservation object
 *   and what is below it, as in VIDIOC_QBUF.
 * * The spinlocks of account/holders.c. For a process: task_lock(), and in it the
 *   file_lock of the table of fds. For sockets: the lock of a bucket of the
 *   AF_UNIX hash. In both cases the lock of a socket's queue nests inside. A
 *   reader of dma_buf/holders only tries mutexes and mmap_locks.
 *
 * core/lockdep.c takes the core's locks in this order at boot, so that lockdep
 * knows it. dma_resv.c does the same for mmap_lock.
 */

/**
 * DOC: errors
 *
 * A request that the core refuses leaves no reference, file descriptor,
 * attachment or pin behind. The caller gets an error of an exporter's operation
 * unchanged. The core's own errors are:
 *
 * ============ =============================================================
 * -EACCES      the descriptor was not opened for writing
 * -EBADF       the number is not an open file descriptor
 * -E2BIG       the argument is longer than the known struct, and the rest is
 *              not 0
 * -EBUSY       the attachment is mapped in another direction;
 *              dma_buf_try_map_attachment() would have to wait; the storage is
 *              already placed where this device can't reach it, or can't suit
 *              all devices; the size can't change any more; the buffer is
 *              negotiable already, or the storage is bound to another buffer;
 *              another file has buffers in the V4L2 device to try
 * -EFAULT      the argument's memory is not accessible
 * -EINTR       a signal arrived during the wait for the reservation object,
 *              or for the lock of the device to announce
 * -EINVAL      not a dma-buf, unknown flags, a range outside the buffer, or an
 *              operation the exporter does not offer
 * -EMFILE      the table of file descriptors is full
 * -ENFILE      the system has no file left
 * -ENODEV      the device to announce or to try is gone, or the kernel has no
 *              module that knows its node
 * -ENOENT      the exporter's module is going away; the device to remove was
 *              not announced
 * -ENOMEM      no memory
 * -ENOSPC      too many devices announced
 * -ENOTTY      no such ioctl
 * -EOPNOTSUPP  the storage of this buffer can't be negotiated; the driver of
 *              the device to announce imports nothing; this device or buffer
 *              can't be tried; or a mapping needs bounce buffers that the
 *              exporter does not sync
 * -EOVERFLOW   offset and length of a mapping wrap around
 * -ERESTARTSYS a signal arrived during the wait for fences, for a lock of a
 *              V4L2 device, or for another thread's import
 * ============ =============================================================
 *
 * If only a driver with a bug can pass an argument, the core also warns once.
 */

/*
 * There are two caches: for containers without @own_resv, and for those with it.
 * kmalloc() would round up both sizes. kfree() finds the cache by itself.
 */
static struct kmem_cache *dma_buf_cache;
static struct kmem_cache *dma_buf_resv_cache;

static void dma_buf_object_free(struct dma_buf_object *obj)
{
	if (obj->negotiation)
		dma_buf_negotiate_ops->free(&obj->base);
	if (obj->base.resv == &obj->own_resv)
		dma_resv_fini(&obj->own_resv);
	kfree(obj->base.name);
	kfree(obj);
}

static void dma_buf_dentry_release(struct dentry *dentry)
{
	struct dma_buf *dmabuf = dentry->d_fsdata;
	struct module *owner;

	/* A failed export may leave a dentry without a buffer. */
	if (!dmabuf)
		return;

	owner = dmabuf->owner;
	trace_dma_buf_release(dmabuf);
	WARN_ON_ONCE(dmabuf->vmapping_counter);

	dma_buf_stats_teardown(dmabuf);
	dmabuf->ops->release(dmabuf);
	WARN_ON_ONCE(!list_empty(&dmabuf->attachments));

	dma_buf_list_del(to_dma_buf_object(dmabuf));
	dma_buf_object_free(to_dma_buf_object(dmabuf));
	/* Last: a fence of the reservation object may be the exporter's. */
	module_put(owner);
}

static const struct dentry_operations dma_buf_dentry_ops = {
	.d_dname = dma_buf_dentry_name,
	.d_release = dma_buf_dentry_release,
};

void dma_buf_object_init(struct dma_buf_object *obj)
{
	spin_lock_init(&obj->base.name_lock);
	INIT_LIST_HEAD(&obj->base.attachments);
	dma_buf_poll_init(obj);
}

static struct dma_buf_object *dma_buf_object_alloc(const struct dma_buf_export_info *info)
{
	struct dma_buf_object *obj;
	struct dma_buf *dmabuf;

	obj = kmem_cache_zalloc(info->resv ? dma_buf_cache : dma_buf_resv_cache, GFP_KERNEL);
	if (!obj)
		return NULL;

	dmabuf = &obj->base;
	dmabuf->size = info->size;
	dmabuf->ops = info->ops;
	dmabuf->priv = info->priv;
	dmabuf->owner = info->owner;
	dmabuf->exp_name = info->exp_name;
	dmabuf->resv = info->resv ?: &obj->own_resv;
	if (!info->resv)
		dma_resv_init(&obj->own_resv);
	dma_buf_object_init(obj);

	return obj;
}

/* The core can't keep mappings for an exporter whose storage may move. */
static bool dma_buf_export_info_valid(const struct dma_buf_export_info *info)
{
	const struct dma_buf_ops *ops = info->ops;

	return info->priv && ops &&
	       ops->map_dma_buf && ops->unmap_dma_buf && ops->release && !ops->pin == !ops->unpin &&
	       !(ops->pin && dma_buf_ops_keep_table(ops));
}

/**
 * dma_buf_export - make a buffer out of an exporter's storage
 * @exp_info: exporter, operations, size in bytes and file mode
 *
 * The caller owns the only reference. It passes the reference to dma_buf_fd()
 * or drops it with dma_buf_put(). &dma_buf_ops.release runs after the last
 * reference is dropped. A failed export never calls it.
 *
 * Context: may sleep; no lock needed.
 *
 * Return: the buffer, or ERR_PTR: -EINVAL when mandatory operations or
 * &dma_buf_export_info.priv are missing, or when operations contradict one
 * another; -ENOENT when the exporter's module is being unloaded; -ENFILE when
 * the system has no file left; -ENOMEM.
 */
struct dma_buf *dma_buf_export(const struct dma_buf_export_info *exp_info)
{
	struct dma_buf_object *obj;
	struct dma_buf *dmabuf;
	struct file *file;
	int ret = -ENOMEM;

	if (WARN_ON_ONCE(!dma_buf_export_info_valid(exp_info)))
		return ERR_PTR(-EINVAL);

	if (!try_module_get(exp_info->owner))
		return ERR_PTR(-ENOENT);

	obj = dma_buf_object_alloc(exp_info);
	if (!obj)
		goto err_module;

	file = dma_buf_file_create(exp_info->size, exp_info->flags);
	ret = PTR_ERR_OR_ZERO(file);
	if (ret)
		goto err_object;

	dmabuf = &obj->base;
	dmabuf->file = file;
	obj->dentry = file->f_path.dentry;
	obj->ino = file_inode(file)->i_ino;
	ret = dma_buf_stats_setup(dmabuf, file);
	if (ret)
		goto err_file;

	/* From here on dma_buf_dentry_release() frees everything. */
	file->private_data = dmabuf;
	obj->dentry->d_fsdata = dmabuf;
	dma_buf_list_add(obj);
	trace_dma_buf_export(dmabuf);

	return dmabuf;

err_file:
	fput(file);
err_object:
	dma_buf_object_free(obj);
err_module:
	module_put(exp_info->owner);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_export, "DMA_BUF");

/**
 * dma_buf_fd - give a buffer to user space
 * @dmabuf: buffer; on success the caller's reference now belongs to the fd
 * @flags: O_CLOEXEC or 0
 *
 * Any thread of the process can close the new descriptor before this function
 * returns its number. So don't touch @dmabuf afterwards without a reference of
 * your own, and do everything that can fail before the call.
 *
 * Context: process context, may sleep; no lock needed.
 *
 * Return: the descriptor; -EINVAL without a buffer, or when the buffer's file has
 * ended; -EMFILE when the table of descriptors is full; -ENOMEM when it can't
 * grow.
 */
int dma_buf_fd(struct dma_buf *dmabuf, int flags)
{
	int fd = -EINVAL;

	if (dmabuf && file_count(dmabuf->file))
		fd = get_unused_fd_flags(flags);
	if (fd >= 0)
		dma_buf_fd_install(dmabuf, fd);

	return fd;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_fd, "DMA_BUF");

/**
 * dma_buf_fd_install - give a buffer to user space under a reserved descriptor
 * @dmabuf: buffer; the caller's reference now belongs to the fd
 * @fd: descriptor from get_unused_fd_flags()
 *
 * For a caller that has more to do after it has reserved the descriptor, such
 * as a copy to user space. As with dma_buf_fd(), don't touch @dmabuf afterwards.
 *
 * Context: process context; no lock needed.
 */
void dma_buf_fd_install(struct dma_buf *dmabuf, int fd)
{
	/* First: once the fd is installed, the buffer may be gone. */
	trace_dma_buf_fd(dmabuf, fd);
	fd_install(fd, dmabuf->file);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_fd_install, "DMA_BUF");

/**
 * dma_buf_from_file - the buffer of a file that has been looked up
 * @file: any file, which the caller keeps
 * @fd: the descriptor that it was found by
 *
 * Context: process context; no lock needed.
 *
 * Return: the buffer with a reference for dma_buf_put(), or ERR_PTR(-EINVAL)
 * when @file is not a dma-buf.
 */
struct dma_buf *dma_buf_from_file(struct file *file, int fd)
{
	/* The operations tell whether it is a dma-buf. */
	if (file->f_op != &dma_buf_fops)
		return ERR_PTR(-EINVAL);

	trace_dma_buf_get(file->private_data, fd);
	get_file(file);
	return file->private_data;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_from_file, "DMA_BUF");

/**
 * dma_buf_get - the buffer behind a file descriptor
 * @fd: descriptor from user space
 *
 * Context: process context; no lock needed.
 *
 * Return: the buffer with a reference for dma_buf_put(), or ERR_PTR: -EBADF
 * when @fd is not open; -EINVAL when it is not a dma-buf.
 */
struct dma_buf *dma_buf_get(int fd)
{
	CLASS(fd, f)(fd);

	return fd_file(f) ? dma_buf_from_file(fd_file(f), fd) : ERR_PTR(-EBADF);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_get, "DMA_BUF");

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

	trace_dma_buf_put(dmabuf);
	fput(dmabuf->file);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_put, "DMA_BUF");

/*
 * For BPF programs: the next buffer that user space can still reach, with a
 * reference to its file. Drops the reference to @prev.
 */
struct dma_buf *dma_buf_iter_next(struct dma_buf *prev)
{
	struct dma_buf_object *obj = dma_buf_list_next(prev ? to_dma_buf_object(prev) : NULL, true);

	if (prev)
		dma_buf_put(prev);
	return obj ? &obj->base : NULL;
}

struct dma_buf *dma_buf_iter_begin(void)
{
	return dma_buf_iter_next(NULL);
}

static int __init dma_buf_init(void)
{
	/*
	 * The size has one byte more, so that no other object begins at the
	 * address of own_resv, which dma_buf_object_free() compares.
	 */
	dma_buf_cache = kmem_cache_create("dma_buf", offsetof(struct dma_buf_object, own_resv) + 1,
					  0, SLAB_PANIC, NULL);
	dma_buf_resv_cache = KMEM_CACHE(dma_buf_object, SLAB_PANIC);
	dma_buf_list_init();
	return dma_buf_init_sysfs_statistics() ?: dma_buf_fs_init(&dma_buf_dentry_ops);
}
subsys_initcall(dma_buf_init);
