// SPDX-License-Identifier: MIT
/*
 * The calls that a program is made of: an ioctl on a kind of file, what its fields are, and what
 * it gives. A new call is a row here and nothing else, if it is an ioctl, and a function of
 * helpers.h if not.
 */
#include "fuzz.h"
#include "helpers.h"

#include <drm/prime_mock.h>
#include <linux/dma-buf-constraints.h>

#define OF(...)								\
	{ sizeof((const uint64_t[]){ __VA_ARGS__ }) / 8, (const uint64_t[]){ __VA_ARGS__ } }
#define IOCTL(call, file, request_, type)						\
	.name = #call, .on = file, .request = request_, .request_name = #request_,	\
	.struct_name = "struct " #type, .size = sizeof(struct type)
#define PLACE(type, field)						\
	#field, offsetof(struct type, field), sizeof(((struct type *)0)->field)
/* A field that is a value of @kind_, and one that is a number, mostly one of these. */
#define IS(type, field, kind_)	{ PLACE(type, field), kind_, { 0, NULL } }
#define N(type, field, ...)	{ PLACE(type, field), NUMBER, OF(__VA_ARGS__) }
#define HELPER_CALL(call, gives_, ...)						\
	{ .name = #call, .helper = call, .gives = gives_, .in = { __VA_ARGS__ }, .weight = 4 }
#define ARG(name, kind_)	{ name, 0, 8, kind_, { 0, NULL } }
#define NUM(name, ...)		{ name, 0, 8, NUMBER, OF(__VA_ARGS__) }

#define SIZES		0x1000, 0x1000, 0x4000, 0x10000, 0x200000, 0, 0xfff
#define XRGB8888	0x34325258
#define CAPTURE_OUTPUT	1, 1, 2

const struct call_type call_types[] = {
	/* --- files --- */
	HELPER_CALL(drm_open, DRM, NUM("driver", 0, 1, 1, 1), NUM("render", 0, 0, 0, 1)),
	HELPER_CALL(vgem_open, VGEM, NUM("render", 0, 0, 0, 1)),
	HELPER_CALL(mock_open, MOCK, NUM("device", 0, 0, 1), NUM("render", 0, 0, 0, 1)),
	HELPER_CALL(heap_open, HEAP, NUM("heap", 0, 1, 1, 2)),
	HELPER_CALL(udmabuf_open, UDMABUF),
	HELPER_CALL(timeline_open, TIMELINE),
	HELPER_CALL(video_open, VIDEO, NUM("node", 0, 1, 2, 3)),
	HELPER_CALL(queue_open, VIDEO, NUM("node", 0, 1, 2, 3), NUM("buffers", 1, 2),
		    NUM("memory", 1, 1, 4)),
	HELPER_CALL(memfd_make, MEMFD, NUM("pages", 1, 4, 16), NUM("seals", 2, 2, 2, 0, 10)),
	HELPER_CALL(file_close, NOTHING, ARG("fd", FILES)),
	HELPER_CALL(file_poll, NOTHING, ARG("fd", FILES), NUM("events", 1, 4, 5),
		    NUM("ms", 0, 0, 1)),
	HELPER_CALL(file_seek, NOTHING, ARG("fd", DMABUF), NUM("offset", 0, 1),
		    NUM("whence", 0, 2)),
	HELPER_CALL(epoll_make, EPOLL),
	HELPER_CALL(epoll_change, NOTHING, ARG("epoll", EPOLL), ARG("fd", FILES),
		    NUM("events", 1, 4, 5, 0, 0x80000001)),
	HELPER_CALL(epoll_look, NOTHING, ARG("epoll", EPOLL), NUM("ms", 0, 0, 1)),
	HELPER_CALL(accounts_read, NOTHING, NUM("which", 0, 1, 2), ARG("fd", DMABUF)),
	HELPER_CALL(fail_allocation, NOTHING, NUM("nth", 1, 2, 3, 4, 5, 6, 8, 12)),

	/* --- dma-bufs --- */
	HELPER_CALL(buffer_dup, DMABUF, ARG("fd", DMABUF)),
	HELPER_CALL(buffer_path, MEMFD, ARG("fd", DMABUF)),
	HELPER_CALL(buffer_name, NOTHING, ARG("fd", DMABUF), NUM("length", 0, 5, 31)),
	HELPER_CALL(buffer_map, MAP, ARG("fd", DMABUF), NUM("pages", 0, 3, 15),
		    NUM("writable", 1, 1, 0)),
	HELPER_CALL(map_touch, NOTHING, ARG("map", MAP), NUM("page", 0, 0, 3), NUM("writes", 0, 1)),
	HELPER_CALL(map_end, NOTHING, ARG("map", MAP)),
	{ IOCTL(buffer_sync, DMABUF, DMA_BUF_IOCTL_SYNC, dma_buf_sync), .weight = 6,
	  .in = { N(dma_buf_sync, flags, 1, 2, 3, 5, 6, 7, 0) } },
	{ IOCTL(buffer_fence_export, DMABUF, DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
		dma_buf_export_sync_file),
	  .weight = 6, .in = { N(dma_buf_export_sync_file, flags, 1, 2, 3, 0) },
	  .out = { IS(dma_buf_export_sync_file, fd, SYNC) } },
	{ IOCTL(buffer_fence_import, DMABUF, DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
		dma_buf_import_sync_file),
	  .weight = 6,
	  .in = { N(dma_buf_import_sync_file, flags, 1, 2, 3, 0),
		  IS(dma_buf_import_sync_file, fd, SYNC) } },
	{ IOCTL(device_add, DMABUF, DMA_BUF_IOCTL_ADD_DEVICE, dma_buf_device_use), .weight = 4,
	  .in = { IS(dma_buf_device_use, device_fd, DRM),
		  N(dma_buf_device_use, use, 1, 2, 3, 4, 8) } },
	{ IOCTL(video_add, DMABUF, DMA_BUF_IOCTL_ADD_DEVICE, dma_buf_device_use), .weight = 2,
	  .in = { IS(dma_buf_device_use, device_fd, VIDEO), N(dma_buf_device_use, use, 1, 2, 3) } },
	{ IOCTL(device_remove, DMABUF, DMA_BUF_IOCTL_REMOVE_DEVICE, dma_buf_device_use),
	  .weight = 2, .in = { IS(dma_buf_device_use, device_fd, DRM) } },
	{ IOCTL(device_try, DMABUF, DMA_BUF_IOCTL_TRY_DEVICE, dma_buf_try_device), .weight = 4,
	  .in = { IS(dma_buf_try_device, device_fd, DRM),
		  N(dma_buf_try_device, flags, 0, 0, 0, 1) } },
	{ IOCTL(video_try, DMABUF, DMA_BUF_IOCTL_TRY_DEVICE, dma_buf_try_device), .weight = 2,
	  .in = { IS(dma_buf_try_device, device_fd, VIDEO) } },
	{ IOCTL(buffer_commit, DMABUF, DMA_BUF_IOCTL_COMMIT, dma_buf_commit), .weight = 4,
	  .in = { N(dma_buf_commit, size, 0, 0, SIZES) } },
	{ IOCTL(buffer_constraints, DMABUF, DMA_BUF_IOCTL_GET_CONSTRAINTS,
		dma_buf_constraints_info),
	  .weight = 1 },
	{ IOCTL(buffer_storage, DMABUF, DMA_BUF_IOCTL_GET_STORAGE, dma_buf_storage_info),
	  .weight = 1 },
	{ IOCTL(buffer_refusal, DMABUF, DMA_BUF_IOCTL_GET_REFUSAL, dma_buf_refusal), .weight = 1 },

	/* --- exporters without a device --- */
	{ IOCTL(heap_allocate, HEAP, DMA_HEAP_IOCTL_ALLOC, dma_heap_allocation_data), .weight = 6,
	  /* The heap "system" would take all memory, and the kernel would kill prime-fuzz. */
	  .in = { { PLACE(dma_heap_allocation_data, len), NUMBER, OF(SIZES), 26 },
		  N(dma_heap_allocation_data, fd_flags, 0x80002, 0x80000) },
	  .out = { IS(dma_heap_allocation_data, fd, DMABUF) } },
	{ IOCTL(udmabuf_make, UDMABUF, UDMABUF_CREATE, udmabuf_create), .weight = 6,
	  .gives = DMABUF,
	  .in = { IS(udmabuf_create, memfd, MEMFD), N(udmabuf_create, flags, 1, 1, 0),
		  N(udmabuf_create, offset, 0, 0, 0x1000),
		  /* From 1 TiB on the kernel warns: reproducers/22-udmabuf-warns. */
		  { PLACE(udmabuf_create, size), NUMBER, OF(0x1000, 0x4000, 0), 26 } } },

	/* --- fences --- */
	{ IOCTL(timeline_fence, TIMELINE, SW_SYNC_CREATE, sw_sync_fence), .weight = 6,
	  .in = { N(sw_sync_fence, value, 1, 1, 2, 0) },
	  .out = { IS(sw_sync_fence, fence, SYNC) } },
	{ IOCTL(timeline_advance, TIMELINE, SW_SYNC_INC, one_number), .weight = 6,
	  .in = { N(one_number, number, 1, 1, 2) } },
	{ IOCTL(sync_merge, SYNC, SYNC_IOC_MERGE, sync_merge_data), .weight = 3,
	  .in = { IS(sync_merge_data, fd2, SYNC) }, .out = { IS(sync_merge_data, fence, SYNC) } },
	{ IOCTL(sync_info, SYNC, SYNC_IOC_FILE_INFO, sync_file_info), .weight = 1 },
	{ IOCTL(vgem_fence_attach, VGEM, VGEM_FENCE_ATTACH, vgem_fence_attach), .weight = 3,
	  .in = { IS(vgem_fence_attach, handle, HANDLE), N(vgem_fence_attach, flags, 0, 1) },
	  .out = { IS(vgem_fence_attach, out_fence, FENCE) } },
	{ IOCTL(vgem_fence_signal, VGEM, VGEM_FENCE_SIGNAL, vgem_fence_signal), .weight = 3,
	  .in = { IS(vgem_fence_signal, fence, FENCE) } },

	/* --- GEM and PRIME --- */
	{ IOCTL(dumb_make, DRM, DRM_IOCTL_MODE_CREATE_DUMB, drm_mode_create_dumb), .weight = 8,
	  .in = { N(drm_mode_create_dumb, width, 32, 32, 1024),
		  N(drm_mode_create_dumb, height, 32, 1, 8), N(drm_mode_create_dumb, bpp, 32) },
	  .out = { IS(drm_mode_create_dumb, handle, HANDLE) } },
	{ IOCTL(dumb_end, DRM, DRM_IOCTL_MODE_DESTROY_DUMB, drm_mode_destroy_dumb), .weight = 2,
	  .in = { IS(drm_mode_destroy_dumb, handle, HANDLE) } },
	HELPER_CALL(dumb_map, MAP, ARG("drm", DRM), ARG("handle", HANDLE), NUM("pages", 0, 3)),
	{ IOCTL(gem_close, DRM, DRM_IOCTL_GEM_CLOSE, drm_gem_close), .weight = 8,
	  .in = { IS(drm_gem_close, handle, HANDLE) } },
	{ IOCTL(gem_flink, DRM, DRM_IOCTL_GEM_FLINK, drm_gem_flink), .weight = 2,
	  .in = { IS(drm_gem_flink, handle, HANDLE) }, .out = { IS(drm_gem_flink, name, NAME) } },
	{ IOCTL(gem_open, DRM, DRM_IOCTL_GEM_OPEN, drm_gem_open), .weight = 2,
	  .in = { IS(drm_gem_open, name, NAME) }, .out = { IS(drm_gem_open, handle, HANDLE) } },
	{ IOCTL(prime_export, DRM, DRM_IOCTL_PRIME_HANDLE_TO_FD, drm_prime_handle), .weight = 14,
	  .in = { IS(drm_prime_handle, handle, HANDLE),
		  N(drm_prime_handle, flags, 0x80002, 0x80002, 0x80000, 0) },
	  .out = { IS(drm_prime_handle, fd, DMABUF) } },
	{ IOCTL(prime_import, DRM, DRM_IOCTL_PRIME_FD_TO_HANDLE, drm_prime_handle), .weight = 14,
	  .in = { IS(drm_prime_handle, fd, DMABUF) },
	  .out = { IS(drm_prime_handle, handle, HANDLE) } },
	{ IOCTL(fb_make, DRM, DRM_IOCTL_MODE_ADDFB2, drm_mode_fb_cmd2), .weight = 4,
	  .in = { IS(drm_mode_fb_cmd2, handles[0], HANDLE), N(drm_mode_fb_cmd2, width, 32),
		  N(drm_mode_fb_cmd2, height, 8, 32), N(drm_mode_fb_cmd2, pixel_format, XRGB8888),
		  N(drm_mode_fb_cmd2, pitches[0], 128, 4096) },
	  .out = { IS(drm_mode_fb_cmd2, fb_id, FB) } },
	{ IOCTL(fb_end, DRM, DRM_IOCTL_MODE_RMFB, one_number), .weight = 2,
	  .in = { IS(one_number, number, FB) } },
	{ IOCTL(fb_handle, DRM, DRM_IOCTL_MODE_GETFB2, drm_mode_fb_cmd2), .weight = 4,
	  .in = { IS(drm_mode_fb_cmd2, fb_id, FB) },
	  .out = { IS(drm_mode_fb_cmd2, handles[0], HANDLE) } },

	/* --- prime_mock: exporters and importers of each kind --- */
	{ IOCTL(mock_make, MOCK, DRM_IOCTL_PRIME_MOCK_CREATE, drm_prime_mock_create), .weight = 4,
	  .in = { N(drm_prime_mock_create, size, 0x1000, 0x4000, 0x200000),
		  N(drm_prime_mock_create, backing, 0, 0, 1, 2),
		  N(drm_prime_mock_create, flags, 0, 1, 2, 4, 16, 32, 64) },
	  .out = { IS(drm_prime_mock_create, handle, HANDLE) } },
	{ IOCTL(mock_move, MOCK, DRM_IOCTL_PRIME_MOCK_MOVE, drm_prime_mock_move), .weight = 3,
	  .in = { IS(drm_prime_mock_move, handle, HANDLE),
		  N(drm_prime_mock_move, backing, 0, 0, 1) } },
	{ IOCTL(mock_script, MOCK, DRM_IOCTL_PRIME_MOCK_SCRIPT, drm_prime_mock_script), .weight = 4,
	  .in = { IS(drm_prime_mock_script, id, HANDLE),
		  N(drm_prime_mock_script, flags, 0x80000000, 0x80000001),
		  N(drm_prime_mock_script, op, 0, 2, 4, 6, 7, 9, 10, 11, 12),
		  N(drm_prime_mock_script, fail_at, 0, 1, 2),
		  N(drm_prime_mock_script, fail_count, 1, 0xffffffff),
		  N(drm_prime_mock_script, error, 12, 4, 5, 16),
		  N(drm_prime_mock_script, sleep_us, 0, 0, 100, 2000) } },
	{ IOCTL(mock_limits, MOCK, DRM_IOCTL_PRIME_MOCK_LIMITS, drm_prime_mock_limits), .weight = 2,
	  .in = { N(drm_prime_mock_limits, dma_bits, 64), N(drm_prime_mock_limits, flags, 0, 1, 3),
		  N(drm_prime_mock_limits, max_segment_size, 0xffffffff, 0x1000),
		  N(drm_prime_mock_limits, max_segments, 0, 1),
		  N(drm_prime_mock_limits, segment_boundary, ~0ull) } },
	{ IOCTL(mock_import, MOCK, DRM_IOCTL_PRIME_MOCK_IMPORT, drm_prime_mock_import), .weight = 6,
	  .in = { IS(drm_prime_mock_import, fd, DMABUF),
		  N(drm_prime_mock_import, flags, 0, 1, 1, 3, 5, 9) },
	  .out = { IS(drm_prime_mock_import, id, IMPORT) } },
	{ IOCTL(mock_step, MOCK, DRM_IOCTL_PRIME_MOCK_STEP, drm_prime_mock_step), .weight = 10,
	  .in = { IS(drm_prime_mock_step, id, IMPORT),
		  N(drm_prime_mock_step, op, 1, 2, 3, 4, 4, 5, 7, 8, 9, 10),
		  N(drm_prime_mock_step, direction, 0, 0, 1, 2),
		  N(drm_prime_mock_step, flags, 0, 0, 0, 1) } },
	{ IOCTL(mock_query, MOCK, DRM_IOCTL_PRIME_MOCK_QUERY, drm_prime_mock_query), .weight = 1,
	  .in = { IS(drm_prime_mock_query, id, IMPORT) } },
	{ IOCTL(mock_fence, MOCK, DRM_IOCTL_PRIME_MOCK_FENCE, drm_prime_mock_fence), .weight = 4,
	  .in = { IS(drm_prime_mock_fence, fd, DMABUF), N(drm_prime_mock_fence, flags, 1),
		  N(drm_prime_mock_fence, usage, 0, 1, 2, 3),
		  N(drm_prime_mock_fence, delay_ms, 1, 2, 20, 0) },
	  .out = { IS(drm_prime_mock_fence, id, FENCE),
		  IS(drm_prime_mock_fence, sync_file, SYNC) } },
	{ IOCTL(mock_signal, MOCK, DRM_IOCTL_PRIME_MOCK_SIGNAL, drm_prime_mock_signal), .weight = 4,
	  .in = { IS(drm_prime_mock_signal, id, FENCE), N(drm_prime_mock_signal, error, 0, 5) } },

	/* --- V4L2 --- */
	{ IOCTL(video_request, VIDEO, VIDIOC_REQBUFS, v4l2_requestbuffers), .weight = 6,
	  .in = { N(v4l2_requestbuffers, count, 1, 2, 0),
		  N(v4l2_requestbuffers, type, CAPTURE_OUTPUT),
		  N(v4l2_requestbuffers, memory, 1, 4, 4) } },
	{ IOCTL(video_export, VIDEO, VIDIOC_EXPBUF, v4l2_exportbuffer), .weight = 6,
	  .in = { N(v4l2_exportbuffer, type, CAPTURE_OUTPUT), N(v4l2_exportbuffer, index, 0, 1),
		  N(v4l2_exportbuffer, flags, 0x80002, 0x80000) },
	  .out = { IS(v4l2_exportbuffer, fd, DMABUF) } },
	{ IOCTL(video_queue, VIDEO, VIDIOC_QBUF, v4l2_buffer), .weight = 5,
	  .in = { N(v4l2_buffer, type, CAPTURE_OUTPUT), N(v4l2_buffer, index, 0, 1),
		  N(v4l2_buffer, memory, 4), IS(v4l2_buffer, m.fd, DMABUF),
		  N(v4l2_buffer, field, 1) } },
	{ IOCTL(video_take, VIDEO, VIDIOC_DQBUF, v4l2_buffer), .weight = 3,
	  .in = { N(v4l2_buffer, type, CAPTURE_OUTPUT), N(v4l2_buffer, memory, 4, 1) } },
	{ IOCTL(video_on, VIDEO, VIDIOC_STREAMON, one_number), .weight = 3,
	  .in = { N(one_number, number, CAPTURE_OUTPUT) } },
	{ IOCTL(video_off, VIDEO, VIDIOC_STREAMOFF, one_number), .weight = 3,
	  .in = { N(one_number, number, CAPTURE_OUTPUT) } },
};

const unsigned int call_type_count = sizeof(call_types) / sizeof(call_types[0]);

unsigned int call_arguments(const struct call_type *type)
{
	unsigned int n = 0;

	while (n < MAX_FIELDS && type->in[n].name)
		n++;
	return n + !!type->on;
}

enum kind call_argument_kind(const struct call_type *type, unsigned int i,
			     const struct field **field)
{
	*field = type->on && !i ? NULL : &type->in[i - !!type->on];
	return *field ? (*field)->kind : type->on;
}

enum kind call_gives(const struct call_type *type, unsigned int out)
{
	if (type->gives)
		return out ? NOTHING : type->gives;
	return type->out[out].name ? type->out[out].kind : NOTHING;
}

bool kind_is_file(enum kind kind)
{
	return (kind >= DRM && kind <= MOCK) || (kind >= DMABUF && kind <= EPOLL);
}

bool kind_fits(enum kind want, enum kind have)
{
	if (want == FILES)
		return kind_is_file(have);
	return want == have || (want == DRM && (have == VGEM || have == MOCK));
}

/* videobuf2 never puts a buffer that it can't attach (reproducers/12-vb2-attach-leaks). */
void calls_prepare(const struct call *call)
{
	if (call->type->request == VIDIOC_QBUF)
		fail_allocation(0, 0, 0);
}

/* What a call changes for longer than its file is open. */
void calls_undo(const struct call *call)
{
	struct drm_prime_mock_limits limits = {
		.dma_bits = 64, .max_segment_size = 0xffffffff, .segment_boundary = ~0ull,
	};

	if (call->type->request != DRM_IOCTL_PRIME_MOCK_LIMITS)
		return;
	for (int device = 0; device < 2; device++) {
		int fd = mock_open(device, 0, 0);

		if (fd < 0)
			continue;
		ioctl(fd, DRM_IOCTL_PRIME_MOCK_LIMITS, &limits);
		close(fd);
	}
}

void calls_begin(void)
{
	helpers_begin();
}

void calls_end(void)
{
	helpers_end();
}

void calls_spend(unsigned int steps)
{
	spend(steps);
}
