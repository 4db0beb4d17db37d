// SPDX-License-Identifier: GPL-2.0
/* Prints what happened in a schedule. addr2line knows functions and lines. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"
#include "story.h"

#define CALLERS 6

struct story_event {
	int thread, event;
	unsigned long addr, size;
	const char *what;
	unsigned long pcs[CALLERS];
};

/* The innermost function at an address that is neither in a header nor in the runtime. */
struct place {
	unsigned long pc;
	char text[120];
};

static struct place *places;
static int placed;

static const char *short_path(const char *path)
{
	const char *p = path + strlen(path);
	int slashes = 0;

	while (p > path && slashes < 2)
		slashes += *--p == '/';
	return *p == '/' ? p + 1 : p;
}

/* A frame as addr2line -f prints it, in two lines. */
static void add_frame(struct place *place, const char *function, char *line)
{
	char *end;

	if (place->text[0] || strstr(line, "/include/") ||
	    strstr(line, "/explore/explore/runtime/") || strstr(line, "??"))
		return;
	end = strstr(line, " (discriminator");
	if (end)
		*end = 0;
	snprintf(place->text, sizeof(place->text), "%.60s() %.50s", function, short_path(line));
}

/* Finds the places of all addresses that are new. */
static void find_places(const unsigned long *pcs, int n)
{
	char name[] = "/tmp/explore.XXXXXX", command[200], function[200], line[1000];
	int fd = mkstemp(name), first = placed, i, j;
	struct place *place = NULL;
	FILE *f = fdopen(fd, "w");

	places = realloc(places, (placed + n) * sizeof(*places));
	for (i = 0; i < n; i++) {
		for (j = 0; j < placed && places[j].pc != pcs[i]; j++)
			;
		if (j < placed || !pcs[i])
			continue;
		places[placed++] = (struct place){ .pc = pcs[i] };
		/* A return address is after the call. */
		fprintf(f, "0x%lx\n", pcs[i] - 1);
	}
	fclose(f);
	snprintf(command, sizeof(command), "addr2line -a -f -i -e /proc/%d/exe <%s", getpid(),
		 name);
	f = popen(command, "r");
	place = places + first - 1;
	while (first < placed && f && fgets(function, sizeof(function), f)) {
		function[strcspn(function, "\n")] = 0;
		if (!strncmp(function, "0x", 2)) {
			place++;
			continue;
		}
		if (!fgets(line, sizeof(line), f))
			break;
		line[strcspn(line, "\n")] = 0;
		add_frame(place, function, line);
	}
	if (f)
		pclose(f);
	unlink(name);
}

static const char *place_of(unsigned long pc)
{
	int i;

	for (i = 0; i < placed; i++)
		if (places[i].pc == pc)
			return places[i].text;
	return "";
}

void story_where(struct story *s, unsigned long pc, char *buf, unsigned long size)
{
	find_places(&pc, 1);
	snprintf(buf, size, "%s", place_of(pc));
	if (!*buf)
		snprintf(buf, size, "0x%lx", pc);
}

void story_begin(struct story *s)
{
	s->on = 1;
	s->n = 0;
}

void story_add(struct story *s, int thread, int event, unsigned long addr, unsigned long size,
	       const char *what, unsigned long pc, const unsigned long *stack, int depth)
{
	struct story_event *e;
	int i;

	if (s->n == s->size) {
		s->size = s->size ? 2 * s->size : 1024;
		s->events = realloc(s->events, s->size * sizeof(*s->events));
	}
	e = &s->events[s->n++];
	*e = (struct story_event){
		.thread = thread, .event = event, .addr = addr, .size = size, .what = what
	};
	e->pcs[0] = pc;
	for (i = 1; i < CALLERS && depth; i++)
		e->pcs[i] = stack[--depth];
}

static const char *event_place(const struct story_event *e, const char **caller)
{
	const char *place = "";
	int i;

	*caller = "";
	for (i = 0; i < CALLERS; i++) {
		const char *p = place_of(e->pcs[i]);

		if (!*place) {
			place = p;
		} else if (*p) {
			*caller = p;
			break;
		}
	}
	return place;
}

/* A note of a scenario has no place; a fault has one. */
static void print_event(const struct story_event *e, int number, const char *const *threads)
{
	static const char *const verbs[] = {
		[EX_READ] = "reads",	  [EX_WRITE] = "writes",    [EX_LOCK] = "takes",
		[EX_UNLOCK] = "drops",	  [EX_BLOCK] = "waits for", [EX_WAKE] = "wakes",
		[EX_ALLOC] = "allocates", [EX_FREE] = "frees",	    [EX_CHOICE] = "fails:",
		[EX_NOTE] = "",		  [EX_SWITCH] = "",
	};
	const char *caller, *place = event_place(e, &caller);
	char what[100] = "";

	if (e->event == EX_NOTE && !e->pcs[0]) {
		printf("%4d. %-8s %s\n", number, threads[e->thread], e->what);
		return;
	}
	if (e->event == EX_NOTE)
		printf("%4d. %-8s   FAULT: %s", number, threads[e->thread], e->what);
	else if (e->what)
		snprintf(what, sizeof(what), "%s", e->what);
	else
		snprintf(what, sizeof(what), "%lu bytes at %lx", e->size,
			 e->addr & 0xffffffffffful);
	if (e->event != EX_NOTE)
		printf("%4d. %-8s   %s %s", number, threads[e->thread], verbs[e->event], what);
	if (*place)
		printf(" in %s", place);
	if (*caller)
		printf(" < %s", caller);
	printf("\n");
}

void story_end(struct story *s, const char *const *threads)
{
	unsigned long *pcs = malloc((s->n * CALLERS + 1) * sizeof(*pcs));
	int n = 0, i, j, from = 0, number = 0;
	const int all = getenv("EXPLORE_ALL") != NULL;

	for (i = 0; i < s->n; i++)
		for (j = 0; j < CALLERS; j++)
			pcs[n++] = s->events[i].pcs[j];
	find_places(pcs, n);
	free(pcs);
	/* Of each turn of a thread the notes, the first and the last events. */
	for (i = 0; i < s->n; i++) {
		const struct story_event *e = &s->events[i];

		if (e->event == EX_SWITCH) {
			printf("      --- %s goes on ---\n", threads[e->size]);
			from = i;
			continue;
		}
		number++;
		for (j = i; j < s->n && s->events[j].event != EX_SWITCH; j++)
			;
		if (!all && i - from > 6 && j - i > 8 && e->event != EX_NOTE &&
		    e->event != EX_BLOCK && e->event != EX_CHOICE)
			continue;
		print_event(e, number, threads);
	}
	s->on = 0;
}
