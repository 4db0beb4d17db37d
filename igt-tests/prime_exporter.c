// SPDX-License-Identifier: MIT
/**
 * TEST: prime exporter
 * Description: The device under test exports to an importer that takes each step by
 *  command, static and dynamic: attach, pin, map, vmap, begin and end, in all
 *  directions, many times, from several devices, with narrow limits, and left
 *  undone. The lists are complete, the bytes are those that the CPU wrote, and the
 *  buffer is freed when the importer is gone.
 */
#include "lib/mock_buffer.h"
#include "lib/prime_memory.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define STATIC	0
#define DYNAMIC	PRIME_MOCK_IMPORT_DYNAMIC

static const uint32_t ways[] = { STATIC, DYNAMIC };
static const uint32_t directions[] = {
	PRIME_MOCK_BIDIRECTIONAL, PRIME_MOCK_TO_DEVICE, PRIME_MOCK_FROM_DEVICE,
};

/* The device under test with a buffer, and an importer that is another device. */
struct scene {
	int drm, mock, fd;
	uint32_t handle;
	size_t size;
};

static struct scene scene_open(unsigned int pages)
{
	struct scene s = { .drm = open_device(), .size = (size_t)pages * PAGE };

	s.mock = mock_beside(s.drm);
	s.fd = make_dmabuf(s.drm, pages, &s.handle);
	return s;
}

/* Skips if the exporter has no memory for importers at all. */
static uint32_t attach(const struct scene *s, uint32_t way)
{
	int64_t import = mock_attach(s->mock, s->fd, way);

	if (import == -EOPNOTSUPP || import == -ENOSYS)
		prime_skip("%s lets nobody attach: %s", driver_name(s->drm),
			   strerror(-import));
	return check_ok(import);
}

static void detach(const struct scene *s, uint32_t import)
{
	check_ok(mock_step(s->mock, import, PRIME_MOCK_DETACH));
}

static void map(const struct scene *s, uint32_t import, uint32_t direction)
{
	check_ok(mock_map(s->mock, import, direction));
}

static void unmap_list(const struct scene *s, uint32_t import)
{
	check_ok(mock_step(s->mock, import, PRIME_MOCK_UNMAP));
}

static void scene_close(struct scene *s)
{
	close(s->fd);
	gem_close(s->drm, s->handle);
	close(s->drm);
	close(s->mock);
	check_eq(settle_buffers(0), 0);
}

static bool segment_fits(const struct drm_prime_mock_segment *segment,
			 const struct drm_prime_mock_limits *limits)
{
	uint64_t last = segment->address + segment->length - 1;

	return segment->length <= limits->max_segment_size &&
	       (segment->address & ~limits->segment_boundary) ==
		       (last & ~limits->segment_boundary) &&
	       (limits->dma_bits == 64 || last >> limits->dma_bits == 0);
}

/* The import's list: whole pages, all of the buffer, within @limits if any. */
static void check_list(const struct scene *s, uint32_t import, uint32_t flags,
		       const struct drm_prime_mock_limits *limits)
{
	uint32_t room = s->size / PAGE;
	struct drm_prime_mock_segment *list = calloc(room, sizeof(*list));
	struct drm_prime_mock_query query;
	uint64_t total = 0;
	int64_t count;

	check(list);
	count = check_ok(mock_query(s->mock, import, flags, &query, list, room));
	check(count > 0);
	check(count <= room);
	check_eq(query.size, s->size);
	check(query.state & PRIME_MOCK_IS_MAPPED);
	for (int i = 0; i < count; i++) {
		check_eq(list[i].address % PAGE, 0);
		check_eq(list[i].length % PAGE, 0);
		check(list[i].length > 0);
		total += list[i].length;
		if (!limits)
			continue;
		check(segment_fits(&list[i], limits));
	}
	check_eq(total, s->size);
	if (limits && limits->max_segments)
		check(count <= limits->max_segments);
	free(list);
}

/* The device reads what the CPU wrote, and the CPU what the device wrote. */
static void check_bytes(const struct scene *s, uint32_t import, uint32_t seed)
{
	uint8_t *bytes = malloc(s->size);

	check(bytes);
	fill_dmabuf(s->fd, s->size, seed);
	check_ok(mock_read(s->mock, import, 0, 0, bytes, s->size));
	check_eq(filled(bytes, s->size, seed), s->size);
	fill(bytes, s->size, seed + 1);
	check_ok(mock_write(s->mock, import, 0, 0, bytes, s->size));
	check_eq(filled_dmabuf(s->fd, s->size, seed + 1), s->size);
	free(bytes);
}

