// SPDX-License-Identifier: MIT
/**
 * TEST: prime soak
 * Description: A device leaves and comes back, over and over, while buffers of it and in
 *  it are alive. In each cycle chance chooses who uses them: a mapping, an importer, a
 *  thread that sleeps in poll(), a path, an unread message, a sync file, the device as
 *  an importer, and a thread that shares buffers while the device leaves. Afterwards
 *  each call works or gives ENODEV, all content is whole, the users end in an order that
 *  chance chooses, and no buffer is left. A module is asked to leave while it is in use,
 *  which gives EAGAIN, and then when it is not. Each subtest says how many cycles it ran.
 *  In the last three subtests the whole machine sleeps instead, and no device leaves.
 *  All of it runs with --destructive only. PRIME_SOAK_SECONDS (2) is the time of a
 *  subtest, at most 40.
 *  PRIME_SOAK_SEED repeats the choices of a run, which prints it. Two defects of Linux
 *  outside of buffer sharing are left out, unless PRIME_DANGEROUS=1.
 */
#include "lib/prime_memory.h"
#include "lib/prime_mock.h"
#include "lib/prime_module.h"
#include "lib/prime_v4l2.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* --- devices that leave --- */

struct device {
	/* Of the DRM device, else of the platform device; or how the machine sleeps. */
	const char *driver;
	const char *module;	/* NULL: built in, or loaded by others */
	const char *nodes;	/* directory of its DRM nodes; NULL: any of the driver */
	enum v4l2_device camera;
	bool is_camera;
	bool answers;		/* also after it has left, since it is not unplugged */
	bool keeps_dma;		/* leaves with buffers still mapped for it */
	/* Both are called with the device in use. leave() is true when it has left. */
	bool (*leave)(const struct device *device);
	void (*come)(const struct device *device);
	/* Called when nobody uses it any more. May be NULL. */
	void (*idle)(const struct device *device);
};

/* In memory that the process that restores shares. */
static struct {
	const struct device *device;
	unsigned int cycles, seed, uses;
	char away[128];		/* the file to write to, to have the device again */
	char back[64];		/* the text to write */
} *state;

static void __attribute__((constructor)) share_state(void)
{
	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (state == MAP_FAILED)
		abort();
}

static int open_node(const char *directory)
{
	char pattern[PATH_MAX], path[64];
	glob_t found;
	int fd = -1;

	snprintf(pattern, sizeof(pattern), "%s/drm/card*", directory);
	if (!glob(pattern, 0, NULL, &found)) {
		snprintf(path, sizeof(path), "/dev/dri%s",
			 strrchr(found.gl_pathv[0], '/'));
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	globfree(&found);
	return fd < 0 ? -ENODEV : fd;
}

static int try_open(const struct device *device)
{
	if (device->is_camera)
		return v4l2_open(device->camera, false);
	return device->nodes ? open_node(device->nodes) : try_driver(device->driver);
}

/* Its node may come a moment later. */
static int open_soon(const struct device *device)
{
	double end = now() + 10;
	int fd;

	while ((fd = try_open(device)) < 0 && now() < end)
		usleep(1000);
	return check_ok(fd);
}

/* A platform device is unbound. */
static bool unbind(const struct device *device)
{
	char path[128], name[64];

	snprintf(name, sizeof(name), "%s.0", device->driver);
	snprintf(path, sizeof(path), "/sys/bus/platform/drivers/%s/unbind", device->driver);
	snprintf(state->away, sizeof(state->away), "/sys/bus/platform/drivers/%s/bind",
		 device->driver);
	snprintf(state->back, sizeof(state->back), "%s", name);
	check_ok(write_text(path, name));
	return true;
}

/* A PCI device is pulled out. */
static bool remove_pci(const struct device *device)
{
	char path[64], pci[PATH_MAX + 8], *end;
	int fd = open_soon(device);
	struct stat st;

	check_ok(fstat(fd, &st) ? -errno : 0);
	close(fd);
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/device",
		 major(st.st_rdev), minor(st.st_rdev));
	check(realpath(path, pci));
	/* A virtio device is on a bus of its own. */
	end = strstr(pci, "/virtio") ?: pci + strlen(pci);
	snprintf(end, sizeof("/remove"), "/remove");
	snprintf(state->away, sizeof(state->away), "/sys/bus/pci/rescan");
	snprintf(state->back, sizeof(state->back), "1");
	check_ok(write_text(pci, "1"));
	return true;
}

