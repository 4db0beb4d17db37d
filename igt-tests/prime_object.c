// SPDX-License-Identifier: MIT
/**
 * TEST: prime object
 * Description: One GEM object has one dma-buf as long as anybody has an fd of it,
 *  however the object loses its handles and gets others: by import, by a framebuffer
 *  (ADDFB2 and GETFB2), by a name (GEM_FLINK and GEM_OPEN). Every export gives the
 *  buffer whose fd is open, and every import gives the handle of the object.
 */
#include "lib/prime_memory.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <libdrm/drm_fourcc.h>

#define ROWS	16

static int drm, fd;	/* the device and an fd that stays open */
static uint64_t inode;

/* When this returns, the object has no handle, and only its dma-buf holds it. */
static void setup(void)
{
	uint32_t handle;

	drm = open_device();
	fd = make_dmabuf(drm, ROWS, &handle);
	inode = inode_of(fd);
	check_ok(gem_close(drm, handle));
}

static void teardown(void)
{
	check_eq(count_buffers(), 1);
	close(fd);
	close(drm);
	check_eq(settle_buffers(0), 0);
}

/* A handle of @file exports the buffer, whose import gives that handle. */
static void check_one_buffer(int file, uint32_t handle)
{
	int out = check_ok(gem_export(file, handle, DRM_CLOEXEC | DRM_RDWR));

	check_eq(inode_of(out), inode);
	check_eq(gem_import(file, out), handle);
	check_eq(gem_import(file, fd), handle);
	close(out);
}

/* --- framebuffers --- */

static int64_t framebuffer(uint32_t handle)
{
	struct drm_mode_fb_cmd2 arg = {
		.width = 64, .height = ROWS, .pixel_format = DRM_FORMAT_XRGB8888,
		.handles = { handle }, .pitches = { PAGE },
	};
	int ret = xioctl(drm, DRM_IOCTL_MODE_ADDFB2, &arg);

	return ret ? ret : (int64_t)arg.fb_id;
}

static void remove_framebuffer(uint32_t fb)
{
	check_ok(xioctl(drm, DRM_IOCTL_MODE_RMFB, &fb));
}

/* A new handle of what is in the framebuffer. */
static uint32_t handle_of_framebuffer(uint32_t fb)
{
	struct drm_mode_fb_cmd2 arg = { .fb_id = fb };

	check_ok(xioctl(drm, DRM_IOCTL_MODE_GETFB2, &arg));
	if (!arg.handles[0])
		prime_skip("GETFB2 tells no handle (root, or the display's master)");
	return arg.handles[0];
}

/* Skips on a device without a display. */
static void setup_display(void)
{
	int64_t fb, handle;

	setup();
	handle = check_ok(gem_import(drm, fd));
	fb = framebuffer(handle);
	if (fb == -EOPNOTSUPP || fb == -EINVAL || fb == -ENOENT)
		prime_skip("%s makes no framebuffer of a dumb buffer: %s",
			   driver_name(drm), strerror(-fb));
	remove_framebuffer(check_ok(fb));
	check_ok(gem_close(drm, handle));
}

/**
 * SUBTEST: framebuffer
 * Description: An imported handle is put into a framebuffer and closed. GETFB2 gives
 *  another handle, which exports the same dma-buf. This is repeated.
 */
static void object_framebuffer(void)
{
	setup_display();
	for (int i = 0; i < 50; i++) {
		uint32_t handle = check_ok(gem_import(drm, fd));
		uint32_t fb = check_ok(framebuffer(handle));

		check_ok(gem_close(drm, handle));
		handle = handle_of_framebuffer(fb);
		if (i & 1)
			remove_framebuffer(fb);
		check_one_buffer(drm, handle);
		check_ok(gem_close(drm, handle));
		if (!(i & 1))
			remove_framebuffer(fb);
	}
	teardown();
}

/**
 * SUBTEST: framebuffer-outlives-fds
 * Description: When the last fd is closed, too, only the framebuffer holds the
 *  object. A new export gives a new buffer, which stays the object's only one.
 */
static void framebuffer_outlives_fds(void)
{
	setup_display();
	for (int i = 0; i < 20; i++) {
		uint32_t handle = check_ok(gem_import(drm, fd));
		uint32_t fb = check_ok(framebuffer(handle));

		check_ok(gem_close(drm, handle));
		close(fd);
		handle = handle_of_framebuffer(fb);
		fd = check_ok(gem_export(drm, handle, DRM_CLOEXEC | DRM_RDWR));
		inode = inode_of(fd);
		check_one_buffer(drm, handle);
		check_ok(gem_close(drm, handle));
		handle = handle_of_framebuffer(fb);
		check_one_buffer(drm, handle);
		check_ok(gem_close(drm, handle));
		remove_framebuffer(fb);
	}
	teardown();
}

/* --- a handle that is closed while something else is made of it --- */

static atomic_bool over;
static atomic_uint arrived;		/* threads that have come to the wait, in all */
static uint32_t raced;			/* the handle */
static unsigned int delay[2];		/* of the maker and the closer */

static void spin(unsigned int turns)
{
	while (turns--)
		__asm__ volatile("" ::: "memory");
}

