// SPDX-License-Identifier: GPL-2.0
/*
 * A file's table of exported and imported handles, and the dma-bufs they stand
 * for. One entry per handle, holding one reference to the buffer; found by
 * handle and by the buffer's file. A buffer with several handles is found under
 * the one it got first, and under the next when that one is closed: user space
 * may rely on getting the same answer.
 *
 * A buffer that is being imported has an entry without a handle, the claim of
 * the thread that imports it. Others of the file who want that buffer wait for
 * the claim to end; nobody else does.
 *
 * The table is one piece of memory, an array of entries and two of buckets.
 * Entries are named by their place in it, as it moves when it grows.
 */
#include <linux/completion.h>
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/mm.h>

#include "internal.h"

#define DRM_PRIME_TABLE_MIN	256	/* bytes */
#define DRM_PRIME_NONE		U32_MAX

/**
 * struct drm_prime_entry - one handle, or the claim to a buffer without one
 * @dmabuf: its buffer, with a reference
 * @handle: GEM handle of the file; 0 for a claim
 * @next_by_handle: next entry in the handle's bucket; of a free one the next free
 * @next_by_file: next entry in the bucket of the buffer's file, in which equal
 *	buffers come in the order they were entered
 * @prev_by_file: the one before; DRM_PRIME_NONE for the first
 */
struct drm_prime_entry {
	struct dma_buf *dmabuf;
	u32 handle;
	u32 next_by_handle;
	u32 next_by_file;
	u32 prev_by_file;
};

/**
 * struct drm_prime_table - the table of a file that ever had an entry
 * @bytes: of it all, a power of 2
 * @size: entries that it has room for
 * @used: entries in use, those reserved included
 * @top: entries from this one on have never been used
 * @free: first entry that was used once, and no longer is
 * @bits: log2 of the number of buckets
 * @by_handle: buckets: the first entry or DRM_PRIME_NONE
 * @by_file: same
 * @waiters: for claims, links &drm_prime_waiter.node
 * @entries: the entries; the buckets come behind
 *
 * The file's prime lock protects all of it.
 */
struct drm_prime_table {
	size_t bytes;
	u32 size;
	u32 used;
	u32 top;
	u32 free;
	u32 bits;
	u32 *by_handle;
	u32 *by_file;
	struct hlist_head waiters;
	struct drm_prime_entry entries[];
};

/**
 * struct drm_prime_waiter - a thread that waits for a claim to end
 * @ended: by the thread that had the claim
 * @claim: which
 * @node: in &drm_prime_table.waiters, unhashed when the claim has ended;
 *	protected by the file's prime lock
 */
struct drm_prime_waiter {
	struct completion ended;
	u32 claim;
	struct hlist_node node;
};

/*
 * To lockdep a claim is a lock, which its thread holds while it imports: who
 * waits for a claim holds nothing that an import may take.
 */
#ifdef CONFIG_LOCKDEP
static struct lockdep_map drm_prime_claim_map =
	STATIC_LOCKDEP_MAP_INIT("drm_prime_claim", &drm_prime_claim_map);
#endif

/*
 * The public struct has room for two pointers, in the guise of two trees, and
 * its layout is frozen. One is the table's, drm_prime_spare() has the other.
 */
static struct drm_prime_table **
drm_prime_table_of(struct drm_prime_file_private *prime)
{
	lockdep_assert_held(&prime->lock);

	return (struct drm_prime_table **)&prime->dmabufs.rb_node;
}

/*
 * An eighth of the memory are buckets, a power of 2 of them. So there are up to
 * 2.3 entries to one.
 */
static struct drm_prime_table *drm_prime_table_alloc(size_t bytes)
{
	const size_t buckets = bytes / 64;
	struct drm_prime_table *table = kvmalloc(bytes, GFP_KERNEL);

	if (!table)
		return NULL;

	*table = (struct drm_prime_table) {
		.bytes = bytes,
		.size = (bytes - sizeof(*table) - 2 * buckets * sizeof(u32)) /
			sizeof(table->entries[0]),
		.free = DRM_PRIME_NONE,
		.bits = ilog2(buckets),
	};
	table->by_handle = (u32 *)&table->entries[table->size];
	table->by_file = table->by_handle + buckets;
	/* DRM_PRIME_NONE */
	memset(table->by_handle, 0xff, 2 * buckets * sizeof(u32));

