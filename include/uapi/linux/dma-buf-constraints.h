/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Negotiation of a buffer's storage, and reasons of refusals: ioctls on a
 * dma-buf file descriptor. Buffers of the dma-heap "negotiated", and of DRM
 * drivers with late GEM objects, can be negotiated. Not in mainline.
 *
 * A program makes the buffer, adds every device that will use it, and commits:
 * then the storage lies where all of these devices reach it, and stays there.
 * Without a commit the storage is placed at the first import that maps it for a
 * device, or at the first page fault of a mapping.
 *
 * The structs have no holes on any ABI, and none is part of another one. Each
 * grows at its end. The size in the request number tells which fields the
 * program knows: bytes beyond those that the kernel knows must be 0 (E2BIG). A
 * request that only writes the struct sets those bytes to 0. Unknown flags give
 * EINVAL. Fields that are only "out" may hold anything. All requests but
 * DMA_BUF_IOCTL_GET_REFUSAL may wait for a lock, and give EINTR if a signal ends
 * the wait.
 *
 * Numbers 0x20 to 0x22 were requests of the first version, and are not used
 * again.
 */
#ifndef _UAPI_LINUX_DMA_BUF_CONSTRAINTS_H
#define _UAPI_LINUX_DMA_BUF_CONSTRAINTS_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Bits of dma_buf_constraints_info.flags and dma_buf_refusal.wants */
#define DMA_BUF_CONSTRAINT_CONTIGUOUS		(1u << 0) /* needs one segment */
#define DMA_BUF_CONSTRAINT_COHERENT		(1u << 2) /* needs coherent memory */
#define DMA_BUF_CONSTRAINT_TRANSLATED		(1u << 3) /* a device is behind an IOMMU */

/* How a device will use the buffer. */
#define DMA_BUF_USE_READ	(1u << 0)
#define DMA_BUF_USE_WRITE	(1u << 1)
#define DMA_BUF_USE_SCANOUT	(1u << 2) /* a display shows it */
#define DMA_BUF_USE_CPU		(1u << 3) /* the CPU, through a mapping */

/* Which constraint a refusal is about. */
#define DMA_BUF_FIELD_NONE		0
#define DMA_BUF_FIELD_DMA_MASK		1 /* highest address */
#define DMA_BUF_FIELD_SEGMENT_BOUNDARY	2 /* mask */
#define DMA_BUF_FIELD_MAX_SEGMENT_SIZE	3 /* bytes */
#define DMA_BUF_FIELD_MAX_SEGMENTS	4 /* segments */
#define DMA_BUF_FIELD_ALIGNMENT		5 /* bytes */
#define DMA_BUF_FIELD_LENGTH_ALIGN	6 /* bytes */
#define DMA_BUF_FIELD_COHERENT		7 /* 1: needed, 0: not given */
#define DMA_BUF_FIELD_CONTIGUOUS	8 /* segments */
#define DMA_BUF_FIELD_BOUNCE		9 /* swiotlb would copy */
#define DMA_BUF_FIELD_OPERATION		10 /* 1: needed, 0: the driver has none */
#define DMA_BUF_FIELD_SIZE		11 /* bytes that the DMA API maps at once */
#define DMA_BUF_FIELD_ERROR		12 /* errno; no constraint explains it */
#define DMA_BUF_FIELD_SIZE_ALIGN	13 /* bytes */

/**
 * struct dma_buf_constraints_info - what a buffer must be for a set of devices
 * @dma_mask: highest address that all of them reach
 * @segment_boundary: a mask; no segment crosses a multiple of the mask plus one
 * @max_segment_size: bytes
 * @max_segments: runs of contiguous storage
 * @alignment: of each segment's start, bytes
 * @length_align: of each segment's length, bytes
 * @flags: DMA_BUF_CONSTRAINT_*
 * @use: DMA_BUF_USE_* of all added devices
 * @pitch_align: of the distance between two lines of an image, bytes
 * @offset_align: of the start of an image in the buffer, bytes
 * @size_align: of the buffer's size, bytes
 * @devices: number of added devices, and of imports into devices that were not
 *	added; these constraints are merged from theirs
 * @pad: 0
 *
 * Argument of DMA_BUF_IOCTL_GET_CONSTRAINTS; all of it is out. The kernel does
 * not know what is in the buffer, so a program follows @pitch_align and
 * @offset_align itself. DMA_BUF_IOCTL_COMMIT follows @size_align.
 */
