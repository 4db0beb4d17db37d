/* SPDX-License-Identifier: MIT */
/*
 * Short names for the ioctls of prime_mock; see <drm/prime_mock.h>. They give 0
 * or more, or a negative errno.
 */
#ifndef PRIME_MOCK_LIB_H
#define PRIME_MOCK_LIB_H

#include <stdint.h>
#include <drm/prime_mock.h>

/*
 * Device @index of the module, 0 first; skips the subtest where there is none,
 * or where its interface is not the one that the header describes.
 */
int mock_open(unsigned int index);

/* --- objects --- */

/* The handle of a scattered object; @flags: PRIME_MOCK_DYNAMIC and so on. */
int64_t mock_create(int mock, unsigned int pages, uint32_t flags);
/* The same with all that can be chosen, and all answers. */
int mock_create_as(int mock, struct drm_prime_mock_create *args);
/* A scattered object's dma-buf, writable and close-on-exec; @id may be NULL. */
int mock_dmabuf(int mock, unsigned int pages, uint32_t flags, uint32_t *id);
int mock_move(int mock, uint32_t handle, uint32_t backing);

/* --- scripts and counters; @id 0 is the device, whose scripts end with the subtest --- */

/* One call of @op fails: number @at, counted from now. */
int mock_fail(int mock, uint32_t id, uint32_t op, uint32_t at, uint32_t error);
int mock_sleep(int mock, uint32_t id, uint32_t op, uint32_t us, uint32_t flags);
/* Neither fails nor sleeps any more. */
int mock_quiet(int mock, uint32_t id, uint32_t op);
int mock_stats(int mock, uint32_t id, struct drm_prime_mock_stats *stats);
/* Calls of @op so far. */
int64_t mock_calls(int mock, uint32_t id, uint32_t op);
/* The number of a handle's object. */
int64_t mock_id(int mock, uint32_t handle);

/* --- the device as an importer --- */

/* The limits that a device has at first, to be changed and set. */
#define MOCK_NO_LIMITS							\
	(struct drm_prime_mock_limits){					\
		.dma_bits = 64, .max_segment_size = 0xffffffff,		\
		.segment_boundary = ~0ull				\
	}

/* Until the subtest ends. */
int mock_limits(int mock, struct drm_prime_mock_limits limits);
/* The import's number. */
int64_t mock_attach(int mock, int dmabuf, uint32_t flags);
/* Any step without a direction: PRIME_MOCK_DETACH, PRIME_MOCK_PIN, ... */
int mock_step(int mock, uint32_t import, uint32_t op);
int mock_map(int mock, uint32_t import, uint32_t direction);
int mock_begin(int mock, uint32_t import, uint32_t direction);
int mock_end(int mock, uint32_t import, uint32_t direction);
/*
 * @flags: 0 or PRIME_MOCK_BY_HANDLE. Up to @room segments are told; @query may be
 * NULL. Gives the number of segments that there are.
 */
int64_t mock_query(int mock, uint32_t import, uint32_t flags,
		   struct drm_prime_mock_query *query,
		   struct drm_prime_mock_segment *segments, uint32_t room);
int mock_read(int mock, uint32_t import, uint32_t flags, uint64_t offset,
	      void *data, uint64_t size);
int mock_write(int mock, uint32_t import, uint32_t flags, uint64_t offset,
	       const void *data, uint64_t size);

/* --- fences --- */

/* The fence's number; it signals by itself after @delay_ms, if not 0. */
int64_t mock_fence(int mock, int dmabuf, uint32_t usage, uint32_t delay_ms);
/* The same on a handle's object. */
int64_t mock_fence_handle(int mock, uint32_t handle, uint32_t usage,
			  uint32_t delay_ms);
/* The same with a sync_file, which it gives; *@fence is the number. */
int mock_fence_fd(int mock, int dmabuf, uint32_t usage, uint32_t delay_ms,
		  uint32_t *fence);
int mock_signal(int mock, uint32_t fence, uint32_t error);

/* --- presence --- */

int mock_unplug(int mock);
/* Unplugs device @index and plugs it in again. */
int mock_replug(int mock, unsigned int index);

#endif
