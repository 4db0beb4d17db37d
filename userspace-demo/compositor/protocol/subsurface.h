/* SPDX-License-Identifier: MIT */
/* wl_subcompositor: surfaces that are parts of a window. */
#ifndef DEMO_SUBSURFACE_H
#define DEMO_SUBSURFACE_H

#include <wayland-server-core.h>

void subsurface_open(struct wl_display *display);

#endif
