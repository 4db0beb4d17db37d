// SPDX-License-Identifier: GPL-2.0
/*
 * What Linux 7.3 does and 6.12 does not: a DRM device whose DMA another device
 * does, as behind USB, and an object that gets another handle. The cases of
 * account/, negotiate/ and try/ for such a device are here, too.
 */
#include <linux/dma-buf-constraints.h>
#include <linux/dma-mapping.h>
#include <linux/fdtable.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_gem_late.h>

#include "../try/internal.h"
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

/* A segment is no longer than what the other device maps at a time. The parent maps all at once. */
static void segments_for_dma_device(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);
	struct device *dev = prime_test_device(test);
	struct page **pages;
	struct sg_table *sgt;
	unsigned int i, n;
	size_t most;
	u8 *block;

	KUNIT_ASSERT_EQ(test, dma_set_mask(dev, DMA_BIT_MASK(32)), 0);
	most = dma_max_mapping_size(dev);
	if (most == SIZE_MAX)
		kunit_skip(test, "CONFIG_SWIOTLB is off, or all memory is below 4 GiB");
	n = 2 * most >> PAGE_SHIFT;
	block = kunit_kmalloc(test, 2 * most, GFP_KERNEL);
	pages = kunit_kmalloc_array(test, n, sizeof(*pages), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, block);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	for (i = 0; i < n; i++)
		pages[i] = virt_to_page(block + i * PAGE_SIZE);
	drm_dev_set_dma_dev(mock->drm, dev);
	sgt = drm_prime_pages_to_sg(mock->drm, pages, n);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_EQ(test, sgt->orig_nents, 2);
	KUNIT_EXPECT_EQ(test, sgt->sgl->length, most);
	sg_free_table(sgt);
	kfree(sgt);
}

#if IS_ENABLED(CONFIG_DRM_PRIME_NEGOTIATE)
/* The other device has the say in where the pages of an object are, and how an image lies in it. */
static void late_for_dma_device(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);
	struct drm_file *file = mock_drm_priv(mock_drm_open(mock));
	struct drm_mode_create_dumb args = { .width = 17, .height = 3, .bpp = 32 };
	struct device *dev = prime_test_device(test);
	struct drm_gem_late_object *lobj;
	struct dma_buf_constraints c;

	drm_dev_set_dma_dev(mock->drm, dev);
	KUNIT_ASSERT_EQ(test, dma_set_mask(dev, DMA_BIT_MASK(32)), 0);
	lobj = drm_gem_late_create(mock->drm, PAGE_SIZE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(lobj));
	KUNIT_EXPECT_LE(test, lobj->late.own.dma_mask, DMA_BIT_MASK(32));
	drm_gem_object_put(&lobj->base);

	dma_buf_constraints_init(&c);
	c.pitch_align = 64;
	KUNIT_ASSERT_EQ(test, devm_dma_buf_constraints_set(dev, &c), 0);
	KUNIT_ASSERT_EQ(test, drm_gem_late_dumb_create(file, mock->drm, &args), 0);
	KUNIT_EXPECT_EQ(test, args.pitch, 128);
}
#endif

#if IS_ENABLED(CONFIG_DRM_PRIME_ACCOUNT)
static struct drm_gem_object *import_refuses(struct drm_device *drm, struct dma_buf *dmabuf)
{
	return ERR_PTR(-EXDEV);
}

/* The last refusal of @dmabuf is told with this step and this device. */
static void expect_refusal(struct kunit *test, struct dma_buf *dmabuf, u32 step,
			   struct device *dev)
{
	void __user *arg = prime_test_user_page(test, PROT_READ | PROT_WRITE);
	struct file *file = dmabuf->file;
	struct dma_buf_refusal why = { };

	KUNIT_EXPECT_EQ(test, file->f_op->unlocked_ioctl(file, DMA_BUF_IOCTL_GET_REFUSAL,
							 (unsigned long)arg), 0);
	KUNIT_EXPECT_EQ(test, copy_from_user(&why, arg, sizeof(why)), 0);
	KUNIT_EXPECT_EQ(test, why.step, step);
	KUNIT_EXPECT_STREQ(test, why.device, dev_name(dev));
}

/* A program looks for the device that does the DMA, not for the parent of the DRM device. */
static void refusal_names_dma_device(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_export(mock_exporter_create(test, true));
	struct mock_drm *mock = mock_drm_create(test);
	struct drm_file *priv = mock_drm_priv(mock_drm_open(mock));
	struct device *dev = prime_test_device(test);
	u32 handle;
	int fd;

	get_dma_buf(dmabuf);
	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	KUNIT_ASSERT_GE(test, fd, 0);
	drm_dev_set_dma_dev(mock->drm, dev);
	mock_drm_fail(mock, MOCK_GEM_OPEN, 1, -EACCES);
	KUNIT_EXPECT_EQ(test, drm_gem_prime_fd_to_handle(mock->drm, priv, fd, &handle), -EACCES);
	expect_refusal(test, dmabuf, DMA_BUF_STEP_HANDLE, dev);
	mock->driver.gem_prime_import = import_refuses;
	KUNIT_EXPECT_EQ(test, drm_gem_prime_fd_to_handle(mock->drm, priv, fd, &handle), -EXDEV);
	expect_refusal(test, dmabuf, DMA_BUF_STEP_IMPORT, dev);
	prime_test_close_fd(test, fd);
}
#endif

#if IS_ENABLED(CONFIG_DRM_PRIME_TRY_DEVICE)
/* As after an import. */
static void try_names_dma_device(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_export(mock_exporter_create(test, true));
	struct mock_drm *mock = mock_drm_create(test);
	struct file *file = mock_drm_open(mock);
	struct device *dev = prime_test_device(test);
	u32 judged;

	drm_dev_set_dma_dev(mock->drm, dev);
	mock->driver.gem_prime_import = import_refuses;
	KUNIT_EXPECT_EQ(test, drm_prime_import_try(file, dmabuf, &judged), -EXDEV);
	expect_refusal(test, dmabuf, DMA_BUF_STEP_IMPORT, dev);
}
#endif

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
	KUNIT_CASE(segments_for_dma_device),
#if IS_ENABLED(CONFIG_DRM_PRIME_NEGOTIATE)
	KUNIT_CASE(late_for_dma_device),
#endif
#if IS_ENABLED(CONFIG_DRM_PRIME_ACCOUNT)
	KUNIT_CASE(refusal_names_dma_device),
#endif
#if IS_ENABLED(CONFIG_DRM_PRIME_TRY_DEVICE)
	KUNIT_CASE(try_names_dma_device),
#endif
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
