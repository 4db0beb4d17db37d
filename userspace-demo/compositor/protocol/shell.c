// SPDX-License-Identifier: MIT
/*
 * xdg-shell: which surfaces are windows, and whether their clients still answer. A window gets a
 * place on the screen, and as bounds the size of that. Nobody moves, resizes or closes it here,
 * and a popup is dismissed at once.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wayland-server.h>

#include "../base/options.h"
#include "../scene/scene.h"
#include "client.h"
#include "resource.h"
#include "shell.h"
#include "surface.h"
#include "xdg-shell-protocol.h"

#define VERSION	4	/* configure_bounds */
#define SECOND	1000000000ull

/* A client's connection to this protocol. */
struct shell {
	uint32_t serial;	/* of the ping that is not answered; 0: none */
	uint64_t heard;		/* when it was sent; without one, when the last answer came */
};

/* An xdg_surface, and its xdg_toplevel if it has one. */
struct window {
	struct wl_resource *resource, *toplevel;
	struct surface *surface;	/* NULL: the client has destroyed it */
	struct wl_listener surface_gone;
	uint32_t sent, acked;		/* serials of configure events; 0: none yet */
	char name[40];
	bool popup;			/* it is none: an xdg_popup, of which nothing is shown */
	bool dead;			/* its client is going: the view was not closed in order */
};

static struct window *window_of(struct wl_resource *resource)
{
	return wl_resource_get_user_data(resource);
}

/* Text from outside goes to terminals and into JSON: letters, digits and a few others only. */
static void copy_text(char *to, size_t size, const char *from)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 /._:+-";
	size_t i;

	for (i = 0; from[i] && i + 1 < size; i++)
		to[i] = strchr(plain, from[i]) ? from[i] : '?';
	to[i] = '\0';
}

static bool name_taken(const struct view *view)
{
	struct view *other;

	wl_list_for_each(other, &scene.views, link)
		if (other != view && !strcmp(other->name, view->name))
			return true;
	return false;
}

/* The view is called what its client calls it, with a number if another is called so, too. */
static void set_name(struct window *window)
{
	struct view *view = window->surface ? window->surface->view : NULL;
	unsigned int number = 1;

	if (!view || !window->name[0])
		return;
	snprintf(view->name, sizeof(view->name), "%s", window->name);
	while (name_taken(view))
		snprintf(view->name, sizeof(view->name), "%s#%u", window->name, ++number);
}

static void set_app_id(struct wl_client *client, struct wl_resource *resource, const char *text)
{
	struct window *window = window_of(resource);
	const char *dot = strrchr(text, '.');

	(void)client;
	if (!window)
		return;
	/* Of org.example.program the program. */
	copy_text(window->name, sizeof(window->name), dot ? dot + 1 : text);
	set_name(window);
}

/* The client chooses its size, within the bounds. */
static void configure(struct window *window)
{
	struct wl_display *display =
		wl_client_get_display(wl_resource_get_client(window->resource));
	struct wl_array states = { 0 };
	uint32_t width, height, *state;

	view_bounds(&width, &height);
	if (wl_resource_get_version(window->toplevel) >=
	    XDG_TOPLEVEL_CONFIGURE_BOUNDS_SINCE_VERSION)
		xdg_toplevel_send_configure_bounds(window->toplevel, width, height);
	state = wl_array_add(&states, sizeof(*state));
	if (state)
		*state = XDG_TOPLEVEL_STATE_ACTIVATED;
	xdg_toplevel_send_configure(window->toplevel, 0, 0, &states);
	wl_array_release(&states);
	window->sent = wl_display_next_serial(display);
	xdg_surface_send_configure(window->resource, window->sent);
}

/* The first commit has no buffer: it asks what the window should be like. */
static bool window_commit(struct surface *surface, bool has_buffer)
{
	struct window *window = surface->role_data;

	/* Its client may commit before it reads that the popup is dismissed. */
	if (window->popup)
		return true;
	if (!window->toplevel) {
		wl_resource_post_error(window->resource, XDG_SURFACE_ERROR_NOT_CONSTRUCTED,
				       "a commit before the surface has a role");
		return false;
	}
	if (has_buffer && !window->acked) {
		wl_resource_post_error(window->resource, XDG_SURFACE_ERROR_UNCONFIGURED_BUFFER,
				       "a buffer before the first configure was answered");
		return false;
	}
	if (!window->sent)
		configure(window);
	return true;
}

