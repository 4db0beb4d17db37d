// SPDX-License-Identifier: GPL-2.0
/*
 * Locks. Each take and drop is an operation at which others may go first. A
 * thread waits until the lock is free; who gets it is a decision, so every
 * order of waiters is explored. Also the order of lock classes, as in lockdep.
 */
#include <linux/rwsem.h>
#include <linux/rwlock.h>
#include <linux/sched/signal.h>
#include <linux/ww_mutex.h>

#include "runtime.h"

#define CLASSES 64
#define HELD 16

struct held {
	const struct lockdep_map *map;
	int class, read;
};

/* The classes of locks, and in which order they were taken, in all schedules so far. */
static struct {
	const void *key;
	int subclass;
	const char *name;
	u64 before;		/* classes that were taken while this one was held */
	bool in_interrupt, interrupts_on;
} ex_classes[CLASSES] EX_KEEP;
static int ex_class_count EX_KEEP;

static struct held ex_held[EX_THREADS][HELD];
static int ex_held_count[EX_THREADS];

unsigned long ex_rcu_left[EX_THREADS];
int ex_rcu_depth[EX_THREADS];
struct lockdep_map rcu_lock_map = { .name = "rcu" };
/* What readers of RCU read and grace periods write. */
extern u64 ex_rcu_time;
int debug_locks = 1;

static int class_of(const struct lockdep_map *map, int subclass)
{
	const void *key = map->key ? (const void *)map->key : map;
	int i;

	for (i = 0; i < ex_class_count; i++)
		if (ex_classes[i].key == key && ex_classes[i].subclass == subclass)
			return i;
	if (i == CLASSES)
		ex_fault("more than %d classes of locks", CLASSES);
	ex_classes[i].key = key;
	ex_classes[i].subclass = subclass;
	ex_classes[i].name = map->name ?: "a lock";
	return ex_class_count++;
}

static bool ordered(int first, int second, int depth)
{
	int i;

	if (first == second || depth > 16)
		return first == second;
	for (i = 0; i < ex_class_count; i++)
		if (ex_classes[first].before & BIT_ULL(i) && ordered(i, second, depth + 1))
			return true;
	return false;
}

static void check_order(int class, int read, const struct lockdep_map *nest)
{
	int i;

	for (i = 0; i < ex_held_count[ex_self()]; i++) {
		const struct held *held = &ex_held[ex_self()][i];

		if ((nest && held->class == class) || held->map == &rcu_lock_map ||
		    (read == 2 && held->read))
			continue;
		if (held->class == class)
			ex_fault("lock order: two locks of the class %s are nested",
				 ex_classes[class].name);
		if (!(ex_classes[held->class].before & BIT_ULL(class)) &&
		    ordered(class, held->class, 0))
			ex_fault("lock order: %s is taken inside %s, and was outside it before",
				 ex_classes[class].name, ex_classes[held->class].name);
		ex_classes[held->class].before |= BIT_ULL(class);
	}
}

static void check_interrupts(int class)
{
	if (in_hardirq())
		ex_classes[class].in_interrupt = true;
	else if (!irqs_disabled())
		ex_classes[class].interrupts_on = true;
	if (ex_classes[class].in_interrupt && ex_classes[class].interrupts_on)
		ex_fault(
			"lock order: %s is taken in an interrupt, and elsewhere with interrupts on",
			ex_classes[class].name);
}

/* Counts when the thread has left a section that delays a grace period. */
static void ex_section_left(void)
{
	if (!ex_rcu_depth[ex_self()] && !preempt_count())
		ex_rcu_left[ex_self()]++;
}

