// SPDX-License-Identifier: MIT
/**
 * TEST: dmabuf cpu
 * Description: Begin and end of CPU access by the SYNC ioctl, as careless and
 *  hostile programs call it: unbalanced, nested, from several processes and
 *  threads, interrupted, and on files that are no dma-buf. The kernel keeps no
 *  account of each program. So no call is refused because of another program's
 *  calls, no call blocks for ever, and a read after a begin finds what was written.
 */
#include "lib/prime_memory.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <libdrm/drm_mode.h>

#define BOTH	(POLLIN | POLLOUT)
#define START	DMA_BUF_SYNC_START
#define END	DMA_BUF_SYNC_END
#define READ	DMA_BUF_SYNC_READ
#define WRITE	DMA_BUF_SYNC_WRITE
#define RW	DMA_BUF_SYNC_RW

static uint32_t *map_words(int fd, size_t length)
{
	void *map;

	need_mmap(fd);
	map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(map != MAP_FAILED);
	return map;
}

/* One balanced access of each kind that shows and keeps the content. */
static void check_works(int fd, uint32_t *map, uint32_t value)
{
	check_ok(dmabuf_sync(fd, START | RW));
	map[1] = value;
	check_ok(dmabuf_sync(fd, END | RW));
	check_ok(dmabuf_sync(fd, START | READ));
	check_eq(map[1], value);
	check_ok(dmabuf_sync(fd, END | READ));
	check_ok(dmabuf_sync(fd, START | WRITE));
	map[1] = ~value;
	check_ok(dmabuf_sync(fd, END | WRITE));
	check_eq(map[1], ~value);
}

static int pending_fence(int timeline, int fd, uint32_t way, uint32_t value)
{
	int fence = sw_fence(timeline, value);

	check_ok(dmabuf_import_sync_file(fd, way, fence));
	return fence;
}

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

/* A signal every @ms, the first one after the call has gone to sleep. */
static void alarm_every(int ms, int flags)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = flags };
	struct itimerval timer = {
		.it_value.tv_usec = ms * 1000,
		.it_interval.tv_usec = ms * 1000,
	};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void await_exit(pid_t pid, int wanted)
{
	int status;

	check_eq(waitpid(pid, &status, 0), pid);
	check_eq(status, wanted);
}

/* --- unbalanced --- */

/**
 * SUBTEST: end-without-begin
 * Description: An end without a begin succeeds, a hundred times in each direction.
 *  The next begin and end work.
 */
static void end_without_begin(void)
{
	int fd = any_dmabuf(1);
	uint32_t *map = map_words(fd, PAGE);

	map[0] = 0xcafe;
	for (int i = 0; i < 300; i++)
		check_ok(dmabuf_sync(fd, END | (1 + i % 3)));
	check_eq(map[0], 0xcafe);
	check_works(fd, map, 17);
	check_ok(dmabuf_sync(fd, END | RW));
	check_works(fd, map, 18);
}

/**
 * SUBTEST: begin-without-end
 * Description: A thousand begins without an end leave nothing behind: the next
 *  access works, and the buffer is freed with its last fd.
 */
static void begin_without_end(void)
{
	int drm = open_device(), fd = make_dmabuf(drm, 1, NULL);
	uint32_t *map = map_words(fd, PAGE);
	char before[32], after[32];

	check(fdinfo(fd, "count", before, sizeof(before)));
	for (int i = 0; i < 1000; i++)
		check_ok(dmabuf_sync(fd, START | (1 + i % 3)));
	check(fdinfo(fd, "count", after, sizeof(after)));
	check_eq(atol(after), atol(before));
	check_works(fd, map, 19);
	munmap(map, PAGE);
	close(fd);
	close(drm);
	check_eq(settle_buffers(0), 0);
}

/**
 * SUBTEST: begin-twice-end-twice
 * Description: Two begins and two ends by the same program succeed, in every order
 *  of the four calls.
 */
static void begin_twice_end_twice(void)
{
	int fd = any_dmabuf(1);
	uint32_t *map = map_words(fd, PAGE);

	for (int order = 0; order < 16; order++) {
		for (int i = 0; i < 4; i++)
			check_ok(dmabuf_sync(fd, (order >> i & 1 ? END : START) |
					     RW));
		check_works(fd, map, order);
	}
}

