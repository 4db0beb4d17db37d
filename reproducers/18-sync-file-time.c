// SPDX-License-Identifier: MIT
/*
 * A writer's fence of a buffer signals. Then EXPORT_SYNC_FILE asks the buffer what to wait for.
 * The sync file must have the time at which the fence signalled. But its time is that of the boot.
 * usage: 18-sync-file-time [DRIVER]   (vgem; needs CONFIG_SW_SYNC, debugfs, root)
 */
#include "reproducer.h"

#include <linux/sync_file.h>

static int sync_file(int fd)
{
	struct dma_buf_export_sync_file arg = { .flags = DMA_BUF_SYNC_READ, .fd = -1 };

	step(ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &arg));
	return arg.fd;
}

/* When the one fence of a sync file signalled, in seconds. */
static double signalled_at(int file)
{
	struct sync_fence_info fence = { };
	struct sync_file_info info = { .num_fences = 1, .sync_fence_info = (uintptr_t)&fence };

	step(ioctl(file, SYNC_IOC_FILE_INFO, &info));
	if (fence.status != 1)
		end(SKIP, "a fence of status %d", fence.status);
	return fence.timestamp_ns / 1e9;
}

int main(int argc, char **argv)
{
	int card = open_card(argc, argv, "vgem"), fd = export_handle(card, dumb(card, 1));
	int line = timeline(), early;
	double right, seen;

	pending_write(fd, line);
	early = sync_file(fd);
	signal_write(line);
	right = signalled_at(early);
	usleep(100000);
	seen = signalled_at(sync_file(fd));
	if (seen == right)
		end(RIGHT, "the sync file has the time of the fence");
	end(WRONG, "the fence signalled at %.3f s, and the sync file says %.3f s", right, seen);
}
