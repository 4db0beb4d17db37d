// SPDX-License-Identifier: GPL-2.0
/*
 * Negotiation: late exporters, announced devices, the commit, refusals, the
 * ioctls, and maps that try. Devices are announced through a file that stands for
 * whatever device the test says.
 */
#include <linux/anon_inodes.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/dma-buf-constraints.h>
#include <linux/fdtable.h>
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include <kunit/device.h>
#include <kunit/static_stub.h>

#include "../negotiate/internal.h"
#include "mock_exporter.h"
#include "mock_importer.h"

struct negotiate_fixture {
	struct mock_exporter *exp;
	struct mock_importer *imp;
	struct dma_buf *dmabuf;
	struct device *announced;	/* what the device file stands for */
	unsigned int how;
	void __user *arg;
	int fd;				/* of the device file */
	int admits;
	int admit_errno;
	bool admit_locked;
	int commits;
	int commit_errno;
	struct dma_buf_constraints merged;
};

/* The test that runs; operations without a place for a pointer find it here. */
static struct negotiate_fixture *current_fix;

static int late_storage(struct dma_buf *dmabuf, struct dma_buf_storage_info *info)
{
	dma_resv_assert_held(dmabuf->resv);
	info->flags = DMA_BUF_STORAGE_PLACED;
	info->reach = DMA_BIT_MASK(32);
	info->segments = 3;
	return current_fix->admit_errno == -EIO ? -EIO : 0;
}

static int late_admit(struct dma_buf *dmabuf, const struct dma_buf_constraints *merged,
		      struct dma_buf_conflict *conflict)
{
	current_fix->admits++;
	current_fix->admit_locked = dma_resv_is_locked(dmabuf->resv);
	current_fix->merged = *merged;
	if (current_fix->admit_errno == -EBUSY)
		*conflict = (struct dma_buf_conflict) { DMA_BUF_FIELD_CONTIGUOUS, 1, 5 };
	return current_fix->admit_errno;
}

static int late_commit(struct dma_buf *dmabuf, struct dma_buf_conflict *conflict)
{
	dma_resv_assert_held(dmabuf->resv);
	current_fix->commits++;
	if (current_fix->commit_errno == -EBUSY)
		*conflict = (struct dma_buf_conflict) { DMA_BUF_FIELD_CONTIGUOUS, 1, 7 };
	return current_fix->commit_errno;
}

static const struct dma_buf_late_ops late_ops = {
	.storage = late_storage,
	.admit = late_admit,
	.commit = late_commit,
};

/* In place of dma_buf_device_get(). */
static struct device *device_of(struct file *file, unsigned int *how)
{
	*how = current_fix->how;
	return current_fix->announced ? get_device(current_fix->announced) : ERR_PTR(-ENODEV);
}

static int install(struct kunit *test, struct file *file)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);

	KUNIT_ASSERT_GE(test, fd, 0);
	fd_install(fd, get_file(file));
	return fd;
}

static const struct file_operations device_file_fops = {
	.owner = THIS_MODULE,
};

/* Needs no /dev; the inode is its own. */
static struct file *device_file(struct kunit *test)
{
	struct file *file = anon_inode_create_getfile("device", &device_file_fops, NULL, O_RDWR,
						      NULL);

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	file_inode(file)->i_mode = S_IFCHR | 0600;
	file_inode(file)->i_rdev = MKDEV(DMA_BUF_MAJOR_DRM, 0);
	return file;
}

static int negotiate_init(struct kunit *test)
{
	struct negotiate_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);
	struct file *file;

	KUNIT_ASSERT_NOT_NULL(test, fix);
	test->priv = fix;
	current_fix = fix;
	fix->fd = -1;
	fix->exp = mock_exporter_create(test, true);
	fix->imp = mock_importer_create(test, false);
	fix->dmabuf = mock_exporter_export(fix->exp);
	fix->announced = prime_test_device(test);
	fix->arg = prime_test_user_page(test, PROT_READ | PROT_WRITE);
	file = device_file(test);
	fix->fd = install(test, file);
	fput(file);
	kunit_activate_static_stub(test, dma_buf_device_get, device_of);
	return 0;
}

static void negotiate_exit(struct kunit *test)
{
	struct negotiate_fixture *fix = test->priv;

	if (fix && fix->fd >= 0)
		prime_test_close_fd(test, fix->fd);
}

static struct negotiate_fixture *late(struct kunit *test)
{
	struct negotiate_fixture *fix = test->priv;

	KUNIT_ASSERT_EQ(test, dma_buf_set_late(fix->dmabuf, &late_ops), 0);
	return fix;
}

static long request(struct negotiate_fixture *fix, unsigned int cmd)
{
	struct file *file = fix->dmabuf->file;

	return file->f_op->unlocked_ioctl(file, cmd, (unsigned long)fix->arg);
}

/* @data goes to user memory, and what is there afterwards comes back. */
static long request_with(struct kunit *test, unsigned int cmd, void *data, size_t size)
{
	struct negotiate_fixture *fix = test->priv;
	long ret;

	KUNIT_ASSERT_EQ(test, copy_to_user(fix->arg, data, size), 0);
	ret = request(fix, cmd);
	KUNIT_ASSERT_EQ(test, copy_from_user(data, fix->arg, size), 0);
	return ret;
}

static long add_device(struct kunit *test, struct dma_buf_device_use *add)
{
	struct negotiate_fixture *fix = test->priv;

	*add = (struct dma_buf_device_use) {
		.device_fd = fix->fd, .use = DMA_BUF_USE_READ, .field = 99, .found = 99,
	};
	memset(add->device, 'x', sizeof(add->device));
	return request_with(test, DMA_BUF_IOCTL_ADD_DEVICE, add, sizeof(*add));
}

static long remove_device(struct kunit *test)
{
	struct negotiate_fixture *fix = test->priv;
	struct dma_buf_device_use arg = { .device_fd = fix->fd };

	return request_with(test, DMA_BUF_IOCTL_REMOVE_DEVICE, &arg, sizeof(arg));
}

static long commit(struct kunit *test, struct dma_buf_commit *arg, u64 size)
{
	*arg = (struct dma_buf_commit) { .size = size, .field = 99, .device = "x" };
	return request_with(test, DMA_BUF_IOCTL_COMMIT, arg, sizeof(*arg));
}

static struct dma_buf_constraints_info constraints_of(struct kunit *test)
{
	struct dma_buf_constraints_info info = {};

	KUNIT_EXPECT_EQ(test, request_with(test, DMA_BUF_IOCTL_GET_CONSTRAINTS, &info,
					   sizeof(info)), 0);
	return info;
}

static void expect_refusal(struct kunit *test, struct device *dev, u32 field, u64 wanted, u64 found)
{
	struct dma_buf_refusal refusal = {};

	KUNIT_EXPECT_EQ(test, request_with(test, DMA_BUF_IOCTL_GET_REFUSAL, &refusal,
					   sizeof(refusal)), 0);
	KUNIT_EXPECT_EQ(test, refusal.field, field);
	KUNIT_EXPECT_EQ(test, refusal.wanted, wanted);
	KUNIT_EXPECT_EQ(test, refusal.found, found);
	KUNIT_EXPECT_STREQ(test, refusal.device, dev ? dev_name(dev) : "");
}

