// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attachments that are kept when their importer lets go, with their pin and
 * their mapping, so that the next attach of the same device finds them. That
 * saves nearly all of an import: pinning pages, setting their caching, mapping
 * them for the device.
 */
#include <linux/device.h>
#include <linux/dma-map-ops.h>
#include <linux/iommu-dma.h>
#include <linux/moduleparam.h>
#include <linux/shrinker.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "internal.h"
#include <drm-prime-layer/linux/dma-buf-keep.h>

/**
 * DOC: kept attachments
 *
 * An exporter may let the core keep an attachment (dma_buf_allow_keep()). When
 * its static importer detaches, the attachment then stays with the buffer,
 * unseen by everybody, and is handed out again when the same device attaches.
 * The exporter sees one attach, pin and map_dma_buf, and its unmap_dma_buf,
 * unpin and detach later. A buffer keeps one attachment for each device. It is
 * not kept alive by it.
 *
 * Only a mapping that is nothing but addresses is kept: mapped both ways,
 * cache-coherent, without bounce buffers and without an IOMMU. Bounce buffers
 * are scarce and hold stale data, caches would want a sync that map_dma_buf
 * does and a second use of its table does not, and a window left open in an
 * IOMMU would let the device reach memory that nobody shares with it.
 *
 * Kept attachments are ended
 *
 * - when the buffer is released, before &dma_buf_ops.release;
 * - when the device loses its driver or goes away, after the driver's remove;
 * - when the exporter calls dma_buf_move_notify(): unmapped and unpinned before
 *   that returns, detached soon after, since detach wants no lock held. An
 *   exporter that has to move storage pinned for nobody else calls it first;
 * - least recently used ones first, when there is no room for another. The
 *   module parameter ``dma_buf.keep_mb`` is the limit in MiB, by default 256
 *   and at most a 16th of memory; lowering it ends what is above it before the
 *   write returns, 0 ends and keeps none;
 * - when memory is short.
 *
 * The limit is hard: what is being ended counts until it is, and an attachment
 * that finds no room is ended by its detach, as if nothing were kept, while a
 * worker makes room for its next time. So programs can't have more pinned than
 * that beyond what they have attached. The memory stays charged to whom it was
 * charged to when it was allocated.
 *
 * The shrinker can't take a reservation object, under which memory is
 * allocated, nor call exporters, and leaves it to the worker. The worker
 * passes over buffers that are in use. No detach ends an attachment of another
 * buffer: the caller may hold locks of a driver that the exporter of that one
 * wants.
 *
 * Drivers with a shrinker of their own can't free what is pinned. They get it
 * back from this one first, which runs under the same pressure.
 *
 * The addresses are those of the first attach: a device that has a driver must
 * not get a narrower DMA mask between two attaches.
 *
 * debugfs dma_buf/kept tells how many there are and how much they pin.
 *
 * An attachment becomes kept, is handed out and is unmapped under its buffer's
 * reservation object; one spinlock protects every list and sum, and nests in
 * anything, memory reclaim included. Who takes a kept attachment off the lists
 * ends it; the release of the buffer and the end of the device wait for that,
 * each for its own only.
 */

/**
 * struct dma_buf_keeper - a device that attachments are kept for
 * @dev: device, which ends this by devres and so outlives it
 * @node: in dma_buf_keepers
 * @kept: links &dma_buf_kept.of_keeper
 * @ending: attachments of the device that are off the lists and not yet freed
 *
 * All but @dev, which never changes, is protected by dma_buf_kept_lock.
 */
struct dma_buf_keeper {
	struct device *dev;
	struct list_head node;
	struct list_head kept;
	unsigned int ending;
};

/**
 * struct dma_buf_kept - what an attachment has once it was kept
 * @obj: the attachment; never changes
 * @keeper: its device, while it is kept and while it is being ended
 * @lru: links it with all that are kept
 * @of_keeper: links it with those of its device
 *
 * All but @obj is protected by dma_buf_kept_lock. Most attachments are never
 * kept, and each of those is smaller by this.
 */
struct dma_buf_kept {
	struct dma_buf_attachment_object *obj;
	struct dma_buf_keeper *keeper;
	struct list_head lru;
	struct list_head of_keeper;
};

