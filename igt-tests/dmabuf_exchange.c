// SPDX-License-Identifier: MIT
/**
 * TEST: dmabuf exchange
 * Description: The DRM device under test shares buffers with udmabuf, the dma-heaps
 *  and V4L2's queues, as exporter and as importer. Each byte is compared, and
 *  either side may be closed first.
 */
#include "lib/mock_buffer.h"
#include "lib/prime_memory.h"
#include "lib/prime_v4l2.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <libdrm/drm_fourcc.h>
#include <libdrm/virtgpu_drm.h>

#ifndef VIRTGPU_PARAM_RESOURCE_BLOB
#define VIRTGPU_PARAM_RESOURCE_BLOB	3	/* missing in libdrm of 2022 */
#endif
#include <libdrm/drm_mode.h>

#define PICTURE	(320 * 180 * 2)		/* bytes of V4L2's pictures */
#define PAGES	((PICTURE + PAGE - 1) / PAGE)

/* A dma-buf from elsewhere; @node is the V4L2 node that made it, or -1. */
struct origin {
	int fd;
	int node;
	size_t size;
};

static struct origin origin_memory(enum memory kind)
{
	struct origin o = { .fd = make_memory(kind, PICTURE), .node = -1 };

	o.size = size_of(o.fd);
	return o;
}

static struct origin origin_v4l2(enum v4l2_device device)
{
	struct v4l2_queue q = v4l2_capture(device);
	struct origin o = { .node = q.fd };

	check_ok(v4l2_request(&q, V4L2_MEMORY_MMAP, 2));
	o.fd = check_ok(v4l2_export(&q, 1, 0, O_RDWR | O_CLOEXEC));
	o.size = size_of(o.fd);
	return o;
}

static void origin_close(struct origin *o)
{
	close(o->fd);
	if (o->node >= 0)
		close(o->node);
}

/* The handle; skips where the driver imports nothing from elsewhere. */
static uint32_t import_or_skip(int drm, int fd)
{
	int64_t handle = gem_import(drm, fd);

	if (handle == -ENODEV || handle == -EOPNOTSUPP || handle == -ENOSYS)
		prime_skip("%s does not import foreign buffers (%s)",
			   driver_name(drm), strerror(-handle));
	return check_ok(handle);
}

static int export_again(int drm, uint32_t handle)
{
	return check_ok(gem_export(drm, handle, DRM_CLOEXEC | DRM_RDWR));
}

/* --- into the DRM device --- */

/* While both sides live: one identity, one attachment, the same bytes. */
static void import_is_the_buffer(struct origin *o)
{
	int drm = open_device(), again;
	uint32_t handle;

	fill_dmabuf(o->fd, o->size, 1);
	handle = import_or_skip(drm, o->fd);
	check_eq(check_ok(gem_import(drm, o->fd)), handle);
	check_eq(attachments_of(o->fd), 1);
	again = export_again(drm, handle);
	check_eq(inode_of(again), inode_of(o->fd));
	check_eq(size_of(again), o->size);
	check_eq(filled_dmabuf(again, o->size, 1), o->size);
	fill_dmabuf(again, o->size, 2);
	check_eq(filled_dmabuf(o->fd, o->size, 2), o->size);
	close(again);

	/* The importer is closed first. */
	check_ok(gem_close(drm, handle));
	check_eq(settle_attachments(o->fd, 0), 0);
	check_eq(filled_dmabuf(o->fd, o->size, 2), o->size);
	handle = check_ok(gem_import(drm, o->fd));
	close(drm);
	check_eq(settle_attachments(o->fd, 0), 0);
	check_eq(filled_dmabuf(o->fd, o->size, 2), o->size);
}

