/* SPDX-License-Identifier: MIT */
/* What clients send, imported into the display: dma-bufs, and framebuffers made of them. */
#ifndef DEMO_PICTURE_H
#define DEMO_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include <wayland-server-core.h>

#include "../../common.h"

#define MAX_TEXTURES	2
#define MAX_REFUSAL	256

/* A dma-buf, imported into the display. Two clients that send the same one share it. */
struct dmabuf {
	struct dmabuf *next;
	unsigned int users;
	uint64_t inode;
	int fd;			/* kept for the fences on it, and for EGL */
	uint32_t handle;	/* of the display, 0 when it refuses the buffer */
	char exporter[32];	/* the kernel's word for who made it */
};

/* How pixels lie in one or more dma-bufs, or in a copy, and what was made of that. */
struct picture {
	unsigned int users;	/* frames, and the client's wl_buffer */
	struct wl_signal destroyed;
	uint32_t width, height, fourcc;
	uint32_t n_planes;
	uint64_t modifier;
	uint32_t offsets[MAX_PLANES], strides[MAX_PLANES];
	struct dmabuf *dmabufs[MAX_PLANES];
	void *pixels;		/* a copy of what a wl_shm_buffer held, instead of dma-bufs */
	unsigned int imports;	/* dma-bufs that the display had not seen before */
	char refusal[MAX_REFUSAL];	/* the kernel's reason for the last one; empty: none */

	uint32_t fb;		/* the display's framebuffer, 0 when no plane takes it */
	uint32_t textures[MAX_TEXTURES];	/* GL's, 0 until it is composed */
	void *images[MAX_TEXTURES];	/* EGL's, of which the textures are made */
	bool to_copy;		/* the renderer cannot sample the dma-bufs where they are */
	uint64_t copied;	/* the serial of the frame that is in the textures then */
	bool proven;		/* has been on a plane: the display can really read it */
};

/*
 * Import the dma-bufs of a picture whose layout is filled in. Takes fds and makes those -1 that
 * it keeps. False, and errno, when a dma-buf cannot be imported: then picture_free() is due.
 */
bool picture_import(struct picture *pic, int fds[MAX_PLANES]);
/* Somebody could not import the dma-buf of a plane: tell why, if the kernel says it. */
void picture_refused(struct picture *pic, unsigned int plane, const char *by);
/* Make pic->fb; false when no plane of the display takes such a picture. */
bool picture_add_fb(struct picture *pic);
void picture_remove_fb(struct picture *pic);
/* A picture, zeroed, with one user. NULL: out of memory. */
struct picture *picture_new(void);
/* Without textures: renderer_unref() frees those first. */
void picture_free(struct picture *pic);

#endif
