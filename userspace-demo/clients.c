// SPDX-License-Identifier: MIT
/*
 * The clients: what they may say, what they get, and how they go. Nothing that one of them
 * sends is believed before it is checked, and nothing here waits for one of them.
 */

#include <drm_fourcc.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/sync_file.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clients.h"
#include "common.h"
#include "compose.h"
#include "display.h"
#include "kms.h"
#include "options.h"
#include "picture.h"
#include "report.h"

struct client clients[MAX_CLIENTS];

static void goodbye(int sock, bool kept, const char *reason)
{
	struct message msg = { .type = MSG_GOODBYE, .goodbye.kept = kept };

	/* If it does not arrive, the end of file does. */
	snprintf(msg.goodbye.reason, sizeof(msg.goodbye.reason), "%s", reason);
	message_send(sock, &msg, NULL, 0);
}

void client_drop(struct client *c, const char *format, ...)
{
	char reason[120];
	va_list args;

	if (c->gone)
		return;
	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	say("%s: dropped: %s", c->name, reason);
	log_event("drop", "\"client\":\"%s\",\"why\":\"%s\"", c->name, reason);
	goodbye(c->sock, false, reason);
	close(c->sock);
	c->sock = -1;
	c->gone = true;
}

void client_accept(int listener)
{
	int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	struct client *c = clients;

	if (sock < 0) {
		warn("cannot accept a client");
		return;
	}
	while (c < clients + MAX_CLIENTS && c->used)
		c++;
	getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &size);
	if (c == clients + MAX_CLIENTS) {
		say("pid-%d: turned away: too many clients", peer.pid);
		log_event("drop", "\"client\":\"pid-%d\",\"why\":\"too many clients\"", peer.pid);
		goodbye(sock, false, "too many clients");
		close(sock);
		return;
	}
	*c = (struct client){ .sock = sock, .used = true, .cell = -1 };
	c->pid = peer.pid;
	c->last_sequence = -1;
	c->last_drawn = -1;
	c->heard = now();
	/* Until it says who it is. */
	snprintf(c->name, sizeof(c->name), "pid-%d", c->pid);
}

static void frame_drop(struct frame *frame)
{
	if (frame->fence >= 0 && frame->picture)
		close(frame->fence);
	*frame = (struct frame){ .fence = -1 };
}

static void picture_destroy(struct picture *pic)
{
	unsigned int i;

	compose_forget(pic);
	framebuffer_destroy(pic);
	for (i = 0; i < pic->n_planes; i++)
		if (pic->dmabufs[i])
			dmabuf_unref(pic->dmabufs[i]);
	*pic = (struct picture){ 0 };
}

void client_free(struct client *c)
{
	unsigned int i;

	if (c->sock >= 0) {
		goodbye(c->sock, true, "");
		close(c->sock);
	}
	if (c->greeted)
		report_client(c->name, &c->tally, !c->gone);
	frame_drop(&c->next);
	frame_drop(&c->current);
	for (i = 0; i < c->queued; i++)
		frame_drop(&c->queue[i]);
	/* The layer points to one of the pictures. */
	if (c->layer)
		display_layer_destroy(c->layer);
	for (i = 0; i < MAX_BUFFERS; i++)
		picture_destroy(&c->pictures[i]);
	free(c->tally.latencies);
	*c = (struct client){ .sock = -1 };
}

void client_release(struct client *c, struct frame *frame, int fence)
{
	struct message msg = {
		.type = MSG_RELEASE,
		.release.cookie = frame->cookie,
		.release.sequence = frame->sequence,
	};

	frame->picture->busy = false;
	if (c->gone)
		return;
	if (message_send(c->sock, &msg, &fence, fence >= 0))
		client_drop(c, errno == EAGAIN ? "it does not read its messages" :
			    "it has gone");
}

/* A free cell of the screen, or -1. */
static int free_cell(void)
{
	unsigned int taken = 0, cell;

	for_each_client(c)
		if (c->cell >= 0)
			taken |= 1u << c->cell;
	for (cell = 0; cell < options.columns * options.rows; cell++)
		if (!(taken & 1u << cell))
			return cell;
	return -1;
}

