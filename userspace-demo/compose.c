// SPDX-License-Identifier: MIT
/*
 * What has no plane is drawn here, by OpenGL ES, into the picture under the planes. Pixels
 * are taken from the clients' own memory, one for one: no scaling, no filter, and whole
 * numbers for NV12, so that the result can be compared to the bit.
 */

#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GLES3/gl3.h>
#include <GLES2/gl2ext.h>
#include <drm_fourcc.h>
#include <err.h>
#include <fcntl.h>
#include <gbm.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "compose.h"
#include "display.h"
#include "kms.h"
#include "options.h"
#include "picture.h"
#include "report.h"

/* One is on the screen, the other is drawn. */
struct target {
	struct gbm_bo *bo;
	struct picture picture;
	GLuint framebuffer;
	uint64_t drawn[MAX_CELLS];	/* the serial of the frame in each cell, 0: none */
	struct rect where[MAX_CELLS];	/* of that frame */
	bool valid;
};

static struct target targets[2];
static unsigned int shown;
static int scanout_fd = -1, render_fd = -1;
static struct gbm_device *scanout, *render;
static EGLDisplay egl;
static EGLContext context;
static GLuint program_background, program_rgb, program_nv12;
static GLuint spare_framebuffer, spare_pixel;
static struct picture spare = { .fourcc = DRM_FORMAT_NV12, .n_planes = 2 };

static PFNEGLCREATEIMAGEKHRPROC create_image;
static PFNEGLDESTROYIMAGEKHRPROC destroy_image;
static PFNEGLCREATESYNCKHRPROC create_sync;
static PFNEGLDESTROYSYNCKHRPROC destroy_sync;
static PFNEGLDUPNATIVEFENCEFDANDROIDPROC dup_fence;
static PFNEGLEXPORTDMABUFIMAGEQUERYMESAPROC export_query;
static PFNEGLEXPORTDMABUFIMAGEMESAPROC export_image;
static PFNGLEGLIMAGETARGETTEXTURE2DOESPROC image_to_texture;

/* A triangle that covers the viewport. */
static const char vertex_source[] =
	"#version 300 es\n"
	"void main() {\n"
	"	gl_Position = vec4(gl_VertexID == 1 ? 3 : -1, gl_VertexID == 2 ? 3 : -1, 0, 1);\n"
	"}\n";

/* where: of the cell, in pixels; row 0 of the memory is the top of the screen. */
static const char background_source[] =
	"#version 300 es\n"
	"precision highp float;\n"
	"uniform ivec4 where;\n"
	"out vec4 color;\n"
	"void main() {\n"
	"	ivec2 p = ivec2(gl_FragCoord.xy) - where.xy;\n"
	"	ivec2 edge = min(p, where.zw - 1 - p);\n"
	"	bool line = min(edge.x, edge.y) == 2;\n"
	"	int v = line ? 72 : 40 + 16 * ((p.x / 16 + p.y / 16) & 1);\n"
	"	color = vec4(vec3(v, v, v + 12) / 255.0, 1);\n"
	"}\n";

static const char rgb_source[] =
	"#version 300 es\n"
	"precision highp float;\n"
	"uniform ivec4 where;\n"
	"uniform sampler2D plane0;\n"
	"out vec4 color;\n"
	"void main() {\n"
	"	color = texelFetch(plane0, ivec2(gl_FragCoord.xy) - where.xy, 0);\n"
	"}\n";

/* nv12_pixel() of common.c. */
static const char nv12_source[] =
	"#version 300 es\n"
	"precision highp float;\n"
	"precision highp int;\n"
	"uniform ivec4 where;\n"
	"uniform sampler2D plane0, plane1;\n"
	"out vec4 color;\n"
	"void main() {\n"
	"	ivec2 p = ivec2(gl_FragCoord.xy) - where.xy;\n"
	"	int y = int(texelFetch(plane0, p, 0).r * 255.0 + 0.5);\n"
	"	ivec2 c = ivec2(texelFetch(plane1, p / 2, 0).rg * 255.0 + 0.5) - 128;\n"
	"	y = 298 * (y - 16) + 128;\n"
	"	ivec3 rgb = ivec3(y + 409 * c.y, y - 100 * c.x - 208 * c.y, y + 516 * c.x) >> 8;\n"
	"	color = vec4(vec3(clamp(rgb, 0, 255)) / 255.0, 1);\n"
	"}\n";

static GLuint shader(GLenum type, const char *source)
{
	GLuint id = glCreateShader(type);
	char log[512];
	GLint ok;

	glShaderSource(id, 1, &source, NULL);
	glCompileShader(id);
	glGetShaderiv(id, GL_COMPILE_STATUS, &ok);
	if (!ok) {
		glGetShaderInfoLog(id, sizeof(log), NULL, log);
		errx(1, "cannot compile a shader: %s", log);
	}
	return id;
}

