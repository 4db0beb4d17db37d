// SPDX-License-Identifier: MIT
/* IGT's protocol: the command line, one process for each subtest, the verdicts. */
#include "prime_test.h"

#include <fnmatch.h>
#include <ctype.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

/*
 * A busy machine makes a subtest five times as slow, and the longest takes half a
 * minute. Together they are less than the runner's own limit of 300 s.
 */
#define SUBTEST_SECONDS	170
#define DEATH_SECONDS	60	/* for one that is killed */

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

void need_destructive(const char *what)
{
	const char *allowed = getenv("PRIME_DESTRUCTIVE");

	if (!allowed || strcmp(allowed, "1"))
		prime_skip("%s is done with --destructive or PRIME_DESTRUCTIVE=1 only",
			   what);
}

bool prime_dangerous(void)
{
	const char *wanted = getenv("PRIME_DANGEROUS");

	return wanted && !strcmp(wanted, "1");
}

/* --- what is undone --- */

enum { UNDO = 32 };

/* In memory that all processes of a program share. */
static struct {
	int count;
	struct undo {
		undo_function *undo;
		char what[160];
		char text[64];
	} list[UNDO];
} *changes;

static void share_changes(void)
{
	changes = mmap(NULL, sizeof(*changes), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (changes == MAP_FAILED) {
		perror("mmap");
		exit(PRIME_EXIT_ABORT);
	}
}

void undo_later(undo_function *undo, const char *what, const char *text)
{
	struct undo *next;

	/* matrix has a main() of its own, and ends with its guest. */
	if (!changes)
		return;

	next = &changes->list[changes->count];
	for (struct undo *u = changes->list; u < next; u++)
		if (u->undo == undo && !strcmp(u->what, what) && !strcmp(u->text, text))
			return;
	check(changes->count < UNDO);
	next->undo = undo;
	check(snprintf(next->what, sizeof(next->what), "%s", what) < (int)sizeof(next->what));
	check(snprintf(next->text, sizeof(next->text), "%s", text) < (int)sizeof(next->text));
	changes->count++;
}

void write_back(const char *path, const char *text)
{
	write_text(path, *text ? text : "\n");
}

void remove_back(const char *path, const char *nothing)
{
	double end = now() + 5;

	(void)nothing;
	while (remove(path) && errno == EBUSY && now() < end)
		usleep(10000);
}

static void unmount(const char *path, const char *nothing)
{
	(void)nothing;
	umount2(path, MNT_DETACH);
}

int mount_until_end(const char *type, const char *path)
{
	if (mount("none", path, type, 0, NULL))
		return -errno;
	undo_later(unmount, path, "");
	return 0;
}

int set_text(const char *path, const char *text)
{
	char *before = read_text(path);

	if (!before)
		return -errno;
	undo_later(write_back, path, before);
	free(before);
	return write_text(path, text);
}

long set_system(const char *path, long value)
{
	char *before = read_text(path), text[32];
	long old = before ? atol(before) : 0;
	int ret;

	free(before);
	if (getenv("PRIME_KEEP_SYSTEM"))
		prime_skip("PRIME_KEEP_SYSTEM forbids to set %s", path);
	snprintf(text, sizeof(text), "%ld", value);
	ret = set_text(path, text);
	if (ret)
		prime_skip("%s cannot be set: %s", path, strerror(-ret));
	return old;
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

/* Without the bit that 7.3 sets when a program makes the first fence of sw_sync. */
static long taint_mask(void)
{
	char *text = read_text("/proc/sys/kernel/tainted");
	long mask = text ? atol(text) : 0;

	free(text);
	return mask & ~(1l << 14);
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

/* --- signals --- */

static int ended_by;		/* the signal that ends the run */

/* Blocked while a job runs, so that they end the run only after everything is undone. */
static sigset_t job_signals(void)
{
	static const int signals[] = { SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	sigset_t set;

	sigemptyset(&set);
	for (int i = 0; i < 5; i++)
		sigaddset(&set, signals[i]);
	return set;
}

/* The wait status of a child, whose group is killed after @limit; -1 when it would not die. */
static int wait_for(pid_t pid, struct timespec limit, bool *late)
{
	sigset_t set = job_signals();
	int status, signal;

	*late = false;
	while (waitpid(pid, &status, WNOHANG) != pid) {
		signal = sigtimedwait(&set, NULL, &limit);
		if (signal == SIGCHLD || (signal < 0 && errno == EINTR))
			continue;
		if (signal > 0) {
			ended_by = signal;
			/* Not SIGKILL: only a subtest knows the group of its dynamic one. */
			kill(-pid, SIGTERM);
		} else if (*late) {
			return -1;
		} else {
			*late = true;
			kill(-pid, SIGKILL);
		}
		/* A job that a signal ends may have a dynamic one to wait for. */
		limit = (struct timespec){ .tv_sec = signal > 0 ? 25 : DEATH_SECONDS };
	}
	return status;
}

/* The children of a job end, too. Until then they may still change what is to be undone. */
static void end_group(pid_t pid)
{
	double end = now() + 5;
	pid_t got;

	kill(-pid, SIGKILL);
	while ((got = waitpid(-pid, NULL, WNOHANG)) >= 0 && now() < end)
		if (!got)
			usleep(1000);
}

/*
 * Undoes changes, the last one first, until @kept are left, each in a process of its own. If
 * this process is killed meanwhile, its parent goes on, with the change that was under way.
 */
static void undo_changes(int kept)
{
	for (; changes->count > kept; changes->count--) {
		struct undo *u = &changes->list[changes->count - 1];
		pid_t pid = fork();

		if (!pid) {
			u->undo(u->what, u->text);
			_exit(PRIME_EXIT_SUCCESS);
		}
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
}

static void restore(int kept)
{
	pid_t pid;

	undo_changes(kept);
	pid = prime_restore ? fork() : -1;
	if (!pid) {
		prime_restore();
		_exit(PRIME_EXIT_SUCCESS);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

/* A subtest, or a dynamic one within it. */
struct job {
	const char *kind, *verdict_kind;
	const char *name;
	void (*run)(void *data);
	void *data;
	bool dynamic;
};

static double deadline;		/* of the subtest of this process */

/* The results of its dynamic subtests. */
static struct {
	int run, skipped, failed;
} dynamic;

static void be_job(const struct job *job, const sigset_t *signals)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigprocmask(SIG_SETMASK, signals, NULL);
	if (!job->dynamic)
		deadline = now() + SUBTEST_SECONDS;
	memset(&dynamic, 0, sizeof(dynamic));
	job->run(job->data);
	fflush(NULL);
	_exit(dynamic.failed ? PRIME_EXIT_FAILURE :
	      dynamic.run && dynamic.skipped == dynamic.run ? PRIME_EXIT_SKIP :
	      PRIME_EXIT_SUCCESS);
}

/* The verdict of a process that has ended, or must end. */
static int end_job(const struct job *job, pid_t pid, int kept)
{
	/* A dynamic subtest is out of time a moment before its subtest is. */
	double left = job->dynamic ? deadline - now() - 3 : SUBTEST_SECONDS;
	struct timespec limit = { .tv_sec = left > 1 ? left : 1 };
	bool late;
	int status = wait_for(pid, limit, &late);

	end_group(pid);
	restore(kept);
	if (ended_by) {
		say("The run ends by signal %s.\n", strsignal(ended_by));
		return 128 + ended_by;
	}
	if (status < 0) {
		say("The subtest hangs in the kernel and cannot be killed.\n");
		return PRIME_EXIT_ABORT;
	}
	if (late) {
		say("Not done after %ld s.\n", (long)limit.tv_sec);
		return PRIME_EXIT_FAILURE;
	}
	if (WIFSIGNALED(status)) {
		say("Received signal %s.\n", strsignal(WTERMSIG(status)));
		return PRIME_EXIT_FAILURE;
	}
	return WEXITSTATUS(status);
}

/* Is the kernel as it was? */
static bool kernel_is_well(long taint, int lockdep, bool count)
{
	/* Also waits after a failure, so that the next subtest begins without these buffers. */
	int left = buffers_before >= 0 ? settle_buffers(0) : 0;
	bool well = !left || !count;

	if (left && count)
		say("%d buffers before, %d after the last close.\n",
		    buffers_before, buffers_before + left);
	if (taint_mask() != taint) {
		say("The kernel's taint mask went from %ld to %ld.\n", taint,
		    taint_mask());
		well = false;
	}
	if (lockdep_on() != lockdep) {
		say("lockdep has switched itself off: see the kernel log.\n");
		well = false;
	}
	return well;
}

static int run_job(const struct job *job)
{
	int lockdep = lockdep_on(), outside = buffers_before, kept = changes->count, verdict;
	sigset_t set = job_signals(), old;
	long taint = taint_mask();
	double start = now();
	pid_t pid;

	buffers_before = all_buffers();
	say("Starting %s: %s\n", job->kind, job->name);
	fflush(NULL);

	/* The children of a job that has died are this process's, which waits for their end. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigprocmask(SIG_BLOCK, &set, &old);
	pid = fork();
	if (pid < 0) {
		say("fork: %s\n", strerror(errno));
		return PRIME_EXIT_ABORT;
	}
	if (!pid)
		be_job(job, &old);
	setpgid(pid, pid);
	verdict = end_job(job, pid, kept);
	if (ended_by)
		return verdict;
	if (!kernel_is_well(taint, lockdep, verdict == PRIME_EXIT_SUCCESS ||
			    verdict == PRIME_EXIT_SKIP))
		verdict = PRIME_EXIT_FAILURE;
	buffers_before = outside;
	say("%s %s: %s (%.3fs)\n", job->verdict_kind, job->name,
	    verdict == PRIME_EXIT_SUCCESS ? "SUCCESS" :
	    verdict == PRIME_EXIT_SKIP ? "SKIP" : "FAIL", now() - start);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return verdict;
}

static void call_subtest(void *data)
{
	((const struct prime_subtest *)data)->run();
}

static int run_subtest(const struct prime_subtest *test, const char *name)
{
	const struct job job = {
		.kind = "subtest", .verdict_kind = "Subtest", .name = name,
		.run = call_subtest, .data = (void *)test,
	};

	return run_job(&job);
}

void prime_dynamic(const char *given, void (*run)(void *data), void *data)
{
	char name[64];
	const struct job job = {
		.kind = "dynamic subtest", .verdict_kind = "Dynamic subtest",
		.name = name, .run = run, .data = data, .dynamic = true,
	};
	int verdict;

	/* The runner takes no other characters. */
	snprintf(name, sizeof(name), "%s", given);
	for (char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_')
			*c = '-';
	verdict = run_job(&job);
	if (verdict == PRIME_EXIT_ABORT || ended_by)
		_exit(verdict);
	dynamic.run++;
	dynamic.skipped += verdict == PRIME_EXIT_SKIP;
	dynamic.failed += verdict != PRIME_EXIT_SKIP &&
			  verdict != PRIME_EXIT_SUCCESS;
}

/* Descriptions of the subtests that match; fails when one has none. */
static int describe(const struct prime_subtest *tests, size_t count,
		    const char *patterns)
{
	int verdict = PRIME_EXIT_INVALID;
	char name[128];

	printf("%s\n\n", prime_description);
	for (size_t i = 0; i < count; i++) {
		const struct prime_description *d = prime_descriptions;

		list_name(&tests[i], name, sizeof(name));
		if (!wanted(name, patterns))
			continue;
		if (verdict == PRIME_EXIT_INVALID)
			verdict = PRIME_EXIT_SUCCESS;
		while (d->name && strcmp(d->name, name))
			d++;
		if (!d->name)
			verdict = PRIME_EXIT_FAILURE;
		printf("SUB %s %s:%d:\n  %s\n\n", name, prime_source, d->line,
		       d->name ? d->text : "NO DOCUMENTATION!");
	}
	return verdict;
}

static void usage(FILE *stream, const char *program)
{
	fprintf(stream,
		"usage: %s [--list-subtests] [--run-subtest NAMES] [--describe[=NAMES]]\n"
		"       [--device PATH] [--destructive] [--driver] [--kernels]\n"
		"  --list-subtests      print the names, one on each line\n"
		"  --run-subtest NAMES  names or patterns, with commas between\n"
		"  --describe[=NAMES]   print what the subtests do\n"
		"  --destructive        also run subtests that unload modules, unbind drivers or\n"
		"                       set modes; the same as PRIME_DESTRUCTIVE=1 in the\n"
		"                       environment\n"
		"  --device PATH        the DRM node to test; for a render node the card of the\n"
		"                       same device (default: PRIME_DEVICE, or else a card of\n"
		"                       the driver that IGT_FORCE_DRIVER names, or else vgem's)\n"
		"  --driver             print name and version of the device's driver\n"
		"  --kernels            print which kernels the tests know, and what differs; the\n"
		"                       exit status is 79 if the running kernel is none of them\n"
		"With PRIME_BUFFERS=gbm in the environment, the buffers are libgbm's.\n",
		program);
}

struct request {
	const char *patterns;
	bool list, explain, driver, kernels;
	int end;		/* exit code if there is nothing to run, else -1 */
};

static struct request parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "list-subtests", no_argument, NULL, 'l' },
		{ "run-subtest", required_argument, NULL, 'r' },
		{ "describe", optional_argument, NULL, 'D' },
		{ "device", required_argument, NULL, 'd' },
		{ "driver", no_argument, NULL, 'N' },
		{ "kernels", no_argument, NULL, 'k' },
		{ "destructive", no_argument, NULL, 'x' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct request request = { .patterns = "*", .end = -1 };
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'l':
			request.list = true;
			break;
		case 'r':
			request.patterns = optarg;
			break;
		case 'D':
			request.explain = true;
			request.patterns = optarg ? optarg : request.patterns;
			break;
		case 'x':
			setenv("PRIME_DESTRUCTIVE", "1", 1);
			break;
		case 'd':
			prime_device_path = optarg;
			break;
		case 'N':
			request.driver = true;
			break;
		case 'k':
			request.kernels = true;
			break;
		default:
			usage(option == 'h' ? stdout : stderr, argv[0]);
			request.end = option == 'h' ? PRIME_EXIT_SUCCESS :
						      PRIME_EXIT_INVALID;
		}
	}
	return request;
}

static int run_matching(const struct prime_subtest *tests, size_t count,
			const char *patterns)
{
	int run = 0, skipped = 0, failed = 0;
	char name[128];

	for (size_t i = 0; i < count; i++) {
		int verdict;

		list_name(&tests[i], name, sizeof(name));
		if (!wanted(name, patterns))
			continue;
		run++;
		verdict = run_subtest(&tests[i], name);
		if (verdict == PRIME_EXIT_ABORT || ended_by)
			return verdict;
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

static int tell_driver(void)
{
	struct drm_version version = { };
	int drm = prime_device_path ? open(prime_device_path, O_RDWR | O_CLOEXEC) : -1;

	if (xioctl(drm, DRM_IOCTL_VERSION, &version)) {
		fprintf(stderr, "%s is no DRM device\n", prime_device_path ?: "nothing");
		return PRIME_EXIT_INVALID;
	}
	printf("%s %d.%d.%d\n", driver_name(drm), version.version_major,
	       version.version_minor, version.version_patchlevel);
	return PRIME_EXIT_SUCCESS;
}

int prime_main(int argc, char **argv, const struct prime_subtest *tests,
	       size_t count)
{
	struct request request;
	struct utsname machine;
	char name[128];

	prime_device_path = getenv("PRIME_DEVICE");
	request = parse_options(argc, argv);
	if (request.end >= 0)
		return request.end;
	if (request.explain)
		return describe(tests, count, request.patterns);
	if (request.list) {
		for (size_t i = 0; i < count; i++) {
			list_name(&tests[i], name, sizeof(name));
			puts(name);
		}
		return PRIME_EXIT_SUCCESS;
	}

	if (request.kernels)
		return kernel_tell(stdout) ? PRIME_EXIT_SUCCESS : PRIME_EXIT_INVALID;
	if (request.driver)
		return tell_driver();
	share_changes();
	uname(&machine);
	printf("IGT-Version: 2.5-prime (%s) (%s: %s %s)\n", machine.machine,
	       machine.sysname, machine.release, machine.machine);
	fflush(stdout);
	return run_matching(tests, count, request.patterns);
}
