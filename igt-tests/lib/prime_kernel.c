// SPDX-License-Identifier: MIT
/* Thin functions for devices, ioctls and counters. A failure is a negative errno. */
#include "prime_test.h"
#include "prime_gbm.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

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

unsigned int prime_page_size;

static void __attribute__((constructor)) find_page_size(void)
{
	prime_page_size = sysconf(_SC_PAGESIZE);
}

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

/* The first card that @wanted accepts; its path stays in @path. */
static int find_card(char *path, size_t size,
		     bool (*wanted)(int drm, const void *data), const void *data)
{
	for (int i = 0; i < 64; i++) {
		int fd;

		snprintf(path, size, "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (wanted(fd, data))
			return fd;
		close(fd);
	}
	return -1;
}

static bool has_name(int drm, const void *name)
{
	return !strcmp(driver_name(drm), name);
}

int try_driver(const char *driver)
{
	char path[32];
	int fd = find_card(path, sizeof(path), has_name, driver);

	return fd < 0 ? -ENODEV : fd;
}

int open_driver(const char *driver)
{
	int fd = try_driver(driver);

	if (fd < 0)
		prime_skip("no device of driver %s", driver);
	return fd;
}

/*
 * A render node makes no dumb buffers. The card node of the same device may, and
 * what is under test here is the same behind both.
 */
static void card_of_render_node(char *path, size_t size)
{
	char pattern[128], card[64];
	struct drm_get_cap cap = { .capability = DRM_CAP_DUMB_BUFFER };
	struct stat st;
	glob_t found;
	int fd;

	if (stat(path, &st) || !S_ISCHR(st.st_mode) || minor(st.st_rdev) < 128)
		return;
	snprintf(pattern, sizeof(pattern), "/sys/dev/char/%u:%u/device/drm/card*",
		 major(st.st_rdev), minor(st.st_rdev));
	if (glob(pattern, 0, NULL, &found) == 0) {
		snprintf(card, sizeof(card), "/dev/dri/%s",
			 strrchr(found.gl_pathv[0], '/') + 1);
		fd = open(card, O_RDWR | O_CLOEXEC);
		if (!xioctl(fd, DRM_IOCTL_GET_CAP, &cap) && cap.value)
			snprintf(path, size, "%s", card);
		close(fd);
	}
	globfree(&found);
}

/* What all tests need of the device. A test that needs more asks for it itself. */
static void need_buffers(int drm)
{
	const char *driver = driver_name(drm);
	int64_t handle;
	off_t size;
	int fd;

	if (!*driver)
		prime_skip("the device is no DRM device");
	handle = gem_create(drm, 1);
	if (handle < 0)
		prime_skip("%s makes no buffers, neither dumb ones nor by libgbm: %s",
			   driver, strerror(-handle));
	fd = gem_export(drm, handle, DRM_CLOEXEC);
	if (fd == -ENOSYS || fd == -EOPNOTSUPP)
		prime_skip("%s exports no buffers: %s", driver, strerror(-fd));
	if (fd >= 0) {
		size = lseek(fd, 0, SEEK_END);
		close(fd);
		if (size != PAGE)
			prime_skip("a buffer of one page of %s has %lld bytes",
				   driver, (long long)size);
	}
	gem_close(drm, handle);
}

int open_device(void)
{
	static char path[256];
	const char *driver = getenv("IGT_FORCE_DRIVER");
	bool first = !*path;
	int fd;

	if (!driver || !*driver)
		driver = "vgem";
	if (first && prime_device_path) {
		snprintf(path, sizeof(path), "%s", prime_device_path);
		card_of_render_node(path, sizeof(path));
	} else if (first) {
		fd = find_card(path, sizeof(path), has_name, driver);
		if (fd < 0)
			prime_skip("no device of driver %s", driver);
		close(fd);
	}
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		prime_skip("%s: %s", path, strerror(errno));
	if (first)
		need_buffers(fd);
	return fd;
}

/* Does the answer mean that such a buffer can't be imported at all? */
static bool refuses(int64_t imported)
{
	return imported == -ENODEV || imported == -ENOSYS ||
	       imported == -EOPNOTSUPP || imported == -EINVAL;
}

struct other {
	const char *driver;	/* NULL: any */
	dev_t tested;
	int dmabuf;
	char refusals[256];
} other;

static bool can_be_other(int drm, const void *data)
{
	size_t used = strlen(other.refusals);
	struct stat st;
	int64_t handle;

	(void)data;
	if (fstat(drm, &st) || st.st_rdev == other.tested)
		return false;
	if (other.driver && strcmp(driver_name(drm), other.driver))
		return false;
	handle = gem_import(drm, other.dmabuf);
	if (handle > 0)
		gem_close(drm, handle);
	else if (other.driver || !strstr(other.refusals, driver_name(drm)))
		snprintf(other.refusals + used, sizeof(other.refusals) - used,
			 "%s%s: %s", used ? ", " : "", driver_name(drm),
			 strerror(-handle));
	return !refuses(handle);
}

/* The other device is looked for once in a subtest. */
int try_other(void)
{
	static const char *const drivers[] = { "vkms", "vgem", NULL };
	static char path[32];
	int drm, fd = -1;
	struct stat st;

	if (!*path) {
		drm = open_device();
		check_ok(fstat(drm, &st) ? -errno : 0);
		other.tested = st.st_rdev;
		other.dmabuf = make_dmabuf(drm, 1, NULL);
		*other.refusals = '\0';
		for (int i = 0; i < 3 && fd < 0; i++) {
			other.driver = drivers[i];
			fd = find_card(path, sizeof(path), can_be_other, NULL);
		}
		close(other.dmabuf);
		close(drm);
		if (fd < 0) {
			*path = '\0';
			return -1;
		}
		close(fd);
	}
	fd = open(path, O_RDWR | O_CLOEXEC);
	check_ok(fd < 0 ? -errno : 0);
	return fd;
}

int open_other(void)
{
	int fd = try_other();

	if (fd < 0)
		prime_skip("no other device imports from %s (%s)",
			   driver_name(open_device()), *other.refusals ?
			   other.refusals : "there is none; load vgem");
	return fd;
}

void render_node_of(int drm, char *path, size_t size)
{
	char pattern[128];
	struct stat st;
	glob_t found;

	check_ok(fstat(drm, &st) ? -errno : 0);
	snprintf(pattern, sizeof(pattern),
		 "/sys/dev/char/%u:%u/device/drm/renderD*",
		 major(st.st_rdev), minor(st.st_rdev));
	*path = '\0';
	if (glob(pattern, 0, NULL, &found) == 0)
		snprintf(path, size, "/dev/dri/%s",
			 strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
}

int open_render_node(int drm)
{
	char path[64];
	int fd;

	render_node_of(drm, path, sizeof(path));
	if (!*path)
		prime_skip("%s has no render node", driver_name(drm));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		prime_skip("%s: %s", path, strerror(errno));
	return fd;
}

/* --- GEM and PRIME --- */

/* Does the answer mean that the device, or this node, has no dumb buffers? */
static bool lacks_dumb(int ret)
{
	return ret == -ENOSYS || ret == -EOPNOTSUPP || ret == -EACCES;
}

static bool wants_gbm(void)
{
	const char *buffers = getenv("PRIME_BUFFERS");

	return buffers && !strcmp(buffers, "gbm");
}

static int64_t dumb_create(int drm, unsigned int pages)
{
	struct drm_mode_create_dumb arg = {
		.width = PAGE / 4, .height = pages, .bpp = 32,
	};
	int ret = wants_gbm() ? -ENOSYS : xioctl(drm, DRM_IOCTL_MODE_CREATE_DUMB, &arg);

	return ret < 0 ? ret : (int64_t)arg.handle;
}

int64_t gem_create(int drm, unsigned int pages)
{
	int64_t handle = dumb_create(drm, pages);

	return lacks_dumb(handle) ? gbm_create(drm, pages) : handle;
}

void need_unexported(int drm)
{
	int64_t handle = dumb_create(drm, 1);

	if (lacks_dumb(handle))
		prime_skip("a buffer of libgbm has been exported before");
	if (handle > 0)
		gem_close(drm, handle);
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

uint32_t import_foreign(int drm, int dmabuf)
{
	int64_t handle = gem_import(drm, dmabuf);
	char exporter[64] = "?";

	if (refuses(handle)) {
		fdinfo(dmabuf, "exp_name", exporter, sizeof(exporter));
		prime_skip("%s imports no buffer of %s: %s", driver_name(drm),
			   exporter, strerror(-handle));
	}
	return check_ok(handle);
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

void need_mmap(int dmabuf)
{
	void *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, dmabuf, 0);
	char exporter[64] = "?";

	if (map != MAP_FAILED) {
		munmap(map, PAGE);
	} else if (errno == ENODEV || errno == ENOSYS || errno == EOPNOTSUPP) {
		int why = errno;

		fdinfo(dmabuf, "exp_name", exporter, sizeof(exporter));
		prime_skip("buffers of %s can't be mapped: %s", exporter,
			   strerror(why));
	}
}

/*
 * vkms of Linux 6.12 waits for its vblank timer with a lock held that the timer's
 * callback takes. It is rare that two processors do both at once, except on a debug
 * kernel, whose checkers make interrupts slow.
 */
void need_vkms_screen(void)
{
	bool slow = !access("/proc/lockdep_stats", F_OK) ||
		    !access("/sys/kernel/debug/kmemleak", F_OK);

	need_destructive("setting a mode");
	if (slow && sysconf(_SC_NPROCESSORS_ONLN) > 1)
		prime_skip("vkms of Linux 6.12 can deadlock with its vblank "
			   "timer on a slow kernel with several processors");
}

int64_t vkms_checksum(int drm)
{
	char path[96], line[64];
	double end = now() + 20;
	unsigned int frame, sum = 0;
	struct stat st;
	int fd, frames = 0;

	check_ok(fstat(drm, &st) ? -errno : 0);
	snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%u/crtc-0/crc/data",
		 minor(st.st_rdev));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	while (frames < 2) {
		ssize_t got = read(fd, line, sizeof(line) - 1);

		if (got < 0) {
			check_eq(errno, EAGAIN);
			if (now() > end)
				prime_fail(__FILE__, __LINE__,
					   "no checksum from vkms in 20 s");
			usleep(4000);
			continue;
		}
		line[got] = '\0';
		check_eq(sscanf(line, "%x %x", &frame, &sum), 2);
		frames++;
	}
	close(fd);
	return sum;
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

/*
 * Distributions build no sw_sync. Without it a timeline is a file of vgem, and a fence
 * is vgem's, on a buffer that is made only for it. The fence signals by itself after
 * ten seconds, and when the file is closed, as in sw_sync.
 */
enum { TIMELINES = 1024, PENDING = 256 };

struct vgem_timeline {
	uint32_t now;
	struct {
		uint32_t point, fence;	/* fence 0: unused */
	} pending[PENDING];
};

/* By the number of the file. */
static struct vgem_timeline *vgem_timelines[TIMELINES];
static pthread_mutex_t vgem_timelines_lock = PTHREAD_MUTEX_INITIALIZER;

static struct vgem_timeline *vgem_timeline(int timeline)
{
	return timeline < TIMELINES ? vgem_timelines[timeline] : NULL;
}

static int vgem_timeline_open(int why)
{
	char path[32];
	int fd = find_card(path, sizeof(path), has_name, "vgem");

	if (fd < 0)
		prime_skip("no fences: debugfs sync/sw_sync: %s (CONFIG_SW_SYNC), and no vgem",
			   strerror(why));
	check(fd < TIMELINES);
	pthread_mutex_lock(&vgem_timelines_lock);
	free(vgem_timelines[fd]);
	vgem_timelines[fd] = calloc(1, sizeof(*vgem_timelines[fd]));
	check(vgem_timelines[fd]);
	pthread_mutex_unlock(&vgem_timelines_lock);
	return fd;
}

static int vgem_timeline_fence(int vgem, uint32_t point)
{
	uint32_t handle = check_ok(gem_create(vgem, 1));
	uint32_t fence = vgem_fence(vgem, handle, true);
	int dmabuf = check_ok(gem_export(vgem, handle, DRM_CLOEXEC));
	int file = check_ok(dmabuf_export_sync_file(dmabuf, DMA_BUF_SYNC_RW));
	struct vgem_timeline *line;
	bool kept = false;

	close(dmabuf);
	check_ok(gem_close(vgem, handle));
	pthread_mutex_lock(&vgem_timelines_lock);
	line = vgem_timeline(vgem);
	if ((int32_t)(point - line->now) <= 0) {
		vgem_fence_signal(vgem, fence);
		kept = true;
	}
	for (int i = 0; i < PENDING && !kept; i++) {
		if (line->pending[i].fence)
			continue;
		line->pending[i].point = point;
		line->pending[i].fence = fence;
		kept = true;
	}
	pthread_mutex_unlock(&vgem_timelines_lock);
	check(kept);
	return file;
}

static void vgem_timeline_advance(int vgem, uint32_t by)
{
	struct vgem_timeline *line;

	pthread_mutex_lock(&vgem_timelines_lock);
	line = vgem_timeline(vgem);
	line->now += by;
	for (int i = 0; i < PENDING; i++) {
		uint32_t *fence = &line->pending[i].fence;

		if (!*fence || (int32_t)(line->pending[i].point - line->now) > 0)
			continue;
		/* A fence that has expired or that a child signalled is done. */
		vgem_fence_signal(vgem, *fence);
		*fence = 0;
	}
	pthread_mutex_unlock(&vgem_timelines_lock);
}

int sw_timeline(void)
{
	int fd = open("/sys/kernel/debug/sync/sw_sync", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return vgem_timeline_open(errno);
	return fd;
}

int sw_fence(int timeline, uint32_t value)
{
	struct sw_sync_create_arg arg = { .value = value, .name = "test" };

	if (vgem_timeline(timeline))
		return vgem_timeline_fence(timeline, value);
	check_ok(xioctl(timeline, SW_SYNC_CREATE, &arg));
	return arg.fence;
}

void sw_advance(int timeline, uint32_t by)
{
	if (vgem_timeline(timeline))
		vgem_timeline_advance(timeline, by);
	else
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

/* --- fds in messages --- */

void send_fds(int socket, const int *fds, int count)
{
	char room[CMSG_SPACE(2 * sizeof(int))] = { }, byte = 0;
	struct iovec io = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &io, .msg_iovlen = 1, .msg_control = room,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)),
	};
	struct cmsghdr *control = CMSG_FIRSTHDR(&message);

	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(control), fds, count * sizeof(int));
	check_eq(sendmsg(socket, &message, 0), 1);
}

int receive_fd(int socket)
{
	char room[CMSG_SPACE(sizeof(int))] = { }, byte;
	struct iovec io = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &io, .msg_iovlen = 1,
		.msg_control = room, .msg_controllen = sizeof(room),
	};
	int fd;

	check_eq(recvmsg(socket, &message, MSG_CMSG_CLOEXEC), 1);
	check(CMSG_FIRSTHDR(&message));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
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

int buffers_before;

int all_buffers(void)
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

int count_buffers(void)
{
	int count = all_buffers();

	if (count < 0)
		prime_skip("debugfs dma_buf/bufinfo can't be read (root, debugfs)");
	return count - buffers_before;
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

bool is_kasan(void)
{
	char *text = read_text("/proc/kallsyms");
	bool found = text && strstr(text, " kasan_report");

	free(text);
	return found;
}

/* How many the kernel has of one kind, some too many. Skips where it does not tell. */
long slab_objects(const char *name)
{
	char *text = read_text("/proc/slabinfo"), *line, start[64];
	long count;

	if (is_kasan())
		prime_skip("KASAN keeps freed objects for a while, and they are counted");
	snprintf(start, sizeof(start), "\n%s ", name);
	line = text ? strstr(text, start) : NULL;
	if (!line)
		prime_skip("/proc/slabinfo does not count %s", name);
	count = atol(line + strlen(start));
	free(text);
	return count;
}

double race_seconds(void)
{
	const char *seconds = getenv("PRIME_RACE_SECONDS");

	return seconds ? atof(seconds) : 2;
}

/* In one write, as sysfs wants it. Returns 0 or a negative errno. */
int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/*
 * DMA_API_DEBUG warns of what is still mapped when a driver is unbound. Some subtests
 * do this on purpose. So until they end it watches only a driver that does not exist.
 */
void watch_no_dma(void)
{
	int ret = set_text("/sys/kernel/debug/dma-api/driver_filter", "none");

	check(!ret || ret == -ENOENT || ret == -EACCES);
}

void *readonly_page(const void *data, size_t length)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(page != MAP_FAILED);
	memcpy(page, data, length);
	check_ok(mprotect(page, PAGE, PROT_READ) ? -errno : 0);
	return page;
}

void writable_page(void *page)
{
	check_ok(mprotect(page, PAGE, PROT_READ | PROT_WRITE) ? -errno : 0);
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
