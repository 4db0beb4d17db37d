// SPDX-License-Identifier: GPL-2.0
/*
 * Why a buffer was refused: each step that can fail, with exporters and importers
 * that know nothing of it, and what drivers say themselves.
 *
 * A kernel thread makes no system calls. So most of what happens at the end of one is
 * in igt-tests/dmabuf_refusal.c.
 */
#include <linux/dma-buf-constraints.h>
#include <linux/dma-map-ops.h>
#include <linux/fdtable.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/mmu_context.h>
#include <linux/platform_device.h>
#include <linux/prandom.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/sched/task_stack.h> /* for current_pt_regs() of arm64 */
#include <linux/sizes.h>
#include <linux/swiotlb.h>
#include <linux/tracepoint.h>
#include <linux/uaccess.h>
#include <linux/umh.h>
#include <asm/syscall.h>

#include "mock_drm.h"
#include "mock_exporter.h"
#include "mock_importer.h"

struct refusal_fixture {
	struct mock_exporter *exp;
	struct mock_importer *imp;
	struct dma_buf *dmabuf;
	void __user *arg;
};

static int refusal_init(struct kunit *test)
{
	struct refusal_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fix);
	test->priv = fix;
	fix->exp = mock_exporter_create(test, true);
	fix->imp = mock_importer_create(test, false);
	fix->arg = prime_test_user_page(test, PROT_READ | PROT_WRITE);
	fix->dmabuf = mock_exporter_export(fix->exp);
	return 0;
}

static long ask(struct dma_buf *dmabuf, size_t size, void __user *arg)
{
	struct file *file = dmabuf->file;

	return file->f_op->unlocked_ioctl(file, _IOC(_IOC_READ, DMA_BUF_BASE, 0x23, size),
					  (unsigned long)arg);
}

static struct dma_buf_refusal refusal_of(struct kunit *test, struct dma_buf *dmabuf)
{
	struct refusal_fixture *fix = test->priv;
	struct dma_buf_refusal why;

	memset(&why, 0xff, sizeof(why));
	KUNIT_EXPECT_EQ(test, ask(dmabuf, sizeof(why), fix->arg), 0);
	KUNIT_EXPECT_EQ(test, copy_from_user(&why, fix->arg, sizeof(why)), 0);
	KUNIT_EXPECT_EQ(test, why.pad, 0);
	return why;
}

static void expect_none(struct kunit *test, struct dma_buf *dmabuf)
{
	static const struct dma_buf_refusal none;
	struct dma_buf_refusal why = refusal_of(test, dmabuf);

	KUNIT_EXPECT_MEMEQ(test, &why, &none, sizeof(why));
}

/* Of the fixture's buffer; @dev is NULL for the processor. */
static struct dma_buf_refusal expect_step(struct kunit *test, u32 step, u32 by, int error,
					  struct device *dev)
{
	struct refusal_fixture *fix = test->priv;
	struct dma_buf_refusal why = refusal_of(test, fix->dmabuf);

	KUNIT_EXPECT_EQ(test, why.step, step);
	KUNIT_EXPECT_EQ(test, why.by, by);
	KUNIT_EXPECT_EQ(test, why.error, -error);
	KUNIT_EXPECT_STREQ(test, why.device, dev ? dev_name(dev) : "");
	KUNIT_EXPECT_STREQ(test, why.exporter, fix->dmabuf->owner ?
			   module_name(fix->dmabuf->owner) : fix->dmabuf->exp_name);
	KUNIT_EXPECT_EQ(test, why.size, fix->dmabuf->size);
	KUNIT_EXPECT_NE(test, why.field, DMA_BUF_FIELD_NONE);
	return why;
}

static void expect_field(struct kunit *test, const struct dma_buf_refusal *why, u32 field,
			 u64 wanted, u64 found)
{
	KUNIT_EXPECT_EQ(test, why->field, field);
	KUNIT_EXPECT_EQ(test, why->wanted, wanted);
	KUNIT_EXPECT_EQ(test, why->found, found);
}

/* What succeeds is no refusal. */
static void success_is_silent(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
	struct iosys_map map;

	expect_none(test, fix->dmabuf);
	attach = mock_importer_attach(fix->imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	dma_buf_detach(fix->dmabuf, attach);
	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(fix->dmabuf, &map), 0);
	dma_buf_vunmap_unlocked(fix->dmabuf, &map);
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(fix->dmabuf, DMA_FROM_DEVICE), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(fix->dmabuf, DMA_FROM_DEVICE), 0);
	expect_none(test, fix->dmabuf);
}

static void attach_is_told(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;
	struct dma_buf_refusal why;

	KUNIT_ASSERT_EQ(test, dma_set_mask(fix->imp->dev, DMA_BIT_MASK(40)), 0);
	mock_exporter_fail(fix->exp, MOCK_ATTACH, 1, -EPERM);
	KUNIT_EXPECT_EQ(test, PTR_ERR(mock_importer_attach(fix->imp, fix->dmabuf)), -EPERM);
	why = expect_step(test, DMA_BUF_STEP_ATTACH, DMA_BUF_BY_EXPORTER, -EPERM, fix->imp->dev);
	expect_field(test, &why, DMA_BUF_FIELD_ERROR, 0, EPERM);
	KUNIT_EXPECT_EQ(test, why.dma_mask, DMA_BIT_MASK(40));
	KUNIT_EXPECT_FALSE(test, why.flags & DMA_BUF_REFUSAL_TABLE);
}

static struct dma_buf_attachment *attach_to(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;
	struct dma_buf_attachment *attach = mock_importer_attach(fix->imp, fix->dmabuf);

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	return attach;
}

static int map_error(struct dma_buf_attachment *attach)
{
	return PTR_ERR_OR_ZERO(dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL));
}

/* On 6.12 the storage is pinned and mapped at attach. The innermost step is told. */
static void expect_map_error(struct kunit *test, int error)
{
	struct refusal_fixture *fix = test->priv;
	struct dma_buf_attachment *attach = mock_importer_attach(fix->imp, fix->dmabuf);

	if (IS_ERR(attach)) {
		KUNIT_EXPECT_EQ(test, PTR_ERR(attach), error);
		return;
	}
	KUNIT_EXPECT_EQ(test, map_error(attach), error);
	dma_buf_detach(fix->dmabuf, attach);
}

static void fail_to_map(struct kunit *test, enum mock_exporter_op op, int error)
{
	struct refusal_fixture *fix = test->priv;

	mock_exporter_fail(fix->exp, op, 1, error);
	expect_map_error(test, error);
}

