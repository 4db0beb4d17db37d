// SPDX-License-Identifier: MIT
/**
 * TEST: prime scale
 * Description: A hundred thousand handles, fds and references, where a file usually
 *  has some dozens. Lookups stay right, nothing is lost when fds run out half way,
 *  and all of it is given back. PRIME_SCALE sets another number, of a thousand or
 *  more, for machines that are slow or short of memory. A subtest that does not
 *  reach its number does not pass.
 */
#include "lib/prime_test.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <linux/capability.h>

enum { GOAL = 100000, ENOUGH = 1000, SPOTS = 3000 };

#define FILE_MAX	"/proc/sys/fs/file-max"

static uint32_t handles[GOAL];
static int fds[GOAL];
static uint32_t order[GOAL];

/* --- how many --- */

static unsigned int goal(void)
{
	const char *text = getenv("PRIME_SCALE");
	unsigned int count = text ? atoi(text) : GOAL;

	if (count < ENOUGH || count > GOAL)
		prime_skip("PRIME_SCALE is %u, not %u to %u", count, ENOUGH, GOAL);
	return count;
}

/* Raises the limit of fds to a little more than @wanted. */
static unsigned int raise_fds(unsigned int wanted)
{
	struct rlimit limit = { wanted + 1000, wanted + 1000 };

	if (setrlimit(RLIMIT_NOFILE, &limit)) {
		check_ok(getrlimit(RLIMIT_NOFILE, &limit) ? -errno : 0);
		limit.rlim_cur = limit.rlim_max;
		check_ok(setrlimit(RLIMIT_NOFILE, &limit) ? -errno : 0);
	}
	if (limit.rlim_cur < wanted + 1000)
		prime_skip("%llu fds are allowed (RLIMIT_NOFILE), not %u; "
			   "see PRIME_SCALE", (unsigned long long)limit.rlim_cur,
			   wanted + 1000);
	return wanted;
}

/* A handle of a new buffer. Skips if the device has no more memory. */
static uint32_t create_one(int drm, unsigned int before)
{
	int64_t made = gem_create(drm, 1);

	if (made == -ENOMEM || made == -ENOSPC)
		prime_skip("the device gave out after %u buffers: %s; see "
			   "PRIME_SCALE", before, strerror(-made));
	return check_ok(made);
}

static unsigned int create_handles(int drm)
{
	unsigned int count = goal();

	for (unsigned int n = 0; n < count; n++)
		handles[n] = create_one(drm, n);
	return count;
}

