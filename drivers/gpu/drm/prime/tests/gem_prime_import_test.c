// SPDX-License-Identifier: GPL-2.0
/*
 * Importing another device's buffer: attachment, mapping, identity, failure.
 */
#include <linux/fdtable.h>
#include <linux/kthread.h>
#include <linux/sched/signal.h>

#include "mock_drm.h"
#include "mock_exporter.h"

struct import_fixture {
	struct mock_drm *exporter;
	struct mock_drm *importer;
	struct file *exporter_file;
	struct file *importer_file;
	struct drm_gem_object *obj;
	struct dma_buf *dmabuf;
	int fd;
};

static void close_fd_of(void *data)
{
	struct import_fixture *fix = data;

	close_fd(fix->fd);
	flush_delayed_fput();
}

static int import_init(struct kunit *test)
{
	struct import_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);
	u32 handle;

	KUNIT_ASSERT_NOT_NULL(test, fix);
	fix->exporter = mock_drm_create(test);
	fix->importer = mock_drm_create(test);
	fix->exporter_file = mock_drm_open(fix->exporter);
	fix->importer_file = mock_drm_open(fix->importer);
	handle = mock_drm_object_handle(fix->exporter, fix->exporter_file, &fix->obj);
	KUNIT_ASSERT_EQ(test, drm_gem_prime_handle_to_fd(fix->exporter->drm,
							 mock_drm_priv(fix->exporter_file),
							 handle, DRM_CLOEXEC | DRM_RDWR,
							 &fix->fd), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, close_fd_of, fix), 0);
	fix->dmabuf = fix->obj->dma_buf;
	test->priv = fix;
	return 0;
}

static int import_fd(struct import_fixture *fix, int fd, u32 *handle)
{
	return drm_gem_prime_fd_to_handle(fix->importer->drm, mock_drm_priv(fix->importer_file),
					  fd, handle);
}

static struct drm_gem_object *imported(struct kunit *test, u32 *handle)
{
	struct import_fixture *fix = test->priv;
	struct drm_gem_object *obj;

	KUNIT_ASSERT_EQ(test, import_fd(fix, fix->fd, handle), 0);
	obj = drm_gem_object_lookup(mock_drm_priv(fix->importer_file), *handle);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	drm_gem_object_put(obj);
	return obj;
}

static int import_close(struct import_fixture *fix, u32 handle)
{
	return drm_gem_handle_delete(mock_drm_priv(fix->importer_file), handle);
}

static void import_attaches(struct kunit *test)
{
	struct import_fixture *fix = test->priv;
	struct drm_gem_object *obj;
	u32 handle = 0;
	long count = file_count(fix->dmabuf->file);

	obj = imported(test, &handle);
	KUNIT_EXPECT_PTR_NE(test, obj, fix->obj);
	KUNIT_EXPECT_PTR_EQ(test, obj->dev, fix->importer->drm);
	KUNIT_ASSERT_NOT_NULL(test, obj->import_attach);
	KUNIT_EXPECT_TRUE(test, drm_gem_is_imported(obj));
	KUNIT_EXPECT_PTR_EQ(test, obj->import_attach->dmabuf, fix->dmabuf);
	KUNIT_EXPECT_PTR_EQ(test, obj->import_attach->dev, fix->importer->drm->dev);
	KUNIT_EXPECT_PTR_EQ(test, obj->resv, fix->dmabuf->resv);
	KUNIT_EXPECT_PTR_EQ(test, obj->dma_buf, fix->dmabuf);
	KUNIT_EXPECT_EQ(test, obj->size, MOCK_GEM_SIZE);
	KUNIT_EXPECT_EQ(test, mock_gem_refs(obj), 1u);
	KUNIT_EXPECT_GT(test, (long)file_count(fix->dmabuf->file), count);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&fix->dmabuf->attachments));
	MOCK_DRM_EXPECT_CALLS(test, fix->exporter, MOCK_GEM_PIN, 1);
	MOCK_DRM_EXPECT_CALLS(test, fix->exporter, MOCK_GEM_GET_SG_TABLE, 1);
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_IMPORT, 1);

	KUNIT_EXPECT_EQ(test, import_close(fix, handle), 0);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_drm_calls(fix->importer, MOCK_GEM_FREE)));
	KUNIT_EXPECT_TRUE(test, list_empty(&fix->dmabuf->attachments));
	KUNIT_EXPECT_TRUE(test, prime_test_wait(file_count(fix->dmabuf->file) == count));
	MOCK_DRM_EXPECT_CALLS(test, fix->exporter, MOCK_GEM_UNPIN, 1);
}

