// SPDX-License-Identifier: GPL-2.0
/*
 * Exporting an object: the buffer it becomes, the driver's own export, release.
 */
#include <kunit/device.h>

#include "mock_drm.h"

struct export_fixture {
	struct mock_drm *mock;
	struct file *file;
	struct drm_file *priv;
	struct drm_gem_object *obj;
	u32 handle;
};

static int export_init(struct kunit *test)
{
	struct export_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fix);
	fix->mock = mock_drm_create(test);
	fix->file = mock_drm_open(fix->mock);
	fix->priv = mock_drm_priv(fix->file);
	fix->handle = mock_drm_object_handle(fix->mock, fix->file, &fix->obj);
	test->priv = fix;
	return 0;
}

static struct dma_buf *export_handle(struct kunit *test, u32 flags)
{
	struct export_fixture *fix = test->priv;
	struct dma_buf *dmabuf;

	dmabuf = drm_gem_prime_handle_to_dmabuf(fix->mock->drm, fix->priv, fix->handle, flags);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	return dmabuf;
}

static void export_fields(struct kunit *test)
{
	struct export_fixture *fix = test->priv;
	struct dma_buf *dmabuf = export_handle(test, DRM_CLOEXEC | DRM_RDWR);

	KUNIT_EXPECT_PTR_EQ(test, dmabuf->priv, (void *)fix->obj);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->resv, fix->obj->resv);
	KUNIT_EXPECT_EQ(test, dmabuf->size, fix->obj->size);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->owner, (struct module *)THIS_MODULE);
	/* The helpers stand in for every driver and give their own module's name. */
	KUNIT_EXPECT_STREQ(test, dmabuf->exp_name, "drm");
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->file->f_mapping, fix->mock->drm->anon_inode->i_mapping);
	KUNIT_EXPECT_PTR_EQ(test, fix->obj->dma_buf, dmabuf);
	dma_buf_put(dmabuf);
}

/* The operations are the helpers of <drm/drm_prime.h>. */
static void export_ops(struct kunit *test)
{
	struct dma_buf *dmabuf = export_handle(test, DRM_CLOEXEC);
	const struct dma_buf_ops *ops = dmabuf->ops;

	KUNIT_EXPECT_EQ(test, dma_buf_ops_keep_table(ops), DMA_BUF_MAPS_AT_ATTACH);
	KUNIT_EXPECT_NULL(test, ops->pin);
	KUNIT_EXPECT_NULL(test, ops->unpin);
	KUNIT_EXPECT_PTR_EQ(test, ops->attach, &drm_gem_map_attach);
	KUNIT_EXPECT_PTR_EQ(test, ops->detach, &drm_gem_map_detach);
	KUNIT_EXPECT_PTR_EQ(test, ops->map_dma_buf, &drm_gem_map_dma_buf);
	KUNIT_EXPECT_PTR_EQ(test, ops->unmap_dma_buf, &drm_gem_unmap_dma_buf);
	KUNIT_EXPECT_PTR_EQ(test, ops->release, &drm_gem_dmabuf_release);
	KUNIT_EXPECT_PTR_EQ(test, ops->mmap, &drm_gem_dmabuf_mmap);
	KUNIT_EXPECT_PTR_EQ(test, ops->vmap, &drm_gem_dmabuf_vmap);
	KUNIT_EXPECT_PTR_EQ(test, ops->vunmap, &drm_gem_dmabuf_vunmap);
	dma_buf_put(dmabuf);
}

static void export_references(struct kunit *test)
{
	struct export_fixture *fix = test->priv;
	struct dma_buf *dmabuf;
	unsigned int devices;

	devices = kref_read(&fix->mock->drm->ref);
	KUNIT_EXPECT_EQ(test, mock_gem_refs(fix->obj), 1u);
	dmabuf = export_handle(test, DRM_CLOEXEC);
	KUNIT_EXPECT_EQ(test, mock_gem_refs(fix->obj), 2u);
	KUNIT_EXPECT_EQ(test, kref_read(&fix->mock->drm->ref), devices + 1);

	drm_gem_object_get(fix->obj);
	KUNIT_EXPECT_EQ(test, drm_gem_handle_delete(fix->priv, fix->handle), 0);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_gem_refs(fix->obj) == 1));
	KUNIT_EXPECT_EQ(test, kref_read(&fix->mock->drm->ref), devices);
	drm_gem_object_put(fix->obj);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_FREE, 1);
}

static void export_driver_function(struct kunit *test)
{
	struct export_fixture *fix = test->priv;

	dma_buf_put(export_handle(test, DRM_CLOEXEC));
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_EXPORT, 1);
}

static void export_default_function(struct kunit *test)
{
	struct export_fixture *fix = test->priv;
	struct dma_buf *dmabuf;

	fix->mock->funcs.export = NULL;
	dmabuf = export_handle(test, DRM_CLOEXEC);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->priv, (void *)fix->obj);
	dma_buf_put(dmabuf);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_EXPORT, 0);
}

