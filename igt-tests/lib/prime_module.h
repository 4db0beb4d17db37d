/* SPDX-License-Identifier: MIT */
/* Modules of the kernel that a test unloads and loads. */
#ifndef PRIME_MODULE_H
#define PRIME_MODULE_H

#include <stdbool.h>

bool is_loaded(const char *module);
/*
 * By modprobe, or by the file: modprobe does not know prime_mock, whose file PRIME_MOCK
 * names, and prime_late, whose file is beside it. @option may be NULL.
 */
bool load_with(const char *module, const char *option);
bool load(const char *module);
bool can_load(const char *module);
/* 0, or -EAGAIN while it is in use. */
int unload(const char *module);

#endif