struct dma_buf_constraints_info {
	__u64 dma_mask;
	__u64 segment_boundary;
	__u64 max_segment_size;
	__u32 max_segments;
	__u32 alignment;
	__u32 length_align;
	__u32 flags;
	__u32 use;
	__u32 pitch_align;
	__u32 offset_align;
	__u32 size_align;
	__u32 devices;
	__u32 pad;
};

/**
 * struct dma_buf_device_use - a device that will use the buffer
 * @device_fd: in: open file of a DRM or V4L2 device node
 * @use: in: DMA_BUF_USE_*, at least one; 0 for DMA_BUF_IOCTL_REMOVE_DEVICE
 * @flags: in: 0
 * @field: out: DMA_BUF_FIELD_*, why the call failed; DMA_BUF_FIELD_NONE when
 *	it did not
 * @wanted: out: what the device asks for, in the field's unit
 * @found: out: what there is
 * @device: out: name of the device
 *
 * Argument of DMA_BUF_IOCTL_ADD_DEVICE and DMA_BUF_IOCTL_REMOVE_DEVICE. Adding a
 * device again, by the same node or another one, adds to its use and its needs. It
 * counts until it is removed, until its driver leaves, or until the buffer is freed.
 *
 * Errors:
 *
 * - EBADF, EINVAL: @device_fd is no open file, or no DRM or V4L2 node
 * - EBUSY: the placed storage does not suit the device and can't move, or no
 *   storage suits all devices; the device has not been added
 * - ENOENT: the device to be removed was not added
 * - ENODEV: the device is gone, or the kernel has no module that knows such nodes,
 *   or can't load it
 * - ENOMEM: there is no memory
 * - ENOSPC: the buffer has 64 devices already
 * - EACCES: the buffer was not exported for writing
 * - EOPNOTSUPP: the storage of this buffer can't be negotiated, or the node is
 *   of a driver that imports no buffers
 */
struct dma_buf_device_use {
	__s32 device_fd;
	__u32 use;
	__u32 flags;
	__u32 field;
	__u64 wanted;
	__u64 found;
	char device[64];
};

/**
 * struct dma_buf_commit - place the storage now
 * @size: in: bytes that the buffer is to have, 0 for those that it has; out, if
 *	the call is not refused: bytes that it has, rounded up to pages and to
 *	what the devices need
 * @flags: in: 0
 * @field: out: as in &struct dma_buf_device_use
 * @wanted: out
 * @found: out
 * @device: out: name of the device that asks for @wanted; empty if no single one
 *	does
 *
 * Argument of DMA_BUF_IOCTL_COMMIT. The storage is placed where all devices that
 * have joined reach it, and does not move any more. After that no page fault of a
 * mapping fails for lack of memory. A buffer of the heap "negotiated" can become
 * larger here as long as no device is attached and nobody has touched it.
 *
 * Errors:
 *
 * - EBUSY: no storage suits all devices, the placed storage does not suit them and
 *   can't move, or the size can't change any more
 * - EINVAL: @size is less than the size of the buffer
 * - ENOMEM: there is no memory, or the machine has less than @size
 * - EACCES, EOPNOTSUPP: as in &struct dma_buf_device_use
 */
struct dma_buf_commit {
	__u64 size;
	__u32 flags;
	__u32 field;
	__u64 wanted;
	__u64 found;
	char device[64];
};

/* Bits of dma_buf_storage_info.flags */
#define DMA_BUF_STORAGE_PLACED		(1u << 0) /* storage exists */
#define DMA_BUF_STORAGE_CONTIGUOUS	(1u << 1)
#define DMA_BUF_STORAGE_COMMITTED	(1u << 2) /* and does not move */

