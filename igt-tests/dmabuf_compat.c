// SPDX-License-Identifier: MIT
/**
 * TEST: dmabuf compat
 * Description: The ioctls as a 32-bit program calls them. The calls go through
 *  the 32-bit entry of the kernel (int 0x80), which a 64-bit program may use,
 *  so no 32-bit libc is needed; all data lies below 4 GiB.
 */
#include "lib/mock_buffer.h"
#include "lib/prime_v4l2.h"

#include <fcntl.h>
#include <linux/dma-buf-constraints.h>
#include <poll.h>
#include <sys/mman.h>

#define COMPAT_GETPID	20
#define COMPAT_IOCTL	54
#define VIVID_REFUSE_BUFFERS	0x00f0f043	/* vivid's own control */

static char *low;	/* a page below 4 GiB */

/* @d is in the register of the second argument of a 64-bit call. */
static long compat_call_of_4(long nr, unsigned int a, unsigned int b, unsigned int c,
			     unsigned int d)
{
	long ret;

	asm volatile("int $0x80"
		     : "=a"(ret)
		     : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)ret;
}

static long compat_call(long nr, unsigned int a, unsigned int b, unsigned int c)
{
	return compat_call_of_4(nr, a, b, c, 0);
}

static int compat_ioctl(int fd, unsigned int request, uintptr_t arg)
{
	check(arg >> 32 == 0);
	return compat_call(COMPAT_IOCTL, fd, request, arg);
}

static int low_ioctl(int fd, unsigned int request, void *data, size_t length)
{
	int ret;

	memcpy(low, data, length);
	ret = compat_ioctl(fd, request, (uintptr_t)low);
	memcpy(data, low, length);
	return ret;
}

static void setup(void)
{
	/* Without the 32-bit entry int 0x80 is a fault; ask for the entry first. */
	if (access("/proc/sys/abi/vsyscall32", F_OK))
		prime_skip("no 32-bit entry (CONFIG_IA32_EMULATION)");
	low = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	check(low != MAP_FAILED);
	check_eq(compat_call(COMPAT_GETPID, 0, 0, 0), getpid());
}

/**
 * SUBTEST: sync
 * Description: SYNC works and refuses as in 64 bits.
 */
static void compat_sync(void)
{
	struct dma_buf_sync arg = { .flags = DMA_BUF_SYNC_RW };
	int fd = any_dmabuf(1);

	setup();
	check_ok(low_ioctl(fd, DMA_BUF_IOCTL_SYNC, &arg, sizeof(arg)));
	arg.flags |= DMA_BUF_SYNC_END;
	check_ok(low_ioctl(fd, DMA_BUF_IOCTL_SYNC, &arg, sizeof(arg)));
	arg.flags = 1ull << 40 | DMA_BUF_SYNC_RW;
	check_error(low_ioctl(fd, DMA_BUF_IOCTL_SYNC, &arg, sizeof(arg)),
		    EINVAL);
	check_error(compat_ioctl(fd, DMA_BUF_IOCTL_SYNC, 8), EFAULT);
}

/**
 * SUBTEST: set-name
 * Description: SET_NAME_A is the ioctl's number in a 32-bit program, SET_NAME_B its
 *  number in a 64-bit one. Both name the buffer.
 */
static void compat_set_name(void)
{
	char name[64] = "thirty-two", value[64];
	int fd = any_dmabuf(1);

	setup();
	check_ok(low_ioctl(fd, DMA_BUF_SET_NAME_A, name, sizeof(name)));
	check(fdinfo(fd, "name", value, sizeof(value)));
	check(!strcmp(value, "thirty-two"));
	strcpy(name, "sixty-four");
	check_ok(low_ioctl(fd, DMA_BUF_SET_NAME_B, name, sizeof(name)));
	check(fdinfo(fd, "name", value, sizeof(value)));
	check(!strcmp(value, "sixty-four"));
	memset(name, 'x', sizeof(name));
	check_error(low_ioctl(fd, DMA_BUF_SET_NAME_A, name, sizeof(name)),
		    EINVAL);
	check_error(compat_ioctl(fd, DMA_BUF_SET_NAME_A, 8), EFAULT);
}

