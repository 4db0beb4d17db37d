// SPDX-License-Identifier: MIT
/*
 * linux-dmabuf: what buffers are best, and wl_buffers made of dma-bufs. Nothing that a client
 * sends is believed before it is checked.
 */

#include <drm_fourcc.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dma-buf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wayland-server.h>

#include "../backend/display.h"
#include "../backend/kms.h"
#include "../backend/picture.h"
#include "../base/formats.h"
#include "../base/options.h"
#include "../renderer/renderer.h"
#include "buffer.h"
#include "client.h"
#include "dmabuf.h"
#include "linux-dmabuf-v1-protocol.h"
#include "resource.h"

#define VERSION		4
#define MAX_BUFFERS	32	/* that a client may have at a time */
#define MAX_PARAMS	32	/* the same; each may hold MAX_PLANES descriptors */

/* A wl_buffer to be. */
struct params {
	int fds[MAX_PLANES];	/* -1: not added */
	bool used;
	struct picture layout;	/* numbers only */
};

/* A preference: pairs of format and modifier, by their places in the table. */
struct tranche {
	dev_t device;
	uint32_t flags;
	struct wl_array indices;	/* uint16_t */
};

static struct formats formats;		/* the table; all of it can be drawn */
static int table_fd = -1;
static dev_t main_device;
static struct tranche tranches[2];	/* by a plane, drawn */

static void params_destroyed(struct wl_resource *resource)
{
	struct params *params = wl_resource_get_user_data(resource);
	unsigned int i;

	for (i = 0; i < MAX_PLANES; i++)
		if (params->fds[i] >= 0)
			close(params->fds[i]);
	free(params);
}

static void add_request(struct wl_client *client, struct wl_resource *resource, int fd,
			uint32_t plane, uint32_t offset, uint32_t stride, uint32_t modifier_hi,
			uint32_t modifier_lo)
{
	struct params *params = wl_resource_get_user_data(resource);
	const uint64_t modifier = (uint64_t)modifier_hi << 32 | modifier_lo;
	struct picture *layout = &params->layout;

	(void)client;
	if (params->used) {
		wl_resource_post_error(resource, ZWP_LINUX_BUFFER_PARAMS_V1_ERROR_ALREADY_USED,
				       "a plane for params that were used");
	} else if (plane >= MAX_PLANES) {
		wl_resource_post_error(resource, ZWP_LINUX_BUFFER_PARAMS_V1_ERROR_PLANE_IDX,
				       "plane %u of at most %d", plane, MAX_PLANES);
	} else if (params->fds[plane] >= 0) {
		wl_resource_post_error(resource, ZWP_LINUX_BUFFER_PARAMS_V1_ERROR_PLANE_SET,
				       "plane %u a second time", plane);
	} else if (layout->n_planes && layout->modifier != modifier) {
		wl_resource_post_error(resource, ZWP_LINUX_BUFFER_PARAMS_V1_ERROR_INVALID_FORMAT,
				       "wrong format: planes with different modifiers");
	} else {
		params->fds[plane] = fd;
		layout->offsets[plane] = offset;
		layout->strides[plane] = stride;
		layout->modifier = modifier;
		layout->n_planes++;
		return;
	}
	close(fd);
}

