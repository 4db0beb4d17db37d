// SPDX-License-Identifier: GPL-2.0
/*
 * The buffer object: export and its refusals, references, descriptors, release.
 */
#include <linux/magic.h>
#include <linux/module.h>
#include <linux/path.h>

#include "mock_exporter.h"
#include "mock_importer.h"

struct export_case {
	const char *name;
	void (*spoil)(struct mock_exporter *exp, struct dma_buf_export_info *info);
	bool dynamic;
};

static void no_ops(struct mock_exporter *exp, struct dma_buf_export_info *info)
{
	info->ops = NULL;
}

static void no_priv(struct mock_exporter *exp, struct dma_buf_export_info *info)
{
	info->priv = NULL;
}

static void no_map(struct mock_exporter *exp, struct dma_buf_export_info *info)
{
	exp->ops.map_dma_buf = NULL;
}

static void no_unmap(struct mock_exporter *exp, struct dma_buf_export_info *info)
{
	exp->ops.unmap_dma_buf = NULL;
}

static void no_release(struct mock_exporter *exp, struct dma_buf_export_info *info)
{
	exp->ops.release = NULL;
}

static void pin_without_unpin(struct mock_exporter *exp, struct dma_buf_export_info *info)
{
	exp->ops.unpin = NULL;
}

static void unpin_without_pin(struct mock_exporter *exp, struct dma_buf_export_info *info)
{
	exp->ops.pin = NULL;
}

static const struct export_case export_cases[] = {
	{ "no_ops", no_ops, false },
	{ "no_priv", no_priv, false },
	{ "no_map_dma_buf", no_map, false },
	{ "no_unmap_dma_buf", no_unmap, false },
	{ "no_release", no_release, false },
	{ "pin_without_unpin", pin_without_unpin, true },
	{ "unpin_without_pin", unpin_without_pin, true },
};

KUNIT_ARRAY_PARAM_DESC(export_refused, export_cases, name);

static void export_refused(struct kunit *test)
{
	const struct export_case *param = test->param_value;
	struct mock_exporter *exp;
	struct dma_buf_export_info info;
	struct dma_buf *dmabuf;

	PRIME_TEST_NEEDS_WARN(test);
	exp = mock_exporter_create(test, param->dynamic);
	mock_exporter_info(exp, &info);
	param->spoil(exp, &info);
	dmabuf = dma_buf_export(&info);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dmabuf), -EINVAL);
}

static void export_owner_gone(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct dma_buf_export_info info;
	struct dma_buf *dmabuf;

	mock_exporter_info(exp, &info);
	info.owner = prime_test_module(test, MODULE_STATE_GOING);
	dmabuf = dma_buf_export(&info);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dmabuf), -ENOENT);
}

/* One module reference per buffer, from export to release. */
static void export_owner_referenced(struct kunit *test)
{
#ifdef CONFIG_MODULE_UNLOAD
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct dma_buf_export_info info;
	struct dma_buf *dmabuf;
	struct module *mod;

	mock_exporter_info(exp, &info);
	mod = prime_test_module(test, MODULE_STATE_LIVE);
	info.owner = mod;
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	exp->exported++;
	KUNIT_EXPECT_EQ(test, atomic_read(&mod->refcnt), 2);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->owner, mod);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(atomic_read(&mod->refcnt) == 1));
	KUNIT_EXPECT_EQ(test, atomic_read(&mod->refcnt), 1);
#else
	kunit_skip(test, "modules are not counted without CONFIG_MODULE_UNLOAD");
#endif
}

#ifdef CONFIG_MODULE_UNLOAD
/* A fence that says whether the exporter's module was held when it was freed. */
struct owned_fence {
	struct dma_fence base;
	spinlock_t lock;	/* of @base */
	struct module *owner;
	int refcnt;
};

static const char *owned_fence_name(struct dma_fence *fence)
{
	return "owned";
}

static void owned_fence_release(struct dma_fence *fence)
{
	struct owned_fence *owned = container_of(fence, struct owned_fence, base);

	owned->refcnt = atomic_read(&owned->owner->refcnt);
}

static const struct dma_fence_ops owned_fence_ops = {
	.get_driver_name = owned_fence_name,
	.get_timeline_name = owned_fence_name,
	.release = owned_fence_release,
};
#endif

