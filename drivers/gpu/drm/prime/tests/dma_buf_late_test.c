// SPDX-License-Identifier: GPL-2.0
/*
 * Late allocation through the core: when storage comes, for whom, when it moves
 * and when it stays.
 */
#include <linux/anon_inodes.h>
#include <linux/dma-buf-late.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/fdtable.h>
#include <linux/mman.h>
#include <linux/path.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <kunit/static_stub.h>

#include "../negotiate/internal.h"
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
	/* CONFIG_DMA_API_DEBUG asks the DMA API how long a segment may be. */
	imp->dev->dma_parms = kunit_kzalloc(test, sizeof(*imp->dev->dma_parms), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, imp->dev->dma_parms);
	dma_set_max_seg_size(imp->dev, min_t(u64, c->max_segment_size, UINT_MAX));
	return imp;
}

static struct mock_importer *importer_below(struct kunit *test, bool dynamic, u64 mask)
{
	struct dma_buf_constraints c;

	dma_buf_constraints_init(&c);
	c.dma_mask = mask;
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
	struct mock_importer *imp = importer_below(test, false, prime_test_low_mask(28));
	struct dma_buf_attachment *attach = mock_importer_attach(imp, dmabuf);
	struct sg_table *sgt;

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	sgt = map_for(attach);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_NOT_NULL(test, late_of(dmabuf)->storage);
	KUNIT_EXPECT_TRUE(test, all_below(sgt, prime_test_low_mask(28)));
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
	struct mock_importer *imp = importer_below(test, true, prime_test_low_mask(28));
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
	c.dma_mask = prime_test_low_mask(28);
	c.max_segments = 1;
	low = mock_importer_attach(importer_of(test, false, &c), dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(low));
	any = mock_importer_attach(mock_importer_create(test, false), dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(any));

	sgt = map_for(any);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_TRUE(test, all_below(sgt, prime_test_low_mask(28)));
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
	struct mock_importer *owner = importer_below(test, false, prime_test_low_mask(28));
	struct dma_buf *dmabuf = buffer_of(test, owner->dev);
	struct dma_buf_conflict conflict;
	struct dma_buf_constraints c;

	fill(test, dmabuf, 2);
	dma_buf_constraints_init(&c);
	c.dma_mask = prime_test_low_mask(28);
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
		dma_buf_constraints_from_device(&c, attach[i]->dev);
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

/* A filled buffer beyond @mask. Low memory may be given out first: other buffers take it. */
static struct dma_buf *place_high(struct kunit *test, u64 mask)
{
	const unsigned int most = SZ_128M / SIZE;
	struct dma_buf **low = kunit_kcalloc(test, most, sizeof(*low), GFP_KERNEL);
	struct dma_buf_conflict conflict;
	struct dma_buf_constraints c;
	struct dma_buf *dmabuf;
	struct iosys_map map;
	unsigned int n = 0;

