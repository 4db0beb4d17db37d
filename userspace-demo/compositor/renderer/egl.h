/* SPDX-License-Identifier: MIT */
/* EGL and OpenGL ES on the device that draws: the context, its formats, images and fences. */
#ifndef DEMO_EGL_H
#define DEMO_EGL_H

#include <EGL/egl.h>
#include <GLES3/gl3.h>
#include <gbm.h>

#include "../base/formats.h"

struct picture;

extern EGLDisplay egl;
/* Allocates what the display shows; its descriptor is not kms.drm. */
extern struct gbm_device *scanout;

/* What cannot draw ends the program. */
void egl_open(void);
void egl_close(void);
/* What EGL imports and OpenGL ES samples, as they say it. */
void egl_formats(struct formats *set);
/* Bind a texture to the memory of one plane of a picture, and sample that as fourcc. */
EGLImage egl_bind(const struct picture *pic, unsigned int plane, uint32_t fourcc, uint32_t width,
		  uint32_t height);
void egl_image_destroy(EGLImage image);
/* A sync_file of the drawing so far, or -1 when it has ended. */
int egl_fence(void);

#endif