/* vkms's devices come and go by configfs (Linux 7.3). */
#define VKMS "/sys/kernel/config/vkms/soak"

static bool disable(const struct device *device)
{
	(void)device;
	snprintf(state->away, sizeof(state->away), VKMS "/enabled");
	snprintf(state->back, sizeof(state->back), "1");
	check_ok(write_text(VKMS "/enabled", "0"));
	return true;
}

static void come_back(const struct device *device)
{
	check_ok(write_text(state->away, state->back));
	close(open_soon(device));
	state->away[0] = '\0';
}

/* A module in use can't be unloaded. */
static bool refuse(const struct device *device)
{
	check_error(unload(device->module), EAGAIN);
	return false;
}

/* Its use may end a moment after the last close. */
static void reload(const struct device *device)
{
	double end = now() + 3;
	int ret;

	while ((ret = unload(device->module)) == -EAGAIN && now() < end)
		usleep(1000);
	check_ok(ret);
	check_error(try_driver(device->driver), ENODEV);
	check(load(device->module));
	close(open_soon(device));
}

/* --- a cycle --- */

enum { POLLED = 1, MAPPED = 2, TOUCHED = 4, BUSY = 8, EARLY = 16, CHOICES = 32 };

struct cycle {
	const struct device *device;
	unsigned int uses;	/* bits of uses[], and then the choices above */
	bool has_left, sleeps;
	int drm, stays;		/* files of the device, and of one that stays */
	int fd, path, sync, own, line, fence, pair[2], mock;
	int polled;		/* the poller's own fd, which poll() looks up again */
	uint32_t seed, handle, import, attached;
	bool vmapped;
	size_t size;
	unsigned char *map;
	struct v4l2_queue capture, output;
	pthread_t poller, sharer;
	atomic_bool over;
};

static uint64_t chance_state;

static unsigned int chance(unsigned int of)
{
	chance_state = chance_state * 6364136223846793005ull + 1442695040888963407ull;
	return (chance_state >> 33) % of;
}

static bool is_mock(const struct cycle *c)
{
	return !strcmp(c->device->driver, "prime_mock");
}

/* True when the call has worked. Otherwise the device must have left. */
static bool works(const struct cycle *c, int64_t result)
{
	if (result == -ENODEV && c->has_left)
		return false;
	check_ok(result);
	return !c->has_left || c->device->answers ? true :
	       (prime_fail(__FILE__, __LINE__, "a device that has left answers"), false);
}

/* Begins no CPU access, which would wait for the fence of poll_begin(). */
static void check_content(int fd, size_t size, uint32_t seed)
{
	void *map = map_dmabuf(fd, size);

	check_eq(filled(map, size, seed), size);
	unmap(map, size);
}

static void mapping_begin(struct cycle *c)
{
	c->map = map_dmabuf(c->fd, c->size);
	if (c->uses & TOUCHED)
		check_eq(filled(c->map, PAGE, c->seed), PAGE);
}

static void mapping_check(struct cycle *c)
{
	check_eq(filled(c->map, c->size, c->seed), c->size);
}

static void mapping_end(struct cycle *c)
{
	mapping_check(c);
	unmap(c->map, c->size);
}

static void import_begin(struct cycle *c)
{
	c->import = check_ok(gem_import(c->stays, c->fd));
}

static void import_check(struct cycle *c)
{
	int again = check_ok(gem_export(c->stays, c->import, DRM_CLOEXEC | DRM_RDWR));

	check_eq(size_of(again), c->size);
	check_content(again, c->size, c->seed);
	close(again);
}

static void import_end(struct cycle *c)
{
	check_ok(gem_close(c->stays, c->import));
}

static void *sleep_in_poll(void *data)
{
	struct cycle *c = data;

	check_eq(poll_events(c->polled, POLLIN, -1), POLLIN);
	close(c->polled);
	return NULL;
}

static int pollers;	/* of all cycles that there are */

