// SPDX-License-Identifier: GPL-2.0
/*
 * The file of a buffer: seeking, ioctl dispatch, SYNC, names, mapping, fdinfo.
 */
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include <uapi/linux/dma-buf.h>

#include "mock_exporter.h"

struct fops_fixture {
	struct mock_exporter *exp;
	struct dma_buf *dmabuf;
	struct file *file;
};

static int fops_init(struct kunit *test)
{
	struct fops_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fix);
	fix->exp = mock_exporter_create(test, false);
	fix->dmabuf = mock_exporter_export(fix->exp);
	fix->file = fix->dmabuf->file;
	test->priv = fix;
	return 0;
}

static long fops_ioctl(struct kunit *test, unsigned int cmd, const void __user *arg)
{
	struct fops_fixture *fix = test->priv;

	return fix->file->f_op->unlocked_ioctl(fix->file, cmd, (unsigned long)arg);
}

static long fops_sync(struct kunit *test, u64 flags)
{
	struct dma_buf_sync sync = { .flags = flags };
	struct dma_buf_sync __user *arg = prime_test_user_page(test, PROT_READ | PROT_WRITE);

	KUNIT_ASSERT_EQ(test, copy_to_user(arg, &sync, sizeof(sync)), 0);
	return fops_ioctl(test, DMA_BUF_IOCTL_SYNC, arg);
}

static long fops_name(struct kunit *test, unsigned int cmd, const char *name)
{
	char __user *arg = prime_test_user_page(test, PROT_READ | PROT_WRITE);

	KUNIT_ASSERT_EQ(test, copy_to_user(arg, name, strlen(name) + 1), 0);
	return fops_ioctl(test, cmd, arg);
}

static void llseek_size(struct kunit *test)
{
	struct fops_fixture *fix = test->priv;

	KUNIT_EXPECT_EQ(test, vfs_llseek(fix->file, 0, SEEK_END), (loff_t)MOCK_EXPORTER_SIZE);
	KUNIT_EXPECT_EQ(test, vfs_llseek(fix->file, 0, SEEK_SET), 0);
}

static void llseek_refused(struct kunit *test)
{
	struct fops_fixture *fix = test->priv;

	KUNIT_EXPECT_EQ(test, vfs_llseek(fix->file, 1, SEEK_END), -EINVAL);
	KUNIT_EXPECT_EQ(test, vfs_llseek(fix->file, -1, SEEK_END), -EINVAL);
	KUNIT_EXPECT_EQ(test, vfs_llseek(fix->file, 1, SEEK_SET), -EINVAL);
	KUNIT_EXPECT_EQ(test, vfs_llseek(fix->file, 0, SEEK_CUR), -EINVAL);
	KUNIT_EXPECT_EQ(test, vfs_llseek(fix->file, 0, SEEK_DATA), -EINVAL);
	KUNIT_EXPECT_EQ(test, vfs_llseek(fix->file, 0, SEEK_HOLE), -EINVAL);
}

static void ioctl_unknown(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, fops_ioctl(test, 0, NULL), -ENOTTY);
	KUNIT_EXPECT_EQ(test, fops_ioctl(test, _IO(DMA_BUF_BASE, 0x7f), NULL), -ENOTTY);
	KUNIT_EXPECT_EQ(test, fops_ioctl(test, _IO(DMA_BUF_BASE, 0), NULL), -ENOTTY);
}

struct sync_case {
	const char *name;
	u64 flags;
	enum dma_data_direction dir;
	bool end;
};

static const struct sync_case sync_cases[] = {
	{ "start_read", DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ, DMA_FROM_DEVICE, false },
	{ "start_write", DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE, DMA_TO_DEVICE, false },
	{ "start_rw", DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW, DMA_BIDIRECTIONAL, false },
	{ "end_read", DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ, DMA_FROM_DEVICE, true },
	{ "end_write", DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE, DMA_TO_DEVICE, true },
	{ "end_rw", DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW, DMA_BIDIRECTIONAL, true },
};

KUNIT_ARRAY_PARAM_DESC(sync, sync_cases, name);

static void ioctl_sync(struct kunit *test)
{
	const struct sync_case *param = test->param_value;
	struct fops_fixture *fix = test->priv;

	KUNIT_EXPECT_EQ(test, fops_sync(test, param->flags), 0);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_BEGIN, param->end ? 0 : 1);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_END, param->end ? 1 : 0);
	KUNIT_EXPECT_EQ(test, fix->exp->dir, param->dir);
}

static void ioctl_sync_bad_flags(struct kunit *test)
{
	struct fops_fixture *fix = test->priv;

	KUNIT_EXPECT_EQ(test, fops_sync(test, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, fops_sync(test, DMA_BUF_SYNC_END), -EINVAL);
	KUNIT_EXPECT_EQ(test, fops_sync(test, DMA_BUF_SYNC_RW | 8), -EINVAL);
	KUNIT_EXPECT_EQ(test, fops_sync(test, DMA_BUF_SYNC_RW | BIT_ULL(32)), -EINVAL);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_BEGIN, 0);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_END, 0);
}

