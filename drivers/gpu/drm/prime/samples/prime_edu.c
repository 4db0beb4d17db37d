// SPDX-License-Identifier: GPL-2.0
/*
 * A small, complete GEM driver to copy. It exports and imports buffers for
 * QEMU's edu device, whose DMA engine moves bytes between memory and a buffer
 * inside the device. This file, <drm/prime_edu.h> and prime_layer.h are all that
 * you need. prime_layer.h gives all kernels from 6.12 to 7.3 the same names, with
 * the layer or without. Documentation/prime_edu.rst explains the file. The driver
 * uses no helper library for its objects, because they must lie within the
 * device's narrow DMA mask, and because each step of PRIME should be visible here.
 *
 * A driver of a real GPU leaves two parts to DRM's libraries. drm_sched (see
 * <drm/gpu_scheduler.h>) queues the jobs, waits for the fences before them and
 * resets hardware that hangs. drm_exec (see <drm/drm_exec.h>) locks any number
 * of objects at once. This driver does both itself, since it has only one
 * engine, and only two objects for each job.
 *
 * Locks: edu_device.lock protects the list of jobs. Only mod_delayed_work() is
 * called while it is held. edu_device.turn is held while the engine copies a
 * piece. Both may be taken under a reservation object. edu_device.bos_lock
 * protects the list of objects. When the device is gone, it is also held while the
 * DMA of an object ends, and then it is taken before a reservation object. The work
 * that signals fences takes neither bos_lock nor a reservation object, and waits for
 * no memory.
 */
#include <linux/dma-fence-unwrap.h>
#include <linux/dma-resv.h>
#include <linux/interrupt.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_prime.h>
#include <drm/drm_print.h>
#include <drm/prime_edu.h>

#include "prime_layer.h"

#define EDU_REG_IRQ_STATUS	0x24
#define EDU_REG_IRQ_ACK		0x64
#define EDU_REG_DMA_SRC		0x80
#define EDU_REG_DMA_DST		0x88
#define EDU_REG_DMA_COUNT	0x90
#define EDU_REG_DMA_CMD		0x98
#define EDU_DMA_START		(BIT(0) | BIT(2))	/* interrupt at the end */
#define EDU_DMA_TO_MEMORY	BIT(1)

#define EDU_BUFFER		0x40000
#define EDU_TRANSFER_SIZE	SZ_2K	/* QEMU 7.2 aborts when all 4K are used */
#define EDU_DMA_BITS		28
#define EDU_DMA_TIMEOUT		(5 * HZ)	/* a transfer takes 100 ms */
#define EDU_FENCE_TIMEOUT	(10 * HZ)	/* for other drivers' fences */
#define EDU_GIVEN_UP		16	/* more than the fences of a job */

struct edu_device {
	struct drm_device drm;
	void __iomem *regs;		/* constant; used after drm_dev_enter() */
	struct completion dma_done;	/* completed by the interrupt */
	struct mutex turn;		/* held while the engine copies */
	/*
	 * Both work queues live until edu_remove(). The first runs the jobs in
	 * turns, and signals their fences.
	 */
	struct workqueue_struct *engine;
	/* Drops the references of ended jobs. No fence depends on it. */
	struct workqueue_struct *cleaner;
	spinlock_t lock;		/* protects jobs */
	struct list_head jobs;		/* edu_job.node of unfinished jobs */
	/* Protects bos. Taken before reservation objects. */
	struct mutex bos_lock;
	struct list_head bos;		/* edu_bo.node of all objects */
};

/* An open DRM file. Jobs may outlive the file. */
struct edu_client {
	refcount_t refs;	/* the file, and each job that has not ended */
};

struct edu_bo {
	struct drm_gem_object base;
	struct list_head node;		/* in bos; edu_device.bos_lock */
	/*
	 * Mapped for the engine. NULL once the device has been removed, or the
	 * exporter of an imported object has revoked the buffer. The table of an
	 * imported object belongs to base.import_attach, and changes under the
	 * reservation object and edu_device.turn. The table of any other object
	 * is @own, and ends when no job uses the object any more, or none can run.
	 */
	struct sg_table *sgt;
	struct sg_table own;
	struct page **pages;		/* held; constant; NULL for an import */
};

/* A fence that a job waits for. */
struct edu_wait {
	struct dma_fence_cb cb;		/* protected by the fence's lock */
	struct dma_fence *fence;	/* held; constant; NULL for none */
	struct edu_job *job;		/* removes @cb before it ends */
};

/* One copy. Others may hold references to its fence. */
struct edu_job {
	struct dma_fence fence;		/* first: the last put frees the job */
	spinlock_t fence_lock;		/* lock of the fence */
	struct edu_device *edu;		/* edu_remove() waits for the job */
	struct edu_client *client;	/* held until the fence signals */
	struct drm_gem_object *objs[2];	/* held: source, destination */
	struct drm_prime_edu_copy args;	/* constant */
	u64 done;			/* bytes copied; only @work uses it */
	struct edu_wait waits[2];
	atomic_t waiting;		/* fences to wait for; plus 1 in submit */
	struct delayed_work work;	/* a turn, or the end of a long wait */
	struct work_struct clean;
	struct list_head node;		/* in jobs; edu_device.lock */
};