/* Asked how much such a device maps at a time, the DMA API of 7.3 says nothing at all. */
static void device_without_mask(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;
	u64 *mask = fix->imp->dev->dma_mask;
	struct dma_buf_refusal why;

	fix->imp->dev->dma_mask = NULL;
	mock_exporter_fail(fix->exp, MOCK_ATTACH, 1, -EPERM);
	KUNIT_EXPECT_EQ(test, PTR_ERR(mock_importer_attach(fix->imp, fix->dmabuf)), -EPERM);
	why = expect_step(test, DMA_BUF_STEP_ATTACH, DMA_BUF_BY_EXPORTER, -EPERM, fix->imp->dev);
	expect_field(test, &why, DMA_BUF_FIELD_ERROR, 0, EPERM);
	KUNIT_EXPECT_EQ(test, why.dma_mask, U64_MAX);
	fail_to_map(test, MOCK_MAP, -EIO);
	fix->imp->dev->dma_mask = mask;
	why = expect_step(test, DMA_BUF_STEP_MAP, DMA_BUF_BY_EXPORTER, -EIO, fix->imp->dev);
	expect_field(test, &why, DMA_BUF_FIELD_ERROR, 0, EIO);
}

static void pin_is_told(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;
	struct dma_buf_refusal why;

	fail_to_map(test, MOCK_PIN, -ENOSPC);
	why = expect_step(test, DMA_BUF_STEP_PIN, DMA_BUF_BY_EXPORTER, -ENOSPC, fix->imp->dev);
	expect_field(test, &why, DMA_BUF_FIELD_ERROR, 0, ENOSPC);
}

static const char *broken_fence_name(struct dma_fence *fence)
{
	return "broken-fence";
}

static signed long broken_fence_wait(struct dma_fence *fence, bool intr, signed long timeout)
{
	return -EIO;
}

static const struct dma_fence_ops broken_fence_ops = {
	.get_driver_name = broken_fence_name,
	.get_timeline_name = broken_fence_name,
	.wait = broken_fence_wait,
};

static DEFINE_SPINLOCK(broken_fence_lock);

/* The exporter maps it, and the core's wait for a move fails. Then the exporter fails, too. */
static void map_is_told(struct kunit *test)
{
	struct dma_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	struct refusal_fixture *fix = test->priv;
	struct dma_buf_refusal why;

	KUNIT_ASSERT_NOT_NULL(test, fence);
	dma_fence_init(fence, &broken_fence_ops, &broken_fence_lock, dma_fence_context_alloc(1), 1);
	mock_resv_add(test, fix->dmabuf->resv, fence, DMA_RESV_USAGE_KERNEL);
	expect_map_error(test, -EIO);
	why = expect_step(test, DMA_BUF_STEP_TABLE, DMA_BUF_BY_CORE, -EIO, fix->imp->dev);
	expect_field(test, &why, DMA_BUF_FIELD_ERROR, 0, EIO);
	dma_fence_signal(fence);
	dma_fence_put(fence);

	mock_exporter_fail(fix->exp, MOCK_MAP, 2, -EIO);
	expect_map_error(test, -EIO);
	expect_step(test, DMA_BUF_STEP_MAP, DMA_BUF_BY_EXPORTER, -EIO, fix->imp->dev);
}

/* An exporter that answers NULL. */
static void map_without_error_is_told(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;

	fix->exp->map_null = true;
	fail_to_map(test, MOCK_MAP, -ENOMEM);
	expect_step(test, DMA_BUF_STEP_MAP, DMA_BUF_BY_EXPORTER, -ENOMEM, fix->imp->dev);
}

static void pin_of_importer_is_told(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;
	struct dma_buf_attachment *attach;

	fix->imp = mock_importer_create(test, true);
	attach = attach_to(test);
	mock_exporter_fail(fix->exp, MOCK_PIN, MOCK_FAIL_ALWAYS, -ENOSPC);
	dma_resv_lock(fix->dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_buf_pin(attach), -ENOSPC);
	dma_resv_unlock(fix->dmabuf->resv);
	expect_step(test, DMA_BUF_STEP_PIN, DMA_BUF_BY_EXPORTER, -ENOSPC, fix->imp->dev);
	dma_buf_detach(fix->dmabuf, attach);
}

/* The buffer has a fence of a move, and the importer may not wait. */
static void busy_is_told(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;
	struct dma_buf_attachment *attach = attach_to(test);
	struct sg_table *sgt;

	mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_KERNEL);
	sgt = dma_buf_try_map_attachment(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		expect_step(test, DMA_BUF_STEP_TABLE, DMA_BUF_BY_CORE, -EBUSY, fix->imp->dev);
	else	/* 6.12: kept from attach on */
		dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	dma_buf_detach(fix->dmabuf, attach);
}

static void vmap_is_told(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;
	struct dma_buf_refusal why;
	struct iosys_map map;

	mock_exporter_fail(fix->exp, MOCK_VMAP, 1, -ENOMEM);
	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(fix->dmabuf, &map), -ENOMEM);
	expect_step(test, DMA_BUF_STEP_VMAP, DMA_BUF_BY_EXPORTER, -ENOMEM, NULL);

	fix->exp->ops.vmap = NULL;
	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(fix->dmabuf, &map), -EINVAL);
	why = expect_step(test, DMA_BUF_STEP_VMAP, DMA_BUF_BY_EXPORTER, -EINVAL, NULL);
	expect_field(test, &why, DMA_BUF_FIELD_OPERATION, 1, 0);

	/* That there is no vmap is no reason for another step to fail. */
	mock_exporter_fail(fix->exp, MOCK_ATTACH, 1, -EPERM);
	KUNIT_EXPECT_EQ(test, PTR_ERR(mock_importer_attach(fix->imp, fix->dmabuf)), -EPERM);
	why = expect_step(test, DMA_BUF_STEP_ATTACH, DMA_BUF_BY_EXPORTER, -EPERM, fix->imp->dev);
	expect_field(test, &why, DMA_BUF_FIELD_ERROR, 0, EPERM);
}

static int mmap_pages(struct kunit *test, unsigned long pages)
{
	struct refusal_fixture *fix = test->priv;
	struct file *file = fix->dmabuf->file;

	return file->f_op->mmap(file, prime_test_vma(test, file, pages, 0));
}

static void mmap_is_told(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;

	KUNIT_EXPECT_EQ(test, mmap_pages(test, 1), 0);
	expect_none(test, fix->dmabuf);
	mock_exporter_fail(fix->exp, MOCK_MMAP, 2, -ENXIO);
	KUNIT_EXPECT_EQ(test, mmap_pages(test, 1), -ENXIO);
	expect_step(test, DMA_BUF_STEP_MMAP, DMA_BUF_BY_EXPORTER, -ENXIO, NULL);
	KUNIT_EXPECT_EQ(test, mmap_pages(test, 1000), -EINVAL);
	expect_step(test, DMA_BUF_STEP_MMAP, DMA_BUF_BY_CORE, -EINVAL, NULL);
}

