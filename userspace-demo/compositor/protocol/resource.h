/* SPDX-License-Identifier: MIT */
/* What all objects of clients have in common. */
#ifndef DEMO_RESOURCE_H
#define DEMO_RESOURCE_H

#include <wayland-server-core.h>

/* An object with its requests, and data that gone() frees. NULL: out of memory, it is told. */
struct wl_resource *resource_create(struct wl_client *client, const struct wl_interface *interface,
				    int version, uint32_t id, const void *requests, void *data,
				    wl_resource_destroy_func_t gone);
/* The same with data that is zeroed memory of that size. NULL as above. */
void *resource_create_with(struct wl_client *client, const struct wl_interface *interface,
			   int version, uint32_t id, const void *requests, size_t size,
			   wl_resource_destroy_func_t gone, struct wl_resource **resource);
/* The request that most interfaces have. */
void resource_destroy(struct wl_client *client, struct wl_resource *resource);

#endif
