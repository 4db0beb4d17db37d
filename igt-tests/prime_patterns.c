// SPDX-License-Identifier: MIT
/**
 * TEST: prime patterns
 * Description: What drivers do with dma-bufs whose hardware no test machine has.
 *  RDMA pins, maps for long and edits its table in place. Some importers let go for
 *  good when memory is taken away. Exporters with TTM move a buffer while somebody
 *  maps it. xe also does so for the processor, and imports memory of a peer. amdxdna
 *  imports what it has exported itself. Both sides are prime_mock.
 */
#include "lib/mock_buffer.h"
#include "lib/prime_memory.h"

#include <poll.h>
#include <pthread.h>

#define PAGES	4u

static void do_step(struct mock_scene *s, uint32_t import, uint32_t op)
{
	check_ok(mock_step(s->importer, import, op));
}

static void do_map(struct mock_scene *s, uint32_t import)
{
	check_ok(mock_map(s->importer, import, PRIME_MOCK_BIDIRECTIONAL));
}

static int map_trimmed(struct mock_scene *s, uint32_t import)
{
	struct drm_prime_mock_step args = {
		.id = import, .op = PRIME_MOCK_MAP, .flags = PRIME_MOCK_TRIM,
		.direction = PRIME_MOCK_BIDIRECTIONAL,
	};

	return xioctl(s->importer, DRM_IOCTL_PRIME_MOCK_STEP, &args);
}

static int move(struct mock_scene *s)
{
	return mock_move(s->exporter, s->b.handle, PRIME_MOCK_SCATTERED);
}

static uint64_t moves_of(struct mock_scene *s)
{
	struct drm_prime_mock_stats stats;

	check_ok(mock_stats(s->exporter, s->b.id, &stats));
	return stats.moves;
}

/* The device's mapping begins with the bytes that the buffer has from @cut on. */
static void check_bytes(struct mock_scene *s, uint32_t import, size_t cut, uint32_t seed)
{
	size_t size = s->b.size - cut;
	uint8_t *whole = malloc(s->b.size), *seen = malloc(size);

	check(whole && seen);
	fill_dmabuf(s->b.fd, s->b.size, seed);
	fill(whole, s->b.size, seed);
	check_ok(mock_read(s->importer, import, 0, 0, seen, size));
	check(!memcmp(seen, whole + cut, size));
	free(whole);
	free(seen);
}

/* An importer that is not told of moves, or a skip. */
static uint32_t attach_untold(struct mock_scene *s)
{
	uint32_t flags = PRIME_MOCK_IMPORT_DYNAMIC | PRIME_MOCK_IMPORT_UNTOLD;

	if (!kernel_has(KERNEL_TAKES_UNTOLD)) {
		check_error(mock_attach(s->importer, s->b.fd, flags), EINVAL);
		prime_skip("this kernel wants a callback of dynamic importers");
	}
	return mock_scene_attach(s, flags);
}

/* --- RDMA --- */

/**
 * SUBTEST: pinned-for-long
 * Description: An importer without a callback pins, then maps. The buffer stays
 *  where it is until it unpins, and moves after that.
 */
static void pinned_for_long(void)
{
	struct mock_scene s = mock_scene_as(PRIME_MOCK_DYNAMIC, PRIME_MOCK_SCATTERED, PAGES);
	uint32_t import = attach_untold(&s);

	do_step(&s, import, PRIME_MOCK_PIN);
	do_map(&s, import);
	check_eq(mock_balance(&s.b, PRIME_MOCK_PINNED), 1);
	check_error(move(&s), EBUSY);
	check_bytes(&s, import, 0, 1);
	do_step(&s, import, PRIME_MOCK_UNMAP);
	check_error(move(&s), EBUSY);
	do_step(&s, import, PRIME_MOCK_UNPIN);
	check_ok(move(&s));
	check_eq(mock_scene_state(&s, import).notified, 0);
	do_step(&s, import, PRIME_MOCK_DETACH);
	mock_scene_end(&s);
}