/* The exporter is closed first. */
static void import_outlives_exporter(struct origin *o)
{
	int drm = open_device(), buffers = count_buffers(), again;
	uint32_t handle;

	fill_dmabuf(o->fd, o->size, 3);
	handle = import_or_skip(drm, o->fd);
	origin_close(o);
	check_eq(settle_buffers(buffers), buffers);
	again = export_again(drm, handle);
	check_eq(size_of(again), o->size);
	check_eq(filled_dmabuf(again, o->size, 3), o->size);
	check_ok(gem_close(drm, handle));
	check_eq(filled_dmabuf(again, o->size, 3), o->size);
	handle = check_ok(gem_import(drm, again));
	close(again);
	again = export_again(drm, handle);
	check_eq(filled_dmabuf(again, o->size, 3), o->size);
	close(again);
	close(drm);
	check_eq(settle_buffers(buffers - 1), buffers - 1);
}

static void memory_to_drm(enum memory kind)
{
	struct origin o = origin_memory(kind);

	import_is_the_buffer(&o);
	import_outlives_exporter(&o);
}

static void v4l2_to_drm(enum v4l2_device device)
{
	struct origin o = origin_v4l2(device);

	import_is_the_buffer(&o);
	import_outlives_exporter(&o);
}

/**
 * SUBTEST: udmabuf-to-drm
 * Description: The device imports a udmabuf. There is one handle and one attachment,
 *  an export gives the same dma-buf, and the bytes are the same. Whichever side is
 *  closed first, the other one keeps the memory. In the end none is left.
 */
static void udmabuf_to_drm(void)
{
	memory_to_drm(MEMORY_UDMABUF);
}

/**
 * SUBTEST: page-twice-to-drm
 * Description: The same with a udmabuf that holds a page twice.
 */
static void page_twice_to_drm(void)
{
	int drm = open_device();
	int fd = make_memory(MEMORY_SCATTERED, PICTURE), again;
	uint8_t *memory = map_dmabuf(fd, PAGES * PAGE);
	uint32_t handle = import_or_skip(drm, fd);

	again = export_again(drm, handle);
	fill_dmabuf(again, PAGE, 4);
	check_eq(filled(memory + (PAGES - 1) * PAGE, PAGE, 4), PAGE);
	unmap(memory, PAGES * PAGE);
}

/**
 * SUBTEST: system-heap-to-drm
 * Description: The same as udmabuf-to-drm with a buffer of the system heap.
 */
static void system_heap_to_drm(void)
{
	memory_to_drm(MEMORY_SYSTEM_HEAP);
}

/**
 * SUBTEST: cma-heap-to-drm
 * Description: The same with a contiguous buffer.
 */
static void cma_heap_to_drm(void)
{
	memory_to_drm(MEMORY_CMA_HEAP);
}

/**
 * SUBTEST: vivid-vmalloc-to-drm
 * Description: The same with a buffer that vivid with vmalloc exports.
 */
static void vivid_vmalloc_to_drm(void)
{
	v4l2_to_drm(V4L2_VMALLOC);
}

/**
 * SUBTEST: vivid-contig-to-drm
 * Description: The same with a buffer that vivid with dma-contig exports.
 */
static void vivid_contig_to_drm(void)
{
	v4l2_to_drm(V4L2_CONTIG);
}

/**
 * SUBTEST: mem2mem-to-drm
 * Description: The same with a buffer that vim2m exports.
 */
static void mem2mem_to_drm(void)
{
	v4l2_to_drm(V4L2_MEM2MEM);
}

/**
 * SUBTEST: udmabuf-to-two-devices
 * Description: Two devices import one udmabuf at the same time. There are two
 *  attachments, and each device keeps the buffer when the other one closes it.
 */
static void udmabuf_to_two_devices(void)
{
	int a = open_device(), b = open_other(), again;
	struct origin o = origin_memory(MEMORY_UDMABUF);
	uint32_t x, y;

	fill_dmabuf(o.fd, o.size, 5);
	x = import_or_skip(a, o.fd);
	y = import_or_skip(b, o.fd);
	check_eq(attachments_of(o.fd), 2);
	check_ok(gem_close(a, x));
	check_eq(attachments_of(o.fd), 1);
	x = check_ok(gem_import(a, o.fd));
	check_ok(gem_close(b, y));
	check_eq(attachments_of(o.fd), 1);
	origin_close(&o);
	again = export_again(a, x);
	check_eq(filled_dmabuf(again, o.size, 5), o.size);
}

