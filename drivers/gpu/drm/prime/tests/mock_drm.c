// SPDX-License-Identifier: GPL-2.0
/*
 * The scripted GEM driver. Every test that uses it ends with a check that its
 * objects were freed and that what was taken was given back.
 */
#include <drm/drm_ioctl.h>
#include <drm/drm_kunit_helpers.h>

#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "mock_drm.h"

static struct mock_drm *to_mock(struct drm_device *drm)
{
	return drm->dev_private;
}

static int run(struct drm_gem_object *obj, enum mock_drm_op op)
{
	return mock_script_run(&to_mock(obj->dev)->op[op], obj->resv);
}

static void mock_gem_free(struct drm_gem_object *obj)
{
	struct mock_gem *gem = to_mock_gem(obj);

	if (obj->import_attach)
		drm_prime_gem_destroy(obj, gem->sgt);
	else
		__free_pages(gem->pages, MOCK_GEM_ORDER);
	drm_gem_object_release(obj);
	mock_script_run(&to_mock(obj->dev)->op[MOCK_GEM_FREE], NULL);
	kfree(gem);
}

static int mock_gem_open(struct drm_gem_object *obj, struct drm_file *file)
{
	return run(obj, MOCK_GEM_OPEN);
}

static void mock_gem_close(struct drm_gem_object *obj, struct drm_file *file)
{
	run(obj, MOCK_GEM_CLOSE);
}

static struct dma_buf *mock_gem_export(struct drm_gem_object *obj, int flags)
{
	int ret = run(obj, MOCK_GEM_EXPORT);

	return ret ? ERR_PTR(ret) : drm_gem_prime_export(obj, flags);
}

static int mock_gem_pin(struct drm_gem_object *obj)
{
	return run(obj, MOCK_GEM_PIN);
}

static void mock_gem_unpin(struct drm_gem_object *obj)
{
	run(obj, MOCK_GEM_UNPIN);
}

static struct sg_table *mock_gem_get_sg_table(struct drm_gem_object *obj)
{
	struct page *pages[1 << MOCK_GEM_ORDER];
	int i, ret = run(obj, MOCK_GEM_GET_SG_TABLE);

	if (ret)
		return ERR_PTR(ret);
	for (i = 0; i < ARRAY_SIZE(pages); i++)
		pages[i] = to_mock_gem(obj)->pages + i;
	return drm_prime_pages_to_sg(obj->dev, pages, ARRAY_SIZE(pages));
}

static int mock_gem_vmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	int ret = run(obj, MOCK_GEM_VMAP);

	if (!ret)
		iosys_map_set_vaddr(map, page_address(to_mock_gem(obj)->pages));
	return ret;
}

static void mock_gem_vunmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	run(obj, MOCK_GEM_VUNMAP);
}

static int mock_gem_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	return run(obj, MOCK_GEM_MMAP);
}

static const struct vm_operations_struct mock_gem_vm_ops = {
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
};

static struct mock_gem *mock_gem_alloc(struct mock_drm *mock, size_t size)
{
	struct mock_gem *gem = kzalloc(sizeof(*gem), GFP_KERNEL);

	if (!gem)
		return NULL;
	gem->base.funcs = &mock->funcs;
	drm_gem_private_object_init(mock->drm, &gem->base, size);
	mock->created++;
	return gem;
}

static struct drm_gem_object *mock_import_sg_table(struct drm_device *drm,
						   struct dma_buf_attachment *attach,
						   struct sg_table *sgt)
{
	struct mock_drm *mock = to_mock(drm);
	int ret = mock_script_run(&mock->op[MOCK_GEM_IMPORT], attach->dmabuf->resv);
	struct mock_gem *gem;

	if (ret)
		return ERR_PTR(ret);
	gem = mock_gem_alloc(mock, attach->dmabuf->size);
	if (!gem)
		return ERR_PTR(-ENOMEM);
	gem->sgt = sgt;
	return &gem->base;
}

static void mock_postclose(struct drm_device *drm, struct drm_file *file)
{
	atomic_inc(&to_mock(drm)->closed);
}

