// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings: scatter lists of a buffer for an attached device, and the pins
 * that keep the storage in place below them.
 *
 * dma_buf_map_locked() makes every mapping, and dma_buf_unmap_attachment()
 * returns it, both for importers and for attach and detach. So one place
 * decides about pins and waits.
 */
#include "internal.h"

/*
 * Storage that can move has to be pinned while it is mapped for an importer
 * that does not follow moves.
 */
static bool dma_buf_mapping_wants_pin(struct dma_buf_attachment *attach)
{
	return dma_buf_is_dynamic(attach->dmabuf) &&
	       !(DMA_BUF_FOLLOWS_MOVES && dma_buf_attachment_is_dynamic(attach));
}

static int dma_buf_mapping_pin_locked(struct dma_buf_attachment *attach)
{
	struct dma_buf *dmabuf = attach->dmabuf;

	dma_resv_assert_held(dmabuf->resv);
	if (!dma_buf_is_dynamic(dmabuf))
		return 0;

	dma_buf_trace(pin, attach);
	return dma_buf_refused(dmabuf, attach->dev, DMA_BUF_STEP_PIN, dmabuf->ops->pin(attach));
}

static void dma_buf_mapping_unpin_locked(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);
	if (!dma_buf_is_dynamic(attach->dmabuf))
		return;

	dma_buf_trace(unpin, attach);
	attach->dmabuf->ops->unpin(attach);
}

/* Waits until the fences have signalled, or returns -EBUSY if the caller can't wait. */
static int dma_buf_mapping_wait(struct dma_buf_attachment *attach, bool may_wait)
{
	if (!may_wait)
		return dma_buf_refused(attach->dmabuf, attach->dev, DMA_BUF_STEP_TABLE, -EBUSY);

	return min(dma_resv_wait_timeout(attach->dmabuf->resv, DMA_RESV_USAGE_KERNEL, true,
					 MAX_SCHEDULE_TIMEOUT), 0L);
}

/*
 * A static importer does not wait for the fences of moves and clears of the
 * storage. They must have signalled before it gets an address. So wait for them
 * here, or return -EBUSY if the caller can't wait.
 */
static inline int dma_buf_mapping_settle_locked(struct dma_buf_attachment *attach, bool may_wait)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	return dma_buf_attachment_is_dynamic(attach) ||
	       dma_resv_test_signaled(attach->dmabuf->resv, DMA_RESV_USAGE_KERNEL) ?
	       0 : dma_buf_mapping_wait(attach, may_wait);
}

static struct sg_table *dma_buf_table_map(struct dma_buf_attachment *attach,
					  enum dma_data_direction dir, bool may_wait)
{
	const struct dma_buf_ops *ops = attach->dmabuf->ops;
	struct sg_table *sgt = ops->map_dma_buf(attach, dir);
	struct sg_table *lent;
	int ret;

	if (IS_ERR_OR_NULL(sgt))
		return ERR_PTR(dma_buf_refused(attach->dmabuf, attach->dev, DMA_BUF_STEP_MAP,
					       sgt ? PTR_ERR(sgt) : -ENOMEM));

	ret = dma_buf_mapping_check(attach, sgt) ?: dma_buf_mapping_settle_locked(attach, may_wait);
	lent = ret ? ERR_PTR(ret) : IS_ENABLED(CONFIG_DMABUF_DEBUG) ? dma_buf_table_lend(sgt) : sgt;
	if (IS_ERR(lent)) {
		dma_buf_refused(attach->dmabuf, attach->dev, DMA_BUF_STEP_TABLE,
				PTR_ERR(lent), sgt);
		ops->unmap_dma_buf(attach, sgt, dir);
	}
	return lent;
}

static struct sg_table *dma_buf_map_locked(struct dma_buf_attachment *attach,
					   enum dma_data_direction dir, bool may_wait)
{
	const bool pin = dma_buf_mapping_wants_pin(attach);
	enum dma_data_direction kept;
	struct sg_table *sgt;
	int ret = 0;

