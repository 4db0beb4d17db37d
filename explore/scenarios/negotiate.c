// SPDX-License-Identifier: GPL-2.0
/* Negotiated storage: devices are announced, removed and leave, storage is placed, committed, moved and refused. */
#include <linux/device.h>
#include <linux/file.h>
#include <linux/dma-buf-late.h>
#include <linux/kdev_t.h>
#include <uapi/linux/dma-buf.h>
#include <uapi/linux/dma-buf-constraints.h>

#include "account/internal.h"
#include "mocks.h"
#include "negotiate/internal.h"

static struct dma_buf *buffer;
static int fd, node_fds[2];
static int released;
static long got[5];

/* --- the smallest exporter with late storage --- */

static void late_release(struct dma_buf *dmabuf)
{
	released++;
	dma_buf_late_fini(dmabuf->priv);
	kfree(dmabuf->priv);
}

static const struct dma_buf_ops late_ops = {
	DMA_BUF_LATE_OPS,
	.release = late_release,
};

static struct device *node_device(struct file *file, unsigned int *how)
{
	return get_device(file->private_data);
}

atomic_t drm_held;

/* The module that knows the nodes is there, and so is drm.ko. */
void *__symbol_get(const char *symbol)
{
	if (!strcmp(symbol, "dma_buf_device_of_drm"))
		return node_device;
	if (strcmp(symbol, "drm_prime_holders_find"))
		return NULL;
	atomic_inc(&drm_held);
	return drm_prime_holders_find;
}

void __symbol_put(const char *symbol)
{
	atomic_dec(&drm_held);
}

void symbol_put_addr(void *addr)
{
}

static const struct file_operations node_fops;

static struct address_space mapping;

static void begin(void)
{
	struct dma_buf_late *late = kzalloc(sizeof(*late), GFP_KERNEL);
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	int i;

	importers_begin();
	info.owner = &exporter_module;
	info.ops = &late_ops;
	info.size = PAGE_SIZE;
	info.flags = O_RDWR;
	info.priv = late;
	buffer = dma_buf_export(&info);
	CHECK(!dma_buf_late_init(late, PAGE_SIZE, buffer->resv, NULL) &&
	      !dma_buf_late_bind(late, buffer));
	fd = dma_buf_fd(buffer, O_CLOEXEC);
	for (i = 0; i < 2; i++)
		node_fds[i] = node_open(&node_fops, &importers[i]);
}

static void end(void)
{
	int i;

	ex_files_end();
	ex_join();
	CHECK(released == 1);
	/* Nothing is remembered of a device. */
	for (i = 0; i < 2; i++) {
		importer_unbind(i);
		CHECK(kref_read(&importers[i].kobj.kref) == 1);
	}
	CHECK(ex_unload(&exporter_module));
}

/* --- what threads do --- */

static long buffer_ioctl(unsigned int cmd, void *arg)
{
	struct file *file = fget(fd);
	long ret = -EBADF;

	if (file) {
		ret = file->f_op->unlocked_ioctl(file, cmd, (unsigned long)arg);
		fput(file);
	}
	ex_user_return();
	return ret;
}

static void announce(int which)
{
	struct dma_buf_device_use arg = { .device_fd = node_fds[which], .use = DMA_BUF_USE_READ };

	ex_note("device %d is announced", which);
	got[ex_self()] = buffer_ioctl(DMA_BUF_IOCTL_ADD_DEVICE, &arg);
	ex_note("  gives %ld", got[ex_self()]);
}

static void announce_wide(void) { announce(0); }
static void announce_narrow(void) { announce(1); }

static void remove_narrow(void)
{
	struct dma_buf_device_use arg = { .device_fd = node_fds[1] };

	ex_note("device 1 is removed");
	got[ex_self()] = buffer_ioctl(DMA_BUF_IOCTL_REMOVE_DEVICE, &arg);
	ex_note("  gives %ld", got[ex_self()]);
}