/* --- steps --- */

/**
 * SUBTEST: attach-detach
 * Description: A device attaches, statically and dynamically, and detaches, a
 *  hundred times. The buffer counts the attachments.
 */
static void attach_detach(void)
{
	struct scene s = scene_open(3);

	for (int i = 0; i < 200; i++) {
		uint32_t import = attach(&s, ways[i & 1]);

		check_eq(attachments_of(s.fd), 1);
		detach(&s, import);
		check_eq(attachments_of(s.fd), 0);
	}
	scene_close(&s);
}

/**
 * SUBTEST: map-each-direction
 * Description: A static importer maps to the device, from it and both ways, with an
 *  attachment each, and again. Each list covers the whole buffer. An invalid
 *  direction is refused.
 */
static void map_each_direction(void)
{
	struct scene s = scene_open(5);

	for (int d = 0; d < 3; d++) {
		uint32_t import = attach(&s, STATIC);

		for (int i = 0; i < 3; i++) {
			map(&s, import, directions[d]);
			check_list(&s, import, 0, NULL);
			unmap_list(&s, import);
		}
		check_error(mock_map(s.mock, import, 3), EINVAL);
		detach(&s, import);
	}
	scene_close(&s);
}

/**
 * SUBTEST: map-dynamic
 * Description: The same by a dynamic importer. Before 6.16 a static exporter is
 *  mapped at the attachment, both ways, and this mapping serves each direction.
 */
static void map_dynamic(void)
{
	struct scene s = scene_open(5);

	for (int d = 0; d < 3; d++) {
		uint32_t import = attach(&s, DYNAMIC);

		for (int i = 0; i < 3; i++) {
			map(&s, import, directions[d]);
			check_list(&s, import, 0, NULL);
			unmap_list(&s, import);
		}
		detach(&s, import);
	}
	scene_close(&s);
}

/**
 * SUBTEST: map-another-direction
 * Description: After a mapping of one direction, another direction is asked for.
 *  Before 6.16 DRM's exporters keep the first mapping of an attachment. If that is
 *  both ways it serves all directions. Otherwise the map gives EBUSY and changes
 *  nothing. prime_mock and newer kernels keep none and map each time.
 */
static void map_another_direction(void)
{
	struct scene s = scene_open(4);
	bool kept = strcmp(driver_name(s.drm), "prime_mock") &&
		    !kernel_has(KERNEL_MAPS_AT_MAP);

	for (int first = 0; first < 3; first++) {
		for (int second = 0; second < 3; second++) {
			uint32_t import = attach(&s, STATIC);
			int ret;

			map(&s, import, directions[first]);
			unmap_list(&s, import);
			ret = mock_map(s.mock, import, directions[second]);
			if (kept && first != second && directions[first] !=
			    PRIME_MOCK_BIDIRECTIONAL) {
				check_error(ret, EBUSY);
				map(&s, import, directions[first]);
			} else {
				check_ok(ret);
			}
			check_list(&s, import, 0, NULL);
			unmap_list(&s, import);
			detach(&s, import);
		}
	}
	scene_close(&s);
}

/**
 * SUBTEST: pin
 * Description: A dynamic importer pins the buffer several times, mapped or not, and
 *  unpins it as often.
 */
static void pin(void)
{
	struct scene s = scene_open(4);
	uint32_t import = attach(&s, DYNAMIC);

	for (int mapped = 0; mapped < 2; mapped++) {
		if (mapped)
			map(&s, import, PRIME_MOCK_BIDIRECTIONAL);
		for (int i = 0; i < 100; i++)
			check_ok(mock_step(s.mock, import, PRIME_MOCK_PIN));
		for (int i = 0; i < 100; i++)
			check_ok(mock_step(s.mock, import, PRIME_MOCK_UNPIN));
	}
	check_list(&s, import, 0, NULL);
	unmap_list(&s, import);
	detach(&s, import);
	scene_close(&s);
}

/**
 * SUBTEST: attach-thousands
 * Description: One buffer has four thousand attachments, half of them mapped. All
 *  end with the files that hold them. A kernel that checks DMA mappings allows few
 *  mappings of one page, so none is mapped there.
 */