	KUNIT_ASSERT_NOT_NULL(test, low);
	dma_buf_constraints_init(&c);
	c.dma_mask = mask;
	for (;;) {
		dmabuf = buffer_of(test, NULL);
		KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
		dma_buf_vunmap_unlocked(dmabuf, &map);
		if (!dma_buf_storage_suits(late_of(dmabuf)->storage, &c, &conflict))
			break;
		if (n == most)
			kunit_skip(test, "all storage is below %u bits", fls64(mask));
		low[n++] = dmabuf;
	}
	while (n)
		kunit_release_action(test, buffer_end, low[--n]);
	flush_delayed_fput();
	fill(test, dmabuf, 3);
	return dmabuf;
}

/* For a device that joins now and does not reach what place_high() placed. */
static void comes_low(struct kunit *test, struct dma_buf *dmabuf, u64 mask)
{
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	attach = mock_importer_attach(importer_below(test, false, mask), dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	sgt = map_for(attach);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_TRUE(test, all_below(sgt, mask));
	KUNIT_EXPECT_EQ(test, filled(test, dmabuf, 3), SIZE);
	unmap_for(attach, sgt);
	dma_buf_detach(dmabuf, attach);
}

static void moves_when_unused(struct kunit *test)
{
	const u64 mask = prime_test_low_mask(24);
	struct dma_buf *dmabuf = place_high(test, mask);

	comes_low(test, dmabuf, mask);
}

static void stays_while_mapped(struct kunit *test)
{
	const u64 mask = prime_test_low_mask(24);
	struct dma_buf *dmabuf = place_high(test, mask);
	struct mock_importer *low = importer_below(test, false, mask);
	struct dma_buf_attachment *first, *attach;
	struct dma_buf_storage *st;
	struct sg_table *sgt;

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
	const u64 mask = prime_test_low_mask(24);
	struct dma_buf *dmabuf = place_high(test, mask);
	struct dma_buf_attachment *attach;
	struct iosys_map map;

	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	attach = mock_importer_attach(importer_below(test, false, mask), dmabuf);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(attach), -EBUSY);
	dma_buf_vunmap_unlocked(dmabuf, &map);
}

/* The device joins while the storage can move, and maps when it can't any more. */
static void busy_for(struct kunit *test, bool dynamic)
{
	const u64 mask = prime_test_low_mask(24);
	struct dma_buf *dmabuf = place_high(test, mask);
	struct dma_buf_attachment *attach;
	struct iosys_map map;
	struct sg_table *sgt;

	attach = mock_importer_attach(importer_below(test, dynamic, mask), dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(map_for(attach)), -EBUSY);
	/* The kernel mapping's own. */
	KUNIT_EXPECT_EQ(test, late_of(dmabuf)->pins, 1);
	dma_buf_vunmap_unlocked(dmabuf, &map);

	sgt = map_for(attach);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	unmap_for(attach, sgt);
	dma_buf_detach(dmabuf, attach);
}

static void busy_at_map(struct kunit *test)
{
	busy_for(test, false);
}

/* One that follows moves does not pin before it maps. */
static void busy_for_followers(struct kunit *test)
{
	busy_for(test, true);
}

/* An importer that follows moves is told, and keeps its mapping of the old pages. */
static void moves_for_followers(struct kunit *test)
{
	const u64 mask = prime_test_low_mask(24);
	const bool moves = DMA_BUF_FOLLOWS_MOVES;
	struct mock_importer *follows = mock_importer_create(test, true);
	struct dma_buf *dmabuf = place_high(test, mask);
	struct dma_buf_attachment *first, *attach;
	struct sg_table *old, *sgt;

	first = mock_importer_attach(follows, dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(first));
	old = map_for(first);
	KUNIT_ASSERT_FALSE(test, IS_ERR(old));

	attach = mock_importer_attach(importer_below(test, false, mask), dmabuf);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(attach), moves ? 0 : -EBUSY);
	if (moves && !IS_ERR(attach)) {
		sgt = map_for(attach);
		KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
		KUNIT_EXPECT_PTR_EQ(test, follows->notified, first);
		KUNIT_EXPECT_TRUE(test, all_below(sgt, mask));
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
	const u64 mask = prime_test_low_mask(24);
	struct dma_buf *dmabuf = place_high(test, mask);
	struct dma_buf_attachment *attach;
	struct dma_buf_storage *st;
	struct mock_fence *fence;
	struct sg_table *sgt;

	st = late_of(dmabuf)->storage;
	attach = mock_importer_attach(importer_below(test, false, mask), dmabuf);
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

/* A program's mapping of pages of an object that begins at 1 MiB of its file. */
static unsigned long map_object(struct kunit *test, struct dma_buf *dmabuf, size_t size,
				unsigned long offset)
{
	void __user *any = prime_test_user_page(test, PROT_READ | PROT_WRITE);
	unsigned long at;

	late_of(dmabuf)->f_mapping = dmabuf->file->f_mapping;
	late_of(dmabuf)->f_start = SZ_1M;
	at = vm_mmap(dmabuf->file, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, offset);
	KUNIT_ASSERT_TRUE(test, any);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(at));
	return at;
}

/* A program's mapping shows the content before and after, and writes to the new place. */
static void moves_below_a_mapping(struct kunit *test)
{
	const u64 mask = prime_test_low_mask(24);
	struct dma_buf *dmabuf = place_high(test, mask);
	struct iosys_map map;
	unsigned long at;
	u8 byte = 0;

	at = map_object(test, dmabuf, SIZE, 0);
	KUNIT_EXPECT_EQ(test, copy_from_user(&byte, (void __user *)at, 1), 0);
	KUNIT_EXPECT_EQ(test, byte, 3);
	comes_low(test, dmabuf, mask);
	byte = 9;
	KUNIT_EXPECT_EQ(test, copy_to_user((void __user *)at, &byte, 1), 0);
	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	KUNIT_EXPECT_EQ(test, *(u8 *)map.vaddr, 9);
	dma_buf_vunmap_unlocked(dmabuf, &map);
	vm_munmap(at, SIZE);
}

/* --- refused at map --- */

/* A buffer beyond 4 GiB that a kernel mapping holds there, filled with @seed. */
static struct dma_buf *high_buffer(struct kunit *test, u8 seed, struct iosys_map *map)
{
	struct dma_buf *dmabuf = place_high(test, DMA_BIT_MASK(32));

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
		kunit_skip(test, "CONFIG_SWIOTLB is off, or all memory is below 4 GiB");
	return imp;
}

static struct dma_buf_attachment *attach_to(struct kunit *test, struct mock_importer *imp,
					    struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach = mock_importer_attach(imp, dmabuf);

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	return attach;
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
	dmabuf = high_buffer(test, 1, &map);
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

/* If the driver says that the device does not reach so far, it is refused for its mask. */
static void mask_is_refused(struct kunit *test)
{
	struct mock_importer *imp = importer_of_32_bits(test);
	struct dma_buf_attachment *attach;
	struct iosys_map map;
	struct dma_buf *dmabuf = high_buffer(test, 1, &map);

	attach = mock_importer_attach(imp, dmabuf);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(attach), -EBUSY);
	KUNIT_EXPECT_EQ(test, refusal_of(test, dmabuf).field, DMA_BUF_FIELD_DMA_MASK);
	dma_buf_vunmap_unlocked(dmabuf, &map);
}

/* Without swiotlb, too: the reason is BOUNCE, and not the DMA API's I/O error. */
static void out_of_reach_is_refused(struct kunit *test)
{
	const u64 mask = prime_test_low_mask(24);
	struct mock_importer *imp = mock_importer_create(test, false);
	struct dma_buf *dmabuf = place_high(test, mask);
	struct dma_buf_attachment *attach;
	struct dma_buf_constraints c;

	dma_buf_constraints_init(&c);
	KUNIT_ASSERT_EQ(test, devm_dma_buf_constraints_set(imp->dev, &c), 0);
	*imp->dev->dma_mask = mask;
	attach = attach_to(test, imp, dmabuf);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(map_for(attach)), -EBUSY);
	KUNIT_EXPECT_EQ(test, refusal_of(test, dmabuf).field, DMA_BUF_FIELD_BOUNCE);
	dma_buf_detach(dmabuf, attach);
}