/* The buffer becomes larger, if nobody is attached. On success the storage is there and stays. */
static void commit_it(void)
{
	struct dma_buf_commit arg = { .size = 2 * PAGE_SIZE };
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct dma_buf_late *late;

	if (IS_ERR(dmabuf))
		return;
	late = dmabuf->priv;
	if (!buffer_ioctl(DMA_BUF_IOCTL_COMMIT, &arg))
		CHECK(dmabuf->size == 2 * PAGE_SIZE && late->storage && late->committed);
	dma_buf_put(dmabuf);
	ex_user_return();
}

static void ask(void)
{
	struct dma_buf_constraints_info constraints = { };
	struct dma_buf_storage_info storage = { };
	struct dma_buf_refusal refusal = { };

	buffer_ioctl(DMA_BUF_IOCTL_GET_CONSTRAINTS, &constraints);
	buffer_ioctl(DMA_BUF_IOCTL_GET_STORAGE, &storage);
	buffer_ioctl(DMA_BUF_IOCTL_GET_REFUSAL, &refusal);
}

static void unbind_narrow(void)
{
	importer_unbind(1);
}

static void close_fd(void)
{
	ex_close(fd);
}

static void use(struct device *dev)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	if (IS_ERR(dmabuf))
		return;
	attach = dma_buf_attach(dmabuf, dev);
	if (!IS_ERR(attach)) {
		sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
		if (!IS_ERR(sgt)) {
			/* Mapped memory is within reach. */
			CHECK(sg_dma_address(sgt->sgl) + PAGE_SIZE - 1 <= *dev->dma_mask);
			dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
		}
		dma_buf_detach(dmabuf, attach);
	}
	dma_buf_put(dmabuf);
	ex_user_return();
}

static void use_wide(void) { use(&importers[0]); }
static void use_narrow(void) { use(&importers[1]); }

static struct importer dynamic;

static void use_dynamic(void)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct sg_table *sgt;

	if (IS_ERR(dmabuf))
		return;
	dynamic.attach = dma_buf_dynamic_attach(dmabuf, &importers[0], &importer_ops, &dynamic);
	if (!IS_ERR(dynamic.attach)) {
		dma_resv_lock(dmabuf->resv, NULL);
		sgt = dma_buf_map_attachment(dynamic.attach, DMA_BIDIRECTIONAL);
		dynamic.sgt = IS_ERR(sgt) ? NULL : sgt;
		dma_resv_unlock(dmabuf->resv);
		dma_resv_lock(dmabuf->resv, NULL);
		/* A table that it was not told to give back points to where the storage is. */
		if (dynamic.sgt)
			CHECK(sg_dma_address(dynamic.sgt->sgl) ==
			      page_to_phys(
				      ((struct dma_buf_late *)dmabuf->priv)->storage->pages[0]));
		if (dynamic.sgt)
			dma_buf_unmap_attachment(dynamic.attach, dynamic.sgt, DMA_BIDIRECTIONAL);
		dynamic.sgt = NULL;
		dma_resv_unlock(dmabuf->resv);
		dma_buf_detach(dmabuf, dynamic.attach);
	}
	dma_buf_put(dmabuf);
	ex_user_return();
}

static void vmap_it(void)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct iosys_map map;

	if (IS_ERR(dmabuf))
		return;
	if (!dma_buf_vmap_unlocked(dmabuf, &map)) {
		WRITE_ONCE(*(char *)map.vaddr, 1);
		dma_buf_vunmap_unlocked(dmabuf, &map);
	}
	dma_buf_put(dmabuf);
	ex_user_return();
}

static void cpu_access(void)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };

	if (buffer_ioctl(DMA_BUF_IOCTL_SYNC, &sync))
		return;
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	buffer_ioctl(DMA_BUF_IOCTL_SYNC, &sync);
}

static void fault_it(void)
{
	buffer_fault(fd);
}

static void run(void (*a)(void), void (*b)(void), void (*c)(void))
{
	begin();
	buffer->file->f_mapping = &mapping;
	thread(1, a);
	thread(2, b);
	if (c)
		thread(3, c);
	run_threads();
	end();
}

static void add_add(void) { run(announce_wide, announce_narrow, NULL); }
EX_SCENARIO(add_add, "late-add-add", "two devices are announced", add_add, 3, 2, 4, 3);
static void add_twice(void) { run(announce_narrow, announce_narrow, NULL); }
EX_SCENARIO(add_twice, "late-add-twice", "one device is announced twice at once", add_twice, 3, 2,
	    4, 3);
