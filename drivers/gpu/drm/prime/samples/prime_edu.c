// SPDX-License-Identifier: GPL-2.0
/*
 * A small, complete GEM driver that exports and imports, for QEMU's edu device,
 * whose DMA engine moves bytes between memory and a buffer inside the device.
 * Written to be copied; Documentation/prime_edu.rst walks through it. Objects
 * are its own, not a helper library's: they are allocated within the device's
 * narrow DMA mask, and each step that PRIME takes is in sight.
 */
#include <linux/dma-resv.h>
#include <linux/interrupt.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/pci.h>
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

struct edu_device {
	struct drm_device drm;
	void __iomem *regs;
	struct workqueue_struct *queue;	/* one job at a time, in order */
	struct completion dma_done;	/* completed by the interrupt */
};

struct edu_bo {
	struct drm_gem_object base;
	/* Mapped for the engine: allocated here, or lent by the exporter. */
	struct sg_table *sgt;
};

/* One copy. Others may hold on to its fence. */
struct edu_job {
	struct dma_fence fence;		/* first: the last put frees the job */
	spinlock_t lock;		/* the fence's */
	struct work_struct work;
	struct edu_device *edu;
	struct dma_fence *after[2];	/* what the copy waits for, or NULL */
	struct drm_gem_object *objs[2];	/* source, destination */
	struct drm_prime_edu_copy args;
};

#define to_edu_bo(o) container_of(o, struct edu_bo, base)

/* --- objects --- */
static void edu_bo_free(struct drm_gem_object *obj)
{
	struct edu_bo *bo = to_edu_bo(obj);

	if (obj->import_attach)
		drm_prime_gem_destroy(obj, bo->sgt);
	else if (bo->sgt)
		dma_free_noncontiguous(obj->dev->dev, obj->size, bo->sgt,
				       DMA_BIDIRECTIONAL);
	drm_gem_object_release(obj);
	kfree(bo);
}

/* Never called for an imported object: its exporter maps it. */
static int edu_bo_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	vma->vm_pgoff -= drm_vma_node_start(&obj->vma_node);
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	return dma_mmap_noncontiguous(obj->dev->dev, vma, obj->size,
				      to_edu_bo(obj)->sgt);
}

static const struct vm_operations_struct edu_vm_ops = {
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
};

/* For another device: who asks maps the list and frees it. */
static struct sg_table *edu_bo_get_sg_table(struct drm_gem_object *obj)
{
	unsigned int count = obj->size >> PAGE_SHIFT, i = 0;
	struct sg_page_iter iter;
	struct sg_table *sgt;
	struct page **pages;

	pages = kvmalloc_array(count, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return ERR_PTR(-ENOMEM);
	for_each_sgtable_page(to_edu_bo(obj)->sgt, &iter, 0)
		if (i < count)
			pages[i++] = sg_page_iter_page(&iter);
	sgt = drm_prime_pages_to_sg(obj->dev, pages, count);
	kvfree(pages);
	return sgt;
}

static const struct drm_gem_object_funcs edu_bo_funcs = {
	.free = edu_bo_free,
	.get_sg_table = edu_bo_get_sg_table,
	.mmap = edu_bo_mmap,
	.vm_ops = &edu_vm_ops,
};

static struct edu_bo *edu_bo_init(struct drm_device *drm, size_t size)
{
	struct edu_bo *bo = kzalloc(sizeof(*bo), GFP_KERNEL);

	if (!bo)
		return NULL;
	bo->base.funcs = &edu_bo_funcs;
	drm_gem_private_object_init(drm, &bo->base, size);
	return bo;
}

static int edu_dumb_create(struct drm_file *file, struct drm_device *drm,
			   struct drm_mode_create_dumb *args)
{
	gfp_t gfp = GFP_KERNEL | __GFP_ZERO | __GFP_RETRY_MAYFAIL | __GFP_NOWARN;
	struct edu_bo *bo;
	int ret = -ENOMEM;

