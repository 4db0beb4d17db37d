// SPDX-License-Identifier: MIT
/*
 * A compositor that welcomes one client and names something as its display that is none. What
 * the client says of that is the test's.
 */

#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../common.h"

int main(int argc, char **argv)
{
	struct message msg = { .type = MSG_WELCOME, .welcome.where = { 0, 0, 320, 180 } };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int listener, sock, fds[MAX_FDS];
	struct message hello;
	unsigned int n_fds;

	if (argc != 3 || argv[1][0] == '-' || strlen(argv[1]) >= sizeof(addr.sun_path) ||
	    strlen(argv[2]) >= sizeof(msg.welcome.device)) {
		fprintf(stderr, "usage: wrong-display SOCKET DEVICE\n");
		return 2;
	}
	strcpy(addr.sun_path, argv[1]);
	strcpy(msg.welcome.device, argv[2]);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(listener, 1))
		err(1, "%s: cannot listen", argv[1]);
	/* The test waits for this line. */
	printf("ready\n");
	fflush(stdout);
	sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (sock < 0 || message_receive(sock, &hello, fds, &n_fds) != 1 ||
	    message_send(sock, &msg, NULL, 0))
		err(1, "%s: cannot welcome a client", argv[1]);
	/* Until it goes; nothing that it sends is answered. */
	return message_receive(sock, &hello, fds, &n_fds) != 0;
}
