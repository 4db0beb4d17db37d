// SPDX-License-Identifier: MIT
/*
 * The display: its mode, imports and framebuffers, planes (libliftoff decides which client
 * gets one), atomic commits with fences, and reading back what is on the screen.
 */

#include <drm_fourcc.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libdisplay-info/edid.h>
#include <libdisplay-info/info.h>
#include <libliftoff.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "compositor.h"

/*
 * libliftoff tries allocations by test commits until its time is up, and then takes the best
 * one so far; on a slow machine the default of 1 ms may not be enough for any.
 */
#define ALLOCATION_NS	50000000
#define PATIENT_NS	10000000000

/* A KMS object and its properties, which commits address by number and people by name. */
struct kms_object {
	uint32_t id;
	drmModeObjectProperties *values;
	drmModePropertyRes **props;
};

struct display display = { .drm = -1 };

static struct kms_object crtc, monitor, writeback;
static struct kms_object primary;	/* the plane of the background */
static uint32_t mode_blob;
static bool knows_modifiers;
static bool lit;		/* the mode is set */
static struct liftoff_device *liftoff;
static struct liftoff_output *output;
static struct liftoff_layer *background, *always_composed;
static struct dmabuf *dmabufs;
static uint32_t readback_handle, readback_fb;
static uint64_t readback_size;
static int nudge_fd = -1;

static void kms_object_init(struct kms_object *obj, uint32_t id, uint32_t type)
{
	uint32_t i;

	obj->id = id;
	obj->values = drmModeObjectGetProperties(display.drm, id, type);
	if (!obj->values)
		err(1, "%s: cannot get the properties of object %u", display.device, id);
	obj->props = calloc(obj->values->count_props, sizeof(*obj->props));
	if (!obj->props)
		err(1, "out of memory");
	for (i = 0; i < obj->values->count_props; i++) {
		obj->props[i] = drmModeGetProperty(display.drm, obj->values->props[i]);
		if (!obj->props[i])
			err(1, "%s: cannot get property %u", display.device,
			    obj->values->props[i]);
	}
}

static void kms_object_free(struct kms_object *obj)
{
	uint32_t i;

	if (!obj->id)
		return;
	for (i = 0; i < obj->values->count_props; i++)
		drmModeFreeProperty(obj->props[i]);
	free(obj->props);
	drmModeFreeObjectProperties(obj->values);
	obj->id = 0;
}

/* The number of a property, 0 if the object has none of this name. */
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
	return 0;
}

static void set(drmModeAtomicReq *req, const struct kms_object *obj, const char *name,
		uint64_t value)
{
	uint32_t prop = property(obj, name, NULL);

	if (!prop)
		errx(1, "%s: object %u has nothing called '%s'", display.device, obj->id, name);
	if (drmModeAtomicAddProperty(req, obj->id, prop, value) < 0)
		err(1, "out of memory");
}

static bool has_display(int fd)
{
	drmModeRes *res = drmModeGetResources(fd);
	bool has = res && res->count_crtcs && res->count_connectors;

	drmModeFreeResources(res);
	return has;
}

/* The size of the picture that the monitor itself prefers, by its EDID. */
static bool edid_mode(uint32_t *width, uint32_t *height)
{
	const struct di_edid_detailed_timing_def *const *timings;
	drmModePropertyBlobRes *blob;
	struct di_info *info = NULL;
	uint64_t id = 0;
	char *make, *model;
	bool found = false;

	property(&monitor, "EDID", &id);
	blob = id ? drmModeGetPropertyBlob(display.drm, id) : NULL;
	if (blob)
		info = di_info_parse_edid(blob->data, blob->length);
	drmModeFreePropertyBlob(blob);
	if (!info) {
		say("display: the monitor has no EDID; taking the mode that the driver prefers");
		return false;
	}
	make = di_info_get_make(info);
	model = di_info_get_model(info);
	timings = di_edid_get_detailed_timing_defs(di_info_get_edid(info));
	if (timings[0]) {
		*width = timings[0]->horiz_video;
		*height = timings[0]->vert_video;
		found = true;
	}
	say("display: monitor %s %s, its EDID prefers %ux%u", make ? make : "?",
	    model ? model : "?", found ? *width : 0, found ? *height : 0);
	free(make);
	free(model);
	di_info_destroy(info);
	return found;
}

