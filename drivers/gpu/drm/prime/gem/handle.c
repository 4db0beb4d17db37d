// SPDX-License-Identifier: GPL-2.0
/*
 * Handles to dma-bufs and back.
 *
 * Within one file a dma-buf has one answer: the handle it was first known by,
 * as long as that handle is open. gem/table.c remembers it.
 */
#include <linux/file.h>

#include "internal.h"

/**
 * DOC: gem prime
 *
 * PRIME moves GEM objects between devices. DRM_IOCTL_PRIME_HANDLE_TO_FD exports
 * the object behind a handle as a dma-buf, DRM_IOCTL_PRIME_FD_TO_HANDLE gives a
 * dma-buf a handle in another file, importing it when its object belongs to
 * another device.
 *
 * An object is exported once: &drm_gem_object.dma_buf remembers the buffer
 * while the object has handles. An imported object remembers its buffer in
 * &drm_gem_object.import_attach, and exporting it again gives that same buffer
 * back. So an object keeps its identity however often it goes round.
 *
 * References: the buffer holds its object and the DRM device; the file's table
 * holds the buffer once per handle; the object holds the buffer while it has
 * handles, a circle that drm_gem_object_handle_put_unlocked() breaks when the
 * last of them is closed.
 *
 * The ioctl gives its file descriptor to user space only when the answer has
 * arrived there. Until then neither the file nor the object knows of the
 * export, and one that fails leaves nothing behind, unless a second export of
 * the object asked for the buffer meanwhile: then the object keeps it. A thread
 * that reads the number out of memory it shares with the caller, before the
 * ioctl returns, finds it closed for that long.
 *
 * An import takes its time: the exporter pins and maps. So the driver's import
 * runs without a lock of DRM, and neither the file's other buffers nor the
 * device's other files wait for it. Its thread claims the buffer in the file's
 * table; a second thread of the file that asks for the same buffer waits for
 * that claim to end and gets the same handle, or imports the buffer itself when
 * the first one failed.
 *
 * Locks, outermost first: a claim, which is one to lockdep; the file's
 * &drm_prime_file_private.lock, which protects the table and keeps a handle
 * from being closed while it is entered; &drm_device.object_name_lock, which
 * protects &drm_gem_object.dma_buf and the count of handles, and under which
 * drivers export. What the driver's import and the dma-buf core take comes
 * after the claim only.
 */

/*
 * Exports in two steps, so that one which fails late leaves no trace: begin
 * does all that can fail, commit makes it known to the file and the object.
 */
int drm_prime_handle_export_begin(struct drm_file *file_priv, u32 handle, u32 flags,
				  struct drm_prime_export *export)
{
	struct drm_prime_file_private *prime = &file_priv->prime;
	struct drm_gem_object *obj;
	int ret = 0;

	/* Closing a handle takes its entry away before the number is free again. */
	mutex_lock(&prime->lock);
	export->dmabuf = drm_prime_cache_find_dmabuf_locked(prime, handle);
	if (export->dmabuf)
		get_dma_buf(export->dmabuf);
	else
		ret = drm_prime_cache_reserve_locked(prime, &export->slot);
	mutex_unlock(&prime->lock);
	export->obj = NULL;
	if (export->dmabuf || ret)
		return ret;

	obj = drm_gem_object_lookup(file_priv, handle);
	if (!obj) {
		ret = -ENOENT;
		goto err_slot;
	}

	export->obj = obj;
	ret = drm_prime_export_begin(export, flags);
	if (ret)
		goto err_object;

	return 0;

err_object:
	drm_gem_object_put(obj);
err_slot:
	mutex_lock(&prime->lock);
	drm_prime_cache_release_locked(prime, export->slot);
	mutex_unlock(&prime->lock);
	return ret;
}

/*
 * The reference to the buffer remains the caller's. Closing the handle wants
 * the prime lock after it took the handle away, so that a handle which is still
 * ours here is not closed before its entry is in the table.
 */
void drm_prime_handle_export_commit(struct drm_file *file_priv, u32 handle,
				    struct drm_prime_export *export)
{
	struct drm_prime_file_private *prime = &file_priv->prime;
	struct drm_gem_object *obj = export->obj;
	struct drm_gem_object *now;

	if (!obj)
		return;

	mutex_lock(&prime->lock);
	might_lock(&obj->dev->object_name_lock);
	now = drm_gem_object_lookup(file_priv, handle);
	if (now == obj)
		drm_prime_cache_insert_locked(prime, export->slot,
					      export->dmabuf, handle);
	else
		drm_prime_cache_release_locked(prime, export->slot);
	drm_prime_export_commit(export);
	mutex_unlock(&prime->lock);

	if (now)
		drm_gem_object_put(now);
	drm_gem_object_put(obj);
}

/* Ends the caller's reference to the buffer too. */
void drm_prime_handle_export_abort(struct drm_file *file_priv,
				   struct drm_prime_export *export)
{
	struct drm_prime_file_private *prime = &file_priv->prime;