/**
 * SUBTEST: others-are-told
 * Description: A move tells the importers that have a callback. One without a
 *  callback is attached, too.
 */
static void others_are_told(void)
{
	struct mock_scene s = mock_scene_as(PRIME_MOCK_DYNAMIC, PRIME_MOCK_SCATTERED, PAGES);
	uint32_t untold = attach_untold(&s);
	uint32_t told = mock_scene_attach(&s, PRIME_MOCK_IMPORT_DYNAMIC);

	check_ok(move(&s));
	check_eq(mock_scene_state(&s, told).notified, 1);
	check_eq(mock_scene_state(&s, untold).notified, 0);
	do_step(&s, untold, PRIME_MOCK_DETACH);
	do_step(&s, told, PRIME_MOCK_DETACH);
	mock_scene_end(&s);
}

/**
 * SUBTEST: pin-of-what-is-mapped
 * Description: An importer maps first and pins later. The pin does not map again,
 *  and outlasts the mapping.
 */
static void pin_of_what_is_mapped(void)
{
	struct mock_scene s = mock_scene_as(PRIME_MOCK_DYNAMIC, PRIME_MOCK_SCATTERED, PAGES);
	uint32_t import = mock_scene_attach(&s, PRIME_MOCK_IMPORT_DYNAMIC);
	int pins;

	do_map(&s, import);
	pins = mock_balance(&s.b, PRIME_MOCK_PINNED);
	check_eq(pins, kernel_moves() ? 0 : 1);
	do_step(&s, import, PRIME_MOCK_PIN);
	check_eq(mock_balance(&s.b, PRIME_MOCK_PINNED), pins + 1);
	check_eq(mock_count(&s.b, PRIME_MOCK_MAP), 1);
	check_bytes(&s, import, 0, 2);
	do_step(&s, import, PRIME_MOCK_UNMAP);
	check_eq(mock_balance(&s.b, PRIME_MOCK_PINNED), 1);
	check_error(move(&s), EBUSY);
	do_step(&s, import, PRIME_MOCK_UNPIN);
	check_ok(move(&s));
	do_step(&s, import, PRIME_MOCK_DETACH);
	mock_scene_end(&s);
}

/**
 * SUBTEST: region-within-a-buffer
 * Description: An importer shifts the DMA entries of its table in place, so that it
 *  begins at the second page. Another mapping and the next one are complete, and the
 *  exporter gets back what it gave.
 */
static void region_within_a_buffer(void)
{
	struct mock_scene s = mock_scene_as(PRIME_MOCK_DYNAMIC, PRIME_MOCK_CONTIGUOUS, PAGES);
	uint32_t region = mock_scene_attach(&s, PRIME_MOCK_IMPORT_DYNAMIC);
	uint32_t whole = mock_scene_attach(&s, PRIME_MOCK_IMPORT_DYNAMIC);
	struct drm_prime_mock_segment cut, all;

	check_ok(map_trimmed(&s, region));
	do_map(&s, whole);
	check_eq(mock_query(s.importer, region, 0, NULL, &cut, 1), 1);
	check_eq(mock_query(s.importer, whole, 0, NULL, &all, 1), 1);
	check_eq(all.length, s.b.size);
	check_eq(cut.length, s.b.size - PAGE);
	check_bytes(&s, region, PAGE, 3);
	check_bytes(&s, whole, 0, 4);
	do_step(&s, region, PRIME_MOCK_UNMAP);
	do_map(&s, region);
	check_eq(mock_query(s.importer, region, 0, NULL, &cut, 1), 1);
	check_eq(cut.length, s.b.size);
	check_bytes(&s, region, 0, 5);
	do_step(&s, region, PRIME_MOCK_UNMAP);
	do_step(&s, whole, PRIME_MOCK_UNMAP);
	do_step(&s, region, PRIME_MOCK_DETACH);
	do_step(&s, whole, PRIME_MOCK_DETACH);
	mock_scene_end(&s);
}

/* --- revocation --- */

