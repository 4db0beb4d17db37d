// SPDX-License-Identifier: MIT
/**
 * TEST: prime unload
 * Description: Drivers are unloaded and unbound while buffers live. A module can't
 *  be unloaded (EAGAIN) as long as anything of it is in use, and everything goes on
 *  working. When the last user is gone it can be unloaded, loaded and used again. A
 *  device can always be unbound from its driver, or pulled out (prime_mock). From
 *  then on it gives ENODEV, and shared memory stays until its last user is gone.
 *  Each subtest puts the driver back. The unbind subtests take the device under test
 *  if a driver is bound to it, else prime_mock, else virtio_gpu. (Before 6.15 no driver
 *  is bound to vgem and vkms. Since then theirs can't be unbound, and the subtests skip.)
 *  All of it runs with --destructive only. PRIME_MOCK names the file of
 *  prime_mock's module, which modprobe does not know. unload-fence-of-the-driver, and
 *  unbind-while-sharing on virtio_gpu, show defects outside of buffer sharing, and run
 *  with PRIME_DANGEROUS=1 only.
 */
#include "lib/prime_memory.h"
#include "lib/prime_mock.h"
#include "lib/mock_buffer.h"
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
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <linux/sync_file.h>

/* --- modules --- */

/* The module behind a device: the driver's own, or that of its bus. */
static void module_of(int drm, char *module, size_t size)
{
	char path[PATH_MAX], link[PATH_MAX];
	struct stat st;
	ssize_t got;

	/* A virtual device has no driver; a bus may stand in between. */
	snprintf(module, size, "%s", driver_name(drm));
	snprintf(path, sizeof(path), "/sys/module/%s", module);
	if (!access(path, F_OK))
		return;
	check_ok(fstat(drm, &st) ? -errno : 0);
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/device/driver/module",
		 major(st.st_rdev), minor(st.st_rdev));
	got = readlink(path, link, sizeof(link) - 1);
	if (got <= 0)
		prime_skip("no module of %s is known", driver_name(drm));
	link[got] = '\0';
	snprintf(module, size, "%s", strrchr(link, '/') + 1);
}

static int module_users(const char *module)
{
	char path[128], *text;
	int users;

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", module);
	text = read_text(path);
	users = text ? atoi(text) : 1;
	free(text);
	return users;
}

/* The number of other modules that use it. */
static int module_holders(const char *module)
{
	char path[128];
	glob_t found;
	int count = 0;

	snprintf(path, sizeof(path), "/sys/module/%s/holders/*", module);
	if (!glob(path, 0, NULL, &found))
		count = found.gl_pathc;
	globfree(&found);
	return count;
}

/* Somebody else's display must not go dark: only this fd may be open. */
static void check_unused(int drm)
{
	char module[64];
	int users;

	module_of(drm, module, sizeof(module));
	users = module_users(module);
	if (users > 1)
		prime_skip("%s has %d users besides this test", module,
			   users - 1);
}

/* The module's name; skips where it can't be unloaded and loaded. */
static void find_module(int drm, char *module, size_t size)
{
	char path[128];

	module_of(drm, module, size);
	snprintf(path, sizeof(path), "/sys/module/%s/initstate", module);
	if (access(path, F_OK))
		prime_skip("%s is built into the kernel", module);
	if (!can_load(module))
		prime_skip("modprobe does not know %s, so it could not be "
			   "loaded again", module);
	check_unused(drm);
}

/* --- scene: an exporter and an importer --- */

static char exporter[64], importer[64];		/* names of the drivers */
static char exporter_module[64], importer_module[64];
static int buffers;				/* at the start */

/* Closes @drm, unless it is an errno. */
static int works(int drm)
{
	uint32_t handle;
	int fd, ret;

	if (drm < 0)
		return drm;
	fd = make_dmabuf(drm, 2, &handle);
	ret = lseek(fd, 0, SEEK_END) == 2 * PAGE ? 0 : -EIO;
	close(fd);
	close(drm);
	return ret;
}

static void bring_back(const char *driver, const char *module)
{
	if (!is_loaded(module))
		check(load(module));
	check_ok(works(try_driver(driver)));
}

/* Takes over the verdict of the process that ran the subtest. */
static void pass_on(int status)
{
	if (!WIFEXITED(status))
		prime_fail(__FILE__, __LINE__, "ended by signal %d",
			   WTERMSIG(status));
	if (WEXITSTATUS(status))
		_exit(WEXITSTATUS(status));
}

/* Runs @body in a process of its own; the drivers are there again afterwards. */
static void with_modules(void (*body)(void))
{
	int drm = open_device(), other = open_other(), status;
	pid_t pid;

	need_destructive("unloading a module");
	snprintf(exporter, sizeof(exporter), "%s", driver_name(drm));
	snprintf(importer, sizeof(importer), "%s", driver_name(other));
	find_module(drm, exporter_module, sizeof(exporter_module));
	find_module(other, importer_module, sizeof(importer_module));
	close(drm);
	close(other);
	buffers = count_buffers();

	undo_later(load_back, exporter_module, "");
	undo_later(load_back, importer_module, "");
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		body();
		fflush(NULL);
		_exit(0);
	}
	check(waitpid(pid, &status, 0) == pid);
	bring_back(exporter, exporter_module);
	bring_back(importer, importer_module);
	pass_on(status);
}

static int open_exporter(void)
{
	return check_ok(try_driver(exporter));
}

static int open_importer(void)
{
	return check_ok(try_driver(importer));
}

