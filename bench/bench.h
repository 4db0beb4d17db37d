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
/* Waits until the accounts of buffers in sysfs no longer change. */
void bench_settle(void);
/* NAME PARAMETER VALUE UNIT: one line that scripts/bench-report reads. */
void bench_result(const char *name, uint64_t parameter, double value,
		  const char *unit);
/* Calls @op for warming up, then @count times. Returns ns per call. */
double bench_loop(void (*op)(void *), void *arg, unsigned int count);

#endif