/**
 * SUBTEST: captured-frame-to-drm
 * Description: vivid captures into buffers that the device has imported from
 *  it; the frames are read through the device's own export.
 */
static void captured_frame_to_drm(void)
{
	for (int device = 0; device < V4L2_PLANES; device++) {
		void *picture = v4l2_picture(device);
		struct v4l2_queue q = v4l2_capture(device);
		int drm = open_device(), again[2];

		check_eq(check_ok(v4l2_request(&q, V4L2_MEMORY_MMAP, 2)), 2);
		for (int i = 0; i < 2; i++) {
			int fd = check_ok(v4l2_export(&q, i, 0, O_RDWR));

			again[i] = export_again(drm, import_or_skip(drm, fd));
			close(fd);
			poison_dmabuf(again[i]);
			check_ok(v4l2_queue_buffer(&q, i, -1));
		}
		check_ok(v4l2_start(&q));
		for (int frame = 0; frame < 6; frame++) {
			unsigned int i = v4l2_dequeue(&q);
			uint8_t *memory = map_dmabuf(again[i], PICTURE);

			check_eq(same_bytes(memory, picture, PICTURE), PICTURE);
			unmap(memory, PICTURE);
			poison_dmabuf(again[i]);
			check_ok(v4l2_queue_buffer(&q, i, -1));
		}
		close(q.fd);
		close(drm);
		close(again[0]);
		close(again[1]);
		free(picture);
	}
}

/**
 * SUBTEST: import-outlives-vivid
 * Description: vivid is unloaded while the device holds a buffer of it: the
 *  memory stays until the handle is closed.
 */
static void import_outlives_vivid(void)
{
	struct origin o = origin_v4l2(V4L2_VMALLOC);
	int drm = open_device(), again;
	uint32_t handle;

	need_destructive("unloading vivid");
	fill_dmabuf(o.fd, o.size, 6);
	handle = import_or_skip(drm, o.fd);
	origin_close(&o);
	if (!vivid_unload())
		prime_skip("vivid cannot be unloaded: built in, or in use");
	again = export_again(drm, handle);
	check_eq(filled_dmabuf(again, o.size, 6), o.size);
	check_ok(gem_close(drm, handle));
	check_eq(filled_dmabuf(again, o.size, 6), o.size);
}

/* --- out of the DRM device --- */

/* A buffer of the device, and its GEM mapping. */
struct gem {
	uint32_t handle;
	int fd;
	uint8_t *memory;
};

static struct gem gem_make(int drm, unsigned int pages)
{
	struct drm_mode_map_dumb map = { };
	struct gem b;

	b.fd = make_dmabuf(drm, pages, &b.handle);
	map.handle = b.handle;
	check_ok(xioctl(drm, DRM_IOCTL_MODE_MAP_DUMB, &map));
	b.memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			drm, map.offset);
	check(b.memory != MAP_FAILED);
	memset(b.memory, POISON, pages * PAGE);
	return b;
}

/* The picture and nothing behind it, by GEM's mapping and the dma-buf's. */
static void check_frame(const struct gem *b, const void *picture)
{
	uint8_t *memory = map_dmabuf(b->fd, PAGES * PAGE);

	check_eq(same_bytes(b->memory, picture, PICTURE), PICTURE);
	check_eq(same_bytes(memory, picture, PICTURE), PICTURE);
	check_eq(filled_byte(b->memory + PICTURE, PAGES * PAGE - PICTURE,
			     POISON), PAGES * PAGE - PICTURE);
	unmap(memory, PAGES * PAGE);
}

