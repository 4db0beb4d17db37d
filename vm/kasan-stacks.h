/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For arch/um/kernel/stacktrace.c of a kernel with KASAN (scripts/kernel fuzz).
 * KASAN saves a stack trace at each allocation and at each free. dump_trace() then
 * asks of every word of the stack whether it is an address of code, which takes longer
 * than all else that the kernel does. Without frame pointers save_addr() takes none of
 * them. So nothing is asked for it; what is printed stays as it was.
 */
#include <linux/kernel.h>

#ifdef CONFIG_FRAME_POINTER
#error "save_addr() would miss the words that frame pointers lead to"
#endif

/* kernel/stacktrace.c is compiled with this file, too, and has no such function. */
#pragma GCC diagnostic ignored "-Wunused-function"
static void save_addr(void *data, unsigned long address, int reliable);

#define __kernel_text_address(addr) \
	(ops->address != save_addr && (__kernel_text_address)(addr))
