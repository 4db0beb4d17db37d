/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the benchmarks share: a clock, a loop, and the line that
 * scripts/bench-report reads. igt-tests/lib has the devices and ioctls.
 */
#ifndef PRIME_BENCH_H
#define PRIME_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "prime_test.h"

struct bench {
	const char *name;	/* of the row */
	const char *what;	/* one line for --help */
	void (*run)(const char *name);
};

#define BENCH_MAIN(table)						\
	int main(int argc, char **argv)					\
	{								\
		return bench_main(argc, argv, table,			\
				  sizeof(table) / sizeof((table)[0]));	\
	}

/* --only NAME runs one row, --list prints them. */
int bench_main(int argc, char **argv, const struct bench *table, size_t count);

/* Nanoseconds; under QEMU's -icount shift=1 an instruction takes two. */
uint64_t bench_clock(void);
/* The time since then, without what a call of bench_clock() takes. */
uint64_t bench_since(uint64_t start);
/* Waits for what the kernel frees late. */
void bench_settle(void);
/* NAME PARAMETER VALUE UNIT: one line that scripts/bench-report reads. */
void bench_result(const char *name, uint64_t parameter, double value,
		  const char *unit);
/* The same, in instructions, for a time under -icount. */
void bench_instructions(const char *name, uint64_t parameter, double ns);
/* Calls @op for warming up, then @count times. Returns ns per call. */
double bench_loop(void (*op)(void *), void *arg, unsigned int count);

/* The size of a buffer in pixels of 4 bytes. */
struct bench_picture {
	unsigned int width, height;
	unsigned int count;	/* how many to have at a time */
};

/* One page, 64 pages, and two full screens. */
#define BENCH_PICTURES	4
extern const struct bench_picture bench_pictures[BENCH_PICTURES];

uint32_t bench_picture_create(int drm, const struct bench_picture *picture);
/* Creates, writes to each page, as a producer does, exports, and gives the fd. */
int bench_picture_make(int drm, const struct bench_picture *picture);

#endif
