// SPDX-License-Identifier: GPL-2.0
/* Boot: the initcalls of the layer. Start and end of a schedule. */
#include <linux/cpuhotplug.h>
#include <linux/radix-tree.h>
#include <linux/wait_bit.h>

#include "runtime.h"

typedef int (*initcall)(void);
extern initcall __start_initcalls[], __stop_initcalls[];
extern char __start_kpercpu[], __stop_kpercpu[];

#define PERCPU_SIZE 4096
static char percpu[EX_THREADS][PERCPU_SIZE] __aligned(64);
unsigned long __per_cpu_offset[NR_CPUS];

void ex_rcu_start(void);
void ex_fput_start(void);
void ex_files_check(void);

int __cpuhp_setup_state(enum cpuhp_state state, const char *name, bool invoke,
			int (*startup)(unsigned int cpu), int (*teardown)(unsigned int cpu),
			bool multi)
{
	return 0;
}

void ex_boot(void)
{
	initcall *call;
	int i;

	ex_tasks_init();
	if (__stop_kpercpu - __start_kpercpu > PERCPU_SIZE)
		ex_fault("PERCPU_SIZE is too small");
	for (i = 0; i < EX_THREADS; i++) {
		memcpy(percpu[i], __start_kpercpu, __stop_kpercpu - __start_kpercpu);
		__per_cpu_offset[i] = percpu[i] - __start_kpercpu;
	}
	radix_tree_init();
	wait_bit_init();
	for (call = __start_initcalls; call < __stop_initcalls; call++)
		if ((*call)())
			ex_fault("an initcall failed");
}

void ex_start(void)
{
	ex_rcu_start();
	ex_fput_start();
	/* They run up to where they wait for work. */
	ex_join();
}

void ex_end(void)
{
	ex_user_return();
	ex_files_end();
	ex_join();
	ex_files_check();
}
