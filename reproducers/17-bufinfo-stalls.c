// SPDX-License-Identifier: MIT
/*
 * A driver imports a buffer, and the exporter holds the buffer's reservation lock for long. A
 * process reads dma_buf/bufinfo in debugfs. Another one allocates a buffer of a heap, which has
 * nothing to do with the first buffer. It must get it at once. But it waits until the import ends.
 * usage: 17-bufinfo-stalls [DRIVER]   (vkms, which imports; vgem; system heap; memory cgroups of
 * version 2, debugfs, root)
 */
#include "reproducer.h"

#include <linux/dma-heap.h>

#define HEAP	"/dev/dma_heap/system"
#define SECONDS	3

static pid_t allocate(int heap)
{
	struct dma_heap_allocation_data arg = { .len = getpagesize(), .fd_flags = O_RDWR | O_CLOEXEC };
	pid_t pid = child();

	if (!pid)
		_exit(!!ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &arg));
	return pid;
}

static pid_t read_list(void)
{
	pid_t pid = child();

	if (!pid)
		_exit(buffers() < 0);
	return pid;
}

int main(int argc, char **argv)
{
	int to = open_card(argc, argv, "vkms"), from = open_card(1, argv, "vgem");
	int heap = step(open(HEAP, O_RDWR | O_CLOEXEC)), alone, waits, reads = 0, imports;
	pid_t importer, other, reader;

	/* Ends here if there is no list. */
	buffers();
	importer = slow_import(from, to);
	other = allocate(heap);
	alone = ends(other, 1000 * SECONDS);
	if (alone) {
		reader = read_list();
		/* It ends, or it sleeps with the lock of the list. */
		reads = !ends(reader, 500);
		other = allocate(heap);
	}
	waits = !alone || !ends(other, 1000 * SECONDS);
	imports = stop(importer);
	if (waits)
		ends(other, 10000);
	if (reads)
		ends(reader, 10000);
	if (!alone)
		end(SKIP, "an allocation waits although nobody reads");
	if (!imports)
		end(SKIP, "the import ended too early");
	if (waits)
		end(WRONG, "bufinfo is read, and an allocation of a heap has waited for %d s", SECONDS);
	end(RIGHT, "an allocation of a heap ends beside a reader of bufinfo");
}
