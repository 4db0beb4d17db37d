// SPDX-License-Identifier: MIT
/*
 * Buffers from libgbm, for a GPU without dumb buffers. A separate process makes them,
 * since GBM's driver has threads, files and memory that a test would count as its own.
 * It sends the dma-buf, and the test's file imports it, which gives the object itself.
 */
#include "prime_test.h"
#include "prime_gbm.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define GBM_FORMAT_XRGB8888	0x34325258
#define GBM_BO_USE_RENDERING	(1u << 2)
#define GBM_BO_USE_LINEAR	(1u << 4)

/* The part of libgbm's interface that is used here, so that no header is needed. */
static struct {
	void *(*create_device)(int fd);
	void *(*bo_create)(void *device, uint32_t width, uint32_t height,
			   uint32_t format, uint32_t flags);
	int (*bo_get_fd)(void *bo);
	void (*bo_destroy)(void *bo);
} gbm;

static bool load_gbm(void)
{
	void *library = dlopen("libgbm.so.1", RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return false;
	gbm.create_device = dlsym(library, "gbm_create_device");
	gbm.bo_create = dlsym(library, "gbm_bo_create");
	gbm.bo_get_fd = dlsym(library, "gbm_bo_get_fd");
	gbm.bo_destroy = dlsym(library, "gbm_bo_destroy");
	return gbm.create_device && gbm.bo_create && gbm.bo_get_fd && gbm.bo_destroy;
}

/* An errno or 0, and with 0 an fd. */
static void send_answer(int to, int error, int fd)
{
	char room[CMSG_SPACE(sizeof(int))] = { };
	struct iovec io = { .iov_base = &error, .iov_len = sizeof(error) };
	struct msghdr message = { .msg_iov = &io, .msg_iovlen = 1 };

	if (!error) {
		struct cmsghdr *head;

		message.msg_control = room;
		message.msg_controllen = sizeof(room);
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	}
	sendmsg(to, &message, MSG_NOSIGNAL);
}

static int receive_answer(int from)
{
	char room[CMSG_SPACE(sizeof(int))];
	int error = EPIPE, fd;
	struct iovec io = { .iov_base = &error, .iov_len = sizeof(error) };
	struct msghdr message = {
		.msg_iov = &io, .msg_iovlen = 1,
		.msg_control = room, .msg_controllen = sizeof(room),
	};
	struct cmsghdr *head;

	if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) != sizeof(error))
		return -EPIPE;
	head = CMSG_FIRSTHDR(&message);
	if (error || !head)
		return -error;
	memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return fd;
}

static void *make(void *device, unsigned int pages)
{
	return gbm.bo_create(device, PAGE / 4, pages, GBM_FORMAT_XRGB8888,
			     GBM_BO_USE_RENDERING | GBM_BO_USE_LINEAR);
}

/* GBM's device of the node, if it makes buffers there. */
static void *device_of(const char *path)
{
	int drm = *path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *device = drm >= 0 ? gbm.create_device(drm) : NULL;
	void *bo = device ? make(device, 1) : NULL;

	if (!bo)
		return NULL;
	gbm.bo_destroy(bo);
	return device;
}

static void __attribute__((noreturn)) serve(const char *path, const char *render,
					    int requests)
{
	void *device = load_gbm() ? device_of(path) ?: device_of(render) : NULL;
	unsigned int pages;

	while (read(requests, &pages, sizeof(pages)) == sizeof(pages)) {
		void *bo = device ? make(device, pages) : NULL;
		int fd = bo ? gbm.bo_get_fd(bo) : -1;

		send_answer(requests, fd >= 0 ? 0 : device ? ENOMEM : ENOSYS, fd);
		if (fd >= 0)
			close(fd);
		if (bo)
			gbm.bo_destroy(bo);
	}
	_exit(0);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int server = -1;		/* the socket to the process */
static pid_t owner;		/* whose it is; a fork starts another */

/* The process has nothing open that the test has. */
static void __attribute__((noreturn)) be_server(const char *path, const char *render,
						int end)
{
	int requests = dup2(end, 3), null;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_range(4, ~0u, 0);
	null = open("/dev/null", O_RDWR);
	if (requests < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		_exit(1);
	serve(path, render, requests);
}

static int start(int drm)
{
	char link[64], path[256], render[64];
	int ends[2];
	ssize_t length;
	pid_t pid;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", drm);
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	path[length] = '\0';
	render_node_of(drm, render, sizeof(render));
	pid = fork();
	if (!pid)
		be_server(path, render, ends[1]);
	close(ends[1]);
	if (server >= 0)
		close(server);
	server = ends[0];
	owner = getpid();
	return pid < 0 ? -EAGAIN : 0;
}

int64_t gbm_create(int drm, unsigned int pages)
{
	int ret = 0, fd;
	int64_t handle;

	pthread_mutex_lock(&lock);
	if (server < 0 || owner != getpid())
		ret = start(drm);
	if (!ret && write(server, &pages, sizeof(pages)) != sizeof(pages))
		ret = -errno;
	fd = ret ? ret : receive_answer(server);
	pthread_mutex_unlock(&lock);
	if (fd < 0)
		return fd;
	handle = gem_import(drm, fd);
	close(fd);
	return handle;
}
