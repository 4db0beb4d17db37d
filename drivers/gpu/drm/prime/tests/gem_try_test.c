// SPDX-License-Identifier: GPL-2.0
/*
 * Would a device take this buffer? The answer is that of the import, and nothing is
 * left. The device nodes that a program names are in igt-tests/dmabuf_try.c.
 */
#include <linux/dma-buf-constraints.h>
#include <linux/fdtable.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/uaccess.h>

#include "../try/internal.h"
#include "mock_drm.h"
#include "mock_exporter.h"

struct try_fixture {
	struct mock_exporter *exp;
	struct mock_drm *importer;
	struct file *device;
	struct dma_buf *dmabuf;
	void __user *arg;
	int fd;
};

static void close_fd_of(void *data)
{
	struct try_fixture *fix = data;

	close_fd(fix->fd);
	flush_delayed_fput();
}

static int try_init(struct kunit *test)
{
	struct try_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fix);
	test->priv = fix;
	fix->exp = mock_exporter_create(test, true);
	fix->importer = mock_drm_create(test);
	fix->device = mock_drm_open(fix->importer);
	fix->arg = prime_test_user_page(test, PROT_READ | PROT_WRITE);
	fix->dmabuf = mock_exporter_export(fix->exp);
	get_dma_buf(fix->dmabuf);
	fix->fd = dma_buf_fd(fix->dmabuf, O_CLOEXEC);
	KUNIT_ASSERT_GE(test, fix->fd, 0);
	return kunit_add_action_or_reset(test, close_fd_of, fix);
}

/* The last reference of the attempt may be dropped a bit later, so this waits for it. */
static void expect_nothing_left(struct kunit *test, long count)
{
	struct try_fixture *fix = test->priv;

	KUNIT_EXPECT_TRUE(test, prime_test_wait(file_count(fix->dmabuf->file) == count));
	KUNIT_EXPECT_TRUE(test, list_empty(&fix->dmabuf->attachments));
	KUNIT_EXPECT_EQ(test, mock_drm_calls(fix->importer, MOCK_GEM_FREE),
			fix->importer->created);
	mock_exporter_expect_balanced(fix->exp);
}

static int try(struct kunit *test, u32 judged)
{
	struct try_fixture *fix = test->priv;
	long count = file_count(fix->dmabuf->file);
	u32 said = 0;
	int ret = drm_prime_import_try(fix->device, fix->dmabuf, &said);

	KUNIT_EXPECT_EQ(test, said, judged);
	expect_nothing_left(test, count);
	return ret;
}

static int import(struct kunit *test, u32 *handle)
{
	struct try_fixture *fix = test->priv;

	return drm_gem_prime_fd_to_handle(fix->importer->drm, mock_drm_priv(fix->device),
					  fix->fd, handle);
}

static void taken(struct kunit *test)
{
	struct try_fixture *fix = test->priv;
	u32 handle = 1;

	KUNIT_EXPECT_EQ(test, try(test, DMA_BUF_TRY_IMPORT), 0);
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_IMPORT, 1);
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_OPEN, 0);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_MAP, 1);
	/* No handle leads to it. */
	KUNIT_EXPECT_EQ(test, drm_gem_handle_delete(mock_drm_priv(fix->device), handle), -EINVAL);
	/* And the file does not know the buffer. */
	KUNIT_EXPECT_EQ(test, import(test, &handle), 0);
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_IMPORT, 2);
}

/* The file has a handle for it, which the import would return. */
static void known(struct kunit *test)
{
	struct try_fixture *fix = test->priv;
	u32 handle, said = 0;

	KUNIT_ASSERT_EQ(test, import(test, &handle), 0);
	KUNIT_EXPECT_EQ(test, drm_prime_import_try(fix->device, fix->dmabuf, &said), 0);
	KUNIT_EXPECT_EQ(test, said, DMA_BUF_TRY_IMPORT);
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_IMPORT, 1);
	KUNIT_EXPECT_EQ(test, drm_gem_handle_delete(mock_drm_priv(fix->device), handle), 0);
}

/* A buffer of the device itself. */
static void own(struct kunit *test)
{
	struct try_fixture *fix = test->priv;
	struct drm_gem_object *obj;
	u32 handle = mock_drm_object_handle(fix->importer, fix->device, &obj);
	struct dma_buf *dmabuf;
	unsigned int refs;
	u32 said = 0;

	dmabuf = drm_gem_prime_handle_to_dmabuf(fix->importer->drm, mock_drm_priv(fix->device),
						handle, DRM_CLOEXEC);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	refs = mock_gem_refs(obj);
	KUNIT_EXPECT_EQ(test, drm_prime_import_try(mock_drm_open(fix->importer), dmabuf, &said), 0);
	KUNIT_EXPECT_EQ(test, said, DMA_BUF_TRY_IMPORT);
	KUNIT_EXPECT_EQ(test, mock_gem_refs(obj), refs);
	KUNIT_EXPECT_PTR_EQ(test, obj->dma_buf, dmabuf);
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_IMPORT, 0);
	dma_buf_put(dmabuf);
}