/* Protects all below, and what the structures say. */
DEFINE_SPINLOCK(dma_buf_kept_lock);
/* Links &dma_buf_kept.lru, the longest kept first. */
static LIST_HEAD(dma_buf_kept_lru);
/* Links &dma_buf_keeper.node. */
static LIST_HEAD(dma_buf_keepers);
static unsigned long dma_buf_kept_pages;
static unsigned int dma_buf_kept_count;
/* Pages of attachments that are off the lists and not yet unpinned. */
static unsigned long dma_buf_kept_ending;
/* Pages that the worker is asked to give back. */
static unsigned long dma_buf_kept_wanted;
/* Woken when an attachment has ended. */
static DECLARE_WAIT_QUEUE_HEAD(dma_buf_kept_ended);

static void dma_buf_kept_work_fn(struct work_struct *work);
static DECLARE_WORK(dma_buf_kept_work, dma_buf_kept_work_fn);

/* Set by dma_buf_keep_init(), unless it was on the command line. */
#define DMA_BUF_KEEP_UNSET	UINT_MAX
static unsigned int dma_buf_keep_mb = DMA_BUF_KEEP_UNSET;

static unsigned long dma_buf_keep_limit(void)
{
	return min_t(u64, (u64)READ_ONCE(dma_buf_keep_mb) << (20 - PAGE_SHIFT),
		     ULONG_MAX / 2);
}

static unsigned long dma_buf_kept_size(struct dma_buf_attachment_object *obj)
{
	return PAGE_ALIGN(obj->base.dmabuf->size) >> PAGE_SHIFT;
}

static struct dma_buf_keeper *dma_buf_keeper_find_locked(struct device *dev)
{
	struct dma_buf_keeper *keeper;

	lockdep_assert_held(&dma_buf_kept_lock);

	list_for_each_entry(keeper, &dma_buf_keepers, node) {
		if (keeper->dev == dev)
			return keeper;
	}

	return NULL;
}

static struct dma_buf_attachment_object *
dma_buf_kept_find_locked(struct dma_buf *dmabuf, struct device *dev)
{
	struct dma_buf_attachment_object *obj;

	lockdep_assert_held(&dma_buf_kept_lock);

	list_for_each_entry(obj, &to_dma_buf_object(dmabuf)->kept, base.node) {
		if (obj->base.dev == dev)
			return obj;
	}

	return NULL;
}

/* --- ending them --- */

static void dma_buf_kept_unlist_locked(struct dma_buf_attachment_object *obj)
{
	lockdep_assert_held(&dma_buf_kept_lock);

	list_del(&obj->base.node);
	list_del(&obj->kept->lru);
	list_del(&obj->kept->of_keeper);
	dma_buf_kept_pages -= dma_buf_kept_size(obj);
	dma_buf_kept_count--;
}

/* Off the lists, for dma_buf_kept_end(). */
static void dma_buf_kept_doom_locked(struct dma_buf_attachment_object *obj)
{
	dma_buf_kept_unlist_locked(obj);
	dma_buf_kept_ending += dma_buf_kept_size(obj);
	to_dma_buf_object(obj->base.dmabuf)->kept_ending++;
	obj->kept->keeper->ending++;
}

/* The table is gone from the attachment when somebody has unmapped it before. */
static void dma_buf_kept_unmap_locked(struct dma_buf_attachment_object *obj)
{
	struct dma_buf_attachment *attach = &obj->base;

	dma_resv_assert_held(attach->dmabuf->resv);

	if (attach->sgt)
		dma_buf_mapping_destroy_locked(attach, attach->sgt, attach->dir);
	attach->sgt = NULL;
}

/* The last step of a doomed one, unmapped, with no lock held. */
static void dma_buf_kept_end(struct dma_buf_attachment_object *obj)
{
	struct dma_buf *dmabuf = obj->base.dmabuf;

	if (dmabuf->ops->detach)
		dmabuf->ops->detach(dmabuf, &obj->base);

	spin_lock(&dma_buf_kept_lock);
	dma_buf_kept_ending -= dma_buf_kept_size(obj);
	to_dma_buf_object(dmabuf)->kept_ending--;
	obj->kept->keeper->ending--;
	spin_unlock(&dma_buf_kept_lock);
	/* From here on the buffer and the device may be gone. */
	wake_up_all(&dma_buf_kept_ended);
	dma_buf_attachment_free(obj);
}

