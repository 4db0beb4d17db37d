/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dma-buf core's private surface: the container around the public struct,
 * and what the core's files call in one another. Reading order and call order
 * are those of Kbuild.include; every lock is explained in "DOC: locking" of
 * dma_buf_object.c.
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

/**
 * struct dma_buf_watch - wakes the pollers of one direction
 * @cb: sits on @fence while armed
 * @fence: fence waited for, with a reference, or NULL; written by whoever
 *	set @busy until the callback is on the fence, by the callback after
 * @poll: the buffer's wait queue; its lock protects @busy and, once @cb is on
 *	@fence, @fence
 * @busy: being armed, or armed
 */
struct dma_buf_watch {
	struct dma_fence_cb cb;
	struct dma_fence *fence;
	wait_queue_head_t *poll;
	bool busy;
};

struct dma_buf_negotiation;

/**
 * struct dma_buf_object - the container around every &struct dma_buf
 * @base: what exporters and importers see
 * @readable: waits for writers (EPOLLIN)
 * @writable: waits for everybody (EPOLLOUT)
 * @negotiation: state of buffers whose storage is negotiated or that refused a
 *	device, else NULL; set once, with cmpxchg()
 * @owns_resv: @own_resv is there and in use; never changes
 * @own_resv: reservation object of an exporter that brought none; not even
 *	allocated when it did
 */
struct dma_buf_object {
	struct dma_buf base;
	struct dma_buf_watch readable;
	struct dma_buf_watch writable;
	struct dma_buf_negotiation *negotiation;
	bool owns_resv;
	struct dma_resv own_resv;
};

static inline struct dma_buf_object *to_dma_buf_object(struct dma_buf *dmabuf)
{
	return container_of(dmabuf, struct dma_buf_object, base);
}

/**
 * struct dma_buf_attachment_object - the container around every
 *	&struct dma_buf_attachment
 * @base: what exporters and importers see
 * @constraints: what the device needs; never changes
 */
struct dma_buf_attachment_object {
	struct dma_buf_attachment base;
	struct dma_buf_constraints constraints;
};

#define to_dma_buf_attachment_object(attach) \
	container_of_const(attach, struct dma_buf_attachment_object, base)

/* dma_buf_fops.c */
extern const struct file_operations dma_buf_fops;

/* Anybody can hand us any fd; the operations tell ours. */
static inline bool dma_buf_file_is_ours(const struct file *file)
{
	return file->f_op == &dma_buf_fops;
}

/*
 * dma_buf_map.c: pin as the attachment's kind asks, wait as it asks, or -EBUSY
 * instead of waiting
 */
struct sg_table *dma_buf_mapping_create_locked(struct dma_buf_attachment *attach,
					       enum dma_data_direction dir,
					       bool may_wait);
void dma_buf_mapping_destroy_locked(struct dma_buf_attachment *attach,
				    struct sg_table *sgt,
				    enum dma_data_direction dir);

/* dma_buf_cpu.c */
bool dma_buf_range_fits(const struct dma_buf *dmabuf,
			struct vm_area_struct *vma, unsigned long pgoff);

/* dma_buf_poll.c */
void dma_buf_poll_init(struct dma_buf_object *obj);
void dma_buf_poll_fini(struct dma_buf_object *obj);
__poll_t dma_buf_poll(struct file *file, poll_table *table);

/* dma_buf_sync_file.c */
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

/* dma_buf_negotiate.c */
bool dma_buf_negotiation_is_late(struct dma_buf *dmabuf);
int dma_buf_negotiation_admit_locked(struct dma_buf_attachment *attach);
void dma_buf_negotiation_free(struct dma_buf *dmabuf);
long dma_buf_negotiate_ioctl(struct dma_buf *dmabuf, unsigned int cmd,
			     void __user *uarg);

/* dma_buf_device.c: the majors whose files may load a module */
#define DMA_BUF_MAJOR_V4L2	81
#define DMA_BUF_MAJOR_DRM	226
#define DMA_BUF_MAJOR_ACCEL	261
struct device *dma_buf_device_get(int fd);

/* dma_buf_debugfs.c: the list of all buffers */
#if IS_ENABLED(CONFIG_DEBUG_FS)
extern struct mutex dma_buf_list_lock;

void dma_buf_list_add(struct dma_buf *dmabuf);
void dma_buf_list_del(struct dma_buf *dmabuf);
void dma_buf_debugfs_init(void);
#else
static inline void dma_buf_list_add(struct dma_buf *dmabuf) { }
static inline void dma_buf_list_del(struct dma_buf *dmabuf) { }
static inline void dma_buf_debugfs_init(void) { }
#endif

#endif /* DMA_BUF_INTERNAL_H */
