// SPDX-License-Identifier: GPL-2.0
/*
 * A producer on a V4L2 device: exports the buffers of a camera (vivid's test
 * pattern) and passes them to the compositor as the camera fills them.
 */

#include <drm_fourcc.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/dma-buf.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

#define BUFFERS	4
#define CAPTURE	V4L2_BUF_TYPE_VIDEO_CAPTURE

struct buffer {
	int fd;			/* the dma-buf */
	void *map;
	size_t size;
};

static char device[64];
static int video;
static struct v4l2_format format;
static unsigned int queued;	/* buffers that the camera has */

static bool is_vivid_camera(int fd)
{
	struct v4l2_capability cap = { 0 };

	return !retry_ioctl(fd, VIDIOC_QUERYCAP, &cap) &&
	       !strcmp((char *)cap.driver, "vivid") &&
	       (cap.device_caps & V4L2_CAP_VIDEO_CAPTURE) &&
	       (cap.device_caps & V4L2_CAP_STREAMING);
}

/* vivid's own controls have no public numbers: find one by its name. Not all versions have all. */
static void set_control(const char *name, int value)
{
	struct v4l2_queryctrl query = { .id = V4L2_CTRL_FLAG_NEXT_CTRL };

	while (!retry_ioctl(video, VIDIOC_QUERYCTRL, &query)) {
		struct v4l2_control ctrl = { .id = query.id, .value = value };

		if (!strcmp((char *)query.name, name)) {
			if (retry_ioctl(video, VIDIOC_S_CTRL, &ctrl))
				err(1, "%s: cannot set '%s' to %d", device, name, value);
			return;
		}
		query.id |= V4L2_CTRL_FLAG_NEXT_CTRL;
	}
}

static void camera_configure(uint32_t width, uint32_t height, unsigned int fps)
{
	struct v4l2_streamparm parm = { .type = CAPTURE };
	int input = 0;

	if (retry_ioctl(video, VIDIOC_S_INPUT, &input))
		err(1, "%s: cannot choose input %d, the webcam", device, input);

	/* V4L2 names a 32-bit format by its bytes, DRM by its word: this is DRM's XRGB8888. */
	format.type = CAPTURE;
	format.fmt.pix.width = width;
	format.fmt.pix.height = height;
	format.fmt.pix.pixelformat = V4L2_PIX_FMT_XBGR32;
	format.fmt.pix.field = V4L2_FIELD_NONE;
	if (retry_ioctl(video, VIDIOC_S_FMT, &format))
		err(1, "%s: cannot set the format", device);
	if (format.fmt.pix.width != width || format.fmt.pix.height != height ||
	    format.fmt.pix.pixelformat != V4L2_PIX_FMT_XBGR32)
		errx(1, "%s: cannot give %ux%u pixels of XRGB8888", device, width, height);

	parm.parm.capture.timeperframe.numerator = 1;
	parm.parm.capture.timeperframe.denominator = fps;
	if (retry_ioctl(video, VIDIOC_S_PARM, &parm))
		err(1, "%s: cannot set %u frames per second", device, fps);

	set_control("OSD Text Mode", 1);	/* time and frame number only */
	set_control("Horizontal Movement", 5);	/* to the right */
}

static void buffer_queue(uint32_t index)
{
	struct v4l2_buffer buf = {
		.type = CAPTURE,
		.memory = V4L2_MEMORY_MMAP,
		.index = index,
	};

	if (retry_ioctl(video, VIDIOC_QBUF, &buf))
		err(1, "%s: cannot queue buffer %u", device, index);
	queued++;
}

static void buffers_create(struct buffer *buffers)
{
	struct v4l2_requestbuffers request = {
		.count = BUFFERS,
		.type = CAPTURE,
		.memory = V4L2_MEMORY_MMAP,
	};
	uint32_t i;

	if (retry_ioctl(video, VIDIOC_REQBUFS, &request))
		err(1, "%s: cannot get buffers", device);
	if (request.count != BUFFERS)
		errx(1, "%s: %u buffers instead of %u", device, request.count, BUFFERS);

	for (i = 0; i < BUFFERS; i++) {
		struct v4l2_exportbuffer export = {
			.type = CAPTURE,
			.index = i,
			.flags = O_CLOEXEC | O_RDWR,
		};

		if (retry_ioctl(video, VIDIOC_EXPBUF, &export))
			err(1, "%s: cannot export buffer %u", device, i);
		buffers[i].fd = export.fd;
		buffers[i].size = format.fmt.pix.sizeimage;
		buffers[i].map = mmap(NULL, buffers[i].size, PROT_READ, MAP_SHARED,
				      buffers[i].fd, 0);
		if (buffers[i].map == MAP_FAILED)
			err(1, "%s: cannot map the dma-buf of buffer %u", device, i);
	}
}

static void buffers_destroy(struct buffer *buffers)
{
	struct v4l2_requestbuffers none = { .type = CAPTURE, .memory = V4L2_MEMORY_MMAP };
	uint32_t i;

	for (i = 0; i < BUFFERS; i++) {
		munmap(buffers[i].map, buffers[i].size);
		close(buffers[i].fd);
	}
	if (retry_ioctl(video, VIDIOC_REQBUFS, &none))
		err(1, "%s: cannot give the buffers back", device);
}