	return table;
}

/* Handles are small numbers without gaps: their low bits are a good hash. */
static u32 *drm_prime_table_handle_bucket(struct drm_prime_table *table, u32 handle)
{
	return &table->by_handle[handle & ((1u << table->bits) - 1)];
}

static u32 *drm_prime_table_file_bucket(struct drm_prime_table *table,
					const struct file *file)
{
	return &table->by_file[hash_ptr(file, table->bits)];
}

static u32 drm_prime_table_find_handle(struct drm_prime_table *table, u32 handle)
{
	u32 slot = *drm_prime_table_handle_bucket(table, handle);

	while (slot != DRM_PRIME_NONE && table->entries[slot].handle != handle)
		slot = table->entries[slot].next_by_handle;
	return slot;
}

/* The first entry of a buffer: with a handle, or a claim. */
static u32 drm_prime_table_find_file(struct drm_prime_table *table,
				     const struct file *file)
{
	u32 slot = *drm_prime_table_file_bucket(table, file);

	while (slot != DRM_PRIME_NONE && table->entries[slot].dmabuf->file != file)
		slot = table->entries[slot].next_by_file;
	return slot;
}

static void drm_prime_table_link_handle(struct drm_prime_table *table, u32 slot)
{
	struct drm_prime_entry *entry = &table->entries[slot];
	u32 *bucket = drm_prime_table_handle_bucket(table, entry->handle);

	entry->next_by_handle = *bucket;
	*bucket = slot;
}

static void drm_prime_table_unlink_handle(struct drm_prime_table *table, u32 slot)
{
	struct drm_prime_entry *entry = &table->entries[slot];
	u32 *link = drm_prime_table_handle_bucket(table, entry->handle);

	while (*link != slot)
		link = &table->entries[*link].next_by_handle;
	*link = entry->next_by_handle;
}

/* Behind @prev, or in front of its bucket. */
static void drm_prime_table_link_file(struct drm_prime_table *table, u32 slot,
				      u32 prev)
{
	struct drm_prime_entry *entry = &table->entries[slot];
	u32 *link = prev == DRM_PRIME_NONE ?
		    drm_prime_table_file_bucket(table, entry->dmabuf->file) :
		    &table->entries[prev].next_by_file;

	entry->prev_by_file = prev;
	entry->next_by_file = *link;
	if (*link != DRM_PRIME_NONE)
		table->entries[*link].prev_by_file = slot;
	*link = slot;
}

static void drm_prime_table_unlink_file(struct drm_prime_table *table, u32 slot)
{
	struct drm_prime_entry *entry = &table->entries[slot];

	if (entry->prev_by_file == DRM_PRIME_NONE)
		*drm_prime_table_file_bucket(table, entry->dmabuf->file) =
			entry->next_by_file;
	else
		table->entries[entry->prev_by_file].next_by_file =
			entry->next_by_file;
	if (entry->next_by_file != DRM_PRIME_NONE)
		table->entries[entry->next_by_file].prev_by_file =
			entry->prev_by_file;
}

/* The last entry of a bucket of buffers, or DRM_PRIME_NONE. */
static u32 drm_prime_table_last(struct drm_prime_table *table, u32 slot)
{
	u32 last = DRM_PRIME_NONE;

	for (; slot != DRM_PRIME_NONE; slot = table->entries[slot].next_by_file)
		last = slot;
	return last;
}

/* Entries keep their places. Each bucket is walked backwards and put in front. */
static void drm_prime_table_move(struct drm_prime_table *from,
				 struct drm_prime_table *to)
{
	u32 bucket, slot, prev;

	to->used = from->used;
	to->top = from->top;
	to->free = from->free;
	hlist_move_list(&from->waiters, &to->waiters);
	memcpy(to->entries, from->entries, from->top * sizeof(from->entries[0]));

	for (bucket = 0; bucket < 1u << from->bits; bucket++) {
		slot = drm_prime_table_last(from, from->by_file[bucket]);
		for (; slot != DRM_PRIME_NONE; slot = prev) {
			prev = from->entries[slot].prev_by_file;
			drm_prime_table_link_file(to, slot, DRM_PRIME_NONE);
			if (to->entries[slot].handle)
				drm_prime_table_link_handle(to, slot);
		}
	}
}

/*
 * A place for an entry, so that nothing can fail once a handle or an fd is out.
 * Gives -ENOMEM.
 */