static void ioctl_sync_op_fails(struct kunit *test)
{
	struct fops_fixture *fix = test->priv;

	mock_exporter_fail(fix->exp, MOCK_BEGIN, 1, -EIO);
	mock_exporter_fail(fix->exp, MOCK_END, 1, -ENXIO);
	KUNIT_EXPECT_EQ(test, fops_sync(test, DMA_BUF_SYNC_RW), -EIO);
	KUNIT_EXPECT_EQ(test, fops_sync(test, DMA_BUF_SYNC_RW | DMA_BUF_SYNC_END), -ENXIO);
}

/* The page lets nothing be read, so that every ioctl meets EFAULT. */
static void ioctl_fault(struct kunit *test)
{
	void __user *arg = prime_test_user_page(test, PROT_NONE);

	KUNIT_EXPECT_EQ(test, fops_ioctl(test, DMA_BUF_IOCTL_SYNC, arg), -EFAULT);
	KUNIT_EXPECT_EQ(test, fops_ioctl(test, DMA_BUF_SET_NAME_A, arg), -EFAULT);
	KUNIT_EXPECT_EQ(test, fops_ioctl(test, DMA_BUF_SET_NAME_B, arg), -EFAULT);
	KUNIT_EXPECT_EQ(test, fops_ioctl(test, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, arg), -EFAULT);
	KUNIT_EXPECT_EQ(test, fops_ioctl(test, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, arg), -EFAULT);
}

static void ioctl_name(struct kunit *test)
{
	struct fops_fixture *fix = test->priv;

	KUNIT_EXPECT_EQ(test, fops_name(test, DMA_BUF_SET_NAME_A, "first"), 0);
	KUNIT_EXPECT_STREQ(test, fix->dmabuf->name, "first");
	KUNIT_EXPECT_EQ(test, fops_name(test, DMA_BUF_SET_NAME_B, "second"), 0);
	KUNIT_EXPECT_STREQ(test, fix->dmabuf->name, "second");
}

/* The name and its end must fit DMA_BUF_NAME_LEN; a refused one changes nothing. */
static void ioctl_name_length(struct kunit *test)
{
	struct fops_fixture *fix = test->priv;
	char name[DMA_BUF_NAME_LEN + 1];

	memset(name, 'n', sizeof(name));
	name[DMA_BUF_NAME_LEN - 1] = '\0';
	KUNIT_EXPECT_EQ(test, fops_name(test, DMA_BUF_SET_NAME_A, name), 0);
	KUNIT_EXPECT_STREQ(test, fix->dmabuf->name, name);

	memset(name, 'x', sizeof(name));
	name[DMA_BUF_NAME_LEN] = '\0';
	KUNIT_EXPECT_EQ(test, fops_name(test, DMA_BUF_SET_NAME_A, name), -EINVAL);
	KUNIT_EXPECT_EQ(test, fix->dmabuf->name[0], 'n');
}

static void ioctl_name_attached(struct kunit *test)
{
	struct fops_fixture *fix = test->priv;
	struct dma_buf_attachment *attach = dma_buf_attach(fix->dmabuf, prime_test_device(test));

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	KUNIT_EXPECT_EQ(test, fops_name(test, DMA_BUF_SET_NAME_A, "attached"), 0);
	KUNIT_EXPECT_STREQ(test, fix->dmabuf->name, "attached");
	dma_buf_detach(fix->dmabuf, attach);
}

static void ioctl_compat(struct kunit *test)
{
#ifdef CONFIG_COMPAT
	struct fops_fixture *fix = test->priv;
	const struct file_operations *fops = fix->file->f_op;
	unsigned long addr;

	/* Only an address below 4 GiB survives the compat pointer. */
	addr = kunit_vm_mmap(test, NULL, SZ_256M, PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE | MAP_FIXED, 0);
	KUNIT_ASSERT_EQ(test, addr, SZ_256M);
	KUNIT_ASSERT_NOT_NULL(test, fops->compat_ioctl);
	KUNIT_EXPECT_EQ(test, copy_to_user((void __user *)addr, "compat", 7), 0);
	KUNIT_EXPECT_EQ(test, fops->compat_ioctl(fix->file, DMA_BUF_SET_NAME_A, addr), 0);
	KUNIT_EXPECT_STREQ(test, fix->dmabuf->name, "compat");
	KUNIT_EXPECT_EQ(test, fops->compat_ioctl(fix->file, DMA_BUF_SET_NAME_A, 8), -EFAULT);
	KUNIT_EXPECT_EQ(test, fops->compat_ioctl(fix->file, 0, 0), -ENOTTY);
#else
	kunit_skip(test, "CONFIG_COMPAT is off");
#endif
}

static void path_name(struct kunit *test)
{
	struct fops_fixture *fix = test->priv;
	char buf[128];

	KUNIT_EXPECT_STREQ(test, file_path(fix->file, buf, sizeof(buf)), "/dmabuf:");
	KUNIT_ASSERT_EQ(test, fops_name(test, DMA_BUF_SET_NAME_A, "picture"), 0);
	KUNIT_EXPECT_STREQ(test, file_path(fix->file, buf, sizeof(buf)), "/dmabuf:picture");
}

