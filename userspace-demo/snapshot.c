// SPDX-License-Identifier: MIT
/*
 * Run a program that shows something, any program, and take a picture of that:
 * find the framebuffer of the primary plane, export its buffer, map it, write a
 * PNG. Only root may do this (GETFB2 gives no handles to others).
 */

#include <drm_fourcc.h>
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/dma-buf.h>
#include <png.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "common.h"

static char device[64];
static int drm;

static bool has_display(int fd)
{
	drmModeRes *res = drmModeGetResources(fd);
	bool has = res && res->count_crtcs;

	drmModeFreeResources(res);
	return has;
}

/* The framebuffer on the primary plane of the first CRTC, 0 for none. */
static uint32_t shown_framebuffer(uint32_t plane_id)
{
	drmModePlane *plane = drmModeGetPlane(drm, plane_id);
	uint32_t fb = plane ? plane->fb_id : 0;

	drmModeFreePlane(plane);
	return fb;
}

static uint32_t primary_plane(void)
{
	drmModePlaneRes *res;
	uint32_t i, j, found = 0;

	if (drmSetClientCap(drm, DRM_CLIENT_CAP_UNIVERSAL_PLANES, 1))
		err(1, "%s: cannot see all planes", device);
	res = drmModeGetPlaneResources(drm);
	if (!res)
		err(1, "%s: cannot list the planes", device);
	for (i = 0; i < res->count_planes && !found; i++) {
		drmModeObjectProperties *props;

		props = drmModeObjectGetProperties(drm, res->planes[i], DRM_MODE_OBJECT_PLANE);
		for (j = 0; props && j < props->count_props; j++) {
			drmModePropertyRes *prop = drmModeGetProperty(drm, props->props[j]);

			if (prop && !strcmp(prop->name, "type") &&
			    props->prop_values[j] == DRM_PLANE_TYPE_PRIMARY)
				found = res->planes[i];
			drmModeFreeProperty(prop);
		}
		drmModeFreeObjectProperties(props);
	}
	drmModeFreePlaneResources(res);
	if (!found)
		errx(1, "%s: no primary plane", device);
	return found;
}

/* Waits for the next refresh, or a moment while the display is off. */
static void wait_refresh(void)
{
	drmVBlank vblank = { .request.type = DRM_VBLANK_RELATIVE, .request.sequence = 1 };

	if (drmWaitVBlank(drm, &vblank))
		poll(NULL, 0, 10);
}

static unsigned int count_colours(const uint8_t *pixels, size_t size, unsigned int enough)
{
	uint32_t *seen = calloc(enough, sizeof(*seen));
	unsigned int n = 0, j;
	size_t i;

	if (!seen)
		err(1, "out of memory");
	for (i = 0; i + 2 < size && n < enough; i += 3) {
		uint32_t colour = pixels[i] << 16 | pixels[i + 1] << 8 | pixels[i + 2];

		for (j = 0; j < n && seen[j] != colour; j++)
			;
		if (j == n)
			seen[n++] = colour;
	}
	free(seen);
	return n;
}

/* The same order of bytes in a PNG. */
static uint32_t png_format(uint32_t format)
{
	switch (format) {
	case DRM_FORMAT_XRGB8888:
	case DRM_FORMAT_ARGB8888:
		return PNG_FORMAT_BGR;
	case DRM_FORMAT_XBGR8888:
	case DRM_FORMAT_ABGR8888:
		return PNG_FORMAT_RGB;
	}
	errx(1, "%s: the picture shown has format %.4s", device, (const char *)&format);
}