/* Both go on at the same moment. If one slept in the wait, it would be late. */
static void line_up(void)
{
	unsigned int goal = (atomic_fetch_add(&arrived, 1) / 2 + 1) * 2;

	for (unsigned int i = 1; atomic_load(&arrived) < goal; i++)
		if (i % 10000 == 0)
			sched_yield();
}

static void *close_raced(void *data)
{
	for (;;) {
		line_up();
		if (atomic_load(&over))
			return data;
		spin(delay[1]);
		check_ok(gem_close(drm, raced));
		line_up();
	}
}

/*
 * Races @make, whose result can give a handle later, against the close of the last
 * handle. @look looks at the result. Each of both must have come first sometimes,
 * otherwise there was no race.
 */
static void race(int64_t (*make)(void), void (*look)(int64_t made))
{
	double end = now() + 2 * race_seconds();
	unsigned int made = 0, late = 0;
	pthread_t thread;
	int lead = 0;		/* of the maker; changes until both meet */

	srand(1);
	check_eq(pthread_create(&thread, NULL, close_raced, NULL), 0);
	while (now() < end || ((!made || !late) && now() < end + 20)) {
		int64_t got;

		delay[0] = rand() % 2000 + (lead < 0 ? -lead : 0);
		delay[1] = rand() % 2000 + (lead > 0 ? lead : 0);
		raced = check_ok(gem_import(drm, fd));
		line_up();
		spin(delay[0]);
		got = make();
		line_up();
		if (got == -ENOENT) {
			late++;
			lead += 50;
			continue;
		}
		made++;
		lead -= 50;
		look(check_ok(got));
	}
	atomic_store(&over, true);
	line_up();
	check_eq(pthread_join(thread, NULL), 0);
	printf("%u came before the close, %u after it\n", made, late);
	check(made > 0);
	check(late > 0);
}

static int64_t make_framebuffer(void)
{
	return framebuffer(raced);
}

static void look_at_framebuffer(int64_t fb)
{
	uint32_t handle = handle_of_framebuffer(fb);

	check_one_buffer(drm, handle);
	check_ok(gem_close(drm, handle));
	remove_framebuffer(fb);
}

/**
 * SUBTEST: framebuffer-against-close
 * Description: ADDFB2 runs while the object's last handle is closed and an fd is
 *  open. If the framebuffer is made, the handle that GETFB2 gives exports the buffer
 *  of that fd, and the kernel does not warn.
 */
static void framebuffer_against_close(void)
{
	setup_display();
	race(make_framebuffer, look_at_framebuffer);
	teardown();
}

/* --- names --- */

/**
 * SUBTEST: name
 * Description: A name ends with the last handle, but the buffer does not. When the
 *  object is imported again it takes a new name, and the handle that a file gets by
 *  this name exports the same dma-buf.
 */
static void object_name(void)
{
	int second;

	setup();
	second = open_device();
	for (int i = 0; i < 50; i++) {
		uint32_t handle = check_ok(gem_import(drm, fd)), opened;
		uint32_t name = check_ok(gem_flink(drm, handle));

		opened = check_ok(gem_open(second, name));
		check_ok(gem_close(drm, handle));
		/* The second file's handle still has it. */
		check_one_buffer(second, opened);
		handle = check_ok(gem_open(drm, name));
		check_ok(gem_close(second, opened));
		check_one_buffer(drm, handle);
		check_ok(gem_close(drm, handle));
		check_error(gem_open(drm, name), ENOENT);
	}
	close(second);
	teardown();
}

static atomic_uint name;

static int64_t make_by_name(void)
{
	return gem_open(drm, atomic_load(&name));
}

static int64_t make_named(void)
{
	int64_t got = gem_flink(drm, raced);

	atomic_store(&name, got < 0 ? 0 : got);
	return got < 0 ? got : make_by_name();
}

static void look_at_handle(int64_t handle)
{
	check_one_buffer(drm, handle);
	check_ok(gem_close(drm, handle));
}

/**
 * SUBTEST: name-against-close
 * Description: The object's last handle is closed while it gets a name and is opened
 *  by it. The open gives ENOENT, or a handle that exports the buffer whose fd is
 *  open.
 */
static void name_against_close(void)
{
	setup();
	race(make_named, look_at_handle);
	teardown();
}

static int64_t make_export(void)
{
	return gem_export(drm, raced, DRM_CLOEXEC);
}

static void look_at_export(int64_t out)
{
	check_eq(inode_of(out), inode);
	close(out);
}

/**
 * SUBTEST: export-against-close
 * Description: The object's last handle is closed while it is exported. The export
 *  gives ENOENT, or the buffer whose fd is open.
 */
static void object_export_against_close(void)
{
	setup();
	race(make_export, look_at_export);
	teardown();
}

static const struct prime_subtest subtests[] = {
	{ "framebuffer", object_framebuffer },
	SUBTEST(framebuffer_outlives_fds),
	SUBTEST(framebuffer_against_close),
	{ "name", object_name },
	SUBTEST(name_against_close),
	{ "export_against_close", object_export_against_close },
};

PRIME_MAIN(subtests)
