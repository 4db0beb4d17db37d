// SPDX-License-Identifier: MIT
/**
 * TEST: dmabuf negotiated
 * Description: Buffers of the dma-heap "negotiated" and of prime_late, whose storage
 *  is placed late: when and where it is placed, when it moves, what a commit does,
 *  what a refusal says, and what limits it. The importers are prime_mock's. Kernels
 *  without the layer have no such buffers.
 */
#include "lib/prime_cgroup.h"
#include "lib/prime_memory.h"
#include "lib/prime_mock.h"
#include "lib/prime_v4l2.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <linux/dma-buf-constraints.h>
#include <libdrm/drm_mode.h>

#define SIZE	(1u << 20)
#define LOW	24	/* bits of a device that reaches very little */

static uint64_t mask_of(unsigned int bits)
{
	return bits == 64 ? UINT64_MAX : (1ull << bits) - 1;
}

/* --- buffers --- */

static int heap(void)
{
	int fd = heap_open("negotiated");

	if (fd < 0)
		prime_skip("no heap negotiated: %s (CONFIG_DMABUF_HEAPS_NEGOTIATED)",
			   strerror(-fd));
	return fd;
}

static int buffer(uint64_t size)
{
	int from = heap(), fd = check_ok(heap_alloc(from, size,
						    O_RDWR | O_CLOEXEC, 0));

	close(from);
	return fd;
}

static struct dma_buf_storage_info storage(int fd)
{
	struct dma_buf_storage_info info = { };

	check_ok(xioctl(fd, DMA_BUF_IOCTL_GET_STORAGE, &info));
	return info;
}

static bool placed(int fd)
{
	return storage(fd).flags & DMA_BUF_STORAGE_PLACED;
}

static struct dma_buf_refusal refusal(int fd)
{
	struct dma_buf_refusal why = { };

	check_ok(xioctl(fd, DMA_BUF_IOCTL_GET_REFUSAL, &why));
	return why;
}

static int add_device(int fd, int device)
{
	struct dma_buf_device_use arg = {
		.device_fd = device, .use = DMA_BUF_USE_READ | DMA_BUF_USE_WRITE,
	};

	return xioctl(fd, DMA_BUF_IOCTL_ADD_DEVICE, &arg);
}

static int remove_device(int fd, int device)
{
	struct dma_buf_device_use arg = { .device_fd = device };

	return xioctl(fd, DMA_BUF_IOCTL_REMOVE_DEVICE, &arg);
}

static struct dma_buf_commit committed;

/* What it said is in @committed. */
static int commit(int fd, uint64_t size)
{
	committed = (struct dma_buf_commit){ .size = size };
	return xioctl(fd, DMA_BUF_IOCTL_COMMIT, &committed);
}

/* --- devices --- */

static int importer(unsigned int index, struct drm_prime_mock_limits limits)
{
	int mock = mock_open(index);

	check_ok(mock_limits(mock, limits));
	return mock;
}

static int importer_any(unsigned int index)
{
	return importer(index, MOCK_NO_LIMITS);
}

static int importer_below(unsigned int index, unsigned int bits)
{
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;

	limits.dma_bits = bits;
	return importer(index, limits);
}

static uint32_t map_now(int mock, int fd)
{
	uint32_t id = check_ok(mock_attach(mock, fd, 0));

	check_ok(mock_map(mock, id, PRIME_MOCK_BIDIRECTIONAL));
	return id;
}

static void unmap_now(int mock, uint32_t id)
{
	check_ok(mock_step(mock, id, PRIME_MOCK_UNMAP));
	check_ok(mock_step(mock, id, PRIME_MOCK_DETACH));
}

/* All bytes of the buffer, as the device reads them by its addresses. */
static size_t seen(int mock, uint32_t id, size_t size, uint32_t seed)
{
	uint8_t *bytes = malloc(size);
	size_t same;

	check(bytes);
	check_ok(mock_read(mock, id, 0, 0, bytes, size));
	same = filled(bytes, size, seed);
	free(bytes);
	return same;
}

static struct drm_prime_mock_segment *segments(int mock, uint32_t id, int64_t *count)
{
	struct drm_prime_mock_segment *list;

	*count = check_ok(mock_query(mock, id, 0, NULL, NULL, 0));
	list = calloc(*count, sizeof(*list));
	check(list);
	check_eq(mock_query(mock, id, 0, NULL, list, *count), *count);
	return list;
}

static void check_below(int mock, uint32_t id, unsigned int bits)
{
	int64_t count;
	struct drm_prime_mock_segment *list = segments(mock, id, &count);

	for (int64_t i = 0; i < count; i++)
		check(list[i].address + list[i].length - 1 <= mask_of(bits));
	free(list);
}

/* example: program */
/* A buffer that all of the devices can use, or a negative errno. */
static int shared_buffer(int heap, uint64_t size, const int *devices, int count)
{
	int fd = heap_alloc(heap, 1, O_RDWR | O_CLOEXEC, 0), error = 0;
	struct dma_buf_commit commit = { .size = size };
	struct dma_buf_device_use use = { };

	if (fd < 0)
		return fd;
	for (int i = 0; i < count && !error; i++) {
		use.device_fd = devices[i];
		use.use = DMA_BUF_USE_READ | DMA_BUF_USE_WRITE;
		if (ioctl(fd, DMA_BUF_IOCTL_ADD_DEVICE, &use))
			error = errno;
	}
	if (error) {
		fprintf(stderr, "%s: field %u: wants %#llx, not %#llx\n",
			use.device, use.field, (unsigned long long)use.wanted,
			(unsigned long long)use.found);
	} else if (ioctl(fd, DMA_BUF_IOCTL_COMMIT, &commit)) {
		error = errno;
		fprintf(stderr, "%s: field %u: wants %#llx, not %#llx\n",
			commit.device, commit.field,
			(unsigned long long)commit.wanted,
			(unsigned long long)commit.found);
	}
	if (!error)
		return fd;
	close(fd);
	return -error;
}