/* Says what a device needs: at most @segments, below @mask, starts at @alignment. */
static void constrain(struct kunit *test, struct device *dev, u64 mask, u32 segments,
		      u32 alignment)
{
	struct dma_buf_constraints c;

	dma_buf_constraints_init(&c);
	c.dma_mask = mask;
	c.max_segments = segments;
	c.alignment = alignment;
	KUNIT_ASSERT_EQ(test, devm_dma_buf_constraints_set(dev, &c), 0);
}

static void add_announces(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct dma_buf_device_use add;

	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 0);
	constrain(test, fix->announced, DMA_BIT_MASK(30), 4, SZ_8K);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 1);
	KUNIT_EXPECT_EQ(test, constraints_of(test).dma_mask, DMA_BIT_MASK(30));
	KUNIT_EXPECT_EQ(test, constraints_of(test).max_segments, 4);
	KUNIT_EXPECT_EQ(test, constraints_of(test).alignment, SZ_8K);
	KUNIT_EXPECT_EQ(test, fix->admits, 1);
	KUNIT_EXPECT_TRUE(test, fix->admit_locked);
	KUNIT_EXPECT_EQ(test, fix->merged.max_segments, 4);
	/* The same device once more is no other device. */
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 1);
	fix->announced = prime_test_device(test);
	constrain(test, fix->announced, DMA_BIT_MASK(28), 9, 1);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 2);
	KUNIT_EXPECT_EQ(test, constraints_of(test).dma_mask, DMA_BIT_MASK(28));
	KUNIT_EXPECT_EQ(test, constraints_of(test).max_segments, 4);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(fix->dmabuf->resv));
	expect_refusal(test, NULL, 0, 0, 0);
}

/* An announced device that attaches is one device. Another one counts for each attachment. */
static void attachments_count(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct dma_buf_attachment *attach, *second;
	struct dma_buf_device_use add;
	struct device *dev = fix->announced;

	constrain(test, fix->imp->dev, DMA_BIT_MASK(31), 1, 1);
	attach = mock_importer_attach(fix->imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	KUNIT_EXPECT_EQ(test, fix->admits, 1);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 1);
	KUNIT_EXPECT_EQ(test, constraints_of(test).max_segments, 1);
	KUNIT_EXPECT_EQ(test, constraints_of(test).flags, DMA_BUF_CONSTRAINT_CONTIGUOUS);
	second = mock_importer_attach(fix->imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(second));
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 2);
	fix->announced = fix->imp->dev;
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 1);
	dma_buf_detach(fix->dmabuf, second);
	fix->announced = dev;
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 2);
	dma_buf_detach(fix->dmabuf, attach);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 2);
}

static void conflict_refuses(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct dma_buf_attachment *attach;
	struct dma_buf_device_use add;

	constrain(test, fix->imp->dev, DMA_BIT_MASK(20), 9, 1);
	constrain(test, fix->announced, U64_MAX, 9, SZ_1M);
	attach = mock_importer_attach(fix->imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	KUNIT_EXPECT_EQ(test, add_device(test, &add), -EBUSY);
	expect_refusal(test, fix->announced, DMA_BUF_FIELD_ALIGNMENT, SZ_1M, SZ_512K);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 1);
	dma_buf_detach(fix->dmabuf, attach);

	/* The other way round. */
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	attach = mock_importer_attach(fix->imp, fix->dmabuf);
	KUNIT_EXPECT_EQ(test, PTR_ERR(attach), -EBUSY);
	expect_refusal(test, fix->imp->dev, DMA_BUF_FIELD_ALIGNMENT, SZ_1M, SZ_512K);
	KUNIT_EXPECT_TRUE(test, list_empty(&fix->dmabuf->attachments));
	mock_exporter_expect_balanced(fix->exp);
}

/* A device that could never take a buffer of this size. */
static void size_refuses(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct dma_buf_constraints c;
	struct dma_buf_device_use add;

	dma_buf_constraints_init(&c);
	c.max_segments = 1;
	c.max_segment_size = PAGE_SIZE;
	KUNIT_ASSERT_EQ(test, devm_dma_buf_constraints_set(fix->announced, &c), 0);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), -EBUSY);
	expect_refusal(test, fix->announced, DMA_BUF_FIELD_MAX_SEGMENTS, 1,
		       MOCK_EXPORTER_SIZE / PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, fix->admits, 0);
}

static void exporter_refuses(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct dma_buf_device_use add;

	fix->admit_errno = -EBUSY;
	KUNIT_EXPECT_EQ(test, add_device(test, &add), -EBUSY);
	expect_refusal(test, fix->announced, DMA_BUF_FIELD_CONTIGUOUS, 1, 5);
	KUNIT_EXPECT_EQ(test, PTR_ERR(mock_importer_attach(fix->imp, fix->dmabuf)), -EBUSY);
	expect_refusal(test, fix->imp->dev, DMA_BUF_FIELD_CONTIGUOUS, 1, 5);
	/* No constraint is the reason. */
	fix->admit_errno = -ENOMEM;
	KUNIT_EXPECT_EQ(test, add_device(test, &add), -ENOMEM);
	expect_refusal(test, fix->announced, DMA_BUF_FIELD_ERROR, 0, ENOMEM);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 0);
	mock_exporter_expect_balanced(fix->exp);
}

static void not_negotiable(struct kunit *test)
{
	struct negotiate_fixture *fix = test->priv;
	struct dma_buf_device_use add;

	KUNIT_EXPECT_EQ(test, add_device(test, &add), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, request(fix, DMA_BUF_IOCTL_GET_CONSTRAINTS), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, request(fix, DMA_BUF_IOCTL_GET_STORAGE), -EOPNOTSUPP);
}

/* An exporter has no need of attach and detach. */
static void refuses_without_operations(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);

	fix->exp->ops.attach = NULL;
	fix->exp->ops.detach = NULL;
	fix->admit_errno = -EBUSY;
	KUNIT_EXPECT_EQ(test, PTR_ERR(mock_importer_attach(fix->imp, fix->dmabuf)), -EBUSY);
	KUNIT_EXPECT_TRUE(test, list_empty(&fix->dmabuf->attachments));
}

/* Two importers with these needs, attached. */
static struct mock_importer *two_attached(struct kunit *test, u32 alignment,
					  struct dma_buf_attachment *attach[2])
{
	struct mock_importer *other = mock_importer_create(test, false);
	struct negotiate_fixture *fix = test->priv;

	constrain(test, fix->imp->dev, DMA_BIT_MASK(20), 9, 1);
	constrain(test, other->dev, U64_MAX, 4, alignment);
	attach[0] = mock_importer_attach(fix->imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach[0]));
	attach[1] = mock_importer_attach(other, fix->dmabuf);
	return other;
}

