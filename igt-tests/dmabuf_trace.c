// SPDX-License-Identifier: MIT
/**
 * TEST: dmabuf trace
 * Description: The trace events of dma-buf, in a trace instance of its own: those of
 *  mainline, and those that only the layer has.
 */
#include "lib/mock_buffer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define TRACEFS		"/sys/kernel/tracing"
#define INSTANCE	TRACEFS "/instances/dmabuf_trace"
#define EVENTS		INSTANCE "/events/dma_buf"

static void start_trace(void)
{
	if (access(TRACEFS "/instances", F_OK))
		mount_until_end("tracefs", TRACEFS);
	undo_later(remove_back, INSTANCE, "");
	if (mkdir(INSTANCE, 0700) && errno != EEXIST)
		prime_skip("no trace instance can be made: %s", strerror(errno));
	if (access(EVENTS, F_OK))
		prime_skip("this kernel has no trace events of dma-buf");
	check_ok(write_text(EVENTS "/enable", "1"));
}

static char *end_trace(void)
{
	char *text;

	check_ok(write_text(EVENTS "/enable", "0"));
	text = read_text(INSTANCE "/trace");
	check(text);
	return text;
}

/* Does the text have "ino=NUMBER", and no digit behind it? */
static bool names_buffer(const char *text, uint64_t ino)
{
	const char *number = strstr(text, "ino=");

	return number && strtoull(number + strlen("ino="), NULL, 10) == ino;
}

/*
 * The text behind "dma_buf_EVENT: " of the first line from *@trace on that names
 * the buffer; *@trace moves behind that line. A failure if there is none.
 */
static const char *expect_event(char **trace, const char *event, uint64_t ino)
{
	char name[64], *line;

	snprintf(name, sizeof(name), ": dma_buf_%s: ", event);
	while ((line = strsep(trace, "\n"))) {
		const char *text = strstr(line, name);

		if (text && names_buffer(text, ino))
			return text + strlen(name);
	}
	prime_fail(__FILE__, __LINE__, "no event %s of buffer %llu in this order",
		   event, (unsigned long long)ino);
}

static void need_event(const char *event)
{
	char path[128];

	snprintf(path, sizeof(path), EVENTS "/dma_buf_%s", event);
	if (access(path, F_OK))
		prime_skip("this kernel has no event dma_buf_%s", event);
}

/**
 * SUBTEST: life-of-a-buffer
 * Description: A buffer is exported, mapped by a program, found by its descriptor and
 *  put. There is an event for each step, in this order, with size and inode.
 */
static void life_of_a_buffer(void)
{
	int drm = open_device(), other = open_device(), fd;
	uint32_t handle = check_ok(gem_create(drm, 1));
	char *trace, wanted[32];
	uint64_t ino;
	void *map;

	start_trace();
	fd = check_ok(gem_export(drm, handle, DRM_CLOEXEC | DRM_RDWR));
	ino = inode_of(fd);
	need_mmap(fd);
	map = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, fd, 0);
	check(map != MAP_FAILED);
	check_ok(gem_close(other, check_ok(gem_import(other, fd))));
	munmap(map, sysconf(_SC_PAGESIZE));
	trace = end_trace();

	snprintf(wanted, sizeof(wanted), "size=%ld ", sysconf(_SC_PAGESIZE));
	check(strstr(expect_event(&trace, "export", ino), wanted));
	snprintf(wanted, sizeof(wanted), "fd=%d", fd);
	check(strstr(expect_event(&trace, "fd", ino), wanted));
	expect_event(&trace, "mmap_internal", ino);
	check(strstr(expect_event(&trace, "get", ino), wanted));
	expect_event(&trace, "put", ino);
}

/**
 * SUBTEST: attachments
 * Description: An import attaches a device, and the end of the import detaches it.
 *  Both events name the device and the same attachment.
 */
static void attachments(void)
{
	int other = open_other(), fd = any_dmabuf(1);
	uint64_t ino = inode_of(fd);
	char *trace, *began, *attachment;

	start_trace();
	check_ok(gem_close(other, import_foreign(other, fd)));
	trace = end_trace();

	began = strdup(expect_event(&trace, "dynamic_attach", ino));
	attachment = strstr(began, "attachment:");
	check(attachment && strstr(attachment, "is_dynamic=") && strstr(attachment, "dev_name="));
	check(strstr(expect_event(&trace, "detach", ino), attachment));
	free(began);
}

/**
 * SUBTEST: mappings
 * Description: prime_mock maps a buffer of its own that can move. The layer's events
 *  show pin, map, unmap and unpin in the order in which they happen, and the
 *  release when the buffer is freed.
 */
static void mappings(void)
{
	int mock = mock_open(0), importer = mock_open(1);
	struct mock_buffer b = mock_buffer(mock, PRIME_MOCK_DYNAMIC, 1);
	uint64_t ino = inode_of(b.fd);
	char *trace;

	start_trace();
	need_event("map");
	check_ok(gem_close(importer, check_ok(gem_import(importer, b.fd))));
	mock_buffer_end(&b);
	check_eq(settle_buffers(0), 0);
	trace = end_trace();

	/* On 6.12 these are within the attach, whose event follows its success. */
	expect_event(&trace, "pin", ino);
	expect_event(&trace, "map", ino);
	expect_event(&trace, "unmap", ino);
	expect_event(&trace, "unpin", ino);
	expect_event(&trace, "release", ino);
}

/**
 * SUBTEST: release-by-path
 * Description: The last holder of a buffer has it open with O_PATH, which holds no
 *  reference to its file. The event of the release still names the buffer.
 */
static void release_by_path(void)
{
	int drm = open_device(), path, fd;
	uint32_t handle;
	char name[32], *trace;
	uint64_t ino;

	start_trace();
	need_event("release");
	fd = make_dmabuf(drm, 1, &handle);
	check_ok(gem_close(drm, handle));
	ino = inode_of(fd);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	path = open(name, O_PATH);
	check(path >= 0);
	close(fd);
	close(path);
	check_eq(settle_buffers(0), 0);
	trace = end_trace();
	expect_event(&trace, "release", ino);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(life_of_a_buffer),
	SUBTEST(attachments),
	SUBTEST(mappings),
	SUBTEST(release_by_path),
};

PRIME_MAIN(subtests)