/* example: end */

/**
 * SUBTEST: shared-by-all
 * Description: Two devices are added and then map one buffer. Each sees what was
 *  written. If no storage suits all devices, there is no buffer.
 */
static void shared_by_all(void)
{
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;
	int mock[2] = { importer_below(0, 28) };
	uint32_t id[2];
	int fd;

	limits.max_segments = 1;
	mock[1] = importer(1, limits);
	fd = check_ok(shared_buffer(heap(), SIZE, mock, 2));
	id[0] = map_now(mock[0], fd);
	id[1] = map_now(mock[1], fd);
	fill_dmabuf(fd, SIZE, 1);
	check_below(mock[1], id[1], 28);
	check_eq(seen(mock[0], id[0], SIZE, 1), SIZE);
	check_eq(seen(mock[1], id[1], SIZE, 1), SIZE);
	unmap_now(mock[0], id[0]);
	unmap_now(mock[1], id[1]);

	limits.max_segment_size = SIZE / 2;
	check_ok(mock_limits(mock[1], limits));
	check_error(shared_buffer(heap(), SIZE, mock, 2), EBUSY);
}

/* --- when storage is placed --- */

/**
 * SUBTEST: no-storage-before-use
 * Description: A new buffer has a size and no storage, and costs no memory. Mapping
 *  it without an access, attaching it, or SYNC does not change that.
 */
