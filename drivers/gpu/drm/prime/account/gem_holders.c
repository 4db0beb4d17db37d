// SPDX-License-Identifier: GPL-2.0
/*
 * The holders of dma-bufs that only DRM knows: GEM handles, objects and
 * framebuffers. account/holders.c calls this for each buffer and for each open
 * DRM file that it finds.
 *
 * Nobody waits for a reader: it holds a spinlock for one step only, and never
 * waits for a mutex. It has a reference to the object or buffer that it looks at.
 * If that is the last one, the reader releases the object or buffer.
 */
#include <linux/file.h>

#include "../gem/internal.h"
#include "internal.h"

/*
 * @ino: the buffer that the object was found by, or 0. With 0 only an import is
 *	recorded, since an import holds its buffer
 * @extra: references to the object that are the reader's own
 */
static void drm_prime_holders_object(struct dma_buf_holders *h, struct drm_gem_object *obj,
				     u64 ino, unsigned int extra)
{
	struct dma_buf_holder record = {
		.what = "object",
		.head = 1,
		.ino = ino,
		.object = obj,
		.owner = obj,
		.count = (long)kref_read(&obj->refcount) - extra,
		/* data_race(): others may change it meanwhile, see account/holders.c. */
		.files = !!data_race(obj->dma_buf),
		/*
		 * data_race(): the same. All handles together hold one reference.
		 * The dma-buf of an object that is not imported holds another.
		 */
		.objects = !!data_race(obj->handle_count) + !obj->import_attach,
	};

	if (obj->import_attach)
		record.ino = file_inode(obj->import_attach->dmabuf->file)->i_ino;
	strscpy(record.where, obj->dev->driver->name);
	if (record.ino)
		h->add(h, record);
}

static void drm_prime_holders_handle(struct dma_buf_holders *h, struct drm_file *file,
				     u32 handle, struct drm_gem_object *obj)
{
	struct dma_buf_holder record = {
		.what = "handle", .owner = file, .number = handle, .object = obj,
	};
	struct drm_prime_table *table = to_drm_prime_table(&file->prime);

	/* The file's table may hold the buffer for this handle. */
	scoped_cond_guard(mutex_try, h->busy++, &table->lock)
		record.files = !!drm_prime_entry_by_handle_locked(table, handle);
	snprintf(record.where, sizeof(record.where), "%s minor %u", obj->dev->driver->name,
		 file->minor->index);
	h->add(h, record);
	drm_prime_holders_object(h, obj, 0, 1);
}

/* The file's list holds the framebuffers, and these hold their objects. */
static void drm_prime_holders_framebuffers(struct dma_buf_holders *h, struct drm_file *file)
{
	struct dma_buf_holder record = { .what = "framebuffer", .objects = 1 };
	struct drm_framebuffer *fb;
	unsigned int i;

	strscpy(record.where, file->minor->dev->driver->name);
	scoped_cond_guard(mutex_try, h->busy++, &file->fbs_lock) {
		list_for_each_entry(fb, &file->fbs, filp_head) {
			record.number = fb->base.id;
			for (i = 0; i < ARRAY_SIZE(fb->obj) && fb->obj[i]; i++) {
				record.owner = &fb->obj[i];
				record.object = fb->obj[i];
				h->add(h, record);
				drm_prime_holders_object(h, fb->obj[i], 0, 0);
			}
		}
	}
}

/* Adds what a DRM file holds or, without @filp, the object that a buffer was exported from. */
void drm_prime_holders_find(struct dma_buf_holders *h, struct file *filp, const void *object,
			    u64 ino)
{
	struct drm_file *file = filp ? filp->private_data : NULL;
	struct drm_gem_object *obj = (struct drm_gem_object *)object;
	int handle;

	if (!file)
		drm_prime_holders_object(h, obj, ino, 0);
	if (!file || !drm_core_check_feature(file->minor->dev, DRIVER_GEM))
		return;

	drm_prime_holders_framebuffers(h, file);
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
EXPORT_SYMBOL_GPL(drm_prime_holders_find);
