/* SPDX-License-Identifier: GPL-2.0 */
/* The driver's own objects: made, found and moved here. */
#ifndef PRIME_MOCK_OBJECT_H
#define PRIME_MOCK_OBJECT_H

#include <linux/types.h>

struct drm_device;
struct drm_file;
struct drm_mode_create_dumb;

int mock_dumb_create(struct drm_file *file, struct drm_device *drm,
		     struct drm_mode_create_dumb *args);
/* The number of one of the driver's objects; -EINVAL for an imported one. */
int mock_object_id(struct drm_file *file, u32 handle, u32 *id);
int mock_ioctl_create(struct drm_device *drm, void *data, struct drm_file *file);
int mock_ioctl_move(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* PRIME_MOCK_OBJECT_H */
