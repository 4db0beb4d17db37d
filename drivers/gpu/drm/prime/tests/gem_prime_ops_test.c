// SPDX-License-Identifier: GPL-2.0
/*
 * The dma_buf_ops of GEM objects, called as the core calls them.
 */
#include <linux/device/driver.h>
#include <linux/iosys-map.h>
#include <linux/pagemap.h>

#include "mock_drm.h"
#include "mock_importer.h"

struct ops_fixture {
	struct mock_drm *mock;
	struct file *file;
	struct drm_gem_object *obj;
	struct dma_buf *dmabuf;
	struct mock_importer *imp;
};

static void put_dma_buf(void *dmabuf)
{
	dma_buf_put(dmabuf);
}

static int ops_init(struct kunit *test)
{
	struct ops_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);
	u32 handle;

	KUNIT_ASSERT_NOT_NULL(test, fix);
	fix->mock = mock_drm_create(test);
	fix->imp = mock_importer_create(test, false);
	fix->file = mock_drm_open(fix->mock);
	handle = mock_drm_object_handle(fix->mock, fix->file, &fix->obj);
	fix->dmabuf = drm_gem_prime_handle_to_dmabuf(fix->mock->drm, mock_drm_priv(fix->file),
						     handle, DRM_CLOEXEC | DRM_RDWR);
	KUNIT_ASSERT_FALSE(test, IS_ERR(fix->dmabuf));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_dma_buf, fix->dmabuf), 0);
	test->priv = fix;
	return 0;
}

/* Gives the object a file of shmem, which it drops. Some drivers leave it empty. */
static struct address_space *give_file(struct kunit *test)
{
	struct drm_gem_object *other = kunit_kzalloc(test, sizeof(*other), GFP_KERNEL);
	struct ops_fixture *fix = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, other);
	KUNIT_ASSERT_EQ(test, drm_gem_object_init(fix->mock->drm, other, MOCK_GEM_SIZE), 0);
	swap(fix->obj->filp, other->filp);
	drm_gem_object_release(other);
	return fix->obj->filp->f_mapping;
}

/* As drm_gem_shmem_helper.c does it. */
static void make_shmem(struct kunit *test)
{
	mapping_set_gfp_mask(give_file(test), GFP_HIGHUSER);
}

/* Pinned once for an attachment, however often it maps, until it is detached. */
static void pinned_until_detach(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
	int i;

	make_shmem(test);
	attach = mock_importer_attach(fix->imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	for (i = 0; i < 2; i++) {
		sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
		KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
		dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	}
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_PIN, 1);
	KUNIT_EXPECT_TRUE(test, fix->mock->op[MOCK_GEM_PIN].resv_locked);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_UNPIN, 0);
	dma_buf_detach(fix->dmabuf, attach);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_UNPIN, 1);
	KUNIT_EXPECT_TRUE(test, fix->mock->op[MOCK_GEM_UNPIN].resv_locked);
}

/* The pages stay from one vmap to the next, as long as there is an attachment. */
static void pinned_for_vmap(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct dma_buf_attachment *attach[2];
	struct iosys_map map;
	int i;

	make_shmem(test);
	for (i = 0; i < 2; i++) {
		attach[i] = mock_importer_attach(fix->imp, fix->dmabuf);
		KUNIT_ASSERT_FALSE(test, IS_ERR(attach[i]));
	}
	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(fix->dmabuf, &map), 0);
		dma_buf_vunmap_unlocked(fix->dmabuf, &map);
		KUNIT_EXPECT_GT(test, mock_drm_calls(fix->mock, MOCK_GEM_PIN),
				mock_drm_calls(fix->mock, MOCK_GEM_UNPIN));
		dma_buf_detach(fix->dmabuf, attach[i]);
	}
	KUNIT_EXPECT_EQ(test, mock_drm_calls(fix->mock, MOCK_GEM_PIN),
			mock_drm_calls(fix->mock, MOCK_GEM_UNPIN));
}

/*
 * A device writes and detaches. Its pin passes to those that are still attached: pages
 * that nobody marked dirty would be dropped when memory is short.
 */
