/* SPDX-License-Identifier: MIT */
/* What only a renderer on the CPU needs. */
#ifndef DEMO_SOFTWARE_H
#define DEMO_SOFTWARE_H

#include <stdbool.h>

struct picture;

/* Whether the renderer must not sample the picture's dma-bufs where they are: a copy has to do. */
bool software_must_copy(const struct picture *pic);
/* Have use() read the pixels of one plane. False when they cannot be read. */
bool software_read(const struct picture *pic, unsigned int plane,
		   void (*use)(const struct picture *pic, unsigned int plane, const void *pixels));

#endif
