/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What exporters say of attachments that may outlive their importers. Not in
 * mainline, hence not in dma-buf.h: a driver that includes this header wants a
 * tree with the layer in it, and builds there with the layer on and off.
 */
#ifndef DMA_BUF_KEEP_H
#define DMA_BUF_KEEP_H

struct dma_buf_attachment;

#ifdef CONFIG_DRM_PRIME_LAYER
void dma_buf_allow_keep(struct dma_buf_attachment *attach);
#else
static inline void dma_buf_allow_keep(struct dma_buf_attachment *attach) { }
#endif

#endif /* DMA_BUF_KEEP_H */