static struct dma_buf_refusal refusal_of(struct kunit *test)
{
	struct try_fixture *fix = test->priv;
	struct file *file = fix->dmabuf->file;
	struct dma_buf_refusal why = { };

	KUNIT_EXPECT_EQ(test, file->f_op->unlocked_ioctl(file, DMA_BUF_IOCTL_GET_REFUSAL,
							 (unsigned long)fix->arg), 0);
	KUNIT_EXPECT_EQ(test, copy_from_user(&why, fix->arg, sizeof(why)), 0);
	return why;
}

/* The same operation fails in both: the same errno, and the same reason. */
static void expect_same_answer(struct kunit *test, struct mock_script *op)
{
	struct dma_buf_refusal of_try, of_import;
	u32 handle;

	mock_script_fail(op, MOCK_FAIL_ALWAYS, -EXFULL);
	KUNIT_EXPECT_EQ(test, try(test, DMA_BUF_TRY_IMPORT), -EXFULL);
	of_try = refusal_of(test);
	KUNIT_EXPECT_EQ(test, of_try.error, EXFULL);
	KUNIT_EXPECT_NE(test, of_try.field, DMA_BUF_FIELD_NONE);
	KUNIT_EXPECT_EQ(test, import(test, &handle), -EXFULL);
	of_import = refusal_of(test);
	KUNIT_EXPECT_MEMEQ(test, &of_try, &of_import, sizeof(of_try));
	mock_script_fail(op, 0, 0);
	KUNIT_EXPECT_EQ(test, try(test, DMA_BUF_TRY_IMPORT), 0);
}

static void refused_by_exporter(struct kunit *test)
{
	struct try_fixture *fix = test->priv;

	expect_same_answer(test, &fix->exp->op[MOCK_ATTACH]);
	expect_same_answer(test, &fix->exp->op[MOCK_PIN]);
	expect_same_answer(test, &fix->exp->op[MOCK_MAP]);
}

static void refused_by_importer(struct kunit *test)
{
	struct try_fixture *fix = test->priv;

	expect_same_answer(test, &fix->importer->op[MOCK_GEM_IMPORT]);
}

/* A driver that looks at nothing. */
static struct drm_gem_object *import_nothing(struct drm_device *drm, struct dma_buf *dmabuf)
{
	return ERR_PTR(-EXDEV);
}

static void refused_at_sight(struct kunit *test)
{
	struct try_fixture *fix = test->priv;

	fix->importer->driver.gem_prime_import = import_nothing;
	KUNIT_EXPECT_EQ(test, try(test, DMA_BUF_TRY_IMPORT), -EXDEV);
	KUNIT_EXPECT_EQ(test, refusal_of(test).step, DMA_BUF_STEP_IMPORT);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_ATTACH, 0);
}

static int own_fd_to_handle(struct drm_device *dev, struct drm_file *file_priv, int prime_fd,
			    u32 *handle)
{
	return 0;
}

static void own_conversion(struct kunit *test)
{
	struct try_fixture *fix = test->priv;

	fix->importer->driver.prime_fd_to_handle = own_fd_to_handle;
	KUNIT_EXPECT_EQ(test, try(test, 0), -EOPNOTSUPP);
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_IMPORT, 0);
}

static void unplugged(struct kunit *test)
{
	struct try_fixture *fix = test->priv;

	fix->importer->drm->unplugged = true;
	KUNIT_EXPECT_EQ(test, try(test, 0), -ENODEV);
	fix->importer->drm->unplugged = false;
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_IMPORT, 0);
}

struct other {
	struct try_fixture *fix;
	struct completion done;
	int ret;
};

static int other_tries(void *data)
{
	struct other *other = data;
	u32 judged;

	other->ret = drm_prime_import_try(other->fix->device, other->fix->dmabuf, &judged);
	complete(&other->done);
	return 0;
}

/* Another thread is in the driver's import when this returns, until this one waits. */
static void other_begins(struct kunit *test, struct other *other)
{
	struct try_fixture *fix = test->priv;

	other->fix = fix;
	init_completion(&other->done);
	fix->importer->op[MOCK_GEM_IMPORT].until_waits = current;
	KUNIT_ASSERT_FALSE(test, IS_ERR(kthread_run(other_tries, other, "try")));
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_drm_calls(fix->importer, MOCK_GEM_IMPORT)));
	KUNIT_EXPECT_EQ(test, mock_drm_calls(fix->importer, MOCK_GEM_FREE), 0);
}

