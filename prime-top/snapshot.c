// SPDX-License-Identifier: MIT
/* The arrays of a snapshot. Pointers into them are valid until the next element is added. */
#include "top.h"

#include <stdarg.h>
#include <stdlib.h>

const char hold_names[HOLD_KINDS][16] = {
	"fd", "mapping", "handle", "framebuffer", "message", "attachment", "fence", "other"
};

/* Keeps the memory, for the next refresh. */
void snapshot_clear(struct snapshot *s)
{
	s->nr_buffers = s->nr_holders = s->nr_processes = s->hidden = s->nr_missing = 0;
	s->size = s->unread = 0;
	s->kernel_tells = false;
	memset(s->pids, 0xff, sizeof(s->pids));
	if (s->table)
		memset(s->table, 0xff, s->table_size * sizeof(*s->table));
	for (int i = 0; i < FIRST_PROCESS; i++)
		snapshot_process(s, 0, NULL, 0);
	strcpy(s->processes[NOBODY_KERNEL].comm, "(kernel)");
	strcpy(s->processes[NOBODY_FLIGHT].comm, "(in flight)");
}

/* Returns the place of the inode number in the table, or the place where it belongs. */
static uint32_t *snapshot_slot(const struct snapshot *s, uint64_t ino)
{
	uint32_t at = ino * 0x9e3779b97f4a7c15 >> 32;

	for (;; at++) {
		uint32_t *slot = &s->table[at & (s->table_size - 1)];

		if (*slot == NONE || s->buffers[*slot].ino == ino)
			return slot;
	}
}

struct buffer *snapshot_find(const struct snapshot *s, uint64_t ino)
{
	uint32_t *slot = s->table_size ? snapshot_slot(s, ino) : NULL;

	return slot && *slot != NONE ? &s->buffers[*slot] : NULL;
}

static void snapshot_rehash(struct snapshot *s)
{
	s->table_size = s->table_size ? s->table_size * 4 : 256;
	free(s->table);
	s->table = malloc(s->table_size * sizeof(*s->table));
	if (!s->table)
		die("no memory for a table of %u buffers", s->table_size);
	memset(s->table, 0xff, s->table_size * sizeof(*s->table));
	for (uint32_t i = 0; i < s->nr_buffers; i++)
		*snapshot_slot(s, s->buffers[i].ino) = i;
}

/* Finds or adds a buffer. */
struct buffer *snapshot_buffer(struct snapshot *s, uint64_t ino)
{
	struct buffer *b;
	uint32_t *slot;

	if (s->nr_buffers * 2 >= s->table_size)
		snapshot_rehash(s);
	slot = snapshot_slot(s, ino);
	if (*slot != NONE)
		return &s->buffers[*slot];
	s->buffers = grow(s->buffers, s->nr_buffers, &s->room_buffers, sizeof(*s->buffers));
	*slot = s->nr_buffers;
	b = &s->buffers[s->nr_buffers++];
	b->ino = ino;
	b->count = -1;
	b->size = b->born = b->pending = b->attachments = 0;
	b->first = b->last = NONE;
	b->sharers = 1;
	b->fences = FENCES_UNKNOWN;
	b->exporter[0] = b->name[0] = '\0';
	return b;
}

const struct process *snapshot_find_process(const struct snapshot *s, int pid)
{
	uint32_t i = s->pids[pid % (sizeof(s->pids) / sizeof(*s->pids))];

	while (i != NONE && s->processes[i].pid != pid)
		i = s->processes[i].next;
	return i != NONE ? &s->processes[i] : NULL;
}

/* Finds or adds a process; pid 0, which is nobody, is always added. */
uint32_t snapshot_process(struct snapshot *s, int pid, const char *comm, size_t length)
{
	uint32_t *head = &s->pids[pid % (sizeof(s->pids) / sizeof(*s->pids))];
	const struct process *old = pid ? snapshot_find_process(s, pid) : NULL;
	struct process *p;

	if (old)
		return old - s->processes;
	s->processes =
		grow(s->processes, s->nr_processes, &s->room_processes, sizeof(*s->processes));
	p = &s->processes[s->nr_processes];
	p->pid = pid;
	p->buffers = p->stamp = p->size = p->pss = 0;
	p->cgroup[0] = '\0';
	p->warned = false;
	copy_text(p->comm, sizeof(p->comm), comm, length);
	p->next = *head;
	*head = s->nr_processes;
	return s->nr_processes++;
}

struct holder *snapshot_hold(struct snapshot *s, struct buffer *b, enum hold kind, uint32_t process,
			     uint64_t number)
{
	uint32_t index = s->nr_holders;
	struct holder *h;

	s->holders = grow(s->holders, s->nr_holders++, &s->room_holders, sizeof(*s->holders));
	h = &s->holders[index];
	h->next = NONE;
	h->process = process;
	h->kind = kind;
	h->number = number;
	h->where[0] = '\0';
	if (b->first == NONE)
		b->first = index;
	else
		s->holders[b->last].next = index;
	b->last = index;
	b->attachments += kind == HOLD_ATTACHMENT;
	return h;
}

void snapshot_missing(struct snapshot *s, const char *format, ...)
{
	va_list args;

	if (s->nr_missing == sizeof(s->missing) / sizeof(*s->missing))
		return;
	va_start(args, format);
	vsnprintf(s->missing[s->nr_missing++], sizeof(*s->missing), format, args);
	va_end(args);
}
