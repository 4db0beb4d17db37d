/* SPDX-License-Identifier: MIT */
/*
 * libprime-negotiate: memory that is placed where every device reaches it.
 *
 * Make a buffer, add each device that will use it, import it. A failure is a
 * negative errno, and prime_negotiate_refusal() tells which device wanted
 * what. The structs are those of <linux/dma-buf-constraints.h>.
 *
 * No function keeps state or is tied to a thread. A string is cut when the room
 * is too small. The function returns its full length, as snprintf() does.
 */
#ifndef PRIME_NEGOTIATE_H
#define PRIME_NEGOTIATE_H

#include <stddef.h>
#include <stdint.h>
#include <linux/dma-buf-constraints.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PRIME_NEGOTIATE_MAJOR	1
#define PRIME_NEGOTIATE_MINOR	0

/* The heap that prime_negotiate_alloc() takes memory from. */
#define PRIME_NEGOTIATE_HEAP	"/dev/dma_heap/negotiated"

/*
 * Does the kernel negotiate? 1 or 0; -EACCES if there is a heap that this
 * process may not open.
 */
int prime_negotiate_supported(void);

/*
 * A buffer of @size bytes, rounded up to pages, without storage yet: a dma-buf,
 * close-on-exec, for reading and writing. -ENOENT: the kernel has no such heap.
 */
int prime_negotiate_alloc(uint64_t size);

/*
 * State that a device will use the buffer. @device is an open DRM or V4L2 node,
 * @path the name of one. @merged, if not NULL, gets the constraints of all of
 * its devices.
 *
 * -EBUSY: the storage exists and does not suit the device, or none can suit all
 * of them; the device was not added. -EACCES: @buffer was not made for writing, or
 * @path can't be opened. -EOPNOTSUPP: storage of this buffer is not
 * negotiated. -ENOTTY: this kernel does not negotiate, or the fd is no dma-buf.
 */
int prime_negotiate_add(int buffer, int device,
			struct dma_buf_constraints_info *merged);
int prime_negotiate_add_path(int buffer, const char *path,
			     struct dma_buf_constraints_info *merged);

/* What all devices of the buffer need. */
int prime_negotiate_constraints(int buffer,
				struct dma_buf_constraints_info *info);
/* Where its storage is. */
int prime_negotiate_storage(int buffer, struct dma_buf_storage_info *info);
/*
 * Why this process was refused the buffer last: any dma-buf, by any device or
 * operation. -ENOTTY: the kernel does not tell. A kernel of the first release
 * fills in the fields up to the device's name.
 */
int prime_negotiate_refusal(int buffer, struct dma_buf_refusal *refusal);

/* --- the same as text; no newline at the end --- */

/* "card1 (0000:00:05.0)" for a node; the path if sysfs does not know it. */
int prime_negotiate_device_name(const char *path, char *text, size_t room);
/* The node of a device that the kernel names, "card1"; or the name itself. */
int prime_negotiate_node_name(const char *device, char *text, size_t room);
/* "addresses below 256 MiB, one segment"; "nothing special". */
int prime_negotiate_constraints_text(const struct dma_buf_constraints_info *info,
				     char *text, size_t room);
/* "4 KiB in 1 segment, zone DMA32, contiguous, coherent"; "not placed yet". */
int prime_negotiate_storage_text(const struct dma_buf_storage_info *info,
				 char *text, size_t room);
/*
 * "video0 (vivid.0) wants one contiguous piece; the buffer of vgem has 412.
 * Allocate from the heap negotiated."; "nothing was refused".
 */
int prime_negotiate_refusal_text(const struct dma_buf_refusal *refusal,
				 char *text, size_t room);
/* The names of DMA_BUF_FIELD_* and DMA_BUF_ZONE_*; "unknown" for others. */
const char *prime_negotiate_field_name(uint32_t field);
const char *prime_negotiate_zone_name(uint32_t zone);

#ifdef __cplusplus
}
#endif

#endif /* PRIME_NEGOTIATE_H */
