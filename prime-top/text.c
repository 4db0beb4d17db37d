// SPDX-License-Identifier: MIT
/* A table as text, or leaks, for --batch. */
#include "top.h"

/* Returns whether it could be written. */
bool text_print(const struct snapshot *s, const struct wish *wish)
{
	static struct rows rows;
	char line[LINE];

	print_summary(s, line);
	out_text(line);
	for (unsigned int i = 0; i < s->nr_missing; i++) {
		out_text("\nmissing: ");
		out_text(s->missing[i]);
	}
	out_text("\n\n");
	out_text(rows_header(wish->by));
	out_text("\n");
	rows_build(&rows, s, wish);
	for (uint32_t i = 0; i < rows.nr; i++) {
		char *end = row_print(&rows, s, wish, rows.order[i], out_room());

		*end++ = '\n';
		out_end(end);
	}
	out_text("\n");
	return out_flush();
}

/*
 * Prints a line for each process that holds more than @limit buffers, but only once
 * while it holds any. The first time it also prints what can't be seen.
 * @before: an older snapshot, or NULL
 */
bool leak_print(struct snapshot *s, const struct snapshot *before, uint32_t limit)
{
	for (unsigned int i = 0; !before && i < s->nr_missing; i++) {
		out_text("missing: ");
		out_text(s->missing[i]);
		out_text("\n");
	}
	for (uint32_t i = FIRST_PROCESS; i < s->nr_processes; i++) {
		struct process *p = &s->processes[i];
		const struct process *old = before ? snapshot_find_process(before, p->pid) : NULL;
		char line[LINE];

		p->warned = old && old->warned;
		if (p->warned || p->buffers <= limit)
			continue;
		p->warned = true;
		snprintf(line, sizeof(line), "leak: process %d (%s) holds %u buffers, %s\n", p->pid,
			 p->comm, p->buffers, size_text(p->size));
		out_text(line);
	}
	return out_flush();
}