/**
 * SUBTEST: revoked
 * Description: Memory is taken away from an importer that has pinned and mapped it.
 *  The importer unmaps and unpins when it is told, and gets no mapping any more.
 */
static void revoked(void)
{
	struct mock_scene s = mock_scene_as(PRIME_MOCK_REVOCABLE, PRIME_MOCK_SCATTERED, PAGES);
	uint32_t import = mock_scene_attach(&s, PRIME_MOCK_IMPORT_DYNAMIC |
				     PRIME_MOCK_IMPORT_REVOCABLE);

	do_step(&s, import, PRIME_MOCK_PIN);
	do_map(&s, import);
	check_bytes(&s, import, 0, 6);
	check_ok(move(&s));
	check_eq(mock_scene_state(&s, import).state,
		 PRIME_MOCK_IS_DYNAMIC | PRIME_MOCK_IS_REVOKED);
	check_eq(mock_scene_state(&s, import).pins, 0);
	check_eq(mock_balance(&s.b, PRIME_MOCK_PINNED), 0);
	check_eq(mock_balance(&s.b, PRIME_MOCK_MAPPED), 0);
	check_error(mock_map(s.importer, import, PRIME_MOCK_TO_DEVICE), ESTALE);
	check_error(mock_step(s.importer, import, PRIME_MOCK_PIN), ESTALE);
	check_eq(filled_dmabuf(s.b.fd, s.b.size, 6), s.b.size);
	do_step(&s, import, PRIME_MOCK_DETACH);
	mock_scene_end(&s);
}

/**
 * SUBTEST: revoked-with-a-region
 * Description: The same for an importer that has edited its table.
 */
static void revoked_with_a_region(void)
{
	struct mock_scene s = mock_scene_as(PRIME_MOCK_REVOCABLE, PRIME_MOCK_CONTIGUOUS, PAGES);
	uint32_t import = mock_scene_attach(&s, PRIME_MOCK_IMPORT_DYNAMIC |
				     PRIME_MOCK_IMPORT_REVOCABLE);

	check_ok(map_trimmed(&s, import));
	check_bytes(&s, import, PAGE, 7);
	check_ok(move(&s));
	check_eq(mock_scene_state(&s, import).state,
		 PRIME_MOCK_IS_DYNAMIC | PRIME_MOCK_IS_REVOKED);
	do_step(&s, import, PRIME_MOCK_DETACH);
	mock_scene_end(&s);
}

/**
 * SUBTEST: revocation-ignored
 * Description: If an importer keeps its pin when it is told, the memory stays where
 *  it is.
 */
static void revocation_ignored(void)
{
	struct mock_scene s = mock_scene_as(PRIME_MOCK_REVOCABLE, PRIME_MOCK_SCATTERED, PAGES);
	uint32_t import = mock_scene_attach(&s, PRIME_MOCK_IMPORT_DYNAMIC);

	do_step(&s, import, PRIME_MOCK_PIN);
	check_error(move(&s), EBUSY);
	check_eq(mock_scene_state(&s, import).notified, 1);
	check_eq(moves_of(&s), 0);
	do_step(&s, import, PRIME_MOCK_UNPIN);
	check_ok(move(&s));
	check_eq(moves_of(&s), 1);
	do_step(&s, import, PRIME_MOCK_DETACH);
	mock_scene_end(&s);
}

/**
 * SUBTEST: only-revocable-importers
 * Description: An exporter that takes memory away refuses every importer that can't
 *  be told: a static one, one through GEM, one without a callback.
 */
static void only_revocable_importers(void)
{
	struct mock_scene s = mock_scene_as(PRIME_MOCK_REVOCABLE, PRIME_MOCK_SCATTERED, PAGES);
	uint32_t flags = PRIME_MOCK_IMPORT_DYNAMIC | PRIME_MOCK_IMPORT_UNTOLD;

	check_error(mock_attach(s.importer, s.b.fd, 0), EOPNOTSUPP);
	check_error(gem_import(s.importer, s.b.fd), EOPNOTSUPP);
	if (kernel_has(KERNEL_TAKES_UNTOLD))
		check_error(mock_attach(s.importer, s.b.fd, flags), EOPNOTSUPP);
	check_eq(mock_balance(&s.b, PRIME_MOCK_ATTACHED), 0);
	do_step(&s, mock_scene_attach(&s, PRIME_MOCK_IMPORT_DYNAMIC), PRIME_MOCK_DETACH);
	mock_scene_end(&s);
}

