// SPDX-License-Identifier: GPL-2.0
/*
 * Handles to descriptors and back, through the functions and through the ioctls.
 */
#include <linux/mman.h>
#include <linux/uaccess.h>

#include <uapi/drm/drm.h>

#include "mock_drm.h"
#include "mock_exporter.h"

struct handle_fixture {
	struct mock_drm *mock;
	struct drm_device *drm;
	struct file *file;
	struct drm_file *priv;
};

static int handle_init(struct kunit *test)
{
	struct handle_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fix);
	fix->mock = mock_drm_create(test);
	fix->drm = fix->mock->drm;
	fix->file = mock_drm_open(fix->mock);
	fix->priv = mock_drm_priv(fix->file);
	test->priv = fix;
	return 0;
}

static int to_fd(struct handle_fixture *fix, u32 handle, u32 flags, int *fd)
{
	return drm_gem_prime_handle_to_fd(fix->drm, fix->priv, handle, flags, fd);
}

static int to_handle(struct handle_fixture *fix, int fd, u32 *handle)
{
	return drm_gem_prime_fd_to_handle(fix->drm, fix->priv, fd, handle);
}

/* User space may pass any 32 bits, also when the file has a table to look them up in. */
static void huge_handles(struct kunit *test)
{
	struct handle_fixture *fix = test->priv;
	u32 handle = mock_drm_object_handle(fix->mock, fix->file, NULL), i;
	int fd = -1, unused = -1;

	KUNIT_ASSERT_EQ(test, to_fd(fix, handle, DRM_CLOEXEC, &fd), 0);
	for (i = 0; i < 16; i++) {
		KUNIT_EXPECT_EQ(test, to_fd(fix, BIT(31) + i, 0, &unused), -ENOENT);
		KUNIT_EXPECT_EQ(test, to_fd(fix, U32_MAX - i, 0, &unused), -ENOENT);
	}
	prime_test_close_fd(test, fd);
}

static void unknown_handle(struct kunit *test)
{
	struct handle_fixture *fix = test->priv;
	u32 handle = mock_drm_object_handle(fix->mock, fix->file, NULL);
	int fd = -1, free_fd = prime_test_next_fd();

	KUNIT_EXPECT_EQ(test, to_fd(fix, 0, 0, &fd), -ENOENT);
	KUNIT_EXPECT_EQ(test, to_fd(fix, handle + 1, 0, &fd), -ENOENT);
	KUNIT_EXPECT_EQ(test, to_fd(fix, U32_MAX, 0, &fd), -ENOENT);
	KUNIT_EXPECT_EQ(test, drm_gem_handle_delete(fix->priv, handle), 0);
	KUNIT_EXPECT_EQ(test, to_fd(fix, handle, 0, &fd), -ENOENT);
	KUNIT_EXPECT_EQ(test, prime_test_next_fd(), free_fd);
	KUNIT_EXPECT_EQ(test, PTR_ERR(drm_gem_prime_handle_to_dmabuf(fix->drm, fix->priv, handle,
								     0)), -ENOENT);
}

/* A handle says nothing in another file. */
static void foreign_handle(struct kunit *test)
{
	struct handle_fixture *fix = test->priv;
	struct file *other = mock_drm_open(fix->mock);
	u32 handle = mock_drm_object_handle(fix->mock, other, NULL);
	int fd = -1;

	KUNIT_EXPECT_EQ(test, to_fd(fix, handle, 0, &fd), -ENOENT);
}

static void bad_fd(struct kunit *test)
{
	struct handle_fixture *fix = test->priv;
	u32 handle = 0;

	KUNIT_EXPECT_EQ(test, to_handle(fix, -1, &handle), -EBADF);
	KUNIT_EXPECT_EQ(test, to_handle(fix, prime_test_next_fd(), &handle), -EBADF);
}