	if (args->flags)
		return -EINVAL;
	args->pitch = DIV_ROUND_UP(args->width * args->bpp, 8);
	args->size = PAGE_ALIGN((u64)args->pitch * args->height);
	if (args->size > dma_get_mask(drm->dev))
		return -ENOMEM;
	bo = edu_bo_init(drm, args->size);
	if (!bo)
		return -ENOMEM;
	/* Within the DMA mask, or behind the IOMMU; zeroed. */
	bo->sgt = dma_alloc_noncontiguous(drm->dev, args->size,
					  DMA_BIDIRECTIONAL, gfp, 0);
	if (bo->sgt)
		ret = drm_gem_handle_create(file, &bo->base, &args->handle);
	/* The handle holds the object now, or nobody does. */
	drm_gem_object_put(&bo->base);
	return ret;
}

/* --- import --- */
/*
 * The DMA API takes a page out of reach for a bug of the kernel. So import only
 * if an IOMMU translates, or all memory is in reach (and a bounce buffer too),
 * or the buffer is placed with this device in mind: allocated here, or late.
 */
static struct drm_gem_object *edu_import(struct drm_device *drm,
					 struct dma_buf *dmabuf)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(drm->dev);

	if (!(domain && iommu_is_dma_domain(domain)) &&
	    dma_addressing_limited(drm->dev) && !dma_buf_is_late(dmabuf) &&
	    dmabuf->owner != THIS_MODULE) {
		drm_dbg_prime(drm, "memory out of reach and no IOMMU\n");
		return ERR_PTR(-EIO);
	}
	return drm_gem_prime_import(drm, dmabuf);
}

/* The list is mapped for this device, and mapped until the object is freed. */
static struct drm_gem_object *
edu_import_sg_table(struct drm_device *drm, struct dma_buf_attachment *attach,
		    struct sg_table *sgt)
{
	u64 length = 0, mask = dma_get_mask(drm->dev);
	struct scatterlist *sg;
	struct edu_bo *bo;
	unsigned int i;

	/* The engine drops the upper bits of an address; better be sure. */
	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (sg_dma_address(sg) + sg_dma_len(sg) - 1 > mask)
			return ERR_PTR(-EIO);
		length += sg_dma_len(sg);
	}
	if (length < attach->dmabuf->size)
		return ERR_PTR(-EINVAL);

	bo = edu_bo_init(drm, attach->dmabuf->size);
	if (!bo)
		return ERR_PTR(-ENOMEM);
	bo->sgt = sgt;
	return &bo->base;
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
	/* It must not write later into memory that is no longer its own. */
	pci_clear_master(to_pci_dev(edu->drm.dev));
	drm_err(&edu->drm, "the DMA engine is stuck\n");
	return -ETIMEDOUT;
}

/*
 * *@count shrinks to what lies in one piece: within a page, since an IOMMU may
 * have joined pages that are no neighbours for the processor's caches.
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
 * Objects stay mapped for long, so what is copied changes hands each time: where
 * there are bounce buffers, this is what moves the bytes. Not more than what is
 * copied, since the processor may be writing beside it.
 */
static int edu_copy(struct edu_job *job)
{
	struct drm_prime_edu_copy *args = &job->args;
	struct edu_device *edu = job->edu;
	struct device *dev = edu->drm.dev;
	dma_addr_t src, dst;
	u32 count;
	u64 done;

	for (done = 0; done < args->size; done += count) {
		count = min_t(u64, args->size - done, EDU_TRANSFER_SIZE);
		src = edu_address(job->objs[0], args->src_offset + done, &count);
		dst = edu_address(job->objs[1], args->dst_offset + done, &count);

		dma_sync_single_for_device(dev, src, count, DMA_TO_DEVICE);
		if (edu_transfer(edu, src, EDU_BUFFER, count, 0))
			return -ETIMEDOUT;
		dma_sync_single_for_cpu(dev, src, count, DMA_TO_DEVICE);

		dma_sync_single_for_device(dev, dst, count, DMA_FROM_DEVICE);
		if (edu_transfer(edu, EDU_BUFFER, dst, count, EDU_DMA_TO_MEMORY))
			return -ETIMEDOUT;
		dma_sync_single_for_cpu(dev, dst, count, DMA_FROM_DEVICE);
	}
	return 0;
}

