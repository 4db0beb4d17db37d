// SPDX-License-Identifier: GPL-2.0
/*
 * Threads as the kernel sees them: current, schedule() and wake-ups, signals,
 * interrupts, and what runs later: RCU callbacks, in a daemon.
 */
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/task_work.h>
#include <linux/delay.h>
#include <linux/ptrace.h>
#include <asm/syscall.h>

#include "runtime.h"

#define CALLBACKS 64

static struct task_struct tasks[EX_THREADS];
static struct signal_struct signals[EX_THREADS];
static struct pid process;
static int irqs_on[EX_THREADS];
static bool in_call[EX_THREADS];
struct task_struct *cpu_tasks[NR_CPUS];

struct callback {
	struct rcu_head *head;
	rcu_callback_t call;	/* NULL: free @p */
	void *p;
	unsigned long
		left[EX_THREADS]; /* 1 + what ex_rcu_left was, of threads that were in a section */
};

static struct callback callbacks[CALLBACKS];
static unsigned int callbacks_in, callbacks_out;
u64 ex_rcu_time;

void ex_locks_end(void);

void ex_tasks_init(void)
{
	int i;

	refcount_set(&process.count, 1);
	hlist_add_head(&tasks[0].pid_links[PIDTYPE_TGID], &process.tasks[PIDTYPE_TGID]);
	for (i = 0; i < EX_THREADS; i++) {
		cpu_tasks[i] = &tasks[i];
		tasks[i].signal = &signals[i];
		signals[i].pids[PIDTYPE_TGID] = &process;
		tasks[i].__state = TASK_RUNNING;
		tasks[i].flags = i >= EX_WORK ? PF_KTHREAD : 0;
		tasks[i].pid = tasks[i].tgid = 100 + i;
		irqs_on[i] = 1;
	}
}

void ex_call(long result)
{
	syscall_set_return_value(current, current_pt_regs(), 0, result);
	in_call[ex_self()] = true;
}

/*
 * Most threads don't say what their calls return (ex_call()). Then this fails, and
 * the layer tells a refusal at once.
 */
int task_work_add(struct task_struct *task, struct callback_head *work,
		  enum task_work_notify_mode mode)
{
	if (!in_call[ex_self()])
		return -ESRCH;
	ex_task_work(work);
	return 0;
}

void put_pid(struct pid *pid)
{
	if (pid)
		refcount_dec(&pid->count);
}

/* All threads are of one process. */
pid_t pid_vnr(struct pid *pid)
{
	return tasks[0].tgid;
}

int uml_curr_cpu(void)
{
	return ex_self();
}

int um_get_signals(void)
{
	return irqs_on[ex_self()];
}

void block_signals(void)
{
	irqs_on[ex_self()] = 0;
}

void unblock_signals(void)
{
	irqs_on[ex_self()] = 1;
}

int um_set_signals(int on)
{
	int before = irqs_on[ex_self()];

	irqs_on[ex_self()] = on;
	return before;
}

void ex_may_sleep(const char *what, unsigned long ip)
{
	if (preempt_count() || irqs_disabled())
		ex_fault("sleeping in atomic: %s, with %s", what ?: "",
			 in_hardirq()	 ? "an interrupt running" :
			 irqs_disabled() ? "interrupts off" :
					   "preemption off");
	if (ex_rcu_depth[ex_self()])
		ex_fault("sleeping in atomic: %s, in a section of RCU", what ?: "");
}

void __might_sleep(const char *file, int line)
{
	ex_may_sleep(file, _RET_IP_);
}

void __might_resched(const char *file, int line, unsigned int offsets)
{
	if (preempt_count() != (offsets & MIGHT_RESCHED_PREEMPT_MASK))
		ex_may_sleep(file, _RET_IP_);
}

void __might_fault(const char *file, int line)
{
	ex_may_sleep(file, _RET_IP_);
}

int __cond_resched(void)
{
	return 0;
}

void ex_interrupt_begin(void)
{
	preempt_count_add(HARDIRQ_OFFSET);
	irqs_on[ex_self()] = 0;
}

void ex_interrupt_end(void)
{
	irqs_on[ex_self()] = 1;
	preempt_count_sub(HARDIRQ_OFFSET);
}

/* --- sleep and wake-up --- */

static int task_running(void *arg)
{
	struct task_struct *p = arg;

	return p->__state == TASK_RUNNING || signal_pending_state(p->__state, p);
}

static void task_runs(unsigned long ip)
{
	ex_sync(&current->__state);
	current->__state = TASK_RUNNING;
}

void schedule(void)
{
	ex_may_sleep("schedule()", _RET_IP_);
	ex_wait(task_running, current, "a wake-up", _RET_IP_);
	task_runs(_RET_IP_);
}