static void pinned_for_others(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct dma_buf_attachment *attach[3];
	struct sg_table *sgt;
	int i;

	make_shmem(test);
	for (i = 0; i < 3; i++) {
		attach[i] = mock_importer_attach(fix->imp, fix->dmabuf);
		KUNIT_ASSERT_FALSE(test, IS_ERR(attach[i]));
	}
	sgt = dma_buf_map_attachment_unlocked(attach[1], DMA_FROM_DEVICE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	dma_buf_unmap_attachment_unlocked(attach[1], sgt, DMA_FROM_DEVICE);
	for (i = 1; i < 4; i++) {
		KUNIT_EXPECT_GT(test, mock_drm_calls(fix->mock, MOCK_GEM_PIN),
				mock_drm_calls(fix->mock, MOCK_GEM_UNPIN));
		dma_buf_detach(fix->dmabuf, attach[i % 3]);
	}
	KUNIT_EXPECT_EQ(test, mock_drm_calls(fix->mock, MOCK_GEM_PIN),
			mock_drm_calls(fix->mock, MOCK_GEM_UNPIN));
}

/* However often it is mapped, one of its attachments has the only pin. */
static void pinned_once_for_vmap(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct dma_buf_attachment *attach[2];
	struct iosys_map map;
	int i;

	make_shmem(test);
	for (i = 0; i < 2; i++) {
		attach[i] = mock_importer_attach(fix->imp, fix->dmabuf);
		KUNIT_ASSERT_FALSE(test, IS_ERR(attach[i]));
	}
	for (i = 0; i < 3; i++) {
		KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(fix->dmabuf, &map), 0);
		dma_buf_vunmap_unlocked(fix->dmabuf, &map);
	}
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_PIN, 1);
	for (i = 0; i < 2; i++)
		dma_buf_detach(fix->dmabuf, attach[i]);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_UNPIN, 1);
}

/* qaic maps without the reservation object, so it is pinned before that. */
static void pinned_for_unlocked_map(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct device_driver qaic = { .name = "qaic" }, *bound = fix->imp->dev->driver;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	make_shmem(test);
	fix->imp->dev->driver = &qaic;
	attach = mock_importer_attach(fix->imp, fix->dmabuf);
	fix->imp->dev->driver = bound;
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_PIN, 1);
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_PIN, 1);
	dma_buf_detach(fix->dmabuf, attach);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_UNPIN, 1);
}

/*
 * Storage that may move, as of nouveau, qxl and loongson, whose objects have a file that
 * stays empty. The second importer shares the vmap of the first one, and still uses it
 * when the first one is gone.
 */
static void pinned_for_second_vmap(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct dma_buf_attachment *attach[2];
	struct iosys_map map;
	int i;

	give_file(test);
	for (i = 0; i < 2; i++) {
		attach[i] = mock_importer_attach(fix->imp, fix->dmabuf);
		KUNIT_ASSERT_FALSE(test, IS_ERR(attach[i]));
		KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(fix->dmabuf, &map), 0);
	}
	dma_buf_vunmap_unlocked(fix->dmabuf, &map);
	dma_buf_detach(fix->dmabuf, attach[0]);
	KUNIT_EXPECT_GT(test, mock_drm_calls(fix->mock, MOCK_GEM_PIN),
			mock_drm_calls(fix->mock, MOCK_GEM_UNPIN));
	dma_buf_vunmap_unlocked(fix->dmabuf, &map);
	dma_buf_detach(fix->dmabuf, attach[1]);
	KUNIT_EXPECT_EQ(test, mock_drm_calls(fix->mock, MOCK_GEM_PIN),
			mock_drm_calls(fix->mock, MOCK_GEM_UNPIN));
}

