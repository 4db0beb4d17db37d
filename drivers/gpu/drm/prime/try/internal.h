/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of try/ share. gem_try.c is in drm.ko, and v4l2.c is a module. */
#ifndef DMA_BUF_TRY_INTERNAL_H
#define DMA_BUF_TRY_INTERNAL_H

#include <linux/types.h>

struct dma_buf;
struct file;

/*
 * Each takes an open file of its subsystem. It returns 0 if the device takes the
 * buffer, otherwise a negative errno. If the result is the importer's, @judged is
 * set to DMA_BUF_TRY_*.
 */
int drm_prime_import_try(struct file *file, struct dma_buf *dmabuf, u32 *judged);
int dma_buf_v4l2_try(struct file *file, struct dma_buf *dmabuf, u32 *judged);

#endif /* DMA_BUF_TRY_INTERNAL_H */
