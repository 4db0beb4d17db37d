// SPDX-License-Identifier: MIT
/*
 * Clients that a compositor must survive: each breaks one rule, or dies, and
 * has to be dropped with the right reason. Beside them three that keep the
 * rules, and tell what a test of fences needs to know, and more that a
 * compositor must serve without waiting, mistaking them or dying.
 */

#include <drm/prime_mock.h>
#include <drm_fourcc.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wayland-client.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "../common.h"
#include "linux-dmabuf-v1-client.h"
#include "presentation-time-client.h"
#include "prime-demo-proof-client.h"
#include "xdg-shell-client.h"

#define BUFFERS		4
#define WIDTH		128	/* of all frames; 4 * WIDTH * HEIGHT are whole pages */
#define HEIGHT		128
#define TIME_LIMIT	60	/* seconds until a bad client gives up */
#define LATE_MS		1000	/* how long a late drawing takes */
#define LATE_FRAMES	5
#define PAIRS		4
#define READ_ONLY_FRAMES 8
#define WIDE		40000
#define FLOOD		1000
#define CONNECTIONS	40	/* more than the compositor has room for */
#define WINDOWS		6	/* the same */
#define MANY_BUFFERS	40	/* the same */
#define MANY_SURFACES	80	/* the same */
#define MANY_PARAMS	300	/* with four descriptors each, more than a process usually may have */

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
	struct wl_buffer *wl;
	uint32_t sequence;	/* of the frame in it */
	bool busy;
};

/* A buffer of linux-dmabuf to be: one of these numbers may be wrong. */
struct layout {
	int32_t width, height;
	uint32_t fourcc;
	uint64_t modifier;
	unsigned int n_planes, first;	/* planes first, first + 1, ... */
	int fds[4];
	uint32_t offsets[4], strides[4];
};

static const char *name, *path = DEMO_SOCKET;
static char reason[256];	/* why the compositor has dropped us */
static int drm = -1;
static struct buffer buffers[BUFFERS];
static volatile sig_atomic_t stop;

static struct wl_display *display;
static struct wl_registry *registry;
static struct wl_compositor *compositor;
static struct wl_subcompositor *subcompositor;
static struct wl_data_device_manager *data_manager;
static struct wl_shm *shm;
static struct wl_seat *seat;
static struct xdg_wm_base *shell;
static struct zwp_linux_dmabuf_v1 *dmabuf;
static struct wp_presentation *presentation;
static struct prime_demo_proof_manager *proofs;
static struct wl_surface *surface;
static struct xdg_surface *xdg_surface;
static struct xdg_toplevel *toplevel;
static struct prime_demo_proof *proof;
static uint32_t serial;		/* of the last configure */
static unsigned int presented;	/* frames */
static bool mute;		/* pings are not answered */

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static void keep_reason(const char *format, va_list args)
{
	vsnprintf(reason, sizeof(reason), format, args);
	reason[strcspn(reason, "\n")] = '\0';
}

static void on_ping(void *data, struct xdg_wm_base *base, uint32_t number)
{
	(void)data;
	if (!mute)
		xdg_wm_base_pong(base, number);
}

static const struct xdg_wm_base_listener shell_listener = { .ping = on_ping };

static void on_global(void *data, struct wl_registry *from, uint32_t number,
		      const char *interface, uint32_t version)
{
	const struct {
		const struct wl_interface *interface;
		void *proxy;
		uint32_t version;
	} wanted[] = {
		{ &wl_compositor_interface, &compositor, 5 },
		{ &wl_subcompositor_interface, &subcompositor, 1 },
		{ &wl_data_device_manager_interface, &data_manager, 3 },
		{ &wl_shm_interface, &shm, 1 },
		{ &wl_seat_interface, &seat, 5 },
		{ &xdg_wm_base_interface, &shell, 4 },
		{ &zwp_linux_dmabuf_v1_interface, &dmabuf, 3 },
		{ &wp_presentation_interface, &presentation, 1 },
		{ &prime_demo_proof_manager_interface, &proofs, 1 },
	};
	size_t i;

	(void)data;
	(void)version;
	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!strcmp(interface, wanted[i].interface->name))
			*(void **)wanted[i].proxy = wl_registry_bind(from, number,
								     wanted[i].interface,
								     wanted[i].version);
}

static void on_global_remove(void *data, struct wl_registry *from, uint32_t number)
{
	(void)data;
	(void)from;
	(void)number;
}

static const struct wl_registry_listener registry_listener = {
	.global = on_global, .global_remove = on_global_remove,
};

/* A connection to the compositor, and all that it offers. */
static void greet(void)
{
	wl_log_set_handler_client(keep_reason);
	display = wl_display_connect(path);
	if (!display)
		err(1, "%s: cannot connect", path);
	registry = wl_display_get_registry(display);
	wl_registry_add_listener(registry, &registry_listener, NULL);
	if (wl_display_roundtrip(display) < 0 || !compositor || !subcompositor || !data_manager ||
	    !shm || !seat || !shell || !dmabuf || !presentation || !proofs)
		errx(1, "the compositor does not offer everything");
	xdg_wm_base_add_listener(shell, &shell_listener, NULL);
}

static void on_configure(void *data, struct xdg_surface *of, uint32_t number)
{
	(void)data;
	(void)of;
	serial = number;
}

static const struct xdg_surface_listener surface_listener = { .configure = on_configure };

static void on_size(void *data, struct xdg_toplevel *of, int32_t width, int32_t height,
		    struct wl_array *states)
{
	(void)data;
	(void)of;
	(void)width;
	(void)height;
	(void)states;
}

static void on_close(void *data, struct xdg_toplevel *of)
{
	(void)data;
	(void)of;
}

static void on_bounds(void *data, struct xdg_toplevel *of, int32_t width, int32_t height)
{
	on_size(data, of, width, height, NULL);
}

static const struct xdg_toplevel_listener toplevel_listener = {
	.configure = on_size, .close = on_close, .configure_bounds = on_bounds,
};

static void make_surface(void)
{
	surface = wl_compositor_create_surface(compositor);
	xdg_surface = xdg_wm_base_get_xdg_surface(shell, surface);
	xdg_surface_add_listener(xdg_surface, &surface_listener, NULL);
}

