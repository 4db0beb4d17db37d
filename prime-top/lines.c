// SPDX-License-Identifier: MIT
/* Rows of a table as lines of text. */
#include "top.h"

/* A column of so many characters of UTF-8, at the left, cut at the right. Returns its end. */
static char *left(char *to, const char *text, int width)
{
	for (; *text && (width > 0 || (*text & 0xc0) == 0x80); text++) {
		width -= (*text & 0xc0) != 0x80;
		*to++ = *text;
	}
	for (; width > 0; width--)
		*to++ = ' ';
	*to++ = ' ';
	return to;
}

/* A column of ASCII at the right, which is never cut. */
static char *right(char *to, const char *text, int width)
{
	for (width -= strlen(text); width > 0; width--)
		*to++ = ' ';
	to = stpcpy(to, text);
	*to++ = ' ';
	return to;
}

static char *number(char *to, uint64_t value, int width)
{
	char digits[21];

	digits[20] = '\0';
	return right(to, number_text(value, digits + 20), width);
}

/* "1.5 MiB", cut and not rounded. The text is that of the last call but seven. */
const char *size_text(uint64_t bytes)
{
	static const char *const units[] = { " B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB" };
	static char texts[8][32];
	static unsigned int turn;
	char *text = texts[turn++ % 8], *at;
	unsigned int unit = 0, rest = 0;

	for (; bytes >= 1024; bytes /= 1024, unit++)
		rest = bytes % 1024;
	text[20] = '\0';
	at = number_text(bytes, text + 20);
	if (bytes < 10 && rest) {
		text[20] = '.';
		text[21] = '0' + rest * 10 / 1024;
		text[22] = '\0';
	}
	strcat(at, units[unit]);
	return at;
}

static char *size(char *to, uint64_t bytes)
{
	return right(to, size_text(bytes), 10);
}

static char *age(char *to, const struct snapshot *s, const struct buffer *b)
{
	uint64_t seconds = s->now > b->born ? (s->now - b->born) / 1000000000 : 0;
	char text[32];

	if (b->born <= 0)
		return right(to, "-", 6);
	if (seconds < 100)
		snprintf(text, sizeof(text), "%us", (unsigned int)seconds);
	else if (seconds < 6000)
		snprintf(text, sizeof(text), "%um%02us", (unsigned int)seconds / 60,
			 (unsigned int)seconds % 60);
	else if (seconds < 360000)
		snprintf(text, sizeof(text), "%uh%02um", (unsigned int)seconds / 3600,
			 (unsigned int)seconds / 60 % 60);
	else
		snprintf(text, sizeof(text), "%llud", (unsigned long long)seconds / 86400);
	return right(to, text, 6);
}

static char *pid(char *to, const struct process *p)
{
	return p->pid ? number(to, p->pid, 7) : right(to, "-", 7);
}

const char *rows_header(enum by by)
{
	static const char *const headers[] = {
		"     INODE       SIZE      SHARE    AGE DRIVER       DEVICES NAME             HELD BY",
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
	to = size(to, b->size / b->sharers);
	to = age(to, s, b);
	to = left(to, b->exporter, 12);
	to = number(to, b->attachments, 7);
	to = left(to, b->name, 16);
	to = left(to, p->comm, 1 + strlen(p->comm)) - 1;
	if (p->pid)
		to = number(to, p->pid, 0);
	if (b->sharers > 1)
		to = right(number(stpcpy(to, "and "), b->sharers - 1, 0), "more", 0);
	return to;
}

static char *print_process(char *to, const struct process *p)
{
	to = pid(to, p);
	to = size(to, p->pss);
	to = size(to, p->size);
	to = number(to, p->buffers, 7);
	to = left(to, p->comm, 16);
	return stpcpy(to, p->cgroup);
}

static char *print_group(char *to, const struct group *g, enum by by)
{
	if (by == BY_CGROUP)
		to = size(to, g->pss);
	to = size(to, g->size);
	to = number(to, g->buffers, 7);
	to = number(to, g->members, by == BY_CGROUP ? 9 : 8);
	return stpcpy(to, g->name);
}

static char *print_holder(char *to, const struct snapshot *s, const struct holder *h)
{
	const struct process *p = &s->processes[h->process];

	to = left(to, hold_names[h->kind], 11);
	to = number(to, h->number, 10);
	to = pid(to, p);
	to = left(to, p->pid ? p->comm : "-", 16);
	return stpcpy(to, h->where);
}

void row_print(const struct rows *r, const struct snapshot *s, const struct wish *wish,
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
}

void print_summary(const struct snapshot *s, char line[LINE])
{
	uint32_t processes = s->nr_processes - FIRST_PROCESS;

	snprintf(line, LINE, "%u buffer%s, %s: %u process%s, in flight %s, kernel %s", s->nr_buffers,
		 s->nr_buffers == 1 ? "" : "s", size_text(s->size), processes,
		 processes == 1 ? "" : "es", size_text(s->processes[NOBODY_FLIGHT].pss),
		 size_text(s->processes[NOBODY_KERNEL].pss));
}
