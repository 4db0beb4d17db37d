// SPDX-License-Identifier: GPL-2.0
/*
 * Fences in and out of a buffer as sync files.
 */
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/sched/task.h>
#include <linux/sync_file.h>
#include <linux/uaccess.h>

#include <uapi/linux/dma-buf.h>

#include "mock_exporter.h"
#include "mock_importer.h"

struct sync_file_fixture {
	struct mock_exporter *exp;
	struct dma_buf *dmabuf;
	void __user *arg;
};

static int sync_file_init(struct kunit *test)
{
	struct sync_file_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fix);
	fix->exp = mock_exporter_create(test, false);
	fix->dmabuf = mock_exporter_export(fix->exp);
	fix->arg = prime_test_user_page(test, PROT_READ | PROT_WRITE);
	test->priv = fix;
	return 0;
}

static long sync_file_ioctl(struct kunit *test, unsigned int cmd, void *data, size_t size)
{
	struct sync_file_fixture *fix = test->priv;
	long ret;

	KUNIT_ASSERT_EQ(test, copy_to_user(fix->arg, data, size), 0);
	ret = fix->dmabuf->file->f_op->unlocked_ioctl(fix->dmabuf->file, cmd,
						      (unsigned long)fix->arg);
	KUNIT_ASSERT_EQ(test, copy_from_user(data, fix->arg, size), 0);
	return ret;
}

static long export_fence(struct kunit *test, u32 flags, int *fd)
{
	struct dma_buf_export_sync_file arg = { .flags = flags, .fd = -1 };
	long ret = sync_file_ioctl(test, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &arg, sizeof(arg));

	*fd = arg.fd;
	return ret;
}

static long import_fence(struct kunit *test, u32 flags, int fd)
{
	struct dma_buf_import_sync_file arg = { .flags = flags, .fd = fd };

	return sync_file_ioctl(test, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &arg, sizeof(arg));
}

static int fence_fd(struct kunit *test, struct dma_fence *fence)
{
	struct sync_file *sync_file = sync_file_create(fence);
	int fd = get_unused_fd_flags(O_CLOEXEC);

	KUNIT_ASSERT_NOT_NULL(test, sync_file);
	KUNIT_ASSERT_GE(test, fd, 0);
	fd_install(fd, sync_file->file);
	return fd;
}

static void bad_flags(struct kunit *test)
{
	int fd, free_fd = prime_test_next_fd();

	KUNIT_EXPECT_EQ(test, export_fence(test, 0, &fd), -EINVAL);
	KUNIT_EXPECT_EQ(test, export_fence(test, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ, &fd),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, export_fence(test, BIT(31) | DMA_BUF_SYNC_READ, &fd), -EINVAL);
	KUNIT_EXPECT_EQ(test, import_fence(test, 0, -1), -EINVAL);
	KUNIT_EXPECT_EQ(test, import_fence(test, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ, -1),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, prime_test_next_fd(), free_fd);
}

static void import_bad_fd(struct kunit *test)
{
	struct sync_file_fixture *fix = test->priv;
	int fd;

	KUNIT_EXPECT_EQ(test, import_fence(test, DMA_BUF_SYNC_RW, -1), -EINVAL);
	get_dma_buf(fix->dmabuf);
	fd = dma_buf_fd(fix->dmabuf, O_CLOEXEC);
	KUNIT_ASSERT_GE(test, fd, 0);
	/* A descriptor, but of no sync file. */
	KUNIT_EXPECT_EQ(test, import_fence(test, DMA_BUF_SYNC_RW, fd), -EINVAL);
	prime_test_close_fd(test, fd);
}

/* An idle buffer exports a fence that is signalled. */
static void export_idle(struct kunit *test)
{
	struct dma_fence *fence;
	int fd;

	KUNIT_ASSERT_EQ(test, export_fence(test, DMA_BUF_SYNC_RW, &fd), 0);
	fence = sync_file_get_fence(fd);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	dma_fence_put(fence);
	prime_test_close_fd(test, fd);
}