static void mock_drm_check(void *data)
{
	struct mock_drm *mock = data;
	struct mock_script *op = mock->op;

	/* Done, not only called: the operation writes to @mock until it returns. */
	prime_test_wait(mock_done(&op[MOCK_GEM_FREE]) >= mock->created);
	KUNIT_EXPECT_EQ_MSG(mock->test, mock_drm_calls(mock, MOCK_GEM_FREE), mock->created,
			    "objects freed");
	KUNIT_EXPECT_EQ_MSG(mock->test, mock_done(&op[MOCK_GEM_OPEN]),
			    mock_calls(&op[MOCK_GEM_CLOSE]), "open and close");
	KUNIT_EXPECT_EQ_MSG(mock->test, mock_done(&op[MOCK_GEM_PIN]),
			    mock_calls(&op[MOCK_GEM_UNPIN]), "pin and unpin");
	KUNIT_EXPECT_EQ_MSG(mock->test, mock_done(&op[MOCK_GEM_VMAP]),
			    mock_calls(&op[MOCK_GEM_VUNMAP]), "vmap and vunmap");
}

DEFINE_DRM_GEM_FOPS(mock_drm_fops);

struct mock_drm *mock_drm_create(struct kunit *test)
{
	struct mock_drm *mock = kunit_kzalloc(test, sizeof(*mock), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mock);
	mock->test = test;
	mock->funcs = (struct drm_gem_object_funcs) {
		.free = mock_gem_free,
		.open = mock_gem_open,
		.close = mock_gem_close,
		.export = mock_gem_export,
		.pin = mock_gem_pin,
		.unpin = mock_gem_unpin,
		.get_sg_table = mock_gem_get_sg_table,
		.vmap = mock_gem_vmap,
		.vunmap = mock_gem_vunmap,
		.mmap = mock_gem_mmap,
		.vm_ops = &mock_gem_vm_ops,
	};
	mock->driver = (struct drm_driver) {
		.driver_features = DRIVER_GEM,
		.name = "mock-drm",
		.desc = "scripted GEM driver",
		.fops = &mock_drm_fops,
		.postclose = mock_postclose,
		.gem_prime_import_sg_table = mock_import_sg_table,
	};
	mock->dev = prime_test_device(test);
	mock->drm = __drm_kunit_helper_alloc_drm_device_with_driver(test, mock->dev,
								    sizeof(*mock->drm), 0,
								    &mock->driver);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mock->drm));
	mock->drm->dev_private = mock;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, mock_drm_check, mock), 0);
	return mock;
}

static void close_file(void *data)
{
	struct file *file = data;
	struct mock_drm *mock = to_mock(mock_drm_priv(file)->minor->dev);
	int closed = atomic_read(&mock->closed);

	fput(file);
	KUNIT_EXPECT_TRUE(mock->test, prime_test_wait(atomic_read(&mock->closed) > closed));
}

/* A client of the device; it goes at the end of the test or with mock_drm_close(). */
struct file *mock_drm_open(struct mock_drm *mock)
{
	struct file *file = mock_drm_getfile(mock->drm->primary, O_RDWR);

	KUNIT_ASSERT_FALSE(mock->test, IS_ERR(file));
	mock->opened++;
	KUNIT_ASSERT_EQ(mock->test, kunit_add_action_or_reset(mock->test, close_file, file), 0);
	return file;
}

void mock_drm_close(struct mock_drm *mock, struct file *file)
{
	kunit_release_action(mock->test, close_file, file);
}

/* An object with one reference, the caller's. */
struct drm_gem_object *mock_drm_object(struct mock_drm *mock)
{
	struct page *pages = alloc_pages(GFP_KERNEL | __GFP_ZERO, MOCK_GEM_ORDER);
	struct mock_gem *gem;

	KUNIT_ASSERT_NOT_NULL(mock->test, pages);
	gem = mock_gem_alloc(mock, MOCK_GEM_SIZE);
	KUNIT_ASSERT_NOT_NULL(mock->test, gem);
	gem->pages = pages;
	return &gem->base;
}

u32 mock_drm_handle(struct mock_drm *mock, struct file *file, struct drm_gem_object *obj)
{
	u32 handle = 0;

	KUNIT_ASSERT_EQ(mock->test, drm_gem_handle_create(mock_drm_priv(file), obj, &handle), 0);
	return handle;
}

/* An object that lives by its handle alone. */
u32 mock_drm_object_handle(struct mock_drm *mock, struct file *file, struct drm_gem_object **objp)
{
	struct drm_gem_object *obj = mock_drm_object(mock);
	u32 handle = mock_drm_handle(mock, file, obj);

	drm_gem_object_put(obj);
	if (objp)
		*objp = obj;
	return handle;
}