/* Storage that may move is pinned from attach to detach. */
static void pinned_while_attached(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct dma_buf_attachment *attach;

	mock_drm_fail(fix->mock, MOCK_GEM_PIN, 1, -ENOSPC);
	KUNIT_EXPECT_EQ(test, PTR_ERR(mock_importer_attach(fix->imp, fix->dmabuf)), -ENOSPC);
	attach = mock_importer_attach(fix->imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_PIN, 2);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_UNPIN, 0);
	dma_buf_detach(fix->dmabuf, attach);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_UNPIN, 1);
}

static void untouched_is_not_pinned(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct dma_buf_attachment *attach;

	make_shmem(test);
	attach = mock_importer_attach(fix->imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_PIN, 0);
	dma_buf_detach(fix->dmabuf, attach);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_UNPIN, 0);
}

static void pin_fails(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct dma_buf_attachment *attach;
	struct iosys_map map;

	make_shmem(test);
	mock_drm_fail(fix->mock, MOCK_GEM_PIN, 1, -ENOSPC);
	attach = mock_importer_attach(fix->imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE)),
			-ENOSPC);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_GET_SG_TABLE, 0);
	mock_drm_fail(fix->mock, MOCK_GEM_PIN, 2, -ENOSPC);
	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(fix->dmabuf, &map), -ENOSPC);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_VMAP, 0);
	dma_buf_detach(fix->dmabuf, attach);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_UNPIN, 0);
}

/* Another buffer of the object, with operations that outlive it. */
static struct dma_buf *export_with(struct kunit *test, const struct dma_buf_ops *ops)
{
	struct ops_fixture *fix = test->priv;
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;

	info.ops = ops;
	info.size = MOCK_GEM_SIZE;
	info.priv = fix->obj;
	info.resv = fix->obj->resv;
	dmabuf = drm_gem_dmabuf_export(fix->mock->drm, &info);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	return dmabuf;
}

/* For a driver with operations of its own, the object is pinned at attach, as always. */
static void own_operations(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct dma_buf_ops ops = *fix->dmabuf->ops;
	struct dma_buf_attachment *attach, *other;
	struct sg_table *sgt;
	struct dma_buf *own;

	own = export_with(test, &ops);

	mock_drm_fail(fix->mock, MOCK_GEM_PIN, 1, -ENOSPC);
	KUNIT_EXPECT_EQ(test, PTR_ERR(mock_importer_attach(fix->imp, own)), -ENOSPC);
	KUNIT_EXPECT_TRUE(test, list_empty(&own->attachments));
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_UNPIN, 0);

	attach = mock_importer_attach(fix->imp, own);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_PIN, 2);
	if (!IS_ERR(attach)) {
		sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
		KUNIT_EXPECT_FALSE(test, IS_ERR(sgt));
		if (!IS_ERR(sgt))
			dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
		MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_PIN, 2);
		/* Another attachment has a pin of its own, and its driver's priv. */
		other = mock_importer_attach(fix->imp, own);
		dma_buf_detach(own, attach);
		MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_UNPIN, 1);
		if (!IS_ERR(other)) {
			KUNIT_EXPECT_NULL(test, other->priv);
			dma_buf_detach(own, other);
		}
		MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_PIN, 3);
		MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_UNPIN, 2);
	}
	dma_buf_put(own);
	flush_delayed_fput();
}

static void attach_without_pin(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct dma_buf_attachment *attach;

	fix->mock->funcs.pin = NULL;
	fix->mock->funcs.unpin = NULL;
	attach = mock_importer_attach(fix->imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	dma_buf_detach(fix->dmabuf, attach);
}

static void map_without_pin(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	fix->mock->funcs.pin = NULL;
	fix->mock->funcs.unpin = NULL;
	attach = mock_importer_attach(fix->imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_EXPECT_FALSE(test, IS_ERR(sgt));
	if (!IS_ERR(sgt))
		dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	dma_buf_detach(fix->dmabuf, attach);
}

static struct sg_table *map_nothing(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	return ERR_PTR(-EIO);
}

/* A driver that maps by itself needs no table from the object. */
static void own_map_without_sg_table(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct dma_buf_ops ops = *fix->dmabuf->ops;
	struct dma_buf_attachment *attach;
	struct dma_buf *own;

	fix->mock->funcs.get_sg_table = NULL;
	ops.map_dma_buf = map_nothing;
	own = export_with(test, &ops);
	attach = mock_importer_attach(fix->imp, own);
	KUNIT_EXPECT_FALSE(test, IS_ERR(attach));
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_PIN, 1);
	if (!IS_ERR(attach))
		dma_buf_detach(own, attach);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_UNPIN, 1);
	dma_buf_put(own);
	flush_delayed_fput();
}

