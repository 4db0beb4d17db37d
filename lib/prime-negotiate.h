/* SPDX-License-Identifier: MIT */
/*
 * libprime-negotiate: memory that is placed where every device reaches it.
 *
 * Make a buffer, add each device that will use it, commit, import it. A failure is
 * a negative errno, and the answer of the call tells which device wanted
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
 * process may not open, and another errno, such as -EMFILE, if it can't find out.
 */
int prime_negotiate_supported(void);

/*
 * A buffer of @size bytes, rounded up to pages, without storage yet: a dma-buf,
 * close-on-exec, for reading and writing. With a @size of 0,
 * prime_negotiate_commit() gives it its size. -ENOENT: the kernel has no such
 * heap.
 */
int prime_negotiate_alloc(uint64_t size);

/*
 * State that a device will use the buffer, and how: @use is DMA_BUF_USE_*.
 * @device is an open DRM or V4L2 node, @path the name of one. @answer, if not
 * NULL, gets the reason when the device is refused.
 *
 * -EBUSY: the placed storage does not suit the device and can't move, or none can suit
 * all of them; the device was not added. -EACCES: @buffer was not made for writing,
 * or @path can't be opened. -EINVAL: the device is no DRM or V4L2 node, or @use is
 * empty or unknown. -EOPNOTSUPP: storage of this buffer is not negotiated, or the
 * device imports nothing. -ENODEV: the device is gone, or the kernel has no module
 * for it. -ENOSPC: the buffer has 64 devices already. -ENOTTY: this kernel does not
 * negotiate, or @buffer is no dma-buf. -EBADF, -ENOMEM.
 */
int prime_negotiate_add(int buffer, int device, uint32_t use,
			struct dma_buf_device_use *answer);
int prime_negotiate_add_path(int buffer, const char *path, uint32_t use,
			     struct dma_buf_device_use *answer);
/* Take that back. -ENOENT: the device was not added. */
int prime_negotiate_remove(int buffer, int device);

/*
 * Place the storage now, where all devices reach it; it stays there. The buffer
 * gets at least @size bytes, or keeps its size if @size is 0. @answer, if not
 * NULL, gets the size, and the reason of a refusal.
 *
 * -EBUSY: no storage suits all devices, or the buffer is in use and can't change
 * any more. -EINVAL: @size is less than it has. -ENOMEM: there is no memory.
 * -EACCES, -EOPNOTSUPP, -ENOTTY, -EBADF: as for prime_negotiate_add().
 */
int prime_negotiate_commit(int buffer, uint64_t size,
			   struct dma_buf_commit *answer);

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
/*
 * Would the device take the buffer? 0, or the errno of the import, and then
 * prime_negotiate_refusal() tells why. The device imports it and gives it up again.
 * @device is an open DRM or V4L2 node. @judged, if not NULL, gets DMA_BUF_TRY_*:
 * what the answer is about. 0 means that nothing was tried. -EOPNOTSUPP: the file
 * is no such node, its driver can't be tried, or the storage is not committed.
 * -EBUSY: another file has buffers in the device. -ENOTTY: the kernel does not know
 * the call.
 */
int prime_negotiate_try(int buffer, int device, uint32_t *judged);

/* --- the same as text; no newline at the end --- */

/* "card1 (0000:00:05.0)" for a node; the path if sysfs does not know it. */
int prime_negotiate_device_name(const char *path, char *text, size_t room);
/* "card1 (0000:00:05.0)" for a device that the kernel names; the name if it has no node. */
int prime_negotiate_node_name(const char *device, char *text, size_t room);
/* "addresses below 256 MiB, contiguous"; "nothing special". */
int prime_negotiate_constraints_text(const struct dma_buf_constraints_info *info,
				     char *text, size_t room);
/* "8 MiB in 3 segments, the largest 4 MiB, below 4 GiB"; "8 MiB, not placed yet". */
int prime_negotiate_storage_text(const struct dma_buf_storage_info *info,
				 char *text, size_t room);
/*
 * "video0 (vivid.0) seems to want one contiguous piece; the buffer of vgem has
 * 412. Allocate from the heap negotiated; if that is refused too, copy."; "nothing
 * was refused".
 */
int prime_negotiate_refusal_text(const struct dma_buf_refusal *refusal,
				 char *text, size_t room);
/* The same for the answers of prime_negotiate_add() and _commit(). */
int prime_negotiate_add_text(const struct dma_buf_device_use *answer,
			     char *text, size_t room);
int prime_negotiate_commit_text(const struct dma_buf_commit *answer,
				char *text, size_t room);
/* The names of DMA_BUF_FIELD_*; "unknown" for others. */
const char *prime_negotiate_field_name(uint32_t field);

#ifdef __cplusplus
}
#endif

#endif /* PRIME_NEGOTIATE_H */
