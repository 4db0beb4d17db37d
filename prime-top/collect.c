// SPDX-License-Identifier: MIT
/* One snapshot, from all that this kernel offers to this user. */
#include "top.h"

#include <time.h>

/* The kernels that list the holders also say which DRM driver a buffer belongs to. */
static bool nameless(const struct snapshot *s)
{
	for (uint32_t i = 0; i < s->nr_buffers; i++)
		if (!strcmp(s->buffers[i].exporter, "drm"))
			return true;
	return false;
}

/* Finds the same fence in an older snapshot. */
static const struct holder *same_fence(const struct snapshot *before, const struct buffer *old,
				       const struct holder *h)
{
	for (uint32_t i = old->first; i != NONE; i = before->holders[i].next)
		if (before->holders[i].kind == HOLD_FENCE &&
		    !strcmp(before->holders[i].where, h->where))
			return &before->holders[i];
	return NULL;
}

/*
 * No kernel tells since when a fence has been pending. This takes the time when it
 * was seen first. A fence is recognised by context and number, on 6.12 by its names.
 */
static void fences_complete(struct snapshot *s, const struct snapshot *before)
{
	for (uint32_t i = 0; i < s->nr_buffers; i++) {
		struct buffer *b = &s->buffers[i];
		const struct buffer *old;

		if (b->fences != FENCES_PENDING)
			continue;
		old = before ? snapshot_find(before, b->ino) : NULL;
		b->pending = s->now;
		for (uint32_t j = b->first; j != NONE; j = s->holders[j].next) {
			struct holder *h = &s->holders[j];
			const struct holder *seen;

			if (h->kind != HOLD_FENCE)
				continue;
			seen = old ? same_fence(before, old, h) : NULL;
			h->number = seen ? seen->number : (uint64_t)s->now;
			if ((int64_t)h->number < b->pending)
				b->pending = h->number;
		}
	}
}

/* @before: an older snapshot, or NULL. */
void collect(struct snapshot *s, const struct snapshot *before, int root)
{
	bool listed, counted = false;
	struct timespec now;

	snapshot_clear(s);
	clock_gettime(CLOCK_REALTIME, &now);
	s->now = now.tv_sec * 1000000000LL + now.tv_nsec;
	holders_read(s, root);
	if (!s->kernel_tells)
		counted = sysfs_read(s, root);
	listed = bufinfo_read(s, root);
	if (counted && !listed)
		s->nr_missing = 0;
	if (!s->kernel_tells) {
		if (listed)
			snapshot_missing(s,
				"no dma_buf/holders: GEM handles%s are not seen, and messages are a guess (a kernel with CONFIG_DRM_PRIME_ACCOUNT)",
				nameless(s) ? ", and which driver \"drm\" is," : "");
		proc_read(s, root);
	}
	proc_complete(s, before, root);
	fences_complete(s, before);
	pss_divide(s);
}
