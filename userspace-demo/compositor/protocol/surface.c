// SPDX-License-Identifier: MIT
/*
 * wl_compositor: surfaces and their contents. A commit makes a frame, which the scene shows in
 * its turn. Damage, regions, scale and transform are taken and change nothing: frames are shown
 * whole, pixel for pixel.
 */

#include <errno.h>
#include <linux/sync_file.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wayland-server.h>

#include "../backend/picture.h"
#include "../renderer/renderer.h"
#include "../scene/scene.h"
#include "buffer.h"
#include "client.h"
#include "resource.h"
#include "surface.h"

#define VERSION	5
#define MAX_SURFACES	64	/* that a client may have at a time; each keeps its content */

/* A wl_callback for the next frame. */
struct callback {
	struct wl_resource *resource;
	struct wl_listener taken, left;
};

static void callback_destroyed(struct wl_resource *resource)
{
	struct callback *callback = wl_resource_get_user_data(resource);

	wl_list_remove(&callback->taken.link);
	wl_list_remove(&callback->left.link);
	free(callback);
}

/* The client draws the next frame while the display is busy with this one. */
static void callback_taken(struct wl_listener *listener, void *data)
{
	struct callback *callback = wl_container_of(listener, callback, taken);
	const struct frame *frame = data;

	wl_callback_send_done(callback->resource, frame->committed / 1000000);
	wl_resource_destroy(callback->resource);
}

static void callback_left(struct wl_listener *listener, void *data)
{
	struct callback *callback = wl_container_of(listener, callback, left);

	(void)data;
	wl_resource_destroy(callback->resource);
}

static void frame_request(struct wl_client *client, struct wl_resource *surface, uint32_t id)
{
	struct frame *frame = surface_of(surface)->pending;
	struct wl_resource *resource;
	struct callback *callback = resource_create_with(client, &wl_callback_interface, 1, id,
							 NULL, sizeof(*callback),
							 callback_destroyed, &resource);

	if (!callback)
		return;
	callback->resource = resource;
	callback->taken.notify = callback_taken;
	callback->left.notify = callback_left;
	wl_signal_add(&frame->events.taken, &callback->taken);
	wl_signal_add(&frame->events.left, &callback->left);
}

static void attach(struct surface *surface, struct wl_resource *buffer)
{
	if (surface->attached)
		wl_list_remove(&surface->attached_gone.link);
	surface->attached = buffer;
	if (buffer)
		wl_resource_add_destroy_listener(buffer, &surface->attached_gone);
}

static void attached_gone(struct wl_listener *listener, void *data)
{
	struct surface *surface = wl_container_of(listener, surface, attached_gone);

	(void)data;
	attach(surface, NULL);
}

static void attach_request(struct wl_client *client, struct wl_resource *resource,
			   struct wl_resource *buffer, int32_t x, int32_t y)
{
	struct surface *surface = surface_of(resource);

	if ((x || y) && wl_resource_get_version(resource) >= WL_SURFACE_OFFSET_SINCE_VERSION) {
		wl_resource_post_error(resource, WL_SURFACE_ERROR_INVALID_OFFSET,
				       "attach with an offset");
		return;
	}
	if (buffer && !buffer_has_rows(buffer)) {
		client_drop(client, "wrong stride: rows of wl_shm that are shorter than their pixels");
		return;
	}
	attach(surface, buffer);
	surface->has_attached = true;
}

/* Of two sync_files one that waits for both. Closes a and b, which may be -1. */
static int fence_merge(int a, int b)
{
	struct sync_merge_data arg = { .name = "frame", .fd2 = b, .fence = -1 };

	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	if (retry_ioctl(a, SYNC_IOC_MERGE, &arg))
		arg.fence = -1;
	close(a);
	close(b);
	return arg.fence;
}

/* A sync_file of who writes the picture now, -1 for a copy. False: errno tells. */
static bool picture_fence(const struct picture *pic, int *fence)
{
	unsigned int i;
	int writers;

	*fence = -1;
	for (i = 0; i < pic->n_planes && !pic->pixels; i++) {
		if (i && pic->dmabufs[i] == pic->dmabufs[0])
			continue;
		writers = dma_buf_writers(pic->dmabufs[i]->fd);
		if (writers >= 0)
			*fence = fence_merge(*fence, writers);
		else if (*fence >= 0)
			close(*fence);
		if (writers < 0 || *fence < 0)
			return false;
	}
	return true;
}

