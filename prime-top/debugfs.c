// SPDX-License-Identifier: MIT
/* What the kernel lists of buffers, but not who holds them: dma_buf/bufinfo and, on 6.12, sysfs. */
#include "top.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SYSFS "sys/kernel/dmabuf/buffers"

/* Moves behind the next tab of the line. The first columns have at least eight characters. */
static inline bool next_field(const char **at, const char *end, unsigned int least)
{
	const char *p = *at + least;

	while (p < end && *p != '\t')
		p++;
	*at = p + 1;
	return p < end;
}

/* Takes the name of a buffer and, if @driver is set, the driver in the last column. */
static void add_names(struct snapshot *s, struct buffer *b, const char *name, const char *end,
		      bool driver)
{
	const char *last = driver ? memrchr(name, '\t', end - name) : NULL;

	if (last && !s->kernel_tells)
		copy_text(b->exporter, sizeof(b->exporter), last + 1, end - last - 1);
	if (last)
		end = last;
	if (*name != '<' || end - name != 6 || memcmp(name, "<none>", 6))
		copy_text(b->name, sizeof(b->name), name, end - name);
}

/*
 * "size flags mode count exp_name ino name". If the kernel lists the holders, the
 * buffers are known already. One that is newer than that list waits for the next
 * refresh.
 */
static struct buffer *add_buffer(struct snapshot *s, const char *at, const char *end, bool driver)
{
	const char *exporter, *stop, *size = at, *count;
	uint64_t ino, number;
	struct buffer *b;

	if (end - at < 36 || !next_field(&at, end, 8) || !next_field(&at, end, 8) ||
	    !next_field(&at, end, 8))
		return NULL;
	count = at;
	if (!next_field(&at, end, 8))
		return NULL;
	exporter = at;
	if (!next_field(&at, end, 0))
		return NULL;
	stop = at - 1;
	if (!get_number(&at, &ino) || !next_field(&at, end, 0))
		return NULL;
	b = s->kernel_tells ? snapshot_find(s, ino) : snapshot_buffer(s, ino);
	if (!b)
		return NULL;
	b->fences = FENCES_NONE;
	if (!s->kernel_tells) {
		get_number(&size, &b->size);
		b->count = get_number(&count, &number) ? (int64_t)number : -1;
		copy_text(b->exporter, sizeof(b->exporter), exporter, stop - exporter);
	}
	add_names(s, b, at, end, driver);
	return b;
}

/*
 * "usage fence:TEXT unsignalled". For fences that have signalled there is no useful
 * text. Stock has a line for each. The layer has one line for all of them.
 */
static void add_fence(struct snapshot *s, struct buffer *b, const char *at, const char *end)
{
	static const char pending[] = " unsignalled";
	const char *from = memchr(at, ':', end - at);
	struct holder *h;

	if (b->fences == FENCES_NONE)
		b->fences = FENCES_SIGNALLED;
	end -= sizeof(pending) - 1;
	if (!from++ || from >= end || memcmp(end, pending, sizeof(pending) - 1))
		return;
	b->fences = FENCES_PENDING;
	h = snapshot_hold(s, b, HOLD_FENCE, NOBODY_KERNEL, 0);
	copy_text(h->where, sizeof(h->where), from, end - from);
}

static void add_device(struct snapshot *s, struct buffer *b, const char *at, const char *end)
{
	struct holder *h = snapshot_hold(s, b, HOLD_ATTACHMENT, NOBODY_KERNEL, b->attachments);

	copy_text(h->where, sizeof(h->where), at, end - at);
}

/*
 * Each buffer: a line, its fences, "Attached Devices:", the devices, "Total N devices
 * attached". The last line has the number of buffers. If a program puts a line break into
 * a name, and one of these lines after it, these numbers are wrong.
 */
static void parse(struct snapshot *s, const char *at, const char *end)
{
	static const char none[] = "\tAttached Devices:\nTotal 0 devices attached\n\n";
	uint64_t total = 0, buffers = 0, totals = 0, devices = 0;
	bool driver = false, attached = false, forged = false;
	struct buffer *b = NULL;
	const char *stop;

	for (; at < end; at = stop + 1) {
		stop = memchr(at, '\n', end - at);
		if (!stop)
			stop = end;
		if (*at == '\t' && at[1] == 'A' && get_word(&at, stop, "\tAttached Devices:")) {
			forged |= attached;
			attached = true;
		} else if (get_word(&at, stop, "\t")) {
			devices += attached;
			if (b && !attached)
				add_fence(s, b, at, stop);
			else if (b && !s->kernel_tells)
				add_device(s, b, at, stop);
		} else if (*at >= '0' && *at <= '9') {
			b = add_buffer(s, at, stop, driver);
			buffers++;
			attached = false;
			devices = 0;
		} else if (get_word(&at, stop, "Total ")) {
			get_number(&at, &total);
			forged |= attached && total != devices;
			attached = false;
			totals++;
		} else if (!buffers && get_word(&at, stop, "size ")) {
			driver = memmem(at, stop - at, "\tname\texporter", 14);
		}
		/* Most buffers have no device. */
		if (stop[1] == '\t' && stop[2] == 'A' && end - stop > (long)sizeof(none) &&
		    !memcmp(stop + 1, none, sizeof(none) - 1)) {
			forged |= attached;
			stop += sizeof(none) - 1;
			totals++;
		}
	}
	if (forged || buffers != total || totals != total + 1)
		snapshot_missing(s,
			"a name has a line break: what dma_buf/bufinfo says of fences, devices and buffers may be wrong");
}

static void explain(struct snapshot *s, int root, int error)
{
	if (forbidden(error))
		snapshot_missing(s,
			"dma_buf/bufinfo may not be read: buffers that no process holds are missing (run it as root)");
	else if (faccessat(root, DEBUGFS "dma_buf", F_OK, 0) == 0)
		snapshot_missing(s, "dma_buf/bufinfo: %s", strerror(-error));
	else
		snapshot_missing(s,
			"no dma_buf/bufinfo: buffers that no process holds are missing (mount -t debugfs debugfs /sys/kernel/debug; CONFIG_DEBUG_FS)");
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
			get_number(&at, &b->size);
		}
		snprintf(path, sizeof(path), "%s/exporter_name", entry->d_name);
		if (!read_file(dir, path, &bytes))
			copy_text(b->exporter, sizeof(b->exporter), bytes.data,
				  strcspn(bytes.data, "\n"));
	}
	if (list)
		closedir(list);
	return list;
}