/* A device that needs coherent memory gets it if it snoops, and is refused otherwise. */
static void coherence_is_given_or_refused(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct dma_buf_attachment *attach;
	struct dma_buf_constraints c;
	struct mock_importer *imp;
	struct sg_table *sgt;

	dma_buf_constraints_init(&c);
	c.flags = DMA_BUF_CONSTRAINT_COHERENT;
	imp = importer_of(test, false, &c);
	if (dev_is_dma_coherent(imp->dev)) {
		attach = attach_to(test, imp, dmabuf);
		sgt = map_for(attach);
		KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
		unmap_for(attach, sgt);
		dma_buf_detach(dmabuf, attach);
		/* As if one of them did not snoop. */
		late_of(dmabuf)->own.flags |= DMA_BUF_CONSTRAINT_COHERENT;
	}
	attach = mock_importer_attach(imp, dmabuf);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(attach), -EBUSY);
	KUNIT_EXPECT_EQ(test, refusal_of(test, dmabuf).field, DMA_BUF_FIELD_COHERENT);
	KUNIT_EXPECT_EQ(test, refusal_of(test, dmabuf).wanted, 1);
}

/* The driver says @c only after the device has attached. The map is refused for @field. */
static void driver_adds(struct kunit *test, const struct dma_buf_constraints *c, u32 field,
			u64 wanted)
{
	struct mock_importer *imp = importer_below(test, false, U64_MAX);
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct dma_buf_attachment *attach = attach_to(test, imp, dmabuf);
	struct dma_buf_refusal why;

	KUNIT_ASSERT_EQ(test, devm_dma_buf_constraints_set(imp->dev, c), 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(map_for(attach)), -EBUSY);
	why = refusal_of(test, dmabuf);
	KUNIT_EXPECT_EQ(test, why.field, field);
	KUNIT_EXPECT_EQ(test, why.wanted, wanted);
	KUNIT_EXPECT_TRUE(test, list_empty(&late_of(dmabuf)->mappings));
	dma_buf_detach(dmabuf, attach);
}

/* A constraint that was added after the attach counts when the device maps. */
static void driver_adds_a_constraint(struct kunit *test)
{
	struct dma_buf_constraints c;

	dma_buf_constraints_init(&c);
	c.dma_mask = PAGE_SIZE - 1;
	driver_adds(test, &c, DMA_BUF_FIELD_DMA_MASK, PAGE_SIZE - 1);
}

/* The segments are counted in the table that the device would get. */
static void driver_limits_the_segments(struct kunit *test)
{
	struct dma_buf_constraints c;

	dma_buf_constraints_init(&c);
	c.max_segment_size = PAGE_SIZE;
	c.max_segments = 1;
	driver_adds(test, &c, DMA_BUF_FIELD_MAX_SEGMENTS, 1);
}

/* What a driver said of its device counts until the detach, even if the driver leaves. */
static void driver_leaves(struct kunit *test)
{
	struct mock_importer *imp = importer_below(test, false, prime_test_low_mask(28));
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct dma_buf_attachment *attach = attach_to(test, imp, dmabuf);
	struct dma_buf_constraints c;

	device_release_driver(imp->dev);
	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_buf_get_constraints(dmabuf, &c, NULL), 0);
	dma_resv_unlock(dmabuf->resv);
	KUNIT_EXPECT_EQ(test, c.dma_mask, prime_test_low_mask(28));
	dma_buf_detach(dmabuf, attach);
}

/* The lowest GiB that has memory. */
static struct bus_dma_region low_bus[] = {
	{ .dma_start = 0xc0000000, .size = SZ_1G },
	{ }
};

