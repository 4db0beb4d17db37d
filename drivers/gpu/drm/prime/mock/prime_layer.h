/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the mock and sample drivers have to know of the kernel that they are
 * built for: any from 6.12 to 7.3, with the PRIME layer or without it. They are
 * written for Linux 7.3; here an older kernel gets the names of 7.3. A driver
 * for 7.3 alone needs nothing of this file.
 *
 * Include it after all other headers.
 */
#ifndef PRIME_LAYER_H
#define PRIME_LAYER_H

#include <linux/dma-buf.h>
#include <linux/module.h>
#include <linux/version.h>

#ifdef CONFIG_DRM_PRIME_LAYER
#include <linux/dma-buf-constraints.h>
#else
/* A kernel without the layer has no buffers that are placed late. */
static inline bool dma_buf_is_late(struct dma_buf *dmabuf)
{
	return false;
}
#endif

/* Since 6.13 the name of a namespace is a string. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#undef MODULE_IMPORT_NS
#define MODULE_IMPORT_NS(ns)	MODULE_INFO(import_ns, ns)
#endif

/* Since 6.16 the core keeps no table, neither after a map nor from attach on. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#define PRIME_OPS_KEEP_TABLE	.cache_sgt_mapping = true,
#else
#define PRIME_OPS_KEEP_TABLE
#endif

/*
 * Since 7.1 an importer's callback has another name, and may be missing: then
 * the importer pins for as long as it maps, and can't be revoked.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 1, 0)
#define PRIME_CALLBACK_OPTIONAL	false
#define invalidate_mappings	move_notify
#define dma_buf_invalidate_mappings	dma_buf_move_notify
#else
#define PRIME_CALLBACK_OPTIONAL	true
#endif

/* Since 7.1 a fence forgets its operations when it signals. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 1, 0)
#define prime_fence_ops(fence)	((fence)->ops)
#else
#define prime_fence_ops(fence)	rcu_access_pointer((fence)->ops)
#endif

#endif /* PRIME_LAYER_H */
