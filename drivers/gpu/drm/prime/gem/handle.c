// SPDX-License-Identifier: GPL-2.0
/*
 * Handles to dma-bufs and back, and the two ioctls.
 *
 * FD_TO_HANDLE returns the oldest open handle of the dma-buf in the file.
 * gem/table.c remembers it.
 */
#include <linux/file.h>

#include "internal.h"

/**
 * DOC: gem prime
 *
 * PRIME shares GEM objects between devices. DRM_IOCTL_PRIME_HANDLE_TO_FD
 * exports the object behind a handle as a dma-buf. DRM_IOCTL_PRIME_FD_TO_HANDLE
 * gives a dma-buf a handle in a file, and imports the dma-buf when it does not
 * come from an object of the file's device.
 *
 * One object has one dma-buf as long as anybody has a file descriptor of it.
 * &drm_gem_object.dma_buf points to the buffer while the object has handles. A
 * framebuffer or an open dma-buf can keep an object without handles alive, and
 * the object can get a handle again. So the core also has a record of the
 * object's buffer, from which the next export restores &drm_gem_object.dma_buf.
 * An imported object finds its buffer by &drm_gem_object.import_attach.
 *
 * References: the buffer holds its object and the DRM device. The file's table
 * holds the buffer once per handle. The object holds the buffer while the
 * object has handles; drm_gem_object_handle_put_unlocked() drops that reference
 * when the last handle is closed.
 *
 * An import can take long, since the exporter may pin and map. So the driver's
 * import runs without a lock of DRM. Neither the file's other buffers nor the
 * device's other files wait for it. If two threads of one file import the same
 * buffer, gem/claim.c makes one wait for the other.
 *
 * "DOC: locking" of core/object.c has the order of the locks.
 */

/**
 * drm_gem_prime_handle_to_dmabuf - export the object behind a handle
 * @dev: device of @file_priv
 * @file_priv: file that has the handle
 * @handle: GEM handle
 * @flags: DRM_CLOEXEC, DRM_RDWR; DRM_RDWR lets user space map the buffer for
 *	writing
 *
 * Context: process context, may sleep; takes the file's prime lock and
 * &drm_device.object_name_lock.
 *
 * Return: the buffer with a reference for dma_buf_put(), or ERR_PTR: -ENOENT
 * when the file has no such handle; -ENOMEM; or the error of the driver's
 * export.
 */
struct dma_buf *drm_gem_prime_handle_to_dmabuf(struct drm_device *dev, struct drm_file *file_priv,
					       uint32_t handle, uint32_t flags)
{
	struct drm_prime_table *table = to_drm_prime_table(&file_priv->prime);
	struct drm_prime_entry *entry;
	struct drm_gem_object *obj;
	struct dma_buf *dmabuf;

	/*
	 * A close first removes the handle from the file, and then takes the
	 * prime lock to remove the entry. So an entry that is made here for an
	 * open handle will be found by its close.
	 */
	guard(mutex)(&table->lock);
	entry = drm_prime_entry_by_handle_locked(table, handle);
	if (entry) {
		get_dma_buf(entry->dmabuf);
		return entry->dmabuf;
	}

	obj = drm_gem_object_lookup(file_priv, handle);
	if (!obj)
		return ERR_PTR(-ENOENT);

	entry = drm_prime_entry_alloc_locked(table);
	dmabuf = entry ? drm_prime_export_get(obj, flags) : ERR_PTR(-ENOMEM);
	drm_gem_object_put(obj);
	if (IS_ERR(dmabuf)) {
		kfree(entry);
		return dmabuf;
	}

	/* The entry gets one reference, and the caller the other. */
	get_dma_buf(dmabuf);
	drm_prime_entry_link_locked(table, entry, dmabuf, handle);
	return dmabuf;
}
EXPORT_SYMBOL(drm_gem_prime_handle_to_dmabuf);

/**
 * drm_gem_prime_handle_to_fd - export the object behind a handle as an fd
 * @dev: device of @file_priv
 * @file_priv: file that has the handle
 * @handle: GEM handle
 * @flags: DRM_CLOEXEC, DRM_RDWR
 * @prime_fd: where to return the file descriptor; untouched on failure
 *
 * The descriptor is installed when this returns, so user space may have closed
 * it already.
 *
 * Context: process context, may sleep; takes the file's prime lock and
 * &drm_device.object_name_lock.
 *
 * Return: 0; -EMFILE when the table of file descriptors is full; or an error
 * of drm_gem_prime_handle_to_dmabuf().
 */
int drm_gem_prime_handle_to_fd(struct drm_device *dev, struct drm_file *file_priv,
			       uint32_t handle, uint32_t flags, int *prime_fd)
{
	struct dma_buf *dmabuf;

	CLASS(get_unused_fd, fd)(flags);
	if (fd < 0)
		return fd;

	dmabuf = drm_gem_prime_handle_to_dmabuf(dev, file_priv, handle, flags);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	*prime_fd = fd;
	/* Last, since user space may close the fd from here on. */
	dma_buf_fd_install(dmabuf, take_fd(fd));
	return 0;
}
EXPORT_SYMBOL(drm_gem_prime_handle_to_fd);

/*
 * Imports a buffer that this thread has claimed, and ends the claim.
 *
 * As soon as the handle exists, another thread can close it, and its number can
 * be used again. A close first removes the handle, and then takes the prime
 * lock to remove the entry and to count itself. So a close will find the entry
 * that is made here with the prime lock held, if no close was counted since
 * before the handle existed, or if the handle still leads to the object.
 */
