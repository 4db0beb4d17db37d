/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The private interface between the files of negotiate/, also for their tests.
 * Kbuild.include lists each file before the files that it calls.
 */
#ifndef DMA_BUF_NEGOTIATE_INTERNAL_H
#define DMA_BUF_NEGOTIATE_INTERNAL_H

#include <linux/cdev.h>
#include <linux/dma-buf-late.h>
#include <linux/kref.h>

#include "../core/internal.h"

/* --- numbers in refusals --- */

/* For refusals, which show no address: the smallest mask that covers @address. */
static inline u64 dma_buf_mask_of(u64 address)
{
	return address ? GENMASK_ULL(fls64(address) - 1, 0) : 0;
}

/* Stores the reason if the caller wants it, and returns -EBUSY. */
static inline int dma_buf_conflict_set(struct dma_buf_conflict *conflict,
				       struct dma_buf_conflict why)
{
	if (conflict)
		*conflict = why;
	return -EBUSY;
}

/* --- constraints.c --- */

void dma_buf_constraints_of_memory(struct dma_buf_constraints *c, struct device *dev);
void dma_buf_constraints_of_size(struct dma_buf_constraints *c, size_t size);
u64 dma_buf_constraints_piece(const struct dma_buf_constraints *c, u64 size);
int dma_buf_constraints_check_run(const struct dma_buf_constraints *c, u64 first, u64 length,
				  struct dma_buf_conflict *conflict);
int dma_buf_constraints_check_count(const struct dma_buf_constraints *c,
				    unsigned long segments, unsigned long runs,
				    struct dma_buf_conflict *conflict);

/* --- device.c: the majors whose files may load a module --- */

#define DMA_BUF_MAJOR_V4L2	81
#define DMA_BUF_MAJOR_DRM	226
#define DMA_BUF_MAJOR_ACCEL	(IS_ENABLED(CONFIG_DRM_ACCEL) ? 261 : U32_MAX)

/*
 * Returns the major of a file's node, or 0. The caller looks whether it is that of
 * V4L2, DRM or accel. A file of a program's own device (CUSE) must not be taken for
 * one of theirs. They own the minors below 256. CUSE can have the other minors, all
 * minors of a subsystem that was not built and, until a subsystem is loaded, any
 * minor. Its open files stay when the subsystem is loaded. A file of CUSE has the
 * operations of its node, and a file of DRM those of its driver. A file of V4L2 has
 * those of its node, too, so device_v4l2.c and try/v4l2.c compare the node.
 *
 * A file of O_PATH does not hold its node. So a caller that may have such a file
 * looks at &file.private_data first.
 */
static inline unsigned int dma_buf_device_major(const struct file *file)
{
	const struct inode *inode = file_inode(file);

	return S_ISCHR(inode->i_mode) && iminor(inode) < 256 &&
	       (imajor(inode) == DMA_BUF_MAJOR_V4L2 || !inode->i_cdev ||
		file->f_op != inode->i_cdev->ops) ? imajor(inode) : 0;
}

/* How a device gets at the buffers that are imported into a node. */
#define DMA_BUF_DEVICE_ONE_ADDRESS	BIT(0) /* a helper refuses more than one segment */
#define DMA_BUF_DEVICE_PROCESSOR	BIT(1) /* it does no DMA: the CPU copies */

struct device *dma_buf_device_get(struct file *file, unsigned int *how);
/* Of the modules device_drm.c and device_v4l2.c. */
struct device *dma_buf_device_of_drm(struct file *file, unsigned int *how);
struct device *dma_buf_device_of_v4l2(struct file *file, unsigned int *how);

/* --- negotiation.c --- */

/**
 * struct dma_buf_negotiation - the negotiation of a buffer
 * @ops: the exporter's operations; set before anybody can find the buffer. They
 *	are in its module, as &dma_buf.ops is, or in negotiate/late.c
 * @late: the late storage of negotiate/late.c, or NULL; set with @ops. It is part
 *	of the exporter's object, which the buffer holds until
 *	&dma_buf_ops.release; nobody uses it after that
 * @announced: links &dma_buf_announced.node; dma_buf_negotiate_lock
 *	protects it
 */
struct dma_buf_negotiation {
	const struct dma_buf_late_ops *ops;
	struct dma_buf_late *late;
	struct list_head announced;
};

static inline struct dma_buf_negotiation *dma_buf_negotiation_get(const struct dma_buf *dmabuf)
{
	return container_of(dmabuf, const struct dma_buf_object, base)->negotiation;
}

int dma_buf_negotiation_start(struct dma_buf *dmabuf, const struct dma_buf_late_ops *ops,
			      struct dma_buf_late *late);
void dma_buf_negotiation_stop(struct dma_buf *dmabuf);
void dma_buf_negotiation_free(struct dma_buf *dmabuf);
int dma_buf_negotiation_attach_locked(struct dma_buf_attachment *attach);
int dma_buf_negotiation_announce(struct dma_buf *dmabuf, struct device *dev,
				 unsigned int how, u32 use,
				 struct dma_buf_conflict *conflict);
int dma_buf_negotiation_withdraw(struct dma_buf *dmabuf, const struct device *dev);
int dma_buf_negotiation_commit(struct dma_buf *dmabuf, struct dma_buf_commit *arg,
			       struct dma_buf_conflict *conflict);
void dma_buf_announced_release(struct device *dev, void *res);
unsigned int dma_buf_negotiation_count_locked(struct dma_buf *dmabuf);

/* --- storage.c: pages that suit given constraints --- */

/**
 * struct dma_buf_storage - pages, zeroed when they are allocated
 * @refs: one of the buffer, and one of each mapping for a device
 * @wanted: the constraints it was allocated for, from
 *	dma_buf_get_constraints()
 * @cma: the first page if all of it is one block of CMA, else NULL
 * @nr_pages: number of pages
 * @pages: every page, in the order of the buffer; owned
 *
 * All but @refs is constant after the allocation.
 */
struct dma_buf_storage {
	struct kref refs;
	struct dma_buf_constraints wanted;
	struct page *cma;
	unsigned long nr_pages;
	struct page *pages[] __counted_by(nr_pages);
};

struct dma_buf_storage *
dma_buf_storage_alloc(const struct dma_buf_constraints *c, size_t size,
		      struct dma_buf_conflict *conflict);
void dma_buf_storage_put(struct dma_buf_storage *st);
bool dma_buf_storage_suits(const struct dma_buf_storage *st, const struct dma_buf_constraints *c,
			   struct dma_buf_conflict *conflict);
int dma_buf_storage_table(const struct dma_buf_storage *st, struct device *dev,
			  const struct dma_buf_constraints *c,
			  struct sg_table *sgt);
void dma_buf_storage_describe(const struct dma_buf_storage *st, struct dma_buf_storage_info *info);
unsigned int dma_buf_storage_zone(u64 dma_mask, u64 top);

/* --- late_map.c: late storage mapped for devices --- */

struct sg_table *dma_buf_late_mapping_create(struct dma_buf_late *late,
					     struct dma_buf_attachment *attach,
					     enum dma_data_direction dir,
					     struct dma_buf_conflict *conflict);
void dma_buf_late_mapping_destroy(struct sg_table *sgt);
void dma_buf_late_mappings_sync(struct dma_buf_late *late, bool for_cpu);

#endif /* DMA_BUF_NEGOTIATE_INTERNAL_H */