static void attach_without_sg_table(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;

	fix->mock->funcs.get_sg_table = NULL;
	KUNIT_EXPECT_EQ(test, PTR_ERR(mock_importer_attach(fix->imp, fix->dmabuf)), -ENOSYS);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_PIN, 0);
}

static void map_and_unmap(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct dma_buf_attachment *attach = mock_importer_attach(fix->imp, fix->dmabuf);
	const bool kept = dma_buf_ops_keep_table(fix->dmabuf->ops);
	struct sg_table *sgt, *again;

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	KUNIT_EXPECT_EQ(test, drm_prime_get_contiguous_size(sgt), MOCK_GEM_SIZE);
	KUNIT_EXPECT_EQ(test, sg_dma_address(sgt->sgl),
			(dma_addr_t)page_to_phys(to_mock_gem(fix->obj)->pages));
	/* Where the core keeps tables, it keeps what a GEM object maps. */
	again = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(again));
	KUNIT_EXPECT_EQ(test, again == sgt, kept);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_GET_SG_TABLE, kept ? 1 : 2);
	dma_buf_unmap_attachment_unlocked(attach, again, DMA_BIDIRECTIONAL);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	dma_buf_detach(fix->dmabuf, attach);
}

static void map_fails(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct dma_buf_attachment *attach = mock_importer_attach(fix->imp, fix->dmabuf);

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	mock_drm_fail(fix->mock, MOCK_GEM_GET_SG_TABLE, 1, -EIO);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE)),
			-EIO);
	dma_buf_detach(fix->dmabuf, attach);
}

/* A device that reaches too little memory for a mapping. */
static void map_unreachable(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	u64 mask = *fix->imp->dev->dma_mask;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	PRIME_TEST_NEEDS_WARN(test);
	attach = mock_importer_attach(fix->imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	*fix->imp->dev->dma_mask = 0;
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	*fix->imp->dev->dma_mask = mask;
	KUNIT_EXPECT_TRUE(test, IS_ERR(sgt));
	dma_buf_detach(fix->dmabuf, attach);
}

static void map_no_direction(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	PRIME_TEST_NEEDS_WARN(test);
	attach = mock_importer_attach(fix->imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	prime_test_twice() {
		dma_resv_lock(fix->dmabuf->resv, NULL);
		sgt = drm_gem_map_dma_buf(attach, DMA_NONE);
		dma_resv_unlock(fix->dmabuf->resv);
		KUNIT_EXPECT_EQ(test, PTR_ERR(sgt), -EINVAL);
	}
	dma_buf_detach(fix->dmabuf, attach);
}

static void map_without_sg_table(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct dma_buf_attachment *attach;

	PRIME_TEST_NEEDS_WARN(test);
	attach = mock_importer_attach(fix->imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	fix->mock->funcs.get_sg_table = NULL;
	dma_resv_lock(fix->dmabuf->resv, NULL);
	prime_test_twice()
		KUNIT_EXPECT_EQ(test, PTR_ERR(drm_gem_map_dma_buf(attach, DMA_TO_DEVICE)), -ENOSYS);
	dma_resv_unlock(fix->dmabuf->resv);
	dma_buf_detach(fix->dmabuf, attach);
}

/* A mapping that was never made has nothing to undo. */
static void unmap_nothing(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct dma_buf_attachment *attach = mock_importer_attach(fix->imp, fix->dmabuf);

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	dma_resv_lock(fix->dmabuf->resv, NULL);
	drm_gem_unmap_dma_buf(attach, NULL, DMA_TO_DEVICE);
	dma_resv_unlock(fix->dmabuf->resv);
	dma_buf_detach(fix->dmabuf, attach);
}

static void vmap(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct iosys_map map;

	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(fix->dmabuf, &map), 0);
	KUNIT_EXPECT_PTR_EQ(test, map.vaddr, page_address(to_mock_gem(fix->obj)->pages));
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_VMAP, 1);
	KUNIT_EXPECT_TRUE(test, fix->mock->op[MOCK_GEM_VMAP].resv_locked);
	dma_buf_vunmap_unlocked(fix->dmabuf, &map);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_VUNMAP, 1);
}

