// SPDX-License-Identifier: GPL-2.0
/*
 * A file's table of exported and imported handles, and the dma-bufs they stand
 * for. One entry per handle, holding one reference to the buffer; found by
 * handle and by buffer. A buffer with several handles is found under the one
 * it got first, and under the next when that one is closed: user space may
 * rely on getting the same answer.
 */
#include "gem_prime_internal.h"

/**
 * struct drm_prime_entry - one handle
 * @dmabuf: its buffer, with a reference
 * @handle: GEM handle of the file
 * @by_dmabuf: in &drm_prime_file_private.dmabufs, equal buffers in the order
 *	they came
 * @by_handle: in &drm_prime_file_private.handles
 *
 * All but the nodes never change; the file's prime lock protects the nodes.
 */
struct drm_prime_entry {
	struct dma_buf *dmabuf;
	u32 handle;
	struct rb_node by_dmabuf;
	struct rb_node by_handle;
};

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

bool drm_prime_cache_find_handle_locked(struct drm_prime_file_private *prime,
					struct dma_buf *dmabuf, u32 *handle)
{
	struct rb_node *node;

	lockdep_assert_held(&prime->lock);

	node = rb_find_first(dmabuf, &prime->dmabufs, drm_prime_entry_dmabuf_cmp);
	if (!node)
		return false;

	*handle = entry_by_dmabuf(node)->handle;
	return true;
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
