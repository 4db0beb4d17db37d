// SPDX-License-Identifier: MIT
/* V4L2's test devices and their buffer queues, by the kernel's ioctls. */
#include "lib/prime_memory.h"
#include "lib/prime_v4l2.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>

#define WAIT_MS			10000
/* vivid's instances, in the order of enum v4l2_device. */
#define VIVID_PARAMETERS \
	"n_devs=3 allocators=0,1,1 multiplanar=1,1,2 node_types=0x111,0x101,0x101"
#define VIVID_OSD_TEXT_MODE	0x00f0f001	/* vivid's own control */
#define VIVID_OSD_NONE		2
#define VIM2M_TIME_MS		(V4L2_CID_USER_BASE + 0x1000)

const char *v4l2_name(enum v4l2_device device)
{
	static const char *const names[] = {
		"vivid-vmalloc", "vivid-contig", "vivid-two-planes", "vim2m", "visl",
	};

	return names[device];
}

/* --- finding a device --- */

static int open_node(const char *bus, uint32_t capability)
{
	struct v4l2_capability cap;
	char path[32];
	int fd;

	for (int i = 0; i < 64; i++) {
		snprintf(path, sizeof(path), "/dev/video%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			continue;
		memset(&cap, 0, sizeof(cap));
		if (!xioctl(fd, VIDIOC_QUERYCAP, &cap) &&
		    !strcmp((char *)cap.bus_info, bus) &&
		    cap.device_caps & capability)
			return fd;
		close(fd);
	}
	return -ENODEV;
}

static uint32_t capability_of(enum v4l2_device device, bool output)
{
	if (device == V4L2_MEM2MEM)
		return V4L2_CAP_VIDEO_M2M;
	if (device == V4L2_STATELESS)
		return V4L2_CAP_VIDEO_M2M_MPLANE;
	if (device == V4L2_PLANES)
		return output ? V4L2_CAP_VIDEO_OUTPUT_MPLANE :
				V4L2_CAP_VIDEO_CAPTURE_MPLANE;
	return output ? V4L2_CAP_VIDEO_OUTPUT : V4L2_CAP_VIDEO_CAPTURE;
}

/* Is vivid there with the allocators that enum v4l2_device names? */
static bool vivid_fits(void)
{
	char *text = read_text("/sys/module/vivid/parameters/allocators");
	bool fits = text && !strncmp(text, "0,1,1,", 6);

	free(text);
	return fits;
}

void vivid_back(const char *nothing, const char *more)
{
	(void)nothing;
	(void)more;
	if (!vivid_fits())
		(void)!system("{ modprobe -r vivid; modprobe vivid " VIVID_PARAMETERS
			      "; } >/dev/null 2>&1");
}

bool vivid_unload(void)
{
	undo_later(vivid_back, "", "");
	return !system("modprobe -r vivid >/dev/null 2>&1");
}

int v4l2_open(enum v4l2_device device, bool output)
{
	uint32_t capability = capability_of(device, output);
	char bus[32], load[48];
	bool is_vivid = device < V4L2_MEM2MEM;
	int fd;

	snprintf(bus, sizeof(bus), "platform:%s", v4l2_name(device));
	snprintf(load, sizeof(load), "modprobe %s >/dev/null 2>&1", v4l2_name(device));
	if (is_vivid) {
		snprintf(bus, sizeof(bus), "platform:vivid-%03d", device);
		if (!vivid_fits() && !access("/sys/module/vivid", F_OK))
			need_destructive("loading vivid again with other parameters");
		vivid_back("", "");
		if (!vivid_fits())
			prime_skip("no vivid (modprobe -r vivid; modprobe vivid "
				   VIVID_PARAMETERS ")");
	}
	fd = open_node(bus, capability);
	if (fd < 0 && !is_vivid && !system(load))
		fd = open_node(bus, capability);
	if (fd < 0)
		prime_skip("no node of %s for %s", v4l2_name(device),
			   output ? "output" : "capture");
	return fd;
}

/* --- a queue --- */

int v4l2_control(int fd, uint32_t id, int value)
{
	struct v4l2_control arg = { .id = id, .value = value };

	return xioctl(fd, VIDIOC_S_CTRL, &arg);
}

static void set_vivid_input(int fd, uint32_t type)
{
	struct v4l2_streamparm parm = {
		.type = type,
		.parm.capture.timeperframe = { .numerator = 1, .denominator = 60 },
	};
	int webcam = 0;

	check_ok(xioctl(fd, VIDIOC_S_INPUT, &webcam));
	check_ok(xioctl(fd, VIDIOC_S_PARM, &parm));
	/* No clock in the picture, so that all pictures are equal. */
	check_ok(v4l2_control(fd, VIVID_OSD_TEXT_MODE, VIVID_OSD_NONE));
}

static void set_format(struct v4l2_queue *q, uint32_t width, uint32_t height,
		       uint32_t pixels)
{
	struct v4l2_format format = { .type = q->type };

	if (V4L2_TYPE_IS_MULTIPLANAR(q->type)) {
		struct v4l2_pix_format_mplane *pix = &format.fmt.pix_mp;

		pix->width = width;
		pix->height = height;
		pix->pixelformat = pixels;
		check_ok(xioctl(q->fd, VIDIOC_S_FMT, &format));
		check_eq(pix->pixelformat, pixels);
		check_eq(pix->num_planes,
			 q->device == V4L2_PLANES ? V4L2_QUEUE_PLANES : 1);
		q->planes = pix->num_planes;
		for (unsigned int i = 0; i < q->planes; i++)
			q->size[i] = pix->plane_fmt[i].sizeimage;
		return;
	}
	format.fmt.pix.width = width;
	format.fmt.pix.height = height;
	format.fmt.pix.pixelformat = pixels;
	check_ok(xioctl(q->fd, VIDIOC_S_FMT, &format));
	check_eq(format.fmt.pix.pixelformat, pixels);
	q->planes = 1;
	q->size[0] = format.fmt.pix.sizeimage;
}

struct v4l2_queue v4l2_queue_of(int fd, enum v4l2_device device, bool output)
{
	bool planes = device == V4L2_PLANES || device == V4L2_STATELESS;
	struct v4l2_queue q = { .fd = fd, .device = device };

	if (output)
		q.type = planes ? V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE :
				  V4L2_BUF_TYPE_VIDEO_OUTPUT;
	else
		q.type = planes ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE :
				  V4L2_BUF_TYPE_VIDEO_CAPTURE;

	if (device == V4L2_MEM2MEM) {
		check_ok(v4l2_control(fd, V4L2_CID_HFLIP, 1));
		check_ok(v4l2_control(fd, V4L2_CID_VFLIP, 1));
		check_ok(v4l2_control(fd, VIM2M_TIME_MS, 1));
		set_format(&q, 320, 180, V4L2_PIX_FMT_RGB565);
		return q;
	}
	if (device == V4L2_STATELESS) {
		set_format(&q, 320, 180, V4L2_PIX_FMT_NV12);
		return q;
	}
	if (!output)
		set_vivid_input(fd, q.type);
	set_format(&q, 320, 180, planes ? V4L2_PIX_FMT_NV16M :
					  V4L2_PIX_FMT_YUYV);
	return q;
}

struct v4l2_queue v4l2_capture(enum v4l2_device device)
{
	return v4l2_queue_of(v4l2_open(device, false), device, false);
}

int v4l2_request(struct v4l2_queue *q, uint32_t memory, unsigned int count)
{
	struct v4l2_requestbuffers arg = {
		.count = count, .type = q->type, .memory = memory,
	};
	int ret = xioctl(q->fd, VIDIOC_REQBUFS, &arg);

	q->memory = memory;
	return ret < 0 ? ret : (int)arg.count;
}

int v4l2_export(struct v4l2_queue *q, unsigned int index, unsigned int plane,
		uint32_t flags)
{
	struct v4l2_exportbuffer arg = {
		.type = q->type, .index = index, .plane = plane,
		.flags = flags, .fd = -1,
	};
	int ret = xioctl(q->fd, VIDIOC_EXPBUF, &arg);

	return ret < 0 ? ret : arg.fd;
}

int v4l2_queue_planes(struct v4l2_queue *q, unsigned int index,
		      const int *dmabufs, const uint32_t *lengths)
{
	struct v4l2_plane planes[V4L2_QUEUE_PLANES] = { };
	struct v4l2_buffer arg = {
		.type = q->type, .memory = q->memory, .index = index,
		.field = V4L2_FIELD_NONE,
	};

	for (unsigned int i = 0; i < q->planes; i++) {
		planes[i].m.fd = dmabufs[i];
		planes[i].length = lengths[i];
		planes[i].bytesused = q->size[i];
	}
	if (V4L2_TYPE_IS_MULTIPLANAR(q->type)) {
		arg.m.planes = planes;
		arg.length = q->planes;
	} else {
		arg.m.fd = dmabufs[0];
		arg.length = lengths[0];
		arg.bytesused = q->size[0];
	}
	return xioctl(q->fd, VIDIOC_QBUF, &arg);
}

int v4l2_queue_buffer(struct v4l2_queue *q, unsigned int index, int dmabuf)
{
	const int dmabufs[V4L2_QUEUE_PLANES] = { dmabuf, dmabuf };
	const uint32_t lengths[V4L2_QUEUE_PLANES] = { };

	return v4l2_queue_planes(q, index, dmabufs, lengths);
}

int v4l2_start(struct v4l2_queue *q)
{
	return xioctl(q->fd, VIDIOC_STREAMON, &q->type);
}

int v4l2_stop(struct v4l2_queue *q)
{
	return xioctl(q->fd, VIDIOC_STREAMOFF, &q->type);
}

unsigned int v4l2_dequeue(struct v4l2_queue *q)
{
	bool output = V4L2_TYPE_IS_OUTPUT(q->type);
	double end = now() + WAIT_MS / 1e3;
	int ret;

	for (;;) {
		memset(&q->last, 0, sizeof(q->last));
		q->last.type = q->type;
		q->last.memory = q->memory;
		if (V4L2_TYPE_IS_MULTIPLANAR(q->type)) {
			q->last.m.planes = q->last_planes;
			q->last.length = V4L2_QUEUE_PLANES;
		}
		ret = xioctl(q->fd, VIDIOC_DQBUF, &q->last);
		if (ret != -EAGAIN)
			break;
		if (now() > end)
			prime_fail(__FILE__, __LINE__,
				   "no %s buffer of %s within %d ms",
				   output ? "output" : "capture",
				   v4l2_name(q->device), WAIT_MS);
		poll_events(q->fd, output ? POLLOUT : POLLIN, WAIT_MS);
	}
	check_ok(ret);
	check_eq(q->last.flags & V4L2_BUF_FLAG_ERROR, 0);
	return q->last.index;
}

void *v4l2_map(struct v4l2_queue *q, unsigned int index)
{
	struct v4l2_plane planes[V4L2_QUEUE_PLANES] = { };
	struct v4l2_buffer arg = {
		.type = q->type, .memory = V4L2_MEMORY_MMAP, .index = index,
	};
	bool multi = V4L2_TYPE_IS_MULTIPLANAR(q->type);
	void *memory;

	if (multi) {
		arg.m.planes = planes;
		arg.length = V4L2_QUEUE_PLANES;
	}
	check_ok(xioctl(q->fd, VIDIOC_QUERYBUF, &arg));
	memory = mmap(NULL, multi ? planes[0].length : arg.length,
		      PROT_READ | PROT_WRITE, MAP_SHARED, q->fd,
		      multi ? planes[0].m.mem_offset : arg.m.offset);
	check(memory != MAP_FAILED);
	return memory;
}

void *v4l2_picture(enum v4l2_device device)
{
	struct v4l2_queue q = v4l2_capture(device);
	void *memory, *copy = malloc(q.size[0]);

	check(copy);
	check_eq(check_ok(v4l2_request(&q, V4L2_MEMORY_MMAP, 2)), 2);
	check_ok(v4l2_queue_buffer(&q, 0, -1));
	check_ok(v4l2_queue_buffer(&q, 1, -1));
	check_ok(v4l2_start(&q));
	memory = v4l2_map(&q, v4l2_dequeue(&q));
	memcpy(copy, memory, q.size[0]);
	/* It is a picture, not a single colour. */
	check(filled_byte(copy, q.size[0], *(uint8_t *)copy) < q.size[0]);
	unmap(memory, q.size[0]);
	close(q.fd);
	return copy;
}

size_t v4l2_turned(const struct v4l2_queue *q, const void *in, const void *out)
{
	const uint16_t *from = in, *to = out;
	size_t pixels = q->size[0] / sizeof(*from), i = 0;

	while (i < pixels && to[i] == from[pixels - 1 - i])
		i++;
	return i * sizeof(*from);
}