static void window_unmap(struct surface *surface)
{
	struct window *window = surface->role_data;

	if (window->popup)
		return;
	/* It may come again, in the same way as the first time; the place is kept until then. */
	surface_unmap(surface, true);
	window->sent = window->acked = 0;
	if (surface_map(surface, NULL))
		set_name(window);
}

static const struct surface_role window_role = {
	.commit = window_commit,
	.unmap = window_unmap,
};

/* Requests that change nothing here. */
static void ignore(struct wl_client *client, struct wl_resource *resource)
{
	(void)client;
	(void)resource;
}

static void ignore_parent(struct wl_client *client, struct wl_resource *resource,
			  struct wl_resource *parent)
{
	(void)parent;
	ignore(client, resource);
}

static void ignore_text(struct wl_client *client, struct wl_resource *resource, const char *text)
{
	(void)text;
	ignore(client, resource);
}

static void ignore_menu(struct wl_client *client, struct wl_resource *resource,
			struct wl_resource *seat, uint32_t serial, int32_t x, int32_t y)
{
	(void)seat;
	(void)serial;
	(void)x;
	(void)y;
	ignore(client, resource);
}

static void ignore_move(struct wl_client *client, struct wl_resource *resource,
			struct wl_resource *seat, uint32_t serial)
{
	ignore_menu(client, resource, seat, serial, 0, 0);
}

static void ignore_resize(struct wl_client *client, struct wl_resource *resource,
			  struct wl_resource *seat, uint32_t serial, uint32_t edges)
{
	(void)edges;
	ignore_menu(client, resource, seat, serial, 0, 0);
}

static void set_size(struct wl_client *client, struct wl_resource *resource, int32_t width,
		     int32_t height)
{
	(void)client;
	if (width < 0 || height < 0)
		wl_resource_post_error(resource, XDG_TOPLEVEL_ERROR_INVALID_SIZE,
				       "a size of %dx%d", width, height);
}

static const struct xdg_toplevel_interface toplevel_implementation = {
	.destroy = resource_destroy,
	.set_parent = ignore_parent,
	.set_title = ignore_text,
	.set_app_id = set_app_id,
	.show_window_menu = ignore_menu,
	.move = ignore_move,
	.resize = ignore_resize,
	.set_max_size = set_size,
	.set_min_size = set_size,
	.set_maximized = ignore,
	.unset_maximized = ignore,
	.set_fullscreen = ignore_parent,
	.unset_fullscreen = ignore,
	.set_minimized = ignore,
};

static void toplevel_destroyed(struct wl_resource *resource)
{
	struct window *window = window_of(resource);

	if (!window)
		return;
	if (window->surface)
		surface_unmap(window->surface, !window->dead);
	window->toplevel = NULL;
	window->sent = window->acked = 0;
}

static void get_toplevel(struct wl_client *client, struct wl_resource *resource, uint32_t id)
{
	struct window *window = window_of(resource);

	if (window->toplevel || window->popup) {
		wl_resource_post_error(resource, XDG_SURFACE_ERROR_ALREADY_CONSTRUCTED,
				       "the surface is a %s already",
				       window->popup ? "popup" : "window");
		return;
	}
	if (!window->surface || !surface_map(window->surface, NULL))
		return;
	window->toplevel = resource_create(client, &xdg_toplevel_interface,
					   wl_resource_get_version(resource), id,
					   &toplevel_implementation, window, toplevel_destroyed);
}

static void popup_grab(struct wl_client *client, struct wl_resource *resource,
		       struct wl_resource *seat, uint32_t serial)
{
	ignore_move(client, resource, seat, serial);
}

static void popup_reposition(struct wl_client *client, struct wl_resource *resource,
			     struct wl_resource *positioner, uint32_t token)
{
	(void)token;
	ignore_parent(client, resource, positioner);
}

