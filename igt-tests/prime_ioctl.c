// SPDX-License-Identifier: MIT
/**
 * TEST: prime ioctl
 * Description: HANDLE_TO_FD and FD_TO_HANDLE refuse wrong requests with the right
 *  errno, lose nothing when they fail, and keep a buffer's identity over files and
 *  devices.
 */
#include "lib/prime_test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

/**
 * SUBTEST: export-unknown-flags
 * Description: Each bit without a meaning is refused. Otherwise it could never be
 *  given one.
 */
static void export_unknown_flags(void)
{
	int drm = open_device();
	uint32_t handle = check_ok(gem_create(drm, 1));
	unsigned int before = count_buffers();

	for (int bit = 0; bit < 32; bit++) {
		uint32_t flag = 1u << bit;

		if (flag & (DRM_CLOEXEC | DRM_RDWR))
			continue;
		check_error(gem_export(drm, handle, flag), EINVAL);
		check_error(gem_export(drm, handle, flag | DRM_CLOEXEC), EINVAL);
	}
	check_eq(count_buffers(), before);
}

/**
 * SUBTEST: export-known-flags
 * Description: All four combinations of the two flags work.
 */
static void export_known_flags(void)
{
	static const uint32_t flags[] = {
		0, DRM_CLOEXEC, DRM_RDWR, DRM_CLOEXEC | DRM_RDWR,
	};
	int drm = open_device();

	for (int i = 0; i < 4; i++) {
		uint32_t handle = check_ok(gem_create(drm, 1));

		close(check_ok(gem_export(drm, handle, flags[i])));
	}
}

/**
 * SUBTEST: export-bad-handle
 * Description: 0, a handle that was never given out, a closed one and the largest
 *  number give ENOENT.
 */
static void export_bad_handle(void)
{
	int drm = open_device();
	uint32_t handle = check_ok(gem_create(drm, 1));

	check_error(gem_export(drm, 0, 0), ENOENT);
	check_error(gem_export(drm, handle + 1, 0), ENOENT);
	check_error(gem_export(drm, UINT32_MAX, 0), ENOENT);
	check_ok(gem_close(drm, handle));
	check_error(gem_export(drm, handle, 0), ENOENT);
}

/**
 * SUBTEST: export-foreign-handle
 * Description: A handle belongs to the file in which it was made. In another file of
 *  the same device its number is no handle.
 */
static void export_foreign_handle(void)
{
	int drm = open_device(), other = open_device();
	uint32_t handle = check_ok(gem_create(drm, 1));

	check_error(gem_export(other, handle, 0), ENOENT);
}

/**
 * SUBTEST: export-closed-handle-of-live-buffer
 * Description: A closed handle can't be exported, although the dma-buf lives on.
 */
static void export_closed_handle_of_live_buffer(void)
{
	int drm = open_device();
	uint32_t handle;
	int fd = make_dmabuf(drm, 1, &handle);

	check_ok(gem_close(drm, handle));
	check_error(gem_export(drm, handle, 0), ENOENT);
	check_ok(gem_import(drm, fd));
}

/**
 * SUBTEST: import-bad-fd
 * Description: A number that is not an open file gives EBADF.
 */
static void import_bad_fd(void)
{
	int drm = open_device(), fd = any_dmabuf(1);

	check_error(gem_import(drm, -1), EBADF);
	check_error(gem_import(drm, 1 << 20), EBADF);
	close(fd);
	check_error(gem_import(drm, fd), EBADF);
}

/**
 * SUBTEST: import-other-file
 * Description: An open file of any other kind gives EINVAL: a device, a pipe, a
 *  memfd, a directory, a sync file, the DRM file itself.
 */