static void foreign_fd(struct kunit *test)
{
	struct handle_fixture *fix = test->priv;
	int fd = get_unused_fd_flags(O_CLOEXEC);
	u32 handle = 0;

	KUNIT_ASSERT_GE(test, fd, 0);
	fd_install(fd, get_file(fix->file));
	KUNIT_EXPECT_EQ(test, to_handle(fix, fd, &handle), -EINVAL);
	prime_test_close_fd(test, fd);
}

static void self_import(struct kunit *test)
{
	struct handle_fixture *fix = test->priv;
	struct drm_gem_object *obj, *again;
	u32 handle = mock_drm_object_handle(fix->mock, fix->file, &obj), back = 0;
	int fd;

	KUNIT_EXPECT_EQ(test, mock_gem_refs(obj), 1u);
	KUNIT_ASSERT_EQ(test, to_fd(fix, handle, DRM_CLOEXEC | DRM_RDWR, &fd), 0);
	/* The handle's reference and the exported buffer's. */
	KUNIT_EXPECT_EQ(test, mock_gem_refs(obj), 2u);
	KUNIT_ASSERT_EQ(test, to_handle(fix, fd, &back), 0);
	KUNIT_EXPECT_EQ(test, back, handle);
	KUNIT_EXPECT_EQ(test, mock_gem_refs(obj), 2u);
	KUNIT_EXPECT_EQ(test, obj->handle_count, 1u);
	again = drm_gem_object_lookup(fix->priv, back);
	KUNIT_EXPECT_PTR_EQ(test, again, obj);
	drm_gem_object_put(again);
	KUNIT_EXPECT_NULL(test, obj->import_attach);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_IMPORT, 0);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_PIN, 0);
	prime_test_close_fd(test, fd);
}

/* Another file of the same device gets a handle of its own on the same object. */
static void self_import_other_file(struct kunit *test)
{
	struct handle_fixture *fix = test->priv;
	struct file *other = mock_drm_open(fix->mock);
	struct drm_gem_object *obj, *again;
	u32 handle = mock_drm_object_handle(fix->mock, fix->file, &obj), one = 0, two = 0;
	int fd;

	KUNIT_ASSERT_EQ(test, to_fd(fix, handle, DRM_CLOEXEC, &fd), 0);
	KUNIT_ASSERT_EQ(test, drm_gem_prime_fd_to_handle(fix->drm, mock_drm_priv(other), fd, &one),
			0);
	KUNIT_ASSERT_EQ(test, drm_gem_prime_fd_to_handle(fix->drm, mock_drm_priv(other), fd, &two),
			0);
	KUNIT_EXPECT_EQ(test, one, two);
	again = drm_gem_object_lookup(mock_drm_priv(other), one);
	KUNIT_EXPECT_PTR_EQ(test, again, obj);
	drm_gem_object_put(again);
	KUNIT_EXPECT_EQ(test, obj->handle_count, 2u);
	prime_test_close_fd(test, fd);
}

/* However often it is exported, an object has one buffer. */
static void export_again(struct kunit *test)
{
	struct handle_fixture *fix = test->priv;
	struct drm_gem_object *obj;
	u32 handle = mock_drm_object_handle(fix->mock, fix->file, &obj);
	struct dma_buf *one, *two;
	int fd[2];

	KUNIT_ASSERT_EQ(test, to_fd(fix, handle, DRM_CLOEXEC, &fd[0]), 0);
	KUNIT_ASSERT_EQ(test, to_fd(fix, handle, DRM_CLOEXEC, &fd[1]), 0);
	KUNIT_EXPECT_NE(test, fd[0], fd[1]);
	one = dma_buf_get(fd[0]);
	two = dma_buf_get(fd[1]);
	KUNIT_ASSERT_FALSE(test, IS_ERR(one));
	KUNIT_EXPECT_PTR_EQ(test, one, two);
	KUNIT_EXPECT_PTR_EQ(test, obj->dma_buf, one);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_EXPORT, 1);
	dma_buf_put(one);
	dma_buf_put(two);
	prime_test_close_fd(test, fd[0]);
	prime_test_close_fd(test, fd[1]);
	/* The object keeps its buffer as long as it has handles. */
	KUNIT_EXPECT_PTR_EQ(test, obj->dma_buf, one);
	KUNIT_EXPECT_EQ(test, mock_gem_refs(obj), 2u);
}

