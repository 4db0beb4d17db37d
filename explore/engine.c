// SPDX-License-Identifier: GPL-2.0
/*
 * Explores schedules. Each is run from the start: the memory of the kernel's
 * objects and of the runtime is restored. Then the decisions of the previous
 * schedule are repeated, up to the last one that had another way to go, and that
 * way is taken.
 *
 * A thread can be preempted before it touches a location for which two threads
 * race: in some schedule so far, one of them writes, and nothing orders their
 * accesses (vector clocks tell). Where no race is known, a preemption
 * can be moved to the next such place, and the result is the same. A race that
 * is found on the way makes the pass start again, until a pass finds none.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"
#include "story.h"

#define HEAP		EX_HEAP
#define HEAP_SIZE	EX_HEAP_SIZE
#define STACKS		0x300000000000ul
#define STACK_SIZE	0x40000ul
#define REDZONE		16
#define DEPTH		128
#define STEPS_MAX	2000000u
#define DECISIONS	20000
#define LOCATIONS	(1u << 17)

typedef struct { uint32_t of[EX_THREADS]; } clocks;

struct thread {
	const char *name;
	void (*run)(void *arg);
	void *arg;
	void *sp;
	int (*ready)(void *arg);	/* NULL: can go on */
	void *ready_arg;
	const char *waits_for;
	unsigned long waits_at;
	int started, ended, daemon, may_time_out, timed_out;
	clocks now;
	unsigned long stack[DEPTH];	/* return addresses */
	int depth;
	unsigned long heap;		/* next free address */
};

struct decision {
	uint32_t step;
	uint8_t n, chosen, preempts, fault;
};

/* What is known of eight bytes. The clocks are of this schedule only. */
struct location {
	unsigned long addr;
	uint32_t run;
	int raced;
	clocks written, read;
};

struct allocation {
	unsigned long addr, size;
	unsigned long at, freed_at;
	int by, freed_by, leaks;
};

extern char __start_kdata[], __stop_kdata[], __start_kbss[], __stop_kbss[];
extern char __executable_start[], etext[];
extern const struct ex_scenario *const __start_ex_scenarios[], *const __stop_ex_scenarios[];

static struct thread threads[EX_THREADS];
static int current;
static void *engine_sp;
static int booted, quiet, asking;

static struct decision decisions[DECISIONS];
static int decided, position;
static int forced;		/* a replay: what is not decided goes its first way */
static uint32_t step, run;
static int preemptions, faults, max_preemptions, max_faults;
static int dirty;

static struct location *locations;
static uint8_t *known;	/* of the heap, for each 8 bytes: there is a location */
static uint8_t *shadow; /* of the heap, for each 8 bytes: how many may be used; or: */
#define FREED 0xfd
static struct allocation *allocations;
static int allocated, leaks_from;
#define ALLOCATIONS 100000

static char *saved_data, *saved_bss, *saved_heap, *saved_shadow;
static unsigned long saved_top;
static int saved_allocated;

static char fault_text[2000];
static int faulty;
static uint8_t *entered;	/* a byte for each of text */
static struct story story;

/* --- coroutines --- */

void switch_stack(void **from, void *to);
__asm__(".text\n.globl switch_stack\nswitch_stack:\n"
	"push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\n"
	"mov %rsp, (%rdi)\nmov %rsi, %rsp\n"
	"pop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\nret\n");

static void leave(void)
{
	void *unused;

	switch_stack(&unused, engine_sp);
}

static void log_event(enum ex_event event, const volatile void *addr, unsigned long size,
		      const char *what, unsigned long pc)
{
	struct thread *t = &threads[current];

	if (story.on)
		story_add(&story, current, event, (unsigned long)addr, size, what, pc, t->stack,
			  t->depth);
}

void ex_log(enum ex_event event, const volatile void *addr, const char *what, unsigned long pc)
{
	log_event(event, addr, 0, what, pc);
}