/* A thread sleeps in poll(), or has left its callbacks on the fence. */
static void poll_begin(struct cycle *c)
{
	c->line = sw_timeline();
	c->fence = sw_fence(c->line, 1);
	check_ok(dmabuf_import_sync_file(c->fd, DMA_BUF_SYNC_WRITE, c->fence));
	check_eq(poll_events(c->fd, POLLIN | POLLOUT, 0), 0);
	if (!(c->uses & POLLED))
		return;
	c->polled = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
	check_ok(c->polled < 0 ? -errno : 0);
	check_eq(pthread_create(&c->poller, NULL, sleep_in_poll, c), 0);
	await_threads_asleep(++pollers, CALL_POLL);
}

static void poll_check(struct cycle *c)
{
	check_eq(poll_events(c->fence, POLLIN, 0), 0);
	check_eq(poll_events(c->fd, POLLIN, 0), 0);
}

static void poll_end(struct cycle *c)
{
	sw_advance(c->line, 1);
	if (c->uses & POLLED) {
		check_eq(pthread_join(c->poller, NULL), 0);
		pollers--;
	}
	close(c->fence);
	close(c->line);
}

static void path_begin(struct cycle *c)
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", c->fd);
	c->path = open(link, O_PATH | O_CLOEXEC);
	check_ok(c->path < 0 ? -errno : 0);
}

static void path_check(struct cycle *c)
{
	check_eq(inode_of(c->path), inode_of(c->fd));
}

static void path_end(struct cycle *c)
{
	close(c->path);
}

static void message_begin(struct cycle *c)
{
	check_ok(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, c->pair) ? -errno : 0);
	send_fds(c->pair[0], &c->fd, 1);
}

static void message_end(struct cycle *c)
{
	close(c->pair[0]);
	close(c->pair[1]);
}

static void sync_begin(struct cycle *c)
{
	c->sync = check_ok(dmabuf_export_sync_file(c->fd, DMA_BUF_SYNC_RW));
}

static void sync_end(struct cycle *c)
{
	close(c->sync);
}

/* The device imports a buffer of the one that stays. */
static void own_begin(struct cycle *c)
{
	int64_t got;

	c->own = c->sleeps && chance(2) ? make_memory(MEMORY_UDMABUF, 32 * PAGE) :
		 make_dmabuf(c->stays, 32, NULL);
	fill_dmabuf(c->own, 32 * PAGE, c->seed + 1);
	if (c->device->is_camera) {
		check(check_ok(v4l2_request(&c->output, V4L2_MEMORY_DMABUF, 1)) >= 1);
		check_ok(v4l2_queue_buffer(&c->output, 0, c->own));
		/*
		 * v4l2_m2m_release() of Linux 6.12 and 7.3 frees work that may be queued,
		 * and the kernel crashes. With one queue that does not stream there is no
		 * such work.
		 */
		if (c->device->camera != V4L2_MEM2MEM || prime_dangerous())
			check_ok(v4l2_start(&c->output));
	} else if (is_mock(c)) {
		got = check_ok(mock_attach(c->drm, c->own, c->uses & POLLED ?
					   PRIME_MOCK_IMPORT_DYNAMIC : 0));
		if (c->uses & MAPPED)
			check_ok(mock_map(c->drm, got, PRIME_MOCK_BIDIRECTIONAL));
	} else {
		/* Not every driver imports every buffer. */
		got = gem_import(c->drm, c->own);
		check(got > 0 || got == -ENODEV || got == -EINVAL || got == -ENOSYS ||
		      got == -EOPNOTSUPP || got == -EIO);
	}
}

static void own_check(struct cycle *c)
{
	check_content(c->own, 32 * PAGE, c->seed + 1);
}

static void own_end(struct cycle *c)
{
	own_check(c);
	close(c->own);
}

/*
 * prime_mock attaches and maps the buffer, and the kernel has addresses of it, unless its
 * exporter gives none.
 */
static void attach_begin(struct cycle *c)
{
	c->mock = mock_open(0);
	c->attached = check_ok(mock_attach(c->mock, c->fd, c->uses & TOUCHED ?
					   PRIME_MOCK_IMPORT_DYNAMIC : 0));
	check_ok(mock_map(c->mock, c->attached, PRIME_MOCK_BIDIRECTIONAL));
	c->vmapped = !mock_step(c->mock, c->attached, PRIME_MOCK_VMAP);
}

