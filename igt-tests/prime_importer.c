// SPDX-License-Identifier: MIT
/**
 * TEST: prime importer
 * Description: The device under test imports buffers of an exporter that fails,
 *  sleeps, moves and disappears at every point where it can. The importer gets the
 *  exporter's errno. When it has let go, nothing is attached, pinned or mapped, and
 *  the buffer is freed.
 */
#include "lib/mock_buffer.h"
#include "lib/prime_memory.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

static void say_kind(const struct mock_kind *kind)
{
	printf("exporter: %s\n", kind->name);
}

static const uint32_t import_ops[] = {
	PRIME_MOCK_ATTACH, PRIME_MOCK_PIN, PRIME_MOCK_MAP,
};

/*
 * Does importing from an exporter of this kind call its @op? Some drivers of newer kernels
 * import without a mapping, so this tries it.
 */
static bool passes(int drm, int mock, const struct mock_kind *kind, uint32_t op)
{
	struct mock_buffer b = mock_buffer(mock, kind->flags, 1);
	uint32_t handle = import_foreign(drm, b.fd);
	bool called = mock_count(&b, op);

	check_ok(gem_close(drm, handle));
	mock_buffer_end(&b);
	return called;
}

static const struct mock_kind *kind_of(uint32_t flags)
{
	const struct mock_kind *kind = mock_kinds;

	while (kind->flags != flags)
		check(++kind < mock_kinds + MOCK_KINDS);
	return kind;
}

/* The last of these ops that an import calls, 0 for none. */
static uint32_t last_op(int drm, int mock, uint32_t flags)
{
	for (int i = 2; i >= 0; i--)
		if (passes(drm, mock, kind_of(flags), import_ops[i]))
			return import_ops[i];
	return 0;
}

/* --- an import that succeeds --- */

/**
 * SUBTEST: import-each-kind
 * Description: Buffers of each kind of exporter and each layout of pages are
 *  imported. They are freed after the last close.
 */
static void import_each_kind(void)
{
	static const unsigned int pages[] = { 5, 16, 1024 };
	int drm = open_device(), mock = mock_beside(drm);

	for (int i = 0; i < MOCK_KINDS; i++) {
		say_kind(&mock_kinds[i]);
		for (int backing = 0; backing < 3; backing++) {
			struct mock_buffer b =
				mock_buffer_as(mock, mock_kinds[i].flags,
					       backing, pages[backing]);
			uint32_t handle = import_foreign(drm, b.fd);

			check_ok(gem_close(drm, handle));
			mock_buffer_end(&b);
		}
	}
}

/**
 * SUBTEST: calls-of-one-import
 * Description: One import and one close call the exporter once in each direction: it
 *  is attached once and not mapped twice, and all of it is undone. A second import
 *  into the same file does not call the exporter.
 */
static void calls_of_one_import(void)
{
	int drm = open_device(), mock = mock_beside(drm);

	for (int i = 0; i < MOCK_KINDS; i++) {
		const struct mock_kind *kind = &mock_kinds[i];
		struct mock_buffer b = mock_buffer(mock, kind->flags, 3);
		uint32_t handle = import_foreign(drm, b.fd);
		struct drm_prime_mock_stats before, stats;

		say_kind(kind);
		check_ok(mock_stats(mock, b.id, &before));
		check_eq(before.calls[PRIME_MOCK_ATTACH], kind->counts_attach);
		check(before.calls[PRIME_MOCK_MAP] <= 1);
		check_eq(before.calls[PRIME_MOCK_UNMAP], 0);
		check_eq(before.calls[PRIME_MOCK_DETACH], 0);

		check_eq(gem_import(drm, b.fd), handle);
		check_ok(mock_stats(mock, b.id, &stats));
		check(!memcmp(stats.calls, before.calls, sizeof(stats.calls)));

		check_ok(gem_close(drm, handle));
		mock_settled(&b);
		check_ok(mock_stats(mock, b.id, &stats));
		check_eq(stats.calls[PRIME_MOCK_DETACH], kind->counts_attach);
		check_eq(stats.calls[PRIME_MOCK_MAP],
			 before.calls[PRIME_MOCK_MAP]);
		check_eq(stats.calls[PRIME_MOCK_PIN],
			 stats.calls[PRIME_MOCK_UNPIN]);
		check_eq(stats.calls[PRIME_MOCK_RELEASE], 0);
		mock_buffer_end(&b);
	}
}

/**
 * SUBTEST: many-imports
 * Description: Two hundred buffers are imported at the same time, and all are given
 *  back.
 */
static void many_imports(void)
{
	int drm = open_device(), mock = mock_beside(drm);
	struct mock_buffer b[200];
	uint32_t handle[200];

	for (int i = 0; i < 200; i++) {
		b[i] = mock_buffer(mock, mock_kinds[i % MOCK_KINDS].flags, 2);
		handle[i] = import_foreign(drm, b[i].fd);
		for (int j = 0; j < i; j++)
			check(handle[i] != handle[j]);
	}
	for (int i = 0; i < 200; i++)
		check_ok(gem_close(drm, handle[i]));
	for (int i = 0; i < 200; i++)
		mock_buffer_end(&b[i]);
}