void ex_note(const char *format, ...)
{
	char text[200];
	va_list args;

	if (!story.on)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_event(EX_NOTE, NULL, 0, strdup(text), 0);
}

static void fault_at(unsigned long pc, const char *format, va_list args)
{
	vsnprintf(fault_text, sizeof(fault_text), format, args);
	faulty = 1;
	log_event(EX_NOTE, NULL, 0, fault_text, pc);
	leave();
	abort();
}

void ex_fault(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fault_at((unsigned long)__builtin_return_address(0), format, args);
	__builtin_unreachable();
}

static void __attribute__((format(printf, 2, 3)))
fault_pc(unsigned long pc, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fault_at(pc, format, args);
}

int ex_format(char *buf, unsigned long size, const char *format, __builtin_va_list args)
{
	return vsnprintf(buf, size, format, args);
}

int ex_self(void)
{
	return current;
}

/* What a condition reads is no step of the thread that happens to run. */
static int holds(int (*ready)(void *arg), void *arg)
{
	const int was = asking;
	int yes;

	asking = 1;
	yes = ready(arg);
	asking = was;
	return yes;
}

static int enabled(int id)
{
	struct thread *t = &threads[id];

	return t->started && !t->ended && (!t->ready || holds(t->ready, t->ready_arg));
}

static void switch_to(int id)
{
	int from = current;

	if (id == from)
		return;
	log_event(EX_SWITCH, NULL, id, NULL, 0);
	current = id;
	switch_stack(&threads[from].sp, threads[id].sp);
}

/* The way to go of @n; 0 is the first choice. */
static int decide(int n, int preempts, int fault)
{
	struct decision *d;

	if (position < decided) {
		d = &decisions[position];
		if (d->step != step)
			return 0;
		position++;
		preemptions += d->preempts && d->chosen;
		faults += d->fault && d->chosen;
		return d->chosen;
	}
	if (forced || (preempts && preemptions >= max_preemptions) ||
	    (fault && faults >= max_faults))
		return 0;
	if (decided == DECISIONS)
		ex_fault("more than %d decisions in one schedule", DECISIONS);
	d = &decisions[decided++];
	position++;
	*d = (struct decision){ .step = step, .n = n, .preempts = preempts, .fault = fault };
	return 0;
}

/* In a replay: is something decided at this step? */
static inline int replays(uint32_t at)
{
	return forced && position < decided && decisions[position].step == at;
}

static void next_step(void)
{
	if (++step > STEPS_MAX)
		ex_fault("no end after %u steps: threads go round in a circle", step);
}

/* The running thread can go on, but others may go first. */
static void preempt(void)
{
	uint8_t candidates[EX_THREADS] = { current };
	int n = 1, id;

	/* Looking who could run costs something, so look first whether it matters. */
	if (quiet || (position >= decided && (forced || preemptions >= max_preemptions)) ||
	    (position < decided && decisions[position].step != step))
		return;
	for (id = 1; id < EX_THREADS; id++)
		if (id != current && enabled(id))
			candidates[n++] = id;
	if (n > 1)
		switch_to(candidates[decide(n, 1, 0) % n]);
}

static int all_ended(void *unused)
{
	int id;

	for (id = 1; id < EX_THREADS; id++) {
		struct thread *t = &threads[id];

		if (t->started && !t->ended && (!t->daemon || !t->ready || t->ready(t->ready_arg)))
			return 0;
	}
	return 1;
}

static void deadlock(void)
{
	char text[1500];
	int id, n = 0;

	for (id = 0; id < EX_THREADS; id++) {
		struct thread *t = &threads[id];

		if (!t->started || t->ended || t->daemon || !t->ready || t->ready == all_ended)
			continue;
		n += snprintf(text + n, sizeof(text) - n, "%s%s waits for %s", n ? "; " : "",
			      t->name, t->waits_for);
	}
	ex_fault("deadlock or lost wake-up: %s", text);
}

