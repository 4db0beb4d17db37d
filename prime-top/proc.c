// SPDX-License-Identifier: MIT
/*
 * What /proc tells: fds and mappings of processes, their names and control
 * groups, and when a buffer was made. (map_files tells no more than maps.)
 */
#include "top.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static struct bytes bytes;

/* Calls @call for each entry of a directory that is a number. Returns 0 or a negative errno. */
static int each_number(int at, const char *path,
		       void (*call)(void *data, int dir, const char *name), void *data)
{
	int dir = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = dir < 0 ? NULL : fdopendir(dir);
	struct dirent *entry;

	if (!list)
		return -errno;
	while ((entry = readdir(list)))
		if (isdigit((unsigned char)entry->d_name[0]))
			call(data, dir, entry->d_name);
	closedir(list);
	return 0;
}

/*
 * Returns the value of "KEY:<tab>VALUE" in fdinfo, or NULL. @key begins with a
 * line break. The first line is never wanted.
 */
static const char *value_of(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	if (!at)
		return NULL;
	at += strlen(key);
	while (*at == '\t' || *at == ' ')
		at++;
	return at;
}

static uint64_t number_of(const char *text, const char *key)
{
	const char *value = value_of(text, key);
	uint64_t number = 0;

	if (value)
		get_number(&value, &number);
	return number;
}

static void text_of(const char *text, const char *key, char *to, size_t size)
{
	const char *value = value_of(text, key);

	if (value)
		copy_text(to, size, value, strcspn(value, "\n"));
}

/* The time of the last change of a buffer's inode is when the buffer was made. */
static int64_t birth_of(const struct stat *st)
{
	return st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec;
}

/* --- one process --- */

struct visit {
	struct snapshot *s;
	int root;
	const char *pid;
	int fdinfo;		/* folder of the process */
	uint32_t process;	/* NONE until it is seen to hold something */
	bool hidden;		/* some of it may not be looked into */
	dev_t device;		/* of the buffers' filesystem; 0 until a buffer is seen */
};

static uint32_t visited(struct visit *v)
{
	char path[40];

	if (v->process == NONE) {
		snprintf(path, sizeof(path), "proc/%s/comm", v->pid);
		if (read_file(v->root, path, &bytes) || !bytes.used)
			bytes.used = 1;
		v->process = snapshot_process(v->s, atoi(v->pid), bytes.data, bytes.used - 1);
	}
	return v->process;
}

/*
 * Reads fdinfo of a buffer that is not known from another source. The name is the last
 * line, and a program can put further lines into it.
 */
static void describe(struct buffer *b)
{
	char *name = strstr(bytes.data, "\nname:");

	text_of(bytes.data, "\nname:", b->name, sizeof(b->name));
	if (name)
		*name = '\0';
	b->size = number_of(bytes.data, "\nsize:");
	b->count = number_of(bytes.data, "\ncount:");
	text_of(bytes.data, "\nexp_name:", b->exporter, sizeof(b->exporter));
	text_of(bytes.data, "\nexporter:", b->exporter, sizeof(b->exporter));
}

