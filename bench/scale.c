// SPDX-License-Identifier: GPL-2.0
/*
 * Two processors: how much more two threads do than one thread. This measures
 * wall-clock time, so only ratios mean something.
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

/*
 * How much more two threads do than one; one file per thread, as in two
 * processes. @name may be NULL.
 */
static double scaling(const char *name, void (*op)(struct worker *w))
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
	for (int i = 0; i < 2; i++) {
		close(workers[i].fd);
		close(workers[i].drm);
		close(workers[i].other);
	}
	if (name) {
		bench_result(name, 1, one, "per-second");
		bench_result(name, 2, two, "per-second");
	}
	return two / one;
}

/* Beside dup(), measured at the same time: the most that this machine can do. */
static void threads(const char *name, void (*op)(struct worker *w))
{
	double most = scaling(NULL, op_dup);

	bench_result(name, 0, scaling(name, op) / most, "of-dup");
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

static const struct bench table[] = {
	{ "threads-create", "create and close of a buffer in one device, without sharing it", create },
	{ "threads-export", "create, export and close; one thread against two", export },
	{ "threads-import-first", "imports of new buffers into one device, a file each", import_first },
	{ "threads-import-again", "imports of known buffers into one device, a file each", import_again },
};

BENCH_MAIN(table)
