/* SPDX-License-Identifier: MIT */
/* Modules of the kernel that a test unloads and loads. */
#ifndef PRIME_MODULE_H
#define PRIME_MODULE_H

#include "prime_test.h"

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
/* The same, for modules whose use ends a moment after the last close. */
int unload_soon(const char *module);
/* With undo_later(): a module is loaded, with an option or "", or unloaded, with "". */
undo_function load_back, unload_back;

#endif
