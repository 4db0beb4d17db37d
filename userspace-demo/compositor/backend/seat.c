// SPDX-License-Identifier: MIT
/*
 * Who may use the display and the input devices. With seatd or logind, that is whose session is
 * in front: they open the devices for us, and take them away and give them back when a person
 * switches. Without them, devices are opened as any file, and stay ours.
 */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libseat.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../common.h"
#include "../base/options.h"
#include "../base/say.h"
#include "seat.h"

#define MAX_DEVICES	64
#define PATIENCE_NS	10000000000ull	/* until the session is in front */

struct seat seat;

/* libseat closes a device by a number of its own. */
static struct {
	int fd, id;
} devices[MAX_DEVICES];
static unsigned int n_devices;

static struct libseat *libseat;		/* NULL: devices are opened directly */
static struct wl_event_source *source;

static void set_active(bool active)
{
	if (seat.active == active)
		return;
	seat.active = active;
	wl_signal_emit_mutable(&seat.changed, NULL);
}

static void on_enable(struct libseat *of, void *data)
{
	(void)of;
	(void)data;
	set_active(true);
}

/* The devices may have gone already; the other session gets them when it is told that we know. */
static void on_disable(struct libseat *of, void *data)
{
	(void)data;
	set_active(false);
	libseat_disable_seat(of);
}

static const struct libseat_seat_listener listener = {
	.enable_seat = on_enable,
	.disable_seat = on_disable,
};

/*
 * libseat's own answer is not enough: libseat_dispatch() of 0.9 gives 0, and not an error, when
 * the other end is gone, so this would be called again and again. It still reads what the other
 * end said before.
 */
static int on_readable(int fd, uint32_t mask, void *data)
{
	(void)fd;
	(void)data;
	if (libseat_dispatch(libseat, 0) >= 0 && !(mask & (WL_EVENT_HANGUP | WL_EVENT_ERROR)))
		return 0;
	/* Nobody is left who could bring this session to the front again. */
	if (!seat.active)
		errx(1, "seat: lost while another session is in front");
	say("seat: lost; keeping the devices that are open");
	wl_event_source_remove(source);
	source = NULL;
	return 0;
}

/*
 * Not libseat's third way, builtin, unless it is asked for: it takes the terminal that is in
 * front, whoever uses that.
 */
static const char *connect_to_seat(void)
{
	static const char *const backends[] = { "seatd", "logind" };
	const char *asked = getenv("LIBSEAT_BACKEND");
	unsigned int i;

	libseat_set_log_level(asked ? LIBSEAT_LOG_LEVEL_ERROR : LIBSEAT_LOG_LEVEL_SILENT);
	if (asked) {
		libseat = libseat_open_seat(&listener, NULL);
		if (!libseat)
			err(1, "LIBSEAT_BACKEND=%s: cannot take the seat", asked);
		return asked;
	}
	for (i = 0; i < 2; i++) {
		setenv("LIBSEAT_BACKEND", backends[i], 1);
		libseat = libseat_open_seat(&listener, NULL);
		unsetenv("LIBSEAT_BACKEND");
		if (libseat)
			return backends[i];
	}
	return NULL;
}

void seat_open(struct wl_event_loop *loop)
{
	const uint64_t begun = now();
	const char *backend;

	wl_signal_init(&seat.changed);
	/* It tells when the session is in front, maybe before it returns. */
	seat.active = false;
	backend = connect_to_seat();
	if (!backend) {
		seat.active = true;
		seat.name = options.seat;
		say("seat: neither seatd nor logind gives one; opening devices directly");
		return;
	}
	while (!seat.active && now() - begun < PATIENCE_NS)
		if (libseat_dispatch(libseat, 1000) < 0)
			break;
	if (!seat.active)
		errx(1, "seat: %s has not brought this session to the front", backend);
	seat.name = libseat_seat_name(libseat);
	source = wl_event_loop_add_fd(loop, libseat_get_fd(libseat), WL_EVENT_READABLE,
				      on_readable, NULL);
	if (!source)
		err(1, "cannot wait for the seat");
	say("seat: %s of %s", seat.name, backend);
}

void seat_close(void)
{
	if (source)
		wl_event_source_remove(source);
	if (libseat)
		libseat_close_seat(libseat);
}

int seat_open_device(const char *path)
{
	int fd;

	if (!libseat)
		return open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (n_devices == MAX_DEVICES) {
		errno = EMFILE;
		return -1;
	}
	devices[n_devices].id = libseat_open_device(libseat, path, &fd);
	if (devices[n_devices].id < 0)
		return -1;
	devices[n_devices++].fd = fd;
	return fd;
}

void seat_close_device(int fd)
{
	unsigned int i;

	for (i = 0; i < n_devices; i++) {
		if (devices[i].fd != fd)
			continue;
		libseat_close_device(libseat, devices[i].id);
		devices[i] = devices[--n_devices];
		break;
	}
	close(fd);
}

void seat_switch(int session)
{
	if (libseat)
		libseat_switch_session(libseat, session);
}
