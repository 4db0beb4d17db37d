// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells the dma-buf core which device a V4L2 node stands for: the one that its
 * buffer queue attaches, which need not be the node's parent.
 */
#include <media/v4l2-dev.h>
#include <media/v4l2-device.h>
#include <media/v4l2-fh.h>
#include <media/v4l2-mem2mem.h>
#include <media/videobuf2-dma-contig.h>
#include <media/videobuf2-vmalloc.h>

#include "internal.h"

static struct vb2_queue *device_v4l2_queue(struct video_device *vdev, struct file *file)
{
	struct v4l2_fh *fh = file->private_data;

	if (vdev->queue)
		return vdev->queue;
	/* Memory-to-memory devices have a queue for each open file. */
	if (test_bit(V4L2_FL_USES_V4L2_FH, &vdev->flags) && fh && fh->m2m_ctx)
		return &fh->m2m_ctx->out_q_ctx.q;
	return NULL;
}

static unsigned int device_v4l2_how(const struct vb2_queue *queue)
{
	if (IS_REACHABLE(CONFIG_VIDEOBUF2_DMA_CONTIG) && queue->mem_ops == &vb2_dma_contig_memops)
		return DMA_BUF_DEVICE_ONE_ADDRESS;
	if (IS_REACHABLE(CONFIG_VIDEOBUF2_VMALLOC) && queue->mem_ops == &vb2_vmalloc_memops)
		return DMA_BUF_DEVICE_PROCESSOR;
	return 0;
}

struct device *dma_buf_device_of_v4l2(struct file *file, unsigned int *how)
{
	/* The open file holds the video device. */
	struct video_device *vdev = video_devdata(file);
	struct vb2_queue *queue;
	struct device *dev;

	if (!vdev || !video_is_registered(vdev))
		return ERR_PTR(-ENODEV);

	dev = vdev->dev_parent ?: vdev->v4l2_dev->dev;
	queue = device_v4l2_queue(vdev, file);
	if (queue) {
		dev = queue->dev ?: dev;
		*how |= device_v4l2_how(queue);
	}
	return get_device(dev) ?: ERR_PTR(-ENODEV);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_device_of_v4l2, "DMA_BUF");

MODULE_DESCRIPTION("V4L2 nodes in the negotiation of dma-buf storage");
MODULE_LICENSE("GPL");
