// SPDX-License-Identifier: GPL-2.0
/*
 * The walk over all buffers, for BPF programs. It is not exported, so this suite
 * is there only where the tests are built in.
 */
#include <linux/dcache.h>

#include "mock_exporter.h"

/* How often a walk comes to @wanted. Each step holds one reference, to one buffer. */
static unsigned int times_met(struct kunit *test, struct dma_buf *wanted)
{
	struct dma_buf *dmabuf;
	unsigned int count = 0;

	for (dmabuf = dma_buf_iter_begin(); dmabuf; dmabuf = dma_buf_iter_next(dmabuf)) {
		if (dmabuf == wanted) {
			KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 2);
			count++;
		}
	}
	return count;
}

static void each_once(struct kunit *test)
{
	struct dma_buf *dmabuf[3];
	int i;

	for (i = 0; i < ARRAY_SIZE(dmabuf); i++)
		dmabuf[i] = mock_exporter_export(mock_exporter_create(test, false));
	for (i = 0; i < ARRAY_SIZE(dmabuf); i++)
		KUNIT_EXPECT_EQ(test, times_met(test, dmabuf[i]), 1);
	for (i = 0; i < ARRAY_SIZE(dmabuf); i++)
		KUNIT_EXPECT_EQ(test, file_count(dmabuf[i]->file), 1);
}

/* Where the walk is, the buffer stays. When it goes on, the buffer is released. */
static void closed_at_the_walk(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct mock_exporter *other = mock_exporter_create(test, false);
	struct dma_buf *wanted = mock_exporter_export(exp);
	struct dma_buf *last = mock_exporter_export(other), *dmabuf;
	bool met_last = false;

	for (dmabuf = dma_buf_iter_begin(); dmabuf && dmabuf != wanted;
	     dmabuf = dma_buf_iter_next(dmabuf))
		met_last |= dmabuf == last;
	KUNIT_ASSERT_PTR_EQ(test, dmabuf, wanted);
	mock_exporter_put(test, wanted);
	flush_delayed_fput();
	MOCK_EXPECT_CALLS(test, exp, MOCK_RELEASE, 0);
	while ((dmabuf = dma_buf_iter_next(dmabuf)))
		met_last |= dmabuf == last;
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_exporter_calls(exp, MOCK_RELEASE)));
	KUNIT_EXPECT_TRUE(test, met_last);
}

/* A buffer whose file has ended, but not its dentry, is in bufinfo and not here. */
static void file_has_ended(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct dma_buf *dmabuf = mock_exporter_export(exp);
	struct dentry *dentry = dget(dmabuf->file->f_path.dentry);

	KUNIT_EXPECT_EQ(test, times_met(test, dmabuf), 1);
	mock_exporter_put(test, dmabuf);
	flush_delayed_fput();
	KUNIT_EXPECT_EQ(test, times_met(test, dmabuf), 0);
	MOCK_EXPECT_CALLS(test, exp, MOCK_RELEASE, 0);
	dput(dentry);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_exporter_calls(exp, MOCK_RELEASE)));
}

static struct kunit_case dma_buf_iter_cases[] = {
	KUNIT_CASE(each_once),
	KUNIT_CASE(closed_at_the_walk),
	KUNIT_CASE(file_has_ended),
	{}
};

static struct kunit_suite dma_buf_iter_suite = {
	.name = "dma_buf_iter",
	.test_cases = dma_buf_iter_cases,
};

kunit_test_suite(dma_buf_iter_suite);
