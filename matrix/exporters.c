// SPDX-License-Identifier: GPL-2.0
/* Who makes the buffers. */
#include "matrix.h"
#include "prime-negotiate.h"
#include "lib/prime_memory.h"
#include "lib/prime_mock.h"
#include "lib/prime_v4l2.h"

#include <fcntl.h>

/* Of a DRM driver, whose file is closed again: it shall not be the master. */
static void make_gem(int drm, int *fds)
{
	for (int i = 0; i < BUFFERS; i++) {
		uint32_t handle;

		fds[i] = make_dmabuf(drm, PAGES, &handle);
		check_ok(gem_close(drm, handle));
	}
	close(drm);
}

static void make_vgem(int *fds)
{
	make_gem(open_driver("vgem"), fds);
}

static void make_vkms(int *fds)
{
	make_gem(open_driver("vkms"), fds);
}

static void make_virtio_gpu(int *fds)
{
	make_gem(open_driver("virtio_gpu"), fds);
}

static void make_mock(int *fds)
{
	make_gem(mock_open(0), fds);
}

static void make_edu(int *fds)
{
	make_gem(open_driver("prime_edu"), fds);
}

static void make_kind(enum memory kind, int *fds)
{
	for (int i = 0; i < BUFFERS; i++)
		fds[i] = make_memory(kind, SIZE);
}

static void make_udmabuf(int *fds)
{
	make_kind(MEMORY_UDMABUF, fds);
}

static void make_system_heap(int *fds)
{
	make_kind(MEMORY_SYSTEM_HEAP, fds);
}

static void make_cma_heap(int *fds)
{
	make_kind(MEMORY_CMA_HEAP, fds);
}

/* From the output node: the capture node is busy with importing. */
static void make_vivid(enum v4l2_device device, int *fds)
{
	int node = v4l2_open(device, true);
	struct v4l2_queue q = v4l2_queue_of(node, device, true);
	struct v4l2_create_buffers args = {
		.count = BUFFERS, .memory = V4L2_MEMORY_MMAP,
		.format.type = q.type,
	};

	check_ok(xioctl(node, VIDIOC_G_FMT, &args.format));
	args.format.fmt.pix.sizeimage = SIZE;
	check_ok(xioctl(node, VIDIOC_CREATE_BUFS, &args));
	check_eq(args.count, BUFFERS);
	for (int i = 0; i < BUFFERS; i++)
		fds[i] = check_ok(v4l2_export(&q, args.index + i, 0,
					      O_RDWR | O_CLOEXEC));
}

static void make_vivid_vmalloc(int *fds)
{
	make_vivid(V4L2_VMALLOC, fds);
}

static void make_vivid_contig(int *fds)
{
	make_vivid(V4L2_CONTIG, fds);
}

static void make_late_gem(int *fds)
{
	make_gem(open_driver("prime_late"), fds);
}

static void make_negotiated(int *fds)
{
	for (int i = 0; i < BUFFERS; i++) {
		fds[i] = prime_negotiate_alloc(SIZE);
		if (fds[i] == -ENOENT)
			prime_skip("no heap 'negotiated' on this kernel");
		check_ok(fds[i]);
	}
}

const struct exporter exporters[] = {
	{ "vgem", make_vgem },
	{ "vkms", make_vkms },
	{ "virtio-gpu", make_virtio_gpu },
	{ "prime_mock", make_mock },
	{ "prime_edu", make_edu },
	{ "udmabuf", make_udmabuf },
	{ "system-heap", make_system_heap },
	{ "cma-heap", make_cma_heap },
	{ "vivid-vmalloc", make_vivid_vmalloc },
	{ "vivid-contig", make_vivid_contig },
	{ "negotiated", make_negotiated, .late = true },
	{ "late-gem", make_late_gem, .late = true },
};

const unsigned int exporters_count = sizeof(exporters) / sizeof(exporters[0]);
