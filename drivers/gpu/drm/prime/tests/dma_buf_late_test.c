// SPDX-License-Identifier: GPL-2.0
/*
 * Late allocation through the core: when storage comes, for whom, when it moves
 * and when it stays.
 */
#include <linux/delay.h>
#include <linux/dma-buf-late.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/mman.h>
#include <linux/shmem_fs.h>
#include <linux/shrinker.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include <kunit/static_stub.h>

#include "../negotiate/internal.h"
#include "../negotiate/storage.h"
#include "mock_importer.h"

#define SIZE SZ_256K

/* --- the smallest exporter with late storage --- */

static struct dma_buf_late *late_of(struct dma_buf *dmabuf)
{
	return dmabuf->priv;
}

static void late_release(struct dma_buf *dmabuf)
{
	dma_buf_late_fini(late_of(dmabuf));
	kfree(dmabuf->priv);
}

static const struct dma_buf_ops late_ops = {
	DMA_BUF_LATE_OPS,
	.release = late_release,
};

static void buffer_end(void *data)
{
	dma_buf_put(data);
}

static struct dma_buf *buffer_of(struct kunit *test, struct device *dev)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf_late *late = kzalloc(sizeof(*late), GFP_KERNEL);
	struct dma_buf *dmabuf;

	KUNIT_ASSERT_NOT_NULL(test, late);
	info.ops = &late_ops;
	info.size = SIZE;
	info.flags = O_RDWR;
	info.priv = late;
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, buffer_end, dmabuf), 0);
	KUNIT_ASSERT_EQ(test, dma_buf_late_init(late, SIZE, dmabuf->resv, dev), 0);
	KUNIT_ASSERT_EQ(test, dma_buf_late_bind(late, dmabuf), 0);
	return dmabuf;
}

/* --- devices --- */

/* A device of which everything is as usual but for what the caller changes. */
static struct mock_importer *importer_of(struct kunit *test, bool dynamic,
					 const struct dma_buf_constraints *c)
{
	struct mock_importer *imp = mock_importer_create(test, dynamic);

	KUNIT_ASSERT_EQ(test, devm_dma_buf_constraints_set(imp->dev, c), 0);
	return imp;
}

static struct mock_importer *importer_below(struct kunit *test, bool dynamic, unsigned int bits)
{
	struct dma_buf_constraints c;

	dma_buf_constraints_init(&c);
	c.dma_mask = DMA_BIT_MASK(bits);
	return importer_of(test, dynamic, &c);
}

static struct sg_table *map_for(struct dma_buf_attachment *attach)
{
	return dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
}

static void unmap_for(struct dma_buf_attachment *attach, struct sg_table *sgt)
{
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
}

/* --- content --- */

static void fill(struct kunit *test, struct dma_buf *dmabuf, u8 seed)
{
	struct iosys_map map;
	u8 *at;
	int i;

	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	at = map.vaddr;
	for (i = 0; i < SIZE; i++)
		at[i] = i / PAGE_SIZE + i + seed;
	dma_buf_vunmap_unlocked(dmabuf, &map);
}

static int filled(struct kunit *test, struct dma_buf *dmabuf, u8 seed)
{
	struct iosys_map map;
	u8 *at;
	int i;

	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	at = map.vaddr;
	for (i = 0; i < SIZE; i++) {
		if (at[i] != (u8)(i / PAGE_SIZE + i + seed))
			break;
	}
	dma_buf_vunmap_unlocked(dmabuf, &map);
	return i;
}

static bool all_below(struct sg_table *sgt, u64 mask)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (sg_dma_address(sg) + sg_dma_len(sg) - 1 > mask)
			return false;
	}
	return true;
}

/* --- when storage comes --- */

static void nothing_before_use(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct mock_importer *fixed = mock_importer_create(test, false);
	struct mock_importer *follows = mock_importer_create(test, true);
	struct dma_buf_attachment *a, *b;

	a = mock_importer_attach(fixed, dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(a));
	b = mock_importer_attach(follows, dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(b));
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(dmabuf, DMA_BIDIRECTIONAL), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(dmabuf, DMA_BIDIRECTIONAL), 0);
	KUNIT_EXPECT_NULL(test, late_of(dmabuf)->storage);
	dma_buf_detach(dmabuf, b);
	dma_buf_detach(dmabuf, a);
}

static void map_places(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct mock_importer *imp = importer_below(test, false, 28);
	struct dma_buf_attachment *attach = mock_importer_attach(imp, dmabuf);
	struct sg_table *sgt;

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	sgt = map_for(attach);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_NOT_NULL(test, late_of(dmabuf)->storage);
	KUNIT_EXPECT_TRUE(test, all_below(sgt, DMA_BIT_MASK(28)));
	unmap_for(attach, sgt);
	dma_buf_detach(dmabuf, attach);
}

