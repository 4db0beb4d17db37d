// SPDX-License-Identifier: GPL-2.0
/* Handles and dma-bufs: export, import, close and GETFB2 against one another. */
#include "mocks.h"
#include "try/internal.h"

/* Files of devices 0, 1 and 1, an object of the first, its handle and fd. */
static struct drm_file *files[3];
static struct drm_gem_object *object;
static struct dma_buf *buffer;
static u32 handle;
static int fd;
/* What each thread got, eight bytes apart. */
static long got[5], got2[5];

static void begin(void)
{
	int i;

	drm_begin();
	for (i = 0; i < 3; i++)
		files[i] = file_open(i > 0);
	handle = object_new(files[0]);
	fd = handle_to_fd(files[0], handle);
	buffer = ex_file(fd)->private_data;
}

static void end(void)
{
	int i;

	ex_files_end();
	for (i = 0; i < 3; i++)
		file_close(files[i]);
	ex_join();
	drm_end();
}

/* The buffer of an fd, for comparing; NULL if there is none. */
static struct dma_buf *buffer_of(long of)
{
	struct file *file = of < 0 ? NULL : ex_file(of);

	return file ? file->private_data : NULL;
}

/* --- import --- */

static void import(void)
{
	got[ex_self()] = fd_to_handle(files[1], fd);
}

static void import_elsewhere(void)
{
	got[ex_self()] = fd_to_handle(files[2], fd);
}

static void import_at_home(void)
{
	got[ex_self()] = fd_to_handle(files[0], fd);
}

static void import_two(void)
{
	begin();
	imports_one_by_one = true;
	thread(1, import);
	thread(2, import);
	run_threads();
	/* Invariant 6. */
	CHECK(got[1] < 0 || got[2] < 0 || got[1] == got[2]);
	end();
}
EX_SCENARIO(import_two, "import-two", "two threads import one buffer into one file", import_two, 3,
	    2, 4, 3);

static void import_three(void)
{
	begin();
	imports_one_by_one = true;
	thread(1, import);
	thread(2, import);
	thread(3, import);
	run_threads();
	CHECK(got[1] < 0 || got[2] < 0 || got[1] == got[2]);
	CHECK(got[2] < 0 || got[3] < 0 || got[2] == got[3]);
	end();
}
EX_SCENARIO(import_three, "import-three", "three threads import one buffer into one file",
	    import_three, 2, 0, 2, 1);

static void import_files(void)
{
	begin();
	thread(1, import);
	thread(2, import_elsewhere);
	run_threads();
	end();
}
EX_SCENARIO(import_files, "import-files", "two files of a device import one buffer", import_files,
	    3, 1, 4, 2);

static void import_devices(void)
{
	begin();
	thread(1, import);
	thread(2, import_at_home);
	run_threads();
	/* The exporter's own file has it already. */
	CHECK(got[2] == handle);
	end();
}
EX_SCENARIO(import_devices, "import-devices",
	    "a file of another device and the exporter's own import one buffer", import_devices, 3,
	    2, 4, 3);

static void close_fd(void)
{
	ex_close(fd);
}

static void import_close_fd(void)
{
	begin();
	handle_close(files[0], handle);
	thread(1, import);
	thread(2, close_fd);
	run_threads();
	CHECK(got[1] > 0 || got[1] == -EBADF || got[1] == -ENOMEM || got[1] == -ENOSPC ||
	      got[1] == -EIO);
	end();
}
EX_SCENARIO(import_close_fd, "import-close-fd", "import against the last close of the fd",
	    import_close_fd, 3, 2, 4, 3);

/* A program that guesses the handle that another thread is about to get. */
static void close_guessed(void)
{
	handle_close(files[1], 1);
}

static void import_close_handle(void)
{
	begin();
	thread(1, import);
	thread(2, close_guessed);
	run_threads();
	end();
}
EX_SCENARIO(import_close_handle, "import-close-handle",
	    "import against the close of the handle that it makes", import_close_handle, 3, 2, 4,
	    3);

static void import_close_import(void)
{
	begin();
	thread(1, import);
	thread(2, close_guessed);
	thread(3, import);
	run_threads();
	end();
}
EX_SCENARIO(import_close_import, "import-close-import",
	    "two imports and the close of the handle that they make", import_close_import, 2, 0, 2,
	    1);

static void export_guessed(void)
{
	got[ex_self()] = handle_to_fd(files[1], 1);
}

