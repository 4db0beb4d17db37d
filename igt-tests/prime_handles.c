// SPDX-License-Identifier: MIT
/**
 * TEST: prime handles
 * Description: A buffer may have several handles in one file (GEM_FLINK and GEM_OPEN
 *  give more). FD_TO_HANDLE must give the same one each time until that handle is
 *  closed, in whatever order handles are exported, imported and closed. Otherwise a
 *  program that remembers handles by number closes or keeps the wrong one.
 */
#include "lib/prime_test.h"

#include <fcntl.h>

enum { MANY = 24 };

/* One buffer with its handles in one file, and what was answered so far. */
struct model {
	int drm;
	uint32_t handle[MANY];	/* 0: closed */
	int count;
	int fd[MANY * 8];
	int fds;
	uint64_t inode;
	uint32_t answer;	/* 0: not asked since the last one was closed */
};

static void model_init(struct model *m, int drm, int handles)
{
	uint32_t name;

	memset(m, 0, sizeof(*m));
	m->drm = drm;
	m->handle[0] = check_ok(gem_create(drm, 1));
	name = check_ok(gem_flink(drm, m->handle[0]));
	for (m->count = 1; m->count < handles; m->count++) {
		m->handle[m->count] = check_ok(gem_open(drm, name));
		for (int i = 0; i < m->count; i++)
			check(m->handle[i] != m->handle[m->count]);
	}
}

static bool model_has(const struct model *m, uint32_t handle)
{
	for (int i = 0; i < m->count; i++)
		if (m->handle[i] == handle)
			return true;
	return false;
}

/* Ask through every fd: one answer, a live handle, the one given before. */
static void model_ask(struct model *m)
{
	for (int i = 0; i < m->fds; i++) {
		uint32_t handle = check_ok(gem_import(m->drm, m->fd[i]));

		if (!m->answer) {
			m->answer = handle;
			if (!model_has(m, handle)) {
				check(m->count < MANY);
				m->handle[m->count++] = handle;
			}
		}
		check_eq(handle, m->answer);
	}
}

static void model_export(struct model *m, int which)
{
	int fd;

	check(m->handle[which]);
	fd = check_ok(gem_export(m->drm, m->handle[which], DRM_CLOEXEC));
	if (m->inode)
		check_eq(inode_of(fd), m->inode);
	m->inode = inode_of(fd);
	check(m->fds < MANY * 8);
	m->fd[m->fds++] = fd;
	model_ask(m);
}

/* The answer may change only when the handle that is the answer is closed. */
static void model_close(struct model *m, int which)
{
	check(m->handle[which]);
	check_ok(gem_close(m->drm, m->handle[which]));
	if (m->handle[which] == m->answer)
		m->answer = 0;
	m->handle[which] = 0;
	model_ask(m);
}

static int model_answer(const struct model *m)
{
	for (int i = 0; i < m->count; i++)
		if (m->handle[i] == m->answer)
			return i;
	return -1;
}

static void model_end(struct model *m)
{
	for (int i = 0; i < m->count; i++)
		if (m->handle[i])
			check_ok(gem_close(m->drm, m->handle[i]));
	for (int i = 0; i < m->fds; i++)
		close(m->fd[i]);
}

/**
 * SUBTEST: only-first-exported
 * Description: The older handle is exported, and the younger one is not.
 */
static void only_first_exported(void)
{
	struct model m;

	model_init(&m, open_device(), 2);
	model_export(&m, 0);
	check_eq(m.answer, m.handle[0]);
	model_close(&m, 1);
	model_end(&m);
}

/**
 * SUBTEST: only-second-exported
 * Description: The younger handle is exported, and the older one is not.
 */
static void only_second_exported(void)
{
	int drm = open_device();
	struct model m;

	need_unexported(drm);
	model_init(&m, drm, 2);
	model_export(&m, 1);
	check_eq(m.answer, m.handle[1]);
	model_close(&m, 0);
	model_end(&m);
}

/**
 * SUBTEST: first-then-second
 * Description: When the younger handle is exported as well, no answer changes.
 */
static void first_then_second(void)
{
	struct model m;

	model_init(&m, open_device(), 2);
	model_export(&m, 0);
	model_export(&m, 1);
	model_export(&m, 0);
	model_export(&m, 1);
	model_end(&m);
}

/**
 * SUBTEST: second-then-first
 * Description: When the older handle is exported as well, no answer changes.
 */
static void second_then_first(void)
{
	struct model m;

	model_init(&m, open_device(), 2);
	model_export(&m, 1);
	model_export(&m, 0);
	model_export(&m, 1);
	model_export(&m, 0);
	model_end(&m);
}

/**
 * SUBTEST: close-the-other
 * Description: Both are exported. Closing the handle that is not the answer changes
 *  nothing, whichever was exported first.
 */