static void make_toplevel(void)
{
	make_surface();
	toplevel = xdg_surface_get_toplevel(xdg_surface);
	xdg_toplevel_add_listener(toplevel, &toplevel_listener, NULL);
	xdg_toplevel_set_app_id(toplevel, name);
}

/* Up to the configure, which is not answered yet. */
static void make_window(void)
{
	greet();
	make_toplevel();
	proof = prime_demo_proof_manager_get_proof(proofs, surface);
	prime_demo_proof_describe(proof, "heap");
	wl_surface_commit(surface);
	while (!serial)
		if (wl_display_dispatch(display) < 0)
			errx(1, "no window: %s", reason);
}

static void hello(void)
{
	make_window();
	xdg_surface_ack_configure(xdg_surface, serial);
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

static void on_release(void *data, struct wl_buffer *wl)
{
	struct buffer *buf = data;

	(void)wl;
	buf->busy = false;
	printf("release %u %" PRIu64 "\n", buf->sequence, now());
}

static const struct wl_buffer_listener buffer_listener = { .release = on_release };

static struct wl_buffer *make_buffer(const struct layout *layout)
{
	struct zwp_linux_buffer_params_v1 *params = zwp_linux_dmabuf_v1_create_params(dmabuf);
	struct wl_buffer *wl;
	unsigned int i;

	for (i = 0; i < layout->n_planes; i++)
		zwp_linux_buffer_params_v1_add(params, layout->fds[i], layout->first + i,
					       layout->offsets[i], layout->strides[i],
					       layout->modifier >> 32,
					       layout->modifier & 0xffffffff);
	wl = zwp_linux_buffer_params_v1_create_immed(params, layout->width, layout->height,
						     layout->fourcc, 0);
	zwp_linux_buffer_params_v1_destroy(params);
	return wl;
}

static struct layout layout_of(const struct buffer *buf)
{
	return (struct layout){
		.width = WIDTH, .height = HEIGHT, .fourcc = DRM_FORMAT_XRGB8888,
		.modifier = DRM_FORMAT_MOD_LINEAR, .n_planes = 1, .fds = { buf->fd },
		.strides = { buf->stride },
	};
}

static void map_buffer(struct buffer *buf, int fd, off_t offset)
{
	buf->map = mmap(NULL, (size_t)buf->stride * HEIGHT, PROT_READ | PROT_WRITE, MAP_SHARED,
			fd, offset);
	if (buf->map == MAP_FAILED)
		err(1, "cannot map a buffer");
}

static void show_buffer(struct buffer *buf, const struct layout *layout)
{
	buf->wl = make_buffer(layout);
	wl_buffer_add_listener(buf->wl, &buffer_listener, buf);
}

static void heap_buffers(void)
{
	unsigned int i;

	for (i = 0; i < BUFFERS; i++) {
		struct layout layout;

		buffers[i].stride = 4 * WIDTH;
		buffers[i].fd = heap_buffer((size_t)buffers[i].stride * HEIGHT);
		map_buffer(&buffers[i], buffers[i].fd, 0);
		layout = layout_of(&buffers[i]);
		show_buffer(&buffers[i], &layout);
	}
}

static bool is_vgem(int fd)
{
	return drm_driver_is(fd, "vgem");
}

static int open_vgem(void)
{
	char device[64];

	return open_device(NULL, "/dev/dri/card", "a vgem device", is_vgem, device,
			   sizeof(device));
}

/* Mapped by their own device, since access (DRM_RDWR or 0) may not allow to write the dma-buf. */
static void vgem_create(uint32_t access)
{
	uint64_t size, offset;
	unsigned int i;

	drm = open_vgem();
	for (i = 0; i < BUFFERS; i++) {
		struct buffer *buf = &buffers[i];

		if (drmModeCreateDumbBuffer(drm, WIDTH, HEIGHT, 32, 0, &buf->handle,
					    &buf->stride, &size) ||
		    drmPrimeHandleToFD(drm, buf->handle, DRM_CLOEXEC | access, &buf->fd) ||
		    drmModeMapDumbBuffer(drm, buf->handle, &offset))
			err(1, "vgem: cannot get a buffer");
		map_buffer(buf, drm, offset);
	}
}

/* Buffers whose fences we signal when we like. */
static void vgem_buffers(uint32_t access)
{
	unsigned int i;

	vgem_create(access);
	for (i = 0; i < BUFFERS; i++) {
		const struct layout layout = layout_of(&buffers[i]);

		show_buffer(&buffers[i], &layout);
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
	for (y = 0; y < HEIGHT; y++)
		for (x = 0; x < WIDTH; x++)
			buf->map[y * buf->stride / 4 + x] =
				((x + 8 * sequence) & 255) << 16 | (y & 255) << 8 | (sequence & 255);
	sum = checksum(buf->map, buf->stride, WIDTH, HEIGHT);
	if (drm < 0 && dma_buf_sync(buf->fd, DMA_BUF_SYNC_END | both))
		err(1, "cannot end writing a buffer");
	return sum;
}

static void on_sync_output(void *data, struct wp_presentation_feedback *feedback,
			   struct wl_output *output)
{
	(void)data;
	(void)feedback;
	(void)output;
}

static void on_presented(void *data, struct wp_presentation_feedback *feedback, uint32_t hi,
			 uint32_t lo, uint32_t ns, uint32_t refresh, uint32_t seq_hi,
			 uint32_t seq_lo, uint32_t flags)
{
	const uint64_t seconds = (uint64_t)hi << 32 | lo;

	(void)refresh;
	(void)seq_hi;
	(void)seq_lo;
	(void)flags;
	printf("presented %u %" PRIu64 "\n", (uint32_t)(uintptr_t)data,
	       seconds * 1000000000 + ns);
	presented++;
	wp_presentation_feedback_destroy(feedback);
}

static void on_discarded(void *data, struct wp_presentation_feedback *feedback)
{
	printf("discarded %u\n", (uint32_t)(uintptr_t)data);
	wp_presentation_feedback_destroy(feedback);
}

static const struct wp_presentation_feedback_listener feedback_listener = {
	.sync_output = on_sync_output, .presented = on_presented, .discarded = on_discarded,
};

static void announce(const struct buffer *buf, uint32_t sequence, uint64_t inode)
{
	const uint64_t time = now();

	prime_demo_proof_frame(proof, sequence, buf - buffers, inode >> 32, inode & 0xffffffff,
			       time >> 32, time & 0xffffffff);
}

static void want_presented(struct wl_surface *of, uint32_t sequence)
{
	wp_presentation_feedback_add_listener(wp_presentation_feedback(presentation, of),
					      &feedback_listener, (void *)(uintptr_t)sequence);
}

static void commit_to(struct wl_surface *to, struct buffer *buf, uint32_t sequence)
{
	wl_surface_attach(to, buf->wl, 0, 0);
	wl_surface_damage_buffer(to, 0, 0, WIDTH, HEIGHT);
	want_presented(to, sequence);
	wl_surface_commit(to);
	buf->sequence = sequence;
	buf->busy = true;
}

static void commit(struct buffer *buf, uint32_t sequence)
{
	commit_to(surface, buf, sequence);
}

static void send_frame(struct buffer *buf, uint32_t sequence)
{
	announce(buf, sequence, dma_buf_inode(buf->fd));
	commit(buf, sequence);
	wl_display_flush(display);
}

static void send_drawn(uint32_t sequence, uint64_t sum)
{
	prime_demo_proof_drawn(proof, sequence, sum >> 32, sum & 0xffffffff);
	wl_display_flush(display);
}

static void get_free(struct buffer *buf)
{
	while (buf->busy)
		if (wl_display_dispatch(display) < 0)
			errx(1, "dropped: %s", reason);
}

static void wait_presented(uint32_t frames)
{
	while (presented < frames)
		if (wl_display_dispatch(display) < 0)
			errx(1, "dropped: %s", reason);
}

/* All frames have been shown: close the window. */
static void bye(uint32_t frames)
{
	wait_presented(frames);
	prime_demo_proof_destroy(proof);
	xdg_toplevel_destroy(toplevel);
	xdg_surface_destroy(xdg_surface);
	wl_surface_destroy(surface);
	if (wl_display_roundtrip(display) < 0)
		errx(1, "dropped: %s", reason);
	wl_display_disconnect(display);
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
		uint64_t sum;

		get_free(buf);
		sum = draw(buf, sequence);
		send_frame(buf, sequence);
		send_drawn(sequence, sum);
	}
	bye(sequence);
}

static void send_late(uint32_t sequence, int *sync_file)
{
	struct buffer *buf = &buffers[sequence % BUFFERS];

	get_free(buf);
	*sync_file = fence_begin(buf);
	send_frame(buf, sequence);
}

static void signal_told(const struct buffer *buf, uint32_t sequence, int sync_file)
{
	uint64_t time;

	fence_signal(buf);
	if (!fence_time(sync_file, &time))
		errx(1, "a fence ended with an error");
	printf("signal %u %" PRIu64 "\n", sequence, time);
	close(sync_file);
}

/*
 * The compositor may not write the buffers, as with weston's clients of dma-bufs. It is for a
 * compositor that must draw them.
 */
static void read_only(void)
{
	uint32_t sequence;

	hello();
	vgem_buffers(0);
	for (sequence = 0; sequence < READ_ONLY_FRAMES; sequence++) {
		struct buffer *buf = &buffers[sequence % BUFFERS];
		uint64_t sum;

		get_free(buf);
		sum = draw(buf, sequence);
		send_frame(buf, sequence);
		send_drawn(sequence, sum);
	}
	bye(READ_ONLY_FRAMES);
}

/* As draw(). Rows are twice as long as they need be, and so there is room for the chroma. */
static uint64_t draw_nv12(const struct buffer *buf, uint32_t sequence)
{
	static uint32_t pixels[WIDTH * HEIGHT];
	uint8_t *luma = (uint8_t *)buf->map, *chroma = luma + 2 * WIDTH * HEIGHT;
	uint32_t x, y;

	for (y = 0; y < HEIGHT; y++) {
		for (x = 0; x < WIDTH; x++) {
			uint8_t *pair = chroma + y / 2 * 2 * WIDTH + (x & ~1u);

			luma[y * 2 * WIDTH + x] = 16 + x + 8 * sequence;
			pair[0] = y & ~1u;
			pair[1] = 255 - (x & ~1u);
			pixels[y * WIDTH + x] = nv12_pixel(luma[y * 2 * WIDTH + x], pair[0], pair[1]);
		}
	}
	return checksum(pixels, 4 * WIDTH, WIDTH, HEIGHT);
}

static void read_only_nv12(void)
{
	unsigned int i;
	uint64_t sum;

	hello();
	vgem_create(0);
	for (i = 0; i < BUFFERS; i++) {
		struct buffer *buf = &buffers[i];
		struct layout layout = layout_of(buf);

		layout.fourcc = DRM_FORMAT_NV12;
		layout.n_planes = 2;
		layout.fds[1] = buf->fd;
		layout.strides[0] = layout.strides[1] = 2 * WIDTH;
		layout.offsets[1] = 2 * WIDTH * HEIGHT;
		show_buffer(buf, &layout);
		sum = draw_nv12(buf, i);
		send_frame(buf, i);
		send_drawn(i, sum);
	}
	bye(BUFFERS);
}

/* Every frame is sent long before it is drawn. */
static void late(void)
{
	uint32_t sequence;
	int sync_file;

	hello();
	vgem_buffers(DRM_RDWR);
	for (sequence = 0; sequence < LATE_FRAMES; sequence++) {
		struct buffer *buf = &buffers[sequence % BUFFERS];

		send_late(sequence, &sync_file);
		usleep(LATE_MS * 1000);
		send_drawn(sequence, draw(buf, sequence));
		signal_told(buf, sequence, sync_file);
	}
	bye(LATE_FRAMES);
}

/*
 * Each frame gets a fence when the compositor has taken it, and nobody signals that. There are no
 * checksums, so the compositor reads the buffer to compare what it shows.
 */
static void fenced_later(void)
{
	int before = -1, fence;
	uint32_t sequence;

	hello();
	vgem_buffers(DRM_RDWR);
	for (sequence = 0; sequence < BUFFERS; sequence++) {
		struct buffer *buf = &buffers[sequence];

		draw(buf, sequence);
		commit(buf, sequence);
		if (wl_display_roundtrip(display) < 0)
			errx(1, "dropped: %s", reason);
		fence = fence_begin(buf);
		while (presented <= sequence)
			if (wl_display_dispatch(display) < 0)
				errx(1, "dropped: %s", reason);
		/* The frame before has been read, if at all. vgem ends its fence after 10 s. */
		if (sequence && !fence_pending(before))
			errx(1, "it took as long as if the compositor had waited for a fence");
		if (sequence)
			close(before);
		before = fence;
	}
	close(before);
	bye(BUFFERS);
}

/* Of two frames the second is drawn first; the first has its turn before it nevertheless. */
static void pairs(void)
{
	uint32_t pair;

	hello();
	vgem_buffers(DRM_RDWR);
	for (pair = 0; pair < PAIRS; pair++) {
		const uint32_t first = 2 * pair;
		struct buffer *one = &buffers[first % BUFFERS], *two = one + 1;
		int sync_files[2];

		send_late(first, &sync_files[0]);
		send_late(first + 1, &sync_files[1]);
		/* Checksums come in the order of frames; the fences do not signal in it. */
		send_drawn(first, draw(one, first));
		send_drawn(first + 1, draw(two, first + 1));
		signal_told(two, first + 1, sync_files[1]);
		usleep(LATE_MS * 1000 / 2);
		signal_told(one, first, sync_files[0]);
	}
	bye(2 * PAIRS);
}

static void on_popup_configure(void *data, struct xdg_popup *popup, int32_t x, int32_t y,
			       int32_t width, int32_t height)
{
	(void)data;
	(void)popup;
	(void)x;
	(void)y;
	(void)width;
	(void)height;
}

static void on_popup_done(void *data, struct xdg_popup *popup)
{
	(void)popup;
	*(bool *)data = true;
}

static const struct xdg_popup_listener popup_listener = {
	.configure = on_popup_configure, .popup_done = on_popup_done,
};

/* A second surface, which is a popup of the window. */
static struct xdg_popup *make_popup(struct wl_surface **of, struct xdg_surface **role, bool *done)
{
	struct xdg_positioner *positioner = xdg_wm_base_create_positioner(shell);
	struct xdg_popup *popup;

	xdg_positioner_set_size(positioner, WIDTH, HEIGHT);
	xdg_positioner_set_anchor_rect(positioner, 0, 0, 1, 1);
	*of = wl_compositor_create_surface(compositor);
	*role = xdg_wm_base_get_xdg_surface(shell, *of);
	popup = xdg_surface_get_popup(*role, xdg_surface, positioner);
	xdg_popup_add_listener(popup, &popup_listener, done);
	xdg_positioner_destroy(positioner);
	return popup;
}

/* As toolkits do it: the popup's first commit is on its way before it is dismissed. */
static void popup(void)
{
	struct xdg_surface *role;
	struct wl_surface *menu;
	struct xdg_popup *popup;
	bool done = false;

	hello();
	heap_buffers();
	send_frame(&buffers[0], 0);
	send_drawn(0, draw(&buffers[0], 0));
	popup = make_popup(&menu, &role, &done);
	wl_surface_commit(menu);
	while (!done)
		if (wl_display_dispatch(display) < 0)
			errx(1, "dropped: %s", reason);
	wl_surface_attach(menu, NULL, 0, 0);
	wl_surface_commit(menu);
	xdg_popup_destroy(popup);
	xdg_surface_destroy(role);
	wl_surface_destroy(menu);
	/* The window is none the worse for it. */
	send_frame(&buffers[1], 1);
	send_drawn(1, draw(&buffers[1], 1));
	bye(2);
}

/* Up to the answer to the configure event, as if it was new. */
static void hide_window(void)
{
	wl_surface_attach(surface, NULL, 0, 0);
	wl_surface_commit(surface);
	serial = 0;
	wl_surface_commit(surface);
	while (!serial)
		if (wl_display_dispatch(display) < 0)
			errx(1, "dropped: %s", reason);
	xdg_surface_ack_configure(xdg_surface, serial);
}

/*
 * It has the last two places. A window that is hidden may be shown again, and one that is closed
 * leaves its place to another, though the display still shows it.
 */
static void remap(void)
{
	struct xdg_toplevel *other_toplevel;
	struct xdg_surface *other;

	hello();
	heap_buffers();
	other = xdg_wm_base_get_xdg_surface(shell, wl_compositor_create_surface(compositor));
	other_toplevel = xdg_surface_get_toplevel(other);
	send_frame(&buffers[0], 0);
	send_drawn(0, draw(&buffers[0], 0));
	wait_presented(1);
	hide_window();
	send_frame(&buffers[1], 0);
	send_drawn(0, draw(&buffers[1], 0));
	wait_presented(2);
	prime_demo_proof_destroy(proof);
	xdg_toplevel_destroy(toplevel);
	make_toplevel();
	if (wl_display_roundtrip(display) < 0)
		errx(1, "dropped: %s", reason);
	xdg_toplevel_destroy(other_toplevel);
	xdg_surface_destroy(other);
	proof = prime_demo_proof_manager_get_proof(proofs, surface);
	bye(2);
}

/* A part of the window or of another part, which is to be shown at once. */
static struct wl_subsurface *make_part(struct wl_surface **of, struct wl_surface *parent, int32_t x,
				       int32_t y, struct buffer *buf)
{
	struct wl_subsurface *part;

	*of = wl_compositor_create_surface(compositor);
	part = wl_subcompositor_get_subsurface(subcompositor, *of, parent);
	wl_subsurface_set_position(part, x, y);
	commit_to(*of, buf, 0);
	return part;
}

/*
 * The second part is a part of the first one. It is hidden and comes back with that, and both with
 * the window. New parts lie above old ones. The judge knows the places and numbers by the log.
 */
static void parts(void)
{
	struct wl_surface *one, *two, *three, *four;
	struct wl_subsurface *part;
	unsigned int i;

	hello();
	heap_buffers();
	for (i = 0; i < BUFFERS; i++)
		draw(&buffers[i], i);
	commit(&buffers[0], 0);
	part = make_part(&one, surface, 10, 20, &buffers[1]);
	make_part(&two, one, 5, 6, &buffers[2]);
	wait_presented(3);
	want_presented(two, 0);
	wl_surface_attach(one, NULL, 0, 0);
	wl_surface_commit(one);
	commit_to(one, &buffers[1], 1);
	wait_presented(5);
	want_presented(one, 0);
	want_presented(two, 0);
	hide_window();
	commit(&buffers[0], 1);
	wait_presented(8);
	make_part(&three, surface, 30, 30, &buffers[3]);
	wl_subsurface_destroy(part);
	make_part(&four, surface, 40, 40, &buffers[1]);
	wait_presented(10);
	bye(10);
}

static void on_target(void *data, struct wl_data_source *source, const char *type)
{
	(void)data;
	(void)source;
	(void)type;
}

static void on_send(void *data, struct wl_data_source *source, const char *type, int32_t fd)
{
	(void)data;
	(void)source;
	(void)type;
	close(fd);
}

static void on_cancelled(void *data, struct wl_data_source *source)
{
	(void)source;
	*(bool *)data = true;
}

static const struct wl_data_source_listener source_listener = {
	.target = on_target, .send = on_send, .cancelled = on_cancelled,
};

/* Nothing can be dragged, and whoever begins is told so. */
static void drag(void)
{
	struct wl_data_device *device;
	struct wl_data_source *source;
	bool cancelled = false;

	hello();
	heap_buffers();
	device = wl_data_device_manager_get_data_device(data_manager, seat);
	source = wl_data_device_manager_create_data_source(data_manager);
	wl_data_source_add_listener(source, &source_listener, &cancelled);
	wl_data_device_start_drag(device, source, surface, NULL, 0);
	if (wl_display_roundtrip(display) < 0)
		errx(1, "dropped: %s", reason);
	if (!cancelled)
		errx(1, "nobody has ended the drag");
	bye(0);
}

static int memory_file(off_t size)
{
	int fd = memfd_create("no-dma-buf", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, size))
		err(1, "memfd");
	return fd;
}

