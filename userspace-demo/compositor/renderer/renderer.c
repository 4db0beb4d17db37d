// SPDX-License-Identifier: MIT
/*
 * What has no plane is drawn here, by OpenGL ES, into the picture under the planes. Pixels
 * are taken from the clients' own memory, one for one: no scaling, no filter, and whole
 * numbers for NV12, so that the result can be compared to the bit.
 */

#include <GLES3/gl3.h>
#include <drm_fourcc.h>
#include <err.h>
#include <string.h>
#include <unistd.h>

#include "../backend/display.h"
#include "../backend/kms.h"
#include "../backend/picture.h"
#include "../base/options.h"
#include "../base/say.h"
#include "egl.h"
#include "renderer.h"
#include "software.h"

/* One is on the screen, the other is drawn. */
struct target {
	struct gbm_bo *bo;
	struct picture *picture;
	GLuint framebuffer;
	uint64_t drawn[MAX_LAYERS];	/* the serial of the frame of each layer, 0: none */
	struct rect where[MAX_LAYERS];	/* of that frame */
	bool valid;
};

static struct target targets[2];
static unsigned int shown;
static GLuint program_background, program_rgb, program_nv12;
static GLuint spare_framebuffer, spare_pixel;
static struct picture spare = { .fourcc = DRM_FORMAT_NV12, .n_planes = 2 };

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
	if (pic && layout_of(pic->fourcc)->alpha)
		glEnable(GL_BLEND);
	else
		glDisable(GL_BLEND);
	glViewport(where->x, where->y, where->width, where->height);
	glDrawArrays(GL_TRIANGLES, 0, 3);
}

/*
 * OpenGL keeps what was sampled last until something else is, even if its texture is deleted. So
 * sample one pixel of nothing, so that no memory of a client outlives it here. What draws on the CPU
 * has drawn by now, but lets go only when it is asked to finish. What draws on a GPU lets go when the
 * fence signals. That is not waited for: it may depend on a fence of the client's.
 */
static void let_go(void)
{
	const struct rect where = { 0, 0, 1, 1 };
	int fence;

	glBindFramebuffer(GL_FRAMEBUFFER, spare_framebuffer);
	draw(program_nv12, &where, &spare);
	fence = egl_fence();
	if (fence < 0)
		return;
	if (!fence_pending(fence))
		glFinish();
	close(fence);
}

static void forget(struct picture *pic)
{
	bool sampled = false;
	unsigned int i;

	for (i = 0; i < MAX_TEXTURES; i++) {
		sampled |= pic->textures[i];
		if (pic->textures[i])
			glDeleteTextures(1, &pic->textures[i]);
		if (pic->images[i])
			egl_image_destroy(pic->images[i]);
		pic->textures[i] = 0;
		pic->images[i] = NULL;
	}
	if (sampled)
		let_go();
}

void renderer_unref(struct picture *pic)
{
	if (--pic->users)
		return;
	forget(pic);
	picture_free(pic);
}

void renderer_formats(struct formats *set)
{
	struct formats all = { 0 };
	const struct layout *layout;
	size_t i, j;

	egl_formats(&all);
	for (i = 0; (layout = layout_number(i)); i++)
		for (j = 0; j < all.n; j++)
			if (layout->fourcc == all.list[j].fourcc)
				formats_add(set, layout->fourcc, all.list[j].modifier);
	/* NV12 is sampled as two pictures, one of luma and one of chroma. */
	if (formats_have(&all, DRM_FORMAT_R8, DRM_FORMAT_MOD_LINEAR) &&
	    formats_have(&all, DRM_FORMAT_GR88, DRM_FORMAT_MOD_LINEAR))
		formats_add(set, DRM_FORMAT_NV12, DRM_FORMAT_MOD_LINEAR);
	formats_free(&all);
}

/* How many columns or rows of a plane are seen in a cell; part: how many pixels share one of them. */
static GLsizei seen(uint32_t size, uint32_t cell, unsigned int part)
{
	return ((size < cell ? size : cell) + part - 1) / part;
}

/*
 * A copy of what is seen of one plane: a picture is as large as its client likes, and all windows
 * wait for the copy. OpenGL ES does not know the byte order B, G, R, A: swap when sampling.
 */
