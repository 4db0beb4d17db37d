// SPDX-License-Identifier: MIT
/*
 * What is on the screen: planes (libliftoff decides which layer gets one), atomic commits with
 * fences, and reading back what they show. Nothing here waits.
 */

#include <err.h>
#include <errno.h>
#include <libliftoff.h>
#include <string.h>
#include <unistd.h>

#include "../base/say.h"
#include "capture.h"
#include "cursor.h"
#include "display.h"
#include "kms.h"
#include "picture.h"
#include "seat.h"
#include "vkms.h"

/*
 * libliftoff tries allocations by test commits until its time is up, and then takes the best
 * one so far. On a slow machine that may not be enough for any. Then the caller goes back to its loop
 * and comes again, and gets twice the time. The last attempt is for the background alone.
 */
#define ALLOCATION_NS	50000000ll
#define ATTEMPTS	5

struct layer layers[MAX_LAYERS];

static struct kms_object primary;	/* the plane of the background */
static bool lit;			/* the mode is set */
static struct liftoff_device *liftoff;
static struct liftoff_output *output;
static struct liftoff_layer *background, *always_composed;
static drmModeAtomicReq *request;	/* from display_plan() to display_commit() */
static unsigned int attempt;		/* to find planes in time */
/*
 * What the last commit put on planes. A layer may be gone by now, but what it showed is there until
 * the next commit, and so is its fence.
 */
static struct {
	uint32_t plane;
	int fence;
} on_planes[MAX_LAYERS];
static unsigned int n_on_planes;
struct wl_signal display_stale;

static void place(struct liftoff_layer *layer, const struct rect *where)
{
	liftoff_layer_set_property(layer, "CRTC_X", where->x);
	liftoff_layer_set_property(layer, "CRTC_Y", where->y);
	liftoff_layer_set_property(layer, "CRTC_W", where->width);
	liftoff_layer_set_property(layer, "CRTC_H", where->height);
	liftoff_layer_set_property(layer, "SRC_X", 0);
	liftoff_layer_set_property(layer, "SRC_Y", 0);
	liftoff_layer_set_property(layer, "SRC_W", (uint64_t)where->width << 16);
	liftoff_layer_set_property(layer, "SRC_H", (uint64_t)where->height << 16);
}

static struct liftoff_layer *whole_screen(void)
{
	const struct rect where = { 0, 0, kms.width, kms.height };
	struct liftoff_layer *layer = liftoff_layer_create(output);

	if (!layer)
		errx(1, "out of memory");
	place(layer, &where);
	liftoff_layer_set_property(layer, "zpos", 0);
	return layer;
}

struct layer *display_layer_create(unsigned int cell, unsigned int part, const char *owner)
{
	struct liftoff_layer *layer = liftoff_layer_create(output);
	struct layer *slot = &layers[cell * MAX_PARTS + part];

	if (!layer)
		return NULL;
	liftoff_layer_set_property(layer, "zpos", 1 + part);
	*slot = (struct layer){ .owner = owner, .liftoff = layer, .fence = -1 };
	return slot;
}

bool display_takes(uint32_t fourcc)
{
	return options.planes && !vkms_rounds(fourcc);
}

void display_layer_destroy(struct layer *layer)
{
	liftoff_layer_destroy(layer->liftoff);
	*layer = (struct layer){ 0 };
}

bool display_is_stale(void)
{
	return !lit || cursor_moved();
}

/* Whoever was in front meanwhile has set another mode. */
static void seat_changed(struct wl_listener *listener, void *data)
{
	(void)listener;
	(void)data;
	lit = lit && !seat.active;
	wl_signal_emit_mutable(&display_stale, NULL);
}

static void pointer_moved(struct wl_listener *listener, void *data)
{
	(void)listener;
	(void)data;
	wl_signal_emit_mutable(&display_stale, NULL);
}

static struct wl_listener on_seat = { .notify = seat_changed };
static struct wl_listener on_moved = { .notify = pointer_moved };

/* The planes for windows: all but the pointer's. */
static bool register_planes(void)
{
	drmModePlaneRes *res = drmModeGetPlaneResources(kms.drm);
	bool good = liftoff && res;
	uint32_t i;

	for (i = 0; good && i < res->count_planes; i++)
		if (res->planes[i] != cursor_plane())
			good = liftoff_plane_create(liftoff, res->planes[i]);
	drmModeFreePlaneResources(res);
	return good;
}

