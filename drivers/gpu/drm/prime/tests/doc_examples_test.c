// SPDX-License-Identifier: GPL-2.0
/*
 * The examples of the documentation, compiled and run. Each is complete between
 * its two "example" marks and stands for what a driver would write.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "prime_test.h"

/* example: exporter */
struct page_buffer {
	struct page *page;
};

static struct sg_table *page_buffer_map(struct dma_buf_attachment *attach,
					enum dma_data_direction dir)
{
	struct page_buffer *buffer = attach->dmabuf->priv;
	struct sg_table *sgt = kmalloc(sizeof(*sgt), GFP_KERNEL);
	int ret = -ENOMEM;

	if (!sgt)
		return ERR_PTR(ret);
	ret = sg_alloc_table_from_pages(sgt, &buffer->page, 1, 0, PAGE_SIZE, GFP_KERNEL);
	if (ret)
		goto free_sgt;
	ret = dma_map_sgtable(attach->dev, sgt, dir, 0);
	if (ret)
		goto free_table;
	return sgt;

free_table:
	sg_free_table(sgt);
free_sgt:
	kfree(sgt);
	return ERR_PTR(ret);
}

static void page_buffer_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			      enum dma_data_direction dir)
{
	dma_unmap_sgtable(attach->dev, sgt, dir, 0);
	sg_free_table(sgt);
	kfree(sgt);
}

static void page_buffer_release(struct dma_buf *dmabuf)
{
	struct page_buffer *buffer = dmabuf->priv;

	__free_page(buffer->page);
	kfree(buffer);
}

static const struct dma_buf_ops page_buffer_ops = {
	.map_dma_buf = page_buffer_map,
	.unmap_dma_buf = page_buffer_unmap,
	.release = page_buffer_release,
};

static struct dma_buf *page_buffer_export(void)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct page_buffer *buffer = kzalloc(sizeof(*buffer), GFP_KERNEL);
	struct dma_buf *dmabuf = ERR_PTR(-ENOMEM);

	if (!buffer)
		return dmabuf;
	buffer->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!buffer->page)
		goto free_buffer;

	info.ops = &page_buffer_ops;
	info.size = PAGE_SIZE;
	info.flags = O_RDWR | O_CLOEXEC;
	info.priv = buffer;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf))
		goto free_page;
	return dmabuf;

free_page:
	__free_page(buffer->page);
free_buffer:
	kfree(buffer);
	return dmabuf;
}

/* example: end */

/* example: importer */
struct reader {
	struct device *dev;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
};

static int reader_import(struct reader *reader, struct dma_buf *dmabuf)
{
	int ret;

	get_dma_buf(dmabuf);
	reader->dmabuf = dmabuf;
	reader->attach = dma_buf_attach(dmabuf, reader->dev);
	if (IS_ERR(reader->attach)) {
		ret = PTR_ERR(reader->attach);
		goto put;
	}
	reader->sgt = dma_buf_map_attachment_unlocked(reader->attach, DMA_TO_DEVICE);
	if (IS_ERR(reader->sgt)) {
		ret = PTR_ERR(reader->sgt);
		goto detach;
	}
	return 0;

detach:
	dma_buf_detach(dmabuf, reader->attach);
put:
	dma_buf_put(dmabuf);
	return ret;
}

static void reader_close(struct reader *reader)
{
	dma_buf_unmap_attachment_unlocked(reader->attach, reader->sgt, DMA_TO_DEVICE);
	dma_buf_detach(reader->dmabuf, reader->attach);
	dma_buf_put(reader->dmabuf);
}

/* example: end */

/* example: dynamic importer */
struct scanout {
	struct device *dev;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
	bool moved;
};

/* Called with the reservation object locked: only note it, map again later. */
static void scanout_invalidate(struct dma_buf_attachment *attach)
{
	struct scanout *scanout = attach->importer_priv;

	scanout->moved = true;
}

static const struct dma_buf_attach_ops scanout_attach_ops = {
	.invalidate_mappings = scanout_invalidate,
};