/* A thread that is killed does not wait for the other's attempt. */
static void killed_meanwhile(struct kunit *test)
{
	struct try_fixture *fix = test->priv;
	struct other other;
	u32 judged;

	other_begins(test, &other);
	prime_test_kill_self();
	KUNIT_EXPECT_EQ(test, drm_prime_import_try(fix->device, fix->dmabuf, &judged),
			-ERESTARTSYS);
	prime_test_signal_clear();
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_IMPORT, 1);
	KUNIT_EXPECT_EQ(test, wait_for_completion_killable(&other.done), 0);
	KUNIT_EXPECT_EQ(test, other.ret, 0);
	KUNIT_EXPECT_EQ(test, refusal_of(test).error, 0);
}

/* An import of the same buffer into the same file waits until the other's object is gone. */
static void import_meanwhile(struct kunit *test)
{
	struct try_fixture *fix = test->priv;
	struct other other;
	u32 handle = 0;

	other_begins(test, &other);
	KUNIT_EXPECT_EQ(test, import(test, &handle), 0);
	KUNIT_EXPECT_NE(test, handle, 0);
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_FREE, 1);
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_IMPORT, 2);
	wait_for_completion(&other.done);
	KUNIT_EXPECT_EQ(test, other.ret, 0);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&fix->dmabuf->attachments));
}

/* --- the request --- */

static long request(struct kunit *test, const void *arg, size_t size, void __user *uarg)
{
	struct try_fixture *fix = test->priv;
	struct file *file = fix->dmabuf->file;

	KUNIT_EXPECT_EQ(test, copy_to_user(fix->arg, arg, size), 0);
	return file->f_op->unlocked_ioctl(file, _IOC(_IOC_READ | _IOC_WRITE, DMA_BUF_BASE, 0x24,
						     size), (unsigned long)uarg);
}

/* Fields that this kernel does not know must be 0. @judged becomes 0 if no device was asked. */
static void sizes_and_flags(struct kunit *test)
{
	struct try_fixture *fix = test->priv;
	struct {
		struct dma_buf_try_device known;
		u32 more;
	} arg = { { fix->fd, 0, ~0u }, 0 };

	KUNIT_EXPECT_EQ(test, request(test, &arg, sizeof(arg.known), fix->arg), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, request(test, &arg, sizeof(arg), fix->arg), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, copy_from_user(&arg, fix->arg, sizeof(arg)), 0);
	KUNIT_EXPECT_EQ(test, arg.known.judged, 0);
	KUNIT_EXPECT_EQ(test, request(test, &arg, sizeof(arg.known) - 4, fix->arg), -EINVAL);
	arg.more = 1;
	KUNIT_EXPECT_EQ(test, request(test, &arg, sizeof(arg), fix->arg), -E2BIG);
	arg = (typeof(arg)){ { fix->fd, 1 } };
	KUNIT_EXPECT_EQ(test, request(test, &arg, sizeof(arg.known), fix->arg), -EINVAL);
	arg = (typeof(arg)){ { fix->fd, 1u << 31 } };
	KUNIT_EXPECT_EQ(test, request(test, &arg, sizeof(arg.known), fix->arg), -EINVAL);
	arg = (typeof(arg)){ { -1 } };
	KUNIT_EXPECT_EQ(test, request(test, &arg, sizeof(arg.known), fix->arg), -EBADF);
	KUNIT_EXPECT_EQ(test, request(test, &arg, sizeof(arg.known), (void __user *)8), -EFAULT);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_ATTACH, 0);
	KUNIT_EXPECT_EQ(test, refusal_of(test).error, 0);
}

/* If the answer can't be written, not even the descriptor is looked at. */
static void read_only_argument(struct kunit *test)
{
	const struct dma_buf_try_device arg = { -1 };
	unsigned long uarg = prime_test_user_read_only(test, &arg, sizeof(arg));
	struct try_fixture *fix = test->priv;
	struct file *file = fix->dmabuf->file;

	KUNIT_EXPECT_EQ(test, file->f_op->unlocked_ioctl(file, DMA_BUF_IOCTL_TRY_DEVICE, uarg),
			-EFAULT);
}

static struct kunit_case gem_try_cases[] = {
	KUNIT_CASE(taken),
	KUNIT_CASE(known),
	KUNIT_CASE(own),
	KUNIT_CASE(refused_by_exporter),
	KUNIT_CASE(refused_by_importer),
	KUNIT_CASE(refused_at_sight),
	KUNIT_CASE(own_conversion),
	KUNIT_CASE(unplugged),
	KUNIT_CASE(import_meanwhile),
	KUNIT_CASE(killed_meanwhile),
	KUNIT_CASE(sizes_and_flags),
	KUNIT_CASE(read_only_argument),
	{}
};

static struct kunit_suite gem_try_suite = {
	.name = "gem_try",
	.init = try_init,
	.test_cases = gem_try_cases,
};

kunit_test_suite(gem_try_suite);
