// SPDX-License-Identifier: GPL-2.0
/*
 * Files, descriptors, dentries, inodes and modules, as far as their lifetime
 * goes: fput() delays the end of a file until its thread returns to user space,
 * or leaves it to a daemon; a dentry ends with its last reference. Compiled with
 * the callbacks of the layer's objects, so each access here is one of theirs.
 */
#include <linux/anon_inodes.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs_context.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/task_work.h>

#include "runtime.h"

#define FDS 16
#define SIZE 64

struct files_struct ex_files = {
	.file_lock = __SPIN_LOCK_UNLOCKED(ex_files.file_lock),
	.fdtab.max_fds = FDS,
};
static struct file **const fds = ex_files.fd_array;
static bool reserved[FDS];
int ex_installed[EX_THREADS];

/* What a thread does when it returns to user space, and what is left to the daemon. */
static struct callback_head *ended[EX_THREADS];
static DEFINE_SPINLOCK(ended_lock);

/* Of dma-bufs, and of files without a filesystem of their own. */
static struct super_block pseudo_sb, anon_sb;
static struct vfsmount pseudo_mnt = { .mnt_sb = &pseudo_sb };
static struct pseudo_fs_context pseudo_context;
static atomic_t files_alive, dentries_alive, inodes_alive;

/* --- inodes and dentries --- */

struct inode *alloc_anon_inode(struct super_block *sb)
{
	struct inode *inode = kzalloc(sizeof(*inode), GFP_KERNEL);

	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode->i_sb = sb;
	inode->i_mapping = &inode->i_data;
	atomic_set(&inode->i_count, 1);
	atomic_inc(&inodes_alive);
	return inode;
}

void inode_set_bytes(struct inode *inode, loff_t bytes)
{
	inode->i_blocks = bytes >> 9;
}

void iput(struct inode *inode)
{
	if (inode && atomic_dec_and_test(&inode->i_count)) {
		atomic_dec(&inodes_alive);
		kfree(inode);
	}
}

static struct dentry *dentry_new(struct inode *inode)
{
	struct dentry *dentry = kzalloc(sizeof(*dentry), GFP_KERNEL);

	if (!dentry)
		return NULL;
	lockref_init(&dentry->d_lockref);
	dentry->d_op = pseudo_context.dops;
	dentry->d_inode = inode;
	atomic_inc(&dentries_alive);
	return dentry;
}

void dput(struct dentry *dentry)
{
	struct inode *inode;

	if (!dentry)
		return;
	might_sleep();
	spin_lock(&dentry->d_lockref.lock);
	if (dentry->d_lockref.count < 1)
		ex_fault("dput() of a dentry without a reference");
	if (--dentry->d_lockref.count) {
		spin_unlock(&dentry->d_lockref.lock);
		return;
	}
	lockref_mark_dead(&dentry->d_lockref);
	inode = dentry->d_inode;
	dentry->d_inode = NULL;
	spin_unlock(&dentry->d_lockref.lock);
	iput(inode);
	if (dentry->d_op && dentry->d_op->d_release)
		dentry->d_op->d_release(dentry);
	atomic_dec(&dentries_alive);
	/* It was never hashed, so nobody can have found it by RCU. */
	kfree(dentry);
}

static void dentry_get(struct dentry *dentry)
{
	spin_lock(&dentry->d_lockref.lock);
	if (dentry->d_lockref.count < 1)
		ex_fault("dget() of a dentry without a reference");
	dentry->d_lockref.count++;
	spin_unlock(&dentry->d_lockref.lock);
}

/* --- files --- */

struct file *alloc_file_pseudo(struct inode *inode, struct vfsmount *mnt, const char *name,
			       int flags, const struct file_operations *fops)
{
	struct dentry *dentry = dentry_new(inode);
	struct file *file;

	if (!dentry)
		return ERR_PTR(-ENOMEM);
	file = kzalloc(sizeof(*file), GFP_KERNEL);
	if (!file) {
		/* The caller keeps its inode. */
		ihold(inode);
		dput(dentry);
		return ERR_PTR(-ENOMEM);
	}
	file_ref_init(&file->f_ref, 1);
	file->f_op = fops_get(fops);
	file->f_inode = inode;
	file->f_mapping = inode->i_mapping;
	file->f_flags = flags;
	file->f_mode = OPEN_FMODE(flags);
	*(struct path *)&file->f_path = (struct path){ .mnt = mnt, .dentry = dentry };
	atomic_inc(&files_alive);
	return file;
}