/**
 * SUBTEST: sync-files
 * Description: Fences go into and out of the buffer as in 64 bits.
 */
static void compat_sync_files(void)
{
	struct dma_buf_export_sync_file out = { .flags = DMA_BUF_SYNC_READ };
	struct dma_buf_import_sync_file in = { .flags = DMA_BUF_SYNC_WRITE };
	int fd = any_dmabuf(1), timeline = sw_timeline();

	setup();
	in.fd = sw_fence(timeline, 1);
	check_ok(low_ioctl(fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &in, sizeof(in)));
	check_eq(poll_events(fd, POLLIN, 0), 0);
	check_ok(low_ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &out,
			   sizeof(out)));
	check_eq(poll_events(out.fd, POLLIN, 0), 0);
	sw_advance(timeline, 1);
	check_eq(poll_events(out.fd, POLLIN, 1000), POLLIN);
	out.flags = 0;
	check_error(low_ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &out,
			      sizeof(out)), EINVAL);
	in.flags = 4;
	check_error(low_ioctl(fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &in,
			      sizeof(in)), EINVAL);
}

/**
 * SUBTEST: negotiate
 * Description: The ioctls that negotiate storage refuse as in 64 bits; their
 *  structs are the same.
 */
static void compat_negotiate(void)
{
	struct dma_buf_device_use add = {};
	struct dma_buf_refusal refusal;
	int fd = any_dmabuf(1);

	setup();
	if (xioctl(fd, DMA_BUF_IOCTL_GET_REFUSAL, &refusal) == -ENOTTY)
		prime_skip("the kernel has no negotiation of storage");
	memset(&refusal, 0xff, sizeof(refusal));
	check_ok(low_ioctl(fd, DMA_BUF_IOCTL_GET_REFUSAL, &refusal,
			   sizeof(refusal)));
	check_eq(refusal.field, DMA_BUF_FIELD_NONE);
	check_eq(refusal.device[0], 0);
	check_error(low_ioctl(fd, DMA_BUF_IOCTL_ADD_DEVICE, &add, sizeof(add)),
		    EOPNOTSUPP);
	check_error(compat_ioctl(fd, DMA_BUF_IOCTL_GET_REFUSAL, 8), EFAULT);
	check_error(compat_ioctl(fd, DMA_BUF_IOCTL_GET_CONSTRAINTS, 8),
		    EOPNOTSUPP);
}

/**
 * SUBTEST: refusal
 * Description: A 32-bit call fails, and its device gives back a buffer. If this call
 *  brought the buffer, it was refused. If an earlier call brought it, it was not,
 *  whatever is in the registers of a 64-bit call.
 */
static void compat_refusal(void)
{
	struct v4l2_queue q = v4l2_capture(V4L2_CONTIG);
	struct v4l2_requestbuffers again = {
		.count = 1, .type = q.type, .memory = V4L2_MEMORY_DMABUF,
	};
	const unsigned int pages = (q.size[0] + PAGE - 1) / PAGE;
	int mock = mock_open(0), importer = mock_open(1);
	struct mock_buffer b = mock_buffer_as(mock, 0, PRIME_MOCK_CONTIGUOUS, pages);
	struct drm_prime_handle arg = { .fd = b.fd };
	struct dma_buf_refusal refusal;

	setup();
	if (xioctl(b.fd, DMA_BUF_IOCTL_GET_REFUSAL, &refusal) == -ENOTTY)
		prime_skip("the kernel tells no refusals (CONFIG_DRM_PRIME_ACCOUNT)");
	check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 1));
	check_ok(v4l2_queue_buffer(&q, 0, b.fd));
	/* The next request of buffers drops the old ones, and then fails. */
	check_ok(v4l2_control(q.fd, VIVID_REFUSE_BUFFERS, 1));
	memcpy(low, &again, sizeof(again));
	check_error(compat_call_of_4(COMPAT_IOCTL, q.fd, VIDIOC_REQBUFS, (uintptr_t)low,
				     (unsigned int)VIDIOC_QBUF), EINVAL);
	check_ok(xioctl(b.fd, DMA_BUF_IOCTL_GET_REFUSAL, &refusal));
	check_eq(refusal.error, 0);

	check_ok(mock_fail(importer, 0, PRIME_MOCK_IMPORT_SG, 1, ELOOP));
	check_error(low_ioctl(importer, DRM_IOCTL_PRIME_FD_TO_HANDLE, &arg, sizeof(arg)), ELOOP);
	check_ok(xioctl(b.fd, DMA_BUF_IOCTL_GET_REFUSAL, &refusal));
	check_eq(refusal.step, DMA_BUF_STEP_GIVEN_BACK);
	check_eq(refusal.error, ELOOP);
	close(q.fd);
	mock_buffer_end(&b);
	close(importer);
	close(mock);
}