/* --- fences --- */
static const char *edu_fence_name(struct dma_fence *fence)
{
	return "prime_edu";
}

static const struct dma_fence_ops edu_fence_ops = {
	.get_driver_name = edu_fence_name,
	.get_timeline_name = edu_fence_name,
};

static void edu_job_run(struct work_struct *work)
{
	struct edu_job *job = container_of(work, struct edu_job, work);
	bool cookie;
	int i, ret = 0;

	for (i = 0; i < ARRAY_SIZE(job->after); i++) {
		if (job->after[i] &&
		    !dma_fence_wait_timeout(job->after[i], false,
					    EDU_FENCE_TIMEOUT))
			ret = -ETIMEDOUT;
		dma_fence_put(job->after[i]);
	}

	/* Others wait for this fence: nothing below may wait for memory. */
	cookie = dma_fence_begin_signalling();
	if (!ret)
		ret = edu_copy(job);
	if (ret)
		dma_fence_set_error(&job->fence, ret);
	dma_fence_signal(&job->fence);
	dma_fence_end_signalling(cookie);

	drm_gem_object_put(job->objs[0]);
	drm_gem_object_put(job->objs[1]);
	dma_fence_put(&job->fence);
}

/* --- submit --- */
/* With the reservation objects locked: collect fences, leave ours, queue. */
static int edu_job_queue(struct edu_job *job)
{
	struct dma_resv *src = job->objs[0]->resv, *dst = job->objs[1]->resv;
	int ret;

	/* A reader waits for writers, a writer for everybody. */
	if (src != dst) {
		ret = dma_resv_reserve_fences(src, 1) ?:
		      dma_resv_get_singleton(src, dma_resv_usage_rw(false),
					     &job->after[0]);
		if (ret)
			return ret;
	}
	ret = dma_resv_reserve_fences(dst, 1) ?:
	      dma_resv_get_singleton(dst, dma_resv_usage_rw(true),
				     &job->after[1]);
	if (ret) {
		dma_fence_put(job->after[0]);
		return ret;
	}

	/* Nothing fails from here on: a fence that is shown will signal. */
	dma_fence_init(&job->fence, &edu_fence_ops, &job->lock,
		       dma_fence_context_alloc(1), 1);
	if (src != dst)
		dma_resv_add_fence(src, &job->fence, DMA_RESV_USAGE_READ);
	dma_resv_add_fence(dst, &job->fence, DMA_RESV_USAGE_WRITE);
	drm_gem_object_get(job->objs[0]);
	drm_gem_object_get(job->objs[1]);
	queue_work(job->edu->queue, &job->work);
	return 0;
}

/* No sum that could wrap. */
static bool edu_range_valid(struct drm_gem_object *obj, u64 offset, u64 size)
{
	return size && size <= obj->size && offset <= obj->size - size;
}

static int edu_ioctl_copy(struct drm_device *drm, void *data,
			  struct drm_file *file)
{
	struct drm_prime_edu_copy *args = data;
	u64 from = args->src_offset, to = args->dst_offset, size = args->size;
	struct drm_gem_object *objs[2] = {};
	struct ww_acquire_ctx ctx;
	struct edu_job *job;
	int idx, count, ret;