void display_open(bool captures)
{
	wl_signal_init(&display_stale);
	wl_signal_add(&seat.changed, &on_seat);
	kms_open();
	cursor_open();
	wl_signal_add(&cursor_wanted, &on_moved);
	if (captures)
		capture_open();

	liftoff_log_set_priority(LIFTOFF_ERROR);
	liftoff = liftoff_device_create(kms.drm);
	if (!register_planes())
		errx(1, "%s: libliftoff cannot use it", kms.device);
	output = liftoff_output_create(liftoff, kms.crtc.id);
	if (!output)
		errx(1, "out of memory");
	/*
	 * What has no plane is drawn into the background. libliftoff shows the background only
	 * while some layer has no plane, so one layer never gets one.
	 */
	background = whole_screen();
	always_composed = whole_screen();
	liftoff_layer_set_fb_composited(always_composed);
	liftoff_output_set_composition_layer(output, background);

	say("display: %s (%s), %s, %s", kms.device, kms.driver, kms.mode,
	    capture.fb ? "read back by its writeback connector" : "not read back");
}

void display_close(void)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();

	/* The planes first, so that nothing is lost by a framebuffer that goes away. */
	liftoff_layer_destroy(background);
	liftoff_layer_destroy(always_composed);
	liftoff_output_apply(output, req, DRM_MODE_ATOMIC_ALLOW_MODESET, NULL);
	cursor_move(false, 0, 0);
	cursor_request(req);
	kms_set(req, &kms.crtc, "MODE_ID", 0);
	kms_set(req, &kms.crtc, "ACTIVE", 0);
	kms_set(req, &kms.monitor, "CRTC_ID", 0);
	if (kms.writeback.id)
		kms_set(req, &kms.writeback, "CRTC_ID", 0);
	if (drmModeAtomicCommit(kms.drm, req, DRM_MODE_ATOMIC_ALLOW_MODESET, NULL))
		warn("%s: cannot turn the display off", kms.device);
	drmModeAtomicFree(req);
	liftoff_output_destroy(output);
	liftoff_device_destroy(liftoff);

	cursor_close();
	capture_close();
	kms_object_free(&primary);
	kms_close();
}

/* Give every layer its picture; those over the limit of planes are composed. */
static void layers_update(uint32_t background_fb)
{
	const unsigned int limit = attempt < ATTEMPTS ? options.planes : 0;
	unsigned int used = 0;

	for_each_layer(l) {
		if (!l->picture)
			continue;
		if (!l->picture->fb || used == limit ||
		    !display_takes(l->picture->fourcc)) {
			liftoff_layer_set_fb_composited(l->liftoff);
			continue;
		}
		used++;
		place(l->liftoff, &l->where);
		liftoff_layer_set_property(l->liftoff, "FB_ID", l->picture->fb);
		/*
		 * Also of a frame that was there before: without a fence of its own a plane
		 * waits for all writers of the buffer, and its client can add one at any time.
		 */
		liftoff_layer_set_property(l->liftoff, "IN_FENCE_FD", l->fence);
	}
	liftoff_layer_set_property(background, "FB_ID", background_fb);
	liftoff_layer_set_property(background, "IN_FENCE_FD", -1);
}

/* The first commit sets the mode. */
static uint32_t commit_flags(void)
{
	return lit ? 0 : DRM_MODE_ATOMIC_ALLOW_MODESET;
}

static void request_mode(void)
{
	kms_set(request, &kms.crtc, "MODE_ID", kms.mode_blob);
	kms_set(request, &kms.crtc, "ACTIVE", 1);
	kms_set(request, &kms.monitor, "CRTC_ID",
		capture.fb && vkms_one_output() ? 0 : kms.crtc.id);
	if (capture.fb)
		kms_set(request, &kms.writeback, "CRTC_ID", kms.crtc.id);
}

/*
 * Whether a picture that is copied when it has no plane has none. More time may find one, unless
 * the last plan had none for it.
 */
static bool copy_looms(void)
{
	for_each_layer(l)
		if (l->picture && l->picture->fb && l->picture->to_copy && !l->planeless &&
		    !liftoff_layer_get_plane(l->liftoff))
			return true;
	return false;
}

/*
 * Have libliftoff find a plane for each layer that can have one. 0, or an error; *plane is the
 * background's.
 */
