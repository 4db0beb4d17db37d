// SPDX-License-Identifier: MIT
/**
 * TEST: dmabuf fd
 * Description: The file behind a dma-buf fd: its flags and rights, what /proc
 *  and debugfs tell of it, its size, mapping, ioctls, and its life over dup,
 *  fork, exec and a socket.
 */
#include "lib/prime_test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <linux/udmabuf.h>
#include <linux/dma-heap.h>
#include <libdrm/drm_fourcc.h>

#define DMABUF_MAGIC	0x444d4142
#define BUFINFO		"/sys/kernel/debug/dma_buf/bufinfo"

/* The exporter's name is its driver's own, or that of the common helpers. */
static void check_exporter(const char *name)
{
	int drm = open_device();
	const char *driver = driver_name(drm);

	if (!strcmp(driver, "vgem") || !strcmp(driver, "vkms"))
		check(!strcmp(name, "drm"));
	else
		check(*name);
	close(drm);
}

static void *map_shared(int fd, size_t length, int prot, off_t offset)
{
	return mmap(NULL, length, prot, MAP_SHARED, fd, offset);
}

static int map_errno(int fd, size_t length, int prot, off_t offset)
{
	void *map = map_shared(fd, length, prot, offset);

	if (map == MAP_FAILED)
		return -errno;
	munmap(map, length);
	return 0;
}

/* --- flags and rights --- */

/**
 * SUBTEST: cloexec
 * Description: DRM_CLOEXEC sets the flag on the fd. Without it the flag is not set.
 */
static void cloexec(void)
{
	int drm = open_device();
	uint32_t handle = check_ok(gem_create(drm, 1));

	check_eq(fcntl(check_ok(gem_export(drm, handle, DRM_CLOEXEC)), F_GETFD),
		 FD_CLOEXEC);
	check_eq(fcntl(check_ok(gem_export(drm, handle, 0)), F_GETFD), 0);
}

/**
 * SUBTEST: cloexec-over-exec
 * Description: After exec the fd with DRM_CLOEXEC is closed, and the other one is
 *  open.
 */
static void cloexec_over_exec(void)
{
	int drm = open_device(), status;
	uint32_t handle = check_ok(gem_create(drm, 1));
	int gone = check_ok(gem_export(drm, handle, DRM_CLOEXEC));
	int kept = check_ok(gem_export(drm, handle, 0));
	char script[128];
	pid_t pid;

	snprintf(script, sizeof(script),
		 "test -e /proc/self/fd/%d && ! test -e /proc/self/fd/%d",
		 kept, gone);
	pid = fork();
	if (!pid) {
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(1);
	}
	check_eq(waitpid(pid, &status, 0), pid);
	check_eq(status, 0);
}

/**
 * SUBTEST: access-mode
 * Description: With DRM_RDWR the fd is open for reading and writing, otherwise for
 *  reading only.
 */
static void access_mode(void)
{
	int drm = open_device(), fd;

	need_unexported(drm);
	fd = check_ok(gem_export(drm, check_ok(gem_create(drm, 1)), DRM_RDWR));
	check_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	fd = check_ok(gem_export(drm, check_ok(gem_create(drm, 1)), 0));
	check_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
}

/**
 * SUBTEST: access-mode-is-the-first-exports
 * Description: All fds of a buffer are one open file. So all have the access mode of
 *  the first export, as long as the buffer lives.
 */
static void access_mode_is_the_first_exports(void)
{
	int drm = open_device(), fd;
	uint32_t handle = check_ok(gem_create(drm, 1));

	need_unexported(drm);
	check_ok(gem_export(drm, handle, 0));
	fd = check_ok(gem_export(drm, handle, DRM_RDWR));
	check_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	handle = check_ok(gem_create(drm, 1));
	check_ok(gem_export(drm, handle, DRM_RDWR));
	fd = check_ok(gem_export(drm, handle, 0));
	check_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
}

/**
 * SUBTEST: readonly-export-mmap
 * Description: An fd exported without DRM_RDWR maps for reading only, and the
 *  mapping cannot be made writable afterwards.
 */
static void readonly_export_mmap(void)
{
	int drm = open_device(), fd;
	void *map;

	need_unexported(drm);
	fd = check_ok(gem_export(drm, check_ok(gem_create(drm, 1)), 0));
	need_mmap(fd);
	check_error(map_errno(fd, PAGE, PROT_READ | PROT_WRITE, 0), EACCES);
	check_error(map_errno(fd, PAGE, PROT_WRITE, 0), EACCES);
	map = map_shared(fd, PAGE, PROT_READ, 0);
	check(map != MAP_FAILED);
	check_error(mprotect(map, PAGE, PROT_READ | PROT_WRITE) ? -errno : 0,
		    EACCES);
}

/**
 * SUBTEST: readonly-export-ioctls
 * Description: The access mode limits mappings only: SYNC, names and fences work on
 *  a read-only fd.
 */
