// SPDX-License-Identifier: MIT
/* What clients send, imported into the display: dma-bufs, and framebuffers made of them. */

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common.h"
#include "../base/refusal.h"
#include "kms.h"
#include "picture.h"

static struct dmabuf *dmabufs;

/*
 * The kernel's own word on who exported a dma-buf. A kernel with the layer names the driver in a
 * line of its own, after that of mainline, which is "drm" for most drivers of DRM.
 */
static void exporter_name(int fd, char *name, size_t size)
{
	char path[64], line[128];
	FILE *file;

	snprintf(name, size, "?");
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		/* What follows is the client's text. */
		if (!strncmp(line, "name:", 5))
			break;
		if (strncmp(line, "exp_name:", 9) && strncmp(line, "exporter:", 9))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(name, size, "%s", line + 9 + strspn(line + 9, "\t "));
	}
	if (file)
		fclose(file);
}

/* One use more of the dma-buf; takes *fd and makes it -1 when it is new. NULL and errno. */
static struct dmabuf *dmabuf_import(int *fd, unsigned int *imports)
{
	const uint64_t inode = dma_buf_inode(*fd);
	struct dmabuf *buf;

	for (buf = dmabufs; buf; buf = buf->next) {
		if (buf->inode != inode)
			continue;
		buf->users++;
		return buf;
	}

	buf = calloc(1, sizeof(*buf));
	if (!buf)
		return NULL;
	/* A display that cannot read it by itself may still have it drawn by EGL. */
	if (drmPrimeFDToHandle(kms.drm, *fd, &buf->handle))
		buf->handle = 0;
	exporter_name(*fd, buf->exporter, sizeof(buf->exporter));
	buf->inode = inode;
	buf->fd = *fd;
	buf->users = 1;
	buf->next = dmabufs;
	dmabufs = buf;
	*fd = -1;
	++*imports;
	return buf;
}

static void dmabuf_unref(struct dmabuf *buf)
{
	struct dmabuf **link = &dmabufs;

	if (--buf->users)
		return;
	while (*link != buf)
		link = &(*link)->next;
	*link = buf->next;
	if (buf->handle)
		drmCloseBufferHandle(kms.drm, buf->handle);
	close(buf->fd);
	free(buf);
}

struct picture *picture_new(void)
{
	struct picture *pic = calloc(1, sizeof(*pic));

	if (!pic)
		return NULL;
	pic->users = 1;
	wl_signal_init(&pic->destroyed);
	return pic;
}

void picture_free(struct picture *pic)
{
	unsigned int i;

	wl_signal_emit_mutable(&pic->destroyed, pic);
	picture_remove_fb(pic);
	for (i = 0; i < pic->n_planes; i++)
		if (pic->dmabufs[i])
			dmabuf_unref(pic->dmabufs[i]);
	free(pic->pixels);
	free(pic);
}

void picture_refused(struct picture *pic, unsigned int plane, const char *by)
{
	refusal_tell(pic->dmabufs[plane]->fd, by, pic->refusal, sizeof(pic->refusal));
}

bool picture_import(struct picture *pic, int fds[MAX_PLANES])
{
	unsigned int i;

	for (i = 0; i < pic->n_planes; i++) {
		pic->dmabufs[i] = dmabuf_import(&fds[i], &pic->imports);
		if (!pic->dmabufs[i])
			return false;
		if (!pic->dmabufs[i]->handle)
			picture_refused(pic, i, "the display");
	}
	return true;
}

bool picture_add_fb(struct picture *pic)
{
	uint32_t handles[4] = { 0 };
	uint64_t modifiers[4] = { 0 };
	uint32_t i;

	for (i = 0; i < pic->n_planes; i++) {
		handles[i] = pic->dmabufs[i]->handle;
		modifiers[i] = pic->modifier;
		if (!handles[i])
			return false;
	}
	/* What does not know modifiers is linear. */
	if (kms.knows_modifiers ?
	    drmModeAddFB2WithModifiers(kms.drm, pic->width, pic->height, pic->fourcc,
				       handles, pic->strides, pic->offsets, modifiers, &pic->fb,
				       DRM_MODE_FB_MODIFIERS) :
	    drmModeAddFB2(kms.drm, pic->width, pic->height, pic->fourcc, handles,
			  pic->strides, pic->offsets, &pic->fb, 0)) {
		pic->fb = 0;
		return false;
	}
	return true;
}

void picture_remove_fb(struct picture *pic)
{
	if (pic->fb)
		drmModeRmFB(kms.drm, pic->fb);
	pic->fb = 0;
}