static void no_storage_before_use(void)
{
	enum { BUFFERS = 16, EACH = 16 << 20 };
	int fd[BUFFERS], mock = importer_any(0);
	long before = meminfo_kb("MemFree:");
	struct dma_buf_storage_info info;

	for (int i = 0; i < BUFFERS; i++) {
		fd[i] = buffer(EACH);
		map_dmabuf(fd[i], EACH);
		check_ok(mock_attach(mock, fd[i], 0));
		check_ok(dmabuf_sync(fd[i], DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
		check_ok(dmabuf_sync(fd[i], DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
		info = storage(fd[i]);
		check_eq(info.flags, 0);
		check_eq(info.reach, 0);
		check_eq(info.segments, 0);
		check_eq(info.size, EACH);
		check(!strcmp(info.exporter, "negotiated"));
		check_eq(refusal(fd[i]).field, DMA_BUF_FIELD_NONE);
	}
	check(before - meminfo_kb("MemFree:") < EACH / 1024);
}

/**
 * SUBTEST: placed-at-fault
 * Description: The first access through a mapping places all of the storage, zeroed.
 *  Another mapping shows what is written through the first one.
 */
static void placed_at_fault(void)
{
	int fd = buffer(SIZE);
	uint8_t *a = map_dmabuf(fd, SIZE), *b = map_dmabuf(fd, SIZE);

	check(!placed(fd));
	check_eq(a[SIZE - 1], 0);
	check(placed(fd));
	check(storage(fd).segments > 0 && storage(fd).largest > 0);
	check_eq(storage(fd).size, SIZE);
	check_eq(filled_byte(a, SIZE, 0), SIZE);
	fill(a, SIZE, 1);
	check_eq(filled(b, SIZE, 1), SIZE);
	unmap(a, SIZE);
	check_eq(filled(b, SIZE, 1), SIZE);
}

/**
 * SUBTEST: placed-at-import
 * Description: A device that maps the buffer places the storage, which stays when the
 *  mapping ends. The device and the processor see each other's bytes.
 */
static void placed_at_import(void)
{
	int fd = buffer(SIZE), mock = importer_any(0);
	uint8_t *bytes = malloc(SIZE);
	uint32_t id = map_now(mock, fd);

	check(bytes);
	check(placed(fd));
	fill_dmabuf(fd, SIZE, 2);
	check_eq(seen(mock, id, SIZE, 2), SIZE);
	fill(bytes, SIZE, 3);
	check_ok(mock_write(mock, id, 0, 0, bytes, SIZE));
	check_eq(filled_dmabuf(fd, SIZE, 3), SIZE);
	unmap_now(mock, id);
	check(placed(fd));
}

/* --- where --- */

/**
 * SUBTEST: below-the-mask
 * Description: For devices with 32, 28 and 24 address bits, the device reaches every
 *  address of the list.
 */
static void below_the_mask(void)
{
	static const unsigned int bits[] = { 32, 28, LOW };

	for (int i = 0; i < 3; i++) {
		int fd = buffer(SIZE), mock = importer_below(0, bits[i]);
		uint32_t id = map_now(mock, fd);

		check_below(mock, id, bits[i]);
		fill_dmabuf(fd, SIZE, i);
		check_eq(seen(mock, id, SIZE, i), SIZE);
		unmap_now(mock, id);
		close(mock);
		close(fd);
	}
}

/**
 * SUBTEST: every-limit
 * Description: A device accepts its list, whatever its limits are: one segment,
 *  short segments, a boundary, or several of these, also with 28 address bits.
 */
static void every_limit(void)
{
	static const struct drm_prime_mock_limits limits[] = {
		{ 64, 0, 0xffffffff, 1, ~0ull },
		{ 64, 0, 65536, 0, ~0ull },
		{ 64, 0, 0xffffffff, 0, (4 << 20) - 1 },
		{ 64, 0, 65536, 0, 65535 },
		{ 28, 0, 0xffffffff, 1, (16 << 20) - 1 },
		{ 28, 0, 1 << 20, 12, (4 << 20) - 1 },
	};
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		/* A long run of low memory is not always available. */
		bool scarce = limits[i].dma_bits < 32 &&
			      limits[i].max_segments == 1;
		const size_t size = scarce ? 2 << 20 : 10 << 20;
		int fd = buffer(size), mock = importer(0, limits[i]);
		uint32_t id;

		printf("limits %zu\n", i);
		id = map_now(mock, fd);
		fill_dmabuf(fd, size, i);
		check_eq(seen(mock, id, size, i), size);
		unmap_now(mock, id);
		close(mock);
		close(fd);
	}
}

/**
 * SUBTEST: announced
 * Description: A device that is added before the first use decides where the storage
 *  is placed, even if another one uses it first. Nothing moves later.
 */
static void announced(void)
{
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;
	int fd = buffer(SIZE), any = importer_any(0), low;
	uint32_t a, b;

	limits.dma_bits = LOW;
	limits.max_segments = 1;
	low = importer(1, limits);
	check_ok(add_device(fd, low));
	check(!placed(fd));
	a = map_now(any, fd);
	check_below(any, a, LOW);
	check_eq(storage(fd).segments, 1);
	check(storage(fd).reach <= mask_of(LOW));
	b = map_now(low, fd);
	fill_dmabuf(fd, SIZE, 4);
	check_eq(seen(low, b, SIZE, 4), SIZE);
	check_eq(seen(any, a, SIZE, 4), SIZE);
	unmap_now(low, b);
	unmap_now(any, a);
}

/**
 * SUBTEST: announced-m2m
 * Description: A node of V4L2 without a queue of its own stands for the device
 *  behind it.
 */
static void announced_m2m(void)
{
	int fd = buffer(SIZE), m2m = v4l2_open(V4L2_MEM2MEM, false);
	struct dma_buf_constraints_info info;

	check_ok(add_device(fd, m2m));
	check_ok(xioctl(fd, DMA_BUF_IOCTL_GET_CONSTRAINTS, &info));
	check_eq(info.devices, 1);
}

/* --- moves --- */

/* Storage out of reach of @low, @size bytes long, filled with seed 5. */
static int high_buffer(size_t size)
{
	int fd = buffer(size);

	fill_dmabuf(fd, size, 5);
	if (storage(fd).reach <= mask_of(LOW))
		prime_skip("memory is low anyway");
	return fd;
}

/**
 * SUBTEST: move-keeps-content
 * Description: Storage that the processor has placed moves for a device that
 *  does not reach it. A mapping made before shows the same bytes, and what is
 *  written there after the move reaches the device.
 */
static void move_keeps_content(void)
{
	int fd = high_buffer(SIZE), low = importer_below(0, LOW);
	uint8_t *memory = map_dmabuf(fd, SIZE);
	uint32_t id;

	check_eq(filled(memory, SIZE, 5), SIZE);
	id = map_now(low, fd);
	check_below(low, id, LOW);
	check(storage(fd).reach <= mask_of(LOW));
	check_eq(seen(low, id, SIZE, 5), SIZE);
	check_eq(filled(memory, SIZE, 5), SIZE);
	fill(memory, SIZE, 6);
	check_eq(seen(low, id, SIZE, 6), SIZE);
	unmap_now(low, id);
}

/**
 * SUBTEST: move-of-followers
 * Description: Where the kernel lets importers follow moves
 *  (CONFIG_DMABUF_MOVE_NOTIFY), such an importer is told, and sees the same bytes
 *  at the new place. On other kernels the second device gets EBUSY.
 */
static void move_of_followers(void)
{
	int fd = high_buffer(SIZE), any = importer_any(0);
	int low = importer_below(1, LOW);
	struct drm_prime_mock_query query;
	uint32_t a, b;
	int64_t ret;

	a = check_ok(mock_attach(any, fd, PRIME_MOCK_IMPORT_DYNAMIC));
	check_ok(mock_map(any, a, PRIME_MOCK_BIDIRECTIONAL));
	ret = mock_attach(low, fd, 0);
	if (ret < 0) {
		check_error(ret, EBUSY);
		check_eq(refusal(fd).field, DMA_BUF_FIELD_DMA_MASK);
		return;
	}
	b = ret;
	check_ok(mock_map(low, b, PRIME_MOCK_BIDIRECTIONAL));
	check_ok(mock_query(any, a, 0, &query, NULL, 0));
	check_eq(query.notified, 1);
	check(query.state & PRIME_MOCK_IS_STALE);
	check_eq(seen(low, b, SIZE, 5), SIZE);
	check_ok(mock_step(any, a, PRIME_MOCK_UNMAP));
	check_ok(mock_map(any, a, PRIME_MOCK_BIDIRECTIONAL));
	check_below(any, a, LOW);
	check_eq(seen(any, a, SIZE, 5), SIZE);
	unmap_now(low, b);
	unmap_now(any, a);
}

/* --- refusals --- */

static void check_refusal(int fd, uint32_t field, uint64_t wanted, const char *device)
{
	struct dma_buf_refusal why = refusal(fd);

	check_eq(why.field, field);
	check_eq(why.wanted, wanted);
	check(why.found != wanted);
	check(!strcmp(why.device, device));
}

/**
 * SUBTEST: busy-while-mapped
 * Description: While a device has the storage mapped, a device that does not reach
 *  it gets EBUSY, at import and when it is added. The refusal tells its name, the
 *  field and what it wants. Afterwards the device is accepted.
 */
static void busy_while_mapped(void)
{
	int fd = high_buffer(SIZE), any = importer_any(0);
	int low = importer_below(1, LOW);
	uint32_t id = map_now(any, fd);

	check_error(mock_attach(low, fd, 0), EBUSY);
	check_refusal(fd, DMA_BUF_FIELD_DMA_MASK, mask_of(LOW), "prime_mock.1");
	check_error(add_device(fd, low), EBUSY);
	check_eq(seen(any, id, SIZE, 5), SIZE);
	unmap_now(any, id);
	check_ok(add_device(fd, low));
	id = map_now(low, fd);
	check_eq(seen(low, id, SIZE, 5), SIZE);
	unmap_now(low, id);
}

/**
 * SUBTEST: conflict-told-when-added
 * Description: A device that no storage of this size suits is refused when it is
 *  added, before there is storage. The other devices still work.
 */
static void conflict_told_when_added(void)
{
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;
	int fd = buffer(SIZE), any = importer_any(0), narrow;
	uint32_t id;

	limits.max_segment_size = 65536;
	limits.max_segments = 4;
	narrow = importer(1, limits);
	check_ok(add_device(fd, any));
	check_error(add_device(fd, narrow), EBUSY);
	check_refusal(fd, DMA_BUF_FIELD_MAX_SEGMENTS, 4, "prime_mock.1");
	check_error(mock_attach(narrow, fd, 0), EBUSY);
	check(!placed(fd));
	id = map_now(any, fd);
	unmap_now(any, id);
}

/**
 * SUBTEST: read-only
 * Description: With a descriptor for reading, a program may ask for the constraints.
 *  It may not announce a device (EACCES), since that decides where the storage is
 *  placed.
 */
static void read_only(void)
{
	int from = heap(), mock = importer_any(0);
	int fd = check_ok(heap_alloc(from, SIZE, O_RDONLY | O_CLOEXEC, 0));
	struct dma_buf_constraints_info info = { };

	check_error(add_device(fd, mock), EACCES);
	check_ok(xioctl(fd, DMA_BUF_IOCTL_GET_CONSTRAINTS, &info));
	check_eq(info.devices, 0);
	check(!placed(fd));
}

/**
 * SUBTEST: sizes
 * Description: A size of 0 gives EINVAL, and one above the machine's memory ENOMEM.
 *  Other sizes are rounded up to pages.
 */
static void sizes(void)
{
	uint64_t all = (uint64_t)meminfo_kb("MemTotal:") * 1024;
	int from = heap(), fd;

	check_error(heap_alloc(from, 0, O_RDWR, 0), EINVAL);
	check_error(heap_alloc(from, 2 * all, O_RDWR, 0), ENOMEM);
	check_error(heap_alloc(from, 1ull << 50, O_RDWR, 0), ENOMEM);
	fd = check_ok(heap_alloc(from, PAGE + 1, O_RDWR, 0));
	check_eq(size_of(fd), 2 * PAGE);
}

/**
 * SUBTEST: private-mapping
 * Description: A private mapping that may be written gives EINVAL.
 */
static void private_mapping(void)
{
	int fd = buffer(SIZE);

	check(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) ==
	      MAP_FAILED);
	check_eq(errno, EINVAL);
}

/* A dumb buffer of prime_late, as dma-buf; its offset for mmap of @drm. */
static int late_buffer(int drm, uint64_t *offset)
{
	struct drm_mode_create_dumb make = {
		.width = 512, .height = 512, .bpp = 32,
	};
	struct drm_mode_map_dumb map = { };
	int fd;

	check_ok(xioctl(drm, DRM_IOCTL_MODE_CREATE_DUMB, &make));
	check_eq(make.size, SIZE);
	map.handle = make.handle;
	check_ok(xioctl(drm, DRM_IOCTL_MODE_MAP_DUMB, &map));
	*offset = map.offset;
	fd = check_ok(gem_export(drm, make.handle, DRM_CLOEXEC | DRM_RDWR));
	check_eq(check_ok(gem_import(drm, fd)), make.handle);
	check_ok(gem_close(drm, make.handle));
	return fd;
}

/* --- commit --- */

/**
 * SUBTEST: commit
 * Description: A commit places the storage for all devices that were added, and
 *  says so; nothing moves any more, and the first access finds it placed. To add a
 *  device that does not reach it gives EBUSY, with the reason in the answer.
 */
static void commit_places(void)
{
	int fd = buffer(SIZE), any = importer_any(0), low = importer_below(1, LOW);
	struct dma_buf_device_use use = {
		.device_fd = low, .use = DMA_BUF_USE_WRITE,
	};
	uint8_t *memory = map_dmabuf(fd, SIZE);
	uint64_t reach;

	check_ok(add_device(fd, any));
	check_ok(commit(fd, 0));
	check_eq(committed.size, SIZE);
	check_eq(committed.field, DMA_BUF_FIELD_NONE);
	check_eq(storage(fd).flags & ~DMA_BUF_STORAGE_CONTIGUOUS,
		 DMA_BUF_STORAGE_PLACED | DMA_BUF_STORAGE_COMMITTED);
	reach = storage(fd).reach;
	fill(memory, SIZE, 7);
	check_eq(storage(fd).reach, reach);
	unmap_now(any, map_now(any, fd));
	if (reach <= mask_of(LOW))
		prime_skip("memory is low anyway");
	check_error(mock_attach(low, fd, 0), EBUSY);
	check_error(xioctl(fd, DMA_BUF_IOCTL_ADD_DEVICE, &use), EBUSY);
	check_eq(use.field, DMA_BUF_FIELD_DMA_MASK);
	check_eq(use.wanted, mask_of(LOW));
	check(use.found > mask_of(LOW));
	check(!strcmp(use.device, "prime_mock.1"));
	check_eq(storage(fd).reach, reach);
	check_eq(filled(memory, SIZE, 7), SIZE);
}

/**
 * SUBTEST: commit-size
 * Description: A buffer gets its size when it is committed: the file has it,
 *  devices map it, and a device that takes no buffer of this size is named. It
 *  gets one size only.
 */
static void commit_size(void)
{
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;
	int fd = buffer(1), any = importer_any(0), narrow;
	struct stat st;
	uint32_t id;

	limits.max_segment_size = 65536;
	limits.max_segments = 4;
	narrow = importer(1, limits);
	check_ok(add_device(fd, any));
	check_ok(add_device(fd, narrow));
	check_error(commit(fd, SIZE), EBUSY);
	check_eq(committed.field, DMA_BUF_FIELD_MAX_SEGMENTS);
	check_eq(committed.wanted, 4);
	check_eq(committed.found, SIZE / 65536);
	check(!strcmp(committed.device, "prime_mock.1"));
	check(!placed(fd));
	check_eq(size_of(fd), PAGE);
	check_ok(remove_device(fd, narrow));
	check_error(remove_device(fd, narrow), ENOENT);
	check_ok(commit(fd, SIZE - 1));
	check_eq(committed.size, SIZE);
	check_eq(size_of(fd), SIZE);
	check(!fstat(fd, &st));
	check_eq(st.st_blocks * 512, SIZE);
	check_eq(storage(fd).size, SIZE);
	id = map_now(any, fd);
	fill_dmabuf(fd, SIZE, 8);
	check_eq(seen(any, id, SIZE, 8), SIZE);
	unmap_now(any, id);
	check_error(commit(fd, 2 * SIZE), EBUSY);
	check_error(commit(fd, SIZE / 2), EINVAL);
	check_ok(commit(fd, SIZE));
}

static void check_images(int fd, uint32_t devices, uint32_t pitch, uint32_t offset, uint32_t size)
{
	struct dma_buf_constraints_info info;

	check_ok(xioctl(fd, DMA_BUF_IOCTL_GET_CONSTRAINTS, &info));
	check_eq(info.devices, devices);
	check_eq(info.pitch_align, pitch);
	check_eq(info.offset_align, offset);
	check_eq(info.size_align, size);
}

/**
 * SUBTEST: images
 * Description: The buffer has the strictest of what its devices need of pitch, offset
 *  and size, until they are removed. A commit rounds the size up to what they need. A
 *  device that the size does not suit is refused if the size can't change any more,
 *  and a commit names the device that it does not suit.
 */
static void images(void)
{
	const uint32_t unit = 16 * PAGE;
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;
	struct dma_buf_device_use use = { .use = DMA_BUF_USE_READ };
	int fd = buffer(1), other = buffer(PAGE), fine, coarse;
	uint32_t id;

	limits.pitch_align = 256;
	limits.offset_align = 64;
	limits.size_align = PAGE;
	fine = importer(0, limits);
	limits.pitch_align = 64;
	limits.offset_align = 4096;
	limits.size_align = unit;
	coarse = importer(1, limits);

	check_images(fd, 0, 1, 1, 1);
	check_ok(add_device(fd, fine));
	check_images(fd, 1, 256, 64, PAGE);
	check_ok(add_device(fd, coarse));
	check_images(fd, 2, 256, 4096, unit);
	check_ok(remove_device(fd, fine));
	check_images(fd, 1, 64, 4096, unit);
	check_ok(add_device(fd, fine));
	check_ok(remove_device(fd, coarse));
	check_images(fd, 1, 256, 64, PAGE);
	check_ok(add_device(fd, coarse));
	check_ok(commit(fd, SIZE + 1));
	check_eq(committed.size, SIZE + unit);
	check_eq(size_of(fd), SIZE + unit);
	check_ok(remove_device(fd, coarse));
	check_ok(remove_device(fd, fine));
	check_images(fd, 0, 1, 1, 1);

	/* An import fixes the size. */
	check_ok(add_device(other, coarse));
	id = check_ok(mock_attach(fine, other, 0));
	check_error(commit(other, 0), EBUSY);
	check_eq(committed.field, DMA_BUF_FIELD_SIZE_ALIGN);
	check_eq(committed.wanted, unit);
	check_eq(committed.found, PAGE);
	check(!strcmp(committed.device, "prime_mock.1"));
	check_ok(remove_device(other, coarse));
	use.device_fd = coarse;
	check_error(xioctl(other, DMA_BUF_IOCTL_ADD_DEVICE, &use), EBUSY);
	check_eq(use.field, DMA_BUF_FIELD_SIZE_ALIGN);
	check_eq(use.wanted, unit);
	check_eq(use.found, PAGE);
	check_ok(commit(other, 0));
	check_eq(committed.size, PAGE);
	check_ok(mock_step(fine, id, PRIME_MOCK_DETACH));
}

/**
 * SUBTEST: commit-arguments
 * Description: Unknown flags and uses give EINVAL, more than the machine has gives
 *  ENOMEM with a reason, a buffer made for reading gives EACCES, and the size of a
 *  driver's object does not change (EBUSY).
 */
static void commit_arguments(void)
{
	int fd = buffer(SIZE), mock = importer_any(0), from = heap();
	int drm = open_driver("prime_late"), ro, object;
	uint64_t offset;

	for (unsigned int bit = 0; bit < 32; bit++) {
		struct dma_buf_device_use use = {
			.device_fd = mock, .use = 1u << bit,
		};
		struct dma_buf_commit arg = { .flags = 1u << bit };

		check_error(xioctl(fd, DMA_BUF_IOCTL_COMMIT, &arg), EINVAL);
		check_eq(xioctl(fd, DMA_BUF_IOCTL_ADD_DEVICE, &use), bit < 4 ? 0 : -EINVAL);
		use.use = DMA_BUF_USE_READ;
		use.flags = 1u << bit;
		check_error(xioctl(fd, DMA_BUF_IOCTL_ADD_DEVICE, &use), EINVAL);
	}
	check_error(commit(fd, 1ull << 60), ENOMEM);
	check_eq(committed.field, DMA_BUF_FIELD_ERROR);
	check_eq(committed.found, ENOMEM);
	check(!placed(fd));
	ro = check_ok(heap_alloc(from, SIZE, O_RDONLY | O_CLOEXEC, 0));
	check_error(commit(ro, 0), EACCES);
	check_error(remove_device(ro, mock), EACCES);
	object = late_buffer(drm, &offset);
	check_error(commit(object, 2 * SIZE), EBUSY);
	check_ok(commit(object, 0));
	check_eq(size_of(object), SIZE);
}

/* --- limits --- */

/* How a child ends that reads the buffer's first byte. */
static int status_of_reader(int fd, size_t size)
{
	int status;
	pid_t child = fork();

	check(child >= 0);
	if (!child) {
		volatile uint8_t *memory = map_dmabuf(fd, size);

		_exit(memory[0]);
	}
	check_eq(waitpid(child, &status, 0), child);
	return status;
}

/**
 * SUBTEST: charged-to-its-maker
 * Description: Storage is charged to the memory cgroup in which the buffer was
 *  allocated, although the process has left this group when a device maps the buffer
 *  and so places the storage, in one run of pages or in many.
 */
static void charged_to_its_maker(void)
{
	static const unsigned int max_segments[] = { 0, 1 };

	cgroup_make(16 << 20);
	for (int i = 0; i < 2; i++) {
		struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;
		const size_t size = 8 << 20;
		int fd, mock;
		uint32_t id;
		long before;

		limits.max_segments = max_segments[i];
		mock = importer(0, limits);
		cgroup_enter();
		fd = buffer(size);
		cgroup_leave();
		before = cgroup_number("memory.current", "");
		id = map_now(mock, fd);
		check(cgroup_number("memory.current", "") - before >= (long)size - 65536);
		unmap_now(mock, id);
		close(mock);
		close(fd);
		check(cgroup_number("memory.current", "") - before < 1 << 20);
	}
}

/**
 * SUBTEST: limited-by-cgroup
 * Description: Beyond memory.max a page fault gives SIGBUS, and a commit and an
 *  import ENOMEM. Nobody is killed, and nothing stays charged. Afterwards a smaller
 *  buffer can be placed.
 */
static void limited_by_cgroup(void)
{
	const size_t size = 32 << 20;
	int fd, mock = importer_any(0), status;
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;
	int64_t id;

	cgroup_make(16 << 20);
	cgroup_enter();
	fd = buffer(size);
	status = status_of_reader(fd, size);
	check(WIFSIGNALED(status));
	check_eq(WTERMSIG(status), SIGBUS);
	check(!placed(fd));
	check_error(commit(fd, 0), ENOMEM);
	check_eq(committed.field, DMA_BUF_FIELD_ERROR);
	check_eq(committed.found, ENOMEM);
	for (int i = 0; i < 2; i++) {
		limits.max_segments = i;
		check_ok(mock_limits(mock, limits));
		id = check_ok(mock_attach(mock, fd, 0));
		check_error(mock_map(mock, id, PRIME_MOCK_BIDIRECTIONAL), ENOMEM);
		check_ok(mock_step(mock, id, PRIME_MOCK_DETACH));
		check(!placed(fd));
	}
	close(fd);
	fd = buffer(SIZE);
	status = status_of_reader(fd, SIZE);
	check(WIFEXITED(status));
	check_eq(WEXITSTATUS(status), 0);
	close(fd);
}

/**
 * SUBTEST: memory-comes-back
 * Description: Buffers are made, placed in every way, moved and closed, many times.
 *  The machine has as much free memory as before.
 */
static void memory_comes_back(void)
{
	const size_t size = 8 << 20;
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;
	int mock = importer_any(0);
	long before = 0;

	for (int turn = 0; turn < 24; turn++) {
		int fd = buffer(size);
		uint32_t id;

		poison_dmabuf(fd);
		limits.max_segments = turn & 1;
		limits.dma_bits = turn & 2 ? 28 : 64;
		check_ok(mock_limits(mock, limits));
		id = map_now(mock, fd);
		unmap_now(mock, id);
		close(fd);
		/* Caches are filled by then. */
		if (turn == 3)
			before = meminfo_kb("MemFree:");
	}
	settle_buffers(0);
	check(before - meminfo_kb("MemFree:") < 3 * (long)size / 1024);
}

/* --- late GEM objects --- */

/**
 * SUBTEST: gem-placed-late
 * Description: A dumb buffer of a driver with late objects has no storage when it is
 *  made and exported. Its storage is placed below the mask of the device that maps
 *  it.
 */
static void gem_placed_late(void)
{
	int drm = open_driver("prime_late"), low = importer_below(0, LOW);
	uint64_t offset;
	int fd = late_buffer(drm, &offset);
	uint32_t id;

	check(!placed(fd));
	check(!strcmp(storage(fd).exporter, "prime_late"));
	id = map_now(low, fd);
	check_below(low, id, LOW);
	fill_dmabuf(fd, SIZE, 7);
	check_eq(seen(low, id, SIZE, 7), SIZE);
	unmap_now(low, id);
}

/**
 * SUBTEST: gem-moves
 * Description: Such a buffer moves for a device that does not reach it. A mapping of
 *  the DRM file and one of the dma-buf show the same bytes, before and after.
 */
static void gem_moves(void)
{
	struct drm_mode_create_dumb make = {
		.width = 512, .height = 512, .bpp = 32,
	};
	int drm = open_driver("prime_late"), low = importer_below(0, LOW), fd;
	struct drm_mode_map_dumb map = { };
	uint8_t *of_drm, *of_fd;
	uint32_t id;

	check_ok(xioctl(drm, DRM_IOCTL_MODE_CREATE_DUMB, &make));
	map.handle = make.handle;
	check_ok(xioctl(drm, DRM_IOCTL_MODE_MAP_DUMB, &map));
	of_drm = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, drm,
		      map.offset);
	check(of_drm != MAP_FAILED);
	/* Placed before there is a dma-buf. */
	fill(of_drm, SIZE, 8);
	fd = check_ok(gem_export(drm, make.handle, DRM_CLOEXEC | DRM_RDWR));
	of_fd = map_dmabuf(fd, SIZE);
	check_eq(filled(of_fd, SIZE, 8), SIZE);
	if (storage(fd).reach <= mask_of(LOW))
		prime_skip("memory is low anyway");

	id = map_now(low, fd);
	check_below(low, id, LOW);
	check_eq(filled(of_fd, SIZE, 8), SIZE);
	fill(of_drm, SIZE, 9);
	check_eq(filled(of_fd, SIZE, 9), SIZE);
	check_eq(seen(low, id, SIZE, 9), SIZE);
	unmap_now(low, id);
	check_ok(gem_close(drm, make.handle));
	check_eq(filled(of_drm, SIZE, 9), SIZE);
}

/* How many page faults a look at the first byte takes. */
static long faults_of(const uint8_t *memory)
{
	struct rusage before, after;

	check_eq(getrusage(RUSAGE_THREAD, &before), 0);
	check_eq(*(const volatile uint8_t *)memory, 1);
	check_eq(getrusage(RUSAGE_THREAD, &after), 0);
	return after.ru_minflt - before.ru_minflt;
}

/**
 * SUBTEST: gem-moves-alone
 * Description: A move removes the mappings of its own object, and none of another
 *  object that is mapped through the same DRM file.
 */
static void gem_moves_alone(void)
{
	int drm = open_driver("prime_late"), low = importer_below(0, LOW), fd[2];
	uint8_t *memory[2];
	uint32_t id;

	for (int i = 0; i < 2; i++) {
		struct drm_mode_create_dumb make = {
			.width = 512, .height = 512, .bpp = 32,
		};
		struct drm_mode_map_dumb map = { };

		check_ok(xioctl(drm, DRM_IOCTL_MODE_CREATE_DUMB, &make));
		map.handle = make.handle;
		check_ok(xioctl(drm, DRM_IOCTL_MODE_MAP_DUMB, &map));
		fd[i] = check_ok(gem_export(drm, make.handle,
					    DRM_CLOEXEC | DRM_RDWR));
		memory[i] = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
				 drm, map.offset);
		check(memory[i] != MAP_FAILED);
		memory[i][0] = 1;
		check_eq(faults_of(memory[i]), 0);
	}
	if (storage(fd[0]).reach <= mask_of(LOW))
		prime_skip("memory is low anyway");
	id = map_now(low, fd[0]);
	check_eq(faults_of(memory[1]), 0);
	check_eq(faults_of(memory[0]), 1);
	unmap_now(low, id);
}

