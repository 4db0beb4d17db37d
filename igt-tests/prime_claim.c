// SPDX-License-Identifier: MIT
/**
 * TEST: prime claim
 * Description: One thread imports a buffer from an exporter that is slow or fails,
 *  while other threads use the same file and device. A thread that imports the same
 *  buffer gets the same handle. A thread that does something else does not wait. The
 *  exporter is prime_mock, the importer the device under test.
 */
#include "lib/mock_buffer.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

enum { THREADS = 8 };

#define SLOW_US		4000000	/* how long a slow attach takes, if nobody ends it */

static int drm, mock;

static void setup(void)
{
	struct mock_buffer probe;

	drm = open_device();
	mock = mock_beside(drm);
	probe = mock_buffer(mock, 0, 1);
	check_ok(gem_close(drm, import_foreign(drm, probe.fd)));
	mock_buffer_end(&probe);
}

static void teardown(void)
{
	close(drm);
	close(mock);
	check_eq(settle_buffers(0), 0);
}

static struct mock_buffer slow_buffer(unsigned int us)
{
	struct mock_buffer b = mock_buffer(mock, 0, 4);

	check_ok(mock_sleep(mock, b.id, PRIME_MOCK_ATTACH, us, 0));
	return b;
}

/* The slow attaches go on. */
static void wake(const struct mock_buffer *b)
{
	check_ok(mock_quiet(mock, b->id, PRIME_MOCK_ATTACH));
}

/* --- an import in a thread --- */

/* No file has so many handles. */
#define UNTOUCHED 0x40000000

struct import {
	pthread_t thread;
	int drm, fd;
	int64_t handle;
};

static void *import_thread(void *data)
{
	struct import *import = data;
	struct drm_prime_handle arg = { .fd = import->fd, .handle = UNTOUCHED };
	int ret = xioctl(import->drm, DRM_IOCTL_PRIME_FD_TO_HANDLE, &arg);

	check_eq(arg.handle == UNTOUCHED, ret < 0);
	import->handle = ret < 0 ? ret : (int64_t)arg.handle;
	return NULL;
}

static void import_start(struct import *import, int file, int fd)
{
	*import = (struct import){ .drm = file, .fd = fd };
	check_eq(pthread_create(&import->thread, NULL, import_thread, import), 0);
}

static int64_t import_end(struct import *import)
{
	check_eq(pthread_join(import->thread, NULL), 0);
	return import->handle;
}

/* An import that sleeps in the exporter. */
static void import_asleep(struct import *import, const struct mock_buffer *b)
{
	import_start(import, drm, b->fd);
	mock_wait_calls(b, PRIME_MOCK_ATTACH, 1);
	/* A call counts before it sleeps. */
	await_threads_asleep(1, SYS_ioctl);
}

/* Nothing above has waited for the slow import, which is still in the exporter. */
static void check_still_asleep(void)
{
	check_eq(threads_asleep(SYS_ioctl), 1);
}

/* --- threads that import the same buffer --- */

/**
 * SUBTEST: one-handle
 * Description: Eight threads import one buffer into one file while the first of them
 *  is being attached. All get one handle, and there is one attachment.
 */
static void one_handle(void)
{
	struct import imports[THREADS];
	struct mock_buffer b;

	setup();
	b = slow_buffer(SLOW_US);
	import_asleep(&imports[0], &b);
	for (int i = 1; i < THREADS; i++)
		import_start(&imports[i], drm, b.fd);
	await_threads_asleep(THREADS, SYS_ioctl);
	check_eq(mock_count(&b, PRIME_MOCK_ATTACH), 1);
	wake(&b);
	for (int i = 0; i < THREADS; i++)
		check_eq(check_ok(import_end(&imports[i])), imports[0].handle);
	check_eq(mock_count(&b, PRIME_MOCK_ATTACH), 1);
	check_eq(mock_balance(&b, PRIME_MOCK_ATTACHED), 1);
	check_ok(gem_close(drm, imports[0].handle));
	check_error(gem_close(drm, imports[0].handle), EINVAL);
	mock_buffer_end(&b);
	teardown();
}

/**
 * SUBTEST: two-files
 * Description: Two files of the device import the buffer at the same time: each
 *  has an object and a handle of its own.
 */