long schedule_timeout(long timeout)
{
	int woken = 1;

	ex_may_sleep("schedule_timeout()", _RET_IP_);
	if (timeout == MAX_SCHEDULE_TIMEOUT)
		ex_wait(task_running, current, "a wake-up", _RET_IP_);
	else
		woken = ex_wait_timeout(task_running, current, "a wake-up, for some time",
					_RET_IP_);
	task_runs(_RET_IP_);
	return timeout == MAX_SCHEDULE_TIMEOUT ? timeout : woken;
}

static int wake(struct task_struct *p, unsigned int state, unsigned long ip)
{
	ex_touch(&p->__state, 4, 1, ip);
	if (!(p->__state & state))
		return 0;
	p->__state = TASK_RUNNING;
	ex_log(EX_WAKE, p, "a sleeper", ip);
	return 1;
}

int default_wake_function(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	return wake(entry->private, mode, _RET_IP_);
}

int wake_up_process(struct task_struct *p)
{
	return wake(p, TASK_NORMAL, _RET_IP_);
}

int wake_up_state(struct task_struct *p, unsigned int state)
{
	return wake(p, state, _RET_IP_);
}

void ex_kill(int thread)
{
	struct task_struct *p = &tasks[thread];

	ex_note("a fatal signal for thread %d", thread);
	sigaddset(&p->pending.signal, SIGKILL);
	set_tsk_thread_flag(p, TIF_SIGPENDING);
	wake(p, TASK_WAKEKILL | TASK_INTERRUPTIBLE, _RET_IP_);
}

/* --- RCU --- */

/* A thread that can't be preempted is in a section, too. */
static void sections_of_now(struct callback *c)
{
	int i;

	for (i = 0; i < EX_THREADS; i++)
		c->left[i] = ex_rcu_depth[i] || task_thread_info(&tasks[i])->preempt_count ?
				     ex_rcu_left[i] + 1 :
				     0;
}

static int sections_left(void *arg)
{
	struct callback *c = arg;
	int i;

	for (i = 0; i < EX_THREADS; i++)
		if (c->left[i] && ex_rcu_left[i] < c->left[i] &&
		    (ex_rcu_depth[i] || task_thread_info(&tasks[i])->preempt_count))
			return 0;
	return 1;
}

void synchronize_rcu(void)
{
	struct callback c = { };

	ex_may_sleep("synchronize_rcu()", _RET_IP_);
	ex_touch(&ex_rcu_time, 8, 1, _RET_IP_);
	sections_of_now(&c);
	ex_wait(sections_left, &c, "a grace period", _RET_IP_);
	ex_sync(&ex_rcu_time);
}

static void callback_add(struct rcu_head *head, rcu_callback_t call, void *p, unsigned long ip)
{
	struct callback *c;

	ex_touch(&ex_rcu_time, 8, 1, ip);
	if (callbacks_in - callbacks_out == CALLBACKS)
		ex_fault("more than %d callbacks of RCU", CALLBACKS);
	c = &callbacks[callbacks_in++ % CALLBACKS];
	*c = (struct callback){ .head = head, .call = call, .p = p };
	sections_of_now(c);
}

void call_rcu(struct rcu_head *head, rcu_callback_t call)
{
	callback_add(head, call, NULL, _RET_IP_);
}

void kvfree_call_rcu(struct kvfree_rcu_head *head, void *p)
{
	if (head) {
		callback_add(NULL, NULL, p, _RET_IP_);
		return;
	}
	ex_may_sleep("kfree_rcu_mightsleep()", _RET_IP_);
	synchronize_rcu();
	kvfree(p);
}

static int callback_ready(void *unused)
{
	return callbacks_in != callbacks_out &&
	       sections_left(&callbacks[callbacks_out % CALLBACKS]);
}

static void callbacks_run(void *unused)
{
	for (;;) {
		struct callback c;

		ex_wait(callback_ready, NULL, "callbacks", _RET_IP_);
		ex_sync(&ex_rcu_time);
		c = callbacks[callbacks_out++ % CALLBACKS];
		/* A worker frees memory; a callback runs in a softirq. */
		if (!c.call) {
			kvfree(c.p);
			continue;
		}
		preempt_count_add(SOFTIRQ_OFFSET);
		c.call(c.head);
		preempt_count_sub(SOFTIRQ_OFFSET);
	}
}

/* Waits until no callback is left. */
static int no_callbacks(void *unused)
{
	return callbacks_in == callbacks_out;
}

void rcu_barrier(void)
{
	ex_may_sleep("rcu_barrier()", _RET_IP_);
	ex_wait(no_callbacks, NULL, "callbacks", _RET_IP_);
	ex_sync(&ex_rcu_time);
}

void ex_rcu_start(void);
void ex_rcu_start(void)
{
	ex_thread(EX_RCU, "rcu", callbacks_run, NULL, 1);
}