static const drmModeModeInfo *find_mode(const drmModeConnector *con, uint32_t width,
					uint32_t height)
{
	int i;

	for (i = 0; i < con->count_modes; i++)
		if (con->modes[i].hdisplay == width && con->modes[i].vdisplay == height)
			return &con->modes[i];
	return NULL;
}

static void choose_mode(const drmModeConnector *con)
{
	const drmModeModeInfo *mode = NULL;
	uint32_t width, height;
	int i;

	if (options.width) {
		mode = find_mode(con, options.width, options.height);
		if (!mode)
			errx(1, "%s: no mode of %ux%u", display.device, options.width,
			     options.height);
	} else if (edid_mode(&width, &height)) {
		mode = find_mode(con, width, height);
	}
	for (i = 0; !mode && i < con->count_modes; i++)
		if (con->modes[i].type & DRM_MODE_TYPE_PREFERRED)
			mode = &con->modes[i];
	if (!mode)
		mode = &con->modes[0];
	if (drmModeCreatePropertyBlob(display.drm, mode, sizeof(*mode), &mode_blob))
		err(1, "%s: cannot make a mode blob", display.device);
	display.width = mode->hdisplay;
	display.height = mode->vdisplay;
	display.refresh = mode->vrefresh * 1000;
	snprintf(display.mode, sizeof(display.mode), "%s@%u", mode->name, mode->vrefresh);
}

/* The first connector with a monitor, a CRTC for it, and a writeback connector if needed. */
static void find_outputs(void)
{
	drmModeRes *res = drmModeGetResources(display.drm);
	int i, j;

	if (!res)
		err(1, "%s: cannot list its parts", display.device);
	for (i = 0; i < res->count_connectors; i++) {
		drmModeConnector *con = drmModeGetConnector(display.drm, res->connectors[i]);
		drmModeEncoder *encoder;

		if (!con)
			err(1, "%s: cannot get connector %u", display.device,
			    res->connectors[i]);
		if (con->connector_type == DRM_MODE_CONNECTOR_WRITEBACK) {
			if (!writeback.id)
				kms_object_init(&writeback, con->connector_id,
						DRM_MODE_OBJECT_CONNECTOR);
		} else if (!monitor.id && con->connection == DRM_MODE_CONNECTED &&
			   con->count_modes && con->count_encoders) {
			kms_object_init(&monitor, con->connector_id, DRM_MODE_OBJECT_CONNECTOR);
			choose_mode(con);
			encoder = drmModeGetEncoder(display.drm, con->encoders[0]);
			for (j = 0; encoder && !crtc.id && j < res->count_crtcs; j++)
				if (encoder->possible_crtcs & 1u << j)
					kms_object_init(&crtc, res->crtcs[j],
							DRM_MODE_OBJECT_CRTC);
			drmModeFreeEncoder(encoder);
		}
		drmModeFreeConnector(con);
	}
	drmModeFreeResources(res);
	if (!crtc.id)
		errx(1, "%s: no monitor is connected", display.device);
}

static void readback_create(void)
{
	uint32_t zero[4] = { 0 }, handles[4] = { 0 }, strides[4] = { 0 };
	uint64_t offset;
	void *map;

	if (!writeback.id)
		errx(1, "%s: no writeback connector to read back by (modprobe vkms enable_writeback=1)",
		     display.device);
	if (drmModeCreateDumbBuffer(display.drm, display.width, display.height, 32, 0,
				    &readback_handle, &display.stride, &readback_size) ||
	    drmModeMapDumbBuffer(display.drm, readback_handle, &offset))
		err(1, "%s: cannot create a buffer to read back into", display.device);
	map = mmap(NULL, readback_size, PROT_READ, MAP_SHARED, display.drm, offset);
	if (map == MAP_FAILED)
		err(1, "%s: cannot map the buffer to read back into", display.device);
	display.pixels = map;
	handles[0] = readback_handle;
	strides[0] = display.stride;
	if (drmModeAddFB2(display.drm, display.width, display.height, DRM_FORMAT_XRGB8888,
			  handles, strides, zero, &readback_fb, 0))
		err(1, "%s: cannot make a framebuffer to read back into", display.device);
}