/* By the addresses that device and kernel have had since then. */
static void attach_check(struct cycle *c)
{
	struct drm_prime_mock_query query;
	unsigned char *bytes = malloc(c->size);

	check(bytes);
	check_ok(mock_read(c->mock, c->attached, 0, 0, bytes, c->size));
	check_eq(filled(bytes, c->size, c->seed), c->size);
	check_ok(mock_query(c->mock, c->attached, 0, &query, NULL, 0));
	if (c->vmapped)
		check_eq(filled(&query.first_bytes, 8, c->seed), 8);
	free(bytes);
}

static void attach_end(struct cycle *c)
{
	attach_check(c);
	close(c->mock);
}

static void fd_check(struct cycle *c)
{
	check_eq(size_of(c->fd), c->size);
	check_content(c->fd, c->size, c->seed);
}

static void fd_end(struct cycle *c)
{
	close(c->fd);
}

static void device_check(struct cycle *c)
{
	struct v4l2_capability cap;
	int64_t handle;

	if (c->device->is_camera) {
		works(c, xioctl(c->drm, VIDIOC_QUERYCAP, &cap));
		return;
	}
	handle = gem_create(c->drm, 1);
	if (works(c, handle))
		check_ok(gem_close(c->drm, handle));
	handle = gem_export(c->drm, c->handle, DRM_CLOEXEC);
	if (works(c, handle))
		close(handle);
}

static void device_end(struct cycle *c)
{
	close(c->drm);
	if (c->device->is_camera && c->output.fd != c->drm)
		close(c->output.fd);
}

static const struct use {
	void (*begin)(struct cycle *c);
	void (*look)(struct cycle *c);
	void (*end)(struct cycle *c);
} uses[] = {
	/* These two are in every cycle. */
	{ NULL, device_check, device_end },
	{ NULL, fd_check, fd_end },
	{ mapping_begin, mapping_check, mapping_end },
	{ import_begin, import_check, import_end },
	{ poll_begin, poll_check, poll_end },
	{ path_begin, path_check, path_end },
	{ message_begin, NULL, message_end },
	{ sync_begin, NULL, sync_end },
	{ own_begin, own_check, own_end },
	/* Where the machine sleeps only. */
	{ attach_begin, attach_check, attach_end },
};

enum { USES = sizeof(uses) / sizeof(uses[0]) };

static bool is_used(const struct cycle *c, int use)
{
	return use < 2 || (c->uses & CHOICES << use && (use < USES - 1 || c->sleeps));
}

/* Shares the buffer, and new ones of the device, until it is told to stop. */
static void *share(void *data)
{
	struct cycle *c = data;
	int stays = open_driver(driver_name(c->stays));

	while (!atomic_load(&c->over)) {
		int64_t handle = check_ok(gem_import(stays, c->fd));
		int fd;

		check_ok(gem_close(stays, handle));
		if (c->device->is_camera)
			continue;
		handle = gem_create(c->drm, 1);
		fd = handle < 0 ? (int)handle : gem_export(c->drm, handle, DRM_RDWR);
		if (fd < 0) {
			check_error(fd, ENODEV);
			continue;
		}
		handle = gem_import(stays, fd);
		if (handle > 0)
			check_ok(gem_close(stays, handle));
		close(fd);
	}
	close(stays);
	return NULL;
}

/* The exported buffer is not the one that is filled with pictures. */
static void begin_camera(struct cycle *c)
{
	c->capture = v4l2_queue_of(c->drm, c->device->camera, false);
	check(check_ok(v4l2_request(&c->capture, V4L2_MEMORY_MMAP, 3)) >= 3);
	c->fd = check_ok(v4l2_export(&c->capture, 0, 0, O_RDWR | O_CLOEXEC));
	c->output = v4l2_queue_of(c->device->camera == V4L2_MEM2MEM ? c->drm :
				  v4l2_open(c->device->camera, true),
				  c->device->camera, true);
	check_ok(v4l2_queue_buffer(&c->capture, 1, -1));
	check_ok(v4l2_queue_buffer(&c->capture, 2, -1));
	check_ok(v4l2_start(&c->capture));
}

