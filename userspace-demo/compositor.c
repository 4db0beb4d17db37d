// SPDX-License-Identifier: GPL-2.0
/*
 * A small compositor: takes dma-bufs from producers over a socket, shows them
 * on the planes of a display (vkms) by atomic commits with fences, and reads
 * back what the display showed to compare it with what was drawn.
 *
 * One frame is: flip, wait until the flip is done, read back through the
 * writeback connector, wait until that is done, compare, release the buffers
 * that the flip took off the screen. Every wait is a fence in poll(2).
 */

#include <drm_fourcc.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/dma-buf.h>
#include <linux/sync_file.h>
#include <png.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "common.h"

#define MAX_PRODUCERS	2	/* one for each plane */
#define OVERLAY_WIDTH	320
#define OVERLAY_HEIGHT	180
#define OVERLAY_MARGIN	16

/* A KMS object and its properties, which commits address by number and people by name. */
struct kms_object {
	uint32_t id;

	drmModeObjectProperties *values;
	drmModePropertyRes **props;
};

/* A buffer of a producer, imported. */
struct buffer {
	int fd;			/* the dma-buf, kept for its fences; -1 when there is none */
	uint32_t fb;
	uint64_t inode_here, inode_there;	/* as this process and as the producer sees it */
};

struct frame {
	int buffer;		/* -1: no frame */
	uint32_t sequence;
	uint64_t checksum;
	bool drawn;		/* the checksum has come */
};

struct producer {
	int sock;		/* -1 once it has left */
	char name[16], device[64], exporter[32];
	enum plane_role role;
	struct buffer buffers[MAX_BUFFERS];
	struct frame queue[MAX_BUFFERS];	/* waiting to be shown, oldest first */
	unsigned int queued;
	struct frame next;	/* in the commit under way */
	int in_fence;		/* which that commit has to wait for, or -1 */
	struct frame current;	/* on the screen */
	bool bye;		/* it has sent its last frame */
	bool dead;		/* it left without BYE, or broke the rules */
	int64_t last_sequence;
	/* for the table */
	unsigned int imports, shown, dropped, waited, early, compared, equal;
};

static struct producer producers[MAX_PRODUCERS];
static unsigned int n_producers;

/* the display */
static char device[64];
static int drm;
static struct kms_object crtc, console, writeback, planes[2];
static struct rect screen[2];	/* where each plane is */
static uint32_t mode_blob;

/* what is read back */
static uint32_t readback_handle, readback_fb, readback_stride;
static uint64_t readback_size;
static char *readback;

/* options */
static unsigned int frames_wanted = DEMO_FRAMES, producers_wanted = 2, timeout_seconds = 30;
static const char *pictures, *results;

/* What the commit under way is waiting for. */
static enum { IDLE, FLIPPING, READING, CHECKING } state;
static int fence = -1;		/* of the flip, then of the readback */
static int nudge_fd = -1;	/* see nudge() */
static unsigned int nudges;

static void kms_object_init(struct kms_object *obj, uint32_t id, uint32_t type)
{
	uint32_t i;

	obj->id = id;
	obj->values = drmModeObjectGetProperties(drm, id, type);
	if (!obj->values)
		err(1, "%s: cannot get the properties of object %u", device, id);
	obj->props = calloc(obj->values->count_props, sizeof(*obj->props));
	if (!obj->props)
		err(1, "out of memory");
	for (i = 0; i < obj->values->count_props; i++) {
		obj->props[i] = drmModeGetProperty(drm, obj->values->props[i]);
		if (!obj->props[i])
			err(1, "%s: cannot get property %u", device, obj->values->props[i]);
	}
}

static void kms_object_free(struct kms_object *obj)
{
	uint32_t i;

	for (i = 0; i < obj->values->count_props; i++)
		drmModeFreeProperty(obj->props[i]);
	free(obj->props);
	drmModeFreeObjectProperties(obj->values);
}

static uint32_t property(const struct kms_object *obj, const char *name, uint64_t *value)
{
	uint32_t i;

	for (i = 0; i < obj->values->count_props; i++) {
		if (strcmp(obj->props[i]->name, name))
			continue;
		if (value)
			*value = obj->values->prop_values[i];
		return obj->props[i]->prop_id;
	}
	errx(1, "%s: object %u has nothing called '%s'", device, obj->id, name);
}

static void set(drmModeAtomicReq *req, const struct kms_object *obj, const char *name,
		uint64_t value)
{
	if (drmModeAtomicAddProperty(req, obj->id, property(obj, name, NULL), value) < 0)
		err(1, "out of memory");
}

