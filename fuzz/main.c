// SPDX-License-Identifier: MIT
/*
 * prime-fuzz: makes calls around dma-bufs at random, keeps what reaches something new, and changes
 * that. What it runs it writes down first, for the kernel may not survive it.
 */
#include "fuzz.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS		4
#define REPORT_SECONDS	10

enum { NEW_PERCENT = 15, FOUND = 1, CANNOT = 2 };

static struct options {
	const char *keep, *watch;
	unsigned int rounds, seconds;
	uint64_t seed;
} options = { .rounds = ROUNDS, .seconds = 60, .seed = 1 };

static struct corpus corpus;
static struct cover *cover;
static struct { unsigned long programs, calls, succeeded; } sum;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* Runs a program, and ends everything when the kernel has a fault about which it is silent. */
static void run(const struct program *program)
{
	struct run_result result;
	unsigned int left;

	if (options.watch)
		watch_write(options.watch, program);
	result = program_run(program, options.rounds, cover);
	sum.programs++;
	sum.calls += result.calls;
	sum.succeeded += result.succeeded;
	if (result.hung) {
		printf("prime-fuzz: FOUND a process that cannot be killed\n");
		fflush(stdout);
		watch_stacks();
		_exit(FOUND);
	}
	left = watch_leak();
	if (left) {
		printf("prime-fuzz: FOUND %u buffers that nobody holds are left\n", left);
		fflush(stdout);
		_exit(FOUND);
	}
}

static void report(double start)
{
	printf("prime-fuzz: %.0f s, %lu programs, %lu calls, %lu succeeded, %u blocks, corpus %u\n",
	       now() - start, sum.programs, sum.calls, sum.succeeded, cover_blocks(cover),
	       corpus.count);
	fflush(stdout);
}

/* Takes calls away as long as the program takes @steps that nobody took before. */
static void shorten(struct program *program, unsigned int steps)
{
	for (unsigned int i = program->count; i--; ) {
		struct program less = *program;

		program_drop(&less, i);
		run(&less);
		if (cover_new(cover, false) >= steps)
			*program = less;
	}
}

static void fuzz_once(void)
{
	struct program program;
	unsigned int first, second;

	if (!corpus.count || random_chance(NEW_PERCENT)) {
		program_generate(&program);
	} else {
		program = corpus.programs[random_below(corpus.count)];
		program_mutate(&program, &corpus.programs[random_below(corpus.count)]);
	}
	if (!program.count)
		return;
	run(&program);
	first = cover_new(cover, false);
	if (!first)
		return;
	/* Once more: what only the order of threads reached is not worth its place. */
	run(&program);
	second = cover_new(cover, false);
	if (!second)
		return;
	shorten(&program, first < second ? first : second);
	run(&program);
	cover_new(cover, true);
	corpus_add(&corpus, &program, options.keep);
}

static int by_length(const void *a, const void *b)
{
	const struct program *x = a, *y = b;

	return (x->count > y->count) - (x->count < y->count);
}

/* The programs of the folders, the shortest first; those that reach nothing new are left out. */
static void start_corpus(char **folders)
{
	struct corpus loaded = { 0 };

	for (; *folders; folders++)
		corpus_load(&loaded, *folders);
	if (loaded.count)
		qsort(loaded.programs, loaded.count, sizeof(*loaded.programs), by_length);
	for (unsigned int i = 0; i < loaded.count; i++) {
		run(&loaded.programs[i]);
		if (cover_new(cover, true) || !cover)
			corpus_add(&corpus, &loaded.programs[i], options.keep);
	}
}

static int fuzz(char **folders)
{
	double start = now(), next = start + REPORT_SECONDS;

	random_seed(options.seed);
	printf("prime-fuzz: seed %llu, %s\n", (unsigned long long)options.seed,
	       cover ? "guided by KCOV" : "no KCOV: not guided");
	start_corpus(folders);
	while (now() < start + options.seconds) {
		fuzz_once();
		if (now() >= next) {
			report(start);
			next += REPORT_SECONDS;
		}
	}
	report(start);
	printf("prime-fuzz: end\n");
	return 0;
}