/* More than the screen shows, and than a texture of OpenGL may have. */
static void wide(void)
{
	struct wl_shm_pool *pool;

	hello();
	pool = wl_shm_create_pool(shm, memory_file(4 * WIDE), 4 * WIDE);
	buffers[0].wl = wl_shm_pool_create_buffer(pool, 0, WIDE, 1, 4 * WIDE,
						  WL_SHM_FORMAT_XRGB8888);
	commit(&buffers[0], 0);
	bye(1);
}

/* The same of a dma-buf that can only be read. No plane takes it, and so it is copied. */
static void read_only_wide(void)
{
	struct layout layout;
	uint64_t size;

	hello();
	drm = open_vgem();
	if (drmModeCreateDumbBuffer(drm, WIDE, 1, 32, 0, &buffers[0].handle, &buffers[0].stride,
				    &size) ||
	    drmPrimeHandleToFD(drm, buffers[0].handle, DRM_CLOEXEC, &buffers[0].fd))
		err(1, "cannot get a buffer of %d pixels", WIDE);
	layout = layout_of(&buffers[0]);
	layout.width = WIDE;
	layout.height = 1;
	show_buffer(&buffers[0], &layout);
	commit(&buffers[0], 0);
	bye(1);
}

/* After one good frame, so that there is something on the screen. */
static void shown_window(void)
{
	uint64_t sum;

	hello();
	heap_buffers();
	sum = draw(&buffers[0], 0);
	send_frame(&buffers[0], 0);
	send_drawn(0, sum);
}