#define to_edu_bo(o) container_of(o, struct edu_bo, base)
#define to_edu_device(d) container_of(d, struct edu_device, drm)

/* --- objects --- */
/*
 * Returns the memory to the DMA API, which is allowed only while the driver is
 * bound to the device. So edu_remove() calls this for the objects that are still
 * used. A reference keeps each page for them. Does nothing the second time.
 */
static void edu_bo_end_dma(struct edu_bo *bo)
{
	struct scatterlist *sg;
	unsigned int i;

	if (!bo->sgt)
		return;
	bo->sgt = NULL;
	for_each_sgtable_sg(&bo->own, sg, i) {
		if (!sg_page(sg))
			break;
		get_page(sg_page(sg));
		dma_free_pages(bo->base.dev->dev, PAGE_SIZE, sg_page(sg),
			       sg_dma_address(sg), DMA_BIDIRECTIONAL);
	}
	sg_free_table(&bo->own);
}

/*
 * An object is freed. While the device is there, @end_dma is called without a
 * lock, since it may wait for the exporter of an import. drm_dev_unplug() waits
 * until it has returned. After the unplug edu_remove() may be ending the DMA of the
 * same object, so the lock is held.
 */
static void edu_bo_unlist(struct edu_bo *bo, void (*end_dma)(struct edu_bo *bo))
{
	struct edu_device *edu = to_edu_device(bo->base.dev);
	bool here;
	int idx;

	here = drm_dev_enter(&edu->drm, &idx);
	if (here) {
		end_dma(bo);
		drm_dev_exit(idx);
	}
	mutex_lock(&edu->bos_lock);
	if (!here)
		end_dma(bo);
	list_del(&bo->node);
	mutex_unlock(&edu->bos_lock);
}

static void edu_bo_free(struct drm_gem_object *obj)
{
	struct edu_bo *bo = to_edu_bo(obj);
	unsigned int i;

	edu_bo_unlist(bo, edu_bo_end_dma);
	for (i = 0; bo->pages && i < obj->size >> PAGE_SHIFT && bo->pages[i]; i++)
		put_page(bo->pages[i]);
	kvfree(bo->pages);
	drm_gem_object_release(obj);
	kfree(bo);
}

/* Maps for processes, by the DRM file and by the dma-buf. */
static int edu_bo_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	/* edu_bo_fault() counts from the start of the object, not of the file. */
	vma->vm_pgoff -= drm_vma_node_start(&obj->vma_node);
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}

/*
 * drm_dev_unplug() removes all mappings. A program that still uses one must not
 * be killed by SIGBUS, so this works without the device, too. The range was
 * checked by mmap().
 */
static vm_fault_t edu_bo_fault(struct vm_fault *vmf)
{
	struct edu_bo *bo = to_edu_bo(vmf->vma->vm_private_data);

	vmf->page = bo->pages[vmf->pgoff];
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct edu_vm_ops = {
	.fault = edu_bo_fault,
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
};

/*
 * Maps for the kernel. An importer that works with the CPU, such as a
 * virtual display, needs this, and some importers don't check that it exists.
 */
static int edu_bo_vmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	void *address = vmap(to_edu_bo(obj)->pages, obj->size >> PAGE_SHIFT,
			     VM_MAP, PAGE_KERNEL);

	if (!address)
		return -ENOMEM;
	iosys_map_set_vaddr(map, address);
	return 0;
}

static void edu_bo_vunmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	vunmap(map->vaddr);
}

/* For another device. The caller maps the list and frees it. */
static struct sg_table *edu_bo_get_sg_table(struct drm_gem_object *obj)
{
	return drm_prime_pages_to_sg(obj->dev, to_edu_bo(obj)->pages,
				     obj->size >> PAGE_SHIFT);
}

/*
 * The functions are those of drm_gem_prime_export(). A table of its own lets
 * edu_import() recognise the buffers of this driver.
 */
static const struct dma_buf_ops edu_dmabuf_ops = {
	.release = drm_gem_dmabuf_release,
	.mmap = drm_gem_dmabuf_mmap,
	.vmap = drm_gem_dmabuf_vmap,
	.vunmap = drm_gem_dmabuf_vunmap,
	.attach = drm_gem_map_attach,
	.detach = drm_gem_map_detach,
	.map_dma_buf = drm_gem_map_dma_buf,
	.unmap_dma_buf = drm_gem_unmap_dma_buf,
};

static struct dma_buf *edu_bo_export(struct drm_gem_object *obj, int flags)
{
	struct dma_buf_export_info info = {
		.exp_name = obj->dev->driver->name,
		.owner = obj->dev->driver->fops->owner,
		.ops = &edu_dmabuf_ops,
		.size = obj->size,
		.flags = flags,
		.priv = obj,
		.resv = obj->resv,
	};

	return drm_gem_dmabuf_export(obj->dev, &info);
}

