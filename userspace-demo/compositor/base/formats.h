/* SPDX-License-Identifier: MIT */
/* Formats of pictures: how their pixels lie, and sets of what a device takes. */
#ifndef DEMO_FORMATS_H
#define DEMO_FORMATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the pixels of a format lie in its planes. Both planes of NV12 have rows of equal length. */
struct layout {
	uint32_t fourcc;
	unsigned int n_planes, bytes;	/* bytes of a pixel in the first plane */
	bool alpha;
	bool odd;			/* width and height may be odd */
};

/* The formats that this compositor knows; NULL for all others, and for i past the last. */
const struct layout *layout_of(uint32_t fourcc);
const struct layout *layout_number(size_t i);

/* An entry of the table that clients get by linux-dmabuf: its padding is part of the protocol. */
struct format {
	uint32_t fourcc, padding;
	uint64_t modifier;
};

struct formats {
	struct format *list;
	size_t n;
};

/* Nothing is added twice. */
void formats_add(struct formats *set, uint32_t fourcc, uint64_t modifier);
bool formats_have(const struct formats *set, uint32_t fourcc, uint64_t modifier);
void formats_free(struct formats *set);

#endif