static GLuint program(const char *fragment_source)
{
	GLuint vertex = shader(GL_VERTEX_SHADER, vertex_source);
	GLuint fragment = shader(GL_FRAGMENT_SHADER, fragment_source);
	GLuint id = glCreateProgram();
	GLint ok;

	glAttachShader(id, vertex);
	glAttachShader(id, fragment);
	glLinkProgram(id);
	glGetProgramiv(id, GL_LINK_STATUS, &ok);
	if (!ok)
		errx(1, "cannot link a shader");
	glDeleteShader(vertex);
	glDeleteShader(fragment);
	glUseProgram(id);
	glUniform1i(glGetUniformLocation(id, "plane0"), 0);
	glUniform1i(glGetUniformLocation(id, "plane1"), 1);
	return id;
}

/* One plane of a picture as an image of its own. */
static EGLImage import_plane(const struct picture *pic, unsigned int plane, uint32_t fourcc,
			     uint32_t width, uint32_t height)
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

	return create_image(egl, EGL_NO_CONTEXT, EGL_LINUX_DMA_BUF_EXT, NULL, attribs);
}

/* A line of maps is: addresses rights offset device inode name. */
static bool mapped(uint64_t inode)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	bool found = false;
	char line[256];
	uint64_t here;

	while (maps && !found && fgets(line, sizeof(line), maps))
		found = strstr(line, "/dmabuf") &&
			sscanf(line, "%*s %*s %*s %*s %" SCNu64, &here) == 1 && here == inode;
	if (maps)
		fclose(maps);
	return found;
}

/* Ask EGL what memory is behind an image: is it what the client passed? */
static bool image_is(EGLImage image, const struct dmabuf *buf)
{
	int fourcc, n_planes, fds[4] = { -1, -1, -1, -1 };
	bool same;
	unsigned int i;

	if (export_query && export_query(egl, image, &fourcc, &n_planes, NULL) && n_planes <= 4)
		export_image(egl, image, fds, NULL, NULL);
	/* What draws on the CPU may have no answer; it reads where it has mapped the buffer. */
	same = fds[0] >= 0 ? dma_buf_inode(fds[0]) == buf->inode : mapped(buf->inode);
	for (i = 0; i < 4; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return same;
}

bool compose_takes(uint32_t fourcc)
{
	return fourcc == DRM_FORMAT_XRGB8888 || fourcc == DRM_FORMAT_ARGB8888 ||
	       fourcc == DRM_FORMAT_NV12;
}

bool compose_import(struct picture *pic)
{
	const bool nv12 = pic->fourcc == DRM_FORMAT_NV12;
	unsigned int i;

	for (i = 0; i < pic->n_planes && !pic->textures[i]; i++) {
		if (!nv12)
			pic->images[i] = import_plane(pic, i, pic->fourcc, pic->width,
						      pic->height);
		else if (i == 0)
			pic->images[i] = import_plane(pic, i, DRM_FORMAT_R8, pic->width,
						      pic->height);
		else
			pic->images[i] = import_plane(pic, i, DRM_FORMAT_GR88, pic->width / 2,
						      pic->height / 2);
		if (!pic->images[i]) {
			compose_forget(pic);
			return false;
		}
		pic->copied |= !image_is(pic->images[i], pic->dmabufs[i]);
		glGenTextures(1, &pic->textures[i]);
		glBindTexture(GL_TEXTURE_2D, pic->textures[i]);
		image_to_texture(GL_TEXTURE_2D, pic->images[i]);
		glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_NEAREST);
		glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, GL_NEAREST);
		if (glGetError()) {
			compose_forget(pic);
			return false;
		}
	}
	return true;
}

static void draw(GLuint id, const struct rect *where, const struct picture *pic)
{
	unsigned int i;

	glUseProgram(id);
	glUniform4i(glGetUniformLocation(id, "where"), where->x, where->y, where->width,
		    where->height);
	for (i = 0; pic && i < pic->n_planes; i++) {
		glActiveTexture(GL_TEXTURE0 + i);
		glBindTexture(GL_TEXTURE_2D, pic->textures[i]);
	}
	if (pic && pic->fourcc == DRM_FORMAT_ARGB8888)
		glEnable(GL_BLEND);
	else
		glDisable(GL_BLEND);
	glViewport(where->x, where->y, where->width, where->height);
	glDrawArrays(GL_TRIANGLES, 0, 3);
}

/*
 * OpenGL keeps what was sampled last, though its texture be deleted, until something else is:
 * sample one pixel of nothing, so that no memory of a client outlives it here.
 */
