// SPDX-License-Identifier: MIT
/*
 * vivid with the contiguous allocator draws into a buffer of the CMA heap above 4 GiB. A
 * program that reads it must see the picture. But the buffer has its old bytes.
 * usage: 09-vivid-bounced [NODE]   (/dev/video0; modprobe vivid allocators=1, a machine
 * with the CMA heap above 4 GiB and no IOMMU, as a guest of QEMU with 3 GiB)
 */
#include "reproducer.h"

#include <linux/dma-heap.h>
#include <linux/videodev2.h>

#define POISON	0x5a
#define HEAP	"/dev/dma_heap/default_cma_region"

static void sync_for(int fd, uint64_t flags)
{
	struct dma_buf_sync arg = { .flags = flags };

	step(ioctl(fd, DMA_BUF_IOCTL_SYNC, &arg));
}

/* A filled buffer, mapped at @memory. */
static int make(size_t size, unsigned char **memory)
{
	struct dma_heap_allocation_data arg = { .len = size, .fd_flags = O_RDWR | O_CLOEXEC };

	step(ioctl(step(open(HEAP, O_RDWR | O_CLOEXEC)), DMA_HEAP_IOCTL_ALLOC, &arg));
	*memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, arg.fd, 0);
	if (*memory == MAP_FAILED)
		end(SKIP, "mmap: %s", strerror(errno));
	sync_for(arg.fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	memset(*memory, POISON, size);
	sync_for(arg.fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
	return arg.fd;
}

int main(int argc, char **argv)
{
	enum v4l2_buf_type type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	int node = step(open(argc > 1 ? argv[1] : "/dev/video0", O_RDWR | O_CLOEXEC)), webcam = 0;
	struct v4l2_requestbuffers request = {
		.count = 2, .type = type, .memory = V4L2_MEMORY_DMABUF,
	};
	struct v4l2_buffer buffer = { .type = type, .memory = V4L2_MEMORY_DMABUF };
	struct v4l2_format format = { .type = type };
	unsigned char *memory[2];
	int fd[2];

	step(ioctl(node, VIDIOC_S_INPUT, &webcam));
	format.fmt.pix.width = 320;
	format.fmt.pix.height = 180;
	format.fmt.pix.pixelformat = V4L2_PIX_FMT_YUYV;
	step(ioctl(node, VIDIOC_S_FMT, &format));
	step(ioctl(node, VIDIOC_REQBUFS, &request));
	for (buffer.index = 0; buffer.index < 2; buffer.index++) {
		fd[buffer.index] = make(format.fmt.pix.sizeimage, &memory[buffer.index]);
		buffer.m.fd = fd[buffer.index];
		step(ioctl(node, VIDIOC_QBUF, &buffer));
	}
	step(ioctl(node, VIDIOC_STREAMON, &type));
	step(ioctl(node, VIDIOC_DQBUF, &buffer));
	sync_for(fd[buffer.index], DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	for (unsigned int i = 0; i < buffer.bytesused; i++)
		if (memory[buffer.index][i] != POISON)
			end(RIGHT, "byte %u is of the picture", i);
	end(WRONG, "%u bytes were filled, and all are as before", buffer.bytesused);
}
