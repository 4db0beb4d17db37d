// SPDX-License-Identifier: MIT
/**
 * TEST: dmabuf heap
 * Description: Buffers that no device makes: udmabuf and every dma-heap, their
 *  arguments, sizes, rights and content. The DRM device under test takes no
 *  part, so one run is enough.
 */
#include "lib/prime_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <linux/memfd.h>

#define PAGES	8
#define SIZE	(PAGES * PAGE)

/* A memfd that udmabuf takes. */
static int good_memfd(void)
{
	return memfd_sealed(SIZE, F_SEAL_SHRINK);
}

static void *map_memfd(int memfd)
{
	void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			    memfd, 0);

	check(memory != MAP_FAILED);
	return memory;
}

struct on_heap {
	const char *name;
	void (*test)(int heap);
};

static void run_on_heap(void *data)
{
	const struct on_heap *on = data;

	on->test(check_ok(heap_open(on->name)));
}

/* Runs @test with each heap, which is a dynamic subtest of that name. */
static void each_heap(void (*test)(int heap))
{
	struct heap_list list = heaps();

	for (unsigned int i = 0; i < list.count; i++)
		prime_dynamic(list.name[i], run_on_heap,
			      &(struct on_heap){ list.name[i], test });
}

/* --- udmabuf: what is refused --- */

/**
 * SUBTEST: udmabuf-seals
 * Description: The memfd must be sealed against shrinking and must not be sealed
 *  against writing. Otherwise the call gives EINVAL, whichever other seals there
 *  are.
 */