static void begin(struct cycle *c)
{
	static const uint32_t kinds[] = {
		0, PRIME_MOCK_DEFAULT, PRIME_MOCK_DYNAMIC, PRIME_MOCK_CACHED,
	};
	unsigned int pages = 1 + chance(4);

	c->drm = open_soon(c->device);
	c->stays = open_driver(strcmp(c->device->driver, "vgem") ? "vgem" : "vkms");
	if (c->device->is_camera) {
		begin_camera(c);
	} else {
		c->handle = check_ok(is_mock(c) ? mock_create(c->drm, pages, kinds[chance(4)]) :
						  gem_create(c->drm, pages));
		c->fd = check_ok(gem_export(c->drm, c->handle, DRM_CLOEXEC | DRM_RDWR));
	}
	c->size = size_of(c->fd);
	fill_dmabuf(c->fd, c->size, c->seed);
	for (int i = 0; i < USES; i++)
		if (is_used(c, i) && uses[i].begin)
			uses[i].begin(c);
}

static void begin_sharing(struct cycle *c)
{
	if (c->uses & BUSY)
		check_eq(pthread_create(&c->sharer, NULL, share, c), 0);
}

static void end_sharing(struct cycle *c)
{
	atomic_store(&c->over, true);
	if (c->uses & BUSY)
		check_eq(pthread_join(c->sharer, NULL), 0);
}

static void look(struct cycle *c)
{
	for (int i = 0; i < USES; i++)
		if (is_used(c, i) && uses[i].look)
			uses[i].look(c);
}

static void end(struct cycle *c)
{
	bool comes = c->has_left;
	int order[USES];

	if (comes && c->uses & EARLY)
		c->device->come(c->device);
	for (int i = 0; i < USES; i++) {
		int other = chance(i + 1);

		order[i] = order[other];
		order[other] = i;
	}
	for (int i = 0; i < USES; i++)
		if (is_used(c, order[i]))
			uses[order[i]].end(c);
	if (comes && !(c->uses & EARLY))
		c->device->come(c->device);
	close(c->stays);
}

static struct cycle new_cycle(const struct device *device)
{
	state->uses = chance(CHOICES << USES);
	return (struct cycle){
		.device = device, .uses = state->uses, .seed = chance(1 << 20),
	};
}

static void run_cycle(const struct device *device)
{
	struct cycle c = new_cycle(device);

	begin(&c);
	begin_sharing(&c);
	c.has_left = device->leave(device);
	end_sharing(&c);
	look(&c);
	end(&c);
	check_eq(settle_buffers(0), 0);
	if (device->idle)
		device->idle(device);
	state->cycles++;
}

static double soak_seconds(void)
{
	const char *text = getenv("PRIME_SOAK_SECONDS");
	double seconds = text ? atof(text) : 2;

	return seconds < 40 ? seconds : 40;
}

static void repeat(const struct device *device, void (*run)(const struct device *device))
{
	const char *text = getenv("PRIME_SOAK_SEED") ?: "";
	double end = now() + soak_seconds();
	unsigned int fds;

	state->device = device;
	state->cycles = 0;
	state->seed = *text ? strtoul(text, NULL, 0) : (unsigned int)(now() * 1e6);
	chance_state = state->seed;
	printf("seed %u\n", state->seed);
	fflush(stdout);
	run(device);
	fds = count_fds();
	while (now() < end)
		run(device);
	check_eq(count_fds(), fds);
}

static void soak(const struct device *device)
{
	int fd;

	need_destructive("taking a device away");
	if (device->module && !is_loaded(device->module) && !load(device->module))
		prime_skip("%s is not there, and can't be loaded", device->module);
	fd = try_open(device);
	if (fd < 0)
		prime_skip("there is no device of %s", device->driver);
	close(fd);
	if (device->keeps_dma)
		watch_no_dma();
	repeat(device, run_cycle);
}

void prime_restore(void)
{
	if (!state->device)
		return;
	printf("cycles %u, the last one with %#x\n", state->cycles, state->uses);
	fflush(stdout);
	if (state->away[0])
		write_text(state->away, state->back);
	if (state->device->module && !is_loaded(state->device->module))
		load(state->device->module);
	state->away[0] = '\0';
	state->device = NULL;
}

/**
 * SUBTEST: mock
 * Description: prime_mock is unbound, with buffers of all its kinds, and with imports
 *  that are attached and mapped.
 */
static void mock(void)
{
	static const struct device device = {
		.driver = "prime_mock", .nodes = "/sys/bus/platform/devices/prime_mock.0",
		.keeps_dma = true, .leave = unbind, .come = come_back,
	};

	soak(&device);
}

