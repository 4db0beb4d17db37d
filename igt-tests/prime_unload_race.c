// SPDX-License-Identifier: MIT
/**
 * TEST: prime unload race
 * Description: A driver is unbound or unloaded and comes back, many times, while
 *  other threads map, mmap, poll, negotiate and release buffers. It is the exporter
 *  of these buffers, an importer, or the driver of a device that was announced for
 *  them. Each pair of driver and use is a dynamic subtest. A call works, or gives
 *  ENODEV if its device is away. Unloading gives EAGAIN while the driver is in use.
 *  A subtest fails if the driver was never unbound or unloaded, or never during a
 *  use. All of it runs with --destructive only. PRIME_RACE_SECONDS (2) is the time
 *  of four such pairs.
 */
#include "lib/prime_memory.h"
#include "lib/prime_mock.h"
#include "lib/prime_module.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <linux/dma-buf-constraints.h>

#define PLATFORM "/sys/bus/platform"

enum { THREADS = 3 };

/* --- drivers that go and come --- */

struct driver {
	const char *name;	/* of the module, too */
	const char *option;	/* of the module */
	const char *device;	/* to be unbound; NULL: the module is unloaded */
	bool late;		/* storage of its buffers can be negotiated */
};

static const struct driver
	mock = { "prime_mock", NULL, "prime_mock.0" },
	late = { "prime_late", NULL, "prime_late.0", true },
	camera = { "vivid", "node_types=0x1", "vivid.0" },
	module_vgem = { "vgem" },
	module_vkms = { "vkms" },
	module_mock = { "prime_mock" },
	module_late = { "prime_late", .late = true },
	module_camera = { "vivid", "node_types=0x1" };

static int tell(const struct driver *driver, const char *what)
{
	char path[128];

	snprintf(path, sizeof(path), PLATFORM "/drivers/%s/%s", driver->name, what);
	return write_text(path, driver->device);
}

static int go(const struct driver *driver)
{
	return driver->device ? tell(driver, "unbind") : unload(driver->name);
}

static bool come(const struct driver *driver)
{
	return driver->device ? !tell(driver, "bind") :
	       load_with(driver->name, driver->option);
}

static int open_node(const char *pattern)
{
	char path[PATH_MAX];
	glob_t found;
	int fd = -1;

	if (!glob(pattern, 0, NULL, &found)) {
		snprintf(path, sizeof(path), "/dev/%s%s",
			 strstr(pattern, "/drm/") ? "dri/" : "",
			 strrchr(found.gl_pathv[0], '/') + 1);
		fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	}
	globfree(&found);
	return fd < 0 ? -ENODEV : fd;
}

/* -ENODEV while it is away. */
static int open_going(const struct driver *driver)
{
	char pattern[128];

	if (driver->option)
		return open_node(PLATFORM "/devices/vivid.0/video4linux/video*");
	if (!driver->device)
		return try_driver(driver->name);
	snprintf(pattern, sizeof(pattern), PLATFORM "/devices/%s/drm/card*",
		 driver->device);
	return open_node(pattern);
}

static const struct driver *going;	/* that of the dynamic subtest */

static void need_driver(const struct driver *driver)
{
	char path[128];

	need_destructive("unbinding or unloading a driver");
	going = driver;
	if (is_loaded(driver->name)) {
		undo_later(load_back, driver->name, driver->option ?: "");
	} else {
		undo_later(unload_back, driver->name, "");
		if (!can_load(driver->name) || !load_with(driver->name, driver->option))
			prime_skip("%s is not there, and can't be loaded", driver->name);
	}
	if (driver->device) {
		snprintf(path, sizeof(path), PLATFORM "/drivers/%s/bind", driver->name);
		undo_later(write_back, path, driver->device);
	} else if (!can_load(driver->name)) {
		prime_skip("%s could not be loaded again", driver->name);
	}
	/* An importer that is unbound still has its imports mapped. */
	watch_no_dma();
}

/* --- buffers --- */

/* One life of a buffer, in one of the threads. */
struct life {
	unsigned int turn;
	int device;	/* file of the driver that goes; -1 once closed */
	int stays;	/* file of another one */
	int fd;		/* of the buffer; -1 once closed */
};