static const struct drm_gem_object_funcs edu_bo_funcs = {
	.free = edu_bo_free,
	.export = edu_bo_export,
	.get_sg_table = edu_bo_get_sg_table,
	.vmap = edu_bo_vmap,
	.vunmap = edu_bo_vunmap,
	.mmap = edu_bo_mmap,
	.vm_ops = &edu_vm_ops,
};

static struct edu_bo *edu_bo_init(struct drm_device *drm, size_t size,
				  const struct drm_gem_object_funcs *funcs)
{
	struct edu_bo *bo = kzalloc(sizeof(*bo), GFP_KERNEL_ACCOUNT);
	struct edu_device *edu = to_edu_device(drm);

	if (!bo)
		return NULL;
	bo->base.funcs = funcs;
	drm_gem_private_object_init(drm, &bo->base, size);
	mutex_lock(&edu->bos_lock);
	list_add(&bo->node, &edu->bos);
	mutex_unlock(&edu->bos_lock);
	return bo;
}

/*
 * Pages within the DMA mask, or behind the IOMMU; zeroed. Each is allocated by
 * itself, so that edu_bo_end_dma() can keep it. On failure edu_bo_free() frees
 * what there is.
 */
static int edu_bo_alloc(struct edu_bo *bo)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_RETRY_MAYFAIL |
		    __GFP_NOWARN;
	unsigned int count = bo->base.size >> PAGE_SHIFT, i;
	struct scatterlist *sg;

	bo->pages = kvcalloc(count, sizeof(*bo->pages), GFP_KERNEL_ACCOUNT);
	if (!bo->pages || sg_alloc_table(&bo->own, count, GFP_KERNEL_ACCOUNT))
		return -ENOMEM;
	bo->sgt = &bo->own;
	for_each_sgtable_sg(&bo->own, sg, i) {
		bo->pages[i] = dma_alloc_pages(bo->base.dev->dev, PAGE_SIZE,
					       &sg_dma_address(sg),
					       DMA_BIDIRECTIONAL, gfp);
		if (!bo->pages[i])
			return -ENOMEM;
		sg_set_page(sg, bo->pages[i], PAGE_SIZE, 0);
		sg_dma_len(sg) = PAGE_SIZE;
	}
	return 0;
}

static struct edu_bo *edu_bo_create(struct drm_device *drm, size_t size)
{
	struct edu_bo *bo = edu_bo_init(drm, size, &edu_bo_funcs);
	int ret;

	if (!bo)
		return ERR_PTR(-ENOMEM);
	/*
	 * drm_gem_prime_mmap() adds this offset and edu_bo_mmap() subtracts it.
	 * So it must exist before both.
	 */
	ret = drm_gem_create_mmap_offset(&bo->base) ?: edu_bo_alloc(bo);
	if (!ret)
		return bo;
	drm_gem_object_put(&bo->base);
	return ERR_PTR(ret);
}

/* --- create --- */
/*
 * A row has whole bytes, and the size has whole pages. Nothing may wrap: the
 * product of width and bpp can exceed 32 bits even if the row's bytes do not.
 */
static int edu_dumb_layout(struct drm_mode_create_dumb *args)
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

static int edu_dumb_create(struct drm_file *file, struct drm_device *drm,
			   struct drm_mode_create_dumb *args)
{
	int idx, ret = edu_dumb_layout(args);
	struct edu_bo *bo;

	if (ret)
		return ret;
	if (args->size > dma_get_mask(drm->dev))
		return -ENOMEM;
	/* The DMA API must not be called for a device that is unplugged. */
	if (!drm_dev_enter(drm, &idx))
		return -ENODEV;
	bo = edu_bo_create(drm, args->size);
	drm_dev_exit(idx);
	if (IS_ERR(bo))
		return PTR_ERR(bo);
	ret = drm_gem_handle_create(file, &bo->base, &args->handle);
	/* The handle holds the object now. Without a handle, this frees it. */
	drm_gem_object_put(&bo->base);
	return ret;
}

/* --- import --- */
/*
 * Gives the buffer back for good. The piece that the engine copies now ends
 * first, and each later one fails. The caller holds the reservation object. An
 * exporter calls this when it takes the memory away, and the driver before the
 * object or the device goes.
 */
static void edu_import_revoke(struct dma_buf_attachment *attach)
{
	struct edu_bo *bo = attach->importer_priv;
	struct edu_device *edu = to_edu_device(bo->base.dev);
	struct sg_table *sgt = bo->sgt;

	if (!sgt)
		return;
	mutex_lock(&edu->turn);
	bo->sgt = NULL;
	mutex_unlock(&edu->turn);
	dma_buf_unmap_attachment(attach, sgt, DMA_BIDIRECTIONAL);
	dma_buf_unpin(attach);
}

static const struct dma_buf_attach_ops edu_attach_ops = {
	.invalidate_mappings = edu_import_revoke,
};

/* Takes memory of another PCI device, too. */
static const struct dma_buf_attach_ops edu_attach_peer_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = edu_import_revoke,
};

