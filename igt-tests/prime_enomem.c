// SPDX-License-Identifier: MIT
/**
 * TEST: prime enomem
 * Description: Memory runs out at each allocation of an operation in turn, for slab
 *  objects and for pages. The operation succeeds or gives ENOMEM, everything that
 *  can be counted is as before, and the next attempt succeeds. The kernel needs
 *  CONFIG_FAILSLAB and CONFIG_FAIL_PAGE_ALLOC.
 */
#include "lib/prime_test.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <linux/dma-buf-constraints.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <drm/prime_mock.h>

#define PAGES		8
#define SIZE		(PAGES * PAGE)
#define MANY		600	/* pollfds: more than poll() keeps on its stack */
#define TOO_MANY	3000	/* allocations in one operation */
#define DEBUGFS		"/sys/kernel/debug/"

/* What an operation works on; each step fills in what the next ones use. */
struct stage {
	int drm;		/* the device under test */
	int other;		/* an importer: a file of its own */
	uint32_t handle;	/* a buffer of drm */
	int fd;			/* its dma-buf, or one of another exporter */
	int extra[3];		/* a timeline, a heap, an epoll set, … */
	int64_t made;		/* what the operation made: fd or handle, or -1 */
	void *map;
	int error;		/* what the operation gave: 0 or a negative errno */
};

/* Only run() meets faults; prepare() and undo() are called after every run. */
struct operation {
	void (*prepare)(struct stage *s);
	int (*run)(struct stage *s);
	void (*undo)(struct stage *s);
	int also;		/* a second errno that it may give, or 0 */
	bool own_file;		/* the importer is a second file of the device */
	bool mock;		/* both are files of prime_mock */
};

/* --- injection: the n-th allocation of this thread fails --- */

static void knob(const char *path, const char *value)
{
	int ret = set_text(path, value);

	if (ret)
		prime_skip("%s: %s (root, CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC)",
			   path, strerror(-ret));
}

