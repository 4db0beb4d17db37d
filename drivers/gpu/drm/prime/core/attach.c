// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attachments: devices attach and detach, and dynamic importers are told of
 * moves.
 *
 * On 6.12, if only one side is dynamic, the mapping is made at attach and kept
 * until detach. There are two reasons. A static importer may map where it can't
 * take the reservation object. A dynamic importer holds the reservation object
 * while it maps, which a static exporter does not expect. Late storage is never
 * mapped at attach.
 */
#include "internal.h"

/*
 * Late storage is placed at the first map, so that all devices can attach
 * first. Its exporter expects maps with the reservation object held.
 */
static bool dma_buf_attachment_maps_now(struct dma_buf_attachment *attach)
{
	return DMA_BUF_MAPS_AT_ATTACH &&
	       dma_buf_attachment_is_dynamic(attach) != dma_buf_is_dynamic(attach->dmabuf) &&
	       !to_dma_buf_object(attach->dmabuf)->negotiation;
}

/* Readers of bufinfo hold only name_lock. */
static void dma_buf_attachment_unlink_locked(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	guard(spinlock)(&attach->dmabuf->name_lock);
	list_del(&attach->node);
}

static int dma_buf_attachment_join(struct dma_buf_attachment *attach)
{
	struct dma_buf *dmabuf = attach->dmabuf;
	struct sg_table *sgt;
	int ret;

	guard(dma_resv)(dmabuf->resv);
	ret = to_dma_buf_object(dmabuf)->negotiation ? dma_buf_negotiate_ops->admit(attach) : 0;
	if (ret)
		return dma_buf_refused(dmabuf, attach->dev, DMA_BUF_STEP_ADMIT, ret);

	/* Linked before the map: the exporter may look at all attachments. */
	scoped_guard(spinlock, &dmabuf->name_lock)
		list_add(&attach->node, &dmabuf->attachments);
	if (!dma_buf_attachment_maps_now(attach))
		return 0;

	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		dma_buf_attachment_unlink_locked(attach);
	else
		dma_buf_keep_table(attach, sgt, DMA_BIDIRECTIONAL);
	return PTR_ERR_OR_ZERO(sgt);
}

/**
 * dma_buf_attach - attach a device of a static importer
 * @dmabuf: buffer; the caller keeps a reference until it detaches
 * @dev: device that will do DMA
 *
 * Storage of a dynamic exporter is pinned while it is mapped. On 6.12 it stays
 * pinned until dma_buf_detach(), unless it is late storage.
 *
 * Context: may sleep; takes the reservation object.
 *
 * Return: as dma_buf_dynamic_attach().
 */
struct dma_buf_attachment *dma_buf_attach(struct dma_buf *dmabuf, struct device *dev)
{
	return dma_buf_dynamic_attach(dmabuf, dev, NULL, NULL);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_attach, "DMA_BUF");

/**
 * dma_buf_dynamic_attach - attach a device whose importer follows moves
 * @dmabuf: buffer; the caller keeps a reference until it detaches
 * @dev: device that will do DMA; the exporter reads its constraints from
 *	dma_get_mask() and &device.dma_parms
 * @importer_ops: callbacks of a dynamic importer; NULL for a static one.
 *	&dma_buf_attach_ops.invalidate_mappings may be NULL on 7.3, for an
 *	importer that pins what it maps
 * @importer_priv: becomes &dma_buf_attachment.importer_priv
 *
 * Attach all devices before the first one maps, so that an exporter with late
 * storage can choose storage that suits all of them.
 *
 * Context: may sleep; takes the reservation object.
 *
 * Return: the attachment for dma_buf_detach(), or ERR_PTR: -EINVAL without
 * buffer, device or, on 6.12, a callback; -EBUSY when the storage is already placed
 * where @dev can't reach it, or can't suit all devices; -ENOMEM; when the
 * mapping is made here, -ERESTARTSYS and -EOPNOTSUPP as dma_buf_map_attachment();
 * or the error of the exporter's attach, pin or map_dma_buf, or of its
 * &dma_buf_late_ops.admit.
 */
