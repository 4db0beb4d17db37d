/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of prime_mock share. The interface to programs is
 * <drm/prime_mock.h>.
 *
 * Locks, outer first: mock_import.lock, the reservation object of a buffer; under
 * them mock_device.lock and mock_record.lock, under which nothing is called. None
 * is held while a program's memory is copied, since a page fault on an object of
 * this driver takes the reservation object.
 */
#ifndef PRIME_MOCK_H
#define PRIME_MOCK_H

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <drm/prime_mock.h>

/* For fences that are waited for: the longest of this driver, and a bit. */
#define MOCK_FENCE_WAIT		msecs_to_jiffies(PRIME_MOCK_FENCE_MAX_MS + 1000)

/* One operation: what it is told to do and what it has done. */
struct mock_op {
	u64 calls;
	u64 failures;
	u32 fail_at;		/* calls until one fails, 0: none does */
	u32 fail_count;
	int error;		/* positive */
	u32 sleep_us;
	bool interruptible;
};

/* An object's script and counters, which outlive it; or those of a device. */
struct mock_record {
	struct mock_record *total;	/* the device's, NULL for itself */
	spinlock_t lock;		/* for all that follows */
	struct mock_op ops[PRIME_MOCK_OPS];
	s64 balance[PRIME_MOCK_PAIRS];
	u64 moves;
	u32 id;				/* constant */
	bool freed;			/* mock_device.lock */
	struct list_head node;		/* in mock_device.freed, same lock */
};

struct mock_device {
	struct drm_device drm;
	struct mock_record total;
	atomic64_t objects;
	atomic64_t imports;
	atomic64_t fences;
	atomic64_t undone;
	struct mutex lock;		/* for all that follows */
	struct xarray records;		/* mock_record by id */
	struct list_head freed;		/* records of freed objects, oldest first */
	unsigned int freed_count;
	u32 last_id;
	u32 import_flags;		/* read without the lock, as is the next */
	u32 max_segments;
};

/* Pages; who maps them for DMA holds them too. */
struct mock_storage {
	struct kref refs;
	unsigned int count;
	struct page *pages[];
};

struct mock_object {
	struct drm_gem_object base;
	u32 flags;			/* PRIME_MOCK_DEFAULT and so on, constant */
	struct mock_record *record;	/* NULL for an imported object */
	struct mock_import *import;	/* NULL for an own object */
	/* These by the reservation object: */
	struct mock_storage *storage;	/* NULL for an imported object */
	struct dma_buf *dmabuf;		/* until its release; no reference */
	unsigned int pins;
	unsigned int maps;
	unsigned int vmaps;
};

/* This device attached to a buffer, by id or for an imported object. */
struct mock_import {
	struct kref refs;
	struct mock_device *mock;
	struct mutex lock;		/* for all that follows but the last two */
	struct dma_buf *dmabuf;		/* held; NULL once detached */
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;		/* NULL when not mapped */
	enum dma_data_direction direction;	/* of sgt */
	enum dma_data_direction begin_direction;	/* of the last begin */
	struct iosys_map map;		/* when vmaps is not 0 */
	unsigned int pins;
	unsigned int vmaps;
	unsigned int begins;
	bool gem;			/* an object's: mapped again when stale */
	bool stale;			/* the reservation object's lock */
	u32 notified;			/* same */
};

/* A DRM file. */
struct mock_file {
	struct mock_device *mock;
	struct xarray imports;		/* mock_import by id; has its own lock */
	struct xarray fences;		/* mock_fence by id; has its own lock */
};

#define to_mock_device(d) container_of(d, struct mock_device, drm)
#define to_mock_object(o) container_of(o, struct mock_object, base)

/* prime_mock_drv.c: scripts and counters */
void mock_record_init(struct mock_record *record, struct mock_record *total);
struct mock_record *mock_record_create(struct mock_device *mock);
void mock_record_retire(struct mock_device *mock, struct mock_record *record);
int mock_op_begin(struct mock_record *record, enum prime_mock_op op);
int mock_op_end(struct mock_record *record, enum prime_mock_op op, int ret);
void mock_op_balance(struct mock_record *record, enum prime_mock_pair pair, int by);
void mock_record_moved(struct mock_record *record);

/* prime_mock_object.c */
void mock_storage_put(struct mock_storage *storage);
struct mock_object *mock_object_init(struct drm_device *drm, size_t size);
struct mock_object *mock_object_lookup(struct drm_file *file, u32 handle);
int mock_dumb_create(struct drm_file *file, struct drm_device *drm,
		     struct drm_mode_create_dumb *args);
int mock_ioctl_create(struct drm_device *drm, void *data, struct drm_file *file);
int mock_ioctl_move(struct drm_device *drm, void *data, struct drm_file *file);

/* prime_mock_exporter.c */
struct dma_buf *mock_export(struct drm_gem_object *obj, int flags);
struct drm_gem_object *mock_exported_object(struct dma_buf *dmabuf);

/* prime_mock_importer.c */
struct drm_gem_object *mock_gem_import(struct drm_device *drm,
				       struct dma_buf *dmabuf);
struct drm_gem_object *mock_gem_import_sg_table(struct drm_device *drm,
						struct dma_buf_attachment *attach,
						struct sg_table *sgt);
void mock_gem_import_free(struct mock_object *obj);
void mock_imports_close(struct mock_file *file);
int mock_ioctl_import(struct drm_device *drm, void *data, struct drm_file *file);
int mock_ioctl_step(struct drm_device *drm, void *data, struct drm_file *file);
int mock_ioctl_query(struct drm_device *drm, void *data, struct drm_file *file);
int mock_ioctl_access(struct drm_device *drm, void *data, struct drm_file *file);

/* prime_mock_fence.c */
int mock_fences_init(void);
void mock_fences_exit(void);
void mock_fences_close(struct mock_file *file);
int mock_ioctl_fence(struct drm_device *drm, void *data, struct drm_file *file);
int mock_ioctl_signal(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* PRIME_MOCK_H */
