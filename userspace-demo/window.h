/* SPDX-License-Identifier: MIT */
/*
 * A window on a Wayland compositor for a client that has dma-bufs: feedback tells which it should
 * make, each is shown by a commit, and comes back when it has left the screen.
 *
 * No function returns when the compositor drops the client or dies: the program ends, with
 * status 1 and a line that says why.
 */
#ifndef DEMO_WINDOW_H
#define DEMO_WINDOW_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wayland-client.h>

#define WINDOW_PLANES	4

struct window;

/* A dma-buf that the window can show. */
struct window_buffer {
	struct wl_buffer *wl;
	uint64_t inode;
	uint32_t number;	/* for people and for the proof */
	bool busy;		/* from its commit until it has left the screen */
	void (*free)(struct window_buffer *buffer);	/* called then; may be NULL */
};

/* How a picture lies in dma-bufs. */
struct window_layout {
	uint32_t width, height;
	uint32_t fourcc;		/* DRM_FORMAT_* */
	uint64_t modifier;		/* DRM_FORMAT_MOD_* */
	unsigned int n_planes;
	int fds[WINDOW_PLANES];
	uint32_t offsets[WINDOW_PLANES], strides[WINDOW_PLANES];
};

/*
 * Connect and open a window that wants that size. It is called name; device is where the
 * buffers come from, for people.
 */
struct window *window_open(const char *socket, const char *name, const char *device,
			   uint32_t width, uint32_t height);
/* The keyboards and pointers, for who listens to them: version 5 at most. NULL: there is no seat. */
struct wl_seat *window_seat(struct window *window);
/* The size that the window has: at most the one that it wants. */
uint32_t window_width(const struct window *window);
uint32_t window_height(const struct window *window);
/* The modifiers that the compositor takes for a format, the best first. Returns how many. */
unsigned int window_modifiers(const struct window *window, uint32_t fourcc, uint64_t *modifiers,
			      unsigned int max);
/* The device that shows buffers without composing, or composes them: its node. */
void window_device(const struct window *window, char *path, size_t size);

void window_buffer_create(struct window *window, struct window_buffer *buffer,
			  const struct window_layout *layout);
void window_buffer_destroy(struct window_buffer *buffer);

/* Whether the compositor has not taken the frame before: a commit now might replace it. */
bool window_waits(const struct window *window);
/* Show the buffer, once the compositor has taken the frame before. Numbered from 0 on. */
void window_show(struct window *window, struct window_buffer *buffer, uint32_t sequence);
/* The checksum() of what was drawn for that frame, for a compositor that compares. */
void window_drawn(struct window *window, uint32_t sequence, uint64_t checksum);
/* Wait until the buffer is free to be written. */
void window_wait_free(struct window *window, struct window_buffer *buffer);
/* Wait until a descriptor is ready or something has come from the compositor. */
void window_poll(struct window *window, struct pollfd *fds, unsigned int n);
/* When the compositor has taken the last frame: close the window and the connection. */
void window_close(struct window *window);

#endif