static void handle_to_dmabuf(struct kunit *test)
{
	struct handle_fixture *fix = test->priv;
	struct drm_gem_object *obj;
	u32 handle = mock_drm_object_handle(fix->mock, fix->file, &obj);
	struct dma_buf *one, *two;
	int free_fd = prime_test_next_fd();

	one = drm_gem_prime_handle_to_dmabuf(fix->drm, fix->priv, handle, DRM_CLOEXEC);
	KUNIT_ASSERT_FALSE(test, IS_ERR(one));
	two = drm_gem_prime_handle_to_dmabuf(fix->drm, fix->priv, handle, DRM_CLOEXEC);
	KUNIT_EXPECT_PTR_EQ(test, one, two);
	KUNIT_EXPECT_EQ(test, prime_test_next_fd(), free_fd);
	dma_buf_put(two);
	dma_buf_put(one);
}

/* The buffer outlives its handle, and the object lives as long as the buffer. */
static void close_handle_keep_fd(struct kunit *test)
{
	struct handle_fixture *fix = test->priv;
	struct drm_gem_object *obj;
	u32 handle = mock_drm_object_handle(fix->mock, fix->file, &obj), back = 0;
	int fd;

	KUNIT_ASSERT_EQ(test, to_fd(fix, handle, DRM_CLOEXEC, &fd), 0);
	KUNIT_ASSERT_EQ(test, drm_gem_handle_delete(fix->priv, handle), 0);
	flush_delayed_fput();
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_FREE, 0);
	KUNIT_EXPECT_NULL(test, obj->dma_buf);
	KUNIT_EXPECT_EQ(test, mock_gem_refs(obj), 1u);

	KUNIT_ASSERT_EQ(test, to_handle(fix, fd, &back), 0);
	KUNIT_EXPECT_EQ(test, obj->handle_count, 1u);
	KUNIT_EXPECT_EQ(test, drm_gem_handle_delete(fix->priv, back), 0);
	prime_test_close_fd(test, fd);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_drm_calls(fix->mock, MOCK_GEM_FREE)));
}

/*
 * A framebuffer keeps an object without handles, and gives it a handle again:
 * the object still has the buffer that somebody has a descriptor of.
 */
static void regained_handle(struct kunit *test)
{
	struct handle_fixture *fix = test->priv;
	struct drm_gem_object *obj;
	u32 handle = mock_drm_object_handle(fix->mock, fix->file, &obj);
	struct dma_buf *first, *second;
	int fd, again;

	drm_gem_object_get(obj);
	KUNIT_ASSERT_EQ(test, to_fd(fix, handle, DRM_CLOEXEC, &fd), 0);
	first = obj->dma_buf;
	KUNIT_ASSERT_EQ(test, drm_gem_handle_delete(fix->priv, handle), 0);
	KUNIT_EXPECT_NULL(test, obj->dma_buf);

	KUNIT_ASSERT_EQ(test, drm_gem_handle_create(fix->priv, obj, &handle), 0);
	KUNIT_ASSERT_EQ(test, to_fd(fix, handle, DRM_CLOEXEC, &again), 0);
	second = obj->dma_buf;
	KUNIT_EXPECT_PTR_EQ(test, second, first);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_EXPORT, 1);

	/* An import of the fd gives the object, also when the object has no handle. */
	prime_test_close_fd(test, again);
	KUNIT_ASSERT_EQ(test, drm_gem_handle_delete(fix->priv, handle), 0);
	KUNIT_ASSERT_EQ(test, to_handle(fix, fd, &handle), 0);
	KUNIT_EXPECT_PTR_EQ(test, obj->dma_buf, first);
	KUNIT_ASSERT_EQ(test, drm_gem_handle_delete(fix->priv, handle), 0);
	prime_test_close_fd(test, fd);
	drm_gem_object_put(obj);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_drm_calls(fix->mock, MOCK_GEM_FREE)));
}