static void udmabuf_seals(void)
{
	static const struct {
		unsigned int seals;
		bool good;
	} cases[] = {
		{ 0, false },
		{ F_SEAL_GROW, false },
		{ F_SEAL_SEAL, false },
		{ F_SEAL_SHRINK, true },
		{ F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, true },
		{ F_SEAL_WRITE, false },
		{ F_SEAL_SHRINK | F_SEAL_WRITE, false },
		{ F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int memfd = memfd_sealed(SIZE, cases[i].seals), fd;

		printf("seals %#x\n", cases[i].seals);
		fd = udmabuf_create(memfd, 0, SIZE, 0);
		if (cases[i].good)
			close(check_ok(fd));
		else
			check_error(fd, EINVAL);
		close(memfd);
	}
}

/**
 * SUBTEST: udmabuf-unsealable
 * Description: A memfd that can't be sealed gives EINVAL.
 */
static void udmabuf_unsealable(void)
{
	int memfd = memfd_create("prime", 0);

	check(memfd >= 0);
	check_ok(ftruncate(memfd, SIZE) ? -errno : 0);
	check_error(udmabuf_create(memfd, 0, SIZE, 0), EINVAL);
}

/**
 * SUBTEST: udmabuf-bad-fd
 * Description: A number that is not an open file gives EBADFD, and so do files of
 *  other kinds: a pipe, a directory, a device, a udmabuf itself.
 */
static void udmabuf_bad_fd(void)
{
	int ends[2], fd = check_ok(udmabuf_create(good_memfd(), 0, SIZE, 0));

	check_ok(pipe(ends) ? -errno : 0);
	check_error(udmabuf_create(-1, 0, SIZE, 0), EBADFD);
	check_error(udmabuf_create(1 << 20, 0, SIZE, 0), EBADFD);
	check_error(udmabuf_create(ends[0], 0, SIZE, 0), EBADFD);
	check_error(udmabuf_create(open("/proc", O_RDONLY), 0, SIZE, 0),
		    EBADFD);
	check_error(udmabuf_create(open("/dev/null", O_RDWR), 0, SIZE, 0),
		    EBADFD);
	check_error(udmabuf_create(fd, 0, SIZE, 0), EBADFD);
}

/**
 * SUBTEST: udmabuf-alignment
 * Description: Offset and size must be whole pages, and the size must not be 0.
 */
static void udmabuf_alignment(void)
{
	int memfd = good_memfd();

	check_error(udmabuf_create(memfd, 1, PAGE, 0), EINVAL);
	check_error(udmabuf_create(memfd, PAGE - 1, PAGE, 0), EINVAL);
	check_error(udmabuf_create(memfd, 0, PAGE - 1, 0), EINVAL);
	check_error(udmabuf_create(memfd, 0, PAGE + 1, 0), EINVAL);
	check_error(udmabuf_create(memfd, 0, 0, 0), EINVAL);
	check_error(udmabuf_create(memfd, 0, 1, 0), EINVAL);
}

/**
 * SUBTEST: udmabuf-range
 * Description: A range past the end of the memfd gives EINVAL, and so does one whose
 *  end wraps around.
 */
static void udmabuf_range(void)
{
	const uint64_t top = -(uint64_t)PAGE;
	int memfd = good_memfd();

	check_error(udmabuf_create(memfd, SIZE, PAGE, 0), EINVAL);
	check_error(udmabuf_create(memfd, 0, SIZE + PAGE, 0), EINVAL);
	check_error(udmabuf_create(memfd, SIZE - PAGE, 2 * PAGE, 0), EINVAL);
	check_error(udmabuf_create(memfd, top, PAGE, 0), EINVAL);
	check_error(udmabuf_create(memfd, top, 2 * PAGE, 0), EINVAL);
	check_error(udmabuf_create(memfd, 0, top, 0), EINVAL);
}

/**
 * SUBTEST: udmabuf-efault
 * Description: An argument that can't be read gives EFAULT, in CREATE and in the
 *  head and the items of CREATE_LIST.
 */
static void udmabuf_efault(void)
{
	struct udmabuf_create_list head = { .count = 1 };
	int device = udmabuf_open();
	uint8_t *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(pages != MAP_FAILED);
	check_ok(munmap(pages + PAGE, PAGE) ? -errno : 0);
	memcpy(pages + PAGE - sizeof(head), &head, sizeof(head));
	check_error(xioctl(device, UDMABUF_CREATE, NULL), EFAULT);
	check_error(xioctl(device, UDMABUF_CREATE_LIST, NULL), EFAULT);
	check_error(xioctl(device, UDMABUF_CREATE_LIST,
			   pages + PAGE - sizeof(head)), EFAULT);
}

/**
 * SUBTEST: udmabuf-emfile
 * Description: If no fd is free, the call gives EMFILE and leaves no buffer.
 */
static void udmabuf_emfile(void)
{
	struct udmabuf_create arg = { .size = SIZE };
	int device = udmabuf_open(), buffers = count_buffers();
	unsigned long limit;

	arg.memfd = good_memfd();
	limit = forbid_fds();
	check_error(xioctl(device, UDMABUF_CREATE, &arg), EMFILE);
	allow_fds(limit);
	check_eq(settle_buffers(buffers), buffers);
	close(check_ok(xioctl(device, UDMABUF_CREATE, &arg)));
}

/**
 * SUBTEST: udmabuf-list-limits
 * Description: An empty list, a list that is longer than the module's list_limit,
 *  and a list with one bad item at any place give EINVAL.
 */
static void udmabuf_list_limits(void)
{
	char *text = read_text("/sys/module/udmabuf/parameters/list_limit");
	int limit = text ? atoi(text) : 1024, memfd = good_memfd();
	struct udmabuf_create_item *items = calloc(limit + 1, sizeof(*items));

	check(items);
	for (int i = 0; i <= limit; i++)
		items[i] = (struct udmabuf_create_item){
			.memfd = memfd, .offset = i % PAGES * PAGE,
			.size = PAGE,
		};
	check_error(udmabuf_create_list(items, 0, 0), EINVAL);
	check_error(udmabuf_create_list(items, limit + 1, 0), EINVAL);
	close(check_ok(udmabuf_create_list(items, limit, 0)));

	for (int i = 0; i < 3; i++) {
		items[i].offset = SIZE;
		check_error(udmabuf_create_list(items, 3, 0), EINVAL);
		items[i].offset = 0;
		items[i].memfd = -1;
		check_error(udmabuf_create_list(items, 3, 0), EBADFD);
		items[i].memfd = memfd;
	}
	free(items);
	free(text);
}

/**
 * SUBTEST: udmabuf-size-limit
 * Description: More than the module's size_limit_mb gives EINVAL, in one item and as
 *  a sum.
 */
static void udmabuf_size_limit(void)
{
	char *text = read_text("/sys/module/udmabuf/parameters/size_limit_mb");
	uint64_t limit = (text ? atoi(text) : 64) * 1048576ull;
	int memfd = memfd_sealed(limit + PAGE, F_SEAL_SHRINK);
	const struct udmabuf_create_item items[] = {
		{ .memfd = memfd, .size = limit },
		{ .memfd = memfd, .size = PAGE },
	};

	check_error(udmabuf_create(memfd, 0, limit + PAGE, 0), EINVAL);
	check_error(udmabuf_create_list(items, 2, 0), EINVAL);
	free(text);
}

/**
 * SUBTEST: udmabuf-unknown-ioctl
 * Description: Another ioctl of the device gives ENOTTY.
 */
static void udmabuf_unknown_ioctl(void)
{
	int device = udmabuf_open();

	check_error(xioctl(device, _IO('u', 0x41), NULL), ENOTTY);
	check_error(xioctl(device, DMA_HEAP_IOCTL_ALLOC, NULL), ENOTTY);
}

/* --- udmabuf: what is made --- */

/**
 * SUBTEST: udmabuf-cloexec
 * Description: The fd closes on exec when asked to, and stays otherwise; it
 *  can be read and written in both cases.
 */
static void udmabuf_cloexec(void)
{
	int memfd = good_memfd();
	int plain = check_ok(udmabuf_create(memfd, 0, SIZE, 0));
	int cloexec = check_ok(udmabuf_create(memfd, 0, SIZE,
					      UDMABUF_FLAGS_CLOEXEC));

	check_eq(fcntl(plain, F_GETFD), 0);
	check_eq(fcntl(cloexec, F_GETFD), FD_CLOEXEC);
	check_eq(fcntl(plain, F_GETFL) & O_ACCMODE, O_RDWR);
	check_eq(fcntl(cloexec, F_GETFL) & O_ACCMODE, O_RDWR);
}

/**
 * SUBTEST: udmabuf-shares-memfd
 * Description: Buffer and memfd are the same memory: what is written at either
 *  side is read at the other, byte by byte.
 */
static void udmabuf_shares_memfd(void)
{
	int memfd = good_memfd();
	int fd = check_ok(udmabuf_create(memfd, 0, SIZE, 0));
	void *memory = map_memfd(memfd);

	check_eq(size_of(fd), SIZE);
	fill(memory, SIZE, 1);
	check_eq(filled_dmabuf(fd, SIZE, 1), SIZE);
	fill_dmabuf(fd, SIZE, 2);
	check_eq(filled(memory, SIZE, 2), SIZE);
}

/**
 * SUBTEST: udmabuf-offset
 * Description: A buffer of a part of the memfd has the size and the bytes of this
 *  part. The pages beside it do not change.
 */
static void udmabuf_offset(void)
{
	int memfd = good_memfd();
	int fd = check_ok(udmabuf_create(memfd, 3 * PAGE, 2 * PAGE, 0));
	uint8_t *memory = map_memfd(memfd);

	check_eq(size_of(fd), 2 * PAGE);
	memset(memory, 0x55, SIZE);
	fill_dmabuf(fd, 2 * PAGE, 3);
	check_eq(filled_byte(memory, 3 * PAGE, 0x55), 3 * PAGE);
	check_eq(filled(memory + 3 * PAGE, 2 * PAGE, 3), 2 * PAGE);
	check_eq(filled_byte(memory + 5 * PAGE, 3 * PAGE, 0x55), 3 * PAGE);
	check(mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	check_eq(errno, EINVAL);
}

/**
 * SUBTEST: udmabuf-list-order
 * Description: The items follow each other in the buffer as they do in the list.
 *  They are from two memfds, and their pages are not in order.
 */
static void udmabuf_list_order(void)
{
	int a = good_memfd(), b = good_memfd(), fd;
	uint8_t *x = map_memfd(a), *y = map_memfd(b), *memory;
	const struct udmabuf_create_item items[] = {
		{ .memfd = b, .offset = 4 * PAGE, .size = 2 * PAGE },
		{ .memfd = a, .offset = 7 * PAGE, .size = PAGE },
		{ .memfd = a, .offset = 0, .size = 3 * PAGE },
		{ .memfd = b, .offset = 0, .size = PAGE },
	};

	fill(x, SIZE, 4);
	fill(y, SIZE, 5);
	fd = check_ok(udmabuf_create_list(items, 4, 0));
	check_eq(size_of(fd), 7 * PAGE);
	memory = map_dmabuf(fd, 7 * PAGE);
	check_eq(same_bytes(memory, y + 4 * PAGE, 2 * PAGE), 2 * PAGE);
	check_eq(same_bytes(memory + 2 * PAGE, x + 7 * PAGE, PAGE), PAGE);
	check_eq(same_bytes(memory + 3 * PAGE, x, 3 * PAGE), 3 * PAGE);
	check_eq(same_bytes(memory + 6 * PAGE, y, PAGE), PAGE);
	unmap(memory, 7 * PAGE);
}

/**
 * SUBTEST: udmabuf-page-twice
 * Description: A page that is listed twice is in the buffer twice: a byte
 *  written at one place is read at both.
 */
static void udmabuf_page_twice(void)
{
	int fd = make_memory(MEMORY_SCATTERED, 2 * PAGE);
	uint8_t *memory = map_dmabuf(fd, 2 * PAGE);

	fill(memory, PAGE, 6);
	check_eq(filled(memory + PAGE, PAGE, 6), PAGE);
	fill(memory + PAGE, PAGE, 7);
	check_eq(filled(memory, PAGE, 7), PAGE);
	unmap(memory, 2 * PAGE);
}

/**
 * SUBTEST: udmabuf-two-of-one
 * Description: Two buffers of one memfd are two dma-bufs, with inodes of their
 *  own, of the same memory.
 */
static void udmabuf_two_of_one(void)
{
	int memfd = good_memfd();
	int a = check_ok(udmabuf_create(memfd, 0, SIZE, 0));
	int b = check_ok(udmabuf_create(memfd, 0, SIZE, 0));

	check(inode_of(a) != inode_of(b));
	fill_dmabuf(a, SIZE, 8);
	check_eq(filled_dmabuf(b, SIZE, 8), SIZE);
	close(a);
	check_eq(filled_dmabuf(b, SIZE, 8), SIZE);
}

/**
 * SUBTEST: udmabuf-outlives-memfd
 * Description: The buffer keeps its pages after the memfd is closed.
 */
static void udmabuf_outlives_memfd(void)
{
	int memfd = good_memfd();
	int fd = check_ok(udmabuf_create(memfd, 0, SIZE, 0));

	fill_dmabuf(fd, SIZE, 9);
	close(memfd);
	check_eq(filled_dmabuf(fd, SIZE, 9), SIZE);
}

/**
 * SUBTEST: udmabuf-mapping-outlives-fd
 * Description: A mapping keeps the buffer after its fd and the memfd are closed. The
 *  buffer is freed with the mapping.
 */
static void udmabuf_mapping_outlives_fd(void)
{
	int buffers = count_buffers(), memfd = good_memfd();
	int fd = check_ok(udmabuf_create(memfd, 0, SIZE, 0));
	void *memory = map_dmabuf(fd, SIZE);

	close(fd);
	close(memfd);
	fill(memory, SIZE, 10);
	check_eq(filled(memory, SIZE, 10), SIZE);
	check_eq(settle_buffers(buffers + 1), buffers + 1);
	unmap(memory, SIZE);
	check_eq(settle_buffers(buffers), buffers);
}

/**
 * SUBTEST: udmabuf-private-mapping
 * Description: A private mapping of the buffer gives EINVAL.
 */
static void udmabuf_private_mapping(void)
{
	int fd = check_ok(udmabuf_create(good_memfd(), 0, SIZE, 0));

	check(mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED);
	check_eq(errno, EINVAL);
}

/**
 * SUBTEST: udmabuf-memfd-sealed-later
 * Description: While the buffer lives the memfd cannot be sealed against
 *  writing (EBUSY), nor made shorter (EPERM); afterwards it can be sealed.
 */
static void udmabuf_memfd_sealed_later(void)
{
	int memfd = good_memfd();
	int fd = check_ok(udmabuf_create(memfd, 0, SIZE, 0));

	fill_dmabuf(fd, SIZE, 11);
	check_error(fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE) ? -errno : 0,
		    EBUSY);
	check_error(ftruncate(memfd, PAGE) ? -errno : 0, EPERM);
	check_eq(filled_dmabuf(fd, SIZE, 11), SIZE);
	close(fd);
	check_ok(fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE) ? -errno : 0);
}

