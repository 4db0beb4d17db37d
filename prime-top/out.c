// SPDX-License-Identifier: MIT
/* Output with fewer instructions than stdio needs: a refresh may have 10,000 buffers. */
#include "top.h"

#include <unistd.h>

static char buffer[65536];
static size_t used;
static bool failed;

/* Returns where the next 2 KiB at most can be written. */
char *out_room(void)
{
	if (sizeof(buffer) - used < 2048)
		out_flush();
	return buffer + used;
}

/* @end: the end of the text that was written where out_room() said. */
void out_end(const char *end)
{
	used = end - buffer;
}

void out_text(const char *text)
{
	out_end(put_text(out_room(), text));
}

/* A string of JSON, of at most 1 KiB. Its bytes are printable UTF-8 (copy_text()). */
char *put_quoted(char *to, const char *text)
{
	*to++ = '"';
	while (*text) {
		unsigned int plain = copy_plain(to, text);

		to += plain;
		text += plain;
		if (plain == 8 || !*text)
			continue;
		if (*text == '"' || *text == '\\')
			*to++ = '\\';
		*to++ = *text++;
	}
	*to++ = '"';
	return to;
}

char *put_number(char *to, uint64_t number)
{
	static char digits[40];
	char *end = digits + 20, *at = number_text(number, end);

	/* Copies more than the text, since a copy of known length costs least. */
	memcpy(to, at, 20);
	return to + (end - at);
}

bool out_flush(void)
{
	size_t done = 0;

	while (done < used && !failed) {
		ssize_t wrote = write(STDOUT_FILENO, buffer + done, used - done);

		failed = wrote < 0;
		done += wrote > 0 ? wrote : 0;
	}
	used = 0;
	return !failed;
}
