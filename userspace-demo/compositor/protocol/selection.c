// SPDX-License-Identifier: MIT
/*
 * wl_data_device_manager: toolkits want it, though nobody can copy or drag anything here:
 * what a client selects is dropped, so there is never anything to offer, and a drag ends at once.
 */

#include <wayland-server.h>

#include "resource.h"
#include "selection.h"

#define VERSION	3

static void offer(struct wl_client *client, struct wl_resource *resource, const char *type)
{
	(void)client;
	(void)resource;
	(void)type;
}

static void set_actions(struct wl_client *client, struct wl_resource *resource, uint32_t actions)
{
	(void)client;
	(void)resource;
	(void)actions;
}

static const struct wl_data_source_interface source_implementation = {
	.offer = offer,
	.destroy = resource_destroy,
	.set_actions = set_actions,
};

static void start_drag(struct wl_client *client, struct wl_resource *resource,
		       struct wl_resource *source, struct wl_resource *origin,
		       struct wl_resource *icon, uint32_t serial)
{
	(void)client;
	(void)resource;
	(void)origin;
	(void)icon;
	(void)serial;
	if (source)
		wl_data_source_send_cancelled(source);
}

static void set_selection(struct wl_client *client, struct wl_resource *resource,
			  struct wl_resource *source, uint32_t serial)
{
	(void)client;
	(void)resource;
	(void)source;
	(void)serial;
}

static const struct wl_data_device_interface device_implementation = {
	.start_drag = start_drag,
	.set_selection = set_selection,
	.release = resource_destroy,
};

static void create_source(struct wl_client *client, struct wl_resource *manager, uint32_t id)
{
	resource_create(client, &wl_data_source_interface, wl_resource_get_version(manager), id,
			&source_implementation, NULL, NULL);
}

static void get_device(struct wl_client *client, struct wl_resource *manager, uint32_t id,
		       struct wl_resource *seat)
{
	(void)seat;
	resource_create(client, &wl_data_device_interface, wl_resource_get_version(manager), id,
			&device_implementation, NULL, NULL);
}

static const struct wl_data_device_manager_interface implementation = {
	.create_data_source = create_source,
	.get_data_device = get_device,
};

static void bind(struct wl_client *client, void *data, uint32_t version, uint32_t id)
{
	resource_create(client, &wl_data_device_manager_interface, version, id, &implementation,
			data, NULL);
}

void selection_open(struct wl_display *display)
{
	wl_global_create(display, &wl_data_device_manager_interface, VERSION, NULL, bind);
}
