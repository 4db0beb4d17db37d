// SPDX-License-Identifier: MIT
/* EGL and OpenGL ES on the device that draws: the context, its formats, images and fences. */

#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GLES3/gl3.h>
#include <GLES2/gl2ext.h>
#include <drm_fourcc.h>
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../backend/kms.h"
#include "../backend/picture.h"
#include "../base/options.h"
#include "../base/say.h"
#include "egl.h"

#define MAX_MODIFIERS	64

EGLDisplay egl;
struct gbm_device *scanout;

static int scanout_fd = -1, render_fd = -1;
static struct gbm_device *render;
static EGLContext context;
static PFNEGLCREATEIMAGEKHRPROC create_image;
static PFNEGLDESTROYIMAGEKHRPROC destroy_image;
static PFNEGLCREATESYNCKHRPROC create_sync;
static PFNEGLDESTROYSYNCKHRPROC destroy_sync;
static PFNEGLDUPNATIVEFENCEFDANDROIDPROC dup_fence;
static PFNEGLQUERYDMABUFMODIFIERSEXTPROC query_modifiers;
static PFNGLEGLIMAGETARGETTEXTURE2DOESPROC image_to_texture;

EGLImage egl_bind(const struct picture *pic, unsigned int plane, uint32_t fourcc, uint32_t width,
		  uint32_t height)
{
	const EGLint attribs[] = {
		EGL_WIDTH, width,
		EGL_HEIGHT, height,
		EGL_LINUX_DRM_FOURCC_EXT, fourcc,
		EGL_DMA_BUF_PLANE0_FD_EXT, pic->dmabufs[plane]->fd,
		EGL_DMA_BUF_PLANE0_OFFSET_EXT, pic->offsets[plane],
		EGL_DMA_BUF_PLANE0_PITCH_EXT, pic->strides[plane],
		EGL_DMA_BUF_PLANE0_MODIFIER_LO_EXT, (EGLint)pic->modifier,
		EGL_DMA_BUF_PLANE0_MODIFIER_HI_EXT, (EGLint)(pic->modifier >> 32),
		EGL_NONE
	};
	EGLImage image = create_image(egl, EGL_NO_CONTEXT, EGL_LINUX_DMA_BUF_EXT, NULL, attribs);

	if (image)
		image_to_texture(GL_TEXTURE_2D, image);
	return image;
}

void egl_image_destroy(EGLImage image)
{
	destroy_image(egl, image);
}

int egl_fence(void)
{
	EGLSync sync = create_sync ?
		create_sync(egl, EGL_SYNC_NATIVE_FENCE_ANDROID, NULL) : EGL_NO_SYNC;
	int fd = -1;

	glFlush();
	if (sync) {
		fd = dup_fence(egl, sync);
		destroy_sync(egl, sync);
	}
	/* Waiting is right only for a driver that has no other way. */
	if (fd < 0)
		glFinish();
	return fd;
}

/* The modifiers of a format that a plain sampler takes. */
static void format_modifiers(struct formats *set, uint32_t fourcc)
{
	uint64_t modifiers[MAX_MODIFIERS];
	EGLBoolean external[MAX_MODIFIERS];
	EGLint i, n = 0;

	if (!query_modifiers(egl, fourcc, MAX_MODIFIERS, modifiers, external, &n))
		return;
	/* Some drivers count also those that had no room. */
	for (i = 0; i < n && i < MAX_MODIFIERS; i++)
		if (!external[i])
			formats_add(set, fourcc, modifiers[i]);
	/* A driver that knows no modifiers has one layout, and EGL takes it as linear. */
	if (!n)
		formats_add(set, fourcc, DRM_FORMAT_MOD_LINEAR);
}