static void add_unbind(void)
{
	struct dma_buf_constraints_info info = { };

	begin();
	thread(1, announce_narrow);
	thread(2, unbind_narrow);
	run_threads();
	/* Nothing is announced for a device without a driver. */
	CHECK(!buffer_ioctl(DMA_BUF_IOCTL_GET_CONSTRAINTS, &info) && !info.devices);
	end();
}
EX_SCENARIO(add_unbind, "late-add-unbind", "a device is announced while its driver leaves",
	    add_unbind, 4, 2, 5, 3);
static void add_close(void) { run(announce_narrow, close_fd, NULL); }
EX_SCENARIO(add_close, "late-add-close", "a device is announced against the last close", add_close,
	    4, 2, 5, 3);
static void add_unbind_close(void) { run(announce_narrow, unbind_narrow, close_fd); }
EX_SCENARIO(add_unbind_close, "late-add-unbind-close",
	    "a device is announced, its driver leaves, the last close", add_unbind_close, 3, 0, 3,
	    1);
static void add_ask(void) { run(announce_narrow, ask, NULL); }
EX_SCENARIO(add_ask, "late-add-ask",
	    "a device is announced while somebody asks for constraints, storage and refusal",
	    add_ask, 3, 1, 4, 2);

static void add_commit(void) { run(announce_narrow, commit_it, NULL); }
EX_SCENARIO(add_commit, "late-add-commit", "a device is announced against the commit", add_commit, 3, 2, 4,
	    3);
static void commit_use(void) { run(commit_it, use_narrow, NULL); }
EX_SCENARIO(commit_use, "late-commit-use", "a device maps against the commit", commit_use, 3, 1, 4, 2);
static void commit_commit(void) { run(commit_it, commit_it, NULL); }
EX_SCENARIO(commit_commit, "late-commit-commit", "two commits", commit_commit, 3, 2, 4, 3);
static void commit_fault(void) { run(commit_it, fault_it, NULL); }
EX_SCENARIO(commit_fault, "late-commit-fault", "a page fault against the commit", commit_fault, 3, 1, 4, 2);

/* A device that is announced already goes with its driver, or with the buffer. */
static void announced(void (*a)(void), void (*b)(void))
{
	begin();
	announce(1);
	thread(1, a);
	thread(2, b);
	run_threads();
	end();
}

static void unbind_close(void) { announced(unbind_narrow, close_fd); }
EX_SCENARIO(unbind_close, "late-unbind-close",
	    "the driver of an announced device leaves against the last close", unbind_close, 4, -1,
	    6, -1);
static void remove_unbind(void) { announced(remove_narrow, unbind_narrow); }
EX_SCENARIO(remove_unbind, "late-remove-unbind",
	    "an announced device is removed while its driver leaves", remove_unbind, 4, -1, 6, -1);
/* Device 1 is announced, is removed, and may be announced again. */
static void remove_against(void (*other)(void), unsigned int devices)
{
	struct dma_buf_constraints_info info = { };

	begin();
	announce(1);
	thread(1, remove_narrow);
	thread(2, other);
	run_threads();
	/* It fails only if the fd is closed. */
	CHECK(!got[1] || (got[1] == -EBADF && !ex_file(fd)));
	CHECK(!ex_file(fd) || (!buffer_ioctl(DMA_BUF_IOCTL_GET_CONSTRAINTS, &info) &&
			       info.devices <= devices));
	end();
}

static void remove_add(void) { remove_against(announce_narrow, 1); }
EX_SCENARIO(remove_add, "late-remove-add",
	    "an announced device is removed while it is announced again", remove_add, 3, 2, 4, 3);
static void remove_commit(void) { remove_against(commit_it, 0); }
EX_SCENARIO(remove_commit, "late-remove-commit",
	    "an announced device is removed against the commit", remove_commit, 3, 2, 4, 3);
static void remove_use(void) { remove_against(use_wide, 0); }
EX_SCENARIO(remove_use, "late-remove-use",
	    "an announced device is removed against the first map of another", remove_use, 3, 2, 4,
	    3);
