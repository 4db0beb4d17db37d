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
	       !READ_ONCE(to_dma_buf_object(attach->dmabuf)->late);
}

static int dma_buf_attachment_link(struct dma_buf_attachment *attach)
{
	struct dma_buf *dmabuf = attach->dmabuf;
	struct sg_table *sgt;
	int ret = 0;

	dma_resv_lock(dmabuf->resv, NULL);
	if (READ_ONCE(to_dma_buf_object(dmabuf)->late))
		ret = dma_buf_negotiate_ops->admit(attach);
	if (ret)
		goto unlock;

	/* Linked first: the exporter may look at everybody it maps for. */
	list_add(&attach->node, &dmabuf->attachments);

	if (dma_buf_attachment_maps_now(attach)) {
		sgt = dma_buf_mapping_create_locked(attach, DMA_BIDIRECTIONAL,
						    true);
		if (IS_ERR(sgt)) {
			list_del(&attach->node);
			ret = PTR_ERR(sgt);
		} else {
			attach->dir = DMA_BIDIRECTIONAL;
			attach->sgt = sgt;
		}
	}
unlock:
	dma_resv_unlock(dmabuf->resv);

	return ret;
}

/* True when the attachment is kept, for the next one of its device. */
static bool dma_buf_attachment_unlink(struct dma_buf_attachment *attach)
{
	struct dma_buf *dmabuf = attach->dmabuf;
	bool kept;

	dma_resv_lock(dmabuf->resv, NULL);
	kept = dma_buf_kept_give_locked(attach);
	if (!kept) {
		if (attach->sgt)
			dma_buf_mapping_destroy_locked(attach, attach->sgt,
						       attach->dir);
		list_del(&attach->node);
	}
	dma_resv_unlock(dmabuf->resv);

	return kept;
}

/* A kept attachment as a new one of a static importer, NULL without any. */
static struct dma_buf_attachment *
dma_buf_attachment_revive(struct dma_buf *dmabuf, struct device *dev, void *priv)
{
	struct dma_buf_attachment *attach;
	int ret = 0;

	/* A kept one that comes this moment is for the next attach. */
	if (list_empty(&to_dma_buf_object(dmabuf)->kept))
		return NULL;

	dma_resv_lock(dmabuf->resv, NULL);
	attach = dma_buf_kept_take_locked(dmabuf, dev);
	if (attach) {
		attach->importer_priv = priv;
		list_add(&attach->node, &dmabuf->attachments);
		/* Others wait when they map. */
		if (dma_buf_attachment_maps_now(attach))
			ret = dma_buf_mapping_revive_locked(attach, true);
	}
	dma_resv_unlock(dmabuf->resv);

	if (ret) {
		dma_buf_detach(dmabuf, attach);
		return ERR_PTR(ret);
	}
	return attach;
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
	const bool nonsense = !dev || !dmabuf ||
			      (importer_ops && !importer_ops->move_notify);
	struct dma_buf_attachment_object *obj;
	struct dma_buf_attachment *attach;
	int ret;

	if (WARN_ON_ONCE(nonsense))
		return ERR_PTR(-EINVAL);

	if (!importer_ops) {
		attach = dma_buf_attachment_revive(dmabuf, dev, importer_priv);
		if (attach)
			return attach;
	}

	obj = kzalloc(sizeof(*obj), GFP_KERNEL);
	if (!obj)
		return ERR_PTR(-ENOMEM);
	attach = &obj->base;

	*attach = (struct dma_buf_attachment) {
		.dmabuf = dmabuf,
		.dev = dev,
		.peer2peer = importer_ops && importer_ops->allow_peer2peer,
		.importer_ops = importer_ops,
		.importer_priv = importer_priv,
	};

	if (dmabuf->ops->attach) {
		ret = dmabuf->ops->attach(dmabuf, attach);
		if (ret)
			goto err_free;
	}

	ret = dma_buf_attachment_link(attach);
	if (ret)
		goto err_detach;

	return attach;

err_detach:
	if (dmabuf->ops->detach)
		dmabuf->ops->detach(dmabuf, attach);
err_free:
	dma_buf_attachment_free(obj);
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
 * @attach: attachment to it, all mappings returned; freed, or kept with its
 *	mapping where the exporter allows it (dma_buf_allow_keep())
 *
 * Context: may sleep; takes the reservation object.
 */
void dma_buf_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	if (WARN_ON_ONCE(!dmabuf || !attach || attach->dmabuf != dmabuf))
		return;

	if (dma_buf_attachment_unlink(attach))
		return;
	if (dmabuf->ops->detach)
		dmabuf->ops->detach(dmabuf, attach);
	dma_buf_attachment_free(to_dma_buf_attachment_object(attach));
}
EXPORT_SYMBOL_NS_GPL(dma_buf_detach, DMA_BUF);

/**
 * dma_buf_move_notify - tell the importers that the storage moves
 * @dmabuf: buffer of a dynamic exporter
 *
 * Called by the exporter before it moves the storage, and again is no harm.
 * Static importers need no word: they have the storage pinned. Mappings and
 * pins of attachments that are only kept are gone when this returns.
 *
 * Context: may sleep; caller holds the reservation object.
 */
void dma_buf_move_notify(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;

	dma_resv_assert_held(dmabuf->resv);

	dma_buf_kept_move_locked(dmabuf);
	list_for_each_entry(attach, &dmabuf->attachments, node) {
		if (dma_buf_attachment_is_dynamic(attach))
			attach->importer_ops->move_notify(attach);
	}
}
EXPORT_SYMBOL_NS_GPL(dma_buf_move_notify, DMA_BUF);
