// SPDX-License-Identifier: MIT
/**
 * TEST: prime cve
 * Description: Regressions for published vulnerabilities of buffer sharing. A
 *  description says what went wrong and how the subtest notices. Every subtest also
 *  fails when the kernel is tainted (a warning, an oops, a report of KASAN) or a
 *  buffer is left. Eleven of the fifteen vulnerabilities are tested where they were,
 *  in code that this kernel has. Four were in drivers that need hardware or a
 *  hypervisor. Their subtests are stand-ins: they look for the same mistake in the
 *  code that every driver shares, and would not have found the vulnerability itself.
 *  CVE-2022-50819 needs an allocation that fails, and is tested by prime_enomem's
 *  sync.
 */
#include "lib/prime_memory.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <libdrm/drm_fourcc.h>

#define MIB	(1024 * 1024ull)

/* --- udmabuf --- */

/* A memfd whose page N starts with the number N; it can't shrink. */
static int sealed_memfd(unsigned int pages)
{
	int fd = memfd_sealed(pages * PAGE, F_SEAL_SHRINK);

	for (unsigned int i = 0; i < pages; i++)
		check_eq(pwrite(fd, &i, sizeof(i), i * PAGE), sizeof(i));
	return fd;
}

/* Pages that somebody has pinned keep a memfd from being sealed like this. */
static int seal_writes(int memfd)
{
	return fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE) ? -errno : 0;
}

/* By a device that is open already, for use when no fd is free. */
static int create_on(int device, int memfd, uint64_t size)
{
	struct udmabuf_create arg = {
		.memfd = memfd, .flags = UDMABUF_FLAGS_CLOEXEC, .size = size,
	};

	return xioctl(device, UDMABUF_CREATE, &arg);
}

/* The start of one memfd, @count times. */
static int create_repeated(int memfd, uint64_t size, unsigned int count)
{
	struct udmabuf_create_item *items = calloc(count + 1, sizeof(*items));
	int ret;

	for (unsigned int i = 0; i < count; i++)
		items[i] = (struct udmabuf_create_item){
			.memfd = memfd, .size = size,
		};
	ret = udmabuf_create_list(items, count, UDMABUF_FLAGS_CLOEXEC);
	free(items);
	return ret;
}

static int numbered_udmabuf(unsigned int pages)
{
	int memfd = sealed_memfd(pages);
	int fd = check_ok(udmabuf_create(memfd, 0, pages * PAGE,
					 UDMABUF_FLAGS_CLOEXEC));

	close(memfd);
	return fd;
}

/* Sets a limit of the udmabuf driver until the subtest ends. */
static void udmabuf_limit(const char *name, int value)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/module/udmabuf/parameters/%s", name);
	set_system(path, value);
}

/* --- beyond the end of a buffer --- */

static sigjmp_buf fault;

static void on_fault(int signal)
{
	siglongjmp(fault, signal);
}

/* The signal that a read at @address causes, 0 for none. */
static int touch(volatile char *address)
{
	struct sigaction action = { .sa_handler = on_fault };
	int got;

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	got = sigsetjmp(fault, 1);
	if (!got)
		(void)*address;
	return got;
}

/*
 * No mapping reaches past the last page: not by its length, not by its offset,
 * not by being grown, not by having its pages shuffled. Where a mapping can be
 * grown, its new pages must not be there.
 */
static void check_the_end(int fd, off_t pages)
{
	for (off_t first = 0; first < pages; first++) {
		size_t length = (pages - first) * PAGE;
		char *map = mmap(NULL, length, PROT_READ | PROT_WRITE,
				 MAP_SHARED, fd, first * PAGE), *more;

		check(map != MAP_FAILED);
		more = mremap(map, length, length + PAGE, MREMAP_MAYMOVE);
		if (more != MAP_FAILED) {
			check_eq(touch(more + length), SIGBUS);
			map = more;
		} else {
			check_eq(errno, EFAULT);
		}
		check_eq(touch(map + length - 1), 0);
		/* If the call is refused, the old page is gone, too. */
		check(remap_file_pages(map, PAGE, 0, pages, 0));
		munmap(map, length + (more == MAP_FAILED ? 0 : PAGE));
	}
	check(mmap(NULL, (pages + 1) * PAGE, PROT_READ, MAP_SHARED, fd, 0) ==
	      MAP_FAILED);
	check(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, pages * PAGE) ==
	      MAP_FAILED);
	check(mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd,
		   -(off_t)PAGE) == MAP_FAILED);
}

