// SPDX-License-Identifier: GPL-2.0
/*
 * dma_buf_ops that call pin, get_sg_table, vmap and mmap of the GEM object in
 * &dma_buf.priv. A driver with a struct dma_buf_ops of its own can use some
 * of them.
 */
#include "internal.h"

/*
 * On 7.3 most importers don't map or vmap before a frame is drawn, so a shmem
 * object of drm_gem_prime_export() is pinned only then. Its pin only keeps pages in
 * memory, as a vmap does by itself. The storage of other objects may move, and
 * their drivers rely on a pin from attach to detach. Some of these objects have a
 * file, too, but leave it empty. A driver that uses the file's pages has forbidden
 * the kernel to move them, which tells the two apart. qaic maps without the
 * reservation object, which a pin needs.
 *
 * mapping_gfp_mask() would need linux/pagemap.h. That header completes types which
 * stock's exports don't know here, and so changes their symbol versions.
 */
static bool drm_prime_pins_late(struct dma_buf_attachment *attach)
{
	struct drm_gem_object *obj = attach->dmabuf->priv;

	return attach->dmabuf->ops == &drm_prime_dmabuf_ops && obj->filp &&
	       !(obj->filp->f_mapping->gfp_mask & __GFP_MOVABLE) &&
	       strcmp(dev_driver_string(attach->dev), "qaic");
}

/*
 * For buffers of drm_gem_prime_export(): &dma_buf_attachment.priv tells whether the
 * attachment has a pin. Drivers with operations of their own pin at attach, and may
 * use that field.
 */
static int drm_prime_pin_once_locked(struct dma_buf_attachment *attach)
{
	struct drm_gem_object *obj = attach->dmabuf->priv;
	int ret;

	dma_resv_assert_held(attach->dmabuf->resv);

	if (attach->dmabuf->ops != &drm_prime_dmabuf_ops || attach->priv || !obj->funcs->pin)
		return 0;

	ret = obj->funcs->pin(obj);
	attach->priv = ret ? NULL : obj;
	return ret;
}

/**
 * drm_gem_map_attach - &dma_buf_ops.attach for GEM objects
 * @dma_buf: buffer
 * @attach: new attachment
 *
 * Pins the object until drm_gem_map_detach(). Only a shmem object of
 * drm_gem_prime_export() is pinned later, when it is first mapped by
 * drm_gem_map_dma_buf() or drm_gem_dmabuf_vmap().
 *
 * Context: may sleep; takes the object's reservation object.
 *
 * Return: 0; -ENOSYS when the buffer is mapped by drm_gem_map_dma_buf() and
 * the object has no &drm_gem_object_funcs.get_sg_table; or the error of
 * &drm_gem_object_funcs.pin.
 */
int drm_gem_map_attach(struct dma_buf *dma_buf, struct dma_buf_attachment *attach)
{
	struct drm_gem_object *obj = dma_buf->priv;

	/* Fail now, rather than when the importer maps. */
	if (!obj->funcs->get_sg_table && dma_buf->ops->map_dma_buf == drm_gem_map_dma_buf)
		return -ENOSYS;

	if (!obj->funcs->pin || drm_prime_pins_late(attach))
		return 0;

	guard(dma_resv)(obj->resv);
	return dma_buf->ops == &drm_prime_dmabuf_ops ?
	       drm_prime_pin_once_locked(attach) : obj->funcs->pin(obj);
}
EXPORT_SYMBOL(drm_gem_map_attach);

/**
 * drm_gem_map_detach - &dma_buf_ops.detach for GEM objects
 * @dma_buf: buffer
 * @attach: attachment that ends
 *
 * A shmem object of drm_gem_prime_export() that was pinned stays pinned while
 * it has an attachment.
 *
 * Context: may sleep; takes the object's reservation object.
 */