static void attach_thousands(void)
{
	struct scene s = scene_open(1);
	bool maps = access("/sys/kernel/debug/dma-api", F_OK);
	int mock[4];

	for (int f = 0; f < 4; f++) {
		mock[f] = mock_beside(s.drm);
		for (int i = 0; i < 1000; i++) {
			int64_t import = mock_attach(mock[f], s.fd,
						     ways[maps && i & 1]);

			check_ok(import);
			if (maps && i & 2)
				check_ok(mock_map(mock[f], import,
						  PRIME_MOCK_BIDIRECTIONAL));
		}
	}
	check_eq(attachments_of(s.fd), 4000);
	for (int f = 0; f < 4; f++)
		close(mock[f]);
	for (int i = 0; i < 300 && attachments_of(s.fd); i++)
		usleep(10000);
	check_eq(attachments_of(s.fd), 0);
	scene_close(&s);
}

/**
 * SUBTEST: several-devices
 * Description: The mock attaches twice, another device imports, and all have the
 *  buffer mapped at the same time. They let go one after another.
 */
static void several_devices(void)
{
	struct scene s = scene_open(16);
	int other = open_other();
	uint32_t imports[2], handle;

	for (int i = 0; i < 2; i++) {
		imports[i] = attach(&s, ways[i]);
		map(&s, imports[i], PRIME_MOCK_BIDIRECTIONAL);
	}
	handle = check_ok(gem_import(other, s.fd));
	check(attachments_of(s.fd) >= 3);
	check_bytes(&s, imports[0], 1);
	unmap_list(&s, imports[0]);
	detach(&s, imports[0]);
	check_bytes(&s, imports[1], 2);
	check_ok(gem_close(other, handle));
	check_bytes(&s, imports[1], 3);
	unmap_list(&s, imports[1]);
	detach(&s, imports[1]);
	close(other);
	scene_close(&s);
}

/* --- lists --- */

/**
 * SUBTEST: list-of-each-size
 * Description: The list is as long as the buffer, in whole pages, for sizes from one
 *  page to eight MiB.
 */
static void list_of_each_size(void)
{
	static const unsigned int pages[] = {
		1, 2, 3, 7, 16, 17, 255, 256, 257, 512, 2048,
	};

	for (unsigned int i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
		struct scene s = scene_open(pages[i]);
		uint32_t import = attach(&s, STATIC);

		map(&s, import, PRIME_MOCK_BIDIRECTIONAL);
		check_list(&s, import, 0, NULL);
		unmap_list(&s, import);
		detach(&s, import);
		scene_close(&s);
	}
}

/*
 * Must the exporter give a list within @limits? An exporter gives each importer the list
 * that one without limits gets. But prime_mock cuts its segments for the importer, and then
 * they may be too many.
 */
static bool must_fit(const struct scene *s, const struct drm_prime_mock_limits *limits)
{
	uint32_t room = s->size / PAGE, import = attach(s, STATIC);
	struct drm_prime_mock_segment *list = calloc(room, sizeof(*list));
	bool fit = true;
	int64_t count;

	if (!access("/sys/bus/platform/devices/prime_mock.0/iommu_group", F_OK))
		prime_skip("an IOMMU makes lists of its own");
	check(list);
	map(s, import, PRIME_MOCK_BIDIRECTIONAL);
	count = check_ok(mock_query(s->mock, import, 0, NULL, list, room));
	for (int64_t i = 0; i < count; i++)
		fit = fit && segment_fits(&list[i], limits);
	if (!fit && !strcmp(driver_name(s->drm), "prime_mock")) {
		fit = true;
		count = room;
	}
	if (limits->max_segments && count > limits->max_segments)
		fit = false;
	free(list);
	unmap_list(s, import);
	detach(s, import);
	return fit;
}

/*
 * The importer checks its limits itself. A list that is mapped is within them. Any other
 * list is refused and undone, in an import by id and in one as an object.
 */
static void within(const struct drm_prime_mock_limits *limits, int refusal)
{
	struct scene s = scene_open(300);
	bool fit = must_fit(&s, limits);
	uint32_t import = attach(&s, STATIC);
	int64_t handle;
	int ret;

	check_ok(mock_limits(s.mock, *limits));
	ret = mock_map(s.mock, import, PRIME_MOCK_BIDIRECTIONAL);
	handle = gem_import(s.mock, s.fd);
	if (fit) {
		check_ok(ret);
		check_list(&s, import, 0, limits);
		check_bytes(&s, import, 5);
		unmap_list(&s, import);
		check_list(&s, check_ok(handle), PRIME_MOCK_BY_HANDLE, limits);
		check_ok(gem_close(s.mock, handle));
	} else {
		check_eq(-ret, refusal);
		check_eq(-handle, refusal);
	}
	detach(&s, import);
	for (int i = 0; i < 300 && attachments_of(s.fd); i++)
		usleep(10000);
	check_eq(attachments_of(s.fd), 0);

	check_ok(mock_limits(s.mock, MOCK_NO_LIMITS));
	import = attach(&s, STATIC);
	map(&s, import, PRIME_MOCK_BIDIRECTIONAL);
	check_list(&s, import, 0, NULL);
	scene_close(&s);
}