/* An exporter needs no admit, either: the core checks the devices' needs against each other. */
static void admits_without_operation(struct kunit *test)
{
	static const struct dma_buf_late_ops no_admit = { .storage = late_storage };
	struct negotiate_fixture *fix = test->priv;
	struct dma_buf_attachment *attach[2];
	struct mock_importer *other;

	KUNIT_ASSERT_EQ(test, dma_buf_set_late(fix->dmabuf, &no_admit), 0);
	other = two_attached(test, SZ_1M, attach);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(attach[1]), -EBUSY);
	expect_refusal(test, other->dev, DMA_BUF_FIELD_ALIGNMENT, SZ_1M, SZ_512K);
	dma_buf_detach(fix->dmabuf, attach[0]);
}

/* As long as the needs of attached devices contradict each other, nobody joins. */
static void driver_changes_its_mind(struct kunit *test)
{
	struct mock_importer *third = mock_importer_create(test, false);
	struct negotiate_fixture *fix = late(test);
	struct dma_buf_attachment *attach[3];
	struct mock_importer *other = two_attached(test, 1, attach);

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach[1]));
	constrain(test, other->dev, U64_MAX, 4, SZ_1M);
	attach[2] = mock_importer_attach(third, fix->dmabuf);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(attach[2]), -EBUSY);
	expect_refusal(test, third->dev, DMA_BUF_FIELD_ALIGNMENT, SZ_1M, SZ_512K);
	KUNIT_EXPECT_EQ(test, request(fix, DMA_BUF_IOCTL_GET_CONSTRAINTS), -EBUSY);
	constrain(test, other->dev, U64_MAX, 4, 1);
	attach[2] = mock_importer_attach(third, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach[2]));
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 3);
	dma_buf_detach(fix->dmabuf, attach[2]);
	dma_buf_detach(fix->dmabuf, attach[1]);
	dma_buf_detach(fix->dmabuf, attach[0]);
}

/* An exporter that places early can ask what the devices need, too. */
static void constraints_of_any_buffer(struct kunit *test)
{
	struct negotiate_fixture *fix = test->priv;
	struct dma_buf_conflict conflict = { };
	struct dma_buf_attachment *attach[2];
	struct mock_importer *other = two_attached(test, SZ_64K, attach);
	struct dma_buf_constraints c;

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach[1]));
	dma_resv_lock(fix->dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_buf_get_constraints(fix->dmabuf, &c, &conflict), 0);
	KUNIT_EXPECT_EQ(test, c.dma_mask, DMA_BIT_MASK(20));
	KUNIT_EXPECT_EQ(test, c.max_segments, 4);
	KUNIT_EXPECT_EQ(test, c.alignment, SZ_64K);
	constrain(test, other->dev, U64_MAX, 4, SZ_1M);
	KUNIT_EXPECT_EQ(test, dma_buf_get_constraints(fix->dmabuf, &c, &conflict), -EBUSY);
	KUNIT_EXPECT_EQ(test, conflict.field, DMA_BUF_FIELD_ALIGNMENT);
	dma_resv_unlock(fix->dmabuf->resv);
	dma_buf_detach(fix->dmabuf, attach[1]);
	dma_buf_detach(fix->dmabuf, attach[0]);
}

static void storage_is_asked(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct dma_buf_storage_info info = {};

	KUNIT_EXPECT_EQ(test, request_with(test, DMA_BUF_IOCTL_GET_STORAGE, &info, sizeof(info)),
			0);
	KUNIT_EXPECT_EQ(test, info.flags, DMA_BUF_STORAGE_PLACED);
	KUNIT_EXPECT_EQ(test, info.reach, DMA_BIT_MASK(32));
	KUNIT_EXPECT_EQ(test, info.segments, 3);
	KUNIT_EXPECT_EQ(test, info.size, MOCK_EXPORTER_SIZE);
	KUNIT_EXPECT_STREQ(test, info.exporter, fix->dmabuf->exp_name);
	fix->admit_errno = -EIO;
	KUNIT_EXPECT_EQ(test, request(fix, DMA_BUF_IOCTL_GET_STORAGE), -EIO);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(fix->dmabuf->resv));
}

#define SIZED(dir, nr, size) _IOC(dir, DMA_BUF_BASE, nr, size)

/* What a program says may be longer than what the kernel knows, and never shorter. */
static void sizes(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct {
		struct dma_buf_device_use add;
		u64 tail;
	} longer = { .add = { .device_fd = fix->fd, .use = DMA_BUF_USE_CPU } };
	struct {
		struct dma_buf_constraints_info info;
		u64 tail;
	} answer = { .tail = 7 };
	unsigned int i;

	/* Fine as long as it asks for nothing new. */
	KUNIT_EXPECT_EQ(test, request_with(test, SIZED(_IOC_READ | _IOC_WRITE, 0x25,
						       sizeof(longer)), &longer, sizeof(longer)),
			0);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 1);
	longer.tail = 1;
	KUNIT_EXPECT_EQ(test, request_with(test, SIZED(_IOC_READ | _IOC_WRITE, 0x25,
						       sizeof(longer)), &longer, sizeof(longer)),
			-E2BIG);
	KUNIT_EXPECT_EQ(test, request_with(test, SIZED(_IOC_READ, 0x28, sizeof(answer)), &answer,
					   sizeof(answer)), 0);
	KUNIT_EXPECT_EQ(test, answer.info.devices, 1);
	KUNIT_EXPECT_EQ(test, answer.info.pad, 0);
	KUNIT_EXPECT_EQ(test, answer.tail, 0);
	/* Too short. */
	for (i = 0x25; i <= 0x29; i++) {
		const unsigned int dir = i < 0x28 ? _IOC_READ | _IOC_WRITE : _IOC_READ;

		KUNIT_EXPECT_EQ(test, request(fix, SIZED(dir, i, 0)), -EINVAL);
		KUNIT_EXPECT_EQ(test, request(fix, SIZED(dir, i, 60)), -EINVAL);
	}
	KUNIT_EXPECT_EQ(test, request(fix, SIZED(_IOC_READ, 0x23, 0)), -EINVAL);
	/* The direction is part of the request. */
	KUNIT_EXPECT_EQ(test, request(fix, SIZED(_IOC_WRITE, 0x28, 64)), -ENOTTY);
	KUNIT_EXPECT_EQ(test, request(fix, SIZED(_IOC_READ, 0x2a, 64)), -ENOTTY);
	/* The requests of the first version. */
	for (i = 0x20; i <= 0x22; i++) {
		KUNIT_EXPECT_EQ(test, request(fix, SIZED(_IOC_READ, i, 56)), -ENOTTY);
		KUNIT_EXPECT_EQ(test, request(fix, SIZED(_IOC_READ | _IOC_WRITE, i, 64)), -ENOTTY);
	}
}