struct dma_buf_attachment *
dma_buf_dynamic_attach(struct dma_buf *dmabuf, struct device *dev,
		       const struct dma_buf_attach_ops *importer_ops, void *importer_priv)
{
	struct dma_buf_attachment *attach;
	int ret;

	if (WARN_ON_ONCE(!dmabuf || !dev))
		return ERR_PTR(-EINVAL);
	if (WARN_ON_ONCE(DMA_BUF_NEEDS_CALLBACK && importer_ops &&
			 !importer_ops->invalidate_mappings))
		return ERR_PTR(-EINVAL);

	attach = kmalloc(sizeof(*attach), GFP_KERNEL);
	if (!attach)
		return ERR_PTR(-ENOMEM);

	*attach = (struct dma_buf_attachment){
		.dmabuf = dmabuf, .dev = dev, .node = { NULL, NULL }, .call = dma_buf_call_number(),
		.peer2peer = importer_ops && importer_ops->allow_peer2peer,
		.importer_ops = importer_ops, .importer_priv = importer_priv, .priv = NULL,
	};

	ret = dmabuf->ops->attach ? dmabuf->ops->attach(dmabuf, attach) : 0;
	if (ret)
		goto err_free;

	ret = dma_buf_attachment_join(attach);
	if (ret)
		goto err_detach;

	dma_buf_trace(dynamic_attach, attach);
	return attach;

err_detach:
	if (dmabuf->ops->detach)
		dmabuf->ops->detach(dmabuf, attach);
err_free:
	kfree(attach);
	return ERR_PTR(dma_buf_refused(dmabuf, dev, DMA_BUF_STEP_ATTACH, ret));
}
EXPORT_SYMBOL_NS_GPL(dma_buf_dynamic_attach, "DMA_BUF");

/**
 * dma_buf_detach - end an attachment
 * @dmabuf: buffer
 * @attach: attachment to it, with all mappings returned; it is freed
 *
 * Context: may sleep; takes the reservation object.
 */
void dma_buf_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	enum dma_data_direction dir;
	struct sg_table *sgt;

	if (WARN_ON_ONCE(!dmabuf || !attach || attach->dmabuf != dmabuf))
		return;

	dma_buf_trace(detach, attach);
	scoped_guard(dma_resv, dmabuf->resv) {
		sgt = dma_buf_kept_table(attach, &dir);
		dma_buf_given_back(attach, sgt);
		dma_buf_keep_table(attach, NULL, DMA_NONE);
		if (sgt)
			dma_buf_unmap_attachment(attach, sgt, dir);
		dma_buf_attachment_unlink_locked(attach);
	}

	if (dmabuf->ops->detach)
		dmabuf->ops->detach(dmabuf, attach);
	kfree(attach);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_detach, "DMA_BUF");

/**
 * dma_buf_invalidate_mappings - tell the importers that the storage moves
 * @dmabuf: buffer of a dynamic exporter
 *
 * The exporter calls this before it moves the storage or takes it away, and may
 * call it twice. It reaches neither static importers, for which the storage is
 * pinned, nor importers without a callback.
 *
 * When it returns, importers start no new use of their mappings. Jobs that were
 * queued before may still run, so the exporter waits for the
 * DMA_RESV_USAGE_BOOKKEEP fences. Even then a device may read the old memory, or
 * write data that nobody reads, until its importer has unmapped. So the exporter
 * gives the old memory to others only when the last mapping has been returned.
 * An importer that has pinned the storage may treat the call as a permanent
 * revocation. On 6.12 this is dma_buf_move_notify().
 *
 * Context: may sleep; caller holds the reservation object.
 */
void dma_buf_invalidate_mappings(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;

	dma_resv_assert_held(dmabuf->resv);

	list_for_each_entry(attach, &dmabuf->attachments, node) {
		if (!dma_buf_attach_revocable(attach))
			continue;
		dma_buf_trace(invalidate, attach);
		attach->importer_ops->invalidate_mappings(attach);
	}
}
EXPORT_SYMBOL_NS_GPL(dma_buf_invalidate_mappings, "DMA_BUF");

/**
 * dma_buf_attach_revocable - can the exporter take the storage away for good?
 * @attach: attachment
 *
 * For &dma_buf_ops.attach of an exporter that revokes. Such an exporter refuses
 * an importer that it can't notify.
 *
 * Context: any; no lock needed.
 *
 * Return: true if dma_buf_invalidate_mappings() reaches the importer.
 */
bool dma_buf_attach_revocable(struct dma_buf_attachment *attach)
{
	return attach->importer_ops && attach->importer_ops->invalidate_mappings;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_attach_revocable, "DMA_BUF");