/**
 * SUBTEST: cve-2023-2008-udmabuf-fault-past-the-end
 * Description: CVE-2023-2008: the fault handler of udmabuf used the page offset as
 *  an index and did not check the number of pages. So a mapping that was grown
 *  showed memory of the kernel. Noticed: a grown mapping that shows something (no
 *  SIGBUS), or a report of KASAN.
 */
static void cve_2023_2008_udmabuf_fault_past_the_end(void)
{
	int fd = numbered_udmabuf(4);
	unsigned int *map;

	check_the_end(fd, 4);
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 3 * PAGE);
	check(map != MAP_FAILED);
	check_eq(*map, 3);
}

/**
 * SUBTEST: cve-2021-47649-udmabuf-of-no-page
 * Description: CVE-2021-47649: a udmabuf of size 0 could be made. Its array was at
 *  the pointer that kmalloc() gives for 0 bytes, and the first access through it
 *  crashed. Noticed: an answer other than EINVAL, or a crash at the CPU access.
 */
static void cve_2021_47649_udmabuf_of_no_page(void)
{
	int memfd = sealed_memfd(2);
	const struct udmabuf_create_item items[] = {
		{ .memfd = memfd, .size = PAGE },
		{ .memfd = memfd, .offset = PAGE },
		{ .memfd = memfd, .size = PAGE },
	};

	check_error(udmabuf_create(memfd, 0, 0, 0), EINVAL);
	check_error(udmabuf_create(memfd, PAGE, 0, 0), EINVAL);
	check_error(create_repeated(memfd, PAGE, 0), EINVAL);
	check_error(create_repeated(memfd, 0, 1), EINVAL);
	check_error(create_repeated(memfd, 0, 1000), EINVAL);

	/* One empty part among others, too. */
	check_error(udmabuf_create_list(items, 3, 0), EINVAL);
	check_ok(seal_writes(memfd));
}

/**
 * SUBTEST: cve-2022-49983-udmabuf-without-dma-mask
 * Description: CVE-2022-49983: the device that udmabuf maps for had no DMA mask, so
 *  the first CPU access gave a warning and failed. Noticed: an errno, or the taint
 *  of the warning. There is one buffer for each direction, since a buffer stays
 *  mapped in the direction of its first access.
 */
static void cve_2022_49983_udmabuf_without_dma_mask(void)
{
	for (uint64_t way = DMA_BUF_SYNC_READ; way <= DMA_BUF_SYNC_RW; way++) {
		int fd = numbered_udmabuf(3);
		unsigned int *map = map_dmabuf(fd, 3 * PAGE);

		for (unsigned int turn = 0; turn < 3; turn++) {
			check_ok(dmabuf_sync(fd, DMA_BUF_SYNC_START | way));
			check_eq(map[2 * PAGE / sizeof(*map)], 2 + turn);
			map[2 * PAGE / sizeof(*map)]++;
			check_ok(dmabuf_sync(fd, DMA_BUF_SYNC_END | way));
		}
		unmap(map, 3 * PAGE);
		close(fd);
	}
}

/*
 * A memfd whose pages can be many times in one udmabuf: a huge page if there is one,
 * which is quicker, else small ones.
 */
#define PIECE	(2 * MIB)

static int one_piece(void)
{
	int fd = memfd_create("cve", MFD_ALLOW_SEALING | MFD_CLOEXEC |
				     MFD_HUGETLB);

	if (fd >= 0 && !ftruncate(fd, PIECE) && !fallocate(fd, 0, 0, PIECE)) {
		check_ok(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) ? -errno : 0);
		return fd;
	}
	close(fd);
	return sealed_memfd(PIECE / PAGE);
}

/* Adds one huge page if none is free. */
static void need_huge_page(void)
{
	const char *path = "/proc/sys/vm/nr_hugepages";
	char *text = read_text(path);

	if (text && !meminfo_kb("HugePages_Free:"))
		set_system(path, atol(text) + 1);
	free(text);
}

/* A udmabuf of @count pieces while the driver allows @limit MiB. */
static int udmabuf_with_limit(int limit, unsigned int count)
{
	int memfd, fd;

	need_huge_page();
	memfd = one_piece();
	udmabuf_limit("size_limit_mb", limit);
	udmabuf_limit("list_limit", count);
	fd = create_repeated(memfd, PIECE, count);
	close(memfd);
	return fd;
}