	if (args->flags || args->pad)
		return -EINVAL;
	if (!drm_dev_enter(drm, &idx))
		return -ENODEV;
	ret = -ENOMEM;
	job = kzalloc(sizeof(*job), GFP_KERNEL);
	if (!job)
		goto exit;
	ret = -ENOENT;
	objs[0] = drm_gem_object_lookup(file, args->src_handle);
	objs[1] = drm_gem_object_lookup(file, args->dst_handle);
	if (!objs[0] || !objs[1])
		goto put;
	ret = -EINVAL;
	if (!edu_range_valid(objs[0], from, size) ||
	    !edu_range_valid(objs[1], to, size) ||
	    (objs[0] == objs[1] && from < to + size && to < from + size))
		goto put;

	job->args = *args;
	memcpy(job->objs, objs, sizeof(objs));
	job->edu = container_of(drm, struct edu_device, drm);
	spin_lock_init(&job->lock);
	INIT_WORK(&job->work, edu_job_run);

	/* Both at once, in whatever order others take them; or the one. */
	count = objs[0]->resv == objs[1]->resv ? 1 : 2;
	ret = drm_gem_lock_reservations(objs, count, &ctx);
	if (ret)
		goto put;
	ret = edu_job_queue(job);
	drm_gem_unlock_reservations(objs, count, &ctx);
put:
	drm_gem_object_put(objs[0]);
	drm_gem_object_put(objs[1]);
	if (ret)
		kfree(job);	/* else it belongs to the queue */
exit:
	drm_dev_exit(idx);
	return ret;
}

/* --- driver --- */
static const struct drm_ioctl_desc edu_ioctls[] = {
	DRM_IOCTL_DEF_DRV(PRIME_EDU_COPY, edu_ioctl_copy, DRM_RENDER_ALLOW),
};

DEFINE_DRM_GEM_FOPS(edu_fops);

static const struct drm_driver edu_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER,
	.dumb_create = edu_dumb_create,
	.gem_prime_import = edu_import,
	.gem_prime_import_sg_table = edu_import_sg_table,
	.ioctls = edu_ioctls,
	.num_ioctls = ARRAY_SIZE(edu_ioctls),
	.fops = &edu_fops,
	.name = "prime_edu",
	.desc = "PRIME sample driver for QEMU's edu device",
	.date = "20261122",
	.major = PRIME_EDU_MAJOR,
	.minor = PRIME_EDU_MINOR,
};

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct device *dev = &pdev->dev;
	struct edu_device *edu;
	int ret;

	edu = devm_drm_dev_alloc(dev, &edu_driver, struct edu_device, drm);
	if (IS_ERR(edu))
		return PTR_ERR(edu);
	pci_set_drvdata(pdev, edu);
	init_completion(&edu->dma_done);
	/* What the engine can't address, the DMA API translates or bounces. */
	ret = pcim_enable_device(pdev) ?:
	      dma_set_mask_and_coherent(dev, DMA_BIT_MASK(EDU_DMA_BITS));
	if (ret)
		return ret;
	edu->regs = pcim_iomap_region(pdev, 0, "prime_edu");
	if (IS_ERR(edu->regs))
		return PTR_ERR(edu->regs);
	dma_set_max_seg_size(dev, UINT_MAX);
	pci_set_master(pdev);
	ret = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSI);
	if (ret < 0)
		return ret;
	ret = devm_request_irq(dev, pci_irq_vector(pdev, 0), edu_irq, 0,
			       "prime_edu", edu);
	if (ret)
		return ret;

	edu->queue = alloc_ordered_workqueue("prime_edu", WQ_MEM_RECLAIM);
	if (!edu->queue)
		return -ENOMEM;
	ret = drm_dev_register(&edu->drm, 0);
	if (ret)
		destroy_workqueue(edu->queue);
	return ret;
}

static void edu_remove(struct pci_dev *pdev)
{
	struct edu_device *edu = pci_get_drvdata(pdev);

	drm_dev_unplug(&edu->drm);	/* no new job from here on */
	destroy_workqueue(edu->queue);	/* ends those that are queued */
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

MODULE_DESCRIPTION("PRIME sample driver for QEMU's edu device");
MODULE_LICENSE("GPL");
