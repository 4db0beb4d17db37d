// SPDX-License-Identifier: MIT
/*
 * A program reads a udmabuf. Then somebody writes to the memfd of the udmabuf, and the
 * program reads again, each time between SYNC's begin and end. It must see what was
 * written. But with swiotlb=force the second begin overwrites the memory with old bytes.
 * usage: 07-udmabuf-bounced   (CONFIG_UDMABUF; boot with swiotlb=force)
 */
#include "reproducer.h"
#include <linux/udmabuf.h>

static void look(int fd, uint64_t edge)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_RW | edge };

	step(ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync));
}

static volatile uint8_t *map(int fd, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		end(SKIP, "mmap: %s", strerror(errno));
	return memory;
}

int main(void)
{
	const size_t size = getpagesize();
	int device = step(open("/dev/udmabuf", O_RDWR | O_CLOEXEC));
	int memfd = step(memfd_create("udmabuf", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	struct udmabuf_create create = { .memfd = memfd, .flags = UDMABUF_FLAGS_CLOEXEC, .size = size };
	volatile uint8_t *below, *buffer;
	uint8_t seen;
	int fd;

	step(ftruncate(memfd, size));
	step(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	fd = step(ioctl(device, UDMABUF_CREATE, &create));
	below = map(memfd, size);
	buffer = map(fd, size);

	look(fd, DMA_BUF_SYNC_START);
	look(fd, DMA_BUF_SYNC_END);
	below[0] = 0xa5;
	look(fd, DMA_BUF_SYNC_START);
	seen = buffer[0];
	look(fd, DMA_BUF_SYNC_END);
	if (seen == 0xa5)
		end(RIGHT, "the processor reads what was written, 0xa5");
	end(WRONG, "the processor reads %#x where 0xa5 was written", seen);
}