/* What the device is given are addresses of its bus; where the pages are is another thing. */
static void bus_has_its_own_addresses(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct mock_importer *imp = mock_importer_create(test, false);
	struct dma_buf_attachment *attach;
	struct scatterlist *sg;
	struct sg_table *sgt;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, dma_set_mask(imp->dev, DMA_BIT_MASK(32)), 0);
	low_bus->cpu_start = round_down(prime_test_low_mask(28) / 2 + 1, SZ_1G);
	imp->dev->dma_range_map = low_bus;
	attach = mock_importer_attach(imp, dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	sgt = map_for(attach);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(sgt), 0);
	if (!IS_ERR(sgt)) {
		for_each_sgtable_dma_sg(sgt, sg, i)
			KUNIT_EXPECT_GE(test, sg_dma_address(sg), 0xc0000000);
		for (i = 0; i < late_of(dmabuf)->storage->nr_pages; i++)
			KUNIT_EXPECT_LT(test, page_to_phys(late_of(dmabuf)->storage->pages[i]),
					low_bus->cpu_start + SZ_1G);
		unmap_for(attach, sgt);
	}
	dma_buf_detach(dmabuf, attach);
	imp->dev->dma_range_map = NULL;
}

/* Storage is aligned in memory. A bus may shift it by less, and then the device is refused. */
static void bus_breaks_the_alignment(struct kunit *test)
{
	static const struct bus_dma_region ranges[] = {
		{ .dma_start = PAGE_SIZE, .size = SIZE_MAX >> 1 },
		{ }
	};
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct dma_buf_attachment *attach;
	struct dma_buf_constraints c;
	struct dma_buf_refusal why;
	struct mock_importer *imp;

	dma_buf_constraints_init(&c);
	c.alignment = 2 * PAGE_SIZE;
	imp = importer_of(test, false, &c);
	KUNIT_ASSERT_EQ(test, dma_set_mask(imp->dev, DMA_BIT_MASK(64)), 0);
	imp->dev->dma_range_map = ranges;
	attach = attach_to(test, imp, dmabuf);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(map_for(attach)), -EBUSY);
	why = refusal_of(test, dmabuf);
	KUNIT_EXPECT_EQ(test, why.field, DMA_BUF_FIELD_ALIGNMENT);
	KUNIT_EXPECT_EQ(test, why.wanted, c.alignment);
	KUNIT_EXPECT_EQ(test, why.found, PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, list_empty(&late_of(dmabuf)->mappings));
	dma_buf_detach(dmabuf, attach);
	imp->dev->dma_range_map = NULL;
}

/* What the exporter's device needs rules out a device that needs the contrary. */
static void exporter_is_in_the_way(struct kunit *test)
{
	struct mock_importer *owner = importer_below(test, false, DMA_BIT_MASK(20));
	struct dma_buf *dmabuf = buffer_of(test, owner->dev);
	struct dma_buf_attachment *attach;
	struct dma_buf_constraints c;

	dma_buf_constraints_init(&c);
	c.alignment = SZ_1M;
	attach = mock_importer_attach(importer_of(test, false, &c), dmabuf);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(attach), -EBUSY);
	KUNIT_EXPECT_EQ(test, refusal_of(test, dmabuf).field, DMA_BUF_FIELD_ALIGNMENT);
}

/* --- the processor --- */

/* What was not pinned or mapped can't be let go of. */
static void let_go_of_nothing(struct kunit *test)
{
	struct mock_importer *imp = mock_importer_create(test, true);
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct dma_buf_attachment *attach;

	PRIME_TEST_NEEDS_WARN(test);
	attach = attach_to(test, imp, dmabuf);
	dma_resv_lock(dmabuf->resv, NULL);
	prime_test_twice() {
		dma_buf_unpin(attach);
		dma_buf_late_vunmap_own(late_of(dmabuf));
	}
	dma_resv_unlock(dmabuf->resv);
	KUNIT_EXPECT_EQ(test, late_of(dmabuf)->pins, 0);
	KUNIT_EXPECT_EQ(test, late_of(dmabuf)->vmaps, 0);
	dma_buf_detach(dmabuf, attach);
}

/* Storage must not go while somebody has it pinned; if it does, the exporter hears of it. */
static void ends_while_pinned(struct kunit *test)
{
	struct dma_buf_late late;
	struct dma_resv resv;

	PRIME_TEST_NEEDS_WARN(test);
	dma_resv_init(&resv);
	prime_test_twice() {
		late = (struct dma_buf_late) { .pins = 1 };
		KUNIT_ASSERT_EQ(test, dma_buf_late_init(&late, SIZE, &resv, NULL), 0);
		dma_buf_late_fini(&late);
	}
	dma_resv_fini(&resv);
}

static vm_fault_t fault_at(struct dma_buf *dmabuf, pgoff_t page)
{
	struct vm_fault vmf = { .pgoff = page };

	return dma_buf_late_fault(late_of(dmabuf), &vmf);
}

/*
 * A fault that a signal interrupts comes again. If the signal kills, or the page is
 * beyond the end, the fault is an error.
 */
