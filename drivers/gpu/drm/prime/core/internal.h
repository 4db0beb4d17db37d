/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dma-buf core's private surface: the container around the public struct,
 * and what the core's files call in one another. Reading order and call order
 * are those of Kbuild.include; every lock is explained in "DOC: locking" of
 * core/object.c.
 */
#ifndef DMA_BUF_INTERNAL_H
#define DMA_BUF_INTERNAL_H

/*
 * Which types are complete here decides the CRC of every export, so the list
 * is one for all files of the core and doesn't follow what each of them needs.
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

struct dma_buf_negotiation;

/**
 * struct dma_buf_object - the container around every &struct dma_buf
 * @base: what exporters and importers see
 * @inode: of the file, with a reference, so that it can serve again
 * @fence_in: what &dma_buf.cb_in waits for (EPOLLIN, so the writers), with a
 *	reference, or NULL; protected by the lock of &dma_buf.poll
 * @fence_out: the same for &dma_buf.cb_out (EPOLLOUT, so everybody)
 * @kept: links &dma_buf_attachment.node of attachments without an importer;
 *	protected by dma_buf_kept_lock
 * @negotiation: state of buffers whose storage is negotiated or that refused a
 *	device, else NULL; set once, with cmpxchg()
 * @kept_ending: how many threads end one of them; protected by
 *	dma_buf_kept_lock
 * @has_kept: some were kept at some time; protected by the reservation object
 * @stats_node: links a buffer that waits for its directory in sysfs
 * @stats_dir: its directory, or NULL
 * @cpu: whose lists the buffer is on; never changes
 * @stats_pending: @stats_node is in use, not @stats_dir; all three are
 *	protected by the locks of core/stats.c
 * @late: the storage is placed late; set once, by negotiate/
 * @owns_resv: @own_resv is there and in use; never changes
 * @own_resv: reservation object of an exporter that brought none; not even
 *	allocated when it did
 */
struct dma_buf_object {
	struct dma_buf base;
	struct inode *inode;
	struct dma_fence *fence_in;
	struct dma_fence *fence_out;
	struct list_head kept;
	struct dma_buf_negotiation *negotiation;
#if IS_ENABLED(CONFIG_DMABUF_SYSFS_STATS)
	union {
		struct list_head stats_node;
		struct kernfs_node *stats_dir;
	};
#endif
	unsigned int kept_ending;
	unsigned int cpu;
	bool has_kept;
	bool stats_pending;
	bool late;
	bool owns_resv;
	struct dma_resv own_resv;
};

static inline struct dma_buf_object *to_dma_buf_object(struct dma_buf *dmabuf)
{
	return container_of(dmabuf, struct dma_buf_object, base);
}

struct dma_buf_kept;

/**
 * struct dma_buf_attachment_object - the container around every attachment
 * @base: what exporters and importers see. While it is kept,
 *	&dma_buf_attachment.node and &dma_buf_attachment.sgt change under
 *	dma_buf_kept_lock
 * @kept: what keeping it takes, from the first time on, else NULL; set under
 *	the reservation object
 * @may_keep: see dma_buf_allow_keep(); set by the exporter's attach or map
 * @was_kept: its mapping is known to have no state; protected by the
 *	reservation object
 * @unwaited: its importer has not waited for the storage yet; protected by the
 *	reservation object
 */
struct dma_buf_attachment_object {
	struct dma_buf_attachment base;
	struct dma_buf_kept *kept;
	bool may_keep;
	bool was_kept;
	bool unwaited;
};

#define to_dma_buf_attachment_object(attach) \
	container_of_const(attach, struct dma_buf_attachment_object, base)

/* An attachment that nobody has any more, kept at some time or never. */
static inline void
dma_buf_attachment_free(struct dma_buf_attachment_object *obj)
{
	kfree(obj->kept);
	kfree(obj);
}

/**
 * struct dma_buf_negotiate_ops - what the core asks of negotiate/
 * @admit: may it join? Called with the reservation object held
 * @ioctl: an ioctl of a dma-buf file that the core does not know
 * @close: its file goes, so nobody can join any more; as @free, it is called
 *	when the buffer has a negotiation
 * @free: the buffer, which nobody can find any more, has a negotiation
 *
 * Each returns 0 or a negative errno.
 */
