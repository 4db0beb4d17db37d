// SPDX-License-Identifier: MIT
/*
 * virtio-gpu is removed while a program has a dma-buf of it. The driver destroys a mutex
 * then, and locks it when the buffer is freed. A kernel that checks mutexes warns of that;
 * on another kernel nothing shows.
 * usage: 14-virtio-gpu-mutex   (virtio-gpu; a kernel with DEBUG_MUTEXES, without
 * panic_on_warn; root)
 */
#include "reproducer.h"

int main(int argc, char **argv)
{
	int card = open_card(argc, argv, "virtio_gpu"), log = kernel_log(), warned;
	int buffer = export_handle(card, dumb(card, 1));

	remove_pci(card);
	close(card);
	/* Nobody has the buffer now, and it is freed. */
	close(buffer);
	warned = logged(log, "DEBUG_LOCKS_WARN_ON", "lock->magic != lock");
	if (warned)
		end(WRONG, "a mutex is locked that was destroyed when the device went");
	if (access("/proc/lockdep_stats", F_OK))
		end(SKIP, "no warning, and this kernel may not look (DEBUG_MUTEXES)");
	end(RIGHT, "the kernel did not warn");
}