/* Buffers with an fd each. */
static unsigned int create_exported(int drm, unsigned int count)
{
	raise_fds(count);
	for (unsigned int n = 0; n < count; n++) {
		handles[n] = create_one(drm, n);
		fds[n] = check_ok(gem_export(drm, handles[n],
					     DRM_CLOEXEC | DRM_RDWR));
	}
	return count;
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
 * Description: 100,000 handles in one file. All differ, and none is 0. Some
 *  thousands, picked at random, are exported, and the fds give their own handles.
 *  They are closed in random order, and their numbers can be used again.
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
 * Description: 100,000 buffers with an fd each. Every fd gives its own handle, and
 *  every buffer has its own inode. This holds while and after half of them are
 *  closed in random order, some with the fd first and some with the handle first.
 */
static void scale_exports(void)
{
	int drm = open_device();
	unsigned int count = create_exported(drm, goal());
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
 * Description: 10,000 buffers of one device are imported into one file of another.
 *  Each has one handle there, which its fd gives again and whose export is the
 *  exporter's buffer. All attachments end with that file.
 */
static void scale_imports(void)
{
	int drm = open_device(), other = open_other();
	unsigned int n = create_exported(drm, goal() / 10);
	uint32_t *theirs = calloc(n, sizeof(*theirs));

	check(theirs);
	for (unsigned int i = 0; i < n; i++)
		theirs[i] = check_ok(gem_import(other, fds[i]));
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
 * Description: A file is closed with 100,000 handles of exported buffers in it. All
 *  are given back.
 */
static void file_close(void)
{
	int drm = open_device();
	unsigned int count = create_exported(drm, goal());

	for (unsigned int i = 0; i < count; i++)
		close(fds[i]);
	check_eq(count_buffers(), count);
	close(drm);
	check_eq(settle_buffers(0), 0);
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
 * Description: 100,000 fds of one dma-buf by dup. The count includes them, any of
 *  them gives the handle, and they are closed in random order.
 */
static void dups(void)
{
	int drm = open_device();
	uint32_t handle;
	int fd = make_dmabuf(drm, 1, &handle);
	unsigned int count = raise_fds(goal());
	long before = references(fd);

	for (unsigned int i = 0; i < count; i++)
		fds[i] = check_ok(fcntl(fd, F_DUPFD_CLOEXEC, 0));
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
 * Description: One handle is exported 100,000 times. This is one dma-buf with as
 *  many fds, all of which give the handle. It outlives all fds but one.
 */
static void exports_of_one(void)
{
	int drm = open_device();
	uint32_t handle = check_ok(gem_create(drm, 1));
	unsigned int n = raise_fds(goal());
	uint64_t inode = 0;

	for (unsigned int i = 0; i < n; i++)
		fds[i] = check_ok(gem_export(drm, handle, DRM_CLOEXEC));
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

/* The number of all attachments in debugfs, if it lists only one buffer. */
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
 * Description: One buffer is imported into a thousand files of another device, each
 *  with an attachment of its own. debugfs lists them all. Each file keeps its handle
 *  while others are closed in random order. In the end none is left.
 */
static void attachments(void)
{
	int drm = open_device(), fd = make_dmabuf(drm, 1, NULL);
	unsigned int n = raise_fds(goal() / 100);
	long listed = listed_attachments();

	if (!access("/sys/kernel/debug/dma-api", F_OK))
		prime_skip("DMA_API_DEBUG warns of a page that is mapped more "
			   "than seven times");
	for (unsigned int i = 0; i < n; i++) {
		fds[i] = open_other();
		handles[i] = check_ok(gem_import(fds[i], fd));
	}
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
 * Description: The limit of fds is reached while many buffers are exported. Each try
 *  gives EMFILE, and no dma-buf and no reference is left over. When one fd is
 *  closed, one more export works. When the limit is raised, all others work, and
 *  every fd gives its own handle.
 */
static void emfile_half_way(void)
{
	enum { COUNT = 2000, HALF = 900 };
	struct rlimit limit = { };
	int drm = open_device();
	unsigned int n, failed = 0, open_now;

	raise_fds(COUNT + 100);
	for (n = 0; n < COUNT; n++)
		handles[n] = create_one(drm, n);
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
	/* The one that was exported and closed still counts, since its handle holds it. */
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

static void set_admin(bool effective)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	check_ok(syscall(SYS_capget, &header, data) ? -errno : 0);
	data[0].effective &= ~(1u << CAP_SYS_ADMIN);
	data[0].effective |= (effective ? data[0].permitted : 0) & 1u << CAP_SYS_ADMIN;
	check_ok(syscall(SYS_capset, &header, data) ? -errno : 0);
}

/* Without this capability the system's limit of open files applies. */
static void drop_admin(void)
{
	set_admin(false);
}

static void raise_admin(void)
{
	set_admin(true);
}

/**
 * SUBTEST: enfile
 * Description: The limit of open files of the whole system (fs.file-max, set to
 *  nearly nothing for a moment) is reached in an export. It gives ENFILE, nothing is
 *  left over, and afterwards the same handle can be exported. Skipped if
 *  PRIME_KEEP_SYSTEM is set, as on a machine that others use.
 */
static void enfile(void)
{
	int drm = open_device(), fd, known, first, again;
	uint32_t handle, second;
	unsigned int open_now;
	long before;

	handle = check_ok(gem_create(drm, 1));
	known = make_dmabuf(drm, 1, &second);
	open_now = count_fds();
	before = set_system(FILE_MAX, 1);
	drop_admin();
	first = gem_export(drm, handle, DRM_CLOEXEC);
	again = gem_export(drm, second, DRM_CLOEXEC);
	raise_admin();
	set_system(FILE_MAX, before);
	check_error(first, ENFILE);
	/* A further fd of an open file needs no new file. */
	check_eq(gem_import(drm, check_ok(again)), second);
	close(again);
	check_eq(settle_buffers(1), 1);
	check_eq(count_fds(), open_now);
	fd = check_ok(gem_export(drm, handle, DRM_CLOEXEC));
	check_eq(gem_import(drm, fd), handle);
	check_eq(gem_import(drm, known), second);
}

/* --- memory --- */

/* Memory that the kernel itself uses: slabs, pages of shmem, vmalloc. */
static long held_kb(void)
{
	return meminfo_kb("Slab:") + meminfo_kb("Shmem:") +
	       meminfo_kb("PageTables:");
}

static void use_and_drop(unsigned int count)
{
	int drm = open_device(), other = try_other();

	create_exported(drm, count);
	for (unsigned int i = 0; other >= 0 && i < count; i += 16)
		check_ok(gem_import(other, fds[i]));
	shuffle(count);
	for (unsigned int i = 0; i < count; i++) {
		close(fds[order[i]]);
		if (i & 1)
			check_ok(gem_close(drm, handles[order[i]]));
	}
	close(drm);
	if (other >= 0)
		close(other);
	check_eq(settle_buffers(0), 0);
}

/* The same when it has settled: as long as it shrinks, memory is still being freed. */
static long settled_kb(void)
{
	long before, now_held = held_kb();

	do {
		before = now_held;
		usleep(200000);
		now_held = held_kb();
	} while (now_held < before);
	return now_held;
}

/**
 * SUBTEST: memory-back
 * Description: 50,000 buffers are made, exported, some imported, and dropped, twice.
 *  After the second time the kernel uses as much memory as after the first, to
 *  within 64 bytes for each buffer and 2 MiB.
 */
static void memory_back(void)
{
	unsigned int count = goal() / 2;
	long before, after;
	double end;

	if (is_kasan())
		prime_skip("KASAN keeps freed memory");
	use_and_drop(count);
	before = settled_kb();
	use_and_drop(count);
	end = now() + 8;
	while ((after = held_kb()) > before + 2048 + count / 16 && now() < end)
		usleep(100000);
	printf("%ld kB held after the first %u, %ld kB after the second\n",
	       before, count, after);
	check(after <= before + 2048 + count / 16);
}

static const struct prime_subtest subtests[] = {
	{ "handles", scale_handles },
	{ "exports", scale_exports },
	{ "imports", scale_imports },
	SUBTEST(file_close),
	SUBTEST(dups),
	SUBTEST(exports_of_one),
	SUBTEST(attachments),
	SUBTEST(emfile_half_way),
	SUBTEST(enfile),
	SUBTEST(memory_back),
};

PRIME_MAIN(subtests)