void lock_acquire(struct lockdep_map *map, unsigned int subclass, int trylock, int read,
		  int check, struct lockdep_map *nest, unsigned long ip)
{
	const int self = ex_self();
	int class;

	if (map == &rcu_lock_map) {
		if (!ex_rcu_depth[self]++)
			ex_touch(&ex_rcu_time, 8, 0, ip);
		return;
	}
	class = class_of(map, subclass);
	if (!trylock)
		check_order(class, read, nest);
	if (ex_held_count[self] == HELD)
		ex_fault("more than %d locks held", HELD);
	ex_held[self][ex_held_count[self]++] =
		(struct held){ .map = map, .class = class, .read = read };
}

void lock_release(struct lockdep_map *map, unsigned long ip)
{
	const int self = ex_self();
	struct held *held = ex_held[self];
	int i;

	if (map == &rcu_lock_map) {
		if (ex_rcu_depth[self] == 1)
			ex_touch(&ex_rcu_time, 8, 0, ip);
		ex_rcu_depth[self]--;
		ex_section_left();
		return;
	}
	for (i = ex_held_count[self] - 1; i >= 0 && held[i].map != map; i--)
		;
	if (i < 0)
		ex_fault("%s is dropped by a thread that does not hold it", map->name ?: "a lock");
	memmove(&held[i], &held[i + 1], (--ex_held_count[self] - i) * sizeof(*held));
}

int lock_is_held_type(const struct lockdep_map *map, int read)
{
	int i;

	if (map == &rcu_lock_map)
		return ex_rcu_depth[ex_self()] > 0;
	for (i = 0; i < ex_held_count[ex_self()]; i++)
		if (ex_held[ex_self()][i].map == map)
			return 1;
	return 0;
}

/* When a thread ends. */
void ex_locks_end(void);
void ex_locks_end(void)
{
	if (ex_held_count[ex_self()])
		ex_fault("%s is still held when the thread ends", ex_held[ex_self()][0].map->name);
	if (preempt_count() || irqs_disabled())
		ex_fault("preemption or interrupts are still off when the thread ends");
}

void lockdep_init_map_type(struct lockdep_map *map, const char *name, struct lock_class_key *key,
			   int subclass, u8 inner, u8 outer, u8 type)
{
	map->key = key;
	map->name = name;
}

int debug_locks_off(void)
{
	return 1;
}

void debug_check_no_locks_freed(const void *from, unsigned long len)
{
}

int debug_lockdep_rcu_enabled(void)
{
	return 1;
}

int rcu_read_lock_held(void)
{
	return ex_rcu_depth[ex_self()] > 0;
}

void lockdep_rcu_suspicious(const char *file, const int line, const char *s)
{
	ex_fault("%s:%d: %s", file, line, s);
}

/* --- spinlocks --- */

static int spin_free(void *arg)
{
	return ((raw_spinlock_t *)arg)->owner == SPINLOCK_OWNER_INIT;
}

/* raw_lock is for spin_is_locked() only. */
static void spin_own(raw_spinlock_t *lock, void *owner, unsigned long ip)
{
	lock->owner = owner;
	lock->raw_lock.val.counter = owner != SPINLOCK_OWNER_INIT;
	if (owner != SPINLOCK_OWNER_INIT)
		ex_log(EX_LOCK, lock, lock->dep_map.name, ip);
}

static void spin_take(raw_spinlock_t *lock, unsigned int subclass, unsigned long ip)
{
	lock_acquire(&lock->dep_map, subclass, 0, 0, 1, NULL, ip);
	check_interrupts(class_of(&lock->dep_map, subclass));
	if (lock->magic != SPINLOCK_MAGIC)
		ex_fault("a spinlock that was not initialised (%s)", lock->dep_map.name ?: "?");
	if (lock->owner == current)
		ex_fault("deadlock: %s is taken by the thread that holds it", lock->dep_map.name);
	ex_arrive(lock);
	while (!spin_free(lock))
		ex_wait(spin_free, lock, lock->dep_map.name, ip);
	ex_sync(lock);
	spin_own(lock, current, ip);
}

