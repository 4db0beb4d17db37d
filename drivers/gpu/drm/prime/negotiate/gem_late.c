// SPDX-License-Identifier: GPL-2.0-only
/*
 * GEM objects with late pages, for driver authors. negotiate/late.c places the
 * pages. Here are the operations of an object and of its dma-buf.
 */
#include <drm/drm_gem_late.h>
#include <drm/drm_vma_manager.h>

#include "../gem/internal.h"

/* --- the dma-buf --- */

static const struct dma_buf_ops drm_gem_late_dmabuf_ops = {
	DMA_BUF_LATE_OPS,
	.release = drm_gem_dmabuf_release,
};

/* --- the object --- */

static struct dma_buf *drm_gem_late_export(struct drm_gem_object *obj, int flags)
{
	struct dma_buf_export_info info = {
		.exp_name = obj->dev->driver->name,
		.owner = obj->dev->driver->fops->owner,
		.ops = &drm_gem_late_dmabuf_ops,
		.size = obj->size,
		.flags = flags,
		.priv = obj,
		.resv = obj->resv,
	};
	struct dma_buf *dmabuf;
	int ret;

	dmabuf = drm_gem_dmabuf_export(obj->dev, &info);
	if (IS_ERR(dmabuf))
		return dmabuf;

	ret = dma_buf_late_bind(&to_drm_gem_late_object(obj)->late, dmabuf);
	if (ret) {
		dma_buf_put(dmabuf);
		return ERR_PTR(ret);
	}
	return dmabuf;
}

static void drm_gem_late_free(struct drm_gem_object *obj)
{
	struct drm_gem_late_object *lobj = to_drm_gem_late_object(obj);

	dma_buf_late_fini(&lobj->late);
	drm_gem_object_release(obj);
	kfree(lobj);
}

static int drm_gem_late_vmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	return dma_buf_late_vmap_own(&to_drm_gem_late_object(obj)->late, map);
}

static void drm_gem_late_vunmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	dma_buf_late_vunmap_own(&to_drm_gem_late_object(obj)->late);
}

static int drm_gem_late_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	if (vma_is_cow_mapping(vma))
		return -EINVAL;

	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}

static vm_fault_t drm_gem_late_fault(struct vm_fault *vmf)
{
	return dma_buf_late_fault(&to_drm_gem_late_object(vmf->vma->vm_private_data)->late, vmf);
}

static const struct vm_operations_struct drm_gem_late_vm_ops = {
	.fault = drm_gem_late_fault,
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
};

static const struct drm_gem_object_funcs drm_gem_late_funcs = {
	.free = drm_gem_late_free,
	.export = drm_gem_late_export,
	.vmap = drm_gem_late_vmap,
	.vunmap = drm_gem_late_vunmap,
	.mmap = drm_gem_late_mmap,
	.vm_ops = &drm_gem_late_vm_ops,
};

/**
 * drm_gem_late_create - an object without pages
 * @dev: device. If its DMA device (drm_dev_dma_dev()) does DMA, set that device's
 *	DMA mask before this call
 * @size: bytes, rounded up to pages
 *
 * Pages are allocated at the first map, vmap or access to a mapping, and are
 * charged to the memory cgroup of the caller. They suit the DMA device of @dev,
 * and every device that was attached to the object's dma-buf or announced for it
 * before.
 *
 * Context: process context, may sleep.
 *
 * Return: the object for drm_gem_object_put(), or ERR_PTR: -EINVAL for a size
 * of 0; -ENOMEM; -ENOSPC when no offset for mmap is left; -EBUSY when the DMA
 * device can't take an object of this size, or needs coherent memory and does not
 * snoop caches.
 */
struct drm_gem_late_object *drm_gem_late_create(struct drm_device *dev, size_t size)
{
	struct device *dma_dev = drm_dev_dma_dev(dev);
	struct device *parent = dma_dev->dma_mask ? dma_dev : NULL;
	struct drm_gem_late_object *lobj;
	struct drm_gem_object *obj;
	int ret;

	if (!size || size > SIZE_MAX - PAGE_SIZE)
		return ERR_PTR(-EINVAL);
	size = PAGE_ALIGN(size);

	lobj = kzalloc(sizeof(*lobj), GFP_KERNEL_ACCOUNT);
	if (!lobj)
		return ERR_PTR(-ENOMEM);
	obj = &lobj->base;
	obj->funcs = &drm_gem_late_funcs;
	drm_gem_private_object_init(dev, obj, size);

	ret = drm_gem_create_mmap_offset(obj) ?:
	      dma_buf_late_init(&lobj->late, size, obj->resv, parent);
	if (ret)
		goto err_object;

	lobj->late.f_mapping = dev->anon_inode->i_mapping;
	lobj->late.f_start = drm_vma_node_offset_addr(&obj->vma_node);
	return lobj;

err_object:
	drm_gem_object_put(obj);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_GPL(drm_gem_late_create);

/**
 * drm_gem_late_dumb_create - &drm_driver.dumb_create with late pages
 * @file: file that the handle is for
 * @dev: device
 * @args: in: width and height in pixels, bits per pixel; out: pitch and
 *	size in bytes, and the handle
 *
 * Pitch and size follow what the driver said of its own device
 * (devm_dma_buf_constraints_set()).
 *
 * Context: process context, may sleep.
 *
 * Return: 0; -EINVAL for flags or a size that wraps; the errors of
 * drm_gem_late_create(); -ENOMEM or -ENOSPC without a handle.
 */
int drm_gem_late_dumb_create(struct drm_file *file, struct drm_device *dev,
			     struct drm_mode_create_dumb *args)
{
	struct drm_gem_late_object *lobj;
	struct dma_buf_constraints c;
	u64 pitch;
	int ret;

	dma_buf_constraints_from_device(&c, drm_dev_dma_dev(dev));
	pitch = round_up(DIV_ROUND_UP_ULL((u64)args->width * args->bpp, 8), c.pitch_align);
	if (args->flags || pitch > U32_MAX || pitch * args->height > SIZE_MAX / 2)
		return -EINVAL;

	args->pitch = pitch;
	args->size = round_up(pitch * args->height,
			      max3(c.size_align, c.length_align, (u32)PAGE_SIZE));

	lobj = drm_gem_late_create(dev, args->size);
	if (IS_ERR(lobj))
		return PTR_ERR(lobj);

	ret = drm_gem_handle_create(file, &lobj->base, &args->handle);
	drm_gem_object_put(&lobj->base);
	return ret;
}
EXPORT_SYMBOL_GPL(drm_gem_late_dumb_create);

/**
 * drm_gem_late_prime_import - &drm_driver.gem_prime_import with late pages
 * @dev: device to import for
 * @dmabuf: buffer
 *
 * For a buffer of a late object of @dev, returns that object. Imports every
 * other buffer as drm_gem_prime_import() does.
 *
 * Context: may sleep; takes the reservation object.
 *
 * Return: an object with a reference, or ERR_PTR as drm_gem_prime_import().
 */
struct drm_gem_object *drm_gem_late_prime_import(struct drm_device *dev, struct dma_buf *dmabuf)
{
	struct drm_gem_object *obj = dmabuf->priv;

	if (dmabuf->ops != &drm_gem_late_dmabuf_ops || obj->dev != dev)
		return drm_gem_prime_import(dev, dmabuf);

	drm_gem_object_get(obj);
	return obj;
}
EXPORT_SYMBOL_GPL(drm_gem_late_prime_import);
