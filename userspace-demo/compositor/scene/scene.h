/* SPDX-License-Identifier: MIT */
/*
 * What is to be seen: a view for each window, each with its frames in order, and the flips that
 * put them on the screen. Whoever is above listens to the signals.
 */
#ifndef DEMO_SCENE_H
#define DEMO_SCENE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <wayland-server-core.h>

#include "../../common.h"

#define MAX_QUEUED	8	/* frames of a view that wait for their turn */

struct layer;
struct picture;
struct view;

/* One content of a window. Made by the window's surface, which fills in the picture. */
struct frame {
	struct wl_list link;		/* in the view's queue */
	struct view *view;
	struct picture *picture;	/* NULL: none yet */
	uint64_t serial;		/* of all frames of all views, from 1 */
	uint32_t plane;			/* that shows it; 0: it is composed */
	bool held;			/* it came before it was drawn */
	int fence;			/* a sync_file of the drawing; -1: it had ended */
	struct wl_event_source *waiting;	/* for that */
	uint64_t received, committed, flipped, removed;	/* CLOCK_MONOTONIC, ns; 0: not yet */
	unsigned int flip, removing_flip;	/* that brought it, and took it off */
	struct {
		struct wl_signal taken;	/* for the commit under way: the next may be drawn */
		struct wl_signal shown;
		struct wl_signal left;	/* the screen, or it is never shown; it goes then */
	} events;
};

/* A window. */
struct view {
	struct wl_list link;
	char name[48];
	pid_t pid;
	struct view *parent;		/* the window that it is a part of; NULL: a window */
	int32_t x, y;			/* of a part in its window */
	unsigned int cell, part;	/* 0 for a window, and above for its parts */
	struct rect where;		/* of the frame in the last commit */
	struct layer *layer;		/* NULL: it leaves */
	struct wl_list queue;		/* of frames, oldest first */
	unsigned int queued;
	struct frame *next;		/* in the commit under way */
	struct frame *current;		/* on the screen */
	bool fresh;			/* the last flip brought the current frame */
	bool leaving, unmapped;		/* it goes, and the commit under way is without it */
	bool kept;			/* its client took it away in order */
	/* What the client did wrong, while there is one. */
	void (*fault)(struct view *view, const char *reason);
	struct {
		struct wl_signal queued, shown, left;	/* of each frame, before its own */
		struct wl_signal closed;	/* it leaves with the next flip */
		struct wl_signal gone;
	} events;
};

struct scene {
	struct wl_list views;
	unsigned int flips;
	struct {
		struct wl_signal view;		/* a new one */
		struct wl_signal flipped;	/* all frames have been told of */
	} events;
};

extern struct scene scene;

void scene_open(struct wl_event_loop *loop);
/* Take off all views, and wait for the display. No client is left. */
void scene_close(void);
/* Once a second: frames whose drawing does not end. */
void scene_lose_patience(void);

/* A window, or a part of one. NULL when there is no room on the screen. */
struct view *view_create(pid_t pid, struct view *parent);
/* Where a part is in its window, from the next frame of either on. */
void view_move(struct view *view, int32_t x, int32_t y);
/* The largest picture that a view shows whole. */
void view_bounds(uint32_t *width, uint32_t *height);
/* The view leaves with the next flip, and the parts of it. kept: not by a fault. */
void view_destroy(struct view *view, bool kept);

/* NULL: out of memory. */
struct frame *frame_create(void);
/* Of a frame that no view has. */
void frame_destroy(struct frame *frame);
/* Its turn comes when the fence (-1: none) has signalled. Frame and fence go to the view. */
void view_queue(struct view *view, struct frame *frame, int fence);

/* Read back what is on the screen; done() gets it before the next flip. From flipped only. */
void scene_capture(void (*done)(void));

#endif
