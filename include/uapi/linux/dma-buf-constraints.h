/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Negotiation of a buffer's storage: ioctls on a dma-buf file descriptor.
 * Buffers of the dma-heap "negotiated", and of DRM drivers with late GEM
 * objects, can be negotiated. Not in mainline.
 *
 * A program makes the buffer, adds every device that will use it, and then
 * imports it. Storage is placed at the first import that maps it for a device,
 * or at the first page fault of a mapping. It lies where all added devices
 * reach it.
 *
 * Argument structs grow at their end. The size in the request number tells
 * which fields the program knows. Unknown bytes that are not 0 give E2BIG, and
 * unknown flags give EINVAL.
 */
#ifndef _UAPI_LINUX_DMA_BUF_CONSTRAINTS_H
#define _UAPI_LINUX_DMA_BUF_CONSTRAINTS_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Bits of dma_buf_constraints_info.flags */
#define DMA_BUF_CONSTRAINT_CONTIGUOUS		(1u << 0) /* needs one segment */
#define DMA_BUF_CONSTRAINT_CONTIGUOUS_PREFERRED	(1u << 1) /* may need one segment */
#define DMA_BUF_CONSTRAINT_COHERENT		(1u << 2) /* needs coherent memory */
#define DMA_BUF_CONSTRAINT_TRANSLATED		(1u << 3) /* a device is behind an IOMMU */

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

/**
 * struct dma_buf_constraints_info - what storage must be for a set of devices
 * @dma_mask: highest address that all of them reach
 * @segment_boundary: a mask; no segment crosses a multiple of the mask plus one
 * @max_segment_size: bytes
 * @max_segments: runs of contiguous storage
 * @alignment: of each segment's start, bytes
 * @length_align: of each segment's length, bytes
 * @flags: DMA_BUF_CONSTRAINT_*
 * @devices: number of devices that these constraints are merged from
 * @pad: 0
 */
struct dma_buf_constraints_info {
	__u64 dma_mask;
	__u64 segment_boundary;
	__u64 max_segment_size;
	__u32 max_segments;
	__u32 alignment;
	__u32 length_align;
	__u32 flags;
	__u32 devices;
	__u32 pad[2];
};

/**
 * struct dma_buf_add_device - announce a device that will use the buffer
 * @device_fd: in: open file of a DRM or V4L2 device node
 * @flags: in: 0
 * @merged: out: constraints of all devices including this one
 *
 * Argument of DMA_BUF_IOCTL_ADD_DEVICE. EBUSY: the storage is already
 *	placed and does not suit the device, or no storage suits all devices.
 *	The device has not been added, and DMA_BUF_IOCTL_GET_REFUSAL tells why.
 *	EOPNOTSUPP: the storage of this buffer can't be negotiated.
 */
struct dma_buf_add_device {
	__s32 device_fd;
	__u32 flags;
	struct dma_buf_constraints_info merged;
};

/* Bits of dma_buf_storage_info.flags */
#define DMA_BUF_STORAGE_PLACED		(1u << 0) /* storage exists */
#define DMA_BUF_STORAGE_CONTIGUOUS	(1u << 1)
#define DMA_BUF_STORAGE_COHERENT	(1u << 2)
#define DMA_BUF_STORAGE_MAPPED		(1u << 3) /* a device has it mapped */

#define DMA_BUF_ZONE_NONE	0
#define DMA_BUF_ZONE_DMA	1
#define DMA_BUF_ZONE_DMA32	2
#define DMA_BUF_ZONE_NORMAL	3
#define DMA_BUF_ZONE_CMA	4

/**
 * struct dma_buf_storage_info - where the storage is
 * @flags: out: DMA_BUF_STORAGE_*
 * @zone: out: DMA_BUF_ZONE_*, the highest zone of its pages
 * @segments: out: runs of contiguous pages
 * @pad: 0
 * @largest: out: bytes of the longest run
 * @size: out: bytes in all
 * @exporter: out: name of the exporter
 *
 * Argument of DMA_BUF_IOCTL_GET_STORAGE. The answer contains no address.
 */
struct dma_buf_storage_info {
	__u32 flags;
	__u32 zone;
	__u32 segments;
	__u32 pad;
	__u64 largest;
	__u64 size;
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
#define DMA_BUF_STEP_IMPORT	11 /* a DRM driver's import, without a look */
#define DMA_BUF_STEP_HANDLE	12 /* the rest of PRIME_FD_TO_HANDLE */

/* Who refused. */
#define DMA_BUF_BY_NONE		0
#define DMA_BUF_BY_EXPORTER	1
#define DMA_BUF_BY_IMPORTER	2
#define DMA_BUF_BY_DMA_API	3
#define DMA_BUF_BY_CORE		4

/* Bits of dma_buf_refusal.flags */
#define DMA_BUF_REFUSAL_TABLE		(1u << 0) /* segments, runs, largest and reach are known */
#define DMA_BUF_REFUSAL_COHERENT	(1u << 1) /* the device sees the processor's caches */
#define DMA_BUF_REFUSAL_TRANSLATED	(1u << 2) /* an IOMMU stands before the device */
#define DMA_BUF_REFUSAL_BOUNCED		(1u << 3) /* the device was given copies (swiotlb) */
#define DMA_BUF_REFUSAL_GUESSED		(1u << 4) /* field is the likely reason; nobody said so */

/**
 * struct dma_buf_refusal - why the calling process was refused the buffer last
 * @field: out: DMA_BUF_FIELD_*, DMA_BUF_FIELD_NONE when nothing was refused
 * @pad: 0
 * @wanted: out: what the device asked for, in the field's unit
 * @found: out: what there was
 * @device: out: name of the device; empty for the processor
 * @step: out: DMA_BUF_STEP_*
 * @error: out: errno, as a positive number
 * @by: out: DMA_BUF_BY_*
 * @flags: out: DMA_BUF_REFUSAL_*
 * @dma_mask: out: what the device is known to want, as in
 *	&struct dma_buf_constraints_info; 0 without a device, as all up to @wants
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

#define DMA_BUF_IOCTL_ADD_DEVICE	_IOWR('b', 0x20, struct dma_buf_add_device)
#define DMA_BUF_IOCTL_GET_CONSTRAINTS	_IOR('b', 0x21, struct dma_buf_constraints_info)
#define DMA_BUF_IOCTL_GET_STORAGE	_IOR('b', 0x22, struct dma_buf_storage_info)
#define DMA_BUF_IOCTL_GET_REFUSAL	_IOR('b', 0x23, struct dma_buf_refusal)

#endif /* _UAPI_LINUX_DMA_BUF_CONSTRAINTS_H */
