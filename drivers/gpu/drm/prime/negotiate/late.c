// SPDX-License-Identifier: GPL-2.0-only
/*
 * Late allocation, for exporters to build on. The first map, pin, vmap or page
 * fault places the storage, for the constraints of every device that has joined
 * before. The storage moves if it does not suit a device that joins later.
 *
 * The buffer and each mapping for a device hold a reference to the storage. A
 * dynamic importer keeps the old pages until it returns its mapping.
 */
#include <linux/highmem.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/vmalloc.h>

#include "internal.h"

/**
 * DOC: late allocation
 *
 * The exporter embeds a &struct dma_buf_late in its object. It fills its
 * &struct dma_buf_ops with DMA_BUF_LATE_OPS and a release of its own. It calls
 * dma_buf_late_fini() when the object ends: in the release, if the object ends with
 * its buffer. The operations use the &dma_buf_attachment.priv of each
 * attachment. The exporter calls dma_buf_late_init() with the size and the
 * reservation object and, right after the export, dma_buf_late_bind(). The
 * operations include pin and unpin, so the exporter is dynamic: an importer that
 * follows moves does not keep the storage in place.
 *
 * If the storage does not suit a device that joins or maps, it moves, unless it
 * is committed, pinned or mapped in the kernel. A move copies the content. It
 * removes user mappings, and the next access faults them in again. Importers that
 * follow moves are told, and the move waits for their fences. On 6.12 without
 * CONFIG_DMABUF_MOVE_NOTIFY, their mappings are pinned like all others. If the
 * storage can't move, the device gets -EBUSY, and DMA_BUF_IOCTL_GET_REFUSAL
 * tells the reason.
 *
 * No device works on a copy. If the DMA API would bounce, the mapping is
 * refused with DMA_BUF_FIELD_BOUNCE. A device that needs coherent memory and
 * does not snoop caches is refused with DMA_BUF_FIELD_COHERENT.
 */

/**
 * dma_buf_late_init - prepare storage that is placed later
 * @late: part of an object of the exporter, zeroed
 * @size: bytes, a multiple of PAGE_SIZE
 * @resv: reservation object of the buffer; stays until dma_buf_late_fini()
 * @dev: the exporter's device if it does DMA itself, or NULL. With a device the
 *	size is final
 *
 * Storage will be charged to the memory cgroup of the caller, even if another
 * process causes the placement.
 *
 * Context: process context.
 *
 * Return: 0; -EINVAL when @size is 0 or no multiple of PAGE_SIZE; -ENOMEM when
 * @size exceeds the memory of the machine; -EBUSY when @dev can't take a buffer
 * of this size, or needs coherent memory and does not snoop caches.
 */
int dma_buf_late_init(struct dma_buf_late *late, size_t size,
		      struct dma_resv *resv, struct device *dev)
{
	if (!size || !PAGE_ALIGNED(size))
		return -EINVAL;
	if (size >> PAGE_SHIFT > totalram_pages())
		return -ENOMEM;

	dma_buf_constraints_init(&late->own);
	if (dev) {
		dma_buf_constraints_from_device(&late->own, dev);
		if (dma_buf_constraints_check_size(&late->own, size, NULL))
			return -EBUSY;
		dma_buf_constraints_of_storage(&late->own, dev, size);
		if (late->own.flags & DMA_BUF_CONSTRAINT_COHERENT)
			return -EBUSY;
	}

	late->size = size;
	late->fixed_size = dev;
	late->resv = resv;
	late->memcg = get_mem_cgroup_from_current();
	INIT_LIST_HEAD(&late->mappings);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_init, "DMA_BUF");

/**
 * dma_buf_late_fini - free the storage
 * @late: storage without mappings, or all zeroes
 *
 * Context: may sleep; nobody else can reach @late.
 */
void dma_buf_late_fini(struct dma_buf_late *late)
{
	if (!late->size)
		return;

	WARN_ON_ONCE(!list_empty(&late->mappings) || late->pins != late->committed);
	if (late->storage)
		dma_buf_storage_put(late->storage);
	mem_cgroup_put(late->memcg);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_fini, "DMA_BUF");

/* Not NULL: nobody else has the buffer before the storage is bound. */
static struct dma_buf_late *late_of(struct dma_buf *dmabuf)
{
	return dma_buf_negotiation_get(dmabuf)->late;
}

/* &dma_buf_late_ops.admit */
static int late_admit(struct dma_buf *dmabuf, const struct dma_buf_constraints *merged,
		      struct dma_buf_conflict *conflict)
{
	struct dma_buf_late *late = late_of(dmabuf);
	const struct dma_buf_conflict cached = { DMA_BUF_FIELD_COHERENT, 1, 0 };
	struct dma_buf_constraints all = *merged;

	dma_resv_assert_held(late->resv);

