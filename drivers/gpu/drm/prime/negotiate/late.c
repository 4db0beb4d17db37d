// SPDX-License-Identifier: GPL-2.0-only
/*
 * Late allocation, for exporters to build on: storage comes with the first
 * map, pin, vmap or page fault, for the constraints of every device that has
 * joined by then, and moves when a device joins that it does not suit.
 *
 * Storage is referenced by the buffer and by each mapping of a device. Who
 * follows moves keeps the old pages until it gives the mapping back.
 */
#include <linux/highmem.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/vmalloc.h>

#include <linux/dma-buf-late.h>

#include "../core/internal.h"
#include "internal.h"
#include "storage.h"

/**
 * DOC: late allocation
 *
 * The exporter embeds a &struct dma_buf_late, fills its &struct dma_buf_ops with
 * DMA_BUF_LATE_OPS, to which it adds a release, and calls dma_buf_late_bind()
 * after the export. pin and unpin are among the operations, so that importers
 * which follow moves are not in the way of one.
 *
 * Storage moves when a device joins or maps that it does not suit, if no pin
 * and no kernel mapping holds it: the content is copied, mappings of user space
 * are taken down and fault again. With CONFIG_DMABUF_MOVE_NOTIFY, importers
 * that follow moves are told and fences are waited for; without, their
 * mappings are pinned like those of everybody else. Where storage can't move
 * the device gets -EBUSY, and dma_buf_refuse() says why.
 *
 * How devices are given the storage, and when one may work on a copy of it, is
 * told in "DOC: bounced mappings" of negotiate/late_map.c.
 */

/* How many pages a fault maps, if they are there. */
#define DMA_BUF_LATE_AROUND	16

/**
 * dma_buf_late_init - storage to come
 * @late: part of an object that begins as zeroes
 * @size: bytes, a multiple of PAGE_SIZE
 * @resv: reservation object of the buffer
 * @dev: the exporter's device if it does DMA itself, or NULL
 *
 * Storage will be charged to the memory cgroup of the caller, whoever places
 * it.
 *
 * Context: process context.
 *
 * Return: 0; -EINVAL when @size is 0 or no multiple of PAGE_SIZE; -ENOMEM when
 * it is more than the machine has; -EBUSY when @dev can't take a buffer of this
 * size.
 */
int dma_buf_late_init(struct dma_buf_late *late, size_t size,
		      struct dma_resv *resv, struct device *dev)
{
	struct dma_buf_conflict conflict;

	if (!size || !PAGE_ALIGNED(size))
		return -EINVAL;
	if (size >> PAGE_SHIFT > totalram_pages())
		return -ENOMEM;

	dma_buf_constraints_init(&late->own);
	if (dev) {
		dma_buf_constraints_from_device(&late->own, dev);
		if (dma_buf_constraints_check_size(&late->own, size, &conflict))
			return -EBUSY;
		dma_buf_constraints_of_storage(&late->own, size);
	}

	late->size = size;
	late->resv = resv;
	late->memcg = get_mem_cgroup_from_current();
	INIT_LIST_HEAD(&late->mappings);
	INIT_LIST_HEAD(&late->idle);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_init, DMA_BUF);

/**
 * dma_buf_late_fini - free the storage
 * @late: storage that nothing has mapped any more, or all zeroes
 *
 * Waits for who is just giving it back, which allocates memory and takes locks
 * of the files that user space maps.
 *
 * Context: may sleep; nobody else can reach @late.
 */
void dma_buf_late_fini(struct dma_buf_late *late)
{
	if (!late->size)
		return;

	WARN_ON_ONCE(!list_empty(&late->mappings) || late->pins || late->vmaps);
	dma_buf_late_swap_fini(late);
	if (late->storage)
		dma_buf_storage_put(late->storage);
	mem_cgroup_put(late->memcg);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_fini, DMA_BUF);

/* Mappings without a pin are those of importers that follow. */
static bool dma_buf_late_movable(struct dma_buf_late *late)
{
	return !late->pins && !late->vmaps;
}

/* &dma_buf_late_ops.admit: does it suit, can it move, or is it yet to come? */
static int dma_buf_late_admit(struct dma_buf *dmabuf,
			      const struct dma_buf_constraints *merged,
			      struct dma_buf_conflict *conflict)
{
	struct dma_buf_late *late = dma_buf_late_of(dmabuf);
	struct dma_buf_constraints all = *merged;

