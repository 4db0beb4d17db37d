// SPDX-License-Identifier: MIT
/*
 * A small compositor: takes dma-bufs from clients over a socket and shows them on a display,
 * on planes where there are enough and drawn by OpenGL ES where not, without a copy.
 *
 *	compositor.c	the main loop: who is waited for, and what one flip is
 *	clients.c	what clients say, checked
 *	display.c	mode, imports, planes, commits, readback
 *	compose.c	what has no plane
 *	report.c	what people and tests get to see
 *
 * The loop waits in poll(2) for messages and fences, never for time to pass; the only
 * clocks are the lines of each second and the patience with clients that are silent.
 */

#include <err.h>
#include <errno.h>
#include <getopt.h>
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

#include "compositor.h"

#define SECOND	1000000000ull

struct options options = {
	.socket = DEMO_SOCKET,
	.columns = 2,
	.rows = 2,
	.planes = MAX_CLIENTS,
	.patience = 30,
};

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
	return (options.hold_in_kernel && c->plane) || !fence_pending(c->queue[0].fence);
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
			c->held += c->next.held;
		}
	}

	fence = display_flip();
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
	const uint64_t period = display.refresh ? 1000 * SECOND / display.refresh : 0;
	uint64_t drawn = 0;
	uint32_t *latencies;

	/* Did the display wait for the drawing? A late vblank's stamp may be a period before it. */
	if (fence_pending(c->next.fence))
		c->early++;
	else if (!fence_time(c->next.fence, &drawn))
		client_drop(c, "the drawing of frame %u ended with an error", c->next.sequence);
	else if (drawn > time + period)
		c->early++;

	c->copies += c->next.picture->copied;
	c->composed += !c->plane;
	if (c->shown && time - c->last_flip > c->longest)
		c->longest = time - c->last_flip;
	c->last_flip = time;
	latencies = realloc(c->latencies, (c->shown + 1) * sizeof(*latencies));
	if (!latencies)
		err(1, "out of memory");
	c->latencies = latencies;
	c->latencies[c->shown++] = time > c->next.submitted ?
		(time - c->next.submitted) / 1000 : 0;
	c->heard = now();
}