static void mmap_without_function(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;
	struct dma_buf_refusal why;

	fix->exp->ops.mmap = NULL;
	KUNIT_EXPECT_EQ(test, mmap_pages(test, 1), -EINVAL);
	why = refusal_of(test, fix->dmabuf);
	expect_field(test, &why, DMA_BUF_FIELD_OPERATION, 1, 0);

	/* That there is no mmap is no reason for another step to fail. */
	mock_exporter_fail(fix->exp, MOCK_ATTACH, 1, -EPERM);
	KUNIT_EXPECT_EQ(test, PTR_ERR(mock_importer_attach(fix->imp, fix->dmabuf)), -EPERM);
	why = expect_step(test, DMA_BUF_STEP_ATTACH, DMA_BUF_BY_EXPORTER, -EPERM, fix->imp->dev);
	expect_field(test, &why, DMA_BUF_FIELD_ERROR, 0, EPERM);
}

/* As a driver does it whose file has the memory of a buffer. */
static void mmap_by_driver_is_told(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;

	mock_exporter_fail(fix->exp, MOCK_MMAP, 1, -ENXIO);
	KUNIT_EXPECT_EQ(test, dma_buf_mmap(fix->dmabuf, prime_test_vma(test, prime_test_file(test),
								       1, 0), 0), -ENXIO);
	expect_step(test, DMA_BUF_STEP_MMAP, DMA_BUF_BY_EXPORTER, -ENXIO, NULL);
}

static void cpu_access_is_told(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;

	mock_exporter_fail(fix->exp, MOCK_BEGIN, 1, -EIO);
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(fix->dmabuf, DMA_FROM_DEVICE), -EIO);
	expect_step(test, DMA_BUF_STEP_CPU, DMA_BUF_BY_EXPORTER, -EIO, NULL);
}

/* A wait that a signal ends is made again. */
static void signal_is_no_refusal(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;

	mock_exporter_fail(fix->exp, MOCK_BEGIN, 1, -ERESTARTSYS);
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(fix->dmabuf, DMA_FROM_DEVICE),
			-ERESTARTSYS);
	expect_none(test, fix->dmabuf);
}

/* --- what drivers say --- */

static int attach_says(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	dma_buf_refuse(attach, DMA_BUF_FIELD_COHERENT, 1, 0);
	return -EOPNOTSUPP;
}

static void exporter_says(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;
	struct dma_buf_refusal why;

	fix->exp->ops.attach = attach_says;
	KUNIT_EXPECT_EQ(test, PTR_ERR(mock_importer_attach(fix->imp, fix->dmabuf)), -EOPNOTSUPP);
	why = expect_step(test, DMA_BUF_STEP_ATTACH, DMA_BUF_BY_EXPORTER, -EOPNOTSUPP,
			  fix->imp->dev);
	expect_field(test, &why, DMA_BUF_FIELD_COHERENT, 1, 0);
	KUNIT_EXPECT_FALSE(test, why.flags & DMA_BUF_REFUSAL_GUESSED);
}

/* --- imports --- */

struct import {
	struct mock_drm *to;
	struct file *file;
	int fd;
};

static void close_fd_of(void *data)
{
	struct import *import = data;

	close_fd(import->fd);
	flush_delayed_fput();
}

/* The fixture's buffer, to be imported into a device of its own. */
static struct import *import_begin(struct kunit *test)
{
	struct import *import = kunit_kzalloc(test, sizeof(*import), GFP_KERNEL);
	struct refusal_fixture *fix = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, import);
	import->to = mock_drm_create(test);
	import->file = mock_drm_open(import->to);
	get_dma_buf(fix->dmabuf);
	import->fd = dma_buf_fd(fix->dmabuf, O_CLOEXEC);
	KUNIT_ASSERT_GE(test, import->fd, 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, close_fd_of, import), 0);
	return import;
}

static int import_do(struct import *import)
{
	u32 handle;

	return drm_gem_prime_fd_to_handle(import->to->drm, mock_drm_priv(import->file),
					  import->fd, &handle);
}

static void importer_gives_back(struct kunit *test)
{
	struct import *import = import_begin(test);
	struct dma_buf_refusal why;

	mock_drm_fail(import->to, MOCK_GEM_IMPORT, 1, -E2BIG);
	KUNIT_EXPECT_EQ(test, import_do(import), -E2BIG);
	why = expect_step(test, DMA_BUF_STEP_GIVEN_BACK, DMA_BUF_BY_IMPORTER, -E2BIG,
			  import->to->dev);
	expect_field(test, &why, DMA_BUF_FIELD_ERROR, 0, E2BIG);
	KUNIT_EXPECT_TRUE(test, why.flags & DMA_BUF_REFUSAL_TABLE);
	KUNIT_EXPECT_EQ(test, why.segments, 1);
	KUNIT_EXPECT_EQ(test, why.runs, 1);
	KUNIT_EXPECT_EQ(test, why.largest, MOCK_EXPORTER_SIZE);
	KUNIT_EXPECT_NE(test, why.reach, 0);
	KUNIT_EXPECT_EQ(test, why.reach & (why.reach + 1), 0);
}

/* Two pages with others between them. */
static struct sg_table *map_scattered(struct dma_buf_attachment *attach,
				      enum dma_data_direction dir)
{
	struct mock_exporter *exp = attach->dmabuf->priv;
	struct sg_table *sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);

	if (!sgt || sg_alloc_table(sgt, 2, GFP_KERNEL))
		return ERR_PTR(-ENOMEM);
	sg_set_page(sgt->sgl, exp->pages + 1, PAGE_SIZE, 0);
	sg_set_page(sg_next(sgt->sgl), exp->pages, PAGE_SIZE, 0);
	sgt->nents = 2;
	sg_dma_address(sgt->sgl) = 3 * PAGE_SIZE;
	sg_dma_len(sgt->sgl) = PAGE_SIZE;
	sg_dma_address(sg_next(sgt->sgl)) = PAGE_SIZE;
	sg_dma_len(sg_next(sgt->sgl)) = PAGE_SIZE;
	return sgt;
}

static void unmap_scattered(struct dma_buf_attachment *attach, struct sg_table *sgt,
			    enum dma_data_direction dir)
{
	sg_free_table(sgt);
	kfree(sgt);
}

/* The importer looks at the table that @map makes, and gives the buffer back with @error. */
static struct dma_buf_refusal give_back(struct kunit *test, struct import *import, int error,
					struct sg_table *(*map)(struct dma_buf_attachment *attach,
								enum dma_data_direction dir))
{
	struct refusal_fixture *fix = test->priv;