/**
 * SUBTEST: udmabuf-hole-punched
 * Description: A hole punched into the memfd takes no page from the buffer:
 *  it still reads what was there, and the memfd reads zero.
 */
static void udmabuf_hole_punched(void)
{
	int memfd = good_memfd();
	int fd = check_ok(udmabuf_create(memfd, 0, SIZE, 0));
	void *memory = map_memfd(memfd);

	fill_dmabuf(fd, SIZE, 12);
	check_ok(fallocate(memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			   0, SIZE) ? -errno : 0);
	check_eq(filled_dmabuf(fd, SIZE, 12), SIZE);
	check_eq(filled_byte(memory, SIZE, 0), SIZE);
}

/**
 * SUBTEST: udmabuf-hugetlb
 * Description: A memfd of huge pages is accepted, too. A part that begins within a
 *  huge page has the content of the memfd.
 */
static void udmabuf_hugetlb(void)
{
	const size_t huge = 2 << 20;
	int memfd = memfd_create("prime", MFD_ALLOW_SEALING | MFD_HUGETLB |
				 MFD_HUGE_2MB);
	uint8_t *memory;
	int fd;

	if (memfd < 0)
		prime_skip("memfd of huge pages: %s", strerror(errno));
	if (!meminfo_kb("HugePages_Free:"))
		set_system("/proc/sys/vm/nr_hugepages",
			   meminfo_kb("HugePages_Total:") + 1);
	check_ok(ftruncate(memfd, huge) ? -errno : 0);
	memory = mmap(NULL, huge, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	if (memory == MAP_FAILED)
		prime_skip("no huge page to be had (/proc/sys/vm/nr_hugepages)");
	check_ok(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK) ? -errno : 0);
	fill(memory, huge, 13);
	fd = check_ok(udmabuf_create(memfd, 5 * PAGE, 4 * PAGE, 0));
	check_eq(size_of(fd), 4 * PAGE);
	memory += 5 * PAGE;
	fill(memory, 4 * PAGE, 14);
	check_eq(filled_dmabuf(fd, 4 * PAGE, 14), 4 * PAGE);
}

