/* SPDX-License-Identifier: GPL-2.0 */
/* Own objects as they are exported: the dma-buf operations. */
#ifndef PRIME_MOCK_EXPORTER_H
#define PRIME_MOCK_EXPORTER_H

#include <linux/dma-buf.h>
#include <drm/drm_gem.h>

#include "prime_mock_device.h"
#include "prime_mock_storage.h"

struct mock_object {
	struct drm_gem_object base;
	u32 flags;			/* PRIME_MOCK_DEFAULT and so on, constant */
	struct mock_record *record;	/* owned; constant */
	/* These by the reservation object: */
	struct mock_storage *storage;	/* held */
	struct dma_buf *dmabuf;		/* until its release; no reference */
	unsigned int pins;
	unsigned int maps;
	unsigned int vmaps;
};

#define to_mock_object(o) container_of(o, struct mock_object, base)

/* drm_gem_object_funcs.export */
struct dma_buf *mock_export(struct drm_gem_object *obj, int flags);
/* The object behind a buffer of this driver, or NULL; no reference. */
struct drm_gem_object *mock_exported_object(struct dma_buf *dmabuf);

#endif /* PRIME_MOCK_EXPORTER_H */