static atomic_uint cut_off;	/* calls that found their device away */

/* True when the call has done what it should; false when the device is away. */
static bool done(int64_t result)
{
	if (result == -ENODEV) {
		atomic_fetch_add(&cut_off, 1);
		return false;
	}
	check_ok(result);
	return true;
}

static int buffer_of(int drm)
{
	int64_t handle = gem_create(drm, 1);
	int fd;

	if (handle < 0)
		return handle;
	fd = gem_export(drm, handle, DRM_CLOEXEC | DRM_RDWR);
	gem_close(drm, handle);
	return fd;
}

static int late_buffer(void)
{
	int heap = heap_open("negotiated"), fd;

	if (heap < 0)
		prime_skip("no heap negotiated: %s (CONFIG_DMABUF_HEAPS_NEGOTIATED)",
			   strerror(-heap));
	fd = check_ok(heap_alloc(heap, PAGE, O_RDWR | O_CLOEXEC, 0));
	close(heap);
	return fd;
}

static int announce(int fd, int device)
{
	struct dma_buf_device_use arg = { .device_fd = device, .use = DMA_BUF_USE_READ };

	return xioctl(fd, DMA_BUF_IOCTL_ADD_DEVICE, &arg);
}

static int withdraw(int fd, int device)
{
	struct dma_buf_device_use arg = { .device_fd = device };

	return xioctl(fd, DMA_BUF_IOCTL_REMOVE_DEVICE, &arg);
}

/* The parts that the driver plays for a buffer. Each gives false if it is away. */

static bool as_exporter(struct life *life)
{
	life->fd = buffer_of(life->device);
	return done(life->fd);
}

static bool import(struct life *life)
{
	uint32_t dynamic = life->turn & 4 ? PRIME_MOCK_IMPORT_DYNAMIC : 0;
	int64_t got;

	if (strcmp(going->name, "prime_mock") || life->turn & 2)
		return done(gem_import(life->device, life->fd));
	got = mock_attach(life->device, life->fd, dynamic);
	return done(got) &&
	       done(mock_map(life->device, got, PRIME_MOCK_BIDIRECTIONAL));
}

static bool as_importer(struct life *life)
{
	life->fd = check_ok(buffer_of(life->stays));
	return import(life);
}

static bool as_late_importer(struct life *life)
{
	life->fd = late_buffer();
	return import(life);
}

static bool as_announced(struct life *life)
{
	life->fd = late_buffer();
	return done(announce(life->fd, life->device));
}

/* --- what is done with it --- */

static void close_file(int *file)
{
	if (*file >= 0)
		close(*file);
	*file = -1;
}

static void use_map(struct life *life)
{
	int64_t handle = check_ok(gem_import(life->stays, life->fd));

	check_ok(gem_close(life->stays, handle));
	if (life->device < 0 || going->option)
		return;
	handle = gem_import(life->device, life->fd);
	if (done(handle))
		done(gem_close(life->device, handle));
}

static void use_mmap(struct life *life)
{
	volatile unsigned char *map = map_dmabuf(life->fd, PAGE);
	unsigned char value = life->turn;

	map[1] = value;
	close_file(&life->device);
	check_eq(map[1], value);
	unmap((void *)map, PAGE);
}

/* A fence with a callback of poll ends before the buffer or after it. */
static void use_poll(struct life *life)
{
	int line = sw_timeline(), fence = sw_fence(line, 1);

	check_ok(dmabuf_import_sync_file(life->fd, DMA_BUF_SYNC_WRITE, fence));
	check_eq(poll_events(life->fd, POLLIN, 0), 0);
	check_eq(poll_events(life->fd, POLLOUT, 0), 0);
	close_file(&life->device);
	if (life->turn & 2)
		close_file(&life->fd);
	sw_advance(line, 1);
	if (life->fd >= 0)
		check_eq(poll_events(life->fd, POLLIN, 5000), POLLIN);
	close(fence);
	close(line);
}