static ktime_t exported_time(struct kunit *test, u32 flags)
{
	struct dma_fence *fence;
	ktime_t time;
	int fd;

	KUNIT_ASSERT_EQ(test, export_fence(test, flags, &fd), 0);
	fence = sync_file_get_fence(fd);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	KUNIT_ASSERT_TRUE(test, dma_fence_is_signaled(fence));
	time = dma_fence_timestamp(fence);
	dma_fence_put(fence);
	prime_test_close_fd(test, fd);
	return time;
}

/* The time is that of the last fence that the access depends on. */
static void export_signalled(struct kunit *test)
{
	struct sync_file_fixture *fix = test->priv;
	struct mock_fence *writer, *reader;

	writer = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_WRITE);
	reader = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_READ);
	dma_fence_signal(&writer->base);
	fsleep(2000);
	dma_fence_signal(&reader->base);
	fsleep(2000);
	KUNIT_EXPECT_LT(test, writer->base.timestamp, reader->base.timestamp);
	KUNIT_EXPECT_EQ(test, exported_time(test, DMA_BUF_SYNC_READ), writer->base.timestamp);
	KUNIT_EXPECT_EQ(test, exported_time(test, DMA_BUF_SYNC_WRITE), reader->base.timestamp);
	KUNIT_EXPECT_EQ(test, exported_time(test, DMA_BUF_SYNC_RW), reader->base.timestamp);
}

struct resv_holder {
	struct dma_resv *resv;
	struct completion has, over;
};

static int hold_resv(void *data)
{
	struct resv_holder *holder = data;

	dma_resv_lock(holder->resv, NULL);
	complete(&holder->has);
	wait_for_completion(&holder->over);
	dma_resv_unlock(holder->resv);
	return 0;
}

/* An export does not wait for the reservation object; then the time is now. */
static void export_signalled_locked(struct kunit *test)
{
	struct sync_file_fixture *fix = test->priv;
	struct resv_holder holder = { .resv = fix->dmabuf->resv };
	struct task_struct *task;
	struct mock_fence *fence;
	ktime_t before, time;

	init_completion(&holder.has);
	init_completion(&holder.over);
	fence = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_WRITE);
	dma_fence_signal(&fence->base);
	fsleep(2000);
	task = kthread_create(hold_resv, &holder, "prime-holder");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	get_task_struct(task);
	wake_up_process(task);
	wait_for_completion(&holder.has);
	before = ktime_get();
	time = exported_time(test, DMA_BUF_SYNC_RW);
	complete(&holder.over);
	kthread_stop_put(task);
	KUNIT_EXPECT_GE(test, time, before);
}

struct sync_file_case {
	const char *name;
	u32 flags;
	enum dma_resv_usage usage;
	bool included;
};

static const struct sync_file_case sync_file_cases[] = {
	{ "read_of_write", DMA_BUF_SYNC_READ, DMA_RESV_USAGE_WRITE, true },
	{ "read_of_read", DMA_BUF_SYNC_READ, DMA_RESV_USAGE_READ, false },
	{ "write_of_write", DMA_BUF_SYNC_WRITE, DMA_RESV_USAGE_WRITE, true },
	{ "write_of_read", DMA_BUF_SYNC_WRITE, DMA_RESV_USAGE_READ, true },
	{ "rw_of_read", DMA_BUF_SYNC_RW, DMA_RESV_USAGE_READ, true },
	{ "rw_of_bookkeep", DMA_BUF_SYNC_RW, DMA_RESV_USAGE_BOOKKEEP, false },
};

KUNIT_ARRAY_PARAM_DESC(sync_file, sync_file_cases, name);

static void export_busy(struct kunit *test)
{
	const struct sync_file_case *param = test->param_value;
	struct sync_file_fixture *fix = test->priv;
	struct mock_fence *fence = mock_fence_add(test, fix->dmabuf->resv, param->usage);
	struct dma_fence *exported;
	int fd;

	KUNIT_ASSERT_EQ(test, export_fence(test, param->flags, &fd), 0);
	exported = sync_file_get_fence(fd);
	KUNIT_ASSERT_NOT_NULL(test, exported);
	KUNIT_EXPECT_EQ(test, dma_fence_is_signaled(exported), !param->included);
	dma_fence_signal(&fence->base);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(exported));
	dma_fence_put(exported);
	prime_test_close_fd(test, fd);
}