static void upload(const struct picture *pic, unsigned int plane, const void *pixels)
{
	static const struct {
		GLint internal;
		GLenum format;
		unsigned int bytes, part;
	} rgb = { GL_RGBA, GL_RGBA, 4, 1 }, nv12[] = {
		{ GL_R8, GL_RED, 1, 1 }, { GL_RG8, GL_RG, 2, 2 },
	}, *how;

	how = pic->fourcc == DRM_FORMAT_NV12 ? &nv12[plane] : &rgb;
	glPixelStorei(GL_UNPACK_ROW_LENGTH, pic->strides[plane] / how->bytes);
	glTexImage2D(GL_TEXTURE_2D, 0, how->internal,
		     seen(pic->width, kms.width / options.columns, how->part),
		     seen(pic->height, kms.height / options.rows, how->part), 0, how->format,
		     GL_UNSIGNED_BYTE, pixels);
	glPixelStorei(GL_UNPACK_ROW_LENGTH, 0);
	if (pic->fourcc != DRM_FORMAT_XRGB8888 && pic->fourcc != DRM_FORMAT_ARGB8888)
		return;
	glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_SWIZZLE_R, GL_BLUE);
	glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_SWIZZLE_B, GL_RED);
}

/* The texture of one plane. */
static bool bind_plane(struct picture *pic, unsigned int plane)
{
	if (pic->pixels) {
		upload(pic, plane, pic->pixels);
		return true;
	}
	if (pic->to_copy)
		return software_read(pic, plane, upload);
	if (pic->fourcc != DRM_FORMAT_NV12)
		pic->images[plane] = egl_bind(pic, plane, pic->fourcc, pic->width, pic->height);
	else if (plane == 0)
		pic->images[plane] = egl_bind(pic, plane, DRM_FORMAT_R8, pic->width, pic->height);
	else
		pic->images[plane] = egl_bind(pic, plane, DRM_FORMAT_GR88, pic->width / 2,
					      pic->height / 2);
	return pic->images[plane];
}

void renderer_look(struct picture *pic)
{
	pic->to_copy = software_must_copy(pic);
}

bool renderer_import(struct picture *pic, uint64_t serial)
{
	unsigned int i;

	if (pic->textures[0] && (!pic->to_copy || pic->copied == serial))
		return true;
	for (i = 0; i < pic->n_planes; i++) {
		if (!pic->textures[i])
			glGenTextures(1, &pic->textures[i]);
		glBindTexture(GL_TEXTURE_2D, pic->textures[i]);
		glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_NEAREST);
		glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, GL_NEAREST);
		if (!bind_plane(pic, i) || glGetError()) {
			/* That it cannot even be copied says less than who refused it before. */
			if (!pic->pixels && (!pic->to_copy || !*pic->refusal))
				picture_refused(pic, i, "EGL");
			forget(pic);
			return false;
		}
	}
	pic->copied = serial;
	return true;
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
	struct picture *pic = target->picture = picture_new();
	int fds[MAX_PLANES];

	target->bo = gbm_bo_create(scanout, kms.width, kms.height, GBM_FORMAT_XRGB8888,
				   GBM_BO_USE_SCANOUT | GBM_BO_USE_RENDERING |
				   GBM_BO_USE_LINEAR);
	if (!target->bo || !pic)
		err(1, "%s: cannot create a buffer to draw into", kms.device);
	fds[0] = gbm_bo_get_fd(target->bo);
	if (fds[0] < 0)
		err(1, "%s: cannot export the buffer to draw into", kms.device);
	pic->width = kms.width;
	pic->height = kms.height;
	pic->fourcc = DRM_FORMAT_XRGB8888;
	pic->n_planes = 1;
	pic->modifier = DRM_FORMAT_MOD_LINEAR;
	pic->strides[0] = gbm_bo_get_stride(target->bo);
	if (!picture_import(pic, fds) || !picture_add_fb(pic))
		err(1, "%s: cannot show the buffer to draw into", kms.device);
	if (!renderer_import(pic, 0))
		errx(1, "EGL cannot draw into a buffer of %s (0x%x)", kms.device,
		     eglGetError());
	glGenFramebuffers(1, &target->framebuffer);
	glBindFramebuffer(GL_FRAMEBUFFER, target->framebuffer);
	glFramebufferTexture2D(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D,
			       pic->textures[0], 0);
	if (glCheckFramebufferStatus(GL_FRAMEBUFFER) != GL_FRAMEBUFFER_COMPLETE)
		errx(1, "OpenGL ES cannot draw into a buffer of %s", kms.device);
}

