/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-buf: the contract between exporters, which own the storage, importers,
 * which map it for their device, and the core. Names, layouts and values are
 * those of Linux 7.3, or of 6.12 if the kernel is that version. Each function
 * is documented where it is defined, in drivers/gpu/drm/prime/. "DOC: locking"
 * in core/object.c there lists the locks.
 */
#ifndef __DMA_BUF_H__
#define __DMA_BUF_H__

#include <linux/iosys-map.h>
#include <linux/file.h>
#include <linux/err.h>
#include <linux/scatterlist.h>
#include <linux/list.h>
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/dma-fence.h>
#include <linux/version.h>
#include <linux/wait.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0)
#include <linux/pci-p2pdma.h>
#endif

#include "../uapi/linux/dma-buf.h"

struct device;
struct dma_buf;
struct dma_buf_attachment;

/**
 * struct dma_buf_ops - what an exporter does for its buffers
 *
 * An exporter with @pin and @unpin is *dynamic*: its storage may move while
 * nobody pins it, and &dma_buf_attach_ops.invalidate_mappings tells dynamic
 * importers of a move. All other exporters are *static*.
 *
 * @map_dma_buf, @unmap_dma_buf and @release are mandatory.
 */
struct dma_buf_ops {
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 3, 0)
	/**
	 * @cache_sgt_mapping: the core keeps the first mapping of each
	 * attachment until detach and returns it for later maps. Static
	 * exporters only.
	 */
	bool cache_sgt_mapping;
#endif

	/**
	 * @attach: a device attaches. The exporter checks what the device can
	 * address (DMA mask, &device.dma_parms, peer-to-peer) and may use
	 * &dma_buf_attachment.priv. Optional.
	 *
	 * Context: may sleep; no lock of the core held.
	 *
	 * Return: 0; -EBUSY when the storage is already placed where this
	 * device can't reach it; any other negative errno to refuse.
	 */
	int (*attach)(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);

	/**
	 * @detach: the device detaches; undoes @attach. Optional.
	 *
	 * Context: may sleep; no lock of the core held.
	 */
	void (*detach)(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);

	/**
	 * @pin: keep the storage where it is, preferably where every device
	 * can reach it, with all earlier moves and clears finished. Optional;
	 * an exporter has both @pin and @unpin or neither.
	 *
	 * Context: may sleep; reservation object held.
	 *
	 * Return: 0 or a negative errno.
	 */
	int (*pin)(struct dma_buf_attachment *attach);

	/**
	 * @unpin: undoes one @pin.
	 *
	 * Context: may sleep; reservation object held.
	 */
	void (*unpin)(struct dma_buf_attachment *attach);

	/**
	 * @map_dma_buf: build the attachment's scatter list, mapped for its
	 * device, with DMA addresses and lengths in multiples of PAGE_SIZE.
	 * The first call is the moment to choose and allocate storage that
	 * suits every attached device. The table belongs to the caller until
	 * @unmap_dma_buf returns it, so each call makes a new one.
	 *
	 * Context: may sleep; reservation object held.
	 *
	 * Return: the table, or ERR_PTR: -EINTR after a signal, -ENOMEM, or
	 * another error of the exporter. The core treats NULL as -ENOMEM.
	 */
	struct sg_table * (*map_dma_buf)(struct dma_buf_attachment *attach,
					 enum dma_data_direction dir);

	/**
	 * @unmap_dma_buf: take a table back, unmap and free it.
	 *
	 * Context: may sleep; reservation object held.
	 */
	void (*unmap_dma_buf)(struct dma_buf_attachment *attach,
			      struct sg_table *sgt, enum dma_data_direction dir);

	/**
	 * @release: the last reference is gone; free the storage.
	 *
	 * Context: may sleep; called once.
	 */
	void (*release)(struct dma_buf *dmabuf);

	/**
	 * @begin_cpu_access: make the memory coherent for the CPU, both for
	 * user mappings and for vmap. The core waits for fences before the
	 * call, and for DMA_RESV_USAGE_KERNEL fences after it. Optional.
	 *
	 * Context: may sleep.
	 *
	 * Return: 0; -ERESTARTSYS or -EINTR after a signal; another negative
	 * errno. After a failure no @end_cpu_access follows.
	 */
	int (*begin_cpu_access)(struct dma_buf *dmabuf, enum dma_data_direction dir);

	/**
	 * @end_cpu_access: hand the memory back to the devices. Optional.
	 *
	 * Context: may sleep.
	 *
	 * Return: 0; -ERESTARTSYS or -EINTR after a signal; another negative
	 * errno.
	 */
	int (*end_cpu_access)(struct dma_buf *dmabuf, enum dma_data_direction dir);

	/**
	 * @mmap: map into user space. The core has checked that the range lies
	 * inside the buffer. An exporter that has to zap the mappings later
	 * sets vma->vm_file to a file whose address_space it owns. Optional.
	 *
	 * Context: mmap_lock of the caller held for writing.
	 *
	 * Return: 0 or a negative errno.
	 */
	int (*mmap)(struct dma_buf *dmabuf, struct vm_area_struct *vma);

	/**
	 * @vmap: map into kernel address space. Called for the first user only;
	 * further users share the mapping. Optional.
	 *
	 * Context: may sleep; reservation object held.
	 *
	 * Return: 0 or a negative errno.
	 */
	int (*vmap)(struct dma_buf *dmabuf, struct iosys_map *map);

	/**
	 * @vunmap: undoes @vmap after the last user is gone. Optional.
	 *
	 * Context: may sleep; reservation object held.
	 */
	void (*vunmap)(struct dma_buf *dmabuf, struct iosys_map *map);
};

