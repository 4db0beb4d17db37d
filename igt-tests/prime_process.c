// SPDX-License-Identifier: MIT
/**
 * TEST: prime process
 * Description: Exporter and importer are different processes. An fd that is passed
 *  by exec, fork or pidfd_getfd is imported on the other side and written to. Then
 *  the process ends, in one of several ways.
 */
#include "lib/prime_memory.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SIZE	(3 * PAGE)

/* A child, and the ends of a pipe from the child to the parent. */
struct child {
	pid_t pid;
	int mine, theirs;
};

static struct child start(void)
{
	struct child c;
	int ends[2];

	check_ok(pipe(ends) ? -errno : 0);
	c.mine = ends[0];
	c.theirs = ends[1];
	c.pid = fork();
	check(c.pid >= 0);
	if (c.pid) {
		close(c.theirs);
		c.theirs = -1;
	}
	return c;
}

/* The child tells a number, and the parent waits for it. */
static void tell(struct child *c, int number)
{
	check_eq(write(c->theirs, &number, sizeof(number)), sizeof(number));
}

static int told(struct child *c)
{
	int number;

	/* An end of file: the child has failed and said why. */
	if (read(c->mine, &number, sizeof(number)) != sizeof(number))
		prime_fail(__FILE__, __LINE__, "the other process has failed");
	return number;
}

static void await(struct child *c)
{
	int status;

	check_eq(waitpid(c->pid, &status, 0), c->pid);
	if (WIFEXITED(status) && WEXITSTATUS(status))
		_exit(WEXITSTATUS(status));
	check_eq(status, 0);
}

static void end(struct child *c)
{
	kill(c->pid, SIGKILL);
	check_eq(waitpid(c->pid, NULL, 0), c->pid);
}

/* What the other process does: import, compare the content, write its own. */
static void import_and_answer(int fd, uint32_t question, uint32_t answer)
{
	int other = open_other(), back;

	back = check_ok(gem_export(other, check_ok(gem_import(other, fd)),
				   DRM_CLOEXEC | DRM_RDWR));
	check_eq(inode_of(back), inode_of(fd));
	check_eq(filled_dmabuf(back, SIZE, question), SIZE);
	fill_dmabuf(back, SIZE, answer);
	close(back);
}

/**
 * SUBTEST: exec-imports
 * Description: A program that was started with the fd open imports it into another
 *  device. When the program ends, the attachment is gone and the content stays.
 */
static void exec_imports(void)
{
	const char *inherited = getenv("PRIME_INHERITED");
	int drm, fd, quiet;
	struct child c;
	char number[16];

	if (inherited) {
		import_and_answer(atoi(inherited), 1, 2);
		return;
	}
	drm = open_device();
	close(open_other());
	fd = check_ok(gem_export(drm, check_ok(gem_create(drm, 3)), DRM_RDWR));
	fill_dmabuf(fd, SIZE, 1);
	c = start();
	if (!c.pid) {
		snprintf(number, sizeof(number), "%d", fd);
		setenv("PRIME_INHERITED", number, 1);
		if (driver_name(drm)[0])
			setenv("IGT_FORCE_DRIVER", driver_name(drm), 1);
		/* There must be only one verdict for this subtest. */
		quiet = open("/dev/null", O_WRONLY);
		dup2(quiet, STDOUT_FILENO);
		dup2(quiet, STDERR_FILENO);
		execl("/proc/self/exe", "exec", "--run-subtest", "exec-imports",
		      NULL);
		_exit(127);
	}
	await(&c);
	check_eq(filled_dmabuf(fd, SIZE, 2), SIZE);
	check_eq(attachments_of(fd), 0);
}

/**
 * SUBTEST: fork-imports
 * Description: A child imports the fd that it has from fork. The parent closes
 *  everything, and only the child's import keeps the buffer and its content. When
 *  the child is killed, nothing is left.
 */