static void vmap_places(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct dma_buf_storage *st;

	fill(test, dmabuf, 1);
	st = late_of(dmabuf)->storage;
	KUNIT_EXPECT_NOT_NULL(test, st);
	KUNIT_EXPECT_EQ(test, filled(test, dmabuf, 1), SIZE);
	KUNIT_EXPECT_PTR_EQ(test, late_of(dmabuf)->storage, st);
}

static void pin_places(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct mock_importer *imp = importer_below(test, true, 28);
	struct dma_buf_attachment *attach = mock_importer_attach(imp, dmabuf);

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_buf_pin(attach), 0);
	KUNIT_EXPECT_NOT_NULL(test, late_of(dmabuf)->storage);
	dma_buf_unpin(attach);
	dma_resv_unlock(dmabuf->resv);
	dma_buf_detach(dmabuf, attach);
}

/* Who maps first is not the only one who counts. */
static void placed_for_all(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct dma_buf_attachment *low, *any;
	struct dma_buf_constraints c;
	struct dma_buf_storage *st;
	struct sg_table *sgt;

	dma_buf_constraints_init(&c);
	c.dma_mask = DMA_BIT_MASK(28);
	c.max_segments = 1;
	low = mock_importer_attach(importer_of(test, false, &c), dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(low));
	any = mock_importer_attach(mock_importer_create(test, false), dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(any));

	sgt = map_for(any);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_TRUE(test, all_below(sgt, DMA_BIT_MASK(28)));
	st = late_of(dmabuf)->storage;
	unmap_for(any, sgt);

	sgt = map_for(low);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_EQ(test, sgt->nents, 1);
	KUNIT_EXPECT_PTR_EQ(test, late_of(dmabuf)->storage, st);
	unmap_for(low, sgt);
	dma_buf_detach(dmabuf, any);
	dma_buf_detach(dmabuf, low);
}

/* The exporter's device is one of them. */
static void placed_for_the_exporter(struct kunit *test)
{
	struct mock_importer *owner = importer_below(test, false, 28);
	struct dma_buf *dmabuf = buffer_of(test, owner->dev);
	struct dma_buf_conflict conflict;
	struct dma_buf_constraints c;

	fill(test, dmabuf, 2);
	dma_buf_constraints_init(&c);
	c.dma_mask = DMA_BIT_MASK(28);
	KUNIT_EXPECT_TRUE(test, dma_buf_storage_suits(late_of(dmabuf)->storage, &c, &conflict));
}

/* Each device gets the table that it wants of the same storage. */
static void tables_differ(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct dma_buf_attachment *attach[2];
	struct dma_buf_constraints c;
	struct sg_table *sgt[2];
	int i;

	dma_buf_constraints_init(&c);
	c.max_segments = 1;
	attach[0] = mock_importer_attach(importer_of(test, false, &c), dmabuf);
	dma_buf_constraints_init(&c);
	c.max_segment_size = SZ_64K;
	c.segment_boundary = SZ_64K - 1;
	attach[1] = mock_importer_attach(importer_of(test, false, &c), dmabuf);
	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_FALSE(test, IS_ERR(attach[i]));
		sgt[i] = map_for(attach[i]);
		KUNIT_ASSERT_FALSE(test, IS_ERR(sgt[i]));
		dma_buf_attachment_constraints(attach[i], &c);
		KUNIT_EXPECT_EQ(test, dma_buf_constraints_check_table(&c, sgt[i], NULL), 0);
	}
	KUNIT_EXPECT_EQ(test, sgt[0]->nents, 1);
	KUNIT_EXPECT_GE(test, sgt[1]->nents, SIZE / SZ_64K);
	for (i = 0; i < 2; i++) {
		unmap_for(attach[i], sgt[i]);
		dma_buf_detach(dmabuf, attach[i]);
	}
}

/* --- when it moves --- */

/* Storage where a device below @bits does not reach it. */
static void place_high(struct kunit *test, struct dma_buf *dmabuf, unsigned int bits)
{
	struct dma_buf_conflict conflict;
	struct dma_buf_constraints c;

	fill(test, dmabuf, 3);
	dma_buf_constraints_init(&c);
	c.dma_mask = DMA_BIT_MASK(bits);
	if (dma_buf_storage_suits(late_of(dmabuf)->storage, &c, &conflict))
		kunit_skip(test, "storage is below %u bits anyway", bits);
}