void renderer_open(void)
{
	unsigned int i;

	egl_open();
	program_background = program(background_source);
	program_rgb = program(rgb_source);
	program_nv12 = program(nv12_source);
	glBlendFunc(GL_ONE, GL_ONE_MINUS_SRC_ALPHA);
	spare_create();
	for (i = 0; i < 2; i++)
		target_create(&targets[i]);
}

void renderer_close(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		glDeleteFramebuffers(1, &targets[i].framebuffer);
		renderer_unref(targets[i].picture);
		gbm_bo_destroy(targets[i].bo);
	}
	glDeleteFramebuffers(1, &spare_framebuffer);
	glDeleteRenderbuffers(1, &spare_pixel);
	glDeleteTextures(2, spare.textures);
	glDeleteProgram(program_background);
	glDeleteProgram(program_rgb);
	glDeleteProgram(program_nv12);
	egl_close();
}

uint32_t renderer_framebuffer(void)
{
	return targets[shown].picture->fb;
}

void renderer_shown(uint32_t fb)
{
	if (fb)
		shown = !shown;
}

/* Whether the target shows another frame than what there is to compose, or at another place. */
static bool outdated(const struct target *target, unsigned int i, const struct layer *layer)
{
	if (!layer)
		return target->drawn[i];
	return target->drawn[i] != layer->serial ||
		memcmp(&target->where[i], &layer->where, sizeof(layer->where));
}

static bool cell_outdated(const struct target *target, unsigned int cell,
			  const struct layer *const *composed)
{
	unsigned int i;

	for (i = cell * MAX_PARTS; i < (cell + 1) * MAX_PARTS; i++)
		if (outdated(target, i, composed[i]))
			return true;
	return false;
}

/* Whether a window without parts takes the place of one that was at the same place. */
static bool covers(const struct target *target, unsigned int cell,
		   const struct layer *const *composed)
{
	const unsigned int first = cell * MAX_PARTS;
	unsigned int i;

	for (i = first + 1; i < first + MAX_PARTS; i++)
		if (composed[i] || target->drawn[i])
			return false;
	return target->valid && composed[first] &&
		!memcmp(&target->where[first], &composed[first]->where, sizeof(struct rect)) &&
		!layout_of(composed[first]->picture->fourcc)->alpha;
}

/* composed: the layers that have no plane; NULL: nothing to compose. */
static void draw_cell(struct target *target, unsigned int cell,
		      const struct layer *const *composed)
{
	const uint32_t width = kms.width / options.columns;
	const uint32_t height = kms.height / options.rows;
	const struct rect whole = {
		cell % options.columns * width, cell / options.columns * height, width, height
	};
	unsigned int i;

	if (!covers(target, cell, composed))
		draw(program_background, &whole, NULL);
	for (i = cell * MAX_PARTS; i < (cell + 1) * MAX_PARTS; i++) {
		const struct layer *layer = composed[i];

		target->drawn[i] = layer ? layer->serial : 0;
		target->where[i] = layer ? layer->where : (struct rect){ 0 };
		if (layer)
			draw(layer->picture->fourcc == DRM_FORMAT_NV12 ? program_nv12 :
			     program_rgb, &layer->where, layer->picture);
	}
}

uint32_t renderer_draw(int *fence)
{
	const struct layer *composed[MAX_LAYERS] = { NULL };
	struct target *front = &targets[shown], *back = &targets[!shown];
	const unsigned int cells = options.columns * options.rows;
	bool changed = !front->valid;
	unsigned int cell;

	for_each_layer(l) {
		bool first_copy;

		if (l->plane || !l->picture)
			continue;
		first_copy = l->picture->to_copy && !l->picture->copied;
		l->refused = !renderer_import(l->picture, l->serial);
		if (l->refused)
			continue;
		composed[l - layers] = l;
		if (first_copy)
			say("%s: its buffer can only be read; copying it to draw it", l->owner);
	}
	for (cell = 0; cell < cells; cell++)
		changed |= cell_outdated(front, cell, composed);
	*fence = -1;
	if (!changed)
		return 0;

	glBindFramebuffer(GL_FRAMEBUFFER, back->framebuffer);
	if (!back->valid) {
		/* The screen may be wider than its cells. */
		glClearColor(40 / 255.f, 40 / 255.f, 52 / 255.f, 1);
		glClear(GL_COLOR_BUFFER_BIT);
	}
	for (cell = 0; cell < cells; cell++)
		if (!back->valid || cell_outdated(back, cell, composed))
			draw_cell(back, cell, composed);
	back->valid = true;
	*fence = egl_fence();
	return back->picture->fb;
}
