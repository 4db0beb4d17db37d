// SPDX-License-Identifier: GPL-2.0
/*
 * A driver in a kernel without dma-buf: the header still declares everything,
 * and each function that answers says -ENODEV.
 */
#include <kunit/test.h>

#include <linux/dma-mapping.h>
#include <linux/mm_types.h>

/* From here on this file is compiled as such a kernel would compile it. */
#undef CONFIG_DMA_SHARED_BUFFER
#ifdef __DMA_BUF_H__
#error "something above includes <linux/dma-buf.h>: the stubs are not tested"
#endif
#include <drm-prime-layer/linux/dma-buf.h>

static void stub_object(struct kunit *test)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);

	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_export(&info)), -ENODEV);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_get(0)), -ENODEV);
	KUNIT_EXPECT_EQ(test, dma_buf_fd(NULL, 0), -ENODEV);
	dma_buf_put(NULL);
}

static void stub_attach(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_attach(NULL, NULL)), -ENODEV);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_dynamic_attach(NULL, NULL, NULL, NULL)), -ENODEV);
	dma_buf_detach(NULL, NULL);
	dma_buf_move_notify(NULL);
}

static void stub_map(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, dma_buf_pin(NULL), -ENODEV);
	dma_buf_unpin(NULL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_map_attachment(NULL, DMA_TO_DEVICE)), -ENODEV);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_map_attachment_unlocked(NULL, DMA_TO_DEVICE)),
			-ENODEV);
	dma_buf_unmap_attachment(NULL, NULL, DMA_TO_DEVICE);
	dma_buf_unmap_attachment_unlocked(NULL, NULL, DMA_TO_DEVICE);
}

static void stub_cpu(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(NULL, DMA_TO_DEVICE), -ENODEV);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(NULL, DMA_TO_DEVICE), -ENODEV);
	KUNIT_EXPECT_EQ(test, dma_buf_mmap(NULL, NULL, 0), -ENODEV);
	KUNIT_EXPECT_EQ(test, dma_buf_vmap(NULL, NULL), -ENODEV);
	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(NULL, NULL), -ENODEV);
	dma_buf_vunmap(NULL, NULL);
	dma_buf_vunmap_unlocked(NULL, NULL);
}

static struct kunit_case dma_buf_stub_cases[] = {
	KUNIT_CASE(stub_object),
	KUNIT_CASE(stub_attach),
	KUNIT_CASE(stub_map),
	KUNIT_CASE(stub_cpu),
	{}
};

static struct kunit_suite dma_buf_stub_suite = {
	.name = "dma_buf_stub",
	.test_cases = dma_buf_stub_cases,
};

kunit_test_suite(dma_buf_stub_suite);
