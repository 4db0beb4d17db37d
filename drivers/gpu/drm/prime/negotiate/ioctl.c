// SPDX-License-Identifier: GPL-2.0-only
/*
 * Negotiation of a buffer's storage: devices announced by programs, the merged
 * constraints of everybody, admission of one device more, why the last one was
 * refused, and the ioctls for all that.
 *
 * Whoever has the descriptor may ask and may announce, as it may import: the
 * mode of the descriptor is about the data. Answers hold no address.
 */
#include <linux/uaccess.h>

#include "../core/internal.h"

/**
 * DOC: negotiation
 *
 * An exporter that places its storage late calls dma_buf_set_late() right
 * after dma_buf_export(). From then on every device that joins is admitted by
 * the core, with the reservation object held:
 *
 * 1. Could the device take a buffer of this size at all?
 * 2. Do its constraints contradict those of the others, attached or announced?
 * 3. Does the exporter agree (&dma_buf_late_ops.admit)? It refuses when
 *    storage is placed that neither suits nor can move.
 *
 * A device that is refused gets -EBUSY, and DMA_BUF_IOCTL_GET_REFUSAL tells
 * the first reason. Nothing is mapped before an importer asks for it, so all
 * devices can be there before the first page.
 */

/* How many devices a program may announce for one buffer. */
#define MAX_ANNOUNCED 64

/**
 * struct dma_buf_announced - a device that a program said will use the buffer
 * @node: in &dma_buf_negotiation.announced
 * @dev: the device; holds a reference, so that no other takes its address
 * @constraints: what it needs of the storage; never changes
 * @users: announcements of it that stand; protected by the reservation object
 */
struct dma_buf_announced {
	struct list_head node;
	struct device *dev;
	struct dma_buf_constraints constraints;
	unsigned int users;
};

/**
 * struct dma_buf_negotiation - what a buffer has once somebody negotiates
 * @late: the exporter's side; NULL if it does not place late, then only
 *	@refusal is used; set before the buffer can be found
 * @storage: what negotiate/late.c places for it, or NULL; set with @late
 * @announced: links &dma_buf_announced.node; protected by the reservation
 *	object
 * @count: length of @announced; protected by the reservation object
 * @lock: protects @refusal; nothing nests in it
 * @refusal: the last one
 */
struct dma_buf_negotiation {
	const struct dma_buf_late_ops *late;
	struct dma_buf_late *storage;
	struct list_head announced;
	unsigned int count;
	spinlock_t lock;	/* of @refusal */
	struct dma_buf_refusal refusal;
};

static struct dma_buf_negotiation *negotiation_get(struct dma_buf *dmabuf)
{
	/* Pairs with the cmpxchg() that publishes it. */
	return smp_load_acquire(&to_dma_buf_object(dmabuf)->negotiation);
}

static struct dma_buf_negotiation *negotiation_alloc(void)
{
	struct dma_buf_negotiation *neg = kzalloc(sizeof(*neg),
						  GFP_KERNEL_ACCOUNT);

	if (neg) {
		INIT_LIST_HEAD(&neg->announced);
		spin_lock_init(&neg->lock);
	}
	return neg;
}

/* The buffer's, made now if need be. */
static struct dma_buf_negotiation *negotiation_make(struct dma_buf *dmabuf)
{
	struct dma_buf_negotiation *neg = negotiation_get(dmabuf), *other;

	if (neg)
		return neg;

	neg = negotiation_alloc();
	if (!neg)
		return NULL;

	other = cmpxchg(&to_dma_buf_object(dmabuf)->negotiation, NULL, neg);
	if (!other)
		return neg;

	kfree(neg);
	return other;
}

/**
 * dma_buf_is_late - whether storage is placed for the devices that join
 * @dmabuf: buffer
 *
 * For importers that must not map storage which may be out of reach: a late
 * exporter has placed it within reach, or refuses the attachment.
 *
 * Context: any; no lock needed.
 *
 * Return: true if the exporter called dma_buf_set_late().
 */
bool dma_buf_is_late(struct dma_buf *dmabuf)
{
	struct dma_buf_negotiation *neg = negotiation_get(dmabuf);

	return neg && neg->late;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_is_late, DMA_BUF);

static void announced_free(struct dma_buf_announced *item)
{
	put_device(item->dev);
	kfree(item);
}

/* With the buffer: nobody can find it any more. */
void dma_buf_negotiation_free(struct dma_buf *dmabuf)
{
	struct dma_buf_negotiation *neg = negotiation_get(dmabuf);
	struct dma_buf_announced *item, *next;

	if (!neg)
		return;

	list_for_each_entry_safe(item, next, &neg->announced, node)
		announced_free(item);
	kfree(neg);
}

