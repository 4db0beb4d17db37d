/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of account/ call in one another. */
#ifndef DMA_BUF_ACCOUNT_INTERNAL_H
#define DMA_BUF_ACCOUNT_INTERNAL_H

#include "../negotiate/internal.h"

/* account/reason.c */
void dma_buf_reason_find(const struct dma_buf_failure *failure, struct dma_buf_refusal *why);

#endif /* DMA_BUF_ACCOUNT_INTERNAL_H */
