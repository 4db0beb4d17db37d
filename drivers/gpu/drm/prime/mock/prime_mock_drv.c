// SPDX-License-Identifier: GPL-2.0
/*
 * prime_mock: an exporter and importer of dma-bufs that do what a test tells
 * them. This file has the devices, the DRM files and the table of ioctls.
 */
#include <linux/compat.h>
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_managed.h>

#include "prime_layer.h"
#include "prime_mock_device.h"
#include "prime_mock_fence.h"
#include "prime_mock_importer.h"
#include "prime_mock_object.h"
#include "prime_mock_step.h"

#define MOCK_MAX_DEVICES	16

static unsigned int devices = 2;
module_param(devices, uint, 0444);
MODULE_PARM_DESC(devices, "number of devices, 1 to 16 (2)");

static struct platform_device *mock_devices[MOCK_MAX_DEVICES];

/* --- files --- */
struct mock_file {
	struct mock_fences fences;
	struct mock_imports imports;
};

static int mock_open(struct drm_device *drm, struct drm_file *drm_file)
{
	struct mock_file *file = kzalloc(sizeof(*file), GFP_KERNEL);

	if (!file)
		return -ENOMEM;
	mock_fences_open(&file->fences, to_mock_device(drm));
	mock_imports_open(&file->imports, to_mock_device(drm));
	drm_file->driver_priv = file;
	return 0;
}

static void mock_postclose(struct drm_device *drm, struct drm_file *drm_file)
{
	struct mock_file *file = drm_file->driver_priv;

	/* Fences first: the last steps of an import may wait for them. */
	mock_fences_close(&file->fences);
	mock_imports_close(&file->imports);
	kfree(file);
}

/* --- ioctls --- */
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
	struct drm_prime_mock_script *args = data;
	int ret;

	if (!mock_script_valid(args))
		return -EINVAL;
	if (args->flags & PRIME_MOCK_BY_HANDLE) {
		ret = mock_object_id(file, args->id, &args->id);
		if (ret)
			return ret;
	}
	return mock_scripts_set(to_mock_device(drm)->scripts, args);
}

static int mock_ioctl_stats(struct drm_device *drm, void *data,
			    struct drm_file *file)
{
	struct mock_device *mock = to_mock_device(drm);
	struct drm_prime_mock_stats *args = data;
	u32 id = args->id;
	int ret;

	if (args->flags & ~PRIME_MOCK_BY_HANDLE)
		return -EINVAL;
	if (args->flags) {
		ret = mock_object_id(file, id, &id);
		if (ret)
			return ret;
	}
	memset(args, 0, sizeof(*args));
	args->id = id;
	if (!id) {
		args->imports = atomic64_read(&mock->imports);
		args->fences = atomic64_read(&mock->fences);
		args->undone = atomic64_read(&mock->undone);
	}
	ret = mock_scripts_tell(mock->scripts, id, args);
	if (!id)
		args->objects = atomic64_read(&mock->objects);
	return ret;
}

static int mock_ioctl_import(struct drm_device *drm, void *data,
			     struct drm_file *drm_file)
{
	struct mock_file *file = drm_file->driver_priv;

	return mock_imports_add(&file->imports, data);
}

static int mock_ioctl_step(struct drm_device *drm, void *data,
			   struct drm_file *drm_file)
{
	struct mock_file *file = drm_file->driver_priv;

	return mock_imports_step(&file->imports, data);
}

static int mock_ioctl_query(struct drm_device *drm, void *data,
			    struct drm_file *drm_file)
{
	struct mock_file *file = drm_file->driver_priv;

	return mock_imports_query(&file->imports, drm_file, data);
}

static int mock_ioctl_access(struct drm_device *drm, void *data,
			     struct drm_file *drm_file)
{
	struct mock_file *file = drm_file->driver_priv;

	return mock_imports_access(&file->imports, drm_file, data);
}

static int mock_ioctl_signal(struct drm_device *drm, void *data,
			     struct drm_file *drm_file)
{
	struct mock_file *file = drm_file->driver_priv;

	return mock_fences_signal(&file->fences, data);
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

#define MOCK_IOCTL_FLAGS (DRM_ROOT_ONLY | DRM_RENDER_ALLOW)
#define MOCK_IOCTL(name, function) \
	DRM_IOCTL_DEF_DRV(PRIME_MOCK_##name, function, MOCK_IOCTL_FLAGS)

/* All ioctls but FENCE, which mock_ioctl() handles. */
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
	MOCK_IOCTL(SIGNAL, mock_ioctl_signal),
	MOCK_IOCTL(UNPLUG, mock_ioctl_unplug),
};

/* A FENCE call, with the address of its answer. */
struct mock_fence_call {
	struct drm_prime_mock_fence args;
	struct drm_prime_mock_fence __user *user;
};

static int mock_ioctl_fence(struct drm_device *drm, void *data,
			    struct drm_file *drm_file)
{
	struct mock_file *file = drm_file->driver_priv;
	struct mock_fence_call *call = data;

	return mock_fences_add(&file->fences, drm_file, &call->args, call->user);
}

/*
 * drm_ioctl() copies the answer after the handler has returned. If that copy
 * fails, an fd that is already installed can't be taken back. So FENCE copies
 * its own answer.
 */
static long mock_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct mock_fence_call call = { .user = (void __user *)arg };

	if (cmd != DRM_IOCTL_PRIME_MOCK_FENCE)
		return drm_ioctl(filp, cmd, arg);
	if (copy_from_user(&call.args, call.user, sizeof(call.args)))
		return -EFAULT;
	return drm_ioctl_kernel(filp, mock_ioctl_fence, &call, MOCK_IOCTL_FLAGS);
}

#ifdef CONFIG_COMPAT
/* The structure is the same for 32-bit programs. */
static long mock_compat_ioctl(struct file *filp, unsigned int cmd,
			      unsigned long arg)
{
	if (cmd != DRM_IOCTL_PRIME_MOCK_FENCE)
		return drm_compat_ioctl(filp, cmd, arg);
	return mock_ioctl(filp, cmd, (unsigned long)compat_ptr(arg));
}
#else
#define mock_compat_ioctl NULL
#endif

/* --- device --- */
/* DEFINE_DRM_GEM_FOPS() with ioctls of our own. */
static const struct file_operations mock_fops = {
	.owner = THIS_MODULE,
	.open = drm_open,
	.release = drm_release,
	.unlocked_ioctl = mock_ioctl,
	.compat_ioctl = mock_compat_ioctl,
	.poll = drm_poll,
	.read = drm_read,
	.llseek = noop_llseek,
	.mmap = drm_gem_mmap,
	.fop_flags = FOP_UNSIGNED_OFFSET,
};

static const struct drm_driver mock_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER,
	.name = "prime_mock",
	.desc = "exporter and importer that follow a test's script",
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
	mock_scripts_destroy(to_mock_device(drm)->scripts);
}

static int mock_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct mock_device *mock;
	int ret;

	mock = devm_drm_dev_alloc(dev, &mock_driver, struct mock_device, drm);
	if (IS_ERR(mock))
		return PTR_ERR(mock);
	mock->scripts = mock_scripts_create();
	if (!mock->scripts)
		return -ENOMEM;
	mock->total = mock_scripts_total(mock->scripts);
	ret = drmm_add_action_or_reset(&mock->drm, mock_release, NULL) ?:
	      drmm_mutex_init(&mock->drm, &mock->lock);
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

MODULE_IMPORT_NS("DMA_BUF");
MODULE_DESCRIPTION("PRIME exporter and importer for tests");
MODULE_LICENSE("GPL");