struct dma_buf_negotiate_ops {
	int (*admit)(struct dma_buf_attachment *attach);
	long (*ioctl)(struct file *file, unsigned int cmd, void __user *uarg);
	void (*close)(struct dma_buf *dmabuf);
	void (*free)(struct dma_buf *dmabuf);
};

/* Set at boot by negotiate/, before any buffer exists; NULL without it. */
extern const struct dma_buf_negotiate_ops *dma_buf_negotiate_ops;

/* core/file.c */
extern const struct file_operations dma_buf_fops;

/* Anybody can hand us any fd; the operations tell ours. */
static inline bool dma_buf_file_is_ours(const struct file *file)
{
	return file->f_op == &dma_buf_fops;
}

/*
 * core/map.c: pin as the attachment's kind asks, wait as it asks, or -EBUSY
 * instead of waiting
 */
struct sg_table *dma_buf_mapping_create_locked(struct dma_buf_attachment *attach,
					       enum dma_data_direction dir,
					       bool may_wait);
void dma_buf_mapping_destroy_locked(struct dma_buf_attachment *attach,
				    struct sg_table *sgt,
				    enum dma_data_direction dir);
int dma_buf_mapping_revive_locked(struct dma_buf_attachment *attach,
				  bool may_wait);

/* core/keep.c: attachments that outlive their importer */
extern spinlock_t dma_buf_kept_lock;

struct dma_buf_attachment *dma_buf_kept_take_locked(struct dma_buf *dmabuf,
						    struct device *dev);
bool dma_buf_kept_give_locked(struct dma_buf_attachment *attach);
void dma_buf_kept_move_locked(struct dma_buf *dmabuf);
void dma_buf_kept_release(struct dma_buf *dmabuf);
void dma_buf_keep_init(struct dentry *dir);

/* core/cpu.c */
bool dma_buf_range_fits(const struct dma_buf *dmabuf,
			struct vm_area_struct *vma, unsigned long pgoff);

/* core/poll.c */
void dma_buf_poll_init(struct dma_buf_object *obj);
void dma_buf_poll_fini(struct dma_buf_object *obj);
__poll_t dma_buf_poll(struct file *file, poll_table *table);

/* core/sync_file.c */
#if IS_ENABLED(CONFIG_SYNC_FILE)
long dma_buf_sync_file_export(struct dma_buf *dmabuf,
			      struct dma_buf_export_sync_file __user *uarg);
long dma_buf_sync_file_import(struct dma_buf *dmabuf,
			      const struct dma_buf_import_sync_file __user *uarg);
#else
static inline long
dma_buf_sync_file_export(struct dma_buf *dmabuf,
			 struct dma_buf_export_sync_file __user *uarg)
{
	return -ENOTTY;
}

static inline long
dma_buf_sync_file_import(struct dma_buf *dmabuf,
			 const struct dma_buf_import_sync_file __user *uarg)
{
	return -ENOTTY;
}
#endif

/* core/list.c: the lists of all buffers */
#if IS_ENABLED(CONFIG_DEBUG_FS)
/**
 * struct dma_buf_list - the buffers that one processor exported
 * @lock: protects @buffers; taken before any buffer's reservation object
 * @buffers: links &dma_buf.list_node
 */
struct dma_buf_list {
	struct mutex lock;	/* of @buffers */
	struct list_head buffers;
};

DECLARE_PER_CPU(struct dma_buf_list, dma_buf_lists);

void dma_buf_list_add(struct dma_buf_object *obj);
void dma_buf_list_del(struct dma_buf_object *obj);
struct dentry *dma_buf_debugfs_init(void);
#else
static inline void dma_buf_list_add(struct dma_buf_object *obj) { }
static inline void dma_buf_list_del(struct dma_buf_object *obj) { }
static inline struct dentry *dma_buf_debugfs_init(void) { return NULL; }
#endif

/* core/stats.c: a directory in sysfs for each buffer, made a bit later */
#if IS_ENABLED(CONFIG_DMABUF_SYSFS_STATS)
void dma_buf_stats_add(struct dma_buf_object *obj);
void dma_buf_stats_del(struct dma_buf_object *obj);
int dma_buf_stats_init(void);
void dma_buf_stats_fini(void);
#else
static inline void dma_buf_stats_add(struct dma_buf_object *obj) { }
static inline void dma_buf_stats_del(struct dma_buf_object *obj) { }
static inline int dma_buf_stats_init(void) { return 0; }
static inline void dma_buf_stats_fini(void) { }
#endif

#endif /* DMA_BUF_INTERNAL_H */
