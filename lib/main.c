// SPDX-License-Identifier: MIT
/* prime-negotiate: who wants what of a buffer, and where its storage goes. */
#include "prime-negotiate.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <drm.h>
#include <linux/dma-heap.h>
#include <linux/videodev2.h>

#define REFUSALS "/sys/kernel/debug/dma_buf/refusals"

enum { EXIT_REFUSED = 3, EXIT_NO_KERNEL = 4, VIDEO_MAJOR = 81 };

static const char usage[] =
	"usage: prime-negotiate [options] [DEVICE...]\n"
	"       prime-negotiate [-s SIZE] try SOURCE DEVICE...\n"
	"       prime-negotiate refusals [FILE]\n"
	"Prints what each device wants of a buffer, places a buffer for all of them, and imports\n"
	"it into each. Says where its storage is, or which device refused it and why.\n"
	"A DEVICE is a DRM or V4L2 node. Without a DEVICE, all nodes in /dev are used.\n"
	"try allocates a buffer from SOURCE (a DRM node, or the name of a dma-heap), and asks\n"
	"each DEVICE whether it would take the buffer. It changes nothing.\n"
	"refusals says why processes that still run were refused buffers. For root.\n"
	"\n"
	"  -s, --size SIZE  bytes, or with K, M or G after it (8M)\n"
	"  -n, --no-import  only print what the devices want\n"
	"  -q, --queue      queue the buffer in V4L2 capture devices too\n"
	"  -h, --help       this text\n"
	"  -V, --version\n"
	"\n"
	"Exit status: 0 every device has it (V4L2 devices only with -q), 1 something failed\n"
	"or can't be tried, 2 a wrong argument, 3 a device refused it, 4 the kernel does not\n"
	"negotiate, can't try devices, or tells no refusals.\n";

struct options {
	uint64_t size;
	bool import, queue;
};

/* By the device's number: a node may have any name, /dev/v4l/by-id/... for one. */
static bool is_video(int device)
{
	struct stat st;

	return !fstat(device, &st) && S_ISCHR(st.st_mode) &&
	       major(st.st_rdev) == VIDEO_MAJOR;
}

/* --- the kernel --- */

static int no_kernel(int supported)
{
	if (supported < 0)
		fprintf(stderr, "prime-negotiate: %s: %s\n", PRIME_NEGOTIATE_HEAP,
			supported == -EACCES ? "no permission (run it as root)" : strerror(-supported));
	else
		fprintf(stderr,
			"prime-negotiate: this kernel does not negotiate storage: no %s (CONFIG_DMABUF_HEAPS_NEGOTIATED)\n",
			PRIME_NEGOTIATE_HEAP);
	return supported < 0 ? EXIT_FAILURE : EXIT_NO_KERNEL;
}

/* Short memory is no refusal. */
static int refused(const char *what, const char *name, int error, const char *why)
{
	printf("%s%s%s: %s: %s\n  %s\n", what, *name ? " " : "", name,
	       error == -ENOMEM ? "failed" : "refused", strerror(-error), why);
	return error == -ENOMEM ? EXIT_FAILURE : EXIT_REFUSED;
}

/* What the kernel says of an import. */
static int refused_by(const char *what, int buffer, const char *name, int error)
{
	char text[512] = "the kernel tells no reason";
	struct dma_buf_refusal refusal;

	if (!prime_negotiate_refusal(buffer, &refusal) &&
	    refusal.field != DMA_BUF_FIELD_NONE)
		prime_negotiate_refusal_text(&refusal, text, sizeof(text));
	return refused(what, name, error, text);
}

/* Prints the reason if the device can't be added. */
static int add_device(int buffer, const char *path, const char *name)
{
	struct dma_buf_device_use answer;
	char text[512];
	int ret = prime_negotiate_add_path(buffer, path, DMA_BUF_USE_READ |
					   DMA_BUF_USE_WRITE, &answer);

	if (ret == -EBUSY) {
		prime_negotiate_add_text(&answer, text, sizeof(text));
		return refused("add", name, ret, text);
	}
	if (ret) {
		fprintf(stderr, "prime-negotiate: %s: %s\n", path,
			strerror(-ret));
		return EXIT_FAILURE;
	}
	return 0;
}