/* For a device that joins now and does not reach what place_high() placed. */
static void comes_low(struct kunit *test, struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	attach = mock_importer_attach(importer_below(test, false, 24), dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	sgt = map_for(attach);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_TRUE(test, all_below(sgt, DMA_BIT_MASK(24)));
	KUNIT_EXPECT_EQ(test, filled(test, dmabuf, 3), SIZE);
	unmap_for(attach, sgt);
	dma_buf_detach(dmabuf, attach);
}

static void moves_when_unused(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);

	place_high(test, dmabuf, 24);
	comes_low(test, dmabuf);
}

static void stays_while_mapped(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct mock_importer *low = importer_below(test, false, 24);
	struct dma_buf_attachment *first, *attach;
	struct dma_buf_storage *st;
	struct sg_table *sgt;

	place_high(test, dmabuf, 24);
	first = mock_importer_attach(mock_importer_create(test, false), dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(first));
	sgt = map_for(first);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	st = late_of(dmabuf)->storage;

	attach = mock_importer_attach(low, dmabuf);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(attach), -EBUSY);
	KUNIT_EXPECT_PTR_EQ(test, late_of(dmabuf)->storage, st);

	unmap_for(first, sgt);
	attach = mock_importer_attach(low, dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	dma_buf_detach(dmabuf, attach);
	dma_buf_detach(dmabuf, first);
}

static void stays_while_vmapped(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct dma_buf_attachment *attach;
	struct iosys_map map;

	place_high(test, dmabuf, 24);
	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	attach = mock_importer_attach(importer_below(test, false, 24), dmabuf);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(attach), -EBUSY);
	dma_buf_vunmap_unlocked(dmabuf, &map);
}

/* Joined while it could move, mapped when it can't any more. */
static void busy_at_map(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct dma_buf_attachment *attach;
	struct iosys_map map;
	struct sg_table *sgt;

	place_high(test, dmabuf, 24);
	attach = mock_importer_attach(importer_below(test, false, 24), dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(map_for(attach)), -EBUSY);
	KUNIT_EXPECT_EQ(test, late_of(dmabuf)->pins, 0);
	dma_buf_vunmap_unlocked(dmabuf, &map);

	sgt = map_for(attach);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	unmap_for(attach, sgt);
	dma_buf_detach(dmabuf, attach);
}

/* An importer that follows is told, keeps what it has, and gets the new. */
static void moves_for_followers(struct kunit *test)
{
	const bool moves = IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY);
	struct mock_importer *follows = mock_importer_create(test, true);
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct dma_buf_attachment *first, *attach;
	struct sg_table *old, *sgt;

	place_high(test, dmabuf, 24);
	first = mock_importer_attach(follows, dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(first));
	old = map_for(first);
	KUNIT_ASSERT_FALSE(test, IS_ERR(old));

	attach = mock_importer_attach(importer_below(test, false, 24), dmabuf);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(attach), moves ? 0 : -EBUSY);
	if (moves && !IS_ERR(attach)) {
		sgt = map_for(attach);
		KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
		KUNIT_EXPECT_PTR_EQ(test, follows->notified, first);
		KUNIT_EXPECT_TRUE(test, all_below(sgt, DMA_BIT_MASK(24)));
		KUNIT_EXPECT_EQ(test, filled(test, dmabuf, 3), SIZE);
		unmap_for(attach, sgt);
		dma_buf_detach(dmabuf, attach);
	}
	unmap_for(first, old);
	dma_buf_detach(dmabuf, first);
}

/* A move waits for everybody's work, and a signal leaves all as it was. */
static void move_waits(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct dma_buf_attachment *attach;
	struct dma_buf_storage *st;
	struct mock_fence *fence;
	struct sg_table *sgt;

	place_high(test, dmabuf, 24);
	st = late_of(dmabuf)->storage;
	attach = mock_importer_attach(importer_below(test, false, 24), dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	fence = mock_fence_add(test, dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP);

	prime_test_signal_self();
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(map_for(attach)), -ERESTARTSYS);
	prime_test_signal_clear();
	KUNIT_EXPECT_PTR_EQ(test, late_of(dmabuf)->storage, st);

	mock_fence_signal_in(fence, 50);
	sgt = map_for(attach);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&fence->base));
	KUNIT_EXPECT_EQ(test, filled(test, dmabuf, 3), SIZE);
	unmap_for(attach, sgt);
	dma_buf_detach(dmabuf, attach);
}

/* --- given back --- */

static void give_back(struct kunit *test, struct dma_buf *dmabuf)
{
	/* Those of earlier cases may wait for their release. */
	KUNIT_EXPECT_GE(test, dma_buf_late_reclaim(ULONG_MAX), SIZE / PAGE_SIZE);
	KUNIT_EXPECT_NULL(test, late_of(dmabuf)->storage);
	KUNIT_EXPECT_EQ(test, dma_buf_late_reclaim(ULONG_MAX), 0);
}

