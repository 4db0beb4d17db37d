// SPDX-License-Identifier: MIT
#include "prime_test.h"
#include "prime_mock.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define DRIVER	"/sys/bus/platform/drivers/prime_mock"

int mock_open(unsigned int index)
{
	char path[128], name[16] = "";
	struct drm_version version = {
		.name = name, .name_len = sizeof(name) - 1,
	};
	glob_t found;
	int fd;

	snprintf(path, sizeof(path),
		 "/sys/bus/platform/devices/prime_mock.%u/drm/card*", index);
	if (glob(path, 0, NULL, &found))
		prime_skip("prime_mock is not loaded with a device %u", index);
	snprintf(path, sizeof(path), "/dev/dri/%s",
		 strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);

	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		prime_skip("%s: %s", path, strerror(errno));
	check_ok(xioctl(fd, DRM_IOCTL_VERSION, &version));
	if (version.version_major != PRIME_MOCK_MAJOR ||
	    version.version_minor < PRIME_MOCK_MINOR)
		prime_skip("prime_mock has version %d.%d, not %d.%d",
			   version.version_major, version.version_minor,
			   PRIME_MOCK_MAJOR, PRIME_MOCK_MINOR);
	return fd;
}

int mock_create_as(int mock, struct drm_prime_mock_create *args)
{
	return xioctl(mock, DRM_IOCTL_PRIME_MOCK_CREATE, args);
}

int64_t mock_create(int mock, unsigned int pages, uint32_t flags)
{
	struct drm_prime_mock_create args = {
		.size = (uint64_t)pages * PAGE, .flags = flags,
	};
	int ret = mock_create_as(mock, &args);

	return ret ? ret : (int64_t)args.handle;
}

int mock_dmabuf(int mock, unsigned int pages, uint32_t flags, uint32_t *id)
{
	struct drm_prime_mock_create args = {
		.size = (uint64_t)pages * PAGE, .flags = flags,
	};
	int fd = mock_create_as(mock, &args);

	if (fd)
		return fd;
	if (id)
		*id = args.id;
	fd = gem_export(mock, args.handle, O_RDWR | O_CLOEXEC);
	gem_close(mock, args.handle);
	return fd;
}

int mock_move(int mock, uint32_t handle, uint32_t backing)
{
	struct drm_prime_mock_move args = {
		.handle = handle, .backing = backing,
	};

	return xioctl(mock, DRM_IOCTL_PRIME_MOCK_MOVE, &args);
}

/*
 * What is set for a whole device is undone when the subtest ends: undo(device, text). A
 * device that was taken away keeps nothing.
 */
static void undo_of_device(undo_function *undo, int mock, const char *text)
{
	char path[64], device[128], *name;
	struct stat st;
	ssize_t length;

	if (fstat(mock, &st))
		return;
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/device", major(st.st_rdev),
		 minor(st.st_rdev));
	length = readlink(path, device, sizeof(device) - 1);
	if (length < 0)
		return;
	device[length] = '\0';
	name = strrchr(device, '.');
	if (name)
		undo_later(undo, name + 1, text);
}

static void quiet_again(const char *index, const char *op)
{
	struct drm_prime_mock_script args = { .op = atoi(op) };

	xioctl(mock_open(atoi(index)), DRM_IOCTL_PRIME_MOCK_SCRIPT, &args);
}

static int set_script(int mock, struct drm_prime_mock_script *args)
{
	char op[16];

	snprintf(op, sizeof(op), "%u", args->op);
	if (!args->id)
		undo_of_device(quiet_again, mock, op);
	return xioctl(mock, DRM_IOCTL_PRIME_MOCK_SCRIPT, args);
}

int mock_fail(int mock, uint32_t id, uint32_t op, uint32_t at, uint32_t error)
{
	struct drm_prime_mock_script args = {
		.id = id, .op = op, .fail_at = at, .fail_count = 1,
		.error = error,
	};

	return set_script(mock, &args);
}

int mock_sleep(int mock, uint32_t id, uint32_t op, uint32_t us, uint32_t flags)
{
	struct drm_prime_mock_script args = {
		.id = id, .op = op, .sleep_us = us, .flags = flags,
	};

	return set_script(mock, &args);
}

int mock_quiet(int mock, uint32_t id, uint32_t op)
{
	return mock_sleep(mock, id, op, 0, 0);
}

int mock_stats(int mock, uint32_t id, struct drm_prime_mock_stats *stats)
{
	*stats = (struct drm_prime_mock_stats){ .id = id };
	return xioctl(mock, DRM_IOCTL_PRIME_MOCK_STATS, stats);
}

int64_t mock_calls(int mock, uint32_t id, uint32_t op)
{
	struct drm_prime_mock_stats stats;
	int ret = mock_stats(mock, id, &stats);

	return ret ? ret : (int64_t)stats.calls[op];
}

int64_t mock_id(int mock, uint32_t handle)
{
	struct drm_prime_mock_stats args = {
		.id = handle, .flags = PRIME_MOCK_BY_HANDLE,
	};
	int ret = xioctl(mock, DRM_IOCTL_PRIME_MOCK_STATS, &args);

	return ret ? ret : (int64_t)args.id;
}