int drm_prime_cache_reserve_locked(struct drm_prime_file_private *prime, u32 *slot)
{
	struct drm_prime_table **at = drm_prime_table_of(prime);
	struct drm_prime_table *table = *at, *bigger;

	if (!table || table->used == table->size) {
		bigger = drm_prime_table_alloc(table ? 2 * table->bytes :
						       DRM_PRIME_TABLE_MIN);
		if (!bigger)
			return -ENOMEM;
		if (table)
			drm_prime_table_move(table, bigger);
		kvfree(table);
		table = bigger;
		*at = table;
	}

	if (table->free != DRM_PRIME_NONE) {
		*slot = table->free;
		table->free = table->entries[*slot].next_by_handle;
	} else {
		*slot = table->top++;
	}
	table->used++;

	return 0;
}

/* Gives back a place that has no entry, or no longer. */
void drm_prime_cache_release_locked(struct drm_prime_file_private *prime, u32 slot)
{
	struct drm_prime_table **at = drm_prime_table_of(prime);
	struct drm_prime_table *table = *at;

	table->entries[slot].next_by_handle = table->free;
	table->free = slot;
	table->used--;
	if (!table->used && table->bytes > DRM_PRIME_TABLE_MIN) {
		kvfree(table);
		*at = NULL;
	}
}

static void drm_prime_cache_enter_locked(struct drm_prime_file_private *prime,
					 u32 slot, struct dma_buf *dmabuf,
					 u32 handle)
{
	struct drm_prime_table *table = *drm_prime_table_of(prime);
	u32 *bucket = drm_prime_table_file_bucket(table, dmabuf->file);

	get_dma_buf(dmabuf);
	table->entries[slot].dmabuf = dmabuf;
	table->entries[slot].handle = handle;
	drm_prime_table_link_file(table, slot, drm_prime_table_last(table, *bucket));
	if (handle)
		drm_prime_table_link_handle(table, slot);
}

/* Enters an open handle, unless it is there. */
void drm_prime_cache_insert_locked(struct drm_prime_file_private *prime, u32 slot,
				   struct dma_buf *dmabuf, u32 handle)
{
	struct drm_prime_table *table = *drm_prime_table_of(prime);

	if (drm_prime_table_find_handle(table, handle) == DRM_PRIME_NONE)
		drm_prime_cache_enter_locked(prime, slot, dmabuf, handle);
	else
		drm_prime_cache_release_locked(prime, slot);
}

/* The buffer is the table's; the caller takes a reference before it unlocks. */
struct dma_buf *
drm_prime_cache_find_dmabuf_locked(struct drm_prime_file_private *prime,
				   u32 handle)
{
	struct drm_prime_table *table = *drm_prime_table_of(prime);
	u32 slot;

	if (!table)
		return NULL;

	slot = drm_prime_table_find_handle(table, handle);
	return slot == DRM_PRIME_NONE ? NULL : table->entries[slot].dmabuf;
}

/*
 * The handle of a buffer, by its file, which need not be a dma-buf; 0 when there
 * is none or not yet. The caller holds the file.
 */
u32 drm_prime_cache_find_handle(struct drm_prime_file_private *prime,
				const struct file *file)
{
	struct drm_prime_table *table;
	u32 slot, handle = 0;

	mutex_lock(&prime->lock);
	table = *drm_prime_table_of(prime);
	if (table) {
		slot = drm_prime_table_find_file(table, file);
		if (slot != DRM_PRIME_NONE)
			handle = table->entries[slot].handle;
	}
	mutex_unlock(&prime->lock);

	return handle;
}

/*
 * Waits for another thread's claim to end, however it does. Drops the prime
 * lock meanwhile.
 */
static int drm_prime_claim_wait_locked(struct drm_prime_file_private *prime,
				       u32 claim)
{
	struct drm_prime_waiter waiter = { .claim = claim };
	int ret;

	init_completion(&waiter.ended);
	hlist_add_head(&waiter.node, &(*drm_prime_table_of(prime))->waiters);
	mutex_unlock(&prime->lock);

	lock_map_acquire(&drm_prime_claim_map);
	lock_map_release(&drm_prime_claim_map);
	/* Not for any signal: no program knows this ioctl to be interrupted. */
	ret = wait_for_completion_killable(&waiter.ended);

	mutex_lock(&prime->lock);
	if (!hlist_unhashed(&waiter.node))
		hlist_del_init(&waiter.node);

	return ret;
}