static void import_twice(struct kunit *test)
{
	struct import_fixture *fix = test->priv;
	struct drm_gem_object *one, *two;
	u32 first = 0, second = 0;

	one = imported(test, &first);
	two = imported(test, &second);
	KUNIT_EXPECT_EQ(test, first, second);
	KUNIT_EXPECT_PTR_EQ(test, one, two);
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_IMPORT, 1);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&fix->dmabuf->attachments));

	/* After the handle is closed, the buffer is imported again. */
	KUNIT_EXPECT_EQ(test, import_close(fix, first), 0);
	imported(test, &first);
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_IMPORT, 2);
}

/* What was imported is exported as the buffer it came from. */
static void re_export(struct kunit *test)
{
	struct import_fixture *fix = test->priv;
	struct dma_buf *dmabuf;
	u32 handle = 0, back = 0;
	int fd;

	imported(test, &handle);
	KUNIT_ASSERT_EQ(test, drm_gem_prime_handle_to_fd(fix->importer->drm,
							 mock_drm_priv(fix->importer_file),
							 handle, DRM_CLOEXEC, &fd), 0);
	dmabuf = dma_buf_get(fd);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	KUNIT_EXPECT_PTR_EQ(test, dmabuf, fix->dmabuf);
	dma_buf_put(dmabuf);
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_EXPORT, 0);

	/* In the exporter it is the first object again. */
	KUNIT_EXPECT_EQ(test, drm_gem_prime_fd_to_handle(fix->exporter->drm,
							 mock_drm_priv(fix->exporter_file), fd,
							 &back), 0);
	KUNIT_EXPECT_EQ(test, fix->obj->handle_count, 1u);
	prime_test_close_fd(test, fd);
}

/* The import lives on when everything of the exporter's is closed. */
static void exporter_closes_first(struct kunit *test)
{
	struct import_fixture *fix = test->priv;
	u32 handle = 0;

	imported(test, &handle);
	kunit_release_action(test, close_fd_of, fix);
	mock_drm_close(fix->exporter, fix->exporter_file);
	MOCK_DRM_EXPECT_CALLS(test, fix->exporter, MOCK_GEM_FREE, 0);
	KUNIT_EXPECT_EQ(test, import_close(fix, handle), 0);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_drm_calls(fix->exporter, MOCK_GEM_FREE)));
}

/* Import that fails leaves no handle, no attachment and no reference. */
static void import_fails(struct kunit *test, int err)
{
	struct import_fixture *fix = test->priv;
	long count = file_count(fix->dmabuf->file);
	u32 handle = 0;

	KUNIT_EXPECT_EQ(test, import_fd(fix, fix->fd, &handle), err);
	KUNIT_EXPECT_TRUE(test, list_empty(&fix->dmabuf->attachments));
	KUNIT_EXPECT_TRUE(test, prime_test_wait(file_count(fix->dmabuf->file) == count));
	KUNIT_EXPECT_TRUE(test, idr_is_empty(&mock_drm_priv(fix->importer_file)->object_idr));
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(fix->dmabuf->resv));
}

static void import_without_driver_function(struct kunit *test)
{
	struct import_fixture *fix = test->priv;

	fix->importer->driver.gem_prime_import_sg_table = NULL;
	import_fails(test, -EINVAL);
	MOCK_DRM_EXPECT_CALLS(test, fix->exporter, MOCK_GEM_PIN, 0);
}

static void import_driver_fails(struct kunit *test)
{
	struct import_fixture *fix = test->priv;

	mock_drm_fail(fix->importer, MOCK_GEM_IMPORT, 1, -ENODEV);
	import_fails(test, -ENODEV);
	MOCK_DRM_EXPECT_CALLS(test, fix->exporter, MOCK_GEM_UNPIN, 1);
}

/* The same of an exporter that counts mappings. */
static void import_driver_fails_unmaps(struct kunit *test)
{
	struct import_fixture *fix = test->priv;
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct dma_buf *dmabuf = mock_exporter_export(exp);

	mock_drm_fail(fix->importer, MOCK_GEM_IMPORT, 1, -ENODEV);
	KUNIT_EXPECT_EQ(test, PTR_ERR(drm_gem_prime_import(fix->importer->drm, dmabuf)), -ENODEV);
	MOCK_EXPECT_CALLS(test, exp, MOCK_UNMAP, 1);
	MOCK_EXPECT_CALLS(test, exp, MOCK_DETACH, 1);
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);
}

