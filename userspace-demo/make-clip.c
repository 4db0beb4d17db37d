// SPDX-License-Identifier: MIT
/*
 * Makes the clip that client-video plays: a scene drawn by arithmetic, encoded as
 * VP8 by libvpx, in an IVF file. It ends where it begins, so that it can be looped.
 * The luma of the pictures before they were encoded goes to a second file, to
 * compare with what is shown. Run once, when the demo is built.
 */

#include <err.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <vpx/vp8cx.h>
#include <vpx/vpx_encoder.h>

#include "clip.h"

#define WIDTH	320
#define HEIGHT	180
#define FRAMES	96
#define BALLS	3

static uint8_t clamp(double value)
{
	return value < 16 ? 16 : value > 235 ? 235 : value;
}

/* Slow waves of colour, and balls that go round before them. */
static void draw(vpx_image_t *image, unsigned int frame)
{
	const double turn = 2 * M_PI * frame / FRAMES;
	int x, y, i;

	for (y = 0; y < HEIGHT; y++) {
		for (x = 0; x < WIDTH; x++) {
			double wave = sin(x / 40.0 + turn) + sin(y / 23.0 - turn) +
				      sin((x + y) / 61.0 + 2 * turn);
			double luma = 70 + 22 * wave, u = 150 + 26 * wave, v = 110 - 18 * wave;

			for (i = 0; i < BALLS; i++) {
				double angle = turn * (i + 1) + 2 * M_PI * i / BALLS;
				double dx = (x - WIDTH / 2 - 100 * cos(angle)) / 30;
				double dy = (y - HEIGHT / 2 - 50 * sin(angle + i)) / 30;
				double dz = 1 - dx * dx - dy * dy;

				if (dz <= 0)
					continue;
				dz = sqrt(dz);
				luma = 60 + 150 * fmax(0, -0.4 * dx - 0.5 * dy + 0.77 * dz);
				u = i == 0 ? 80 : i == 1 ? 190 : 110;
				v = i == 0 ? 190 : i == 1 ? 100 : 80;
			}
			image->planes[0][y * image->stride[0] + x] = clamp(luma);
			if (x % 2 || y % 2)
				continue;
			image->planes[1][y / 2 * image->stride[1] + x / 2] = clamp(u);
			image->planes[2][y / 2 * image->stride[2] + x / 2] = clamp(v);
		}
	}
}

static void write_all(FILE *file, const void *data, size_t size, const char *path)
{
	if (fwrite(data, size, 1, file) != 1)
		err(1, "%s: cannot write", path);
}

static FILE *create(const char *path)
{
	FILE *file = fopen(path, "wb");

	if (!file)
		err(1, "%s: cannot create", path);
	return file;
}

static void encoder_start(vpx_codec_ctx_t *codec)
{
	vpx_codec_enc_cfg_t config;

	/* One thread, no look-ahead: one packet for each frame, the same in every build. */
	if (vpx_codec_enc_config_default(vpx_codec_vp8_cx(), &config, 0))
		errx(1, "libvpx has no VP8 encoder");
	config.g_w = WIDTH;
	config.g_h = HEIGHT;
	config.g_timebase.num = 1;
	config.g_timebase.den = CLIP_FPS;
	config.g_lag_in_frames = 0;
	config.g_threads = 1;
	config.rc_target_bitrate = 900;
	config.rc_dropframe_thresh = 0;
	if (vpx_codec_enc_init(codec, vpx_codec_vp8_cx(), &config, 0))
		errx(1, "cannot start the encoder: %s", vpx_codec_error(codec));
}

static void encode(vpx_codec_ctx_t *codec, const vpx_image_t *image, unsigned int frame,
		   FILE *file, const char *path)
{
	const vpx_codec_cx_pkt_t *packet;
	vpx_codec_iter_t iter = NULL;

	if (vpx_codec_encode(codec, image, frame, 1, 0, VPX_DL_GOOD_QUALITY))
		errx(1, "frame %u: %s", frame, vpx_codec_error(codec));
	while ((packet = vpx_codec_get_cx_data(codec, &iter))) {
		struct ivf_frame head = { .pts = frame };

		if (packet->kind != VPX_CODEC_CX_FRAME_PKT)
			continue;
		head.size = packet->data.frame.sz;
		write_all(file, &head, sizeof(head), path);
		write_all(file, packet->data.frame.buf, head.size, path);
	}
}

int main(int argc, char **argv)
{
	struct ivf_header header = {
		.magic = IVF_MAGIC,
		.header_size = sizeof(header),
		.fourcc = IVF_VP8,
		.width = WIDTH,
		.height = HEIGHT,
		.rate = CLIP_FPS,
		.scale = 1,
		.frames = FRAMES,
	};
	vpx_codec_ctx_t codec;
	unsigned int frame;
	vpx_image_t image;
	FILE *file, *luma;
	int y;

	if (argc != 3 || argv[1][0] == '-') {
		fprintf(stderr, "usage: make-clip CLIP LUMA\n");
		return 2;
	}
	file = create(argv[1]);
	luma = create(argv[2]);
	write_all(file, &header, sizeof(header), argv[1]);
	encoder_start(&codec);
	if (!vpx_img_alloc(&image, VPX_IMG_FMT_I420, WIDTH, HEIGHT, 16))
		errx(1, "out of memory");

	for (frame = 0; frame < FRAMES; frame++) {
		draw(&image, frame);
		for (y = 0; y < HEIGHT; y++)
			write_all(luma, image.planes[0] + y * image.stride[0], WIDTH, argv[2]);
		encode(&codec, &image, frame, file, argv[1]);
	}
	vpx_img_free(&image);
	vpx_codec_destroy(&codec);
	if (fclose(file))
		err(1, "%s: cannot write", argv[1]);
	if (fclose(luma))
		err(1, "%s: cannot write", argv[2]);
	return 0;
}