/* The running thread can't go on, or has ended. */
static void go_on_elsewhere(void)
{
	uint8_t candidates[EX_THREADS];
	int n = 0, id;

	next_step();
	for (id = 0; id < EX_THREADS; id++)
		if (enabled(id))
			candidates[n++] = id;
	for (id = 0; !n && id < EX_THREADS; id++) {
		if (threads[id].started && !threads[id].ended && threads[id].may_time_out) {
			threads[id].timed_out = 1;
			candidates[n++] = id;
		}
	}
	if (!n)
		deadlock();
	switch_to(candidates[n > 1 && !quiet ? decide(n, 0, 0) % n : 0]);
}

static int wait_for(int (*ready)(void *arg), void *arg, const char *what, unsigned long pc,
		    int timeout)
{
	struct thread *t = &threads[current];

	if (holds(ready, arg))
		return 1;
	log_event(EX_BLOCK, NULL, 0, what, pc);
	t->ready = ready;
	t->ready_arg = arg;
	t->waits_for = what;
	t->waits_at = pc;
	t->may_time_out = timeout;
	t->timed_out = 0;
	do
		go_on_elsewhere();
	while (!holds(ready, arg) && !t->timed_out);
	t->ready = NULL;
	t->may_time_out = 0;
	return !t->timed_out;
}

void ex_wait(int (*ready)(void *arg), void *arg, const char *what, unsigned long pc)
{
	wait_for(ready, arg, what, pc, 0);
}

int ex_wait_timeout(int (*ready)(void *arg), void *arg, const char *what, unsigned long pc)
{
	return wait_for(ready, arg, what, pc, 1);
}

int ex_choose(int n, const char *what)
{
	int way;

	if (quiet)
		return 0;
	next_step();
	way = decide(n, 0, 1);
	if (way)
		log_event(EX_CHOICE, NULL, way, what, (unsigned long)__builtin_return_address(0));
	return way;
}

static void thread_main(void)
{
	struct thread *t = &threads[current];

	t->run(t->arg);
	t->ended = 1;
	if (!current)
		leave();
	if (t->depth)
		ex_fault("the stack of calls of %s is not empty at its end", t->name);
	go_on_elsewhere();
	abort();
}

void ex_thread(int id, const char *name, void (*run_)(void *arg), void *arg, int daemon)
{
	struct thread *t = &threads[id];
	unsigned long heap = t->heap;
	void **sp = (void **)(STACKS + (id + 1) * STACK_SIZE - 128);

	*t = (struct thread){
		.name = name, .run = run_, .arg = arg, .daemon = daemon, .started = 1, .heap = heap
	};
	/* What switch_stack() pops, and a return address of a function that never returns. */
	sp[6] = thread_main;
	sp[7] = NULL;
	t->sp = sp;
}

void ex_quiet(int on)
{
	quiet = on;
}

void ex_join(void)
{
	wait_for(all_ended, NULL, "the others to end", 0, 0);
}

/* --- memory --- */

static struct allocation *allocation_of(unsigned long addr)
{
	struct allocation *best = NULL;
	int i;

	for (i = 0; i < allocated; i++)
		if (allocations[i].addr <= addr &&
		    addr < allocations[i].addr + allocations[i].size + REDZONE)
			best = &allocations[i];
	return best;
}

#define OBJECT "an object of %lu bytes, allocated by %s at %s"

static void bad_access(unsigned long addr, unsigned long size, int write, unsigned long pc)
{
	struct allocation *a = allocation_of(addr);
	char at[200], freed[200];

	if (!a)
		fault_pc(pc, "%s of %lu bytes at 0x%lx, where nothing was allocated",
			 write ? "write" : "read", size, addr);
	story_where(&story, a->at, at, sizeof(at));
	if (!a->freed_at)
		fault_pc(pc, "%s of %lu bytes at offset %ld of " OBJECT, write ? "write" : "read", size,
			 addr - a->addr, a->size, threads[a->by].name, at);
	story_where(&story, a->freed_at, freed, sizeof(freed));
	fault_pc(pc, "use after free: %s of %lu bytes at offset %ld of " OBJECT ", freed by %s at %s",
		 write ? "write" : "read", size, addr - a->addr, a->size, threads[a->by].name, at,
		 threads[a->freed_by].name, freed);
}

