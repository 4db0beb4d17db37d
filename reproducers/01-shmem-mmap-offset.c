// SPDX-License-Identifier: MIT
/*
 * Two mappings of a dma-buf, by a driver with the GEM shmem helpers: one begins at the
 * third page of the buffer; the other is of the whole buffer, and its first two pages
 * are unmapped before it is touched. Both must show the third page first.
 * usage: 01-shmem-mmap-offset [DRIVER]   (vgem)
 */
#include "reproducer.h"

static char *map(int fd, size_t size, off_t offset)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	if (memory == MAP_FAILED)
		end(SKIP, "no mmap at %lld: %s", (long long)offset, strerror(errno));
	return memory;
}

int main(int argc, char **argv)
{
	int card = open_card(argc, argv, "vgem"), page = getpagesize();
	int fd = export_handle(card, dumb(card, 4));
	char *whole = map(fd, 4 * page, 0), *tail, *half;

	for (int i = 0; i < 4; i++)
		whole[i * page] = '0' + i;
	tail = map(fd, 2 * page, 2 * page);
	half = map(fd, 4 * page, 0);
	step(munmap(half, 2 * page));
	if (*tail == '2' && half[2 * page] == '2')
		end(RIGHT, "both show page 2");
	end(WRONG, "mapped from page 2 on: page %c; what is left behind page 2: page %c",
	    *tail, half[2 * page]);
}