static void faults_without_a_page(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct prime_test_holder holder = { .resv = dmabuf->resv };
	vm_fault_t fault;

	prime_test_hold(test, &holder);
	prime_test_signal_self();
	fault = fault_at(dmabuf, 0);
	prime_test_signal_clear();
	KUNIT_EXPECT_TRUE(test, fault == VM_FAULT_NOPAGE);
	prime_test_kill_self();
	fault = fault_at(dmabuf, 0);
	prime_test_signal_clear();
	prime_test_let_go(&holder);
	KUNIT_EXPECT_TRUE(test, fault == VM_FAULT_SIGBUS);

	/* Killed while the storage is placed. The kernel's own access must not retry. */
	prime_test_kill_self();
	fault = fault_at(dmabuf, 0);
	prime_test_signal_clear();
	KUNIT_EXPECT_TRUE(test, fault == VM_FAULT_SIGBUS);
	KUNIT_EXPECT_NULL(test, late_of(dmabuf)->storage);

	KUNIT_EXPECT_TRUE(test, fault_at(dmabuf, SIZE >> PAGE_SHIFT) == VM_FAULT_SIGBUS);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(dmabuf->resv));
}

/* A program that waits to begin its access can be ended. */
static void begin_interrupted(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct prime_test_holder holder = { .resv = dmabuf->resv };
	int ret;

	prime_test_hold(test, &holder);
	prime_test_signal_self();
	ret = dma_buf_begin_cpu_access(dmabuf, DMA_BIDIRECTIONAL);
	prime_test_signal_clear();
	KUNIT_EXPECT_EQ(test, ret, -EINTR);
	prime_test_let_go(&holder);
}

/* A mapping of the dma-buf has the offset that the object has in its file. */
static void mapped_where_the_object_is(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	unsigned long at = map_object(test, dmabuf, SIZE - PAGE_SIZE, PAGE_SIZE);
	struct iosys_map map;
	u8 seen = 7;

	mmap_read_lock(current->mm);
	KUNIT_EXPECT_EQ(test, vma_lookup(current->mm, at)->vm_pgoff,
			(SZ_1M + PAGE_SIZE) >> PAGE_SHIFT);
	mmap_read_unlock(current->mm);
	KUNIT_EXPECT_EQ(test, copy_to_user((void __user *)at, &seen, 1), 0);
	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	KUNIT_EXPECT_EQ(test, *(u8 *)(map.vaddr + PAGE_SIZE), seen);
	dma_buf_vunmap_unlocked(dmabuf, &map);
	vm_munmap(at, SIZE - PAGE_SIZE);
}

/* --- the commit --- */

static long request(struct kunit *test, struct dma_buf *dmabuf, unsigned int cmd, void *data,
		    size_t size)
{
	void __user *arg = prime_test_user_page(test, PROT_READ | PROT_WRITE);
	struct file *file = dmabuf->file;
	long ret;

	KUNIT_ASSERT_EQ(test, copy_to_user(arg, data, size), 0);
	ret = file->f_op->unlocked_ioctl(file, cmd, (unsigned long)arg);
	KUNIT_ASSERT_EQ(test, copy_from_user(data, arg, size), 0);
	return ret;
}

static long commit(struct kunit *test, struct dma_buf *dmabuf, u64 size, struct dma_buf_commit *arg)
{
	*arg = (struct dma_buf_commit) { .size = size };
	return request(test, dmabuf, DMA_BUF_IOCTL_COMMIT, arg, sizeof(*arg));
}

static u32 storage_flags(struct kunit *test, struct dma_buf *dmabuf)
{
	struct dma_buf_storage_info info = { };

	KUNIT_EXPECT_EQ(test, request(test, dmabuf, DMA_BUF_IOCTL_GET_STORAGE, &info,
				      sizeof(info)), 0);
	return info.flags;
}

/* A device that wants twice the alignment that the storage has. */
static struct mock_importer *importer_elsewhere(struct kunit *test, struct dma_buf *dmabuf)
{
	const u64 start = page_to_phys(late_of(dmabuf)->storage->pages[0]);
	struct dma_buf_constraints c;

	dma_buf_constraints_init(&c);
	c.alignment = 2 * (start & -start);
	return importer_of(test, false, &c);
}

/* It is placed for those who have joined, and stays there, whoever comes. */
static void commit_places(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct mock_importer *low = importer_below(test, false, prime_test_low_mask(28));
	struct dma_buf_attachment *attach = attach_to(test, low, dmabuf);
	struct dma_buf_storage *st;
	struct dma_buf_commit arg;
	struct sg_table *sgt;

	KUNIT_EXPECT_EQ(test, storage_flags(test, dmabuf), 0);
	KUNIT_ASSERT_EQ(test, commit(test, dmabuf, 0, &arg), 0);
	KUNIT_EXPECT_EQ(test, arg.size, SIZE);
	st = late_of(dmabuf)->storage;
	KUNIT_ASSERT_NOT_NULL(test, st);
	KUNIT_EXPECT_EQ(test, storage_flags(test, dmabuf) & ~DMA_BUF_STORAGE_CONTIGUOUS,
			DMA_BUF_STORAGE_PLACED | DMA_BUF_STORAGE_COMMITTED);
	sgt = map_for(attach);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_TRUE(test, all_below(sgt, prime_test_low_mask(28)));
	unmap_for(attach, sgt);
	dma_buf_detach(dmabuf, attach);

	attach = mock_importer_attach(importer_elsewhere(test, dmabuf), dmabuf);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(attach), -EBUSY);
	KUNIT_EXPECT_EQ(test, refusal_of(test, dmabuf).field, DMA_BUF_FIELD_ALIGNMENT);
	/* Once more is the same. */
	KUNIT_EXPECT_EQ(test, commit(test, dmabuf, SIZE, &arg), 0);
	fill(test, dmabuf, 9);
	KUNIT_EXPECT_EQ(test, filled(test, dmabuf, 9), SIZE);
	KUNIT_EXPECT_PTR_EQ(test, late_of(dmabuf)->storage, st);
}