	dma_resv_assert_held(late->resv);

	if (dma_buf_constraints_merge(&all, &late->own, conflict))
		return -EBUSY;
	if (!late->storage || dma_buf_late_movable(late) ||
	    dma_buf_storage_suits(late->storage, &all, conflict) ||
	    dma_buf_late_may_bounce(late, &all, conflict))
		return 0;

	return -EBUSY;
}

/* &dma_buf_late_ops.storage */
static int dma_buf_late_describe(struct dma_buf *dmabuf,
				 struct dma_buf_storage_info *info)
{
	struct dma_buf_late *late = dma_buf_late_of(dmabuf);

	dma_resv_assert_held(late->resv);

	if (late->swap)
		info->flags |= DMA_BUF_STORAGE_SWAPPED;
	if (!late->storage)
		return 0;

	dma_buf_storage_describe(late->storage, info);
	info->flags |= dma_buf_late_mappings_flags(late);
	return 0;
}

static const struct dma_buf_late_ops dma_buf_late_negotiation_ops = {
	.storage = dma_buf_late_describe,
	.admit = dma_buf_late_admit,
};

/**
 * dma_buf_late_bind - let a buffer have the storage
 * @late: storage
 * @dmabuf: buffer with DMA_BUF_LATE_OPS and the reservation object of @late,
 *	just exported; nobody else has it yet
 *
 * Makes the buffer negotiable, as dma_buf_set_late() does.
 *
 * Context: may sleep; takes the reservation object.
 *
 * Return: 0; -EBUSY when the buffer negotiates already; -ENOMEM.
 */
int dma_buf_late_bind(struct dma_buf_late *late, struct dma_buf *dmabuf)
{
	int ret = dma_buf_negotiation_start(dmabuf, &dma_buf_late_negotiation_ops,
					    late);

	if (ret)
		return ret;

	dma_resv_lock(late->resv, NULL);
	late->dmabuf = dmabuf;
	dma_resv_unlock(late->resv);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_bind, DMA_BUF);

/**
 * dma_buf_late_unbind - the buffer goes, the storage may stay
 * @dmabuf: buffer, in its release
 *
 * For storage of an object that outlives its dma-buf; it may have been exported
 * again meanwhile.
 *
 * Context: may sleep; takes the reservation object.
 */
void dma_buf_late_unbind(struct dma_buf *dmabuf)
{
	struct dma_buf_late *late = dma_buf_late_of(dmabuf);

	/* The export failed before they were bound. */
	if (!late)
		return;

	dma_resv_lock(late->resv, NULL);
	if (late->dmabuf == dmabuf)
		late->dmabuf = NULL;
	dma_resv_unlock(late->resv);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_unbind, DMA_BUF);

/*
 * Copy the content to @to and let it be the storage. Importers have been told
 * and no work of theirs is on the way when the copy begins.
 */
static int dma_buf_late_move(struct dma_buf_late *late,
			     struct dma_buf_storage *to)
{
	long ret;

	if (!list_empty(&late->mappings))
		dma_buf_move_notify(late->dmabuf);
	ret = dma_resv_wait_timeout(late->resv, DMA_RESV_USAGE_BOOKKEEP, true,
				    MAX_SCHEDULE_TIMEOUT);
	if (ret < 0)
		return ret;

	dma_buf_late_zap_locked(late);
	dma_buf_late_sync_for_cpu(late);
	dma_buf_storage_copy(to, late->storage);
	dma_buf_storage_put(late->storage);
	late->storage = to;
	return 0;
}

/*
 * What is there would do, but one run would be better: worth a move that
 * disturbs no device, once.
 */
static bool dma_buf_late_improvable(struct dma_buf_late *late,
				    const struct dma_buf_constraints *all)
{
	struct dma_buf_constraints one = *all;
	struct dma_buf_conflict conflict;

	if (!(all->flags & ~late->storage->wanted &
	      DMA_BUF_CONSTRAINT_CONTIGUOUS_PREFERRED) ||
	    !list_empty(&late->mappings) || !dma_buf_late_movable(late))
		return false;

	one.max_segments = 1;
	return !dma_buf_storage_suits(late->storage, &one, &conflict);
}

/* The first storage, or the first since it was given back. */
static int dma_buf_late_fill(struct dma_buf_late *late,
			     struct dma_buf_storage *st)
{
	int ret = late->swap ? dma_buf_late_swap_in_locked(late, st) : 0;

