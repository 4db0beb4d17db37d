// SPDX-License-Identifier: MIT
/**
 * TEST: v4l2 dmabuf
 * Description: V4L2's queues as exporters (VIDIOC_EXPBUF) and importers
 *  (V4L2_MEMORY_DMABUF): vivid with vmalloc and with dma-contig buffers, with one
 *  plane and with two, vim2m and visl. They share buffers with one another, with
 *  udmabuf, with the dma-heaps and with prime_mock. The DRM device under test takes
 *  no part, so one run is enough. capture-without-vmap shows a defect of vivid, and
 *  runs with PRIME_DANGEROUS=1 only.
 */
#include "lib/mock_buffer.h"
#include "lib/prime_memory.h"
#include "lib/prime_v4l2.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

struct on_device {
	enum v4l2_device device;
	void (*test)(enum v4l2_device device);
	void (*test_queue)(struct v4l2_queue *q);
};

static void run_on_device(void *data)
{
	const struct on_device *on = data;
	struct v4l2_queue q;

	if (on->test) {
		on->test(on->device);
		return;
	}
	q = v4l2_capture(on->device);
	on->test_queue(&q);
}

/* Runs @test with the first @count devices, each a dynamic subtest. */
static void first_devices(unsigned int count, void (*test)(enum v4l2_device device))
{
	for (unsigned int device = 0; device < count; device++)
		prime_dynamic(v4l2_name(device), run_on_device,
			      &(struct on_device){ .device = device, .test = test });
}

/* Runs @test with the capture queue of each device. */
static void each_device(void (*test)(struct v4l2_queue *q))
{
	for (unsigned int device = 0; device < V4L2_DEVICES; device++)
		prime_dynamic(v4l2_name(device), run_on_device,
			      &(struct on_device){ .device = device, .test_queue = test });
}

/* A capture queue with @count buffers of its own. */
static struct v4l2_queue own_queue(enum v4l2_device device, unsigned int count)
{
	struct v4l2_queue q = v4l2_capture(device);

	check_eq(check_ok(v4l2_request(&q, V4L2_MEMORY_MMAP, count)), count);
	return q;
}

/* A capture queue that takes @count dma-bufs. */
static struct v4l2_queue import_queue(enum v4l2_device device,
				      unsigned int count)
{
	struct v4l2_queue q = v4l2_capture(device);

	check_eq(check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, count)), count);
	return q;
}

/* The buffer begins with the picture, and behind it nothing was written. */
static void check_picture(int dmabuf, const void *picture, size_t size)
{
	size_t all = size_of(dmabuf);
	uint8_t *memory = map_dmabuf(dmabuf, all);

	check_ok(dmabuf_sync(dmabuf, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	check_eq(same_bytes(memory, picture, size), size);
	check_eq(filled_byte(memory + size, all - size, POISON), all - size);
	check_ok(dmabuf_sync(dmabuf, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
	unmap(memory, all);
}

/* --- VIDIOC_EXPBUF --- */

static void try_export_flags(struct v4l2_queue *q)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR };

	check_ok(v4l2_request(q, V4L2_MEMORY_MMAP, 2));
	for (int i = 0; i < 6; i++) {
		int mode = modes[i % 3], cloexec = i < 3 ? 0 : O_CLOEXEC;
		int fd = check_ok(v4l2_export(q, 0, 0, mode | cloexec));

		check_eq(fcntl(fd, F_GETFL) & O_ACCMODE, mode);
		check_eq(fcntl(fd, F_GETFD), cloexec ? FD_CLOEXEC : 0);
		close(fd);
	}
}

/**
 * SUBTEST: expbuf-flags
 * Description: The fd has the access mode that was asked for, and closes on
 *  exec only when asked to.
 */
static void expbuf_flags(void)
{
	each_device(try_export_flags);
}

static void try_export_rights(struct v4l2_queue *q)
{
	int fd, write_only;
	void *memory;

	check_ok(v4l2_request(q, V4L2_MEMORY_MMAP, 2));
	fd = check_ok(v4l2_export(q, 0, 0, O_RDONLY));
	write_only = check_ok(v4l2_export(q, 0, 0, O_WRONLY));
	check(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) ==
	      MAP_FAILED);
	check_eq(errno, EACCES);
	check(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, write_only, 0) ==
	      MAP_FAILED);
	check_eq(errno, EACCES);
	memory = mmap(NULL, size_of(fd), PROT_READ, MAP_SHARED, fd, 0);
	check(memory != MAP_FAILED);
	check_error(mprotect(memory, PAGE, PROT_READ | PROT_WRITE) ? -errno : 0,
		    EACCES);
	unmap(memory, size_of(fd));
	close(fd);
	close(write_only);
}

/**
 * SUBTEST: expbuf-rights
 * Description: A buffer exported for reading can't be mapped for writing, not with
 *  mprotect() either. One exported for writing only can't be mapped at all.
 */
static void expbuf_rights(void)
{
	each_device(try_export_rights);
}

static void try_export_unknown_flags(struct v4l2_queue *q)
{
	int buffers = count_buffers();
	unsigned int fds;

	check_ok(v4l2_request(q, V4L2_MEMORY_MMAP, 2));
	fds = count_fds();
	for (int bit = 0; bit < 32; bit++) {
		uint32_t flag = 1u << bit;

		if (!(flag & (O_CLOEXEC | O_ACCMODE)))
			check_error(v4l2_export(q, 0, 0, flag | O_RDWR),
				    EINVAL);
	}
	check_eq(count_fds(), fds);
	check_eq(settle_buffers(buffers), buffers);
}

/**
 * SUBTEST: expbuf-unknown-flags
 * Description: Any flag except the access mode and O_CLOEXEC gives EINVAL and leaves
 *  nothing.
 */
static void expbuf_unknown_flags(void)
{
	each_device(try_export_unknown_flags);
}

static void try_export_range(struct v4l2_queue *q)
{
	unsigned int count = check_ok(v4l2_request(q, V4L2_MEMORY_MMAP, 2));
	uint32_t type = q->type;

	check_error(v4l2_export(q, count, 0, O_RDWR), EINVAL);
	check_error(v4l2_export(q, UINT32_MAX, 0, O_RDWR), EINVAL);
	check_error(v4l2_export(q, 0, q->planes, O_RDWR), EINVAL);
	check_error(v4l2_export(q, 0, UINT32_MAX, O_RDWR), EINVAL);
	q->type = V4L2_BUF_TYPE_VBI_CAPTURE;
	check_error(v4l2_export(q, 0, 0, O_RDWR), EINVAL);
	q->type = type;
	close(check_ok(v4l2_export(q, count - 1, q->planes - 1, O_RDWR)));
}

/**
 * SUBTEST: expbuf-range
 * Description: A buffer, a plane or a type that does not exist gives EINVAL.
 */
static void expbuf_range(void)
{
	each_device(try_export_range);
}

static void try_export_nothing(struct v4l2_queue *q)
{
	check_error(v4l2_export(q, 0, 0, O_RDWR), EINVAL);
	check_ok(v4l2_request(q, V4L2_MEMORY_MMAP, 2));
	close(check_ok(v4l2_export(q, 0, 0, O_RDWR)));
	check_ok(v4l2_request(q, V4L2_MEMORY_MMAP, 0));
	check_error(v4l2_export(q, 0, 0, O_RDWR), EINVAL);
	check_ok(v4l2_request(q, V4L2_MEMORY_DMABUF, 2));
	check_error(v4l2_export(q, 0, 0, O_RDWR), EINVAL);
}