static void bad_arguments(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct file *file = prime_test_file(test);
	struct dma_buf_device_use add = { .device_fd = fix->fd, .use = 1, .flags = 1 };
	struct dma_buf_commit arg = { .flags = 1 };
	struct device *dev = fix->announced;
	unsigned int how = 0, bit;

	KUNIT_EXPECT_EQ(test, request_with(test, DMA_BUF_IOCTL_ADD_DEVICE, &add, sizeof(add)),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, add.field, DMA_BUF_FIELD_ERROR);
	KUNIT_EXPECT_EQ(test, add.found, EINVAL);
	KUNIT_EXPECT_EQ(test, request_with(test, DMA_BUF_IOCTL_COMMIT, &arg, sizeof(arg)), -EINVAL);
	KUNIT_EXPECT_EQ(test, fix->commits, 0);
	/* A use that is not known, or none. */
	add.flags = 0;
	for (bit = 4; bit <= 32; bit++) {
		add.use = bit == 32 ? 0 : BIT(bit) | DMA_BUF_USE_READ;
		KUNIT_EXPECT_EQ(test, request_with(test, DMA_BUF_IOCTL_ADD_DEVICE, &add,
						   sizeof(add)), -EINVAL);
	}
	add = (struct dma_buf_device_use) { .device_fd = fix->fd, .use = DMA_BUF_USE_READ };
	KUNIT_EXPECT_EQ(test, request_with(test, DMA_BUF_IOCTL_REMOVE_DEVICE, &add, sizeof(add)),
			-EINVAL);
	add.device_fd = -1;
	KUNIT_EXPECT_EQ(test, request_with(test, DMA_BUF_IOCTL_ADD_DEVICE, &add, sizeof(add)),
			-EBADF);
	fix->announced = NULL;
	KUNIT_EXPECT_EQ(test, add_device(test, &add), -ENODEV);
	KUNIT_EXPECT_EQ(test, add.found, ENODEV);
	fix->announced = dev;
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 0);

	/* A file that is no node of a subsystem that shares buffers. */
	kunit_deactivate_static_stub(test, dma_buf_device_get);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_device_get(file, &how)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_device_get(fix->dmabuf->file, &how)), -EINVAL);
}

/* Numbers that CUSE may give to a program's own device. */
static void not_of_the_subsystem(struct kunit *test)
{
	const dev_t numbers[] = {
		MKDEV(DMA_BUF_MAJOR_DRM, 256), MKDEV(DMA_BUF_MAJOR_V4L2, 256),
		/* Only a kernel with accel has 256 of these. */
		MKDEV(261, IS_ENABLED(CONFIG_DRM_ACCEL) ? 256 : 0),
	};
	struct file *file = device_file(test);
	unsigned int how = 0, i;

	kunit_deactivate_static_stub(test, dma_buf_device_get);
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		file_inode(file)->i_rdev = numbers[i];
		KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(dma_buf_device_get(file, &how)), -EINVAL);
	}
	fput(file);
}

/* A CUSE program that ended has left a file of a number that DRM has now. */
static void left_by_another(struct kunit *test)
{
	struct file *file = device_file(test);
	const struct file_operations other = { };
	struct cdev cdev = { .ops = &other };
	unsigned int how = 0;

	kunit_deactivate_static_stub(test, dma_buf_device_get);
	/* DRM replaces the operations of its node when it opens a file. */
	file_inode(file)->i_cdev = &cdev;
	KUNIT_EXPECT_EQ(test, dma_buf_device_major(file), DMA_BUF_MAJOR_DRM);
	cdev.ops = file->f_op;
	KUNIT_ASSERT_EQ(test, dma_buf_device_major(file), 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(dma_buf_device_get(file, &how)), -EINVAL);
	/* V4L2 does not. device_v4l2.c compares the nodes. */
	file_inode(file)->i_rdev = MKDEV(DMA_BUF_MAJOR_V4L2, 0);
	KUNIT_EXPECT_EQ(test, dma_buf_device_major(file), DMA_BUF_MAJOR_V4L2);
	file_inode(file)->i_cdev = NULL;
	fput(file);
}

/* What devices do with the buffer is merged, asked for, and told to the exporter. */
static void uses(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct dma_buf_device_use add = { .device_fd = fix->fd, .use = DMA_BUF_USE_WRITE };

	KUNIT_EXPECT_EQ(test, request_with(test, DMA_BUF_IOCTL_ADD_DEVICE, &add, sizeof(add)), 0);
	KUNIT_EXPECT_EQ(test, add.use, DMA_BUF_USE_WRITE);
	KUNIT_EXPECT_EQ(test, add.field, DMA_BUF_FIELD_NONE);
	KUNIT_EXPECT_STREQ(test, add.device, dev_name(fix->announced));
	KUNIT_EXPECT_EQ(test, fix->merged.use, DMA_BUF_USE_WRITE);
	KUNIT_EXPECT_EQ(test, constraints_of(test).use, DMA_BUF_USE_WRITE);
	/* The same device does more. */
	add.use = DMA_BUF_USE_CPU;
	KUNIT_EXPECT_EQ(test, request_with(test, DMA_BUF_IOCTL_ADD_DEVICE, &add, sizeof(add)), 0);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 1);
	KUNIT_EXPECT_EQ(test, constraints_of(test).use, DMA_BUF_USE_WRITE | DMA_BUF_USE_CPU);
	fix->announced = prime_test_device(test);
	add.use = DMA_BUF_USE_READ | DMA_BUF_USE_SCANOUT;
	KUNIT_EXPECT_EQ(test, request_with(test, DMA_BUF_IOCTL_ADD_DEVICE, &add, sizeof(add)), 0);
	KUNIT_EXPECT_EQ(test, constraints_of(test).use, 15);
	KUNIT_EXPECT_EQ(test, fix->merged.use, 15);
	KUNIT_EXPECT_EQ(test, remove_device(test), 0);
	KUNIT_EXPECT_EQ(test, constraints_of(test).use, DMA_BUF_USE_WRITE | DMA_BUF_USE_CPU);
}

/* The helper decides whether a device takes one address, and not a segment size of UINT_MAX. */
static void helpers_tell(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct dma_buf_device_use add;

	constrain(test, fix->announced, DMA_BIT_MASK(30), 4, 1);
	fix->how = DMA_BUF_DEVICE_ONE_ADDRESS;
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	KUNIT_EXPECT_EQ(test, constraints_of(test).flags, DMA_BUF_CONSTRAINT_CONTIGUOUS);
	KUNIT_EXPECT_EQ(test, constraints_of(test).max_segments, 1);
	KUNIT_EXPECT_EQ(test, constraints_of(test).dma_mask, DMA_BIT_MASK(30));
	KUNIT_EXPECT_EQ(test, remove_device(test), 0);
	/* If the processor copies, it does not matter what the device can reach. */
	fix->how = DMA_BUF_DEVICE_PROCESSOR;
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 1);
	KUNIT_EXPECT_EQ(test, constraints_of(test).flags, 0);
	KUNIT_EXPECT_EQ(test, constraints_of(test).max_segments, U32_MAX);
	KUNIT_EXPECT_EQ(test, constraints_of(test).dma_mask, U64_MAX);
}

