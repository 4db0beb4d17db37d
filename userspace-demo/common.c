// SPDX-License-Identifier: GPL-2.0
/* Messages with file descriptors, checksums, and how devices are found. */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <xf86drm.h>

#include "common.h"

/* Room for one descriptor, aligned as a control message must be. */
union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int message_send(int sock, const struct message *msg, int fd)
{
	struct iovec iov = { .iov_base = (void *)msg, .iov_len = sizeof(*msg) };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control = { 0 };

	if (fd >= 0) {
		struct cmsghdr *cmsg;

		hdr.msg_control = control.bytes;
		hdr.msg_controllen = sizeof(control.bytes);
		cmsg = CMSG_FIRSTHDR(&hdr);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	}

	/* A peer that does not read its socket must not stop us, nor kill us when it dies. */
	return sendmsg(sock, &hdr, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

int message_receive(int sock, struct message *msg, int *fd)
{
	union control control = { 0 };
	struct iovec iov = { .iov_base = msg, .iov_len = sizeof(*msg) };
	struct msghdr hdr = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cmsg;
	ssize_t len;

	*fd = -1;
	do {
		len = recvmsg(sock, &hdr, MSG_CMSG_CLOEXEC);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return errno == ECONNRESET ? 0 : -1;

	/* CMSG_SPACE() of one descriptor can hold two; the second is nobody's. */
	for (cmsg = CMSG_FIRSTHDR(&hdr); cmsg; cmsg = CMSG_NXTHDR(&hdr, cmsg)) {
		size_t i, count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int got;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (i = 0; i < count; i++) {
			memcpy(&got, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			if (*fd < 0)
				*fd = got;
			else
				close(got);
		}
	}

	if (len == 0)
		return 0;
	if (len != sizeof(*msg) || (hdr.msg_flags & MSG_TRUNC)) {
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
		errno = EBADMSG;
		return -1;
	}
	return 1;
}

int producer_connect(const char *path, enum plane_role role, const char *name,
		     const char *device, struct message *welcome)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct message hello = { .type = MSG_HELLO, .hello.role = role };
	int sock, fd, ret;

	if (strlen(path) >= sizeof(addr.sun_path))
		errx(1, "%s: the name is too long for a socket", path);
	strcpy(addr.sun_path, path);

	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
		err(1, "%s: cannot connect (is the compositor running?)", path);

	snprintf(hello.hello.name, sizeof(hello.hello.name), "%s", name);
	snprintf(hello.hello.device, sizeof(hello.hello.device), "%s", device);
	if (message_send(sock, &hello, -1))
		err(1, "%s: cannot say hello", path);

	ret = message_receive(sock, welcome, &fd);
	if (ret < 0)
		err(1, "%s: no welcome", path);
	if (ret == 0 || welcome->type != MSG_WELCOME)
		errx(1, "%s: the compositor does not want this producer (is its plane taken?)",
		     path);
	return sock;
}

void producer_finish(int sock)
{
	struct message msg = { .type = MSG_BYE };
	int fd, ret;

	if (message_send(sock, &msg, -1))
		err(1, "cannot say goodbye to the compositor");
	do {
		ret = message_receive(sock, &msg, &fd);
	} while (ret > 0);
	if (ret < 0)
		err(1, "lost the compositor");
	close(sock);
}

/* FNV-1a over whole pixels: the order of pixels and rows counts. */
static uint64_t checksum_row(uint64_t sum, const uint32_t *pixel, uint32_t from, uint32_t to)
{
	for (; from < to; from++)
		sum = (sum ^ (pixel[from] & 0xffffff)) * 0x100000001b3ull;
	return sum;
}

uint64_t checksum(const void *pixels, size_t stride, uint32_t width, uint32_t height,
		  const struct rect *hole)
{
	uint64_t sum = 0xcbf29ce484222325ull;
	uint32_t y;

	for (y = 0; y < height; y++) {
		const uint32_t *row = (const void *)((const char *)pixels + y * stride);

		if (y < hole->y || y >= hole->y + hole->height) {
			sum = checksum_row(sum, row, 0, width);
		} else {
			sum = checksum_row(sum, row, 0, hole->x);
			sum = checksum_row(sum, row, hole->x + hole->width, width);
		}
	}
	return sum;
}

int retry_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, request, arg);
	} while (ret < 0 && (errno == EINTR || errno == EAGAIN));
	return ret;
}

int dma_buf_sync(int fd, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	return retry_ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
}

uint64_t dma_buf_inode(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		err(1, "cannot fstat a dma-buf");
	return st.st_ino;
}

bool drm_driver_is(int fd, const char *driver)
{
	drmVersion *version = drmGetVersion(fd);
	bool is = version && !strcmp(version->name, driver);

	drmFreeVersion(version);
	return is;
}

int open_device(const char *path, const char *prefix, const char *what,
		bool (*probe)(int fd), char *name, size_t size)
{
	int fd, i;

	if (path) {
		snprintf(name, size, "%s", path);
		fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			err(1, "%s: cannot open", path);
		if (!probe(fd))
			errx(1, "%s: this is not %s", path, what);
		return fd;
	}

	for (i = 0; i < 64; i++) {
		snprintf(name, size, "%s%d", prefix, i);
		fd = open(name, O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			continue;
		if (probe(fd))
			return fd;
		close(fd);
	}
	errx(1, "%s*: none of these is %s (is the module loaded?)", prefix, what);
}

unsigned int parse_number(const char *option, const char *text, unsigned int min,
			  unsigned int max)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || end == text || *end || n < min || n > max)
		errx(2, "%s: '%s' is not a number from %u to %u", option, text, min, max);
	return n;
}
