// SPDX-License-Identifier: GPL-2.0
/*
 * The list of all buffers, as bufinfo shows it, and their holders, as
 * dma_buf/holders does. Each case looks for its own buffers only, since others
 * may exist.
 */
#include <linux/anon_inodes.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/mount.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include <drm/drm_ioctl.h>

#include "mock_drm.h"
#include "mock_exporter.h"
#include "mock_importer.h"

#define TEXT_SIZE	SZ_64K

/**
 * struct list_fixture - bufinfo and a buffer
 * @exp: exporter of the buffer
 * @dmabuf: the buffer
 * @show: prints bufinfo
 * @m: where to
 * @exports: buffers that list_race() has made
 */
struct list_fixture {
	struct mock_exporter *exp;
	struct dma_buf *dmabuf;
	int (*show)(struct seq_file *m, void *unused);
	struct seq_file m;
	atomic_t exports;
};

/* What prints a file. debugfs need not be mounted, and there may be no program that reads it. */
static int find_show(struct kunit *test, const char *name,
		     int (**show)(struct seq_file *m, void *unused))
{
	struct vfsmount *mnt = kern_mount(get_fs_type("debugfs"));
	struct path root;
	struct file *file;

	KUNIT_ASSERT_FALSE(test, IS_ERR(mnt));
	root = (struct path) { .mnt = mnt, .dentry = mnt->mnt_root };
	file = file_open_root(&root, name, O_RDONLY, 0);
	if (!IS_ERR(file)) {
		*show = ((struct seq_file *)file->private_data)->op->show;
		__fput_sync(file);
	}
	kern_unmount(mnt);
	return PTR_ERR_OR_ZERO(file);
}

static int list_init(struct kunit *test)
{
	struct list_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fix);
	fix->m.buf = kunit_kzalloc(test, TEXT_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fix->m.buf);
	fix->m.size = TEXT_SIZE;
	mutex_init(&fix->m.lock);
	fix->exp = mock_exporter_create(test, false);
	fix->dmabuf = mock_exporter_export(fix->exp);
	test->priv = fix;
	return find_show(test, "dma_buf/bufinfo", &fix->show);
}

static const char *bufinfo(struct list_fixture *fix)
{
	fix->m.count = 0;
	fix->show(&fix->m, NULL);
	fix->m.buf[min(fix->m.count, TEXT_SIZE - 1)] = '\0';
	return fix->m.buf;
}

/*
 * What follows the line of the buffer, or NULL if there is no such line. The
 * layer has a further column, with the driver's name.
 */
static const char *after_line(struct kunit *test, unsigned int flags, fmode_t mode,
			      long count, const char *name)
{
	struct list_fixture *fix = test->priv;
	char *line = kunit_kzalloc(test, SZ_1K, GFP_KERNEL);
	const char *text = bufinfo(fix), *found;

	KUNIT_ASSERT_NOT_NULL(test, line);
	snprintf(line, SZ_1K, "\n%08zu\t%08x\t%08x\t%08ld\t%s\t%08llu\t%s", fix->dmabuf->size,
		 flags, (__force unsigned int)mode, count, fix->dmabuf->exp_name,
		 (u64)d_inode(fix->dmabuf->file->f_path.dentry)->i_ino, name);
	found = strstr(text, line);
	if (!found || (found[strlen(line)] != '\n' && found[strlen(line)] != '\t'))
		return NULL;
	return strchrnul(found + strlen(line), '\n') + 1;
}

static void set_name(struct kunit *test, const char *name)
{
	struct list_fixture *fix = test->priv;
	char *copy = kstrdup(name, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, copy);
	spin_lock(&fix->dmabuf->name_lock);
	fix->dmabuf->name = copy;
	spin_unlock(&fix->dmabuf->name_lock);
}