static void vmap_fails(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct iosys_map map;

	PRIME_TEST_NEEDS_WARN(test);
	mock_drm_fail(fix->mock, MOCK_GEM_VMAP, 1, -EIO);
	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(fix->dmabuf, &map), -EIO);
	fix->mock->funcs.vmap = NULL;
	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(fix->dmabuf, &map), -EOPNOTSUPP);
}

/* The object's own mmap gets the area, which then holds the object. */
static void mmap_object(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct vm_area_struct *vma = prime_test_vma(test, fix->file, 1, 0);
	unsigned int refs = mock_gem_refs(fix->obj);

	KUNIT_ASSERT_EQ(test, drm_gem_create_mmap_offset(fix->obj), 0);
	KUNIT_ASSERT_EQ(test, drm_gem_prime_mmap(fix->obj, vma), 0);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_MMAP, 1);
	KUNIT_EXPECT_PTR_EQ(test, vma->vm_private_data, (void *)fix->obj);
	KUNIT_EXPECT_PTR_EQ(test, vma->vm_ops, fix->mock->funcs.vm_ops);
	KUNIT_EXPECT_EQ(test, vma->vm_pgoff, drm_vma_node_start(&fix->obj->vma_node));
	KUNIT_EXPECT_EQ(test, mock_gem_refs(fix->obj), refs + 1);
	drm_gem_vm_close(vma);
	KUNIT_EXPECT_EQ(test, mock_gem_refs(fix->obj), refs);
}

static void mmap_object_fails(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct vm_area_struct *vma = prime_test_vma(test, fix->file, 1, 0);
	unsigned int refs = mock_gem_refs(fix->obj);

	mock_drm_fail(fix->mock, MOCK_GEM_MMAP, 1, -ENXIO);
	KUNIT_EXPECT_EQ(test, drm_gem_prime_mmap(fix->obj, vma), -ENXIO);
	KUNIT_EXPECT_EQ(test, mock_gem_refs(fix->obj), refs);
}

static unsigned int mmap_refs;

static int mmap_looks(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	mmap_refs = mock_gem_refs(obj);
	return vma->vm_ops == obj->funcs->vm_ops ? 0 : -ENOTTY;
}

/* The driver may drop a reference of its own: the mapping has one already. */
static void mmap_holds_object(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct vm_area_struct *vma = prime_test_vma(test, fix->file, 1, 0);
	unsigned int refs = mock_gem_refs(fix->obj);

	fix->mock->funcs.mmap = mmap_looks;
	KUNIT_ASSERT_EQ(test, drm_gem_prime_mmap(fix->obj, vma), 0);
	KUNIT_EXPECT_EQ(test, mmap_refs, refs + 1);
	KUNIT_EXPECT_PTR_EQ(test, vma->vm_private_data, (void *)fix->obj);
	drm_gem_vm_close(vma);
	KUNIT_EXPECT_EQ(test, mock_gem_refs(fix->obj), refs);
}

static struct drm_gem_object *driver_mmap_object;
static struct drm_file *driver_mmap_client;
static bool driver_mmap_allowed;

static int driver_mmap(struct file *file, struct vm_area_struct *vma)
{
	driver_mmap_client = file->private_data;
	driver_mmap_allowed = drm_vma_node_is_allowed(&driver_mmap_object->vma_node,
						      driver_mmap_client);
	return vma->vm_pgoff == drm_vma_node_start(&driver_mmap_object->vma_node) ? 0 : -ERANGE;
}

