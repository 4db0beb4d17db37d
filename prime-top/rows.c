// SPDX-License-Identifier: MIT
/* Tables of a snapshot: grouped, sorted and filtered as the user wants. */
#include "top.h"

#include <stdlib.h>

const char *const by_names[BY_KINDS] = { "buffers", "processes", "cgroups", "devices", "holders" };
const char *const sort_names[SORT_KINDS] = {
	"size", "share", "age", "buffers", "process", "cgroup", "device", "name", "fence"
};

static const unsigned int sorts[BY_KINDS] = {
	[BY_BUFFER] = 1 << SORT_SIZE | 1 << SORT_SHARE | 1 << SORT_AGE | 1 << SORT_PROCESS |
		      1 << SORT_CGROUP | 1 << SORT_DEVICE | 1 << SORT_NAME | 1 << SORT_FENCE,
	[BY_PROCESS] = 1 << SORT_SIZE | 1 << SORT_SHARE | 1 << SORT_BUFFERS | 1 << SORT_PROCESS |
		       1 << SORT_CGROUP,
	[BY_CGROUP] = 1 << SORT_SIZE | 1 << SORT_SHARE | 1 << SORT_BUFFERS | 1 << SORT_CGROUP,
	[BY_DEVICE] = 1 << SORT_SIZE | 1 << SORT_BUFFERS | 1 << SORT_DEVICE,
	[BY_HOLDER] = 0,
};

bool can_sort(enum by by, enum sort sort)
{
	return sorts[by] & 1 << sort;
}

enum sort first_sort(enum by by)
{
	return by == BY_PROCESS || by == BY_CGROUP ? SORT_SHARE : SORT_SIZE;
}

enum sort next_sort(enum by by, enum sort sort)
{
	if (!sorts[by])
		return sort;
	do
		sort = (sort + 1) % SORT_KINDS;
	while (!can_sort(by, sort));
	return sort;
}

static const struct process *process_of(const struct snapshot *s, uint32_t holder)
{
	return &s->processes[s->holders[holder].process];
}

/* --- groups --- */

static struct group *find_group(struct rows *r, const char *name)
{
	static uint32_t last;
	struct group *g;

	if (last < r->nr_groups && !strcmp(r->groups[last].name, name))
		return &r->groups[last];
	for (last = 0; last < r->nr_groups; last++)
		if (!strcmp(r->groups[last].name, name))
			return &r->groups[last];
	r->groups = grow(r->groups, r->nr_groups, &r->room_groups, sizeof(*r->groups));
	g = &r->groups[r->nr_groups++];
	*g = (struct group){ };
	strcpy(g->name, name);
	return g;
}

/* (in flight) and (kernel) are groups of their own. */
static const char *cgroup_of(const struct process *p)
{
	return p->cgroup[0] ? p->cgroup : p->pid ? "(none)" : p->comm;
}

/* Counts a buffer once in each group. */
static void group_add(struct group *g, const struct buffer *b, uint32_t stamp)
{
	if (g->stamp == stamp)
		return;
	g->stamp = stamp;
	g->buffers++;
	g->size += b->size;
}

static void group_by_cgroup(struct rows *r, const struct snapshot *s)
{
	uint32_t i, j;

	for (i = 0; i < s->nr_processes; i++) {
		const struct process *p = &s->processes[i];
		struct group *g;

		if (!p->buffers)
			continue;
		g = find_group(r, cgroup_of(p));
		g->members++;
		g->pss += p->pss;
	}
	for (i = 0; i < s->nr_buffers; i++) {
		const struct buffer *b = &s->buffers[i];

		group_add(find_group(r, cgroup_of(holder_of(s, b))), b, i + 1);
		for (j = b->first; j != NONE; j = s->holders[j].next)
			if (shares(&s->holders[j]))
				group_add(find_group(r, cgroup_of(process_of(s, j))), b, i + 1);
	}
}

