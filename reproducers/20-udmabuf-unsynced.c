// SPDX-License-Identifier: MIT
/*
 * vivid maps a udmabuf with bounce buffers, and a program looks at the buffer between SYNC's
 * begin and end. The mapping must be synced, or vivid and the program can't see each other's
 * bytes. But only a mapping of udmabuf's own device is synced. vivid does no DMA, so no bytes
 * show that: the trace of the DMA API does.
 * usage: 20-udmabuf-unsynced [NODE]   (/dev/video0; modprobe vivid allocators=1; CONFIG_UDMABUF;
 * boot with swiotlb=force; tracefs, root)
 */
#include "reproducer.h"

#include <linux/udmabuf.h>
#include <linux/videodev2.h>

#define TRACE	"/sys/kernel/tracing/instances/reproducer"

static void trace_end(void)
{
	rmdir(TRACE);
}

/* A trace of its own, which ends with the program. */
static void trace_begin(void)
{
	step(mkdir(TRACE, 0700));
	atexit(trace_end);
	put(TRACE "/events/swiotlb/swiotlb_bounced/enable", "1");
	put(TRACE "/events/dma/dma_sync_sg_for_cpu/enable", "1");
	put(TRACE "/events/dma/dma_sync_sg_for_device/enable", "1");
}

/* How many events there were of the device. */
static int traced(const char *event, const char *device)
{
	FILE *file = fopen(TRACE "/trace", "r");
	char line[1024], *found;
	int count = 0;

	while (file && fgets(line, sizeof(line), file)) {
		found = strstr(line, event);
		count += found && strstr(found, device);
	}
	if (file)
		fclose(file);
	return count;
}

static int make(size_t size)
{
	int memfd = step(memfd_create("udmabuf", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	struct udmabuf_create create = { .memfd = memfd, .flags = UDMABUF_FLAGS_CLOEXEC, .size = size };

	step(ftruncate(memfd, size));
	step(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	return step(ioctl(step(open("/dev/udmabuf", O_RDWR | O_CLOEXEC)), UDMABUF_CREATE, &create));
}

/* The size of a picture. */
static size_t picture(int node)
{
	struct v4l2_format format = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
	int webcam = 0;

	step(ioctl(node, VIDIOC_S_INPUT, &webcam));
	format.fmt.pix.width = 320;
	format.fmt.pix.height = 180;
	format.fmt.pix.pixelformat = V4L2_PIX_FMT_YUYV;
	step(ioctl(node, VIDIOC_S_FMT, &format));
	return format.fmt.pix.sizeimage;
}

/* vivid maps the buffer, and keeps it. The errno. */
static int queue(int node, int fd)
{
	struct v4l2_requestbuffers request = {
		.count = 1, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_DMABUF,
	};
	struct v4l2_buffer buffer = { .type = request.type, .memory = request.memory, .m.fd = fd };
	int error = EFAULT;

	step(ioctl(node, VIDIOC_REQBUFS, &request));
	/* EFAULT: the pieces of the bounce buffer are not adjacent. The next ones may be. */
	for (int i = 0; i < 100 && error == EFAULT; i++)
		error = ioctl(node, VIDIOC_QBUF, &buffer) ? errno : 0;
	return error;
}

static void look(int fd, uint64_t edge)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_RW | edge };

	step(ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync));
}

int main(int argc, char **argv)
{
	int node = step(open(argc > 1 ? argv[1] : "/dev/video0", O_RDWR | O_CLOEXEC)), fd, error, own;
	const size_t page = getpagesize();

	fd = make((picture(node) + page - 1) / page * page);
	trace_begin();
	error = queue(node, fd);
	/* videobuf2 says EINVAL for any errno of the exporter. */
	if (error == EINVAL || error == EOPNOTSUPP)
		end(RIGHT, "vivid's mapping is refused");
	if (error)
		end(SKIP, "QBUF: %s", strerror(error));
	if (!traced("swiotlb_bounced:", " vivid"))
		end(SKIP, "vivid's mapping is not bounced");
	look(fd, DMA_BUF_SYNC_START);
	look(fd, DMA_BUF_SYNC_END);
	if (traced("dma_sync_sg_for_", " vivid"))
		end(RIGHT, "vivid's mapping is synced");
	own = traced("dma_sync_sg_for_", " udmabuf");
	if (!own)
		end(SKIP, "the trace has no sync");
	end(WRONG, "%d syncs are of udmabuf's own mapping, and none is of vivid's bounced one", own);
}
