/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the runtime share. They stand in for the rest of the kernel. */
#ifndef EXPLORE_RUNTIME_H
#define EXPLORE_RUNTIME_H

#include <linux/dma-buf.h>
#include <linux/fs.h>
#include <linux/instruction_pointer.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/lockdep.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "engine.h"

/* Kept from one schedule to the next. */
#define EX_KEEP __attribute__((section("ex_keep")))

/* tasks.c */
void ex_tasks_init(void);
/* Faults if the thread must not sleep here. */
void ex_may_sleep(const char *what, unsigned long ip);
/* The rest of the thread is an interrupt. */
void ex_interrupt_begin(void);
void ex_interrupt_end(void);
/* The thread is in a system call that will return this. Without it, a call is not seen to end. */
void ex_call(long result);
/* What a thread does when a system call returns to user space. */
void ex_user_return(void);
void ex_task_work(struct callback_head *work);
/* A daemon does it. */
void ex_work(struct callback_head *work);
/* A fatal signal for a thread. */
void ex_kill(int thread);

/* locks.c: how many sections of RCU a thread has left, and whether it is in one. */
extern unsigned long ex_rcu_left[EX_THREADS];
extern int ex_rcu_depth[EX_THREADS];

/* files.c; the descriptors, and how many of them a thread has installed */
extern struct files_struct ex_files;
extern int ex_installed[EX_THREADS];
void ex_close(int fd);
struct file *ex_file(int fd);
/* Reads the link of an fd in /proc. */
void ex_read_link(int fd);
/* Opens the file with O_PATH; returns what ex_close_path() takes, or NULL if the fd is closed. */
struct dentry *ex_open_path(int fd);
void ex_close_path(struct dentry *dentry);
/* All fds are closed, and all files and dentries are freed. */
void ex_files_end(void);
/* Unloads the module if nobody uses it. */
bool ex_unload(struct module *module);

/* process.c: the scenario's process, its memory, and others, which exit. */
void ex_process_begin(void);
void ex_process_end(void);
/* Another process, which has the buffer of an fd as its fd 0, and mapped, and another file as its fd 1. */
struct task_struct *ex_process_new(int fd, int other_fd);
void ex_process_exit(struct task_struct *task);
/* Maps a buffer into the memory of the scenario's process; false if its driver fails. */
bool ex_mmap(int fd);
void ex_munmap(void);

/* debug.c: reads a file of debugfs. */
void ex_read_debugfs(const char *name);
/* Told what a seq_file prints. */
extern void (*ex_printed)(const char *format, va_list args);

#endif /* EXPLORE_RUNTIME_H */
