// SPDX-License-Identifier: GPL-2.0
/**
 * TEST: prime keep
 * Description: What a kernel with the layer keeps of an import after its close
 *  (debugfs dma_buf/kept) for the next import by the same device, and what makes
 *  it give that back. A kernel without the module parameter dma_buf.keep_mb
 *  keeps nothing, and all of this is skipped. Each subtest leaves the parameter
 *  as it was. PRIME_MOCK names the file of prime_mock's module.
 */
#include "lib/prime_memory.h"
#include "lib/prime_mock.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define KEEP_MB "/sys/module/dma_buf/parameters/keep_mb"
#define KEPT "/sys/kernel/debug/dma_buf/kept"

enum { BIG = 2048 };	/* pages */

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static void set_knob(unsigned int mb)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", mb);
	check_ok(write_text(KEEP_MB, text));
}

struct kept {
	long count;
	long bytes;
};

static struct kept all_kept(void)
{
	char *text = read_text(KEPT);
	struct kept kept;

	if (!text)
		prime_skip(KEPT " can't be read (root, debugfs)");
	check_eq(sscanf(text, "%ld attachments, %ld bytes", &kept.count,
			&kept.bytes), 2);
	free(text);
	return kept;
}

static long kept_count(void)
{
	return all_kept().count;
}

/* The same, waiting for @wanted: a worker does some of it. */
static long settle_kept(long wanted)
{
	double end = now() + 5;
	long count;

	while ((count = kept_count()) != wanted && now() < end)
		usleep(10000);
	return count;
}

/* --- scene --- */

static int drm, other;	/* exporter and importer */

static void import_and_close(int importer, int fd)
{
	check_ok(gem_close(importer, check_ok(gem_import(importer, fd))));
}

/* Only memory of shmem is kept; vgem's and vkms's is. */
static void need_kept(void)
{
	const char *name = driver_name(drm);
	uint32_t handle;
	int fd = make_dmabuf(drm, 1, &handle);

	import_and_close(other, fd);
	if (!kept_count() && strcmp(name, "vgem") && strcmp(name, "vkms"))
		prime_skip("no attachment to a buffer of %s is kept", name);
	close(fd);
	check_ok(gem_close(drm, handle));
	check_eq(settle_kept(0), 0);
}

/* Runs @body in a process of its own, with nothing kept when it begins. */
static void with_knob(void (*body)(void))
{
	char *before = read_text(KEEP_MB);
	int status;
	pid_t pid;

	if (!before)
		prime_skip("this kernel keeps nothing: no parameter "
			   "dma_buf.keep_mb");
	if (access(KEEP_MB, W_OK))
		prime_skip("dma_buf.keep_mb can't be written (root)");
	fflush(NULL);
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		set_knob(0);
		check_eq(kept_count(), 0);
		set_knob(64);
		drm = open_device();
		other = open_other();
		need_kept();
		body();
		fflush(NULL);
		_exit(0);
	}
	check(waitpid(pid, &status, 0) == pid);
	check_ok(write_text(KEEP_MB, before));
	free(before);
	if (!WIFEXITED(status))
		prime_fail(__FILE__, __LINE__, "ended by signal %d",
			   WTERMSIG(status));
	if (WEXITSTATUS(status))
		_exit(WEXITSTATUS(status));
}

/* --- what is kept --- */

/**
 * SUBTEST: counted
 * Description: After an import and its close one attachment is kept, and counts
 *  with the size of the buffer; while the device imports again it is in use and
 *  counts no longer; bufinfo shows it only then. It goes with the buffer.
 */
static void do_counted(void)
{
	int fd = make_dmabuf(drm, BIG, NULL);
	uint32_t handle;

	for (int i = 0; i < 3; i++) {
		handle = check_ok(gem_import(other, fd));
		check_eq(kept_count(), 0);
		check_eq(attachments_of(fd), 1);
		check_ok(gem_close(other, handle));
		check_eq(kept_count(), 1);
		check_eq(all_kept().bytes, BIG * PAGE);
		check_eq(attachments_of(fd), 0);
	}
	close(drm);
	close(fd);
	check_eq(settle_kept(0), 0);
	check_eq(all_kept().bytes, 0);
}