void drm_gem_map_detach(struct dma_buf *dma_buf, struct dma_buf_attachment *attach)
{
	struct drm_gem_object *obj = dma_buf->priv;
	struct dma_buf_attachment *heir;

	if (!obj->funcs->unpin || (dma_buf->ops == &drm_prime_dmabuf_ops && !attach->priv))
		return;

	guard(dma_resv)(obj->resv);
	/* The device may have written, and pages without a pin can be dropped as clean. */
	heir = list_first_entry_or_null(&dma_buf->attachments, typeof(*heir), node);
	if (dma_buf->ops == &drm_prime_dmabuf_ops && heir && !heir->priv)
		heir->priv = obj;
	else
		obj->funcs->unpin(obj);
}
EXPORT_SYMBOL(drm_gem_map_detach);

/**
 * drm_gem_map_dma_buf - &dma_buf_ops.map_dma_buf for GEM objects
 * @attach: attachment
 * @dir: direction of the DMA
 *
 * Maps the scatter list of &drm_gem_object_funcs.get_sg_table for the device.
 * Does not sync CPU caches, which &dma_buf_ops.begin_cpu_access and
 * end_cpu_access do.
 *
 * Context: may sleep; caller holds the reservation object.
 *
 * Return: the table, or ERR_PTR: -EINVAL without a direction; -ENOSYS without
 * get_sg_table; -ENOMEM; the error of pin, of get_sg_table or of
 * dma_map_sgtable().
 */