/**
 * SUBTEST: import-into-two-files
 * Description: Two files of the device import one buffer. When one lets go, the
 *  buffer stays for the other one.
 */
static void import_into_two_files(void)
{
	int drm[2] = { open_device(), open_device() };
	int mock = mock_beside(drm[0]);

	for (int i = 0; i < MOCK_KINDS; i++) {
		struct mock_buffer b = mock_buffer(mock, mock_kinds[i].flags, 2);
		uint32_t handle[2];

		say_kind(&mock_kinds[i]);
		for (int f = 0; f < 2; f++)
			handle[f] = import_foreign(drm[f], b.fd);
		mock_buffer_close_handle(&b);
		mock_buffer_close_fd(&b);
		check_ok(gem_close(drm[0], handle[0]));
		check_eq(settle_buffers(1), 1);
		check_eq(mock_count(&b, PRIME_MOCK_RELEASE), 0);
		check_ok(gem_close(drm[1], handle[1]));
		mock_gone(&b);
	}
}

/**
 * SUBTEST: release-after-importer
 * Description: The exporter's handle and the fd are closed. Its object and the
 *  buffer live until the importer closes its handle, and are released once.
 */
static void release_after_importer(void)
{
	int drm = open_device(), mock = mock_beside(drm);

	for (int i = 0; i < MOCK_KINDS; i++) {
		struct mock_buffer b = mock_buffer(mock, mock_kinds[i].flags, 2);
		uint32_t handle = import_foreign(drm, b.fd);
		struct drm_prime_mock_stats stats;

		say_kind(&mock_kinds[i]);
		mock_buffer_close_fd(&b);
		mock_buffer_close_handle(&b);
		check_ok(mock_stats(mock, b.id, &stats));
		check_eq(stats.objects, 1);
		check_eq(stats.calls[PRIME_MOCK_RELEASE], 0);
		check_ok(gem_close(drm, handle));
		mock_gone(&b);
		if (mock_kinds[i].flags != PRIME_MOCK_DEFAULT)
			check_eq(mock_count(&b, PRIME_MOCK_RELEASE), 1);
	}
}

/**
 * SUBTEST: file-closed
 * Description: The importer's file is closed with the handle in it. Everything is
 *  undone as if the handle was closed.
 */
static void file_closed(void)
{
	int mock = mock_beside(open_device());

	for (int i = 0; i < MOCK_KINDS; i++) {
		struct mock_buffer b = mock_buffer(mock, mock_kinds[i].flags, 2);
		int drm = open_device();

		say_kind(&mock_kinds[i]);
		import_foreign(drm, b.fd);
		mock_buffer_close_fd(&b);
		close(drm);
		mock_buffer_end(&b);
	}
}

/**
 * SUBTEST: exported-again
 * Description: The importer exports what it has imported. This gives the same
 *  buffer, and does not call the exporter.
 */
static void exported_again(void)
{
	int drm = open_device(), mock = mock_beside(drm);

	for (int i = 0; i < MOCK_KINDS; i++) {
		struct mock_buffer b = mock_buffer(mock, mock_kinds[i].flags, 2);
		uint32_t handle = import_foreign(drm, b.fd);
		struct drm_prime_mock_stats before, stats;
		int again;

		say_kind(&mock_kinds[i]);
		check_ok(mock_stats(mock, b.id, &before));
		again = check_ok(gem_export(drm, handle, DRM_CLOEXEC));
		check_eq(inode_of(again), inode_of(b.fd));
		check_ok(mock_stats(mock, b.id, &stats));
		check(!memcmp(stats.calls, before.calls, sizeof(stats.calls)));
		check_ok(gem_close(drm, handle));
		close(again);
		mock_buffer_end(&b);
	}
}

/* --- an import that is refused --- */

/*
 * The import gives the exporter's errno, and what was done is undone. This can't be
 * tested with a driver that maps later than at its import.
 */
static void refused(int drm, struct mock_buffer *b, uint32_t op, int error)
{
	struct drm_prime_mock_stats before, stats;
	int64_t handle;

	check_ok(mock_stats(b->mock, b->id, &before));
	check_ok(mock_fail(b->mock, b->id, op, 1, error));
	handle = gem_import(drm, b->fd);
	if (handle > 0) {
		check_eq(mock_count(b, op), before.calls[op]);
		prime_skip("%s takes no such step at its import",
			   driver_name(drm));
	}
	check_eq(-handle, error);
	mock_settled(b);
	check_ok(mock_stats(b->mock, b->id, &stats));
	check_eq(stats.failures[op], before.failures[op] + 1);
	/* Nothing is tried twice, and only what was done is undone. */
	check_eq(stats.calls[op], before.calls[op] + 1);
	if (op != PRIME_MOCK_MAP)
		check_eq(stats.calls[PRIME_MOCK_MAP],
			 before.calls[PRIME_MOCK_MAP]);
	if (op == PRIME_MOCK_ATTACH)
		check_eq(stats.calls[PRIME_MOCK_PIN],
			 before.calls[PRIME_MOCK_PIN]);
	check_eq(stats.calls[PRIME_MOCK_UNMAP], before.calls[PRIME_MOCK_UNMAP]);
}

