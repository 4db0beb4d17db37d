// SPDX-License-Identifier: GPL-2.0
/*
 * prime_mock: an exporter and importer of dma-bufs that do what a test tells
 * them. This file has the devices, the scripts and the counters.
 */
#include <linux/delay.h>
#ifdef CONFIG_DRM_PRIME_LAYER
#include <linux/dma-buf-constraints.h>
#endif
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/rcupdate.h>

#include <drm/drm_ioctl.h>
#include <drm/drm_managed.h>

#include "prime_mock.h"

#define MOCK_MAX_DEVICES	16

static unsigned int devices = 2;
module_param(devices, uint, 0444);
MODULE_PARM_DESC(devices, "number of devices, 1 to 16 (2)");

static struct platform_device *mock_devices[MOCK_MAX_DEVICES];

/* --- scripts and counters --- */
void mock_record_init(struct mock_record *record, struct mock_record *total)
{
	spin_lock_init(&record->lock);
	INIT_LIST_HEAD(&record->node);
	record->total = total;
}

struct mock_record *mock_record_create(struct mock_device *mock)
{
	struct mock_record *record = kzalloc(sizeof(*record), GFP_KERNEL_ACCOUNT);
	int ret = -ENOSPC;

	if (!record)
		return ERR_PTR(-ENOMEM);
	mock_record_init(record, &mock->total);
	mutex_lock(&mock->lock);
	if (mock->last_id < U32_MAX) {
		record->id = mock->last_id + 1;
		ret = xa_insert(&mock->records, record->id, record, GFP_KERNEL);
		if (!ret)
			mock->last_id++;
	}
	mutex_unlock(&mock->lock);
	if (ret) {
		kfree(record);
		return ERR_PTR(ret);
	}
	return record;
}

/* The object is gone. Its counters stay until enough others are. */
void mock_record_retire(struct mock_device *mock, struct mock_record *record)
{
	struct mock_record *oldest = NULL;

	mutex_lock(&mock->lock);
	record->freed = true;
	list_add_tail(&record->node, &mock->freed);
	if (++mock->freed_count > PRIME_MOCK_KEPT_STATS) {
		oldest = list_first_entry(&mock->freed, struct mock_record, node);
		list_del(&oldest->node);
		xa_erase(&mock->records, oldest->id);
		mock->freed_count--;
	}
	mutex_unlock(&mock->lock);
	kfree(oldest);
}

static int mock_sleep(u32 us, bool interruptible)
{
	if (!interruptible)
		fsleep(us);
	else if (schedule_timeout_interruptible(usecs_to_jiffies(us)))
		return -EINTR;
	return 0;
}

static void mock_op_count(struct mock_record *record, enum prime_mock_op op)
{
	spin_lock(&record->lock);
	record->ops[op].calls++;
	spin_unlock(&record->lock);
}

/* Count a call, sleep, and fail, as the operation was told. */
int mock_op_begin(struct mock_record *record, enum prime_mock_op op)
{
	struct mock_op *what = &record->ops[op];
	bool interruptible;
	int error = 0, ret;
	u32 us;

	if (record->total)
		mock_op_count(record->total, op);
	spin_lock(&record->lock);
	what->calls++;
	us = what->sleep_us;
	interruptible = what->interruptible;
	if (what->fail_at > 1) {
		what->fail_at--;
	} else if (what->fail_at && what->fail_count) {
		error = what->error;
		if (what->fail_count != PRIME_MOCK_FOREVER)
			what->fail_count--;
	}
	spin_unlock(&record->lock);

	ret = us ? mock_sleep(us, interruptible) : 0;
	return ret ?: -error;
}

/* Count the failure, if it is one. Gives @ret. */
int mock_op_end(struct mock_record *record, enum prime_mock_op op, int ret)
{
	for (; ret && record; record = record->total) {
		spin_lock(&record->lock);
		record->ops[op].failures++;
		spin_unlock(&record->lock);
	}
	return ret;
}

void mock_op_balance(struct mock_record *record, enum prime_mock_pair pair, int by)
{
	for (; record; record = record->total) {
		spin_lock(&record->lock);
		record->balance[pair] += by;
		spin_unlock(&record->lock);
	}
}

void mock_record_moved(struct mock_record *record)
{
	for (; record; record = record->total) {
		spin_lock(&record->lock);
		record->moves++;
		spin_unlock(&record->lock);
	}
}