/* Whether one plane of a picture, and the dma-buf of it, make sense. */
static bool plane_check(struct wl_resource *resource, const struct picture *layout,
			unsigned int plane, int fd)
{
	const struct layout *format = layout_of(layout->fourcc);
	const uint64_t bytes = (uint64_t)layout->width * format->bytes;
	const uint64_t rows = layout->height / (plane ? 2 : 1);
	const uint32_t stride = layout->strides[plane], offset = layout->offsets[plane];
	off_t size = dma_buf_inode(fd) ? lseek(fd, 0, SEEK_END) : -1;

	if (size < 0) {
		wl_resource_post_error(resource,
				       ZWP_LINUX_BUFFER_PARAMS_V1_ERROR_INVALID_WL_BUFFER,
				       "the descriptor of plane %u is no dma-buf", plane);
		return false;
	}
	if (stride < bytes || stride % 4 || offset % 4) {
		wl_resource_post_error(resource, ZWP_LINUX_BUFFER_PARAMS_V1_ERROR_OUT_OF_BOUNDS,
				       "wrong stride or offset of plane %u: %u and %u for %" PRIu64
				       " bytes a row", plane, stride, offset, bytes);
		return false;
	}
	/* EGL takes offsets and strides as int. */
	if (offset + (rows - 1) * stride + bytes > (uint64_t)size || offset > INT32_MAX ||
	    stride > INT32_MAX) {
		wl_resource_post_error(resource, ZWP_LINUX_BUFFER_PARAMS_V1_ERROR_OUT_OF_BOUNDS,
				       "plane %u does not fit into its buffer of %jd bytes", plane,
				       (intmax_t)size);
		return false;
	}
	return true;
}

/* Whether the numbers of a picture make sense. */
static bool layout_check(struct wl_resource *resource, const struct params *params)
{
	const struct picture *layout = &params->layout;
	const struct layout *format = layout_of(layout->fourcc);
	unsigned int i;

	if (!formats_have(&formats, layout->fourcc, layout->modifier)) {
		wl_resource_post_error(resource, ZWP_LINUX_BUFFER_PARAMS_V1_ERROR_INVALID_FORMAT,
				       "wrong format: 0x%08x with modifier 0x%" PRIx64
				       " was not offered", layout->fourcc, layout->modifier);
		return false;
	}
	if ((int32_t)layout->width < 1 || (int32_t)layout->height < 1 ||
	    (!format->odd && (layout->width % 2 || layout->height % 2))) {
		wl_resource_post_error(resource,
				       ZWP_LINUX_BUFFER_PARAMS_V1_ERROR_INVALID_DIMENSIONS,
				       "wrong size: %dx%d", layout->width, layout->height);
		return false;
	}
	for (i = 0; i < format->n_planes; i++)
		if (params->fds[i] < 0)
			break;
	if (i != layout->n_planes || i != format->n_planes) {
		wl_resource_post_error(resource, ZWP_LINUX_BUFFER_PARAMS_V1_ERROR_INCOMPLETE,
				       "wrong number of planes: %u, the format has %u",
				       layout->n_planes, format->n_planes);
		return false;
	}
	for (i = 0; i < layout->n_planes; i++)
		if (!plane_check(resource, layout, i, params->fds[i]))
			return false;
	return true;
}

/*
 * Import it, and find out who can show it: a plane, or at least EGL. NULL: nobody; why gets the
 * kernel's reason, if there is one.
 */
static struct picture *import(struct params *params, char why[MAX_REFUSAL])
{
	const struct picture *layout = &params->layout;
	struct picture *pic = picture_new();

	if (!pic)
		return NULL;
	pic->width = layout->width;
	pic->height = layout->height;
	pic->fourcc = layout->fourcc;
	pic->modifier = layout->modifier;
	pic->n_planes = layout->n_planes;
	memcpy(pic->offsets, layout->offsets, sizeof(pic->offsets));
	memcpy(pic->strides, layout->strides, sizeof(pic->strides));
	if (picture_import(pic, params->fds)) {
		renderer_look(pic);
		if (picture_add_fb(pic) || renderer_import(pic, 0))
			return pic;
	}
	memcpy(why, pic->refusal, MAX_REFUSAL);
	renderer_unref(pic);
	return NULL;
}