/* All users are gone: the module unloads, loads and works. */
static void check_gone(void)
{
	check_eq(settle_buffers(buffers), buffers);
	check_ok(unload_soon(exporter_module));
	check_error(try_driver(exporter), ENODEV);
	check(load(exporter_module));
	check_ok(works(try_driver(exporter)));
}

/* Everything that a dma-buf can do works with the fd. */
static void check_fd(int fd, unsigned int pages, uint32_t seed)
{
	char value[64];

	check_eq(size_of(fd), pages * PAGE);
	check_ok(dmabuf_set_name(fd, "orphan"));
	check(fdinfo(fd, "exp_name", value, sizeof(value)));
	check(value[0]);
	check_eq(filled_dmabuf(fd, pages * PAGE, seed), pages * PAGE);
	check_eq(poll_events(fd, POLLIN | POLLOUT, 0), POLLIN | POLLOUT);
	close(check_ok(dmabuf_export_sync_file(fd, DMA_BUF_SYNC_RW)));
}

/* An fd of the exporter. Nothing else of the exporter is open. */
static int orphan(unsigned int pages, uint32_t seed)
{
	int drm = open_exporter(), fd = make_dmabuf(drm, pages, NULL);

	fill_dmabuf(fd, pages * PAGE, seed);
	close(drm);
	return fd;
}

/* --- the exporter's module --- */

/**
 * SUBTEST: unload-idle
 * Description: With nothing open the driver is unloaded and loaded five times. What
 *  it makes afterwards works as before.
 */
static void do_unload_idle(void)
{
	for (int i = 0; i < 5; i++) {
		int fd = orphan(3, 17 + i);

		check_fd(fd, 3, 17 + i);
		close(fd);
		check_gone();
	}
}

static void unload_idle(void)
{
	with_modules(do_unload_idle);
}

/**
 * SUBTEST: unload-open-device
 * Description: An open device file keeps the driver, and can still export.
 */
static void do_unload_open_device(void)
{
	int drm = open_exporter(), fd;

	check_error(unload(exporter_module), EAGAIN);
	fd = make_dmabuf(drm, 2, NULL);
	fill_dmabuf(fd, 2 * PAGE, 5);
	check_error(unload(exporter_module), EAGAIN);
	check_fd(fd, 2, 5);
	close(fd);
	close(drm);
	check_gone();
}

static void unload_open_device(void)
{
	with_modules(do_unload_open_device);
}

/**
 * SUBTEST: unload-live-fd
 * Description: Only a dma-buf's fd is open, and its device is closed. The fd keeps
 *  the driver and works as before. After its close the driver can be unloaded.
 */
static void do_unload_live_fd(void)
{
	int fd = orphan(4, 99), copy = dup(fd);

	check_error(unload(exporter_module), EAGAIN);
	check_fd(fd, 4, 99);
	close(fd);
	check_error(unload(exporter_module), EAGAIN);
	check_fd(copy, 4, 99);
	close(copy);
	check_gone();
}

static void unload_live_fd(void)
{
	with_modules(do_unload_live_fd);
}

/**
 * SUBTEST: unload-live-mmap
 * Description: Only a mapping is left, without fd and device. It keeps the driver,
 *  and also has the pages that were not touched before.
 */
static void do_unload_live_mmap(void)
{
	int fd = orphan(4, 3);
	char *map = map_dmabuf(fd, 4 * PAGE);

	check_eq(filled(map, PAGE, 3), PAGE);
	close(fd);
	check_error(unload(exporter_module), EAGAIN);
	check_eq(filled(map, 4 * PAGE, 3), 4 * PAGE);
	/* A part of the mapping is enough. */
	unmap(map + PAGE, 3 * PAGE);
	check_error(unload(exporter_module), EAGAIN);
	fill(map, PAGE, 4);
	check_eq(filled(map, PAGE, 4), PAGE);
	unmap(map, PAGE);
	check_gone();
}

static void unload_live_mmap(void)
{
	with_modules(do_unload_live_mmap);
}

/**
 * SUBTEST: unload-live-import
 * Description: An import in another device keeps the driver when all of the exporter
 *  is closed and there is no fd. If the importer exports it again, it is the old
 *  buffer.
 */
static void do_unload_live_import(void)
{
	int fd = orphan(3, 7), other = open_importer();
	uint64_t inode = inode_of(fd);
	uint32_t handle = check_ok(gem_import(other, fd));

	close(fd);
	check_error(unload(exporter_module), EAGAIN);
	fd = check_ok(gem_export(other, handle, DRM_CLOEXEC | DRM_RDWR));
	check_eq(inode_of(fd), inode);
	check_fd(fd, 3, 7);
	close(fd);
	check_error(unload(exporter_module), EAGAIN);
	check_ok(gem_close(other, handle));
	check_gone();
	close(other);
}

static void unload_live_import(void)
{
	with_modules(do_unload_live_import);
}

/**
 * SUBTEST: unload-import-by-closed-file
 * Description: The importer's file is closed with the import in it. After that the
 *  exporter's driver can be unloaded, too.
 */
static void do_unload_import_by_closed_file(void)
{
	int fd = orphan(3, 7), other = open_importer();

	check_ok(gem_import(other, fd));
	close(fd);
	check_error(unload(exporter_module), EAGAIN);
	close(other);
	check_gone();
}

static void unload_import_by_closed_file(void)
{
	with_modules(do_unload_import_by_closed_file);
}