/* An import that nobody touches need not pin, so a failing pin may not matter. */
static void not_pinned(int drm, int mock)
{
	struct mock_buffer b = mock_buffer(mock, PRIME_MOCK_DEFAULT, 3);
	int64_t handle;

	check_ok(mock_fail(mock, b.id, PRIME_MOCK_PIN, 1, EIO));
	handle = check_ok(gem_import(drm, b.fd));
	check_eq(mock_count(&b, PRIME_MOCK_PIN), 0);
	check_ok(gem_close(drm, handle));
	check_eq(mock_count(&b, PRIME_MOCK_UNPIN), 0);
	mock_buffer_end(&b);
}

static void refused_at(uint32_t op)
{
	static const int errors[] = {
		EPERM, EINTR, EIO, EAGAIN, ENOMEM, EACCES, EBUSY, ENODEV, EINVAL,
		ENOSPC, EDEADLK, EOPNOTSUPP, ETIMEDOUT,
	};
	int drm = open_device(), mock = mock_beside(drm), done = 0;

	for (int i = 0; i < MOCK_KINDS; i++) {
		const struct mock_kind *kind = &mock_kinds[i];
		struct mock_buffer b;

		if (!passes(drm, mock, kind, op))
			continue;
		done++;
		say_kind(kind);
		b = mock_buffer(mock, kind->flags, 3);
		for (unsigned int e = 0; e < sizeof(errors) / sizeof(*errors); e++)
			refused(drm, &b, op, errors[e]);
		check_ok(gem_close(drm, import_foreign(drm, b.fd)));
		mock_buffer_end(&b);
	}
	if (!done && op == PRIME_MOCK_PIN)
		not_pinned(drm, mock);
	else if (!done)
		prime_skip("%s takes no such step at its import", driver_name(drm));
}

/**
 * SUBTEST: refused-at-attach
 * Description: The exporter refuses to attach. Its errno arrives, nothing is pinned
 *  or mapped, and a later import works.
 */
static void refused_at_attach(void)
{
	refused_at(PRIME_MOCK_ATTACH);
}

/**
 * SUBTEST: refused-at-pin
 * Description: The exporter can't pin the storage. Its errno arrives, nothing stays
 *  attached, and a later import works. An import that never pins succeeds.
 */
static void refused_at_pin(void)
{
	refused_at(PRIME_MOCK_PIN);
}

/**
 * SUBTEST: refused-at-map
 * Description: The exporter can't map the storage. Its errno arrives, nothing stays
 *  attached or pinned, and a later import works.
 */
static void refused_at_map(void)
{
	refused_at(PRIME_MOCK_MAP);
}

/**
 * SUBTEST: every-errno
 * Description: Each number with which an exporter may fail arrives unchanged, also
 *  those that only the kernel uses.
 */
static void every_errno(void)
{
	static const int special[] = { 512 /* ERESTARTSYS */, 517, 524, 4095 };
	int drm = open_device(), mock = mock_beside(drm);
	struct mock_buffer b = mock_buffer(mock, PRIME_MOCK_DYNAMIC, 1);

	for (unsigned int i = 0; i < 3; i++) {
		if (!passes(drm, mock, kind_of(PRIME_MOCK_DYNAMIC), import_ops[i]))
			continue;
		for (int error = 1; error <= 133; error++)
			refused(drm, &b, import_ops[i], error);
		for (int s = 0; s < 4; s++)
			refused(drm, &b, import_ops[i], special[s]);
	}
	check_ok(gem_close(drm, import_foreign(drm, b.fd)));
	mock_buffer_end(&b);
}

/**
 * SUBTEST: refused-nth
 * Description: Six files import one buffer, and the n-th is refused. It gets
 *  nothing, and the others keep what they have.
 */
static void refused_nth(void)
{
	int drm[6], mock;

	for (int f = 0; f < 6; f++)
		drm[f] = open_device();
	mock = mock_beside(drm[0]);
	for (int i = 0; i < MOCK_KINDS * 6; i++) {
		struct mock_buffer b =
			mock_buffer(mock, mock_kinds[i / 6].flags, 2);
		uint32_t op = last_op(drm[0], mock, mock_kinds[i / 6].flags);
		uint32_t handle[6];
		int nth = i % 6;

		if (!op)
			continue;
		check_ok(mock_fail(mock, b.id, op, nth + 1, ENOMEM));
		for (int f = 0; f < 6; f++) {
			int64_t ret = gem_import(drm[f], b.fd);

			if (f == nth)
				check_error(ret, ENOMEM);
			else
				handle[f] = check_ok(ret);
		}
		for (int f = 0; f < 6; f++)
			if (f != nth)
				check_ok(gem_close(drm[f], handle[f]));
		mock_buffer_end(&b);
	}
}

/**
 * SUBTEST: refused-leaves-others
 * Description: A refused import does not affect another buffer's handle in the same
 *  file, and the number that it would have got is free.
 */