/**
 * SUBTEST: expbuf-without-buffers
 * Description: Before buffers are requested, after they are given back, and in a
 *  queue that takes dma-bufs, an export gives EINVAL.
 */
static void expbuf_without_buffers(void)
{
	each_device(try_export_nothing);
}

static void try_export_emfile(struct v4l2_queue *q)
{
	int buffers = count_buffers();
	unsigned long limit;

	check_ok(v4l2_request(q, V4L2_MEMORY_MMAP, 2));
	limit = forbid_fds();
	check_error(v4l2_export(q, 0, 0, O_RDWR), EMFILE);
	allow_fds(limit);
	check_eq(settle_buffers(buffers), buffers);
	close(check_ok(v4l2_export(q, 0, 0, O_RDWR)));
}

/**
 * SUBTEST: expbuf-emfile
 * Description: If no fd is free, the call gives EMFILE and leaves no buffer.
 */
static void expbuf_emfile(void)
{
	each_device(try_export_emfile);
}

static void try_export_efault(struct v4l2_queue *q)
{
	struct v4l2_exportbuffer arg = { .type = q->type, .flags = O_RDWR };
	unsigned int fds;
	void *page;

	check_ok(v4l2_request(q, V4L2_MEMORY_MMAP, 2));
	check_error(xioctl(q->fd, VIDIOC_EXPBUF, NULL), EFAULT);
	page = readonly_page(&arg, sizeof(arg));
	fds = count_fds();
	check_error(xioctl(q->fd, VIDIOC_EXPBUF, page), EFAULT);
	check_eq(count_fds(), fds);
}

/**
 * SUBTEST: expbuf-efault
 * Description: An argument that can't be read or written gives EFAULT, and leaves no
 *  fd.
 */
static void expbuf_efault(void)
{
	each_device(try_export_efault);
}

static void try_export_size(struct v4l2_queue *q)
{
	check_ok(v4l2_request(q, V4L2_MEMORY_MMAP, 2));
	for (unsigned int i = 0; i < q->planes; i++) {
		int fd = check_ok(v4l2_export(q, 0, i, O_RDWR));

		/* The size of a picture here is not a multiple of the page size. */
		check(q->size[i] % PAGE);
		check_eq(size_of(fd), (q->size[i] + PAGE - 1) / PAGE * PAGE);
		close(fd);
	}
}

/**
 * SUBTEST: expbuf-size
 * Description: The buffer's size is that of the picture, in whole pages.
 */
static void expbuf_size(void)
{
	each_device(try_export_size);
}

static void try_export_same_memory(struct v4l2_queue *q)
{
	uint8_t *mapping, *other;
	int a, b;

	check_ok(v4l2_request(q, V4L2_MEMORY_MMAP, 2));
	a = check_ok(v4l2_export(q, 0, 0, O_RDWR));
	b = check_ok(v4l2_export(q, 0, 0, O_RDWR));
	check(inode_of(a) != inode_of(b));
	other = map_dmabuf(check_ok(v4l2_export(q, 1, 0, O_RDWR)), q->size[0]);
	memset(other, POISON, q->size[0]);

	mapping = v4l2_map(q, 0);
	fill(mapping, q->size[0], 1);
	check_eq(filled_dmabuf(a, q->size[0], 1), q->size[0]);
	fill_dmabuf(b, q->size[0], 2);
	check_eq(filled(mapping, q->size[0], 2), q->size[0]);
	check_eq(filled_dmabuf(a, q->size[0], 2), q->size[0]);
	check_eq(filled_byte(other, q->size[0], POISON), q->size[0]);
	unmap(mapping, q->size[0]);
	unmap(other, q->size[0]);
}

/**
 * SUBTEST: expbuf-same-memory
 * Description: V4L2's mapping and two exports of a buffer show the same memory, byte
 *  by byte, and not the next buffer's. The exports are two dma-bufs.
 */
static void expbuf_same_memory(void)
{
	each_device(try_export_same_memory);
}

static void try_export_orphaned(struct v4l2_queue *q)
{
	int fd;

	check_ok(v4l2_request(q, V4L2_MEMORY_MMAP, 2));
	fd = check_ok(v4l2_export(q, 0, 0, O_RDWR));
	fill_dmabuf(fd, q->size[0], 3);
	check_eq(v4l2_request(q, V4L2_MEMORY_MMAP, 0), 0);
	check_eq(filled_dmabuf(fd, q->size[0], 3), q->size[0]);
	/* The buffers that are requested now have other memory. */
	check_ok(v4l2_request(q, V4L2_MEMORY_MMAP, 2));
	for (int i = 0; i < 2; i++) {
		uint8_t *memory = v4l2_map(q, i);

		memset(memory, POISON, q->size[0]);
		unmap(memory, q->size[0]);
	}
	check_eq(filled_dmabuf(fd, q->size[0], 3), q->size[0]);
	close(fd);
}

/**
 * SUBTEST: expbuf-orphaned
 * Description: Buffers can be given back while they are exported. The dma-buf keeps
 *  its memory, and later buffers have other memory.
 */
static void expbuf_orphaned(void)
{
	each_device(try_export_orphaned);
}

static void try_export_outlives_node(struct v4l2_queue *q)
{
	int fd;

	check_ok(v4l2_request(q, V4L2_MEMORY_MMAP, 2));
	fd = check_ok(v4l2_export(q, 0, 0, O_RDWR));
	fill_dmabuf(fd, q->size[0], 4);
	close(q->fd);
	check_eq(filled_dmabuf(fd, q->size[0], 4), q->size[0]);
	close(fd);
	q->fd = -1;
}

/**
 * SUBTEST: expbuf-outlives-node
 * Description: The dma-buf keeps its memory after the video node is closed.
 */
static void expbuf_outlives_node(void)
{
	each_device(try_export_outlives_node);
}

static void try_export_while_streaming(struct v4l2_queue *q)
{
	int fd;

	if (q->device >= V4L2_MEM2MEM)
		return;		/* makes no picture by itself */
	check_ok(v4l2_request(q, V4L2_MEMORY_MMAP, 2));
	check_ok(v4l2_queue_buffer(q, 0, -1));
	check_ok(v4l2_queue_buffer(q, 1, -1));
	check_ok(v4l2_start(q));
	fd = check_ok(v4l2_export(q, 0, 0, O_RDWR));
	close(check_ok(v4l2_export(q, 1, 0, O_RDWR)));
	v4l2_dequeue(q);
	/* In the middle of streaming: the device still writes to the other buffer. */
	close(q->fd);
	poison_dmabuf(fd);
	close(fd);
	q->fd = -1;
}

/**
 * SUBTEST: expbuf-while-streaming
 * Description: A buffer can be exported while the device writes to it, and
 *  outlives a node that is closed without stopping.
 */
static void expbuf_while_streaming(void)
{
	each_device(try_export_while_streaming);
}