/* Storage that was touched before and does not suit a device moves first, with its content. */
static void commit_moves_first(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct dma_buf_attachment *attach;
	struct dma_buf_storage *st;
	struct dma_buf_commit arg;

	fill(test, dmabuf, 4);
	st = late_of(dmabuf)->storage;
	attach = attach_to(test, importer_elsewhere(test, dmabuf), dmabuf);
	KUNIT_EXPECT_EQ(test, commit(test, dmabuf, 0, &arg), 0);
	KUNIT_EXPECT_PTR_NE(test, late_of(dmabuf)->storage, st);
	KUNIT_EXPECT_EQ(test, filled(test, dmabuf, 4), SIZE);
	dma_buf_detach(dmabuf, attach);
}

/* A page fault after the commit maps the storage that is there, and allocates nothing. */
static void commit_before_fault(struct kunit *test)
{
	void __user *any = prime_test_user_page(test, PROT_READ | PROT_WRITE);
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct dma_buf_storage *st;
	struct dma_buf_commit arg;
	unsigned long at;
	u8 seen = 5;

	KUNIT_ASSERT_TRUE(test, any);
	at = vm_mmap(dmabuf->file, 0, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(at));
	KUNIT_ASSERT_EQ(test, commit(test, dmabuf, 0, &arg), 0);
	st = late_of(dmabuf)->storage;
	/* As if no memory could be had any more. */
	late_of(dmabuf)->own.dma_mask = 0;
	KUNIT_EXPECT_EQ(test, copy_to_user((void __user *)at, &seen, 1), 0);
	KUNIT_EXPECT_PTR_EQ(test, late_of(dmabuf)->storage, st);
	vm_munmap(at, SIZE);
}

/* The size is chosen when the devices are known, and once. */
static void commit_sizes(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct dma_buf_attachment *attach;
	struct dma_buf_commit arg;

	KUNIT_EXPECT_EQ(test, commit(test, dmabuf, SIZE - 1, &arg), -EINVAL);
	KUNIT_EXPECT_EQ(test, commit(test, dmabuf, U64_MAX, &arg), -ENOMEM);
	KUNIT_EXPECT_EQ(test, arg.field, DMA_BUF_FIELD_ERROR);
	KUNIT_EXPECT_EQ(test, arg.found, ENOMEM);
	KUNIT_EXPECT_EQ(test, commit(test, dmabuf, (u64)(totalram_pages() + 1) << PAGE_SHIFT, &arg),
			-ENOMEM);
	attach = attach_to(test, mock_importer_create(test, false), dmabuf);
	KUNIT_EXPECT_EQ(test, commit(test, dmabuf, 2 * SIZE, &arg), -EBUSY);
	dma_buf_detach(dmabuf, attach);
	KUNIT_EXPECT_EQ(test, dmabuf->size, SIZE);
	KUNIT_EXPECT_NULL(test, late_of(dmabuf)->storage);

	KUNIT_ASSERT_EQ(test, commit(test, dmabuf, 2 * SIZE - 5, &arg), 0);
	KUNIT_EXPECT_EQ(test, arg.size, 2 * SIZE);
	KUNIT_EXPECT_EQ(test, dmabuf->size, 2 * SIZE);
	KUNIT_EXPECT_EQ(test, i_size_read(file_inode(dmabuf->file)), 2 * SIZE);
	KUNIT_EXPECT_EQ(test, inode_get_bytes(file_inode(dmabuf->file)), 2 * SIZE);
	KUNIT_EXPECT_EQ(test, late_of(dmabuf)->storage->nr_pages, 2 * SIZE / PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, commit(test, dmabuf, 2 * SIZE, &arg), 0);
	KUNIT_EXPECT_EQ(test, commit(test, dmabuf, 3 * SIZE, &arg), -EBUSY);
	KUNIT_EXPECT_EQ(test, dmabuf->size, 2 * SIZE);
	/* The program can ask again with the same struct. */
	KUNIT_EXPECT_EQ(test, arg.size, 3 * SIZE);
}

