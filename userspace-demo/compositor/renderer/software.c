// SPDX-License-Identifier: MIT
/*
 * What the software renderer of Mesa cannot do, and how the rest of the renderer gets on with it. No
 * other renderer needs any of this.
 *
 * To sample a dma-buf, Mesa maps it for reading and writing. Some may only be read: those exported
 * without DRM_RDWR, or by VIDIOC_EXPBUF without O_RDWR. Then Mesa imports the dma-buf into the device
 * that draws, and asks for the mapping of a dumb buffer there. The kernel refuses that for all but the
 * device's own buffers. Mesa does not look at the error: its threads read at address 0, and the process
 * dies.
 */

#include <GLES3/gl3.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xf86drm.h>

#include "../../common.h"
#include "../backend/kms.h"
#include "../backend/picture.h"
#include "../base/options.h"
#include "software.h"

static bool draws_on_cpu(void)
{
	const char *name = (const char *)glGetString(GL_RENDERER);

	return name && (strstr(name, "llvmpipe") || strstr(name, "softpipe"));
}

static void *map(const struct dmabuf *buf, int access, size_t *size)
{
	const off_t end = lseek(buf->fd, 0, SEEK_END);

	*size = end > 0 ? end : 0;
	return mmap(NULL, *size, access, MAP_SHARED, buf->fd, 0);
}

static bool may_write(const struct dmabuf *buf)
{
	size_t size;
	void *pixels = map(buf, PROT_READ | PROT_WRITE, &size);

	if (pixels == MAP_FAILED)
		return false;
	munmap(pixels, size);
	return true;
}

/* In a file of its own, whose close drops the handle: in Mesa's it would be Mesa's own handle. */
static bool device_maps(const struct dmabuf *buf)
{
	const char *path = options.render ? options.render : kms.device;
	const int fd = open(path, O_RDWR | O_CLOEXEC);
	struct drm_mode_map_dumb dumb = { 0 };
	bool maps;

	if (fd < 0)
		return false;
	maps = !drmPrimeFDToHandle(fd, buf->fd, &dumb.handle) &&
		!drmIoctl(fd, DRM_IOCTL_MODE_MAP_DUMB, &dumb);
	close(fd);
	return maps;
}

bool software_must_copy(const struct picture *pic)
{
	unsigned int i;

	if (!draws_on_cpu())
		return false;
	for (i = 0; i < pic->n_planes; i++)
		if (!may_write(pic->dmabufs[i]) && !device_maps(pic->dmabufs[i]))
			return true;
	return false;
}

bool software_read(const struct picture *pic, unsigned int plane,
		   void (*use)(const struct picture *pic, unsigned int plane, const void *pixels))
{
	const struct dmabuf *buf = pic->dmabufs[plane];
	size_t size;
	char *pixels = map(buf, PROT_READ, &size);
	bool begun;

	if (pixels == MAP_FAILED)
		return false;
	/* Its client may write it again by now. SYNC would wait for that, and all windows with it. */
	begun = !dma_buf_is_written(buf->fd) &&
		!dma_buf_sync(buf->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	use(pic, plane, pixels + pic->offsets[plane]);
	if (begun)
		dma_buf_sync(buf->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
	munmap(pixels, size);
	return true;
}