/**
 * SUBTEST: late
 * Description: prime_late is unbound, whose buffers have no storage before they are used.
 */
static void late(void)
{
	static const struct device device = {
		.driver = "prime_late", .nodes = "/sys/bus/platform/devices/prime_late.0",
		.leave = unbind, .come = come_back,
	};

	soak(&device);
}

/**
 * SUBTEST: vivid
 * Description: A virtual camera is unbound while it takes pictures and shows an import.
 */
static void vivid(void)
{
	static const struct device device = {
		.driver = "vivid", .is_camera = true, .camera = V4L2_VMALLOC,
		.leave = unbind, .come = come_back,
	};

	soak(&device);
}

/**
 * SUBTEST: vim2m
 * Description: A device that turns pictures is unbound with buffers in its queues. With
 *  PRIME_DANGEROUS=1 it also works meanwhile, and then the kernel may crash.
 */
static void vim2m(void)
{
	static const struct device device = {
		.driver = "vim2m", .is_camera = true, .camera = V4L2_MEM2MEM,
		.leave = unbind, .come = come_back,
	};

	soak(&device);
}

/**
 * SUBTEST: vgem
 * Description: vgem has no driver to be unbound from. Its module can't be unloaded while
 *  anything of it is used, and is unloaded and loaded when nothing is.
 */
static void vgem(void)
{
	static const struct device device = {
		.driver = "vgem", .module = "vgem", .leave = refuse, .idle = reload,
	};

	soak(&device);
}

/**
 * SUBTEST: vkms
 * Description: The same with vkms, a display.
 */
static void vkms(void)
{
	static const struct device device = {
		.driver = "vkms", .module = "vkms", .leave = refuse, .idle = reload,
	};

	soak(&device);
}

/* A display that configfs makes needs a plane, and all its parts connected. */
static void make_vkms(void)
{
	static const char *const parts[] = {
		"", "/planes/p", "/crtcs/c", "/encoders/e", "/connectors/n",
	};
	static const char *const links[][2] = {
		{ VKMS "/crtcs/c", VKMS "/planes/p/possible_crtcs/c" },
		{ VKMS "/crtcs/c", VKMS "/encoders/e/possible_crtcs/c" },
		{ VKMS "/encoders/e", VKMS "/connectors/n/possible_encoders/e" },
	};
	char path[128];

	for (int i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), VKMS "%s", parts[i]);
		undo_later(remove_back, path, "");
		if (mkdir(path, 0755) && errno != EEXIST)
			prime_skip("vkms has no configfs: %s", strerror(errno));
	}
	check_ok(write_text(VKMS "/enabled", "0"));
	check_ok(write_text(VKMS "/planes/p/type", "1"));
	for (int i = 0; i < 3; i++) {
		undo_later(remove_back, links[i][1], "");
		check(!symlink(links[i][0], links[i][1]) || errno == EEXIST);
	}
	undo_later(write_back, VKMS "/enabled", "0");
	check_ok(write_text(VKMS "/enabled", "1"));
}

/**
 * SUBTEST: vkms-device
 * Description: A display is taken away by configfs, which Linux 6.12 does not have.
 */
static void vkms_device(void)
{
	static const struct device device = {
		.driver = "vkms", .nodes = "/sys/bus/faux/devices/soak", .answers = true,
		.leave = disable, .come = come_back,
	};

	need_destructive("making a display");
	make_vkms();
	soak(&device);
}

/**
 * SUBTEST: edu
 * Description: The PCI device of prime_edu is removed and found again.
 */
static void edu(void)
{
	static const struct device device = {
		.driver = "prime_edu", .leave = remove_pci, .come = come_back,
	};

	soak(&device);
}

/**
 * SUBTEST: virtio-gpu
 * Description: The same with virtio-gpu, whose buffers stay mapped for the PCI device.
 *  When one is freed after the removal, the driver takes a mutex that it has destroyed.
 *  A kernel with lockdep warns of that, and there it runs with PRIME_DANGEROUS=1 only.
 */
static void virtio_gpu(void)
{
	static const struct device device = {
		.driver = "virtio_gpu", .keeps_dma = true,
		.leave = remove_pci, .come = come_back,
	};

	if (!access("/proc/lockdep_stats", F_OK) && !prime_dangerous())
		prime_skip("virtio_gpu takes a mutex that it has destroyed");
	soak(&device);
}

