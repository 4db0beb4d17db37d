/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For user-offsets.c of Linux 6.12 in user-mode Linux (scripts/kernel coverage), which has
 * 337 longs for the registers that ptrace() sets. The host wants all of them at once. With
 * AMX these are 11008 bytes, and no program would start.
 */
#include <linux/kbuild.h>

#undef DEFINE
#define DEFINE(sym, val) \
	asm volatile("\n.ascii \"->" #sym " %0 " #val "\"" : : "i" ((val) == 337 ? 2048 : (val)))