/* What is wrong with a buffer. */
typedef void spoil_fn(struct layout *layout);

#define SPOIL(name, what) \
	static void name(struct layout *l) \
	{ \
		(void)l; \
		what; \
	}

static bool is_mock(int fd)
{
	return drm_driver_is(fd, "prime_mock");
}

/* A buffer of prime_mock, which lets no program map it, and shares it with no device if unshared. */
static int mock_buffer(uint32_t *stride, bool unshared)
{
	struct drm_prime_mock_script script = {
		.flags = PRIME_MOCK_BY_HANDLE, .fail_at = 1, .fail_count = PRIME_MOCK_FOREVER,
		.error = EPERM,
	};
	const uint32_t ops[] = { PRIME_MOCK_MMAP, PRIME_MOCK_ATTACH };
	char device[64];
	uint64_t size;
	size_t i;
	int fd, mock = open_device(NULL, "/dev/dri/card", "a device of prime_mock", is_mock,
				   device, sizeof(device));

	if (drmModeCreateDumbBuffer(mock, WIDTH, HEIGHT, 32, 0, &script.id, stride, &size) ||
	    drmPrimeHandleToFD(mock, script.id, DRM_CLOEXEC | DRM_RDWR, &fd))
		err(1, "%s: cannot get a buffer", device);
	for (i = 0; i < (unshared ? 2 : 1); i++) {
		script.op = ops[i];
		if (drmIoctl(mock, DRM_IOCTL_PRIME_MOCK_SCRIPT, &script))
			err(1, "%s: cannot set a script", device);
	}
	close(mock);
	return fd;
}