static void close_the_other(void)
{
	for (int first = 0; first < 2; first++) {
		struct model m;

		model_init(&m, open_device(), 2);
		model_export(&m, first);
		model_export(&m, !first);
		model_close(&m, !model_answer(&m));
		model_end(&m);
	}
}

/**
 * SUBTEST: close-the-answer
 * Description: Both are exported. When the answer is closed, another live handle is
 *  the answer, and stays it.
 */
static void close_the_answer(void)
{
	for (int first = 0; first < 2; first++) {
		struct model m;

		model_init(&m, open_device(), 2);
		model_export(&m, first);
		model_export(&m, !first);
		model_close(&m, model_answer(&m));
		check(m.answer);
		model_ask(&m);
		model_end(&m);
	}
}

/**
 * SUBTEST: exported-handle-takes-over
 * Description: When the answer is closed and the other handle was exported too, the
 *  other one is the answer. No third handle is made.
 */
static void exported_handle_takes_over(void)
{
	for (int first = 0; first < 2; first++) {
		struct model m;
		int other;

		model_init(&m, open_device(), 2);
		model_export(&m, first);
		model_export(&m, !first);
		other = !model_answer(&m);
		model_close(&m, model_answer(&m));
		check_eq(m.answer, m.handle[other]);
		model_end(&m);
	}
}

/**
 * SUBTEST: closed-before-asked
 * Description: Both are exported, and one is closed before any import. The one that
 *  is left is the answer, and stays it.
 */
static void closed_before_asked(void)
{
	for (int order = 0; order < 4; order++) {
		int drm = open_device(), first = order & 1, gone = order >> 1;
		uint32_t handle[2];
		int fd[2];

		handle[0] = check_ok(gem_create(drm, 1));
		handle[1] = check_ok(gem_open(drm,
				check_ok(gem_flink(drm, handle[0]))));
		fd[first] = check_ok(gem_export(drm, handle[first], 0));
		fd[!first] = check_ok(gem_export(drm, handle[!first], 0));
		check_ok(gem_close(drm, handle[gone]));
		for (int i = 0; i < 4; i++)
			check_eq(gem_import(drm, fd[i & 1]), handle[!gone]);
		check_ok(gem_close(drm, handle[!gone]));
		close(fd[0]);
		close(fd[1]);
		close(drm);
	}
}

static const int orders[6][3] = {
	{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 },
	{ 2, 1, 0 },
};

/**
 * SUBTEST: three-handles-all-orders
 * Description: Three handles are exported in each order and closed in each order,
 *  with an import after every step.
 */
static void three_handles_all_orders(void)
{
	for (int e = 0; e < 6; e++) {
		for (int c = 0; c < 6; c++) {
			struct model m;

			model_init(&m, open_device(), 3);
			for (int i = 0; i < 3; i++)
				model_export(&m, orders[e][i]);
			for (int i = 0; i < 3; i++)
				model_close(&m, orders[c][i]);
			model_end(&m);
			close(m.drm);
		}
	}
}

/**
 * SUBTEST: many-handles
 * Description: Twenty handles of one buffer, exported one after the other.
 */
static void many_handles(void)
{
	struct model m;

	model_init(&m, open_device(), 20);
	for (int i = 0; i < 20; i++)
		model_export(&m, (i * 7 + 3) % 20);
	for (int i = 0; i < 20; i++)
		if ((i * 3) % 20 != model_answer(&m))
			model_close(&m, (i * 3) % 20);
	model_end(&m);
}

/* A generator of our own: the same sequence on every machine. */
static uint32_t sequence(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 16;
}

/**
 * SUBTEST: among-other-buffers
 * Description: A hundred other buffers are made and closed in the same file while
 *  two handles of one buffer are exported. So any structure of the lookup is rebuilt
 *  many times. The answer stays.
 */
static void among_other_buffers(void)
{
	enum { OTHERS = 100, STEPS = 600 };
	static uint32_t handle[OTHERS];
	static int fd[OTHERS];
	uint32_t state = 2024;

	for (int round = 0; round < 4; round++) {
		int drm = open_device();
		struct model m;

		for (int i = 0; i < OTHERS; i += 2)
			fd[i] = make_dmabuf(drm, 1, &handle[i]);
		model_init(&m, drm, 2);
		model_export(&m, round & 1);
		for (int step = 0; step < STEPS; step++) {
			int i = sequence(&state) % OTHERS;

			if (handle[i]) {
				check_eq(gem_import(drm, fd[i]), handle[i]);
				check_ok(gem_close(drm, handle[i]));
				close(fd[i]);
				handle[i] = 0;
			} else {
				fd[i] = make_dmabuf(drm, 1, &handle[i]);
			}
			if (step == 50 * round)
				model_export(&m, !(round & 1));
			model_ask(&m);
		}
		model_end(&m);
		for (int i = 0; i < OTHERS; i++) {
			if (handle[i])
				close(fd[i]);
			handle[i] = 0;
		}
		close(drm);
	}
}

/**
 * SUBTEST: every-buffer-has-two
 * Description: Sixty buffers have two handles each, which are exported in one order
 *  and then in the other. Each buffer keeps its first answer.
 */
