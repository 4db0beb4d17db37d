/* SPDX-License-Identifier: MIT */
/*
 * What differs between the kernels that the programs know. A driver's feature is probed
 * where it is used. This file has what the kernel itself promises since a release: a
 * probe could not tell whether it is missing or has a fault.
 */
#ifndef PRIME_VERSION_LIB_H
#define PRIME_VERSION_LIB_H

#include <stdbool.h>
#include <stdio.h>

enum kernel_change {
	/* An attachment maps and pins nothing by itself, and no table is kept. */
	KERNEL_MAPS_AT_MAP,
	/* A dynamic importer may have no callback, and pins for as long as it maps. */
	KERNEL_TAKES_UNTOLD,
};

/* Does the running kernel have it? */
bool kernel_has(enum kernel_change change);
/* Is it one of those that the programs know? */
bool kernel_known(void);
/* Prints these, and what changed in which; false if the running one is not among them. */
bool kernel_tell(FILE *stream);

#endif
