// SPDX-License-Identifier: MIT
/*
 * Clients that a compositor must survive: each breaks one rule, or dies, and
 * has to be dropped with the right reason. Beside them three that keep the
 * rules, and tell what a test of fences needs to know.
 */

#include <drm_fourcc.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/sync_file.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "../common.h"

#define BUFFERS		4
#define WIDTH		128	/* of all frames; 4 * WIDTH * HEIGHT are whole pages */
#define HEIGHT		128
#define TIME_LIMIT	60	/* seconds until a bad client gives up */
#define LATE_MS		1000	/* how long a late drawing takes */
#define LATE_FRAMES	5
#define PAIRS		4
#define FLOOD		4000
#define CONNECTIONS	40	/* more than the compositor has room for */

/* The kernel's drm/vgem_drm.h, which no Debian package installs. */
struct vgem_fence_attach {
	uint32_t handle;
	uint32_t flags;
	uint32_t out_fence;
	uint32_t pad;
};

struct vgem_fence_signal {
	uint32_t fence;
	uint32_t flags;
};

#define VGEM_FENCE_WRITE	1
#define VGEM_FENCE_ATTACH	DRM_IOWR(DRM_COMMAND_BASE + 1, struct vgem_fence_attach)
#define VGEM_FENCE_SIGNAL	DRM_IOW(DRM_COMMAND_BASE + 2, struct vgem_fence_signal)

struct buffer {
	int fd;
	uint32_t *map, stride;
	uint32_t handle, fence;	/* of vgem, where the buffer is vgem's */
	int release;
	bool free;
};

static const char *name, *path = DEMO_SOCKET;
static int sock = -1, drm = -1;
static struct rect where;
static struct buffer buffers[BUFFERS];
static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static int connection(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		err(1, "%s: cannot connect", path);
	return fd;
}

static void hello(void)
{
	struct message welcome;

	sock = client_connect(path, name, "heap", WIDTH, HEIGHT, &welcome);
	where = welcome.welcome.where;
}

static int heap_buffer(size_t size)
{
	struct dma_heap_allocation_data data = { .len = size, .fd_flags = O_RDWR | O_CLOEXEC };
	int heap = open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC);

	if (heap < 0 || retry_ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data))
		err(1, "/dev/dma_heap/system: cannot get %zu bytes", size);
	close(heap);
	return data.fd;
}

static void map_buffer(struct buffer *buf)
{
	buf->map = mmap(NULL, (size_t)buf->stride * where.height, PROT_READ | PROT_WRITE,
			MAP_SHARED, buf->fd, 0);
	if (buf->map == MAP_FAILED)
		err(1, "cannot map a dma-buf");
	buf->release = -1;
	buf->free = true;
}

static void heap_buffers(void)
{
	unsigned int i;

	for (i = 0; i < BUFFERS; i++) {
		buffers[i].stride = 4 * where.width;
		buffers[i].fd = heap_buffer((size_t)buffers[i].stride * where.height);
		map_buffer(&buffers[i]);
	}
}

static bool is_vgem(int fd)
{
	return drm_driver_is(fd, "vgem");
}

/* Buffers whose fences we signal when we like. */
static void vgem_buffers(void)
{
	char device[64];
	unsigned int i;
	uint64_t size;

	drm = open_device(NULL, "/dev/dri/card", "a vgem device", is_vgem, device,
			  sizeof(device));
	for (i = 0; i < BUFFERS; i++) {
		struct buffer *buf = &buffers[i];

		if (drmModeCreateDumbBuffer(drm, where.width, where.height, 32, 0, &buf->handle,
					    &buf->stride, &size) ||
		    drmPrimeHandleToFD(drm, buf->handle, DRM_CLOEXEC | DRM_RDWR, &buf->fd))
			err(1, "%s: cannot get a buffer", device);
		map_buffer(buf);
	}
}

/* A fence for what will be drawn, on the buffer and as a sync_file. */
static int fence_begin(struct buffer *buf)
{
	struct vgem_fence_attach attach = { .handle = buf->handle, .flags = VGEM_FENCE_WRITE };
	int sync_file;

	if (drmIoctl(drm, VGEM_FENCE_ATTACH, &attach))
		err(1, "cannot make a fence");
	sync_file = dma_buf_writers(buf->fd);
	if (sync_file < 0)
		err(1, "cannot get the fence");
	buf->fence = attach.out_fence;
	return sync_file;
}

