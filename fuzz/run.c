// SPDX-License-Identifier: MIT
/* Runs a program, in a process of its own that may be killed. */
#include "fuzz.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Calls that wait are interrupted after this time, again and again. */
#define PATIENCE_MS	60
#define KICK_MS		5
/* A process that cannot be killed is a fault of the kernel. */
#define LIFE_SECONDS	20
#define DEATH_SECONDS	60

struct thread {
	unsigned int number;
	uint64_t random;
	pthread_t id;
};

/* What the process shares with the one that watches it. */
static struct run_result *shared;
static const struct program *program;
static struct cover *cover;
static int64_t given[MAX_ID + 1][MAX_OUT];
static unsigned int waiting, first_file;

static uint64_t value_of(const struct argument *argument)
{
	if (!argument->id)
		return argument->value;
	return __atomic_load_n(&given[argument->id][argument->out], __ATOMIC_RELAXED);
}

/* Little endian: a field's lowest bytes come first. */
static int64_t run_ioctl(const struct call *call)
{
	char argument[512] = "";
	int64_t ret;

	for (unsigned int i = 1; i < call_arguments(call->type); i++) {
		const struct field *field = &call->type->in[i - 1];
		uint64_t value = value_of(&call->arguments[i]);

		memcpy(argument + field->offset, &value, field->size);
	}
	ret = ioctl(value_of(&call->arguments[0]), call->type->request, argument);
	for (unsigned int out = 0; ret >= 0 && out < MAX_OUT && call->type->out[out].name; out++) {
		const struct field *field = &call->type->out[out];
		int32_t value;

		memcpy(&value, argument + field->offset, sizeof(value));
		__atomic_store_n(&given[call->id][out], value, __ATOMIC_RELAXED);
	}
	return ret;
}

static int64_t run_helper(const struct call *call)
{
	int64_t arguments[3] = { 0 };

	for (unsigned int i = 0; i < call_arguments(call->type); i++)
		arguments[i] = value_of(&call->arguments[i]);
	return call->type->helper(arguments[0], arguments[1], arguments[2]);
}

static void run_call(const struct call *call)
{
	int64_t ret;

	calls_prepare(call);
	ret = call->type->on ? run_ioctl(call) : run_helper(call);
	if (call->type->gives)
		__atomic_store_n(&given[call->id][0], ret, __ATOMIC_RELAXED);
	__atomic_add_fetch(&shared->calls, 1, __ATOMIC_RELAXED);
	if (ret >= 0)
		__atomic_add_fetch(&shared->succeeded, 1, __ATOMIC_RELAXED);
}

/* In each round, the threads are shifted against each other in another way. */
static void stagger(struct thread *thread)
{
	thread->random = thread->random * 6364136223846793005ull + 1442695040888963407ull;
	calls_spend(thread->random >> 40 & ((1u << (thread->random >> 60)) - 1));
}

static void *run_thread(void *arg)
{
	struct thread *thread = arg;

	cover_begin(cover, thread->number);
	__atomic_sub_fetch(&waiting, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&waiting, __ATOMIC_RELAXED))
		sched_yield();
	for (unsigned int i = 0; i < program->count; i++) {
		if (program->calls[i].thread != thread->number)
			continue;
		if (thread->number)
			stagger(thread);
		run_call(&program->calls[i]);
	}
	cover_end(cover, thread->number);
	return NULL;
}

/* The end of a program, in thread 0's place: what it left open is closed. */
static void *run_end(void *unused)
{
	cover_begin(cover, 0);
	calls_end();
	syscall(SYS_close_range, first_file, ~0u, 0);
	cover_end(cover, 0);
	return unused;
}

static struct timespec after_ms(unsigned int ms)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	time.tv_nsec += ms * 1000000l;
	time.tv_sec += time.tv_nsec / 1000000000;
	time.tv_nsec %= 1000000000;
	return time;
}

/* Starts @count threads from @first on at once, and waits for them. */
static void run_threads(struct thread *threads, unsigned int first, unsigned int count,
			void *(*run)(void *))
{
	waiting = count;
	for (unsigned int i = first; i < first + count; i++)
		if (pthread_create(&threads[i].id, NULL, run, &threads[i]))
			_exit(1);
	for (unsigned int i = first, ms = PATIENCE_MS; i < first + count; i++, ms = KICK_MS) {
		struct timespec end = after_ms(ms);

		while (pthread_timedjoin_np(threads[i].id, NULL, &end)) {
			pthread_kill(threads[i].id, SIGUSR1);
			end = after_ms(KICK_MS);
		}
	}
}

static void run_rounds(unsigned int rounds)
{
	struct thread threads[MAX_THREADS] = { 0 };
	unsigned int count = program_threads(program);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	calls_begin();
	/* Files that were open before stay. */
	first_file = dup(0);
	close(first_file);
	for (unsigned int i = 0; i < count; i++)
		threads[i] = (struct thread){ .number = i, .random = i };
	while (rounds--) {
		memset(given, 0xff, sizeof(given));
		run_threads(threads, 0, 1, run_thread);
		if (count > 1)
			run_threads(threads, 1, count - 1, run_thread);
		run_threads(threads, 0, 1, run_end);
	}
	_exit(0);
}

/* Has the process ended after so long? SIGCHLD is blocked. */
static bool ends(pid_t pid, unsigned int seconds)
{
	struct timespec time = { .tv_sec = seconds };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigtimedwait(&set, NULL, &time);
	return waitpid(pid, NULL, WNOHANG) == pid;
}

struct run_result program_run(const struct program *what, unsigned int rounds, struct cover *with)
{
	sigset_t set;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (!shared)
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	*shared = (struct run_result){ 0 };
	program = what;
	cover = with;
	cover_reset(cover);
	fflush(NULL);
	pid = fork();
	if (!pid)
		run_rounds(program_threads(program) > 1 ? rounds : 1);
	if (pid > 0 && !ends(pid, LIFE_SECONDS)) {
		kill(pid, SIGKILL);
		shared->hung = !ends(pid, DEATH_SECONDS);
	}
	for (unsigned int i = 0; i < program->count; i++)
		calls_undo(&program->calls[i]);
	return *shared;
}
