// SPDX-License-Identifier: GPL-2.0
/* Devices, ioctls and counters: thin, and a negative errno on failure. */
#include "prime_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* From <drm/vgem_drm.h> and the sw_sync driver: no package carries them. */
struct vgem_fence_attach_arg {
	uint32_t handle, flags, out_fence, pad;
};

struct vgem_fence_signal_arg {
	uint32_t fence, flags;
};

struct sw_sync_create_arg {
	uint32_t value;
	char name[32];
	int32_t fence;
};

#define VGEM_FENCE_ATTACH \
	DRM_IOWR(DRM_COMMAND_BASE + 1, struct vgem_fence_attach_arg)
#define VGEM_FENCE_SIGNAL \
	DRM_IOW(DRM_COMMAND_BASE + 2, struct vgem_fence_signal_arg)
#define SW_SYNC_CREATE	_IOWR('W', 0, struct sw_sync_create_arg)
#define SW_SYNC_INC	_IOW('W', 1, uint32_t)

extern const char *prime_device_path;

int xioctl(int fd, unsigned long request, void *arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? -errno : ret;
}

/* --- devices --- */

const char *driver_name(int drm)
{
	static __thread char name[64];
	struct drm_version version = {
		.name = name, .name_len = sizeof(name) - 1,
	};

	memset(name, 0, sizeof(name));
	return xioctl(drm, DRM_IOCTL_VERSION, &version) ? "" : name;
}

int open_driver(const char *driver)
{
	char path[32];

	for (int i = 0; i < 64; i++) {
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!strcmp(driver_name(fd), driver))
			return fd;
		close(fd);
	}
	prime_skip("no device of driver %s", driver);
}

int open_device(void)
{
	const char *driver = getenv("IGT_FORCE_DRIVER");
	int fd;

	if (!prime_device_path)
		return open_driver(driver && *driver ? driver : "vgem");
	fd = open(prime_device_path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		prime_skip("%s: %s", prime_device_path, strerror(errno));
	return fd;
}

int open_other(void)
{
	int drm = open_device();
	bool vkms = !strcmp(driver_name(drm), "vkms");

	close(drm);
	return open_driver(vkms ? "vgem" : "vkms");
}

/* --- GEM and PRIME --- */

int64_t gem_create(int drm, unsigned int pages)
{
	struct drm_mode_create_dumb arg = {
		.width = 1024, .height = pages, .bpp = 32,
	};
	int ret = xioctl(drm, DRM_IOCTL_MODE_CREATE_DUMB, &arg);

	return ret < 0 ? ret : (int64_t)arg.handle;
}

int gem_close(int drm, uint32_t handle)
{
	struct drm_gem_close arg = { .handle = handle };

	return xioctl(drm, DRM_IOCTL_GEM_CLOSE, &arg);
}

int64_t gem_flink(int drm, uint32_t handle)
{
	struct drm_gem_flink arg = { .handle = handle };
	int ret = xioctl(drm, DRM_IOCTL_GEM_FLINK, &arg);

	return ret < 0 ? ret : (int64_t)arg.name;
}

int64_t gem_open(int drm, uint32_t name)
{
	struct drm_gem_open arg = { .name = name };
	int ret = xioctl(drm, DRM_IOCTL_GEM_OPEN, &arg);

	return ret < 0 ? ret : (int64_t)arg.handle;
}

int gem_export(int drm, uint32_t handle, uint32_t flags)
{
	struct drm_prime_handle arg = {
		.handle = handle, .flags = flags, .fd = -1,
	};
	int ret = xioctl(drm, DRM_IOCTL_PRIME_HANDLE_TO_FD, &arg);

	return ret < 0 ? ret : arg.fd;
}

int64_t gem_import(int drm, int dmabuf)
{
	struct drm_prime_handle arg = { .fd = dmabuf };
	int ret = xioctl(drm, DRM_IOCTL_PRIME_FD_TO_HANDLE, &arg);

	return ret < 0 ? ret : (int64_t)arg.handle;
}

int make_dmabuf(int drm, unsigned int pages, uint32_t *handle)
{
	int64_t made = check_ok(gem_create(drm, pages));

	if (handle)
		*handle = made;
	return check_ok(gem_export(drm, made, DRM_CLOEXEC | DRM_RDWR));
}

int any_dmabuf(unsigned int pages)
{
	return make_dmabuf(open_device(), pages, NULL);
}

/* --- the dma-buf file --- */

int dmabuf_sync(int dmabuf, uint64_t flags)
{
	struct dma_buf_sync arg = { .flags = flags };

	return xioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &arg);
}

int dmabuf_set_name(int dmabuf, const char *name)
{
	return xioctl(dmabuf, DMA_BUF_SET_NAME_B, (void *)name);
}

int dmabuf_export_sync_file(int dmabuf, uint32_t flags)
{
	struct dma_buf_export_sync_file arg = { .flags = flags, .fd = -1 };
	int ret = xioctl(dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &arg);

	return ret < 0 ? ret : arg.fd;
}

