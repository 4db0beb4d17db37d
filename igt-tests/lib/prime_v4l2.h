/* SPDX-License-Identifier: MIT */
/*
 * V4L2's test devices and their buffer queues. A queue has one picture format, whose size
 * is small and no multiple of a page, so that the ends of buffers are tested.
 */
#ifndef PRIME_V4L2_H
#define PRIME_V4L2_H

#include "lib/prime_test.h"

#include <linux/videodev2.h>

enum v4l2_device {
	V4L2_VMALLOC,		/* vivid, vmalloc buffers, one plane */
	V4L2_CONTIG,		/* vivid, contiguous buffers, one plane */
	V4L2_PLANES,		/* vivid, contiguous buffers, two planes */
	V4L2_MEM2MEM,		/* vim2m, vmalloc buffers */
	V4L2_STATELESS,		/* visl, vmalloc buffers; its queues give no frames here */
	V4L2_DEVICES,
};

#define V4L2_QUEUE_PLANES	2

struct v4l2_queue {
	int fd;
	enum v4l2_device device;
	uint32_t type;				/* V4L2_BUF_TYPE_ */
	uint32_t memory;			/* of the last v4l2_request() */
	unsigned int planes;
	uint32_t size[V4L2_QUEUE_PLANES];	/* of the picture */
	struct v4l2_buffer last;		/* of v4l2_dequeue() */
	struct v4l2_plane last_planes[V4L2_QUEUE_PLANES];
};

const char *v4l2_name(enum v4l2_device device);
/*
 * The device's node for capture or for output, non-blocking. Loads vivid, vim2m or
 * visl where it is missing; skips when that does not help.
 */
int v4l2_open(enum v4l2_device device, bool output);
/* With undo_later(): vivid is loaded as v4l2_open() does. */
undo_function vivid_back;
/* Unloads vivid until it is needed, or until the subtest ends. */
bool vivid_unload(void);
/* A queue of the node, with its format set. */
struct v4l2_queue v4l2_queue_of(int fd, enum v4l2_device device, bool output);
struct v4l2_queue v4l2_capture(enum v4l2_device device);

/* The rest gives a negative errno on failure. */
int v4l2_control(int fd, uint32_t id, int value);
/* REQBUFS: the number of buffers. */
int v4l2_request(struct v4l2_queue *q, uint32_t memory, unsigned int count);
int v4l2_export(struct v4l2_queue *q, unsigned int index, unsigned int plane,
		uint32_t flags);
/* QBUF, with a dma-buf per plane in a queue of V4L2_MEMORY_DMABUF. */
int v4l2_queue_planes(struct v4l2_queue *q, unsigned int index,
		      const int *dmabufs, const uint32_t *lengths);
int v4l2_queue_buffer(struct v4l2_queue *q, unsigned int index, int dmabuf);
int v4l2_start(struct v4l2_queue *q);
int v4l2_stop(struct v4l2_queue *q);
/* DQBUF: the index. Fails the subtest when none comes within 10 s. */
unsigned int v4l2_dequeue(struct v4l2_queue *q);
/* V4L2's own mapping of plane 0 of a buffer of V4L2_MEMORY_MMAP. */
void *v4l2_map(struct v4l2_queue *q, unsigned int index);

/* The picture that vivid makes, from a buffer of its own; to be freed. */
void *v4l2_picture(enum v4l2_device device);

/* vim2m's picture turned by 180 degrees, which is what its queues do here. */
size_t v4l2_turned(const struct v4l2_queue *q, const void *in, const void *out);

#endif