static void fence_signal(const struct buffer *buf)
{
	struct vgem_fence_signal done = { .fence = buf->fence };

	if (drmIoctl(drm, VGEM_FENCE_SIGNAL, &done))
		err(1, "cannot signal a fence");
}

/* When a fence signalled; it has. */
static uint64_t fence_time(int sync_file)
{
	struct sync_fence_info parts[8] = { 0 };
	struct sync_file_info info = { .num_fences = 8, .sync_fence_info = (uintptr_t)parts };
	uint64_t time = 0;
	unsigned int i;

	if (retry_ioctl(sync_file, SYNC_IOC_FILE_INFO, &info))
		err(1, "cannot ask a fence");
	for (i = 0; i < info.num_fences; i++)
		if (parts[i].timestamp_ns > time)
			time = parts[i].timestamp_ns;
	return time;
}

/*
 * Another picture for each number. The exporter's own mapping needs no SYNC, which would wait for
 * the very fence that this drawing is to signal.
 */
static uint64_t draw(struct buffer *buf, uint32_t sequence)
{
	const uint64_t both = DMA_BUF_SYNC_WRITE | DMA_BUF_SYNC_READ;
	uint64_t sum;
	uint32_t x, y;

	if (drm < 0 && dma_buf_sync(buf->fd, DMA_BUF_SYNC_START | both))
		err(1, "cannot begin to write a buffer");
	for (y = 0; y < where.height; y++)
		for (x = 0; x < where.width; x++)
			buf->map[y * buf->stride / 4 + x] =
				((x + 8 * sequence) & 255) << 16 | (y & 255) << 8 | (sequence & 255);
	sum = checksum(buf->map, buf->stride, where.width, where.height);
	if (drm < 0 && dma_buf_sync(buf->fd, DMA_BUF_SYNC_END | both))
		err(1, "cannot end writing a buffer");
	return sum;
}

/* A FRAME with nothing wrong in it. */
static struct message frame_of(const struct buffer *buf, uint32_t sequence)
{
	struct message msg = { .type = MSG_FRAME };

	msg.frame.cookie = buf - buffers;
	msg.frame.sequence = sequence;
	msg.frame.submitted = now();
	msg.frame.width = where.width;
	msg.frame.height = where.height;
	msg.frame.fourcc = DRM_FORMAT_XRGB8888;
	msg.frame.modifier = DRM_FORMAT_MOD_LINEAR;
	msg.frame.n_planes = 1;
	msg.frame.strides[0] = buf->stride;
	msg.frame.inodes[0] = dma_buf_inode(buf->fd);
	return msg;
}

static void send_drawn(uint32_t sequence, uint64_t sum)
{
	struct message msg = { .type = MSG_DRAWN };

	msg.drawn.sequence = sequence;
	msg.drawn.checksum = sum;
	if (message_send(sock, &msg, NULL, 0))
		err(1, "cannot send a checksum");
}

static void get_free(struct buffer *buf)
{
	struct message msg;
	int fence;

	while (!buf->free) {
		if (!client_wait(sock, &msg, &fence) || msg.release.cookie >= BUFFERS)
			errx(1, "the compositor says something that makes no sense");
		buffers[msg.release.cookie].release = fence;
		buffers[msg.release.cookie].free = true;
		if (fence < 0)
			continue;
		if (fence_wait(fence))
			err(1, "cannot wait for a buffer to leave the screen");
		printf("release %u %" PRIu64 " %" PRIu64 "\n", msg.release.sequence,
		       fence_time(fence), now());
		close(fence);
	}
}

/* Until SIGTERM: every frame as soon as there is a buffer. */
static void play(void)
{
	struct sigaction term = { .sa_handler = on_term };
	uint32_t sequence;

	sigaction(SIGTERM, &term, NULL);
	hello();
	heap_buffers();
	for (sequence = 0; !stop; sequence++) {
		struct buffer *buf = &buffers[sequence % BUFFERS];
		struct message msg;
		uint64_t sum;

		get_free(buf);
		sum = draw(buf, sequence);
		msg = frame_of(buf, sequence);
		if (message_send(sock, &msg, &buf->fd, 1))
			err(1, "cannot send frame %u", sequence);
		buf->free = false;
		send_drawn(sequence, sum);
	}
	client_finish(sock);
}