static struct liftoff_layer *layer_create(uint32_t x, uint32_t y, uint32_t width,
					  uint32_t height, uint32_t zpos)
{
	struct liftoff_layer *layer = liftoff_layer_create(output);

	if (!layer)
		errx(1, "cannot create a layer");
	liftoff_layer_set_property(layer, "CRTC_X", x);
	liftoff_layer_set_property(layer, "CRTC_Y", y);
	liftoff_layer_set_property(layer, "CRTC_W", width);
	liftoff_layer_set_property(layer, "CRTC_H", height);
	liftoff_layer_set_property(layer, "SRC_X", 0);
	liftoff_layer_set_property(layer, "SRC_Y", 0);
	liftoff_layer_set_property(layer, "SRC_W", (uint64_t)width << 16);
	liftoff_layer_set_property(layer, "SRC_H", (uint64_t)height << 16);
	liftoff_layer_set_property(layer, "zpos", zpos);
	return layer;
}

struct liftoff_layer *display_layer_create(const struct rect *where)
{
	return layer_create(where->x, where->y, where->width, where->height, 1);
}

void display_layer_destroy(struct liftoff_layer *layer)
{
	liftoff_layer_destroy(layer);
}

void display_open(void)
{
	drmVersion *version;
	uint64_t cap = 0;

	display.drm = open_device(options.device, "/dev/dri/card", "a display", has_display,
				  display.device, sizeof(display.device));
	version = drmGetVersion(display.drm);
	snprintf(display.driver, sizeof(display.driver), "%s", version ? version->name : "?");
	drmFreeVersion(version);
	if (drmSetClientCap(display.drm, DRM_CLIENT_CAP_ATOMIC, 1))
		err(1, "%s: no atomic mode setting", display.device);
	drmSetClientCap(display.drm, DRM_CLIENT_CAP_WRITEBACK_CONNECTORS, 1);
	drmGetCap(display.drm, DRM_CAP_ADDFB2_MODIFIERS, &cap);
	knows_modifiers = cap;
	find_outputs();
	if (options.proofs || options.pictures)
		readback_create();

	liftoff_log_set_priority(LIFTOFF_ERROR);
	liftoff = liftoff_device_create(display.drm);
	if (!liftoff || liftoff_device_register_all_planes(liftoff))
		errx(1, "%s: libliftoff cannot use it", display.device);
	output = liftoff_output_create(liftoff, crtc.id);
	if (!output)
		errx(1, "out of memory");
	/* What has no plane is drawn into the background; that a layer never gets one keeps it on. */
	background = layer_create(0, 0, display.width, display.height, 0);
	always_composed = layer_create(0, 0, display.width, display.height, 0);
	liftoff_layer_set_fb_composited(always_composed);
	liftoff_output_set_composition_layer(output, background);

	say("display: %s (%s), %s, %s", display.device, display.driver, display.mode,
	    readback_fb ? "read back by its writeback connector" : "not read back");
}

void display_close(void)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();

	/* The planes first, so that nothing is lost by a framebuffer that goes away. */
	liftoff_layer_destroy(background);
	liftoff_layer_destroy(always_composed);
	liftoff_output_apply(output, req, DRM_MODE_ATOMIC_ALLOW_MODESET, NULL);
	set(req, &crtc, "MODE_ID", 0);
	set(req, &crtc, "ACTIVE", 0);
	set(req, &monitor, "CRTC_ID", 0);
	if (writeback.id)
		set(req, &writeback, "CRTC_ID", 0);
	if (drmModeAtomicCommit(display.drm, req, DRM_MODE_ATOMIC_ALLOW_MODESET, NULL))
		warn("%s: cannot turn the display off", display.device);
	drmModeAtomicFree(req);
	liftoff_output_destroy(output);
	liftoff_device_destroy(liftoff);

	if (readback_fb) {
		drmModeRmFB(display.drm, readback_fb);
		munmap((void *)display.pixels, readback_size);
		drmModeDestroyDumbBuffer(display.drm, readback_handle);
	}
	drmModeDestroyPropertyBlob(display.drm, mode_blob);
	kms_object_free(&crtc);
	kms_object_free(&monitor);
	kms_object_free(&writeback);
	kms_object_free(&primary);
	close(display.drm);
}