/**
 * SUBTEST: end-of-other-direction
 * Description: A begin of one direction and an end of another one succeed, and the
 *  content stays.
 */
static void end_of_other_direction(void)
{
	int fd = any_dmabuf(1);
	uint32_t *map = map_words(fd, PAGE);

	for (uint64_t begin = READ; begin <= RW; begin++) {
		for (uint64_t end = READ; end <= RW; end++) {
			check_ok(dmabuf_sync(fd, START | begin));
			map[3] = begin << 8 | end;
			check_ok(dmabuf_sync(fd, END | end));
			check_eq(map[3], begin << 8 | end);
			check_works(fd, map, map[3]);
		}
	}
}

/**
 * SUBTEST: nested
 * Description: An access begins and ends inside another one. After the inner end,
 *  the outer access still sees what it wrote.
 */
static void nested(void)
{
	int fd = any_dmabuf(1);
	uint32_t *map = map_words(fd, PAGE);

	check_ok(dmabuf_sync(fd, START | RW));
	map[0] = 1;
	for (uint64_t way = READ; way <= RW; way++) {
		check_ok(dmabuf_sync(fd, START | way));
		check_eq(map[0], way);
		check_ok(dmabuf_sync(fd, END | way));
		map[0] = way + 1;
	}
	check_eq(map[0], 4);
	check_ok(dmabuf_sync(fd, END | RW));
	check_ok(dmabuf_sync(fd, START | READ));
	check_eq(map[0], 4);
	check_ok(dmabuf_sync(fd, END | READ));
}

/**
 * SUBTEST: through-any-fd
 * Description: A begin by one fd and an end by another fd of the same buffer, a dup
 *  or a second export, are one access.
 */
static void through_any_fd(void)
{
	int drm = open_device(), fd[3];
	uint32_t handle, *map;

	fd[0] = make_dmabuf(drm, 1, &handle);
	fd[1] = dup(fd[0]);
	fd[2] = check_ok(gem_export(drm, handle, DRM_CLOEXEC));
	map = map_words(fd[0], PAGE);
	for (int begin = 0; begin < 3; begin++) {
		for (int end = 0; end < 3; end++) {
			check_ok(dmabuf_sync(fd[begin], START | RW));
			check_ok(dmabuf_sync(fd[end], END | RW));
		}
	}
	check_works(fd[0], map, 20);
}

/* --- processes --- */

/**
 * SUBTEST: two-processes
 * Description: One process reads and another writes, both between begin and end.
 *  Neither waits for the other's end, and the reader's next begin shows what was
 *  written.
 */
static void two_processes(void)
{
	int fd = any_dmabuf(1), go = eventfd(0, 0), done = eventfd(0, 0);
	uint32_t *map = map_words(fd, PAGE);
	uint64_t one = 1;
	pid_t pid;

	check(go >= 0 && done >= 0);
	map[0] = 5;
	check_ok(dmabuf_sync(fd, START | READ));
	pid = fork();
	if (!pid) {
		check_ok(dmabuf_sync(fd, START | WRITE));
		check_eq(map[0], 5);
		map[0] = 6;
		check_eq(write(done, &one, 8), 8);
		check_eq(read(go, &one, 8), 8);
		check_ok(dmabuf_sync(fd, END | WRITE));
		_exit(0);
	}
	check(pid > 0);
	check_eq(read(done, &one, 8), 8);
	check_ok(dmabuf_sync(fd, END | READ));
	check_ok(dmabuf_sync(fd, START | READ));
	check_eq(write(go, &one, 8), 8);
	await_exit(pid, 0);
	check_eq(map[0], 6);
	check_ok(dmabuf_sync(fd, END | READ));
}

/**
 * SUBTEST: killed-inside
 * Description: A process is killed between begin and end. Others can still access
 *  the buffer, and see what it wrote. The buffer is freed with its last fd.
 */
