/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-buf: one buffer, many devices.
 *
 * The contract between exporters (who own the storage), importers (who map it
 * for their device) and the core in between. Names, layouts and values are
 * those of Linux 6.12; each function is documented where it is defined, in
 * drivers/gpu/drm/prime/, and which lock it wants is tabulated there in
 * "DOC: locking" of core/object.c.
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
#include <linux/wait.h>

#include "../uapi/linux/dma-buf.h"

struct device;
struct dma_buf;
struct dma_buf_attachment;

/**
 * struct dma_buf_ops - what an exporter does for its buffers
 *
 * An exporter is *dynamic* when it has @pin and @unpin: its storage may move
 * while nobody pins it, and importers that can follow are told by
 * &dma_buf_attach_ops.move_notify. All others are *static*.
 *
 * @map_dma_buf, @unmap_dma_buf and @release are mandatory.
 */
struct dma_buf_ops {
	/**
	 * @cache_sgt_mapping: the core keeps the first mapping of each
	 * attachment until detach and hands it out again. Static exporters
	 * only.
	 */
	bool cache_sgt_mapping;

	/**
	 * @attach: a device joins. The exporter looks at what the device can
	 * address (DMA mask, &device.dma_parms, peer-to-peer) and may keep its
	 * notes in &dma_buf_attachment.priv. Optional.
	 *
	 * Context: may sleep; no lock of the core held.
	 *
	 * Return: 0; -EBUSY when the storage is already placed where this
	 * device can't reach it; any other negative errno to refuse.
	 */
	int (*attach)(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);

	/**
	 * @detach: the device leaves; undoes @attach. Optional.
	 *
	 * Context: may sleep; no lock of the core held.
	 */
	void (*detach)(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);

	/**
	 * @pin: keep the storage where it is, preferably where every device
	 * can reach it, with all earlier moves and clears finished. Makes the
	 * exporter dynamic; comes with @unpin.
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
	 * it comes back by @unmap_dma_buf, so each call makes a new one.
	 *
	 * Context: may sleep; reservation object held.
	 *
	 * Return: the table, or ERR_PTR: -EINTR after a signal, -ENOMEM, or
	 * what else kept the exporter from mapping. NULL counts as -ENOMEM.
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
	 * @begin_cpu_access: make the memory coherent for the CPU, by user
	 * mappings and vmap alike. The core has waited for the fences before,
	 * and waits for DMA_RESV_USAGE_KERNEL fences that this adds. Optional.
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
	 * inside the buffer. An exporter that must be able to zap the mappings
	 * points vma->vm_file at a file whose address_space it owns. Optional.
	 *
	 * Context: mmap_lock of the caller held for writing.
	 *
	 * Return: 0 or a negative errno.
	 */
	int (*mmap)(struct dma_buf *dmabuf, struct vm_area_struct *vma);

	/**
	 * @vmap: map into kernel address space; called once however often the
	 * buffer is vmapped. Optional.
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
 * Made by dma_buf_export(); its references are those of its @file. The core's
 * own state lies around it in a private container, so this struct is embedded
 * and never allocated by anybody else.
 */
struct dma_buf {
	/** @size: in bytes; never changes. */
	size_t size;

	/**
	 * @file: carries the references. When the last one is gone it becomes
	 * a file that has no references, of which nobody can get one.
	 */
	struct file *file;

	/**
	 * @attachments: links &dma_buf_attachment.node; protected by @resv.
	 */
	struct list_head attachments;

	/** @ops: the exporter's callbacks; never changes. */
	const struct dma_buf_ops *ops;

	/** @vmapping_counter: users of @vmap_ptr; protected by @resv. */
	unsigned vmapping_counter;

	/**
	 * @vmap_ptr: the kernel mapping while @vmapping_counter is not 0;
	 * protected by @resv.
	 */
	struct iosys_map vmap_ptr;

	/** @exp_name: the exporter's name; never changes, never NULL. */
	const char *exp_name;

	/**
	 * @name: what user space called the buffer, or NULL; shorter than
	 * DMA_BUF_NAME_LEN; protected by @name_lock.
	 */
	const char *name;

	/**
	 * @name_lock: protects @name, and @attachments together with the
	 * reservation object: who holds either may read the list.
	 */
	spinlock_t name_lock;

	/** @owner: the exporter's module, pinned while the buffer lives. */
	struct module *owner;

#if IS_ENABLED(CONFIG_DEBUG_FS)
	/** @list_node: in use on stock only; its place is frozen. */
	struct list_head list_node;
#endif

