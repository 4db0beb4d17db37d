// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells the dma-buf core which device a V4L2 node stands for: the one that its
 * buffer queue attaches, which need not be the node's parent.
 */
#include <linux/device.h>
#include <linux/dma-buf-constraints.h>
#include <linux/fs.h>
#include <linux/module.h>

#include <media/v4l2-dev.h>
#include <media/v4l2-device.h>
#include <media/v4l2-fh.h>
#include <media/v4l2-mem2mem.h>

#include "../kernel.h"

static struct device *device_v4l2_find(struct video_device *vdev, struct file *file)
{
	struct v4l2_fh *fh = file->private_data;

	if (vdev->queue && vdev->queue->dev)
		return vdev->queue->dev;

	/* Memory-to-memory devices have a queue for each open file. */
	if (test_bit(V4L2_FL_USES_V4L2_FH, &vdev->flags) && fh && fh->m2m_ctx &&
	    fh->m2m_ctx->out_q_ctx.q.dev)
		return fh->m2m_ctx->out_q_ctx.q.dev;

	return vdev->dev_parent ?: vdev->v4l2_dev->dev;
}

static struct device *device_v4l2_get(struct file *file)
{
	/* The open file holds the video device. */
	struct video_device *vdev = video_devdata(file);

	if (!vdev || !video_is_registered(vdev))
		return ERR_PTR(-ENODEV);

	return get_device(device_v4l2_find(vdev, file)) ?: ERR_PTR(-ENODEV);
}

static struct dma_buf_device_class device_v4l2 = {
	.majors = { VIDEO_MAJOR },
	.get = device_v4l2_get,
};
module_driver(device_v4l2, dma_buf_device_class_register, dma_buf_device_class_unregister);

MODULE_DESCRIPTION("V4L2 nodes in the negotiation of dma-buf storage");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_ALIAS("dma-buf-device-" __stringify(VIDEO_MAJOR));
