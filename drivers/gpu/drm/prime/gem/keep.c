// SPDX-License-Identifier: GPL-2.0
/*
 * Which objects may stay pinned and mapped when an importer has let go. See
 * "DOC: kept attachments" of core/keep.c.
 */
#include <linux/pagemap.h>

#include "internal.h"

/*
 * Pages of an object's own shmem file stay where they are, pinned or not, and a
 * pin costs no more than their memory. An object can have such a file and its
 * storage elsewhere, as those of TTM and of DMA memory do, where a pin may keep
 * it out of the place its driver wants it in. So look whose page it is.
 */
bool drm_prime_table_is_shmem(struct drm_gem_object *obj, struct sg_table *sgt)
{
	struct page *page;

	if (!obj->filp)
		return false;

	/* Not through the table's page, which may have no struct page. */
	page = find_get_page(obj->filp->f_mapping, 0);
	if (!page)
		return false;
	put_page(page);

	return page == sg_page(sgt->sgl);
}
