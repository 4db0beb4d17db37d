/* SPDX-License-Identifier: MIT */
/* wl_pointer: the surface under the pointer gets what it does. */
#ifndef DEMO_POINTER_H
#define DEMO_POINTER_H

#include <wayland-server-core.h>

void pointer_open(struct wl_display *display);
void pointer_create(struct wl_client *client, int version, uint32_t id);

#endif
