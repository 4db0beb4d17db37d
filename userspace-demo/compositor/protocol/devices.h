/* SPDX-License-Identifier: MIT */
/* wl_seat: which devices a person has. */
#ifndef DEMO_DEVICES_H
#define DEMO_DEVICES_H

#include <wayland-server-core.h>

void devices_open(struct wl_display *display);

#endif
