// SPDX-License-Identifier: MIT
/* A snapshot as one JSON object on one line. */
#include "top.h"

static inline void field(const char *name, uint64_t number)
{
	out_text(name);
	out_number(number);
}

static inline void quoted(const char *name, const char *text)
{
	out_text(name);
	out_quoted(text);
}

static void print_holder(const struct snapshot *s, const struct holder *h)
{
	const struct process *p = &s->processes[h->process];

	out_text("{\"kind\":\"");
	out_text(hold_names[h->kind]);
	field("\",\"number\":", h->number);
	if (p->pid)
		field(",\"pid\":", p->pid);
	if (h->where[0])
		quoted(",\"of\":", h->where);
	out_text("}");
}

/* Without a time of birth, the age is left out, and so are others that nobody tells. */
static void print_buffer(const struct snapshot *s, const struct buffer *b)
{
	field("{\"inode\":", b->ino);
	field(",\"size\":", b->size);
	if (b->count >= 0)
		field(",\"references\":", b->count);
	if (b->born > 0)
		field(",\"age\":", s->now > b->born ? (s->now - b->born) / 1000000000 : 0);
	quoted(",\"driver\":", b->exporter);
	quoted(",\"name\":", b->name);
	out_text(",\"holders\":[");
	for (uint32_t i = b->first; i != NONE; i = s->holders[i].next) {
		if (i != b->first)
			out_text(",");
		print_holder(s, &s->holders[i]);
	}
	out_text("]}");
}

static void print_process(const struct process *p)
{
	field("{\"pid\":", p->pid);
	quoted(",\"command\":", p->comm);
	quoted(",\"cgroup\":", p->cgroup);
	field(",\"buffers\":", p->buffers);
	field(",\"size\":", p->size);
	field(",\"share\":", p->pss);
	out_text("}");
}

/* Returns whether it could be written. */
bool json_print(const struct snapshot *s)
{
	uint32_t i;

	field("{\"time\":", s->now / 1000000000);
	field(",\"size\":", s->size);
	field(",\"in_flight\":", s->processes[NOBODY_FLIGHT].pss);
	field(",\"kernel\":", s->processes[NOBODY_KERNEL].pss);
	out_text(",\"missing\":[");
	for (i = 0; i < s->nr_missing; i++)
		quoted(i ? "," : "", s->missing[i]);
	out_text("],\"processes\":[");
	for (i = FIRST_PROCESS; i < s->nr_processes; i++) {
		out_text(i > FIRST_PROCESS ? "," : "");
		print_process(&s->processes[i]);
	}
	out_text("],\"buffers\":[");
	for (i = 0; i < s->nr_buffers; i++) {
		out_text(i ? "," : "");
		print_buffer(s, &s->buffers[i]);
	}
	out_text("]}\n");
	return out_flush();
}