static void import_other_file(void)
{
	int drm = open_device(), dmabuf = any_dmabuf(1), ends[2];

	check_ok(pipe(ends));
	check_error(gem_import(drm, ends[0]), EINVAL);
	check_error(gem_import(drm, ends[1]), EINVAL);
	check_error(gem_import(drm, open("/dev/null", O_RDWR)), EINVAL);
	check_error(gem_import(drm, open("/", O_RDONLY)), EINVAL);
	check_error(gem_import(drm, memfd_create("x", 0)), EINVAL);
	check_error(gem_import(drm, drm), EINVAL);
	check_error(gem_import(drm, check_ok(dmabuf_export_sync_file(dmabuf,
						DMA_BUF_SYNC_RW))), EINVAL);
}

/**
 * SUBTEST: import-o-path
 * Description: An O_PATH descriptor of a dma-buf can't be imported.
 */
static void import_o_path(void)
{
	int drm = open_device(), fd = any_dmabuf(1);
	char path[64];
	int opath;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	opath = open(path, O_PATH | O_CLOEXEC);
	check(opath >= 0);
	check_error(gem_import(drm, opath), EBADF);
}

/**
 * SUBTEST: import-unable-driver
 * Description: A driver that can't import gives an error and leaves the buffer
 *  unattached. virtio-gpu without blob resources is one.
 */
static void import_unable_driver(void)
{
	int virtio = open_driver("virtio_gpu"), vgem = open_driver("vgem");
	int fd = make_dmabuf(vgem, 1, NULL);
	char before[32], after[32];

	check(fdinfo(fd, "count", before, sizeof(before)));
	check_error(gem_import(virtio, fd), ENODEV);
	check(fdinfo(fd, "count", after, sizeof(after)));
	check_eq(atol(after), atol(before));
}

/**
 * SUBTEST: import-too-few-rights
 * Description: A dma-buf exported without DRM_RDWR can still be imported: the flag
 *  limits the mapping of the fd, not the devices.
 */
static void import_too_few_rights(void)
{
	int drm = open_device(), other = open_other();
	uint32_t handle = check_ok(gem_create(drm, 1));
	int fd = check_ok(gem_export(drm, handle, DRM_CLOEXEC));

	check_ok(gem_import(other, fd));
}

/* --- arguments that the kernel cannot read or write --- */

/**
 * SUBTEST: export-unreadable-argument
 * Description: An argument at an address that is not mapped gives EFAULT and has no
 *  effect.
 */
static void export_unreadable_argument(void)
{
	int drm = open_device();
	unsigned int fds, before;

	check_ok(gem_create(drm, 1));
	fds = count_fds();
	before = count_buffers();
	check_error(xioctl(drm, DRM_IOCTL_PRIME_HANDLE_TO_FD, (void *)8), EFAULT);
	check_error(xioctl(drm, DRM_IOCTL_PRIME_FD_TO_HANDLE, (void *)8), EFAULT);
	check_eq(count_fds(), fds);
	check_eq(count_buffers(), before);
}

/* A new buffer whose export fails because the answer cannot be written. */
static uint32_t export_readonly(int drm, void **page)
{
	uint32_t handle = check_ok(gem_create(drm, 1));
	struct drm_prime_handle arg = {
		.handle = handle, .flags = DRM_CLOEXEC | DRM_RDWR, .fd = -1,
	};

	*page = readonly_page(&arg, sizeof(arg));
	check_error(xioctl(drm, DRM_IOCTL_PRIME_HANDLE_TO_FD, *page), EFAULT);
	return handle;
}

/**
 * SUBTEST: export-efault
 * Description: When the fd can't be copied to the program, the call gives EFAULT,
 *  and the fd is open under the lowest free number. It is an fd like any other: when
 *  it and the handle are closed, nothing is left.
 */
static void export_efault(void)
{
	int drm = open_device(), next;
	uint32_t handle;
	void *page;

	for (int i = 0; i < 16; i++) {
		next = check_ok(dup(drm));
		close(next);
		handle = export_readonly(drm, &page);
		check_eq(gem_import(drm, next), handle);
		close(next);
		check_ok(gem_close(drm, handle));
		check_eq(settle_buffers(0), 0);
	}
}

