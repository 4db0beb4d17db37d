// SPDX-License-Identifier: MIT
/*
 * A poll with a timeout of 0 finds a pending fence. Then every fd, handle and file of
 * the buffer is closed. The buffer must be freed. But it stays until the fence signals,
 * and whoever made the fence decides when that is.
 * usage: 04-poll-holds-buffer [DRIVER]   (vgem; needs CONFIG_SW_SYNC, debugfs, root)
 */
#include "reproducer.h"

int main(int argc, char **argv)
{
	int card = open_card(argc, argv, "vgem"), line = timeline(), before = buffers(), after;
	int fd = export_handle(card, dumb(card, 1));
	struct pollfd poller = { .fd = fd, .events = POLLIN };

	pending_write(fd, line);
	step(poll(&poller, 1, 0));
	close(fd);
	close(card);
	/* A last close may be done a moment later. */
	for (int i = 0; i < 20 && buffers() > before; i++)
		usleep(100000);
	after = buffers();
	signal_write(line);
	if (after <= before)
		end(RIGHT, "the buffer is gone");
	end(WRONG, "2 s after the last close the buffer is still there");
}
