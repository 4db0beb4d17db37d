// SPDX-License-Identifier: MIT
/* Rows of a table as lines of text. */
#include "top.h"

/*
 * Writes a left-aligned text of @width columns, at most 20. A longer text is cut.
 * Returns its end.
 */
static inline char *left(char *to, const char *text, int width)
{
	int done = 0, plain = 8;

	for (; done < width && plain == 8; done += plain)
		plain = copy_plain(to + done, text + done);
	if (done > width)
		done = width;
	to += done;
	text += done;
	width -= done;
	while (*text && width > 0) {
		int length, columns = columns_of(text, 8, &length);

		if (columns > width)
			break;
		to = mempcpy(to, text, length);
		text += length;
		width -= columns;
	}
	memset(to, ' ', 24);
	return to + width + 1;
}

/*
 * A right-aligned text is made in an array of twice this size that begins with
 * spaces. A number ends in the middle of the array, and its unit begins there.
 */
enum { MIDDLE = 32 };

/* Writes the text that ends at @end as a right-aligned column. A longer text is not cut. */
static inline char *right(char *to, const char *start, const char *end, int width)
{
	int length = end - start > width ? end - start : width;

	/* Copies more than the text, since a copy of known length costs least. */
	memcpy(to, end - length, 32);
	to[length] = ' ';
	return to + length + 1;
}

static inline char *number(char *to, uint64_t value, int width)
{
	char text[2 * MIDDLE];

	memset(text, ' ', sizeof(text));
	return right(to, number_text(value, text + MIDDLE), text + MIDDLE, width);
}

static char *none(char *to, int width)
{
	char text[2 * MIDDLE];

	memset(text, ' ', sizeof(text));
	text[MIDDLE - 1] = '-';
	return right(to, text + MIDDLE - 1, text + MIDDLE, width);
}

/* Writes "1.5 MiB", rounded down. Returns its beginning; *@end is its end. */
static inline char *put_size(uint64_t bytes, char *middle, char **end)
{
	static const char units[][4] = { " B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB" };
	unsigned int unit = (63 - __builtin_clzll(bytes | 1)) / 10;
	uint64_t whole = bytes >> 10 * unit, rest = unit ? bytes >> (10 * unit - 10) & 1023 : 0;
	char *to = middle;

	if (whole < 10 && rest) {
		*to++ = '.';
		*to++ = '0' + rest * 10 / 1024;
	}
	memcpy(to, units[unit], 4);
	*end = to + (unit ? 4 : 2);
	return number_text(whole, middle);
}

/* Returns one of eight arrays in turn, so a text is valid until the eighth call after it. */
const char *size_text(uint64_t bytes)
{
	static char texts[8][2 * MIDDLE];
	static unsigned int turn;
	char *end, *at = put_size(bytes, texts[turn++ % 8] + MIDDLE, &end);

	*end = '\0';
	return at;
}

static char *size(char *to, uint64_t bytes)
{
	char text[2 * MIDDLE];
	char *end, *at;

	memset(text, ' ', sizeof(text));
	at = put_size(bytes, text + MIDDLE, &end);
	return right(to, at, end, 10);
}

/* "3m05s" */
static char *two_units(char *end, uint64_t large, char unit, unsigned int small, char smaller)
{
	*--end = smaller;
	*--end = '0' + small % 10;
	*--end = '0' + small / 10;
	*--end = unit;
	return number_text(large, end);
}

static char *seconds(char *to, uint64_t s, int width)
{
	char text[2 * MIDDLE];
	char *end = text + MIDDLE, *at = end - 1;

	memset(text, ' ', sizeof(text));
	if (s < 100) {
		*at = 's';
		at = number_text(s, at);
	} else if (s < 6000) {
		at = two_units(end, s / 60, 'm', s % 60, 's');
	} else if (s < 360000) {
		at = two_units(end, s / 3600, 'h', s / 60 % 60, 'm');
	} else {
		*at = 'd';
		at = number_text(s / 86400, at);
	}
	return right(to, at, end, width);
}

static char *age(char *to, const struct snapshot *s, const struct buffer *b)
{
	if (b->born <= 0)
		return none(to, 6);
	return seconds(to, since(s, b->born), 6);
}