	fix->exp->ops.map_dma_buf = map;
	fix->exp->ops.unmap_dma_buf = unmap_scattered;
	mock_drm_fail(import->to, MOCK_GEM_IMPORT, 1, error);
	KUNIT_EXPECT_EQ(test, import_do(import), error);
	return expect_step(test, DMA_BUF_STEP_GIVEN_BACK, DMA_BUF_BY_IMPORTER, error,
			   import->to->dev);
}

/* As the helpers of drivers that take one address do it, and vb2. */
static void contiguous_is_wanted(struct kunit *test)
{
	const struct dma_buf_refusal why = give_back(test, import_begin(test), -EINVAL,
						     map_scattered);

	expect_field(test, &why, DMA_BUF_FIELD_CONTIGUOUS, 1, 2);
	KUNIT_EXPECT_TRUE(test, why.flags & DMA_BUF_REFUSAL_GUESSED);
	KUNIT_EXPECT_EQ(test, why.segments, 2);
	KUNIT_EXPECT_EQ(test, why.largest, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, why.reach, 4 * PAGE_SIZE - 1);
}

/* A driver that imports nothing can map first. Then the memory is not the reason. */
static void importer_takes_nothing(struct kunit *test)
{
	const struct dma_buf_refusal why = give_back(test, import_begin(test), -ENODEV,
						     map_scattered);

	expect_field(test, &why, DMA_BUF_FIELD_ERROR, 0, ENODEV);
	KUNIT_EXPECT_FALSE(test, why.flags & DMA_BUF_REFUSAL_GUESSED);
}

/* A segment that is empty is no piece of the storage. */
static struct sg_table *map_with_empty(struct dma_buf_attachment *attach,
				       enum dma_data_direction dir)
{
	struct sg_table *sgt = map_scattered(attach, dir);

	if (!IS_ERR(sgt))
		sg_dma_len(sg_next(sgt->sgl)) = 0;
	return sgt;
}

static void empty_segment(struct kunit *test)
{
	const struct dma_buf_refusal why = give_back(test, import_begin(test), -EINVAL,
						     map_with_empty);

	KUNIT_EXPECT_EQ(test, why.segments, 2);
	KUNIT_EXPECT_EQ(test, why.runs, 1);
	KUNIT_EXPECT_EQ(test, why.largest, PAGE_SIZE);
}

/* What a driver has said that its device wants. */
static void constraint_is_found(struct kunit *test)
{
	struct import *import = import_begin(test);
	struct dma_buf_constraints c;
	struct dma_buf_refusal why;

	dma_buf_constraints_init(&c);
	c.dma_mask = 2 * PAGE_SIZE - 1;
	KUNIT_ASSERT_EQ(test, devm_dma_buf_constraints_set(import->to->dev, &c), 0);
	why = give_back(test, import, -EINVAL, map_scattered);
	expect_field(test, &why, DMA_BUF_FIELD_DMA_MASK, 2 * PAGE_SIZE - 1, 4 * PAGE_SIZE - 1);
}

/* The driver has told the layer only, and not the DMA API. */
static void length_is_found(struct kunit *test)
{
	struct import *import = import_begin(test);
	struct dma_buf_constraints c;
	struct dma_buf_refusal why;

	dma_buf_constraints_init(&c);
	c.max_segment_size = PAGE_SIZE / 2;
	KUNIT_ASSERT_EQ(test, devm_dma_buf_constraints_set(import->to->dev, &c), 0);
	why = give_back(test, import, -EINVAL, map_scattered);
	expect_field(test, &why, DMA_BUF_FIELD_MAX_SEGMENT_SIZE, PAGE_SIZE / 2, PAGE_SIZE);
}

/* All that the device wants is told. It can't take a buffer of this size, wherever it is. */
static void size_is_found(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;
	struct dma_buf_constraints c;
	struct dma_buf_refusal why;

	dma_buf_constraints_init(&c);
	c.dma_mask = DMA_BIT_MASK(40);
	c.segment_boundary = SZ_16M - 1;
	c.max_segment_size = SZ_8M;
	c.max_segments = 7;
	c.alignment = SZ_64K;
	c.length_align = 2 * MOCK_EXPORTER_SIZE;
	c.flags = DMA_BUF_CONSTRAINT_COHERENT;
	KUNIT_ASSERT_EQ(test, devm_dma_buf_constraints_set(fix->imp->dev, &c), 0);
	mock_exporter_fail(fix->exp, MOCK_ATTACH, 1, -EPERM);
	KUNIT_EXPECT_EQ(test, PTR_ERR(mock_importer_attach(fix->imp, fix->dmabuf)), -EPERM);
	why = expect_step(test, DMA_BUF_STEP_ATTACH, DMA_BUF_BY_EXPORTER, -EPERM, fix->imp->dev);
	expect_field(test, &why, DMA_BUF_FIELD_LENGTH_ALIGN, c.length_align, MOCK_EXPORTER_SIZE);
	KUNIT_EXPECT_EQ(test, why.flags & ~DMA_BUF_REFUSAL_TRANSLATED, DMA_BUF_REFUSAL_GUESSED |
			(dev_is_dma_coherent(fix->imp->dev) ? DMA_BUF_REFUSAL_COHERENT : 0));
	KUNIT_EXPECT_EQ(test, why.dma_mask, c.dma_mask);
	KUNIT_EXPECT_EQ(test, why.segment_boundary, c.segment_boundary);
	KUNIT_EXPECT_EQ(test, why.max_segment_size, c.max_segment_size);
	KUNIT_EXPECT_EQ(test, why.max_segments, c.max_segments);
	KUNIT_EXPECT_EQ(test, why.alignment, c.alignment);
	KUNIT_EXPECT_EQ(test, why.length_align, c.length_align);
	KUNIT_EXPECT_EQ(test, why.wants, c.flags);

	/* Nothing is guessed for ENODEV, also if the importer gives the buffer back later. */
	fail_to_map(test, MOCK_MAP, -ENODEV);
	why = expect_step(test, DMA_BUF_STEP_MAP, DMA_BUF_BY_EXPORTER, -ENODEV, fix->imp->dev);
	expect_field(test, &why, DMA_BUF_FIELD_ERROR, 0, ENODEV);
	KUNIT_EXPECT_FALSE(test, why.flags & DMA_BUF_REFUSAL_GUESSED);
}

static void import_without_function(struct kunit *test)
{
	struct import *import = import_begin(test);
	struct dma_buf_refusal why;

	import->to->driver.gem_prime_import_sg_table = NULL;
	KUNIT_EXPECT_EQ(test, import_do(import), -EINVAL);
	why = expect_step(test, DMA_BUF_STEP_IMPORT, DMA_BUF_BY_IMPORTER, -EINVAL,
			  import->to->dev);
	expect_field(test, &why, DMA_BUF_FIELD_OPERATION, 1, 0);
}

