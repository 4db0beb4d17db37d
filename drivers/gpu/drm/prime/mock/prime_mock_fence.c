// SPDX-License-Identifier: GPL-2.0
/*
 * Fences of prime_mock. A fence is put on a buffer. It signals on command,
 * after a time, or at the latest when the DRM file is closed.
 */
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/sync_file.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include <drm/drm_drv.h>
#include <drm/drm_gem.h>

#include "prime_mock_fence.h"

/* Held by its number, and by its work until that has run or was cancelled. */
struct mock_fence {
	struct dma_fence base;		/* first: the last put frees it */
	spinlock_t lock;		/* of base */
	struct delayed_work work;
	struct mock_device *mock;	/* held until it signals */
	unsigned long ended;		/* bit 0: it signals or has signalled */
	int error;			/* negative, or 0; used when its time is over */
};

static struct workqueue_struct *mock_fence_queue;

static const char *mock_fence_name(struct dma_fence *fence)
{
	return "prime_mock";
}

static void mock_fence_release(struct dma_fence *base)
{
	dma_fence_free(base);
	/* While the fence lives, others may call its two functions. */
	module_put(THIS_MODULE);
}

static const struct dma_fence_ops mock_fence_ops = {
	.get_driver_name = mock_fence_name,
	.get_timeline_name = mock_fence_name,
	.release = mock_fence_release,
};

/* Returns true if this call signals the fence. */
static bool mock_fence_end(struct mock_fence *fence, int error)
{
	struct mock_device *mock = fence->mock;
	bool cookie;

	if (test_and_set_bit(0, &fence->ended))
		return false;
	cookie = dma_fence_begin_signalling();
	if (error)
		dma_fence_set_error(&fence->base, error);
	dma_fence_signal(&fence->base);
	dma_fence_end_signalling(cookie);
	atomic64_dec(&mock->fences);
	drm_dev_put(&mock->drm);
	return true;
}

static void mock_fence_time_over(struct work_struct *work)
{
	struct mock_fence *fence =
		container_of(work, struct mock_fence, work.work);

	mock_fence_end(fence, fence->error);
	dma_fence_put(&fence->base);
}

/* Also drops the reference of the fence's number. */
static bool mock_fence_end_now(struct mock_fence *fence, int error)
{
	bool ended = mock_fence_end(fence, error);

	if (cancel_delayed_work_sync(&fence->work))
		dma_fence_put(&fence->base);
	dma_fence_put(&fence->base);
	return ended;
}

void mock_fences_open(struct mock_fences *fences, struct mock_device *mock)
{
	fences->mock = mock;
	xa_init_flags(&fences->ids, XA_FLAGS_ALLOC1);
}

void mock_fences_close(struct mock_fences *fences)
{
	struct mock_fence *fence;
	unsigned long id;

	xa_for_each(&fences->ids, id, fence)
		if (mock_fence_end_now(fence, -ECANCELED))
			atomic64_inc(&fences->mock->undone);
	xa_destroy(&fences->ids);
}

/* --- making one --- */
static struct mock_fence *
mock_fence_create(struct mock_device *mock, const struct drm_prime_mock_fence *args)
{
	struct mock_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL_ACCOUNT);

	if (!fence)
		return NULL;
	__module_get(THIS_MODULE);
	fence->mock = mock;
	fence->error = args->delay_ms ? -(int)args->error : -ETIMEDOUT;
	spin_lock_init(&fence->lock);
	INIT_DELAYED_WORK(&fence->work, mock_fence_time_over);
	dma_fence_init(&fence->base, &mock_fence_ops, &fence->lock,
		       dma_fence_context_alloc(1), 1);
	return fence;
}

/* A fence that others can see must signal, so nothing fails after that. */
static int mock_fence_show_locked(struct mock_fence *fence, struct dma_resv *resv,
				  const struct drm_prime_mock_fence *args)
{
	u32 ms = args->delay_ms ?: PRIME_MOCK_FENCE_MAX_MS;
	int ret = dma_resv_reserve_fences(resv, 1);

	if (ret)
		return ret;
	drm_dev_get(&fence->mock->drm);
	atomic64_inc(&fence->mock->fences);
	dma_resv_add_fence(resv, &fence->base, (enum dma_resv_usage)args->usage);
	dma_fence_get(&fence->base);	/* for the work */
	queue_delayed_work(mock_fence_queue, &fence->work, msecs_to_jiffies(ms));
	return 0;
}

static int mock_fence_show(struct mock_fence *fence, struct dma_resv *resv,
			   const struct drm_prime_mock_fence *args)
{
	int ret = dma_resv_lock_interruptible(resv, NULL);

	if (ret)
		return ret;
	ret = mock_fence_show_locked(fence, resv, args);
	dma_resv_unlock(resv);
	return ret;
}

