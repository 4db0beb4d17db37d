/* SPDX-License-Identifier: MIT */
/*
 * Calls that are no ioctl of a file. Each has three arguments, and returns what it made, or -1.
 * This text is also part of each C program that prime-fuzz writes.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/sync_file.h>
#include <linux/udmabuf.h>
#include <linux/videodev2.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <drm.h>
#include <drm_mode.h>

/* Not in the headers of programs. */
struct vgem_fence_attach { __u32 handle, flags, out_fence, pad; };
struct vgem_fence_signal { __u32 fence, flags; };
#define VGEM_FENCE_ATTACH	DRM_IOWR(DRM_COMMAND_BASE + 1, struct vgem_fence_attach)
#define VGEM_FENCE_SIGNAL	DRM_IOW(DRM_COMMAND_BASE + 2, struct vgem_fence_signal)
struct sw_sync_fence { __u32 value; char name[32]; __s32 fence; };
#define SW_SYNC_CREATE	_IOWR('W', 0, struct sw_sync_fence)
#define SW_SYNC_INC	_IOW('W', 1, __u32)
struct one_number { __u32 number; };

#define HELPER static int64_t __attribute__((unused))
#define NO(x) ((void)(x))

/* Mappings lie in places of their own, so that taking one away harms nothing else. */
#define MAP_PLACES	64
#define MAP_ROOM	(64ul << 10)
#define MAP_NONE	(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
static char *map_base;
static unsigned int map_next;

static __thread sigjmp_buf fault_point;
static __thread volatile int fault_expected;

static void fault_handler(int number)
{
	if (fault_expected)
		siglongjmp(fault_point, 1);
	signal(number, SIG_DFL);
}

static void kick_handler(int number)
{
	NO(number);
}

/* Once for each process, before the first call. SIGUSR1 interrupts calls that wait. */
static void helpers_begin(void)
{
	struct sigaction fault = { .sa_handler = fault_handler, .sa_flags = SA_NODEFER };
	struct sigaction kick = { .sa_handler = kick_handler };

	sigaction(SIGBUS, &fault, NULL);
	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGUSR1, &kick, NULL);
	map_base = mmap(NULL, MAP_PLACES * MAP_ROOM, PROT_NONE, MAP_NONE, -1, 0);
}

/* Takes all mappings away again. */
static void helpers_end(void)
{
	mmap(map_base, MAP_PLACES * MAP_ROOM, PROT_NONE, MAP_NONE | MAP_FIXED, -1, 0);
}

HELPER spend(int64_t steps)
{
	while (steps-- > 0)
		__asm__ volatile("" ::: "memory");
	return 0;
}

/* The card (or render node, with @render) of a driver: vgem, vkms, prime_mock. */
HELPER drm_open(int64_t driver, int64_t render, int64_t unused)
{
	static const char *const names[] = { "vgem", "vkms", "prime_mock", "prime_mock" };
	int nth = driver == 3;

	NO(unused);
	for (int i = 0; i < 8; i++) {
		char path[32], name[32] = "";
		struct drm_version version = { .name = name, .name_len = sizeof(name) - 1 };
		int fd;

		if (render & 1)
			snprintf(path, sizeof(path), "/dev/dri/renderD%d", i + 128);
		else
			snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!ioctl(fd, DRM_IOCTL_VERSION, &version) &&
		    !strcmp(name, names[driver & 3]) && !nth--)
			return fd;
		close(fd);
	}
	return -1;
}

HELPER vgem_open(int64_t render, int64_t a, int64_t b)
{
	NO(a), NO(b);
	return drm_open(0, render, 0);
}

HELPER mock_open(int64_t device, int64_t render, int64_t unused)
{
	NO(unused);
	return drm_open(device & 1 ? 3 : 2, render, 0);
}

HELPER heap_open(int64_t heap, int64_t a, int64_t b)
{
	static const char *const paths[] = {
		"/dev/dma_heap/system", "/dev/dma_heap/negotiated",
		"/dev/dma_heap/default_cma_region",
	};

	NO(a), NO(b);
	return open(paths[(uint64_t)heap % 3], O_RDONLY | O_CLOEXEC);
}

HELPER udmabuf_open(int64_t a, int64_t b, int64_t c)
{
	NO(a), NO(b), NO(c);
	return open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
}

HELPER timeline_open(int64_t a, int64_t b, int64_t c)
{
	NO(a), NO(b), NO(c);
	return open("/sys/kernel/debug/sync/sw_sync", O_RDWR | O_CLOEXEC);
}

HELPER video_open(int64_t node, int64_t a, int64_t b)
{
	char path[32];

	NO(a), NO(b);
	snprintf(path, sizeof(path), "/dev/video%d", (int)(node & 7));
	return open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
}

/* A file with a queue: of buffers of its own, or (@memory 4) for dma-bufs. */
HELPER queue_open(int64_t node, int64_t buffers, int64_t memory)
{
	struct v4l2_requestbuffers arg = {
		.count = buffers & 3, .memory = memory,
		.type = node & 1 ? V4L2_BUF_TYPE_VIDEO_OUTPUT : V4L2_BUF_TYPE_VIDEO_CAPTURE,
	};
	int fd = video_open(node, 0, 0);

	if (fd >= 0)
		ioctl(fd, VIDIOC_REQBUFS, &arg);
	return fd;
}

