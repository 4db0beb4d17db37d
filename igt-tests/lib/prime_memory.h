/* SPDX-License-Identifier: MIT */
/*
 * Memory that is shared without a DRM device: memfds and udmabuf, dma-heaps,
 * and a pattern that tells where a byte belongs.
 */
#ifndef PRIME_MEMORY_H
#define PRIME_MEMORY_H

#include "lib/prime_test.h"

#include <linux/dma-heap.h>
#include <linux/udmabuf.h>

#define POISON	0x5a	/* of poison_dmabuf() */

/* --- content --- */

/* Each byte depends on its place and on @seed. */
void fill(void *memory, size_t size, uint32_t seed);
/* How many bytes from the start are as fill() wrote them. */
size_t filled(const void *memory, size_t size, uint32_t seed);
/* How many bytes from the start are @value. */
size_t filled_byte(const void *memory, size_t size, uint8_t value);
/* How many bytes from the start are the same in both. */
size_t same_bytes(const void *a, const void *b, size_t size);

/* Shared and writable. */
void *map_dmabuf(int dmabuf, size_t size);
void unmap(void *memory, size_t size);
/* The size that lseek() tells. */
size_t size_of(int dmabuf);
/* fill() and filled() through a mapping made for it, as CPU access. */
void fill_dmabuf(int dmabuf, size_t size, uint32_t seed);
size_t filled_dmabuf(int dmabuf, size_t size, uint32_t seed);
/*
 * Makes every byte of the buffer POISON. Begins no CPU access, since heaps then sync
 * every attachment, and one that is mapped for a device to write must not be synced in
 * another direction. Queueing the buffer syncs it.
 */
void poison_dmabuf(int dmabuf);
/* Devices attached to the buffer, as debugfs dma_buf/bufinfo has it. */
int attachments_of(int dmabuf);
/* The same, waiting a moment for @wanted: a last close may be deferred. */
int settle_attachments(int dmabuf, int wanted);

/* --- udmabuf; a negative errno on failure --- */

/* A memfd of this size with these seals. */
int memfd_sealed(size_t size, unsigned int seals);
int udmabuf_open(void);
int udmabuf_create(int memfd, uint64_t offset, uint64_t size, uint32_t flags);
int udmabuf_create_list(const struct udmabuf_create_item *items,
			uint32_t count, uint32_t flags);

/* --- dma-heaps; a negative errno on failure --- */

struct heap_list {
	unsigned int count;
	char name[16][64];
};

struct heap_list heaps(void);
int heap_open(const char *name);
/* The heap of the default contiguous area; skips where there is none. */
int cma_heap_open(void);
int heap_alloc(int heap, uint64_t size, uint32_t fd_flags,
	       uint64_t heap_flags);

/* --- a buffer of a kind; skips where the kernel has no such device --- */

enum memory {
	MEMORY_UDMABUF,
	MEMORY_SCATTERED,	/* a udmabuf that no address range covers */
	MEMORY_SYSTEM_HEAP,
	MEMORY_CMA_HEAP,	/* contiguous */
};

int make_memory(enum memory kind, size_t size);

#endif
