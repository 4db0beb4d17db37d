// SPDX-License-Identifier: MIT
/*
 * Real processes with real buffers, as root in a guest: random steps of fork, exec, messages,
 * imports, framebuffers, close and kill -9. After each ten, what prime-top collects must be what
 * the steps have led to: the buffers, their sizes, and the share of each process.
 * usage: walk SECONDS SEED [STEPS]. A line "PASS name" or "FAIL name why" each. With STEPS it ends
 *        after so many steps, however long they take.
 *        walk --hold: keeps a buffer of vgem by a handle of vkms, and prints its inode number.
 *
 * This process holds no buffer. It tells workers what to do and keeps account. A worker does one
 * step for each command and answers. Its fds have fixed numbers, so that they outlive an exec.
 */
#include "top.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <drm.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>

enum { WORKERS = 6, BUFFERS = 24, FDS = 12, MAPS = 6, QUEUE = 8 };
enum { CONTROL = 90, MAIL = 91, DRM = 92 };
enum op { CREATE, DUP, CLOSE, MAP, UNMAP, IMPORT, DROP, SEND, RECEIVE, FORK, EXEC, SHOW, HIDE,
	  OPS };

struct command {
	enum op op;
	int fd, kind, cloexec;
	uint64_t number, size;
};

struct answer {
	int64_t result;		/* an fd, an address, a handle, an id, or a negative errno */
	uint64_t ino;
};

/* --- a worker --- */

static int bind_mail(int slot)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int mail = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(name.sun_path + 1, 40, "prime-walk-%d", slot);
	for (int tries = 0; bind(mail, (struct sockaddr *)&name, sizeof(name)); tries++) {
		if (tries > 1000)
			_exit(3);
		usleep(1000);
	}
	dup2(mail, MAIL);
	close(mail);
	return 0;
}

static int create(int kind, uint64_t size)
{
	struct dma_heap_allocation_data heap = { .len = size, .fd_flags = O_RDWR };
	struct udmabuf_create item = { .size = size };
	struct drm_mode_create_dumb dumb = { .width = 1024, .height = size / 4096, .bpp = 32 };
	struct drm_prime_handle prime = { .flags = O_RDWR };
	int from = open(kind == 0 ? "/dev/dma_heap/system" :
			kind == 1 ? "/dev/udmabuf" :
				    getenv("WALK_VGEM"),
			O_RDWR);
	int fd = -1;

	if (kind == 0) {
		fd = ioctl(from, DMA_HEAP_IOCTL_ALLOC, &heap) ? -1 : (int)heap.fd;
	} else if (kind == 1) {
		item.memfd = memfd_create("walk", MFD_ALLOW_SEALING);
		if (!ftruncate(item.memfd, size) && !fcntl(item.memfd, F_ADD_SEALS, F_SEAL_SHRINK))
			fd = ioctl(from, UDMABUF_CREATE, &item);
		close(item.memfd);
	} else if (!ioctl(from, DRM_IOCTL_MODE_CREATE_DUMB, &dumb)) {
		prime.handle = dumb.handle;
		fd = ioctl(from, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime) ? -1 : prime.fd;
	}
	close(from);
	return fd;
}

static int64_t send_fd(int to, int fd)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	union { struct cmsghdr head; char bytes[CMSG_SPACE(sizeof(int))]; } control = { 0 };
	struct iovec byte = { "", 1 };
	struct msghdr msg = { .msg_name = &name,
			      .msg_namelen = sizeof(name),
			      .msg_iov = &byte,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };

	snprintf(name.sun_path + 1, 40, "prime-walk-%d", to);
	control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
					 .cmsg_level = SOL_SOCKET,
					 .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	return sendmsg(MAIL, &msg, MSG_DONTWAIT) == 1 ? 0 : -errno;
}

static int64_t receive_fd(void)
{
	union { struct cmsghdr head; char bytes[CMSG_SPACE(sizeof(int))]; } control = { 0 };
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(MAIL, &msg, MSG_DONTWAIT) != 1)
		return -errno;
	memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

