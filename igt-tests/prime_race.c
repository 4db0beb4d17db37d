// SPDX-License-Identifier: MIT
/**
 * TEST: prime race
 * Description: Several threads do things to one buffer at the same time that a
 *  program should not do. Each race lasts PRIME_RACE_SECONDS (2), and longer until
 *  each kind of thread was in its call beside another one. It fails if this never
 *  happens. A call may be refused only with the errno of what it has lost. At the
 *  end nothing hangs, the kernel log has no warning, and every buffer, page and
 *  reference is back.
 */
#include "lib/prime_test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/mman.h>

enum { THREADS = 8 };

typedef void (*racer)(unsigned int turn);

/* One racer, run by several threads. */
struct side {
	racer run;
	atomic_ulong turns;
	atomic_ulong met;	/* turns that overlapped with another thread's */
};

static atomic_bool over;
static atomic_int inside;	/* threads that are in a turn */
static atomic_ulong losses;	/* calls that were refused: see lost() */

static void *race_thread(void *data)
{
	struct side *side = data;
	unsigned int turn = 0;

	while (!atomic_load(&over)) {
		bool met = atomic_fetch_add(&inside, 1) > 0;

		side->run(turn++);
		met |= atomic_fetch_sub(&inside, 1) > 1;
		atomic_fetch_add(&side->turns, 1);
		atomic_fetch_add(&side->met, met);
	}
	return NULL;
}

static bool all_met(struct side *sides, int count)
{
	for (int i = 0; i < count; i++)
		if (!atomic_load(&sides[i].met))
			return false;
	return true;
}

/*
 * Runs the racers, each in @copies threads, for the time of a race, and longer if one of
 * them has not met another one yet. A racer that never meets another one has raced with
 * nobody, which is a failure.
 */
static void race(const racer *racers, int count, int copies)
{
	struct side sides[THREADS] = { };
	pthread_t thread[THREADS * 2];
	double end = now() + race_seconds();
	int n = 0;

	atomic_store(&over, false);
	for (int i = 0; i < count; i++) {
		sides[i].run = racers[i];
		for (int j = 0; j < copies; j++)
			check_eq(pthread_create(&thread[n++], NULL, race_thread,
						&sides[i]), 0);
	}
	while (now() < end || (now() < end + 20 && !all_met(sides, count)))
		usleep(10000);
	atomic_store(&over, true);
	while (n)
		check_eq(pthread_join(thread[--n], NULL), 0);
	for (int i = 0; i < count; i++) {
		printf("racer %d: %lu turns, %lu beside another\n", i,
		       atomic_load(&sides[i].turns), atomic_load(&sides[i].met));
		check(atomic_load(&sides[i].met) > 0);
	}
	printf("%lu calls were refused\n", atomic_load(&losses));
}

#define RACE(copies, ...)						\
	race((const racer[]){ __VA_ARGS__ },				\
	     sizeof((const racer[]){ __VA_ARGS__ }) / sizeof(racer), copies)

/* 0 or more, or one of the errnos that a lost race explains. */
static int64_t lost(int64_t result, int errno1, int errno2)
{
	if (result < 0 && result != -errno1 && result != -errno2)
		prime_fail(__FILE__, __LINE__,
			   "%lld (%s), not success, %s or %s",
			   (long long)result, strerror(-result),
			   strerror(errno1), strerror(errno2));
	atomic_fetch_add(&losses, result < 0);
	return result;
}

/* What all races share: two devices, a buffer, a timeline. */
static int drm, other, fd, timeline;
static uint32_t handle;
static atomic_int slot;	/* an fd that one thread replaces under the others */

static void setup(void)
{
	drm = open_device();
	other = try_other();
	timeline = sw_timeline();
	fd = make_dmabuf(drm, 1, &handle);
}

/* For races that need a second device. */
static void setup_two_devices(void)
{
	setup();
	if (other < 0)
		other = open_other();
}

/* Closes everything and checks what is left. */
static void teardown(void)
{
	close(fd);
	close(drm);
	if (other >= 0)
		close(other);
	close(timeline);
	check_eq(settle_buffers(0), 0);
}

static void do_export_sync(unsigned int turn)
{
	close(check_ok(dmabuf_export_sync_file(fd, 1 + turn % 3)));
}

static atomic_uint points;

static int new_fence(void)
{
	return sw_fence(timeline, atomic_fetch_add(&points, 1) + 1);
}

