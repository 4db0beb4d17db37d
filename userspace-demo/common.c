// SPDX-License-Identifier: MIT
/* Fences, checksums, and how devices are found. */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/magic.h>
#include <linux/sync_file.h>
#include <linux/udmabuf.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>
#include <xf86drm.h>

#include "common.h"

/* FNV-1a over whole pixels. */
uint64_t checksum(const void *pixels, size_t stride, uint32_t width, uint32_t height)
{
	uint64_t sum = 0xcbf29ce484222325ull;
	uint32_t x, y;

	for (y = 0; y < height; y++) {
		const uint32_t *row = (const void *)((const char *)pixels + y * stride);

		for (x = 0; x < width; x++)
			sum = (sum ^ (row[x] & 0xffffff)) * 0x100000001b3ull;
	}
	return sum;
}

static uint32_t clamp(int value)
{
	return value < 0 ? 0 : value > 255 ? 255 : value;
}

uint32_t nv12_pixel(int y, int cb, int cr)
{
	y = 298 * (y - 16) + 128;
	cb -= 128;
	cr -= 128;
	return clamp((y + 409 * cr) >> 8) << 16 |
	       clamp((y - 100 * cb - 208 * cr) >> 8) << 8 |
	       clamp((y + 516 * cb) >> 8);
}

int retry_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, request, arg);
	} while (ret < 0 && (errno == EINTR || errno == EAGAIN));
	return ret;
}

int dma_buf_from_memory(const char *name, size_t size)
{
	struct udmabuf_create create = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = size };
	int device, fd;

	device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(1, "/dev/udmabuf: cannot open (CONFIG_UDMABUF)");
	create.memfd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	/* Memory that devices use must not be cut off under them. */
	if ((int)create.memfd < 0 || ftruncate(create.memfd, size) ||
	    fcntl(create.memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		err(1, "cannot get %zu bytes of memory", size);
	fd = ioctl(device, UDMABUF_CREATE, &create);
	if (fd < 0)
		err(1, "/dev/udmabuf: cannot make a dma-buf of %zu bytes", size);
	close(create.memfd);
	close(device);
	return fd;
}

int dma_buf_sync(int fd, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	return retry_ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
}

uint64_t dma_buf_inode(int fd)
{
	struct statfs fs;
	struct stat st;

	if (fstatfs(fd, &fs) || fs.f_type != DMA_BUF_MAGIC || fstat(fd, &st))
		return 0;
	return st.st_ino;
}

int dma_buf_writers(int fd)
{
	/* Who reads waits for those who write. */
	struct dma_buf_export_sync_file arg = { .flags = DMA_BUF_SYNC_READ, .fd = -1 };

	return retry_ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &arg) ? -1 : arg.fd;
}

bool dma_buf_is_written(int fd)
{
	const int writers = dma_buf_writers(fd);
	const bool pending = writers < 0 || fence_pending(writers);

	if (writers >= 0)
		close(writers);
	return pending;
}

int dma_buf_add_writer(int fd, int sync_file)
{
	struct dma_buf_import_sync_file arg = { .flags = DMA_BUF_SYNC_WRITE, .fd = sync_file };

	return retry_ioctl(fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &arg);
}

bool fence_pending(int sync_file)
{
	struct pollfd pollfd = { .fd = sync_file, .events = POLLIN };

	return poll(&pollfd, 1, 0) == 0;
}

bool fence_time(int sync_file, uint64_t *time)
{
	struct sync_file_info info = { 0 };
	struct sync_fence_info *part;
	unsigned int i;
	bool ok;

	*time = 0;
	/* Without room for its parts, it tells how many there are. */
	if (retry_ioctl(sync_file, SYNC_IOC_FILE_INFO, &info) || info.status < 0)
		return false;
	part = calloc(info.num_fences + 1, sizeof(*part));
	if (!part)
		return false;
	info.sync_fence_info = (uintptr_t)part;
	ok = !retry_ioctl(sync_file, SYNC_IOC_FILE_INFO, &info);
	for (i = 0; ok && i < info.num_fences; i++)
		if (part[i].timestamp_ns > *time)
			*time = part[i].timestamp_ns;
	free(part);
	return ok;
}

uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

bool drm_driver_is(int fd, const char *driver)
{
	drmVersion *version = drmGetVersion(fd);
	bool is = version && !strcmp(version->name, driver);

	drmFreeVersion(version);
	return is;
}

int open_device(const char *path, const char *prefix, const char *what,
		bool (*probe)(int fd), char *name, size_t size)
{
	int fd, i;

	if (path) {
		snprintf(name, size, "%s", path);
		fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			err(1, "%s: cannot open", path);
		if (!probe(fd))
			errx(1, "%s: this is not %s", path, what);
		return fd;
	}

	for (i = 0; i < 64; i++) {
		snprintf(name, size, "%s%d", prefix, i);
		fd = open(name, O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			continue;
		if (probe(fd))
			return fd;
		close(fd);
	}
	errx(1, "%s*: none of these is %s (is the module loaded?)", prefix, what);
}

unsigned int parse_number(const char *option, const char *text, unsigned int min,
			  unsigned int max)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || end == text || *end || n < min || n > max)
		errx(2, "%s: '%s' is not a number from %u to %u", option, text, min, max);
	return n;
}
