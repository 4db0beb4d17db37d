// SPDX-License-Identifier: MIT
/**
 * TEST: dmabuf limits
 * Description: Scatter lists between an exporter whose pages lie as the test
 *  chooses, and an importer with limits: segment size and boundary, number of
 *  segments, DMA mask. A list is within the limits, or it is refused and everything
 *  is undone. A move brings the storage within reach. Both sides are prime_mock.
 */
#include "lib/mock_buffer.h"
#include "lib/prime_memory.h"

#include <fcntl.h>

#define PAGES	512u	/* one huge page */

struct scene {
	int exporter, importer;
	struct mock_buffer b;
	struct drm_prime_mock_segment *list;
	unsigned int count;	/* of segments in list */
	uint32_t import;
};

static struct scene scene_open(uint32_t flags, uint32_t backing, unsigned int bits)
{
	struct scene s = { .exporter = mock_open(0), .importer = mock_open(1) };
	struct drm_prime_mock_create args = {
		.size = PAGES * PAGE, .backing = backing, .dma_bits = bits,
		.flags = flags,
	};
	int ret = mock_create_as(s.exporter, &args);

	if (ret == -ENOMEM && bits)
		prime_skip("no such pages below %u bits", bits);
	check_ok(ret);
	s.b = (struct mock_buffer){
		.mock = s.exporter, .handle = args.handle, .id = args.id,
		.size = args.size,
		.fd = check_ok(gem_export(s.exporter, args.handle,
					  DRM_CLOEXEC | DRM_RDWR)),
	};
	s.list = calloc(PAGES, sizeof(*s.list));
	check(s.list);
	check_ok(mock_limits(s.importer, MOCK_NO_LIMITS));
	s.import = check_ok(mock_attach(s.importer, s.b.fd, 0));
	return s;
}

static void scene_close(struct scene *s)
{
	check_ok(mock_limits(s->importer, MOCK_NO_LIMITS));
	check_ok(mock_step(s->importer, s->import, PRIME_MOCK_DETACH));
	mock_buffer_end(&s->b);
	free(s->list);
	close(s->exporter);
	close(s->importer);
}

/* The list of a mapping made now, or the errno. */
static int map_list(struct scene *s)
{
	uint64_t total = 0;
	int ret = mock_map(s->importer, s->import, PRIME_MOCK_BIDIRECTIONAL);

	if (ret)
		return ret;
	s->count = check_ok(mock_query(s->importer, s->import, 0, NULL, s->list,
				       PAGES));
	check(s->count > 0 && s->count <= PAGES);
	for (unsigned int i = 0; i < s->count; i++)
		total += s->list[i].length;
	check_eq(total, s->b.size);
	return 0;
}

static void unmap_list(struct scene *s)
{
	check_ok(mock_step(s->importer, s->import, PRIME_MOCK_UNMAP));
}

static void check_bytes(struct scene *s, uint32_t seed)
{
	uint8_t *bytes = malloc(s->b.size);

	check(bytes);
	fill_dmabuf(s->b.fd, s->b.size, seed);
	check_ok(mock_read(s->importer, s->import, 0, 0, bytes, s->b.size));
	check_eq(filled(bytes, s->b.size, seed), s->b.size);
	free(bytes);
}

/* Refused by id and as an object, statically and dynamically; nothing stays. */
static void check_refused(struct scene *s, struct drm_prime_mock_limits limits,
			  int error)
{
	int attached = mock_balance(&s->b, PRIME_MOCK_ATTACHED);

	check_ok(mock_limits(s->importer, limits));
	check_eq(-map_list(s), error);
	check_eq(mock_balance(&s->b, PRIME_MOCK_MAPPED), 0);
	for (int dynamic = 0; dynamic < 2; dynamic++) {
		limits.flags = dynamic ? PRIME_MOCK_GEM_DYNAMIC : 0;
		check_ok(mock_limits(s->importer, limits));
		check_eq(-gem_import(s->importer, s->b.fd), error);
		check_eq(mock_balance(&s->b, PRIME_MOCK_MAPPED), 0);
		check_eq(mock_balance(&s->b, PRIME_MOCK_ATTACHED), attached);
	}
	check_ok(mock_limits(s->importer, MOCK_NO_LIMITS));
}

/* --- layout --- */

/**
 * SUBTEST: layouts
 * Description: The list shows how the pages lie: each scattered page is a segment,
 *  and a contiguous run or a huge page is one segment.
 */
static void layouts(void)
{
	static const unsigned int counts[] = { PAGES, 1, 1 };

	for (int backing = 0; backing < 3; backing++) {
		struct scene s = scene_open(0, backing, 0);

		check_ok(map_list(&s));
		check_eq(s.count, counts[backing]);
		for (unsigned int i = 1; i < s.count; i++)
			check(s.list[i].address !=
			      s.list[i - 1].address + s.list[i - 1].length);
		if (backing == PRIME_MOCK_HUGE)
			check_eq(s.list[0].address % PRIME_MOCK_HUGE_SIZE, 0);
		check_bytes(&s, backing);
		unmap_list(&s);
		scene_close(&s);
	}
}

