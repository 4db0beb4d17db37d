/* SPDX-License-Identifier: MIT */
/* What the compositor and its clients have in common: dma-bufs, fences, checksums, devices. */
#ifndef DEMO_COMMON_H
#define DEMO_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEMO_SOCKET	"/run/prime-demo"	/* a name for WAYLAND_DISPLAY */
#define DEMO_FRAMES	600

#define MAX_PLANES	4	/* of one picture */

struct rect {
	uint32_t x, y, width, height;
};

/* Of the 24 bits of colour of 32-bit pixels (XRGB8888, ARGB8888): order of pixels counts. */
uint64_t checksum(const void *pixels, size_t stride, uint32_t width, uint32_t height);
/*
 * NV12 (limited range, BT.601) to XRGB8888 in whole numbers. The compositor's shader does
 * the same sums, so that what it shows of NV12 can be foretold to the bit.
 */
uint32_t nv12_pixel(int y, int cb, int cr);

/* Like ioctl(2), but started anew when a signal interrupts it. */
int retry_ioctl(int fd, unsigned long request, void *arg);
/* Memory of this process as a dma-buf, by udmabuf: whole pages. Ends the program if there is none. */
int dma_buf_from_memory(const char *name, size_t size);
/* DMA_BUF_IOCTL_SYNC; flags are DMA_BUF_SYNC_*. 0, or -1 and errno. */
int dma_buf_sync(int fd, uint64_t flags);
/* The number that names a dma-buf in every process; 0 for a descriptor that is none. */
uint64_t dma_buf_inode(int fd);
/* A sync_file of who writes the dma-buf now, or -1 and errno. */
int dma_buf_writers(int fd);
/* Whether somebody writes it now; does not wait, as DMA_BUF_IOCTL_SYNC would. */
bool dma_buf_is_written(int fd);
/* Put a sync_file on the dma-buf: others wait for it before they read. 0, or -1 and errno. */
int dma_buf_add_writer(int fd, int sync_file);
/* Whether the fence has not signalled yet; does not wait. */
bool fence_pending(int sync_file);
/* When a fence that is not pending signalled, CLOCK_MONOTONIC; false if it ended with an error. */
bool fence_time(int sync_file, uint64_t *time);
/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t now(void);

/* Open the first node "PREFIX0", "PREFIX1", … that probe() likes, or path alone if given. */
int open_device(const char *path, const char *prefix, const char *what,
		bool (*probe)(int fd), char *name, size_t size);
/* For probe(): DRM devices by the name of their driver. */
bool drm_driver_is(int fd, const char *driver);

/* A number between min and max, or an error that names the option. */
unsigned int parse_number(const char *option, const char *text, unsigned int min,
			  unsigned int max);

#endif
