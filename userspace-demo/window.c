// SPDX-License-Identifier: MIT
/* A window on a Wayland compositor for a client that has dma-bufs. */

#include <err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common.h"
#include "linux-dmabuf-v1-client.h"
#include "prime-demo-proof-client.h"
#include "window.h"
#include "xdg-shell-client.h"

#define MAX_FORMATS	128

/* An entry of the feedback's table. */
struct entry {
	uint32_t fourcc, padding;
	uint64_t modifier;
};

struct window {
	struct wl_display *display;
	struct wl_registry *registry;
	struct wl_compositor *compositor;
	struct xdg_wm_base *shell;
	struct zwp_linux_dmabuf_v1 *dmabuf;
	struct prime_demo_proof_manager *proofs;	/* NULL: nobody compares */
	uint32_t seat_name, seat_version;		/* of the registry; 0: there is no seat */

	struct zwp_linux_dmabuf_feedback_v1 *feedback;
	struct entry *table;
	size_t n_table;
	struct entry formats[MAX_FORMATS];	/* the best first */
	unsigned int n_formats;
	dev_t device, tranche_device;		/* that shows or composes best */
	bool feedback_done;

	struct wl_surface *surface;
	struct xdg_surface *xdg_surface;
	struct xdg_toplevel *toplevel;
	struct prime_demo_proof *proof;
	uint32_t width, height;
	bool configured;
	struct wl_callback *frame;	/* of the last commit, until the compositor has taken it */
};

/* What libwayland says of the connection: also why the compositor drops it. */
static char reason[256];

static void keep_reason(const char *format, va_list args)
{
	vsnprintf(reason, sizeof(reason), format, args);
	reason[strcspn(reason, "\n")] = '\0';
}

_Noreturn static void lost(const struct window *window)
{
	const char *text = strstr(reason, "error ");

	if (wl_display_get_error(window->display) == EPROTO)
		errx(1, "dropped by the compositor: %s", text ? text : reason);
	errx(1, "the compositor has gone");
}

static void dispatch(struct window *window)
{
	if (wl_display_dispatch(window->display) < 0)
		lost(window);
}

static void flush(struct window *window)
{
	/*
	 * What does not fit goes with the next dispatch, which waits until it does. That also
	 * reads why a compositor has closed the connection.
	 */
	if (wl_display_flush(window->display) < 0 && errno != EAGAIN && errno != EPIPE)
		lost(window);
}

static void on_ping(void *data, struct xdg_wm_base *shell, uint32_t serial)
{
	(void)data;
	xdg_wm_base_pong(shell, serial);
}

static const struct xdg_wm_base_listener shell_listener = { .ping = on_ping };

static void on_global(void *data, struct wl_registry *registry, uint32_t name,
		      const char *interface, uint32_t version)
{
	struct window *w = data;

	if (!strcmp(interface, wl_compositor_interface.name))
		w->compositor = wl_registry_bind(registry, name, &wl_compositor_interface, 4);
	else if (!strcmp(interface, xdg_wm_base_interface.name))
		w->shell = wl_registry_bind(registry, name, &xdg_wm_base_interface,
					    version < 4 ? version : 4);
	else if (!strcmp(interface, zwp_linux_dmabuf_v1_interface.name) && version >= 4)
		w->dmabuf = wl_registry_bind(registry, name, &zwp_linux_dmabuf_v1_interface, 4);
	else if (!strcmp(interface, prime_demo_proof_manager_interface.name))
		w->proofs = wl_registry_bind(registry, name,
					     &prime_demo_proof_manager_interface, 1);
	else if (!strcmp(interface, wl_seat_interface.name)) {
		w->seat_name = name;
		w->seat_version = version < 5 ? version : 5;
	}
}

static void on_global_remove(void *data, struct wl_registry *registry, uint32_t name)
{
	(void)data;
	(void)registry;
	(void)name;
}

static const struct wl_registry_listener registry_listener = {
	.global = on_global,
	.global_remove = on_global_remove,
};

