// SPDX-License-Identifier: MIT
/*
 * The shares. The bytes of a buffer are divided equally among the processes that
 * hold it by an fd, a mapping, a handle or a framebuffer; it does not matter how
 * many of these a process has. The remainder of the division goes to the first
 * processes, a byte each, so that the shares add up to the size. If no process
 * holds the buffer, (in flight) has it if messages hold it and no device does,
 * and otherwise (kernel).
 *
 * Nothing here looks at the system, so tests/pss.c can test it on a model.
 */
#include "top.h"

static void give(struct process *p, const struct buffer *b, uint64_t share)
{
	p->buffers++;
	p->size += b->size;
	p->pss += share;
}

/*
 * Without the kernel's list of holders it is not known which buffers are in
 * messages. If unread messages have files at all, a buffer without devices is
 * likely to be in one.
 */
static uint32_t nobody(const struct snapshot *s, const struct buffer *b)
{
	bool message = false;

	for (uint32_t i = b->first; i != NONE; i = s->holders[i].next)
		message |= s->holders[i].kind == HOLD_MESSAGE;
	if (!s->kernel_tells)
		message = s->unread > 0;
	return message && !b->attachments ? NOBODY_FLIGHT : NOBODY_KERNEL;
}

/* Is this the first holder of its process in the buffer's list? */
static bool first_of(struct snapshot *s, const struct holder *h, uint32_t stamp)
{
	struct process *p = &s->processes[h->process];

	if (!shares(h) || p->stamp == stamp)
		return false;
	p->stamp = stamp;
	return true;
}

static void divide(struct snapshot *s, struct buffer *b, uint32_t stamp)
{
	uint32_t sharers = 0, given = 0, one = NONE, i;

	for (i = b->first; i != NONE; i = s->holders[i].next) {
		if (!first_of(s, &s->holders[i], stamp))
			continue;
		one = s->holders[i].process;
		sharers++;
	}
	b->sharers = sharers ? sharers : 1;
	if (b->sharers == 1) {
		give(&s->processes[sharers ? one : nobody(s, b)], b, b->size);
		return;
	}
	for (i = b->first; i != NONE && given < sharers; i = s->holders[i].next)
		if (first_of(s, &s->holders[i], stamp + 1))
			give(&s->processes[s->holders[i].process], b,
			     b->size / sharers + (given++ < b->size % sharers));
}

void pss_divide(struct snapshot *s)
{
	uint32_t i;

	s->size = 0;
	for (i = 0; i < s->nr_processes; i++) {
		struct process *p = &s->processes[i];

		p->buffers = p->stamp = p->size = p->pss = 0;
	}
	for (i = 0; i < s->nr_buffers; i++) {
		s->size += s->buffers[i].size;
		divide(s, &s->buffers[i], i * 2 + 1);
	}
}

/* The process, or nobody, by which a buffer is shown and sorted. */
const struct process *holder_of(const struct snapshot *s, const struct buffer *b)
{
	for (uint32_t i = b->first; i != NONE; i = s->holders[i].next)
		if (shares(&s->holders[i]))
			return &s->processes[s->holders[i].process];
	return &s->processes[nobody(s, b)];
}