void ihold(struct inode *inode)
{
	atomic_inc(&inode->i_count);
}

static void file_free(struct rcu_head *head)
{
	atomic_dec(&files_alive);
	kfree(container_of((struct callback_head *)head, struct file, f_task_work));
}

static void file_end(struct callback_head *work)
{
	struct file *file = container_of(work, struct file, f_task_work);
	struct dentry *dentry = file->f_path.dentry;

	might_sleep();
	ex_note("the file ends");
	if (file->f_op->release)
		file->f_op->release(file->f_inode, file);
	fops_put(file->f_op);
	dput(dentry);
	/* A lookup may still read the count. */
	call_rcu((struct rcu_head *)work, file_free);
}

bool __file_ref_put(file_ref_t *ref, unsigned long cnt)
{
	if (cnt == FILE_REF_NOREF)
		return atomic_long_try_cmpxchg_release(&ref->refcnt, &cnt, FILE_REF_DEAD);
	ex_fault("fput() of a file without a reference");
}

void fput(struct file *file)
{
	const int id = in_interrupt() || current->flags & PF_KTHREAD ? EX_FPUT : ex_self();

	if (!file_ref_put(&file->f_ref))
		return;
	init_task_work(&file->f_task_work, file_end);
	if (id == EX_FPUT)
		ex_work(&file->f_task_work);
	else
		ex_task_work(&file->f_task_work);
}

void __fput_sync(struct file *file)
{
	if (file_ref_put(&file->f_ref))
		file_end(&file->f_task_work);
}

void ex_work(struct callback_head *work)
{
	unsigned long flags;

	spin_lock_irqsave(&ended_lock, flags);
	work->next = ended[EX_FPUT];
	ended[EX_FPUT] = work;
	spin_unlock_irqrestore(&ended_lock, flags);
}

void ex_task_work(struct callback_head *work)
{
	work->next = ended[ex_self()];
	ended[ex_self()] = work;
}

void ex_user_return(void)
{
	struct callback_head *work;

	while ((work = ended[ex_self()])) {
		ended[ex_self()] = work->next;
		work->func(work);
	}
}

static int file_has_ended(void *unused)
{
	return ended[EX_FPUT] != NULL;
}

static void end_files(void *unused)
{
	struct callback_head *work;

	for (;;) {
		ex_wait(file_has_ended, NULL, "files that end", _RET_IP_);
		spin_lock_irq(&ended_lock);
		work = ended[EX_FPUT];
		if (work)
			ended[EX_FPUT] = work->next;
		spin_unlock_irq(&ended_lock);
		if (work)
			work->func(work);
	}
}

void ex_fput_start(void);
void ex_fput_start(void)
{
	ex_thread(EX_FPUT, "fput", end_files, NULL, 1);
}

void vma_set_file(struct vm_area_struct *vma, struct file *file)
{
	get_file(file);
	fput(vma->vm_file);
	vma->vm_file = file;
}

/* --- descriptors --- */

int get_unused_fd_flags(unsigned int flags)
{
	int fd;

	might_sleep();
	spin_lock(&ex_files.file_lock);
	for (fd = 0; fd < FDS && reserved[fd]; fd++)
		;
	if (fd < FDS)
		reserved[fd] = true;
	spin_unlock(&ex_files.file_lock);
	return fd < FDS ? fd : -EMFILE;
}

void put_unused_fd(unsigned int fd)
{
	spin_lock(&ex_files.file_lock);
	reserved[fd] = false;
	spin_unlock(&ex_files.file_lock);
}

void fd_install(unsigned int fd, struct file *file)
{
	spin_lock(&ex_files.file_lock);
	if (!reserved[fd] || fds[fd])
		ex_fault("fd_install() of a descriptor that is not reserved");
	ex_note("fd %d is installed", fd);
	ex_installed[ex_self()]++;
	rcu_assign_pointer(fds[fd], file);
	spin_unlock(&ex_files.file_lock);
}

struct file *fget(unsigned int fd)
{
	struct file *file;