/* The longest kept one of all, or of @keeper, or of @dmabuf. */
static struct dma_buf_attachment_object *
dma_buf_kept_first_locked(struct dma_buf_keeper *keeper, struct dma_buf *dmabuf)
{
	struct dma_buf_attachment_object *obj;
	struct dma_buf_kept *kept;

	lockdep_assert_held(&dma_buf_kept_lock);

	if (dmabuf)
		return list_first_entry_or_null(&to_dma_buf_object(dmabuf)->kept,
						typeof(*obj), base.node);
	if (keeper)
		kept = list_first_entry_or_null(&keeper->kept, typeof(*kept),
						of_keeper);
	else
		kept = list_first_entry_or_null(&dma_buf_kept_lru,
						typeof(*kept), lru);
	return kept ? kept->obj : NULL;
}

/*
 * Ends dma_buf_kept_first_locked(), and waits for its reservation object, under
 * which it may turn out to be in use again. False when there is none.
 */
static bool dma_buf_kept_end_first(struct dma_buf_keeper *keeper,
				   struct dma_buf *only)
{
	struct dma_buf_attachment_object *obj;
	struct dma_buf_object *buffer;
	struct device *dev;

	spin_lock(&dma_buf_kept_lock);
	obj = dma_buf_kept_first_locked(keeper, only);
	if (!obj) {
		spin_unlock(&dma_buf_kept_lock);
		return false;
	}
	dev = obj->base.dev;
	buffer = to_dma_buf_object(obj->base.dmabuf);
	/* Its release waits. */
	buffer->kept_ending++;
	spin_unlock(&dma_buf_kept_lock);

	dma_resv_lock(buffer->base.resv, NULL);
	spin_lock(&dma_buf_kept_lock);
	/* Only compared: when it isn't found, the device may be gone. */
	obj = dma_buf_kept_find_locked(&buffer->base, dev);
	if (obj)
		dma_buf_kept_doom_locked(obj);
	spin_unlock(&dma_buf_kept_lock);
	if (obj)
		dma_buf_kept_unmap_locked(obj);
	dma_resv_unlock(buffer->base.resv);
	if (obj)
		dma_buf_kept_end(obj);

	spin_lock(&dma_buf_kept_lock);
	buffer->kept_ending--;
	spin_unlock(&dma_buf_kept_lock);
	wake_up_all(&dma_buf_kept_ended);
	return true;
}

/*
 * What the worker does next: an attachment that is unmapped already, or the
 * longest kept one whose buffer nobody is busy with, while some is wanted. Both
 * are doomed and unmapped then.
 */
static struct dma_buf_attachment_object *dma_buf_kept_reclaim(void)
{
	struct dma_buf_attachment_object *obj;
	struct dma_buf_kept *kept;
	unsigned long size;

	spin_lock(&dma_buf_kept_lock);
	list_for_each_entry(kept, &dma_buf_kept_lru, lru) {
		obj = kept->obj;
		size = dma_buf_kept_size(obj);
		if (!obj->base.sgt) {
			dma_buf_kept_doom_locked(obj);
			spin_unlock(&dma_buf_kept_lock);
			return obj;
		}
		/* Those without a table come first, so there are no more. */
		if (!dma_buf_kept_wanted)
			break;
		if (!dma_resv_trylock(obj->base.dmabuf->resv))
			continue;
		dma_buf_kept_wanted -= min(dma_buf_kept_wanted, size);
		dma_buf_kept_doom_locked(obj);
		spin_unlock(&dma_buf_kept_lock);

		dma_buf_kept_unmap_locked(obj);
		dma_resv_unlock(obj->base.dmabuf->resv);
		return obj;
	}
	/* Everything else is in use; who wants it asks again. */
	dma_buf_kept_wanted = 0;
	spin_unlock(&dma_buf_kept_lock);

	return NULL;
}

static void dma_buf_kept_work_fn(struct work_struct *work)
{
	struct dma_buf_attachment_object *obj;

	while ((obj = dma_buf_kept_reclaim())) {
		dma_buf_kept_end(obj);
		cond_resched();
	}
}

