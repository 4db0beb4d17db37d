// SPDX-License-Identifier: MIT
/**
 * TEST: prime scale
 * Description: A hundred thousand handles, fds and references, where a file
 *  has some dozens in ordinary use: lookups stay right and fast, running out
 *  of fds half way loses nothing, all of it is given back, and soon. A slow
 *  machine gets fewer: each subtest stops growing after PRIME_SCALE_SECONDS
 *  (8), but not before a thousand, and says how far it got.
 */
#include "lib/prime_test.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/capability.h>

enum { GOAL = 100000, ENOUGH = 1000, SPOTS = 3000, LOOKUPS = 2000 };

#define FILE_MAX	"/proc/sys/fs/file-max"

static uint32_t handles[GOAL];
static int fds[GOAL];
static uint32_t order[GOAL];

/* --- how far --- */

/* Raises the limit of fds to @wanted and some; gives what there is now. */
static unsigned int raise_fds(unsigned int wanted)
{
	struct rlimit limit = { wanted + 1000, wanted + 1000 };

	if (setrlimit(RLIMIT_NOFILE, &limit)) {
		check_ok(getrlimit(RLIMIT_NOFILE, &limit) ? -errno : 0);
		limit.rlim_cur = limit.rlim_max;
		check_ok(setrlimit(RLIMIT_NOFILE, &limit) ? -errno : 0);
	}
	if (limit.rlim_cur < wanted + 1000)
		wanted = limit.rlim_cur > 1000 ? limit.rlim_cur - 1000 : 0;
	if (wanted < ENOUGH)
		prime_skip("no more than %llu fds are allowed (RLIMIT_NOFILE)",
			   (unsigned long long)limit.rlim_cur);
	return wanted;
}

static double growth_end(void)
{
	const char *seconds = getenv("PRIME_SCALE_SECONDS");

	return now() + (seconds ? atof(seconds) : 8);
}

/* A machine that makes not even enough in its time gets more of it. */
static bool more(unsigned int count, unsigned int most, double end)
{
	return count < most && (count < ENOUGH || now() < end);
}

/* Says how many there are and why no more; too few are no test. */
static void reached(const char *what, unsigned int count, int64_t error)
{
	printf("%u of %u %s%s%s\n", count, GOAL, what,
	       count == GOAL ? "" : ": ",
	       count == GOAL ? "" : error < 0 ? strerror(-error) :
	       "time is up or fds are limited");
	if (count < ENOUGH && error < 0)
		prime_skip("the device gave out after %u %s: %s", count, what,
			   strerror(-error));
	check(count >= ENOUGH);
}

/* The device's memory may end before the goal; nothing else may go wrong. */
static bool exhausted(int64_t result)
{
	return result == -ENOMEM || result == -ENOSPC;
}

static unsigned int create_handles(int drm)
{
	double end = growth_end();
	int64_t made = 0;
	unsigned int n;

	for (n = 0; more(n, GOAL, end); n++) {
		made = gem_create(drm, 1);
		if (exhausted(made))
			break;
		handles[n] = check_ok(made);
	}
	reached("handles", n, made);
	return n;
}

/* Buffers with an fd each. */
static unsigned int create_exported(int drm)
{
	unsigned int most = raise_fds(GOAL), n;
	double end = growth_end();
	int64_t made = 0;

	for (n = 0; more(n, most, end); n++) {
		made = gem_create(drm, 1);
		if (exhausted(made))
			break;
		handles[n] = check_ok(made);
		fds[n] = check_ok(gem_export(drm, handles[n],
					     DRM_CLOEXEC | DRM_RDWR));
	}
	reached("exported buffers", n, made);
	return n;
}

/* A generator of our own: the same sequence on every machine. */
static uint32_t sequence(void)
{
	static uint64_t state = 20240612;

	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return state >> 33;
}