/* A commit that is killed while it places the storage leaves the size as it was. */
static void commit_killed(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct dma_buf_commit arg;

	prime_test_kill_self();
	KUNIT_EXPECT_EQ(test, commit(test, dmabuf, 2 * SIZE, &arg), -EINTR);
	prime_test_signal_clear();
	KUNIT_EXPECT_NULL(test, late_of(dmabuf)->storage);
	KUNIT_EXPECT_EQ(test, dmabuf->size, SIZE);
	KUNIT_EXPECT_EQ(test, late_of(dmabuf)->size, SIZE);
}

/* A driver's object has the size that the driver gave it. */
static void commit_of_an_object(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct dma_buf_commit arg;

	late_of(dmabuf)->f_mapping = dmabuf->file->f_mapping;
	KUNIT_EXPECT_EQ(test, commit(test, dmabuf, 2 * SIZE, &arg), -EBUSY);
	KUNIT_EXPECT_EQ(test, commit(test, dmabuf, 0, &arg), 0);
	KUNIT_EXPECT_EQ(test, dmabuf->size, SIZE);
}

/* What the exporter's device needs of the storage was derived for its first size. */
static void commit_of_a_device(struct kunit *test)
{
	struct mock_importer *owner;
	struct dma_buf_constraints c;
	struct dma_buf_commit arg;
	struct dma_buf *dmabuf;

	dma_buf_constraints_init(&c);
	c.max_segment_size = SIZE;
	c.max_segments = 1;
	owner = importer_of(test, false, &c);
	dmabuf = buffer_of(test, owner->dev);
	KUNIT_EXPECT_EQ(test, commit(test, dmabuf, 2 * SIZE, &arg), -EBUSY);
	KUNIT_EXPECT_EQ(test, commit(test, dmabuf, 0, &arg), 0);
	KUNIT_EXPECT_EQ(test, dmabuf->size, SIZE);
}

static struct device *announced;

static struct device *announced_device(struct file *file, unsigned int *how)
{
	return get_device(announced);
}

/* Adds the device of an importer with these needs. */
static long add(struct kunit *test, struct dma_buf *dmabuf, const struct dma_buf_constraints *c)
{
	struct dma_buf_device_use arg = { .use = DMA_BUF_USE_READ };
	struct file *file = prime_test_file(test);
	long ret;

	kunit_activate_static_stub(test, dma_buf_device_get, announced_device);
	announced = importer_of(test, false, c)->dev;
	arg.device_fd = get_unused_fd_flags(O_CLOEXEC);
	KUNIT_ASSERT_GE(test, arg.device_fd, 0);
	fd_install(arg.device_fd, get_file(file));
	ret = request(test, dmabuf, DMA_BUF_IOCTL_ADD_DEVICE, &arg, sizeof(arg));
	prime_test_close_fd(test, arg.device_fd);
	return ret;
}

/* The size follows what the devices want. If one can't take it, the answer names that device. */
static void commit_sizes_for_devices(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_of(test, NULL);
	struct dma_buf_constraints c;
	struct dma_buf_commit arg;

	dma_buf_constraints_init(&c);
	c.size_align = 4 * SIZE;
	KUNIT_ASSERT_EQ(test, add(test, dmabuf, &c), 0);
	c.size_align = 1;
	c.max_segment_size = SIZE;
	c.max_segments = 8;
	KUNIT_ASSERT_EQ(test, add(test, dmabuf, &c), 0);
	KUNIT_EXPECT_EQ(test, commit(test, dmabuf, 9 * SIZE, &arg), -EBUSY);
	KUNIT_EXPECT_EQ(test, arg.field, DMA_BUF_FIELD_MAX_SEGMENTS);
	KUNIT_EXPECT_EQ(test, arg.wanted, 8);
	KUNIT_EXPECT_EQ(test, arg.found, 12);
	KUNIT_EXPECT_STREQ(test, arg.device, dev_name(announced));
	KUNIT_EXPECT_EQ(test, dmabuf->size, SIZE);
	KUNIT_EXPECT_EQ(test, late_of(dmabuf)->size, SIZE);
	KUNIT_EXPECT_NULL(test, late_of(dmabuf)->storage);
	/* For this size eight segments allow only one run. */
	KUNIT_ASSERT_EQ(test, commit(test, dmabuf, 5 * SIZE, &arg), 0);
	KUNIT_EXPECT_EQ(test, arg.size, 8 * SIZE);
	KUNIT_EXPECT_EQ(test, storage_flags(test, dmabuf) & DMA_BUF_STORAGE_CONTIGUOUS,
			DMA_BUF_STORAGE_CONTIGUOUS);
	/* One that comes now has to take the size that there is. */
	c.size_align = 16 * SIZE;
	KUNIT_EXPECT_EQ(test, add(test, dmabuf, &c), -EBUSY);
}

/* --- whose it is --- */

/* Only the dma-buf ends: the storage belongs to the test. */
static void loan_release(struct dma_buf *dmabuf)
{
}

static const struct dma_buf_ops loan_ops = {
	DMA_BUF_LATE_OPS,
	.release = loan_release,
};