/**
 * struct dma_buf - a buffer that devices share
 *
 * Made by dma_buf_export(). Its references are those of its @file. It is
 * embedded in a private container of the core, so nobody else may allocate it.
 */
struct dma_buf {
	/**
	 * @size: in bytes; only a commit of late storage changes it, before the
	 * first attachment
	 */
	size_t size;

	/**
	 * @file: has the references. When the last one is dropped, the core
	 * sets this to a file that nobody can get a reference to, with the lock
	 * of core/list.c held.
	 */
	struct file *file;

	/**
	 * @attachments: links &dma_buf_attachment.node; protected by @resv
	 * and @name_lock.
	 */
	struct list_head attachments;

	/**
	 * @ops: the exporter's callbacks; never changes. They are built in, or
	 * in @owner or a module that @owner uses.
	 */
	const struct dma_buf_ops *ops;

	/** @vmapping_counter: users of @vmap_ptr; protected by @resv. */
	unsigned vmapping_counter;

	/**
	 * @vmap_ptr: the kernel mapping while @vmapping_counter is not 0. The
	 * exporter keeps it until &dma_buf_ops.vunmap; protected by @resv.
	 */
	struct iosys_map vmap_ptr;

	/**
	 * @exp_name: the exporter's name; never changes, never NULL. The
	 * exporter keeps the string until &dma_buf_ops.release.
	 */
	const char *exp_name;

	/**
	 * @name: what user space called the buffer, or NULL; shorter than
	 * DMA_BUF_NAME_LEN; owned by the buffer; protected by @name_lock.
	 */
	const char *name;

	/**
	 * @name_lock: protects @name. Also protects @attachments, together
	 * with @resv: a writer holds both, and a reader holds either.
	 */
	spinlock_t name_lock;

	/** @owner: the exporter's module, held while the buffer lives. */
	struct module *owner;

#if IS_ENABLED(CONFIG_DEBUG_FS) || \
	LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0)
	/** @list_node: unused; it keeps the layout. */
	struct list_head list_node;
