/* SPDX-License-Identifier: MIT */
#ifndef PRIME_GBM_LIB_H
#define PRIME_GBM_LIB_H

#include <stdint.h>

/*
 * The handle in @drm of a buffer of so many pages or more that libgbm makes, or a
 * negative errno: ENOSYS where there is no libgbm or it doesn't know the driver.
 */
int64_t gbm_create(int drm, unsigned int pages);

#endif
