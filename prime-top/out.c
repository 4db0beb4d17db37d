// SPDX-License-Identifier: MIT
/* Output with fewer instructions than stdio needs: a refresh may have 10,000 buffers. */
#include "top.h"

#include <unistd.h>

char out_buffer[65536];
size_t out_used;
static bool failed;

/* A string of JSON, of at most 1 KiB. Its bytes are printable UTF-8 (copy_text()). */
void out_quoted(const char *text)
{
	char *to;

	if (sizeof(out_buffer) - out_used < 2048)
		out_flush();
	to = out_buffer + out_used;
	*to++ = '"';
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			*to++ = '\\';
		*to++ = *text;
	}
	*to++ = '"';
	out_used = to - out_buffer;
}

void out_number(uint64_t number)
{
	char digits[40] = "", *end = digits + 20, *at = number_text(number, end);

	if (sizeof(out_buffer) - out_used < 2048)
		out_flush();
	/* More than there is, since a known length costs least. */
	memcpy(out_buffer + out_used, at, 20);
	out_used += end - at;
}

bool out_flush(void)
{
	size_t done = 0;

	while (done < out_used && !failed) {
		ssize_t wrote = write(STDOUT_FILENO, out_buffer + done, out_used - done);

		failed = wrote < 0;
		done += wrote > 0 ? wrote : 0;
	}
	out_used = 0;
	return !failed;
}