static int pipe_end(void)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		err(1, "pipe");
	return ends[0];
}

static void use_nv12(struct layout *l)
{
	l->fourcc = DRM_FORMAT_NV12;
	l->n_planes = 2;
	l->fds[1] = l->fds[0];
	l->strides[0] = l->strides[1] = WIDTH;
	l->offsets[1] = WIDTH * HEIGHT;
}

SPOIL(nothing, l->width = l->height = 0)
SPOIL(negative, l->height = -HEIGHT)
SPOIL(nv12_odd, use_nv12(l); l->width--)
SPOIL(small_buffer, l->fds[0] = heap_buffer(4096))
SPOIL(small_stride, l->strides[0] -= 4)
SPOIL(odd_stride, l->strides[0] += 2)
SPOIL(large_stride, l->strides[0] = 0xfffffffc)
SPOIL(odd_offset, l->offsets[0] = 1)
SPOIL(large_offset, l->offsets[0] = 4)
SPOIL(huge_offset, l->offsets[0] = 0xfffffffc)
SPOIL(width, l->width = INT32_MAX)
SPOIL(height, l->height = INT32_MAX)
SPOIL(nv12_offset, use_nv12(l); l->offsets[1] = 0xfffffff0)
SPOIL(nv12_planes, use_nv12(l); l->n_planes = 1)
SPOIL(fourcc, l->fourcc = DRM_FORMAT_RGB565)
SPOIL(no_fourcc, l->fourcc = 0)
SPOIL(modifier, l->modifier = I915_FORMAT_MOD_X_TILED)
SPOIL(no_planes, l->n_planes = 0)
SPOIL(many_planes, l->fds[1] = l->fds[0]; l->n_planes = 2)
SPOIL(plane_gap, l->first = 1)
SPOIL(plane_index, l->first = 4)
SPOIL(dev_null, l->fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC))
SPOIL(memfd, l->fds[0] = memory_file(4 * WIDTH * HEIGHT))
SPOIL(pipe_fd, l->fds[0] = pipe_end())
SPOIL(unshared, l->fds[0] = mock_buffer(&l->strides[0], true))