static inline void check_memory(unsigned long addr, unsigned long size, int write, unsigned long pc)
{
	unsigned long at = addr - HEAP, end = at + size;

	if (at >= HEAP_SIZE * EX_THREADS) {
		if (addr < 0x10000)
			fault_pc(pc, "%s through a NULL pointer (0x%lx)", write ? "write" : "read",
				 addr);
		return;
	}
	for (; at < end; at = (at | 7) + 1) {
		unsigned int left = shadow[at >> 3], want = (end - (at & ~7ul) < 8) ? end & 7 : 8;

		if (left == FREED || left < want)
			bad_access(addr, size, write, pc);
	}
}

void *ex_alloc(unsigned long size, unsigned long align, unsigned long pc)
{
	return ex_alloc_of(current, size, align, pc);
}

void *ex_alloc_of(int id, unsigned long size, unsigned long align, unsigned long pc)
{
	struct thread *t = &threads[id];
	unsigned long addr, i;

	if (align < 16)
		align = 16;
	addr = (t->heap + align - 1) & -align;
	t->heap = addr + size + REDZONE;
	if (t->heap > HEAP + (id + 1) * HEAP_SIZE || allocated == ALLOCATIONS)
		ex_fault("the explorer has no memory left");
	for (i = 0; i < size; i += 8)
		shadow[(addr + i - HEAP) >> 3] = size - i < 8 ? size - i : 8;
	allocations[allocated++] = (struct allocation){
		.addr = addr, .size = size, .at = pc, .by = current, .leaks = 1
	};
	log_event(EX_ALLOC, (void *)addr, size, NULL, pc);
	return (void *)addr;
}

static struct allocation *allocation_at(const void *p)
{
	int i;

	for (i = allocated - 1; i >= 0; i--)
		if (allocations[i].addr == (unsigned long)p)
			return &allocations[i];
	return NULL;
}

unsigned long ex_alloc_size(const void *p)
{
	struct allocation *a = allocation_at(p);

	return a && !a->freed_at ? a->size : 0;
}

void ex_free(const void *p, unsigned long pc)
{
	struct allocation *a = allocation_at(p);
	char at[200];
	unsigned long i;

	if (!a)
		fault_pc(pc, "free of 0x%lx, which was not allocated", (unsigned long)p);
	if (a->freed_at) {
		story_where(&story, a->freed_at, at, sizeof(at));
		fault_pc(pc, "double free of an object of %lu bytes, freed before by %s at %s",
			 a->size, threads[a->freed_by].name, at);
	}
	/* A use by another thread must be over before. What nobody has used has no location. */
	for (i = 0; i < a->size && !quiet; i += 8) {
		if (known[((unsigned long)p + i - HEAP) >> 3] || replays(step + 1))
			ex_touch((char *)p + i, 8, 1, pc);
		else
			next_step();
	}
	if (a->freed_at)
		fault_pc(pc, "double free of an object of %lu bytes, by %s and %s at once", a->size,
			 threads[a->freed_by].name, threads[current].name);
	memset(shadow + (((unsigned long)p - HEAP) >> 3), FREED, (a->size + 7) / 8);
	a->freed_at = pc;
	a->freed_by = current;
	log_event(EX_FREE, p, a->size, NULL, pc);
}

void ex_leaks_begin(void)
{
	leaks_from = allocated;
}

void ex_not_leaked(const void *p)
{
	allocation_at(p)->leaks = 0;
}