int mock_fence_add_locked(struct mock_device *mock, struct dma_resv *resv, u32 usage,
			  u32 delay_ms)
{
	const struct drm_prime_mock_fence args = {
		.usage = usage, .delay_ms = delay_ms,
	};
	struct mock_fence *fence = mock_fence_create(mock, &args);
	int ret;

	if (!fence)
		return -ENOMEM;
	ret = mock_fence_show_locked(fence, resv, &args);
	dma_fence_put(&fence->base);
	return ret;
}

/* Makes a sync_file and reserves its fd. */
static int mock_fence_reserve(struct mock_fence *fence, struct sync_file **file)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		return fd;
	*file = sync_file_create(&fence->base);
	if (*file)
		return fd;
	put_unused_fd(fd);
	return -ENOMEM;
}

/*
 * Copies the numbers to the program before the fence is added, and installs the
 * sync_file last. So if a step fails, nothing is left.
 */
static int mock_fence_put_on(struct mock_fences *fences, struct dma_resv *resv,
			     struct drm_prime_mock_fence *args,
			     struct drm_prime_mock_fence __user *user)
{
	struct mock_fence *fence = mock_fence_create(fences->mock, args);
	struct sync_file *sync_file = NULL;
	int ret, fd = -1;

	if (!fence)
		return -ENOMEM;
	if (args->flags & PRIME_MOCK_SYNC_FILE) {
		fd = mock_fence_reserve(fence, &sync_file);
		ret = fd;
		if (fd < 0)
			goto put_fence;
	}
	ret = xa_alloc(&fences->ids, &args->id, NULL,
		       XA_LIMIT(1, PRIME_MOCK_MAX_IDS), GFP_KERNEL_ACCOUNT);
	if (ret) {
		ret = ret == -EBUSY ? -ENOSPC : ret;
		goto put_file;
	}
	args->sync_file = fd;
	ret = copy_to_user(user, args, sizeof(*args)) ? -EFAULT :
	      mock_fence_show(fence, resv, args);
	if (ret)
		goto release_id;
	xa_store(&fences->ids, args->id, fence, 0);
	if (sync_file)
		fd_install(fd, sync_file->file);
	return 0;

release_id:
	xa_erase(&fences->ids, args->id);
put_file:
	if (sync_file) {
		put_unused_fd(fd);
		fput(sync_file->file);
	}
put_fence:
	dma_fence_put(&fence->base);
	return ret;
}

static bool mock_fence_valid(const struct drm_prime_mock_fence *args)
{
	return !(args->flags & ~(PRIME_MOCK_SYNC_FILE | PRIME_MOCK_BY_HANDLE)) &&
	       !args->pad && args->usage <= PRIME_MOCK_USAGE_BOOKKEEP &&
	       args->delay_ms <= PRIME_MOCK_FENCE_MAX_MS &&
	       args->error <= MAX_ERRNO && (!args->error || args->delay_ms);
}

int mock_fences_add(struct mock_fences *fences, struct drm_file *file,
		    struct drm_prime_mock_fence *args,
		    struct drm_prime_mock_fence __user *user)
{
	struct drm_gem_object *obj;
	struct dma_buf *dmabuf;
	int ret;

	if (!mock_fence_valid(args))
		return -EINVAL;
	if (args->flags & PRIME_MOCK_BY_HANDLE) {
		obj = drm_gem_object_lookup(file, args->fd);
		if (!obj)
			return -ENOENT;
		ret = mock_fence_put_on(fences, obj->resv, args, user);
		drm_gem_object_put(obj);
		return ret;
	}
	dmabuf = dma_buf_get(args->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = mock_fence_put_on(fences, dmabuf->resv, args, user);
	dma_buf_put(dmabuf);
	return ret;
}

int mock_fences_signal(struct mock_fences *fences,
		       const struct drm_prime_mock_signal *args)
{
	struct mock_fence *fence;

	if (args->flags || args->pad || args->error > MAX_ERRNO)
		return -EINVAL;
	/* A number that has no fence yet stays reserved. */
	xa_lock(&fences->ids);
	fence = xa_load(&fences->ids, args->id);
	if (fence)
		__xa_erase(&fences->ids, args->id);
	xa_unlock(&fences->ids);
	if (!fence)
		return -ENOENT;
	return mock_fence_end_now(fence, -(int)args->error) ? 0 : -ETIME;
}

int mock_fences_init(void)
{
	/* Reclaim may wait for fences, so they must not wait for memory. */
	mock_fence_queue = alloc_workqueue("prime_mock", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	return mock_fence_queue ? 0 : -ENOMEM;
}

/* A fence holds the module, so none is left. */
void mock_fences_exit(void)
{
	destroy_workqueue(mock_fence_queue);
	/* A thread may still be in mock_fence_release(). */
	synchronize_rcu_tasks();
}
