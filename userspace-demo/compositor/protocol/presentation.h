/* SPDX-License-Identifier: MIT */
/* presentation-time: when a content was on the screen, and whether a plane showed it. */
#ifndef DEMO_PRESENTATION_H
#define DEMO_PRESENTATION_H

#include <wayland-server-core.h>

void presentation_open(struct wl_display *display);

#endif