/* With the last reference the buffer is forgotten: the next export is a new one. */
static void exported_anew(struct kunit *test)
{
	struct handle_fixture *fix = test->priv;
	struct drm_gem_object *obj;
	u32 handle = mock_drm_object_handle(fix->mock, fix->file, &obj);
	int fd;

	drm_gem_object_get(obj);
	KUNIT_ASSERT_EQ(test, to_fd(fix, handle, DRM_CLOEXEC, &fd), 0);
	KUNIT_ASSERT_EQ(test, drm_gem_handle_delete(fix->priv, handle), 0);
	prime_test_close_fd(test, fd);
	/* The buffer has ended: only the test still has a reference to the object. */
	KUNIT_ASSERT_TRUE(test, prime_test_wait(mock_gem_refs(obj) == 1));

	KUNIT_ASSERT_EQ(test, drm_gem_handle_create(fix->priv, obj, &handle), 0);
	KUNIT_ASSERT_EQ(test, to_fd(fix, handle, DRM_CLOEXEC, &fd), 0);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_EXPORT, 2);
	prime_test_close_fd(test, fd);
	KUNIT_ASSERT_EQ(test, drm_gem_handle_delete(fix->priv, handle), 0);
	drm_gem_object_put(obj);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_drm_calls(fix->mock, MOCK_GEM_FREE)));
}

static struct dma_buf *export_of_another;

static struct dma_buf *export_imported(struct drm_gem_object *obj, int flags)
{
	get_dma_buf(export_of_another);
	return export_of_another;
}

/*
 * amdxdna keeps objects of buffers that it imported, and exports those buffers. Such
 * a buffer may outlive the object. So it is not found by the object.
 */
static void exports_what_it_imported(struct kunit *test)
{
	struct dma_buf *dmabuf[2];
	struct handle_fixture *fix = test->priv;
	struct drm_gem_object *obj;
	u32 handle = mock_drm_object_handle(fix->mock, fix->file, &obj);
	int i, fd[2];

	fix->mock->funcs.export = export_imported;
	drm_gem_object_get(obj);
	for (i = 0; i < 2; i++) {
		dmabuf[i] = mock_exporter_export(mock_exporter_create(test, false));
		KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf[i]));
		export_of_another = dmabuf[i];
		KUNIT_ASSERT_EQ(test, to_fd(fix, handle, DRM_CLOEXEC, &fd[i]), 0);
		KUNIT_EXPECT_PTR_EQ(test, obj->dma_buf, dmabuf[i]);
		KUNIT_ASSERT_EQ(test, drm_gem_handle_delete(fix->priv, handle), 0);
		KUNIT_ASSERT_EQ(test, drm_gem_handle_create(fix->priv, obj, &handle), 0);
	}
	drm_gem_object_put(obj);
	KUNIT_ASSERT_EQ(test, drm_gem_handle_delete(fix->priv, handle), 0);
	for (i = 0; i < 2; i++) {
		prime_test_close_fd(test, fd[i]);
		mock_exporter_put(test, dmabuf[i]);
	}
}

/* Closing the file drops its handles as closing each would. */
static void close_file_keep_fd(struct kunit *test)
{
	struct handle_fixture *fix = test->priv;
	struct file *other = mock_drm_open(fix->mock);
	struct drm_gem_object *obj;
	u32 handle = mock_drm_object_handle(fix->mock, other, &obj), back = 0;
	int fd;

	KUNIT_ASSERT_EQ(test, drm_gem_prime_handle_to_fd(fix->drm, mock_drm_priv(other), handle,
							 DRM_CLOEXEC, &fd), 0);
	mock_drm_close(fix->mock, other);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_FREE, 0);
	KUNIT_EXPECT_EQ(test, to_handle(fix, fd, &back), 0);
	prime_test_close_fd(test, fd);
	KUNIT_EXPECT_EQ(test, drm_gem_handle_delete(fix->priv, back), 0);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_drm_calls(fix->mock, MOCK_GEM_FREE)));
}

