// SPDX-License-Identifier: MIT
#include "prime_module.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/wait.h>

bool is_loaded(const char *module)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/%s", module);
	return !access(path, F_OK);
}

static bool run(const char *const *command)
{
	int status;
	pid_t pid;

	pid = fork();
	check(pid >= 0);
	if (!pid) {
		execvp(command[0], (char *const *)command);
		_exit(127);
	}
	check(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* The file of a module that modprobe does not know; in @path. */
static const char *file_of(const char *module, char path[PATH_MAX])
{
	const char *mock = getenv("PRIME_MOCK"), *slash = mock ? strrchr(mock, '/') : NULL;

	if (!strcmp(module, "prime_mock"))
		return mock;
	if (!slash || strcmp(module, "prime_late"))
		return NULL;
	snprintf(path, PATH_MAX, "%.*s/prime_late.ko", (int)(slash - mock), mock);
	return path;
}

bool load_with(const char *module, const char *option)
{
	char path[PATH_MAX];
	const char *file = file_of(module, path);
	const char *const insmod[] = { "insmod", file, option, NULL };
	const char *const modprobe[] = { "modprobe", "-q", module, option, NULL };

	return run(file ? insmod : modprobe);
}

bool load(const char *module)
{
	return load_with(module, NULL);
}

bool can_load(const char *module)
{
	char path[PATH_MAX];
	const char *file = file_of(module, path);
	const char *const modprobe[] = { "modprobe", "-nq", module, NULL };

	return file ? !access(file, R_OK) : run(modprobe);
}

int unload(const char *module)
{
	return syscall(SYS_delete_module, module, O_NONBLOCK) ? -errno : 0;
}

int unload_soon(const char *module)
{
	double end = now() + 3;
	int ret;

	while ((ret = unload(module)) == -EAGAIN && now() < end)
		usleep(1000);
	return ret;
}

/*
 * Tries until the module is there: a modprobe that was killed may have begun to load it, and
 * then it goes again.
 */
void load_back(const char *module, const char *option)
{
	double end = now() + 10;
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", module);
	while (now() < end) {
		char *state = read_text(path);
		/* What is built in has no state. */
		bool live = state ? !strcmp(state, "live\n") : is_loaded(module);

		free(state);
		if (live)
			return;
		if (!load_with(module, *option ? option : NULL))
			usleep(10000);
	}
}

void unload_back(const char *module, const char *nothing)
{
	(void)nothing;
	unload_soon(module);
}
