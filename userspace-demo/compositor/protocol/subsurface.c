// SPDX-License-Identifier: MIT
/*
 * wl_subcompositor: surfaces that are parts of a window. Each has a view of its own in the place
 * of the window, above the parts that were there before. What it commits is shown at once, also
 * in the mode that waits for the parent. It is hidden and comes back with its parent.
 */

#include <stdlib.h>
#include <wayland-server.h>

#include "../scene/scene.h"
#include "client.h"
#include "resource.h"
#include "subsurface.h"
#include "surface.h"

struct subsurface {
	struct wl_list link;
	struct surface *surface, *parent;	/* NULL: the client has destroyed it */
	struct wl_listener surface_gone, parent_queued, parent_gone;
	int32_t x, y;				/* in the parent */
};

static const struct surface_role subsurface_role;
static struct wl_list subs = { &subs, &subs };

/* NULL: the surface is not a part of another one. */
static struct subsurface *sub_of(const struct surface *surface)
{
	return surface && surface->role == &subsurface_role ? surface->role_data : NULL;
}

/* The scene knows parts of windows only: a part of a part has the sum of their places. */
static void move(const struct subsurface *sub)
{
	struct view *view = sub->surface->view;
	uint32_t x = 0, y = 0;

	for (; sub; sub = sub_of(sub->parent)) {
		x += sub->x;
		y += sub->y;
	}
	view_move(view, x, y);
}

/* And so the parts of a part are hidden one by one. */
static void hide(struct surface *surface)
{
	struct subsurface *sub;

	surface_unmap(surface, true);
	wl_list_for_each(sub, &subs, link)
		if (sub->parent == surface)
			hide(sub->surface);
}

/* While the parent is on the screen. False when it is not, or when there is no place for a part. */
static bool map(struct subsurface *sub)
{
	const struct surface *parent = sub->parent;

	if (!parent || !parent->view || !parent->picture ||
	    !surface_map(sub->surface, parent->view))
		return false;
	move(sub);
	return true;
}

static void parent_queued(struct wl_listener *listener, void *data)
{
	struct subsurface *sub = wl_container_of(listener, sub, parent_queued);

	(void)data;
	if (!sub->surface->view && sub->surface->picture && map(sub))
		surface_show(sub->surface);
}

static void parent_let_go(struct subsurface *sub)
{
	if (!sub->parent)
		return;
	wl_list_remove(&sub->parent_queued.link);
	wl_list_remove(&sub->parent_gone.link);
	sub->parent = NULL;
}

static void let_go(struct subsurface *sub)
{
	parent_let_go(sub);
	if (!sub->surface)
		return;
	hide(sub->surface);
	sub->surface->role = NULL;
	wl_list_remove(&sub->surface_gone.link);
	sub->surface = NULL;
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
	hide(sub->surface);
	parent_let_go(sub);
}

static void subsurface_destroyed(struct wl_resource *resource)
{
	struct subsurface *sub = wl_resource_get_user_data(resource);

	let_go(sub);
	wl_list_remove(&sub->link);
	free(sub);
}

static bool subsurface_commit(struct surface *surface, bool has_buffer)
{
	if (has_buffer && !surface->view)
		map(surface->role_data);
	return true;
}

static const struct surface_role subsurface_role = {
	.commit = subsurface_commit,
	.unmap = hide,
};

static void set_position(struct wl_client *client, struct wl_resource *resource, int32_t x,
			 int32_t y)
{
	struct subsurface *sub = wl_resource_get_user_data(resource);

	(void)client;
	sub->x = x;
	sub->y = y;
	/* It, and the parts of it. */
	wl_list_for_each(sub, &subs, link)
		if (sub->surface && sub->surface->view)
			move(sub);
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

/* Whether a surface is another one, or a part of it, or of its parts. */
static bool belongs_to(const struct surface *surface, const struct surface *other)
{
	const struct subsurface *sub;

	while (surface && surface != other) {
		sub = sub_of(surface);
		surface = sub ? sub->parent : NULL;
	}
	return surface;
}

static void get_subsurface(struct wl_client *client, struct wl_resource *manager, uint32_t id,
			   struct wl_resource *surface_resource,
			   struct wl_resource *parent_resource)
{
	struct surface *surface = surface_of(surface_resource);
	struct surface *parent = surface_of(parent_resource);
	struct wl_resource *resource;
	struct subsurface *sub;

	if (surface->role || belongs_to(parent, surface)) {
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
	wl_list_insert(&subs, &sub->link);
	sub->surface = surface;
	sub->parent = parent;
	sub->surface_gone.notify = surface_gone;
	sub->parent_queued.notify = parent_queued;
	sub->parent_gone.notify = parent_gone;
	wl_signal_add(&surface->events.gone, &sub->surface_gone);
	wl_signal_add(&parent->events.queued, &sub->parent_queued);
	wl_signal_add(&parent->events.gone, &sub->parent_gone);
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
