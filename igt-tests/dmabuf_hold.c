// SPDX-License-Identifier: MIT
/**
 * TEST: dmabuf hold
 * Description: What holds a buffer when no process has a usable fd of it: a path
 *  (O_PATH, or a link in /proc/PID/fd), a message that is not yet received, a
 *  child, a program that was started with it. Each is tried with a buffer of each
 *  exporter of the machine.
 */
#include "lib/mock_buffer.h"
#include "lib/prime_memory.h"
#include "lib/prime_v4l2.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PAGES	16
#define SIZE	(PAGES * PAGE)
#define SEED	77

/* --- a buffer of each exporter; only its fd is left --- */

static int make_drm(void)
{
	int drm = open_device(), fd = make_dmabuf(drm, PAGES, NULL);

	close(drm);
	return fd;
}

static int make_udmabuf(void)
{
	return make_memory(MEMORY_UDMABUF, SIZE);
}

static int make_system_heap(void)
{
	return make_memory(MEMORY_SYSTEM_HEAP, SIZE);
}

static int make_cma_heap(void)
{
	return make_memory(MEMORY_CMA_HEAP, SIZE);
}

static int make_negotiated(void)
{
	int heap = heap_open("negotiated"), fd;

	if (heap < 0)
		prime_skip("no heap negotiated (CONFIG_DMABUF_HEAPS_NEGOTIATED)");
	fd = check_ok(heap_alloc(heap, SIZE, O_RDWR | O_CLOEXEC, 0));
	close(heap);
	return fd;
}

static int make_mock(void)
{
	int mock = mock_open(0);
	int fd = check_ok(mock_dmabuf(mock, PAGES, PRIME_MOCK_DYNAMIC, NULL));

	close(mock);
	return fd;
}

static int make_camera(void)
{
	struct v4l2_queue q = v4l2_capture(V4L2_VMALLOC);
	int fd;

	check_ok(v4l2_request(&q, V4L2_MEMORY_MMAP, 2));
	fd = check_ok(v4l2_export(&q, 0, 0, O_RDWR | O_CLOEXEC));
	close(q.fd);
	return fd;
}

static const struct maker {
	const char *name;
	int (*make)(void);
} makers[] = {
	{ "drm", make_drm }, { "udmabuf", make_udmabuf },
	{ "system-heap", make_system_heap }, { "cma-heap", make_cma_heap },
	{ "negotiated-heap", make_negotiated }, { "prime_mock", make_mock },
	{ "camera", make_camera },
};

struct on_maker {
	int (*make)(void);
	void (*test)(int fd);
};

/* The test closes the fd. */
static void run_on_maker(void *data)
{
	const struct on_maker *on = data;
	int fd = on->make();

	fill_dmabuf(fd, SIZE, SEED);
	check_eq(count_buffers(), 1);
	on->test(fd);
	check_eq(settle_buffers(0), 0);
}

static void each_exporter(void (*test)(int fd))
{
	for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
		prime_dynamic(makers[i].name, run_on_maker,
			      &(struct on_maker){ makers[i].make, test });
}

/* --- a path --- */

static int open_path_of(pid_t pid, int fd)
{
	char link[64];
	int path;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, fd);
	path = open(link, O_PATH | O_CLOEXEC);
	check_ok(path < 0 ? -errno : 0);
	return path;
}

/* A path of the buffer of @fd, which is closed. Only the path is left. */
static int keep_by_path(int fd)
{
	int path = open_path_of(getpid(), fd);

	check_eq(inode_of(path), inode_of(fd));
	close(fd);
	return path;
}

/* A path names the buffer; it gives no access to it. */
static void check_no_access(int path)
{
	char link[64], name[128];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", path);
	check(readlink(link, name, sizeof(name)) >= 8);
	check(!strncmp(name, "/dmabuf:", 8));
	check(open(link, O_RDWR | O_CLOEXEC) < 0);
	check_eq(errno, ENXIO);
	check(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, path, 0) == MAP_FAILED);
	check_eq(errno, EBADF);
	check_error(dmabuf_set_name(path, "path"), EBADF);
	check_error(dmabuf_sync(path, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW), EBADF);
	check_eq(poll_events(path, POLLIN, 0), POLLNVAL);
	check_error(gem_import(open_device(), path), EBADF);
	snprintf(link, sizeof(link), "/proc/self/fdinfo/%d", path);
	free(read_text(link));
}