/* Size, flags, mode, references, exporter, inode, name; no fence and no device. */
static void bufinfo_line(struct kunit *test)
{
	struct list_fixture *fix = test->priv;
	struct file *file = fix->dmabuf->file;
	const char *rest;

	rest = after_line(test, file->f_flags, file->f_mode, 1, "<none>");
	KUNIT_ASSERT_NOT_NULL(test, rest);
	KUNIT_EXPECT_TRUE(test, str_has_prefix(rest, "\tAttached Devices:\nTotal 0 devices"));
	set_name(test, "a name");
	get_dma_buf(fix->dmabuf);
	KUNIT_EXPECT_NOT_NULL(test, after_line(test, file->f_flags, file->f_mode, 2, "a name"));
	dma_buf_put(fix->dmabuf);
	KUNIT_EXPECT_TRUE(test, str_has_prefix(fix->m.buf, "\nDma-buf Objects:\nsize    \t"));
}

/* The last column is the driver: the module, or the exporter if it is built in. */
static void bufinfo_exporter(struct kunit *test)
{
	struct list_fixture *fix = test->priv;
	struct file *file = fix->dmabuf->file;
	const char *rest;
	char wanted[80];

	rest = after_line(test, file->f_flags, file->f_mode, 1, "<none>");
	KUNIT_ASSERT_NOT_NULL(test, rest);
	snprintf(wanted, sizeof(wanted), "\t<none>\t%s\n",
		 fix->dmabuf->owner ? module_name(fix->dmabuf->owner) : fix->dmabuf->exp_name);
	KUNIT_EXPECT_EQ(test, strncmp(rest - strlen(wanted), wanted, strlen(wanted)), 0);
}

/* Skips the case if there is no dma_buf/holders. */
static void find_holders(struct kunit *test, int (**show)(struct seq_file *m, void *unused))
{
	if (find_show(test, "dma_buf/holders", show))
		kunit_skip(test, "the kernel has no dma_buf/holders");
}

/* dma_buf/holders, printed into the fixture's text. */
static const char *holders_text(struct kunit *test)
{
	int (*show)(struct seq_file *m, void *unused);
	struct list_fixture *fix = test->priv;

	find_holders(test, &show);
	fix->m.count = 0;
	show(&fix->m, NULL);
	fix->m.buf[min(fix->m.count, TEXT_SIZE - 1)] = '\0';
	return fix->m.buf;
}

static void expect_sum(struct kunit *test, long count, long found, const char *holder)
{
	struct list_fixture *fix = test->priv;
	u64 ino = d_inode(fix->dmabuf->file->f_path.dentry)->i_ino;
	const char *text = holders_text(test), *at;
	char head[60], sum[60];

	snprintf(head, sizeof(head), "buffer %llu: %zu bytes", ino, fix->dmabuf->size);
	snprintf(sum, sizeof(sum), ": %ld references, %ld found\n", count, found);
	at = strstr(text, head);
	KUNIT_ASSERT_NOT_NULL(test, at);
	KUNIT_EXPECT_NOT_NULL(test, strnstr(at, sum, strchrnul(at, '\n') + 1 - at));
	if (holder)
		KUNIT_EXPECT_NOT_NULL(test, strstr(at, holder));
}

