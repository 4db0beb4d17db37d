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

#include "../drm_internal.h"

/**
 * struct drm_prime_trace - what an export changed, so that it can be undone
 * @obj: object that had no dma-buf before, with a reference, or NULL
 * @serial: of the entry made in the file's table, or 0
 */
struct drm_prime_trace {
	struct drm_gem_object *obj;
	u64 serial;
};

/* gem_prime_handle.c */
struct dma_buf *drm_prime_handle_export(struct drm_file *file_priv, u32 handle,
					u32 flags, struct drm_prime_trace *trace);
void drm_prime_handle_export_keep(struct drm_prime_trace *trace);
void drm_prime_handle_export_undo(struct drm_file *file_priv, u32 handle,
				  struct drm_prime_trace *trace,
				  struct dma_buf *dmabuf);

/* gem_prime_cache.c: one file's table handle <-> dma-buf */
int drm_prime_cache_add_locked(struct drm_prime_file_private *prime,
			       struct dma_buf *dmabuf, u32 handle, u64 *serial);
void drm_prime_cache_del_locked(struct drm_prime_file_private *prime,
				u32 handle, u64 serial);
struct dma_buf *
drm_prime_cache_find_dmabuf_locked(struct drm_prime_file_private *prime,
				   u32 handle);
bool drm_prime_cache_find_handle_locked(struct drm_prime_file_private *prime,
					struct dma_buf *dmabuf, u32 *handle);

/* gem_prime_export.c */
struct drm_gem_object *drm_prime_export_object(struct drm_device *dev,
					       struct dma_buf *dmabuf);
struct dma_buf *drm_prime_export_get(struct drm_gem_object *obj, u32 flags,
				     bool *fresh);
void drm_prime_export_drop(struct drm_gem_object *obj, struct dma_buf *dmabuf);

#endif /* GEM_PRIME_INTERNAL_H */