	if (dma_buf_constraints_merge(&all, &late->own, conflict))
		return -EBUSY;
	/* The device does not snoop the CPU's caches. */
	if (all.flags & DMA_BUF_CONSTRAINT_COHERENT)
		return dma_buf_conflict_set(conflict, cached);
	if (!late->storage || !late->pins || dma_buf_storage_suits(late->storage, &all, conflict))
		return 0;

	return -EBUSY;
}

/* &dma_buf_late_ops.storage */
static int late_describe(struct dma_buf *dmabuf, struct dma_buf_storage_info *info)
{
	struct dma_buf_late *late = late_of(dmabuf);

	dma_resv_assert_held(late->resv);

	if (late->storage)
		dma_buf_storage_describe(late->storage, info);
	if (late->committed)
		info->flags |= DMA_BUF_STORAGE_COMMITTED;
	return 0;
}

/* The next access faults again, and finds the new storage. */
static void late_zap_locked(struct dma_buf_late *late)
{
	struct dma_buf *dmabuf = READ_ONCE(late->dmabuf);
	struct address_space *mapping = late->f_mapping;

	dma_resv_assert_held(late->resv);

	if (!mapping && dmabuf)
		mapping = dmabuf->file->f_mapping;
	if (mapping)
		unmap_mapping_range(mapping, late->f_start, late->size, 1);
}

/*
 * Copies the content to @to and drops the old storage. When the copy begins,
 * importers have been told, and all their fences have signalled.
 */
static int late_move(struct dma_buf_late *late, struct dma_buf_storage *to)
{
	unsigned long i;
	long ret;

	if (!list_empty(&late->mappings))
		dma_buf_invalidate_mappings(late->dmabuf);
	ret = dma_resv_wait_timeout(late->resv, DMA_RESV_USAGE_BOOKKEEP, true,
				    MAX_SCHEDULE_TIMEOUT);
	if (ret < 0)
		return ret;

	late_zap_locked(late);
	dma_buf_late_mappings_sync(late, true);
	for (i = 0; i < to->nr_pages; i++) {
		copy_highpage(to->pages[i], late->storage->pages[i]);
		cond_resched();
	}
	dma_buf_storage_put(late->storage);
	return 0;
}

/* Places storage where all devices behind @all reach it. */
static int late_place_for(struct dma_buf_late *late, const struct dma_buf_constraints *all,
			  struct dma_buf_conflict *conflict)
{
	struct dma_buf_storage *st;
	struct mem_cgroup *memcg;
	int ret = 0;

	if (late->storage) {
		if (dma_buf_storage_suits(late->storage, all, conflict))
			return 0;
		/* Importers that have not pinned follow moves. */
		if (late->pins)
			return -EBUSY;
	}

	memcg = set_active_memcg(late->memcg);
	st = dma_buf_storage_alloc(all, late->size, conflict);
	set_active_memcg(memcg);
	if (IS_ERR(st))
		return PTR_ERR(st);

	if (late->storage)
		ret = late_move(late, st);
	if (ret)
		dma_buf_storage_put(st);
	else
		late->storage = st;
	return ret;
}

/* Places storage for all devices that have joined, or tells why that can't be. */
static int late_place_for_all(struct dma_buf_late *late, struct dma_buf_conflict *conflict)
{
	struct dma_buf *dmabuf = READ_ONCE(late->dmabuf);
	struct dma_buf_constraints all;
	int ret = 0;

	dma_resv_assert_held(late->resv);

	dma_buf_constraints_init(&all);
	if (dmabuf)
		ret = dma_buf_get_constraints(dmabuf, &all, conflict);
	if (!ret)
		ret = dma_buf_constraints_merge(&all, &late->own, conflict);
	return ret ?: late_place_for(late, &all, conflict);
}

/* @attach is the one that uses the storage next, or NULL. */
static int late_place(struct dma_buf_late *late, struct dma_buf_attachment *attach)
{
	struct dma_buf_conflict conflict = { };
	int ret;

	/* No device is about to use the storage, so it may stay where it is. */
	if (late->storage && !attach)
		return 0;

	ret = late_place_for_all(late, &conflict);
	if (ret && attach && conflict.field)
		dma_buf_refused(attach->dmabuf, attach->dev, DMA_BUF_STEP_NONE, ret,
				.why = &conflict);
	return ret;
}

/* &dma_buf_late_ops.commit: a pin that lasts as long as the storage. */
static int late_commit(struct dma_buf *dmabuf, struct dma_buf_conflict *conflict)
{
	struct dma_buf_late *late = late_of(dmabuf);
	int ret = late_place_for_all(late, conflict);

	if (!ret && !late->committed) {
		late->committed = true;
		late->pins++;
	}
	return ret;
}

static const struct dma_buf_late_ops late_ops = {
	.storage = late_describe,
	.admit = late_admit,
	.commit = late_commit,
};