/* Take a picture from the camera and pass it on; false when there is none yet. */
static bool frame_pass(int sock, const struct buffer *buffers)
{
	struct v4l2_buffer buf = { .type = CAPTURE, .memory = V4L2_MEMORY_MMAP };
	struct message msg = { .type = MSG_FRAME };
	const struct rect nothing = { 0 };
	uint64_t sum;
	int fd;

	/* Not retry_ioctl(): EAGAIN says that the next picture is not there. */
	if (ioctl(video, VIDIOC_DQBUF, &buf)) {
		if (errno == EAGAIN || errno == EINTR)
			return false;
		err(1, "%s: cannot take a picture", device);
	}
	queued--;
	if (buf.flags & V4L2_BUF_FLAG_ERROR)
		errx(1, "%s: the camera says that picture %u is broken", device, buf.sequence);

	fd = buffers[buf.index].fd;
	if (dma_buf_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ))
		err(1, "%s: cannot begin to read buffer %u", device, buf.index);
	sum = checksum(buffers[buf.index].map, format.fmt.pix.bytesperline,
		       format.fmt.pix.width, format.fmt.pix.height, &nothing);
	if (dma_buf_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ))
		err(1, "%s: cannot end reading buffer %u", device, buf.index);

	msg.buffer = buf.index;
	msg.sequence = buf.sequence;
	if (message_send(sock, &msg, -1))
		err(1, "cannot send frame %u to the compositor", buf.sequence);
	msg.type = MSG_DRAWN;
	msg.checksum = sum;
	if (message_send(sock, &msg, -1))
		err(1, "cannot send the checksum of frame %u to the compositor", buf.sequence);
	return true;
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: producer-camera [--socket PATH] [--device PATH] [--frames N] [--fps N]\n"
		"Pass the pictures of a camera (vivid) to the compositor.\n"
		"\n"
		"  --socket PATH  where the compositor listens (" DEMO_SOCKET ")\n"
		"  --device PATH  the V4L2 device (the first one whose driver is vivid)\n"
		"  --frames N     how many frames to pass (%d)\n"
		"  --fps N        how many the camera takes in a second (30)\n"
		"  --help         this text\n", DEMO_FRAMES);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "device", required_argument, NULL, 'd' },
		{ "frames", required_argument, NULL, 'f' },
		{ "fps", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *path = DEMO_SOCKET, *wanted = NULL;
	unsigned int frames = DEMO_FRAMES, fps = 30, passed = 0;
	struct buffer buffers[BUFFERS];
	struct message welcome, msg;
	int sock, opt, type = CAPTURE;
	char name[80];
	uint32_t i;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			path = optarg;
			break;
		case 'd':
			wanted = optarg;
			break;
		case 'f':
			frames = parse_number("--frames", optarg, 1, 1000000);
			break;
		case 'r':
			fps = parse_number("--fps", optarg, 1, 120);
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc)
		errx(2, "what is '%s'? (see --help)", argv[optind]);

	video = open_device(wanted, "/dev/video", "a vivid camera", is_vivid_camera, device,
			    sizeof(device));
	snprintf(name, sizeof(name), "vivid %s", device);
	sock = producer_connect(path, PLANE_OVERLAY, "camera", name, &welcome);

	camera_configure(welcome.welcome.width, welcome.welcome.height, fps);
	buffers_create(buffers);
	for (i = 0; i < BUFFERS; i++) {
		msg = (struct message){
			.type = MSG_BUFFER,
			.buffer = i,
			.format.width = format.fmt.pix.width,
			.format.height = format.fmt.pix.height,
			.format.fourcc = DRM_FORMAT_XRGB8888,
			.format.stride = format.fmt.pix.bytesperline,
			.format.modifier = DRM_FORMAT_MOD_LINEAR,
			.format.inode = dma_buf_inode(buffers[i].fd),
		};
		if (message_send(sock, &msg, buffers[i].fd))
			err(1, "%s: cannot pass buffer %u", path, i);
		buffer_queue(i);
	}
	if (retry_ioctl(video, VIDIOC_STREAMON, &type))
		err(1, "%s: cannot start the camera", device);

	while (passed < frames) {
		/* A camera without buffers is not worth waiting for: poll(2) skips fd -1. */
		struct pollfd fds[] = {
			{ .fd = queued ? video : -1, .events = POLLIN },
			{ .fd = sock, .events = POLLIN },
		};
		int fd, ret;

		if (poll(fds, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			err(1, "poll");
		}
		if (fds[1].revents) {
			ret = message_receive(sock, &msg, &fd);
			if (ret < 0)
				err(1, "%s: lost the compositor", path);
			if (!ret)
				errx(1, "%s: the compositor has gone", path);
			if (msg.type == MSG_RELEASE && msg.buffer < BUFFERS)
				buffer_queue(msg.buffer);
		}
		if (fds[0].revents & POLLIN)
			passed += frame_pass(sock, buffers);
		else if (fds[0].revents)
			errx(1, "%s: the camera has gone", device);
	}

	/* What is passed on stays as it is: the camera writes only into buffers queued to it. */
	if (retry_ioctl(video, VIDIOC_STREAMOFF, &type))
		err(1, "%s: cannot stop the camera", device);
	producer_finish(sock);
	buffers_destroy(buffers);
	close(video);
	return 0;
}
