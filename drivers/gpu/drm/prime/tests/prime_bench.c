// SPDX-License-Identifier: GPL-2.0
/*
 * What attach, map, unmap, detach and vmap cost, without a system call around them.
 *
 * A module of its own, since it measures and tests nothing: "make bench" loads
 * it in a guest whose clock counts instructions. The exporter describes each
 * page with an entry of its own, the worst that a buffer can be.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include <kunit/device.h>
#include <kunit/test.h>

#include "../kernel.h"

#define BENCH_TIMES		50
/* The least of these counts: the first one warms up, and a timer's tick may be in another one. */
#define BENCH_ROUNDS		6
/* Of QEMU's -icount shift=1. */
#define BENCH_NS_PER_INSTRUCTION	2

struct bench_exporter {
	struct page *page;
	unsigned int pages;
};

struct bench_fixture {
	struct bench_exporter exp;
	struct device *dev;
	struct dma_buf *dmabuf;
};

static struct sg_table *bench_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	struct bench_exporter *exp = attach->dmabuf->priv;
	struct sg_table *sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	struct scatterlist *sg;
	int ret = -ENOMEM, i;

	if (!sgt)
		return ERR_PTR(-ENOMEM);
	if (sg_alloc_table(sgt, exp->pages, GFP_KERNEL))
		goto err_free;
	for_each_sgtable_sg(sgt, sg, i)
		sg_set_page(sg, exp->page, PAGE_SIZE, 0);
	ret = dma_map_sgtable(attach->dev, sgt, dir, 0);
	if (ret)
		goto err_table;
	return sgt;

err_table:
	sg_free_table(sgt);
err_free:
	kfree(sgt);
	return ERR_PTR(ret);
}

static void bench_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			enum dma_data_direction dir)
{
	dma_unmap_sgtable(attach->dev, sgt, dir, 0);
	sg_free_table(sgt);
	kfree(sgt);
}

static int bench_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct bench_exporter *exp = dmabuf->priv;

	iosys_map_set_vaddr(map, page_address(exp->page));
	return 0;
}

static void bench_release(struct dma_buf *dmabuf)
{
}

static const struct dma_buf_ops bench_ops = {
	.map_dma_buf = bench_map,
	.unmap_dma_buf = bench_unmap,
	.vmap = bench_vmap,
	.release = bench_release,
};

static const struct dma_buf_ops bench_kept_ops = {
	DMA_BUF_OPS_KEEP_TABLE
	.map_dma_buf = bench_map,
	.unmap_dma_buf = bench_unmap,
	.release = bench_release,
};

static struct bench_fixture *bench_setup(struct kunit *test, unsigned int pages, bool kept)
{
	struct bench_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);
	static unsigned int number;
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	char name[32];

	KUNIT_ASSERT_NOT_NULL(test, fix);
	fix->exp.pages = pages;
	fix->exp.page = alloc_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fix->exp.page);

	snprintf(name, sizeof(name), "prime-bench-%u", number++);
	fix->dev = kunit_device_register(test, name);
	KUNIT_ASSERT_FALSE(test, IS_ERR(fix->dev));
	KUNIT_ASSERT_EQ(test, dma_set_mask(fix->dev, DMA_BIT_MASK(64)), 0);

	info.ops = kept ? &bench_kept_ops : &bench_ops;
	info.size = pages * PAGE_SIZE;
	info.priv = &fix->exp;
	fix->dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_FALSE(test, IS_ERR(fix->dmabuf));
	return fix;
}

static void bench_end(struct bench_fixture *fix)
{
	dma_buf_put(fix->dmabuf);
	/* The last put of a kernel thread leaves the release to a work item. */
	flush_delayed_fput();
	__free_page(fix->exp.page);
}

/*
 * Attachments that another thread made. An importer attaches in one system call
 * and detaches in another. What is given back in the call that attached is
 * another matter: the layer looks at it, in case the call fails.
 */
struct bench_attached {
	struct work_struct work;
	struct bench_fixture *fix;
	unsigned int count;
	struct dma_buf_attachment *attach[BENCH_TIMES];
	u64 ns;
};

static void bench_attach_work(struct work_struct *work)
{
	struct bench_attached *all = container_of(work, typeof(*all), work);
	u64 start = ktime_get_ns();
	unsigned int i;

	for (i = 0; i < all->count; i++)
		all->attach[i] = dma_buf_attach(all->fix->dmabuf, all->fix->dev);
	all->ns = ktime_get_ns() - start;
}

