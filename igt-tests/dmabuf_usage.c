// SPDX-License-Identifier: MIT
/**
 * TEST: dmabuf usage
 * Description: Fences of each usage - kernel, write, read, bookkeep - on a buffer,
 *  and who waits for them: poll, SYNC, the sync_file that EXPORT_SYNC_FILE gives,
 *  and the mapping of a static importer. Also fences that fail, signal late, or
 *  lose their owner. The fences are those of prime_mock.
 */
#include "lib/mock_buffer.h"
#include "lib/prime_memory.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <linux/sync_file.h>

#define BOTH	(POLLIN | POLLOUT)
#define MS	80	/* a fence signals by itself after this time, or a tick earlier or later */
#define WAITED	((MS - 20) / 1000.0)

/* What each usage holds back. A reader waits for writers, a writer for both. */
struct usage {
	const char *name;
	uint32_t usage;
	bool readers, writers;
};

static const struct usage usages[] = {
	{ "kernel", PRIME_MOCK_USAGE_KERNEL, true, true },
	{ "write", PRIME_MOCK_USAGE_WRITE, true, true },
	{ "read", PRIME_MOCK_USAGE_READ, false, true },
	{ "bookkeep", PRIME_MOCK_USAGE_BOOKKEEP, false, false },
};

#define USAGES	4

static int64_t fence_on(struct mock_scene *s, const struct usage *usage, uint32_t ms)
{
	printf("usage: %s\n", usage->name);
	return check_ok(mock_fence(s->importer, s->b.fd, usage->usage, ms));
}

static void signal_now(struct mock_scene *s, int64_t fence)
{
	check_ok(mock_signal(s->importer, fence, 0));
}

static int status_of(int sync_file)
{
	struct sync_file_info info = { };

	check_ok(xioctl(sync_file, SYNC_IOC_FILE_INFO, &info));
	return info.status;
}

/**
 * SUBTEST: poll-each-usage
 * Description: A poll for reading waits for kernel and write fences, a poll for
 *  writing also for read fences, and neither for bookkeep fences. When the fence
 *  has signalled, the buffer is ready for both.
 */
static void poll_each_usage(void)
{
	struct mock_scene s = mock_scene(0, 1);

	for (int i = 0; i < USAGES; i++) {
		const struct usage *u = &usages[i];
		int64_t fence = fence_on(&s, u, 0);

		check_eq(poll_events(s.b.fd, POLLIN, 0), u->readers ? 0 : POLLIN);
		check_eq(poll_events(s.b.fd, POLLOUT, 0),
			 u->writers ? 0 : POLLOUT);
		signal_now(&s, fence);
		check_eq(poll_events(s.b.fd, BOTH, 1000), BOTH);
	}
	mock_scene_end(&s);
}

/**
 * SUBTEST: poll-sleeps-each-usage
 * Description: A sleeping poll wakes when the fence signals by itself, and not
 *  before.
 */
static void poll_sleeps_each_usage(void)
{
	struct mock_scene s = mock_scene(0, 1);

	for (int i = 0; i < USAGES; i++) {
		bool waits = usages[i].writers;
		uint32_t fence;
		int file;

		printf("usage: %s\n", usages[i].name);
		/* Where poll must not wait, the fence does not signal by itself. */
		file = check_ok(mock_fence_fd(s.importer, s.b.fd, usages[i].usage,
					      waits ? MS : 0, &fence));
		/* A lost wake-up is a test that hangs. */
		check_eq(poll_events(s.b.fd, POLLOUT, -1), POLLOUT);
		check_eq(status_of(file), waits);
		if (!waits)
			signal_now(&s, fence);
		close(file);
	}
	mock_scene_end(&s);
}

/**
 * SUBTEST: poll-all-usages
 * Description: A buffer has a fence of each usage, and they signal one after
 *  another. After each, poll says what is left to wait for.
 */
static void poll_all_usages(void)
{
	struct mock_scene s = mock_scene(0, 1);

	/* In the same order, but each time another one is the first. */
	for (int first = 0; first < USAGES; first++) {
		int64_t fences[USAGES];
		bool pending[USAGES];

		for (int i = 0; i < USAGES; i++) {
			fences[i] = fence_on(&s, &usages[i], 0);
			pending[i] = true;
		}
		for (int n = 0; n < USAGES; n++) {
			int i = (first + n) % USAGES;
			bool readers = false, writers = false;

			signal_now(&s, fences[i]);
			pending[i] = false;
			for (int j = 0; j < USAGES; j++) {
				readers |= pending[j] && usages[j].readers;
				writers |= pending[j] && usages[j].writers;
			}
			check_eq(poll_events(s.b.fd, POLLIN, 0),
				 readers ? 0 : POLLIN);
			check_eq(poll_events(s.b.fd, POLLOUT, 0),
				 writers ? 0 : POLLOUT);
		}
	}
	mock_scene_end(&s);
}

