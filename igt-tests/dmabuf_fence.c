// SPDX-License-Identifier: MIT
/**
 * TEST: dmabuf fence
 * Description: A dma-buf with fences: what poll and epoll wait for, what a begin of
 *  CPU access waits for, and how fences get into and out of sync files.
 */
#include "lib/prime_test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <linux/aio_abi.h>
#include <linux/sync_file.h>

#define BOTH	(POLLIN | POLLOUT)

/* A buffer and a timeline whose fences stand for readers or writers of it. */
struct scene {
	int fd;
	int timeline;
	uint32_t next;
};

static struct scene scene_open(void)
{
	return (struct scene){ .timeline = sw_timeline(), .fd = any_dmabuf(1) };
}

/* A pending fence: DMA_BUF_SYNC_READ for a reader, _WRITE for a writer. */
static void scene_fence(struct scene *s, uint32_t way)
{
	int fence = sw_fence(s->timeline, ++s->next);

	check_ok(dmabuf_import_sync_file(s->fd, way, fence));
	close(fence);
}

static void scene_signal(struct scene *s)
{
	sw_advance(s->timeline, 1);
}

/* Signals the next fence of the scene when the main thread sleeps in a call. */
struct later {
	pthread_t thread;
	struct scene *scene;
	long call;
};

static void *later_run(void *data)
{
	struct later *later = data;

	await_asleep(getpid(), later->call);
	scene_signal(later->scene);
	return NULL;
}

static void later_start(struct later *later, struct scene *scene, long call)
{
	later->scene = scene;
	later->call = call;
	check_eq(pthread_create(&later->thread, NULL, later_run, later), 0);
}

static void later_join(struct later *later)
{
	check_eq(pthread_join(later->thread, NULL), 0);
}

static int sync_file_pending(int sync_file)
{
	return poll_events(sync_file, POLLIN, 0) == 0;
}

/* --- poll --- */

/**
 * SUBTEST: poll-idle
 * Description: An idle buffer is ready for reading and writing at once. A poll for
 *  no event gives none.
 */
static void poll_idle(void)
{
	int fd = any_dmabuf(1);

	check_eq(poll_events(fd, BOTH, 0), BOTH);
	check_eq(poll_events(fd, POLLIN, -1), POLLIN);
	check_eq(poll_events(fd, POLLOUT, -1), POLLOUT);
	check_eq(poll_events(fd, 0, 0), 0);
	check_eq(poll_events(fd, POLLPRI, 0), 0);
}

/**
 * SUBTEST: poll-writer
 * Description: A pending writer makes reading and writing wait.
 */
static void poll_writer(void)
{
	struct scene s = scene_open();

	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	check_eq(poll_events(s.fd, POLLIN, 0), 0);
	check_eq(poll_events(s.fd, POLLOUT, 0), 0);
	check_eq(poll_events(s.fd, BOTH, 20), 0);
	scene_signal(&s);
	check_eq(poll_events(s.fd, BOTH, 1000), BOTH);
}

/**
 * SUBTEST: poll-reader
 * Description: A pending reader makes writing wait, and not reading.
 */
static void poll_reader(void)
{
	struct scene s = scene_open();

	scene_fence(&s, DMA_BUF_SYNC_READ);
	check_eq(poll_events(s.fd, POLLIN, 0), POLLIN);
	check_eq(poll_events(s.fd, POLLOUT, 0), 0);
	check_eq(poll_events(s.fd, BOTH, 0), POLLIN);
	scene_signal(&s);
	check_eq(poll_events(s.fd, BOTH, 0), BOTH);
}

/**
 * SUBTEST: poll-reader-and-writer
 * Description: Reading waits for the writer only, and writing for both, whichever is
 *  done first.
 */
static void poll_reader_and_writer(void)
{
	struct scene a = scene_open(), b = { .timeline = sw_timeline(), .fd = a.fd };

	scene_fence(&a, DMA_BUF_SYNC_READ);
	scene_fence(&b, DMA_BUF_SYNC_WRITE);
	check_eq(poll_events(a.fd, BOTH, 0), 0);
	scene_signal(&b);
	check_eq(poll_events(a.fd, BOTH, 100), POLLIN);
	scene_signal(&a);
	check_eq(poll_events(a.fd, POLLOUT, 1000), POLLOUT);

	scene_fence(&a, DMA_BUF_SYNC_READ);
	scene_fence(&b, DMA_BUF_SYNC_WRITE);
	scene_signal(&a);
	check_eq(poll_events(a.fd, BOTH, 20), 0);
	scene_signal(&b);
	check_eq(poll_events(a.fd, BOTH, 1000), BOTH);
}

/**
 * SUBTEST: poll-wakes
 * Description: A sleeping poll wakes when the fence signals, for reading, for
 *  writing and for both.
 */
static void poll_wakes(void)
{
	static const int events[] = { POLLIN, POLLOUT, BOTH };

	for (int i = 0; i < 3; i++) {
		struct scene s = scene_open();
		struct later later;

		scene_fence(&s, DMA_BUF_SYNC_WRITE);
		later_start(&later, &s, CALL_POLL);
		check(poll_events(s.fd, events[i], 20000) & events[i]);
		later_join(&later);
		check_eq(poll_events(s.fd, BOTH, 1000), BOTH);
	}
}

/**
 * SUBTEST: poll-many-writers
 * Description: Several writers use one buffer, one after another. It is ready only
 *  after the last one.
 */
static void poll_many_writers(void)
{
	struct scene s[4] = { scene_open() };

	for (int i = 1; i < 4; i++)
		s[i] = (struct scene){ .timeline = sw_timeline(), .fd = s[0].fd };
	for (int i = 0; i < 4; i++)
		scene_fence(&s[i], DMA_BUF_SYNC_WRITE);
	for (int i = 3; i >= 0; i--) {
		check_eq(poll_events(s[0].fd, POLLIN, 5), 0);
		check_eq(poll_events(s[0].fd, POLLOUT, 5), 0);
		scene_signal(&s[i]);
	}
	check_eq(poll_events(s[0].fd, BOTH, 1000), BOTH);
}