static void stays(struct kunit *test, struct dma_buf *dmabuf)
{
	struct dma_buf_storage *st = late_of(dmabuf)->storage;

	dma_buf_late_reclaim(ULONG_MAX);
	KUNIT_EXPECT_NOT_NULL(test, st);
	KUNIT_EXPECT_PTR_EQ(test, late_of(dmabuf)->storage, st);
}

static void comes_back(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	int i;

	for (i = 0; i < 3; i++) {
		fill(test, dmabuf, 4 + i);
		give_back(test, dmabuf);
		KUNIT_EXPECT_NOT_NULL(test, late_of(dmabuf)->swap);
		KUNIT_EXPECT_EQ(test, filled(test, dmabuf, 4 + i), SIZE);
		KUNIT_EXPECT_NULL(test, late_of(dmabuf)->swap);
	}
}

/* For the devices of then, one of which was not there before. */
static void comes_back_in_reach(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);

	place_high(test, dmabuf, 24);
	give_back(test, dmabuf);
	comes_low(test, dmabuf);
}

/* One run is given back like any other storage, and is one run again. */
static void contiguous_comes_back(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct dma_buf_attachment *attach;
	struct dma_buf_constraints c;
	struct sg_table *sgt;
	int i;

	dma_buf_constraints_init(&c);
	c.max_segments = 1;
	attach = mock_importer_attach(importer_of(test, false, &c), dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	fill(test, dmabuf, 8);
	for (i = 0; i < 2; i++) {
		sgt = map_for(attach);
		KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
		KUNIT_EXPECT_EQ(test, sgt->nents, 1);
		stays(test, dmabuf);
		unmap_for(attach, sgt);
		give_back(test, dmabuf);
	}
	KUNIT_EXPECT_EQ(test, filled(test, dmabuf, 8), SIZE);
	dma_buf_detach(dmabuf, attach);
}

static void kept_while_used(struct kunit *test)
{
	struct mock_importer *imp = mock_importer_create(test, true);
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct dma_buf_attachment *attach;
	struct iosys_map map;
	struct sg_table *sgt;

	attach = mock_importer_attach(imp, dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	fill(test, dmabuf, 5);

	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	stays(test, dmabuf);
	dma_buf_vunmap_unlocked(dmabuf, &map);

	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_buf_pin(attach), 0);
	dma_resv_unlock(dmabuf->resv);
	stays(test, dmabuf);
	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_unpin(attach);
	dma_resv_unlock(dmabuf->resv);

	sgt = map_for(attach);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	stays(test, dmabuf);
	unmap_for(attach, sgt);

	/* Somebody is about to use it. */
	dma_resv_lock(dmabuf->resv, NULL);
	stays(test, dmabuf);
	dma_resv_unlock(dmabuf->resv);

	give_back(test, dmabuf);
	KUNIT_EXPECT_EQ(test, filled(test, dmabuf, 5), SIZE);
	dma_buf_detach(dmabuf, attach);
}

static void kept_for_fences(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct mock_fence *fence;

	fill(test, dmabuf, 6);
	fence = mock_fence_add(test, dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP);
	stays(test, dmabuf);
	dma_fence_signal(&fence->base);
	give_back(test, dmabuf);
	KUNIT_EXPECT_EQ(test, filled(test, dmabuf, 6), SIZE);
}

/* As many as are wanted, the one that was used last the last. */
static void oldest_first(struct kunit *test)
{
	struct dma_buf *a = buffer_of(test, NULL), *b = buffer_of(test, NULL);

	dma_buf_late_reclaim(ULONG_MAX);
	fill(test, a, 1);
	fill(test, b, 2);
	KUNIT_EXPECT_EQ(test, filled(test, a, 1), SIZE);
	KUNIT_EXPECT_EQ(test, dma_buf_late_reclaim(1), SIZE / PAGE_SIZE);
	KUNIT_EXPECT_NOT_NULL(test, late_of(a)->storage);
	KUNIT_EXPECT_NULL(test, late_of(b)->storage);
	KUNIT_EXPECT_EQ(test, filled(test, b, 2), SIZE);
}

static int pages_left;

static struct page *page_until(struct file *file, pgoff_t index, gfp_t gfp)
{
	if (!pages_left)
		return ERR_PTR(-ENOMEM);
	pages_left--;
	return shmem_read_mapping_page_gfp(file->f_mapping, index, GFP_HIGHUSER);
}

/* Half-way out, and half-way back. */
static void no_memory_for_it(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct iosys_map map;

	fill(test, dmabuf, 7);
	kunit_activate_static_stub(test, dma_buf_late_swap_page, page_until);
	pages_left = 5;
	stays(test, dmabuf);
	KUNIT_EXPECT_NULL(test, late_of(dmabuf)->swap);
	pages_left = INT_MAX;
	give_back(test, dmabuf);

	pages_left = 5;
	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), -ENOMEM);
	KUNIT_EXPECT_NULL(test, late_of(dmabuf)->storage);
	KUNIT_EXPECT_NOT_NULL(test, late_of(dmabuf)->swap);
	kunit_deactivate_static_stub(test, dma_buf_late_swap_page);
	KUNIT_EXPECT_EQ(test, filled(test, dmabuf, 7), SIZE);
}

