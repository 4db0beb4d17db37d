// SPDX-License-Identifier: GPL-2.0
/* One buffer of a plain exporter: its files, names, attachments and mappings. */
#include <linux/dma-buf-constraints.h>
#include <linux/seq_file.h>
#include <uapi/linux/dma-buf.h>

#include "mocks.h"

struct dma_buf *dma_buf_iter_begin(void);
struct dma_buf *dma_buf_iter_next(struct dma_buf *dmabuf);

static struct storage *st;
static struct dma_buf *buffer;
static int fd;
static long got[5];

static void begin(bool dynamic)
{
	st = storage_export(dynamic, NULL);
	buffer = st->dmabuf;
	fd = dma_buf_fd(buffer, O_CLOEXEC);
}

/* Invariant 1: released once, at the end; invariant 2: and the module is free then. */
static void end(int released)
{
	ex_files_end();
	ex_join();
	CHECK(atomic_read(&storages_released) == released);
	CHECK(ex_unload(&exporter_module));
}

/* --- the end of a file against those who look for it --- */

static void close_fd(void)
{
	ex_close(fd);
}

static void get_and_put(void)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);

	if (!IS_ERR(dmabuf)) {
		CHECK(dmabuf == buffer && dmabuf->size == PAGE_SIZE);
		dma_buf_put(dmabuf);
	}
	ex_user_return();
}

static void read_link(void)
{
	ex_read_link(fd);
}

static void iterate(void)
{
	struct dma_buf *dmabuf = dma_buf_iter_begin();
	bool found = false;

	while (dmabuf) {
		CHECK(file_count(dmabuf->file) && dmabuf->file->private_data == dmabuf);
		found |= dmabuf == buffer;
		dmabuf = dma_buf_iter_next(dmabuf);
	}
	ex_user_return();
	got[ex_self()] = found;
}

static void read_bufinfo(void)
{
	ex_read_debugfs("bufinfo");
}

static void read_fdinfo(void)
{
	struct file *file = fget(fd);
	static struct seq_file m;

	if (file) {
		file->f_op->show_fdinfo(&m, file);
		fput(file);
	}
	ex_user_return();
}

static void unload(void)
{
	ex_unload(&exporter_module);
}

static void against(void (*first)(void), void (*second)(void), void (*third)(void))
{
	begin(false);
	thread(1, first);
	thread(2, second);
	if (third)
		thread(3, third);
	run_threads();
	end(1);
}

static void close_get(void) { against(close_fd, get_and_put, NULL); }
EX_SCENARIO(close_get, "close-get", "last close against a lookup by fd", close_get, 4, -1, 6, -1);

static void close_link(void) { against(close_fd, read_link, NULL); }
EX_SCENARIO(close_link, "close-link", "last close against a read of the link in /proc", close_link,
	    4, -1, 6, -1);

static void close_iterate(void) { against(close_fd, iterate, NULL); }
EX_SCENARIO(close_iterate, "close-iterate", "last close against the iterator", close_iterate, 4, -1,
	    6, -1);

static void close_bufinfo(void) { against(close_fd, read_bufinfo, NULL); }
EX_SCENARIO(close_bufinfo, "close-bufinfo", "last close against a reader of bufinfo", close_bufinfo,
	    4, -1, 6, -1);

static void close_holders(void) { against(close_fd, read_holders, NULL); }
EX_SCENARIO(close_holders, "close-holders", "last close against a walk of all holders",
	    close_holders, 4, 3, 6, 4);

static void close_fdinfo(void) { against(close_fd, read_fdinfo, NULL); }
EX_SCENARIO(close_fdinfo, "close-fdinfo", "last close against a reader of fdinfo", close_fdinfo, 4,
	    -1, 6, -1);

static void close_two_readers(void) { against(close_fd, read_bufinfo, iterate); }
EX_SCENARIO(close_readers, "close-readers", "last close, a reader of bufinfo and the iterator",
	    close_two_readers, 2, -1, 3, -1);

static void close_link_get(void) { against(close_fd, read_link, get_and_put); }
EX_SCENARIO(close_link_get, "close-link-get", "last close, a read of the link and a lookup",
	    close_link_get, 3, -1, 4, -1);

