// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reason of one refusal: what the device is known to want, what the storage
 * is, and where the two do not fit together. No number of the answer is an
 * address.
 */
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/iommu-dma.h>
#include <linux/swiotlb.h>

#include "../negotiate/internal.h"
#include "internal.h"

static u32 reason_by(const struct dma_buf_failure *f)
{
	static const u8 by[] = {
		[DMA_BUF_STEP_DMA] = DMA_BUF_BY_DMA_API,
		[DMA_BUF_STEP_PIN ... DMA_BUF_STEP_MAP] = DMA_BUF_BY_EXPORTER,
		[DMA_BUF_STEP_TABLE ... DMA_BUF_STEP_ADMIT] = DMA_BUF_BY_CORE,
		[DMA_BUF_STEP_ATTACH ... DMA_BUF_STEP_CPU] = DMA_BUF_BY_EXPORTER,
		[DMA_BUF_STEP_GIVEN_BACK ... DMA_BUF_STEP_IMPORT] = DMA_BUF_BY_IMPORTER,
		[DMA_BUF_STEP_HANDLE ... DMA_BUF_STEP_COMMIT] = DMA_BUF_BY_CORE,
	};

	return f->by_core ? DMA_BUF_BY_CORE : by[f->step];
}

/* Measures a table: its DMA addresses or, if the DMA API refused it, its pages. */
static void reason_measure(struct dma_buf_refusal *why, const struct dma_buf_failure *f)
{
	const bool mapped = f->step != DMA_BUF_STEP_DMA;
	const bool direct = mapped && !use_dma_iommu(f->dev) && !get_dma_ops(f->dev);
	u64 first, length, next = 0, run = 0;
	struct scatterlist *sg;
	unsigned int i;

	why->flags |= DMA_BUF_REFUSAL_TABLE;
	why->segments = mapped ? f->sgt->nents : f->sgt->orig_nents;
	for_each_sg(f->sgt->sgl, sg, why->segments, i) {
		first = mapped ? sg_dma_address(sg) : sg_phys(sg);
		length = mapped ? sg_dma_len(sg) : sg->length;
		if (!length)
			continue;
		run = why->runs && first == next ? run : 0;
		why->runs += !run;
		run += length;
		next = first + length;
		why->largest = max(why->largest, run);
		if (mapped)
			why->reach |= dma_buf_mask_of(next - 1);
		if (direct && swiotlb_find_pool(f->dev, dma_to_phys(f->dev, first)))
			why->flags |= DMA_BUF_REFUSAL_BOUNCED;
	}
}

/*
 * Looks for what does not fit: in the table, if the importer gave the buffer back,
 * and in the size, if an earlier step failed (DMA_BUF_STEP_DMA to _ATTACH). A
 * driver that has set no maximum length of segments, or UINT_MAX, may
 * still take only one segment: nothing in the DMA API says so. After a refusal
 * that is the likely reason, so it is reported as a guess.
 */
static bool reason_judge(const struct dma_buf_refusal *why, const struct dma_buf_failure *f,
			 struct dma_buf_constraints *c, struct dma_buf_conflict *reason)
{
	const struct device_dma_parameters *parms = f->dev->dma_parms;
	const size_t most = f->dev->dma_mask ? dma_max_mapping_size(f->dev) : SIZE_MAX;
	const u64 piece = f->step == DMA_BUF_STEP_DMA ? why->largest : why->size;

	/* If the exporter itself called the DMA API, there is no table to measure. */
	if ((f->step == DMA_BUF_STEP_DMA || f->step == DMA_BUF_STEP_MAP) && piece > most) {
		*reason = (struct dma_buf_conflict){ DMA_BUF_FIELD_SIZE, most, piece };
		return true;
	}
	/* For a device whose driver has set no maximum, the DMA API says 64 KiB. */
	if (c->max_segments == U32_MAX &&
	    (c->max_segment_size >= U32_MAX ||
	     (c->max_segment_size == SZ_64K && (!parms || !parms->max_segment_size)))) {
		c->max_segment_size = U64_MAX;
		c->flags |= DMA_BUF_CONSTRAINT_CONTIGUOUS;
	}
	if (f->sgt && f->step == DMA_BUF_STEP_GIVEN_BACK)
		return dma_buf_constraints_check_table(c, f->sgt, reason);
	return f->step <= DMA_BUF_STEP_ATTACH &&
	       dma_buf_constraints_check_size(c, why->size, reason);
}

/* Fills in all of @why. At the step TABLE only refusal_check() answers -EOPNOTSUPP. */
void dma_buf_reason_find(const struct dma_buf_failure *f, struct dma_buf_refusal *why)
{
	struct dma_buf_conflict reason = { DMA_BUF_FIELD_ERROR, 0, -f->error };
	const struct dma_buf_ops *ops = f->dmabuf->ops;
	struct dma_buf_constraints c;

	*why = (struct dma_buf_refusal) {
		.step = f->step,
		.error = -f->error,
		.by = reason_by(f),
		.size = f->dmabuf->size,
	};
	strscpy(why->exporter, dma_buf_exporter_name(to_dma_buf_object(f->dmabuf)));
	if (f->dev) {
		strscpy(why->device, dev_name(f->dev));
		dma_buf_constraints_from_device(&c, f->dev);
		why->dma_mask = c.dma_mask;
		why->segment_boundary = c.segment_boundary;
		why->max_segment_size = c.max_segment_size;
		why->max_segments = c.max_segments;
		why->alignment = c.alignment;
		why->length_align = c.length_align;
		why->wants = c.flags;
		why->flags = (dev_is_dma_coherent(f->dev) ? DMA_BUF_REFUSAL_COHERENT : 0) |
			     (use_dma_iommu(f->dev) ? DMA_BUF_REFUSAL_TRANSLATED : 0);
		if (f->sgt)
			reason_measure(why, f);
	}

	if (f->why && f->why->field)
		reason = *f->why;
	else if ((f->step == DMA_BUF_STEP_VMAP && !ops->vmap) ||
		 (f->step == DMA_BUF_STEP_MMAP && !ops->mmap))
		reason = (struct dma_buf_conflict){ DMA_BUF_FIELD_OPERATION, 1, 0 };
	else if (f->step == DMA_BUF_STEP_TABLE && f->error == -EOPNOTSUPP)
		reason = (struct dma_buf_conflict){ DMA_BUF_FIELD_BOUNCE, 0, 1 };
	else if (f->dev && reason_judge(why, f, &c, &reason))
		why->flags |= DMA_BUF_REFUSAL_GUESSED;
	why->field = reason.field;
	why->wanted = reason.wanted;
	why->found = reason.found;
}
