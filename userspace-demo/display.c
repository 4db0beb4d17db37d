// SPDX-License-Identifier: MIT
/*
 * What is on the screen: planes (libliftoff decides which layer gets one), atomic commits with
 * fences, and reading back what they show.
 */

#include <drm_fourcc.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libliftoff.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common.h"
#include "display.h"
#include "kms.h"
#include "options.h"
#include "picture.h"
#include "report.h"

/*
 * libliftoff tries allocations by test commits until its time is up, and then takes the best
 * one so far; on a slow machine the default of 1 ms may not be enough for any.
 */
#define ALLOCATION_NS	50000000
#define PATIENT_NS	10000000000

struct layer layers[MAX_CELLS];
struct readback readback;

static struct kms_object primary;	/* the plane of the background */
static bool lit;			/* the mode is set */
static struct liftoff_device *liftoff;
static struct liftoff_output *output;
static struct liftoff_layer *background, *always_composed;
static drmModeAtomicReq *request;	/* from display_plan() to display_commit() */
static uint32_t readback_handle, readback_fb;
static uint64_t readback_size;
static int nudge_fd = -1;

static void readback_create(void)
{
	uint32_t zero[4] = { 0 }, handles[4] = { 0 }, strides[4] = { 0 };
	uint64_t offset;
	void *map;

	if (!kms.writeback.id)
		errx(1, "%s: no writeback connector to read back by (modprobe vkms enable_writeback=1)",
		     kms.device);
	if (drmModeCreateDumbBuffer(kms.drm, kms.width, kms.height, 32, 0, &readback_handle,
				    &readback.stride, &readback_size) ||
	    drmModeMapDumbBuffer(kms.drm, readback_handle, &offset))
		err(1, "%s: cannot create a buffer to read back into", kms.device);
	map = mmap(NULL, readback_size, PROT_READ, MAP_SHARED, kms.drm, offset);
	if (map == MAP_FAILED)
		err(1, "%s: cannot map the buffer to read back into", kms.device);
	readback.pixels = map;
	handles[0] = readback_handle;
	strides[0] = readback.stride;
	if (drmModeAddFB2(kms.drm, kms.width, kms.height, DRM_FORMAT_XRGB8888, handles,
			  strides, zero, &readback_fb, 0))
		err(1, "%s: cannot make a framebuffer to read back into", kms.device);
}

static struct liftoff_layer *liftoff_create(uint32_t x, uint32_t y, uint32_t width,
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

struct layer *display_layer_create(unsigned int cell, const char *owner, const struct rect *where)
{
	layers[cell] = (struct layer){
		.owner = owner,
		.where = *where,
		.liftoff = liftoff_create(where->x, where->y, where->width, where->height, 1),
	};
	return &layers[cell];
}

void display_layer_destroy(struct layer *layer)
{
	liftoff_layer_destroy(layer->liftoff);
	*layer = (struct layer){ 0 };
}

void display_open(void)
{
	kms_open();
	if (options.proofs || options.pictures)
		readback_create();

	liftoff_log_set_priority(LIFTOFF_ERROR);
	liftoff = liftoff_device_create(kms.drm);
	if (!liftoff || liftoff_device_register_all_planes(liftoff))
		errx(1, "%s: libliftoff cannot use it", kms.device);
	output = liftoff_output_create(liftoff, kms.crtc.id);
	if (!output)
		errx(1, "out of memory");
	/*
	 * What has no plane is drawn into the background. libliftoff shows the background only
	 * while some layer has no plane, so one layer never gets one.
	 */
	background = liftoff_create(0, 0, kms.width, kms.height, 0);
	always_composed = liftoff_create(0, 0, kms.width, kms.height, 0);
	liftoff_layer_set_fb_composited(always_composed);
	liftoff_output_set_composition_layer(output, background);

	say("display: %s (%s), %s, %s", kms.device, kms.driver, kms.mode,
	    readback_fb ? "read back by its writeback connector" : "not read back");
}

void display_close(void)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();

	/* The planes first, so that nothing is lost by a framebuffer that goes away. */
	liftoff_layer_destroy(background);
	liftoff_layer_destroy(always_composed);
	liftoff_output_apply(output, req, DRM_MODE_ATOMIC_ALLOW_MODESET, NULL);
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

	if (readback_fb) {
		drmModeRmFB(kms.drm, readback_fb);
		munmap((void *)readback.pixels, readback_size);
		drmModeDestroyDumbBuffer(kms.drm, readback_handle);
	}
	kms_object_free(&primary);
	kms_close();
}

/*
 * Give every layer its picture; those over the limit of planes are composed. So is NV12: vkms of
 * 7.3 has planes for it, but rounds as it likes, and a checksum compares to the bit.
 */