static void expbuf_frames_on(enum v4l2_device device)
{
	void *picture = v4l2_picture(device);
	struct v4l2_queue q = own_queue(device, 3);
	uint8_t *mappings[3];
	int fds[3], last = -1;

	for (int i = 0; i < 3; i++) {
		mappings[i] = v4l2_map(&q, i);
		fds[i] = check_ok(v4l2_export(&q, i, 0, O_RDWR));
		poison_dmabuf(fds[i]);
		check_ok(v4l2_queue_buffer(&q, i, -1));
	}
	check_ok(v4l2_start(&q));
	for (int frame = 0; frame < 9; frame++) {
		int i = v4l2_dequeue(&q);

		check((int)q.last.sequence >= last);
		last = q.last.sequence;
		check_picture(fds[i], picture, q.size[0]);
		check_eq(same_bytes(mappings[i], picture, q.size[0]),
			 q.size[0]);
		poison_dmabuf(fds[i]);
		check_eq(filled_byte(mappings[i], q.size[0], POISON),
			 q.size[0]);
		check_ok(v4l2_queue_buffer(&q, i, -1));
	}
	close(q.fd);
	for (int i = 0; i < 3; i++) {
		unmap(mappings[i], q.size[0]);
		close(fds[i]);
	}
	free(picture);
}

/**
 * SUBTEST: expbuf-frames
 * Description: Over several frames, V4L2's mapping and the dma-buf's show the same
 *  bytes. No frame shows bytes of the one before it, and the sequence number never
 *  falls.
 */
static void expbuf_frames(void)
{
	first_devices(V4L2_MEM2MEM, expbuf_frames_on);
}

/* --- V4L2_MEMORY_DMABUF: what is refused --- */

static void try_bad_fd(struct v4l2_queue *q)
{
	int ends[2], closed = make_memory(MEMORY_CMA_HEAP, q->size[0]);
	int memfd = memfd_create("x", 0), good;
	unsigned int fds;

	close(closed);
	check_ok(pipe(ends) ? -errno : 0);
	check_ok(v4l2_request(q, V4L2_MEMORY_DMABUF, 2));
	fds = count_fds();
	check_error(v4l2_queue_buffer(q, 0, -1), EINVAL);
	check_error(v4l2_queue_buffer(q, 0, 1 << 20), EINVAL);
	check_error(v4l2_queue_buffer(q, 0, closed), EINVAL);
	check_error(v4l2_queue_buffer(q, 0, memfd), EINVAL);
	check_error(v4l2_queue_buffer(q, 0, ends[0]), EINVAL);
	check_error(v4l2_queue_buffer(q, 0, q->fd), EINVAL);
	check_eq(count_fds(), fds);
	/* The buffer can still be queued. */
	good = make_memory(MEMORY_CMA_HEAP, q->size[0]);
	if (q->planes == 1)
		check_ok(v4l2_queue_buffer(q, 0, good));
	close(good);
	close(memfd);
	close(ends[0]);
	close(ends[1]);
}

/**
 * SUBTEST: import-bad-fd
 * Description: A number that is not an open file, or a file of another kind, gives
 *  EINVAL. The buffer can then be queued with a good fd.
 */
static void import_bad_fd(void)
{
	each_device(try_bad_fd);
}

static void try_too_small(struct v4l2_queue *q)
{
	size_t whole = (q->size[0] + PAGE - 1) / PAGE * PAGE;
	const uint32_t lengths[] = { q->size[0] - 1, q->size[0] - 1 };
	int small = make_memory(MEMORY_CMA_HEAP, whole - PAGE);
	int good = make_memory(MEMORY_CMA_HEAP, whole);
	const int fds[] = { good, good };

	check_ok(v4l2_request(q, V4L2_MEMORY_DMABUF, 2));
	check_error(v4l2_queue_buffer(q, 0, small), EINVAL);
	/* Large enough, but said to be smaller than the picture. */
	check_error(v4l2_queue_planes(q, 0, fds, lengths), EINVAL);
	check_eq(attachments_of(small), 0);
	check_eq(attachments_of(good), 0);
	close(small);
	close(good);
}

/**
 * SUBTEST: import-too-small
 * Description: A dma-buf that is smaller than the picture, or whose length is given
 *  as smaller, gives EINVAL and is not kept.
 */
static void import_too_small(void)
{
	each_device(try_too_small);
}

static void try_wrong_memory(struct v4l2_queue *q)
{
	int good = make_memory(MEMORY_CMA_HEAP, q->size[0]);

	check_ok(v4l2_request(q, V4L2_MEMORY_MMAP, 2));
	q->memory = V4L2_MEMORY_DMABUF;
	check_error(v4l2_queue_buffer(q, 0, good), EINVAL);
	check_ok(v4l2_request(q, V4L2_MEMORY_DMABUF, 2));
	q->memory = V4L2_MEMORY_MMAP;
	check_error(v4l2_queue_buffer(q, 0, good), EINVAL);
	close(good);
}

/**
 * SUBTEST: import-wrong-memory
 * Description: A dma-buf in a queue with buffers of its own gives EINVAL, and so
 *  does a buffer of its own in a queue of dma-bufs.
 */
static void import_wrong_memory(void)
{
	each_device(try_wrong_memory);
}

/**
 * SUBTEST: import-scattered
 * Description: A device that needs contiguous memory refuses a scattered buffer
 *  (EFAULT) and keeps nothing of it. A contiguous one is accepted afterwards.
 */
static void import_scattered(void)
{
	struct v4l2_queue q = import_queue(V4L2_CONTIG, 2);
	int bad = make_memory(MEMORY_SCATTERED, q.size[0]);
	int good = make_memory(MEMORY_CMA_HEAP, q.size[0]);

	for (int i = 0; i < 3; i++) {
		check_error(v4l2_queue_buffer(&q, 0, bad), EFAULT);
		check_eq(attachments_of(bad), 0);
	}
	check_ok(v4l2_queue_buffer(&q, 0, good));
	check_eq(attachments_of(good), 1);
}

/**
 * SUBTEST: import-scattered-in-place
 * Description: A refused buffer leaves its place empty. The buffer that was queued
 *  there before is released, and can be queued again.
 */
static void import_scattered_in_place(void)
{
	struct v4l2_queue q = import_queue(V4L2_CONTIG, 2);
	int bad = make_memory(MEMORY_SCATTERED, q.size[0]);
	int good = make_memory(MEMORY_CMA_HEAP, q.size[0]);

	check_ok(v4l2_queue_buffer(&q, 0, good));
	check_ok(v4l2_stop(&q));
	check_error(v4l2_queue_buffer(&q, 0, bad), EFAULT);
	check_eq(attachments_of(bad), 0);
	check_eq(attachments_of(good), 0);
	check_ok(v4l2_queue_buffer(&q, 0, good));
	check_eq(attachments_of(good), 1);
}

/* --- V4L2_MEMORY_DMABUF: attachments --- */

/**
 * SUBTEST: import-replaced
 * Description: A queued buffer has one attachment, and keeps it when it is queued
 *  again. When another dma-buf is queued in its place, the first one is detached.
 */
static void import_replaced(void)
{
	struct v4l2_queue q = import_queue(V4L2_CONTIG, 2);
	int a = make_memory(MEMORY_CMA_HEAP, q.size[0]);
	int b = make_memory(MEMORY_CMA_HEAP, q.size[0]);

	for (int i = 0; i < 3; i++) {
		check_ok(v4l2_queue_buffer(&q, 0, a));
		check_eq(attachments_of(a), 1);
		check_ok(v4l2_stop(&q));
		check_ok(v4l2_queue_buffer(&q, 0, a));
		check_eq(attachments_of(a), 1);
		check_eq(attachments_of(b), 0);
		check_ok(v4l2_stop(&q));
		check_ok(v4l2_queue_buffer(&q, 0, b));
		check_eq(attachments_of(a), 0);
		check_eq(attachments_of(b), 1);
		check_ok(v4l2_stop(&q));
	}
	check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 0));
	check_eq(attachments_of(b), 0);
}

