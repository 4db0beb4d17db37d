// SPDX-License-Identifier: MIT
/* A table as text, for --batch. */
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
