// SPDX-License-Identifier: GPL-2.0
/*
 * The two PRIME ioctls, and an fd that user space gets only with its number.
 *
 * DRM copies an ioctl's answer to user space after the handler is done. An fd
 * installed by the handler would stay open, under a number nobody was told,
 * when that copy fails. So HANDLE_TO_FD only reserves its fd and leaves the
 * rest to a task_work, which runs before the thread sees user space again and
 * knows by the system call's result what became of the answer.
 */
#include <linux/ptrace.h>
#include <linux/task_work.h>

#include <asm/syscall.h>

#include "internal.h"

/**
 * struct drm_prime_publication - an fd on its way to user space
 * @work: runs on the way out of the system call
 * @file_priv: file of the handle
 * @export: begun; its reference to the buffer becomes the fd's
 * @handle: what is exported
 * @fd: reserved, not installed
 *
 * Owned by the thread that does the ioctl; needs no lock. Between two ioctls of
 * the file one of them waits in drm_prime_spare() for the next.
 */
struct drm_prime_publication {
	struct callback_head work;
	struct drm_file *file_priv;
	struct drm_prime_export export;
	u32 handle;
	int fd;
};

static void drm_prime_publication_install(struct drm_prime_publication *pub)
{
	if (pub->export.obj)
		drm_prime_handle_export_commit(pub->file_priv, pub->handle,
					       &pub->export);
	fd_install(pub->fd, pub->export.dmabuf->file);
}

static void drm_prime_publication_cancel(struct drm_prime_publication *pub)
{
	put_unused_fd(pub->fd);
	drm_prime_handle_export_abort(pub->file_priv, &pub->export);
}

/* Not zeroed. */
static struct drm_prime_publication *
drm_prime_publication_alloc(struct drm_file *file_priv)
{
	struct drm_prime_publication *pub;

	pub = xchg(drm_prime_spare(&file_priv->prime), NULL);
	return pub ?: kmalloc(sizeof(*pub), GFP_KERNEL);
}

static void drm_prime_publication_free(struct drm_prime_publication *pub)
{
	kfree(xchg(drm_prime_spare(&pub->file_priv->prime), pub));
}

static void drm_prime_publication_work(struct callback_head *work)
{
	struct drm_prime_publication *pub = container_of(work, typeof(*pub), work);
	struct file *filp = pub->file_priv->filp;

	/* After an oops the table of fds is gone before this runs. */
	if (!current->files)
		drm_prime_handle_export_abort(pub->file_priv, &pub->export);
	else if (syscall_get_error(current, current_pt_regs()))
		drm_prime_publication_cancel(pub);
	else
		drm_prime_publication_install(pub);

	drm_prime_publication_free(pub);
	fput(filp);
}

/* Takes over @pub and all it holds, on failure too. */
static int drm_prime_publication_submit(struct drm_prime_publication *pub)
{
	int ret;

	/* Kernel threads have no user space to return to. */
	if (current->flags & (PF_KTHREAD | PF_USER_WORKER)) {
		drm_prime_publication_install(pub);
		drm_prime_publication_free(pub);
		return 0;
	}

	/* The file's owner may close it in another thread before the work runs. */
	get_file(pub->file_priv->filp);
	init_task_work(&pub->work, drm_prime_publication_work);
	ret = task_work_add(current, &pub->work, TWA_RESUME);
	if (ret) {
		fput(pub->file_priv->filp);
		drm_prime_publication_cancel(pub);
		drm_prime_publication_free(pub);
	}

	return ret;
}

static int drm_prime_handle_to_fd_deferred(struct drm_file *file_priv,
					   struct drm_prime_handle *args)
{
	struct drm_prime_publication *pub;
	int ret;

	pub = drm_prime_publication_alloc(file_priv);
	if (!pub)
		return -ENOMEM;

	pub->file_priv = file_priv;
	pub->handle = args->handle;
	pub->fd = get_unused_fd_flags(args->flags);
	if (pub->fd < 0) {
		ret = pub->fd;
		goto err_free;
	}

	ret = drm_prime_handle_export_begin(file_priv, args->handle, args->flags,
					    &pub->export);
	if (ret)
		goto err_fd;

	args->fd = pub->fd;
	return drm_prime_publication_submit(pub);

err_fd:
	put_unused_fd(pub->fd);
err_free:
	drm_prime_publication_free(pub);
	return ret;
}

int drm_prime_handle_to_fd_ioctl(struct drm_device *dev, void *data,
				 struct drm_file *file_priv)
{
	const u32 known = DRM_RDWR | DRM_CLOEXEC;
	struct drm_prime_handle *args = data;

	if (args->flags & ~known)
		return -EINVAL;

	if (!dev->driver->prime_handle_to_fd)
		return drm_prime_handle_to_fd_deferred(file_priv, args);

	/* A driver with its own way installs the fd itself. */
	return dev->driver->prime_handle_to_fd(dev, file_priv, args->handle,
					       args->flags, &args->fd);
}

int drm_prime_fd_to_handle_ioctl(struct drm_device *dev, void *data,
				 struct drm_file *file_priv)
{
	struct drm_prime_handle *args = data;

	const struct drm_driver *driver = dev->driver;

	if (!driver->prime_fd_to_handle)
		return drm_gem_prime_fd_to_handle(dev, file_priv, args->fd,
						  &args->handle);

	return driver->prime_fd_to_handle(dev, file_priv, args->fd, &args->handle);
}