static void layers_update(uint32_t background_fb)
{
	unsigned int on_planes = 0;

	for_each_layer(l) {
		if (!l->picture)
			continue;
		if (!l->picture->fb || on_planes == options.planes ||
		    l->picture->fourcc == DRM_FORMAT_NV12) {
			liftoff_layer_set_fb_composited(l->liftoff);
			continue;
		}
		on_planes++;
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
	/*
	 * vkms on 6.12 does not show one picture on two connectors: when it is read back, the
	 * writeback connector is the only one.
	 */
	kms_set(request, &kms.monitor, "CRTC_ID", readback_fb ? 0 : kms.crtc.id);
	if (readback_fb)
		kms_set(request, &kms.writeback, "CRTC_ID", kms.crtc.id);
}

/* Have libliftoff find a plane for each layer that can have one. Returns the background's. */
static struct liftoff_plane *allocate_planes(void)
{
	static const int64_t patience[] = { ALLOCATION_NS, PATIENT_NS };
	struct liftoff_plane *plane = NULL;
	int i, ret = 0;

	for (i = 0; i < 2 && !plane; i++) {
		struct liftoff_output_apply_options limits = { .timeout_ns = patience[i] };

		ret = liftoff_output_apply(output, request, commit_flags(), &limits);
		if (!ret)
			plane = liftoff_layer_get_plane(background);
	}
	if (!plane)
		errx(1, "%s: no plane for the background: %s", kms.device,
		     strerror(ret ? -ret : ENOSPC));
	return plane;
}

void display_plan(uint32_t background_fb)
{
	struct liftoff_plane *plane;

	request = drmModeAtomicAlloc();
	if (!lit)
		request_mode();
	layers_update(background_fb);
	plane = allocate_planes();
	if (primary.id != liftoff_plane_get_id(plane)) {
		kms_object_free(&primary);
		kms_object_init(&primary, liftoff_plane_get_id(plane), DRM_MODE_OBJECT_PLANE);
	}
	for_each_layer(l) {
		plane = liftoff_layer_get_plane(l->liftoff);
		l->plane = plane ? liftoff_plane_get_id(plane) : 0;
	}
}

/*
 * A test commit does not look into the buffers, so the real one may fail where the tests
 * passed. Then what has never been on a plane is composed. False when nothing is new.
 */
static bool distrust_new_pictures(int error)
{
	bool any = false;

	for_each_layer(l) {
		if (!l->picture || !l->picture->fb || l->picture->proven || !l->plane)
			continue;
		say("%s: the display cannot show its buffer (%s); composing it", l->owner,
		    strerror(error));
		framebuffer_destroy(l->picture);
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
	int ret = drmModeAtomicCommit(kms.drm, req, flags | DRM_MODE_ATOMIC_NONBLOCK, NULL);

	return ret == -EBUSY ? drmModeAtomicCommit(kms.drm, req, flags, NULL) : ret;
}

int display_commit(uint32_t background_fb, int drawing)
{
	int ret, fence;

	if (background_fb) {
		kms_set(request, &primary, "FB_ID", background_fb);
		kms_set(request, &primary, "IN_FENCE_FD", drawing);
	}
	kms_set(request, &kms.crtc, "OUT_FENCE_PTR", (uintptr_t)&fence);
	ret = commit(request, commit_flags());
	drmModeAtomicFree(request);
	if (drawing >= 0)
		close(drawing);
	if (ret && distrust_new_pictures(-ret))
		return -1;
	if (ret)
		errx(1, "%s: cannot flip: %s", kms.device, strerror(-ret));

	lit = true;
	for_each_layer(l)
		if (l->picture && l->plane)
			l->picture->proven = true;
	return fence;
}

int display_read_back(void)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	uint32_t in_fence;
	int fence;

	/*
	 * In a commit of its own after the flip, since vkms's clean-up of one readback may
	 * stop the next: see display_nudge().
	 */
	kms_set(req, &kms.writeback, "WRITEBACK_FB_ID", readback_fb);
	kms_set(req, &kms.writeback, "WRITEBACK_OUT_FENCE_PTR", (uintptr_t)&fence);
	/* As in layers_update(): vkms takes all planes into every commit. */
	in_fence = kms_property(&primary, "IN_FENCE_FD", NULL);
	for_each_layer(l)
		if (l->plane && l->picture &&
		    drmModeAtomicAddProperty(req, l->plane, in_fence, l->fence) < 0)
			err(1, "out of memory");
	if (commit(req, 0))
		err(1, "%s: cannot read back", kms.device);
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
	if (fstat(kms.drm, &st))
		err(1, "%s: cannot fstat", kms.device);
	snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%u/crtc-0/crc/data",
		 minor(st.st_rdev));
	nudge_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (nudge_fd < 0)
		err(1, "%s: a readback does not end, and cannot open %s to help", kms.device,
		    path);
	readback.stuck++;
	say("display: a readback was stuck; composing switched on again");
}

void display_nudge_done(void)
{
	if (nudge_fd >= 0)
		close(nudge_fd);
	nudge_fd = -1;
}