/**
 * SUBTEST: export-efault-then-retry
 * Description: After a failed export the next one works, and the buffer still gives
 *  its handle.
 */
static void export_efault_then_retry(void)
{
	int drm = open_device();
	struct drm_prime_handle *arg;
	void *page;
	uint32_t handle = export_readonly(drm, &page);

	writable_page(page);
	arg = page;
	check_ok(xioctl(drm, DRM_IOCTL_PRIME_HANDLE_TO_FD, arg));
	check(arg->fd >= 0);
	check_eq(gem_import(drm, arg->fd), handle);
}

/**
 * SUBTEST: import-efault
 * Description: When the handle can't be copied to the program, the call gives
 *  EFAULT. What it made ends with the file at the latest, and the next import works.
 */
static void import_efault(void)
{
	int drm = open_device(), fd = any_dmabuf(1);
	struct drm_prime_handle arg = { .fd = fd };
	void *page = readonly_page(&arg, sizeof(arg));

	check_error(xioctl(drm, DRM_IOCTL_PRIME_FD_TO_HANDLE, page), EFAULT);
	check_ok(gem_import(drm, fd));
	close(drm);
	check_eq(settle_buffers(1), 1);
}

/* --- no fd left --- */

/**
 * SUBTEST: export-emfile
 * Description: A full table of fds gives EMFILE.
 */
static void export_emfile(void)
{
	int drm = open_device();
	uint32_t handle = check_ok(gem_create(drm, 1));
	unsigned int fds = count_fds();
	unsigned long limit = forbid_fds();
	int ret = gem_export(drm, handle, DRM_CLOEXEC);

	allow_fds(limit);
	check_error(ret, EMFILE);
	check_eq(count_fds(), fds);
}

/**
 * SUBTEST: export-emfile-leaves-no-buffer
 * Description: A first export that finds no fd leaves no dma-buf.
 */
static void export_emfile_leaves_no_buffer(void)
{
	int drm = open_device();
	uint32_t handle = check_ok(gem_create(drm, 1));
	unsigned long limit;
	int ret;

	need_unexported(drm);
	limit = forbid_fds();
	ret = gem_export(drm, handle, DRM_CLOEXEC);
	allow_fds(limit);
	check_error(ret, EMFILE);
	check_eq(settle_buffers(0), 0);
}

/**
 * SUBTEST: export-emfile-close-leaves-nothing
 * Description: When the handle is closed after the failure, nothing is left.
 */
static void export_emfile_close_leaves_nothing(void)
{
	int drm = open_device();

	for (int i = 0; i < 16; i++) {
		uint32_t handle = check_ok(gem_create(drm, 1));
		unsigned long limit = forbid_fds();
		int ret = gem_export(drm, handle, DRM_CLOEXEC);

		allow_fds(limit);
		check_error(ret, EMFILE);
		check_ok(gem_close(drm, handle));
	}
	check_eq(settle_buffers(0), 0);
}

/**
 * SUBTEST: export-emfile-keeps-references
 * Description: If the buffer was exported before, the failure neither drops a
 *  reference nor leaks one.
 */
static void export_emfile_keeps_references(void)
{
	int drm = open_device();
	uint32_t handle;
	int fd = make_dmabuf(drm, 1, &handle), ret = 0;
	char before[32], after[32];
	unsigned long limit;

	check(fdinfo(fd, "count", before, sizeof(before)));
	limit = forbid_fds();
	for (int i = 0; i < 8; i++)
		ret = gem_export(drm, handle, DRM_CLOEXEC);
	allow_fds(limit);
	check_error(ret, EMFILE);
	check(fdinfo(fd, "count", after, sizeof(after)));
	check_eq(atol(after), atol(before));
	check_eq(gem_import(drm, fd), handle);
}

/**
 * SUBTEST: export-emfile-then-retry
 * Description: When an fd is free again, the same handle can be exported.
 */