static void commit(drmModeAtomicReq *req, uint32_t flags, const char *what)
{
	if (drmModeAtomicCommit(drm, req, flags, NULL))
		err(1, "%s: cannot %s", device, what);
	drmModeAtomicFree(req);
}

static bool is_vkms(int fd)
{
	return drm_driver_is(fd, "vkms");
}

/*
 * vkms does not show one picture on two connectors, so the writeback connector is the
 * display; the other one, which the console may be using, has to be off meanwhile.
 */
static void find_connectors(const drmModeRes *res, unsigned int width, unsigned int height)
{
	int i, j;

	for (i = 0; i < res->count_connectors; i++) {
		drmModeConnector *con = drmModeGetConnector(drm, res->connectors[i]);
		struct kms_object *obj;

		if (!con)
			err(1, "%s: cannot get connector %u", device, res->connectors[i]);
		obj = con->connector_type == DRM_MODE_CONNECTOR_WRITEBACK ? &writeback : &console;
		if (!obj->id)
			kms_object_init(obj, con->connector_id, DRM_MODE_OBJECT_CONNECTOR);
		for (j = 0; obj == &writeback && j < con->count_modes && !mode_blob; j++) {
			const drmModeModeInfo *mode = &con->modes[j];

			if (mode->hdisplay != width || mode->vdisplay != height)
				continue;
			if (drmModeCreatePropertyBlob(drm, mode, sizeof(*mode), &mode_blob))
				err(1, "%s: cannot make a mode blob", device);
		}
		drmModeFreeConnector(con);
	}
	if (!writeback.id)
		errx(1, "%s: no writeback connector (modprobe vkms enable_writeback=1)", device);
	if (!mode_blob)
		errx(1, "%s: no mode of %ux%u", device, width, height);
	if (!console.id)
		errx(1, "%s: no connector beside the writeback connector", device);
}

static void find_planes(void)
{
	drmModePlaneRes *res = drmModeGetPlaneResources(drm);
	uint32_t i;

	if (!res)
		err(1, "%s: cannot list the planes", device);
	for (i = 0; i < res->count_planes; i++) {
		struct kms_object obj;
		uint64_t type;

		kms_object_init(&obj, res->planes[i], DRM_MODE_OBJECT_PLANE);
		property(&obj, "type", &type);
		if (type == DRM_PLANE_TYPE_PRIMARY && !planes[PLANE_PRIMARY].id)
			planes[PLANE_PRIMARY] = obj;
		else if (type == DRM_PLANE_TYPE_OVERLAY && !planes[PLANE_OVERLAY].id)
			planes[PLANE_OVERLAY] = obj;
		else
			kms_object_free(&obj);
	}
	drmModeFreePlaneResources(res);
	if (!planes[PLANE_PRIMARY].id)
		errx(1, "%s: no primary plane", device);
	if (!planes[PLANE_OVERLAY].id)
		errx(1, "%s: no overlay plane (modprobe vkms enable_overlay=1)", device);
}

static void readback_create(uint32_t width, uint32_t height)
{
	uint32_t zero[4] = { 0 }, handles[4] = { 0 }, strides[4] = { 0 };
	uint64_t offset;

	if (drmModeCreateDumbBuffer(drm, width, height, 32, 0, &readback_handle,
				    &readback_stride, &readback_size) ||
	    drmModeMapDumbBuffer(drm, readback_handle, &offset))
		err(1, "%s: cannot create a buffer to read back into", device);
	readback = mmap(NULL, readback_size, PROT_READ, MAP_SHARED, drm, offset);
	if (readback == MAP_FAILED)
		err(1, "%s: cannot map the buffer to read back into", device);
	handles[0] = readback_handle;
	strides[0] = readback_stride;
	if (drmModeAddFB2(drm, width, height, DRM_FORMAT_XRGB8888, handles, strides, zero,
			  &readback_fb, 0))
		err(1, "%s: cannot make a framebuffer to read back into", device);
}