/* vivid captures into the buffers of @drm, except those that it has to refuse. */
static void capture_into(int drm, enum v4l2_device device)
{
	void *picture = v4l2_picture(device);
	struct v4l2_queue q = v4l2_capture(device);
	struct gem b[2] = { gem_make(drm, PAGES), gem_make(drm, PAGES) };

	check_eq(check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 2)), 2);
	for (int i = 0; i < 2; i++) {
		if (device == V4L2_CONTIG && contiguous_bytes(b[i].fd) < q.size[0]) {
			check_error(v4l2_queue_buffer(&q, i, b[i].fd), EFAULT);
			check_eq(attachments_of(b[i].fd), 0);
			return;
		}
		check_ok(v4l2_queue_buffer(&q, i, b[i].fd));
	}
	check_ok(v4l2_start(&q));
	for (int frame = 0; frame < 6; frame++) {
		unsigned int i = v4l2_dequeue(&q);

		check_frame(&b[i], picture);
		memset(b[i].memory, POISON, PICTURE);
		check_ok(v4l2_queue_buffer(&q, i, b[i].fd));
	}
	close(q.fd);
	for (int i = 0; i < 2; i++)
		check_eq(settle_attachments(b[i].fd, 0), 0);
	free(picture);
}

/* vim2m turns one buffer of @drm into another. */
static void turn(int drm)
{
	int fd = v4l2_open(V4L2_MEM2MEM, false);
	struct v4l2_queue in = v4l2_queue_of(fd, V4L2_MEM2MEM, true);
	struct v4l2_queue out = v4l2_queue_of(fd, V4L2_MEM2MEM, false);
	struct gem a = gem_make(drm, PAGES), b = gem_make(drm, PAGES);

	check_ok(v4l2_request(&in, V4L2_MEMORY_DMABUF, 1));
	check_ok(v4l2_request(&out, V4L2_MEMORY_DMABUF, 1));
	check_ok(v4l2_start(&in));
	check_ok(v4l2_start(&out));
	for (int round = 0; round < 5; round++) {
		fill(a.memory, PICTURE, round);
		memset(b.memory, POISON, PAGES * PAGE);
		check_ok(v4l2_queue_buffer(&in, 0, a.fd));
		check_ok(v4l2_queue_buffer(&out, 0, b.fd));
		check_eq(v4l2_dequeue(&in), 0);
		check_eq(v4l2_dequeue(&out), 0);
		check_eq(v4l2_turned(&in, a.memory, b.memory), PICTURE);
		check_eq(filled(a.memory, PICTURE, round), PICTURE);
		check_eq(filled_byte(b.memory + PICTURE,
				     PAGES * PAGE - PICTURE, POISON),
			 PAGES * PAGE - PICTURE);
	}
	close(fd);
}

/**
 * SUBTEST: drm-to-vivid-vmalloc
 * Description: vivid captures into the device's buffers; GEM's mapping and the
 *  dma-buf's show each frame whole, and nothing is written behind it.
 */
static void drm_to_vivid_vmalloc(void)
{
	capture_into(open_device(), V4L2_VMALLOC);
}

/**
 * SUBTEST: drm-to-vivid-contig
 * Description: vivid with dma-contig fills those buffers of the device that are
 *  contiguous, as prime_mock tells. It refuses the others with EFAULT, and keeps
 *  nothing of them.
 */
static void drm_to_vivid_contig(void)
{
	capture_into(open_device(), V4L2_CONTIG);
}

/**
 * SUBTEST: drm-to-mem2mem
 * Description: vim2m reads one buffer of the device and writes another one. The
 *  second one holds the picture turned, and the first one is unchanged.
 */
static void drm_to_mem2mem(void)
{
	turn(open_device());
}

/**
 * SUBTEST: drm-to-vivid-output
 * Description: vivid outputs buffers of the device. Each comes back unchanged.
 */
static void drm_to_vivid_output(void)
{
	int drm = open_device(), fd = v4l2_open(V4L2_VMALLOC, true);
	struct v4l2_queue q = v4l2_queue_of(fd, V4L2_VMALLOC, true);
	unsigned int pages = (q.size[0] + PAGE - 1) / PAGE;
	struct gem b[2] = { gem_make(drm, pages), gem_make(drm, pages) };

	check_eq(check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 2)), 2);
	for (int i = 0; i < 2; i++) {
		fill(b[i].memory, q.size[0], i);
		check_ok(v4l2_queue_buffer(&q, i, b[i].fd));
	}
	check_ok(v4l2_start(&q));
	for (int frame = 0; frame < 4; frame++) {
		unsigned int i = v4l2_dequeue(&q);

		check_eq(filled(b[i].memory, q.size[0], i), q.size[0]);
		check_ok(v4l2_queue_buffer(&q, i, b[i].fd));
	}
	close(fd);
}

