/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace events of dma-buf. Names, arguments and fields are those of Linux 7.3,
 * on 6.12 too. Besides mainline's events there are pin, unpin, map, unmap,
 * invalidate, release and refusal. The events export, dynamic_attach and get follow the
 * success of the operation. Most others precede the operation.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dma_buf

#if !defined(DRM_PRIME_TRACE_DMA_BUF_H) || defined(TRACE_HEADER_MULTI_READ)
#define DRM_PRIME_TRACE_DMA_BUF_H

#include <linux/dma-buf.h>
#include <linux/dma-buf-constraints.h>
#include <linux/tracepoint.h>

/* The file of a buffer may have ended. */
#define dma_buf_trace_ino(dmabuf) (to_dma_buf_object(dmabuf)->ino)

DECLARE_EVENT_CLASS(dma_buf,
	TP_PROTO(struct dma_buf *dmabuf),
	TP_ARGS(dmabuf),
	TP_STRUCT__entry(
		__string(exp_name, dmabuf->exp_name)
		__field(size_t, size)
		__field(ino_t, ino)
	),
	TP_fast_assign(
		__assign_str(exp_name);
		__entry->size = dmabuf->size;
		__entry->ino = dma_buf_trace_ino(dmabuf);
	),
	TP_printk("exp_name=%s size=%zu ino=%lu",
		  __get_str(exp_name), __entry->size, __entry->ino)
);

#define DMA_BUF_DEFINE_EVENT(name) \
DEFINE_EVENT(dma_buf, name, TP_PROTO(struct dma_buf *dmabuf), TP_ARGS(dmabuf))

DMA_BUF_DEFINE_EVENT(dma_buf_export);
DMA_BUF_DEFINE_EVENT(dma_buf_mmap_internal);
DMA_BUF_DEFINE_EVENT(dma_buf_mmap);
DMA_BUF_DEFINE_EVENT(dma_buf_put);
DMA_BUF_DEFINE_EVENT(dma_buf_release);

DECLARE_EVENT_CLASS(dma_buf_fd,
	TP_PROTO(struct dma_buf *dmabuf, int fd),
	TP_ARGS(dmabuf, fd),
	TP_STRUCT__entry(
		__string(exp_name, dmabuf->exp_name)
		__field(size_t, size)
		__field(ino_t, ino)
		__field(int, fd)
	),
	TP_fast_assign(
		__assign_str(exp_name);
		__entry->size = dmabuf->size;
		__entry->ino = dma_buf_trace_ino(dmabuf);
		__entry->fd = fd;
	),
	TP_printk("exp_name=%s size=%zu ino=%lu fd=%d",
		  __get_str(exp_name), __entry->size, __entry->ino, __entry->fd)
);

#define DMA_BUF_DEFINE_FD_EVENT(name) \
DEFINE_EVENT(dma_buf_fd, name, \
	     TP_PROTO(struct dma_buf *dmabuf, int fd), TP_ARGS(dmabuf, fd))

DMA_BUF_DEFINE_FD_EVENT(dma_buf_fd);
DMA_BUF_DEFINE_FD_EVENT(dma_buf_get);

DECLARE_EVENT_CLASS(dma_buf_attach_dev,
	TP_PROTO(struct dma_buf *dmabuf, struct dma_buf_attachment *attach,
		 bool is_dynamic, struct device *dev),
	TP_ARGS(dmabuf, attach, is_dynamic, dev),
	TP_STRUCT__entry(
		__string(dev_name, dev_name(dev))
		__string(exp_name, dmabuf->exp_name)
		__field(size_t, size)
		__field(ino_t, ino)
		__field(struct dma_buf_attachment *, attach)
		__field(bool, is_dynamic)
	),
	TP_fast_assign(
		__assign_str(dev_name);
		__assign_str(exp_name);
		__entry->size = dmabuf->size;
		__entry->ino = dma_buf_trace_ino(dmabuf);
		__entry->attach = attach;
		__entry->is_dynamic = is_dynamic;
	),
	TP_printk("exp_name=%s size=%zu ino=%lu attachment:%p is_dynamic=%d dev_name=%s",
		  __get_str(exp_name), __entry->size, __entry->ino,
		  __entry->attach, __entry->is_dynamic, __get_str(dev_name))
);

#define DMA_BUF_DEFINE_ATTACH_EVENT(name) \
DEFINE_EVENT(dma_buf_attach_dev, name, \
	     TP_PROTO(struct dma_buf *dmabuf, struct dma_buf_attachment *attach, \
		      bool is_dynamic, struct device *dev), \
	     TP_ARGS(dmabuf, attach, is_dynamic, dev))

DMA_BUF_DEFINE_ATTACH_EVENT(dma_buf_dynamic_attach);
DMA_BUF_DEFINE_ATTACH_EVENT(dma_buf_detach);
DMA_BUF_DEFINE_ATTACH_EVENT(dma_buf_pin);
DMA_BUF_DEFINE_ATTACH_EVENT(dma_buf_unpin);
DMA_BUF_DEFINE_ATTACH_EVENT(dma_buf_map);
DMA_BUF_DEFINE_ATTACH_EVENT(dma_buf_unmap);
DMA_BUF_DEFINE_ATTACH_EVENT(dma_buf_invalidate);

/* Numbers are those of <linux/dma-buf-constraints.h>. */
#ifdef CONFIG_DRM_PRIME_ACCOUNT
TRACE_EVENT(dma_buf_refusal,
	TP_PROTO(u64 ino, const struct dma_buf_refusal *why),
	TP_ARGS(ino, why),
	TP_STRUCT__entry(
		__string(exp_name, why->exporter)
		__string(dev_name, why->device)
		__field(u64, size)
		__field(u64, ino)
		__field(u32, step)
		__field(u32, by)
		__field(u32, error)
		__field(u32, field)
		__field(u64, wanted)
		__field(u64, found)
	),
	TP_fast_assign(
		__assign_str(exp_name);
		__assign_str(dev_name);
		__entry->size = why->size;
		__entry->ino = ino;
		__entry->step = why->step;
		__entry->by = why->by;
		__entry->error = why->error;
		__entry->field = why->field;
		__entry->wanted = why->wanted;
		__entry->found = why->found;
	),
	TP_printk("exp_name=%s size=%llu ino=%llu dev_name=%s step=%u by=%u error=%u field=%u wanted=%llu found=%llu",
		  __get_str(exp_name), __entry->size, __entry->ino,
		  __get_str(dev_name), __entry->step, __entry->by,
		  __entry->error, __entry->field, __entry->wanted,
		  __entry->found)
);
#endif

#endif /* DRM_PRIME_TRACE_DMA_BUF_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH ../drm-prime-layer/trace/events
#include <trace/define_trace.h>