	if (!ret)
		late->storage = st;
	return ret;
}

/*
 * Storage for everybody who has joined, of whom @attach, if there is one, is
 * the next to use it.
 */
static int dma_buf_late_place_for(struct dma_buf_late *late,
				  struct dma_buf_attachment *attach)
{
	struct dma_buf_conflict conflict = { };
	struct dma_buf_constraints all;
	struct dma_buf_storage *st;
	struct mem_cgroup *memcg;
	bool suits = false;
	int ret = 0;

	dma_resv_assert_held(late->resv);

	/* Without a device it does not matter where the storage is. */
	if (late->storage && !attach)
		return 0;

	dma_buf_constraints_init(&all);
	if (late->dmabuf)
		ret = dma_buf_get_constraints(late->dmabuf, &all, &conflict);
	if (!ret)
		ret = dma_buf_constraints_merge(&all, &late->own, &conflict);
	if (ret)
		goto err_refuse;

	if (late->storage) {
		suits = dma_buf_storage_suits(late->storage, &all, &conflict);
		if (suits && !dma_buf_late_improvable(late, &all))
			return 0;
		ret = -EBUSY;
		if (!dma_buf_late_movable(late)) {
			if (dma_buf_late_reached(late, attach, &all, &conflict))
				return 0;
			goto err_refuse;
		}
	}

	memcg = set_active_memcg(late->memcg);
	st = dma_buf_storage_alloc(&all, late->size, &conflict);
	set_active_memcg(memcg);
	if (IS_ERR(st)) {
		ret = PTR_ERR(st);
		goto err_refuse;
	}

	if (late->storage)
		ret = dma_buf_late_move(late, st);
	else
		ret = dma_buf_late_fill(late, st);
	if (ret)
		dma_buf_storage_put(st);
	return ret;

err_refuse:
	/* What was only meant to get better is good enough. */
	if (suits)
		return 0;
	if (attach && conflict.field)
		dma_buf_refuse(late->dmabuf, attach->dev, &conflict);
	return ret;
}

static int dma_buf_late_place(struct dma_buf_late *late,
			      struct dma_buf_attachment *attach)
{
	int ret = dma_buf_late_place_for(late, attach);

	if (!ret)
		dma_buf_late_touch_locked(late);
	return ret;
}

static int dma_buf_late_pin_for(struct dma_buf_late *late,
				struct dma_buf_attachment *attach)
{
	int ret = dma_buf_late_place(late, attach);

	if (ret)
		return ret;

	late->pins++;
	dma_buf_late_touch_locked(late);
	return 0;
}

/**
 * dma_buf_late_pin_own - place the storage and keep it there
 * @late: storage
 *
 * For the exporter itself.
 *
 * Context: may sleep; caller holds the reservation object.
 *
 * Return: 0; -EBUSY when none suits the devices that joined; -ENOMEM; -EIO when
 * the content can't be read from swap; -EINTR after a fatal signal.
 */
int dma_buf_late_pin_own(struct dma_buf_late *late)
{
	return dma_buf_late_pin_for(late, NULL);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_pin_own, DMA_BUF);

/**
 * dma_buf_late_unpin_own - undo one dma_buf_late_pin_own()
 * @late: storage
 *
 * Context: caller holds the reservation object.
 */
void dma_buf_late_unpin_own(struct dma_buf_late *late)
{
	dma_resv_assert_held(late->resv);

	if (WARN_ON_ONCE(!late->pins))
		return;
	late->pins--;
	dma_buf_late_touch_locked(late);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_unpin_own, DMA_BUF);

/**
 * dma_buf_late_pin - &dma_buf_ops.pin: place the storage and keep it there
 * @attach: attachment that it has to suit
 *
 * Context: may sleep; caller holds the reservation object.
 *
 * Return: 0; -EBUSY when the storage does not suit and can't move, or none can
 * suit; -ENOMEM; -EIO when the content can't be read from swap; -ERESTARTSYS or
 * -EINTR after a signal.
 */
int dma_buf_late_pin(struct dma_buf_attachment *attach)
{
	return dma_buf_late_pin_for(dma_buf_late_of(attach->dmabuf), attach);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_pin, DMA_BUF);

/**
 * dma_buf_late_unpin - &dma_buf_ops.unpin: undo one dma_buf_late_pin()
 * @attach: attachment
 *
 * Context: caller holds the reservation object.
 */