/* The kernel's own word on who exported a dma-buf. */
static void exporter_name(int fd, char *name, size_t size)
{
	char path[64], line[128];
	FILE *file;

	snprintf(name, size, "?");
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "exp_name:", 9))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(name, size, "%s", line + 9 + strspn(line + 9, "\t "));
		/* What follows has text of the client's in it. */
		break;
	}
	if (file)
		fclose(file);
}

struct dmabuf *dmabuf_import(int *fd, bool *fresh)
{
	const uint64_t inode = dma_buf_inode(*fd);
	struct dmabuf *buf;

	*fresh = false;
	for (buf = dmabufs; buf; buf = buf->next) {
		if (buf->inode != inode)
			continue;
		buf->users++;
		return buf;
	}

	buf = calloc(1, sizeof(*buf));
	if (!buf)
		return NULL;
	/* A display that cannot read it by itself may still have it drawn by EGL. */
	if (drmPrimeFDToHandle(display.drm, *fd, &buf->handle))
		buf->handle = 0;
	exporter_name(*fd, buf->exporter, sizeof(buf->exporter));
	buf->inode = inode;
	buf->fd = *fd;
	buf->users = 1;
	buf->next = dmabufs;
	dmabufs = buf;
	*fd = -1;
	*fresh = true;
	return buf;
}

void dmabuf_unref(struct dmabuf *buf)
{
	struct dmabuf **link = &dmabufs;

	if (--buf->users)
		return;
	while (*link != buf)
		link = &(*link)->next;
	*link = buf->next;
	if (buf->handle)
		drmCloseBufferHandle(display.drm, buf->handle);
	close(buf->fd);
	free(buf);
}

static bool plane_takes(uint32_t id, uint32_t fourcc, uint64_t modifier)
{
	drmModeFormatModifierIterator iter = { 0 };
	drmModePropertyBlobRes *blob = NULL;
	drmModePlane *plane;
	struct kms_object obj;
	uint64_t blob_id = 0;
	bool takes = false;
	uint32_t i;

	kms_object_init(&obj, id, DRM_MODE_OBJECT_PLANE);
	property(&obj, "IN_FORMATS", &blob_id);
	kms_object_free(&obj);
	if (blob_id)
		blob = drmModeGetPropertyBlob(display.drm, blob_id);
	while (blob && !takes && drmModeFormatModifierBlobIterNext(blob, &iter))
		takes = iter.fmt == fourcc && iter.mod == modifier;
	drmModeFreePropertyBlob(blob);
	if (knows_modifiers)
		return takes;

	plane = drmModeGetPlane(display.drm, id);
	for (i = 0; plane && i < plane->count_formats; i++)
		takes |= plane->formats[i] == fourcc && modifier == DRM_FORMAT_MOD_LINEAR;
	drmModeFreePlane(plane);
	return takes;
}

bool display_takes(uint32_t fourcc, uint64_t modifier)
{
	drmModePlaneRes *res = drmModeGetPlaneResources(display.drm);
	bool takes = false;
	uint32_t i;

	for (i = 0; res && !takes && i < res->count_planes; i++)
		takes = plane_takes(res->planes[i], fourcc, modifier);
	drmModeFreePlaneResources(res);
	return takes;
}

