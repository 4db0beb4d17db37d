// SPDX-License-Identifier: MIT
/*
 * A small compositor: takes dma-bufs from clients over a socket and shows them on a display,
 * on planes where there are enough and drawn by OpenGL ES where not, without a copy.
 *
 *	compositor.c	the main loop: who is waited for, and what one flip is
 *	clients.c	what clients say, checked
 *	compose.c	what has no plane
 *	display.c	planes, commits, readback
 *	picture.c	dma-bufs and framebuffers
 *	kms.c		the display device and its mode
 *	report.c	what people and tests get to see
 *	options.c	the command line
 *	common.c	messages and fences, as in the clients
 *
 * Each calls only what stands below it.
 *
 * The loop waits in poll(2) for messages and fences, never for time to pass; the only
 * clocks are the lines of each second and the patience with clients that are silent.
 */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/sync_file.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clients.h"
#include "common.h"
#include "compose.h"
#include "display.h"
#include "kms.h"
#include "options.h"
#include "picture.h"
#include "report.h"

#define SECOND	1000000000ull

/* What the display is doing, and the sync_file that tells when it has done it. */
static enum { IDLE, FLIPPING, READING } state;
static int fence = -1;
static uint64_t state_since;

static unsigned int flips, clients_left;

/* When the fence signalled. It has: this is asked after poll(2). False for an error. */
static bool fence_time(int fd, uint64_t *time)
{
	struct sync_file_info info = { 0 };
	struct sync_fence_info *part;
	unsigned int i;
	bool ok;

	*time = 0;
	/* Without room for its parts, it tells how many there are. */
	if (retry_ioctl(fd, SYNC_IOC_FILE_INFO, &info) || info.status < 0)
		return false;
	part = calloc(info.num_fences + 1, sizeof(*part));
	if (!part)
		return false;
	info.sync_fence_info = (uintptr_t)part;
	ok = !retry_ioctl(fd, SYNC_IOC_FILE_INFO, &info);
	for (i = 0; ok && i < info.num_fences; i++)
		if (part[i].timestamp_ns > *time)
			*time = part[i].timestamp_ns;
	free(part);
	return ok;
}

/* The plane that a client is on; 0 when it is composed or not on the screen. */
static uint32_t plane_of(const struct client *c)
{
	return c->layer ? c->layer->plane : 0;
}

/* Whether a client's oldest waiting frame may go into the next commit. */
static bool frame_ready(const struct client *c)
{
	if (!c->queued || c->gone)
		return false;
	/*
	 * A commit cannot be taken back: a fence in it that never signals would stop every
	 * client. So the drawing is waited for here, where it stops only its own client,
	 * unless all are trusted; then the kernel holds the flip back. What is composed is
	 * read by us, and is waited for in any case.
	 */
	return (options.hold_in_kernel && plane_of(c)) || !fence_pending(c->queue[0].fence);
}

static bool wants_to_leave(const struct client *c)
{
	return c->gone || (c->bye && !c->queued);
}

/* Whether there is anything new to see. */
static bool flip_needed(void)
{
	bool needed = !flips;

	for_each_client(c)
		needed |= frame_ready(c) || (wants_to_leave(c) && c->current.picture);
	return needed;
}

/* What the client shows from the next commit on: its next frame, or still the current one. */
static void layer_fill(struct client *c)
{
	const struct frame *frame = c->next.picture ? &c->next : &c->current;

	c->layer->picture = frame->picture;
	c->layer->fence = frame->fence;
	c->layer->serial = frame->serial;
}

/* Put what the layers hold on the screen. A sync_file that says when it is there. */
static int layers_show(void)
{
	uint32_t background;
	int done, drawing;

	do {
		display_plan(compose_framebuffer());
		background = compose(&drawing);
		for_each_client(c)
			if (c->layer && c->layer->refused)
				client_drop(c, "neither the display nor EGL can show its buffer");
		done = display_commit(background, drawing);
	} while (done < 0);
	compose_shown(background);
	return done;
}

/* One flip: every client's next frame that is ready, and without those who leave. */
static void flip(void)
{
	const uint64_t time = now();

	for_each_client(c) {
		c->fresh = false;
		if (wants_to_leave(c)) {
			if (c->layer)
				display_layer_destroy(c->layer);
			c->layer = NULL;
			c->unmapped = true;
		} else if (frame_ready(c)) {
			c->next = c->queue[0];
			c->queued--;
			memmove(c->queue, c->queue + 1, c->queued * sizeof(c->queue[0]));
			c->next.committed = time;
			c->next.held = fence_pending(c->next.fence);
			c->tally.held += c->next.held;
		}
		if (c->layer)
			layer_fill(c);
	}

	fence = layers_show();
	state = FLIPPING;
	state_since = time;
	flips++;

	/* What this flip takes off the screen is free when it is done, as its fence tells. */
	for_each_client(c)
		if (c->current.picture && (c->next.picture || c->unmapped))
			client_release(c, &c->current, fence);
}