static void fdinfo(struct kunit *test)
{
	struct fops_fixture *fix = test->priv;
	struct seq_file seq = {
		.buf = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL),
		.size = PAGE_SIZE,
	};
	char expected[128];

	KUNIT_ASSERT_NOT_NULL(test, seq.buf);
	KUNIT_ASSERT_NOT_NULL(test, fix->file->f_op->show_fdinfo);
	KUNIT_ASSERT_EQ(test, fops_name(test, DMA_BUF_SET_NAME_A, "picture"), 0);
	fix->file->f_op->show_fdinfo(&seq, fix->file);
	KUNIT_ASSERT_LT(test, seq.count, PAGE_SIZE);

	snprintf(expected, sizeof(expected), "size:\t%zu\n", fix->dmabuf->size);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(seq.buf, expected), "%s", seq.buf);
	/* The reference that a reader of fdinfo holds does not count. */
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(seq.buf, "count:\t0\n"), "%s", seq.buf);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(seq.buf, "exp_name:\tmock-exporter\n"), "%s",
				  seq.buf);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(seq.buf, "name:\tpicture\n"), "%s", seq.buf);
}

static unsigned long map_file(struct kunit *test, unsigned long len, unsigned long offset)
{
	struct fops_fixture *fix = test->priv;

	return kunit_vm_mmap(test, fix->file, 0, len, PROT_READ | PROT_WRITE, MAP_SHARED,
			     offset);
}

static void mmap_whole(struct kunit *test)
{
	struct fops_fixture *fix = test->priv;
	unsigned long addr = map_file(test, MOCK_EXPORTER_SIZE, 0);
	u32 value = 0;

	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_MMAP, 1);
	KUNIT_EXPECT_EQ(test, put_user(0x600df00du, (u32 __user *)(addr + PAGE_SIZE)), 0);
	value = *(u32 *)(page_address(fix->exp->pages) + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, value, 0x600df00du);
	KUNIT_EXPECT_EQ(test, vm_munmap(addr, MOCK_EXPORTER_SIZE), 0);
}

static void mmap_second_page(struct kunit *test)
{
	struct fops_fixture *fix = test->priv;
	unsigned long addr = map_file(test, PAGE_SIZE, PAGE_SIZE);

	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	KUNIT_EXPECT_EQ(test, fix->exp->pgoff, 1UL);
	KUNIT_EXPECT_EQ(test, vm_munmap(addr, PAGE_SIZE), 0);
}

static void mmap_beyond(struct kunit *test)
{
	struct fops_fixture *fix = test->priv;

	KUNIT_EXPECT_EQ(test, (long)map_file(test, MOCK_EXPORTER_SIZE + PAGE_SIZE, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, (long)map_file(test, MOCK_EXPORTER_SIZE, PAGE_SIZE), -EINVAL);
	KUNIT_EXPECT_EQ(test, (long)map_file(test, PAGE_SIZE, MOCK_EXPORTER_SIZE), -EINVAL);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_MMAP, 0);
}

static void mmap_op_fails(struct kunit *test)
{
	struct fops_fixture *fix = test->priv;

	mock_exporter_fail(fix->exp, MOCK_MMAP, 1, -ENXIO);
	KUNIT_EXPECT_EQ(test, (long)map_file(test, PAGE_SIZE, 0), -ENXIO);
}

static void mmap_without_op(struct kunit *test)
{
	struct fops_fixture *fix = test->priv;

	fix->exp->ops.mmap = NULL;
	KUNIT_EXPECT_EQ(test, (long)map_file(test, PAGE_SIZE, 0), -EINVAL);
}

static struct kunit_case dma_buf_fops_cases[] = {
	KUNIT_CASE(llseek_size),
	KUNIT_CASE(llseek_refused),
	KUNIT_CASE(ioctl_unknown),
	KUNIT_CASE_PARAM(ioctl_sync, sync_gen_params),
	KUNIT_CASE(ioctl_sync_bad_flags),
	KUNIT_CASE(ioctl_sync_op_fails),
	KUNIT_CASE(ioctl_fault),
	KUNIT_CASE(ioctl_name),
	KUNIT_CASE(ioctl_name_length),
	KUNIT_CASE(ioctl_name_attached),
	KUNIT_CASE(ioctl_compat),
	KUNIT_CASE(path_name),
	KUNIT_CASE(fdinfo),
	KUNIT_CASE(mmap_whole),
	KUNIT_CASE(mmap_second_page),
	KUNIT_CASE(mmap_beyond),
	KUNIT_CASE(mmap_op_fails),
	KUNIT_CASE(mmap_without_op),
	{}
};

static struct kunit_suite dma_buf_fops_suite = {
	.name = "dma_buf_fops",
	.init = fops_init,
	.test_cases = dma_buf_fops_cases,
};

kunit_test_suite(dma_buf_fops_suite);
