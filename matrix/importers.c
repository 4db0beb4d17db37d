// SPDX-License-Identifier: GPL-2.0
/* Who uses the buffers, and how each of them reads and writes the bytes. */
#include "matrix.h"
#include "lib/prime_memory.h"
#include "lib/prime_mock.h"
#include "lib/prime_v4l2.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <libdrm/drm_fourcc.h>
#include <libdrm/drm_mode.h>
#include <linux/sync_file.h>
#include <drm/prime_edu.h>

static int import_gem(struct user *u, const struct buffer *b)
{
	for (int i = 0; i < BUFFERS; i++) {
		int64_t handle = gem_import(u->fd, b[i].fd);

		if (handle < 0)
			return handle;
		u->handle[i] = handle;
	}
	return 0;
}

static uint8_t *map_gem(int drm, uint32_t handle, size_t size)
{
	struct drm_mode_map_dumb arg = { .handle = handle };
	void *map;

	check_ok(xioctl(drm, DRM_IOCTL_MODE_MAP_DUMB, &arg));
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, drm,
		   arg.offset);
	check(map != MAP_FAILED);
	return map;
}

/*
 * --- vkms: shows the buffer and tells a checksum of its screen ---
 * The screen is 256 pixels wide and as high as the buffer has pages, and a page
 * is a line: so some bytes of each page are looked at.
 */

#define SCREEN_WIDTH	256

struct screen {
	uint32_t crtc, connector;
	uint32_t handle;	/* a buffer of its own, to compare with */
	uint8_t *map;
};

static const struct drm_mode_modeinfo screen_mode = {
	.name = "matrix", .clock = 12096,
	.hdisplay = SCREEN_WIDTH, .hsync_start = 272, .hsync_end = 296,
	.htotal = 336, .vdisplay = PAGES, .vsync_start = PAGES + 3,
	.vsync_end = PAGES + 7, .vtotal = PAGES + 24, .vrefresh = 60,
};

static void vkms_open(struct user *u)
{
	struct drm_mode_card_res res = {
		.count_crtcs = 1, .count_connectors = 1,
	};
	struct screen *s = calloc(1, sizeof(*s));

	check(s);
	u->fd = open_driver("vkms");
	u->data = s;
	res.crtc_id_ptr = (uintptr_t)&s->crtc;
	res.connector_id_ptr = (uintptr_t)&s->connector;
	check_ok(xioctl(u->fd, DRM_IOCTL_MODE_GETRESOURCES, &res));
	check(s->crtc && s->connector);
}

/* The checksum, or a negative errno. */
static int64_t vkms_shows(const struct user *u, uint32_t handle)
{
	const struct screen *s = u->data;
	struct drm_mode_fb_cmd2 fb = {
		.width = SCREEN_WIDTH, .height = PAGES,
		.pixel_format = DRM_FORMAT_XRGB8888, .handles = { handle },
		.pitches = { PAGE },
	};
	struct drm_mode_crtc crtc = {
		.crtc_id = s->crtc, .mode = screen_mode, .mode_valid = 1,
		.set_connectors_ptr = (uintptr_t)&s->connector,
		.count_connectors = 1,
	};
	int64_t sum;

	check_ok(xioctl(u->fd, DRM_IOCTL_MODE_ADDFB2, &fb));
	crtc.fb_id = fb.fb_id;
	sum = xioctl(u->fd, DRM_IOCTL_MODE_SETCRTC, &crtc);
	if (!sum)
		sum = check_ok(vkms_checksum(u->fd));
	check_ok(xioctl(u->fd, DRM_IOCTL_MODE_RMFB, &fb.fb_id));
	return sum;
}

static int vkms_read(struct user *u, const struct buffer *b, int i)
{
	struct screen *s = u->data;
	int64_t sum;

	if (!s->map) {
		s->handle = check_ok(gem_create(u->fd, PAGES));
		s->map = map_gem(u->fd, s->handle, SIZE);
	}
	for (size_t at = 0; at < SIZE; at += PAGE)
		memcpy(s->map + at, b[i].expect + at, SCREEN_WIDTH * 4);
	sum = vkms_shows(u, u->handle[i]);
	return sum < 0 ? sum : sum == check_ok(vkms_shows(u, s->handle));
}

/* --- virtio-gpu: takes its own only, and is looked at through its mapping --- */

static void virtio_open(struct user *u)
{
	u->fd = open_driver("virtio_gpu");
}

static int virtio_read(struct user *u, const struct buffer *b, int i)
{
	uint8_t *map = map_gem(u->fd, u->handle[i], SIZE);
	bool same = !memcmp(map, b[i].expect, SIZE);

	unmap(map, SIZE);
	return same;
}