static struct drm_gem_object *import_refuses(struct drm_device *drm, struct dma_buf *dmabuf)
{
	return ERR_PTR(-ENODEV);
}

static void import_of_driver(struct kunit *test)
{
	struct import *import = import_begin(test);

	import->to->driver.gem_prime_import = import_refuses;
	KUNIT_EXPECT_EQ(test, import_do(import), -ENODEV);
	expect_step(test, DMA_BUF_STEP_IMPORT, DMA_BUF_BY_IMPORTER, -ENODEV, import->to->dev);
}

/* The object is there, and the driver does not open it for the file. */
static void handle_is_told(struct kunit *test)
{
	struct import *import = import_begin(test);

	mock_drm_fail(import->to, MOCK_GEM_OPEN, 1, -EACCES);
	KUNIT_EXPECT_EQ(test, import_do(import), -EACCES);
	expect_step(test, DMA_BUF_STEP_HANDLE, DMA_BUF_BY_CORE, -EACCES, import->to->dev);
}

/* Another buffer is refused before the import of this one ends. */
static struct drm_gem_object *import_after_another(struct drm_device *drm, struct dma_buf *dmabuf)
{
	struct drm_gem_object *obj = drm_gem_prime_import(drm, dmabuf);
	struct mock_exporter *exp = dmabuf->priv;
	struct dma_buf *other = mock_exporter_export(exp);

	mock_exporter_fail(exp, MOCK_ATTACH, MOCK_FAIL_ALWAYS, -EPERM);
	KUNIT_EXPECT_EQ(exp->test, PTR_ERR(dma_buf_attach(other, drm->dev)), -EPERM);
	KUNIT_EXPECT_EQ(exp->test, refusal_of(exp->test, other).step, DMA_BUF_STEP_ATTACH);
	return obj;
}

/* The innermost step is told, not the ones that fail for it. */
static void innermost_step(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;
	struct import *import = import_begin(test);

	mock_exporter_fail(fix->exp, MOCK_ATTACH, 1, -EPERM);
	KUNIT_EXPECT_EQ(test, import_do(import), -EPERM);
	expect_step(test, DMA_BUF_STEP_ATTACH, DMA_BUF_BY_EXPORTER, -EPERM, import->to->dev);
	mock_exporter_fail(fix->exp, MOCK_MAP, 1, -ENOSR);
	KUNIT_EXPECT_EQ(test, import_do(import), -ENOSR);
	expect_step(test, DMA_BUF_STEP_MAP, DMA_BUF_BY_EXPORTER, -ENOSR, import->to->dev);

	import->to->driver.gem_prime_import = import_after_another;
	mock_exporter_fail(fix->exp, MOCK_MAP, 2, -EIO);
	KUNIT_EXPECT_EQ(test, import_do(import), -EIO);
	expect_step(test, DMA_BUF_STEP_MAP, DMA_BUF_BY_EXPORTER, -EIO, import->to->dev);
}

#ifdef CONFIG_TRACEPOINTS
/* How often the trace event of a buffer came, with each step. */
struct events {
	u64 ino;
	int of_step[DMA_BUF_STEP_COMMIT + 1];
	struct tracepoint *tp;
};

static void count_event(void *data, u64 ino, const struct dma_buf_refusal *why)
{
	struct events *events = data;

	if (ino == events->ino && why->step < ARRAY_SIZE(events->of_step))
		events->of_step[why->step]++;
}

static void find_event(struct tracepoint *tp, void *data)
{
	struct events *events = data;

	if (!strcmp(tp->name, "dma_buf_refusal"))
		events->tp = tp;
}

static void events_end(void *data)
{
	struct events *events = data;

	tracepoint_probe_unregister(events->tp, count_event, events);
	tracepoint_synchronize_unregister();
}
#endif

/* One event for each refusal, though the steps around the one that failed fail, too. */
static void one_event_each(struct kunit *test)
{
#ifdef CONFIG_TRACEPOINTS
	struct events *events = kunit_kzalloc(test, sizeof(*events), GFP_KERNEL);
	struct refusal_fixture *fix = test->priv;
	struct import *import = import_begin(test);
	/* Only another errno separates the calls of a kernel thread. */
	const int errors[] = { -EPERM, -EIO, -ENOSR };
	int i;

	KUNIT_ASSERT_NOT_NULL(test, events);
	events->ino = d_inode(fix->dmabuf->file->f_path.dentry)->i_ino;
	for_each_kernel_tracepoint(find_event, events);
	if (!events->tp)
		kunit_skip(test, "the kernel has no trace event dma_buf_refusal");
	KUNIT_ASSERT_EQ(test, tracepoint_probe_register(events->tp, count_event, events), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, events_end, events), 0);
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		mock_exporter_fail(fix->exp, MOCK_ATTACH, MOCK_FAIL_ALWAYS, errors[i]);
		KUNIT_EXPECT_EQ(test, import_do(import), errors[i]);
	}
	KUNIT_EXPECT_EQ(test, events->of_step[DMA_BUF_STEP_ATTACH], ARRAY_SIZE(errors));
	for (i = 0; i < ARRAY_SIZE(events->of_step); i++)
		KUNIT_EXPECT_TRUE(test, i == DMA_BUF_STEP_ATTACH || !events->of_step[i]);
#else
	kunit_skip(test, "CONFIG_TRACEPOINTS is off");
#endif
}

/* A GEM object whose pages the device does not reach, and nobody bounces. */
static void dma_api_is_told(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;
	struct import *import = import_begin(test);
	struct dma_buf_attachment *attach;
	struct drm_gem_object *obj;
	struct dma_buf *dmabuf;

	PRIME_TEST_NEEDS_WARN(test);
	obj = mock_drm_object(mock_drm_create(test));
	dmabuf = drm_gem_prime_export(obj, O_CLOEXEC);
	drm_gem_object_put(obj);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	*import->to->dev->dma_mask = PAGE_SIZE - 1;
	swap(fix->dmabuf, dmabuf);
	attach = dma_buf_attach(fix->dmabuf, import->to->dev);
	KUNIT_EXPECT_FALSE(test, IS_ERR(attach));
	if (!IS_ERR(attach)) {
		int error = map_error(attach);
		struct dma_buf_refusal why;

		KUNIT_EXPECT_LT(test, error, 0);
		why = expect_step(test, DMA_BUF_STEP_DMA, DMA_BUF_BY_DMA_API, error,
				  import->to->dev);
		KUNIT_EXPECT_EQ(test, why.runs, 1);
		KUNIT_EXPECT_EQ(test, why.largest, MOCK_GEM_SIZE);
		KUNIT_EXPECT_EQ(test, why.reach, 0);
		dma_buf_detach(fix->dmabuf, attach);
	}
	swap(fix->dmabuf, dmabuf);
	dma_buf_put(dmabuf);
}

