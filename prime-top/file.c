// SPDX-License-Identifier: MIT
/* Whole files, arrays that grow, and text that others have chosen. */
#include "top.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <wchar.h>

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("prime-top: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

void *grow_more(void *array, uint32_t *room, size_t size)
{
	*room = *room ? *room * 2 : 64;
	array = realloc(array, *room * size);
	if (!array)
		die("no memory for %u records", *room);
	return array;
}

/* The text ends with a zero byte, and seven more may be read. Returns 0 or a negative errno. */
int read_file(int dir, const char *path, struct bytes *bytes)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	bytes->used = 0;
	if (fd < 0)
		return -errno;
	do {
		if (bytes->room - bytes->used < 32768) {
			bytes->room = bytes->room * 2 + 65536;
			bytes->data = realloc(bytes->data, bytes->room);
			if (!bytes->data)
				die("no memory for the %zu bytes of %s", bytes->room, path);
		}
		got = read(fd, bytes->data + bytes->used, bytes->room - bytes->used - 8);
		if (got > 0)
			bytes->used += got;
	} while (got > 0);
	if (got < 0)
		got = -errno;
	close(fd);
	bytes->data[bytes->used] = '\0';
	return got;
}

/* Returns how many columns a character takes; 0 if it can't be seen, or is none. @length: bytes */
int columns_of(const char *text, size_t left, int *length)
{
	wchar_t c;
	int got = mbrtowc(&c, text, left, &(mbstate_t){ 0 }), columns = got > 0 ? wcwidth(c) : 0;

	*length = got > 0 ? got : 1;
	return columns > 0 ? columns : 0;
}

/*
 * Programs choose the names of buffers and processes. So characters that could move the
 * cursor of a terminal, or can't be seen, and bytes that are no characters are replaced by
 * question marks here, before anything else uses the text.
 */
void copy_rest(char *to, size_t size, const char *from, size_t length)
{
	const char *stop = from + length, *end = to + size - 1;

	while (from < stop && to < end) {
		int step;
		bool seen = columns_of(from, stop - from, &step);

		if (seen && step > end - to)
			break;
		to = mempcpy(to, seen ? from : "?", seen ? step : 1);
		from += step;
	}
	*to = '\0';
}

const uint32_t powers_of_ten[9] = {
	1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000
};

const char pairs_of_digits[200] = "00010203040506070809101112131415161718192021222324"
				  "25262728293031323334353637383940414243444546474849"
				  "50515253545556575859606162636465666768697071727374"
				  "75767778798081828384858687888990919293949596979899";
