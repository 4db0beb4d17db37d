// SPDX-License-Identifier: GPL-2.0
/*
 * Scatter lists for GEM drivers: make one from pages, measure it, and convert
 * it to arrays for drivers that need them.
 */
#include "internal.h"

/**
 * drm_prime_pages_to_sg - a scatter list of an object's pages
 * @dev: device that will export them; limits the length of a segment. NULL for
 *	no limit
 * @pages: pages in order
 * @nr_pages: number of pages
 *
 * Contiguous pages become one segment. For &drm_gem_object_funcs.get_sg_table.
 *
 * Context: may sleep; no lock needed.
 *
 * Return: the table, to be freed with sg_free_table() and kfree(), or ERR_PTR:
 * -ENOMEM; -EINVAL, with a warning, if the device maps less than a page at a
 * time.
 */
struct sg_table *drm_prime_pages_to_sg(struct drm_device *dev,
				       struct page **pages, unsigned int nr_pages)
{
	struct sg_table *sgt __free(kfree) = kmalloc(sizeof(*sgt), GFP_KERNEL);
	size_t limit = dev ? dma_max_mapping_size(drm_dev_dma_dev(dev)) : 0;
	int ret;

	if (!sgt)
		return ERR_PTR(-ENOMEM);

	/* A segment's length is an unsigned int. */
	limit = min_not_zero(limit, (size_t)UINT_MAX);
	ret = sg_alloc_table_from_pages_segment(sgt, pages, nr_pages, 0,
						(unsigned long)nr_pages << PAGE_SHIFT,
						limit, GFP_KERNEL);
	return ret ? ERR_PTR(ret) : no_free_ptr(sgt);
}
EXPORT_SYMBOL(drm_prime_pages_to_sg);

/**
 * drm_prime_get_contiguous_size - how far a mapped table is contiguous
 * @sgt: table, mapped for a device
 *
 * Context: any; no lock needed.
 *
 * Return: bytes from the first DMA address up to the first gap.
 */
unsigned long drm_prime_get_contiguous_size(struct sg_table *sgt)
{
	dma_addr_t start = sg_dma_address(sgt->sgl);
	unsigned long size = 0;
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (!sg_dma_len(sg) || sg_dma_address(sg) != start + size)
			break;
		size += sg_dma_len(sg);
	}

	return size;
}
EXPORT_SYMBOL(drm_prime_get_contiguous_size);

/**
 * drm_prime_sg_to_page_array - the pages of a scatter list
 * @sgt: table
 * @pages: array to fill
 * @max_pages: entries in @pages
 *
 * Pages behind an imported table belong to the exporter, and importers should
 * use the table's DMA addresses. This is only for drivers that can't do so yet.
 *
 * Context: any; no lock needed.
 *
 * Return: 0; -1 when @pages is too short.
 */
int drm_prime_sg_to_page_array(struct sg_table *sgt, struct page **pages, int max_pages)
{
	struct sg_page_iter iter;
	int n = 0;

	for_each_sgtable_page(sgt, &iter, 0) {
		if (n >= max_pages)
			return -1;
		pages[n++] = sg_page_iter_page(&iter);
	}

	return 0;
}
EXPORT_SYMBOL(drm_prime_sg_to_page_array);

/**
 * drm_prime_sg_to_dma_addr_array - the DMA address of each page of a table
 * @sgt: table, mapped for a device
 * @addrs: array to fill
 * @max_pages: entries in @addrs
 *
 * For drivers that write page tables of their device.
 *
 * Context: any; no lock needed.
 *
 * Return: 0; -1 when @addrs is too short.
 */
int drm_prime_sg_to_dma_addr_array(struct sg_table *sgt, dma_addr_t *addrs, int max_pages)
{
	struct sg_dma_page_iter iter;
	int n = 0;

	for_each_sgtable_dma_page(sgt, &iter, 0) {
		if (n >= max_pages)
			return -1;
		addrs[n++] = sg_page_iter_dma_address(&iter);
	}

	return 0;
}
EXPORT_SYMBOL(drm_prime_sg_to_dma_addr_array);