/*
 * When a timeline is advanced, sw_sync may take a reference to a fence that is being
 * freed. Each fence is held until it has signalled, so that this defect of sw_sync does
 * not disturb the races.
 */
static void drop_fence(int fence)
{
	while (!poll_events(fence, POLLIN, 0))
		sw_advance(timeline, 1);
	close(fence);
}

static void do_import_sync(unsigned int turn)
{
	int fence = new_fence();

	check_ok(dmabuf_import_sync_file(fd, 1 + turn % 3, fence));
	sw_advance(timeline, 1 + turn % 2);
	drop_fence(fence);
}

static void do_set_name(unsigned int turn)
{
	char name[32];

	snprintf(name, sizeof(name), "name-%u", turn);
	check_ok(dmabuf_set_name(fd, name));
}

static void do_poll(unsigned int turn)
{
	check_ok(poll_events(fd, turn & 1 ? POLLIN : POLLIN | POLLOUT,
			     turn % 3));
}

static void do_sync(unsigned int turn)
{
	uint64_t way = 1 + turn % 3;

	sw_advance(timeline, 1);
	check_ok(dmabuf_sync(fd, DMA_BUF_SYNC_START | way));
	check_ok(dmabuf_sync(fd, DMA_BUF_SYNC_END | way));
}

static void do_read_proc(unsigned int turn)
{
	char value[128];

	if (turn & 1)
		check(fdinfo(fd, "size", value, sizeof(value)));
	else
		free(read_text("/proc/self/maps"));
}

static void do_bufinfo(unsigned int turn)
{
	(void)turn;
	free(read_text("/sys/kernel/debug/dma_buf/bufinfo"));
	free(read_text("/sys/kernel/debug/sync/info"));
}

static void do_map(unsigned int turn)
{
	volatile char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				  MAP_SHARED, fd, 0);

	check(map != MAP_FAILED);
	map[turn % PAGE] = turn;
	munmap((void *)map, PAGE);
}

/* Ends the waits for fences at the end. */
static void release_fences(void)
{
	sw_advance(timeline, 1 << 30);
	check_eq(poll_events(fd, POLLIN | POLLOUT, 5000), POLLIN | POLLOUT);
}

/**
 * SUBTEST: file-operations
 * Description: Names, fences in and out, poll, CPU access, /proc, debugfs and
 *  mappings at the same time on one buffer. No two of them take locks in opposite
 *  order.
 */
static void file_operations(void)
{
	setup();
	need_mmap(fd);
	RACE(1, do_export_sync, do_import_sync, do_set_name, do_poll, do_sync,
	     do_read_proc, do_bufinfo, do_map);
	release_fences();
	teardown();
}

/**
 * SUBTEST: name-against-readers
 * Description: A name is replaced again and again. No reader sees half of a name or
 *  a freed one.
 */
static void do_read_name(unsigned int turn)
{
	char value[128] = "", *text;
	unsigned int number;

	if (turn & 1) {
		if (fdinfo(fd, "name", value, sizeof(value)))
			check_eq(sscanf(value, "name-%u", &number), 1);
		return;
	}
	snprintf(value, sizeof(value), "/proc/self/fd/%d", fd);
	text = calloc(1, 128);
	check(readlink(value, text, 127) > 0);
	check(!strncmp(text, "/dmabuf:", 8));
	free(text);
}

static void name_against_readers(void)
{
	setup();
	check_ok(dmabuf_set_name(fd, "name-0"));
	RACE(2, do_set_name, do_read_name, do_bufinfo);
	teardown();
}

/* Puts a new buffer into the slot, and closes the old one while others use it. */
static void do_replace_slot(unsigned int turn)
{
	uint32_t made = check_ok(gem_create(drm, 1));
	int new = check_ok(gem_export(drm, made, DRM_CLOEXEC | DRM_RDWR));
	int old = atomic_exchange(&slot, new);

	if (turn & 1)
		sched_yield();
	close(old);
	check_ok(gem_close(drm, made));
}

/*
 * The fd number may be any file by the time of the call, so no errno is wrong here. The
 * kernel must survive.
 */