static struct page *unreadable_page(struct file *file, pgoff_t index, gfp_t gfp)
{
	return ERR_PTR(-EIO);
}

static void unreadable(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct iosys_map map;

	fill(test, dmabuf, 7);
	give_back(test, dmabuf);
	kunit_activate_static_stub(test, dma_buf_late_swap_page, unreadable_page);
	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), -EIO);
	kunit_deactivate_static_stub(test, dma_buf_late_swap_page);
	KUNIT_EXPECT_EQ(test, filled(test, dmabuf, 7), SIZE);
}

static unsigned long no_room(void)
{
	return 0;
}

static unsigned long much_room(void)
{
	return ULONG_MAX;
}

/* What memory reclaim asks: only with swap is there something to be had. */
static void shrinker_asks(struct kunit *test)
{
	struct shrink_control sc = { .gfp_mask = GFP_KERNEL, .nr_to_scan = 1 };
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct iosys_map map;

	dma_buf_late_reclaim(ULONG_MAX);
	fill(test, dmabuf, 9);
	kunit_activate_static_stub(test, dma_buf_late_swap_room, no_room);
	KUNIT_EXPECT_EQ(test, dma_buf_late_shrink_count(NULL, &sc), SHRINK_EMPTY);
	kunit_activate_static_stub(test, dma_buf_late_swap_room, much_room);
	KUNIT_EXPECT_EQ(test, dma_buf_late_shrink_count(NULL, &sc), SIZE / PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_late_shrink_count(NULL, &sc), SHRINK_EMPTY);
	dma_buf_vunmap_unlocked(dmabuf, &map);

	KUNIT_EXPECT_EQ(test, dma_buf_late_shrink_scan(NULL, &sc), 1);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(!READ_ONCE(late_of(dmabuf)->storage)));
	KUNIT_EXPECT_EQ(test, dma_buf_late_shrink_count(NULL, &sc), SHRINK_EMPTY);
	KUNIT_EXPECT_EQ(test, filled(test, dmabuf, 9), SIZE);
	/* The worker is done, so all of it counts again. */
	KUNIT_EXPECT_TRUE(test, prime_test_wait(dma_buf_late_shrink_count(NULL, &sc) ==
						SIZE / PAGE_SIZE));
}

/* --- bounced --- */

/* A buffer beyond 4 GiB that a kernel mapping holds there, filled with @seed. */
static struct dma_buf *high_buffer(struct kunit *test, bool may_bounce, u8 seed,
				   struct iosys_map *map)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);

	late_of(dmabuf)->may_bounce = may_bounce;
	place_high(test, dmabuf, 32);
	fill(test, dmabuf, seed);
	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, map), 0);
	return dmabuf;
}

/* A device of 32 bits, for which the DMA API bounces what lies beyond. */
static struct mock_importer *importer_of_32_bits(struct kunit *test)
{
	struct mock_importer *imp = mock_importer_create(test, false);

	KUNIT_ASSERT_EQ(test, dma_set_mask(imp->dev, DMA_BIT_MASK(32)), 0);
	if (dma_max_mapping_size(imp->dev) == SIZE_MAX)
		kunit_skip(test, "no swiotlb here");
	return imp;
}

static struct dma_buf_attachment *attach_to(struct kunit *test, struct mock_importer *imp,
					    struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach = mock_importer_attach(imp, dmabuf);

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	return attach;
}

/* What the device has at byte @at. */
static u8 *seen_at(struct dma_buf_attachment *attach, struct sg_table *sgt, size_t at)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (at < sg_dma_len(sg))
			return phys_to_virt(dma_to_phys(attach->dev, sg_dma_address(sg)) + at);
		at -= sg_dma_len(sg);
	}
	return NULL;
}

