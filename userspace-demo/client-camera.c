// SPDX-License-Identifier: MIT
/*
 * A client that owns a camera (V4L2; vivid's test picture). Its buffers are
 * the camera's own, exported, or the display's, which the camera then fills, or
 * nobody's: the kernel places them where both reach them. The compositor gets
 * the same messages in all cases.
 */

#include <drm_fourcc.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/dma-buf.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "common.h"
#include "prime-negotiate.h"
#include "window.h"

#define BUFFERS	4
#define CAPTURE	V4L2_BUF_TYPE_VIDEO_CAPTURE

struct buffer {
	int fd;			/* the dma-buf */
	uint32_t handle;	/* of the display's buffer */
	void *map;
	size_t size;
	struct window_buffer shown;
};

/* Whose the buffers are. */
enum source { CAMERA, DISPLAY, NEGOTIATED };

static const struct {
	const char *option, *client, *text;
	int pattern;	/* of vivid */
} sources[] = {
	/* the patterns: bars, squares, brighter bars */
	[CAMERA] = { "expbuf", "camera", "camera, by VIDIOC_EXPBUF", 0 },
	[DISPLAY] = { "dmabuf", "camera-import", "display, by V4L2_MEMORY_DMABUF", 4 },
	[NEGOTIATED] = { "negotiated", "camera-negotiated",
			 "heap 'negotiated', by V4L2_MEMORY_DMABUF", 1 },
};

static enum source source = CAMERA;
static char device[64], display_device[64];
static int video, display = -1;
static enum v4l2_memory memory = V4L2_MEMORY_MMAP;
static struct v4l2_format format;
static struct buffer buffers[BUFFERS];
static unsigned int queued;	/* buffers that the camera has */
static bool streaming;

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

/* stride: what the buffers ask for, 0 for whatever the camera likes. */
static void camera_configure(uint32_t width, uint32_t height, uint32_t stride, unsigned int fps)
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
	format.fmt.pix.bytesperline = stride;
	if (retry_ioctl(video, VIDIOC_S_FMT, &format))
		err(1, "%s: cannot set the format", device);
	if (format.fmt.pix.width != width || format.fmt.pix.height != height ||
	    format.fmt.pix.pixelformat != V4L2_PIX_FMT_XBGR32 ||
	    (stride && format.fmt.pix.bytesperline != stride))
		errx(1, "%s: cannot give %ux%u pixels of XRGB8888 with %u bytes a row", device,
		     width, height, stride);

	parm.parm.capture.timeperframe.numerator = 1;
	parm.parm.capture.timeperframe.denominator = fps;
	if (retry_ioctl(video, VIDIOC_S_PARM, &parm))
		err(1, "%s: cannot set %u frames per second", device, fps);

	/* The kinds of memory can be told apart on the screen. */
	set_control("Test Pattern", sources[source].pattern);
	set_control("OSD Text Mode", 1);	/* time and frame number only */
	set_control("Horizontal Movement", 5);	/* to the right */
}

/* A buffer of the display device, which can scan it out; the camera will write there. */
static void buffer_from_display(struct buffer *buf, uint32_t width, uint32_t height,
				uint32_t *stride)
{
	uint64_t size;

	if (drmModeCreateDumbBuffer(display, width, height, 32, 0, &buf->handle, stride, &size) ||
	    drmPrimeHandleToFD(display, buf->handle, DRM_CLOEXEC | DRM_RDWR, &buf->fd))
		err(1, "the display cannot give a buffer of %ux%u pixels", width, height);
	buf->size = size;
}

/* Both devices will use the buffer. */
static int buffer_add_devices(struct buffer *buf, struct dma_buf_device_use *answer)
{
	const char *path = device;
	int ret = prime_negotiate_add(buf->fd, video, DMA_BUF_USE_WRITE, answer);

	if (!ret) {
		path = display_device;
		ret = prime_negotiate_add(buf->fd, display, DMA_BUF_USE_READ | DMA_BUF_USE_SCANOUT,
					  answer);
	}
	/* The kernel has no name for what is no device of DRM or V4L2. */
	if (ret && !*answer->device)
		snprintf(answer->device, sizeof(answer->device), "%s", path);
	return ret;
}

