// SPDX-License-Identifier: MIT
/*
 * virtio-gpu is removed while a program has a dma-buf of it. The buffer stays mapped for
 * the PCI device until it is freed. A kernel that checks the DMA API warns of that; on
 * another kernel nothing shows.
 * usage: 15-virtio-gpu-mapped   (virtio-gpu; a kernel with DMA_API_DEBUG, without
 * panic_on_warn; debugfs, root)
 */
#include "reproducer.h"

#define CHECKER	"/sys/kernel/debug/dma-api/"

/* The misuses that the kernel has counted, also those that it did not print. */
static unsigned int misuses(void)
{
	FILE *file = fopen(CHECKER "error_count", "r");
	unsigned int count;

	if (!file || fscanf(file, "%u", &count) != 1)
		end(SKIP, "no " CHECKER "error_count (DMA_API_DEBUG, debugfs, root)");
	fclose(file);
	return count;
}

static void must_check(void)
{
	int file = step(open(CHECKER "disabled", O_RDONLY | O_CLOEXEC));
	char answer = 0;

	step(read(file, &answer, 1));
	close(file);
	if (answer != 'N')
		end(SKIP, "the kernel has switched the check off (" CHECKER "disabled)");
}

int main(int argc, char **argv)
{
	int card = open_card(argc, argv, "virtio_gpu"), buffer;
	unsigned int before = misuses(), after;

	buffer = export_handle(card, dumb(card, 1));
	remove_pci(card);
	must_check();
	after = misuses();
	close(card);
	close(buffer);
	if (after != before)
		end(WRONG, "the device is gone, and the buffer is mapped for it");
	end(RIGHT, "nothing is mapped for the device when it goes");
}
