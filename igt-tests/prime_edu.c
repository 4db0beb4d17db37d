// SPDX-License-Identifier: MIT
/**
 * TEST: prime edu
 * Description: Bytes moved by a real DMA engine, that of QEMU's edu device with the
 *  driver prime_edu, between buffers of several exporters. Run it plain, with an
 *  IOMMU and with swiotlb=force. In each, the bytes arrive complete and are never
 *  stale, or the import is refused since memory lies beyond the engine's 28 bits.
 */
#include "lib/prime_test.h"
#include "lib/prime_mock.h"

#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <linux/dma-buf-constraints.h>
#include <linux/dma-heap.h>
#include <linux/sync_file.h>
#include <linux/udmabuf.h>
#include <drm/prime_edu.h>

#define ENGINE_BITS	28
#define COPY_MS		20000	/* far more than any copy here takes */

/* A buffer of any exporter, with the engine's handle of it. */
struct buffer {
	int fd;
	uint32_t handle;
	size_t size;
	uint8_t *map;
	bool no_sync;	/* see udmabuf_buffer() */
};

static int edu_open(void)
{
	return open_driver("prime_edu");
}

static int edu_copy(int edu, uint32_t src, uint64_t src_offset, uint32_t dst,
		    uint64_t dst_offset, uint64_t size)
{
	struct drm_prime_edu_copy arg = {
		.src_handle = src, .src_offset = src_offset,
		.dst_handle = dst, .dst_offset = dst_offset, .size = size,
	};

	return xioctl(edu, DRM_IOCTL_PRIME_EDU_COPY, &arg);
}

/* --- what the machine can do --- */

static bool found(const char *pattern)
{
	glob_t paths;
	bool any = glob(pattern, 0, NULL, &paths) == 0;

	globfree(&paths);
	return any;
}

static bool bounce_forced(void)
{
	char *text = read_text("/proc/cmdline");
	char *option = text ? strstr(text, "swiotlb=") : NULL;
	/* "force", alone or after sizes */
	bool forced = option && memmem(option, strcspn(option, " \n"), "force", 5);

	free(text);
	return forced;
}

static bool memory_above_engine(void)
{
	char *text = read_text("/proc/iomem"), *line, *rest = text;
	bool above = false;

	check(text);
	while ((line = strsep(&rest, "\n"))) {
		unsigned long long end;

		if (strstr(line, "System RAM") &&
		    sscanf(line, "%*x-%llx", &end) == 1)
			above |= end >> ENGINE_BITS;
	}
	free(text);
	return above;
}

#define DRIVER	"/sys/bus/pci/drivers/prime_edu"

/* The devices of the driver, by address; gives their number. */
static unsigned int edu_addresses(char addresses[][16], unsigned int room)
{
	unsigned int count = 0;
	glob_t paths;

	if (glob(DRIVER "/0*", 0, NULL, &paths))
		return 0;
	for (; count < paths.gl_pathc && count < room; count++)
		snprintf(addresses[count], sizeof(addresses[0]), "%s",
			 strrchr(paths.gl_pathv[count], '/') + 1);
	globfree(&paths);
	return count;
}

/*
 * The subtests do this while buffers are still used. If the driver leaves them mapped,
 * DMA_API_DEBUG warns.
 */
static void edu_unbind(const char *address)
{
	check_ok(write_text(DRIVER "/unbind", address));
}

static int edu_open_at(const char *address)
{
	char path[128];
	glob_t found;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/drm/card*",
		 address);
	check_eq(glob(path, 0, NULL, &found), 0);
	snprintf(path, sizeof(path), "/dev/dri/%s",
		 strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
	fd = open(path, O_RDWR | O_CLOEXEC);
	check_ok(fd < 0 ? -errno : fd);
	return fd;
}

/* "identity": the device's IOMMU does not translate. It must be unbound. */
static void group_type(const char *address, const char *type)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group/type",
		 address);
	check_ok(write_text(path, type));
}

static bool group_is_identity(const char *address)
{
	char path[128], *type;
	bool identity;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group/type",
		 address);
	type = read_text(path);
	identity = type && !strncmp(type, "identity", 8);
	free(type);
	return identity;
}

static bool translated(void)
{
	return found(DRIVER "/0*/iommu_group");
}

/*
 * Must memory of any address be importable? This does not ask the driver. A bounce
 * buffer does not help if memory lies out of reach, since it may lie there, too.
 */
static bool reaches_memory(void)
{
	return translated() || !memory_above_engine();
}

/* --- exporters --- */

static int heap_dmabuf(size_t size)
{
	struct dma_heap_allocation_data arg = {
		.len = size, .fd_flags = O_RDWR | O_CLOEXEC,
	};
	int dev = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC);

	if (dev < 0)
		prime_skip("/dev/dma_heap/system: %s", strerror(errno));
	check_ok(xioctl(dev, DMA_HEAP_IOCTL_ALLOC, &arg));
	close(dev);
	return arg.fd;
}