/* A buffer that has no place yet; the kernel finds one that suits both devices. */
static void buffer_from_heap(struct buffer *buf)
{
	struct dma_buf_device_use add;
	struct dma_buf_commit commit;
	char why[512];
	int ret;

	buf->size = format.fmt.pix.sizeimage;
	buf->fd = prime_negotiate_alloc(buf->size);
	if (buf->fd == -ENOENT)
		errx(1, "this kernel has no " PRIME_NEGOTIATE_HEAP "; try --memory expbuf");
	if (buf->fd < 0)
		errx(1, "cannot get a negotiated buffer: %s", strerror(-buf->fd));
	ret = buffer_add_devices(buf, &add);
	if (ret) {
		prime_negotiate_add_text(&add, why, sizeof(why));
	} else {
		ret = prime_negotiate_commit(buf->fd, 0, &commit);
		prime_negotiate_commit_text(&commit, why, sizeof(why));
	}
	if (ret)
		errx(1, "camera and display cannot share a buffer: %s Or try --memory expbuf.", why);
}

/* A buffer of the camera. */
static void buffer_from_camera(struct buffer *buf, uint32_t index)
{
	struct v4l2_exportbuffer export = {
		.type = CAPTURE,
		.index = index,
		.flags = O_CLOEXEC | O_RDWR,
	};

	if (retry_ioctl(video, VIDIOC_EXPBUF, &export))
		err(1, "%s: cannot export buffer %u", device, index);
	buf->fd = export.fd;
	buf->size = format.fmt.pix.sizeimage;
}

static void buffer_released(struct window_buffer *shown);

static void show_create(struct window *window, struct buffer *buf)
{
	const struct window_layout layout = {
		.width = format.fmt.pix.width,
		.height = format.fmt.pix.height,
		.fourcc = DRM_FORMAT_XRGB8888,
		.modifier = DRM_FORMAT_MOD_LINEAR,
		.n_planes = 1,
		.fds = { buf->fd },
		.strides = { format.fmt.pix.bytesperline },
	};
	uint64_t modifiers[16];
	unsigned int i, n = window_modifiers(window, DRM_FORMAT_XRGB8888, modifiers, 16);

	for (i = 0; i < n && modifiers[i] != DRM_FORMAT_MOD_LINEAR; i++)
		;
	if (i == n)
		errx(1, "the compositor does not take XRGB8888 in linear memory");
	window_buffer_create(window, &buf->shown, &layout);
	buf->shown.free = buffer_released;
}

static void buffers_create(struct window *window, unsigned int fps)
{
	const uint32_t width = window_width(window), height = window_height(window);
	struct v4l2_requestbuffers request = {
		.count = BUFFERS,
		.type = CAPTURE,
		.memory = memory,
	};
	uint32_t i, stride = 0;

	if (source == DISPLAY)
		for (i = 0; i < BUFFERS; i++)
			buffer_from_display(&buffers[i], width, height, &stride);
	camera_configure(width, height, stride, fps);
	if (retry_ioctl(video, VIDIOC_REQBUFS, &request))
		err(1, "%s: cannot get buffers", device);
	if (request.count != BUFFERS)
		errx(1, "%s: %u buffers instead of %u", device, request.count, BUFFERS);

	for (i = 0; i < BUFFERS; i++) {
		struct buffer *buf = &buffers[i];

		if (source == CAMERA)
			buffer_from_camera(buf, i);
		else if (source == NEGOTIATED)
			buffer_from_heap(buf);
		buf->shown.number = i;
		show_create(window, buf);
		buf->map = mmap(NULL, buf->size, PROT_READ, MAP_SHARED, buf->fd, 0);
		if (buf->map == MAP_FAILED)
			err(1, "%s: cannot map the dma-buf of buffer %u", device, i);
	}
}