static void import_attach_fails(struct kunit *test)
{
	struct import_fixture *fix = test->priv;

	mock_drm_fail(fix->exporter, MOCK_GEM_PIN, 1, -EBUSY);
	import_fails(test, -EBUSY);
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_IMPORT, 0);
}

static void import_map_fails(struct kunit *test)
{
	struct import_fixture *fix = test->priv;

	mock_drm_fail(fix->exporter, MOCK_GEM_GET_SG_TABLE, 1, -ENOMEM);
	import_fails(test, -ENOMEM);
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_IMPORT, 0);
}

/* The object's open refuses the file. */
static void import_open_fails(struct kunit *test)
{
	struct import_fixture *fix = test->priv;

	mock_drm_fail(fix->importer, MOCK_GEM_OPEN, 1, -EACCES);
	import_fails(test, -EACCES);
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_FREE, 1);
}

static struct drm_gem_object *own_import(struct drm_device *dev, struct dma_buf *dma_buf)
{
	return ERR_PTR(-EXDEV);
}

static void import_driver_hook(struct kunit *test)
{
	struct import_fixture *fix = test->priv;

	fix->importer->driver.gem_prime_import = own_import;
	import_fails(test, -EXDEV);
}

/* A buffer that no GEM driver exported. */
static void import_foreign_exporter(struct kunit *test)
{
	struct import_fixture *fix = test->priv;
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct dma_buf *dmabuf = mock_exporter_export(exp);
	u32 handle = 0;
	int fd;

	get_dma_buf(dmabuf);
	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_EQ(test, import_fd(fix, fd, &handle), 0);
	MOCK_EXPECT_CALLS(test, exp, MOCK_ATTACH, 1);
	MOCK_EXPECT_CALLS(test, exp, MOCK_MAP, 1);
	KUNIT_EXPECT_EQ(test, exp->dir, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, import_close(fix, handle), 0);
	MOCK_EXPECT_CALLS(test, exp, MOCK_UNMAP, 1);
	MOCK_EXPECT_CALLS(test, exp, MOCK_DETACH, 1);
	prime_test_close_fd(test, fd);
}

/* A dynamic exporter is pinned for an importer that is not. */
static void import_dynamic_exporter(struct kunit *test)
{
	struct import_fixture *fix = test->priv;
	struct mock_exporter *exp = mock_exporter_create(test, true);
	struct dma_buf *dmabuf = mock_exporter_export(exp);
	struct drm_gem_object *obj;

	obj = drm_gem_prime_import(fix->importer->drm, dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(obj));
	MOCK_EXPECT_CALLS(test, exp, MOCK_PIN, 1);
	MOCK_EXPECT_CALLS(test, exp, MOCK_MAP, 1);
	drm_gem_object_put(obj);
	MOCK_EXPECT_CALLS(test, exp, MOCK_UNPIN, 1);
}

/* The device that attaches may be another than the DRM device's parent. */
static void import_other_device(struct kunit *test)
{
	struct import_fixture *fix = test->priv;
	struct device *dev = prime_test_device(test);
	struct drm_gem_object *obj;

	obj = drm_gem_prime_import_dev(fix->importer->drm, fix->dmabuf, dev);
	KUNIT_ASSERT_FALSE(test, IS_ERR(obj));
	KUNIT_EXPECT_PTR_EQ(test, obj->import_attach->dev, dev);
	KUNIT_EXPECT_PTR_EQ(test, obj->dev, fix->importer->drm);
	drm_gem_object_put(obj);
	KUNIT_EXPECT_TRUE(test, list_empty(&fix->dmabuf->attachments));
}

/* A device's own buffer is no import but another reference. */
static void import_own_buffer(struct kunit *test)
{
	struct import_fixture *fix = test->priv;
	unsigned int refs = mock_gem_refs(fix->obj);
	long count = file_count(fix->dmabuf->file);
	struct drm_gem_object *obj;

	obj = drm_gem_prime_import(fix->exporter->drm, fix->dmabuf);
	KUNIT_EXPECT_PTR_EQ(test, obj, fix->obj);
	KUNIT_EXPECT_EQ(test, mock_gem_refs(fix->obj), refs + 1);
	KUNIT_EXPECT_EQ(test, (long)file_count(fix->dmabuf->file), count);
	drm_gem_object_put(obj);
}

