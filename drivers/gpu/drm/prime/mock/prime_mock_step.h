/* SPDX-License-Identifier: GPL-2.0 */
/* Imports by id, with an ioctl for each step. */
#ifndef PRIME_MOCK_STEP_H
#define PRIME_MOCK_STEP_H

#include <linux/xarray.h>
#include <drm/drm_file.h>

#include "prime_mock_device.h"

/* The imports of a DRM file. */
struct mock_imports {
	struct mock_device *mock;	/* constant; the file holds it */
	struct xarray ids;		/* mock_import by id; has its own lock */
};

void mock_imports_open(struct mock_imports *imports, struct mock_device *mock);
void mock_imports_close(struct mock_imports *imports);
int mock_imports_add(struct mock_imports *imports,
		     struct drm_prime_mock_import *args);
int mock_imports_step(struct mock_imports *imports,
		      const struct drm_prime_mock_step *args);
/* These two also take handles of @file. */
int mock_imports_query(struct mock_imports *imports, struct drm_file *file,
		       struct drm_prime_mock_query *args);
int mock_imports_access(struct mock_imports *imports, struct drm_file *file,
			const struct drm_prime_mock_access *args);

#endif /* PRIME_MOCK_STEP_H */