/**
 * SUBTEST: import-requests-given-back
 * Description: When the queue's buffers are given back, what was queued is detached,
 *  also if the queue never streamed.
 */
static void import_requests_given_back(void)
{
	struct v4l2_queue q = v4l2_capture(V4L2_CONTIG);
	int fds[4];

	for (int i = 0; i < 4; i++)
		fds[i] = make_memory(MEMORY_CMA_HEAP, q.size[0]);
	for (int round = 0; round < 5; round++) {
		check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 4));
		for (int i = 0; i < 4; i++) {
			check_ok(v4l2_queue_buffer(&q, i, fds[i]));
			check_eq(attachments_of(fds[i]), 1);
		}
		check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 0));
		for (int i = 0; i < 4; i++)
			check_eq(attachments_of(fds[i]), 0);
	}
}

/**
 * SUBTEST: import-node-closed
 * Description: Closing the node while it streams detaches every buffer.
 */
static void import_node_closed(void)
{
	for (int round = 0; round < 5; round++) {
		struct v4l2_queue q = import_queue(V4L2_CONTIG, 3);
		int fds[3];

		for (int i = 0; i < 3; i++) {
			fds[i] = make_memory(MEMORY_CMA_HEAP, q.size[0]);
			check_ok(v4l2_queue_buffer(&q, i, fds[i]));
		}
		check_ok(v4l2_start(&q));
		/* Each time at another moment of the frame. */
		usleep(round * 7000);
		close(q.fd);
		for (int i = 0; i < 3; i++) {
			check_eq(settle_attachments(fds[i], 0), 0);
			poison_dmabuf(fds[i]);
			close(fds[i]);
		}
	}
}

/**
 * SUBTEST: import-process-killed
 * Description: A process that is killed while it streams leaves no attachment.
 */
static void import_process_killed(void)
{
	struct v4l2_queue q = v4l2_capture(V4L2_CONTIG);
	int fd = make_memory(MEMORY_CMA_HEAP, q.size[0]);
	int other = make_memory(MEMORY_CMA_HEAP, q.size[0]);
	int ends[2], status;
	char byte = 0;
	pid_t pid;

	close(q.fd);
	check_ok(pipe(ends) ? -errno : 0);
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		q = import_queue(V4L2_CONTIG, 2);
		check_ok(v4l2_queue_buffer(&q, 0, fd));
		check_ok(v4l2_queue_buffer(&q, 1, other));
		check_ok(v4l2_start(&q));
		if (write(ends[1], &byte, 1) == 1)
			pause();
		_exit(PRIME_EXIT_FAILURE);
	}
	close(ends[1]);
	check_eq(read(ends[0], &byte, 1), 1);
	check_eq(attachments_of(fd), 1);
	check_ok(kill(pid, SIGKILL) ? -errno : 0);
	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFSIGNALED(status));
	check_eq(settle_attachments(fd, 0), 0);
	check_eq(settle_attachments(other, 0), 0);
}

/**
 * SUBTEST: import-stop-and-start
 * Description: Stopping gives all buffers back at once. When they are queued again,
 *  they are filled again after the next start.
 */
static void import_stop_and_start(void)
{
	void *picture = v4l2_picture(V4L2_CONTIG);
	struct v4l2_queue q = import_queue(V4L2_CONTIG, 2);
	int fds[2];

	for (int i = 0; i < 2; i++)
		fds[i] = make_memory(MEMORY_CMA_HEAP, q.size[0]);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 2; i++) {
			poison_dmabuf(fds[i]);
			check_ok(v4l2_queue_buffer(&q, i, fds[i]));
		}
		check_ok(v4l2_start(&q));
		check_picture(fds[v4l2_dequeue(&q)], picture, q.size[0]);
		check_ok(v4l2_stop(&q));
		check_eq(attachments_of(fds[0]), 1);
	}
	free(picture);
}

/* --- V4L2_MEMORY_DMABUF: content --- */

/* @frames frames into @count buffers of a kind, each byte compared. */
static void capture_into(enum v4l2_device device, const int *fds,
			 unsigned int count, unsigned int frames)
{
	void *picture = v4l2_picture(device);
	struct v4l2_queue q = import_queue(device, count);
	int last = -1;

	for (unsigned int i = 0; i < count; i++) {
		poison_dmabuf(fds[i]);
		check_ok(v4l2_queue_buffer(&q, i, fds[i]));
	}
	check_ok(v4l2_start(&q));
	for (unsigned int frame = 0; frame < frames; frame++) {
		unsigned int i = v4l2_dequeue(&q);

		check((int)q.last.sequence >= last);
		last = q.last.sequence;
		check_picture(fds[i], picture, q.size[0]);
		poison_dmabuf(fds[i]);
		check_ok(v4l2_queue_buffer(&q, i, fds[i]));
	}
	close(q.fd);
	free(picture);
}

static void capture_into_memory(enum v4l2_device device, enum memory kind)
{
	struct v4l2_queue q = v4l2_capture(device);
	int fds[3];

	close(q.fd);
	for (int i = 0; i < 3; i++)
		fds[i] = make_memory(kind, q.size[0]);
	capture_into(device, fds, 3, 9);
}

/**
 * SUBTEST: capture-vmalloc-into-udmabuf
 * Description: vivid's frames arrive whole in udmabufs, and nothing is written
 *  behind them.
 */
static void capture_vmalloc_into_udmabuf(void)
{
	capture_into_memory(V4L2_VMALLOC, MEMORY_UDMABUF);
}

/**
 * SUBTEST: capture-vmalloc-into-system-heap
 * Description: The same with buffers of the system heap.
 */
static void capture_vmalloc_into_system_heap(void)
{
	capture_into_memory(V4L2_VMALLOC, MEMORY_SYSTEM_HEAP);
}

/**
 * SUBTEST: capture-vmalloc-into-cma-heap
 * Description: The same with contiguous buffers.
 */
static void capture_vmalloc_into_cma_heap(void)
{
	capture_into_memory(V4L2_VMALLOC, MEMORY_CMA_HEAP);
}

/**
 * SUBTEST: capture-contig-into-cma-heap
 * Description: vivid with contiguous buffers fills those of the CMA heap.
 */
static void capture_contig_into_cma_heap(void)
{
	capture_into_memory(V4L2_CONTIG, MEMORY_CMA_HEAP);
}

/* It is chance which buffers are contiguous. The result for each kind is certain. */
static void contig_or_refused(enum memory kind)
{
	void *picture = v4l2_picture(V4L2_CONTIG);
	struct v4l2_queue q = import_queue(V4L2_CONTIG, 2);
	int fds[2];

	for (int i = 0; i < 2; i++) {
		fds[i] = make_memory(kind, q.size[0]);
		poison_dmabuf(fds[i]);
		if (contiguous_bytes(fds[i]) < q.size[0]) {
			check_error(v4l2_queue_buffer(&q, i, fds[i]), EFAULT);
			check_eq(attachments_of(fds[i]), 0);
			close(fds[i]);
			fds[i] = make_memory(MEMORY_CMA_HEAP, q.size[0]);
			poison_dmabuf(fds[i]);
		}
		check_ok(v4l2_queue_buffer(&q, i, fds[i]));
	}
	check_ok(v4l2_start(&q));
	for (int i = 0; i < 2; i++)
		check_picture(fds[v4l2_dequeue(&q)], picture, q.size[0]);
	free(picture);
}

/**
 * SUBTEST: capture-contig-into-udmabuf
 * Description: If a udmabuf happens to be contiguous, it is filled completely.
 *  Otherwise it is refused with EFAULT. It is never filled in part.
 */
