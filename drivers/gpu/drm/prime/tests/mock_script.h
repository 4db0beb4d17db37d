/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One scripted operation of a mock: it counts its calls, may wait in each of
 * them, and fails the call it was told to fail.
 */
#ifndef MOCK_SCRIPT_H
#define MOCK_SCRIPT_H

#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/dma-resv.h>
#include <linux/sched.h>

#define MOCK_FAIL_ALWAYS	UINT_MAX

/**
 * struct mock_script - what one mocked operation does, and what it saw
 * @calls: calls so far, failed ones included
 * @done: calls so far that succeeded
 * @fail_at: which call fails, from 1; 0 for none, MOCK_FAIL_ALWAYS for all
 * @err: negative errno of the failing call
 * @until_waits: a thread. Calls of other threads go on only when it waits
 *	killably, as for another thread's import
 * @resv_locked: whether the reservation object was locked in the last call
 */
struct mock_script {
	atomic_t calls;
	atomic_t done;
	unsigned int fail_at;
	int err;
	struct task_struct *until_waits;
	bool resv_locked;
};

/*
 * Returns whether the thread waits killably, within five seconds. On stock a second
 * import waits for a mutex, and not killably, so half a second is enough there.
 */
static inline bool mock_waits_killably(struct task_struct *task)
{
	unsigned long end = jiffies + (IS_ENABLED(CONFIG_DRM_PRIME_LAYER) ? 5 * HZ : HZ / 2);

	while ((READ_ONCE(task->__state) & TASK_KILLABLE) != TASK_KILLABLE) {
		if (time_after(jiffies, end))
			return false;
		fsleep(1000);
	}
	return true;
}

static inline int mock_script_run(struct mock_script *script, struct dma_resv *resv)
{
	unsigned int call = atomic_inc_return(&script->calls);

	if (resv)
		script->resv_locked = dma_resv_is_locked(resv);
	if (script->until_waits && script->until_waits != current &&
	    !mock_waits_killably(script->until_waits) && IS_ENABLED(CONFIG_DRM_PRIME_LAYER))
		return -ETIMEDOUT;
	if (script->fail_at == MOCK_FAIL_ALWAYS || script->fail_at == call)
		return script->err;
	atomic_inc(&script->done);
	return 0;
}

static inline void mock_script_fail(struct mock_script *script, unsigned int at, int err)
{
	script->fail_at = at;
	script->err = err;
}

static inline int mock_calls(struct mock_script *script)
{
	return atomic_read(&script->calls);
}

static inline int mock_done(struct mock_script *script)
{
	return atomic_read(&script->done);
}

#endif /* MOCK_SCRIPT_H */
