// SPDX-License-Identifier: MIT
/*
 * Keyboards and pointers. libinput finds them by udev, also those that are plugged in later, and
 * the seat opens them. xkbcommon tells what the keys mean, by the usual variables (XKB_DEFAULT_LAYOUT
 * and so on).
 */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libinput.h>
#include <libudev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wayland-server-protocol.h>
#include <xkbcommon/xkbcommon.h>

#include "../base/say.h"
#include "cursor.h"
#include "input.h"
#include "kms.h"
#include "seat.h"

#define EVDEV_OFFSET	8	/* between the kernel's numbers of keys and xkb's */

struct input input = { .keymap = -1 };

static struct udev *udev;
static struct libinput *libinput;
static struct wl_event_source *source;
static struct xkb_context *xkb;
static struct xkb_keymap *keymap;
static struct xkb_state *state;

static int open_restricted(const char *path, int flags, void *data)
{
	const int fd = seat_open_device(path), error = errno;

	(void)flags;
	(void)data;
	if (fd >= 0)
		return fd;
	say("input: %s: %s", path, strerror(error));
	return -error;
}

static void close_restricted(int fd, void *data)
{
	(void)data;
	seat_close_device(fd);
}

static const struct libinput_interface interface = { open_restricted, close_restricted };

/* Clients map the keymap from a file that nobody can change. */
static bool share_keymap(const char *text)
{
	const size_t size = strlen(text) + 1;
	int fd = memfd_create("keymap", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return false;
	if (write(fd, text, size) != (ssize_t)size ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)) {
		close(fd);
		return false;
	}
	input.keymap = fd;
	input.keymap_size = size;
	return true;
}

/* With the first keyboard. False: keys could not be told to anybody. */
static bool make_keymap(void)
{
	char *text = NULL;

	if (input.keymap >= 0)
		return true;
	xkb = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
	if (xkb)
		keymap = xkb_keymap_new_from_names(xkb, NULL, XKB_KEYMAP_COMPILE_NO_FLAGS);
	if (keymap)
		state = xkb_state_new(keymap);
	if (state)
		text = xkb_keymap_get_as_string(keymap, XKB_KEYMAP_FORMAT_TEXT_V1);
	if (!text || !share_keymap(text)) {
		say("input: no keymap (Debian package xkb-data): keyboards are not used");
		xkb_state_unref(state);
		xkb_keymap_unref(keymap);
		xkb_context_unref(xkb);
		state = NULL;
		keymap = NULL;
		xkb = NULL;
	}
	free(text);
	return input.keymap >= 0;
}

static void device_changed(struct libinput_device *device, int change)
{
	if (libinput_device_has_capability(device, LIBINPUT_DEVICE_CAP_POINTER)) {
		/* The first one is in the middle. */
		if (!input.pointers && change > 0 && !input.x && !input.y) {
			input.x = kms.width / 2;
			input.y = kms.height / 2;
		}
		input.pointers += change;
		cursor_move(input.pointers, input.x, input.y);
	}
	/* One that came without a keymap was not counted. */
	if (libinput_device_has_capability(device, LIBINPUT_DEVICE_CAP_KEYBOARD) &&
	    (change > 0 ? make_keymap() : input.keyboards > 0))
		input.keyboards += change;
	say("input: %s %s", libinput_device_get_name(device), change > 0 ? "is there" : "has gone");
	wl_signal_emit_mutable(&input.events.devices, NULL);
}

static double clamp(double value, uint32_t size)
{
	return value < 0 ? 0 : value > size - 1 ? size - 1 : value;
}

static void move_to(double x, double y, uint32_t time)
{
	input.x = clamp(x, kms.width);
	input.y = clamp(y, kms.height);
	cursor_move(true, input.x, input.y);
	wl_signal_emit_mutable(&input.events.moved, &time);
}

static void pointer_motion(struct libinput_event_pointer *event)
{
	move_to(input.x + libinput_event_pointer_get_dx(event),
		input.y + libinput_event_pointer_get_dy(event),
		libinput_event_pointer_get_time(event));
}

static void pointer_motion_absolute(struct libinput_event_pointer *event)
{
	move_to(libinput_event_pointer_get_absolute_x_transformed(event, kms.width),
		libinput_event_pointer_get_absolute_y_transformed(event, kms.height),
		libinput_event_pointer_get_time(event));
}

