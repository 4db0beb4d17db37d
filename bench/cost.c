// SPDX-License-Identifier: GPL-2.0
/*
 * What one operation costs, alone on one processor. Meant for QEMU's -icount,
 * where the clock counts instructions.
 */
#include "bench.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static const unsigned int populations[] = { 16, 256, 4096, 16384 };

#define for_each(i, array) \
	for (size_t i = 0; i < sizeof(array) / sizeof((array)[0]); i++)

/* One operation's arguments. */
struct subject {
	int drm;
	uint32_t handle;
	int fd;
};

/* --- floors: the least that such calls cost --- */

static void op_syscall(void *arg)
{
	syscall(SYS_getppid);
}

static void op_dup(void *arg)
{
	close(dup(STDIN_FILENO));
}

static void op_poll(void *arg)
{
	struct subject *s = arg;

	poll_events(s->fd, 1 /* POLLIN */, 0);
}

static void op_eventfd(void *arg)
{
	close(eventfd(0, 0));
}

static void floor_syscall(const char *name)
{
	bench_instructions(name, 0, bench_loop(op_syscall, NULL, 2000));
}

static void floor_dup(const char *name)
{
	bench_instructions(name, 0, bench_loop(op_dup, NULL, 2000));
}

static void floor_eventfd(const char *name)
{
	bench_instructions(name, 0, bench_loop(op_eventfd, NULL, 2000));
}

/* The cost of a poll without a dma-buf. */
static void floor_poll(const char *name)
{
	struct subject s = { .fd = check_ok(eventfd(1, 0)) };

	bench_instructions(name, 0, bench_loop(op_poll, &s, 2000));
	close(s.fd);
}

/* An ioctl of DRM that only tells a number, and is copied in and out as FD_TO_HANDLE is. */
static void op_drm_ioctl(void *arg)
{
	struct subject *s = arg;
	struct drm_get_cap cap = { .capability = DRM_CAP_PRIME };

	check_ok(xioctl(s->drm, DRM_IOCTL_GET_CAP, &cap));
}

static void floor_drm_ioctl(const char *name)
{
	struct subject s = { .drm = open_driver("vgem") };

	bench_instructions(name, 0, bench_loop(op_drm_ioctl, &s, 2000));
	close(s.drm);
}

/* --- export --- */

static void op_create(void *arg)
{
	struct subject *s = arg;

	gem_close(s->drm, bench_picture_create(s->drm, &bench_pictures[0]));
}

static void op_create_export(void *arg)
{
	struct subject *s = arg;
	uint32_t handle = bench_picture_create(s->drm, &bench_pictures[0]);

	close(check_ok(gem_export(s->drm, handle, DRM_CLOEXEC | DRM_RDWR)));
	gem_close(s->drm, handle);
}

static void op_handle_to_fd(void *arg)
{
	struct subject *s = arg;

	close(check_ok(gem_export(s->drm, s->handle, DRM_CLOEXEC | DRM_RDWR)));
}

static void op_fd_to_handle(void *arg)
{
	struct subject *s = arg;

	check_ok(gem_import(s->drm, s->fd));
}

static void create(const char *name)
{
	struct subject s = { .drm = open_driver("vgem") };

	bench_instructions(name, 0, bench_loop(op_create, &s, 5000));
	close(s.drm);
}

static void create_export(const char *name)
{
	struct subject s = { .drm = open_driver("vgem") };

	bench_instructions(name, 0, bench_loop(op_create_export, &s, 5000));
	close(s.drm);
}

/* Measures both together, to include accounting that is done late. */
static void export(const char *name)
{
	struct subject s = { .drm = open_driver("vgem") };
	double with = bench_loop(op_create_export, &s, 5000);

	bench_instructions(name, 0, with - bench_loop(op_create, &s, 5000));
	close(s.drm);
}

