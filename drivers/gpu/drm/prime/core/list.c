// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finding buffers: all of them, for debugfs' dma_buf/bufinfo and for the BPF
 * iterator, and the one that was recorded for an exporter's object.
 *
 * A buffer is on the list from export until its memory is freed, so all memory
 * is accounted for. A reader takes a reference to a buffer's dentry, which
 * keeps the buffer alive, and holds the list's lock only to step to the next
 * buffer and to read the state of one file. It takes no reservation object. So
 * an export, import or map does not wait for a reader to finish, and a reader
 * does not wait for the holder of a reservation object. If the reader's
 * reference is the last one, the exporter's release runs in the reader.
 */
#include <linux/hashtable.h>

#include "internal.h"

/*
 * Protects the list, the hash, and the change of &dma_buf.file. The lock of a
 * dentry nests in it.
 */
static DEFINE_SPINLOCK(dma_buf_list_lock);
static LIST_HEAD(dma_buf_list);			/* &dma_buf_object.node */
static DEFINE_HASHTABLE(dma_buf_records, 10);	/* &dma_buf_object.record */

/*
 * &dma_buf.file points here when the buffer's own file has ended. This file has
 * no references, and nobody can get one.
 */
static struct file dma_buf_no_file = DMA_BUF_FILE_ENDED;

/* Others use it, so it is in the last file of Kbuild.include: a file uses only those after it. */
#ifdef CONFIG_DRM_PRIME_ACCOUNT
const struct dma_buf_account_ops *dma_buf_account_ops __ro_after_init;
EXPORT_SYMBOL_NS_GPL(dma_buf_account_ops, "DMA_BUF");
#endif

void dma_buf_list_add(struct dma_buf_object *obj)
{
	guard(spinlock)(&dma_buf_list_lock);
	list_add(&obj->node, &dma_buf_list);
}

/* Called from the file's release; the file is valid until this returns. */
void dma_buf_list_end_file(struct dma_buf_object *obj)
{
	guard(spinlock)(&dma_buf_list_lock);
	/* Drivers read the pointer without the lock. */
	WRITE_ONCE(obj->base.file, &dma_buf_no_file);
	hash_del(&obj->record);
}

void dma_buf_list_del(struct dma_buf_object *obj)
{
	guard(spinlock)(&dma_buf_list_lock);
	list_del(&obj->node);
}

/**
 * dma_buf_record_add - record the buffer of an exporter's object
 * @dmabuf: buffer that the caller has a reference to
 * @key: the object, which the buffer holds until &dma_buf_ops.release
 * @exporter: name of the object's driver, shown to people. It lives as long as
 *	@key. The buffer's operations don't tell the driver, since many drivers
 *	may share them
 *
 * For exporters whose object can drop its pointer to the buffer while user
 * space still has a file descriptor of it. The record is removed when the
 * buffer's file ends. A second record of the same buffer changes nothing.
 *
 * Context: any but interrupts. The caller holds a lock that excludes other
 * threads which record a buffer for the same @key.
 */
void dma_buf_record_add(struct dma_buf *dmabuf, const void *key, const char *exporter)
{
	struct dma_buf_object *obj = to_dma_buf_object(dmabuf);

	guard(spinlock)(&dma_buf_list_lock);
	if (hlist_unhashed(&obj->record)) {
		WRITE_ONCE(obj->key, key);
		WRITE_ONCE(obj->exporter, exporter);
		hash_add(dma_buf_records, &obj->record, (unsigned long)key);
	}
}
EXPORT_SYMBOL_NS_GPL(dma_buf_record_add, "DMA_BUF");

/**
 * dma_buf_record_find - the buffer that was recorded for an object
 * @key: the object
 *
 * Context: any but interrupts.
 *
 * Return: the buffer with a reference for dma_buf_put(); NULL when none was
 * recorded or its last reference is gone.
 */
struct dma_buf *dma_buf_record_find(const void *key)
{
	struct dma_buf_object *obj;

	guard(spinlock)(&dma_buf_list_lock);
	hash_for_each_possible(dma_buf_records, obj, record, (unsigned long)key)
		if (obj->key == key && dma_buf_file_get_live(obj->base.file))
			return &obj->base;

	return NULL;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_record_find, "DMA_BUF");

/*
 * Returns the buffer after @prev, or the first one if @prev is NULL, with a
 * reference: to its file if @file is set, otherwise to its dentry. Skips buffers
 * that are about to be freed and, if @file is set, those whose file has ended.
 * New buffers are added at the front, so a walk ends even if exports go on.
 */