	/** @priv: the exporter's; the core doesn't touch it. */
	void *priv;

	/**
	 * @resv: the reservation object; never changes.
	 *
	 * Who takes part in implicit synchronisation adds a
	 * DMA_RESV_USAGE_WRITE fence for what writes the buffer and a
	 * DMA_RESV_USAGE_READ fence for what reads it, and waits for the
	 * fences that dma_resv_usage_rw() names for its own access. Drivers
	 * that finish their DMA before user space sees the buffer, as V4L2
	 * does, add none.
	 *
	 * A dynamic importer also waits for DMA_RESV_USAGE_KERNEL fences
	 * before its device touches the storage, and leaves a fence for any
	 * access that it can't stop inside &dma_buf_attach_ops.move_notify.
	 */
	struct dma_resv *resv;

	/** @poll: pollers of @file. */
	wait_queue_head_t poll;

	/* private: see core/poll.c */
	struct dma_buf_poll_cb_t {
		struct dma_fence_cb cb;
		wait_queue_head_t *poll;

		__poll_t active;
	} cb_in, cb_out;
#ifdef CONFIG_DMABUF_SYSFS_STATS
	/* public: */
	/** @sysfs_entry: the buffer's directory under /sys/kernel/dmabuf. */
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
	 * @allow_peer2peer: the importer copes with scatter lists of device
	 * memory that has no struct page.
	 */
	bool allow_peer2peer;

	/**
	 * @move_notify: the storage is about to move. Mappings made before
	 * stay valid until the fences that the importer left are signalled,
	 * but point to the old place: unmap them soon and map again. Mandatory
	 * for a dynamic importer.
	 *
	 * Context: may sleep; reservation object held.
	 */
	void (*move_notify)(struct dma_buf_attachment *attach);
};

/**
 * struct dma_buf_attachment - a device's membership in a buffer
 * @dmabuf: the buffer; never changes
 * @dev: the device; never changes
 * @node: in &dma_buf.attachments; protected by the reservation object
 * @sgt: the mapping that the core keeps until detach, or NULL; protected by
 *	the reservation object
 * @dir: direction of @sgt; protected by the reservation object
 * @peer2peer: the importer takes memory without struct page; an exporter may
 *	clear it in &dma_buf_ops.attach
 * @importer_ops: set for a dynamic importer; never changes
 * @importer_priv: the importer's
 * @priv: the exporter's
 *
 * Made by dma_buf_attach() or dma_buf_dynamic_attach().
 */
struct dma_buf_attachment {
	struct dma_buf *dmabuf;
	struct device *dev;
	struct list_head node;
	struct sg_table *sgt;
	enum dma_data_direction dir;
	bool peer2peer;
	const struct dma_buf_attach_ops *importer_ops;
	void *importer_priv;
	void *priv;
};

/**
 * struct dma_buf_export_info - argument of dma_buf_export()
 * @exp_name: exporter's name, for people
 * @owner: module whose code @ops points into
 * @ops: callbacks
 * @size: in bytes
 * @flags: file mode (O_RDONLY, O_RDWR, …) and O_CLOEXEC
 * @resv: reservation object of the storage; NULL for one made by the core
 * @priv: becomes &dma_buf.priv; mandatory
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
 * @name: of the variable
 *
 * Exporter name and owner are those of the calling module, all else is zero.
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
 * Undone by dma_buf_put().
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
 * Return: true if the exporter pins.
 */
static inline bool dma_buf_is_dynamic(struct dma_buf *dmabuf)
{
	return dmabuf->ops->pin;
}

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

struct dma_buf *dma_buf_export(const struct dma_buf_export_info *exp_info);
int dma_buf_fd(struct dma_buf *dmabuf, int flags);
struct dma_buf *dma_buf_get(int fd);
void dma_buf_put(struct dma_buf *dmabuf);

struct dma_buf_attachment *dma_buf_attach(struct dma_buf *dmabuf,
					  struct device *dev);
struct dma_buf_attachment *
dma_buf_dynamic_attach(struct dma_buf *dmabuf, struct device *dev,
		       const struct dma_buf_attach_ops *importer_ops,
		       void *importer_priv);
void dma_buf_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);
void dma_buf_move_notify(struct dma_buf *dmabuf);

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

#endif /* __DMA_BUF_H__ */
