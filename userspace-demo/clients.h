/* SPDX-License-Identifier: MIT */
/* The clients: what they have sent, and what is known of it. */
#ifndef DEMO_CLIENTS_H
#define DEMO_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common.h"
#include "options.h"
#include "picture.h"
#include "report.h"

#define PROOFS	64	/* frames a checksum may be late */

struct layer;

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
	struct layer *layer;	/* from its HELLO until it leaves the screen */

	struct picture pictures[MAX_BUFFERS];
	struct frame queue[MAX_BUFFERS];	/* waiting, oldest first */
	unsigned int queued;
	struct frame next;	/* in the commit under way */
	struct frame current;	/* on the screen */
	struct proof proofs[PROOFS];	/* of the last frames, a ring */
	unsigned int n_proofs;
	int64_t last_sequence, last_drawn;
	uint64_t heard;		/* when, or when it was given time to speak again */

	struct tally tally;
};

extern struct client clients[MAX_CLIENTS];
#define for_each_client(c) \
	for (struct client *c = clients; c < clients + MAX_CLIENTS; c++) if (c->used)

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

#endif