static void every_buffer_has_two(void)
{
	enum { COUNT = 60 };
	static struct model m[COUNT];
	int drm = open_device();

	for (int i = 0; i < COUNT; i++)
		model_init(&m[i], drm, 2);
	for (int i = 0; i < COUNT; i++)
		model_export(&m[i], i & 1);
	for (int i = COUNT - 1; i >= 0; i--) {
		model_export(&m[i], !(i & 1));
		for (int j = 0; j < COUNT; j++)
			model_ask(&m[j]);
	}
	for (int i = 0; i < COUNT; i++) {
		model_close(&m[i], (i >> 1) & 1);
		for (int j = 0; j < COUNT; j++)
			model_ask(&m[j]);
	}
	for (int i = 0; i < COUNT; i++)
		model_end(&m[i]);
}

/**
 * SUBTEST: imported-buffer
 * Description: The same for a buffer of another device. The import's handle stays
 *  the answer when a second one is opened and exported.
 */
static void imported_buffer(void)
{
	int drm = open_device(), other = open_other();
	uint32_t theirs, handle, second;
	int fd[3];

	fd[0] = make_dmabuf(drm, 1, &handle);
	theirs = check_ok(gem_import(other, fd[0]));
	second = check_ok(gem_open(other, check_ok(gem_flink(other, theirs))));
	check(second != theirs);
	check_eq(gem_import(other, fd[0]), theirs);
	fd[1] = check_ok(gem_export(other, second, DRM_CLOEXEC));
	fd[2] = check_ok(gem_export(other, theirs, DRM_CLOEXEC));
	for (int i = 0; i < 3; i++) {
		check_eq(inode_of(fd[i]), inode_of(fd[0]));
		check_eq(gem_import(other, fd[i]), theirs);
		check_eq(gem_import(drm, fd[i]), handle);
	}
	check_ok(gem_close(other, second));
	check_eq(gem_import(other, fd[1]), theirs);
}

/**
 * SUBTEST: imported-buffer-many-orders
 * Description: A fixed long sequence of imports, opens, exports and closes of
 *  several handles of a foreign buffer, with an import after each.
 */
static void imported_buffer_many_orders(void)
{
	uint32_t state = 7;

	for (int round = 0; round < 20; round++) {
		int drm = open_device(), other = open_other();
		struct model m = { .drm = other };
		uint32_t name;

		m.fd[m.fds++] = make_dmabuf(drm, 1, NULL);
		m.inode = inode_of(m.fd[0]);
		model_ask(&m);
		name = check_ok(gem_flink(other, m.answer));
		for (int i = 0; i < 4; i++)
			m.handle[m.count++] = check_ok(gem_open(other, name));
		for (int step = 0; step < 24; step++) {
			int i = sequence(&state) % m.count;

			if (!m.handle[i])
				continue;
			if (sequence(&state) % 4)
				model_export(&m, i);
			else if (m.count < MANY - 1)
				model_close(&m, i);
		}
		model_end(&m);
		close(drm);
		close(other);
	}
}

/**
 * SUBTEST: files-do-not-mix
 * Description: Two files of one device have two handles each of one buffer. Each
 *  file keeps its own answer while the other one closes its handles.
 */
static void files_do_not_mix(void)
{
	struct model m[2];
	int drm = open_device(), second = open_device();
	uint32_t name;

	check_ok(gem_create(second, 1));	/* so that numbers differ */
	model_init(&m[0], drm, 2);
	name = check_ok(gem_flink(drm, m[0].handle[0]));
	memset(&m[1], 0, sizeof(m[1]));
	m[1].drm = second;
	m[1].handle[m[1].count++] = check_ok(gem_open(second, name));
	m[1].handle[m[1].count++] = check_ok(gem_open(second, name));
	for (int i = 0; i < 2; i++) {
		model_export(&m[0], i);
		model_export(&m[1], !i);
		model_ask(&m[0]);
	}
	check_eq(m[0].inode, m[1].inode);
	model_close(&m[1], model_answer(&m[1]));
	model_ask(&m[0]);
	model_close(&m[0], model_answer(&m[0]));
	model_ask(&m[1]);
	model_end(&m[0]);
	model_end(&m[1]);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(only_first_exported),
	SUBTEST(only_second_exported),
	SUBTEST(first_then_second),
	SUBTEST(second_then_first),
	SUBTEST(close_the_other),
	SUBTEST(close_the_answer),
	SUBTEST(exported_handle_takes_over),
	SUBTEST(closed_before_asked),
	SUBTEST(three_handles_all_orders),
	SUBTEST(many_handles),
	SUBTEST(among_other_buffers),
	SUBTEST(every_buffer_has_two),
	SUBTEST(imported_buffer),
	SUBTEST(imported_buffer_many_orders),
	SUBTEST(files_do_not_mix),
};

PRIME_MAIN(subtests)