/**
 * SUBTEST: poll-again
 * Description: A poll that timed out does not disturb the next one. A thousand polls
 *  time out, the fence signals, and the buffer is ready. Then the same again.
 */
static void poll_again(void)
{
	struct scene s = scene_open();

	for (int round = 0; round < 3; round++) {
		scene_fence(&s, DMA_BUF_SYNC_WRITE);
		for (int i = 0; i < 1000; i++)
			check_eq(poll_events(s.fd, i & 1 ? POLLIN : POLLOUT, 0),
				 0);
		scene_signal(&s);
		check_eq(poll_events(s.fd, BOTH, 1000), BOTH);
	}
}

/**
 * SUBTEST: poll-no-events
 * Description: A poll for no event never gives one, with or without a pending fence.
 *  It sleeps until its timeout, and leaves nothing behind that keeps the buffer.
 */
static void poll_no_events(void)
{
	struct scene s = { .timeline = sw_timeline() };
	int drm = open_device();
	double start;

	s.fd = make_dmabuf(drm, 1, NULL);
	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	check_eq(poll_events(s.fd, 0, 0), 0);
	start = now();
	check_eq(poll_events(s.fd, 0, 50), 0);
	check(now() - start >= 0.045);
	scene_signal(&s);
	check_eq(poll_events(s.fd, 0, 0), 0);
	check_eq(poll_events(s.fd, BOTH, 1000), BOTH);
	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	check_eq(poll_events(s.fd, 0, 0), 0);
	close(s.fd);
	close(drm);
	check_eq(settle_buffers(0), 0);
	scene_signal(&s);
}

/**
 * SUBTEST: poll-unknown-events
 * Description: Events that a buffer never has are never reported, alone or beside
 *  the two that it has, on an idle or a busy buffer.
 */
static void poll_unknown_events(void)
{
	struct scene s = scene_open();

	for (int bit = 0; bit < 15; bit++) {
		int event = 1 << bit;

		if (event & (BOTH | POLLRDNORM | POLLWRNORM))
			continue;
		check_eq(poll_events(s.fd, event, 0), 0);
		check_eq(poll_events(s.fd, event | POLLIN, 0), POLLIN);
		check_eq(poll_events(s.fd, event | BOTH, 0), BOTH);
	}
	scene_fence(&s, DMA_BUF_SYNC_READ);
	for (int bit = 0; bit < 15; bit++) {
		int event = 1 << bit;

		if (event & (BOTH | POLLRDNORM | POLLWRNORM))
			continue;
		check_eq(poll_events(s.fd, event, 0), 0);
		check_eq(poll_events(s.fd, event | BOTH, 0), POLLIN);
	}
	scene_signal(&s);
}

/**
 * SUBTEST: poll-failed-fence
 * Description: A fence that ends with an error, because its timeline is closed, ends
 *  the wait like any other. Poll gives the two events and no POLLERR.
 */