static void readonly_export_ioctls(void)
{
	int drm = open_device();
	int fd = check_ok(gem_export(drm, check_ok(gem_create(drm, 1)), 0));

	check_ok(dmabuf_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	check_ok(dmabuf_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
	check_ok(dmabuf_set_name(fd, "x"));
	check_ok(dmabuf_export_sync_file(fd, DMA_BUF_SYNC_WRITE));
}

/**
 * SUBTEST: no-read-no-write
 * Description: read and write give EINVAL and pread gives ESPIPE, since the file is
 *  no stream. Its size can't be changed.
 */
static void no_read_no_write(void)
{
	int fd = any_dmabuf(1), ends[2];
	loff_t offset = 0;
	char byte = 0;

	check_ok(pipe(ends));
	check_error(read(fd, &byte, 1) < 0 ? -errno : 0, EINVAL);
	check_error(write(fd, &byte, 1) < 0 ? -errno : 0, EINVAL);
	check_error(pread(fd, &byte, 1, 0) < 0 ? -errno : 0, ESPIPE);
	check_error(ftruncate(fd, 0) ? -errno : 0, EINVAL);
	check_error(ftruncate(fd, 2 * PAGE) ? -errno : 0, EINVAL);
	check(splice(fd, &offset, ends[1], NULL, 1, 0) < 0);
	check_error(fsync(fd) ? -errno : 0, EINVAL);
	check_eq(lseek(fd, 0, SEEK_END), PAGE);
}

/**
 * SUBTEST: no-reopen
 * Description: The file can't be opened again through /proc. Otherwise a program
 *  could get more rights.
 */
static void no_reopen(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", any_dmabuf(1));
	check_error(open(path, O_RDWR) < 0 ? -errno : 0, ENXIO);
	check_error(open(path, O_RDONLY) < 0 ? -errno : 0, ENXIO);
}

/* --- size and mapping --- */

/**
 * SUBTEST: seek
 * Description: Seeking only tells the size: SEEK_SET and SEEK_END with 0 work. Every
 *  other whence or offset gives EINVAL.
 */
static void seek(void)
{
	static const int whences[] = {
		SEEK_CUR, SEEK_DATA, SEEK_HOLE, 99,
	};
	int fd = any_dmabuf(3);

	check_eq(lseek(fd, 0, SEEK_END), 3 * PAGE);
	check_eq(lseek(fd, 0, SEEK_SET), 0);
	for (int i = 0; i < 4; i++)
		check_error(lseek(fd, 0, whences[i]) < 0 ? -errno : 0, EINVAL);
	for (int i = 0; i < 2; i++) {
		int whence = i ? SEEK_END : SEEK_SET;

		check_error(lseek(fd, 1, whence) < 0 ? -errno : 0, EINVAL);
		check_error(lseek(fd, -1, whence) < 0 ? -errno : 0, EINVAL);
		check_error(lseek(fd, PAGE, whence) < 0 ? -errno : 0, EINVAL);
		check_error(lseek(fd, INT64_MAX, whence) < 0 ? -errno : 0,
			    EINVAL);
	}
	check_eq(lseek(fd, 0, SEEK_END), 3 * PAGE);
}

/**
 * SUBTEST: stat-size
 * Description: fstat gives the size as well.
 */
static void stat_size(void)
{
	struct stat st;

	check_ok(fstat(any_dmabuf(5), &st));
	check_eq(st.st_size, 5 * PAGE);
}

/**
 * SUBTEST: mmap-bounds
 * Description: A mapping that lies inside the buffer works. One that reaches a page
 *  beyond it, starts behind it or wraps around is refused.
 */
static void mmap_bounds(void)
{
	int fd = any_dmabuf(4);

	need_mmap(fd);
	check_ok(map_errno(fd, 4 * PAGE, PROT_READ, 0));
	check_ok(map_errno(fd, 1, PROT_READ, 0));
	check_error(map_errno(fd, 5 * PAGE, PROT_READ, 0), EINVAL);
	check_error(map_errno(fd, 4 * PAGE + 1, PROT_READ, 0), EINVAL);
	check_error(map_errno(fd, 4 * PAGE, PROT_READ, PAGE), EINVAL);
	check_error(map_errno(fd, PAGE, PROT_READ, 4 * PAGE), EINVAL);
	check_error(map_errno(fd, PAGE, PROT_READ, 1ull << 40), EINVAL);
	check(map_errno(fd, 2 * PAGE, PROT_READ, -(off_t)PAGE) < 0);
	check_error(map_errno(fd, 0, PROT_READ, 0), EINVAL);
}

/* A mapping of the last pages shows the last pages. */
static void last_pages(int fd)
{
	char *whole, *tail;

	need_mmap(fd);
	check_ok(map_errno(fd, PAGE, PROT_READ, 3 * PAGE));
	whole = map_shared(fd, 4 * PAGE, PROT_READ | PROT_WRITE, 0);
	tail = map_shared(fd, 2 * PAGE, PROT_READ | PROT_WRITE, 2 * PAGE);
	check(whole != MAP_FAILED && tail != MAP_FAILED);
	for (int i = 0; i < 4; i++)
		whole[i * PAGE + 5] = 'a' + i;
	check_eq(tail[5], 'c');
	check_eq(tail[PAGE + 5], 'd');
	tail[PAGE + 6] = 'z';
	check_eq(whole[3 * PAGE + 6], 'z');
}

/**
 * SUBTEST: mmap-offset-of-gem
 * Description: A mapping of the last pages of a GEM buffer shows the last pages.
 */
static void mmap_offset_of_gem(void)
{
	last_pages(any_dmabuf(4));
}

/**
 * SUBTEST: mmap-split
 * Description: The first half of a mapping that nobody has touched is unmapped; the
 *  rest still shows the last pages.
 */
static void mmap_split(void)
{
	int fd = any_dmabuf(4);
	char *whole, *half;

	need_mmap(fd);
	whole = map_shared(fd, 4 * PAGE, PROT_READ | PROT_WRITE, 0);
	for (int i = 0; i < 4; i++)
		whole[i * PAGE] = 'a' + i;
	half = map_shared(fd, 4 * PAGE, PROT_READ, 0);
	check_ok(munmap(half, 2 * PAGE) ? -errno : 0);
	check_eq(half[2 * PAGE], 'c');
	check_eq(half[3 * PAGE], 'd');
}

static int heap_dmabuf(size_t length)
{
	struct dma_heap_allocation_data arg = {
		.len = length, .fd_flags = O_RDWR | O_CLOEXEC,
	};
	int dev = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC);

	if (dev < 0)
		prime_skip("/dev/dma_heap/system: %s", strerror(errno));
	check_ok(xioctl(dev, DMA_HEAP_IOCTL_ALLOC, &arg));
	return arg.fd;
}

/**
 * SUBTEST: mmap-offset-of-heap
 * Description: A mapping of the last pages of a heap's buffer shows the last pages.
 */
static void mmap_offset_of_heap(void)
{
	last_pages(heap_dmabuf(4 * PAGE));
}

/**
 * SUBTEST: mmap-outlives-fd
 * Description: A mapping keeps the buffer when the fd, the handle and the
 *  device file are closed.
 */
static void mmap_outlives_fd(void)
{
	int drm = open_device(), fd = make_dmabuf(drm, 2, NULL);
	char *map = map_shared(fd, 2 * PAGE, PROT_READ | PROT_WRITE, 0);

	need_mmap(fd);
	check(map != MAP_FAILED);
	map[PAGE] = 'm';
	close(fd);
	close(drm);
	check_eq(count_buffers(), 1);
	check_eq(map[PAGE], 'm');
	map[0] = 'n';
	munmap(map, 2 * PAGE);
	check_eq(settle_buffers(0), 0);
}

/**
 * SUBTEST: mmap-of-import
 * Description: The importer's own export maps the exporter's pages.
 */
static void mmap_of_import(void)
{
	int fd = any_dmabuf(2), other = open_other(), back;
	char *one, *two;

	need_mmap(fd);
	back = check_ok(gem_export(other, check_ok(gem_import(other, fd)),
				   DRM_RDWR | DRM_CLOEXEC));
	one = map_shared(fd, 2 * PAGE, PROT_READ | PROT_WRITE, 0);
	two = map_shared(back, 2 * PAGE, PROT_READ | PROT_WRITE, 0);
	check(one != MAP_FAILED && two != MAP_FAILED);
	one[PAGE + 1] = 'q';
	check_eq(two[PAGE + 1], 'q');
}

/* --- what the kernel tells --- */

/**
 * SUBTEST: fdinfo
 * Description: fdinfo tells the size in bytes, the reference count, the
 *  exporter and, once there is one, the name.
 */
static void fdinfo_fields(void)
{
	int fd = any_dmabuf(7);
	char value[128];

	check(fdinfo(fd, "size", value, sizeof(value)));
	check_eq(atol(value), 7 * PAGE);
	check(fdinfo(fd, "count", value, sizeof(value)));
	check(atol(value) >= 1);
	check(fdinfo(fd, "exp_name", value, sizeof(value)));
	check_exporter(value);
	check(!fdinfo(fd, "name", value, sizeof(value)));
	check_ok(dmabuf_set_name(fd, "picture"));
	check(fdinfo(fd, "name", value, sizeof(value)));
	check(!strcmp(value, "picture"));
}

/**
 * SUBTEST: fdinfo-count
 * Description: The count goes up with each further fd and down with its close.
 */
static void fdinfo_count(void)
{
	int drm = open_device();
	uint32_t handle;
	int fd = make_dmabuf(drm, 1, &handle), more[3];
	char value[32];
	long before;

	check(fdinfo(fd, "count", value, sizeof(value)));
	before = atol(value);
	more[0] = dup(fd);
	more[1] = check_ok(gem_export(drm, handle, DRM_CLOEXEC));
	more[2] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	check(fdinfo(fd, "count", value, sizeof(value)));
	check_eq(atol(value), before + 3);
	for (int i = 0; i < 3; i++)
		close(more[i]);
	check(fdinfo(fd, "count", value, sizeof(value)));
	check_eq(atol(value), before);
}

/**
 * SUBTEST: filesystem-magic
 * Description: fstatfs says which filesystem it is, so a program can tell a
 *  dma-buf from any other fd.
 */
static void filesystem_magic(void)
{
	struct statfs fs;

	check_ok(fstatfs(any_dmabuf(1), &fs));
	check_eq(fs.f_type, DMABUF_MAGIC);
}

/**
 * SUBTEST: inode-unique
 * Description: Each buffer has an inode number of its own, the same on every fd and
 *  device. kcmp agrees about which fds are one file.
 */
static void inode_unique(void)
{
	enum { COUNT = 32 };
	int drm = open_device(), other = open_other(), fd[COUNT];
	uint32_t handle;

	for (int i = 0; i < COUNT; i++) {
		int again;

		fd[i] = make_dmabuf(drm, 1, &handle);
		for (int j = 0; j < i; j++)
			check(inode_of(fd[j]) != inode_of(fd[i]));
		again = check_ok(gem_export(other,
				check_ok(gem_import(other, fd[i])), 0));
		check_eq(inode_of(again), inode_of(fd[i]));
		check_eq(syscall(SYS_kcmp, getpid(), getpid(), 0, fd[i], again),
			 0);
		close(again);
	}
}

/**
 * SUBTEST: proc-fd-link
 * Description: The link in /proc/self/fd begins with /dmabuf: and ends in the
 *  name.
 */
static void proc_fd_link(void)
{
	int fd = any_dmabuf(1);
	char path[64], link[128] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	check(readlink(path, link, sizeof(link) - 1) > 0);
	check(!strncmp(link, "/dmabuf:", 8));
	check_ok(dmabuf_set_name(fd, "frame 3"));
	memset(link, 0, sizeof(link));
	check(readlink(path, link, sizeof(link) - 1) > 0);
	check(!strcmp(link, "/dmabuf:frame 3"));
}

/**
 * SUBTEST: maps
 * Description: A mapping is in /proc/self/maps, with the buffer's inode and with the
 *  name that the buffer has at the moment of reading.
 */
static void maps(void)
{
	int fd = any_dmabuf(1);
	char *text, inode[32];
	void *map;

	need_mmap(fd);
	map = map_shared(fd, PAGE, PROT_READ, 0);
	check(map != MAP_FAILED);
	text = read_text("/proc/self/maps");
	check(text && strstr(text, "/dmabuf:\n"));
	free(text);
	check_ok(dmabuf_set_name(fd, "shown"));
	text = read_text("/proc/self/maps");
	check(text && strstr(text, "/dmabuf:shown\n"));
	snprintf(inode, sizeof(inode), " %llu ",
		 (unsigned long long)inode_of(fd));
	check(strstr(text, inode));
	munmap(map, PAGE);
	text = read_text("/proc/self/maps");
	check(text && !strstr(text, "/dmabuf:"));
}

/* The block of bufinfo that holds the inode; "" where there is none. */
static char *bufinfo_block(int fd)
{
	char *text = read_text(BUFINFO), *block, *end;
	char inode[32];

	if (!text)
		prime_skip("%s: %s", BUFINFO, strerror(errno));
	snprintf(inode, sizeof(inode), "\t%08llu\t",
		 (unsigned long long)inode_of(fd));
	block = strstr(text, inode);
	if (!block)
		return calloc(1, 1);
	while (block > text && block[-1] != '\n')
		block--;
	end = strstr(block, "\n\n");
	if (end)
		*end = '\0';
	return block;
}

/**
 * SUBTEST: bufinfo
 * Description: debugfs lists the buffer with its size, exporter and name, until it
 *  is freed.
 */
static void bufinfo(void)
{
	int drm = open_device();
	uint32_t handle;
	int fd = make_dmabuf(drm, 3, &handle);
	char *block, exporter[64], column[80];
	long size;

	check(fdinfo(fd, "exp_name", exporter, sizeof(exporter)));
	snprintf(column, sizeof(column), "\t%s\t", exporter);
	check_ok(dmabuf_set_name(fd, "listed-here"));
	block = bufinfo_block(fd);
	size = strtol(block, NULL, 10);
	check_eq(size, 3 * PAGE);
	check(strstr(block, column));
	check(strstr(block, "listed-here"));
	check_eq(count_buffers(), 1);
	check_ok(gem_close(drm, handle));
	close(fd);
	check_eq(settle_buffers(0), 0);
}

/**
 * SUBTEST: exporter-named
 * Description: fdinfo has a line, and bufinfo a last column, with the name of the
 *  driver whose buffer it is, also when its device file is closed.
 */
static void exporter_named(void)
{
	int drm = open_device(), fd = make_dmabuf(drm, 1, NULL);
	char value[64], column[80], *block, *end;
	const char *driver = driver_name(drm);

	close(drm);
	check(fdinfo(fd, "exporter", value, sizeof(value)));
	check(!strcmp(value, driver));
	check_ok(dmabuf_set_name(fd, "a name"));
	block = bufinfo_block(fd);
	end = strchr(block, '\n');
	check(end);
	*end = '\0';
	snprintf(column, sizeof(column), "\ta name\t%s", driver);
	check(strstr(block, column));
	check(!strcmp(strrchr(block, '\t') + 1, driver));
}

/**
 * SUBTEST: bufinfo-attachments
 * Description: debugfs names the device that imported the buffer, until that handle
 *  is closed.
 */
static void bufinfo_attachments(void)
{
	int fd = any_dmabuf(1), other = open_other();
	const char *name = driver_name(other);
	uint32_t handle;
	char *list;

	check(strstr(bufinfo_block(fd), "Total 0 devices attached"));
	handle = check_ok(gem_import(other, fd));
	list = strstr(bufinfo_block(fd), "Attached Devices:\n");
	check(list);
	check(strstr(list, name));
	check(strstr(list, "Total 1 devices attached"));
	check_ok(gem_close(other, handle));
	check(strstr(bufinfo_block(fd), "Total 0 devices attached"));
}

/**
 * SUBTEST: bufinfo-fences
 * Description: debugfs shows a fence that is pending on the buffer.
 */
static bool names_fence(const char *block)
{
	/* The first line ends with the driver's name. */
	const char *rest = strchr(block, '\n');

	return rest && (strstr(rest, "sw_sync") || strstr(rest, "vgem"));
}

static void bufinfo_fences(void)
{
	int fd = any_dmabuf(1), timeline = sw_timeline();

	check(!names_fence(bufinfo_block(fd)));
	check_ok(dmabuf_import_sync_file(fd, DMA_BUF_SYNC_WRITE,
					 sw_fence(timeline, 1)));
	check(names_fence(bufinfo_block(fd)));
	sw_advance(timeline, 1);
}

/**
 * SUBTEST: bufinfo-total
 * Description: The last line counts the buffers and adds up their sizes.
 */
static void read_total(long long *objects, long long *bytes)
{
	char *text = read_text(BUFINFO), *total;

	if (!text)
		prime_skip("%s: %s", BUFINFO, strerror(errno));
	for (total = NULL; (text = strstr(text, "\nTotal ")); text++)
		total = text;
	check(total);
	check_eq(sscanf(total, "\nTotal %lld objects, %lld bytes\n", objects,
			bytes), 2);
}

static void bufinfo_total(void)
{
	long long objects, bytes, more, larger;
	int drm = open_device();

	read_total(&objects, &bytes);
	make_dmabuf(drm, 1, NULL);
	make_dmabuf(drm, 2, NULL);
	read_total(&more, &larger);
	check_eq(more, objects + 2);
	check_eq(larger, bytes + 3 * PAGE);
}

/**
 * SUBTEST: inode-is-new
 * Description: A new buffer inherits nothing from the buffer before it on this
 *  processor: inode number, size, owner, mode and times are its own, and nobody
 *  watches it.
 */
static void inode_is_new(void)
{
	int drm = open_device(), watch = inotify_init1(IN_NONBLOCK);
	struct timespec long_ago[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	time_t start = time(NULL);
	char path[64], events[4096];
	uint64_t last = 0;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	check_ok(sched_setaffinity(0, sizeof(set), &set) ? -errno : 0);
	for (unsigned int i = 0; i < 20; i++) {
		uint32_t handle;
		int fd = make_dmabuf(drm, 1 + i % 3, &handle);
		struct stat st;

		check_ok(fstat(fd, &st) ? -errno : 0);
		check(st.st_ino > last);
		last = st.st_ino;
		check_eq(st.st_size, (1 + i % 3) * PAGE);
		check_eq(st.st_mode, 0600);
		check_eq(st.st_uid, geteuid());
		check_eq(st.st_gid, getegid());
		check(st.st_mtime >= start - 1 && st.st_atime >= start - 1 &&
		      st.st_ctime >= start - 1);

		check_ok(fchmod(fd, 0777) ? -errno : 0);
		check(read(watch, events, sizeof(events)) < 0);
		check_ok(futimens(fd, long_ago) ? -errno : 0);
		if (!geteuid())
			check_ok(fchown(fd, 1, 1) ? -errno : 0);
		check_ok(flock(fd, LOCK_EX) ? -errno : 0);
		if (i % 4 == 3) {
			snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
			check(inotify_add_watch(watch, path, IN_ALL_EVENTS) >= 0);
			check_ok(fchmod(fd, 0700) ? -errno : 0);
			check(read(watch, events, sizeof(events)) > 0);
		}
		close(fd);
		check_ok(gem_close(drm, handle));
		while (read(watch, events, sizeof(events)) > 0)
			;
	}
}

/* --- names --- */

/**
 * SUBTEST: name-length
 * Description: A name of 31 characters is accepted. One of 32 is refused and leaves
 *  the old name. An empty name is accepted, too.
 */
static void name_length(void)
{
	static const char fits[] = "0123456789abcdef0123456789abcde";
	static const char over[] = "0123456789abcdef0123456789abcdef";
	int fd = any_dmabuf(1);
	char value[64], *longer;

	_Static_assert(sizeof(fits) == DMA_BUF_NAME_LEN, "fits to the byte");
	check_ok(dmabuf_set_name(fd, fits));
	check(fdinfo(fd, "name", value, sizeof(value)));
	check(!strcmp(value, fits));
	check_error(dmabuf_set_name(fd, over), EINVAL);
	longer = malloc(1 << 16);
	memset(longer, 'x', 1 << 16);
	longer[(1 << 16) - 1] = '\0';
	check_error(dmabuf_set_name(fd, longer), EINVAL);
	check(fdinfo(fd, "name", value, sizeof(value)));
	check(!strcmp(value, fits));
	check_ok(dmabuf_set_name(fd, ""));
	check(fdinfo(fd, "name", value, sizeof(value)));
	check(!strcmp(value, ""));
}

/**
 * SUBTEST: name-efault
 * Description: A name that can't be read gives EFAULT and leaves the old one, even
 *  if only its end can't be read.
 */
static void name_efault(void)
{
	int fd = any_dmabuf(1);
	char value[64], *edge;

	check_ok(dmabuf_set_name(fd, "kept"));
	check_error(dmabuf_set_name(fd, NULL), EFAULT);
	check_error(dmabuf_set_name(fd, (char *)8), EFAULT);
	check_error(dmabuf_set_name(fd, (char *)-4096), EFAULT);
	edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(edge != MAP_FAILED);
	memset(edge + PAGE - 4, 'e', 4);
	munmap(edge + PAGE, PAGE);
	check_error(dmabuf_set_name(fd, edge + PAGE - 4), EFAULT);
	check(fdinfo(fd, "name", value, sizeof(value)));
	check(!strcmp(value, "kept"));
}

/**
 * SUBTEST: name-replaced
 * Description: A later name replaces the first, through any fd, and two
 *  buffers may share a name.
 */
static void name_replaced(void)
{
	int fd = any_dmabuf(1), twin = any_dmabuf(1);
	char value[64];

	check_ok(dmabuf_set_name(fd, "one"));
	check_ok(dmabuf_set_name(dup(fd), "two"));
	check_ok(dmabuf_set_name(twin, "two"));
	check(fdinfo(fd, "name", value, sizeof(value)));
	check(!strcmp(value, "two"));
	check(fdinfo(twin, "name", value, sizeof(value)));
	check(!strcmp(value, "two"));
}

/**
 * SUBTEST: name-while-imported
 * Description: A name may be set and changed while a device is attached.
 */
static void name_while_imported(void)
{
	int fd = any_dmabuf(1), other = open_other();
	char value[64];

	check_ok(gem_import(other, fd));
	check_ok(dmabuf_set_name(fd, "attached"));
	check(fdinfo(fd, "name", value, sizeof(value)));
	check(!strcmp(value, "attached"));
}

/**
 * SUBTEST: name-a-and-b
 * Description: The two encodings of SET_NAME do the same.
 */
static void name_a_and_b(void)
{
	int fd = any_dmabuf(1);
	char value[64];

	check_ok(xioctl(fd, DMA_BUF_SET_NAME_A, "first"));
	check(fdinfo(fd, "name", value, sizeof(value)));
	check(!strcmp(value, "first"));
	check_ok(xioctl(fd, DMA_BUF_SET_NAME_B, "second"));
	check(fdinfo(fd, "name", value, sizeof(value)));
	check(!strcmp(value, "second"));
}

/* --- ioctls --- */

/**
 * SUBTEST: unknown-ioctl
 * Description: Another number, type or size gives ENOTTY.
 */
static void unknown_ioctl(void)
{
	int fd = any_dmabuf(1);
	struct dma_buf_sync arg = { .flags = DMA_BUF_SYNC_RW };

	check_error(xioctl(fd, _IO(DMA_BUF_BASE, 77), NULL), ENOTTY);
	check_error(xioctl(fd, _IO('z', 0), NULL), ENOTTY);
	check_error(xioctl(fd, _IOW(DMA_BUF_BASE, 0, uint32_t), &arg), ENOTTY);
	check_error(xioctl(fd, _IOR(DMA_BUF_BASE, 0, struct dma_buf_sync), &arg),
		    ENOTTY);
	check_error(xioctl(fd, DRM_IOCTL_VERSION, &arg), ENOTTY);
}

/**
 * SUBTEST: sync-bad-flags
 * Description: Unknown bits give EINVAL, and so does a call without a direction.
 */
static void sync_bad_flags(void)
{
	int fd = any_dmabuf(1);

	for (int bit = 3; bit < 64; bit++) {
		check_error(dmabuf_sync(fd, 1ull << bit), EINVAL);
		check_error(dmabuf_sync(fd, 1ull << bit | DMA_BUF_SYNC_RW),
			    EINVAL);
	}
	check_error(dmabuf_sync(fd, DMA_BUF_SYNC_START), EINVAL);
	check_error(dmabuf_sync(fd, DMA_BUF_SYNC_END), EINVAL);
}

/**
 * SUBTEST: sync-efault
 * Description: An argument that can't be read gives EFAULT.
 */
static void sync_efault(void)
{
	int fd = any_dmabuf(1);

	check_error(xioctl(fd, DMA_BUF_IOCTL_SYNC, NULL), EFAULT);
	check_error(xioctl(fd, DMA_BUF_IOCTL_SYNC, (void *)8), EFAULT);
}

/**
 * SUBTEST: sync-directions
 * Description: Begin and end work for each direction on an idle buffer, also
 *  nested, and from a read-only argument.
 */
static void sync_directions(void)
{
	int fd = any_dmabuf(1);
	struct dma_buf_sync arg = { .flags = DMA_BUF_SYNC_RW };
	void *page;

	for (uint64_t way = DMA_BUF_SYNC_READ; way <= DMA_BUF_SYNC_RW; way++) {
		check_ok(dmabuf_sync(fd, DMA_BUF_SYNC_START | way));
		check_ok(dmabuf_sync(fd, DMA_BUF_SYNC_START | way));
		check_ok(dmabuf_sync(fd, DMA_BUF_SYNC_END | way));
		check_ok(dmabuf_sync(fd, DMA_BUF_SYNC_END | way));
	}
	page = readonly_page(&arg, sizeof(arg));
	check_ok(xioctl(fd, DMA_BUF_IOCTL_SYNC, page));
}

/* --- passing it on --- */

static void await(pid_t pid)
{
	int status;

	check_eq(waitpid(pid, &status, 0), pid);
	check_eq(status, 0);
}

/**
 * SUBTEST: scm-rights
 * Description: An fd that is passed over a socket is the same buffer for the
 *  receiver. It imports the buffer, and each side sees the bytes of the other one.
 */
static void scm_rights(void)
{
	int ends[2], fd;
	char *map;
	pid_t pid;

	need_mmap(any_dmabuf(1));
	close(open_other());
	check_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	pid = fork();
	if (!pid) {
		int got, other = open_other(), back;

		close(ends[0]);
		got = receive_fd(ends[1]);
		back = check_ok(gem_export(other,
				check_ok(gem_import(other, got)), DRM_RDWR));
		map = map_shared(back, PAGE, PROT_READ | PROT_WRITE, 0);
		check(map != MAP_FAILED);
		check_eq(map[9], 'p');
		map[10] = 'c';
		_exit(0);
	}
	fd = any_dmabuf(1);
	map = map_shared(fd, PAGE, PROT_READ | PROT_WRITE, 0);
	check(map != MAP_FAILED);
	map[9] = 'p';
	send_fds(ends[0], &fd, 1);
	await(pid);
	check_eq(map[10], 'c');
}

/**
 * SUBTEST: scm-rights-in-flight
 * Description: A buffer whose only reference is in an unread message stays. It is
 *  freed with the socket.
 */
static void scm_rights_in_flight(void)
{
	int drm = open_device(), fd = make_dmabuf(drm, 1, NULL), ends[2];
	uint64_t inode = inode_of(fd);

	check_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	send_fds(ends[0], &fd, 1);
	close(fd);
	close(drm);
	check_eq(settle_buffers(1), 1);
	fd = receive_fd(ends[1]);
	check_eq(inode_of(fd), inode);
	send_fds(ends[0], &fd, 1);
	close(fd);
	close(ends[0]);
	close(ends[1]);
	check_eq(settle_buffers(0), 0);
}

/* --- who holds a buffer --- */

#define HOLDERS		"/sys/kernel/debug/dma_buf/holders"

/*
 * Whether debugfs lists the buffer with a line of the holder, of this process or of none.
 * There must not be two of them, nor a process with an attachment. All references that
 * the buffer and its objects have must be found.
 */
static bool held_by(uint64_t inode, const char *holder)
{
	char *text = read_text(HOLDERS), *line, *save, start[40], wanted[120], of_me[120];
	unsigned int held = 0;
	bool ours = false;
	long has, found;

	if (!text)
		prime_skip("%s: %s", HOLDERS, strerror(errno));
	snprintf(start, sizeof(start), "buffer %llu: ", (unsigned long long)inode);
	snprintf(of_me, sizeof(of_me), " in %d (", getpid());
	snprintf(wanted, sizeof(wanted), "\t%s", holder);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *sums = strrchr(line, ':');

		if (line[0] != '\t')
			ours = !strncmp(line, start, strlen(start));
		if (!ours)
			continue;
		printf("%s\n", line);
		if (sums && sscanf(sums, ": %ld references, %ld found", &has, &found) == 2) {
			check_eq(found, has);
			continue;
		}
		if (!strncmp(line, "\tattachment ", 12))
			check(!strstr(line, " in "));
		held += !strncmp(line, wanted, strlen(wanted)) &&
			(!strstr(line, " in ") || strstr(line, of_me));
	}
	free(text);
	check(held <= 1);
	return held;
}

/**
 * SUBTEST: holders-fd
 * Description: debugfs names the process and the number of an fd, also of a second
 *  process, and finds all references.
 */
static void holders_fd(void)
{
	int drm = open_device(), fd = make_dmabuf(drm, 1, NULL), copy, ends[2];
	uint64_t inode = inode_of(fd);
	char holder[40], byte = 0;
	pid_t pid;

	copy = dup(fd);
	check(copy >= 0);
	check_ok(pipe(ends));
	pid = fork();
	if (!pid) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) ? 1 : 0);
	}
	snprintf(holder, sizeof(holder), "fd %d in ", fd);
	check(held_by(inode, holder));
	snprintf(holder, sizeof(holder), "fd %d in ", copy);
	check(held_by(inode, holder));
	close(ends[1]);
	await(pid);
	close(copy);
	check(!held_by(inode, holder));
}