/**
 * SUBTEST: segment-size
 * Description: For a device with a maximum segment size, of a page or more, no
 *  segment of the list is longer. If the exporter's segments are longer and it does
 *  not cut them, the import is refused.
 */
static void segment_size(void)
{
	for (unsigned int size = PAGE; size <= 1024 * PAGE; size *= 4) {
		struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;

		limits.max_segment_size = size;
		within(&limits, EFBIG);
	}
}

/**
 * SUBTEST: segment-boundary
 * Description: For a device whose segments must not cross a boundary, of a page or
 *  more, none does. Otherwise the import is refused.
 */
static void segment_boundary(void)
{
	for (unsigned int size = PAGE; size <= 1024 * PAGE; size *= 4) {
		struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;

		limits.segment_boundary = size - 1;
		within(&limits, EXDEV);
	}
}

/**
 * SUBTEST: segment-count
 * Description: For a device that takes a number of segments, one if it needs
 *  contiguous memory, the list has no more. Otherwise the import is refused.
 */
static void segment_count(void)
{
	for (unsigned int count = 1; count <= 300; count *= 17) {
		struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;

		limits.max_segments = count;
		within(&limits, E2BIG);
	}
}

/* Bits of the highest address of memory, 0 if it is unknown. */
static unsigned int memory_bits(void)
{
	char *text = read_text("/proc/iomem"), *line, *rest = text;
	unsigned long long end, last = 0;

	while (rest && (line = strsep(&rest, "\n")))
		if (strstr(line, "System RAM") &&
		    sscanf(line, "%*x-%llx", &end) == 1 && end > last)
			last = end;
	free(text);
	return last ? 64 - __builtin_clzll(last) : 0;
}

/**
 * SUBTEST: dma-mask
 * Description: For a device whose mask just covers the machine's memory, all
 *  addresses of the list are below the mask. (With a smaller mask the kernel would
 *  warn.)
 */
static void dma_mask(void)
{
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;

	limits.dma_bits = memory_bits();
	if (!limits.dma_bits)
		prime_skip("/proc/iomem does not tell where memory ends (root)");
	within(&limits, EIO);
}

/**
 * SUBTEST: all-limits
 * Description: The same with a limit of each kind at once.
 */
static void all_limits(void)
{
	struct drm_prime_mock_limits limits = {
		.dma_bits = memory_bits() ?: 64, .max_segments = 300,
		.max_segment_size = PAGE, .segment_boundary = PAGE - 1,
	};

	/* A list that does not fit is always reported as too long. */
	within(&limits, EFBIG);
}

/* --- content --- */

/**
 * SUBTEST: content
 * Description: The device sees what the CPU wrote and the CPU what the device
 *  did, through static and dynamic attachments, for small and large buffers.
 */
static void content(void)
{
	static const unsigned int pages[] = { 1, 3, 64, 1025 };

	for (int i = 0; i < 8; i++) {
		struct scene s = scene_open(pages[i / 2]);
		uint32_t import = attach(&s, ways[i & 1]);

		need_mmap(s.fd);
		map(&s, import, PRIME_MOCK_BIDIRECTIONAL);
		for (int round = 0; round < 3; round++)
			check_bytes(&s, import, i * 8 + round * 2);
		unmap_list(&s, import);
		detach(&s, import);
		scene_close(&s);
	}
}

/**
 * SUBTEST: content-by-direction
 * Description: A device that has mapped in one direction has the bytes in that
 *  direction. Its own driver refuses the other direction.
 */
