// SPDX-License-Identifier: MIT
/**
 * TEST: dmabuf list
 * Description: The list of all buffers, debugfs dma_buf/bufinfo. It is right while
 *  buffers are made and freed, and its readers block nobody.
 */
#include "lib/mock_buffer.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>

#define BUFINFO		"/sys/kernel/debug/dma_buf/bufinfo"

static atomic_bool over;

static void need_list(void)
{
	if (all_buffers() < 0)
		prime_skip("debugfs dma_buf/bufinfo can't be read");
}

static void run_on_cpu(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* --- what is listed --- */

enum { STEADY = 64 };

static atomic_ulong lives, looks;

/* Buffers are made on one processor and closed on it or on the other. */
static void *come_and_go(void *arg)
{
	unsigned int cpu = (uintptr_t)arg;
	int drm = open_device();

	for (unsigned int turn = 0; !atomic_load(&over); turn++) {
		uint32_t handles[16];
		int fds[16];

		run_on_cpu(cpu);
		for (int i = 0; i < 16; i++)
			fds[i] = make_dmabuf(drm, 1, &handles[i]);
		run_on_cpu(cpu ^ (turn & 1));
		for (int i = 0; i < 16; i++) {
			close(fds[i]);
			check_ok(gem_close(drm, handles[i]));
		}
		atomic_fetch_add(&lives, 16);
	}
	close(drm);
	return NULL;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The inode of each line of a buffer, sorted. */
static size_t read_inodes(uint64_t *inodes, size_t most)
{
	char *text = read_text(BUFINFO), *line, *rest = text;
	size_t count = 0;

	check(text);
	while ((line = strsep(&rest, "\n"))) {
		unsigned long long inode;

		if (sscanf(line, "%*u\t%*x\t%*x\t%*d\t%*[^\t]\t%llu\t", &inode) == 1) {
			check(count < most);
			inodes[count++] = inode;
		}
	}
	free(text);
	qsort(inodes, count, sizeof(*inodes), compare);
	return count;
}

static void look(const uint64_t *steady)
{
	static uint64_t inodes[4096];
	size_t count = read_inodes(inodes, 4096);

	for (size_t i = 1; i < count; i++)
		check(inodes[i] != inodes[i - 1]);
	for (int i = 0; i < STEADY; i++)
		check(bsearch(&steady[i], inodes, count, sizeof(*inodes), compare));
	atomic_fetch_add(&looks, 1);
}

/**
 * SUBTEST: listed-once
 * Description: While other buffers are made and freed on two processors, debugfs
 *  lists each buffer that stays once, and none twice.
 */
static void listed_once(void)
{
	int drm = open_device();
	uint64_t steady[STEADY];
	pthread_t threads[4];
	double end;

	need_list();
	for (int i = 0; i < STEADY; i++) {
		run_on_cpu(i % 2);
		steady[i] = inode_of(make_dmabuf(drm, 1, NULL));
	}
	for (uintptr_t i = 0; i < 4; i++)
		check_eq(pthread_create(&threads[i], NULL, come_and_go, (void *)(i % 2)), 0);
	for (end = now() + race_seconds(); now() < end ||
	     (atomic_load(&lives) < 1000 && now() < end + 20); )
		look(steady);
	atomic_store(&over, true);
	for (int i = 0; i < 4; i++)
		check_eq(pthread_join(threads[i], NULL), 0);
	printf("%lu buffers came and went in %lu looks\n", atomic_load(&lives),
	       atomic_load(&looks));
	check(atomic_load(&lives) >= 1000);
	check(atomic_load(&looks) > 1);
	check_eq(count_buffers(), STEADY);
}

/* --- nobody waits for a reader --- */

enum { LISTED = 10000, EXPORTS = 1000 };

/*
 * In an emulated guest the processor time of a thread includes time that the host gave to others.
 * So a busy host makes single exports look as if they spun, but a lock that the reader
 * holds makes most of them spin.
 */
enum { MOST_SPUN = EXPORTS / 100 };

#define BOUND		0.3		/* seconds for an export */
#define MAP_US		3000000		/* how long the driver maps */

static atomic_bool reading, mapping;

static void *read_list(void *arg)
{
	while (!atomic_load(&over)) {
		char *text;

		atomic_store(&reading, true);
		text = read_text(BUFINFO);
		atomic_store(&reading, false);
		check(text);
		free(text);
	}
	return arg;
}

/* The exporter sleeps in map, with the reservation object locked. */
static void *import_slowly(void *arg)
{
	const struct mock_buffer *b = arg;
	int importer = mock_open(1);

	check_ok(mock_sleep(b->mock, b->id, PRIME_MOCK_MAP, MAP_US, 0));
	while (!atomic_load(&over)) {
		int64_t handle;

		atomic_store(&mapping, true);
		handle = gem_import(importer, b->fd);
		atomic_store(&mapping, false);
		check_ok(gem_close(importer, check_ok(handle)));
	}
	close(importer);
	return NULL;
}

static double cpu_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static long sleeps(void)
{
	struct rusage usage;

	check_ok(getrusage(RUSAGE_THREAD, &usage) ? -errno : 0);
	return usage.ru_nvcsw;
}

struct tally {
	unsigned int exports;	/* while the list is read and the driver maps */
	unsigned int slept;	/* of all exports, those that took longer than BOUND, and slept */
	unsigned int spun;	/* those that used the processor for longer than BOUND */
	double worst;		/* seconds */
};

/*
 * An export that waits for a lock sleeps, or uses the processor. One that is late since
 * another thread has the processor does neither.
 */
static void export_timed(int drm, uint32_t handle, struct tally *n)
{
	const long before = sleeps();
	const double used = cpu_time(), start = now();
	int fd = check_ok(gem_export(drm, handle, DRM_CLOEXEC));
	double took = now() - start;

	n->spun += cpu_time() - used > BOUND;
	n->slept += took > BOUND && sleeps() > before;
	if (took > n->worst)
		n->worst = took;
	close(fd);
}

/* Exports of new buffers, on each processor in turn. */
static struct tally measure(int drm)
{
	double end = now() + 25;
	struct tally n = { };
	unsigned int turn = 0;

	/* Some late ones are enough to fail. */
	while (n.exports < EXPORTS && n.slept < 3 && n.spun <= MOST_SPUN && now() < end) {
		uint32_t handle = check_ok(gem_create(drm, 1));
		bool counts;

		run_on_cpu(turn++ % sysconf(_SC_NPROCESSORS_ONLN));
		counts = atomic_load(&reading) && atomic_load(&mapping);
		export_timed(drm, handle, &n);
		counts |= atomic_load(&reading) && atomic_load(&mapping);
		check_ok(gem_close(drm, handle));
		n.exports += counts;
	}
	return n;
}

/**
 * SUBTEST: exports-while-read
 * Description: bufinfo of 10,000 buffers is read again and again while an exporter
 *  sleeps three seconds in map, with the reservation object locked. Each of 1,000
 *  exports meanwhile ends within 300 ms, but for the time that a busy machine takes.
 */
static void exports_while_read(void)
{
	struct rlimit limit = { LISTED + 1000, LISTED + 1000 };
	int drm = open_device(), mock = mock_open(0);
	struct mock_buffer slow = mock_buffer(mock, 0, 1);
	pthread_t threads[2];
	struct tally n;

	need_list();
	check_ok(setrlimit(RLIMIT_NOFILE, &limit) ? -errno : 0);
	for (int i = 0; i < LISTED; i++)
		make_dmabuf(drm, 1, NULL);
	check_eq(pthread_create(&threads[0], NULL, import_slowly, &slow), 0);
	mock_wait_calls(&slow, PRIME_MOCK_MAP, 1);
	check_eq(pthread_create(&threads[1], NULL, read_list, NULL), 0);
	n = measure(drm);
	atomic_store(&over, true);
	for (int i = 0; i < 2; i++)
		check_eq(pthread_join(threads[i], NULL), 0);
	printf("%u exports beside a reader and a map: %.0f ms at most; above %.0f ms: "
	       "%u that slept, %u that ran\n",
	       n.exports, 1000 * n.worst, 1000 * BOUND, n.slept, n.spun);
	check_eq(n.slept, 0);
	check(n.spun <= MOST_SPUN);
	check_eq(n.exports, EXPORTS);
	mock_buffer_end(&slow);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(listed_once),
	SUBTEST(exports_while_read),
};

PRIME_MAIN(subtests)
