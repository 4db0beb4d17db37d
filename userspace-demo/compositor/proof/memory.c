// SPDX-License-Identifier: MIT
/* Whether what is shown is the client's own memory, and what a client drew there. */

#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <drm_fourcc.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../common.h"
#include "../backend/kms.h"
#include "../backend/picture.h"
#include "../base/formats.h"
#include "../renderer/egl.h"
#include "memory.h"

/* Ask the kernel what memory is behind a framebuffer. */
bool memory_of_fb(const struct picture *pic)
{
	drmModeFB2 *fb = drmModeGetFB2(kms.drm, pic->fb);
	bool same = fb;
	uint32_t i, j;
	int fd;

	for (i = 0; fb && i < pic->n_planes; i++) {
		if (drmPrimeHandleToFD(kms.drm, fb->handles[i], DRM_CLOEXEC, &fd)) {
			same = false;
			continue;
		}
		same &= dma_buf_inode(fd) == pic->dmabufs[i]->inode;
		close(fd);
	}
	/* They are new handles, one for each buffer, though two planes may share it. */
	for (i = 0; fb && i < 4; i++) {
		for (j = 0; j < i && fb->handles[j] != fb->handles[i]; j++)
			;
		if (fb->handles[i] && j == i)
			drmCloseBufferHandle(kms.drm, fb->handles[i]);
	}
	drmModeFreeFB2(fb);
	return same;
}

/* A line of maps is: addresses rights offset device inode name. */
static bool mapped(uint64_t inode)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	bool found = false;
	char line[256];
	uint64_t here;

	while (maps && !found && fgets(line, sizeof(line), maps))
		found = strstr(line, "/dmabuf") &&
			sscanf(line, "%*s %*s %*s %*s %" SCNu64, &here) == 1 && here == inode;
	if (maps)
		fclose(maps);
	return found;
}

/* Ask EGL what memory is behind an image. */
static bool memory_of_image(EGLImage image, uint64_t inode)
{
	PFNEGLEXPORTDMABUFIMAGEQUERYMESAPROC query =
		(void *)eglGetProcAddress("eglExportDMABUFImageQueryMESA");
	PFNEGLEXPORTDMABUFIMAGEMESAPROC export =
		(void *)eglGetProcAddress("eglExportDMABUFImageMESA");
	int fourcc, n_planes, fds[4] = { -1, -1, -1, -1 };
	bool same;
	unsigned int i;

	if (strstr(eglQueryString(egl, EGL_EXTENSIONS), "EGL_MESA_image_dma_buf_export") &&
	    query(egl, image, &fourcc, &n_planes, NULL) && n_planes <= 4)
		export(egl, image, fds, NULL, NULL);
	/* What draws on the CPU may have no answer; it reads where it has mapped the buffer. */
	same = fds[0] >= 0 ? dma_buf_inode(fds[0]) == inode : mapped(inode);
	for (i = 0; i < 4; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return same;
}

bool memory_of_images(const struct picture *pic)
{
	unsigned int i;

	for (i = 0; i < pic->n_planes; i++)
		if (!pic->images[i] || !memory_of_image(pic->images[i], pic->dmabufs[i]->inode))
			return false;
	return true;
}

/* The pixel of NV12 at x, y, as it has to look. */
static uint32_t pixel_of_nv12(const struct picture *pic, const uint8_t *const planes[2],
			      uint32_t x, uint32_t y)
{
	const uint8_t *luma = planes[0] + (size_t)y * pic->strides[0];
	const uint8_t *chroma = planes[1] + (size_t)(y / 2) * pic->strides[1] + (x & ~1u);

	return nv12_pixel(luma[x], chroma[0], chroma[1]);
}

static uint32_t pixel_of_rgb(const struct picture *pic, const uint8_t *plane, uint32_t x, uint32_t y,
			     bool *opaque)
{
	const uint8_t *p = plane + (size_t)y * pic->strides[0] + (size_t)x * 4;

	*opaque &= p[3] == 255 || !layout_of(pic->fourcc)->alpha;
	if (pic->fourcc == DRM_FORMAT_XBGR8888 || pic->fourcc == DRM_FORMAT_ABGR8888)
		return p[0] << 16 | p[1] << 8 | p[2];
	return p[2] << 16 | p[1] << 8 | p[0];
}

static uint64_t sum_of(const struct picture *pic, const uint8_t *const planes[2], uint32_t width,
		       uint32_t height)
{
	uint32_t *pixels = calloc((size_t)width * height, 4);
	bool opaque = true;
	uint64_t sum;
	uint32_t x, y;

	if (!pixels)
		return 0;
	for (y = 0; y < height; y++)
		for (x = 0; x < width; x++)
			pixels[(size_t)y * width + x] = pic->fourcc == DRM_FORMAT_NV12 ?
				pixel_of_nv12(pic, planes, x, y) :
				pixel_of_rgb(pic, planes[0], x, y, &opaque);
	sum = checksum(pixels, (size_t)width * 4, width, height);
	free(pixels);
	return opaque ? sum : 0;
}

uint64_t memory_checksum(const struct picture *pic, uint32_t width, uint32_t height)
{
	const uint8_t *planes[2] = { pic->pixels, NULL };
	void *maps[2] = { MAP_FAILED, MAP_FAILED };
	off_t sizes[2] = { 0 };
	bool good = true;
	uint64_t sum = 0;
	unsigned int i, begun = 0;

	for (i = 0; !pic->pixels && i < pic->n_planes; i++) {
		sizes[i] = lseek(pic->dmabufs[i]->fd, 0, SEEK_END);
		maps[i] = mmap(NULL, sizes[i], PROT_READ, MAP_SHARED, pic->dmabufs[i]->fd, 0);
		/*
		 * Its client may have put a fence there since the picture was shown: SYNC would wait
		 * for it, and all windows with it.
		 */
		good = good && maps[i] != MAP_FAILED && !dma_buf_is_written(pic->dmabufs[i]->fd) &&
			!dma_buf_sync(pic->dmabufs[i]->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
		begun += good;
		planes[i] = (const uint8_t *)maps[i] + pic->offsets[i];
	}
	if (good)
		sum = sum_of(pic, planes, width, height);
	for (i = 0; i < 2; i++) {
		if (i < begun)
			dma_buf_sync(pic->dmabufs[i]->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
		if (maps[i] != MAP_FAILED)
			munmap(maps[i], sizes[i]);
	}
	return sum;
}
