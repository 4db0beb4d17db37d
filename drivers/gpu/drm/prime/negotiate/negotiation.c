// SPDX-License-Identifier: GPL-2.0-only
/*
 * Negotiation of a buffer's storage: the devices that programs announce, the
 * merged constraints of all devices, the admission of a device, and the commit.
 * The ioctls are in ioctl.c.
 */
#include <kunit/visibility.h>

#include "internal.h"

/**
 * DOC: negotiation
 *
 * An exporter that places its storage late calls dma_buf_set_late() right after
 * dma_buf_export(). From then on the core checks every device that joins, with
 * the reservation object held:
 *
 * 1. Could the device take a buffer of this size at all?
 * 2. Do its constraints contradict those of the others, attached or announced?
 * 3. Does the exporter agree (&dma_buf_late_ops.admit)? It refuses if its
 *    storage is placed, does not suit the device and can't move.
 *
 * A device that is refused gets -EBUSY, and the program learns the first
 * reason. Nothing is mapped before an importer asks for it, so all devices can
 * join before the first page is allocated. A commit then places the storage
 * (&dma_buf_late_ops.commit), and it stays where it is.
 *
 * The size of a buffer of negotiate/late.c can become larger at the commit, as
 * long as nobody has attached or touched it. So a device is announced with the
 * size that a commit would give the buffer for this device alone, and attaches
 * with the size that the buffer has. The commit checks each announced device
 * again.
 */

/* How many devices a program may announce for one buffer. */
#define MAX_ANNOUNCED 64

/**
 * struct dma_buf_announced - a device that will use the buffer, as a program said
 * @node: in &dma_buf_negotiation.announced; empty before the entry joins
 * @of_device: in the device's list of its entries; empty if the device's
 *	driver left before the entry joined
 * @dev: only compared and named; the entry ends before the device's memory is
 *	freed
 * @mapped: what it needs of the addresses that it gets
 * @memory: what it needs of the pages, before the buffer's size is applied
 *
 * Device and buffer each have a list of their entries. The one that ends first
 * takes its entries out of both lists and frees them. The device's list is a
 * managed resource, so it ends with the device's driver. If the device has no
 * driver, it ends with the device. dma_buf_negotiate_lock protects all but @dev
 * once the entry has joined, and @of_device before that.
 */
struct dma_buf_announced {
	struct list_head node;
	struct list_head of_device;
	struct device *dev;
	struct dma_buf_constraints mapped;
	struct dma_buf_constraints memory;
};

/*
 * Protects announced devices and &dma_buf_late.dmabuf of all buffers. Held at
 * most for a walk over the announced devices of one buffer.
 */
static DEFINE_SPINLOCK(dma_buf_negotiate_lock);

/*
 * For dma_buf_set_late(), and for dma_buf_late_bind(), which passes @late. If
 * the storage is still bound to a buffer that has lost its last reference,
 * @dmabuf takes the storage over.
 */
int dma_buf_negotiation_start(struct dma_buf *dmabuf, const struct dma_buf_late_ops *ops,
			      struct dma_buf_late *late)
{
	struct dma_buf_negotiation *neg;

	if (dma_buf_negotiation_get(dmabuf))
		return -EBUSY;
	neg = kzalloc(sizeof(*neg), GFP_KERNEL_ACCOUNT);
	if (!neg)
		return -ENOMEM;

	INIT_LIST_HEAD(&neg->announced);
	neg->ops = ops;
	neg->late = late;
	guard(spinlock)(&dma_buf_negotiate_lock);
	if (late && late->dmabuf && file_count(late->dmabuf->file)) {
		kfree(neg);
		return -EBUSY;
	}
	to_dma_buf_object(dmabuf)->negotiation = neg;
	if (late)
		smp_store_release(&late->dmabuf, dmabuf); /* after @negotiation */
	return 0;
}

/*
 * Called when the buffer's file ends: nobody can join, map or fault through it
 * any more. A thread that holds the reservation object may still use the buffer
 * that it read from &dma_buf_late.dmabuf, so this takes that lock.
 */
void dma_buf_negotiation_stop(struct dma_buf *dmabuf)
{
	struct dma_buf_late *late = dma_buf_negotiation_get(dmabuf)->late;

	if (!late)
		return;

	guard(dma_resv)(dmabuf->resv);
	guard(spinlock)(&dma_buf_negotiate_lock);
	if (late->dmabuf == dmabuf)
		WRITE_ONCE(late->dmabuf, NULL);
}