static void spin_drop(raw_spinlock_t *lock, unsigned long ip)
{
	if (lock->owner != current)
		ex_fault("%s is dropped by a thread that does not hold it", lock->dep_map.name);
	ex_operation(EX_UNLOCK, lock, lock->dep_map.name, ip);
	spin_own(lock, SPINLOCK_OWNER_INIT, ip);
	lock_release(&lock->dep_map, ip);
}

void __raw_spin_lock_init(raw_spinlock_t *lock, const char *name, struct lock_class_key *key,
			  short inner)
{
	lockdep_init_map_wait(&lock->dep_map, name, key, 0, inner);
	lock->magic = SPINLOCK_MAGIC;
	lock->owner = SPINLOCK_OWNER_INIT;
}

void _raw_spin_lock(raw_spinlock_t *lock)
{
	preempt_disable();
	spin_take(lock, 0, _RET_IP_);
}

void _raw_spin_lock_nested(raw_spinlock_t *lock, int subclass)
{
	preempt_disable();
	spin_take(lock, subclass, _RET_IP_);
}

int _raw_spin_trylock(raw_spinlock_t *lock)
{
	preempt_disable();
	ex_touch(lock, 1, 1, _RET_IP_);
	if (!spin_free(lock)) {
		preempt_enable();
		return 0;
	}
	lock_acquire(&lock->dep_map, 0, 1, 0, 1, NULL, _RET_IP_);
	spin_own(lock, current, _RET_IP_);
	return 1;
}

void _raw_spin_unlock(raw_spinlock_t *lock)
{
	spin_drop(lock, _RET_IP_);
	preempt_enable();
	ex_section_left();
}

void _raw_spin_lock_irq(raw_spinlock_t *lock)
{
	local_irq_disable();
	preempt_disable();
	spin_take(lock, 0, _RET_IP_);
}

void _raw_spin_unlock_irq(raw_spinlock_t *lock)
{
	spin_drop(lock, _RET_IP_);
	local_irq_enable();
	preempt_enable();
	ex_section_left();
}

unsigned long _raw_spin_lock_irqsave(raw_spinlock_t *lock)
{
	unsigned long flags;

	local_irq_save(flags);
	preempt_disable();
	spin_take(lock, 0, _RET_IP_);
	return flags;
}

void _raw_spin_unlock_irqrestore(raw_spinlock_t *lock, unsigned long flags)
{
	spin_drop(lock, _RET_IP_);
	local_irq_restore(flags);
	preempt_enable();
	ex_section_left();
}

/* Always drops the lock, since it is unknown whether somebody waits for it. */
int __cond_resched_lock(spinlock_t *lock)
{
	spin_drop(&lock->rlock, _RET_IP_);
	preempt_enable();
	ex_section_left();
	ex_may_sleep("cond_resched_lock()", _RET_IP_);
	preempt_disable();
	spin_take(&lock->rlock, 0, _RET_IP_);
	return 1;
}

/* --- rwlocks: cnts counts readers --- */

static int rw_no_writer(void *arg)
{
	return ((rwlock_t *)arg)->owner == SPINLOCK_OWNER_INIT;
}

static int rw_free(void *arg)
{
	return rw_no_writer(arg) && !((rwlock_t *)arg)->raw_lock.cnts.counter;
}

void __rwlock_init(rwlock_t *lock, const char *name, struct lock_class_key *key)
{
	lockdep_init_map(&lock->dep_map, name, key, 0);
	lock->owner = SPINLOCK_OWNER_INIT;
	lock->raw_lock.cnts.counter = 0;
}

static void rw_take(rwlock_t *lock, int (*ready)(void *arg), bool read, unsigned long ip)
{
	preempt_disable();
	lock_acquire(&lock->dep_map, 0, 0, read ? 2 : 0, 1, NULL, ip);
	ex_arrive(lock);
	while (!ready(lock))
		ex_wait(ready, lock, lock->dep_map.name, ip);
	ex_sync(lock);
	if (read)
		lock->raw_lock.cnts.counter++;
	else
		lock->owner = current;
	ex_log(EX_LOCK, lock, lock->dep_map.name, ip);
}

