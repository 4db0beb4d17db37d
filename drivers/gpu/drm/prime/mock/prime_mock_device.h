/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The device that the files of prime_mock share. Each file but the last has a header
 * of its own. Each calls only files above it in this list:
 *
 *	prime_mock_script	scripts and counters
 *	prime_mock_storage	pages
 *	prime_mock_fence	fences
 *	prime_mock_exporter	dma-buf operations of own objects
 *	prime_mock_object	own objects, and their ioctls
 *	prime_mock_importer	attachments, imported objects, limits
 *	prime_mock_step		imports by id, one step after the other
 *	prime_mock_drv		devices, files, the table of ioctls
 *
 * The interface to programs is <drm/prime_mock.h>.
 *
 * "DOC: locking" of core/object.c has the order of the locks. mock_import.lock is
 * taken outside reservation objects. The other locks of this driver are innermost:
 * it calls no exporter and no importer while it holds one. No lock is held while a
 * program's memory is copied, since a page fault on an object of this driver takes
 * the reservation object.
 */
#ifndef PRIME_MOCK_DEVICE_H
#define PRIME_MOCK_DEVICE_H

#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>

#include <drm/drm_device.h>
#include <drm/prime_mock.h>

#include "prime_mock_script.h"

/* How long to wait for a fence: a bit more than the longest delay of one. */
#define MOCK_FENCE_WAIT		msecs_to_jiffies(PRIME_MOCK_FENCE_MAX_MS + 1000)

struct mock_device {
	struct drm_device drm;
	struct mock_scripts *scripts;	/* owned; constant */
	struct mock_record *total;	/* in scripts; constant */
	atomic64_t objects;
	atomic64_t imports;
	atomic64_t fences;
	atomic64_t undone;
	struct mutex lock;		/* one thread at a time sets limits */
	u32 import_flags;		/* written with the lock held */
	u32 max_segments;		/* same */
};

#define to_mock_device(d) container_of(d, struct mock_device, drm)

#endif /* PRIME_MOCK_DEVICE_H */
