// SPDX-License-Identifier: MIT
/*
 * A small Wayland compositor: takes dma-bufs from clients and shows them on a display, on planes
 * where there are enough and drawn by OpenGL ES where not, without a copy. Read it from here:
 *
 *	protocol/	what clients say, checked
 *	scene/		windows, their frames in order, and the flips
 *	renderer/	what has no plane
 *	backend/	planes, commits, readback; the display device; seat and input devices;
 *			vkms.c is about vkms alone
 *	base/		formats, options, lines for people and for programs
 *	../common.c	fences and dma-bufs, as in the clients
 *
 * Each calls only what stands below it. proof/ is beside all that: it listens, compares what is
 * shown with what was drawn, and reports. Without it this would be the same compositor.
 */

#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
#include <wayland-server.h>

#include "backend/capture.h"
#include "backend/display.h"
#include "backend/input.h"
#include "backend/kms.h"
#include "backend/seat.h"
#include "base/log.h"
#include "base/options.h"
#include "base/say.h"
#include "proof/proof.h"
#include "proof/report.h"
#include "protocol/client.h"
#include "protocol/devices.h"
#include "protocol/dmabuf.h"
#include "protocol/output.h"
#include "protocol/presentation.h"
#include "protocol/selection.h"
#include "protocol/shell.h"
#include "protocol/subsurface.h"
#include "protocol/surface.h"
#include "renderer/renderer.h"
#include "scene/scene.h"

#define SECOND_MS	1000

static struct wl_display *display;
static struct wl_event_source *second, *interrupt, *terminate;

static int on_second(void *data)
{
	(void)data;
	scene_lose_patience();
	shell_ping(display);
	proof_second();
	wl_event_source_timer_update(second, SECOND_MS);
	return 0;
}

static int on_signal(int number, void *data)
{
	(void)number;
	(void)data;
	wl_display_terminate(display);
	return 0;
}

static void on_quit(struct wl_listener *listener, void *data)
{
	(void)listener;
	(void)data;
	wl_display_terminate(display);
}

static void on_seat(struct wl_listener *listener, void *data)
{
	(void)listener;
	(void)data;
	say("seat: %s", seat.active ? "this session is in front again" : "another session is in front");
	log_event("seat", "\"active\":%s", seat.active ? "true" : "false");
}

static struct wl_listener quit = { .notify = on_quit }, seat_changed = { .notify = on_seat };

/* The parts, from the bottom to the top. */
static void open_all(void)
{
	struct wl_event_loop *loop;

	display = wl_display_create();
	if (!display || wl_display_init_shm(display))
		err(1, "cannot make a Wayland display");
	loop = wl_display_get_event_loop(display);
	/* Before anything starts a thread, which would get the signals as well. */
	second = wl_event_loop_add_timer(loop, on_second, NULL);
	interrupt = wl_event_loop_add_signal(loop, SIGINT, on_signal, NULL);
	terminate = wl_event_loop_add_signal(loop, SIGTERM, on_signal, NULL);
	if (!second || !interrupt || !terminate)
		err(1, "cannot wait for time and signals");
	wl_event_source_timer_update(second, SECOND_MS);
	log_open();
	report_open();
	seat_open(loop);
	wl_signal_add(&seat.changed, &seat_changed);
	display_open(options.proofs || options.pictures);
	renderer_open();
	scene_open(loop);
	input_open(loop);
	wl_signal_add(&input.events.quit, &quit);
	/* Before clients are counted: why the last one is turned away is reported, too. */
	proof_open(display);
	clients_open(display);
	surfaces_open(display);
	subsurface_open(display);
	selection_open(display);
	dmabuf_open(display);
	output_open(display);
	devices_open(display);
	shell_open(display);
	presentation_open(display);
}

static void close_all(void)
{
	proof_ending();
	wl_display_destroy_clients(display);
	scene_close();
	proof_close();
	wl_event_source_remove(second);
	wl_event_source_remove(interrupt);
	wl_event_source_remove(terminate);
	dmabuf_close();
	renderer_close();
	display_close();
	input_close();
	seat_close();
	wl_display_destroy(display);
}

/*
 * libwayland ends a client whose descriptor it cannot receive, though another client may have taken
 * the last ones. Each may have a few hundred.
 */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		err(1, "cannot get the limit of descriptors");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		warn("cannot raise the limit of descriptors");
}

int main(int argc, char **argv)
{
	options_parse(argc, argv);
	raise_descriptors();
	open_all();
	log_event("display", "\"device\":\"%s\",\"driver\":\"%s\",\"mode\":\"%s\",\"width\":%u,"
		  "\"height\":%u", kms.device, kms.driver, kms.mode, kms.width, kms.height);
	if (wl_display_add_socket(display, options.socket))
		err(1, "%s: cannot listen", options.socket);
	if (options.ready_fd) {
		dprintf(options.ready_fd, "ready\n");
		close(options.ready_fd);
	}

	wl_display_run(display);

	close_all();
	say("display: off after %u flips, %u stuck readbacks", scene.flips, capture.stuck);
	log_event("end", "\"flips\":%u,\"stuck_readbacks\":%u", scene.flips, capture.stuck);
	log_close();
	return report_close() ? 0 : 1;
}