static struct bench_attached *bench_attach(struct kunit *test, struct bench_fixture *fix,
					   unsigned int count)
{
	static struct bench_attached all;
	unsigned int i;

	all.fix = fix;
	all.count = count;
	INIT_WORK(&all.work, bench_attach_work);
	schedule_work(&all.work);
	flush_work(&all.work);
	for (i = 0; i < count; i++)
		KUNIT_ASSERT_FALSE(test, IS_ERR(all.attach[i]));
	return &all;
}

/* One line of scripts/bench-report: row, parameter, value, unit. */
static void bench_tell(const char *row, unsigned int pages, u64 ns)
{
	u64 tenths = ns * 10 / (BENCH_TIMES * BENCH_NS_PER_INSTRUCTION);

	pr_info("prime_bench: %s %u %llu.%llu instructions\n", row, pages, tenths / 10,
		tenths % 10);
}

static void bench_attach_detach(struct kunit *test, struct bench_fixture *fix)
{
	u64 start, attach = U64_MAX, detach = U64_MAX;
	struct bench_attached *all;
	int i, round;

	for (round = 0; round < BENCH_ROUNDS; round++) {
		all = bench_attach(test, fix, BENCH_TIMES);
		start = ktime_get_ns();
		for (i = 0; i < BENCH_TIMES; i++)
			dma_buf_detach(fix->dmabuf, all->attach[i]);
		detach = min(detach, ktime_get_ns() - start);
		attach = min(attach, all->ns);
	}
	bench_tell("kernel-attach", fix->exp.pages, attach);
	bench_tell("kernel-detach", fix->exp.pages, detach);
}

static void bench_map_unmap(struct kunit *test, struct bench_fixture *fix, const char *row_map,
			    const char *row_unmap)
{
	struct dma_buf_attachment *attach = bench_attach(test, fix, 1)->attach[0];
	static struct sg_table *sgt[BENCH_TIMES];
	u64 start, map = U64_MAX, unmap = U64_MAX;
	int i, round;

	for (round = 0; round < BENCH_ROUNDS; round++) {
		start = ktime_get_ns();
		for (i = 0; i < BENCH_TIMES; i++)
			sgt[i] = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
		map = min(map, ktime_get_ns() - start);
		for (i = 0; i < BENCH_TIMES; i++)
			KUNIT_ASSERT_FALSE(test, IS_ERR(sgt[i]));

		start = ktime_get_ns();
		for (i = 0; i < BENCH_TIMES; i++)
			dma_buf_unmap_attachment_unlocked(attach, sgt[i], DMA_BIDIRECTIONAL);
		unmap = min(unmap, ktime_get_ns() - start);
	}
	dma_buf_detach(fix->dmabuf, attach);
	bench_tell(row_map, fix->exp.pages, map);
	bench_tell(row_unmap, fix->exp.pages, unmap);
}

/* A vmap and its vunmap, by an exporter that only gives an address. */
static void bench_vmap_vunmap(struct kunit *test, struct bench_fixture *fix)
{
	u64 start, both = U64_MAX;
	struct iosys_map map;
	int i, round, ret = 0;

	for (round = 0; round < BENCH_ROUNDS; round++) {
		start = ktime_get_ns();
		for (i = 0; i < BENCH_TIMES && !ret; i++) {
			ret = dma_buf_vmap_unlocked(fix->dmabuf, &map);
			dma_buf_vunmap_unlocked(fix->dmabuf, &map);
		}
		both = min(both, ktime_get_ns() - start);
		KUNIT_ASSERT_EQ(test, ret, 0);
	}
	bench_tell("kernel-vmap", fix->exp.pages, both);
}

/* Kept: the core gives the attachment's table again. */
static void bench_one(struct kunit *test, unsigned int pages, bool kept)
{
	struct bench_fixture *fix = bench_setup(test, pages, kept);

	if (kept) {
		bench_map_unmap(test, fix, "kernel-map-kept", "kernel-unmap-kept");
	} else {
		bench_attach_detach(test, fix);
		bench_map_unmap(test, fix, "kernel-map", "kernel-unmap");
		if (pages == 1)
			bench_vmap_vunmap(test, fix);
	}
	bench_end(fix);
}

static void bench(struct kunit *test)
{
	static const unsigned int pages[] = { 1, 16, 256, 2048 };
	int i;

	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		bench_one(test, pages[i], false);
		if (dma_buf_ops_keep_table(&bench_kept_ops))
			bench_one(test, pages[i], true);
	}
}

static struct kunit_case bench_cases[] = {
	KUNIT_CASE_SLOW(bench),
	{}
};

static struct kunit_suite bench_suite = {
	.name = "prime_bench",
	.test_cases = bench_cases,
};

kunit_test_suite(bench_suite);

MODULE_DESCRIPTION("Benchmark of the dma-buf core, from inside the kernel");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