/* id 0: the client wants an event that tells the outcome. */
static void create(struct wl_client *client, struct wl_resource *resource, uint32_t id,
		   int32_t width, int32_t height, uint32_t fourcc, uint32_t flags)
{
	struct params *params = wl_resource_get_user_data(resource);
	char why[MAX_REFUSAL] = "";
	struct buffer *buffer;
	struct picture *pic;

	if (params->used) {
		wl_resource_post_error(resource, ZWP_LINUX_BUFFER_PARAMS_V1_ERROR_ALREADY_USED,
				       "a second buffer of the same params");
		return;
	}
	params->used = true;
	params->layout.width = width;
	params->layout.height = height;
	params->layout.fourcc = fourcc;
	if (!layout_check(resource, params))
		return;
	if (buffers_of(client) >= MAX_BUFFERS) {
		client_drop(client, "too many buffers: more than %d", MAX_BUFFERS);
		return;
	}
	/* Upside down and interlaced pictures are not shown. */
	pic = flags ? NULL : import(params, why);
	if (!pic && !id) {
		zwp_linux_buffer_params_v1_send_failed(resource);
		return;
	}
	if (!pic) {
		/* libwayland sends only the first 127 bytes. */
		wl_resource_post_error(resource,
				       ZWP_LINUX_BUFFER_PARAMS_V1_ERROR_INVALID_WL_BUFFER,
				       "refused: %s",
				       *why ? why : "neither the display nor EGL takes its buffer");
		return;
	}
	buffer = buffer_create(client, id, pic);
	if (buffer && !id)
		zwp_linux_buffer_params_v1_send_created(resource, buffer->resource);
}

static void create_request(struct wl_client *client, struct wl_resource *resource, int32_t width,
			   int32_t height, uint32_t fourcc, uint32_t flags)
{
	create(client, resource, 0, width, height, fourcc, flags);
}

static void create_immed_request(struct wl_client *client, struct wl_resource *resource,
				 uint32_t id, int32_t width, int32_t height, uint32_t fourcc,
				 uint32_t flags)
{
	create(client, resource, id, width, height, fourcc, flags);
}

static const struct zwp_linux_buffer_params_v1_interface params_implementation = {
	.destroy = resource_destroy,
	.add = add_request,
	.create = create_request,
	.create_immed = create_immed_request,
};

static enum wl_iterator_result count_params(struct wl_resource *resource, void *data)
{
	if (wl_resource_instance_of(resource, &zwp_linux_buffer_params_v1_interface,
				    &params_implementation))
		++*(unsigned int *)data;
	return WL_ITERATOR_CONTINUE;
}

static void create_params(struct wl_client *client, struct wl_resource *manager, uint32_t id)
{
	struct wl_resource *resource;
	struct params *params;
	unsigned int i, n = 0;

	wl_client_for_each_resource(client, count_params, &n);
	if (n == MAX_PARAMS) {
		client_drop(client, "too many params: more than %d", MAX_PARAMS);
		return;
	}
	params = resource_create_with(client, &zwp_linux_buffer_params_v1_interface,
				      wl_resource_get_version(manager), id, &params_implementation,
				      sizeof(*params), params_destroyed, &resource);
	for (i = 0; params && i < MAX_PLANES; i++)
		params->fds[i] = -1;
}

static void send_tranche(struct wl_resource *feedback, struct tranche *tranche)
{
	struct wl_array device = {
		.size = sizeof(tranche->device), .data = &tranche->device,
	};

	if (!tranche->indices.size)
		return;
	zwp_linux_dmabuf_feedback_v1_send_tranche_target_device(feedback, &device);
	zwp_linux_dmabuf_feedback_v1_send_tranche_flags(feedback, tranche->flags);
	zwp_linux_dmabuf_feedback_v1_send_tranche_formats(feedback, &tranche->indices);
	zwp_linux_dmabuf_feedback_v1_send_tranche_done(feedback);
}

static const struct zwp_linux_dmabuf_feedback_v1_interface feedback_implementation = {
	.destroy = resource_destroy,
};