static void import_export_guessed(void)
{
	begin();
	thread(1, import);
	thread(2, export_guessed);
	run_threads();
	/* Invariant 5: the handle of an import exports the buffer that was imported. */
	CHECK(got[2] < 0 || buffer_of(got[2]) == buffer);
	end();
}
EX_SCENARIO(import_export, "import-export", "import against the export of the handle that it makes",
	    import_export_guessed, 3, 2, 4, 3);

static void import_then_close(void)
{
	long h = fd_to_handle(files[1], fd);

	if (h > 0)
		handle_close(files[1], h);
}

static void import_and_close_two(void)
{
	begin();
	imports_one_by_one = true;
	thread(1, import_then_close);
	thread(2, import_then_close);
	run_threads();
	end();
}
EX_SCENARIO(import_and_close, "import-and-close",
	    "two threads import into one file, and close what they got", import_and_close_two, 2, 1,
	    3, 2);

/* An import that is undone; the caller of the ioctl holds the buffer. */
static void try(void)
{
	struct file file = { .private_data = files[1] };
	u32 judged;

	got[ex_self()] = drm_prime_import_try(&file, buffer, &judged);
	ex_user_return();
}

static void import_and_try(void)
{
	begin();
	imports_one_by_one = true;
	thread(1, import);
	thread(2, try);
	run_threads();
	CHECK(got[2] <= 0);
	/* The attempt takes away no handle. */
	CHECK(got[1] < 0 || fd_to_handle(files[1], fd) == got[1]);
	end();
}
EX_SCENARIO(import_and_try_two, "import-and-try",
	    "an import, and an attempt with the same buffer and file", import_and_try, 3, 2, 4, 3);

/* --- export --- */

static void export(void)
{
	got[ex_self()] = handle_to_fd(files[0], handle);
}

static void close_handle(void)
{
	handle_close(files[0], handle);
}

static void export_two(void)
{
	begin();
	ex_close(fd);
	thread(1, export);
	thread(2, export);
	run_threads();
	/* Invariant 5. */
	CHECK(got[1] < 0 || got[2] < 0 || buffer_of(got[1]) == buffer_of(got[2]));
	end();
}
EX_SCENARIO(export_two, "export-two", "two threads export one handle", export_two, 3, 2, 4, 3);

static void first_export(void)
{
	drm_begin();
	files[0] = file_open(0);
	files[1] = file_open(0);
	files[2] = file_open(0);
	object = NULL;
	handle = object_new(files[0]);
	object = object_get(files[0], handle);
	got2[0] = object_get_handle(files[1], object);
	drm_gem_object_put(object);
}

static void export_other_file(void)
{
	got[ex_self()] = handle_to_fd(files[1], got2[0]);
}

static void export_files(void)
{
	first_export();
	thread(1, export);
	thread(2, export_other_file);
	run_threads();
	CHECK(got[1] < 0 || got[2] < 0 || buffer_of(got[1]) == buffer_of(got[2]));
	end();
}
EX_SCENARIO(export_files, "export-files", "two files export one object for the first time",
	    export_files, 3, 2, 4, 3);

static void export_close_handle(void)
{
	begin();
	ex_close(fd);
	thread(1, export);
	thread(2, close_handle);
	run_threads();
	end();
}
EX_SCENARIO(export_close, "export-close-handle", "export against the close of the last handle",
	    export_close_handle, 3, 2, 4, 3);

/* A program that guesses the fd that another thread is about to get. */
static void close_all_guessed(void)
{
	handle_close(files[0], handle);
	ex_close(0);
}

static void export_close_guessed(void)
{
	begin();
	ex_close(fd);
	thread(1, export);
	thread(2, close_all_guessed);
	run_threads();
	end();
}
EX_SCENARIO(export_close_fd, "export-close-fd",
	    "export against the close of the handle and of the fd that it makes",
	    export_close_guessed, 3, 1, 4, 2);

static void close_handle_close_fd(void)
{
	begin();
	thread(1, close_handle);
	thread(2, close_fd);
	run_threads();
	end();
}
EX_SCENARIO(close_both, "close-handle-close-fd", "the last handle against the last fd",
	    close_handle_close_fd, 3, -1, 5, -1);

/* A framebuffer keeps the object; then there is a handle again, which is exported. */
static void getfb_export(void)
{
	long h = object_get_handle(files[0], object);

	got[ex_self()] = h ? handle_to_fd(files[0], h) : -ENOMEM;
	drm_gem_object_put(object);
	ex_user_return();
}