/**
 * SUBTEST: unload-fd-in-flight
 * Description: An fd that is only in a message, and in no process, keeps the driver.
 */
static void do_unload_fd_in_flight(void)
{
	int fd = orphan(2, 11), pair[2];

	check_ok(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) ? -errno : 0);
	send_fds(pair[0], &fd, 1);
	close(fd);
	check_error(unload(exporter_module), EAGAIN);

	fd = receive_fd(pair[1]);
	check_fd(fd, 2, 11);
	close(fd);
	check_gone();
}

static void unload_fd_in_flight(void)
{
	with_modules(do_unload_fd_in_flight);
}

/**
 * SUBTEST: unload-live-path
 * Description: Only a path (O_PATH) is left, and every fd is closed. It keeps the
 *  memory, and so the driver. After its close the driver can be unloaded.
 */
static void do_unload_live_path(void)
{
	int fd = orphan(2, 13), path;
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	path = open(link, O_PATH | O_CLOEXEC);
	check_ok(path < 0 ? -errno : 0);
	close(fd);
	for (int i = 0; i < 10; i++) {
		check_error(unload(exporter_module), EAGAIN);
		usleep(10000);
	}
	close(path);
	check_gone();
}

static void unload_live_path(void)
{
	with_modules(do_unload_live_path);
}

/**
 * SUBTEST: unload-fd-of-another-process
 * Description: The last fd is a child's: the driver stays until the child is
 *  killed.
 */
static void do_unload_fd_of_another_process(void)
{
	int fd = orphan(2, 12);
	pid_t child;

	child = fork();
	check(child >= 0);
	if (!child)
		for (;;)
			pause();
	close(fd);
	check_error(unload(exporter_module), EAGAIN);
	kill(child, SIGKILL);
	check(waitpid(child, NULL, 0) == child);
	check_gone();
}

static void unload_fd_of_another_process(void)
{
	with_modules(do_unload_fd_of_another_process);
}

/**
 * SUBTEST: unload-fence-pending
 * Description: A buffer is closed while a fence on it is pending. The fence does not
 *  need the driver: the driver is unloaded, and then the fence signals.
 */
static void do_unload_fence_pending(void)
{
	int timeline = sw_timeline(), fence = sw_fence(timeline, 1);
	int fd = orphan(1, 0), out;

	check_ok(dmabuf_import_sync_file(fd, DMA_BUF_SYNC_WRITE, fence));
	out = check_ok(dmabuf_export_sync_file(fd, DMA_BUF_SYNC_RW));
	close(fd);
	check_gone();
	check_eq(poll_events(out, POLLIN, 0), 0);
	sw_advance(timeline, 1);
	check_eq(poll_events(out, POLLIN, 1000), POLLIN);
}

static void unload_fence_pending(void)
{
	with_modules(do_unload_fence_pending);
}

/**
 * SUBTEST: unload-after-armed-poll
 * Description: A poll found a pending fence and timed out. Buffer and device are
 *  closed, and the fence signals. The driver is unloaded, and nothing of it is
 *  called afterwards.
 */
static void do_unload_after_armed_poll(void)
{
	int timeline = sw_timeline();

	for (int i = 1; i <= 3; i++) {
		int fd = orphan(1, 0), fence = sw_fence(timeline, i);

		check_ok(dmabuf_import_sync_file(fd, DMA_BUF_SYNC_WRITE, fence));
		check_eq(poll_events(fd, POLLIN, 0), 0);
		check_eq(poll_events(fd, POLLOUT, 0), 0);
		close(fd);
		sw_advance(timeline, 1);
		check_eq(poll_events(fence, POLLIN, 1000), POLLIN);
		close(fence);
		check_gone();
	}
}

static void unload_after_armed_poll(void)
{
	with_modules(do_unload_after_armed_poll);
}

/**
 * SUBTEST: unload-fence-of-the-driver
 * Description: A fence of the driver itself (vgem) in a sync file outlives the
 *  driver. Asking for its name must not run code that was unloaded. Linux 6.12 does
 *  so and crashes, so this runs only with PRIME_DANGEROUS=1.
 */
static void do_unload_fence_of_the_driver(void)
{
	struct sync_fence_info fences[4];
	struct sync_file_info info = {
		.num_fences = 4, .sync_fence_info = (uintptr_t)fences,
	};
	int drm = open_exporter(), fd, out;
	uint32_t handle;

	fd = make_dmabuf(drm, 1, &handle);
	check_ok(vgem_fence_attach(drm, handle, 1));
	out = check_ok(dmabuf_export_sync_file(fd, DMA_BUF_SYNC_RW));
	close(fd);
	close(drm);
	if (unload_soon(exporter_module) == 0)
		check_ok(xioctl(out, SYNC_IOC_FILE_INFO, &info));
	else
		close(out);
}

static void unload_fence_of_the_driver(void)
{
	int drm = open_device();

	if (strcmp(driver_name(drm), "vgem"))
		prime_skip("%s has no ioctl that makes a fence",
			   driver_name(drm));
	close(drm);
	if (!prime_dangerous())
		prime_skip("a kernel where a fence does not hold its driver "
			   "crashes: PRIME_DANGEROUS=1 runs it");
	with_modules(do_unload_fence_of_the_driver);
}

/* --- the importer's module --- */

/**
 * SUBTEST: unload-importer-live-import
 * Description: The importer's driver stays while its file is open. When the file is
 *  closed the import is undone, and the driver can be unloaded. The buffer stays
 *  without an attachment, and the driver imports it again when it is loaded again.
 */