/* Destroy unmaps what is given, detaches and drops the buffer. */
static void destroy(struct kunit *test)
{
	struct import_fixture *fix = test->priv;
	long count = file_count(fix->dmabuf->file);
	struct dma_buf_attachment *attach;
	struct drm_gem_object obj = {};
	struct sg_table *sgt;
	int i;

	for (i = 0; i < 2; i++) {
		get_dma_buf(fix->dmabuf);
		attach = dma_buf_attach(fix->dmabuf, fix->importer->dev);
		KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
		sgt = i ? dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL) : NULL;
		KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
		obj.import_attach = attach;
		drm_prime_gem_destroy(&obj, sgt);
		KUNIT_EXPECT_TRUE(test, list_empty(&fix->dmabuf->attachments));
		KUNIT_EXPECT_EQ(test, (long)file_count(fix->dmabuf->file), count);
	}
}

static long count_at_detach;

static void detach_looks(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	count_at_detach = file_count(dmabuf->file);
}

/* The importer's reference is the last to go, after the attachment. */
static void destroy_holds_buffer(struct kunit *test)
{
	struct import_fixture *fix = test->priv;
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct drm_gem_object *obj;
	struct dma_buf *dmabuf;

	exp->ops.attach = NULL;
	exp->ops.detach = detach_looks;
	dmabuf = mock_exporter_export(exp);
	obj = drm_gem_prime_import(fix->importer->drm, dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(obj));
	mock_exporter_put(test, dmabuf);
	count_at_detach = 0;
	drm_gem_object_put(obj);
	KUNIT_EXPECT_EQ(test, count_at_detach, 1);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_exporter_calls(exp, MOCK_RELEASE)));
}

/* An imported object that lost its handles is still exported as the buffer it came from. */
static void reexport_regained_handle(struct kunit *test)
{
	struct import_fixture *fix = test->priv;
	struct drm_file *priv = mock_drm_priv(fix->importer_file);
	struct drm_gem_object *obj;
	struct dma_buf *dmabuf;
	u32 handle = 0;

	obj = imported(test, &handle);
	drm_gem_object_get(obj);
	KUNIT_EXPECT_EQ(test, import_close(fix, handle), 0);
	KUNIT_EXPECT_NULL(test, obj->dma_buf);
	handle = mock_drm_handle(fix->importer, fix->importer_file, obj);
	dmabuf = drm_gem_prime_handle_to_dmabuf(fix->importer->drm, priv, handle, DRM_CLOEXEC);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf, fix->dmabuf);
	if (!IS_ERR(dmabuf))
		dma_buf_put(dmabuf);
	KUNIT_EXPECT_EQ(test, import_close(fix, handle), 0);
	drm_gem_object_put(obj);
}

/* --- imports of several threads --- */

struct import_thread {
	struct import_fixture *fix;
	struct task_struct *task;
	struct completion done;
	bool killable;
	u32 handle;
	int ret;
};

static int import_kthread(void *data)
{
	struct import_thread *thread = data;

	if (thread->killable)
		allow_signal(SIGKILL);
	thread->ret = import_fd(thread->fix, thread->fix->fd, &thread->handle);
	flush_signals(current);
	complete(&thread->done);
	return 0;
}

/* Woken up later: kthread_create() waits killably itself, which @until_waits would see. */
static void import_create(struct kunit *test, struct import_thread *thread)
{
	thread->fix = test->priv;
	init_completion(&thread->done);
	thread->task = kthread_create(import_kthread, thread, "prime-import");
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread->task));
}

/* Another thread has come as far as the importer's driver. It stays there until this one waits. */
static void import_begins(struct kunit *test, struct import_thread *thread)
{
	struct import_fixture *fix = test->priv;

	fix->importer->op[MOCK_GEM_IMPORT].until_waits = current;
	import_create(test, thread);
	wake_up_process(thread->task);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_drm_calls(fix->importer, MOCK_GEM_IMPORT)));
}