/* The folder is opened when the first fd asks for it. */
static int read_fdinfo(struct visit *v, const char *fd)
{
	char path[40];

	if (v->fdinfo < 0) {
		snprintf(path, sizeof(path), "proc/%s/fdinfo", v->pid);
		v->fdinfo = openat(v->root, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return v->fdinfo < 0 ? -errno : read_file(v->fdinfo, fd, &bytes);
}

static void end_visit(struct visit *v)
{
	if (v->fdinfo >= 0)
		close(v->fdinfo);
	v->fdinfo = -1;
}

/*
 * Is the file a buffer? A program can call another file /dmabuf: and choose its inode
 * number, but not make one in the filesystem of the buffers. If it is none, errno is 0.
 */
static bool stat_buffer(struct visit *v, int dir, const char *path, struct stat *st)
{
	struct statfs fs;
	int file;

	if (!v->device) {
		file = openat(dir, path, O_PATH | O_CLOEXEC);
		if (file < 0)
			return false;
		if (!fstatfs(file, &fs) && fs.f_type == DMA_BUF_MAGIC && !fstat(file, st))
			v->device = st->st_dev;
		close(file);
	}
	errno = 0;
	return v->device && !fstatat(dir, path, st, 0) && st->st_dev == v->device;
}

/*
 * In the tree of a test (tests/tree) the links lead nowhere, so the inode number comes
 * from fdinfo. Only the fdinfo of a buffer has a line exp_name.
 */
static void visit_buffer(struct visit *v, int dir, const char *fd)
{
	struct buffer *b = NULL;
	const char *ino;
	struct stat st;
	bool known = stat_buffer(v, dir, fd, &st);
	uint64_t number = known ? st.st_ino : 0;

	if (known)
		b = snapshot_find(v->s, number);
	if (!b) {
		if (read_fdinfo(v, fd))
			return;
	}
	if (!known) {
		ino = value_of(bytes.data, "\nino:");
		if (!ino || !value_of(ino, "\nexp_name:"))
			return;
		get_number(&ino, &number);
		b = snapshot_find(v->s, number);
	}
	if (!b) {
		b = snapshot_buffer(v->s, number);
		describe(b);
	}
	if (known)
		b->born = birth_of(&st);
	get_number(&fd, &number);
	snapshot_hold(v->s, b, HOLD_FD, visited(v), number);
}

static void visit_fd(void *data, int dir, const char *fd)
{
	struct visit *v = data;
	char link[8];
	ssize_t length = readlinkat(dir, fd, link, 8);

	if (length < 0)
		v->hidden |= forbidden(-errno);
	if (length != 8)
		return;
	if (!memcmp(link, "/dmabuf:", 8))
		visit_buffer(v, dir, fd);
	else if (!memcmp(link, "socket:[", 8) && !read_fdinfo(v, fd))
		v->s->unread += number_of(bytes.data, "\nscm_fds:");
}

/*
 * "start-end perms offset device inode   /dmabuf:name". If no fd has shown the device
 * number of the buffers' filesystem, the link in map_files does. Only root may follow it.
 * If the buffer is not known from a list or an fd, the link also tells its size and age.
 */
static void visit_mapping(struct visit *v, const char *line)
{
	unsigned int major, minor;
	struct buffer *b;
	struct stat st;
	char link[100];
	uint64_t ino;
	int path = 0;

	if (sscanf(line, "%*x-%*x %*s %*x %x:%x %" SCNu64 " %n", &major, &minor, &ino, &path) < 3 ||
	    strncmp(line + path, "/dmabuf:", 8))
		return;
	b = snapshot_find(v->s, ino);
	if (!v->device || !b) {
		snprintf(link, sizeof(link), "proc/%s/map_files/%.*s", v->pid,
			 (int)strcspn(line, " "), line);
		/* ELOOP: the tree of a test. */
		if (!(stat_buffer(v, v->root, link, &st) && st.st_ino == ino) &&
		    (!b || (errno != EPERM && errno != ELOOP)))
			return;
	}
	if (v->device && makedev(major, minor) != v->device)
		return;
	if (!b) {
		b = snapshot_buffer(v->s, ino);
		b->size = st.st_size;
		b->born = birth_of(&st);
	}
	snapshot_hold(v->s, b, HOLD_MAPPING, visited(v),
		      strtoull(line, NULL, 16) / sysconf(_SC_PAGESIZE));
}

static void visit_maps(struct visit *v)
{
	static struct bytes maps;	/* visited() reads a file, too */
	char path[40], *at, *line;
	int error;

	snprintf(path, sizeof(path), "proc/%s/maps", v->pid);
	error = read_file(v->root, path, &maps);
	v->hidden |= forbidden(error);
	if (error)
		return;
	at = maps.data;
	while ((at = memmem(at, maps.data + maps.used - at, " /dmabuf:", 9))) {
		for (line = at; line > maps.data && line[-1] && line[-1] != '\n'; line--)
			;
		at = strchrnul(at, '\n');
		*at = '\0';
		visit_mapping(v, line);
	}
}

static void visit(void *data, int dir, const char *pid)
{
	struct visit *v = data;
	char path[40];
	int error;

	(void)dir;
	v->pid = pid;
	v->process = NONE;
	v->hidden = false;
	snprintf(path, sizeof(path), "proc/%s/fd", pid);
	error = each_number(v->root, path, visit_fd, v);
	v->hidden |= forbidden(error);
	if (!error)
		visit_maps(v);
	v->s->hidden += v->hidden;
	end_visit(v);
}

/* Who has fds and mappings, by a look at each process. */
void proc_read(struct snapshot *s, int root)
{
	struct visit v = { .s = s, .root = root, .fdinfo = -1 };
	int error = each_number(root, "proc", visit, &v);

	if (error)
		snapshot_missing(s, "no /proc: %s (mount -t proc proc /proc)", strerror(-error));
	if (s->hidden)
		snapshot_missing(s,
			"%u processes may not be looked into: what they hold is missing (run it as root)",
			s->hidden);
}

/* --- what is not in the kernel's own list --- */

/* *@dir is the fd folder of the process *@of. It is kept open for the next buffer. */
static int64_t birth(const struct snapshot *s, const struct buffer *b, int root, int *dir,
		     uint32_t *of)
{
	char path[40], digits[21];
	struct stat st;

	digits[20] = '\0';
	for (uint32_t i = b->first; i != NONE; i = s->holders[i].next) {
		const struct holder *h = &s->holders[i];

		if (h->kind != HOLD_FD)
			continue;
		if (h->process != *of) {
			if (*dir >= 0)
				close(*dir);
			snprintf(path, sizeof(path), "proc/%d/fd", s->processes[h->process].pid);
			*dir = openat(root, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
			*of = h->process;
		}
		if (*dir >= 0 && !fstatat(*dir, number_text(h->number, digits + 20), &st, 0) &&
		    st.st_ino == b->ino)
			return birth_of(&st);
	}
	return -1;
}

/* Reads the control group of version 2 or, if there is none, the first line of version 1. */
static void read_cgroup(struct process *p, int root)
{
	char path[40], *line;

	snprintf(path, sizeof(path), "proc/%d/cgroup", p->pid);
	if (read_file(root, path, &bytes))
		return;
	line = strncmp(bytes.data, "0::", 3) ? strstr(bytes.data, "\n0::") : bytes.data - 1;
	line = line ? line + 1 : bytes.data;
	line = strchr(line, ':');
	line = line ? strchr(line + 1, ':') : NULL;
	if (line)
		copy_text(p->cgroup, sizeof(p->cgroup), line + 1, strcspn(line + 1, "\n"));
}

/* @before: the snapshot before this one, which may know when a buffer was made. */
void proc_complete(struct snapshot *s, const struct snapshot *before, int root)
{
	uint32_t of = NONE;
	int dir = -1;

	for (uint32_t i = 0; i < s->nr_buffers; i++) {
		struct buffer *b = &s->buffers[i], *old;

		old = before ? &before->buffers[i] : NULL;
		/* Usually both snapshots have the buffers in the same order. */
		if (before && (i >= before->nr_buffers || old->ino != b->ino))
			old = snapshot_find(before, b->ino);
		if (old && !b->born && old->size == b->size)
			b->born = old->born;
		if (!b->born)
			b->born = birth(s, b, root, &dir, &of);
	}
	if (dir >= 0)
		close(dir);
	for (uint32_t i = FIRST_PROCESS; i < s->nr_processes; i++)
		read_cgroup(&s->processes[i], root);
}

/* --- files of devices --- */

struct device_visit {
	struct visit v;
	struct open_device *list;
	uint32_t used, room;
};

/* Finds the driver of a DRM file: in fdinfo, in debugfs, or by its device. */
static void find_driver(struct device_visit *d, struct open_device *open, const char *fd)
{
	const char *base = strrchr(open->path, '/') + 1;
	char path[120], link[200];
	ssize_t length = -1;

	if (!read_fdinfo(&d->v, fd))
		text_of(bytes.data, "\ndrm-driver:", open->driver, sizeof(open->driver));
	snprintf(path, sizeof(path), DEBUGFS "dri/%s/name", base + strcspn(base, "0123456789"));
	if (!open->driver[0] && strstr(open->path, "/dri/") && !read_file(d->v.root, path, &bytes))
		copy_text(open->driver, sizeof(open->driver), bytes.data,
			  strcspn(bytes.data, " \n"));
	for (int i = 0; !open->driver[0] && length < 0 && i < 3; i++) {
		static const char *const classes[] = { "drm", "accel", "video4linux" };

		snprintf(path, sizeof(path), "sys/class/%s/%s/device/driver/module", classes[i],
			 base);
		length = readlinkat(d->v.root, path, link, sizeof(link) - 8);
		if (length > 0) {
			link[length] = '\0';
			base = strrchr(link, '/') ? strrchr(link, '/') + 1 : link;
			copy_text(open->driver, sizeof(open->driver), base, strlen(base));
		}
	}
}

static void visit_device_fd(void *data, int dir, const char *fd)
{
	struct device_visit *d = data;
	char link[72];
	ssize_t length = readlinkat(dir, fd, link, sizeof(link) - 8);
	struct open_device *open;

	if (length < 5)
		return;
	link[length] = '\0';
	if (strncmp(link, "/dev/dri/", 9) && strncmp(link, "/dev/accel/", 11) &&
	    strncmp(link, "/dev/video", 10))
		return;
	d->list = grow(d->list, d->used, &d->room, sizeof(*d->list));
	open = &d->list[d->used++];
	memset(open, 0, sizeof(*open));
	open->pid = atoi(d->v.pid);
	open->fd = atoi(fd);
	copy_text(open->path, sizeof(open->path), link, length);
	find_driver(d, open, fd);
	snprintf(link, sizeof(link), "proc/%s/comm", d->v.pid);
	if (!read_file(d->v.root, link, &bytes))
		copy_text(open->comm, sizeof(open->comm), bytes.data, strcspn(bytes.data, "\n"));
}

static void visit_devices(void *data, int dir, const char *pid)
{
	struct device_visit *d = data;
	char path[40];

	d->v.pid = pid;
	snprintf(path, sizeof(path), "%s/fd", pid);
	each_number(dir, path, visit_device_fd, d);
	end_visit(&d->v);
}

/* All open files of DRM and V4L2 devices. The caller frees the list. */
size_t proc_devices(int root, struct open_device **list)
{
	struct device_visit d = { .v = { .root = root, .fdinfo = -1 } };

	each_number(root, "proc", visit_devices, &d);
	*list = d.list;
	return d.used;
}