static void killed_inside(void)
{
	int drm = open_device(), fd = make_dmabuf(drm, 1, NULL);
	uint32_t *map = map_words(fd, PAGE);

	for (int i = 0; i < 10; i++) {
		int inside = eventfd(0, EFD_CLOEXEC);
		uint64_t one = 1;
		pid_t pid = fork();

		if (!pid) {
			check_ok(dmabuf_sync(fd, START | RW));
			map[0] = 100 + i;
			check_eq(write(inside, &one, 8), 8);
			pause();
			_exit(0);
		}
		check(pid > 0);
		check_eq(read(inside, &one, 8), 8);
		kill(pid, SIGKILL);
		await_exit(pid, SIGKILL);
		check_ok(dmabuf_sync(fd, START | READ));
		check_eq(map[0], 100 + i);
		check_ok(dmabuf_sync(fd, END | READ));
		check_works(fd, map, i);
		close(inside);
	}
	munmap(map, PAGE);
	close(fd);
	close(drm);
	check_eq(settle_buffers(0), 0);
}

/**
 * SUBTEST: two-processes-wait
 * Description: Two processes wait in begin for one fence. Both go on when it
 *  signals. If one is killed while it waits, the other one is not affected.
 */
static void two_processes_wait(void)
{
	int fd = any_dmabuf(1), timeline = sw_timeline(), fence;
	pid_t pid[3];

	fence = pending_fence(timeline, fd, WRITE, 1);
	for (int i = 0; i < 3; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			check_ok(dmabuf_sync(fd, START | RW));
			check_eq(poll_events(fence, POLLIN, 0), POLLIN);
			check_ok(dmabuf_sync(fd, END | RW));
			_exit(0);
		}
		check(pid[i] > 0);
	}
	for (int i = 0; i < 3; i++)
		await_asleep(pid[i], SYS_ioctl);
	kill(pid[1], SIGKILL);
	await_exit(pid[1], SIGKILL);
	check_eq(poll_events(fd, POLLIN, 0), 0);
	sw_advance(timeline, 1);
	await_exit(pid[0], 0);
	await_exit(pid[2], 0);
}

/* --- fences --- */

/**
 * SUBTEST: directions-and-fences
 * Description: A begin for READ waits for writers, one for WRITE or RW also for
 *  readers. A signal ends each wait with EINTR.
 */
static void directions_and_fences(void)
{
	int fd = any_dmabuf(1), timeline = sw_timeline();
	uint32_t point = 0;

	for (uint32_t fence = READ; fence <= RW; fence++) {
		for (uint64_t way = READ; way <= RW; way++) {
			bool waits = fence & WRITE || way & WRITE;
			int file = pending_fence(timeline, fd, fence, ++point);
			int ret;

			alarm_every(30, 0);
			ret = dmabuf_sync(fd, START | way);
			alarm_every(0, 0);
			if (waits)
				check_error(ret, EINTR);
			else
				check_ok(ret);
			sw_advance(timeline, 1);
			check_eq(poll_events(file, POLLIN, 1000), POLLIN);
			check_ok(dmabuf_sync(fd, START | way));
			check_ok(dmabuf_sync(fd, END | way));
			close(file);
		}
	}
}

/**
 * SUBTEST: interrupted-leaves-nothing
 * Description: A signal ends a begin. The buffer's count and its readiness are as
 *  before, the next begin waits again, no end is needed, and the buffer is freed
 *  with its last fd.
 */
static void interrupted_leaves_nothing(void)
{
	int drm = open_device(), fd = make_dmabuf(drm, 1, NULL);
	int timeline = sw_timeline(), fence;
	uint32_t *map = map_words(fd, PAGE);
	char before[32], after[32];

	map[0] = 0xbeef;
	fence = pending_fence(timeline, fd, WRITE, 1);
	check(fdinfo(fd, "count", before, sizeof(before)));
	alarm_every(20, 0);
	for (int i = 0; i < 20; i++)
		check_error(dmabuf_sync(fd, START | (1 + i % 3)), EINTR);
	alarm_every(0, 0);
	check(fdinfo(fd, "count", after, sizeof(after)));
	check_eq(atol(after), atol(before));
	check_eq(poll_events(fd, BOTH, 0), 0);
	sw_advance(timeline, 1);
	check_eq(poll_events(fd, BOTH, 1000), BOTH);
	check_eq(map[0], 0xbeef);
	check_works(fd, map, 21);
	munmap(map, PAGE);
	close(fence);
	close(fd);
	close(drm);
	check_eq(settle_buffers(0), 0);
}

