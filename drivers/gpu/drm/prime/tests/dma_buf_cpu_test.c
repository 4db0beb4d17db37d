// SPDX-License-Identifier: GPL-2.0
/*
 * Access by the processor: begin and end, kernel and user mappings.
 */
#include <linux/iosys-map.h>

#include "mock_exporter.h"
#include "mock_importer.h"

struct cpu_fixture {
	struct mock_exporter *exp;
	struct dma_buf *dmabuf;
};

static int cpu_access_init(struct kunit *test)
{
	struct cpu_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fix);
	fix->exp = mock_exporter_create(test, false);
	fix->dmabuf = mock_exporter_export(fix->exp);
	test->priv = fix;
	return 0;
}

static void begin_end(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;

	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(fix->dmabuf, DMA_TO_DEVICE), 0);
	KUNIT_EXPECT_EQ(test, fix->exp->dir, DMA_TO_DEVICE);
	KUNIT_EXPECT_FALSE(test, fix->exp->op[MOCK_BEGIN].resv_locked);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(fix->dmabuf, DMA_FROM_DEVICE), 0);
	KUNIT_EXPECT_EQ(test, fix->exp->dir, DMA_FROM_DEVICE);
	KUNIT_EXPECT_FALSE(test, fix->exp->op[MOCK_END].resv_locked);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_BEGIN, 1);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_END, 1);
}

static void begin_end_without_ops(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;

	fix->exp->ops.begin_cpu_access = NULL;
	fix->exp->ops.end_cpu_access = NULL;
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(fix->dmabuf, DMA_BIDIRECTIONAL), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(fix->dmabuf, DMA_BIDIRECTIONAL), 0);
}

static void begin_end_op_fails(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;

	mock_exporter_fail(fix->exp, MOCK_BEGIN, 1, -EIO);
	mock_exporter_fail(fix->exp, MOCK_END, 1, -EINTR);
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(fix->dmabuf, DMA_TO_DEVICE), -EIO);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(fix->dmabuf, DMA_TO_DEVICE), -EINTR);
}

static void begin_of_nothing(struct kunit *test)
{
	PRIME_TEST_NEEDS_WARN(test);
	prime_test_twice()
		KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(NULL, DMA_TO_DEVICE), -EINVAL);
}

struct begin_case {
	const char *name;
	enum dma_data_direction dir;
	enum dma_resv_usage usage;
	bool waits;
};

static const struct begin_case begin_cases[] = {
	{ "read_after_kernel", DMA_FROM_DEVICE, DMA_RESV_USAGE_KERNEL, true },
	{ "read_after_write", DMA_FROM_DEVICE, DMA_RESV_USAGE_WRITE, true },
	{ "read_after_read", DMA_FROM_DEVICE, DMA_RESV_USAGE_READ, false },
	{ "read_after_bookkeep", DMA_FROM_DEVICE, DMA_RESV_USAGE_BOOKKEEP, false },
	{ "write_after_kernel", DMA_TO_DEVICE, DMA_RESV_USAGE_KERNEL, true },
	{ "write_after_write", DMA_TO_DEVICE, DMA_RESV_USAGE_WRITE, true },
	{ "write_after_read", DMA_TO_DEVICE, DMA_RESV_USAGE_READ, true },
	{ "write_after_bookkeep", DMA_TO_DEVICE, DMA_RESV_USAGE_BOOKKEEP, false },
	{ "both_after_write", DMA_BIDIRECTIONAL, DMA_RESV_USAGE_WRITE, true },
	{ "both_after_read", DMA_BIDIRECTIONAL, DMA_RESV_USAGE_READ, true },
	{ "both_after_bookkeep", DMA_BIDIRECTIONAL, DMA_RESV_USAGE_BOOKKEEP, false },
};

KUNIT_ARRAY_PARAM_DESC(begin, begin_cases, name);

/* Whom begin waits for: reading waits for writers, writing for everyone. */
static void begin_waits(struct kunit *test)
{
	const struct begin_case *param = test->param_value;
	struct cpu_fixture *fix = test->priv;
	struct mock_fence *fence;

	fence = mock_fence_add(test, fix->dmabuf->resv, param->usage);
	/* A wrong wait ends as well, but then finds the fence signalled. */
	mock_fence_signal_in(fence, param->waits ? 50 : 3000);
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(fix->dmabuf, param->dir), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_is_signaled(&fence->base), param->waits);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(fix->dmabuf, param->dir), 0);
}

/*
 * The exporter's begin cleans caches. If it ran before the device has finished, it
 * would clean them too early.
 */
