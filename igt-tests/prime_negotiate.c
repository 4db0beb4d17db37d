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
#define ADD(size)		REQUEST(_IOC_READ | _IOC_WRITE, 0x20, size)

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
	struct dma_buf_add_device add = { .device_fd = drm };
	struct dma_buf_constraints_info info;
	struct dma_buf_storage_info storage;
	struct dma_buf_refusal refusal, none = {};

	check_error(xioctl(fd, DMA_BUF_IOCTL_ADD_DEVICE, &add), EOPNOTSUPP);
	add.device_fd = -1;
	check_error(xioctl(fd, DMA_BUF_IOCTL_ADD_DEVICE, &add), EOPNOTSUPP);
	check_error(xioctl(fd, DMA_BUF_IOCTL_GET_CONSTRAINTS, &info), EOPNOTSUPP);
	check_error(xioctl(fd, DMA_BUF_IOCTL_GET_STORAGE, &storage), EOPNOTSUPP);
	memset(&refusal, 0xff, sizeof(refusal));
	check_ok(xioctl(fd, DMA_BUF_IOCTL_GET_REFUSAL, &refusal));
	check(!memcmp(&refusal, &none, sizeof(none)));
}

/**
 * SUBTEST: flags
 * Description: Every unknown flag gives EINVAL.
 */
static void flags(void)
{
	int fd = buffer();
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		struct dma_buf_add_device add = { .flags = 1u << bit };

		check_error(xioctl(fd, DMA_BUF_IOCTL_ADD_DEVICE, &add), EINVAL);
	}
}

/**
 * SUBTEST: sizes
 * Description: A request may be shorter or longer than the kernel's. Bytes that the
 *  kernel does not know have to be 0, and are 0 in the answer.
 */
static void sizes(void)
{
	int fd = buffer();
	unsigned char bytes[256];
	unsigned int i, size;

	for (size = 0; size < 8; size++) {
		memset(bytes, 0, sizeof(bytes));
		check_error(xioctl(fd, ADD(size), bytes), EINVAL);
	}
	for (size = 8; size <= sizeof(bytes); size++) {
		memset(bytes, 0, sizeof(bytes));
		check_error(xioctl(fd, ADD(size), bytes), EOPNOTSUPP);
	}
	for (i = sizeof(struct dma_buf_add_device); i < sizeof(bytes); i++) {
		memset(bytes, 0, sizeof(bytes));
		bytes[i] = 1;
		check_error(xioctl(fd, ADD(sizeof(bytes)), bytes), E2BIG);
	}

	check_error(xioctl(fd, REQUEST(_IOC_READ, 0x21, 0), bytes), EINVAL);
	check_error(xioctl(fd, REQUEST(_IOC_READ, 0x22, 0), bytes), EINVAL);
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
 * Description: Neighbouring numbers and other directions give ENOTTY.
 */
static void requests(void)
{
	static const unsigned int dirs[] = {
		_IOC_NONE, _IOC_READ, _IOC_WRITE, _IOC_READ | _IOC_WRITE,
	};
	int fd = buffer();
	unsigned int nr, i;
	char bytes[256] = {};

	for (nr = 0x1f; nr <= 0x24; nr++) {
		for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
			if (nr == 0x20 && dirs[i] == (_IOC_READ | _IOC_WRITE))
				continue;
			if (nr > 0x20 && nr < 0x24 && dirs[i] == _IOC_READ)
				continue;
			check_error(xioctl(fd, REQUEST(dirs[i], nr, 48), bytes),
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

	check_error(xioctl(fd, DMA_BUF_IOCTL_ADD_DEVICE, (void *)8), EFAULT);
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
	struct dma_buf_add_device add = {};
	struct dma_buf_refusal refusal;

	check_eq(fcntl(ro, F_GETFL) & O_ACCMODE, O_RDONLY);
	check_ok(xioctl(ro, DMA_BUF_IOCTL_GET_REFUSAL, &refusal));
	check_error(xioctl(ro, DMA_BUF_IOCTL_ADD_DEVICE, &add), EOPNOTSUPP);
	close(fd);
}

static const struct prime_subtest subtests[] = {
	{ "not_negotiable", not_negotiable },
	{ "flags", flags },
	{ "sizes", sizes },
	{ "requests", requests },
	{ "faults", faults },
	{ "read_only", read_only },
};

PRIME_MAIN(subtests)
