/* SPDX-License-Identifier: MIT */
#ifndef PRIME_GBM_LIB_H
#define PRIME_GBM_LIB_H

#include <stdint.h>

/*
 * Has libgbm make a buffer of at least so many pages. Returns its handle in @drm, or a
 * negative errno: ENOSYS without libgbm, or if libgbm does not know the driver.
 */
int64_t gbm_create(int drm, unsigned int pages);

#endif
