/* SPDX-License-Identifier: MIT */
/* Shared by the programs. Exit status: 0 no fault, 1 the fault is there, 77 it could not be tried. */
#ifndef REPRODUCER_H
#define REPRODUCER_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <linux/dma-buf.h>
#include <libdrm/drm.h>

enum { RIGHT = 0, WRONG = 1, SKIP = 77 };

static inline void __attribute__((noreturn, format(printf, 2, 3)))
end(int verdict, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	exit(verdict);
}

/* A step that must work for the fault to be tried. */
#define step(call)							\
	({								\
		long long ret_ = (call);				\
									\
		if (ret_ < 0)						\
			end(SKIP, "%s: %s", #call, strerror(errno));	\
		ret_;							\
	})

static inline void put(const char *path, const char *text)
{
	int file = step(open(path, O_WRONLY | O_CLOEXEC));

	step(write(file, text, strlen(text)));
	close(file);
}

/* Waits until @condition holds, but not for ever: a kernel that is wrong may never get there. */
#define wait_for(condition)							\
	do									\
		for (int ms_ = 0; ms_ < 10000 && !(condition); ms_ += 50)	\
			usleep(50000);						\
	while (0)

/* What the kernel says from now on. */
static inline int kernel_log(void)
{
	int log = step(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));

	step(lseek(log, 0, SEEK_END));
	return log;
}

/* Whether a line of it has both texts. */
static inline int logged(int log, const char *text, const char *other)
{
	char line[1024];
	ssize_t n;

	while ((n = read(log, line, sizeof(line) - 1)) > 0) {
		line[n] = 0;
		if (strstr(line, text) && strstr(line, other))
			return 1;
	}
	return 0;
}

/* The first card of the driver in argv[1], else of @driver. */
static inline int open_card(int argc, char **argv, const char *driver)
{
	char path[32], name[64];

	if (argc > 1)
		driver = argv[1];
	for (int i = 0; i < 64; i++) {
		struct drm_version version = {
			.name = name, .name_len = sizeof(name) - 1,
		};
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		memset(name, 0, sizeof(name));
		if (fd >= 0 && !ioctl(fd, DRM_IOCTL_VERSION, &version) &&
		    !strcmp(name, driver))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	end(SKIP, "no card of driver %s", driver);
}

/* Nothing in it may end the program, which ends already. */
static inline void rescan_pci(void)
{
	int file = open("/sys/bus/pci/rescan", O_WRONLY | O_CLOEXEC);

	if (file < 0 || write(file, "1", 1) < 0)
		perror("/sys/bus/pci/rescan");
	close(file);
}

/*
 * Removes the PCI device of a card. It comes back when the program ends, also by a step() that
 * fails. A virtio device is on a bus of its own below it.
 */
static inline void remove_pci(int card)
{
	char path[64], device[PATH_MAX + sizeof("/remove")], *virtio;
	struct stat st;

	step(fstat(card, &st));
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/device", major(st.st_rdev), minor(st.st_rdev));
	step(realpath(path, device) ? 0 : -1);
	virtio = strstr(device, "/virtio") ?: device + strlen(device);
	strcpy(virtio, "/remove");
	atexit(rescan_pci);
	put(device, "1");
}

/* A dumb buffer, as a handle. */
static inline uint32_t dumb(int card, unsigned int pages)
{
	struct drm_mode_create_dumb arg = {
		.width = getpagesize() / 4, .height = pages, .bpp = 32,
	};

	step(ioctl(card, DRM_IOCTL_MODE_CREATE_DUMB, &arg));
	return arg.handle;
}

static inline int export_handle(int card, uint32_t handle)
{
	struct drm_prime_handle arg = {
		.handle = handle, .flags = DRM_CLOEXEC | DRM_RDWR, .fd = -1,
	};

	step(ioctl(card, DRM_IOCTL_PRIME_HANDLE_TO_FD, &arg));
	return arg.fd;
}

static inline uint32_t import_fd(int card, int fd)
{
	struct drm_prime_handle arg = { .fd = fd };

	step(ioctl(card, DRM_IOCTL_PRIME_FD_TO_HANDLE, &arg));
	return arg.handle;
}

static inline void close_handle(int card, uint32_t handle)
{
	struct drm_gem_close arg = { .handle = handle };

	step(ioctl(card, DRM_IOCTL_GEM_CLOSE, &arg));
}

/* How many buffers debugfs lists. */
static inline int buffers(void)
{
	FILE *file = fopen("/sys/kernel/debug/dma_buf/bufinfo", "r");
	char line[512];
	int count = -1;

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "Total %d objects", &count);
	if (file)
		fclose(file);
	if (count < 0)
		end(SKIP, "no dma_buf/bufinfo in debugfs (root, CONFIG_DEBUG_FS)");
	return count;
}

