/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the layer has to know of the kernel that it is built into. The sources
 * are written for Linux 7.3. If 6.12 needs something else, this header has a
 * constant or a small function for it. If only a name differs on 6.12, this
 * header gives it the name of 7.3. mock/prime_layer.h does the same for the
 * drivers of mock/ and samples/, and Kbuild.include chooses the files that only
 * one version needs. No other file of the layer compares versions, except the
 * public headers, whose layouts differ, and tests.
 *
 * Include it after all other headers.
 */
#ifndef DRM_PRIME_KERNEL_H
#define DRM_PRIME_KERNEL_H

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/module.h>
#include <linux/version.h>

#define DRM_PRIME_LINUX(major, minor) \
	(LINUX_VERSION_CODE >> 8 == KERNEL_VERSION(major, minor, 0) >> 8)

DEFINE_GUARD(dma_resv, struct dma_resv *, dma_resv_lock(_T, NULL), dma_resv_unlock(_T))

#if DRM_PRIME_LINUX(7, 3)

/*
 * The core maps when the importer asks, and keeps no table. A dynamic importer
 * follows moves, so nothing is pinned for it. A dynamic importer that pins by
 * itself needs no callback.
 */
#define DMA_BUF_MAPS_AT_ATTACH	false
#define DMA_BUF_FOLLOWS_MOVES	true
#define DMA_BUF_NEEDS_CALLBACK	false

static inline bool dma_buf_attachment_is_dynamic(struct dma_buf_attachment *attach)
{
	return attach->importer_ops;
}

#define DMA_BUF_OPS_KEEP_TABLE
static inline bool dma_buf_ops_keep_table(const struct dma_buf_ops *ops)
{
	return false;
}

static inline struct sg_table *
dma_buf_kept_table(struct dma_buf_attachment *attach, enum dma_data_direction *dir)
{
	*dir = DMA_NONE;
	return NULL;
}

static inline void dma_buf_keep_table(struct dma_buf_attachment *attach,
				      struct sg_table *sgt, enum dma_data_direction dir)
{
}

/* The reference count of a file that has ended. */
#define DMA_BUF_FILE_ENDED { .f_ref.refcnt = ATOMIC_LONG_INIT(FILE_REF_DEAD) }
static inline bool dma_buf_file_get_live(struct file *file)
{
	return file_ref_get(&file->f_ref);
}

/*
 * The device that an import attaches, with a reference.
 * drm_gem_shmem_prime_import_no_map() attaches the parent, even if another
 * device does DMA.
 */
#define drm_dev_get_import_dev(drm) ({ \
	struct drm_device *importer = (drm); \
	get_device(IS_REACHABLE(CONFIG_DRM_GEM_SHMEM_HELPER) && \
		   importer->driver->gem_prime_import == drm_gem_shmem_prime_import_no_map ? \
		   importer->dev : drm_dev_dma_dev(importer)); })

/* drm_gem.c holds the file's prime lock when it reports a closed handle. */
#define drm_gem_guard_close(lock)	lockdep_assert_held(lock)

/* Mainline's core includes the headers of tracing, which changes its CRCs. */
#define DMA_BUF_CRCS_WITH_TRACING	1

/* Which files are in an unread message of AF_UNIX; the path is from account/. */
#define DRM_PRIME_AF_UNIX_H "../../../../../net/unix/af_unix.h"

/* 7.3 has no accounts in sysfs. */
#define dma_buf_stats_setup(...)	0
#define dma_buf_stats_teardown(...)	do { } while (0)
#define dma_buf_init_sysfs_statistics()	0

#elif DRM_PRIME_LINUX(6, 12)

#include "../../../dma-buf/dma-buf-sysfs-stats.h"

#define DMA_BUF_MAPS_AT_ATTACH	true
#define DMA_BUF_FOLLOWS_MOVES	IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY)
#define DMA_BUF_NEEDS_CALLBACK	true

#define DMA_BUF_OPS_KEEP_TABLE	.cache_sgt_mapping = true,
static inline bool dma_buf_ops_keep_table(const struct dma_buf_ops *ops)
{
	return ops->cache_sgt_mapping;
}

static inline struct sg_table *
dma_buf_kept_table(struct dma_buf_attachment *attach, enum dma_data_direction *dir)
{
	*dir = attach->dir;
	return attach->sgt;
}

static inline void dma_buf_keep_table(struct dma_buf_attachment *attach,
				      struct sg_table *sgt, enum dma_data_direction dir)
{
	attach->dir = dir;
	attach->sgt = sgt;
}

#define DMA_BUF_FILE_ENDED { }
static inline bool dma_buf_file_get_live(struct file *file)
{
	return atomic_long_inc_not_zero(&file->f_count);
}

#define drm_gem_guard_close(lock)	guard(mutex)(lock)

#define DMA_BUF_CRCS_WITH_TRACING	0

#define DRM_PRIME_AF_UNIX_H "net/af_unix.h"
#define cmp_int(l, r) ({ typeof(l) l_ = (l); typeof(r) r_ = (r); (l_ > r_) - (l_ < r_); })

/* As on 7.3, the name of a namespace is a string. */
#undef EXPORT_SYMBOL_NS_GPL
#define EXPORT_SYMBOL_NS_GPL(sym, ns) __EXPORT_SYMBOL(sym, "GPL", ns)
#undef MODULE_IMPORT_NS
#define MODULE_IMPORT_NS(ns) MODULE_INFO(import_ns, ns)

#define dma_buf_invalidate_mappings	dma_buf_move_notify
#define invalidate_mappings		move_notify
#define drm_gem_vmap_locked		drm_gem_vmap
#define drm_gem_vunmap_locked		drm_gem_vunmap
#define drm_dev_dma_dev(drm)		((drm)->dev)
struct drm_device;
struct device *drm_dev_get_import_dev(struct drm_device *drm);
#define vma_is_cow_mapping(vma)		is_cow_mapping((vma)->vm_flags)
#define ACR_FLAGS_NONE			MIGRATE_MOVABLE
#define dev_set_dma_iommu(dev)		((dev)->dma_iommu = true)
#define dev_clear_dma_iommu(dev)	((dev)->dma_iommu = false)
#define dma_capable(dev, addr, size, is_ram, ...) dma_capable(dev, addr, size, is_ram)

#else
#error "The layer knows Linux 6.12 and 7.3. Its Documentation/porting.rst helps with others."
#endif

#endif /* DRM_PRIME_KERNEL_H */