/**
 * SUBTEST: restarted
 * Description: A signal whose handler has SA_RESTART does not end the wait: begin
 *  succeeds after the fence has signalled, and not before.
 */
static void restarted(void)
{
	int fd = any_dmabuf(1), timeline = sw_timeline(), fence;
	pid_t pid;

	fence = pending_fence(timeline, fd, WRITE, 1);
	pid = fork();
	if (!pid) {
		/* Asleep again after each of several signals. */
		for (int i = 0; i < 3; i++) {
			await_asleep(getppid(), SYS_ioctl);
			kill(getppid(), SIGALRM);
		}
		await_asleep(getppid(), SYS_ioctl);
		sw_advance(timeline, 1);
		_exit(0);
	}
	check(pid > 0);
	alarms = 0;
	alarm_every(0, SA_RESTART);
	check_ok(dmabuf_sync(fd, START | RW));
	check(alarms > 0);
	check_eq(poll_events(fence, POLLIN, 0), POLLIN);
	check_ok(dmabuf_sync(fd, END | RW));
	await_exit(pid, 0);
}

/**
 * SUBTEST: begin-ends-with-timeline
 * Description: A begin waits for a fence whose timeline is closed. The fence ends
 *  with an error, and the begin succeeds.
 */
static void begin_ends_with_timeline(void)
{
	int fd = any_dmabuf(1), timeline = sw_timeline(), fence;
	pid_t pid;

	fence = pending_fence(timeline, fd, WRITE, 1);
	pid = fork();
	if (!pid) {
		await_asleep(getppid(), SYS_ioctl);
		_exit(0);
	}
	check(pid > 0);
	/* Only the child holds the timeline now. */
	close(timeline);
	check_ok(dmabuf_sync(fd, START | RW));
	check_eq(poll_events(fence, POLLIN, 0), POLLIN);
	check_ok(dmabuf_sync(fd, END | RW));
	await_exit(pid, 0);
}

/* --- files that are no dma-buf --- */

/**
 * SUBTEST: closed-fd
 * Description: A number that is not an open file gives EBADF, even if it was a
 *  dma-buf a moment ago, or is closed in the middle of an access. So does an O_PATH
 *  descriptor.
 */
static void closed_fd(void)
{
	int drm = open_device(), fd = make_dmabuf(drm, 1, NULL), path;
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	path = open(link, O_PATH | O_CLOEXEC);
	check(path >= 0);
	check_error(dmabuf_sync(path, START | RW), EBADF);
	close(path);
	check_ok(dmabuf_sync(fd, START | RW));
	close(fd);
	check_error(dmabuf_sync(fd, END | RW), EBADF);
	check_error(dmabuf_sync(-1, START | RW), EBADF);
	check_error(dmabuf_sync(1 << 20, START | RW), EBADF);
	close(drm);
	check_eq(settle_buffers(0), 0);
}

/**
 * SUBTEST: other-files
 * Description: A file of another kind does not know the ioctl, and gives ENOTTY.
 */
static void other_files(void)
{
	int fd = any_dmabuf(1), ends[2];

	check_ok(pipe(ends));
	check_error(dmabuf_sync(ends[0], START | RW), ENOTTY);
	check_error(dmabuf_sync(eventfd(0, 0), START | RW), ENOTTY);
	check_error(dmabuf_sync(memfd_create("x", 0), START | RW), ENOTTY);
	check_error(dmabuf_sync(open("/dev/null", O_RDWR), START | RW), ENOTTY);
	check_error(dmabuf_sync(open("/", O_RDONLY), START | RW), ENOTTY);
	check_error(dmabuf_sync(check_ok(dmabuf_export_sync_file(fd, RW)),
				START | RW), ENOTTY);
}

/* --- other exporters and importers --- */

/**
 * SUBTEST: heap
 * Description: The same calls on a heap's buffer, whose exporter has work to do at
 *  begin and end: unbalanced and nested, with the device under test attached and
 *  without. The content stays.
 */
