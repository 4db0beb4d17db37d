// SPDX-License-Identifier: MIT
/* The display device: its parts, their properties, the mode, and what its planes take. */

#include <drm_fourcc.h>
#include <err.h>
#include <libdisplay-info/edid.h>
#include <libdisplay-info/info.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common.h"
#include "../base/options.h"
#include "../base/say.h"
#include "kms.h"
#include "seat.h"

struct kms kms = { .drm = -1, .make = "unknown", .model = "unknown" };

void kms_object_init(struct kms_object *obj, uint32_t id, uint32_t type)
{
	uint32_t i;

	obj->id = id;
	obj->values = drmModeObjectGetProperties(kms.drm, id, type);
	if (!obj->values)
		err(1, "%s: cannot get the properties of object %u", kms.device, id);
	obj->props = calloc(obj->values->count_props, sizeof(*obj->props));
	if (!obj->props)
		err(1, "out of memory");
	for (i = 0; i < obj->values->count_props; i++) {
		obj->props[i] = drmModeGetProperty(kms.drm, obj->values->props[i]);
		if (!obj->props[i])
			err(1, "%s: cannot get property %u", kms.device, obj->values->props[i]);
	}
}

void kms_object_free(struct kms_object *obj)
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

uint32_t kms_property(const struct kms_object *obj, const char *name, uint64_t *value)
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

void kms_set(drmModeAtomicReq *req, const struct kms_object *obj, const char *name,
	     uint64_t value)
{
	uint32_t prop = kms_property(obj, name, NULL);

	if (!prop)
		errx(1, "%s: object %u has nothing called '%s'", kms.device, obj->id, name);
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

	kms_property(&kms.monitor, "EDID", &id);
	blob = id ? drmModeGetPropertyBlob(kms.drm, id) : NULL;
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
	snprintf(kms.make, sizeof(kms.make), "%s", make ? make : "?");
	snprintf(kms.model, sizeof(kms.model), "%s", model ? model : "?");
	free(make);
	free(model);
	di_info_destroy(info);
	say("display: monitor %s %s, its EDID prefers %ux%u", kms.make, kms.model,
	    found ? *width : 0, found ? *height : 0);
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
			errx(1, "%s: no mode of %ux%u", kms.device, options.width, options.height);
	} else if (edid_mode(&width, &height)) {
		mode = find_mode(con, width, height);
	}
	for (i = 0; !mode && i < con->count_modes; i++)
		if (con->modes[i].type & DRM_MODE_TYPE_PREFERRED)
			mode = &con->modes[i];
	if (!mode)
		mode = &con->modes[0];
	if (drmModeCreatePropertyBlob(kms.drm, mode, sizeof(*mode), &kms.mode_blob))
		err(1, "%s: cannot make a mode blob", kms.device);
	kms.width = mode->hdisplay;
	kms.height = mode->vdisplay;
	kms.refresh = mode->vrefresh * 1000;
	kms.mm_width = con->mmWidth;
	kms.mm_height = con->mmHeight;
	snprintf(kms.mode, sizeof(kms.mode), "%s@%u", mode->name, mode->vrefresh);
}

/* The first CRTC that the monitor can be driven by. */
static void find_crtc(const drmModeRes *res, const drmModeConnector *con)
{
	drmModeEncoder *encoder = drmModeGetEncoder(kms.drm, con->encoders[0]);
	int i;

	for (i = 0; encoder && !kms.crtc.id && i < res->count_crtcs; i++) {
		kms.crtc_bit = 1u << i;
		if (encoder->possible_crtcs & kms.crtc_bit)
			kms_object_init(&kms.crtc, res->crtcs[i], DRM_MODE_OBJECT_CRTC);
	}
	drmModeFreeEncoder(encoder);
}