/**
 * SUBTEST: contiguous-device
 * Description: A device that takes one segment gets contiguous storage. Scattered
 *  storage is refused until the exporter has moved it to contiguous pages.
 */
static void contiguous_device(void)
{
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;
	struct scene s = scene_open(0, PRIME_MOCK_SCATTERED, 0);

	limits.max_segments = 1;
	check_refused(&s, limits, E2BIG);
	fill_dmabuf(s.b.fd, s.b.size, 1);
	check_ok(mock_move(s.exporter, s.b.handle, PRIME_MOCK_CONTIGUOUS));
	check_eq(filled_dmabuf(s.b.fd, s.b.size, 1), s.b.size);
	check_ok(mock_limits(s.importer, limits));
	check_ok(map_list(&s));
	check_eq(s.count, 1);
	check_bytes(&s, 2);
	unmap_list(&s);
	check_ok(mock_move(s.exporter, s.b.handle, PRIME_MOCK_SCATTERED));
	check_refused(&s, limits, E2BIG);
	scene_close(&s);
}

/* --- limits that the exporter heeds --- */

/**
 * SUBTEST: segment-size
 * Description: A contiguous run is cut into segments of the importer's largest size,
 *  and no byte is lost.
 */
static void segment_size(void)
{
	struct scene s = scene_open(0, PRIME_MOCK_CONTIGUOUS, 0);

	for (unsigned int size = PAGE; size <= PAGES * PAGE; size *= 2) {
		struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;

		limits.max_segment_size = size;
		check_ok(mock_limits(s.importer, limits));
		check_ok(map_list(&s));
		check_eq(s.count, PAGES * PAGE / size);
		for (unsigned int i = 0; i < s.count; i++)
			check_eq(s.list[i].length, size);
		check_bytes(&s, size);
		unmap_list(&s);
	}
	scene_close(&s);
}

/**
 * SUBTEST: segment-boundary
 * Description: No segment of a contiguous run crosses the importer's boundary.
 */
static void segment_boundary(void)
{
	struct scene s = scene_open(0, PRIME_MOCK_HUGE, 0);

	for (unsigned int size = PAGE; size <= PAGES * PAGE; size *= 2) {
		struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;

		limits.segment_boundary = size - 1;
		check_ok(mock_limits(s.importer, limits));
		check_ok(map_list(&s));
		/* A huge page lies on every boundary up to its own size. */
		check_eq(s.count, PAGES * PAGE / size);
		for (unsigned int i = 0; i < s.count; i++)
			check_eq(s.list[i].address % size, 0);
		unmap_list(&s);
	}
	scene_close(&s);
}

/* --- limits that the exporter disregards --- */

/**
 * SUBTEST: disregarded
 * Description: An exporter that joins all adjacent pages gives lists that the
 *  importer can't use. Each is refused with the errno of its reason and undone, and
 *  the attachment still works. An importer that does not check accepts them.
 */
static void disregarded(void)
{
	static const uint32_t kinds[] = {
		PRIME_MOCK_IGNORE_LIMITS,
		PRIME_MOCK_IGNORE_LIMITS | PRIME_MOCK_MINIMAL,
		PRIME_MOCK_IGNORE_LIMITS | PRIME_MOCK_CACHED,
	};

	for (int i = 0; i < 3; i++) {
		struct scene s = scene_open(kinds[i], PRIME_MOCK_CONTIGUOUS, 0);
		struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;

		if (!(kinds[i] & PRIME_MOCK_CACHED)) {
			limits.max_segment_size = 4 * PAGE;
			check_refused(&s, limits, EFBIG);
			limits = MOCK_NO_LIMITS;
			limits.segment_boundary = 4 * PAGE - 1;
			check_refused(&s, limits, EXDEV);
		}
		limits = MOCK_NO_LIMITS;
		limits.max_segment_size = 4 * PAGE;
		limits.flags = PRIME_MOCK_UNCHECKED;
		check_ok(mock_limits(s.importer, limits));
		check_ok(map_list(&s));
		check_eq(s.count, 1);
		check_eq(s.list[0].length, s.b.size);
		unmap_list(&s);
		scene_close(&s);
	}
}

/**
 * SUBTEST: kept-mapping-refused
 * Description: The core keeps the first mapping of such an exporter. If the importer
 *  refuses it, again and again, one mapping is left until the detach.
 */
