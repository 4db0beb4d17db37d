// SPDX-License-Identifier: GPL-2.0
/*
 * Objects of prime_mock: pages of a chosen kind, seen by processes and by the
 * kernel, and moved elsewhere on command.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/vmalloc.h>

#include "prime_mock.h"

/* --- storage --- */
static void mock_storage_free(struct kref *refs)
{
	struct mock_storage *storage =
		container_of(refs, struct mock_storage, refs);
	unsigned int i;

	for (i = 0; i < storage->count; i++)
		__free_page(storage->pages[i]);
	kvfree(storage);
}

void mock_storage_put(struct mock_storage *storage)
{
	if (storage)
		kref_put(&storage->refs, mock_storage_free);
}

/* Append 2^@order pages, but not more than @count in all. */
static int mock_storage_grow(struct mock_storage *storage, unsigned int count,
			     unsigned int order, u32 dma_bits)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_RETRY_MAYFAIL |
		    __GFP_NOWARN;
	struct page *page;
	phys_addr_t end;
	unsigned int i;

	if (dma_bits < 32)
		gfp |= GFP_DMA;
	else if (dma_bits < 64)
		gfp |= GFP_DMA32;
	if (fatal_signal_pending(current))
		return -EINTR;
	page = alloc_pages(gfp, order);
	if (!page)
		return -ENOMEM;
	split_page(page, order);
	end = page_to_phys(page) + (PAGE_SIZE << order) - 1;
	for (i = 0; i < 1u << order; i++) {
		if (storage->count < count)
			storage->pages[storage->count++] = page + i;
		else
			__free_page(page + i);
	}
	/* The zone is only a hint; the caller frees what has been added. */
	return end > DMA_BIT_MASK(dma_bits) ? -ENOMEM : 0;
}

static int mock_page_descends(const void *a, const void *b)
{
	unsigned long first = page_to_pfn(*(struct page **)a);
	unsigned long second = page_to_pfn(*(struct page **)b);

	return first < second ? 1 : first > second ? -1 : 0;
}

static struct mock_storage *mock_storage_alloc(size_t size, u32 backing,
					       u32 dma_bits)
{
	unsigned int count = size >> PAGE_SHIFT, order = 0;
	struct mock_storage *storage;
	int ret = 0;

	if (!dma_bits)
		dma_bits = 64;
	if (backing > PRIME_MOCK_HUGE || dma_bits < 24 || dma_bits > 64)
		return ERR_PTR(-EINVAL);
	if (backing == PRIME_MOCK_HUGE) {
		if (size % PRIME_MOCK_HUGE_SIZE)
			return ERR_PTR(-EINVAL);
		order = get_order(PRIME_MOCK_HUGE_SIZE);
	} else if (backing == PRIME_MOCK_CONTIGUOUS) {
		if (size > PRIME_MOCK_MAX_RUN)
			return ERR_PTR(-E2BIG);
		order = get_order(size);
	}
	if (order > MAX_PAGE_ORDER)
		return ERR_PTR(-E2BIG);

	storage = kvzalloc(struct_size(storage, pages, count), GFP_KERNEL_ACCOUNT);
	if (!storage)
		return ERR_PTR(-ENOMEM);
	kref_init(&storage->refs);
	while (!ret && storage->count < count)
		ret = mock_storage_grow(storage, count, order, dma_bits);
	if (ret) {
		mock_storage_put(storage);
		return ERR_PTR(ret);
	}
	/* In descending order no page follows its neighbour. */
	if (backing == PRIME_MOCK_SCATTERED)
		sort(storage->pages, count, sizeof(*storage->pages),
		     mock_page_descends, NULL);
	return storage;
}

