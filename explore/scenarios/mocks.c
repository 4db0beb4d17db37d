// SPDX-License-Identifier: GPL-2.0
/* The exporter, the importers and the fences of scenarios. */
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/scatterlist.h>

#include "mocks.h"

int devres_release_all(struct device *dev);

void ex_locks_end(void);

/* --- threads --- */

static void thread_run(void *arg)
{
	void (*run)(void) = arg;

	run();
	ex_user_return();
	ex_locks_end();
}

void thread(int id, void (*run)(void))
{
	static const char * const names[] = { "", "A", "B", "C", "D" };

	ex_thread(id, names[id], thread_run, run, 0);
}

void run_threads(void)
{
	ex_user_return();
	ex_quiet(0);
	ex_join();
	ex_quiet(1);
}

/* --- errors --- */

int mock_error[EX_THREADS];

int mock_fails(int error, const char *what)
{
	if (!ex_choose(2, what))
		return 0;
	mock_error[ex_self()] = error;
	return error;
}

/* --- the exporter: it counts what the layer asks for, and is asked with the right lock --- */

struct module exporter_module = { .state = MODULE_STATE_LIVE, .refcnt = ATOMIC_INIT(1) };
atomic_t storages_released;

/* Invariant 2, and what "DOC: locking" promises an exporter. */
static struct storage *storage_of(struct dma_buf *dmabuf, bool locked)
{
	struct storage *st = dmabuf->priv;

	CHECK(exporter_module.state == MODULE_STATE_LIVE &&
	      atomic_read(&exporter_module.refcnt) > 1);
	CHECK(dma_resv_is_locked(dmabuf->resv) || !locked);
	if (locked)
		dma_resv_assert_held(dmabuf->resv);
	else
		lockdep_assert_not_held(&dmabuf->resv->lock.base);
	CHECK(!st->released && st->dmabuf == dmabuf);
	return st;
}

/* Of an attachment: invariant 4. */
struct use {
	int mapped, pinned;
};

static int storage_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct storage *st = storage_of(dmabuf, false);
	int ret = mock_fails(-EINVAL, "the exporter's attach");

	if (ret)
		return ret;
	attach->priv = kzalloc(sizeof(struct use), GFP_KERNEL);
	if (!attach->priv)
		return -ENOMEM;
	atomic_inc(&st->attached);
	return 0;
}

static void storage_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct storage *st = storage_of(dmabuf, false);
	struct use *use = attach->priv;

	CHECK(!use->mapped && !use->pinned && atomic_dec_return(&st->attached) >= 0);
	kfree(use);
}

static int storage_pin(struct dma_buf_attachment *attach)
{
	struct storage *st = storage_of(attach->dmabuf, true);
	struct use *use = attach->priv;
	int ret = mock_fails(-ENOSPC, "the exporter's pin");

	if (ret)
		return ret;
	st->pinned++;
	use->pinned++;
	return 0;
}

static void storage_unpin(struct dma_buf_attachment *attach)
{
	struct use *use = attach->priv;

	CHECK(use->pinned-- > 0);
	storage_of(attach->dmabuf, true)->pinned--;
}

static struct sg_table *storage_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	struct storage *st = storage_of(attach->dmabuf, true);
	struct use *use = attach->priv;
	struct sg_table *sgt;
	int ret;

	/* Storage that can move is pinned for an importer that does not follow. */
	CHECK(st->dynamic <= (attach->importer_ops || use->pinned));
	ret = mock_fails(-EIO, "the exporter's map");
	if (ret)
		return ERR_PTR(ret);
	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt)
		return ERR_PTR(-ENOMEM);
	if (sg_alloc_table(sgt, 1, GFP_KERNEL)) {
		kfree(sgt);
		return ERR_PTR(-ENOMEM);
	}
	sg_dma_address(sgt->sgl) = 0x1000;
	sg_dma_len(sgt->sgl) = PAGE_SIZE;
	use->mapped++;
	return sgt;
}