/* An fd and an attachment are found; a reference of a driver only counts. */
static void holders_found(struct kunit *test)
{
	struct list_fixture *fix = test->priv;
	struct mock_importer *imp = mock_importer_create(test, false);
	struct dma_buf_attachment *attach;
	char holder[40];
	int fd;

	expect_sum(test, 1, 0, NULL);
	get_dma_buf(fix->dmabuf);
	fd = dma_buf_fd(fix->dmabuf, O_CLOEXEC);
	KUNIT_ASSERT_GE(test, fd, 0);
	snprintf(holder, sizeof(holder), "\tfd %d in ", fd);
	expect_sum(test, 2, 1, holder);
	get_dma_buf(fix->dmabuf);
	attach = mock_importer_attach(imp, fix->dmabuf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	snprintf(holder, sizeof(holder), "\tattachment 0 of %s\n", dev_name(imp->dev));
	expect_sum(test, 3, 2, holder);
	dma_buf_detach(fix->dmabuf, attach);
	dma_buf_put(fix->dmabuf);
	prime_test_close_fd(test, fd);
	expect_sum(test, 1, 0, NULL);
}

/* The lines of the buffer in dma_buf/holders, up to *@end. */
static const char *holders_lines(struct kunit *test, const char **end)
{
	struct list_fixture *fix = test->priv;
	const char *text = holders_text(test), *at;
	char head[30];

	snprintf(head, sizeof(head), "buffer %llu: ",
		 (u64)d_inode(fix->dmabuf->file->f_path.dentry)->i_ino);
	at = strstr(text, head);
	KUNIT_ASSERT_NOT_NULL(test, at);
	*end = strstr(at, "\nbuffer ") ?: strchr(at, '\0');
	return at;
}

/*
 * Pending fences of every usage are named. They hold nothing, and are gone when they have
 * signalled.
 */
static void holders_fences(struct kunit *test)
{
	static const char line[] = "\tfence 0 of ";
	struct list_fixture *fix = test->priv;
	struct mock_fence *write = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_WRITE);
	struct mock_fence *other = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP);
	const char *at, *end;
	int n = 0;

	expect_sum(test, 1, 0, line);
	at = holders_lines(test, &end);
	for (; (at = strnstr(at, line, end - at)); at++, n++)
		KUNIT_EXPECT_NOT_NULL(test, strnstr(at, "mock-fence mock-fence",
						    strchrnul(at, '\n') - at));
	KUNIT_EXPECT_EQ(test, n, 2);
	KUNIT_EXPECT_NULL(test, strnstr(fix->m.buf, "\n\n", end - fix->m.buf));
	/* The text of a fence ends with a line break, which is cut off and not escaped. */
	KUNIT_EXPECT_NULL(test, strnstr(fix->m.buf, "\\n", end - fix->m.buf));

	dma_fence_signal(&write->base);
	dma_fence_signal(&other->base);
	at = holders_lines(test, &end);
	KUNIT_EXPECT_NULL(test, strnstr(at, line, end - at));
}

static const struct file_operations node_fops = {
	.owner = THIS_MODULE,
};

/* A device node with this number has the data of a DRM file: is the handle found? */
static bool handle_found(struct kunit *test, dev_t number, struct drm_file *data, u32 handle)
{
	struct file *file = anon_inode_create_getfile("node", &node_fops, data, O_RDWR, NULL);
	int fd = get_unused_fd_flags(O_CLOEXEC);
	char line[80];
	bool found;

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_ASSERT_GE(test, fd, 0);
	file_inode(file)->i_mode = S_IFCHR | 0600;
	file_inode(file)->i_rdev = number;
	fd_install(fd, file);
	snprintf(line, sizeof(line), "\thandle %u of %s minor ", handle,
		 data->minor->dev->driver->name);
	found = strstr(holders_text(test), line);
	prime_test_close_fd(test, fd);
	return found;
}

/* Numbers that CUSE may give to a program's own device, whose files have other data. */
static void holders_only_of_drm(struct kunit *test)
{
	const dev_t others[] = {
		MKDEV(1, 3), MKDEV(DRM_MAJOR, 256),
		/* Only a kernel with accel has 256 of these. */
		MKDEV(261, IS_ENABLED(CONFIG_DRM_ACCEL) ? 256 : 0),
	};
	struct mock_drm *drm = mock_drm_create(test);
	struct file *file = mock_drm_open(drm);
	struct drm_file *data = mock_drm_priv(file);
	u32 handle = mock_drm_object_handle(drm, file, NULL);
	struct dma_buf *dmabuf;
	int i;

	holders_text(test); /* a kernel without it skips */
	dmabuf = drm_gem_prime_handle_to_dmabuf(drm->drm, data, handle, DRM_CLOEXEC);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dmabuf));
	KUNIT_EXPECT_TRUE(test, handle_found(test, MKDEV(DRM_MAJOR, 0), data, handle));
	for (i = 0; i < ARRAY_SIZE(others); i++)
		KUNIT_EXPECT_FALSE(test, handle_found(test, others[i], data, handle));
	dma_buf_put(dmabuf);
}

