// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints of <trace/events/dma_buf.h>, and for each a function that the
 * core calls while the event is traced.
 */
#include "internal.h"

#define CREATE_TRACE_POINTS
#include <drm-prime-layer/trace/events/dma_buf.h>

#define DMA_BUF_BUFFER_EVENT(event)					\
	void dma_buf_traced_##event(struct dma_buf *dmabuf)		\
	{								\
		trace_dma_buf_##event(dmabuf);				\
	}
#define DMA_BUF_FD_EVENT(event)						\
	void dma_buf_traced_##event(struct dma_buf *dmabuf, int fd)	\
	{								\
		trace_dma_buf_##event(dmabuf, fd);			\
	}
#define DMA_BUF_ATTACH_EVENT(event)					\
	void dma_buf_traced_##event(struct dma_buf_attachment *attach)	\
	{								\
		trace_dma_buf_##event(attach->dmabuf, attach,		\
				      dma_buf_attachment_is_dynamic(attach), \
				      attach->dev);			\
	}
#include "trace.h"
