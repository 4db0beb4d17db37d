/* SPDX-License-Identifier: MIT */
/* linux-dmabuf: what buffers are best, and wl_buffers made of dma-bufs. */
#ifndef DEMO_DMABUF_H
#define DEMO_DMABUF_H

#include <wayland-server-core.h>

void dmabuf_open(struct wl_display *display);
void dmabuf_close(void);

#endif