/* Text from outside goes to terminals and into JSON: letters, digits and a few others only. */
static void copy_text(char *to, size_t size, const char *from, size_t from_size)
{
	size_t i;

	for (i = 0; i < from_size && i + 1 < size && from[i]; i++) {
		bool plain = (from[i] >= 'a' && from[i] <= 'z') ||
			     (from[i] >= 'A' && from[i] <= 'Z') ||
			     (from[i] >= '0' && from[i] <= '9') || strchr(" /._:+-", from[i]);

		to[i] = plain ? from[i] : '?';
	}
	to[i] = '\0';
}

static bool name_taken(const struct client *c)
{
	for_each_client(other)
		if (other != c && !strcmp(other->name, c->name))
			return true;
	return false;
}

/* The middle of its cell; the client may ask for less than all of that. */
static struct rect place(unsigned int cell, const struct message *hello)
{
	const uint32_t width = kms.width / options.columns;
	const uint32_t height = kms.height / options.rows;
	struct rect where = { .width = width, .height = height };

	if (hello->hello.width && hello->hello.width < width)
		where.width = hello->hello.width;
	if (hello->hello.height && hello->hello.height < height)
		where.height = hello->hello.height;
	/* Sizes of NV12 are even; so are the places, and none is empty. */
	where.width = where.width < 2 ? 2 : where.width & ~1u;
	where.height = where.height < 2 ? 2 : where.height & ~1u;
	where.x = cell % options.columns * width + ((width - where.width) / 2 & ~1u);
	where.y = cell / options.columns * height + ((height - where.height) / 2 & ~1u);
	return where;
}

static void welcome(struct client *c)
{
	static const uint32_t formats[] = {
		DRM_FORMAT_XRGB8888, DRM_FORMAT_ARGB8888, DRM_FORMAT_NV12,
	};
	struct message msg = { .type = MSG_WELCOME };
	unsigned int i;

	msg.welcome.where = c->where;
	msg.welcome.refresh = kms.refresh;
	snprintf(msg.welcome.device, sizeof(msg.welcome.device), "%.*s",
		 (int)sizeof(msg.welcome.device) - 1, kms.device);
	memcpy(msg.welcome.driver, kms.driver, sizeof(msg.welcome.driver));
	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		msg.welcome.formats[i].fourcc = formats[i];
		msg.welcome.formats[i].modifier = DRM_FORMAT_MOD_LINEAR;
		msg.welcome.formats[i].composed = !kms_takes(formats[i], DRM_FORMAT_MOD_LINEAR);
	}
	msg.welcome.n_formats = i;
	if (message_send(c->sock, &msg, NULL, 0))
		client_drop(c, "cannot welcome it");
}

static void handle_hello(struct client *c, const struct message *msg)
{
	char name[sizeof(msg->hello.name)];
	unsigned int number = 1;
	int cell;

	copy_text(name, sizeof(name), msg->hello.name, sizeof(msg->hello.name));
	copy_text(c->device, sizeof(c->device), msg->hello.device, sizeof(msg->hello.device));
	if (c->greeted || !name[0]) {
		client_drop(c, "a second hello, or one without a name");
		return;
	}
	snprintf(c->name, sizeof(c->name), "%s", name);
	while (name_taken(c))
		snprintf(c->name, sizeof(c->name), "%s#%u", name, ++number);
	cell = free_cell();
	if (cell < 0) {
		client_drop(c, "no room on the screen");
		return;
	}

	c->cell = cell;
	c->greeted = true;
	tally_begin(&c->tally);
	c->where = place(cell, msg);
	c->layer = display_layer_create(cell, c->name, &c->where);
	say("%s: hello from %s, pid %d; its place is %ux%u at %u,%u", c->name, c->device, c->pid,
	    c->where.width, c->where.height, c->where.x, c->where.y);
	log_event("client", "\"name\":\"%s\",\"device\":\"%s\",\"pid\":%d,\"x\":%u,\"y\":%u,"
		  "\"width\":%u,\"height\":%u", c->name, c->device, c->pid, c->where.x,
		  c->where.y, c->where.width, c->where.height);
	welcome(c);
}

