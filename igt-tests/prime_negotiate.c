// SPDX-License-Identifier: MIT
/**
 * TEST: prime negotiate
 * Description: The ioctls that negotiate storage, on buffers whose storage is
 *  not negotiable: what they refuse, in which order, and that a refusal leaves
 *  nothing behind.
 */
#include "lib/prime_test.h"

#include <fcntl.h>
#include <linux/dma-buf-constraints.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define REQUEST(dir, nr, size)	_IOC(dir, DMA_BUF_BASE, nr, size)

/* A buffer of the device; skips on a kernel that knows no negotiation. */
static int buffer(void)
{
	struct dma_buf_refusal refusal;
	int fd = any_dmabuf(1);

	if (xioctl(fd, DMA_BUF_IOCTL_GET_REFUSAL, &refusal) == -ENOTTY)
		prime_skip("the kernel has no negotiation of storage");
	return fd;
}

/**
 * SUBTEST: not-negotiable
 * Description: A buffer that has storage from the start gives EOPNOTSUPP, whatever
 *  device is announced, and shows no refusal.
 */
static void not_negotiable(void)
{
	int drm = open_device(), fd = buffer();
	struct dma_buf_device_use add = { .device_fd = drm, .use = DMA_BUF_USE_READ };
	struct dma_buf_commit commit = { };
	struct dma_buf_constraints_info info;
	struct dma_buf_storage_info storage;
	struct dma_buf_refusal refusal, none = {};

	check_error(xioctl(fd, DMA_BUF_IOCTL_ADD_DEVICE, &add), EOPNOTSUPP);
	add.device_fd = -1;
	check_error(xioctl(fd, DMA_BUF_IOCTL_ADD_DEVICE, &add), EOPNOTSUPP);
	check_error(xioctl(fd, DMA_BUF_IOCTL_REMOVE_DEVICE, &add), EOPNOTSUPP);
	check_error(xioctl(fd, DMA_BUF_IOCTL_COMMIT, &commit), EOPNOTSUPP);
	check_error(xioctl(fd, DMA_BUF_IOCTL_GET_CONSTRAINTS, &info), EOPNOTSUPP);
	check_error(xioctl(fd, DMA_BUF_IOCTL_GET_STORAGE, &storage), EOPNOTSUPP);
	memset(&refusal, 0xff, sizeof(refusal));
	check_ok(xioctl(fd, DMA_BUF_IOCTL_GET_REFUSAL, &refusal));
	check(!memcmp(&refusal, &none, sizeof(none)));
}

/**
 * SUBTEST: sizes
 * Description: A request may be longer than the kernel's, and not shorter. Bytes that
 *  the kernel does not know are 0 in the answer.
 */
static void sizes(void)
{
	static const struct {
		unsigned int nr, dir, size;
	} all[] = {
		{ 0x25, _IOC_READ | _IOC_WRITE, sizeof(struct dma_buf_device_use) },
		{ 0x26, _IOC_READ | _IOC_WRITE, sizeof(struct dma_buf_device_use) },
		{ 0x27, _IOC_READ | _IOC_WRITE, sizeof(struct dma_buf_commit) },
		{ 0x28, _IOC_READ, sizeof(struct dma_buf_constraints_info) },
		{ 0x29, _IOC_READ, sizeof(struct dma_buf_storage_info) },
	};
	int fd = buffer();
	unsigned char bytes[256] = { };
	unsigned int i, size;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (size = 0; size <= sizeof(bytes); size++)
			check_error(xioctl(fd, REQUEST(all[i].dir, all[i].nr, size), bytes),
				    size < all[i].size ? EINVAL : EOPNOTSUPP);

	check_error(xioctl(fd, REQUEST(_IOC_READ, 0x23, 0), bytes), EINVAL);
	for (size = 1; size <= sizeof(bytes); size++) {
		memset(bytes, 0xff, sizeof(bytes));
		check_ok(xioctl(fd, REQUEST(_IOC_READ, 0x23, size), bytes));
		for (i = 0; i < sizeof(bytes); i++)
			check_eq(bytes[i], i < size ? 0 : 0xff);
	}
}

/**
 * SUBTEST: requests
 * Description: Neighbouring numbers, those of the first version, and other
 *  directions give ENOTTY.
 */
static void requests(void)
{
	static const unsigned int dirs[] = {
		_IOC_NONE, _IOC_READ, _IOC_WRITE, _IOC_READ | _IOC_WRITE,
	};
	int fd = buffer();
	unsigned int nr, i;
	char bytes[256] = {};

	for (nr = 0x1f; nr <= 0x2a; nr++) {
		for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
			if (nr >= 0x25 && nr <= 0x27 && dirs[i] == (_IOC_READ | _IOC_WRITE))
				continue;
			if ((nr == 0x23 || nr == 0x28 || nr == 0x29) && dirs[i] == _IOC_READ)
				continue;
			/* Another request may have this number. */
			if (nr == 0x24)
				continue;
			check_error(xioctl(fd, REQUEST(dirs[i], nr, 96), bytes),
				    ENOTTY);
		}
	}
}

/**
 * SUBTEST: faults
 * Description: Memory that is not mapped gives EFAULT, for the request and for the
 *  answer.
 */
static void faults(void)
{
	int fd = buffer();
	struct dma_buf_refusal refusal = {};
	void *page;

	check_error(xioctl(fd, DMA_BUF_IOCTL_GET_REFUSAL, (void *)8), EFAULT);
	page = readonly_page(&refusal, sizeof(refusal));
	check_error(xioctl(fd, DMA_BUF_IOCTL_GET_REFUSAL, page), EFAULT);
}

/**
 * SUBTEST: read-only
 * Description: A read-only descriptor may ask for a refusal. ADD_DEVICE gives
 *  EOPNOTSUPP as for any descriptor, since that is checked before the access mode.
 */
static void read_only(void)
{
	int drm = open_device();
	uint32_t handle = check_ok(gem_create(drm, 1));
	int fd = buffer(), ro = check_ok(gem_export(drm, handle, DRM_CLOEXEC));
	struct dma_buf_device_use add = {};
	struct dma_buf_refusal refusal;

	check_eq(fcntl(ro, F_GETFL) & O_ACCMODE, O_RDONLY);
	check_ok(xioctl(ro, DMA_BUF_IOCTL_GET_REFUSAL, &refusal));
	check_error(xioctl(ro, DMA_BUF_IOCTL_ADD_DEVICE, &add), EOPNOTSUPP);
	close(fd);
}

static const struct prime_subtest subtests[] = {
	{ "not_negotiable", not_negotiable },
	{ "sizes", sizes },
	{ "requests", requests },
	{ "faults", faults },
	{ "read_only", read_only },
};

PRIME_MAIN(subtests)
