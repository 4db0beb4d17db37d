// SPDX-License-Identifier: GPL-2.0
/*
 * The scripted exporter. Every test that uses it ends with a check that each
 * buffer was released once and that what was taken was given back.
 */
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "mock_exporter.h"
#include "mock_importer.h"

static struct mock_exporter *to_exporter(struct dma_buf *dmabuf)
{
	return dmabuf->priv;
}

static int run(struct dma_buf *dmabuf, enum mock_exporter_op op)
{
	return mock_script_run(&to_exporter(dmabuf)->op[op], dmabuf->resv);
}

static int mock_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	return run(dmabuf, MOCK_ATTACH);
}

static void mock_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	run(dmabuf, MOCK_DETACH);
}

static int mock_pin(struct dma_buf_attachment *attach)
{
	return run(attach->dmabuf, MOCK_PIN);
}

static void mock_unpin(struct dma_buf_attachment *attach)
{
	run(attach->dmabuf, MOCK_UNPIN);
}

static struct sg_table *mock_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	struct mock_exporter *exp = to_exporter(attach->dmabuf);
	struct sg_table *sgt;
	int ret;

	ret = run(attach->dmabuf, MOCK_MAP);
	if (ret || exp->map_null) {
		if (!ret)
			atomic_dec(&exp->op[MOCK_MAP].done);
		return exp->map_null ? NULL : ERR_PTR(ret);
	}

	exp->dir = dir;
	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt)
		return ERR_PTR(-ENOMEM);
	ret = sg_alloc_table(sgt, 1, GFP_KERNEL);
	if (ret)
		goto err_free;
	sg_set_page(sgt->sgl, exp->pages, PAGE_SIZE << exp->order, 0);
	ret = dma_map_sgtable(attach->dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
	if (ret)
		goto err_table;
	exp->table = sgt;
	return sgt;

err_table:
	sg_free_table(sgt);
err_free:
	kfree(sgt);
	return ERR_PTR(ret);
}

static void mock_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	struct mock_exporter *exp = to_exporter(attach->dmabuf);

	run(attach->dmabuf, MOCK_UNMAP);
	exp->unmapped_page = sg_page(sgt->sgl);
	exp->unmapped_address = sg_dma_address(sgt->sgl);
	exp->unmapped_len = sg_dma_len(sgt->sgl);
	dma_unmap_sgtable(attach->dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
	sg_free_table(sgt);
	kfree(sgt);
}

static void mock_release(struct dma_buf *dmabuf)
{
	run(dmabuf, MOCK_RELEASE);
}

static int mock_begin(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct mock_exporter *exp = to_exporter(dmabuf);

	exp->dir = dir;
	if (exp->watch)
		exp->watch_signaled = dma_fence_is_signaled(exp->watch);
	if (exp->move_in_begin) {
		exp->move = mock_fence_add(exp->test, dmabuf->resv, DMA_RESV_USAGE_KERNEL);
		mock_fence_signal_in(exp->move, 50);
	}
	return run(dmabuf, MOCK_BEGIN);
}

static int mock_end(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	to_exporter(dmabuf)->dir = dir;
	return run(dmabuf, MOCK_END);
}

static int mock_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct mock_exporter *exp = to_exporter(dmabuf);
	int ret = run(dmabuf, MOCK_MMAP);

	exp->pgoff = vma->vm_pgoff;
	exp->vma_file = vma->vm_file;
	/* An area of prime_test_vma() has no address space to fill. */
	if (ret || !vma->vm_mm)
		return ret;
	return remap_pfn_range(vma, vma->vm_start,
			       page_to_pfn(exp->pages) + vma->vm_pgoff,
			       vma->vm_end - vma->vm_start, vma->vm_page_prot);
}

static int mock_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	int ret = run(dmabuf, MOCK_VMAP);

	if (!ret)
		iosys_map_set_vaddr(map, page_address(to_exporter(dmabuf)->pages));
	return ret;
}

static void mock_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	run(dmabuf, MOCK_VUNMAP);
}