static char *fences(char *to, const struct snapshot *s, const struct buffer *b)
{
	static const char texts[][8] = { "     - ", "  none ", "  done " };

	if (b->fences == FENCES_PENDING)
		return seconds(to, since(s, b->pending), 6);
	return (char *)memcpy(to, texts[b->fences], 7) + 7;
}

static char *pid(char *to, const struct process *p)
{
	return p->pid ? number(to, p->pid, 7) : none(to, 7);
}

const char *rows_header(enum by by)
{
	static const char *const headers[] = {
		"     INODE       SIZE      SHARE    AGE DRIVER       DEVICES  FENCE NAME             HELD BY",
		"    PID      SHARE       SIZE BUFFERS COMMAND          CGROUP",
		"     SHARE       SIZE BUFFERS PROCESSES CGROUP",
		"      SIZE BUFFERS ATTACHED DEVICE",
		"KIND            NUMBER     PID COMMAND          DEVICE",
	};

	return headers[by];
}

static char *print_buffer(char *to, const struct snapshot *s, const struct buffer *b)
{
	const struct process *p = holder_of(s, b);

	to = number(to, b->ino, 10);
	to = size(to, b->size);
	/* Most buffers have one sharer, whose share is the whole size: copies that column. */
	if (b->sharers > 1)
		to = size(to, b->size / b->sharers);
	else
		to = (char *)memcpy(to, to - 11, 11) + 11;
	to = age(to, s, b);
	to = left(to, b->exporter, 12);
	to = number(to, b->attachments, 7);
	to = fences(to, s, b);
	to = left(to, b->name, 16);
	memcpy(to, p->comm, sizeof(p->comm));
	to += strlen(p->comm);
	*to++ = ' ';
	if (p->pid)
		to = number(to, p->pid, 0);
	if (b->sharers > 1)
		to = put_text(number(put_text(to, "and "), b->sharers - 1, 0), "more");
	return to;
}

static char *print_process(char *to, const struct process *p)
{
	to = pid(to, p);
	to = size(to, p->pss);
	to = size(to, p->size);
	to = number(to, p->buffers, 7);
	to = left(to, p->comm, 16);
	return put_text(to, p->cgroup);
}

static char *print_group(char *to, const struct group *g, enum by by)
{
	if (by == BY_CGROUP)
		to = size(to, g->pss);
	to = size(to, g->size);
	to = number(to, g->buffers, 7);
	to = number(to, g->members, by == BY_CGROUP ? 9 : 8);
	return put_text(to, g->name);
}

static char *print_holder(char *to, const struct snapshot *s, const struct holder *h)
{
	static const char nobody[16] = "-";
	const struct process *p = &s->processes[h->process];

	to = left(to, hold_names[h->kind], 11);
	if (h->kind == HOLD_FENCE)
		to = seconds(to, since(s, h->number), 10);
	else
		to = number(to, h->number, 10);
	to = pid(to, p);
	to = left(to, p->pid ? p->comm : nobody, 16);
	return put_text(to, h->where);
}

/* Returns the end of the line, which is terminated there. */
char *row_print(const struct rows *r, const struct snapshot *s, const struct wish *wish,
		const struct row *row, char line[LINE])
{
	uint32_t i = row->index;
	char *end = wish->by == BY_BUFFER ? print_buffer(line, s, &s->buffers[i]) :
		    wish->by == BY_PROCESS ? print_process(line, &s->processes[i]) :
		    wish->by == BY_HOLDER ? print_holder(line, s, &s->holders[i]) :
		    print_group(line, &r->groups[i], wish->by);

	while (end > line && end[-1] == ' ')
		end--;
	*end = '\0';
	return end;
}

void print_summary(const struct snapshot *s, char line[LINE])
{
	uint32_t processes = s->nr_processes - FIRST_PROCESS;

	snprintf(line, LINE, "%u buffer%s, %s: %u process%s, in flight %s, kernel %s", s->nr_buffers,
		 s->nr_buffers == 1 ? "" : "s", size_text(s->size), processes,
		 processes == 1 ? "" : "es", size_text(s->processes[NOBODY_FLIGHT].pss),
		 size_text(s->processes[NOBODY_KERNEL].pss));
}