static void begin_waits_first(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;
	struct mock_fence *fence;

	fence = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_WRITE);
	fix->exp->watch = &fence->base;
	mock_fence_signal_in(fence, 50);
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(fix->dmabuf, DMA_FROM_DEVICE), 0);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_BEGIN, 1);
	KUNIT_EXPECT_TRUE(test, fix->exp->watch_signaled);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(fix->dmabuf, DMA_FROM_DEVICE), 0);
}

/* Begin also waits for what the exporter queues in its begin_cpu_access. */
static void begin_waits_for_queued_move(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;

	fix->exp->move_in_begin = true;
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(fix->dmabuf, DMA_FROM_DEVICE), 0);
	KUNIT_ASSERT_NOT_NULL(test, fix->exp->move);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&fix->exp->move->base));
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(fix->dmabuf, DMA_FROM_DEVICE), 0);
}

/* A begin that was interrupted has begun nothing that would need an end. */
static void begin_interrupted(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;
	struct mock_fence *fence;

	fence = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_WRITE);
	mock_fence_signal_in(fence, 3000);
	prime_test_signal_self();
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(fix->dmabuf, DMA_FROM_DEVICE),
			-ERESTARTSYS);
	prime_test_signal_clear();
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&fence->base));
	KUNIT_EXPECT_EQ_MSG(test, mock_exporter_calls(fix->exp, MOCK_BEGIN),
			    mock_exporter_calls(fix->exp, MOCK_END),
			    "exporter's begins without an end");
}

/* The wait for the exporter's own move ends with a signal. */
static void begin_interrupted_by_move(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;
	int ret;

	fix->exp->move_in_begin = true;
	prime_test_signal_self();
	ret = dma_buf_begin_cpu_access(fix->dmabuf, DMA_FROM_DEVICE);
	prime_test_signal_clear();
	KUNIT_EXPECT_EQ(test, ret, -ERESTARTSYS);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_BEGIN, 1);
}

/* Nor is anything left begun then. */
static void move_interrupted(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;

	begin_interrupted_by_move(test);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_END, 1);
	KUNIT_EXPECT_EQ(test, fix->exp->dir, DMA_FROM_DEVICE);
}

/* An exporter that has nothing to end. */
static void move_interrupted_without_end(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;

	fix->exp->ops.end_cpu_access = NULL;
	begin_interrupted_by_move(test);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_END, 0);
}

static void vmap_counted(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;
	struct iosys_map map[3];
	int i;

	dma_resv_lock(fix->dmabuf->resv, NULL);
	for (i = 0; i < ARRAY_SIZE(map); i++) {
		KUNIT_EXPECT_EQ(test, dma_buf_vmap(fix->dmabuf, &map[i]), 0);
		KUNIT_EXPECT_PTR_EQ(test, map[i].vaddr, page_address(fix->exp->pages));
		KUNIT_EXPECT_EQ(test, fix->dmabuf->vmapping_counter, i + 1);
	}
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_VMAP, 1);
	KUNIT_EXPECT_TRUE(test, fix->exp->op[MOCK_VMAP].resv_locked);
	for (i = 0; i < ARRAY_SIZE(map); i++) {
		MOCK_EXPECT_CALLS(test, fix->exp, MOCK_VUNMAP, 0);
		dma_buf_vunmap(fix->dmabuf, &map[i]);
	}
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_VUNMAP, 1);
	KUNIT_EXPECT_TRUE(test, fix->exp->op[MOCK_VUNMAP].resv_locked);
	KUNIT_EXPECT_EQ(test, fix->dmabuf->vmapping_counter, 0);
	KUNIT_EXPECT_TRUE(test, iosys_map_is_null(&fix->dmabuf->vmap_ptr));

	/* The next one starts again. */
	KUNIT_EXPECT_EQ(test, dma_buf_vmap(fix->dmabuf, &map[0]), 0);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_VMAP, 2);
	dma_buf_vunmap(fix->dmabuf, &map[0]);
	dma_resv_unlock(fix->dmabuf->resv);
}

static void vmap_unlocked(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;
	struct iosys_map map;

	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(fix->dmabuf, &map), 0);
	KUNIT_EXPECT_TRUE(test, fix->exp->op[MOCK_VMAP].resv_locked);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(fix->dmabuf->resv));
	dma_buf_vunmap_unlocked(fix->dmabuf, &map);
	KUNIT_EXPECT_TRUE(test, fix->exp->op[MOCK_VUNMAP].resv_locked);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(fix->dmabuf->resv));
}