static void do_use_slot(unsigned int turn)
{
	int use = atomic_load(&slot);

	switch (turn % 7) {
	case 0:
		dmabuf_set_name(use, "slot");
		break;
	case 1:
		poll_events(use, POLLIN | POLLOUT, 0);
		break;
	case 2:
		dmabuf_sync(use, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
		dmabuf_sync(use, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
		break;
	case 3: {
		int out = dmabuf_export_sync_file(use, DMA_BUF_SYNC_RW);

		if (out >= 0)
			close(out);
		break;
	}
	case 4: {
		char path[64];

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", use);
		free(read_text(path));
		break;
	}
	case 5: {
		void *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, use, 0);

		if (map != MAP_FAILED)
			munmap(map, PAGE);
		break;
	}
	case 6: {
		int64_t got = gem_import(other, use);

		if (got > 0)
			gem_close(other, got);
		break;
	}
	}
}

/**
 * SUBTEST: close-against-use
 * Description: The fd is closed and replaced while others call through it.
 */
static void close_against_use(void)
{
	setup();
	atomic_store(&slot, dup(fd));
	RACE(1, do_replace_slot, do_use_slot, do_use_slot, do_use_slot,
	     do_bufinfo);
	close(atomic_load(&slot));
	teardown();
}

/**
 * SUBTEST: poll-signal-close
 * Description: Buffers with a pending fence are polled, signalled and closed in
 *  changing order, so that the fence and the file end at the same time.
 */
static void do_poll_signal_close(unsigned int turn)
{
	int mine = open_device(), line = sw_timeline();
	int buf = make_dmabuf(mine, 1, NULL), fence = sw_fence(line, 1), ep = -1;
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT };

	check_ok(dmabuf_import_sync_file(buf, 1 + turn % 3, fence));
	if (turn & 4) {
		ep = epoll_create1(EPOLL_CLOEXEC);
		check(ep >= 0);
		check_ok(epoll_ctl(ep, EPOLL_CTL_ADD, buf, &event));
	}
	poll_events(buf, POLLOUT, 0);
	poll_events(buf, POLLIN, 0);
	close(fence);
	close(mine);
	if (turn & 1) {
		sw_advance(line, 1);
		close(buf);
	} else {
		close(buf);
		sw_advance(line, 1);
	}
	close(line);
	if (ep >= 0)
		close(ep);
}

static void poll_signal_close(void)
{
	setup();
	RACE(4, do_poll_signal_close);
	teardown();
}

/**
 * SUBTEST: poll-against-signal
 * Description: Fences signal from another processor at all moments of sleeping
 *  polls. No poll sleeps past the end of its fence.
 */
static void do_fence_and_poll(unsigned int turn)
{
	int fence = new_fence();

	check_ok(dmabuf_import_sync_file(fd, DMA_BUF_SYNC_WRITE, fence));
	check(poll_events(fd, turn & 1 ? POLLIN : POLLOUT, 5000) > 0 ||
	      atomic_load(&over));
	drop_fence(fence);
}

static void do_advance(unsigned int turn)
{
	if (turn % 3)
		usleep(turn % 50);
	sw_advance(timeline, 1);
}

static void poll_against_signal(void)
{
	setup();
	RACE(2, do_fence_and_poll, do_advance);
	release_fences();
	teardown();
}

/* --- handles --- */

static void do_import_close(unsigned int turn)
{
	int64_t got = lost(gem_import(drm, fd), ENOENT, ENOENT);

	(void)turn;
	if (got > 0)
		lost(gem_close(drm, got), EINVAL, EINVAL);
}

/**
 * SUBTEST: import-against-close
 * Description: Threads import one fd into one file and close the handle that they
 *  get, which may be another thread's handle, too.
 */
static void import_against_close(void)
{
	setup();
	RACE(4, do_import_close);
	check(atomic_load(&losses) > 0);
	check_ok(gem_import(drm, fd));
	teardown();
}

static void do_import_close_other(unsigned int turn)
{
	int64_t got = lost(gem_import(other, fd), ENOENT, ENOENT);

	(void)turn;
	if (got > 0)
		lost(gem_close(other, got), EINVAL, EINVAL);
}

/**
 * SUBTEST: import-against-close-over-devices
 * Description: The same with importer and exporter both doing so, while the lists of
 *  attachments are read.
 */
static void import_against_close_over_devices(void)
{
	setup_two_devices();
	RACE(2, do_import_close, do_import_close_other, do_bufinfo);
	check(atomic_load(&losses) > 0);
	check_ok(gem_import(other, fd));
	teardown();
}

static void do_export_close(unsigned int turn)
{
	uint32_t h = 1 + turn % 4;
	int out = lost(gem_export(drm, h, DRM_CLOEXEC), ENOENT, ENOENT);

	if (out >= 0) {
		lost(gem_import(drm, out), ENOENT, ENOENT);
		close(out);
	}
}

