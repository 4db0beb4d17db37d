/* SPDX-License-Identifier: GPL-2.0 */
/* The device as an importer. */
#ifndef PRIME_MOCK_IMPORTER_H
#define PRIME_MOCK_IMPORTER_H

#include <linux/dma-buf.h>
#include <linux/iosys-map.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <drm/drm_gem.h>

#include "prime_mock_device.h"

/* An attachment of this device: an import by id, or an imported object's. */
struct mock_import {
	struct kref refs;
	struct mock_device *mock;	/* constant; the file or object holds it */
	bool gem;			/* of an object; mapped again when stale */
	bool revocable;			/* never maps again once told; constant */
	/*
	 * Protects all that follows. Mappings and pins change only with the
	 * reservation object held, too, except when an imported object ends. The
	 * callback of a revocable import unmaps and unpins with the reservation
	 * object alone.
	 */
	struct mutex lock;
	struct dma_buf *dmabuf;		/* held; NULL once detached */
	struct dma_buf_attachment *attach;	/* owned; NULL once detached */
	struct sg_table *sgt;		/* mapped by attach; NULL when not mapped */
	enum dma_data_direction direction;	/* of sgt */
	enum dma_data_direction begin_direction;	/* of the last begin */
	struct iosys_map map;		/* when vmaps is not 0 */
	unsigned int pins;
	unsigned int vmaps;
	unsigned int begins;
	bool trimmed;			/* the first page is cut off sgt */
	bool stale;			/* the reservation object's lock */
	bool revoked;			/* same */
	u32 notified;			/* same */
};

struct mock_import *mock_import_create(struct mock_device *mock, bool gem);
void mock_import_put(struct mock_import *import);
/* Takes no reference to @dmabuf. @flags: PRIME_MOCK_IMPORT_*. */
int mock_import_attach(struct mock_import *import, struct dma_buf *dmabuf,
		       u32 flags);
int mock_import_map_locked(struct mock_import *import,
			   enum dma_data_direction direction);
void mock_import_unmap_locked(struct mock_import *import);
/* Cut the first page off the mapped list. */
int mock_import_trim_locked(struct mock_import *import);
/* Returns the import of an imported object, with a reference. */
struct mock_import *mock_import_by_handle(struct drm_file *file, u32 handle);

struct drm_gem_object *mock_gem_import(struct drm_device *drm,
				       struct dma_buf *dmabuf);
struct drm_gem_object *mock_gem_import_sg_table(struct drm_device *drm,
						struct dma_buf_attachment *attach,
						struct sg_table *sgt);
int mock_ioctl_limits(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* PRIME_MOCK_IMPORTER_H */