static size_t entries_of(struct device *dev)
{
	struct list_head *entries = devres_find(dev, dma_buf_announced_release, NULL, NULL);

	return entries ? list_count_nodes(entries) : 0;
}

/* A device may have several nodes, and its driver may learn what it needs. The stricter counts. */
static void needs_add_up(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct dma_buf_constraints_info info;
	struct dma_buf_device_use add;

	constrain(test, fix->announced, DMA_BIT_MASK(30), 4, 1);
	fix->how = DMA_BUF_DEVICE_PROCESSOR;
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	fix->how = DMA_BUF_DEVICE_ONE_ADDRESS;
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	info = constraints_of(test);
	KUNIT_EXPECT_EQ(test, info.devices, 1);
	KUNIT_EXPECT_EQ(test, info.flags, DMA_BUF_CONSTRAINT_CONTIGUOUS);
	KUNIT_EXPECT_EQ(test, info.dma_mask, DMA_BIT_MASK(30));
	fix->how = DMA_BUF_DEVICE_PROCESSOR;
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	KUNIT_EXPECT_EQ(test, constraints_of(test).dma_mask, DMA_BIT_MASK(30));
	fix->how = 0;
	constrain(test, fix->announced, DMA_BIT_MASK(28), 4, SZ_8K);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	info = constraints_of(test);
	KUNIT_EXPECT_EQ(test, info.flags, DMA_BUF_CONSTRAINT_CONTIGUOUS);
	KUNIT_EXPECT_EQ(test, info.dma_mask, DMA_BIT_MASK(28));
	KUNIT_EXPECT_EQ(test, info.alignment, SZ_8K);
	KUNIT_EXPECT_EQ(test, entries_of(fix->announced), 1);
	KUNIT_EXPECT_EQ(test, remove_device(test), 0);
	KUNIT_EXPECT_EQ(test, constraints_of(test).dma_mask, U64_MAX);
}

/* The sum of what a device needs has to suit the size, or the commit would fail. */
static void needs_add_up_to_too_much(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct dma_buf_constraints c;
	struct dma_buf_device_use add;

	constrain(test, fix->announced, U64_MAX, 1, 1);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	dma_buf_constraints_init(&c);
	c.max_segment_size = PAGE_SIZE;
	KUNIT_ASSERT_EQ(test, devm_dma_buf_constraints_set(fix->announced, &c), 0);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), -EBUSY);
	expect_refusal(test, fix->announced, DMA_BUF_FIELD_MAX_SEGMENTS, 1,
		       MOCK_EXPORTER_SIZE / PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 1);
	KUNIT_EXPECT_NE(test, constraints_of(test).max_segment_size, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, entries_of(fix->announced), 1);

	/* Two needs that contradict each other. */
	fix->announced = prime_test_device(test);
	constrain(test, fix->announced, DMA_BIT_MASK(20), 9, 1);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	constrain(test, fix->announced, U64_MAX, 9, SZ_1M);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), -EBUSY);
	expect_refusal(test, fix->announced, DMA_BUF_FIELD_ALIGNMENT, SZ_1M, SZ_512K);
	KUNIT_EXPECT_NE(test, constraints_of(test).alignment, SZ_1M);
}

/* The exporter is asked with what holds afterwards. */
static void needs_add_up_for_the_exporter(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	const u32 pages = MOCK_EXPORTER_SIZE / PAGE_SIZE;
	struct dma_buf_constraints c;
	struct dma_buf_device_use add;

	constrain(test, fix->announced, U64_MAX, pages, 1);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	KUNIT_EXPECT_EQ(test, fix->merged.max_segments, pages);
	dma_buf_constraints_init(&c);
	c.max_segment_size = PAGE_SIZE;
	KUNIT_ASSERT_EQ(test, devm_dma_buf_constraints_set(fix->announced, &c), 0);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	KUNIT_EXPECT_EQ(test, fix->merged.max_segments, constraints_of(test).max_segments);
	KUNIT_EXPECT_LT(test, fix->merged.max_segments, pages);
}

/* What is taken back does not count any more, on either side. */
static void remove_withdraws(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct file *file = fix->dmabuf->file;
	struct device *first = fix->announced;
	struct dma_buf_device_use add;

	KUNIT_EXPECT_EQ(test, remove_device(test), -ENOENT);
	constrain(test, first, DMA_BIT_MASK(30), 4, 1);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	fix->announced = prime_test_device(test);
	KUNIT_EXPECT_EQ(test, remove_device(test), -ENOENT);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	fix->announced = first;
	file->f_mode &= ~FMODE_WRITE;
	KUNIT_EXPECT_EQ(test, remove_device(test), -EACCES);
	file->f_mode |= FMODE_WRITE;
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 2);
	KUNIT_EXPECT_EQ(test, remove_device(test), 0);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 1);
	KUNIT_EXPECT_EQ(test, constraints_of(test).dma_mask, U64_MAX);
	KUNIT_EXPECT_EQ(test, entries_of(first), 0);
	KUNIT_EXPECT_EQ(test, remove_device(test), -ENOENT);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 2);
}

static void reason_is_told_in_the_call(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct dma_buf_device_use add;

	fix->admit_errno = -EBUSY;
	KUNIT_EXPECT_EQ(test, add_device(test, &add), -EBUSY);
	KUNIT_EXPECT_EQ(test, add.field, DMA_BUF_FIELD_CONTIGUOUS);
	KUNIT_EXPECT_EQ(test, add.wanted, 1);
	KUNIT_EXPECT_EQ(test, add.found, 5);
	KUNIT_EXPECT_STREQ(test, add.device, dev_name(fix->announced));
	/* No constraint: the errno is the reason. */
	fix->admit_errno = -ENOMEM;
	KUNIT_EXPECT_EQ(test, add_device(test, &add), -ENOMEM);
	KUNIT_EXPECT_EQ(test, add.field, DMA_BUF_FIELD_ERROR);
	KUNIT_EXPECT_EQ(test, add.found, ENOMEM);
	fix->admit_errno = 0;
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	KUNIT_EXPECT_EQ(test, add.field, DMA_BUF_FIELD_NONE);
	KUNIT_EXPECT_EQ(test, add.found, 0);
}