static void on_done(void *data, struct zwp_linux_dmabuf_feedback_v1 *feedback)
{
	struct window *w = data;

	(void)feedback;
	w->feedback_done = true;
}

static void on_table(void *data, struct zwp_linux_dmabuf_feedback_v1 *feedback, int32_t fd,
		     uint32_t size)
{
	struct window *w = data;

	(void)feedback;
	w->table = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (w->table == MAP_FAILED)
		err(1, "cannot map the compositor's table of formats");
	w->n_table = size / sizeof(*w->table);
}

static void on_main_device(void *data, struct zwp_linux_dmabuf_feedback_v1 *feedback,
			   struct wl_array *device)
{
	struct window *w = data;

	(void)feedback;
	if (!w->device)
		memcpy(&w->device, device->data, sizeof(w->device));
}

static void on_tranche_device(void *data, struct zwp_linux_dmabuf_feedback_v1 *feedback,
			      struct wl_array *device)
{
	struct window *w = data;

	(void)feedback;
	memcpy(&w->tranche_device, device->data, sizeof(w->tranche_device));
}

/* Tranches come in the order of preference, so their formats do, too. */
static void on_formats(void *data, struct zwp_linux_dmabuf_feedback_v1 *feedback,
		       struct wl_array *indices)
{
	struct window *w = data;
	uint16_t *i;

	(void)feedback;
	wl_array_for_each(i, indices)
		if (*i < w->n_table && w->n_formats < MAX_FORMATS)
			w->formats[w->n_formats++] = w->table[*i];
}

static void on_flags(void *data, struct zwp_linux_dmabuf_feedback_v1 *feedback, uint32_t flags)
{
	struct window *w = data;

	(void)feedback;
	if (flags & ZWP_LINUX_DMABUF_FEEDBACK_V1_TRANCHE_FLAGS_SCANOUT)
		w->device = w->tranche_device;
}

static void on_tranche_done(void *data, struct zwp_linux_dmabuf_feedback_v1 *feedback)
{
	(void)data;
	(void)feedback;
}

static const struct zwp_linux_dmabuf_feedback_v1_listener feedback_listener = {
	.done = on_done,
	.format_table = on_table,
	.main_device = on_main_device,
	.tranche_done = on_tranche_done,
	.tranche_target_device = on_tranche_device,
	.tranche_formats = on_formats,
	.tranche_flags = on_flags,
};

static void on_configure(void *data, struct xdg_surface *surface, uint32_t serial)
{
	struct window *w = data;

	xdg_surface_ack_configure(surface, serial);
	w->configured = true;
}

static const struct xdg_surface_listener surface_listener = { .configure = on_configure };

/* What is asked for, or 0 for what the client likes. */
static void on_size(void *data, struct xdg_toplevel *toplevel, int32_t width, int32_t height,
		    struct wl_array *states)
{
	struct window *w = data;

	(void)toplevel;
	(void)states;
	/* The buffers are made once. */
	if (!w->configured && width && height) {
		w->width = width;
		w->height = height;
	}
}

static void on_close(void *data, struct xdg_toplevel *toplevel)
{
	(void)data;
	(void)toplevel;
	errx(1, "the window was closed");
}

static void on_bounds(void *data, struct xdg_toplevel *toplevel, int32_t width, int32_t height)
{
	struct window *w = data;

	(void)toplevel;
	if (w->configured || !width || !height)
		return;
	if (w->width > (uint32_t)width)
		w->width = width;
	if (w->height > (uint32_t)height)
		w->height = height;
}

static void on_capabilities(void *data, struct xdg_toplevel *toplevel, struct wl_array *list)
{
	(void)data;
	(void)toplevel;
	(void)list;
}

static const struct xdg_toplevel_listener toplevel_listener = {
	.configure = on_size,
	.close = on_close,
	.configure_bounds = on_bounds,
	.wm_capabilities = on_capabilities,
};