static const struct xdg_popup_interface popup_implementation = {
	.destroy = resource_destroy,
	.grab = popup_grab,
	.reposition = popup_reposition,
};

static void get_popup(struct wl_client *client, struct wl_resource *resource, uint32_t id,
		      struct wl_resource *parent, struct wl_resource *positioner)
{
	struct window *window = window_of(resource);
	struct wl_resource *popup;

	(void)parent;
	(void)positioner;
	if (window->toplevel || window->popup) {
		wl_resource_post_error(resource, XDG_SURFACE_ERROR_ALREADY_CONSTRUCTED,
				       "the window is to be a popup");
		return;
	}
	popup = resource_create(client, &xdg_popup_interface, wl_resource_get_version(resource),
				id, &popup_implementation, NULL, NULL);
	if (!popup)
		return;
	window->popup = true;
	xdg_popup_send_popup_done(popup);
}

static void set_geometry(struct wl_client *client, struct wl_resource *resource, int32_t x,
			 int32_t y, int32_t width, int32_t height)
{
	(void)client;
	(void)x;
	(void)y;
	if (width < 1 || height < 1)
		wl_resource_post_error(resource, XDG_SURFACE_ERROR_INVALID_SIZE,
				       "a window of %dx%d", width, height);
}

static void ack_configure(struct wl_client *client, struct wl_resource *resource, uint32_t serial)
{
	struct window *window = window_of(resource);

	(void)client;
	if (!window->sent || serial != window->sent) {
		wl_resource_post_error(resource, XDG_SURFACE_ERROR_INVALID_SERIAL,
				       "an answer to configure %u, which was not sent", serial);
		return;
	}
	window->acked = serial;
}

static void window_destroy_request(struct wl_client *client, struct wl_resource *resource)
{
	if (window_of(resource)->toplevel)
		wl_resource_post_error(resource, XDG_SURFACE_ERROR_DEFUNCT_ROLE_OBJECT,
				       "the xdg_surface goes before its xdg_toplevel");
	else
		resource_destroy(client, resource);
}

static const struct xdg_surface_interface window_implementation = {
	.destroy = window_destroy_request,
	.get_toplevel = get_toplevel,
	.get_popup = get_popup,
	.set_window_geometry = set_geometry,
	.ack_configure = ack_configure,
};

/* The client goes, or has destroyed the surface before its role. */
static void surface_gone(struct wl_listener *listener, void *data)
{
	struct window *window = wl_container_of(listener, window, surface_gone);

	(void)data;
	surface_unmap(window->surface, false);
	window->surface = NULL;
}

static void window_destroyed(struct wl_resource *resource)
{
	struct window *window = window_of(resource);

	if (window->toplevel)
		wl_resource_set_user_data(window->toplevel, NULL);
	if (window->surface) {
		surface_unmap(window->surface, !window->dead && !window->toplevel);
		window->surface->role = NULL;
		wl_list_remove(&window->surface_gone.link);
	}
	free(window);
}

static void get_xdg_surface(struct wl_client *client, struct wl_resource *manager, uint32_t id,
			    struct wl_resource *surface_resource)
{
	struct surface *surface = surface_of(surface_resource);
	struct wl_resource *resource;
	struct window *window;

	if (surface->role) {
		wl_resource_post_error(manager, XDG_WM_BASE_ERROR_ROLE,
				       "the surface has an xdg_surface already");
		return;
	}
	if (surface->picture || surface->attached) {
		wl_resource_post_error(manager, XDG_WM_BASE_ERROR_INVALID_SURFACE_STATE,
				       "the surface has a buffer already");
		return;
	}
	window = resource_create_with(client, &xdg_surface_interface,
				      wl_resource_get_version(manager), id,
				      &window_implementation, sizeof(*window), window_destroyed,
				      &resource);
	if (!window)
		return;
	window->resource = resource;
	window->surface = surface;
	window->surface_gone.notify = surface_gone;
	wl_signal_add(&surface->events.gone, &window->surface_gone);
	surface->role = &window_role;
	surface->role_data = window;
}

