/* SPDX-License-Identifier: GPL-2.0 */
/* What the layer adds, for a module that builds without the layer too. */
#ifndef PRIME_LAYER_H
#define PRIME_LAYER_H

#include <linux/dma-buf.h>

#ifdef CONFIG_DRM_PRIME_LAYER
#include <linux/dma-buf-constraints.h>
#include <linux/module.h>

MODULE_IMPORT_NS(DMA_BUF);
#else
static inline bool dma_buf_is_late(struct dma_buf *dmabuf)
{
	return false;
}
#endif

#endif /* PRIME_LAYER_H */
