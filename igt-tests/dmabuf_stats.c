// SPDX-License-Identifier: GPL-2.0
/**
 * TEST: dmabuf stats
 * Description: The accounts of all buffers, in sysfs (DMABUF_SYSFS_STATS) and
 *  debugfs: a buffer's directory may come a moment after the buffer, goes with
 *  it, and while buffers come and go none is missing or told twice.
 */
#include "lib/prime_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE		4096ul
#define BUFFERS		"/sys/kernel/dmabuf/buffers"
#define BUFINFO		"/sys/kernel/debug/dma_buf/bufinfo"
#define BOUND		5.0	/* seconds; a checked kernel is slow */

static void need_stats(void)
{
	if (access(BUFFERS, F_OK))
		prime_skip("no %s (CONFIG_DMABUF_SYSFS_STATS)", BUFFERS);
}

static const char *directory(uint64_t inode, const char *file)
{
	static _Thread_local char path[128];

	snprintf(path, sizeof(path), BUFFERS "/%llu/%s",
		 (unsigned long long)inode, file);
	return path;
}

/* Entries in sysfs and the sum of their sizes, without any that vanish. */
static int read_stats(long long *bytes)
{
	DIR *dir = opendir(BUFFERS);
	struct dirent *entry;
	int count = 0;

	check(dir);
	*bytes = 0;
	while ((entry = readdir(dir))) {
		char *text;

		if (*entry->d_name == '.')
			continue;
		text = read_text(directory(strtoull(entry->d_name, NULL, 10),
					   "size"));
		if (text) {
			*bytes += atoll(text);
			count++;
		}
		free(text);
	}
	closedir(dir);
	return count;
}

/* Waits until as many are there as wanted; how many there are then. */
static int settle_stats(int wanted, long long *bytes)
{
	double end = now() + BOUND;
	int count;

	while ((count = read_stats(bytes)) != wanted && now() < end)
		usleep(5000);
	return count;
}

/* Those of the test before are settled, too. */
static int stats_begin(void)
{
	long long bytes;
	int all;

	need_stats();
	all = all_buffers();
	if (all < 0)
		prime_skip("debugfs dma_buf/bufinfo can't be read");
	check_eq(settle_stats(all, &bytes), all);
	return all;
}

/**
 * SUBTEST: appears
 * Description: The directory is there within moments, whole, and stays.
 */
static void appears(void)
{
	double start, end;
	uint64_t inode;
	char *text;

	stats_begin();
	inode = inode_of(any_dmabuf(2));
	start = now();
	while (access(directory(inode, "size"), F_OK)) {
		check(now() < start + BOUND);
		usleep(1000);
	}
	end = now();
	text = read_text(directory(inode, "size"));
	check(text);
	check_eq(atoll(text), 2 * PAGE);
	check(read_text(directory(inode, "exporter_name")));
	usleep(50000);
	check(!access(directory(inode, "size"), F_OK));
	printf("after %.0f ms\n", 1000 * (end - start));
}

/**
 * SUBTEST: gone-at-release
 * Description: When the last close returns the directory is gone, however old
 *  the buffer was; a file in it that is still open tells nothing more.
 */
static void gone_at_release(void)
{
	int drm = open_device(), fd, file;
	uint64_t inode;
	uint32_t handle;
	char byte;

	stats_begin();
	for (unsigned int ms = 0; ms < 60; ms += 3) {
		fd = make_dmabuf(drm, 1, &handle);
		inode = inode_of(fd);
		usleep(1000 * ms);
		file = open(directory(inode, "size"), O_RDONLY);
		check_ok(gem_close(drm, handle));
		close(fd);
		check_eq(settle_buffers(0), 0);
		check(access(directory(inode, ""), F_OK));
		if (file >= 0) {
			check(read(file, &byte, 1) < 0);
			close(file);
		}
		usleep(30000);
		check(access(directory(inode, ""), F_OK));
	}
}

/**
 * SUBTEST: short-lived
 * Description: Thousands of buffers that are closed at once leave nothing.
 */
static void short_lived(void)
{
	int drm = open_device(), before = stats_begin();
	long long bytes;
	uint32_t handle;

	for (int i = 0; i < 5000; i++) {
		close(make_dmabuf(drm, 1, &handle));
		check_ok(gem_close(drm, handle));
	}
	check_eq(settle_buffers(0), 0);
	usleep(50000);
	check_eq(read_stats(&bytes), before);
}