/* False when the picture was replaced while it was copied. */
static bool take(uint32_t plane, uint32_t fb_id, const char *path)
{
	drmModeFB2 *fb = drmModeGetFB2(drm, fb_id);
	png_image image = { .version = PNG_IMAGE_VERSION };
	const uint8_t *map;
	uint8_t *pixels;
	size_t size;
	uint32_t x, y;
	int fd;

	if (!fb)
		return false;
	if (!fb->handles[0])
		errx(1, "%s: this takes CAP_SYS_ADMIN", device);
	image.format = png_format(fb->pixel_format);
	if (drmPrimeHandleToFD(drm, fb->handles[0], DRM_CLOEXEC | DRM_RDWR, &fd))
		err(1, "%s: cannot export the picture shown", device);
	size = lseek(fd, 0, SEEK_END);
	map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		err(1, "%s: cannot map the picture shown", device);
	if (size < fb->offsets[0] + (size_t)fb->pitches[0] * fb->height)
		errx(1, "%s: the buffer is smaller than its picture", device);

	image.width = fb->width;
	image.height = fb->height;
	pixels = malloc(PNG_IMAGE_SIZE(image));
	if (!pixels)
		err(1, "out of memory");
	if (dma_buf_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ))
		err(1, "%s: cannot begin to read the picture shown", device);
	for (y = 0; y < fb->height; y++)
		for (x = 0; x < fb->width; x++)
			memcpy(pixels + ((size_t)y * fb->width + x) * 3,
			       map + fb->offsets[0] + (size_t)y * fb->pitches[0] + 4 * x, 3);
	if (dma_buf_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ))
		err(1, "%s: cannot end reading the picture shown", device);
	munmap((void *)map, size);

	if (shown_framebuffer(plane) != fb_id) {
		free(pixels);
		close(fd);
		drmCloseBufferHandle(drm, fb->handles[0]);
		drmModeFreeFB2(fb);
		return false;
	}
	if (!png_image_write_to_file(&image, path, 0, pixels, 0, NULL))
		errx(1, "%s: cannot write the picture: %s", path, image.message);
	printf("snapshot: framebuffer %u of %s, %ux%u, inode %" PRIu64 ", %u or more colours\n",
	       fb_id, device, fb->width, fb->height, dma_buf_inode(fd),
	       count_colours(pixels, PNG_IMAGE_SIZE(image), 256));
	free(pixels);
	close(fd);
	drmCloseBufferHandle(drm, fb->handles[0]);
	drmModeFreeFB2(fb);
	return true;
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: snapshot [options] FILE COMMAND [ARGUMENT...]\n"
		"Run COMMAND; when it has shown N pictures, write what the display shows to FILE as PNG.\n"
		"\n"
		"  --device PATH  the DRM device (the first one that has a display)\n"
		"  --flips N      how many pictures to let pass (1)\n"
		"  --help         this text\n"
		"\n"
		"The exit status is that of COMMAND, or 1 when there was no picture of it.\n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "flips", required_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *wanted = NULL;
	unsigned int flips = 1;
	uint32_t plane, fb, last;
	bool taken = false;
	int opt, status;
	pid_t child;

	while ((opt = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (opt) {
		case 'd':
			wanted = optarg;
			break;
		case 'n':
			flips = parse_number("--flips", optarg, 1, 1000000);
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (argc - optind < 2)
		errx(2, "to which file, of which command? (see --help)");

	drm = open_device(wanted, "/dev/dri/card", "a display", has_display, device,
			  sizeof(device));
	/* Whoever opens an idle display first is its master: the other program has to be that. */
	drmDropMaster(drm);
	plane = primary_plane();
	last = shown_framebuffer(plane);
	child = fork();
	if (child < 0)
		err(1, "cannot fork");
	if (!child) {
		execvp(argv[optind + 1], argv + optind + 1);
		err(127, "%s: cannot run", argv[optind + 1]);
	}

	while (!waitpid(child, &status, WNOHANG)) {
		fb = shown_framebuffer(plane);
		if (fb && fb != last && flips)
			flips--;
		last = fb;
		if (fb && !flips && !taken)
			taken = take(plane, fb, argv[optind]);
		wait_refresh();
	}
	close(drm);
	if (!taken)
		errx(1, "%s: %s ended before its picture was taken", device, argv[optind + 1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
