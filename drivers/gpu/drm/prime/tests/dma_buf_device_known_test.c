// SPDX-License-Identifier: GPL-2.0
/* Linux 7.3 knows which device a DRM node stands for without an import. */
#include <drm/drm_gem_shmem_helper.h>

#include "dma_buf_device_test.h"

/* An import that attaches nothing. */
static struct drm_gem_object *import_nothing(struct drm_device *drm, struct dma_buf *dmabuf)
{
	return ERR_PTR(-ENODEV);
}

static void not_the_parent(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);
	struct device *other = prime_test_device(test);

	drm_dev_set_dma_dev(mock->drm, other);
	dma_buf_device_expect(test, mock, other);
	MOCK_DRM_EXPECT_CALLS(test, mock, MOCK_GEM_IMPORT, 0);
}

/* udl and gud name a device that does DMA, and their import attaches the parent. */
static void import_without_map(struct kunit *test)
{
	struct mock_drm *mock;

	if (!IS_REACHABLE(CONFIG_DRM_GEM_SHMEM_HELPER))
		kunit_skip(test, "the kernel has no shmem helper for DRM");
	mock = mock_drm_create(test);
	drm_dev_set_dma_dev(mock->drm, prime_test_device(test));
#if IS_REACHABLE(CONFIG_DRM_GEM_SHMEM_HELPER)
	mock->driver.gem_prime_import = drm_gem_shmem_prime_import_no_map;
#endif
	dma_buf_device_expect(test, mock, mock->dev);
}

static void refuses_at_sight(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);

	mock->driver.gem_prime_import = import_nothing;
	dma_buf_device_expect(test, mock, mock->dev);
}

static struct kunit_case dma_buf_device_known_cases[] = {
	KUNIT_CASE(not_the_parent),
	KUNIT_CASE(import_without_map),
	KUNIT_CASE(refuses_at_sight),
	{}
};

static struct kunit_suite dma_buf_device_known_suite = {
	.name = "dma_buf_device_known",
	.test_cases = dma_buf_device_known_cases,
};

kunit_test_suite(dma_buf_device_known_suite);
