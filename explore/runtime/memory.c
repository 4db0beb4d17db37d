// SPDX-License-Identifier: GPL-2.0
/*
 * Allocations. Each one that may fail is a choice; memory is never used twice
 * within a schedule, so that whoever uses it after its end is seen.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "runtime.h"

kmem_buckets kmalloc_caches[NR_KMALLOC_TYPES];

struct kmem_cache {
	const char *name;
	unsigned int size, align;
	void (*ctor)(void *p);
};

static struct lockdep_map reclaim = { .name = "memory reclaim" };

void fs_reclaim_acquire(gfp_t flags)
{
	if (gfpflags_allow_blocking(flags))
		lock_acquire(&reclaim, 0, 0, 0, 1, NULL, _RET_IP_);
}

void fs_reclaim_release(gfp_t flags)
{
	if (gfpflags_allow_blocking(flags))
		lock_release(&reclaim, _RET_IP_);
}

static void *take(unsigned long size, unsigned long align, gfp_t flags, unsigned long ip)
{
	if (gfpflags_allow_blocking(flags))
		ex_may_sleep("an allocation", ip);
	fs_reclaim_acquire(flags);
	fs_reclaim_release(flags);
	if (!(flags & __GFP_NOFAIL) && ex_choose(2, "an allocation"))
		return NULL;
	return ex_alloc(size, align, ip);
}

void *__kmalloc_noprof(DECL_TOKEN_PARAMS(size, token), gfp_t flags)
{
	return take(size, 8, flags, _RET_IP_);
}

void *__kmalloc_node_noprof(DECL_KMALLOC_PARAMS(size, b, token), gfp_t flags, int node)
{
	return take(size, 8, flags, _RET_IP_);
}

void *__kmalloc_node_track_caller_noprof(DECL_KMALLOC_PARAMS(size, b, token), gfp_t flags, int node,
					 unsigned long caller)
{
	return take(size, 8, flags, caller);
}

void *__kmalloc_cache_noprof(struct kmem_cache *cache, gfp_t flags, size_t size)
{
	return take(size, 8, flags, _RET_IP_);
}

void *__kvmalloc_node_noprof(DECL_KMALLOC_PARAMS(size, b, token), unsigned long align, gfp_t flags,
			     int node)
{
	return take(size, 8, flags, _RET_IP_);
}

void kfree(const void *p)
{
	if (!ZERO_OR_NULL_PTR(p))
		ex_free(p, _RET_IP_);
}

void kvfree(const void *p)
{
	if (!ZERO_OR_NULL_PTR(p)) {
		ex_may_sleep("kvfree()", _RET_IP_);
		ex_free(p, _RET_IP_);
	}
}

void *krealloc_node_align_noprof(const void *p, DECL_TOKEN_PARAMS(size, token), unsigned long align,
				 gfp_t flags, int node)
{
	unsigned long before = ZERO_OR_NULL_PTR(p) ? 0 : ex_alloc_size(p);
	void *now = take(size, align, flags, _RET_IP_);

	if (!now || !before)
		return now;
	memcpy(now, p, min(before, size));
	ex_free(p, _RET_IP_);
	return now;
}

size_t kmalloc_size_roundup(size_t size)
{
	return size;
}

void *kmemdup_noprof(const void *src, size_t size, gfp_t flags)
{
	void *p = take(size, 8, flags, _RET_IP_);

	return p ? memcpy(p, src, size) : NULL;
}

struct kmem_cache *__kmem_cache_create_args(const char *name, unsigned int size,
					    struct kmem_cache_args *args, slab_flags_t flags)
{
	struct kmem_cache *cache = ex_alloc(sizeof(*cache), 8, _RET_IP_);

	*cache = (struct kmem_cache){ .name = name,
				      .size = size,
				      .align = args && args->align ? args->align : 8,
				      .ctor = args ? args->ctor : NULL };
	return cache;
}

void *kmem_cache_alloc_noprof(struct kmem_cache *cache, gfp_t flags)
{
	void *p = take(cache->size, cache->align, flags, _RET_IP_);

	if (p && cache->ctor)
		cache->ctor(p);
	/* Each processor keeps some in advance. */
	if (p && !strcmp(cache->name, "radix_tree_node"))
		ex_not_leaked(p);
	return p;
}

void *kmem_cache_alloc_lru_noprof(struct kmem_cache *cache, struct list_lru *lru, gfp_t flags)
{
	return kmem_cache_alloc_noprof(cache, flags);
}

void kmem_cache_free(struct kmem_cache *cache, void *p)
{
	ex_free(p, _RET_IP_);
}

/* Programs' memory is memory of a scenario. */
unsigned long raw_copy_from_user(void *to, const void __user *from, unsigned long n)
{
	memcpy(to, (__force const void *)from, n);
	return 0;
}

unsigned long raw_copy_to_user(void __user *to, const void *from, unsigned long n)
{
	memcpy((__force void *)to, from, n);
	return 0;
}

unsigned long __clear_user(void __user *to, unsigned long n)
{
	memset((__force void *)to, 0, n);
	return 0;
}

char *strndup_user(const char __user *s, long n)
{
	size_t length = strlen((__force const char *)s);
	char *p;

	if (length >= n)
		return ERR_PTR(-EINVAL);
	p = take(length + 1, 1, GFP_KERNEL, _RET_IP_);
	return p ? memcpy(p, (__force const char *)s, length + 1) : ERR_PTR(-ENOMEM);
}

void address_space_init_once(struct address_space *mapping)
{
	init_rwsem(&mapping->i_mmap_rwsem);
}
