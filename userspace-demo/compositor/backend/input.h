/* SPDX-License-Identifier: MIT */
/* Keyboards and pointers: libinput's devices, and what the keys mean by xkbcommon. */
#ifndef DEMO_INPUT_H
#define DEMO_INPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>

#define MAX_PRESSED	32

/* Of a button or a key, by its number in linux/input-event-codes.h. */
struct input_press {
	uint32_t time;			/* ms */
	uint32_t code;
	bool pressed;
};

/* Of a wheel, or of fingers. */
struct input_scroll {
	uint32_t time;
	bool horizontal;
	uint32_t source;		/* WL_POINTER_AXIS_SOURCE_* */
	double distance;		/* in pixels; 0: the fingers are off */
	int32_t clicks;			/* of a wheel */
};

struct input {
	unsigned int pointers, keyboards;	/* how many devices there are */
	double x, y;			/* of the pointer, in pixels of the screen */
	uint32_t pressed[MAX_PRESSED];	/* keys */
	unsigned int n_pressed;
	struct {
		uint32_t depressed, latched, locked, group;
	} mods;
	int keymap;			/* a file with it; -1 until there is a keyboard */
	uint32_t keymap_size;
	struct {
		struct wl_signal devices;	/* there are more or fewer */
		struct wl_signal moved;		/* uint32_t: time */
		struct wl_signal button, scroll, key;	/* one of the above */
		struct wl_signal mods;		/* after the key that changes them */
		struct wl_signal quit;		/* Ctrl, Alt and Backspace */
	} events;
};

extern struct input input;

/* Without devices there is nothing to hear. */
void input_open(struct wl_event_loop *loop);
void input_close(void);

#endif
