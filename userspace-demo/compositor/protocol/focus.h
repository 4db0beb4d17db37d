/* SPDX-License-Identifier: MIT */
/* Which surface gets the events of a device, and the objects of its client that get them. */
#ifndef DEMO_FOCUS_H
#define DEMO_FOCUS_H

#include <wayland-server-core.h>

struct view;

struct focus {
	struct view *view;		/* NULL: no surface has it */
	struct wl_resource *surface;	/* of the view */
	struct wl_listener closed;	/* of the view, which then has it no more */
	struct wl_list objects;		/* wl_pointer or wl_keyboard, of all clients */
	/* Tell one object that the surface has it, or has it no more. */
	void (*enter)(struct wl_resource *object, uint32_t serial);
	void (*leave)(struct wl_resource *object, uint32_t serial);
};

/* With enter() and leave() set. */
void focus_init(struct focus *focus);
/* Give it to a view, which may be NULL or have it already. */
void focus_move(struct focus *focus, struct wl_display *display, struct view *view);
/* A client asks for a wl_pointer or a wl_keyboard. */
struct wl_resource *focus_add(struct focus *focus, struct wl_client *client,
			      const struct wl_interface *interface, int version, uint32_t id,
			      const void *requests);

/* The objects of the client that has it. */
#define focus_for_each(object, focus) \
	wl_resource_for_each(object, &(focus)->objects) \
		if ((focus)->view && wl_resource_get_client(object) == \
		    wl_resource_get_client((focus)->surface))

#endif