/* Bytes of one row and rows of a plane. */
static void plane_size(const struct message *msg, unsigned int plane, uint64_t *bytes,
		       uint64_t *rows)
{
	const bool nv12 = msg->frame.fourcc == DRM_FORMAT_NV12;

	*bytes = (uint64_t)msg->frame.width * (nv12 ? 1 : 4);
	*rows = msg->frame.height / (nv12 && plane ? 2 : 1);
}

/* Whether one plane of a FRAME, and the dma-buf beside it, make sense. */
static bool plane_check(struct client *c, const struct message *msg, unsigned int plane, int fd)
{
	uint64_t bytes, rows, inode = dma_buf_inode(fd);
	off_t size = inode ? lseek(fd, 0, SEEK_END) : -1;

	if (size < 0) {
		client_drop(c, "the descriptor of plane %u is no dma-buf", plane);
		return false;
	}
	if (inode != msg->frame.inodes[plane]) {
		client_drop(c, "plane %u has inode %" PRIu64 " here, %" PRIu64 " there", plane,
			    inode, msg->frame.inodes[plane]);
		return false;
	}
	plane_size(msg, plane, &bytes, &rows);
	if (msg->frame.strides[plane] < bytes || msg->frame.strides[plane] % 4 ||
	    msg->frame.offsets[plane] % 4) {
		client_drop(c, "wrong stride or offset of plane %u: %u and %u for %" PRIu64
			    " bytes a row", plane, msg->frame.strides[plane],
			    msg->frame.offsets[plane], bytes);
		return false;
	}
	/* EGL takes offsets and strides as int. */
	if (msg->frame.offsets[plane] + (rows - 1) * msg->frame.strides[plane] + bytes >
	    (uint64_t)size || msg->frame.offsets[plane] > INT32_MAX ||
	    msg->frame.strides[plane] > INT32_MAX) {
		client_drop(c, "plane %u does not fit into its buffer of %jd bytes", plane,
			    (intmax_t)size);
		return false;
	}
	return true;
}

/* Whether a FRAME makes sense, as far as its numbers and descriptors tell. */
static bool frame_check(struct client *c, const struct message *msg, const int *fds,
			unsigned int n_fds)
{
	const uint32_t n_planes = msg->frame.fourcc == DRM_FORMAT_NV12 ? 2 : 1;
	struct sync_file_info info = { 0 };
	unsigned int i;

	if (c->bye || !c->greeted) {
		client_drop(c, "a frame %s", c->bye ? "after its goodbye" : "before its hello");
		return false;
	}
	if (!compose_takes(msg->frame.fourcc) || msg->frame.modifier != DRM_FORMAT_MOD_LINEAR) {
		client_drop(c, "wrong format: 0x%08x with modifier 0x%" PRIx64 " was not offered",
			    msg->frame.fourcc, msg->frame.modifier);
		return false;
	}
	if (msg->frame.width != c->where.width || msg->frame.height != c->where.height) {
		client_drop(c, "wrong size: %ux%u, its place is %ux%u", msg->frame.width,
			    msg->frame.height, c->where.width, c->where.height);
		return false;
	}
	if (msg->frame.n_planes != n_planes || msg->frame.has_fence > 1 ||
	    n_fds != n_planes + msg->frame.has_fence) {
		client_drop(c, "wrong number of planes or descriptors: %u planes, %u descriptors",
			    msg->frame.n_planes, n_fds);
		return false;
	}
	if (msg->frame.sequence <= c->last_sequence) {
		client_drop(c, "frame %u comes after frame %" PRId64, msg->frame.sequence,
			    c->last_sequence);
		return false;
	}
	for (i = 0; i < n_planes; i++)
		if (!plane_check(c, msg, i, fds[i]))
			return false;
	if (msg->frame.has_fence && retry_ioctl(fds[n_planes], SYNC_IOC_FILE_INFO, &info)) {
		client_drop(c, "the descriptor of its fence is no sync_file");
		return false;
	}
	return true;
}

