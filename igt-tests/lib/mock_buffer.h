/* SPDX-License-Identifier: MIT */
/*
 * A buffer of prime_mock with its number, by which its scripts and counters are
 * found, and what must be left of it when everybody has let go.
 */
#ifndef MOCK_BUFFER_LIB_H
#define MOCK_BUFFER_LIB_H

#include "lib/prime_test.h"
#include "lib/prime_mock.h"

#include <signal.h>

struct mock_buffer {
	int mock;		/* file of its device */
	uint32_t handle;	/* 0 once closed */
	uint32_t id;
	int fd;			/* -1 once closed */
	size_t size;
};

/* The kinds of exporter that the mock can be. */
struct mock_kind {
	const char *name;
	uint32_t flags;
	bool dynamic;		/* has pin and unpin */
	bool cached;		/* the core keeps its mappings */
	bool can_mmap;
	bool counts_attach;	/* attach and detach are seen by the mock */
};

#define MOCK_KINDS	5
extern const struct mock_kind mock_kinds[MOCK_KINDS];

/* The number of a mock that is not the device of @drm, and a file of it. */
unsigned int mock_index_beside(int drm);
int mock_beside(int drm);
/* A fresh buffer, exported. */
struct mock_buffer mock_buffer(int mock, uint32_t flags, unsigned int pages);
struct mock_buffer mock_buffer_as(int mock, uint32_t flags, uint32_t backing,
				  unsigned int pages);
void mock_buffer_close_handle(struct mock_buffer *b);
void mock_buffer_close_fd(struct mock_buffer *b);
/* Closes both. The buffer must be freed then. */
void mock_buffer_end(struct mock_buffer *b);

/* A buffer of one mock, and another mock to import it. */
struct mock_scene {
	int exporter, importer;
	struct mock_buffer b;
};

struct mock_scene mock_scene(uint32_t flags, unsigned int pages);
struct mock_scene mock_scene_as(uint32_t flags, uint32_t backing,
				unsigned int pages);
/* An import that is attached, by its number. */
uint32_t mock_scene_attach(struct mock_scene *s, uint32_t way);
struct drm_prime_mock_query mock_scene_state(struct mock_scene *s, uint32_t import);
/* The imports are detached: the buffer must be gone. */
void mock_scene_end(struct mock_scene *s);

/* Calls of @op so far. */
unsigned int mock_count(const struct mock_buffer *b, uint32_t op);
/* What is open of it, by enum prime_mock_pair. */
int mock_balance(const struct mock_buffer *b, uint32_t pair);
/* Waits until @op has been called @calls times, some seconds at most. */
void mock_wait_calls(const struct mock_buffer *b, uint32_t op,
		     unsigned int calls);
/* No importer is left: each op is balanced. Waits a moment for it. */
void mock_settled(const struct mock_buffer *b);
/* It is freed, and was released once. Waits a moment for it. */
void mock_gone(const struct mock_buffer *b);

/*
 * How many bytes from the start are one run for a device. prime_mock tells it, so
 * this skips without prime_mock.
 */
size_t contiguous_bytes(int dmabuf);

/* Does the kernel let dynamic importers follow moves (CONFIG_DMABUF_MOVE_NOTIFY)? */
bool kernel_moves(void);
/* A signal every @ms with a handler that counts it in @alarms; 0 stops it. */
extern volatile sig_atomic_t alarms;
void alarm_every(int ms);

#endif
