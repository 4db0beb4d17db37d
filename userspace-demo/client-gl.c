// SPDX-License-Identifier: MIT
/*
 * A client that draws with OpenGL ES: a knot that turns in the light. GBM
 * makes the buffers, EGL makes them something to draw into, and each goes to
 * the compositor together with the fence of its drawing, before that is done.
 */

#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GLES2/gl2.h>
#include <GLES2/gl2ext.h>
#include <drm_fourcc.h>
#include <err.h>
#include <fcntl.h>
#include <gbm.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/sync_file.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "common.h"
#include "window.h"

#define BUFFERS	3
#define MODIFIERS 16	/* of the compositor's that are tried */
#define AROUND	9	/* points around the tube of the knot */
#define ALONG	80	/* points along it */

/* The kernel's drm/vgem_drm.h, which no Debian package installs. */
struct vgem_fence_attach {
	uint32_t handle;
	uint32_t flags;
	uint32_t out_fence;
	uint32_t pad;
};

struct vgem_fence_signal {
	uint32_t fence;
	uint32_t flags;
};

#define VGEM_FENCE_WRITE	1
#define VGEM_FENCE_ATTACH	DRM_IOWR(DRM_COMMAND_BASE + 1, struct vgem_fence_attach)
#define VGEM_FENCE_SIGNAL	DRM_IOW(DRM_COMMAND_BASE + 2, struct vgem_fence_signal)

struct buffer {
	struct gbm_bo *bo;
	EGLImage image;
	GLuint texture, framebuffer;
	int fd;			/* the dma-buf */
	struct window_buffer shown;
};

static char device[64];
static int drm;
static struct gbm_device *gbm;
static EGLDisplay display;
static EGLContext context;

static PFNEGLGETPLATFORMDISPLAYEXTPROC get_platform_display;
static PFNEGLCREATEIMAGEKHRPROC create_image;
static PFNEGLDESTROYIMAGEKHRPROC destroy_image;
static PFNEGLCREATESYNCKHRPROC create_sync;
static PFNEGLDESTROYSYNCKHRPROC destroy_sync;
static PFNEGLDUPNATIVEFENCEFDANDROIDPROC dup_native_fence;
static PFNGLEGLIMAGETARGETTEXTURE2DOESPROC image_to_texture;

/* --fence vgem: the buffer whose fence stands for the queue of a GPU */
static uint32_t queue_handle;
static int queue_fd = -1;

static bool is_vgem(int fd)
{
	return drm_driver_is(fd, "vgem");
}

static bool is_drm(int fd)
{
	drmVersion *version = drmGetVersion(fd);

	drmFreeVersion(version);
	return version;
}

static void egl_start(void)
{
	static const EGLint attributes[] = { EGL_CONTEXT_MAJOR_VERSION, 2, EGL_NONE };
	static const char *const needed[] = {
		"EGL_ANDROID_native_fence_sync", "EGL_EXT_image_dma_buf_import",
		"EGL_EXT_image_dma_buf_import_modifiers", "EGL_KHR_no_config_context",
		"EGL_KHR_surfaceless_context",
	};
	const char *extensions;
	size_t i;

	gbm = gbm_create_device(drm);
	if (!gbm)
		errx(1, "%s: GBM does not know this device", device);
	get_platform_display = (void *)eglGetProcAddress("eglGetPlatformDisplayEXT");
	display = get_platform_display(EGL_PLATFORM_GBM_KHR, gbm, NULL);
	if (!display || !eglInitialize(display, NULL, NULL) || !eglBindAPI(EGL_OPENGL_ES_API))
		errx(1, "%s: EGL does not start (error 0x%x)", device, eglGetError());
	extensions = eglQueryString(display, EGL_EXTENSIONS);
	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!strstr(extensions, needed[i]))
			errx(1, "%s: its driver lacks %s", device, needed[i]);

	create_image = (void *)eglGetProcAddress("eglCreateImageKHR");
	destroy_image = (void *)eglGetProcAddress("eglDestroyImageKHR");
	create_sync = (void *)eglGetProcAddress("eglCreateSyncKHR");
	destroy_sync = (void *)eglGetProcAddress("eglDestroySyncKHR");
	dup_native_fence = (void *)eglGetProcAddress("eglDupNativeFenceFDANDROID");
	image_to_texture = (void *)eglGetProcAddress("glEGLImageTargetTexture2DOES");

	/* No window, no surface: all drawing goes to buffers of our own. */
	context = eglCreateContext(display, EGL_NO_CONFIG_KHR, EGL_NO_CONTEXT, attributes);
	if (!context || !eglMakeCurrent(display, EGL_NO_SURFACE, EGL_NO_SURFACE, context))
		errx(1, "%s: no OpenGL ES 2 context (error 0x%x)", device, eglGetError());
}