/* --- heaps: what is refused --- */

static void zero_size(int heap)
{
	check_error(heap_alloc(heap, 0, O_RDWR, 0), EINVAL);
	/* Rounded up to whole pages it is zero, too. */
	check_error(heap_alloc(heap, UINT64_MAX, O_RDWR, 0), EINVAL);
}

/**
 * SUBTEST: heap-zero-size
 * Description: A size of 0 gives EINVAL, and so does one that is 0 when it is
 *  rounded up to pages.
 */
static void heap_zero_size(void)
{
	each_heap(zero_size);
}

/**
 * SUBTEST: heap-cma-too-large
 * Description: A size above that of a contiguous heap gives ENOMEM. Afterwards a
 *  small buffer can be allocated. (The system heap knows no limit: it takes all the
 *  memory, and its caller is killed.)
 */
static void heap_cma_too_large(void)
{
	uint64_t all = (uint64_t)meminfo_kb("CmaTotal:") * 1024;
	int heap = cma_heap_open();

	check_error(heap_alloc(heap, all + PAGE, O_RDWR, 0), ENOMEM);
	check_error(heap_alloc(heap, 1ull << 46, O_RDWR, 0), ENOMEM);
	close(check_ok(heap_alloc(heap, SIZE, O_RDWR, 0)));
}

