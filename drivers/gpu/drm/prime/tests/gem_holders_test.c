// SPDX-License-Identifier: GPL-2.0
/*
 * What DRM tells of the holders of buffers. The processes that hold them, and the list
 * that root reads, are in igt-tests/dmabuf_fd.c and dma_buf_list_test.c.
 */
#include "../gem/internal.h"
#include "../account/internal.h"
#include "mock_drm.h"

#define ROOM 8

struct holders_fixture {
	struct mock_drm *drm;
	struct file *file;
	struct dma_buf_holder records[ROOM];
	struct dma_buf_holders h;
};

static void add(struct dma_buf_holders *h, struct dma_buf_holder record)
{
	if (h->used < h->room)
		h->records[h->used] = record;
	h->used++;
}

static int holders_init(struct kunit *test)
{
	struct holders_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fix);
	test->priv = fix;
	fix->drm = mock_drm_create(test);
	fix->file = mock_drm_open(fix->drm);
	fix->h = (struct dma_buf_holders){ .records = fix->records, .room = ROOM, .add = add };
	return 0;
}

/* What the file has, or what the object is if @obj is not NULL. */
static void find(struct kunit *test, struct drm_gem_object *obj, u64 ino, size_t number)
{
	struct holders_fixture *fix = test->priv;

	fix->h.used = 0;
	drm_prime_holders_find(&fix->h, obj ? NULL : fix->file, obj, ino);
	KUNIT_ASSERT_EQ(test, fix->h.used, number);
}

/* Nobody knows the buffer of an object that was never exported. */
static void plain_handle(struct kunit *test)
{
	struct holders_fixture *fix = test->priv;
	struct drm_gem_object *obj;
	u32 handle = mock_drm_object_handle(fix->drm, fix->file, &obj);

	find(test, NULL, 0, 1);
	KUNIT_EXPECT_STREQ(test, fix->records[0].what, "handle");
	KUNIT_EXPECT_EQ(test, fix->records[0].number, handle);
	KUNIT_EXPECT_PTR_EQ(test, fix->records[0].object, (const void *)obj);
	KUNIT_EXPECT_EQ(test, fix->records[0].files, 0);
	KUNIT_EXPECT_EQ(test, fix->records[0].head, 0);
	KUNIT_EXPECT_EQ(test, fix->h.busy, 0);
}

/* The handle and the buffer have one reference each, and the table has the buffer. */
static void exported_handle(struct kunit *test)
{
	struct holders_fixture *fix = test->priv;
	struct drm_gem_object *obj;
	u32 handle = mock_drm_object_handle(fix->drm, fix->file, &obj);
	struct dma_buf *dmabuf;

	dmabuf = drm_gem_prime_handle_to_dmabuf(fix->drm->drm, mock_drm_priv(fix->file), handle,
						DRM_CLOEXEC);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	find(test, NULL, 0, 1);
	KUNIT_EXPECT_EQ(test, fix->records[0].files, 1);
	find(test, obj, 7, 1);
	KUNIT_EXPECT_STREQ(test, fix->records[0].what, "object");
	KUNIT_EXPECT_EQ(test, fix->records[0].ino, 7);
	KUNIT_EXPECT_EQ(test, fix->records[0].head, 1);
	KUNIT_EXPECT_EQ(test, fix->records[0].count, 2);
	KUNIT_EXPECT_EQ(test, fix->records[0].objects, 2);
	KUNIT_EXPECT_EQ(test, fix->records[0].files, 1);
	KUNIT_EXPECT_STREQ(test, fix->records[0].where, fix->drm->driver.name);
	dma_buf_put(dmabuf);
}

/* A lock that another has is counted, and what it protects is not seen. */
static void busy_table(struct kunit *test)
{
	struct holders_fixture *fix = test->priv;
	struct drm_file *file = mock_drm_priv(fix->file);
	struct drm_gem_object *obj;
	u32 handle = mock_drm_object_handle(fix->drm, fix->file, &obj);
	struct dma_buf *dmabuf;

	dmabuf = drm_gem_prime_handle_to_dmabuf(fix->drm->drm, file, handle, DRM_CLOEXEC);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	mutex_lock(&to_drm_prime_table(&file->prime)->lock);
	find(test, NULL, 0, 1);
	mutex_unlock(&to_drm_prime_table(&file->prime)->lock);
	KUNIT_EXPECT_EQ(test, fix->records[0].files, 0);
	KUNIT_EXPECT_EQ(test, fix->h.busy, 1);
	mutex_lock(&file->fbs_lock);
	find(test, NULL, 0, 1);
	mutex_unlock(&file->fbs_lock);
	KUNIT_EXPECT_EQ(test, fix->records[0].files, 1);
	KUNIT_EXPECT_EQ(test, fix->h.busy, 2);
	dma_buf_put(dmabuf);
}

/* A driver without GEM has no table of handles. */
static void without_gem(struct kunit *test)
{
	struct holders_fixture *fix = test->priv;
	struct drm_gem_object *obj;

	mock_drm_object_handle(fix->drm, fix->file, &obj);
	fix->drm->drm->driver_features &= ~DRIVER_GEM;
	find(test, NULL, 0, 0);
	fix->drm->drm->driver_features |= DRIVER_GEM;
}

static struct kunit_case gem_holders_cases[] = {
	KUNIT_CASE(plain_handle),
	KUNIT_CASE(exported_handle),
	KUNIT_CASE(busy_table),
	KUNIT_CASE(without_gem),
	{}
};

static struct kunit_suite gem_holders_suite = {
	.name = "gem_holders",
	.init = holders_init,
	.test_cases = gem_holders_cases,
};

kunit_test_suite(gem_holders_suite);