/**
 * dma_buf_late_bind - bind storage to a buffer
 * @late: storage
 * @dmabuf: buffer with DMA_BUF_LATE_OPS and the reservation object of
 *	@late; just exported, so nobody else has it yet
 *
 * Makes the buffer negotiable, as dma_buf_set_late() does. The storage is bound
 * until the file of the buffer is closed. The storage may outlive the buffer,
 * and be bound to another one.
 *
 * Context: may sleep; no lock needed. Never waits for the reservation object.
 *
 * Return: 0; -EBUSY when the buffer is negotiable already, or the storage is
 * bound to another buffer; -ENOMEM.
 */
int dma_buf_late_bind(struct dma_buf_late *late, struct dma_buf *dmabuf)
{
	return dma_buf_negotiation_start(dmabuf, &late_ops, late);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_bind, "DMA_BUF");

/**
 * dma_buf_late_pin - &dma_buf_ops.pin: place the storage and keep it there
 * @attach: attachment that it has to suit
 *
 * Context: may sleep; caller holds the reservation object.
 *
 * Return: 0; -EBUSY when the storage does not suit and can't move, or no
 * storage suits; -ENOMEM; -ERESTARTSYS or -EINTR after a signal.
 */
int dma_buf_late_pin(struct dma_buf_attachment *attach)
{
	struct dma_buf_late *late = late_of(attach->dmabuf);
	int ret = late_place(late, attach);

	if (!ret)
		late->pins++;
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_pin, "DMA_BUF");

/**
 * dma_buf_late_unpin - &dma_buf_ops.unpin: undo one dma_buf_late_pin()
 * @attach: attachment
 *
 * Context: caller holds the reservation object.
 */
void dma_buf_late_unpin(struct dma_buf_attachment *attach)
{
	struct dma_buf_late *late = late_of(attach->dmabuf);

	dma_resv_assert_held(late->resv);

	if (!WARN_ON_ONCE(!late->pins))
		late->pins--;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_unpin, "DMA_BUF");

/**
 * dma_buf_late_map - &dma_buf_ops.map_dma_buf: map the storage for a device
 * @attach: attachment
 * @dir: direction of the DMA
 *
 * Places the storage first.
 *
 * Context: may sleep; caller holds the reservation object.
 *
 * Return: the table for dma_buf_late_unmap(), or ERR_PTR: -EBUSY when the
 * storage does not suit and can't move, when no storage suits, when the DMA API
 * would bounce, or when the table does not suit the device; -ENOMEM;
 * -ERESTARTSYS or -EINTR after a signal; or the error of dma_map_sgtable().
 */
struct sg_table *dma_buf_late_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	struct dma_buf_late *late = late_of(attach->dmabuf);
	struct dma_buf_conflict conflict = { };
	struct sg_table *sgt;
	int ret;

	ret = late_place(late, attach);
	if (ret)
		return ERR_PTR(ret);

	sgt = dma_buf_late_mapping_create(late, attach, dir, &conflict);
	if (conflict.field)
		dma_buf_refused(attach->dmabuf, attach->dev, DMA_BUF_STEP_NONE, PTR_ERR(sgt),
				.why = &conflict);
	return sgt;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_map, "DMA_BUF");

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
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_unmap, "DMA_BUF");

/**
 * dma_buf_late_detach - &dma_buf_ops.detach: forget what the device needs
 * @dmabuf: buffer
 * @attach: attachment
 *
 * Context: any.
 */
void dma_buf_late_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	kfree(attach->priv);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_detach, "DMA_BUF");

/* Some caches hold lines of the kernel mapping separately. */
static void late_sync_locked(struct dma_buf_late *late, bool for_cpu)
{
	if (late->vaddr && for_cpu)
		invalidate_kernel_vmap_range(late->vaddr, late->size);
	else if (late->vaddr)
		flush_kernel_vmap_range(late->vaddr, late->size);
	dma_buf_late_mappings_sync(late, for_cpu);
}

/**
 * dma_buf_late_begin_cpu_access - &dma_buf_ops.begin_cpu_access
 * @dmabuf: buffer
 * @dir: any direction
 *
 * Makes what devices wrote visible to the CPU.
 *
 * Context: may sleep; takes the reservation object.
 *
 * Return: 0; -EINTR after a signal.
 */
int dma_buf_late_begin_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	int ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);

	if (ret)
		return ret;
	late_sync_locked(late_of(dmabuf), true);
	dma_resv_unlock(dmabuf->resv);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_begin_cpu_access, "DMA_BUF");

/**
 * dma_buf_late_end_cpu_access - &dma_buf_ops.end_cpu_access
 * @dmabuf: buffer
 * @dir: any direction
 *
 * Makes what the CPU wrote visible to devices.
 *
 * Context: may sleep; takes the reservation object, and a signal does not end
 * the wait, since the CPU's writes would be lost.
 *
 * Return: 0.
 */