struct dma_buf_object *dma_buf_list_next(struct dma_buf_object *prev, bool file)
{
	struct dma_buf_object *obj;

	guard(spinlock)(&dma_buf_list_lock);
	obj = list_prepare_entry(prev, &dma_buf_list, node);
	/*
	 * The count of dma_buf_no_file does not tell that the file has ended: a driver
	 * that drops a reference twice changes it.
	 */
	list_for_each_entry_continue(obj, &dma_buf_list, node)
		if (file ? obj->base.file != &dma_buf_no_file &&
		    dma_buf_file_get_live(obj->base.file) :
		    lockref_get_not_zero(&obj->dentry->d_lockref))
			return obj;

	return NULL;
}

/* A buffer whose file has ended has a count of 0. */
static void dma_buf_describe_file(struct seq_file *s, struct dma_buf_object *obj)
{
	struct dma_buf *dmabuf = &obj->base;
	unsigned int flags;
	fmode_t mode;
	long count;

	/* The file can't end while the list is locked. */
	scoped_guard(spinlock, &dma_buf_list_lock) {
		flags = dmabuf->file->f_flags;
		mode = dmabuf->file->f_mode;
		count = file_count(dmabuf->file);
	}

	guard(spinlock)(&dmabuf->name_lock);
	seq_printf(s, "%08zu\t%08x\t%08x\t%08ld\t%s\t%08llu\t%s\t%s\n", dmabuf->size,
		   flags, mode, count, dmabuf->exp_name, obj->ino,
		   dmabuf->name ?: "<none>", dma_buf_exporter_name(obj));
}

/*
 * The iterator skips fences that have signalled, but counts them. This tells a
 * buffer whose fences have all signalled from one that never had a fence.
 */
static void dma_buf_describe_fences(struct seq_file *s, struct dma_resv *resv)
{
	static const char * const usages[] = { "kernel", "write", "read", "bookkeep" };
	const size_t start = s->count;
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_iter_begin(&cursor, resv, DMA_RESV_USAGE_BOOKKEEP);
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		/* The fences have changed: drop what was printed. */
		if (dma_resv_iter_is_restarted(&cursor))
			s->count = start;
		seq_printf(s, "\t%s fence:", usages[dma_resv_iter_usage(&cursor)]);
		dma_fence_describe(fence, s);
	}
	if (dma_resv_iter_is_restarted(&cursor))
		s->count = start;
	if (cursor.num_fences && s->count == start)
		seq_puts(s, "\tfences signalled\n");
	dma_resv_iter_end(&cursor);
}

/* An attachment that is on the list has a valid device. */
static void dma_buf_describe_attachments(struct seq_file *s, struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;

	seq_puts(s, "\tAttached Devices:\n");
	guard(spinlock)(&dmabuf->name_lock);
	list_for_each_entry(attach, &dmabuf->attachments, node)
		seq_printf(s, "\t%s\n", dev_name(attach->dev));
	seq_printf(s, "Total %zu devices attached\n\n", list_count_nodes(&dmabuf->attachments));
}

static int dma_buf_bufinfo_show(struct seq_file *s, void *unused)
{
	struct dma_buf_object *obj, *next;
	unsigned int count = 0;
	size_t bytes = 0;

	seq_puts(s, "\nDma-buf Objects:\n");
	seq_printf(s, "%-8s\t%-8s\t%-8s\t%-8s\texp_name\t%-8s\tname\texporter\n",
		   "size", "flags", "mode", "count", "ino");

	for (obj = dma_buf_list_next(NULL, false); obj; obj = next) {
		dma_buf_describe_file(s, obj);
		dma_buf_describe_fences(s, obj->base.resv);
		dma_buf_describe_attachments(s, &obj->base);
		bytes += obj->base.size;
		count++;
		/* seq_file calls again with a larger buffer. */
		next = seq_has_overflowed(s) ? NULL : dma_buf_list_next(obj, false);
		/* This may be the last reference, which frees the buffer. */
		dput(obj->dentry);
		cond_resched();
	}

	seq_printf(s, "\nTotal %u objects, %zu bytes\n", count, bytes);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(dma_buf_bufinfo);

void __init dma_buf_list_init(void)
{
	debugfs_create_file("bufinfo", 0444, debugfs_create_dir("dma_buf", NULL),
			    NULL, &dma_buf_bufinfo_fops);
}
