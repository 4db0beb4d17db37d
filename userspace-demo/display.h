/* SPDX-License-Identifier: MIT */
/* What is on the screen: layers on planes, commits, and reading back. */
#ifndef DEMO_DISPLAY_H
#define DEMO_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "common.h"
#include "options.h"

struct liftoff_layer;
struct picture;

/* A client's place on the screen, and what is to be there from the next commit on. */
struct layer {
	const char *owner;	/* the client's name, for messages; outlives the layer */
	struct rect where;
	struct liftoff_layer *liftoff;	/* NULL: there is no layer in this cell */
	uint32_t plane;		/* which it is on; 0 when it is composed */
	bool refused;		/* neither a plane nor EGL can show its picture */

	struct picture *picture;	/* the client's, outlives the layer; NULL: none yet */
	int fence;		/* the client's sync_file of the drawing; -1: none */
	uint64_t serial;	/* of the frame: another one means another picture */
};

/* What was read back last. */
struct readback {
	const char *pixels;	/* XRGB8888, of the whole screen */
	uint32_t stride;
	unsigned int stuck;	/* how often display_nudge() had to help */
};

extern struct layer layers[MAX_CELLS];	/* one for each cell */
extern struct readback readback;
#define for_each_layer(l) \
	for (struct layer *l = layers; l < layers + MAX_CELLS; l++) if (l->liftoff)

void display_open(void);
void display_close(void);
struct layer *display_layer_create(unsigned int cell, const char *owner, const struct rect *where);
void display_layer_destroy(struct layer *layer);

/*
 * The first step of a flip: decide which layers get a plane, with background_fb under them.
 * The caller then draws the layers that got none.
 */
void display_plan(uint32_t background_fb);
/*
 * The second step: commit the plan. background_fb is a new background, 0 for the old one.
 * drawing is the sync_file that the new one waits for, -1 for none; it is closed here. Returns
 * a sync_file that says when the flip is done, or -1 when the display refused new pictures:
 * then plan again.
 */
int display_commit(uint32_t background_fb, int drawing);

/* Have what is on the screen written to readback.pixels. A sync_file that says when it is done. */
int display_read_back(void);
/* Help a readback that does not end; the comment in display.c says why. */
void display_nudge(void);
void display_nudge_done(void);

#endif
