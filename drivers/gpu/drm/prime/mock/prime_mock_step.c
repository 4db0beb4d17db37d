// SPDX-License-Identifier: GPL-2.0
/*
 * Imports by id, with an ioctl for each step. Reads and writes the memory of
 * these imports and of imported objects by DMA address only, as a device would.
 */
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/highmem.h>
#include <linux/iommu.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "prime_mock_importer.h"
#include "prime_mock_step.h"

/* --- imports by id --- */
/*
 * Undoes what is left of the steps, and returns their number. The file is being
 * closed, so nothing here may fail, and no signal ends a wait.
 */
static unsigned int mock_import_undo_locked(struct mock_import *import)
{
	struct dma_buf *dmabuf = import->dmabuf;
	unsigned int steps = 0;

	lockdep_assert_held(&import->lock);
	for (; import->begins; import->begins--, steps++)
		dma_buf_end_cpu_access(dmabuf, import->begin_direction);
	dma_resv_lock(dmabuf->resv, NULL);
	for (; import->vmaps; import->vmaps--, steps++)
		dma_buf_vunmap(dmabuf, &import->map);
	if (import->sgt) {
		mock_import_unmap_locked(import);
		steps++;
	}
	for (; import->pins; import->pins--, steps++)
		dma_buf_unpin(import->attach);
	dma_resv_unlock(dmabuf->resv);
	return steps;
}

static void mock_import_detach_locked(struct mock_import *import)
{
	lockdep_assert_held(&import->lock);
	dma_buf_detach(import->dmabuf, import->attach);
	dma_buf_put(import->dmabuf);
	import->attach = NULL;
	import->dmabuf = NULL;
	atomic64_dec(&import->mock->imports);
}

void mock_imports_open(struct mock_imports *imports, struct mock_device *mock)
{
	imports->mock = mock;
	xa_init_flags(&imports->ids, XA_FLAGS_ALLOC1);
}

void mock_imports_close(struct mock_imports *imports)
{
	struct mock_import *import;
	unsigned long id;

	xa_for_each(&imports->ids, id, import) {
		mutex_lock(&import->lock);
		atomic64_add(mock_import_undo_locked(import) + 1,
			     &imports->mock->undone);
		mock_import_detach_locked(import);
		mutex_unlock(&import->lock);
		mock_import_put(import);
	}
	xa_destroy(&imports->ids);
}

static bool mock_import_flags_valid(u32 flags)
{
	const u32 told = PRIME_MOCK_IMPORT_UNTOLD | PRIME_MOCK_IMPORT_REVOCABLE;
	const u32 dynamic = PRIME_MOCK_IMPORT_PEER2PEER | told;

	if (flags & ~(PRIME_MOCK_IMPORT_DYNAMIC | dynamic))
		return false;
	if (flags & dynamic && !(flags & PRIME_MOCK_IMPORT_DYNAMIC))
		return false;
	return (flags & told) != told;
}

int mock_imports_add(struct mock_imports *imports,
		     struct drm_prime_mock_import *args)
{
	struct mock_import *import;
	struct dma_buf *dmabuf;
	int ret;

	if (args->pad || !mock_import_flags_valid(args->flags))
		return -EINVAL;
	dmabuf = dma_buf_get(args->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	import = mock_import_create(imports->mock, false);
	if (!import) {
		ret = -ENOMEM;
		goto put_buffer;
	}
	/* Empty, so nobody finds the import before it is complete. */
	ret = xa_alloc(&imports->ids, &args->id, NULL,
		       XA_LIMIT(1, PRIME_MOCK_MAX_IDS), GFP_KERNEL_ACCOUNT);
	if (ret) {
		ret = ret == -EBUSY ? -ENOSPC : ret;
		goto put_import;
	}
	ret = mock_import_attach(import, dmabuf, args->flags);
	if (ret)
		goto release_id;
	xa_store(&imports->ids, args->id, import, 0);
	return 0;

release_id:
	xa_erase(&imports->ids, args->id);
put_import:
	mock_import_put(import);
put_buffer:
	dma_buf_put(dmabuf);
	return ret;
}

/* Returns the import with a reference, or ERR_PTR(-ENOENT). */
static struct mock_import *mock_import_by_id(struct mock_imports *imports, u32 id)
{
	struct mock_import *import;