static void fork_imports(void)
{
	int before = count_buffers(), drm = open_device(), other = open_other();
	int fd = make_dmabuf(drm, 3, NULL);
	struct child c;

	fill_dmabuf(fd, SIZE, 3);
	close(other);
	c = start();
	if (!c.pid) {
		uint32_t handle;

		close(drm);
		other = open_other();
		handle = check_ok(gem_import(other, fd));
		close(fd);
		tell(&c, 1);
		while (count_buffers() != before + 1)
			usleep(1000);
		fd = check_ok(gem_export(other, handle, DRM_RDWR));
		check_eq(filled_dmabuf(fd, SIZE, 3), SIZE);
		close(fd);
		tell(&c, 2);
		for (;;)
			pause();
	}
	check_eq(told(&c), 1);
	close(fd);
	close(drm);
	check_eq(told(&c), 2);
	check_eq(count_buffers(), before + 1);
	end(&c);
	check_eq(settle_buffers(before), before);
}

/**
 * SUBTEST: fork-shares-the-device-file
 * Description: Parent and child share an open device file, and so its handles. An
 *  import in the child gives the parent's handle, and a close in the child closes
 *  the parent's handle. The parent's fd stays open.
 */
static void fork_shares_the_device_file(void)
{
	int drm = open_device(), other = open_other(), status;
	int fd = make_dmabuf(drm, 3, NULL);
	uint32_t handle = check_ok(gem_import(other, fd));
	struct child c;

	fill_dmabuf(fd, SIZE, 4);
	c = start();
	if (!c.pid) {
		check_eq(gem_import(other, fd), handle);
		check_ok(gem_close(other, handle));
		_exit(0);
	}
	check_eq(waitpid(c.pid, &status, 0), c.pid);
	check_eq(status, 0);
	check_error(gem_export(other, handle, 0), ENOENT);
	check_eq(attachments_of(fd), 0);
	check_eq(filled_dmabuf(fd, SIZE, 4), SIZE);
	check_ok(gem_import(other, fd));
	check_eq(attachments_of(fd), 1);
}

static int take(pid_t pid, int fd)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0), got;

	if (pidfd < 0)
		prime_skip("pidfd_open: %s", strerror(errno));
	got = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (got < 0)
		prime_skip("pidfd_getfd: %s", strerror(errno));
	close(pidfd);
	return got;
}

/**
 * SUBTEST: pidfd-getfd-imports
 * Description: A buffer is taken out of a running process, which does not notice,
 *  and is imported here and written to. The process sees the content. When it is
 *  killed, the import keeps the buffer.
 */
static void pidfd_getfd_imports(void)
{
	int before = count_buffers(), other = open_other(), fd;
	struct child c = start();
	uint64_t inode;
	uint32_t handle;

	if (!c.pid) {
		close(other);
		fd = any_dmabuf(3);
		fill_dmabuf(fd, SIZE, 5);
		tell(&c, fd);
		while (filled_dmabuf(fd, SIZE, 6) != SIZE)
			usleep(1000);
		tell(&c, 6);
		for (;;)
			pause();
	}
	fd = take(c.pid, told(&c));
	inode = inode_of(fd);
	handle = check_ok(gem_import(other, fd));
	check_eq(filled_dmabuf(fd, SIZE, 5), SIZE);
	fill_dmabuf(fd, SIZE, 6);
	close(fd);
	check_eq(told(&c), 6);
	end(&c);
	fd = check_ok(gem_export(other, handle, DRM_CLOEXEC | DRM_RDWR));
	check_eq(inode_of(fd), inode);
	check_eq(filled_dmabuf(fd, SIZE, 6), SIZE);
	close(fd);
	check_ok(gem_close(other, handle));
	check_eq(settle_buffers(before), before);
}

/**
 * SUBTEST: pidfd-getfd-of-the-importer
 * Description: The importer's device file is taken out of its process. The handle in
 *  it works here, also when that process has ended.
 */
static void pidfd_getfd_of_the_importer(void)
{
	int drm = open_device(), fd = make_dmabuf(drm, 3, NULL), other, back;
	uint32_t handle;
	struct child c;

	close(open_other());
	c = start();
	if (!c.pid) {
		other = open_other();
		tell(&c, other);
		tell(&c, check_ok(gem_import(other, fd)));
		for (;;)
			pause();
	}
	fill_dmabuf(fd, SIZE, 7);
	other = take(c.pid, told(&c));
	handle = told(&c);
	check_eq(gem_import(other, fd), handle);
	end(&c);
	check_eq(attachments_of(fd), 1);
	back = check_ok(gem_export(other, handle, DRM_CLOEXEC | DRM_RDWR));
	check_eq(inode_of(back), inode_of(fd));
	check_eq(filled_dmabuf(back, SIZE, 7), SIZE);
	close(other);
	check_eq(attachments_of(fd), 0);
	check_eq(filled_dmabuf(back, SIZE, 7), SIZE);
}