#endif

	/** @priv: for the exporter; the core does not use it. */
	void *priv;

	/**
	 * @resv: the reservation object; never changes. The exporter keeps it
	 * until &dma_buf_ops.release, or else it is part of the core's
	 * container.
	 *
	 * A driver with implicit synchronisation adds a DMA_RESV_USAGE_WRITE
	 * fence for a job that writes the buffer and a DMA_RESV_USAGE_READ
	 * fence for a job that reads it. It waits for the fences of
	 * dma_resv_usage_rw() before its own access. Drivers that finish their
	 * DMA before user space sees the buffer, such as those of V4L2, add no
	 * fence.
	 *
	 * A dynamic importer also waits for DMA_RESV_USAGE_KERNEL fences
	 * before its device touches the storage, and leaves a fence for any
	 * access that it can't stop inside
	 * &dma_buf_attach_ops.invalidate_mappings.
	 */
	struct dma_resv *resv;

	/** @poll: the pollers of @file wait here. */
	wait_queue_head_t poll;

	/* private: see core/poll.c */
	struct dma_buf_poll_cb_t {
		struct dma_fence_cb cb;
		wait_queue_head_t *poll;

		__poll_t active;
	} cb_in, cb_out;
#ifdef CONFIG_DMABUF_SYSFS_STATS	/* 6.12 only */
	/* public: */
	/**
	 * @sysfs_entry: the buffer's directory under /sys/kernel/dmabuf, with a
	 * reference. It points back to the buffer, and ends before it.
	 */
	struct dma_buf_sysfs_entry {
		struct kobject kobj;
		struct dma_buf *dmabuf;
	} *sysfs_entry;
#endif
};

/**
 * struct dma_buf_attach_ops - what a dynamic importer does
 */
struct dma_buf_attach_ops {
	/**
	 * @allow_peer2peer: the importer accepts scatter lists of device memory
	 * that has no struct page.
	 */
	bool allow_peer2peer;

	/**
	 * @invalidate_mappings: the storage is about to move, or is taken
	 *	away. Existing mappings point to the old place. They stay valid
	 *	until the importer's fences on the buffer have signalled. The
	 *	importer unmaps them within a bounded time, and maps again if it
	 *	still needs the buffer. On 6.12 the name is move_notify, and it
	 *	is mandatory. On 7.3 an importer that pins what it maps need not
	 *	have it; see dma_buf_attach_revocable().
	 *
	 * Context: may sleep; reservation object held.
	 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0)
	void (*invalidate_mappings)(struct dma_buf_attachment *attach);
#else
	/* private: the same on 6.12 */
	void (*move_notify)(struct dma_buf_attachment *attach);
#endif
};

/**
 * struct dma_buf_attachment - a device that is attached to a buffer
 * @dmabuf: the buffer; never changes. The importer holds a reference until it
 *	detaches
 * @dev: the device; never changes. The importer keeps it until it detaches
 * @node: in &dma_buf.attachments; changed with the reservation object and
 *	&dma_buf.name_lock held, read with one of them
 * @sgt: the mapping that the core keeps until detach, or NULL; protected by
 *	the reservation object; 6.12 only
 * @dir: direction of @sgt; protected by the reservation object; 6.12 only
 * @peer2peer: the importer takes memory without struct page; an exporter may
 *	clear it in &dma_buf_ops.attach
 * @importer_ops: set for a dynamic importer; never changes. The importer keeps
 *	them until it detaches
 * @importer_priv: for the importer; set at attach
 * @priv: for the exporter
 *
 * Made by dma_buf_attach() or dma_buf_dynamic_attach().
 */
struct dma_buf_attachment {
	struct dma_buf *dmabuf;
	struct device *dev;
	struct list_head node;
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 3, 0)
	struct sg_table *sgt;
	enum dma_data_direction dir;
#endif
	bool peer2peer;
#ifndef __GENKSYMS__
	/* private: which system call made it; in a hole of the struct */
	u16 call;
	/* public: */
#endif
	const struct dma_buf_attach_ops *importer_ops;
	void *importer_priv;
	void *priv;
};

/**
 * struct dma_buf_export_info - argument of dma_buf_export()
 * @exp_name: exporter's name, for debug output
 * @owner: module that the buffer holds; it has @ops, or uses the module that has
 * @ops: callbacks
 * @size: in bytes
 * @flags: file mode (O_RDONLY, O_RDWR, …); O_CLOEXEC has no effect here
 * @resv: reservation object of the storage; if NULL, the core makes one
 * @priv: becomes &dma_buf.priv; mandatory
 *
 * The exporter keeps the targets of all pointers until &dma_buf_ops.release.
 */
