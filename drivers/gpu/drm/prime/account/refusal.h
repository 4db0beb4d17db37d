/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the core, the GEM side and negotiate/ tell account/ that a step of sharing
 * a buffer failed. They call these functions only when they return an error. So
 * success costs nothing, except that attach notes in which system call it was
 * made, and that unmap and detach check whether they are in the same one. A
 * mapping, and an access of the CPU, check whether the exporter has a known fault.
 *
 * Without CONFIG_DRM_PRIME_ACCOUNT all of it compiles to nothing.
 */
#ifndef DRM_PRIME_REFUSAL_H
#define DRM_PRIME_REFUSAL_H

#include <linux/dma-buf.h>
#include <linux/dma-buf-constraints.h>

/* Headers decide the CRCs of exports, so these are hidden from genksyms. */
#ifndef __GENKSYMS__
#include <linux/platform_device.h>
#include <linux/ptrace.h>
#include <linux/sched/task_stack.h> /* for current_pt_regs() of arm64 */
#include <linux/swiotlb.h>
#include <asm/syscall.h>
#endif

/**
 * struct dma_buf_failure - a step that failed
 * @dmabuf: buffer
 * @dev: device that was to use it; NULL for the CPU
 * @step: DMA_BUF_STEP_*; DMA_BUF_STEP_NONE from a driver that runs within a step
 * @error: negative errno; 0 when only the end of the system call will tell
 * @sgt: the buffer's table for @dev, if the caller has it, otherwise NULL
 * @why: the reason, if the caller knows it, otherwise NULL
 * @by_core: the core itself refused, not the exporter or the importer
 *
 * The caller keeps the targets of all pointers during the call.
 */
struct dma_buf_failure {
	struct dma_buf *dmabuf;
	struct device *dev;
	u32 step;
	int error;
	const struct sg_table *sgt;
	const struct dma_buf_conflict *why;
	bool by_core;
};

/**
 * struct dma_buf_account_ops - what account/ does for those below it
 * @failed: a step failed, or may have. The reservation object may be held
 * @given_back: an importer unmaps or detaches in the system call in which it
 *	attached. The reservation object is held. @sgt is the table of the
 *	mapping, or NULL
 * @check: does this new mapping, of an exporter that syncs wrongly, need syncs?
 *	Returns 0 or -EOPNOTSUPP
 * @ioctl: an ioctl of a dma-buf file that the core does not know; returns
 *	-ENOTTY when account/ does not know it either
 */
struct dma_buf_account_ops {
	void (*failed)(const struct dma_buf_failure *failure);
	void (*given_back)(struct dma_buf_attachment *attach, const struct sg_table *sgt);
	int (*check)(struct dma_buf_attachment *attach, const struct sg_table *sgt);
	long (*ioctl)(struct file *file, unsigned int cmd, void __user *uarg);
};

/* Set at boot, before any buffer exists. */
extern const struct dma_buf_account_ops *dma_buf_account_ops;

/*
 * Has the value of @_error, which is what a step returned: 0 or a negative errno.
 * An errno is passed to account/. Further arguments are further members of
 * struct dma_buf_failure. All but @_error are evaluated only after an error.
 */
#define dma_buf_refused(_dmabuf, _dev, _step, _error, ...) ({			\
	const int error_ = (_error);						\
										\
	if (IS_ENABLED(CONFIG_DRM_PRIME_ACCOUNT) && error_)			\
		dma_buf_account_ops->failed(&(struct dma_buf_failure) {	\
			_dmabuf, _dev, _step, error_, ##__VA_ARGS__ });		\
	error_;									\
})

static inline long dma_buf_account_ioctl(struct file *file, unsigned int cmd, void __user *uarg)
{
	return IS_ENABLED(CONFIG_DRM_PRIME_ACCOUNT) ?
	       dma_buf_account_ops->ioctl(file, cmd, uarg) : -ENOTTY;
}

/*
 * Known faults of exporters. udmabuf syncs a mapping of its own device, and never
 * that of the importer. If the importer's device works on copies (swiotlb), it and
 * the CPU don't see what the other one wrote, so such a mapping is refused.
 * If udmabuf's own device works on copies, a sync only puts old bytes over the
 * memory, so the core leaves it out. See reproducers/07-udmabuf-bounced.txt and
 * reproducers/20-udmabuf-unsynced.txt.
 */
static inline bool dma_buf_syncs_wrongly(const struct dma_buf *dmabuf)
{
	/* udmabuf is built in, so its buffers have no module. */
	return IS_ENABLED(CONFIG_DRM_PRIME_ACCOUNT) && !dmabuf->owner &&
	       !strcmp(dmabuf->exp_name, "udmabuf");
}

static inline int dma_buf_mapping_check(struct dma_buf_attachment *attach,
					const struct sg_table *sgt)
{
	return dma_buf_syncs_wrongly(attach->dmabuf) ? dma_buf_account_ops->check(attach, sgt) : 0;
}

/* With "swiotlb=force" all devices work on copies, so it does not matter which one is asked. */
static inline bool dma_buf_sync_harms(const struct dma_buf *dmabuf)
{
	return is_swiotlb_force_bounce(&platform_bus) && dma_buf_syncs_wrongly(dmabuf);
}

/*
 * A number for the running system call, made of the task and the second argument,
 * which is the request of an ioctl. Another call can have the same number. Then
 * account/ looks at what that call returns. If it failed, account/ may record that
 * a buffer was refused which an earlier call had accepted.
 */
static inline u16 dma_buf_call_number(void)
{
	unsigned long args[6];

	if (!IS_ENABLED(CONFIG_DRM_PRIME_ACCOUNT))
		return 0;
	syscall_get_arguments(current, current_pt_regs(), args);
	return (unsigned long)current + args[1];
}

/* An importer unmaps or detaches. If it attached in the same system call, it may have refused. */
static inline void dma_buf_given_back(struct dma_buf_attachment *attach, const struct sg_table *sgt)
{
	if (IS_ENABLED(CONFIG_DRM_PRIME_ACCOUNT) && unlikely(dma_buf_call_number() == attach->call))
		dma_buf_account_ops->given_back(attach, sgt);
}

#endif /* DRM_PRIME_REFUSAL_H */