/**
 * struct dma_buf_storage_info - where the storage is
 * @flags: out: DMA_BUF_STORAGE_*
 * @segments: out: runs of contiguous pages
 * @largest: out: bytes of the longest run
 * @size: out: bytes in all
 * @reach: out: the smallest mask that covers all addresses
 * @exporter: out: name of the exporter
 *
 * Argument of DMA_BUF_IOCTL_GET_STORAGE. The answer contains no address.
 */
struct dma_buf_storage_info {
	__u32 flags;
	__u32 segments;
	__u64 largest;
	__u64 size;
	__u64 reach;
	char exporter[32];
};

/* Which step was refused. Where steps nest, the innermost one that failed. */
#define DMA_BUF_STEP_NONE	0
#define DMA_BUF_STEP_DMA	1 /* the DMA API maps the exporter's table */
#define DMA_BUF_STEP_PIN	2
#define DMA_BUF_STEP_MAP	3 /* the exporter makes the table */
#define DMA_BUF_STEP_TABLE	4 /* the core waits for fences, and copies the table */
#define DMA_BUF_STEP_ADMIT	5 /* the device's constraints join those of the others */
#define DMA_BUF_STEP_ATTACH	6
#define DMA_BUF_STEP_VMAP	7
#define DMA_BUF_STEP_MMAP	8
#define DMA_BUF_STEP_CPU	9 /* begin_cpu_access */
#define DMA_BUF_STEP_GIVEN_BACK	10 /* the importer attached, looked, and detached */
#define DMA_BUF_STEP_IMPORT	11 /* a DRM driver's import, outside the steps above */
#define DMA_BUF_STEP_HANDLE	12 /* the rest of PRIME_FD_TO_HANDLE */
#define DMA_BUF_STEP_COMMIT	13 /* the storage is placed for all devices */

/* Who refused. */
#define DMA_BUF_BY_NONE		0
#define DMA_BUF_BY_EXPORTER	1
#define DMA_BUF_BY_IMPORTER	2
#define DMA_BUF_BY_DMA_API	3
#define DMA_BUF_BY_CORE		4

/* Bits of dma_buf_refusal.flags */
#define DMA_BUF_REFUSAL_TABLE		(1u << 0) /* segments, runs, largest and reach are known */
#define DMA_BUF_REFUSAL_COHERENT	(1u << 1) /* the device snoops the CPU's caches */
#define DMA_BUF_REFUSAL_TRANSLATED	(1u << 2) /* an IOMMU stands before the device */
#define DMA_BUF_REFUSAL_BOUNCED		(1u << 3) /* the device was given copies (swiotlb) */
#define DMA_BUF_REFUSAL_GUESSED		(1u << 4) /* field is the likely reason; nobody said so */

/**
 * struct dma_buf_refusal - why the calling process was refused the buffer last
 * @field: out: DMA_BUF_FIELD_*, DMA_BUF_FIELD_NONE when nothing was refused
 * @pad: 0
 * @wanted: out: what the device asked for, in the field's unit
 * @found: out: what there was; 0 for a mask that is not known
 * @device: out: name of the device; empty for the CPU
 * @step: out: DMA_BUF_STEP_*
 * @error: out: errno, as a positive number
 * @by: out: DMA_BUF_BY_*
 * @flags: out: DMA_BUF_REFUSAL_*
 * @dma_mask: out: what the device is known to want, as in
 *	&struct dma_buf_constraints_info; without a device, this and all fields up
 *	to @wants are 0
 * @segment_boundary: out: mask
 * @max_segment_size: out: bytes
 * @max_segments: out: segments
 * @alignment: out: bytes
 * @length_align: out: bytes
 * @wants: out: DMA_BUF_CONSTRAINT_*
 * @size: out: of the buffer, bytes
 * @largest: out: longest run of contiguous addresses, bytes
 * @reach: out: the smallest mask that covers all addresses
 * @segments: out: entries of the table
 * @runs: out: runs of contiguous addresses in it
 * @exporter: out: name of the buffer's driver
 *
 * Argument of DMA_BUF_IOCTL_GET_REFUSAL, which works on every dma-buf. A process
 * is told of its own refusals only, of the last one for each buffer.
 */