int dma_buf_late_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	dma_resv_lock(dmabuf->resv, NULL);
	late_sync_locked(late_of(dmabuf), false);
	dma_resv_unlock(dmabuf->resv);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_end_cpu_access, "DMA_BUF");

/**
 * dma_buf_late_vmap_own - place the storage and map it into the kernel
 * @late: storage
 * @map: filled in
 *
 * For the exporter itself. All users share one mapping.
 *
 * Context: may sleep; caller holds the reservation object.
 *
 * Return: 0; -ENOMEM; -EBUSY when no storage suits the devices that have
 * joined; -EINTR after a fatal signal.
 */
int dma_buf_late_vmap_own(struct dma_buf_late *late, struct iosys_map *map)
{
	int ret = late_place(late, NULL);

	if (ret)
		return ret;

	if (!late->vmaps) {
		late->vaddr = vmap(late->storage->pages, late->storage->nr_pages,
				   VM_MAP, PAGE_KERNEL);
		if (!late->vaddr)
			return -ENOMEM;
	}
	late->vmaps++;
	late->pins++;
	iosys_map_set_vaddr(map, late->vaddr);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_vmap_own, "DMA_BUF");

/**
 * dma_buf_late_vunmap_own - undo one dma_buf_late_vmap_own()
 * @late: storage
 *
 * Context: may sleep; caller holds the reservation object.
 */
void dma_buf_late_vunmap_own(struct dma_buf_late *late)
{
	dma_resv_assert_held(late->resv);

	if (WARN_ON_ONCE(!late->vmaps))
		return;
	late->pins--;
	if (--late->vmaps)
		return;
	vunmap(late->vaddr);
	late->vaddr = NULL;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_vunmap_own, "DMA_BUF");

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
	return dma_buf_late_vmap_own(late_of(dmabuf), map);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_vmap, "DMA_BUF");

/**
 * dma_buf_late_vunmap - &dma_buf_ops.vunmap: undo one dma_buf_late_vmap()
 * @dmabuf: buffer
 * @map: mapping from dma_buf_late_vmap()
 *
 * Context: may sleep; caller holds the reservation object.
 */
void dma_buf_late_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	dma_buf_late_vunmap_own(late_of(dmabuf));
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_vunmap, "DMA_BUF");

/**
 * dma_buf_late_fault - page fault of a mapping of user space
 * @late: storage
 * @vmf: fault in a mapping of a file in which the storage begins at
 *	&dma_buf_late.f_start
 *
 * Places the storage. If there is no memory, the process gets SIGBUS, and the
 * OOM killer is not called. A process that is killed while it waits gets SIGBUS,
 * too: a copy by the kernel would fault again for ever.
 *
 * Context: mmap_lock or the VMA's lock held; takes the reservation object.
 *
 * Return: as &vm_operations_struct.fault.
 */
vm_fault_t dma_buf_late_fault(struct dma_buf_late *late, struct vm_fault *vmf)
{
	const pgoff_t nr = vmf->pgoff - (late->f_start >> PAGE_SHIFT);
	vm_fault_t fault = VM_FAULT_SIGBUS;
	int ret;

	if (dma_resv_lock_interruptible(late->resv, NULL))
		return fatal_signal_pending(current) ? fault : VM_FAULT_NOPAGE;

	ret = late_place(late, NULL);
	if (!ret && nr < late->storage->nr_pages)
		fault = vmf_insert_pfn(vmf->vma, vmf->address,
				       page_to_pfn(late->storage->pages[nr]));
	dma_resv_unlock(late->resv);
	return fault;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_fault, "DMA_BUF");

static vm_fault_t late_vm_fault(struct vm_fault *vmf)
{
	return dma_buf_late_fault(vmf->vma->vm_private_data, vmf);
}

static const struct vm_operations_struct late_vm_ops = {
	.fault = late_vm_fault,
};

/**
 * dma_buf_late_mmap - &dma_buf_ops.mmap: mapping of the dma-buf's file
 * @dmabuf: buffer
 * @vma: mapping; its file keeps the storage
 *
 * Page faults insert the pages. Adds the object's offset in
 * &dma_buf_late.f_mapping to that of @vma, so that a move removes only this
 * object's mappings.
 *
 * Context: mmap_lock held for writing.
 *
 * Return: 0; -EINVAL for a private mapping that may be written.
 */
int dma_buf_late_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	if (vma_is_cow_mapping(vma))
		return -EINVAL;

	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = late_of(dmabuf);
	vma->vm_pgoff += late_of(dmabuf)->f_start >> PAGE_SHIFT;
	vma->vm_ops = &late_vm_ops;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_late_mmap, "DMA_BUF");