/* As edu_bo_end_dma(), for the memory of another driver. */
static void edu_import_end_dma(struct edu_bo *bo)
{
	if (!bo->base.import_attach)
		return;
	dma_resv_lock(bo->base.resv, NULL);
	edu_import_revoke(bo->base.import_attach);
	dma_resv_unlock(bo->base.resv);
}

static void edu_import_free(struct drm_gem_object *obj)
{
	edu_bo_unlist(to_edu_bo(obj), edu_import_end_dma);
	if (obj->import_attach)
		drm_prime_gem_destroy(obj, NULL);
	drm_gem_object_release(obj);
	kfree(to_edu_bo(obj));
}

/* Processes and the kernel map the exporter's buffer, not this object. */
static const struct drm_gem_object_funcs edu_import_funcs = {
	.free = edu_import_free,
};

/*
 * The engine gets the DMA addresses; the pages belong to the exporter. The
 * engine drops the upper bits of an address, so each address is checked. It
 * accepts segments of any length and boundary. Other drivers also check
 * dma_get_max_seg_size() and dma_get_seg_boundary() here.
 */
static int edu_import_check(struct dma_buf_attachment *attach, struct sg_table *sgt)
{
	u64 mask = min_not_zero(dma_get_mask(attach->dev), attach->dev->bus_dma_limit);
	u64 length = 0, last;
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (!sg_dma_len(sg))
			return -EINVAL;
		last = sg_dma_address(sg) + sg_dma_len(sg) - 1;
		if (last > mask || last < sg_dma_address(sg)) {
			/* The program can ask why. No address is told. */
			dma_buf_refuse(attach, DMA_BUF_FIELD_DMA_MASK, mask,
				       GENMASK_ULL(fls64(last | 1) - 1, 0));
			return -EIO;
		}
		length += sg_dma_len(sg);
	}
	return length < attach->dmabuf->size ? -EINVAL : 0;
}

/* Behind an IOMMU the engine reaches all memory, that of other devices too. */
static bool edu_translated(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return domain && iommu_is_dma_domain(domain);
}

/* Late storage is placed where all attached devices reach it. */
static bool edu_reaches(struct device *dev, struct dma_buf *dmabuf)
{
	return edu_translated(dev) || !dma_addressing_limited(dev) || dma_buf_is_late(dmabuf);
}

/*
 * Pinned and mapped until the object is freed or the exporter revokes the
 * buffer, as this driver does not follow moves. The caller holds the
 * reservation object.
 */
static int edu_import_map(struct edu_bo *bo, struct dma_buf_attachment *attach)
{
	struct sg_table *sgt;
	int ret = dma_buf_pin(attach);

	if (ret)
		return ret;
	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt)) {
		dma_buf_unpin(attach);
		return PTR_ERR(sgt);
	}
	bo->sgt = sgt;
	return edu_import_check(attach, sgt);
}

/*
 * As drm_gem_prime_import(), but by an attachment that the exporter can revoke.
 * Exporters of a PCI device's memory accept no other.
 */
static struct drm_gem_object *
edu_import_attach(struct drm_device *drm, struct dma_buf *dmabuf)
{
	const struct dma_buf_attach_ops *ops = edu_translated(drm->dev) ?
					       &edu_attach_peer_ops : &edu_attach_ops;
	struct edu_bo *bo = edu_bo_init(drm, dmabuf->size, &edu_import_funcs);
	struct dma_buf_attachment *attach;
	int ret;

	if (!bo)
		return ERR_PTR(-ENOMEM);
	attach = dma_buf_dynamic_attach(dmabuf, drm->dev, ops, bo);
	if (IS_ERR(attach)) {
		drm_gem_object_put(&bo->base);
		return ERR_CAST(attach);
	}
	get_dma_buf(dmabuf);
	/* If the size of the buffer is negotiated, it is final only now. */
	bo->base.size = dmabuf->size;
	bo->base.import_attach = attach;
	bo->base.resv = dmabuf->resv;

	dma_resv_lock(dmabuf->resv, NULL);
	ret = edu_import_map(bo, attach);
	dma_resv_unlock(dmabuf->resv);
	if (!ret)
		return &bo->base;
	drm_gem_object_put(&bo->base);
	return ERR_PTR(ret);
}

static void edu_ignore_move(struct dma_buf_attachment *attach)
{
}

static const struct dma_buf_attach_ops edu_attach_only_ops = {
	.invalidate_mappings = edu_ignore_move,
};

/*
 * Attaches only to say why. It must not map, since the DMA API warns about a page
 * that is out of reach. Linux 6.12 maps at attach if only one of exporter and
 * importer follows moves, so this importer does what the exporter does.
 */
static struct drm_gem_object *edu_import_refuse(struct drm_device *drm, struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach =
		dma_buf_dynamic_attach(dmabuf, drm->dev,
				       dmabuf->ops->pin ? &edu_attach_only_ops : NULL, NULL);

	if (!IS_ERR(attach)) {
		/* Where the pages are is not known. */
		dma_buf_refuse(attach, DMA_BUF_FIELD_DMA_MASK, dma_get_mask(drm->dev), 0);
		dma_buf_detach(dmabuf, attach);
	}
	return ERR_PTR(-EIO);
}