static void export_emfile_then_retry(void)
{
	int drm = open_device();
	uint32_t handle = check_ok(gem_create(drm, 1));
	unsigned long limit = forbid_fds();
	int ret = gem_export(drm, handle, DRM_CLOEXEC);

	allow_fds(limit);
	check_error(ret, EMFILE);
	check_eq(gem_import(drm, check_ok(gem_export(drm, handle, DRM_RDWR))),
		 handle);
}

/**
 * SUBTEST: import-needs-no-fd
 * Description: An import opens no file, so it works with a full table of fds.
 */
static void import_needs_no_fd(void)
{
	int drm = open_device(), other = open_other();
	uint32_t handle;
	int fd = make_dmabuf(drm, 1, &handle);
	unsigned long limit = forbid_fds();
	int64_t mine = gem_import(drm, fd), theirs = gem_import(other, fd);

	allow_fds(limit);
	check_eq(mine, handle);
	check_ok(theirs);
}

/* --- identity --- */

/**
 * SUBTEST: self-import
 * Description: FD_TO_HANDLE in the file that exported a buffer gives the same
 *  handle.
 */
static void self_import(void)
{
	int drm = open_device();
	uint32_t handle;
	int fd = make_dmabuf(drm, 1, &handle);

	for (int i = 0; i < 4; i++)
		check_eq(gem_import(drm, fd), handle);
}

/**
 * SUBTEST: double-import
 * Description: Two imports give one handle, which one close ends.
 */
static void double_import(void)
{
	int other = open_other(), fd = any_dmabuf(1);
	uint32_t handle = check_ok(gem_import(other, fd));

	check_eq(gem_import(other, fd), handle);
	check_eq(gem_import(other, dup(fd)), handle);
	check_ok(gem_close(other, handle));
	check_error(gem_close(other, handle), EINVAL);
	check_error(gem_export(other, handle, 0), ENOENT);
}

/**
 * SUBTEST: export-twice
 * Description: Exporting twice gives two fds of one dma-buf.
 */
static void export_twice(void)
{
	int drm = open_device();
	uint32_t handle;
	int first = make_dmabuf(drm, 1, &handle);
	int second = check_ok(gem_export(drm, handle, DRM_CLOEXEC | DRM_RDWR));

	check(first != second);
	check_eq(inode_of(first), inode_of(second));
	check_eq(count_buffers(), 1);
}

/**
 * SUBTEST: there-and-back
 * Description: A buffer is imported into another device and back, which gives the
 *  first handle. The importer's export is the exporter's own dma-buf.
 */
static void there_and_back(void)
{
	int drm = open_device(), other = open_other();
	uint32_t handle, theirs;
	int fd = make_dmabuf(drm, 1, &handle), back;

	theirs = check_ok(gem_import(other, fd));
	back = check_ok(gem_export(other, theirs, DRM_CLOEXEC | DRM_RDWR));
	check_eq(inode_of(back), inode_of(fd));
	check_eq(count_buffers(), 1);
	check_eq(gem_import(drm, back), handle);
	check_eq(gem_import(other, back), theirs);
}

/**
 * SUBTEST: there-and-back-without-the-fds
 * Description: The same when the first fd is closed before the import back, so that
 *  only the importer holds the dma-buf.
 */
static void there_and_back_without_the_fds(void)
{
	int drm = open_device(), other = open_other();
	uint32_t handle, theirs;
	int fd = make_dmabuf(drm, 1, &handle);

	theirs = check_ok(gem_import(other, fd));
	close(fd);
	fd = check_ok(gem_export(other, theirs, DRM_CLOEXEC));
	check_eq(gem_import(drm, fd), handle);
}

/**
 * SUBTEST: importer-outlives-exporter
 * Description: The importer keeps the content when the exporter has closed handle,
 *  fd and file. An import back then gives a new handle of the same dma-buf.
 */