static void do_unload_importer_live_import(void)
{
	int drm = open_exporter(), fd = make_dmabuf(drm, 3, NULL), back;
	int other = open_importer();
	uint32_t handle = check_ok(gem_import(other, fd));

	fill_dmabuf(fd, 3 * PAGE, 21);
	check_error(unload(importer_module), EAGAIN);
	check_ok(gem_close(other, handle));
	check_ok(gem_import(other, fd));
	close(other);
	check_ok(unload_soon(importer_module));
	check_fd(fd, 3, 21);

	check(load(importer_module));
	other = open_importer();
	handle = check_ok(gem_import(other, fd));
	back = check_ok(gem_export(other, handle, DRM_CLOEXEC | DRM_RDWR));
	check_eq(inode_of(back), inode_of(fd));
	check_fd(back, 3, 21);
	close(back);
	close(other);
	close(fd);
	close(drm);
	check_ok(unload_soon(importer_module));
	check(load(importer_module));
	check_gone();
}

static void unload_importer_live_import(void)
{
	with_modules(do_unload_importer_live_import);
}

/**
 * SUBTEST: unload-importer-then-exporter
 * Description: The exporter's driver can't be unloaded before the importer's, and
 *  neither can while both have files open. Then both can, in either order.
 */
static void do_unload_importer_then_exporter(void)
{
	for (int turn = 0; turn < 2; turn++) {
		int fd = orphan(2, 1), other = open_importer();

		check_ok(gem_import(other, fd));
		close(fd);
		check_error(unload(exporter_module), EAGAIN);
		check_error(unload(importer_module), EAGAIN);
		close(other);
		check_ok(unload_soon(turn ? importer_module : exporter_module));
		check_ok(unload_soon(turn ? exporter_module : importer_module));
		check_eq(settle_buffers(buffers), buffers);
		check(load(importer_module));
		check(load(exporter_module));
		check_ok(works(try_driver(exporter)));
		check_ok(works(try_driver(importer)));
	}
}

static void unload_importer_then_exporter(void)
{
	with_modules(do_unload_importer_then_exporter);
}

/* --- at any moment --- */

static atomic_bool over;
static atomic_uint shared_buffers;
static atomic_uint cut_off;	/* calls that met the unbinding of their device */

/* One life of a shared buffer, which ends early if a device is away. */
static void share_once(void)
{
	int drm = try_driver(exporter), other, fd;
	uint32_t handle;

	if (drm < 0)
		return;
	fd = make_dmabuf(drm, 1, &handle);
	close(drm);
	other = try_driver(importer);
	if (other >= 0) {
		check_ok(gem_import(other, fd));
		close(fd);
		close(other);
		atomic_fetch_add(&shared_buffers, 1);
	} else {
		close(fd);
	}
}

static void *share_on(void *data)
{
	(void)data;
	while (!atomic_load(&over))
		share_once();
	return NULL;
}

/* Unloads and loads while another thread opens, shares and closes. */
static void against_sharing(const char *module)
{
	double end = now() + race_seconds();
	unsigned int refused = 0, gone = 0;
	pthread_t thread;

	check_eq(pthread_create(&thread, NULL, share_on, NULL), 0);
	/* Goes on until it was unloaded, and was found in use. */
	while (now() < end || ((!gone || !refused || !atomic_load(&shared_buffers)) &&
			       now() < end + 20)) {
		int ret = unload(module);

		if (!ret) {
			gone++;
			check(load(module));
		} else {
			check_error(ret, EAGAIN);
			usleep(refused++ % 20 * 100);
		}
	}
	atomic_store(&over, true);
	check_eq(pthread_join(thread, NULL), 0);
	printf("%u buffers shared, unloaded %u times, refused %u times\n",
	       atomic_load(&shared_buffers), gone, refused);
	check(atomic_load(&shared_buffers) > 0);
	check(refused > 0);
	check(gone > 0);
	check_eq(settle_buffers(buffers), buffers);
}

/**
 * SUBTEST: unload-exporter-while-sharing
 * Description: The exporter's driver is unloaded and loaded again and again,
 *  whenever it is not in use, while buffers are made, shared and closed.
 */
static void do_unload_exporter_while_sharing(void)
{
	against_sharing(exporter_module);
}

static void unload_exporter_while_sharing(void)
{
	with_modules(do_unload_exporter_while_sharing);
}

/**
 * SUBTEST: unload-importer-while-sharing
 * Description: The same with the importer's driver.
 */
static void do_unload_importer_while_sharing(void)
{
	against_sharing(importer_module);
}

static void unload_importer_while_sharing(void)
{
	with_modules(do_unload_importer_while_sharing);
}

/* --- a camera (vivid) --- */

static int camera_export(struct v4l2_queue *q)
{
	check(check_ok(v4l2_request(q, V4L2_MEMORY_MMAP, 2)) >= 1);
	return check_ok(v4l2_export(q, 0, 0, O_RDWR | O_CLOEXEC));
}