static void unknown_flags(int heap)
{
	for (int bit = 0; bit < 64; bit++)
		check_error(heap_alloc(heap, SIZE, O_RDWR, 1ull << bit),
			    EINVAL);
	check_error(heap_alloc(heap, SIZE, O_RDWR, UINT64_MAX), EINVAL);
}

/**
 * SUBTEST: heap-unknown-flags
 * Description: There are no heap flags: each bit gives EINVAL.
 */
static void heap_unknown_flags(void)
{
	each_heap(unknown_flags);
}

static void unknown_fd_flags(int heap)
{
	for (int bit = 0; bit < 32; bit++) {
		uint32_t flag = 1u << bit;

		if (!(flag & (O_CLOEXEC | O_ACCMODE)))
			check_error(heap_alloc(heap, SIZE, flag | O_RDWR, 0),
				    EINVAL);
	}
}

/**
 * SUBTEST: heap-unknown-fd-flags
 * Description: Of the fd's flags only the access mode and O_CLOEXEC are known.
 */
static void heap_unknown_fd_flags(void)
{
	each_heap(unknown_fd_flags);
}

static void fd_not_zero(int heap)
{
	struct dma_heap_allocation_data arg = {
		.len = SIZE, .fd_flags = O_RDWR, .fd = 3,
	};

	check_error(xioctl(heap, DMA_HEAP_IOCTL_ALLOC, &arg), EINVAL);
	arg.fd = -1;
	check_error(xioctl(heap, DMA_HEAP_IOCTL_ALLOC, &arg), EINVAL);
}

