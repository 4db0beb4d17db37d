// SPDX-License-Identifier: MIT
/*
 * A program queues a dma-buf with a plane that is longer than the buffer, so the queue
 * can't attach it. Then all fds of the buffer are closed. The buffer must be freed. But
 * videobuf2 keeps a reference for ever.
 * usage: 12-vb2-attach-leaks [NODE]   (/dev/video0 of vivid; system heap; debugfs, root)
 */
#include "reproducer.h"

#include <linux/dma-heap.h>
#include <linux/videodev2.h>

#define HEAP	"/dev/dma_heap/system"
#define TIMES	100

/* QBUF of a buffer of one page, as the plane of a whole picture. */
static void refused(int node, int heap, unsigned int picture)
{
	struct dma_heap_allocation_data arg = { .len = getpagesize(), .fd_flags = O_RDWR | O_CLOEXEC };
	struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_DMABUF, .length = picture,
	};

	step(ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &arg));
	buffer.m.fd = arg.fd;
	if (!ioctl(node, VIDIOC_QBUF, &buffer))
		end(SKIP, "QBUF takes a page for a picture of %u bytes", picture);
	if (errno != EFAULT)
		end(SKIP, "QBUF: %s", strerror(errno));
	close(arg.fd);
}

int main(int argc, char **argv)
{
	struct v4l2_requestbuffers request = {
		.count = 1, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_DMABUF,
	};
	int node = step(open(argc > 1 ? argv[1] : "/dev/video0", O_RDWR | O_CLOEXEC));
	int heap = step(open(HEAP, O_RDWR | O_CLOEXEC));
	struct v4l2_format format = { .type = request.type };
	int before = buffers(), left;

	step(ioctl(node, VIDIOC_G_FMT, &format));
	step(ioctl(node, VIDIOC_REQBUFS, &request));
	for (int i = 0; i < TIMES; i++)
		refused(node, heap, format.fmt.pix.sizeimage);
	request.count = 0;
	step(ioctl(node, VIDIOC_REQBUFS, &request));
	close(node);
	/* What was closed may be freed a moment later. */
	wait_for(buffers() == before);
	left = buffers() - before;
	if (left)
		end(WRONG, "%d of %d buffers are left, and no program has them", left, TIMES);
	end(RIGHT, "no buffer is left");
}
