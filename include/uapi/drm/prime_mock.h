/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * prime_mock: an exporter and importer of dma-bufs that do what a test tells
 * them. It is for test machines: its ioctls show DMA addresses, and can make
 * other programs wait. So they need CAP_SYS_ADMIN, and give EACCES without it.
 * Everybody can use dumb buffers and PRIME, as with any driver.
 *
 * DRM_IOCTL_VERSION gives the version of this interface. A new major number
 * breaks programs. A new minor number gives a meaning to a bit that was refused
 * before.
 *
 * Errors of all ioctls: EINVAL: an unknown flag or value, or a pad that is not
 * 0. ENODEV: the device has been unplugged. ENOENT: no such handle or id.
 * EINTR: a signal arrived during a wait for a lock or a fence. ENOMEM. Each
 * ioctl lists its other errors.
 */
#ifndef _UAPI_PRIME_MOCK_H
#define _UAPI_PRIME_MOCK_H

#ifdef __KERNEL__
#include <drm/drm.h>
#else
#include "drm.h"
#endif

#if defined(__cplusplus)
extern "C" {
#endif

#define PRIME_MOCK_MAJOR	1
#define PRIME_MOCK_MINOR	2

/* Limits. */
#define PRIME_MOCK_MAX_SIZE	(256u << 20)	/* of an object */
#define PRIME_MOCK_MAX_RUN	(4u << 20)	/* of a contiguous object */
#define PRIME_MOCK_HUGE_SIZE	(2u << 20)	/* of each run of a huge object */
#define PRIME_MOCK_MAX_IDS	1024		/* imports per file, fences per file */
#define PRIME_MOCK_MAX_NESTED	1024		/* of pins, vmaps or begins of an import */
#define PRIME_MOCK_KEPT_STATS	256		/* freed objects whose counters are kept */
#define PRIME_MOCK_MAX_SLEEP_US	10000000u
#define PRIME_MOCK_FENCE_MAX_MS	10000u

/* The @handle or @id of the struct is a GEM handle. */
#define PRIME_MOCK_BY_HANDLE	(1u << 31)

/* --- objects --- */

/**
 * enum prime_mock_backing - how the pages of an object lie
 * @PRIME_MOCK_SCATTERED: single pages that are not next to each other
 * @PRIME_MOCK_CONTIGUOUS: one run of at most PRIME_MOCK_MAX_RUN bytes
 * @PRIME_MOCK_HUGE: aligned runs; the size must be a multiple of
 *	PRIME_MOCK_HUGE_SIZE
 */
enum prime_mock_backing {
	PRIME_MOCK_SCATTERED = 0,
	PRIME_MOCK_CONTIGUOUS = 1,
	PRIME_MOCK_HUGE = 2,
};

/*
 * Flags of an object: the kind of its exporter. At most one of them may be set,
 * besides IGNORE_LIMITS. Without any, the exporter is static and has every
 * operation but pin and unpin.
 */
/* The exporter is drm_gem_prime_export(), not this driver's operations. */
#define PRIME_MOCK_DEFAULT		(1u << 0)
/* The exporter has pin and unpin, so importers may follow moves. */
#define PRIME_MOCK_DYNAMIC		(1u << 1)
/* Only the operations that are mandatory: map, unmap, release. */
#define PRIME_MOCK_MINIMAL		(1u << 2)
/*
 * With cache_sgt_mapping: the core keeps the first mapping of an attachment.
 * The flag has no effect from Linux 6.16 on.
 */
#define PRIME_MOCK_CACHED		(1u << 3)
/* Lists have one entry for each run, whatever the importer's limits are. */
#define PRIME_MOCK_IGNORE_LIMITS	(1u << 4)
/*
 * As DYNAMIC. Each map and pin first moves an object that nobody has pinned, like
 * the drivers with TTM that choose a place for each user. The importers are told
 * within that call, including the one that maps. From then on the buffer has a
 * kernel fence for PRIME_MOCK_MOVING_MS.
 */
#define PRIME_MOCK_MOVING		(1u << 5)
#define PRIME_MOCK_MOVING_MS		1000u
/*
 * As DYNAMIC, but a pin does not stop a move. The move takes the memory away
 * from importers, which have to unpin when they are told. So only importers
 * that can be told may attach (dma_buf_attach_revocable()); others get
 * EOPNOTSUPP.
 */
#define PRIME_MOCK_REVOCABLE		(1u << 6)

/**
 * struct drm_prime_mock_create - make an object
 * @size: bytes, not 0; rounded up to pages
 * @backing: enum prime_mock_backing
 * @dma_bits: all pages lie below this number of address bits, 24 to 64; 0
 *	means 64
 * @flags: PRIME_MOCK_DEFAULT to PRIME_MOCK_REVOCABLE
 * @handle: out, its handle
 * @id: out, its number on this device, which is never used again
 * @pad: must be 0
 * @offset: out, for mmap of the DRM file
 *
 * The object is zeroed, and is charged to the caller's memory cgroup. A dumb
 * buffer is a scattered object of a static exporter.
 *
 * Errors: E2BIG: above one of the limits. ENOMEM: also when there are no pages
 * of this kind. ENOSPC: no number, handle or offset is left.
 */
struct drm_prime_mock_create {
	__u64 size;
	__u32 backing;
	__u32 dma_bits;
	__u32 flags;
	__u32 handle;
	__u32 id;
	__u32 pad;
	__u64 offset;
};

/**
 * struct drm_prime_mock_move - move an object's storage to other pages
 * @handle: an object of this device; EINVAL if it is imported or
 *	PRIME_MOCK_DEFAULT
 * @backing: enum prime_mock_backing
 * @dma_bits: as in struct drm_prime_mock_create
 * @flags: must be 0
 *
 * Waits for all fences of the buffer, tells the importers
 * (dma_buf_invalidate_mappings()), zaps the mappings of processes, which later
 * fault the new pages in, and copies the bytes. An importer that still uses an
 * old mapping for DMA reads PRIME_MOCK_POISON. The old pages are freed with
 * that mapping.
 *
 * Errors: E2BIG: as in struct drm_prime_mock_create.
 * EBUSY: the object is pinned, mapped in the kernel (vmap), or mapped
 * by an importer of a static exporter. (On 6.12 without DMABUF_MOVE_NOTIFY the
 * core pins what a dynamic importer maps.) A PRIME_MOCK_REVOCABLE object gives
 * EBUSY if an importer did not unpin when it was told. ETIMEDOUT: a fence did not
 * signal in PRIME_MOCK_FENCE_MAX_MS + 1 s.
 */
struct drm_prime_mock_move {
	__u32 handle;
	__u32 backing;
	__u32 dma_bits;
	__u32 flags;
};

#define PRIME_MOCK_POISON	0xdb

/* --- scripts and counters --- */

/**
 * enum prime_mock_op - an operation that can be told to fail or to sleep
 * @PRIME_MOCK_ATTACH: attach of the dma_buf_ops of an object
 * @PRIME_MOCK_DETACH: detach; can't fail
 * @PRIME_MOCK_PIN: pin; with PRIME_MOCK_DEFAULT, drm_gem_object_funcs.pin
 * @PRIME_MOCK_UNPIN: unpin; can't fail
 * @PRIME_MOCK_MAP: map_dma_buf; with PRIME_MOCK_DEFAULT,
 *	drm_gem_object_funcs.get_sg_table
 * @PRIME_MOCK_UNMAP: unmap_dma_buf; can't fail. PRIME_MOCK_DEFAULT does
 *	not see unmap, attach, detach, release, begin and end
 * @PRIME_MOCK_MMAP: mmap of the dma-buf or of the DRM file
 * @PRIME_MOCK_VMAP: vmap
 * @PRIME_MOCK_VUNMAP: vunmap; can't fail
 * @PRIME_MOCK_BEGIN: begin_cpu_access
 * @PRIME_MOCK_END: end_cpu_access
 * @PRIME_MOCK_RELEASE: release of the dma-buf; can't fail
 * @PRIME_MOCK_EXPORT: drm_gem_object_funcs.export
 * @PRIME_MOCK_IMPORT: drm_driver.gem_prime_import of the device
 * @PRIME_MOCK_IMPORT_SG: drm_driver.gem_prime_import_sg_table of the
 *	device, or the same step of a dynamic import
 * @PRIME_MOCK_NOTIFY: the device's invalidate_mappings as an importer;
 *	can't fail
 * @PRIME_MOCK_OPS: number of operations
 */
enum prime_mock_op {
	PRIME_MOCK_ATTACH = 0,
	PRIME_MOCK_DETACH = 1,
	PRIME_MOCK_PIN = 2,
	PRIME_MOCK_UNPIN = 3,
	PRIME_MOCK_MAP = 4,
	PRIME_MOCK_UNMAP = 5,
	PRIME_MOCK_MMAP = 6,
	PRIME_MOCK_VMAP = 7,
	PRIME_MOCK_VUNMAP = 8,
	PRIME_MOCK_BEGIN = 9,
	PRIME_MOCK_END = 10,
	PRIME_MOCK_RELEASE = 11,
	PRIME_MOCK_EXPORT = 12,
	PRIME_MOCK_IMPORT = 13,
	PRIME_MOCK_IMPORT_SG = 14,
	PRIME_MOCK_NOTIFY = 15,
	PRIME_MOCK_OPS = 16,
};

/* A signal ends the sleep. An operation that can fail then gives EINTR. */
#define PRIME_MOCK_INTERRUPTIBLE	(1u << 0)
#define PRIME_MOCK_FOREVER		0xffffffffu

/**
 * struct drm_prime_mock_script - what an operation does from now on
 * @id: the object's number, or its handle with PRIME_MOCK_BY_HANDLE; 0 for
 *	the device, whose operations are PRIME_MOCK_IMPORT to PRIME_MOCK_NOTIFY
 * @op: enum prime_mock_op
 * @flags: PRIME_MOCK_INTERRUPTIBLE, PRIME_MOCK_BY_HANDLE
 * @fail_at: the call that fails; 1 is the next one, 0 means that none
 *	fails
 * @fail_count: how many calls fail from that one on; PRIME_MOCK_FOREVER
 *	for all; 0 only when @fail_at is 0
 * @error: the errno of these calls, 1 to 4095; 0 only when @fail_at is 0
 * @sleep_us: how long each call sleeps before it fails or does its work,
 *	up to PRIME_MOCK_MAX_SLEEP_US
 * @pad: must be 0
 *
 * Replaces the operation's earlier script. Calls that sleep because of that one
 * go on at once. An object keeps its script as long
 * as it lives. @id still names it when its handle is closed.
 */
struct drm_prime_mock_script {
	__u32 id;
	__u32 op;
	__u32 flags;
	__u32 fail_at;
	__u32 fail_count;
	__u32 error;
	__u32 sleep_us;
	__u32 pad;
};

/* The indices of @balance: what was opened and has not been closed. */
enum prime_mock_pair {
	PRIME_MOCK_ATTACHED = 0,
	PRIME_MOCK_PINNED = 1,
	PRIME_MOCK_MAPPED = 2,
	PRIME_MOCK_VMAPPED = 3,
	PRIME_MOCK_BEGUN = 4,
	PRIME_MOCK_EXPORTED = 5,	/* dma-bufs: export against release */
	PRIME_MOCK_PAIRS = 6,
};

/**
 * struct drm_prime_mock_stats - what has happened to an object or a device
 * @id: the object's number, or its handle with PRIME_MOCK_BY_HANDLE; 0 for
 *	the device and all its objects. Out: the number
 * @flags: PRIME_MOCK_BY_HANDLE
 * @calls: out, calls of each operation, including those that failed
 * @failures: out, calls that failed, for whatever reason
 * @balance: out, by enum prime_mock_pair; with PRIME_MOCK_DEFAULT only
 *	pins and vmaps are counted
 * @objects: out, living objects, including imported ones
 * @imports: out, living imports, by id or as objects (device)
 * @fences: out, fences that have not signalled (device)
 * @undone: out, what was left when files were closed: detach, unpin,
 *	unmap, vunmap and end of imports, and fences (device)
 * @moves: out, how often storage moved
 *
 * The counters of an object are kept after it is freed, until
 * PRIME_MOCK_KEPT_STATS more objects of its device have been freed. After that
 * the ioctl gives ENOENT. The sums of the device always include the object.
 * Counters are not reset, so compare two readings.
 */
struct drm_prime_mock_stats {
	__u32 id;
	__u32 flags;
	__u64 calls[16];
	__u64 failures[16];
	__s64 balance[6];
	__u64 objects;
	__u64 imports;
	__u64 fences;
	__u64 undone;
	__u64 moves;
};

/* --- the device as an importer --- */

/* FD_TO_HANDLE attaches dynamically. */
#define PRIME_MOCK_GEM_DYNAMIC		(1u << 0)
/* The same, with allow_peer2peer; needs PRIME_MOCK_GEM_DYNAMIC. */
#define PRIME_MOCK_GEM_PEER2PEER	(1u << 1)
/* Lists outside the limits are accepted. */
#define PRIME_MOCK_UNCHECKED		(1u << 2)

/**
 * struct drm_prime_mock_limits - what the device can address
 * @dma_bits: of its DMA mask, 1 to 64
 * @flags: PRIME_MOCK_GEM_DYNAMIC to PRIME_MOCK_UNCHECKED
 * @max_segment_size: bytes, not 0
 * @max_segments: number of segments of a list; 0 for any number
 * @segment_boundary: a mask of the form 2^n - 1, at least 4095; a segment
 *	must not cross a multiple of the mask plus 1
 * @pitch_align: of the distance between two lines of an image, in bytes; a power
 *	of two or 0, which stands for 1, as the next two
 * @offset_align: of the start of an image in a buffer
 * @size_align: of the size of a buffer
 * @pad: must be 0
 *
 * The limits hold for the device and all its files until they are set again. The
 * first values, in the order of the fields, are 64, 0, 0xffffffff, 0 and ~0, and
 * then 0.
 * Existing mappings stay. A list that is mapped later, by id or for a handle,
 * must be within the limits. If it is not, the mapping is undone, and the import
 * fails. EIO: an address beyond the mask. EFBIG: a segment too long. EXDEV: a
 * segment crosses the boundary. E2BIG: too many segments. EINVAL: a list shorter
 * than the buffer.
 *
 * The three alignments are only what the driver says to
 * devm_dma_buf_constraints_set(). They refuse no list, and on a kernel without
 * the layer nobody asks for them. A program that knows a struct without them gets 0.
 *
 * If an exporter hands memory beyond the mask to the DMA API, the kernel warns
 * once, and the exporter gets the errno of the DMA API. Exporters of this
 * driver give EIO before that.
 *
 * Errors: EIO: the mask is too small for this machine.
 */
struct drm_prime_mock_limits {
	__u32 dma_bits;
	__u32 flags;
	__u32 max_segment_size;
	__u32 max_segments;
	__u64 segment_boundary;
	__u32 pitch_align;
	__u32 offset_align;
	__u32 size_align;
	__u32 pad;
};

/* Flags of an import. */
#define PRIME_MOCK_IMPORT_DYNAMIC	(1u << 0)
/* allow_peer2peer; needs PRIME_MOCK_IMPORT_DYNAMIC. */
#define PRIME_MOCK_IMPORT_PEER2PEER	(1u << 1)
/*
 * Without a callback, as an importer that pins for as long as it maps. Needs
 * PRIME_MOCK_IMPORT_DYNAMIC. EINVAL before Linux 7.1.
 */
#define PRIME_MOCK_IMPORT_UNTOLD	(1u << 2)
/*
 * When the importer is told, and has mapped or pinned, it unmaps and unpins at
 * once, and never maps or pins again. Needs PRIME_MOCK_IMPORT_DYNAMIC, and
 * excludes PRIME_MOCK_IMPORT_UNTOLD.
 */
#define PRIME_MOCK_IMPORT_REVOCABLE	(1u << 3)

/**
 * struct drm_prime_mock_import - attach the device to a dma-buf, without GEM
 * @fd: the dma-buf
 * @flags: PRIME_MOCK_IMPORT_DYNAMIC to PRIME_MOCK_IMPORT_REVOCABLE
 * @id: out, the import's number in this file
 * @pad: must be 0
 *
 * The import holds the dma-buf. When the DRM file is closed, what is left of the
 * import is undone: begins, vmaps, the mapping, pins, and then the attachment.
 *
 * Errors: those of dma_buf_get() and of the attachment, unchanged. ENOSPC: the
 * file already has PRIME_MOCK_MAX_IDS imports.
 */
struct drm_prime_mock_import {
	__s32 fd;
	__u32 flags;
	__u32 id;
	__u32 pad;
};

/* As in the kernel. */
#define PRIME_MOCK_BIDIRECTIONAL	0
#define PRIME_MOCK_TO_DEVICE		1
#define PRIME_MOCK_FROM_DEVICE		2

/*
 * With PRIME_MOCK_MAP: cut the first page off the table's DMA entries, in
 * place, as RDMA does for a memory region that begins within a buffer. Offsets
 * of an access then count from the second page. The entries are restored before
 * the unmap.
 */
#define PRIME_MOCK_TRIM		(1u << 0)

/**
 * struct drm_prime_mock_step - one step of an import
 * @id: from struct drm_prime_mock_import
 * @op: PRIME_MOCK_DETACH to PRIME_MOCK_END, but for PRIME_MOCK_MMAP
 * @direction: of PRIME_MOCK_MAP, PRIME_MOCK_BEGIN and PRIME_MOCK_END; else 0
 * @flags: PRIME_MOCK_TRIM
 *
 * Returns the core's errno unchanged. Steps that would make the core only warn,
 * or crash, are refused here.
 * EBUSY: a map of what is mapped; a detach of what is mapped, pinned, vmapped
 * or begun.
 * EINVAL: an unmap, unpin or vunmap without its counterpart; a pin of an import
 * that is not dynamic; PRIME_MOCK_TRIM when the first segment has one page or
 * less.
 * ESTALE: a map or pin of an import that has been revoked.
 * ENOSPC: more than PRIME_MOCK_MAX_NESTED pins, vmaps or begins.
 * An end without a begin is passed on to the core.
 */
struct drm_prime_mock_step {
	__u32 id;
	__u32 op;
	__u32 direction;
	__u32 flags;
};

/* State of an import, or of an imported object. */
#define PRIME_MOCK_IS_DYNAMIC	(1u << 0)
#define PRIME_MOCK_IS_PEER2PEER	(1u << 1)
#define PRIME_MOCK_IS_MAPPED	(1u << 2)
/* The buffer has moved since it was mapped: unmap and map it. */
#define PRIME_MOCK_IS_STALE	(1u << 3)
/* The import was revoked; see PRIME_MOCK_IMPORT_REVOCABLE. */
#define PRIME_MOCK_IS_REVOKED	(1u << 4)

/**
 * struct drm_prime_mock_segment - one segment as the device sees it
 * @address: DMA address
 * @length: bytes
 */
struct drm_prime_mock_segment {
	__u64 address;
	__u64 length;
};

/**
 * struct drm_prime_mock_query - state and scatter list of an import
 * @id: an import, or the handle of an imported object with
 *	PRIME_MOCK_BY_HANDLE
 * @flags: PRIME_MOCK_BY_HANDLE
 * @state: out, PRIME_MOCK_IS_DYNAMIC and so on
 * @notified: out, how often the import was told of a move
 * @pins: out
 * @vmaps: out
 * @begins: out
 * @count: in, room in @segments; out, the number of segments, 0 when it is
 *	not mapped
 * @segments: address of an array of struct drm_prime_mock_segment; ignored
 *	when @count is 0
 * @size: out, size of the dma-buf
 * @first_bytes: out, the first 8 bytes that the kernel reads through its
 *	vmap; 0 without a vmap, or when it is not memory
 *
 * Errors: EFAULT: @segments. EINVAL: the object is not imported.
 */
struct drm_prime_mock_query {
	__u32 id;
	__u32 flags;
	__u32 state;
	__u32 notified;
	__u32 pins;
	__u32 vmaps;
	__u32 begins;
	__u32 count;
	__u64 segments;
	__u64 size;
	__u64 first_bytes;
};

#define PRIME_MOCK_WRITE	(1u << 0)

/**
 * struct drm_prime_mock_access - read or write the buffer as the device would
 * @id: an import, or the handle of an imported object with
 *	PRIME_MOCK_BY_HANDLE
 * @flags: PRIME_MOCK_WRITE, PRIME_MOCK_BY_HANDLE
 * @offset: first byte
 * @size: how many, not 0
 * @data: address of the bytes, in the program
 *
 * Reads and writes by the DMA addresses of the mapped list, through an IOMMU or
 * a bounce buffer if there is one. Waits for kernel fences first, and for no
 * others. If an imported object was imported dynamically and is stale, it is
 * mapped again. An import by id is not.
 *
 * Errors: EINVAL: the range leaves the buffer, nothing is mapped, or the object
 * is not imported. ESTALE: the buffer has moved since it was mapped. EACCES:
 * the access contradicts the direction of the mapping. ENXIO: there is no
 * memory at that address. ETIMEDOUT: a kernel fence did not signal in
 * PRIME_MOCK_FENCE_MAX_MS + 1 s. EFAULT: @data. If a stale object can't be mapped
 * again, the error of the mapping; see struct drm_prime_mock_limits. After an error
 * any number of bytes may have been copied.
 */
struct drm_prime_mock_access {
	__u32 id;
	__u32 flags;
	__u64 offset;
	__u64 size;
	__u64 data;
};

/* --- fences --- */

/* Usages of a fence, the strongest first, as in the kernel. */
#define PRIME_MOCK_USAGE_KERNEL		0
#define PRIME_MOCK_USAGE_WRITE		1
#define PRIME_MOCK_USAGE_READ		2
#define PRIME_MOCK_USAGE_BOOKKEEP	3

/* Return a sync_file of the fence, close-on-exec. */
#define PRIME_MOCK_SYNC_FILE	(1u << 0)

/**
 * struct drm_prime_mock_fence - put a fence on a buffer
 * @fd: a dma-buf, or a handle with PRIME_MOCK_BY_HANDLE
 * @flags: PRIME_MOCK_SYNC_FILE, PRIME_MOCK_BY_HANDLE
 * @usage: PRIME_MOCK_USAGE_KERNEL and so on
 * @delay_ms: the fence signals by itself after that time, up to
 *	PRIME_MOCK_FENCE_MAX_MS; 0 means PRIME_MOCK_FENCE_MAX_MS and the error
 *	ETIMEDOUT
 * @error: errno, 0 to 4095, with which the fence signals after @delay_ms;
 *	0 if @delay_ms is 0
 * @id: out, its number in this file
 * @sync_file: out, or -1
 * @pad: must be 0
 *
 * A fence always signals: on command, after its time, or with ECANCELED when
 * the DRM file is closed. It holds the module as long as anybody holds the
 * fence.
 *
 * Errors: those of dma_buf_get(). EMFILE. ENOSPC: the file already has
 * PRIME_MOCK_MAX_IDS fences. EFAULT: @id and @sync_file can't be copied; then
 * there is no fence and no sync_file.
 */
struct drm_prime_mock_fence {
	__s32 fd;
	__u32 flags;
	__u32 usage;
	__u32 delay_ms;
	__u32 error;
	__u32 id;
	__s32 sync_file;
	__u32 pad;
};

/**
 * struct drm_prime_mock_signal - signal a fence and free its number
 * @id: from struct drm_prime_mock_fence
 * @error: errno, 0 to 4095, with which it signals
 * @flags: must be 0
 * @pad: must be 0
 *
 * Errors: ETIME: the fence had signalled already; its number is freed too.
 */
struct drm_prime_mock_signal {
	__u32 id;
	__u32 error;
	__u32 flags;
	__u32 pad;
};

/**
 * struct drm_prime_mock_unplug - take the device away, as if pulled out
 * @flags: must be 0
 * @pad: must be 0
 *
 * The driver is unbound, and then all ioctls of all files give ENODEV.
 * Dma-bufs, mappings and imports keep their memory. To plug the device in
 * again, write the name of the platform device, prime_mock.N, to
 * /sys/bus/platform/drivers/prime_mock/bind.
 */
struct drm_prime_mock_unplug {
	__u32 flags;
	__u32 pad;
};

#define DRM_PRIME_MOCK_CREATE	0x00
#define DRM_PRIME_MOCK_MOVE	0x01
#define DRM_PRIME_MOCK_SCRIPT	0x02
#define DRM_PRIME_MOCK_STATS	0x03
#define DRM_PRIME_MOCK_LIMITS	0x04
#define DRM_PRIME_MOCK_IMPORT	0x05
#define DRM_PRIME_MOCK_STEP	0x06
#define DRM_PRIME_MOCK_QUERY	0x07
#define DRM_PRIME_MOCK_ACCESS	0x08
#define DRM_PRIME_MOCK_FENCE	0x09
#define DRM_PRIME_MOCK_SIGNAL	0x0a
#define DRM_PRIME_MOCK_UNPLUG	0x0b

#define DRM_IOCTL_PRIME_MOCK_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PRIME_MOCK_CREATE, struct drm_prime_mock_create)
#define DRM_IOCTL_PRIME_MOCK_MOVE \
	DRM_IOW(DRM_COMMAND_BASE + DRM_PRIME_MOCK_MOVE, struct drm_prime_mock_move)
#define DRM_IOCTL_PRIME_MOCK_SCRIPT \
	DRM_IOW(DRM_COMMAND_BASE + DRM_PRIME_MOCK_SCRIPT, struct drm_prime_mock_script)
#define DRM_IOCTL_PRIME_MOCK_STATS \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PRIME_MOCK_STATS, struct drm_prime_mock_stats)
#define DRM_IOCTL_PRIME_MOCK_LIMITS \
	DRM_IOW(DRM_COMMAND_BASE + DRM_PRIME_MOCK_LIMITS, struct drm_prime_mock_limits)
#define DRM_IOCTL_PRIME_MOCK_IMPORT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PRIME_MOCK_IMPORT, struct drm_prime_mock_import)
#define DRM_IOCTL_PRIME_MOCK_STEP \
	DRM_IOW(DRM_COMMAND_BASE + DRM_PRIME_MOCK_STEP, struct drm_prime_mock_step)
#define DRM_IOCTL_PRIME_MOCK_QUERY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PRIME_MOCK_QUERY, struct drm_prime_mock_query)
#define DRM_IOCTL_PRIME_MOCK_ACCESS \
	DRM_IOW(DRM_COMMAND_BASE + DRM_PRIME_MOCK_ACCESS, struct drm_prime_mock_access)
#define DRM_IOCTL_PRIME_MOCK_FENCE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PRIME_MOCK_FENCE, struct drm_prime_mock_fence)
#define DRM_IOCTL_PRIME_MOCK_SIGNAL \
	DRM_IOW(DRM_COMMAND_BASE + DRM_PRIME_MOCK_SIGNAL, struct drm_prime_mock_signal)
#define DRM_IOCTL_PRIME_MOCK_UNPLUG \
	DRM_IOW(DRM_COMMAND_BASE + DRM_PRIME_MOCK_UNPLUG, struct drm_prime_mock_unplug)

#if defined(__cplusplus)
}
#endif

#endif