static void capture_contig_into_udmabuf(void)
{
	contig_or_refused(MEMORY_UDMABUF);
}

/**
 * SUBTEST: capture-contig-into-system-heap
 * Description: The same with buffers of the system heap.
 */
static void capture_contig_into_system_heap(void)
{
	contig_or_refused(MEMORY_SYSTEM_HEAP);
}

/* Buffers of another V4L2 device, in @fds. Gives the queue of that device. */
static struct v4l2_queue exported(enum v4l2_device device, int *fds,
				  unsigned int count)
{
	struct v4l2_queue q = own_queue(device, count);

	for (unsigned int i = 0; i < count; i++)
		fds[i] = check_ok(v4l2_export(&q, i, 0, O_RDWR | O_CLOEXEC));
	return q;
}

/**
 * SUBTEST: capture-vmalloc-into-contig
 * Description: vivid with vmalloc fills buffers that vivid with dma-contig exports,
 *  also after the exporter's node is closed.
 */
static void capture_vmalloc_into_contig(void)
{
	struct v4l2_queue exporter;
	int fds[3];

	exporter = exported(V4L2_CONTIG, fds, 3);
	capture_into(V4L2_VMALLOC, fds, 3, 6);
	close(exporter.fd);
	capture_into(V4L2_VMALLOC, fds, 3, 6);
}

/**
 * SUBTEST: capture-vmalloc-into-mem2mem
 * Description: vivid with vmalloc fills buffers of vim2m, also after the exporter's
 *  node is closed.
 */
static void capture_vmalloc_into_mem2mem(void)
{
	struct v4l2_queue exporter;
	int fds[3];

	exporter = exported(V4L2_MEM2MEM, fds, 3);
	capture_into(V4L2_VMALLOC, fds, 3, 6);
	close(exporter.fd);
	capture_into(V4L2_VMALLOC, fds, 3, 6);
}

static void import_own_export_on(enum v4l2_device device)
{
	struct v4l2_queue exporter;
	int fds[2];

	exporter = exported(device, fds, 2);
	close(exporter.fd);
	capture_into(device, fds, 2, 4);
	close(fds[0]);
	close(fds[1]);
}

/**
 * SUBTEST: import-own-export
 * Description: A queue imports the dma-bufs that it exported before, and fills them
 *  completely.
 */
static void import_own_export(void)
{
	first_devices(V4L2_PLANES, import_own_export_on);
}

/**
 * SUBTEST: import-closed-while-queued
 * Description: The queue holds the buffer itself. Its fd may be closed right after
 *  queueing, and the frame arrives in its memory.
 */
static void import_closed_while_queued(void)
{
	void *picture = v4l2_picture(V4L2_VMALLOC);
	struct v4l2_queue q = import_queue(V4L2_VMALLOC, 2);
	size_t size = (q.size[0] + PAGE - 1) / PAGE * PAGE;
	int buffers = count_buffers();
	void *memory[2];

	for (int i = 0; i < 2; i++) {
		int memfd = memfd_sealed(size, F_SEAL_SHRINK);
		int fd = check_ok(udmabuf_create(memfd, 0, size, 0));

		memory[i] = mmap(NULL, size, PROT_READ | PROT_WRITE,
				 MAP_SHARED, memfd, 0);
		check(memory[i] != MAP_FAILED);
		memset(memory[i], POISON, size);
		check_ok(v4l2_queue_buffer(&q, i, fd));
		close(fd);
		close(memfd);
	}
	check_eq(settle_buffers(buffers + 2), buffers + 2);
	check_ok(v4l2_start(&q));
	for (int i = 0; i < 2; i++) {
		uint8_t *bytes = memory[v4l2_dequeue(&q)];

		check_eq(same_bytes(bytes, picture, q.size[0]), q.size[0]);
		check_eq(filled_byte(bytes + q.size[0], size - q.size[0],
				     POISON), size - q.size[0]);
	}
	close(q.fd);
	check_eq(settle_buffers(buffers), buffers);
	free(picture);
}

/* One dma-buf at all places of a queue. */
static void same_buffer_everywhere(enum v4l2_device device, int fd)
{
	int fds[3] = { fd, fd, fd };
	void *picture = v4l2_picture(device);
	struct v4l2_queue q = import_queue(device, 3);
	int last = -1;

	poison_dmabuf(fd);
	for (int i = 0; i < 3; i++)
		check_ok(v4l2_queue_buffer(&q, i, fds[i]));
	check_ok(v4l2_start(&q));
	for (int frame = 0; frame < 9; frame++) {
		unsigned int i = v4l2_dequeue(&q);

		check((int)q.last.sequence >= last);
		last = q.last.sequence;
		check_picture(fd, picture, q.size[0]);
		check_ok(v4l2_queue_buffer(&q, i, fd));
	}
	check_error(v4l2_request(&q, V4L2_MEMORY_DMABUF, 0), EBUSY);
	check_ok(v4l2_stop(&q));
	check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 0));
	check_eq(attachments_of(fd), 0);
	free(picture);
}

/**
 * SUBTEST: same-buffer-everywhere-vmalloc
 * Description: One dma-buf may be queued at several places at once; each frame
 *  is written to it.
 */
static void same_buffer_everywhere_vmalloc(void)
{
	same_buffer_everywhere(V4L2_VMALLOC,
			       make_memory(MEMORY_UDMABUF, 320 * 180 * 2));
}

/**
 * SUBTEST: same-buffer-everywhere-contig
 * Description: The same with a device that attaches. In the end no attachment is
 *  left.
 */
static void same_buffer_everywhere_contig(void)
{
	struct v4l2_queue exporter;
	int fds[2];

	exporter = exported(V4L2_CONTIG, fds, 2);
	close(exporter.fd);
	same_buffer_everywhere(V4L2_CONTIG, fds[0]);
}

/**
 * SUBTEST: import-read-only
 * Description: A dma-buf with a read-only fd is read-only for programs only: the
 *  device fills it.
 */
static void import_read_only(void)
{
	void *picture = v4l2_picture(V4L2_VMALLOC);
	struct v4l2_queue exporter = own_queue(V4L2_CONTIG, 2);
	struct v4l2_queue q = import_queue(V4L2_VMALLOC, 2);
	int fds[2], writable[2], i;

	for (i = 0; i < 2; i++) {
		fds[i] = check_ok(v4l2_export(&exporter, i, 0, O_RDONLY));
		writable[i] = check_ok(v4l2_export(&exporter, i, 0, O_RDWR));
		poison_dmabuf(writable[i]);
		check_ok(v4l2_queue_buffer(&q, i, fds[i]));
	}
	check_ok(v4l2_start(&q));
	i = v4l2_dequeue(&q);
	check_picture(writable[i], picture, q.size[0]);
	free(picture);
}

/* --- two planes --- */

/* The picture that the device makes, for each of its two planes; to be freed. */
static void reference_planes(uint8_t *planes[2])
{
	struct v4l2_queue q = own_queue(V4L2_PLANES, 2);
	unsigned int i;

	check_ok(v4l2_queue_buffer(&q, 0, -1));
	check_ok(v4l2_queue_buffer(&q, 1, -1));
	check_ok(v4l2_start(&q));
	i = v4l2_dequeue(&q);
	for (int plane = 0; plane < 2; plane++) {
		int fd = check_ok(v4l2_export(&q, i, plane, O_RDWR));
		uint8_t *memory = map_dmabuf(fd, q.size[plane]);

		planes[plane] = malloc(q.size[plane]);
		check(planes[plane]);
		memcpy(planes[plane], memory, q.size[plane]);
		unmap(memory, q.size[plane]);
		close(fd);
	}
	check(memcmp(planes[0], planes[1], q.size[0]));
	close(q.fd);
}

