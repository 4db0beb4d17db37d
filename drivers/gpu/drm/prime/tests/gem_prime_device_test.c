// SPDX-License-Identifier: GPL-2.0
/*
 * What Linux 7.3 does and 6.12 does not: a DRM device whose DMA another device
 * does, as behind USB.
 */
#include "mock_drm.h"
#include "mock_exporter.h"

/* The other device is attached, and its limits decide. */
static void import_by_dma_device(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);
	struct dma_buf *dmabuf = mock_exporter_export(mock_exporter_create(test, false));
	struct device *dev = prime_test_device(test);
	struct drm_gem_object *obj;

	drm_dev_set_dma_dev(mock->drm, dev);
	obj = drm_gem_prime_import(mock->drm, dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(obj));
	KUNIT_ASSERT_NOT_NULL(test, obj->import_attach);
	KUNIT_EXPECT_PTR_EQ(test, obj->import_attach->dev, dev);
	drm_gem_object_put(obj);
}

/* A table of pages is cut to the other device's segments. */
static void segments_of_dma_device(struct kunit *test)
{
	static struct device_dma_parameters parameters;
	struct mock_drm *mock = mock_drm_create(test);
	struct device *dev = prime_test_device(test);
	struct drm_gem_object *obj = mock_drm_object(mock);
	struct page *pages[1 << MOCK_GEM_ORDER];
	struct sg_table *sgt;
	int i;

	for (i = 0; i < ARRAY_SIZE(pages); i++)
		pages[i] = to_mock_gem(obj)->pages + i;
	dev->dma_parms = &parameters;
	dma_set_max_seg_size(dev, PAGE_SIZE);
	drm_dev_set_dma_dev(mock->drm, dev);
	sgt = drm_prime_pages_to_sg(mock->drm, pages, ARRAY_SIZE(pages));
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_EQ(test, sgt->orig_nents, ARRAY_SIZE(pages));
	sg_free_table(sgt);
	kfree(sgt);
	dev->dma_parms = NULL;
	drm_gem_object_put(obj);
}

static struct kunit_case gem_prime_device_cases[] = {
	KUNIT_CASE(import_by_dma_device),
	KUNIT_CASE(segments_of_dma_device),
	{}
};

static struct kunit_suite gem_prime_device_suite = {
	.name = "gem_prime_device",
	.test_cases = gem_prime_device_cases,
};

kunit_test_suite(gem_prime_device_suite);
