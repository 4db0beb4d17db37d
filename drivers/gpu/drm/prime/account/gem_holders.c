// SPDX-License-Identifier: GPL-2.0
/*
 * The holders of dma-bufs that only DRM knows: GEM handles, objects and
 * framebuffers. account/holders.c calls this for each buffer and for each open
 * DRM file that it finds.
 *
 * Nobody waits for a reader. A spinlock is held for one step, a mutex is only
 * tried, and an object or buffer that is looked at is held by a reference. If
 * that is the last one, it is released here and now.
 */
#include <linux/file.h>

#include "../gem/internal.h"
#include "holders.h"

/* The buffer that an object was imported from or exported as; 0 without one. */
static u64 drm_prime_holders_ino(struct drm_gem_object *obj)
{
	struct dma_buf *dmabuf;
	u64 ino;

	/* The import holds the buffer. */
	if (obj->import_attach)
		return file_inode(obj->import_attach->dmabuf->file)->i_ino;

	dmabuf = dma_buf_record_find(obj);
	if (!dmabuf)
		return 0;
	ino = file_inode(dmabuf->file)->i_ino;
	__fput_sync(dmabuf->file);
	return ino;
}

/* @extra: references to the object that are the reader's own. */
static void drm_prime_holders_object(struct dma_buf_holders *h, struct drm_gem_object *obj,
				     u64 ino, unsigned int extra)
{
	struct dma_buf_holder record = {
		.what = "object",
		.head = 1,
		.ino = ino,
		.object = obj,
		.owner = obj,
		/* data_race(): others may change both meanwhile, see account/holders.c. */
		.count = (long)kref_read(&obj->refcount) - extra,
		.files = !!data_race(obj->dma_buf),
		/* All handles share a reference, and an exported object's buffer has one. */
		.objects = !!data_race(obj->handle_count) + !obj->import_attach,
	};

	strscpy(record.where, obj->dev->driver->name);
	h->add(h, record);
}

/* Does the file's table hold the buffer for this handle? */
static bool drm_prime_holders_entry(struct dma_buf_holders *h, struct drm_file *file, u32 handle)
{
	struct drm_prime_table *table = to_drm_prime_table(&file->prime);

	scoped_cond_guard(mutex_try, h->busy++, &table->lock)
		return drm_prime_entry_by_handle_locked(table, handle);
	return false;
}

static void drm_prime_holders_handle(struct dma_buf_holders *h, struct drm_file *file,
				     u32 handle, struct drm_gem_object *obj)
{
	struct dma_buf_holder record = { .what = "handle", .owner = file, .number = handle };

	record.ino = drm_prime_holders_ino(obj);
	if (!record.ino)
		return;

	record.object = obj;
	record.files = drm_prime_holders_entry(h, file, handle);
	snprintf(record.where, sizeof(record.where), "%s minor %u", obj->dev->driver->name,
		 file->minor->index);
	h->add(h, record);
	drm_prime_holders_object(h, obj, record.ino, 1);
}

/*
 * Returns the framebuffer with the lowest id above @id, with a reference. One
 * whose references are gone may have given its objects back, but is on the list
 * until it is freed.
 */
static struct drm_framebuffer *drm_prime_holders_next_fb(struct dma_buf_holders *h,
							 struct drm_device *dev, u32 id)
{
	struct drm_framebuffer *fb, *next = NULL;

	scoped_cond_guard(mutex_try, h->busy++, &dev->mode_config.fb_lock) {
		do {
			next = NULL;
			drm_for_each_fb(fb, dev)
				if (fb->base.id > id && (!next || fb->base.id < next->base.id))
					next = fb;
			id = next ? next->base.id : 0;
		} while (next && !kref_get_unless_zero(&next->base.refcount));
	}
	return next;
}

static void drm_prime_holders_framebuffers(struct dma_buf_holders *h, struct drm_device *dev)
{
	struct dma_buf_holder record = { .what = "framebuffer", .objects = 1 };
	const pid_t pid = h->pid;
	struct drm_framebuffer *fb;
	unsigned int i;

	/* Of the device, not of a process that has it open. */
	h->pid = 0;
	strscpy(record.where, dev->driver->name);
	while ((fb = drm_prime_holders_next_fb(h, dev, record.number))) {
		record.number = fb->base.id;
		for (i = 0; i < ARRAY_SIZE(fb->obj); i++) {
			record.owner = &fb->obj[i];
			record.object = fb->obj[i];
			record.ino = fb->obj[i] ? drm_prime_holders_ino(fb->obj[i]) : 0;
			if (!record.ino)
				continue;
			h->add(h, record);
			drm_prime_holders_object(h, fb->obj[i], record.ino, 0);
		}
		drm_framebuffer_put(fb);
	}
	h->pid = pid;
}

static void drm_prime_holders_file(struct dma_buf_holders *h, struct file *filp)
{
	struct drm_file *file = filp->private_data;
	struct drm_device *dev = file->minor->dev;
	struct drm_gem_object *obj;
	int handle;

	if (!drm_core_check_feature(dev, DRIVER_GEM))
		return;

	if (drm_core_check_feature(dev, DRIVER_MODESET))
		drm_prime_holders_framebuffers(h, dev);
	for (handle = 1;; handle++) {
		scoped_guard(spinlock, &file->table_lock) {
			obj = idr_get_next(&file->object_idr, &handle);
			/* The handle holds the object while it is in the table. */
			if (obj)
				drm_gem_object_get(obj);
		}
		if (!obj)
			break;
		drm_prime_holders_handle(h, file, handle, obj);
		drm_gem_object_put(obj);
		cond_resched();
	}
}

/* Adds the object that a buffer was exported from, or all that a DRM file has. */
void drm_prime_holders_find(struct dma_buf_holders *h, struct dma_buf *dmabuf, u64 ino,
			    struct file *file)
{
	if (file)
		drm_prime_holders_file(h, file);
	else if (dmabuf->ops->release == drm_gem_dmabuf_release)
		drm_prime_holders_object(h, dmabuf->priv, ino, 0);
}
EXPORT_SYMBOL_GPL(drm_prime_holders_find);