static void display_on(const char *path, unsigned int width, unsigned int height)
{
	drmModeAtomicReq *req;
	drmModeRes *res;

	drm = open_device(path, "/dev/dri/card", "a vkms device", is_vkms, device,
			  sizeof(device));
	if (drmSetClientCap(drm, DRM_CLIENT_CAP_ATOMIC, 1) ||
	    drmSetClientCap(drm, DRM_CLIENT_CAP_WRITEBACK_CONNECTORS, 1))
		err(1, "%s: no atomic mode setting with writeback connectors", device);
	res = drmModeGetResources(drm);
	if (!res || !res->count_crtcs)
		err(1, "%s: cannot list its parts", device);
	kms_object_init(&crtc, res->crtcs[0], DRM_MODE_OBJECT_CRTC);
	find_connectors(res, width, height);
	find_planes();
	drmModeFreeResources(res);

	screen[PLANE_PRIMARY] = (struct rect){ 0, 0, width, height };
	screen[PLANE_OVERLAY] = (struct rect){
		width - OVERLAY_WIDTH - OVERLAY_MARGIN,
		height - OVERLAY_HEIGHT - OVERLAY_MARGIN,
		OVERLAY_WIDTH, OVERLAY_HEIGHT
	};
	readback_create(width, height);

	/* The mode is set once, with no plane on; from here on there are only flips. */
	req = drmModeAtomicAlloc();
	set(req, &crtc, "MODE_ID", mode_blob);
	set(req, &crtc, "ACTIVE", 1);
	set(req, &console, "CRTC_ID", 0);
	set(req, &writeback, "CRTC_ID", crtc.id);
	commit(req, DRM_MODE_ATOMIC_ALLOW_MODESET, "set the mode (is another compositor running?)");
}

static void display_off(void)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();

	set(req, &crtc, "MODE_ID", 0);
	set(req, &crtc, "ACTIVE", 0);
	set(req, &writeback, "CRTC_ID", 0);
	commit(req, DRM_MODE_ATOMIC_ALLOW_MODESET, "turn the display off");

	drmModeRmFB(drm, readback_fb);
	munmap(readback, readback_size);
	drmModeDestroyDumbBuffer(drm, readback_handle);
	drmModeDestroyPropertyBlob(drm, mode_blob);
	kms_object_free(&crtc);
	kms_object_free(&console);
	kms_object_free(&writeback);
	kms_object_free(&planes[PLANE_PRIMARY]);
	kms_object_free(&planes[PLANE_OVERLAY]);
	close(drm);
}

/* The kernel's own word on who exported a dma-buf. */
static void exporter_name(int fd, char *name, size_t size)
{
	char path[64], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	if (!file)
		err(1, "%s: cannot open", path);
	snprintf(name, size, "?");
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "exp_name:", 9))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(name, size, "%s", line + 9 + strspn(line + 9, "\t "));
	}
	fclose(file);
}

/* Import a dma-buf into the display device. False, with the reason told, when it will not do. */
static bool buffer_import(struct producer *p, const struct message *msg, int fd)
{
	const struct rect *where = &screen[p->role];
	uint32_t handles[4] = { 0 }, strides[4] = { msg->format.stride };
	uint32_t offsets[4] = { msg->format.offset };
	uint64_t modifiers[4] = { msg->format.modifier };
	struct buffer *buf;
	int ret;

	if (msg->buffer >= MAX_BUFFERS || p->buffers[msg->buffer].fd >= 0) {
		warnx("%s: no room for its buffer %u", p->name, msg->buffer);
		return false;
	}
	if (msg->format.width != where->width || msg->format.height != where->height ||
	    msg->format.fourcc != DRM_FORMAT_XRGB8888) {
		warnx("%s: buffer %u is not %ux%u pixels of XRGB8888", p->name, msg->buffer,
		      where->width, where->height);
		return false;
	}

	buf = &p->buffers[msg->buffer];
	if (drmPrimeFDToHandle(drm, fd, &handles[0])) {
		warn("%s: cannot import buffer %u of %s (%s)", device, msg->buffer, p->name,
		     p->device);
		return false;
	}
	p->imports++;

	ret = drmModeAddFB2WithModifiers(drm, msg->format.width, msg->format.height,
					 msg->format.fourcc, handles, strides, offsets, modifiers,
					 &buf->fb, DRM_MODE_FB_MODIFIERS);
	if (ret)
		warn("%s: cannot make a framebuffer of buffer %u of %s", device, msg->buffer,
		     p->name);
	/* The framebuffer keeps the buffer alive; the handle has done its work. */
	drmCloseBufferHandle(drm, handles[0]);
	if (ret)
		return false;

	buf->fd = fd;
	buf->inode_here = dma_buf_inode(fd);
	buf->inode_there = msg->format.inode;
	exporter_name(fd, p->exporter, sizeof(p->exporter));
	return true;
}

