/* SPDX-License-Identifier: MIT */
/* What is on the screen: layers on planes, commits, and reading back. */
#ifndef DEMO_DISPLAY_H
#define DEMO_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>

#include "../../common.h"
#include "../base/options.h"

struct liftoff_layer;
struct picture;

/* A window's place, or that of a part of it, on the screen, and what is to be there from the next commit on. */
struct layer {
	const char *owner;	/* the window's name, for messages; outlives the layer */
	struct rect where;	/* at most as large as the picture, which is cut off otherwise */
	struct liftoff_layer *liftoff;	/* NULL: there is no layer */
	uint32_t plane;		/* which it is on; 0 when it is composed */
	bool refused;		/* neither a plane nor EGL can show its picture */
	bool planeless;		/* the last plan, if there was one, had no plane for it */

	struct picture *picture;	/* the window's, outlives the layer; NULL: none yet */
	int fence;		/* a sync_file of the drawing, which has ended; -1: none */
	uint64_t serial;	/* of the frame: another one means another picture */
};

#define MAX_PARTS	16	/* of a window: one above the other */
#define MAX_LAYERS	(MAX_CELLS * MAX_PARTS)

extern struct layer layers[MAX_LAYERS];	/* MAX_PARTS for each cell, from the lowest on */
#define for_each_layer(l) \
	for (struct layer *l = layers; l < layers + MAX_LAYERS; l++) if (l->liftoff)

/* captures: the display is going to be read back. A display that cannot work ends the program. */
void display_open(bool captures);
void display_close(void);
/* Whether a plane may show such a picture of a window. */
bool display_takes(uint32_t fourcc);
/* NULL: out of memory. */
struct layer *display_layer_create(unsigned int cell, unsigned int part, const char *owner);
void display_layer_destroy(struct layer *layer);

/*
 * Whether there is something to commit beside the layers: the pointer is elsewhere, or the mode is
 * to be set anew. The signal says when that may have become so.
 */
bool display_is_stale(void);
extern struct wl_signal display_stale;

/*
 * The first step of a flip: decide which layers get a plane, with background_fb under them.
 * The caller then draws the layers that got none. 0, or an error as display_commit() returns it.
 */
int display_plan(uint32_t background_fb);
/*
 * The second step: commit the plan. background_fb is a new background, 0 for the old one.
 * drawing is the sync_file that the new one waits for, -1 for none; it is closed here. Returns
 * a sync_file that says when the flip is done, or an error: -EBUSY when it is too early, or when
 * there was no time to find planes, -EAGAIN when the display refused new pictures, which then are
 * composed. In both cases plan again, in the first from the loop.
 * After any other error the next commit sets the mode anew.
 */
int display_commit(uint32_t background_fb, int drawing);

/* Have what is on the screen read back. A sync_file that says when it is done, or an error. */
int display_read_back(void);

#endif