/* The function itself leaves the object's dma_buf alone. */
static void export_direct(struct kunit *test)
{
	struct export_fixture *fix = test->priv;
	struct dma_buf *dmabuf = drm_gem_prime_export(fix->obj, O_CLOEXEC);

	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	KUNIT_EXPECT_NULL(test, fix->obj->dma_buf);
	KUNIT_EXPECT_EQ(test, mock_gem_refs(fix->obj), 2u);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_gem_refs(fix->obj) == 1));
}

/* The reference on the device and the object are taken only when the core agrees. */
static void dmabuf_export_fails(struct kunit *test)
{
	struct export_fixture *fix = test->priv;
	unsigned int devices = kref_read(&fix->mock->drm->ref);
	struct dma_buf_export_info info = {};
	struct dma_buf *dmabuf;

	PRIME_TEST_NEEDS_WARN(test);
	info.priv = fix->obj;
	info.size = fix->obj->size;
	dmabuf = drm_gem_dmabuf_export(fix->mock->drm, &info);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dmabuf), -EINVAL);
	KUNIT_EXPECT_EQ(test, mock_gem_refs(fix->obj), 1u);
	KUNIT_EXPECT_EQ(test, kref_read(&fix->mock->drm->ref), devices);
}

/* A close that is under way has taken the object's last handle already. */
static void export_without_handles(struct kunit *test)
{
	struct export_fixture *fix = test->priv;
	struct dma_buf *dmabuf;

	mutex_lock(&fix->mock->drm->object_name_lock);
	fix->obj->handle_count--;
	mutex_unlock(&fix->mock->drm->object_name_lock);
	dmabuf = drm_gem_prime_handle_to_dmabuf(fix->mock->drm, fix->priv, fix->handle,
						DRM_CLOEXEC);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dmabuf), -ENOENT);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_EXPORT, 0);
	mutex_lock(&fix->mock->drm->object_name_lock);
	fix->obj->handle_count++;
	mutex_unlock(&fix->mock->drm->object_name_lock);
	KUNIT_EXPECT_EQ(test, mock_gem_refs(fix->obj), 1u);
}

/* DRM_RDWR lets user space map the buffer for writing. */
static void export_flags(struct kunit *test)
{
	struct export_fixture *fix = test->priv;
	struct dma_buf *dmabuf = export_handle(test, DRM_CLOEXEC);

	KUNIT_EXPECT_FALSE(test, dmabuf->file->f_mode & FMODE_WRITE);
	dma_buf_put(dmabuf);
	fix->handle = mock_drm_object_handle(fix->mock, fix->file, &fix->obj);
	dmabuf = export_handle(test, DRM_CLOEXEC | DRM_RDWR);
	KUNIT_EXPECT_TRUE(test, dmabuf->file->f_mode & FMODE_WRITE);
	dma_buf_put(dmabuf);
}

/* The buffer can be the last to hold the device, which its object needs to be freed. */
static void export_holds_device(struct kunit *test)
{
	struct export_fixture *fix = test->priv;
	struct dma_buf *dmabuf = export_handle(test, DRM_CLOEXEC);

	KUNIT_EXPECT_EQ(test, drm_gem_handle_delete(fix->priv, fix->handle), 0);
	mock_drm_close(fix->mock, fix->file);
	kunit_device_unregister(test, fix->mock->dev);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_FREE, 0);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_drm_calls(fix->mock, MOCK_GEM_FREE)));
}

/* The driver's module stays while the buffer can call it. */
static void export_holds_driver(struct kunit *test)
{
#ifdef CONFIG_MODULE_UNLOAD
	struct export_fixture *fix = test->priv;
	struct module *owner = prime_test_module(test, MODULE_STATE_LIVE);
	const struct file_operations owned = { .owner = owner };
	const struct file_operations *fops = fix->mock->driver.fops;
	struct dma_buf *dmabuf;

	fix->mock->driver.fops = &owned;
	dmabuf = export_handle(test, DRM_CLOEXEC);
	fix->mock->driver.fops = fops;
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->owner, owner);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner->refcnt), 2);
	KUNIT_EXPECT_EQ(test, drm_gem_handle_delete(fix->priv, fix->handle), 0);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(atomic_read(&owner->refcnt) == 1));
#else
	kunit_skip(test, "modules are not counted without CONFIG_MODULE_UNLOAD");
#endif
}

static struct kunit_case gem_prime_export_cases[] = {
	KUNIT_CASE(export_fields),
	KUNIT_CASE(export_ops),
	KUNIT_CASE(export_references),
	KUNIT_CASE(export_without_handles),
	KUNIT_CASE(export_flags),
	KUNIT_CASE(export_holds_device),
	KUNIT_CASE(export_holds_driver),
	KUNIT_CASE(export_driver_function),
	KUNIT_CASE(export_default_function),
	KUNIT_CASE(export_direct),
	KUNIT_CASE(dmabuf_export_fails),
	{}
};

static struct kunit_suite gem_prime_export_suite = {
	.name = "gem_prime_export",
	.init = export_init,
	.test_cases = gem_prime_export_cases,
};

kunit_test_suite(gem_prime_export_suite);