/**
 * dma_buf_set_late - say that storage is placed when it is first used
 * @dmabuf: buffer, just exported; nobody else has it yet
 * @ops: the exporter's side of the negotiation
 *
 * Makes the buffer negotiable. The core then does not map it at attach, whether
 * exporter and importer are dynamic or static, and checks each device that
 * joins; see "DOC: negotiation". An exporter whose storage negotiate/late.c
 * places calls dma_buf_late_bind() instead.
 *
 * Context: may sleep; no lock needed.
 *
 * Return: 0; -EINVAL without @ops or &dma_buf_late_ops.storage; -EBUSY when the
 * buffer is negotiable already; -ENOMEM.
 */
int dma_buf_set_late(struct dma_buf *dmabuf, const struct dma_buf_late_ops *ops)
{
	if (WARN_ON_ONCE(!ops || !ops->storage))
		return -EINVAL;

	return dma_buf_negotiation_start(dmabuf, ops, NULL);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_set_late, "DMA_BUF");

/**
 * dma_buf_is_late - can the storage of this buffer be negotiated?
 * @dmabuf: buffer
 *
 * For importers that refuse storage which may be out of reach. A late exporter
 * places it within reach, or refuses the attachment.
 *
 * Context: any; no lock needed.
 *
 * Return: true if the exporter called dma_buf_set_late() or dma_buf_late_bind().
 */
bool dma_buf_is_late(struct dma_buf *dmabuf)
{
	return dma_buf_negotiation_get(dmabuf);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_is_late, "DMA_BUF");

/* --- announced devices --- */

static struct dma_buf_announced *
announced_find_locked(struct dma_buf_negotiation *neg, const struct device *dev)
{
	struct dma_buf_announced *item;

	lockdep_assert_held(&dma_buf_negotiate_lock);

	list_for_each_entry(item, &neg->announced, node) {
		if (item->dev == dev)
			return item;
	}
	return NULL;
}

static void announced_drop_locked(struct dma_buf_announced *item)
{
	lockdep_assert_held(&dma_buf_negotiate_lock);

	list_del(&item->node);
	list_del(&item->of_device);
	kfree(item);
}

/* The device loses its driver or is deleted: ends all its entries. */
void dma_buf_announced_release(struct device *dev, void *res)
{
	struct list_head *items = res;
	struct dma_buf_announced *item;

	guard(spinlock)(&dma_buf_negotiate_lock);
	while (!list_empty(items)) {
		item = list_first_entry(items, typeof(*item), of_device);
		/* The announcing thread frees an entry that has not joined. */
		if (list_empty(&item->node))
			list_del_init(&item->of_device);
		else
			announced_drop_locked(item);
		cond_resched_lock(&dma_buf_negotiate_lock);
	}
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_announced_release);

/* Called when the buffer is freed, so nobody can find it any more. */
void dma_buf_negotiation_free(struct dma_buf *dmabuf)
{
	struct dma_buf_negotiation *neg = dma_buf_negotiation_get(dmabuf);
	struct dma_buf_announced *item, *next;

	scoped_guard(spinlock, &dma_buf_negotiate_lock) {
		list_for_each_entry_safe(item, next, &neg->announced, node)
			announced_drop_locked(item);
	}
	kfree(neg);
}

/**
 * dma_buf_get_constraints - what storage for all devices must satisfy
 * @dmabuf: buffer
 * @c: out: merged constraints of all devices attached or announced
 * @conflict: out: where they contradict each other; may be NULL
 *
 * The constraints of each device come from dma_buf_constraints_of_storage():
 * addresses are those of memory, and the number of segments has become a number
 * of runs. The merged segment size and boundary are those of the finest scatter
 * list.
 *
 * Context: caller holds the reservation object.
 *
 * Return: 0; -EBUSY when they contradict each other. With a late exporter this
 * happens only after the driver of an attached device has changed what the device
 * needs, and with storage of negotiate/late.c it never happens.
 */
int dma_buf_get_constraints(struct dma_buf *dmabuf, struct dma_buf_constraints *c,
			    struct dma_buf_conflict *conflict)
{
	struct dma_buf_negotiation *neg = dma_buf_negotiation_get(dmabuf);
	size_t size = dmabuf->size;
	struct dma_buf_attachment *attach;
	struct dma_buf_announced *item;
	struct dma_buf_constraints one;
	int ret = 0;