static void release(struct producer *p, struct frame *frame)
{
	struct message msg = { .type = MSG_RELEASE, .buffer = frame->buffer };

	if (frame->buffer >= 0 && !p->dead && message_send(p->sock, &msg, -1)) {
		warn("%s: cannot give back buffer %d", p->name, frame->buffer);
		p->dead = true;
	}
	frame->buffer = -1;
}

/* Take a producer off the screen and drop what it passed. Only between commits. */
static void producer_leave(struct producer *p)
{
	drmModeAtomicReq *req;
	unsigned int i;

	if (p->current.buffer >= 0) {
		req = drmModeAtomicAlloc();
		set(req, &planes[p->role], "FB_ID", 0);
		set(req, &planes[p->role], "CRTC_ID", 0);
		commit(req, 0, "turn a plane off");
	}
	release(p, &p->current);
	for (i = 0; i < MAX_BUFFERS; i++) {
		if (p->buffers[i].fd < 0)
			continue;
		drmModeRmFB(drm, p->buffers[i].fb);
		close(p->buffers[i].fd);
		p->buffers[i].fd = -1;
	}
	if (p->dead)
		warnx("%s: left before its time", p->name);
	close(p->sock);
	p->sock = -1;
}

/* The frame that a producer has in a buffer, wherever it is by now. */
static struct frame *find_frame(struct producer *p, int buffer)
{
	unsigned int i;

	if (p->next.buffer == buffer)
		return &p->next;
	if (p->current.buffer == buffer)
		return &p->current;
	for (i = 0; i < p->queued; i++)
		if (p->queue[i].buffer == buffer)
			return &p->queue[i];
	return NULL;
}

/* Do what a producer asks; false when it makes no sense. Takes the descriptor if it keeps it. */
static bool handle_message(struct producer *p, const struct message *msg, int *fd)
{
	struct frame *frame;

	switch (msg->type) {
	case MSG_BUFFER:
		if (*fd < 0 || !buffer_import(p, msg, *fd))
			return false;
		*fd = -1;
		return true;

	case MSG_FRAME:
		if (msg->buffer >= MAX_BUFFERS || p->buffers[msg->buffer].fd < 0 || p->bye ||
		    find_frame(p, msg->buffer))
			return false;
		/* A gap is a dropped frame. vivid, when late, gives a number twice: no gap. */
		if (msg->sequence > p->last_sequence) {
			p->dropped += msg->sequence - p->last_sequence - 1;
			p->last_sequence = msg->sequence;
		}
		p->queue[p->queued++] = (struct frame){
			.buffer = msg->buffer,
			.sequence = msg->sequence,
		};
		return true;

	case MSG_DRAWN:
		frame = msg->buffer < MAX_BUFFERS ? find_frame(p, msg->buffer) : NULL;
		if (!frame || frame->drawn)
			return false;
		frame->checksum = msg->checksum;
		frame->drawn = true;
		return true;

	case MSG_BYE:
		p->bye = true;
		return true;
	}
	return false;
}

static void producer_read(struct producer *p)
{
	struct message msg;
	int fd, ret;

	ret = message_receive(p->sock, &msg, &fd);
	if (ret < 0)
		warn("%s: cannot read a message", p->name);
	if (ret <= 0) {
		p->dead = true;
		return;
	}
	if (!handle_message(p, &msg, &fd)) {
		warnx("%s: message %u about buffer %u makes no sense here", p->name, msg.type,
		      msg.buffer);
		p->dead = true;
	}
	if (fd >= 0)
		close(fd);
}

static void producer_accept(int listener)
{
	int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct message msg, welcome = { .type = MSG_WELCOME };
	struct producer *p;
	unsigned int i;
	int fd = -1;

	if (sock < 0) {
		warn("cannot accept a producer");
		return;
	}
	if (message_receive(sock, &msg, &fd) <= 0 || msg.type != MSG_HELLO ||
	    msg.hello.role > PLANE_OVERLAY || n_producers == MAX_PRODUCERS) {
		warnx("a producer was turned away: no hello, or no plane for it");
		goto refuse;
	}
	for (i = 0; i < n_producers; i++) {
		if (producers[i].role == msg.hello.role) {
			warnx("a producer was turned away: its plane is taken by %s",
			      producers[i].name);
			goto refuse;
		}
	}

	p = &producers[n_producers];
	*p = (struct producer){ .sock = sock, .role = msg.hello.role, .last_sequence = -1 };
	p->current.buffer = -1;
	p->next.buffer = -1;
	p->in_fence = -1;
	for (i = 0; i < MAX_BUFFERS; i++)
		p->buffers[i].fd = -1;
	snprintf(p->name, sizeof(p->name), "%.*s", (int)sizeof(p->name) - 1, msg.hello.name);
	snprintf(p->device, sizeof(p->device), "%.*s", (int)sizeof(p->device) - 1,
		 msg.hello.device);

	/* What the overlay hides of the primary plane cannot be read back. */
	welcome.welcome.width = screen[p->role].width;
	welcome.welcome.height = screen[p->role].height;
	if (p->role == PLANE_PRIMARY)
		welcome.welcome.hole = screen[PLANE_OVERLAY];
	if (message_send(sock, &welcome, -1)) {
		warn("%s: cannot welcome it", p->name);
		goto refuse;
	}
	n_producers++;
	if (fd >= 0)
		close(fd);
	return;

refuse:
	if (fd >= 0)
		close(fd);
	close(sock);
}