/**
 * SUBTEST: cve-2024-56544-udmabuf-of-two-gigabytes
 * Description: CVE-2024-56544: the array of a udmabuf's pages had to be contiguous.
 *  So a buffer of more than 2 GiB, which a higher limit allows, gave a warning and
 *  was refused. Here it is one huge page many times. Noticed: ENOMEM, the taint of
 *  the warning, or a last page that is missing.
 */
static void cve_2024_56544_udmabuf_of_two_gigabytes(void)
{
	unsigned int count = 2 * 1024 / 2 + 4;
	uint64_t size = count * PIECE;
	int fd = check_ok(udmabuf_with_limit(4096, count));
	volatile char *first, *last;

	check_eq(lseek(fd, 0, SEEK_END), size);
	first = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		     PIECE - PAGE);
	last = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    size - PAGE);
	check(first != MAP_FAILED);
	check(last != MAP_FAILED);
	first[1] = 42;
	check_eq(last[1], 42);
	check(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, size) == MAP_FAILED);
}

/**
 * SUBTEST: cve-2024-56712-udmabuf-without-fd
 * Description: CVE-2024-56712: when no fd was left for a new udmabuf, its pages were
 *  released, but its dma-buf stayed for ever with a pointer to them. Noticed: a
 *  count of buffers that grows, or a page that stays pinned, so that the memfd can't
 *  be sealed.
 */
static void cve_2024_56712_udmabuf_without_fd(void)
{
	int device = udmabuf_open(), memfd = sealed_memfd(4), fd;
	int before = count_buffers();
	unsigned long limit;

	/* Reading the count needs an fd, so it is read afterwards. */
	limit = forbid_fds();
	for (int i = 0; i < 200; i++)
		check_error(create_on(device, memfd, 4 * PAGE), EMFILE);
	allow_fds(limit);
	check_eq(settle_buffers(before), before);

	fd = check_ok(create_on(device, memfd, 4 * PAGE));
	check_error(seal_writes(memfd), EBUSY);
	close(fd);
	check_eq(settle_buffers(before), before);
	check_ok(seal_writes(memfd));
}

/**
 * SUBTEST: cve-2025-37803-udmabuf-limit-overflows
 * Description: CVE-2025-37803: the limit in MiB was converted to bytes in 32 bits. A
 *  limit of 4096 refused every buffer, and one of 2048 refused none. Noticed: a page
 *  that is refused, or a buffer above the limit that is made.
 */
static void cve_2025_37803_udmabuf_limit_overflows(void)
{
	static const int limits[] = { 1, 2047, 2048, 4095, 4096, 8192 };

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (limits[i] > 1)
			close(check_ok(udmabuf_with_limit(limits[i], 1)));
	check_error(udmabuf_with_limit(1, 1), EINVAL);
	check_error(udmabuf_with_limit(2047, 1024), EINVAL);
	check_error(udmabuf_with_limit(2048, 1025), EINVAL);
	close(check_ok(udmabuf_with_limit(2048, 1024)));
}

/* --- heaps --- */

/**
 * SUBTEST: cve-2024-46852-cma-heap-fault-past-the-end
 * Description: CVE-2024-46852: when a mapping had been grown, the fault handler of
 *  the contiguous heap accepted the first page past the end. Noticed: a grown
 *  mapping that shows something (no SIGBUS), or a report of KASAN.
 */
static void cve_2024_46852_cma_heap_fault_past_the_end(void)
{
	check_the_end(make_memory(MEMORY_CMA_HEAP, 3 * PAGE), 3);
}

/**
 * SUBTEST: cve-2024-46852-other-exporters-past-the-end
 * Description: The same test with the system heap, which maps all pages at once,
 *  with the device under test and with the other one.
 */
static void cve_2024_46852_other_exporters_past_the_end(void)
{
	check_the_end(make_dmabuf(open_device(), 4, NULL), 4);
	check_the_end(make_dmabuf(open_other(), 4, NULL), 4);
	check_the_end(make_memory(MEMORY_SYSTEM_HEAP, 5 * PAGE), 5);
}

/* --- threads --- */

static atomic_bool over;

static pthread_t start(void *(*run)(void *), void *data)
{
	pthread_t thread;

	atomic_store(&over, false);
	check_eq(pthread_create(&thread, NULL, run, data), 0);
	return thread;
}