/**
 * SUBTEST: holders-path
 * Description: debugfs lists a path (O_PATH). It is no reference to the buffer's file, and
 *  stays in the list when the file has been closed.
 */
static void holders_path(void)
{
	int drm = open_device(), fd = make_dmabuf(drm, 1, NULL), path;
	uint64_t inode = inode_of(fd);
	char holder[40];

	snprintf(holder, sizeof(holder), "/proc/self/fd/%d", fd);
	path = open(holder, O_PATH | O_CLOEXEC);
	check(path >= 0);
	snprintf(holder, sizeof(holder), "fd %d in ", path);
	check(held_by(inode, holder));
	close(fd);
	close(drm);
	check(held_by(inode, holder));
}

/**
 * SUBTEST: holders-name
 * Description: A process whose name looks like lines of the list forges none.
 */
static void holders_name(void)
{
	int fd = any_dmabuf(1);
	char holder[40], *text;

	check(!prctl(PR_SET_NAME, "a\n\tfd 1"));
	snprintf(holder, sizeof(holder), "fd %d in ", fd);
	check(held_by(inode_of(fd), holder));
	text = read_text(HOLDERS);
	check(text && strstr(text, "(a\\n\\tfd 1)") && !strstr(text, "(a\n"));
	free(text);
}

#define COPIES	600