/* As dma_buf_set_late(); for dma_buf_late_of() with the storage. */
int dma_buf_negotiation_start(struct dma_buf *dmabuf,
			      const struct dma_buf_late_ops *ops,
			      struct dma_buf_late *storage)
{
	struct dma_buf_negotiation *neg = negotiation_alloc();

	if (!neg)
		return -ENOMEM;

	neg->late = ops;
	neg->storage = storage;
	if (cmpxchg(&to_dma_buf_object(dmabuf)->negotiation, NULL, neg)) {
		kfree(neg);
		return -EBUSY;
	}
	return 0;
}

/* NULL unless the buffer was bound to storage of negotiate/late.c. */
struct dma_buf_late *dma_buf_late_of(struct dma_buf *dmabuf)
{
	struct dma_buf_negotiation *neg = negotiation_get(dmabuf);

	return neg ? neg->storage : NULL;
}

/**
 * dma_buf_set_late - say that storage is placed when it is first used
 * @dmabuf: buffer, just exported; nobody else has it yet
 * @ops: the exporter's side of the negotiation
 *
 * Makes the buffer negotiable. The core maps it for nobody at attach then,
 * whatever exporter and importer are, and admits each device that joins; see
 * "DOC: negotiation". An exporter that has negotiate/late.c place its storage
 * calls dma_buf_late_bind() instead.
 *
 * Context: may sleep; no lock needed.
 *
 * Return: 0; -EBUSY when the buffer negotiates already; -ENOMEM.
 */
int dma_buf_set_late(struct dma_buf *dmabuf,
		     const struct dma_buf_late_ops *ops)
{
	if (WARN_ON_ONCE(!ops || !ops->storage))
		return -EINVAL;

	return dma_buf_negotiation_start(dmabuf, ops, NULL);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_set_late, DMA_BUF);

/**
 * dma_buf_refuse - say why a device is refused
 * @dmabuf: buffer
 * @dev: device that can't use it
 * @conflict: why, without an address in it
 *
 * For an exporter's attach, pin or map that is about to answer -EBUSY, on any
 * buffer. Programs read it with DMA_BUF_IOCTL_GET_REFUSAL; each refusal
 * replaces the one before. Without memory nothing is recorded.
 *
 * Context: may sleep; the reservation object may be held.
 */
void dma_buf_refuse(struct dma_buf *dmabuf, struct device *dev,
		    const struct dma_buf_conflict *conflict)
{
	struct dma_buf_negotiation *neg = negotiation_make(dmabuf);
	struct dma_buf_refusal refusal = {
		.field = conflict->field,
		.wanted = conflict->wanted,
		.found = conflict->found,
	};

	if (!neg)
		return;

	strscpy(refusal.device, dev_name(dev));
	spin_lock(&neg->lock);
	neg->refusal = refusal;
	spin_unlock(&neg->lock);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_refuse, DMA_BUF);

static struct dma_buf_announced *announced_find(struct dma_buf_negotiation *neg,
						const struct device *dev)
{
	struct dma_buf_announced *item;

	list_for_each_entry(item, &neg->announced, node) {
		if (item->dev == dev)
			return item;
	}
	return NULL;
}

/**
 * dma_buf_get_constraints - what the storage has to be for everybody
 * @dmabuf: buffer
 * @c: filled in: constraints of all devices attached or announced
 * @conflict: filled in when they contradict one another; may be NULL
 *
 * A device's number of segments has become a number of runs here, see
 * dma_buf_constraints_of_storage(). Merged sizes and boundaries of segments
 * only tell what the finest table will be.
 *
 * Context: caller holds the reservation object.
 *
 * Return: 0; -EBUSY when they contradict one another, which those of a late
 * exporter never do.
 */
int dma_buf_get_constraints(struct dma_buf *dmabuf,
			    struct dma_buf_constraints *c,
			    struct dma_buf_conflict *conflict)
{
	struct dma_buf_negotiation *neg = negotiation_get(dmabuf);
	struct dma_buf_attachment *attach;
	struct dma_buf_constraints one;
	struct dma_buf_announced *item;
	int ret;

	dma_resv_assert_held(dmabuf->resv);

	dma_buf_constraints_init(c);
	list_for_each_entry(attach, &dmabuf->attachments, node) {
		dma_buf_attachment_constraints(attach, &one);
		dma_buf_constraints_of_storage(&one, dmabuf->size);
		ret = dma_buf_constraints_merge(c, &one, conflict);
		if (ret)
			return ret;
	}
	if (!neg)
		return 0;

	list_for_each_entry(item, &neg->announced, node) {
		ret = dma_buf_constraints_merge(c, &item->constraints, conflict);
		if (ret)
			return ret;
	}
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_get_constraints, DMA_BUF);