/* Ask the kernel what memory is behind a framebuffer: is it what the client passed? */
static bool framebuffer_is(const struct picture *pic)
{
	drmModeFB2 *fb = drmModeGetFB2(display.drm, pic->fb);
	bool same = fb;
	uint32_t i, j;
	int fd;

	for (i = 0; fb && i < pic->n_planes; i++) {
		if (drmPrimeHandleToFD(display.drm, fb->handles[i], DRM_CLOEXEC, &fd)) {
			same = false;
			continue;
		}
		same &= dma_buf_inode(fd) == pic->dmabufs[i]->inode;
		close(fd);
	}
	/* They are new handles, one for each buffer, though two planes may share it. */
	for (i = 0; fb && i < 4; i++) {
		for (j = 0; j < i && fb->handles[j] != fb->handles[i]; j++)
			;
		if (fb->handles[i] && j == i)
			drmCloseBufferHandle(display.drm, fb->handles[i]);
	}
	drmModeFreeFB2(fb);
	return same;
}

bool framebuffer_create(struct picture *pic)
{
	uint32_t handles[4] = { 0 };
	uint64_t modifiers[4] = { 0 };
	uint32_t i;

	for (i = 0; i < pic->n_planes; i++) {
		handles[i] = pic->dmabufs[i]->handle;
		modifiers[i] = pic->modifier;
		if (!handles[i])
			return false;
	}
	/* What does not know modifiers is linear. */
	if (knows_modifiers ?
	    drmModeAddFB2WithModifiers(display.drm, pic->width, pic->height, pic->fourcc,
				       handles, pic->strides, pic->offsets, modifiers, &pic->fb,
				       DRM_MODE_FB_MODIFIERS) :
	    drmModeAddFB2(display.drm, pic->width, pic->height, pic->fourcc, handles,
			  pic->strides, pic->offsets, &pic->fb, 0)) {
		pic->fb = 0;
		return false;
	}
	pic->copied = !framebuffer_is(pic);
	return true;
}

void framebuffer_destroy(struct picture *pic)
{
	if (pic->fb)
		drmModeRmFB(display.drm, pic->fb);
	pic->fb = 0;
}

/* Give every client's layer its picture; those over the limit of planes are composed. */
static void layers_update(void)
{
	unsigned int on_planes = 0;

	for_each_client(c) {
		const struct frame *frame = c->next.picture ? &c->next : &c->current;

		if (!c->layer || !frame->picture)
			continue;
		if (!frame->picture->fb || on_planes == options.planes) {
			liftoff_layer_set_fb_composited(c->layer);
			continue;
		}
		on_planes++;
		liftoff_layer_set_property(c->layer, "FB_ID", frame->picture->fb);
		/*
		 * Also of a frame that was there before: without a fence of its own a plane
		 * waits for all writers of the buffer, and its client can add one at any time.
		 */
		liftoff_layer_set_property(c->layer, "IN_FENCE_FD", frame->fence);
	}
	liftoff_layer_set_property(background, "FB_ID", compose_framebuffer());
	liftoff_layer_set_property(background, "IN_FENCE_FD", -1);
}

/*
 * A test commit does not look into the buffers, so the real one may fail where the tests
 * passed. Then what has never been on a plane is composed. False when nothing is new.
 */
static bool distrust_new_pictures(int error)
{
	bool any = false;

	for_each_client(c) {
		struct picture *pic = c->next.picture ? c->next.picture : c->current.picture;

		if (!pic || !pic->fb || pic->proven || !c->plane)
			continue;
		say("%s: the display cannot show its buffer (%s); composing it", c->name,
		    strerror(error));
		framebuffer_destroy(pic);
		any = true;
	}
	return any;
}

/*
 * A plane that is off and stays off still belongs to a commit until its worker has ended, and
 * the flip's fence may be a moment ahead of that. So it may be too early for the next commit;
 * then the kernel waits, instead of refusing.
 */
static int commit(drmModeAtomicReq *req, uint32_t flags)
{
	int ret = drmModeAtomicCommit(display.drm, req, flags | DRM_MODE_ATOMIC_NONBLOCK, NULL);

	return ret == -EBUSY ? drmModeAtomicCommit(display.drm, req, flags, NULL) : ret;
}