/**
 * SUBTEST: planes-are-buffers
 * Description: Each plane is exported as a separate dma-buf with memory of its own.
 */
static void planes_are_buffers(void)
{
	struct v4l2_queue q = own_queue(V4L2_PLANES, 2);
	int a = check_ok(v4l2_export(&q, 0, 0, O_RDWR));
	int b = check_ok(v4l2_export(&q, 0, 1, O_RDWR));

	check(inode_of(a) != inode_of(b));
	fill_dmabuf(a, q.size[0], 5);
	fill_dmabuf(b, q.size[1], 6);
	check_eq(filled_dmabuf(a, q.size[0], 5), q.size[0]);
	check_eq(filled_dmabuf(b, q.size[1], 6), q.size[1]);
}

/**
 * SUBTEST: planes-import
 * Description: Two planes are captured into two contiguous dma-bufs, each its
 *  own part of the picture.
 */
static void planes_import(void)
{
	struct v4l2_queue q;
	uint8_t *planes[2];
	int fds[2][2];

	reference_planes(planes);
	q = import_queue(V4L2_PLANES, 2);
	for (int i = 0; i < 2; i++) {
		for (int plane = 0; plane < 2; plane++) {
			fds[i][plane] = make_memory(MEMORY_CMA_HEAP,
						    q.size[plane]);
			poison_dmabuf(fds[i][plane]);
		}
		check_ok(v4l2_queue_planes(&q, i, fds[i], q.size));
	}
	check_ok(v4l2_start(&q));
	for (int frame = 0; frame < 4; frame++) {
		unsigned int i = v4l2_dequeue(&q);

		for (int plane = 0; plane < 2; plane++) {
			check_picture(fds[i][plane], planes[plane],
				      q.size[plane]);
			poison_dmabuf(fds[i][plane]);
		}
		check_ok(v4l2_queue_planes(&q, i, fds[i], q.size));
	}
	close(q.fd);
	for (int plane = 0; plane < 2; plane++)
		check_eq(settle_attachments(fds[0][plane], 0), 0);
}

/**
 * SUBTEST: planes-second-bad
 * Description: If the second plane is no dma-buf, too small or scattered, the first
 *  one is released, too.
 */
static void planes_second_bad(void)
{
	struct v4l2_queue q = import_queue(V4L2_PLANES, 2);
	int good = make_memory(MEMORY_CMA_HEAP, q.size[0]);
	int small = make_memory(MEMORY_CMA_HEAP, PAGE);
	int scattered = make_memory(MEMORY_SCATTERED, q.size[1]);
	const uint32_t lengths[2] = { };
	int fds[2] = { good, -1 };

	check_error(v4l2_queue_planes(&q, 0, fds, lengths), EINVAL);
	check_eq(attachments_of(good), 0);
	fds[1] = small;
	check_error(v4l2_queue_planes(&q, 0, fds, lengths), EINVAL);
	check_eq(attachments_of(good), 0);
	fds[1] = scattered;
	check_error(v4l2_queue_planes(&q, 0, fds, lengths), EFAULT);
	check_eq(attachments_of(good), 0);
	check_eq(attachments_of(scattered), 0);
	fds[1] = make_memory(MEMORY_CMA_HEAP, q.size[1]);
	check_ok(v4l2_queue_planes(&q, 0, fds, lengths));
	check_eq(attachments_of(good), 1);
}

/**
 * SUBTEST: planes-of-one-buffer
 * Description: One dma-buf for both planes is attached once, and released once.
 */
static void planes_of_one_buffer(void)
{
	struct v4l2_queue q = import_queue(V4L2_PLANES, 2);
	int fd = make_memory(MEMORY_CMA_HEAP, q.size[0]);

	for (int round = 0; round < 3; round++) {
		check_ok(v4l2_queue_buffer(&q, 0, fd));
		check_eq(attachments_of(fd), 1);
		check_ok(v4l2_stop(&q));
	}
	check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 0));
	check_eq(attachments_of(fd), 0);
}

/* --- vim2m: a device that reads one buffer and writes another --- */

struct mem2mem {
	struct v4l2_queue in, out;
};

static struct mem2mem mem2mem_open(unsigned int count)
{
	int fd = v4l2_open(V4L2_MEM2MEM, false);
	struct mem2mem m = {
		.in = v4l2_queue_of(fd, V4L2_MEM2MEM, true),
		.out = v4l2_queue_of(fd, V4L2_MEM2MEM, false),
	};

	check_ok(v4l2_request(&m.in, V4L2_MEMORY_DMABUF, count));
	check_ok(v4l2_request(&m.out, V4L2_MEMORY_DMABUF, count));
	check_ok(v4l2_start(&m.in));
	check_ok(v4l2_start(&m.out));
	return m;
}

static void mem2mem_turn(struct mem2mem *m, int in, int out)
{
	check_ok(v4l2_queue_buffer(&m->in, 0, in));
	check_ok(v4l2_queue_buffer(&m->out, 0, out));
	check_eq(v4l2_dequeue(&m->in), 0);
	check_eq(v4l2_dequeue(&m->out), 0);
}

/* @out shows @in turned, and nothing was written behind it. */
static void check_turned(const struct mem2mem *m, int in, int out)
{
	size_t size = m->in.size[0], all = size_of(out);
	void *from = map_dmabuf(in, size);
	uint8_t *to = map_dmabuf(out, all);

	check_eq(v4l2_turned(&m->in, from, to), size);
	check_eq(filled_byte(to + size, all - size, POISON), all - size);
	unmap(from, size);
	unmap(to, all);
}

/* From one kind of buffer into another, with another content each time. */
static void turn_memory(enum memory from, enum memory to)
{
	struct mem2mem m = mem2mem_open(1);
	size_t size = m.in.size[0];
	int in = make_memory(from, size), out = make_memory(to, size);

	for (int round = 0; round < 5; round++) {
		fill_dmabuf(in, size, round);
		poison_dmabuf(out);
		mem2mem_turn(&m, in, out);
		check_turned(&m, in, out);
		check_eq(filled_dmabuf(in, size, round), size);
	}
}

/**
 * SUBTEST: mem2mem-udmabuf
 * Description: vim2m reads a udmabuf and writes another one. That one holds the
 *  picture turned by 180 degrees, the first one is unchanged, and nothing is written
 *  behind the picture.
 */
static void mem2mem_udmabuf(void)
{
	turn_memory(MEMORY_UDMABUF, MEMORY_UDMABUF);
}

/**
 * SUBTEST: mem2mem-system-heap
 * Description: The same between buffers of the system heap.
 */
static void mem2mem_system_heap(void)
{
	turn_memory(MEMORY_SYSTEM_HEAP, MEMORY_SYSTEM_HEAP);
}

/**
 * SUBTEST: mem2mem-cma-heap
 * Description: The same between contiguous buffers.
 */
static void mem2mem_cma_heap(void)
{
	turn_memory(MEMORY_CMA_HEAP, MEMORY_CMA_HEAP);
}

/**
 * SUBTEST: mem2mem-mixed
 * Description: The same from each kind of buffer into another kind.
 */