static void let_go(void)
{
	const struct rect where = { 0, 0, 1, 1 };

	glBindFramebuffer(GL_FRAMEBUFFER, spare_framebuffer);
	draw(program_nv12, &where, &spare);
	glFinish();
}

void compose_forget(struct picture *pic)
{
	bool sampled = false;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		sampled |= pic->textures[i];
		if (pic->textures[i])
			glDeleteTextures(1, &pic->textures[i]);
		if (pic->images[i])
			destroy_image(egl, pic->images[i]);
		pic->textures[i] = 0;
		pic->images[i] = NULL;
	}
	if (sampled)
		let_go();
}

/* Something to sample, and somewhere to draw, that is nobody's. */
static void spare_create(void)
{
	unsigned int i;

	glGenTextures(2, spare.textures);
	for (i = 0; i < 2; i++) {
		glBindTexture(GL_TEXTURE_2D, spare.textures[i]);
		glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA, 1, 1, 0, GL_RGBA, GL_UNSIGNED_BYTE, NULL);
		glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_NEAREST);
		glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, GL_NEAREST);
	}
	glGenRenderbuffers(1, &spare_pixel);
	glBindRenderbuffer(GL_RENDERBUFFER, spare_pixel);
	glRenderbufferStorage(GL_RENDERBUFFER, GL_RGBA8, 1, 1);
	glGenFramebuffers(1, &spare_framebuffer);
	glBindFramebuffer(GL_FRAMEBUFFER, spare_framebuffer);
	glFramebufferRenderbuffer(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_RENDERBUFFER,
				  spare_pixel);
}

static void target_create(struct target *target)
{
	struct picture *pic = &target->picture;
	bool fresh;
	int fd;

	target->bo = gbm_bo_create(scanout, kms.width, kms.height, GBM_FORMAT_XRGB8888,
				   GBM_BO_USE_SCANOUT | GBM_BO_USE_RENDERING |
				   GBM_BO_USE_LINEAR);
	if (!target->bo)
		err(1, "%s: cannot create a buffer to draw into", kms.device);
	fd = gbm_bo_get_fd(target->bo);
	if (fd < 0)
		err(1, "%s: cannot export the buffer to draw into", kms.device);
	pic->width = kms.width;
	pic->height = kms.height;
	pic->fourcc = DRM_FORMAT_XRGB8888;
	pic->n_planes = 1;
	pic->modifier = DRM_FORMAT_MOD_LINEAR;
	pic->strides[0] = gbm_bo_get_stride(target->bo);
	pic->dmabufs[0] = dmabuf_import(&fd, &fresh);
	if (!pic->dmabufs[0] || !framebuffer_create(pic))
		err(1, "%s: cannot show the buffer to draw into", kms.device);
	if (!compose_import(pic))
		errx(1, "EGL cannot draw into a buffer of %s (0x%x)", kms.device,
		     eglGetError());
	glGenFramebuffers(1, &target->framebuffer);
	glBindFramebuffer(GL_FRAMEBUFFER, target->framebuffer);
	glFramebufferTexture2D(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D,
			       pic->textures[0], 0);
	if (glCheckFramebufferStatus(GL_FRAMEBUFFER) != GL_FRAMEBUFFER_COMPLETE)
		errx(1, "OpenGL ES cannot draw into a buffer of %s", kms.device);
}

static struct gbm_device *open_gbm(const char *path, int *fd)
{
	struct gbm_device *gbm;