static void kept_mapping_refused(void)
{
	struct scene s = scene_open(PRIME_MOCK_IGNORE_LIMITS | PRIME_MOCK_CACHED,
				    PRIME_MOCK_CONTIGUOUS, 0);
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;

	if (kernel_has(KERNEL_MAPS_AT_MAP))
		prime_skip("this kernel keeps no mapping");
	limits.max_segment_size = PAGE;
	check_ok(mock_limits(s.importer, limits));
	for (int i = 0; i < 5; i++) {
		check_error(map_list(&s), EFBIG);
		check_eq(mock_balance(&s.b, PRIME_MOCK_MAPPED), 1);
		check_eq(mock_count(&s.b, PRIME_MOCK_MAP), 1);
	}
	check_ok(mock_limits(s.importer, MOCK_NO_LIMITS));
	check_ok(map_list(&s));
	check_eq(mock_count(&s.b, PRIME_MOCK_MAP), 1);
	unmap_list(&s);
	scene_close(&s);
}

/* --- DMA mask --- */

/* Do this machine's devices accept a mask of so few bits? */
static void need_mask(int importer, unsigned int bits)
{
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;
	int ret;

	limits.dma_bits = bits;
	ret = mock_limits(importer, limits);
	if (ret == -EIO)
		prime_skip("no device of %u bits on this machine", bits);
	check_ok(ret);
	check_ok(mock_limits(importer, MOCK_NO_LIMITS));
}

static uint64_t last_address(const struct scene *s)
{
	uint64_t last = 0;

	for (unsigned int i = 0; i < s->count; i++) {
		uint64_t end = s->list[i].address + s->list[i].length - 1;

		last = end > last ? end : last;
	}
	return last;
}

/**
 * SUBTEST: mask-kept
 * Description: Storage of each layout that is made below a mask has DMA addresses
 *  below it, and a device with this mask imports it.
 */
static void mask_kept(void)
{
	for (unsigned int bits = 28; bits <= 32; bits += 4) {
		for (int backing = 0; backing < 3; backing++) {
			struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;
			struct scene s = scene_open(0, backing, bits);

			need_mask(s.importer, bits);
			limits.dma_bits = bits;
			check_ok(mock_limits(s.importer, limits));
			check_ok(map_list(&s));
			check(!(last_address(&s) >> bits));
			check_bytes(&s, bits);
			unmap_list(&s);
			check_ok(gem_close(s.importer,
					   check_ok(gem_import(s.importer,
							       s.b.fd))));
			scene_close(&s);
		}
	}
}

/* Memory may come from anywhere, so this holds buffers until one lies above @bits. */
static struct scene scene_above(unsigned int bits)
{
	for (int i = 0; i < 200; i++) {
		struct scene s = scene_open(0, PRIME_MOCK_SCATTERED, 0);

		check_ok(map_list(&s));
		unmap_list(&s);
		if (last_address(&s) >> bits)
			return s;
	}
	prime_skip("no memory lies above %u bits", bits);
}

/**
 * SUBTEST: mask-refused
 * Description: A device that does not reach the storage is refused, and everything
 *  is undone. When the exporter has moved the storage within reach, the import
 *  works and the bytes are the same.
 */
static void mask_refused(void)
{
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;
	struct drm_prime_mock_move move = { .dma_bits = 28 };
	struct scene s = scene_above(28);

	need_mask(s.importer, 28);
	limits.dma_bits = 28;
	check_refused(&s, limits, EIO);
	fill_dmabuf(s.b.fd, s.b.size, 6);
	move.handle = s.b.handle;
	check_ok(xioctl(s.exporter, DRM_IOCTL_PRIME_MOCK_MOVE, &move));
	check_eq(filled_dmabuf(s.b.fd, s.b.size, 6), s.b.size);
	check_ok(mock_limits(s.importer, limits));
	check_ok(map_list(&s));
	check(!(last_address(&s) >> 28));
	check_bytes(&s, 7);
	unmap_list(&s);
	scene_close(&s);
}

/**
 * SUBTEST: narrowed-while-mapped
 * Description: When limits become narrower, a list that is mapped stays as it was.
 *  The next list is within the new limits.
 */
static void narrowed_while_mapped(void)
{
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;
	struct scene s = scene_open(0, PRIME_MOCK_CONTIGUOUS, 0);

	check_ok(map_list(&s));
	check_eq(s.count, 1);
	limits.max_segment_size = PAGE;
	check_ok(mock_limits(s.importer, limits));
	check_eq(mock_query(s.importer, s.import, 0, NULL, NULL, 0), 1);
	check_bytes(&s, 8);
	unmap_list(&s);
	check_ok(map_list(&s));
	check_eq(s.count, PAGES);
	check_bytes(&s, 9);
	unmap_list(&s);
	scene_close(&s);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(layouts),
	SUBTEST(contiguous_device),
	SUBTEST(segment_size),
	SUBTEST(segment_boundary),
	SUBTEST(disregarded),
	SUBTEST(kept_mapping_refused),
	SUBTEST(mask_kept),
	SUBTEST(mask_refused),
	SUBTEST(narrowed_while_mapped),
};

PRIME_MAIN(subtests)
