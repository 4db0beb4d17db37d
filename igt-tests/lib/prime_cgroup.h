/* SPDX-License-Identifier: MIT */
/* A memory cgroup of version 2. */
#ifndef PRIME_CGROUP_H
#define PRIME_CGROUP_H

/*
 * Makes a group with this limit in bytes until the subtest ends, or until the next one is
 * made. Skips if there can be none, or if PRIME_KEEP_SYSTEM is set.
 */
void cgroup_make(unsigned long limit);
/* Writes into a file of the group. 0 or a negative errno. */
int cgroup_put(const char *file, const char *text);
/* The number behind @key in a file of the group. */
long cgroup_number(const char *file, const char *key);
/* From now on, what this process allocates is charged to the group, or to none. */
void cgroup_enter(void);
void cgroup_leave(void);

#endif
