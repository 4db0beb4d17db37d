// SPDX-License-Identifier: GPL-2.0
/*
 * The driver's own objects. Processes and the kernel map them, and a test moves
 * them to other pages.
 */
#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_prime.h>

#include "prime_mock_exporter.h"
#include "prime_mock_object.h"

/* --- objects --- */
static void mock_object_free(struct drm_gem_object *base)
{
	struct mock_object *obj = to_mock_object(base);
	struct mock_device *mock = to_mock_device(base->dev);

	drm_gem_object_release(base);
	mock_storage_put(obj->storage);
	if (obj->record)
		mock_record_retire(mock->scripts, obj->record);
	atomic64_dec(&mock->objects);
	kfree(obj);
}

static int mock_object_pin(struct drm_gem_object *base)
{
	struct mock_object *obj = to_mock_object(base);
	int ret = mock_op_begin(obj->record, PRIME_MOCK_PIN);

	dma_resv_assert_held(base->resv);
	if (!ret) {
		obj->pins++;
		mock_op_balance(obj->record, PRIME_MOCK_PINNED, 1);
	}
	return mock_op_end(obj->record, PRIME_MOCK_PIN, ret);
}

static void mock_object_unpin(struct drm_gem_object *base)
{
	struct mock_object *obj = to_mock_object(base);

	dma_resv_assert_held(base->resv);
	mock_op_begin(obj->record, PRIME_MOCK_UNPIN);
	if (!WARN_ON_ONCE(!obj->pins))
		obj->pins--;
	mock_op_balance(obj->record, PRIME_MOCK_PINNED, -1);
}

/* Called for PRIME_MOCK_DEFAULT, when the object is pinned. */
static struct sg_table *mock_object_get_sg_table(struct drm_gem_object *base)
{
	struct mock_object *obj = to_mock_object(base);
	struct sg_table *sgt;
	int ret = mock_op_begin(obj->record, PRIME_MOCK_MAP);

	sgt = ret ? ERR_PTR(ret) :
		    drm_prime_pages_to_sg(base->dev, obj->storage->pages,
					  obj->storage->count);
	mock_op_end(obj->record, PRIME_MOCK_MAP, PTR_ERR_OR_ZERO(sgt));
	return sgt;
}

static int mock_object_vmap(struct drm_gem_object *base, struct iosys_map *map)
{
	struct mock_object *obj = to_mock_object(base);
	int ret = mock_op_begin(obj->record, PRIME_MOCK_VMAP);
	void *address;

	dma_resv_assert_held(base->resv);
	if (!ret) {
		address = vmap(obj->storage->pages, obj->storage->count, VM_MAP,
			       PAGE_KERNEL);
		if (!address)
			ret = -ENOMEM;
	}
	if (!ret) {
		iosys_map_set_vaddr(map, address);
		obj->vmaps++;
		mock_op_balance(obj->record, PRIME_MOCK_VMAPPED, 1);
	}
	return mock_op_end(obj->record, PRIME_MOCK_VMAP, ret);
}

static void mock_object_vunmap(struct drm_gem_object *base, struct iosys_map *map)
{
	struct mock_object *obj = to_mock_object(base);

	dma_resv_assert_held(base->resv);
	mock_op_begin(obj->record, PRIME_MOCK_VUNMAP);
	vunmap(map->vaddr);
	iosys_map_clear(map);
	if (!WARN_ON_ONCE(!obj->vmaps))
		obj->vmaps--;
	mock_op_balance(obj->record, PRIME_MOCK_VMAPPED, -1);
}

/* Pages are faulted in one by one, so that a move can remove them. */
static vm_fault_t mock_vm_fault(struct vm_fault *vmf)
{
	struct mock_object *obj = to_mock_object(vmf->vma->vm_private_data);
	vm_fault_t ret = VM_FAULT_SIGBUS;
	pgoff_t index;

	/* For mappings of the dma-buf too: see drm_gem_prime_mmap(). */
	index = vmf->pgoff - drm_vma_node_start(&obj->base.vma_node);
	dma_resv_lock(obj->base.resv, NULL);
	if (index < obj->storage->count)
		ret = vmf_insert_pfn(vmf->vma, vmf->address,
				     page_to_pfn(obj->storage->pages[index]));
	dma_resv_unlock(obj->base.resv);
	return ret;
}

static const struct vm_operations_struct mock_vm_ops = {
	.fault = mock_vm_fault,
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
};

static int mock_object_mmap(struct drm_gem_object *base,
			    struct vm_area_struct *vma)
{
	struct mock_object *obj = to_mock_object(base);
	int ret = mock_op_begin(obj->record, PRIME_MOCK_MMAP);

