/* SPDX-License-Identifier: MIT */
/* wl_compositor: surfaces and their contents. */
#ifndef DEMO_SURFACE_H
#define DEMO_SURFACE_H

#include <stdbool.h>
#include <wayland-server-core.h>

struct buffer;
struct frame;
struct picture;
struct view;

struct surface {
	struct wl_resource *resource;
	/* Of its role; NULL: none yet. */
	const struct surface_role *role;
	void *role_data;
	struct view *view;		/* NULL: it is not on the screen */

	struct frame *pending;		/* what the next commit shows; the callbacks hang on it */
	struct wl_resource *attached;	/* to the next commit; NULL: nothing */
	bool has_attached;
	struct wl_listener attached_gone;
	struct picture *picture;	/* of the last commit, and its buffer if it is dma-bufs */
	struct buffer *buffer;
	bool fresh;			/* the scene has not got it yet */
	struct {
		struct wl_signal queued;	/* content, for the scene to show */
		struct wl_signal gone;
	} events;
};

struct surface_role {
	/* Before anything of a commit happens. False when the client broke a rule, and was told. */
	bool (*commit)(struct surface *surface, bool has_buffer);
	/* A commit took the content away. */
	void (*unmap)(struct surface *surface);
};

void surfaces_open(struct wl_display *display);
struct surface *surface_of(struct wl_resource *resource);
/*
 * Give the surface a view, as a window or as a part of a window. False: there is no room. For a
 * window that is an error, which the client is told; a part is left out.
 */
bool surface_map(struct surface *surface, struct view *parent);
/* Have the scene show the content, if there is a view and a content. */
void surface_show(struct surface *surface);
/* Whose view it is; NULL when it leaves. */
struct surface *surface_of_view(struct view *view);
/* Take it off the screen, if it is there. kept: not by a fault of the client. */
void surface_unmap(struct surface *surface, bool kept);

#endif
