// SPDX-License-Identifier: MIT
/* A program: calls of threads, whose arguments are numbers or what another call gave. */
#include "fuzz.h"

#include <string.h>

unsigned int program_threads(const struct program *program)
{
	unsigned int threads = 1;

	for (unsigned int i = 0; i < program->count; i++)
		if (program->calls[i].thread >= threads)
			threads = program->calls[i].thread + 1;
	return threads;
}

/* By thread; the order within a thread stays. */
void program_sort(struct program *program)
{
	struct program sorted = { 0 };

	for (unsigned int thread = 0; thread < MAX_THREADS; thread++)
		for (unsigned int i = 0; i < program->count; i++)
			if (program->calls[i].thread == thread)
				sorted.calls[sorted.count++] = program->calls[i];
	*program = sorted;
}

/* Calls that used what the call gave stay; they get nothing. */
void program_drop(struct program *program, unsigned int index)
{
	struct call *call = &program->calls[index];

	program->count--;
	memmove(call, call + 1, (program->count - index) * sizeof(*call));
}

const struct call *program_call_of(const struct program *program, uint8_t id)
{
	for (unsigned int i = 0; id && i < program->count; i++)
		if (program->calls[i].id == id)
			return &program->calls[i];
	return NULL;
}