static struct drm_gem_object *edu_import(struct drm_device *drm,
					 struct dma_buf *dmabuf)
{
	struct drm_gem_object *obj;
	int idx;

	/*
	 * The import of a buffer of this device gives its object. A buffer of
	 * another edu device is imported: it may lie behind that device's
	 * IOMMU.
	 */
	if (dmabuf->ops == &edu_dmabuf_ops) {
		struct drm_gem_object *own = dmabuf->priv;

		if (own->dev == drm) {
			drm_gem_object_get(own);
			return own;
		}
	}
	if (!drm_dev_enter(drm, &idx))
		return ERR_PTR(-ENODEV);
	obj = edu_reaches(drm->dev, dmabuf) ? edu_import_attach(drm, dmabuf) :
					      edu_import_refuse(drm, dmabuf);
	drm_dev_exit(idx);
	return obj;
}

/* --- engine --- */
static irqreturn_t edu_irq(int irq, void *data)
{
	struct edu_device *edu = data;

	writel(readl(edu->regs + EDU_REG_IRQ_STATUS),
	       edu->regs + EDU_REG_IRQ_ACK);
	complete(&edu->dma_done);
	return IRQ_HANDLED;
}

static int edu_transfer(struct edu_device *edu, dma_addr_t src, dma_addr_t dst,
			u32 count, u32 command)
{
	reinit_completion(&edu->dma_done);
	writel(src, edu->regs + EDU_REG_DMA_SRC);
	writel(dst, edu->regs + EDU_REG_DMA_DST);
	writel(count, edu->regs + EDU_REG_DMA_COUNT);
	writel(command | EDU_DMA_START, edu->regs + EDU_REG_DMA_CMD);
	if (wait_for_completion_timeout(&edu->dma_done, EDU_DMA_TIMEOUT))
		return 0;
	/* The engine must not write later into memory that has been freed. */
	pci_clear_master(to_pci_dev(edu->drm.dev));
	drm_err(&edu->drm, "the DMA engine is stuck\n");
	return -ETIMEDOUT;
}

/*
 * Returns the DMA address at @offset. Limits *@count to the page, since an
 * IOMMU may join pages that are not contiguous for the CPU's caches.
 */
static dma_addr_t edu_address(struct drm_gem_object *obj, u64 offset, u32 *count)
{
	struct scatterlist *sg;
	dma_addr_t address;
	unsigned int i;

	for_each_sgtable_dma_sg(to_edu_bo(obj)->sgt, sg, i) {
		if (offset < sg_dma_len(sg))
			break;
		offset -= sg_dma_len(sg);
	}
	address = sg_dma_address(sg) + offset;
	*count = min3((u64)*count, sg_dma_len(sg) - offset,
		      (u64)PAGE_SIZE - offset_in_page(address));
	return address;
}

/*
 * Moves @count bytes between an object and the buffer of the engine. Objects
 * stay mapped for long, so each transfer syncs its bytes; with bounce buffers
 * this moves the bytes. It syncs no other bytes, since the CPU may be
 * writing next to them. The table of vfio-pci, for the memory of a PCI device, has
 * no pages: such memory needs no sync.
 */
static int edu_move(struct edu_device *edu, struct drm_gem_object *obj,
		    dma_addr_t address, u32 count, enum dma_data_direction dir)
{
	bool sync = to_edu_bo(obj)->sgt->orig_nents;
	struct device *dev = edu->drm.dev;
	int ret;

	if (sync)
		dma_sync_single_for_device(dev, address, count, dir);
	if (dir == DMA_TO_DEVICE)
		ret = edu_transfer(edu, address, EDU_BUFFER, count, 0);
	else
		ret = edu_transfer(edu, EDU_BUFFER, address, count,
				   EDU_DMA_TO_MEMORY);
	if (sync)
		dma_sync_single_for_cpu(dev, address, count, dir);
	return ret;
}

/*
 * Copies as much as the buffer of the engine takes. The caller holds
 * edu_device.turn, so the exporter's revocation waits for this piece.
 */
static int edu_copy_piece(struct edu_job *job)
{
	struct drm_gem_object *from = job->objs[0], *to = job->objs[1];
	struct drm_prime_edu_copy *args = &job->args;
	dma_addr_t src, dst;
	u32 count;
	int ret;

	if (!to_edu_bo(from)->sgt || !to_edu_bo(to)->sgt)
		return -ENODEV;
	count = min_t(u64, args->size - job->done, EDU_TRANSFER_SIZE);
	src = edu_address(from, args->src_offset + job->done, &count);
	dst = edu_address(to, args->dst_offset + job->done, &count);

	ret = edu_move(job->edu, from, src, count, DMA_TO_DEVICE) ?:
	      edu_move(job->edu, to, dst, count, DMA_FROM_DEVICE);
	job->done += count;
	return ret;
}

/* --- jobs --- */
static const char *edu_fence_name(struct dma_fence *fence)
{
	return "prime_edu";
}

