// SPDX-License-Identifier: GPL-2.0
/*
 * Which device a DRM node stands for: the one that an import into it attaches.
 * The module that tells is loaded as a program's request loads it. How it finds
 * out differs between kernels: dma_buf_device_known_test.c is for 7.3, and
 * dma_buf_device_probed_test.c for 6.12.
 */
#include <linux/module.h>

#include "../negotiate/internal.h"
#include "dma_buf_device_test.h"

static struct device *told_by(struct kunit *test, struct mock_drm *mock, bool registered)
{
	struct device *(*ask)(struct file *file, unsigned int *how) =
		symbol_request(dma_buf_device_of_drm);
	struct device *dev;
	unsigned int how = 0;

	if (!ask)
		kunit_skip(test, "the kernel has no dma_buf_device_drm");
	mock->drm->registered = registered;
	dev = ask(mock_drm_open(mock), &how);
	mock->drm->registered = false;
	symbol_put(dma_buf_device_of_drm);
	KUNIT_EXPECT_EQ(test, how, 0);
	return dev;
}

struct device *dma_buf_device_told(struct kunit *test, struct mock_drm *mock)
{
	return told_by(test, mock, true);
}

void dma_buf_device_expect(struct kunit *test, struct mock_drm *mock, struct device *wanted)
{
	const unsigned int refs = kref_read(&wanted->kobj.kref);
	struct device *dev = dma_buf_device_told(test, mock);

	KUNIT_EXPECT_PTR_EQ(test, dev, wanted);
	if (IS_ERR_OR_NULL(dev))
		return;
	KUNIT_EXPECT_EQ(test, kref_read(&wanted->kobj.kref), refs + 1);
	put_device(dev);
}

static void parent(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);

	dma_buf_device_expect(test, mock, mock->dev);
	MOCK_DRM_EXPECT_CALLS(test, mock, MOCK_GEM_IMPORT, 0);
}

static void imports_nothing(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);

	mock->driver.gem_prime_import_sg_table = NULL;
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(dma_buf_device_told(test, mock)), -EOPNOTSUPP);
}

/* The DRM device is gone, and its parent may have another driver. */
static void unregistered(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);

	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(told_by(test, mock, false)), -ENODEV);
}

static struct kunit_case dma_buf_device_cases[] = {
	KUNIT_CASE(parent),
	KUNIT_CASE(imports_nothing),
	KUNIT_CASE(unregistered),
	{}
};

static struct kunit_suite dma_buf_device_suite = {
	.name = "dma_buf_device",
	.test_cases = dma_buf_device_cases,
};

kunit_test_suite(dma_buf_device_suite);