static void stop(pthread_t thread)
{
	atomic_store(&over, true);
	check_eq(pthread_join(thread, NULL), 0);
}

static double half_a_race(void)
{
	return now() + race_seconds() / 2;
}

/* A race goes on until its threads have met. */
static bool racing(double end, unsigned int seen)
{
	return now() < end || (!seen && now() < end + 20);
}

static atomic_uint met;	/* waits on an epoll with a buffer in it */

static void *wait_on_epoll(void *data)
{
	struct epoll_event event;
	int ep = *(int *)data;
	char path[64], *text;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", ep);
	while (!atomic_load(&over)) {
		epoll_wait(ep, &event, 1, 0);
		text = read_text(path);
		if (text && strstr(text, "tfd:"))
			atomic_fetch_add(&met, 1);
		free(text);
	}
	return NULL;
}

/**
 * SUBTEST: cve-2024-38580-epoll-meets-the-last-close
 * Description: CVE-2024-38580: epoll polled a file whose last reference was gone.
 *  The poll of a dma-buf then took a reference to the dead file until its fence
 *  signalled. One thread waits on an epoll whose buffers, each with a pending fence,
 *  are closed by another thread. Noticed: KASAN, a warning of the file's count, or a
 *  buffer left.
 */
static void cve_2024_38580_epoll_meets_the_last_close(void)
{
	int drm = open_device(), timeline = sw_timeline();
	int ep = epoll_create1(EPOLL_CLOEXEC), before = count_buffers();
	pthread_t waiters[2];
	double end;
	uint32_t turn = 0;

	check(ep >= 0);
	for (int i = 0; i < 2; i++)
		waiters[i] = start(wait_on_epoll, &ep);
	for (end = half_a_race(); racing(end, atomic_load(&met)); turn++) {
		struct epoll_event event = { .events = EPOLLIN | EPOLLOUT };
		int fence = sw_fence(timeline, turn + 1);
		uint32_t handle;
		int fd = make_dmabuf(drm, 1, &handle);

		check_ok(dmabuf_import_sync_file(fd, DMA_BUF_SYNC_WRITE, fence));
		check_ok(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event) ? -errno : 0);
		check_ok(gem_close(drm, handle));
		if (turn & 1)
			sw_advance(timeline, 1);
		event.events |= EPOLLET;
		if (turn & 2)
			epoll_ctl(ep, EPOLL_CTL_MOD, fd, &event);
		close(fd);
		if (!(turn & 1))
			sw_advance(timeline, 1);
		/* sw_sync fails if a fence is freed while it is being signalled. */
		check_eq(poll_events(fence, 1, 5000), 1);
		close(fence);
	}
	for (int i = 0; i < 2; i++)
		stop(waiters[i]);
	printf("%u buffers, looked at %u times\n", turn, atomic_load(&met));
	check(atomic_load(&met) > 0);
	check_eq(settle_buffers(before), before);
}

/* --- the number of an fd that is being made --- */

static int guess;	/* the lowest free fd: the next one to be given out */

static void *close_the_guess(void *data)
{
	(void)data;
	while (!atomic_load(&over))
		close(guess);
	return NULL;
}

/* Makes fds in turn while another thread closes each as soon as it is there. */
static void race_for_the_fd(int (*make)(void *), void *data)
{
	unsigned int turns = 0, lost = 0;
	pthread_t closer;
	double end;

	guess = check_ok(make(data));
	close(guess);
	closer = start(close_the_guess, NULL);
	for (end = half_a_race(); racing(end, lost); turns++) {
		int fd = make(data);

		check_eq(fd, guess);
		lost += fcntl(fd, F_GETFD) < 0;
		close(fd);
	}
	stop(closer);
	printf("%u turns, the fd was gone in %u\n", turns, lost);
	check(lost > 0);
}

static int make_by_export(void *data)
{
	int drm = *(int *)data;
	uint32_t handle = check_ok(gem_create(drm, 1));
	int fd = gem_export(drm, handle, DRM_CLOEXEC);

	check_ok(gem_close(drm, handle));
	return fd;
}

static int make_by_heap(void *data)
{
	return heap_alloc(*(int *)data, PAGE, O_RDWR | O_CLOEXEC, 0);
}

struct from_memfd {
	int device, memfd;
};