static int64_t import(int fd)
{
	struct drm_prime_handle prime = { .fd = fd };

	return ioctl(DRM, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime) ? -errno : (int64_t)prime.handle;
}

static int64_t drop(uint32_t handle)
{
	struct drm_gem_close arg = { .handle = handle };

	return ioctl(DRM, DRM_IOCTL_GEM_CLOSE, &arg) ? -errno : 0;
}

/* A framebuffer of the whole buffer: lines of 64 bytes. */
static int64_t show(uint32_t handle, uint64_t size)
{
	struct drm_mode_fb_cmd arg = { .width = 16, .height = size / 64, .pitch = 64,
				       .bpp = 32, .depth = 24, .handle = handle };

	return ioctl(DRM, DRM_IOCTL_MODE_ADDFB, &arg) ? -errno : (int64_t)arg.fb_id;
}

static int64_t hide(uint32_t id)
{
	return ioctl(DRM, DRM_IOCTL_MODE_RMFB, &id) ? -errno : 0;
}

/* The new process is a child of the one that gives the orders, and connects to it. */
static int64_t fork_to(int slot)
{
	long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);

	if (!pid) {
		struct sockaddr_un name = { .sun_family = AF_UNIX };
		int control = socket(AF_UNIX, SOCK_SEQPACKET, 0);

		strcpy(name.sun_path + 1, "prime-walk-control");
		if (connect(control, (struct sockaddr *)&name, sizeof(name)))
			_exit(4);
		dup2(control, CONTROL);
		close(control);
		bind_mail(slot);
	}
	return pid;
}

static struct answer obey(const struct command *c)
{
	struct answer a = { 0 };
	struct stat st;
	void *map;

	switch (c->op) {
	case CREATE: a.result = create(c->kind, c->size); break;
	case DUP: a.result = dup(c->fd); break;
	case CLOSE: a.result = close(c->fd); break;
	case MAP:
		map = mmap(NULL, c->size, PROT_READ, MAP_SHARED, c->fd, 0);
		a.result = map == MAP_FAILED ? -errno : (intptr_t)map;
		break;
	case UNMAP: a.result = munmap((void *)(uintptr_t)c->number, c->size); break;
	case IMPORT: a.result = import(c->fd); break;
	case DROP: a.result = drop(c->number); break;
	case SHOW: a.result = show(c->number, c->size); break;
	case HIDE: a.result = hide(c->number); break;
	case SEND: a.result = send_fd(c->number, c->fd); break;
	case RECEIVE: a.result = receive_fd(); break;
	case FORK: a.result = fork_to(c->number); break;
	default: break;
	}
	if ((c->op == CREATE || c->op == DUP || c->op == RECEIVE) && a.result >= 0) {
		fcntl(a.result, F_SETFD, c->cloexec ? FD_CLOEXEC : 0);
		a.ino = fstat(a.result, &st) ? 0 : st.st_ino;
	}
	return a;
}

static int worker(void)
{
	struct command c;
	struct answer a = { 0 };

	/* The first answer says that it is there. */
	if (send(CONTROL, &a, sizeof(a), 0) < 0)
		return 1;
	while (recv(CONTROL, &c, sizeof(c), 0) == sizeof(c)) {
		if (c.op == EXEC) {
			execl("/proc/self/exe", "walk", "--worker", NULL);
			_exit(5);
		}
		a = obey(&c);
		/* A child has no command to answer: that it is there is its answer. */
		if (c.op == FORK && a.result == 0)
			a = (struct answer){ 0 };
		if (send(CONTROL, &a, sizeof(a), 0) < 0)
			return 1;
	}
	return 0;
}

/* --- the account --- */

/*
 * Workers that come from one process by fork share its file of the DRM device, and so the handles
 * and the ids of framebuffers.
 */
