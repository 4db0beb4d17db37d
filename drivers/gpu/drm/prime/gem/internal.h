/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The GEM side's private interface. It uses the core through <linux/dma-buf.h>
 * and core/record.h, and the rest of DRM through drm_internal.h.
 */
#ifndef GEM_PRIME_INTERNAL_H
#define GEM_PRIME_INTERNAL_H

/*
 * The complete types that a file sees decide the CRC of each export. So all
 * files of the GEM side include this list, whatever each of them needs.
 */
#include <linux/dma-buf.h>
#include <linux/export.h>
#include <linux/module.h>
#include <linux/rbtree.h>
#include <linux/slab.h>

#include <drm/drm.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <drm/drm_print.h>

#include "../../drm_internal.h"
#include "../account/refusal.h"
#include "../core/record.h"
#include "../kernel.h"

/**
 * struct drm_prime_entry - one handle of a file, or a claim to a buffer
 * @dmabuf: the buffer, with a reference
 * @handle: GEM handle of the file; 0 for a claim
 * @by_handle: in the handle's bucket; unhashed for a claim
 * @by_buffer: in the buffer's bucket if this is the buffer's oldest entry;
 *	otherwise unhashed
 * @same: ring of all entries of the buffer, by age
 *
 * The file's prime lock protects all of it.
 */
struct drm_prime_entry {
	struct dma_buf *dmabuf;
	u32 handle;
	struct hlist_node by_handle;
	struct hlist_node by_buffer;
	struct list_head same;
};

/**
 * struct drm_prime_table - the contents of a &struct drm_prime_file_private
 * @lock: &drm_prime_file_private.lock, which protects the rest
 * @buckets: heads of &drm_prime_entry.by_handle, then the same number of heads
 *	of &drm_prime_entry.by_buffer; owned; NULL until the file has an entry
 * @bits: log2 of the number of heads of each kind
 * @used: entries in the table
 * @closed: how many handles were closed. An import reads it, without the lock,
 *	before it makes a handle, and with the lock afterwards, to learn whether a
 *	close came between. It stops at U32_MAX, so no number comes twice
 *
 * The layout of the public struct is frozen. This one takes the place of its
 * two trees, which no other code uses.
 */
struct drm_prime_table {
	struct mutex lock;	/* protects the rest */
	struct hlist_head *buckets;
	u32 bits : 5;
	u32 used : 27;
	u32 closed;
};

static_assert(sizeof(struct drm_prime_table) == sizeof(struct drm_prime_file_private));

static inline struct drm_prime_table *to_drm_prime_table(struct drm_prime_file_private *prime)
{
	return container_of(&prime->lock, struct drm_prime_table, lock);
}

/* gem/table.c */
struct drm_prime_entry *drm_prime_entry_alloc_locked(struct drm_prime_table *table);
void drm_prime_entry_link_locked(struct drm_prime_table *table, struct drm_prime_entry *entry,
				 struct dma_buf *dmabuf, u32 handle);
void drm_prime_entry_set_handle_locked(struct drm_prime_table *table,
				       struct drm_prime_entry *entry, u32 handle);
void drm_prime_entry_unlink_locked(struct drm_prime_table *table, struct drm_prime_entry *entry);
struct drm_prime_entry *drm_prime_entry_by_handle_locked(struct drm_prime_table *table, u32 handle);
struct drm_prime_entry *
drm_prime_entry_by_file_locked(struct drm_prime_table *table, const struct file *file);

/* gem/claim.c */
int drm_prime_claim_wait_locked(struct drm_prime_table *table);
struct drm_prime_entry *
drm_prime_claim_begin_locked(struct drm_file *file_priv, struct file *file, int fd);
void drm_prime_claim_end_locked(struct drm_prime_table *table,
				struct drm_prime_entry *claim, u32 handle);

/* gem/export.c */
struct dma_buf *drm_prime_export_get(struct drm_gem_object *obj, u32 flags);

/* gem/ops.c: the operations of drm_gem_prime_export() */
extern const struct dma_buf_ops drm_prime_dmabuf_ops;

#endif /* GEM_PRIME_INTERNAL_H */
