/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the core exports for the GEM side: which buffer belongs to an exporter's
 * object, see core/list.c, and which to a file, see core/object.c.
 */
#ifndef DMA_BUF_RECORD_H
#define DMA_BUF_RECORD_H

struct dma_buf;
struct file;

void dma_buf_record_add(struct dma_buf *dmabuf, const void *key, const char *exporter);
struct dma_buf *dma_buf_record_find(const void *key);
struct dma_buf *dma_buf_from_file(struct file *file, int fd);

#endif /* DMA_BUF_RECORD_H */
