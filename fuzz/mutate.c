// SPDX-License-Identifier: MIT
/* Changes of a program. */
#include "fuzz.h"

#include <string.h>

static struct call *draw_call(struct program *program)
{
	return &program->calls[random_below(program->count)];
}

static void change_argument(struct program *program)
{
	struct call *call = draw_call(program);
	unsigned int n = call_arguments(call->type);

	if (n)
		argument_draw(program, call, random_below(n));
}

/* The same call once more, in another thread: the two may meet. */
static void double_call(struct program *program)
{
	struct call call = *draw_call(program);

	if (program->count == MAX_CALLS)
		return;
	for (call.id = 1; call.id && program_call_of(program, call.id); call.id++)
		;
	call.thread = 1 + random_below(MAX_THREADS - 1);
	program->calls[program->count++] = call;
}

static void swap_calls(struct program *program)
{
	struct call *a = draw_call(program), *b = draw_call(program), c = *a;

	if (a->thread != b->thread)
		return;
	*a = *b;
	*b = c;
}

/* Calls of another program, with ids of their own. */
static void splice(struct program *program, const struct program *other)
{
	uint8_t ids[MAX_ID + 1] = { 0 };
	unsigned int first = program->count;

	for (unsigned int i = 0; i < other->count && program->count < MAX_CALLS; i++) {
		struct call *call = &program->calls[program->count];

		*call = other->calls[i];
		for (ids[call->id] = 1; program_call_of(program, ids[call->id]); ids[call->id]++)
			;
		call->id = ids[call->id];
		program->count++;
	}
	for (unsigned int i = first; i < program->count; i++)
		for (unsigned int k = 0; k < MAX_ARGUMENTS; k++)
			program->calls[i].arguments[k].id = ids[program->calls[i].arguments[k].id];
}

void program_mutate(struct program *program, const struct program *other)
{
	/* One more than there are. */
	unsigned int threads = program_threads(program) + 1;

	if (threads > MAX_THREADS)
		threads = MAX_THREADS;
	for (unsigned int n = 1 + random_below(4); n; n--) {
		unsigned int what = random_below(100);

		if (!program->count || what < 35)
			program_add(program, what < 15 ? 0 : random_below(threads));
		else if (what < 60)
			change_argument(program);
		else if (what < 72)
			double_call(program);
		else if (what < 80)
			draw_call(program)->thread = random_below(MAX_THREADS);
		else if (what < 86)
			swap_calls(program);
		else if (what < 94 || !other)
			program_drop(program, random_below(program->count));
		else
			splice(program, other);
	}
	program_sort(program);
}