static int make_by_udmabuf(void *data)
{
	struct from_memfd *from = data;

	return create_on(from->device, from->memfd, PAGE);
}

static int make_sync_file(void *data)
{
	return dmabuf_export_sync_file(*(int *)data, DMA_BUF_SYNC_RW);
}

/**
 * SUBTEST: cve-2025-38722-fd-closed-while-exported
 * Description: Stands in for CVE-2025-38722, in habanalabs, which needs its
 *  hardware: an export used the buffer after its fd was installed, when another
 *  thread may have closed it. Here a thread closes the next fd as soon as it is
 *  installed, during HANDLE_TO_FD and EXPORT_SYNC_FILE. Noticed: KASAN, a crash, or
 *  a buffer left.
 */
static void cve_2025_38722_fd_closed_while_exported(void)
{
	int drm = open_device(), before = count_buffers(), fd;

	race_for_the_fd(make_by_export, &drm);
	check_eq(settle_buffers(before), before);
	fd = make_dmabuf(drm, 1, NULL);
	race_for_the_fd(make_sync_file, &fd);
}

/**
 * SUBTEST: cve-2025-38595-fd-closed-while-made
 * Description: Stands in for CVE-2025-38595, in Xen's grant tables, which need Xen:
 *  the same mistake where a buffer is made from pages. Here such a thread runs
 *  during the ioctls of udmabuf and the system heap. Noticed: KASAN, a crash, a
 *  buffer left, or a page that stays pinned.
 */
static void cve_2025_38595_fd_closed_while_made(void)
{
	struct from_memfd from = { udmabuf_open(), sealed_memfd(1) };
	int heap = heap_open("system"), before = count_buffers();

	race_for_the_fd(make_by_udmabuf, &from);
	check_eq(settle_buffers(before), before);
	check_ok(seal_writes(from.memfd));
	if (heap >= 0)
		race_for_the_fd(make_by_heap, &heap);
	check_eq(settle_buffers(before), before);
}

/* --- DRM --- */

/* Maps an object that only its dma-buf holds, and then closes the dma-buf, too. */
static void map_the_last_reference(int drm)
{
	uint32_t handle = check_ok(gem_create(drm, 4));
	int fd = check_ok(gem_export(drm, handle, DRM_CLOEXEC | DRM_RDWR));
	volatile char *map[3];

	check_ok(gem_close(drm, handle));
	for (int i = 0; i < 3; i++) {
		map[i] = map_dmabuf(fd, 4 * PAGE);
		map[i][i * PAGE] = i + 1;
		if (i == 1) {
			munmap((void *)map[0], 4 * PAGE);
			map[0] = NULL;
		}
	}
	close(fd);
	check_eq(map[1][2 * PAGE], 3);
	munmap((void *)map[1], 4 * PAGE);
	check_eq(map[2][PAGE], 2);
	check_eq(map[2][0], 1);
	munmap((void *)map[2], 4 * PAGE);
}

static void map_last_references(void *data)
{
	int drm = open(data, O_RDWR | O_CLOEXEC);

	check_ok(drm < 0 ? -errno : 0);
	for (int i = 0; i < 20; i++)
		map_the_last_reference(drm);
}

