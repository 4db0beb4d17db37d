/* SPDX-License-Identifier: GPL-2.0 */
/* The driver's own objects as exporters: the dma-buf operations. */
#ifndef PRIME_MOCK_EXPORTER_H
#define PRIME_MOCK_EXPORTER_H

#include <linux/dma-buf.h>
#include <drm/drm_gem.h>

#include "prime_mock_device.h"
#include "prime_mock_storage.h"

struct mock_object {
	struct drm_gem_object base;
	u32 flags;			/* PRIME_MOCK_DEFAULT and so on, constant */
	u32 backing;			/* as created; constant */
	u32 dma_bits;			/* same */
	struct mock_record *record;	/* owned; constant */
	/* The reservation object protects these: */
	struct mock_storage *storage;	/* held */
	struct dma_buf *dmabuf;		/* no reference; cleared at its release */
	unsigned int pins;
	unsigned int maps;
	unsigned int vmaps;
};

/* Objects that move, and whose importers may follow. */
#define MOCK_FOLLOWED	(PRIME_MOCK_DYNAMIC | PRIME_MOCK_MOVING | \
			 PRIME_MOCK_REVOCABLE)

#define to_mock_object(o) container_of(o, struct mock_object, base)

/* drm_gem_object_funcs.export */
struct dma_buf *mock_export(struct drm_gem_object *obj, int flags);
/*
 * Tells the importers and moves. *@storage gets the old storage. Returns -EBUSY
 * if somebody holds the object in place.
 */
int mock_exp_move_locked(struct mock_object *obj, struct mock_storage **storage);
/* The object behind a buffer of this driver, or NULL; no reference. */
struct drm_gem_object *mock_exported_object(struct dma_buf *dmabuf);

#endif /* PRIME_MOCK_EXPORTER_H */
