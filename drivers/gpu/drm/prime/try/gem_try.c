// SPDX-License-Identifier: GPL-2.0
/*
 * Would a DRM device take this buffer? Imports it as PRIME_FD_TO_HANDLE does, and
 * drops the object instead of giving it a handle.
 */
#include <linux/pm_runtime.h>

#include <uapi/linux/dma-buf-constraints.h>

#include "../gem/internal.h"
#include "internal.h"

static int try_import(struct drm_device *dev, struct dma_buf *dmabuf)
{
	struct drm_gem_object *obj = dev->driver->gem_prime_import ?
		dev->driver->gem_prime_import(dev, dmabuf) : drm_gem_prime_import(dev, dmabuf);
	int ret = dma_buf_refused(dmabuf, drm_dev_dma_dev(dev), DMA_BUF_STEP_IMPORT,
				  PTR_ERR_OR_ZERO(obj));

	if (!ret)
		drm_gem_object_put(obj);
	return ret;
}

/*
 * The claim makes an import of the same buffer into the same file wait, as for
 * another import. The claim ends when the object's reference has been dropped. A
 * driver with TTM may free the object, and detach, later.
 */
int drm_prime_import_try(struct file *file, struct dma_buf *dmabuf, u32 *judged)
{
	/* The DRM core has opened it, see dma_buf_device_major(). */
	struct drm_file *file_priv = file->private_data;
	struct drm_prime_table *table = to_drm_prime_table(&file_priv->prime);
	struct drm_device *dev = file_priv->minor->dev;
	struct drm_prime_entry *claim;
	int ret;

	if (drm_dev_is_unplugged(dev))
		return -ENODEV;
	/* The driver's own function may do anything, and nothing would undo that. */
	if (dev->driver->prime_fd_to_handle)
		return -EOPNOTSUPP;

	scoped_guard(mutex, &table->lock) {
		while ((claim = drm_prime_entry_by_file_locked(table, dmabuf->file))) {
			/* A buffer that has a handle in the file is not imported again. */
			if (claim->handle) {
				*judged = DMA_BUF_TRY_IMPORT;
				return 0;
			}
			if (drm_prime_claim_wait_locked(table))
				return -ERESTARTSYS;
		}
		/* -1 for the trace event: the buffer was not looked up by a descriptor. */
		claim = drm_prime_claim_begin_locked(file_priv, dmabuf->file, -1);
	}
	if (IS_ERR(claim))
		return PTR_ERR(claim);

	/* Some drivers wake their device in an ioctl function of their own, not called here. */
	ret = pm_runtime_get_sync(dev->dev);
	if (ret >= 0 || ret == -EACCES) {
		*judged = DMA_BUF_TRY_IMPORT;
		ret = try_import(dev, dmabuf);
	}
	pm_runtime_put_autosuspend(dev->dev);

	mutex_lock(&table->lock);
	drm_prime_claim_end_locked(table, claim, 0);
	mutex_unlock(&table->lock);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(drm_prime_import_try, "DMA_BUF");