static void refused_leaves_others(void)
{
	int drm = open_device(), mock = mock_beside(drm);
	struct mock_buffer a = mock_buffer(mock, 0, 2), b = mock_buffer(mock, 0, 2);
	uint32_t first = import_foreign(drm, a.fd), second, op = last_op(drm, mock, 0);

	second = import_foreign(drm, b.fd);
	check_ok(gem_close(drm, second));
	for (int i = 0; i < 100; i++)
		refused(drm, &b, op, ENOMEM);
	check_eq(gem_import(drm, a.fd), first);
	check_eq(gem_import(drm, b.fd), second);
	check_ok(gem_close(drm, first));
	check_ok(gem_close(drm, second));
	mock_buffer_end(&a);
	mock_buffer_end(&b);
}

/* --- an exporter that sleeps --- */

struct import {
	pthread_t thread;
	int drm, fd;
	int64_t handle;
	atomic_bool over;
};

static void *import_run(void *data)
{
	struct import *import = data;

	import->handle = gem_import(import->drm, import->fd);
	atomic_store(&import->over, true);
	return NULL;
}

static void import_start(struct import *import, int drm, int fd)
{
	import->drm = drm;
	import->fd = fd;
	atomic_store(&import->over, false);
	check_eq(pthread_create(&import->thread, NULL, import_run, import), 0);
}

static int64_t import_join(struct import *import)
{
	check_eq(pthread_join(import->thread, NULL), 0);
	return import->handle;
}

#define SLEEP_US	10000000	/* if wake() does not end it */

/* An import that was seen asleep in @op. */
static void import_asleep(struct import *import, int drm, struct mock_buffer *b,
			  uint32_t op)
{
	unsigned int calls = mock_count(b, op);

	check_ok(mock_sleep(b->mock, b->id, op, SLEEP_US, 0));
	import_start(import, drm, b->fd);
	mock_wait_calls(b, op, calls + 1);
	await_threads_asleep(1, SYS_ioctl);
}

/* The import that sleeps in @op goes on. Nothing has waited for it so far. */
static void wake(struct mock_buffer *b, uint32_t op)
{
	check(threads_asleep(SYS_ioctl) > 0);
	check_ok(mock_quiet(b->mock, b->id, op));
}

/**
 * SUBTEST: asleep-fd-closed
 * Description: While the exporter sleeps in an import, the last fd is closed, and
 *  the exporter closes its handle. The import goes on with the buffer with which it
 *  began.
 */
static void asleep_fd_closed(void)
{
	int drm = open_device(), mock = mock_beside(drm);

	for (int i = 0; i < 3; i++) {
		struct mock_buffer b;
		struct import import;

		if (!passes(drm, mock, kind_of(PRIME_MOCK_DYNAMIC), import_ops[i]))
			continue;
		b = mock_buffer(mock, PRIME_MOCK_DYNAMIC, 2);
		import_asleep(&import, drm, &b, import_ops[i]);
		mock_buffer_close_fd(&b);
		mock_buffer_close_handle(&b);
		wake(&b, import_ops[i]);
		check_ok(import_join(&import));
		check_eq(mock_count(&b, PRIME_MOCK_RELEASE), 0);
		check_ok(gem_close(drm, import.handle));
		mock_gone(&b);
	}
}

/**
 * SUBTEST: asleep-file-closed
 * Description: While the exporter sleeps in an import, the importer's file is
 *  closed. The import ends as it would have done, and then everything is undone.
 */
static void asleep_file_closed(void)
{
	int mock = mock_beside(open_device());

	for (int i = 0; i < 3; i++) {
		int drm = open_device();
		struct mock_buffer b;
		struct import import;

		if (!passes(drm, mock, kind_of(PRIME_MOCK_DYNAMIC), import_ops[i]))
			continue;
		b = mock_buffer(mock, PRIME_MOCK_DYNAMIC, 2);
		import_asleep(&import, drm, &b, import_ops[i]);
		close(drm);
		wake(&b, import_ops[i]);
		check_ok(import_join(&import));
		mock_buffer_end(&b);
	}
}

/**
 * SUBTEST: asleep-fails
 * Description: The fd is closed while the exporter sleeps in an import that then
 *  fails. Nobody holds the buffer any more, and it is freed.
 */
static void asleep_fails(void)
{
	int drm = open_device(), mock = mock_beside(drm);

	for (int i = 0; i < 3; i++) {
		struct drm_prime_mock_script script = {
			.op = import_ops[i], .fail_at = 1,
			.fail_count = 1, .error = EBUSY, .sleep_us = SLEEP_US,
		};
		struct mock_buffer b;
		struct import import;

		if (!passes(drm, mock, kind_of(PRIME_MOCK_DYNAMIC), import_ops[i]))
			continue;
		b = mock_buffer(mock, PRIME_MOCK_DYNAMIC, 2);
		script.id = b.id;
		check_ok(xioctl(mock, DRM_IOCTL_PRIME_MOCK_SCRIPT, &script));
		import_start(&import, drm, b.fd);
		mock_wait_calls(&b, import_ops[i], 1);
		await_threads_asleep(1, SYS_ioctl);
		mock_buffer_close_fd(&b);
		mock_buffer_close_handle(&b);
		wake(&b, import_ops[i]);
		check_error(import_join(&import), EBUSY);
		mock_gone(&b);
	}
}