static void path_gives_no_access_on(int fd)
{
	int path = keep_by_path(fd);

	for (int i = 0; i < 20; i++) {
		check_no_access(path);
		free(read_text("/sys/kernel/debug/dma_buf/bufinfo"));
	}
	close(path);
}

/**
 * SUBTEST: path-gives-no-access
 * Description: A buffer of which only a path is left has a name and a number. It
 *  can't be opened, mapped, imported, polled or synced through the path.
 */
static void path_gives_no_access(void)
{
	each_exporter(path_gives_no_access_on);
}

static void path_is_listed_on(int fd)
{
	int path = keep_by_path(fd), second;

	check_eq(count_buffers(), 1);
	second = open_path_of(getpid(), path);
	close(path);
	check_eq(count_buffers(), 1);
	close(second);
}

/**
 * SUBTEST: path-is-listed
 * Description: As long as a path holds the memory of a buffer, debugfs
 *  dma_buf/bufinfo lists it.
 */
static void path_is_listed(void)
{
	each_exporter(path_is_listed_on);
}

static void link_of_another_process_on(int fd)
{
	uint64_t inode = inode_of(fd);
	pid_t pid = fork();
	int path;

	check(pid >= 0);
	if (!pid)
		for (;;)
			pause();
	close(fd);
	path = open_path_of(pid, fd);
	check_ok(kill(pid, SIGKILL) ? -errno : 0);
	check_eq(waitpid(pid, NULL, 0), pid);
	check_eq(inode_of(path), inode);
	check_no_access(path);
	close(path);
}

/**
 * SUBTEST: link-of-another-process
 * Description: A path is opened by the link in /proc/PID/fd of the process that has
 *  the only fd, and that process is killed. The path still names the buffer, and
 *  the last close frees it.
 */
static void link_of_another_process(void)
{
	each_exporter(link_of_another_process_on);
}

/* --- strangers, who get memory that was freed --- */

enum { STRANGERS = 900 };

struct strangers {
	int fds[STRANGERS];
	volatile char *maps[STRANGERS];
};

static void strangers_make(struct strangers *s)
{
	const struct rlimit limit = { STRANGERS + 100, STRANGERS + 100 };

	check_ok(setrlimit(RLIMIT_NOFILE, &limit) ? -errno : 0);
	for (int i = 0; i < STRANGERS; i++) {
		s->fds[i] = memfd_create("stranger", MFD_CLOEXEC);
		check_ok(s->fds[i] < 0 ? -errno : 0);
		check_ok(ftruncate(s->fds[i], PAGE) ? -errno : 0);
		s->maps[i] = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE, s->fds[i], 0);
		check(s->maps[i] != MAP_FAILED);
		*s->maps[i] = 'P';
	}
}

static void strangers_check(const struct strangers *s)
{
	int lost = 0;

	for (int i = 0; i < STRANGERS; i++)
		lost += *s->maps[i] != 'P';
	check_eq(lost, 0);
}

/*
 * Asks each shrinker to give back what it can. The page cache is left alone: DRM's shmem
 * helper does not mark pages as dirty that a process has written through a mapping, so
 * their content would be lost.
 */
static void press(void)
{
	int out;

	if (getenv("PRIME_KEEP_SYSTEM"))
		return;
	out = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	if (out < 0 || write(out, "2", 1) != 1)
		prime_skip("/proc/sys/vm/drop_caches: %s (root)", strerror(errno));
	close(out);
}