/* A sync_file of what a reader of the dma-buf has to wait for: its writers. */
static int writers_fence(const struct buffer *buf, const char *name)
{
	struct dma_buf_export_sync_file arg = { .flags = DMA_BUF_SYNC_READ };

	if (retry_ioctl(buf->fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &arg))
		err(1, "%s: cannot get the fence of a buffer", name);
	return arg.fd;
}

static bool fence_pending(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, 0) == 0;
}

/* Put the next frame of each producer that has one on the screen. */
static void flip(void)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	unsigned int i;

	for (i = 0; i < n_producers; i++) {
		struct producer *p = &producers[i];
		const struct kms_object *plane = &planes[p->role];
		const struct rect *where = &screen[p->role];
		const struct buffer *buf;

		if (!p->queued || p->dead)
			continue;
		p->next = p->queue[0];
		p->queued--;
		memmove(p->queue, p->queue + 1, p->queued * sizeof(p->queue[0]));

		buf = &p->buffers[p->next.buffer];
		p->in_fence = writers_fence(buf, p->name);
		p->waited += fence_pending(p->in_fence);

		set(req, plane, "FB_ID", buf->fb);
		set(req, plane, "IN_FENCE_FD", p->in_fence);
		set(req, plane, "CRTC_ID", crtc.id);
		set(req, plane, "CRTC_X", where->x);
		set(req, plane, "CRTC_Y", where->y);
		set(req, plane, "CRTC_W", where->width);
		set(req, plane, "CRTC_H", where->height);
		set(req, plane, "SRC_X", 0);
		set(req, plane, "SRC_Y", 0);
		set(req, plane, "SRC_W", (uint64_t)where->width << 16);
		set(req, plane, "SRC_H", (uint64_t)where->height << 16);
	}
	set(req, &crtc, "OUT_FENCE_PTR", (uintptr_t)&fence);
	commit(req, DRM_MODE_ATOMIC_NONBLOCK, "flip");
	state = FLIPPING;
}

/* Have what is on the screen written into memory. */
static void read_back(void)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();

	set(req, &writeback, "WRITEBACK_FB_ID", readback_fb);
	set(req, &writeback, "WRITEBACK_OUT_FENCE_PTR", (uintptr_t)&fence);
	commit(req, DRM_MODE_ATOMIC_NONBLOCK, "read back");
	state = READING;
}

/*
 * vkms composes only while it is told to, and the clean-up of one readback, which runs some
 * time after its fence, may switch that off when the next has just been asked for: the next
 * then never ends. Its CRC file in debugfs switches composing on for as long as it is open.
 * Other displays do not need this; each use is counted in the table.
 */
static void nudge(void)
{
	char path[64];
	struct stat st;

	if (fstat(drm, &st))
		err(1, "%s: cannot fstat", device);
	snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%u/crtc-0/crc/data",
		 minor(st.st_rdev));
	nudge_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (nudge_fd < 0)
		err(1, "%s: a readback does not end, and cannot open %s to help", device, path);
	nudges++;
	warnx("%s: a readback was stuck; composing switched on again", device);
}

/* The fence of the flip or of the readback has signalled. */
static void fence_done(void)
{
	struct sync_file_info info = { 0 };
	unsigned int i;

	if (retry_ioctl(fence, SYNC_IOC_FILE_INFO, &info))
		err(1, "%s: cannot ask about a fence", device);
	if (info.status != 1)
		errx(1, "%s: a fence ended with an error: %s", device, strerror(-info.status));
	close(fence);
	fence = -1;

	if (nudge_fd >= 0)
		close(nudge_fd);
	nudge_fd = -1;
	if (state == READING) {
		state = CHECKING;
		return;
	}

	/* The display did wait for the drawing, did it? */
	for (i = 0; i < n_producers; i++) {
		struct producer *p = &producers[i];

		if (p->in_fence < 0)
			continue;
		p->early += fence_pending(p->in_fence);
		close(p->in_fence);
		p->in_fence = -1;
	}
	read_back();
}

