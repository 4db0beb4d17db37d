// SPDX-License-Identifier: GPL-2.0
/*
 * A producer on a DRM device: draws a moving picture into buffers of vgem and
 * passes them to the compositor. The buffer is handed over before it is drawn;
 * the fence on it keeps the display waiting until the drawing is done.
 */

#include <drm_fourcc.h>
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/dma-buf.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "common.h"

/* The kernel's drm/vgem_drm.h, which no Debian package installs. */
struct vgem_fence_attach {
	uint32_t handle;
	uint32_t flags;
	uint32_t out_fence;
	uint32_t pad;
};

struct vgem_fence_signal {
	uint32_t fence;
	uint32_t flags;
};

#define VGEM_FENCE_WRITE	1
#define VGEM_FENCE_ATTACH	DRM_IOWR(DRM_COMMAND_BASE + 1, struct vgem_fence_attach)
#define VGEM_FENCE_SIGNAL	DRM_IOW(DRM_COMMAND_BASE + 2, struct vgem_fence_signal)

#define BUFFERS		2
#define SLOW_EVERY	10	/* frames: every tenth takes as long as said here */

static const struct timespec slow = { .tv_nsec = 100 * 1000 * 1000 };

struct buffer {
	uint32_t handle;
	uint32_t stride;
	uint64_t size;
	char *map;
	int fd;			/* the dma-buf */
	bool free;		/* ours to draw into */
};

static char device[64];
static int drm;

static bool is_vgem(int fd)
{
	return drm_driver_is(fd, "vgem");
}

static void buffer_create(struct buffer *buf, uint32_t width, uint32_t height)
{
	uint64_t offset;

	if (drmModeCreateDumbBuffer(drm, width, height, 32, 0, &buf->handle, &buf->stride,
				    &buf->size))
		err(1, "%s: cannot create a buffer of %ux%u pixels", device, width, height);
	if (drmModeMapDumbBuffer(drm, buf->handle, &offset))
		err(1, "%s: cannot map a buffer", device);
	buf->map = mmap(NULL, buf->size, PROT_READ | PROT_WRITE, MAP_SHARED, drm, offset);
	if (buf->map == MAP_FAILED)
		err(1, "%s: cannot map a buffer", device);
	if (drmPrimeHandleToFD(drm, buf->handle, DRM_CLOEXEC | DRM_RDWR, &buf->fd))
		err(1, "%s: cannot export a buffer", device);
	buf->free = true;
}

static void buffer_destroy(struct buffer *buf)
{
	close(buf->fd);
	munmap(buf->map, buf->size);
	if (drmModeDestroyDumbBuffer(drm, buf->handle))
		err(1, "%s: cannot destroy a buffer", device);
}

/* Whoever reads the buffer from now on waits for the fence; it expires after ten seconds. */
static uint32_t fence_attach(struct buffer *buf)
{
	struct vgem_fence_attach arg = { .handle = buf->handle, .flags = VGEM_FENCE_WRITE };

	if (drmIoctl(drm, VGEM_FENCE_ATTACH, &arg))
		err(1, "%s: cannot attach a fence to a buffer", device);
	return arg.out_fence;
}

static void fence_signal(uint32_t fence)
{
	struct vgem_fence_signal arg = { .fence = fence };

	if (drmIoctl(drm, VGEM_FENCE_SIGNAL, &arg))
		err(1, "%s: cannot signal a fence", device);
}

/* The number of the frame, in digits of 3x5 cells, so that a person can tell the pictures. */
static void draw_number(uint32_t *pixels, uint32_t width, uint32_t height, uint32_t number)
{
	static const uint16_t glyph[10] = {
		075557, 026227, 071747, 071717, 055711, 074717, 074757, 071111, 075757, 075717,
	};
	const uint32_t cell = height / 40;
	uint32_t place, div, x, y;

	for (place = 0, div = 100; div; place++, div /= 10) {
		uint16_t bits = glyph[number / div % 10];

		for (y = 0; y < 5 * cell; y++) {
			uint32_t *row = pixels + (y + 2 * cell) * width + (2 + 4 * place) * cell;

			for (x = 0; x < 3 * cell; x++)
				if (bits >> (14 - y / cell * 3 - x / cell) & 1)
					row[x] = 0xffffff;
		}
	}
}