static void commit_is_the_exporters(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct file *file = fix->dmabuf->file;
	struct dma_buf_refusal refusal = { };
	struct dma_buf_commit arg;

	KUNIT_EXPECT_EQ(test, commit(test, &arg, 0), 0);
	KUNIT_EXPECT_EQ(test, arg.size, MOCK_EXPORTER_SIZE);
	KUNIT_EXPECT_EQ(test, arg.field, DMA_BUF_FIELD_NONE);
	KUNIT_EXPECT_STREQ(test, arg.device, "");
	KUNIT_EXPECT_EQ(test, fix->commits, 1);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(fix->dmabuf->resv));
	fix->commit_errno = -EBUSY;
	KUNIT_EXPECT_EQ(test, commit(test, &arg, MOCK_EXPORTER_SIZE), -EBUSY);
	KUNIT_EXPECT_EQ(test, arg.field, DMA_BUF_FIELD_CONTIGUOUS);
	KUNIT_EXPECT_EQ(test, arg.wanted, 1);
	KUNIT_EXPECT_EQ(test, arg.found, 7);
	/* GET_REFUSAL tells it, too. */
	KUNIT_EXPECT_EQ(test, request_with(test, DMA_BUF_IOCTL_GET_REFUSAL, &refusal,
					   sizeof(refusal)), 0);
	KUNIT_EXPECT_EQ(test, refusal.step, DMA_BUF_STEP_COMMIT);
	KUNIT_EXPECT_EQ(test, refusal.by, DMA_BUF_BY_CORE);
	KUNIT_EXPECT_EQ(test, refusal.field, DMA_BUF_FIELD_CONTIGUOUS);
	KUNIT_EXPECT_STREQ(test, refusal.device, "");
	fix->commit_errno = -ENOMEM;
	KUNIT_EXPECT_EQ(test, commit(test, &arg, 0), -ENOMEM);
	KUNIT_EXPECT_EQ(test, arg.field, DMA_BUF_FIELD_ERROR);
	KUNIT_EXPECT_EQ(test, arg.found, ENOMEM);
	/* No program knows the number of a call that is to be restarted. */
	fix->commit_errno = -ERESTARTSYS;
	KUNIT_EXPECT_EQ(test, commit(test, &arg, 0), -ERESTARTSYS);
	KUNIT_EXPECT_EQ(test, arg.found, EINTR);
	fix->commit_errno = 0;
	/* The size of storage that negotiate/late.c does not place is the exporter's. */
	KUNIT_EXPECT_EQ(test, commit(test, &arg, MOCK_EXPORTER_SIZE - 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, commit(test, &arg, MOCK_EXPORTER_SIZE + 1), -EBUSY);
	KUNIT_EXPECT_EQ(test, fix->commits, 4);
	file->f_mode &= ~FMODE_WRITE;
	KUNIT_EXPECT_EQ(test, commit(test, &arg, 0), -EACCES);
	file->f_mode |= FMODE_WRITE;
}

/* An exporter need not have one. */
static void no_commit(struct kunit *test)
{
	static const struct dma_buf_late_ops none = { .storage = late_storage };
	struct negotiate_fixture *fix = test->priv;
	struct dma_buf_commit arg;

	KUNIT_EXPECT_EQ(test, commit(test, &arg, 0), -EOPNOTSUPP);
	KUNIT_ASSERT_EQ(test, dma_buf_set_late(fix->dmabuf, &none), 0);
	KUNIT_EXPECT_EQ(test, commit(test, &arg, 0), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, arg.field, DMA_BUF_FIELD_ERROR);
}

/* Pitch, offset and size: the strictest counts. */
static void images(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct dma_buf_constraints_info info;
	struct dma_buf_constraints c;
	struct dma_buf_device_use add;

	dma_buf_constraints_init(&c);
	c.pitch_align = 64;
	c.size_align = SZ_4K;
	KUNIT_ASSERT_EQ(test, devm_dma_buf_constraints_set(fix->announced, &c), 0);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	fix->announced = prime_test_device(test);
	c.pitch_align = 16;
	c.offset_align = 256;
	KUNIT_ASSERT_EQ(test, devm_dma_buf_constraints_set(fix->announced, &c), 0);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	info = constraints_of(test);
	KUNIT_EXPECT_EQ(test, info.pitch_align, 64);
	KUNIT_EXPECT_EQ(test, info.offset_align, 256);
	KUNIT_EXPECT_EQ(test, info.size_align, SZ_4K);
	/* A size that does not change has to suit. */
	fix->announced = prime_test_device(test);
	c.size_align = 2 * MOCK_EXPORTER_SIZE;
	KUNIT_ASSERT_EQ(test, devm_dma_buf_constraints_set(fix->announced, &c), 0);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), -EBUSY);
	KUNIT_EXPECT_EQ(test, add.field, DMA_BUF_FIELD_SIZE_ALIGN);
	KUNIT_EXPECT_EQ(test, add.wanted, 2 * MOCK_EXPORTER_SIZE);
	KUNIT_EXPECT_EQ(test, add.found, MOCK_EXPORTER_SIZE);
}

/* When the answer can't be written, the device has not been added. */
static void fault_leaves_nothing(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct dma_buf_device_use add = { .device_fd = fix->fd, .use = DMA_BUF_USE_READ };
	void __user *arg = fix->arg;
	unsigned int refs = kref_read(&fix->announced->kobj.kref);
	struct file *file = fget(fix->fd);
	const long file_refs = file_count(file);

	fix->arg = (void __user *)prime_test_user_read_only(test, &add, sizeof(add));
	KUNIT_EXPECT_EQ(test, request(fix, DMA_BUF_IOCTL_ADD_DEVICE), -EFAULT);
	KUNIT_EXPECT_EQ(test, request(fix, DMA_BUF_IOCTL_COMMIT), -EFAULT);
	KUNIT_EXPECT_EQ(test, fix->commits, 0);
	KUNIT_EXPECT_EQ(test, request(fix, DMA_BUF_IOCTL_GET_CONSTRAINTS), -EFAULT);
	KUNIT_EXPECT_EQ(test, request(fix, DMA_BUF_IOCTL_GET_STORAGE), -EFAULT);
	KUNIT_EXPECT_EQ(test, request(fix, DMA_BUF_IOCTL_GET_REFUSAL), -EFAULT);
	swap(fix->arg, arg);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 0);
	KUNIT_EXPECT_EQ(test, kref_read(&fix->announced->kobj.kref), refs);
	/* A request that fails does not take back an earlier announcement. */
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	swap(fix->arg, arg);
	KUNIT_EXPECT_EQ(test, request(fix, DMA_BUF_IOCTL_ADD_DEVICE), -EFAULT);
	swap(fix->arg, arg);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 1);
	KUNIT_EXPECT_EQ(test, kref_read(&fix->announced->kobj.kref), refs);
	KUNIT_EXPECT_EQ(test, file_count(file), file_refs);
	fput(file);
}

/* The program's memory ends behind the struct that this kernel knows. */
static void fault_behind_the_answer(struct kunit *test)
{
	const size_t size = sizeof(struct dma_buf_constraints_info);
	struct negotiate_fixture *fix = late(test);
	unsigned long at = vm_mmap(NULL, 0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE,
				   MAP_ANONYMOUS | MAP_PRIVATE, 0);

	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(at));
	KUNIT_ASSERT_EQ(test, vm_munmap(at + PAGE_SIZE, PAGE_SIZE), 0);
	fix->arg = (void __user *)(at + PAGE_SIZE - size);
	KUNIT_EXPECT_EQ(test, request(fix, DMA_BUF_IOCTL_GET_CONSTRAINTS), 0);
	KUNIT_EXPECT_EQ(test, request(fix, DMA_BUF_IOCTL_GET_CONSTRAINTS + (8 << _IOC_SIZESHIFT)),
			-EFAULT);
}