static void print_storage(int buffer)
{
	struct dma_buf_storage_info storage;
	char text[256];

	if (prime_negotiate_storage(buffer, &storage))
		return;
	prime_negotiate_storage_text(&storage, text, sizeof(text));
	printf("storage: %s\n", text);
}

/* --- what each wants --- */

/* The constraints of a buffer with one device are what that device wants. */
static int print_wishes(const char *path, uint64_t size, int width)
{
	struct dma_buf_constraints_info info;
	int buffer = prime_negotiate_alloc(size), ret;
	char name[256], text[256];

	if (buffer < 0) {
		fprintf(stderr, "prime-negotiate: can't allocate a buffer of %llu bytes: %s\n",
			(unsigned long long)size, strerror(-buffer));
		return EXIT_FAILURE;
	}
	prime_negotiate_device_name(path, name, sizeof(name));
	ret = add_device(buffer, path, name);
	if (!ret && prime_negotiate_constraints(buffer, &info))
		ret = EXIT_FAILURE;
	if (!ret) {
		prime_negotiate_constraints_text(&info, text, sizeof(text));
		printf("%-*s  %s\n", width, name, text);
	}
	close(buffer);
	return ret;
}

static int print_table(char **paths, int count, uint64_t size)
{
	int width = strlen("device"), ret = 0, got;
	char name[256];

	for (int i = 0; i < count; i++) {
		got = prime_negotiate_device_name(paths[i], name, sizeof(name));
		if (got > width)
			width = got;
	}
	printf("%-*s  wants\n", width, "device");
	for (int i = 0; i < count; i++) {
		got = print_wishes(paths[i], size, width);
		if (got > ret)
			ret = got;
	}
	return ret;
}

/* --- one buffer for all --- */

static int add_all(int buffer, char **paths, int count)
{
	struct dma_buf_constraints_info merged;
	char name[256], text[256];
	int ret = 0;

	for (int i = 0; i < count && !ret; i++) {
		prime_negotiate_device_name(paths[i], name, sizeof(name));
		ret = add_device(buffer, paths[i], name);
	}
	if (!ret && !prime_negotiate_constraints(buffer, &merged)) {
		prime_negotiate_constraints_text(&merged, text, sizeof(text));
		printf("all of them: %s\n", text);
	}
	return ret;
}

static int commit(int buffer)
{
	struct dma_buf_commit answer;
	char text[512];
	int ret = prime_negotiate_commit(buffer, 0, &answer);

	if (!ret)
		return 0;
	prime_negotiate_commit_text(&answer, text, sizeof(text));
	if (ret == -EBUSY)
		return refused("commit", "", ret, text);
	fprintf(stderr, "prime-negotiate: %s\n", text);
	return EXIT_FAILURE;
}

static int import_drm(int device, int buffer)
{
	struct drm_prime_handle arg = { .fd = buffer };

	return ioctl(device, DRM_IOCTL_PRIME_FD_TO_HANDLE, &arg) ? -errno : 0;
}

/* Returns 1 if it can't be tried: no capture into a single plane, or the buffer is too small. */
static int queue_video(int device, int buffer, uint64_t size)
{
	struct v4l2_requestbuffers request = {
		.count = 1, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
	};
	struct v4l2_format format = { .type = request.type };
	struct v4l2_buffer arg = {
		.type = request.type, .memory = request.memory,
		.m.fd = buffer,
	};

	if (ioctl(device, VIDIOC_G_FMT, &format) ||
	    format.fmt.pix.sizeimage > size)
		return 1;
	if (ioctl(device, VIDIOC_REQBUFS, &request) ||
	    ioctl(device, VIDIOC_QBUF, &arg))
		return -errno;
	return 0;
}

/* The device stays open, since it has the buffer only as long as it is open. */
static int import_one(const char *path, int buffer, const struct options *opt)
{
	int device = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK), ret = 1;
	char name[256];

	if (device < 0) {
		fprintf(stderr, "prime-negotiate: %s: %s\n", path,
			strerror(errno));
		return EXIT_FAILURE;
	}
	prime_negotiate_device_name(path, name, sizeof(name));
	if (!is_video(device))
		ret = import_drm(device, buffer);
	else if (opt->queue)
		ret = queue_video(device, buffer, opt->size);
	if (ret < 0)
		return refused_by("import into", buffer, name, ret);
	printf("import into %s: %s\n", name, ret ? "not tried" : "done");
	return ret && opt->queue ? EXIT_FAILURE : 0;
}