/* --- prime_mock: a device for each limit, by DMA address --- */

static void mock_limit(unsigned int index, struct drm_prime_mock_limits limits)
{
	int mock = mock_open(index);

	check_ok(mock_limits(mock, limits));
	close(mock);
}

static void mock_segment_prepare(void)
{
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;

	limits.max_segments = 1;
	mock_limit(1, limits);
}

static void mock_64k_prepare(void)
{
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;

	limits.max_segment_size = 64 << 10;
	mock_limit(2, limits);
}

static void mock_4m_prepare(void)
{
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;

	limits.segment_boundary = (4 << 20) - 1;
	mock_limit(3, limits);
}

/*
 * It takes at most 1 MiB, so no storage of this size suits it. A refusal must say
 * so, and at which step.
 */
static void mock_1m_prepare(void)
{
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;

	limits.max_segments = 16;
	limits.max_segment_size = 64 << 10;
	mock_limit(4, limits);
}

static void mock_segment_open(struct user *u)
{
	u->fd = mock_open(1);
}

static void mock_64k_open(struct user *u)
{
	u->fd = mock_open(2);
}

static void mock_4m_open(struct user *u)
{
	u->fd = mock_open(3);
}

static void mock_1m_open(struct user *u)
{
	u->fd = mock_open(4);
}

static int mock_sees(struct user *u, const struct buffer *b, int i)
{
	uint8_t *copy = malloc(SIZE);
	bool same;

	check(copy);
	check_ok(mock_read(u->fd, u->handle[i], PRIME_MOCK_BY_HANDLE, 0, copy,
			   SIZE));
	same = !memcmp(copy, b[i].expect, SIZE);
	free(copy);
	return same;
}

static void mock_writes(struct user *u, struct buffer *b)
{
	for (int i = 0; i < BUFFERS; i++) {
		pattern(b[i].expect, SIZE, (uintptr_t)u->importer ^ i);
		check_ok(mock_write(u->fd, u->handle[i], PRIME_MOCK_BY_HANDLE,
				    0, b[i].expect, SIZE));
	}
}

/* --- edu: its engine copies some pages, as it takes 0.1 s for 2 KiB --- */

static const unsigned int edu_pages[] = { 0, PAGES / 2, PAGES - 1 };

struct engine {
	uint32_t handle;	/* a page of its own */
	int fd;
	uint8_t *map;
};

static void edu_open(struct user *u)
{
	struct engine *e = calloc(1, sizeof(*e));

	check(e);
	u->fd = open_driver("prime_edu");
	u->data = e;
}

static struct engine *edu_engine(struct user *u)
{
	struct engine *e = u->data;

	if (!e->map) {
		e->fd = make_dmabuf(u->fd, 1, &e->handle);
		e->map = map_dmabuf(e->fd, PAGE);
	}
	return e;
}

/* A page from @src to @dst, of which @dmabuf is the file; waits for it. */
static void edu_copy(int edu, uint32_t src, uint64_t from, uint32_t dst,
		     uint64_t to, int dmabuf)
{
	struct drm_prime_edu_copy copy = {
		.src_handle = src, .src_offset = from, .dst_handle = dst,
		.dst_offset = to, .size = PAGE,
	};
	struct sync_file_info info = { };
	int file;

	check_ok(xioctl(edu, DRM_IOCTL_PRIME_EDU_COPY, &copy));
	file = check_ok(dmabuf_export_sync_file(dmabuf, DMA_BUF_SYNC_READ));
	check_eq(poll_events(file, POLLIN, 20000), POLLIN);
	check_ok(xioctl(file, SYNC_IOC_FILE_INFO, &info));
	check_eq(info.status, 1);
	close(file);
}

static int edu_read(struct user *u, const struct buffer *b, int i)
{
	struct engine *e = edu_engine(u);

	for (size_t n = 0; n < sizeof(edu_pages) / sizeof(edu_pages[0]); n++) {
		size_t at = (size_t)edu_pages[n] * PAGE;

		edu_copy(u->fd, u->handle[i], at, e->handle, 0, e->fd);
		if (memcmp(e->map, b[i].expect + at, PAGE))
			return 0;
	}
	return 1;
}

static void edu_write(struct user *u, struct buffer *b)
{
	struct engine *e = edu_engine(u);

	for (int i = 0; i < BUFFERS; i++) {
		for (size_t n = 0; n < sizeof(edu_pages) / sizeof(edu_pages[0]);
		     n++) {
			size_t at = (size_t)edu_pages[n] * PAGE;

			pattern(b[i].expect + at, PAGE, 77 + n);
			memcpy(e->map, b[i].expect + at, PAGE);
			edu_copy(u->fd, e->handle, 0, u->handle[i], at,
				 b[i].fd);
		}
	}
}

