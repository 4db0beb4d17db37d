// SPDX-License-Identifier: GPL-2.0
/*
 * The per-file table of handles and buffers, seen through the conversions: what
 * a descriptor gives back stays the same until that handle is closed.
 */
#include "mock_drm.h"

#define CACHE_MAX	9

struct cache_case {
	const char *name;
	int handles;
	int order[CACHE_MAX];
};

/* Handles of one object, and the order (by index) in which they are exported. */
static const struct cache_case cache_cases[] = {
	{ "one", 1, { 0 } },
	{ "two", 2, { 0, 1 } },
	{ "two_backwards", 2, { 1, 0 } },
	{ "three", 3, { 0, 1, 2 } },
	{ "three_backwards", 3, { 2, 1, 0 } },
	{ "three_middle_first", 3, { 1, 0, 2 } },
	{ "three_middle_last", 3, { 0, 2, 1 } },
	{ "nine", 9, { 0, 1, 2, 3, 4, 5, 6, 7, 8 } },
	{ "nine_backwards", 9, { 8, 7, 6, 5, 4, 3, 2, 1, 0 } },
	{ "nine_shuffled", 9, { 4, 8, 0, 2, 6, 1, 7, 3, 5 } },
};

KUNIT_ARRAY_PARAM_DESC(cache, cache_cases, name);

struct cache_fixture {
	struct mock_drm *mock;
	struct file *file;
	struct drm_file *priv;
	struct drm_gem_object *obj;
	u32 handle[CACHE_MAX];
	int fd[CACHE_MAX];
};

static struct cache_fixture *cache_setup(struct kunit *test, int handles)
{
	struct cache_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, fix);
	fix->mock = mock_drm_create(test);
	fix->file = mock_drm_open(fix->mock);
	fix->priv = mock_drm_priv(fix->file);
	fix->handle[0] = mock_drm_object_handle(fix->mock, fix->file, &fix->obj);
	for (i = 1; i < handles; i++)
		fix->handle[i] = mock_drm_handle(fix->mock, fix->file, fix->obj);
	return fix;
}

static u32 cache_lookup(struct kunit *test, struct cache_fixture *fix, int fd)
{
	u32 handle = 0;

	KUNIT_EXPECT_EQ(test, drm_gem_prime_fd_to_handle(fix->mock->drm, fix->priv, fd, &handle),
			0);
	return handle;
}

static void cache_export(struct kunit *test, struct cache_fixture *fix, int index)
{
	KUNIT_ASSERT_EQ(test, drm_gem_prime_handle_to_fd(fix->mock->drm, fix->priv,
							 fix->handle[index], DRM_CLOEXEC,
							 &fix->fd[index]), 0);
}

static bool cache_has(struct cache_fixture *fix, int handles, u32 handle)
{
	int i;

	for (i = 0; i < handles; i++)
		if (handle && fix->handle[i] == handle)
			return true;
	return false;
}

/*
 * Export through one handle after the other, then close whichever handle is the
 * answer until none is left.
 */
static void same_handle_until_closed(struct kunit *test)
{
	const struct cache_case *param = test->param_value;
	struct cache_fixture *fix = cache_setup(test, param->handles);
	int i, j, n = param->handles, fd;
	u32 first, now;

	first = fix->handle[param->order[0]];
	for (i = 0; i < n; i++) {
		cache_export(test, fix, param->order[i]);
		for (j = 0; j <= i; j++)
			KUNIT_EXPECT_EQ_MSG(test, cache_lookup(test, fix,
							       fix->fd[param->order[j]]),
					    first, "after export %d of %d", i + 1, n);
	}
	fd = fix->fd[0];
	for (i = 0; i < n; i++) {
		first = cache_lookup(test, fix, fd);
		KUNIT_EXPECT_TRUE(test, cache_has(fix, n, first));
		for (j = 0; j < 3; j++) {
			now = cache_lookup(test, fix, fd);
			KUNIT_EXPECT_EQ_MSG(test, now, first, "with %d closed", i);
		}
		KUNIT_EXPECT_EQ(test, drm_gem_handle_delete(fix->priv, first), 0);
		for (j = 0; j < n; j++)
			if (fix->handle[j] == first)
				fix->handle[j] = 0;
	}
	KUNIT_EXPECT_EQ(test, fix->obj->handle_count, 0u);
	for (i = 0; i < n; i++)
		prime_test_close_fd(test, fix->fd[i]);
}

/* Closing one of the others changes nothing. */
static void close_others(struct kunit *test)
{
	const struct cache_case *param = test->param_value;
	struct cache_fixture *fix = cache_setup(test, param->handles);
	int i, n = param->handles;
	u32 first = fix->handle[param->order[0]];

	for (i = 0; i < n; i++)
		cache_export(test, fix, param->order[i]);
	for (i = n - 1; i > 0; i--) {
		KUNIT_EXPECT_EQ(test, drm_gem_handle_delete(fix->priv,
							    fix->handle[param->order[i]]), 0);
		KUNIT_EXPECT_EQ_MSG(test, cache_lookup(test, fix, fix->fd[0]), first,
				    "with %d of %d left", i, n);
	}
	KUNIT_EXPECT_EQ(test, fix->obj->handle_count, 1u);
	for (i = 0; i < n; i++)
		prime_test_close_fd(test, fix->fd[i]);
}