/**
 * SUBTEST: asleep-two-imports
 * Description: Several threads import one buffer into one file while the exporter
 *  sleeps in the first import. All get the same handle, the device is attached once,
 *  and one close ends it.
 */
static void asleep_two_imports(void)
{
	int drm = open_device(), mock = mock_beside(drm);

	for (int i = 0; i < MOCK_KINDS; i++) {
		uint32_t op = last_op(drm, mock, mock_kinds[i].flags);
		struct mock_buffer b;
		struct import import[8];

		if (!op)
			continue;
		say_kind(&mock_kinds[i]);
		b = mock_buffer(mock, mock_kinds[i].flags, 2);
		import_asleep(&import[0], drm, &b, op);
		for (int t = 1; t < 8; t++)
			import_start(&import[t], drm, t & 1 ? b.fd : dup(b.fd));
		await_threads_asleep(8, SYS_ioctl);
		wake(&b, op);
		for (int t = 0; t < 8; t++) {
			check_ok(import_join(&import[t]));
			check_eq(import[t].handle, import[0].handle);
			if (t && !(t & 1))
				close(import[t].fd);
		}
		check_eq(mock_count(&b, op), 1);
		check_ok(gem_close(drm, import[0].handle));
		mock_buffer_end(&b);
	}
}

/**
 * SUBTEST: asleep-first-fails
 * Description: Two threads import one buffer into one file. The first import sleeps
 *  and fails. The second thread imports the buffer itself and succeeds.
 */
static void asleep_first_fails(void)
{
	int drm = open_device(), mock = mock_beside(drm);
	uint32_t op = last_op(drm, mock, 0);
	struct mock_buffer b = mock_buffer(mock, 0, 2);
	struct drm_prime_mock_script script = {
		.id = b.id, .op = op, .fail_at = 1, .fail_count = 1,
		.error = EIO, .sleep_us = SLEEP_US,
	};
	struct import import[2];

	check_ok(xioctl(mock, DRM_IOCTL_PRIME_MOCK_SCRIPT, &script));
	import_start(&import[0], drm, b.fd);
	mock_wait_calls(&b, op, 1);
	import_start(&import[1], drm, b.fd);
	await_threads_asleep(2, SYS_ioctl);
	wake(&b, op);
	check_error(import_join(&import[0]), EIO);
	check_ok(import_join(&import[1]));
	check_eq(mock_balance(&b, PRIME_MOCK_ATTACHED), 1);
	check_ok(gem_close(drm, import[1].handle));
	mock_buffer_end(&b);
}

struct closing {
	pthread_t thread;
	int drm;
	uint32_t handle;
	int result;
};

static void *closing_run(void *data)
{
	struct closing *closing = data;

	closing->result = gem_close(closing->drm, closing->handle);
	return NULL;
}

/**
 * SUBTEST: asleep-in-close
 * Description: The exporter sleeps in unmap, unpin and detach while the importer's
 *  handle is closed. The same buffer is imported again meanwhile. The close does not
 *  affect that import.
 */
static void asleep_in_close(void)
{
	static const uint32_t ops[] = {
		PRIME_MOCK_UNMAP, PRIME_MOCK_UNPIN, PRIME_MOCK_DETACH,
	};
	static const uint32_t opened[] = {
		PRIME_MOCK_MAPPED, PRIME_MOCK_PINNED, PRIME_MOCK_ATTACHED,
	};
	int drm = open_device(), mock = mock_beside(drm);

	for (int i = 0; i < 3; i++) {
		struct mock_buffer b = mock_buffer(mock, PRIME_MOCK_DYNAMIC, 2);
		struct closing closing = { .drm = drm };
		struct import import;

		closing.handle = import_foreign(drm, b.fd);
		/* An import without a mapping has nothing to unmap. */
		if (!mock_balance(&b, opened[i])) {
			check_ok(gem_close(drm, closing.handle));
			mock_buffer_end(&b);
			continue;
		}
		check_ok(mock_sleep(mock, b.id, ops[i], SLEEP_US, 0));
		check_eq(pthread_create(&closing.thread, NULL, closing_run,
					&closing), 0);
		mock_wait_calls(&b, ops[i], 1);
		/* It ends, or waits for the buffer's lock, which the sleeping step may hold. */
		import_start(&import, drm, b.fd);
		while (!atomic_load(&import.over) && threads_asleep(SYS_ioctl) < 2)
			usleep(1000);
		wake(&b, ops[i]);
		check_ok(import_join(&import));
		check_eq(pthread_join(closing.thread, NULL), 0);
		check_ok(closing.result);
		check_eq(mock_balance(&b, PRIME_MOCK_ATTACHED), 1);
		check_eq(gem_import(drm, b.fd), import.handle);
		check_ok(gem_close(drm, import.handle));
		mock_buffer_end(&b);
	}
}

/**
 * SUBTEST: asleep-handle-closed
 * Description: One thread imports a buffer again and again while another one closes
 *  whatever handle that may have got. All references come back.
 */