static int share(char **paths, int count, const struct options *opt)
{
	int buffer = prime_negotiate_alloc(opt->size), ret, got;
	bool placed;

	if (buffer < 0) {
		fprintf(stderr, "prime-negotiate: can't allocate a buffer of %llu bytes: %s\n",
			(unsigned long long)opt->size, strerror(-buffer));
		return EXIT_FAILURE;
	}
	ret = add_all(buffer, paths, count);
	if (!ret)
		ret = commit(buffer);
	placed = !ret;
	for (int i = 0; placed && i < count; i++) {
		got = import_one(paths[i], buffer, opt);
		if (got > ret)
			ret = got;
	}
	print_storage(buffer);
	return ret;
}

/* --- would they take it? --- */

/* A buffer of a DRM driver for pictures, of @size bytes or a bit more. */
static int alloc_drm(const char *path, uint64_t size)
{
	struct drm_mode_create_dumb dumb = {
		.width = 1024, .height = (size + 4095) / 4096, .bpp = 32,
	};
	struct drm_prime_handle arg = { .flags = DRM_CLOEXEC | DRM_RDWR };
	int device, ret;

	if (size > UINT32_MAX * 4096ull)
		return -EOVERFLOW;
	device = open(path, O_RDWR | O_CLOEXEC);
	if (device < 0)
		return -errno;
	ret = ioctl(device, DRM_IOCTL_MODE_CREATE_DUMB, &dumb);
	if (!ret) {
		arg.handle = dumb.handle;
		ret = ioctl(device, DRM_IOCTL_PRIME_HANDLE_TO_FD, &arg);
	}
	ret = ret ? -errno : arg.fd;
	close(device);
	return ret;
}

static int alloc_heap(const char *name, uint64_t size)
{
	struct dma_heap_allocation_data arg = {
		.len = size, .fd_flags = O_RDWR | O_CLOEXEC,
	};
	char path[128];
	int heap, ret;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", name);
	heap = open(path, O_RDWR | O_CLOEXEC);
	if (heap < 0)
		return -errno;
	ret = ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &arg) ? -errno : (int)arg.fd;
	close(heap);
	return ret;
}

static int try_one(int buffer, const char *path)
{
	int device = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK), ret;
	char name[256];
	uint32_t judged;

	if (device < 0) {
		fprintf(stderr, "prime-negotiate: %s: %s\n", path,
			strerror(errno));
		return EXIT_FAILURE;
	}
	ret = prime_negotiate_try(buffer, device, &judged);
	close(device);
	prime_negotiate_device_name(path, name, sizeof(name));
	if (ret == -ENOTTY) {
		fprintf(stderr, "prime-negotiate: this kernel can't try devices (CONFIG_DRM_PRIME_TRY_DEVICE)\n");
		return EXIT_NO_KERNEL;
	}
	if (ret && judged)
		return refused_by("try", buffer, name, ret);
	if (ret) {
		fprintf(stderr, "prime-negotiate: %s: not tried: %s\n", name,
			strerror(-ret));
		return EXIT_FAILURE;
	}
	printf("try %s: takes it%s\n", name, judged & DMA_BUF_TRY_MAPPING ?
	       ", as far as its memory goes" : "");
	return 0;
}

static int try_all(const char *source, char **paths, int count, uint64_t size)
{
	int buffer = strchr(source, '/') ? alloc_drm(source, size) :
					   alloc_heap(source, size);
	int ret = 0, got;

	if (buffer < 0) {
		fprintf(stderr, "prime-negotiate: can't allocate a buffer of %s: %s\n", source,
			strerror(-buffer));
		return EXIT_FAILURE;
	}
	for (int i = 0; i < count; i++) {
		got = try_one(buffer, paths[i]);
		if (got > ret)
			ret = got;
	}
	close(buffer);
	return ret;
}

/* --- what was refused to others --- */

