// SPDX-License-Identifier: MIT
/*
 * Two writers' fences are on a buffer, and aio polls it for reading. The poll must end
 * when both have signalled. But it ends with the first one.
 * usage: 05-aio-poll-first-fence [DRIVER]   (vgem; needs CONFIG_SW_SYNC, debugfs, root)
 */
#include "reproducer.h"

#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <time.h>

static int ended(aio_context_t aio, long ms)
{
	struct timespec limit = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	struct io_event event;

	return step(syscall(SYS_io_getevents, aio, 1, 1, &event, &limit));
}

int main(int argc, char **argv)
{
	int card = open_card(argc, argv, "vgem"), line[2];

	for (int first = 0; first < 2; first++) {
		int fd = export_handle(card, dumb(card, 1));
		struct iocb poller = {
			.aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = fd, .aio_buf = POLLIN,
		}, *list = &poller;
		aio_context_t aio = 0;
		int early;

		line[0] = timeline();
		line[1] = timeline();
		pending_write(fd, line[0]);
		pending_write(fd, line[1]);
		step(syscall(SYS_io_setup, 1, &aio));
		step(syscall(SYS_io_submit, aio, 1, &list));
		signal_write(line[first]);
		early = ended(aio, 300);
		signal_write(line[!first]);
		if (early)
			end(WRONG, "the poll ended while fence %d of 2 was pending", 2 - first);
		if (!ended(aio, 3000))
			end(SKIP, "the poll never ended");
		step(syscall(SYS_io_destroy, aio));
	}
	end(RIGHT, "the poll ended with the second fence");
}
