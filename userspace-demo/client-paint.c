// SPDX-License-Identifier: MIT
/*
 * A client that listens: it paints where the pointer is pressed, in a colour that the last key
 * chooses, and prints what it hears. The picture is memory of this process, which udmabuf makes
 * into dma-bufs, as in client-video.
 */

#include <drm_fourcc.h>
#include <err.h>
#include <getopt.h>
#include <linux/dma-buf.h>
#include <linux/input-event-codes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xkbcommon/xkbcommon.h>

#include "common.h"
#include "window.h"

#define BUFFERS	3
#define WIDTH	192		/* of the window, if there is room */
#define HEIGHT	160
#define EDGE	4		/* it is bright when the window gets the keys */
#define PEN	3		/* pixels on each side of the pointer */
#define PAPER	0x103050u
#define BRIGHT	0xf0f0f0u
#define DIM	0x606060u

struct buffer {
	int fd;			/* the dma-buf */
	uint32_t *map;
	unsigned int version;	/* of the canvas that it holds */
	uint64_t sum;
	struct window_buffer shown;
};

static uint32_t width, height, stride;
static size_t size;
static uint32_t *canvas;
static unsigned int version = 1;	/* of the canvas; more with each change */

static uint32_t colour = 0xffc020;
static bool pressed, keys;
static int pen_x, pen_y;

static struct wl_pointer *pointer;
static struct wl_keyboard *keyboard;
static struct xkb_context *xkb;
static struct xkb_keymap *keymap;
static struct xkb_state *state;

/* A line for each thing heard: tests and people read them as they come. */
#define TELL(...)	(printf("paint: " __VA_ARGS__), fflush(stdout))

static void fill(int left, int top, int right, int bottom, uint32_t with)
{
	int x, y;

	for (y = top < 0 ? 0 : top; y < bottom && y < (int)height; y++)
		for (x = left < 0 ? 0 : left; x < right && x < (int)width; x++)
			canvas[y * width + x] = with;
	version++;
}

/* The edge, bright if the keys come here. */
static void draw_edge(void)
{
	const uint32_t with = keys ? BRIGHT : DIM;

	fill(0, 0, width, EDGE, with);
	fill(0, height - EDGE, width, height, with);
	fill(0, 0, EDGE, height, with);
	fill(width - EDGE, 0, width, height, with);
}

static void wipe(void)
{
	fill(0, 0, width, height, PAPER);
	draw_edge();
}

static void paint(void)
{
	if (pressed)
		fill(pen_x - PEN, pen_y - PEN, pen_x + PEN + 1, pen_y + PEN + 1, colour);
}

static void on_pointer_enter(void *data, struct wl_pointer *from, uint32_t serial,
			     struct wl_surface *surface, wl_fixed_t x, wl_fixed_t y)
{
	(void)data;
	(void)from;
	(void)serial;
	(void)surface;
	pen_x = wl_fixed_to_int(x);
	pen_y = wl_fixed_to_int(y);
	TELL("enter %d %d\n", pen_x, pen_y);
}

static void on_pointer_leave(void *data, struct wl_pointer *from, uint32_t serial,
			     struct wl_surface *surface)
{
	(void)data;
	(void)from;
	(void)serial;
	(void)surface;
	pressed = false;
	TELL("leave\n");
}

static void on_motion(void *data, struct wl_pointer *from, uint32_t time, wl_fixed_t x,
		      wl_fixed_t y)
{
	(void)data;
	(void)from;
	(void)time;
	pen_x = wl_fixed_to_int(x);
	pen_y = wl_fixed_to_int(y);
	TELL("motion %d %d\n", pen_x, pen_y);
	paint();
}

static void on_button(void *data, struct wl_pointer *from, uint32_t serial, uint32_t time,
		      uint32_t button, uint32_t down)
{
	(void)data;
	(void)from;
	(void)serial;
	(void)time;
	TELL("button %u %s\n", button, down ? "pressed" : "released");
	if (button == BTN_LEFT)
		pressed = down;
	paint();
}

static void on_axis(void *data, struct wl_pointer *from, uint32_t time, uint32_t axis,
		    wl_fixed_t value)
{
	(void)data;
	(void)from;
	(void)time;
	TELL("scroll %s %d\n", axis ? "horizontal" : "vertical", wl_fixed_to_int(value));
}

static void on_frame(void *data, struct wl_pointer *from)
{
	(void)data;
	(void)from;
}

static void on_number(void *data, struct wl_pointer *from, uint32_t number)
{
	(void)number;
	on_frame(data, from);
}

