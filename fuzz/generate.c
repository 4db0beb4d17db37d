// SPDX-License-Identifier: MIT
/* Programs made at random, but so that most calls get arguments that can be right. */
#include "fuzz.h"

#define SETUP_CALLS	14
#define DEEPEST		4

static uint8_t free_id(const struct program *program)
{
	for (unsigned int id = 1; id <= MAX_ID; id++)
		if (!program_call_of(program, id))
			return id;
	return 0;
}

static const struct call_type *draw_type(void)
{
	unsigned int sum = 0, at;

	for (unsigned int i = 0; i < call_type_count; i++)
		sum += call_types[i].weight;
	at = random_below(sum);
	for (unsigned int i = 0; ; i++) {
		if (at < call_types[i].weight)
			return &call_types[i];
		at -= call_types[i].weight;
	}
}

/* A call type that gives @kind. */
static const struct call_type *draw_giver(enum kind kind)
{
	const struct call_type *found = NULL;
	unsigned int sum = 0;

	for (unsigned int i = 0; i < call_type_count; i++)
		for (unsigned int out = 0; out < MAX_OUT; out++)
			if (kind_fits(kind, call_gives(&call_types[i], out))) {
				sum += call_types[i].weight;
				if (random_below(sum) < call_types[i].weight)
					found = &call_types[i];
			}
	return found;
}

static bool insert(struct program *program, const struct call_type *type, unsigned int thread,
		   unsigned int depth);

/* Numbers are mostly what the table proposes, and sometimes near it. */
static uint64_t draw_number(const struct field *field)
{
	uint64_t value = field->choices.of[random_below(field->choices.count)];

	if (random_chance(96))
		return value;
	if (random_chance(50))
		return value + random_below(5) - 2;
	return value ^ 1ull << random_below(field->bits ?: field->size * 8);
}

/* Was @giver called on the file that @call is called on? Then its handle means something there. */
static bool same_file(const struct call *call, const struct call *giver)
{
	return call->type->on && giver->type->on && call->arguments[0].id &&
	       call->arguments[0].id == giver->arguments[0].id;
}

/* A call before @call, or of another thread, that gives @kind. */
static bool draw_reference(const struct program *program, const struct call *call, enum kind kind,
			   struct argument *argument)
{
	bool of_file = kind == HANDLE || kind == FB || kind == IMPORT || kind == FENCE;
	unsigned int sum = 0;

	for (unsigned int i = 0; i < program->count; i++) {
		const struct call *giver = &program->calls[i];
		unsigned int weight = giver->thread == call->thread || !giver->thread ? 8 : 1;

		if (giver->id == call->id)
			continue;
		if (of_file && !same_file(call, giver))
			weight = 0;
		for (unsigned int out = 0; out < MAX_OUT; out++) {
			if (!weight || !kind_fits(kind, call_gives(giver->type, out)))
				continue;
			sum += weight;
			if (random_below(sum) < weight)
				*argument = (struct argument){ .id = giver->id, .out = out };
		}
	}
	return sum;
}

static void draw_argument(struct program *program, struct call *call, unsigned int i,
			  unsigned int depth)
{
	const struct field *field;
	enum kind kind = call_argument_kind(call->type, i, &field);
	struct argument *argument = &call->arguments[i];

	*argument = (struct argument){ 0 };
	if (kind == NUMBER) {
		argument->value = draw_number(field);
		return;
	}
	argument->value = -1ull;
	/* What is there already, mostly; something new, sometimes. */
	if (random_chance(85) && draw_reference(program, call, kind, argument))
		return;
	if (depth < DEEPEST && program->count < MAX_CALLS - 1 && random_chance(95)) {
		const struct call_type *type = draw_giver(kind == FILES ? DMABUF : kind);
		unsigned int thread = random_chance(20) ? call->thread : 0;

		if (type && insert(program, type, thread, depth + 1)) {
			struct call *made = &program->calls[program->count - 1];

			/* A handle for this file. */
			if (i && call->type->on && kind_fits(type->on, call->type->on) &&
			    random_chance(95))
				made->arguments[0] = call->arguments[0];
			for (unsigned int out = 0; out < MAX_OUT; out++)
				if (kind_fits(kind, call_gives(type, out)))
					*argument = (struct argument){ .id = made->id, .out = out };
			return;
		}
	}
	draw_reference(program, call, kind, argument);
}

void argument_draw(struct program *program, struct call *call, unsigned int i)
{
	draw_argument(program, call, i, DEEPEST);
}

/* Appends a call; what makes its arguments comes before it. */
static bool insert(struct program *program, const struct call_type *type, unsigned int thread,
		   unsigned int depth)
{
	struct call call = { .type = type, .thread = thread };

	for (unsigned int i = 0; i < call_arguments(type); i++)
		draw_argument(program, &call, i, depth);
	call.id = free_id(program);
	if (program->count >= MAX_CALLS || !call.id)
		return false;
	program->calls[program->count++] = call;
	return true;
}

bool program_add(struct program *program, unsigned int thread)
{
	return insert(program, draw_type(), thread, 0);
}

void program_generate(struct program *program)
{
	unsigned int threads = random_chance(40) ? 1 : 3 + random_below(MAX_THREADS - 2);
	unsigned int setup = 2 + random_below(SETUP_CALLS);

	*program = (struct program){ 0 };
	while (program->count < setup && program_add(program, 0))
		;
	for (unsigned int thread = 1; thread < threads; thread++)
		for (unsigned int n = 1 + random_below(4); n; n--)
			program_add(program, thread);
	program_sort(program);
}