struct state {
	struct { uint64_t ino, size; } buffers[BUFFERS];
	struct {
		int pid, control, file;
		struct { int fd, buffer; bool cloexec; } fds[FDS];
		struct { uint64_t at; int buffer; } maps[MAPS];
		int queue[QUEUE], queued, nr_fds, nr_maps;
	} workers[WORKERS];
	uint64_t handles[WORKERS][BUFFERS], framebuffers[WORKERS][BUFFERS];
	int listener;
	uint64_t steps, looks, shown, ops[OPS + 1];
};

static struct state st;
static struct snapshot snapshot;

static int draw(int below)
{
	return random() % below;
}

static struct answer tell(int w, struct command c)
{
	struct answer a = { .result = -EIO };

	if (send(st.workers[w].control, &c, sizeof(c), 0) < 0 ||
	    recv(st.workers[w].control, &a, sizeof(a), 0) != sizeof(a))
		die("worker %d does not answer", w);
	return a;
}

/* @drm: count what DRM files hold, too. */
static bool holds(int w, int b, bool drm)
{
	int file = st.workers[w].file;

	if (!st.workers[w].pid)
		return false;
	for (int i = 0; i < st.workers[w].nr_fds; i++)
		if (st.workers[w].fds[i].buffer == b)
			return true;
	for (int i = 0; i < st.workers[w].nr_maps; i++)
		if (st.workers[w].maps[i].buffer == b)
			return true;
	return drm && (st.handles[file][b] || st.framebuffers[file][b]);
}

static bool imported(int b)
{
	for (int f = 0; f < WORKERS; f++)
		if (st.handles[f][b] || st.framebuffers[f][b])
			return true;
	return false;
}

static bool in_message(int b)
{
	for (int w = 0; w < WORKERS; w++)
		for (int i = 0; i < st.workers[w].queued; i++)
			if (st.workers[w].queue[i] == b)
				return true;
	return false;
}

/* Forgets what files hold that nobody has open, and buffers that nobody holds any more. */
static void settle(void)
{
	for (int f = 0; f < WORKERS; f++) {
		bool open = false;

		for (int w = 0; w < WORKERS; w++)
			open |= st.workers[w].pid && st.workers[w].file == f;
		if (open)
			continue;
		memset(st.handles[f], 0, sizeof(st.handles[f]));
		memset(st.framebuffers[f], 0, sizeof(st.framebuffers[f]));
	}
	for (int b = 0; b < BUFFERS; b++) {
		bool held = imported(b) || in_message(b);

		for (int w = 0; w < WORKERS; w++)
			held |= holds(w, b, true);
		if (!held)
			st.buffers[b].ino = 0;
	}
}

static void note_fd(int w, int fd, int buffer, bool cloexec)
{
	int i = st.workers[w].nr_fds++;

	st.workers[w].fds[i].fd = fd;
	st.workers[w].fds[i].buffer = buffer;
	st.workers[w].fds[i].cloexec = cloexec;
}

/* --- steps --- */

static void do_create(int w)
{
	struct command c = {
		.op = CREATE, .kind = draw(3), .size = 4096 * (1 + draw(16)), .cloexec = draw(2)
	};
	struct answer a;
	int b;

	for (b = 0; b < BUFFERS && st.buffers[b].ino; b++)
		;
	if (b == BUFFERS || st.workers[w].nr_fds == FDS)
		return;
	a = tell(w, c);
	if (a.result < 0)
		die("a buffer of kind %d can't be made: %s", c.kind, strerror(-a.result));
	st.buffers[b].ino = a.ino;
	st.buffers[b].size = c.size;
	note_fd(w, a.result, b, c.cloexec);
}