/* The first connector with a monitor, a CRTC for it, and a writeback connector if needed. */
static void find_outputs(void)
{
	drmModeRes *res = drmModeGetResources(kms.drm);
	int i;

	if (!res)
		err(1, "%s: cannot list its parts", kms.device);
	for (i = 0; i < res->count_connectors; i++) {
		drmModeConnector *con = drmModeGetConnector(kms.drm, res->connectors[i]);

		if (!con)
			err(1, "%s: cannot get connector %u", kms.device, res->connectors[i]);
		if (con->connector_type == DRM_MODE_CONNECTOR_WRITEBACK) {
			if (!kms.writeback.id)
				kms_object_init(&kms.writeback, con->connector_id,
						DRM_MODE_OBJECT_CONNECTOR);
		} else if (!kms.monitor.id && con->connection == DRM_MODE_CONNECTED &&
			   con->count_modes && con->count_encoders) {
			kms_object_init(&kms.monitor, con->connector_id, DRM_MODE_OBJECT_CONNECTOR);
			choose_mode(con);
			find_crtc(res, con);
		}
		drmModeFreeConnector(con);
	}
	drmModeFreeResources(res);
	if (!kms.crtc.id)
		errx(1, "%s: no monitor is connected", kms.device);
}

void kms_open(void)
{
	drmVersion *version;
	uint64_t cap = 0;

	/* Find it, then open it for the session that is in front. */
	close(open_device(options.device, "/dev/dri/card", "a display", has_display, kms.device,
			  sizeof(kms.device)));
	kms.drm = seat_open_device(kms.device);
	if (kms.drm < 0)
		err(1, "%s: cannot open", kms.device);
	version = drmGetVersion(kms.drm);
	snprintf(kms.driver, sizeof(kms.driver), "%s", version ? version->name : "?");
	drmFreeVersion(version);
	if (drmSetClientCap(kms.drm, DRM_CLIENT_CAP_ATOMIC, 1))
		err(1, "%s: no atomic mode setting", kms.device);
	drmSetClientCap(kms.drm, DRM_CLIENT_CAP_WRITEBACK_CONNECTORS, 1);
	drmGetCap(kms.drm, DRM_CAP_ADDFB2_MODIFIERS, &cap);
	kms.knows_modifiers = cap;
	find_outputs();
}

void kms_close(void)
{
	drmModeDestroyPropertyBlob(kms.drm, kms.mode_blob);
	kms_object_free(&kms.crtc);
	kms_object_free(&kms.monitor);
	kms_object_free(&kms.writeback);
	seat_close_device(kms.drm);
}

static void plane_formats(const drmModePlane *plane, struct formats *set)
{
	drmModeFormatModifierIterator iter = { 0 };
	drmModePropertyBlobRes *blob = NULL;
	struct kms_object obj;
	uint64_t blob_id = 0, type = 0;
	uint32_t i;

	kms_object_init(&obj, plane->plane_id, DRM_MODE_OBJECT_PLANE);
	kms_property(&obj, "IN_FORMATS", &blob_id);
	kms_property(&obj, "type", &type);
	kms_object_free(&obj);
	/* Windows are not shown on it. */
	if (type == DRM_PLANE_TYPE_CURSOR)
		return;
	if (blob_id)
		blob = drmModeGetPropertyBlob(kms.drm, blob_id);
	while (blob && drmModeFormatModifierBlobIterNext(blob, &iter))
		formats_add(set, iter.fmt, iter.mod);
	drmModeFreePropertyBlob(blob);
	if (kms.knows_modifiers)
		return;

	/* What knows no modifiers is linear. */
	for (i = 0; i < plane->count_formats; i++)
		formats_add(set, plane->formats[i], DRM_FORMAT_MOD_LINEAR);
}

void kms_formats(struct formats *set)
{
	drmModePlaneRes *res = drmModeGetPlaneResources(kms.drm);
	drmModePlane *plane;
	uint32_t i;

	for (i = 0; res && i < res->count_planes; i++) {
		plane = drmModeGetPlane(kms.drm, res->planes[i]);
		if (plane && plane->possible_crtcs & kms.crtc_bit)
			plane_formats(plane, set);
		drmModeFreePlane(plane);
	}
	drmModeFreePlaneResources(res);
}
