/* SPDX-License-Identifier: MIT */
/* What clients send, imported into the display: dma-bufs, and framebuffers made of them. */
#ifndef DEMO_PICTURE_H
#define DEMO_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "common.h"

/* A dma-buf, imported into the display. Two clients that send the same one share it. */
struct dmabuf {
	struct dmabuf *next;
	unsigned int users;
	uint64_t inode;
	int fd;			/* kept for the fences on it, and for EGL */
	uint32_t handle;	/* of the display, 0 when it refuses the buffer */
	char exporter[32];	/* the kernel's word for who made it */
};

/* How pixels lie in one or more dma-bufs, and what was made of that. */
struct picture {
	uint32_t width, height, fourcc;
	uint32_t n_planes;	/* 0: an empty slot */
	uint64_t modifier;
	uint32_t offsets[MAX_PLANES], strides[MAX_PLANES];
	struct dmabuf *dmabufs[MAX_PLANES];

	uint32_t fb;		/* the display's framebuffer, 0 when no plane takes it */
	uint32_t textures[2];	/* GL's, 0 until it is composed */
	void *images[2];	/* EGL's, of which the textures are made */
	bool busy;		/* from FRAME to RELEASE */
	bool proven;		/* has been on a plane: the display can really read it */
	bool copied;		/* framebuffer or image is other memory than the client's */
};

/* One use more of the dma-buf; takes *fd and makes it -1 when it is new. NULL and errno. */
struct dmabuf *dmabuf_import(int *fd, bool *fresh);
void dmabuf_unref(struct dmabuf *buf);
/* Make pic->fb; false when no plane of the display takes such a picture. */
bool framebuffer_create(struct picture *pic);
void framebuffer_destroy(struct picture *pic);

#endif