static void save_picture(const char *name, unsigned int number, const struct rect *area)
{
	png_image image = {
		.version = PNG_IMAGE_VERSION,
		.width = area->width,
		.height = area->height,
		.format = PNG_FORMAT_BGR,
	};
	const size_t stride = PNG_IMAGE_ROW_STRIDE(image);
	uint8_t *pixels;
	char path[512];
	uint32_t x, y;

	pixels = malloc(PNG_IMAGE_SIZE(image));
	if (!pixels)
		err(1, "out of memory");
	for (y = 0; y < area->height; y++)
		for (x = 0; x < area->width; x++)
			memcpy(pixels + y * stride + 3 * x,
			       readback + (size_t)(area->y + y) * readback_stride +
			       4 * (area->x + x), 3);

	snprintf(path, sizeof(path), "%s/%s-%03u.png", pictures, name, number);
	if (!png_image_write_to_file(&image, path, 0, pixels, 0, NULL))
		errx(1, "%s: cannot write the picture: %s", path, image.message);
	free(pixels);
}

/* Compare what the display showed with what the producers drew. */
static void check(void)
{
	const struct rect nothing = { 0 };
	struct frame old;
	unsigned int i;

	/* A checksum may still be on its way. */
	for (i = 0; i < n_producers; i++) {
		struct producer *p = &producers[i];
		struct frame *frame = p->next.buffer >= 0 ? &p->next : &p->current;

		if (frame->buffer >= 0 && !frame->drawn && !p->dead)
			return;
	}

	for (i = 0; i < n_producers; i++) {
		struct producer *p = &producers[i];
		const struct rect *where = &screen[p->role];
		bool fresh = p->next.buffer >= 0;
		uint64_t sum;

		old.buffer = -1;
		if (fresh) {
			old = p->current;
			p->current = p->next;
			p->next.buffer = -1;
			p->shown++;
		}
		if (p->current.buffer < 0)
			continue;

		sum = checksum(readback + (size_t)where->y * readback_stride + 4 * where->x,
			       readback_stride, where->width, where->height,
			       p->role == PLANE_PRIMARY ? &screen[PLANE_OVERLAY] : &nothing);
		p->compared++;
		if (p->current.drawn && sum == p->current.checksum)
			p->equal++;
		else
			warnx("%s: frame %u: shown %016" PRIx64 ", drawn %016" PRIx64, p->name,
			      p->current.sequence, sum,
			      p->current.drawn ? p->current.checksum : 0);

		if (pictures && fresh && (p->shown == 1 || p->shown == frames_wanted / 2 ||
					  p->shown == frames_wanted))
			save_picture(p->role == PLANE_PRIMARY ? "display" : p->name, p->shown,
				     where);
		release(p, &old);
	}
	state = IDLE;
}

static int listen_on(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock;

	if (strlen(path) >= sizeof(addr.sun_path))
		errx(1, "%s: the name is too long for a socket", path);
	strcpy(addr.sun_path, path);
	unlink(path);
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0 || bind(sock, (struct sockaddr *)&addr, sizeof(addr)) || listen(sock, 4))
		err(1, "%s: cannot listen", path);
	return sock;
}

/* Wait for a producer, a message or a fence. */
static void wait_for_something(int listener)
{
	struct pollfd fds[MAX_PRODUCERS + 2];
	const bool may_nudge = state == READING && nudge_fd < 0;
	unsigned int i, n = n_producers;
	int ret;

	for (i = 0; i < n; i++) {
		struct producer *p = &producers[i];

		fds[i] = (struct pollfd){ .fd = p->dead ? -1 : p->sock, .events = POLLIN };
	}
	fds[n] = (struct pollfd){ .fd = fence, .events = POLLIN };
	fds[n + 1] = (struct pollfd){ .fd = listener, .events = POLLIN };

	ret = poll(fds, n + 2, may_nudge ? 1000 : timeout_seconds * 1000);
	if (ret < 0 && errno != EINTR)
		err(1, "poll");
	if (ret == 0 && may_nudge) {
		nudge();
		return;
	}
	if (ret == 0 && fence >= 0)
		errx(1, "%s: no %s in %u seconds", device,
		     state == FLIPPING ? "flip" : "picture from the writeback connector",
		     timeout_seconds);
	if (ret == 0)
		errx(1, "no word from a producer in %u seconds", timeout_seconds);
	if (ret < 0)
		return;

	for (i = 0; i < n; i++)
		if (fds[i].revents)
			producer_read(&producers[i]);
	if (fds[n].revents)
		fence_done();
	if (fds[n + 1].revents)
		producer_accept(listener);
}