static void connect_to(struct window *w, const char *socket)
{
	wl_log_set_handler_client(keep_reason);
	w->display = wl_display_connect(socket);
	if (!w->display)
		err(1, "%s: cannot connect (is the compositor running?)", socket);
	w->registry = wl_display_get_registry(w->display);
	wl_registry_add_listener(w->registry, &registry_listener, w);
	if (wl_display_roundtrip(w->display) < 0)
		lost(w);
	if (!w->compositor || !w->shell || !w->dmabuf)
		errx(1, "%s: this compositor lacks %s", socket, !w->compositor ? "wl_compositor" :
		     !w->shell ? "xdg_wm_base" : "version 4 of zwp_linux_dmabuf_v1");
	xdg_wm_base_add_listener(w->shell, &shell_listener, w);
}

struct window *window_open(const char *socket, const char *name, const char *device,
			   uint32_t width, uint32_t height)
{
	struct window *w = calloc(1, sizeof(*w));

	if (!w)
		err(1, "out of memory");
	connect_to(w, socket);
	w->width = width;
	w->height = height;
	w->surface = wl_compositor_create_surface(w->compositor);
	w->feedback = zwp_linux_dmabuf_v1_get_surface_feedback(w->dmabuf, w->surface);
	zwp_linux_dmabuf_feedback_v1_add_listener(w->feedback, &feedback_listener, w);
	w->xdg_surface = xdg_wm_base_get_xdg_surface(w->shell, w->surface);
	xdg_surface_add_listener(w->xdg_surface, &surface_listener, w);
	w->toplevel = xdg_surface_get_toplevel(w->xdg_surface);
	xdg_toplevel_add_listener(w->toplevel, &toplevel_listener, w);
	xdg_toplevel_set_app_id(w->toplevel, name);
	xdg_toplevel_set_title(w->toplevel, name);
	if (w->proofs) {
		w->proof = prime_demo_proof_manager_get_proof(w->proofs, w->surface);
		prime_demo_proof_describe(w->proof, device);
	}
	/* Without a buffer: it asks for the size. */
	wl_surface_commit(w->surface);
	while (!w->configured || !w->feedback_done)
		dispatch(w);
	return w;
}

struct wl_seat *window_seat(struct window *w)
{
	return w->seat_name ? wl_registry_bind(w->registry, w->seat_name, &wl_seat_interface,
					       w->seat_version) : NULL;
}

uint32_t window_width(const struct window *w)
{
	return w->width;
}

uint32_t window_height(const struct window *w)
{
	return w->height;
}

unsigned int window_modifiers(const struct window *w, uint32_t fourcc, uint64_t *modifiers,
			      unsigned int max)
{
	unsigned int i, n = 0;

	for (i = 0; i < w->n_formats && n < max; i++)
		if (w->formats[i].fourcc == fourcc)
			modifiers[n++] = w->formats[i].modifier;
	return n;
}

/* The kernel tells the name of a node by its number. */
void window_device(const struct window *w, char *path, size_t size)
{
	char line[128];
	FILE *file;

	snprintf(line, sizeof(line), "/sys/dev/char/%u:%u/uevent", major(w->device),
		 minor(w->device));
	snprintf(path, size, "device %u:%u", major(w->device), minor(w->device));
	file = fopen(line, "re");
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "DEVNAME=", 8))
			snprintf(path, size, "/dev/%s", line + 8);
	}
	if (file)
		fclose(file);
}

static void on_release(void *data, struct wl_buffer *wl)
{
	struct window_buffer *buffer = data;

	(void)wl;
	buffer->busy = false;
	if (buffer->free)
		buffer->free(buffer);
}

static const struct wl_buffer_listener buffer_listener = { .release = on_release };