static void poll_failed_fence(void)
{
	struct scene s = scene_open();
	int fence = sw_fence(s.timeline, 1);

	check_ok(dmabuf_import_sync_file(s.fd, DMA_BUF_SYNC_WRITE, fence));
	check_eq(poll_events(s.fd, BOTH, 0), 0);
	close(s.timeline);
	check_eq(poll_events(s.fd, BOTH, 1000), BOTH);
	check_ok(dmabuf_sync(s.fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	check_ok(dmabuf_sync(s.fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* A signal every @ms, so that one comes after the call has gone to sleep. */
static void alarm_every(int ms)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval timer = {
		.it_value.tv_usec = ms * 1000,
		.it_interval.tv_usec = ms * 1000,
	};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/**
 * SUBTEST: poll-interrupted
 * Description: A signal ends a sleeping poll with EINTR. Later polls work as before.
 */
static void poll_interrupted(void)
{
	struct scene s = scene_open();

	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	alarm_every(50);
	check_error(poll_events(s.fd, POLLIN, 10000), EINTR);
	alarm_every(0);
	check_eq(poll_events(s.fd, POLLIN, 0), 0);
	scene_signal(&s);
	check_eq(poll_events(s.fd, POLLIN, 1000), POLLIN);
}

struct poller {
	pthread_t thread;
	int fd, events, found;
};

static void *poller_run(void *data)
{
	struct poller *poller = data;

	poller->found = poll_events(poller->fd, poller->events, 20000);
	return NULL;
}

/**
 * SUBTEST: two-pollers
 * Description: One thread waits to read and one waits to write. Both are woken.
 */
static void two_pollers(void)
{
	for (int round = 0; round < 5; round++) {
		struct scene s = scene_open();
		struct poller poller[2] = {
			{ .fd = s.fd, .events = POLLIN },
			{ .fd = dup(s.fd), .events = POLLOUT },
		};

		scene_fence(&s, DMA_BUF_SYNC_WRITE);
		for (int i = 0; i < 2; i++)
			pthread_create(&poller[i].thread, NULL, poller_run,
				       &poller[i]);
		await_threads_asleep(2, CALL_POLL);
		scene_signal(&s);
		for (int i = 0; i < 2; i++) {
			pthread_join(poller[i].thread, NULL);
			check_eq(poller[i].found, poller[i].events);
		}
	}
}

/**
 * SUBTEST: eight-pollers-one-event
 * Description: Eight threads wait for the same event. All are woken.
 */
static void eight_pollers_one_event(void)
{
	for (int events = POLLIN; events <= POLLOUT; events += POLLOUT - POLLIN) {
		struct scene s = scene_open();
		struct poller poller[8];

		scene_fence(&s, DMA_BUF_SYNC_WRITE);
		for (int i = 0; i < 8; i++) {
			poller[i] = (struct poller){ .fd = s.fd, .events = events };
			pthread_create(&poller[i].thread, NULL, poller_run,
				       &poller[i]);
		}
		await_threads_asleep(8, CALL_POLL);
		scene_signal(&s);
		for (int i = 0; i < 8; i++) {
			pthread_join(poller[i].thread, NULL);
			check_eq(poller[i].found, events);
		}
	}
}

/**
 * SUBTEST: poll-restarted
 * Description: A signal that nobody handles interrupts a poll. The kernel restarts it,
 *  and the fence still wakes it.
 */
static void poll_restarted(void)
{
	struct scene s = scene_open();
	struct poller poller = { .fd = s.fd, .events = POLLOUT };
	sigset_t urgent, pending;
	double end;

	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	pthread_create(&poller.thread, NULL, poller_run, &poller);
	await_threads_asleep(1, CALL_POLL);
	/* Blocked by this thread, so that the other one gets it. */
	sigemptyset(&urgent);
	sigaddset(&urgent, SIGURG);
	check_eq(pthread_sigmask(SIG_BLOCK, &urgent, NULL), 0);
	check_ok(kill(getpid(), SIGURG) ? -errno : 0);
	end = now() + 10;
	do {
		check(now() < end);
		check_ok(sigpending(&pending) ? -errno : 0);
	} while (sigismember(&pending, SIGURG));
	await_threads_asleep(1, CALL_POLL);
	scene_signal(&s);
	pthread_join(poller.thread, NULL);
	check_eq(poller.found, POLLOUT);
}

/**
 * SUBTEST: close-while-polled
 * Description: The last fd is closed while a thread sleeps in poll. The fence still
 *  wakes the thread, which finds its fd closed, and the buffer is freed.
 */
static void close_while_polled(void)
{
	struct scene s = scene_open();
	int drm = open_device();
	struct poller poller = { .events = BOTH };

	close(s.fd);
	s.fd = poller.fd = make_dmabuf(drm, 1, NULL);
	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	pthread_create(&poller.thread, NULL, poller_run, &poller);
	await_threads_asleep(1, CALL_POLL);
	close(s.fd);
	close(drm);
	scene_signal(&s);
	pthread_join(poller.thread, NULL);
	check_eq(poller.found, POLLNVAL);
}

/**
 * SUBTEST: close-after-poll
 * Description: A poll timed out, and everything is closed while the fence is still
 *  pending. When the fence signals afterwards, there is nobody to wake.
 */
static void close_after_poll(void)
{
	int timeline = sw_timeline();

	for (int i = 0; i < 20; i++) {
		int drm = open_device();
		struct scene s = {
			.fd = make_dmabuf(drm, 1, NULL),
			.timeline = timeline,
			.next = i,
		};

		scene_fence(&s, DMA_BUF_SYNC_WRITE);
		check_eq(poll_events(s.fd, POLLIN, 0), 0);
		check_eq(poll_events(s.fd, POLLOUT, 0), 0);
		close(s.fd);
		close(drm);
		sw_advance(timeline, 1);
	}
	check_eq(settle_buffers(0), 0);
}

/* --- epoll --- */

static int epoll_with(int fd, uint32_t events)
{
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = events };

	check(ep >= 0);
	check_ok(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event) ? -errno : 0);
	return ep;
}

static int epoll_get(int ep, int ms)
{
	struct epoll_event event = { };
	int ret = epoll_wait(ep, &event, 1, ms);

	check_ok(ret < 0 ? -errno : ret);
	return ret ? (int)event.events : 0;
}

/**
 * SUBTEST: close-after-poll-frees
 * Description: A poll timed out, and everything is closed. The buffer is freed,
 *  although the fence that was polled for is still pending.
 */
static void close_after_poll_frees(void)
{
	struct scene s = { .timeline = sw_timeline() };
	int drm = open_device();

	s.fd = make_dmabuf(drm, 1, NULL);
	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	check_eq(poll_events(s.fd, POLLIN, 0), 0);
	close(s.fd);
	close(drm);
	check_eq(settle_buffers(0), 0);
	scene_signal(&s);
}

/**
 * SUBTEST: epoll-level
 * Description: A level-triggered epoll reports the current state at each wait.
 */
static void epoll_level(void)
{
	struct scene s = scene_open();
	int ep = epoll_with(s.fd, EPOLLIN | EPOLLOUT);

	check_eq(epoll_get(ep, 0), EPOLLIN | EPOLLOUT);
	scene_fence(&s, DMA_BUF_SYNC_READ);
	check_eq(epoll_get(ep, 0), EPOLLIN);
	scene_signal(&s);
	check(epoll_get(ep, 1000) & EPOLLIN);
	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	check_eq(epoll_get(ep, 0), 0);
	scene_signal(&s);
	check(epoll_get(ep, 1000) & (EPOLLIN | EPOLLOUT));
}

/**
 * SUBTEST: epoll-wakes
 * Description: A sleeping epoll_wait wakes when the writer is done.
 */
static void epoll_wakes(void)
{
	struct scene s = scene_open();
	struct later later;
	int ep;

	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	ep = epoll_with(s.fd, EPOLLIN);
	check_eq(epoll_get(ep, 0), 0);
	later_start(&later, &s, CALL_EPOLL);
	check_eq(epoll_get(ep, 20000), EPOLLIN);
	later_join(&later);
}

/**
 * SUBTEST: epoll-edge
 * Description: An edge-triggered epoll reports an event when a writer ends.
 */
static void epoll_edge(void)
{
	struct scene s = scene_open();
	int ep;

	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	ep = epoll_with(s.fd, EPOLLIN | EPOLLET);
	check_eq(epoll_get(ep, 0), 0);
	scene_signal(&s);
	check_eq(epoll_get(ep, 1000), EPOLLIN);
}

/**
 * SUBTEST: epoll-edge-once
 * Description: An edge-triggered epoll reports an idle buffer once. A second wait
 *  does not report it again, since nothing has changed. Otherwise a program that
 *  waits in a loop would never sleep.
 */
static void epoll_edge_once(void)
{
	int ep = epoll_with(any_dmabuf(1), EPOLLIN | EPOLLET);

	check_eq(epoll_get(ep, 0), EPOLLIN);
	for (int i = 0; i < 3; i++)
		check_eq(epoll_get(ep, 0), 0);
}

/**
 * SUBTEST: epoll-close-pending
 * Description: The buffer's last fd is closed while an epoll instance waits
 *  for its fence; later the fence signals, then the instance is closed.
 */
static void epoll_close_pending(void)
{
	int timeline = sw_timeline();

	for (int i = 0; i < 20; i++) {
		int drm = open_device(), ep;
		struct scene s = {
			.fd = make_dmabuf(drm, 1, NULL),
			.timeline = timeline,
			.next = i,
		};

		scene_fence(&s, DMA_BUF_SYNC_WRITE);
		ep = epoll_with(s.fd, EPOLLIN | EPOLLOUT);
		check_eq(epoll_get(ep, 0), 0);
		close(s.fd);
		close(drm);
		sw_advance(timeline, 1);
		check_eq(epoll_get(ep, i & 1), 0);
		close(ep);
	}
	check_eq(settle_buffers(0), 0);
}

/**
 * SUBTEST: epoll-no-events
 * Description: A buffer that is watched for no event is never reported: not idle,
 *  not busy, and not when its fence signals. When an event is added to the same
 *  watch, it is reported.
 */
static void epoll_no_events(void)
{
	struct scene s = scene_open();
	int ep = epoll_with(s.fd, 0);
	struct epoll_event event = { .events = EPOLLIN };

	check_eq(epoll_get(ep, 0), 0);
	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	check_eq(epoll_get(ep, 0), 0);
	scene_signal(&s);
	check_eq(epoll_get(ep, 20), 0);
	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	check_ok(epoll_ctl(ep, EPOLL_CTL_MOD, s.fd, &event) ? -errno : 0);
	check_eq(epoll_get(ep, 0), 0);
	scene_signal(&s);
	check_eq(epoll_get(ep, 1000), EPOLLIN);
	event.events = 0;
	check_ok(epoll_ctl(ep, EPOLL_CTL_MOD, s.fd, &event) ? -errno : 0);
	check_eq(epoll_get(ep, 0), 0);
}

/* One poll by aio: the events it completes with, 0 when it did not in @ms. */
static int aio_events(aio_context_t aio, int ms)
{
	struct timespec limit = { ms / 1000, ms % 1000 * 1000000L };
	struct io_event event;
	long got = syscall(SYS_io_getevents, aio, 1, 1, &event, &limit);

	check(got >= 0);
	return got ? event.res : 0;
}

/**
 * SUBTEST: aio-poll-waits-for-all
 * Description: aio takes the wake-up for the answer and does not look again. A poll
 *  by aio completes when the last of two writers is done, and not when the first
 *  one is.
 */
static void aio_poll_waits_for_all(void)
{
	for (int first = 0; first < 2; first++) {
		int timelines[2] = { sw_timeline(), sw_timeline() };
		int fd = any_dmabuf(1);
		struct iocb cb = {
			.aio_lio_opcode = IOCB_CMD_POLL,
			.aio_fildes = fd,
			.aio_buf = POLLIN,
		}, *list = &cb;
		aio_context_t aio = 0;

		for (int i = 0; i < 2; i++)
			check_ok(dmabuf_import_sync_file(fd, DMA_BUF_SYNC_WRITE,
							 sw_fence(timelines[i], 1)));
		check_eq(syscall(SYS_io_setup, 1, &aio), 0);
		check_eq(syscall(SYS_io_submit, aio, 1, &list), 1);
		sw_advance(timelines[first], 1);
		check_eq(aio_events(aio, 200), 0);
		sw_advance(timelines[!first], 1);
		check_eq(aio_events(aio, 2000), POLLIN);
		check_eq(syscall(SYS_io_destroy, aio), 0);
	}
}

/**
 * SUBTEST: epoll-two-instances
 * Description: Two instances watch one buffer for different events. Each is told of
 *  its own.
 */
static void epoll_two_instances(void)
{
	struct scene s = scene_open();
	int in, out;

	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	in = epoll_with(s.fd, EPOLLIN);
	out = epoll_with(s.fd, EPOLLOUT);
	check_eq(epoll_get(in, 0), 0);
	check_eq(epoll_get(out, 0), 0);
	scene_signal(&s);
	check_eq(epoll_get(in, 1000), EPOLLIN);
	check_eq(epoll_get(out, 1000), EPOLLOUT);
}

/* --- fences of a driver --- */

/* A handle in vgem: its own, or an import if another driver made the buffer. */
static uint32_t in_vgem(int *vgem, int fd)
{
	*vgem = open_driver("vgem");
	return import_foreign(*vgem, fd);
}

/**
 * SUBTEST: vgem-writer
 * Description: A driver's fence for a writer makes poll on the exported fd wait, for
 *  reading and for writing.
 */
static void vgem_writer(void)
{
	int fd = any_dmabuf(1), vgem;
	uint32_t handle = in_vgem(&vgem, fd), fence;

	fence = vgem_fence(vgem, handle, true);
	check_eq(poll_events(fd, POLLIN, 0), 0);
	check_eq(poll_events(fd, POLLOUT, 0), 0);
	check_ok(vgem_fence_signal(vgem, fence));
	check_eq(poll_events(fd, BOTH, 1000), BOTH);
}

/**
 * SUBTEST: vgem-reader
 * Description: A driver's fence for a reader makes only POLLOUT wait.
 */
static void vgem_reader(void)
{
	int fd = any_dmabuf(1), vgem;
	uint32_t handle = in_vgem(&vgem, fd), fence;

	fence = vgem_fence(vgem, handle, false);
	check_eq(poll_events(fd, BOTH, 0), POLLIN);
	check_eq(poll_events(fd, POLLOUT, 0), 0);
	check_ok(vgem_fence_signal(vgem, fence));
	check_eq(poll_events(fd, BOTH, 1000), BOTH);
}

/**
 * SUBTEST: vgem-conflict
 * Description: A driver respects a fence that came through IMPORT_SYNC_FILE: vgem
 *  refuses a conflicting one with EBUSY.
 */
static void vgem_conflict(void)
{
	struct scene s = scene_open();
	int vgem;
	uint32_t handle = in_vgem(&vgem, s.fd);

	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	check_error(vgem_fence_attach(vgem, handle, 0), EBUSY);
	check_error(vgem_fence_attach(vgem, handle, 1), EBUSY);
	scene_signal(&s);
	check_ok(vgem_fence_signal(vgem, vgem_fence(vgem, handle, true)));
}

/**
 * SUBTEST: vgem-before-export
 * Description: A fence that was added before the first export is waited for after
 *  it.
 */
static void vgem_before_export(void)
{
	int vgem = open_driver("vgem"), fd;
	uint32_t handle = check_ok(gem_create(vgem, 1));
	uint32_t fence = vgem_fence(vgem, handle, true);

	fd = check_ok(gem_export(vgem, handle, DRM_CLOEXEC));
	check_eq(poll_events(fd, POLLIN, 0), 0);
	check_ok(vgem_fence_signal(vgem, fence));
	check_eq(poll_events(fd, POLLIN, 1000), POLLIN);
}

/**
 * SUBTEST: vgem-through-importer
 * Description: The fence makes poll wait on the fd that another device, which
 *  imported the buffer, has exported.
 */
static void vgem_through_importer(void)
{
	int vgem = open_driver("vgem"), other = open_driver("vkms"), fd, back;
	uint32_t handle, fence;

	fd = make_dmabuf(vgem, 1, &handle);
	back = check_ok(gem_export(other, check_ok(gem_import(other, fd)), 0));
	fence = vgem_fence(vgem, handle, true);
	check_eq(poll_events(back, POLLIN, 0), 0);
	check_ok(vgem_fence_signal(vgem, fence));
	check_eq(poll_events(back, POLLIN, 1000), POLLIN);
}

/**
 * SUBTEST: vgem-file-closed
 * Description: Closing the device file signals its fences and so wakes a poll.
 */
static void vgem_file_closed(void)
{
	int fd = any_dmabuf(1), vgem;
	uint32_t handle = in_vgem(&vgem, fd);

	vgem_fence(vgem, handle, true);
	check_eq(poll_events(fd, POLLIN, 0), 0);
	close(vgem);
	check_eq(poll_events(fd, BOTH, 1000), BOTH);
}

/* --- CPU access --- */

/**
 * SUBTEST: sync-waits-for-writer
 * Description: A begin for reading waits until the writer is done.
 */
static void sync_waits_for_writer(void)
{
	for (uint64_t way = DMA_BUF_SYNC_READ; way <= DMA_BUF_SYNC_RW; way++) {
		struct scene s = scene_open();
		struct later later;

		scene_fence(&s, DMA_BUF_SYNC_WRITE);
		later_start(&later, &s, SYS_ioctl);
		check_ok(dmabuf_sync(s.fd, DMA_BUF_SYNC_START | way));
		check_ok(dmabuf_sync(s.fd, DMA_BUF_SYNC_END | way));
		later_join(&later);
	}
}

/**
 * SUBTEST: sync-read-ignores-reader
 * Description: A begin for reading does not wait for other readers. A begin for
 *  writing does.
 */
static void sync_read_ignores_reader(void)
{
	struct scene s = scene_open();
	struct later later;

	scene_fence(&s, DMA_BUF_SYNC_READ);
	check_ok(dmabuf_sync(s.fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	check_ok(dmabuf_sync(s.fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
	check_eq(poll_events(s.fd, POLLOUT, 0), 0);
	later_start(&later, &s, SYS_ioctl);
	check_ok(dmabuf_sync(s.fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE));
	check_ok(dmabuf_sync(s.fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE));
	later_join(&later);
}

/**
 * SUBTEST: sync-end-does-not-wait
 * Description: An end returns at once, even if a fence is pending.
 */
static void sync_end_does_not_wait(void)
{
	struct scene s = scene_open();

	check_ok(dmabuf_sync(s.fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	check_ok(dmabuf_sync(s.fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
	check_eq(poll_events(s.fd, POLLIN, 0), 0);
	scene_signal(&s);
}

/**
 * SUBTEST: sync-interrupted
 * Description: A signal ends a waiting begin with EINTR. Afterwards begin and end
 *  work.
 */
static void sync_interrupted(void)
{
	struct scene s = scene_open();

	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	alarm_every(50);
	for (int i = 0; i < 3; i++)
		check_error(dmabuf_sync(s.fd, DMA_BUF_SYNC_START |
					DMA_BUF_SYNC_RW), EINTR);
	alarm_every(0);
	scene_signal(&s);
	check_ok(dmabuf_sync(s.fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	check_ok(dmabuf_sync(s.fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
}

/**
 * SUBTEST: sync-killed
 * Description: A process that waits in begin can be killed while the fence is
 *  pending.
 */
static void sync_killed(void)
{
	struct scene s = scene_open();
	int status;
	pid_t pid;

	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	pid = fork();
	if (!pid) {
		dmabuf_sync(s.fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
		_exit(1);
	}
	await_asleep(pid, SYS_ioctl);
	kill(pid, SIGKILL);
	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFSIGNALED(status));
	check_eq(poll_events(s.fd, BOTH, 0), 0);
	scene_signal(&s);
}

/* --- EXPORT_SYNC_FILE --- */

/**
 * SUBTEST: export-sync-bad-flags
 * Description: A request without a direction, or with unknown bits, gives EINVAL.
 */
static void export_sync_bad_flags(void)
{
	int fd = any_dmabuf(1);
	unsigned int fds = count_fds();

	check_error(dmabuf_export_sync_file(fd, 0), EINVAL);
	for (int bit = 2; bit < 32; bit++) {
		check_error(dmabuf_export_sync_file(fd, 1u << bit), EINVAL);
		check_error(dmabuf_export_sync_file(fd, 1u << bit |
						    DMA_BUF_SYNC_RW), EINVAL);
	}
	check_eq(count_fds(), fds);
}

/**
 * SUBTEST: export-sync-efault
 * Description: An argument that can't be read or written gives EFAULT and leaves no
 *  fd.
 */
static void export_sync_efault(void)
{
	struct dma_buf_export_sync_file arg = {
		.flags = DMA_BUF_SYNC_RW, .fd = -1,
	};
	void *page = readonly_page(&arg, sizeof(arg));
	int fd = any_dmabuf(1);
	unsigned int fds = count_fds();
	char before[32], after[32];

	check(fdinfo(fd, "count", before, sizeof(before)));
	check_error(xioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, NULL), EFAULT);
	for (int i = 0; i < 8; i++)
		check_error(xioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, page),
			    EFAULT);
	check_eq(count_fds(), fds);
	check(fdinfo(fd, "count", after, sizeof(after)));
	check_eq(atol(after), atol(before));
}

/**
 * SUBTEST: export-sync-emfile
 * Description: A full table of fds gives EMFILE.
 */
static void export_sync_emfile(void)
{
	int fd = any_dmabuf(1), ret;
	unsigned int fds = count_fds();
	unsigned long limit = forbid_fds();

	ret = dmabuf_export_sync_file(fd, DMA_BUF_SYNC_RW);
	allow_fds(limit);
	check_error(ret, EMFILE);
	check_eq(count_fds(), fds);
	check_ok(dmabuf_export_sync_file(fd, DMA_BUF_SYNC_RW));
}

/**
 * SUBTEST: export-sync-cloexec
 * Description: The new fd is close-on-exec, since the ioctl has no flag for it.
 */
static void export_sync_cloexec(void)
{
	int sync_file = check_ok(dmabuf_export_sync_file(any_dmabuf(1),
							 DMA_BUF_SYNC_RW));

	check_eq(fcntl(sync_file, F_GETFD), FD_CLOEXEC);
}

/**
 * SUBTEST: export-sync-idle
 * Description: The sync file of an idle buffer is signalled.
 */
static void export_sync_idle(void)
{
	int fd = any_dmabuf(1);

	for (uint32_t way = DMA_BUF_SYNC_READ; way <= DMA_BUF_SYNC_RW; way++)
		check(!sync_file_pending(check_ok(
				dmabuf_export_sync_file(fd, way))));
}

static uint64_t fence_time(int sync_file)
{
	struct sync_fence_info fence = { };
	struct sync_file_info info = { .num_fences = 1, .sync_fence_info = (uintptr_t)&fence };

	check_ok(xioctl(sync_file, SYNC_IOC_FILE_INFO, &info));
	check_eq(info.status, 1);
	return fence.timestamp_ns;
}

/**
 * SUBTEST: export-sync-signalled
 * Description: When the fences of a buffer have signalled, its sync file has the
 *  time of the last one that the access depends on.
 */
static void export_sync_signalled(void)
{
	struct scene a = scene_open(), b = { .timeline = sw_timeline(), .fd = a.fd };
	int writer, reader, out[3];

	scene_fence(&a, DMA_BUF_SYNC_WRITE);
	scene_fence(&b, DMA_BUF_SYNC_READ);
	writer = check_ok(dmabuf_export_sync_file(a.fd, DMA_BUF_SYNC_READ));
	scene_signal(&a);
	/* A writer's has both fences, and the reader's is still pending. */
	reader = check_ok(dmabuf_export_sync_file(a.fd, DMA_BUF_SYNC_WRITE));
	usleep(20000);
	scene_signal(&b);
	usleep(20000);
	for (int i = 0; i < 3; i++)
		out[i] = check_ok(dmabuf_export_sync_file(a.fd, i + 1));
	check(fence_time(writer) < fence_time(reader));
	check_eq(fence_time(out[0]), fence_time(writer));
	check_eq(fence_time(out[1]), fence_time(reader));
	check_eq(fence_time(out[2]), fence_time(reader));
}

/**
 * SUBTEST: export-sync-writer
 * Description: The fence of a writer is in the sync file for readers and in the one
 *  for writers.
 */
static void export_sync_writer(void)
{
	struct scene s = scene_open();
	int out[3];

	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	for (int i = 0; i < 3; i++) {
		out[i] = check_ok(dmabuf_export_sync_file(s.fd, i + 1));
		check(sync_file_pending(out[i]));
	}
	scene_signal(&s);
	for (int i = 0; i < 3; i++)
		check_eq(poll_events(out[i], POLLIN, 1000), POLLIN);
}

/**
 * SUBTEST: export-sync-reader
 * Description: The fence of a reader is only in the sync file for writers, since
 *  readers need not wait for it.
 */
static void export_sync_reader(void)
{
	struct scene s = scene_open();
	int reading, writing;

	scene_fence(&s, DMA_BUF_SYNC_READ);
	reading = check_ok(dmabuf_export_sync_file(s.fd, DMA_BUF_SYNC_READ));
	writing = check_ok(dmabuf_export_sync_file(s.fd, DMA_BUF_SYNC_WRITE));
	check(!sync_file_pending(reading));
	check(sync_file_pending(writing));
	scene_signal(&s);
	check_eq(poll_events(writing, POLLIN, 1000), POLLIN);
}

/**
 * SUBTEST: export-sync-merges
 * Description: Several fences become one sync file, which signals with the last of
 *  them.
 */
static void export_sync_merges(void)
{
	struct scene s[4] = { scene_open() };
	struct sync_file_info info = { };
	int out;

	for (int i = 1; i < 4; i++)
		s[i] = (struct scene){ .timeline = sw_timeline(), .fd = s[0].fd };
	for (int i = 0; i < 4; i++)
		scene_fence(&s[i], i & 1 ? DMA_BUF_SYNC_WRITE :
			    DMA_BUF_SYNC_READ);
	out = check_ok(dmabuf_export_sync_file(s[0].fd, DMA_BUF_SYNC_RW));
	check_ok(xioctl(out, SYNC_IOC_FILE_INFO, &info));
	check_eq(info.num_fences, 4);
	check_eq(info.status, 0);
	for (int i = 0; i < 4; i++) {
		check_eq(poll_events(out, POLLIN, 5), 0);
		scene_signal(&s[i]);
	}
	check_eq(poll_events(out, POLLIN, 1000), POLLIN);
}

/**
 * SUBTEST: export-sync-is-a-snapshot
 * Description: A fence added afterwards is not in a sync file made before.
 */
static void export_sync_is_a_snapshot(void)
{
	struct scene a = scene_open(), b = { .timeline = sw_timeline(), .fd = a.fd };
	int before, between;

	before = check_ok(dmabuf_export_sync_file(a.fd, DMA_BUF_SYNC_RW));
	scene_fence(&a, DMA_BUF_SYNC_WRITE);
	between = check_ok(dmabuf_export_sync_file(a.fd, DMA_BUF_SYNC_RW));
	scene_fence(&b, DMA_BUF_SYNC_WRITE);
	check(!sync_file_pending(before));
	check(sync_file_pending(between));
	scene_signal(&a);
	check_eq(poll_events(between, POLLIN, 1000), POLLIN);
	check_eq(poll_events(a.fd, POLLIN, 0), 0);
	scene_signal(&b);
}

/**
 * SUBTEST: export-sync-of-driver-fence
 * Description: A driver's fence is in the sync file, too.
 */
static void export_sync_of_driver_fence(void)
{
	int fd = any_dmabuf(1), vgem, out;
	uint32_t handle = in_vgem(&vgem, fd), fence;

	fence = vgem_fence(vgem, handle, true);
	out = check_ok(dmabuf_export_sync_file(fd, DMA_BUF_SYNC_READ));
	check(sync_file_pending(out));
	check_ok(vgem_fence_signal(vgem, fence));
	check_eq(poll_events(out, POLLIN, 1000), POLLIN);
}

/**
 * SUBTEST: sync-file-outlives-buffer
 * Description: The sync file still works after the buffer is freed.
 */
static void sync_file_outlives_buffer(void)
{
	struct scene s = { .timeline = sw_timeline() };
	int drm = open_device(), out;

	s.fd = make_dmabuf(drm, 1, NULL);
	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	out = check_ok(dmabuf_export_sync_file(s.fd, DMA_BUF_SYNC_RW));
	close(s.fd);
	close(drm);
	check_eq(settle_buffers(0), 0);
	check(sync_file_pending(out));
	scene_signal(&s);
	check_eq(poll_events(out, POLLIN, 1000), POLLIN);
}

/* --- IMPORT_SYNC_FILE --- */

/**
 * SUBTEST: import-sync-bad-flags
 * Description: A request without a direction, or with unknown bits, gives EINVAL and
 *  adds no fence.
 */
static void import_sync_bad_flags(void)
{
	int fd = any_dmabuf(1), timeline = sw_timeline();
	int fence = sw_fence(timeline, 1);

	check_error(dmabuf_import_sync_file(fd, 0, fence), EINVAL);
	for (int bit = 2; bit < 32; bit++) {
		check_error(dmabuf_import_sync_file(fd, 1u << bit, fence),
			    EINVAL);
		check_error(dmabuf_import_sync_file(fd, 1u << bit |
						    DMA_BUF_SYNC_RW, fence),
			    EINVAL);
	}
	check_eq(poll_events(fd, BOTH, 0), BOTH);
}

/**
 * SUBTEST: import-sync-bad-fd
 * Description: An fd without a fence gives EINVAL: a number that is not open, a file
 *  of another kind, the dma-buf itself, a timeline.
 */
static void import_sync_bad_fd(void)
{
	int fd = any_dmabuf(1), timeline = sw_timeline();
	int memfd = memfd_create("x", 0);

	check_error(dmabuf_import_sync_file(fd, DMA_BUF_SYNC_RW, -1), EINVAL);
	check_error(dmabuf_import_sync_file(fd, DMA_BUF_SYNC_RW, 1 << 20),
		    EINVAL);
	check_error(dmabuf_import_sync_file(fd, DMA_BUF_SYNC_RW, memfd), EINVAL);
	check_error(dmabuf_import_sync_file(fd, DMA_BUF_SYNC_RW, fd), EINVAL);
	check_error(dmabuf_import_sync_file(fd, DMA_BUF_SYNC_RW, timeline),
		    EINVAL);
	check_eq(poll_events(fd, BOTH, 0), BOTH);
}

/**
 * SUBTEST: import-sync-efault
 * Description: An argument that can't be read gives EFAULT. One that can't be
 *  written works, since there is no answer.
 */
static void import_sync_efault(void)
{
	struct scene s = scene_open();
	struct dma_buf_import_sync_file arg = { .flags = DMA_BUF_SYNC_WRITE };
	void *page;

	check_error(xioctl(s.fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, NULL), EFAULT);
	arg.fd = sw_fence(s.timeline, 1);
	page = readonly_page(&arg, sizeof(arg));
	check_ok(xioctl(s.fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, page));
	check_eq(poll_events(s.fd, POLLIN, 0), 0);
	scene_signal(&s);
}

/**
 * SUBTEST: import-sync-signalled
 * Description: A fence that has signalled leaves the buffer idle.
 */
static void import_sync_signalled(void)
{
	int fd = any_dmabuf(1), timeline = sw_timeline();
	int fence = sw_fence(timeline, 1);

	sw_advance(timeline, 1);
	check_ok(dmabuf_import_sync_file(fd, DMA_BUF_SYNC_WRITE, fence));
	check_eq(poll_events(fd, BOTH, 0), BOTH);
}

/**
 * SUBTEST: import-sync-closed-at-once
 * Description: The buffer holds the fence itself: the sync file may be closed
 *  right after.
 */
static void import_sync_closed_at_once(void)
{
	struct scene s = scene_open();

	for (int i = 0; i < 50; i++) {
		scene_fence(&s, i & 1 ? DMA_BUF_SYNC_READ : DMA_BUF_SYNC_WRITE);
		check_eq(poll_events(s.fd, POLLOUT, 0), 0);
		scene_signal(&s);
		check_eq(poll_events(s.fd, BOTH, 1000), BOTH);
	}
}

/**
 * SUBTEST: import-sync-merged
 * Description: A sync file of several fences makes the buffer wait until all of them
 *  have signalled.
 */
static void import_sync_merged(void)
{
	struct scene s = scene_open();
	int timeline = sw_timeline();
	struct sync_merge_data merge = { .name = "both" };

	merge.fd2 = sw_fence(timeline, 1);
	check_ok(xioctl(sw_fence(s.timeline, 1), SYNC_IOC_MERGE, &merge));
	check_ok(dmabuf_import_sync_file(s.fd, DMA_BUF_SYNC_WRITE, merge.fence));
	check_eq(poll_events(s.fd, POLLIN, 0), 0);
	sw_advance(timeline, 1);
	check_eq(poll_events(s.fd, POLLIN, 5), 0);
	scene_signal(&s);
	check_eq(poll_events(s.fd, BOTH, 1000), BOTH);
}

/**
 * SUBTEST: import-sync-keeps-others
 * Description: A new fence does not replace one that is pending: the fence of a
 *  writer does not drop those of the readers before it.
 */
static void import_sync_keeps_others(void)
{
	struct scene a = scene_open(), b = { .timeline = sw_timeline(), .fd = a.fd };

	scene_fence(&a, DMA_BUF_SYNC_READ);
	scene_fence(&b, DMA_BUF_SYNC_WRITE);
	scene_signal(&b);
	check_eq(poll_events(a.fd, POLLIN, 1000), POLLIN);
	check_eq(poll_events(a.fd, POLLOUT, 20), 0);
	scene_signal(&a);
	check_eq(poll_events(a.fd, POLLOUT, 1000), POLLOUT);
}

/**
 * SUBTEST: import-sync-later-point
 * Description: Two points of one timeline are added. The buffer is idle when the
 *  later one has signalled, and not before.
 */
static void import_sync_later_point(void)
{
	struct scene s = scene_open();

	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	scene_signal(&s);
	check_eq(poll_events(s.fd, POLLIN, 20), 0);
	scene_signal(&s);
	check_eq(poll_events(s.fd, POLLIN, 1000), POLLIN);
}

/**
 * SUBTEST: import-sync-from-other-buffer
 * Description: The sync file of one buffer is added to another one, which then waits
 *  for the first one's writer.
 */
static void import_sync_from_other_buffer(void)
{
	struct scene s = scene_open();
	int second = any_dmabuf(1), out;

	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	out = check_ok(dmabuf_export_sync_file(s.fd, DMA_BUF_SYNC_RW));
	check_ok(dmabuf_import_sync_file(second, DMA_BUF_SYNC_WRITE, out));
	check_eq(poll_events(second, POLLIN, 0), 0);
	scene_signal(&s);
	check_eq(poll_events(second, BOTH, 1000), BOTH);
}

/**
 * SUBTEST: fence-outlives-buffer
 * Description: The buffer is freed while its fence is pending. The fence signals
 *  afterwards.
 */
static void fence_outlives_buffer(void)
{
	struct scene s = { .timeline = sw_timeline() };
	int drm = open_device();

	s.fd = make_dmabuf(drm, 1, NULL);
	scene_fence(&s, DMA_BUF_SYNC_WRITE);
	scene_fence(&s, DMA_BUF_SYNC_READ);
	close(s.fd);
	close(drm);
	check_eq(settle_buffers(0), 0);
	scene_signal(&s);
	scene_signal(&s);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(poll_idle),
	SUBTEST(poll_writer),
	SUBTEST(poll_reader),
	SUBTEST(poll_reader_and_writer),
	SUBTEST(poll_wakes),
	SUBTEST(poll_many_writers),
	SUBTEST(poll_again),
	SUBTEST(poll_no_events),
	SUBTEST(poll_unknown_events),
	SUBTEST(poll_failed_fence),
	SUBTEST(poll_interrupted),
	SUBTEST(two_pollers),
	SUBTEST(eight_pollers_one_event),
	SUBTEST(poll_restarted),
	SUBTEST(close_while_polled),
	SUBTEST(close_after_poll),
	SUBTEST(close_after_poll_frees),
	SUBTEST(epoll_level),
	SUBTEST(epoll_wakes),
	SUBTEST(epoll_edge),
	SUBTEST(epoll_edge_once),
	SUBTEST(epoll_close_pending),
	SUBTEST(aio_poll_waits_for_all),
	SUBTEST(epoll_no_events),
	SUBTEST(epoll_two_instances),
	SUBTEST(vgem_writer),
	SUBTEST(vgem_reader),
	SUBTEST(vgem_conflict),
	SUBTEST(vgem_before_export),
	SUBTEST(vgem_through_importer),
	SUBTEST(vgem_file_closed),
	SUBTEST(sync_waits_for_writer),
	SUBTEST(sync_read_ignores_reader),
	SUBTEST(sync_end_does_not_wait),
	SUBTEST(sync_interrupted),
	SUBTEST(sync_killed),
	SUBTEST(export_sync_bad_flags),
	SUBTEST(export_sync_efault),
	SUBTEST(export_sync_emfile),
	SUBTEST(export_sync_cloexec),
	SUBTEST(export_sync_idle),
	SUBTEST(export_sync_signalled),
	SUBTEST(export_sync_writer),
	SUBTEST(export_sync_reader),
	SUBTEST(export_sync_merges),
	SUBTEST(export_sync_is_a_snapshot),
	SUBTEST(export_sync_of_driver_fence),
	SUBTEST(sync_file_outlives_buffer),
	SUBTEST(import_sync_bad_flags),
	SUBTEST(import_sync_bad_fd),
	SUBTEST(import_sync_efault),
	SUBTEST(import_sync_signalled),
	SUBTEST(import_sync_closed_at_once),
	SUBTEST(import_sync_merged),
	SUBTEST(import_sync_keeps_others),
	SUBTEST(import_sync_later_point),
	SUBTEST(import_sync_from_other_buffer),
	SUBTEST(fence_outlives_buffer),
};

PRIME_MAIN(subtests)