static void do_fd(int w, enum op op)
{
	int i = st.workers[w].nr_fds ? draw(st.workers[w].nr_fds) : -1, b, m;
	struct command c = { .op = op, .cloexec = draw(2) };
	struct answer a;

	if (i < 0 || (op == DUP && st.workers[w].nr_fds == FDS) ||
	    (op == MAP && st.workers[w].nr_maps == MAPS))
		return;
	b = st.workers[w].fds[i].buffer;
	c.fd = st.workers[w].fds[i].fd;
	c.size = st.buffers[b].size;
	a = tell(w, c);
	if (a.result < 0 && op != IMPORT)
		die("step %d with an fd: %s", op, strerror(-a.result));
	if (op == DUP) {
		note_fd(w, a.result, b, c.cloexec);
	} else if (op == CLOSE) {
		st.workers[w].fds[i] = st.workers[w].fds[--st.workers[w].nr_fds];
	} else if (op == MAP) {
		m = st.workers[w].nr_maps++;
		st.workers[w].maps[m].at = a.result;
		st.workers[w].maps[m].buffer = b;
	} else if (a.result > 0) {
		st.handles[st.workers[w].file][b] = a.result;
	}
}

static void do_unmap(int w)
{
	int i = st.workers[w].nr_maps ? draw(st.workers[w].nr_maps) : -1;

	if (i < 0)
		return;
	tell(w, (struct command){ .op = UNMAP, .number = st.workers[w].maps[i].at,
				  .size = st.buffers[st.workers[w].maps[i].buffer].size });
	st.workers[w].maps[i] = st.workers[w].maps[--st.workers[w].nr_maps];
}

static void do_drop(int w)
{
	uint64_t *handles = st.handles[st.workers[w].file];
	int b = draw(BUFFERS);

	if (handles[b])
		tell(w, (struct command){ .op = DROP, .number = handles[b] });
	handles[b] = 0;
}

/* A framebuffer is made of a handle, and holds the buffer when the handle is gone. */
static void do_show(int w, enum op op)
{
	uint64_t *id = st.framebuffers[st.workers[w].file];
	int b = draw(BUFFERS);
	struct command c = { .op = op, .size = st.buffers[b].size, .number = id[b] };
	struct answer a;

	if (op == SHOW)
		c.number = st.handles[st.workers[w].file][b];
	if (!c.number || (op == SHOW && id[b]))
		return;
	a = tell(w, c);
	if (a.result < 0)
		die("step %d with a framebuffer: %s", op, strerror(-a.result));
	id[b] = a.result;
	st.shown += op == SHOW;
}

static void do_send(int w, int to)
{
	int i = st.workers[w].nr_fds ? draw(st.workers[w].nr_fds) : -1;

	if (i < 0 || !st.workers[to].pid || st.workers[to].queued == QUEUE)
		return;
	if (tell(w, (struct command){ .op = SEND, .fd = st.workers[w].fds[i].fd, .number = to })
		    .result == 0)
		st.workers[to].queue[st.workers[to].queued++] = st.workers[w].fds[i].buffer;
}

static void do_receive(int w)
{
	struct command c = { .op = RECEIVE, .cloexec = draw(2) };
	struct answer a;

	if (!st.workers[w].queued || st.workers[w].nr_fds == FDS)
		return;
	a = tell(w, c);
	if (a.result < 0 || a.ino != st.buffers[st.workers[w].queue[0]].ino)
		die("a message has another buffer");
	note_fd(w, a.result, st.workers[w].queue[0], c.cloexec);
	memmove(st.workers[w].queue, st.workers[w].queue + 1, --st.workers[w].queued * sizeof(int));
}

static void do_fork(int w, int to)
{
	struct answer a;

	if (st.workers[to].pid)
		return;
	a = tell(w, (struct command){ .op = FORK, .number = to });
	if (a.result <= 0)
		die("no fork: %s", strerror(-a.result));
	st.workers[to] = st.workers[w];
	st.workers[to].pid = a.result;
	st.workers[to].queued = 0;
	st.workers[to].control = accept(st.listener, NULL, NULL);
	if (recv(st.workers[to].control, &a, sizeof(a), 0) != sizeof(a))
		die("a new worker does not answer");
}