static void send_spoiled(spoil_fn *spoil)
{
	struct layout layout;

	shown_window();
	layout = layout_of(&buffers[1]);
	spoil(&layout);
	make_buffer(&layout);
}

/* The same plane twice, or planes that disagree, or two buffers of the same numbers. */
static struct zwp_linux_buffer_params_v1 *two_planes(uint32_t plane, uint32_t modifier_lo)
{
	struct zwp_linux_buffer_params_v1 *params;

	shown_window();
	params = zwp_linux_dmabuf_v1_create_params(dmabuf);
	zwp_linux_buffer_params_v1_add(params, buffers[1].fd, 0, 0, 4 * WIDTH, 0, 0);
	if (plane != 99)
		zwp_linux_buffer_params_v1_add(params, buffers[1].fd, plane, 0, 4 * WIDTH, 0,
					       modifier_lo);
	return params;
}

static void plane_twice(void)
{
	two_planes(0, 0);
}

static void modifiers(void)
{
	two_planes(1, 1);
}

static void params_twice(void)
{
	struct zwp_linux_buffer_params_v1 *params = two_planes(99, 0);

	zwp_linux_buffer_params_v1_create(params, WIDTH, HEIGHT, DRM_FORMAT_XRGB8888, 0);
	zwp_linux_buffer_params_v1_create(params, WIDTH, HEIGHT, DRM_FORMAT_XRGB8888, 0);
}

static void params_after(void)
{
	struct zwp_linux_buffer_params_v1 *params = two_planes(99, 0);

	zwp_linux_buffer_params_v1_create(params, WIDTH, HEIGHT, DRM_FORMAT_XRGB8888, 0);
	zwp_linux_buffer_params_v1_add(params, buffers[1].fd, 1, 0, 4 * WIDTH, 0, 0);
}

static struct wl_buffer *another_buffer(void)
{
	struct layout layout = layout_of(&buffers[0]);
	struct wl_buffer *wl;

	layout.fds[0] = heap_buffer(4 * WIDTH * HEIGHT);
	wl = make_buffer(&layout);
	wl_display_flush(display);
	close(layout.fds[0]);
	return wl;
}

static void many_buffers(void)
{
	unsigned int i;

	shown_window();
	for (i = 0; i < MANY_BUFFERS; i++)
		another_buffer();
}

/* Each buffer is destroyed, but a surface has it as its content. */
static void hoard(void)
{
	struct wl_surface *holder;
	struct wl_buffer *wl;
	unsigned int i;

	shown_window();
	for (i = 0; i < MANY_BUFFERS; i++) {
		wl = another_buffer();
		holder = wl_compositor_create_surface(compositor);
		wl_surface_attach(holder, wl, 0, 0);
		wl_surface_commit(holder);
		wl_buffer_destroy(wl);
	}
}

static void many_surfaces(void)
{
	unsigned int i;

	shown_window();
	for (i = 0; i < MANY_SURFACES; i++)
		wl_compositor_create_surface(compositor);
}

/* No buffer is ever made of them. */
static void many_params(void)
{
	unsigned int i, plane;

	shown_window();
	for (i = 0; i < MANY_PARAMS; i++) {
		struct zwp_linux_buffer_params_v1 *params =
			zwp_linux_dmabuf_v1_create_params(dmabuf);

		for (plane = 0; plane < 4; plane++)
			zwp_linux_buffer_params_v1_add(params, buffers[1].fd, plane, 0, 4 * WIDTH,
						       0, 0);
		/* So many descriptors fit into no socket. */
		if (wl_display_roundtrip(display) < 0)
			return;
	}
}

/* Frame after frame, without waiting for a buffer. */
static void flood(void)
{
	unsigned int i;

	hello();
	heap_buffers();
	for (i = 0; i < FLOOD; i++)
		commit(&buffers[i % BUFFERS], i);
}

static void inode(void)
{
	shown_window();
	announce(&buffers[1], 1, dma_buf_inode(buffers[1].fd) + 1);
	commit(&buffers[1], 1);
}

static void backwards(void)
{
	shown_window();
	send_frame(&buffers[1], 0);
}

static void drawn_never(void)
{
	shown_window();
	send_drawn(1000, 0);
}

static void drawn_twice(void)
{
	shown_window();
	send_drawn(0, 0);
}

static void proof_twice(void)
{
	shown_window();
	prime_demo_proof_manager_get_proof(proofs, surface);
}

static void proof_alone(void)
{
	greet();
	proof = prime_demo_proof_manager_get_proof(proofs, wl_compositor_create_surface(compositor));
	prime_demo_proof_describe(proof, "heap");
}

static void unconfigured(void)
{
	make_window();
	heap_buffers();
	commit(&buffers[0], 0);
}

static void ack(void)
{
	make_window();
	xdg_surface_ack_configure(xdg_surface, serial + 1);
}

static void role_twice(void)
{
	shown_window();
	xdg_wm_base_get_xdg_surface(shell, surface);
}

static void toplevel_twice(void)
{
	shown_window();
	xdg_surface_get_toplevel(xdg_surface);
}

static void popup_toplevel(void)
{
	struct xdg_surface *role;
	struct wl_surface *menu;
	static bool done;

	shown_window();
	make_popup(&menu, &role, &done);
	xdg_surface_get_toplevel(role);
}

static void toplevel_popup(void)
{
	shown_window();
	xdg_surface_get_popup(xdg_surface, NULL, xdg_wm_base_create_positioner(shell));
}