static noinline int drm_prime_handle_import(struct drm_device *dev, struct drm_file *file_priv,
					    struct drm_prime_entry *claim, u32 *handle)
{
	struct drm_prime_table *table = to_drm_prime_table(&file_priv->prime);
	const u32 closed = READ_ONCE(table->closed);
	struct dma_buf *dmabuf = claim->dmabuf;
	struct drm_gem_object *obj;
	bool open;
	int ret;

	lockdep_assert_not_held(&table->lock);
	lockdep_assert_not_held(&dev->object_name_lock);

	/*
	 * A driver finds an object of its own device through the buffer. The
	 * claim holds the buffer and the buffer holds the object, so no lock
	 * is needed.
	 */
	obj = dev->driver->gem_prime_import ?
	      dev->driver->gem_prime_import(dev, dmabuf) : drm_gem_prime_import(dev, dmabuf);
	ret = dma_buf_refused(dmabuf, drm_dev_dma_dev(dev), DMA_BUF_STEP_IMPORT,
			      PTR_ERR_OR_ZERO(obj));
	if (!ret) {
		mutex_lock(&dev->object_name_lock);
		/* The close of the last handle may have cleared the pointer. */
		if (!obj->dma_buf) {
			get_dma_buf(dmabuf);
			obj->dma_buf = dmabuf;
		}
		/* Drops object_name_lock. */
		ret = dma_buf_refused(dmabuf, drm_dev_dma_dev(dev), DMA_BUF_STEP_HANDLE,
				      drm_gem_handle_create_tail(file_priv, obj, handle));
	}

	mutex_lock(&table->lock);
	open = !ret;
	/* This thread holds @obj, so the same address means the same object. */
	if (open && (closed != table->closed || closed == U32_MAX)) {
		guard(spinlock)(&file_priv->table_lock);
		open = idr_find(&file_priv->object_idr, *handle) == obj;
	}
	drm_prime_claim_end_locked(table, claim, open ? *handle : 0);
	mutex_unlock(&table->lock);

	if (!IS_ERR(obj))
		drm_gem_object_put(obj);
	return ret;
}

/**
 * drm_gem_prime_fd_to_handle - give a dma-buf a handle
 * @dev: device of @file_priv
 * @file_priv: DRM file that gets the handle
 * @prime_fd: file descriptor of the dma-buf
 * @handle: where to return the GEM handle; untouched on failure
 *
 * If @file_priv knows the buffer already, this returns its oldest handle.
 * Handles are not counted, so one close closes the handle. If another thread is
 * importing the buffer into @file_priv, this waits for that thread.
 *
 * Context: process context, may sleep; takes the file's prime lock and
 * &drm_device.object_name_lock, but not around the driver's import.
 *
 * Return: 0; -EBADF when @prime_fd is not open; -EINVAL when it is not a
 * dma-buf, or comes from another device and this driver can't import; -ENOMEM;
 * -ENOSPC when there is no handle left; -ERESTARTSYS when the thread is killed
 * while it waits for another thread's import; or an error of the driver's
 * import, of &drm_gem_object_funcs.open, or of the exporter's attach and map.
 */
int drm_gem_prime_fd_to_handle(struct drm_device *dev, struct drm_file *file_priv,
			       int prime_fd, uint32_t *handle)
{
	struct drm_prime_table *table = to_drm_prime_table(&file_priv->prime);
	struct drm_prime_entry *entry;

	CLASS(fd, fd)(prime_fd);
	if (!fd_file(fd))
		return -EBADF;

	scoped_guard(mutex, &table->lock) {
		/* The table holds its buffers, so the same file is the same buffer. */
		while ((entry = drm_prime_entry_by_file_locked(table, fd_file(fd)))) {
			/* A program sees what is written here, also if this fails. */
			if (entry->handle) {
				*handle = entry->handle;
				return 0;
			}
			if (drm_prime_claim_wait_locked(table))
				return -ERESTARTSYS;
		}
		entry = drm_prime_claim_begin_locked(file_priv, fd_file(fd), prime_fd);
	}
	if (IS_ERR(entry))
		return PTR_ERR(entry);

	return drm_prime_handle_import(dev, file_priv, entry, handle);
}
EXPORT_SYMBOL(drm_gem_prime_fd_to_handle);

int drm_prime_handle_to_fd_ioctl(struct drm_device *dev, void *data, struct drm_file *file_priv)
{
	struct drm_prime_handle *args = data;

	if (args->flags & ~(DRM_RDWR | DRM_CLOEXEC))
		return -EINVAL;

	if (dev->driver->prime_handle_to_fd)
		return dev->driver->prime_handle_to_fd(dev, file_priv, args->handle,
						       args->flags, &args->fd);

	return drm_gem_prime_handle_to_fd(dev, file_priv, args->handle, args->flags, &args->fd);
}

int drm_prime_fd_to_handle_ioctl(struct drm_device *dev, void *data, struct drm_file *file_priv)
{
	struct drm_prime_handle *args = data;

	if (dev->driver->prime_fd_to_handle)
		return dev->driver->prime_fd_to_handle(dev, file_priv, args->fd, &args->handle);

	return drm_gem_prime_fd_to_handle(dev, file_priv, args->fd, &args->handle);
}