static void forget_picture(struct surface *surface)
{
	if (surface->picture)
		renderer_unref(surface->picture);
	if (surface->buffer)
		buffer_unref(surface->buffer);
	surface->picture = NULL;
	surface->buffer = NULL;
}

/* What was attached is the surface's content. False when there is no memory for a copy. */
static bool take_attached(struct surface *surface)
{
	struct wl_resource *resource = surface->attached;
	struct buffer *buffer = buffer_of(resource);
	struct picture *pic = buffer ? buffer->picture : buffer_copy(resource);

	if (!pic)
		return false;
	if (buffer) {
		pic->users++;
		buffer->refs++;
	} else {
		wl_buffer_send_release(resource);
	}
	forget_picture(surface);
	surface->picture = pic;
	surface->buffer = buffer;
	surface->fresh = true;
	attach(surface, NULL);
	return true;
}

/*
 * Have the scene show the content. A commit without a new buffer shows the old one again, which
 * the client may have back already.
 */
static void queue(struct surface *surface)
{
	struct wl_client *client = wl_resource_get_client(surface->resource);
	struct buffer *buffer = surface->buffer;
	struct frame *frame = surface->pending;
	int fence;

	if (surface->view->queued == MAX_QUEUED) {
		client_drop(client, "more than %d frames wait to be shown", MAX_QUEUED);
		return;
	}
	if (!picture_fence(surface->picture, &fence)) {
		client_drop(client, "cannot get the fences of its buffer: %s", strerror(errno));
		return;
	}
	surface->pending = frame_create();
	if (!surface->pending ||
	    (buffer && (surface->fresh || buffer->uses) && !buffer_use(buffer, frame))) {
		/* Without a frame to come nothing can be asked for: it ends here. */
		if (surface->pending)
			frame_destroy(surface->pending);
		surface->pending = frame;
		client_drop(client, "out of memory");
		if (fence >= 0)
			close(fence);
		return;
	}
	surface->fresh = false;
	surface->picture->users++;
	frame->picture = surface->picture;
	view_queue(surface->view, frame, fence);
}

void surface_show(struct surface *surface)
{
	if (!surface->view || !surface->picture)
		return;
	queue(surface);
	wl_signal_emit_mutable(&surface->events.queued, surface);
}

static void commit_request(struct wl_client *client, struct wl_resource *resource)
{
	struct surface *surface = surface_of(resource);
	const bool attached = surface->has_attached;

	if (surface->role && !surface->role->commit(surface, surface->attached))
		return;
	surface->has_attached = false;
	if (attached && !surface->attached) {
		forget_picture(surface);
		if (surface->role)
			surface->role->unmap(surface);
	} else if (surface->attached && !take_attached(surface)) {
		wl_client_post_no_memory(client);
		return;
	}
	surface_show(surface);
}

static void damage_request(struct wl_client *client, struct wl_resource *resource, int32_t x,
			   int32_t y, int32_t width, int32_t height)
{
	(void)client;
	(void)resource;
	(void)x;
	(void)y;
	(void)width;
	(void)height;
}

static void region_request(struct wl_client *client, struct wl_resource *resource,
			   struct wl_resource *region)
{
	(void)client;
	(void)resource;
	(void)region;
}

static void transform_request(struct wl_client *client, struct wl_resource *resource, int32_t value)
{
	(void)client;
	if (value < WL_OUTPUT_TRANSFORM_NORMAL || value > WL_OUTPUT_TRANSFORM_FLIPPED_270)
		wl_resource_post_error(resource, WL_SURFACE_ERROR_INVALID_TRANSFORM,
				       "transform %d", value);
}

static void scale_request(struct wl_client *client, struct wl_resource *resource, int32_t value)
{
	(void)client;
	if (value < 1)
		wl_resource_post_error(resource, WL_SURFACE_ERROR_INVALID_SCALE, "scale %d", value);
}

static void offset_request(struct wl_client *client, struct wl_resource *resource, int32_t x,
			   int32_t y)
{
	(void)client;
	(void)resource;
	(void)x;
	(void)y;
}

/* The surface and the client of a view: the client is told of faults beside its requests. */
struct view_client {
	struct surface *surface;	/* NULL: the view leaves */
	struct wl_client *client;
	struct wl_listener closed, gone;
};

/* Maybe because the window goes that this is a part of. */
static void view_closed(struct wl_listener *listener, void *data)
{
	struct view_client *owner = wl_container_of(listener, owner, closed);

	(void)data;
	owner->surface->view = NULL;
	owner->surface = NULL;
}