static void two_files(void)
{
	struct import imports[2];
	struct mock_buffer b;
	int second;

	setup();
	second = open_device();
	b = slow_buffer(SLOW_US);
	import_start(&imports[0], drm, b.fd);
	import_start(&imports[1], second, b.fd);
	await_threads_asleep(2, SYS_ioctl);
	wake(&b);
	check_ok(import_end(&imports[0]));
	check_ok(import_end(&imports[1]));
	check_eq(mock_balance(&b, PRIME_MOCK_ATTACHED), 2);
	check_ok(gem_close(drm, imports[0].handle));
	check_eq(gem_import(second, b.fd), imports[1].handle);
	check_ok(gem_close(second, imports[1].handle));
	mock_buffer_end(&b);
	close(second);
	teardown();
}

/**
 * SUBTEST: first-fails
 * Description: The exporter refuses the first of two imports while the second one
 *  waits for it. The second thread imports the buffer itself, and succeeds.
 */
static void first_fails(void)
{
	struct import imports[2];
	struct mock_buffer b;
	struct drm_prime_mock_script script = {
		.op = PRIME_MOCK_ATTACH, .fail_at = 1, .fail_count = 1,
		.error = EBUSY, .sleep_us = SLOW_US,
	};
	int64_t handle;

	setup();
	b = mock_buffer(mock, 0, 4);
	script.id = b.id;
	check_ok(xioctl(mock, DRM_IOCTL_PRIME_MOCK_SCRIPT, &script));
	import_asleep(&imports[0], &b);
	import_start(&imports[1], drm, b.fd);
	await_threads_asleep(2, SYS_ioctl);
	wake(&b);
	check_error(import_end(&imports[0]), EBUSY);
	handle = check_ok(import_end(&imports[1]));
	check_eq(mock_count(&b, PRIME_MOCK_ATTACH), 2);
	check_eq(gem_import(drm, b.fd), handle);
	check_ok(gem_close(drm, handle));
	mock_buffer_end(&b);
	teardown();
}

/**
 * SUBTEST: all-fail
 * Description: Eight imports of one buffer are all refused. Each gets the errno and
 *  keeps the handle that it passed, none hangs, and nothing is left.
 */
static void all_fail(void)
{
	struct import imports[THREADS];
	struct mock_buffer b;
	struct drm_prime_mock_script script = {
		.op = PRIME_MOCK_ATTACH, .fail_at = 1,
		.fail_count = PRIME_MOCK_FOREVER, .error = EIO,
		.sleep_us = SLOW_US,
	};

	setup();
	b = mock_buffer(mock, 0, 4);
	script.id = b.id;
	check_ok(xioctl(mock, DRM_IOCTL_PRIME_MOCK_SCRIPT, &script));
	for (int i = 0; i < THREADS; i++)
		import_start(&imports[i], drm, b.fd);
	await_threads_asleep(THREADS, SYS_ioctl);
	script.sleep_us = 0;
	check_ok(xioctl(mock, DRM_IOCTL_PRIME_MOCK_SCRIPT, &script));
	for (int i = 0; i < THREADS; i++)
		check_error(import_end(&imports[i]), EIO);
	check_eq(mock_count(&b, PRIME_MOCK_ATTACH), THREADS);
	mock_buffer_end(&b);
	teardown();
}

/* A process that shares the file and imports the buffer. */
static pid_t import_process(int fd)
{
	pid_t pid = fork();

	check(pid >= 0);
	if (!pid)
		_exit(gem_import(drm, fd) <= 0);
	return pid;
}

/**
 * SUBTEST: killed-while-waiting
 * Description: A process that waits for another one's import into their common file
 *  is killed. It ends at once, and the import still succeeds.
 */
static void killed_while_waiting(void)
{
	struct import import;
	struct mock_buffer b;
	uint32_t handle;
	int status;
	pid_t pid;

	setup();
	b = slow_buffer(SLOW_US);
	import_asleep(&import, &b);
	pid = import_process(b.fd);
	await_asleep(pid, SYS_ioctl);
	check_ok(kill(pid, SIGKILL));
	check_eq(waitpid(pid, &status, 0), pid);
	check_still_asleep();
	check(WIFSIGNALED(status));
	wake(&b);
	handle = check_ok(import_end(&import));
	check_eq(gem_import(drm, b.fd), handle);
	check_eq(mock_count(&b, PRIME_MOCK_ATTACH), 1);
	check_ok(gem_close(drm, handle));
	mock_buffer_end(&b);
	teardown();
}

/**
 * SUBTEST: killed-while-importing
 * Description: The process that imports is killed while another one waits for it.
 *  The exporter can't be interrupted, so the other one gets its handle.
 */