static void use_negotiation(struct life *life)
{
	struct dma_buf_constraints_info info = { };
	struct dma_buf_storage_info storage = { };

	check_ok(announce(life->fd, life->stays));
	/* prime_late imports nothing, so it is no device for a buffer. */
	if (life->device >= 0 && !going->late &&
	    done(announce(life->fd, life->device)) && life->turn & 8) {
		int ret = withdraw(life->fd, life->device);

		/* A driver that leaves takes what was announced with it. */
		if (ret != -ENOENT)
			done(ret);
	}
	check_ok(xioctl(life->fd, DMA_BUF_IOCTL_GET_CONSTRAINTS, &info));
	check(info.devices >= 1);
	check_ok(xioctl(life->fd, DMA_BUF_IOCTL_GET_STORAGE, &storage));
}

/* In either order. */
static void use_release(struct life *life)
{
	if (life->turn & 2)
		close_file(&life->device);
	close_file(&life->fd);
	close_file(&life->device);
}

static const struct use {
	const char *name;
	void (*run)(struct life *life);
} uses[] = {
	{ "map", use_map }, { "mmap", use_mmap }, { "poll", use_poll },
	{ "release", use_release }, { "negotiation", use_negotiation },
};

/* --- the race --- */

struct race {
	const struct driver *driver;
	bool (*begin)(struct life *life);
	const struct use *use;
};

static atomic_bool over;
static atomic_uint steps;	/* odd while the driver goes */
static atomic_int inside;	/* threads that use a buffer */
static atomic_uint lives, raced;

/* Otherwise a short use would hardly ever happen while the driver goes. */
static void await_going(void)
{
	double end = now() + 0.02;

	while (!(atomic_load(&steps) & 1) && now() < end)
		continue;
}

static void live(const struct race *race, struct life *life)
{
	unsigned int before;

	life->fd = -1;
	life->device = open_going(race->driver);
	if (life->device < 0)
		return;
	if (race->begin(life)) {
		/* An unloaded driver has no open file. */
		if (life->turn & 1)
			close_file(&life->device);
		atomic_fetch_add(&inside, 1);
		if (life->turn % 3)
			await_going();
		before = atomic_load(&steps);
		/* Many times, or the driver would hardly ever go during it. */
		for (int i = 0; i < 20 && life->fd >= 0 && atomic_load(&steps) == before; i++)
			race->use->run(life);
		atomic_fetch_sub(&inside, 1);
		atomic_fetch_add(&raced, before & 1 || atomic_load(&steps) != before);
		atomic_fetch_add(&lives, 1);
	}
	close_file(&life->fd);
	close_file(&life->device);
}

static void *live_on(void *data)
{
	const struct race *race = data;
	struct life life = { };

	life.stays = open_driver(strcmp(race->driver->name, "vkms") ? "vkms" : "vgem");
	for (; !atomic_load(&over); life.turn++) {
		live(race, &life);
		/* Waits for a moment in which nobody uses the driver. */
		usleep(life.turn % 7 * 300);
	}
	close(life.stays);
	return NULL;
}

/* Waits until a thread uses a buffer, which each does again in a moment. */
static void await_use(void)
{
	double end = now() + 0.1;

	while (!atomic_load(&inside) && now() < end)
		sched_yield();
}

/*
 * The driver goes and comes until the time is over and it has gone during a use. A driver
 * in use can't be unloaded, so this waits for a use only every second time.
 */
static void go_and_come(const struct driver *driver)
{
	double start = now(), end = start + race_seconds() / 4;
	unsigned int gone = 0, refused = 0;

	while (now() < end || ((!gone || !atomic_load(&raced)) && now() < start + 8)) {
		int ret;

		if (driver->device || (gone + refused) & 1)
			await_use();
		atomic_fetch_add(&steps, 1);
		ret = go(driver);
		atomic_fetch_add(&steps, 1);
		if (ret) {
			check(!driver->device);
			check_error(ret, EAGAIN);
			usleep(refused++ % 20 * 100);
			continue;
		}
		check(come(driver));
		gone++;
	}
	atomic_store(&over, true);
	printf("%s went %u times and was refused %u times; ", driver->name, gone, refused);
	check(gone > 0);
}

