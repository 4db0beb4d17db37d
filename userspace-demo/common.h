/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the compositor and the producers share: the messages on the socket and
 * the checksum of a picture. Nothing else passes between the processes, save
 * the file descriptors of the buffers.
 */
#ifndef DEMO_COMMON_H
#define DEMO_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEMO_SOCKET	"/run/prime-demo"
#define DEMO_FRAMES	120
#define MAX_BUFFERS	8

/* A producer names the plane it wants its pictures on. */
enum plane_role {
	PLANE_PRIMARY,
	PLANE_OVERLAY,
};

struct rect {
	uint32_t x, y, width, height;
};

/*
 * One datagram each (SOCK_SEQPACKET). In the order of a producer's life:
 *
 *	producer			compositor
 *	HELLO				WELCOME
 *	BUFFER + fd, for each buffer
 *	FRAME: show this buffer
 *	DRAWN: the drawing is done
 *					RELEASE: it has left the screen
 *	BYE				RELEASE for the rest, then end of file
 */
enum message_type {
	MSG_HELLO = 1,
	MSG_WELCOME,
	MSG_BUFFER,
	MSG_FRAME,
	MSG_DRAWN,
	MSG_RELEASE,
	MSG_BYE,
};

struct message {
	uint32_t type;
	uint32_t buffer;		/* which one: FRAME, DRAWN, RELEASE, BUFFER */
	union {
		struct {
			uint32_t role;		/* enum plane_role */
			char name[16];
			char device[64];	/* the exporter: driver and path */
		} hello;
		struct {
			uint32_t width, height;	/* of every picture, in pixels */
			struct rect hole;	/* hidden by others: not in the checksum */
		} welcome;
		struct {
			uint32_t width, height;
			uint32_t fourcc;	/* DRM_FORMAT_* */
			uint32_t stride;	/* in bytes */
			uint32_t offset;	/* of the first pixel, in bytes */
			uint64_t modifier;	/* DRM_FORMAT_MOD_* */
			uint64_t inode;		/* of the dma-buf, as the producer sees it */
		} format;
		uint32_t sequence;	/* FRAME: counts from 0; a gap is a dropped frame */
		uint64_t checksum;	/* DRAWN: of the picture */
	};
};

/* fd: what travels beside the message, -1 for nothing. 0, or -1 and errno. */
int message_send(int sock, const struct message *msg, int fd);
/* 1 for a message, 0 when the peer has gone, -1 and errno. *fd is -1 or a new descriptor. */
int message_receive(int sock, struct message *msg, int *fd);

/* Connect, say HELLO, wait for WELCOME; does not return without one. */
int producer_connect(const char *path, enum plane_role role, const char *name,
		     const char *device, struct message *welcome);
/* Say BYE, then wait until the compositor has let go of everything. */
void producer_finish(int sock);

/* Of XRGB8888 pixels, X left out, and the hole too. */
uint64_t checksum(const void *pixels, size_t stride, uint32_t width, uint32_t height,
		  const struct rect *hole);

/* Like ioctl(2), but started anew when a signal interrupts it. */
int retry_ioctl(int fd, unsigned long request, void *arg);
/* DMA_BUF_IOCTL_SYNC; flags are DMA_BUF_SYNC_*. 0, or -1 and errno. */
int dma_buf_sync(int fd, uint64_t flags);
/* The number that names a dma-buf in every process. */
uint64_t dma_buf_inode(int fd);

/* Open the first node "PREFIX0", "PREFIX1", … that probe() likes, or path alone if given. */
int open_device(const char *path, const char *prefix, const char *what,
		bool (*probe)(int fd), char *name, size_t size);
/* probe() for DRM devices. */
bool drm_driver_is(int fd, const char *driver);

/* A number between min and max, or an error that names the option. */
unsigned int parse_number(const char *option, const char *text, unsigned int min,
			  unsigned int max);

#endif