/* A process that takes half of the free memory, or less if its time is over. */
static void fill_memory(void)
{
	long want = meminfo_kb("MemAvailable:") / 2;
	pid_t pid = fork();

	if (want > 2 * 1024 * 1024)
		want = 2 * 1024 * 1024;

	if (!access("/proc/lockdep_stats", F_OK) && want > 128 * 1024)
		want = 128 * 1024;
	check(pid >= 0);
	if (!pid) {
		mmap(NULL, want * 1024, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		_exit(0);
	}
	check_eq(waitpid(pid, NULL, 0), pid);
}

static void path_and_strangers_on(int fd)
{
	static struct strangers strangers;
	int path = keep_by_path(fd);

	strangers_make(&strangers);
	fill_memory();
	for (int i = 0; i < 3; i++) {
		press();
		strangers_check(&strangers);
	}
	close(path);
	press();
	strangers_check(&strangers);
}

/**
 * SUBTEST: path-and-strangers
 * Description: The file of a buffer is freed while a path keeps its memory, and
 *  others get the memory of that file. Then memory runs short. Nothing of theirs is
 *  touched, before and after the buffer is freed.
 */
static void path_and_strangers(void)
{
	each_exporter(path_and_strangers_on);
}

/* --- a message --- */

static void message_on(int fd)
{
	uint64_t inode = inode_of(fd);
	int pair[2];

	check_ok(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) ? -errno : 0);
	for (int i = 0; i < 5; i++) {
		send_fds(pair[0], &fd, 1);
		close(fd);
		press();
		check_eq(count_buffers(), 1);
		fd = receive_fd(pair[1]);
		check_eq(inode_of(fd), inode);
		check_eq(filled_dmabuf(fd, SIZE, SEED), SIZE);
	}
	/* This one is never received. */
	send_fds(pair[0], &fd, 1);
	close(fd);
	check_eq(count_buffers(), 1);
	close(pair[0]);
	close(pair[1]);
}

/**
 * SUBTEST: message
 * Description: The only reference is in a message while memory runs short. The
 *  receiver gets the buffer and its content. A message that nobody receives ends
 *  with its sockets, and the buffer with it.
 */
static void message(void)
{
	each_exporter(message_on);
}

static void message_in_circle_on(int fd)
{
	int pair[2], fds[2];

	check_ok(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) ? -errno : 0);
	fds[0] = fd;
	fds[1] = pair[1];
	send_fds(pair[0], fds, 2);
	close(fd);
	check_eq(count_buffers(), 1);
	close(pair[1]);
	close(pair[0]);
	/* The sockets hold each other. The kernel looks for such circles at a close. */
	check_ok(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) ? -errno : 0);
	close(pair[0]);
	close(pair[1]);
}

/**
 * SUBTEST: message-in-circle
 * Description: The buffer is in a message together with the socket that the message
 *  is for, so both hold each other. The kernel's collector frees them.
 */
static void message_in_circle(void)
{
	each_exporter(message_in_circle_on);
}

/* --- another process --- */

static int take_from(pid_t pid, int fd)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0), got;

	check_ok(pidfd < 0 ? -errno : 0);
	got = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	check_ok(got < 0 ? -errno : 0);
	close(pidfd);
	return got;
}

/* The child has the only fd, gives it back whole, and keeps it until it is killed. */
static void held_by_child(pid_t pid, int fd, uint64_t inode)
{
	int back;

	close(fd);
	press();
	check_eq(count_buffers(), 1);
	back = take_from(pid, fd);
	check_eq(inode_of(back), inode);
	check_eq(filled_dmabuf(back, SIZE, SEED), SIZE);
	close(back);
	check_eq(count_buffers(), 1);
	check_ok(kill(pid, SIGKILL) ? -errno : 0);
	check_eq(waitpid(pid, NULL, 0), pid);
}

static void child_on(int fd)
{
	pid_t pid = fork();

	check(pid >= 0);
	if (!pid)
		for (;;)
			pause();
	held_by_child(pid, fd, inode_of(fd));
}

/**
 * SUBTEST: child
 * Description: A child has the only fd. The buffer and its content stay while memory
 *  runs short, and end when the child is killed.
 */
static void child(void)
{
	each_exporter(child_on);
}

static void program_on(int fd)
{
	char path[32], *name = NULL;
	double end = now() + 10;
	pid_t pid = fork();

	check(pid >= 0);
	if (!pid) {
		check_ok(fcntl(fd, F_SETFD, 0));
		execlp("sleep", "sleep", "100", NULL);
		_exit(127);
	}
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	while (!(name = read_text(path)) || strcmp(name, "sleep\n")) {
		free(name);
		check(now() < end);
		usleep(1000);
	}
	free(name);
	held_by_child(pid, fd, inode_of(fd));
}

/**
 * SUBTEST: program
 * Description: The same with a program that was started with the fd and does not
 *  know of it.
 */
static void program(void)
{
	each_exporter(program_on);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(path_gives_no_access),
	SUBTEST(path_is_listed),
	SUBTEST(link_of_another_process),
	SUBTEST(path_and_strangers),
	SUBTEST(message),
	SUBTEST(message_in_circle),
	SUBTEST(child),
	SUBTEST(program),
};

PRIME_MAIN(subtests)