void dma_buf_late_unpin(struct dma_buf_attachment *attach)
{
	dma_buf_late_unpin_own(dma_buf_late_of(attach->dmabuf));
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_unpin, DMA_BUF);

/**
 * dma_buf_late_map - &dma_buf_ops.map_dma_buf: map the storage for a device
 * @attach: attachment
 * @dir: direction of the DMA
 *
 * Places the storage before.
 *
 * Context: may sleep; caller holds the reservation object.
 *
 * Return: the table for dma_buf_late_unmap(), or ERR_PTR: -EBUSY when the
 * storage does not suit and can't move, none can suit, or the device would see
 * a copy that it may not have; -ENOMEM; -EIO when the content can't be read from swap; -ERESTARTSYS
 * or -EINTR after a signal; or the error of dma_map_sgtable().
 */
struct sg_table *dma_buf_late_map(struct dma_buf_attachment *attach,
				  enum dma_data_direction dir)
{
	struct dma_buf_late *late = dma_buf_late_of(attach->dmabuf);
	struct dma_buf_conflict conflict = { };
	struct sg_table *sgt;
	int ret;

	ret = dma_buf_late_place(late, attach);
	if (ret)
		return ERR_PTR(ret);

	sgt = dma_buf_late_mapping_create(late, attach, dir, &conflict);
	if (conflict.field)
		dma_buf_refuse(late->dmabuf, attach->dev, &conflict);
	dma_buf_late_touch_locked(late);
	return sgt;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_map, DMA_BUF);

/**
 * dma_buf_late_unmap - &dma_buf_ops.unmap_dma_buf: return a mapping
 * @attach: attachment
 * @sgt: table from dma_buf_late_map()
 * @dir: direction of the DMA
 *
 * Context: may sleep; caller holds the reservation object.
 */
void dma_buf_late_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			enum dma_data_direction dir)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	dma_buf_late_mapping_destroy(sgt);
	dma_buf_late_touch_locked(dma_buf_late_of(attach->dmabuf));
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_unmap, DMA_BUF);

/**
 * dma_buf_late_begin_cpu_access - &dma_buf_ops.begin_cpu_access
 * @dmabuf: buffer
 * @dir: any direction
 *
 * Shows the processor what devices wrote.
 *
 * Context: may sleep; takes the reservation object.
 *
 * Return: 0.
 */
int dma_buf_late_begin_cpu_access(struct dma_buf *dmabuf,
				  enum dma_data_direction dir)
{
	struct dma_buf_late *late = dma_buf_late_of(dmabuf);

	dma_resv_lock(late->resv, NULL);
	if (late->vaddr)
		invalidate_kernel_vmap_range(late->vaddr, late->size);
	dma_buf_late_sync_for_cpu(late);
	dma_resv_unlock(late->resv);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_begin_cpu_access, DMA_BUF);

/**
 * dma_buf_late_end_cpu_access - &dma_buf_ops.end_cpu_access
 * @dmabuf: buffer
 * @dir: DMA_FROM_DEVICE when the processor has only read
 *
 * Shows devices what the processor wrote.
 *
 * Context: may sleep; takes the reservation object.
 *
 * Return: 0.
 */
int dma_buf_late_end_cpu_access(struct dma_buf *dmabuf,
				enum dma_data_direction dir)
{
	struct dma_buf_late *late = dma_buf_late_of(dmabuf);

	dma_resv_lock(late->resv, NULL);
	if (late->vaddr)
		flush_kernel_vmap_range(late->vaddr, late->size);
	dma_buf_late_sync_for_device(late, dir != DMA_FROM_DEVICE);
	dma_resv_unlock(late->resv);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_end_cpu_access, DMA_BUF);

/**
 * dma_buf_late_vmap_own - map the storage into the kernel, and place it before
 * @late: storage
 * @map: filled in
 *
 * For the exporter itself; all share one mapping.
 *
 * Context: may sleep; caller holds the reservation object.
 *
 * Return: 0; -ENOMEM; -EBUSY when no storage suits the devices that joined; -EIO
 * when the content can't be read from swap; -EINTR after a fatal signal.
 */
int dma_buf_late_vmap_own(struct dma_buf_late *late, struct iosys_map *map)
{
	int ret = dma_buf_late_place(late, NULL);

	if (ret)
		return ret;

	if (!late->vmaps) {
		late->vaddr = vmap(late->storage->pages, late->storage->nr_pages,
				   VM_MAP, PAGE_KERNEL);
		if (!late->vaddr)
			return -ENOMEM;
	}
	late->vmaps++;
	dma_buf_late_touch_locked(late);
	iosys_map_set_vaddr(map, late->vaddr);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_vmap_own, DMA_BUF);

