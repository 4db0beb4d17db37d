// SPDX-License-Identifier: GPL-2.0
/*
 * What one operation costs, alone on one processor. Meant for QEMU's -icount,
 * where the clock counts instructions.
 */
#include "bench.h"
#include "prime_mock.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define NS_PER_INSTRUCTION	2

static void report(const char *name, uint64_t parameter, double ns)
{
	bench_result(name, parameter, ns / NS_PER_INSTRUCTION, "instructions");
}

/* Pictures of 4 bytes a pixel; the last two are full screens. */
static const struct {
	unsigned int width, height, count;
} pictures[] = {
	{ 32, 32, 200 }, { 256, 256, 100 }, { 1920, 1080, 10 }, { 3840, 2160, 5 },
};

static const unsigned int populations[] = { 16, 256, 4096, 16384 };

#define for_each(i, array) \
	for (size_t i = 0; i < sizeof(array) / sizeof((array)[0]); i++)

/* One operation's arguments. */
struct subject {
	int drm, other;
	uint32_t handle;
	int fd;
	unsigned int width, height;
};

static uint32_t picture_create(int drm, unsigned int width, unsigned int height)
{
	struct drm_mode_create_dumb arg = {
		.width = width, .height = height, .bpp = 32,
	};

	check_ok(xioctl(drm, DRM_IOCTL_MODE_CREATE_DUMB, &arg));
	return arg.handle;
}

/* Writes to each page, as a producer does: shmem has no page before that. */
static void picture_fill(int fd, size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	check(map != MAP_FAILED);
	memset(map, 0x5a, size);
	munmap(map, size);
}

/* --- floors: what the kernel takes for next to nothing --- */

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
	report(name, 0, bench_loop(op_syscall, NULL, 2000));
}

static void floor_dup(const char *name)
{
	report(name, 0, bench_loop(op_dup, NULL, 2000));
}

static void floor_eventfd(const char *name)
{
	report(name, 0, bench_loop(op_eventfd, NULL, 2000));
}

/* The cost of a poll without a dma-buf. */
static void floor_poll(const char *name)
{
	struct subject s = { .fd = check_ok(eventfd(1, 0)) };

	report(name, 0, bench_loop(op_poll, &s, 2000));
	close(s.fd);
}

/* --- export --- */

static void op_create(void *arg)
{
	struct subject *s = arg;

	gem_close(s->drm, picture_create(s->drm, 32, 32));
}

static void op_create_export(void *arg)
{
	struct subject *s = arg;
	uint32_t handle = picture_create(s->drm, 32, 32);

	close(gem_export(s->drm, handle, DRM_CLOEXEC | DRM_RDWR));
	gem_close(s->drm, handle);
}

static void op_handle_to_fd(void *arg)
{
	struct subject *s = arg;

	close(gem_export(s->drm, s->handle, DRM_CLOEXEC | DRM_RDWR));
}

static void op_fd_to_handle(void *arg)
{
	struct subject *s = arg;

	gem_import(s->drm, s->fd);
}

static void create(const char *name)
{
	struct subject s = { .drm = open_driver("vgem") };

	report(name, 0, bench_loop(op_create, &s, 500));
	close(s.drm);
}

static void create_export(const char *name)
{
	struct subject s = { .drm = open_driver("vgem") };

	report(name, 0, bench_loop(op_create_export, &s, 500));
	close(s.drm);
}

/* Measures both together, to include accounting that is done late. */
static void export(const char *name)
{
	struct subject s = { .drm = open_driver("vgem") };
	double with = bench_loop(op_create_export, &s, 500);

	report(name, 0, with - bench_loop(op_create, &s, 500));
	close(s.drm);
}

/* Measures @op in a file with that many exported handles. */
static void with_handles(const char *name, void (*op)(void *))
{
	for_each(i, populations) {
		struct subject s = { .drm = open_driver("vgem") };

		for (unsigned int n = 0; n < populations[i]; n++) {
			uint32_t handle = picture_create(s.drm, 32, 32);
			int fd = check_ok(gem_export(s.drm, handle, DRM_CLOEXEC));

			if (n == populations[i] / 2) {
				s.handle = handle;
				s.fd = fd;
			} else {
				close(fd);
			}
		}
		bench_settle();
		report(name, populations[i], bench_loop(op, &s, 2000));
		close(s.fd);
		close(s.drm);
	}
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
		with = bench_loop(op_create_export, &s, 300);
		report(name, populations[i], with - bench_loop(op_create, &s, 300));
		close(crowd);
		close(s.drm);
	}
}

/* --- import --- */

static void op_import(void *arg)
{
	struct subject *s = arg;
	int64_t handle = gem_import(s->other, s->fd);

	check(handle > 0);
	gem_close(s->other, handle);
}