static void on_stop(void *data, struct wl_pointer *from, uint32_t time, uint32_t axis)
{
	(void)axis;
	on_number(data, from, time);
}

static void on_discrete(void *data, struct wl_pointer *from, uint32_t axis, int32_t clicks)
{
	(void)clicks;
	on_number(data, from, axis);
}

static const struct wl_pointer_listener pointer_listener = {
	.enter = on_pointer_enter,
	.leave = on_pointer_leave,
	.motion = on_motion,
	.button = on_button,
	.axis = on_axis,
	.frame = on_frame,
	.axis_source = on_number,
	.axis_stop = on_stop,
	.axis_discrete = on_discrete,
};

static void on_keymap(void *data, struct wl_keyboard *from, uint32_t format, int32_t fd,
		      uint32_t length)
{
	char *text = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);

	(void)data;
	(void)from;
	close(fd);
	if (format != WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1 || text == MAP_FAILED)
		errx(1, "the compositor sends no keymap that xkbcommon knows");
	xkb_state_unref(state);
	xkb_keymap_unref(keymap);
	keymap = xkb_keymap_new_from_string(xkb, text, XKB_KEYMAP_FORMAT_TEXT_V1,
					    XKB_KEYMAP_COMPILE_NO_FLAGS);
	state = keymap ? xkb_state_new(keymap) : NULL;
	munmap(text, length);
	if (!state)
		errx(1, "xkbcommon does not understand the compositor's keymap");
}

static void on_keys_enter(void *data, struct wl_keyboard *from, uint32_t serial,
			  struct wl_surface *surface, struct wl_array *down)
{
	(void)data;
	(void)from;
	(void)serial;
	(void)surface;
	(void)down;
	keys = true;
	TELL("keys come here\n");
	draw_edge();
}

static void on_keys_leave(void *data, struct wl_keyboard *from, uint32_t serial,
			  struct wl_surface *surface)
{
	(void)data;
	(void)from;
	(void)serial;
	(void)surface;
	keys = false;
	TELL("keys go elsewhere\n");
	draw_edge();
}

static void on_key(void *data, struct wl_keyboard *from, uint32_t serial, uint32_t time,
		   uint32_t key, uint32_t down)
{
	const xkb_keysym_t sym = xkb_state_key_get_one_sym(state, key + 8);
	char name[64];

	(void)data;
	(void)from;
	(void)serial;
	(void)time;
	xkb_keysym_get_name(sym, name, sizeof(name));
	TELL("key %s %s\n", name, down ? "pressed" : "released");
	if (!down)
		return;
	if (sym == XKB_KEY_Escape)
		wipe();
	else
		/* Bright, and another one for each key. */
		colour = (sym * 0x9e3779b1u >> 8 | 0x404040) & 0xffffff;
}

static void on_modifiers(void *data, struct wl_keyboard *from, uint32_t serial, uint32_t depressed,
			 uint32_t latched, uint32_t locked, uint32_t group)
{
	(void)data;
	(void)from;
	(void)serial;
	xkb_state_update_mask(state, depressed, latched, locked, 0, 0, group);
}

static void on_repeat(void *data, struct wl_keyboard *from, int32_t rate, int32_t delay)
{
	(void)data;
	(void)from;
	(void)rate;
	(void)delay;
}

static const struct wl_keyboard_listener keyboard_listener = {
	.keymap = on_keymap,
	.enter = on_keys_enter,
	.leave = on_keys_leave,
	.key = on_key,
	.modifiers = on_modifiers,
	.repeat_info = on_repeat,
};

static void on_capabilities(void *data, struct wl_seat *seat, uint32_t capabilities)
{
	const bool point = capabilities & WL_SEAT_CAPABILITY_POINTER;
	const bool type = capabilities & WL_SEAT_CAPABILITY_KEYBOARD;

	(void)data;
	TELL("the seat has %s pointer and %s keyboard\n", point ? "a" : "no", type ? "a" : "no");
	if (point && !pointer) {
		pointer = wl_seat_get_pointer(seat);
		wl_pointer_add_listener(pointer, &pointer_listener, NULL);
	} else if (!point && pointer) {
		wl_pointer_release(pointer);
		pointer = NULL;
	}
	if (type && !keyboard) {
		keyboard = wl_seat_get_keyboard(seat);
		wl_keyboard_add_listener(keyboard, &keyboard_listener, NULL);
	} else if (!type && keyboard) {
		wl_keyboard_release(keyboard);
		keyboard = NULL;
	}
}

static void on_name(void *data, struct wl_seat *seat, const char *name)
{
	(void)data;
	(void)seat;
	(void)name;
}