/* A failed vmap gives an empty map and counts for nothing. */
static void vmap_op_fails(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;
	struct iosys_map map = IOSYS_MAP_INIT_VADDR(fix);

	PRIME_TEST_NEEDS_WARN(test);
	mock_exporter_fail(fix->exp, MOCK_VMAP, 1, -ENOMEM);
	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(fix->dmabuf, &map), -ENOMEM);
	KUNIT_EXPECT_TRUE(test, iosys_map_is_null(&map));
	KUNIT_EXPECT_EQ(test, fix->dmabuf->vmapping_counter, 0);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(fix->dmabuf->resv));
	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(fix->dmabuf, &map), 0);
	dma_buf_vunmap_unlocked(fix->dmabuf, &map);
}

static void vmap_without_op(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;
	struct iosys_map map = IOSYS_MAP_INIT_VADDR(fix);

	fix->exp->ops.vmap = NULL;
	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(fix->dmabuf, &map), -EINVAL);
	KUNIT_EXPECT_TRUE(test, iosys_map_is_null(&map));
}

static void vmap_without_vunmap(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;
	struct iosys_map map;

	fix->exp->ops.vunmap = NULL;
	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(fix->dmabuf, &map), 0);
	dma_buf_vunmap_unlocked(fix->dmabuf, &map);
	KUNIT_EXPECT_EQ(test, fix->dmabuf->vmapping_counter, 0);
	/* Counted here: the check at the end compares vmaps and vunmaps. */
	atomic_inc(&fix->exp->op[MOCK_VUNMAP].calls);
}

static void vmap_of_nothing(struct kunit *test)
{
	struct iosys_map map;

	PRIME_TEST_NEEDS_WARN(test);
	prime_test_twice() {
		KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(NULL, &map), -EINVAL);
		KUNIT_EXPECT_EQ(test, dma_buf_vmap(NULL, &map), -EINVAL);
		KUNIT_EXPECT_TRUE(test, iosys_map_is_null(&map));
		dma_buf_vunmap_unlocked(NULL, &map);
		dma_buf_vunmap(NULL, &map);
	}
}

#if IS_ENABLED(CONFIG_DRM_PRIME_LAYER)
/* A driver's mistakes with vunmap are warned of and ignored; stock has BUG_ON. */
static void vunmap_unbalanced(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;
	struct iosys_map map = IOSYS_MAP_INIT_VADDR(fix);

	PRIME_TEST_NEEDS_WARN(test);
	prime_test_twice()
		dma_buf_vunmap_unlocked(fix->dmabuf, &map);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_VUNMAP, 0);
	KUNIT_EXPECT_EQ(test, fix->dmabuf->vmapping_counter, 0);
}

static void vunmap_of_another(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;
	struct iosys_map map, wrong = IOSYS_MAP_INIT_VADDR(fix);

	PRIME_TEST_NEEDS_WARN(test);
	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(fix->dmabuf, &map), 0);
	dma_buf_vunmap_unlocked(fix->dmabuf, &wrong);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_VUNMAP, 0);
	KUNIT_EXPECT_EQ(test, fix->dmabuf->vmapping_counter, 1);
	dma_buf_vunmap_unlocked(fix->dmabuf, &map);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_VUNMAP, 1);
}

static void end_of_nothing(struct kunit *test)
{
	PRIME_TEST_NEEDS_WARN(test);
	prime_test_twice()
		KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(NULL, DMA_FROM_DEVICE), -EINVAL);
}
#endif

#define CPU_PAGES	(MOCK_EXPORTER_SIZE >> PAGE_SHIFT)

static void mmap_moves_file_and_offset(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;
	struct file *file = prime_test_file(test);
	struct vm_area_struct *vma = prime_test_vma(test, file, 1, 77);

	KUNIT_EXPECT_EQ(test, dma_buf_mmap(fix->dmabuf, vma, 1), 0);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_MMAP, 1);
	KUNIT_EXPECT_EQ(test, fix->exp->pgoff, 1UL);
	KUNIT_EXPECT_PTR_EQ(test, fix->exp->vma_file, fix->dmabuf->file);
	KUNIT_EXPECT_EQ(test, vma->vm_pgoff, 1UL);
	KUNIT_EXPECT_PTR_EQ(test, vma->vm_file, fix->dmabuf->file);
}

static void mmap_op_fails(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;
	struct vm_area_struct *vma = prime_test_vma(test, prime_test_file(test), 1, 0);

	mock_exporter_fail(fix->exp, MOCK_MMAP, 1, -EAGAIN);
	KUNIT_EXPECT_EQ(test, dma_buf_mmap(fix->dmabuf, vma, 0), -EAGAIN);
}