/**
 * SUBTEST: heap-fd-not-zero
 * Description: The field for the answer must be 0 in the request, otherwise the call
 *  gives EINVAL.
 */
static void heap_fd_not_zero(void)
{
	each_heap(fd_not_zero);
}

static void efault(int heap)
{
	struct dma_heap_allocation_data arg = {
		.len = SIZE, .fd_flags = O_RDWR,
	};
	int buffers = count_buffers();
	unsigned int fds;
	void *page;

	check_error(xioctl(heap, DMA_HEAP_IOCTL_ALLOC, NULL), EFAULT);
	page = readonly_page(&arg, sizeof(arg));
	fds = count_fds();
	check_error(xioctl(heap, DMA_HEAP_IOCTL_ALLOC, page), EFAULT);
	check_eq(count_fds(), fds);
	check_eq(settle_buffers(buffers), buffers);
}

/**
 * SUBTEST: heap-efault
 * Description: An argument that can't be read or written gives EFAULT, and leaves
 *  neither an fd nor a buffer.
 */
static void heap_efault(void)
{
	each_heap(efault);
}

static void emfile(int heap)
{
	int buffers = count_buffers();
	unsigned long limit = forbid_fds();

	check_error(heap_alloc(heap, SIZE, O_RDWR, 0), EMFILE);
	allow_fds(limit);
	check_eq(settle_buffers(buffers), buffers);
	close(check_ok(heap_alloc(heap, SIZE, O_RDWR, 0)));
}

/**
 * SUBTEST: heap-emfile
 * Description: If no fd is free, the call gives EMFILE and leaves no buffer.
 */
static void heap_emfile(void)
{
	each_heap(emfile);
}

static void unknown_ioctl(int heap)
{
	struct dma_heap_allocation_data arg = { .len = SIZE };

	check_error(xioctl(heap, _IOWR('H', 0x7f, arg), &arg), EINVAL);
}

/**
 * SUBTEST: heap-unknown-ioctl
 * Description: Another ioctl number of a heap gives EINVAL.
 */
static void heap_unknown_ioctl(void)
{
	each_heap(unknown_ioctl);
}

/* --- heaps: what is made --- */

static void rounding(int heap)
{
	const uint32_t sizes[] = { 1, PAGE - 1, PAGE, PAGE + 1, 115200,
				   16 * PAGE, 17 * PAGE - 1 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t whole = (sizes[i] + PAGE - 1) / PAGE * PAGE;
		int fd = check_ok(heap_alloc(heap, sizes[i], O_RDWR, 0));

		check_eq(size_of(fd), whole);
		fill_dmabuf(fd, whole, i);
		check_eq(filled_dmabuf(fd, whole, i), whole);
		close(fd);
	}
}

/**
 * SUBTEST: heap-rounding
 * Description: A size is rounded up to whole pages; all of them can be written
 *  and read back.
 */
static void heap_rounding(void)
{
	each_heap(rounding);
}

