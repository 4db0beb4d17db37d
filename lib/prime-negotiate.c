// SPDX-License-Identifier: MIT
/* The calls: an ioctl each, and a negative errno when it fails. */
#include "prime-negotiate.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/dma-heap.h>

static int call(int fd, unsigned long request, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, request, arg);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

static int open_heap(void)
{
	int heap = open(PRIME_NEGOTIATE_HEAP, O_RDWR | O_CLOEXEC);

	return heap < 0 ? -errno : heap;
}

int prime_negotiate_supported(void)
{
	int heap = open_heap();

	switch (heap) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		return 0;
	case -EPERM:
		return -EACCES;
	}
	if (heap < 0)
		return heap;
	close(heap);
	return 1;
}

int prime_negotiate_alloc(uint64_t size)
{
	struct dma_heap_allocation_data arg = {
		.len = size ? size : 1, .fd_flags = O_RDWR | O_CLOEXEC,
	};
	int heap = open_heap(), ret;

	if (heap < 0)
		return heap;
	ret = call(heap, DMA_HEAP_IOCTL_ALLOC, &arg);
	close(heap);
	return ret ? ret : (int)arg.fd;
}

int prime_negotiate_add(int buffer, int device, uint32_t use,
			struct dma_buf_device_use *answer)
{
	struct dma_buf_device_use arg = { .device_fd = device, .use = use };
	int ret = call(buffer, DMA_BUF_IOCTL_ADD_DEVICE, &arg);

	/* Another kernel, or another file, gives no reason. */
	if (ret && !arg.field) {
		arg.field = DMA_BUF_FIELD_ERROR;
		arg.found = -ret;
	}
	if (answer)
		*answer = arg;
	return ret;
}

int prime_negotiate_add_path(int buffer, const char *path, uint32_t use,
			     struct dma_buf_device_use *answer)
{
	int device = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK), ret = -errno;

	if (device >= 0) {
		ret = prime_negotiate_add(buffer, device, use, answer);
		close(device);
	} else if (answer) {
		*answer = (struct dma_buf_device_use){
			.field = DMA_BUF_FIELD_ERROR, .found = -ret,
		};
	}
	return ret;
}

int prime_negotiate_remove(int buffer, int device)
{
	struct dma_buf_device_use arg = { .device_fd = device };

	return call(buffer, DMA_BUF_IOCTL_REMOVE_DEVICE, &arg);
}

int prime_negotiate_commit(int buffer, uint64_t size,
			   struct dma_buf_commit *answer)
{
	struct dma_buf_commit arg = { .size = size };
	int ret = call(buffer, DMA_BUF_IOCTL_COMMIT, &arg);

	if (ret && !arg.field) {
		arg.field = DMA_BUF_FIELD_ERROR;
		arg.found = -ret;
	}
	if (answer)
		*answer = arg;
	return ret;
}

int prime_negotiate_constraints(int buffer,
				struct dma_buf_constraints_info *info)
{
	memset(info, 0, sizeof(*info));
	return call(buffer, DMA_BUF_IOCTL_GET_CONSTRAINTS, info);
}

int prime_negotiate_storage(int buffer, struct dma_buf_storage_info *info)
{
	memset(info, 0, sizeof(*info));
	return call(buffer, DMA_BUF_IOCTL_GET_STORAGE, info);
}

int prime_negotiate_refusal(int buffer, struct dma_buf_refusal *refusal)
{
	memset(refusal, 0, sizeof(*refusal));
	return call(buffer, DMA_BUF_IOCTL_GET_REFUSAL, refusal);
}

int prime_negotiate_try(int buffer, int device, uint32_t *judged)
{
	struct dma_buf_try_device arg = { .device_fd = device };
	int ret = call(buffer, DMA_BUF_IOCTL_TRY_DEVICE, &arg);

	if (judged)
		*judged = arg.judged;
	return ret;
}