/* --- the machine sleeps --- */

/*
 * Each that is there has a cycle whenever the machine sleeps. The two cameras must be there,
 * or the subtest is skipped.
 */
static const struct device sleepers[] = {
	{ .driver = "vgem" },
	{ .driver = "vkms" },
	{ .driver = "virtio_gpu" },
	{ .driver = "prime_edu" },
	{ .driver = "prime_mock", .nodes = "/sys/bus/platform/devices/prime_mock.0" },
	{ .driver = "prime_late", .nodes = "/sys/bus/platform/devices/prime_late.0" },
	{ .driver = "vivid", .is_camera = true, .camera = V4L2_VMALLOC },
	{ .driver = "vim2m", .is_camera = true, .camera = V4L2_MEM2MEM },
};

enum { SLEEPERS = sizeof(sleepers) / sizeof(sleepers[0]) };

/* Returns when the machine is awake again. What wakes it may come too early. */
static bool fall_asleep(const struct device *machine)
{
	double end = now() + 20;
	int ret;

	while ((ret = write_text("/sys/power/state", machine->driver)) == -EBUSY && now() < end)
		usleep(1000);
	check_ok(ret);
	return false;
}

/* For who wants to see that this test fails when a byte has changed. */
static void spoil(const struct cycle *c)
{
	unsigned char *map = map_dmabuf(c->fd, c->size);

	map[c->size - 1] ^= 1;
	unmap(map, c->size);
}

static void sleep_cycle(const struct device *machine)
{
	struct cycle cycles[SLEEPERS];
	int count = 0;

	for (int i = 0; i < SLEEPERS; i++) {
		int fd = try_open(&sleepers[i]);

		if (fd < 0)
			continue;
		close(fd);
		cycles[count] = new_cycle(&sleepers[i]);
		cycles[count].sleeps = true;
		begin(&cycles[count++]);
	}
	for (int i = 0; i < count; i++)
		begin_sharing(&cycles[i]);
	machine->leave(machine);
	for (int i = 0; i < count; i++)
		end_sharing(&cycles[i]);
	if (getenv("PRIME_SOAK_SPOIL"))
		spoil(&cycles[chance(count)]);
	for (int i = 0; i < count; i++)
		look(&cycles[i]);
	for (int i = 0; i < count; i++)
		end(&cycles[i]);
	check_eq(settle_buffers(0), 0);
	state->cycles++;
}

/* Somebody has to wake it, and then says so. */
static void soak_asleep(const struct device *machine)
{
	if (!getenv("PRIME_SOAK_SLEEP"))
		prime_skip("without PRIME_SOAK_SLEEP=1 nobody wakes this machine");
	need_destructive("letting the machine sleep");
	repeat(machine, sleep_cycle);
}

/**
 * SUBTEST: freeze
 * Description: Suspend to idle: all devices sleep, and the processors wait.
 */
static void freeze(void)
{
	static const struct device machine = { .driver = "freeze", .leave = fall_asleep };

	soak_asleep(&machine);
}

/**
 * SUBTEST: mem
 * Description: Suspend to RAM: only the memory keeps its power.
 */
static void mem(void)
{
	static const struct device machine = { .driver = "mem", .leave = fall_asleep };
	char *text = read_text("/sys/power/mem_sleep");
	bool is_deep = text && strstr(text, "[deep]");

	free(text);
	if (!is_deep)
		prime_skip("/sys/power/mem_sleep is not deep");
	soak_asleep(&machine);
}

/**
 * SUBTEST: disk
 * Description: Hibernation: the memory goes to a disk, and the power off.
 */
static void disk(void)
{
	static const struct device machine = { .driver = "disk", .leave = fall_asleep };

	soak_asleep(&machine);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(mock),
	SUBTEST(late),
	SUBTEST(vivid),
	SUBTEST(vim2m),
	SUBTEST(vgem),
	SUBTEST(vkms),
	SUBTEST(vkms_device),
	SUBTEST(edu),
	SUBTEST(virtio_gpu),
	SUBTEST(freeze),
	SUBTEST(mem),
	SUBTEST(disk),
};

PRIME_MAIN(subtests)
