// SPDX-License-Identifier: GPL-2.0
/* GEM objects with late storage, which belongs to the object and to its present buffer. */
#include <drm/drm_gem_late.h>

#include "drm_internal.h"

#include "mocks.h"

static struct drm_file *files[2];
static struct drm_gem_object *object;
static u32 handle;
static int fd;
static long got[5];

static void begin(void)
{
	struct drm_mode_create_dumb args = { .width = 1, .height = 1, .bpp = 8 };

	importers_begin();
	drm_begin();
	files[0] = file_open(0);
	files[1] = file_open(1);
	CHECK(!drm_gem_late_dumb_create(files[0], drm_devices[0], &args));
	handle = args.handle;
	fd = handle_to_fd(files[0], handle);
	object = object_get(files[0], handle);
}

static void end(void)
{
	drm_gem_object_put(object);
	ex_files_end();
	file_close(files[0]);
	file_close(files[1]);
	ex_join();
	drm_end();
}

/* The buffer that is open is the one that is told of moves and refusals. */
static void check_bound(long of)
{
	struct file *file = of < 0 ? NULL : ex_file(of);

	CHECK(!file || to_drm_gem_late_object(object)->late.dmabuf == file->private_data);
}

static void close_all(void)
{
	handle_close(files[0], handle);
	ex_close(fd);
}

static void getfb_export(void)
{
	u32 h = object_get_handle(files[0], object);

	got[1] = h ? handle_to_fd(files[0], h) : -ENOMEM;
}

static void import_narrow(void)
{
	got[ex_self()] = fd_to_handle(files[1], fd);
}

static void fault_object(void)
{
	buffer_fault(fd);
}

static void vmap_object(void)
{
	struct iosys_map map;

	dma_resv_lock(object->resv, NULL);
	if (!drm_gem_vmap_locked(object, &map))
		drm_gem_vunmap_locked(object, &map);
	dma_resv_unlock(object->resv);
}

static void vmap_twice(void)
{
	vmap_object();
	vmap_object();
}

static void run(void (*a)(void), void (*b)(void), void (*c)(void))
{
	begin();
	got[1] = -1;
	thread(1, a);
	thread(2, b);
	if (c)
		thread(3, c);
	run_threads();
	check_bound(got[1]);
	end();
}

static void getfb_close(void) { run(getfb_export, close_all, NULL); }
EX_SCENARIO(late_getfb_close, "gem-late-getfb-close",
	    "GETFB2 and export of a late object against its last handle and fd", getfb_close, 3, 1,
	    4, 2);
static void import_vmap(void) { run(vmap_twice, import_narrow, NULL); }
EX_SCENARIO(late_import_vmap, "gem-late-vmap-import",
	    "maps of a late object for the kernel against an import that reaches less", import_vmap,
	    3, 1, 4, 2);
static void import_fault(void) { run(fault_object, import_narrow, NULL); }
EX_SCENARIO(late_import_fault, "gem-late-fault-import",
	    "a page fault of a late object against an import that reaches less", import_fault, 3, 1,
	    4, 2);
static void import_close(void) { run(vmap_object, import_narrow, close_all); }
EX_SCENARIO(late_import_close, "gem-late-import-close",
	    "import of a late object, a map of it, and its last handle and fd", import_close, 2, 0,
	    2, 1);
