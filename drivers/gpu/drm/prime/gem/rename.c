// SPDX-License-Identifier: GPL-2.0
/*
 * What drm_gem.c of 7.3 needs to give an object another handle. The ioctl is
 * switched off on 7.3, but drm_gem.c still links this function.
 */
#include "internal.h"

/*
 * The caller holds the file's prime lock, and removes the old handle after
 * this, as if it were closed.
 */
int drm_prime_add_buf_handle(struct drm_prime_file_private *prime,
			     struct dma_buf *dma_buf, uint32_t handle)
{
	struct drm_prime_table *table = to_drm_prime_table(prime);
	struct drm_prime_entry *entry = drm_prime_entry_alloc_locked(table);

	if (!entry)
		return -ENOMEM;

	get_dma_buf(dma_buf);
	drm_prime_entry_link_locked(table, entry, dma_buf, handle);
	return 0;
}
