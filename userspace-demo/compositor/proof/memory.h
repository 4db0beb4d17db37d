/* SPDX-License-Identifier: MIT */
/* Whether what is shown is the client's own memory, and what a client drew there. */
#ifndef DEMO_MEMORY_H
#define DEMO_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

struct picture;

/* Whether the picture's framebuffer is the dma-bufs that the client passed. */
bool memory_of_fb(const struct picture *pic);
/* The same for its textures. */
bool memory_of_images(const struct picture *pic);
/*
 * The checksum of the picture's upper left corner of that size. 0 when it cannot be read, is being
 * written, or lets the background shine through.
 */
uint64_t memory_checksum(const struct picture *pic, uint32_t width, uint32_t height);

#endif
