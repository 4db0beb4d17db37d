// SPDX-License-Identifier: MIT
/* Messages with file descriptors, fences, checksums, and how devices are found. */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>
#include <xf86drm.h>

#include "common.h"

/* Room for the descriptors, aligned as a control message must be. */
union control {
	char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
	struct cmsghdr align;
};

int message_send(int sock, struct message *msg, const int *fds, unsigned int n_fds)
{
	struct iovec iov = { .iov_base = msg, .iov_len = sizeof(*msg) };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control = { 0 };

	msg->version = DEMO_VERSION;
	if (n_fds) {
		struct cmsghdr *cmsg;

		hdr.msg_control = control.bytes;
		hdr.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&hdr);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n_fds * sizeof(int));
	}

	/* A peer that does not read its socket must not stop us, nor kill us when it dies. */
	return sendmsg(sock, &hdr, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

int message_receive(int sock, struct message *msg, int *fds, unsigned int *n_fds)
{
	union control control;
	struct iovec iov = { .iov_base = msg, .iov_len = sizeof(*msg) };
	struct msghdr hdr = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cmsg;
	unsigned int i, reset = 0;
	ssize_t len;

	*n_fds = 0;
	/* A peer that left without reading all we sent may yet have said why before it went. */
	do {
		len = recvmsg(sock, &hdr, MSG_CMSG_CLOEXEC);
	} while (len < 0 && (errno == EINTR || (errno == ECONNRESET && !reset++)));
	if (len < 0)
		return errno == ECONNRESET ? 0 : -1;

	/* Alignment may leave room for one descriptor more than MAX_FDS; it is nobody's. */
	for (cmsg = CMSG_FIRSTHDR(&hdr); cmsg; cmsg = CMSG_NXTHDR(&hdr, cmsg)) {
		size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fd;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (i = 0; i < count; i++) {
			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			if (*n_fds < MAX_FDS) {
				fds[(*n_fds)++] = fd;
			} else {
				close(fd);
				hdr.msg_flags |= MSG_CTRUNC;
			}
		}
	}

	if (len == sizeof(*msg) && msg->version == DEMO_VERSION &&
	    !(hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return 1;
	for (i = 0; i < *n_fds; i++)
		close(fds[i]);
	*n_fds = 0;
	errno = EBADMSG;
	return len ? -1 : 0;
}

int client_connect(const char *path, const char *name, const char *device,
		   uint32_t width, uint32_t height, struct message *welcome)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct message hello = {
		.type = MSG_HELLO,
		.hello.width = width,
		.hello.height = height,
	};
	int sock, ret, fds[MAX_FDS];
	unsigned int n_fds;

	if (strlen(path) >= sizeof(addr.sun_path))
		errx(1, "%s: the name is too long for a socket", path);
	strcpy(addr.sun_path, path);

	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
		err(1, "%s: cannot connect (is the compositor running?)", path);

	snprintf(hello.hello.name, sizeof(hello.hello.name), "%s", name);
	snprintf(hello.hello.device, sizeof(hello.hello.device), "%s", device);
	if (message_send(sock, &hello, NULL, 0))
		err(1, "%s: cannot say hello", path);

	ret = message_receive(sock, welcome, fds, &n_fds);
	if (ret < 0)
		err(1, "%s: no welcome", path);
	if (ret && welcome->type == MSG_GOODBYE)
		errx(1, "%s: turned away: %.*s", path, (int)sizeof(welcome->goodbye.reason),
		     welcome->goodbye.reason);
	if (ret == 0 || welcome->type != MSG_WELCOME)
		errx(1, "%s: whoever listens there is not the compositor", path);
	return sock;
}

bool client_wait(int sock, struct message *msg, int *fence)
{
	int fds[MAX_FDS], ret;
	unsigned int n_fds;

	ret = message_receive(sock, msg, fds, &n_fds);
	if (ret < 0)
		err(1, "lost the compositor");
	if (!ret)
		errx(1, "the compositor has gone");
	if (msg->type == MSG_GOODBYE && msg->goodbye.kept)
		return false;
	if (msg->type == MSG_GOODBYE)
		errx(1, "dropped by the compositor: %.*s", (int)sizeof(msg->goodbye.reason),
		     msg->goodbye.reason);
	if (msg->type != MSG_RELEASE)
		errx(1, "the compositor sends message %u, which no client expects", msg->type);
	*fence = n_fds ? fds[0] : -1;
	return true;
}

uint32_t client_released(int sock, uint32_t n, int *fence)
{
	struct message msg;

	if (!client_wait(sock, &msg, fence) || msg.release.cookie >= n)
		errx(1, "the compositor says something that makes no sense");
	return msg.release.cookie;
}

void client_finish(int sock)
{
	struct message msg = { .type = MSG_BYE };
	int fence;

	if (message_send(sock, &msg, NULL, 0))
		err(1, "cannot say goodbye to the compositor");
	while (client_wait(sock, &msg, &fence)) {
		if (fence >= 0 && fence_wait(fence))
			err(1, "cannot wait for a buffer to leave the screen");
		if (fence >= 0)
			close(fence);
	}
	close(sock);
}

/* FNV-1a over whole pixels. */
uint64_t checksum(const void *pixels, size_t stride, uint32_t width, uint32_t height)
{
	uint64_t sum = 0xcbf29ce484222325ull;
	uint32_t x, y;

	for (y = 0; y < height; y++) {
		const uint32_t *row = (const void *)((const char *)pixels + y * stride);

		for (x = 0; x < width; x++)
			sum = (sum ^ (row[x] & 0xffffff)) * 0x100000001b3ull;
	}
	return sum;
}

static uint32_t clamp(int value)
{
	return value < 0 ? 0 : value > 255 ? 255 : value;
}

uint32_t nv12_pixel(int y, int cb, int cr)
{
	y = 298 * (y - 16) + 128;
	cb -= 128;
	cr -= 128;
	return clamp((y + 409 * cr) >> 8) << 16 |
	       clamp((y - 100 * cb - 208 * cr) >> 8) << 8 |
	       clamp((y + 516 * cb) >> 8);
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
	struct statfs fs;
	struct stat st;

	if (fstatfs(fd, &fs) || fs.f_type != DMA_BUF_MAGIC || fstat(fd, &st))
		return 0;
	return st.st_ino;
}

int dma_buf_writers(int fd)
{
	/* Who reads waits for those who write. */
	struct dma_buf_export_sync_file arg = { .flags = DMA_BUF_SYNC_READ, .fd = -1 };

	return retry_ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &arg) ? -1 : arg.fd;
}

int dma_buf_add_writer(int fd, int sync_file)
{
	struct dma_buf_import_sync_file arg = { .flags = DMA_BUF_SYNC_WRITE, .fd = sync_file };

	return retry_ioctl(fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &arg);
}

bool fence_pending(int sync_file)
{
	struct pollfd pollfd = { .fd = sync_file, .events = POLLIN };

	return poll(&pollfd, 1, 0) == 0;
}

int fence_wait(int sync_file)
{
	struct pollfd pollfd = { .fd = sync_file, .events = POLLIN };
	int ret;

	do {
		ret = poll(&pollfd, 1, -1);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -1 : 0;
}

uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
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
