/* SPDX-License-Identifier: MIT */
/* Beside the compositor: what it shows, compared with what was drawn, and reported. */
#ifndef DEMO_PROOF_H
#define DEMO_PROOF_H

#include <wayland-server-core.h>

/* After scene_open(), before the first client. */
void proof_open(struct wl_display *display);
/* A line for each window. */
void proof_second(void);
/* From now on clients go because the compositor does. */
void proof_ending(void);
void proof_close(void);

#endif