static void content_by_direction(void)
{
	struct scene s = scene_open(9);
	uint8_t bytes[9 * PAGE];
	uint32_t to = attach(&s, STATIC), from = attach(&s, STATIC);

	need_mmap(s.fd);
	map(&s, to, PRIME_MOCK_TO_DEVICE);
	map(&s, from, PRIME_MOCK_FROM_DEVICE);
	fill_dmabuf(s.fd, s.size, 3);
	check_ok(mock_read(s.mock, to, 0, 0, bytes, s.size));
	check_eq(filled(bytes, s.size, 3), s.size);
	check_error(mock_write(s.mock, to, 0, 0, bytes, s.size), EACCES);
	fill(bytes, s.size, 4);
	check_ok(mock_write(s.mock, from, 0, 0, bytes, s.size));
	check_eq(filled_dmabuf(s.fd, s.size, 4), s.size);
	check_error(mock_read(s.mock, from, 0, 0, bytes, s.size), EACCES);
	unmap_list(&s, to);
	unmap_list(&s, from);
	scene_close(&s);
}

/**
 * SUBTEST: content-of-import
 * Description: The same bytes through a handle of the importer, as a driver uses it,
 *  static and dynamic.
 */
static void content_of_import(void)
{
	for (int dynamic = 0; dynamic < 2; dynamic++) {
		struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;
		struct scene s = scene_open(33);
		uint8_t bytes[33 * PAGE];
		uint32_t handle;

		need_mmap(s.fd);
		limits.flags = dynamic ? PRIME_MOCK_GEM_DYNAMIC : 0;
		check_ok(mock_limits(s.mock, limits));
		handle = check_ok(gem_import(s.mock, s.fd));
		check_ok(mock_limits(s.mock, MOCK_NO_LIMITS));
		check_list(&s, handle, PRIME_MOCK_BY_HANDLE, NULL);
		fill_dmabuf(s.fd, s.size, 11);
		check_ok(mock_read(s.mock, handle, PRIME_MOCK_BY_HANDLE, 0, bytes,
				   s.size));
		check_eq(filled(bytes, s.size, 11), s.size);
		fill(bytes, s.size, 12);
		check_ok(mock_write(s.mock, handle, PRIME_MOCK_BY_HANDLE, 0,
				    bytes, s.size));
		check_eq(filled_dmabuf(s.fd, s.size, 12), s.size);
		check_ok(gem_close(s.mock, handle));
		scene_close(&s);
	}
}

/* --- the kernel's own access --- */

/* A vmap. Skips if the exporter has none. */
static void vmap_once(const struct scene *s, uint32_t import)
{
	int ret = mock_step(s->mock, import, PRIME_MOCK_VMAP);

	if (ret == -EINVAL || ret == -EOPNOTSUPP || ret == -ENOSYS)
		prime_skip("%s has no vmap: %s", driver_name(s->drm),
			   strerror(-ret));
	check_ok(ret);
}

static uint64_t first_bytes(const struct scene *s, uint32_t import)
{
	struct drm_prime_mock_query query;

	check_ok(mock_query(s->mock, import, 0, &query, NULL, 0));
	return query.first_bytes;
}

/**
 * SUBTEST: vmap-nested
 * Description: The kernel maps the buffer many times, from two attachments. It sees
 *  what the CPU writes until the last of these is gone.
 */
static void vmap_nested(void)
{
	struct scene s = scene_open(4);
	uint32_t imports[2] = { attach(&s, STATIC), attach(&s, DYNAMIC) };
	uint64_t *bytes;

	need_mmap(s.fd);
	bytes = map_dmabuf(s.fd, s.size);
	for (int i = 0; i < 2; i++)
		for (int n = 0; n < 50; n++)
			vmap_once(&s, imports[i]);
	for (uint64_t n = 1; n <= 50; n++) {
		bytes[0] = n * 0x0123456789abcdull;
		check_eq(first_bytes(&s, imports[0]), bytes[0]);
		check_eq(first_bytes(&s, imports[1]), bytes[0]);
		check_ok(mock_step(s.mock, imports[n & 1], PRIME_MOCK_VUNMAP));
		check_ok(mock_step(s.mock, imports[!(n & 1)], PRIME_MOCK_VUNMAP));
		bytes[0]++;
		if (n < 50)
			check_eq(first_bytes(&s, imports[0]), bytes[0]);
	}
	check_error(mock_step(s.mock, imports[0], PRIME_MOCK_VUNMAP), EINVAL);
	vmap_once(&s, imports[0]);
	check_eq(first_bytes(&s, imports[0]), bytes[0]);
	check_ok(mock_step(s.mock, imports[0], PRIME_MOCK_VUNMAP));
	unmap(bytes, s.size);
	detach(&s, imports[0]);
	detach(&s, imports[1]);
	scene_close(&s);
}