static void heap(void)
{
	int drm = open_device(), fd = make_memory(MEMORY_SYSTEM_HEAP, 4 * PAGE);
	uint32_t *map = map_words(fd, 4 * PAGE), handle = 0;

	for (int attached = 0; attached < 2; attached++) {
		if (attached)
			handle = import_foreign(drm, fd);
		map[0] = 0xfeed;
		for (int i = 0; i < 30; i++)
			check_ok(dmabuf_sync(fd, END | (1 + i % 3)));
		for (int i = 0; i < 30; i++)
			check_ok(dmabuf_sync(fd, START | (1 + i % 3)));
		check_eq(map[0], 0xfeed);
		check_works(fd, map, attached);
	}
	/* The attachment ends in the middle of an access. */
	check_ok(dmabuf_sync(fd, START | RW));
	check_ok(gem_close(drm, handle));
	check_ok(dmabuf_sync(fd, END | RW));
	check_works(fd, map, 22);
}

/**
 * SUBTEST: udmabuf
 * Description: The same calls on a udmabuf. It may refuse an end without a begin
 *  (EINVAL), but no other call. The content stays.
 */
static void udmabuf(void)
{
	int fd = make_memory(MEMORY_UDMABUF, PAGE), ret;
	uint32_t *map = map_words(fd, PAGE);

	map[0] = 0xface;
	ret = dmabuf_sync(fd, END | RW);
	if (ret)
		check_error(ret, EINVAL);
	/* For its own device it is mapped in the direction of the first begin. */
	check_ok(dmabuf_sync(fd, START | RW));
	for (int i = 0; i < 30; i++)
		check_ok(dmabuf_sync(fd, START | (1 + i % 3)));
	for (int i = 0; i < 40; i++)
		check_ok(dmabuf_sync(fd, END | (1 + i % 3)));
	check_eq(map[0], 0xface);
	check_works(fd, map, 23);
}

/**
 * SUBTEST: imported-buffer
 * Description: The importer exports the buffer, too. An access begins by one side's
 *  fd and ends by the other's, also if the importer's handle is closed in between.
 *  It waits for the same fences.
 */
static void imported_buffer(void)
{
	int fd = any_dmabuf(1), other = open_other(), back;
	int timeline = sw_timeline(), fence;
	uint32_t handle = check_ok(gem_import(other, fd));
	uint32_t *map = map_words(fd, PAGE);

	back = check_ok(gem_export(other, handle, DRM_CLOEXEC));
	check_ok(dmabuf_sync(back, START | RW));
	map[0] = 9;
	check_ok(gem_close(other, handle));
	check_ok(dmabuf_sync(fd, END | RW));
	check_works(back, map, 24);
	fence = pending_fence(timeline, fd, WRITE, 1);
	alarm_every(30, 0);
	check_error(dmabuf_sync(back, START | READ), EINTR);
	alarm_every(0, 0);
	sw_advance(timeline, 1);
	check_eq(poll_events(fence, POLLIN, 1000), POLLIN);
	check_works(back, map, 25);
}

/* The device's own mapping of a handle, not the dma-buf's. */
static uint32_t *map_handle(int drm, uint32_t handle, size_t length)
{
	struct drm_mode_map_dumb arg = { .handle = handle };
	int ret = xioctl(drm, DRM_IOCTL_MODE_MAP_DUMB, &arg);
	void *map;

	if (ret)
		prime_skip("%s maps no dumb buffers: %s", driver_name(drm),
			   strerror(-ret));
	map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, drm,
		   arg.offset);
	if (map == MAP_FAILED)
		prime_skip("%s maps no dumb buffers: %s", driver_name(drm),
			   strerror(errno));
	return map;
}

/**
 * SUBTEST: content-of-device-mapping
 * Description: What is written through the device's own mapping of its handle is
 *  seen after a begin on the importer's fd. What is written there is seen by the
 *  device after the end. Each word is compared, many times.
 */
