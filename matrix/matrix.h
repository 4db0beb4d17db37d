/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One cell of the matrix: buffers of one exporter, used by a set of importers.
 * Both sides are tables, of exporters.c and importers.c.
 */
#ifndef MATRIX_H
#define MATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A picture of 1024x576 pixels: too large to be one piece by chance, in any heap.
 * There are two, as in a queue: where they are contiguous and lie one behind the
 * other, one of them crosses a multiple of 4 MiB.
 */
#define SIZE		(1024u * 576 * 4)
#define BUFFERS		2
#define PAGES		(SIZE / 4096)

struct buffer {
	int fd;
	uint8_t *map;		/* the processor's */
	uint8_t *expect;	/* what it must hold */
};

struct importer;

/* An importer at work in a cell. */
struct user {
	const struct importer *importer;
	int fd;				/* the device */
	uint32_t handle[BUFFERS];
	void *data;			/* the importer's own */
};

struct exporter {
	const char *name;
	/* Two dma-bufs; skips where there is no such device. */
	void (*make)(int *fds);
	bool late;			/* wants to know the devices first */
};

/* Where a function below gives an int, it is 0 or a negative errno. */
struct importer {
	const char *name;
	/* Once, before any cell. */
	void (*prepare)(void);
	/* Opens the device; skips where there is none. */
	void (*open)(struct user *u);
	int (*import)(struct user *u, const struct buffer *b);
	/*
	 * 1 when the device sees what is expected of buffer @i, 0 when it sees
	 * other bytes; NULL: it doesn't read.
	 */
	int (*read)(struct user *u, const struct buffer *b, int i);
	/*
	 * It writes and changes what is expected; NULL: it doesn't write. Called
	 * once.
	 */
	void (*write)(struct user *u, struct buffer *b);
	/* It takes no foreign buffer: not in large sets, which would tell nothing. */
	bool never;
};

extern const struct exporter exporters[];
extern const struct importer importers[];
extern const unsigned int exporters_count, importers_count;

/* Each 8 bytes depend on their place and on @seed. */
void pattern(void *memory, size_t size, uint32_t seed);
/* With begin and end of CPU access around it. */
void processor_begin(const struct buffer *b);
void processor_end(const struct buffer *b);

#endif