	guard(rcu)();
	for (;;) {
		file = fd < FDS ? rcu_dereference_raw(fds[fd]) : NULL;
		if (!file || !file_ref_get(&file->f_ref))
			return NULL;
		if (file == READ_ONCE(fds[fd]))
			return file;
		fput(file);
	}
}

/* The caller keeps the place of the pointer alive, but not the file. */
struct file *get_file_active(struct file **f)
{
	struct file *file;

	guard(rcu)();
	file = READ_ONCE(*f);
	if (!file || !file_ref_get(&file->f_ref))
		return NULL;
	if (file == READ_ONCE(*f))
		return file;
	fput(file);
	return NULL;
}

struct fd fdget(unsigned int fd)
{
	struct file *file = fget(fd);

	return file ? CLONED_FD(file) : EMPTY_FD;
}

struct file *ex_file(int fd)
{
	return fds[fd];
}

void ex_close(int fd)
{
	struct file *file;

	ex_note("close(%d)", fd);
	spin_lock(&ex_files.file_lock);
	file = fds[fd];
	if (file) {
		rcu_assign_pointer(fds[fd], NULL);
		reserved[fd] = false;
	}
	spin_unlock(&ex_files.file_lock);
	if (file)
		fput(file);
	ex_user_return();
}

static struct dentry *path_of(int fd)
{
	struct file *file = fget(fd);
	struct dentry *dentry;

	if (!file)
		return NULL;
	dentry = file->f_path.dentry;
	dentry_get(dentry);
	fput(file);
	return dentry;
}

struct dentry *ex_open_path(int fd)
{
	struct dentry *dentry = path_of(fd);

	ex_user_return();
	return dentry;
}

void ex_close_path(struct dentry *dentry)
{
	dput(dentry);
	ex_user_return();
}

void ex_read_link(int fd)
{
	struct dentry *dentry = path_of(fd);
	char text[SIZE];

	if (dentry) {
		dentry->d_op->d_dname(dentry, text, sizeof(text));
		dput(dentry);
	}
	ex_user_return();
}

void ex_files_end(void)
{
	int fd;

	for (fd = 0; fd < FDS; fd++) {
		if (fds[fd])
			ex_close(fd);
		if (reserved[fd])
			ex_fault("leak: descriptor %d is still reserved", fd);
	}
}

void ex_files_check(void);
void ex_files_check(void)
{
	if (atomic_read(&files_alive) || atomic_read(&dentries_alive) || atomic_read(&inodes_alive))
		ex_fault("leak: %d files, %d dentries and %d inodes are left",
			 atomic_read(&files_alive), atomic_read(&dentries_alive),
			 atomic_read(&inodes_alive));
}

/* --- the pseudo filesystem --- */

struct pseudo_fs_context *init_pseudo(struct fs_context *fc, unsigned long magic)
{
	pseudo_sb.s_magic = magic;
	return &pseudo_context;
}

struct vfsmount *kern_mount(struct file_system_type *type)
{
	struct fs_context fc = { };
	int ret = type->init_fs_context(&fc);

	return ret ? ERR_PTR(ret) : &pseudo_mnt;
}

void kill_anon_super(struct super_block *sb)
{
}

struct file *anon_inode_getfile(const char *name, const struct file_operations *fops, void *priv,
				int flags)
{
	struct inode *inode = alloc_anon_inode(&anon_sb);
	struct file *file;

	if (IS_ERR(inode))
		return ERR_CAST(inode);
	file = alloc_file_pseudo(inode, &pseudo_mnt, name, flags, fops);
	if (IS_ERR(file)) {
		iput(inode);
		return file;
	}
	/* No filesystem of its own, so nobody is told when its dentry ends. */
	file->f_path.dentry->d_op = NULL;
	file->private_data = priv;
	return file;
}

/* --- modules --- */

bool try_module_get(struct module *module)
{
	return !module || (module_is_live(module) && atomic_inc_not_zero(&module->refcnt));
}

void module_put(struct module *module)
{
	if (module && atomic_dec_if_positive(&module->refcnt) < 0)
		ex_fault("module_put() of a module without a reference");
}

bool ex_unload(struct module *module)
{
	int one = 1;

	/* The last reference is that of being loaded. */
	if (!atomic_try_cmpxchg(&module->refcnt, &one, 0))
		return false;
	module->state = MODULE_STATE_GOING;
	ex_note("the exporter's module is unloaded");
	return true;
}