static void do_exec(int w)
{
	int kept = 0;

	tell(w, (struct command){ .op = EXEC });
	for (int i = 0; i < st.workers[w].nr_fds; i++)
		if (!st.workers[w].fds[i].cloexec)
			st.workers[w].fds[kept++] = st.workers[w].fds[i];
	st.workers[w].nr_fds = kept;
	st.workers[w].nr_maps = 0;
}

static void do_kill(int w)
{
	int status;

	kill(st.workers[w].pid, SIGKILL);
	waitpid(st.workers[w].pid, &status, 0);
	close(st.workers[w].control);
	st.workers[w].pid = st.workers[w].queued = st.workers[w].nr_fds = st.workers[w].nr_maps = 0;
}

static void start(int w, int file)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends))
		die("no socket: %s", strerror(errno));
	st.workers[w].pid = fork();
	if (!st.workers[w].pid) {
		int drm = open(getenv("WALK_VKMS"), O_RDWR);

		dup2(ends[1], CONTROL);
		dup2(drm, DRM);
		closefrom(DRM + 1);
		for (int fd = 3; fd < CONTROL; fd++)
			close(fd);
		bind_mail(w);
		execl("/proc/self/exe", "walk", "--worker", NULL);
		_exit(6);
	}
	close(ends[1]);
	st.workers[w].control = ends[0];
	st.workers[w].file = file;
	if (recv(ends[0], &(struct answer){ 0 }, sizeof(struct answer), 0) < 0)
		die("a worker does not start");
}

/* A file number that no worker has: there are as many as workers. */
static int free_file(void)
{
	for (int f = 0;; f++) {
		bool used = false;

		for (int w = 0; w < WORKERS; w++)
			used |= st.workers[w].pid && st.workers[w].file == f;
		if (!used)
			return f;
	}
}

static void step(void)
{
	int w = draw(WORKERS), other = draw(WORKERS), op = draw(46);

	if (!st.workers[w].pid) {
		if (op < 4)
			start(w, free_file());
		return;
	}
	op = op < 8  ? CREATE :
	     op < 11 ? DUP :
	     op < 15 ? CLOSE :
	     op < 18 ? MAP :
	     op < 20 ? UNMAP :
	     op < 23 ? IMPORT :
	     op < 25 ? DROP :
	     op < 29 ? SEND :
	     op < 33 ? RECEIVE :
	     op < 35 ? FORK :
	     op < 37 ? EXEC :
	     op < 41 ? SHOW :
	     op < 43 ? HIDE :
		       OPS;
	st.steps++;
	st.ops[op]++;
	switch (op) {
	case CREATE: do_create(w); break;
	case DUP: case CLOSE: case MAP: case IMPORT: do_fd(w, op); break;
	case UNMAP: do_unmap(w); break;
	case DROP: do_drop(w); break;
	case SHOW: case HIDE: do_show(w, op); break;
	case SEND: do_send(w, other); break;
	case RECEIVE: do_receive(w); break;
	case FORK: do_fork(w, other); break;
	case EXEC: do_exec(w); break;
	default: do_kill(w); break;
	}
	settle();
}

/* --- the verdict --- */

static const char *judge_process(int w, bool handles)
{
	uint64_t low = 0, high = 0, share = 0;

	for (int b = 0; b < BUFFERS; b++) {
		int count = 0;

		if (!st.buffers[b].ino || !holds(w, b, handles))
			continue;
		for (int i = 0; i < WORKERS; i++)
			count += holds(i, b, handles);
		low += st.buffers[b].size / count;
		high += (st.buffers[b].size + count - 1) / count;
	}
	for (uint32_t i = FIRST_PROCESS; i < snapshot.nr_processes; i++)
		if (snapshot.processes[i].pid == st.workers[w].pid)
			share = snapshot.processes[i].pss;
	return share < low || share > high ? "a process has a wrong share" : NULL;
}