/* --- TTM --- */

/**
 * SUBTEST: moved-by-a-map
 * Description: The exporter moves the buffer in its map operation. Every importer is
 *  told in that call, but only those that had mapped before are stale. Where the
 *  kernel pins for importers that have mapped, the second map moves nothing.
 */
static void moved_by_a_map(void)
{
	struct mock_scene s = mock_scene_as(PRIME_MOCK_MOVING, PRIME_MOCK_SCATTERED, PAGES);
	uint32_t first = mock_scene_attach(&s, PRIME_MOCK_IMPORT_DYNAMIC);
	uint32_t second = mock_scene_attach(&s, PRIME_MOCK_IMPORT_DYNAMIC);
	const bool moves = kernel_moves();
	uint8_t byte;

	do_map(&s, first);
	check_eq(moves_of(&s), 1);
	check_eq(mock_scene_state(&s, first).notified, 1);
	check(!(mock_scene_state(&s, first).state & PRIME_MOCK_IS_STALE));
	do_map(&s, second);
	check_eq(moves_of(&s), moves ? 2 : 1);
	check_eq(!!(mock_scene_state(&s, first).state & PRIME_MOCK_IS_STALE), moves);
	check(!(mock_scene_state(&s, second).state & PRIME_MOCK_IS_STALE));
	check_eq(mock_read(s.importer, first, 0, 0, &byte, 1), moves ? -ESTALE : 0);
	check_bytes(&s, second, 0, 8);
	do_step(&s, first, PRIME_MOCK_UNMAP);
	do_step(&s, second, PRIME_MOCK_UNMAP);
	do_step(&s, first, PRIME_MOCK_DETACH);
	do_step(&s, second, PRIME_MOCK_DETACH);
	mock_scene_end(&s);
}

/**
 * SUBTEST: moved-by-a-pin
 * Description: The exporter moves the buffer in its pin operation, and does not move
 *  it again while the pin lasts.
 */
static void moved_by_a_pin(void)
{
	struct mock_scene s = mock_scene_as(PRIME_MOCK_MOVING, PRIME_MOCK_SCATTERED, PAGES);
	uint32_t pinned = mock_scene_attach(&s, PRIME_MOCK_IMPORT_DYNAMIC |
				     PRIME_MOCK_IMPORT_REVOCABLE);
	uint32_t other = mock_scene_attach(&s, PRIME_MOCK_IMPORT_DYNAMIC);

	do_step(&s, pinned, PRIME_MOCK_PIN);
	check_eq(moves_of(&s), 1);
	check_eq(mock_scene_state(&s, pinned).notified, 1);
	/* It held nothing yet when it was told. */
	check(!(mock_scene_state(&s, pinned).state & PRIME_MOCK_IS_REVOKED));
	do_map(&s, pinned);
	do_map(&s, other);
	check_eq(moves_of(&s), 1);
	check_bytes(&s, other, 0, 9);
	do_step(&s, other, PRIME_MOCK_UNMAP);
	do_step(&s, pinned, PRIME_MOCK_UNMAP);
	do_step(&s, pinned, PRIME_MOCK_UNPIN);
	do_step(&s, pinned, PRIME_MOCK_DETACH);
	do_step(&s, other, PRIME_MOCK_DETACH);
	mock_scene_end(&s);
}

/**
 * SUBTEST: map-waits-for-the-move
 * Description: The move goes on when the map operation returns. A static importer
 *  gets its addresses after the move, a dynamic one before its end.
 */