static void importer_outlives_exporter(void)
{
	int drm = open_device(), other = open_other();
	uint32_t handle, theirs;
	int fd = make_dmabuf(drm, 1, &handle);
	uint64_t inode = inode_of(fd);
	uint32_t *map;

	need_mmap(fd);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(map != MAP_FAILED);
	map[7] = 0x12345678;
	munmap(map, PAGE);

	theirs = check_ok(gem_import(other, fd));
	check_ok(gem_close(drm, handle));
	close(fd);
	close(drm);
	check_eq(settle_buffers(1), 1);

	fd = check_ok(gem_export(other, theirs, DRM_CLOEXEC | DRM_RDWR));
	check_eq(inode_of(fd), inode);
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	check(map != MAP_FAILED);
	check_eq(map[7], 0x12345678);
	drm = open_device();
	check_ok(gem_import(drm, fd));
}

/**
 * SUBTEST: second-file-of-the-device
 * Description: Another file of the same device gets a handle of its own to the same
 *  object. An import back from it gives the first handle.
 */
static void second_file_of_the_device(void)
{
	int drm = open_device(), second = open_device(), fd, back;
	uint32_t handle, theirs;
	unsigned int before;

	check_ok(gem_create(second, 1));	/* so that numbers differ */
	before = count_buffers();
	fd = make_dmabuf(drm, 1, &handle);
	theirs = check_ok(gem_import(second, fd));
	back = check_ok(gem_export(second, theirs, DRM_CLOEXEC | DRM_RDWR));
	check_eq(inode_of(back), inode_of(fd));
	check_eq(gem_import(drm, back), handle);
	check_eq(count_buffers(), before + 1);
}

static int open_card(int number)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/dri/card%d", number);
	return open(path, O_RDWR | O_CLOEXEC);
}

static dev_t device_of(int drm)
{
	struct stat st;

	check_ok(fstat(drm, &st) ? -errno : 0);
	return st.st_rdev;
}

/* Does @exporter have two importers, and is @tested one of the three? */
static bool three_from(int exporter, dev_t tested, int drm[3])
{
	bool has_tested = device_of(exporter) == tested;
	int64_t made = gem_create(exporter, 1);
	int fd = made < 0 ? -1 : gem_export(exporter, made, DRM_CLOEXEC);
	int count = 1;

	drm[0] = exporter;
	for (int i = 0; fd >= 0 && i < 64 && count < 3; i++) {
		int card = open_card(i);
		int64_t got;

		if (card < 0)
			continue;
		got = device_of(card) == device_of(exporter) ? -1 :
		      gem_import(card, fd);
		if (got < 0) {
			close(card);
			continue;
		}
		gem_close(card, got);
		has_tested |= device_of(card) == tested;
		drm[count++] = card;
	}
	if (fd >= 0)
		close(fd);
	if (made > 0)
		gem_close(exporter, made);
	if (count == 3 && has_tested)
		return true;
	while (--count > 0)
		close(drm[count]);
	return false;
}

/* The device under test and two more, the first of them the exporter. */
static void open_three(int drm[3])
{
	int exporter = open_device();
	dev_t tested = device_of(exporter);

	for (int i = 0; i <= 64; i++) {
		if (exporter >= 0 && three_from(exporter, tested, drm))
			return;
		if (exporter >= 0)
			close(exporter);
		exporter = open_card(i);
	}
	prime_skip("no three devices, the one under test among them, of which one exports to the others");
}

/**
 * SUBTEST: three-devices
 * Description: A buffer goes from A to B, from B to C, and from C to A. It is one
 *  dma-buf with one inode at each step, with two attachments. Each file has one
 *  handle, which a second pass gives again, and A has the first handle. The buffer
 *  is freed when the last of the three has closed it, in any order.
 */
