// SPDX-License-Identifier: GPL-2.0
/*
 * What operations are told to do, and what they have done.
 *
 * Locks: mock_scripts.lock is taken before mock_record.lock. Nothing is called
 * while a mock_record.lock is held.
 */
#include <linux/err.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "prime_mock_script.h"

/* One operation: what it is told to do and what it has done. */
struct mock_op {
	u64 calls;
	u64 failures;
	u32 fail_at;		/* calls until one fails; 0: none fails */
	u32 fail_count;
	int error;		/* positive */
	u32 sleep_us;
	u32 script;		/* how many it has been given */
	bool interruptible;
};

/* Script and counters of an object, which outlive it, or of a device. */
struct mock_record {
	/* The device's record, in the same mock_scripts. NULL in that record. Constant. */
	struct mock_record *total;
	u32 id;				/* constant; 0 for the device's */
	spinlock_t lock;		/* protects the next three */
	struct mock_op ops[PRIME_MOCK_OPS];
	s64 balance[PRIME_MOCK_PAIRS];
	u64 moves;
	wait_queue_head_t sleepers;	/* until an operation's next script */
	bool freed;			/* mock_scripts.lock */
	struct list_head node;		/* in mock_scripts.freed, same lock */
};

struct mock_scripts {
	struct mock_record total;
	struct mutex lock;		/* protects all that follows */
	struct xarray records;		/* mock_record by id; owns them */
	struct list_head freed;		/* mock_record.node of freed objects, oldest first */
	unsigned int freed_count;
	u32 last_id;
};

/* --- records --- */
static void mock_record_init(struct mock_record *record, struct mock_record *total)
{
	spin_lock_init(&record->lock);
	init_waitqueue_head(&record->sleepers);
	INIT_LIST_HEAD(&record->node);
	record->total = total;
}

struct mock_scripts *mock_scripts_create(void)
{
	struct mock_scripts *scripts = kzalloc(sizeof(*scripts), GFP_KERNEL);

	if (!scripts)
		return NULL;
	mock_record_init(&scripts->total, NULL);
	mutex_init(&scripts->lock);
	xa_init(&scripts->records);
	INIT_LIST_HEAD(&scripts->freed);
	return scripts;
}

void mock_scripts_destroy(struct mock_scripts *scripts)
{
	struct mock_record *record;
	unsigned long id;

	xa_for_each(&scripts->records, id, record)
		kfree(record);
	xa_destroy(&scripts->records);
	mutex_destroy(&scripts->lock);
	kfree(scripts);
}

struct mock_record *mock_scripts_total(struct mock_scripts *scripts)
{
	return &scripts->total;
}

struct mock_record *mock_record_create(struct mock_scripts *scripts)
{
	struct mock_record *record = kzalloc(sizeof(*record), GFP_KERNEL_ACCOUNT);
	int ret = -ENOSPC;

	if (!record)
		return ERR_PTR(-ENOMEM);
	mock_record_init(record, &scripts->total);
	mutex_lock(&scripts->lock);
	if (scripts->last_id < U32_MAX) {
		record->id = scripts->last_id + 1;
		ret = xa_insert(&scripts->records, record->id, record, GFP_KERNEL);
		if (!ret)
			scripts->last_id++;
	}
	mutex_unlock(&scripts->lock);
	if (ret) {
		kfree(record);
		return ERR_PTR(ret);
	}
	return record;
}

/* The object is freed. Its counters stay until enough others are freed. */
void mock_record_retire(struct mock_scripts *scripts, struct mock_record *record)
{
	struct mock_record *oldest = NULL;

	mutex_lock(&scripts->lock);
	record->freed = true;
	list_add_tail(&record->node, &scripts->freed);
	if (++scripts->freed_count > PRIME_MOCK_KEPT_STATS) {
		oldest = list_first_entry(&scripts->freed, struct mock_record, node);
		list_del(&oldest->node);
		xa_erase(&scripts->records, oldest->id);
		scripts->freed_count--;
	}
	mutex_unlock(&scripts->lock);
	kfree(oldest);
}

u32 mock_record_id(const struct mock_record *record)
{
	return record->id;
}