/* --- vivid: captures into both buffers --- */

static void *vivid_pictures[2];

static void vivid_prepare(void)
{
	vivid_pictures[V4L2_VMALLOC] = v4l2_picture(V4L2_VMALLOC);
}

static void vivid_contig_prepare(void)
{
	vivid_pictures[V4L2_CONTIG] = v4l2_picture(V4L2_CONTIG);
}

static void vivid_open_as(struct user *u, enum v4l2_device device)
{
	struct v4l2_queue *q = malloc(sizeof(*q));

	check(q);
	*q = v4l2_capture(device);
	u->data = q;
	u->fd = q->fd;
}

static void vivid_open(struct user *u)
{
	vivid_open_as(u, V4L2_VMALLOC);
}

static void vivid_contig_open(struct user *u)
{
	vivid_open_as(u, V4L2_CONTIG);
}

static int vivid_import(struct user *u, const struct buffer *b)
{
	struct v4l2_queue *q = u->data;
	int ret = v4l2_request(q, V4L2_MEMORY_DMABUF, BUFFERS);

	if (ret < 0)
		return ret;
	check_eq(ret, BUFFERS);
	for (int i = 0; i < BUFFERS; i++) {
		ret = v4l2_queue_buffer(q, i, b[i].fd);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static void vivid_write(struct user *u, struct buffer *b)
{
	struct v4l2_queue *q = u->data;

	check_ok(v4l2_start(q));
	for (int i = 0; i < BUFFERS; i++)
		memcpy(b[v4l2_dequeue(q)].expect, vivid_pictures[q->device],
		       q->size[0]);
	check_ok(v4l2_stop(q));
}

/* --- vim2m: turns a picture, from the first buffer to the second --- */

struct turn {
	struct v4l2_queue in, out;
};

static void vim2m_open(struct user *u)
{
	struct turn *t = malloc(sizeof(*t));

	check(t);
	u->fd = v4l2_open(V4L2_MEM2MEM, false);
	t->in = v4l2_queue_of(u->fd, V4L2_MEM2MEM, true);
	t->out = v4l2_queue_of(u->fd, V4L2_MEM2MEM, false);
	u->data = t;
}

static int vim2m_import(struct user *u, const struct buffer *b)
{
	struct turn *t = u->data;
	int ret;

	check_eq(check_ok(v4l2_request(&t->in, V4L2_MEMORY_DMABUF, 1)), 1);
	check_eq(check_ok(v4l2_request(&t->out, V4L2_MEMORY_DMABUF, 1)), 1);
	ret = v4l2_queue_buffer(&t->in, 0, b[0].fd);
	return ret < 0 ? ret : v4l2_queue_buffer(&t->out, 0, b[1].fd);
}

/* What it reads shows in what it writes. */
static void vim2m_write(struct user *u, struct buffer *b)
{
	struct turn *t = u->data;
	const uint16_t *from = (const uint16_t *)b[0].expect;
	size_t pixels = t->in.size[0] / sizeof(*from);
	uint16_t *to = (uint16_t *)b[1].expect;

	for (size_t i = 0; i < pixels; i++)
		to[i] = from[pixels - 1 - i];
	check_ok(v4l2_start(&t->in));
	check_ok(v4l2_start(&t->out));
	v4l2_dequeue(&t->in);
	v4l2_dequeue(&t->out);
	check_ok(v4l2_stop(&t->in));
	check_ok(v4l2_stop(&t->out));
}

const struct importer importers[] = {
	{ "vkms", NULL, vkms_open, import_gem, vkms_read, NULL },
	{ "virtio-gpu", NULL, virtio_open, import_gem, virtio_read, NULL,
	  .never = true },
	{ "vivid-contig", vivid_contig_prepare, vivid_contig_open, vivid_import,
	  NULL, vivid_write },
	{ "vivid-vmalloc", vivid_prepare, vivid_open, vivid_import, NULL,
	  vivid_write },
	{ "vim2m", NULL, vim2m_open, vim2m_import, NULL, vim2m_write },
	{ "edu-28bit", NULL, edu_open, import_gem, edu_read, edu_write },
	{ "mock-1seg", mock_segment_prepare, mock_segment_open, import_gem,
	  mock_sees, mock_writes },
	{ "mock-64k", mock_64k_prepare, mock_64k_open, import_gem, mock_sees,
	  mock_writes },
	{ "mock-4m", mock_4m_prepare, mock_4m_open, import_gem, mock_sees,
	  mock_writes },
	{ "mock-1m", mock_1m_prepare, mock_1m_open, import_gem, mock_sees,
	  mock_writes, .never = true },
};

const unsigned int importers_count = sizeof(importers) / sizeof(importers[0]);