static void close_link_bufinfo(void) { against(close_fd, read_link, read_bufinfo); }
EX_SCENARIO(close_link_bufinfo, "close-link-bufinfo",
	    "last close, a read of the link and of bufinfo", close_link_bufinfo, 2, -1, 3, -1);

static void close_unload(void)
{
	begin(false);
	thread(1, close_fd);
	thread(2, unload);
	run_threads();
	ex_files_end();
	ex_join();
	CHECK(atomic_read(&storages_released) == 1);
}
EX_SCENARIO(close_unload, "close-unload", "last close against the unload of the exporter",
	    close_unload, 4, -1, 6, -1);

/* A path that is held without the file, as by O_PATH. */
static struct dentry *path;

static void close_path(void)
{
	ex_close_path(path);
}

static void path_against(void (*a)(void), void (*b)(void))
{
	begin(false);
	path = ex_open_path(fd);
	thread(1, close_path);
	thread(2, a);
	if (b)
		thread(3, b);
	run_threads();
	end(1);
}

static void path_close(void) { path_against(close_fd, NULL); }
EX_SCENARIO(path_close, "path-close", "the last path against the last file", path_close, 4, -1, 6,
	    -1);

static void path_close_bufinfo(void) { path_against(close_fd, read_bufinfo); }
EX_SCENARIO(path_bufinfo, "path-close-bufinfo",
	    "the last path, the last file and a reader of bufinfo", path_close_bufinfo, 2, -1, 3,
	    -1);

static void path_close_holders(void) { path_against(close_fd, read_holders); }
EX_SCENARIO(path_holders, "path-close-holders",
	    "the last path, the last file and a walk of all holders", path_close_holders, 2, 0, 3,
	    1);

static void export_and_close(void)
{
	struct storage *mine = storage_export(false, NULL);
	int mine_fd = mine ? dma_buf_fd(mine->dmabuf, O_CLOEXEC) : -ENOMEM;

	if (mine_fd >= 0)
		ex_close(mine_fd);
	ex_user_return();
	got[ex_self()] = mine_fd;
}

static void export_readers(void)
{
	thread(1, export_and_close);
	thread(2, read_bufinfo);
	run_threads();
	end(got[1] >= 0);
}
EX_SCENARIO(export_bufinfo, "export-bufinfo", "export and close against a reader of bufinfo",
	    export_readers, 3, 2, 4, 3);

static void export_unload(void)
{
	thread(1, export_and_close);
	thread(2, unload);
	run_threads();
	ex_files_end();
	ex_join();
	CHECK(atomic_read(&storages_released) == (got[1] >= 0));
}
EX_SCENARIO(export_unload, "export-unload", "export and close against the unload of the exporter",
	    export_unload, 3, 2, 4, 3);

static void iterate_against(void (*third)(void))
{
	begin(false);
	thread(1, export_and_close);
	thread(2, iterate);
	if (third)
		thread(3, third);
	run_threads();
	/* A buffer that is there all the time is found. */
	CHECK(got[2] || third);
	end(1 + (got[1] >= 0));
}

static void export_iterator(void) { iterate_against(NULL); }
EX_SCENARIO(export_iterate, "export-iterate", "export and close against the iterator",
	    export_iterator, 3, 2, 4, 3);
static void export_close_iterator(void) { iterate_against(close_fd); }
EX_SCENARIO(export_close_iterate, "export-close-iterate",
	    "export and close, the last close of another buffer, and the iterator",
	    export_close_iterator, 2, 0, 2, 1);

/* --- names --- */

static void set_name(void)
{
	struct file *file = fget(fd);
	char name[] = "name";

	if (file) {
		name[0] = '0' + ex_self();
		file->f_op->unlocked_ioctl(file, DMA_BUF_SET_NAME_A, (unsigned long)name);
		fput(file);
	}
	ex_user_return();
}

static void name_name(void) { against(set_name, set_name, NULL); }
EX_SCENARIO(name_name, "name-name", "two threads name one buffer", name_name, 4, 3, 6, 4);
static void name_link(void) { against(set_name, read_link, NULL); }
EX_SCENARIO(name_link, "name-link", "a name against a read of the link", name_link, 4, 3, 6, 4);
static void name_bufinfo(void) { against(set_name, read_bufinfo, NULL); }
EX_SCENARIO(name_bufinfo, "name-bufinfo", "a name against a reader of bufinfo", name_bufinfo, 4, 3,
	    6, 4);
