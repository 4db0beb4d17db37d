/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stands before the kernel's header of this name: what is atomic in assembly
 * tells the explorer, as the compiler's callbacks do for the rest.
 */
#ifndef _LINUX_INSTRUMENTED_H
#define _LINUX_INSTRUMENTED_H

#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/kasan-checks.h>
#include <linux/kcsan-checks.h>
#include <linux/kmsan-checks.h>
#include <linux/types.h>

#ifdef __SANITIZE_THREAD__
void ex_atomic(const volatile void *v, unsigned long size, int write);
#else
#define ex_atomic(v, size, write) do { } while (0)
#endif

#define instrument_read(v, size)		ex_atomic(v, size, 0)
#define instrument_write(v, size)		ex_atomic(v, size, 1)
#define instrument_read_write(v, size)		ex_atomic(v, size, 1)
#define instrument_atomic_read(v, size)		ex_atomic(v, size, 0)
#define instrument_atomic_write(v, size)	ex_atomic(v, size, 1)
#define instrument_atomic_read_write(v, size)	ex_atomic(v, size, 1)
#define instrument_copy_to_user(to, from, n)		do { } while (0)
#define instrument_copy_from_user_before(to, from, n)	do { } while (0)
#define instrument_copy_from_user_after(to, from, n, l)	do { } while (0)
#define instrument_memcpy_before(to, from, n)		do { } while (0)
#define instrument_memcpy_after(to, from, n, l)		do { } while (0)
#define instrument_get_user(to)				do { } while (0)
#define instrument_put_user(from, ptr, size)		do { } while (0)

#endif /* _LINUX_INSTRUMENTED_H */
