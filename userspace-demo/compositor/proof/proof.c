// SPDX-License-Identifier: MIT
/*
 * Beside the compositor: what clients say that they drew (prime-demo-proof.xml), and why clients
 * go. Nothing of the compositor calls this.
 */

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wayland-server.h>

#include "../base/log.h"
#include "../base/say.h"
#include "../protocol/resource.h"
#include "../protocol/surface.h"
#include "../scene/scene.h"
#include "prime-demo-proof-protocol.h"
#include "proof.h"
#include "witness.h"

/* A surface whose client says what it draws. */
struct claims {
	struct surface *surface;	/* NULL: it is gone */
	struct wl_listener surface_gone;
};

/* A client, to tell why it goes. */
struct leaver {
	struct wl_listener destroyed;
	char reason[120];
};

static bool ending;
static struct wl_protocol_logger *logger;

/* NULL, and the client is told, when the surface is no window now. */
static struct witness *witness_for(struct wl_resource *resource)
{
	struct claims *claims = wl_resource_get_user_data(resource);
	struct view *view = claims->surface ? claims->surface->view : NULL;

	if (!view)
		wl_resource_post_error(resource, PRIME_DEMO_PROOF_ERROR_ORDER,
				       "a proof of a surface that is no window");
	return view ? witness_of(view) : NULL;
}

static void describe(struct wl_client *client, struct wl_resource *resource, const char *device)
{
	struct witness *w = witness_for(resource);

	(void)client;
	if (!w)
		return;
	snprintf(w->device, sizeof(w->device), "%s", device);
	log_plain(w->device);
}

static void frame_request(struct wl_client *client, struct wl_resource *resource,
			  uint32_t sequence, uint32_t buffer, uint32_t inode_hi,
			  uint32_t inode_lo, uint32_t time_hi, uint32_t time_lo)
{
	struct witness *w = witness_for(resource);
	struct shot *shot;

	(void)client;
	if (!w)
		return;
	if (sequence <= w->last_sequence) {
		wl_resource_post_error(resource, PRIME_DEMO_PROOF_ERROR_ORDER,
				       "frame %u comes after frame %" PRId64, sequence,
				       w->last_sequence);
		return;
	}
	w->tally.dropped += sequence - w->last_sequence - 1;
	w->last_sequence = sequence;
	w->announced = true;
	shot = witness_announce(w);
	shot->sequence = sequence;
	shot->buffer = buffer;
	shot->submitted = (uint64_t)time_hi << 32 | time_lo;
	shot->inode = (uint64_t)inode_hi << 32 | inode_lo;
}

static void drawn_request(struct wl_client *client, struct wl_resource *resource,
			  uint32_t sequence, uint32_t hi, uint32_t lo)
{
	struct witness *w = witness_for(resource);
	struct shot *shot;

	(void)client;
	if (!w)
		return;
	if (sequence <= w->last_drawn || sequence > w->last_sequence) {
		wl_resource_post_error(resource, PRIME_DEMO_PROOF_ERROR_ORDER,
				       "a checksum of frame %u, which is out of turn", sequence);
		return;
	}
	w->last_drawn = sequence;
	shot = witness_find(w, sequence);
	if (!shot)
		return;
	shot->drawn = (uint64_t)hi << 32 | lo;
	shot->has_drawn = true;
	witness_compare(w, shot);
}

static const struct prime_demo_proof_interface implementation = {
	.destroy = resource_destroy,
	.describe = describe,
	.frame = frame_request,
	.drawn = drawn_request,
};

static void let_go(struct claims *claims)
{
	wl_list_remove(&claims->surface_gone.link);
	wl_list_init(&claims->surface_gone.link);
	claims->surface = NULL;
}

static void surface_gone(struct wl_listener *listener, void *data)
{
	struct claims *claims = wl_container_of(listener, claims, surface_gone);

	(void)data;
	let_go(claims);
}

static void claims_destroyed(struct wl_resource *resource)
{
	struct claims *claims = wl_resource_get_user_data(resource);

	let_go(claims);
	free(claims);
}

static void get_proof(struct wl_client *client, struct wl_resource *manager, uint32_t id,
		      struct wl_resource *surface)
{
	struct wl_resource *resource;
	struct claims *claims;

