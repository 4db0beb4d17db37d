// SPDX-License-Identifier: GPL-2.0
/*
 * A file's table of exported and imported handles, and the dma-bufs they stand
 * for. One entry per handle, holding one reference to the buffer; found by
 * handle and by buffer. A buffer with several handles is found under the one
 * it got first, and under the next when that one is closed: user space may
 * rely on getting the same answer.
 *
 * A buffer that is being imported has an entry without a handle, the claim of
 * the thread that imports it. Others of the file who want that buffer wait for
 * the claim to end; nobody else does.
 */
#include <linux/completion.h>

#include "gem_prime_internal.h"

/**
 * struct drm_prime_entry - one handle, or the claim to a buffer without one
 * @dmabuf: its buffer, with a reference; never changes
 * @handle: GEM handle of the file, which never changes; 0 for a claim
 * @by_dmabuf: in &drm_prime_file_private.dmabufs, equal buffers in the order
 *	they came
 * @by_handle: in &drm_prime_file_private.handles
 * @waiters: of a claim, links &drm_prime_waiter.node
 *
 * The file's prime lock protects what changes.
 */
struct drm_prime_entry {
	struct dma_buf *dmabuf;
	u32 handle;
	struct rb_node by_dmabuf;
	union {
		struct rb_node by_handle;
		struct hlist_head waiters;
	};
};

/**
 * struct drm_prime_waiter - a thread that waits for a claim to end
 * @ended: by the thread that had the claim
 * @node: in &drm_prime_entry.waiters, unhashed when the claim has ended;
 *	protected by the file's prime lock
 */
struct drm_prime_waiter {
	struct completion ended;
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

#define entry_by_dmabuf(node) rb_entry(node, struct drm_prime_entry, by_dmabuf)
#define entry_by_handle(node) rb_entry(node, struct drm_prime_entry, by_handle)

/* rb_add() puts an equal one behind those that are there. */
static bool drm_prime_entry_dmabuf_less(struct rb_node *a, const struct rb_node *b)
{
	return entry_by_dmabuf(a)->dmabuf < entry_by_dmabuf(b)->dmabuf;
}

static int drm_prime_entry_dmabuf_cmp(const void *key, const struct rb_node *node)
{
	const struct dma_buf *dmabuf = entry_by_dmabuf(node)->dmabuf;

	return key < (const void *)dmabuf ? -1 : key > (const void *)dmabuf;
}

static bool drm_prime_entry_handle_less(struct rb_node *a, const struct rb_node *b)
{
	return entry_by_handle(a)->handle < entry_by_handle(b)->handle;
}

static int drm_prime_entry_handle_cmp(const void *key, const struct rb_node *node)
{
	const u32 handle = *(const u32 *)key;
	const u32 other = entry_by_handle(node)->handle;

	return handle < other ? -1 : handle > other;
}

static struct drm_prime_entry *
drm_prime_entry_find_locked(struct drm_prime_file_private *prime, u32 handle)
{
	struct rb_node *node;

	lockdep_assert_held(&prime->lock);

	node = rb_find(&handle, &prime->handles, drm_prime_entry_handle_cmp);
	return node ? entry_by_handle(node) : NULL;
}

/*
 * An entry for drm_prime_cache_insert_locked(), or NULL without memory. Made
 * beforehand so that nothing can fail once a handle or an fd is out.
 */
struct drm_prime_entry *drm_prime_entry_alloc(void)
{
	return kmalloc(sizeof(struct drm_prime_entry), GFP_KERNEL);
}

/* Enters an open handle, unless it is there; the table takes over @entry. */
void drm_prime_cache_insert_locked(struct drm_prime_file_private *prime,
				   struct drm_prime_entry *entry,
				   struct dma_buf *dmabuf, u32 handle)
{
	lockdep_assert_held(&prime->lock);

	if (drm_prime_entry_find_locked(prime, handle)) {
		kfree(entry);
		return;
	}

	get_dma_buf(dmabuf);
	entry->dmabuf = dmabuf;
	entry->handle = handle;
	rb_add(&entry->by_dmabuf, &prime->dmabufs, drm_prime_entry_dmabuf_less);
	rb_add(&entry->by_handle, &prime->handles, drm_prime_entry_handle_less);
}

/* The buffer is the table's; the caller takes a reference before it unlocks. */
struct dma_buf *
drm_prime_cache_find_dmabuf_locked(struct drm_prime_file_private *prime,
				   u32 handle)
{
	struct drm_prime_entry *entry = drm_prime_entry_find_locked(prime, handle);

	return entry ? entry->dmabuf : NULL;
}

/* The first entry of a buffer: with a handle, or a claim. */
static struct drm_prime_entry *
drm_prime_entry_first_locked(struct drm_prime_file_private *prime,
			     struct dma_buf *dmabuf)
{
	struct rb_node *node;

	lockdep_assert_held(&prime->lock);