static void killed_while_importing(void)
{
	struct import import;
	struct mock_buffer b;
	int status;
	pid_t pid;

	setup();
	b = slow_buffer(SLOW_US);
	pid = import_process(b.fd);
	mock_wait_calls(&b, PRIME_MOCK_ATTACH, 1);
	import_start(&import, drm, b.fd);
	await_threads_asleep(1, SYS_ioctl);
	check_ok(kill(pid, SIGKILL));
	wake(&b);
	check_eq(waitpid(pid, &status, 0), pid);
	check_ok(import_end(&import));
	check_eq(mock_count(&b, PRIME_MOCK_ATTACH), 1);
	check_ok(gem_close(drm, import.handle));
	mock_buffer_end(&b);
	teardown();
}

/**
 * SUBTEST: signals-while-waiting
 * Description: Signals that the program handles don't end the wait for another
 *  thread's import: no EINTR.
 */
static void signals_while_waiting(void)
{
	struct drm_prime_handle arg = { };
	struct import import;
	struct mock_buffer b;
	uint32_t handle;
	sigset_t set;

	setup();
	b = slow_buffer(1000000);	/* nobody is left to end it */
	/* The signals are for this thread alone. */
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	import_asleep(&import, &b);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	alarm_every(20);
	arg.fd = b.fd;
	check_eq(ioctl(drm, DRM_IOCTL_PRIME_FD_TO_HANDLE, &arg), 0);
	alarm_every(0);
	check(alarms > 0);
	handle = check_ok(import_end(&import));
	check_eq(arg.handle, handle);
	check_ok(gem_close(drm, handle));
	mock_buffer_end(&b);
	teardown();
}

/* --- threads that do something else --- */

struct meanwhile {
	struct import import;
	struct mock_buffer slow, known, fresh;
	uint32_t handle;	/* of the known one */
};

/* A slow import has begun. The file knows a second buffer, and not a third one. */
static void meanwhile_begin(struct meanwhile *m)
{
	setup();
	m->slow = slow_buffer(SLOW_US);
	m->known = mock_buffer(mock, 0, 4);
	m->fresh = mock_buffer(mock, 0, 4);
	m->handle = check_ok(gem_import(drm, m->known.fd));
	import_asleep(&m->import, &m->slow);
}

static void meanwhile_end(struct meanwhile *m)
{
	check_still_asleep();
	wake(&m->slow);
	check_ok(gem_close(drm, check_ok(import_end(&m->import))));
	check_ok(gem_close(drm, m->handle));
	mock_buffer_end(&m->slow);
	mock_buffer_end(&m->known);
	mock_buffer_end(&m->fresh);
	teardown();
}

/**
 * SUBTEST: meanwhile-export
 * Description: HANDLE_TO_FD of an exported handle does not wait for an import
 *  of another buffer into the same file.
 */
static void meanwhile_export(void)
{
	struct meanwhile m;

	meanwhile_begin(&m);
	close(check_ok(gem_export(drm, m.handle, DRM_CLOEXEC)));
	meanwhile_end(&m);
}

/**
 * SUBTEST: meanwhile-export-first
 * Description: The first export of a new object does not wait either.
 */
static void meanwhile_export_first(void)
{
	struct meanwhile m;
	uint32_t made;

	meanwhile_begin(&m);
	made = check_ok(gem_create(drm, 1));
	close(check_ok(gem_export(drm, made, DRM_CLOEXEC)));
	check_ok(gem_close(drm, made));
	meanwhile_end(&m);
}

/**
 * SUBTEST: meanwhile-import-known
 * Description: FD_TO_HANDLE of a buffer that the file knows does not wait either.
 */
static void meanwhile_import_known(void)
{
	struct meanwhile m;

	meanwhile_begin(&m);
	check_eq(gem_import(drm, m.known.fd), m.handle);
	meanwhile_end(&m);
}

/**
 * SUBTEST: meanwhile-import
 * Description: The import of another buffer does not wait either.
 */
static void meanwhile_import(void)
{
	struct meanwhile m;

	meanwhile_begin(&m);
	check_ok(gem_close(drm, check_ok(gem_import(drm, m.fresh.fd))));
	meanwhile_end(&m);
}

/**
 * SUBTEST: meanwhile-import-elsewhere
 * Description: The import of another buffer into another file of the device does not
 *  wait either.
 */