struct dma_buf_refusal {
	__u32 field;
	__u32 pad;
	__u64 wanted;
	__u64 found;
	char device[64];
	__u32 step;
	__u32 error;
	__u32 by;
	__u32 flags;
	__u64 dma_mask;
	__u64 segment_boundary;
	__u64 max_segment_size;
	__u32 max_segments;
	__u32 alignment;
	__u32 length_align;
	__u32 wants;
	__u64 size;
	__u64 largest;
	__u64 reach;
	__u32 segments;
	__u32 runs;
	char exporter[32];
};

/* Bits of dma_buf_try_device.judged */
#define DMA_BUF_TRY_IMPORT	(1u << 0) /* the whole import of the driver */
#define DMA_BUF_TRY_MAPPING	(1u << 1) /* the mapping, not the format or the queue's state */

/**
 * struct dma_buf_try_device - would this device take this buffer?
 * @device_fd: in: open file of a DRM or V4L2 device node
 * @flags: in: 0
 * @judged: out: DMA_BUF_TRY_*, if the answer is that of the device; 0 if the
 *	request itself failed
 *
 * Argument of DMA_BUF_IOCTL_TRY_DEVICE, which works on every dma-buf. The device
 * imports the buffer and gives it up again. The call returns what the import
 * returned: 0, or its errno, and then DMA_BUF_IOCTL_GET_REFUSAL tells the reason. A
 * V4L2 device is tried with the whole buffer; of a memory-to-memory device both
 * queues must take it. A queue that has no device before VIDIOC_REQBUFS is tried
 * with the parent of its node. Who may import may try.
 *
 * Errors with @judged = 0:
 *
 * - EBADF: @device_fd is no open file
 * - EACCES or another errno of a security module: it forbids this process
 *   DRM_IOCTL_PRIME_FD_TO_HANDLE or VIDIOC_QBUF on the device
 * - EINTR: a signal came before the attempt
 * - EBUSY: another file has buffers in this V4L2 device (from VIDIOC_REQBUFS on)
 * - ENODEV: the device is gone
 * - ENOMEM: there is no memory
 * - EOPNOTSUPP: the file is no DRM or V4L2 node; its driver has an import of its
 *   own that can't be undone, takes no dma-bufs, or does not tell V4L2 the lock of
 *   the queue; or the storage of the buffer is negotiated and not committed, and an
 *   attempt would place it (DMA_BUF_IOCTL_ADD_DEVICE tells whether the device can
 *   have it)
 * - another errno with which a DRM device failed to wake up
 *
 * Errors that leave @judged as it was: EINVAL for a short argument or a flag,
 * E2BIG for a longer argument whose further bytes are not 0, EFAULT, and ENOTTY
 * where the kernel has no such request.
 */
struct dma_buf_try_device {
	__s32 device_fd;
	__u32 flags;
	__u32 judged;
};

/*
 * What decides where the storage lies needs a buffer that was exported for
 * writing. Everybody who has a descriptor of the buffer may ask.
 */
#define DMA_BUF_IOCTL_GET_REFUSAL	_IOR('b', 0x23, struct dma_buf_refusal)
#define DMA_BUF_IOCTL_TRY_DEVICE	_IOWR('b', 0x24, struct dma_buf_try_device)
#define DMA_BUF_IOCTL_ADD_DEVICE	_IOWR('b', 0x25, struct dma_buf_device_use)
#define DMA_BUF_IOCTL_REMOVE_DEVICE	_IOWR('b', 0x26, struct dma_buf_device_use)
#define DMA_BUF_IOCTL_COMMIT		_IOWR('b', 0x27, struct dma_buf_commit)
#define DMA_BUF_IOCTL_GET_CONSTRAINTS	_IOR('b', 0x28, struct dma_buf_constraints_info)
#define DMA_BUF_IOCTL_GET_STORAGE	_IOR('b', 0x29, struct dma_buf_storage_info)

#endif /* _UAPI_LINUX_DMA_BUF_CONSTRAINTS_H */