static void getfb(void (*other)(void), bool with_fd)
{
	begin();
	object = object_get(files[0], handle);
	if (!with_fd)
		ex_close(fd);
	got[1] = got[2] = -1;
	thread(1, getfb_export);
	thread(2, other);
	run_threads();
}

static void getfb_close_handle(void)
{
	getfb(close_handle, true);
	/* Invariant 5: the fd of the first export is open all the time. */
	CHECK(got[1] < 0 || buffer_of(got[1]) == buffer);
	end();
}
EX_SCENARIO(getfb_close, "getfb-close-handle",
	    "GETFB2 and export against the close of the last handle, an fd is open",
	    getfb_close_handle, 3, 1, 4, 2);

static void close_handle_and_fd(void)
{
	handle_close(files[0], handle);
	ex_close(fd);
}

static void getfb_close_all(void)
{
	getfb(close_handle_and_fd, true);
	end();
}
EX_SCENARIO(getfb_all, "getfb-close-all",
	    "GETFB2 and export against the close of the last handle and the last fd",
	    getfb_close_all, 2, 1, 3, 2);

static void getfb_export_two(void)
{
	getfb(export, true);
	CHECK(got[1] < 0 || got[2] < 0 || buffer_of(got[1]) == buffer_of(got[2]));
	end();
}
EX_SCENARIO(getfb_export, "getfb-export", "two handles of one object are exported",
	    getfb_export_two, 3, 2, 4, 3);

/* The object has no handle, and gets one by a framebuffer, and one by the open fd. */
static void getfb_import_home(void)
{
	begin();
	object = object_get(files[0], handle);
	handle_close(files[0], handle);
	thread(1, getfb_export);
	thread(2, import_at_home);
	run_threads();
	/* Invariant 5: the fd is open all the time. */
	CHECK(got[1] < 0 || buffer_of(got[1]) == buffer);
	CHECK(got[2] < 0 || buffer_of(handle_to_fd(files[0], got[2])) == buffer);
	end();
}
EX_SCENARIO(getfb_import, "getfb-import",
	    "GETFB2 and export against an import, of an object without a handle",
	    getfb_import_home, 2, 1, 3, 2);

static void export_import_close(void)
{
	begin();
	ex_close(fd);
	thread(1, export);
	thread(2, close_handle);
	thread(3, import_at_home);
	run_threads();
	end();
}
EX_SCENARIO(export_three, "export-close-import",
	    "export, close of the handle, and import into the exporter's file", export_import_close,
	    2, 0, 3, 1);

static void close_file(void)
{
	file_close(files[1]);
}

static void file_close_export(void)
{
	begin();
	got2[1] = fd_to_handle(files[1], fd);
	ex_close(fd);
	thread(1, close_file);
	thread(2, close_handle);
	run_threads();
	files[1] = file_open(1);
	end();
}
EX_SCENARIO(file_close, "file-close",
	    "the importer's file ends against the close of the exporter's handle",
	    file_close_export, 3, -1, 4, -1);

/* --- maps for the kernel and for user space --- */

static void vmap(void)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct iosys_map map;

	if (IS_ERR(dmabuf))
		return;
	if (!dma_buf_vmap_unlocked(dmabuf, &map))
		dma_buf_vunmap_unlocked(dmabuf, &map);
	dma_buf_put(dmabuf);
	ex_user_return();
}

static void vmap_close(void)
{
	begin();
	thread(1, vmap);
	thread(2, close_handle_and_fd);
	run_threads();
	end();
}
EX_SCENARIO(gem_vmap_close, "gem-vmap-close",
	    "a map for the kernel against the last handle and the last fd", vmap_close, 3, 2, 4, 3);

static void mmap(void)
{
	struct vm_area_struct vma = { .vm_start = 0x10000,
				      .vm_end = 0x10000 + PAGE_SIZE,
				      .vm_flags = VM_SHARED };
	struct file *file = fget(fd);

	if (!file)
		return;
	/* The mapping takes over the reference. */
	vma.vm_file = file;
	if (!file->f_op->mmap(file, &vma))
		vma.vm_ops->close(&vma);
	fput(vma.vm_file);
	ex_user_return();
}

static void mmap_close(void)
{
	begin();
	thread(1, mmap);
	thread(2, close_handle_and_fd);
	run_threads();
	end();
}
EX_SCENARIO(gem_mmap_close, "gem-mmap-close",
	    "a mapping of user space against the last handle and the last fd", mmap_close, 3, 2, 4,
	    3);