/**
 * SUBTEST: vmap-while-mapped
 * Description: One buffer is mapped for the device, by a process and by the kernel
 *  at the same time. All three see the same bytes.
 */
static void vmap_while_mapped(void)
{
	struct scene s = scene_open(4);
	uint32_t import = attach(&s, STATIC);
	uint64_t value = 0x1122334455667788ull;

	need_mmap(s.fd);
	map(&s, import, PRIME_MOCK_BIDIRECTIONAL);
	vmap_once(&s, import);
	check_bytes(&s, import, 21);
	check_ok(mock_write(s.mock, import, 0, 0, &value, sizeof(value)));
	check_eq(first_bytes(&s, import), value);
	unmap_list(&s, import);
	check_eq(first_bytes(&s, import), value);
	check_ok(mock_step(s.mock, import, PRIME_MOCK_VUNMAP));
	detach(&s, import);
	scene_close(&s);
}

/**
 * SUBTEST: begin-end
 * Description: An importer in the kernel begins and ends CPU access, in each
 *  direction, nested and without a begin. The buffer can still be used afterwards.
 */
static void begin_end(void)
{
	struct scene s = scene_open(4);
	uint32_t import = attach(&s, STATIC);

	for (int d = 0; d < 3; d++) {
		for (int n = 0; n < 10; n++)
			check_ok(mock_begin(s.mock, import, directions[d]));
		for (int n = 0; n < 10; n++)
			check_ok(mock_end(s.mock, import, directions[d]));
	}
	map(&s, import, PRIME_MOCK_BIDIRECTIONAL);
	check_ok(mock_begin(s.mock, import, PRIME_MOCK_BIDIRECTIONAL));
	check_list(&s, import, 0, NULL);
	check_ok(mock_end(s.mock, import, PRIME_MOCK_BIDIRECTIONAL));
	unmap_list(&s, import);
	detach(&s, import);
	scene_close(&s);
}

/**
 * SUBTEST: begin-waits
 * Description: The kernel's begin waits as a process's does: for the writer if it
 *  reads, and also for the readers if it writes.
 */
static void begin_waits(void)
{
	static const struct {
		uint32_t usage, direction;
		bool waits;
	} cases[] = {
		{ PRIME_MOCK_USAGE_WRITE, PRIME_MOCK_FROM_DEVICE, true },
		{ PRIME_MOCK_USAGE_WRITE, PRIME_MOCK_BIDIRECTIONAL, true },
		{ PRIME_MOCK_USAGE_READ, PRIME_MOCK_TO_DEVICE, true },
		{ PRIME_MOCK_USAGE_READ, PRIME_MOCK_FROM_DEVICE, false },
		{ PRIME_MOCK_USAGE_KERNEL, PRIME_MOCK_FROM_DEVICE, true },
		{ PRIME_MOCK_USAGE_BOOKKEEP, PRIME_MOCK_TO_DEVICE, false },
	};
	struct scene s = scene_open(1);
	uint32_t import = attach(&s, STATIC);

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t fence;
		int file = check_ok(mock_fence_fd(s.mock, s.fd, cases[i].usage,
						  cases[i].waits ? 100 : 0,
						  &fence));

		printf("usage %u, direction %u\n", cases[i].usage,
		       cases[i].direction);
		check_ok(mock_begin(s.mock, import, cases[i].direction));
		check_eq(poll_events(file, POLLIN, 0), cases[i].waits ? POLLIN : 0);
		close(file);
		check_ok(mock_end(s.mock, import, cases[i].direction));
		if (!cases[i].waits)
			check_ok(mock_signal(s.mock, fence, 0));
	}
	detach(&s, import);
	scene_close(&s);
}

/* --- letting go --- */

/**
 * SUBTEST: attached-outlives-all
 * Description: The exporter's handle, the fd and the exporter's file are closed
 *  while a device has the buffer attached and mapped. The device keeps the bytes
 *  until it detaches. Then the buffer is freed.
 */
