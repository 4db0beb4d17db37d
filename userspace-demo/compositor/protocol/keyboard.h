/* SPDX-License-Identifier: MIT */
/* wl_keyboard: keys go to the window that was clicked last. */
#ifndef DEMO_KEYBOARD_H
#define DEMO_KEYBOARD_H

#include <wayland-server-core.h>

struct view;

void keyboard_open(struct wl_display *display);
void keyboard_create(struct wl_client *client, int version, uint32_t id);
/* The window, or the one that this is a part of, gets the keys; NULL: none. */
void keyboard_focus(struct view *view);

#endif