static void asleep_handle_closed(void)
{
	int drm = open_device(), mock = mock_beside(drm);
	struct mock_buffer b = mock_buffer(mock, PRIME_MOCK_DYNAMIC, 1);
	uint32_t first = import_foreign(drm, b.fd);
	double end = now() + race_seconds() / 2;
	unsigned int closed = 0;

	check_ok(gem_close(drm, first));
	check_ok(mock_sleep(mock, b.id, last_op(drm, mock, PRIME_MOCK_DYNAMIC), 500, 0));
	while (now() < end || (!closed && now() < end + 20)) {
		struct import import;
		bool hit;

		import_start(&import, drm, b.fd);
		while (!(hit = !gem_close(drm, first)) && now() < end + 1)
			;
		closed += hit;
		check_ok(import_join(&import));
		gem_close(drm, import.handle);
	}
	printf("%u handles were closed by a thread that guessed them\n", closed);
	check(closed > 0);
	mock_settled(&b);
	mock_buffer_end(&b);
}

/* A child that imports and, unless it is killed before, waits to be killed. */
static pid_t importing_child(struct mock_buffer *b)
{
	pid_t pid = fork();

	check(pid >= 0);
	if (!pid) {
		int drm = open_device();

		gem_import(drm, b->fd);
		pause();
		_exit(0);
	}
	return pid;
}

static void kill_child(pid_t pid)
{
	int status;

	check_ok(kill(pid, SIGKILL) ? -errno : 0);
	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFSIGNALED(status));
}

/**
 * SUBTEST: asleep-killed
 * Description: The importing process is killed while the exporter sleeps, once in a
 *  sleep that a signal ends and once in one that it does not end.
 */
static void asleep_killed(void)
{
	int drm = open_device(), mock = mock_beside(drm);

	for (int i = 0; i < 6; i++) {
		uint32_t op = import_ops[i % 3];
		struct mock_buffer b;
		pid_t pid;

		if (!passes(drm, mock, kind_of(PRIME_MOCK_DYNAMIC), op))
			continue;
		b = mock_buffer(mock, PRIME_MOCK_DYNAMIC, 2);
		check_ok(mock_sleep(mock, b.id, op, i < 3 ? 200000 : 10000000,
				    i < 3 ? 0 : PRIME_MOCK_INTERRUPTIBLE));
		pid = importing_child(&b);
		mock_wait_calls(&b, op, 1);
		kill_child(pid);
		mock_buffer_end(&b);
	}
}

/**
 * SUBTEST: killed-with-import
 * Description: A process that has imported buffers of each kind is killed.
 *  Everything is undone.
 */
static void killed_with_import(void)
{
	int drm = open_device(), mock = mock_beside(drm);

	for (int i = 0; i < MOCK_KINDS; i++) {
		uint32_t op = last_op(drm, mock, mock_kinds[i].flags);
		struct mock_buffer b;
		pid_t pid;

		if (!op)
			continue;
		say_kind(&mock_kinds[i]);
		b = mock_buffer(mock, mock_kinds[i].flags, 2);
		pid = importing_child(&b);
		mock_wait_calls(&b, op, 1);
		kill_child(pid);
		mock_buffer_end(&b);
	}
}

/**
 * SUBTEST: asleep-interrupted
 * Description: A signal ends the exporter's sleep in attach, pin or map. The import
 *  gives EINTR, everything is undone, and the next one works.
 */
static void asleep_interrupted(void)
{
	int drm = open_device(), mock = mock_beside(drm);

	for (int i = 0; i < 3; i++) {
		uint32_t op = import_ops[i];
		struct mock_buffer b;
		int64_t handle;

		if (!passes(drm, mock, kind_of(PRIME_MOCK_DYNAMIC), op))
			continue;
		b = mock_buffer(mock, PRIME_MOCK_DYNAMIC, 2);
		check_ok(mock_sleep(mock, b.id, op, 10000000,
				    PRIME_MOCK_INTERRUPTIBLE));
		alarm_every(50);
		handle = gem_import(drm, b.fd);
		alarm_every(0);
		check_error(handle, EINTR);
		mock_settled(&b);
		check_ok(mock_quiet(mock, b.id, op));
		check_ok(gem_close(drm, import_foreign(drm, b.fd)));
		mock_buffer_end(&b);
	}
}

/* --- fences --- */

/*
 * A driver that follows moves sees addresses early and waits by itself. A kernel fence was
 * pending when the import began.
 */
static void need_waiting_import(int drm, struct mock_buffer *b)
{
	if (!poll_events(b->fd, POLLIN, 0) && !mock_balance(b, PRIME_MOCK_PINNED))
		prime_skip("%s does not map at its import", driver_name(drm));
}

/**
 * SUBTEST: kernel-fence-delays
 * Description: A kernel fence says that the exporter is still moving or clearing the
 *  storage. The import does not end before that. No other fence delays it.
 */
