// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attachments: devices join and leave a buffer, and those that follow moves
 * are told of them.
 *
 * Where one side is dynamic and the other is not, the mapping is made right at
 * attach and kept until detach: a static importer may map in places where it
 * could not take the reservation object, and a static exporter would not
 * expect the importer to hold it. Storage that is placed late is never mapped
 * at attach.
 */
#include "internal.h"

/*
 * Storage that is placed at the first map waits until everybody has attached.
 * Its exporter knows that maps come with the reservation object held.
 */
static bool dma_buf_attachment_maps_now(struct dma_buf_attachment *attach)
{
	return dma_buf_attachment_is_dynamic(attach) !=
	       dma_buf_is_dynamic(attach->dmabuf) &&
	       !to_dma_buf_object(attach->dmabuf)->late;
}

/* The list changes under name_lock as well, for readers of accounts. */
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
	int ret = 0;

	guard(dma_resv)(dmabuf->resv);
	if (to_dma_buf_object(dmabuf)->late)
		ret = dma_buf_negotiate_ops->admit(attach);
	if (ret)
		return ret;

	/* Linked first: the exporter may look at everybody it maps for. */
	scoped_guard(spinlock, &dmabuf->name_lock)
		list_add(&attach->node, &dmabuf->attachments);
	if (!dma_buf_attachment_maps_now(attach))
		return 0;

	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt)) {
		dma_buf_attachment_unlink_locked(attach);
		return PTR_ERR(sgt);
	}

	attach->dir = DMA_BIDIRECTIONAL;
	attach->sgt = sgt;
	return 0;
}

/**
 * dma_buf_dynamic_attach - attach a device whose importer follows moves
 * @dmabuf: buffer; the caller keeps a reference until it detaches
 * @dev: device that will do DMA; the exporter reads its constraints from
 *	dma_get_mask() and &device.dma_parms
 * @importer_ops: callbacks of a dynamic importer, with
 *	&dma_buf_attach_ops.move_notify; NULL for a static one
 * @importer_priv: becomes &dma_buf_attachment.importer_priv
 *
 * Attach all devices before the first one maps: an exporter that allocates
 * late can then choose storage that suits every one of them.
 *
 * Context: may sleep; takes the reservation object.
 *
 * Return: the attachment for dma_buf_detach(), or ERR_PTR: -EINVAL without
 * buffer, device or move_notify; -EBUSY when the storage is already placed
 * where @dev can't reach it, or can't suit all devices; -ENOMEM;
 * -ERESTARTSYS when the mapping is made here and a signal came; or the error
 * of the exporter's attach, pin or map_dma_buf.
 */
struct dma_buf_attachment *
dma_buf_dynamic_attach(struct dma_buf *dmabuf, struct device *dev,
		       const struct dma_buf_attach_ops *importer_ops,
		       void *importer_priv)
{
	struct dma_buf_attachment *attach;
	int ret;

	if (WARN_ON_ONCE(!dmabuf || !dev ||
			 (importer_ops && !importer_ops->move_notify)))
		return ERR_PTR(-EINVAL);

	attach = kzalloc(sizeof(*attach), GFP_KERNEL);
	if (!attach)
		return ERR_PTR(-ENOMEM);

	attach->dmabuf = dmabuf;
	attach->dev = dev;
	attach->peer2peer = importer_ops && importer_ops->allow_peer2peer;
	attach->importer_ops = importer_ops;
	attach->importer_priv = importer_priv;

	if (dmabuf->ops->attach) {
		ret = dmabuf->ops->attach(dmabuf, attach);
		if (ret)
			goto err_free;
	}

	ret = dma_buf_attachment_join(attach);
	if (ret)
		goto err_detach;

	return attach;

err_detach:
	if (dmabuf->ops->detach)
		dmabuf->ops->detach(dmabuf, attach);
err_free:
	kfree(attach);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_dynamic_attach, DMA_BUF);

/**
 * dma_buf_attach - attach a device whose importer wants the storage to stay
 * @dmabuf: buffer; the caller keeps a reference until it detaches
 * @dev: device that will do DMA
 *
 * Storage of a dynamic exporter stays pinned until dma_buf_detach().
 *
 * Context: may sleep; takes the reservation object.
 *
 * Return: as dma_buf_dynamic_attach().
 */
struct dma_buf_attachment *dma_buf_attach(struct dma_buf *dmabuf,
					  struct device *dev)
{
	return dma_buf_dynamic_attach(dmabuf, dev, NULL, NULL);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_attach, DMA_BUF);

/**
 * dma_buf_detach - end an attachment
 * @dmabuf: buffer
 * @attach: attachment to it, all mappings returned; freed
 *
 * Context: may sleep; takes the reservation object.
 */
void dma_buf_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct sg_table *sgt;

	if (WARN_ON_ONCE(!dmabuf || !attach || attach->dmabuf != dmabuf))
		return;

	scoped_guard(dma_resv, dmabuf->resv) {
		sgt = attach->sgt;
		attach->sgt = NULL;
		if (sgt)
			dma_buf_unmap_attachment(attach, sgt, attach->dir);
		dma_buf_attachment_unlink_locked(attach);
	}

	if (dmabuf->ops->detach)
		dmabuf->ops->detach(dmabuf, attach);
	kfree(attach);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_detach, DMA_BUF);

/**
 * dma_buf_move_notify - tell the importers that the storage moves
 * @dmabuf: buffer of a dynamic exporter
 *
 * Called by the exporter before it moves the storage. Calling it twice does no
 * harm. Static importers are not told: they have the storage pinned.
 *
 * Context: may sleep; caller holds the reservation object.
 */
void dma_buf_move_notify(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;

	dma_resv_assert_held(dmabuf->resv);

	list_for_each_entry(attach, &dmabuf->attachments, node) {
		if (dma_buf_attachment_is_dynamic(attach))
			attach->importer_ops->move_notify(attach);
	}
}
EXPORT_SYMBOL_NS_GPL(dma_buf_move_notify, DMA_BUF);