/* With no descriptor to have, nothing is kept. */
static void to_fd_table_full(struct kunit *test)
{
	struct handle_fixture *fix = test->priv;
	struct drm_gem_object *obj;
	u32 handle = mock_drm_object_handle(fix->mock, fix->file, &obj);
	int fd = -1, free_fd = prime_test_next_fd();
	long count;

	prime_test_set_nofile(0);
	KUNIT_EXPECT_EQ(test, to_fd(fix, handle, DRM_CLOEXEC, &fd), -EMFILE);
	prime_test_set_nofile(1024);
	KUNIT_EXPECT_EQ(test, prime_test_next_fd(), free_fd);
	KUNIT_EXPECT_NULL(test, obj->dma_buf);
	KUNIT_EXPECT_EQ(test, mock_gem_refs(obj), 1u);

	/* An object that was exported before keeps what it had. */
	KUNIT_ASSERT_EQ(test, to_fd(fix, handle, DRM_CLOEXEC, &fd), 0);
	count = file_count(obj->dma_buf->file);
	prime_test_set_nofile(0);
	KUNIT_EXPECT_EQ(test, to_fd(fix, handle, DRM_CLOEXEC, &fd), -EMFILE);
	prime_test_set_nofile(1024);
	KUNIT_EXPECT_EQ(test, file_count(obj->dma_buf->file), count);
	prime_test_close_fd(test, fd);
}

static void to_fd_export_fails(struct kunit *test)
{
	struct handle_fixture *fix = test->priv;
	struct drm_gem_object *obj;
	u32 handle = mock_drm_object_handle(fix->mock, fix->file, &obj);
	int fd = -1, free_fd = prime_test_next_fd();

	mock_drm_fail(fix->mock, MOCK_GEM_EXPORT, 1, -ENODEV);
	KUNIT_EXPECT_EQ(test, to_fd(fix, handle, DRM_CLOEXEC, &fd), -ENODEV);
	KUNIT_EXPECT_EQ(test, prime_test_next_fd(), free_fd);
	KUNIT_EXPECT_NULL(test, obj->dma_buf);
	KUNIT_EXPECT_EQ(test, mock_gem_refs(obj), 1u);
	KUNIT_EXPECT_EQ(test, to_fd(fix, handle, DRM_CLOEXEC, &fd), 0);
	prime_test_close_fd(test, fd);
}

static long prime_ioctl(struct kunit *test, unsigned int cmd, struct drm_prime_handle *args)
{
	struct handle_fixture *fix = test->priv;
	void __user *arg = prime_test_user_page(test, PROT_READ | PROT_WRITE);
	long ret;

	KUNIT_ASSERT_EQ(test, copy_to_user(arg, args, sizeof(*args)), 0);
	ret = fix->file->f_op->unlocked_ioctl(fix->file, cmd, (unsigned long)arg);
	KUNIT_ASSERT_EQ(test, copy_from_user(args, arg, sizeof(*args)), 0);
	return ret;
}

static void ioctl_round_trip(struct kunit *test)
{
	struct handle_fixture *fix = test->priv;
	u32 handle = mock_drm_object_handle(fix->mock, fix->file, NULL);
	struct drm_prime_handle args = { .handle = handle, .flags = DRM_CLOEXEC | DRM_RDWR };
	struct dma_buf *dmabuf;
	int fd;

	KUNIT_ASSERT_EQ(test, prime_ioctl(test, DRM_IOCTL_PRIME_HANDLE_TO_FD, &args), 0);
	fd = args.fd;
	dmabuf = dma_buf_get(fd);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	KUNIT_EXPECT_TRUE(test, dmabuf->file->f_mode & FMODE_WRITE);
	dma_buf_put(dmabuf);
	args = (struct drm_prime_handle) { .fd = fd };
	KUNIT_ASSERT_EQ(test, prime_ioctl(test, DRM_IOCTL_PRIME_FD_TO_HANDLE, &args), 0);
	KUNIT_EXPECT_EQ(test, args.handle, handle);
	prime_test_close_fd(test, fd);
}