	xa_lock(&imports->ids);
	import = xa_load(&imports->ids, id);
	if (import)
		kref_get(&import->refs);
	xa_unlock(&imports->ids);
	return import ?: ERR_PTR(-ENOENT);
}

/* Returns an attached import, locked and with a reference. */
static struct mock_import *mock_import_lock(struct mock_imports *imports,
					    struct drm_file *file, u32 id,
					    bool handle)
{
	struct mock_import *import;
	int ret;

	import = handle ? mock_import_by_handle(file, id) :
			  mock_import_by_id(imports, id);
	if (IS_ERR(import))
		return import;
	ret = mutex_lock_interruptible(&import->lock);
	if (ret)
		goto put;
	if (import->attach)
		return import;
	mutex_unlock(&import->lock);
	ret = -ENOENT;
put:
	mock_import_put(import);
	return ERR_PTR(ret);
}

static void mock_import_unlock(struct mock_import *import)
{
	mutex_unlock(&import->lock);
	mock_import_put(import);
}

static int mock_step_detach(struct mock_imports *imports, struct mock_import *import,
			    u32 id)
{
	bool held;

	dma_resv_lock(import->dmabuf->resv, NULL);
	held = import->sgt || import->pins;
	dma_resv_unlock(import->dmabuf->resv);
	if (held || import->vmaps || import->begins)
		return -EBUSY;
	xa_erase(&imports->ids, id);
	mock_import_detach_locked(import);
	mock_import_put(import);
	return 0;
}

static int mock_step_begin(struct mock_import *import,
			   enum dma_data_direction direction)
{
	int ret;

	if (import->begins == PRIME_MOCK_MAX_NESTED)
		return -ENOSPC;
	ret = dma_buf_begin_cpu_access(import->dmabuf, direction);
	if (!ret) {
		import->begins++;
		import->begin_direction = direction;
	}
	return ret;
}

static int mock_step_end(struct mock_import *import,
			 enum dma_data_direction direction)
{
	int ret = dma_buf_end_cpu_access(import->dmabuf, direction);

	if (!ret && import->begins)
		import->begins--;
	return ret;
}

/* Counts a step that can be repeated, if it succeeded. */
static int mock_step_up(unsigned int *count, int ret)
{
	if (!ret)
		++*count;
	return ret;
}

static int mock_step_pin(struct mock_import *import)
{
	if (import->revoked)
		return -ESTALE;
	if (import->pins == PRIME_MOCK_MAX_NESTED)
		return -ENOSPC;
	return mock_step_up(&import->pins, dma_buf_pin(import->attach));
}

static int mock_step_map(struct mock_import *import,
			 enum dma_data_direction direction, bool trim)
{
	int ret;

	if (import->revoked)
		return -ESTALE;
	if (import->sgt)
		return -EBUSY;
	ret = mock_import_map_locked(import, direction);
	if (ret || !trim)
		return ret;
	ret = mock_import_trim_locked(import);
	if (ret)
		mock_import_unmap_locked(import);
	return ret;
}

/* The steps that need the reservation object locked. */
static int mock_step_locked(struct mock_import *import, u32 op,
			    enum dma_data_direction direction, bool trim)
{
	switch (op) {
	case PRIME_MOCK_PIN:
		return mock_step_pin(import);
	case PRIME_MOCK_UNPIN:
		if (!import->pins)
			return -EINVAL;
		dma_buf_unpin(import->attach);
		import->pins--;
		return 0;
	case PRIME_MOCK_MAP:
		return mock_step_map(import, direction, trim);
	case PRIME_MOCK_UNMAP:
		if (!import->sgt)
			return -EINVAL;
		mock_import_unmap_locked(import);
		return 0;
	case PRIME_MOCK_VMAP:
		if (import->vmaps == PRIME_MOCK_MAX_NESTED)
			return -ENOSPC;
		return mock_step_up(&import->vmaps,
				    dma_buf_vmap(import->dmabuf, &import->map));
	default:	/* PRIME_MOCK_VUNMAP */
		if (!import->vmaps)
			return -EINVAL;
		dma_buf_vunmap(import->dmabuf, &import->map);
		import->vmaps--;
		return 0;
	}
}

static int mock_step(struct mock_imports *imports, struct mock_import *import,
		     const struct drm_prime_mock_step *args)
{
	struct dma_resv *resv = import->dmabuf->resv;
	enum dma_data_direction direction = args->direction;
	int ret;

	switch (args->op) {
	case PRIME_MOCK_DETACH:
		return mock_step_detach(imports, import, args->id);
	case PRIME_MOCK_BEGIN:
		return mock_step_begin(import, direction);
	case PRIME_MOCK_END:
		return mock_step_end(import, direction);
	case PRIME_MOCK_PIN:
		if (!import->attach->importer_ops)
			return -EINVAL;
		break;
	default:
		break;
	}
	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		return ret;
	ret = mock_step_locked(import, args->op, direction,
			       args->flags & PRIME_MOCK_TRIM);
	dma_resv_unlock(resv);
	return ret;
}

int mock_imports_step(struct mock_imports *imports,
		      const struct drm_prime_mock_step *args)
{
	struct mock_import *import;
	u32 directions = 0, flags = 0;
	int ret;

	switch (args->op) {
	case PRIME_MOCK_MAP:
		flags = PRIME_MOCK_TRIM;
		fallthrough;
	case PRIME_MOCK_BEGIN:
	case PRIME_MOCK_END:
		directions = PRIME_MOCK_FROM_DEVICE;
		break;
	case PRIME_MOCK_DETACH:
	case PRIME_MOCK_PIN:
	case PRIME_MOCK_UNPIN:
	case PRIME_MOCK_UNMAP:
	case PRIME_MOCK_VMAP:
	case PRIME_MOCK_VUNMAP:
		break;
	default:
		return -EINVAL;
	}
	if (args->flags & ~flags || args->direction > directions)
		return -EINVAL;
	import = mock_import_lock(imports, NULL, args->id, false);
	if (IS_ERR(import))
		return PTR_ERR(import);
	ret = mock_step(imports, import, args);
	mock_import_unlock(import);
	return ret;
}

/* --- what the device sees --- */
/* Returns the first @room segments, or ERR_PTR(-ENOMEM). @room is not 0. */
static struct drm_prime_mock_segment *
mock_list_segments(struct sg_table *sgt, unsigned int room)
{
	struct drm_prime_mock_segment *segments;
	struct scatterlist *sg;
	unsigned int i;

	segments = kvcalloc(room, sizeof(*segments), GFP_KERNEL_ACCOUNT);
	if (!segments)
		return ERR_PTR(-ENOMEM);
	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (i == room)
			break;
		segments[i].address = sg_dma_address(sg);
		segments[i].length = sg_dma_len(sg);
	}
	return segments;
}