/* The lines of the buffer's fences, up to *@end. */
static const char *fences(struct kunit *test, const char **end)
{
	struct list_fixture *fix = test->priv;
	struct file *file = fix->dmabuf->file;
	const char *rest = after_line(test, file->f_flags, file->f_mode, 1, "<none>");

	KUNIT_ASSERT_NOT_NULL(test, rest);
	*end = strstr(rest, "\tAttached Devices:");
	KUNIT_ASSERT_NOT_NULL(test, *end);
	return rest;
}

/* Fences by usage. */
static void bufinfo_fences(struct kunit *test)
{
	struct list_fixture *fix = test->priv;
	const char *rest, *end;
	int described = 0;

	mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_KERNEL);
	mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_WRITE);
	mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_READ);
	rest = fences(test, &end);
	KUNIT_EXPECT_NOT_NULL(test, strnstr(rest, "\tkernel fence:", end - rest));
	KUNIT_EXPECT_NOT_NULL(test, strnstr(rest, "\twrite fence:", end - rest));
	KUNIT_EXPECT_NOT_NULL(test, strnstr(rest, "\tread fence:", end - rest));
	for (; (rest = strnstr(rest, "mock-fence mock-fence", end - rest)); rest++)
		described++;
	KUNIT_EXPECT_EQ(test, described, 3);
}

/* A buffer whose fences have signalled says so. */
static void bufinfo_fences_signalled(struct kunit *test)
{
	struct list_fixture *fix = test->priv;
	struct mock_fence *fence = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_WRITE);
	const char *rest, *end;

	dma_fence_signal(&fence->base);
	rest = fences(test, &end);
	KUNIT_EXPECT_NOT_NULL(test, strnstr(rest, " signalled\n", end - rest));
	KUNIT_EXPECT_NULL(test, strnstr(rest, "unsignalled", end - rest));
}

/* Nobody who polls waits for such a fence, but somebody still uses the buffer. */
static void bufinfo_bookkeep(struct kunit *test)
{
	struct list_fixture *fix = test->priv;
	const char *rest, *end;

	mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP);
	rest = fences(test, &end);
	KUNIT_EXPECT_NOT_NULL(test, strnstr(rest, "\tbookkeep fence:", end - rest));
	KUNIT_EXPECT_NOT_NULL(test, strnstr(rest, " unsignalled\n", end - rest));
	KUNIT_EXPECT_NULL(test, strnstr(rest, " signalled\n", end - rest));
}

/* The devices, oldest last, as long as they are attached. */
static void bufinfo_devices(struct kunit *test)
{
	struct list_fixture *fix = test->priv;
	struct file *file = fix->dmabuf->file;
	struct mock_importer *imp = mock_importer_create(test, false);
	struct dma_buf_attachment *attach = mock_importer_attach(imp, fix->dmabuf);
	char wanted[96];
	const char *rest;

	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	snprintf(wanted, sizeof(wanted), "\tAttached Devices:\n\t%s\nTotal 1 devices attached\n\n",
		 dev_name(imp->dev));
	rest = after_line(test, file->f_flags, file->f_mode, 1, "<none>");
	KUNIT_EXPECT_TRUE(test, rest && str_has_prefix(rest, wanted));
	dma_buf_detach(fix->dmabuf, attach);
	rest = after_line(test, file->f_flags, file->f_mode, 1, "<none>");
	KUNIT_EXPECT_TRUE(test, rest && str_has_prefix(rest, "\tAttached Devices:\nTotal 0 "));
}

