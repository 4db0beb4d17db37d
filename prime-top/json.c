// SPDX-License-Identifier: MIT
/* A snapshot as one JSON object on one line. */
#include "top.h"

static inline char *field(char *to, const char *name, uint64_t number)
{
	return put_number(put_text(to, name), number);
}

static inline char *quoted(char *to, const char *name, const char *text)
{
	return put_quoted(put_text(to, name), text);
}

static char *put_holder(char *to, const struct snapshot *s, const struct holder *h)
{
	const struct process *p = &s->processes[h->process];

	to = put_text(to, "{\"kind\":\"");
	to = put_text(to, hold_names[h->kind]);
	if (h->kind == HOLD_FENCE)
		to = field(to, "\",\"pending\":", since(s, h->number));
	else
		to = field(to, "\",\"number\":", h->number);
	if (p->pid)
		to = field(to, ",\"pid\":", p->pid);
	if (h->where[0])
		to = quoted(to, ",\"of\":", h->where);
	return put_text(to, "}");
}

/* Members that are not known are left out, for example the age. */
static void print_buffer(const struct snapshot *s, const struct buffer *b)
{
	char *to = out_room();

	if (b != s->buffers)
		*to++ = ',';
	to = field(to, "{\"inode\":", b->ino);
	to = field(to, ",\"size\":", b->size);
	if (b->count >= 0)
		to = field(to, ",\"references\":", b->count);
	if (b->born > 0)
		to = field(to, ",\"age\":", since(s, b->born));
	switch (b->fences) {
	case FENCES_NONE: to = put_text(to, ",\"fences\":\"none\""); break;
	case FENCES_SIGNALLED: to = put_text(to, ",\"fences\":\"signalled\""); break;
	case FENCES_PENDING:
		to = put_text(to, ",\"fences\":\"pending\"");
		to = field(to, ",\"pending\":", since(s, b->pending));
		break;
	case FENCES_UNKNOWN: break;
	}
	to = quoted(to, ",\"driver\":", b->exporter);
	to = quoted(to, ",\"name\":", b->name);
	to = put_text(to, ",\"holders\":[");
	for (uint32_t i = b->first; i != NONE; i = s->holders[i].next) {
		out_end(to);
		to = out_room();
		if (i != b->first)
			*to++ = ',';
		to = put_holder(to, s, &s->holders[i]);
	}
	out_end(put_text(to, "]}"));
}

static void print_process(const struct process *p)
{
	char *to = out_room();

	to = field(to, "{\"pid\":", p->pid);
	to = quoted(to, ",\"command\":", p->comm);
	to = quoted(to, ",\"cgroup\":", p->cgroup);
	to = field(to, ",\"buffers\":", p->buffers);
	to = field(to, ",\"size\":", p->size);
	to = field(to, ",\"share\":", p->pss);
	out_end(put_text(to, "}"));
}

/* Returns whether it could be written. */
bool json_print(const struct snapshot *s)
{
	char *to = out_room();
	uint32_t i;

	to = field(to, "{\"time\":", s->now / 1000000000);
	to = field(to, ",\"size\":", s->size);
	to = field(to, ",\"in_flight\":", s->processes[NOBODY_FLIGHT].pss);
	to = field(to, ",\"kernel\":", s->processes[NOBODY_KERNEL].pss);
	out_end(put_text(to, ",\"missing\":["));
	for (i = 0; i < s->nr_missing; i++)
		out_end(quoted(out_room(), i ? "," : "", s->missing[i]));
	out_text("],\"processes\":[");
	for (i = FIRST_PROCESS; i < s->nr_processes; i++) {
		out_text(i > FIRST_PROCESS ? "," : "");
		print_process(&s->processes[i]);
	}
	out_text("],\"buffers\":[");
	for (i = 0; i < s->nr_buffers; i++)
		print_buffer(s, &s->buffers[i]);
	out_text("]}\n");
	return out_flush();
}