static void claim_gives_same_handle(struct kunit *test)
{
	struct import_fixture *fix = test->priv;
	struct import_thread first = { };
	u32 handle = 0;

	import_begins(test, &first);
	KUNIT_EXPECT_EQ(test, import_fd(fix, fix->fd, &handle), 0);
	wait_for_completion(&first.done);
	KUNIT_EXPECT_EQ(test, first.ret, 0);
	KUNIT_EXPECT_EQ(test, first.handle, handle);
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_IMPORT, 1);
	KUNIT_EXPECT_EQ(test, import_close(fix, handle), 0);
	KUNIT_EXPECT_EQ(test, import_close(fix, handle), -EINVAL);
}

/* If the import of one thread fails, the thread that waited for it imports the buffer itself. */
static void claim_fails(struct kunit *test)
{
	struct import_fixture *fix = test->priv;
	struct import_thread first = { };
	u32 handle = 0;

	mock_drm_fail(fix->importer, MOCK_GEM_IMPORT, 1, -EIO);
	import_begins(test, &first);
	KUNIT_EXPECT_EQ(test, import_fd(fix, fix->fd, &handle), 0);
	wait_for_completion(&first.done);
	KUNIT_EXPECT_EQ(test, first.ret, -EIO);
	KUNIT_EXPECT_NE(test, handle, 0u);
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_IMPORT, 2);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&fix->dmabuf->attachments));
	KUNIT_EXPECT_EQ(test, import_close(fix, handle), 0);
}

/* A program reads the handle also after a failure: it is what the program passed. */
static void claim_fails_twice(struct kunit *test)
{
	struct import_fixture *fix = test->priv;
	struct import_thread first = { .handle = 4711 };
	u32 handle = 4712;

	mock_drm_fail(fix->importer, MOCK_GEM_IMPORT, MOCK_FAIL_ALWAYS, -EIO);
	import_begins(test, &first);
	KUNIT_EXPECT_EQ(test, import_fd(fix, fix->fd, &handle), -EIO);
	wait_for_completion(&first.done);
	KUNIT_EXPECT_EQ(test, first.ret, -EIO);
	KUNIT_EXPECT_EQ(test, first.handle, 4711u);
	KUNIT_EXPECT_EQ(test, handle, 4712u);
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_IMPORT, 2);
	KUNIT_EXPECT_TRUE(test, list_empty(&fix->dmabuf->attachments));
}

/* A claim also ends if the object's open refuses the file. */
static void claim_open_fails(struct kunit *test)
{
	struct import_fixture *fix = test->priv;
	struct import_thread first = { };
	u32 handle = 0;

	mock_drm_fail(fix->importer, MOCK_GEM_OPEN, 1, -EACCES);
	import_begins(test, &first);
	KUNIT_EXPECT_EQ(test, import_fd(fix, fix->fd, &handle), 0);
	wait_for_completion(&first.done);
	KUNIT_EXPECT_EQ(test, first.ret, -EACCES);
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_IMPORT, 2);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_drm_calls(fix->importer, MOCK_GEM_FREE) == 1));
	KUNIT_EXPECT_EQ(test, import_close(fix, handle), 0);
}

/* A signal that is not deadly changes nothing. */
static void claim_signal(struct kunit *test)
{
	struct import_fixture *fix = test->priv;
	struct import_thread first = { };
	u32 handle = 0;

	import_begins(test, &first);
	prime_test_signal_self();
	KUNIT_EXPECT_EQ(test, import_fd(fix, fix->fd, &handle), 0);
	prime_test_signal_clear();
	wait_for_completion(&first.done);
	KUNIT_EXPECT_EQ(test, first.handle, handle);
}

static void claim_killed(struct kunit *test)
{
	struct import_fixture *fix = test->priv;
	struct import_thread first = { }, second = { .killable = true, .handle = 4711 };
	u32 handle = 0;

	import_create(test, &second);
	import_begins(test, &first);
	get_task_struct(second.task);
	wake_up_process(second.task);
	KUNIT_EXPECT_TRUE(test, mock_waits_killably(second.task));
	send_sig(SIGKILL, second.task, 1);
	wait_for_completion(&second.done);
	put_task_struct(second.task);
	KUNIT_EXPECT_EQ(test, second.ret, -ERESTARTSYS);
	KUNIT_EXPECT_EQ(test, second.handle, 4711u);
	KUNIT_EXPECT_EQ(test, mock_done(&fix->importer->op[MOCK_GEM_IMPORT]), 0);
	KUNIT_EXPECT_EQ(test, wait_for_completion_killable(&first.done), 0);
	KUNIT_EXPECT_EQ(test, first.ret, 0);
	KUNIT_EXPECT_EQ(test, import_fd(fix, fix->fd, &handle), 0);
	KUNIT_EXPECT_EQ(test, first.handle, handle);
	MOCK_DRM_EXPECT_CALLS(test, fix->importer, MOCK_GEM_IMPORT, 1);
}

