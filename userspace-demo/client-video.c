// SPDX-License-Identifier: MIT
/*
 * A client that plays a clip: libvpx decodes VP8 in software, the pictures go
 * as NV12 into buffers of plain memory, which udmabuf or a dma-heap makes
 * into dma-bufs. CPU writes stand between DMA_BUF_IOCTL_SYNC start and end.
 */

#include <drm_fourcc.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>

#include "clip.h"
#include "common.h"
#include "window.h"

#define BUFFERS	3

struct buffer {
	int fd;			/* the dma-buf */
	uint8_t *map;
	struct window_buffer shown;
};

/* An NV12 picture in one buffer: the rows of Y, then those of Cb and Cr by turns. */
static uint32_t width, height, stride;
static size_t size;

static const uint8_t *clip;
static size_t clip_size, clip_at;
static vpx_codec_ctx_t codec;

static void clip_open(const char *path)
{
	const struct ivf_header *header;
	struct stat st;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		err(1, "%s: cannot open the clip", path);
	clip_size = st.st_size;
	clip = mmap(NULL, clip_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (clip == MAP_FAILED)
		err(1, "%s: cannot map the clip", path);
	close(fd);
	header = (const void *)clip;
	if (clip_size < sizeof(*header) || header->magic != IVF_MAGIC ||
	    header->header_size != sizeof(*header) || header->fourcc != IVF_VP8 ||
	    !header->width || !header->height || header->width % 2 || header->height % 2)
		errx(1, "%s: this is no IVF file of VP8 with even width and height", path);
	width = header->width;
	height = header->height;
	clip_at = sizeof(*header);
	if (vpx_codec_dec_init(&codec, vpx_codec_vp8_dx(), NULL, 0))
		errx(1, "cannot start the decoder: %s", vpx_codec_error(&codec));
}

/* The next picture; after the last comes the first again. */
static const vpx_image_t *clip_decode(const char *path)
{
	struct ivf_frame frame;
	vpx_codec_iter_t iter = NULL;
	const vpx_image_t *image;

	if (clip_at == clip_size)
		clip_at = sizeof(struct ivf_header);
	if (clip_size - clip_at < sizeof(frame))
		errx(1, "%s: the clip is cut off", path);
	memcpy(&frame, clip + clip_at, sizeof(frame));
	clip_at += sizeof(frame);
	if (clip_size - clip_at < frame.size)
		errx(1, "%s: the clip is cut off", path);
	if (vpx_codec_decode(&codec, clip + clip_at, frame.size, NULL, 0))
		errx(1, "%s: cannot decode: %s", path, vpx_codec_error(&codec));
	clip_at += frame.size;
	image = vpx_codec_get_frame(&codec, &iter);
	if (!image || image->fmt != VPX_IMG_FMT_I420 || image->d_w != width ||
	    image->d_h != height)
		errx(1, "%s: no picture of %ux%u pixels where there should be one", path, width,
		     height);
	return image;
}

static int buffer_from_heap(void)
{
	struct dma_heap_allocation_data data = { .len = size, .fd_flags = O_RDWR | O_CLOEXEC };
	int heap = open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC);

	if (heap < 0 || retry_ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data))
		err(1, "/dev/dma_heap/system: cannot get %zu bytes", size);
	close(heap);
	return data.fd;
}

/* The one time that the CPU writes a picture: the decoder's planes, chroma interleaved. */
static void write_nv12(const struct buffer *buf, const vpx_image_t *image)
{
	uint8_t *out = buf->map;
	uint32_t x, y;

	if (dma_buf_sync(buf->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE))
		err(1, "cannot begin to write a buffer");
	for (y = 0; y < height; y++, out += stride)
		memcpy(out, image->planes[0] + (size_t)y * image->stride[0], width);
	for (y = 0; y < height / 2; y++, out += stride) {
		const uint8_t *cb = image->planes[1] + (size_t)y * image->stride[1];
		const uint8_t *cr = image->planes[2] + (size_t)y * image->stride[2];

		for (x = 0; x < width / 2; x++) {
			out[2 * x] = cb[x];
			out[2 * x + 1] = cr[x];
		}
	}
	if (dma_buf_sync(buf->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE))
		err(1, "cannot end writing a buffer");
}

/* The checksum of the picture as it has to look on the screen, from the decoder's own planes. */
static uint64_t drawn(const vpx_image_t *image)
{
	static uint32_t *pixels;
	uint32_t x, y;

	if (!pixels)
		pixels = calloc((size_t)width * height, 4);
	if (!pixels)
		err(1, "out of memory");
	for (y = 0; y < height; y++) {
		const uint8_t *luma = image->planes[0] + (size_t)y * image->stride[0];
		const uint8_t *cb = image->planes[1] + (size_t)(y / 2) * image->stride[1];
		const uint8_t *cr = image->planes[2] + (size_t)(y / 2) * image->stride[2];

		for (x = 0; x < width; x++)
			pixels[(size_t)y * width + x] = nv12_pixel(luma[x], cb[x / 2], cr[x / 2]);
	}
	return checksum(pixels, (size_t)width * 4, width, height);
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: client-video [options] CLIP\n"
		"Decode a clip (VP8 in IVF, as make-clip makes) and pass the pictures to the compositor.\n"
		"\n"
		"  --socket PATH        where the compositor listens (" DEMO_SOCKET ")\n"
		"  --frames N           how many frames to pass, the clip in a loop (%d)\n"
		"  --allocator udmabuf  memory of this process, made a dma-buf (the default)\n"
		"  --allocator heap     memory of the system dma-heap\n"
		"  --help               this text\n", DEMO_FRAMES);
}

