// SPDX-License-Identifier: MIT
/* The command line of the compositor. */

#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common.h"
#include "options.h"

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

struct options options = {
	.socket = DEMO_SOCKET,
	.seat = "seat0",
	.columns = 2,
	.rows = 2,
	.planes = MAX_CELLS,
	.patience = 30,
};

static void parse_mode(const char *text)
{
	char junk;

	if (sscanf(text, "%ux%u%c", &options.width, &options.height, &junk) != 2 ||
	    !options.width || !options.height)
		errx(2, "--mode: '%s' is not WxH", text);
}

static void parse_grid(const char *text)
{
	char junk;

	if (sscanf(text, "%ux%u%c", &options.columns, &options.rows, &junk) != 2 ||
	    !options.columns || !options.rows || options.columns > MAX_CELLS ||
	    options.rows > MAX_CELLS || options.columns * options.rows > MAX_CELLS)
		errx(2, "--grid: '%s' is not CxR of at most %d", text, MAX_CELLS);
}

/* Each option with a value: a text, a number from min to max, or what parse() makes of it. */
static const struct {
	const char *name;
	const char **text;
	unsigned int *number, min, max;
	void (*parse)(const char *text);
} settings[] = {
	{ "socket", .text = &options.socket },
	{ "device", .text = &options.device },
	{ "render", .text = &options.render },
	{ "seat", .text = &options.seat },
	{ "mode", .parse = parse_mode },
	{ "grid", .parse = parse_grid },
	{ "planes", .number = &options.planes, .min = 0, .max = MAX_CELLS },
	{ "patience", .number = &options.patience, .min = 1, .max = 3600 },
	{ "proof", .number = &options.proofs, .min = 1, .max = 1000000 },
	{ "frames", .number = &options.frames, .min = 1, .max = 1000000 },
	{ "pictures", .text = &options.pictures },
	{ "picture-every", .number = &options.picture_every, .min = 1, .max = 1000000 },
	{ "log", .text = &options.log },
	{ "results", .text = &options.results },
	{ "ready-fd", .number = &options.ready_fd, .min = 1, .max = 1000 },
};

static void usage(FILE *to)
{
	fprintf(to,
		"usage: compositor [options]\n"
		"A Wayland compositor: show the dma-bufs of clients on a display, without a copy.\n"
		"\n"
		"  --socket PATH      where to listen, the WAYLAND_DISPLAY of clients (" DEMO_SOCKET ")\n"
		"  --device PATH      the display (the first one there is)\n"
		"  --render PATH      the DRM device for EGL (the display)\n"
		"  --seat NAME        whose keyboards and pointers (seat0), unless seatd or logind tells\n"
		"  --mode WxH         the mode (what the monitor prefers)\n"
		"  --grid CxR         columns and rows of places for windows (2x2)\n"
		"  --planes N         at most N windows on planes, the others are composed\n"
		"  --patience S       seconds until a client that answers no ping is dropped (30)\n"
		"  --proof N          read back N frames of each window and compare checksums\n"
		"  --frames N         how many frames each has to show, for --results\n"
		"  --pictures DIR     save the screen there, as screen-NNNNNN.png\n"
		"  --picture-every N  at every Nth flip, beginning with the first (60)\n"
		"  --log FILE         write all events, one JSON object a line\n"
		"  --results FILE     write a line for each check: name, pass or fail, reason\n"
		"  --ready-fd N       write a line to this descriptor when the socket is there\n"
		"  --help             this text\n"
		"\n"
		"SIGTERM and SIGINT end it. Exit status: 0 when all that was shown was what was drawn,\n"
		"1 when not, when a picture cannot be saved, or when the display fails, 2 for a mistake\n"
		"on the command line.\n");
}

static void setting_parse(size_t i, const char *value)
{
	char name[24];

	snprintf(name, sizeof(name), "--%s", settings[i].name);
	if (settings[i].text)
		*settings[i].text = value;
	else if (settings[i].number)
		*settings[i].number = parse_number(name, value, settings[i].min, settings[i].max);
	else
		settings[i].parse(value);
}

void options_parse(int argc, char **argv)
{
	enum { HELP = COUNT(settings) };
	struct option names[COUNT(settings) + 2] = {
		[HELP] = { "help", no_argument, NULL, HELP },
	};
	size_t i;
	int opt;

	for (i = 0; i < COUNT(settings); i++)
		names[i] = (struct option){ settings[i].name, required_argument, NULL, i };
	while ((opt = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (opt == '?') {
			usage(stderr);
			exit(2);
		}
		if (opt == HELP) {
			usage(stdout);
			exit(0);
		}
		setting_parse(opt, optarg);
	}
	if (optind < argc)
		errx(2, "what is '%s'? (see --help)", argv[optind]);
	if (options.picture_every && !options.pictures)
		errx(2, "--picture-every: where to? (--pictures)");
	if (options.pictures && !options.picture_every)
		options.picture_every = 60;
}