	dma_resv_assert_held(dmabuf->resv);

	dma_buf_constraints_init(c);
	list_for_each_entry(attach, &dmabuf->attachments, node) {
		if (neg && neg->late) {
			one = *(struct dma_buf_constraints *)attach->priv;
		} else {
			dma_buf_constraints_from_device(&one, attach->dev);
			dma_buf_constraints_of_storage(&one, attach->dev, dmabuf->size);
		}
		ret = ret ?: dma_buf_constraints_merge(c, &one, conflict);
	}
	if (!neg)
		return ret;

	/* While a commit changes the size, only the storage has the new one. */
	if (neg->late)
		size = neg->late->size;
	guard(spinlock)(&dma_buf_negotiate_lock);
	list_for_each_entry(item, &neg->announced, node) {
		one = item->memory;
		dma_buf_constraints_of_size(&one, size);
		ret = ret ?: dma_buf_constraints_merge(c, &one, conflict);
	}
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_get_constraints, "DMA_BUF");

/*
 * Returns the number of devices that have joined a late buffer. There is no limit
 * for attachments, so the spinlock is dropped after each. A device that is removed
 * meanwhile may not be counted.
 */
unsigned int dma_buf_negotiation_count_locked(struct dma_buf *dmabuf)
{
	struct dma_buf_negotiation *neg = dma_buf_negotiation_get(dmabuf);
	struct dma_buf_attachment *attach;
	unsigned int count = 0;

	dma_resv_assert_held(dmabuf->resv);

	list_for_each_entry(attach, &dmabuf->attachments, node) {
		scoped_guard(spinlock, &dma_buf_negotiate_lock)
			count += !announced_find_locked(neg, attach->dev);
	}
	guard(spinlock)(&dma_buf_negotiate_lock);
	return count + list_count_nodes(&neg->announced);
}

/* --- the admission of a device --- */

/*
 * Derives what the device needs of the addresses that it gets, and of the pages.
 * The caller keeps the device's driver bound.
 */
static void negotiation_derive(struct device *dev, unsigned int how,
			       struct dma_buf_constraints *mapped,
			       struct dma_buf_constraints *memory)
{
	if (how & DMA_BUF_DEVICE_PROCESSOR)
		dma_buf_constraints_init(mapped);
	else
		dma_buf_constraints_from_device(mapped, dev);
	*memory = *mapped;
	/* The scatter list may have several segments if each begins where the one before ends. */
	if (how & DMA_BUF_DEVICE_ONE_ADDRESS)
		memory->flags |= DMA_BUF_CONSTRAINT_CONTIGUOUS;
	if (!(how & DMA_BUF_DEVICE_PROCESSOR))
		dma_buf_constraints_of_memory(memory, dev);
}

/*
 * The three steps of "DOC: negotiation", for a buffer of @size bytes. @memory
 * becomes what the device needs of the pages of such a buffer.
 */
static int negotiation_admit_locked(struct dma_buf *dmabuf, struct device *dev, size_t size,
				    const struct dma_buf_constraints *mapped,
				    struct dma_buf_constraints *memory,
				    struct dma_buf_conflict *conflict)
{
	const struct dma_buf_late_ops *ops = dma_buf_negotiation_get(dmabuf)->ops;
	struct dma_buf_constraints merged;
	int ret;

	ret = dma_buf_constraints_check_size(mapped, size, conflict);
	dma_buf_constraints_of_size(memory, size);
	if (!ret)
		ret = dma_buf_get_constraints(dmabuf, &merged, conflict);
	if (!ret)
		ret = dma_buf_constraints_merge(&merged, memory, conflict);
	if (!ret && ops->admit)
		ret = ops->admit(dmabuf, &merged, conflict);
	/* An exporter may fail without a constraint as the reason. */
	return dma_buf_refused(dmabuf, dev, DMA_BUF_STEP_ADMIT, ret, .why = conflict);
}

/*
 * Lets the attachment join a late buffer, or refuses it. If storage is bound,
 * &dma_buf_attachment.priv keeps the device's needs until
 * dma_buf_late_detach(), since the driver may leave before that.
 */