static void camera_live_fd(enum v4l2_device camera, const char *library)
{
	struct v4l2_queue q = v4l2_capture(camera);
	int fd = camera_export(&q), other = open_importer();
	size_t size = size_of(fd);
	uint32_t handle;
	void *map;

	check_error(unload("vivid"), EAGAIN);
	close(q.fd);
	map = map_dmabuf(fd, size);
	fill(map, size, 41);
	handle = check_ok(gem_import(other, fd));

	check_error(unload(library), EAGAIN);
	check_ok(unload_soon("vivid"));
	check_error(unload(library), EAGAIN);
	check(module_users(library) > module_holders(library));
	check_eq(filled(map, size, 41), size);
	close(fd);
	check(module_users(library) > module_holders(library));
	check_ok(gem_close(other, handle));
	check_eq(filled(map, size, 41), size);
	check(module_users(library) > module_holders(library));
	unmap(map, size);
	close(other);
	check_eq(settle_buffers(buffers), buffers);
	/* Another loaded driver, such as vim2m, may use it. */
	check_eq(module_users(library), module_holders(library));
	if (!module_holders(library))
		check_ok(unload_soon(library));

	/* Loads it again. */
	q = v4l2_capture(camera);
	close(camera_export(&q));
}

/* Runs @body with vivid loaded. */
static void with_camera(void (*body)(void))
{
	if (is_loaded("vivid"))
		undo_later(vivid_back, "", "");
	else
		undo_later(unload_back, "vivid", "");
	close(v4l2_open(V4L2_VMALLOC, false));
	if (access("/sys/module/vivid/initstate", F_OK))
		prime_skip("vivid is built into the kernel");
	with_modules(body);
}

/**
 * SUBTEST: unload-camera-live-fd
 * Description: A camera's driver with an open file can't be unloaded. The memory of
 *  its buffer belongs to the queue library, not to the driver. So with an fd, a
 *  mapping and an import left, the driver can be unloaded and that library can't,
 *  and the content is still there.
 */
static void do_unload_camera_live_fd(void)
{
	camera_live_fd(V4L2_VMALLOC, "videobuf2_vmalloc");
}

static void unload_camera_live_fd(void)
{
	with_camera(do_unload_camera_live_fd);
}

/* --- unbind, which is never refused --- */

static char bound[64];			/* the driver of the DRM device */
static char bus_driver[PATH_MAX];	/* the driver's directory in sysfs */
static char bus_device[PATH_MAX];	/* the device's directory in sysfs */

static bool find_bound(int drm)
{
	struct stat st;
	char path[64];

	check_ok(fstat(drm, &st) ? -errno : 0);
	snprintf(bound, sizeof(bound), "%s", driver_name(drm));
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/device",
		 major(st.st_rdev), minor(st.st_rdev));
	if (!realpath(path, bus_device))
		return false;
	strcat(path, "/driver");
	return realpath(path, bus_driver);
}

/* The device's DRM node, -ENODEV when the driver is not bound to it. */
static int try_bound(void)
{
	char path[PATH_MAX + 16];
	glob_t found;
	int fd;

	snprintf(path, sizeof(path), "%s/drm/card*", bus_device);
	if (glob(path, 0, NULL, &found))
		return -ENODEV;
	snprintf(path, sizeof(path), "/dev/dri%s",
		 strrchr(found.gl_pathv[0], '/'));
	globfree(&found);
	fd = open(path, O_RDWR | O_CLOEXEC);
	/* In the subtests that race it may be away again. */
	return fd < 0 ? -ENODEV : fd;
}

static int tell_driver(const char *what)
{
	const char *name = strrchr(bus_device, '/') + 1;
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/%s", bus_driver, what);
	return write_text(path, name);
}

/* Runs @body in a process of its own; the driver is bound again afterwards. */
static void with_device(int drm, void (*body)(void))
{
	char path[PATH_MAX + 16];
	int status;
	pid_t pid;

	need_destructive("unbinding a device from its driver");
	check(find_bound(drm));
	close(drm);
	printf("%s, %s\n", bound, bus_device);
	snprintf(path, sizeof(path), "%s/unbind", bus_driver);
	if (access(path, F_OK))
		prime_skip("the device of %s can't be unbound from its driver", bound);
	snprintf(importer, sizeof(importer), "%s",
		 strcmp(bound, "vkms") ? "vkms" : "vgem");
	close(open_driver(importer));
	buffers = count_buffers();
	fflush(NULL);

	snprintf(path, sizeof(path), "%s/bind", bus_driver);
	undo_later(write_back, path, strrchr(bus_device, '/') + 1);
	watch_no_dma();
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		body();
		fflush(NULL);
		_exit(0);
	}
	check(waitpid(pid, &status, 0) == pid);
	/* EBUSY or EINVAL: it is bound already. */
	tell_driver("bind");
	check_eq(settle_buffers(buffers), buffers);
	check_ok(works(try_bound()));
	pass_on(status);
}

static void with_bound_device(void (*body)(void))
{
	static const char *const others[] = { "prime_mock", "virtio_gpu" };
	int drm = open_device();

	for (int i = 0; i < 2 && !find_bound(drm); i++) {
		close(drm);
		drm = try_driver(others[i]);
		if (drm < 0)
			drm = open_device();
	}
	if (!find_bound(drm))
		prime_skip("the device under test has no driver bound, and "
			   "neither prime_mock nor virtio_gpu is there");
	check_unused(drm);
	with_device(drm, body);
}

static int open_bound(void)
{
	return check_ok(try_bound());
}

/* Every ioctl on the file of a device that is gone. */
static void check_dead(int drm, uint32_t handle, int fd)
{
	check_error(gem_create(drm, 1), ENODEV);
	check_error(gem_export(drm, handle, DRM_CLOEXEC), ENODEV);
	check_error(gem_import(drm, fd), ENODEV);
	check_error(gem_flink(drm, handle), ENODEV);
	check_error(gem_close(drm, handle), ENODEV);
	check_error(try_bound(), ENODEV);
}