/* A line of the kernel's list, in words. */
static void print_refusal(const char *line)
{
	struct dma_buf_refusal r = { };
	unsigned long long buffer, wanted, found;
	char text[512], name[32], path[32];
	FILE *comm;
	int pid;

	if (sscanf(line, "%d %llu %31[^\t] %63[^\t] %u %u %u %u %llu %llu %*u %*u %*u %*u %u",
		   &pid, &buffer, r.exporter, r.device, &r.step, &r.by, &r.error,
		   &r.field, &wanted, &found, &r.flags) != 11)
		return;
	r.wanted = wanted;
	r.found = found;
	/* The processor has no name. */
	if (!strcmp(r.device, "-"))
		*r.device = '\0';
	prime_negotiate_refusal_text(&r, text, sizeof(text));
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	comm = fopen(path, "re");
	if (!comm || fscanf(comm, "%31[^\n]", name) != 1)
		strcpy(name, "?");
	if (comm)
		fclose(comm);
	/* A process chooses its name, and this may be root's terminal. */
	for (char *c = name; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	printf("%d (%s), buffer %llu: %s\n", pid, name, buffer, text);
}

static int print_refusals(const char *path)
{
	FILE *list = fopen(path, "re");
	const int error = errno;
	char line[512];

	if (!list) {
		fprintf(stderr, "prime-negotiate: %s: %s\n", path,
			strerror(error));
		return error == ENOENT ? EXIT_NO_KERNEL : EXIT_FAILURE;
	}
	/* The first line has the names of the columns, and is no refusal. */
	while (fgets(line, sizeof(line), list))
		print_refusal(line);
	fclose(list);
	return 0;
}

/* --- arguments --- */

static bool parse_size(const char *text, uint64_t *size)
{
	unsigned int shift = 0;
	char *end;

	errno = 0;
	*size = strtoull(text, &end, 0);
	if (errno || end == text || *text == '-' || !*size)
		return false;
	switch (*end) {
	case 'G':
		shift += 10;	/* fall through */
	case 'M':
		shift += 10;	/* fall through */
	case 'K':
		shift += 10;
		end++;
	}
	if (*end || *size > UINT64_MAX >> shift)
		return false;
	*size <<= shift;
	return true;
}

/* All nodes, but of a DRM device only the card. glob() ends the list with NULL. */
static int all_devices(glob_t *found)
{
	glob("/dev/dri/card[0-9]*", 0, NULL, found);
	glob("/dev/video[0-9]*", GLOB_APPEND, NULL, found);
	return found->gl_pathc;
}

/* The devices that are named, or all. */
static int negotiate(char **paths, int count, const struct options *opt)
{
	glob_t found = { };
	int ret, supported;

	if (!count) {
		count = all_devices(&found);
		paths = found.gl_pathv;
	}
	if (!count) {
		fprintf(stderr, "prime-negotiate: no DRM or V4L2 device in /dev\n");
		return EXIT_FAILURE;
	}
	supported = prime_negotiate_supported();
	if (supported != 1)
		return no_kernel(supported);

	setvbuf(stdout, NULL, _IOLBF, 0);
	ret = print_table(paths, count, opt->size);
	if (!ret && opt->import) {
		putchar('\n');
		ret = share(paths, count, opt);
	}
	return ret;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "size", required_argument, NULL, 's' },
		{ "no-import", no_argument, NULL, 'n' },
		{ "queue", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ }
	};
	struct options opt = { .size = 8 << 20, .import = true };
	int option, count;
	char **paths;

	while ((option = getopt_long(argc, argv, "s:nqhV", longs, NULL)) != -1) {
		switch (option) {
		case 's':
			if (parse_size(optarg, &opt.size))
				break;
			fprintf(stderr, "prime-negotiate: '%s' is no size\n",
				optarg);
			return 2;
		case 'n':
			opt.import = false;
			break;
		case 'q':
			opt.queue = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'V':
			printf("prime-negotiate %d.%d\n", PRIME_NEGOTIATE_MAJOR,
			       PRIME_NEGOTIATE_MINOR);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	paths = argv + optind;
	count = argc - optind;
	if (count && !strcmp(*paths, "try")) {
		if (count > 2)
			return try_all(paths[1], paths + 2, count - 2, opt.size);
		fputs(usage, stderr);
		return 2;
	}
	if (count && !strcmp(*paths, "refusals")) {
		if (count < 3)
			return print_refusals(count == 2 ? paths[1] : REFUSALS);
		fputs(usage, stderr);
		return 2;
	}
	return negotiate(paths, count, &opt);
}
