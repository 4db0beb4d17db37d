/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What engine.c offers: threads that only switch where it decides, memory whose
 * misuse it sees, and the story of a schedule that failed. No kernel type and
 * no libc type is in here, since both sides include it.
 */
#ifndef EXPLORE_ENGINE_H
#define EXPLORE_ENGINE_H

#define EX_THREADS 8	/* 0 sets up and finishes; up to 4 of a scenario; 3 daemons */
#define EX_WORK 5
#define EX_RCU 6
#define EX_FPUT 7

/* Where allocations are; so much for each thread. */
#define EX_HEAP		0x200000000000ul
#define EX_HEAP_SIZE	0x1000000ul

enum ex_event {
	EX_READ, EX_WRITE, EX_LOCK, EX_UNLOCK, EX_BLOCK, EX_WAKE, EX_ALLOC,
	EX_FREE, EX_CHOICE, EX_NOTE, EX_SWITCH,
};

/* The running thread. */
int ex_self(void);
/* Starts a thread; a daemon may still wait for work when all others are done. */
void ex_thread(int id, const char *name, void (*run)(void *arg), void *arg, int daemon);
/* Waits until all threads but daemons have ended, and daemons have no work. */
void ex_join(void);
/* 1: no switch but where a thread can't go on. */
void ex_quiet(int on);

/* Others may run here, if they ever touch @addr in a way that matters. */
void ex_touch(const volatile void *addr, unsigned long size, int write, unsigned long pc);
/* Others may run here, as before ex_touch(), but the thread has not touched @addr yet. */
void ex_arrive(const volatile void *addr);
/* The thread learns of what others did at @addr; nobody else runs here. */
void ex_sync(const volatile void *addr);
/* The same as ex_touch() for an operation on a lock or the like, always shown in a story. */
void ex_operation(enum ex_event event, const volatile void *addr, const char *what,
		  unsigned long pc);
/* A line of the story without a choice. */
void ex_log(enum ex_event event, const volatile void *addr, const char *what, unsigned long pc);
/* Sleeps until ready(arg); called again each time that another thread stops. */
void ex_wait(int (*ready)(void *arg), void *arg, const char *what, unsigned long pc);
/* Until ready(arg), or until nothing else can go on; returns 0 then. */
int ex_wait_timeout(int (*ready)(void *arg), void *arg, const char *what, unsigned long pc);
/*
 * A choice that is not one of threads: 0 to @n - 1. Any answer but 0 uses up one of
 * the faults that are allowed.
 */
int ex_choose(int n, const char *what);

/* Memory of 0s; never the same again within a schedule. */
void *ex_alloc(unsigned long size, unsigned long align, unsigned long pc);
/* From the memory of thread @id, so that only this thread decides about the address. */
void *ex_alloc_of(int id, unsigned long size, unsigned long align, unsigned long pc);
void ex_free(const void *p, unsigned long pc);
/* 0 if @p is not the start of an allocation that is alive. */
unsigned long ex_alloc_size(const void *p);
/* From here on allocations have to be freed before the end. */
void ex_leaks_begin(void);
/* This allocation is not a leak. */
void ex_not_leaked(const void *p);
/* A line of the story. */
void ex_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A fault was found: ends this schedule. */
void ex_fault(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Formats with libc's rules; returns the length. */
int ex_format(char *buf, unsigned long size, const char *format, __builtin_va_list args);

struct ex_scenario {
	const char *name;
	const char *about;
	void (*run)(void);
	int preemptions, with_fault;	/* bounds: without a fault, and with one (-1: not) */
	int more, more_with_fault;	/* the same for check-more */
};

#define EX_SCENARIO(ident, ...)								\
	static const struct ex_scenario ident##_scenario = { __VA_ARGS__ };		\
	static const struct ex_scenario *const ident##_listed				\
		__attribute__((section("ex_scenarios"), used)) = &ident##_scenario

/* In thread 0: once, before the first schedule; and around each schedule. */
void ex_boot(void);
void ex_start(void);
void ex_end(void);

#endif /* EXPLORE_ENGINE_H */
