// SPDX-License-Identifier: GPL-2.0
/*
 * Which device a DRM node stands for: the one that an import into it attaches.
 * The module that tells is loaded as a program's request loads it.
 */
#include <linux/module.h>

#include "../negotiate/internal.h"
#include "mock_drm.h"

static struct device *other;

/* As of a driver behind USB on 6.12, which has a device of another driver attached. */
static struct drm_gem_object *import_for_other(struct drm_device *drm, struct dma_buf *dmabuf)
{
	return drm_gem_prime_import_dev(drm, dmabuf, other);
}

/* It looks at the buffer and does not attach. */
static struct drm_gem_object *import_nothing(struct drm_device *drm, struct dma_buf *dmabuf)
{
	return ERR_PTR(-ENODEV);
}

static struct device *device_of(struct kunit *test, struct mock_drm *mock)
{
	struct device *(*ask)(struct file *file, unsigned int *how) =
		symbol_request(dma_buf_device_of_drm);
	struct device *dev;
	unsigned int how = 0;

	if (!ask)
		kunit_skip(test, "the kernel has no dma_buf_device_drm");
	mock->drm->registered = true;
	dev = ask(mock_drm_open(mock), &how);
	mock->drm->registered = false;
	symbol_put(dma_buf_device_of_drm);
	KUNIT_EXPECT_EQ(test, how, 0);
	return dev;
}

/* The device is held for the caller, and for nobody else. */
static void expect_device(struct kunit *test, struct mock_drm *mock, struct device *wanted)
{
	const unsigned int refs = kref_read(&wanted->kobj.kref);
	struct device *dev = device_of(test, mock);

	KUNIT_EXPECT_PTR_EQ(test, dev, wanted);
	if (IS_ERR_OR_NULL(dev))
		return;
	KUNIT_EXPECT_EQ(test, kref_read(&wanted->kobj.kref), refs + 1);
	put_device(dev);
}

static void parent(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);

	expect_device(test, mock, mock->dev);
	MOCK_DRM_EXPECT_CALLS(test, mock, MOCK_GEM_IMPORT, 0);
}

static void not_the_parent(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);

	other = prime_test_device(test);
#if DRM_PRIME_LINUX(7, 3)
	drm_dev_set_dma_dev(mock->drm, other);
#endif
	mock->driver.gem_prime_import = import_for_other;
	expect_device(test, mock, other);
	MOCK_DRM_EXPECT_CALLS(test, mock, MOCK_GEM_IMPORT, 0);
}

static void imports_nothing(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);

	mock->driver.gem_prime_import_sg_table = NULL;
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(device_of(test, mock)), -EOPNOTSUPP);
}

/* 7.3 knows the device without an import; on 6.12 this one attaches none. */
static void refuses_at_sight(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);

	mock->driver.gem_prime_import = import_nothing;
	if (DRM_PRIME_LINUX(7, 3))
		expect_device(test, mock, mock->dev);
	else
		KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(device_of(test, mock)), -EOPNOTSUPP);
}

static struct kunit_case dma_buf_device_cases[] = {
	KUNIT_CASE(parent),
	KUNIT_CASE(not_the_parent),
	KUNIT_CASE(imports_nothing),
	KUNIT_CASE(refuses_at_sight),
	{}
};

static struct kunit_suite dma_buf_device_suite = {
	.name = "dma_buf_device",
	.test_cases = dma_buf_device_cases,
};

kunit_test_suite(dma_buf_device_suite);