/* The number of the object with handle *@id. */
static int mock_handle_to_id(struct drm_file *file, u32 *id)
{
	struct mock_object *obj = mock_object_lookup(file, *id);

	if (!obj)
		return -ENOENT;
	*id = obj->record ? obj->record->id : 0;
	drm_gem_object_put(&obj->base);
	return *id ? 0 : -EINVAL;
}

/* Stays as long as the device's lock is held. */
static struct mock_record *mock_record_find(struct mock_device *mock, u32 id)
{
	lockdep_assert_held(&mock->lock);
	return id ? xa_load(&mock->records, id) : &mock->total;
}

static bool mock_op_can_fail(u32 op)
{
	switch (op) {
	case PRIME_MOCK_DETACH:
	case PRIME_MOCK_UNPIN:
	case PRIME_MOCK_UNMAP:
	case PRIME_MOCK_VUNMAP:
	case PRIME_MOCK_RELEASE:
	case PRIME_MOCK_NOTIFY:
		return false;
	default:
		return true;
	}
}

static bool mock_script_valid(const struct drm_prime_mock_script *args)
{
	bool device = args->op >= PRIME_MOCK_IMPORT;
	u32 flags = PRIME_MOCK_INTERRUPTIBLE | PRIME_MOCK_BY_HANDLE;

	if (args->pad || args->flags & ~flags || args->op >= PRIME_MOCK_OPS ||
	    args->sleep_us > PRIME_MOCK_MAX_SLEEP_US || args->error > MAX_ERRNO)
		return false;
	if (device != (!args->id && !(args->flags & PRIME_MOCK_BY_HANDLE)))
		return false;
	if (!args->fail_at)
		return !args->fail_count && !args->error;
	return args->fail_count && args->error && mock_op_can_fail(args->op);
}

static int mock_ioctl_script(struct drm_device *drm, void *data,
			     struct drm_file *file)
{
	struct mock_device *mock = to_mock_device(drm);
	struct drm_prime_mock_script *args = data;
	struct mock_record *record;
	struct mock_op *what;
	int ret;

	if (!mock_script_valid(args))
		return -EINVAL;
	if (args->flags & PRIME_MOCK_BY_HANDLE) {
		ret = mock_handle_to_id(file, &args->id);
		if (ret)
			return ret;
	}
	mutex_lock(&mock->lock);
	record = mock_record_find(mock, args->id);
	if (record) {
		spin_lock(&record->lock);
		what = &record->ops[args->op];
		what->fail_at = args->fail_at;
		what->fail_count = args->fail_count;
		what->error = args->error;
		what->sleep_us = args->sleep_us;
		what->interruptible = args->flags & PRIME_MOCK_INTERRUPTIBLE;
		spin_unlock(&record->lock);
	}
	mutex_unlock(&mock->lock);
	return record ? 0 : -ENOENT;
}

static void mock_record_tell(struct mock_record *record,
			     struct drm_prime_mock_stats *args)
{
	unsigned int i;

	BUILD_BUG_ON(ARRAY_SIZE(args->calls) != PRIME_MOCK_OPS);
	BUILD_BUG_ON(ARRAY_SIZE(args->balance) != PRIME_MOCK_PAIRS);
	spin_lock(&record->lock);
	for (i = 0; i < PRIME_MOCK_OPS; i++) {
		args->calls[i] = record->ops[i].calls;
		args->failures[i] = record->ops[i].failures;
	}
	for (i = 0; i < PRIME_MOCK_PAIRS; i++)
		args->balance[i] = record->balance[i];
	args->moves = record->moves;
	spin_unlock(&record->lock);
}

static int mock_ioctl_stats(struct drm_device *drm, void *data,
			    struct drm_file *file)
{
	struct mock_device *mock = to_mock_device(drm);
	struct drm_prime_mock_stats *args = data;
	struct mock_record *record;
	u32 id = args->id;
	int ret;

