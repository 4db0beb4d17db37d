/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of account/ share. gem_holders.c is in drm.ko. */
#ifndef DMA_BUF_ACCOUNT_INTERNAL_H
#define DMA_BUF_ACCOUNT_INTERNAL_H

#include <linux/sched.h>
#include <linux/xarray.h>

#include "refusal.h"

/**
 * struct dma_buf_holder - somebody who holds a buffer
 * @ino: inode number of the buffer; 0 while only @object is known
 * @key: what the records are sorted by first: @object, then @ino
 * @object: GEM object that this holds, or NULL. Only compared: it may be freed
 * @owner: what @number belongs to. Only compared. Records with the same @what,
 *	@owner and @number are one reference that several processes share
 * @number: fd, handle, id, page or index; of a buffer: its size in bytes
 * @count: of a buffer or object: references that it has
 * @found: of a buffer or object: references that were found
 * @what: kind of holder, as it is printed
 * @files: references to the buffer's file that this holds
 * @objects: references to @object that this holds
 * @head: 2 for a buffer, 1 for a GEM object, 0 for others
 * @pid: process, or 0
 * @comm: name of the process
 * @where: driver or device
 */
struct dma_buf_holder {
	u64 ino, key;
	const void *object, *owner;
	u64 number;
	long count, found;
	char what[12];
	u8 files, objects, head;
	pid_t pid;
	char comm[TASK_COMM_LEN];
	char where[64];
};

/**
 * struct dma_buf_holders - one look at all holders
 * @records: what was found; owned
 * @used: records that there are; those beyond @room were not kept
 * @room: records that @records has room for
 * @walked: fds that were looked at
 * @busy: locks that others held, so what they protect was not seen
 * @pid: process that is looked at, or 0
 * @comm: its name
 * @files: its table of fds. Only compared
 * @seen: DRM files of the process that were looked into, by their address
 * @file: a DRM file to look into, with a reference, or NULL
 * @gem: drm_prime_holders_find(), or NULL without drm.ko. symbol_get() holds the
 *	module until the look is over
 * @add: adds a record; built in
 */
struct dma_buf_holders {
	struct dma_buf_holder *records;
	size_t used, room;
	unsigned int walked, busy;
	pid_t pid;
	char comm[TASK_COMM_LEN];
	const void *files;
	struct xarray seen;
	struct file *file;
	void (*gem)(struct dma_buf_holders *h, struct file *file, const void *object, u64 ino);
	void (*add)(struct dma_buf_holders *h, struct dma_buf_holder record);
};

/* account/gem_holders.c */
void drm_prime_holders_find(struct dma_buf_holders *h, struct file *file, const void *object,
			    u64 ino);

/* account/refusal.c */
int dma_buf_refusals_show(struct seq_file *s, void *unused);

/* account/reason.c */
void dma_buf_reason_find(const struct dma_buf_failure *failure, struct dma_buf_refusal *why);

#endif /* DMA_BUF_ACCOUNT_INTERNAL_H */