static void map_waits_for_the_move(void)
{
	struct mock_scene s = mock_scene_as(PRIME_MOCK_MOVING, PRIME_MOCK_SCATTERED, PAGES);
	uint32_t dynamic, fixed;

	dynamic = mock_scene_attach(&s, PRIME_MOCK_IMPORT_DYNAMIC);
	do_map(&s, dynamic);
	check_eq(poll_events(s.b.fd, POLLIN, 0), 0);
	do_step(&s, dynamic, PRIME_MOCK_UNMAP);
	do_step(&s, dynamic, PRIME_MOCK_DETACH);

	fixed = mock_scene_attach(&s, 0);
	do_map(&s, fixed);
	check_eq(moves_of(&s), 2);
	check_eq(poll_events(s.b.fd, POLLIN, 0), POLLIN);
	check_bytes(&s, fixed, 0, 10);
	do_step(&s, fixed, PRIME_MOCK_UNMAP);
	do_step(&s, fixed, PRIME_MOCK_DETACH);
	mock_scene_end(&s);
}

/* --- xe --- */

/**
 * SUBTEST: offers-peer-memory
 * Description: An importer that takes memory of a peer gets ordinary memory all the
 *  same, by number and through GEM, and is told of moves. The exporter sees the offer
 *  of this importer only.
 */
static void offers_peer_memory(void)
{
	struct mock_scene s = mock_scene_as(PRIME_MOCK_DYNAMIC, PRIME_MOCK_SCATTERED, PAGES);
	uint32_t flags = PRIME_MOCK_IMPORT_DYNAMIC | PRIME_MOCK_IMPORT_PEER2PEER;
	uint32_t plain = mock_scene_attach(&s, PRIME_MOCK_IMPORT_DYNAMIC);
	uint32_t peer = mock_scene_attach(&s, flags), handle;
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;
	struct drm_prime_mock_query query;

	check_error(mock_attach(s.importer, s.b.fd, PRIME_MOCK_IMPORT_PEER2PEER), EINVAL);
	check_eq(mock_scene_state(&s, plain).state, PRIME_MOCK_IS_DYNAMIC);
	check_eq(mock_scene_state(&s, peer).state,
		 PRIME_MOCK_IS_DYNAMIC | PRIME_MOCK_IS_PEER2PEER);
	check_ok(move(&s));
	check_eq(mock_scene_state(&s, peer).notified, 1);
	do_map(&s, peer);
	check_bytes(&s, peer, 0, 11);
	do_step(&s, peer, PRIME_MOCK_UNMAP);
	do_step(&s, peer, PRIME_MOCK_DETACH);
	do_step(&s, plain, PRIME_MOCK_DETACH);

	limits.flags = PRIME_MOCK_GEM_DYNAMIC | PRIME_MOCK_GEM_PEER2PEER;
	check_ok(mock_limits(s.importer, limits));
	handle = check_ok(gem_import(s.importer, s.b.fd));
	check_ok(mock_limits(s.importer, MOCK_NO_LIMITS));
	check_ok(mock_query(s.importer, handle, PRIME_MOCK_BY_HANDLE, &query, NULL, 0));
	check_eq(query.state, PRIME_MOCK_IS_DYNAMIC | PRIME_MOCK_IS_PEER2PEER |
		 PRIME_MOCK_IS_MAPPED);
	check_ok(gem_close(s.importer, handle));
	mock_scene_end(&s);
}

