// SPDX-License-Identifier: MIT
/* wl_buffers: of dma-bufs, which stay the client's memory, and of wl_shm, which are copied. */

#include <drm_fourcc.h>
#include <stdlib.h>
#include <string.h>
#include <wayland-server.h>

#include "../backend/picture.h"
#include "../renderer/renderer.h"
#include "../scene/scene.h"
#include "buffer.h"
#include "resource.h"

/* A frame that shows a buffer. */
struct use {
	struct buffer *buffer;
	struct wl_listener left;
};

static const struct wl_buffer_interface implementation = { .destroy = resource_destroy };
static struct wl_list buffers = { &buffers, &buffers };

void buffer_unref(struct buffer *buffer)
{
	if (--buffer->refs)
		return;
	renderer_unref(buffer->picture);
	wl_list_remove(&buffer->client_gone.link);
	wl_list_remove(&buffer->link);
	free(buffer);
}

static void client_gone(struct wl_listener *listener, void *data)
{
	struct buffer *buffer = wl_container_of(listener, buffer, client_gone);

	(void)data;
	wl_list_remove(&buffer->client_gone.link);
	wl_list_init(&buffer->client_gone.link);
	buffer->client = NULL;
}

unsigned int buffers_of(const struct wl_client *client)
{
	const struct buffer *buffer;
	unsigned int n = 0;

	wl_list_for_each(buffer, &buffers, link)
		n += buffer->client == client;
	return n;
}

static void resource_destroyed(struct wl_resource *resource)
{
	struct buffer *buffer = wl_resource_get_user_data(resource);

	buffer->resource = NULL;
	buffer_unref(buffer);
}

struct buffer *buffer_create(struct wl_client *client, uint32_t id, struct picture *pic)
{
	struct wl_resource *resource;
	struct buffer *buffer = resource_create_with(client, &wl_buffer_interface, 1, id,
						     &implementation, sizeof(*buffer),
						     resource_destroyed, &resource);

	if (!buffer) {
		renderer_unref(pic);
		return NULL;
	}
	buffer->resource = resource;
	buffer->client = client;
	buffer->client_gone.notify = client_gone;
	wl_client_add_destroy_listener(client, &buffer->client_gone);
	wl_list_insert(&buffers, &buffer->link);
	buffer->picture = pic;
	buffer->refs = 1;
	return buffer;
}

struct buffer *buffer_of(struct wl_resource *resource)
{
	if (!wl_resource_instance_of(resource, &wl_buffer_interface, &implementation))
		return NULL;
	return wl_resource_get_user_data(resource);
}

static void use_ended(struct wl_listener *listener, void *data)
{
	struct use *use = wl_container_of(listener, use, left);
	struct buffer *buffer = use->buffer;

	(void)data;
	wl_list_remove(&use->left.link);
	free(use);
	if (!--buffer->uses && buffer->resource)
		wl_buffer_send_release(buffer->resource);
	buffer_unref(buffer);
}

bool buffer_use(struct buffer *buffer, struct frame *frame)
{
	struct use *use = calloc(1, sizeof(*use));

	if (!use)
		return false;
	use->buffer = buffer;
	use->left.notify = use_ended;
	wl_signal_add(&frame->events.left, &use->left);
	buffer->uses++;
	buffer->refs++;
	return true;
}

bool buffer_has_rows(struct wl_resource *resource)
{
	struct wl_shm_buffer *shm = wl_shm_buffer_get(resource);

	/* libwayland wants one byte of a row for each pixel. */
	return !shm || wl_shm_buffer_get_stride(shm) / 4 >= wl_shm_buffer_get_width(shm);
}

/*
 * A wl_shm_buffer is as large as its client likes, and all windows wait for the copy: only what is
 * seen is copied.
 */
static void copy_size(struct picture *pic, struct wl_shm_buffer *shm)
{
	const uint32_t width = wl_shm_buffer_get_width(shm);
	const uint32_t height = wl_shm_buffer_get_height(shm);

	view_bounds(&pic->width, &pic->height);
	if (pic->width > width)
		pic->width = width;
	if (pic->height > height)
		pic->height = height;
	pic->strides[0] = 4 * pic->width;
}

struct picture *buffer_copy(struct wl_resource *resource)
{
	struct wl_shm_buffer *shm = wl_shm_buffer_get(resource);
	struct picture *pic = shm ? picture_new() : NULL;
	const char *data;
	size_t row, y;

	if (!pic)
		return NULL;
	pic->n_planes = 1;
	pic->fourcc = wl_shm_buffer_get_format(shm) == WL_SHM_FORMAT_ARGB8888 ?
		DRM_FORMAT_ARGB8888 : DRM_FORMAT_XRGB8888;
	copy_size(pic, shm);
	row = pic->strides[0];
	pic->pixels = malloc(row * pic->height);
	if (!pic->pixels) {
		renderer_unref(pic);
		return NULL;
	}
	/* libwayland survives a file that the client cuts off under it, and ends the client. */
	wl_shm_buffer_begin_access(shm);
	data = wl_shm_buffer_get_data(shm);
	for (y = 0; y < pic->height; y++)
		memcpy((char *)pic->pixels + y * row,
		       data + y * wl_shm_buffer_get_stride(shm), row);
	wl_shm_buffer_end_access(shm);
	return pic;
}
