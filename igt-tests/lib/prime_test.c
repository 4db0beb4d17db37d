// SPDX-License-Identifier: MIT
/* IGT's protocol: the command line, one process per subtest, the verdicts. */
#include "prime_test.h"

#include <fnmatch.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#define SUBTEST_SECONDS	50	/* less than the runner's own limit */

const char *prime_device_path;	/* --device or PRIME_DEVICE */

double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* igt_runner reads both streams. */
static void say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	fflush(stdout);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
}

void prime_fail(const char *file, int line, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	fflush(stdout);
	dprintf(STDOUT_FILENO, "Failed at %s:%d: %s\n", file, line, text);
	dprintf(STDERR_FILENO, "Failed at %s:%d: %s\n", file, line, text);
	/* From any thread: the whole subtest is over. */
	_exit(PRIME_EXIT_FAILURE);
}

void prime_skip(const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	fflush(stdout);
	dprintf(STDOUT_FILENO, "Test requirement not met: %s\n", text);
	_exit(PRIME_EXIT_SKIP);
}

static void list_name(const struct prime_subtest *test, char *name, size_t size)
{
	snprintf(name, size, "%s", test->function);
	for (; *name; name++)
		if (*name == '_')
			*name = '-';
}

static bool wanted(const char *name, const char *patterns)
{
	char *copy = strdup(patterns), *rest = copy, *pattern;
	bool found = false;

	while ((pattern = strsep(&rest, ",")))
		found |= !fnmatch(pattern, name, 0);
	free(copy);
	return found;
}

static long taint_mask(void)
{
	char *text = read_text("/proc/sys/kernel/tainted");
	long mask = text ? atol(text) : 0;

	free(text);
	return mask;
}

/* 1 on, 0 off after a report, -1 where the kernel has no lockdep. */
static int lockdep_on(void)
{
	char *text = read_text("/proc/lockdep_stats");
	char *line = text ? strstr(text, "debug_locks:") : NULL;
	int on = line ? atoi(line + strlen("debug_locks:")) : -1;

	free(text);
	return on;
}

/* The child's wait status; -1 when it would not die. */
static int wait_for(pid_t pid, bool *late)
{
	const struct timespec patience = { .tv_sec = 5 };
	struct timespec limit = { .tv_sec = SUBTEST_SECONDS };
	sigset_t set;
	int status;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	*late = false;
	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (sigtimedwait(&set, NULL, &limit) >= 0 || errno == EINTR)
			continue;
		if (*late)
			return -1;
		*late = true;
		limit = patience;
		kill(-pid, SIGKILL);
	}
	return status;
}

static void restore(void)
{
	pid_t pid = prime_restore ? fork() : -1;

	if (!pid) {
		prime_restore();
		_exit(PRIME_EXIT_SUCCESS);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static int run_subtest(const struct prime_subtest *test, const char *name)
{
	int lockdep = lockdep_on();
	long taint = taint_mask();
	int verdict = PRIME_EXIT_FAILURE, status;
	double start = now();
	sigset_t set, old;
	bool late;
	pid_t pid;

	buffers_before = all_buffers();
	say("Starting subtest: %s\n", name);
	fflush(NULL);

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	pid = fork();
	if (pid < 0) {
		say("fork: %s\n", strerror(errno));
		return PRIME_EXIT_ABORT;
	}
	if (!pid) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		test->run();
		fflush(NULL);
		_exit(PRIME_EXIT_SUCCESS);
	}
	setpgid(pid, pid);

	status = wait_for(pid, &late);
	/* What the subtest forked goes with it. */
	kill(-pid, SIGKILL);
	restore();
	if (status < 0) {
		say("The subtest hangs in the kernel and cannot be killed.\n");
		verdict = PRIME_EXIT_ABORT;
	} else if (late) {
		say("Not done after %d s.\n", SUBTEST_SECONDS);
	} else if (WIFSIGNALED(status)) {
		say("Received signal %s.\n", strsignal(WTERMSIG(status)));
	} else {
		verdict = WEXITSTATUS(status);
	}

	if ((verdict == PRIME_EXIT_SUCCESS || verdict == PRIME_EXIT_SKIP) &&
	    buffers_before >= 0) {
		int left = settle_buffers(0);

		if (left) {
			say("%d buffers before, %d after the last close.\n",
			    buffers_before, buffers_before + left);
			verdict = PRIME_EXIT_FAILURE;
		}
	}
	if (taint_mask() != taint) {
		say("The kernel's taint mask went from %ld to %ld.\n", taint,
		    taint_mask());
		verdict = PRIME_EXIT_FAILURE;
	}
	if (lockdep_on() != lockdep) {
		say("lockdep has switched itself off: see the kernel log.\n");
		verdict = PRIME_EXIT_FAILURE;
	}

	say("Subtest %s: %s (%.3fs)\n", name,
	    verdict == PRIME_EXIT_SUCCESS ? "SUCCESS" :
	    verdict == PRIME_EXIT_SKIP ? "SKIP" : "FAIL", now() - start);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return verdict;
}

static void usage(FILE *stream, const char *program)
{
	fprintf(stream,
		"usage: %s [--list-subtests] [--run-subtest NAMES] [--device PATH]\n"
		"  --list-subtests      one name a line\n"
		"  --run-subtest NAMES  names or patterns, with commas between\n"
		"  --device PATH        a DRM node (of a render node the card beside it);\n"
		"                       else PRIME_DEVICE, else a card of the driver that\n"
		"                       IGT_FORCE_DRIVER names, else of vgem\n", program);
}

int prime_main(int argc, char **argv, const struct prime_subtest *tests,
	       size_t count)
{
	static const struct option options[] = {
		{ "list-subtests", no_argument, NULL, 'l' },
		{ "run-subtest", required_argument, NULL, 'r' },
		{ "device", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int run = 0, skipped = 0, failed = 0, option;
	const char *patterns = "*";
	struct utsname machine;
	bool list = false;
	char name[128];

	prime_device_path = getenv("PRIME_DEVICE");
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'l':
			list = true;
			break;
		case 'r':
			patterns = optarg;
			break;
		case 'd':
			prime_device_path = optarg;
			break;
		case 'h':
			usage(stdout, argv[0]);
			return PRIME_EXIT_SUCCESS;
		default:
			usage(stderr, argv[0]);
			return PRIME_EXIT_INVALID;
		}
	}

	if (list) {
		for (size_t i = 0; i < count; i++) {
			list_name(&tests[i], name, sizeof(name));
			puts(name);
		}
		return PRIME_EXIT_SUCCESS;
	}

	uname(&machine);
	printf("IGT-Version: 2.5-prime (%s) (%s: %s %s)\n", machine.machine,
	       machine.sysname, machine.release, machine.machine);
	fflush(stdout);

	for (size_t i = 0; i < count; i++) {
		int verdict;

		list_name(&tests[i], name, sizeof(name));
		if (!wanted(name, patterns))
			continue;
		run++;
		verdict = run_subtest(&tests[i], name);
		if (verdict == PRIME_EXIT_ABORT)
			return PRIME_EXIT_ABORT;
		skipped += verdict == PRIME_EXIT_SKIP;
		failed += verdict != PRIME_EXIT_SKIP &&
			  verdict != PRIME_EXIT_SUCCESS;
	}
	if (!run) {
		fprintf(stderr, "No subtest matches %s; try --list-subtests.\n",
			patterns);
		return PRIME_EXIT_INVALID;
	}
	return failed ? PRIME_EXIT_FAILURE :
	       skipped == run ? PRIME_EXIT_SKIP : PRIME_EXIT_SUCCESS;
}