/* The flip is done: what it brought is on the screen, what it took off has gone. */
static void flip_done(uint64_t time)
{
	for_each_client(c) {
		if (c->unmapped) {
			if (c->current.picture)
				report_frame(c, &c->current, time);
			client_free(c);
			clients_left++;
			continue;
		}
		if (!c->next.picture)
			continue;
		if (c->current.picture) {
			report_frame(c, &c->current, time);
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
		needed |= c->current.picture && c->fresh && c->read < options.proofs;
	return needed;
}

static void readback_done(void)
{
	for_each_client(c) {
		const char *pixels = display.pixels + (size_t)c->where.y * display.stride +
			4 * c->where.x;
		uint64_t sum;

		/* Only what the last flip brought; the rest has been compared before. */
		if (!c->current.picture || !c->fresh || c->read >= options.proofs)
			continue;
		sum = checksum(pixels, display.stride, c->where.width, c->where.height);
		client_proof(c, c->current.sequence, NULL, &sum);
		c->read++;
	}
	if (options.picture_every && flips % options.picture_every == 1)
		report_picture(flips);
}

/* The fence of the flip or of the readback has signalled. */
static void fence_done(void)
{
	uint64_t time;

	if (!fence_time(fence, &time))
		errx(1, "%s: a %s ended with an error", display.device,
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
		errx(1, "%s: no %s in %u seconds", display.device,
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

static void usage(FILE *to)
{
	fprintf(to,
		"usage: compositor [options]\n"
		"Show the dma-bufs of clients on a display, without a copy.\n"
		"\n"
		"  --socket PATH      where to listen (" DEMO_SOCKET ")\n"
		"  --device PATH      the display (the first one there is)\n"
		"  --render PATH      the DRM device for EGL (the display)\n"
		"  --mode WxH         the mode (what the monitor prefers)\n"
		"  --grid CxR         columns and rows of places for clients (2x2)\n"
		"  --planes N         at most N clients on planes, the others are composed\n"
		"  --hold here|kernel who waits for a drawing that has not ended: the compositor, for\n"
		"                     this client alone, or the kernel, for the flip of all (here)\n"
		"  --patience S       seconds until a silent client is dropped (30)\n"
		"  --clients N        end when so many have come and gone (never)\n"
		"  --proof N          read back N frames of each client and compare checksums\n"
		"  --frames N         how many frames each has to show, for --results\n"
		"  --pictures DIR     save the screen there, as screen-NNNNNN.png\n"
		"  --picture-every N  at every Nth flip, beginning with the first (60)\n"
		"  --log FILE         write all events, one JSON object a line\n"
		"  --results FILE     write a line for each check: name, pass or fail, reason\n"
		"  --ready-fd N       write a line to this descriptor when the socket is there\n"
		"  --help             this text\n"
		"\n"
		"SIGTERM and SIGINT end it. Exit status: 0 when all that was shown was what was drawn,\n"
		"1 when not or when the display fails, 2 for a mistake on the command line.\n");
}

static int parse_options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "device", required_argument, NULL, 'd' },
		{ "render", required_argument, NULL, 'e' },
		{ "mode", required_argument, NULL, 'm' },
		{ "grid", required_argument, NULL, 'g' },
		{ "planes", required_argument, NULL, 'a' },
		{ "hold", required_argument, NULL, 'o' },
		{ "patience", required_argument, NULL, 'w' },
		{ "clients", required_argument, NULL, 'n' },
		{ "proof", required_argument, NULL, 'c' },
		{ "frames", required_argument, NULL, 'f' },
		{ "pictures", required_argument, NULL, 'p' },
		{ "picture-every", required_argument, NULL, 'v' },
		{ "log", required_argument, NULL, 'l' },
		{ "results", required_argument, NULL, 'r' },
		{ "ready-fd", required_argument, NULL, 'y' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int opt, ready = -1;
	char junk;

	while ((opt = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (opt) {
		case 's':
			options.socket = optarg;
			break;
		case 'd':
			options.device = optarg;
			break;
		case 'e':
			options.render = optarg;
			break;
		case 'm':
			if (sscanf(optarg, "%ux%u%c", &options.width, &options.height,
				   &junk) != 2 || !options.width || !options.height)
				errx(2, "--mode: '%s' is not WxH", optarg);
			break;
		case 'g':
			if (sscanf(optarg, "%ux%u%c", &options.columns, &options.rows,
				   &junk) != 2 || !options.columns || !options.rows ||
			    options.columns > MAX_CELLS || options.rows > MAX_CELLS ||
			    options.columns * options.rows > MAX_CELLS)
				errx(2, "--grid: '%s' is not CxR of at most %d", optarg,
				     MAX_CELLS);
			break;
		case 'a':
			options.planes = parse_number("--planes", optarg, 0, MAX_CLIENTS);
			break;
		case 'o':
			options.hold_in_kernel = !strcmp(optarg, "kernel");
			if (!options.hold_in_kernel && strcmp(optarg, "here"))
				errx(2, "--hold: '%s' is neither here nor kernel", optarg);
			break;
		case 'w':
			options.patience = parse_number("--patience", optarg, 1, 3600);
			break;
		case 'n':
			options.clients = parse_number("--clients", optarg, 1, 1000000);
			break;
		case 'c':
			options.proofs = parse_number("--proof", optarg, 1, 1000000);
			break;
		case 'f':
			options.frames = parse_number("--frames", optarg, 1, 1000000);
			break;
		case 'p':
			options.pictures = optarg;
			break;
		case 'v':
			options.picture_every = parse_number("--picture-every", optarg, 1, 1000000);
			break;
		case 'l':
			options.log = optarg;
			break;
		case 'r':
			options.results = optarg;
			break;
		case 'y':
			ready = parse_number("--ready-fd", optarg, 1, 1000);
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind < argc)
		errx(2, "what is '%s'? (see --help)", argv[optind]);
	if (options.picture_every && !options.pictures)
		errx(2, "--picture-every: where to? (--pictures)");
	if (options.pictures && !options.picture_every)
		options.picture_every = 60;
	return ready;
}

int main(int argc, char **argv)
{
	const int ready = parse_options(argc, argv);
	int listener, signals;
	uint64_t next_second;
	sigset_t mask;
	bool sound;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signals = signalfd(-1, &mask, SFD_CLOEXEC);
	if (signals < 0)
		err(1, "signalfd");

	report_open();
	display_open();
	compose_init();
	log_event("display", "\"device\":\"%s\",\"driver\":\"%s\",\"mode\":\"%s\",\"width\":%u,"
		  "\"height\":%u", display.device, display.driver, display.mode, display.width,
		  display.height);
	listener = listen_on(options.socket);
	if (ready >= 0) {
		dprintf(ready, "ready\n");
		close(ready);
	}

	next_second = now() + SECOND;
	do {
		if (now() >= next_second) {
			lose_patience();
			report_second();
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

	/* Let the display end what it does, then take everybody off it. */
	close(listener);
	unlink(options.socket);
	for_each_client(c)
		client_drop(c, "the compositor ends");
	finish_commits();
	flip();
	finish_commits();
	free_clients();
	compose_finish();
	display_close();
	say("display: off after %u flips, %u stuck readbacks", flips, display.nudges);
	log_event("end", "\"flips\":%u,\"clients\":%u,\"stuck_readbacks\":%u", flips,
		  clients_left, display.nudges);
	sound = report_close();
	return sound ? 0 : 1;
}
