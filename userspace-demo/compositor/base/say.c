// SPDX-License-Identifier: MIT
/* Lines for the person who watches. */

#include <stdarg.h>
#include <stdio.h>

#include "../../common.h"
#include "say.h"

void say(const char *format, ...)
{
	static uint64_t begun;
	va_list args;

	if (!begun)
		begun = now();
	printf("%7.3f  ", (now() - begun) / 1e9);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}