static void check_leaks(void)
{
	char at[200];
	int i;

	for (i = leaks_from; i < allocated; i++) {
		struct allocation *a = &allocations[i];

		if (a->freed_at || !a->leaks)
			continue;
		story_where(&story, a->at, at, sizeof(at));
		ex_fault("leak: %lu bytes, allocated by %s at %s", a->size, threads[a->by].name,
			 at);
	}
}

/* --- accesses --- */

static struct location *location(unsigned long addr)
{
	unsigned int i = (addr >> 3) * 0x9e3779b97f4a7c15ul >> 47;
	struct location *l;

	for (;; i++) {
		l = &locations[i & (LOCATIONS - 1)];
		if (l->addr == addr)
			break;
		if (!l->addr) {
			l->addr = addr;
			if (addr - HEAP < HEAP_SIZE * EX_THREADS)
				known[(addr - HEAP) >> 3] = 1;
			break;
		}
	}
	if (l->run != run) {
		l->run = run;
		l->written = l->read = (clocks){ };
	}
	return l;
}

/* Is all of @a known to @b? */
static inline int before(const clocks *a, const clocks *b)
{
	int i, later = 0;

	for (i = 0; i < EX_THREADS; i++)
		later |= a->of[i] > b->of[i];
	return !later;
}

static inline void learn(clocks *now, const clocks *other)
{
	int i;

	for (i = 0; i < EX_THREADS; i++)
		now->of[i] = now->of[i] > other->of[i] ? now->of[i] : other->of[i];
}

static inline void sync_clocks(struct location *l, int write)
{
	clocks *now = &threads[current].now;

	if (!before(&l->written, now) || (write && !before(&l->read, now))) {
		if (!l->raced) {
			l->raced = 1;
			dirty = 1;
		}
		learn(now, &l->written);
		if (write)
			learn(now, &l->read);
	}
	now->of[current]++;
	if (write)
		l->written = *now;
	else
		learn(&l->read, now);
}

static inline struct location *arrive(unsigned long addr)
{
	struct location *l = location(addr & ~7ul);

	next_step();
	if (l->raced || replays(step))
		preempt();
	return l;
}

static inline void touch(unsigned long addr, int write, unsigned long pc)
{
	struct location *l = arrive(addr);

	if (l->raced)
		log_event(write ? EX_WRITE : EX_READ, (void *)addr, 8, NULL, pc);
	sync_clocks(l, write);
}

void ex_arrive(const volatile void *p)
{
	if (!quiet && !asking)
		arrive((unsigned long)p);
}

void ex_sync(const volatile void *p)
{
	check_memory((unsigned long)p, 1, 1, (unsigned long)__builtin_return_address(0));
	if (!quiet)
		sync_clocks(location((unsigned long)p & ~7ul), 1);
}

void ex_touch(const volatile void *p, unsigned long size, int write, unsigned long pc)
{
	unsigned long addr = (unsigned long)p, end = addr + size;

	if (quiet || asking)
		return;
	for (; addr < end; addr = (addr | 7) + 1)
		touch(addr, write, pc);
}

void ex_operation(enum ex_event event, const volatile void *addr, const char *what,
		  unsigned long pc)
{
	if (!quiet)
		touch((unsigned long)addr, 1, pc);
	check_memory((unsigned long)addr, 1, 1, pc);
	log_event(event, addr, 0, what, pc);
}

static inline void accessed(const volatile void *p, unsigned long size, int write, unsigned long pc)
{
	if (!booted)
		return;
	ex_touch(p, size, write, pc);
	/* After others may have run. */
	check_memory((unsigned long)p, size, write, pc);
}