static void buffers_destroy(void)
{
	struct v4l2_requestbuffers none = { .type = CAPTURE, .memory = memory };
	uint32_t i;

	if (retry_ioctl(video, VIDIOC_REQBUFS, &none))
		err(1, "%s: cannot give the buffers back", device);
	for (i = 0; i < BUFFERS; i++) {
		munmap(buffers[i].map, buffers[i].size);
		close(buffers[i].fd);
		if (source == DISPLAY)
			drmModeDestroyDumbBuffer(display, buffers[i].handle);
	}
}

/* The kernel may know more of it than the errno. */
static void cannot_queue(uint32_t index)
{
	const int error = errno;
	struct dma_buf_refusal refusal;
	char why[512];

	if (prime_negotiate_refusal(buffers[index].fd, &refusal) ||
	    refusal.field == DMA_BUF_FIELD_NONE)
		errx(1, "%s: cannot queue buffer %u: %s", device, index, strerror(error));
	prime_negotiate_refusal_text(&refusal, why, sizeof(why));
	errx(1, "%s: cannot queue buffer %u: %s (%s)", device, index, why, strerror(error));
}

/* V4L2 knows nothing of fences: a buffer must be free before the camera gets it. */
static void buffer_queue(uint32_t index)
{
	struct v4l2_buffer buf = {
		.type = CAPTURE,
		.memory = memory,
		.index = index,
	};

	if (memory == V4L2_MEMORY_DMABUF) {
		buf.m.fd = buffers[index].fd;
		buf.length = buffers[index].size;
	}
	if (retry_ioctl(video, VIDIOC_QBUF, &buf))
		cannot_queue(index);
	queued++;
}

/* The checksum of what the camera has written. */
static uint64_t drawn(const struct buffer *buf)
{
	uint64_t sum;

	if (dma_buf_sync(buf->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ))
		err(1, "%s: cannot begin to read a buffer", device);
	sum = checksum(buf->map, format.fmt.pix.bytesperline, format.fmt.pix.width,
		       format.fmt.pix.height);
	if (dma_buf_sync(buf->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ))
		err(1, "%s: cannot end reading a buffer", device);
	return sum;
}

/*
 * Take a picture from the camera and pass it on; false when there is none yet. The number of
 * a frame is the camera's: a gap tells of a picture that it had no buffer for.
 */
static bool frame_pass(struct window *window)
{
	static int64_t last = -1;
	struct v4l2_buffer buf = { .type = CAPTURE, .memory = memory };

	/* Not retry_ioctl(): EAGAIN says that the next picture is not there. */
	if (ioctl(video, VIDIOC_DQBUF, &buf)) {
		if (errno == EAGAIN || errno == EINTR)
			return false;
		err(1, "%s: cannot take a picture", device);
	}
	queued--;
	if (buf.flags & V4L2_BUF_FLAG_ERROR)
		errx(1, "%s: the camera says that picture %u is broken", device, buf.sequence);

	/* vivid, when late, gives a number twice; the compositor wants them to count up. */
	last = buf.sequence > last ? buf.sequence : last + 1;
	window_show(window, &buffers[buf.index].shown, last);
	window_drawn(window, last, drawn(&buffers[buf.index]));
	return true;
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: client-camera [options]\n"
		"Pass the pictures of a camera (vivid) to the compositor.\n"
		"\n"
		"  --socket PATH    where the compositor listens (" DEMO_SOCKET ")\n"
		"  --device PATH    the V4L2 device (the first one whose driver is vivid)\n"
		"  --frames N       how many frames to pass (%d)\n"
		"  --fps N          how many the camera takes in a second (30)\n"
		"  --memory expbuf  buffers of the camera, exported by VIDIOC_EXPBUF (the default)\n"
		"  --memory dmabuf  buffers of the display, imported by V4L2_MEMORY_DMABUF\n"
		"  --memory negotiated  buffers that the kernel places where camera and display\n"
		"                   reach them, imported by both; needs the heap 'negotiated'\n"
		"  --help           this text\n", DEMO_FRAMES);
}

struct options {
	const char *socket, *device;
	unsigned int frames, fps;
};

