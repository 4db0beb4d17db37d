/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * prime_edu: copies between buffers by the DMA engine of QEMU's edu device.
 *
 * Buffers are dumb buffers or come in through PRIME. The version of this
 * interface is the driver's, as DRM_IOCTL_VERSION tells it: a new major number
 * breaks programs, a new minor one gives meaning to a bit that was refused.
 */
#ifndef _UAPI_PRIME_EDU_H
#define _UAPI_PRIME_EDU_H

#ifdef __KERNEL__
#include <drm/drm.h>
#else
#include "drm.h"
#endif

#if defined(__cplusplus)
extern "C" {
#endif

#define PRIME_EDU_MAJOR	2
#define PRIME_EDU_MINOR	0

#define PRIME_EDU_MAX_COPY	(64u << 10)	/* bytes of one copy */
#define PRIME_EDU_MAX_JOBS	8		/* copies of a file that have not ended */

/**
 * struct drm_prime_edu_copy - copy bytes from one buffer to another
 * @src_handle: buffer that is read
 * @dst_handle: buffer that is written; may be the same one
 * @src_offset: first byte that is read
 * @dst_offset: first byte that is written
 * @size: how many bytes, not 0, up to PRIME_EDU_MAX_COPY
 * @flags: must be 0
 * @pad: must be 0
 *
 * The copy is queued, not done, when the ioctl returns 0. It starts when the
 * fences of writers of the source and of all users of the destination have
 * signalled; until it ends, its own fence is a reader of the source and the
 * writer of the destination. So who needs the bytes polls the dma-buf, or takes
 * a sync_file from it, whose status also tells whether the copy has failed:
 * ETIMEDOUT another driver's fence did not signal within ten seconds, or the
 * engine is stuck; ENODEV the device is gone.
 *
 * Copies that are ready take turns at the engine. There is no order between two
 * of them but the one that the fences of their buffers give.
 *
 * Errors: ENOENT no such handle; EINVAL a range that is empty, wraps, leaves its
 * buffer or overlaps the other, or an unknown bit; E2BIG @size; EBUSY
 * PRIME_EDU_MAX_JOBS copies of this file have not ended: wait for the fence of one
 * (it is not EAGAIN, since libdrm tries again at once for that); ENODEV the
 * device is gone; ENOMEM.
 */
struct drm_prime_edu_copy {
	__u32 src_handle;
	__u32 dst_handle;
	__u64 src_offset;
	__u64 dst_offset;
	__u64 size;
	__u32 flags;
	__u32 pad;
};

#define DRM_PRIME_EDU_COPY	0x00

#define DRM_IOCTL_PRIME_EDU_COPY \
	DRM_IOW(DRM_COMMAND_BASE + DRM_PRIME_EDU_COPY, struct drm_prime_edu_copy)

#if defined(__cplusplus)
}
#endif

#endif