static void no_role(void)
{
	greet();
	make_surface();
	wl_surface_commit(surface);
}

static void role_late(void)
{
	greet();
	heap_buffers();
	surface = wl_compositor_create_surface(compositor);
	wl_surface_attach(surface, buffers[0].wl, 0, 0);
	wl_surface_commit(surface);
	xdg_wm_base_get_xdg_surface(shell, surface);
}

static void part_circle(void)
{
	struct wl_surface *one, *two;

	greet();
	one = wl_compositor_create_surface(compositor);
	two = wl_compositor_create_surface(compositor);
	wl_subcompositor_get_subsurface(subcompositor, one, two);
	wl_subcompositor_get_subsurface(subcompositor, two, one);
}

static void wrong_order(void)
{
	shown_window();
	xdg_surface_destroy(xdg_surface);
}

static void min_size(void)
{
	shown_window();
	xdg_toplevel_set_min_size(toplevel, -1, 1);
}

static void geometry(void)
{
	shown_window();
	xdg_surface_set_window_geometry(xdg_surface, 0, 0, 0, 0);
}

static void scale(void)
{
	shown_window();
	wl_surface_set_buffer_scale(surface, 0);
}

static void transform(void)
{
	shown_window();
	wl_surface_set_buffer_transform(surface, 99);
}

static void attach_offset(void)
{
	shown_window();
	wl_surface_attach(surface, buffers[1].wl, 1, 1);
}

static void pointer(void)
{
	shown_window();
	wl_seat_get_pointer(seat);
}

/* A buffer of wl_shm, which libwayland checks. */
static struct wl_buffer *shm_buffer(int fd, int32_t size, int32_t stride, uint32_t format)
{
	struct wl_shm_pool *pool = wl_shm_create_pool(shm, fd, size);

	return wl_shm_pool_create_buffer(pool, 0, WIDTH, HEIGHT, stride, format);
}

static void shm_fd(void)
{
	shown_window();
	shm_buffer(pipe_end(), 4 * WIDTH * HEIGHT, 4 * WIDTH, WL_SHM_FORMAT_XRGB8888);
}

static void shm_stride(void)
{
	shown_window();
	shm_buffer(memory_file(4 * WIDTH * HEIGHT), 4 * WIDTH * HEIGHT, 8 * WIDTH,
		   WL_SHM_FORMAT_XRGB8888);
}

static void shm_format(void)
{
	shown_window();
	shm_buffer(memory_file(4 * WIDTH * HEIGHT), 4 * WIDTH * HEIGHT, 4 * WIDTH, 77);
}

/* Each row has room for a quarter of its pixels, which libwayland allows. */
static void shm_rows(void)
{
	shown_window();
	wl_surface_attach(surface, shm_buffer(memory_file(WIDTH * HEIGHT), WIDTH * HEIGHT, WIDTH,
					      WL_SHM_FORMAT_XRGB8888), 0, 0);
	wl_surface_commit(surface);
}

/* The file ends before the buffer does: the compositor must not die of that. */
static void shm_cut(void)
{
	int fd = memory_file(4 * WIDTH * HEIGHT);
	struct wl_buffer *wl;

	shown_window();
	wl = shm_buffer(fd, 4 * WIDTH * HEIGHT, 4 * WIDTH, WL_SHM_FORMAT_XRGB8888);
	wl_display_roundtrip(display);
	if (ftruncate(fd, 4096))
		err(1, "ftruncate");
	wl_surface_attach(surface, wl, 0, 0);
	wl_surface_commit(surface);
}

/* Bytes that libwayland's client would not send. */
static void raw(const void *bytes, size_t size)
{
	wl_display_flush(display);
	if (write(wl_display_get_fd(display), bytes, size) != (ssize_t)size)
		err(1, "cannot send %zu bytes", size);
}

static void message(void *object, uint32_t opcode, uint32_t argument, uint32_t size)
{
	const uint32_t words[] = {
		wl_proxy_get_id(object), size << 16 | opcode, argument,
	};

	raw(words, size);
}

static void garbage(void)
{
	unsigned char bytes[8192];
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = 37 * i + 11;
	shown_window();
	raw(bytes, sizeof(bytes));
}

static void object(void)
{
	const uint32_t words[] = { 9999, 8 << 16 };

	shown_window();
	raw(words, sizeof(words));
}

static void opcode(void)
{
	shown_window();
	message(compositor, 99, 0, 8);
}

static void truncated(void)
{
	shown_window();
	message(compositor, 0, 0, 8);
}

static void id_taken(void)
{
	shown_window();
	message(compositor, 0, 1, 12);
}

static void bind_global(void)
{
	shown_window();
	wl_registry_bind(registry, 9999, &wl_compositor_interface, 1);
}

static void no_room(void)
{
	unsigned int i;

	greet();
	/* The last one takes all places that are left, whoever else is there. */
	for (i = 0; i < WINDOWS; i++)
		make_toplevel();
}

static void many_connections(void)
{
	int i;

	wl_log_set_handler_client(keep_reason);
	for (i = 0; i < CONNECTIONS; i++)
		display = wl_display_connect(path);
}

/* Dies with a buffer in the compositor, maybe on the screen, and another on its way. */
static void die(void)
{
	shown_window();
	send_frame(&buffers[1], 1);
	kill(getpid(), SIGKILL);
}

static void close_only(void)
{
	shown_window();
	wl_display_disconnect(display);
	exit(0);
}

/* For a compositor that has no plane for it. */
static void unmapped(void)
{
	struct layout layout;

	hello();
	buffers[0].fd = mock_buffer(&buffers[0].stride, false);
	layout = layout_of(&buffers[0]);
	show_buffer(&buffers[0], &layout);
	commit(&buffers[0], 0);
}

static void silent(void)
{
	shown_window();
	mute = true;
}

/* Its fence lives longer than the compositor's patience (vgem's fences: ten seconds). */
static void never(void)
{
	int sync_file;

	hello();
	vgem_buffers(DRM_RDWR);
	send_late(0, &sync_file);
}

