/* SPDX-License-Identifier: GPL-2.0 */
/* Pages of a chosen kind. Uses no other file of prime_mock. */
#ifndef PRIME_MOCK_STORAGE_H
#define PRIME_MOCK_STORAGE_H

#include <linux/kref.h>
#include <linux/mm_types.h>

/* A device's mapping holds the storage, too. */
struct mock_storage {
	struct kref refs;
	unsigned int count;		/* this and the next are constant */
	struct page *pages[];		/* owned */
};

/* Zeroed; @size is a multiple of pages. */
struct mock_storage *mock_storage_alloc(size_t size, u32 backing, u32 dma_bits);
struct mock_storage *mock_storage_get(struct mock_storage *storage);
void mock_storage_put(struct mock_storage *storage);
/* Leaves PRIME_MOCK_POISON in @from. */
void mock_storage_copy(struct mock_storage *to, struct mock_storage *from);

#endif /* PRIME_MOCK_STORAGE_H */