#define PC ((unsigned long)__builtin_return_address(0))
#define ACCESS(n)								\
	void __tsan_read##n(void *p);						\
	void __tsan_read##n(void *p) { accessed(p, n, 0, PC); }			\
	void __tsan_write##n(void *p);						\
	void __tsan_write##n(void *p) { accessed(p, n, 1, PC); }			\
	void __tsan_unaligned_read##n(void *p);					\
	void __tsan_unaligned_read##n(void *p) { accessed(p, n, 0, PC); }		\
	void __tsan_unaligned_write##n(void *p);				\
	void __tsan_unaligned_write##n(void *p) { accessed(p, n, 1, PC); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
void __tsan_read_range(void *p, unsigned long size);
void __tsan_read_range(void *p, unsigned long size) { accessed(p, size, 0, PC); }
void __tsan_write_range(void *p, unsigned long size);
void __tsan_write_range(void *p, unsigned long size) { accessed(p, size, 1, PC); }
void ex_atomic(const volatile void *p, unsigned long size, int write);
void ex_atomic(const volatile void *p, unsigned long size, int write)
{
	accessed(p, size, write, PC);
}

/* string functions of the kernel's objects */
void *kernel_memcpy(void *to, const void *from, unsigned long n);
void *kernel_memcpy(void *to, const void *from, unsigned long n)
{
	accessed(from, n, 0, PC);
	accessed(to, n, 1, PC);
	return memmove(to, from, n);
}

void *kernel_memmove(void *to, const void *from, unsigned long n)
	__attribute__((alias("kernel_memcpy")));

void *kernel_memset(void *to, int c, unsigned long n);
void *kernel_memset(void *to, int c, unsigned long n)
{
	accessed(to, n, 1, PC);
	return memset(to, c, n);
}

int kernel_snprintf(char *buf, unsigned long size, const char *format, ...);
int kernel_snprintf(char *buf, unsigned long size, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(buf, size, format, args);
	va_end(args);
	return n;
}

void __tsan_func_entry(void *pc);
void __tsan_func_entry(void *pc)
{
	struct thread *t = &threads[current];

	entered[PC - (unsigned long)__executable_start] = 1;
	if (t->depth == DEPTH)
		ex_fault("more than %d calls deep", DEPTH);
	t->stack[t->depth++] = (unsigned long)pc;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
	threads[current].depth--;
}

void __tsan_init(void);
void __tsan_init(void)
{
}

/* Symbols that the objects need and nobody provides: see the Makefile. */
void ex_missing(const char *name);
void ex_missing(const char *name)
{
	ex_fault("%s() is called, which the runtime lacks", name);
}

/* --- one schedule --- */

static void on_signal(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *u = context;

	if (!booted) {
		fprintf(stderr, "explore: signal %d before the first schedule, at 0x%llx\n", signal,
			u->uc_mcontext.gregs[REG_RIP]);
		_exit(2);
	}
	fault_pc(u->uc_mcontext.gregs[REG_RIP], "access to 0x%lx, where nothing is (signal %d)",
		 (unsigned long)info->si_addr, signal);
}

static void restore(void)
{
	unsigned long size;
	int id;

	memcpy(__start_kdata, saved_data, __stop_kdata - __start_kdata);
	memcpy(__start_kbss, saved_bss, __stop_kbss - __start_kbss);
	for (id = 0; id < EX_THREADS; id++) {
		unsigned long start = HEAP + id * HEAP_SIZE;

		size = threads[id].heap - start;
		memset((void *)start, 0, size);
		memset(shadow + ((start - HEAP) >> 3), 0, size / 8 + 1);
		threads[id] = (struct thread){ .heap = start };
	}
	size = saved_top - HEAP;
	memcpy((void *)HEAP, saved_heap, size);
	memcpy(shadow, saved_shadow, size / 8 + 1);
	threads[0].heap = saved_top;
	allocated = saved_allocated;
	leaks_from = allocated;
	memset(allocations + allocated, 0, sizeof(*allocations));
}

static void one_schedule(void *arg)
{
	const struct ex_scenario *scenario = arg;

	ex_start();
	ex_leaks_begin();
	scenario->run();
	ex_end();
	ex_join();
	check_leaks();
}