static void content_of_device_mapping(void)
{
	enum { PAGES = 8 };
	const int WORDS = PAGES * PAGE / 4;
	int drm = open_device(), other = open_other(), fd, back;
	uint32_t handle, *theirs, *ours;

	fd = make_dmabuf(drm, PAGES, &handle);
	back = check_ok(gem_export(other, check_ok(gem_import(other, fd)),
				   DRM_CLOEXEC | DRM_RDWR));
	theirs = map_handle(drm, handle, PAGES * PAGE);
	ours = map_words(back, PAGES * PAGE);
	for (uint32_t round = 1; round < 20; round++) {
		for (int i = 0; i < WORDS; i++)
			theirs[i] = i * 2654435761u + round;
		check_ok(dmabuf_sync(back, START | RW));
		for (int i = 0; i < WORDS; i++)
			check_eq(ours[i], i * 2654435761u + round);
		for (int i = 0; i < WORDS; i++)
			ours[i] = i * 40503u - round;
		check_ok(dmabuf_sync(back, END | RW));
		for (int i = 0; i < WORDS; i++)
			check_eq(theirs[i], i * 40503u - round);
	}
}

/* --- threads --- */

enum { THREADS = 6 };

static atomic_bool over;
static atomic_ulong rounds;
static int shared, timeline;
static uint32_t *shared_map;
static atomic_uint points;

/* Each thread has a word of its own, and its accesses are not balanced. */
static void *access_thread(void *data)
{
	int me = (long)data;
	uint32_t value = 0;

	while (!atomic_load(&over)) {
		uint64_t way = 1 + (value + me) % 3;

		check_ok(dmabuf_sync(shared, START | way));
		check_eq(shared_map[me * 16], value);
		shared_map[me * 16] = ++value;
		if (value % 7)
			check_ok(dmabuf_sync(shared, END | way));
		if (value % 5 == 0)
			check_ok(dmabuf_sync(shared, END | RW));
		atomic_fetch_add(&rounds, 1);
	}
	return NULL;
}

/* A fence is held until it has signalled: see drop_fence() of prime_race. */
static void *fence_thread(void *data)
{
	(void)data;
	while (!atomic_load(&over)) {
		uint32_t point = atomic_fetch_add(&points, 1) + 1;
		int fence = pending_fence(timeline, shared, 1 + point % 3, point);

		if (point % 4 == 0)
			sched_yield();
		while (!poll_events(fence, POLLIN, 0))
			sw_advance(timeline, 1);
		close(fence);
	}
	return NULL;
}

/**
 * SUBTEST: threads
 * Description: Six threads begin and end accesses of one buffer, in all directions
 *  and unbalanced, while fences are added and signal. Nobody waits for a fence that
 *  has signalled, and each thread finds what it wrote.
 */
static void threads(void)
{
	pthread_t thread[THREADS + 1];

	shared = any_dmabuf(1);
	timeline = sw_timeline();
	shared_map = map_words(shared, PAGE);
	for (long i = 0; i < THREADS; i++)
		check_eq(pthread_create(&thread[i], NULL, access_thread,
					(void *)i), 0);
	check_eq(pthread_create(&thread[THREADS], NULL, fence_thread, NULL), 0);
	usleep(race_seconds() * 1e6);
	atomic_store(&over, true);
	for (int i = 0; i <= THREADS; i++)
		check_eq(pthread_join(thread[i], NULL), 0);
	printf("%lu accesses, %u fences\n", atomic_load(&rounds),
	       atomic_load(&points));
	check(atomic_load(&rounds) >= 10);
	check(atomic_load(&points) >= 10);
	check_works(shared, shared_map, 26);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(end_without_begin),
	SUBTEST(begin_without_end),
	SUBTEST(begin_twice_end_twice),
	SUBTEST(end_of_other_direction),
	SUBTEST(nested),
	SUBTEST(through_any_fd),
	SUBTEST(two_processes),
	SUBTEST(killed_inside),
	SUBTEST(two_processes_wait),
	SUBTEST(directions_and_fences),
	SUBTEST(interrupted_leaves_nothing),
	SUBTEST(restarted),
	SUBTEST(begin_ends_with_timeline),
	SUBTEST(closed_fd),
	SUBTEST(other_files),
	SUBTEST(heap),
	SUBTEST(udmabuf),
	SUBTEST(imported_buffer),
	SUBTEST(content_of_device_mapping),
	SUBTEST(threads),
};

PRIME_MAIN(subtests)
