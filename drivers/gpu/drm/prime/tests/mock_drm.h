/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DRM devices with a scripted GEM driver. A test has as many as it likes, each
 * with operations of its own to script or to clear.
 */
#ifndef MOCK_DRM_H
#define MOCK_DRM_H

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>

#include <linux/dma-buf.h>

#include "mock_script.h"
#include "prime_test.h"

enum mock_drm_op {
	MOCK_GEM_FREE,
	MOCK_GEM_OPEN,
	MOCK_GEM_CLOSE,
	MOCK_GEM_EXPORT,
	MOCK_GEM_PIN,
	MOCK_GEM_UNPIN,
	MOCK_GEM_GET_SG_TABLE,
	MOCK_GEM_VMAP,
	MOCK_GEM_VUNMAP,
	MOCK_GEM_MMAP,
	MOCK_GEM_IMPORT,
	MOCK_DRM_OPS
};

/**
 * struct mock_drm - one device and its driver
 * @test: the test it belongs to
 * @driver: the driver; a test may change it
 * @funcs: operations of the device's objects; a test may change them
 * @dev: parent device
 * @drm: the DRM device
 * @op: script of each operation
 * @created: number of objects created
 * @opened: number of files opened
 * @closed: number of files closed
 */
struct mock_drm {
	struct kunit *test;
	struct drm_driver driver;
	struct drm_gem_object_funcs funcs;
	struct device *dev;
	struct drm_device *drm;
	struct mock_script op[MOCK_DRM_OPS];
	int created;
	int opened;
	atomic_t closed;
};

/**
 * struct mock_gem - one object
 * @base: the GEM object
 * @pages: backing storage, NULL for an imported object
 * @sgt: the table it was imported with, NULL for one that was not
 */
struct mock_gem {
	struct drm_gem_object base;
	struct page *pages;
	struct sg_table *sgt;
};

#define MOCK_GEM_ORDER	1
#define MOCK_GEM_SIZE	(PAGE_SIZE << MOCK_GEM_ORDER)

static inline struct mock_gem *to_mock_gem(struct drm_gem_object *obj)
{
	return container_of(obj, struct mock_gem, base);
}

struct mock_drm *mock_drm_create(struct kunit *test);
struct file *mock_drm_open(struct mock_drm *mock);
void mock_drm_close(struct mock_drm *mock, struct file *file);
struct drm_gem_object *mock_drm_object(struct mock_drm *mock);
u32 mock_drm_handle(struct mock_drm *mock, struct file *file, struct drm_gem_object *obj);
u32 mock_drm_object_handle(struct mock_drm *mock, struct file *file,
			   struct drm_gem_object **objp);

static inline struct drm_file *mock_drm_priv(struct file *file)
{
	return file->private_data;
}

static inline int mock_drm_calls(struct mock_drm *mock, enum mock_drm_op op)
{
	return mock_calls(&mock->op[op]);
}

static inline void mock_drm_fail(struct mock_drm *mock, enum mock_drm_op op, unsigned int at,
				 int err)
{
	mock_script_fail(&mock->op[op], at, err);
}

static inline unsigned int mock_gem_refs(struct drm_gem_object *obj)
{
	return kref_read(&obj->refcount);
}

#ifndef MODULE
/* Of drm_gem.c of 7.3, which does not export it and whose ioctl is switched off. */
int drm_gem_change_handle_ioctl(struct drm_device *dev, void *data, struct drm_file *file_priv);
#endif

/* Expects this number of calls of one operation so far. */
#define MOCK_DRM_EXPECT_CALLS(test, mock, operation, number) \
	KUNIT_EXPECT_EQ_MSG(test, mock_drm_calls(mock, operation), number, #operation)

#endif /* MOCK_DRM_H */
