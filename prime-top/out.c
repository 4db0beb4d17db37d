// SPDX-License-Identifier: MIT
/* Output with fewer instructions than stdio needs: a refresh may have 10,000 buffers. */
#include "top.h"

#include <string.h>
#include <unistd.h>

static char buffer[65536];
static size_t used;
static bool failed;

static void out_bytes(const char *text, size_t length)
{
	if (length > sizeof(buffer) - used)
		out_flush();
	memcpy(buffer + used, text, length);
	used += length;
}

void out_text(const char *text)
{
	out_bytes(text, strlen(text));
}

/* A string of JSON. Its bytes are printable UTF-8 (copy_text()). */
void out_quoted(const char *text)
{
	out_bytes("\"", 1);
	for (size_t length; *text; text += length) {
		length = strcspn(text, "\"\\");
		out_bytes(text, length);
		if (!text[length])
			break;
		out_bytes("\\", 1);
		out_bytes(text + length++, 1);
	}
	out_bytes("\"", 1);
}

void out_number(uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = '0' + number % 10;
		number /= 10;
	} while (number);
	out_bytes(digits + at, sizeof(digits) - at);
}

/* Returns whether all that was put out so far has been written. */
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