static void send_late(uint32_t sequence, int *sync_file)
{
	struct buffer *buf = &buffers[sequence % BUFFERS];
	struct message msg;
	int fds[2];

	get_free(buf);
	*sync_file = fence_begin(buf);
	msg = frame_of(buf, sequence);
	msg.frame.has_fence = 1;
	fds[0] = buf->fd;
	fds[1] = *sync_file;
	if (message_send(sock, &msg, fds, 2))
		err(1, "cannot send frame %u", sequence);
	buf->free = false;
}

static void end_late(uint32_t sequence, int sync_file)
{
	struct buffer *buf = &buffers[sequence % BUFFERS];

	send_drawn(sequence, draw(buf, sequence));
	fence_signal(buf);
	printf("signal %u %" PRIu64 "\n", sequence, fence_time(sync_file));
	close(sync_file);
}

/* Every frame is sent long before it is drawn. */
static void late(void)
{
	uint32_t sequence;
	int sync_file;

	hello();
	vgem_buffers();
	for (sequence = 0; sequence < LATE_FRAMES; sequence++) {
		send_late(sequence, &sync_file);
		usleep(LATE_MS * 1000);
		end_late(sequence, sync_file);
	}
	client_finish(sock);
}

/* Of two frames the second is drawn first; the first has its turn before it nevertheless. */
static void pairs(void)
{
	uint32_t pair;

	hello();
	vgem_buffers();
	for (pair = 0; pair < PAIRS; pair++) {
		const uint32_t first = 2 * pair;
		int sync_files[2];

		send_late(first, &sync_files[0]);
		send_late(first + 1, &sync_files[1]);
		/* Checksums come in the order of frames; the fences do not signal in it. */
		send_drawn(first, draw(&buffers[first % BUFFERS], first));
		end_late(first + 1, sync_files[1]);
		usleep(LATE_MS * 1000 / 2);
		fence_signal(&buffers[first % BUFFERS]);
		printf("signal %u %" PRIu64 "\n", first, fence_time(sync_files[0]));
		close(sync_files[0]);
	}
	client_finish(sock);
}

/* What is wrong with a frame. fds has room for MAX_FDS. */
typedef void spoil_fn(struct message *msg, int *fds, unsigned int *n_fds);

#define SPOIL(name, what) \
	static void name(struct message *msg, int *fds, unsigned int *n_fds) \
	{ \
		(void)msg; \
		(void)fds; \
		(void)n_fds; \
		what; \
	}

static int memory_file(void)
{
	int fd = memfd_create("no-dma-buf", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, 4 * where.width * where.height))
		err(1, "memfd");
	return fd;
}

static int pipe_end(void)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		err(1, "pipe");
	return ends[0];
}

/* A dma-buf of one page, and its true inode. */
static void use_page(struct message *msg, int *fds)
{
	fds[0] = heap_buffer(4096);
	msg->frame.inodes[0] = dma_buf_inode(fds[0]);
}

static void use_nv12(struct message *msg, int *fds, unsigned int *n_fds)
{
	msg->frame.fourcc = DRM_FORMAT_NV12;
	msg->frame.n_planes = 2;
	msg->frame.strides[0] = where.width;
	msg->frame.strides[1] = where.width;
	msg->frame.inodes[1] = msg->frame.inodes[0];
	msg->frame.offsets[1] = where.width * where.height;
	fds[1] = fds[0];
	*n_fds = 2;
}

static void use_fence(struct message *msg, int *fds, unsigned int *n_fds, int fence)
{
	msg->frame.has_fence = 1;
	fds[1] = fence;
	*n_fds = 2;
}

