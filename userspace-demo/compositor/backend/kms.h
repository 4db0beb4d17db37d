/* SPDX-License-Identifier: MIT */
/* The display device: its parts, their properties, the mode, and what its planes take. */
#ifndef DEMO_KMS_H
#define DEMO_KMS_H

#include <stdbool.h>
#include <stdint.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "../base/formats.h"

/* A KMS object and its properties, which commits address by number and people by name. */
struct kms_object {
	uint32_t id;		/* 0: there is none */
	drmModeObjectProperties *values;
	drmModePropertyRes **props;
};

struct kms {
	char device[64], driver[16], mode[48], make[32], model[32];
	int drm;
	bool knows_modifiers;
	uint32_t width, height, refresh;	/* refresh in mHz */
	uint32_t mm_width, mm_height;
	uint32_t mode_blob;
	uint32_t crtc_bit;	/* in masks of possible CRTCs */
	struct kms_object crtc, monitor, writeback;
};

extern struct kms kms;

/* Find the device, a monitor, a CRTC for it and a mode. Does not return without them. */
void kms_open(void);
void kms_close(void);

void kms_object_init(struct kms_object *obj, uint32_t id, uint32_t type);
void kms_object_free(struct kms_object *obj);
/* The number of a property, 0 if the object has none of this name. */
uint32_t kms_property(const struct kms_object *obj, const char *name, uint64_t *value);
/* Set a property in a commit; an object that has none of this name ends the program. */
void kms_set(drmModeAtomicReq *req, const struct kms_object *obj, const char *name,
	     uint64_t value);
/* What the planes of the CRTC take, as they say it. */
void kms_formats(struct formats *set);

#endif
