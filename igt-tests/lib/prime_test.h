/* SPDX-License-Identifier: MIT */
/*
 * What every program here shares: IGT's command line and output, checks that
 * end a subtest, and short names for the ioctls under test.
 *
 * A program is a table of subtests and PRIME_MAIN(table). Each subtest runs in
 * a process of its own, so a crash or a hang takes nothing else with it. When
 * that process is gone, the kernel must be untainted by it, lockdep must still
 * be on, and no dma-buf may be left. These three are checked after each subtest.
 */
#ifndef PRIME_TEST_H
#define PRIME_TEST_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <linux/dma-buf.h>
#include <libdrm/drm.h>
#include "prime_version.h"

/* IGT's exit codes. */
enum prime_exit {
	PRIME_EXIT_SUCCESS = 0,
	PRIME_EXIT_SKIP = 77,
	PRIME_EXIT_INVALID = 79,
	PRIME_EXIT_FAILURE = 98,
	PRIME_EXIT_ABORT = 112,
};

struct prime_subtest {
	const char *function;	/* listed with '-' in place of '_' */
	void (*run)(void);
};

/*
 * If a program defines it, it runs after each subtest, in a process of its own, once all that
 * undo_later() was told is undone.
 */
void prime_restore(void) __attribute__((weak));

/* The size of a page here, in bytes: known before main(). */
extern unsigned int prime_page_size;
#define PAGE prime_page_size

#define SUBTEST(function) { #function, function }
#define PRIME_MAIN(table)						\
	int main(int argc, char **argv)					\
	{								\
		return prime_main(argc, argv, table,			\
				  sizeof(table) / sizeof((table)[0]));	\
	}

/* Made of the comments in the program's source by describe.awk. */
struct prime_description {
	const char *name;	/* NULL ends the list */
	int line;
	const char *text;
};

/* A program that only uses this library, and is no test, has none of them. */
extern const char prime_source[] __attribute__((weak));
extern const char prime_description[] __attribute__((weak));
extern const struct prime_description prime_descriptions[] __attribute__((weak));

int prime_main(int argc, char **argv, const struct prime_subtest *tests,
	       size_t count);

