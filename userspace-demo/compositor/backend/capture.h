/* SPDX-License-Identifier: MIT */
/* Reading back what the display shows, by its writeback connector. */
#ifndef DEMO_CAPTURE_H
#define DEMO_CAPTURE_H

#include <stdint.h>

/* What was read back last. */
struct capture {
	const char *pixels;	/* XRGB8888, of the whole screen */
	uint32_t stride;
	uint32_t fb;		/* 0: this display is not read back */
	unsigned int stuck;	/* readbacks that did not end by themselves */
};

extern struct capture capture;

/* A display that has no writeback connector ends the program. */
void capture_open(void);
void capture_close(void);
/* A readback has not ended for a second. */
void capture_stuck(void);
/* It has ended. */
void capture_done(void);

#endif
