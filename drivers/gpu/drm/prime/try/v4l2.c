// SPDX-License-Identifier: GPL-2.0-only
/*
 * Would a V4L2 device take this buffer? Does with it what VIDIOC_QBUF does first:
 * attaches it, maps it, and lets the queue's memory operations look at it. Neither
 * the format nor what is queued is looked at, and the queue does not change.
 */
#include <media/v4l2-dev.h>
#include <media/v4l2-device.h>
#include <media/v4l2-fh.h>
#include <media/v4l2-mem2mem.h>
#include <media/videobuf2-v4l2.h>

#include <linux/dma-buf-constraints.h>

#include "../kernel.h"
#include "internal.h"

/* vb2 requires the same before it takes dma-bufs. */
static bool try_takes_dmabuf(const struct vb2_queue *q)
{
	const struct vb2_mem_ops *ops = q->mem_ops;

	return q->io_modes & VB2_DMABUF && ops->attach_dmabuf && ops->map_dmabuf &&
	       ops->unmap_dmabuf && ops->detach_dmabuf;
}

/*
 * Tries the whole buffer, as the first plane. Some queues learn their device only
 * from VIDIOC_REQBUFS. Until then they are tried with the node's parent.
 */
static int try_mapping(struct vb2_queue *q, struct device *parent, struct dma_buf *dmabuf)
{
	struct vb2_buffer vb = { .vb2_queue = q, .type = q->type, .memory = VB2_MEMORY_DMABUF };
	struct device *dev = q->alloc_devs[0] ?: q->dev ?: parent;
	void *mem = q->mem_ops->attach_dmabuf(&vb, dev, dmabuf, dmabuf->size);
	int ret;

	if (IS_ERR(mem))
		return PTR_ERR(mem);
	ret = q->mem_ops->map_dmabuf(mem);
	if (!ret)
		q->mem_ops->unmap_dmabuf(mem);
	q->mem_ops->detach_dmabuf(mem);
	return ret;
}

/* Takes the lock that VIDIOC_QBUF takes. A driver with a lock of its own can't be tried. */
static int try_queue(struct vb2_queue *q, struct file *file, struct dma_buf *dmabuf, u32 *judged)
{
	/* The open file holds the video device. */
	struct video_device *vdev = video_devdata(file);
	struct mutex *lock = q->lock ?: vdev->lock;
	int ret;

	*judged = 0;
	if (!lock || !try_takes_dmabuf(q))
		return -EOPNOTSUPP;
	if (mutex_lock_interruptible(lock))
		return -ERESTARTSYS;
	/* The device does not go before the attempt has ended. */
	if (device_lock_interruptible(&vdev->dev)) {
		mutex_unlock(lock);
		return -ERESTARTSYS;
	}
	if (!video_is_registered(vdev)) {
		ret = -ENODEV;
	} else if (vb2_queue_is_busy(q, file)) {
		/* Another file has buffers here. If it streams, it must not be delayed. */
		ret = -EBUSY;
	} else {
		*judged = DMA_BUF_TRY_MAPPING;
		ret = try_mapping(q, vdev->dev_parent ?: vdev->v4l2_dev->dev, dmabuf);
	}
	device_unlock(&vdev->dev);
	mutex_unlock(lock);
	return ret;
}

int dma_buf_v4l2_try(struct file *file, struct dma_buf *dmabuf, u32 *judged)
{
	struct video_device *vdev = video_devdata(file);
	struct v4l2_fh *fh = file->private_data;
	struct v4l2_m2m_ctx *m2m;

	/* The file may be of a node that had this number before. The queue may have gone. */
	if (!vdev || file_inode(file)->i_cdev != vdev->cdev || !video_is_registered(vdev))
		return -ENODEV;
	if (vdev->queue)
		return try_queue(vdev->queue, file, dmabuf, judged);
	/* Memory-to-memory devices have two queues for each open file. */
	if (!test_bit(V4L2_FL_USES_V4L2_FH, &vdev->flags) || !fh || !fh->m2m_ctx)
		return -EOPNOTSUPP;
	m2m = fh->m2m_ctx;
	return try_queue(&m2m->out_q_ctx.q, file, dmabuf, judged) ?:
	       try_queue(&m2m->cap_q_ctx.q, file, dmabuf, judged);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_v4l2_try, "DMA_BUF");

MODULE_DESCRIPTION("Tries dma-bufs in V4L2 devices");
MODULE_LICENSE("GPL");