static void storage_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			  enum dma_data_direction dir)
{
	struct use *use = attach->priv;

	storage_of(attach->dmabuf, true);
	CHECK(use->mapped-- > 0);
	sg_free_table(sgt);
	kfree(sgt);
}

static int storage_begin(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct storage *st = storage_of(dmabuf, false);

	/* Invariant 11: no scenario adds another fence after the access has begun. */
	CHECK(dma_resv_test_signaled(dmabuf->resv, DMA_RESV_USAGE_KERNEL));
	if (ex_choose(2, "the exporter's begin_cpu_access"))
		return -EIO;
	atomic_inc(&st->accesses);
	if (st->begins)
		fence_add(dmabuf, st->begins, DMA_RESV_USAGE_KERNEL);
	return 0;
}

static int storage_finish(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	/* The access has ended, also if this fails. */
	CHECK(atomic_dec_return(&storage_of(dmabuf, false)->accesses) >= 0);
	return ex_choose(2, "the exporter's end_cpu_access") ? -EIO : 0;
}

static int storage_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct storage *st = storage_of(dmabuf, true);

	CHECK(!st->vmapped);
	if (ex_choose(2, "the exporter's vmap"))
		return -ENOMEM;
	st->vmapped++;
	iosys_map_set_vaddr(map, st);
	return 0;
}

static void storage_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	CHECK(!--storage_of(dmabuf, true)->vmapped);
}

static void storage_release(struct dma_buf *dmabuf)
{
	struct storage *st = storage_of(dmabuf, false);

	/* Invariants 1, 3 and 4. */
	CHECK(!file_count(dmabuf->file));
	CHECK(!atomic_read(&st->attached) && !st->pinned && !st->vmapped);
	st->released = true;
	atomic_inc(&storages_released);
	kfree(st);
}

static const struct dma_buf_ops static_ops = {
	.attach = storage_attach, .detach = storage_detach,
	.map_dma_buf = storage_map, .unmap_dma_buf = storage_unmap,
	.begin_cpu_access = storage_begin, .end_cpu_access = storage_finish,
	.vmap = storage_vmap, .vunmap = storage_vunmap,
	.release = storage_release,
};

static const struct dma_buf_ops dynamic_ops = {
	.attach = storage_attach, .detach = storage_detach,
	.pin = storage_pin, .unpin = storage_unpin,
	.map_dma_buf = storage_map, .unmap_dma_buf = storage_unmap,
	.begin_cpu_access = storage_begin, .end_cpu_access = storage_finish,
	.vmap = storage_vmap, .vunmap = storage_vunmap,
	.release = storage_release,
};

struct storage *storage_export(bool dynamic, struct dma_resv *resv)
{
	struct storage *st = kzalloc(sizeof(*st), GFP_KERNEL);
	DEFINE_DMA_BUF_EXPORT_INFO(info);

	if (!st)
		return NULL;
	info.owner = &exporter_module;
	info.ops = dynamic ? &dynamic_ops : &static_ops;
	info.size = PAGE_SIZE;
	info.flags = O_RDWR;
	info.resv = resv;
	info.priv = st;
	st->dynamic = dynamic;
	st->dmabuf = dma_buf_export(&info);
	if (!IS_ERR(st->dmabuf))
		return st;
	kfree(st);
	return NULL;
}

void read_holders(void)
{
	ex_read_debugfs("holders");
}

void storage_move(struct storage *st)
{
	dma_resv_lock(st->dmabuf->resv, NULL);
	if (!st->pinned)
		dma_buf_invalidate_mappings(st->dmabuf);
	dma_resv_unlock(st->dmabuf->resv);
}

void buffer_fault(int fd)
{
	struct vm_area_struct vma = { .vm_start = 0x10000,
				      .vm_end = 0x10000 + PAGE_SIZE,
				      .vm_flags = VM_SHARED };
	struct vm_fault fault = { .vma = &vma, .address = 0x10000 };
	struct file *file = fget(fd);

	if (!file)
		return;
	vma.vm_file = file;
	if (!file->f_op->mmap(file, &vma)) {
		vma.vm_ops->fault(&fault);
		if (vma.vm_ops->close)
			vma.vm_ops->close(&vma);
	}
	/* The mmap may have put another file there. */
	fput(vma.vm_file);
	ex_user_return();
}