/**
 * SUBTEST: holders-many
 * Description: debugfs lists more fds than fit into the first array and the first page,
 *  and more than one buffer.
 */
static void holders_many(void)
{
	int fd = any_dmabuf(1), second = any_dmabuf(1), copies[COPIES];
	char holder[40];

	snprintf(holder, sizeof(holder), "fd %d in ", second);
	check(held_by(inode_of(second), holder));
	for (int i = 0; i < COPIES; i++) {
		copies[i] = dup(fd);
		check(copies[i] >= 0);
	}
	for (int i = 0; i < COPIES; i += COPIES - 1) {
		snprintf(holder, sizeof(holder), "fd %d in ", copies[i]);
		check(held_by(inode_of(fd), holder));
	}
}

struct alone {
	pthread_barrier_t barrier;
	int fd, copy;
};

static void *keeps_alone(void *data)
{
	struct alone *alone = data;

	alone->copy = unshare(CLONE_FILES) ? -errno : dup(alone->fd);
	pthread_barrier_wait(&alone->barrier);
	pthread_barrier_wait(&alone->barrier);
	return NULL;
}

/**
 * SUBTEST: holders-thread
 * Description: debugfs finds an fd that only one thread of the process has, and lists a
 *  mapping of the process once.
 */
static void holders_thread(void)
{
	struct alone alone = { .fd = any_dmabuf(1) };
	uint64_t inode = inode_of(alone.fd);
	void *map = map_shared(alone.fd, PAGE, PROT_READ, 0);
	pthread_t thread;
	char holder[40];

	check_ok(pthread_barrier_init(&alone.barrier, NULL, 2));
	check_ok(pthread_create(&thread, NULL, keeps_alone, &alone));
	pthread_barrier_wait(&alone.barrier);
	check_ok(alone.copy);
	close(alone.fd);
	snprintf(holder, sizeof(holder), "fd %d in ", alone.copy);
	check(held_by(inode, holder));
	check_eq(held_by(inode, "mapping "), map != MAP_FAILED);
	pthread_barrier_wait(&alone.barrier);
	check_ok(pthread_join(thread, NULL));
}