static void zeroed(int heap)
{
	for (int i = 0; i < 4; i++) {
		int fd = check_ok(heap_alloc(heap, 1 << 20, O_RDWR, 0));
		void *memory = map_dmabuf(fd, 1 << 20);

		check_eq(filled_byte(memory, 1 << 20, 0), 1 << 20);
		memset(memory, 0xa5, 1 << 20);
		unmap(memory, 1 << 20);
		close(fd);
	}
}

/**
 * SUBTEST: heap-zeroed
 * Description: A new buffer is zeroed, also if another buffer had its memory just
 *  before.
 */
static void heap_zeroed(void)
{
	each_heap(zeroed);
}

static void fd_flags(int heap)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR };

	for (int i = 0; i < 6; i++) {
		int mode = modes[i % 3], cloexec = i < 3 ? 0 : O_CLOEXEC;
		int fd = check_ok(heap_alloc(heap, SIZE, mode | cloexec, 0));

		check_eq(fcntl(fd, F_GETFL) & O_ACCMODE, mode);
		check_eq(fcntl(fd, F_GETFD), cloexec ? FD_CLOEXEC : 0);
		close(fd);
	}
}

/**
 * SUBTEST: heap-fd-flags
 * Description: The fd has the access mode that was asked for, and closes on
 *  exec only when asked to.
 */
static void heap_fd_flags(void)
{
	each_heap(fd_flags);
}

static void rights(int heap)
{
	int readable = check_ok(heap_alloc(heap, SIZE, O_RDONLY, 0));
	int writable = check_ok(heap_alloc(heap, SIZE, O_WRONLY, 0));
	void *memory;

	check(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, readable,
		   0) == MAP_FAILED);
	check_eq(errno, EACCES);
	memory = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, readable, 0);
	check(memory != MAP_FAILED);
	check_eq(filled_byte(memory, SIZE, 0), SIZE);
	check_error(mprotect(memory, SIZE, PROT_READ | PROT_WRITE) ?
		    -errno : 0, EACCES);
	/* A mapping always reads. */
	check(mmap(NULL, SIZE, PROT_WRITE, MAP_SHARED, writable, 0) ==
	      MAP_FAILED);
	check_eq(errno, EACCES);
	close(readable);
	close(writable);
}

/**
 * SUBTEST: heap-rights
 * Description: A buffer that may only be read can't be mapped for writing, not with
 *  mprotect() either. One that may only be written can't be mapped at all.
 */
static void heap_rights(void)
{
	each_heap(rights);
}

static void private_mapping(int heap)
{
	int fd = check_ok(heap_alloc(heap, SIZE, O_RDWR, 0));

	check(mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED);
	check_eq(errno, EINVAL);
	close(fd);
}

/**
 * SUBTEST: heap-private-mapping
 * Description: A private mapping of a buffer gives EINVAL.
 */
static void heap_private_mapping(void)
{
	each_heap(private_mapping);
}

static void mapping_past_end(int heap)
{
	int fd = check_ok(heap_alloc(heap, SIZE, O_RDWR, 0));

	check(mmap(NULL, SIZE + PAGE, PROT_READ, MAP_SHARED, fd, 0) ==
	      MAP_FAILED);
	check_eq(errno, EINVAL);
	check(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, SIZE) == MAP_FAILED);
	check_eq(errno, EINVAL);
	close(fd);
}

/**
 * SUBTEST: heap-mapping-past-end
 * Description: A mapping that goes past the end of the buffer, or begins there,
 *  gives EINVAL.
 */
static void heap_mapping_past_end(void)
{
	each_heap(mapping_past_end);
}

static void mapping_offset(int heap)
{
	int fd = check_ok(heap_alloc(heap, SIZE, O_RDWR, 0));
	uint8_t *whole = map_dmabuf(fd, SIZE), *part;

	fill(whole, SIZE, 15);
	part = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, 4 * PAGE);
	check(part != MAP_FAILED);
	check_eq(same_bytes(part, whole + 4 * PAGE, 3 * PAGE), 3 * PAGE);
	unmap(part, 3 * PAGE);
	unmap(whole, SIZE);
	close(fd);
}

/**
 * SUBTEST: heap-mapping-offset
 * Description: A mapping with an offset shows the buffer from there.
 */
