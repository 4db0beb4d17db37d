// SPDX-License-Identifier: MIT
/**
 * TEST: dmabuf memcg
 * Description: Buffers in a memory cgroup at its limit. A workload makes, fills,
 *  imports and drops buffers. It survives each limit that it survives on the stock
 *  kernel, with swap and without. PRIME_MEMCG_RUNS repeats it so many times, each in
 *  a group of its own, and counts the runs in which memory.events shows an OOM kill.
 */
#include "lib/prime_memory.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <linux/magic.h>

#define MIB	(1024 * 1024ul)
#define PIECE	(1 * MIB)	/* of a buffer */
#define LIMIT	(48 * MIB)	/* of the group */
#define DISK	"/dev/ram0"

static char root[64] = "/sys/fs/cgroup";
static char group[96];

/* --- groups --- */

static int put(const char *directory, const char *file, const char *text)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	return write_text(path, text);
}

static long event(const char *key)
{
	char path[160], *text, *line;
	long count;

	snprintf(path, sizeof(path), "%s/memory.events", group);
	text = read_text(path);
	line = text ? strstr(text, key) : NULL;
	check(line);
	count = atol(line + strlen(key));
	free(text);
	return count;
}

/* The tree of cgroup version 2. If there is none, it is mounted during the subtest. */
static void find_root(void)
{
	struct statfs fs;

	if (!statfs(root, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC)
		return;
	snprintf(root, sizeof(root), "/tmp/prime-cgroup.XXXXXX");
	if (!mkdtemp(root) || mount("none", root, "cgroup2", 0, NULL))
		prime_skip("no cgroup2 at /sys/fs/cgroup, and none can be mounted: %s",
			   strerror(errno));
}

static void leave_root(void)
{
	if (strncmp(root, "/tmp/", 5))
		return;
	umount2(root, MNT_DETACH);
	rmdir(root);
}

static void make_group(bool swap)
{
	char limit[32];
	int ret;

	ret = put(root, "cgroup.subtree_control", "+memory");
	if (ret)
		prime_skip("%s has no memory controller: %s", root, strerror(-ret));
	snprintf(group, sizeof(group), "%s/prime-%d", root, getpid());
	check_ok(mkdir(group, 0755) && errno != EEXIST ? -errno : 0);
	snprintf(limit, sizeof(limit), "%lu", LIMIT);
	check_ok(put(group, "memory.max", limit));
	ret = put(group, "memory.swap.max", swap ? "max" : "0");
	if (ret && swap)
		prime_skip("the group can't have swap: %s", strerror(-ret));
}

static void end_group(void)
{
	double end = now() + 5;

	while (rmdir(group) && now() < end)
		usleep(10000);
}

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
	char number[16];
	long kills;
	int status;
	pid_t pid;

	make_group(swap);
	fflush(NULL);
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		snprintf(number, sizeof(number), "%d", getpid());
		check_ok(put(group, "cgroup.procs", number));
		work(held, 2);
		_exit(0);
	}
	check_eq(waitpid(pid, &status, 0), pid);
	kills = event("oom_kill ");
	printf("max reached %ld times, %ld killed\n", event("max "), kills);
	/* Otherwise the limit has limited nothing. */
	check(event("max ") > 0);
	end_group();
	if (!kills && status)
		prime_fail(__FILE__, __LINE__, "the workload ended with status %#x", status);
	return kills;
}

static void run_all(bool swap, unsigned int held)
{
	const char *text = getenv("PRIME_MEMCG_RUNS");
	int runs = text ? atoi(text) : 1;
	long killed = 0;

	if (getenv("PRIME_KEEP_SYSTEM"))
		prime_skip("PRIME_KEEP_SYSTEM forbids to make memory cgroups");
	close(open_device());
	close(open_other());
	find_root();
	for (int i = 0; i < runs; i++)
		killed += run_once(swap, held) > 0;
	leave_root();
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

/* A RAM disk, where the machine has no swap. */
static void need_swap(void)
{
	if (meminfo_kb("SwapTotal:") > 0)
		return;
	need_destructive("swapping to a RAM disk");
	if (access(DISK, F_OK) &&
	    system("modprobe -q brd rd_nr=1 rd_size=131072 2>/dev/null"))
		prime_skip("no swap, and no RAM disk (CONFIG_BLK_DEV_RAM) to swap to");
	if (system("mkswap " DISK " >/dev/null 2>&1") || swapon(DISK, 0))
		prime_skip("no swap, and no swapping to " DISK ": %s", strerror(errno));
}

void prime_restore(void)
{
	swapoff(DISK);
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