/* What is refused leaves the area as it was. */
static void mmap_refused(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;
	struct file *file = prime_test_file(test);
	struct vm_area_struct *vma = prime_test_vma(test, file, CPU_PAGES, 77);

	KUNIT_EXPECT_EQ(test, dma_buf_mmap(fix->dmabuf, vma, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_buf_mmap(fix->dmabuf, vma, CPU_PAGES), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_buf_mmap(fix->dmabuf, vma, ULONG_MAX), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, dma_buf_mmap(fix->dmabuf, vma, ULONG_MAX - CPU_PAGES + 1),
			-EOVERFLOW);
	KUNIT_EXPECT_EQ(test, dma_buf_mmap(fix->dmabuf, vma, ULONG_MAX - CPU_PAGES), -EINVAL);
	vma->vm_end += PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, dma_buf_mmap(fix->dmabuf, vma, 0), -EINVAL);
	KUNIT_EXPECT_PTR_EQ(test, vma->vm_file, file);
	KUNIT_EXPECT_EQ(test, vma->vm_pgoff, 77UL);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_MMAP, 0);
	vma->vm_end -= PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, dma_buf_mmap(fix->dmabuf, vma, 0), 0);
}

/* A last page that is not all of the buffer's can't be mapped. */
static void mmap_part_of_page(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct vm_area_struct *vma = prime_test_vma(test, prime_test_file(test), 2, 0);
	struct dma_buf *dmabuf;

	exp->size = PAGE_SIZE + PAGE_SIZE / 2;
	dmabuf = mock_exporter_export(exp);
	KUNIT_EXPECT_EQ(test, dma_buf_mmap(dmabuf, vma, 0), -EINVAL);
	vma->vm_end -= PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, dma_buf_mmap(dmabuf, vma, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_buf_mmap(dmabuf, vma, 0), 0);
}

static void mmap_without_op(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;
	struct vm_area_struct *vma = prime_test_vma(test, prime_test_file(test), 1, 0);

	fix->exp->ops.mmap = NULL;
	KUNIT_EXPECT_EQ(test, dma_buf_mmap(fix->dmabuf, vma, 0), -EINVAL);
}

static void mmap_of_nothing(struct kunit *test)
{
	struct cpu_fixture *fix = test->priv;

	PRIME_TEST_NEEDS_WARN(test);
	prime_test_twice() {
		KUNIT_EXPECT_EQ(test, dma_buf_mmap(fix->dmabuf, NULL, 0), -EINVAL);
		KUNIT_EXPECT_EQ(test, dma_buf_mmap(NULL, prime_test_vma(test, fix->dmabuf->file,
									1, 0), 0), -EINVAL);
	}
}

static struct kunit_case dma_buf_cpu_cases[] = {
	KUNIT_CASE(begin_end),
	KUNIT_CASE(begin_end_without_ops),
	KUNIT_CASE(begin_end_op_fails),
	KUNIT_CASE(begin_of_nothing),
	KUNIT_CASE_PARAM(begin_waits, begin_gen_params),
	KUNIT_CASE(begin_waits_first),
	KUNIT_CASE(begin_waits_for_queued_move),
	KUNIT_CASE(begin_interrupted),
	KUNIT_CASE(move_interrupted),
	KUNIT_CASE(move_interrupted_without_end),
	KUNIT_CASE(vmap_counted),
	KUNIT_CASE(vmap_unlocked),
	KUNIT_CASE(vmap_op_fails),
	KUNIT_CASE(vmap_without_op),
	KUNIT_CASE(vmap_without_vunmap),
	KUNIT_CASE(vmap_of_nothing),
#if IS_ENABLED(CONFIG_DRM_PRIME_LAYER)
	KUNIT_CASE(vunmap_unbalanced),
	KUNIT_CASE(vunmap_of_another),
	KUNIT_CASE(end_of_nothing),
#endif
	KUNIT_CASE(mmap_moves_file_and_offset),
	KUNIT_CASE(mmap_op_fails),
	KUNIT_CASE(mmap_refused),
	KUNIT_CASE(mmap_part_of_page),
	KUNIT_CASE(mmap_without_op),
	KUNIT_CASE(mmap_of_nothing),
	{}
};

static struct kunit_suite dma_buf_cpu_suite = {
	.name = "dma_buf_cpu",
	.init = cpu_access_init,
	.test_cases = dma_buf_cpu_cases,
};

kunit_test_suite(dma_buf_cpu_suite);
