// SPDX-License-Identifier: GPL-2.0
/* The command line of a benchmark, its clock and its output. */
#include "bench.h"

#include <fcntl.h>
#include <getopt.h>
#include <sys/mman.h>
#include <time.h>

void bench_settle(void)
{
	usleep(100000);
}

uint64_t bench_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

uint64_t bench_since(uint64_t start)
{
	uint64_t now = bench_clock();

	return now - start - (bench_clock() - now);
}

void bench_result(const char *name, uint64_t parameter, double value,
		  const char *unit)
{
	printf("%s %llu %.2f %s\n", name, (unsigned long long)parameter, value,
	       unit);
	fflush(stdout);
}

void bench_instructions(const char *name, uint64_t parameter, double ns)
{
	bench_result(name, parameter, ns / 2, "instructions");
}

double bench_loop(void (*op)(void *), void *arg, unsigned int count)
{
	uint64_t start;

	for (unsigned int i = 0; i < count / 10 + 1; i++)
		op(arg);
	start = bench_clock();
	for (unsigned int i = 0; i < count; i++)
		op(arg);
	return (double)bench_since(start) / count;
}

const struct bench_picture bench_pictures[BENCH_PICTURES] = {
	{ 32, 32, 200 }, { 256, 256, 100 }, { 1920, 1080, 8 }, { 3840, 2160, 2 },
};

uint32_t bench_picture_create(int drm, const struct bench_picture *picture)
{
	struct drm_mode_create_dumb arg = {
		.width = picture->width, .height = picture->height, .bpp = 32,
	};

	check_ok(xioctl(drm, DRM_IOCTL_MODE_CREATE_DUMB, &arg));
	return arg.handle;
}

/* The file keeps the handle. */
int bench_picture_make(int drm, const struct bench_picture *picture)
{
	size_t size = 4ul * picture->width * picture->height;
	uint32_t handle = bench_picture_create(drm, picture);
	int fd = check_ok(gem_export(drm, handle, DRM_CLOEXEC | DRM_RDWR));
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	check(map != MAP_FAILED);
	/* Shmem has no page before that. */
	memset(map, 0x5a, size);
	munmap(map, size);
	return fd;
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