static void do_create_close(unsigned int turn)
{
	check_ok(gem_create(drm, 1));
	lost(gem_close(drm, 1 + turn % 4), EINVAL, EINVAL);
	lost(gem_close(drm, 1 + (turn + 1) % 4), EINVAL, EINVAL);
}

/**
 * SUBTEST: export-against-close
 * Description: Handles are exported while another thread closes them and their
 *  numbers are given to new buffers.
 */
static void export_against_close(void)
{
	setup();
	RACE(2, do_export_close, do_create_close);
	teardown();
}

static atomic_uint flink_name;

static void do_flink_open(unsigned int turn)
{
	int64_t got = lost(gem_open(drm, atomic_load(&flink_name)), ENOENT,
			   ENOENT);
	int out;

	(void)turn;
	if (got <= 0)
		return;
	out = lost(gem_export(drm, got, DRM_CLOEXEC), ENOENT, ENOENT);
	if (out >= 0) {
		int64_t again = lost(gem_import(drm, out), ENOENT, ENOENT);

		if (again > 0)
			lost(gem_close(drm, again), EINVAL, EINVAL);
		close(out);
	}
	lost(gem_close(drm, got), EINVAL, EINVAL);
}

static void do_flink_renew(unsigned int turn)
{
	uint32_t made = check_ok(gem_create(drm, 1));
	int64_t name = lost(gem_flink(drm, made), ENOENT, ENOENT);

	if (name > 0)
		atomic_store(&flink_name, name);
	if (turn & 1)
		sched_yield();
	lost(gem_close(drm, made), EINVAL, EINVAL);
}

/**
 * SUBTEST: flink-against-close
 * Description: A name is opened, exported and imported while the last handle
 *  behind it is closed.
 */
static void flink_against_close(void)
{
	setup();
	RACE(2, do_flink_open, do_flink_renew);
	teardown();
}

static void do_open_import_close_file(unsigned int turn)
{
	int file = turn & 1 ? open_device() : open_other();
	uint32_t got = check_ok(gem_import(file, fd));

	if (turn & 2)
		close(check_ok(gem_export(file, got, DRM_CLOEXEC)));
	close(file);
}

/**
 * SUBTEST: import-against-file-close
 * Description: Device files are opened, import the buffer, and are closed with the
 *  handle still open.
 */
static void import_against_file_close(void)
{
	setup_two_devices();
	RACE(2, do_open_import_close_file, do_import_close_other, do_bufinfo);
	teardown();
}

/* Each turn is the complete way of a picture through a compositor. */
static void do_whole_life(unsigned int turn)
{
	uint32_t made = check_ok(gem_create(drm, 4));
	int out = check_ok(gem_export(drm, made, DRM_CLOEXEC | DRM_RDWR));
	int64_t theirs = check_ok(gem_import(other, out));
	char *map = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, out,
			 0);

	check(map != MAP_FAILED);
	map[turn % 16384] = 1;
	if (turn & 1)
		close(out);
	check_ok(gem_close(turn & 2 ? drm : other, turn & 2 ? made : theirs));
	check_ok(gem_close(turn & 2 ? other : drm, turn & 2 ? theirs : made));
	munmap(map, 16384);
	if (!(turn & 1))
		close(out);
}

/**
 * SUBTEST: no-page-is-lost
 * Description: Hundreds of buffers are written to, exported, imported and closed in
 *  changing order. Afterwards the kernel has its pages back.
 */
static void no_page_is_lost(void)
{
	double end = now() + 5;
	long before, after;

	setup_two_devices();
	need_mmap(fd);
	before = meminfo_kb("Shmem:");
	RACE(4, do_whole_life);
	/* 16 KiB in each of hundreds of turns: a leak would be larger than this. */
	while ((after = meminfo_kb("Shmem:")) > before + 512 && now() < end)
		usleep(50000);
	printf("Shmem %ld kB before, %ld kB after\n", before, after);
	check(after <= before + 512);
	teardown();
}

/**
 * SUBTEST: references-come-back
 * Description: After imports, exports and closes from all threads the buffer's
 *  count is what it was.
 */
static void do_export_again(unsigned int turn)
{
	(void)turn;
	close(check_ok(gem_export(drm, handle, DRM_CLOEXEC)));
}