/**
 * SUBTEST: sync-each-usage
 * Description: SYNC_START to read waits for kernel and write fences, SYNC_START to
 *  write also for read fences. SYNC_END waits for nothing.
 */
static void sync_each_usage(void)
{
	struct mock_scene s = mock_scene(0, 1);

	for (int i = 0; i < USAGES * 3; i++) {
		const struct usage *u = &usages[i / 3];
		uint64_t way = i % 3 + 1;	/* read, write, both */
		bool waits = way == DMA_BUF_SYNC_READ ? u->readers : u->writers;
		int done = way == DMA_BUF_SYNC_READ ? POLLIN : POLLOUT;
		int64_t fence = fence_on(&s, u, 0);

		/* What must not wait has a fence that does not signal by itself. */
		check_ok(dmabuf_sync(s.b.fd, DMA_BUF_SYNC_END | way));
		if (waits) {
			signal_now(&s, fence);
			fence_on(&s, u, MS);
		}
		check_ok(dmabuf_sync(s.b.fd, DMA_BUF_SYNC_START | way));
		if (waits)
			check_eq(poll_events(s.b.fd, done, 0), done);
		else
			signal_now(&s, fence);
	}
	mock_scene_end(&s);
}

/**
 * SUBTEST: sync-interrupted
 * Description: For a fence of each usage that SYNC_START waits for: a signal ends
 *  the wait with EINTR, and the exporter has begun nothing that needs an end.
 */
static void sync_interrupted(void)
{
	struct mock_scene s = mock_scene(0, 1);

	for (int i = 0; i < USAGES - 1; i++) {
		int64_t fence = fence_on(&s, &usages[i], 0);
		int ret;

		alarm_every(40);
		ret = dmabuf_sync(s.b.fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
		alarm_every(0);
		check_error(ret, EINTR);
		check_eq(mock_balance(&s.b, PRIME_MOCK_BEGUN), 0);
		signal_now(&s, fence);
	}
	mock_scene_end(&s);
}

/*
 * A child waits in SYNC_START for a kernel fence that was added while the exporter began
 * the access, as an exporter does that moves the storage. The child is killed.
 */
static void kill_behind_begin(struct mock_scene *s)
{
	int status;
	pid_t pid;

	check_ok(mock_sleep(s->exporter, s->b.id, PRIME_MOCK_BEGIN, 10000000, 0));
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		dmabuf_sync(s->b.fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
		_exit(0);
	}
	mock_wait_calls(&s->b, PRIME_MOCK_BEGIN, 1);
	check_ok(mock_fence(s->importer, s->b.fd, PRIME_MOCK_USAGE_KERNEL, 0));
	/* It goes on to the wait after the exporter's begin. */
	check_ok(mock_quiet(s->exporter, s->b.id, PRIME_MOCK_BEGIN));
	while (!mock_balance(&s->b, PRIME_MOCK_BEGUN))
		usleep(1000);
	await_asleep(pid, SYS_ioctl);
	check_ok(kill(pid, SIGKILL) ? -errno : 0);
	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFSIGNALED(status));
	check_eq(poll_events(s->b.fd, POLLIN, 0), 0);
}

/**
 * SUBTEST: sync-killed-behind-begin
 * Description: A kernel fence is added while the exporter begins the access. A
 *  process that waits for it in SYNC_START can be killed.
 */
static void sync_killed_behind_begin(void)
{
	struct mock_scene s = mock_scene(0, 1);

	kill_behind_begin(&s);
}

/**
 * SUBTEST: sync-killed-ends-begin
 * Description: The same, and the exporter's end is called, since its begin was.
 */
static void sync_killed_ends_begin(void)
{
	struct mock_scene s = mock_scene(0, 1);

	kill_behind_begin(&s);
	check_eq(mock_count(&s.b, PRIME_MOCK_END), 1);
	check_eq(mock_balance(&s.b, PRIME_MOCK_BEGUN), 0);
}

/**
 * SUBTEST: export-each-usage
 * Description: EXPORT_SYNC_FILE gives what a reader or a writer waits for. Whether
 *  the sync_file is pending depends on the usage of the buffer's fence.
 */
