/* SPDX-License-Identifier: GPL-2.0-only */
/* Records which buffer belongs to an exporter's object; see core/list.c. */
#ifndef DMA_BUF_RECORD_H
#define DMA_BUF_RECORD_H

struct dma_buf;

void dma_buf_record_add(struct dma_buf *dmabuf, const void *key, const char *exporter);
struct dma_buf *dma_buf_record_find(const void *key);

#endif /* DMA_BUF_RECORD_H */