/* What a client's new frame on the screen means for the report. */
static void frame_shown(struct client *c, uint64_t time)
{
	const uint64_t period = kms.refresh ? 1000 * SECOND / kms.refresh : 0;
	uint64_t drawn = 0;

	/* Did the display wait for the drawing? A late vblank's stamp may be a period before it. */
	if (fence_pending(c->next.fence))
		c->tally.early++;
	else if (!fence_time(c->next.fence, &drawn))
		client_drop(c, "the drawing of frame %u ended with an error", c->next.sequence);
	else if (drawn > time + period)
		c->tally.early++;

	c->tally.copies += c->next.picture->copied;
	c->tally.composed += !plane_of(c);
	tally_shown(&c->tally, c->next.submitted, time);
	c->heard = now();
}

/* A frame has left the screen: all that is known of it. */
static void log_frame(struct client *c, const struct frame *frame, uint64_t released)
{
	const struct proof *proof = find_proof(c, frame->sequence);

	log_event("frame", "\"client\":\"%s\",\"buffer\":%u,\"sequence\":%u,\"fb\":%u,"
		  "\"plane\":%u,\"held\":%s,\"submit_ns\":%" PRIu64 ",\"commit_ns\":%" PRIu64
		  ",\"flip_ns\":%" PRIu64 ",\"release_ns\":%" PRIu64
		  ",\"checksum_drawn\":\"%016" PRIx64 "\",\"checksum_shown\":\"%016" PRIx64 "\"",
		  c->name, frame->cookie, frame->sequence, frame->picture->fb, plane_of(c),
		  frame->held ? "true" : "false", frame->submitted, frame->committed,
		  frame->flipped, released, proof ? proof->drawn : 0, proof ? proof->shown : 0);
}

/* The flip is done: what it brought is on the screen, what it took off has gone. */
static void flip_done(uint64_t time)
{
	for_each_client(c) {
		if (c->unmapped) {
			if (c->current.picture)
				log_frame(c, &c->current, time);
			client_free(c);
			clients_left++;
			continue;
		}
		if (!c->next.picture)
			continue;
		if (c->current.picture) {
			log_frame(c, &c->current, time);
			close(c->current.fence);
		}
		frame_shown(c, time);
		c->next.flipped = time;
		c->current = c->next;
		c->next.picture = NULL;
		c->fresh = true;
	}
}

/* Whether this flip is read back: for a picture, or for a proof that some client lacks. */
static bool readback_needed(void)
{
	bool needed = options.picture_every && flips % options.picture_every == 1;

	for_each_client(c)
		needed |= c->current.picture && c->fresh && c->tally.read < options.proofs;
	return needed;
}

static void readback_done(void)
{
	for_each_client(c) {
		const char *pixels = readback.pixels + (size_t)c->where.y * readback.stride +
			4 * c->where.x;
		uint64_t sum;

		/* Only what the last flip brought; the rest has been compared before. */
		if (!c->current.picture || !c->fresh || c->tally.read >= options.proofs)
			continue;
		sum = checksum(pixels, readback.stride, c->where.width, c->where.height);
		client_proof(c, c->current.sequence, NULL, &sum);
		c->tally.read++;
	}
	if (options.picture_every && flips % options.picture_every == 1)
		report_picture(flips, readback.pixels, readback.stride, kms.width, kms.height);
}

/* The fence of the flip or of the readback has signalled. */
static void fence_done(void)
{
	uint64_t time;

	if (!fence_time(fence, &time))
		errx(1, "%s: a %s ended with an error", kms.device,
		     state == FLIPPING ? "flip" : "readback");
	close(fence);
	fence = -1;
	if (state == FLIPPING) {
		flip_done(time);
		state = IDLE;
		if (readback_needed()) {
			fence = display_read_back();
			state = READING;
			state_since = now();
		}
	} else {
		display_nudge_done();
		readback_done();
		state = IDLE;
	}
}

/* Between commits: those with nothing on the screen can go at once. */
static void free_clients(void)
{
	for_each_client(c) {
		if (!wants_to_leave(c) || c->current.picture)
			continue;
		clients_left += c->greeted;
		client_free(c);
	}
}

/* Drop who has been silent, or whose drawing does not end. */
static void lose_patience(void)
{
	const uint64_t limit = options.patience * SECOND, time = now();

	for_each_client(c) {
		if (c->gone)
			continue;
		if (c->queued) {
			/* While the display is stuck, so may be a drawing that waits for a release. */
			if ((state == IDLE || time - state_since < limit) &&
			    time - c->queue[0].received > limit &&
			    fence_pending(c->queue[0].fence))
				client_drop(c, "the drawing of frame %u has not ended in %u seconds",
					    c->queue[0].sequence, options.patience);
		} else if (!c->bye && !c->next.picture && time - c->heard > limit) {
			client_drop(c, "silent for %u seconds", options.patience);
		}
	}
	if (state == READING && time - state_since > SECOND)
		display_nudge();
	if (state != IDLE && time - state_since > 3 * limit)
		errx(1, "%s: no %s in %u seconds", kms.device,
		     state == FLIPPING ? "flip" : "picture to read back", 3 * options.patience);
}