	node = rb_find_first(dmabuf, &prime->dmabufs, drm_prime_entry_dmabuf_cmp);
	return node ? entry_by_dmabuf(node) : NULL;
}

static void drm_prime_claim_begin_locked(struct drm_prime_file_private *prime,
					 struct drm_prime_entry *entry,
					 struct dma_buf *dmabuf)
{
	lockdep_assert_held(&prime->lock);

	get_dma_buf(dmabuf);
	entry->dmabuf = dmabuf;
	entry->handle = 0;
	INIT_HLIST_HEAD(&entry->waiters);
	rb_add(&entry->by_dmabuf, &prime->dmabufs, drm_prime_entry_dmabuf_less);
}

/*
 * Waits for another thread's claim to end, however it does. Drops the prime
 * lock and returns without it.
 */
static int drm_prime_claim_wait_locked(struct drm_prime_file_private *prime,
				       struct drm_prime_entry *entry)
{
	struct drm_prime_waiter waiter;
	int ret;

	lockdep_assert_held(&prime->lock);

	init_completion(&waiter.ended);
	hlist_add_head(&waiter.node, &entry->waiters);
	mutex_unlock(&prime->lock);

	lock_map_acquire(&drm_prime_claim_map);
	lock_map_release(&drm_prime_claim_map);
	/* Not for any signal: no program knows this ioctl to be interrupted. */
	ret = wait_for_completion_killable(&waiter.ended);
	if (ret) {
		mutex_lock(&prime->lock);
		if (!hlist_unhashed(&waiter.node))
			hlist_del_init(&waiter.node);
		mutex_unlock(&prime->lock);
	}

	return ret;
}

/*
 * The handle of a buffer, or a claim to import it. In the latter case *@claim
 * is not NULL, and drm_prime_cache_settle_locked() must follow in this thread. Gives
 * -ENOMEM, or -ERESTARTSYS for a thread that is killed while it waits for
 * another one's claim.
 */
int drm_prime_cache_claim(struct drm_prime_file_private *prime,
			  struct dma_buf *dmabuf, u32 *handle,
			  struct drm_prime_entry **claim)
{
	struct drm_prime_entry *mine = NULL, *first;
	int ret = 0;

	*claim = NULL;
	do {
		mutex_lock(&prime->lock);
		first = drm_prime_entry_first_locked(prime, dmabuf);
		if (first && first->handle) {
			*handle = first->handle;
			mutex_unlock(&prime->lock);
			break;
		}
		if (first) {
			ret = drm_prime_claim_wait_locked(prime, first);
			continue;
		}
		if (mine) {
			drm_prime_claim_begin_locked(prime, mine, dmabuf);
			mutex_unlock(&prime->lock);
			lock_map_acquire(&drm_prime_claim_map);
			*claim = mine;
			return 0;
		}
		mutex_unlock(&prime->lock);
		mine = drm_prime_entry_alloc();
		if (!mine)
			ret = -ENOMEM;
	} while (!ret);

	kfree(mine);
	return ret;
}

/* Ends a claim: with the handle that the buffer got and still has, or with 0. */
void drm_prime_cache_settle_locked(struct drm_prime_file_private *prime,
				   struct drm_prime_entry *claim, u32 handle)
{
	struct drm_prime_waiter *waiter;
	struct hlist_node *next;

	lockdep_assert_held(&prime->lock);

	hlist_for_each_entry_safe(waiter, next, &claim->waiters, node) {
		hlist_del_init(&waiter->node);
		complete(&waiter->ended);
	}
	lock_map_release(&drm_prime_claim_map);

	/* Another thread that guessed the handle may have exported it already. */
	if (handle && !drm_prime_entry_find_locked(prime, handle)) {
		claim->handle = handle;
		rb_add(&claim->by_handle, &prime->handles,
		       drm_prime_entry_handle_less);
	} else {
		rb_erase(&claim->by_dmabuf, &prime->dmabufs);
		dma_buf_put(claim->dmabuf);
		kfree(claim);
	}
}

/* Called by drm_gem.c for every handle that is closed, ours or not. */
void drm_prime_remove_buf_handle(struct drm_prime_file_private *prime,
				 uint32_t handle)
{
	struct drm_prime_entry *entry;

	mutex_lock(&prime->lock);
	entry = drm_prime_entry_find_locked(prime, handle);
	if (entry) {
		rb_erase(&entry->by_dmabuf, &prime->dmabufs);
		rb_erase(&entry->by_handle, &prime->handles);
	}
	mutex_unlock(&prime->lock);

	if (entry) {
		dma_buf_put(entry->dmabuf);
		kfree(entry);
	}
}

void drm_prime_init_file_private(struct drm_prime_file_private *prime)
{
	mutex_init(&prime->lock);
	prime->dmabufs = RB_ROOT;
	prime->handles = RB_ROOT;
}

void drm_prime_destroy_file_private(struct drm_prime_file_private *prime)
{
	/* All handles have been closed by now, and took their entries along. */
	WARN_ON_ONCE(!RB_EMPTY_ROOT(&prime->dmabufs));
	mutex_destroy(&prime->lock);
}