/* Exports, imports and closes of other buffers go on meanwhile. */
static void claim_holds_up_nobody(struct kunit *test)
{
	struct import_fixture *fix = test->priv;
	struct drm_file *priv = mock_drm_priv(fix->importer_file);
	struct import_thread first = { };
	struct dma_buf *dmabuf;
	u32 known, handle = 0;
	int fd;

	known = mock_drm_object_handle(fix->importer, fix->importer_file, NULL);
	KUNIT_ASSERT_EQ(test, drm_gem_prime_handle_to_fd(fix->importer->drm, priv, known,
							 DRM_CLOEXEC, &fd), 0);
	import_begins(test, &first);

	dmabuf = drm_gem_prime_handle_to_dmabuf(fix->importer->drm, priv, known, DRM_CLOEXEC);
	KUNIT_EXPECT_FALSE(test, IS_ERR(dmabuf));
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_EQ(test, import_fd(fix, fd, &handle), 0);
	KUNIT_EXPECT_EQ(test, handle, known);
	KUNIT_EXPECT_EQ(test, import_close(fix, known), 0);
	/* Of this device, so the driver's import is not asked. */
	KUNIT_EXPECT_EQ(test, import_fd(fix, fd, &handle), 0);
	KUNIT_EXPECT_EQ(test, mock_done(&fix->importer->op[MOCK_GEM_IMPORT]), 0);

	KUNIT_EXPECT_EQ(test, wait_for_completion_killable(&first.done), 0);
	KUNIT_EXPECT_EQ(test, first.ret, 0);
	prime_test_close_fd(test, fd);
}

static bool import_file_locked, import_device_locked;
static struct mutex *import_file_lock;

static struct drm_gem_object *looking_import(struct drm_device *dev, struct dma_buf *dma_buf)
{
	import_file_locked = mutex_is_locked(import_file_lock);
	import_device_locked = mutex_is_locked(&dev->object_name_lock);
	return drm_gem_prime_import(dev, dma_buf);
}

static void import_without_locks(struct kunit *test)
{
	struct import_fixture *fix = test->priv;
	u32 handle = 0;

	import_file_lock = &mock_drm_priv(fix->importer_file)->prime.lock;
	fix->importer->driver.gem_prime_import = looking_import;
	imported(test, &handle);
	KUNIT_EXPECT_FALSE(test, import_file_locked);
	KUNIT_EXPECT_FALSE(test, import_device_locked);
}

static struct kunit_case gem_prime_import_cases[] = {
	KUNIT_CASE(import_attaches),
	KUNIT_CASE(import_twice),
	KUNIT_CASE(re_export),
	KUNIT_CASE(exporter_closes_first),
	KUNIT_CASE(import_without_driver_function),
	KUNIT_CASE(import_driver_fails),
	KUNIT_CASE(import_driver_fails_unmaps),
	KUNIT_CASE(import_attach_fails),
	KUNIT_CASE(import_map_fails),
	KUNIT_CASE(import_open_fails),
	KUNIT_CASE(import_driver_hook),
	KUNIT_CASE(import_foreign_exporter),
	KUNIT_CASE(import_dynamic_exporter),
	KUNIT_CASE(import_other_device),
	KUNIT_CASE(import_own_buffer),
	KUNIT_CASE(destroy),
	KUNIT_CASE(destroy_holds_buffer),
	KUNIT_CASE(reexport_regained_handle),
	KUNIT_CASE(claim_gives_same_handle),
	KUNIT_CASE(claim_fails),
	KUNIT_CASE(claim_fails_twice),
	KUNIT_CASE(claim_open_fails),
	KUNIT_CASE(claim_signal),
	KUNIT_CASE(claim_killed),
	KUNIT_CASE(claim_holds_up_nobody),
	KUNIT_CASE(import_without_locks),
	{}
};

static struct kunit_suite gem_prime_import_suite = {
	.name = "gem_prime_import",
	.init = import_init,
	.test_cases = gem_prime_import_cases,
};

kunit_test_suite(gem_prime_import_suite);