static void export_each_usage(void)
{
	struct mock_scene s = mock_scene(0, 1);

	for (int i = 0; i < USAGES; i++) {
		const struct usage *u = &usages[i];
		int64_t fence = fence_on(&s, u, 0);
		int in, out;

		in = check_ok(dmabuf_export_sync_file(s.b.fd, DMA_BUF_SYNC_READ));
		out = check_ok(dmabuf_export_sync_file(s.b.fd,
						       DMA_BUF_SYNC_WRITE));
		check_eq(poll_events(in, POLLIN, 0), u->readers ? 0 : POLLIN);
		check_eq(poll_events(out, POLLIN, 0), u->writers ? 0 : POLLIN);
		check_eq(status_of(in), !u->readers);
		check_eq(status_of(out), !u->writers);
		signal_now(&s, fence);
		check_eq(poll_events(in, POLLIN, 1000), POLLIN);
		check_eq(poll_events(out, POLLIN, 1000), POLLIN);
		check_eq(status_of(in), 1);
		check_eq(status_of(out), 1);
		close(in);
		close(out);
	}
	mock_scene_end(&s);
}

/**
 * SUBTEST: failed-each-usage
 * Description: A fence that ends with an error ends every wait. The sync_file has
 *  the error, the buffer has no POLLERR, and SYNC succeeds.
 */