struct options {
	const char *socket, *allocator, *clip;
	unsigned int frames;
	bool udmabuf;	/* the allocator; the heap if not */
};

static struct options parse_options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "frames", required_argument, NULL, 'f' },
		{ "allocator", required_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct options options = {
		.socket = DEMO_SOCKET, .allocator = "udmabuf", .frames = DEMO_FRAMES,
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (opt) {
		case 's':
			options.socket = optarg;
			break;
		case 'f':
			options.frames = parse_number("--frames", optarg, 1, 1000000);
			break;
		case 'a':
			options.allocator = optarg;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind + 1 != argc)
		errx(2, "%s (see --help)", optind == argc ? "which clip?" : "one clip, not several");
	options.clip = argv[optind];
	options.udmabuf = !strcmp(options.allocator, "udmabuf");
	if (!options.udmabuf && strcmp(options.allocator, "heap"))
		errx(2, "--allocator: '%s' is neither udmabuf nor heap", options.allocator);
	return options;
}

/* In the layout of linear memory, which the compositor must take. */
static void show_create(struct window *window, struct buffer *buf)
{
	const struct window_layout layout = {
		.width = width,
		.height = height,
		.fourcc = DRM_FORMAT_NV12,
		.modifier = DRM_FORMAT_MOD_LINEAR,
		.n_planes = 2,
		.fds = { buf->fd, buf->fd },
		.offsets = { 0, stride * height },
		.strides = { stride, stride },
	};
	uint64_t modifiers[16];
	unsigned int i, n = window_modifiers(window, DRM_FORMAT_NV12, modifiers, 16);

	for (i = 0; i < n && modifiers[i] != DRM_FORMAT_MOD_LINEAR; i++)
		;
	if (i == n)
		errx(1, "the compositor does not take NV12 in linear memory");
	window_buffer_create(window, &buf->shown, &layout);
}

static void buffers_create(struct window *window, struct buffer *buffers,
			   const struct options *options)
{
	unsigned int i;

	/* Many devices want rows at a multiple of 64 bytes; udmabuf wants whole pages. */
	stride = (width + 63) & ~63u;
	size = ((size_t)stride * height * 3 / 2 + getpagesize() - 1) & -(size_t)getpagesize();
	printf("client-video: %s, %ux%u, %s\n", vpx_codec_iface_name(vpx_codec_vp8_dx()), width,
	       height, options->allocator);
	for (i = 0; i < BUFFERS; i++) {
		struct buffer *buf = &buffers[i];

		buf->fd = options->udmabuf ? dma_buf_from_memory("client-video", size) :
					     buffer_from_heap();
		buf->map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, buf->fd, 0);
		if (buf->map == MAP_FAILED)
			err(1, "cannot map a dma-buf of %s", options->allocator);
		buf->shown.number = i;
		show_create(window, buf);
		printf("client-video: buffer %u: inode %" PRIu64 ", %s size %zu, descriptor %d\n",
		       i, dma_buf_inode(buf->fd),
		       options->udmabuf ? "/dev/udmabuf" : "/dev/dma_heap/system", size, buf->fd);
	}
	fflush(stdout);
}

static void frame_play(struct window *window, struct buffer *buffers, uint32_t sequence,
		       const char *path)
{
	struct buffer *buf = &buffers[sequence % BUFFERS];
	const vpx_image_t *image = clip_decode(path);

	/* The CPU is about to write it: it must have left the screen. */
	window_wait_free(window, &buf->shown);
	write_nv12(buf, image);
	window_show(window, &buf->shown, sequence);
	window_drawn(window, sequence, drawn(image));
}

int main(int argc, char **argv)
{
	const struct options options = parse_options(argc, argv);
	struct buffer buffers[BUFFERS] = { 0 };
	struct window *window;
	uint32_t i;

	clip_open(options.clip);
	window = window_open(options.socket, options.udmabuf ? "video" : "video-heap",
			     options.udmabuf ? "udmabuf /dev/udmabuf" :
			     "heap /dev/dma_heap/system", width, height);
	if (window_width(window) != width || window_height(window) != height)
		errx(1, "the compositor has room for %ux%u pixels, the clip has %ux%u",
		     window_width(window), window_height(window), width, height);
	buffers_create(window, buffers, &options);

	for (i = 0; i < options.frames; i++)
		frame_play(window, buffers, i, options.clip);

	for (i = 0; i < BUFFERS; i++)
		window_buffer_destroy(&buffers[i].shown);
	window_close(window);
	for (i = 0; i < BUFFERS; i++) {
		munmap(buffers[i].map, size);
		close(buffers[i].fd);
	}
	vpx_codec_destroy(&codec);
	munmap((void *)clip, clip_size);
	return 0;
}