/* --- who is told, and of how many --- */

/* The oldest of nine buffers is forgotten; the same one again takes no other's place. */
static void eight_of_a_process(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;
	struct dma_buf *buffers[9];
	int i;

	mock_exporter_fail(fix->exp, MOCK_ATTACH, MOCK_FAIL_ALWAYS, -EPERM);
	for (i = 0; i < ARRAY_SIZE(buffers); i++) {
		buffers[i] = mock_exporter_export(fix->exp);
		KUNIT_EXPECT_EQ(test, PTR_ERR(mock_importer_attach(fix->imp, buffers[i])), -EPERM);
		if (i != 1)
			continue;
		KUNIT_EXPECT_EQ(test, PTR_ERR(mock_importer_attach(fix->imp, buffers[i])), -EPERM);
	}
	expect_none(test, buffers[0]);
	for (i = 1; i < ARRAY_SIZE(buffers); i++)
		KUNIT_EXPECT_EQ(test, refusal_of(test, buffers[i]).error, EPERM);
}

/* Buffers that are given back are noted, as they may have been refused. Here none was. */
static void success_forgets_none(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;
	struct dma_buf *buffers[8], *given;
	struct dma_buf_attachment *attach;
	int i;

	mock_exporter_fail(fix->exp, MOCK_ATTACH, MOCK_FAIL_ALWAYS, -EPERM);
	for (i = 0; i < ARRAY_SIZE(buffers); i++) {
		buffers[i] = mock_exporter_export(fix->exp);
		KUNIT_EXPECT_EQ(test, PTR_ERR(mock_importer_attach(fix->imp, buffers[i])), -EPERM);
	}
	mock_exporter_fail(fix->exp, MOCK_ATTACH, 0, 0);
	for (i = 0; i < 3; i++) {
		given = i ? mock_exporter_export(fix->exp) : fix->dmabuf;
		attach = mock_importer_attach(fix->imp, given);
		KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
		dma_buf_detach(given, attach);
	}
	for (i = 0; i < ARRAY_SIZE(buffers); i++)
		KUNIT_EXPECT_EQ(test, refusal_of(test, buffers[i]).error, EPERM);
}

/* The driver imports it, looks at the table, and gives it back with @error. */
static void import_gives_back(struct kunit *test, struct import *import, struct dma_buf *dmabuf,
			      int error)
{
	struct import other = *import;

	get_dma_buf(dmabuf);
	other.fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	KUNIT_ASSERT_GE(test, other.fd, 0);
	mock_drm_fail(import->to, MOCK_GEM_IMPORT, MOCK_FAIL_ALWAYS, error);
	KUNIT_EXPECT_EQ(test, import_do(&other), error);
	close_fd(other.fd);
}

/* Twelve buffers that are refused only after they were given back: the last eight are told. */
static void eight_given_back(struct kunit *test)
{
	struct import *import = import_begin(test);
	struct refusal_fixture *fix = test->priv;
	struct dma_buf *buffers[12];
	int i;

	for (i = 0; i < ARRAY_SIZE(buffers); i++) {
		buffers[i] = mock_exporter_export(fix->exp);
		import_gives_back(test, import, buffers[i], -E2BIG);
		KUNIT_EXPECT_EQ(test, refusal_of(test, buffers[i]).step, DMA_BUF_STEP_GIVEN_BACK);
	}
	for (i = 0; i < 4; i++)
		expect_none(test, buffers[i]);
	for (; i < ARRAY_SIZE(buffers); i++)
		KUNIT_EXPECT_EQ(test, refusal_of(test, buffers[i]).step, DMA_BUF_STEP_GIVEN_BACK);
}

/* Steps that fail, buffers that are given back, and others that were not refused, mixed. */
static void eight_of_any(struct kunit *test)
{
	struct import *import = import_begin(test);
	struct refusal_fixture *fix = test->priv;
	struct dma_buf *buffers[12];
	int told[12] = { }, when[12] = { };
	struct dma_buf_attachment *attach;
	struct rnd_state rnd;
	int i, n, error;

	for (i = 0; i < ARRAY_SIZE(buffers); i++)
		buffers[i] = mock_exporter_export(fix->exp);
	prandom_seed_state(&rnd, 20);
	for (n = 1; n <= 500; n++) {
		const int which = prandom_u32_state(&rnd) % ARRAY_SIZE(buffers);
		const int what = prandom_u32_state(&rnd) % 3;
		int count = 0, oldest = which;

		/* Another errno each time: only that separates the calls of a kernel thread. */
		error = ECOMM + n % 40;
		mock_exporter_fail(fix->exp, MOCK_ATTACH, what ? 0 : MOCK_FAIL_ALWAYS, -error);
		if (what == 1) {
			import_gives_back(test, import, buffers[which], -error);
		} else {
			attach = mock_importer_attach(fix->imp, buffers[which]);
			KUNIT_ASSERT_EQ(test, PTR_ERR_OR_ZERO(attach), what ? 0 : -error);
			if (what)
				dma_buf_detach(buffers[which], attach);
		}
		if (what < 2) {
			told[which] = error;
			when[which] = n;
		}
		for (i = 0; i < ARRAY_SIZE(buffers); i++) {
			count += told[i] != 0;
			if (told[i] && (!told[oldest] || when[i] < when[oldest]))
				oldest = i;
		}
		if (count > 8)
			told[oldest] = 0;
		for (i = 0; i < ARRAY_SIZE(buffers); i++)
			KUNIT_ASSERT_EQ(test, refusal_of(test, buffers[i]).error, told[i]);
	}
}

/* A record holds its process, and lets it go when it is used anew. */
static void process_is_held(struct kunit *test)
{
	struct pid *pid = task_tgid(current);
	const unsigned int before = refcount_read(&pid->count);
	struct refusal_fixture *fix = test->priv;
	int i;

	mock_exporter_fail(fix->exp, MOCK_ATTACH, MOCK_FAIL_ALWAYS, -EPERM);
	for (i = 1; i <= 20; i++) {
		struct dma_buf *dmabuf = mock_exporter_export(fix->exp);

		KUNIT_EXPECT_EQ(test, PTR_ERR(mock_importer_attach(fix->imp, dmabuf)), -EPERM);
		KUNIT_EXPECT_EQ(test, refcount_read(&pid->count), before + min(i, 8));
	}
}

struct stranger {
	struct kunit *test;
	struct completion asked;
	struct mm_struct *mm;
	struct dma_buf_refusal why;
	long ret;
};