static void import_again(const char *name)
{
	for_each(i, pictures) {
		struct subject s = {
			.drm = open_driver("vgem"), .other = open_driver("vkms"),
		};
		unsigned int width = pictures[i].width;
		unsigned int height = pictures[i].height;

		s.handle = picture_create(s.drm, width, height);
		s.fd = check_ok(gem_export(s.drm, s.handle, DRM_CLOEXEC | DRM_RDWR));
		picture_fill(s.fd, 4ul * width * height);
		report(name, width * height,
		       bench_loop(op_import, &s, pictures[i].count));
		close(s.fd);
		close(s.drm);
		close(s.other);
	}
}

static void import_first(const char *name)
{
	for_each(i, pictures) {
		unsigned int width = pictures[i].width;
		unsigned int height = pictures[i].height;
		unsigned int count = pictures[i].count;
		uint64_t total = 0;

		for (unsigned int n = 0; n < count; n++) {
			struct subject s = {
				.drm = open_driver("vgem"),
				.other = open_driver("vkms"),
			};
			uint64_t start;

			s.handle = picture_create(s.drm, width, height);
			s.fd = check_ok(gem_export(s.drm, s.handle,
						   DRM_CLOEXEC | DRM_RDWR));
			picture_fill(s.fd, 4ul * width * height);
			start = bench_clock();
			op_import(&s);
			total += bench_clock() - start;
			close(s.fd);
			close(s.drm);
			close(s.other);
		}
		report(name, width * height, (double)total / count);
	}
}

/* --- what no system call reaches: by an importer that tests drive --- */

/* The import's number is in @handle. */
static void op_attach(void *arg)
{
	struct subject *s = arg;
	int64_t import = mock_attach(s->other, s->fd, 0);

	mock_step(s->other, import, PRIME_MOCK_DETACH);
}

static void op_map(void *arg)
{
	struct subject *s = arg;

	mock_map(s->other, s->handle, PRIME_MOCK_BIDIRECTIONAL);
	mock_step(s->other, s->handle, PRIME_MOCK_UNMAP);
}

/* On a buffer of the second device, whose exporter does almost nothing. */
static void kernel_side(const char *name, void (*op)(void *), bool attached)
{
	struct subject s = { .drm = mock_open(1), .other = mock_open(0) };

	s.fd = check_ok(mock_dmabuf(s.drm, 64, 0, NULL));
	if (attached)
		s.handle = check_ok(mock_attach(s.other, s.fd, 0));
	report(name, 64, bench_loop(op, &s, 1000));
	close(s.other);
	close(s.fd);
	close(s.drm);
}

static void attach(const char *name)
{
	kernel_side(name, op_attach, false);
}

static void map(const char *name)
{
	kernel_side(name, op_map, true);
}

/* --- the dma-buf file --- */

static void op_sync(void *arg)
{
	struct subject *s = arg;

	dmabuf_sync(s->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
	dmabuf_sync(s->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
}

static void op_sync_file(void *arg)
{
	struct subject *s = arg;

	close(dmabuf_export_sync_file(s->fd, DMA_BUF_SYNC_READ));
}

static void with_buffer(const char *name, void (*op)(void *), bool fence)
{
	struct subject s = { .drm = open_driver("vgem") };
	uint32_t pending = 0;

	s.fd = make_dmabuf(s.drm, 1, &s.handle);
	if (fence)
		pending = vgem_fence(s.drm, s.handle, true);
	report(name, 0, bench_loop(op, &s, 2000));
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
	with_buffer(name, op_sync_file, false);
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
		handles[i] = picture_create(drm, 32, 32);
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
	{ "create", "create a buffer of one page and close it", create },
	{ "create-export", "the same with an export and close of its fd", create_export },
	{ "export", "the difference of the two", export },
	{ "export-among", "the same, among as many buffers", export_among },
	{ "handle-to-fd", "HANDLE_TO_FD of an exported buffer, close; by handles in the file", handle_to_fd },
	{ "fd-to-handle", "FD_TO_HANDLE of a known buffer; by handles in the file", fd_to_handle },
	{ "import-first", "vgem to vkms and close of the handle, a new buffer; by pixels", import_first },
	{ "import-again", "the same, the buffer was imported before; by pixels", import_again },
	{ "attach", "attach and detach, with two ioctls of prime_mock; by pages", attach },
	{ "map", "map and unmap of an attachment, with two ioctls of prime_mock; by pages", map },
	{ "poll-idle", "poll() of a buffer without fences", poll_idle },
	{ "poll-busy", "poll() of a buffer with a fence pending", poll_busy },
	{ "sync", "SYNC start and end", sync_ioctl },
	{ "sync-file", "EXPORT_SYNC_FILE and close", export_sync_file },
	{ "memory", "kernel memory for a buffer with its fd, and for an import", memory },
};

BENCH_MAIN(table)
