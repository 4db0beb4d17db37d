/* SPDX-License-Identifier: MIT */
/* What the files of the compositor share. compositor.c tells how they work together. */
#ifndef DEMO_COMPOSITOR_H
#define DEMO_COMPOSITOR_H

#include <stdarg.h>

#include "common.h"

#define MAX_CLIENTS	16
#define MAX_CELLS	16	/* of the screen; each client has one */
#define PROOFS		64	/* frames a checksum may be late */

struct liftoff_layer;

/* A dma-buf, imported into the display. Two clients that send the same one share it. */
struct dmabuf {
	struct dmabuf *next;
	unsigned int users;
	uint64_t inode;
	int fd;			/* kept for the fences on it, and for EGL */
	uint32_t handle;	/* of the display, 0 when it refuses the buffer */
	char exporter[32];	/* the kernel's word for who made it */
};

/* How pixels lie in one or more dma-bufs, and what was made of that. */
struct picture {
	uint32_t width, height, fourcc;
	uint32_t n_planes;	/* 0: an empty slot */
	uint64_t modifier;
	uint32_t offsets[MAX_PLANES], strides[MAX_PLANES];
	struct dmabuf *dmabufs[MAX_PLANES];

	uint32_t fb;		/* the display's framebuffer, 0 when no plane takes it */
	uint32_t textures[2];	/* GL's, 0 until it is composed */
	void *images[2];	/* EGL's, of which the textures are made */
	bool busy;		/* from FRAME to RELEASE */
	bool proven;		/* has been on a plane: the display can really read it */
	bool copied;		/* framebuffer or image is other memory than the client's */
};

struct frame {
	struct picture *picture;	/* NULL: no frame */
	uint64_t serial;		/* of all frames of all clients */
	uint32_t cookie, sequence;
	int fence;			/* of the drawing; kept while it is on the screen */
	bool held;			/* committed before the drawing was done */
	uint64_t submitted, received, committed, flipped;	/* CLOCK_MONOTONIC, ns */
};

struct proof {
	uint32_t sequence;
	bool has_drawn, has_shown;
	uint64_t drawn, shown;
};

struct client {
	int sock;		/* -1: a free slot, or it has gone */
	bool used, greeted;
	bool bye;		/* it has sent its last frame */
	bool gone;		/* dropped; its buffers are still to be freed */
	bool unmapped;		/* not in the commit under way any more */
	bool fresh;		/* the last flip brought its current frame */
	char name[32], device[48];
	pid_t pid;
	int cell;
	struct rect where;
	struct liftoff_layer *layer;
	uint32_t plane;		/* which it is on; 0 when it is composed */

	struct picture pictures[MAX_BUFFERS];
	struct frame queue[MAX_BUFFERS];	/* waiting, oldest first */
	unsigned int queued;
	struct frame next;	/* in the commit under way */
	struct frame current;	/* on the screen */
	struct proof proofs[PROOFS];	/* of the last frames, a ring */
	unsigned int n_proofs;
	int64_t last_sequence, last_drawn;
	uint64_t heard;		/* when, or when it was given time to speak again */

	/* for the report */
	unsigned int imports, reuses, copies, shown, composed, dropped, held, early;
	unsigned int read, compared, equal, foreign_inodes;
	uint64_t begun, last_flip, longest;	/* ns */
	uint32_t *latencies;	/* of each frame shown, us */
	unsigned int reported;	/* frames, in the lines of past seconds */
};

struct display {
	char device[64], driver[16], mode[48];
	int drm;
	uint32_t width, height, refresh;	/* refresh in mHz */
	unsigned int nudges;
	/* the last picture read back */
	const char *pixels;
	uint32_t stride;
};

struct options {
	const char *socket, *device, *render, *pictures, *log, *results;
	unsigned int width, height;		/* of the mode, 0: the display's choice */
	unsigned int columns, rows;		/* of cells */
	unsigned int clients, frames, proofs, picture_every, planes, patience;
	bool hold_in_kernel;
};

extern struct options options;
extern struct display display;
extern struct client clients[MAX_CLIENTS];
#define for_each_client(c) \
	for (struct client *c = clients; c < clients + MAX_CLIENTS; c++) if (c->used)

/* display.c: KMS, planes by libliftoff, imports, readback */
void display_open(void);
void display_close(void);
/* One use more of the dma-buf; takes *fd and makes it -1 when it is new. NULL and errno. */
struct dmabuf *dmabuf_import(int *fd, bool *fresh);
void dmabuf_unref(struct dmabuf *buf);
/* Make pic->fb; false when no plane of the display takes such a picture. */
bool framebuffer_create(struct picture *pic);
void framebuffer_destroy(struct picture *pic);
bool display_takes(uint32_t fourcc, uint64_t modifier);
struct liftoff_layer *display_layer_create(const struct rect *where);
void display_layer_destroy(struct liftoff_layer *layer);
/* Flip to every client's next frame, or current one. A sync_file that says when it is done. */
int display_flip(void);
/* Have what is on the screen written to display.pixels. A sync_file, as above. */
int display_read_back(void);
/* A readback does not end: see there. */
void display_nudge(void);
void display_nudge_done(void);

/* compose.c: EGL and OpenGL ES */
void compose_init(void);
void compose_finish(void);
bool compose_takes(uint32_t fourcc);
/* Make the textures, if there are none yet. */
bool compose_import(struct picture *pic);
void compose_forget(struct picture *pic);
/* The framebuffer that is under the planes now. */
uint32_t compose_framebuffer(void);
/*
 * Draw the clients that have no plane, if anything of that has changed. 0: nothing to do;
 * else a new framebuffer, and in *fence a sync_file of the drawing or -1.
 */
uint32_t compose(int *fence);
/* A commit with that framebuffer, or with the old one for 0, is on its way. */
void compose_shown(uint32_t fb);

/* clients.c: the protocol */
void client_accept(int listener);
void client_read(struct client *c);
/* It broke the rules, or left: tell why. Its buffers stay until client_free(). */
__attribute__((format(printf, 2, 3)))
void client_drop(struct client *c, const char *format, ...);
/* Send RELEASE; fence, if not -1, remains the caller's. */
void client_release(struct client *c, struct frame *frame, int fence);
/* Nothing of it is on the screen any more. */
void client_free(struct client *c);
/* What is known of the checksums of a frame, NULL for nothing. */
struct proof *find_proof(struct client *c, uint32_t sequence);
void client_proof(struct client *c, uint32_t sequence, const uint64_t *drawn,
		  const uint64_t *shown);

/* report.c: lines for people, a log and results for programs, pictures */
void report_open(void);
/* Each second: a line for each client. */
void report_second(void);
/* A client leaves: its totals and its results. */
void report_client(const struct client *c);
void report_frame(struct client *c, const struct frame *frame, uint64_t released);
void report_picture(unsigned int flip);
/* One line to people, with the time. */
__attribute__((format(printf, 1, 2)))
void say(const char *format, ...);
/* One line of JSON to the log: its event, then the rest of the object's text. */
__attribute__((format(printf, 2, 3)))
void log_event(const char *event, const char *format, ...);
/* Whether all that was shown was what was drawn. */
bool report_close(void);

#endif
