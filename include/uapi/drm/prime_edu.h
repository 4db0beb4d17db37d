/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * prime_edu: copies between buffers by the DMA engine of QEMU's edu device.
 *
 * Buffers are dumb buffers or imported through PRIME. DRM_IOCTL_VERSION gives
 * the version of this interface. A new major number breaks programs. A new
 * minor number gives a meaning to a bit that was refused before.
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
#define PRIME_EDU_MAX_JOBS	8		/* unfinished copies of a file */

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
 * When the ioctl returns 0, the copy is queued. It starts when the fences of
 * all writers of the source and of all users of the destination have signalled.
 * The copy has a fence, which is added to the source as a reader and to the
 * destination as a writer. A program that needs the bytes polls the dma-buf, or
 * exports a sync_file from it. The status of the sync_file tells whether the
 * copy has failed. ETIMEDOUT: another driver's fence did not signal within ten
 * seconds, or the engine is stuck. ENODEV: the device is gone, or the exporter
 * of one of the buffers has taken its memory away.
 *
 * Copies that are ready take turns at the engine. Only the fences of their
 * buffers decide the order of two copies.
 *
 * Errors: ENOENT: no such handle. EINVAL: an unknown bit, or a range that is
 * empty, wraps, leaves its buffer or overlaps the other range. E2BIG: @size.
 * EBUSY: PRIME_EDU_MAX_JOBS copies of this file are unfinished; wait for the
 * fence of one. (It is not EAGAIN, because libdrm repeats the ioctl at once
 * after EAGAIN.) ENODEV: the device is gone. EINTR: a signal. ENOMEM.
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