	might_sleep();
	dma_resv_assert_held(attach->dmabuf->resv);

	sgt = dma_buf_kept_table(attach, &kept);
	if (sgt)
		return kept == DMA_BIDIRECTIONAL || kept == dir ? sgt : ERR_PTR(-EBUSY);

	/* Tested first: a map that would fail must not move the storage. */
	if (!may_wait)
		ret = dma_buf_mapping_settle_locked(attach, false);
	if (!ret && pin)
		ret = dma_buf_mapping_pin_locked(attach);
	if (ret)
		return ERR_PTR(ret);

	dma_buf_trace(map, attach);
	sgt = dma_buf_table_map(attach, dir, may_wait);
	if (IS_ERR(sgt)) {
		if (pin)
			dma_buf_mapping_unpin_locked(attach);
	} else if (dma_buf_ops_keep_table(attach->dmabuf->ops)) {
		dma_buf_keep_table(attach, sgt, dir);
	}

	return sgt;
}

/**
 * dma_buf_pin - keep the storage where it is
 * @attach: attachment of a dynamic importer
 *
 * For users that can't follow a move, such as scanout. Pinned memory is not
 * available to others, so importers limit how much user space can pin.
 *
 * Context: may sleep; caller holds the reservation object.
 *
 * Return: 0, also when the exporter is static; or the error of the exporter's
 * pin.
 */
int dma_buf_pin(struct dma_buf_attachment *attach)
{
	WARN_ON_ONCE(!dma_buf_attachment_is_dynamic(attach));
	return dma_buf_mapping_pin_locked(attach);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pin, "DMA_BUF");

/**
 * dma_buf_unpin - let the storage move again
 * @attach: attachment for which dma_buf_pin() succeeded
 *
 * Context: may sleep; caller holds the reservation object.
 */
void dma_buf_unpin(struct dma_buf_attachment *attach)
{
	WARN_ON_ONCE(!dma_buf_attachment_is_dynamic(attach));
	dma_buf_mapping_unpin_locked(attach);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unpin, "DMA_BUF");

/**
 * dma_buf_map_attachment - get the buffer's scatter list for a device
 * @attach: attachment
 * @dir: direction of the DMA
 *
 * The table's DMA addresses and lengths are multiples of PAGE_SIZE. The
 * importer must not use the table's pages. A dynamic importer waits for the
 * DMA_RESV_USAGE_KERNEL fences itself before its device uses the addresses.
 *
 * Context: may sleep; caller holds the reservation object.
 *
 * Return: the table for dma_buf_unmap_attachment(), or ERR_PTR: -EINVAL
 * without an attachment; -EBUSY when the attachment keeps a mapping of another
 * direction; -EOPNOTSUPP when the device would work on bounce buffers that the
 * exporter does not sync (udmabuf); -ENOMEM; -ERESTARTSYS after a signal; or the
 * error of the exporter's pin or map_dma_buf.
 */
struct sg_table *dma_buf_map_attachment(struct dma_buf_attachment *attach,
					enum dma_data_direction dir)
{
	if (WARN_ON_ONCE(!attach || !attach->dmabuf))
		return ERR_PTR(-EINVAL);

	return dma_buf_map_locked(attach, dir, true);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_map_attachment, "DMA_BUF");

/**
 * dma_buf_map_attachment_unlocked - take the lock and map
 * @attach: attachment
 * @dir: direction of the DMA
 *
 * Context: may sleep; takes the reservation object.
 *
 * Return: as dma_buf_map_attachment().
 */
struct sg_table *
dma_buf_map_attachment_unlocked(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	if (WARN_ON_ONCE(!attach || !attach->dmabuf))
		return ERR_PTR(-EINVAL);

	guard(dma_resv)(attach->dmabuf->resv);
	return dma_buf_map_locked(attach, dir, true);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_map_attachment_unlocked, "DMA_BUF");