static bool picture_is(const struct picture *pic, const struct message *msg)
{
	unsigned int i;

	if (pic->n_planes != msg->frame.n_planes || pic->fourcc != msg->frame.fourcc ||
	    pic->modifier != msg->frame.modifier)
		return false;
	for (i = 0; i < pic->n_planes; i++)
		if (pic->dmabufs[i]->inode != msg->frame.inodes[i] ||
		    pic->offsets[i] != msg->frame.offsets[i] ||
		    pic->strides[i] != msg->frame.strides[i])
			return false;
	return true;
}

/* Import what has not been seen before, and find out who can show it. */
static bool picture_create(struct client *c, struct picture *pic, const struct message *msg,
			   int *fds)
{
	unsigned int i;

	pic->width = msg->frame.width;
	pic->height = msg->frame.height;
	pic->fourcc = msg->frame.fourcc;
	pic->modifier = msg->frame.modifier;
	pic->n_planes = msg->frame.n_planes;
	for (i = 0; i < pic->n_planes; i++) {
		bool fresh;

		pic->offsets[i] = msg->frame.offsets[i];
		pic->strides[i] = msg->frame.strides[i];
		pic->dmabufs[i] = dmabuf_import(&fds[i], &fresh);
		if (!pic->dmabufs[i]) {
			client_drop(c, "cannot import it: %s", strerror(errno));
			return false;
		}
		c->tally.imports += fresh;
	}
	if (!framebuffer_create(pic) && !compose_import(pic)) {
		client_drop(c, "neither the display nor EGL takes its buffer");
		return false;
	}
	c->tally.foreign_inodes += pic->copied;
	log_event("buffer", "\"client\":\"%s\",\"buffer\":%u,\"exporter\":\"%s\","
		  "\"inode_client\":%" PRIu64 ",\"inode_here\":%" PRIu64 ",\"handle\":%u,"
		  "\"fb\":%u,\"width\":%u,\"height\":%u,\"fourcc\":\"%.4s\",\"stride\":%u,"
		  "\"modifier\":%" PRIu64 ",\"copied\":%s", c->name, msg->frame.cookie,
		  pic->dmabufs[0]->exporter, msg->frame.inodes[0], pic->dmabufs[0]->inode,
		  pic->dmabufs[0]->handle, pic->fb, pic->width, pic->height,
		  (const char *)&pic->fourcc, pic->strides[0], pic->modifier,
		  pic->copied ? "true" : "false");
	return true;
}

/* Of two sync_files one that waits for both. Closes a and b, which may be -1. */
static int fence_merge(int a, int b)
{
	struct sync_merge_data arg = { .name = "frame", .fd2 = b, .fence = -1 };

	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	if (retry_ioctl(a, SYNC_IOC_MERGE, &arg))
		arg.fence = -1;
	close(a);
	close(b);
	return arg.fence;
}

/* The picture that a FRAME shows; the slot for a new one, with n_planes 0; or NULL. */
static struct picture *picture_find(struct client *c, const struct message *msg)
{
	struct picture *empty = NULL;
	unsigned int i;

	for (i = 0; i < MAX_BUFFERS; i++) {
		if (picture_is(&c->pictures[i], msg))
			return &c->pictures[i];
		if (!c->pictures[i].n_planes && !empty)
			empty = &c->pictures[i];
	}
	return empty;
}

/*
 * A fence of what the kernel knows of the picture's writers, and of what the client says. Takes
 * the client's out of fds. -1 when the client has been dropped.
 */
static int picture_fence(struct client *c, const struct picture *pic, const struct message *msg,
			 int *fds)
{
	int fence = -1, writers;
	unsigned int i;

	for (i = 0; i < pic->n_planes; i++) {
		if (i && pic->dmabufs[i] == pic->dmabufs[0])
			continue;
		writers = dma_buf_writers(pic->dmabufs[i]->fd);
		if (writers < 0) {
			client_drop(c, "cannot get the fences of its buffer: %s",
				    strerror(errno));
			if (fence >= 0)
				close(fence);
			return -1;
		}
		fence = fence_merge(fence, writers);
	}
	if (msg->frame.has_fence) {
		fence = fence_merge(fence, fds[msg->frame.n_planes]);
		fds[msg->frame.n_planes] = -1;
	}
	if (fence < 0)
		client_drop(c, "cannot merge its fences");
	return fence;
}