static const struct dma_fence_ops edu_fence_ops = {
	.get_driver_name = edu_fence_name,
	.get_timeline_name = edu_fence_name,
};

static void edu_client_put(struct edu_client *client)
{
	if (refcount_dec_and_test(&client->refs))
		kfree(client);
}

/* Counts one more job, unless the client has too many. */
static int edu_client_get(struct edu_client *client)
{
	refcount_inc(&client->refs);
	if (refcount_read(&client->refs) <= 1 + PRIME_EDU_MAX_JOBS)
		return 0;
	edu_client_put(client);
	return -EBUSY;
}

/* Drops the job's references. */
static void edu_job_release(struct edu_job *job)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(job->objs); i++) {
		dma_fence_put(job->waits[i].fence);
		drm_gem_object_put(job->objs[i]);
	}
}

/*
 * Runs in a separate queue: freeing an imported object takes the reservation
 * object of its buffer. The thread that holds it may be waiting for the fence
 * of another job.
 */
static void edu_job_clean(struct work_struct *work)
{
	struct edu_job *job = container_of(work, struct edu_job, clean);

	edu_job_release(job);
	dma_fence_put(&job->fence);
}

static void edu_job_end(struct edu_job *job, int error)
{
	struct edu_device *edu = job->edu;
	int i;

	for (i = 0; i < ARRAY_SIZE(job->waits); i++)
		if (job->waits[i].fence)
			dma_fence_remove_callback(job->waits[i].fence,
						  &job->waits[i].cb);
	spin_lock(&edu->lock);
	list_del(&job->node);
	spin_unlock(&edu->lock);
	/* No callback queues the job any more, but it may be queued already. */
	cancel_delayed_work(&job->work);

	/* Before the signal: after it the client may queue its next job. */
	edu_client_put(job->client);
	if (error)
		dma_fence_set_error(&job->fence, error);
	dma_fence_signal(&job->fence);
	queue_work(edu->cleaner, &job->clean);
}

/* Does the job still wait for a fence of another driver? */
static bool edu_job_waits_for_others(struct edu_job *job)
{
	struct dma_fence_unwrap iter;
	struct dma_fence *fence;
	bool others = false;
	int i;

	/* A return in the loop would leak the iterator's reference. */
	for (i = 0; i < ARRAY_SIZE(job->waits); i++)
		dma_fence_unwrap_for_each(fence, &iter, job->waits[i].fence)
			others |= prime_fence_ops(fence) != &edu_fence_ops &&
				  !dma_fence_is_signaled(fence);
	return others;
}

/*
 * The job has waited for EDU_FENCE_TIMEOUT. It goes on waiting for fences of
 * this driver, which are sure to signal. EDU_GIVEN_UP keeps edu_job_ready()
 * from queueing a job that has given up.
 */
static int edu_job_give_up(struct edu_job *job)
{
	if (edu_job_waits_for_others(job) &&
	    atomic_add_unless(&job->waiting, EDU_GIVEN_UP, 0))
		return -ETIMEDOUT;
	return -EINPROGRESS;
}

/*
 * Returns -EINPROGRESS when the job has not ended and its work will run again.
 * A job with more to copy goes to the end of the queue, so that a long copy
 * does not delay a short one of another client.
 */
static int edu_job_turn(struct edu_job *job)
{
	int ret;

	if (atomic_read(&job->waiting))
		return edu_job_give_up(job);
	mutex_lock(&job->edu->turn);
	ret = edu_copy_piece(job);
	mutex_unlock(&job->edu->turn);
	if (ret || job->done == job->args.size)
		return ret;
	queue_delayed_work(job->edu->engine, &job->work, 0);
	return -EINPROGRESS;
}

static void edu_job_run(struct work_struct *work)
{
	struct edu_job *job = container_of(to_delayed_work(work), struct edu_job,
					   work);
	int idx, ret = -ENODEV;
	bool cookie;

	/*
	 * Others wait for this fence. lockdep checks that nothing up to
	 * dma_fence_end_signalling() waits for memory or a reservation object.
	 */
	cookie = dma_fence_begin_signalling();
	if (drm_dev_enter(&job->edu->drm, &idx)) {
		ret = edu_job_turn(job);
		drm_dev_exit(idx);
	}
	if (ret != -EINPROGRESS)
		edu_job_end(job, ret);
	dma_fence_end_signalling(cookie);
}

/* --- submit --- */
/* One fence less to wait for. After the last one the job can run. */
static void edu_job_ready(struct edu_job *job)
{
	if (atomic_dec_and_test(&job->waiting))
		mod_delayed_work(job->edu->engine, &job->work, 0);
}

/* Called with the fence's lock held, perhaps in an interrupt. */
static void edu_wait_over(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	edu_job_ready(container_of(cb, struct edu_wait, cb)->job);
}

/*
 * After this call the job is sure to end. It waits by callbacks and is not in
 * the engine's queue meanwhile, so a fence that one client waits for does not
 * block another client.
 */