/* An announcement ends with the device's driver, whose module may go then. */
static void ends_with_the_driver(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct device *first = fix->announced;
	struct dma_buf_device_use add;

	constrain(test, first, DMA_BIT_MASK(30), 4, 1);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	fix->announced = prime_test_device(test);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 2);
	device_release_driver(first);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 1);
	KUNIT_EXPECT_EQ(test, constraints_of(test).dma_mask, U64_MAX);
	/* A device is refused if its driver left after the look-up. The next driver is bound. */
	swap(fix->announced, first);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), -ENODEV);
	KUNIT_EXPECT_EQ(test, device_attach(fix->announced), 1);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 2);
	swap(fix->announced, first);
	/* The device's memory is freed, too, before the buffer is closed. */
	kunit_device_unregister(test, first);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 1);
}

static void driver_goes(void *data)
{
	struct negotiate_fixture *fix = data;

	/* Once the entry waits for the reservation object. */
	prime_test_wait(entries_of(fix->announced));
	device_release_driver(fix->announced);
}

/* A driver that leaves meanwhile takes the entry, and the request fails. */
static void ends_while_announced(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct prime_test_holder holder = {
		.resv = fix->dmabuf->resv, .meanwhile = driver_goes, .data = fix,
	};
	struct dma_buf_device_use add;

	prime_test_hold(test, &holder);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), -ENODEV);
	prime_test_let_go(&holder);
	KUNIT_EXPECT_EQ(test, entries_of(fix->announced), 0);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 0);
}

/* Each request that waits for the reservation object can be ended. */
static void requests_interrupted(struct kunit *test)
{
	static const unsigned int requests[] = {
		DMA_BUF_IOCTL_GET_STORAGE, DMA_BUF_IOCTL_GET_CONSTRAINTS, DMA_BUF_IOCTL_COMMIT,
		DMA_BUF_IOCTL_ADD_DEVICE,
	};
	struct negotiate_fixture *fix = late(test);
	struct dma_buf_device_use add = { .device_fd = fix->fd, .use = DMA_BUF_USE_READ };
	struct dma_buf_commit none = { };
	struct prime_test_holder holder = { .resv = fix->dmabuf->resv };
	long ret;
	int i;

	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		const bool adds = requests[i] == DMA_BUF_IOCTL_ADD_DEVICE;

		KUNIT_ASSERT_EQ(test, copy_to_user(fix->arg, adds ? (void *)&add : &none,
						   sizeof(add)), 0);
		prime_test_hold(test, &holder);
		prime_test_signal_self();
		ret = request(fix, requests[i]);
		prime_test_signal_clear();
		prime_test_let_go(&holder);
		KUNIT_EXPECT_EQ_MSG(test, ret, -EINTR, "request %d", i);
	}
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 0);
	KUNIT_EXPECT_EQ(test, entries_of(fix->announced), 0);
}

/* An announcement ends with the buffer, too; the device's resource is for all buffers. */
static void ends_with_the_buffer(struct kunit *test)
{
	struct negotiate_fixture *fix = test->priv;
	const size_t resources = list_count_nodes(&fix->announced->devres_head);
	struct dma_buf *buffer[3];
	struct dma_buf_device_use add;
	int i;

	for (i = 0; i < 3; i++) {
		buffer[i] = mock_exporter_export(mock_exporter_create(test, true));
		swap(fix->dmabuf, buffer[i]);
		KUNIT_ASSERT_EQ(test, dma_buf_set_late(fix->dmabuf, &late_ops), 0);
		KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
		KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 1);
		swap(fix->dmabuf, buffer[i]);
	}
	KUNIT_EXPECT_EQ(test, entries_of(fix->announced), 3);
	KUNIT_EXPECT_EQ(test, list_count_nodes(&fix->announced->devres_head), resources + 1);
	for (i = 0; i < 3; i++)
		mock_exporter_put(test, buffer[i]);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(!entries_of(fix->announced)));
	device_release_driver(fix->announced);
}

/* One that can't write the buffer has no say in where it lies. */
static void needs_write(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct file *file = fix->dmabuf->file;
	struct dma_buf_device_use add;

	file->f_mode &= ~FMODE_WRITE;
	KUNIT_EXPECT_EQ(test, add_device(test, &add), -EACCES);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 0);
	file->f_mode |= FMODE_WRITE;
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
}

static void limit(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct dma_buf_device_use add;
	int i;

	for (i = 0; i < 64; i++) {
		fix->announced = prime_test_device(test);
		KUNIT_ASSERT_EQ(test, add_device(test, &add), 0);
	}
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 64);
	/* A device that was added before can be added again. */
	KUNIT_EXPECT_EQ(test, add_device(test, &add), 0);
	fix->announced = prime_test_device(test);
	KUNIT_EXPECT_EQ(test, add_device(test, &add), -ENOSPC);
	KUNIT_EXPECT_EQ(test, constraints_of(test).devices, 64);
}

/* Static importer, dynamic exporter: not mapped before it asks. */
static void late_is_not_mapped_at_attach(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct dma_buf_attachment *attach = mock_importer_attach(fix->imp, fix->dmabuf);
	struct sg_table *sgt;

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_PIN, 0);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_MAP, 0);
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_PIN, 1);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_UNPIN, 1);
	dma_buf_detach(fix->dmabuf, attach);
}

static struct dma_buf_attachment *try_attach(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct dma_buf_attachment *attach = mock_importer_attach(fix->imp, fix->dmabuf);

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	return attach;
}

static void try_map_maps(struct kunit *test)
{
	struct dma_buf_attachment *attach = try_attach(test);
	struct negotiate_fixture *fix = test->priv;
	struct sg_table *sgt = dma_buf_try_map_attachment(attach, DMA_TO_DEVICE);

	KUNIT_EXPECT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_TRUE(test, fix->exp->op[MOCK_MAP].resv_locked);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(fix->dmabuf->resv));
	if (!IS_ERR(sgt))
		dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	mock_exporter_fail(fix->exp, MOCK_MAP, 2, -EIO);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_try_map_attachment(attach, DMA_TO_DEVICE)), -EIO);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(fix->dmabuf->resv));
	mock_exporter_expect_unused(fix->exp);
	dma_buf_detach(fix->dmabuf, attach);
}

static void try_map_does_not_wait_for_the_lock(struct kunit *test)
{
	struct dma_buf_attachment *attach = try_attach(test);
	struct negotiate_fixture *fix = test->priv;

	dma_resv_lock(fix->dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_try_map_attachment(attach, DMA_TO_DEVICE)), -EBUSY);
	dma_resv_unlock(fix->dmabuf->resv);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_PIN, 0);
	dma_buf_detach(fix->dmabuf, attach);
}

