// SPDX-License-Identifier: GPL-2.0
/*
 * Processes, for somebody who looks at all of them: pids, tables of descriptors,
 * and memory with its mappings. The threads of a scenario are one process, whose
 * descriptors are in files.c. Others have two files each, and exit. Compiled with
 * the callbacks of the layer's objects, as files.c.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/pid_namespace.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/task_work.h>

#include "runtime.h"

#define PROCESSES 2
#define FIRST_PID 100

struct memory {
	struct vm_area_struct *mapping;
	struct callback_head end;
	struct mm_struct mm;
};

struct pid_namespace init_pid_ns;
static struct pid *pids[PROCESSES];
static DEFINE_SPINLOCK(pids_lock);

/* --- memory --- */

static void unmap(struct vm_area_struct *vma)
{
	if (vma->vm_ops && vma->vm_ops->close)
		vma->vm_ops->close(vma);
	fput(vma->vm_file);
	kfree(vma);
}

static void memory_end(struct callback_head *work)
{
	struct memory *memory = container_of(work, struct memory, end);

	if (memory->mapping)
		unmap(memory->mapping);
	kfree(memory);
}

/* Also for dma_resv_lockdep(), which takes mmap_lock and a reservation object in their order. */
struct mm_struct *mm_alloc(void)
{
	struct memory *memory = ex_alloc(sizeof(*memory), 64, _RET_IP_);

	init_rwsem(&memory->mm.mmap_lock);
	atomic_set(&memory->mm.mm_users, 1);
	init_task_work(&memory->end, memory_end);
	return &memory->mm;
}

void mmput(struct mm_struct *mm)
{
	might_sleep();
	if (atomic_dec_and_test(&mm->mm_users))
		memory_end(&container_of(mm, struct memory, mm)->end);
}

void mmput_async(struct mm_struct *mm)
{
	if (atomic_dec_and_test(&mm->mm_users))
		ex_work(&container_of(mm, struct memory, mm)->end);
}

struct mm_struct *get_task_mm(struct task_struct *task)
{
	struct mm_struct *mm;

	task_lock(task);
	mm = task->mm;
	if (mm)
		mmget(mm);
	task_unlock(task);
	return mm;
}

struct vm_area_struct *find_vma(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma = container_of(mm, struct memory, mm)->mapping;

	lockdep_assert_held(&mm->mmap_lock);
	return vma && addr < vma->vm_end ? vma : NULL;
}

static struct mm_struct *scenario_mm;

bool ex_mmap(int fd)
{
	struct vm_area_struct *vma = kzalloc(sizeof(*vma), GFP_KERNEL);
	struct file *file = fget(fd);
	int ret = -ENOMEM;

	if (vma && file) {
		vma->vm_mm = scenario_mm;
		vma->vm_start = 0x10000;
		vma->vm_end = 0x10000 + PAGE_SIZE;
		vm_flags_init(vma, VM_SHARED);
		/* The mapping takes over the reference, and may put another file there. */
		vma->vm_file = file;
		mmap_write_lock(scenario_mm);
		ret = file->f_op->mmap(file, vma);
		file = vma->vm_file;
		if (!ret)
			container_of(scenario_mm, struct memory, mm)->mapping = vma;
		mmap_write_unlock(scenario_mm);
	}
	if (ret) {
		if (file)
			fput(file);
		kfree(vma);
	}
	ex_user_return();
	return !ret;
}

void ex_munmap(void)
{
	struct memory *memory = container_of(scenario_mm, struct memory, mm);
	struct vm_area_struct *vma;

	ex_note("munmap()");
	mmap_write_lock(scenario_mm);
	vma = memory->mapping;
	memory->mapping = NULL;
	if (vma)
		unmap(vma);
	mmap_write_unlock(scenario_mm);
	ex_user_return();
}

/* --- descriptors --- */

int iterate_fd(struct files_struct *files, unsigned int n,
	       int (*look)(const void *arg, struct file *file, unsigned int fd), const void *arg)
{
	int ret = 0;

	spin_lock(&files->file_lock);
	for (; n < files->fdtab.max_fds && !ret; n++)
		if (files->fd_array[n])
			ret = look(arg, files->fd_array[n], n);
	spin_unlock(&files->file_lock);
	return ret;
}

/* --- processes --- */

struct pid *find_ge_pid(int nr, struct pid_namespace *ns)
{
	int i;

	for (i = 0; i < PROCESSES; i++) {
		struct pid *pid = rcu_dereference_raw(pids[i]);

		if (pid && pid->numbers[0].nr >= nr)
			return pid;
	}
	return NULL;
}

struct task_struct *pid_task(struct pid *pid, enum pid_type type)
{
	struct hlist_node *first = rcu_dereference_raw(hlist_first_rcu(&pid->tasks[type]));

	return first ? hlist_entry(first, struct task_struct, pid_links[type]) : NULL;
}

static void process_add(struct task_struct *task, struct files_struct *files, int i)
{
	struct pid *pid = kzalloc(struct_size(pid, numbers, 1), GFP_KERNEL);

	spin_lock_init(&task->alloc_lock);
	refcount_set(&task->usage, 1);
	task->files = files;
	task->mm = mm_alloc();
	pid->numbers[0].nr = FIRST_PID + i;
	task->pid = FIRST_PID + i;
	task->tgid = FIRST_PID + i;
	hlist_add_head_rcu(&task->pid_links[PIDTYPE_PID], &pid->tasks[PIDTYPE_PID]);
	rcu_assign_pointer(pids[i], pid);
}

/* What a task has is given back before others stop finding it. */
static void process_remove(struct task_struct *task, int i)
{
	struct mm_struct *mm = task->mm;
	struct pid *pid = pids[i];

	task_lock(task);
	task->mm = NULL;
	task_unlock(task);
	mmput(mm);
	task_lock(task);
	task->files = NULL;
	task_unlock(task);

	spin_lock(&pids_lock);
	hlist_del_rcu(&task->pid_links[PIDTYPE_PID]);
	rcu_assign_pointer(pids[i], NULL);
	spin_unlock(&pids_lock);
	kfree_rcu(pid, rcu);
}

void ex_process_begin(void)
{
	process_add(current, &ex_files, 0);
	scenario_mm = current->mm;
}

void ex_process_end(void)
{
	process_remove(current, 0);
	ex_user_return();
}

struct task_struct *ex_process_new(int fd, int other_fd)
{
	struct files_struct *files = kzalloc(sizeof(*files), GFP_KERNEL);
	struct task_struct *task = kzalloc(sizeof(*task), GFP_KERNEL);

	spin_lock_init(&files->file_lock);
	files->fdtab.max_fds = 2;
	files->fd_array[0] = fget(fd);
	files->fd_array[1] = fget(other_fd);
	process_add(task, files, 1);
	scenario_mm = task->mm;
	ex_mmap(fd);
	scenario_mm = current->mm;
	return task;
}

void __put_task_struct_rcu_cb(struct rcu_head *head)
{
	kfree(container_of(head, struct task_struct, rcu));
}

static void task_put(struct rcu_head *head)
{
	put_task_struct(container_of(head, struct task_struct, rcu));
}

void ex_process_exit(struct task_struct *task)
{
	struct files_struct *files = task->files;

	ex_note("process %d exits", task->pid);
	process_remove(task, 1);
	fput(files->fd_array[0]);
	fput(files->fd_array[1]);
	kfree(files);
	call_rcu(&task->rcu, task_put);
	ex_user_return();
}