int display_flip(void)
{
	struct liftoff_output_apply_options limits = { 0 };
	uint32_t flags = 0, fb;
	int ret, fence, composed;

	do {
		drmModeAtomicReq *req = drmModeAtomicAlloc();
		struct liftoff_plane *plane;

		if (!lit) {
			flags |= DRM_MODE_ATOMIC_ALLOW_MODESET;
			set(req, &crtc, "MODE_ID", mode_blob);
			set(req, &crtc, "ACTIVE", 1);
			/*
			 * vkms on 6.12 does not show one picture on two connectors: when it
			 * is read back, the writeback connector is the only one.
			 */
			set(req, &monitor, "CRTC_ID", readback_fb ? 0 : crtc.id);
			if (readback_fb)
				set(req, &writeback, "CRTC_ID", crtc.id);
		}
		layers_update();
		limits.timeout_ns = ALLOCATION_NS;
		ret = liftoff_output_apply(output, req, flags, &limits);
		plane = liftoff_layer_get_plane(background);
		if (ret || !plane) {
			limits.timeout_ns = PATIENT_NS;
			ret = liftoff_output_apply(output, req, flags, &limits);
			plane = liftoff_layer_get_plane(background);
		}
		if (ret || !plane)
			errx(1, "%s: no plane for the background: %s", display.device,
			     strerror(ret ? -ret : ENOSPC));
		if (primary.id != liftoff_plane_get_id(plane)) {
			kms_object_free(&primary);
			kms_object_init(&primary, liftoff_plane_get_id(plane),
					DRM_MODE_OBJECT_PLANE);
		}

		for_each_client(c) {
			plane = c->layer ? liftoff_layer_get_plane(c->layer) : NULL;
			c->plane = plane ? liftoff_plane_get_id(plane) : 0;
		}
		fb = compose(&composed);
		if (fb) {
			set(req, &primary, "FB_ID", fb);
			set(req, &primary, "IN_FENCE_FD", composed);
		}
		set(req, &crtc, "OUT_FENCE_PTR", (uintptr_t)&fence);
		ret = commit(req, flags);
		drmModeAtomicFree(req);
		if (fb && composed >= 0)
			close(composed);
	} while (ret && distrust_new_pictures(-ret));
	if (ret)
		errx(1, "%s: cannot flip: %s", display.device, strerror(-ret));

	lit = true;
	compose_shown(fb);
	for_each_client(c) {
		struct picture *pic = c->next.picture ? c->next.picture : c->current.picture;

		if (pic && c->plane)
			pic->proven = true;
	}
	return fence;
}

int display_read_back(void)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	int fence;

	/*
	 * In a commit of its own after the flip, since vkms's clean-up of one readback may
	 * stop the next: see display_nudge().
	 */
	set(req, &writeback, "WRITEBACK_FB_ID", readback_fb);
	set(req, &writeback, "WRITEBACK_OUT_FENCE_PTR", (uintptr_t)&fence);
	/* As in layers_update(): vkms takes all planes into every commit. */
	for_each_client(c)
		if (c->plane && c->current.picture &&
		    drmModeAtomicAddProperty(req, c->plane, property(&primary, "IN_FENCE_FD", NULL),
					     c->current.fence) < 0)
			err(1, "out of memory");
	if (commit(req, 0))
		err(1, "%s: cannot read back", display.device);
	drmModeAtomicFree(req);
	return fence;
}

/*
 * vkms composes only while it is told to, and the clean-up of one readback, which runs some
 * time after its fence, may switch that off when the next has just been asked for: the next
 * then never ends. Its CRC file in debugfs switches composing on for as long as it is open.
 * Other displays do not need this; each use is counted.
 */
void display_nudge(void)
{
	char path[64];
	struct stat st;

	if (nudge_fd >= 0)
		return;
	if (fstat(display.drm, &st))
		err(1, "%s: cannot fstat", display.device);
	snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%u/crtc-0/crc/data",
		 minor(st.st_rdev));
	nudge_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (nudge_fd < 0)
		err(1, "%s: a readback does not end, and cannot open %s to help",
		    display.device, path);
	display.nudges++;
	say("display: a readback was stuck; composing switched on again");
}

void display_nudge_done(void)
{
	if (nudge_fd >= 0)
		close(nudge_fd);
	nudge_fd = -1;
}
