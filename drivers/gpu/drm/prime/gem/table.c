// SPDX-License-Identifier: GPL-2.0
/*
 * A file's table of exported and imported handles, and the dma-bufs that they
 * stand for. Each handle has an entry that holds a reference to its buffer. A
 * lookup of a buffer finds its oldest handle. When that handle is closed, it
 * finds the next one. So user space gets the same handle each time.
 *
 * If there is no memory to grow the table, the buckets get longer.
 */
#include <linux/hash.h>
#include <linux/mm.h>

#include "internal.h"

#define DRM_PRIME_TABLE_MIN_BITS 3

/* Handles are small, dense numbers, so their low bits are a good hash. */
static struct hlist_head *drm_prime_handle_bucket(struct drm_prime_table *table, u32 handle)
{
	return &table->buckets[handle & ((1u << table->bits) - 1)];
}

static struct hlist_head *drm_prime_buffer_bucket(struct drm_prime_table *table,
						  const struct file *file)
{
	return &table->buckets[(1u << table->bits) + hash_ptr(file, table->bits)];
}

/* Makes the first buckets or doubles them. Does nothing without memory. */
static noinline void drm_prime_table_grow_locked(struct drm_prime_table *table)
{
	struct hlist_head *buckets, *old = table->buckets;
	const u32 bits = old ? table->bits + 1 : DRM_PRIME_TABLE_MIN_BITS;
	const u32 size = old ? 1u << table->bits : 0;
	struct drm_prime_entry *entry;
	struct hlist_node *next;
	u32 i;

	buckets = kvcalloc(2u << bits, sizeof(*buckets), GFP_KERNEL);
	if (!buckets)
		return;

	table->buckets = buckets;
	table->bits = bits;
	for (i = 0; i < size; i++) {
		hlist_for_each_entry_safe(entry, next, &old[i], by_handle)
			hlist_add_head(&entry->by_handle,
				       drm_prime_handle_bucket(table, entry->handle));
		hlist_for_each_entry_safe(entry, next, &old[size + i], by_buffer)
			hlist_add_head(&entry->by_buffer,
				       drm_prime_buffer_bucket(table, entry->dmabuf->file));
	}
	kvfree(old);
}

/*
 * Allocates an entry in advance, so that linking it can't fail. Returns NULL
 * without memory. The caller links the entry or frees it.
 */
struct drm_prime_entry *drm_prime_entry_alloc_locked(struct drm_prime_table *table)
{
	lockdep_assert_held(&table->lock);

	if (!table->buckets || table->used >= 2u << table->bits)
		drm_prime_table_grow_locked(table);

	return table->buckets ? kmalloc(sizeof(struct drm_prime_entry), GFP_KERNEL) : NULL;
}

/*
 * The caller's reference to @dmabuf then belongs to the entry. @handle is not in
 * the table yet. It is 0 for a claim, which is made only if the buffer has no
 * entry.
 */
void drm_prime_entry_link_locked(struct drm_prime_table *table, struct drm_prime_entry *entry,
				 struct dma_buf *dmabuf, u32 handle)
{
	struct drm_prime_entry *oldest;

	lockdep_assert_held(&table->lock);

	oldest = handle ? drm_prime_entry_by_file_locked(table, dmabuf->file) : NULL;
	/* All members, or else the compiler clears the entry first. */
	*entry = (struct drm_prime_entry){ .dmabuf = dmabuf, .same = LIST_HEAD_INIT(entry->same),
		.handle = 0, .by_handle = { NULL, NULL }, .by_buffer = { NULL, NULL } };
	table->used++;
	if (oldest)
		list_add_tail(&entry->same, &oldest->same);
	else
		hlist_add_head(&entry->by_buffer, drm_prime_buffer_bucket(table, dmabuf->file));
	if (handle)
		drm_prime_entry_set_handle_locked(table, entry, handle);
}

/* For an entry that was linked without a handle. */
void drm_prime_entry_set_handle_locked(struct drm_prime_table *table,
				       struct drm_prime_entry *entry, u32 handle)
{
	lockdep_assert_held(&table->lock);

	entry->handle = handle;
	hlist_add_head(&entry->by_handle, drm_prime_handle_bucket(table, handle));
}

/* Frees the entry and drops its reference to the buffer. */
void drm_prime_entry_unlink_locked(struct drm_prime_table *table, struct drm_prime_entry *entry)
{
	struct drm_prime_entry *next = list_next_entry(entry, same);

	lockdep_assert_held(&table->lock);

	/* The next oldest entry replaces the oldest in the bucket. */
	if (!hlist_unhashed(&entry->by_buffer) && next != entry)
		hlist_add_behind(&next->by_buffer, &entry->by_buffer);
	hlist_del_init(&entry->by_buffer);
	hlist_del_init(&entry->by_handle);
	list_del(&entry->same);
	table->used--;

	dma_buf_put(entry->dmabuf);
	kfree(entry);
}

struct drm_prime_entry *drm_prime_entry_by_handle_locked(struct drm_prime_table *table, u32 handle)
{
	struct drm_prime_entry *entry;

	lockdep_assert_held(&table->lock);

	if (!table->buckets)
		return NULL;

	hlist_for_each_entry(entry, drm_prime_handle_bucket(table, handle), by_handle) {
		if (entry->handle == handle)
			return entry;
	}
	return NULL;
}

/*
 * Finds the oldest entry of a buffer, which may be a claim, by the buffer's
 * file. The caller holds @file, which may be a file of any kind.
 */
struct drm_prime_entry *
drm_prime_entry_by_file_locked(struct drm_prime_table *table, const struct file *file)
{
	struct drm_prime_entry *entry;

	lockdep_assert_held(&table->lock);

	if (!table->buckets)
		return NULL;

	hlist_for_each_entry(entry, drm_prime_buffer_bucket(table, file), by_buffer) {
		if (entry->dmabuf->file == file)
			return entry;
	}
	return NULL;
}

/* drm_gem.c calls this for every handle that is closed, in the table or not. */
void drm_prime_remove_buf_handle(struct drm_prime_file_private *prime, uint32_t handle)
{
	struct drm_prime_table *table = to_drm_prime_table(prime);
	struct drm_prime_entry *entry;

	drm_gem_guard_close(&table->lock);
	WRITE_ONCE(table->closed, table->closed + (table->closed < U32_MAX));
	entry = drm_prime_entry_by_handle_locked(table, handle);
	if (entry)
		drm_prime_entry_unlink_locked(table, entry);
}

void drm_prime_init_file_private(struct drm_prime_file_private *prime)
{
	mutex_init(&prime->lock);
	prime->dmabufs = RB_ROOT;
	prime->handles = RB_ROOT;
}

void drm_prime_destroy_file_private(struct drm_prime_file_private *prime)
{
	struct drm_prime_table *table = to_drm_prime_table(prime);

	/* All handles have been closed, which removed their entries. */
	WARN_ON_ONCE(table->used);
	kvfree(table->buckets);
	mutex_destroy(&prime->lock);
}
