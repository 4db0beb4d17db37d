/* SPDX-License-Identifier: MIT */
/* What has no plane is drawn into the picture under the planes, by EGL and OpenGL ES. */
#ifndef DEMO_COMPOSE_H
#define DEMO_COMPOSE_H

#include <stdbool.h>
#include <stdint.h>

struct picture;

void compose_init(void);
void compose_finish(void);
bool compose_takes(uint32_t fourcc);
/* Make the textures, if there are none yet. */
bool compose_import(struct picture *pic);
void compose_forget(struct picture *pic);
/* The framebuffer that is under the planes now. */
uint32_t compose_framebuffer(void);
/*
 * Draw the layers that have no plane, if anything of that has changed; those that cannot be
 * drawn get refused set. 0: nothing to do; else a new framebuffer, and in *fence a sync_file
 * of the drawing or -1.
 */
uint32_t compose(int *fence);
/* A commit with that framebuffer, or with the old one for 0, is on its way. */
void compose_shown(uint32_t fb);

#endif
