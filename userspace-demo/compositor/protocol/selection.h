/* SPDX-License-Identifier: MIT */
/* wl_data_device_manager: toolkits want it, though nobody can copy or drag anything here. */
#ifndef DEMO_SELECTION_H
#define DEMO_SELECTION_H

#include <wayland-server-core.h>

void selection_open(struct wl_display *display);

#endif
