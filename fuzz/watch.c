// SPDX-License-Identifier: MIT
/* Faults about which the kernel is silent, and what remains of a program when the guest dies. */
#include "fuzz.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Programs of this many runs are kept: what one of them left may hurt a later one. */
#define KEPT		4
#define SETTLE_MS	4000

void watch_write(const char *folder, const struct program *program)
{
	static int files[KEPT];
	static unsigned int number;
	int *file = &files[number % KEPT];
	char *text, path[512];
	size_t size;
	FILE *out;

	if (!*file) {
		snprintf(path, sizeof(path), "%s/last-%u", folder, number % KEPT);
		*file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_TRUNC, 0644);
	}
	out = open_memstream(&text, &size);
	fprintf(out, "# run %u\n", ++number);
	program_print(program, out);
	fclose(out);
	/* To the host, but not to its disk: the host does not die. */
	if (ftruncate(*file, 0) || pwrite(*file, text, size, 0) != (ssize_t)size)
		perror("prime-fuzz: the program is not kept");
	sync_file_range(*file, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
	free(text);
}

static unsigned int buffers(void)
{
	static char text[1 << 16];
	int file = open("/sys/kernel/debug/dma_buf/bufinfo", O_RDONLY | O_CLOEXEC);
	unsigned int n = 0;
	const char *total;
	size_t size = 0;
	ssize_t got;

	if (file < 0) {
		perror("/sys/kernel/debug/dma_buf/bufinfo");
		exit(2);
	}
	while ((got = read(file, text + size, sizeof(text) - 1 - size)) > 0)
		size += got;
	close(file);
	text[size] = 0;
	/* Each buffer has a line with "Total" for its devices; the last one counts the buffers. */
	total = memrchr(text, 'T', size);
	if (total)
		sscanf(total, "Total %u objects", &n);
	return n;
}

/* What is freed later, by work or after a grace period, gets time for it. */
unsigned int watch_leak(void)
{
	unsigned int n = buffers();

	for (unsigned int ms = 0; n && ms < SETTLE_MS; ms += 10) {
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
		n = buffers();
	}
	return n;
}

/* Where everybody waits, to the kernel's log. */
void watch_stacks(void)
{
	int file = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

	if (file >= 0 && write(file, "t", 1) == 1)
		sleep(2);
}
