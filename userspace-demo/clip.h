/* SPDX-License-Identifier: MIT */
/* The IVF container, as make-clip writes and client-video reads it: little endian. */
#ifndef DEMO_CLIP_H
#define DEMO_CLIP_H

#include <stdint.h>

#define IVF_MAGIC	0x46494b44	/* "DKIF" */
#define IVF_VP8		0x30385056	/* "VP80" */
#define CLIP_FPS	25

struct ivf_header {
	uint32_t magic;
	uint16_t version, header_size;
	uint32_t fourcc;
	uint16_t width, height;
	uint32_t rate, scale;		/* pictures a second: rate / scale */
	uint32_t frames, unused;
};

struct ivf_frame {
	uint32_t size;
	uint64_t pts;
} __attribute__((packed));

#endif
