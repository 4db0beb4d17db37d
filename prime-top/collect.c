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
	pss_divide(s);
}