static void failed_each_usage(void)
{
	struct mock_scene s = mock_scene(0, 1);

	for (int i = 0; i < USAGES; i++) {
		uint32_t fence;
		int file, out;

		printf("usage: %s\n", usages[i].name);
		file = check_ok(mock_fence_fd(s.importer, s.b.fd, usages[i].usage,
					      0, &fence));
		out = check_ok(dmabuf_export_sync_file(s.b.fd,
						       DMA_BUF_SYNC_WRITE));
		check_eq(status_of(file), 0);
		check_ok(mock_signal(s.importer, fence, EIO));
		check_eq(poll_events(s.b.fd, BOTH | POLLERR, 1000), BOTH);
		check_ok(dmabuf_sync(s.b.fd, DMA_BUF_SYNC_START |
				     DMA_BUF_SYNC_RW));
		check_eq(status_of(file), -EIO);
		check_eq(status_of(out), usages[i].writers ? -EIO : 1);
		check_ok(dmabuf_sync(s.b.fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
		close(file);
		close(out);
	}
	mock_scene_end(&s);
}

/**
 * SUBTEST: fails-after-time
 * Description: A fence signals by itself with the error that it was given, and not
 *  before its time.
 */
static void fails_after_time(void)
{
	struct mock_scene s = mock_scene(0, 1);
	struct drm_prime_mock_fence args = {
		.fd = s.b.fd, .usage = PRIME_MOCK_USAGE_WRITE, .delay_ms = MS,
		.error = ENOSPC, .flags = PRIME_MOCK_SYNC_FILE,
	};
	double start = now();

	check_ok(xioctl(s.importer, DRM_IOCTL_PRIME_MOCK_FENCE, &args));
	check_eq(poll_events(args.sync_file, POLLIN, 5000), POLLIN);
	check(now() - start >= WAITED);
	check_eq(status_of(args.sync_file), -ENOSPC);
	check_error(mock_signal(s.importer, args.id, 0), ETIME);
	check_error(mock_signal(s.importer, args.id, 0), ENOENT);
	close(args.sync_file);
	mock_scene_end(&s);
}

/**
 * SUBTEST: owner-gone
 * Description: The file that put the fences on the buffer is closed. They signal
 *  with an error, and nobody waits any more.
 */
static void owner_gone(void)
{
	struct mock_scene s = mock_scene(0, 1);
	int files[USAGES];

	for (int i = 0; i < USAGES; i++) {
		uint32_t fence;

		files[i] = check_ok(mock_fence_fd(s.importer, s.b.fd,
						  usages[i].usage, 0, &fence));
	}
	check_eq(poll_events(s.b.fd, BOTH, 0), 0);
	close(s.importer);
	check_eq(poll_events(s.b.fd, POLLIN, 2000), POLLIN);
	check_eq(poll_events(s.b.fd, POLLOUT, 2000), POLLOUT);
	for (int i = 0; i < USAGES; i++) {
		check_eq(poll_events(files[i], POLLIN, 2000), POLLIN);
		check_eq(status_of(files[i]), -ECANCELED);
		close(files[i]);
	}
	s.importer = mock_open(1);
	mock_scene_end(&s);
}

/**
 * SUBTEST: owner-unplugged
 * Description: The device of a pending fence is taken away. The fence still signals
 *  when the device's file is closed.
 */
static void owner_unplugged(void)
{
	struct mock_scene s = mock_scene(0, 1);

	fence_on(&s, &usages[1], 0);
	check_ok(mock_replug(s.importer, 1));
	check_eq(poll_events(s.b.fd, POLLIN, 0), 0);
	close(s.importer);
	check_eq(poll_events(s.b.fd, POLLIN, 2000), POLLIN);
	s.importer = mock_open(1);
	mock_scene_end(&s);
}

/**
 * SUBTEST: map-waits-for-kernel
 * Description: A static importer gets its mapping only when the kernel fence has
 *  signalled, already at the attachment if that maps. No other usage delays it.
 */
static void map_waits_for_kernel(void)
{
	for (int i = 0; i < MOCK_KINDS * USAGES; i++) {
		const struct mock_kind *kind = &mock_kinds[i / USAGES];
		const struct usage *u = &usages[i % USAGES];
		bool waits = u->usage == PRIME_MOCK_USAGE_KERNEL;
		struct mock_scene s = mock_scene(kind->flags, 1);
		int64_t fence, import;

		printf("exporter: %s\n", kind->name);
		fence = fence_on(&s, u, waits ? MS : 0);
		import = check_ok(mock_attach(s.importer, s.b.fd, 0));
		check_ok(mock_map(s.importer, import, PRIME_MOCK_BIDIRECTIONAL));
		if (waits)
			check_eq(poll_events(s.b.fd, POLLIN, 0), POLLIN);
		else
			signal_now(&s, fence);
		check_ok(mock_step(s.importer, import, PRIME_MOCK_UNMAP));
		check_ok(mock_step(s.importer, import, PRIME_MOCK_DETACH));
		mock_scene_end(&s);
	}
}

/**
 * SUBTEST: dynamic-map-does-not-wait
 * Description: A dynamic importer gets its mapping at once, whatever is pending. It
 *  waits for the kernel fence before it touches the bytes.
 */
static void dynamic_map_does_not_wait(void)
{
	struct mock_scene s = mock_scene(PRIME_MOCK_DYNAMIC, 1);
	int64_t import;
	uint8_t byte;

	check_ok(mock_fence(s.exporter, s.b.fd, PRIME_MOCK_USAGE_KERNEL, 2000));
	import = check_ok(mock_attach(s.importer, s.b.fd,
				      PRIME_MOCK_IMPORT_DYNAMIC));
	check_ok(mock_map(s.importer, import, PRIME_MOCK_BIDIRECTIONAL));
	check_eq(mock_balance(&s.b, PRIME_MOCK_MAPPED), 1);
	check_eq(poll_events(s.b.fd, POLLIN, 0), 0);	/* it is still pending */
	check_ok(mock_read(s.importer, import, 0, 0, &byte, 1));
	check_eq(poll_events(s.b.fd, POLLIN, 0), POLLIN);	/* that waited for it */
	check_ok(mock_step(s.importer, import, PRIME_MOCK_UNMAP));
	check_ok(mock_step(s.importer, import, PRIME_MOCK_DETACH));
	mock_scene_end(&s);
}

/**
 * SUBTEST: map-interrupted
 * Description: A signal comes while a static importer waits for the kernel fence.
 *  The map gives EINTR, and what the exporter had mapped and pinned is undone.
 */
static void map_interrupted(void)
{
	for (int i = 0; i < MOCK_KINDS; i++) {
		const struct mock_kind *kind = &mock_kinds[i];
		struct mock_scene s = mock_scene(kind->flags, 1);
		int64_t fence, import;
		int ret = 0;

		printf("exporter: %s\n", kind->name);
		fence = fence_on(&s, &usages[0], 0);
		alarm_every(40);
		import = mock_attach(s.importer, s.b.fd, 0);
		if (import > 0)
			ret = mock_map(s.importer, import,
				       PRIME_MOCK_BIDIRECTIONAL);
		alarm_every(0);
		check_error(import > 0 ? ret : import, EINTR);
		/* Older kernels map storage that can move at the attachment. */
		check_eq(import < 0,
			 kind->dynamic && !kernel_has(KERNEL_MAPS_AT_MAP));
		check_eq(mock_balance(&s.b, PRIME_MOCK_MAPPED), 0);
		check_eq(mock_count(&s.b, PRIME_MOCK_MAP), 1);
		signal_now(&s, fence);
		if (import > 0)
			check_ok(mock_step(s.importer, import,
					   PRIME_MOCK_DETACH));
		mock_scene_end(&s);
	}
}

/**
 * SUBTEST: fence-by-handle
 * Description: A driver puts a fence on its object before the export. It counts on
 *  the buffer. A fence on an imported object counts on the exporter's buffer.
 */
static void fence_by_handle(void)
{
	int mock[2] = { mock_open(0), mock_open(1) };
	uint32_t handle = check_ok(mock_create(mock[0], 1, PRIME_MOCK_DYNAMIC));
	uint32_t imported;
	int64_t fence = check_ok(mock_fence_handle(mock[0], handle,
						   PRIME_MOCK_USAGE_WRITE, 0));
	int fd = check_ok(gem_export(mock[0], handle, O_CLOEXEC));

	check_eq(poll_events(fd, BOTH, 0), 0);
	check_ok(mock_signal(mock[0], fence, 0));
	check_eq(poll_events(fd, BOTH, 1000), BOTH);

	imported = check_ok(gem_import(mock[1], fd));
	fence = check_ok(mock_fence_handle(mock[1], imported,
					   PRIME_MOCK_USAGE_READ, 0));
	check_eq(poll_events(fd, BOTH, 0), POLLIN);
	check_ok(mock_signal(mock[1], fence, 0));
	check_eq(poll_events(fd, BOTH, 1000), BOTH);
	check_ok(gem_close(mock[1], imported));
	check_ok(gem_close(mock[0], handle));
	close(fd);
}

/**
 * SUBTEST: many-fences
 * Description: A buffer has a thousand fences of mixed usage. It is ready when the
 *  last one that counts has signalled, in whatever order.
 */
static void many_fences(void)
{
	struct mock_scene s = mock_scene(0, 1);
	int64_t fences[1000];

	for (int i = 0; i < 1000; i++)
		fences[i] = check_ok(mock_fence(s.importer, s.b.fd,
						usages[i % USAGES].usage, 0));
	/* 7 and 1000 have no common divisor: all of them, mixed. */
	for (int i = 0; i < 1000; i++) {
		if (i % 100 == 0)
			check_eq(poll_events(s.b.fd, BOTH, 0), 0);
		signal_now(&s, fences[i * 7 % 1000]);
	}
	check_eq(poll_events(s.b.fd, BOTH, 1000), BOTH);
	mock_scene_end(&s);
}

/**
 * SUBTEST: fence-outlives-buffer
 * Description: The buffer is closed while fences of each usage are pending. It is
 *  freed, and they signal afterwards.
 */
static void fence_outlives_buffer(void)
{
	struct mock_scene s = mock_scene(0, 1);
	int64_t fences[USAGES];

	for (int i = 0; i < USAGES; i++)
		fences[i] = fence_on(&s, &usages[i], 0);
	check_eq(poll_events(s.b.fd, BOTH, 0), 0);
	check_eq(poll_events(s.b.fd, POLLPRI, 0), 0);
	mock_buffer_close_handle(&s.b);
	mock_buffer_close_fd(&s.b);
	for (int i = 0; i < USAGES; i++)
		signal_now(&s, fences[i]);
	check_eq(settle_buffers(0), 0);
	mock_gone(&s.b);
}

/**
 * SUBTEST: fence-told-nowhere
 * Description: If the numbers of a new fence can't be copied to the program
 *  (EFAULT), the fence is not added and no fd is left.
 */
static void fence_told_nowhere(void)
{
	struct mock_scene s = mock_scene(0, 1);
	struct drm_prime_mock_fence args = {
		.fd = s.b.fd, .usage = PRIME_MOCK_USAGE_WRITE,
		.flags = PRIME_MOCK_SYNC_FILE,
	};
	void *page = readonly_page(&args, sizeof(args));
	unsigned int before = count_fds();

	for (int i = 0; i < 3; i++)
		check_error(xioctl(s.importer, DRM_IOCTL_PRIME_MOCK_FENCE, page),
			    EFAULT);
	check_eq(count_fds(), before);
	check_eq(poll_events(s.b.fd, BOTH, 0), BOTH);
	mock_scene_end(&s);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(poll_each_usage),
	SUBTEST(poll_sleeps_each_usage),
	SUBTEST(poll_all_usages),
	SUBTEST(sync_each_usage),
	SUBTEST(sync_interrupted),
	SUBTEST(sync_killed_behind_begin),
	SUBTEST(sync_killed_ends_begin),
	SUBTEST(export_each_usage),
	SUBTEST(failed_each_usage),
	SUBTEST(fails_after_time),
	SUBTEST(owner_gone),
	SUBTEST(owner_unplugged),
	SUBTEST(map_waits_for_kernel),
	SUBTEST(dynamic_map_does_not_wait),
	SUBTEST(map_interrupted),
	SUBTEST(fence_by_handle),
	SUBTEST(many_fences),
	SUBTEST(fence_outlives_buffer),
	SUBTEST(fence_told_nowhere),
};

PRIME_MAIN(subtests)
