// SPDX-License-Identifier: MIT
/*
 * An idle dma-buf is watched in edge mode. Its one event is taken; there must be no
 * other without a fence in between.
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