/* Every allocation may fail, silently; gives the file that says which one. */
static int faults_open(void)
{
	int fd;

	knob(DEBUGFS "failslab/ignore-gfp-wait", "N");
	knob(DEBUGFS "failslab/verbose", "0");
	knob(DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N");
	knob(DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N");
	knob(DEBUGFS "fail_page_alloc/min-order", "0");
	knob(DEBUGFS "fail_page_alloc/verbose", "0");
	fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	check(fd >= 0);
	return fd;
}

static void faults_arm(int faults, int nth)
{
	char text[16];
	int length = sprintf(text, "%d", nth);

	check_eq(pwrite(faults, text, length, 0), length);
}

/* True when the fault has happened. */
static bool faults_disarm(int faults)
{
	char text[16] = "";

	check(pread(faults, text, sizeof(text) - 1, 0) > 0);
	faults_arm(faults, 0);
	return atoi(text) == 0;
}

/* --- what must not change --- */

enum {
	FDS, BUFFERS, ATTACHMENTS, DRIVER, OTHER_DRIVER, HANDLE,
	OTHER_HANDLE, MOCK_OBJECTS, MOCK_IMPORTS, MOCK_FENCES, MOCK_PAIRS,
	COUNTS = MOCK_PAIRS + PRIME_MOCK_PAIRS
};

static const char *const count_names[COUNTS] = {
	"fds", "buffers", "attachments",
	"references to the driver", "references to the other driver",
	"the next handle", "the importer's next handle",
	"objects", "imports", "fences", "attached", "pinned", "mapped",
	"mapped in the kernel", "access begun", "exported",
};

struct counts {
	long is[COUNTS];
};

static long count_attachments(void)
{
	char *text = read_text(DEBUGFS "dma_buf/bufinfo");
	long count = 0;

	for (char *at = text; at && (at = strstr(at, "\nTotal ")); at++) {
		long n;
		int end = 0;

		if (sscanf(at, "\nTotal %ld devices attached%n", &n, &end) == 1 &&
		    end)
			count += n;
	}
	free(text);
	return count;
}

static long count_references(int drm)
{
	char path[128], *text;
	long count;

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", driver_name(drm));
	text = read_text(path);
	count = text ? atol(text) : -1;
	free(text);
	return count;
}

/* The lowest free one: a handle left behind takes its place. */
static long next_handle(int drm)
{
	int64_t handle = check_ok(gem_create(drm, 1));

	check_ok(gem_close(drm, handle));
	return handle;
}

/* All that the mock has opened and not closed. 0 for another driver. */
static void count_mock(int drm, struct counts *counts)
{
	struct drm_prime_mock_stats stats = { };

	if (strcmp(driver_name(drm), "prime_mock"))
		return;
	check_ok(xioctl(drm, DRM_IOCTL_PRIME_MOCK_STATS, &stats));
	counts->is[MOCK_OBJECTS] = stats.objects;
	counts->is[MOCK_IMPORTS] = stats.imports;
	counts->is[MOCK_FENCES] = stats.fences;
	for (int i = 0; i < PRIME_MOCK_PAIRS; i++)
		counts->is[MOCK_PAIRS + i] = stats.balance[i];
}

static struct counts count_all(struct stage *s)
{
	struct counts counts = { .is = {
		[FDS] = count_fds(),
		[BUFFERS] = count_buffers(),
		[ATTACHMENTS] = count_attachments(),
		[DRIVER] = count_references(s->drm),
		[OTHER_DRIVER] = count_references(s->other),
		[HANDLE] = next_handle(s->drm),
		[OTHER_HANDLE] = next_handle(s->other),
	} };

	count_mock(s->drm, &counts);
	return counts;
}

/* What a last close frees may come back a moment later. */
static void check_counts(struct stage *s, const struct counts *before,
			 int nth, const char *when)
{
	double end = now() + 3;
	struct counts after;

	do {
		after = count_all(s);
		if (!memcmp(before, &after, sizeof(after)))
			return;
		usleep(10000);
	} while (now() < end);

	for (int i = 0; i < COUNTS; i++)
		if (after.is[i] != before->is[i])
			prime_fail(__FILE__, __LINE__,
				   "allocation %d, %s: %s went from %ld to %ld",
				   nth, when, count_names[i], before->is[i],
				   after.is[i]);
}

/*
 * Exact, since the two writes empty the lists and counters of each processor. A machine that
 * others use keeps its page cache, and others' memory would be counted, so this gives 0 there.
 */
static long shmem_kb(void)
{
	if (getenv("PRIME_KEEP_SYSTEM"))
		return 0;
	check_ok(write_text("/proc/sys/vm/drop_caches", "1"));
	/* A kernel for one processor has no such file, and needs none. */
	if (access("/proc/sys/vm/stat_refresh", F_OK) == 0)
		check_ok(write_text("/proc/sys/vm/stat_refresh", "1"));
	return meminfo_kb("Shmem:");
}

/* --- the sweep --- */

static void stage_open(struct stage *s, const struct operation *op)
{
	*s = (struct stage){
		.drm = op->mock ? open_driver("prime_mock") : open_device(),
		.fd = -1, .extra = { -1, -1, -1 }, .made = -1, .map = MAP_FAILED,
	};
	s->other = op->mock ? open_driver("prime_mock") :
		   op->own_file ? open_device() : open_other();
}

static void stage_close(struct stage *s)
{
	for (int i = 0; i < 3; i++)
		if (s->extra[i] >= 0)
			close(s->extra[i]);
	if (s->fd >= 0)
		close(s->fd);
	close(s->other);
	close(s->drm);
}

/* The operation once more, without a fault, must succeed. */
static void try_again(struct stage *s, const struct operation *op, int nth)
{
	s->error = op->run(s);
	if (s->error)
		prime_fail(__FILE__, __LINE__,
			   "after the failure of allocation %d: %s", nth,
			   strerror(-s->error));
	op->undo(s);
}

/* False when the operation has no n-th allocation. */
static bool sweep_one(const struct operation *op, int faults, int nth,
		      bool *failed)
{
	struct counts before;
	struct stage s;
	bool injected;

	stage_open(&s, op);
	op->prepare(&s);
	before = count_all(&s);

	faults_arm(faults, nth);
	s.error = op->run(&s);
	injected = faults_disarm(faults);

	if (s.error && (!injected || (s.error != -ENOMEM && s.error != -op->also)))
		prime_fail(__FILE__, __LINE__, "allocation %d %s: %s", nth,
			   injected ? "failed" : "does not exist",
			   strerror(-s.error));
	*failed = s.error;
	op->undo(&s);
	check_counts(&s, &before, nth, "after it");
	try_again(&s, op, nth);
	check_counts(&s, &before, nth, "after the next attempt");
	stage_close(&s);
	return injected;
}

static void sweep(const struct operation *op)
{
	int faults = faults_open(), nth = 1, failures = 0;
	long shmem, lost;
	bool failed;

	/* The first run fills caches, and touches pages of this program. */
	sweep_one(op, faults, TOO_MANY, &failed);
	shmem = shmem_kb();
	while (sweep_one(op, faults, nth, &failed)) {
		failures += failed;
		nth++;
		check(nth < TOO_MANY);
	}
	printf("%d allocations, %d of them needed\n", nth - 1, failures);
	/* If nothing failed, nothing was tested. */
	check(failures > 0);
	lost = shmem_kb() - shmem;
	if (lost >= SIZE / 1024)
		prime_fail(__FILE__, __LINE__, "%ld KiB of buffers are lost",
			   lost);
}

#define SWEEP(prepare, run, undo, ...)					\
	sweep(&(struct operation){ prepare, run, undo, ##__VA_ARGS__ })

/* --- scenes --- */

static void prepare_nothing(struct stage *s)
{
	(void)s;
}

static void prepare_handle(struct stage *s)
{
	s->handle = check_ok(gem_create(s->drm, PAGES));
}

static void prepare_dmabuf(struct stage *s)
{
	s->fd = make_dmabuf(s->drm, PAGES, &s->handle);
}

static int udmabuf_create(void)
{
	struct udmabuf_create arg = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = SIZE };
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), memfd, ret;

	if (dev < 0)
		prime_skip("/dev/udmabuf: %s", strerror(errno));
	memfd = memfd_create("enomem", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	check_eq(ftruncate(memfd, SIZE), 0);
	check_eq(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	arg.memfd = memfd;
	ret = xioctl(dev, UDMABUF_CREATE, &arg);
	close(memfd);
	close(dev);
	return ret;
}

static void prepare_udmabuf(struct stage *s)
{
	s->fd = check_ok(udmabuf_create());
}

static int heap_alloc(int heap)
{
	struct dma_heap_allocation_data arg = {
		.len = SIZE, .fd_flags = O_RDWR | O_CLOEXEC,
	};
	int ret = xioctl(heap, DMA_HEAP_IOCTL_ALLOC, &arg);

	return ret < 0 ? ret : (int)arg.fd;
}

static int heap_open_path(const char *path)
{
	int heap = open(path, O_RDWR | O_CLOEXEC);

	if (heap < 0)
		prime_skip("%s: %s", path, strerror(errno));
	return heap;
}

static int heap_open(void)
{
	return heap_open_path("/dev/dma_heap/system");
}

static int negotiated_open(void)
{
	return heap_open_path("/dev/dma_heap/negotiated");
}

static void prepare_heap_buffer(struct stage *s)
{
	int heap = heap_open();

	s->fd = check_ok(heap_alloc(heap));
	close(heap);
}

/* A fence of a timeline of its own, so that it replaces no other one. */
static void add_fence(struct stage *s, int which, uint32_t way)
{
	int fence;

	s->extra[which] = sw_timeline();
	fence = sw_fence(s->extra[which], 1);
	check_ok(dmabuf_import_sync_file(s->fd, way, fence));
	close(fence);
}

static void prepare_fences(struct stage *s)
{
	prepare_dmabuf(s);
	add_fence(s, 0, DMA_BUF_SYNC_WRITE);
	add_fence(s, 1, DMA_BUF_SYNC_READ);
}

static void prepare_pending(struct stage *s)
{
	prepare_dmabuf(s);
	add_fence(s, 0, DMA_BUF_SYNC_WRITE);
}

/* Keeps what was made for undo(): 0 or a negative errno. */
static int keep(struct stage *s, int64_t made)
{
	s->made = made < 0 ? -1 : made;
	return made < 0 ? made : 0;
}

static void undo_nothing(struct stage *s)
{
	(void)s;
}

static void undo_fd(struct stage *s)
{
	if (s->made >= 0)
		check_eq(close(s->made), 0);
	s->made = -1;
}

static void undo_handle(struct stage *s)
{
	if (s->made >= 0)
		check_ok(gem_close(s->drm, s->made));
	s->made = -1;
}

static void undo_import(struct stage *s)
{
	if (s->made >= 0)
		check_ok(gem_close(s->other, s->made));
	s->made = -1;
}

static void undo_map(struct stage *s)
{
	if (s->map != MAP_FAILED)
		check_eq(munmap(s->map, SIZE), 0);
	s->map = MAP_FAILED;
}

/* --- handles: shmem answers ENOSPC when it gets no memory for an inode --- */

static int run_create(struct stage *s)
{
	return keep(s, gem_create(s->drm, PAGES));
}

/**
 * SUBTEST: create
 * Description: A buffer of the device is made completely or not at all.
 */
static void sweep_create(void)
{
	SWEEP(prepare_nothing, run_create, undo_handle, .also = ENOSPC);
}

static int run_create_close(struct stage *s)
{
	int64_t handle = gem_create(s->drm, PAGES);

	return handle < 0 ? handle : gem_close(s->drm, handle);
}

/**
 * SUBTEST: create-close
 * Description: Closing a handle does not need memory.
 */
static void sweep_create_close(void)
{
	SWEEP(prepare_nothing, run_create_close, undo_nothing, .also = ENOSPC);
}

static int run_flink_open(struct stage *s)
{
	int64_t name = gem_flink(s->drm, s->handle);

	return name < 0 ? name : keep(s, gem_open(s->other, name));
}

/**
 * SUBTEST: flink-open
 * Description: A buffer gets a name and is opened by it in another file.
 */
static void sweep_flink_open(void)
{
	SWEEP(prepare_handle, run_flink_open, undo_import, .own_file = true);
}

/* --- export --- */

/* The dma-buf lives until the handle is closed. */
static void undo_export(struct stage *s)
{
	undo_fd(s);
	check_ok(gem_close(s->drm, s->handle));
	prepare_handle(s);
}

static int run_export(struct stage *s)
{
	return keep(s, gem_export(s->drm, s->handle, DRM_CLOEXEC | DRM_RDWR));
}

/**
 * SUBTEST: export
 * Description: A handle is exported as a dma-buf, or is as before.
 */
static void sweep_export(void)
{
	SWEEP(prepare_handle, run_export, undo_export);
}

static int run_export_close(struct stage *s)
{
	int fd = gem_export(s->drm, s->handle, DRM_CLOEXEC | DRM_RDWR);

	return fd < 0 ? fd : close(fd) ? -errno : 0;
}

/**
 * SUBTEST: export-close
 * Description: The last close of a dma-buf does not need memory.
 */
static void sweep_export_close(void)
{
	SWEEP(prepare_handle, run_export_close, undo_export);
}

static void prepare_imported(struct stage *s)
{
	prepare_dmabuf(s);
	s->handle = check_ok(gem_import(s->other, s->fd));
	close(s->fd);
	s->fd = -1;
}

static int run_export_imported(struct stage *s)
{
	int fd = gem_export(s->other, s->handle, DRM_CLOEXEC | DRM_RDWR);
	int64_t handle;

	if (fd < 0)
		return fd;
	s->made = fd;
	/* A third file of the exporter gets it back. */
	handle = gem_import(s->extra[0], fd);
	return handle < 0 ? handle : gem_close(s->extra[0], handle);
}

static void prepare_there_and_back(struct stage *s)
{
	prepare_imported(s);
	s->extra[0] = open_device();
}

/**
 * SUBTEST: there-and-back
 * Description: An imported buffer is exported again, and imported into a new file of
 *  its exporter.
 */
static void sweep_there_and_back(void)
{
	SWEEP(prepare_there_and_back, run_export_imported, undo_fd);
}

static void prepare_heap(struct stage *s)
{
	s->extra[0] = heap_open();
}

static void prepare_negotiated_heap(struct stage *s)
{
	s->extra[0] = negotiated_open();
}

static int run_heap(struct stage *s)
{
	return keep(s, heap_alloc(s->extra[0]));
}

/**
 * SUBTEST: export-heap
 * Description: The system heap makes a dma-buf, or nothing.
 */
static void sweep_export_heap(void)
{
	SWEEP(prepare_heap, run_heap, undo_fd);
}

/**
 * SUBTEST: export-negotiated
 * Description: The heap of negotiated storage makes a dma-buf, or nothing.
 */
static void sweep_export_negotiated(void)
{
	SWEEP(prepare_negotiated_heap, run_heap, undo_fd);
}

/* --- import --- */

static int run_import(struct stage *s)
{
	return keep(s, gem_import(s->other, s->fd));
}

/**
 * SUBTEST: import-self
 * Description: A second file of the same device gets a handle.
 */
static void sweep_import_self(void)
{
	SWEEP(prepare_dmabuf, run_import, undo_import, .own_file = true);
}

/**
 * SUBTEST: import-foreign
 * Description: Another device attaches, maps and gets a handle.
 */
static void sweep_import_foreign(void)
{
	SWEEP(prepare_dmabuf, run_import, undo_import);
}

/**
 * SUBTEST: import-heap
 * Description: The same with a buffer of the system heap.
 */
static void sweep_import_heap(void)
{
	SWEEP(prepare_heap_buffer, run_import, undo_import);
}

/**
 * SUBTEST: import-udmabuf
 * Description: The same with a udmabuf.
 */
static void sweep_import_udmabuf(void)
{
	SWEEP(prepare_udmabuf, run_import, undo_import);
}

static int run_import_double(struct stage *s)
{
	int ret = keep(s, gem_import(s->other, s->fd));
	int64_t again;

	if (ret)
		return ret;
	again = gem_import(s->other, s->fd);
	if (again >= 0)
		check_eq(again, s->made);
	return again < 0 ? again : 0;
}

/**
 * SUBTEST: import-double
 * Description: Two imports give one handle, which a single close ends.
 */
static void sweep_import_double(void)
{
	SWEEP(prepare_dmabuf, run_import_double, undo_import);
}

static int run_import_close(struct stage *s)
{
	int64_t handle = gem_import(s->other, s->fd);

	return handle < 0 ? handle : gem_close(s->other, handle);
}

/**
 * SUBTEST: import-close
 * Description: Unmapping and detaching do not need memory.
 */
static void sweep_import_close(void)
{
	SWEEP(prepare_dmabuf, run_import_close, undo_nothing);
}

/* --- mappings --- */

static int map_fd(struct stage *s, int fd, off_t offset)
{
	s->map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      offset);
	return s->map == MAP_FAILED ? -errno : 0;
}

static int run_mmap(struct stage *s)
{
	return map_fd(s, s->fd, 0);
}

/**
 * SUBTEST: mmap
 * Description: A dma-buf of the device is mapped.
 */
static void sweep_mmap(void)
{
	SWEEP(prepare_dmabuf, run_mmap, undo_map);
}

/**
 * SUBTEST: mmap-heap
 * Description: A dma-buf of the system heap is mapped.
 */
static void sweep_mmap_heap(void)
{
	SWEEP(prepare_heap_buffer, run_mmap, undo_map);
}

/**
 * SUBTEST: mmap-udmabuf
 * Description: A udmabuf is mapped.
 */
static void sweep_mmap_udmabuf(void)
{
	SWEEP(prepare_udmabuf, run_mmap, undo_map);
}

/*
 * The kernel writes into each page of a new mapping, which faults it in. A
 * page fault without memory has no errno of its own: the copy gives EFAULT.
 */
static int run_fault(struct stage *s)
{
	int ret = map_fd(s, s->fd, 0);

	for (size_t at = 0; !ret && at < SIZE; at += PAGE)
		ret = fstat(s->fd, (void *)((char *)s->map + at)) ? -errno : 0;
	return ret;
}

/**
 * SUBTEST: fault
 * Description: The pages of a mapped dma-buf are faulted in.
 */
static void sweep_fault(void)
{
	SWEEP(prepare_dmabuf, run_fault, undo_map, .also = EFAULT);
}

/**
 * SUBTEST: fault-udmabuf
 * Description: The pages of a mapped udmabuf are faulted in.
 */
static void sweep_fault_udmabuf(void)
{
	SWEEP(prepare_udmabuf, run_fault, undo_map, .also = EFAULT);
}

/* --- CPU access, names, fences --- */

static int run_sync(struct stage *s)
{
	int ret = dmabuf_sync(s->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);

	return ret < 0 ? ret :
	       dmabuf_sync(s->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
}

static void undo_sync(struct stage *s)
{
	/* The first begin of access prepares a udmabuf for good. */
	close(s->fd);
	prepare_udmabuf(s);
}

/**
 * SUBTEST: sync
 * Description: CPU access begins and ends. After a begin that failed, nothing is
 *  begun. CVE-2022-50819: if udmabuf could not make a scatter list, it kept the
 *  error in place of the list. The last close took the error for a list and crashed.
 */
static void sweep_sync(void)
{
	SWEEP(prepare_udmabuf, run_sync, undo_sync);
}

static void prepare_named(struct stage *s)
{
	prepare_dmabuf(s);
	check_ok(dmabuf_set_name(s->fd, "before"));
}

static int run_name(struct stage *s)
{
	return dmabuf_set_name(s->fd, "after");
}

static void undo_name(struct stage *s)
{
	char name[64];

	check(fdinfo(s->fd, "name", name, sizeof(name)));
	check(!strcmp(name, s->error ? "before" : "after"));
	check_ok(dmabuf_set_name(s->fd, "before"));
}

/**
 * SUBTEST: set-name
 * Description: The buffer has its new name, or still the old one.
 */
static void sweep_set_name(void)
{
	SWEEP(prepare_named, run_name, undo_name);
}

static int run_export_sync_file(struct stage *s)
{
	return keep(s, dmabuf_export_sync_file(s->fd, DMA_BUF_SYNC_RW));
}

/**
 * SUBTEST: export-sync-file
 * Description: The fences of a reader and a writer become one sync file.
 */
static void sweep_export_sync_file(void)
{
	SWEEP(prepare_fences, run_export_sync_file, undo_fd);
}

/**
 * SUBTEST: export-sync-file-idle
 * Description: The same for a buffer without a fence.
 */
static void sweep_export_sync_file_idle(void)
{
	SWEEP(prepare_dmabuf, run_export_sync_file, undo_fd);
}

/* One sync file of two pending fences, for a buffer that has none. */
static void prepare_merged(struct stage *s)
{
	prepare_fences(s);
	s->extra[2] = check_ok(dmabuf_export_sync_file(s->fd, DMA_BUF_SYNC_RW));
	close(s->fd);
	s->fd = make_dmabuf(s->drm, PAGES, &s->handle);
}

static int run_import_sync_file(struct stage *s)
{
	return dmabuf_import_sync_file(s->fd, DMA_BUF_SYNC_WRITE,
				       s->extra[2]);
}

/* The buffer is busy if it took the fences, and idle otherwise. */
static void undo_import_sync_file(struct stage *s)
{
	check_eq(poll_events(s->fd, POLLIN, 0), s->error ? POLLIN : 0);
	close(s->fd);
	check_ok(gem_close(s->drm, s->handle));
	s->fd = make_dmabuf(s->drm, PAGES, &s->handle);
}

/**
 * SUBTEST: import-sync-file
 * Description: A buffer gets the fences of a sync file, all or none.
 */
static void sweep_import_sync_file(void)
{
	SWEEP(prepare_merged, run_import_sync_file, undo_import_sync_file);
}

/* --- waiting --- */

static int run_poll(struct stage *s)
{
	static struct pollfd polled[MANY];
	int ret;

	for (int i = 0; i < MANY; i++)
		polled[i] = (struct pollfd){ .fd = s->fd,
					     .events = POLLIN | POLLOUT };
	ret = poll(polled, MANY, 1);
	if (ret < 0)
		return -errno;
	check_eq(ret, 0);
	return 0;
}

static void undo_poll(struct stage *s)
{
	check_eq(poll_events(s->fd, POLLIN | POLLOUT, 0), 0);
	sw_advance(s->extra[0], 1);
	check_eq(poll_events(s->fd, POLLIN | POLLOUT, 1000), POLLIN | POLLOUT);
	close(s->extra[0]);
	add_fence(s, 0, DMA_BUF_SYNC_WRITE);
}

/**
 * SUBTEST: poll
 * Description: A busy buffer is polled by many entries of one poll(). After a
 *  failure it still wakes its pollers.
 */
static void sweep_poll(void)
{
	SWEEP(prepare_pending, run_poll, undo_poll);
}

static void prepare_epoll(struct stage *s)
{
	prepare_dmabuf(s);
	s->extra[0] = epoll_create1(EPOLL_CLOEXEC);
	check(s->extra[0] >= 0);
}

static int run_epoll(struct stage *s)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(s->extra[0], EPOLL_CTL_ADD, s->fd, &event) ? -errno : 0;
}

static void undo_epoll(struct stage *s)
{
	struct epoll_event event;

	check_eq(epoll_wait(s->extra[0], &event, 1, 0), s->error ? 0 : 1);
	if (!s->error)
		check_eq(epoll_ctl(s->extra[0], EPOLL_CTL_DEL, s->fd, NULL), 0);
}

/**
 * SUBTEST: epoll
 * Description: A buffer is added to an epoll set, or is not in it.
 */
static void sweep_epoll(void)
{
	SWEEP(prepare_epoll, run_epoll, undo_epoll);
}

/* --- what drivers do in the kernel, by prime_mock --- */

static void mock_dmabuf(struct stage *s, uint32_t flags)
{
	struct drm_prime_mock_create arg = { .size = SIZE, .flags = flags };

	check_ok(xioctl(s->drm, DRM_IOCTL_PRIME_MOCK_CREATE, &arg));
	s->handle = arg.handle;
	s->fd = check_ok(gem_export(s->drm, arg.handle, DRM_CLOEXEC | DRM_RDWR));
}

static int mock_attach(struct stage *s, uint32_t flags)
{
	struct drm_prime_mock_import arg = { .fd = s->fd, .flags = flags };
	int ret = xioctl(s->other, DRM_IOCTL_PRIME_MOCK_IMPORT, &arg);

	return keep(s, ret < 0 ? ret : (int64_t)arg.id);
}

static int mock_step(struct stage *s, uint32_t op)
{
	struct drm_prime_mock_step arg = { .id = s->made, .op = op };

	return xioctl(s->other, DRM_IOCTL_PRIME_MOCK_STEP, &arg);
}

/* Undoes the steps that were done, in the right order. */
static void mock_detach(struct stage *s)
{
	struct drm_prime_mock_query query = { .id = s->made };

	if (s->made < 0)
		return;
	check_ok(xioctl(s->other, DRM_IOCTL_PRIME_MOCK_QUERY, &query));
	if (query.vmaps)
		check_ok(mock_step(s, PRIME_MOCK_VUNMAP));
	if (query.state & PRIME_MOCK_IS_MAPPED)
		check_ok(mock_step(s, PRIME_MOCK_UNMAP));
	if (query.pins)
		check_ok(mock_step(s, PRIME_MOCK_UNPIN));
	check_ok(mock_step(s, PRIME_MOCK_DETACH));
	s->made = -1;
}

static void prepare_static(struct stage *s)
{
	mock_dmabuf(s, 0);
}

static void prepare_dynamic(struct stage *s)
{
	mock_dmabuf(s, PRIME_MOCK_DYNAMIC);
}

static void prepare_default(struct stage *s)
{
	mock_dmabuf(s, PRIME_MOCK_DEFAULT);
}

static int run_attach_static(struct stage *s)
{
	return mock_attach(s, 0);
}

/**
 * SUBTEST: mock-attach
 * Description: An importer attaches to an exporter that never moves.
 */
static void sweep_mock_attach(void)
{
	SWEEP(prepare_static, run_attach_static, mock_detach, .mock = true);
}

/**
 * SUBTEST: mock-attach-pinned
 * Description: An importer that does not follow moves attaches to an exporter that
 *  moves. Either the storage is pinned, or there is no attachment.
 */
static void sweep_mock_attach_pinned(void)
{
	SWEEP(prepare_dynamic, run_attach_static, mock_detach, .mock = true);
}

static int run_attach_dynamic(struct stage *s)
{
	return mock_attach(s, PRIME_MOCK_IMPORT_DYNAMIC);
}

/**
 * SUBTEST: mock-attach-dynamic
 * Description: An importer that follows moves attaches.
 */
static void sweep_mock_attach_dynamic(void)
{
	SWEEP(prepare_dynamic, run_attach_dynamic, mock_detach, .mock = true);
}

static int run_map_static(struct stage *s)
{
	int ret = mock_attach(s, 0);

	return ret ?: mock_step(s, PRIME_MOCK_MAP);
}

/**
 * SUBTEST: mock-map
 * Description: An importer attaches and maps.
 */
static void sweep_mock_map(void)
{
	SWEEP(prepare_static, run_map_static, mock_detach, .mock = true);
}

/**
 * SUBTEST: mock-map-default
 * Description: The same with the operations of drm_gem_prime_export().
 */
static void sweep_mock_map_default(void)
{
	SWEEP(prepare_default, run_map_static, mock_detach, .mock = true);
}

static int run_map_dynamic(struct stage *s)
{
	int ret = mock_attach(s, PRIME_MOCK_IMPORT_DYNAMIC);

	ret = ret ?: mock_step(s, PRIME_MOCK_PIN);
	return ret ?: mock_step(s, PRIME_MOCK_MAP);
}

/**
 * SUBTEST: mock-pin-map
 * Description: An importer that follows moves attaches, pins and maps.
 */
static void sweep_mock_pin_map(void)
{
	SWEEP(prepare_dynamic, run_map_dynamic, mock_detach, .mock = true);
}

static int run_vmap(struct stage *s)
{
	int ret = mock_attach(s, 0);

	return ret ?: mock_step(s, PRIME_MOCK_VMAP);
}

/**
 * SUBTEST: mock-vmap
 * Description: The kernel maps the buffer for itself.
 */
static void sweep_mock_vmap(void)
{
	SWEEP(prepare_static, run_vmap, mock_detach, .mock = true);
}

/* All steps and their undoing in one run. */
static int run_mock_all(struct stage *s)
{
	int ret = mock_attach(s, PRIME_MOCK_IMPORT_DYNAMIC);

	ret = ret ?: mock_step(s, PRIME_MOCK_PIN);
	ret = ret ?: mock_step(s, PRIME_MOCK_MAP);
	ret = ret ?: mock_step(s, PRIME_MOCK_VMAP);
	if (ret)
		return ret;
	mock_detach(s);
	return 0;
}

/**
 * SUBTEST: mock-all-and-back
 * Description: Attach, pin, map and vmap, and the undoing of each, which does not
 *  need memory.
 */
static void sweep_mock_all_and_back(void)
{
	SWEEP(prepare_dynamic, run_mock_all, mock_detach, .mock = true);
}

/* Storage that the operation places. */
static void prepare_negotiated(struct stage *s)
{
	int heap = negotiated_open();

	s->fd = check_ok(heap_alloc(heap));
	close(heap);
}

/**
 * SUBTEST: mock-map-negotiated
 * Description: An importer attaches and maps a buffer, which places the storage.
 */
static void sweep_mock_map_negotiated(void)
{
	SWEEP(prepare_negotiated, run_map_static, mock_detach, .mock = true);
}

/**
 * SUBTEST: mock-vmap-negotiated
 * Description: The kernel maps such a buffer for itself.
 */
static void sweep_mock_vmap_negotiated(void)
{
	SWEEP(prepare_negotiated, run_vmap, mock_detach, .mock = true);
}

static void prepare_foreign_to_mock(struct stage *s)
{
	int drm = open_device();

	s->fd = make_dmabuf(drm, PAGES, NULL);
	close(drm);
}

/**
 * SUBTEST: mock-import
 * Description: FD_TO_HANDLE of the mock for a buffer of the device under test.
 */
static void sweep_mock_import(void)
{
	SWEEP(prepare_foreign_to_mock, run_import, undo_import, .mock = true);
}

static int run_try(struct stage *s)
{
	struct dma_buf_try_device arg = { .device_fd = s->other };
	int ret = xioctl(s->fd, DMA_BUF_IOCTL_TRY_DEVICE, &arg);

	if (ret == -ENOTTY)
		prime_skip("the kernel can't try devices (CONFIG_DRM_PRIME_TRY_DEVICE)");
	return ret;
}

/**
 * SUBTEST: try-device
 * Description: Whether another device would take the buffer is tried, and nothing stays.
 */
static void sweep_try_device(void)
{
	SWEEP(prepare_dmabuf, run_try, undo_nothing);
}

static int device_request(struct stage *s, unsigned long request, uint32_t use)
{
	struct dma_buf_device_use arg = { .device_fd = s->other, .use = use };

	return xioctl(s->fd, request, &arg);
}

static int run_add_device(struct stage *s)
{
	return device_request(s, DMA_BUF_IOCTL_ADD_DEVICE, DMA_BUF_USE_READ);
}

static void undo_add_device(struct stage *s)
{
	check_eq(device_request(s, DMA_BUF_IOCTL_REMOVE_DEVICE, 0), s->error ? -ENOENT : 0);
}

/**
 * SUBTEST: add-device
 * Description: A device is announced for a buffer of the heap negotiated. On 6.12 the kernel
 *  learns which device it is by an import of a buffer of its own.
 */
static void sweep_add_device(void)
{
	SWEEP(prepare_negotiated, run_add_device, undo_add_device);
}

static int run_holders(struct stage *s)
{
	int fd = open(DEBUGFS "dma_buf/holders", O_RDONLY | O_CLOEXEC), ret = -errno;
	char text[4096];
	ssize_t n;

	(void)s;
	if (fd < 0)
		return ret;
	while ((n = read(fd, text, sizeof(text))) > 0)
		;
	ret = n < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/**
 * SUBTEST: holders
 * Description: Root reads who holds the buffers, or is told that there is no memory.
 */
static void sweep_holders(void)
{
	if (access(DEBUGFS "dma_buf/holders", F_OK))
		prime_skip("the kernel lists no holders (CONFIG_DRM_PRIME_ACCOUNT)");
	SWEEP(prepare_imported, run_holders, undo_nothing);
}

static int run_mock_fence(struct stage *s)
{
	struct drm_prime_mock_fence arg = {
		.fd = s->fd, .usage = PRIME_MOCK_USAGE_WRITE,
	};
	int ret = xioctl(s->drm, DRM_IOCTL_PRIME_MOCK_FENCE, &arg);

	return keep(s, ret < 0 ? ret : (int64_t)arg.id);
}

static void undo_mock_fence(struct stage *s)
{
	struct drm_prime_mock_signal arg = { .id = s->made };

	check_eq(poll_events(s->fd, POLLIN, 0), s->error ? POLLIN : 0);
	if (s->made >= 0)
		check_ok(xioctl(s->drm, DRM_IOCTL_PRIME_MOCK_SIGNAL, &arg));
	s->made = -1;
	/* A buffer holds its fences, and a fence its driver. */
	close(s->fd);
	check_ok(gem_close(s->drm, s->handle));
	prepare_static(s);
}

/**
 * SUBTEST: mock-fence
 * Description: A driver puts a fence on the buffer, or the buffer stays idle.
 */
static void sweep_mock_fence(void)
{
	SWEEP(prepare_static, run_mock_fence, undo_mock_fence, .mock = true);
}

static const struct prime_subtest tests[] = {
	{ "create", sweep_create },
	{ "create_close", sweep_create_close },
	{ "flink_open", sweep_flink_open },
	{ "export", sweep_export },
	{ "export_close", sweep_export_close },
	{ "there_and_back", sweep_there_and_back },
	{ "export_heap", sweep_export_heap },
	{ "export_negotiated", sweep_export_negotiated },
	{ "import_self", sweep_import_self },
	{ "import_foreign", sweep_import_foreign },
	{ "import_heap", sweep_import_heap },
	{ "import_udmabuf", sweep_import_udmabuf },
	{ "import_double", sweep_import_double },
	{ "import_close", sweep_import_close },
	{ "mmap", sweep_mmap },
	{ "mmap_heap", sweep_mmap_heap },
	{ "mmap_udmabuf", sweep_mmap_udmabuf },
	{ "fault", sweep_fault },
	{ "fault_udmabuf", sweep_fault_udmabuf },
	{ "sync", sweep_sync },
	{ "set_name", sweep_set_name },
	{ "export_sync_file", sweep_export_sync_file },
	{ "export_sync_file_idle", sweep_export_sync_file_idle },
	{ "import_sync_file", sweep_import_sync_file },
	{ "poll", sweep_poll },
	{ "epoll", sweep_epoll },
	{ "mock_attach", sweep_mock_attach },
	{ "mock_attach_pinned", sweep_mock_attach_pinned },
	{ "mock_attach_dynamic", sweep_mock_attach_dynamic },
	{ "mock_map", sweep_mock_map },
	{ "mock_map_default", sweep_mock_map_default },
	{ "mock_pin_map", sweep_mock_pin_map },
	{ "mock_vmap", sweep_mock_vmap },
	{ "mock_map_negotiated", sweep_mock_map_negotiated },
	{ "mock_vmap_negotiated", sweep_mock_vmap_negotiated },
	{ "mock_all_and_back", sweep_mock_all_and_back },
	{ "mock_import", sweep_mock_import },
	{ "mock_fence", sweep_mock_fence },
	{ "try_device", sweep_try_device },
	{ "add_device", sweep_add_device },
	{ "holders", sweep_holders },
};

PRIME_MAIN(tests)