	/* Bare page frames can't be copied on write. */
	if (!ret && (vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE)
		ret = -EINVAL;
	if (!ret) {
		vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
		vma->vm_ops = &mock_vm_ops;
	}
	return mock_op_end(obj->record, PRIME_MOCK_MMAP, ret);
}

static const struct drm_gem_object_funcs mock_object_funcs = {
	.free = mock_object_free,
	.export = mock_export,
	.pin = mock_object_pin,
	.unpin = mock_object_unpin,
	.get_sg_table = mock_object_get_sg_table,
	.vmap = mock_object_vmap,
	.vunmap = mock_object_vunmap,
	.mmap = mock_object_mmap,
	.vm_ops = &mock_vm_ops,
};

/* Returns one of the driver's own objects with a reference, or NULL. */
static struct mock_object *mock_object_lookup(struct drm_file *file, u32 handle,
					      int *error)
{
	struct drm_gem_object *base = drm_gem_object_lookup(file, handle);

	*error = -ENOENT;
	if (!base)
		return NULL;
	if (base->funcs == &mock_object_funcs)
		return to_mock_object(base);
	/* The object is imported. */
	drm_gem_object_put(base);
	*error = -EINVAL;
	return NULL;
}

int mock_object_id(struct drm_file *file, u32 handle, u32 *id)
{
	struct mock_object *obj;
	int error;

	obj = mock_object_lookup(file, handle, &error);
	if (!obj)
		return error;
	*id = mock_record_id(obj->record);
	drm_gem_object_put(&obj->base);
	return 0;
}

static struct mock_object *
mock_object_create(struct drm_device *drm, const struct drm_prime_mock_create *args)
{
	struct mock_object *obj;
	int ret;

	if (!args->size)
		return ERR_PTR(-EINVAL);
	if (args->size > PRIME_MOCK_MAX_SIZE)
		return ERR_PTR(-E2BIG);
	obj = kzalloc(sizeof(*obj), GFP_KERNEL_ACCOUNT);
	if (!obj)
		return ERR_PTR(-ENOMEM);
	obj->base.funcs = &mock_object_funcs;
	drm_gem_private_object_init(drm, &obj->base, PAGE_ALIGN(args->size));
	atomic64_inc(&to_mock_device(drm)->objects);
	obj->flags = args->flags;
	obj->backing = args->backing;
	obj->dma_bits = args->dma_bits;
	obj->storage = mock_storage_alloc(obj->base.size, args->backing,
					  args->dma_bits);
	if (IS_ERR(obj->storage)) {
		ret = PTR_ERR(obj->storage);
		obj->storage = NULL;
		goto put;
	}
	obj->record = mock_record_create(to_mock_device(drm)->scripts);
	if (IS_ERR(obj->record)) {
		ret = PTR_ERR(obj->record);
		obj->record = NULL;
		goto put;
	}
	ret = drm_gem_create_mmap_offset(&obj->base);
	if (ret)
		goto put;
	return obj;

put:
	drm_gem_object_put(&obj->base);
	return ERR_PTR(ret);
}

static int mock_object_create_handle(struct drm_device *drm, struct drm_file *file,
				     struct drm_prime_mock_create *args)
{
	struct mock_object *obj = mock_object_create(drm, args);
	int ret;

	if (IS_ERR(obj))
		return PTR_ERR(obj);
	args->id = mock_record_id(obj->record);
	args->offset = drm_vma_node_offset_addr(&obj->base.vma_node);
	ret = drm_gem_handle_create(file, &obj->base, &args->handle);
	/* Now the handle holds the object. If there is none, this frees it. */
	drm_gem_object_put(&obj->base);
	return ret;
}

/* A row has whole bytes, the size has whole pages, and nothing wraps. */
static int mock_dumb_layout(struct drm_mode_create_dumb *args)
{
	u64 pitch = DIV_ROUND_UP_ULL((u64)args->width * args->bpp, 8);
	u64 size;

	if (args->flags || !pitch || pitch > U32_MAX || !args->height)
		return -EINVAL;
	size = pitch * args->height;
	if (size > SIZE_MAX - PAGE_SIZE)
		return -EINVAL;
	args->pitch = pitch;
	args->size = PAGE_ALIGN(size);
	return 0;
}

int mock_dumb_create(struct drm_file *file, struct drm_device *drm,
		     struct drm_mode_create_dumb *args)
{
	struct drm_prime_mock_create create = {};
	int ret = mock_dumb_layout(args);

	if (ret)
		return ret;
	create.size = args->size;
	ret = mock_object_create_handle(drm, file, &create);
	args->handle = create.handle;
	return ret;
}

int mock_ioctl_create(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_prime_mock_create *args = data;
	u32 kinds = PRIME_MOCK_DEFAULT | MOCK_FOLLOWED | PRIME_MOCK_MINIMAL |
		    PRIME_MOCK_CACHED;

	if (args->pad || args->flags & ~(kinds | PRIME_MOCK_IGNORE_LIMITS) ||
	    hweight32(args->flags & kinds) > 1)
		return -EINVAL;
	return mock_object_create_handle(drm, file, args);
}

/* --- move --- */
/* Locks the object when none of its fences is pending. */
static int mock_object_lock_idle(struct mock_object *obj)
{
	struct dma_resv *resv = obj->base.resv;
	long left = MOCK_FENCE_WAIT;
	int ret;

	for (;;) {
		left = dma_resv_wait_timeout(resv, DMA_RESV_USAGE_BOOKKEEP, true,
					     left);
		if (left <= 0)
			return left == -ERESTARTSYS ? -EINTR : left ?: -ETIMEDOUT;
		ret = dma_resv_lock_interruptible(resv, NULL);
		if (ret)
			return ret;
		if (dma_resv_test_signaled(resv, DMA_RESV_USAGE_BOOKKEEP))
			return 0;
		dma_resv_unlock(resv);
	}
}

int mock_ioctl_move(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_prime_mock_move *args = data;
	struct mock_storage *storage = NULL;
	struct mock_object *obj;
	int ret;

	if (args->flags)
		return -EINVAL;
	obj = mock_object_lookup(file, args->handle, &ret);
	if (!obj)
		return ret;
	ret = -EINVAL;
	if (obj->flags & PRIME_MOCK_DEFAULT)
		goto put;
	storage = mock_storage_alloc(obj->base.size, args->backing, args->dma_bits);
	if (IS_ERR(storage)) {
		ret = PTR_ERR(storage);
		storage = NULL;
		goto put;
	}
	ret = mock_object_lock_idle(obj);
	if (ret)
		goto put;
	ret = mock_exp_move_locked(obj, &storage);
	dma_resv_unlock(obj->base.resv);
put:
	mock_storage_put(storage);
	drm_gem_object_put(&obj->base);
	return ret;
}