void egl_formats(struct formats *set)
{
	PFNEGLQUERYDMABUFFORMATSEXTPROC query_formats =
		(void *)eglGetProcAddress("eglQueryDmaBufFormatsEXT");
	EGLint i, n = 0;
	EGLint *list;

	if (!query_formats(egl, 0, NULL, &n) || !n)
		errx(1, "EGL says of no format that it can import it");
	list = calloc(n, sizeof(*list));
	if (!list || !query_formats(egl, n, list, &n))
		errx(1, "EGL does not say what it can import");
	for (i = 0; i < n; i++)
		format_modifiers(set, list[i]);
	free(list);
}

static struct gbm_device *open_gbm(const char *path, int *fd)
{
	struct gbm_device *gbm;
	drm_magic_t magic;

	/*
	 * A descriptor of its own: GBM closes the handles that it got, which would be ours
	 * as well if the file were the same.
	 */
	*fd = open(path, O_RDWR | O_CLOEXEC);
	if (*fd < 0)
		err(1, "%s: cannot open", path);
	/* On a card, some drivers let only root draw, and whom the display's master knows. */
	if (!drmGetMagic(*fd, &magic))
		drmAuthMagic(kms.drm, magic);
	gbm = gbm_create_device(*fd);
	if (!gbm)
		err(1, "%s: GBM cannot use it", path);
	return gbm;
}

static void need(const char *extensions, const char *name)
{
	if (!extensions || !strstr(extensions, name))
		errx(1, "no %s here", name);
}

/* Functions of extensions. Without native fences the drawing is waited for on the CPU. */
static void find_functions(const char *extensions)
{
	create_image = (void *)eglGetProcAddress("eglCreateImageKHR");
	destroy_image = (void *)eglGetProcAddress("eglDestroyImageKHR");
	query_modifiers = (void *)eglGetProcAddress("eglQueryDmaBufModifiersEXT");
	image_to_texture = (void *)eglGetProcAddress("glEGLImageTargetTexture2DOES");
	if (strstr(extensions, "EGL_ANDROID_native_fence_sync")) {
		create_sync = (void *)eglGetProcAddress("eglCreateSyncKHR");
		destroy_sync = (void *)eglGetProcAddress("eglDestroySyncKHR");
		dup_fence = (void *)eglGetProcAddress("eglDupNativeFenceFDANDROID");
	}
}

void egl_open(void)
{
	const EGLint attribs[] = { EGL_CONTEXT_MAJOR_VERSION, 3, EGL_NONE };
	const char *extensions;

	scanout = open_gbm(kms.device, &scanout_fd);
	render = scanout;
	if (options.render)
		render = open_gbm(options.render, &render_fd);

	egl = eglGetPlatformDisplay(EGL_PLATFORM_GBM_KHR, render, NULL);
	if (!egl || !eglInitialize(egl, NULL, NULL))
		errx(1, "no EGL on this device (0x%x)", eglGetError());
	extensions = eglQueryString(egl, EGL_EXTENSIONS);
	need(extensions, "EGL_KHR_no_config_context");
	need(extensions, "EGL_KHR_surfaceless_context");
	need(extensions, "EGL_EXT_image_dma_buf_import_modifiers");
	eglBindAPI(EGL_OPENGL_ES_API);
	context = eglCreateContext(egl, EGL_NO_CONFIG_KHR, EGL_NO_CONTEXT, attribs);
	if (!context || !eglMakeCurrent(egl, EGL_NO_SURFACE, EGL_NO_SURFACE, context))
		errx(1, "no OpenGL ES 3 on this device (0x%x)", eglGetError());
	need((const char *)glGetString(GL_EXTENSIONS), "GL_OES_EGL_image");
	find_functions(extensions);
	say("composing: %s", glGetString(GL_RENDERER));
}

void egl_close(void)
{
	eglMakeCurrent(egl, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
	eglDestroyContext(egl, context);
	eglTerminate(egl);
	if (options.render) {
		gbm_device_destroy(render);
		close(render_fd);
	}
	gbm_device_destroy(scanout);
	close(scanout_fd);
}