/**
 * SUBTEST: unbind-live-fd
 * Description: The exporter is unbound. Every ioctl of its file gives ENODEV. The
 *  dma-buf's fd still works, with its content, until it is closed.
 */
static void do_unbind_live_fd(void)
{
	int drm = open_bound(), fd;
	uint32_t handle;

	fd = make_dmabuf(drm, 3, &handle);
	fill_dmabuf(fd, 3 * PAGE, 31);
	check_ok(tell_driver("unbind"));
	check_dead(drm, handle, fd);
	check_fd(fd, 3, 31);
	close(drm);
	check_fd(fd, 3, 31);
	close(fd);
}

static void unbind_live_fd(void)
{
	with_bound_device(do_unbind_live_fd);
}

/**
 * SUBTEST: unbind-file-closed-last
 * Description: The same, but the dma-buf is closed first, and the file of the
 *  device, with a handle in it, last.
 */
static void do_unbind_file_closed_last(void)
{
	int drm = open_bound(), fd;
	uint32_t handle;

	fd = make_dmabuf(drm, 3, &handle);
	fill_dmabuf(fd, 3 * PAGE, 32);
	check_ok(tell_driver("unbind"));
	check_fd(fd, 3, 32);
	close(fd);
	check_error(gem_export(drm, handle, DRM_CLOEXEC), ENODEV);
	close(drm);
}

static void unbind_file_closed_last(void)
{
	with_bound_device(do_unbind_file_closed_last);
}

/**
 * SUBTEST: unbind-live-mmap
 * Description: A mapping of the dma-buf keeps its content when the exporter is
 *  unbound. Pages that are first touched afterwards are there as well.
 */
static void do_unbind_live_mmap(void)
{
	int drm = open_bound(), fd = make_dmabuf(drm, 4, NULL);
	void *map, *fresh;

	fill_dmabuf(fd, 4 * PAGE, 33);
	map = map_dmabuf(fd, 4 * PAGE);
	fresh = map_dmabuf(fd, 4 * PAGE);
	check_eq(filled(map, 4 * PAGE, 33), 4 * PAGE);
	check_ok(tell_driver("unbind"));
	close(fd);
	close(drm);
	check_eq(filled(map, 4 * PAGE, 33), 4 * PAGE);
	check_eq(filled(fresh, 4 * PAGE, 33), 4 * PAGE);
	fill(fresh, 4 * PAGE, 34);
	check_eq(filled(map, 4 * PAGE, 34), 4 * PAGE);
	unmap(map, 4 * PAGE);
	unmap(fresh, 4 * PAGE);
}

static void unbind_live_mmap(void)
{
	with_bound_device(do_unbind_live_mmap);
}

/**
 * SUBTEST: unbind-exporter-live-import
 * Description: The exporter is unbound while another device has its buffer imported.
 *  That device's handle and a new export of it still work, and so does a new import,
 *  since the memory is still there.
 */
static void do_unbind_exporter_live_import(void)
{
	int drm = open_bound(), other = open_importer(), fd, again;
	uint32_t handle;

	fd = make_dmabuf(drm, 3, NULL);
	fill_dmabuf(fd, 3 * PAGE, 35);
	handle = check_ok(gem_import(other, fd));
	check_ok(tell_driver("unbind"));
	close(drm);
	again = check_ok(gem_export(other, handle, DRM_CLOEXEC | DRM_RDWR));
	check_eq(inode_of(again), inode_of(fd));
	close(fd);
	check_fd(again, 3, 35);
	check_ok(gem_close(other, handle));
	check_ok(gem_close(other, check_ok(gem_import(other, again))));
	close(again);
	close(other);
}

static void unbind_exporter_live_import(void)
{
	with_bound_device(do_unbind_exporter_live_import);
}

/**
 * SUBTEST: unbind-importer-live-import
 * Description: The importer is unbound with an import in an open file. The buffer
 *  still works, and loses its attachment with that file.
 */
static void do_unbind_importer_live_import(void)
{
	int drm = open_importer(), fd = make_dmabuf(drm, 3, NULL);
	int gone = open_bound(), back;
	int64_t handle = gem_import(gone, fd);
	uint32_t mine;

	if (handle < 0)
		prime_skip("%s imports no foreign buffer: %s", bound,
			   strerror(-handle));
	fill_dmabuf(fd, 3 * PAGE, 36);
	check_ok(tell_driver("unbind"));
	check_dead(gone, handle, fd);
	check_fd(fd, 3, 36);
	close(gone);
	check_fd(fd, 3, 36);

	/* The device is there again, and takes the old buffer. */
	check_ok(tell_driver("bind"));
	gone = open_bound();
	mine = check_ok(gem_import(gone, fd));
	back = check_ok(gem_export(gone, mine, DRM_CLOEXEC | DRM_RDWR));
	check_eq(inode_of(back), inode_of(fd));
	check_fd(back, 3, 36);
}

static void unbind_importer_live_import(void)
{
	with_bound_device(do_unbind_importer_live_import);
}

/**
 * SUBTEST: unbind-and-bind-again
 * Description: A device is bound again while a file and a dma-buf of its former life
 *  are open. It is another device now: the old buffer is foreign to it, the old file
 *  gives ENODEV, and a new file works.
 */