static void rw_drop(rwlock_t *lock, bool read, unsigned long ip)
{
	ex_operation(EX_UNLOCK, lock, lock->dep_map.name, ip);
	if (read)
		lock->raw_lock.cnts.counter--;
	else
		lock->owner = SPINLOCK_OWNER_INIT;
	lock_release(&lock->dep_map, ip);
	preempt_enable();
	ex_section_left();
}

void _raw_read_lock(rwlock_t *lock)
{
	rw_take(lock, rw_no_writer, true, _RET_IP_);
}

void _raw_read_unlock(rwlock_t *lock)
{
	rw_drop(lock, true, _RET_IP_);
}

void _raw_write_lock(rwlock_t *lock)
{
	rw_take(lock, rw_free, false, _RET_IP_);
}

void _raw_write_unlock(rwlock_t *lock)
{
	rw_drop(lock, false, _RET_IP_);
}

/* --- mutexes --- */

static int mutex_free(void *arg)
{
	return !((struct mutex *)arg)->owner.counter;
}

static int mutex_take(struct mutex *lock, unsigned int subclass, struct lockdep_map *nest,
		      unsigned long ip)
{
	ex_may_sleep(lock->dep_map.name, ip);
	if (lock->magic != lock)
		ex_fault("a mutex that was not initialised (%s)", lock->dep_map.name ?: "?");
	if (lock->owner.counter == (long)current)
		ex_fault("deadlock: %s is taken by the thread that holds it", lock->dep_map.name);
	lock_acquire(&lock->dep_map, subclass, 0, 0, 1, nest, ip);
	ex_arrive(lock);
	while (!mutex_free(lock))
		ex_wait(mutex_free, lock, lock->dep_map.name, ip);
	ex_sync(lock);
	lock->owner.counter = (long)current;
	ex_log(EX_LOCK, lock, lock->dep_map.name, ip);
	return 0;
}

static int mutex_try(struct mutex *lock, unsigned long ip)
{
	ex_touch(lock, 1, 1, ip);
	if (!mutex_free(lock))
		return 0;
	lock_acquire(&lock->dep_map, 0, 1, 0, 1, NULL, ip);
	lock->owner.counter = (long)current;
	ex_log(EX_LOCK, lock, lock->dep_map.name, ip);
	return 1;
}

static void mutex_drop(struct mutex *lock, unsigned long ip)
{
	if (lock->owner.counter != (long)current)
		ex_fault("%s is dropped by a thread that does not hold it", lock->dep_map.name);
	ex_operation(EX_UNLOCK, lock, lock->dep_map.name, ip);
	lock->owner.counter = 0;
	lock_release(&lock->dep_map, ip);
}

void mutex_init_lockdep(struct mutex *lock, const char *name, struct lock_class_key *key)
{
	memset(lock, 0, sizeof(*lock));
	lockdep_init_map(&lock->dep_map, name, key, 0);
	lock->magic = lock;
}

void mutex_destroy(struct mutex *lock)
{
	if (!mutex_free(lock))
		ex_fault("%s is held when it is destroyed", lock->dep_map.name);
	lock->magic = NULL;
}

bool mutex_is_locked(struct mutex *lock)
{
	ex_touch(lock, 1, 0, _RET_IP_);
	return !mutex_free(lock);
}

void mutex_lock_nested(struct mutex *lock, unsigned int subclass)
{
	mutex_take(lock, subclass, NULL, _RET_IP_);
}

int mutex_lock_interruptible_nested(struct mutex *lock, unsigned int subclass)
{
	return mutex_take(lock, subclass, NULL, _RET_IP_);
}

int _mutex_lock_killable(struct mutex *lock, unsigned int subclass, struct lockdep_map *nest)
{
	return mutex_take(lock, subclass, NULL, _RET_IP_);
}

int _mutex_trylock_nest_lock(struct mutex *lock, struct lockdep_map *nest)
{
	return mutex_try(lock, _RET_IP_);
}