static void no_limits(const char *index, const char *nothing)
{
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;

	(void)nothing;
	xioctl(mock_open(atoi(index)), DRM_IOCTL_PRIME_MOCK_LIMITS, &limits);
}

int mock_limits(int mock, struct drm_prime_mock_limits limits)
{
	undo_of_device(no_limits, mock, "");
	return xioctl(mock, DRM_IOCTL_PRIME_MOCK_LIMITS, &limits);
}

int64_t mock_attach(int mock, int dmabuf, uint32_t flags)
{
	struct drm_prime_mock_import args = { .fd = dmabuf, .flags = flags };
	int ret = xioctl(mock, DRM_IOCTL_PRIME_MOCK_IMPORT, &args);

	return ret ? ret : (int64_t)args.id;
}

static int step(int mock, uint32_t import, uint32_t op, uint32_t direction)
{
	struct drm_prime_mock_step args = {
		.id = import, .op = op, .direction = direction,
	};

	return xioctl(mock, DRM_IOCTL_PRIME_MOCK_STEP, &args);
}

int mock_step(int mock, uint32_t import, uint32_t op)
{
	return step(mock, import, op, 0);
}

int mock_map(int mock, uint32_t import, uint32_t direction)
{
	return step(mock, import, PRIME_MOCK_MAP, direction);
}

int mock_begin(int mock, uint32_t import, uint32_t direction)
{
	return step(mock, import, PRIME_MOCK_BEGIN, direction);
}

int mock_end(int mock, uint32_t import, uint32_t direction)
{
	return step(mock, import, PRIME_MOCK_END, direction);
}

int64_t mock_query(int mock, uint32_t import, uint32_t flags,
		   struct drm_prime_mock_query *query,
		   struct drm_prime_mock_segment *segments, uint32_t room)
{
	struct drm_prime_mock_query args = {
		.id = import, .flags = flags, .count = room,
		.segments = (uintptr_t)segments,
	};
	int ret = xioctl(mock, DRM_IOCTL_PRIME_MOCK_QUERY, &args);

	if (ret)
		return ret;
	if (query)
		*query = args;
	return args.count;
}

static int access_bytes(int mock, uint32_t import, uint32_t flags,
			uint64_t offset, uintptr_t data, uint64_t size)
{
	struct drm_prime_mock_access args = {
		.id = import, .flags = flags, .offset = offset, .size = size,
		.data = data,
	};

	return xioctl(mock, DRM_IOCTL_PRIME_MOCK_ACCESS, &args);
}

int mock_read(int mock, uint32_t import, uint32_t flags, uint64_t offset,
	      void *data, uint64_t size)
{
	return access_bytes(mock, import, flags, offset, (uintptr_t)data, size);
}

int mock_write(int mock, uint32_t import, uint32_t flags, uint64_t offset,
	       const void *data, uint64_t size)
{
	return access_bytes(mock, import, flags | PRIME_MOCK_WRITE, offset,
			    (uintptr_t)data, size);
}

int64_t mock_fence(int mock, int dmabuf, uint32_t usage, uint32_t delay_ms)
{
	struct drm_prime_mock_fence args = {
		.fd = dmabuf, .usage = usage, .delay_ms = delay_ms,
	};
	int ret = xioctl(mock, DRM_IOCTL_PRIME_MOCK_FENCE, &args);

	return ret ? ret : (int64_t)args.id;
}

int64_t mock_fence_handle(int mock, uint32_t handle, uint32_t usage,
			  uint32_t delay_ms)
{
	struct drm_prime_mock_fence args = {
		.fd = handle, .usage = usage, .delay_ms = delay_ms,
		.flags = PRIME_MOCK_BY_HANDLE,
	};
	int ret = xioctl(mock, DRM_IOCTL_PRIME_MOCK_FENCE, &args);

	return ret ? ret : (int64_t)args.id;
}

int mock_fence_fd(int mock, int dmabuf, uint32_t usage, uint32_t delay_ms,
		  uint32_t *fence)
{
	struct drm_prime_mock_fence args = {
		.fd = dmabuf, .usage = usage, .delay_ms = delay_ms,
		.flags = PRIME_MOCK_SYNC_FILE,
	};
	int ret = xioctl(mock, DRM_IOCTL_PRIME_MOCK_FENCE, &args);

	if (ret)
		return ret;
	*fence = args.id;
	return args.sync_file;
}

int mock_signal(int mock, uint32_t fence, uint32_t error)
{
	struct drm_prime_mock_signal args = { .id = fence, .error = error };

	return xioctl(mock, DRM_IOCTL_PRIME_MOCK_SIGNAL, &args);
}

int mock_unplug(int mock)
{
	struct drm_prime_mock_unplug args = {};

	return xioctl(mock, DRM_IOCTL_PRIME_MOCK_UNPLUG, &args);
}

int mock_replug(int mock, unsigned int index)
{
	char name[32];
	int ret;

	snprintf(name, sizeof(name), "prime_mock.%u", index);
	undo_later(write_back, DRIVER "/bind", name);
	ret = mock_unplug(mock);
	return ret ?: write_text(DRIVER "/bind", name);
}