static int replay(char **files)
{
	double start = now();

	for (; *files; files++) {
		struct program program;

		if (!program_load(&program, *files))
			return CANNOT;
		printf("prime-fuzz: replay %s\n", *files);
		fflush(stdout);
		run(&program);
	}
	report(start);
	printf("prime-fuzz: end\n");
	return 0;
}

/* All programs of a file. */
static int print(const char *path)
{
	struct program program;
	FILE *in = fopen(path, "r");
	bool fine = in;

	while (fine && (fine = program_parse(&program, in, path)) && program.count) {
		program_print(&program, stdout);
		putchar('\n');
	}
	if (in)
		fclose(in);
	else
		perror(path);
	return fine ? 0 : CANNOT;
}

/* What is done with one program and no kernel. */
static int convert(const char *how, const char *path, const char *drop)
{
	struct program program;

	if (!program_load(&program, path))
		return CANNOT;
	if (drop && (unsigned int)atoi(drop) < program.count)
		program_drop(&program, atoi(drop));
	if (*how == 'c')
		program_print_c(&program, options.rounds, stdout);
	else if (*how == 'n')
		printf("%u\n", program.count);
	else
		program_print(&program, stdout);
	return 0;
}

static int generate(unsigned int count)
{
	random_seed(options.seed);
	while (count--) {
		struct program program;

		program_generate(&program);
		program_print(&program, stdout);
		putchar('\n');
	}
	return 0;
}

static int usage(FILE *out)
{
	fputs("usage: prime-fuzz [--seconds N] [--seed N] [--keep FOLDER] [--watch FOLDER] [CORPUS...]\n"
	      "       prime-fuzz --replay [--rounds N] [--watch FOLDER] FILE...\n"
	      "       prime-fuzz --print FILE | --count FILE | --drop INDEX FILE |\n"
	      "                  --c [--rounds N] FILE | --generate N [--seed N]\n"
	      "\n"
	      "Fuzzes the running kernel's dma-bufs: run it in a guest only. CORPUS are folders of\n"
	      "programs to begin with; --keep gets those that reach something new, --watch the last\n"
	      "programs that were run. --print prints what a file has, --drop its first program\n"
	      "without a call, --c as a C program.\n"
	      "Exit status: 1 when something was found that does not end the kernel, 2 for a mistake.\n",
	      out);
	return out == stderr ? CANNOT : 0;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{ "seconds", 1, NULL, 's' }, { "seed", 1, NULL, 'S' }, { "keep", 1, NULL, 'k' },
		{ "watch", 1, NULL, 'w' }, { "rounds", 1, NULL, 'R' }, { "replay", 0, NULL, 'r' },
		{ "print", 0, NULL, 'p' }, { "count", 0, NULL, 'n' }, { "c", 0, NULL, 'c' },
		{ "drop", 1, NULL, 'd' }, { "generate", 1, NULL, 'g' }, { "help", 0, NULL, 'h' },
		{ 0 },
	};
	const char *drop = NULL;
	unsigned int count = 0;
	char how[2] = "f";
	int option;

	while ((option = getopt_long(argc, argv, "h", known, NULL)) >= 0) {
		switch (option) {
		case 's': options.seconds = strtoul(optarg, NULL, 0); break;
		case 'S': options.seed = strtoull(optarg, NULL, 0); break;
		case 'k': options.keep = optarg; break;
		case 'w': options.watch = optarg; break;
		case 'R': options.rounds = strtoul(optarg, NULL, 0); break;
		case 'd': drop = optarg; *how = 'd'; break;
		case 'g': count = strtoul(optarg, NULL, 0); *how = 'g'; break;
		case 'r': case 'p': case 'n': case 'c': *how = option; break;
		case 'h': return usage(stdout);
		default: return usage(stderr);
		}
	}
	if (*how == 'g')
		return generate(count);
	if (!argv[optind] && *how != 'f')
		return usage(stderr);
	if (*how == 'p')
		return print(argv[optind]);
	if (*how != 'f' && *how != 'r')
		return convert(how, argv[optind], drop);
	cover = cover_open();
	return *how == 'r' ? replay(argv + optind) : fuzz(argv + optind);
}