static void edu_job_start(struct edu_job *job)
{
	struct edu_device *edu = job->edu;
	struct edu_wait *wait;
	int i;

	spin_lock(&edu->lock);
	list_add_tail(&job->node, &edu->jobs);
	spin_unlock(&edu->lock);

	/* The 1 keeps the job from running before all callbacks are added. */
	atomic_set(&job->waiting, 1 + ARRAY_SIZE(job->waits));
	for (i = 0; i < ARRAY_SIZE(job->waits); i++) {
		wait = &job->waits[i];
		wait->job = job;
		/* An error means that the fence has signalled already. */
		if (!wait->fence ||
		    dma_fence_add_callback(wait->fence, &wait->cb, edu_wait_over))
			atomic_dec(&job->waiting);
	}
	queue_delayed_work(edu->engine, &job->work, EDU_FENCE_TIMEOUT);
	edu_job_ready(job);
}

/* Called with the reservation objects locked, to collect and add fences. */
static int edu_job_queue(struct edu_job *job, struct drm_gem_object **objs)
{
	struct dma_resv *src = objs[0]->resv, *dst = objs[1]->resv;
	int ret = 0;

	/* A reader waits for writers, a writer for everybody. */
	if (src != dst)
		ret = dma_resv_reserve_fences(src, 1) ?:
		      dma_resv_get_singleton(src, dma_resv_usage_rw(false),
					     &job->waits[0].fence);
	if (!ret)
		ret = dma_resv_reserve_fences(dst, 1) ?:
		      dma_resv_get_singleton(dst, dma_resv_usage_rw(true),
					     &job->waits[1].fence);
	if (!ret)
		ret = edu_client_get(job->client);
	if (ret)
		return ret;

	drm_gem_object_get(objs[0]);
	drm_gem_object_get(objs[1]);
	memcpy(job->objs, objs, sizeof(job->objs));
	dma_fence_init(&job->fence, &edu_fence_ops, &job->fence_lock,
		       dma_fence_context_alloc(1), 1);
	/* The job may end before its fence has been added below. */
	dma_fence_get(&job->fence);
	/* Started first: a fence that others can see must be sure to signal. */
	edu_job_start(job);
	if (src != dst)
		dma_resv_add_fence(src, &job->fence, DMA_RESV_USAGE_READ);
	dma_resv_add_fence(dst, &job->fence, DMA_RESV_USAGE_WRITE);
	dma_fence_put(&job->fence);
	return 0;
}

/* Written without a sum, which could wrap. */
static bool edu_range_valid(struct drm_gem_object *obj, u64 offset, u64 size)
{
	return size && size <= obj->size && offset <= obj->size - size;
}

static int edu_copy_check(const struct drm_prime_edu_copy *args,
			  struct drm_gem_object *src, struct drm_gem_object *dst)
{
	u64 from = args->src_offset, to = args->dst_offset, size = args->size;

	if (!src || !dst)
		return -ENOENT;
	if (!edu_range_valid(src, from, size) || !edu_range_valid(dst, to, size) ||
	    (src == dst && from < to + size && to < from + size))
		return -EINVAL;
	/* Others wait for the fence, so the copy must not take hours. */
	return size > PRIME_EDU_MAX_COPY ? -E2BIG : 0;
}

/* The caller holds @objs, since the job may drop its references at any time. */
static int edu_job_submit(struct edu_job *job, struct drm_gem_object **objs)
{
	struct ww_acquire_ctx ctx;
	int count, ret;

	ret = edu_copy_check(&job->args, objs[0], objs[1]);
	if (ret)
		return ret;
	/* Locks both in any order; only one if the buffers share it. */
	count = objs[0]->resv == objs[1]->resv ? 1 : 2;
	ret = drm_gem_lock_reservations(objs, count, &ctx);
	if (ret)
		return ret;
	ret = edu_job_queue(job, objs);
	drm_gem_unlock_reservations(objs, count, &ctx);
	return ret;
}

static int edu_ioctl_copy(struct drm_device *drm, void *data,
			  struct drm_file *file)
{
	struct drm_prime_edu_copy *args = data;
	struct drm_gem_object *objs[2];
	struct edu_job *job;
	int idx, ret;

	if (args->flags || args->pad)
		return -EINVAL;
	/* Charged to the client's memory cgroup, as there may be many jobs. */
	job = kzalloc(sizeof(*job), GFP_KERNEL_ACCOUNT);
	if (!job)
		return -ENOMEM;
	job->args = *args;
	job->edu = to_edu_device(drm);
	job->client = file->driver_priv;
	spin_lock_init(&job->fence_lock);
	INIT_DELAYED_WORK(&job->work, edu_job_run);
	INIT_WORK(&job->clean, edu_job_clean);
	objs[0] = drm_gem_object_lookup(file, args->src_handle);
	objs[1] = drm_gem_object_lookup(file, args->dst_handle);

	/* edu_remove() ends all jobs, so none may start after it. */
	ret = -ENODEV;
	if (drm_dev_enter(drm, &idx)) {
		ret = edu_job_submit(job, objs);
		drm_dev_exit(idx);
	}
	drm_gem_object_put(objs[0]);
	drm_gem_object_put(objs[1]);
	if (ret) {
		edu_job_release(job);
		kfree(job);
	}
	return ret;
}