/* --- races --- */

static int race_fd, race_low, race_any;
static uint8_t *race_memory;
static atomic_bool race_over;
static atomic_ulong race_faults, race_maps, race_busy;

/* Each page holds one value many times, the same for every process. */
static void *racing_reader(void *data)
{
	unsigned int at = (uintptr_t)data;

	while (!atomic_load(&race_over)) {
		size_t page = at++ % (SIZE / PAGE) * PAGE;

		if (filled_byte(race_memory + page, PAGE, page / PAGE) != PAGE)
			return "a page shows other bytes";
		atomic_fetch_add(&race_faults, 1);
	}
	return NULL;
}

static void *racing_importer(void *data)
{
	int mock = *(int *)data;
	uint8_t bytes[PAGE];

	while (!atomic_load(&race_over)) {
		int64_t id = mock_attach(mock, race_fd, 0);
		int ret;

		if (id == -EBUSY) {
			atomic_fetch_add(&race_busy, 1);
			continue;
		}
		if (id < 0)
			return "attach fails otherwise than with EBUSY";
		ret = mock_map(mock, id, PRIME_MOCK_BIDIRECTIONAL);
		if (ret && ret != -EBUSY)
			return "map fails otherwise than with EBUSY";
		if (!ret) {
			if (mock_read(mock, id, 0, 3 * PAGE, bytes, PAGE) ||
			    filled_byte(bytes, PAGE, 3) != PAGE)
				return "a device sees other bytes";
			mock_step(mock, id, PRIME_MOCK_UNMAP);
			atomic_fetch_add(&race_maps, 1);
		}
		mock_step(mock, id, PRIME_MOCK_DETACH);
	}
	return NULL;
}

