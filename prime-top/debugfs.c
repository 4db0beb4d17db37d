// SPDX-License-Identifier: MIT
/* What the kernel lists of buffers, but not who holds them: dma_buf/bufinfo and, on 6.12, sysfs. */
#include "top.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYSFS "sys/kernel/dmabuf/buffers"

/* Moves to the next of the fields that tabs separate. */
static bool next_field(const char **at, const char *end)
{
	const char *tab = *at < end ? memchr(*at, '\t', end - *at) : NULL;

	*at = tab ? tab + 1 : end;
	return tab;
}

/*
 * "size flags mode count exp_name ino name" and, if @driver, the name of the
 * driver. Kernels with the list of holders have told what there is; of a buffer
 * that is new since only the next refresh knows.
 */
static struct buffer *add_buffer(struct snapshot *s, const char *at, const char *end, bool driver)
{
	const char *exporter, *name, *last;
	uint64_t size, count, ino;
	struct buffer *b;

	if (!get_number(&at, end, &size) || !next_field(&at, end) || !next_field(&at, end) ||
	    !next_field(&at, end) || !get_number(&at, end, &count) || !next_field(&at, end))
		return NULL;
	exporter = at;
	if (!next_field(&at, end) || !get_number(&at, end, &ino) || !next_field(&at, end))
		return NULL;
	b = s->kernel_tells ? snapshot_find(s, ino) : snapshot_buffer(s, ino);
	if (!b)
		return NULL;
	name = at;
	last = driver ? memrchr(name, '\t', end - name) : NULL;
	if (!s->kernel_tells) {
		b->size = size;
		b->count = count;
		copy_text(b->exporter, sizeof(b->exporter), last ? last + 1 : exporter,
			  last ? end - last - 1 : (const char *)memchr(exporter, '\t', end - exporter) - exporter);
	}
	if (last)
		end = last;
	if (end - name != 6 || memcmp(name, "<none>", 6))
		copy_text(b->name, sizeof(b->name), name, end - name);
	return b;
}

/* A line of a buffer: a fence, or a device. */
static void add_line(struct snapshot *s, struct buffer *b, const char *at, const char *end)
{
	static const char pending[] = " unsignalled";
	const char *fence = memmem(at, end - at, " fence:", 7);
	struct holder *h;

	if (fence) {
		if (end - fence < 19 || memcmp(end - 12, pending, 12))
			return;
		h = snapshot_hold(s, b, HOLD_FENCE, NOBODY_KERNEL, 0);
		copy_text(h->where, sizeof(h->where), fence + 7, end - 12 - (fence + 7));
	} else if (!s->kernel_tells && !get_word(&at, end, "Attached Devices:")) {
		h = snapshot_hold(s, b, HOLD_ATTACHMENT, NOBODY_KERNEL, b->attachments);
		copy_text(h->where, sizeof(h->where), at, end - at);
	}
}

static void parse(struct snapshot *s, const char *at, const char *end)
{
	uint64_t objects = 0, total = 0;
	struct buffer *b = NULL;
	bool driver = false;
	const char *stop;

	for (; at < end; at = stop + 1) {
		stop = memchr(at, '\n', end - at);
		if (!stop)
			stop = end;
		if (get_word(&at, stop, "\t")) {
			if (b)
				add_line(s, b, at, stop);
		} else if (get_word(&at, stop, "size ")) {
			driver = memmem(at, stop - at, "\tname\texporter", 14);
		} else if (get_word(&at, stop, "Total ")) {
			get_number(&at, stop, &objects);
			b = NULL;
		} else if (stop > at) {
			b = add_buffer(s, at, stop, driver);
			total += s->kernel_tells || b;
		}
	}
	if (!s->kernel_tells && total != objects)
		snapshot_missing(s, "bufinfo lists %llu buffers and counts %llu: a name may have a line break",
				 (unsigned long long)total, (unsigned long long)objects);
}

static void explain(struct snapshot *s, int root, int error)
{
	if (error == -EACCES || error == -EPERM)
		snapshot_missing(s, "dma_buf/bufinfo may not be read: buffers that no process holds are missing (run it as root)");
	else if (faccessat(root, DEBUGFS "dma_buf", F_OK, 0) == 0)
		snapshot_missing(s, "dma_buf/bufinfo: %s", strerror(-error));
	else
		snapshot_missing(s, "no dma_buf/bufinfo: buffers that no process holds are missing (mount -t debugfs debugfs /sys/kernel/debug; CONFIG_DEBUG_FS)");
}

bool bufinfo_read(struct snapshot *s, int root)
{
	static struct bytes bytes;
	int error = read_file(root, DEBUGFS "dma_buf/bufinfo", &bytes);

	if (error)
		explain(s, root, error);
	else
		parse(s, bytes.data, bytes.data + bytes.used);
	return !error;
}

/* DMABUF_SYSFS_STATS: anybody may read it, and it has all buffers. */
bool sysfs_read(struct snapshot *s, int root)
{
	int dir = openat(root, SYSFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = dir < 0 ? NULL : fdopendir(dir);
	static struct bytes bytes;
	struct dirent *entry;
	struct buffer *b;
	const char *at;
	char path[300];

	while (list && (entry = readdir(list))) {
		if (entry->d_name[0] == '.')
			continue;
		b = snapshot_buffer(s, strtoull(entry->d_name, NULL, 10));
		snprintf(path, sizeof(path), "%s/size", entry->d_name);
		if (!read_file(dir, path, &bytes)) {
			at = bytes.data;
			get_number(&at, at + bytes.used, &b->size);
		}
		snprintf(path, sizeof(path), "%s/exporter_name", entry->d_name);
		if (!read_file(dir, path, &bytes))
			copy_text(b->exporter, sizeof(b->exporter), bytes.data, strcspn(bytes.data, "\n"));
	}
	if (list)
		closedir(list);
	return list;
}
