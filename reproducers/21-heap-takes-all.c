// SPDX-License-Identifier: MIT
/*
 * A program asks the heap "system" for four times the machine's memory. The heap must say at once
 * that there is not so much. But it takes page after page until none is left, and the kernel kills
 * a process. Here this is the one that asked, since it wants to be the first.
 * usage: 21-heap-takes-all   (root, CONFIG_DMABUF_HEAPS_SYSTEM)
 */
#include "reproducer.h"
#include <linux/dma-heap.h>
#include <sys/sysinfo.h>

static unsigned long long free_mib(void)
{
	struct sysinfo info;

	step(sysinfo(&info));
	return (unsigned long long)info.freeram * info.mem_unit >> 20;
}

int main(void)
{
	struct dma_heap_allocation_data arg = { .fd_flags = O_RDWR | O_CLOEXEC };
	int heap = step(open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC)), status;
	unsigned long long before = free_mib(), least = before, now;
	struct sysinfo info;
	pid_t pid;

	step(sysinfo(&info));
	arg.len = 4ull * info.totalram * info.mem_unit;
	pid = child();
	if (!pid) {
		put("/proc/self/oom_score_adj", "1000");
		_exit(ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &arg) ? errno : 0);
	}
	while (!step(waitpid(pid, &status, WNOHANG))) {
		now = free_mib();
		least = now < least ? now : least;
		usleep(10000);
	}
	if (WIFSIGNALED(status))
		end(WRONG, "%llu MiB asked for: %llu of %llu free MiB were taken, and the kernel killed it",
		    (unsigned long long)arg.len >> 20, before - least, before);
	if (WEXITSTATUS(status) != ENOMEM)
		end(SKIP, "the heap says: %s", strerror(WEXITSTATUS(status)));
	if (least < before / 2)
		end(WRONG, "ENOMEM, after %llu of %llu free MiB were taken", before - least, before);
	end(RIGHT, "ENOMEM, and no memory was taken");
}
