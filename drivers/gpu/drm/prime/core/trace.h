/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The core's trace events. The headers of the kernel's tracing would change the
 * CRC of each export on 6.12, so only core/trace.c includes them. All others
 * call a function of that file, and only while somebody traces the event.
 *
 * core/trace.c includes this list twice: with macros of its own it defines what
 * is declared here.
 */
#ifndef DMA_BUF_BUFFER_EVENT
#include <linux/tracepoint-defs.h>

#define DMA_BUF_EVENT(event, proto, args)				\
	DECLARE_TRACEPOINT(dma_buf_##event);				\
	void dma_buf_traced_##event proto;				\
	static inline void dma_buf_trace_##event proto			\
	{								\
		if (tracepoint_enabled(dma_buf_##event))		\
			dma_buf_traced_##event args;			\
	}

#define DMA_BUF_BUFFER_EVENT(event) \
	DMA_BUF_EVENT(event, (struct dma_buf *dmabuf), (dmabuf))
#define DMA_BUF_FD_EVENT(event) \
	DMA_BUF_EVENT(event, (struct dma_buf *dmabuf, int fd), (dmabuf, fd))
#define DMA_BUF_ATTACH_EVENT(event) \
	DMA_BUF_EVENT(event, (struct dma_buf_attachment *attach), (attach))
#endif

DMA_BUF_BUFFER_EVENT(export)
DMA_BUF_BUFFER_EVENT(mmap_internal)
DMA_BUF_BUFFER_EVENT(mmap)
DMA_BUF_BUFFER_EVENT(put)
DMA_BUF_BUFFER_EVENT(release)
DMA_BUF_FD_EVENT(fd)
DMA_BUF_FD_EVENT(get)
DMA_BUF_ATTACH_EVENT(dynamic_attach)
DMA_BUF_ATTACH_EVENT(detach)
DMA_BUF_ATTACH_EVENT(pin)
DMA_BUF_ATTACH_EVENT(unpin)
DMA_BUF_ATTACH_EVENT(map)
DMA_BUF_ATTACH_EVENT(unmap)
DMA_BUF_ATTACH_EVENT(invalidate)

#undef DMA_BUF_BUFFER_EVENT
#undef DMA_BUF_FD_EVENT
#undef DMA_BUF_ATTACH_EVENT