/**
 * SUBTEST: race-faults-imports-moves
 * Description: Two threads read through a mapping. Two devices import, of which one
 *  reaches low memory only. The storage is new again and again. A page or a device
 *  never shows other bytes, and an import is refused with EBUSY only.
 */
static void race_faults_imports_moves(void)
{
	double end = now() + race_seconds();
	unsigned long turns = 0, high = 0, moves = 0;

	race_low = importer_below(0, LOW);
	race_any = importer_any(1);
	while (now() < end || !turns) {
		pthread_t thread[4];
		void *why[4];
		bool was_high;

		race_fd = buffer(SIZE);
		race_memory = map_dmabuf(race_fd, SIZE);
		for (size_t page = 0; page < SIZE / PAGE; page++)
			memset(race_memory + page * PAGE, page, PAGE);
		was_high = storage(race_fd).reach > mask_of(LOW);
		atomic_store(&race_over, false);
		check_eq(pthread_create(&thread[0], NULL, racing_reader, (void *)0), 0);
		check_eq(pthread_create(&thread[1], NULL, racing_reader, (void *)128), 0);
		check_eq(pthread_create(&thread[2], NULL, racing_importer, &race_low), 0);
		check_eq(pthread_create(&thread[3], NULL, racing_importer, &race_any), 0);
		usleep(100000);
		atomic_store(&race_over, true);
		for (int i = 0; i < 4; i++) {
			check_eq(pthread_join(thread[i], &why[i]), 0);
			if (why[i])
				prime_fail(__FILE__, __LINE__, "%s", (char *)why[i]);
		}
		high += was_high;
		moves += was_high && storage(race_fd).reach <= mask_of(LOW);
		unmap(race_memory, SIZE);
		close(race_fd);
		turns++;
	}
	printf("%lu buffers, %lu moves, %lu pages, %lu imports, %lu busy\n", turns, moves,
	       atomic_load(&race_faults), atomic_load(&race_maps),
	       atomic_load(&race_busy));
	if (!high)
		prime_skip("memory is low anyway");
	check(moves > 0 && atomic_load(&race_maps) > 0 && atomic_load(&race_faults) > 0);
}

