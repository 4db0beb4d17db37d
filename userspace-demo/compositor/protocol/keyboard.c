// SPDX-License-Identifier: MIT
/*
 * wl_keyboard: keys go to the window that was clicked last. Before the first click, and when that
 * window has gone, they go to the oldest one.
 */

#include <string.h>
#include <wayland-server.h>

#include "../backend/input.h"
#include "../scene/scene.h"
#include "focus.h"
#include "keyboard.h"
#include "resource.h"

#define REPEAT_RATE	25	/* a second; clients do it themselves */
#define REPEAT_DELAY_MS	600

static struct wl_display *display;

static void send_mods(struct wl_resource *keyboard, uint32_t serial)
{
	wl_keyboard_send_modifiers(keyboard, serial, input.mods.depressed, input.mods.latched,
				   input.mods.locked, input.mods.group);
}

static struct focus focus;

static void send_enter(struct wl_resource *keyboard, uint32_t serial)
{
	const size_t size = input.n_pressed * sizeof(input.pressed[0]);
	struct wl_array keys;
	void *list;

	wl_array_init(&keys);
	list = size ? wl_array_add(&keys, size) : NULL;
	if (list)
		memcpy(list, input.pressed, size);
	wl_keyboard_send_enter(keyboard, serial, focus.surface, &keys);
	wl_array_release(&keys);
	send_mods(keyboard, serial);
}

static void send_leave(struct wl_resource *keyboard, uint32_t serial)
{
	wl_keyboard_send_leave(keyboard, serial, focus.surface);
}

static struct focus focus = { .enter = send_enter, .leave = send_leave };

void keyboard_focus(struct view *view)
{
	while (view && view->parent)
		view = view->parent;
	focus_move(&focus, display, input.keyboards ? view : NULL);
}

static void on_key(struct wl_listener *listener, void *data)
{
	const uint32_t serial = wl_display_next_serial(display);
	const struct input_press *press = data;
	struct wl_resource *keyboard;

	(void)listener;
	focus_for_each(keyboard, &focus)
		wl_keyboard_send_key(keyboard, serial, press->time, press->code,
				     press->pressed ? WL_KEYBOARD_KEY_STATE_PRESSED :
				     WL_KEYBOARD_KEY_STATE_RELEASED);
}

static void on_mods(struct wl_listener *listener, void *data)
{
	const uint32_t serial = wl_display_next_serial(display);
	struct wl_resource *keyboard;

	(void)listener;
	(void)data;
	focus_for_each(keyboard, &focus)
		send_mods(keyboard, serial);
}

/* Windows and keyboards come and go. */
static void on_change(struct wl_listener *listener, void *data)
{
	struct view *view;

	(void)listener;
	(void)data;
	if (!input.keyboards)
		keyboard_focus(NULL);
	wl_list_for_each(view, &scene.views, link)
		if (!focus.view && view->current && !view->leaving && !view->parent)
			keyboard_focus(view);
}

static const struct wl_keyboard_interface implementation = { .release = resource_destroy };

void keyboard_create(struct wl_client *client, int version, uint32_t id)
{
	struct wl_resource *keyboard = focus_add(&focus, client, &wl_keyboard_interface, version,
						 id, &implementation);

	/* Only for safety: without a keymap no keyboard is counted, and none can be asked for. */
	if (!keyboard || input.keymap < 0)
		return;
	wl_keyboard_send_keymap(keyboard, WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1, input.keymap,
				input.keymap_size);
	if (version >= WL_KEYBOARD_REPEAT_INFO_SINCE_VERSION)
		wl_keyboard_send_repeat_info(keyboard, REPEAT_RATE, REPEAT_DELAY_MS);
	if (focus.view && wl_resource_get_client(focus.surface) == client)
		send_enter(keyboard, wl_display_next_serial(display));
}

void keyboard_open(struct wl_display *of)
{
	static struct wl_listener key = { .notify = on_key }, mods = { .notify = on_mods };
	static struct wl_listener flipped = { .notify = on_change };
	static struct wl_listener devices = { .notify = on_change };

	display = of;
	focus_init(&focus);
	wl_signal_add(&input.events.key, &key);
	wl_signal_add(&input.events.mods, &mods);
	wl_signal_add(&input.events.devices, &devices);
	wl_signal_add(&scene.events.flipped, &flipped);
}