static void three_devices(void)
{
	for (int last = 0; last < 3; last++) {
		uint32_t handle[3];
		int drm[3], fd[3];

		open_three(drm);
		fd[0] = make_dmabuf(drm[0], 1, &handle[0]);
		for (int i = 1; i < 3; i++) {
			handle[i] = check_ok(gem_import(drm[i], fd[i - 1]));
			fd[i] = check_ok(gem_export(drm[i], handle[i],
						    DRM_CLOEXEC));
			check_eq(inode_of(fd[i]), inode_of(fd[0]));
		}
		check_eq(gem_import(drm[0], fd[2]), handle[0]);
		for (int i = 0; i < 9; i++)
			check_eq(gem_import(drm[i % 3], fd[i / 3]),
				 handle[i % 3]);
		check_eq(count_buffers(), 1);
		for (int i = 0; i < 3; i++)
			close(fd[i]);
		for (int i = 1; i < 3; i++)
			close(drm[(last + i) % 3]);
		check_eq(settle_buffers(1), 1);
		fd[0] = check_ok(gem_export(drm[last], handle[last],
					    DRM_CLOEXEC));
		check_eq(gem_import(drm[last], fd[0]), handle[last]);
		check_ok(gem_close(drm[last], handle[last]));
		close(fd[0]);
		check_eq(settle_buffers(0), 0);
		close(drm[last]);
	}
}

static void await_success(pid_t pid)
{
	int status;

	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFEXITED(status));
	check_eq(WEXITSTATUS(status), 0);
}

/**
 * SUBTEST: identity-over-processes
 * Description: A child that has the parent's device files by fork gets the parent's
 *  handles. In files of its own it gets handles of its own for the same dma-buf.
 *  When it ends, no handle of the parent is lost.
 */
static void identity_over_processes(void)
{
	int drm = open_device(), other = open_other();
	uint32_t handle, theirs;
	int fd = make_dmabuf(drm, 1, &handle);
	uint64_t inode = inode_of(fd);
	char before[32], after[32];

	theirs = check_ok(gem_import(other, fd));
	check(fdinfo(fd, "count", before, sizeof(before)));
	for (int shared = 0; shared < 2; shared++) {
		pid_t pid = fork();

		if (!pid) {
			int a = shared ? drm : open_device();
			int b = shared ? other : open_other();
			uint32_t ours = check_ok(gem_import(b, fd));
			int back = check_ok(gem_export(b, ours, DRM_CLOEXEC));

			check_eq(inode_of(back), inode);
			check_eq(gem_import(b, back), ours);
			check_ok(gem_import(a, back));
			if (shared) {
				check_eq(ours, theirs);
				check_eq(gem_import(a, back), handle);
			}
			_exit(0);
		}
		check(pid > 0);
		await_success(pid);
		check_eq(gem_import(drm, fd), handle);
		check_eq(gem_import(other, fd), theirs);
		check(fdinfo(fd, "count", after, sizeof(after)));
		check_eq(atol(after), atol(before));
		check_eq(count_buffers(), 1);
	}
}

/**
 * SUBTEST: identity-over-files
 * Description: Eight files of the importer have one handle of their own each,
 *  however often they import, and whichever file has exported the fd. Closing the
 *  handle of one file does not change the others.
 */
static void identity_over_files(void)
{
	enum { FILES = 8 };
	int drm = open_device(), file[FILES], back[FILES];
	uint32_t handle, theirs[FILES];
	int fd = make_dmabuf(drm, 1, &handle);

	for (int i = 0; i < FILES; i++) {
		file[i] = open_other();
		theirs[i] = check_ok(gem_import(file[i], fd));
		back[i] = check_ok(gem_export(file[i], theirs[i], DRM_CLOEXEC));
		check_eq(inode_of(back[i]), inode_of(fd));
	}
	for (int gone = 0; gone < FILES; gone++) {
		for (int i = gone; i < FILES; i++)
			for (int j = 0; j < FILES; j++)
				check_eq(gem_import(file[i], back[j]),
					 theirs[i]);
		check_eq(gem_import(drm, back[gone]), handle);
		check_ok(gem_close(file[gone], theirs[gone]));
	}
	check_eq(count_buffers(), 1);
}