static void kernel_fence_delays(void)
{
	static const uint32_t others[] = {
		PRIME_MOCK_USAGE_WRITE, PRIME_MOCK_USAGE_READ,
		PRIME_MOCK_USAGE_BOOKKEEP,
	};
	int drm = open_device(), mock = mock_beside(drm);
	struct mock_buffer b = mock_buffer(mock, PRIME_MOCK_DYNAMIC, 2);
	uint32_t handle;

	check_ok(mock_fence(mock, b.fd, PRIME_MOCK_USAGE_KERNEL, 300));
	handle = import_foreign(drm, b.fd);
	need_waiting_import(drm, &b);
	check_eq(poll_events(b.fd, POLLIN, 0), POLLIN);	/* it has signalled */
	check_ok(gem_close(drm, handle));

	for (int i = 0; i < 3; i++) {
		/* It does not signal by itself. */
		int64_t fence = check_ok(mock_fence(mock, b.fd, others[i], 0));

		check_ok(gem_close(drm, import_foreign(drm, b.fd)));
		check_ok(mock_signal(mock, fence, 0));
	}
	mock_buffer_end(&b);
}

/**
 * SUBTEST: kernel-fence-interrupted
 * Description: A signal ends an import that waits for a kernel fence. It gives
 *  EINTR, and everything is undone. When the fence has signalled, even with an
 *  error, the import works.
 */
static void kernel_fence_interrupted(void)
{
	int drm = open_device(), mock = mock_beside(drm);

	for (int i = 0; i < MOCK_KINDS; i++) {
		struct mock_buffer b = mock_buffer(mock, mock_kinds[i].flags, 2);
		int64_t fence, handle;

		say_kind(&mock_kinds[i]);
		fence = check_ok(mock_fence(mock, b.fd,
					    PRIME_MOCK_USAGE_KERNEL, 0));
		alarm_every(50);
		handle = gem_import(drm, b.fd);
		alarm_every(0);
		if (handle > 0)
			prime_skip("%s does not map at its import",
				   driver_name(drm));
		check_error(handle, EINTR);
		mock_settled(&b);
		check_ok(mock_signal(mock, fence, EIO));
		check_ok(gem_close(drm, import_foreign(drm, b.fd)));
		mock_buffer_end(&b);
	}
}

/**
 * SUBTEST: kernel-fence-killed
 * Description: A process is killed while its import waits for a kernel fence. It
 *  dies while the fence is still pending, and everything is undone.
 */
static void kernel_fence_killed(void)
{
	int drm = open_device(), mock = mock_beside(drm);
	struct mock_buffer b = mock_buffer(mock, PRIME_MOCK_DYNAMIC, 2);
	int64_t fence = check_ok(mock_fence(mock, b.fd,
					    PRIME_MOCK_USAGE_KERNEL, 0));
	int64_t handle;
	pid_t pid;

	alarm_every(50);
	handle = gem_import(drm, b.fd);
	alarm_every(0);
	if (handle > 0)
		prime_skip("%s does not map at its import", driver_name(drm));
	check_error(handle, EINTR);
	pid = importing_child(&b);
	mock_wait_calls(&b, PRIME_MOCK_ATTACH, 2);
	await_asleep(pid, SYS_ioctl);
	kill_child(pid);
	mock_settled(&b);
	check_ok(mock_signal(mock, fence, 0));
	mock_buffer_end(&b);
}

/* --- content --- */

/*
 * The bytes as the importer has them: through its engine if it is a mock, else by mmap
 * of its handle, or of its export if the driver maps no imported objects.
 */
static void read_through(int drm, uint32_t handle, void *data, size_t size)
{
	struct drm_mode_map_dumb arg = { .handle = handle };
	void *map;
	int fd = drm;

	if (!strcmp(driver_name(drm), "prime_mock")) {
		check_ok(mock_read(drm, handle, PRIME_MOCK_BY_HANDLE, 0, data,
				   size));
		return;
	}
	if (xioctl(drm, DRM_IOCTL_MODE_MAP_DUMB, &arg))
		fd = check_ok(gem_export(drm, handle, DRM_CLOEXEC));
	map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, arg.offset);
	check(map != MAP_FAILED);
	memcpy(data, map, size);
	munmap(map, size);
	if (fd != drm)
		close(fd);
}

static void same_through(int drm, uint32_t handle, size_t size, uint32_t seed)
{
	void *data = malloc(size);

	check(data);
	read_through(drm, handle, data, size);
	check_eq(filled(data, size, seed), size);
	free(data);
}

/**
 * SUBTEST: content
 * Description: The importer's handle has the bytes that the exporter wrote, for each
 *  kind of exporter and each layout of pages.
 */
static void content(void)
{
	static const unsigned int pages[] = { 37, 64, 1024 };
	int drm = open_device(), mock = mock_beside(drm);

	for (int i = 0; i < MOCK_KINDS * 3; i++) {
		const struct mock_kind *kind = &mock_kinds[i / 3];
		struct mock_buffer b;
		uint32_t handle;

		if (!kind->can_mmap)
			continue;
		say_kind(kind);
		b = mock_buffer_as(mock, kind->flags, i % 3, pages[i % 3]);
		fill_dmabuf(b.fd, b.size, i);
		handle = import_foreign(drm, b.fd);
		same_through(drm, handle, b.size, i);
		fill_dmabuf(b.fd, b.size, i + 100);
		same_through(drm, handle, b.size, i + 100);
		check_ok(gem_close(drm, handle));
		mock_buffer_end(&b);
	}
}