static void pointer_button(struct libinput_event_pointer *event)
{
	struct input_press press = {
		.time = libinput_event_pointer_get_time(event),
		.code = libinput_event_pointer_get_button(event),
		.pressed = libinput_event_pointer_get_button_state(event) ==
			LIBINPUT_BUTTON_STATE_PRESSED,
	};

	/* Of two mice, the first press and the last release count. */
	if (libinput_event_pointer_get_seat_button_count(event) == press.pressed)
		wl_signal_emit_mutable(&input.events.button, &press);
}

static void pointer_scroll(struct libinput_event_pointer *event, uint32_t from)
{
	static const enum libinput_pointer_axis axes[] = {
		LIBINPUT_POINTER_AXIS_SCROLL_VERTICAL, LIBINPUT_POINTER_AXIS_SCROLL_HORIZONTAL,
	};
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct input_scroll scroll = {
			.time = libinput_event_pointer_get_time(event),
			.horizontal = i,
			.source = from,
		};

		if (!libinput_event_pointer_has_axis(event, axes[i]))
			continue;
		scroll.distance = libinput_event_pointer_get_scroll_value(event, axes[i]);
		if (from == WL_POINTER_AXIS_SOURCE_WHEEL)
			scroll.clicks = libinput_event_pointer_get_scroll_value_v120(event, axes[i]) /
				120;
		wl_signal_emit_mutable(&input.events.scroll, &scroll);
	}
}

/* What a key does here, whoever has the focus. True: no client hears of it. */
static bool is_ours(xkb_keysym_t sym)
{
	if (sym >= XKB_KEY_XF86Switch_VT_1 && sym <= XKB_KEY_XF86Switch_VT_12) {
		seat_switch(1 + sym - XKB_KEY_XF86Switch_VT_1);
		return true;
	}
	if (sym == XKB_KEY_BackSpace &&
	    xkb_state_mod_names_are_active(state, XKB_STATE_MODS_EFFECTIVE, XKB_STATE_MATCH_ALL,
					   XKB_MOD_NAME_CTRL, XKB_MOD_NAME_ALT, NULL) > 0) {
		wl_signal_emit_mutable(&input.events.quit, NULL);
		return true;
	}
	return false;
}

static void update_mods(void)
{
	const uint32_t depressed = xkb_state_serialize_mods(state, XKB_STATE_MODS_DEPRESSED);
	const uint32_t latched = xkb_state_serialize_mods(state, XKB_STATE_MODS_LATCHED);
	const uint32_t locked = xkb_state_serialize_mods(state, XKB_STATE_MODS_LOCKED);
	const uint32_t group = xkb_state_serialize_layout(state, XKB_STATE_LAYOUT_EFFECTIVE);

	if (input.mods.depressed == depressed && input.mods.latched == latched &&
	    input.mods.locked == locked && input.mods.group == group)
		return;
	input.mods.depressed = depressed;
	input.mods.latched = latched;
	input.mods.locked = locked;
	input.mods.group = group;
	wl_signal_emit_mutable(&input.events.mods, NULL);
}

/* Keep count of what is pressed. False: the key was not, so nobody has heard of it. */
static bool count_pressed(const struct input_press *press)
{
	unsigned int i;

	for (i = 0; i < input.n_pressed && input.pressed[i] != press->code; i++)
		;
	if (press->pressed) {
		if (i < input.n_pressed)
			return true;
		if (i == MAX_PRESSED)
			return false;
		input.pressed[input.n_pressed++] = press->code;
		return true;
	}
	if (i == input.n_pressed)
		return false;
	input.pressed[i] = input.pressed[--input.n_pressed];
	return true;
}

static void keyboard_key(struct libinput_event_keyboard *event)
{
	struct input_press press = {
		.time = libinput_event_keyboard_get_time(event),
		.code = libinput_event_keyboard_get_key(event),
		.pressed = libinput_event_keyboard_get_key_state(event) ==
			LIBINPUT_KEY_STATE_PRESSED,
	};
	xkb_keysym_t sym;

	if (!state || libinput_event_keyboard_get_seat_key_count(event) != press.pressed)
		return;
	sym = xkb_state_key_get_one_sym(state, press.code + EVDEV_OFFSET);
	if (!(press.pressed && is_ours(sym)) && count_pressed(&press))
		wl_signal_emit_mutable(&input.events.key, &press);
	xkb_state_update_key(state, press.code + EVDEV_OFFSET,
			     press.pressed ? XKB_KEY_DOWN : XKB_KEY_UP);
	update_mods();
}