struct sg_table *drm_gem_map_dma_buf(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	struct drm_gem_object *obj = attach->dmabuf->priv;
	struct sg_table *sgt;
	int ret;

	if (WARN_ON_ONCE(!obj->funcs->get_sg_table))
		return ERR_PTR(-ENOSYS);
	if (WARN_ON_ONCE(dir == DMA_NONE))
		return ERR_PTR(-EINVAL);

	ret = drm_prime_pin_once_locked(attach);
	if (ret)
		return ERR_PTR(dma_buf_refused(attach->dmabuf, attach->dev, DMA_BUF_STEP_PIN, ret));

	sgt = obj->funcs->get_sg_table(obj);
	if (IS_ERR(sgt))
		return sgt;

	ret = dma_map_sgtable(attach->dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
	if (!ret)
		return sgt;

	dma_buf_refused(attach->dmabuf, attach->dev, DMA_BUF_STEP_DMA, ret, sgt);
	sg_free_table(sgt);
	kfree(sgt);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL(drm_gem_map_dma_buf);

/**
 * drm_gem_unmap_dma_buf - &dma_buf_ops.unmap_dma_buf for GEM objects
 * @attach: attachment
 * @sgt: table from drm_gem_map_dma_buf(), freed; NULL is ignored
 * @dir: the direction it was mapped with
 *
 * Context: may sleep; caller holds the reservation object.
 */
void drm_gem_unmap_dma_buf(struct dma_buf_attachment *attach,
			   struct sg_table *sgt, enum dma_data_direction dir)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	if (sgt) {
		dma_unmap_sgtable(attach->dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
		sg_free_table(sgt);
		kfree(sgt);
	}
}
EXPORT_SYMBOL(drm_gem_unmap_dma_buf);

/**
 * drm_gem_dmabuf_vmap - &dma_buf_ops.vmap for GEM objects
 * @dma_buf: buffer
 * @map: where to return the mapping
 *
 * Context: may sleep; caller holds the reservation object.
 *
 * Return: 0; -EOPNOTSUPP when the driver has no vmap; -ENOMEM; or the error of
 * &drm_gem_object_funcs.pin or &drm_gem_object_funcs.vmap.
 */
int drm_gem_dmabuf_vmap(struct dma_buf *dma_buf, struct iosys_map *map)
{
	struct dma_buf_attachment *attach = list_first_entry_or_null(&dma_buf->attachments,
								     typeof(*attach), node);
	/* The pin keeps the pages between two vmaps. It does not matter which attachment has it. */
	int ret = attach ? drm_prime_pin_once_locked(attach) : 0;

	return ret ?: drm_gem_vmap_locked(dma_buf->priv, map);
}
EXPORT_SYMBOL(drm_gem_dmabuf_vmap);

/**
 * drm_gem_dmabuf_vunmap - &dma_buf_ops.vunmap for GEM objects
 * @dma_buf: buffer
 * @map: mapping from drm_gem_dmabuf_vmap(), cleared
 *
 * Context: may sleep; caller holds the reservation object.
 */
void drm_gem_dmabuf_vunmap(struct dma_buf *dma_buf, struct iosys_map *map)
{
	drm_gem_vunmap_locked(dma_buf->priv, map);
}
EXPORT_SYMBOL(drm_gem_dmabuf_vunmap);

/*
 * For drivers that can map only through their file: calls the file's mmap with
 * the object's fake offset, for a temporary client that may map only this
 * object.
 */
static int drm_prime_mmap_as_client(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	const struct file_operations *fops = obj->dev->driver->fops;
	struct drm_file *client __free(kfree) = kzalloc(sizeof(*client), GFP_KERNEL);
	struct file *file __free(kfree) = kzalloc(sizeof(*file), GFP_KERNEL);
	int ret;

	if (!fops || !fops->mmap)
		return -ENODEV;
	if (!client || !file)
		return -ENOMEM;

	client->minor = obj->dev->primary;
	file->private_data = client;

	ret = drm_vma_node_allow(&obj->vma_node, client) ?: fops->mmap(file, vma);
	/* Does nothing for a client that was not allowed. */
	drm_vma_node_revoke(&obj->vma_node, client);
	return ret;
}

/**
 * drm_gem_prime_mmap - map a GEM object into user space
 * @obj: object
 * @vma: mapping; vm_pgoff counts pages from the start of the object
 *
 * Uses &drm_gem_object_funcs.mmap, or the mmap of the driver's file if the
 * object has none.
 *
 * Context: mmap_lock held for writing.
 *
 * Return: 0; -ENODEV when the driver has no mmap at all; -ENOMEM; or the error
 * of the driver's mmap.
 */
int drm_gem_prime_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	int ret;

	/* Drivers expect the offset that user space would have passed. */
	vma->vm_pgoff += drm_vma_node_start(&obj->vma_node);

	if (!obj->funcs || !obj->funcs->mmap)
		return drm_prime_mmap_as_client(obj, vma);

	/* A reference for the mapping; drm_gem_vm_close() drops it. */
	drm_gem_object_get(obj);
	vma->vm_ops = obj->funcs->vm_ops;
	ret = obj->funcs->mmap(obj, vma);
	if (ret)
		drm_gem_object_put(obj);
	else
		vma->vm_private_data = obj;

	return ret;
}
EXPORT_SYMBOL(drm_gem_prime_mmap);

/**
 * drm_gem_dmabuf_mmap - &dma_buf_ops.mmap for GEM objects
 * @dma_buf: buffer
 * @vma: mapping; vm_pgoff counts pages from the start of the buffer
 *
 * Context: mmap_lock held for writing.
 *
 * Return: as drm_gem_prime_mmap().
 */
int drm_gem_dmabuf_mmap(struct dma_buf *dma_buf, struct vm_area_struct *vma)
{
	return drm_gem_prime_mmap(dma_buf->priv, vma);
}
EXPORT_SYMBOL(drm_gem_dmabuf_mmap);

/**
 * drm_gem_dmabuf_release - &dma_buf_ops.release for GEM objects
 * @dma_buf: buffer from drm_gem_dmabuf_export()
 *
 * Context: may sleep; no lock needed.
 */
void drm_gem_dmabuf_release(struct dma_buf *dma_buf)
{
	struct drm_gem_object *obj = dma_buf->priv;
	struct drm_device *dev = obj->dev;

	/* The object first: freeing it may need the device. */
	drm_gem_object_put(obj);
	drm_dev_put(dev);
}
EXPORT_SYMBOL(drm_gem_dmabuf_release);

const struct dma_buf_ops drm_prime_dmabuf_ops = {
	.attach = drm_gem_map_attach,
	.detach = drm_gem_map_detach,
	DMA_BUF_OPS_KEEP_TABLE
	.map_dma_buf = drm_gem_map_dma_buf,
	.unmap_dma_buf = drm_gem_unmap_dma_buf,
	.vmap = drm_gem_dmabuf_vmap,
	.vunmap = drm_gem_dmabuf_vunmap,
	.mmap = drm_gem_dmabuf_mmap,
	.release = drm_gem_dmabuf_release,
};