static struct dma_buf_refusal refusal_of(struct kunit *test, struct dma_buf *dmabuf)
{
	void __user *arg = prime_test_user_page(test, PROT_READ | PROT_WRITE);
	struct dma_buf_refusal why = { };
	struct file *file = dmabuf->file;

	KUNIT_EXPECT_EQ(test, file->f_op->unlocked_ioctl(file, DMA_BUF_IOCTL_GET_REFUSAL,
							 (unsigned long)arg), 0);
	KUNIT_EXPECT_EQ(test, copy_from_user(&why, arg, sizeof(why)), 0);
	return why;
}

/* Its driver says that it reaches all memory; the DMA API knows better. */
static void bounce_is_refused(struct kunit *test)
{
	struct mock_importer *imp = importer_of_32_bits(test);
	struct dma_buf_attachment *attach;
	struct dma_buf_constraints c;
	struct dma_buf_refusal why;
	struct iosys_map map;
	struct dma_buf *dmabuf;

	dma_buf_constraints_init(&c);
	KUNIT_ASSERT_EQ(test, devm_dma_buf_constraints_set(imp->dev, &c), 0);
	dmabuf = high_buffer(test, false, 1, &map);
	attach = attach_to(test, imp, dmabuf);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(map_for(attach)), -EBUSY);
	why = refusal_of(test, dmabuf);
	KUNIT_EXPECT_EQ(test, why.field, DMA_BUF_FIELD_BOUNCE);
	KUNIT_EXPECT_STREQ(test, why.device, dev_name(imp->dev));
	KUNIT_EXPECT_TRUE(test, list_empty(&late_of(dmabuf)->mappings));
	dma_buf_vunmap_unlocked(dmabuf, &map);
	KUNIT_EXPECT_EQ(test, filled(test, dmabuf, 1), SIZE);
	dma_buf_detach(dmabuf, attach);
}

/* Without the exporter's consent a device is refused for its mask, as ever. */
static void mask_is_refused(struct kunit *test)
{
	struct mock_importer *imp = importer_of_32_bits(test);
	struct dma_buf_attachment *attach;
	struct iosys_map map;
	struct dma_buf *dmabuf = high_buffer(test, false, 1, &map);

	attach = mock_importer_attach(imp, dmabuf);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(attach), -EBUSY);
	KUNIT_EXPECT_EQ(test, refusal_of(test, dmabuf).field, DMA_BUF_FIELD_DMA_MASK);
	dma_buf_vunmap_unlocked(dmabuf, &map);
}

/* With it, only for its mask. */
static void others_are_refused(struct kunit *test)
{
	struct dma_buf_attachment *attach;
	struct dma_buf_constraints c;
	struct iosys_map map;
	struct dma_buf *dmabuf = high_buffer(test, true, 1, &map);
	u64 start;

	dma_buf_constraints_init(&c);
	c.dma_mask = DMA_BIT_MASK(32);
	/* One more than the storage has. */
	start = page_to_phys(late_of(dmabuf)->storage->pages[0]);
	c.alignment = min_t(u64, (start & -start) * 2, SZ_2G);
	attach = mock_importer_attach(importer_of(test, false, &c), dmabuf);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(attach), -EBUSY);
	KUNIT_EXPECT_EQ(test, refusal_of(test, dmabuf).field, DMA_BUF_FIELD_ALIGNMENT);
	dma_buf_vunmap_unlocked(dmabuf, &map);
}

/* What it reads is never copied back, and stands beside other mappings. */
static void reader_bounces(struct kunit *test)
{
	struct mock_importer *imp = importer_of_32_bits(test);
	struct dma_buf_attachment *attach, *other;
	struct sg_table *sgt, *more;
	struct iosys_map map;
	struct dma_buf *dmabuf = high_buffer(test, true, 2, &map);
	u8 *memory = map.vaddr, *copy;

	other = attach_to(test, mock_importer_create(test, false), dmabuf);
	more = dma_buf_map_attachment_unlocked(other, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(more));
	attach = attach_to(test, imp, dmabuf);
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_TRUE(test, all_below(sgt, DMA_BIT_MASK(32)));
	copy = seen_at(attach, sgt, SIZE - 1);
	KUNIT_EXPECT_PTR_NE(test, copy, &memory[SIZE - 1]);
	KUNIT_EXPECT_EQ(test, *copy, memory[SIZE - 1]);

	/* The processor's writes get there at the end of the access. */
	dma_buf_begin_cpu_access(dmabuf, DMA_TO_DEVICE);
	memory[SIZE - 1] = 0x11;
	dma_buf_end_cpu_access(dmabuf, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, *copy, 0x11);
	*copy = 0x22;
	dma_buf_begin_cpu_access(dmabuf, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, memory[SIZE - 1], 0x11);
	dma_buf_end_cpu_access(dmabuf, DMA_FROM_DEVICE);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, memory[SIZE - 1], 0x11);

	/* A device that may write would leave the reader's copy stale. */
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	dma_buf_unmap_attachment_unlocked(other, more, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(map_for(other)), -EBUSY);
	KUNIT_EXPECT_EQ(test, refusal_of(test, dmabuf).field, DMA_BUF_FIELD_BOUNCE);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	more = map_for(other);
	KUNIT_ASSERT_FALSE(test, IS_ERR(more));
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(sgt), -EBUSY);
	unmap_for(other, more);

	dma_buf_vunmap_unlocked(dmabuf, &map);
	dma_buf_detach(dmabuf, attach);
	dma_buf_detach(dmabuf, other);
}

