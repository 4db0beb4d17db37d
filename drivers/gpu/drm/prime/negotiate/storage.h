/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages that suit given constraints; see negotiate/storage.c. Private to the
 * core, and to its tests.
 */
#ifndef DMA_BUF_STORAGE_H
#define DMA_BUF_STORAGE_H

#include <linux/kref.h>
#include <linux/scatterlist.h>

#include <linux/dma-buf-constraints.h>

/**
 * struct dma_buf_storage - pages, zeroed when they are allocated
 * @refs: whoever reads @pages or has them mapped for a device
 * @pages: every page, in the order of the buffer
 * @nr_pages: how many
 * @wanted: DMA_BUF_CONSTRAINT_* that it was allocated for
 * @cma: first page when all of it is one block of CMA, else NULL
 *
 * Constant after the allocation.
 */
struct dma_buf_storage {
	struct kref refs;
	struct page **pages;
	unsigned long nr_pages;
	u32 wanted;
	struct page *cma;
};

struct dma_buf_storage *
dma_buf_storage_alloc(const struct dma_buf_constraints *c, size_t size,
		      struct dma_buf_conflict *conflict);
void dma_buf_storage_put(struct dma_buf_storage *st);

static inline struct dma_buf_storage *
dma_buf_storage_get(struct dma_buf_storage *st)
{
	kref_get(&st->refs);
	return st;
}

bool dma_buf_storage_suits(const struct dma_buf_storage *st,
			   const struct dma_buf_constraints *c,
			   struct dma_buf_conflict *conflict);
int dma_buf_storage_table(const struct dma_buf_storage *st,
			  const struct dma_buf_constraints *c,
			  struct sg_table *sgt);
void dma_buf_storage_copy(struct dma_buf_storage *to,
			  const struct dma_buf_storage *from);
void dma_buf_storage_describe(const struct dma_buf_storage *st,
			      struct dma_buf_storage_info *info);

#endif /* DMA_BUF_STORAGE_H */