	if (args->flags & ~PRIME_MOCK_BY_HANDLE)
		return -EINVAL;
	if (args->flags) {
		ret = mock_handle_to_id(file, &id);
		if (ret)
			return ret;
	}
	memset(args, 0, sizeof(*args));
	args->id = id;
	mutex_lock(&mock->lock);
	record = mock_record_find(mock, id);
	if (record) {
		mock_record_tell(record, args);
		args->objects = id ? !record->freed : atomic64_read(&mock->objects);
	}
	mutex_unlock(&mock->lock);
	if (!id) {
		args->imports = atomic64_read(&mock->imports);
		args->fences = atomic64_read(&mock->fences);
		args->undone = atomic64_read(&mock->undone);
	}
	return record ? 0 : -ENOENT;
}

/* --- device --- */

#ifdef CONFIG_DRM_PRIME_LAYER
/* The DMA API has no word for a number of segments; late exporters want it. */
static int mock_constraints_set(struct device *dev,
				const struct drm_prime_mock_limits *args)
{
	struct dma_buf_constraints c;

	dma_buf_constraints_init(&c);
	c.dma_mask = DMA_BIT_MASK(args->dma_bits);
	c.max_segment_size = args->max_segment_size;
	c.segment_boundary = args->segment_boundary;
	if (args->max_segments)
		c.max_segments = args->max_segments;
	return devm_dma_buf_constraints_set(dev, &c);
}
#else
static int mock_constraints_set(struct device *dev,
				const struct drm_prime_mock_limits *args)
{
	return 0;
}
#endif

static int mock_ioctl_limits(struct drm_device *drm, void *data,
			     struct drm_file *file)
{
	u32 flags = PRIME_MOCK_GEM_DYNAMIC | PRIME_MOCK_GEM_PEER2PEER |
		    PRIME_MOCK_UNCHECKED;
	struct mock_device *mock = to_mock_device(drm);
	struct drm_prime_mock_limits *args = data;
	u64 boundary = args->segment_boundary;
	int ret;

	if (args->flags & ~flags || !args->dma_bits || args->dma_bits > 64 ||
	    !args->max_segment_size || boundary & (boundary + 1) ||
	    boundary < SZ_4K - 1)
		return -EINVAL;
	if (args->flags & PRIME_MOCK_GEM_PEER2PEER &&
	    !(args->flags & PRIME_MOCK_GEM_DYNAMIC))
		return -EINVAL;
	mutex_lock(&mock->lock);
	ret = dma_set_mask_and_coherent(drm->dev, DMA_BIT_MASK(args->dma_bits));
	if (!ret)
		ret = mock_constraints_set(drm->dev, args);
	if (!ret) {
		dma_set_max_seg_size(drm->dev, args->max_segment_size);
		dma_set_seg_boundary(drm->dev, boundary);
		WRITE_ONCE(mock->max_segments, args->max_segments);
		WRITE_ONCE(mock->import_flags, args->flags);
	}
	mutex_unlock(&mock->lock);
	return ret;
}

static int mock_ioctl_unplug(struct drm_device *drm, void *data,
			     struct drm_file *file)
{
	struct drm_prime_mock_unplug *args = data;

	if (args->flags || args->pad)
		return -EINVAL;
	device_release_driver(drm->dev);
	return 0;
}

static int mock_open(struct drm_device *drm, struct drm_file *drm_file)
{
	struct mock_file *file = kzalloc(sizeof(*file), GFP_KERNEL);

	if (!file)
		return -ENOMEM;
	file->mock = to_mock_device(drm);
	xa_init_flags(&file->imports, XA_FLAGS_ALLOC1);
	xa_init_flags(&file->fences, XA_FLAGS_ALLOC1);
	drm_file->driver_priv = file;
	return 0;
}

static void mock_postclose(struct drm_device *drm, struct drm_file *drm_file)
{
	struct mock_file *file = drm_file->driver_priv;

	/* Fences first: an import's last steps may wait for them. */
	mock_fences_close(file);
	mock_imports_close(file);
	kfree(file);
}

#define MOCK_IOCTL(name, function) \
	DRM_IOCTL_DEF_DRV(PRIME_MOCK_##name, function, \
			  DRM_ROOT_ONLY | DRM_RENDER_ALLOW)