static void view_gone(struct wl_listener *listener, void *data)
{
	struct view_client *owner = wl_container_of(listener, owner, gone);

	(void)data;
	wl_list_remove(&owner->closed.link);
	wl_list_remove(&owner->gone.link);
	free(owner);
}

static void view_fault(struct view *view, const char *reason)
{
	struct wl_listener *listener = wl_signal_get(&view->events.gone, view_gone);
	struct view_client *owner = wl_container_of(listener, owner, gone);

	client_drop(owner->client, "%s", reason);
}

struct surface *surface_of_view(struct view *view)
{
	struct wl_listener *listener = wl_signal_get(&view->events.gone, view_gone);
	struct view_client *owner = wl_container_of(listener, owner, gone);

	return listener ? owner->surface : NULL;
}

bool surface_map(struct surface *surface, struct view *parent)
{
	struct wl_client *client = wl_resource_get_client(surface->resource);
	struct view_client *owner = calloc(1, sizeof(*owner));
	pid_t pid;

	wl_client_get_credentials(client, &pid, NULL, NULL);
	if (owner)
		surface->view = view_create(pid, parent);
	if (!surface->view) {
		free(owner);
		if (!parent)
			client_drop(client, "no room on the screen");
		return false;
	}
	owner->client = client;
	owner->surface = surface;
	owner->closed.notify = view_closed;
	wl_signal_add(&surface->view->events.closed, &owner->closed);
	owner->gone.notify = view_gone;
	wl_signal_add(&surface->view->events.gone, &owner->gone);
	surface->view->fault = view_fault;
	return true;
}

void surface_unmap(struct surface *surface, bool kept)
{
	if (surface->view)
		view_destroy(surface->view, kept);
}

static const struct wl_surface_interface surface_implementation = {
	.destroy = resource_destroy,
	.attach = attach_request,
	.damage = damage_request,
	.frame = frame_request,
	.set_opaque_region = region_request,
	.set_input_region = region_request,
	.commit = commit_request,
	.set_buffer_transform = transform_request,
	.set_buffer_scale = scale_request,
	.damage_buffer = damage_request,
	.offset = offset_request,
};

struct surface *surface_of(struct wl_resource *resource)
{
	return wl_resource_get_user_data(resource);
}

static void surface_destroyed(struct wl_resource *resource)
{
	struct surface *surface = surface_of(resource);

	wl_signal_emit_mutable(&surface->events.gone, surface);
	attach(surface, NULL);
	forget_picture(surface);
	frame_destroy(surface->pending);
	free(surface);
}

static enum wl_iterator_result count_surface(struct wl_resource *resource, void *data)
{
	if (wl_resource_instance_of(resource, &wl_surface_interface, &surface_implementation))
		++*(unsigned int *)data;
	return WL_ITERATOR_CONTINUE;
}

static void create_surface(struct wl_client *client, struct wl_resource *manager, uint32_t id)
{
	struct wl_resource *resource;
	struct surface *surface;
	struct frame *pending;
	unsigned int n = 0;

	wl_client_for_each_resource(client, count_surface, &n);
	if (n == MAX_SURFACES) {
		client_drop(client, "too many surfaces: more than %d", MAX_SURFACES);
		return;
	}
	pending = frame_create();
	if (!pending) {
		wl_client_post_no_memory(client);
		return;
	}
	surface = resource_create_with(client, &wl_surface_interface,
				       wl_resource_get_version(manager), id,
				       &surface_implementation, sizeof(*surface),
				       surface_destroyed, &resource);
	if (!surface) {
		frame_destroy(pending);
		return;
	}
	surface->resource = resource;
	surface->pending = pending;
	surface->attached_gone.notify = attached_gone;
	wl_signal_init(&surface->events.queued);
	wl_signal_init(&surface->events.gone);
}

static const struct wl_region_interface region_implementation = {
	.destroy = resource_destroy,
	.add = damage_request,
	.subtract = damage_request,
};

static void create_region(struct wl_client *client, struct wl_resource *manager, uint32_t id)
{
	resource_create(client, &wl_region_interface, wl_resource_get_version(manager), id,
			&region_implementation, NULL, NULL);
}

static const struct wl_compositor_interface compositor_implementation = {
	.create_surface = create_surface,
	.create_region = create_region,
};

static void bind(struct wl_client *client, void *data, uint32_t version, uint32_t id)
{
	resource_create(client, &wl_compositor_interface, version, id, &compositor_implementation,
			data, NULL);
}

void surfaces_open(struct wl_display *display)
{
	wl_global_create(display, &wl_compositor_interface, VERSION, NULL, bind);
}
