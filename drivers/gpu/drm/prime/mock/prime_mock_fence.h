/* SPDX-License-Identifier: GPL-2.0 */
/* Fences that are put on a buffer and signalled on command. */
#ifndef PRIME_MOCK_FENCE_H
#define PRIME_MOCK_FENCE_H

#include <linux/xarray.h>
#include <drm/drm_file.h>

#include "prime_mock_device.h"

/* The fences of a DRM file. */
struct mock_fences {
	struct mock_device *mock;	/* constant; the file holds it */
	struct xarray ids;		/* mock_fence by id; has its own lock */
};

/* Called once, by the module. */
int mock_fences_init(void);
void mock_fences_exit(void);
/* Called for each DRM file. */
void mock_fences_open(struct mock_fences *fences, struct mock_device *mock);
void mock_fences_close(struct mock_fences *fences);
/* Copies the answer to @user, since that must precede the install of an fd. */
int mock_fences_add(struct mock_fences *fences, struct drm_file *file,
		    struct drm_prime_mock_fence *args,
		    struct drm_prime_mock_fence __user *user);
/* Adds a fence without a number to a locked reservation object. */
int mock_fence_add_locked(struct mock_device *mock, struct dma_resv *resv, u32 usage,
			  u32 delay_ms);
int mock_fences_signal(struct mock_fences *fences,
		       const struct drm_prime_mock_signal *args);

#endif /* PRIME_MOCK_FENCE_H */
