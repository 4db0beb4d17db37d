// SPDX-License-Identifier: MIT
/* Lines for the person who watches. */

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "../../common.h"
#include "say.h"

void say(const char *format, ...)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };
	static uint64_t begun;
	va_list args;

	if (!begun)
		begun = now();
	/* A pipe that nobody reads would stop the windows, and one without a reader the program. */
	if (poll(&out, 1, 0) != 1 || out.revents != POLLOUT)
		return;
	printf("%7.3f  ", (now() - begun) / 1e9);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}