int dma_buf_negotiation_attach_locked(struct dma_buf_attachment *attach)
{
	struct dma_buf *dmabuf = attach->dmabuf;
	struct dma_buf_constraints mapped, memory;
	struct dma_buf_conflict conflict = { };
	int ret;

	dma_resv_assert_held(dmabuf->resv);

	negotiation_derive(attach->dev, 0, &mapped, &memory);
	ret = negotiation_admit_locked(dmabuf, attach->dev, dmabuf->size, &mapped, &memory,
				       &conflict);
	if (ret || !dma_buf_negotiation_get(dmabuf)->late)
		return ret;

	attach->priv = kmemdup(&memory, sizeof(memory), GFP_KERNEL);
	return attach->priv ? 0 : -ENOMEM;
}

/*
 * May a commit change the size? Not of a GEM object, which has an f_mapping: its
 * driver chose the size. Nor of a buffer that is attached or has storage: somebody has
 * read its size.
 */
static bool negotiation_may_grow_locked(struct dma_buf *dmabuf)
{
	const struct dma_buf_late *late = dma_buf_negotiation_get(dmabuf)->late;

	dma_resv_assert_held(dmabuf->resv);

	return late && !late->f_mapping && !late->fixed_size && !late->storage &&
	       list_empty(&dmabuf->attachments);
}

/* The size that a commit would give the buffer for these constraints. */
static u64 negotiation_size_locked(struct dma_buf *dmabuf, u64 size,
				   const struct dma_buf_constraints *c)
{
	if (!negotiation_may_grow_locked(dmabuf))
		return dmabuf->size;
	return round_up(size, max3(c->size_align, c->length_align, (u32)PAGE_SIZE));
}

/*
 * Derives what the device needs, and puts the entry into the device's list. The
 * device's lock keeps the driver bound. If the device has neither a driver nor
 * managed resources, its driver has left since the lookup, and the device is
 * refused: a new resource would keep the next driver from being bound. A device
 * without a driver can have managed resources if no driver is ever bound to it.
 */
static int announced_prepare(struct dma_buf_announced *item, unsigned int how, u32 use)
{
	struct device *dev = item->dev;
	struct list_head *items;

	device_lock_assert(dev);

	if (!dev->driver && list_empty(&dev->devres_head))
		return -ENODEV;
	negotiation_derive(dev, how, &item->mapped, &item->memory);
	item->memory.use = use;
	items = devres_alloc(dma_buf_announced_release, sizeof(*items), GFP_KERNEL);
	if (!items)
		return -ENOMEM;

	INIT_LIST_HEAD(items);
	/* Finds the device's list, or adds the new one. Its release waits for the spinlock. */
	guard(spinlock)(&dma_buf_negotiate_lock);
	items = devres_get(dev, items, NULL, NULL);
	list_add(&item->of_device, items);
	return 0;
}

/* Adds the entry to the buffer. On failure the caller still owns it. */
static int announced_join_locked(struct dma_buf *dmabuf, struct dma_buf_announced *item,
				 struct dma_buf_conflict *conflict)
{
	struct dma_buf_negotiation *neg = dma_buf_negotiation_get(dmabuf);
	struct dma_buf_constraints mapped = item->mapped, pages = item->memory, memory;
	struct dma_buf_announced *old;
	int ret = 0;
	u64 size;

	/* Another node of the device, or its driver, may need more now. */
	scoped_guard(spinlock, &dma_buf_negotiate_lock) {
		old = announced_find_locked(neg, item->dev);
		if (old)
			ret = dma_buf_constraints_merge(&mapped, &old->mapped, conflict) ?:
			      dma_buf_constraints_merge(&pages, &old->memory, conflict);
	}
	if (ret)
		return dma_buf_refused(dmabuf, item->dev, DMA_BUF_STEP_ADMIT, ret, .why = conflict);

	size = negotiation_size_locked(dmabuf, dmabuf->size, &mapped);
	memory = pages;
	ret = negotiation_admit_locked(dmabuf, item->dev, size, &mapped, &memory, conflict);
	if (ret)
		return ret;

	spin_lock(&dma_buf_negotiate_lock);
	old = announced_find_locked(neg, item->dev);
	if (list_empty(&item->of_device)) {
		ret = -ENODEV;
	} else if (old) {
		old->mapped = mapped;
		old->memory = pages;
		announced_drop_locked(item);
	} else if (list_count_nodes(&neg->announced) == MAX_ANNOUNCED) {
		ret = -ENOSPC;
	} else {
		list_add(&item->node, &neg->announced);
	}
	spin_unlock(&dma_buf_negotiate_lock);
	return ret;
}