/*
 * The handle of a buffer; or 0 and a claim to import it, and then
 * drm_prime_cache_settle_locked() must follow in this thread. Gives -ENOMEM, or
 * -ERESTARTSYS for a thread that is killed while it waits for another one's
 * claim.
 */
int drm_prime_cache_claim(struct drm_prime_file_private *prime,
			  struct dma_buf *dmabuf, u32 *handle, u32 *claim)
{
	struct drm_prime_table *table;
	u32 first;
	int ret;

	*handle = 0;
	mutex_lock(&prime->lock);
	for (;;) {
		table = *drm_prime_table_of(prime);
		first = table ? drm_prime_table_find_file(table, dmabuf->file) :
				DRM_PRIME_NONE;
		if (first == DRM_PRIME_NONE) {
			ret = drm_prime_cache_reserve_locked(prime, claim);
			break;
		}
		*handle = table->entries[first].handle;
		ret = *handle ? 0 : drm_prime_claim_wait_locked(prime, first);
		if (*handle || ret)
			break;
	}
	if (!*handle && !ret)
		drm_prime_cache_enter_locked(prime, *claim, dmabuf, 0);
	mutex_unlock(&prime->lock);

	if (!*handle && !ret)
		lock_map_acquire(&drm_prime_claim_map);
	return ret;
}

/* The entry's reference becomes the caller's. */
static struct dma_buf *
drm_prime_cache_leave_locked(struct drm_prime_file_private *prime, u32 slot)
{
	struct drm_prime_table *table = *drm_prime_table_of(prime);
	struct dma_buf *dmabuf = table->entries[slot].dmabuf;

	drm_prime_table_unlink_file(table, slot);
	if (table->entries[slot].handle)
		drm_prime_table_unlink_handle(table, slot);
	drm_prime_cache_release_locked(prime, slot);

	return dmabuf;
}

/* Ends a claim: with the handle that the buffer got and still has, or with 0. */
void drm_prime_cache_settle_locked(struct drm_prime_file_private *prime, u32 claim,
				   u32 handle)
{
	struct drm_prime_table *table = *drm_prime_table_of(prime);
	struct drm_prime_waiter *waiter;
	struct hlist_node *next;

	hlist_for_each_entry_safe(waiter, next, &table->waiters, node) {
		if (waiter->claim == claim) {
			hlist_del_init(&waiter->node);
			complete(&waiter->ended);
		}
	}
	lock_map_release(&drm_prime_claim_map);

	/* Another thread that guessed the handle may have exported it already. */
	if (handle && drm_prime_table_find_handle(table, handle) == DRM_PRIME_NONE) {
		table->entries[claim].handle = handle;
		drm_prime_table_link_handle(table, claim);
	} else {
		dma_buf_put(drm_prime_cache_leave_locked(prime, claim));
	}
}

/* Called by drm_gem.c for every handle that is closed, ours or not. */
void drm_prime_remove_buf_handle(struct drm_prime_file_private *prime,
				 uint32_t handle)
{
	struct dma_buf *dmabuf = NULL;
	struct drm_prime_table *table;
	u32 slot;

	mutex_lock(&prime->lock);
	table = *drm_prime_table_of(prime);
	if (table) {
		slot = drm_prime_table_find_handle(table, handle);
		if (slot != DRM_PRIME_NONE)
			dmabuf = drm_prime_cache_leave_locked(prime, slot);
	}
	mutex_unlock(&prime->lock);

	if (dmabuf)
		dma_buf_put(dmabuf);
}

void drm_prime_init_file_private(struct drm_prime_file_private *prime)
{
	mutex_init(&prime->lock);
	prime->dmabufs = RB_ROOT;
	prime->handles = RB_ROOT;
}

void drm_prime_destroy_file_private(struct drm_prime_file_private *prime)
{
	struct drm_prime_table *table;

	mutex_lock(&prime->lock);
	table = *drm_prime_table_of(prime);
	mutex_unlock(&prime->lock);

	/* All handles have been closed by now, and took their entries along. */
	WARN_ON_ONCE(table && table->used);
	kvfree(table);
	kfree(*drm_prime_spare(prime));
	mutex_destroy(&prime->lock);
}