static void egl_stop(void)
{
	eglMakeCurrent(display, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
	eglDestroyContext(display, context);
	eglTerminate(display);
	gbm_device_destroy(gbm);
}

/* Something that EGL can draw into. */
static EGLImage image_create(const struct buffer *buf)
{
	const EGLint attributes[] = {
		EGL_WIDTH, gbm_bo_get_width(buf->bo),
		EGL_HEIGHT, gbm_bo_get_height(buf->bo),
		EGL_LINUX_DRM_FOURCC_EXT, DRM_FORMAT_XRGB8888,
		EGL_DMA_BUF_PLANE0_FD_EXT, buf->fd,
		EGL_DMA_BUF_PLANE0_OFFSET_EXT, gbm_bo_get_offset(buf->bo, 0),
		EGL_DMA_BUF_PLANE0_PITCH_EXT, gbm_bo_get_stride(buf->bo),
		EGL_DMA_BUF_PLANE0_MODIFIER_LO_EXT, gbm_bo_get_modifier(buf->bo) & 0xffffffff,
		EGL_DMA_BUF_PLANE0_MODIFIER_HI_EXT, gbm_bo_get_modifier(buf->bo) >> 32,
		EGL_NONE
	};
	EGLImage image = create_image(display, EGL_NO_CONTEXT, EGL_LINUX_DMA_BUF_EXT, NULL,
				      attributes);

	if (!image)
		errx(1, "%s: cannot draw into a buffer (error 0x%x)", device, eglGetError());
	return image;
}

/* A buffer in the best of the layouts that the compositor takes and the driver can make. */
static void bo_create(struct buffer *buf, const struct window *window)
{
	uint64_t modifiers[MODIFIERS];
	unsigned int n = window_modifiers(window, DRM_FORMAT_XRGB8888, modifiers, MODIFIERS);

	if (!n)
		errx(1, "the compositor does not take XRGB8888");
	buf->bo = gbm_bo_create_with_modifiers2(gbm, window_width(window), window_height(window),
						GBM_FORMAT_XRGB8888, modifiers, n,
						GBM_BO_USE_RENDERING);
	if (!buf->bo)
		err(1, "%s: cannot create a buffer that the compositor can show", device);
	if (gbm_bo_get_plane_count(buf->bo) != 1)
		errx(1, "%s: a buffer of several planes, which this program does not know", device);
	buf->fd = gbm_bo_get_fd(buf->bo);
	if (buf->fd < 0)
		err(1, "%s: cannot export a buffer", device);
}

static void show_create(struct buffer *buf, struct window *window)
{
	const struct window_layout layout = {
		.width = gbm_bo_get_width(buf->bo),
		.height = gbm_bo_get_height(buf->bo),
		.fourcc = DRM_FORMAT_XRGB8888,
		.modifier = gbm_bo_get_modifier(buf->bo),
		.n_planes = 1,
		.fds = { buf->fd },
		.offsets = { gbm_bo_get_offset(buf->bo, 0) },
		.strides = { gbm_bo_get_stride(buf->bo) },
	};

	window_buffer_create(window, &buf->shown, &layout);
}

static void buffer_create(struct buffer *buf, struct window *window, GLuint depth)
{
	bo_create(buf, window);
	show_create(buf, window);
	buf->image = image_create(buf);
	glGenTextures(1, &buf->texture);
	glBindTexture(GL_TEXTURE_2D, buf->texture);
	image_to_texture(GL_TEXTURE_2D, buf->image);
	glGenFramebuffers(1, &buf->framebuffer);
	glBindFramebuffer(GL_FRAMEBUFFER, buf->framebuffer);
	glFramebufferTexture2D(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D,
			       buf->texture, 0);
	glFramebufferRenderbuffer(GL_FRAMEBUFFER, GL_DEPTH_ATTACHMENT, GL_RENDERBUFFER, depth);
	if (glCheckFramebufferStatus(GL_FRAMEBUFFER) != GL_FRAMEBUFFER_COMPLETE)
		errx(1, "%s: the driver does not draw into its own buffer", device);
}

static void buffer_destroy(struct buffer *buf)
{
	glDeleteFramebuffers(1, &buf->framebuffer);
	glDeleteTextures(1, &buf->texture);
	destroy_image(display, buf->image);
	close(buf->fd);
	gbm_bo_destroy(buf->bo);
}

/*
 * llvmpipe draws on the CPU and hands out fences that have signalled already. With --fence
 * vgem, one of vgem takes their place, for which we are the GPU: it signals when we say so.
 */
static void queue_create(void)
{
	uint32_t stride;
	uint64_t size;

	if (drmModeCreateDumbBuffer(drm, 8, 8, 32, 0, &queue_handle, &stride, &size) ||
	    drmPrimeHandleToFD(drm, queue_handle, DRM_CLOEXEC, &queue_fd))
		err(1, "%s: cannot create a buffer for the fences", device);
}

static void queue_destroy(void)
{
	close(queue_fd);
	drmModeDestroyDumbBuffer(drm, queue_handle);
}

/* A sync_file that signals after queue_done(); after ten seconds it expires. */
static int queue_begin(uint32_t *fence)
{
	struct vgem_fence_attach attach = { .handle = queue_handle, .flags = VGEM_FENCE_WRITE };
	int sync_file;

	if (drmIoctl(drm, VGEM_FENCE_ATTACH, &attach))
		err(1, "%s: cannot make a fence", device);
	sync_file = dma_buf_writers(queue_fd);
	if (sync_file < 0)
		err(1, "%s: cannot get the fence", device);
	*fence = attach.out_fence;
	return sync_file;
}

static void queue_done(uint32_t fence)
{
	struct vgem_fence_signal done = { .fence = fence };

	if (drmIoctl(drm, VGEM_FENCE_SIGNAL, &done))
		err(1, "%s: cannot signal a fence (did the drawing take ten seconds?)", device);
}

/* A sync_file that signals when all that was drawn so far is done. */
static int gl_fence(void)
{
	EGLSyncKHR sync = create_sync(display, EGL_SYNC_NATIVE_FENCE_ANDROID, NULL);
	int sync_file = -1;

	/* The fence exists once the commands before it have been sent off. */
	glFlush();
	if (sync) {
		sync_file = dup_native_fence(display, sync);
		destroy_sync(display, sync);
	}
	if (sync_file < 0)
		errx(1, "%s: no fence of the drawing (error 0x%x)", device, eglGetError());
	return sync_file;
}

static GLuint shader(GLenum type, const char *source)
{
	GLuint name = glCreateShader(type);
	char log[512] = "";
	GLint ok;

	glShaderSource(name, 1, &source, NULL);
	glCompileShader(name);
	glGetShaderiv(name, GL_COMPILE_STATUS, &ok);
	if (!ok) {
		glGetShaderInfoLog(name, sizeof(log), NULL, log);
		errx(1, "a shader does not compile: %s", log);
	}
	return name;
}

/* A point of the curve that the knot follows. */
static void curve(float at, float point[3])
{
	point[0] = sinf(at) + 2 * sinf(2 * at);
	point[1] = cosf(at) - 2 * cosf(2 * at);
	point[2] = -1.3f * sinf(3 * at);
}

static void normalize(float v[3])
{
	float length = sqrtf(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);

	v[0] /= length;
	v[1] /= length;
	v[2] /= length;
}

static void cross(const float a[3], const float b[3], float out[3])
{
	out[0] = a[1] * b[2] - a[2] * b[1];
	out[1] = a[2] * b[0] - a[0] * b[2];
	out[2] = a[0] * b[1] - a[1] * b[0];
}

/* The knot: per vertex its place, its normal, and how far along the curve it is. */
static void knot_create(void)
{
	static GLfloat vertices[ALONG * AROUND][7];
	static GLushort indices[ALONG * AROUND][6];
	GLuint names[2];
	int i, j;

	for (i = 0; i < ALONG; i++) {
		const float at = 2 * (float)M_PI * i / ALONG;
		float here[3], next[3], up[3] = { 0, 0, 1 }, side[3];

		curve(at, here);
		curve(at + 0.01f, next);
		for (j = 0; j < 3; j++)
			next[j] -= here[j];
		cross(next, up, side);
		normalize(side);
		cross(side, next, up);
		normalize(up);
		for (j = 0; j < AROUND; j++) {
			const float c = cosf(2 * (float)M_PI * j / AROUND);
			const float s = sinf(2 * (float)M_PI * j / AROUND);
			const int n = i * AROUND + j, right = i * AROUND + (j + 1) % AROUND;
			const int below = (n + AROUND) % (ALONG * AROUND);
			const int corner = (right + AROUND) % (ALONG * AROUND);
			const GLushort two[6] = { n, right, below, below, right, corner };
			int k;

			for (k = 0; k < 3; k++) {
				vertices[n][3 + k] = c * side[k] + s * up[k];
				vertices[n][k] = here[k] + 0.55f * vertices[n][3 + k];
			}
			vertices[n][6] = at;
			memcpy(indices[n], two, sizeof(two));
		}
	}

	glGenBuffers(2, names);
	glBindBuffer(GL_ARRAY_BUFFER, names[0]);
	glBufferData(GL_ARRAY_BUFFER, sizeof(vertices), vertices, GL_STATIC_DRAW);
	glBindBuffer(GL_ELEMENT_ARRAY_BUFFER, names[1]);
	glBufferData(GL_ELEMENT_ARRAY_BUFFER, sizeof(indices), indices, GL_STATIC_DRAW);
	glVertexAttribPointer(0, 3, GL_FLOAT, GL_FALSE, 7 * sizeof(GLfloat), (void *)0);
	glVertexAttribPointer(1, 4, GL_FLOAT, GL_FALSE, 7 * sizeof(GLfloat),
			      (void *)(3 * sizeof(GLfloat)));
	glEnableVertexAttribArray(0);
	glEnableVertexAttribArray(1);
}

/* Returns where the uniforms are: the rotation and the width of the picture over its height. */
static void scene_create(GLint *rotation, GLint *aspect)
{
	/*
	 * The first row of a buffer is the top of the picture; for OpenGL it is y = -1. As
	 * little work for each pixel as possible: llvmpipe does it on the CPU.
	 */
	static const char vertex[] =
		"attribute vec3 place;\n"
		"attribute vec4 normal_and_way;\n"
		"uniform mat3 rotation;\n"
		"uniform float aspect;\n"
		"varying vec3 normal, colour;\n"
		"void main() {\n"
		"	vec3 seen = rotation * place + vec3(0.0, 0.0, -10.5);\n"
		"	normal = rotation * normal_and_way.xyz;\n"
		"	colour = 0.55 + 0.45 * cos(normal_and_way.w * vec3(1.0, 2.0, 1.0)\n"
		"				    + vec3(0.0, 2.1, 4.2));\n"
		"	gl_Position = vec4(2.3 * seen.x / aspect, -2.3 * seen.y,\n"
		"			   -1.2 * seen.z - 6.0, -seen.z);\n"
		"}\n";
	static const char fragment[] =
		"precision mediump float;\n"
		"varying vec3 normal, colour;\n"
		"const vec3 light = vec3(0.48, 0.64, 0.6), halfway = vec3(0.268, 0.358, 0.894);\n"
		"void main() {\n"
		"	vec3 n = normalize(normal);\n"
		"	float shine = max(dot(n, halfway), 0.0);\n"
		"	float lit = 0.18 + 0.82 * max(dot(n, light), 0.0);\n"
		"	shine *= shine;\n"
		"	shine *= shine;\n"
		"	shine *= shine;\n"
		"	shine *= shine;\n"
		"	gl_FragColor = vec4(colour * lit + 0.6 * shine * shine, 1.0);\n"
		"}\n";
	GLuint program = glCreateProgram();
	GLint ok;

	glAttachShader(program, shader(GL_VERTEX_SHADER, vertex));
	glAttachShader(program, shader(GL_FRAGMENT_SHADER, fragment));
	glBindAttribLocation(program, 0, "place");
	glBindAttribLocation(program, 1, "normal_and_way");
	glLinkProgram(program);
	glGetProgramiv(program, GL_LINK_STATUS, &ok);
	if (!ok)
		errx(1, "the shaders do not fit together");
	glUseProgram(program);
	*rotation = glGetUniformLocation(program, "rotation");
	*aspect = glGetUniformLocation(program, "aspect");
	knot_create();
	glEnable(GL_DEPTH_TEST);
	glClearColor(0.06f, 0.07f, 0.11f, 1);
}

static void draw(const struct buffer *buf, uint32_t sequence, GLint rotation)
{
	const float a = 0.045f * sequence, b = 0.031f * sequence;
	const GLfloat matrix[9] = {
		cosf(a), sinf(a) * sinf(b), -sinf(a) * cosf(b),
		0, cosf(b), sinf(b),
		sinf(a), -cosf(a) * sinf(b), cosf(a) * cosf(b),
	};

	glBindFramebuffer(GL_FRAMEBUFFER, buf->framebuffer);
	glViewport(0, 0, gbm_bo_get_width(buf->bo), gbm_bo_get_height(buf->bo));
	glUniformMatrix3fv(rotation, 1, GL_FALSE, matrix);
	glClear(GL_COLOR_BUFFER_BIT | GL_DEPTH_BUFFER_BIT);
	glDrawElements(GL_TRIANGLES, ALONG * AROUND * 6, GL_UNSIGNED_SHORT, NULL);
}

/*
 * The checksum of what is in the buffer now. The exporter's own mapping: DMA_BUF_IOCTL_SYNC is for
 * others.
 */
static uint64_t drawn(const struct buffer *buf)
{
	const uint32_t width = gbm_bo_get_width(buf->bo), height = gbm_bo_get_height(buf->bo);
	void *mapping = NULL, *pixels;
	uint32_t stride;
	uint64_t sum;

	pixels = gbm_bo_map(buf->bo, 0, 0, width, height, GBM_BO_TRANSFER_READ, &stride, &mapping);
	if (!pixels)
		err(1, "%s: cannot map a buffer", device);
	sum = checksum(pixels, stride, width, height);
	gbm_bo_unmap(buf->bo, mapping);
	return sum;
}

/* A compositor waits for the fences that are on the dma-buf. */
static void frame_send(struct window *window, struct buffer *buf, uint32_t sequence, int sync_file)
{
	if (dma_buf_add_writer(buf->fd, sync_file))
		err(1, "%s: cannot put the fence of the drawing on its buffer", device);
	window_show(window, &buf->shown, sequence);
}

static void drawn_send(struct window *window, const struct buffer *buf, uint32_t sequence)
{
	glFinish();
	window_drawn(window, sequence, drawn(buf));
}

/* For the page that explains the run: which fence it was, and when it signalled. */
static void fence_tell(int sync_file, uint32_t sequence)
{
	struct sync_fence_info fence = { 0 };
	struct sync_file_info info = {
		.num_fences = 1,
		.sync_fence_info = (uintptr_t)&fence,
	};

	if (!retry_ioctl(sync_file, SYNC_IOC_FILE_INFO, &info) && info.status == 1)
		printf("client-gl: frame %u: fence %s %s signalled at %" PRIu64 " ns\n", sequence,
		       fence.driver_name, fence.obj_name, (uint64_t)fence.timestamp_ns);
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: client-gl [--socket PATH] [--device PATH] [--frames N] [--fence egl|vgem]\n"
		"Draw a turning knot with OpenGL ES and pass the pictures to the compositor.\n"
		"\n"
		"  --socket PATH  where the compositor listens (" DEMO_SOCKET ")\n"
		"  --device PATH  the DRM device to draw with (the first one whose driver is vgem)\n"
		"  --frames N     how many frames to draw (%d)\n"
		"  --fence egl    pass on the fence that the driver gives for its drawing\n"
		"  --fence vgem   one of vgem instead, which signals when the drawing is done: a\n"
		"                 software driver gives none that is still to come (the default)\n"
		"  --help         this text\n", DEMO_FRAMES);
}

