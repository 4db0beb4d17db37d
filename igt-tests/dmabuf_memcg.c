// SPDX-License-Identifier: MIT
/**
 * TEST: dmabuf memcg
 * Description: Buffers in a memory cgroup at its limit. A workload makes, fills,
 *  imports and drops buffers. It survives each limit that it survives on the stock
 *  kernel, with swap and without. PRIME_MEMCG_RUNS repeats it so many times, each in
 *  a group of its own, and counts the runs in which memory.events shows an OOM kill.
 */
#include "lib/prime_cgroup.h"
#include "lib/prime_memory.h"
#include "lib/prime_module.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/wait.h>

#define MIB	(1024 * 1024ul)
#define PIECE	(1 * MIB)	/* of a buffer */
#define LIMIT	(48 * MIB)	/* of the group */
#define DISK	"/dev/ram0"

/* --- the workload --- */

static void fill_one(int fd, uint32_t seed)
{
	uint32_t *map = map_dmabuf(fd, PIECE);

	for (size_t i = 0; i < PIECE / sizeof(*map); i += PAGE / sizeof(*map))
		map[i] = seed + i;
	unmap(map, PIECE);
}

/* Fills page cache that the group is charged for: files that are not in memory. */
static void fill_cache(size_t size)
{
	static char room[1 << 16];
	glob_t files;

	if (glob("/usr/lib/*/*.so*", 0, NULL, &files))
		return;
	for (size_t i = 0; i < files.gl_pathc && size; i++) {
		int file = open(files.gl_pathv[i], O_RDONLY | O_CLOEXEC);
		ssize_t got;

		if (file < 0)
			continue;
		posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
		while (size && (got = read(file, room, sizeof(room))) > 0)
			size -= (size_t)got < size ? (size_t)got : size;
		close(file);
	}
	globfree(&files);
}

/*
 * Holds @held buffers, and imports each for a moment, over and over. What an import has
 * pinned can be reclaimed after it. Also allocates and frees memory of its own. The
 * content is not looked at: see press() of dmabuf_hold.
 */
static void work(unsigned int held, unsigned int rounds)
{
	int drm = open_device(), other = open_other(), fds[64];

	check(held <= 64);
	for (unsigned int round = 0; round < rounds; round++) {
		char *own = mmap(NULL, LIMIT / 8, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		check(own != MAP_FAILED);
		memset(own, round, LIMIT / 8);
		fill_cache(LIMIT / 2);
		for (unsigned int i = 0; i < held; i++) {
			uint32_t handle;

			fds[i] = make_dmabuf(drm, PIECE / PAGE, &handle);
			check_ok(gem_close(drm, handle));
			fill_one(fds[i], round + i);
			check_ok(gem_close(other, check_ok(gem_import(other, fds[i]))));
		}
		for (unsigned int i = 0; i < held; i++) {
			fill_one(fds[i], round + i);
			close(fds[i]);
		}
		munmap(own, LIMIT / 8);
	}
}

/* How many were killed, by memory.events. */
static long run_once(bool swap, unsigned int held)
{
	long kills;
	int status, ret;
	pid_t pid;

	cgroup_make(LIMIT);
	ret = cgroup_put("memory.swap.max", swap ? "max" : "0");
	if (ret && swap)
		prime_skip("the group can't have swap: %s", strerror(-ret));
	fflush(NULL);
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		cgroup_enter();
		work(held, 2);
		_exit(0);
	}
	check_eq(waitpid(pid, &status, 0), pid);
	kills = cgroup_number("memory.events", "oom_kill ");
	printf("max reached %ld times, %ld killed\n", cgroup_number("memory.events", "max "),
	       kills);
	/* Otherwise the limit has limited nothing. */
	check(cgroup_number("memory.events", "max ") > 0);
	if (!kills && status)
		prime_fail(__FILE__, __LINE__, "the workload ended with status %#x", status);
	return kills;
}

static void run_all(bool swap, unsigned int held)
{
	const char *text = getenv("PRIME_MEMCG_RUNS");
	int runs = text ? atoi(text) : 1;
	long killed = 0;

	close(open_device());
	close(open_other());
	for (int i = 0; i < runs; i++)
		killed += run_once(swap, held) > 0;
	printf("oom_kill in %ld of %d runs\n", killed, runs);
	check_eq(killed, 0);
}

/* --- with and without swap --- */

/**
 * SUBTEST: without-swap
 * Description: Buffers are made and dropped again and again. Together with the other
 *  memory they fit the limit, and page cache fills the rest of it. Nobody is killed.
 */
static void without_swap(void)
{
	run_all(false, LIMIT * 2 / 3 / PIECE);
}

static void end_swap(const char *disk, const char *nothing)
{
	(void)nothing;
	swapoff(disk);
}

/* A RAM disk, where the machine has no swap. */
static void need_swap(void)
{
	if (meminfo_kb("SwapTotal:") > 0)
		return;
	need_destructive("swapping to a RAM disk");
	if (getenv("PRIME_KEEP_SYSTEM"))
		prime_skip("no swap, and PRIME_KEEP_SYSTEM forbids to make some");
	if (access(DISK, F_OK)) {
		undo_later(unload_back, "brd", "");
		if (system("modprobe -q brd rd_nr=1 rd_size=131072 2>/dev/null"))
			prime_skip("no swap, and no RAM disk (CONFIG_BLK_DEV_RAM) to swap to");
	}
	undo_later(end_swap, DISK, "");
	if (system("mkswap " DISK " >/dev/null 2>&1") || swapon(DISK, 0))
		prime_skip("no swap, and no swapping to " DISK ": %s", strerror(errno));
}

/**
 * SUBTEST: with-swap
 * Description: More buffers than the limit allows are held at the same time, and
 *  each is imported for a moment. Memory that no device has mapped goes to swap, so
 *  nobody is killed.
 */
static void with_swap(void)
{
	need_swap();
	run_all(true, LIMIT * 5 / 4 / PIECE);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(without_swap),
	SUBTEST(with_swap),
};

PRIME_MAIN(subtests)
