// SPDX-License-Identifier: MIT
/*
 * A program waits for an idle dma-buf with an edge-triggered epoll. It must get one
 * event, and no further one as long as there is no fence. It gets one each time.
 * usage: 03-poll-wakes-itself [DRIVER]   (vgem)
 */
#include "reproducer.h"

#include <sys/epoll.h>

int main(int argc, char **argv)
{
	int card = open_card(argc, argv, "vgem"), ep = step(epoll_create1(0)), events = 0;
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };

	step(epoll_ctl(ep, EPOLL_CTL_ADD, export_handle(card, dumb(card, 1)), &event));
	for (int i = 0; i < 100; i++)
		events += step(epoll_wait(ep, &event, 1, 0));
	if (events == 1)
		end(RIGHT, "one event");
	end(WRONG, "%d events in 100 looks at a buffer that nobody touches", events);
}