/* --- importers --- */

static u64 masks[2] = { DMA_BIT_MASK(64), DMA_BIT_MASK(24) };
static struct device_driver importer_driver;
#define IMPORTER(i) {							\
	.init_name = "importer " #i,					\
	.devres_lock = __SPIN_LOCK_UNLOCKED(importers[i].devres_lock),	\
	.devres_head = LIST_HEAD_INIT(importers[i].devres_head),	\
}
struct device importers[2] = { IMPORTER(0), IMPORTER(1) };

void importers_begin(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct device *dev = &importers[i];

		dev->dma_mask = &masks[i];
		dev->coherent_dma_mask = masks[i];
		dev->driver = &importer_driver;
		mutex_init(&dev->mutex);
		spin_lock_init(&dev->devres_lock);
		INIT_LIST_HEAD(&dev->devres_head);
		kref_init(&dev->kobj.kref);
	}
}

void importer_unbind(int i)
{
	struct device *dev = &importers[i];

	ex_note("the driver of %s leaves", dev->init_name);
	device_lock(dev);
	devres_release_all(dev);
	dev->driver = NULL;
	device_unlock(dev);
}

struct device *get_device(struct device *dev)
{
	kref_get(&dev->kobj.kref);
	return dev;
}

static void device_gone(struct kref *ref)
{
	ex_fault("a device loses its last reference");
}

void put_device(struct device *dev)
{
	kref_put(&dev->kobj.kref, device_gone);
}

static void importer_moves(struct dma_buf_attachment *attach)
{
	struct importer *imp = attach->importer_priv;

	dma_resv_assert_held(attach->dmabuf->resv);
	imp->moves++;
	if (imp->sgt)
		dma_buf_unmap_attachment(attach, imp->sgt, DMA_BIDIRECTIONAL);
	imp->sgt = NULL;
}

const struct dma_buf_attach_ops importer_ops = { .invalidate_mappings = importer_moves };

/* --- fences --- */

static const char *fence_name(struct dma_fence *fence)
{
	return "explore";
}

static const struct dma_fence_ops fence_ops = {
	.get_driver_name = fence_name,
	.get_timeline_name = fence_name,
};

struct fence_lock {
	spinlock_t lock;
	struct rcu_head rcu;
};

struct fence {
	struct dma_fence base;
	spinlock_t lock;
	struct fence_lock *apart;	/* if @lock is not used */
};

static struct dma_fence *fence_init(struct fence *fence, spinlock_t *lock)
{
	spin_lock_init(lock);
	dma_fence_init(&fence->base, &fence_ops, lock, 1, 1);
	return &fence->base;
}

struct dma_fence *fence_new(void)
{
	struct fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL | __GFP_NOFAIL);

	return fence_init(fence, &fence->lock);
}

struct dma_fence *fence_new_lock_apart(void)
{
	struct fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL | __GFP_NOFAIL);

	fence->apart = kzalloc(sizeof(*fence->apart), GFP_KERNEL | __GFP_NOFAIL);
	return fence_init(fence, &fence->apart->lock);
}

void fence_signal_by_interrupt(struct dma_fence *fence)
{
	struct fence_lock *apart = container_of(fence, struct fence, base)->apart;

	ex_interrupt_begin();
	ex_note("an interrupt signals the fence");
	dma_fence_signal(fence);
	if (apart)
		kfree_rcu(apart, rcu);
	dma_fence_put(fence);
	ex_interrupt_end();
}

bool fence_add(struct dma_buf *dmabuf, struct dma_fence *fence, enum dma_resv_usage usage)
{
	int ret;

	dma_resv_lock(dmabuf->resv, NULL);
	ret = dma_resv_reserve_fences(dmabuf->resv, 1);
	if (!ret)
		dma_resv_add_fence(dmabuf->resv, fence, usage);
	dma_resv_unlock(dmabuf->resv);
	return !ret;
}