static int stranger_asks(void *data)
{
	struct stranger *stranger = data;
	struct refusal_fixture *fix = stranger->test->priv;

	kthread_use_mm(stranger->mm);
	stranger->ret = ask(fix->dmabuf, sizeof(stranger->why), fix->arg);
	if (copy_from_user(&stranger->why, fix->arg, sizeof(stranger->why)))
		stranger->ret = -EFAULT;
	kthread_unuse_mm(stranger->mm);
	complete(&stranger->asked);
	return 0;
}

static void others_are_not_told(struct kunit *test)
{
	struct stranger stranger = { .test = test, .mm = current->mm };
	struct refusal_fixture *fix = test->priv;
	struct task_struct *thread;

	mock_exporter_fail(fix->exp, MOCK_ATTACH, 1, -EPERM);
	KUNIT_EXPECT_EQ(test, PTR_ERR(mock_importer_attach(fix->imp, fix->dmabuf)), -EPERM);
	memset(&stranger.why, 0xff, sizeof(stranger.why));
	init_completion(&stranger.asked);
	thread = kthread_run(stranger_asks, &stranger, "stranger");
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread));
	wait_for_completion(&stranger.asked);
	KUNIT_EXPECT_EQ(test, stranger.ret, 0);
	KUNIT_EXPECT_EQ(test, stranger.why.field, 0);
	KUNIT_EXPECT_EQ(test, stranger.why.error, 0);
	KUNIT_EXPECT_EQ(test, refusal_of(test, fix->dmabuf).error, EPERM);
}

/* Programs of the first release know 88 bytes; those of a later one know more. */
static void sizes(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;
	u8 page[256];
	int i;

	mock_exporter_fail(fix->exp, MOCK_ATTACH, 1, -EPERM);
	KUNIT_EXPECT_EQ(test, PTR_ERR(mock_importer_attach(fix->imp, fix->dmabuf)), -EPERM);
	memset(page, 0xff, sizeof(page));
	KUNIT_ASSERT_EQ(test, copy_to_user(fix->arg, page, sizeof(page)), 0);
	KUNIT_EXPECT_EQ(test, ask(fix->dmabuf, 88, fix->arg), 0);
	KUNIT_ASSERT_EQ(test, copy_from_user(page, fix->arg, sizeof(page)), 0);
	KUNIT_EXPECT_EQ(test, *(u32 *)page, DMA_BUF_FIELD_ERROR);
	KUNIT_EXPECT_STREQ(test, page + 24, dev_name(fix->imp->dev));
	KUNIT_EXPECT_EQ(test, page[88], 0xff);
	KUNIT_EXPECT_EQ(test, ask(fix->dmabuf, sizeof(page), fix->arg), 0);
	KUNIT_ASSERT_EQ(test, copy_from_user(page, fix->arg, sizeof(page)), 0);
	KUNIT_EXPECT_EQ(test, *(u32 *)(page + 88), DMA_BUF_STEP_ATTACH);
	for (i = sizeof(struct dma_buf_refusal); i < sizeof(page); i++)
		KUNIT_EXPECT_EQ(test, page[i], 0);
	KUNIT_EXPECT_EQ(test, ask(fix->dmabuf, 0, fix->arg), -EINVAL);
	KUNIT_EXPECT_EQ(test, ask(fix->dmabuf, 88, (void __user *)8), -EFAULT);
}

/* --- the end of a system call --- */

/* A call that returns @error after a step of it failed, and the process that makes it. */
struct call {
	struct refusal_fixture *fix;
	int error;
	struct pid *pid;
};

static int call_fails_a_step(struct subprocess_info *info, struct cred *new)
{
	struct call *call = info->data;

	call->pid = get_pid(task_tgid(current));
	mock_importer_attach(call->fix->imp, call->fix->dmabuf);
	syscall_set_return_value(current, current_pt_regs(), call->error, 0);
	/* It is to run no program. It exits, and that ends the call as a return would. */
	return -ECANCELED;
}

/* Nobody else can ask what the process is told. But a refusal that is told holds it. */
static bool call_is_told(struct kunit *test, int error)
{
	struct call call = { .fix = test->priv, .error = error };
	struct subprocess_info *info;
	unsigned int count;

	info = call_usermodehelper_setup("/", NULL, NULL, GFP_KERNEL, call_fails_a_step, NULL,
					 &call);
	KUNIT_ASSERT_NOT_NULL(test, info);
	KUNIT_ASSERT_EQ(test, call_usermodehelper_exec(info, UMH_WAIT_PROC), -ECANCELED);
	/* A grace period after its end, the kernel lets go of it. */
	rcu_barrier();
	count = refcount_read(&call.pid->count);
	put_pid(call.pid);
	return count > 1;
}

/* A driver may try something else when a step fails, so only the whole call refuses. */
static void end_of_call_decides(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;

	mock_exporter_fail(fix->exp, MOCK_ATTACH, MOCK_FAIL_ALWAYS, -EPERM);
	KUNIT_EXPECT_TRUE(test, call_is_told(test, -EIO));
	KUNIT_EXPECT_FALSE(test, call_is_told(test, 0));
	KUNIT_EXPECT_FALSE(test, call_is_told(test, -EINTR));
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_ATTACH, 3);
}

/* --- known faults of exporters --- */

static void put_buffer(void *dmabuf)
{
	dma_buf_put(dmabuf);
}

/* As if built in, under the name of an exporter. */
static struct dma_buf *buffer_of(struct mock_exporter *exp, const char *exporter)
{
	struct dma_buf_export_info info;
	struct dma_buf *dmabuf;

	mock_exporter_info(exp, &info);
	info.exp_name = exporter;
	info.owner = NULL;
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_FALSE(exp->test, IS_ERR(dmabuf));
	exp->exported++;
	KUNIT_ASSERT_EQ(exp->test, kunit_add_action_or_reset(exp->test, put_buffer, dmabuf), 0);
	return dmabuf;
}

/* With a page beyond 4 GiB. */
static struct dma_buf *high_buffer_of(struct kunit *test, const char *exporter)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);

	if (page_to_phys(exp->pages) <= U32_MAX)
		kunit_skip(test, "CONFIG_SWIOTLB is off, or all memory is below 4 GiB");
	return buffer_of(exp, exporter);
}

/* Maps it once, and returns what that gave. */
static int map_once(struct kunit *test, struct dma_buf *dmabuf)
{
	struct refusal_fixture *fix = test->priv;
	struct dma_buf_attachment *attach = mock_importer_attach(fix->imp, dmabuf);
	struct sg_table *sgt;

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	if (!IS_ERR(sgt))
		dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	dma_buf_detach(dmabuf, attach);
	return PTR_ERR_OR_ZERO(sgt);
}

