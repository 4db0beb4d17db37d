// SPDX-License-Identifier: MIT
/* Why can't I unload this module? */
#include "top.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Is the first word the module's name? A module's name has _ where a driver's may have -. */
static bool same(const char *word, const char *module)
{
	for (; *word && *module; word++, module++)
		if (*word != *module && !(*word == '-' && *module == '_'))
			return false;
	return (!*word || *word == ' ') && !*module;
}

/* How a module may be tied to a buffer. */
enum tie { EXPORTED, IMPORTED, UNKNOWN };

static bool is_tied(const struct snapshot *s, const struct buffer *b, const char *module,
		    enum tie tie)
{
	uint32_t i;

	if (tie == EXPORTED)
		return same(b->exporter, module);
	if (tie == UNKNOWN)
		return same(b->exporter, "drm");
	if (same(b->exporter, module))
		return false;
	for (i = b->first; i != NONE; i = s->holders[i].next)
		if (s->holders[i].kind != HOLD_FENCE && same(s->holders[i].where, module))
			return true;
	return false;
}

static void print_holders(const struct snapshot *s, const struct buffer *b)
{
	for (uint32_t i = b->first; i != NONE; i = s->holders[i].next) {
		const struct holder *h = &s->holders[i];
		const struct process *p = &s->processes[h->process];

		printf("    %s", hold_names[h->kind]);
		if (h->kind != HOLD_FENCE)
			printf(" %llu", (unsigned long long)h->number);
		if (h->where[0])
			printf(" of %s", h->where);
		if (p->pid)
			printf(" in %d (%s)", p->pid, p->comm);
		putchar('\n');
	}
	if (b->first == NONE)
		puts("    no process that can be seen");
}

/* Returns how many buffers there are with this tie to the module. */
static unsigned int print_buffers(const struct snapshot *s, const char *module, enum tie tie)
{
	static const char *const titles[] = {
		"its buffers", "buffers that its device has imported",
		"buffers of some DRM driver; this kernel does not tell which"
	};
	unsigned int count = 0;

	for (uint32_t i = 0; i < s->nr_buffers; i++) {
		const struct buffer *b = &s->buffers[i];

		if (!is_tied(s, b, module, tie))
			continue;
		if (!count++)
			printf("%s:\n", titles[tie]);
		printf("  buffer %llu, %s%s%s, held by:\n", (unsigned long long)b->ino,
		       size_text(b->size), b->name[0] ? ", " : "", b->name);
		print_holders(s, b);
	}
	return count;
}

static unsigned int print_devices(int root, const char *module)
{
	struct open_device *list;
	size_t count = proc_devices(root, &list);
	unsigned int found = 0;

	for (size_t i = 0; i < count; i++) {
		if (!same(list[i].driver, module))
			continue;
		if (!found++)
			puts("open files of its devices:");
		printf("  %s by fd %d in %d (%s)\n", list[i].path, list[i].fd, list[i].pid,
		       list[i].comm);
	}
	free(list);
	return found;
}

static unsigned int print_users(int dir)
{
	int users = openat(dir, "holders", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = users < 0 ? NULL : fdopendir(users);
	unsigned int found = 0;
	struct dirent *entry;

	while (list && (entry = readdir(list)))
		if (entry->d_name[0] != '.')
			printf(found++ ? ", %s" : "modules that use it: %s", entry->d_name);
	if (found)
		putchar('\n');
	if (list)
		closedir(list);
	return found;
}

/*
 * Can the module be a DRM driver? Stock calls the exporter of each of these "drm".
 * DRM drivers use drm.ko. If that is built in, the kernel does not tell its users, so
 * the module can be one.
 */
static bool is_drm(int root, const char *module)
{
	char path[120];

	snprintf(path, sizeof(path), "sys/module/drm/holders/%s", module);
	return faccessat(root, "sys/module/drm/holders", F_OK, 0) ||
	       !faccessat(root, path, F_OK, 0);
}

int module_print(const struct snapshot *s, int root, const char *module)
{
	static struct bytes bytes;
	char path[80], name[56];
	unsigned int found;
	int dir, error;

	snprintf(name, sizeof(name), "%s", module);
	for (char *c = name; *c; c++)
		*c = *c == '-' ? '_' : *c;
	snprintf(path, sizeof(path), "sys/module/%s", name);
	dir = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	error = dir < 0 ? -1 : read_file(dir, "refcnt", &bytes);
	if (error) {
		fprintf(stderr,
			dir < 0 ?
				"prime-top: no module %s is loaded (lsmod lists those that are)\n" :
				"prime-top: %s is built into the kernel and can't be unloaded\n",
			name);
		return 1;
	}
	printf("%s is used %ld times\n", name, atol(bytes.data));
	found = print_users(dir);
	close(dir);
	found += print_devices(root, name);
	found += print_buffers(s, name, EXPORTED);
	found += print_buffers(s, name, IMPORTED);
	if (is_drm(root, name) && !s->kernel_tells)
		print_buffers(s, name, UNKNOWN);
	if (!found)
		puts(atol(bytes.data) ? "nothing that can be seen holds it" :
					"nothing holds it: modprobe -r unloads it");
	for (unsigned int i = 0; i < s->nr_missing; i++)
		printf("missing: %s\n", s->missing[i]);
	return 0;
}