/* The steps of "DOC: negotiation"; @own are one device's. */
static int negotiation_check_locked(struct dma_buf *dmabuf,
				    const struct dma_buf_late_ops *late,
				    const struct dma_buf_constraints *own,
				    struct dma_buf_constraints *merged,
				    struct dma_buf_conflict *conflict)
{
	struct dma_buf_constraints one = *own;
	int ret;

	ret = dma_buf_constraints_check_size(own, dmabuf->size, conflict);
	if (ret)
		return ret;

	ret = dma_buf_get_constraints(dmabuf, merged, conflict);
	if (ret)
		return ret;

	dma_buf_constraints_of_storage(&one, dmabuf->size);
	ret = dma_buf_constraints_merge(merged, &one, conflict);
	if (ret || !late->admit)
		return ret;

	return late->admit(dmabuf, merged, conflict);
}

static int negotiation_admit_locked(struct dma_buf *dmabuf,
				    const struct dma_buf_late_ops *late,
				    struct device *dev,
				    const struct dma_buf_constraints *own,
				    struct dma_buf_constraints *merged)
{
	struct dma_buf_conflict conflict = {};
	int ret;

	ret = negotiation_check_locked(dmabuf, late, own, merged, &conflict);
	/* An exporter may fail for a reason that is no constraint. */
	if (ret && conflict.field)
		dma_buf_refuse(dmabuf, dev, &conflict);
	return ret;
}

/* For buffers that are placed late. */
int dma_buf_negotiation_admit_locked(struct dma_buf_attachment *attach)
{
	struct dma_buf_negotiation *neg = negotiation_get(attach->dmabuf);
	struct dma_buf_constraints own, merged;

	dma_resv_assert_held(attach->dmabuf->resv);

	dma_buf_attachment_constraints(attach, &own);
	return negotiation_admit_locked(attach->dmabuf, neg->late, attach->dev,
					&own, &merged);
}

static void
negotiation_info_locked(struct dma_buf *dmabuf,
			struct dma_buf_negotiation *neg,
			const struct dma_buf_constraints *c,
			struct dma_buf_constraints_info *info)
{
	struct dma_buf_attachment *attach;

	*info = (struct dma_buf_constraints_info) {
		.dma_mask = c->dma_mask,
		.segment_boundary = c->segment_boundary,
		.max_segment_size = c->max_segment_size,
		.max_segments = c->max_segments,
		.alignment = c->alignment,
		.length_align = c->length_align,
		.flags = c->flags,
		.devices = neg->count,
	};
	list_for_each_entry(attach, &dmabuf->attachments, node) {
		if (!announced_find(neg, attach->dev))
			info->devices++;
	}
}

/*
 * Adds @item, or counts once more the device that is there already; gives the
 * one that is in the list.
 */
static struct dma_buf_announced *
announced_add_locked(struct dma_buf *dmabuf, struct dma_buf_negotiation *neg,
		     struct dma_buf_announced *item,
		     struct dma_buf_constraints_info *info)
{
	struct dma_buf_announced *there = announced_find(neg, item->dev);
	struct dma_buf_constraints merged;
	int ret;

	dma_resv_assert_held(dmabuf->resv);

	if (!there && neg->count == MAX_ANNOUNCED)
		return ERR_PTR(-ENOSPC);

	ret = negotiation_admit_locked(dmabuf, neg->late, item->dev,
				       &item->constraints, &merged);
	if (ret)
		return ERR_PTR(ret);

	if (!there) {
		there = item;
		dma_buf_constraints_of_storage(&item->constraints,
					       dmabuf->size);
		list_add(&item->node, &neg->announced);
		neg->count++;
	}
	there->users++;
	negotiation_info_locked(dmabuf, neg, &merged, info);
	return there;
}

/* Takes one announcement back; true when the device is out of the list. */
static bool announced_del_locked(struct dma_buf *dmabuf,
				 struct dma_buf_negotiation *neg,
				 struct dma_buf_announced *item)
{
	dma_resv_assert_held(dmabuf->resv);

	if (--item->users)
		return false;

	list_del(&item->node);
	neg->count--;
	return true;
}

/* As much as the program knows of; what it knows beyond us is 0. */
static int negotiate_answer(void __user *uarg, size_t usize, const void *answer,
			    size_t size)
{
	if (copy_to_user(uarg, answer, min(usize, size)))
		return -EFAULT;
	if (usize > size && clear_user(uarg + size, usize - size))
		return -EFAULT;
	return 0;
}

static struct dma_buf_announced *announced_alloc(int fd)
{
	struct dma_buf_announced *item = kzalloc(sizeof(*item),
						 GFP_KERNEL_ACCOUNT);
	int ret;

	if (!item)
		return ERR_PTR(-ENOMEM);

