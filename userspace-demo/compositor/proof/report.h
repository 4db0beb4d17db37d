/* SPDX-License-Identifier: MIT */
/* What the compositor tells of its clients: lines for people, results for programs, pictures. */
#ifndef DEMO_REPORT_H
#define DEMO_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_LATENCIES	16384

/* What is counted of one client. Times are in ns, of CLOCK_MONOTONIC. */
struct tally {
	unsigned int imports, reuses, copies, shm, shown, composed, dropped, held, early;
	unsigned int read, compared, equal, unreadable, foreign_inodes;
	uint64_t begun, last_flip, longest;
	uint32_t *latencies;	/* of the last MAX_LATENCIES frames, us; a ring */
	unsigned int reported;	/* frames, in the lines of past seconds */
	uint64_t reported_at;	/* when the last of these lines was written */
};

void report_open(void);
/* Whether all that was shown was what was drawn, and all pictures were saved. */
bool report_close(void);

/* A client begins. */
void tally_begin(struct tally *tally);
/* One frame more was shown, and when. */
void tally_shown(struct tally *tally, uint64_t submitted, uint64_t flipped);

/* Each second: a line for a client. */
void report_second(const char *name, struct tally *tally, bool on_plane);
/* A client leaves: its totals and its results. kept: it was not dropped. */
void report_client(const char *name, const struct tally *tally, bool kept);
/* Save what is on the screen, XRGB8888. A disk that is full stops no window. */
void report_picture(unsigned int flip, const char *pixels, size_t stride, uint32_t width,
		    uint32_t height);

#endif