static void do_unbind_and_bind_again(void)
{
	int old = open_bound(), fd, drm, new_fd;
	uint32_t handle, new_handle;
	int64_t got, foreign;

	fd = make_dmabuf(old, 2, &handle);
	fill_dmabuf(fd, 2 * PAGE, 37);
	check_ok(tell_driver("unbind"));
	check_ok(tell_driver("bind"));
	drm = open_bound();
	new_fd = make_dmabuf(drm, 2, &new_handle);
	fill_dmabuf(new_fd, 2 * PAGE, 38);
	check(inode_of(new_fd) != inode_of(fd));
	/* As foreign as a buffer of another device. */
	foreign = gem_import(drm, make_dmabuf(open_importer(), 2, NULL));
	got = gem_import(drm, fd);
	if (foreign < 0)
		check_eq(got, foreign);
	else
		check(check_ok(got) != new_handle && got != foreign);
	check_error(gem_import(old, fd), ENODEV);
	check_error(gem_close(old, handle), ENODEV);
	check_fd(fd, 2, 37);
	check_fd(new_fd, 2, 38);
	close(old);
	close(drm);
	check_fd(fd, 2, 37);
}

static void unbind_and_bind_again(void)
{
	with_bound_device(do_unbind_and_bind_again);
}

static void *share_bound(void *data)
{
	(void)data;
	while (!atomic_load(&over)) {
		int drm = try_bound(), other, fd;
		int64_t handle, got;

		if (drm < 0)
			continue;
		handle = gem_create(drm, 1);
		fd = handle < 0 ? (int)handle : gem_export(drm, handle, DRM_RDWR);
		if (fd < 0) {
			check_error(fd, ENODEV);
			atomic_fetch_add(&cut_off, 1);
			close(drm);
			continue;
		}
		other = open_importer();
		got = gem_import(other, fd);
		if (got > 0)
			check_ok(gem_close(other, got));
		close(drm);
		close(fd);
		close(other);
		atomic_fetch_add(&shared_buffers, 1);
	}
	return NULL;
}

/**
 * SUBTEST: unbind-while-sharing
 * Description: The exporter is unbound and bound again, many times, while a thread
 *  makes buffers on it and shares them. Each call works or gives ENODEV.
 */
static void do_unbind_while_sharing(void)
{
	double end = now() + race_seconds();
	unsigned int turns = 0;
	pthread_t thread;

	/*
	 * When virtio_gpu is unbound, it loses an object whose release the host has
	 * not answered, and the kernel warns.
	 */
	if (!strcmp(bound, "virtio_gpu") && !prime_dangerous())
		prime_skip("virtio_gpu leaks objects when unbound: "
			   "PRIME_DANGEROUS=1 runs it");
	check_eq(pthread_create(&thread, NULL, share_bound, NULL), 0);
	for (; now() < end || ((!atomic_load(&cut_off) || !atomic_load(&shared_buffers)) &&
			       now() < end + 20); turns++) {
		check_ok(tell_driver("unbind"));
		check_ok(tell_driver("bind"));
		usleep(turns % 5 * 10000);
	}
	atomic_store(&over, true);
	check_eq(pthread_join(thread, NULL), 0);
	printf("%u buffers shared, unbound %u times, of which %u in a call\n",
	       atomic_load(&shared_buffers), turns, atomic_load(&cut_off));
	check(atomic_load(&cut_off) > 0);
	check(atomic_load(&shared_buffers) > 0);
}

static void unbind_while_sharing(void)
{
	with_bound_device(do_unbind_while_sharing);
}

/* --- prime_mock: pulled out --- */

static void with_mock(void (*body)(void))
{
	with_device(mock_open(0), body);
}

/**
 * SUBTEST: unplug-importer-mapped
 * Description: An importer that has mapped, pinned, vmapped and begun is pulled out.
 *  Further steps give ENODEV, the buffer still works, and the close of the
 *  importer's file undoes all steps.
 */
static void do_unplug_importer_mapped(void)
{
	for (uint32_t dynamic = 0; dynamic < 2; dynamic++) {
		int drm = open_importer(), fd = make_dmabuf(drm, 3, NULL);
		int mock = open_bound();
		uint32_t id = check_ok(mock_attach(mock, fd, dynamic));

		fill_dmabuf(fd, 3 * PAGE, 51);
		check_ok(mock_map(mock, id, PRIME_MOCK_BIDIRECTIONAL));
		check_ok(mock_step(mock, id, PRIME_MOCK_VMAP));
		check_ok(mock_begin(mock, id, PRIME_MOCK_BIDIRECTIONAL));
		if (dynamic)
			check_ok(mock_step(mock, id, PRIME_MOCK_PIN));
		check_ok(mock_unplug(mock));
		check_error(mock_unplug(mock), ENODEV);
		check_error(mock_step(mock, id, PRIME_MOCK_UNMAP), ENODEV);
		check_fd(fd, 3, 51);
		close(mock);
		check_fd(fd, 3, 51);
		close(fd);
		close(drm);
		check_eq(settle_buffers(buffers), buffers);
		check_ok(tell_driver("bind"));
	}
}

static void unplug_importer_mapped(void)
{
	with_mock(do_unplug_importer_mapped);
}

/**
 * SUBTEST: unplug-exporter-of-each-kind
 * Description: An exporter of each kind is pulled out while a file, an fd, a mapping
 *  and an import of it are left. The fd and the mapping keep their content, and the
 *  buffer is freed with the last of them, which are closed in changing order.
 */