/* What was taken has been given back, though there may be attachments. */
void mock_exporter_expect_unused(struct mock_exporter *exp)
{
	struct mock_script *op = exp->op;

	KUNIT_EXPECT_EQ_MSG(exp->test, mock_done(&op[MOCK_PIN]),
			    mock_calls(&op[MOCK_UNPIN]), "pin and unpin");
	KUNIT_EXPECT_EQ_MSG(exp->test, mock_done(&op[MOCK_MAP]),
			    mock_calls(&op[MOCK_UNMAP]), "map and unmap");
	KUNIT_EXPECT_EQ_MSG(exp->test, mock_done(&op[MOCK_VMAP]),
			    mock_calls(&op[MOCK_VUNMAP]), "vmap and vunmap");
}

/* The same, and there are no attachments. */
void mock_exporter_expect_balanced(struct mock_exporter *exp)
{
	mock_exporter_expect_unused(exp);
	KUNIT_EXPECT_EQ_MSG(exp->test, mock_done(&exp->op[MOCK_ATTACH]),
			    mock_calls(&exp->op[MOCK_DETACH]), "attach and detach");
}

static void mock_exporter_destroy(void *data)
{
	struct mock_exporter *exp = data;
	bool released;

	/* Done, not only called: the operation writes to @exp until it returns. */
	released = prime_test_wait(mock_done(&exp->op[MOCK_RELEASE]) >= exp->exported);
	KUNIT_EXPECT_EQ_MSG(exp->test, mock_exporter_calls(exp, MOCK_RELEASE), exp->exported,
			    "buffers released");
	mock_exporter_expect_balanced(exp);

	/* A buffer that lives on needs its exporter: leak it rather than crash. */
	if (!released)
		return;
	__free_pages(exp->pages, exp->order);
	kfree(exp);
}

/* A dynamic exporter is one that has pin and unpin. */
struct mock_exporter *mock_exporter_create(struct kunit *test, bool dynamic)
{
	struct mock_exporter *exp = kzalloc(sizeof(*exp), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, exp);
	exp->test = test;
	exp->order = MOCK_EXPORTER_ORDER;
	exp->pages = alloc_pages(GFP_KERNEL | __GFP_ZERO, exp->order);
	if (!exp->pages)
		kfree(exp);
	KUNIT_ASSERT_NOT_NULL(test, exp->pages);

	exp->ops = (struct dma_buf_ops) {
		.attach = mock_attach,
		.detach = mock_detach,
		.map_dma_buf = mock_map,
		.unmap_dma_buf = mock_unmap,
		.release = mock_release,
		.begin_cpu_access = mock_begin,
		.end_cpu_access = mock_end,
		.mmap = mock_mmap,
		.vmap = mock_vmap,
		.vunmap = mock_vunmap,
	};
	if (dynamic) {
		exp->ops.pin = mock_pin;
		exp->ops.unpin = mock_unpin;
	}

	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, mock_exporter_destroy, exp), 0);
	return exp;
}

void mock_exporter_info(struct mock_exporter *exp, struct dma_buf_export_info *info)
{
	*info = (struct dma_buf_export_info) {
		.exp_name = "mock-exporter",
		.owner = THIS_MODULE,
		.ops = &exp->ops,
		.size = exp->size ?: PAGE_SIZE << exp->order,
		.flags = O_RDWR | O_CLOEXEC,
		.priv = exp,
	};
}

static void put_dma_buf(void *dmabuf)
{
	dma_buf_put(dmabuf);
}

/* The reference returned goes at the end of the test or with mock_exporter_put(). */
struct dma_buf *mock_exporter_export(struct mock_exporter *exp)
{
	struct dma_buf_export_info info;
	struct dma_buf *dmabuf;

	mock_exporter_info(exp, &info);
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_FALSE(exp->test, IS_ERR(dmabuf));
	exp->exported++;
	KUNIT_ASSERT_EQ(exp->test,
			kunit_add_action_or_reset(exp->test, put_dma_buf, dmabuf), 0);
	return dmabuf;
}

void mock_exporter_put(struct kunit *test, struct dma_buf *dmabuf)
{
	kunit_release_action(test, put_dma_buf, dmabuf);
}
