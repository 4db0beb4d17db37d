/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A dma-buf exporter whose operations follow a script.
 */
#ifndef MOCK_EXPORTER_H
#define MOCK_EXPORTER_H

#include <linux/dma-buf.h>

#include "mock_script.h"
#include "prime_test.h"

struct mock_fence;

enum mock_exporter_op {
	MOCK_ATTACH,
	MOCK_DETACH,
	MOCK_PIN,
	MOCK_UNPIN,
	MOCK_MAP,
	MOCK_UNMAP,
	MOCK_RELEASE,
	MOCK_BEGIN,
	MOCK_END,
	MOCK_MMAP,
	MOCK_VMAP,
	MOCK_VUNMAP,
	MOCK_EXPORTER_OPS
};

/**
 * struct mock_exporter - exporter of buffers that share its pages
 * @test: the test it belongs to
 * @ops: operations of its buffers; a test may clear or replace some
 * @op: script of each operation
 * @pages: backing storage, one block of contiguous pages
 * @order: log2 of the number of pages
 * @size: what the buffers say they have, in bytes; 0 for that of @pages
 * @map_null: the map operation answers NULL
 * @dir: direction of the last map, begin or end
 * @pgoff: page offset that the last mmap saw
 * @vma_file: file that the last mmap saw
 * @watch: fence looked at by begin_cpu_access
 * @watch_signaled: whether @watch was signalled when begin_cpu_access ran
 * @move_in_begin: begin_cpu_access queues a move, which is over 50 ms later
 * @move: fence of that move
 * @table: table of the last map
 * @unmapped_page: first page of the table that the last unmap got
 * @unmapped_address: its first DMA address
 * @unmapped_len: its first DMA length
 * @exported: number of buffers exported
 */
struct mock_exporter {
	struct kunit *test;
	struct dma_buf_ops ops;
	struct mock_script op[MOCK_EXPORTER_OPS];
	struct page *pages;
	unsigned int order;
	size_t size;
	bool map_null;
	enum dma_data_direction dir;
	unsigned long pgoff;
	struct file *vma_file;
	struct dma_fence *watch;
	bool watch_signaled;
	bool move_in_begin;
	struct mock_fence *move;
	struct sg_table *table;
	struct page *unmapped_page;
	dma_addr_t unmapped_address;
	unsigned int unmapped_len;
	unsigned int exported;
};

#define MOCK_EXPORTER_ORDER	1
#define MOCK_EXPORTER_SIZE	(PAGE_SIZE << MOCK_EXPORTER_ORDER)

struct mock_exporter *mock_exporter_create(struct kunit *test, bool dynamic);
void mock_exporter_info(struct mock_exporter *exp, struct dma_buf_export_info *info);
struct dma_buf *mock_exporter_export(struct mock_exporter *exp);
void mock_exporter_put(struct kunit *test, struct dma_buf *dmabuf);
void mock_exporter_expect_unused(struct mock_exporter *exp);
void mock_exporter_expect_balanced(struct mock_exporter *exp);

static inline int mock_exporter_calls(struct mock_exporter *exp, enum mock_exporter_op op)
{
	return mock_calls(&exp->op[op]);
}

static inline void mock_exporter_fail(struct mock_exporter *exp, enum mock_exporter_op op,
				      unsigned int at, int err)
{
	mock_script_fail(&exp->op[op], at, err);
}

/* Expects this number of calls of one operation so far. */
#define MOCK_EXPECT_CALLS(test, exp, operation, number) \
	KUNIT_EXPECT_EQ_MSG(test, mock_exporter_calls(exp, operation), number, #operation)

#endif /* MOCK_EXPORTER_H */
