// SPDX-License-Identifier: GPL-2.0
/*
 * Two processors: how much more two threads do than one thread, and how long
 * one thread waits for another. This measures wall-clock time, so only ratios
 * mean something.
 */
#include "bench.h"

#include <fcntl.h>
#include <pthread.h>

#define SECONDS	2.0

struct worker {
	pthread_t thread;
	void (*op)(struct worker *w);
	int drm, other;		/* exporter's and importer's file */
	int fd;			/* buffer to import */
	volatile bool *stop;
	uint64_t count;
};

static void *worker_run(void *arg)
{
	struct worker *w = arg;

	while (!*w->stop) {
		w->op(w);
		w->count++;
	}
	return NULL;
}

/* Operations a second of the first @threads workers together. */
static double throughput(struct worker *workers, unsigned int threads)
{
	volatile bool stop = false;
	uint64_t start = bench_clock(), count = 0;

	for (unsigned int i = 0; i < threads; i++) {
		workers[i].stop = &stop;
		workers[i].count = 0;
		check(!pthread_create(&workers[i].thread, NULL, worker_run,
				      &workers[i]));
	}
	usleep(SECONDS * 1e6);
	stop = true;
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		count += workers[i].count;
	}
	return count * 1e9 / (bench_clock() - start);
}

static void op_dup(struct worker *w)
{
	close(check_ok(dup(w->fd)));
}

/* What every import also does in parts of DRM outside the layer. */
static void op_create(struct worker *w)
{
	gem_close(w->other, gem_create(w->other, 1));
}

static void op_create_export(struct worker *w)
{
	int64_t handle = gem_create(w->drm, 1);

	close(gem_export(w->drm, handle, DRM_CLOEXEC | DRM_RDWR));
	gem_close(w->drm, handle);
}

static void op_import(struct worker *w)
{
	int64_t handle = gem_import(w->other, w->fd);

	check(handle > 0);
	gem_close(w->other, handle);
}

/* A new buffer each time, so that nothing remembers it. */
static void op_import_first(struct worker *w)
{
	int64_t handle = gem_create(w->drm, 64);
	int fd = gem_export(w->drm, handle, DRM_CLOEXEC | DRM_RDWR);
	int64_t imported = gem_import(w->other, fd);

	check(imported > 0);
	gem_close(w->other, imported);
	close(fd);
	gem_close(w->drm, handle);
}

/* One file per thread, as in two processes. */
static void threads(const char *name, void (*op)(struct worker *w))
{
	struct worker workers[2] = { };
	double one, two;

	for (int i = 0; i < 2; i++) {
		workers[i].op = op;
		workers[i].drm = open_driver("vgem");
		workers[i].other = open_driver("vkms");
		workers[i].fd = make_dmabuf(workers[i].drm, 64, NULL);
	}
	one = throughput(workers, 1);
	two = throughput(workers, 2);
	bench_result(name, 1, one, "per-second");
	bench_result(name, 2, two, "per-second");
	bench_result(name, 0, two / one, "times");
	for (int i = 0; i < 2; i++) {
		close(workers[i].fd);
		close(workers[i].drm);
		close(workers[i].other);
	}
}

static void floor_dup(const char *name)
{
	threads(name, op_dup);
}

static void create(const char *name)
{
	threads(name, op_create);
}

static void export(const char *name)
{
	threads(name, op_create_export);
}

static void import_again(const char *name)
{
	threads(name, op_import);
}

static void import_first(const char *name)
{
	threads(name, op_import_first);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* 3840x2160 pixels of 4 bytes, in rows of 4 KiB. */
#define BIG_PAGES	(3840 * 2160 / 1024)

static void op_import_big(struct worker *w)
{
	int64_t handle = gem_create(w->drm, BIG_PAGES);
	int fd = gem_export(w->drm, handle, DRM_CLOEXEC | DRM_RDWR);
	int64_t imported = gem_import(w->other, fd);

	check(imported > 0);
	gem_close(w->other, imported);
	close(fd);
	gem_close(w->drm, handle);
}

/*
 * Measures how long a HANDLE_TO_FD of an exported buffer takes while another
 * thread of the same file imports big buffers that the file does not know.
 */
static void wait_for_import(const char *name)
{
	enum { SAMPLES = 20000 };
	static uint64_t ns[SAMPLES];
	struct worker w = {
		.op = op_import_big, .drm = open_driver("vgem"),
		.other = open_driver("vkms"),
	};
	volatile bool stop = false;
	uint32_t handle = check_ok(gem_create(w.other, 1));
	uint64_t begun = bench_clock();
	unsigned int n = 0;

	w.stop = &stop;
	close(check_ok(gem_export(w.other, handle, DRM_CLOEXEC)));
	check(!pthread_create(&w.thread, NULL, worker_run, &w));
	while (n < SAMPLES && bench_clock() - begun < 10 * 1000000000ull) {
		uint64_t start;
		int fd;

		/* One sample each half millisecond, also while it waits. */
		usleep(500);
		start = bench_clock();
		fd = gem_export(w.other, handle, DRM_CLOEXEC);
		ns[n++] = bench_clock() - start;
		check(fd >= 0);
		close(fd);
	}
	stop = true;
	pthread_join(w.thread, NULL);
	qsort(ns, n, sizeof(ns[0]), by_value);
	bench_result(name, 50, ns[n / 2] / 1e3, "us");
	bench_result(name, 99, ns[n * 99 / 100] / 1e3, "us");
	bench_result(name, 100, ns[n - 1] / 1e3, "us");
	bench_result("import-big", 0,
		     (bench_clock() - begun) / 1e3 / (w.count ?: 1), "us");
	close(w.other);
	close(w.drm);
}

static const struct bench table[] = {
	{ "threads-dup", "dup and close, a file each: what two threads of this machine can do", floor_dup },
	{ "threads-create", "create and close of a buffer in one device, without sharing it", create },
	{ "threads-export", "create, export and close; one thread against two", export },
	{ "threads-import-first", "imports of new buffers into one device, a file each", import_first },
	{ "threads-import-again", "imports of known buffers into one device, a file each", import_again },
	{ "wait-for-import", "HANDLE_TO_FD while another thread imports; percentiles", wait_for_import },
};

BENCH_MAIN(table)