static void draw(uint32_t *pixels, uint32_t width, uint32_t height, uint32_t sequence)
{
	static uint32_t palette[256];
	const double t = sequence / 12.0;
	int wave[width];
	uint32_t x, y;
	int i;

	for (i = 0; i < 256 && !palette[255]; i++) {
		double a = i * M_PI / 128;

		palette[i] = (uint32_t)(110 + 100 * sin(a)) << 16 |
			     (uint32_t)(90 + 70 * sin(a + 4.0)) << 8 |
			     (uint32_t)(150 + 100 * sin(a + 2.2));
	}

	for (x = 0; x < width; x++)
		wave[x] = 60 * sin(x / 71.0 + t) + 40 * sin(x / 29.0 - 1.7 * t);
	for (y = 0; y < height; y++) {
		int shift = 256 + 50 * sin(y / 53.0 - t) + 2 * sequence + y / 4;

		for (x = 0; x < width; x++)
			*pixels++ = palette[(wave[x] + shift) & 255];
	}
	pixels -= width * height;
	draw_number(pixels, width, height, sequence + 1);
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: producer-gem [--socket PATH] [--device PATH] [--frames N]\n"
		"Draw a moving picture into buffers of vgem and pass them to the compositor.\n"
		"\n"
		"  --socket PATH  where the compositor listens (" DEMO_SOCKET ")\n"
		"  --device PATH  the DRM device (the first one whose driver is vgem)\n"
		"  --frames N     how many frames to draw (%d)\n"
		"  --help         this text\n", DEMO_FRAMES);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "device", required_argument, NULL, 'd' },
		{ "frames", required_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *path = DEMO_SOCKET, *wanted = NULL;
	uint32_t frames = DEMO_FRAMES, sequence, width, height, i, y;
	struct buffer buffers[BUFFERS];
	struct message welcome, msg;
	char name[80];
	uint32_t *canvas;
	int sock, opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			path = optarg;
			break;
		case 'd':
			wanted = optarg;
			break;
		case 'f':
			frames = parse_number("--frames", optarg, 1, 1000000);
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc)
		errx(2, "what is '%s'? (see --help)", argv[optind]);

	drm = open_device(wanted, "/dev/dri/card", "a vgem device", is_vgem, device,
			  sizeof(device));
	snprintf(name, sizeof(name), "vgem %s", device);
	sock = producer_connect(path, PLANE_PRIMARY, "gem", name, &welcome);
	width = welcome.welcome.width;
	height = welcome.welcome.height;

	/* vgem's memory is write-combined, slow to read: draw and sum up beside it. */
	canvas = calloc((size_t)width * height, 4);
	if (!canvas)
		err(1, "cannot allocate %ux%u pixels", width, height);

	for (i = 0; i < BUFFERS; i++) {
		buffer_create(&buffers[i], width, height);
		msg = (struct message){
			.type = MSG_BUFFER,
			.buffer = i,
			.format.width = width,
			.format.height = height,
			.format.fourcc = DRM_FORMAT_XRGB8888,
			.format.stride = buffers[i].stride,
			.format.modifier = DRM_FORMAT_MOD_LINEAR,
			.format.inode = dma_buf_inode(buffers[i].fd),
		};
		if (message_send(sock, &msg, buffers[i].fd))
			err(1, "%s: cannot pass buffer %u", path, i);
	}

	for (sequence = 0; sequence < frames; sequence++) {
		struct buffer *buf = &buffers[sequence % BUFFERS];
		uint32_t fence;

		while (!buf->free) {
			int fd, ret = message_receive(sock, &msg, &fd);

			if (ret < 0)
				err(1, "%s: lost the compositor", path);
			if (!ret)
				errx(1, "%s: the compositor has gone", path);
			if (msg.type == MSG_RELEASE && msg.buffer < BUFFERS)
				buffers[msg.buffer].free = true;
		}
		buf->free = false;

		/*
		 * In this order: SYNC_START waits for the fences of others, and would wait
		 * for ours; the frame goes out once the fence is there to hold it back; the
		 * checksum is sent before the fence lets the display go on.
		 */
		if (dma_buf_sync(buf->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE))
			err(1, "%s: cannot begin to write a buffer", device);
		fence = fence_attach(buf);
		msg = (struct message){
			.type = MSG_FRAME,
			.buffer = sequence % BUFFERS,
			.sequence = sequence,
		};
		if (message_send(sock, &msg, -1))
			err(1, "%s: cannot send frame %u", path, sequence);

		/*
		 * As a GPU does, clear first; and as a busy GPU does, be late now and then, by
		 * more than a display waits of itself. Without the fence this would show.
		 */
		memset(buf->map, 0, buf->size);
		draw(canvas, width, height, sequence);
		if (sequence % SLOW_EVERY == SLOW_EVERY - 1)
			nanosleep(&slow, NULL);
		for (y = 0; y < height; y++)
			memcpy(buf->map + (size_t)y * buf->stride, canvas + (size_t)y * width,
			       (size_t)width * 4);

		if (dma_buf_sync(buf->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE))
			err(1, "%s: cannot end writing a buffer", device);
		msg.type = MSG_DRAWN;
		msg.checksum = checksum(canvas, (size_t)width * 4, width, height,
					&welcome.welcome.hole);
		if (message_send(sock, &msg, -1))
			err(1, "%s: cannot send the checksum of frame %u", path, sequence);
		fence_signal(fence);
	}

	producer_finish(sock);
	for (i = 0; i < BUFFERS; i++)
		buffer_destroy(&buffers[i]);
	free(canvas);
	close(drm);
	return 0;
}