/**
 * SUBTEST: moved-while-imported
 * Description: Storage that an importer has mapped does not move, or the importer is
 *  told and follows. In both cases it has the right bytes. It also has them when it
 *  has let go, the storage has moved, and it imports again.
 */
static void moved_while_imported(void)
{
	int drm = open_device(), mock = mock_beside(drm);

	for (int i = 0; i < MOCK_KINDS; i++) {
		const struct mock_kind *kind = &mock_kinds[i];
		struct mock_buffer b;
		uint32_t handle;
		int ret;

		if (!kind->can_mmap || kind->flags == PRIME_MOCK_DEFAULT)
			continue;
		say_kind(kind);
		b = mock_buffer(mock, kind->flags, 16);
		fill_dmabuf(b.fd, b.size, i);
		handle = import_foreign(drm, b.fd);
		ret = mock_move(mock, b.handle, PRIME_MOCK_CONTIGUOUS);
		if (mock_balance(&b, kind->dynamic ? PRIME_MOCK_PINNED : PRIME_MOCK_MAPPED))
			check_error(ret, EBUSY);
		else
			check_ok(ret);
		same_through(drm, handle, b.size, i);
		check_ok(gem_close(drm, handle));
		mock_settled(&b);

		check_ok(mock_move(mock, b.handle, PRIME_MOCK_CONTIGUOUS));
		handle = import_foreign(drm, b.fd);
		same_through(drm, handle, b.size, i);
		check_ok(gem_close(drm, handle));
		mock_buffer_end(&b);
	}
}

/**
 * SUBTEST: moved-before-import
 * Description: Storage that has moved many times can be imported at its last place.
 */
static void moved_before_import(void)
{
	int drm = open_device(), mock = mock_beside(drm);
	struct mock_buffer b = mock_buffer(mock, PRIME_MOCK_DYNAMIC, 512);

	fill_dmabuf(b.fd, b.size, 7);
	for (int i = 0; i < 12; i++) {
		uint32_t handle;

		check_ok(mock_move(mock, b.handle, i % 3));
		handle = import_foreign(drm, b.fd);
		same_through(drm, handle, b.size, 7);
		check_ok(gem_close(drm, handle));
	}
	mock_buffer_end(&b);
}

/* --- an exporter that goes away --- */

/**
 * SUBTEST: exporter-unplugged
 * Description: The exporting device is taken away while its buffers are imported.
 *  The importer keeps them, and they are freed when it lets go.
 */
static void exporter_unplugged(void)
{
	int drm = open_device();
	unsigned int index = mock_index_beside(drm);

	for (int i = 0; i < MOCK_KINDS; i++) {
		int mock = mock_open(index), again;
		struct mock_buffer b = mock_buffer(mock, mock_kinds[i].flags, 2);
		uint32_t handle = import_foreign(drm, b.fd);

		say_kind(&mock_kinds[i]);
		if (mock_kinds[i].can_mmap)
			fill_dmabuf(b.fd, b.size, i);
		check_ok(mock_replug(mock, index));
		check_error(mock_quiet(mock, b.id, PRIME_MOCK_MAP), ENODEV);
		again = check_ok(gem_export(drm, handle, DRM_CLOEXEC));
		check_eq(inode_of(again), inode_of(b.fd));
		close(again);
		if (mock_kinds[i].can_mmap)
			same_through(drm, handle, b.size, i);
		close(b.fd);
		close(mock);
		check_ok(gem_close(drm, handle));
		check_eq(settle_buffers(0), 0);
	}
}

static const struct prime_subtest subtests[] = {
	SUBTEST(import_each_kind),
	SUBTEST(calls_of_one_import),
	SUBTEST(many_imports),
	SUBTEST(import_into_two_files),
	SUBTEST(release_after_importer),
	SUBTEST(file_closed),
	SUBTEST(exported_again),
	SUBTEST(refused_at_attach),
	SUBTEST(refused_at_pin),
	SUBTEST(refused_at_map),
	SUBTEST(every_errno),
	SUBTEST(refused_nth),
	SUBTEST(refused_leaves_others),
	SUBTEST(asleep_fd_closed),
	SUBTEST(asleep_file_closed),
	SUBTEST(asleep_fails),
	SUBTEST(asleep_two_imports),
	SUBTEST(asleep_first_fails),
	SUBTEST(asleep_in_close),
	SUBTEST(asleep_handle_closed),
	SUBTEST(asleep_killed),
	SUBTEST(killed_with_import),
	SUBTEST(asleep_interrupted),
	SUBTEST(kernel_fence_delays),
	SUBTEST(kernel_fence_interrupted),
	SUBTEST(kernel_fence_killed),
	SUBTEST(content),
	SUBTEST(moved_while_imported),
	SUBTEST(moved_before_import),
	SUBTEST(exporter_unplugged),
};

PRIME_MAIN(subtests)
