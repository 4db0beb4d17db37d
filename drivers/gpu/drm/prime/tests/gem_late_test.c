// SPDX-License-Identifier: GPL-2.0
/*
 * GEM objects whose pages come late: sizes that are refused, and what the
 * driver, a program's mapping and other devices find in them.
 */
#include <linux/mman.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include <drm/drm_gem_late.h>
#include <drm/drm_vma_manager.h>

#include "mock_drm.h"
#include "mock_exporter.h"

#define SIZE (16 * PAGE_SIZE)

static void object_end(void *obj)
{
	drm_gem_object_put(obj);
}

static struct drm_gem_late_object *object_of(struct kunit *test, struct mock_drm *mock)
{
	struct drm_gem_late_object *lobj = drm_gem_late_create(mock->drm, SIZE);

	KUNIT_ASSERT_FALSE(test, IS_ERR(lobj));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, object_end, &lobj->base), 0);
	return lobj;
}

/* As the driver's own vmap, for one byte. */
static u8 byte_of(struct kunit *test, struct drm_gem_late_object *lobj, size_t at)
{
	struct drm_gem_object *obj = &lobj->base;
	struct iosys_map map;
	u8 byte;

	dma_resv_lock(obj->resv, NULL);
	KUNIT_ASSERT_EQ(test, obj->funcs->vmap(obj, &map), 0);
	byte = *(u8 *)(map.vaddr + at);
	obj->funcs->vunmap(obj, &map);
	dma_resv_unlock(obj->resv);
	return byte;
}

static void sizes(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);
	u64 mask = *mock->dev->dma_mask;
	struct drm_gem_late_object *lobj;

	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(drm_gem_late_create(mock->drm, 0)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(drm_gem_late_create(mock->drm, SIZE_MAX)), -EINVAL);
	/* All offsets for mmap together are 1 TiB. */
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(drm_gem_late_create(mock->drm, 2ULL << 40)),
			-ENOSPC);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(drm_gem_late_create(mock->drm, 1ULL << 39)),
			-ENOMEM);
	*mock->dev->dma_mask = DMA_BIT_MASK(20);
	lobj = drm_gem_late_create(mock->drm, SZ_2M);
	*mock->dev->dma_mask = mask;
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(lobj), -EBUSY);

	lobj = drm_gem_late_create(mock->drm, PAGE_SIZE + 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR(lobj));
	KUNIT_EXPECT_EQ(test, lobj->base.size, 2 * PAGE_SIZE);
	KUNIT_EXPECT_NULL(test, lobj->late.storage);
	drm_gem_object_put(&lobj->base);
}

/* A device that does DMA has a say in where the pages are; another has none. */
static void own_device(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);
	u64 *mask = mock->dev->dma_mask;

	KUNIT_ASSERT_EQ(test, dma_set_mask(mock->dev, DMA_BIT_MASK(32)), 0);
	KUNIT_EXPECT_LE(test, object_of(test, mock)->late.own.dma_mask, DMA_BIT_MASK(32));
	mock->dev->dma_mask = NULL;
	KUNIT_EXPECT_EQ(test, object_of(test, mock)->late.own.dma_mask, U64_MAX);
	mock->dev->dma_mask = mask;
}

static void dumb(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);
	struct drm_file *file = mock_drm_priv(mock_drm_open(mock));
	struct drm_mode_create_dumb args = { .width = 100, .height = 50, .bpp = 32 };
	struct drm_gem_object *obj;

	KUNIT_ASSERT_EQ(test, drm_gem_late_dumb_create(file, mock->drm, &args), 0);
	KUNIT_EXPECT_EQ(test, args.pitch, 400);
	KUNIT_EXPECT_EQ(test, args.size, PAGE_ALIGN(400 * 50));
	obj = drm_gem_object_lookup(file, args.handle);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_EQ(test, obj->size, args.size);
	/* The handle has the only other reference. */
	KUNIT_EXPECT_EQ(test, mock_gem_refs(obj), 2);
	drm_gem_object_put(obj);

	args = (struct drm_mode_create_dumb) { .width = 1, .height = 1, .bpp = 8, .flags = 1 };
	KUNIT_EXPECT_EQ(test, drm_gem_late_dumb_create(file, mock->drm, &args), -EINVAL);
	args = (struct drm_mode_create_dumb) { .width = U32_MAX, .height = 1, .bpp = 32 };
	KUNIT_EXPECT_EQ(test, drm_gem_late_dumb_create(file, mock->drm, &args), -EINVAL);
	args = (struct drm_mode_create_dumb) { .width = 0, .height = 1, .bpp = 32 };
	KUNIT_EXPECT_EQ(test, drm_gem_late_dumb_create(file, mock->drm, &args), -EINVAL);
	KUNIT_EXPECT_EQ(test, args.handle, 0);
}