/* Measures @op in a file with that many exported handles. */
static void with_handles(const char *name, void (*op)(void *))
{
	for_each(i, populations) {
		struct subject s = { .drm = open_driver("vgem") };

		for (unsigned int n = 0; n < populations[i]; n++) {
			uint32_t handle = bench_picture_create(s.drm, &bench_pictures[0]);
			int fd = check_ok(gem_export(s.drm, handle, DRM_CLOEXEC));

			if (n == populations[i] / 2) {
				s.handle = handle;
				s.fd = fd;
			} else {
				close(fd);
			}
		}
		bench_settle();
		bench_instructions(name, populations[i], bench_loop(op, &s, 2000));
		close(s.fd);
		close(s.drm);
	}
}

/* Measures @op in a file with 10,000 handles of one buffer. */
static void with_same(const char *name, void (*op)(void *))
{
	const unsigned int count = 10000;
	struct subject s = { .drm = open_driver("vgem") };
	uint32_t handle;
	int64_t buffer;

	s.fd = make_dmabuf(s.drm, 1, &s.handle);
	buffer = check_ok(gem_flink(s.drm, s.handle));
	for (unsigned int n = 1; n < count; n++) {
		handle = check_ok(gem_open(s.drm, buffer));
		close(check_ok(gem_export(s.drm, handle, DRM_CLOEXEC)));
		if (n == count / 2)
			s.handle = handle;
	}
	bench_settle();
	bench_instructions(name, count, bench_loop(op, &s, 2000));
	close(s.fd);
	close(s.drm);
}

static void handle_to_fd_same(const char *name)
{
	with_same(name, op_handle_to_fd);
}

static void fd_to_handle_same(const char *name)
{
	with_same(name, op_fd_to_handle);
}

static void handle_to_fd(const char *name)
{
	with_handles(name, op_handle_to_fd);
}

static void fd_to_handle(const char *name)
{
	with_handles(name, op_fd_to_handle);
}

/* Measures an export while another file holds that many buffers. */
static void export_among(const char *name)
{
	for_each(i, populations) {
		struct subject s = { .drm = open_driver("vgem") };
		int crowd = open_driver("vgem");
		double with;

		for (unsigned int n = 0; n < populations[i]; n++)
			close(make_dmabuf(crowd, 1, NULL));
		bench_settle();
		with = bench_loop(op_create_export, &s, 3000);
		bench_instructions(name, populations[i], with - bench_loop(op_create, &s, 3000));
		close(crowd);
		close(s.drm);
	}
}

/* --- a full screen --- */

/* Measures the close of the fd that is all that keeps the buffer. */
static void last_close(const char *name)
{
	const unsigned int count = 4;
	uint64_t start, total = 0;

	for (unsigned int i = 0; i < count; i++) {
		int drm = open_driver("vgem");
		int fd = bench_picture_make(drm, &bench_pictures[3]);

		close(drm);
		start = bench_clock();
		close(fd);
		total += bench_since(start);
	}
	bench_instructions(name, 0, (double)total / count);
}

/* --- the dma-buf file --- */

