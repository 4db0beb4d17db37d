/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites of this directory share: the switch for tests that make the
 * kernel warn, waiting, user memory and throw-away virtual memory areas.
 */
#ifndef PRIME_TEST_H
#define PRIME_TEST_H

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/jiffies.h>
#include <linux/mm_types.h>
#include <linux/module.h>

#include <kunit/test.h>

#include "../kernel.h"

extern bool prime_test_warn;

/*
 * Some tests pass bad arguments, which reach a WARN_ON() by design. A kernel that
 * panics on warnings runs with warn=0 and reports these tests as skipped.
 */
#define PRIME_TEST_NEEDS_WARN(test)						\
	do {									\
		if (!prime_test_warn)						\
			kunit_skip(test, "warn=0: the kernel warns by design");	\
	} while (0)

/* The kernel warns of a mistake once, and refuses it each time. */
#define prime_test_twice() for (int __twice = 0; __twice < 2; __twice++)

/*
 * A kernel thread that drops the last reference of a file leaves the release
 * to a work item, so whatever a release changes has to be waited for.
 */
#define prime_test_wait(cond)							\
({										\
	unsigned long __end = jiffies + 5 * HZ;					\
	bool __ok;								\
										\
	for (;;) {								\
		flush_delayed_fput();						\
		__ok = !!(cond);						\
		if (__ok || time_after(jiffies, __end))				\
			break;							\
		msleep(20);							\
	}									\
	__ok;									\
})

int prime_test_next_fd(void);
void prime_test_close_fd(struct kunit *test, int fd);
void prime_test_set_nofile(unsigned long limit);
void __user *prime_test_user_page(struct kunit *test, unsigned long prot);
unsigned long prime_test_user_read_only(struct kunit *test, const void *data, size_t size);
struct vm_area_struct *prime_test_vma(struct kunit *test, struct file *file,
				      unsigned long pages, unsigned long pgoff);
struct file *prime_test_file(struct kunit *test);
struct module *prime_test_module(struct kunit *test, enum module_state state);
struct device *prime_test_device(struct kunit *test);
u64 prime_test_free_below(u64 end);
u64 prime_test_low_mask(unsigned int bits);
void prime_test_signal_self(void);
void prime_test_kill_self(void);
void prime_test_signal_clear(void);

/**
 * struct prime_test_holder - another thread that has a reservation object locked
 * @resv: the reservation object
 * @meanwhile: what it does then; NULL: it waits for prime_test_let_go()
 * @data: argument of @meanwhile
 * @held: the lock is taken
 * @let_go: the lock is to be dropped
 * @gone: the lock is dropped
 */
struct prime_test_holder {
	struct dma_resv *resv;
	void (*meanwhile)(void *data);
	void *data;
	struct completion held;
	struct completion let_go;
	struct completion gone;
};

void prime_test_hold(struct kunit *test, struct prime_test_holder *holder);
void prime_test_let_go(struct prime_test_holder *holder);

#endif /* PRIME_TEST_H */