static void mock_import_tell(struct mock_import *import,
			     struct drm_prime_mock_query *args)
{
	struct dma_buf_attachment *attach = import->attach;

	dma_resv_assert_held(import->dmabuf->resv);
	args->state = (attach->importer_ops ? PRIME_MOCK_IS_DYNAMIC : 0) |
		      (attach->peer2peer ? PRIME_MOCK_IS_PEER2PEER : 0) |
		      (import->sgt ? PRIME_MOCK_IS_MAPPED : 0) |
		      (import->sgt && import->stale ? PRIME_MOCK_IS_STALE : 0) |
		      (import->revoked ? PRIME_MOCK_IS_REVOKED : 0);
	args->notified = import->notified;
	args->pins = import->pins;
	args->vmaps = import->vmaps;
	args->begins = import->begins;
	args->count = import->sgt ? import->sgt->nents : 0;
	args->size = import->dmabuf->size;
	args->first_bytes = 0;
	if (import->vmaps && args->size >= sizeof(args->first_bytes))
		iosys_map_memcpy_from(&args->first_bytes, &import->map, 0,
				      sizeof(args->first_bytes));
}

int mock_imports_query(struct mock_imports *imports, struct drm_file *file,
		       struct drm_prime_mock_query *args)
{
	struct drm_prime_mock_segment *segments = NULL;
	struct mock_import *import;
	u32 room = args->count;
	int ret = 0;

	if (args->flags & ~PRIME_MOCK_BY_HANDLE)
		return -EINVAL;
	import = mock_import_lock(imports, file, args->id, args->flags);
	if (IS_ERR(import))
		return PTR_ERR(import);
	dma_resv_lock(import->dmabuf->resv, NULL);
	mock_import_tell(import, args);
	room = min(room, args->count);
	if (room)
		segments = mock_list_segments(import->sgt, room);
	dma_resv_unlock(import->dmabuf->resv);
	mock_import_unlock(import);

	if (IS_ERR(segments))
		return PTR_ERR(segments);
	if (room && copy_to_user(u64_to_user_ptr(args->segments), segments,
				 room * sizeof(*segments)))
		ret = -EFAULT;
	kvfree(segments);
	return ret;
}

/* Finds the memory at a DMA address, as a device would. */
static struct page *mock_dma_page(struct device *dev, dma_addr_t address)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);
	phys_addr_t phys = domain ? iommu_iova_to_phys(domain, address) :
				    dma_to_phys(dev, address);

	/* The IOMMU does not translate this address. */
	if (domain && !phys)
		return NULL;
	return pfn_valid(PHYS_PFN(phys)) ? pfn_to_page(PHYS_PFN(phys)) : NULL;
}