static void *begin_reading(void *fd)
{
	return (void *)(long)dmabuf_sync(*(int *)fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
}

/**
 * SUBTEST: moved-as-cpu-access-begins
 * Description: A process begins to read, and the exporter moves the buffer before it
 *  lets the process go on. The importers are told while that call is on its way. The
 *  process and the importer find the bytes at the new place.
 */
static void moved_as_cpu_access_begins(void)
{
	struct mock_scene s = mock_scene_as(PRIME_MOCK_DYNAMIC, PRIME_MOCK_SCATTERED, PAGES);
	uint32_t import = mock_scene_attach(&s, PRIME_MOCK_IMPORT_DYNAMIC), calls;
	uint8_t *memory = map_dmabuf(s.b.fd, s.b.size), bytes[PAGES * PAGE];
	pthread_t reader;
	void *ret;

	fill_dmabuf(s.b.fd, s.b.size, 12);
	calls = mock_count(&s.b, PRIME_MOCK_BEGIN);
	check_ok(mock_sleep(s.exporter, s.b.id, PRIME_MOCK_BEGIN, 10000000, 0));
	check_eq(pthread_create(&reader, NULL, begin_reading, &s.b.fd), 0);
	mock_wait_calls(&s.b, PRIME_MOCK_BEGIN, calls + 1);
	check_ok(move(&s));
	check_eq(mock_scene_state(&s, import).notified, 1);
	check_eq(mock_balance(&s.b, PRIME_MOCK_BEGUN), 0);
	check_ok(mock_quiet(s.exporter, s.b.id, PRIME_MOCK_BEGIN));
	check_eq(pthread_join(reader, &ret), 0);
	check_ok((long)ret);
	check_eq(mock_balance(&s.b, PRIME_MOCK_BEGUN), 1);
	check_eq(filled(memory, s.b.size, 12), s.b.size);
	do_map(&s, import);
	check_ok(mock_read(s.importer, import, 0, 0, bytes, s.b.size));
	check_eq(filled(bytes, s.b.size, 12), s.b.size);
	check_ok(dmabuf_sync(s.b.fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
	do_step(&s, import, PRIME_MOCK_UNMAP);
	do_step(&s, import, PRIME_MOCK_DETACH);
	unmap(memory, s.b.size);
	mock_scene_end(&s);
}

/* --- amdxdna --- */

/**
 * SUBTEST: imports-its-own
 * Description: The device that exports a buffer attaches to it, too, and keeps it
 *  mapped when the handle is closed, and then the fd. The exporter has every
 *  operation, or only the three that it must have. The device reads what it has
 *  written until it lets go, which frees the buffer.
 */
static void imports_its_own(void)
{
	static const uint32_t kinds[] = { 0, PRIME_MOCK_MINIMAL };

	for (int i = 0; i < 2; i++) {
		int mock = mock_open(0), other = mock_open(0);
		struct mock_buffer b = mock_buffer(mock, kinds[i], PAGES);
		uint32_t import = check_ok(mock_attach(other, b.fd, 0));
		uint8_t bytes[PAGES * PAGE];

		check_ok(mock_map(other, import, PRIME_MOCK_BIDIRECTIONAL));
		check_eq(mock_balance(&b, PRIME_MOCK_MAPPED), 1);
		fill(bytes, b.size, 13);
		check_ok(mock_write(other, import, 0, 0, bytes, b.size));
		mock_buffer_close_handle(&b);
		mock_buffer_close_fd(&b);
		memset(bytes, 0, sizeof(bytes));
		check_ok(mock_read(other, import, 0, 0, bytes, b.size));
		check_eq(filled(bytes, b.size, 13), b.size);
		check_ok(mock_step(other, import, PRIME_MOCK_UNMAP));
		check_ok(mock_step(other, import, PRIME_MOCK_DETACH));
		mock_gone(&b);
		close(mock);
		close(other);
	}
}

static const struct prime_subtest subtests[] = {
	SUBTEST(pinned_for_long),
	SUBTEST(others_are_told),
	SUBTEST(pin_of_what_is_mapped),
	SUBTEST(region_within_a_buffer),
	SUBTEST(revoked),
	SUBTEST(revoked_with_a_region),
	SUBTEST(revocation_ignored),
	SUBTEST(only_revocable_importers),
	SUBTEST(moved_by_a_map),
	SUBTEST(moved_by_a_pin),
	SUBTEST(map_waits_for_the_move),
	SUBTEST(offers_peer_memory),
	SUBTEST(moved_as_cpu_access_begins),
	SUBTEST(imports_its_own),
};

PRIME_MAIN(subtests)