/* --- objects --- */
static void mock_object_free(struct drm_gem_object *base)
{
	struct mock_object *obj = to_mock_object(base);
	struct mock_device *mock = to_mock_device(base->dev);

	if (obj->import)
		mock_gem_import_free(obj);
	drm_gem_object_release(base);
	mock_storage_put(obj->storage);
	if (obj->record)
		mock_record_retire(mock, obj->record);
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

/* With PRIME_MOCK_DEFAULT, when it is pinned. */
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

/* Pages are faulted in one by one, so that a move can take them away. */
static vm_fault_t mock_vm_fault(struct vm_fault *vmf)
{
	struct mock_object *obj = to_mock_object(vmf->vma->vm_private_data);
	vm_fault_t ret = VM_FAULT_SIGBUS;
	pgoff_t index;

	/* Through the dma-buf too: see drm_gem_prime_mmap(). */
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
	if (!ret && is_cow_mapping(vma->vm_flags))
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

static const struct drm_gem_object_funcs mock_imported_funcs = {
	.free = mock_object_free,
};

/* Not yet complete; fit to be freed. */
struct mock_object *mock_object_init(struct drm_device *drm, size_t size)
{
	struct mock_object *obj = kzalloc(sizeof(*obj), GFP_KERNEL_ACCOUNT);

	if (!obj)
		return NULL;
	obj->base.funcs = &mock_imported_funcs;
	drm_gem_private_object_init(drm, &obj->base, size);
	atomic64_inc(&to_mock_device(drm)->objects);
	return obj;
}

struct mock_object *mock_object_lookup(struct drm_file *file, u32 handle)
{
	struct drm_gem_object *base = drm_gem_object_lookup(file, handle);

	return base ? to_mock_object(base) : NULL;
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
	obj = mock_object_init(drm, PAGE_ALIGN(args->size));
	if (!obj)
		return ERR_PTR(-ENOMEM);
	obj->flags = args->flags;
	obj->storage = mock_storage_alloc(obj->base.size, args->backing,
					  args->dma_bits);
	if (IS_ERR(obj->storage)) {
		ret = PTR_ERR(obj->storage);
		obj->storage = NULL;
		goto put;
	}
	obj->record = mock_record_create(to_mock_device(drm));
	if (IS_ERR(obj->record)) {
		ret = PTR_ERR(obj->record);
		obj->record = NULL;
		goto put;
	}
	ret = drm_gem_create_mmap_offset(&obj->base);
	if (ret)
		goto put;
	obj->base.funcs = &mock_object_funcs;
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
	args->id = obj->record->id;
	args->offset = drm_vma_node_offset_addr(&obj->base.vma_node);
	ret = drm_gem_handle_create(file, &obj->base, &args->handle);
	/* The handle holds the object now, or nobody does. */
	drm_gem_object_put(&obj->base);
	return ret;
}

int mock_dumb_create(struct drm_file *file, struct drm_device *drm,
		     struct drm_mode_create_dumb *args)
{
	struct drm_prime_mock_create create = {};
	int ret;

	if (args->flags)
		return -EINVAL;
	/* The bytes fit in 32 bits, the core has seen to it; the bits need not. */
	args->pitch = DIV_ROUND_UP_ULL((u64)args->width * args->bpp, 8);
	args->size = PAGE_ALIGN((u64)args->pitch * args->height);
	create.size = args->size;
	ret = mock_object_create_handle(drm, file, &create);
	args->handle = create.handle;
	return ret;
}

int mock_ioctl_create(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_prime_mock_create *args = data;
	u32 kinds = PRIME_MOCK_DEFAULT | PRIME_MOCK_DYNAMIC |
		    PRIME_MOCK_MINIMAL | PRIME_MOCK_CACHED;

	if (args->pad || args->flags & ~(kinds | PRIME_MOCK_IGNORE_LIMITS) ||
	    hweight32(args->flags & kinds) > 1)
		return -EINVAL;
	return mock_object_create_handle(drm, file, args);
}

/* --- move --- */
/* Lock the object at a time when no fence of it is pending. */
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

static bool mock_object_is_bound(struct mock_object *obj)
{
	dma_resv_assert_held(obj->base.resv);
	return obj->pins || obj->vmaps ||
	       (obj->maps && !(obj->flags & PRIME_MOCK_DYNAMIC));
}

static void mock_storage_copy(struct mock_storage *to, struct mock_storage *from)
{
	unsigned int i;

	for (i = 0; i < to->count; i++) {
		copy_highpage(to->pages[i], from->pages[i]);
		memset_page(from->pages[i], 0, PRIME_MOCK_POISON, PAGE_SIZE);
	}
}

/* Puts @storage in place, and gives what was there. */
static struct mock_storage *mock_object_move(struct mock_object *obj,
					     struct mock_storage *storage)
{
	struct mock_storage *old = obj->storage;
	struct file *file = NULL;

	dma_resv_assert_held(obj->base.resv);
	/* A buffer that is being released has no importers and no mappings. */
	if (obj->dmabuf)
		file = get_file_active(&obj->dmabuf->file);
	/* A buffer may outlive its file, whose memory is then another file's. */
	if (file && file->private_data != obj->dmabuf) {
		fput(file);
		file = NULL;
	}
	if (file) {
		dma_buf_move_notify(obj->dmabuf);
		unmap_mapping_range(file->f_mapping, 0, 0, 1);
	}
	drm_vma_node_unmap(&obj->base.vma_node,
			   obj->base.dev->anon_inode->i_mapping);
	mock_storage_copy(storage, old);
	obj->storage = storage;
	if (file)
		fput(file);
	return old;
}

int mock_ioctl_move(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_prime_mock_move *args = data;
	struct mock_storage *storage = NULL;
	struct mock_object *obj;
	int ret = -EINVAL;

	if (args->flags)
		return -EINVAL;
	obj = mock_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;
	if (!obj->record || obj->flags & PRIME_MOCK_DEFAULT)
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
	if (mock_object_is_bound(obj)) {
		ret = -EBUSY;
	} else {
		storage = mock_object_move(obj, storage);
		mock_record_moved(obj->record);
	}
	dma_resv_unlock(obj->base.resv);
put:
	mock_storage_put(storage);
	drm_gem_object_put(&obj->base);
	return ret;
}
