/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * User-space interface of a dma-buf file descriptor.
 *
 * Numbers, names and layouts are those of Linux 7.3 and 6.12.
 */
#ifndef _DMA_BUF_UAPI_H_
#define _DMA_BUF_UAPI_H_

#include <linux/ioctl.h>
#include <linux/types.h>

/* Which access a SYNC or *_SYNC_FILE request is about. */
#define DMA_BUF_SYNC_READ      (1 << 0)
#define DMA_BUF_SYNC_WRITE     (2 << 0)
#define DMA_BUF_SYNC_RW        (DMA_BUF_SYNC_READ | DMA_BUF_SYNC_WRITE)
/* Which end of the access a SYNC request marks; START is 0. */
#define DMA_BUF_SYNC_START     (0 << 2)
#define DMA_BUF_SYNC_END       (1 << 2)
#define DMA_BUF_SYNC_VALID_FLAGS_MASK \
	(DMA_BUF_SYNC_RW | DMA_BUF_SYNC_END)

/* Room for a buffer's name, terminating NUL included. */
#define DMA_BUF_NAME_LEN	32

/**
 * struct dma_buf_sync - bracket CPU access through an mmap of the buffer
 *
 * Argument of DMA_BUF_IOCTL_SYNC. A program says START, reads or writes
 * through its mapping, and says END with the same access bits. START waits
 * for the fences that the access has to wait for, then makes the memory
 * coherent for the CPU; END hands it back to the devices. Brackets keep no
 * other process or device away from the memory.
 */
struct dma_buf_sync {
	/**
	 * @flags: one or both of DMA_BUF_SYNC_READ and DMA_BUF_SYNC_WRITE,
	 * and DMA_BUF_SYNC_END when the access is over. Anything else is
	 * refused with EINVAL.
	 */
	__u64 flags;
};

/**
 * struct dma_buf_export_sync_file - take the buffer's fences as a sync_file
 *
 * Argument of DMA_BUF_IOCTL_EXPORT_SYNC_FILE: a snapshot for programs with
 * explicit synchronisation. Fences that join the buffer later are not in it.
 */
struct dma_buf_export_sync_file {
	/**
	 * @flags: the access the caller plans. DMA_BUF_SYNC_READ collects the
	 * writers' fences, DMA_BUF_SYNC_WRITE (alone or with READ) the
	 * readers' too.
	 */
	__u32 flags;
	/** @fd: out: the sync_file, close-on-exec. */
	__s32 fd;
};

/**
 * struct dma_buf_import_sync_file - add a sync_file's fences to the buffer
 *
 * Argument of DMA_BUF_IOCTL_IMPORT_SYNC_FILE: makes work known to implicitly
 * synchronised users of the same buffer.
 */
struct dma_buf_import_sync_file {
	/**
	 * @flags: the access that the fences stand for. With
	 * DMA_BUF_SYNC_WRITE everybody waits for them, with DMA_BUF_SYNC_READ
	 * alone only later writers do.
	 */
	__u32 flags;
	/** @fd: in: the sync_file. */
	__s32 fd;
};

#define DMA_BUF_BASE		'b'
#define DMA_BUF_IOCTL_SYNC	_IOW(DMA_BUF_BASE, 0, struct dma_buf_sync)

/*
 * The name's number was once derived from a pointer type and therefore
 * differs between 32 and 64 bits; A and B are the two values it can have.
 */
#define DMA_BUF_SET_NAME	_IOW(DMA_BUF_BASE, 1, const char *)
#define DMA_BUF_SET_NAME_A	_IOW(DMA_BUF_BASE, 1, __u32)
#define DMA_BUF_SET_NAME_B	_IOW(DMA_BUF_BASE, 1, __u64)
#define DMA_BUF_IOCTL_EXPORT_SYNC_FILE	_IOWR(DMA_BUF_BASE, 2, struct dma_buf_export_sync_file)
#define DMA_BUF_IOCTL_IMPORT_SYNC_FILE	_IOW(DMA_BUF_BASE, 3, struct dma_buf_import_sync_file)

#endif /* _DMA_BUF_UAPI_H_ */