/* The same for all surfaces: each may get a plane. */
static void get_default_feedback(struct wl_client *client, struct wl_resource *manager, uint32_t id)
{
	struct wl_resource *feedback =
		resource_create(client, &zwp_linux_dmabuf_feedback_v1_interface,
				wl_resource_get_version(manager), id, &feedback_implementation,
				NULL, NULL);
	struct wl_array device = { .size = sizeof(main_device), .data = &main_device };

	if (!feedback)
		return;
	zwp_linux_dmabuf_feedback_v1_send_format_table(feedback, table_fd,
						       formats.n * sizeof(*formats.list));
	zwp_linux_dmabuf_feedback_v1_send_main_device(feedback, &device);
	send_tranche(feedback, &tranches[0]);
	send_tranche(feedback, &tranches[1]);
	zwp_linux_dmabuf_feedback_v1_send_done(feedback);
}

static void get_surface_feedback(struct wl_client *client, struct wl_resource *manager,
				 uint32_t id, struct wl_resource *surface)
{
	(void)surface;
	get_default_feedback(client, manager, id);
}

static const struct zwp_linux_dmabuf_v1_interface implementation = {
	.destroy = resource_destroy,
	.create_params = create_params,
	.get_default_feedback = get_default_feedback,
	.get_surface_feedback = get_surface_feedback,
};

/* Before version 4 there was no feedback, only a list. */
static void send_formats(struct wl_resource *resource)
{
	size_t i;

	for (i = 0; i < formats.n; i++) {
		const struct format *format = &formats.list[i];

		if (wl_resource_get_version(resource) < ZWP_LINUX_DMABUF_V1_MODIFIER_SINCE_VERSION)
			zwp_linux_dmabuf_v1_send_format(resource, format->fourcc);
		else
			zwp_linux_dmabuf_v1_send_modifier(resource, format->fourcc,
							  format->modifier >> 32,
							  format->modifier & 0xffffffff);
	}
}

static void bind(struct wl_client *client, void *data, uint32_t version, uint32_t id)
{
	struct wl_resource *resource = resource_create(client, &zwp_linux_dmabuf_v1_interface,
						       version, id, &implementation, data, NULL);

	if (resource && version < ZWP_LINUX_DMABUF_V1_GET_DEFAULT_FEEDBACK_SINCE_VERSION)
		send_formats(resource);
}

/* A sealed file that all clients get. */
static void table_create(void)
{
	const size_t size = formats.n * sizeof(*formats.list);

	table_fd = memfd_create("formats", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (table_fd < 0 || write(table_fd, formats.list, size) != (ssize_t)size ||
	    fcntl(table_fd, F_ADD_SEALS,
		  F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
		err(1, "cannot make the table of formats");
}

static dev_t device_of(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		err(1, "%s", path);
	return st.st_rdev;
}

/* What a plane shows comes first; everything can be drawn, so that no window needs a plane. */
static void tranches_create(void)
{
	struct formats planes = { 0 };
	uint16_t i, *index;

	kms_formats(&planes);
	renderer_formats(&formats);
	tranches[0].device = device_of(kms.device);
	tranches[0].flags = ZWP_LINUX_DMABUF_FEEDBACK_V1_TRANCHE_FLAGS_SCANOUT;
	tranches[1].device = main_device;
	for (i = 0; i < formats.n; i++) {
		struct format *format = &formats.list[i];
		bool on_plane = display_takes(format->fourcc) &&
			formats_have(&planes, format->fourcc, format->modifier);

		index = wl_array_add(&tranches[on_plane ? 0 : 1].indices, sizeof(*index));
		if (!index)
			err(1, "out of memory");
		*index = i;
	}
	formats_free(&planes);
}

void dmabuf_open(struct wl_display *display)
{
	main_device = device_of(options.render ? options.render : kms.device);
	tranches_create();
	table_create();
	wl_global_create(display, &zwp_linux_dmabuf_v1_interface, VERSION, NULL, bind);
}

void dmabuf_close(void)
{
	wl_array_release(&tranches[0].indices);
	wl_array_release(&tranches[1].indices);
	formats_free(&formats);
	close(table_fd);
}