static void group_by_device(struct rows *r, const struct snapshot *s)
{
	uint32_t i, j;

	for (i = 0; i < s->nr_buffers; i++) {
		const struct buffer *b = &s->buffers[i];

		group_add(find_group(r, b->exporter), b, i + 1);
		for (j = b->first; b->attachments && j != NONE; j = s->holders[j].next)
			if (s->holders[j].kind == HOLD_ATTACHMENT)
				find_group(r, s->holders[j].where)->members++;
	}
}

/* --- rows --- */

static void add_row(struct rows *r, uint32_t index, uint64_t id, uint64_t key, const char *text)
{
	r->rows = grow(r->rows, r->nr, &r->room, sizeof(*r->rows));
	r->rows[r->nr++] = (struct row){ .key = key, .id = id, .text = text, .index = index };
}

static bool attached(const struct snapshot *s, const struct buffer *b, const char *device)
{
	for (uint32_t i = b->first; b->attachments && i != NONE; i = s->holders[i].next)
		if (s->holders[i].kind == HOLD_ATTACHMENT && !strcmp(s->holders[i].where, device))
			return true;
	return false;
}

/* Does the buffer belong to the group that the user has opened? */
static bool in_group(const struct snapshot *s, const struct buffer *b, const struct wish *wish)
{
	const struct process *nobody;
	uint32_t i;

	if (wish->of == BY_BUFFER)
		return true;
	if (wish->of == BY_DEVICE)
		return !strcmp(b->exporter, wish->group) || attached(s, b, wish->group);
	for (i = b->first; i != NONE; i = s->holders[i].next) {
		const struct process *p = process_of(s, i);

		if (shares(&s->holders[i]) &&
		    (wish->of == BY_PROCESS ? p->pid == wish->pid :
					      !strcmp(cgroup_of(p), wish->group)))
			return true;
	}
	nobody = holder_of(s, b);
	return !nobody->pid && !wish->pid && !strcmp(nobody->comm, wish->group);
}

static void buffer_rows(struct rows *r, const struct snapshot *s, const struct wish *wish)
{
	for (uint32_t i = 0; i < s->nr_buffers; i++) {
		const struct buffer *b = &s->buffers[i];
		const char *text = NULL;
		uint64_t key = b->size;

		if (!in_group(s, b, wish))
			continue;
		switch (wish->sort) {
		case SORT_SHARE: key = b->size / b->sharers; break;
		/* The oldest first; of unknown age last. */
		case SORT_AGE: key = b->born > 0 ? s->now - b->born : 0; break;
		case SORT_PROCESS: text = holder_of(s, b)->comm; break;
		case SORT_CGROUP: text = cgroup_of(holder_of(s, b)); break;
		case SORT_DEVICE: text = b->exporter; break;
		case SORT_NAME: text = b->name; break;
		/* The longest wait first, then buffers whose fences have signalled. */
		case SORT_FENCE:
			key = b->fences;
			if (b->fences == FENCES_PENDING)
				key += s->now - b->pending;
			break;
		default: break;
		}
		add_row(r, i, b->ino, key, text);
	}
}

static void process_rows(struct rows *r, const struct snapshot *s, const struct wish *wish)
{
	for (uint32_t i = 0; i < s->nr_processes; i++) {
		const struct process *p = &s->processes[i];
		const char *text = wish->sort == SORT_PROCESS ? p->comm :
				   wish->sort == SORT_CGROUP ? cgroup_of(p) : NULL;
		uint64_t key = wish->sort == SORT_SIZE ? p->size :
			       wish->sort == SORT_BUFFERS ? p->buffers : p->pss;

		if (p->buffers)
			add_row(r, i, p->pid ? (uint64_t)p->pid : UINT64_MAX - i, key, text);
	}
}