/* Pitch and size are as the driver said of its device. */
static void dumb_as_the_device_wants(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);
	struct drm_file *file = mock_drm_priv(mock_drm_open(mock));
	struct drm_mode_create_dumb args = { .width = 17, .height = 3, .bpp = 32 };
	struct dma_buf_constraints c;
	struct drm_gem_object *obj;

	dma_buf_constraints_init(&c);
	c.pitch_align = 64;
	c.size_align = SZ_128K;
	KUNIT_ASSERT_EQ(test, devm_dma_buf_constraints_set(mock->dev, &c), 0);
	KUNIT_ASSERT_EQ(test, drm_gem_late_dumb_create(file, mock->drm, &args), 0);
	KUNIT_EXPECT_EQ(test, args.pitch, 128);
	KUNIT_EXPECT_EQ(test, args.size, SZ_128K);
	obj = drm_gem_object_lookup(file, args.handle);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_EQ(test, obj->size, SZ_128K);
	drm_gem_object_put(obj);
	/* The last segment ends with the object, so length_align holds for the size, too. */
	c.length_align = SZ_256K;
	KUNIT_ASSERT_EQ(test, devm_dma_buf_constraints_set(mock->dev, &c), 0);
	KUNIT_ASSERT_EQ(test, drm_gem_late_dumb_create(file, mock->drm, &args), 0);
	KUNIT_EXPECT_EQ(test, args.size, SZ_256K);
}

/* The driver maps an object that has no dma-buf; all users share the mapping. */
static void driver_maps(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);
	struct drm_gem_late_object *lobj = object_of(test, mock);
	struct drm_gem_object *obj = &lobj->base;
	struct iosys_map map[2];

	dma_resv_lock(obj->resv, NULL);
	KUNIT_ASSERT_EQ(test, obj->funcs->vmap(obj, &map[0]), 0);
	KUNIT_EXPECT_NOT_NULL(test, lobj->late.storage);
	memset(map[0].vaddr, 5, SIZE);
	KUNIT_EXPECT_EQ(test, obj->funcs->vmap(obj, &map[1]), 0);
	KUNIT_EXPECT_PTR_EQ(test, map[1].vaddr, map[0].vaddr);
	obj->funcs->vunmap(obj, &map[1]);
	KUNIT_EXPECT_PTR_EQ(test, lobj->late.vaddr, map[0].vaddr);
	KUNIT_EXPECT_EQ(test, lobj->late.pins, 1);
	obj->funcs->vunmap(obj, &map[0]);
	KUNIT_EXPECT_NULL(test, lobj->late.vaddr);
	KUNIT_EXPECT_EQ(test, lobj->late.pins, 0);
	dma_resv_unlock(obj->resv);
	KUNIT_EXPECT_EQ(test, byte_of(test, lobj, SIZE - 1), 5);
}