static const struct file_operations driver_mmap_fops = {
	.owner = THIS_MODULE,
	.mmap = driver_mmap,
};

/* If the object has no mmap, the driver's file operation maps it, and is allowed to meanwhile. */
static void mmap_driver(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct vm_area_struct *vma = prime_test_vma(test, fix->file, 1, 0);

	fix->mock->funcs.mmap = NULL;
	fix->mock->driver.fops = &driver_mmap_fops;
	KUNIT_ASSERT_EQ(test, drm_gem_create_mmap_offset(fix->obj), 0);
	driver_mmap_object = fix->obj;
	driver_mmap_allowed = false;
	KUNIT_EXPECT_EQ(test, drm_gem_prime_mmap(fix->obj, vma), 0);
	KUNIT_EXPECT_TRUE(test, driver_mmap_allowed);
	KUNIT_EXPECT_FALSE(test, drm_vma_node_is_allowed(&fix->obj->vma_node, driver_mmap_client));
}

#if IS_ENABLED(CONFIG_DRM_PRIME_LAYER)
/* A driver that maps in no way says so; stock would jump to address 0. */
static void mmap_not_offered(struct kunit *test)
{
	static const struct file_operations fops = { .owner = THIS_MODULE };
	struct ops_fixture *fix = test->priv;
	struct vm_area_struct *vma = prime_test_vma(test, fix->file, 1, 0);

	fix->mock->funcs.mmap = NULL;
	fix->mock->driver.fops = &fops;
	KUNIT_EXPECT_EQ(test, drm_gem_prime_mmap(fix->obj, vma), -ENODEV);
}
#endif

static void mmap_dmabuf(struct kunit *test)
{
	struct ops_fixture *fix = test->priv;
	struct vm_area_struct *vma = prime_test_vma(test, fix->file, 1, 0);

	KUNIT_ASSERT_EQ(test, drm_gem_create_mmap_offset(fix->obj), 0);
	KUNIT_ASSERT_EQ(test, dma_buf_mmap(fix->dmabuf, vma, 0), 0);
	MOCK_DRM_EXPECT_CALLS(test, fix->mock, MOCK_GEM_MMAP, 1);
	drm_gem_vm_close(vma);
}

static struct kunit_case gem_prime_ops_cases[] = {
	KUNIT_CASE(pinned_until_detach),
	KUNIT_CASE(pinned_for_vmap),
	KUNIT_CASE(pinned_for_others),
	KUNIT_CASE(pinned_once_for_vmap),
	KUNIT_CASE(pinned_for_unlocked_map),
	KUNIT_CASE(pinned_for_second_vmap),
	KUNIT_CASE(pinned_while_attached),
	KUNIT_CASE(untouched_is_not_pinned),
	KUNIT_CASE(pin_fails),
	KUNIT_CASE(own_operations),
	KUNIT_CASE(attach_without_pin),
	KUNIT_CASE(map_without_pin),
	KUNIT_CASE(own_map_without_sg_table),
	KUNIT_CASE(attach_without_sg_table),
	KUNIT_CASE(map_and_unmap),
	KUNIT_CASE(map_fails),
	KUNIT_CASE(map_unreachable),
	KUNIT_CASE(map_no_direction),
	KUNIT_CASE(map_without_sg_table),
	KUNIT_CASE(unmap_nothing),
	KUNIT_CASE(vmap),
	KUNIT_CASE(vmap_fails),
	KUNIT_CASE(mmap_object),
	KUNIT_CASE(mmap_object_fails),
	KUNIT_CASE(mmap_holds_object),
	KUNIT_CASE(mmap_driver),
#if IS_ENABLED(CONFIG_DRM_PRIME_LAYER)
	KUNIT_CASE(mmap_not_offered),
#endif
	KUNIT_CASE(mmap_dmabuf),
	{}
};

static struct kunit_suite gem_prime_ops_suite = {
	.name = "gem_prime_ops",
	.init = ops_init,
	.test_cases = gem_prime_ops_cases,
};

kunit_test_suite(gem_prime_ops_suite);
