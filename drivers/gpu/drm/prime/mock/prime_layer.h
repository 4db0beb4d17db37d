/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the mock and sample drivers have to know of the kernel that they are
 * built for: any kernel from 6.12 to 7.3, with or without the PRIME layer. They
 * are written for Linux 7.3. This header gives an older kernel the names of
 * 7.3.
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
/* A kernel without the layer has no late storage. */
static inline bool dma_buf_is_late(struct dma_buf *dmabuf)
{
	return false;
}

/* Nor does anybody ask for the reason of a refusal, and no header names the fields. */
#define dma_buf_refuse(attach, field, wanted, found) \
	((void)(attach), (void)#field, (void)(wanted), (void)(found))
#endif

#define PRIME_BEFORE(major, minor) \
	(LINUX_VERSION_CODE < KERNEL_VERSION(major, minor, 0))

/* The name of a namespace is a string. */
#if PRIME_BEFORE(6, 13)
#undef MODULE_IMPORT_NS
#define MODULE_IMPORT_NS(ns)	MODULE_INFO(import_ns, ns)
#endif

/* From 6.16 on the core keeps no mapping, neither from attach on nor after a map. */
#if PRIME_BEFORE(6, 16)
#define PRIME_OPS_KEEP_TABLE	.cache_sgt_mapping = true,
#else
#define PRIME_OPS_KEEP_TABLE
#endif

/*
 * The callback of an importer has another name from 7.1 on, and may be missing.
 * An importer without it pins for as long as it maps, and can't be revoked.
 * Also from 7.1 on, a fence forgets its operations when it signals.
 */
#if PRIME_BEFORE(7, 1)
#define PRIME_CALLBACK_OPTIONAL	false
#define invalidate_mappings	move_notify
#define dma_buf_invalidate_mappings	dma_buf_move_notify
#define prime_fence_ops(fence)	((fence)->ops)
#ifndef CONFIG_DRM_PRIME_LAYER
static inline bool dma_buf_attach_revocable(struct dma_buf_attachment *attach)
{
	return attach->importer_ops;
}
#endif
#else
#define PRIME_CALLBACK_OPTIONAL	true
#define prime_fence_ops(fence)	rcu_access_pointer((fence)->ops)
#endif

#endif /* PRIME_LAYER_H */
