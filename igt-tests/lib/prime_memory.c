// SPDX-License-Identifier: MIT
/* memfds, udmabuf, dma-heaps and their content. */
#include "lib/prime_memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>

/* --- content --- */

static uint8_t pattern_byte(size_t place, uint32_t seed)
{
	uint32_t x = (place + 1) * 2654435761u + seed * 40503u;

	return (x ^ x >> 15) * 2246822519u >> 24;
}

void fill(void *memory, size_t size, uint32_t seed)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)memory)[i] = pattern_byte(i, seed);
}

size_t filled(const void *memory, size_t size, uint32_t seed)
{
	const uint8_t *bytes = memory;
	size_t i = 0;

	while (i < size && bytes[i] == pattern_byte(i, seed))
		i++;
	return i;
}

size_t filled_byte(const void *memory, size_t size, uint8_t value)
{
	const uint8_t *bytes = memory;
	size_t i = 0;

	while (i < size && bytes[i] == value)
		i++;
	return i;
}

size_t same_bytes(const void *a, const void *b, size_t size)
{
	const uint8_t *x = a, *y = b;
	size_t i = 0;

	while (i < size && x[i] == y[i])
		i++;
	return i;
}

void *map_dmabuf(int dmabuf, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			    dmabuf, 0);

	check(memory != MAP_FAILED);
	return memory;
}

void unmap(void *memory, size_t size)
{
	check_ok(munmap(memory, size) ? -errno : 0);
}

size_t size_of(int dmabuf)
{
	off_t end = lseek(dmabuf, 0, SEEK_END);

	check(end > 0);
	return end;
}

