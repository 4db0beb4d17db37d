// SPDX-License-Identifier: GPL-2.0
/*
 * What it costs to share a buffer of vgem with another device, alone on one
 * processor. Meant for QEMU's -icount, where the clock counts instructions.
 */
#include "bench.h"
#include "lib/mock_buffer.h"
#include "lib/prime_v4l2.h"

#include <drm_fourcc.h>
#include <fcntl.h>
#include <pthread.h>

/* --- import: the first time, and again --- */

#define MOST_BUFFERS	200

/* An importer, and one import of it with its end. */
struct importer {
	void (*op)(struct importer *importer, int fd);
	int drm;
	struct v4l2_queue queue;
};

static void op_drm(struct importer *importer, int fd)
{
	int64_t handle = gem_import(importer->drm, fd);

	check(handle > 0);
	gem_close(importer->drm, handle);
}

/* A slot that gets another buffer lets go of the one that it had. */
static void op_vb2(struct importer *importer, int fd)
{
	check_ok(v4l2_queue_buffer(&importer->queue, 0, fd));
	check_ok(v4l2_stop(&importer->queue));
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* A mean would have a timer's tick in it, which is several imports long. */
static double median(uint64_t *took, unsigned int count)
{
	qsort(took, count, sizeof(*took), compare);
	return took[count / 2];
}

static double import_each(struct importer *importer, const int *fds, unsigned int count)
{
	uint64_t start, took[MOST_BUFFERS];

	for (unsigned int i = 0; i < count; i++) {
		start = bench_clock();
		importer->op(importer, fds[i]);
		took[i] = bench_since(start);
	}
	return median(took, count);
}

/* Each buffer is new to the importer, whose file has imported others before. */
static void import_picture(const char *name, struct importer *importer,
			   const struct bench_picture *picture)
{
	const uint64_t pixels = (uint64_t)picture->width * picture->height;
	const unsigned int count = picture->count;
	int drm = open_driver("vgem"), fds[MOST_BUFFERS] = { }, warm;
	char row[64];

	warm = bench_picture_make(drm, picture);
	for (unsigned int i = 0; i < count; i++)
		fds[i] = bench_picture_make(drm, picture);
	import_each(importer, &warm, 1);
	bench_settle();
	snprintf(row, sizeof(row), "%s-first", name);
	bench_instructions(row, pixels, import_each(importer, fds, count));
	snprintf(row, sizeof(row), "%s-again", name);
	bench_instructions(row, pixels, import_each(importer, fds, count));
	close(warm);
	for (unsigned int i = 0; i < count; i++)
		close(fds[i]);
	close(drm);
}

static void import_drm(const char *name, const char *driver)
{
	struct importer importer = { .op = op_drm, .drm = open_driver(driver) };

	for (int i = 0; i < BENCH_PICTURES; i++)
		import_picture(name, &importer, &bench_pictures[i]);
	close(importer.drm);
}

static void import(const char *name)
{
	import_drm(name, "vkms");
}

static void import_edu(const char *name)
{
	import_drm(name, "prime_edu");
}

static void import_vb2(const char *name)
{
	struct importer importer = { .op = op_vb2, .queue = v4l2_capture(V4L2_VMALLOC) };

	/* The picture of this queue needs more than the first one has. */
	check_ok(v4l2_request(&importer.queue, V4L2_MEMORY_DMABUF, 1));
	for (int i = 1; i < BENCH_PICTURES; i++)
		import_picture(name, &importer, &bench_pictures[i]);
	close(importer.queue.fd);
}

/* The first import of a file. */
static void import_file(const char *name)
{
	enum { COUNT = 51 };
	int drm = open_driver("vgem");
	int fd = bench_picture_make(drm, &bench_pictures[0]);
	uint64_t start, took[COUNT];

	for (unsigned int i = 0; i < COUNT; i++) {
		struct importer importer = { .drm = open_driver("vkms") };

		start = bench_clock();
		op_drm(&importer, fd);
		took[i] = bench_since(start);
		close(importer.drm);
	}
	bench_instructions(name, 0, median(took, COUNT));
	close(fd);
	close(drm);
}

/* --- an import that is refused --- */

struct refused {
	int drm, fd;
};

static void op_refused(void *arg)
{
	struct refused *r = arg;

	check_error(gem_import(r->drm, r->fd), E2BIG);
}

/* The importer maps, finds more segments than it takes, and gives the buffer back. */
static void import_refused(const char *name)
{
	static const unsigned int segments[] = { 2, 256 };
	struct drm_prime_mock_limits one = MOCK_NO_LIMITS;
	struct refused r = { .drm = mock_open(0) };
	int mock = mock_open(1);

	one.max_segments = 1;
	check_ok(mock_limits(r.drm, one));
	for (int i = 0; i < 2; i++) {
		struct mock_buffer b = mock_buffer(mock, 0, segments[i]);

		r.fd = b.fd;
		bench_instructions(name, segments[i], bench_loop(op_refused, &r, 50));
		mock_buffer_end(&b);
	}
	check_ok(mock_limits(r.drm, MOCK_NO_LIMITS));
	close(r.drm);
	close(mock);
}

/* --- a display --- */

struct screen {
	int drm;
	uint32_t crtc, connector;
	int fds[2];
	uint32_t handles[2], fbs[2];
};

static const struct drm_mode_modeinfo screen_mode = {
	.clock = 533250, .hdisplay = 3840, .hsync_start = 3888, .hsync_end = 3920,
	.htotal = 4000, .vdisplay = 2160, .vsync_start = 2163, .vsync_end = 2168,
	.vtotal = 2222, .vrefresh = 60, .name = "bench",
};

static void screen_import(struct screen *s, unsigned int i)
{
	struct drm_mode_fb_cmd2 fb = {
		.width = screen_mode.hdisplay, .height = screen_mode.vdisplay,
		.pixel_format = DRM_FORMAT_XRGB8888,
		.pitches = { 4 * screen_mode.hdisplay },
	};

	s->handles[i] = check_ok(gem_import(s->drm, s->fds[i]));
	fb.handles[0] = s->handles[i];
	check_ok(xioctl(s->drm, DRM_IOCTL_MODE_ADDFB2, &fb));
	s->fbs[i] = fb.fb_id;
}

static void screen_drop(struct screen *s, unsigned int i)
{
	check_ok(xioctl(s->drm, DRM_IOCTL_MODE_RMFB, &s->fbs[i]));
	check_ok(gem_close(s->drm, s->handles[i]));
}

/* Shows the first buffer. */
static void screen_light(struct screen *s)
{
	struct drm_mode_card_res res = {
		.count_crtcs = 1, .crtc_id_ptr = (uintptr_t)&s->crtc,
		.count_connectors = 1, .connector_id_ptr = (uintptr_t)&s->connector,
	};
	struct drm_mode_get_connector probe = { };
	struct drm_mode_crtc crtc = {
		.mode = screen_mode, .mode_valid = 1, .count_connectors = 1,
		.set_connectors_ptr = (uintptr_t)&s->connector,
	};

	check_ok(xioctl(s->drm, DRM_IOCTL_MODE_GETRESOURCES, &res));
	probe.connector_id = s->connector;
	check_ok(xioctl(s->drm, DRM_IOCTL_MODE_GETCONNECTOR, &probe));
	screen_import(s, 0);
	crtc.crtc_id = s->crtc;
	crtc.fb_id = s->fbs[0];
	check_ok(xioctl(s->drm, DRM_IOCTL_MODE_SETCRTC, &crtc));
}

/* Returns when the display has let go of what it showed before. */
static void screen_flip(struct screen *s, unsigned int i)
{
	struct drm_mode_crtc_page_flip flip = {
		.crtc_id = s->crtc, .fb_id = s->fbs[i],
		.flags = DRM_MODE_PAGE_FLIP_EVENT,
	};
	char events[256];

	check_ok(xioctl(s->drm, DRM_IOCTL_MODE_PAGE_FLIP, &flip));
	check(read(s->drm, events, sizeof(events)) > 0);
	/* The event comes before the work that lets go. */
	usleep(1000);
}

static void op_flip(struct screen *s, unsigned int i)
{
	screen_flip(s, i);
}

/* A compositor that keeps nothing of its clients' buffers. */
static void op_import_flip(struct screen *s, unsigned int i)
{
	screen_import(s, i);
	screen_flip(s, i);
	screen_drop(s, !i);
}

static volatile bool idle_stop;

static void *idle_run(void *unused)
{
	while (!idle_stop)
		;
	return NULL;
}

/*
 * Returns the time that the processor spends on a call of @op, in all threads.
 * While they wait for the end of a frame, a thread of the lowest priority runs,
 * and its time is subtracted.
 */
static double without_idle(void (*op)(struct screen *s, unsigned int i), struct screen *s)
{
	enum { FLIPS = 20 };
	const struct sched_param none = { };
	struct timespec begun, ended;
	pthread_t idle;
	clockid_t clock;
	double total;

	/* The first flips to a buffer pin it. */
	op(s, 1);
	op(s, 0);
	idle_stop = false;
	check(!pthread_create(&idle, NULL, idle_run, NULL));
	check(!pthread_setschedparam(idle, SCHED_IDLE, &none));
	check(!pthread_getcpuclockid(idle, &clock));

	clock_gettime(clock, &begun);
	total = -(double)bench_clock();
	for (unsigned int i = 1; i <= FLIPS; i++)
		op(s, i % 2);
	total += bench_clock();
	clock_gettime(clock, &ended);

	idle_stop = true;
	pthread_join(idle, NULL);
	total -= (ended.tv_sec - begun.tv_sec) * 1e9 + ended.tv_nsec - begun.tv_nsec;
	return total / FLIPS;
}

static void display(const char *name, void (*op)(struct screen *s, unsigned int i), bool both)
{
	struct screen s = { .drm = open_driver("vkms") };
	int drm = open_driver("vgem");

	for (int i = 0; i < 2; i++)
		s.fds[i] = bench_picture_make(drm, &bench_pictures[BENCH_PICTURES - 1]);
	screen_light(&s);
	if (both)
		screen_import(&s, 1);
	bench_instructions(name, 0, without_idle(op, &s));
	for (int i = 0; i < 2; i++)
		close(s.fds[i]);
	close(s.drm);
	close(drm);
}

static void flip(const char *name)
{
	display(name, op_flip, true);
}

static void import_flip(const char *name)
{
	display(name, op_import_flip, false);
}

/* --- who waits while another thread's import sleeps in a driver --- */

struct asleep {
	pthread_t thread;
	int drm;			/* of both threads */
	struct mock_buffer slow, known;
	uint32_t handle;		/* of the known one */
};

static void *asleep_run(void *arg)
{
	struct asleep *a = arg;

	check_ok(gem_import(a->drm, a->slow.fd));
	return NULL;
}

/* Reports how many of 1,000 calls of @op end within 300 ms; the import takes 3 s. */
static void asleep(const char *name, void (*op)(struct asleep *a))
{
	struct asleep a = { .drm = mock_open(0) };
	int mock = mock_open(1);
	unsigned int passed = 0;
	uint64_t start;

	a.slow = mock_buffer(mock, 0, 4);
	a.known = mock_buffer(mock, 0, 4);
	a.handle = check_ok(gem_import(a.drm, a.known.fd));
	check_ok(mock_sleep(mock, a.slow.id, PRIME_MOCK_MAP, 3000000, 0));
	check(!pthread_create(&a.thread, NULL, asleep_run, &a));
	mock_wait_calls(&a.slow, PRIME_MOCK_MAP, 1);
	for (int i = 0; i < 1000; i++) {
		start = bench_clock();
		op(&a);
		passed += bench_clock() - start < 300 * 1000000ull;
	}
	pthread_join(a.thread, NULL);
	bench_result(name, 0, passed, "of-1000");
	close(a.drm);
	mock_buffer_end(&a.slow);
	mock_buffer_end(&a.known);
	close(mock);
}

static void op_handle_to_fd(struct asleep *a)
{
	close(check_ok(gem_export(a->drm, a->handle, DRM_CLOEXEC)));
}

static void op_export(struct asleep *a)
{
	uint32_t handle = check_ok(gem_create(a->drm, 1));

	close(check_ok(gem_export(a->drm, handle, DRM_CLOEXEC)));
	check_ok(gem_close(a->drm, handle));
}

static void op_import_known(struct asleep *a)
{
	check_eq(gem_import(a->drm, a->known.fd), a->handle);
}

static void asleep_handle_to_fd(const char *name)
{
	asleep(name, op_handle_to_fd);
}

static void asleep_export(const char *name)
{
	asleep(name, op_export);
}

static void asleep_import_known(const char *name)
{
	asleep(name, op_import_known);
}

static const struct bench table[] = {
	{ "import", "into vkms and close of the handle, first and again; by pixels", import },
	{ "import-file", "the same by a file that has imported nothing yet; one page", import_file },
	{ "import-edu", "the same into prime_edu, which maps", import_edu },
	{ "import-vb2", "by a V4L2 queue of vivid, which maps for the processor", import_vb2 },
	{ "import-refused", "by prime_mock, which maps and takes one segment only; by segments", import_refused },
	{ "flip", "vkms shows the other of two imported buffers of 3840x2160", flip },
	{ "import-flip", "the same with an import before it and the close of the one shown before", import_flip },
	{ "asleep-handle-to-fd", "HANDLE_TO_FD of an exported buffer while an import sleeps in the exporter", asleep_handle_to_fd },
	{ "asleep-export", "create, export and close meanwhile", asleep_export },
	{ "asleep-import-known", "FD_TO_HANDLE of a known buffer meanwhile", asleep_import_known },
};

BENCH_MAIN(table)
