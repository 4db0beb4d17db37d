/* SPDX-License-Identifier: GPL-2.0 */
/* What happened in a schedule, as numbered lines with thread, function and line. */
#ifndef EXPLORE_STORY_H
#define EXPLORE_STORY_H

struct story {
	int on;
	int n, size;
	struct story_event *events;
};

void story_begin(struct story *s);
void story_add(struct story *s, int thread, int event, unsigned long addr, unsigned long size,
	       const char *what, unsigned long pc, const unsigned long *stack, int depth);
/* Prints it. */
void story_end(struct story *s, const char *const *threads);
/* The function and line of an address. */
void story_where(struct story *s, unsigned long pc, char *buf, unsigned long size);

#endif /* EXPLORE_STORY_H */
