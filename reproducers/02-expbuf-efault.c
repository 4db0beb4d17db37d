// SPDX-License-Identifier: MIT
/*
 * VIDIOC_EXPBUF installs the fd before its answer is copied to user space. When that
 * copy fails, the call gives EFAULT and leaves an open fd that
 * the program does not know of.
 * usage: 02-expbuf-efault [NODE]   (/dev/video0, for capture; modprobe vivid)
 */
#include "reproducer.h"

#include <linux/videodev2.h>

static int lowest_fd(void)
{
	int fd = step(dup(0));

	close(fd);
	return fd;
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/dev/video0";
	struct v4l2_requestbuffers request = {
		.count = 2, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP,
	};
	struct v4l2_exportbuffer *arg;
	int node = step(open(path, O_RDWR | O_CLOEXEC)), before, ret;

	step(ioctl(node, VIDIOC_REQBUFS, &request));
	arg = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*arg = (struct v4l2_exportbuffer){ .type = request.type, .flags = O_RDWR };
	step(mprotect(arg, getpagesize(), PROT_READ));
	before = lowest_fd();
	ret = ioctl(node, VIDIOC_EXPBUF, arg);
	if (!ret || errno != EFAULT)
		end(SKIP, "EXPBUF gives %d (%s), not EFAULT", ret, strerror(errno));
	if (lowest_fd() == before)
		end(RIGHT, "EFAULT, and no fd is left");
	end(WRONG, "EFAULT, and fd %d is open", before);
}