static void heap_mapping_offset(void)
{
	each_heap(mapping_offset);
}

static void mapping_outlives_fd(int heap)
{
	int buffers = count_buffers();
	int fd = check_ok(heap_alloc(heap, SIZE, O_RDWR, 0));
	void *memory = map_dmabuf(fd, SIZE);

	close(fd);
	fill(memory, SIZE, 16);
	check_eq(filled(memory, SIZE, 16), SIZE);
	check_eq(settle_buffers(buffers + 1), buffers + 1);
	unmap(memory, SIZE);
	check_eq(settle_buffers(buffers), buffers);
}

/**
 * SUBTEST: heap-mapping-outlives-fd
 * Description: A mapping keeps the buffer after its fd is closed. The buffer is
 *  freed with the mapping.
 */
static void heap_mapping_outlives_fd(void)
{
	each_heap(mapping_outlives_fd);
}

static void many(int heap)
{
	int fds[64];

	for (int i = 0; i < 64; i++) {
		fds[i] = check_ok(heap_alloc(heap, 4 * PAGE, O_RDWR, 0));
		for (int j = 0; j < i; j++)
			check(inode_of(fds[j]) != inode_of(fds[i]));
		fill_dmabuf(fds[i], 4 * PAGE, i);
	}
	for (int i = 0; i < 64; i++) {
		check_eq(filled_dmabuf(fds[i], 4 * PAGE, i), 4 * PAGE);
		close(fds[i]);
	}
}

/**
 * SUBTEST: heap-many
 * Description: Each allocation is a dma-buf with an inode and memory of its
 *  own.
 */
static void heap_many(void)
{
	each_heap(many);
}

/**
 * SUBTEST: heap-cma-comes-back
 * Description: The memory of a contiguous heap is free again after the last close:
 *  half of it can be allocated over and over.
 */
static void heap_cma_comes_back(void)
{
	uint64_t half = (uint64_t)meminfo_kb("CmaTotal:") * 512;
	int heap = cma_heap_open();

	for (int i = 0; i < 10; i++)
		close(check_ok(heap_alloc(heap, half, O_RDWR, 0)));
}

static const struct prime_subtest subtests[] = {
	SUBTEST(udmabuf_seals),
	SUBTEST(udmabuf_unsealable),
	SUBTEST(udmabuf_bad_fd),
	SUBTEST(udmabuf_alignment),
	SUBTEST(udmabuf_range),
	SUBTEST(udmabuf_efault),
	SUBTEST(udmabuf_emfile),
	SUBTEST(udmabuf_list_limits),
	SUBTEST(udmabuf_size_limit),
	SUBTEST(udmabuf_unknown_ioctl),
	SUBTEST(udmabuf_cloexec),
	SUBTEST(udmabuf_shares_memfd),
	SUBTEST(udmabuf_offset),
	SUBTEST(udmabuf_list_order),
	SUBTEST(udmabuf_page_twice),
	SUBTEST(udmabuf_two_of_one),
	SUBTEST(udmabuf_outlives_memfd),
	SUBTEST(udmabuf_mapping_outlives_fd),
	SUBTEST(udmabuf_private_mapping),
	SUBTEST(udmabuf_memfd_sealed_later),
	SUBTEST(udmabuf_hole_punched),
	SUBTEST(udmabuf_hugetlb),
	SUBTEST(heap_zero_size),
	SUBTEST(heap_cma_too_large),
	SUBTEST(heap_unknown_flags),
	SUBTEST(heap_unknown_fd_flags),
	SUBTEST(heap_fd_not_zero),
	SUBTEST(heap_efault),
	SUBTEST(heap_emfile),
	SUBTEST(heap_unknown_ioctl),
	SUBTEST(heap_rounding),
	SUBTEST(heap_zeroed),
	SUBTEST(heap_fd_flags),
	SUBTEST(heap_rights),
	SUBTEST(heap_private_mapping),
	SUBTEST(heap_mapping_past_end),
	SUBTEST(heap_mapping_offset),
	SUBTEST(heap_mapping_outlives_fd),
	SUBTEST(heap_many),
	SUBTEST(heap_cma_comes_back),
};

PRIME_MAIN(subtests)
