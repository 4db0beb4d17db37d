// SPDX-License-Identifier: MIT
/* Clients as a whole: how many there may be, and how one is dropped. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "client.h"

/* A client that is to go once whoever has found its fault is done. */
struct doomed {
	struct wl_client *client;
	struct wl_listener destroyed;
	struct wl_event_source *idle;
};

static struct wl_display *display;

static void doomed_free(struct doomed *doomed)
{
	wl_list_remove(&doomed->destroyed.link);
	free(doomed);
}

static void doomed_gone(struct wl_listener *listener, void *data)
{
	struct doomed *doomed = wl_container_of(listener, doomed, destroyed);

	(void)data;
	wl_event_source_remove(doomed->idle);
	doomed_free(doomed);
}

static void doomed_end(void *data)
{
	struct doomed *doomed = data;
	struct wl_client *client = doomed->client;

	doomed_free(doomed);
	wl_client_destroy(client);
}

void client_drop(struct wl_client *client, const char *format, ...)
{
	struct doomed *doomed;
	char reason[120];
	va_list args;

	/* It goes already. */
	if (wl_client_get_destroy_listener(client, doomed_gone))
		return;
	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	wl_client_post_implementation_error(client, "%s", reason);
	doomed = calloc(1, sizeof(*doomed));
	/* Then it goes with its next request. */
	if (!doomed)
		return;
	doomed->client = client;
	doomed->destroyed.notify = doomed_gone;
	doomed->idle = wl_event_loop_add_idle(wl_display_get_event_loop(display), doomed_end,
					      doomed);
	wl_client_add_destroy_listener(client, &doomed->destroyed);
}

static void client_created(struct wl_listener *listener, void *data)
{
	struct wl_client *client = data;

	(void)listener;
	if (wl_list_length(wl_display_get_client_list(display)) > MAX_CLIENTS)
		client_drop(client, "too many clients");
}

void clients_open(struct wl_display *of)
{
	static struct wl_listener created = { .notify = client_created };

	display = of;
	wl_display_add_client_created_listener(display, &created);
}