/**
 * SUBTEST: sum-is-right
 * Description: A thousand live buffers are all there within moments, and
 *  their sizes add up.
 */
static void sum_is_right(void)
{
	struct rlimit limit = { 2048, 2048 };
	int drm = open_device(), before = stats_begin();
	long long bytes, more;

	check_ok(setrlimit(RLIMIT_NOFILE, &limit) ? -errno : 0);
	check_eq(read_stats(&bytes), before);
	for (int i = 0; i < 1000; i++)
		make_dmabuf(drm, 1 + i % 3, NULL);
	check_eq(settle_stats(before + 1000, &more), before + 1000);
	check_eq(more - bytes, 1000 * PAGE + 999 * PAGE);
}

/* --- races --- */

static atomic_bool over;
static atomic_ulong turns;

/* Lives about as long as it takes until its directory is made. */
static void *come_and_go(void *arg)
{
	unsigned int cpu = (uintptr_t)arg, turn = 0;
	int drm = open_device();
	cpu_set_t set;
	uint32_t handle;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	while (!atomic_load(&over)) {
		int fds[16];
		uint32_t handles[16];

		for (int i = 0; i < 16; i++)
			fds[i] = make_dmabuf(drm, 1, &handles[i]);
		usleep(turn * 1777 % 30000);
		/* The release is on another processor each second time. */
		if (turn++ & 1) {
			CPU_ZERO(&set);
			CPU_SET(cpu ^ (turn >> 1 & 1), &set);
			sched_setaffinity(0, sizeof(set), &set);
		}
		for (int i = 0; i < 16; i++) {
			close(fds[i]);
			check_ok(gem_close(drm, handles[i]));
		}
		close(make_dmabuf(drm, 1, &handle));
		check_ok(gem_close(drm, handle));
		atomic_fetch_add(&turns, 1);
	}
	close(drm);
	return NULL;
}

static void race(void *(*reader)(void *arg), void *arg)
{
	pthread_t threads[5];
	uintptr_t i;

	atomic_store(&over, false);
	for (i = 0; i < 4; i++)
		check(!pthread_create(&threads[i], NULL, come_and_go,
				      (void *)(i % 2)));
	check(!pthread_create(&threads[i], NULL, reader, arg));
	usleep(race_seconds() * 1e6);
	atomic_store(&over, true);
	for (i = 0; i < 5; i++)
		pthread_join(threads[i], NULL);
	printf("%lu turns\n", atomic_load(&turns));
	check(atomic_load(&turns) > 0);
}

static void *read_sysfs(void *arg)
{
	long long bytes;

	(void)arg;
	while (!atomic_load(&over))
		read_stats(&bytes);
	return NULL;
}

/**
 * SUBTEST: release-against-worker
 * Description: Buffers released at the very time at which their directories
 *  are made and read, on two processors, leave none behind.
 */
static void release_against_worker(void)
{
	int before = stats_begin();
	long long bytes;

	race(read_sysfs, NULL);
	check_eq(settle_buffers(0), 0);
	usleep(50000);
	check_eq(read_stats(&bytes), before);
}

enum { STEADY = 64 };

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

static void *read_bufinfo(void *arg)
{
	static uint64_t inodes[4096];
	const uint64_t *steady = arg;

	while (!atomic_load(&over)) {
		size_t count = read_inodes(inodes, 4096);

		for (size_t i = 1; i < count; i++)
			check(inodes[i] != inodes[i - 1]);
		for (int i = 0; i < STEADY; i++)
			check(bsearch(&steady[i], inodes, count,
				      sizeof(*inodes), compare));
	}
	return NULL;
}

/**
 * SUBTEST: listed-once
 * Description: While others come and go on two processors, debugfs lists each
 *  buffer that stays once, and none twice.
 */
static void listed_once(void)
{
	int drm = open_device();
	uint64_t steady[STEADY];

	if (all_buffers() < 0)
		prime_skip("debugfs dma_buf/bufinfo can't be read");
	for (int i = 0; i < STEADY; i++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(i % 2, &set);
		sched_setaffinity(0, sizeof(set), &set);
		steady[i] = inode_of(make_dmabuf(drm, 1, NULL));
	}
	race(read_bufinfo, steady);
	check_eq(count_buffers(), STEADY);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(appears),
	SUBTEST(gone_at_release),
	SUBTEST(short_lived),
	SUBTEST(sum_is_right),
	SUBTEST(release_against_worker),
	SUBTEST(listed_once),
};

PRIME_MAIN(subtests)
