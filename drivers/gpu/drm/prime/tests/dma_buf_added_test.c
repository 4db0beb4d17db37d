// SPDX-License-Identifier: GPL-2.0
/*
 * Exports of Linux 7.3 that the layer adds to 6.12.
 */
#include <linux/fdtable.h>

#include "mock_drm.h"
#include "mock_exporter.h"
#include "mock_importer.h"

/* An exporter that revokes asks this in its attach operation. */
static int attach_revocable_only(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	return dma_buf_attach_revocable(attach) ? 0 : -EOPNOTSUPP;
}

static void revocable(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct mock_importer *imp = mock_importer_create(test, true);
	struct dma_buf_attachment *attach;
	struct dma_buf *dmabuf;

	exp->ops.attach = attach_revocable_only;
	exp->ops.detach = NULL;
	dmabuf = mock_exporter_export(exp);
	attach = mock_importer_attach(mock_importer_create(test, false), dmabuf);
	KUNIT_EXPECT_EQ(test, PTR_ERR(attach), -EOPNOTSUPP);
	attach = mock_importer_attach(imp, dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	KUNIT_EXPECT_TRUE(test, dma_buf_attach_revocable(attach));
	dma_buf_detach(dmabuf, attach);
}

/* The fd names the buffer from this call on, and takes over the reference. */
static void fd_install_of_buffer(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct dma_buf *dmabuf = mock_exporter_export(exp), *found;
	int fd = get_unused_fd_flags(O_CLOEXEC);

	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_get(fd)), -EBADF);
	get_dma_buf(dmabuf);
	dma_buf_fd_install(dmabuf, fd);
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 2);
	found = dma_buf_get(fd);
	KUNIT_EXPECT_PTR_EQ(test, found, dmabuf);
	if (!IS_ERR(found))
		dma_buf_put(found);
	prime_test_close_fd(test, fd);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(file_count(dmabuf->file) == 1));
}

static struct dma_buf *export_object(struct kunit *test, struct mock_drm *mock)
{
	struct drm_gem_object *obj = mock_drm_object(mock);
	struct dma_buf *dmabuf = drm_gem_prime_export(obj, DRM_CLOEXEC);

	drm_gem_object_put(obj);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	return dmabuf;
}

static void is_prime_exported(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test), *other = mock_drm_create(test);
	struct dma_buf *dmabuf = export_object(test, mock);

	KUNIT_EXPECT_TRUE(test, drm_gem_is_prime_exported_dma_buf(mock->drm, dmabuf));
	KUNIT_EXPECT_FALSE(test, drm_gem_is_prime_exported_dma_buf(other->drm, dmabuf));
	dma_buf_put(dmabuf);
	dmabuf = mock_exporter_export(mock_exporter_create(test, false));
	KUNIT_EXPECT_FALSE(test, drm_gem_is_prime_exported_dma_buf(mock->drm, dmabuf));
}

/* A driver's own table of operations may keep anything in dma_buf.priv. */
static void is_not_prime_exported(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);
	struct drm_gem_object *obj = mock_drm_object(mock);
	static struct dma_buf_ops ops;
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf = export_object(test, mock);

	ops = *dmabuf->ops;
	dma_buf_put(dmabuf);
	info.ops = &ops;
	info.size = obj->size;
	info.priv = obj;
	dmabuf = drm_gem_dmabuf_export(mock->drm, &info);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	KUNIT_EXPECT_FALSE(test, drm_gem_is_prime_exported_dma_buf(mock->drm, dmabuf));
	dma_buf_put(dmabuf);
	drm_gem_object_put(obj);
}

static struct kunit_case dma_buf_added_cases[] = {
	KUNIT_CASE(revocable),
	KUNIT_CASE(fd_install_of_buffer),
	KUNIT_CASE(is_prime_exported),
	KUNIT_CASE(is_not_prime_exported),
	{}
};

static struct kunit_suite dma_buf_added_suite = {
	.name = "dma_buf_added",
	.test_cases = dma_buf_added_cases,
};

kunit_test_suite(dma_buf_added_suite);