static void counted(void)
{
	with_knob(do_counted);
}

/**
 * SUBTEST: content
 * Description: What is written between two imports is there for the second, and
 *  what is written through it is there for the exporter.
 */
static void do_content(void)
{
	int fd = make_dmabuf(drm, 16, NULL), back;
	uint32_t handle;

	fill_dmabuf(fd, 16 * PAGE, 1);
	import_and_close(other, fd);
	fill_dmabuf(fd, 16 * PAGE, 2);
	handle = check_ok(gem_import(other, fd));
	back = check_ok(gem_export(other, handle, DRM_CLOEXEC | DRM_RDWR));
	check_eq(inode_of(back), inode_of(fd));
	check_eq(filled_dmabuf(back, 16 * PAGE, 2), 16 * PAGE);
	fill_dmabuf(back, 16 * PAGE, 3);
	check_eq(filled_dmabuf(fd, 16 * PAGE, 3), 16 * PAGE);
}

static void content(void)
{
	with_knob(do_content);
}

/**
 * SUBTEST: fds-do-not-count
 * Description: A kept attachment keeps no buffer: the last fd and the last
 *  handle end both, whichever goes first, also in a process that is killed.
 */
static void do_fds_do_not_count(void)
{
	int fd, before = count_buffers(), status;
	uint32_t handle;
	pid_t pid;

	fd = make_dmabuf(drm, 4, &handle);
	import_and_close(other, fd);
	check_ok(gem_close(drm, handle));
	check_eq(kept_count(), 1);
	close(fd);
	check_eq(settle_buffers(before), before);
	check_eq(settle_kept(0), 0);

	fd = make_dmabuf(drm, 4, &handle);
	import_and_close(other, fd);
	close(fd);
	check_eq(kept_count(), 1);
	check_ok(gem_close(drm, handle));
	check_eq(settle_buffers(before), before);
	check_eq(settle_kept(0), 0);

	pid = fork();
	check(pid >= 0);
	if (!pid) {
		import_and_close(open_other(), make_dmabuf(open_device(), 4, NULL));
		check_eq(kept_count(), 1);
		raise(SIGKILL);
	}
	check(waitpid(pid, &status, 0) == pid);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	check_eq(settle_buffers(before), before);
	check_eq(settle_kept(0), 0);
}

static void fds_do_not_count(void)
{
	with_knob(do_fds_do_not_count);
}

/* --- the parameter --- */

/**
 * SUBTEST: knob-off
 * Description: Writing 0 ends all that is kept before the write returns, and
 *  nothing is kept from then on; an import that is open goes on.
 */
static void do_knob_off(void)
{
	int fd = make_dmabuf(drm, BIG, NULL), fd2 = make_dmabuf(drm, 2, NULL);
	uint32_t handle = check_ok(gem_import(other, fd2));

	import_and_close(other, fd);
	check_eq(kept_count(), 1);
	set_knob(0);
	check_eq(kept_count(), 0);
	import_and_close(other, fd);
	check_eq(kept_count(), 0);
	fill_dmabuf(fd2, 2 * PAGE, 4);
	check_ok(gem_close(other, handle));
	check_eq(kept_count(), 0);
	set_knob(64);
	import_and_close(other, fd);
	check_eq(kept_count(), 1);
	check(write_text(KEEP_MB, "some") < 0);
	check_eq(kept_count(), 1);
}

static void knob_off(void)
{
	with_knob(do_knob_off);
}

/**
 * SUBTEST: limit
 * Description: However many buffers are imported and closed, no more is ever
 *  kept than the parameter allows, and those that came last are kept.
 */
static void do_limit(void)
{
	enum { COUNT = 16, PAGES = 128 };	/* 8 MiB where 2 are allowed */
	int fd[COUNT];

	set_knob(2);
	for (int i = 0; i < COUNT; i++)
		fd[i] = make_dmabuf(drm, PAGES, NULL);
	for (int turn = 0; turn < 5; turn++) {
		for (int i = 0; i < COUNT; i++) {
			import_and_close(other, fd[i]);
			check(all_kept().bytes <= 2 << 20);
		}
	}
	/* One that finds no room is kept the next time. */
	for (int i = 0; i < 2; i++) {
		import_and_close(other, fd[0]);
		usleep(100000);
	}
	check(kept_count() >= 1);
	check(kept_count() <= 4);
	set_knob(1);
	check(all_kept().bytes <= 1 << 20);
}