static void ioctl_without_rdwr(struct kunit *test)
{
	struct handle_fixture *fix = test->priv;
	u32 handle = mock_drm_object_handle(fix->mock, fix->file, NULL);
	struct drm_prime_handle args = { .handle = handle, .flags = DRM_CLOEXEC };
	struct dma_buf *dmabuf;

	KUNIT_ASSERT_EQ(test, prime_ioctl(test, DRM_IOCTL_PRIME_HANDLE_TO_FD, &args), 0);
	dmabuf = dma_buf_get(args.fd);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	KUNIT_EXPECT_FALSE(test, dmabuf->file->f_mode & FMODE_WRITE);
	dma_buf_put(dmabuf);
	prime_test_close_fd(test, args.fd);
}

static void ioctl_bad_flags(struct kunit *test)
{
	struct handle_fixture *fix = test->priv;
	struct drm_gem_object *obj;
	u32 handle = mock_drm_object_handle(fix->mock, fix->file, &obj);
	struct drm_prime_handle args = { .handle = handle, .flags = BIT(30) };
	int free_fd = prime_test_next_fd();

	KUNIT_EXPECT_EQ(test, prime_ioctl(test, DRM_IOCTL_PRIME_HANDLE_TO_FD, &args), -EINVAL);
	KUNIT_EXPECT_EQ(test, prime_test_next_fd(), free_fd);
	KUNIT_EXPECT_NULL(test, obj->dma_buf);
}

/* A driver's own conversions take the place of the helpers in the ioctls. */
static int own_handle_to_fd(struct drm_device *dev, struct drm_file *file_priv, u32 handle,
			    u32 flags, int *prime_fd)
{
	return -EXDEV;
}

static int own_fd_to_handle(struct drm_device *dev, struct drm_file *file_priv, int prime_fd,
			    u32 *handle)
{
	return -EXFULL;
}

static void ioctl_driver_hooks(struct kunit *test)
{
	struct handle_fixture *fix = test->priv;
	struct drm_prime_handle args = { .handle = 1, .flags = DRM_CLOEXEC };

	fix->mock->driver.prime_handle_to_fd = own_handle_to_fd;
	fix->mock->driver.prime_fd_to_handle = own_fd_to_handle;
	KUNIT_EXPECT_EQ(test, prime_ioctl(test, DRM_IOCTL_PRIME_HANDLE_TO_FD, &args), -EXDEV);
	KUNIT_EXPECT_EQ(test, prime_ioctl(test, DRM_IOCTL_PRIME_FD_TO_HANDLE, &args), -EXFULL);
}

static struct kunit_case gem_prime_handle_cases[] = {
	KUNIT_CASE(unknown_handle),
	KUNIT_CASE(huge_handles),
	KUNIT_CASE(foreign_handle),
	KUNIT_CASE(bad_fd),
	KUNIT_CASE(foreign_fd),
	KUNIT_CASE(self_import),
	KUNIT_CASE(self_import_other_file),
	KUNIT_CASE(export_again),
	KUNIT_CASE(handle_to_dmabuf),
	KUNIT_CASE(close_handle_keep_fd),
	KUNIT_CASE(regained_handle),
	KUNIT_CASE(exported_anew),
	KUNIT_CASE(exports_what_it_imported),
	KUNIT_CASE(close_file_keep_fd),
	KUNIT_CASE(to_fd_table_full),
	KUNIT_CASE(to_fd_export_fails),
	KUNIT_CASE(ioctl_round_trip),
	KUNIT_CASE(ioctl_without_rdwr),
	KUNIT_CASE(ioctl_bad_flags),
	KUNIT_CASE(ioctl_driver_hooks),
	{}
};

static struct kunit_suite gem_prime_handle_suite = {
	.name = "gem_prime_handle",
	.init = handle_init,
	.test_cases = gem_prime_handle_cases,
};

kunit_test_suite(gem_prime_handle_suite);