/**
 * SUBTEST: drm-too-small-for-vivid
 * Description: A buffer of the device that is a page too small gives EINVAL. One
 *  that is larger is accepted.
 */
static void drm_too_small_for_vivid(void)
{
	struct v4l2_queue q = v4l2_capture(V4L2_VMALLOC);
	int drm = open_device();

	check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 2));
	check_error(v4l2_queue_buffer(&q, 0, gem_make(drm, PAGES - 1).fd),
		    EINVAL);
	check_ok(v4l2_queue_buffer(&q, 0, gem_make(drm, PAGES + 5).fd));
}

/**
 * SUBTEST: drm-closed-while-queued
 * Description: The handle, the fd and the device are closed while vivid holds the
 *  buffers. The frames arrive in the memory, which is freed with the last mapping.
 */
static void drm_closed_while_queued(void)
{
	int buffers = count_buffers();
	void *picture = v4l2_picture(V4L2_VMALLOC);
	struct v4l2_queue q = v4l2_capture(V4L2_VMALLOC);
	struct gem b[2];
	int drm = open_device();

	check_eq(check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 2)), 2);
	for (int i = 0; i < 2; i++) {
		b[i] = gem_make(drm, PAGES);
		check_ok(v4l2_queue_buffer(&q, i, b[i].fd));
		check_ok(gem_close(drm, b[i].handle));
		close(b[i].fd);
	}
	close(drm);
	check_eq(settle_buffers(buffers + 2), buffers + 2);
	check_ok(v4l2_start(&q));
	for (int frame = 0; frame < 2; frame++) {
		unsigned int i = v4l2_dequeue(&q);

		check_eq(same_bytes(b[i].memory, picture, PICTURE), PICTURE);
	}
	close(q.fd);
	check_eq(settle_buffers(buffers), buffers);
	for (int i = 0; i < 2; i++) {
		fill(b[i].memory, PICTURE, i);
		check_eq(filled(b[i].memory, PICTURE, i), PICTURE);
		unmap(b[i].memory, PAGES * PAGE);
	}
	free(picture);
}

/**
 * SUBTEST: drm-vivid-mem2mem-drm
 * Description: A chain: vivid captures into the device's buffer, vim2m writes the
 *  turned picture into a buffer of a heap, and the device imports that buffer.
 */
static void drm_vivid_mem2mem_drm(void)
{
	void *picture = v4l2_picture(V4L2_VMALLOC);
	struct v4l2_queue camera = v4l2_capture(V4L2_VMALLOC);
	int drm = open_device(), fd = v4l2_open(V4L2_MEM2MEM, false);
	struct v4l2_queue in = v4l2_queue_of(fd, V4L2_MEM2MEM, true);
	struct v4l2_queue out = v4l2_queue_of(fd, V4L2_MEM2MEM, false);
	struct gem b[2] = { gem_make(drm, PAGES), gem_make(drm, PAGES) };
	int heap = make_memory(MEMORY_SYSTEM_HEAP, PICTURE), again;
	void *memory;
	unsigned int i;

	again = export_again(drm, import_or_skip(drm, heap));
	check_ok(v4l2_request(&camera, V4L2_MEMORY_DMABUF, 2));
	check_ok(v4l2_queue_buffer(&camera, 0, b[0].fd));
	check_ok(v4l2_queue_buffer(&camera, 1, b[1].fd));
	check_ok(v4l2_request(&in, V4L2_MEMORY_DMABUF, 1));
	check_ok(v4l2_request(&out, V4L2_MEMORY_DMABUF, 1));
	check_ok(v4l2_start(&camera));
	check_ok(v4l2_start(&in));
	check_ok(v4l2_start(&out));
	i = v4l2_dequeue(&camera);
	check_ok(v4l2_queue_buffer(&in, 0, b[i].fd));
	check_ok(v4l2_queue_buffer(&out, 0, heap));
	v4l2_dequeue(&in);
	v4l2_dequeue(&out);
	memory = map_dmabuf(again, PICTURE);
	check_eq(v4l2_turned(&in, picture, memory), PICTURE);
	unmap(memory, PICTURE);
	free(picture);
}