static int scanout_import(struct scanout *scanout, struct dma_buf *dmabuf)
{
	get_dma_buf(dmabuf);
	scanout->dmabuf = dmabuf;
	scanout->attach = dma_buf_dynamic_attach(dmabuf, scanout->dev, &scanout_attach_ops,
						 scanout);
	if (IS_ERR(scanout->attach)) {
		dma_buf_put(dmabuf);
		return PTR_ERR(scanout->attach);
	}
	return 0;
}

/* Before each job: map the buffer where it is now, and wait for its data. */
static int scanout_prepare(struct scanout *scanout)
{
	struct dma_resv *resv = scanout->dmabuf->resv;
	struct sg_table *sgt;
	long ret;

	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		return ret;
	if (scanout->moved && scanout->sgt) {
		dma_buf_unmap_attachment(scanout->attach, scanout->sgt, DMA_TO_DEVICE);
		scanout->sgt = NULL;
	}
	scanout->moved = false;
	if (!scanout->sgt) {
		sgt = dma_buf_map_attachment(scanout->attach, DMA_TO_DEVICE);
		if (IS_ERR(sgt)) {
			ret = PTR_ERR(sgt);
			goto unlock;
		}
		scanout->sgt = sgt;
	}
	ret = dma_resv_wait_timeout(resv, dma_resv_usage_rw(false), true, MAX_SCHEDULE_TIMEOUT);
	ret = ret < 0 ? ret : 0;
unlock:
	dma_resv_unlock(resv);
	return ret;
}

static void scanout_close(struct scanout *scanout)
{
	if (scanout->sgt)
		dma_buf_unmap_attachment_unlocked(scanout->attach, scanout->sgt, DMA_TO_DEVICE);
	dma_buf_detach(scanout->dmabuf, scanout->attach);
	dma_buf_put(scanout->dmabuf);
}

/* example: end */

static void exporter(struct kunit *test)
{
	struct dma_buf *dmabuf = page_buffer_export();

	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	KUNIT_EXPECT_EQ(test, dmabuf->size, PAGE_SIZE);
	KUNIT_EXPECT_STREQ(test, dmabuf->exp_name, KBUILD_MODNAME);
	dma_buf_put(dmabuf);
}

static void importer(struct kunit *test)
{
	struct reader reader = { .dev = prime_test_device(test) };
	struct dma_buf *dmabuf = page_buffer_export();

	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	KUNIT_EXPECT_EQ(test, reader_import(&reader, dmabuf), 0);
	KUNIT_EXPECT_EQ(test, sg_dma_len(reader.sgt->sgl), PAGE_SIZE);
	dma_buf_put(dmabuf);
	/* The importer's reference keeps the buffer and its pages. */
	KUNIT_EXPECT_EQ(test, file_count(reader.dmabuf->file), 1);
	reader_close(&reader);
}

static void dynamic_importer(struct kunit *test)
{
	struct scanout scanout = { .dev = prime_test_device(test) };
	struct dma_buf *dmabuf = page_buffer_export();

	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	KUNIT_ASSERT_EQ(test, scanout_import(&scanout, dmabuf), 0);
	KUNIT_EXPECT_EQ(test, scanout_prepare(&scanout), 0);
	KUNIT_EXPECT_NOT_NULL(test, scanout.sgt);
	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_invalidate_mappings(dmabuf);
	dma_resv_unlock(dmabuf->resv);
	KUNIT_EXPECT_TRUE(test, scanout.moved);
	KUNIT_EXPECT_EQ(test, scanout_prepare(&scanout), 0);
	KUNIT_EXPECT_FALSE(test, scanout.moved);
	scanout_close(&scanout);
	dma_buf_put(dmabuf);
}

static struct kunit_case doc_examples_cases[] = {
	KUNIT_CASE(exporter),
	KUNIT_CASE(importer),
	KUNIT_CASE(dynamic_importer),
	{}
};

static struct kunit_suite doc_examples_suite = {
	.name = "doc_examples",
	.test_cases = doc_examples_cases,
};

kunit_test_suite(doc_examples_suite);
