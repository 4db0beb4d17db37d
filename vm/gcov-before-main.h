/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For gcc_base.c of Linux 6.12 in user-mode Linux (scripts/kernel coverage). Its
 * __gcov_init() also runs before main(), when there is no current task. A mutex and
 * a message need one, and nobody else runs then.
 */
#include <linux/kernel.h>
#include <linux/mutex.h>

#undef pr_info
#define pr_info(...) do { } while (0)
#define mutex_lock(lock) do { if (system_state != SYSTEM_BOOTING) (mutex_lock)(lock); } while (0)
#define mutex_unlock(lock) do { if (system_state != SYSTEM_BOOTING) (mutex_unlock)(lock); } while (0)