static void limit(void)
{
	with_knob(do_limit);
}

/* --- memory --- */

/* Keeps @count buffers of BIG pages that were written to. */
static void keep_some(int *fd, int count)
{
	for (int i = 0; i < count; i++) {
		fd[i] = make_dmabuf(drm, BIG, NULL);
		fill_dmabuf(fd[i], BIG * PAGE, i);
		import_and_close(other, fd[i]);
	}
	check_eq(kept_count(), count);
}

/**
 * SUBTEST: drop-caches
 * Description: /proc/sys/vm/drop_caches asks every shrinker: nothing stays
 *  kept, the content stays what it was, and the next import is kept again.
 */
static void do_drop_caches(void)
{
	int fd[4];

	keep_some(fd, 4);
	check_ok(write_text("/proc/sys/vm/drop_caches", "2"));
	check_eq(settle_kept(0), 0);
	for (int i = 0; i < 4; i++)
		check_eq(filled_dmabuf(fd[i], BIG * PAGE, i), BIG * PAGE);
	import_and_close(other, fd[0]);
	check_eq(kept_count(), 1);
}

static void drop_caches(void)
{
	with_knob(do_drop_caches);
}

/**
 * SUBTEST: memory-full
 * Description: A process fills the memory: what is kept is given back before it
 *  is over, and the content stays what it was.
 */
static void do_memory_full(void)
{
	bool gone = false;
	int fd[4];
	double end;
	pid_t pid;

	if (meminfo_kb("MemTotal:") > 4 << 20)
		prime_skip("more than 4 GiB of memory: filling it is for "
			   "test machines");
	if (!access("/proc/lockdep_stats", F_OK) ||
	    !access("/sys/kernel/debug/kmemleak", F_OK))
		prime_skip("filling the memory takes too long with lockdep "
			   "or kmemleak");
	keep_some(fd, 4);
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		/* Whatever the memory ends with, it ends with this process. */
		write_text("/proc/self/oom_score_adj", "1000");
		for (;;) {
			char *p = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE,
				       MAP_ANONYMOUS | MAP_PRIVATE | MAP_POPULATE,
				       -1, 0);

			if (p == MAP_FAILED)
				usleep(10000);
		}
	}
	end = now() + 60;
	while (kept_count() && !gone && now() < end) {
		gone = waitpid(pid, NULL, WNOHANG) == pid;
		usleep(20000);
	}
	printf("%ld kept with %ld kB available\n", kept_count(),
	       meminfo_kb("MemAvailable:"));
	check_eq(settle_kept(0), 0);
	/* Not because it was time, or somebody else's doing. */
	check(meminfo_kb("MemAvailable:") < meminfo_kb("MemTotal:") / 2 || gone);
	if (!gone) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	for (int i = 0; i < 4; i++)
		check_eq(filled_dmabuf(fd[i], BIG * PAGE, i), BIG * PAGE);
}

static void memory_full(void)
{
	with_knob(do_memory_full);
}

/* --- modules and devices --- */

static int unload(const char *module)
{
	return syscall(SYS_delete_module, module, O_NONBLOCK) ? -errno : 0;
}

/* The same, for users that leave a moment after their last close. */
static int unload_soon(const char *module)
{
	double end = now() + 3;
	int ret;

	while ((ret = unload(module)) == -EAGAIN && now() < end)
		usleep(10000);
	return ret;
}