static void read_total(struct kunit *test, unsigned int *buffers, size_t *bytes)
{
	const char *total;
	int found;

	flush_delayed_fput();
	total = strstr(bufinfo(test->priv), "\nTotal ");
	while (total && strstr(total + 1, "\nTotal "))
		total = strstr(total + 1, "\nTotal ");
	KUNIT_ASSERT_NOT_NULL(test, total);
	found = sscanf(total, "\nTotal %u objects, %zu bytes\n", buffers, bytes);
	KUNIT_ASSERT_EQ(test, found, 2);
}

static void bufinfo_total(struct kunit *test)
{
	struct list_fixture *fix = test->priv;
	unsigned int before, buffers, i;
	size_t bytes_before, bytes;

	read_total(test, &before, &bytes_before);
	for (i = 0; i < 3; i++)
		mock_exporter_export(fix->exp);
	read_total(test, &buffers, &bytes);
	KUNIT_EXPECT_EQ(test, buffers, before + 3);
	KUNIT_EXPECT_EQ(test, bytes, bytes_before + 3 * MOCK_EXPORTER_SIZE);
}

/* A reader whose memory is too small is told so, and keeps no buffer. */
static void bufinfo_overflows(struct kunit *test)
{
	struct list_fixture *fix = test->priv;
	size_t size;

	mock_exporter_export(fix->exp);
	for (size = 16; size < 2048; size *= 2) {
		fix->m.size = size;
		bufinfo(fix);
		KUNIT_EXPECT_LE(test, fix->m.count, size);
	}
	mock_exporter_put(test, fix->dmabuf);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(mock_exporter_calls(fix->exp, MOCK_RELEASE)));
}

/* Readers leave no reference behind. */
static void bufinfo_keeps_nothing(struct kunit *test)
{
	struct list_fixture *fix = test->priv;
	struct dentry *dentry = fix->dmabuf->file->f_path.dentry;
	int i, count = d_count(dentry);

	for (i = 0; i < 3; i++)
		bufinfo(fix);
	KUNIT_EXPECT_EQ(test, d_count(dentry), count);
	KUNIT_EXPECT_EQ(test, file_count(fix->dmabuf->file), 1);
}

/* A buffer whose file has ended is listed until its dentry goes. */
static void bufinfo_without_file(struct kunit *test)
{
	struct list_fixture *fix = test->priv;
	struct dentry *dentry = dget(fix->dmabuf->file->f_path.dentry);
	char wanted[64];
	unsigned int before, buffers;
	size_t bytes;

	snprintf(wanted, sizeof(wanted), "\n%08zu\t%08x\t%08x\t%08ld\tmock-exporter\t",
		 fix->dmabuf->size, 0, 0, 0l);
	read_total(test, &before, &bytes);
	KUNIT_EXPECT_NULL(test, strstr(fix->m.buf, wanted));
	mock_exporter_put(test, fix->dmabuf);
	flush_delayed_fput();
	read_total(test, &buffers, &bytes);
	KUNIT_EXPECT_EQ(test, buffers, before);
	KUNIT_EXPECT_NOT_NULL(test, strstr(fix->m.buf, wanted));
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_RELEASE, 0);
	dput(dentry);
	MOCK_EXPECT_CALLS(test, fix->exp, MOCK_RELEASE, 1);
	read_total(test, &buffers, &bytes);
	KUNIT_EXPECT_EQ(test, buffers, before - 1);
}

struct reader {
	struct list_fixture *fix;
	struct completion done;
};

static int reader_thread(void *data)
{
	struct reader *reader = data;

	bufinfo(reader->fix);
	complete_all(&reader->done);
	return 0;
}

/* A reader does not wait for who holds a reservation object. */
static void bufinfo_waits_for_nobody(struct kunit *test)
{
	struct list_fixture *fix = test->priv;
	struct reader reader = { .fix = fix };
	struct task_struct *task;

	init_completion(&reader.done);
	dma_resv_lock(fix->dmabuf->resv, NULL);
	task = kthread_run(reader_thread, &reader, "prime-reader");
	if (!IS_ERR(task))
		KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&reader.done, 5 * HZ), 0ul);
	dma_resv_unlock(fix->dmabuf->resv);
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	wait_for_completion(&reader.done);
}

