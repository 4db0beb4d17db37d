// SPDX-License-Identifier: MIT
/*
 * What the program returns when devices answer differently. It runs here with a pretended
 * kernel: the device named "refuses" refuses each buffer, and there is no other device.
 */
#include <fcntl.h>
#include <sys/ioctl.h>

/* The heap, and the device that refuses. */
static int pretend_open(const char *path, int flags);
static int pretend_ioctl(int fd, unsigned long request, ...);

#define main				program
#define open				pretend_open
#define ioctl				pretend_ioctl
#define prime_negotiate_alloc		pretend_alloc
#define prime_negotiate_add_path	pretend_add_path
#define prime_negotiate_try		pretend_try
#include "../main.c"
#undef main
#undef open

static int pretend_open(const char *path, int flags)
{
	if (strchr(path, '/') || !strcmp(path, "refuses"))
		return open("/dev/null", flags);
	errno = ENOENT;
	return -1;
}

static int pretend_ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	(void)request;
	return 0;
}

int pretend_alloc(uint64_t size)
{
	(void)size;
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

int pretend_add_path(int buffer, const char *path, uint32_t use,
		     struct dma_buf_device_use *answer)
{
	(void)buffer;
	(void)use;
	*answer = (struct dma_buf_device_use){ };
	return strcmp(path, "refuses") ? -ENOENT : -EBUSY;
}

int pretend_try(int buffer, int device, uint32_t *judged)
{
	(void)buffer;
	(void)device;
	*judged = DMA_BUF_TRY_IMPORT;
	return -EINVAL;
}

static bool verdict(const char *name, int status, int wanted)
{
	if (status == wanted)
		printf("PASS %s\n", name);
	else
		printf("FAIL %s is %d, not %d\n", name, status, wanted);
	return status == wanted;
}

int main(void)
{
	char *first[] = { "refuses", "missing" }, *last[] = { "missing", "refuses" };
	int good = 1;

	good &= verdict("status-wants-refused-first", print_table(first, 2, 1), EXIT_REFUSED);
	good &= verdict("status-wants-refused-last", print_table(last, 2, 1), EXIT_REFUSED);
	good &= verdict("status-try-refused-first", try_all("heap", first, 2, 1), EXIT_REFUSED);
	good &= verdict("status-try-refused-last", try_all("heap", last, 2, 1), EXIT_REFUSED);
	good &= verdict("status-try-missing", try_all("heap", last, 1, 1), EXIT_FAILURE);
	return !good;
}