static bool dma_buf_kept_is_zero(const unsigned int *count)
{
	bool zero;

	spin_lock(&dma_buf_kept_lock);
	zero = !*count;
	spin_unlock(&dma_buf_kept_lock);

	return zero;
}

/* Before the exporter releases the buffer. */
void dma_buf_kept_release(struct dma_buf *dmabuf)
{
	struct dma_buf_object *buffer = to_dma_buf_object(dmabuf);

	/* Written at detach, and nobody is attached any more. */
	if (!buffer->has_kept)
		return;

	while (dma_buf_kept_end_first(NULL, dmabuf))
		;
	wait_event(dma_buf_kept_ended, dma_buf_kept_is_zero(&buffer->kept_ending));
}

/* One that is still mapped; stays so and stays kept under the reservation object. */
static struct dma_buf_attachment_object *
dma_buf_kept_first_mapped_locked(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment_object *obj;

	dma_resv_assert_held(dmabuf->resv);

	spin_lock(&dma_buf_kept_lock);
	list_for_each_entry(obj, &to_dma_buf_object(dmabuf)->kept, base.node) {
		if (obj->base.sgt) {
			spin_unlock(&dma_buf_kept_lock);
			return obj;
		}
	}
	spin_unlock(&dma_buf_kept_lock);

	return NULL;
}

/* The storage is about to move: no mapping and no pin of ours may be left. */
void dma_buf_kept_move_locked(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment_object *obj;

	dma_resv_assert_held(dmabuf->resv);

	while ((obj = dma_buf_kept_first_mapped_locked(dmabuf))) {
		dma_buf_mapping_destroy_locked(&obj->base, obj->base.sgt,
					       obj->base.dir);
		/* First in line for the worker, who may free it at once. */
		spin_lock(&dma_buf_kept_lock);
		obj->base.sgt = NULL;
		list_move(&obj->kept->lru, &dma_buf_kept_lru);
		spin_unlock(&dma_buf_kept_lock);
		queue_work(system_unbound_wq, &dma_buf_kept_work);
	}
}

/* --- devices --- */

/* The device loses its driver: nothing may be left for it. */
static void dma_buf_keeper_release(struct device *dev, void *res)
{
	struct dma_buf_keeper *keeper = res;

	spin_lock(&dma_buf_kept_lock);
	list_del(&keeper->node);
	spin_unlock(&dma_buf_kept_lock);

	while (dma_buf_kept_end_first(keeper, NULL))
		;
	wait_event(dma_buf_kept_ended, dma_buf_kept_is_zero(&keeper->ending));
}

/*
 * Whether the device's resources will be released in time: with its driver, or,
 * for one that never gets a driver and yet has resources (vgem, vkms), with the
 * device. Any other could be probed later and must have no resources then.
 */
static bool dma_buf_device_ends_locked(struct device *dev)
{
	device_lock_assert(dev);

	return device_is_registered(dev) &&
	       (dev->driver || !list_empty(&dev->devres_head));
}

static bool dma_buf_keeper_known(struct device *dev)
{
	bool known;

	spin_lock(&dma_buf_kept_lock);
	known = dma_buf_keeper_find_locked(dev);
	spin_unlock(&dma_buf_kept_lock);

	return known;
}

/* Without memory, or while the driver comes or goes, nothing is kept. */
static void dma_buf_keeper_ensure(struct device *dev)
{
	struct dma_buf_keeper *keeper;

	/* Some attach a device that was never registered: its lock may be none. */
	if (dma_buf_keeper_known(dev) || !device_is_registered(dev))
		return;

	keeper = devres_alloc(dma_buf_keeper_release, sizeof(*keeper), GFP_KERNEL);
	if (!keeper)
		return;
	keeper->dev = dev;
	INIT_LIST_HEAD(&keeper->kept);

	/* The caller may be the driver's probe or remove, who hold it. */
	if (!device_trylock(dev)) {
		devres_free(keeper);
		return;
	}
	if (dma_buf_device_ends_locked(dev) && !dma_buf_keeper_known(dev)) {
		spin_lock(&dma_buf_kept_lock);
		list_add(&keeper->node, &dma_buf_keepers);
		spin_unlock(&dma_buf_kept_lock);
		/* Last: a device without driver may release it at once. */
		devres_add(dev, keeper);
	} else {
		devres_free(keeper);
	}
	device_unlock(dev);
}