static void op_sync(void *arg)
{
	struct subject *s = arg;

	check_ok(dmabuf_sync(s->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	check_ok(dmabuf_sync(s->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
}

static void op_sync_file(void *arg)
{
	struct subject *s = arg;

	close(check_ok(dmabuf_export_sync_file(s->fd, DMA_BUF_SYNC_READ)));
}

static void op_mmap(void *arg)
{
	struct subject *s = arg;
	void *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);

	check(map != MAP_FAILED);
	munmap(map, PAGE);
}

static void with_buffer(const char *name, void (*op)(void *), bool fence)
{
	struct subject s = { .drm = open_driver("vgem") };
	uint32_t pending = 0;

	s.fd = make_dmabuf(s.drm, 1, &s.handle);
	if (fence)
		pending = vgem_fence(s.drm, s.handle, true);
	bench_instructions(name, 0, bench_loop(op, &s, 2000));
	if (fence)
		vgem_fence_signal(s.drm, pending);
	close(s.fd);
	close(s.drm);
}

static void poll_idle(const char *name)
{
	with_buffer(name, op_poll, false);
}

static void poll_busy(const char *name)
{
	with_buffer(name, op_poll, true);
}

static void sync_ioctl(const char *name)
{
	with_buffer(name, op_sync, false);
}

static void export_sync_file(const char *name)
{
	with_buffer(name, op_sync_file, true);
}

static void mmap_munmap(const char *name)
{
	with_buffer(name, op_mmap, false);
}

/* --- memory --- */

static double memory_kb(void)
{
	bench_settle();
	return meminfo_kb("Slab") + meminfo_kb("PageTables") +
	       meminfo_kb("KernelStack") + meminfo_kb("Percpu");
}

/* Kernel memory in bytes for each buffer with an fd, and for each import. */
static void memory(const char *name)
{
	const unsigned int count = 8192;
	int drm = open_driver("vgem"), other = open_driver("vkms");
	static int fds[8192];
	uint32_t handles[8192];
	double before, exported, imported;
	struct rlimit limit = { count + 64, count + 64 };

	check_ok(setrlimit(RLIMIT_NOFILE, &limit) ? -errno : 0);
	for (unsigned int i = 0; i < count; i++)
		handles[i] = bench_picture_create(drm, &bench_pictures[0]);
	before = memory_kb();
	for (unsigned int i = 0; i < count; i++)
		fds[i] = check_ok(gem_export(drm, handles[i], DRM_CLOEXEC));
	exported = memory_kb();
	for (unsigned int i = 0; i < count; i++)
		check_ok(gem_import(other, fds[i]));
	imported = memory_kb();
	bench_result("memory-export", count, 1024 * (exported - before) / count,
		     "bytes");
	bench_result("memory-import", count, 1024 * (imported - exported) / count,
		     "bytes");
	for (unsigned int i = 0; i < count; i++)
		close(fds[i]);
	close(other);
	close(drm);
}

static const struct bench table[] = {
	{ "floor-syscall", "an empty system call", floor_syscall },
	{ "floor-dup", "dup() and close()", floor_dup },
	{ "floor-eventfd", "eventfd() and close()", floor_eventfd },
	{ "floor-poll", "poll() of an eventfd that can be read", floor_poll },
	{ "floor-drm-ioctl", "an ioctl of DRM that only tells a number", floor_drm_ioctl },
	{ "create", "create a buffer of one page and close it", create },
	{ "create-export", "the same with an export and close of its fd", create_export },
	{ "export", "the difference of the two", export },
	{ "export-among", "the same while that many other buffers live", export_among },
	{ "handle-to-fd", "HANDLE_TO_FD of an exported buffer, close; by handles in the file", handle_to_fd },
	{ "fd-to-handle", "FD_TO_HANDLE of a known buffer; by handles in the file", fd_to_handle },
	{ "handle-to-fd-same", "HANDLE_TO_FD in a file with that many handles of the buffer", handle_to_fd_same },
	{ "fd-to-handle-same", "FD_TO_HANDLE in a file with that many handles of the buffer", fd_to_handle_same },
	{ "last-close", "the last close of a buffer of 3840x2160 pixels", last_close },
	{ "poll-idle", "poll() of a buffer without fences", poll_idle },
	{ "poll-busy", "poll() of a buffer with a fence pending", poll_busy },
	{ "sync", "SYNC start and end", sync_ioctl },
	{ "sync-file", "EXPORT_SYNC_FILE of a buffer with a fence pending, and close", export_sync_file },
	{ "mmap", "mmap() of a buffer of one page, which is not touched, and munmap()", mmap_munmap },
	{ "memory", "kernel memory for a buffer with its fd, and for an import", memory },
};

BENCH_MAIN(table)
