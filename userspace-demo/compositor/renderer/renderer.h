/* SPDX-License-Identifier: MIT */
/* What has no plane is drawn into the picture under the planes, by OpenGL ES. */
#ifndef DEMO_RENDERER_H
#define DEMO_RENDERER_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/formats.h"

struct picture;

void renderer_open(void);
void renderer_close(void);
/* What can be drawn: the formats of layout_of(), as far as EGL imports them. */
void renderer_formats(struct formats *set);
/* Find out whether the picture of a client can be sampled where it is. */
void renderer_look(struct picture *pic);
/*
 * Make the textures, if there are none yet. If the picture cannot be sampled where it is, they are
 * copies. serial is that of the frame in it, 0 for none: for another one the copies are made anew.
 * False when the picture cannot be drawn.
 */
bool renderer_import(struct picture *pic, uint64_t serial);
/* One user less of a picture; with the last it goes, and all that was made of it. */
void renderer_unref(struct picture *pic);
/* The framebuffer that is under the planes now. */
uint32_t renderer_framebuffer(void);
/*
 * Draw the layers that have no plane, if anything of that has changed; those that cannot be
 * drawn get refused set. 0: nothing to do; else a new framebuffer, and in *fence a sync_file
 * of the drawing or -1.
 */
uint32_t renderer_draw(int *fence);
/* A commit with that framebuffer, or with the old one for 0, is on its way. */
void renderer_shown(uint32_t fb);

#endif
