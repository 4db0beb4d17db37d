// SPDX-License-Identifier: GPL-2.0-only
/*
 * An importer must use only the DMA addresses of a scatter list, never its
 * pages. With DMABUF_DEBUG it gets a copy that has no pages, so an importer
 * that uses them fails. The exporter's own table stays as it was.
 */
#include "internal.h"

/* The copy that the importer gets, and the exporter's table, mapped until the copy is back. */
struct dma_buf_table {
	struct sg_table copy;
	struct sg_table *sgt;
};

/* Returns the copy, or ERR_PTR(-ENOMEM). */
struct sg_table *dma_buf_table_lend(struct sg_table *sgt)
{
	struct dma_buf_table *table __free(kfree) = kzalloc(sizeof(*table), GFP_KERNEL);
	struct scatterlist *from, *to;
	unsigned int i;

	/* An exporter may have nothing to map: virtio-gpu shares such buffers. */
	if (!table || (sgt->nents && sg_alloc_table(&table->copy, sgt->nents, GFP_KERNEL)))
		return ERR_PTR(-ENOMEM);

	table->sgt = sgt;
	to = table->copy.sgl;
	for_each_sgtable_dma_sg(sgt, from, i) {
		sg_dma_address(to) = sg_dma_address(from);
		sg_dma_len(to) = sg_dma_len(from);
		to = sg_next(to);
	}
	return &no_free_ptr(table)->copy;
}

/* Frees the copy and returns the exporter's table. */
struct sg_table *dma_buf_table_take(struct sg_table *copy)
{
	struct dma_buf_table *table = container_of(copy, typeof(*table), copy);
	struct sg_table *sgt = table->sgt;

	sg_free_table(copy);
	kfree(table);
	return sgt;
}