static void try_map_does_not_wait_for_fences(struct kunit *test)
{
	struct dma_buf_attachment *attach = try_attach(test);
	struct negotiate_fixture *fix = test->priv;
	struct mock_fence *fence;
	struct sg_table *sgt;

	mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_WRITE);
	fence = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_KERNEL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_try_map_attachment(attach, DMA_TO_DEVICE)), -EBUSY);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_PIN, 0);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_MAP, 0);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(fix->dmabuf->resv));
	dma_fence_signal(&fence->base);
	sgt = dma_buf_try_map_attachment(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	dma_buf_detach(fix->dmabuf, attach);
}

static int (*mock_pin)(struct dma_buf_attachment *attach);

/* A pin that moves the storage, in the background. */
static int moving_pin(struct dma_buf_attachment *attach)
{
	struct dma_resv *resv = attach->dmabuf->resv;
	struct mock_exporter *exp = attach->dmabuf->priv;
	int ret = dma_resv_reserve_fences(resv, 1);

	if (ret)
		return ret;
	dma_resv_add_fence(resv, &exp->move->base, DMA_RESV_USAGE_KERNEL);
	return mock_pin(attach);
}

static void try_map_undoes_what_needs_waiting(struct kunit *test)
{
	struct dma_buf_attachment *attach = try_attach(test);
	struct negotiate_fixture *fix = test->priv;

	fix->exp->move = mock_fence_create(test);
	mock_pin = fix->exp->ops.pin;
	fix->exp->ops.pin = moving_pin;
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_try_map_attachment(attach, DMA_TO_DEVICE)), -EBUSY);
	fix->exp->ops.pin = mock_pin;
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_MAP, 1);
	mock_exporter_expect_unused(fix->exp);
	dma_buf_detach(fix->dmabuf, attach);
}

/* A mapping that is kept from attach on costs no wait, and no fence stands before it. */
static void try_map_kept(struct kunit *test)
{
	struct negotiate_fixture *fix = test->priv;
	struct dma_buf_attachment *attach = mock_importer_attach(fix->imp, fix->dmabuf);
	enum dma_data_direction dir;
	struct sg_table *kept;

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	kept = dma_buf_kept_table(attach, &dir);
	KUNIT_EXPECT_EQ(test, !!kept, DMA_BUF_MAPS_AT_ATTACH);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_MAP, kept ? 1 : 0);
	mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_try_map_attachment(attach, DMA_TO_DEVICE),
			    kept ?: ERR_PTR(-EBUSY));
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_MAP, kept ? 1 : 0);
	dma_buf_detach(fix->dmabuf, attach);
}

/* Dynamic importers wait for fences themselves. */
static void try_map_dynamic(struct kunit *test)
{
	struct negotiate_fixture *fix = late(test);
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	fix->imp->dynamic = true;
	attach = mock_importer_attach(fix->imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_KERNEL);
	sgt = dma_buf_try_map_attachment(attach, DMA_TO_DEVICE);
	KUNIT_EXPECT_FALSE(test, IS_ERR(sgt));
	if (!IS_ERR(sgt))
		dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	dma_buf_detach(fix->dmabuf, attach);
}

/* Only the first record of a buffer counts: no other object finds it. */
static void one_record(struct kunit *test)
{
	struct negotiate_fixture *fix = test->priv;
	int object, other;
	struct dma_buf *found;

	dma_buf_record_add(fix->dmabuf, &object, "mock");
	dma_buf_record_add(fix->dmabuf, &other, "mock");
	found = dma_buf_record_find(&object);
	KUNIT_ASSERT_PTR_EQ(test, found, fix->dmabuf);
	dma_buf_put(found);
	KUNIT_EXPECT_NULL(test, dma_buf_record_find(&other));
}

static void nonsense(struct kunit *test)
{
	static const struct dma_buf_late_ops no_storage = { .admit = late_admit };
	struct dma_buf_attachment no_buffer = {};
	struct negotiate_fixture *fix = test->priv;

	PRIME_TEST_NEEDS_WARN(test);
	prime_test_twice() {
		KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_try_map_attachment(NULL, DMA_TO_DEVICE)),
				-EINVAL);
		KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_try_map_attachment(&no_buffer,
									 DMA_TO_DEVICE)), -EINVAL);
		KUNIT_EXPECT_EQ(test, dma_buf_set_late(fix->dmabuf, &no_storage), -EINVAL);
		KUNIT_EXPECT_EQ(test, dma_buf_set_late(fix->dmabuf, NULL), -EINVAL);
	}
	KUNIT_EXPECT_EQ(test, dma_buf_set_late(fix->dmabuf, &late_ops), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_set_late(fix->dmabuf, &late_ops), -EBUSY);
}

static struct kunit_case dma_buf_negotiate_cases[] = {
	KUNIT_CASE(add_announces),
	KUNIT_CASE(attachments_count),
	KUNIT_CASE(conflict_refuses),
	KUNIT_CASE(size_refuses),
	KUNIT_CASE(exporter_refuses),
	KUNIT_CASE(not_negotiable),
	KUNIT_CASE(refuses_without_operations),
	KUNIT_CASE(admits_without_operation),
	KUNIT_CASE(driver_changes_its_mind),
	KUNIT_CASE(constraints_of_any_buffer),
	KUNIT_CASE(storage_is_asked),
	KUNIT_CASE(sizes),
	KUNIT_CASE(bad_arguments),
	KUNIT_CASE(not_of_the_subsystem),
	KUNIT_CASE(left_by_another),
	KUNIT_CASE(uses),
	KUNIT_CASE(helpers_tell),
	KUNIT_CASE(needs_add_up),
	KUNIT_CASE(needs_add_up_to_too_much),
	KUNIT_CASE(needs_add_up_for_the_exporter),
	KUNIT_CASE(remove_withdraws),
	KUNIT_CASE(reason_is_told_in_the_call),
	KUNIT_CASE(commit_is_the_exporters),
	KUNIT_CASE(no_commit),
	KUNIT_CASE(images),
	KUNIT_CASE(fault_leaves_nothing),
	KUNIT_CASE(fault_behind_the_answer),
	KUNIT_CASE(ends_with_the_driver),
	KUNIT_CASE(ends_while_announced),
	KUNIT_CASE(requests_interrupted),
	KUNIT_CASE(ends_with_the_buffer),
	KUNIT_CASE(needs_write),
	KUNIT_CASE(limit),
	KUNIT_CASE(late_is_not_mapped_at_attach),
	KUNIT_CASE(try_map_maps),
	KUNIT_CASE(try_map_does_not_wait_for_the_lock),
	KUNIT_CASE(try_map_does_not_wait_for_fences),
	KUNIT_CASE(try_map_undoes_what_needs_waiting),
	KUNIT_CASE(try_map_kept),
	KUNIT_CASE(try_map_dynamic),
	KUNIT_CASE(one_record),
	KUNIT_CASE(nonsense),
	{}
};

static struct kunit_suite dma_buf_negotiate_suite = {
	.name = "dma_buf_negotiate",
	.init = negotiate_init,
	.exit = negotiate_exit,
	.test_cases = dma_buf_negotiate_cases,
};

kunit_test_suite(dma_buf_negotiate_suite);
