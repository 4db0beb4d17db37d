/* SPDX-License-Identifier: MIT */
/*
 * What the compositor and its clients share: the messages on the socket, how
 * file descriptors travel beside them, and the checksum of a picture. Nothing
 * else passes between the processes.
 */
#ifndef DEMO_COMMON_H
#define DEMO_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEMO_SOCKET	"/run/prime-demo"
#define DEMO_VERSION	2
#define DEMO_FRAMES	600

#define MAX_PLANES	4	/* of one picture */
#define MAX_FDS		(MAX_PLANES + 1)	/* the planes and a fence */
#define MAX_BUFFERS	8	/* that one client may show in its life */
#define MAX_FORMATS	16

struct rect {
	uint32_t x, y, width, height;
};

/*
 * One datagram each (SOCK_SEQPACKET), all of sizeof(struct message).
 *
 *	client				compositor
 *	HELLO
 *					WELCOME
 *	FRAME + fds: show this
 *	DRAWN: checksum, if it wants proof
 *					RELEASE + fence: it leaves the screen
 *	BYE
 *					RELEASE for the rest
 *					GOODBYE, then end of file
 *
 * Every FRAME tells all about its buffer and brings its descriptors, so there
 * is no state to get out of step: the compositor knows a dma-buf that it has
 * seen before by its inode, and imports it only once. Frames are shown in the
 * order they come, none is left out. A buffer belongs to the compositor from
 * its FRAME until its RELEASE, and to the screen until the fence that comes
 * with the RELEASE has signalled.
 *
 * A client that breaks these rules gets GOODBYE with the reason at any time.
 */
enum message_type {
	MSG_HELLO = 1,
	MSG_WELCOME,
	MSG_FRAME,
	MSG_DRAWN,
	MSG_RELEASE,
	MSG_BYE,
	MSG_GOODBYE,
};

struct message {
	uint32_t type;
	uint32_t version;		/* DEMO_VERSION, filled in by message_send() */
	union {
		struct {
			char name[24];
			char device[48];	/* the exporter, for people: "vivid /dev/video0" */
			uint32_t width, height;	/* the size it would like, 0: any */
		} hello;

		struct {
			struct rect where;	/* every frame has this size, shown at this place */
			uint32_t refresh;	/* of the display, mHz */
			char device[48];	/* the display: "/dev/dri/card0" */
			char driver[16];	/* "vkms" */
			uint32_t n_formats;
			struct {
				uint32_t fourcc;	/* DRM_FORMAT_* */
				uint32_t composed;	/* taken, but no plane shows it */
				uint64_t modifier;	/* DRM_FORMAT_MOD_* */
			} formats[MAX_FORMATS];
		} welcome;

		/*
		 * Beside it travel n_planes descriptors (all the same dma-buf, or one each),
		 * then, if has_fence, a sync_file of the drawing. The fences on the dma-buf
		 * itself are waited for in any case.
		 */
		struct {
			uint32_t cookie;	/* the client's name for the buffer, for RELEASE */
			uint32_t sequence;	/* counts up from 0; a gap is a dropped frame */
			uint64_t submitted;	/* when, CLOCK_MONOTONIC in nanoseconds */
			uint32_t width, height;
			uint32_t fourcc;	/* DRM_FORMAT_* */
			uint32_t n_planes;
			uint64_t modifier;	/* DRM_FORMAT_MOD_* */
			uint32_t offsets[MAX_PLANES];	/* of the first pixel, in bytes */
			uint32_t strides[MAX_PLANES];	/* in bytes */
			uint64_t inodes[MAX_PLANES];	/* of the dma-bufs, as the client sees them */
			uint32_t has_fence;
		} frame;

		/* May come before or after its frame is shown; before BYE in any case. */
		struct {
			uint32_t sequence;
			uint64_t checksum;	/* checksum() of what it drew */
		} drawn;

		/* Beside it, unless the buffer is free already, a sync_file that says when. */
		struct {
			uint32_t cookie;
			uint32_t sequence;
		} release;

		struct {
			uint32_t kept;		/* 1: it was a client's BYE; 0: the client is dropped */
			char reason[120];
		} goodbye;
	};
};

/* fds: what travels beside the message. 0, or -1 and errno; never waits for the peer. */
int message_send(int sock, struct message *msg, const int *fds, unsigned int n_fds);
/*
 * 1 for a message, 0 when the peer has gone, -1 and errno: EBADMSG for one of the wrong
 * size, version or with too many descriptors. fds has room for MAX_FDS; they are the
 * caller's to close, and none is left over unless this returns 1.
 */
int message_receive(int sock, struct message *msg, int *fds, unsigned int *n_fds);

/* Connect, say HELLO, wait for WELCOME; does not return without one. */
int client_connect(const char *path, const char *name, const char *device,
		   uint32_t width, uint32_t height, struct message *welcome);
/*
 * Wait for the next message: true for a RELEASE, *fence is -1 or its sync_file; false for
 * a kept GOODBYE. Ends the program when the compositor drops it or dies.
 */
bool client_wait(int sock, struct message *msg, int *fence);
/* Wait for a RELEASE: its cookie, below n; *fence as above. Ends the program for all else. */
uint32_t client_released(int sock, uint32_t n, int *fence);
/* Say BYE, then wait until the compositor has let go of everything, and close. */
void client_finish(int sock);

/* Of the 24 bits of colour of 32-bit pixels (XRGB8888, ARGB8888): order of pixels counts. */
uint64_t checksum(const void *pixels, size_t stride, uint32_t width, uint32_t height);
/*
 * NV12 (limited range, BT.601) to XRGB8888 in whole numbers. The compositor's shader does
 * the same sums, so that what it shows of NV12 can be foretold to the bit.
 */
uint32_t nv12_pixel(int y, int cb, int cr);

/* Like ioctl(2), but started anew when a signal interrupts it. */
int retry_ioctl(int fd, unsigned long request, void *arg);
/* DMA_BUF_IOCTL_SYNC; flags are DMA_BUF_SYNC_*. 0, or -1 and errno. */
int dma_buf_sync(int fd, uint64_t flags);
/* The number that names a dma-buf in every process; 0 for a descriptor that is none. */
uint64_t dma_buf_inode(int fd);
/* A sync_file of who writes the dma-buf now, or -1 and errno. */
int dma_buf_writers(int fd);
/* Put a sync_file on the dma-buf: others wait for it before they read. 0, or -1 and errno. */
int dma_buf_add_writer(int fd, int sync_file);
/* Whether the fence has not signalled yet; does not wait. */
bool fence_pending(int sync_file);
/* Wait until it has. 0, or -1 and errno. */
int fence_wait(int sync_file);
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