static const struct drm_ioctl_desc mock_ioctls[] = {
	MOCK_IOCTL(CREATE, mock_ioctl_create),
	MOCK_IOCTL(MOVE, mock_ioctl_move),
	MOCK_IOCTL(SCRIPT, mock_ioctl_script),
	MOCK_IOCTL(STATS, mock_ioctl_stats),
	MOCK_IOCTL(LIMITS, mock_ioctl_limits),
	MOCK_IOCTL(IMPORT, mock_ioctl_import),
	MOCK_IOCTL(STEP, mock_ioctl_step),
	MOCK_IOCTL(QUERY, mock_ioctl_query),
	MOCK_IOCTL(ACCESS, mock_ioctl_access),
	MOCK_IOCTL(FENCE, mock_ioctl_fence),
	MOCK_IOCTL(SIGNAL, mock_ioctl_signal),
	MOCK_IOCTL(UNPLUG, mock_ioctl_unplug),
};

DEFINE_DRM_GEM_FOPS(mock_fops);

static const struct drm_driver mock_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER,
	.name = "prime_mock",
	.desc = "exporter and importer that follow a test's script",
	.date = "20260101",
	.major = PRIME_MOCK_MAJOR,
	.minor = PRIME_MOCK_MINOR,
	.fops = &mock_fops,
	.open = mock_open,
	.postclose = mock_postclose,
	.ioctls = mock_ioctls,
	.num_ioctls = ARRAY_SIZE(mock_ioctls),
	.dumb_create = mock_dumb_create,
	.gem_prime_import = mock_gem_import,
	.gem_prime_import_sg_table = mock_gem_import_sg_table,
};

static void mock_release(struct drm_device *drm, void *unused)
{
	struct mock_device *mock = to_mock_device(drm);
	struct mock_record *record;
	unsigned long id;

	xa_for_each(&mock->records, id, record)
		kfree(record);
	xa_destroy(&mock->records);
	mutex_destroy(&mock->lock);
}

static int mock_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct mock_device *mock;
	int ret;

	mock = devm_drm_dev_alloc(dev, &mock_driver, struct mock_device, drm);
	if (IS_ERR(mock))
		return PTR_ERR(mock);
	mock_record_init(&mock->total, NULL);
	mutex_init(&mock->lock);
	xa_init(&mock->records);
	INIT_LIST_HEAD(&mock->freed);
	ret = drmm_add_action_or_reset(&mock->drm, mock_release, NULL);
	if (ret)
		return ret;
	ret = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	dma_set_max_seg_size(dev, UINT_MAX);
	dma_set_seg_boundary(dev, ULONG_MAX);
	platform_set_drvdata(pdev, mock);
	return drm_dev_register(&mock->drm, 0);
}

static void mock_remove(struct platform_device *pdev)
{
	struct mock_device *mock = platform_get_drvdata(pdev);

	drm_dev_unplug(&mock->drm);
}

static struct platform_driver mock_platform_driver = {
	.driver = { .name = "prime_mock" },
	.probe = mock_probe,
	.remove = mock_remove,
};

static void mock_devices_remove(void)
{
	unsigned int i;

	for (i = 0; i < MOCK_MAX_DEVICES; i++)
		platform_device_unregister(mock_devices[i]);
}

static int __init mock_devices_add(void)
{
	struct platform_device_info info = {
		.name = "prime_mock",
		.dma_mask = DMA_BIT_MASK(64),
	};
	unsigned int i;
	int ret;

	for (i = 0; i < devices; i++) {
		info.id = i;
		mock_devices[i] = platform_device_register_full(&info);
		if (IS_ERR(mock_devices[i])) {
			ret = PTR_ERR(mock_devices[i]);
			mock_devices[i] = NULL;
			mock_devices_remove();
			return ret;
		}
	}
	return 0;
}

static int __init mock_init(void)
{
	int ret;

	if (!devices || devices > MOCK_MAX_DEVICES)
		return -EINVAL;
	ret = mock_fences_init();
	if (ret)
		return ret;
	ret = mock_devices_add();
	if (ret)
		goto fences;
	ret = platform_driver_register(&mock_platform_driver);
	if (ret)
		goto remove;
	return 0;

remove:
	mock_devices_remove();
fences:
	mock_fences_exit();
	return ret;
}

static void __exit mock_exit(void)
{
	platform_driver_unregister(&mock_platform_driver);
	mock_devices_remove();
	mock_fences_exit();
}

module_init(mock_init);
module_exit(mock_exit);

MODULE_IMPORT_NS(DMA_BUF);
MODULE_DESCRIPTION("PRIME exporter and importer for tests");
MODULE_LICENSE("GPL");
