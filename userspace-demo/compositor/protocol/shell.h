/* SPDX-License-Identifier: MIT */
/* xdg-shell: which surfaces are windows, and whether their clients still answer. */
#ifndef DEMO_SHELL_H
#define DEMO_SHELL_H

#include <wayland-server-core.h>

void shell_open(struct wl_display *display);
/* Once a second: ask each client with a window for an answer, and drop who gives none. */
void shell_ping(struct wl_display *display);

#endif