static unsigned int busy_locks(void)
{
	char *text = read_text(HOLDERS), *last;
	unsigned int busy = 0;

	if (!text)
		prime_skip("%s: %s", HOLDERS, strerror(errno));
	last = strstr(text, " locks were busy");
	check(last);
	while (last > text && last[-1] != '\n')
		last--;
	check_eq(sscanf(last, "%u", &busy), 1);
	free(text);
	return busy;
}

/**
 * SUBTEST: holders-busy
 * Description: A reader does not wait for a process whose mappings change. It counts the
 *  lock that it did not get.
 */
static void holders_busy(void)
{
	const size_t size = 64 << 20;
	double end = now() + 40;	/* less than the limit of a subtest */
	unsigned int busy = 0;
	int status;
	pid_t pid;

	busy_locks();
	pid = fork();
	if (!pid) {
		/* A fork has the lock for as long as it copies the table of pages. */
		if (mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
			_exit(1);
		for (;;) {
			pid = fork();
			if (!pid)
				_exit(0);
			waitpid(pid, &status, 0);
		}
	}
	while (!busy && now() < end)
		busy = busy_locks();
	kill(pid, SIGKILL);
	check_eq(waitpid(pid, &status, 0), pid);
	check(busy);
}

#define ENDED	100

static bool slab_settles(const char *name, long most)
{
	double end = now() + 5;

	while (slab_objects(name) > most)
		if (now() > end)
			return false;
	return true;
}

/**
 * SUBTEST: holders-ended
 * Description: A reader keeps nothing of the processes that it looked at, and does not
 *  keep DRM.
 */
static void holders_ended(void)
{
	char *users = read_text("/sys/module/drm/refcnt"), *then;
	long tasks, memories;
	int status;
	pid_t pid;

	busy_locks();
	tasks = slab_objects("task_struct");
	memories = slab_objects("mm_struct");
	for (int i = 0; i < ENDED; i++) {
		pid = fork();
		if (!pid)
			pause();
		busy_locks();
		kill(pid, SIGKILL);
		check_eq(waitpid(pid, &status, 0), pid);
	}
	check(slab_settles("task_struct", tasks + ENDED / 2));
	check(slab_settles("mm_struct", memories + ENDED / 2));
	then = read_text("/sys/module/drm/refcnt");
	check(!users || (then && !strcmp(users, then)));
}

/**
 * SUBTEST: holders-mapping
 * Description: debugfs names the process that has a mapping and no fd, and one that has
 *  mapped the object of the buffer by its device.
 */
static void holders_mapping(void)
{
	struct drm_mode_map_dumb dumb = { };
	int drm = open_device(), fd = make_dmabuf(drm, 1, &dumb.handle);
	uint64_t inode = inode_of(fd);
	void *map;

	need_mmap(fd);
	check(!held_by(inode, "mapping "));
	if (!xioctl(drm, DRM_IOCTL_MODE_MAP_DUMB, &dumb)) {
		map = map_shared(drm, PAGE, PROT_READ, dumb.offset);
		check(map != MAP_FAILED);
		check(held_by(inode, "mapping "));
		check(!munmap(map, PAGE));
		check(!held_by(inode, "mapping "));
	}
	check(map_shared(fd, PAGE, PROT_READ, 0) != MAP_FAILED);
	close(fd);
	check(held_by(inode, "mapping "));
}

/**
 * SUBTEST: holders-message
 * Description: debugfs names the process with a message that nobody has read, and
 *  finds one in a connection that nobody has accepted.
 */
static void holders_message(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0dmabuf_fd" };
	int drm = open_device(), fd = make_dmabuf(drm, 1, NULL), ends[2], listener, sender;
	const int twice[] = { fd, fd };
	uint64_t inode = inode_of(fd);

	check_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	check(!held_by(inode, "message "));
	send_fds(ends[0], twice, 2);
	check(held_by(inode, "message 0 "));
	check(held_by(inode, "message 1 "));
	close(ends[1]);
	check(!held_by(inode, "message "));

	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	sender = socket(AF_UNIX, SOCK_STREAM, 0);
	check_ok(bind(listener, (struct sockaddr *)&name, sizeof(name)));
	check_ok(listen(listener, 1));
	check_ok(connect(sender, (struct sockaddr *)&name, sizeof(name)));
	send_fds(sender, &fd, 1);
	close(fd);
	check(held_by(inode, "message "));
}

/**
 * SUBTEST: holders-handle
 * Description: debugfs names process and device of a handle of another device that
 *  alone holds the buffer, and the attachment.
 */
static void holders_handle(void)
{
	int drm = open_device(), other = open_other(), ends[2];
	uint32_t handle, import;
	int fd = make_dmabuf(drm, 1, &handle);
	uint64_t inode = inode_of(fd);
	char holder[80], seen = 0;
	pid_t pid;

	snprintf(holder, sizeof(holder), "handle %u of %s minor ", handle, driver_name(drm));
	check(held_by(inode, holder));
	/* A file that two processes have open is shown for both. One looks at a time. */
	check_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	pid = fork();
	if (!pid) {
		close(ends[0]);
		seen = held_by(inode, holder);
		_exit(write(ends[1], &seen, 1) != 1 || read(ends[1], &seen, 1));
	}
	close(ends[1]);
	check_eq(read(ends[0], &seen, 1), 1);
	check(seen && held_by(inode, holder));
	close(ends[0]);
	await(pid);
	check_ok(gem_close(drm, handle));
	close(drm);
	check(!held_by(inode, holder));
	import = import_foreign(other, fd);
	close(fd);
	snprintf(holder, sizeof(holder), "handle %u of %s minor ", import, driver_name(other));
	check(held_by(inode, holder));
	check(held_by(inode, "attachment 0 of "));
	check_ok(gem_close(other, import));
	check(!held_by(inode, "attachment "));
}

/**
 * SUBTEST: holders-framebuffer
 * Description: debugfs names process and device of a framebuffer that has the
 *  buffer's object when the handle is closed.
 */
static void holders_framebuffer(void)
{
	int drm = open_device(), fd, ret;
	struct drm_mode_fb_cmd2 fb = {
		.width = 64, .height = 16, .pixel_format = DRM_FORMAT_XRGB8888, .pitches = { PAGE },
	};
	uint64_t inode;
	char holder[80];

	fd = make_dmabuf(drm, 16, &fb.handles[0]);
	inode = inode_of(fd);
	ret = xioctl(drm, DRM_IOCTL_MODE_ADDFB2, &fb);
	if (ret == -EOPNOTSUPP || ret == -EINVAL || ret == -ENOENT)
		prime_skip("%s makes no framebuffer of a dumb buffer: %s",
			   driver_name(drm), strerror(-ret));
	check_ok(ret);
	check_ok(gem_close(drm, fb.handles[0]));
	snprintf(holder, sizeof(holder), "framebuffer %u of %s in ", fb.fb_id, driver_name(drm));
	check(held_by(inode, holder));
	check_ok(xioctl(drm, DRM_IOCTL_MODE_RMFB, &fb.fb_id));
	check(!held_by(inode, "framebuffer "));
}

/**
 * SUBTEST: fork
 * Description: A child has the fd and the mapping. Each side sees what the other one
 *  writes, and the child can still use the buffer after the parent's close.
 */
static void fork_shares(void)
{
	int drm = open_device(), fd = make_dmabuf(drm, 1, NULL), ends[2];
	char *map = map_shared(fd, PAGE, PROT_READ | PROT_WRITE, 0), byte = 0;
	pid_t pid;

	need_mmap(fd);
	check(map != MAP_FAILED);
	check_ok(pipe(ends));
	map[0] = 'a';
	pid = fork();
	if (!pid) {
		check_eq(read(ends[0], &byte, 1), 1);
		check_eq(lseek(fd, 0, SEEK_END), PAGE);
		map[1] = 'b';
		check(map_shared(fd, PAGE, PROT_READ, 0) != MAP_FAILED);
		_exit(map[0] != 'd');
	}
	map[0] = 'd';
	close(fd);
	check_eq(write(ends[1], &byte, 1), 1);
	await(pid);
	check_eq(map[1], 'b');
}

/**
 * SUBTEST: pidfd-getfd
 * Description: A process that may take another's fd gets the same buffer.
 */
static void pidfd_getfd(void)
{
	int fd = any_dmabuf(1), ends[2], pidfd, got;
	pid_t pid;
	char byte;

	check_ok(pipe(ends));
	pid = fork();
	if (!pid) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) != 0);
	}
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	check(pidfd >= 0);
	got = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	check(got >= 0);
	check_eq(inode_of(got), inode_of(fd));
	close(ends[1]);
	await(pid);
	check_ok(gem_import(open_device(), got));
}