static void references_come_back(void)
{
	char before[32], after[32];

	setup_two_devices();
	check(fdinfo(fd, "count", before, sizeof(before)));
	RACE(2, do_export_again, do_import_close_other, do_poll);
	check(fdinfo(fd, "count", after, sizeof(after)));
	check_eq(atol(after), atol(before));
	check_eq(gem_import(drm, fd), handle);
	teardown();
}

static int second_fd;

/* Tells which of the two buffers the fd is of. Fails if it is of neither. */
static void check_known(int dmabuf)
{
	uint64_t inode = inode_of(dmabuf);

	check(inode == inode_of(fd) || inode == inode_of(second_fd));
}

static void do_import_one_of_two(unsigned int turn)
{
	int64_t got = lost(gem_import(other, turn & 1 ? fd : second_fd),
			   ENOENT, ENOENT);

	if (got > 0 && turn % 3)
		lost(gem_close(other, got), EINVAL, EINVAL);
}

static void do_export_by_number(unsigned int turn)
{
	uint32_t number = 1 + turn % 3;
	int out = lost(gem_export(other, number, DRM_CLOEXEC), ENOENT, ENOENT);

	if (out < 0)
		return;
	check_known(out);
	/* Imported back, it is one of the exporter's two objects, never a third one. */
	lost(gem_import(drm, out), ENOENT, ENOENT);
	close(out);
	if (turn % 5 == 0)
		lost(gem_close(other, number), EINVAL, EINVAL);
}

/**
 * SUBTEST: handle-reuse-over-devices
 * Description: In the importer's file two buffers take each other's handle numbers
 *  in turn, while the numbers are exported again. Each export gives one of the two
 *  buffers, and at the end each gives its first handle.
 */
static void handle_reuse_over_devices(void)
{
	uint32_t second;

	setup_two_devices();
	second_fd = make_dmabuf(drm, 1, &second);
	RACE(2, do_import_one_of_two, do_export_by_number, do_bufinfo);
	check_eq(gem_import(drm, fd), handle);
	check_eq(gem_import(drm, second_fd), second);
	check(check_ok(gem_import(other, fd)) !=
	      check_ok(gem_import(other, second_fd)));
	close(second_fd);
	teardown();
}

static atomic_uint current_name;

static void do_name_again(unsigned int turn)
{
	uint32_t made = check_ok(gem_create(drm, 1 + turn % 2));
	int64_t name = check_ok(gem_flink(drm, made));

	check_eq(gem_flink(drm, made), name);
	atomic_store(&current_name, name);
	sched_yield();
	check_ok(gem_close(drm, made));
}

/* In a file of its own no other thread closes its handles. */
static void do_open_by_name(unsigned int turn)
{
	int file = open_device();
	int64_t got = lost(gem_open(file, atomic_load(&current_name)), ENOENT,
			   ENOENT);

	if (got > 0) {
		int out = check_ok(gem_export(file, got, DRM_CLOEXEC));

		check_eq(gem_import(file, out), got);
		if (turn & 1)
			check_ok(gem_close(file, got));
		close(out);
	}
	close(file);
}

/**
 * SUBTEST: flink-reuse
 * Description: Names are given, opened in other files and taken back, so that one
 *  number stands for many buffers in turn. Opening a name gives a complete buffer,
 *  whose export gives its own handle, or ENOENT.
 */
static void flink_reuse(void)
{
	setup();
	/* Only one thread gives names, so no other one closes its handle. */
	atomic_store(&current_name, check_ok(gem_flink(drm, handle)));
	RACE(1, do_name_again, do_open_by_name, do_open_by_name,
	     do_open_by_name);
	check(atomic_load(&losses) > 0);
	check_eq(gem_import(drm, fd), handle);
	teardown();
}

static const struct prime_subtest subtests[] = {
	SUBTEST(file_operations),
	SUBTEST(name_against_readers),
	SUBTEST(close_against_use),
	SUBTEST(poll_signal_close),
	SUBTEST(poll_against_signal),
	SUBTEST(import_against_close),
	SUBTEST(import_against_close_over_devices),
	SUBTEST(export_against_close),
	SUBTEST(flink_against_close),
	SUBTEST(import_against_file_close),
	SUBTEST(no_page_is_lost),
	SUBTEST(references_come_back),
	SUBTEST(handle_reuse_over_devices),
	SUBTEST(flink_reuse),
};

PRIME_MAIN(subtests)
