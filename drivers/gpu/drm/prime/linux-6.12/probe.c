// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which device does an import of a DRM driver attach? 7.3 knows it. On 6.12 an
 * import of a buffer without storage shows it: the attachment fails, so the
 * import fails, and nothing is left. The buffer is late: a driver may refuse
 * other buffers before it attaches, if memory can be out of its device's reach.
 */
#include <linux/dma-buf-constraints.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/once.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>

#include "../kernel.h"

/*
 * A driver that uses TTM gives its object the buffer's reservation object before
 * it attaches. When the import fails, TTM frees the object in a worker, which locks
 * the reservation object. The buffer may be gone by then. So this one stays. The
 * driver needs drm.ko, which this file is part of, and ends its worker first.
 */
static struct dma_resv probe_resv;

/* -EINTR is no refusal, so account/ does not record it. */
static int probe_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct device **dev = dmabuf->priv;

	put_device(*dev);
	*dev = get_device(attach->dev);
	return -EINTR;
}

/* Nobody is attached, so nobody maps. */
static struct sg_table *probe_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	return ERR_PTR(-ENODEV);
}

static void probe_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			enum dma_data_direction dir)
{
}

static void probe_release(struct dma_buf *dmabuf)
{
}

static const struct dma_buf_ops probe_ops = {
	.attach = probe_attach,
	.map_dma_buf = probe_map,
	.unmap_dma_buf = probe_unmap,
	.release = probe_release,
};

/* Nobody asks, as the buffer has no fd. */
static int probe_storage(struct dma_buf *dmabuf, struct dma_buf_storage_info *info)
{
	return -ENODEV;
}

static const struct dma_buf_late_ops probe_late_ops = {
	.storage = probe_storage,
};

/* The device with a reference; NULL if the import attaches none; or ERR_PTR: -ENOMEM, -ENFILE. */
struct device *drm_dev_get_import_dev(struct drm_device *drm)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct device *dev = NULL;
	struct drm_gem_object *obj;
	struct dma_buf *dmabuf;
	int ret;

	info.ops = &probe_ops;
	info.size = PAGE_SIZE;
	info.priv = &dev;
	DO_ONCE(dma_resv_init, &probe_resv);
	info.resv = &probe_resv;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);
	ret = dma_buf_set_late(dmabuf, &probe_late_ops);
	if (ret) {
		dma_buf_put(dmabuf);
		return ERR_PTR(ret);
	}

	if (drm->driver->gem_prime_import)
		obj = drm->driver->gem_prime_import(drm, dmabuf);
	else
		obj = drm_gem_prime_import(drm, dmabuf);
	/* A driver may make an object without a look at the buffer. */
	if (!IS_ERR(obj))
		drm_gem_object_put(obj);
	dma_buf_put(dmabuf);
	/* Without memory the driver may not have come to the attach. */
	return dev ?: obj == ERR_PTR(-ENOMEM) ? ERR_CAST(obj) : NULL;
}
EXPORT_SYMBOL_GPL(drm_dev_get_import_dev);