SPOIL(width, msg->frame.width++)
SPOIL(height, msg->frame.height *= 2)
SPOIL(nothing, msg->frame.width = msg->frame.height = 0)
SPOIL(small_buffer, use_page(msg, fds))
SPOIL(small_stride, msg->frame.strides[0] -= 4)
SPOIL(odd_stride, msg->frame.strides[0] += 2)
SPOIL(large_stride, msg->frame.strides[0] = 0xfffffffc)
SPOIL(odd_offset, msg->frame.offsets[0] = 1)
SPOIL(large_offset, msg->frame.offsets[0] = 4)
SPOIL(huge_offset, msg->frame.offsets[0] = 0xfffffffc)
SPOIL(nv12_offset, use_nv12(msg, fds, n_fds); msg->frame.offsets[1] = 0xfffffff0)
SPOIL(nv12_planes, use_nv12(msg, fds, n_fds); msg->frame.n_planes = 1; *n_fds = 1)
SPOIL(fourcc, msg->frame.fourcc = DRM_FORMAT_RGB565)
SPOIL(no_fourcc, msg->frame.fourcc = 0)
SPOIL(modifier, msg->frame.modifier = I915_FORMAT_MOD_X_TILED)
SPOIL(no_planes, msg->frame.n_planes = 0)
SPOIL(many_planes, msg->frame.n_planes = 0xffffffff)
SPOIL(no_fd, *n_fds = 0)
SPOIL(five_fds, fds[1] = fds[2] = fds[3] = fds[4] = fds[0]; *n_fds = 5)
SPOIL(dev_null, fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC))
SPOIL(memfd, fds[0] = memory_file())
SPOIL(pipe_fd, fds[0] = pipe_end())
SPOIL(inode, msg->frame.inodes[0]++)
SPOIL(fence_null, use_fence(msg, fds, n_fds, open("/dev/null", O_RDWR | O_CLOEXEC)))
SPOIL(fence_buffer, use_fence(msg, fds, n_fds, fds[0]))
SPOIL(fence_missing, msg->frame.has_fence = 1)
SPOIL(fence_twice, use_fence(msg, fds, n_fds, pipe_end()); msg->frame.has_fence = 2)
SPOIL(backwards, msg->frame.sequence = 0)
SPOIL(type, msg->type = 77)
SPOIL(hello_again, msg->type = MSG_HELLO; *n_fds = 0)
SPOIL(drawn_fd, msg->type = MSG_DRAWN)
SPOIL(drawn_never, msg->type = MSG_DRAWN; msg->drawn.sequence = 1000; *n_fds = 0)
SPOIL(release, msg->type = MSG_RELEASE; *n_fds = 0)

/* After one good frame. */
static void send_spoiled(spoil_fn *spoil)
{
	int fds[MAX_FDS];
	unsigned int i, n_fds;
	struct message msg;

	hello();
	heap_buffers();
	for (i = 0; i < 2; i++) {
		const uint64_t sum = draw(&buffers[i], i);

		msg = frame_of(&buffers[i], i);
		fds[0] = buffers[i].fd;
		n_fds = 1;
		if (i)
			spoil(&msg, fds, &n_fds);
		if (message_send(sock, &msg, fds, n_fds))
			err(1, "cannot send frame %u", i);
		if (!i)
			send_drawn(i, sum);
	}
}

static void raw(const void *bytes, size_t size)
{
	if (send(sock, bytes, size, MSG_NOSIGNAL) < 0)
		err(1, "cannot send %zu bytes", size);
}

static void garbage(void)
{
	unsigned char bytes[sizeof(struct message)];
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = 37 * i + 11;
	sock = connection();
	raw(bytes, sizeof(bytes));
}

static void truncated(void)
{
	struct message msg = { .type = MSG_BYE, .version = DEMO_VERSION };

	hello();
	raw(&msg, sizeof(msg) - 1);
}

static void oversize(void)
{
	char bytes[65536] = { 0 };

	((struct message *)bytes)->type = MSG_BYE;
	((struct message *)bytes)->version = DEMO_VERSION;
	hello();
	raw(bytes, sizeof(bytes));
}

/* More descriptors than any message has. */
static void many_fds(void)
{
	enum { N = 100 };
	struct message msg = { .type = MSG_BYE, .version = DEMO_VERSION };
	union {
		char bytes[CMSG_SPACE(N * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = &msg, .iov_len = sizeof(msg) };
	struct msghdr hdr = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&hdr);
	int fds[N], i;

	hello();
	heap_buffers();
	for (i = 0; i < N; i++)
		fds[i] = buffers[i % BUFFERS].fd;
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(cmsg), fds, sizeof(fds));
	if (sendmsg(sock, &hdr, MSG_NOSIGNAL) < 0)
		err(1, "cannot send %d descriptors", N);
}

/* Frame after frame, without waiting for a buffer. */
static void flood(void)
{
	struct message msg;
	unsigned int i;

	hello();
	heap_buffers();
	for (i = 0; i < 1000; i++) {
		msg = frame_of(&buffers[i % BUFFERS], i);
		if (message_send(sock, &msg, &buffers[i % BUFFERS].fd, 1))
			break;
	}
}

