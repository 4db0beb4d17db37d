// SPDX-License-Identifier: MIT
/*
 * A compositor that opens a window for one client, and names something as its display that is
 * none. The test looks at what the client says of that.
 */

#include <drm_fourcc.h>
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wayland-server.h>

#include "linux-dmabuf-v1-protocol.h"
#include "xdg-shell-protocol.h"

/* An entry of the feedback's table. */
static const struct {
	uint32_t fourcc, padding;
	uint64_t modifier;
} table = { .fourcc = DRM_FORMAT_XRGB8888, .modifier = DRM_FORMAT_MOD_LINEAR };

static struct wl_display *display;
static struct stat device;

static void send_feedback(struct wl_resource *feedback)
{
	struct wl_array number = { .size = sizeof(device.st_rdev), .data = &device.st_rdev };
	uint16_t zero = 0;
	struct wl_array indices = { .size = sizeof(zero), .data = &zero };
	int fd = memfd_create("formats", MFD_CLOEXEC);

	if (fd < 0 || write(fd, &table, sizeof(table)) != sizeof(table))
		err(1, "cannot make a table of formats");
	zwp_linux_dmabuf_feedback_v1_send_format_table(feedback, fd, sizeof(table));
	close(fd);
	zwp_linux_dmabuf_feedback_v1_send_main_device(feedback, &number);
	zwp_linux_dmabuf_feedback_v1_send_tranche_target_device(feedback, &number);
	zwp_linux_dmabuf_feedback_v1_send_tranche_flags(feedback, 0);
	zwp_linux_dmabuf_feedback_v1_send_tranche_formats(feedback, &indices);
	zwp_linux_dmabuf_feedback_v1_send_tranche_done(feedback);
	zwp_linux_dmabuf_feedback_v1_send_done(feedback);
}

/* Any request of any object: what it makes is made, and the rest has no effect. */
static int on_request(const void *data, void *target, uint32_t opcode,
		      const struct wl_message *message, union wl_argument *args)
{
	struct wl_resource *resource = target, *child;
	struct wl_array states = { 0 };
	const char *c;
	int i = 0;

	(void)data;
	(void)opcode;
	for (c = message->signature; *c; c++) {
		if ((*c >= '0' && *c <= '9') || *c == '?')
			continue;
		if (*c == 'n') {
			child = wl_resource_create(wl_resource_get_client(resource),
						   message->types[i],
						   wl_resource_get_version(resource), args[i].n);
			wl_resource_set_dispatcher(child, on_request, NULL, NULL, NULL);
			if (message->types[i] == &zwp_linux_dmabuf_feedback_v1_interface)
				send_feedback(child);
			if (message->types[i] == &xdg_toplevel_interface) {
				xdg_toplevel_send_configure(child, 0, 0, &states);
				xdg_surface_send_configure(resource, 1);
			}
		}
		i++;
	}
	return 0;
}

static void bind(struct wl_client *client, void *data, uint32_t version, uint32_t id)
{
	struct wl_resource *resource = wl_resource_create(client, data, version, id);

	wl_resource_set_dispatcher(resource, on_request, NULL, NULL, NULL);
}

static void client_gone(struct wl_listener *listener, void *data)
{
	(void)listener;
	(void)data;
	wl_display_terminate(display);
}

static void client_created(struct wl_listener *listener, void *data)
{
	static struct wl_listener gone = { .notify = client_gone };

	(void)listener;
	wl_client_add_destroy_listener(data, &gone);
}

int main(int argc, char **argv)
{
	static struct wl_listener created = { .notify = client_created };
	static const struct wl_interface *const offered[] = {
		&wl_compositor_interface, &xdg_wm_base_interface, &zwp_linux_dmabuf_v1_interface,
	};
	size_t i;

	if (argc != 3 || argv[1][0] == '-') {
		fprintf(stderr, "usage: wrong-display SOCKET DEVICE\n");
		return 2;
	}
	if (stat(argv[2], &device))
		err(1, "%s", argv[2]);
	display = wl_display_create();
	if (!display || wl_display_add_socket(display, argv[1]))
		err(1, "%s: cannot listen", argv[1]);
	for (i = 0; i < sizeof(offered) / sizeof(offered[0]); i++)
		wl_global_create(display, offered[i], 4, (void *)offered[i], bind);
	wl_display_add_client_created_listener(display, &created);
	/* The test waits for this line. */
	printf("ready\n");
	fflush(stdout);
	wl_display_run(display);
	wl_display_destroy(display);
	return 0;
}