	if (wl_signal_get(&surface_of(surface)->events.gone, surface_gone)) {
		wl_resource_post_error(manager, PRIME_DEMO_PROOF_MANAGER_ERROR_ALREADY_EXISTS,
				       "the surface has a proof already");
		return;
	}
	claims = resource_create_with(client, &prime_demo_proof_interface, 1, id, &implementation,
				      sizeof(*claims), claims_destroyed, &resource);
	if (!claims)
		return;
	claims->surface = surface_of(surface);
	claims->surface_gone.notify = surface_gone;
	wl_signal_add(&claims->surface->events.gone, &claims->surface_gone);
}

static const struct prime_demo_proof_manager_interface manager_implementation = {
	.destroy = resource_destroy,
	.get_proof = get_proof,
};

static void bind(struct wl_client *client, void *data, uint32_t version, uint32_t id)
{
	resource_create(client, &prime_demo_proof_manager_interface, version, id,
			&manager_implementation, data, NULL);
}

/*
 * A client that has windows goes without having closed them, or was told an error. libwayland does
 * not read what a client sends just before it hangs up, which may be that it closes its windows.
 */
static void client_destroyed(struct wl_listener *listener, void *data)
{
	struct leaver *leaver = wl_container_of(listener, leaver, destroyed);
	char name[sizeof(((struct view *)0)->name)];
	const bool told = leaver->reason[0];
	bool has_window = told;
	struct view *view;
	pid_t pid;

	wl_client_get_credentials(data, &pid, NULL, NULL);
	snprintf(name, sizeof(name), "pid-%d", pid);
	wl_list_for_each(view, &scene.views, link) {
		if (view->pid != pid || view->leaving)
			continue;
		has_window = true;
		witness_of(view)->hung_up = !told && !ending;
		snprintf(name, sizeof(name), "%s", view->name);
	}
	if (!told)
		snprintf(leaver->reason, sizeof(leaver->reason), "%s",
			 ending ? "the compositor ends" : "it has gone without goodbye");
	if (has_window) {
		say("%s: %s%s", name, told ? "dropped: " : "", leaver->reason);
		log_event("drop", "\"client\":\"%s\",\"why\":\"%s\"", name, leaver->reason);
	}
	free(leaver);
}

static void client_created(struct wl_listener *listener, void *data)
{
	struct leaver *leaver = calloc(1, sizeof(*leaver));

	(void)listener;
	if (!leaver)
		err(1, "out of memory");
	leaver->destroyed.notify = client_destroyed;
	wl_client_add_destroy_listener(data, &leaver->destroyed);
}

/* Every error that a client gets comes by here, also those of libwayland. */
static void on_message(void *data, enum wl_protocol_logger_type direction,
		       const struct wl_protocol_logger_message *message)
{
	struct wl_listener *listener;
	struct leaver *leaver;

	(void)data;
	if (direction != WL_PROTOCOL_LOGGER_EVENT || strcmp(message->message->name, "error") ||
	    strcmp(wl_resource_get_class(message->resource), "wl_display"))
		return;
	listener = wl_client_get_destroy_listener(wl_resource_get_client(message->resource),
						  client_destroyed);
	if (!listener)
		return;
	leaver = wl_container_of(listener, leaver, destroyed);
	if (leaver->reason[0])
		return;
	snprintf(leaver->reason, sizeof(leaver->reason), "%s", message->arguments[2].s);
	log_plain(leaver->reason);
}

void proof_second(void)
{
	struct witness *w;
	struct view *view;

	wl_list_for_each(view, &scene.views, link) {
		w = witness_of(view);
		if (w->seen && !view->leaving)
			report_second(view->name, &w->tally, view->current && view->current->plane);
	}
}

void proof_ending(void)
{
	ending = true;
}

void proof_close(void)
{
	wl_protocol_logger_destroy(logger);
}

void proof_open(struct wl_display *display)
{
	static struct wl_listener created = { .notify = client_created };

	witnesses_open();
	wl_display_add_client_created_listener(display, &created);
	logger = wl_display_add_protocol_logger(display, on_message, NULL);
	wl_global_create(display, &prime_demo_proof_manager_interface, 1, NULL, bind);
}