static void mem2mem_mixed(void)
{
	turn_memory(MEMORY_UDMABUF, MEMORY_CMA_HEAP);
	turn_memory(MEMORY_SYSTEM_HEAP, MEMORY_UDMABUF);
	turn_memory(MEMORY_CMA_HEAP, MEMORY_SYSTEM_HEAP);
}

/**
 * SUBTEST: mem2mem-page-twice
 * Description: A buffer in which a page comes twice is read like any other.
 */
static void mem2mem_page_twice(void)
{
	struct mem2mem m = mem2mem_open(1);
	int in = make_memory(MEMORY_SCATTERED, m.in.size[0]);
	int out = make_memory(MEMORY_SYSTEM_HEAP, m.in.size[0]);

	fill_dmabuf(in, m.in.size[0], 7);
	poison_dmabuf(out);
	mem2mem_turn(&m, in, out);
	check_turned(&m, in, out);
}

static void mem2mem_from_vivid_on(enum v4l2_device device)
{
	void *picture = v4l2_picture(device);
	struct mem2mem m = mem2mem_open(1);
	struct v4l2_queue camera;
	int fds[3], out = make_memory(MEMORY_SYSTEM_HEAP, m.in.size[0]);

	camera = exported(device, fds, 3);
	check_eq(camera.size[0], m.in.size[0]);
	for (int i = 0; i < 3; i++) {
		poison_dmabuf(fds[i]);
		check_ok(v4l2_queue_buffer(&camera, i, -1));
	}
	check_ok(v4l2_start(&camera));
	for (int frame = 0; frame < 6; frame++) {
		unsigned int i = v4l2_dequeue(&camera);

		poison_dmabuf(out);
		mem2mem_turn(&m, fds[i], out);
		check_turned(&m, fds[i], out);
		check_picture(fds[i], picture, camera.size[0]);
		poison_dmabuf(fds[i]);
		check_ok(v4l2_queue_buffer(&camera, i, -1));
	}
	close(camera.fd);
	close(m.in.fd);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	free(picture);
}

/**
 * SUBTEST: mem2mem-from-vivid
 * Description: A chain of three: vivid captures into a buffer that it exports, and
 *  vim2m turns the picture into a heap's buffer. The pictures agree, frame by frame.
 */
static void mem2mem_from_vivid(void)
{
	first_devices(V4L2_PLANES, mem2mem_from_vivid_on);
}

/**
 * SUBTEST: mem2mem-twice
 * Description: One node of vim2m reads what another one wrote. A picture that is
 *  turned twice is the original one.
 */
static void mem2mem_twice(void)
{
	struct mem2mem a = mem2mem_open(1), b = mem2mem_open(1);
	size_t size = a.in.size[0];
	int first = make_memory(MEMORY_UDMABUF, size);
	int second = make_memory(MEMORY_CMA_HEAP, size);
	int third = make_memory(MEMORY_SYSTEM_HEAP, size);

	fill_dmabuf(first, size, 8);
	mem2mem_turn(&a, first, second);
	mem2mem_turn(&b, second, third);
	check_eq(filled_dmabuf(third, size, 8), size);
}

/**
 * SUBTEST: mem2mem-node-closed
 * Description: The node is closed while a job runs. No buffer is left, and the input
 *  is unchanged.
 */
static void mem2mem_node_closed(void)
{
	for (int round = 0; round < 10; round++) {
		struct mem2mem m = mem2mem_open(1);
		int in = make_memory(MEMORY_UDMABUF, m.in.size[0]);
		int out = make_memory(MEMORY_SYSTEM_HEAP, m.in.size[0]);
		int buffers = count_buffers();

		fill_dmabuf(in, m.in.size[0], round);
		check_ok(v4l2_queue_buffer(&m.in, 0, in));
		check_ok(v4l2_queue_buffer(&m.out, 0, out));
		close(m.in.fd);
		check_eq(filled_dmabuf(in, m.in.size[0], round), m.in.size[0]);
		close(in);
		close(out);
		check_eq(settle_buffers(buffers - 2), buffers - 2);
	}
}

/* --- vivid's output --- */

static void send_from(enum v4l2_device device, enum memory kind)
{
	int fd = v4l2_open(device, true), fds[3];
	struct v4l2_queue q = v4l2_queue_of(fd, device, true);

	check_eq(check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 3)), 3);
	for (int i = 0; i < 3; i++) {
		fds[i] = make_memory(kind, q.size[0]);
		fill_dmabuf(fds[i], q.size[0], i);
		check_ok(v4l2_queue_buffer(&q, i, fds[i]));
	}
	check_ok(v4l2_start(&q));
	for (int frame = 0; frame < 6; frame++) {
		unsigned int i = v4l2_dequeue(&q);

		check_ok(v4l2_queue_buffer(&q, i, fds[i]));
	}
	close(q.fd);
	for (int i = 0; i < 3; i++) {
		check_eq(settle_attachments(fds[i], 0), 0);
		check_eq(filled_dmabuf(fds[i], q.size[0], i), q.size[0]);
	}
}

/**
 * SUBTEST: output-vmalloc
 * Description: vivid outputs frames from udmabufs and from a heap. Each buffer comes
 *  back unchanged.
 */
static void output_vmalloc(void)
{
	send_from(V4L2_VMALLOC, MEMORY_UDMABUF);
	send_from(V4L2_VMALLOC, MEMORY_SYSTEM_HEAP);
}

/**
 * SUBTEST: output-contig
 * Description: The same from contiguous buffers to a device that needs them.
 */
static void output_contig(void)
{
	send_from(V4L2_CONTIG, MEMORY_CMA_HEAP);
}

/* --- buffers that the kernel can't map for the CPU --- */

static struct mock_buffer without_vmap(const struct v4l2_queue *q)
{
	return mock_buffer_as(mock_open(0), PRIME_MOCK_MINIMAL, PRIME_MOCK_CONTIGUOUS,
			      (q->size[0] + PAGE - 1) / PAGE);
}

static void refuses_without_vmap(enum v4l2_device device)
{
	struct v4l2_queue q = import_queue(device, 2);
	struct mock_buffer b = without_vmap(&q);

	check_error(v4l2_queue_buffer(&q, 0, b.fd), EFAULT);
	close(q.fd);
	mock_buffer_end(&b);
}

/**
 * SUBTEST: import-without-vmap
 * Description: An exporter without a vmap. Queues with vmalloc buffers refuse its
 *  buffer with EFAULT, and don't keep it.
 */
static void import_without_vmap(void)
{
	refuses_without_vmap(V4L2_VMALLOC);
	refuses_without_vmap(V4L2_MEM2MEM);
}

/**
 * SUBTEST: output-without-vmap
 * Description: vivid outputs frames from contiguous buffers of such an exporter,
 *  since its output does not look at them.
 */
static void output_without_vmap(void)
{
	int fd = v4l2_open(V4L2_CONTIG, true);
	struct v4l2_queue q = v4l2_queue_of(fd, V4L2_CONTIG, true);
	struct mock_buffer b[3];

	check_eq(check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 3)), 3);
	for (int i = 0; i < 3; i++) {
		b[i] = without_vmap(&q);
		check_ok(v4l2_queue_buffer(&q, i, b[i].fd));
	}
	check_ok(v4l2_start(&q));
	for (int frame = 0; frame < 6; frame++) {
		unsigned int i = v4l2_dequeue(&q);

		check_ok(v4l2_queue_buffer(&q, i, b[i].fd));
	}
	close(q.fd);
	for (int i = 0; i < 3; i++)
		mock_buffer_end(&b[i]);
}

