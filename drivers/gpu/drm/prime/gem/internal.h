/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The GEM side's private surface. The core is reached through
 * <linux/dma-buf.h> only; the rest of DRM through this file only.
 */
#ifndef GEM_PRIME_INTERNAL_H
#define GEM_PRIME_INTERNAL_H

/*
 * Which types are complete here decides the CRC of every export, so the list
 * is one for all files of the GEM side and doesn't follow what each needs.
 */
#include <linux/dma-buf.h>
#include <linux/export.h>
#include <linux/module.h>
#include <linux/rbtree.h>
#include <linux/slab.h>

#include <drm/drm.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>

#include "../../drm_internal.h"

struct drm_prime_publication;

/**
 * struct drm_prime_export - an export that nobody has been told of yet
 * @dmabuf: the buffer, with the caller's reference
 * @obj: object, with a reference; NULL when the file's table knew the buffer
 * @slot: reserved in the file's table, unless @obj is NULL
 * @pending: links new buffers that their object doesn't know yet, empty when
 *	this one is none; protected by the list's lock
 *
 * Belongs to one thread, from drm_prime_handle_export_begin() to commit or
 * abort.
 */
struct drm_prime_export {
	struct dma_buf *dmabuf;
	struct drm_gem_object *obj;
	u32 slot;
	struct list_head pending;
};

/* gem/handle.c */
int drm_prime_handle_export_begin(struct drm_file *file_priv, u32 handle, u32 flags,
				  struct drm_prime_export *export);
void drm_prime_handle_export_commit(struct drm_file *file_priv, u32 handle,
				    struct drm_prime_export *export);
void drm_prime_handle_export_abort(struct drm_file *file_priv,
				   struct drm_prime_export *export);

/* gem/table.c: one file's table handle <-> dma-buf */
int drm_prime_cache_reserve_locked(struct drm_prime_file_private *prime, u32 *slot);
void drm_prime_cache_release_locked(struct drm_prime_file_private *prime, u32 slot);
void drm_prime_cache_insert_locked(struct drm_prime_file_private *prime, u32 slot,
				   struct dma_buf *dmabuf, u32 handle);
struct dma_buf *
drm_prime_cache_find_dmabuf_locked(struct drm_prime_file_private *prime,
				   u32 handle);
u32 drm_prime_cache_find_handle(struct drm_prime_file_private *prime,
				const struct file *file);
int drm_prime_cache_claim(struct drm_prime_file_private *prime,
			  struct dma_buf *dmabuf, u32 *handle, u32 *claim);
void drm_prime_cache_settle_locked(struct drm_prime_file_private *prime, u32 claim,
				   u32 handle);

/*
 * A publication that gem/ioctl.c keeps for the file's next export, or
 * NULL; exchanged atomically, and freed with the file. See gem/table.c for
 * the place.
 */
static inline struct drm_prime_publication **
drm_prime_spare(struct drm_prime_file_private *prime)
{
	return (struct drm_prime_publication **)&prime->handles.rb_node;
}

/* gem/keep.c */
bool drm_prime_table_is_shmem(struct drm_gem_object *obj, struct sg_table *sgt);

/* gem/export.c */
struct drm_gem_object *drm_prime_export_object(struct drm_device *dev,
					       struct dma_buf *dmabuf);
int drm_prime_export_begin(struct drm_prime_export *export, u32 flags);
void drm_prime_export_commit(struct drm_prime_export *export);
void drm_prime_export_abort(struct drm_prime_export *export);

#endif /* GEM_PRIME_INTERNAL_H */