/**
 * struct change - a fence that is added while another is printed
 * @base: the fence that is printed
 * @lock: its lock
 * @fix: where
 * @printing: somebody prints @base
 * @added: the other fence is there, or cannot be added before @base is printed
 */
struct change {
	struct dma_fence base;
	spinlock_t lock;	/* of @base */
	struct list_fixture *fix;
	atomic_t printing;
	atomic_t added;
};

static const char *change_name(struct dma_fence *fence)
{
	struct change *change = container_of(fence, struct change, base);
	int i;

	/*
	 * Under RCU: the other thread has another processor. Up to ten seconds, since the
	 * host may be busy.
	 */
	if (!atomic_xchg(&change->printing, 1))
		for (i = 0; i < 2000000 && !atomic_read(&change->added); i++)
			udelay(5);
	return "changing";
}

static const struct dma_fence_ops change_ops = {
	.get_driver_name = change_name,
	.get_timeline_name = change_name,
};

static void signal_change(void *data)
{
	dma_fence_signal(data);
	dma_fence_put(data);
}

/* The buffer gets a fence with these names, until the case ends. */
static struct change *change_add(struct kunit *test, const struct dma_fence_ops *ops)
{
	struct list_fixture *fix = test->priv;
	struct change *change = kzalloc(sizeof(*change), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, change);
	change->fix = fix;
	spin_lock_init(&change->lock);
	dma_fence_init(&change->base, ops, &change->lock, dma_fence_context_alloc(1), 1);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, signal_change, &change->base), 0);
	mock_resv_add(test, fix->dmabuf->resv, &change->base, DMA_RESV_USAGE_READ);
	return change;
}

/*
 * The buffer's fences change while another thread prints one of them; if they are @gone, none is
 * pending afterwards. Returns whether the thread held the reservation object.
 */
static bool read_while_changing(struct kunit *test, bool gone)
{
	struct list_fixture *fix = test->priv;
	struct change *change = change_add(test, &change_ops);
	struct reader reader = { .fix = fix };
	struct mock_fence *others[8];
	bool locked;
	int i;

	if (num_online_cpus() < 2)
		atomic_set(&change->printing, 1);

	init_completion(&reader.done);
	KUNIT_ASSERT_FALSE(test, IS_ERR(kthread_run(reader_thread, &reader, "prime-reader")));
	while (!atomic_read(&change->printing))
		msleep(20);
	locked = !dma_resv_trylock(fix->dmabuf->resv);
	if (locked)
		atomic_set(&change->added, 1);
	else
		dma_resv_unlock(fix->dmabuf->resv);
	/* So many pending ones that the reservation object needs a larger array. */
	for (i = 0; i < ARRAY_SIZE(others); i++)
		others[i] = mock_fence_add(test, fix->dmabuf->resv, DMA_RESV_USAGE_READ);
	if (gone) {
		for (i = 0; i < ARRAY_SIZE(others); i++)
			dma_fence_signal(&others[i]->base);
		dma_fence_signal(&change->base);
	}
	atomic_set(&change->added, 1);
	wait_for_completion(&reader.done);
	return locked;
}

/* Fences that change while they are printed are printed once, as they are then. */
static void bufinfo_fences_change(struct kunit *test)
{
	struct list_fixture *fix = test->priv;
	const char *first;

	read_while_changing(test, false);
	first = strstr(fix->m.buf, "changing changing");
	KUNIT_ASSERT_NOT_NULL(test, first);
	KUNIT_EXPECT_NULL(test, strstr(first + 1, "changing changing"));
}

