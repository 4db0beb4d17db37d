// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of late storage, in place of negotiate/storage.c, which only finds
 * suitable ones and has no lock. One page each: below 16 MB if somebody wants
 * that, otherwise above. Also what the kernel does with pages and mappings.
 */
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/vmalloc.h>

#include "runtime.h"
#include "negotiate/internal.h"

#define PAGES (EX_HEAP_SIZE * EX_THREADS / PAGE_SIZE)

static struct page pages[PAGES] EX_KEEP;
struct page *mem_map = pages;
unsigned long max_mapnr = PAGES;
unsigned long uml_physmem = EX_HEAP;
atomic_long_t _totalram_pages = ATOMIC_LONG_INIT(PAGES);

struct dma_buf_storage *dma_buf_storage_alloc(const struct dma_buf_constraints *c, size_t size,
					      struct dma_buf_conflict *conflict)
{
	const int from = c->dma_mask < EX_HEAP_SIZE ? 0 : EX_FPUT;
	struct dma_buf_storage *st = kzalloc(struct_size(st, pages, 1), GFP_KERNEL);
	void *p;

	if (!st || ex_choose(2, "an allocation of a page")) {
		kfree(st);
		return ERR_PTR(-ENOMEM);
	}
	p = ex_alloc_of(from, PAGE_SIZE, PAGE_SIZE, _RET_IP_);
	kref_init(&st->refs);
	st->wanted = *c;
	st->nr_pages = 1;
	st->pages[0] = virt_to_page(p);
	ex_note("storage at %lx", (unsigned long)page_to_phys(st->pages[0]));
	return st;
}

static void storage_free(struct kref *refs)
{
	struct dma_buf_storage *st = container_of(refs, struct dma_buf_storage, refs);

	ex_note("storage at %lx is freed", (unsigned long)page_to_phys(st->pages[0]));
	kfree(page_address(st->pages[0]));
	kfree(st);
}

void dma_buf_storage_put(struct dma_buf_storage *st)
{
	kref_put(&st->refs, storage_free);
}

bool dma_buf_storage_suits(const struct dma_buf_storage *st, const struct dma_buf_constraints *c,
			   struct dma_buf_conflict *conflict)
{
	return !dma_buf_constraints_check_run(c, page_to_phys(st->pages[0]), PAGE_SIZE, conflict);
}

int dma_buf_storage_table(const struct dma_buf_storage *st, struct device *dev,
			  const struct dma_buf_constraints *c, struct sg_table *sgt)
{
	int ret = sg_alloc_table(sgt, 1, GFP_KERNEL);

	if (!ret)
		sg_set_page(sgt->sgl, st->pages[0], PAGE_SIZE, 0);
	return ret;
}

void dma_buf_storage_describe(const struct dma_buf_storage *st, struct dma_buf_storage_info *info)
{
	info->flags |= DMA_BUF_STORAGE_PLACED;
}

/* Whoever maps memory reads it. */
void *vmap(struct page **list, unsigned int count, unsigned long flags, pgprot_t prot)
{
	char *p = page_address(list[0]);

	if (ex_choose(2, "vmap()"))
		return NULL;
	READ_ONCE(*p);
	return p;
}

void vunmap(const void *p)
{
	READ_ONCE(*(const char *)p);
}

vm_fault_t vmf_insert_pfn(struct vm_area_struct *vma, unsigned long addr, unsigned long pfn)
{
	READ_ONCE(*(char *)page_address(pfn_to_page(pfn)));
	return VM_FAULT_NOPAGE;
}

void unmap_mapping_range(struct address_space *mapping, loff_t start, loff_t length, int even_cows)
{
	READ_ONCE(mapping->nrpages);
}