static void ignore_numbers(struct wl_client *client, struct wl_resource *resource, int32_t a,
			   int32_t b)
{
	(void)a;
	(void)b;
	ignore(client, resource);
}

static void ignore_rect(struct wl_client *client, struct wl_resource *resource, int32_t x,
			int32_t y, int32_t width, int32_t height)
{
	(void)width;
	(void)height;
	ignore_numbers(client, resource, x, y);
}

static void ignore_number(struct wl_client *client, struct wl_resource *resource, uint32_t value)
{
	(void)value;
	ignore(client, resource);
}

static const struct xdg_positioner_interface positioner_implementation = {
	.destroy = resource_destroy,
	.set_size = ignore_numbers,
	.set_anchor_rect = ignore_rect,
	.set_anchor = ignore_number,
	.set_gravity = ignore_number,
	.set_constraint_adjustment = ignore_number,
	.set_offset = ignore_numbers,
	.set_reactive = ignore,
	.set_parent_size = ignore_numbers,
	.set_parent_configure = ignore_number,
};

static void create_positioner(struct wl_client *client, struct wl_resource *manager, uint32_t id)
{
	resource_create(client, &xdg_positioner_interface, wl_resource_get_version(manager), id,
			&positioner_implementation, NULL, NULL);
}

static void pong(struct wl_client *client, struct wl_resource *resource, uint32_t serial)
{
	struct shell *shell = wl_resource_get_user_data(resource);

	(void)client;
	if (serial != shell->serial)
		return;
	shell->serial = 0;
	shell->heard = now();
}

static const struct xdg_wm_base_interface shell_implementation = {
	.destroy = resource_destroy,
	.create_positioner = create_positioner,
	.get_xdg_surface = get_xdg_surface,
	.pong = pong,
};

static void shell_destroyed(struct wl_resource *resource)
{
	free(wl_resource_get_user_data(resource));
}

static enum wl_iterator_result mark_dead(struct wl_resource *resource, void *data)
{
	(void)data;
	if (wl_resource_instance_of(resource, &xdg_surface_interface, &window_implementation))
		window_of(resource)->dead = true;
	return WL_ITERATOR_CONTINUE;
}

/* Its objects go after this; whatever window it still has was not closed by it. */
static void client_gone(struct wl_listener *listener, void *data)
{
	(void)listener;
	wl_client_for_each_resource(data, mark_dead, NULL);
	free(listener);
}

static void bind(struct wl_client *client, void *data, uint32_t version, uint32_t id)
{
	struct wl_listener *gone = wl_client_get_destroy_listener(client, client_gone);
	struct wl_resource *resource;
	struct shell *shell;

	(void)data;
	if (!gone) {
		gone = calloc(1, sizeof(*gone));
		if (!gone) {
			wl_client_post_no_memory(client);
			return;
		}
		gone->notify = client_gone;
		wl_client_add_destroy_listener(client, gone);
	}
	shell = resource_create_with(client, &xdg_wm_base_interface, version, id,
				     &shell_implementation, sizeof(*shell), shell_destroyed,
				     &resource);
	if (shell)
		shell->heard = now();
}

static enum wl_iterator_result ping(struct wl_resource *resource, void *data)
{
	const uint64_t limit = options.patience * SECOND;
	struct shell *shell = wl_resource_get_user_data(resource);

	if (!wl_resource_instance_of(resource, &xdg_wm_base_interface, &shell_implementation))
		return WL_ITERATOR_CONTINUE;
	if (shell->serial && now() - shell->heard > limit) {
		client_drop(wl_resource_get_client(resource), "silent for %u seconds",
			    options.patience);
	} else if (!shell->serial) {
		shell->serial = wl_display_next_serial(data);
		shell->heard = now();
		xdg_wm_base_send_ping(resource, shell->serial);
	}
	return WL_ITERATOR_CONTINUE;
}

void shell_ping(struct wl_display *display)
{
	struct wl_client *client;

	wl_client_for_each(client, wl_display_get_client_list(display))
		wl_client_for_each_resource(client, ping, display);
}

void shell_open(struct wl_display *display)
{
	wl_global_create(display, &xdg_wm_base_interface, VERSION, NULL, bind);
}