	/*
	 * A descriptor of its own: GBM closes the handles that it got, which would be ours
	 * as well if the file were the same.
	 */
	*fd = open(path, O_RDWR | O_CLOEXEC);
	if (*fd < 0)
		err(1, "%s: cannot open", path);
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

/*
 * Functions of extensions. Without native fences the drawing is waited for on the CPU; without
 * the export of images /proc/self/maps has to tell what memory EGL reads.
 */
static void find_functions(const char *extensions)
{
	create_image = (void *)eglGetProcAddress("eglCreateImageKHR");
	destroy_image = (void *)eglGetProcAddress("eglDestroyImageKHR");
	image_to_texture = (void *)eglGetProcAddress("glEGLImageTargetTexture2DOES");
	if (strstr(extensions, "EGL_ANDROID_native_fence_sync")) {
		create_sync = (void *)eglGetProcAddress("eglCreateSyncKHR");
		destroy_sync = (void *)eglGetProcAddress("eglDestroySyncKHR");
		dup_fence = (void *)eglGetProcAddress("eglDupNativeFenceFDANDROID");
	}
	if (strstr(extensions, "EGL_MESA_image_dma_buf_export")) {
		export_query = (void *)eglGetProcAddress("eglExportDMABUFImageQueryMESA");
		export_image = (void *)eglGetProcAddress("eglExportDMABUFImageMESA");
	}
}

void compose_init(void)
{
	const EGLint attribs[] = { EGL_CONTEXT_MAJOR_VERSION, 3, EGL_NONE };
	const char *extensions;
	unsigned int i;

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
	say("composing: %s", glGetString(GL_RENDERER));

	find_functions(extensions);
	program_background = program(background_source);
	program_rgb = program(rgb_source);
	program_nv12 = program(nv12_source);
	glBlendFunc(GL_ONE, GL_ONE_MINUS_SRC_ALPHA);
	spare_create();
	for (i = 0; i < 2; i++)
		target_create(&targets[i]);
}

void compose_finish(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		glDeleteFramebuffers(1, &targets[i].framebuffer);
		compose_forget(&targets[i].picture);
		framebuffer_destroy(&targets[i].picture);
		dmabuf_unref(targets[i].picture.dmabufs[0]);
		gbm_bo_destroy(targets[i].bo);
	}
	glDeleteFramebuffers(1, &spare_framebuffer);
	glDeleteRenderbuffers(1, &spare_pixel);
	glDeleteTextures(2, spare.textures);
	glDeleteProgram(program_background);
	glDeleteProgram(program_rgb);
	glDeleteProgram(program_nv12);
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

uint32_t compose_framebuffer(void)
{
	return targets[shown].picture.fb;
}

void compose_shown(uint32_t fb)
{
	if (fb)
		shown = !shown;
}

/* The layer has no plane; NULL: there is nothing to compose in this cell. */
static void draw_cell(struct target *target, unsigned int cell, const struct layer *layer)
{
	const uint32_t width = kms.width / options.columns;
	const uint32_t height = kms.height / options.rows;
	const struct rect whole = {
		cell % options.columns * width, cell / options.columns * height, width, height
	};
	const struct rect where = layer ? layer->where : (struct rect){ 0 };

	/* An opaque picture covers the one before it, if that was at the same place. */
	if (!target->valid || !layer || memcmp(&target->where[cell], &where, sizeof(where)) ||
	    layer->picture->fourcc == DRM_FORMAT_ARGB8888)
		draw(program_background, &whole, NULL);
	target->drawn[cell] = layer ? layer->serial : 0;
	target->where[cell] = where;
	if (layer)
		draw(layer->picture->fourcc == DRM_FORMAT_NV12 ? program_nv12 : program_rgb,
		     &where, layer->picture);
}

/* Wait on the CPU only where there is no other way. */
static int drawing_fence(void)
{
	EGLSync sync = create_sync ?
		create_sync(egl, EGL_SYNC_NATIVE_FENCE_ANDROID, NULL) : EGL_NO_SYNC;
	int fd;

	if (!sync) {
		glFinish();
		return -1;
	}
	glFlush();
	fd = dup_fence(egl, sync);
	destroy_sync(egl, sync);
	if (fd < 0)
		glFinish();
	return fd;
}

/* Whether a cell shows another frame than what there is to compose. */
static bool outdated(const struct target *target, unsigned int cell, const struct layer *layer)
{
	return target->drawn[cell] != (layer ? layer->serial : 0);
}

uint32_t compose(int *fence)
{
	const struct layer *composed[MAX_CELLS] = { NULL };
	struct target *front = &targets[shown], *back = &targets[!shown];
	const unsigned int cells = options.columns * options.rows;
	bool changed = !front->valid;
	unsigned int cell;

	for_each_layer(l) {
		if (l->plane || !l->picture)
			continue;
		l->refused = !compose_import(l->picture);
		if (!l->refused)
			composed[l - layers] = l;
	}
	for (cell = 0; cell < cells; cell++)
		changed |= outdated(front, cell, composed[cell]);
	*fence = -1;
	if (!changed)
		return 0;

	glBindFramebuffer(GL_FRAMEBUFFER, back->framebuffer);
	if (!back->valid) {
		/* The screen may be wider than its cells. */
		glClearColor(40 / 255.f, 40 / 255.f, 52 / 255.f, 1);
		glClear(GL_COLOR_BUFFER_BIT);
	}
	for (cell = 0; cell < cells; cell++) {
		/* It is going to be read now; who may still write it is waited for. */
		if (composed[cell] && composed[cell]->fence >= 0)
			fence_wait(composed[cell]->fence);
		if (!back->valid || outdated(back, cell, composed[cell]))
			draw_cell(back, cell, composed[cell]);
	}
	back->valid = true;
	*fence = drawing_fence();
	return back->picture.fb;
}
