/* SPDX-License-Identifier: MIT */
/* Who may use the display and the input devices: the session in front, by libseat. */
#ifndef DEMO_SEAT_H
#define DEMO_SEAT_H

#include <stdbool.h>
#include <wayland-server-core.h>

struct seat {
	const char *name;
	bool active;			/* false: another session is in front and has the devices */
	struct wl_signal changed;	/* active has */
};

extern struct seat seat;

/*
 * Take the seat from seatd or logind, or from whom LIBSEAT_BACKEND names. Where there is none of
 * them, devices are opened directly, and the seat is always active.
 */
void seat_open(struct wl_event_loop *loop);
void seat_close(void);
/* A descriptor of a display or an input device, or -1 and errno. */
int seat_open_device(const char *path);
void seat_close_device(int fd);
/* Bring another session to the front. */
void seat_switch(int session);

#endif