/* It is alone, and both see what the other wrote. */
static void writer_bounces(struct kunit *test, enum dma_data_direction dir)
{
	struct mock_importer *imp = importer_of_32_bits(test);
	struct dma_buf_attachment *attach, *other;
	struct sg_table *sgt, *more;
	struct iosys_map map;
	struct dma_buf *dmabuf = high_buffer(test, true, 3, &map);
	u8 *memory = map.vaddr, *copy;

	attach = attach_to(test, imp, dmabuf);
	other = attach_to(test, mock_importer_create(test, false), dmabuf);
	more = dma_buf_map_attachment_unlocked(other, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(more));
	sgt = dma_buf_map_attachment_unlocked(attach, dir);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(sgt), -EBUSY);
	KUNIT_EXPECT_EQ(test, refusal_of(test, dmabuf).field, DMA_BUF_FIELD_BOUNCE);
	dma_buf_unmap_attachment_unlocked(other, more, DMA_TO_DEVICE);

	sgt = dma_buf_map_attachment_unlocked(attach, dir);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	more = dma_buf_map_attachment_unlocked(other, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(more), -EBUSY);
	copy = seen_at(attach, sgt, 0);
	KUNIT_EXPECT_EQ(test, copy[5], memory[5]);

	copy[0] = 0x33;
	dma_buf_begin_cpu_access(dmabuf, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, memory[0], 0x33);
	/* The device goes on, and the processor only reads. */
	copy[1] = 0x44;
	dma_buf_end_cpu_access(dmabuf, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, copy[1], 0x44);
	dma_buf_begin_cpu_access(dmabuf, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, memory[1], 0x44);
	memory[2] = 0x55;
	dma_buf_end_cpu_access(dmabuf, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, copy[2], 0x55);
	copy[3] = 0x66;
	dma_buf_unmap_attachment_unlocked(attach, sgt, dir);
	KUNIT_EXPECT_EQ(test, memory[0], 0x33);
	KUNIT_EXPECT_EQ(test, memory[1], 0x44);
	KUNIT_EXPECT_EQ(test, memory[2], 0x55);
	KUNIT_EXPECT_EQ(test, memory[3], 0x66);

	dma_buf_vunmap_unlocked(dmabuf, &map);
	dma_buf_detach(dmabuf, other);
	dma_buf_detach(dmabuf, attach);
}

static void writer_bounces_both_ways(struct kunit *test)
{
	writer_bounces(test, DMA_BIDIRECTIONAL);
}

static void writer_bounces_one_way(struct kunit *test)
{
	writer_bounces(test, DMA_FROM_DEVICE);
}

/* Storage that can move does, bounced or not. */
static void moves_rather_than_bounces(struct kunit *test)
{
	struct mock_importer *imp = importer_of_32_bits(test);
	struct dma_buf_attachment *attach;
	struct iosys_map map;
	struct dma_buf *dmabuf = high_buffer(test, true, 4, &map);
	struct sg_table *sgt;

	dma_buf_vunmap_unlocked(dmabuf, &map);
	attach = attach_to(test, imp, dmabuf);
	sgt = map_for(attach);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_EQ(test, sg_dma_address(sgt->sgl),
			page_to_phys(late_of(dmabuf)->storage->pages[0]));
	KUNIT_EXPECT_EQ(test, filled(test, dmabuf, 4), SIZE);
	unmap_for(attach, sgt);
	dma_buf_detach(dmabuf, attach);
}

/* --- the end --- */

/* Storage without a dma-buf, as an object has it before its export. */
static void late_begin(struct kunit *test, struct dma_buf_late *late, struct dma_resv *resv)
{
	struct iosys_map map;

	*late = (struct dma_buf_late) { };
	KUNIT_ASSERT_EQ(test, dma_buf_late_init(late, SIZE, resv, NULL), 0);
	dma_resv_lock(resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_buf_late_vmap_own(late, &map), 0);
	dma_buf_late_vunmap_own(late);
	dma_resv_unlock(resv);
}