/* Let the display end what it does. */
static void finish_commits(void)
{
	while (state != IDLE) {
		struct pollfd pollfd = { .fd = fence, .events = POLLIN };

		if (!poll(&pollfd, 1, 1000) && state == READING)
			display_nudge();
		fence_wait(fence);
		fence_done();
	}
}

static int listen_on(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock;

	if (strlen(path) >= sizeof(addr.sun_path))
		errx(1, "%s: the name is too long for a socket", path);
	strcpy(addr.sun_path, path);
	unlink(path);
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0 || bind(sock, (struct sockaddr *)&addr, sizeof(addr)) || listen(sock, 8))
		err(1, "%s: cannot listen", path);
	return sock;
}

/* Wait for a client, a message, a fence or the next second. False when told to end. */
static bool wait_for_something(int listener, int signals, uint64_t next_second)
{
	struct pollfd fds[2 * MAX_CLIENTS + 3];
	struct client *who[MAX_CLIENTS];
	const uint64_t time = now();
	unsigned int i, n = 0;

	for_each_client(c) {
		if (c->gone)
			continue;
		who[n] = c;
		fds[n++] = (struct pollfd){ .fd = c->sock, .events = c->bye ? 0 : POLLIN };
	}
	i = n;
	fds[i++] = (struct pollfd){ .fd = listener, .events = POLLIN };
	fds[i++] = (struct pollfd){ .fd = signals, .events = POLLIN };
	fds[i++] = (struct pollfd){ .fd = fence, .events = POLLIN };
	/* A drawing that a flip could wait for. */
	if (state == IDLE)
		for_each_client(c)
			if (c->queued && !c->gone)
				fds[i++] = (struct pollfd){
					.fd = c->queue[0].fence, .events = POLLIN
				};

	if (poll(fds, i, next_second > time ? (next_second - time) / 1000000 + 1 : 0) < 0 &&
	    errno != EINTR)
		err(1, "poll");
	for (i = 0; i < n; i++) {
		if (fds[i].revents & POLLIN)
			client_read(who[i]);
		else if (fds[i].revents)
			client_drop(who[i], "it has gone");
	}
	if (fds[n + 2].revents)
		fence_done();
	if (fds[n].revents)
		client_accept(listener);
	return !fds[n + 1].revents;
}

/* A line for each client. */
static void tell_second(void)
{
	for_each_client(c)
		if (c->greeted && !c->gone)
			report_second(c->name, &c->tally, plane_of(c));
}

/* Until a signal comes, or as many clients as wanted have come and gone. */
static void run(int listener, int signals)
{
	uint64_t next_second = now() + SECOND;

	do {
		if (now() >= next_second) {
			lose_patience();
			tell_second();
			next_second = now() + SECOND;
		}
		if (state == IDLE) {
			free_clients();
			if (options.clients && clients_left >= options.clients)
				break;
			if (flip_needed())
				flip();
		}
	} while (wait_for_something(listener, signals, next_second));
}

/* Let the display end what it does, then take everybody off it. */
static void stop(void)
{
	for_each_client(c)
		client_drop(c, "the compositor ends");
	finish_commits();
	flip();
	finish_commits();
	free_clients();
	compose_finish();
	display_close();
}

static int block_signals(void)
{
	sigset_t mask;
	int fd;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	fd = signalfd(-1, &mask, SFD_CLOEXEC);
	if (fd < 0)
		err(1, "signalfd");
	return fd;
}

int main(int argc, char **argv)
{
	int listener, signals;

	options_parse(argc, argv);
	signals = block_signals();
	report_open();
	display_open();
	compose_init();
	log_event("display", "\"device\":\"%s\",\"driver\":\"%s\",\"mode\":\"%s\",\"width\":%u,"
		  "\"height\":%u", kms.device, kms.driver, kms.mode, kms.width, kms.height);
	listener = listen_on(options.socket);
	if (options.ready_fd) {
		dprintf(options.ready_fd, "ready\n");
		close(options.ready_fd);
	}

	run(listener, signals);

	close(listener);
	unlink(options.socket);
	stop();
	say("display: off after %u flips, %u stuck readbacks", flips, readback.stuck);
	log_event("end", "\"flips\":%u,\"clients\":%u,\"stuck_readbacks\":%u", flips,
		  clients_left, readback.stuck);
	return report_close() ? 0 : 1;
}
