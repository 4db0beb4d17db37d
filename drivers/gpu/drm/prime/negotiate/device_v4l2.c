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

/* PROCESSOR stays set only if no queue does DMA. */
static void device_v4l2_ask(const struct vb2_queue *queue, struct device **dev, unsigned int *how)
{
	*dev = queue->dev ?: *dev;
	if (IS_REACHABLE(CONFIG_VIDEOBUF2_DMA_CONTIG) && queue->mem_ops == &vb2_dma_contig_memops)
		*how |= DMA_BUF_DEVICE_ONE_ADDRESS;
	if (!IS_REACHABLE(CONFIG_VIDEOBUF2_VMALLOC) || queue->mem_ops != &vb2_vmalloc_memops)
		*how &= ~DMA_BUF_DEVICE_PROCESSOR;
}

/* The device that the node's queues use, with a reference. */
static struct device *device_v4l2_look(const struct video_device *vdev, struct v4l2_fh *fh,
				       unsigned int *how)
{
	struct device *dev = vdev->dev_parent;

	if (vdev->queue) {
		*how = DMA_BUF_DEVICE_PROCESSOR;
		device_v4l2_ask(vdev->queue, &dev, how);
	} else if (test_bit(V4L2_FL_USES_V4L2_FH, &vdev->flags) && fh && fh->m2m_ctx) {
		/* Memory-to-memory devices have two queues for each open file. */
		*how = DMA_BUF_DEVICE_PROCESSOR;
		device_v4l2_ask(&fh->m2m_ctx->out_q_ctx.q, &dev, how);
		device_v4l2_ask(&fh->m2m_ctx->cap_q_ctx.q, &dev, how);
	}
	return get_device(dev);
}

struct device *dma_buf_device_of_v4l2(struct file *file, unsigned int *how)
{
	/* The open file holds the video device, if its node is that of the device. */
	struct video_device *vdev = video_devdata(file);
	struct device *dev = NULL;

	if (!vdev || file_inode(file)->i_cdev != vdev->cdev)
		return ERR_PTR(-ENODEV);
	/*
	 * Only the registration keeps the parent and the devices of the queues.
	 * Unregistration takes this lock before it drops them.
	 */
	if (device_lock_interruptible(&vdev->dev))
		return ERR_PTR(-ERESTARTSYS);
	if (video_is_registered(vdev))
		dev = device_v4l2_look(vdev, file->private_data, how);
	device_unlock(&vdev->dev);
	return dev ?: ERR_PTR(-ENODEV);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_device_of_v4l2, "DMA_BUF");

MODULE_DESCRIPTION("V4L2 nodes in the negotiation of dma-buf storage");
MODULE_LICENSE("GPL");
