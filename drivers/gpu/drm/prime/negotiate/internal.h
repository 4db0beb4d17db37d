/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of late allocation call in one another. Private to the core,
 * and to its tests.
 */
#ifndef DMA_BUF_LATE_INTERNAL_H
#define DMA_BUF_LATE_INTERNAL_H

#include <linux/spinlock.h>

#include <linux/dma-buf-late.h>

struct dma_buf_storage;
struct file;
struct page;
struct sg_table;
struct shrink_control;
struct shrinker;

/* negotiate/late_swap.c: storage that nobody uses */
extern spinlock_t dma_buf_late_lock;

void dma_buf_late_touch_locked(struct dma_buf_late *late);
void dma_buf_late_zap_locked(struct dma_buf_late *late);
int dma_buf_late_swap_in_locked(struct dma_buf_late *late,
				struct dma_buf_storage *to);
void dma_buf_late_swap_fini(struct dma_buf_late *late);
struct page *dma_buf_late_swap_page(struct file *file, pgoff_t index, gfp_t gfp);
unsigned long dma_buf_late_reclaim(unsigned long wanted);
unsigned long dma_buf_late_swap_room(void);
unsigned long dma_buf_late_shrink_count(struct shrinker *shrinker,
					struct shrink_control *sc);
unsigned long dma_buf_late_shrink_scan(struct shrinker *shrinker,
				       struct shrink_control *sc);

/* negotiate/late_map.c: storage mapped for devices */
bool dma_buf_late_may_bounce(struct dma_buf_late *late,
			     const struct dma_buf_constraints *all,
			     struct dma_buf_conflict *conflict);
bool dma_buf_late_reached(struct dma_buf_late *late,
			  struct dma_buf_attachment *attach,
			  const struct dma_buf_constraints *all,
			  struct dma_buf_conflict *conflict);
struct sg_table *dma_buf_late_mapping_create(struct dma_buf_late *late,
					     struct dma_buf_attachment *attach,
					     enum dma_data_direction dir,
					     struct dma_buf_conflict *conflict);
void dma_buf_late_mapping_destroy(struct sg_table *sgt);
u32 dma_buf_late_mappings_flags(struct dma_buf_late *late);
void dma_buf_late_sync_for_cpu(struct dma_buf_late *late);
void dma_buf_late_sync_for_device(struct dma_buf_late *late, bool wrote);

#endif /* DMA_BUF_LATE_INTERNAL_H */