/* Ever more checksums, each of which is in order by itself. */
static void flood_drawn(void)
{
	struct message msg;
	unsigned int i;

	hello();
	heap_buffers();
	msg = frame_of(&buffers[0], FLOOD);
	if (message_send(sock, &msg, &buffers[0].fd, 1))
		err(1, "cannot send a frame");
	msg = (struct message){ .type = MSG_DRAWN, .version = DEMO_VERSION };
	for (i = 0; i < FLOOD; i++) {
		msg.drawn.sequence = i;
		raw(&msg, sizeof(msg));
	}
	raw(&msg, sizeof(msg));
}

static void many_buffers(void)
{
	unsigned int i;

	hello();
	heap_buffers();
	for (i = 0; i < MAX_BUFFERS + 1; i++) {
		struct message msg = frame_of(&buffers[0], i);
		int fd = heap_buffer((size_t)buffers[0].stride * where.height);

		msg.frame.cookie = i;
		msg.frame.inodes[0] = dma_buf_inode(fd);
		if (message_send(sock, &msg, &fd, 1))
			err(1, "cannot send frame %u", i);
		close(fd);
	}
}

static void frame_first(void)
{
	struct message msg;

	sock = connection();
	where.width = WIDTH;
	where.height = HEIGHT;
	heap_buffers();
	msg = frame_of(&buffers[0], 0);
	if (message_send(sock, &msg, &buffers[0].fd, 1))
		err(1, "cannot send a frame");
}

static void no_name(void)
{
	struct message msg = { .type = MSG_HELLO };

	sock = connection();
	if (message_send(sock, &msg, NULL, 0))
		err(1, "cannot say hello");
}

static void no_room(void)
{
	struct message msg = { .type = MSG_HELLO };
	unsigned int i;

	strcpy(msg.hello.name, name);
	/* The last one takes all places that are left, whoever else is there. */
	for (i = 0; i < 5; i++) {
		sock = connection();
		if (message_send(sock, &msg, NULL, 0))
			err(1, "cannot say hello");
	}
}

static void many_connections(void)
{
	int i;

	for (i = 0; i < CONNECTIONS; i++)
		sock = connection();
}

static void connect_close(void)
{
	close(connection());
	exit(0);
}

static void silent(void)
{
	sock = connection();
}

/* Dies with a buffer in the compositor, maybe on the screen, and another on its way. */
static void die(void)
{
	struct message msg;
	unsigned int i;

	hello();
	heap_buffers();
	for (i = 0; i < 2; i++) {
		msg = frame_of(&buffers[i], i);
		if (message_send(sock, &msg, &buffers[i].fd, 1))
			err(1, "cannot send a frame");
	}
	kill(getpid(), SIGKILL);
}

/* Its fence lives longer than the compositor's patience (vgem's fences: ten seconds). */
static void never(void)
{
	int sync_file;

	hello();
	vgem_buffers();
	send_late(0, &sync_file);
}

