// SPDX-License-Identifier: GPL-2.0
/*
 * What Linux 7.3 does and 6.12 does not: a DRM device whose DMA another device
 * does, as behind USB, and an object that gets another handle.
 */
#include <linux/fdtable.h>

#include "mock_drm.h"
#include "mock_exporter.h"

/* The other device is attached. */
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

#ifndef MODULE
/* The file knows the buffer by the new handle, and by that one only. */
static void change_handle(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);
	struct file *file = mock_drm_open(mock);
	struct drm_file *priv = mock_drm_priv(file);
	struct drm_gem_change_handle arg = { };
	struct drm_gem_object *obj;
	struct dma_buf *dmabuf;
	u32 found = 0;
	long count;
	int fd;

	arg.handle = mock_drm_object_handle(mock, file, &obj);
	arg.new_handle = arg.handle + 41;
	KUNIT_ASSERT_EQ(test, drm_gem_prime_handle_to_fd(mock->drm, priv, arg.handle, DRM_CLOEXEC,
							 &fd), 0);
	dmabuf = obj->dma_buf;
	count = file_count(dmabuf->file);
	KUNIT_EXPECT_EQ(test, drm_gem_change_handle_ioctl(mock->drm, &arg, priv), 0);
	flush_delayed_fput();
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), count);
	KUNIT_EXPECT_EQ(test, drm_gem_prime_fd_to_handle(mock->drm, priv, fd, &found), 0);
	KUNIT_EXPECT_EQ(test, found, arg.new_handle);
	KUNIT_EXPECT_EQ(test, PTR_ERR(drm_gem_prime_handle_to_dmabuf(mock->drm, priv, arg.handle,
								     DRM_CLOEXEC)), -ENOENT);
	KUNIT_EXPECT_EQ(test, drm_gem_handle_delete(priv, arg.new_handle), 0);
	flush_delayed_fput();
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);
	prime_test_close_fd(test, fd);
}
#endif

static struct kunit_case gem_prime_device_cases[] = {
	KUNIT_CASE(import_by_dma_device),
#ifndef MODULE
	KUNIT_CASE(change_handle),
#endif
	{}
};

static struct kunit_suite gem_prime_device_suite = {
	.name = "gem_prime_device",
	.test_cases = gem_prime_device_cases,
};

kunit_test_suite(gem_prime_device_suite);
