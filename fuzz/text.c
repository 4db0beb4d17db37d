// SPDX-License-Identifier: MIT
/*
 * Programs as text, a line for each call:
 *	THREAD: rID = CALL FILE FIELD=VALUE ...
 * A value is a number, or rID for what that call gave; sID for the second thing that it gave. A
 * line with # is a comment, and an empty line ends the program.
 */
#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void number_print(uint64_t value, FILE *out)
{
	if (value == -1ull)
		fputs("-1", out);
	else
		fprintf(out, value < 10 ? "%llu" : "%#llx", (unsigned long long)value);
}

static void print_argument(const struct call *call, unsigned int i, FILE *out)
{
	const struct argument *argument = &call->arguments[i];
	const struct field *field;

	call_argument_kind(call->type, i, &field);
	fputc(' ', out);
	if (field)
		fprintf(out, "%s=", field->name);
	if (argument->id)
		fprintf(out, "%c%u", "rs"[argument->out], argument->id);
	else
		number_print(argument->value, out);
}

void program_print(const struct program *program, FILE *out)
{
	for (unsigned int i = 0; i < program->count; i++) {
		const struct call *call = &program->calls[i];

		fprintf(out, "%u: ", call->thread);
		if (call_gives(call->type, 0))
			fprintf(out, "r%u = ", call->id);
		fputs(call->type->name, out);
		for (unsigned int k = 0; k < call_arguments(call->type); k++)
			print_argument(call, k, out);
		fputc('\n', out);
	}
}

static const struct call_type *type_named(const char *name)
{
	for (unsigned int i = 0; i < call_type_count; i++)
		if (!strcmp(call_types[i].name, name))
			return &call_types[i];
	return NULL;
}

static bool parse_id(const char *text, struct argument *argument)
{
	char *end;
	unsigned long id;

	if (*text != 'r' && *text != 's')
		return false;
	id = strtoul(text + 1, &end, 10);
	if (*end || end == text + 1 || !id || id > MAX_ID)
		return false;
	*argument = (struct argument){ .id = id, .out = *text == 's' };
	return true;
}

static bool parse_argument(struct call *call, unsigned int i, char *word)
{
	const struct field *field;
	char *value = word, *end;

	call_argument_kind(call->type, i, &field);
	if (field) {
		size_t n = strlen(field->name);

		if (strncmp(word, field->name, n) || word[n] != '=')
			return false;
		value = word + n + 1;
	}
	if (parse_id(value, &call->arguments[i]))
		return true;
	call->arguments[i].value = strtoull(value, &end, 0);
	return end != value && !*end;
}

/* Returns what is wrong, or NULL. */
static const char *parse_call(struct call *call, char *line)
{
	struct argument id = { 0 };
	char *save, *word = strtok_r(line, " ", &save);

	if (!word || word[0] < '0' || word[0] >= '0' + MAX_THREADS || strcmp(word + 1, ":"))
		return "no number of a thread";
	call->thread = word[0] - '0';
	word = strtok_r(NULL, " ", &save);
	if (word && parse_id(word, &id)) {
		word = strtok_r(NULL, " ", &save);
		if (!word || strcmp(word, "="))
			return "no = after the result";
		word = strtok_r(NULL, " ", &save);
	}
	call->id = id.id;
	call->type = word ? type_named(word) : NULL;
	if (!call->type)
		return "no such call";
	for (unsigned int i = 0; i < call_arguments(call->type); i++) {
		word = strtok_r(NULL, " ", &save);
		if (!word || !parse_argument(call, i, word))
			return "an argument is missing or wrong";
	}
	return strtok_r(NULL, " ", &save) ? "too many arguments" : NULL;
}

/* Calls that give nothing have no id in the text. */
static void number_calls(struct program *program)
{
	for (unsigned int i = 0; i < program->count; i++)
		for (unsigned int id = 1; !program->calls[i].id; id++)
			if (!program_call_of(program, id))
				program->calls[i].id = id;
}

bool program_parse(struct program *program, FILE *in, const char *name)
{
	const char *wrong = NULL;
	char line[512], whole[512];

	*program = (struct program){ 0 };
	while (!wrong && fgets(line, sizeof(line), in)) {
		struct call call = { 0 };

		line[strcspn(line, "\r\n")] = 0;
		if (!*line && program->count)
			break;
		if (!*line || *line == '#')
			continue;
		strcpy(whole, line);
		wrong = program->count == MAX_CALLS ? "too many calls" : parse_call(&call, line);
		if (!wrong && program_call_of(program, call.id))
			wrong = "this result is there already";
		if (!wrong)
			program->calls[program->count++] = call;
	}
	if (wrong)
		fprintf(stderr, "prime-fuzz: %s: %s: %s\n", name, wrong, whole);
	number_calls(program);
	program_sort(program);
	return !wrong;
}

bool program_load(struct program *program, const char *path)
{
	FILE *in = fopen(path, "r");
	bool fine;

	if (!in) {
		fprintf(stderr, "prime-fuzz: %s: %s\n", path, strerror(errno));
		return false;
	}
	fine = program_parse(program, in, path);
	fclose(in);
	return fine;
}