static const char *judge(void)
{
	bool handles = snapshot.kernel_tells, unread = false;
	uint64_t size = 0, shares = 0, flight = 0, kernel = 0;
	uint32_t count = 0;

	for (int w = 0; w < WORKERS; w++)
		unread |= st.workers[w].queued > 0;
	for (int b = 0; b < BUFFERS; b++) {
		const struct buffer *found = snapshot_find(&snapshot, st.buffers[b].ino);
		bool held = false;

		if (!st.buffers[b].ino)
			continue;
		if (!found || found->size != st.buffers[b].size)
			return found ? "a buffer has another size" : "a buffer is missing";
		count++;
		size += found->size;
		for (int w = 0; w < WORKERS; w++)
			held |= holds(w, b, handles);
		if (!held)
			*((handles ? in_message(b) : unread) && !imported(b) ? &flight : &kernel) +=
				found->size;
	}
	for (uint32_t i = 0; i < snapshot.nr_processes; i++)
		shares += snapshot.processes[i].pss;
	for (int w = 0; w < WORKERS; w++)
		if (st.workers[w].pid && judge_process(w, handles))
			return judge_process(w, handles);
	return snapshot.nr_buffers != count		       ? "there are other buffers" :
	       snapshot.size != size			       ? "the sum of sizes is wrong" :
	       shares != size				       ? "the shares are not the size" :
	       snapshot.processes[NOBODY_FLIGHT].pss != flight ? "(in flight) is wrong" :
	       snapshot.processes[NOBODY_KERNEL].pss != kernel ? "(kernel) is wrong" :
								 NULL;
}

/* What the kernel does later, such as the release of a file, may take a moment. */
static const char *look(int root)
{
	const char *wrong = "";

	for (int tries = 0; wrong && tries < 200; tries++) {
		if (tries)
			usleep(10000);
		collect(&snapshot, NULL, root);
		wrong = judge();
	}
	st.looks++;
	return wrong;
}

static int hold(void)
{
	int fd = create(2, 12288), drm = open(getenv("WALK_VKMS"), O_RDWR);
	struct stat info;

	dup2(drm, DRM);
	if (fd < 0 || fstat(fd, &info) || ioctl(fd, DMA_BUF_SET_NAME, "kept") || import(fd) < 0)
		die("no buffer: %s", strerror(errno));
	close(fd);
	printf("%llu\n", (unsigned long long)info.st_ino);
	fflush(stdout);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t steps;
	time_t end;

	if (argc > 1 && !strcmp(argv[1], "--worker"))
		return worker();
	if (argc == 2 && !strcmp(argv[1], "--hold"))
		return hold();
	if (argc < 3 || argc > 4 || !getenv("WALK_VGEM") || !getenv("WALK_VKMS"))
		die("usage: walk SECONDS SEED [STEPS], with the variables that tests/devices sets");
	end = time(NULL) + atoi(argv[1]);
	steps = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
	srandom(atoi(argv[2]));
	strcpy(name.sun_path + 1, "prime-walk-control");
	st.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (bind(st.listener, (struct sockaddr *)&name, sizeof(name)) ||
	    listen(st.listener, WORKERS))
		die("no socket: %s", strerror(errno));
	start(0, 0);
	while (steps ? st.steps < steps : time(NULL) < end) {
		const char *wrong = NULL;

		step();
		if (st.steps % 10 == 0)
			wrong = look(root);
		if (wrong) {
			printf("FAIL walk after %llu steps, seed %s: %s\n",
			       (unsigned long long)st.steps, argv[2], wrong);
			return 1;
		}
	}
	printf("PASS walk %llu steps, seed %s, %llu looks, %llu forks, %llu execs, "
	       "%llu framebuffers, %llu kills\n",
	       (unsigned long long)st.steps, argv[2], (unsigned long long)st.looks,
	       (unsigned long long)st.ops[FORK], (unsigned long long)st.ops[EXEC],
	       (unsigned long long)st.shown, (unsigned long long)st.ops[OPS]);
	for (int w = 0; w < WORKERS; w++)
		if (st.workers[w].pid)
			do_kill(w);
	settle();
	printf("%s all-free\n", look(root) ? "FAIL" : "PASS");
	return 0;
}