void prime_fail(const char *file, int line, const char *format, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
void prime_skip(const char *format, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

/*
 * Within a subtest: runs @run in a process of its own and gives it a verdict of its own,
 * under this name. If it skips or fails, the next ones still run. The subtest fails when
 * one of them does, and skips when all do.
 */
void prime_dynamic(const char *name, void (*run)(void *data), void *data);

/* Skips unless the user allowed what takes a device away from others. */
void need_destructive(const char *what);
/* May a subtest show a defect outside of buffer sharing that crashes the kernel? */
bool prime_dangerous(void);
/*
 * undo(what, text) is called when the subtest ends, in whatever way but a SIGKILL to the
 * program itself. It runs after the subtest's processes, in another one. The last change is
 * undone first. The same call once more changes nothing. The texts are copied.
 */
typedef void undo_function(const char *what, const char *text);
void undo_later(undo_function *undo, const char *what, const char *text);
/* Write the text into a file, a newline for an empty one; remove a file or a directory. */
undo_function write_back, remove_back;
/* Mounts a file system without a device until the subtest ends. 0 or a negative errno. */
int mount_until_end(const char *type, const char *path);
/* Writes into a file, and what it had is written back later. 0 or a negative errno. */
int set_text(const char *path, const char *text);
/*
 * The same for a number in /proc/sys or /sys, and gives the one before. Skips if this is
 * impossible, or if PRIME_KEEP_SYSTEM is set.
 */
long set_system(const char *path, long value);

/* True when the condition holds; otherwise the subtest ends as a failure. */
#define check(condition)						\
	do {								\
		if (!(condition))					\
			prime_fail(__FILE__, __LINE__, "%s", #condition); \
	} while (0)

#define check_eq(value, wanted)						\
	do {								\
		long long v_ = (long long)(value);			\
		long long w_ = (long long)(wanted);			\
									\
		if (v_ != w_)						\
			prime_fail(__FILE__, __LINE__,			\
				   "%s is %lld, not %s = %lld",		\
				   #value, v_, #wanted, w_);		\
	} while (0)

/* For the functions below that give 0 or more, or a negative errno. */
#define check_error(value, wanted)					\
	do {								\
		long long e_ = (long long)(value);			\
									\
		if (e_ != -(wanted))					\
			prime_fail(__FILE__, __LINE__,			\
				   "%s gives %lld (%s), not -%s",	\
				   #value, e_,				\
				   e_ < 0 ? strerror(-e_) : "no error",	\
				   #wanted);				\
	} while (0)

#define check_ok(value)							\
	({								\
		long long r_ = (long long)(value);			\
									\
		if (r_ < 0)						\
			prime_fail(__FILE__, __LINE__,			\
				   "%s gives %lld (%s)", #value, r_,	\
				   strerror(-r_));			\
		r_;							\
	})

/* --- devices --- */

/*
 * The device under test: --device PATH, or PRIME_DEVICE, or the driver that
 * IGT_FORCE_DRIVER names, or vgem. For a render node the card of the same device is opened,
 * if that makes dumb buffers. Skips if the device can't make or export any buffer.
 */
int open_device(void);
/*
 * A device that imports from the one under test: vkms, else vgem, else any.
 * Skips if none does, and says what each of them answered.
 */
int open_other(void);
/* The same, but -1 where there is none. */
int try_other(void);
/* The path of its render node, "" where there is none. */
void render_node_of(int drm, char *path, size_t size);
/* The render node of the same device, or a skip. */
int open_render_node(int drm);
int open_driver(const char *driver);
/* The same, but -ENODEV where there is none. */
int try_driver(const char *driver);
const char *driver_name(int drm);

/* --- GEM and PRIME; a negative errno on failure --- */

int xioctl(int fd, unsigned long request, void *arg);
/* A dumb buffer; by libgbm where the device has none, or where PRIME_BUFFERS=gbm. */
int64_t gem_create(int drm, unsigned int pages);
/* Skips where gem_create() can't give an object that nobody has exported yet. */
void need_unexported(int drm);
int gem_close(int drm, uint32_t handle);
int64_t gem_flink(int drm, uint32_t handle);
int64_t gem_open(int drm, uint32_t name);
int gem_export(int drm, uint32_t handle, uint32_t flags);
int64_t gem_import(int drm, int dmabuf);
/* An import that is a skip where the driver can't take such a buffer. */
uint32_t import_foreign(int drm, int dmabuf);
/* A skip where the exporter has no mmap at all. */
void need_mmap(int dmabuf);
/*
 * To be called before a mode of vkms is set, which is destructive. Skips if a display of
 * vkms that is on may stop the machine.
 */
void need_vkms_screen(void);
/* The checksum of the second frame that vkms shows from now on, or a negative errno. */
int64_t vkms_checksum(int drm);
/* A buffer of the device and its fd, writable and close-on-exec. */
int make_dmabuf(int drm, unsigned int pages, uint32_t *handle);
/* The same, from a device under test that this opens and never closes. */
int any_dmabuf(unsigned int pages);

/* --- the dma-buf file; a negative errno on failure --- */

int dmabuf_sync(int dmabuf, uint64_t flags);
int dmabuf_set_name(int dmabuf, const char *name);
int dmabuf_export_sync_file(int dmabuf, uint32_t flags);
int dmabuf_import_sync_file(int dmabuf, uint32_t flags, int fence);
/* poll() for @events, waiting @ms: the events found, 0 for none. */
int poll_events(int fd, int events, int ms);
uint64_t inode_of(int fd);

/* --- fences --- */

/* Fences that signal by hand: of sw_sync, else of vgem, else a skip. */
int sw_timeline(void);
int sw_fence(int timeline, uint32_t value);
void sw_advance(int timeline, uint32_t by);
/* A vgem fence on the buffer; @write: for a writer. Gives its number. */
uint32_t vgem_fence(int vgem, uint32_t handle, bool write);
int vgem_fence_attach(int vgem, uint32_t handle, uint32_t flags);
int vgem_fence_signal(int vgem, uint32_t fence);

/* --- fds in messages --- */

/* Up to two. */
void send_fds(int socket, const int *fds, int count);
/* The first one of a message. */
int receive_fd(int socket);

/* --- who sleeps; see prime_wait.c --- */

#ifdef SYS_poll
#define CALL_POLL	SYS_poll
#define CALL_EPOLL	SYS_epoll_wait
#else
#define CALL_POLL	SYS_ppoll
#define CALL_EPOLL	SYS_epoll_pwait
#endif

/*
 * Waits until the main thread of a process sleeps in this system call. Fails if it never
 * does. For another thread of this process see the next two.
 */
void await_asleep(pid_t pid, long call);
/* How many threads of this process sleep in it. */
int threads_asleep(long call);
/* Waits until at least @count do. */
void await_threads_asleep(int count, long call);

/* --- what the kernel counts --- */

unsigned int count_fds(void);
/* Buffers in debugfs dma_buf/bufinfo, -1 where there is no such file. */
int all_buffers(void);
/* How many there were when the subtest began: a desktop has some. */
extern int buffers_before;
/* Those of the subtest alone; a skip where they can't be counted. */
int count_buffers(void);
/* The same, waiting a moment for @wanted: a last close may be deferred. */
int settle_buffers(int wanted);
/* The text of a file, to be freed; NULL where it cannot be read. */
char *read_text(const char *path);
int write_text(const char *path, const char *text);
/* The value of "key:" in /proc/self/fdinfo/FD; false when not there. */
bool fdinfo(int fd, const char *key, char *value, size_t length);
long meminfo_kb(const char *key);
long slab_objects(const char *name);
bool is_kasan(void);
double now(void);
/* Seconds that a race lasts: PRIME_RACE_SECONDS, or 2. */
double race_seconds(void);

/* A page with @length bytes of @data, then made read-only. */
void *readonly_page(const void *data, size_t length);
void watch_no_dma(void);
void writable_page(void *page);
/* Lets no further fd be opened; gives what to hand to allow_fds(). */
unsigned long forbid_fds(void);
void allow_fds(unsigned long limit);

#endif