static int allocate_planes(struct liftoff_plane **plane)
{
	const struct liftoff_output_apply_options limits = {
		.timeout_ns = ALLOCATION_NS << attempt,
	};
	int ret = liftoff_output_apply(output, request, commit_flags(), &limits);

	*plane = ret ? NULL : liftoff_layer_get_plane(background);
	if (!ret && (!*plane || (attempt < ATTEMPTS - 1 && copy_looms()))) {
		ret = attempt++ < ATTEMPTS ? -EBUSY : -ENOSPC;
		/* While the layers are the same, libliftoff would keep this allocation. */
		liftoff_layer_destroy(whole_screen());
	}
	if (ret != -EBUSY)
		attempt = 0;
	return ret;
}

int display_plan(uint32_t background_fb)
{
	struct liftoff_plane *plane;
	int ret;

	request = drmModeAtomicAlloc();
	if (!lit)
		request_mode();
	cursor_request(request);
	layers_update(background_fb);
	ret = allocate_planes(&plane);
	if (ret) {
		drmModeAtomicFree(request);
		return ret;
	}
	if (primary.id != liftoff_plane_get_id(plane)) {
		kms_object_free(&primary);
		kms_object_init(&primary, liftoff_plane_get_id(plane), DRM_MODE_OBJECT_PLANE);
	}
	for_each_layer(l) {
		plane = liftoff_layer_get_plane(l->liftoff);
		l->plane = plane ? liftoff_plane_get_id(plane) : 0;
		l->planeless = l->picture && !plane;
	}
	return 0;
}

/*
 * A test commit does not look into the buffers, so the real one may fail where the tests
 * passed. Then what has never been on a plane is composed. False when nothing is new.
 */
static bool distrust_new_pictures(int error)
{
	bool any = false;
	unsigned int i;

	for_each_layer(l) {
		if (!l->picture || !l->picture->fb || l->picture->proven || !l->plane)
			continue;
		say("%s: the display cannot show its buffer (%s); composing it", l->owner,
		    strerror(error));
		for (i = 0; i < l->picture->n_planes; i++)
			picture_refused(l->picture, i, "the display");
		picture_remove_fb(l->picture);
		any = true;
	}
	return any;
}

int display_commit(uint32_t background_fb, int drawing)
{
	int ret, fence = -1;

	if (background_fb) {
		kms_set(request, &primary, "FB_ID", background_fb);
		kms_set(request, &primary, "IN_FENCE_FD", drawing);
	}
	kms_set(request, &kms.crtc, "OUT_FENCE_PTR", (uintptr_t)&fence);
	ret = drmModeAtomicCommit(kms.drm, request, commit_flags() | DRM_MODE_ATOMIC_NONBLOCK,
				  NULL);
	drmModeAtomicFree(request);
	if (drawing >= 0)
		close(drawing);
	if (ret == -EBUSY)
		return ret;
	/* Another session may have the display already, before we have heard of it. */
	if (ret && ret != -EACCES && distrust_new_pictures(-ret))
		return -EAGAIN;
	lit = !ret;
	if (ret)
		return ret;
	cursor_committed();
	n_on_planes = 0;
	for_each_layer(l) {
		if (!l->picture || !l->plane)
			continue;
		l->picture->proven = true;
		on_planes[n_on_planes].plane = l->plane;
		on_planes[n_on_planes++].fence = l->fence;
	}
	return fence;
}

int display_read_back(void)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	uint32_t in_fence;
	unsigned int i;
	int ret, fence = -1;

	/* In a commit of its own after the flip: vkms_nudge() tells why. */
	kms_set(req, &kms.writeback, "WRITEBACK_FB_ID", capture.fb);
	kms_set(req, &kms.writeback, "WRITEBACK_OUT_FENCE_PTR", (uintptr_t)&fence);
	/* As in layers_update(): vkms takes all planes into every commit. */
	in_fence = kms_property(&primary, "IN_FENCE_FD", NULL);
	for (i = 0; i < n_on_planes; i++)
		drmModeAtomicAddProperty(req, on_planes[i].plane, in_fence, on_planes[i].fence);
	ret = drmModeAtomicCommit(kms.drm, req, DRM_MODE_ATOMIC_NONBLOCK, NULL);
	drmModeAtomicFree(req);
	return ret ? ret : fence;
}
