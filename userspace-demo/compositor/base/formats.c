// SPDX-License-Identifier: MIT
/* Formats of pictures: how their pixels lie, and sets of what a device takes. */

#include <drm_fourcc.h>
#include <err.h>
#include <stdlib.h>

#include "formats.h"

static const struct layout layouts[] = {
	{ DRM_FORMAT_XRGB8888, 1, 4, false, true },
	{ DRM_FORMAT_ARGB8888, 1, 4, true, true },
	{ DRM_FORMAT_XBGR8888, 1, 4, false, true },
	{ DRM_FORMAT_ABGR8888, 1, 4, true, true },
	{ DRM_FORMAT_NV12, 2, 1, false, false },
};

const struct layout *layout_number(size_t i)
{
	return i < sizeof(layouts) / sizeof(layouts[0]) ? &layouts[i] : NULL;
}

const struct layout *layout_of(uint32_t fourcc)
{
	const struct layout *layout;
	size_t i;

	for (i = 0; (layout = layout_number(i)) && layout->fourcc != fourcc; i++)
		;
	return layout;
}

bool formats_have(const struct formats *set, uint32_t fourcc, uint64_t modifier)
{
	size_t i;

	for (i = 0; i < set->n; i++)
		if (set->list[i].fourcc == fourcc && set->list[i].modifier == modifier)
			return true;
	return false;
}

void formats_add(struct formats *set, uint32_t fourcc, uint64_t modifier)
{
	if (formats_have(set, fourcc, modifier))
		return;
	set->list = reallocarray(set->list, set->n + 1, sizeof(*set->list));
	if (!set->list)
		err(1, "out of memory");
	set->list[set->n++] = (struct format){ .fourcc = fourcc, .modifier = modifier };
}

void formats_free(struct formats *set)
{
	free(set->list);
	*set = (struct formats){ 0 };
}