static void do_unplug_exporter_of_each_kind(void)
{
	static const uint32_t kinds[] = {
		0, PRIME_MOCK_DEFAULT, PRIME_MOCK_DYNAMIC, PRIME_MOCK_CACHED,
	};

	for (int i = 0; i < 8; i++) {
		int mock = open_bound(), other = open_importer(), fd;
		uint32_t handle, mine;
		void *map;

		handle = check_ok(mock_create(mock, 3, kinds[i % 4]));
		fd = check_ok(gem_export(mock, handle, DRM_CLOEXEC | DRM_RDWR));
		fill_dmabuf(fd, 3 * PAGE, 52 + i);
		map = map_dmabuf(fd, 3 * PAGE);
		mine = check_ok(gem_import(other, fd));
		check_ok(mock_unplug(mock));
		check_error(gem_close(mock, handle), ENODEV);
		if (i & 4)
			close(mock);
		check_fd(fd, 3, 52 + i);
		check_eq(filled(map, 3 * PAGE, 52 + i), 3 * PAGE);
		check_ok(gem_close(other, mine));
		close(other);
		close(fd);
		check_eq(filled(map, 3 * PAGE, 52 + i), 3 * PAGE);
		unmap(map, 3 * PAGE);
		if (!(i & 4))
			close(mock);
		check_eq(settle_buffers(buffers), buffers);
		check_ok(tell_driver("bind"));
	}
}

static void unplug_exporter_of_each_kind(void)
{
	with_mock(do_unplug_exporter_of_each_kind);
}

struct attempt {
	int other, fd;
	int64_t result;
};

static void *import_slowly(void *data)
{
	struct attempt *attempt = data;

	attempt->result = gem_import(attempt->other, attempt->fd);
	return NULL;
}

static void mock_wait_map(int mock, uint32_t id)
{
	double end = now() + 10;

	while (!check_ok(mock_calls(mock, id, PRIME_MOCK_MAP))) {
		check(now() < end);
		usleep(1000);
	}
}

/**
 * SUBTEST: unplug-exporter-during-map
 * Description: The exporter is pulled out while it maps for an importer, which takes
 *  two seconds. The import gets its handle, since the memory is still there, and leaves
 *  nothing behind.
 */
static void do_unplug_exporter_during_map(void)
{
	/* A device that maps when it imports, which not every driver does. */
	int mock = open_bound(), other = mock_beside(mock);
	struct attempt attempt = { .other = other };
	pthread_t thread;
	uint32_t id;

	attempt.fd = check_ok(mock_dmabuf(mock, 3, 0, &id));
	check_ok(mock_sleep(mock, id, PRIME_MOCK_MAP, 2000000, 0));
	check_eq(pthread_create(&thread, NULL, import_slowly, &attempt), 0);
	mock_wait_map(mock, id);
	await_threads_asleep(1, SYS_ioctl);
	check_ok(mock_unplug(mock));
	check_eq(threads_asleep(SYS_ioctl), 1);	/* The map has not ended meanwhile. */
	check_eq(pthread_join(thread, NULL), 0);
	check_ok(attempt.result);
	close(mock);
	close(attempt.fd);
	close(other);
}

static void unplug_exporter_during_map(void)
{
	with_mock(do_unplug_exporter_during_map);
}

/**
 * SUBTEST: unplug-with-fence-pending
 * Description: A device whose fence is pending on a foreign buffer is pulled out.
 *  The fence signals when the device's file is closed, at the latest.
 */
static void do_unplug_with_fence_pending(void)
{
	int drm = open_importer(), fd = make_dmabuf(drm, 1, NULL);
	int mock = open_bound(), out;
	uint32_t fence;

	out = check_ok(mock_fence_fd(mock, fd, PRIME_MOCK_USAGE_WRITE, 0,
				     &fence));
	check_eq(poll_events(fd, POLLIN, 0), 0);
	check_ok(mock_unplug(mock));
	check_error(mock_signal(mock, fence, 0), ENODEV);
	close(mock);
	check_eq(poll_events(fd, POLLIN, 2000), POLLIN);
	check_eq(poll_events(out, POLLIN, 0), POLLIN);
}

static void unplug_with_fence_pending(void)
{
	with_mock(do_unplug_with_fence_pending);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(unload_idle),
	SUBTEST(unload_open_device),
	SUBTEST(unload_live_fd),
	SUBTEST(unload_live_mmap),
	SUBTEST(unload_live_import),
	SUBTEST(unload_import_by_closed_file),
	SUBTEST(unload_fd_in_flight),
	SUBTEST(unload_live_path),
	SUBTEST(unload_fd_of_another_process),
	SUBTEST(unload_fence_pending),
	SUBTEST(unload_after_armed_poll),
	SUBTEST(unload_fence_of_the_driver),
	SUBTEST(unload_importer_live_import),
	SUBTEST(unload_importer_then_exporter),
	SUBTEST(unload_exporter_while_sharing),
	SUBTEST(unload_importer_while_sharing),
	SUBTEST(unload_camera_live_fd),
	SUBTEST(unbind_live_fd),
	SUBTEST(unbind_file_closed_last),
	SUBTEST(unbind_live_mmap),
	SUBTEST(unbind_exporter_live_import),
	SUBTEST(unbind_importer_live_import),
	SUBTEST(unbind_and_bind_again),
	SUBTEST(unbind_while_sharing),
	SUBTEST(unplug_importer_mapped),
	SUBTEST(unplug_exporter_of_each_kind),
	SUBTEST(unplug_exporter_during_map),
	SUBTEST(unplug_with_fence_pending),
};

PRIME_MAIN(subtests)