static const struct {
	const char *name, *reason;
	spoil_fn *spoil;	/* or */
	void (*run)(void);
} cases[] = {
	{ "width", "wrong size", width, NULL },
	{ "height", "wrong size", height, NULL },
	{ "nothing", "wrong size", nothing, NULL },
	{ "small-buffer", "does not fit into its buffer", small_buffer, NULL },
	{ "small-stride", "wrong stride", small_stride, NULL },
	{ "odd-stride", "wrong stride", odd_stride, NULL },
	{ "large-stride", "does not fit into its buffer", large_stride, NULL },
	{ "odd-offset", "wrong stride or offset", odd_offset, NULL },
	{ "large-offset", "does not fit into its buffer", large_offset, NULL },
	{ "huge-offset", "does not fit into its buffer", huge_offset, NULL },
	{ "nv12-offset", "does not fit into its buffer", nv12_offset, NULL },
	{ "nv12-planes", "wrong number of planes", nv12_planes, NULL },
	{ "fourcc", "wrong format", fourcc, NULL },
	{ "no-fourcc", "wrong format", no_fourcc, NULL },
	{ "modifier", "wrong format", modifier, NULL },
	{ "no-planes", "wrong number of planes", no_planes, NULL },
	{ "many-planes", "wrong number of planes", many_planes, NULL },
	{ "no-fd", "wrong number of planes or descriptors", no_fd, NULL },
	{ "five-fds", "wrong number of planes or descriptors", five_fds, NULL },
	{ "many-fds", "a message that is none", NULL, many_fds },
	{ "dev-null", "is no dma-buf", dev_null, NULL },
	{ "memfd", "is no dma-buf", memfd, NULL },
	{ "pipe", "is no dma-buf", pipe_fd, NULL },
	{ "inode", "has inode", inode, NULL },
	{ "fence-null", "is no sync_file", fence_null, NULL },
	{ "fence-buffer", "is no sync_file", fence_buffer, NULL },
	{ "fence-missing", "wrong number of planes or descriptors", fence_missing, NULL },
	{ "fence-twice", "wrong number of planes or descriptors", fence_twice, NULL },
	{ "backwards", "comes after frame", backwards, NULL },
	{ "type", "beside a message of type 77", type, NULL },
	{ "hello-again", "a second hello", hello_again, NULL },
	{ "drawn-fd", "beside a message", drawn_fd, NULL },
	{ "drawn-never", "out of turn", drawn_never, NULL },
	{ "release", "makes no sense", release, NULL },
	{ "garbage", "a message that is none", NULL, garbage },
	{ "truncated", "a message that is none", NULL, truncated },
	{ "oversize", "a message that is none", NULL, oversize },
	{ "frame-first", "before its hello", NULL, frame_first },
	{ "no-name", "one without a name", NULL, no_name },
	{ "no-room", "no room on the screen", NULL, no_room },
	{ "many-buffers", "too many buffers", NULL, many_buffers },
	{ "flood", "has not got back", NULL, flood },
	{ "flood-drawn", "out of turn", NULL, flood_drawn },
	{ "many", "too many clients", NULL, many_connections },
	{ "close", "it has gone", NULL, connect_close },
	{ "die", "it has gone", NULL, die },
	{ "silent", "silent for", NULL, silent },
	{ "silent-hello", "silent for", NULL, hello },
	{ "never", "has not ended", NULL, never },
	/* These keep the rules, and end when they like. */
	{ "good", "", NULL, play },
	{ "late", "", NULL, late },
	{ "pairs", "", NULL, pairs },
};

/* Read on until the compositor says why, and compare. */
static int hear(const char *reason)
{
	struct message msg;
	unsigned int i, n_fds;
	int fds[MAX_FDS], ret;

	do {
		ret = message_receive(sock, &msg, fds, &n_fds);
		for (i = 0; i < n_fds; i++)
			close(fds[i]);
	} while (ret == 1 && msg.type != MSG_GOODBYE);
	if (ret != 1)
		errx(1, "%s: the compositor closed without a reason", name);
	printf("%.*s\n", (int)sizeof(msg.goodbye.reason), msg.goodbye.reason);
	return msg.goodbye.kept || !strstr(msg.goodbye.reason, reason);
}

int main(int argc, char **argv)
{
	const size_t n = sizeof(cases) / sizeof(cases[0]);
	size_t i;

	if (argc == 2 && !strcmp(argv[1], "--list")) {
		for (i = 0; i < n; i++)
			if (*cases[i].reason)
				printf("%s\t%s\n", cases[i].name, cases[i].reason);
		return 0;
	}
	if ((argc != 3 && argc != 4) || strcmp(argv[1], "--run")) {
		fprintf(stderr,
			"usage: bad-client --list | --run NAME [SOCKET]\n"
			"--list: the bad clients, and for what the compositor drops each.\n"
			"--run: be that one; the exit status is 0 when it was dropped for that.\n"
			"good, late and pairs are clients that do nothing wrong.\n");
		return argc == 2 && !strcmp(argv[1], "--help") ? 0 : 2;
	}
	if (argc == 4)
		path = argv[3];
	name = argv[2];
	for (i = 0; i < n && strcmp(cases[i].name, name); i++)
		;
	if (i == n)
		errx(2, "no client is called '%s' (--list names them)", name);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (*cases[i].reason)
		alarm(TIME_LIMIT);
	if (cases[i].spoil)
		send_spoiled(cases[i].spoil);
	else
		cases[i].run();
	return *cases[i].reason ? hear(cases[i].reason) : 0;
}