void window_buffer_create(struct window *w, struct window_buffer *buffer,
			  const struct window_layout *layout)
{
	struct zwp_linux_buffer_params_v1 *params = zwp_linux_dmabuf_v1_create_params(w->dmabuf);
	unsigned int i;

	for (i = 0; i < layout->n_planes; i++)
		zwp_linux_buffer_params_v1_add(params, layout->fds[i], i, layout->offsets[i],
					       layout->strides[i], layout->modifier >> 32,
					       layout->modifier & 0xffffffff);
	buffer->wl = zwp_linux_buffer_params_v1_create_immed(params, layout->width,
							     layout->height, layout->fourcc, 0);
	zwp_linux_buffer_params_v1_destroy(params);
	wl_buffer_add_listener(buffer->wl, &buffer_listener, buffer);
	buffer->inode = dma_buf_inode(layout->fds[0]);
	buffer->busy = false;
	flush(w);
}

void window_buffer_destroy(struct window_buffer *buffer)
{
	wl_buffer_destroy(buffer->wl);
}

static void on_frame(void *data, struct wl_callback *callback, uint32_t time)
{
	struct window *w = data;

	(void)time;
	wl_callback_destroy(callback);
	w->frame = NULL;
}

static const struct wl_callback_listener frame_listener = { .done = on_frame };

bool window_waits(const struct window *w)
{
	return w->frame;
}

void window_show(struct window *w, struct window_buffer *buffer, uint32_t sequence)
{
	const uint64_t time = now();

	while (w->frame)
		dispatch(w);
	if (w->proof)
		prime_demo_proof_frame(w->proof, sequence, buffer->number, buffer->inode >> 32,
				       buffer->inode & 0xffffffff, time >> 32, time & 0xffffffff);
	wl_surface_attach(w->surface, buffer->wl, 0, 0);
	wl_surface_damage_buffer(w->surface, 0, 0, INT32_MAX, INT32_MAX);
	w->frame = wl_surface_frame(w->surface);
	wl_callback_add_listener(w->frame, &frame_listener, w);
	wl_surface_commit(w->surface);
	buffer->busy = true;
	flush(w);
}

void window_drawn(struct window *w, uint32_t sequence, uint64_t checksum)
{
	if (w->proof)
		prime_demo_proof_drawn(w->proof, sequence, checksum >> 32, checksum & 0xffffffff);
	flush(w);
}

void window_wait_free(struct window *w, struct window_buffer *buffer)
{
	while (buffer->busy)
		dispatch(w);
}

void window_poll(struct window *w, struct pollfd *fds, unsigned int n)
{
	struct pollfd all[8] = { { .fd = wl_display_get_fd(w->display), .events = POLLIN } };
	int ready;

	memcpy(all + 1, fds, n * sizeof(*fds));
	while (wl_display_prepare_read(w->display))
		if (wl_display_dispatch_pending(w->display) < 0)
			lost(w);
	flush(w);
	ready = poll(all, n + 1, -1);
	if (ready < 0 && errno != EINTR)
		err(1, "poll");
	if (ready > 0 && all[0].revents) {
		if (wl_display_read_events(w->display) < 0)
			lost(w);
	} else {
		wl_display_cancel_read(w->display);
	}
	if (wl_display_dispatch_pending(w->display) < 0)
		lost(w);
	memcpy(fds, all + 1, n * sizeof(*fds));
	if (ready <= 0)
		for (ready = 0; ready < (int)n; ready++)
			fds[ready].revents = 0;
}

void window_close(struct window *w)
{
	while (w->frame)
		dispatch(w);
	if (w->proof) {
		prime_demo_proof_destroy(w->proof);
		prime_demo_proof_manager_destroy(w->proofs);
	}
	xdg_toplevel_destroy(w->toplevel);
	xdg_surface_destroy(w->xdg_surface);
	zwp_linux_dmabuf_feedback_v1_destroy(w->feedback);
	wl_surface_destroy(w->surface);
	if (wl_display_roundtrip(w->display) < 0)
		lost(w);
	zwp_linux_dmabuf_v1_destroy(w->dmabuf);
	xdg_wm_base_destroy(w->shell);
	wl_compositor_destroy(w->compositor);
	wl_registry_destroy(w->registry);
	wl_display_disconnect(w->display);
	if (w->table)
		munmap(w->table, w->n_table * sizeof(*w->table));
	free(w);
}