HELPER memfd_make(int64_t pages, int64_t seals, int64_t unused)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	NO(unused);
	if (fd >= 0 && (ftruncate(fd, (pages & 63) << 12) || fcntl(fd, F_ADD_SEALS, seals))) {
		close(fd);
		return -1;
	}
	return fd;
}

HELPER file_close(int64_t fd, int64_t a, int64_t b)
{
	NO(a), NO(b);
	return close(fd);
}

HELPER buffer_dup(int64_t fd, int64_t a, int64_t b)
{
	NO(a), NO(b);
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

/* Holds the path of the buffer, and not its file. */
HELPER buffer_path(int64_t fd, int64_t a, int64_t b)
{
	char link[40];

	NO(a), NO(b);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", (int)fd);
	return open(link, O_PATH | O_CLOEXEC);
}

HELPER buffer_name(int64_t fd, int64_t number, int64_t unused)
{
	char name[40];

	NO(unused);
	memset(name, 'n', sizeof(name));
	name[number & 31] = 0;
	return ioctl(fd, DMA_BUF_SET_NAME_B, name);
}

HELPER file_seek(int64_t fd, int64_t offset, int64_t whence)
{
	return lseek(fd, offset, whence & 3);
}

HELPER file_poll(int64_t fd, int64_t events, int64_t ms)
{
	struct pollfd item = { .fd = fd, .events = events };

	return poll(&item, 1, ms & 7);
}

HELPER epoll_make(int64_t a, int64_t b, int64_t c)
{
	NO(a), NO(b), NO(c);
	return epoll_create1(EPOLL_CLOEXEC);
}

HELPER epoll_change(int64_t epoll, int64_t fd, int64_t events)
{
	struct epoll_event event = { .events = events };

	return epoll_ctl(epoll, events ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &event);
}

HELPER epoll_look(int64_t epoll, int64_t ms, int64_t unused)
{
	struct epoll_event events[4];

	NO(unused);
	return epoll_wait(epoll, events, 4, ms & 7);
}

HELPER map_at(int64_t fd, int64_t pages, int64_t writable, int64_t offset)
{
	unsigned int place = __atomic_fetch_add(&map_next, 1, __ATOMIC_RELAXED) % MAP_PLACES;
	void *map = mmap(map_base + place * MAP_ROOM, ((pages & 15) + 1) << 12,
			 PROT_READ | (writable & 1 ? PROT_WRITE : 0), MAP_SHARED | MAP_FIXED, fd,
			 offset);

	return map == MAP_FAILED ? -1 : (int64_t)map;
}

HELPER buffer_map(int64_t fd, int64_t pages, int64_t writable)
{
	return map_at(fd, pages, writable, 0);
}

HELPER dumb_map(int64_t drm, int64_t handle, int64_t pages)
{
	struct drm_mode_map_dumb arg = { .handle = handle };

	return ioctl(drm, DRM_IOCTL_MODE_MAP_DUMB, &arg) ? -1 : map_at(drm, pages, 1, arg.offset);
}

static int is_map(int64_t map)
{
	return (char *)map >= map_base && (char *)map < map_base + MAP_PLACES * MAP_ROOM;
}

/* Touches a page; a signal is an answer. */
HELPER map_touch(int64_t map, int64_t page, int64_t writes)
{
	volatile char *at = (char *)map + ((page & 15) << 12);
	int ret = -1;

	if (!is_map((int64_t)at))
		return -1;
	fault_expected = 1;
	if (!sigsetjmp(fault_point, 1)) {
		if (writes & 1)
			*at = 1;
		else
			ret = *at;
		ret = 0;
	}
	fault_expected = 0;
	return ret;
}

HELPER map_end(int64_t map, int64_t a, int64_t b)
{
	NO(a), NO(b);
	if (is_map(map))
		mmap((void *)map, MAP_ROOM, PROT_NONE, MAP_NONE | MAP_FIXED, -1, 0);
	return 0;
}

/* Reads all of a file of the kernel: 0 bufinfo, 1 the fdinfo of @fd, 2 holders. */
HELPER accounts_read(int64_t which, int64_t fd, int64_t unused)
{
	static const char *const paths[] = {
		"/sys/kernel/debug/dma_buf/bufinfo", "", "/sys/kernel/debug/dma_buf/holders",
	};
	char path[48], text[4096];
	int file;

	NO(unused);
	snprintf(path, sizeof(path), "%s", paths[(uint64_t)which % 3]);
	if (!*path)
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", (int)fd);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return -1;
	while (read(file, text, sizeof(text)) > 0)
		;
	return close(file);
}

/* The @nth allocation of this thread's next call fails. */
HELPER fail_allocation(int64_t nth, int64_t a, int64_t b)
{
	char text[8];
	int file = open("/proc/thread-self/fail-nth", O_WRONLY | O_CLOEXEC), ret = -1;

	NO(a), NO(b);
	if (file < 0)
		return -1;
	/* The close of this file makes a few allocations, too. */
	if (write(file, text, snprintf(text, sizeof(text), "%d", (int)(nth & 31))) > 0)
		ret = 0;
	close(file);
	return ret;
}
