// SPDX-License-Identifier: MIT
/* wl_seat: which devices a person has, and the objects that tell what they do. */

#include <wayland-server.h>

#include "../backend/input.h"
#include "../backend/seat.h"
#include "devices.h"
#include "keyboard.h"
#include "pointer.h"
#include "resource.h"

#define VERSION	7

static struct wl_list seats;	/* wl_seat, of all clients */
static uint32_t ever;		/* WL_SEAT_CAPABILITY_* that there have been */

static uint32_t capabilities(void)
{
	return (input.pointers ? WL_SEAT_CAPABILITY_POINTER : 0) |
		(input.keyboards ? WL_SEAT_CAPABILITY_KEYBOARD : 0);
}

/* A device may have gone when the request comes; to ask for one that never was breaks a rule. */
static bool may_have(struct wl_resource *resource, uint32_t capability)
{
	if (!(ever & capability))
		wl_resource_post_error(resource, WL_SEAT_ERROR_MISSING_CAPABILITY,
				       "the seat has no such device");
	return ever & capability;
}

static void get_pointer(struct wl_client *client, struct wl_resource *resource, uint32_t id)
{
	if (may_have(resource, WL_SEAT_CAPABILITY_POINTER))
		pointer_create(client, wl_resource_get_version(resource), id);
}

static void get_keyboard(struct wl_client *client, struct wl_resource *resource, uint32_t id)
{
	if (may_have(resource, WL_SEAT_CAPABILITY_KEYBOARD))
		keyboard_create(client, wl_resource_get_version(resource), id);
}

static void get_touch(struct wl_client *client, struct wl_resource *resource, uint32_t id)
{
	(void)client;
	(void)id;
	may_have(resource, WL_SEAT_CAPABILITY_TOUCH);
}

static const struct wl_seat_interface implementation = {
	.get_pointer = get_pointer,
	.get_keyboard = get_keyboard,
	.get_touch = get_touch,
	.release = resource_destroy,
};

static void seat_destroyed(struct wl_resource *resource)
{
	wl_list_remove(wl_resource_get_link(resource));
}

static void bind(struct wl_client *client, void *data, uint32_t version, uint32_t id)
{
	struct wl_resource *resource = resource_create(client, &wl_seat_interface, version, id,
						       &implementation, data, seat_destroyed);

	if (!resource)
		return;
	wl_list_insert(&seats, wl_resource_get_link(resource));
	wl_seat_send_capabilities(resource, capabilities());
	if (version >= WL_SEAT_NAME_SINCE_VERSION)
		wl_seat_send_name(resource, seat.name);
}

static void on_devices(struct wl_listener *listener, void *data)
{
	static uint32_t before;
	struct wl_resource *resource;

	(void)listener;
	(void)data;
	if (capabilities() == before)
		return;
	before = capabilities();
	ever |= before;
	wl_resource_for_each(resource, &seats)
		wl_seat_send_capabilities(resource, before);
}

void devices_open(struct wl_display *display)
{
	static struct wl_listener devices = { .notify = on_devices };

	wl_list_init(&seats);
	wl_signal_add(&input.events.devices, &devices);
	keyboard_open(display);
	pointer_open(display);
	wl_global_create(display, &wl_seat_interface, VERSION, NULL, bind);
}