static void group_rows(struct rows *r, const struct snapshot *s, const struct wish *wish)
{
	bool by_name = wish->sort == SORT_CGROUP || wish->sort == SORT_DEVICE;

	r->nr_groups = 0;
	if (wish->by == BY_CGROUP)
		group_by_cgroup(r, s);
	else
		group_by_device(r, s);
	for (uint32_t i = 0; i < r->nr_groups; i++) {
		const struct group *g = &r->groups[i];
		uint64_t key = wish->sort == SORT_SHARE ? g->pss :
			       wish->sort == SORT_BUFFERS ? g->buffers : g->size;
		uint64_t id = 0;

		for (const char *c = g->name; *c; c++)
			id = id * 31 + *c;
		add_row(r, i, id, key, by_name ? g->name : NULL);
	}
}

static void holder_rows(struct rows *r, const struct snapshot *s, const struct wish *wish)
{
	const struct buffer *b = snapshot_find(s, wish->ino);

	for (uint32_t i = b ? b->first : NONE, n = 0; i != NONE; i = s->holders[i].next, n++)
		add_row(r, i, n + 1, 0, NULL);
}

static bool matches(const struct rows *r, const struct snapshot *s, const struct wish *wish,
		    const struct row *row)
{
	char line[LINE];
	uint32_t i;

	row_print(r, s, wish, row, line);
	if (strcasestr(line, wish->filter))
		return true;
	for (i = wish->by == BY_BUFFER ? s->buffers[row->index].first : NONE; i != NONE;
	     i = s->holders[i].next)
		if (strcasestr(process_of(s, i)->comm, wish->filter) ||
		    strcasestr(s->holders[i].where, wish->filter))
			return true;
	return false;
}

static int compare(const void *left, const void *right)
{
	const struct row *a = *(const struct row *const *)left;
	const struct row *b = *(const struct row *const *)right;
	int order = strcmp(a->text, b->text);

	return order ? order : a->id < b->id ? -1 : a->id > b->id;
}

/*
 * Sorts the rows, the largest key first. Rows with equal keys stay in their order.
 * This is a radix sort, since qsort() takes four times as many instructions.
 */
static void sort_keys(struct rows *r)
{
	uint64_t differ = 0;
	uint32_t i;

	for (i = 1; i < r->nr; i++)
		differ |= r->order[i]->key ^ r->order[0]->key;
	for (int shift = 0; shift < 64; shift += 8) {
		struct row **order = r->order;
		uint32_t at[257] = { 0 };

		if (!(differ >> shift & 255))
			continue;
		for (i = 0; i < r->nr; i++)
			at[(~order[i]->key >> shift & 255) + 1]++;
		for (i = 1; i < 257; i++)
			at[i] += at[i - 1];
		for (i = 0; i < r->nr; i++)
			r->other[at[~order[i]->key >> shift & 255]++] = order[i];
		r->order = r->other;
		r->other = order;
	}
}

void rows_build(struct rows *r, const struct snapshot *s, const struct wish *wish)
{
	static void (*const build[])(struct rows *r, const struct snapshot *s,
				     const struct wish *wish) = {
		buffer_rows, process_rows, group_rows, group_rows, holder_rows
	};
	uint32_t kept = 0, i;

	r->nr = 0;
	build[wish->by](r, s, wish);
	r->order = realloc(r->order, (r->nr + 1) * sizeof(*r->order));
	r->other = realloc(r->other, (r->nr + 1) * sizeof(*r->other));
	if (!r->order || !r->other)
		die("no memory for %u rows", r->nr);
	for (i = 0; i < r->nr; i++)
		if (!wish->filter[0] || matches(r, s, wish, &r->rows[i]))
			r->order[kept++] = &r->rows[i];
	r->nr = kept;
	if (kept && r->order[0]->text)
		qsort(r->order, kept, sizeof(*r->order), compare);
	else if (kept)
		sort_keys(r);
	for (i = 0; wish->reverse && i < kept / 2; i++) {
		struct row *row = r->order[i];

		r->order[i] = r->order[kept - 1 - i];
		r->order[kept - 1 - i] = row;
	}
}