static void handle_frame(struct client *c, const struct message *msg, int *fds,
			 unsigned int n_fds)
{
	static uint64_t serial;
	struct frame frame = {
		.serial = ++serial,
		.cookie = msg->frame.cookie,
		.sequence = msg->frame.sequence,
		.submitted = msg->frame.submitted,
		.received = now(),
	};
	struct picture *pic;

	if (!frame_check(c, msg, fds, n_fds))
		return;
	pic = picture_find(c, msg);
	if (!pic) {
		client_drop(c, "too many buffers: more than %d", MAX_BUFFERS);
		return;
	}
	if (pic->busy) {
		client_drop(c, "frame %u is in a buffer that it has not got back",
			    msg->frame.sequence);
		return;
	}
	if (pic->n_planes)
		c->tally.reuses++;
	else if (!picture_create(c, pic, msg, fds))
		return;
	frame.fence = picture_fence(c, pic, msg, fds);
	if (frame.fence < 0)
		return;

	/* A clock that is ahead, or far behind, would only spoil the latency. */
	if (frame.submitted > frame.received || frame.received - frame.submitted > 1000000000)
		frame.submitted = frame.received;
	c->tally.dropped += msg->frame.sequence - c->last_sequence - 1;
	c->last_sequence = msg->frame.sequence;
	pic->busy = true;
	frame.picture = pic;
	c->queue[c->queued++] = frame;
}

struct proof *find_proof(struct client *c, uint32_t sequence)
{
	unsigned int i;

	for (i = 0; i < PROOFS && i < c->n_proofs; i++)
		if (c->proofs[i].sequence == sequence)
			return &c->proofs[i];
	return NULL;
}

void client_proof(struct client *c, uint32_t sequence, const uint64_t *drawn,
		  const uint64_t *shown)
{
	struct proof *proof = find_proof(c, sequence);

	if (!proof) {
		proof = &c->proofs[c->n_proofs++ % PROOFS];
		*proof = (struct proof){ .sequence = sequence };
	}
	if (drawn) {
		proof->drawn = *drawn;
		proof->has_drawn = true;
	}
	if (shown) {
		proof->shown = *shown;
		proof->has_shown = true;
	}
	if (!proof->has_drawn || !proof->has_shown)
		return;
	c->tally.compared++;
	if (proof->drawn == proof->shown)
		c->tally.equal++;
	else
		say("%s: frame %u: shown %016" PRIx64 ", drawn %016" PRIx64, c->name, sequence,
		    proof->shown, proof->drawn);
}

static void handle_drawn(struct client *c, const struct message *msg)
{
	if (msg->drawn.sequence <= c->last_drawn || msg->drawn.sequence > c->last_sequence ||
	    c->bye) {
		client_drop(c, "a checksum of frame %u, which is out of turn",
			    msg->drawn.sequence);
		return;
	}
	c->last_drawn = msg->drawn.sequence;
	client_proof(c, msg->drawn.sequence, &msg->drawn.checksum, NULL);
}

void client_read(struct client *c)
{
	struct message msg;
	int fds[MAX_FDS], ret;
	unsigned int i, n_fds;

	ret = message_receive(c->sock, &msg, fds, &n_fds);
	if (ret < 0) {
		client_drop(c, errno == EBADMSG ? "a message that is none" : "cannot read it");
		return;
	}
	if (!ret) {
		client_drop(c, "it has gone without goodbye");
		return;
	}
	c->heard = now();
	if (msg.type == MSG_FRAME)
		handle_frame(c, &msg, fds, n_fds);
	else if (n_fds)
		client_drop(c, "%u descriptors beside a message of type %u", n_fds, msg.type);
	else if (msg.type == MSG_HELLO)
		handle_hello(c, &msg);
	else if (msg.type == MSG_DRAWN)
		handle_drawn(c, &msg);
	else if (msg.type == MSG_BYE && c->greeted && !c->bye)
		c->bye = true;
	else
		client_drop(c, "a message of type %u makes no sense here", msg.type);
	for (i = 0; i < n_fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}
