// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel prints. A warning, a BUG and a panic are faults. What a
 * seq_file prints is lost, but its strings are read, as printing would.
 */
#include <linux/debugfs.h>
#include <linux/list.h>
#include <linux/seq_file.h>
#include <linux/timekeeping.h>

#include "runtime.h"

#define FILES 4

/* The files of debugfs. */
static struct {
	const char *name;
	const struct file_operations *fops;
} files[FILES];
void (*ex_printed)(const char *format, va_list args);
static volatile size_t printed;

unsigned long volatile jiffies;
int debug_locks_silent;
int oops_in_progress;

void warn_slowpath_fmt(const char *file, int line, unsigned int taint, const char *format, ...)
{
	char text[200] = "";
	va_list args;

	va_start(args, format);
	if (format)
		ex_format(text, sizeof(text), format, args);
	va_end(args);
	ex_fault("warning at %s:%d %s", file, line, text);
}

void panic(const char *format, ...)
{
	ex_fault("panic: %s", format);
}

int _printk(const char *format, ...)
{
	return 0;
}

void refcount_warn_saturate(refcount_t *r, enum refcount_saturation_type type)
{
	static const char * const what[] = {
		[REFCOUNT_ADD_NOT_ZERO_OVF] = "overflow", [REFCOUNT_ADD_OVF] = "overflow",
		[REFCOUNT_ADD_UAF] = "a reference is taken when there is none",
		[REFCOUNT_SUB_UAF] = "a reference is dropped when there is none",
		[REFCOUNT_DEC_LEAK] = "a leak",
	};

	ex_fault("reference count: %s", what[type]);
}

bool __list_add_valid_or_report(struct list_head *new, struct list_head *prev,
				struct list_head *next)
{
	if (prev && next && prev->next == next && next->prev == prev && new != prev && new != next)
		return true;
	ex_fault("list_add: the list is corrupt");
}

bool __list_del_entry_valid_or_report(struct list_head *entry)
{
	if (entry->next && entry->prev && entry->next != LIST_POISON1 &&
	    entry->prev != LIST_POISON2 && entry->prev->next == entry && entry->next->prev == entry)
		return true;
	ex_fault("list_del: the list is corrupt, or the entry is on none");
}

ktime_t ktime_get(void)
{
	static ktime_t now;

	return ++now;
}

struct dentry *debugfs_create_dir(const char *name, struct dentry *parent)
{
	return NULL;
}

struct dentry *debugfs_create_file_full(const char *name, umode_t mode, struct dentry *parent,
					void *data, const void *aux,
					const struct file_operations *fops)
{
	int i;

	for (i = 0; i < FILES && files[i].name; i++)
		;
	if (i == FILES)
		ex_fault("more than %d files of debugfs", FILES);
	files[i].name = name;
	files[i].fops = fops;
	return NULL;
}

struct dentry *debugfs_lookup(const char *name, struct dentry *parent)
{
	return NULL;
}

/* Reads what %s would print. */
void seq_printf(struct seq_file *m, const char *format, ...)
{
	va_list args;

	if (ex_printed) {
		va_start(args, format);
		ex_printed(format, args);
		va_end(args);
	}
	va_start(args, format);
	for (; *format; format++) {
		if (*format != '%')
			continue;
		for (format++; *format && !isalpha(*format) && *format != '%'; format++)
			if (*format == '*')
				(void)va_arg(args, int);
		while (*format == 'l' || *format == 'z')
			format++;
		if (*format == 's')
			m->count += strlen(va_arg(args, const char *));
		else if (*format != '%')
			(void)va_arg(args, long);
	}
	va_end(args);
}


int seq_write(struct seq_file *m, const void *data, size_t n)
{
	m->count += n;
	return 0;
}

char *dynamic_dname(char *buf, int size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)va_arg(args, struct dentry *);
	printed = strlen(va_arg(args, const char *));
	va_end(args);
	return buf;
}

int single_open(struct file *file, int (*show)(struct seq_file *m, void *v), void *data)
{
	static struct seq_file m;

	m.size = 4096;
	return show(&m, NULL);
}

void ex_read_debugfs(const char *name)
{
	static struct inode inode;
	int i;

	ex_note("%s is read", name);
	for (i = 0; i < FILES && files[i].name; i++)
		if (!strcmp(files[i].name, name))
			files[i].fops->open(&inode, NULL);
	ex_user_return();
}