static void ends_given_back(struct kunit *test)
{
	struct dma_buf_late late;
	struct dma_resv resv;

	dma_resv_init(&resv);
	late_begin(test, &late, &resv);
	KUNIT_EXPECT_GE(test, dma_buf_late_reclaim(ULONG_MAX), SIZE / PAGE_SIZE);
	KUNIT_EXPECT_NOT_NULL(test, late.swap);
	dma_buf_late_fini(&late);
	dma_resv_fini(&resv);
}

struct taker {
	struct work_struct work;
	unsigned long pages;
	bool over;
};

static void taker_fn(struct work_struct *work)
{
	struct taker *taker = container_of(work, struct taker, work);

	while (!READ_ONCE(taker->over)) {
		taker->pages += dma_buf_late_reclaim(ULONG_MAX);
		cond_resched();
	}
}

/* What ends is being given back on another processor, at any point of it. */
static void ends_while_given_back(struct kunit *test)
{
	struct taker taker = { };
	struct dma_buf_late *late;
	struct dma_resv *resv;
	int i;

	INIT_WORK_ONSTACK(&taker.work, taker_fn);
	queue_work(system_unbound_wq, &taker.work);
	for (i = 0; i < 300; i++) {
		/* From the heap, so that a use after free is seen. */
		late = kzalloc(sizeof(*late), GFP_KERNEL);
		resv = kzalloc(sizeof(*resv), GFP_KERNEL);
		if (!late || !resv)
			break;
		dma_resv_init(resv);
		late_begin(test, late, resv);
		udelay(i % 50 * 10);
		dma_buf_late_fini(late);
		dma_resv_fini(resv);
		kfree(resv);
		kfree(late);
	}
	WRITE_ONCE(taker.over, true);
	flush_work(&taker.work);
	destroy_work_on_stack(&taker.work);
	KUNIT_EXPECT_EQ(test, i, 300);
	kunit_info(test, "%lu pages given back\n", taker.pages);
}

static void bad_sizes(struct kunit *test)
{
	struct mock_importer *low = importer_below(test, false, 20);
	struct dma_buf_late late = { };
	struct dma_resv resv;

	dma_resv_init(&resv);
	KUNIT_EXPECT_EQ(test, dma_buf_late_init(&late, 0, &resv, NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_buf_late_init(&late, PAGE_SIZE + 1, &resv, NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_buf_late_init(&late, SZ_2M, &resv, low->dev), -EBUSY);
	KUNIT_EXPECT_EQ(test, dma_buf_late_init(&late, (totalram_pages() + 1) << PAGE_SHIFT,
						&resv, NULL), -ENOMEM);
	dma_buf_late_fini(&late);
	dma_resv_fini(&resv);
}

static struct kunit_case dma_buf_late_cases[] = {
	KUNIT_CASE(nothing_before_use),
	KUNIT_CASE(map_places),
	KUNIT_CASE(vmap_places),
	KUNIT_CASE(pin_places),
	KUNIT_CASE(placed_for_all),
	KUNIT_CASE(placed_for_the_exporter),
	KUNIT_CASE(tables_differ),
	KUNIT_CASE(moves_when_unused),
	KUNIT_CASE(stays_while_mapped),
	KUNIT_CASE(stays_while_vmapped),
	KUNIT_CASE(busy_at_map),
	KUNIT_CASE(moves_for_followers),
	KUNIT_CASE(move_waits),
	KUNIT_CASE(comes_back),
	KUNIT_CASE(comes_back_in_reach),
	KUNIT_CASE(contiguous_comes_back),
	KUNIT_CASE(kept_while_used),
	KUNIT_CASE(kept_for_fences),
	KUNIT_CASE(oldest_first),
	KUNIT_CASE(no_memory_for_it),
	KUNIT_CASE(unreadable),
	KUNIT_CASE(shrinker_asks),
	KUNIT_CASE(bounce_is_refused),
	KUNIT_CASE(mask_is_refused),
	KUNIT_CASE(others_are_refused),
	KUNIT_CASE(reader_bounces),
	KUNIT_CASE(writer_bounces_both_ways),
	KUNIT_CASE(writer_bounces_one_way),
	KUNIT_CASE(moves_rather_than_bounces),
	KUNIT_CASE(ends_given_back),
	KUNIT_CASE(ends_while_given_back),
	KUNIT_CASE(bad_sizes),
	{}
};

static struct kunit_suite dma_buf_late_suite = {
	.name = "dma_buf_late",
	.test_cases = dma_buf_late_cases,
};

kunit_test_suite(dma_buf_late_suite);