/* --- driver --- */
static const struct drm_ioctl_desc edu_ioctls[] = {
	DRM_IOCTL_DEF_DRV(PRIME_EDU_COPY, edu_ioctl_copy, DRM_RENDER_ALLOW),
};

static int edu_open(struct drm_device *drm, struct drm_file *file)
{
	struct edu_client *client = kzalloc(sizeof(*client), GFP_KERNEL_ACCOUNT);

	if (!client)
		return -ENOMEM;
	refcount_set(&client->refs, 1);
	file->driver_priv = client;
	return 0;
}

static void edu_postclose(struct drm_device *drm, struct drm_file *file)
{
	edu_client_put(file->driver_priv);
}

DEFINE_DRM_GEM_FOPS(edu_fops);

static const struct drm_driver edu_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER,
	.open = edu_open,
	.postclose = edu_postclose,
	.dumb_create = edu_dumb_create,
	.gem_prime_import = edu_import,
	.ioctls = edu_ioctls,
	.num_ioctls = ARRAY_SIZE(edu_ioctls),
	.fops = &edu_fops,
	.name = "prime_edu",
	.desc = "PRIME sample driver for QEMU's edu device",
	.major = PRIME_EDU_MAJOR,
	.minor = PRIME_EDU_MINOR,
};

static int edu_init_hardware(struct edu_device *edu, struct pci_dev *pdev)
{
	struct device *dev = &pdev->dev;
	int ret;

	/* The DMA API translates or bounces what the engine can't address. */
	ret = pcim_enable_device(pdev) ?:
	      dma_set_mask_and_coherent(dev, DMA_BIT_MASK(EDU_DMA_BITS));
	if (ret)
		return ret;
	dma_set_max_seg_size(dev, UINT_MAX);
	edu->regs = pcim_iomap_region(pdev, 0, "prime_edu");
	if (IS_ERR(edu->regs))
		return PTR_ERR(edu->regs);
	pci_set_master(pdev);
	ret = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSI);
	if (ret < 0)
		return ret;
	return devm_request_irq(dev, pci_irq_vector(pdev, 0), edu_irq, 0,
				"prime_edu", edu);
}

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu_device *edu;
	int ret;

	edu = devm_drm_dev_alloc(&pdev->dev, &edu_driver, struct edu_device, drm);
	if (IS_ERR(edu))
		return PTR_ERR(edu);
	pci_set_drvdata(pdev, edu);
	init_completion(&edu->dma_done);
	mutex_init(&edu->turn);
	spin_lock_init(&edu->lock);
	INIT_LIST_HEAD(&edu->jobs);
	mutex_init(&edu->bos_lock);
	INIT_LIST_HEAD(&edu->bos);
	ret = edu_init_hardware(edu, pdev);
	if (ret)
		return ret;

	/* Memory reclaim may wait for a fence of this queue. */
	edu->engine = alloc_ordered_workqueue("prime_edu", WQ_MEM_RECLAIM);
	if (!edu->engine)
		return -ENOMEM;
	edu->cleaner = alloc_workqueue("prime_edu_clean", WQ_UNBOUND, 0);
	ret = edu->cleaner ? drm_dev_register(&edu->drm, 0) : -ENOMEM;
	if (!ret)
		return 0;
	if (edu->cleaner)
		destroy_workqueue(edu->cleaner);
	destroy_workqueue(edu->engine);
	return ret;
}

static void edu_remove(struct pci_dev *pdev)
{
	struct edu_device *edu = pci_get_drvdata(pdev);
	struct edu_job *job;
	struct edu_bo *bo;

	/*
	 * From here on no job starts, nobody maps memory for the device, and
	 * nobody touches the registers.
	 */
	drm_dev_unplug(&edu->drm);
	/* A job that runs now ends with ENODEV, so let all of them run. */
	spin_lock(&edu->lock);
	list_for_each_entry(job, &edu->jobs, node)
		mod_delayed_work(edu->engine, &job->work, 0);
	spin_unlock(&edu->lock);
	/* Flushed first: fences must not queue work while it is destroyed. */
	flush_workqueue(edu->engine);
	destroy_workqueue(edu->engine);
	destroy_workqueue(edu->cleaner);

	/* Programs may keep buffers for long. The DMA API must not see them. */
	mutex_lock(&edu->bos_lock);
	list_for_each_entry(bo, &edu->bos, node) {
		if (bo->base.import_attach)
			edu_import_end_dma(bo);
		else
			edu_bo_end_dma(bo);
	}
	mutex_unlock(&edu->bos_lock);
}

static const struct pci_device_id edu_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{ }
};
MODULE_DEVICE_TABLE(pci, edu_ids);

static struct pci_driver edu_pci_driver = {
	.name = "prime_edu",
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
};
module_pci_driver(edu_pci_driver);

MODULE_IMPORT_NS("DMA_BUF");
MODULE_DESCRIPTION("PRIME sample driver for QEMU's edu device");
MODULE_LICENSE("GPL");