static void attached_outlives_all(void)
{
	for (int way = 0; way < 2; way++) {
		struct scene s = scene_open(8);
		uint32_t import = attach(&s, ways[way]);
		uint8_t bytes[8 * PAGE];

		need_mmap(s.fd);
		map(&s, import, PRIME_MOCK_BIDIRECTIONAL);
		fill_dmabuf(s.fd, s.size, 31);
		check_ok(gem_close(s.drm, s.handle));
		close(s.fd);
		close(s.drm);
		check_eq(settle_buffers(1), 1);
		check_ok(mock_read(s.mock, import, 0, 0, bytes, s.size));
		check_eq(filled(bytes, s.size, 31), s.size);
		check_list(&s, import, 0, NULL);
		unmap_list(&s, import);
		map(&s, import, PRIME_MOCK_BIDIRECTIONAL);
		check_ok(mock_read(s.mock, import, 0, 0, bytes, s.size));
		check_eq(filled(bytes, s.size, 31), s.size);
		unmap_list(&s, import);
		check_eq(count_buffers(), 1);
		detach(&s, import);
		check_eq(settle_buffers(0), 0);
		close(s.mock);
	}
}

/* All that an importer can hold of a buffer. */
static void hold_everything(const struct scene *s)
{
	for (int i = 0; i < 2; i++) {
		uint32_t import = attach(s, ways[i]);

		map(s, import, PRIME_MOCK_BIDIRECTIONAL);
		if (ways[i] == DYNAMIC)
			for (int n = 0; n < 3; n++)
				check_ok(mock_step(s->mock, import,
						   PRIME_MOCK_PIN));
		mock_step(s->mock, import, PRIME_MOCK_VMAP);
		mock_step(s->mock, import, PRIME_MOCK_VMAP);
		check_ok(mock_begin(s->mock, import, PRIME_MOCK_BIDIRECTIONAL));
	}
	check_ok(gem_import(s->mock, s->fd));
}

/**
 * SUBTEST: file-closed
 * Description: An importer closes its file while it holds everything: attached,
 *  mapped, pinned, vmapped, begun. Nothing of it is left.
 */
static void file_closed(void)
{
	struct scene s = scene_open(4);

	for (int i = 0; i < 10; i++) {
		hold_everything(&s);
		check(attachments_of(s.fd) >= 3);
		close(s.mock);
		for (int n = 0; n < 300 && attachments_of(s.fd); n++)
			usleep(10000);
		check_eq(attachments_of(s.fd), 0);
		s.mock = mock_beside(s.drm);
	}
	scene_close(&s);
}

/**
 * SUBTEST: importer-killed
 * Description: The same for a process that is killed.
 */
static void importer_killed(void)
{
	struct scene s = scene_open(4);

	for (int i = 0; i < 5; i++) {
		int status;
		pid_t pid;

		close(s.mock);
		pid = fork();
		check(pid >= 0);
		if (!pid) {
			s.mock = mock_beside(s.drm);
			hold_everything(&s);
			pause();
		}
		for (int n = 0; n < 500 && attachments_of(s.fd) < 3; n++)
			usleep(10000);
		check(attachments_of(s.fd) >= 3);
		check_ok(kill(pid, SIGKILL) ? -errno : 0);
		check_eq(waitpid(pid, &status, 0), pid);
		for (int n = 0; n < 300 && attachments_of(s.fd); n++)
			usleep(10000);
		check_eq(attachments_of(s.fd), 0);
		s.mock = mock_beside(s.drm);
	}
	scene_close(&s);
}

/**
 * SUBTEST: exporter-killed
 * Description: The process that made and exported the buffer is killed. The importer
 *  in another process keeps the buffer and its bytes.
 */
static void exporter_killed(void)
{
	int mock = mock_beside(open_device()), status, pipes[2];
	struct scene s = { .mock = mock, .size = 4 * PAGE };
	uint8_t bytes[4 * PAGE];
	uint32_t import = 0;
	pid_t pid;

	check_ok(pipe(pipes) ? -errno : 0);
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		/* The file of the mock is shared, and so are its imports. */
		s.drm = open_device();
		s.fd = make_dmabuf(s.drm, 4, &s.handle);
		need_mmap(s.fd);
		fill_dmabuf(s.fd, s.size, 41);
		import = attach(&s, STATIC);
		map(&s, import, PRIME_MOCK_BIDIRECTIONAL);
		check_eq(write(pipes[1], &import, sizeof(import)),
			 sizeof(import));
		pause();
	}
	close(pipes[1]);
	if (read(pipes[0], &import, sizeof(import)) != sizeof(import)) {
		check_eq(waitpid(pid, &status, 0), pid);
		_exit(WEXITSTATUS(status));
	}
	check_ok(kill(pid, SIGKILL) ? -errno : 0);
	check_eq(waitpid(pid, &status, 0), pid);
	check_eq(settle_buffers(1), 1);
	check_ok(mock_read(mock, import, 0, 0, bytes, s.size));
	check_eq(filled(bytes, s.size, 41), s.size);
	unmap_list(&s, import);
	detach(&s, import);
	check_eq(settle_buffers(0), 0);
}

