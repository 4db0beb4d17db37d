/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dma-buf core's private interface: the container around struct dma_buf,
 * and the functions that the core's files share. "DOC: locking" of
 * core/object.c explains every lock.
 */
#ifndef DMA_BUF_INTERNAL_H
#define DMA_BUF_INTERNAL_H

/*
 * The complete types that a file sees decide the CRC of each export. So all
 * files of the core include this list, whatever each of them needs.
 */
#include <linux/anon_inodes.h>
#include <linux/debugfs.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-constraints.h>
#include <linux/dma-fence.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/poll.h>
#include <linux/pseudo_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sync_file.h>

#include "../account/refusal.h"
#include "../kernel.h"
#if defined(CONFIG_TRACEPOINTS) && DMA_BUF_CRCS_WITH_TRACING
#include <linux/trace_events.h>
#endif
#include "record.h"

struct dma_buf_negotiation;

/**
 * struct dma_buf_object - the container around every &struct dma_buf
 * @base: what exporters and importers see. When the buffer's own file ends,
 *	&dma_buf.file is set to a file that nobody can get a reference to
 * @dentry: dentry of the file; never changes. It may outlive the file. No
 *	reference is needed, since the buffer is freed with the dentry
 * @ino: inode number of the file; never changes. The dentry loses its inode
 *	before the buffer is freed
 * @exporter: name of the driver whose object @key is, or NULL. The exporter's
 *	module holds the string. Set with @key
 * @node: in the list of all buffers
 * @record: in the hash of buffers that were recorded for an exporter's object,
 *	or unhashed
 * @key: that object, once @record is hashed. The exporter holds it until
 *	&dma_buf_ops.release
 * @fence_in: a writer's fence with the callback &dma_buf.cb_in, with a
 *	reference; NULL if there is none; protected by the lock of &dma_buf.poll.
 *	A poll reads without the lock whether there is one
 * @fence_out: a writer's or reader's fence, in the same way for &dma_buf.cb_out
 * @negotiation: what negotiate/ keeps for a buffer whose storage is placed when it
 *	is first used, or NULL; set before anybody else has the buffer, and
 *	freed by &dma_buf_negotiate_ops.free
 * @own_resv: reservation object of a buffer whose exporter provides none. The
 *	containers of other buffers end after its first byte
 *
 * The lock of core/list.c protects @node, @record, @key and the change of
 * &dma_buf.file.
 */
struct dma_buf_object {
	struct dma_buf base;
	struct dentry *dentry;
	u64 ino;
	const char *exporter;
	struct list_head node;
	struct hlist_node record;
	const void *key;
	struct dma_fence *fence_in;
	struct dma_fence *fence_out;
	struct dma_buf_negotiation *negotiation;
	struct dma_resv own_resv;
};

static inline struct dma_buf_object *to_dma_buf_object(struct dma_buf *dmabuf)
{
	return container_of(dmabuf, struct dma_buf_object, base);
}

/* For people: the recorded driver, else the module, else a built-in exporter's own name. */
static inline const char *dma_buf_exporter_name(struct dma_buf_object *obj)
{
	struct module *owner = obj->base.owner;

	return READ_ONCE(obj->exporter) ?: owner ? module_name(owner) : obj->base.exp_name;
}

/**
 * struct dma_buf_negotiate_ops - what the core calls in negotiate/
 * @admit: may this device attach to a buffer with late storage? Called with
 *	the reservation object held
 * @ioctl: an ioctl of a dma-buf file that the core does not know
 * @close: the file of a buffer with a negotiation is closed
 * @free: the buffer is about to be freed; frees &dma_buf_object.negotiation
 *
 * @admit and @ioctl return 0 or a negative errno.
 */
struct dma_buf_negotiate_ops {
	int (*admit)(struct dma_buf_attachment *attach);
	long (*ioctl)(struct file *file, unsigned int cmd, void __user *uarg);
	void (*close)(struct dma_buf *dmabuf);
	void (*free)(struct dma_buf *dmabuf);
};

/* core/fs.c */
char *dma_buf_dentry_name(struct dentry *dentry, char *buf, int len);
struct file *dma_buf_file_create(size_t size, int flags);
int dma_buf_fs_init(const struct dentry_operations *dops);

/* core/object.c */
void dma_buf_object_init(struct dma_buf_object *obj);

/* core/file.c */
extern const struct file_operations dma_buf_fops;
/* Set at boot by negotiate/, before any buffer exists; NULL without it. */
extern const struct dma_buf_negotiate_ops *dma_buf_negotiate_ops;

/* core/cpu.c */
bool dma_buf_range_fits(const struct dma_buf *dmabuf,
			struct vm_area_struct *vma, unsigned long pgoff);

/* core/poll.c */
void dma_buf_poll_init(struct dma_buf_object *obj);
void dma_buf_poll_fini(struct dma_buf_object *obj);
__poll_t dma_buf_poll(struct file *file, poll_table *table);

/* core/sync_file.c, which is built with CONFIG_SYNC_FILE only */
long dma_buf_sync_file_ioctl(struct dma_buf *dmabuf, unsigned int cmd,
			     struct dma_buf_export_sync_file __user *uarg);

/* core/table.c, which is built with CONFIG_DMABUF_DEBUG only */
struct sg_table *dma_buf_table_lend(struct sg_table *sgt);
struct sg_table *dma_buf_table_take(struct sg_table *copy);

/* core/list.c */
void dma_buf_list_add(struct dma_buf_object *obj);
void dma_buf_list_end_file(struct dma_buf_object *obj);
void dma_buf_list_del(struct dma_buf_object *obj);
struct dma_buf_object *dma_buf_list_next(struct dma_buf_object *prev, bool file);
void dma_buf_list_init(void);

/*
 * Included last, since an event reads the container. genksyms does not see this
 * header, which would change all CRCs on 6.12.
 */
#ifndef __GENKSYMS__
#include <drm-prime-layer/trace/events/dma_buf.h>
#endif

#define dma_buf_trace(event, attach)					\
	do {								\
		struct dma_buf_attachment *a_ = attach;			\
									\
		trace_dma_buf_##event(a_->dmabuf, a_,			\
				      dma_buf_attachment_is_dynamic(a_), \
				      a_->dev);				\
	} while (0)

#endif /* DMA_BUF_INTERNAL_H */
