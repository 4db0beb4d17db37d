/* SPDX-License-Identifier: MIT */
/* Clients as a whole: how many there may be, and how one is dropped. */
#ifndef DEMO_CLIENT_H
#define DEMO_CLIENT_H

#include <wayland-server-core.h>

#define MAX_CLIENTS	16

void clients_open(struct wl_display *display);
/*
 * End a client's connection, and tell it why. A wrong request is answered by an error of the
 * protocol; this is for everything else that a client does, or does not do.
 */
__attribute__((format(printf, 2, 3)))
void client_drop(struct wl_client *client, const char *format, ...);

#endif