static struct dma_buf *loan_of(struct kunit *test, struct dma_buf_late *late)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;

	info.ops = &loan_ops;
	info.size = SIZE;
	info.flags = O_RDWR;
	info.priv = late;
	info.resv = late->resv;
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	return dmabuf;
}

/* Storage is one buffer's, until the file of that one goes. */
static void one_buffer_at_a_time(struct kunit *test)
{
	struct dma_buf_late late = { };
	struct dma_buf *one, *two;
	struct dma_resv resv;
	struct path path;

	dma_resv_init(&resv);
	KUNIT_ASSERT_EQ(test, dma_buf_late_init(&late, SIZE, &resv, NULL), 0);
	one = loan_of(test, &late);
	/* Whoever exports may hold a lock of the whole device, and does not wait. */
	dma_resv_lock(&resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_buf_late_bind(&late, one), 0);
	dma_resv_unlock(&resv);
	two = loan_of(test, &late);
	KUNIT_EXPECT_EQ(test, dma_buf_late_bind(&late, two), -EBUSY);
	KUNIT_EXPECT_FALSE(test, dma_buf_is_late(two));
	dma_buf_put(two);
	flush_delayed_fput();
	KUNIT_EXPECT_PTR_EQ(test, late.dmabuf, one);

	/* As a process that has it open with O_PATH. */
	path = one->file->f_path;
	path_get(&path);
	fill(test, one, 1);
	dma_buf_put(one);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(!READ_ONCE(late.dmabuf)));
	two = loan_of(test, &late);
	KUNIT_EXPECT_EQ(test, dma_buf_late_bind(&late, two), 0);
	path_put(&path);
	KUNIT_EXPECT_PTR_EQ(test, late.dmabuf, two);
	KUNIT_EXPECT_EQ(test, filled(test, two, 1), SIZE);
	dma_buf_put(two);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(!READ_ONCE(late.dmabuf)));
	dma_buf_late_fini(&late);
	dma_resv_fini(&resv);
}

/* A buffer without references has the storage until its file ends; the next one need not wait. */
static void taken_over(struct kunit *test)
{
	struct dma_buf_late late = { };
	struct dma_buf *one, *two;
	struct dma_resv resv;

	dma_resv_init(&resv);
	KUNIT_ASSERT_EQ(test, dma_buf_late_init(&late, SIZE, &resv, NULL), 0);
	one = loan_of(test, &late);
	KUNIT_EXPECT_EQ(test, dma_buf_late_bind(&late, one), 0);
	two = loan_of(test, &late);
	/* The end of the file needs this lock. */
	dma_resv_lock(&resv, NULL);
	dma_buf_put(one);
	KUNIT_EXPECT_EQ(test, dma_buf_late_bind(&late, two), 0);
	dma_resv_unlock(&resv);
	flush_delayed_fput();
	KUNIT_EXPECT_PTR_EQ(test, late.dmabuf, two);
	dma_buf_put(two);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(!READ_ONCE(late.dmabuf)));
	dma_buf_late_fini(&late);
	dma_resv_fini(&resv);
}

static void bad_sizes(struct kunit *test)
{
	struct mock_importer *low = importer_below(test, false, DMA_BIT_MASK(20));
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
	KUNIT_CASE(busy_for_followers),
	KUNIT_CASE(moves_for_followers),
	KUNIT_CASE(move_waits),
	KUNIT_CASE(moves_below_a_mapping),
	KUNIT_CASE(bounce_is_refused),
	KUNIT_CASE(mask_is_refused),
	KUNIT_CASE(out_of_reach_is_refused),
	KUNIT_CASE(coherence_is_given_or_refused),
	KUNIT_CASE(driver_adds_a_constraint),
	KUNIT_CASE(driver_limits_the_segments),
	KUNIT_CASE(driver_leaves),
	KUNIT_CASE(bus_has_its_own_addresses),
	KUNIT_CASE(bus_breaks_the_alignment),
	KUNIT_CASE(exporter_is_in_the_way),
	KUNIT_CASE(let_go_of_nothing),
	KUNIT_CASE(ends_while_pinned),
	KUNIT_CASE(faults_without_a_page),
	KUNIT_CASE(begin_interrupted),
	KUNIT_CASE(mapped_where_the_object_is),
	KUNIT_CASE(commit_places),
	KUNIT_CASE(commit_moves_first),
	KUNIT_CASE(commit_before_fault),
	KUNIT_CASE(commit_sizes),
	KUNIT_CASE(commit_killed),
	KUNIT_CASE(commit_of_an_object),
	KUNIT_CASE(commit_of_a_device),
	KUNIT_CASE(commit_sizes_for_devices),
	KUNIT_CASE(one_buffer_at_a_time),
	KUNIT_CASE(taken_over),
	KUNIT_CASE(bad_sizes),
	{}
};

static struct kunit_suite dma_buf_late_suite = {
	.name = "dma_buf_late",
	.test_cases = dma_buf_late_cases,
};

kunit_test_suite(dma_buf_late_suite);