/* udmabuf syncs the wrong mapping, so one that bounces is refused. Those of others may bounce. */
static void wrong_sync_is_refused(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;
	struct dma_buf *wrong = high_buffer_of(test, "udmabuf");
	struct dma_buf *other = high_buffer_of(test, "heap");
	struct dma_buf_refusal why;

	KUNIT_EXPECT_EQ(test, map_once(test, wrong), 0);
	expect_none(test, wrong);
	KUNIT_ASSERT_EQ(test, dma_set_mask(fix->imp->dev, DMA_BIT_MASK(32)), 0);
	if (dma_max_mapping_size(fix->imp->dev) == SIZE_MAX)
		kunit_skip(test, "CONFIG_SWIOTLB is off, or all memory is below 4 GiB");
	KUNIT_EXPECT_EQ(test, map_once(test, other), 0);
	expect_none(test, other);
	KUNIT_EXPECT_EQ(test, map_once(test, wrong), -EOPNOTSUPP);
	why = refusal_of(test, wrong);
	KUNIT_EXPECT_EQ(test, why.step, DMA_BUF_STEP_TABLE);
	KUNIT_EXPECT_EQ(test, why.by, DMA_BUF_BY_CORE);
	KUNIT_EXPECT_EQ(test, why.error, EOPNOTSUPP);
	KUNIT_EXPECT_TRUE(test, why.flags & DMA_BUF_REFUSAL_BOUNCED);
	expect_field(test, &why, DMA_BUF_FIELD_BOUNCE, 0, 1);
}

/*
 * With swiotlb=force udmabuf's sync would put old bytes over the memory. So the core
 * does not call it, and does not see its error. Without swiotlb=force the core does both.
 */
static void harmful_sync_is_left_out(struct kunit *test)
{
#ifdef CONFIG_SWIOTLB
	struct io_tlb_mem forced = { .force_bounce = true }, *pool = &forced;
	struct mock_exporter *wrong = mock_exporter_create(test, false);
	struct mock_exporter *other = mock_exporter_create(test, false);
	struct dma_buf *harmed = buffer_of(wrong, "udmabuf");
	struct dma_buf *heap = buffer_of(other, "heap");

	mock_exporter_fail(wrong, MOCK_BEGIN, MOCK_FAIL_ALWAYS, -EIO);
	mock_exporter_fail(wrong, MOCK_END, MOCK_FAIL_ALWAYS, -EINVAL);
	swap(platform_bus.dma_io_tlb_mem, pool);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(harmed, DMA_TO_DEVICE), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(harmed, DMA_BIDIRECTIONAL), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(harmed, DMA_BIDIRECTIONAL), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(heap, DMA_BIDIRECTIONAL), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(heap, DMA_BIDIRECTIONAL), 0);
	swap(platform_bus.dma_io_tlb_mem, pool);
	MOCK_EXPECT_CALLS(test, wrong, MOCK_BEGIN, 0);
	MOCK_EXPECT_CALLS(test, wrong, MOCK_END, 0);
	MOCK_EXPECT_CALLS(test, other, MOCK_BEGIN, 1);
	MOCK_EXPECT_CALLS(test, other, MOCK_END, 1);

	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(harmed, DMA_FROM_DEVICE), -EIO);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(harmed, DMA_FROM_DEVICE), -EINVAL);
#else
	kunit_skip(test, "CONFIG_SWIOTLB is off");
#endif
}

/* An exporter fails to map a buffer that is too long for swiotlb. */
static void too_long_to_map(struct kunit *test)
{
	struct refusal_fixture *fix = test->priv;
	struct dma_buf_export_info info;
	struct dma_buf_refusal why;
	size_t most;

	KUNIT_ASSERT_EQ(test, dma_set_mask(fix->imp->dev, DMA_BIT_MASK(32)), 0);
	most = dma_max_mapping_size(fix->imp->dev);
	if (most == SIZE_MAX)
		kunit_skip(test, "CONFIG_SWIOTLB is off, or all memory is below 4 GiB");
	mock_exporter_info(fix->exp, &info);
	info.size = 2 * most;
	fix->dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_FALSE(test, IS_ERR(fix->dmabuf));
	fix->exp->exported++;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_buffer, fix->dmabuf), 0);
	fail_to_map(test, MOCK_MAP, -EIO);
	why = expect_step(test, DMA_BUF_STEP_MAP, DMA_BUF_BY_EXPORTER, -EIO, fix->imp->dev);
	expect_field(test, &why, DMA_BUF_FIELD_SIZE, most, 2 * most);
	KUNIT_EXPECT_TRUE(test, why.flags & DMA_BUF_REFUSAL_GUESSED);
}

static struct kunit_case dma_buf_refusal_cases[] = {
	KUNIT_CASE(success_is_silent),
	KUNIT_CASE(attach_is_told),
	KUNIT_CASE(device_without_mask),
	KUNIT_CASE(pin_is_told),
	KUNIT_CASE(map_is_told),
	KUNIT_CASE(map_without_error_is_told),
	KUNIT_CASE(pin_of_importer_is_told),
	KUNIT_CASE(busy_is_told),
	KUNIT_CASE(vmap_is_told),
	KUNIT_CASE(mmap_is_told),
	KUNIT_CASE(mmap_without_function),
	KUNIT_CASE(mmap_by_driver_is_told),
	KUNIT_CASE(cpu_access_is_told),
	KUNIT_CASE(signal_is_no_refusal),
	KUNIT_CASE(exporter_says),
	KUNIT_CASE(importer_gives_back),
	KUNIT_CASE(contiguous_is_wanted),
	KUNIT_CASE(importer_takes_nothing),
	KUNIT_CASE(empty_segment),
	KUNIT_CASE(constraint_is_found),
	KUNIT_CASE(length_is_found),
	KUNIT_CASE(size_is_found),
	KUNIT_CASE(import_without_function),
	KUNIT_CASE(import_of_driver),
	KUNIT_CASE(handle_is_told),
	KUNIT_CASE(innermost_step),
	KUNIT_CASE(one_event_each),
	KUNIT_CASE(dma_api_is_told),
	KUNIT_CASE(wrong_sync_is_refused),
	KUNIT_CASE(harmful_sync_is_left_out),
	KUNIT_CASE(too_long_to_map),
	KUNIT_CASE(eight_of_a_process),
	KUNIT_CASE(success_forgets_none),
	KUNIT_CASE(eight_given_back),
	KUNIT_CASE(eight_of_any),
	KUNIT_CASE(process_is_held),
	KUNIT_CASE(others_are_not_told),
	KUNIT_CASE(sizes),
	KUNIT_CASE(end_of_call_decides),
	{}
};

static struct kunit_suite dma_buf_refusal_suite = {
	.name = "dma_buf_refusal",
	.init = refusal_init,
	.test_cases = dma_buf_refusal_cases,
};

kunit_test_suite(dma_buf_refusal_suite);
