// SPDX-License-Identifier: MIT
/* presentation-time: when a content was on the screen, and whether a plane showed it. */

#include <stdlib.h>
#include <time.h>
#include <wayland-server.h>

#include "../backend/kms.h"
#include "../scene/scene.h"
#include "output.h"
#include "presentation-time-protocol.h"
#include "presentation.h"
#include "resource.h"
#include "surface.h"

#define VERSION	2

struct feedback {
	struct wl_resource *resource;
	struct wl_listener shown, left;
};

static void feedback_destroyed(struct wl_resource *resource)
{
	struct feedback *feedback = wl_resource_get_user_data(resource);

	wl_list_remove(&feedback->shown.link);
	wl_list_remove(&feedback->left.link);
	free(feedback);
}

static void send_output(struct wl_resource *output, void *data)
{
	wp_presentation_feedback_send_sync_output(data, output);
}

/* The display has no count of its own of its pictures that could be asked: it is 0. */
static void feedback_shown(struct wl_listener *listener, void *data)
{
	struct feedback *feedback = wl_container_of(listener, feedback, shown);
	const struct frame *frame = data;
	const uint64_t seconds = frame->flipped / 1000000000;
	uint32_t flags = WP_PRESENTATION_FEEDBACK_KIND_VSYNC |
			 WP_PRESENTATION_FEEDBACK_KIND_HW_COMPLETION;

	if (frame->plane)
		flags |= WP_PRESENTATION_FEEDBACK_KIND_ZERO_COPY;
	output_each(wl_resource_get_client(feedback->resource), send_output, feedback->resource);
	wp_presentation_feedback_send_presented(feedback->resource, seconds >> 32,
						seconds & 0xffffffff,
						frame->flipped % 1000000000,
						kms.refresh ? 1000000000000ull / kms.refresh : 0,
						0, 0, flags);
	wl_resource_destroy(feedback->resource);
}

static void feedback_left(struct wl_listener *listener, void *data)
{
	struct feedback *feedback = wl_container_of(listener, feedback, left);

	(void)data;
	wp_presentation_feedback_send_discarded(feedback->resource);
	wl_resource_destroy(feedback->resource);
}

static void feedback_request(struct wl_client *client, struct wl_resource *manager,
			     struct wl_resource *surface, uint32_t id)
{
	struct frame *frame = surface_of(surface)->pending;
	struct wl_resource *resource;
	struct feedback *feedback =
		resource_create_with(client, &wp_presentation_feedback_interface,
				     wl_resource_get_version(manager), id, NULL, sizeof(*feedback),
				     feedback_destroyed, &resource);

	if (!feedback)
		return;
	feedback->resource = resource;
	feedback->shown.notify = feedback_shown;
	feedback->left.notify = feedback_left;
	wl_signal_add(&frame->events.shown, &feedback->shown);
	wl_signal_add(&frame->events.left, &feedback->left);
}

static const struct wp_presentation_interface implementation = {
	.destroy = resource_destroy,
	.feedback = feedback_request,
};

static void bind(struct wl_client *client, void *data, uint32_t version, uint32_t id)
{
	struct wl_resource *resource = resource_create(client, &wp_presentation_interface, version,
						       id, &implementation, data, NULL);

	if (resource)
		wp_presentation_send_clock_id(resource, CLOCK_MONOTONIC);
}

void presentation_open(struct wl_display *display)
{
	wl_global_create(display, &wp_presentation_interface, VERSION, NULL, bind);
}