/* The address of a byte; *@size becomes what is left of its page. */
static int mock_dma_address(struct sg_table *sgt, u64 offset, dma_addr_t *address,
			    size_t *size)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (offset < sg_dma_len(sg)) {
			*address = sg_dma_address(sg) + offset;
			*size = min3(*size, (size_t)(sg_dma_len(sg) - offset),
				     (size_t)(PAGE_SIZE - offset_in_page(*address)));
			return 0;
		}
		offset -= sg_dma_len(sg);
	}
	return -ENXIO;	/* the list is too short: PRIME_MOCK_UNCHECKED */
}

/* Copies at most *@size bytes between the device's memory and @bytes. */
static int mock_dma_copy(struct mock_import *import, bool write, u64 offset,
			 void *bytes, size_t *size)
{
	struct device *dev = import->mock->drm.dev;
	enum dma_data_direction direction = write ? DMA_FROM_DEVICE : DMA_TO_DEVICE;
	dma_addr_t address;
	struct page *page;
	bool sync;
	int ret;

	if (import->direction != DMA_BIDIRECTIONAL && import->direction != direction)
		return -EACCES;
	ret = mock_dma_address(import->sgt, offset, &address, size);
	if (ret)
		return ret;
	page = mock_dma_page(dev, address);
	if (!page)
		return -ENXIO;
	/* Only if needed, since DMA_API_DEBUG errs about a page that is mapped twice. */
	sync = dma_need_sync(dev, address);
	if (sync)
		dma_sync_single_for_device(dev, address, *size, direction);
	if (write)
		memcpy_to_page(page, offset_in_page(address), bytes, *size);
	else
		memcpy_from_page(bytes, page, offset_in_page(address), *size);
	if (sync)
		dma_sync_single_for_cpu(dev, address, *size, direction);
	return 0;
}

/* Prepares a device access: maps a stale buffer again, and waits for moves. */
static int mock_import_validate_locked(struct mock_import *import)
{
	struct dma_resv *resv = import->dmabuf->resv;
	long left;
	int ret;

	dma_resv_assert_held(resv);
	if (import->gem && import->stale) {
		if (import->sgt)
			mock_import_unmap_locked(import);
		ret = mock_import_map_locked(import, DMA_BIDIRECTIONAL);
		if (ret) {
			import->stale = true;	/* again next time */
			return ret;
		}
	}
	if (!import->sgt)
		return -EINVAL;
	if (import->stale)
		return -ESTALE;
	left = dma_resv_wait_timeout(resv, DMA_RESV_USAGE_KERNEL, true,
				     MOCK_FENCE_WAIT);
	if (left == -ERESTARTSYS)
		return -EINTR;
	return left < 0 ? left : left ? 0 : -ETIMEDOUT;
}

static int mock_access_some(struct mock_imports *imports, struct drm_file *file,
			    const struct drm_prime_mock_access *args, u64 done,
			    void *bytes, size_t *size)
{
	u64 offset = args->offset + done;
	struct mock_import *import;
	int ret = -EINVAL;

	import = mock_import_lock(imports, file, args->id,
				  args->flags & PRIME_MOCK_BY_HANDLE);
	if (IS_ERR(import))
		return PTR_ERR(import);
	if (args->size > import->dmabuf->size ||
	    args->offset > import->dmabuf->size - args->size)
		goto unlock;
	ret = dma_resv_lock_interruptible(import->dmabuf->resv, NULL);
	if (ret)
		goto unlock;
	ret = mock_import_validate_locked(import);
	if (!ret)
		ret = mock_dma_copy(import, args->flags & PRIME_MOCK_WRITE, offset,
				    bytes, size);
	dma_resv_unlock(import->dmabuf->resv);
unlock:
	mock_import_unlock(import);
	return ret;
}

/* Copies through own pages: no lock is held while user memory is touched. */
int mock_imports_access(struct mock_imports *imports, struct drm_file *file,
			const struct drm_prime_mock_access *args)
{
	void __user *user = u64_to_user_ptr(args->data);
	bool write = args->flags & PRIME_MOCK_WRITE;
	void *bytes;
	size_t size;
	u64 done;
	int ret = 0;

	if (!args->size ||
	    args->flags & ~(PRIME_MOCK_WRITE | PRIME_MOCK_BY_HANDLE))
		return -EINVAL;
	bytes = kmalloc(PAGE_SIZE, GFP_KERNEL_ACCOUNT);
	if (!bytes)
		return -ENOMEM;
	for (done = 0; !ret && done < args->size; done += size) {
		cond_resched();
		size = min_t(u64, PAGE_SIZE, args->size - done);
		if (write && copy_from_user(bytes, user + done, size))
			ret = -EFAULT;
		else
			ret = mock_access_some(imports, file, args, done, bytes, &size);
		if (!ret && !write && copy_to_user(user + done, bytes, size))
			ret = -EFAULT;
	}
	kfree(bytes);
	return ret;
}