static void parse_memory(const char *text)
{
	unsigned int i;

	for (i = 0; i < 3 && strcmp(text, sources[i].option); i++)
		;
	if (i == 3)
		errx(2, "--memory: '%s' is neither expbuf, dmabuf nor negotiated", text);
	source = i;
	memory = source == CAMERA ? V4L2_MEMORY_MMAP : V4L2_MEMORY_DMABUF;
}

static struct options parse_options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "device", required_argument, NULL, 'd' },
		{ "frames", required_argument, NULL, 'f' },
		{ "fps", required_argument, NULL, 'r' },
		{ "memory", required_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct options options = { .socket = DEMO_SOCKET, .frames = DEMO_FRAMES, .fps = 30 };
	int opt;

	while ((opt = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (opt) {
		case 's':
			options.socket = optarg;
			break;
		case 'd':
			options.device = optarg;
			break;
		case 'f':
			options.frames = parse_number("--frames", optarg, 1, 1000000);
			break;
		case 'r':
			options.fps = parse_number("--fps", optarg, 1, 120);
			break;
		case 'm':
			parse_memory(optarg);
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind < argc)
		errx(2, "what is '%s'? (see --help)", argv[optind]);
	return options;
}

/* For the page that explains the run. */
static void buffers_tell(void)
{
	unsigned int i;

	for (i = 0; i < BUFFERS; i++)
		printf("client-camera: buffer %u: inode %" PRIu64 ", %s %s %u, descriptor %d\n", i,
		       dma_buf_inode(buffers[i].fd), source == DISPLAY ? display_device : device,
		       source == DISPLAY ? "handle" : "index",
		       source == DISPLAY ? buffers[i].handle : i, buffers[i].fd);
	fflush(stdout);
}

/* A buffer that has left the screen goes back to the camera. */
static void buffer_released(struct window_buffer *shown)
{
	if (streaming)
		buffer_queue(shown->number);
}

/* Wait for a picture or the compositor, and do what it takes. Returns frames passed: 0 or 1. */
static unsigned int pass_next(struct window *window)
{
	/*
	 * poll(2) skips fd -1. A camera without buffers is not worth waiting for, and while the
	 * picture before has not been taken, the next one would only replace it.
	 */
	struct pollfd camera = {
		.fd = queued && !window_waits(window) ? video : -1, .events = POLLIN,
	};

	window_poll(window, &camera, 1);
	if (camera.revents & POLLIN)
		return frame_pass(window);
	if (camera.revents)
		errx(1, "%s: the camera has gone", device);
	return 0;
}

int main(int argc, char **argv)
{
	const struct options options = parse_options(argc, argv);
	unsigned int i, passed = 0;
	struct window *window;
	int type = CAPTURE;
	char name[80];

	video = open_device(options.device, "/dev/video", "a vivid camera", is_vivid_camera,
			    device, sizeof(device));
	snprintf(name, sizeof(name), "vivid %s", device);
	window = window_open(options.socket, sources[source].client, name, 320, 180);
	if (memory == V4L2_MEMORY_DMABUF) {
		window_device(window, display_device, sizeof(display_device));
		display = open(display_device, O_RDWR | O_CLOEXEC);
		if (display < 0)
			err(1, "%s: cannot open the display", display_device);
	}
	buffers_create(window, options.fps);
	printf("client-camera: %s, buffers of the %s\n", name, sources[source].text);
	buffers_tell();
	for (i = 0; i < BUFFERS; i++)
		buffer_queue(i);
	if (retry_ioctl(video, VIDIOC_STREAMON, &type))
		err(1, "%s: cannot start the camera", device);
	streaming = true;

	while (passed < options.frames)
		passed += pass_next(window);

	/* What was passed on stays as it is: the camera writes only into buffers queued to it. */
	streaming = false;
	if (retry_ioctl(video, VIDIOC_STREAMOFF, &type))
		err(1, "%s: cannot stop the camera", device);
	for (i = 0; i < BUFFERS; i++)
		window_buffer_destroy(&buffers[i].shown);
	window_close(window);
	buffers_destroy();
	if (display >= 0)
		close(display);
	close(video);
	return 0;
}