/**
 * SUBTEST: render-node
 * Description: The device's render node imports and exports again what its card
 *  exports. There is one dma-buf and one handle, and an import back gives the card's
 *  own handle. A handle of the card is none on the render node.
 */
static void render_node(void)
{
	int card = open_device(), render = open_render_node(card), fd, back;
	uint32_t handle, theirs;

	check_ok(gem_create(card, 1));	/* so that numbers differ */
	fd = make_dmabuf(card, 1, &handle);
	check_error(gem_export(render, handle, 0), ENOENT);
	theirs = check_ok(gem_import(render, fd));
	check_eq(gem_import(render, fd), theirs);
	back = check_ok(gem_export(render, theirs, DRM_CLOEXEC | DRM_RDWR));
	check_eq(fcntl(back, F_GETFD), FD_CLOEXEC);
	check_eq(inode_of(back), inode_of(fd));
	check_eq(gem_import(card, back), handle);
	check_error(gem_export(render, theirs, 4), EINVAL);
	check_ok(gem_close(card, handle));
	close(fd);
	close(card);
	check_eq(gem_import(render, back), theirs);
	check_eq(count_buffers(), 1);
	check_ok(gem_close(render, theirs));
	close(back);
	check_eq(settle_buffers(0), 0);
}

/**
 * SUBTEST: reimport-after-close
 * Description: When the imported handle is closed, the file forgets it. The buffer
 *  can be imported again, many times, and nothing is left.
 */
static void reimport_after_close(void)
{
	int other = open_other(), fd = any_dmabuf(1);
	char before[32], after[32];

	check(fdinfo(fd, "count", before, sizeof(before)));
	for (int i = 0; i < 50; i++) {
		uint32_t handle = check_ok(gem_import(other, fd));

		check_eq(gem_import(other, fd), handle);
		check_ok(gem_close(other, handle));
	}
	check(fdinfo(fd, "count", after, sizeof(after)));
	check_eq(atol(after), atol(before));
}

/**
 * SUBTEST: handle-number-reused
 * Description: When a handle's number is given to a new buffer, neither the old nor
 *  the new dma-buf gives the other's handle.
 */
static void handle_number_reused(void)
{
	int drm = open_device();
	uint32_t handle, again, old;
	int fd = make_dmabuf(drm, 1, &handle), newer;

	check_ok(gem_close(drm, handle));
	again = check_ok(gem_create(drm, 1));
	check_eq(again, handle);
	old = check_ok(gem_import(drm, fd));
	check(old != again);
	newer = check_ok(gem_export(drm, again, DRM_CLOEXEC));
	check(inode_of(newer) != inode_of(fd));
	check_eq(gem_import(drm, newer), again);
	check_eq(gem_import(drm, fd), old);
}

/**
 * SUBTEST: many-buffers
 * Description: 300 buffers of one file keep their own handles, at export, at import,
 *  and while every third is closed.
 */
static void many_buffers(void)
{
	enum { COUNT = 300 };
	static uint32_t handle[COUNT];
	static int fd[COUNT];
	int drm = open_device();

	for (int i = 0; i < COUNT; i++)
		fd[i] = make_dmabuf(drm, 1, &handle[i]);
	for (int i = COUNT - 1; i >= 0; i--)
		check_eq(gem_import(drm, fd[i]), handle[i]);
	for (int i = 0; i < COUNT; i += 3)
		check_ok(gem_close(drm, handle[i]));
	for (int i = 0; i < COUNT; i++)
		if (i % 3)
			check_eq(gem_import(drm, fd[i]), handle[i]);
	for (int i = 0; i < COUNT; i += 3)
		check_ok(gem_import(drm, fd[i]));
}

/**
 * SUBTEST: content-over-devices
 * Description: What is written through the exporter is read through the importer's
 *  own export, on each page.
 */
