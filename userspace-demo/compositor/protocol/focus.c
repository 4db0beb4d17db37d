// SPDX-License-Identifier: MIT
/* Which surface gets the events of a device, and the objects of its client that get them. */

#include <wayland-server.h>

#include "../scene/scene.h"
#include "focus.h"
#include "resource.h"
#include "surface.h"

static void leave(struct focus *focus, struct wl_display *display)
{
	const uint32_t serial = wl_display_next_serial(display);
	struct wl_resource *object;

	focus_for_each(object, focus)
		focus->leave(object, serial);
	wl_list_remove(&focus->closed.link);
	focus->view = NULL;
	focus->surface = NULL;
}

static void closed(struct wl_listener *listener, void *data)
{
	struct focus *focus = wl_container_of(listener, focus, closed);

	(void)data;
	leave(focus, wl_client_get_display(wl_resource_get_client(focus->surface)));
}

void focus_move(struct focus *focus, struct wl_display *display, struct view *view)
{
	struct surface *surface = view ? surface_of_view(view) : NULL;
	struct wl_resource *object;
	uint32_t serial;

	if (focus->view == view)
		return;
	if (focus->view)
		leave(focus, display);
	if (!surface)
		return;
	focus->view = view;
	focus->surface = surface->resource;
	wl_signal_add(&view->events.closed, &focus->closed);
	serial = wl_display_next_serial(display);
	focus_for_each(object, focus)
		focus->enter(object, serial);
}

static void object_destroyed(struct wl_resource *object)
{
	wl_list_remove(wl_resource_get_link(object));
}

struct wl_resource *focus_add(struct focus *focus, struct wl_client *client,
			      const struct wl_interface *interface, int version, uint32_t id,
			      const void *requests)
{
	struct wl_resource *object = resource_create(client, interface, version, id, requests,
						     focus, object_destroyed);

	if (object)
		wl_list_insert(&focus->objects, wl_resource_get_link(object));
	return object;
}

void focus_init(struct focus *focus)
{
	wl_list_init(&focus->objects);
	focus->closed.notify = closed;
}