/* The fences of the buffer's own reservation object may be the exporter's. */
static void export_owner_outlives_fences(struct kunit *test)
{
#ifdef CONFIG_MODULE_UNLOAD
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct owned_fence *owned = kunit_kzalloc(test, sizeof(*owned), GFP_KERNEL);
	struct dma_buf_export_info info;
	struct dma_buf *dmabuf;

	KUNIT_ASSERT_NOT_NULL(test, owned);
	mock_exporter_info(exp, &info);
	owned->owner = prime_test_module(test, MODULE_STATE_LIVE);
	info.owner = owned->owner;
	info.resv = NULL;
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	exp->exported++;

	spin_lock_init(&owned->lock);
	dma_fence_init(&owned->base, &owned_fence_ops, &owned->lock, dma_fence_context_alloc(1), 1);
	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_resv_reserve_fences(dmabuf->resv, 1), 0);
	dma_resv_add_fence(dmabuf->resv, &owned->base, DMA_RESV_USAGE_BOOKKEEP);
	dma_resv_unlock(dmabuf->resv);
	dma_fence_put(&owned->base);

	dma_buf_put(dmabuf);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(atomic_read(&owned->owner->refcnt) == 1));
	KUNIT_EXPECT_EQ(test, owned->refcnt, 2);
#else
	kunit_skip(test, "modules are not counted without CONFIG_MODULE_UNLOAD");
#endif
}

/* A refused export keeps no reference on the owner. */
static void export_refused_owner_kept(struct kunit *test)
{
#ifdef CONFIG_MODULE_UNLOAD
	struct mock_exporter *exp;
	struct dma_buf_export_info info;
	struct dma_buf *dmabuf;
	struct module *mod;

	PRIME_TEST_NEEDS_WARN(test);
	exp = mock_exporter_create(test, false);
	mock_exporter_info(exp, &info);
	mod = prime_test_module(test, MODULE_STATE_LIVE);
	info.owner = mod;
	info.priv = NULL;
	dmabuf = dma_buf_export(&info);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dmabuf), -EINVAL);
	KUNIT_EXPECT_EQ(test, atomic_read(&mod->refcnt), 1);
#else
	kunit_skip(test, "modules are not counted without CONFIG_MODULE_UNLOAD");
#endif
}

static void export_fields(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct dma_buf *dmabuf = mock_exporter_export(exp);

	KUNIT_EXPECT_EQ(test, dmabuf->size, MOCK_EXPORTER_SIZE);
	KUNIT_EXPECT_STREQ(test, dmabuf->exp_name, "mock-exporter");
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->ops, (const struct dma_buf_ops *)&exp->ops);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->priv, (void *)exp);
	KUNIT_EXPECT_NULL(test, dmabuf->name);
	KUNIT_EXPECT_EQ(test, dmabuf->vmapping_counter, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&dmabuf->attachments));
	KUNIT_ASSERT_NOT_NULL(test, dmabuf->file);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->file->private_data, (void *)dmabuf);
}

static void export_file(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct dma_buf *dmabuf = mock_exporter_export(exp);
	struct inode *inode = file_inode(dmabuf->file);

	KUNIT_EXPECT_EQ(test, i_size_read(inode), (loff_t)MOCK_EXPORTER_SIZE);
	KUNIT_EXPECT_EQ(test, inode->i_sb->s_magic, (unsigned long)DMA_BUF_MAGIC);
	KUNIT_EXPECT_EQ(test, dmabuf->file->f_flags & O_ACCMODE, (unsigned int)O_RDWR);
	KUNIT_EXPECT_TRUE(test, dmabuf->file->f_mode & FMODE_READ);
	KUNIT_EXPECT_TRUE(test, dmabuf->file->f_mode & FMODE_WRITE);
	KUNIT_EXPECT_TRUE(test, dmabuf->file->f_mode & FMODE_LSEEK);
}

static void export_file_read_only(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct dma_buf_export_info info;
	struct dma_buf *dmabuf;

	mock_exporter_info(exp, &info);
	info.flags = O_RDONLY;
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	exp->exported++;
	KUNIT_EXPECT_EQ(test, dmabuf->file->f_flags & O_ACCMODE, (unsigned int)O_RDONLY);
	KUNIT_EXPECT_FALSE(test, dmabuf->file->f_mode & FMODE_WRITE);
	dma_buf_put(dmabuf);
}

/* The file does not block if the exporter says so; other flags are the descriptor's. */
static void export_file_flags(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct dma_buf_export_info info;
	struct dma_buf *dmabuf;

	mock_exporter_info(exp, &info);
	info.flags = O_RDWR | O_NONBLOCK | O_CLOEXEC | O_APPEND;
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	exp->exported++;
	KUNIT_EXPECT_EQ(test, dmabuf->file->f_flags & (O_NONBLOCK | O_CLOEXEC | O_APPEND),
			(unsigned int)O_NONBLOCK);
	KUNIT_EXPECT_EQ(test, inode_get_bytes(file_inode(dmabuf->file)), (loff_t)info.size);
	dma_buf_put(dmabuf);
}