/* A failed export leaves the number of descriptors unchanged. */
static void export_table_full(struct kunit *test)
{
	int fd, free_fd = prime_test_next_fd();

	prime_test_set_nofile(0);
	KUNIT_EXPECT_EQ(test, export_fence(test, DMA_BUF_SYNC_RW, &fd), -EMFILE);
	prime_test_set_nofile(1024);
	KUNIT_EXPECT_EQ(test, prime_test_next_fd(), free_fd);
}

/* The answer cannot be written: there must be no descriptor either. */
static void export_fault(struct kunit *test)
{
	struct sync_file_fixture *fix = test->priv;
	struct file *file = fix->dmabuf->file;
	struct dma_buf_export_sync_file arg = { .flags = DMA_BUF_SYNC_RW };
	int free_fd = prime_test_next_fd();
	unsigned long addr;

	addr = prime_test_user_read_only(test, &arg, sizeof(arg));
	KUNIT_EXPECT_EQ(test, file->f_op->unlocked_ioctl(file, DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
							 addr), -EFAULT);
	KUNIT_EXPECT_EQ(test, prime_test_next_fd(), free_fd);
}

struct import_case {
	const char *name;
	u32 flags;
	bool blocks_read;
};

static const struct import_case import_cases[] = {
	{ "read", DMA_BUF_SYNC_READ, false },
	{ "write", DMA_BUF_SYNC_WRITE, true },
	{ "rw", DMA_BUF_SYNC_RW, true },
};

KUNIT_ARRAY_PARAM_DESC(import, import_cases, name);

static void import_adds_fence(struct kunit *test)
{
	const struct import_case *param = test->param_value;
	struct sync_file_fixture *fix = test->priv;
	struct mock_fence *fence = mock_fence_create(test);
	struct dma_resv *resv = fix->dmabuf->resv;
	int fd = fence_fd(test, &fence->base);

	KUNIT_EXPECT_EQ(test, import_fence(test, param->flags, fd), 0);
	prime_test_close_fd(test, fd);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(resv));
	KUNIT_EXPECT_FALSE(test, dma_resv_test_signaled(resv, dma_resv_usage_rw(true)));
	KUNIT_EXPECT_EQ(test, dma_resv_test_signaled(resv, dma_resv_usage_rw(false)),
			!param->blocks_read);
	dma_fence_signal(&fence->base);
	KUNIT_EXPECT_TRUE(test, dma_resv_test_signaled(resv, DMA_RESV_USAGE_BOOKKEEP));
}

/* What was imported comes out again. */
static void import_then_export(struct kunit *test)
{
	struct mock_fence *fence = mock_fence_create(test);
	struct dma_fence *exported;
	int fd = fence_fd(test, &fence->base), out;

	KUNIT_EXPECT_EQ(test, import_fence(test, DMA_BUF_SYNC_WRITE, fd), 0);
	KUNIT_ASSERT_EQ(test, export_fence(test, DMA_BUF_SYNC_READ, &out), 0);
	exported = sync_file_get_fence(out);
	KUNIT_EXPECT_PTR_EQ(test, exported, &fence->base);
	dma_fence_put(exported);
	prime_test_close_fd(test, out);
	prime_test_close_fd(test, fd);
}

static struct kunit_case dma_buf_sync_file_cases[] = {
	KUNIT_CASE(bad_flags),
	KUNIT_CASE(import_bad_fd),
	KUNIT_CASE(export_idle),
	KUNIT_CASE(export_signalled),
	KUNIT_CASE(export_signalled_locked),
	KUNIT_CASE_PARAM(export_busy, sync_file_gen_params),
	KUNIT_CASE(export_table_full),
	KUNIT_CASE(export_fault),
	KUNIT_CASE_PARAM(import_adds_fence, import_gen_params),
	KUNIT_CASE(import_then_export),
	{}
};

static struct kunit_suite dma_buf_sync_file_suite = {
	.name = "dma_buf_sync_file",
	.init = sync_file_init,
	.test_cases = dma_buf_sync_file_cases,
};

kunit_test_suite(dma_buf_sync_file_suite);