static void shuffle(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		order[i] = i;
	for (unsigned int i = count - 1; i > 0; i--) {
		unsigned int j = sequence() % (i + 1);
		uint32_t kept = order[i];

		order[i] = order[j];
		order[j] = kept;
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a, two = *(const uint64_t *)b;

	return one < two ? -1 : one > two;
}

static void check_all_differ(uint64_t *values, unsigned int count)
{
	qsort(values, count, sizeof(*values), compare);
	for (unsigned int i = 1; i < count; i++)
		check(values[i - 1] != values[i]);
}

/* --- handles --- */

/**
 * SUBTEST: handles
 * Description: 100,000 handles in one file: all differ, none is 0, some
 *  thousands picked at random export and answer with themselves, they close in
 *  random order, and their numbers serve again.
 */
static void scale_handles(void)
{
	int drm = open_device();
	unsigned int count = create_handles(drm);
	uint64_t *sorted = calloc(count, sizeof(*sorted));

	check(sorted);
	for (unsigned int i = 0; i < count; i++) {
		check(handles[i]);
		sorted[i] = handles[i];
	}
	check_all_differ(sorted, count);
	check_eq(count_buffers(), 0);
	for (int i = 0; i < SPOTS; i++) {
		uint32_t handle = handles[sequence() % count];
		int fd = check_ok(gem_export(drm, handle, DRM_CLOEXEC));

		check_eq(gem_import(drm, fd), handle);
		close(fd);
	}
	shuffle(count);
	for (unsigned int i = 0; i < count; i++)
		check_ok(gem_close(drm, handles[order[i]]));
	for (int i = 0; i < SPOTS; i++)
		check_error(gem_close(drm, handles[sequence() % count]), EINVAL);
	check_eq(settle_buffers(0), 0);
	for (int i = 0; i < ENOUGH; i++)
		check((uint64_t)check_ok(gem_create(drm, 1)) <=
		      sorted[count - 1]);
}

/**
 * SUBTEST: exports
 * Description: 100,000 buffers with an fd each: every fd gives its own handle,
 *  every buffer has its own inode, while and after half of them are closed in
 *  random order, some by their fd first and some by their handle.
 */
static void scale_exports(void)
{
	int drm = open_device();
	unsigned int count = create_exported(drm);
	uint64_t *inodes = calloc(count, sizeof(*inodes));

	check(inodes);
	check_eq(count_buffers(), count);
	for (unsigned int i = 0; i < count; i++) {
		check_eq(gem_import(drm, fds[i]), handles[i]);
		inodes[i] = inode_of(fds[i]);
	}
	check_all_differ(inodes, count);
	shuffle(count);
	for (unsigned int i = 0; i < count / 2; i++) {
		unsigned int gone = order[i];
		unsigned int kept = order[count / 2 + sequence() % (count / 2)];

		if (i & 1)
			close(fds[gone]);
		check_ok(gem_close(drm, handles[gone]));
		if (!(i & 1))
			close(fds[gone]);
		check_eq(gem_import(drm, fds[kept]), handles[kept]);
	}
	for (unsigned int i = count / 2; i < count; i++) {
		check_eq(gem_import(drm, fds[order[i]]), handles[order[i]]);
		close(fds[order[i]]);
	}
	close(drm);
	check_eq(settle_buffers(0), 0);
}

/**
 * SUBTEST: imports
 * Description: As many buffers of one device as time allows imported into one
 *  file of another: each has one handle there, which its fd gives again and
 *  whose export is the exporter's, and all attachments go with that file.
 */
static void scale_imports(void)
{
	int drm = open_device(), other = open_other();
	unsigned int most = raise_fds(GOAL), n;
	uint32_t *theirs = calloc(GOAL, sizeof(*theirs));
	double end = growth_end();
	int64_t made = 0;

	check(theirs);
	for (n = 0; more(n, most, end); n++) {
		made = gem_create(drm, 1);
		if (exhausted(made))
			break;
		handles[n] = check_ok(made);
		fds[n] = check_ok(gem_export(drm, handles[n], DRM_CLOEXEC));
		theirs[n] = check_ok(gem_import(other, fds[n]));
	}
	reached("imports", n, made);
	for (int i = 0; i < SPOTS; i++) {
		unsigned int spot = sequence() % n;
		int back;

		check_eq(gem_import(other, fds[spot]), theirs[spot]);
		check_eq(gem_import(drm, fds[spot]), handles[spot]);
		back = check_ok(gem_export(other, theirs[spot], DRM_CLOEXEC));
		check_eq(inode_of(back), inode_of(fds[spot]));
		close(back);
	}
	check_eq(count_buffers(), n);
	close(other);
	for (int i = 0; i < SPOTS; i++) {
		unsigned int spot = sequence() % n;

		check_eq(gem_import(drm, fds[spot]), handles[spot]);
	}
	for (unsigned int i = 0; i < n; i++)
		close(fds[i]);
	close(drm);
	check_eq(settle_buffers(0), 0);
}

/**
 * SUBTEST: file-close
 * Description: A file closed with 100,000 handles of exported buffers in it
 *  gives them all back, in no more than the time it took to make them.
 */
static void file_close(void)
{
	int drm = open_device();
	double start = now(), made, closed;
	unsigned int count = create_exported(drm);

	made = now() - start;
	for (unsigned int i = 0; i < count; i++)
		close(fds[i]);
	check_eq(count_buffers(), count);
	start = now();
	close(drm);
	closed = now() - start;
	printf("made in %.2f s, closed in %.2f s\n", made, closed);
	check_eq(settle_buffers(0), 0);
	check(closed <= made + 1);
}

/* Seconds for some lookups among @count fds: the best of several rounds. */
static double lookup_time(int drm, unsigned int count)
{
	double best = 1e9;

	for (int round = 0; round < 8; round++) {
		double start = now();

		for (int i = 0; i < LOOKUPS; i++) {
			unsigned int spot = sequence() % count;

			check_eq(gem_import(drm, fds[spot]), handles[spot]);
		}
		if (now() - start < best)
			best = now() - start;
	}
	return best;
}

/**
 * SUBTEST: lookup-time
 * Description: A lookup among 100,000 buffers takes no more than ten times
 *  that among a hundred; a list searched from its start would take hundreds.
 */
static void few_against_many(void)
{
	enum { FEW = 100 };
	unsigned int count;
	int drm, file = open_device();
	double few, many;

	for (int i = 0; i < FEW; i++)
		fds[i] = make_dmabuf(file, 1, &handles[i]);
	few = lookup_time(file, FEW);
	for (int i = 0; i < FEW; i++)
		close(fds[i]);
	close(file);

	drm = open_device();
	count = create_exported(drm);
	many = lookup_time(drm, count);
	printf("%d lookups: %.4f s among %d, %.4f s among %u\n", LOOKUPS, few,
	       FEW, many, count);
	check(many < few * 10);
}

/* --- one buffer --- */

static long references(int fd)
{
	char value[32];

	check(fdinfo(fd, "count", value, sizeof(value)));
	return atol(value);
}

/**
 * SUBTEST: dups
 * Description: 100,000 fds of one dma-buf by dup: the count says so, any of
 *  them gives the handle, and they close in random order.
 */
static void dups(void)
{
	int drm = open_device();
	uint32_t handle;
	int fd = make_dmabuf(drm, 1, &handle);
	unsigned int count = raise_fds(GOAL);
	long before = references(fd);

	for (unsigned int i = 0; i < count; i++)
		fds[i] = check_ok(fcntl(fd, F_DUPFD_CLOEXEC, 0));
	reached("fds by dup", count, 0);
	check_eq(references(fd), before + count);
	for (int i = 0; i < SPOTS; i++)
		check_eq(gem_import(drm, fds[sequence() % count]), handle);
	check_eq(count_buffers(), 1);
	shuffle(count);
	for (unsigned int i = 0; i < count; i++)
		close(fds[order[i]]);
	check_eq(references(fd), before);
	check_eq(gem_import(drm, fd), handle);
}

/**
 * SUBTEST: exports-of-one
 * Description: One handle exported 100,000 times is one dma-buf with as many
 *  fds, all of which answer with the handle; it outlives all but one of them.
 */
static void exports_of_one(void)
{
	int drm = open_device();
	uint32_t handle = check_ok(gem_create(drm, 1));
	unsigned int most = raise_fds(GOAL), n;
	double end = growth_end();
	uint64_t inode = 0;

	for (n = 0; more(n, most, end); n++)
		fds[n] = check_ok(gem_export(drm, handle, DRM_CLOEXEC));
	reached("exports of one buffer", n, 0);
	inode = inode_of(fds[0]);
	for (int i = 0; i < SPOTS; i++) {
		int fd = fds[sequence() % n];

		check_eq(inode_of(fd), inode);
		check_eq(gem_import(drm, fd), handle);
	}
	check_eq(count_buffers(), 1);
	check(references(fds[0]) >= n);
	shuffle(n);
	for (unsigned int i = 0; i + 1 < n; i++)
		close(fds[order[i]]);
	check_ok(gem_close(drm, handle));
	check_eq(count_buffers(), 1);
	check_ok(gem_import(drm, fds[order[n - 1]]));
	close(fds[order[n - 1]]);
	close(drm);
	check_eq(settle_buffers(0), 0);
}

/* Attachments that debugfs lists in all, where it lists but one buffer. */
static long listed_attachments(void)
{
	char *text = read_text("/sys/kernel/debug/dma_buf/bufinfo");
	char *line = text;
	long count = 0, here;

	if (!text)
		prime_skip("debugfs dma_buf/bufinfo can't be read");
	while ((line = strstr(line, "\nTotal "))) {
		if (sscanf(line, "\nTotal %ld devices attached", &here) == 1)
			count += here;
		line++;
	}
	free(text);
	return count;
}

/**
 * SUBTEST: attachments
 * Description: One buffer imported into thousands of files of another device,
 *  each with an attachment of its own: debugfs lists them all, each file keeps
 *  its handle while others are closed in random order, none stays.
 */
static void attachments(void)
{
	enum { MOST = 10000 };
	int drm = open_device(), fd = make_dmabuf(drm, 1, NULL);
	long listed = listed_attachments();
	double end = growth_end();
	unsigned int n;

	if (!access("/sys/kernel/debug/dma-api", F_OK))
		prime_skip("DMA_API_DEBUG warns of a page that is mapped more "
			   "than seven times");
	raise_fds(MOST);
	for (n = 0; more(n, MOST, end); n++) {
		fds[n] = open_other();
		handles[n] = check_ok(gem_import(fds[n], fd));
	}
	printf("%u of %d attachments\n", n, MOST);
	check(n >= ENOUGH);
	check_eq(listed_attachments(), listed + n);
	shuffle(n);
	for (unsigned int i = 0; i < n; i++) {
		unsigned int gone = order[i], kept;

		if (i & 1)
			check_ok(gem_close(fds[gone], handles[gone]));
		close(fds[gone]);
		if (i + 1 == n || i % 8)
			continue;
		kept = order[i + 1 + sequence() % (n - i - 1)];
		check_eq(gem_import(fds[kept], fd), handles[kept]);
	}
	check_eq(listed_attachments(), listed);
	check_eq(count_buffers(), 1);
}

/* --- no more fds --- */

/**
 * SUBTEST: emfile-half-way
 * Description: The limit of fds is reached in the middle of exporting many
 *  buffers: EMFILE, as often as it is tried, with no dma-buf and no reference
 *  left over; with one fd closed one more export works; with the limit raised
 *  it goes on where it stopped, and every fd gives its own handle.
 */
static void emfile_half_way(void)
{
	enum { COUNT = 2000, HALF = 900 };
	struct rlimit limit = { };
	int drm = open_device();
	unsigned int most = raise_fds(COUNT + 100), open_now;
	unsigned int n, failed = 0;

	check(most >= COUNT);
	for (n = 0; n < COUNT; n++) {
		int64_t made = gem_create(drm, 1);

		if (exhausted(made))
			prime_skip("the device gave out after %u handles", n);
		handles[n] = check_ok(made);
	}
	open_now = count_fds();
	check_ok(getrlimit(RLIMIT_NOFILE, &limit) ? -errno : 0);
	limit.rlim_cur = open_now + HALF;
	check_ok(setrlimit(RLIMIT_NOFILE, &limit) ? -errno : 0);
	for (n = 0; n < COUNT; n++) {
		fds[n] = gem_export(drm, handles[n], DRM_CLOEXEC);
		if (fds[n] < 0)
			break;
	}
	check_error(fds[n], EMFILE);
	check(n >= HALF - 10 && n <= HALF + 10);
	for (unsigned int i = n; i < COUNT; i++)
		failed += gem_export(drm, handles[i], DRM_CLOEXEC) == -EMFILE;
	check_eq(failed, COUNT - n);
	for (unsigned int i = 0; i < n; i++)
		check_error(gem_export(drm, handles[i], DRM_CLOEXEC), EMFILE);
	check_eq(gem_import(drm, fds[n / 2]), handles[n / 2]);

	close(fds[0]);
	fds[0] = check_ok(gem_export(drm, handles[n], DRM_CLOEXEC));
	check_eq(gem_import(drm, fds[0]), handles[n]);
	close(fds[0]);
	fds[0] = check_ok(gem_export(drm, handles[0], DRM_CLOEXEC));

	limit.rlim_cur = limit.rlim_max;
	check_ok(setrlimit(RLIMIT_NOFILE, &limit) ? -errno : 0);
	/* The one that was exported and closed still counts by its handle. */
	check_eq(settle_buffers(n + 1), n + 1);
	for (; n < COUNT; n++)
		fds[n] = check_ok(gem_export(drm, handles[n], DRM_CLOEXEC));
	for (unsigned int i = 0; i < COUNT; i++)
		check_eq(gem_import(drm, fds[i]), handles[i]);
	check_eq(count_fds(), open_now + COUNT);
	for (unsigned int i = 0; i < COUNT; i++)
		close(fds[i]);
	close(drm);
	check_eq(settle_buffers(0), 0);
}

/* From here on the limit of open files in the system counts for us too. */
static void drop_admin(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	check_ok(syscall(SYS_capget, &header, data) ? -errno : 0);
	data[0].effective &= ~(1u << CAP_SYS_ADMIN);
	data[0].permitted &= ~(1u << CAP_SYS_ADMIN);
	check_ok(syscall(SYS_capset, &header, data) ? -errno : 0);
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return ret;
}

/**
 * SUBTEST: enfile
 * Description: The limit of open files of the whole system (fs.file-max, set
 *  to nearly nothing for a moment) is reached in an export: ENFILE, nothing is
 *  left over, and afterwards the same handle exports. Skipped where
 *  PRIME_KEEP_SYSTEM is set, as on a machine that others use.
 */
static void enfile(void)
{
	char *text = read_text(FILE_MAX);
	int drm = open_device(), fd, known;
	uint32_t handle, second;
	unsigned int open_now;
	pid_t pid;
	int status;

	if (getenv("PRIME_KEEP_SYSTEM"))
		prime_skip("PRIME_KEEP_SYSTEM forbids to set fs.file-max");
	check(text);
	handle = check_ok(gem_create(drm, 1));
	known = make_dmabuf(drm, 1, &second);
	fd = open(FILE_MAX, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		prime_skip("%s can't be written: %s", FILE_MAX, strerror(errno));
	close(fd);
	open_now = count_fds();

	/* The child shares the file; the parent restores whatever happens. */
	pid = fork();
	if (!pid) {
		int first, again;

		check_ok(write_text(FILE_MAX, "1"));
		drop_admin();
		first = gem_export(drm, handle, DRM_CLOEXEC);
		again = gem_export(drm, second, DRM_CLOEXEC);
		check_error(first, ENFILE);
		/* A further fd of an open file needs no new file. */
		check_eq(gem_import(drm, check_ok(again)), second);
		_exit(0);
	}
	check_eq(waitpid(pid, &status, 0), pid);
	check_ok(write_text(FILE_MAX, text));
	check(WIFEXITED(status));
	if (WEXITSTATUS(status))
		_exit(WEXITSTATUS(status));
	check_eq(settle_buffers(1), 1);
	check_eq(count_fds(), open_now);
	fd = check_ok(gem_export(drm, handle, DRM_CLOEXEC));
	check_eq(gem_import(drm, fd), handle);
	check_eq(gem_import(drm, known), second);
}

/* --- memory --- */

static bool is_kasan(void)
{
	char *text = read_text("/proc/kallsyms");
	bool found = text && strstr(text, " kasan_report");

	free(text);
	return found;
}

/* What the kernel holds of its own: slabs, pages of shmem, vmalloc. */
static long held_kb(void)
{
	return meminfo_kb("Slab:") + meminfo_kb("Shmem:") +
	       meminfo_kb("PageTables:");
}

static unsigned int use_and_drop(unsigned int most)
{
	int drm = open_device(), other = try_other();
	double end = (now() + growth_end()) / 2;
	int64_t made = 0;
	unsigned int n;

	for (n = 0; more(n, most, end); n++) {
		made = gem_create(drm, 1);
		if (exhausted(made))
			break;
		handles[n] = check_ok(made);
		fds[n] = check_ok(gem_export(drm, handles[n], DRM_CLOEXEC));
		if (other >= 0 && n % 16 == 0)
			check_ok(gem_import(other, fds[n]));
	}
	reached("buffers", n, made);
	shuffle(n);
	for (unsigned int i = 0; i < n; i++) {
		close(fds[order[i]]);
		if (i & 1)
			check_ok(gem_close(drm, handles[order[i]]));
	}
	close(drm);
	if (other >= 0)
		close(other);
	check_eq(settle_buffers(0), 0);
	return n;
}

/**
 * SUBTEST: memory-back
 * Description: Up to 100,000 buffers made, exported, some imported, and dropped,
 *  twice, in half the time each: after the second time the kernel holds what it held after the first,
 *  to within 64 bytes a buffer and 2 MiB.
 */
static void memory_back(void)
{
	unsigned int count = raise_fds(GOAL), first;
	double end;
	long before, after;

	if (is_kasan())
		prime_skip("KASAN keeps freed memory");
	first = use_and_drop(count);
	sleep(1);
	before = held_kb();
	use_and_drop(first);
	end = now() + 8;
	while ((after = held_kb()) > before + 2048 + first / 16 && now() < end)
		usleep(100000);
	printf("%ld kB held after the first %u, %ld kB after the second\n",
	       before, first, after);
	check(after <= before + 2048 + first / 16);
}

static const struct prime_subtest subtests[] = {
	{ "handles", scale_handles },
	{ "exports", scale_exports },
	{ "imports", scale_imports },
	SUBTEST(file_close),
	{ "lookup_time", few_against_many },
	SUBTEST(dups),
	SUBTEST(exports_of_one),
	SUBTEST(attachments),
	SUBTEST(emfile_half_way),
	SUBTEST(enfile),
	SUBTEST(memory_back),
};

PRIME_MAIN(subtests)