/* A program maps the object through the device's file. */
static void program_maps(struct kunit *test)
{
	void __user *any = prime_test_user_page(test, PROT_READ | PROT_WRITE);
	struct mock_drm *mock = mock_drm_create(test);
	struct file *file = mock_drm_open(mock);
	struct drm_gem_late_object *lobj = object_of(test, mock);
	const u64 offset = drm_vma_node_offset_addr(&lobj->base.vma_node);
	unsigned long at;
	u8 byte = 7;

	KUNIT_ASSERT_TRUE(test, any);
	mock_drm_handle(mock, file, &lobj->base);
	KUNIT_EXPECT_EQ(test, (long)vm_mmap(file, 0, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
					    offset), -EINVAL);
	at = vm_mmap(file, 0, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, offset);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(at));
	KUNIT_EXPECT_NULL(test, lobj->late.storage);
	KUNIT_EXPECT_EQ(test, copy_to_user((void __user *)at + PAGE_SIZE, &byte, 1), 0);
	KUNIT_EXPECT_EQ(test, byte_of(test, lobj, PAGE_SIZE), 7);
	KUNIT_EXPECT_EQ(test, byte_of(test, lobj, 0), 0);
	KUNIT_EXPECT_EQ(test, vm_munmap(at, SIZE), 0);
}

static struct dma_buf *export_of(struct kunit *test, struct drm_gem_late_object *lobj)
{
	struct dma_buf *dmabuf = lobj->base.funcs->export(&lobj->base, DRM_CLOEXEC | DRM_RDWR);

	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	return dmabuf;
}

/* The pages are bound to one dma-buf, and a second export leaves nothing behind. */
static void one_export(struct kunit *test)
{
	struct mock_drm *mock = mock_drm_create(test);
	struct drm_gem_late_object *lobj = object_of(test, mock);
	struct drm_gem_object *obj = &lobj->base;
	struct dma_buf *dmabuf = export_of(test, lobj);
	int i;

	KUNIT_EXPECT_TRUE(test, dma_buf_is_late(dmabuf));
	KUNIT_EXPECT_EQ(test, dmabuf->size, SIZE);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(obj->funcs->export(obj, DRM_CLOEXEC)), -EBUSY);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_gem_refs(obj) == 2));
	KUNIT_EXPECT_PTR_EQ(test, lobj->late.dmabuf, dmabuf);
	for (i = 0; i < 2; i++) {
		dma_buf_put(dmabuf);
		KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_gem_refs(obj) == 1));
		KUNIT_EXPECT_NULL(test, lobj->late.dmabuf);
		if (!i)
			dmabuf = export_of(test, lobj);
	}
}

/* On its own device a buffer is its object; any other is attached. */
static void imports(struct kunit *test)
{
	struct dma_buf *foreign = mock_exporter_export(mock_exporter_create(test, false));
	struct mock_drm *mock = mock_drm_create(test), *other = mock_drm_create(test);
	struct drm_gem_late_object *lobj = object_of(test, mock);
	struct dma_buf *dmabuf = export_of(test, lobj);
	struct drm_gem_object *obj;

	obj = drm_gem_late_prime_import(mock->drm, dmabuf);
	KUNIT_EXPECT_PTR_EQ(test, obj, &lobj->base);
	KUNIT_EXPECT_EQ(test, mock_gem_refs(obj), 3);
	drm_gem_object_put(obj);

	obj = drm_gem_late_prime_import(other->drm, dmabuf);
	KUNIT_EXPECT_FALSE(test, IS_ERR(obj));
	if (!IS_ERR(obj)) {
		KUNIT_EXPECT_PTR_EQ(test, obj->import_attach->dmabuf, dmabuf);
		drm_gem_object_put(obj);
	}
	obj = drm_gem_late_prime_import(mock->drm, foreign);
	KUNIT_EXPECT_FALSE(test, IS_ERR(obj));
	if (!IS_ERR(obj)) {
		KUNIT_EXPECT_PTR_EQ(test, obj->import_attach->dmabuf, foreign);
		drm_gem_object_put(obj);
	}
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_gem_refs(&lobj->base) == 1));
}

static struct kunit_case gem_late_cases[] = {
	KUNIT_CASE(sizes),
	KUNIT_CASE(own_device),
	KUNIT_CASE(dumb),
	KUNIT_CASE(dumb_as_the_device_wants),
	KUNIT_CASE(driver_maps),
	KUNIT_CASE(program_maps),
	KUNIT_CASE(one_export),
	KUNIT_CASE(imports),
	{}
};

static struct kunit_suite gem_late_suite = {
	.name = "gem_late",
	.test_cases = gem_late_cases,
};

kunit_test_suite(gem_late_suite);