static const struct wl_seat_listener seat_listener = {
	.capabilities = on_capabilities,
	.name = on_name,
};

static void buffers_create(struct window *window, struct buffer *buffers)
{
	struct window_layout layout = {
		.width = width,
		.height = height,
		.fourcc = DRM_FORMAT_XRGB8888,
		.modifier = DRM_FORMAT_MOD_LINEAR,
		.n_planes = 1,
	};
	unsigned int i;

	/* Many devices want rows at a multiple of 64 bytes; udmabuf wants whole pages. */
	layout.strides[0] = stride = (width * 4 + 63) & ~63u;
	size = ((size_t)stride * height + getpagesize() - 1) & -(size_t)getpagesize();
	canvas = calloc((size_t)width * height, sizeof(*canvas));
	if (!canvas)
		err(1, "out of memory");
	for (i = 0; i < BUFFERS; i++) {
		struct buffer *buf = &buffers[i];

		buf->fd = layout.fds[0] = dma_buf_from_memory("client-paint", size);
		buf->map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, buf->fd, 0);
		if (buf->map == MAP_FAILED)
			err(1, "cannot map a dma-buf");
		buf->shown.number = i;
		window_buffer_create(window, &buf->shown, &layout);
	}
	TELL("a window of %ux%u\n", width, height);
}

/* The canvas into a buffer that is free, if it holds another version. */
static void buffer_draw(struct buffer *buf)
{
	uint32_t y;

	if (buf->version == version)
		return;
	if (dma_buf_sync(buf->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE))
		err(1, "cannot begin to write a buffer");
	for (y = 0; y < height; y++)
		memcpy((char *)buf->map + (size_t)y * stride, canvas + (size_t)y * width,
		       width * 4);
	if (dma_buf_sync(buf->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE))
		err(1, "cannot end writing a buffer");
	buf->version = version;
	buf->sum = checksum(canvas, (size_t)width * 4, width, height);
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: client-paint [options]\n"
		"Paint where the pointer is pressed, and print what the keyboard and the pointer do.\n"
		"A key changes the colour, Escape wipes the picture.\n"
		"\n"
		"  --socket PATH  where the compositor listens (" DEMO_SOCKET ")\n"
		"  --name NAME    of the window (paint)\n"
		"  --frames N     how many frames to pass (%d)\n"
		"  --help         this text\n", DEMO_FRAMES);
}

struct options {
	const char *socket, *name;
	unsigned int frames;
};

static struct options parse_options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "name", required_argument, NULL, 'n' },
		{ "frames", required_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct options options = {
		.socket = DEMO_SOCKET, .name = "paint", .frames = DEMO_FRAMES,
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (opt) {
		case 's':
			options.socket = optarg;
			break;
		case 'n':
			options.name = optarg;
			break;
		case 'f':
			options.frames = parse_number("--frames", optarg, 1, 1000000);
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind < argc)
		errx(2, "what is '%s'? (see --help)", argv[optind]);
	return options;
}

int main(int argc, char **argv)
{
	const struct options options = parse_options(argc, argv);
	struct buffer buffers[BUFFERS] = { 0 };
	struct window *window;
	struct wl_seat *seat;
	uint32_t i;

	xkb = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
	if (!xkb)
		errx(1, "xkbcommon does not start");
	window = window_open(options.socket, options.name, "udmabuf /dev/udmabuf", WIDTH, HEIGHT);
	width = window_width(window);
	height = window_height(window);
	buffers_create(window, buffers);
	wipe();
	seat = window_seat(window);
	if (!seat)
		errx(1, "%s: this compositor has no wl_seat", options.socket);
	wl_seat_add_listener(seat, &seat_listener, NULL);

	for (i = 0; i < options.frames; i++) {
		struct buffer *buf = &buffers[i % BUFFERS];

		window_wait_free(window, &buf->shown);
		buffer_draw(buf);
		window_show(window, &buf->shown, i);
		window_drawn(window, i, buf->sum);
	}

	if (pointer)
		wl_pointer_release(pointer);
	if (keyboard)
		wl_keyboard_release(keyboard);
	wl_seat_release(seat);
	for (i = 0; i < BUFFERS; i++)
		window_buffer_destroy(&buffers[i].shown);
	window_close(window);
	for (i = 0; i < BUFFERS; i++) {
		munmap(buffers[i].map, size);
		close(buffers[i].fd);
	}
	xkb_state_unref(state);
	xkb_keymap_unref(keymap);
	xkb_context_unref(xkb);
	free(canvas);
	return 0;
}