/**
 * SUBTEST: capture-without-vmap
 * Description: vivid with contiguous buffers draws with the CPU. A buffer of such an
 *  exporter is refused, or comes back with an error. vivid of Linux 6.12 and 7.3 does
 *  not look whether the vmap has failed: its thread would draw at address 0, with the
 *  device's mutex held. So this runs only with PRIME_DANGEROUS=1.
 */
static void capture_without_vmap(void)
{
	struct v4l2_queue q;
	struct mock_buffer b[2];

	if (!prime_dangerous())
		prime_skip("vivid may draw at address 0: PRIME_DANGEROUS=1 runs it");
	q = import_queue(V4L2_CONTIG, 2);
	for (int i = 0; i < 2; i++)
		b[i] = without_vmap(&q);
	if (!v4l2_queue_buffer(&q, 0, b[0].fd)) {
		check_ok(v4l2_queue_buffer(&q, 1, b[1].fd));
		check_ok(v4l2_start(&q));
		v4l2_dequeue(&q);
		check(q.last.flags & V4L2_BUF_FLAG_ERROR);
	}
	close(q.fd);
	for (int i = 0; i < 2; i++)
		mock_buffer_end(&b[i]);
}

/* --- poll --- */

static void poll_frames_on(enum v4l2_device device)
{
	struct v4l2_queue q = import_queue(device, 2);
	int fd = make_memory(MEMORY_CMA_HEAP, q.size[0]);
	int other = make_memory(MEMORY_CMA_HEAP, q.size[0]);

	check_eq(poll_events(q.fd, POLLIN, 0), POLLERR);
	check_ok(v4l2_queue_buffer(&q, 0, fd));
	check_ok(v4l2_queue_buffer(&q, 1, other));
	check_eq(poll_events(q.fd, POLLIN, 0), POLLERR);
	check_ok(v4l2_start(&q));
	for (int frame = 0; frame < 3; frame++) {
		check_eq(poll_events(q.fd, POLLIN, 10000), POLLIN);
		v4l2_dequeue(&q);
		v4l2_dequeue(&q);
		check_eq(poll_events(q.fd, POLLIN, 60), 0);
		check_ok(v4l2_queue_buffer(&q, 0, fd));
		check_ok(v4l2_queue_buffer(&q, 1, other));
	}
	check_ok(v4l2_stop(&q));
	check_eq(poll_events(q.fd, POLLIN, 0), POLLERR);
	close(q.fd);
}

/**
 * SUBTEST: poll-frames
 * Description: A node that does not stream gives an error. A node that streams is
 *  ready when a frame has arrived. It is not ready again before there is a buffer
 *  for the next one.
 */
static void poll_frames(void)
{
	first_devices(V4L2_PLANES, poll_frames_on);
}

/**
 * SUBTEST: buffer-idle-while-captured
 * Description: V4L2 puts no fence on a buffer that it fills: polling the
 *  dma-buf does not wait for the frame.
 */
static void buffer_idle_while_captured(void)
{
	struct v4l2_queue q = import_queue(V4L2_CONTIG, 2);
	int fd = make_memory(MEMORY_CMA_HEAP, q.size[0]);
	int other = make_memory(MEMORY_CMA_HEAP, q.size[0]);

	check_ok(v4l2_queue_buffer(&q, 0, fd));
	check_ok(v4l2_queue_buffer(&q, 1, other));
	check_ok(v4l2_start(&q));
	check_eq(poll_events(fd, POLLIN | POLLOUT, 0), POLLIN | POLLOUT);
	v4l2_dequeue(&q);
	check_eq(poll_events(fd, POLLIN | POLLOUT, 0), POLLIN | POLLOUT);
}

/* --- the exporter's module --- */

/**
 * SUBTEST: expbuf-outlives-driver
 * Description: vivid is unloaded while a buffer of it is exported and mapped. Its
 *  memory stays until the last close, and the driver can be loaded again.
 */
static void expbuf_outlives_driver(void)
{
	struct v4l2_queue q = own_queue(V4L2_VMALLOC, 2);
	int fd = check_ok(v4l2_export(&q, 0, 0, O_RDWR));
	void *memory = map_dmabuf(fd, q.size[0]);

	fill(memory, q.size[0], 9);
	close(q.fd);
	if (!vivid_unload())
		prime_skip("vivid cannot be unloaded: built in, or in use");
	check_eq(filled(memory, q.size[0], 9), q.size[0]);
	check_eq(filled_dmabuf(fd, q.size[0], 9), q.size[0]);
	q = own_queue(V4L2_VMALLOC, 2);
	close(q.fd);
	check_eq(filled(memory, q.size[0], 9), q.size[0]);
	unmap(memory, q.size[0]);
	fill_dmabuf(fd, q.size[0], 10);
	check_eq(filled_dmabuf(fd, q.size[0], 10), q.size[0]);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(expbuf_flags),
	SUBTEST(expbuf_rights),
	SUBTEST(expbuf_unknown_flags),
	SUBTEST(expbuf_range),
	SUBTEST(expbuf_without_buffers),
	SUBTEST(expbuf_emfile),
	SUBTEST(expbuf_efault),
	SUBTEST(expbuf_size),
	SUBTEST(expbuf_same_memory),
	SUBTEST(expbuf_orphaned),
	SUBTEST(expbuf_outlives_node),
	SUBTEST(expbuf_while_streaming),
	SUBTEST(expbuf_frames),
	SUBTEST(import_bad_fd),
	SUBTEST(import_too_small),
	SUBTEST(import_wrong_memory),
	SUBTEST(import_scattered),
	SUBTEST(import_scattered_in_place),
	SUBTEST(import_replaced),
	SUBTEST(import_requests_given_back),
	SUBTEST(import_node_closed),
	SUBTEST(import_process_killed),
	SUBTEST(import_stop_and_start),
	SUBTEST(capture_vmalloc_into_udmabuf),
	SUBTEST(capture_vmalloc_into_system_heap),
	SUBTEST(capture_vmalloc_into_cma_heap),
	SUBTEST(capture_contig_into_cma_heap),
	SUBTEST(capture_contig_into_udmabuf),
	SUBTEST(capture_contig_into_system_heap),
	SUBTEST(capture_vmalloc_into_contig),
	SUBTEST(capture_vmalloc_into_mem2mem),
	SUBTEST(import_own_export),
	SUBTEST(import_closed_while_queued),
	SUBTEST(same_buffer_everywhere_vmalloc),
	SUBTEST(same_buffer_everywhere_contig),
	SUBTEST(import_read_only),
	SUBTEST(planes_are_buffers),
	SUBTEST(planes_import),
	SUBTEST(planes_second_bad),
	SUBTEST(planes_of_one_buffer),
	SUBTEST(mem2mem_udmabuf),
	SUBTEST(mem2mem_system_heap),
	SUBTEST(mem2mem_cma_heap),
	SUBTEST(mem2mem_mixed),
	SUBTEST(mem2mem_page_twice),
	SUBTEST(mem2mem_from_vivid),
	SUBTEST(mem2mem_twice),
	SUBTEST(mem2mem_node_closed),
	SUBTEST(output_vmalloc),
	SUBTEST(output_contig),
	SUBTEST(import_without_vmap),
	SUBTEST(output_without_vmap),
	SUBTEST(capture_without_vmap),
	SUBTEST(poll_frames),
	SUBTEST(buffer_idle_while_captured),
	SUBTEST(expbuf_outlives_driver),
};

PRIME_MAIN(subtests)