/**
 * dma_buf_try_map_attachment - map without waiting for anybody
 * @attach: attachment
 * @dir: direction of the DMA
 *
 * As dma_buf_map_attachment_unlocked(), but returns -EBUSY instead of waiting
 * for the reservation object or, for a static importer, for
 * DMA_RESV_USAGE_KERNEL fences. If the exporter adds such a fence while it pins
 * or maps, the mapping is undone.
 *
 * This function may still sleep: the exporter's pin and map_dma_buf may
 * allocate memory, and may wait for things that the core does not know.
 * &struct dma_buf_ops has no variants of them that never sleep. So it is not for
 * atomic context. It is for a thread that should not wait for others, such as a
 * work item that tries again at the next frame.
 *
 * Context: may sleep; tries to take the reservation object, so the caller must
 * not hold it.
 *
 * Return: the table for dma_buf_unmap_attachment_unlocked(), or ERR_PTR:
 * -EBUSY when it would have to wait, or the attachment keeps a mapping of
 * another direction; -EINVAL without an attachment; -EOPNOTSUPP as
 * dma_buf_map_attachment(); -ENOMEM; or the error of the exporter's pin or
 * map_dma_buf.
 */
struct sg_table *
dma_buf_try_map_attachment(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	struct sg_table *sgt;

	if (WARN_ON_ONCE(!attach || !attach->dmabuf))
		return ERR_PTR(-EINVAL);

	if (!dma_resv_trylock(attach->dmabuf->resv))
		return ERR_PTR(dma_buf_refused(attach->dmabuf, attach->dev, DMA_BUF_STEP_TABLE,
					       -EBUSY));
	sgt = dma_buf_map_locked(attach, dir, false);
	dma_resv_unlock(attach->dmabuf->resv);

	return sgt;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_try_map_attachment, "DMA_BUF");

/**
 * dma_buf_unmap_attachment - return a scatter list
 * @attach: attachment
 * @sgt: table from dma_buf_map_attachment()
 * @dir: the direction it was mapped with
 *
 * If the attachment keeps the table, it stays mapped until detach.
 *
 * Context: may sleep; caller holds the reservation object.
 */
void dma_buf_unmap_attachment(struct dma_buf_attachment *attach,
			      struct sg_table *sgt, enum dma_data_direction dir)
{
	enum dma_data_direction kept;

	if (WARN_ON_ONCE(!attach || !attach->dmabuf || !sgt))
		return;

	might_sleep();
	dma_resv_assert_held(attach->dmabuf->resv);

	if (dma_buf_kept_table(attach, &kept) == sgt)
		return;

	dma_buf_trace(unmap, attach);
	if (IS_ENABLED(CONFIG_DMABUF_DEBUG))
		sgt = dma_buf_table_take(sgt);
	attach->dmabuf->ops->unmap_dma_buf(attach, sgt, dir);
	if (dma_buf_mapping_wants_pin(attach))
		dma_buf_mapping_unpin_locked(attach);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unmap_attachment, "DMA_BUF");

/**
 * dma_buf_unmap_attachment_unlocked - take the lock and return a scatter list
 * @attach: attachment
 * @sgt: table from dma_buf_map_attachment_unlocked()
 * @dir: the direction it was mapped with
 *
 * Context: may sleep; takes the reservation object.
 */
void __flatten dma_buf_unmap_attachment_unlocked(struct dma_buf_attachment *attach,
						 struct sg_table *sgt, enum dma_data_direction dir)
{
	if (WARN_ON_ONCE(!attach || !attach->dmabuf || !sgt))
		return;

	guard(dma_resv)(attach->dmabuf->resv);
	dma_buf_given_back(attach, sgt);
	/* Inlined by __flatten: a call would save the registers, and test the arguments, again. */
	dma_buf_unmap_attachment(attach, sgt, dir);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unmap_attachment_unlocked, "DMA_BUF");
