// SPDX-License-Identifier: MIT
#include "prime_cgroup.h"
#include "prime_test.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>

static char root[64] = "/sys/fs/cgroup";
static char group[96];

/* The tree of version 2. If there is none, it is mounted until the subtest ends. */
static void find_root(void)
{
	struct statfs fs;
	int ret;

	if (!statfs(root, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC)
		return;
	snprintf(root, sizeof(root), "/tmp/prime-cgroup.XXXXXX");
	check(mkdtemp(root));
	undo_later(remove_back, root, "");
	ret = mount_until_end("cgroup2", root);
	if (ret)
		prime_skip("no cgroup2 at /sys/fs/cgroup, and none can be mounted: %s",
			   strerror(-ret));
}

static void need_controller(void)
{
	char path[96], *text;
	int ret = 0;

	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", root);
	text = read_text(path);
	if (!text || !strstr(text, "memory")) {
		undo_later(write_back, path, "-memory");
		ret = write_text(path, "+memory");
	}
	free(text);
	if (ret)
		prime_skip("%s has no memory controller: %s", root, strerror(-ret));
}

void cgroup_make(unsigned long limit)
{
	char text[32];

	if (getenv("PRIME_KEEP_SYSTEM"))
		prime_skip("PRIME_KEEP_SYSTEM forbids to make memory cgroups");
	find_root();
	need_controller();
	snprintf(group, sizeof(group), "%s/prime-%d", root, getpid());
	remove_back(group, "");
	undo_later(remove_back, group, "");
	check_ok(mkdir(group, 0755) ? -errno : 0);
	snprintf(text, sizeof(text), "%lu", limit);
	check_ok(cgroup_put("memory.max", text));
}

int cgroup_put(const char *file, const char *text)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", group, file);
	return write_text(path, text);
}

long cgroup_number(const char *file, const char *key)
{
	char path[160], *text, *line;
	long number;

	snprintf(path, sizeof(path), "%s/%s", group, file);
	text = read_text(path);
	line = text ? strstr(text, key) : NULL;
	check(line);
	number = atol(line + strlen(key));
	free(text);
	return number;
}

void cgroup_enter(void)
{
	check_ok(cgroup_put("cgroup.procs", "0"));
}

void cgroup_leave(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/cgroup.procs", root);
	check_ok(write_text(path, "0"));
}