static void handle(struct libinput_event *event)
{
	switch (libinput_event_get_type(event)) {
	case LIBINPUT_EVENT_DEVICE_ADDED:
		device_changed(libinput_event_get_device(event), 1);
		break;
	case LIBINPUT_EVENT_DEVICE_REMOVED:
		device_changed(libinput_event_get_device(event), -1);
		break;
	case LIBINPUT_EVENT_POINTER_MOTION:
		pointer_motion(libinput_event_get_pointer_event(event));
		break;
	case LIBINPUT_EVENT_POINTER_MOTION_ABSOLUTE:
		pointer_motion_absolute(libinput_event_get_pointer_event(event));
		break;
	case LIBINPUT_EVENT_POINTER_BUTTON:
		pointer_button(libinput_event_get_pointer_event(event));
		break;
	case LIBINPUT_EVENT_POINTER_SCROLL_WHEEL:
		pointer_scroll(libinput_event_get_pointer_event(event),
			       WL_POINTER_AXIS_SOURCE_WHEEL);
		break;
	case LIBINPUT_EVENT_POINTER_SCROLL_FINGER:
		pointer_scroll(libinput_event_get_pointer_event(event),
			       WL_POINTER_AXIS_SOURCE_FINGER);
		break;
	case LIBINPUT_EVENT_POINTER_SCROLL_CONTINUOUS:
		pointer_scroll(libinput_event_get_pointer_event(event),
			       WL_POINTER_AXIS_SOURCE_CONTINUOUS);
		break;
	case LIBINPUT_EVENT_KEYBOARD_KEY:
		keyboard_key(libinput_event_get_keyboard_event(event));
		break;
	default:
		break;
	}
}

static int on_readable(int fd, uint32_t mask, void *data)
{
	struct libinput_event *event;

	(void)fd;
	(void)mask;
	(void)data;
	libinput_dispatch(libinput);
	while ((event = libinput_get_event(libinput))) {
		handle(event);
		libinput_event_destroy(event);
	}
	return 0;
}

/* The devices that are there already, once everybody listens. */
static void on_begin(void *data)
{
	on_readable(-1, 0, data);
}

/* libinput has let go of all keys and devices when it is suspended. */
static void seat_changed(struct wl_listener *listener, void *data)
{
	(void)listener;
	(void)data;
	if (!seat.active)
		libinput_suspend(libinput);
	else if (libinput_resume(libinput))
		say("input: the devices do not come back");
	on_readable(-1, 0, NULL);
}

static struct wl_listener on_seat = { .notify = seat_changed };

void input_open(struct wl_event_loop *loop)
{
	wl_signal_init(&input.events.devices);
	wl_signal_init(&input.events.moved);
	wl_signal_init(&input.events.button);
	wl_signal_init(&input.events.scroll);
	wl_signal_init(&input.events.key);
	wl_signal_init(&input.events.mods);
	wl_signal_init(&input.events.quit);
	udev = udev_new();
	if (udev)
		libinput = libinput_udev_create_context(&interface, NULL, udev);
	if (!libinput || libinput_udev_assign_seat(libinput, seat.name)) {
		say("input: libinput does not start; there are no devices");
		return;
	}
	source = wl_event_loop_add_fd(loop, libinput_get_fd(libinput), WL_EVENT_READABLE,
				      on_readable, NULL);
	if (!source)
		err(1, "cannot wait for input");
	wl_signal_add(&seat.changed, &on_seat);
	wl_event_loop_add_idle(loop, on_begin, NULL);
}

void input_close(void)
{
	if (source) {
		wl_event_source_remove(source);
		wl_list_remove(&on_seat.link);
	}
	if (libinput)
		libinput_unref(libinput);
	if (udev)
		udev_unref(udev);
	xkb_state_unref(state);
	xkb_keymap_unref(keymap);
	xkb_context_unref(xkb);
	if (input.keymap >= 0)
		close(input.keymap);
}