static bool exports_dumb_buffers(int drm)
{
	int64_t handle = gem_create(drm, 1);
	int fd = handle < 0 ? -1 : gem_export(drm, handle, DRM_RDWR);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/**
 * SUBTEST: cve-2021-47200-mmap-of-the-last-reference
 * Description: CVE-2021-47200: mapping a dma-buf took the reference to the GEM
 *  object after the driver's mmap (TTM's helper) had dropped one. So an object that
 *  only its dma-buf held was freed in between. Tested on every DRM device that makes
 *  dumb buffers, each a dynamic subtest. Only a driver with that helper, such as
 *  bochs of Linux 6.12, can show the vulnerability itself. Noticed: KASAN, a warning of
 *  the count, or content that is lost.
 */
static void cve_2021_47200_mmap_of_the_last_reference(void)
{
	char drivers[16][48] = { }, path[32], name[64];
	bool tried = false;

	for (int i = 0; i < 16; i++) {
		int drm, nth = 1;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		drm = open(path, O_RDWR | O_CLOEXEC);
		if (drm < 0)
			continue;
		/* Not by the card's number, which depends on the other cards. */
		snprintf(drivers[i], sizeof(drivers[i]), "%s", driver_name(drm));
		for (int j = 0; j < i; j++)
			nth += !strcmp(drivers[j], drivers[i]);
		snprintf(name, sizeof(name), "%.47s-%d", drivers[i], nth);
		if (exports_dumb_buffers(drm)) {
			close(drm);
			prime_dynamic(name, map_last_references, path);
			tried = true;
		} else {
			close(drm);
		}
	}
	if (!tried)
		prime_skip("no DRM device makes dumb buffers");
}

/* --- a virtual display --- */

enum { ROWS = 480 };	/* of a page each, of which 2560 bytes are shown */

struct display {
	int drm;
	uint32_t crtc, connector;
	struct drm_mode_modeinfo mode;
};

static struct display open_display(void)
{
	struct display d = { .drm = open_driver("vkms") };
	struct drm_mode_modeinfo modes[128];
	struct drm_mode_card_res res = { };
	struct drm_mode_get_connector conn = { };

	res.count_crtcs = res.count_connectors = 1;
	res.crtc_id_ptr = (uintptr_t)&d.crtc;
	res.connector_id_ptr = (uintptr_t)&d.connector;
	if (xioctl(d.drm, DRM_IOCTL_MODE_GETRESOURCES, &res) || !d.crtc ||
	    !d.connector)
		prime_skip("vkms here has not one display");

	conn.connector_id = d.connector;
	check_ok(xioctl(d.drm, DRM_IOCTL_MODE_GETCONNECTOR, &conn));
	if (conn.count_modes > 128)
		conn.count_modes = 128;
	conn.modes_ptr = (uintptr_t)modes;
	conn.count_props = conn.count_encoders = 0;
	check_ok(xioctl(d.drm, DRM_IOCTL_MODE_GETCONNECTOR, &conn));
	for (unsigned int i = 0; i < conn.count_modes; i++)
		if (modes[i].hdisplay == 640 && modes[i].vdisplay == ROWS)
			d.mode = modes[i];
	check_eq(d.mode.hdisplay, 640);
	return d;
}

static uint32_t framebuffer(struct display *d, uint32_t handle)
{
	struct drm_mode_fb_cmd2 arg = {
		.width = 640, .height = ROWS, .pixel_format = DRM_FORMAT_XRGB8888,
		.handles = { handle }, .pitches = { PAGE },
	};

	check_ok(xioctl(d->drm, DRM_IOCTL_MODE_ADDFB2, &arg));
	return arg.fb_id;
}

static void remove_framebuffer(struct display *d, uint32_t fb)
{
	check_ok(xioctl(d->drm, DRM_IOCTL_MODE_RMFB, &fb));
}

/* The picture in @fb is shown; 0 turns the display off. */
static void show(struct display *d, uint32_t fb)
{
	struct drm_mode_crtc arg = {
		.crtc_id = d->crtc, .fb_id = fb, .mode = d->mode,
		.mode_valid = fb != 0, .count_connectors = fb != 0,
		.set_connectors_ptr = (uintptr_t)&d->connector,
	};

	need_vkms_screen();
	check_ok(xioctl(d->drm, DRM_IOCTL_MODE_SETCRTC, &arg));
}

/* The checksum of what is shown, from debugfs. */
static unsigned long shown(struct display *d)
{
	char path[96], line[64];
	unsigned long sum = 0;
	struct stat st;
	ssize_t got;
	int fd, ret;

	check_ok(fstat(d->drm, &st) ? -errno : 0);
	snprintf(path, sizeof(path),
		 "/sys/kernel/debug/dri/%u/crtc-0/crc/control", minor(st.st_rdev));
	ret = write_text(path, "auto");
	if (ret)
		prime_skip("%s: %s", path, strerror(-ret));
	snprintf(path, sizeof(path),
		 "/sys/kernel/debug/dri/%u/crtc-0/crc/data", minor(st.st_rdev));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	check(fd >= 0);
	for (int frame = 0; frame < 2; frame++) {
		got = read(fd, line, sizeof(line) - 1);
		check(got > 0);
		line[got] = '\0';
		check_eq(sscanf(line, "%*s %lx", &sum), 1);
	}
	close(fd);
	return sum;
}

static void paint(int fd, uint32_t colour)
{
	uint32_t *map = map_dmabuf(fd, ROWS * PAGE);

	check_ok(dmabuf_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE));
	for (size_t i = 0; i < ROWS * PAGE / sizeof(*map); i++)
		map[i] = colour + i * 0x010101;
	check_ok(dmabuf_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE));
	unmap(map, ROWS * PAGE);
}