static bool load(const char *module)
{
	pid_t pid = fork();
	int status;

	check(pid >= 0);
	if (!pid) {
		execlp("modprobe", "modprobe", "-q", module, NULL);
		_exit(127);
	}
	check(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static void need_module(const char *module)
{
	char path[PATH_MAX], *text;
	int users;

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", module);
	if (access(path, F_OK))
		prime_skip("%s is no module that can be unloaded", module);
	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", module);
	text = read_text(path);
	users = text ? atoi(text) : 0;
	free(text);
	if (users > 1)
		prime_skip("%s has %d users besides this test", module,
			   users - 1);
}

/**
 * SUBTEST: unload-importer
 * Description: A kept attachment does not hold the importer's module; unloading
 *  it ends the attachment, and the buffer goes on with the module that is
 *  loaded next.
 */
static void do_unload_importer(void)
{
	char module[64];
	int fd;

	snprintf(module, sizeof(module), "%s", driver_name(other));
	need_module(module);
	fd = make_dmabuf(drm, 8, NULL);
	fill_dmabuf(fd, 8 * PAGE, 5);
	import_and_close(other, fd);
	close(other);
	check_eq(kept_count(), 1);
	check_ok(unload_soon(module));
	check_eq(kept_count(), 0);
	check_eq(filled_dmabuf(fd, 8 * PAGE, 5), 8 * PAGE);
	check(load(module));
	other = open_driver(module);
	import_and_close(other, fd);
	check_eq(kept_count(), 1);
	check_eq(filled_dmabuf(fd, 8 * PAGE, 5), 8 * PAGE);
}

static void unload_importer(void)
{
	with_knob(do_unload_importer);
}

/**
 * SUBTEST: unload-exporter
 * Description: The exporter's module is held by the buffer and not by what is
 *  kept: it unloads as soon as the fd is closed.
 */
static void do_unload_exporter(void)
{
	char module[64];
	int fd;

	snprintf(module, sizeof(module), "%s", driver_name(drm));
	need_module(module);
	fd = make_dmabuf(drm, 8, NULL);
	import_and_close(other, fd);
	close(drm);
	check_eq(kept_count(), 1);
	check_error(unload(module), EAGAIN);
	close(fd);
	check_ok(unload_soon(module));
	check_eq(kept_count(), 0);
	check(load(module));
	drm = open_driver(module);
	import_and_close(other, make_dmabuf(drm, 8, NULL));
	check_eq(kept_count(), 1);
}

static void unload_exporter(void)
{
	with_knob(do_unload_exporter);
}

static char bus_device[PATH_MAX];	/* prime_mock's, in sysfs */

/* prime_mock: of the devices here the one that has a driver bound. */
static int open_bound(void)
{
	char path[64];
	struct stat st;
	int fd;

	if (access("/sys/module/prime_mock", F_OK))
		prime_skip("prime_mock is not loaded");
	fd = open_driver("prime_mock");
	check_ok(fstat(fd, &st) ? -errno : 0);
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/device",
		 major(st.st_rdev), minor(st.st_rdev));
	check(realpath(path, bus_device));
	return fd;
}

static int tell_driver(const char *what)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/bus/platform/drivers/prime_mock/%s",
		 what);
	return write_text(path, strrchr(bus_device, '/') + 1);
}

/**
 * SUBTEST: unbind-importer
 * Description: Unbinding a device ends what is kept for it before the write to
 *  sysfs returns, and nothing of other devices; bound again it is kept for
 *  again.
 */
static void do_unbind_importer(void)
{
	int mock = open_bound(), fd = make_dmabuf(drm, 8, NULL);

	import_and_close(mock, fd);
	import_and_close(other, fd);
	close(mock);
	check_eq(kept_count(), 2);
	check_ok(tell_driver("unbind"));
	check_eq(kept_count(), 1);
	check_ok(tell_driver("bind"));
	mock = open_bound();
	import_and_close(mock, fd);
	check_eq(kept_count(), 2);
	close(mock);
}

static void unbind_importer(void)
{
	with_knob(do_unbind_importer);
}

/* --- all at once --- */

enum { BUFFERS = 6 };

static int shared[BUFFERS];
static atomic_bool over;
static atomic_ulong turns;

static void *import_thread(void *data)
{
	unsigned int turn = (uintptr_t)data;
	int importer = open_other();

	for (; !atomic_load(&over); turn++) {
		import_and_close(importer, shared[turn % BUFFERS]);
		atomic_fetch_add(&turns, 1);
	}
	close(importer);
	return NULL;
}

