// SPDX-License-Identifier: MIT
/* wl_output: the one display. */

#include <wayland-server.h>

#include "../backend/kms.h"
#include "output.h"
#include "resource.h"

#define OUTPUT_VERSION	4

static const struct wl_output_interface output_implementation = { .release = resource_destroy };

static void bind_output(struct wl_client *client, void *data, uint32_t version, uint32_t id)
{
	struct wl_resource *output = resource_create(client, &wl_output_interface, version, id,
						     &output_implementation, data, NULL);

	if (!output)
		return;
	wl_output_send_geometry(output, 0, 0, kms.mm_width, kms.mm_height,
				WL_OUTPUT_SUBPIXEL_UNKNOWN, kms.make, kms.model,
				WL_OUTPUT_TRANSFORM_NORMAL);
	wl_output_send_mode(output, WL_OUTPUT_MODE_CURRENT | WL_OUTPUT_MODE_PREFERRED, kms.width,
			    kms.height, kms.refresh);
	if (version >= WL_OUTPUT_SCALE_SINCE_VERSION)
		wl_output_send_scale(output, 1);
	if (version >= WL_OUTPUT_NAME_SINCE_VERSION) {
		wl_output_send_name(output, "KMS-1");
		wl_output_send_description(output, kms.device);
	}
	if (version >= WL_OUTPUT_DONE_SINCE_VERSION)
		wl_output_send_done(output);
}

/* For output_each(). */
struct each {
	void (*tell)(struct wl_resource *output, void *data);
	void *data;
};

static enum wl_iterator_result tell_if_output(struct wl_resource *resource, void *data)
{
	const struct each *each = data;

	if (wl_resource_instance_of(resource, &wl_output_interface, &output_implementation))
		each->tell(resource, each->data);
	return WL_ITERATOR_CONTINUE;
}

void output_each(struct wl_client *client, void (*tell)(struct wl_resource *output, void *data),
		 void *data)
{
	struct each each = { tell, data };

	wl_client_for_each_resource(client, tell_if_output, &each);
}

void output_open(struct wl_display *display)
{
	wl_global_create(display, &wl_output_interface, OUTPUT_VERSION, NULL, bind_output);
}