/* Between commits: let go of whoever has left. Returns how many are still here. */
static unsigned int producers_here(void)
{
	unsigned int i, here = 0;

	for (i = 0; i < n_producers; i++) {
		struct producer *p = &producers[i];

		if (p->sock >= 0 && (p->dead || (p->bye && !p->queued)))
			producer_leave(p);
		here += p->sock >= 0;
	}
	return here;
}

/*
 * Whether to flip now. The show begins when every producer has a frame, so that the first
 * picture is whole; then the primary plane sets the pace, while somebody draws for it.
 */
static bool frames_ready(void)
{
	unsigned int i, ready = 0, begun = 0;

	for (i = 0; i < n_producers; i++) {
		const struct producer *p = &producers[i];

		if (p->sock >= 0 && !p->queued && p->role == PLANE_PRIMARY)
			return false;
		ready += p->queued > 0;
		begun += p->shown > 0 || p->dead;
	}
	return ready && (begun || ready == producers_wanted);
}

static unsigned int failures;
static FILE *results_file;

__attribute__((format(printf, 4, 5)))
static void result(const char *name, const char *test, bool pass, const char *format, ...)
{
	va_list args;

	failures += !pass;
	if (!pass)
		fprintf(stderr, "compositor: FAIL %s-%s\n", name, test);
	if (!results_file)
		return;
	fprintf(results_file, "%s-%s\t%s\t", name, test, pass ? "pass" : "fail");
	va_start(args, format);
	vfprintf(results_file, format, args);
	va_end(args);
	fprintf(results_file, "\n");
}

static void judge(const struct producer *p)
{
	unsigned int i, same = 0;

	for (i = 0; i < MAX_BUFFERS; i++)
		same += p->buffers[i].inode_here &&
			p->buffers[i].inode_here == p->buffers[i].inode_there;
	result(p->name, "inodes", p->imports && same == p->imports,
	       "%u of %u buffers have one inode in both processes", same, p->imports);
	result(p->name, "frames", p->shown >= frames_wanted, "%u shown, at least %u wanted",
	       p->shown, frames_wanted);
	result(p->name, "checksums", p->compared && p->equal == p->compared,
	       "%u of %u pictures shown are what was drawn", p->equal, p->compared);
	/* The camera passes finished pictures; only drawing on the fly shows fences at work. */
	if (p->role == PLANE_PRIMARY)
		result(p->name, "fences", p->waited && !p->early,
		       "%u of %u flips were asked for before the drawing was done, %u came too early",
		       p->waited, p->shown, p->early);
	result(p->name, "goodbye", p->bye && !p->dead, "%s",
	       p->bye && !p->dead ? "it left when it was done" : "it left before its time");
}

static void table_row(const char *label, void (*cell)(const struct producer *p, char *text))
{
	unsigned int i;

	printf("  %-22s", label);
	for (i = 0; i < n_producers; i++) {
		char text[128] = "";

		cell(&producers[i], text);
		printf("  %-24s", text);
	}
	printf("\n");
}

#define CELL(name, ...) \
	static void cell_ ## name(const struct producer *p, char *text) \
	{ \
		(void)p; \
		snprintf(text, 128, __VA_ARGS__); \
	}

CELL(name, "%s", p->name)
CELL(plane, "%s", p->role == PLANE_PRIMARY ? "primary" : "overlay")
CELL(device, "%s", p->device)
CELL(exporter, "%s", p->exporter)
CELL(importer, "vkms %s", device)
CELL(imports, "%u", p->imports)
CELL(shown, "%u", p->shown)
CELL(dropped, "%u", p->dropped)
CELL(waited, "%u", p->waited)
CELL(early, "%u", p->early)
CELL(checksums, "%u/%u", p->equal, p->compared)

static void list_inodes(const struct producer *p, char *text, bool here)
{
	unsigned int i;
	int len = 0;

	for (i = 0; i < MAX_BUFFERS; i++)
		if (p->buffers[i].inode_here)
			len += snprintf(text + len, 128 - len, "%" PRIu64 " ",
					here ? p->buffers[i].inode_here :
					p->buffers[i].inode_there);
}