/* Handles are closed in the order of export. The answer is never a closed one. */
static void close_in_order(struct kunit *test)
{
	const struct cache_case *param = test->param_value;
	struct cache_fixture *fix = cache_setup(test, param->handles);
	int i, n = param->handles;
	u32 now;

	for (i = 0; i < n; i++)
		cache_export(test, fix, param->order[i]);
	for (i = 0; i < n - 1; i++) {
		KUNIT_EXPECT_EQ(test, drm_gem_handle_delete(fix->priv,
							    fix->handle[param->order[i]]), 0);
		fix->handle[param->order[i]] = 0;
		now = cache_lookup(test, fix, fix->fd[0]);
		KUNIT_EXPECT_TRUE_MSG(test, cache_has(fix, n, now), "%u is closed", now);
	}
	for (i = 0; i < n; i++)
		prime_test_close_fd(test, fix->fd[i]);
}

/* A handle that was not exported is not in the table. */
static void unexported_handle(struct kunit *test)
{
	struct cache_fixture *fix = cache_setup(test, 2);

	cache_export(test, fix, 1);
	KUNIT_EXPECT_EQ(test, cache_lookup(test, fix, fix->fd[1]), fix->handle[1]);
	KUNIT_EXPECT_EQ(test, drm_gem_handle_delete(fix->priv, fix->handle[0]), 0);
	KUNIT_EXPECT_EQ(test, cache_lookup(test, fix, fix->fd[1]), fix->handle[1]);
	prime_test_close_fd(test, fix->fd[1]);
}

/* Exporting the same handle again adds no second entry. */
static void export_same_handle(struct kunit *test)
{
	struct cache_fixture *fix = cache_setup(test, 1);
	u32 back;
	int i;

	for (i = 0; i < 4; i++) {
		cache_export(test, fix, 0);
		KUNIT_EXPECT_EQ(test, cache_lookup(test, fix, fix->fd[0]), fix->handle[0]);
		if (i < 3)
			prime_test_close_fd(test, fix->fd[0]);
	}
	KUNIT_EXPECT_EQ(test, drm_gem_handle_delete(fix->priv, fix->handle[0]), 0);
	back = cache_lookup(test, fix, fix->fd[0]);
	KUNIT_EXPECT_EQ(test, fix->obj->handle_count, 1u);
	KUNIT_EXPECT_EQ(test, drm_gem_handle_delete(fix->priv, back), 0);
	prime_test_close_fd(test, fix->fd[0]);
}

/* Many buffers in one file: each descriptor finds its own handle, in any order. */
#define CACHE_MANY	200

static void many_buffers(struct kunit *test)
{
	struct cache_fixture *fix = cache_setup(test, 1);
	u32 *handle = kunit_kcalloc(test, CACHE_MANY, sizeof(*handle), GFP_KERNEL);
	int *fd = kunit_kcalloc(test, CACHE_MANY, sizeof(*fd), GFP_KERNEL);
	int i, j;

	KUNIT_ASSERT_NOT_NULL(test, handle);
	KUNIT_ASSERT_NOT_NULL(test, fd);
	for (i = 0; i < CACHE_MANY; i++) {
		handle[i] = mock_drm_object_handle(fix->mock, fix->file, NULL);
		KUNIT_ASSERT_EQ(test, drm_gem_prime_handle_to_fd(fix->mock->drm, fix->priv,
								 handle[i], DRM_CLOEXEC, &fd[i]),
				0);
	}
	for (i = 0; i < CACHE_MANY; i++) {
		/* 77 and 200 have no common divisor: every one once. */
		j = (i * 77) % CACHE_MANY;
		KUNIT_ASSERT_EQ(test, cache_lookup(test, fix, fd[j]), handle[j]);
		if (i & 1)
			KUNIT_ASSERT_EQ(test, drm_gem_handle_delete(fix->priv, handle[j]), 0);
	}
	for (i = 0; i < CACHE_MANY; i += 2) {
		j = (i * 77) % CACHE_MANY;
		KUNIT_ASSERT_EQ(test, cache_lookup(test, fix, fd[j]), handle[j]);
	}
	for (i = 0; i < CACHE_MANY; i++)
		prime_test_close_fd(test, fd[i]);
}

/* A handle number that is used again belongs to the new object. */
static void handle_reused(struct kunit *test)
{
	struct cache_fixture *fix = cache_setup(test, 1);
	struct drm_gem_object *obj;
	u32 again;
	int fd;

	cache_export(test, fix, 0);
	KUNIT_EXPECT_EQ(test, drm_gem_handle_delete(fix->priv, fix->handle[0]), 0);
	again = mock_drm_object_handle(fix->mock, fix->file, &obj);
	KUNIT_EXPECT_EQ(test, again, fix->handle[0]);
	KUNIT_ASSERT_EQ(test, drm_gem_prime_handle_to_fd(fix->mock->drm, fix->priv, again,
							 DRM_CLOEXEC, &fd), 0);
	KUNIT_EXPECT_EQ(test, cache_lookup(test, fix, fd), again);
	KUNIT_EXPECT_NE(test, cache_lookup(test, fix, fix->fd[0]), again);
	prime_test_close_fd(test, fd);
	prime_test_close_fd(test, fix->fd[0]);
}

static struct kunit_case gem_prime_cache_cases[] = {
	KUNIT_CASE_PARAM(same_handle_until_closed, cache_gen_params),
	KUNIT_CASE_PARAM(close_others, cache_gen_params),
	KUNIT_CASE_PARAM(close_in_order, cache_gen_params),
	KUNIT_CASE(unexported_handle),
	KUNIT_CASE(export_same_handle),
	KUNIT_CASE(many_buffers),
	KUNIT_CASE(handle_reused),
	{}
};

static struct kunit_suite gem_prime_cache_suite = {
	.name = "gem_prime_cache",
	.test_cases = gem_prime_cache_cases,
};

kunit_test_suite(gem_prime_cache_suite);