static void name_twice(void)
{
	set_name();
	set_name();
}

static void name_holders(void) { against(name_twice, read_holders, NULL); }
EX_SCENARIO(name_holders, "name-holders", "a name and another one against a walk of all holders",
	    name_holders, 4, 3, 5, 4);
static void name_close_link(void) { against(set_name, close_fd, read_link); }
EX_SCENARIO(name_close_link, "name-close-link", "a name, the last close and a read of the link",
	    name_close_link, 2, 1, 3, 2);

/* --- importers --- */

/* Invariant 10, seen with the lock held. */
static void check_settled(struct dma_buf_attachment *attach)
{
	if (!attach->importer_ops)
		CHECK(dma_resv_test_signaled(attach->dmabuf->resv, DMA_RESV_USAGE_KERNEL));
}

static void static_import(void)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	if (IS_ERR(dmabuf))
		return;
	attach = dma_buf_attach(dmabuf, &importers[ex_self() % 2]);
	if (!IS_ERR(attach)) {
		sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
		if (!IS_ERR(sgt)) {
			/* It is pinned, so it does not move. */
			CHECK(!buffer->ops->pin || st->pinned);
			dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
		}
		dma_buf_detach(dmabuf, attach);
	}
	dma_buf_put(dmabuf);
	ex_user_return();
}

static void try_import(void)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	if (IS_ERR(dmabuf))
		return;
	attach = dma_buf_attach(dmabuf, &importers[ex_self() % 2]);
	if (!IS_ERR(attach)) {
		sgt = dma_buf_try_map_attachment(attach, DMA_BIDIRECTIONAL);
		if (!IS_ERR(sgt))
			dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
		dma_buf_detach(dmabuf, attach);
	}
	dma_buf_put(dmabuf);
	ex_user_return();
}

static struct importer dynamic[5];

static void dynamic_import(void)
{
	struct importer *imp = &dynamic[ex_self()];
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct sg_table *sgt;

	if (IS_ERR(dmabuf))
		return;
	imp->attach = dma_buf_dynamic_attach(dmabuf, &importers[ex_self() % 2], &importer_ops, imp);
	/* Without memory, or as the exporter said. */
	CHECK(!IS_ERR(imp->attach) || PTR_ERR(imp->attach) == -ENOMEM ||
	      PTR_ERR(imp->attach) == -EINVAL);
	if (!IS_ERR(imp->attach)) {
		dma_resv_lock(dmabuf->resv, NULL);
		sgt = dma_buf_map_attachment(imp->attach, DMA_BIDIRECTIONAL);
		imp->sgt = IS_ERR(sgt) ? NULL : sgt;
		dma_resv_unlock(dmabuf->resv);

		dma_resv_lock(dmabuf->resv, NULL);
		/* A move may have taken it. */
		if (imp->sgt)
			dma_buf_unmap_attachment(imp->attach, imp->sgt, DMA_BIDIRECTIONAL);
		imp->sgt = NULL;
		dma_resv_unlock(dmabuf->resv);
		dma_buf_detach(dmabuf, imp->attach);
	}
	dma_buf_put(dmabuf);
	ex_user_return();
}

static void pin_import(void)
{
	struct importer *imp = &dynamic[ex_self()];
	struct dma_buf *dmabuf = dma_buf_get(fd);
	int moves;

	if (IS_ERR(dmabuf))
		return;
	imp->attach = dma_buf_dynamic_attach(dmabuf, &importers[0], &importer_ops, imp);
	if (!IS_ERR(imp->attach)) {
		dma_resv_lock(dmabuf->resv, NULL);
		moves = imp->moves;
		if (!dma_buf_pin(imp->attach)) {
			dma_resv_unlock(dmabuf->resv);
			dma_resv_lock(dmabuf->resv, NULL);
			/* What is pinned does not move. */
			CHECK(imp->moves == moves);
			dma_buf_unpin(imp->attach);
		}
		dma_resv_unlock(dmabuf->resv);
		dma_buf_detach(dmabuf, imp->attach);
	}
	dma_buf_put(dmabuf);
	ex_user_return();
}