static void export_inodes_differ(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct dma_buf *dmabuf[8];
	int i, j;

	for (i = 0; i < ARRAY_SIZE(dmabuf); i++)
		dmabuf[i] = mock_exporter_export(exp);
	for (i = 0; i < ARRAY_SIZE(dmabuf); i++)
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_NE(test, file_inode(dmabuf[i]->file)->i_ino,
					file_inode(dmabuf[j]->file)->i_ino);
}

/* Numbers are counted, so that none comes again when 32 bits are used up. */
static void export_inodes_count(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct inode *one = file_inode(mock_exporter_export(exp)->file);
	struct inode *other = alloc_anon_inode(one->i_sb);

	KUNIT_ASSERT_FALSE(test, IS_ERR(other));
	iput(other);
	KUNIT_EXPECT_EQ(test, (u64)file_inode(mock_exporter_export(exp)->file)->i_ino,
			(u64)one->i_ino + 1);
}

static void export_own_resv(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct dma_buf *one = mock_exporter_export(exp);
	struct dma_buf *two = mock_exporter_export(exp);

	KUNIT_ASSERT_NOT_NULL(test, one->resv);
	KUNIT_EXPECT_PTR_NE(test, one->resv, two->resv);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(one->resv));
	KUNIT_EXPECT_TRUE(test, dma_resv_test_signaled(one->resv, DMA_RESV_USAGE_BOOKKEEP));
}

static void export_given_resv(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct dma_buf_export_info info;
	struct dma_buf *dmabuf;
	struct dma_resv resv;
	bool released;

	dma_resv_init(&resv);
	mock_exporter_info(exp, &info);
	info.resv = &resv;
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	exp->exported++;
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->resv, &resv);
	dma_buf_put(dmabuf);
	released = prime_test_wait(mock_exporter_calls(exp, MOCK_RELEASE) == 1);
	KUNIT_ASSERT_TRUE(test, released);

	/* It is the exporter's: the buffer's end leaves it usable. */
	KUNIT_EXPECT_TRUE(test, dma_resv_trylock(&resv));
	dma_resv_unlock(&resv);
	dma_resv_fini(&resv);
}

static void release_after_last_put(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct dma_buf *dmabuf = mock_exporter_export(exp);

	get_dma_buf(dmabuf);
	get_dma_buf(dmabuf);
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 3);
	dma_buf_put(dmabuf);
	dma_buf_put(dmabuf);
	flush_delayed_fput();
	MOCK_EXPECT_CALLS(test, exp, MOCK_RELEASE, 0);
	mock_exporter_put(test, dmabuf);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_exporter_calls(exp, MOCK_RELEASE)));
	MOCK_EXPECT_CALLS(test, exp, MOCK_RELEASE, 1);
	KUNIT_EXPECT_FALSE(test, exp->op[MOCK_RELEASE].resv_locked);
}

static void fd_of_nothing(struct kunit *test)
{
	int fd = prime_test_next_fd();

	KUNIT_EXPECT_EQ(test, dma_buf_fd(NULL, O_CLOEXEC), -EINVAL);
	KUNIT_EXPECT_EQ(test, prime_test_next_fd(), fd);
}

static void fd_round_trip(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct dma_buf *dmabuf = mock_exporter_export(exp);
	int fd, free_fd = prime_test_next_fd();

	/* The descriptor takes over the caller's reference. */
	get_dma_buf(dmabuf);
	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	KUNIT_ASSERT_EQ(test, fd, free_fd);
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 2);
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_get(fd), dmabuf);
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 3);
	dma_buf_put(dmabuf);
	prime_test_close_fd(test, fd);
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);
	KUNIT_EXPECT_EQ(test, prime_test_next_fd(), free_fd);
}

/* The last reference is the descriptor's. */
static void fd_holds_buffer(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct dma_buf *dmabuf = mock_exporter_export(exp);
	int fd;

	get_dma_buf(dmabuf);
	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	KUNIT_ASSERT_GE(test, fd, 0);
	mock_exporter_put(test, dmabuf);
	flush_delayed_fput();
	MOCK_EXPECT_CALLS(test, exp, MOCK_RELEASE, 0);
	prime_test_close_fd(test, fd);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_exporter_calls(exp, MOCK_RELEASE)));
	MOCK_EXPECT_CALLS(test, exp, MOCK_RELEASE, 1);
}