static void boot(void *unused)
{
	ex_boot();
}

static void run_main(void (*f)(void *arg), void *arg)
{
	ex_thread(0, "main", f, arg, 0);
	current = 0;
	quiet = 1;
	step = 0;
	position = 0;
	preemptions = faults = 0;
	faulty = 0;
	switch_stack(&engine_sp, threads[0].sp);
}

static void execute(const struct ex_scenario *scenario)
{
	restore();
	run++;
	run_main(one_schedule, (void *)scenario);
}

static void set_up(void)
{
	static char signal_stack[65536];
	struct sigaction act = { .sa_sigaction = on_signal,
				 .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	stack_t ss = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };
	const int prot = PROT_READ | PROT_WRITE,
		  flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	int id;

	sigaltstack(&ss, NULL);
	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
	sigaction(SIGILL, &act, NULL);
	sigaction(SIGFPE, &act, NULL);
	if (mmap((void *)HEAP, HEAP_SIZE * EX_THREADS, prot, flags | MAP_FIXED, -1, 0) ==
		    MAP_FAILED ||
	    mmap((void *)STACKS, STACK_SIZE * EX_THREADS, prot, flags | MAP_FIXED, -1, 0) ==
		    MAP_FAILED) {
		perror("explore: mmap");
		exit(2);
	}
	shadow = mmap(NULL, HEAP_SIZE * EX_THREADS / 8, prot, flags, -1, 0);
	known = mmap(NULL, HEAP_SIZE * EX_THREADS / 8, prot, flags, -1, 0);
	locations = mmap(NULL, LOCATIONS * sizeof(*locations), prot, flags, -1, 0);
	allocations = mmap(NULL, ALLOCATIONS * sizeof(*allocations), prot, flags, -1, 0);
	entered = mmap(NULL, etext - __executable_start, prot, flags, -1, 0);
	for (id = 0; id < EX_THREADS; id++)
		threads[id].heap = HEAP + id * HEAP_SIZE;
	run_main(boot, NULL);
	if (faulty) {
		fprintf(stderr, "explore: boot: %s\n", fault_text);
		exit(2);
	}
	saved_data = malloc(__stop_kdata - __start_kdata);
	memcpy(saved_data, __start_kdata, __stop_kdata - __start_kdata);
	saved_bss = malloc(__stop_kbss - __start_kbss);
	memcpy(saved_bss, __start_kbss, __stop_kbss - __start_kbss);
	saved_top = threads[0].heap;
	saved_heap = malloc(saved_top - HEAP);
	memcpy(saved_heap, (void *)HEAP, saved_top - HEAP);
	saved_shadow = malloc((saved_top - HEAP) / 8 + 1);
	memcpy(saved_shadow, shadow, (saved_top - HEAP) / 8 + 1);
	saved_allocated = allocated;
	booted = 1;
}

/* --- all schedules --- */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* The decisions that did not go the first way, as replay() takes them. */
static void print_replay(const struct ex_scenario *scenario)
{
	int i;

	printf("To repeat it: make explore REPLAY='%s", scenario->name);
	for (i = 0; i < decided; i++)
		if (decisions[i].chosen)
			printf(" %u:%u", decisions[i].step, decisions[i].chosen);
	printf("'\n");
}

static void tell(const struct ex_scenario *scenario)
{
	forced = 1;
	/* Runs once without a story: a replay first has to learn on which locations threads race. */
	execute(scenario);
	story_begin(&story);
	execute(scenario);
	story_end(&story, (const char *[]){ threads[0].name, threads[1].name, threads[2].name,
					    threads[3].name, threads[4].name, threads[5].name,
					    threads[6].name, threads[7].name });
	printf("%s: %s\n", scenario->name, faulty ? fault_text : "no fault");
	forced = 0;
}