/**
 * SUBTEST: unknown
 * Description: An unknown ioctl gives ENOTTY.
 */
static void compat_unknown(void)
{
	int fd = any_dmabuf(1);

	setup();
	check_error(compat_ioctl(fd, _IO(DMA_BUF_BASE, 77), 0), ENOTTY);
	check_error(compat_ioctl(fd, _IO('z', 1), 0), ENOTTY);
}

/**
 * SUBTEST: prime
 * Description: HANDLE_TO_FD and FD_TO_HANDLE work, refuse and lose nothing, as
 *  in 64 bits.
 */
static void compat_prime(void)
{
	int drm = open_device();
	uint32_t handle = check_ok(gem_create(drm, 1));
	struct drm_prime_handle arg = {
		.handle = handle, .flags = DRM_CLOEXEC | DRM_RDWR,
	};

	setup();
	check_ok(low_ioctl(drm, DRM_IOCTL_PRIME_HANDLE_TO_FD, &arg, sizeof(arg)));
	check_eq(fcntl(arg.fd, F_GETFD), FD_CLOEXEC);
	arg.handle = 0;
	check_ok(low_ioctl(drm, DRM_IOCTL_PRIME_FD_TO_HANDLE, &arg, sizeof(arg)));
	check_eq(arg.handle, handle);
	arg.flags = 4;
	check_error(low_ioctl(drm, DRM_IOCTL_PRIME_HANDLE_TO_FD, &arg,
			      sizeof(arg)), EINVAL);
	check_error(compat_ioctl(drm, DRM_IOCTL_PRIME_HANDLE_TO_FD, 8), EFAULT);
}

/**
 * SUBTEST: prime-readonly-argument
 * Description: If the answer of an export can't be written, the export gives EFAULT.
 *  The next one works.
 */
static void compat_prime_readonly_argument(void)
{
	int drm = open_device();
	struct drm_prime_handle arg = { .flags = DRM_CLOEXEC };
	int ret;

	setup();
	arg.handle = check_ok(gem_create(drm, 1));
	memcpy(low, &arg, sizeof(arg));
	check_ok(mprotect(low, PAGE, PROT_READ) ? -errno : 0);
	ret = compat_ioctl(drm, DRM_IOCTL_PRIME_HANDLE_TO_FD, (uintptr_t)low);
	check_error(ret, EFAULT);
	check_ok(mprotect(low, PAGE, PROT_READ | PROT_WRITE) ? -errno : 0);
	check_ok(compat_ioctl(drm, DRM_IOCTL_PRIME_HANDLE_TO_FD, (uintptr_t)low));
	memcpy(&arg, low, sizeof(arg));
	check_eq(gem_import(drm, arg.fd), arg.handle);
}

static const struct prime_subtest subtests[] = {
	{ "sync", compat_sync },
	{ "set_name", compat_set_name },
	{ "sync_files", compat_sync_files },
	{ "negotiate", compat_negotiate },
	{ "refusal", compat_refusal },
	{ "unknown", compat_unknown },
	{ "prime", compat_prime },
	{ "prime_readonly_argument", compat_prime_readonly_argument },
};

PRIME_MAIN(subtests)