	item->dev = dma_buf_device_get(fd);
	if (IS_ERR(item->dev)) {
		ret = PTR_ERR(item->dev);
		kfree(item);
		return ERR_PTR(ret);
	}
	dma_buf_constraints_from_device(&item->constraints, item->dev);
	return item;
}

static long negotiate_add_device(struct dma_buf *dmabuf, void __user *uarg,
				 size_t usize)
{
	struct dma_buf_negotiation *neg = negotiation_get(dmabuf);
	struct dma_buf_announced *item, *there;
	struct dma_buf_add_device arg;
	int ret;

	if (usize < offsetofend(struct dma_buf_add_device, flags))
		return -EINVAL;
	ret = copy_struct_from_user(&arg, sizeof(arg), uarg, usize);
	if (ret)
		return ret;
	if (arg.flags)
		return -EINVAL;
	if (!neg || !neg->late)
		return -EOPNOTSUPP;

	item = announced_alloc(arg.device_fd);
	if (IS_ERR(item))
		return PTR_ERR(item);

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		goto out;
	there = announced_add_locked(dmabuf, neg, item, &arg.merged);
	dma_resv_unlock(dmabuf->resv);
	if (IS_ERR(there)) {
		ret = PTR_ERR(there);
		goto out;
	}
	if (there == item)
		item = NULL;

	/* Not under the lock: a fault takes mmap_lock, which is outside it. */
	ret = negotiate_answer(uarg, usize, &arg, sizeof(arg));
	if (ret) {
		dma_resv_lock(dmabuf->resv, NULL);
		if (announced_del_locked(dmabuf, neg, there))
			item = there;
		dma_resv_unlock(dmabuf->resv);
	}
out:
	if (item)
		announced_free(item);
	return ret;
}

static long negotiate_get_constraints(struct dma_buf *dmabuf,
				      void __user *uarg, size_t usize)
{
	struct dma_buf_negotiation *neg = negotiation_get(dmabuf);
	struct dma_buf_constraints_info info;
	struct dma_buf_constraints merged;
	int ret;

	if (!neg || !neg->late)
		return -EOPNOTSUPP;

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;
	ret = dma_buf_get_constraints(dmabuf, &merged, NULL);
	if (!ret)
		negotiation_info_locked(dmabuf, neg, &merged, &info);
	dma_resv_unlock(dmabuf->resv);
	if (ret)
		return ret;

	return negotiate_answer(uarg, usize, &info, sizeof(info));
}

static long negotiate_get_storage(struct dma_buf *dmabuf, void __user *uarg,
				  size_t usize)
{
	struct dma_buf_negotiation *neg = negotiation_get(dmabuf);
	struct dma_buf_storage_info info = { .size = dmabuf->size };
	int ret;

	if (!neg || !neg->late)
		return -EOPNOTSUPP;

	strscpy(info.exporter, dmabuf->exp_name);
	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;
	ret = neg->late->storage(dmabuf, &info);
	dma_resv_unlock(dmabuf->resv);
	if (ret)
		return ret;

	return negotiate_answer(uarg, usize, &info, sizeof(info));
}

static long negotiate_get_refusal(struct dma_buf *dmabuf, void __user *uarg,
				  size_t usize)
{
	struct dma_buf_negotiation *neg = negotiation_get(dmabuf);
	struct dma_buf_refusal refusal = {};

	if (neg) {
		spin_lock(&neg->lock);
		refusal = neg->refusal;
		spin_unlock(&neg->lock);
	}
	return negotiate_answer(uarg, usize, &refusal, sizeof(refusal));
}

/* A request without its size, which says how much the program knows of. */
#define REQUEST(cmd) ((cmd) & ~IOCSIZE_MASK)

long dma_buf_negotiate_ioctl(struct dma_buf *dmabuf, unsigned int cmd,
			     void __user *uarg)
{
	const size_t usize = _IOC_SIZE(cmd);

	switch (REQUEST(cmd)) {
	case REQUEST(DMA_BUF_IOCTL_ADD_DEVICE):
		return negotiate_add_device(dmabuf, uarg, usize);
	case REQUEST(DMA_BUF_IOCTL_GET_CONSTRAINTS):
		return usize ? negotiate_get_constraints(dmabuf, uarg, usize) :
			       -EINVAL;
	case REQUEST(DMA_BUF_IOCTL_GET_STORAGE):
		return usize ? negotiate_get_storage(dmabuf, uarg, usize) :
			       -EINVAL;
	case REQUEST(DMA_BUF_IOCTL_GET_REFUSAL):
		return usize ? negotiate_get_refusal(dmabuf, uarg, usize) :
			       -EINVAL;
	default:
		return -ENOTTY;
	}
}
