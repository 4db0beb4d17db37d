/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Scripts and counters of a device and its objects: what an operation is told to
 * do, and what it has done. Uses no other file of prime_mock.
 */
#ifndef PRIME_MOCK_SCRIPT_H
#define PRIME_MOCK_SCRIPT_H

#include <linux/types.h>
#include <drm/prime_mock.h>

struct mock_record;	/* of an object, or of the device */
struct mock_scripts;	/* the records of a device */

struct mock_scripts *mock_scripts_create(void);
void mock_scripts_destroy(struct mock_scripts *scripts);
/* The device's record, which also counts what its objects do. */
struct mock_record *mock_scripts_total(struct mock_scripts *scripts);
/* These two take a valid id or 0; -ENOENT when the counters are not kept. */
int mock_scripts_set(struct mock_scripts *scripts,
		     const struct drm_prime_mock_script *args);
int mock_scripts_tell(struct mock_scripts *scripts, u32 id,
		      struct drm_prime_mock_stats *args);

/* For an object. Retire the record when the object is freed. */
struct mock_record *mock_record_create(struct mock_scripts *scripts);
void mock_record_retire(struct mock_scripts *scripts, struct mock_record *record);
u32 mock_record_id(const struct mock_record *record);
void mock_record_moved(struct mock_record *record);

/* Counts a call, sleeps and fails, as the script says. */
int mock_op_begin(struct mock_record *record, enum prime_mock_op op);
/* Counts the failure, if @ret is one. Returns @ret. */
int mock_op_end(struct mock_record *record, enum prime_mock_op op, int ret);
void mock_op_balance(struct mock_record *record, enum prime_mock_pair pair, int by);

#endif /* PRIME_MOCK_SCRIPT_H */
