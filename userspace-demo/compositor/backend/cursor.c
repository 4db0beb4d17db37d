// SPDX-License-Identifier: MIT
/*
 * The pointer's picture, always the same arrow, on the plane that displays have for it: so it moves
 * without anything being drawn.
 */

#include <drm_fourcc.h>
#include <err.h>
#include <string.h>
#include <sys/mman.h>

#include "../base/say.h"
#include "cursor.h"
#include "kms.h"

#define SIZE	64		/* where the display does not say another */
#define ARROW	18		/* its height, in pixels */

static struct kms_object plane;
static uint32_t handle, fb;
static uint64_t width = SIZE, height = SIZE;
static struct {
	bool show;
	int32_t x, y;
} wanted, committed;
struct wl_signal cursor_wanted;

uint32_t cursor_plane(void)
{
	return plane.id;
}

/* The place of our CRTC in the display's list, by which planes name it. */
static uint32_t crtc_bit(void)
{
	drmModeRes *res = drmModeGetResources(kms.drm);
	uint32_t bit = 0;
	int i;

	for (i = 0; res && i < res->count_crtcs; i++)
		if (res->crtcs[i] == kms.crtc.id)
			bit = 1u << i;
	drmModeFreeResources(res);
	return bit;
}

static bool is_for_pointers(uint32_t id)
{
	drmModePlane *info = drmModeGetPlane(kms.drm, id);
	bool reaches = info && info->possible_crtcs & crtc_bit();
	struct kms_object obj;
	uint64_t type = 0;

	drmModeFreePlane(info);
	kms_object_init(&obj, id, DRM_MODE_OBJECT_PLANE);
	kms_property(&obj, "type", &type);
	kms_object_free(&obj);
	return reaches && type == DRM_PLANE_TYPE_CURSOR;
}

static void find_plane(void)
{
	drmModePlaneRes *res;
	uint32_t i;

	/* Displays of virtual machines show theirs only to a program that sets this. */
	drmSetClientCap(kms.drm, DRM_CLIENT_CAP_CURSOR_PLANE_HOTSPOT, 1);
	res = drmModeGetPlaneResources(kms.drm);
	for (i = 0; res && i < res->count_planes && !plane.id; i++)
		if (is_for_pointers(res->planes[i]))
			kms_object_init(&plane, res->planes[i], DRM_MODE_OBJECT_PLANE);
	drmModeFreePlaneResources(res);
}

/* White with a black edge, its tip at 0, 0. */
static void draw_arrow(uint32_t *pixels, uint32_t pitch)
{
	uint32_t x, y, right;

	for (y = 0; y < ARROW; y++) {
		/* A triangle whose lower edge runs back to the left. */
		right = y < ARROW * 2 / 3 ? y : 2 * (ARROW - 1 - y);
		for (x = 0; x <= right; x++)
			pixels[y * (pitch / 4) + x] = !x || x == right || y == ARROW - 1 ?
				0xff000000 : 0xffffffff;
	}
}

static bool make_picture(void)
{
	uint32_t pitch, handles[4] = { 0 }, pitches[4] = { 0 }, offsets[4] = { 0 };
	uint64_t size, offset;
	void *map;

	if (drmModeCreateDumbBuffer(kms.drm, width, height, 32, 0, &handle, &pitch, &size))
		return false;
	handles[0] = handle;
	pitches[0] = pitch;
	if (drmModeAddFB2(kms.drm, width, height, DRM_FORMAT_ARGB8888, handles, pitches, offsets,
			  &fb, 0) || drmModeMapDumbBuffer(kms.drm, handle, &offset))
		return false;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, kms.drm, offset);
	if (map == MAP_FAILED)
		return false;
	memset(map, 0, size);
	draw_arrow(map, pitch);
	munmap(map, size);
	return true;
}

void cursor_open(void)
{
	wl_signal_init(&cursor_wanted);
	find_plane();
	if (!plane.id)
		return;
	drmGetCap(kms.drm, DRM_CAP_CURSOR_WIDTH, &width);
	drmGetCap(kms.drm, DRM_CAP_CURSOR_HEIGHT, &height);
	if (!make_picture())
		err(1, "%s: cannot make a picture of the pointer", kms.device);
}

void cursor_close(void)
{
	if (!plane.id)
		return;
	drmModeRmFB(kms.drm, fb);
	drmModeDestroyDumbBuffer(kms.drm, handle);
	kms_object_free(&plane);
}

bool cursor_moved(void)
{
	return plane.id && (wanted.show != committed.show ||
			    (wanted.show && (wanted.x != committed.x || wanted.y != committed.y)));
}

void cursor_move(bool show, int32_t x, int32_t y)
{
	if (show && !wanted.show && !plane.id)
		say("%s: no plane for the pointer; it is not to be seen", kms.device);
	wanted.show = show;
	wanted.x = x;
	wanted.y = y;
	if (cursor_moved())
		wl_signal_emit_mutable(&cursor_wanted, NULL);
}

void cursor_request(drmModeAtomicReq *req)
{
	if (!plane.id)
		return;
	kms_set(req, &plane, "FB_ID", wanted.show ? fb : 0);
	kms_set(req, &plane, "CRTC_ID", wanted.show ? kms.crtc.id : 0);
	if (!wanted.show)
		return;
	kms_set(req, &plane, "CRTC_X", (int64_t)wanted.x);
	kms_set(req, &plane, "CRTC_Y", (int64_t)wanted.y);
	kms_set(req, &plane, "CRTC_W", width);
	kms_set(req, &plane, "CRTC_H", height);
	kms_set(req, &plane, "SRC_X", 0);
	kms_set(req, &plane, "SRC_Y", 0);
	kms_set(req, &plane, "SRC_W", width << 16);
	kms_set(req, &plane, "SRC_H", height << 16);
}

void cursor_committed(void)
{
	committed = wanted;
}
