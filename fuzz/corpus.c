// SPDX-License-Identifier: MIT
/* Programs that reached something, kept in memory and as files. */
#include "fuzz.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static void append(struct corpus *corpus, const struct program *program)
{
	if (!(corpus->count % 64))
		corpus->programs = realloc(corpus->programs,
					   (corpus->count + 64) * sizeof(*program));
	if (!corpus->programs)
		exit(2);
	corpus->programs[corpus->count++] = *program;
}

static int no_dots(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void load_file(struct corpus *corpus, const char *path)
{
	struct program program;
	FILE *in = fopen(path, "r");

	while (in && program_parse(&program, in, path) && program.count)
		append(corpus, &program);
	if (in)
		fclose(in);
}

void corpus_load(struct corpus *corpus, const char *folder)
{
	struct dirent **names;
	int n = scandir(folder, &names, no_dots, alphasort);

	for (int i = 0; i < n; i++) {
		char path[512];

		snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
		load_file(corpus, path);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

/* The file's name comes from the text. */
static uint64_t hash(const char *text)
{
	uint64_t h = 0xcbf29ce484222325ull;

	while (*text)
		h = (h ^ (uint8_t)*text++) * 0x100000001b3ull;
	return h;
}

void corpus_add(struct corpus *corpus, const struct program *program, const char *folder)
{
	char *text, path[512];
	size_t size;
	FILE *out;

	append(corpus, program);
	if (!folder)
		return;
	out = open_memstream(&text, &size);
	program_print(program, out);
	fclose(out);
	snprintf(path, sizeof(path), "%s/%016llx", folder, (unsigned long long)hash(text));
	out = fopen(path, "w");
	if (out) {
		fputs(text, out);
		fclose(out);
	}
	free(text);
}