/* Buffers that live no longer than their import. */
static void *release_thread(void *data)
{
	int exporter = open_device(), importer = open_other();

	while (!atomic_load(&over)) {
		uint32_t handle;
		int fd = make_dmabuf(exporter, 4, &handle);

		import_and_close(importer, fd);
		check_ok(gem_close(exporter, handle));
		close(fd);
	}
	close(exporter);
	close(importer);
	return data;
}

static void *knob_thread(void *data)
{
	for (unsigned int turn = 0; !atomic_load(&over); turn++) {
		set_knob(turn % 3);
		check(all_kept().bytes <= (long)(turn % 3) << 20);
		usleep(10000);
	}
	return data;
}

static void *shrink_thread(void *data)
{
	while (!atomic_load(&over)) {
		check_ok(write_text("/proc/sys/vm/drop_caches", "2"));
		usleep(50000);
	}
	return data;
}

/* A file of a device that is gone answers ENODEV; a new one can be opened. */
static void *unbind_thread(void *data)
{
	const char *const names[] = { "unbind", "bind" };

	for (unsigned int turn = 0; !atomic_load(&over); turn++) {
		check_ok(tell_driver(names[turn & 1]));
		usleep(5000);
		if (atomic_load(&over) && !(turn & 1))
			check_ok(tell_driver("bind"));
	}
	return data;
}

static void *mock_thread(void *data)
{
	for (unsigned int turn = 0; !atomic_load(&over); turn++) {
		int mock = try_driver("prime_mock");

		for (int i = 0; mock >= 0 && i < 20; i++) {
			int64_t handle = gem_import(mock, shared[i % BUFFERS]);

			if (handle < 0) {
				check_error(handle, ENODEV);
				break;
			}
			gem_close(mock, handle);
		}
		if (mock >= 0)
			close(mock);
	}
	return data;
}

static void run_threads(bool with_unbind)
{
	void *(*const threads[])(void *) = {
		import_thread, import_thread, release_thread, knob_thread,
		shrink_thread, unbind_thread, mock_thread,
	};
	int count = with_unbind ? 7 : 5;
	pthread_t thread[7];
	uint32_t before;

	for (int i = 0; i < BUFFERS; i++) {
		shared[i] = make_dmabuf(drm, 96, NULL);
		fill_dmabuf(shared[i], 96 * PAGE, i);
	}
	before = count_buffers();
	for (int i = 0; i < count; i++)
		check_eq(pthread_create(&thread[i], NULL, threads[i],
					(void *)(uintptr_t)i), 0);
	usleep(race_seconds() * 1e6);
	atomic_store(&over, true);
	for (int i = 0; i < count; i++)
		check_eq(pthread_join(thread[i], NULL), 0);
	printf("%lu imports\n", atomic_load(&turns));
	check(atomic_load(&turns) > 0);

	check_eq(settle_buffers(before), before);
	for (int i = 0; i < BUFFERS; i++) {
		check_eq(filled_dmabuf(shared[i], 96 * PAGE, i), 96 * PAGE);
		check_eq(attachments_of(shared[i]), 0);
	}
	set_knob(0);
	check_eq(kept_count(), 0);
}

/**
 * SUBTEST: stress
 * Description: For the time of a race, threads import the same buffers, release
 *  others that were just imported, turn the parameter and drop all caches: the
 *  limit holds at every look, every buffer and its content is there at the end.
 */
static void do_stress(void)
{
	run_threads(false);
}

static void stress(void)
{
	with_knob(do_stress);
}

/**
 * SUBTEST: stress-unbind
 * Description: The same while a further importer is unbound and bound.
 */
static void do_stress_unbind(void)
{
	close(open_bound());
	run_threads(true);
}

static void stress_unbind(void)
{
	with_knob(do_stress_unbind);
}

static const struct prime_subtest tests[] = {
	SUBTEST(counted),
	SUBTEST(content),
	SUBTEST(fds_do_not_count),
	SUBTEST(knob_off),
	SUBTEST(limit),
	SUBTEST(drop_caches),
	SUBTEST(memory_full),
	SUBTEST(unload_importer),
	SUBTEST(unload_exporter),
	SUBTEST(unbind_importer),
	SUBTEST(stress),
	SUBTEST(stress_unbind),
};

PRIME_MAIN(tests)
