// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of a chosen kind: scattered, in one run, or in huge runs, and below an
 * address.
 */
#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include <drm/prime_mock.h>

#include "prime_mock_storage.h"

static void mock_storage_free(struct kref *refs)
{
	struct mock_storage *storage =
		container_of(refs, struct mock_storage, refs);
	unsigned int i;

	for (i = 0; i < storage->count; i++)
		__free_page(storage->pages[i]);
	kvfree(storage);
}

struct mock_storage *mock_storage_get(struct mock_storage *storage)
{
	kref_get(&storage->refs);
	return storage;
}

void mock_storage_put(struct mock_storage *storage)
{
	if (storage)
		kref_put(&storage->refs, mock_storage_free);
}

/* Appends 2^@order pages, but at most @count in all. */
static int mock_storage_grow(struct mock_storage *storage, unsigned int count,
			     unsigned int order, u32 dma_bits)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_RETRY_MAYFAIL |
		    __GFP_NOWARN;
	struct page *page;
	phys_addr_t end;
	unsigned int i;

	if (dma_bits < 32)
		gfp |= GFP_DMA;
	else if (dma_bits < 64)
		gfp |= GFP_DMA32;
	if (fatal_signal_pending(current))
		return -EINTR;
	page = alloc_pages(gfp, order);
	if (!page)
		return -ENOMEM;
	split_page(page, order);
	end = page_to_phys(page) + (PAGE_SIZE << order) - 1;
	for (i = 0; i < 1u << order; i++) {
		if (storage->count < count)
			storage->pages[storage->count++] = page + i;
		else
			__free_page(page + i);
	}
	/* The zone is only a hint. The caller frees the added pages. */
	return end > DMA_BIT_MASK(dma_bits) ? -ENOMEM : 0;
}

static int mock_page_descends(const void *a, const void *b)
{
	unsigned long first = page_to_pfn(*(struct page **)a);
	unsigned long second = page_to_pfn(*(struct page **)b);

	return first < second ? 1 : first > second ? -1 : 0;
}

struct mock_storage *mock_storage_alloc(size_t size, u32 backing, u32 dma_bits)
{
	unsigned int count = size >> PAGE_SHIFT, order = 0;
	struct mock_storage *storage;
	int ret = 0;

	if (!dma_bits)
		dma_bits = 64;
	if (backing > PRIME_MOCK_HUGE || dma_bits < 24 || dma_bits > 64)
		return ERR_PTR(-EINVAL);
	if (backing == PRIME_MOCK_HUGE) {
		if (size % PRIME_MOCK_HUGE_SIZE)
			return ERR_PTR(-EINVAL);
		order = get_order(PRIME_MOCK_HUGE_SIZE);
	} else if (backing == PRIME_MOCK_CONTIGUOUS) {
		if (size > PRIME_MOCK_MAX_RUN)
			return ERR_PTR(-E2BIG);
		order = get_order(size);
	}
	if (order > MAX_PAGE_ORDER)
		return ERR_PTR(-E2BIG);

	storage = kvzalloc(struct_size(storage, pages, count), GFP_KERNEL_ACCOUNT);
	if (!storage)
		return ERR_PTR(-ENOMEM);
	kref_init(&storage->refs);
	while (!ret && storage->count < count)
		ret = mock_storage_grow(storage, count, order, dma_bits);
	if (ret) {
		mock_storage_put(storage);
		return ERR_PTR(ret);
	}
	/* In descending order no two successive pages are adjacent. */
	if (backing == PRIME_MOCK_SCATTERED)
		sort(storage->pages, count, sizeof(*storage->pages),
		     mock_page_descends, NULL);
	return storage;
}

void mock_storage_copy(struct mock_storage *to, struct mock_storage *from)
{
	unsigned int i;

	for (i = 0; i < to->count; i++) {
		copy_highpage(to->pages[i], from->pages[i]);
		memset_page(from->pages[i], 0, PRIME_MOCK_POISON, PAGE_SIZE);
	}
}