/* The exporter holds its buffer while it moves it. */
static void move(void)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);

	if (IS_ERR(dmabuf))
		return;
	storage_move(st);
	dma_buf_put(dmabuf);
	ex_user_return();
}

static void three(bool moves, void (*a)(void), void (*b)(void), void (*c)(void))
{
	begin(moves);
	thread(1, a);
	thread(2, b);
	if (c)
		thread(3, c);
	run_threads();
	end(1);
}

static void map_map(void) { three(false, static_import, static_import, NULL); }
EX_SCENARIO(map_map, "map-map", "two static importers", map_map, 3, 2, 4, 3);
static void map_close(void) { three(false, static_import, close_fd, NULL); }
EX_SCENARIO(map_close, "map-close", "a static importer against the last close", map_close, 4, 3, 5,
	    4);
static void map_bufinfo(void) { three(false, static_import, read_bufinfo, NULL); }
EX_SCENARIO(map_bufinfo, "map-bufinfo", "a static importer against a reader of bufinfo",
	    map_bufinfo, 4, 3, 5, 4);
static void map_holders(void) { three(false, static_import, read_holders, NULL); }
EX_SCENARIO(map_holders, "map-holders", "a static importer against a walk of all holders",
	    map_holders, 3, 1, 4, 2);
static void map_holders_close(void) { three(false, static_import, read_holders, close_fd); }
EX_SCENARIO(map_holders_close, "map-holders-close",
	    "a static importer, a walk of all holders and the last close", map_holders_close, 2, 0, 3,
	    1);
static void map_bufinfo_close(void) { three(false, static_import, read_bufinfo, close_fd); }
EX_SCENARIO(map_bufinfo_close, "map-bufinfo-close",
	    "a static importer, a reader of bufinfo and the last close", map_bufinfo_close, 2, 1, 3,
	    2);
static void pinned_move(void) { three(true, static_import, move, NULL); }
EX_SCENARIO(pinned_move, "pinned-move", "a static importer of storage that moves", pinned_move, 4,
	    3, 5, 4);
static void dynamic_move(void) { three(true, dynamic_import, move, NULL); }
EX_SCENARIO(dynamic_move, "dynamic-move", "a dynamic importer against a move", dynamic_move, 4, 3,
	    5, 4);
static void dynamic_move_close(void) { three(true, dynamic_import, move, close_fd); }
EX_SCENARIO(dynamic_move_close, "dynamic-move-close",
	    "a dynamic importer, a move and the last close", dynamic_move_close, 2, 1, 3, 2);
static void dynamic_two_move(void) { three(true, dynamic_import, dynamic_import, move); }
EX_SCENARIO(dynamic_two_move, "dynamic-two-move", "two dynamic importers and a move",
	    dynamic_two_move, 2, 1, 3, 2);
static void pin_move(void) { three(true, pin_import, move, NULL); }
EX_SCENARIO(pin_move, "pin-move", "an importer that pins against a move", pin_move, 4, 3, 5, 4);
static void mixed_move(void) { three(true, static_import, dynamic_import, move); }
EX_SCENARIO(mixed_move, "mixed-move", "a static and a dynamic importer and a move", mixed_move, 2,
	    1, 3, 2);

/* --- maps and CPU access against fences --- */

static struct dma_fence *fence;

static void signal_fence(void)
{
	fence_signal_by_interrupt(fence);
}

static void map_and_check(void)
{
	struct dma_buf_attachment *attach = dma_buf_attach(buffer, &importers[0]);
	struct sg_table *sgt;

	if (IS_ERR(attach))
		return;
	dma_resv_lock(buffer->resv, NULL);
	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	if (!IS_ERR(sgt)) {
		check_settled(attach);
		dma_buf_unmap_attachment(attach, sgt, DMA_BIDIRECTIONAL);
	}
	dma_resv_unlock(buffer->resv);
	dma_buf_detach(buffer, attach);
}

static void try_map_and_check(void)
{
	try_import();
}

static long sync_ioctl(u64 flags)
{
	struct dma_buf_sync arg = { .flags = flags };
	struct file *file = fget(fd);
	long ret = file->f_op->unlocked_ioctl(file, DMA_BUF_IOCTL_SYNC, (unsigned long)&arg);

	fput(file);
	ex_user_return();
	return ret;
}

