// SPDX-License-Identifier: MIT
/* What clients send, imported into the display: dma-bufs, and framebuffers made of them. */

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "kms.h"
#include "picture.h"

static struct dmabuf *dmabufs;

/* The kernel's own word on who exported a dma-buf. */
static void exporter_name(int fd, char *name, size_t size)
{
	char path[64], line[128];
	FILE *file;

	snprintf(name, size, "?");
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "exp_name:", 9))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(name, size, "%s", line + 9 + strspn(line + 9, "\t "));
		/* What follows has text of the client's in it. */
		break;
	}
	if (file)
		fclose(file);
}

struct dmabuf *dmabuf_import(int *fd, bool *fresh)
{
	const uint64_t inode = dma_buf_inode(*fd);
	struct dmabuf *buf;

	*fresh = false;
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
	*fresh = true;
	return buf;
}

void dmabuf_unref(struct dmabuf *buf)
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

/* Ask the kernel what memory is behind a framebuffer: is it what the client passed? */
static bool framebuffer_is(const struct picture *pic)
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

bool framebuffer_create(struct picture *pic)
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
	pic->copied = !framebuffer_is(pic);
	return true;
}

void framebuffer_destroy(struct picture *pic)
{
	if (pic->fb)
		drmModeRmFB(kms.drm, pic->fb);
	pic->fb = 0;
}
