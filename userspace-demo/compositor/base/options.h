/* SPDX-License-Identifier: MIT */
/* What the command line of the compositor says. Nothing changes it afterwards. */
#ifndef DEMO_OPTIONS_H
#define DEMO_OPTIONS_H

#define MAX_CELLS	16	/* of the screen; each window has one */

struct options {
	const char *socket, *device, *render, *seat, *pictures, *log, *results;
	unsigned int width, height;		/* of the mode, 0: the display's choice */
	unsigned int columns, rows;		/* of cells */
	unsigned int frames, proofs, picture_every, planes, patience;
	unsigned int ready_fd;			/* 0: nobody waits for the socket */
};

extern struct options options;

/* Fills in options. Ends the program for --help and for a mistake. */
void options_parse(int argc, char **argv);

#endif