/* All schedules with so many preemptions and failed allocations; 0 if one of them failed. */
static int explore(const struct ex_scenario *scenario, int preempts, int fails,
		   unsigned long *schedules)
{
	unsigned long n;

	max_preemptions = preempts;
	max_faults = fails;
	do {
		decided = 0;
		dirty = 0;
		n = 0;
		do {
			execute(scenario);
			n++;
			if (faulty) {
				tell(scenario);
				print_replay(scenario);
				return 0;
			}
			while (decided &&
			       ++decisions[decided - 1].chosen == decisions[decided - 1].n)
				decided--;
		} while (decided);
	} while (dirty);
	*schedules = n;
	return 1;
}

static int explore_scenario(const struct ex_scenario *s, int more)
{
	const int preempts = more ? s->more : s->preemptions;
	const int with_fault = more ? s->more_with_fault : s->with_fault;
	unsigned long n = 0, m = 0;
	double start = seconds();
	int i;

	memset(locations, 0, LOCATIONS * sizeof(*locations));
	memset(known, 0, HEAP_SIZE * EX_THREADS / 8);
	/* Few preemptions first: the shortest story of a fault, and most races. */
	for (i = 0; i <= preempts; i++)
		if (!explore(s, i, 0, &n))
			return 0;
	for (i = 0; i <= with_fault; i++)
		if (!explore(s, i, 1, &m))
			return 0;
	printf("%-24s bound %d: %8lu schedules", s->name, preempts, n);
	if (with_fault >= 0)
		printf("  bound %d and a fault: %8lu", with_fault, m);
	printf("  %6.1f s\n", seconds() - start);
	fflush(stdout);
	return 1;
}

static int replay(char *text)
{
	const struct ex_scenario *const *s;
	char *word = strtok(text, " ");

	for (s = __start_ex_scenarios; s < __stop_ex_scenarios && strcmp((*s)->name, word ?: "");
	     s++)
		;
	if (s == __stop_ex_scenarios) {
		fprintf(stderr, "explore: there is no scenario %s (--list)\n", word);
		return 2;
	}
	decided = 0;
	while ((word = strtok(NULL, " "))) {
		unsigned int at, way;

		if (sscanf(word, "%u:%u", &at, &way) != 2) {
			fprintf(stderr, "explore: %s is not STEP:WAY\n", word);
			return 2;
		}
		decisions[decided++] = (struct decision){ .step = at, .chosen = way };
	}
	tell(*s);
	return faulty;
}

int main(int argc, char **argv)
{
	const struct ex_scenario *const *s;
	int failed = 0, more = 0, found = 0, i;
	unsigned long pc;
	FILE *f;

	set_up();
	if (argc == 3 && !strcmp(argv[1], "--replay"))
		return replay(argv[2]);
	if (argc > 1 && !strcmp(argv[1], "--more")) {
		more = 1;
		argv++;
		argc--;
	}
	for (s = __start_ex_scenarios; s < __stop_ex_scenarios; s++) {
		if (argc > 1 && !strcmp(argv[1], "--list")) {
			printf("%s\t%s\n", (*s)->name, (*s)->about);
			continue;
		}
		for (i = 1; i < argc && strcmp(argv[i], (*s)->name); i++)
			;
		if (argc > 1 && i == argc)
			continue;
		found++;
		failed |= !explore_scenario(*s, more);
	}
	if (!found && (argc == 1 || strcmp(argv[1], "--list"))) {
		fprintf(stderr, "explore: there is no scenario %s (--list)\n",
			argc > 1 ? argv[1] : "");
		return 2;
	}
	/* Where the functions were entered, for scripts/explore. */
	f = fopen(getenv("EXPLORE_ENTERED") ?: "/dev/null", "w");
	for (pc = 0; f && pc < (unsigned long)(etext - __executable_start); pc++)
		if (entered[pc])
			fprintf(f, "%lx\n", pc + (unsigned long)__executable_start);
	if (f)
		fclose(f);
	return failed;
}