/* --- other exporters --- */

/* Import into both devices and compare what the importer's export shows. */
static void foreign_content(int fd, size_t size)
{
	uint32_t *map = map_shared(fd, size, PROT_READ | PROT_WRITE, 0);
	int device[2] = { open_device(), open_other() };

	check(map != MAP_FAILED);
	for (size_t i = 0; i < size / 4; i++)
		map[i] = i * 40503u + 1;
	for (int d = 0; d < 2; d++) {
		uint32_t handle = import_foreign(device[d], fd);
		int back = check_ok(gem_export(device[d], handle, DRM_RDWR));
		uint32_t *seen = map_shared(back, size, PROT_READ, 0);

		check_eq(inode_of(back), inode_of(fd));
		check(seen != MAP_FAILED);
		for (size_t i = 0; i < size / 4; i++)
			check_eq(seen[i], (uint32_t)(i * 40503u + 1));
		/* DMA_API_DEBUG takes a page that two devices map for a mistake. */
		if (!access("/sys/kernel/debug/dma-api", F_OK))
			check_ok(gem_close(device[d], handle));
	}
}

/**
 * SUBTEST: import-of-udmabuf
 * Description: A buffer made of a memfd's pages imports like any other.
 */
static void import_of_udmabuf(void)
{
	struct udmabuf_create arg = { .size = 4 * PAGE };
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);

	if (dev < 0)
		prime_skip("/dev/udmabuf: %s", strerror(errno));
	arg.memfd = memfd_create("u", MFD_ALLOW_SEALING);
	check_ok(ftruncate(arg.memfd, arg.size));
	check_ok(fcntl(arg.memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	foreign_content(check_ok(xioctl(dev, UDMABUF_CREATE, &arg)), arg.size);
}

/**
 * SUBTEST: import-of-system-heap
 * Description: A buffer of the system heap imports like any other.
 */
static void import_of_system_heap(void)
{
	foreign_content(heap_dmabuf(4 * PAGE), 4 * PAGE);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(cloexec),
	SUBTEST(cloexec_over_exec),
	SUBTEST(access_mode),
	SUBTEST(access_mode_is_the_first_exports),
	SUBTEST(readonly_export_mmap),
	SUBTEST(readonly_export_ioctls),
	SUBTEST(no_read_no_write),
	SUBTEST(no_reopen),
	SUBTEST(seek),
	SUBTEST(stat_size),
	SUBTEST(mmap_bounds),
	SUBTEST(mmap_offset_of_gem),
	SUBTEST(mmap_split),
	SUBTEST(mmap_offset_of_heap),
	SUBTEST(mmap_outlives_fd),
	SUBTEST(mmap_of_import),
	{ "fdinfo", fdinfo_fields },
	SUBTEST(fdinfo_count),
	SUBTEST(filesystem_magic),
	SUBTEST(inode_unique),
	SUBTEST(proc_fd_link),
	SUBTEST(maps),
	SUBTEST(bufinfo),
	SUBTEST(exporter_named),
	SUBTEST(bufinfo_attachments),
	SUBTEST(bufinfo_fences),
	SUBTEST(bufinfo_total),
	SUBTEST(inode_is_new),
	SUBTEST(name_length),
	SUBTEST(name_efault),
	SUBTEST(name_replaced),
	SUBTEST(name_while_imported),
	SUBTEST(name_a_and_b),
	SUBTEST(unknown_ioctl),
	SUBTEST(sync_bad_flags),
	SUBTEST(sync_efault),
	SUBTEST(sync_directions),
	SUBTEST(scm_rights),
	SUBTEST(scm_rights_in_flight),
	SUBTEST(holders_fd),
	SUBTEST(holders_path),
	SUBTEST(holders_name),
	SUBTEST(holders_many),
	SUBTEST(holders_thread),
	SUBTEST(holders_busy),
	SUBTEST(holders_ended),
	SUBTEST(holders_mapping),
	SUBTEST(holders_message),
	SUBTEST(holders_handle),
	SUBTEST(holders_framebuffer),
	{ "fork", fork_shares },
	SUBTEST(pidfd_getfd),
	SUBTEST(import_of_udmabuf),
	SUBTEST(import_of_system_heap),
};

PRIME_MAIN(subtests)