	if (export->obj) {
		drm_prime_export_abort(export);
		drm_gem_object_put(export->obj);
		mutex_lock(&prime->lock);
		drm_prime_cache_release_locked(prime, export->slot);
		mutex_unlock(&prime->lock);
	}
	dma_buf_put(export->dmabuf);
}

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
struct dma_buf *drm_gem_prime_handle_to_dmabuf(struct drm_device *dev,
					       struct drm_file *file_priv,
					       uint32_t handle, uint32_t flags)
{
	struct drm_prime_export export;
	int ret;

	ret = drm_prime_handle_export_begin(file_priv, handle, flags, &export);
	if (ret)
		return ERR_PTR(ret);

	drm_prime_handle_export_commit(file_priv, handle, &export);
	return export.dmabuf;
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
 * The descriptor is in user space's hands when this returns.
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
	int fd;

	/* Before the export, so that a full table leaves no trace of one. */
	fd = get_unused_fd_flags(flags);
	if (fd < 0)
		return fd;

	dmabuf = drm_gem_prime_handle_to_dmabuf(dev, file_priv, handle, flags);
	if (!IS_ERR(dmabuf)) {
		*prime_fd = fd;
		fd_install(fd, dmabuf->file);
	} else {
		put_unused_fd(fd);
	}

	return PTR_ERR_OR_ZERO(dmabuf);
}
EXPORT_SYMBOL(drm_gem_prime_handle_to_fd);

static struct drm_gem_object *drm_prime_handle_import(struct drm_device *dev,
						      struct dma_buf *dmabuf)
{
	/*
	 * An object of this device is found through the buffer, which holds it
	 * and which the caller holds: no lock is needed for that.
	 */
	if (dev->driver->gem_prime_import)
		return dev->driver->gem_prime_import(dev, dmabuf);

	return drm_gem_prime_import(dev, dmabuf);
}

/* Gives the object of a buffer a handle, open for all and in no table yet. */
static int drm_prime_handle_create(struct drm_device *dev,
				   struct drm_file *file_priv,
				   struct drm_gem_object *obj,
				   struct dma_buf *dmabuf, u32 *handle)
{
	mutex_lock(&dev->object_name_lock);
	/* A last handle may have been closed since, and taken it along. */
	if (!obj->dma_buf) {
		get_dma_buf(dmabuf);
		obj->dma_buf = dmabuf;
	} else {
		WARN_ON_ONCE(obj->dma_buf != dmabuf);
	}

	/* Takes over object_name_lock and drops it. */
	return drm_gem_handle_create_tail(file_priv, obj, handle);
}

/*
 * Imports a buffer that this thread has claimed, and ends the claim. Others may
 * close the new handle before it is in the table, even use its number again.
 * They want the prime lock after they took the handle away, so that one which
 * is still the object's here stays until it is entered.
 */
static int drm_prime_handle_import_claimed(struct drm_device *dev,
					   struct drm_file *file_priv,
					   struct dma_buf *dmabuf, u32 claim,
					   u32 *handle)
{
	struct drm_prime_file_private *prime = &file_priv->prime;
	struct drm_gem_object *obj, *now = NULL;
	int ret;

	lockdep_assert_not_held(&prime->lock);
	lockdep_assert_not_held(&dev->object_name_lock);

	obj = drm_prime_handle_import(dev, dmabuf);
	ret = PTR_ERR_OR_ZERO(obj);
	if (!ret)
		ret = drm_prime_handle_create(dev, file_priv, obj, dmabuf, handle);

	mutex_lock(&prime->lock);
	if (!ret)
		now = drm_gem_object_lookup(file_priv, *handle);
	drm_prime_cache_settle_locked(prime, claim,
				      now && now == obj ? *handle : 0);
	mutex_unlock(&prime->lock);

	if (now)
		drm_gem_object_put(now);
	if (!IS_ERR(obj))
		drm_gem_object_put(obj);
	return ret;
}

/* Of a buffer that the file didn't know a moment ago. */
static noinline int drm_prime_handle_import_fd(struct drm_device *dev,
					       struct drm_file *file_priv,
					       int prime_fd, u32 *handle)
{
	struct dma_buf *dmabuf;
	u32 found, claim;
	int ret;

	dmabuf = dma_buf_get(prime_fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	ret = drm_prime_cache_claim(&file_priv->prime, dmabuf, &found, &claim);
	if (!ret && !found)
		ret = drm_prime_handle_import_claimed(dev, file_priv, dmabuf,
						      claim, &found);
	if (!ret)
		*handle = found;

	dma_buf_put(dmabuf);
	return ret;
}

/**
 * drm_gem_prime_fd_to_handle - give a dma-buf a handle
 * @dev: device of @file_priv
 * @file_priv: file to give the handle in
 * @prime_fd: file descriptor of the dma-buf
 * @handle: where to return the GEM handle
 *
 * A buffer that @file_priv knows already has its first handle returned, with
 * nothing to count: closing it once closes it. One that another thread is
 * importing into @file_priv just now is waited for.
 *
 * Context: process context, may sleep; takes the file's prime lock and
 * &drm_device.object_name_lock, but not around the driver's import.
 *
 * Return: 0; -EBADF when @prime_fd is not open; -EINVAL when it is no dma-buf,
 * or is of another device and this driver can't import; -ENOMEM; -ENOSPC when
 * there is no handle left; -ERESTARTSYS when the thread is killed while it waits
 * for another one's import; or an error of the driver's import, or of the
 * exporter's attach and map.
 */
int drm_gem_prime_fd_to_handle(struct drm_device *dev, struct drm_file *file_priv,
			       int prime_fd, uint32_t *handle)
{
	struct fd fd = fdget(prime_fd);
	u32 known;

	if (!fd_file(fd))
		return -EBADF;

	/* The table holds its buffers, so the same file is the same buffer. */
	known = drm_prime_cache_find_handle(&file_priv->prime, fd_file(fd));
	fdput(fd);
	if (!known)
		return drm_prime_handle_import_fd(dev, file_priv, prime_fd, handle);

	*handle = known;
	return 0;
}
EXPORT_SYMBOL(drm_gem_prime_fd_to_handle);