/**
 * dma_buf_allow_keep - let an attachment outlive its importer
 * @attach: attachment; one of a dynamic importer is left alone
 *
 * For &dma_buf_ops.attach or &dma_buf_ops.map_dma_buf of an exporter to whom a
 * pin and a mapping that nobody uses cost no more than the memory. The core may
 * then keep them after the importer's detach for the next one of the same
 * device, and ends them when "DOC: kept attachments" says. The exporter must
 * have &dma_buf_ops.cache_sgt_mapping or be dynamic: other mappings are gone
 * before the detach.
 *
 * Context: may sleep; the reservation object may be held.
 */
void dma_buf_allow_keep(struct dma_buf_attachment *attach)
{
	if (dma_buf_attachment_is_dynamic(attach) || !dma_buf_keep_limit())
		return;

	dma_buf_keeper_ensure(attach->dev);
	to_dma_buf_attachment_object(attach)->may_keep = true;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_allow_keep, DMA_BUF);

/* --- what attach and detach ask --- */

/* An attachment of @dev that was kept, now the caller's; or NULL. */
struct dma_buf_attachment *dma_buf_kept_take_locked(struct dma_buf *dmabuf,
						    struct device *dev)
{
	struct dma_buf_attachment_object *obj;

	dma_resv_assert_held(dmabuf->resv);

	spin_lock(&dma_buf_kept_lock);
	obj = dma_buf_kept_find_locked(dmabuf, dev);
	if (obj && obj->base.sgt)
		dma_buf_kept_unlist_locked(obj);
	else
		obj = NULL;
	spin_unlock(&dma_buf_kept_lock);

	return obj ? &obj->base : NULL;
}

/* More than addresses: bounce buffers, caches, or an IOMMU. */
static bool dma_buf_mapping_has_state(struct dma_buf_attachment *attach)
{
	struct scatterlist *sg;
	unsigned int i;

	if (use_dma_iommu(attach->dev) || get_dma_ops(attach->dev))
		return true;
	if (!dma_dev_need_sync(attach->dev))
		return false;

	for_each_sgtable_dma_sg(attach->sgt, sg, i) {
		if (dma_need_sync(attach->dev, sg_dma_address(sg)))
			return true;
	}

	return false;
}

/* Whether that many pages may be kept now; if not, perhaps another time. */
static bool dma_buf_kept_has_room_locked(unsigned long pages)
{
	unsigned long limit = dma_buf_keep_limit();
	unsigned long all = dma_buf_kept_pages + pages;

	lockdep_assert_held(&dma_buf_kept_lock);

	if (all + dma_buf_kept_ending <= limit)
		return true;

	/* What is being ended makes room by itself. */
	if (pages <= limit && all > limit) {
		dma_buf_kept_wanted = max(dma_buf_kept_wanted, all - limit);
		queue_work(system_unbound_wq, &dma_buf_kept_work);
	}
	return false;
}

static bool dma_buf_kept_ensure_locked(struct dma_buf_attachment_object *obj)
{
	dma_resv_assert_held(obj->base.dmabuf->resv);

	if (!obj->kept) {
		obj->kept = kmalloc(sizeof(*obj->kept), GFP_KERNEL |
				    __GFP_NORETRY | __GFP_NOWARN);
		if (obj->kept)
			obj->kept->obj = obj;
	}
	return obj->kept;
}

/*
 * For an attachment that would be ended. True when it is kept, off its buffer's
 * list of attachments and no longer the caller's.
 */
