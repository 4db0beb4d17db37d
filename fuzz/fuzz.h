/* SPDX-License-Identifier: MIT */
/* What the files of prime-fuzz share. */
#ifndef PRIME_FUZZ_H
#define PRIME_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* --- table.c: the calls --- */

/* What a value is. VGEM and MOCK are DRM files, too. */
enum kind {
	NOTHING, NUMBER, DRM, VGEM, MOCK, HANDLE, NAME, FB, DMABUF, SYNC, TIMELINE, UDMABUF,
	MEMFD, HEAP, VIDEO, EPOLL, MAP, IMPORT, FENCE, FILES,
};

#define MAX_FIELDS	7
#define MAX_OUT		2

struct choices {
	unsigned int count;
	const uint64_t *of;
};

/* A field of the argument's struct, or an argument of a helper. */
struct field {
	const char *name;
	size_t offset, size;
	enum kind kind;
	struct choices choices;
	/* How many bits of a number are changed at random; 0: all. */
	unsigned int bits;
};

typedef int64_t (*helper_fn)(int64_t a, int64_t b, int64_t c);

struct call_type {
	const char *name;
	/* An ioctl on a file of this kind; else a function of helpers.h. */
	enum kind on;
	unsigned long request;
	const char *request_name, *struct_name;
	size_t size;
	helper_fn helper;
	struct field in[MAX_FIELDS];
	/* The kind of what is returned, or the fields that are told. */
	enum kind gives;
	struct field out[MAX_OUT];
	/* How often it is drawn. */
	unsigned int weight;
};

extern const struct call_type call_types[];
extern const unsigned int call_type_count;

/* The arguments: the file of an ioctl, then the fields. */
unsigned int call_arguments(const struct call_type *type);
/* @field is NULL for the file of an ioctl. */
enum kind call_argument_kind(const struct call_type *type, unsigned int i,
			     const struct field **field);
enum kind call_gives(const struct call_type *type, unsigned int out);
bool kind_is_file(enum kind kind);
/* May a value of kind @have serve for @want? */
bool kind_fits(enum kind want, enum kind have);
/* Before the first call of a process, and after the last one of a program. */
void calls_begin(void);
void calls_end(void);
void calls_spend(unsigned int steps);

/* --- program.c: a program --- */

#define MAX_CALLS	40
#define MAX_ARGUMENTS	(MAX_FIELDS + 1)
#define MAX_ID		255
/* Thread 0 runs first and alone; the others run at the same time. */
#define MAX_THREADS	4

struct argument {
	/* This is the result @out of the call with the id @id; without one (0) it is @value. */
	uint8_t id, out;
	uint64_t value;
};

struct call {
	const struct call_type *type;
	uint8_t id, thread;
	struct argument arguments[MAX_ARGUMENTS];
};

struct program {
	unsigned int count;
	/* In the order of a thread's calls; thread 0 first. */
	struct call calls[MAX_CALLS];
};

/* Before a call: keeps its known fault from ending the run. */
void calls_prepare(const struct call *call);
void calls_undo(const struct call *call);
unsigned int program_threads(const struct program *program);
void program_sort(struct program *program);
void program_drop(struct program *program, unsigned int index);
const struct call *program_call_of(const struct program *program, uint8_t id);

/* --- random.c --- */

void random_seed(uint64_t seed);
uint64_t random_bits(void);
/* 0 to @below - 1. */
unsigned int random_below(unsigned int below);
bool random_chance(unsigned int percent);

/* --- generate.c, mutate.c --- */

void program_generate(struct program *program);
/* Adds a call to @thread, and what makes its arguments. */
bool program_add(struct program *program, unsigned int thread);
void argument_draw(struct program *program, struct call *call, unsigned int i);
/* @other gives calls, and may be NULL. */
void program_mutate(struct program *program, const struct program *other);

/* --- text.c, ccode.c --- */

void number_print(uint64_t value, FILE *out);
void program_print(const struct program *program, FILE *out);
/* The next program of a file; empty at its end. False, and a message, if a line is wrong. */
bool program_parse(struct program *program, FILE *in, const char *name);
bool program_load(struct program *program, const char *path);
/* A small C program that does the same, without this one. */
void program_print_c(const struct program *program, unsigned int rounds, FILE *out);

/* --- cover.c: what the kernel ran --- */

struct cover;

/* NULL where there is no KCOV. */
struct cover *cover_open(void);
void cover_reset(struct cover *cover);
/* Counts what the calling thread runs in between. Its process is a fork of cover_open()'s. */
void cover_begin(struct cover *cover, unsigned int thread);
void cover_end(struct cover *cover, unsigned int thread);
/* How many steps from block to block nobody took before; they are remembered if @keep. */
unsigned int cover_new(struct cover *cover, bool keep);
/* Blocks that were reached so far. */
unsigned int cover_blocks(const struct cover *cover);

/* --- run.c: run a program --- */

struct run_result {
	/* Calls that were made, and that succeeded. */
	unsigned int calls, succeeded;
	bool hung;
};

struct run_result program_run(const struct program *program, unsigned int rounds,
			      struct cover *cover);

/* --- corpus.c --- */

struct corpus {
	unsigned int count;
	struct program *programs;
};

/* Reads the programs of a folder; a file may have several. */
void corpus_load(struct corpus *corpus, const char *folder);
/* Keeps a program, and writes it to the folder if there is one. */
void corpus_add(struct corpus *corpus, const struct program *program, const char *folder);

/* --- watch.c: what is wrong although the kernel is silent --- */

/* Writes a program where it outlives the guest, before it is run. */
void watch_write(const char *folder, const struct program *program);
/* Buffers that are left when no program runs; 0 if that can't be known. */
unsigned int watch_leak(void);
void watch_stacks(void);

#endif