/**
 * SUBTEST: importer-killed-at-any-moment
 * Description: Importers are killed a little later each time, in the middle of what
 *  they do with the buffer. No attachment and no reference is left.
 */
static void importer_killed_at_any_moment(void)
{
	int drm = open_device(), fd = make_dmabuf(drm, 64, NULL), raced = 0;
	atomic_bool *uses = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char value[32], before[32];
	double until;

	check(uses != MAP_FAILED);
	close(open_other());
	check(fdinfo(fd, "count", before, sizeof(before)));
	for (int turn = 0; turn < 20 || (!raced && turn < 200); turn++) {
		struct child c = start();

		if (!c.pid) {
			tell(&c, 1);
			for (;;) {
				int other = open_other();
				uint32_t handle;

				atomic_store(uses, true);
				handle = check_ok(gem_import(other, fd));
				close(check_ok(gem_export(other, handle, 0)));
				check_ok(gem_close(other, handle));
				atomic_store(uses, false);
				close(other);
			}
		}
		check_eq(told(&c), 1);
		until = now() + turn * 0.0006;
		while (now() < until)
			;
		raced += atomic_load(uses);
		end(&c);
		close(c.mine);
		check_eq(attachments_of(fd), 0);
		atomic_store(uses, false);
	}
	printf("%d were killed while they used the buffer\n", raced);
	check(raced > 0);
	check(fdinfo(fd, "count", value, sizeof(value)));
	check_eq(atol(value), atol(before));
}

/* The line of /proc/PID/maps for dma-bufs, "" where there is none. */
static char *map_line(pid_t pid)
{
	char path[64], *text, *name, *start;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	text = read_text(path);
	check(text);
	name = strstr(text, "/dmabuf:");
	if (!name)
		return "";
	for (start = name; start > text && start[-1] != '\n';)
		start--;
	name[strcspn(name, "\n")] = '\0';
	return start;
}

/**
 * SUBTEST: maps-of-another-process
 * Description: A child has a mapping that the parent no longer has. The child's maps
 *  show it with name and inode, also if it was made through an import. A name that
 *  is set here is shown there. After exec the mapping is gone, and so is the buffer.
 */
static void maps_of_another_process(void)
{
	int before = count_buffers(), drm = open_device();
	int fd = make_dmabuf(drm, 3, NULL), quiet[2];
	char inode[32];
	struct child c;

	close(open_other());
	snprintf(inode, sizeof(inode), " %llu ",
		 (unsigned long long)inode_of(fd));
	check_ok(pipe(quiet) ? -errno : 0);
	c = start();
	if (!c.pid) {
		int other = open_other(), back;
		char byte;

		back = check_ok(gem_export(other,
					   check_ok(gem_import(other, fd)),
					   DRM_RDWR));
		map_dmabuf(back, SIZE);
		close(other);
		close(back);
		close(fd);
		close(drm);
		close(quiet[1]);
		tell(&c, 1);
		check_eq(read(quiet[0], &byte, 1), 1);
		execlp("sleep", "sleep", "60", NULL);
		_exit(127);
	}
	check_eq(told(&c), 1);
	check(strstr(map_line(c.pid), inode));
	check_ok(dmabuf_set_name(fd, "named here"));
	check(strstr(map_line(c.pid), "/dmabuf:named here"));
	close(fd);
	close(drm);
	check(strstr(map_line(c.pid), inode));
	check_eq(count_buffers(), before + 1);
	check_eq(write(quiet[1], "x", 1), 1);
	check_eq(settle_buffers(before), before);
	check(!*map_line(c.pid));
	end(&c);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(exec_imports),
	SUBTEST(fork_imports),
	SUBTEST(fork_shares_the_device_file),
	SUBTEST(pidfd_getfd_imports),
	SUBTEST(pidfd_getfd_of_the_importer),
	SUBTEST(importer_killed_at_any_moment),
	SUBTEST(maps_of_another_process),
};

PRIME_MAIN(subtests)