struct options {
	const char *socket, *device;
	unsigned int frames;
	bool vgem;	/* whose fences */
};

static struct options parse_options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "device", required_argument, NULL, 'd' },
		{ "frames", required_argument, NULL, 'f' },
		{ "fence", required_argument, NULL, 'e' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct options options = { .socket = DEMO_SOCKET, .frames = DEMO_FRAMES, .vgem = true };
	int opt;

	while ((opt = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (opt) {
		case 's':
			options.socket = optarg;
			break;
		case 'd':
			options.device = optarg;
			break;
		case 'f':
			options.frames = parse_number("--frames", optarg, 1, 1000000);
			break;
		case 'e':
			options.vgem = !strcmp(optarg, "vgem");
			if (!options.vgem && strcmp(optarg, "egl"))
				errx(2, "--fence: '%s' is neither egl nor vgem", optarg);
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind < argc)
		errx(2, "what is '%s'? (see --help)", argv[optind]);
	return options;
}

static void buffers_create(struct buffer *buffers, struct window *window, GLuint depth)
{
	unsigned int i;

	glBindRenderbuffer(GL_RENDERBUFFER, depth);
	glRenderbufferStorage(GL_RENDERBUFFER, GL_DEPTH_COMPONENT16, window_width(window),
			      window_height(window));
	for (i = 0; i < BUFFERS; i++) {
		buffers[i].shown.number = i;
		buffer_create(&buffers[i], window, depth);
		printf("client-gl: buffer %u: inode %" PRIu64 ", %s handle %u, descriptor %d\n",
		       i, dma_buf_inode(buffers[i].fd), device,
		       gbm_bo_get_handle(buffers[i].bo).u32, buffers[i].fd);
	}
	fflush(stdout);
}

static void frame_draw(struct window *window, struct buffer *buffers, uint32_t sequence,
		       GLint rotation, bool vgem)
{
	struct buffer *buf = &buffers[sequence % BUFFERS];
	uint32_t fence = 0;
	int sync_file;

	window_wait_free(window, &buf->shown);
	/*
	 * With vgem the frame goes out before anything of it is drawn. Its checksum follows
	 * before the fence signals, so the compositor can compare at once. EGL's
	 * fence exists once the drawing has been sent off.
	 */
	if (vgem) {
		sync_file = queue_begin(&fence);
		frame_send(window, buf, sequence, sync_file);
		draw(buf, sequence, rotation);
		drawn_send(window, buf, sequence);
		queue_done(fence);
	} else {
		draw(buf, sequence, rotation);
		sync_file = gl_fence();
		frame_send(window, buf, sequence, sync_file);
		drawn_send(window, buf, sequence);
	}
	fence_tell(sync_file, sequence);
	close(sync_file);
}

int main(int argc, char **argv)
{
	const struct options options = parse_options(argc, argv);
	struct buffer buffers[BUFFERS] = { 0 };
	struct window *window;
	GLint rotation, aspect;
	drmVersion *version;
	uint32_t i;
	char name[80];
	GLuint depth;

	drm = open_device(options.device, "/dev/dri/card",
			  options.vgem ? "a vgem device" : "a DRM device",
			  options.vgem || !options.device ? is_vgem : is_drm, device,
			  sizeof(device));
	egl_start();
	version = drmGetVersion(drm);
	snprintf(name, sizeof(name), "%s %s", version ? version->name : "?", device);
	drmFreeVersion(version);
	window = window_open(options.socket, options.vgem ? "gl" : "gl-egl", name, 320, 240);

	printf("client-gl: %s draws on %s, fences by %s\n", glGetString(GL_RENDERER), name,
	       options.vgem ? "vgem" : "EGL_ANDROID_native_fence_sync");
	scene_create(&rotation, &aspect);
	glUniform1f(aspect, (float)window_width(window) / window_height(window));
	glGenRenderbuffers(1, &depth);
	buffers_create(buffers, window, depth);
	if (options.vgem)
		queue_create();
	/* The driver compiles the shaders when they are first used: nobody should wait for that. */
	draw(&buffers[0], 0, rotation);
	glFinish();

	for (i = 0; i < options.frames; i++)
		frame_draw(window, buffers, i, rotation, options.vgem);

	for (i = 0; i < BUFFERS; i++)
		window_buffer_destroy(&buffers[i].shown);
	window_close(window);
	if (options.vgem)
		queue_destroy();
	for (i = 0; i < BUFFERS; i++)
		buffer_destroy(&buffers[i]);
	glDeleteRenderbuffers(1, &depth);
	egl_stop();
	close(drm);
	return 0;
}