int dmabuf_import_sync_file(int dmabuf, uint32_t flags, int fence)
{
	struct dma_buf_import_sync_file arg = { .flags = flags, .fd = fence };

	return xioctl(dmabuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &arg);
}

int poll_events(int fd, int events, int ms)
{
	struct pollfd arg = { .fd = fd, .events = events };
	int ret = poll(&arg, 1, ms);

	return ret < 0 ? -errno : ret ? arg.revents : 0;
}

uint64_t inode_of(int fd)
{
	struct stat st;

	check_ok(fstat(fd, &st) ? -errno : 0);
	return st.st_ino;
}

/* --- fences --- */

int sw_timeline(void)
{
	int fd = open("/sys/kernel/debug/sync/sw_sync", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		prime_skip("debugfs sync/sw_sync: %s (CONFIG_SW_SYNC)",
			   strerror(errno));
	return fd;
}

int sw_fence(int timeline, uint32_t value)
{
	struct sw_sync_create_arg arg = { .value = value, .name = "test" };

	check_ok(xioctl(timeline, SW_SYNC_CREATE, &arg));
	return arg.fence;
}

void sw_advance(int timeline, uint32_t by)
{
	check_ok(xioctl(timeline, SW_SYNC_INC, &by));
}

int vgem_fence_attach(int vgem, uint32_t handle, uint32_t flags)
{
	struct vgem_fence_attach_arg arg = { .handle = handle, .flags = flags };
	int ret = xioctl(vgem, VGEM_FENCE_ATTACH, &arg);

	return ret < 0 ? ret : (int)arg.out_fence;
}

uint32_t vgem_fence(int vgem, uint32_t handle, bool write)
{
	return check_ok(vgem_fence_attach(vgem, handle, write));
}

int vgem_fence_signal(int vgem, uint32_t fence)
{
	struct vgem_fence_signal_arg arg = { .fence = fence };

	return xioctl(vgem, VGEM_FENCE_SIGNAL, &arg);
}

/* --- what the kernel counts --- */

unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;
	struct dirent *entry;

	check(dir);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count - 1;
}

char *read_text(const char *path)
{
	size_t size = 0, room = 1 << 16;
	char *text;
	ssize_t got;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	text = malloc(room);
	while ((got = read(fd, text + size, room - size - 1)) > 0) {
		size += got;
		if (room - size < room / 2)
			text = realloc(text, room *= 2);
	}
	close(fd);
	text[size] = '\0';
	return text;
}

int count_buffers(void)
{
	char *text = read_text("/sys/kernel/debug/dma_buf/bufinfo");
	char *total, *next = text;
	int count = -1;

	/* Each buffer has a total of its attachments; the last one is ours. */
	for (total = NULL; next && (next = strstr(next, "\nTotal ")); next++)
		total = next;
	if (total && strstr(total, " objects"))
		count = atoi(total + strlen("\nTotal "));
	free(text);
	return count;
}

int settle_buffers(int wanted)
{
	double end = now() + 3;
	int count;

	while ((count = count_buffers()) != wanted && now() < end)
		usleep(10000);
	return count;
}

bool fdinfo(int fd, const char *key, char *value, size_t length)
{
	char path[64], *text, *line;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	text = read_text(path);
	check(text);
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		size_t n = strlen(key);

		if (strncmp(line, key, n) || line[n] != ':')
			continue;
		line += n + 1;
		line += strspn(line, " \t");
		snprintf(value, length, "%s", line);
		found = true;
	}
	free(text);
	return found;
}

long meminfo_kb(const char *key)
{
	char *text = read_text("/proc/meminfo");
	char *line = text ? strstr(text, key) : NULL;
	long kb = line ? atol(line + strlen(key) + 1) : -1;

	free(text);
	return kb;
}

double race_seconds(void)
{
	const char *seconds = getenv("PRIME_RACE_SECONDS");

	return seconds ? atof(seconds) : 2;
}

void *readonly_page(const void *data, size_t length)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(page != MAP_FAILED);
	memcpy(page, data, length);
	check_ok(mprotect(page, 4096, PROT_READ) ? -errno : 0);
	return page;
}

void writable_page(void *page)
{
	check_ok(mprotect(page, 4096, PROT_READ | PROT_WRITE) ? -errno : 0);
}

unsigned long forbid_fds(void)
{
	struct rlimit limit;
	unsigned long old;
	int lowest;

	check_ok(getrlimit(RLIMIT_NOFILE, &limit) ? -errno : 0);
	old = limit.rlim_cur;
	lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
	check(lowest >= 0);
	close(lowest);
	limit.rlim_cur = lowest;
	check_ok(setrlimit(RLIMIT_NOFILE, &limit) ? -errno : 0);
	return old;
}

void allow_fds(unsigned long old)
{
	struct rlimit limit;

	check_ok(getrlimit(RLIMIT_NOFILE, &limit) ? -errno : 0);
	limit.rlim_cur = old;
	check_ok(setrlimit(RLIMIT_NOFILE, &limit) ? -errno : 0);
}