static void cpu_access(void)
{
	long ret = sync_ioctl(DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);

	got[ex_self()] = ret;
	/* Invariant 11. Whether the end fails is up to the exporter. */
	if (!ret)
		ret = sync_ioctl(DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
	else
		CHECK(ret == -ERESTARTSYS || ret == -EIO);
	CHECK(!ret || ret == -EIO || got[ex_self()] == ret);
}

static void kill_first(void)
{
	ex_kill(1);
}

static void fenced(void (*a)(void), void (*b)(void), void (*c)(void))
{
	begin(false);
	fence = fence_new();
	fence_add(buffer, fence, DMA_RESV_USAGE_KERNEL);
	thread(1, a);
	thread(2, b);
	if (c)
		thread(3, c);
	run_threads();
	CHECK(!atomic_read(&st->accesses));
	end(1);
}

static void map_signal(void) { fenced(map_and_check, signal_fence, NULL); }
EX_SCENARIO(map_signal, "map-signal", "a map waits for the fence of a move", map_signal, 4, 3, 5,
	    4);
static void map_signal_kill(void) { fenced(map_and_check, signal_fence, kill_first); }
EX_SCENARIO(map_signal_kill, "map-signal-kill",
	    "a map that waits for a fence, the fence, and a fatal signal", map_signal_kill, 2, 1, 3,
	    2);
static void try_map_signal(void) { fenced(try_map_and_check, signal_fence, NULL); }
EX_SCENARIO(try_map_signal, "try-map-signal", "a map that does not wait against a fence",
	    try_map_signal, 4, 3, 5, 4);
static void cpu_signal(void) { fenced(cpu_access, signal_fence, NULL); }
EX_SCENARIO(cpu_signal, "cpu-signal", "CPU access waits for a fence", cpu_signal, 4, 3, 5, 4);
static void cpu_signal_kill(void) { fenced(cpu_access, signal_fence, kill_first); }
EX_SCENARIO(cpu_signal_kill, "cpu-signal-kill", "CPU access, a fence and a fatal signal",
	    cpu_signal_kill, 2, 1, 3, 2);
static void cpu_cpu_signal(void) { fenced(cpu_access, cpu_access, signal_fence); }
EX_SCENARIO(cpu_cpu_signal, "cpu-cpu-signal", "two CPU accesses and a fence", cpu_cpu_signal, 2, 1,
	    2, 1);
static void bufinfo_signal(void) { fenced(read_bufinfo, signal_fence, NULL); }
EX_SCENARIO(bufinfo_signal, "bufinfo-signal", "a reader of bufinfo prints a fence that signals",
	    bufinfo_signal, 4, -1, 5, -1);

/* The exporter moves the storage at the beginning of an access. */
static void cpu_move_kill(void)
{
	begin(false);
	fence = fence_new();
	st->begins = dma_fence_get(fence);
	thread(1, cpu_access);
	thread(2, signal_fence);
	thread(3, kill_first);
	run_threads();
	CHECK(!atomic_read(&st->accesses));
	dma_fence_put(fence);
	end(1);
}
EX_SCENARIO(cpu_move_kill, "cpu-move-kill",
	    "CPU access that moves the storage, the fence of the move, and a fatal signal",
	    cpu_move_kill, 2, 1, 3, 2);

/* --- vmap --- */

static void vmap(void)
{
	struct iosys_map map;

	if (!dma_buf_vmap_unlocked(buffer, &map)) {
		CHECK(map.vaddr == st);
		dma_buf_vunmap_unlocked(buffer, &map);
	} else {
		CHECK(iosys_map_is_null(&map));
	}
}

static void vmap_vmap(void) { three(false, vmap, vmap, NULL); }
EX_SCENARIO(vmap_vmap, "vmap-vmap", "two threads map for the kernel", vmap_vmap, 4, 3, 6, 4);
static void vmap_map_map(void) { three(true, vmap, static_import, dynamic_import); }
EX_SCENARIO(vmap_map_map, "vmap-map-map", "a map for the kernel, a static and a dynamic importer",
	    vmap_map_map, 2, 0, 2, 1);
