// SPDX-License-Identifier: MIT
/*
 * A V4L2 queue gets a dma-buf whose pages are not allocated yet, from a program whose memory
 * cgroup is too small for them. The exporter's vmap fails with ENOMEM and QBUF with EFAULT, and
 * nothing else has to happen. The kernel also warns, once until the next boot.
 * usage: 13-vmap-warns [NODE]   (/dev/video0 of vivid; vgem; memory cgroups of version 2, root)
 */
#include "reproducer.h"

#include <linux/videodev2.h>

#define LIMIT	"16777216"
#define PAGES	16384

/* A write to it takes this program out of its cgroup again. It is opened while there is memory. */
static int back = -1;

/* Also when the program ends, since a step() of enter() may fail. A second time it does nothing. */
static void leave(void)
{
	if (back >= 0 && write(back, "0", 1) < 0)
		perror(CGROUPS "/cgroup.procs");
	close(back);
	back = -1;
	cgroup_end();
}

/* This program in a cgroup of its own. */
static void enter(void)
{
	cgroup_make(CGROUP "/memory.max", LIMIT);
	atexit(leave);
	back = step(open(CGROUPS "/cgroup.procs", O_WRONLY | O_CLOEXEC));
	put(CGROUP "/cgroup.procs", "0");
}

int main(int argc, char **argv)
{
	struct v4l2_requestbuffers request = {
		.count = 1, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_DMABUF,
	};
	struct v4l2_buffer buffer = { .type = request.type, .memory = request.memory };
	int node = step(open(argc > 1 ? argv[1] : "/dev/video0", O_RDWR | O_CLOEXEC));
	int log = kernel_log();
	int card = open_card(1, argv, "vgem"), ret, error;

	step(ioctl(node, VIDIOC_REQBUFS, &request));
	buffer.m.fd = export_handle(card, dumb(card, PAGES));
	enter();
	ret = ioctl(node, VIDIOC_QBUF, &buffer);
	error = errno;
	leave();
	if (!ret)
		end(SKIP, "QBUF got memory beyond the limit of %s bytes", LIMIT);
	if (error != EFAULT)
		end(SKIP, "QBUF: %s", strerror(error));
	if (logged(log, "WARNING:", "dma_buf_vmap"))
		end(WRONG, "QBUF failed with EFAULT, and dma_buf_vmap() warned");
	end(RIGHT, "QBUF failed with EFAULT, and the kernel did not warn");
}