void mutex_unlock(struct mutex *lock)
{
	mutex_drop(lock, _RET_IP_);
}

/* The layer takes one reservation object at a time, so no thread waits with an acquire context. */
static int ww_take(struct ww_mutex *lock, struct ww_acquire_ctx *ctx, unsigned long ip)
{
	if (ctx && !mutex_free(&lock->base))
		ex_fault("a ww_mutex is waited for with a context, which the runtime lacks");
	mutex_take(&lock->base, 0, ctx ? &ctx->dep_map : NULL, ip);
	lock->ctx = ctx;
	if (ctx)
		ctx->acquired++;
	return 0;
}

int ww_mutex_lock(struct ww_mutex *lock, struct ww_acquire_ctx *ctx)
{
	return ww_take(lock, ctx, _RET_IP_);
}

int ww_mutex_lock_interruptible(struct ww_mutex *lock, struct ww_acquire_ctx *ctx)
{
	return ww_take(lock, ctx, _RET_IP_);
}

int ww_mutex_trylock(struct ww_mutex *lock, struct ww_acquire_ctx *ctx)
{
	return mutex_try(&lock->base, _RET_IP_);
}

void ww_mutex_unlock(struct ww_mutex *lock)
{
	if (lock->ctx)
		lock->ctx->acquired--;
	lock->ctx = NULL;
	mutex_drop(&lock->base, _RET_IP_);
}

/* --- rw_semaphores: count is the number of readers, owner the writer --- */

static int sem_no_writer(void *arg)
{
	return !((struct rw_semaphore *)arg)->owner.counter;
}

static int sem_free(void *arg)
{
	return sem_no_writer(arg) && !((struct rw_semaphore *)arg)->count.counter;
}

void __init_rwsem(struct rw_semaphore *sem, const char *name, struct lock_class_key *key)
{
	memset(sem, 0, sizeof(*sem));
	lockdep_init_map(&sem->dep_map, name, key, 0);
}

static void sem_take(struct rw_semaphore *sem, int (*ready)(void *arg), bool read, unsigned long ip)
{
	ex_may_sleep(sem->dep_map.name, ip);
	lock_acquire(&sem->dep_map, 0, 0, read, 1, NULL, ip);
	ex_arrive(sem);
	while (!ready(sem)) {
		/* A holder may look whether anybody waits. */
		sem->first_waiter = (void *)sem;
		ex_wait(ready, sem, sem->dep_map.name, ip);
	}
	sem->first_waiter = NULL;
	ex_sync(sem);
	if (read)
		sem->count.counter++;
	else
		sem->owner.counter = (long)current;
	ex_log(EX_LOCK, sem, sem->dep_map.name, ip);
}

void down_read(struct rw_semaphore *sem)
{
	sem_take(sem, sem_no_writer, true, _RET_IP_);
}

int down_read_trylock(struct rw_semaphore *sem)
{
	ex_touch(sem, 1, 1, _RET_IP_);
	if (!sem_no_writer(sem))
		return 0;
	lock_acquire(&sem->dep_map, 0, 1, 1, 1, NULL, _RET_IP_);
	sem->count.counter++;
	ex_log(EX_LOCK, sem, sem->dep_map.name, _RET_IP_);
	return 1;
}

void down_write(struct rw_semaphore *sem)
{
	sem_take(sem, sem_free, false, _RET_IP_);
}

void up_read(struct rw_semaphore *sem)
{
	ex_operation(EX_UNLOCK, sem, sem->dep_map.name, _RET_IP_);
	sem->count.counter--;
	lock_release(&sem->dep_map, _RET_IP_);
}

void up_write(struct rw_semaphore *sem)
{
	ex_operation(EX_UNLOCK, sem, sem->dep_map.name, _RET_IP_);
	sem->owner.counter = 0;
	lock_release(&sem->dep_map, _RET_IP_);
}
