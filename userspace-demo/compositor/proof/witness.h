/* SPDX-License-Identifier: MIT */
/* What is known of each window and its frames. */
#ifndef DEMO_WITNESS_H
#define DEMO_WITNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>

#include "report.h"

#define SHOTS	64	/* frames a checksum may be late */

struct view;

/* A frame: what its client says of it, and what was seen. */
struct shot {
	uint64_t serial;		/* of the scene's frame; 0: the client sends it next */
	uint32_t sequence, buffer;
	uint64_t inode;			/* of its dma-buf, as the client sees it; 0: unknown */
	uint64_t submitted;
	bool has_drawn, has_shown;
	uint64_t drawn, shown;		/* checksums */
};

/* Whoever watches a window. */
struct witness {
	struct view *view;
	struct wl_listener queued, shown, left, gone;
	struct tally tally;
	char device[48];
	struct shot shots[SHOTS];	/* of the last frames, a ring */
	unsigned int n_shots;
	bool announced;			/* frames are; otherwise what is drawn is read here */
	bool seen;			/* something was on the screen */
	bool hung_up;			/* its client has, and was told no error */
	int64_t last_sequence, last_drawn;
};

void witnesses_open(void);
struct witness *witness_of(struct view *view);
/* The frame that the client sends next. */
struct shot *witness_announce(struct witness *witness);
/* The frame of that number; NULL: it is unknown. */
struct shot *witness_find(struct witness *witness, uint32_t sequence);
/* A checksum is there: compare, once there are both. */
void witness_compare(struct witness *witness, const struct shot *shot);

#endif