static void meanwhile_import_elsewhere(void)
{
	struct meanwhile m;
	int second;

	meanwhile_begin(&m);
	second = open_device();
	check_ok(gem_close(second, check_ok(gem_import(second, m.fresh.fd))));
	close(second);
	meanwhile_end(&m);
}

/**
 * SUBTEST: meanwhile-close
 * Description: The close of another handle of the file does not wait either.
 */
static void meanwhile_close(void)
{
	struct meanwhile m;

	meanwhile_begin(&m);
	check_ok(gem_close(drm, check_ok(gem_create(drm, 1))));
	meanwhile_end(&m);
}

/* --- handles that are used before they are in the table --- */

static atomic_bool over;
static atomic_ulong hits;	/* guesses that hit the handle */
static struct mock_buffer raced;
static int second;

static void *race_import(void *data)
{
	int file = *(int *)data;

	while (!atomic_load(&over))
		check_ok(gem_import(file, raced.fd));
	return NULL;
}

/* Guesses handles and closes them. */
static void *race_close(void *data)
{
	int file = *(int *)data;

	for (unsigned int turn = 0; !atomic_load(&over); turn++) {
		int ret = gem_close(file, 1 + turn % 3);

		check(!ret || ret == -EINVAL);
		atomic_fetch_add(&hits, !ret);
	}
	return NULL;
}

/* Guesses handles and exports them. */
static void *race_export(void *data)
{
	int file = *(int *)data;

	for (unsigned int turn = 0; !atomic_load(&over); turn++) {
		int fd = gem_export(file, 1 + turn % 3, DRM_CLOEXEC);

		check(fd >= 0 || fd == -ENOENT);
		if (fd < 0)
			continue;
		check_eq(inode_of(fd), inode_of(raced.fd));
		atomic_fetch_add(&hits, 1);
		close(fd);
	}
	return NULL;
}

static void race_all(int *first, int *other)
{
	static void *(*const racers[])(void *) = {
		race_import, race_import, race_close, race_export,
	};
	pthread_t threads[8];
	int count = 0;

	for (int i = 0; i < 4; i++) {
		check_eq(pthread_create(&threads[count++], NULL, racers[i], first), 0);
		check_eq(pthread_create(&threads[count++], NULL, racers[i], other), 0);
	}
	usleep(race_seconds() * 1e6);
	/* On a slow machine the guesses need longer. */
	for (double end = now() + 20; !atomic_load(&hits) && now() < end;)
		usleep(10000);
	atomic_store(&over, true);
	while (count)
		check_eq(pthread_join(threads[--count], NULL), 0);
	printf("%lu guesses were right\n", atomic_load(&hits));
	check(atomic_load(&hits) > 0);
	for (uint32_t handle = 1; handle <= 16; handle++) {
		gem_close(*first, handle);
		gem_close(*other, handle);
	}
}

/**
 * SUBTEST: guessed-handle
 * Description: Threads import one buffer into two files. Others guess the handles,
 *  and close and export them before the imports have returned. No handle leads to
 *  another buffer, and nothing is left.
 */
static void guessed_handle(void)
{
	setup();
	second = open_device();
	raced = mock_buffer(mock, 0, 1);
	race_all(&drm, &second);
	mock_buffer_end(&raced);
	close(second);
	teardown();
}

/**
 * SUBTEST: guessed-handle-of-own
 * Description: The same for a buffer of the device itself, whose object sometimes
 *  loses its last handle during an import.
 */
static void guessed_handle_of_own(void)
{
	setup();
	second = open_device();
	raced.fd = make_dmabuf(drm, 1, &raced.handle);
	race_all(&drm, &second);
	close(raced.fd);
	close(second);
	teardown();
}

static const struct prime_subtest tests[] = {
	SUBTEST(one_handle),
	SUBTEST(two_files),
	SUBTEST(first_fails),
	SUBTEST(all_fail),
	SUBTEST(killed_while_waiting),
	SUBTEST(killed_while_importing),
	SUBTEST(signals_while_waiting),
	SUBTEST(meanwhile_export),
	SUBTEST(meanwhile_export_first),
	SUBTEST(meanwhile_import_known),
	SUBTEST(meanwhile_import),
	SUBTEST(meanwhile_import_elsewhere),
	SUBTEST(meanwhile_close),
	SUBTEST(guessed_handle),
	SUBTEST(guessed_handle_of_own),
};

PRIME_MAIN(tests)