static void run_race(void *data)
{
	const struct race *race = data;
	/* With several threads the module would nearly always be in use. */
	int count = race->driver->device ? THREADS : 1;
	pthread_t thread[THREADS];

	need_driver(race->driver);
	if (race->begin == as_announced || race->begin == as_late_importer)
		close(late_buffer());
	close(open_driver("vgem"));
	close(open_driver("vkms"));
	for (int i = 0; i < count; i++)
		check_eq(pthread_create(&thread[i], NULL, live_on, data), 0);
	go_and_come(race->driver);
	for (int i = 0; i < count; i++)
		check_eq(pthread_join(thread[i], NULL), 0);
	printf("%u of %u uses met that, %u calls found it away\n",
	       atomic_load(&raced), atomic_load(&lives), atomic_load(&cut_off));
	check(atomic_load(&raced) > 0);
}

/* A dynamic subtest for each use. Only late storage is negotiated. */
static void against_uses(const struct driver *driver, bool (*begin)(struct life *life))
{
	bool negotiated = driver->late || begin == as_late_importer || begin == as_announced;

	for (int i = 0; i < 4 + negotiated; i++) {
		struct race race = { driver, begin, &uses[i] };
		char name[64];

		snprintf(name, sizeof(name), "%s%s-%s", driver->name,
			 begin == as_late_importer ? "-late" : "", uses[i].name);
		prime_dynamic(name, run_race, &race);
	}
}

/**
 * SUBTEST: unbind-exporter
 * Description: The exporter's device is unbound. Its buffers still work.
 */
static void unbind_exporter(void)
{
	against_uses(&mock, as_exporter);
	against_uses(&late, as_exporter);
}

/**
 * SUBTEST: unbind-importer
 * Description: A device that has attached buffers, and mapped some, is unbound.
 */
static void unbind_importer(void)
{
	against_uses(&mock, as_importer);
	against_uses(&mock, as_late_importer);
}

/**
 * SUBTEST: unbind-announced
 * Description: A device that was announced for buffers is unbound, before and after
 *  their storage is placed.
 */
static void unbind_announced(void)
{
	against_uses(&mock, as_announced);
}

/**
 * SUBTEST: unbind-announced-camera
 * Description: The same with a V4L2 device.
 */
static void unbind_announced_camera(void)
{
	against_uses(&camera, as_announced);
}

/**
 * SUBTEST: unload-exporter
 * Description: The exporter's driver is unloaded whenever it is not in use.
 */
static void unload_exporter(void)
{
	against_uses(&module_vgem, as_exporter);
}

/**
 * SUBTEST: unload-late-exporter
 * Description: The same with an exporter that places storage late.
 */
static void unload_late_exporter(void)
{
	against_uses(&module_late, as_exporter);
}

/**
 * SUBTEST: unload-importer
 * Description: The same with the importer's driver.
 */
static void unload_importer(void)
{
	against_uses(&module_vkms, as_importer);
}

/**
 * SUBTEST: unload-late-importer
 * Description: The same with an importer of storage that is placed late.
 */
static void unload_late_importer(void)
{
	against_uses(&module_mock, as_late_importer);
}

/**
 * SUBTEST: unload-announced
 * Description: The driver of a device that was announced for buffers is unloaded.
 *  The announcement does not keep it.
 */
static void unload_announced(void)
{
	against_uses(&module_vgem, as_announced);
}

/**
 * SUBTEST: unload-announced-camera
 * Description: The same with a V4L2 device.
 */
static void unload_announced_camera(void)
{
	against_uses(&module_camera, as_announced);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(unbind_exporter),
	SUBTEST(unbind_importer),
	SUBTEST(unbind_announced),
	SUBTEST(unbind_announced_camera),
	SUBTEST(unload_exporter),
	SUBTEST(unload_late_exporter),
	SUBTEST(unload_importer),
	SUBTEST(unload_late_importer),
	SUBTEST(unload_announced),
	SUBTEST(unload_announced_camera),
};

PRIME_MAIN(subtests)
