// SPDX-License-Identifier: GPL-2.0
/* The command line of a benchmark, its clock and its output. */
#include "bench.h"

#include <dirent.h>
#include <getopt.h>
#include <time.h>

static unsigned int accounts(void)
{
	DIR *dir = opendir("/sys/kernel/dmabuf/buffers");
	unsigned int count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

/* Waits until the number of accounts has not changed for 100 ms. */
void bench_settle(void)
{
	unsigned int before, now = accounts();

	do {
		before = now;
		usleep(100000);
		now = accounts();
	} while (now != before);
}

uint64_t bench_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

void bench_result(const char *name, uint64_t parameter, double value,
		  const char *unit)
{
	printf("%s %llu %.1f %s\n", name, (unsigned long long)parameter, value,
	       unit);
	fflush(stdout);
}

double bench_loop(void (*op)(void *), void *arg, unsigned int count)
{
	uint64_t start;

	for (unsigned int i = 0; i < count / 10 + 1; i++)
		op(arg);
	start = bench_clock();
	for (unsigned int i = 0; i < count; i++)
		op(arg);
	return (double)(bench_clock() - start) / count;
}

static void usage(FILE *stream, const char *program, const struct bench *table,
		  size_t count)
{
	fprintf(stream, "usage: %s [--list] [--only ROW]\nRows:\n", program);
	for (size_t i = 0; i < count; i++)
		fprintf(stream, "  %-22s %s\n", table[i].name, table[i].what);
}

int bench_main(int argc, char **argv, const struct bench *table, size_t count)
{
	static const struct option options[] = {
		{ "list", no_argument, NULL, 'l' },
		{ "only", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *only = NULL;
	bool found = false;
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'l':
			for (size_t i = 0; i < count; i++)
				puts(table[i].name);
			return 0;
		case 'o':
			only = optarg;
			break;
		case 'h':
			usage(stdout, argv[0], table, count);
			return 0;
		default:
			usage(stderr, argv[0], table, count);
			return 2;
		}
	}

	for (size_t i = 0; i < count; i++) {
		if (only && strcmp(only, table[i].name))
			continue;
		found = true;
		bench_settle();
		table[i].run(table[i].name);
	}
	if (!found) {
		fprintf(stderr, "%s: no row '%s'; these are there:\n", argv[0],
			only);
		usage(stderr, argv[0], table, count);
		return 2;
	}
	return 0;
}