/**
 * SUBTEST: killed-while-placing
 * Description: A process is killed while storage is placed for it, because it reads the
 *  buffer, or because it has the kernel read the buffer. It ends at once, and the
 *  buffer can still be used.
 */
static void killed_while_placing(void)
{
	const size_t size = 64 << 20;
	atomic_int *step = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	enum { BEFORE, PLACES, AFTER };
	int pipes[2], raced = 0;

	check(step != MAP_FAILED);
	check_eq(pipe(pipes), 0);
	for (int turn = 0; turn < 20; turn++) {
		int fd = buffer(size), status;
		double end = now() + 10;
		pid_t child, ended;

		atomic_store(step, BEFORE);
		child = fork();
		check(child >= 0);
		if (!child) {
			volatile uint8_t *memory = map_dmabuf(fd, size);

			atomic_store(step, PLACES);
			if (turn % 2)
				check(write(pipes[1], (void *)memory, 1) == 1);
			(void)memory[0];
			atomic_store(step, AFTER);
			pause();
		}
		while (atomic_load(step) == BEFORE && now() < end)
			sched_yield();
		usleep(1000 * turn);
		raced += atomic_load(step) == PLACES;
		check_ok(kill(child, SIGKILL) ? -errno : 0);
		while (!(ended = waitpid(child, &status, WNOHANG)) && now() < end)
			usleep(1000);
		check_eq(ended, child);
		check_eq(status_of_reader(fd, size), 0);
		close(fd);
	}
	printf("killed %d times while it placed\n", raced);
	check(raced > 0);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(shared_by_all),
	SUBTEST(no_storage_before_use),
	SUBTEST(placed_at_fault),
	SUBTEST(placed_at_import),
	SUBTEST(below_the_mask),
	SUBTEST(every_limit),
	SUBTEST(announced),
	SUBTEST(announced_m2m),
	SUBTEST(move_keeps_content),
	SUBTEST(move_of_followers),
	SUBTEST(busy_while_mapped),
	SUBTEST(conflict_told_when_added),
	SUBTEST(read_only),
	{ "commit", commit_places },
	SUBTEST(commit_size),
	SUBTEST(images),
	SUBTEST(commit_arguments),
	SUBTEST(sizes),
	SUBTEST(private_mapping),
	SUBTEST(charged_to_its_maker),
	SUBTEST(limited_by_cgroup),
	SUBTEST(memory_comes_back),
	SUBTEST(gem_placed_late),
	SUBTEST(gem_moves),
	SUBTEST(gem_moves_alone),
	SUBTEST(race_faults_imports_moves),
	SUBTEST(killed_while_placing),
};

PRIME_MAIN(subtests)