/* The checksum of the display's own buffer, painted in this way. */
static unsigned long shown_locally(struct display *d, uint32_t colour)
{
	uint32_t handle, fb;
	int fd = make_dmabuf(d->drm, ROWS, &handle);
	unsigned long sum;

	paint(fd, colour);
	fb = framebuffer(d, handle);
	show(d, fb);
	sum = shown(d);
	show(d, 0);
	remove_framebuffer(d, fb);
	gem_close(d->drm, handle);
	close(fd);
	return sum;
}

/**
 * SUBTEST: cve-2025-38449-framebuffer-outlives-its-handle
 * Description: CVE-2025-38449: a framebuffer held the GEM object but not its handle.
 *  So closing the handle took the dma-buf from an object that was about to be shown,
 *  and the display mapped it through a NULL pointer. The handle, the fd and the
 *  exporter are closed. Then the framebuffer is shown, hidden and shown again.
 *  Noticed: a crash or warning, a picture that is not the one painted, or another
 *  dma-buf than before.
 */
static void cve_2025_38449_framebuffer_outlives_its_handle(void)
{
	struct display d = open_display();
	int before = count_buffers();
	unsigned long wanted = shown_locally(&d, 0x123456), other;
	int exporter = open_driver("vgem");
	int fd = make_dmabuf(exporter, ROWS, NULL), again;
	uint32_t handle = check_ok(gem_import(d.drm, fd));
	uint32_t fb = framebuffer(&d, handle);
	struct drm_mode_fb_cmd2 info = { .fb_id = fb };
	uint64_t inode = inode_of(fd);

	paint(fd, 0x123456);
	check_ok(gem_close(d.drm, handle));
	close(fd);
	close(exporter);
	for (int i = 0; i < 3; i++) {
		show(&d, fb);
		check_eq(shown(&d), wanted);
		other = shown_locally(&d, 0x654321);
		check(other != wanted);
		show(&d, 0);
	}

	check_ok(xioctl(d.drm, DRM_IOCTL_MODE_GETFB2, &info));
	again = check_ok(gem_export(d.drm, info.handles[0], DRM_CLOEXEC));
	check_eq(inode_of(again), inode);
	check_eq(gem_import(d.drm, again), info.handles[0]);
	close(again);
	check_ok(gem_close(d.drm, info.handles[0]));
	remove_framebuffer(&d, fb);
	check_eq(settle_buffers(before), before);
}

/**
 * SUBTEST: cve-2025-38674-import-outlives-its-handle
 * Description: CVE-2025-38674, of Linux 6.15: when an imported object was freed, the
 *  object's own dma-buf pointer was used, which is NULL after the last handle's
 *  close, and not its attachment. Imported objects outlive their handle in a
 *  framebuffer, get a new handle, are exported again, and are freed in each order.
 *  Noticed: a crash, an attachment or a buffer left.
 */
static void cve_2025_38674_import_outlives_its_handle(void)
{
	struct display d = open_display();
	int before = count_buffers();

	for (int order = 0; order < 8; order++) {
		int exporter = open_driver("vgem");
		int fd = make_dmabuf(exporter, ROWS, NULL), again;
		uint32_t handle = check_ok(gem_import(d.drm, fd));
		uint32_t fb = framebuffer(&d, handle);
		uint64_t inode = inode_of(fd);
		struct drm_mode_fb_cmd2 info = { .fb_id = fb };

		check_ok(gem_close(d.drm, handle));
		if (order & 1)
			close(exporter);
		check_ok(xioctl(d.drm, DRM_IOCTL_MODE_GETFB2, &info));
		if (order & 2)
			remove_framebuffer(&d, fb);
		again = check_ok(gem_export(d.drm, info.handles[0],
					    DRM_CLOEXEC));
		check_eq(inode_of(again), inode);
		if (order & 4)
			close(fd);
		check_ok(gem_close(d.drm, info.handles[0]));
		handle = check_ok(gem_import(d.drm, again));
		if (!(order & 2))
			remove_framebuffer(&d, fb);
		if (!(order & 4))
			close(fd);
		close(again);
		check_ok(gem_close(d.drm, handle));
		if (!(order & 1))
			close(exporter);
		check_eq(settle_buffers(before), before);
	}
}