/* The pages of a memfd in reverse: no two are neighbours for the engine. */
static int udmabuf_dmabuf(size_t size)
{
	unsigned int pages = size / PAGE;
	struct udmabuf_create_list *list;
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	int memfd, fd;

	if (dev < 0)
		prime_skip("/dev/udmabuf: %s", strerror(errno));
	memfd = memfd_create("edu", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	check_ok(memfd);
	check_ok(ftruncate(memfd, size));
	check_ok(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	list = calloc(1, sizeof(*list) + pages * sizeof(list->list[0]));
	check(list);
	list->flags = UDMABUF_FLAGS_CLOEXEC;
	list->count = pages;
	for (unsigned int i = 0; i < pages; i++) {
		list->list[i].memfd = memfd;
		list->list[i].offset = (uint64_t)(pages - 1 - i) * PAGE;
		list->list[i].size = PAGE;
	}
	fd = check_ok(xioctl(dev, UDMABUF_CREATE_LIST, list));
	free(list);
	close(memfd);
	close(dev);
	return fd;
}

static int vgem_dmabuf(size_t size)
{
	return make_dmabuf(open_driver("vgem"), size / PAGE, NULL);
}

static struct buffer buffer_map(int fd, uint32_t handle, size_t size)
{
	struct buffer b = { .fd = fd, .handle = handle, .size = size };

	b.map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(b.map != MAP_FAILED);
	return b;
}

static struct buffer edu_buffer(int edu, size_t size)
{
	uint32_t handle;
	int fd = make_dmabuf(edu, size / PAGE, &handle);

	return buffer_map(fd, handle, size);
}

/* Imports. If the import must be refused and is, there is nothing more to do. */
static struct buffer foreign_buffer(int edu, int fd, size_t size)
{
	if (!reaches_memory()) {
		check_error(gem_import(edu, fd), EIO);
		prime_skip("the import is refused (EIO), as it must be: memory above %d bits and no IOMMU",
			   ENGINE_BITS);
	}
	return buffer_map(fd, check_ok(gem_import(edu, fd)), size);
}

/* The layer refuses a bounced mapping of udmabuf, and says why. */
static bool refused_as_bounced(int edu, int fd)
{
	struct dma_buf_refusal why = { };
	int64_t handle = gem_import(edu, fd);

	if (handle >= 0) {
		check_ok(gem_close(edu, handle));
		return false;
	}
	check_error(handle, EOPNOTSUPP);
	check_ok(xioctl(fd, DMA_BUF_IOCTL_GET_REFUSAL, &why));
	check_eq(why.error, EOPNOTSUPP);
	check_eq(why.field, DMA_BUF_FIELD_BOUNCE);
	check_eq(why.step, DMA_BUF_STEP_TABLE);
	check_eq(why.by, DMA_BUF_BY_CORE);
	check(why.flags & DMA_BUF_REFUSAL_BOUNCED);
	check(!strcmp(why.exporter, "udmabuf"));
	return true;
}

/*
 * When the processor first begins an access, udmabuf also maps its pages for its own
 * device. With swiotlb=force that makes a bounce buffer which the engine does not
 * know, and each further begin copies it over the memory. So the bytes are compared
 * without SYNC there. udmabuf-cpu-access does it in the right way.
 */
static struct buffer udmabuf_buffer(int edu, size_t size)
{
	int fd = udmabuf_dmabuf(size);
	struct buffer b;

	if (bounce_forced() && refused_as_bounced(edu, fd))
		prime_skip("the layer refuses the import, as udmabuf-cpu-access wants it");
	b = foreign_buffer(edu, fd, size);
	b.no_sync = bounce_forced();
	return b;
}

/* --- content --- */

static uint8_t byte_at(uint32_t seed, size_t i)
{
	uint32_t x = (i + 1) * 2654435761u ^ seed * 40503u;

	return x >> 24 ^ x >> 11;
}

/*
 * Always in both directions: udmabuf keeps the direction of the first access, and
 * DMA_API_DEBUG takes another direction for a mistake.
 */
static void cpu_access(struct buffer *b, uint64_t end)
{
	if (!b->no_sync)
		check_ok(dmabuf_sync(b->fd, DMA_BUF_SYNC_RW | end));
}

static void fill(struct buffer *b, uint32_t seed)
{
	cpu_access(b, DMA_BUF_SYNC_START);
	for (size_t i = 0; i < b->size; i++)
		b->map[i] = byte_at(seed, i);
	cpu_access(b, DMA_BUF_SYNC_END);
}

/* Compares @size bytes of @b at @at with those that @seed gives at @from. */
static void check_range(struct buffer *b, size_t at, size_t size,
			uint32_t seed, size_t from)
{
	size_t i;

	cpu_access(b, DMA_BUF_SYNC_START);
	for (i = 0; i < size; i++)
		if (b->map[at + i] != byte_at(seed, from + i))
			prime_fail(__FILE__, __LINE__,
				   "byte %zu is %#x, not %#x", at + i,
				   b->map[at + i], byte_at(seed, from + i));
	cpu_access(b, DMA_BUF_SYNC_END);
}

/* A sync file of the buffer's writer. The error of a writer that has ended is lost. */
static int writer(struct buffer *b)
{
	return check_ok(dmabuf_export_sync_file(b->fd, DMA_BUF_SYNC_READ));
}

/* 1, or the negative errno with which it has ended. */
static int status_of(int file, int ms)
{
	struct sync_file_info info = {};

	check_eq(poll_events(file, POLLIN, ms), POLLIN);
	check_ok(xioctl(file, SYNC_IOC_FILE_INFO, &info));
	close(file);
	return info.status;
}

static int writer_status(struct buffer *b, int ms)
{
	return status_of(writer(b), ms);
}

static void copy_all(int edu, struct buffer *src, struct buffer *dst)
{
	check_ok(edu_copy(edu, src->handle, 0, dst->handle, 0, dst->size));
	check_eq(writer_status(dst, COPY_MS), 1);
}

/* Three rounds with other bytes each, so that stale bytes are noticed. */
static void check_rounds(int edu, struct buffer *src, struct buffer *dst)
{
	for (uint32_t round = 1; round <= 3; round++) {
		fill(src, round);
		fill(dst, round + 100);
		copy_all(edu, src, dst);
		check_range(dst, 0, dst->size, round, 0);
		check_range(src, 0, src->size, round, 0);
	}
}

static void check_both_ways(int edu, struct buffer foreign)
{
	struct buffer own = edu_buffer(edu, foreign.size);

	check_rounds(edu, &foreign, &own);
	check_rounds(edu, &own, &foreign);
}

/**
 * SUBTEST: version
 * Description: The interface of the driver has a version, and it is the one of
 *  the header that this program is built with.
 */
static void version(void)
{
	struct drm_version arg = {};

	check_ok(xioctl(edu_open(), DRM_IOCTL_VERSION, &arg));
	check_eq(arg.version_major, PRIME_EDU_MAJOR);
	check(arg.version_minor >= PRIME_EDU_MINOR);
}

/**
 * SUBTEST: own-buffers
 * Description: Bytes that are written into one buffer of the driver arrive complete
 *  in another one, each time.
 */
static void own_buffers(void)
{
	int edu = edu_open();
	struct buffer a = edu_buffer(edu, 2 * PAGE);
	struct buffer b = edu_buffer(edu, 2 * PAGE);

	check_rounds(edu, &a, &b);
}

/**
 * SUBTEST: own-buffer-is-zeroed
 * Description: A new buffer shows nothing of what its memory held before.
 */
static void own_buffer_is_zeroed(void)
{
	int edu = edu_open();

	for (int round = 0; round < 8; round++) {
		struct buffer b = edu_buffer(edu, 4 * PAGE);

		for (size_t i = 0; i < b.size; i++)
			check_eq(b.map[i], 0);
		fill(&b, 5);
		check_ok(munmap(b.map, b.size));
		close(b.fd);
		check_ok(gem_close(edu, b.handle));
	}
}

/**
 * SUBTEST: vgem
 * Description: Bytes are copied completely from and to an imported buffer of vgem.
 */
static void vgem(void)
{
	const size_t size = 2 * PAGE;
	int edu = edu_open();

	check_both_ways(edu, foreign_buffer(edu, vgem_dmabuf(size), size));
}

/**
 * SUBTEST: udmabuf
 * Description: Bytes are copied completely from and to an imported udmabuf, in which
 *  no two pages are adjacent.
 */
static void udmabuf(void)
{
	int edu = edu_open();

	check_both_ways(edu, udmabuf_buffer(edu, 3 * PAGE));
}

/**
 * SUBTEST: udmabuf-cpu-access
 * Description: The same with begin and end of CPU access around each look at the
 *  bytes, as the interface wants it. Where udmabuf would get that wrong, the import
 *  is refused, and the reason is told.
 */
static void udmabuf_cpu_access(void)
{
	int edu = edu_open(), fd = udmabuf_dmabuf(PAGE);

	if (bounce_forced() && refused_as_bounced(edu, fd)) {
		close(fd);
		check_eq(settle_buffers(0), 0);
		return;
	}
	check_both_ways(edu, foreign_buffer(edu, fd, PAGE));
}

static void check_bytes(const uint8_t *map, size_t size, uint8_t want)
{
	for (size_t i = 0; i < size; i++)
		check_eq(map[i], want);
}

/**
 * SUBTEST: udmabuf-sync
 * Description: No device has the udmabuf. Somebody writes to its memory between the
 *  accesses of a program, as an importer does that maps it for the processor, or the
 *  owner of the memfd. No begin and no end of access loses these bytes, in any order.
 */
static void udmabuf_sync(void)
{
	static const uint64_t calls[] = {
		DMA_BUF_SYNC_END, DMA_BUF_SYNC_START, DMA_BUF_SYNC_END, DMA_BUF_SYNC_START,
		DMA_BUF_SYNC_START, DMA_BUF_SYNC_END, DMA_BUF_SYNC_END, DMA_BUF_SYNC_START,
	};
	struct buffer b = buffer_map(udmabuf_dmabuf(2 * PAGE), 0, 2 * PAGE);

	for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		int ret;

		memset(b.map, i + 1, b.size);
		ret = dmabuf_sync(b.fd, DMA_BUF_SYNC_RW | calls[i]);
		/* It may refuse an end without a begin. */
		if (i || ret != -EINVAL)
			check_ok(ret);
		check_bytes(b.map, b.size, i + 1);
	}
}

/**
 * SUBTEST: system-heap
 * Description: Bytes are copied completely from and to an imported buffer of the
 *  system heap.
 */
static void system_heap(void)
{
	const size_t size = 2 * PAGE;
	int edu = edu_open();

	check_both_ways(edu, foreign_buffer(edu, heap_dmabuf(size), size));
}

/**
 * SUBTEST: foreign-to-foreign
 * Description: The engine moves bytes from one exporter's buffer to another's.
 */
static void foreign_to_foreign(void)
{
	int edu = edu_open();
	struct buffer a, b;

	a = udmabuf_buffer(edu, 2 * PAGE);
	b = foreign_buffer(edu, vgem_dmabuf(2 * PAGE), 2 * PAGE);
	check_rounds(edu, &a, &b);
}

/**
 * SUBTEST: large-segment
 * Description: A buffer of 1 MiB in few pieces: its last page arrives. Or the import
 *  is refused, since no bounce buffer is that large, and nothing remains.
 */
static void large_segment(void)
{
	const size_t size = 1 << 20;
	int edu = edu_open(), fd = heap_dmabuf(size);
	struct buffer own = edu_buffer(edu, PAGE), big;

	if (bounce_forced()) {
		int64_t handle = gem_import(edu, fd);

		if (handle < 0) {
			check_error(handle, EIO);
			close(fd);
			check_eq(settle_buffers(1), 1);
			return;
		}
		gem_close(edu, handle);
	}
	big = foreign_buffer(edu, fd, size);
	fill(&big, 1);
	check_ok(edu_copy(edu, big.handle, size - PAGE, own.handle, 0, PAGE));
	check_eq(writer_status(&own, COPY_MS), 1);
	check_range(&own, 0, PAGE, 1, size - PAGE);
}

/**
 * SUBTEST: import-beyond-mask
 * Description: If memory lies out of reach and there is no IOMMU, no buffer of any
 *  other exporter is imported, and the kernel does not warn.
 */
static void import_beyond_mask(void)
{
	int edu = edu_open();

	if (reaches_memory())
		prime_skip("all memory is in the engine's reach here");
	check_error(gem_import(edu, vgem_dmabuf(PAGE)), EIO);
	check_error(gem_import(edu, udmabuf_dmabuf(PAGE)), EIO);
	check_error(gem_import(edu, heap_dmabuf(PAGE)), EIO);
}

/**
 * SUBTEST: own-buffer-elsewhere
 * Description: Another device imports a buffer of the driver. A second file of the
 *  driver gets it back as the same memory, and the engine uses it.
 */
static void own_buffer_elsewhere(void)
{
	int edu = edu_open(), again = edu_open(), vgem = open_driver("vgem");
	struct buffer a = edu_buffer(edu, PAGE), b = edu_buffer(edu, PAGE);
	uint32_t in_vgem = check_ok(gem_import(vgem, a.fd));
	int back = check_ok(gem_export(vgem, in_vgem, DRM_CLOEXEC | DRM_RDWR));
	uint32_t src, dst;

	check_eq(inode_of(back), inode_of(a.fd));
	src = check_ok(gem_import(again, back));
	dst = check_ok(gem_import(again, b.fd));
	fill(&a, 1);
	check_ok(edu_copy(again, src, 0, dst, 0, PAGE));
	check_eq(writer_status(&b, COPY_MS), 1);
	check_range(&b, 0, PAGE, 1, 0);
}

/*
 * No piece may start at the last byte of a page: QEMU's virtio-iommu looks that
 * up in the mapping behind it.
 */
static void check_part(int edu, struct buffer *src, struct buffer *dst,
		       size_t from, size_t to, size_t size)
{
	fill(src, 1);
	fill(dst, 2);
	check_ok(edu_copy(edu, src->handle, from, dst->handle, to, size));
	check_eq(writer_status(dst, COPY_MS), 1);
	check_range(dst, 0, to, 2, 0);
	check_range(dst, to, size, 1, from);
	check_range(dst, to + size, dst->size - to - size, 2, to + size);
}

/**
 * SUBTEST: parts
 * Description: A part of a buffer arrives at any byte, across the ends of pages and
 *  segments, and the bytes beside it do not change.
 */
static void parts(void)
{
	int edu = edu_open();
	struct buffer a = edu_buffer(edu, 2 * PAGE);
	struct buffer b = edu_buffer(edu, 3 * PAGE);

	check_part(edu, &a, &b, 1, 3, 1);
	check_part(edu, &a, &b, 17, PAGE - 5, 4000);
	check_part(edu, &a, &b, PAGE - 2, 2 * PAGE - 2, 4);
	check_part(edu, &a, &b, 0, PAGE + 2, 2 * PAGE - 2);
}

/**
 * SUBTEST: parts-of-udmabuf
 * Description: The same between imported buffers in which no two pages are adjacent.
 */
static void parts_of_udmabuf(void)
{
	int edu = edu_open();
	struct buffer a, b;

	a = udmabuf_buffer(edu, 2 * PAGE);
	b = udmabuf_buffer(edu, 3 * PAGE);
	check_part(edu, &a, &b, 17, PAGE - 5, 4000);
	check_part(edu, &a, &b, PAGE - 2, 2 * PAGE - 2, 4);
	check_part(edu, &a, &b, 0, PAGE + 2, 2 * PAGE - 2);
}

/**
 * SUBTEST: beside-the-engine
 * Description: What the processor writes beside the range of a running copy is
 *  still there when the copy has ended.
 */
static void beside_the_engine(void)
{
	int edu = edu_open();
	struct buffer a = edu_buffer(edu, PAGE), b;

	b = foreign_buffer(edu, vgem_dmabuf(2 * PAGE), 2 * PAGE);
	fill(&a, 1);
	fill(&b, 2);
	check_ok(edu_copy(edu, a.handle, 0, b.handle, 0, PAGE));
	check_eq(poll_events(b.fd, POLLIN, 0), 0);
	for (size_t i = PAGE; i < 2 * PAGE; i++)
		b.map[i] = byte_at(3, i);
	check_eq(writer_status(&b, COPY_MS), 1);
	check_range(&b, 0, PAGE, 1, 0);
	check_range(&b, PAGE, PAGE, 3, PAGE);
}

/**
 * SUBTEST: within-one-buffer
 * Description: A copy from one part of a buffer to another, next to it.
 */
static void within_one_buffer(void)
{
	int edu = edu_open();
	struct buffer a = edu_buffer(edu, 2 * PAGE);

	fill(&a, 1);
	check_ok(edu_copy(edu, a.handle, 0, a.handle, PAGE, PAGE));
	check_eq(writer_status(&a, COPY_MS), 1);
	check_range(&a, 0, PAGE, 1, 0);
	check_range(&a, PAGE, PAGE, 1, 0);
	check_ok(edu_copy(edu, a.handle, 1, a.handle, 0, 1));
	check_eq(writer_status(&a, COPY_MS), 1);
	check_range(&a, 0, 1, 1, 1);
}

/**
 * SUBTEST: wrong-handles
 * Description: A handle that does not exist gives ENOENT, on either side.
 */
static void wrong_handles(void)
{
	int edu = edu_open();
	uint32_t handle = check_ok(gem_create(edu, 1));
	uint32_t closed = check_ok(gem_create(edu, 1));

	check_ok(gem_close(edu, closed));
	check_error(edu_copy(edu, 0, 0, handle, 0, 1), ENOENT);
	check_error(edu_copy(edu, handle, 0, 0, 0, 1), ENOENT);
	check_error(edu_copy(edu, closed, 0, handle, 0, 1), ENOENT);
	check_error(edu_copy(edu, handle, 0, closed, 0, 1), ENOENT);
	check_error(edu_copy(edu, UINT32_MAX, 0, UINT32_MAX, 0, 1), ENOENT);
}

/**
 * SUBTEST: wrong-ranges
 * Description: A range that is empty, leaves its buffer, wraps around 64 bits or
 *  overlaps the other one gives EINVAL, and no fence is left.
 */
static void wrong_ranges(void)
{
	int edu = edu_open();
	struct buffer a = edu_buffer(edu, 2 * PAGE);
	struct buffer b = edu_buffer(edu, PAGE);
	const uint64_t max = UINT64_MAX;
	const struct {
		uint64_t from, to, size;
	} wrong[] = {
		{ 0, 0, 0 }, { 0, 0, PAGE + 1 }, { 0, 1, PAGE },
		{ 2 * PAGE, 0, 1 }, { 2 * PAGE - 1, 0, 2 }, { 0, PAGE, 1 },
		{ max, 0, 1 }, { 0, max, 1 }, { max, 0, 2 }, { 0, max, 2 },
		{ 0, 0, max }, { 1, 0, max }, { 0, 1, max }, { 1, 1, max },
		{ max - PAGE + 1, 0, PAGE }, { 0, max - PAGE + 1, PAGE },
		{ 1ull << 32, 0, 1 }, { 0, 1ull << 32, 1 },
		{ 0, 0, 1ull << 32 }, { 0, 0, (1ull << 32) + 1 },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		check_error(edu_copy(edu, a.handle, wrong[i].from, b.handle,
				     wrong[i].to, wrong[i].size), EINVAL);
	check_error(edu_copy(edu, a.handle, 0, a.handle, 0, 1), EINVAL);
	check_error(edu_copy(edu, a.handle, 0, a.handle, PAGE - 1, PAGE),
		    EINVAL);
	check_error(edu_copy(edu, a.handle, 1, a.handle, 0, 2), EINVAL);
	check_eq(poll_events(a.fd, POLLIN | POLLOUT, 0), POLLIN | POLLOUT);
	check_eq(poll_events(b.fd, POLLIN | POLLOUT, 0), POLLIN | POLLOUT);
}

/**
 * SUBTEST: wrong-bits
 * Description: Every flag and every bit of padding gives EINVAL, a pointer to
 *  nowhere EFAULT, and an unknown command of the driver EINVAL.
 */
static void wrong_bits(void)
{
	int edu = edu_open();
	struct drm_prime_edu_copy good = {
		.src_handle = check_ok(gem_create(edu, 1)),
		.dst_handle = check_ok(gem_create(edu, 1)),
		.size = 1,
	};

	for (int bit = 0; bit < 32; bit++) {
		struct drm_prime_edu_copy arg = good;

		arg.flags = 1u << bit;
		check_error(xioctl(edu, DRM_IOCTL_PRIME_EDU_COPY, &arg), EINVAL);
		arg = good;
		arg.pad = 1u << bit;
		check_error(xioctl(edu, DRM_IOCTL_PRIME_EDU_COPY, &arg), EINVAL);
	}
	check_error(xioctl(edu, DRM_IOCTL_PRIME_EDU_COPY, (void *)8), EFAULT);
	check_error(xioctl(edu, DRM_IO(DRM_COMMAND_BASE + 1), NULL), EINVAL);
	check_ok(xioctl(edu, DRM_IOCTL_PRIME_EDU_COPY, &good));
}

/**
 * SUBTEST: create-too-large
 * Description: A buffer larger than memory gives ENOMEM, and one with flags EINVAL.
 *  The kernel does not warn.
 */
static void create_too_large(void)
{
	struct drm_mode_create_dumb arg = {
		.width = 16384, .height = 32768, .bpp = 32,
	};
	int edu = edu_open();

	check_error(xioctl(edu, DRM_IOCTL_MODE_CREATE_DUMB, &arg), ENOMEM);
	arg = (struct drm_mode_create_dumb){
		.width = 32, .height = 32, .bpp = 32, .flags = 1,
	};
	check_error(xioctl(edu, DRM_IOCTL_MODE_CREATE_DUMB, &arg), EINVAL);
}

/* --- fences --- */

static void add_fence(struct buffer *b, int timeline, uint32_t flags)
{
	int fence = sw_fence(timeline, 1);

	check_ok(dmabuf_import_sync_file(b->fd, flags, fence));
	close(fence);
}

/**
 * SUBTEST: leaves-fences
 * Description: While a copy is queued the destination has a writer and the source
 *  a reader; afterwards neither has.
 */
static void leaves_fences(void)
{
	int edu = edu_open();
	struct buffer a = edu_buffer(edu, PAGE), b = edu_buffer(edu, PAGE);

	check_ok(edu_copy(edu, a.handle, 0, b.handle, 0, PAGE));
	check_eq(poll_events(a.fd, POLLIN | POLLOUT, 0), POLLIN);
	check_eq(poll_events(b.fd, POLLIN | POLLOUT, 0), 0);
	check_eq(poll_events(b.fd, POLLOUT, COPY_MS), POLLOUT);
	check_eq(poll_events(a.fd, POLLIN | POLLOUT, 0), POLLIN | POLLOUT);
	check_eq(poll_events(b.fd, POLLIN | POLLOUT, 0), POLLIN | POLLOUT);
}

/*
 * A fence on one of the buffers holds the copy back. Bytes that are written into the
 * source while the fence is pending arrive.
 */
static void check_held_back(struct buffer *fenced, uint32_t flags, int edu,
			    struct buffer *a, struct buffer *b)
{
	int timeline = sw_timeline();

	fill(a, 1);
	fill(b, 2);
	add_fence(fenced, timeline, flags);
	check_ok(edu_copy(edu, a->handle, 0, b->handle, 0, PAGE));
	check_eq(poll_events(b->fd, POLLIN, 1000), 0);
	/* No SYNC here: that would wait for the fence. */
	for (size_t i = 0; i < PAGE; i++) {
		check_eq(b->map[i], byte_at(2, i));
		a->map[i] = byte_at(3, i);
	}
	sw_advance(timeline, 1);
	check_eq(writer_status(b, COPY_MS), 1);
	check_range(b, 0, PAGE, 3, 0);
}

#define TRACE	"/sys/kernel/tracing/instances/prime_edu"
#define FREED	TRACE "/events/dma_fence/dma_fence_destroy/enable"
#define QUEUED	TRACE "/events/workqueue/workqueue_queue_work/enable"

/* The fences that this process frees and the works that it queues, while it submits a copy. */
static char *trace_copy(int edu, struct buffer *src, struct buffer *dst)
{
	char *text;

	check_ok(write_text(FREED, "1"));
	check_ok(write_text(QUEUED, "1"));
	check_ok(edu_copy(edu, src->handle, 0, dst->handle, 0, 1));
	check_ok(write_text(FREED, "0"));
	check_ok(write_text(QUEUED, "0"));
	text = read_text(TRACE "/trace");
	check(text);
	return text;
}

/**
 * SUBTEST: fence-of-a-queued-copy
 * Description: Others see the fence of a copy only when the copy's work is queued. The trace
 *  shows it: when the fence is added, it takes the place of one that has signalled, and
 *  that one is freed.
 */
static void fence_of_a_queued_copy(void)
{
	int edu = edu_open();
	struct buffer a = edu_buffer(edu, 2 * PAGE), b = edu_buffer(edu, PAGE);
	struct buffer c = edu_buffer(edu, PAGE);
	char *text, pid[16], *queued, *freed;

	/* lockdep selects DEBUG_MUTEXES, with which dma_resv_reset_max_fences() takes away spare room. */
	if (!access("/proc/lockdep_stats", F_OK))
		prime_skip("with DEBUG_MUTEXES the old fence is freed when room for a new one is made");
	undo_later(remove_back, TRACE, "");
	if (mkdir(TRACE, 0700) && errno != EEXIST)
		prime_skip("no trace instance can be made: %s", strerror(errno));
	snprintf(pid, sizeof(pid), "%d", getpid());
	check_ok(write_text(TRACE "/set_event_pid", pid));
	/* Leaves a fence that only @a holds. The job drops its reference during the next copy. */
	check_ok(edu_copy(edu, a.handle, 0, a.handle, PAGE, 1));
	check_eq(writer_status(&a, COPY_MS), 1);
	copy_all(edu, &b, &c);

	text = trace_copy(edu, &a, &b);
	queued = strstr(text, "function=edu_job_run");
	freed = strstr(text, "dma_fence_destroy:");
	check(queued && freed);
	check(queued < freed);
	free(text);
	check_eq(writer_status(&b, COPY_MS), 1);
}

/**
 * SUBTEST: waits-for-writer-of-source
 * Description: A copy starts only when the writer of its source is done.
 */
static void waits_for_writer_of_source(void)
{
	int edu = edu_open();
	struct buffer a = edu_buffer(edu, PAGE), b = edu_buffer(edu, PAGE);

	check_held_back(&a, DMA_BUF_SYNC_WRITE, edu, &a, &b);
}

/**
 * SUBTEST: waits-for-users-of-destination
 * Description: A copy starts only when readers and writers of its destination
 *  are done.
 */
static void waits_for_users_of_destination(void)
{
	int edu = edu_open();
	struct buffer a = edu_buffer(edu, PAGE), b = edu_buffer(edu, PAGE);

	check_held_back(&b, DMA_BUF_SYNC_READ, edu, &a, &b);
	check_held_back(&b, DMA_BUF_SYNC_WRITE, edu, &a, &b);
}

/**
 * SUBTEST: waits-for-exporters-fence
 * Description: A copy waits for a fence that the exporter, vgem, has put on its
 *  buffer.
 */
static void waits_for_exporters_fence(void)
{
	int edu = edu_open(), vgem = open_driver("vgem");
	struct buffer own = edu_buffer(edu, PAGE), foreign;
	uint32_t handle, fence;
	int fd = make_dmabuf(vgem, 1, &handle);

	foreign = foreign_buffer(edu, fd, PAGE);
	fill(&foreign, 1);
	fence = vgem_fence(vgem, handle, true);
	check_ok(edu_copy(edu, foreign.handle, 0, own.handle, 0, PAGE));
	check_eq(poll_events(own.fd, POLLIN, 1000), 0);
	for (size_t i = 0; i < PAGE; i++)
		foreign.map[i] = byte_at(2, i);
	check_ok(vgem_fence_signal(vgem, fence));
	check_eq(writer_status(&own, COPY_MS), 1);
	check_range(&own, 0, PAGE, 2, 0);
}

/**
 * SUBTEST: reader-of-source-is-no-hindrance
 * Description: A copy does not wait for another reader of its source.
 */
static void reader_of_source_is_no_hindrance(void)
{
	int edu = edu_open(), timeline = sw_timeline();
	struct buffer a = edu_buffer(edu, PAGE), b = edu_buffer(edu, PAGE);

	fill(&a, 1);
	add_fence(&a, timeline, DMA_BUF_SYNC_READ);
	check_ok(edu_copy(edu, a.handle, 0, b.handle, 0, PAGE));
	check_eq(writer_status(&b, COPY_MS), 1);
	check_range(&b, 0, PAGE, 1, 0);
}

/**
 * SUBTEST: fence-that-never-signals
 * Description: A copy does not wait forever, nor does it start too early: its fence
 *  ends with ETIMEDOUT, and the destination is as it was.
 */
static void fence_that_never_signals(void)
{
	int edu = edu_open(), timeline = sw_timeline();
	struct buffer a = edu_buffer(edu, PAGE), b = edu_buffer(edu, PAGE);

	fill(&a, 1);
	fill(&b, 2);
	add_fence(&a, timeline, DMA_BUF_SYNC_WRITE);
	check_ok(edu_copy(edu, a.handle, 0, b.handle, 0, PAGE));
	check_error(writer_status(&b, COPY_MS), ETIMEDOUT);
	check_range(&b, 0, PAGE, 2, 0);
	sw_advance(timeline, 1);
}

/**
 * SUBTEST: chain
 * Description: A copy from the destination of an earlier copy gets the bytes that
 *  the earlier one wrote.
 */
static void chain(void)
{
	int edu = edu_open();
	struct buffer a = edu_buffer(edu, PAGE), b = edu_buffer(edu, PAGE);
	struct buffer c = edu_buffer(edu, PAGE);

	fill(&a, 1);
	check_ok(edu_copy(edu, a.handle, 0, b.handle, 0, PAGE));
	check_ok(edu_copy(edu, b.handle, 0, c.handle, 0, PAGE));
	check_eq(writer_status(&c, COPY_MS), 1);
	check_range(&c, 0, PAGE, 1, 0);
}

/**
 * SUBTEST: closed-while-queued
 * Description: A copy goes on when its handles and its file are closed. A holder of
 *  the dma-buf gets the bytes.
 */
static void closed_while_queued(void)
{
	int edu = edu_open();
	struct buffer a = edu_buffer(edu, PAGE), b = edu_buffer(edu, PAGE);

	fill(&a, 1);
	fill(&b, 2);
	check_ok(edu_copy(edu, a.handle, 0, b.handle, 0, PAGE));
	check_ok(gem_close(edu, a.handle));
	check_ok(gem_close(edu, b.handle));
	close(edu);
	close(a.fd);
	check_ok(munmap(a.map, PAGE));
	check_eq(writer_status(&b, COPY_MS), 1);
	check_range(&b, 0, PAGE, 1, 0);
}

/**
 * SUBTEST: killed-while-queued
 * Description: A program that ends with copies queued leaves nothing behind.
 */
static void killed_while_queued(void)
{
	int edu = edu_open();
	struct buffer a = edu_buffer(edu, PAGE), b = edu_buffer(edu, PAGE);

	for (int i = 0; i < 3; i++)
		check_ok(edu_copy(edu, a.handle, 0, b.handle, 0, PAGE));
	/* The end of the subtest is the end of the program. */
}

/**
 * SUBTEST: render-node
 * Description: A copy is allowed on the render node.
 */
static void render_node(void)
{
	int edu = edu_open(), render = -1;
	struct buffer a = edu_buffer(edu, PAGE), b = edu_buffer(edu, PAGE);
	char path[32];

	for (int i = 128; i < 192 && render < 0; i++) {
		snprintf(path, sizeof(path), "/dev/dri/renderD%d", i);
		render = open(path, O_RDWR | O_CLOEXEC);
		if (render >= 0 && strcmp(driver_name(render), "prime_edu")) {
			close(render);
			render = -1;
		}
	}
	check(render >= 0);
	fill(&a, 1);
	check_ok(edu_copy(render, check_ok(gem_import(render, a.fd)), 0,
			  check_ok(gem_import(render, b.fd)), 0, PAGE));
	check_eq(writer_status(&b, COPY_MS), 1);
	check_range(&b, 0, PAGE, 1, 0);
}

/* --- clients, limits, presence --- */

static void hold(struct buffer *b, int timeline)
{
	add_fence(b, timeline, DMA_BUF_SYNC_WRITE);
}

/**
 * SUBTEST: held-back-alone
 * Description: The copy of one client waits for a fence. It still waits when the
 *  copy of another client, which was queued later, has ended.
 */
static void held_back_alone(void)
{
	int edu = edu_open(), other = edu_open(), timeline = sw_timeline();
	struct buffer a = edu_buffer(edu, PAGE), b = edu_buffer(edu, PAGE);
	struct buffer c = edu_buffer(other, PAGE), d = edu_buffer(other, PAGE);

	hold(&a, timeline);
	fill(&c, 1);
	check_ok(edu_copy(edu, a.handle, 0, b.handle, 0, PAGE));
	check_ok(edu_copy(other, c.handle, 0, d.handle, 0, PAGE));
	check_eq(writer_status(&d, COPY_MS), 1);
	check_range(&d, 0, PAGE, 1, 0);
	/* The copy has neither started nor been given up. */
	check_eq(poll_events(b.fd, POLLIN, 0), 0);
	sw_advance(timeline, 1);
	check_eq(writer_status(&b, COPY_MS), 1);
}

/**
 * SUBTEST: turns
 * Description: A short copy that is queued behind a long one of another client
 *  is over first.
 */
static void turns(void)
{
	int edu = edu_open(), other = edu_open();
	struct buffer a = edu_buffer(edu, PRIME_EDU_MAX_COPY);
	struct buffer b = edu_buffer(edu, PRIME_EDU_MAX_COPY);
	struct buffer c = edu_buffer(other, PAGE), d = edu_buffer(other, PAGE);

	fill(&a, 1);
	fill(&c, 2);
	check_ok(edu_copy(edu, a.handle, 0, b.handle, 0, b.size));
	check_ok(edu_copy(other, c.handle, 0, d.handle, 0, PAGE));
	check_eq(writer_status(&d, COPY_MS), 1);
	check_eq(poll_events(b.fd, POLLIN, 0), 0);
	check_range(&d, 0, PAGE, 2, 0);
	check_eq(writer_status(&b, COPY_MS), 1);
	check_range(&b, 0, b.size, 1, 0);
}

/**
 * SUBTEST: long-chain
 * Description: A copy waits for earlier copies of the driver as long as these take,
 *  even longer than it would wait for a fence of another driver.
 */
static void long_chain(void)
{
	int edu = edu_open();
	struct buffer b[5];

	for (int i = 0; i < 5; i++)
		b[i] = edu_buffer(edu, PRIME_EDU_MAX_COPY);
	fill(&b[0], 1);
	for (int i = 0; i < 4; i++)
		check_ok(edu_copy(edu, b[i].handle, 0, b[i + 1].handle, 0,
				  b[i].size));
	check_eq(writer_status(&b[4], 4 * COPY_MS), 1);
	check_range(&b[4], 0, b[4].size, 1, 0);
}

/**
 * SUBTEST: jobs-are-bounded
 * Description: A file may queue a limited number of copies, and then gets EBUSY.
 *  Another file has a limit of its own. When the copies have ended, the file may
 *  queue again.
 */
static void jobs_are_bounded(void)
{
	int edu = edu_open(), other = edu_open(), timeline = sw_timeline();
	struct buffer a = edu_buffer(edu, PAGE), b = edu_buffer(edu, PAGE);
	uint32_t src = check_ok(gem_import(other, a.fd));
	uint32_t dst = check_ok(gem_import(other, b.fd));

	hold(&a, timeline);
	for (int i = 0; i < PRIME_EDU_MAX_JOBS; i++)
		check_ok(edu_copy(edu, a.handle, 0, b.handle, 0, 1));
	for (int i = 0; i < 3; i++)
		check_error(edu_copy(edu, a.handle, 0, b.handle, 0, 1), EBUSY);
	check_ok(edu_copy(other, src, 0, dst, 0, 1));
	sw_advance(timeline, 1);
	check_eq(writer_status(&b, COPY_MS), 1);
	for (int i = 0; i < PRIME_EDU_MAX_JOBS; i++)
		check_ok(edu_copy(edu, a.handle, 0, b.handle, 0, 1));
	check_eq(writer_status(&b, COPY_MS), 1);
}

/**
 * SUBTEST: copy-too-large
 * Description: A copy that would occupy the engine for too long gives E2BIG. The
 *  largest allowed copy is accepted.
 */
static void copy_too_large(void)
{
	int edu = edu_open();
	struct buffer a = edu_buffer(edu, 2 * PRIME_EDU_MAX_COPY);
	struct buffer b = edu_buffer(edu, 2 * PRIME_EDU_MAX_COPY);

	check_error(edu_copy(edu, a.handle, 0, b.handle, 0,
			     PRIME_EDU_MAX_COPY + 1), E2BIG);
	check_error(edu_copy(edu, a.handle, 0, b.handle, 0, a.size), E2BIG);
	check_ok(edu_copy(edu, a.handle, 0, b.handle, 0, PRIME_EDU_MAX_COPY));
	check_eq(writer_status(&b, COPY_MS), 1);
}

/**
 * SUBTEST: slow-end-of-import
 * Description: While the exporter of a buffer is slow to unmap what the engine had
 *  imported, copies of other buffers go on.
 */
static void slow_end_of_import(void)
{
	int edu = edu_open(), other = edu_open(), mock = mock_open(0);
	struct buffer own = edu_buffer(edu, PAGE), foreign;
	struct buffer c = edu_buffer(other, PAGE), d = edu_buffer(other, PAGE);
	struct drm_prime_mock_stats stats;
	uint32_t id;
	int fd = check_ok(mock_dmabuf(mock, 1, 0, &id));
	int timeline = sw_timeline();

	foreign = foreign_buffer(edu, fd, PAGE);
	check_ok(mock_sleep(mock, id, PRIME_MOCK_UNMAP, 8000000, 0));
	hold(&own, timeline);
	check_ok(edu_copy(edu, foreign.handle, 0, own.handle, 0, PAGE));
	/* The job holds the object now, and unmaps it when it has ended. */
	check_ok(gem_close(edu, foreign.handle));
	sw_advance(timeline, 1);
	check_eq(writer_status(&own, COPY_MS), 1);
	do
		check_ok(mock_stats(mock, id, &stats));
	while (!stats.calls[PRIME_MOCK_UNMAP]);
	fill(&c, 1);
	check_ok(edu_copy(other, c.handle, 0, d.handle, 0, PAGE));
	check_eq(writer_status(&d, COPY_MS), 1);
	check_ok(mock_stats(mock, id, &stats));
	check_eq(stats.balance[PRIME_MOCK_MAPPED], 1);
	while (stats.balance[PRIME_MOCK_MAPPED])
		check_ok(mock_stats(mock, id, &stats));
}

/*
 * How a copy ends. A fence on @own holds the copy back until there is a sync file of
 * the copy's fence: the error of a copy that has ended is lost.
 */
static int held_copy(int edu, struct buffer *src, struct buffer *dst,
		     struct buffer *own)
{
	int timeline = sw_timeline(), file;

	hold(own, timeline);
	check_ok(edu_copy(edu, src->handle, 0, dst->handle, 0, dst->size));
	file = writer(dst);
	sw_advance(timeline, 1);
	close(timeline);
	return status_of(file, COPY_MS);
}

/* An object of prime_mock whose memory importers may lose. */
static int revocable_dmabuf(int mock, size_t size, uint32_t *handle)
{
	struct drm_prime_mock_create create = {
		.size = size, .backing = PRIME_MOCK_SCATTERED,
		.flags = PRIME_MOCK_REVOCABLE,
	};

	check_ok(mock_create_as(mock, &create));
	*handle = create.handle;
	return check_ok(gem_export(mock, create.handle, DRM_CLOEXEC | DRM_RDWR));
}

/**
 * SUBTEST: revoked
 * Description: An exporter takes away memory that the engine has imported. It is
 *  unmapped at once, a copy ends with ENODEV, and a new import works.
 */
static void revoked(void)
{
	int edu = edu_open(), mock = mock_open(0), fd;
	struct buffer own = edu_buffer(edu, 2 * PAGE), foreign;
	struct drm_prime_mock_stats stats;
	uint32_t handle;

	fd = revocable_dmabuf(mock, 2 * PAGE, &handle);
	foreign = foreign_buffer(edu, fd, 2 * PAGE);
	check_rounds(edu, &foreign, &own);
	check_ok(mock_move(mock, handle, PRIME_MOCK_SCATTERED));
	check_ok(mock_stats(mock, check_ok(mock_id(mock, handle)), &stats));
	check_eq(stats.moves, 1);
	check_eq(stats.balance[PRIME_MOCK_MAPPED], 0);

	fill(&own, 4);
	check_error(held_copy(edu, &foreign, &own, &own), ENODEV);
	check_range(&own, 0, own.size, 4, 0);
	check_error(held_copy(edu, &own, &foreign, &own), ENODEV);
	check_ok(gem_close(edu, foreign.handle));
	foreign.handle = check_ok(gem_import(edu, fd));
	check_rounds(edu, &foreign, &own);
	check_rounds(edu, &own, &foreign);
}

/**
 * SUBTEST: vmap
 * Description: The kernel maps a buffer of the driver for an importer that works
 *  with the processor, and sees the bytes.
 */
static void vmap(void)
{
	int edu = edu_open(), mock = mock_open(0);
	struct buffer a = edu_buffer(edu, 3 * PAGE);
	struct drm_prime_mock_query query;
	uint32_t import = check_ok(mock_attach(mock, a.fd, 0));

	fill(&a, 1);
	check_ok(mock_step(mock, import, PRIME_MOCK_VMAP));
	check_ok(mock_query(mock, import, 0, &query, NULL, 0));
	check(!memcmp(&query.first_bytes, a.map, sizeof(query.first_bytes)));
	check_ok(mock_step(mock, import, PRIME_MOCK_VUNMAP));
	check_ok(mock_step(mock, import, PRIME_MOCK_DETACH));
}

static uint64_t dumb_offset(int edu, uint32_t handle)
{
	struct drm_mode_map_dumb arg = { .handle = handle };

	check_ok(xioctl(edu, DRM_IOCTL_MODE_MAP_DUMB, &arg));
	return arg.offset;
}

/**
 * SUBTEST: offset-at-creation
 * Description: A buffer has its offset for mmap of the DRM file when it is created, and not
 *  only when a program asks for it: the offsets are in the order of the creation.
 *  Mappings of the DRM file and of the dma-buf show the same bytes.
 */
static void offset_at_creation(void)
{
	int edu = edu_open();
	struct buffer b[2] = { edu_buffer(edu, 2 * PAGE), edu_buffer(edu, 2 * PAGE) };
	uint64_t offset[2];

	for (int i = 1; i >= 0; i--)
		offset[i] = dumb_offset(edu, b[i].handle);
	check(offset[0] < offset[1]);
	for (int i = 0; i < 2; i++) {
		void *map = mmap(NULL, b[i].size, PROT_READ, MAP_SHARED, edu, offset[i]);

		check(map != MAP_FAILED);
		fill(&b[i], i);
		check(!memcmp(map, b[i].map, b[i].size));
	}
}

/**
 * SUBTEST: create-does-not-wrap
 * Description: A product of width and bits that wraps around 32 bits makes no tiny
 *  buffer. A row has whole bytes, and a buffer whole pages.
 */
static void create_does_not_wrap(void)
{
	const struct {
		uint32_t width, height, bpp, pitch, size;
	} good[] = {
		{ 1, 1, 1, 1, PAGE }, { 3, 3, 12, 5, PAGE },
		{ 64, PAGE / 64, 32, 256, 4 * PAGE },
		{ PAGE + 1, 1, 8, PAGE + 1, 2 * PAGE },
	};
	struct drm_mode_create_dumb arg = {
		.width = 0x20000001, .height = 1, .bpp = 8,
	};
	int edu = edu_open();

	check_error(xioctl(edu, DRM_IOCTL_MODE_CREATE_DUMB, &arg), ENOMEM);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		arg = (struct drm_mode_create_dumb){
			.width = good[i].width, .height = good[i].height,
			.bpp = good[i].bpp,
		};
		check_ok(xioctl(edu, DRM_IOCTL_MODE_CREATE_DUMB, &arg));
		check_eq(arg.pitch, good[i].pitch);
		check_eq(arg.size, good[i].size);
	}
}

/**
 * SUBTEST: unplug-ends-jobs
 * Description: When the device is unplugged, a copy that waits for a fence ends at
 *  once with ENODEV, and the file gives ENODEV. A device that is plugged in again
 *  works.
 */
static void unplug_ends_jobs(void)
{
	int timeline = sw_timeline(), edu, copy;
	struct buffer a, b;
	char address[1][16];

	check_eq(edu_addresses(address, 1), 1);
	edu = edu_open_at(address[0]);
	a = edu_buffer(edu, PAGE);
	b = edu_buffer(edu, PAGE);
	hold(&a, timeline);
	check_ok(edu_copy(edu, a.handle, 0, b.handle, 0, PAGE));
	copy = writer(&b);
	edu_unbind(address[0]);
	check_error(status_of(copy, 0), ENODEV);
	check_error(edu_copy(edu, a.handle, 0, b.handle, 0, PAGE), ENODEV);
	check_ok(write_text(DRIVER "/bind", address[0]));
	/* The fence of the old device has no effect on the new one. */
	sw_advance(timeline, 1);
	edu = edu_open_at(address[0]);
	a = edu_buffer(edu, PAGE);
	b = edu_buffer(edu, PAGE);
	check_rounds(edu, &a, &b);
}

/* A round of the next subtest. Gives the number of copies that were cut off. */
static int unplug_once(const char *address)
{
	int edu = edu_open_at(address), timeline = sw_timeline(), cut = 0;
	struct buffer a = edu_buffer(edu, PAGE), b[4], c;
	int copies[5];
	pid_t child;

	c = edu_buffer(edu, 2 * PRIME_EDU_MAX_COPY);
	check_ok(edu_copy(edu, c.handle, 0, c.handle, PRIME_EDU_MAX_COPY,
			  PRIME_EDU_MAX_COPY));
	copies[4] = writer(&c);
	hold(&a, timeline);
	for (int i = 0; i < 4; i++) {
		b[i] = edu_buffer(edu, PAGE);
		check_ok(edu_copy(edu, a.handle, 0, b[i].handle, 0, PAGE));
		copies[i] = writer(&b[i]);
	}
	child = fork();
	if (!child) {
		sw_advance(timeline, 1);
		_exit(0);
	}
	edu_unbind(address);
	for (int i = 0; i < 5; i++) {
		int status = status_of(copies[i], 0);

		check(status == 1 || status == -ENODEV);
		cut += status == -ENODEV;
	}
	check_eq(waitpid(child, NULL, 0), child);
	close(timeline);
	close(edu);
	check_ok(write_text(DRIVER "/bind", address));
	return cut;
}

/**
 * SUBTEST: unplug-beside-jobs
 * Description: The device is unplugged while a copy runs, and others wait for a
 *  fence that signals at the same time. Each copy ends, complete or with ENODEV.
 */
static void unplug_beside_jobs(void)
{
	char address[1][16];
	int cut = 0;

	check_eq(edu_addresses(address, 1), 1);
	for (int round = 0; round < 5; round++)
		cut += unplug_once(address[0]);
	check(cut);
}

/**
 * SUBTEST: other-device-beyond-mask
 * Description: A buffer of another device of the driver is foreign. If that device
 *  is behind an IOMMU and this one is not, the import is refused (EIO), the
 *  layer tells that the addresses are the reason, and the kernel does not warn.
 */
static void other_device_beyond_mask(void)
{
	struct dma_buf_refusal why = { };
	char address[2][16];
	struct buffer a;
	int edu;

	if (edu_addresses(address, 2) < 2 || !translated())
		prime_skip("needs an IOMMU and two devices");
	if (!memory_above_engine())
		prime_skip("all memory is in the engine's reach here");
	edu_unbind(address[1]);
	group_type(address[1], "identity");
	check_ok(write_text(DRIVER "/bind", address[1]));
	edu = edu_open_at(address[0]);
	a = edu_buffer(edu, 64 * PAGE);
	fill(&a, 1);
	check_error(gem_import(edu_open_at(address[1]), a.fd), EIO);
	if (xioctl(a.fd, DMA_BUF_IOCTL_GET_REFUSAL, &why) == -ENOTTY)
		return;
	check_eq(why.error, EIO);
	check_eq(why.field, DMA_BUF_FIELD_DMA_MASK);
	check_eq(why.wanted, (1 << 28) - 1);
}

/**
 * SUBTEST: remove-with-buffers
 * Description: The PCI device is removed while its buffers, and one that it imports, are
 *  used. They keep their bytes, also when some of them are freed and others use that
 *  memory. When the device is found again, it works.
 */
static void remove_with_buffers(void)
{
	const size_t again = 64 << 20;
	struct buffer own[64], foreign;
	char address[2][16], path[64];
	unsigned int devices = edu_addresses(address, 2);
	int edu;

	check(devices);
	edu = edu_open_at(address[0]);
	/* Not a power of two: the allocator takes such a buffer from two places. */
	for (int i = 0; i < 64; i++) {
		own[i] = edu_buffer(edu, 3 * PAGE);
		fill(&own[i], i);
	}
	foreign = foreign_buffer(edu, vgem_dmabuf(3 * PAGE), 3 * PAGE);
	fill(&foreign, 64);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/remove", address[0]);
	check_ok(write_text(path, "1"));
	check_eq(edu_addresses(address, 2), devices - 1);

	/* Drops the handles. GEM_CLOSE is refused from now on. */
	close(edu);
	for (int i = 0; i < 64; i += 2) {
		check_eq(munmap(own[i].map, own[i].size), 0);
		close(own[i].fd);
	}
	for (int round = 0; round < 2; round++) {
		void *other = mmap(NULL, again, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

		check(other != MAP_FAILED);
		memset(other, 0xff, again);
		for (int i = 1; i < 64; i += 2)
			check_range(&own[i], 0, own[i].size, i, 0);
		check_range(&foreign, 0, foreign.size, 64, 0);
		check_eq(munmap(other, again), 0);
	}
	check_ok(write_text("/sys/bus/pci/rescan", "1"));
	check_eq(edu_addresses(address, 2), devices);
	edu = edu_open_at(address[0]);
	own[0] = edu_buffer(edu, PAGE);
	own[2] = edu_buffer(edu, PAGE);
	check_rounds(edu, &own[0], &own[2]);
}

/*
 * Finds and binds the devices, behind the IOMMU if there is one. The driver has then let go of
 * what a failed subtest left, before the next one counts buffers.
 */
void prime_restore(void)
{
	char address[2][16];
	glob_t paths;

	write_text("/sys/bus/pci/rescan", "1");
	if (edu_addresses(address, 2) == 2 && group_is_identity(address[1])) {
		write_text(DRIVER "/unbind", address[1]);
		group_type(address[1], "auto");
		write_text(DRIVER "/bind", address[1]);
	}
	if (buffers_before >= 0)
		settle_buffers(0);
	if (glob("/sys/bus/pci/devices/0*", 0, NULL, &paths))
		return;
	/* The driver binds only devices of its own, and each only once. */
	for (size_t i = 0; i < paths.gl_pathc; i++)
		write_text(DRIVER "/bind", strrchr(paths.gl_pathv[i], '/') + 1);
	globfree(&paths);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(version),
	SUBTEST(own_buffers),
	SUBTEST(own_buffer_is_zeroed),
	SUBTEST(vgem),
	SUBTEST(udmabuf),
	SUBTEST(udmabuf_cpu_access),
	SUBTEST(udmabuf_sync),
	SUBTEST(system_heap),
	SUBTEST(foreign_to_foreign),
	SUBTEST(large_segment),
	SUBTEST(import_beyond_mask),
	SUBTEST(own_buffer_elsewhere),
	SUBTEST(parts),
	SUBTEST(parts_of_udmabuf),
	SUBTEST(beside_the_engine),
	SUBTEST(within_one_buffer),
	SUBTEST(wrong_handles),
	SUBTEST(wrong_ranges),
	SUBTEST(wrong_bits),
	SUBTEST(create_too_large),
	SUBTEST(leaves_fences),
	SUBTEST(fence_of_a_queued_copy),
	SUBTEST(waits_for_writer_of_source),
	SUBTEST(waits_for_users_of_destination),
	SUBTEST(waits_for_exporters_fence),
	SUBTEST(reader_of_source_is_no_hindrance),
	SUBTEST(fence_that_never_signals),
	SUBTEST(chain),
	SUBTEST(closed_while_queued),
	SUBTEST(killed_while_queued),
	SUBTEST(render_node),
	SUBTEST(held_back_alone),
	SUBTEST(turns),
	SUBTEST(long_chain),
	SUBTEST(jobs_are_bounded),
	SUBTEST(copy_too_large),
	SUBTEST(slow_end_of_import),
	SUBTEST(revoked),
	SUBTEST(vmap),
	SUBTEST(offset_at_creation),
	SUBTEST(create_does_not_wrap),
	SUBTEST(unplug_ends_jobs),
	SUBTEST(unplug_beside_jobs),
	SUBTEST(other_device_beyond_mask),
	SUBTEST(remove_with_buffers),
};

PRIME_MAIN(subtests)