/*
 * Announces a device for a late buffer. Announcing it again adds to its use and
 * its needs. The caller holds the device and the file that it came from. This
 * function never holds the device's lock and the reservation object together, so
 * drivers are free to nest them in either order.
 */
int dma_buf_negotiation_announce(struct dma_buf *dmabuf, struct device *dev,
				 unsigned int how, u32 use,
				 struct dma_buf_conflict *conflict)
{
	struct dma_buf_announced *item = kzalloc(sizeof(*item), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!item)
		return -ENOMEM;
	INIT_LIST_HEAD(&item->node);
	INIT_LIST_HEAD(&item->of_device);
	item->dev = dev;

	ret = device_lock_interruptible(dev);
	if (!ret) {
		ret = announced_prepare(item, how, use);
		device_unlock(dev);
	}
	if (!ret)
		ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (!ret) {
		ret = announced_join_locked(dmabuf, item, conflict);
		dma_resv_unlock(dmabuf->resv);
	}
	if (!ret)
		return 0;

	guard(spinlock)(&dma_buf_negotiate_lock);
	announced_drop_locked(item);
	return ret;
}

/* Takes an announcement back. */
int dma_buf_negotiation_withdraw(struct dma_buf *dmabuf, const struct device *dev)
{
	struct dma_buf_announced *item;

	guard(spinlock)(&dma_buf_negotiate_lock);
	item = announced_find_locked(dma_buf_negotiation_get(dmabuf), dev);
	if (item)
		announced_drop_locked(item);
	return item ? 0 : -ENOENT;
}

/* --- the commit --- */

/*
 * Gives the storage the size that the program wants, or tells which announced
 * device does not take it.
 */
static int commit_resize_locked(struct dma_buf *dmabuf, struct dma_buf_commit *arg,
				struct dma_buf_conflict *conflict)
{
	struct dma_buf_negotiation *neg = dma_buf_negotiation_get(dmabuf);
	const u64 most = min((u64)totalram_pages() << PAGE_SHIFT, (u64)SIZE_MAX);
	struct dma_buf_constraints all;
	struct dma_buf_announced *item;
	u64 size;
	int ret;

	if (arg->size && arg->size < dmabuf->size)
		return -EINVAL;
	ret = dma_buf_get_constraints(dmabuf, &all, conflict);
	size = negotiation_size_locked(dmabuf, clamp(arg->size, dmabuf->size, most + 1), &all);
	if (size > most)
		return -ENOMEM;
	if (size < arg->size)
		return -EBUSY;

	spin_lock(&dma_buf_negotiate_lock);
	list_for_each_entry(item, &neg->announced, node) {
		if (ret)
			break;
		ret = dma_buf_constraints_check_size(&item->mapped, size, conflict);
		if (ret)
			strscpy(arg->device, dev_name(item->dev));
	}
	spin_unlock(&dma_buf_negotiate_lock);
	if (!ret && neg->late)
		neg->late->size = size;
	return ret;
}

/*
 * Places the storage. Everybody else sees the new size only when that has
 * worked: a program can map the buffer at any time.
 */
int dma_buf_negotiation_commit(struct dma_buf *dmabuf, struct dma_buf_commit *arg,
			       struct dma_buf_conflict *conflict)
{
	struct dma_buf_negotiation *neg = dma_buf_negotiation_get(dmabuf);
	int ret;

	if (!neg->ops->commit)
		return -EOPNOTSUPP;
	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;

	ret = commit_resize_locked(dmabuf, arg, conflict);
	if (!ret)
		ret = neg->ops->commit(dmabuf, conflict);
	if (!ret && neg->late) {
		dmabuf->size = neg->late->size;
		i_size_write(file_inode(dmabuf->file), dmabuf->size);
		inode_set_bytes(file_inode(dmabuf->file), dmabuf->size);
	} else if (neg->late) {
		neg->late->size = dmabuf->size;
	}
	/* A program that is refused may ask again with the same struct. */
	if (!ret)
		arg->size = dmabuf->size;
	dma_resv_unlock(dmabuf->resv);
	return dma_buf_refused(dmabuf, NULL, DMA_BUF_STEP_COMMIT, ret, .why = conflict);
}