struct dma_buf_export_info {
	const char *exp_name;
	struct module *owner;
	const struct dma_buf_ops *ops;
	size_t size;
	int flags;
	struct dma_resv *resv;
	void *priv;
};

/**
 * DEFINE_DMA_BUF_EXPORT_INFO - declare a &struct dma_buf_export_info
 * @name: name of the variable
 *
 * Exporter name and owner are those of the calling module. All other fields are
 * zero.
 */
#define DEFINE_DMA_BUF_EXPORT_INFO(name)				\
	struct dma_buf_export_info name = {				\
		.owner = THIS_MODULE,					\
		.exp_name = KBUILD_MODNAME,				\
	}

/**
 * get_dma_buf - take one more reference
 * @dmabuf: buffer that the caller holds a reference to
 *
 * dma_buf_put() drops the reference.
 *
 * Context: any; no lock needed.
 */
static inline void get_dma_buf(struct dma_buf *dmabuf)
{
	get_file(dmabuf->file);
}

/**
 * dma_buf_is_dynamic - may the exporter move unpinned storage?
 * @dmabuf: buffer
 *
 * Context: any; no lock needed.
 *
 * Return: true if the exporter has &dma_buf_ops.pin.
 */
static inline bool dma_buf_is_dynamic(struct dma_buf *dmabuf)
{
	return dmabuf->ops->pin;
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 3, 0)
/**
 * dma_buf_attachment_is_dynamic - does the importer follow moves?
 * @attach: attachment
 *
 * Context: any; no lock needed.
 *
 * Return: true if the importer is told about moves.
 */
static inline bool
dma_buf_attachment_is_dynamic(struct dma_buf_attachment *attach)
{
	return attach->importer_ops;
}
#endif

struct dma_buf *dma_buf_export(const struct dma_buf_export_info *exp_info);
int dma_buf_fd(struct dma_buf *dmabuf, int flags);
void dma_buf_fd_install(struct dma_buf *dmabuf, int fd);
struct dma_buf *dma_buf_get(int fd);
void dma_buf_put(struct dma_buf *dmabuf);

struct dma_buf_attachment *dma_buf_attach(struct dma_buf *dmabuf,
					  struct device *dev);
struct dma_buf_attachment *
dma_buf_dynamic_attach(struct dma_buf *dmabuf, struct device *dev,
		       const struct dma_buf_attach_ops *importer_ops,
		       void *importer_priv);
void dma_buf_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0)
void dma_buf_invalidate_mappings(struct dma_buf *dmabuf);
#else
void dma_buf_move_notify(struct dma_buf *dmabuf);
#endif
bool dma_buf_attach_revocable(struct dma_buf_attachment *attach);

int dma_buf_pin(struct dma_buf_attachment *attach);
void dma_buf_unpin(struct dma_buf_attachment *attach);
struct sg_table *dma_buf_map_attachment(struct dma_buf_attachment *attach,
					enum dma_data_direction dir);
struct sg_table *
dma_buf_map_attachment_unlocked(struct dma_buf_attachment *attach,
				enum dma_data_direction dir);
void dma_buf_unmap_attachment(struct dma_buf_attachment *attach,
			      struct sg_table *sgt,
			      enum dma_data_direction dir);
void dma_buf_unmap_attachment_unlocked(struct dma_buf_attachment *attach,
				       struct sg_table *sgt,
				       enum dma_data_direction dir);

int dma_buf_begin_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir);
int dma_buf_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir);
int dma_buf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma,
		 unsigned long pgoff);
int dma_buf_vmap(struct dma_buf *dmabuf, struct iosys_map *map);
int dma_buf_vmap_unlocked(struct dma_buf *dmabuf, struct iosys_map *map);
void dma_buf_vunmap(struct dma_buf *dmabuf, struct iosys_map *map);
void dma_buf_vunmap_unlocked(struct dma_buf *dmabuf, struct iosys_map *map);

/* core/object.c, for the BPF iterator; not exported */
struct dma_buf *dma_buf_iter_begin(void);
struct dma_buf *dma_buf_iter_next(struct dma_buf *prev);

#endif /* __DMA_BUF_H__ */