/* --- a memory cgroup of version 2, which ends with the program (root) --- */

#define CGROUPS	"/tmp/reproducer-cgroup"
#define CGROUP	CGROUPS "/small"

static pid_t cgroup_owner;

/* A second time it does nothing. A child ends with the same functions, and must leave the group alone. */
static inline void cgroup_end(void)
{
	if (getpid() != cgroup_owner)
		return;
	rmdir(CGROUP);
	umount2(CGROUPS, MNT_DETACH);
	rmdir(CGROUPS);
}

/* @file, as memory.max, gets @limit. */
static inline void cgroup_make(const char *file, const char *limit)
{
	cgroup_owner = getpid();
	atexit(cgroup_end);
	mkdir(CGROUPS, 0700);
	step(mount("none", CGROUPS, "cgroup2", 0, NULL));
	put(CGROUPS "/cgroup.subtree_control", "+memory");
	step(mkdir(CGROUP, 0700));
	put(file, limit);
}

/* --- processes that may hang in the kernel --- */

/* As fork(). The child ends with its parent. */
static inline pid_t child(void)
{
	pid_t pid = step(fork());

	if (!pid)
		step(prctl(PR_SET_PDEATHSIG, SIGKILL));
	return pid;
}

/* Whether a child ends within that time. It must not be asked for again then. */
static inline int ends(pid_t pid, int ms)
{
	for (; ms > 0; ms -= 20) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return 1;
		usleep(20000);
	}
	return 0;
}

/* Ends a child; whether it had not ended before. */
static inline int stop(pid_t pid)
{
	if (ends(pid, 20))
		return 0;
	kill(pid, SIGKILL);
	ends(pid, 10000);
	return 1;
}

/* Whether the process sleeps in the kernel, so that no signal but perhaps SIGKILL wakes it. */
static inline int sleeps(pid_t pid)
{
	char path[32], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	if (file)
		fclose(file);
	return state == 'D';
}

#define SLOW_PAGES	4096		/* a minute */
#define SLOW_ABOVE	"1048576"

/* Whether the group has more memory than it may have. */
static inline int cgroup_is_full(void)
{
	FILE *file = fopen(CGROUP "/memory.current", "r");
	long long bytes = 0;

	if (file && fscanf(file, "%lld", &bytes) != 1)
		bytes = 0;
	if (file)
		fclose(file);
	return bytes > atoll(SLOW_ABOVE);
}

/*
 * A child imports a buffer of @from into @to, and sleeps. The import pins the buffer: the exporter
 * holds its reservation lock and allocates SLOW_PAGES. The child's memory cgroup has a low
 * memory.high, so that the kernel lets the child sleep for up to two seconds for every few pages.
 * SIGKILL ends that.
 */
static inline pid_t slow_import(int from, int to)
{
	struct drm_prime_handle arg = { .fd = export_handle(from, dumb(from, SLOW_PAGES)) };
	int asleep = 0;
	pid_t pid;

	cgroup_make(CGROUP "/memory.high", SLOW_ABOVE);
	pid = child();
	if (!pid) {
		put(CGROUP "/cgroup.procs", "0");
		_exit(!!ioctl(to, DRM_IOCTL_PRIME_FD_TO_HANDLE, &arg));
	}
	wait_for((asleep = cgroup_is_full() && sleeps(pid)));
	if (asleep)
		return pid;
	stop(pid);
	end(SKIP, "the import does not sleep");
}

/* --- fences that signal by hand (CONFIG_SW_SYNC) --- */

struct sw_fence { uint32_t value; char name[32]; int32_t fence; };

static inline int timeline(void)
{
	return step(open("/sys/kernel/debug/sync/sw_sync", O_RDWR | O_CLOEXEC));
}

/* A writer's fence of the timeline at 1 on the buffer. */
static inline void pending_write(int fd, int timeline)
{
	struct sw_fence made = { .value = 1, .name = "reproducer" };
	struct dma_buf_import_sync_file arg = { .flags = DMA_BUF_SYNC_WRITE };

	step(ioctl(timeline, _IOWR('W', 0, struct sw_fence), &made));
	arg.fd = made.fence;
	step(ioctl(fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &arg));
	close(made.fence);
}

static inline void signal_write(int timeline)
{
	uint32_t by = 1;

	step(ioctl(timeline, _IOW('W', 1, uint32_t), &by));
}

#endif
