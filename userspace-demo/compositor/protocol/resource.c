// SPDX-License-Identifier: MIT
/* What all objects of clients have in common. */

#include <stdlib.h>

#include "resource.h"

struct wl_resource *resource_create(struct wl_client *client, const struct wl_interface *interface,
				    int version, uint32_t id, const void *requests, void *data,
				    wl_resource_destroy_func_t gone)
{
	struct wl_resource *resource = wl_resource_create(client, interface, version, id);

	if (resource)
		wl_resource_set_implementation(resource, requests, data, gone);
	else
		wl_client_post_no_memory(client);
	return resource;
}

void *resource_create_with(struct wl_client *client, const struct wl_interface *interface,
			   int version, uint32_t id, const void *requests, size_t size,
			   wl_resource_destroy_func_t gone, struct wl_resource **resource)
{
	void *data = calloc(1, size);

	*resource = NULL;
	if (data)
		*resource = resource_create(client, interface, version, id, requests, data, gone);
	else
		wl_client_post_no_memory(client);
	if (!*resource) {
		free(data);
		return NULL;
	}
	return data;
}

void resource_destroy(struct wl_client *client, struct wl_resource *resource)
{
	(void)client;
	wl_resource_destroy(resource);
}