bool dma_buf_kept_give_locked(struct dma_buf_attachment *attach)
{
	struct dma_buf_attachment_object *obj = to_dma_buf_attachment_object(attach);
	struct dma_buf_object *buffer = to_dma_buf_object(attach->dmabuf);
	unsigned long pages = dma_buf_kept_size(obj);
	struct dma_buf_keeper *keeper;
	bool keep;

	dma_resv_assert_held(attach->dmabuf->resv);

	if (!obj->may_keep || !attach->sgt || attach->dir != DMA_BIDIRECTIONAL)
		return false;
	if (!obj->was_kept && dma_buf_mapping_has_state(attach))
		return false;
	if (!dma_buf_kept_ensure_locked(obj))
		return false;

	spin_lock(&dma_buf_kept_lock);
	keeper = dma_buf_keeper_find_locked(attach->dev);
	keep = keeper && !dma_buf_kept_find_locked(attach->dmabuf, attach->dev) &&
	       dma_buf_kept_has_room_locked(pages);
	if (keep) {
		obj->kept->keeper = keeper;
		obj->was_kept = true;
		obj->unwaited = true;
		buffer->has_kept = true;
		list_move(&attach->node, &buffer->kept);
		list_add_tail(&obj->kept->lru, &dma_buf_kept_lru);
		list_add_tail(&obj->kept->of_keeper, &keeper->kept);
		dma_buf_kept_pages += pages;
		dma_buf_kept_count++;
	}
	spin_unlock(&dma_buf_kept_lock);

	return keep;
}

/* --- memory pressure --- */

static unsigned long dma_buf_kept_shrink_count(struct shrinker *shrinker,
					       struct shrink_control *sc)
{
	unsigned long kept, wanted;

	spin_lock(&dma_buf_kept_lock);
	kept = dma_buf_kept_pages;
	wanted = dma_buf_kept_wanted;
	spin_unlock(&dma_buf_kept_lock);

	return kept > wanted ? kept - wanted : SHRINK_EMPTY;
}

static unsigned long dma_buf_kept_shrink_scan(struct shrinker *shrinker,
					      struct shrink_control *sc)
{
	spin_lock(&dma_buf_kept_lock);
	dma_buf_kept_wanted = min(dma_buf_kept_wanted + sc->nr_to_scan,
				  dma_buf_kept_pages);
	spin_unlock(&dma_buf_kept_lock);
	queue_work(system_unbound_wq, &dma_buf_kept_work);

	return sc->nr_to_scan;
}

/* --- knob, debugfs, init --- */

static bool dma_buf_kept_fits(bool with_ending)
{
	unsigned long pages;

	spin_lock(&dma_buf_kept_lock);
	pages = dma_buf_kept_pages + (with_ending ? dma_buf_kept_ending : 0);
	spin_unlock(&dma_buf_kept_lock);

	return pages <= dma_buf_keep_limit();
}

static int dma_buf_keep_mb_set(const char *value, const struct kernel_param *kp)
{
	int ret = param_set_uint(value, kp);

	if (ret)
		return ret;

	while (!dma_buf_kept_fits(false)) {
		if (!dma_buf_kept_end_first(NULL, NULL))
			break;
	}
	wait_event(dma_buf_kept_ended, dma_buf_kept_fits(true));
	return 0;
}

static const struct kernel_param_ops dma_buf_keep_mb_ops = {
	.set = dma_buf_keep_mb_set,
	.get = param_get_uint,
};
module_param_cb(keep_mb, &dma_buf_keep_mb_ops, &dma_buf_keep_mb, 0644);
MODULE_PARM_DESC(keep_mb, "MiB that attachments without an importer may keep pinned; 0: none (default: 256, at most a 16th of memory)");

static int dma_buf_kept_show(struct seq_file *s, void *unused)
{
	unsigned long pages;
	unsigned int count;

	spin_lock(&dma_buf_kept_lock);
	pages = dma_buf_kept_pages;
	count = dma_buf_kept_count;
	spin_unlock(&dma_buf_kept_lock);

	seq_printf(s, "%u attachments, %lu bytes\n", count, pages << PAGE_SHIFT);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(dma_buf_kept);

void __init dma_buf_keep_init(struct dentry *dir)
{
	struct shrinker *shrinker = shrinker_alloc(0, "dma-buf-kept");

	if (dma_buf_keep_mb == DMA_BUF_KEEP_UNSET)
		dma_buf_keep_mb = min(256ul, totalram_pages() >> (20 - PAGE_SHIFT + 4));

	/* What can't be given back under pressure isn't kept. */
	if (!shrinker) {
		dma_buf_keep_mb = 0;
		return;
	}
	shrinker->count_objects = dma_buf_kept_shrink_count;
	shrinker->scan_objects = dma_buf_kept_shrink_scan;
	shrinker_register(shrinker);

	debugfs_create_file("kept", 0444, dir, NULL, &dma_buf_kept_fops);
}
