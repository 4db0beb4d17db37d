// SPDX-License-Identifier: GPL-2.0
/* On Linux 6.12 an import of a buffer without storage shows which device a DRM node stands for. */
#include <linux/slab.h>

#include <kunit/test-bug.h>

#include "dma_buf_device_test.h"

static struct device *other;

/* Like a driver behind USB: the device that it attaches is another driver's. */
static struct drm_gem_object *import_for_other(struct drm_device *drm, struct dma_buf *dmabuf)
{
	return drm_gem_prime_import_dev(drm, dmabuf, other);
}

/*
 * TTM locks the reservation object of a buffer that was refused after the buffer
 * is gone, so it must not be a part of the buffer.
 */
static struct drm_gem_object *import_as_ttm(struct drm_device *drm, struct dma_buf *dmabuf)
{
	unsigned long offset = (unsigned long)dmabuf->resv - (unsigned long)dmabuf;

	KUNIT_EXPECT_GE(kunit_get_current_test(), offset, ksize(dmabuf));
	return drm_gem_prime_import_dev(drm, dmabuf, other);
}

static void used_by_ttm(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);

	other = prime_test_device(test);
	mock->driver.gem_prime_import = import_as_ttm;
	dma_buf_device_expect(test, mock, other);
}

/* An import that attaches nothing. */
static struct drm_gem_object *import_nothing(struct drm_device *drm, struct dma_buf *dmabuf)
{
	return ERR_PTR(-ENODEV);
}

static void not_the_parent(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);

	other = prime_test_device(test);
	mock->driver.gem_prime_import = import_for_other;
	dma_buf_device_expect(test, mock, other);
	MOCK_DRM_EXPECT_CALLS(test, mock, MOCK_GEM_IMPORT, 0);
}

static void refuses_at_sight(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);

	mock->driver.gem_prime_import = import_nothing;
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(dma_buf_device_told(test, mock)), -EOPNOTSUPP);
}

/* An import that has failed before it came to the attach. */
static struct drm_gem_object *import_without_memory(struct drm_device *drm, struct dma_buf *dmabuf)
{
	return ERR_PTR(-ENOMEM);
}

/* Next time there may be memory, so this does not say that the node can't be announced. */
static void without_memory(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);

	mock->driver.gem_prime_import = import_without_memory;
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(dma_buf_device_told(test, mock)), -ENOMEM);
}

static struct kunit_case dma_buf_device_probed_cases[] = {
	KUNIT_CASE(not_the_parent),
	KUNIT_CASE(used_by_ttm),
	KUNIT_CASE(refuses_at_sight),
	KUNIT_CASE(without_memory),
	{}
};

static struct kunit_suite dma_buf_device_probed_suite = {
	.name = "dma_buf_device_probed",
	.test_cases = dma_buf_device_probed_cases,
};

kunit_test_suite(dma_buf_device_probed_suite);