/* --- virtio-gpu --- */

/**
 * SUBTEST: virtio-to-vivid
 * Description: The same as drm-to-vivid-vmalloc with virtio-gpu's buffers.
 */
static void virtio_to_vivid(void)
{
	capture_into(open_driver("virtio_gpu"), V4L2_VMALLOC);
}

/**
 * SUBTEST: virtio-to-mem2mem
 * Description: The same as drm-to-mem2mem with virtio-gpu's buffers.
 */
static void virtio_to_mem2mem(void)
{
	turn(open_driver("virtio_gpu"));
}

/**
 * SUBTEST: virtio-import
 * Description: virtio-gpu without blob resources refuses each kind of foreign buffer
 *  with ENODEV, and keeps nothing. (With blob resources, newer kernels import it.)
 */
static void virtio_import(void)
{
	static const enum memory kinds[] = {
		MEMORY_UDMABUF, MEMORY_SYSTEM_HEAP, MEMORY_CMA_HEAP,
	};
	int drm = open_driver("virtio_gpu"), blobs = 0;
	struct drm_virtgpu_getparam param = {
		.param = VIRTGPU_PARAM_RESOURCE_BLOB, .value = (uintptr_t)&blobs,
	};

	if (!xioctl(drm, DRM_IOCTL_VIRTGPU_GETPARAM, &param) && blobs)
		prime_skip("this virtio-gpu has blob resources");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct origin o = origin_memory(kinds[i]);

		check_error(gem_import(drm, o.fd), ENODEV);
		check_eq(settle_attachments(o.fd, 0), 0);
		origin_close(&o);
	}
}

/* --- a device that reads what it imported: vkms's checksum of its screen --- */

struct screen {
	int drm;
	uint32_t crtc, connector;
	struct drm_mode_modeinfo mode;
};

static struct screen screen_open(void)
{
	struct drm_mode_modeinfo modes[64];
	struct drm_mode_card_res res = { .count_crtcs = 1, .count_connectors = 1 };
	struct drm_mode_get_connector connector = { .count_modes = 64 };
	struct drm_mode_get_connector probe = { };
	struct screen s = { .drm = open_driver("vkms") };

	need_vkms_screen();
	res.crtc_id_ptr = (uintptr_t)&s.crtc;
	res.connector_id_ptr = (uintptr_t)&s.connector;
	check_ok(xioctl(s.drm, DRM_IOCTL_MODE_GETRESOURCES, &res));
	check(s.crtc && s.connector);
	/* A request without room for an answer makes the driver probe the modes. */
	probe.connector_id = s.connector;
	check_ok(xioctl(s.drm, DRM_IOCTL_MODE_GETCONNECTOR, &probe));
	connector.connector_id = s.connector;
	connector.modes_ptr = (uintptr_t)modes;
	check_ok(xioctl(s.drm, DRM_IOCTL_MODE_GETCONNECTOR, &connector));
	check(connector.count_modes && connector.count_modes <= 64);
	/* The smallest: an emulated machine draws slowly. */
	s.mode = modes[0];
	for (unsigned int i = 1; i < connector.count_modes; i++)
		if (modes[i].hdisplay * modes[i].vdisplay <
		    s.mode.hdisplay * s.mode.vdisplay)
			s.mode = modes[i];
	return s;
}

static size_t screen_size(const struct screen *s)
{
	return 4ul * s->mode.hdisplay * s->mode.vdisplay;
}

