// SPDX-License-Identifier: MIT
/*
 * wl_pointer: the surface under the pointer gets what it does. While a button is down, that is the
 * surface where it was pressed. A click also gives the keyboard to the window. The pointer's picture
 * is always the compositor's arrow.
 */

#include <wayland-server.h>

#include "../backend/input.h"
#include "../scene/scene.h"
#include "focus.h"
#include "keyboard.h"
#include "pointer.h"
#include "resource.h"

static struct wl_display *display;
static unsigned int buttons;	/* that are down */
static struct focus focus;

static wl_fixed_t local_x(void)
{
	return wl_fixed_from_double(input.x - focus.view->where.x);
}

static wl_fixed_t local_y(void)
{
	return wl_fixed_from_double(input.y - focus.view->where.y);
}

/* What came before it belongs together. */
static void send_frame(struct wl_resource *pointer)
{
	if (wl_resource_get_version(pointer) >= WL_POINTER_FRAME_SINCE_VERSION)
		wl_pointer_send_frame(pointer);
}

static void send_enter(struct wl_resource *pointer, uint32_t serial)
{
	wl_pointer_send_enter(pointer, serial, focus.surface, local_x(), local_y());
	send_frame(pointer);
}

static void send_leave(struct wl_resource *pointer, uint32_t serial)
{
	wl_pointer_send_leave(pointer, serial, focus.surface);
	send_frame(pointer);
}

static struct focus focus = { .enter = send_enter, .leave = send_leave };

static bool covers(const struct view *view)
{
	const struct rect *where = &view->where;

	return view->current && !view->leaving && input.x >= where->x && input.y >= where->y &&
		input.x < where->x + where->width && input.y < where->y + where->height;
}

/* The highest of the views there. */
static struct view *view_under(void)
{
	struct view *view, *highest = NULL;

	wl_list_for_each(view, &scene.views, link)
		if (covers(view) && (!highest || view->part > highest->part))
			highest = view;
	return highest;
}

static void refocus(void)
{
	if (!input.pointers)
		buttons = 0;
	/* When the window of the button has gone, no other one gets its release. */
	if (!buttons)
		focus_move(&focus, display, input.pointers ? view_under() : NULL);
}

static void on_change(struct wl_listener *listener, void *data)
{
	(void)listener;
	(void)data;
	refocus();
}

static void on_moved(struct wl_listener *listener, void *data)
{
	struct view *before = focus.view;
	const uint32_t *time = data;
	struct wl_resource *pointer;

	(void)listener;
	refocus();
	/* It was told by the enter event. */
	if (focus.view != before)
		return;
	focus_for_each(pointer, &focus) {
		wl_pointer_send_motion(pointer, *time, local_x(), local_y());
		send_frame(pointer);
	}
}

static void on_button(struct wl_listener *listener, void *data)
{
	const uint32_t serial = wl_display_next_serial(display);
	const struct input_press *press = data;
	struct wl_resource *pointer;

	(void)listener;
	if (press->pressed && !buttons && focus.view)
		keyboard_focus(focus.view);
	focus_for_each(pointer, &focus) {
		wl_pointer_send_button(pointer, serial, press->time, press->code,
				       press->pressed ? WL_POINTER_BUTTON_STATE_PRESSED :
				       WL_POINTER_BUTTON_STATE_RELEASED);
		send_frame(pointer);
	}
	if (press->pressed)
		buttons++;
	else if (buttons)
		buttons--;
	refocus();
}

static void send_scroll(struct wl_resource *pointer, const struct input_scroll *scroll)
{
	const uint32_t axis = scroll->horizontal ? WL_POINTER_AXIS_HORIZONTAL_SCROLL :
		WL_POINTER_AXIS_VERTICAL_SCROLL;
	const int version = wl_resource_get_version(pointer);

	if (version >= WL_POINTER_AXIS_SOURCE_SINCE_VERSION)
		wl_pointer_send_axis_source(pointer, scroll->source);
	if (version >= WL_POINTER_AXIS_DISCRETE_SINCE_VERSION && scroll->clicks)
		wl_pointer_send_axis_discrete(pointer, axis, scroll->clicks);
	if (scroll->distance)
		wl_pointer_send_axis(pointer, scroll->time, axis,
				     wl_fixed_from_double(scroll->distance));
	else if (version >= WL_POINTER_AXIS_STOP_SINCE_VERSION)
		wl_pointer_send_axis_stop(pointer, scroll->time, axis);
	send_frame(pointer);
}

static void on_scroll(struct wl_listener *listener, void *data)
{
	struct wl_resource *pointer;

	(void)listener;
	focus_for_each(pointer, &focus)
		send_scroll(pointer, data);
}

static void set_cursor(struct wl_client *client, struct wl_resource *resource, uint32_t serial,
		       struct wl_resource *surface, int32_t x, int32_t y)
{
	(void)client;
	(void)resource;
	(void)serial;
	(void)surface;
	(void)x;
	(void)y;
}

static const struct wl_pointer_interface implementation = {
	.set_cursor = set_cursor,
	.release = resource_destroy,
};

void pointer_create(struct wl_client *client, int version, uint32_t id)
{
	struct wl_resource *pointer = focus_add(&focus, client, &wl_pointer_interface, version, id,
						&implementation);

	if (pointer && focus.view && wl_resource_get_client(focus.surface) == client)
		send_enter(pointer, wl_display_next_serial(display));
}

void pointer_open(struct wl_display *of)
{
	static struct wl_listener moved = { .notify = on_moved }, button = { .notify = on_button };
	static struct wl_listener scroll = { .notify = on_scroll };
	static struct wl_listener flipped = { .notify = on_change };
	static struct wl_listener devices = { .notify = on_change };

	display = of;
	focus_init(&focus);
	wl_signal_add(&input.events.moved, &moved);
	wl_signal_add(&input.events.button, &button);
	wl_signal_add(&input.events.scroll, &scroll);
	wl_signal_add(&input.events.devices, &devices);
	wl_signal_add(&scene.events.flipped, &flipped);
}
