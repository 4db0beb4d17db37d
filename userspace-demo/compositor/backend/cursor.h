/* SPDX-License-Identifier: MIT */
/* The pointer's picture, on the plane that displays have for it. */
#ifndef DEMO_CURSOR_H
#define DEMO_CURSOR_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>
#include <xf86drmMode.h>

/* Find the plane and draw an arrow. A display may have no such plane. */
void cursor_open(void);
void cursor_close(void);
/* The plane, which is for nothing else; 0: there is none. */
uint32_t cursor_plane(void);
/* Where its tip is to be from the next commit on; show false: nowhere. */
void cursor_move(bool show, int32_t x, int32_t y);
/* Whether the last commit has it elsewhere. */
bool cursor_moved(void);
extern struct wl_signal cursor_wanted;	/* it is to be elsewhere */
/* Put it into a commit. */
void cursor_request(drmModeAtomicReq *req);
/* The commit is on its way. */
void cursor_committed(void);

#endif
