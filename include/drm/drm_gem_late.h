/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * GEM objects whose pages are allocated at the first use, where every device that
 * has joined reaches them. Not in mainline.
 */
#ifndef __DRM_GEM_LATE_H__
#define __DRM_GEM_LATE_H__

#include <linux/container_of.h>
#include <linux/dma-buf-late.h>

#include <drm/drm_gem.h>

struct drm_mode_create_dumb;

/**
 * struct drm_gem_late_object - a GEM object with late pages
 * @base: the GEM object
 * @late: its pages; protected by the reservation object
 */
struct drm_gem_late_object {
	struct drm_gem_object base;
	struct dma_buf_late late;
};

static inline struct drm_gem_late_object *
to_drm_gem_late_object(struct drm_gem_object *obj)
{
	return container_of(obj, struct drm_gem_late_object, base);
}

struct drm_gem_late_object *drm_gem_late_create(struct drm_device *dev,
						size_t size);
int drm_gem_late_dumb_create(struct drm_file *file, struct drm_device *dev,
			     struct drm_mode_create_dumb *args);
struct drm_gem_object *drm_gem_late_prime_import(struct drm_device *dev,
						 struct dma_buf *dmabuf);

/* Members of a &struct drm_driver with late objects, besides DRIVER_GEM. */
#define DRM_GEM_LATE_DRIVER_OPS						\
	.dumb_create = drm_gem_late_dumb_create,			\
	.gem_prime_import = drm_gem_late_prime_import

#endif /* __DRM_GEM_LATE_H__ */
