// SPDX-License-Identifier: MIT
/* Waits until a thread is seen asleep in a system call, and not for a fixed time. */
#include "prime_test.h"

#include <dirent.h>

#define PATIENCE	10.0	/* seconds; after that it counts as never */

/*
 * A thread that runs, or is ready to, has no number of a call there. A poll that a signal
 * has interrupted without a handler goes on as another call: system() blocks SIGCHLD in
 * the thread that calls it, so another thread gets the signal and drops it.
 */
static bool is_asleep(const char *process, const char *task, long call)
{
	char path[320], *text;
	bool asleep;

	snprintf(path, sizeof(path), "/proc/%s/task/%s/syscall", process, task);
	text = read_text(path);
	asleep = text && text[0] >= '0' && text[0] <= '9' &&
		 (atol(text) == call || atol(text) == SYS_restart_syscall);
	free(text);
	return asleep;
}

static void need_syscall_file(void)
{
	if (access("/proc/self/syscall", R_OK))
		prime_skip("/proc/self/syscall: %s (CONFIG_HAVE_ARCH_TRACEHOOK)",
			   strerror(errno));
}

void await_asleep(pid_t pid, long call)
{
	double end = now() + PATIENCE;
	char number[16];

	need_syscall_file();
	snprintf(number, sizeof(number), "%d", pid);
	while (!is_asleep(number, number, call)) {
		if (now() > end)
			prime_fail(__FILE__, __LINE__,
				   "process %d does not sleep in system call %ld",
				   pid, call);
		usleep(1000);
	}
}

int threads_asleep(long call)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int count = 0;

	need_syscall_file();
	check(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			count += is_asleep("self", entry->d_name, call);
	closedir(dir);
	return count;
}

/* Where each thread is, for who reads the log of a wait that did not end. */
static void print_threads(void)
{
	static const char *const files[] = { "syscall", "wchan", "stack" };
	struct dirent *entry;
	DIR *dir = opendir("/proc/self/task");
	char path[320], *text;

	check(dir);
	while ((entry = readdir(dir))) {
		for (unsigned int i = 0; entry->d_name[0] != '.' && i < 3; i++) {
			snprintf(path, sizeof(path), "/proc/self/task/%s/%s",
				 entry->d_name, files[i]);
			text = read_text(path);
			printf("thread %s, %s: %s\n", entry->d_name, files[i],
			       text ?: strerror(errno));
			free(text);
		}
	}
	closedir(dir);
}

void await_threads_asleep(int count, long call)
{
	double end = now() + PATIENCE;
	int asleep;

	while ((asleep = threads_asleep(call)) < count) {
		if (now() > end) {
			print_threads();
			prime_fail(__FILE__, __LINE__,
				   "%d threads and not %d sleep in system call %ld",
				   asleep, count, call);
		}
		usleep(1000);
	}
}