static const struct {
	const char *name, *reason;
	spoil_fn *spoil;	/* or */
	void (*run)(void);
} cases[] = {
	{ "nothing", "wrong size", nothing, NULL },
	{ "negative", "wrong size", negative, NULL },
	{ "nv12-odd", "wrong size", nv12_odd, NULL },
	{ "width", "wrong stride", width, NULL },
	{ "height", "does not fit into its buffer", height, NULL },
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
	{ "modifiers", "planes with different modifiers", NULL, modifiers },
	{ "no-planes", "wrong number of planes", no_planes, NULL },
	{ "many-planes", "wrong number of planes", many_planes, NULL },
	{ "plane-gap", "wrong number of planes", plane_gap, NULL },
	{ "plane-index", "plane 4 of at most 4", plane_index, NULL },
	{ "plane-twice", "plane 0 a second time", NULL, plane_twice },
	{ "params-twice", "a second buffer of the same params", NULL, params_twice },
	{ "params-after", "a plane for params that were used", NULL, params_after },
	{ "dev-null", "is no dma-buf", dev_null, NULL },
	{ "memfd", "is no dma-buf", memfd, NULL },
	{ "pipe", "is no dma-buf", pipe_fd, NULL },
	{ "unshared", "refused: ", unshared, NULL },
	{ "unmapped", "buffer", NULL, unmapped },
	{ "many-buffers", "too many buffers", NULL, many_buffers },
	{ "hoard", "too many buffers", NULL, hoard },
	{ "many-surfaces", "too many surfaces", NULL, many_surfaces },
	{ "many-params", "too many params", NULL, many_params },
	{ "flood", "frames wait to be shown", NULL, flood },
	{ "inode", "has inode", NULL, inode },
	{ "backwards", "comes after frame", NULL, backwards },
	{ "drawn-never", "out of turn", NULL, drawn_never },
	{ "drawn-twice", "out of turn", NULL, drawn_twice },
	{ "proof-twice", "has a proof already", NULL, proof_twice },
	{ "proof-alone", "that is no window", NULL, proof_alone },
	{ "unconfigured", "before the first configure", NULL, unconfigured },
	{ "ack", "which was not sent", NULL, ack },
	{ "role-twice", "has an xdg_surface already", NULL, role_twice },
	{ "role-late", "has a buffer already", NULL, role_late },
	{ "toplevel-twice", "is a window already", NULL, toplevel_twice },
	{ "popup-toplevel", "is a popup already", NULL, popup_toplevel },
	{ "toplevel-popup", "window is to be a popup", NULL, toplevel_popup },
	{ "no-role", "before the surface has a role", NULL, no_role },
	{ "part-circle", "a part of itself", NULL, part_circle },
	{ "wrong-order", "goes before its xdg_toplevel", NULL, wrong_order },
	{ "min-size", "a size of -1x1", NULL, min_size },
	{ "geometry", "a window of 0x0", NULL, geometry },
	{ "scale", "scale 0", NULL, scale },
	{ "transform", "transform 99", NULL, transform },
	{ "attach-offset", "attach with an offset", NULL, attach_offset },
	{ "pointer", "no such device", NULL, pointer },
	{ "shm-fd", "failed mmap fd", NULL, shm_fd },
	{ "shm-stride", "invalid width, height or stride", NULL, shm_stride },
	{ "shm-rows", "shorter than their pixels", NULL, shm_rows },
	{ "shm-format", "invalid format", NULL, shm_format },
	{ "shm-cut", "error accessing SHM buffer", NULL, shm_cut },
	{ "garbage", "invalid object", NULL, garbage },
	{ "object", "invalid object 9999", NULL, object },
	{ "opcode", "invalid method 99", NULL, opcode },
	{ "truncated", "invalid arguments", NULL, truncated },
	{ "id-taken", "invalid arguments", NULL, id_taken },
	{ "bind", "is unavailable", NULL, bind_global },
	{ "no-room", "no room on the screen", NULL, no_room },
	{ "many", "too many clients", NULL, many_connections },
	{ "close", "it has gone", NULL, close_only },
	{ "die", "it has gone", NULL, die },
	{ "silent", "silent for", NULL, silent },
	{ "never", "has not ended", NULL, never },
	/* These keep the rules, and end when they like. */
	{ "good", "", NULL, play },
	{ "popup", "", NULL, popup },
	{ "wide", "", NULL, wide },
	{ "remap", "", NULL, remap },
	{ "parts", "", NULL, parts },
	{ "drag", "", NULL, drag },
	{ "late", "", NULL, late },
	{ "pairs", "", NULL, pairs },
	{ "fenced-later", "", NULL, fenced_later },
	{ "read-only", "", NULL, read_only },
	{ "read-only-nv12", "", NULL, read_only_nv12 },
	{ "read-only-wide", "", NULL, read_only_wide },
};

/*
 * The compositor closes the connection with requests in it that nobody has read. Then libwayland
 * may stop at the error of a write or of a later read, though what was read before says why. So
 * look at what has come before libwayland gets it.
 */
static void look_for_reason(void)
{
	struct pollfd pollfd = { .fd = wl_display_get_fd(display), .events = POLLIN };
	uint32_t words[4096];
	size_t at, size, count;
	ssize_t n;

	poll(&pollfd, 1, -1);
	n = recv(pollfd.fd, words, sizeof(words), MSG_PEEK | MSG_DONTWAIT);
	count = n > 0 ? n / sizeof(*words) : 0;
	for (at = 0; at + 5 < count; at += size / sizeof(*words)) {
		size = words[at + 1] >> 16;
		if (size < 8)
			return;
		/* wl_display.error: an object, a code and a text. */
		if (words[at] == 1 && !(words[at + 1] & 0xffff))
			snprintf(reason, sizeof(reason), "error %u: %.*s", words[at + 3],
				 (int)words[at + 4], (const char *)&words[at + 5]);
	}
}

/* Read on until the compositor says why, and compare. */
static int hear(const char *wanted)
{
	const char *text;

	do {
		wl_display_flush(display);
		look_for_reason();
	} while (!strstr(reason, "error ") && wl_display_dispatch(display) >= 0);
	text = strstr(reason, "error ");
	if (!text)
		errx(1, "%s: the compositor closed without a reason (%s)", name,
		     strerror(wl_display_get_error(display)));
	printf("%s\n", text);
	return !strstr(text, wanted);
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
			"The last of the cases do nothing wrong: good and those that follow it.\n");
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