/**
 * SUBTEST: cve-2025-37765-importer-dies-last
 * Description: Stands in for CVE-2025-37765, in nouveau, which needs its hardware:
 *  an importer first put the dma-buf and then looked at the fences of its
 *  reservation object, which was freed with it. Here the importer's object is the
 *  last to hold the buffer, and is freed with pending fences, signalled ones and
 *  none. Noticed: KASAN, or a buffer left.
 */
static void cve_2025_37765_importer_dies_last(void)
{
	int timeline = sw_timeline(), before = count_buffers();

	for (int turn = 0; turn < 30; turn++) {
		int exporter = open_device(), importer = open_other();
		int fd = make_dmabuf(exporter, 1 + turn % 3, NULL);
		int fence = sw_fence(timeline, turn + 1);
		uint32_t handle = check_ok(gem_import(importer, fd));

		if (turn % 3)
			check_ok(dmabuf_import_sync_file(fd, 1 + turn % 2,
							 fence));
		if (turn % 3 == 2)
			sw_advance(timeline, 1);
		close(fd);
		close(exporter);
		if (turn & 4)
			close(check_ok(gem_export(importer, handle, 0)));
		if (turn & 1)
			check_ok(gem_close(importer, handle));
		close(importer);
		if (turn % 3 != 2)
			sw_advance(timeline, 1);
		check_eq(poll_events(fence, 1, 5000), 1);
		close(fence);
	}
	check_eq(settle_buffers(before), before);
}

/**
 * SUBTEST: cve-2024-46709-importer-reads-foreign-pages
 * Description: Stands in for CVE-2024-46709, in vmwgfx, which needs its hypervisor:
 *  an importer read the pages of a foreign buffer directly, which not every exporter
 *  allows, and not through the buffer's vmap. Here the virtual display shows buffers
 *  of another DRM device, of udmabuf and of the heaps, painted like its own.
 *  Noticed: a crash, or a picture that is not the one painted.
 */
static void cve_2024_46709_importer_reads_foreign_pages(void)
{
	struct display d = open_display();
	unsigned long wanted = shown_locally(&d, 0x224466);
	const int fds[] = {
		make_dmabuf(open_driver("vgem"), ROWS, NULL),
		make_memory(MEMORY_UDMABUF, ROWS * PAGE),
		make_memory(MEMORY_SYSTEM_HEAP, ROWS * PAGE),
		make_memory(MEMORY_CMA_HEAP, ROWS * PAGE),
	};

	for (int i = 0; i < 4; i++) {
		uint32_t handle = check_ok(gem_import(d.drm, fds[i]));
		uint32_t fb = framebuffer(&d, handle);

		paint(fds[i], 0x113355);
		show(&d, fb);
		check(shown(&d) != wanted);
		paint(fds[i], 0x224466);
		show(&d, fb);
		check_eq(shown(&d), wanted);
		show(&d, 0);
		remove_framebuffer(&d, fb);
		check_ok(gem_close(d.drm, handle));
	}
}

static const struct prime_subtest subtests[] = {
	SUBTEST(cve_2023_2008_udmabuf_fault_past_the_end),
	SUBTEST(cve_2021_47649_udmabuf_of_no_page),
	SUBTEST(cve_2022_49983_udmabuf_without_dma_mask),
	SUBTEST(cve_2024_56544_udmabuf_of_two_gigabytes),
	SUBTEST(cve_2024_56712_udmabuf_without_fd),
	SUBTEST(cve_2025_37803_udmabuf_limit_overflows),
	SUBTEST(cve_2024_46852_cma_heap_fault_past_the_end),
	SUBTEST(cve_2024_46852_other_exporters_past_the_end),
	SUBTEST(cve_2024_38580_epoll_meets_the_last_close),
	SUBTEST(cve_2025_38722_fd_closed_while_exported),
	SUBTEST(cve_2025_38595_fd_closed_while_made),
	SUBTEST(cve_2021_47200_mmap_of_the_last_reference),
	SUBTEST(cve_2025_38449_framebuffer_outlives_its_handle),
	SUBTEST(cve_2025_38674_import_outlives_its_handle),
	SUBTEST(cve_2025_37765_importer_dies_last),
	SUBTEST(cve_2024_46709_importer_reads_foreign_pages),
};

PRIME_MAIN(subtests)