/**
 * SUBTEST: importer-unplugged
 * Description: The importing device is taken away with the buffer attached, mapped
 *  and pinned. The exporter's buffer can still be used, and is freed when the
 *  importer's file is closed.
 */
static void importer_unplugged(void)
{
	struct scene s = scene_open(4);
	unsigned int index = mock_index_beside(s.drm);

	close(s.mock);
	for (int i = 0; i < 3; i++) {
		s.mock = mock_open(index);
		hold_everything(&s);
		check_ok(mock_replug(s.mock, index));
		check_error(mock_attach(s.mock, s.fd, 0), ENODEV);
		check_ok(dmabuf_sync(s.fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
		check_ok(dmabuf_sync(s.fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
		close(s.mock);
		for (int n = 0; n < 300 && attachments_of(s.fd); n++)
			usleep(10000);
		check_eq(attachments_of(s.fd), 0);
	}
	s.mock = mock_open(index);
	scene_close(&s);
}

/* --- at the same time --- */

struct racer {
	pthread_t thread;
	const struct scene *scene;
	uint32_t way;
	double end;
	unsigned int rounds;
};

static void *racer_run(void *data)
{
	struct racer *racer = data;
	const struct scene *s = racer->scene;

	while (now() < racer->end) {
		uint32_t import = check_ok(mock_attach(s->mock, s->fd,
						       racer->way));

		map(s, import, directions[racer->rounds % 3]);
		check_list(s, import, 0, NULL);
		mock_step(s->mock, import, PRIME_MOCK_VMAP);
		mock_step(s->mock, import, PRIME_MOCK_VUNMAP);
		unmap_list(s, import);
		detach(s, import);
		racer->rounds++;
	}
	return NULL;
}

/**
 * SUBTEST: race-attach-map
 * Description: Four threads attach, map, vmap and detach one buffer, statically and
 *  dynamically. Every list is complete, and at the end everything is undone.
 */
static void race_attach_map(void)
{
	struct scene s = scene_open(16);
	struct racer racers[4];

	detach(&s, attach(&s, STATIC));
	for (int i = 0; i < 4; i++) {
		racers[i] = (struct racer){
			.scene = &s, .way = ways[i & 1],
			.end = now() + race_seconds() / 2,
		};
		check_eq(pthread_create(&racers[i].thread, NULL, racer_run,
					&racers[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		check_eq(pthread_join(racers[i].thread, NULL), 0);
		check(racers[i].rounds > 0);
	}
	check_eq(attachments_of(s.fd), 0);
	scene_close(&s);
}

/**
 * SUBTEST: attach-of-nothing
 * Description: An fd that is no dma-buf is not attached: EBADF for a number that is
 *  not open, EINVAL for another file.
 */
static void attach_of_nothing(void)
{
	struct scene s = scene_open(1);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	check_error(mock_attach(s.mock, -1, 0), EBADF);
	check_error(mock_attach(s.mock, null, 0), EINVAL);
	check_error(mock_attach(s.mock, s.mock, 0), EINVAL);
	check_error(mock_attach(s.mock, s.fd, ~3u), EINVAL);
	close(null);
	scene_close(&s);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(attach_detach),
	SUBTEST(map_each_direction),
	SUBTEST(map_dynamic),
	SUBTEST(map_another_direction),
	SUBTEST(pin),
	SUBTEST(attach_thousands),
	SUBTEST(several_devices),
	SUBTEST(list_of_each_size),
	SUBTEST(segment_size),
	SUBTEST(segment_boundary),
	SUBTEST(segment_count),
	SUBTEST(dma_mask),
	SUBTEST(all_limits),
	SUBTEST(content),
	SUBTEST(content_by_direction),
	SUBTEST(content_of_import),
	SUBTEST(vmap_nested),
	SUBTEST(vmap_while_mapped),
	SUBTEST(begin_end),
	SUBTEST(begin_waits),
	SUBTEST(attached_outlives_all),
	SUBTEST(file_closed),
	SUBTEST(importer_killed),
	SUBTEST(exporter_killed),
	SUBTEST(importer_unplugged),
	SUBTEST(race_attach_map),
	SUBTEST(attach_of_nothing),
};

PRIME_MAIN(subtests)