/* The checksum of the screen with this buffer on it. */
static uint32_t screen_shows(const struct screen *s, uint32_t handle)
{
	struct drm_mode_fb_cmd2 fb = {
		.width = s->mode.hdisplay, .height = s->mode.vdisplay,
		.pixel_format = DRM_FORMAT_XRGB8888, .handles = { handle },
		.pitches = { 4u * s->mode.hdisplay },
	};
	struct drm_mode_crtc crtc = {
		.crtc_id = s->crtc, .mode = s->mode, .mode_valid = 1,
		.set_connectors_ptr = (uintptr_t)&s->connector,
		.count_connectors = 1,
	};
	int64_t sum;

	check_ok(xioctl(s->drm, DRM_IOCTL_MODE_ADDFB2, &fb));
	crtc.fb_id = fb.fb_id;
	check_ok(xioctl(s->drm, DRM_IOCTL_MODE_SETCRTC, &crtc));
	sum = vkms_checksum(s->drm);
	if (sum < 0)
		prime_skip("checksums of vkms: %s", strerror(-sum));
	check_ok(xioctl(s->drm, DRM_IOCTL_MODE_RMFB, &fb.fb_id));
	return sum;
}

/* With @fd on the screen its checksum is that of vkms's own buffer of this content. */
static void shown_as_its_own(const struct screen *s, int fd)
{
	size_t size = screen_size(s);
	struct gem own = gem_make(s->drm, (size + PAGE - 1) / PAGE);
	uint32_t handle = check_ok(gem_import(s->drm, fd)), sums[2];

	for (int i = 0; i < 2; i++) {
		fill(own.memory, size, i);
		sums[i] = screen_shows(s, own.handle);
		fill_dmabuf(fd, size, i);
		check_eq(screen_shows(s, handle), sums[i]);
	}
	check(sums[0] != sums[1]);
}

static void shown_memory(enum memory kind)
{
	struct screen s = screen_open();

	shown_as_its_own(&s, make_memory(kind, screen_size(&s)));
}

/**
 * SUBTEST: vkms-shows-udmabuf
 * Description: vkms shows a udmabuf. The checksum of the screen is that of vkms's
 *  own buffer with the same content. Other content gives another checksum.
 */
static void vkms_shows_udmabuf(void)
{
	shown_memory(MEMORY_UDMABUF);
}

/**
 * SUBTEST: vkms-shows-system-heap
 * Description: The same with a buffer of the system heap.
 */
static void vkms_shows_system_heap(void)
{
	shown_memory(MEMORY_SYSTEM_HEAP);
}

/**
 * SUBTEST: vkms-shows-cma-heap
 * Description: The same with a contiguous buffer.
 */
static void vkms_shows_cma_heap(void)
{
	shown_memory(MEMORY_CMA_HEAP);
}

/**
 * SUBTEST: vkms-shows-drm
 * Description: The same with a buffer of the device under test.
 */
static void vkms_shows_drm(void)
{
	struct screen s = screen_open();	/* the first one is the master */
	int drm = open_device();

	shown_as_its_own(&s, make_dmabuf(drm, (screen_size(&s) + PAGE - 1) /
					 PAGE, NULL));
}

static const struct prime_subtest subtests[] = {
	SUBTEST(udmabuf_to_drm),
	SUBTEST(page_twice_to_drm),
	SUBTEST(system_heap_to_drm),
	SUBTEST(cma_heap_to_drm),
	SUBTEST(vivid_vmalloc_to_drm),
	SUBTEST(vivid_contig_to_drm),
	SUBTEST(mem2mem_to_drm),
	SUBTEST(udmabuf_to_two_devices),
	SUBTEST(captured_frame_to_drm),
	SUBTEST(import_outlives_vivid),
	SUBTEST(drm_to_vivid_vmalloc),
	SUBTEST(drm_to_vivid_contig),
	SUBTEST(drm_to_mem2mem),
	SUBTEST(drm_to_vivid_output),
	SUBTEST(drm_too_small_for_vivid),
	SUBTEST(drm_closed_while_queued),
	SUBTEST(drm_vivid_mem2mem_drm),
	SUBTEST(virtio_to_vivid),
	SUBTEST(virtio_to_mem2mem),
	SUBTEST(virtio_import),
	SUBTEST(vkms_shows_udmabuf),
	SUBTEST(vkms_shows_system_heap),
	SUBTEST(vkms_shows_cma_heap),
	SUBTEST(vkms_shows_drm),
};

PRIME_MAIN(subtests)