static void remove_close(void) { remove_against(close_fd, 0); }
EX_SCENARIO(remove_close, "late-remove-close",
	    "an announced device is removed against the last close", remove_close, 4, -1, 6, -1);

static void unbind_use(void) { announced(unbind_narrow, use_wide); }
EX_SCENARIO(unbind_use, "late-unbind-use",
	    "the driver of an announced device leaves while another maps", unbind_use, 3, 2, 4, 3);

static void use_add(void) { run(use_wide, announce_narrow, NULL); }
EX_SCENARIO(use_add, "late-use-add",
	    "a device maps while another is announced that the storage may not suit", use_add, 3, 2,
	    4, 3);
static void use_use(void) { run(use_wide, use_narrow, NULL); }
EX_SCENARIO(use_use, "late-use-use", "two devices map that need different storage", use_use, 3, 1,
	    4, 2);
static void dynamic_use(void) { run(use_dynamic, use_narrow, NULL); }
EX_SCENARIO(dynamic_use, "late-dynamic-use",
	    "storage moves away from a dynamic importer for one that reaches less", dynamic_use, 3,
	    1, 4, 2);
static void dynamic_use_close(void) { run(use_dynamic, use_narrow, close_fd); }
EX_SCENARIO(dynamic_use_close, "late-dynamic-use-close", "the same against the last close",
	    dynamic_use_close, 2, 0, 2, 1);
/* Storage is placed, and moves. */
static void use_both(void)
{
	use_wide();
	use_narrow();
}

static void use_holders(void) { run(use_both, read_holders, NULL); }
EX_SCENARIO(use_holders, "late-use-holders",
	    "storage is placed and moves, against a walk of all holders", use_holders, 3, 1, 4, 2);
static void vmap_use(void) { run(vmap_it, use_narrow, NULL); }
EX_SCENARIO(vmap_use, "late-vmap-use",
	    "a map for the kernel against a device that needs other storage", vmap_use, 3, 1, 4, 2);
static void fault_use(void) { run(fault_it, use_narrow, NULL); }
EX_SCENARIO(fault_use, "late-fault-use", "a page fault against a device that needs other storage",
	    fault_use, 3, 1, 4, 2);
static void fault_close_use(void) { run(fault_it, close_fd, use_narrow); }
EX_SCENARIO(fault_close_use, "late-fault-close-use", "a page fault, the last close, and a device",
	    fault_close_use, 2, 0, 2, 1);
static void refuse_ask(void) { run(use_narrow, ask, close_fd); }
EX_SCENARIO(refuse_ask, "late-use-ask-close", "a device maps, somebody asks, and the last close",
	    refuse_ask, 2, 0, 2, 1);
static void cpu_use(void) { run(cpu_access, use_narrow, NULL); }
EX_SCENARIO(cpu_use, "late-cpu-use", "CPU access against a device that maps", cpu_use, 3, 1, 4, 2);

/* --- refusals of a buffer that is not placed late --- */

static void refuse_buffer(struct dma_buf *dmabuf)
{
	const struct dma_buf_conflict why = { DMA_BUF_FIELD_COHERENT, 1, 0 };

	dma_buf_refused(dmabuf, &importers[0], DMA_BUF_STEP_ADMIT, -EBUSY, .why = &why);
}

static void refuse(void)
{
	refuse_buffer(buffer);
}

static void refuse_refuse(void)
{
	buffer = storage_export(false, NULL)->dmabuf;
	fd = dma_buf_fd(buffer, O_CLOEXEC);
	thread(1, refuse);
	thread(2, refuse);
	thread(3, ask);
	run_threads();
	ex_files_end();
	ex_join();
}
EX_SCENARIO(refuse_refuse, "refuse-refuse",
	    "the first two refusals of a buffer, and somebody who asks", refuse_refuse, 3, 2, 4, 3);

/* A driver says why, and fails. */
static void speak(void)
{
	struct dma_buf_attachment attach = { .dmabuf = buffer, .dev = &importers[0] };

	dma_buf_refuse(&attach, DMA_BUF_FIELD_COHERENT, 1, 0);
	refuse();
}

static void read_refusals(void)
{
	ex_read_debugfs("refusals");
}