void fill_dmabuf(int dmabuf, size_t size, uint32_t seed)
{
	void *memory = map_dmabuf(dmabuf, size);

	check_ok(dmabuf_sync(dmabuf, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	fill(memory, size, seed);
	check_ok(dmabuf_sync(dmabuf, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
	unmap(memory, size);
}

size_t filled_dmabuf(int dmabuf, size_t size, uint32_t seed)
{
	void *memory = map_dmabuf(dmabuf, size);
	size_t good;

	check_ok(dmabuf_sync(dmabuf, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	good = filled(memory, size, seed);
	check_ok(dmabuf_sync(dmabuf, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
	unmap(memory, size);
	return good;
}

void poison_dmabuf(int dmabuf)
{
	size_t size = size_of(dmabuf);
	void *memory = map_dmabuf(dmabuf, size);

	memset(memory, POISON, size);
	unmap(memory, size);
}

int attachments_of(int dmabuf)
{
	char *text = read_text("/sys/kernel/debug/dma_buf/bufinfo");
	char inode[32], *line;
	int count = -1;

	if (!text)
		prime_skip("no debugfs dma_buf/bufinfo");
	snprintf(inode, sizeof(inode), "\t%08llu\t",
		 (unsigned long long)inode_of(dmabuf));
	line = strstr(text, inode);
	line = line ? strstr(line, "\nTotal ") : NULL;
	if (line)
		count = atoi(line + strlen("\nTotal "));
	free(text);
	check(count >= 0);
	return count;
}

int settle_attachments(int dmabuf, int wanted)
{
	double end = now() + 3;
	int count;

	while ((count = attachments_of(dmabuf)) != wanted && now() < end)
		usleep(10000);
	return count;
}

/* --- udmabuf --- */

int memfd_sealed(size_t size, unsigned int seals)
{
	int memfd = memfd_create("prime", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	check(memfd >= 0);
	check_ok(ftruncate(memfd, size) ? -errno : 0);
	check_ok(fcntl(memfd, F_ADD_SEALS, seals) ? -errno : 0);
	return memfd;
}

int udmabuf_open(void)
{
	int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);

	if (device < 0)
		prime_skip("/dev/udmabuf: %s (CONFIG_UDMABUF)",
			   strerror(errno));
	return device;
}

int udmabuf_create(int memfd, uint64_t offset, uint64_t size, uint32_t flags)
{
	struct udmabuf_create arg = {
		.memfd = memfd, .flags = flags, .offset = offset, .size = size,
	};
	int device = udmabuf_open();
	int ret = xioctl(device, UDMABUF_CREATE, &arg);

	close(device);
	return ret;
}

int udmabuf_create_list(const struct udmabuf_create_item *items,
			uint32_t count, uint32_t flags)
{
	struct udmabuf_create_list *arg;
	int device = udmabuf_open(), ret;

	arg = calloc(1, sizeof(*arg) + count * sizeof(*items));
	check(arg);
	arg->flags = flags;
	arg->count = count;
	if (count)
		memcpy(arg->list, items, count * sizeof(*items));
	ret = xioctl(device, UDMABUF_CREATE_LIST, arg);
	free(arg);
	close(device);
	return ret;
}

/* --- dma-heaps --- */

struct heap_list heaps(void)
{
	DIR *dir = opendir("/dev/dma_heap");
	struct heap_list list = { };
	struct dirent *entry;

	if (!dir)
		prime_skip("/dev/dma_heap: %s (CONFIG_DMABUF_HEAPS)",
			   strerror(errno));
	while ((entry = readdir(dir)) && list.count < 16)
		if (entry->d_name[0] != '.')
			snprintf(list.name[list.count++], sizeof(list.name[0]),
				 "%.63s", entry->d_name);
	closedir(dir);
	if (!list.count)
		prime_skip("no heap in /dev/dma_heap (CONFIG_DMABUF_HEAPS_SYSTEM)");
	return list;
}

int heap_open(const char *name)
{
	char path[96];
	int heap;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", name);
	heap = open(path, O_RDWR | O_CLOEXEC);
	return heap < 0 ? -errno : heap;
}

int heap_alloc(int heap, uint64_t size, uint32_t fd_flags, uint64_t heap_flags)
{
	struct dma_heap_allocation_data arg = {
		.len = size, .fd_flags = fd_flags, .heap_flags = heap_flags,
	};
	int ret = xioctl(heap, DMA_HEAP_IOCTL_ALLOC, &arg);

	return ret < 0 ? ret : (int)arg.fd;
}

int cma_heap_open(void)
{
	/* The area has another name with a device tree, and in later kernels. */
	static const char *const names[] = {
		"reserved", "linux,cma", "default_cma_region",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int heap = heap_open(names[i]);

		if (heap >= 0)
			return heap;
	}
	prime_skip("no CMA heap in /dev/dma_heap (CONFIG_DMABUF_HEAPS_CMA)");
}

static int system_heap_open(void)
{
	int heap = heap_open("system");

	if (heap < 0)
		prime_skip("no system heap in /dev/dma_heap "
			   "(CONFIG_DMABUF_HEAPS_SYSTEM)");
	return heap;
}

/* --- a buffer of a kind --- */

/* The first page is also the last one, so no range of addresses covers the buffer. */
static int make_scattered(int memfd, size_t size)
{
	const struct udmabuf_create_item items[] = {
		{ .memfd = memfd, .size = size - PAGE },
		{ .memfd = memfd, .size = PAGE },
	};

	check(size > PAGE);
	return check_ok(udmabuf_create_list(items, 2, UDMABUF_FLAGS_CLOEXEC));
}

int make_memory(enum memory kind, size_t size)
{
	int source, fd;

	size = (size + PAGE - 1) / PAGE * PAGE;
	switch (kind) {
	case MEMORY_SYSTEM_HEAP:
	case MEMORY_CMA_HEAP:
		source = kind == MEMORY_CMA_HEAP ? cma_heap_open() :
						   system_heap_open();
		fd = check_ok(heap_alloc(source, size, O_RDWR | O_CLOEXEC, 0));
		break;
	case MEMORY_SCATTERED:
		source = memfd_sealed(size, F_SEAL_SHRINK);
		fd = make_scattered(source, size);
		break;
	default:
		source = memfd_sealed(size, F_SEAL_SHRINK);
		fd = check_ok(udmabuf_create(source, 0, size,
					     UDMABUF_FLAGS_CLOEXEC));
	}
	close(source);
	return fd;
}