/* The same, when no fence is pending any more. */
static void bufinfo_fences_gone(struct kunit *test)
{
	struct list_fixture *fix = test->priv;

	if (num_online_cpus() < 2)
		kunit_skip(test, "needs two processors");
	if (read_while_changing(test, true))
		kunit_skip(test, "who prints fences holds the reservation object");
	KUNIT_EXPECT_NULL(test, strstr(fix->m.buf, "changing"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(fix->m.buf, "\tfences signalled\n"));
}

/* As bufinfo_fences_change(), with what prints dma_buf/holders in place of bufinfo. */
static void holders_fences_change(struct kunit *test)
{
	struct list_fixture *fix = test->priv;

	find_holders(test, &fix->show);
	bufinfo_fences_change(test);
}

static const char *forged_name(struct dma_fence *fence)
{
	return "x\n\tfd 3 in 1";
}

static const struct dma_fence_ops forged_ops = {
	.get_driver_name = forged_name,
	.get_timeline_name = forged_name,
};

/* A program can name a timeline (sw_sync). A line break in the name is escaped. */
static void holders_fence_forges_nothing(struct kunit *test)
{
	const char *text;

	change_add(test, &forged_ops);
	text = holders_text(test);
	KUNIT_EXPECT_NULL(test, strstr(text, "\tfd 3 in 1"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "x\\n\\tfd 3 in 1"));
}

/**
 * struct locked - what has to wait for a lock
 * @fix: the fixture
 * @attach: an attachment to detach
 * @imp: a device to attach
 * @holders: prints dma_buf/holders
 * @run: what has to wait
 * @begun: the thread is about to run it
 * @over: it has run
 */
struct locked {
	struct list_fixture *fix;
	struct dma_buf_attachment *attach;
	struct mock_importer *imp;
	int (*holders)(struct seq_file *m, void *unused);
	void (*run)(struct locked *locked);
	atomic_t begun;
	atomic_t over;
};

static void locked_fdinfo(struct locked *locked)
{
	struct file *file = locked->fix->dmabuf->file;

	locked->fix->m.count = 0;
	file->f_op->show_fdinfo(&locked->fix->m, file);
}

static void locked_bufinfo(struct locked *locked)
{
	bufinfo(locked->fix);
}

static void locked_holders(struct locked *locked)
{
	locked->fix->m.count = 0;
	locked->holders(&locked->fix->m, NULL);
}

static void locked_path(struct locked *locked)
{
	struct dentry *dentry = locked->fix->dmabuf->file->f_path.dentry;

	dentry->d_op->d_dname(dentry, locked->fix->m.buf, TEXT_SIZE);
}

#if IS_ENABLED(CONFIG_DRM_PRIME_LAYER)
static void locked_attach(struct locked *locked)
{
	locked->attach = mock_importer_attach(locked->imp, locked->fix->dmabuf);
}

static void locked_detach(struct locked *locked)
{
	dma_buf_detach(locked->fix->dmabuf, locked->attach);
}
#endif

static int locked_thread(void *data)
{
	struct locked *locked = data;

	atomic_set(&locked->begun, 1);
	locked->run(locked);
	atomic_set(&locked->over, 1);
	return 0;
}

/* On another processor, while this one holds the lock. */
static void waits_for_name_lock(struct kunit *test, struct locked *locked,
				void (*run)(struct locked *locked))
{
	struct task_struct *task;
	bool begun, over;
	int i;

	locked->run = run;
	atomic_set(&locked->begun, 0);
	atomic_set(&locked->over, 0);
	task = kthread_create(locked_thread, locked, "prime-locked");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	migrate_disable();
	kthread_bind(task, cpumask_any_but(cpu_online_mask, smp_processor_id()));
	spin_lock(&locked->fix->dmabuf->name_lock);
	wake_up_process(task);
	for (i = 0; i < 400000 && !atomic_read(&locked->begun); i++)
		udelay(5);
	begun = atomic_read(&locked->begun);
	for (i = 0; i < 2000 && !atomic_read(&locked->over); i++)
		udelay(5);
	over = atomic_read(&locked->over);
	spin_unlock(&locked->fix->dmabuf->name_lock);
	migrate_enable();
	KUNIT_EXPECT_TRUE(test, prime_test_wait(atomic_read(&locked->over)));
	KUNIT_EXPECT_TRUE(test, begun);
	KUNIT_EXPECT_FALSE(test, over);
}

/* A thread that shows the name or the attachments waits for one that changes them. */
static void name_lock(struct kunit *test)
{
	struct list_fixture *fix = test->priv;
	struct locked locked = { .fix = fix };

	if (num_online_cpus() < 2)
		kunit_skip(test, "needs two processors");
	locked.imp = mock_importer_create(test, false);
	set_name(test, "a name");
	waits_for_name_lock(test, &locked, locked_fdinfo);
	waits_for_name_lock(test, &locked, locked_bufinfo);
	if (!find_show(test, "dma_buf/holders", &locked.holders))
		waits_for_name_lock(test, &locked, locked_holders);
	waits_for_name_lock(test, &locked, locked_path);
#if IS_ENABLED(CONFIG_DRM_PRIME_LAYER)
	waits_for_name_lock(test, &locked, locked_attach);
	KUNIT_ASSERT_FALSE(test, IS_ERR(locked.attach));
	waits_for_name_lock(test, &locked, locked_detach);
#endif
}

static int exporting_thread(void *data)
{
	struct list_fixture *fix = data;
	struct dma_buf_export_info info;
	struct dma_buf *dmabuf;

	mock_exporter_info(fix->exp, &info);
	while (!kthread_should_stop()) {
		dmabuf = dma_buf_export(&info);
		if (IS_ERR(dmabuf))
			continue;
		atomic_inc(&fix->exports);
		__fput_sync(dmabuf->file);
	}
	return 0;
}

/* Buffers come and go on all processors while the list is read. */
static void list_race(struct kunit *test)
{
	const unsigned long end = jiffies + HZ / 2;
	struct list_fixture *fix = test->priv;
	struct task_struct *task[2];
	int before, raced = 0, i;

	for (i = 0; i < ARRAY_SIZE(task); i++) {
		task[i] = kthread_run(exporting_thread, fix, "prime-export");
		KUNIT_ASSERT_FALSE(test, IS_ERR(task[i]));
	}
	while (time_before(jiffies, end) || (!raced && time_before(jiffies, end + 10 * HZ))) {
		before = atomic_read(&fix->exports);
		bufinfo(fix);
		cond_resched();
		raced += atomic_read(&fix->exports) != before;
	}
	KUNIT_EXPECT_GT(test, raced, 0);
	for (i = 0; i < ARRAY_SIZE(task); i++)
		kthread_stop(task[i]);
	fix->exp->exported += atomic_read(&fix->exports);
}

static struct kunit_case dma_buf_list_cases[] = {
	KUNIT_CASE(bufinfo_line),
	KUNIT_CASE(bufinfo_exporter),
	KUNIT_CASE(holders_found),
	KUNIT_CASE(holders_fences),
	KUNIT_CASE(holders_fence_forges_nothing),
	KUNIT_CASE(holders_only_of_drm),
	KUNIT_CASE(bufinfo_fences),
	KUNIT_CASE(bufinfo_fences_signalled),
	KUNIT_CASE(bufinfo_bookkeep),
	KUNIT_CASE(bufinfo_devices),
	KUNIT_CASE(bufinfo_total),
	KUNIT_CASE(bufinfo_overflows),
	KUNIT_CASE(bufinfo_keeps_nothing),
	KUNIT_CASE(bufinfo_without_file),
	KUNIT_CASE(bufinfo_waits_for_nobody),
	KUNIT_CASE(bufinfo_fences_change),
	KUNIT_CASE(bufinfo_fences_gone),
	KUNIT_CASE(holders_fences_change),
	KUNIT_CASE(name_lock),
	KUNIT_CASE(list_race),
	{}
};

static struct kunit_suite dma_buf_list_suite = {
	.name = "dma_buf_list",
	.init = list_init,
	.test_cases = dma_buf_list_cases,
};

kunit_test_suite(dma_buf_list_suite);