static void refuse_read(void)
{
	buffer = storage_export(false, NULL)->dmabuf;
	fd = dma_buf_fd(buffer, O_CLOEXEC);
	thread(1, speak);
	thread(2, read_refusals);
	run_threads();
	ex_files_end();
	ex_join();
}
EX_SCENARIO(refuse_read, "refuse-read",
	    "a driver says why it refuses, against a reader of all refusals", refuse_read, 3, -1, 4,
	    -1);

/* A driver tries something else when a step fails, and the call succeeds: it is no refusal. */
static void call_succeeds(void)
{
	ex_call(0);
	refuse();
	ex_user_return();
}

/* Each refusal is a line that begins with the process. */
static void no_refusal(const char *format, va_list args)
{
	CHECK(!strstarts(format, "%d"));
}

static void succeed_read(void)
{
	buffer = storage_export(false, NULL)->dmabuf;
	fd = dma_buf_fd(buffer, O_CLOEXEC);
	ex_printed = no_refusal;
	thread(1, call_succeeds);
	thread(2, read_refusals);
	run_threads();
	ex_files_end();
	ex_join();
}
EX_SCENARIO(succeed_read, "refuse-succeed-read",
	    "a call succeeds in which a step failed, against a reader of all refusals",
	    succeed_read, 3, -1, 4, -1);

/* Buffers that were refused before, the two of the threads, and what is told of each. */
static struct dma_buf *buffers[10];

static u32 refusal_of(struct dma_buf *dmabuf)
{
	struct dma_buf_refusal why = { };

	CHECK(!dmabuf->file->f_op->unlocked_ioctl(dmabuf->file, DMA_BUF_IOCTL_GET_REFUSAL,
						  (unsigned long)&why));
	/* It is told whole, or not at all. */
	CHECK(!why.error == !why.field && !why.error == !why.step);
	CHECK(why.step != DMA_BUF_STEP_GIVEN_BACK || why.error == EINVAL);
	CHECK(why.step != DMA_BUF_STEP_ADMIT || why.error == EBUSY);
	return why.error;
}

/* The importer gives it back, and the call fails, or not. */
static void call_gives_back(void)
{
	struct dma_buf *dmabuf = buffers[8];
	const bool fails = !ex_choose(2, "nothing: the call succeeds");

	ex_call(fails ? -EINVAL : 0);
	dma_buf_account_ops->failed(&(struct dma_buf_failure) {
		dmabuf, &importers[0], DMA_BUF_STEP_GIVEN_BACK });
	/* Nothing is told of it yet, and it costs none of the others its place. */
	CHECK(!refusal_of(dmabuf) && refusal_of(buffers[1]));
	ex_user_return();
	CHECK(refusal_of(dmabuf) == (fails ? EINVAL : 0));
	got[ex_self()] = fails;
}

static void call_fails(void)
{
	ex_call(-EBUSY);
	refuse_buffer(buffers[9]);
	ex_user_return();
	CHECK(refusal_of(buffers[9]) == EBUSY);
}

static void ask_all(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(buffers); i += 3)
		refusal_of(buffers[i]);
}

static void refuse_finish(void)
{
	int i, told = 0;

	for (i = 0; i < ARRAY_SIZE(buffers); i++) {
		buffers[i] = storage_export(false, NULL)->dmabuf;
		if (i < 8)
			refuse_buffer(buffers[i]);
	}
	thread(1, call_gives_back);
	thread(2, call_fails);
	thread(3, ask_all);
	run_threads();
	for (i = 0; i < ARRAY_SIZE(buffers); i++)
		told += !!refusal_of(buffers[i]);
	/* The oldest make room for those of calls that failed, and only for those. */
	CHECK(told == 8 && !refusal_of(buffers[0]) && (refusal_of(buffers[1]) == 0) == got[1]);
	/* Each record in use holds the process. */
	CHECK(refcount_read(&task_tgid(current)->count) == 1 + 8);
	for (i = 0; i < ARRAY_SIZE(buffers); i++)
		dma_buf_put(buffers[i]);
	ex_user_return();
	ex_join();
}
EX_SCENARIO(refuse_finish, "refuse-finish",
	    "a process has eight refusals; two calls end with a ninth and tenth, and somebody asks",
	    refuse_finish, 2, 1, 3, 2);