static void content_over_devices(void)
{
	const size_t SIZE = 16 * PAGE;
	int drm = open_device(), other = open_other(), back;
	int fd = make_dmabuf(drm, 16, NULL);
	uint32_t *map, *seen;

	need_mmap(fd);
	back = check_ok(gem_export(other, check_ok(gem_import(other, fd)),
				   DRM_CLOEXEC | DRM_RDWR));
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	seen = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, back, 0);
	check(map != MAP_FAILED && seen != MAP_FAILED);
	check_ok(dmabuf_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE));
	for (unsigned int i = 0; i < SIZE / 4; i++)
		map[i] = i * 2654435761u;
	check_ok(dmabuf_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE));
	check_ok(dmabuf_sync(back, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	for (unsigned int i = 0; i < SIZE / 4; i++)
		check_eq(seen[i], i * 2654435761u);
	check_ok(dmabuf_sync(back, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
}

/**
 * SUBTEST: file-close-drops-all
 * Description: A DRM file with imports and exports is closed, and none of its
 *  handles before. Only what fds still hold is left.
 */
static void file_close_drops_all(void)
{
	int drm = open_device(), other = open_other(), kept = -1;

	for (int i = 0; i < 20; i++) {
		int fd = make_dmabuf(drm, 1, NULL);

		check_ok(gem_import(other, fd));
		if (i == 13)
			kept = fd;
		else
			close(fd);
	}
	check_eq(count_buffers(), 20);
	close(other);
	close(drm);
	check_eq(settle_buffers(1), 1);
	close(kept);
	check_eq(settle_buffers(0), 0);
}

/**
 * SUBTEST: handle-close-keeps-fd
 * Description: The fd keeps the buffer when its handle is closed, and the
 *  handle keeps it when the fd is closed.
 */
static void handle_close_keeps_fd(void)
{
	int drm = open_device();
	uint32_t handle;
	int fd = make_dmabuf(drm, 1, &handle);

	close(fd);
	fd = check_ok(gem_export(drm, handle, DRM_CLOEXEC));
	check_ok(gem_close(drm, handle));
	check_eq(count_buffers(), 1);
	check_ok(gem_import(drm, fd));
	close(fd);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(export_unknown_flags),
	SUBTEST(export_known_flags),
	SUBTEST(export_bad_handle),
	SUBTEST(export_foreign_handle),
	SUBTEST(export_closed_handle_of_live_buffer),
	SUBTEST(import_bad_fd),
	SUBTEST(import_other_file),
	SUBTEST(import_o_path),
	SUBTEST(import_unable_driver),
	SUBTEST(import_too_few_rights),
	SUBTEST(export_unreadable_argument),
	SUBTEST(export_efault),
	SUBTEST(export_efault_then_retry),
	SUBTEST(import_efault),
	SUBTEST(export_emfile),
	SUBTEST(export_emfile_leaves_no_buffer),
	SUBTEST(export_emfile_close_leaves_nothing),
	SUBTEST(export_emfile_keeps_references),
	SUBTEST(export_emfile_then_retry),
	SUBTEST(import_needs_no_fd),
	SUBTEST(self_import),
	SUBTEST(double_import),
	SUBTEST(export_twice),
	SUBTEST(there_and_back),
	SUBTEST(there_and_back_without_the_fds),
	SUBTEST(importer_outlives_exporter),
	SUBTEST(second_file_of_the_device),
	SUBTEST(three_devices),
	SUBTEST(identity_over_processes),
	SUBTEST(identity_over_files),
	SUBTEST(render_node),
	SUBTEST(reimport_after_close),
	SUBTEST(handle_number_reused),
	SUBTEST(many_buffers),
	SUBTEST(content_over_devices),
	SUBTEST(file_close_drops_all),
	SUBTEST(handle_close_keeps_fd),
};

PRIME_MAIN(subtests)