/* --- operations --- */
/* Until the time is over, or a program gives the operation its next script. */
static int mock_sleep(struct mock_record *record, struct mock_op *what, u32 script, u32 us,
		      bool interruptible)
{
	long timeout = usecs_to_jiffies(us);

	if (!interruptible)
		wait_event_timeout(record->sleepers, READ_ONCE(what->script) != script, timeout);
	else if (wait_event_interruptible_timeout(record->sleepers,
						  READ_ONCE(what->script) != script, timeout) < 0)
		return -EINTR;
	return 0;
}

static void mock_op_count(struct mock_record *record, enum prime_mock_op op)
{
	spin_lock(&record->lock);
	record->ops[op].calls++;
	spin_unlock(&record->lock);
}

int mock_op_begin(struct mock_record *record, enum prime_mock_op op)
{
	struct mock_op *what = &record->ops[op];
	bool interruptible;
	int error = 0, ret;
	u32 script, us;

	if (record->total)
		mock_op_count(record->total, op);
	spin_lock(&record->lock);
	what->calls++;
	script = what->script;
	us = what->sleep_us;
	interruptible = what->interruptible;
	if (what->fail_at > 1) {
		what->fail_at--;
	} else if (what->fail_at && what->fail_count) {
		error = what->error;
		if (what->fail_count != PRIME_MOCK_FOREVER)
			what->fail_count--;
	}
	spin_unlock(&record->lock);

	ret = us ? mock_sleep(record, what, script, us, interruptible) : 0;
	return ret ?: -error;
}

int mock_op_end(struct mock_record *record, enum prime_mock_op op, int ret)
{
	for (; ret && record; record = record->total) {
		spin_lock(&record->lock);
		record->ops[op].failures++;
		spin_unlock(&record->lock);
	}
	return ret;
}

void mock_op_balance(struct mock_record *record, enum prime_mock_pair pair, int by)
{
	for (; record; record = record->total) {
		spin_lock(&record->lock);
		record->balance[pair] += by;
		spin_unlock(&record->lock);
	}
}

void mock_record_moved(struct mock_record *record)
{
	for (; record; record = record->total) {
		spin_lock(&record->lock);
		record->moves++;
		spin_unlock(&record->lock);
	}
}

/* --- for programs --- */
/* The record stays as long as the lock is held. */
static struct mock_record *mock_record_find(struct mock_scripts *scripts, u32 id)
{
	lockdep_assert_held(&scripts->lock);
	return id ? xa_load(&scripts->records, id) : &scripts->total;
}

int mock_scripts_set(struct mock_scripts *scripts,
		     const struct drm_prime_mock_script *args)
{
	struct mock_record *record;
	struct mock_op *what;

	mutex_lock(&scripts->lock);
	record = mock_record_find(scripts, args->id);
	if (record) {
		spin_lock(&record->lock);
		what = &record->ops[args->op];
		what->fail_at = args->fail_at;
		what->fail_count = args->fail_count;
		what->error = args->error;
		what->sleep_us = args->sleep_us;
		WRITE_ONCE(what->script, what->script + 1);
		what->interruptible = args->flags & PRIME_MOCK_INTERRUPTIBLE;
		spin_unlock(&record->lock);
		wake_up_all(&record->sleepers);
	}
	mutex_unlock(&scripts->lock);
	return record ? 0 : -ENOENT;
}

static void mock_record_tell(struct mock_record *record,
			     struct drm_prime_mock_stats *args)
{
	unsigned int i;

	BUILD_BUG_ON(ARRAY_SIZE(args->calls) != PRIME_MOCK_OPS);
	BUILD_BUG_ON(ARRAY_SIZE(args->balance) != PRIME_MOCK_PAIRS);
	spin_lock(&record->lock);
	for (i = 0; i < PRIME_MOCK_OPS; i++) {
		args->calls[i] = record->ops[i].calls;
		args->failures[i] = record->ops[i].failures;
	}
	for (i = 0; i < PRIME_MOCK_PAIRS; i++)
		args->balance[i] = record->balance[i];
	args->moves = record->moves;
	spin_unlock(&record->lock);
}

int mock_scripts_tell(struct mock_scripts *scripts, u32 id,
		      struct drm_prime_mock_stats *args)
{
	struct mock_record *record;

	mutex_lock(&scripts->lock);
	record = mock_record_find(scripts, id);
	if (record) {
		mock_record_tell(record, args);
		args->objects = !record->freed;
	}
	mutex_unlock(&scripts->lock);
	return record ? 0 : -ENOENT;
}
