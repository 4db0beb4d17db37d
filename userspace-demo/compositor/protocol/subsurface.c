// SPDX-License-Identifier: MIT
/*
 * wl_subcompositor: surfaces that are parts of a window. Each has a view of its own in the place
 * of the window, above the parts that were there before. What it commits is shown at once, also
 * in the mode that waits for the parent.
 */

#include <stdlib.h>
#include <wayland-server.h>

#include "../scene/scene.h"
#include "client.h"
#include "resource.h"
#include "subsurface.h"
#include "surface.h"

struct subsurface {
	struct surface *surface, *parent;	/* NULL: the client has destroyed it */
	struct wl_listener surface_gone, parent_gone;
	int32_t x, y;
};

static void let_go(struct subsurface *sub)
{
	if (sub->surface) {
		surface_unmap(sub->surface, true);
		sub->surface->role = NULL;
		wl_list_remove(&sub->surface_gone.link);
	}
	if (sub->parent)
		wl_list_remove(&sub->parent_gone.link);
	sub->surface = NULL;
	sub->parent = NULL;
}

static void surface_gone(struct wl_listener *listener, void *data)
{
	struct subsurface *sub = wl_container_of(listener, sub, surface_gone);

	(void)data;
	let_go(sub);
}

static void parent_gone(struct wl_listener *listener, void *data)
{
	struct subsurface *sub = wl_container_of(listener, sub, parent_gone);

	(void)data;
	surface_unmap(sub->surface, true);
	wl_list_remove(&sub->parent_gone.link);
	sub->parent = NULL;
}

static void subsurface_destroyed(struct wl_resource *resource)
{
	struct subsurface *sub = wl_resource_get_user_data(resource);

	let_go(sub);
	free(sub);
}

/* It is on the screen with its window. */
static bool subsurface_commit(struct surface *surface, bool has_buffer)
{
	struct subsurface *sub = surface->role_data;

	if (!has_buffer || surface->view || !sub->parent || !sub->parent->view)
		return true;
	if (surface_map(surface, sub->parent->view))
		view_move(surface->view, sub->x, sub->y);
	return true;
}

static void subsurface_unmap(struct surface *surface)
{
	surface_unmap(surface, true);
}

static const struct surface_role subsurface_role = {
	.commit = subsurface_commit,
	.unmap = subsurface_unmap,
};

static void set_position(struct wl_client *client, struct wl_resource *resource, int32_t x,
			 int32_t y)
{
	struct subsurface *sub = wl_resource_get_user_data(resource);

	(void)client;
	sub->x = x;
	sub->y = y;
	if (sub->surface && sub->surface->view)
		view_move(sub->surface->view, x, y);
}

static void ignore_order(struct wl_client *client, struct wl_resource *resource,
			 struct wl_resource *sibling)
{
	(void)client;
	(void)resource;
	(void)sibling;
}

static void ignore_mode(struct wl_client *client, struct wl_resource *resource)
{
	(void)client;
	(void)resource;
}

static const struct wl_subsurface_interface subsurface_implementation = {
	.destroy = resource_destroy,
	.set_position = set_position,
	.place_above = ignore_order,
	.place_below = ignore_order,
	.set_sync = ignore_mode,
	.set_desync = ignore_mode,
};

static void get_subsurface(struct wl_client *client, struct wl_resource *manager, uint32_t id,
			   struct wl_resource *surface_resource,
			   struct wl_resource *parent_resource)
{
	struct surface *surface = surface_of(surface_resource);
	struct wl_resource *resource;
	struct subsurface *sub;

	if (surface->role || surface_resource == parent_resource) {
		wl_resource_post_error(manager, WL_SUBCOMPOSITOR_ERROR_BAD_SURFACE,
				       surface->role ? "the surface has a role already" :
				       "a surface that is a part of itself");
		return;
	}
	sub = resource_create_with(client, &wl_subsurface_interface,
				   wl_resource_get_version(manager), id,
				   &subsurface_implementation, sizeof(*sub),
				   subsurface_destroyed, &resource);
	if (!sub)
		return;
	sub->surface = surface;
	sub->parent = surface_of(parent_resource);
	sub->surface_gone.notify = surface_gone;
	sub->parent_gone.notify = parent_gone;
	wl_signal_add(&surface->events.gone, &sub->surface_gone);
	wl_signal_add(&sub->parent->events.gone, &sub->parent_gone);
	surface->role = &subsurface_role;
	surface->role_data = sub;
}

static const struct wl_subcompositor_interface implementation = {
	.destroy = resource_destroy,
	.get_subsurface = get_subsurface,
};

static void bind(struct wl_client *client, void *data, uint32_t version, uint32_t id)
{
	resource_create(client, &wl_subcompositor_interface, version, id, &implementation, data,
			NULL);
}

void subsurface_open(struct wl_display *display)
{
	wl_global_create(display, &wl_subcompositor_interface, 1, NULL, bind);
}
