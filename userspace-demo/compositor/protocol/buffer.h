/* SPDX-License-Identifier: MIT */
/* wl_buffers: of dma-bufs, which stay the client's memory, and of wl_shm, which are copied. */
#ifndef DEMO_BUFFER_H
#define DEMO_BUFFER_H

#include <stdbool.h>
#include <wayland-server-core.h>

struct picture;

/* A wl_buffer of dma-bufs. */
struct buffer {
	struct wl_list link;
	struct wl_resource *resource;	/* NULL: the client has destroyed it */
	struct wl_client *client;	/* NULL: it is gone */
	struct wl_listener client_gone;
	struct picture *picture;
	unsigned int refs;
	unsigned int uses;		/* frames that have not left yet */
};

/* Takes over the picture. NULL, and the client is told, when out of memory. */
struct buffer *buffer_create(struct wl_client *client, uint32_t id, struct picture *pic);
/* NULL for a wl_buffer of another kind. */
struct buffer *buffer_of(struct wl_resource *resource);
void buffer_unref(struct buffer *buffer);
/* How many a client has, also of those that it has destroyed while a surface or a frame shows them. */
unsigned int buffers_of(const struct wl_client *client);
/* Release the buffer when that frame has left. False when out of memory. */
struct frame;
bool buffer_use(struct buffer *buffer, struct frame *frame);
/* False for a wl_shm_buffer whose rows have no room for their pixels. */
bool buffer_has_rows(struct wl_resource *resource);
/* What is to be seen of a wl_shm_buffer, as it is now. NULL when that cannot be. */
struct picture *buffer_copy(struct wl_resource *resource);

#endif