static void cell_inodes_there(const struct producer *p, char *text)
{
	list_inodes(p, text, false);
}

static void cell_inodes_here(const struct producer *p, char *text)
{
	list_inodes(p, text, true);
}

static void print_table(void)
{
	table_row("producer", cell_name);
	table_row("plane", cell_plane);
	table_row("exporter device", cell_device);
	table_row("exporter in the kernel", cell_exporter);
	table_row("importer device", cell_importer);
	table_row("imports", cell_imports);
	table_row("inodes in producer", cell_inodes_there);
	table_row("inodes in compositor", cell_inodes_here);
	table_row("frames shown", cell_shown);
	table_row("frames dropped", cell_dropped);
	table_row("flips held by a fence", cell_waited);
	table_row("flips too early", cell_early);
	table_row("checksums equal/total", cell_checksums);
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: compositor [options]\n"
		"Show the buffers of producers on a vkms display, read back what it showed, compare.\n"
		"\n"
		"  --socket PATH   where to listen (" DEMO_SOCKET ")\n"
		"  --device PATH   the DRM device (the first one whose driver is vkms)\n"
		"  --mode WxH      the mode of the display (640x480)\n"
		"  --producers N   leave when so many have come and gone: 1 or 2 (2)\n"
		"  --frames N      how many frames each has to show (%d)\n"
		"  --pictures DIR  save the first, the middle and the last frame there as PNG\n"
		"  --results FILE  write a line for each check: name, pass or fail, reason\n"
		"  --timeout S     give up after so many seconds without any event (30)\n"
		"  --ready-fd N    write a line to this descriptor when the socket is there\n"
		"  --help          this text\n"
		"\n"
		"Exit status: 0 when everything shown was what was drawn, 1 when not, 2 for a mistake\n"
		"on the command line.\n", DEMO_FRAMES);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "device", required_argument, NULL, 'd' },
		{ "mode", required_argument, NULL, 'm' },
		{ "producers", required_argument, NULL, 'n' },
		{ "frames", required_argument, NULL, 'f' },
		{ "pictures", required_argument, NULL, 'p' },
		{ "results", required_argument, NULL, 'r' },
		{ "timeout", required_argument, NULL, 't' },
		{ "ready-fd", required_argument, NULL, 'y' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *path = DEMO_SOCKET, *wanted = NULL;
	unsigned int width = 640, height = 480, i;
	int listener, opt, ready = -1;
	char junk;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			path = optarg;
			break;
		case 'd':
			wanted = optarg;
			break;
		case 'm':
			if (sscanf(optarg, "%ux%u%c", &width, &height, &junk) != 2 ||
			    width < 640 || height < 480)
				errx(2, "--mode: '%s' is not WxH of at least 640x480", optarg);
			break;
		case 'n':
			producers_wanted = parse_number("--producers", optarg, 1, MAX_PRODUCERS);
			break;
		case 'f':
			frames_wanted = parse_number("--frames", optarg, 1, 1000000);
			break;
		case 'p':
			pictures = optarg;
			break;
		case 'r':
			results = optarg;
			break;
		case 't':
			timeout_seconds = parse_number("--timeout", optarg, 1, 3600);
			break;
		case 'y':
			ready = parse_number("--ready-fd", optarg, 1, 1000);
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc)
		errx(2, "what is '%s'? (see --help)", argv[optind]);

	if (results) {
		results_file = fopen(results, "we");
		if (!results_file)
			err(1, "%s: cannot write", results);
	}
	display_on(wanted, width, height);
	listener = listen_on(path);
	if (ready >= 0) {
		dprintf(ready, "ready\n");
		close(ready);
	}

	for (;;) {
		if (state == CHECKING)
			check();
		if (state == IDLE) {
			if (!producers_here() && n_producers == producers_wanted)
				break;
			if (frames_ready())
				flip();
		}
		wait_for_something(listener);
	}

	close(listener);
	unlink(path);
	display_off();

	/* Whoever came first, the primary plane stands first in the table. */
	if (n_producers == 2 && producers[0].role > producers[1].role) {
		struct producer p = producers[0];

		producers[0] = producers[1];
		producers[1] = p;
	}
	print_table();
	printf("  %-22s  %u\n", "stuck readbacks", nudges);
	for (i = 0; i < n_producers; i++)
		judge(&producers[i]);
	if (results_file && fclose(results_file))
		err(1, "%s: cannot write", results);
	return failures ? 1 : 0;
}
