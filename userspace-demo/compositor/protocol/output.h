/* SPDX-License-Identifier: MIT */
/* wl_output: the one display. */
#ifndef DEMO_OUTPUT_H
#define DEMO_OUTPUT_H

#include <wayland-server-core.h>

void output_open(struct wl_display *display);
/* Call tell() for each wl_output that a client has. */
void output_each(struct wl_client *client, void (*tell)(struct wl_resource *output, void *data),
		 void *data);

#endif