/**
 * dma_buf_late_vunmap_own - undo one dma_buf_late_vmap_own()
 * @late: storage
 *
 * Context: may sleep; caller holds the reservation object.
 */
void dma_buf_late_vunmap_own(struct dma_buf_late *late)
{
	dma_resv_assert_held(late->resv);

	if (WARN_ON_ONCE(!late->vmaps) || --late->vmaps)
		return;
	vunmap(late->vaddr);
	late->vaddr = NULL;
	dma_buf_late_touch_locked(late);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_vunmap_own, DMA_BUF);

/**
 * dma_buf_late_vmap - &dma_buf_ops.vmap: map the storage into the kernel
 * @dmabuf: buffer
 * @map: filled in
 *
 * Context: may sleep; caller holds the reservation object.
 *
 * Return: as dma_buf_late_vmap_own().
 */
int dma_buf_late_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	return dma_buf_late_vmap_own(dma_buf_late_of(dmabuf), map);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_vmap, DMA_BUF);

/**
 * dma_buf_late_vunmap - &dma_buf_ops.vunmap: undo one dma_buf_late_vmap()
 * @dmabuf: buffer
 * @map: what that filled in
 *
 * Context: may sleep; caller holds the reservation object.
 */
void dma_buf_late_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	dma_buf_late_vunmap_own(dma_buf_late_of(dmabuf));
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_vunmap, DMA_BUF);

/**
 * dma_buf_late_fault - page fault of a mapping of user space
 * @late: storage
 * @vmf: the fault
 * @first: page of the buffer that the mapping starts with
 *
 * Places the storage. For want of memory the process gets SIGBUS, not the OOM
 * killer.
 *
 * Context: mmap_lock or the VMA's lock held; takes the reservation object.
 *
 * Return: as &vm_operations_struct.fault.
 */
vm_fault_t dma_buf_late_fault(struct dma_buf_late *late, struct vm_fault *vmf,
			      pgoff_t first)
{
	struct vm_area_struct *vma = vmf->vma;
	const unsigned long nr = (vmf->address - vma->vm_start) >> PAGE_SHIFT;
	struct dma_buf_storage *st;
	vm_fault_t fault;
	unsigned long i;
	int ret;

	if (dma_resv_lock_interruptible(late->resv, NULL))
		return VM_FAULT_NOPAGE;

	ret = dma_buf_late_place(late, NULL);
	if (ret) {
		fault = ret == -EINTR ? VM_FAULT_NOPAGE : VM_FAULT_SIGBUS;
		goto out;
	}

	st = late->storage;
	fault = VM_FAULT_SIGBUS;
	for (i = 0; i < DMA_BUF_LATE_AROUND; i++) {
		if (first + nr + i >= st->nr_pages || nr + i >= vma_pages(vma))
			break;
		fault = vmf_insert_pfn(vma, vmf->address + i * PAGE_SIZE,
				       page_to_pfn(st->pages[first + nr + i]));
		if (fault != VM_FAULT_NOPAGE) {
			/* The page that was asked for counts. */
			if (i)
				fault = VM_FAULT_NOPAGE;
			break;
		}
	}
out:
	dma_resv_unlock(late->resv);
	return fault;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_fault, DMA_BUF);

static vm_fault_t dma_buf_late_vm_fault(struct vm_fault *vmf)
{
	return dma_buf_late_fault(vmf->vma->vm_private_data, vmf,
				  vmf->vma->vm_pgoff);
}

static const struct vm_operations_struct dma_buf_late_vm_ops = {
	.fault = dma_buf_late_vm_fault,
};

/**
 * dma_buf_late_mmap - &dma_buf_ops.mmap: mapping of the dma-buf's file
 * @dmabuf: buffer
 * @vma: mapping, whose file keeps the storage
 *
 * Pages come with faults.
 *
 * Context: mmap_lock held for writing.
 *
 * Return: 0; -EINVAL for a private mapping that could be written.
 */
int dma_buf_late_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	if (is_cow_mapping(vma->vm_flags))
		return -EINVAL;

	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = dma_buf_late_of(dmabuf);
	vma->vm_ops = &dma_buf_late_vm_ops;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_mmap, DMA_BUF);