/* With no descriptor left, the caller keeps its reference. */
static void fd_table_full(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct dma_buf *dmabuf = mock_exporter_export(exp);
	int fd = prime_test_next_fd();

	prime_test_set_nofile(0);
	KUNIT_EXPECT_EQ(test, dma_buf_fd(dmabuf, O_CLOEXEC), -EMFILE);
	prime_test_set_nofile(1024);
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);
	KUNIT_EXPECT_EQ(test, prime_test_next_fd(), fd);
}

static void get_bad_fd(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_get(-1)), -EBADF);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_get(prime_test_next_fd())), -EBADF);
}

static void get_foreign_fd(struct kunit *test)
{
	struct file *file = prime_test_file(test);
	long count = file_count(file);
	int fd = get_unused_fd_flags(O_CLOEXEC);

	KUNIT_ASSERT_GE(test, fd, 0);
	fd_install(fd, get_file(file));
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_get(fd)), -EINVAL);
	KUNIT_EXPECT_EQ(test, file_count(file), count + 1);
	prime_test_close_fd(test, fd);
}

#if IS_ENABLED(CONFIG_DRM_PRIME_LAYER)
/* Who has only the path of a buffer whose file has ended gets no descriptor of it. */
static void fd_of_ended_file(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter_create(test, false);
	struct dma_buf *dmabuf = mock_exporter_export(exp);
	struct path path = dmabuf->file->f_path;
	int fd = prime_test_next_fd();

	path_get(&path);
	mock_exporter_put(test, dmabuf);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(!file_count(READ_ONCE(dmabuf->file))));
	KUNIT_EXPECT_EQ(test, dma_buf_fd(dmabuf, O_CLOEXEC), -EINVAL);
	KUNIT_EXPECT_EQ(test, prime_test_next_fd(), fd);
	path_put(&path);
}

/* The last reference goes while a kernel mapping and an attachment are left: that is warned of. */
static void ends_in_use(struct kunit *test)
{
	struct mock_importer *imp;
	struct dma_buf_attachment *attach;
	struct mock_exporter *exp;
	struct dma_buf *dmabuf;
	struct iosys_map map;

	PRIME_TEST_NEEDS_WARN(test);
	exp = mock_exporter_create(test, false);
	imp = mock_importer_create(test, false);
	prime_test_twice() {
		const int released = mock_exporter_calls(exp, MOCK_RELEASE);

		dmabuf = mock_exporter_export(exp);
		KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
		attach = mock_importer_attach(imp, dmabuf);
		KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
		/* Behind the core's back, so that the exporter's counts are right at the end. */
		exp->ops.vunmap(dmabuf, &map);
		exp->ops.detach(dmabuf, attach);
		mock_exporter_put(test, dmabuf);
		KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_exporter_calls(exp, MOCK_RELEASE) >
							released));
		kfree(attach);
	}
}
#endif

static void put_of_nothing(struct kunit *test)
{
	struct dma_buf no_file = {};

	PRIME_TEST_NEEDS_WARN(test);
	prime_test_twice() {
		dma_buf_put(NULL);
		dma_buf_put(&no_file);
	}
}

static struct kunit_case dma_buf_object_cases[] = {
	KUNIT_CASE_PARAM(export_refused, export_refused_gen_params),
	KUNIT_CASE(export_owner_gone),
	KUNIT_CASE(export_owner_referenced),
	KUNIT_CASE(export_owner_outlives_fences),
	KUNIT_CASE(export_refused_owner_kept),
	KUNIT_CASE(export_fields),
	KUNIT_CASE(export_file),
	KUNIT_CASE(export_file_read_only),
	KUNIT_CASE(export_file_flags),
	KUNIT_CASE(export_inodes_differ),
	KUNIT_CASE(export_inodes_count),
	KUNIT_CASE(export_own_resv),
	KUNIT_CASE(export_given_resv),
	KUNIT_CASE(release_after_last_put),
	KUNIT_CASE(fd_of_nothing),
	KUNIT_CASE(fd_round_trip),
	KUNIT_CASE(fd_holds_buffer),
	KUNIT_CASE(fd_table_full),
	KUNIT_CASE(get_bad_fd),
	KUNIT_CASE(get_foreign_fd),
#if IS_ENABLED(CONFIG_DRM_PRIME_LAYER)
	KUNIT_CASE(fd_of_ended_file),
	KUNIT_CASE(ends_in_use),
#endif
	KUNIT_CASE(put_of_nothing),
	{}
};

static struct kunit_suite dma_buf_object_suite = {
	.name = "dma_buf_object",
	.test_cases = dma_buf_object_cases,
};

kunit_test_suite(dma_buf_object_suite);
