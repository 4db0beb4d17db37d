// SPDX-License-Identifier: MIT
/**
 * TEST: dmabuf refusal
 * Description: Why a buffer was refused, told by DMA_BUF_IOCTL_GET_REFUSAL: each step
 *  that can fail, drivers that say nothing themselves, and who is told. The kernel
 *  without the layer has no such request.
 */
#include "lib/mock_buffer.h"
#include "lib/prime_memory.h"
#include "lib/prime_v4l2.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/dma-buf-constraints.h>

#define DEBUGFS	"/sys/kernel/debug/dma_buf/refusals"
#define KEPT	320	/* records, of all processes, with those of calls that go on */
#define TWICE	120	/* processes that are refused twice */

static struct dma_buf_refusal refusal_of(int fd)
{
	struct dma_buf_refusal why;
	int ret;

	memset(&why, 0xff, sizeof(why));
	ret = xioctl(fd, DMA_BUF_IOCTL_GET_REFUSAL, &why);
	if (ret == -ENOTTY)
		prime_skip("the kernel tells no refusals (CONFIG_DRM_PRIME_ACCOUNT)");
	check_ok(ret);
	check_eq(why.pad, 0);
	return why;
}

static void expect_none(int fd)
{
	static const struct dma_buf_refusal none;
	struct dma_buf_refusal why = refusal_of(fd);

	if (memcmp(&why, &none, sizeof(none)))
		prime_fail(__FILE__, __LINE__, "step %u of %.30s: field %u, errno %u",
			   why.step, why.device, why.field, why.error);
}

/* --- each step --- */

struct scene {
	int exporter, importer;
	struct mock_buffer b;
};

static struct scene scene_open(uint32_t flags)
{
	struct scene s = { .exporter = mock_open(0), .importer = mock_open(1) };
	struct drm_prime_mock_limits usual = MOCK_NO_LIMITS;

	/* If segments may have any length, the kernel guesses that the device wants just one. */
	usual.max_segment_size = 64 << 10;
	check_ok(mock_limits(s.importer, usual));
	s.b = mock_buffer(s.exporter, flags, 2);
	expect_none(s.b.fd);
	return s;
}

static void scene_close(struct scene *s)
{
	mock_buffer_end(&s->b);
	close(s->exporter);
	close(s->importer);
}

static int do_import(struct scene *s)
{
	int64_t handle = gem_import(s->importer, s->b.fd);

	if (handle >= 0)
		check_ok(gem_close(s->importer, handle));
	return handle < 0 ? (int)handle : 0;
}

static int do_attach(struct scene *s)
{
	int64_t import = mock_attach(s->importer, s->b.fd, 0);

	if (import >= 0)
		check_ok(mock_step(s->importer, import, PRIME_MOCK_DETACH));
	return import < 0 ? (int)import : 0;
}

static int with_import(struct scene *s, int (*run)(int mock, uint32_t import))
{
	int64_t import = mock_attach(s->importer, s->b.fd, 0);
	int ret;

	if (import < 0)
		return import;
	ret = run(s->importer, import);
	check_ok(mock_step(s->importer, import, PRIME_MOCK_DETACH));
	return ret;
}

static int map_both(int mock, uint32_t import)
{
	int ret = mock_map(mock, import, PRIME_MOCK_BIDIRECTIONAL);

	if (!ret)
		check_ok(mock_step(mock, import, PRIME_MOCK_UNMAP));
	return ret;
}

static int vmap_both(int mock, uint32_t import)
{
	int ret = mock_step(mock, import, PRIME_MOCK_VMAP);

	if (!ret)
		check_ok(mock_step(mock, import, PRIME_MOCK_VUNMAP));
	return ret;
}

static int do_map(struct scene *s)
{
	return with_import(s, map_both);
}

static int do_vmap(struct scene *s)
{
	return with_import(s, vmap_both);
}

static int do_mmap(struct scene *s)
{
	void *memory = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, s->b.fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	unmap(memory, PAGE);
	return 0;
}

static int do_cpu(struct scene *s)
{
	int ret = dmabuf_sync(s->b.fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);

	if (!ret)
		check_ok(dmabuf_sync(s->b.fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
	return ret;
}

/* An operation that fails, a call of a program, and what it is told. */
struct step {
	const char *name;
	uint32_t flags;		/* of the object */
	uint32_t op;
	bool of_importer;
	int (*run)(struct scene *s);
	bool has_device;
	uint32_t step, by;
};

static const struct step steps[] = {
	{ "attach", 0, PRIME_MOCK_ATTACH, false, do_attach, true,
	  DMA_BUF_STEP_ATTACH, DMA_BUF_BY_EXPORTER },
	{ "attach-in-import", 0, PRIME_MOCK_ATTACH, false, do_import, true,
	  DMA_BUF_STEP_ATTACH, DMA_BUF_BY_EXPORTER },
	{ "pin", PRIME_MOCK_DYNAMIC, PRIME_MOCK_PIN, false, do_map, true,
	  DMA_BUF_STEP_PIN, DMA_BUF_BY_EXPORTER },
	{ "pin-in-import", PRIME_MOCK_DYNAMIC, PRIME_MOCK_PIN, false, do_import, true,
	  DMA_BUF_STEP_PIN, DMA_BUF_BY_EXPORTER },
	{ "map", 0, PRIME_MOCK_MAP, false, do_map, true,
	  DMA_BUF_STEP_MAP, DMA_BUF_BY_EXPORTER },
	{ "map-in-import", 0, PRIME_MOCK_MAP, false, do_import, true,
	  DMA_BUF_STEP_MAP, DMA_BUF_BY_EXPORTER },
	{ "map-of-gem", PRIME_MOCK_DEFAULT, PRIME_MOCK_MAP, false, do_import, true,
	  DMA_BUF_STEP_MAP, DMA_BUF_BY_EXPORTER },
	{ "vmap", 0, PRIME_MOCK_VMAP, false, do_vmap, false,
	  DMA_BUF_STEP_VMAP, DMA_BUF_BY_EXPORTER },
	{ "mmap", 0, PRIME_MOCK_MMAP, false, do_mmap, false,
	  DMA_BUF_STEP_MMAP, DMA_BUF_BY_EXPORTER },
	{ "begin-cpu-access", 0, PRIME_MOCK_BEGIN, false, do_cpu, false,
	  DMA_BUF_STEP_CPU, DMA_BUF_BY_EXPORTER },
	{ "import", 0, PRIME_MOCK_IMPORT, true, do_import, true,
	  DMA_BUF_STEP_IMPORT, DMA_BUF_BY_IMPORTER },
	{ "given-back", 0, PRIME_MOCK_IMPORT_SG, true, do_import, true,
	  DMA_BUF_STEP_GIVEN_BACK, DMA_BUF_BY_IMPORTER },
};

static void run_step(void *data)
{
	const struct step *step = data;
	struct scene s = scene_open(step->flags);
	struct dma_buf_refusal why;

	check_ok(step->run(&s));
	expect_none(s.b.fd);
	check_ok(mock_fail(step->of_importer ? s.importer : s.exporter,
			   step->of_importer ? 0 : s.b.id, step->op, 1, ELOOP));
	check_error(step->run(&s), ELOOP);
	why = refusal_of(s.b.fd);
	check_eq(why.step, step->step);
	check_eq(why.by, step->by);
	check_eq(why.error, ELOOP);
	check_eq(why.field, DMA_BUF_FIELD_ERROR);
	check_eq(why.found, ELOOP);
	check_eq(why.size, s.b.size);
	check_eq(!strncmp(why.device, "prime_mock", 10), step->has_device);
	check(!strcmp(why.exporter, "prime_mock"));
	/* Neither asking nor a step that works takes the refusal away. */
	check_ok(step->run(&s));
	check_eq(refusal_of(s.b.fd).step, step->step);
	scene_close(&s);
}

/**
 * SUBTEST: steps
 * Description: Each operation that fails is told with its errno, who answered, and
 *  for which device. Before that, the same call succeeds and nothing is told.
 */
static void steps_are_told(void)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		prime_dynamic(steps[i].name, run_step, (void *)&steps[i]);
}

/**
 * SUBTEST: missing-operations
 * Description: An exporter without mmap and vmap: the field is the operation.
 */
static void missing_operations(void)
{
	struct scene s = scene_open(PRIME_MOCK_MINIMAL);
	struct dma_buf_refusal why;

	check_error(do_mmap(&s), EINVAL);
	why = refusal_of(s.b.fd);
	check_eq(why.step, DMA_BUF_STEP_MMAP);
	check_eq(why.field, DMA_BUF_FIELD_OPERATION);
	check_error(do_vmap(&s), EINVAL);
	why = refusal_of(s.b.fd);
	check_eq(why.step, DMA_BUF_STEP_VMAP);
	check_eq(why.field, DMA_BUF_FIELD_OPERATION);
	check_eq(why.wanted, 1);
	check_eq(why.found, 0);
	scene_close(&s);
}

/* --- limits of a device --- */

struct limit {
	const char *name;
	struct drm_prime_mock_limits limits;
	uint32_t field;
	uint64_t wanted, found;
};

static void run_limit(void *data)
{
	const struct limit *limit = data;
	int exporter = mock_open(0), importer = mock_open(1);
	struct mock_buffer b = mock_buffer_as(exporter, PRIME_MOCK_IGNORE_LIMITS,
					      PRIME_MOCK_CONTIGUOUS, 2);
	struct dma_buf_refusal why;

	if (limit->field == DMA_BUF_FIELD_MAX_SEGMENTS) {
		mock_buffer_end(&b);
		b = mock_buffer(exporter, 0, 2);
	}
	expect_none(b.fd);
	check_ok(mock_limits(importer, limit->limits));
	check(gem_import(importer, b.fd) < 0);
	check_ok(mock_limits(importer, MOCK_NO_LIMITS));
	why = refusal_of(b.fd);
	check_eq(why.step, DMA_BUF_STEP_GIVEN_BACK);
	check_eq(why.by, DMA_BUF_BY_IMPORTER);
	check_eq(why.field, limit->field);
	check_eq(why.wanted, limit->wanted);
	check_eq(why.found, limit->found);
	check_eq(why.flags & DMA_BUF_REFUSAL_GUESSED, 0);
	check(why.flags & DMA_BUF_REFUSAL_TABLE);
	check_eq(why.segments, limit->field == DMA_BUF_FIELD_MAX_SEGMENTS ? 2 : 1);
	check_eq(why.runs, why.segments);
	check_eq(why.largest * why.runs, b.size);
	/* A mask, and no address. */
	check(why.reach && !(why.reach & (why.reach + 1)));
	mock_buffer_end(&b);
	close(exporter);
	close(importer);
}

/**
 * SUBTEST: limits
 * Description: When a driver looks at the list and gives it back, the refusal says
 *  which of its limits is broken and what the storage has instead.
 */
static void limits_are_told(void)
{
	struct limit all[] = {
		{ "max-segments", MOCK_NO_LIMITS, DMA_BUF_FIELD_MAX_SEGMENTS, 1, 2 },
		{ "max-segment-size", MOCK_NO_LIMITS, DMA_BUF_FIELD_MAX_SEGMENT_SIZE,
		  PAGE, 2 * PAGE },
		{ "segment-boundary", MOCK_NO_LIMITS, DMA_BUF_FIELD_SEGMENT_BOUNDARY,
		  PAGE - 1, 2 * PAGE - 1 },
	};

	all[0].limits.max_segments = 1;
	all[1].limits.max_segment_size = PAGE;
	all[2].limits.segment_boundary = PAGE - 1;
	for (int i = 0; i < 3; i++)
		prime_dynamic(all[i].name, run_limit, &all[i]);
}

/* --- V4L2, which says nothing --- */

/**
 * SUBTEST: v4l2-contiguous
 * Description: A camera that takes one piece looks at a scattered buffer and gives
 *  it back. The refusal tells the errno of QBUF, that one piece is wanted, and how
 *  many there are.
 */
static void v4l2_contiguous(void)
{
	struct v4l2_queue q = v4l2_capture(V4L2_CONTIG);
	int fd = make_memory(MEMORY_SCATTERED, (q.size[0] + PAGE - 1) & -PAGE);
	struct dma_buf_refusal why;
	int ret;

	expect_none(fd);
	check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 2));
	ret = v4l2_queue_buffer(&q, 0, fd);
	check(ret < 0);
	why = refusal_of(fd);
	check_eq(why.step, DMA_BUF_STEP_GIVEN_BACK);
	check_eq(why.by, DMA_BUF_BY_IMPORTER);
	check_eq(why.error, -ret);
	check_eq(why.field, DMA_BUF_FIELD_CONTIGUOUS);
	check_eq(why.wanted, 1);
	check_eq(why.found, why.runs);
	check(why.runs > 1);
	check(why.flags & DMA_BUF_REFUSAL_GUESSED);
	check(!strncmp(why.device, "vivid", 5));
	check(!strcmp(why.exporter, "udmabuf"));
	close(fd);
	close(q.fd);
}

/**
 * SUBTEST: v4l2-interrupted
 * Description: A signal ends a camera's wait for a kernel fence. The camera answers
 *  EINVAL, and that is no refusal.
 */
static void v4l2_interrupted(void)
{
	struct v4l2_queue q = v4l2_capture(V4L2_CONTIG);
	const unsigned int pages = (q.size[0] + PAGE - 1) / PAGE;
	int mock = mock_open(0);
	struct mock_buffer b = mock_buffer_as(mock, 0, PRIME_MOCK_CONTIGUOUS, pages);
	int64_t fence;

	expect_none(b.fd);
	check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 1));
	fence = check_ok(mock_fence(mock, b.fd, PRIME_MOCK_USAGE_KERNEL, 0));
	alarm_every(40);
	check_error(v4l2_queue_buffer(&q, 0, b.fd), EINVAL);
	alarm_every(0);
	check(alarms > 0);
	expect_none(b.fd);
	check_ok(mock_signal(mock, fence, 0));
	check_ok(v4l2_queue_buffer(&q, 0, b.fd));
	check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 0));
	close(q.fd);
	mock_buffer_end(&b);
	close(mock);
}

/**
 * SUBTEST: v4l2-success
 * Description: Buffers that a camera takes, replaces and gives up are no refusal,
 *  though one task attaches and detaches them with the same request.
 */
static void v4l2_success(void)
{
	struct v4l2_queue q = v4l2_capture(V4L2_CONTIG);
	int fds[2];

	for (int i = 0; i < 2; i++) {
		fds[i] = make_memory(MEMORY_CMA_HEAP, (q.size[0] + PAGE - 1) & -PAGE);
		expect_none(fds[i]);
	}
	check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 2));
	for (int i = 0; i < 4; i++) {
		check_ok(v4l2_queue_buffer(&q, 0, fds[i % 2]));
		check_ok(v4l2_start(&q));
		check_ok(v4l2_stop(&q));
	}
	check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 0));
	for (int i = 0; i < 2; i++) {
		expect_none(fds[i]);
		close(fds[i]);
	}
	close(q.fd);
}

/**
 * SUBTEST: v4l2-replaced
 * Description: A camera gives back the buffer of a slot before it looks at the next one.
 *  Only the one that it refuses is told.
 */
static void v4l2_replaced(void)
{
	struct v4l2_queue q = v4l2_capture(V4L2_CONTIG);
	const unsigned int pages = (q.size[0] + PAGE - 1) / PAGE;
	int mock = mock_open(0);
	struct mock_buffer good = mock_buffer_as(mock, 0, PRIME_MOCK_CONTIGUOUS, pages);
	struct mock_buffer bad = mock_buffer(mock, 0, pages);

	expect_none(good.fd);
	check_ok(mock_fail(mock, bad.id, PRIME_MOCK_MAP, 1, EPERM));
	check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 1));
	check_ok(v4l2_queue_buffer(&q, 0, good.fd));
	check_ok(v4l2_start(&q));
	check_ok(v4l2_stop(&q));
	check(v4l2_queue_buffer(&q, 0, bad.fd) < 0);
	check_eq(refusal_of(bad.fd).step, DMA_BUF_STEP_MAP);
	expect_none(good.fd);
	check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 0));
	close(q.fd);
	mock_buffer_end(&bad);
	mock_buffer_end(&good);
	close(mock);
}

/**
 * SUBTEST: v4l2-eight
 * Description: A camera refuses twelve buffers, one after the other. The last eight are
 *  told, each as soon as it is refused. Buffers that a camera takes cost none of them
 *  its place.
 */
static void v4l2_eight(void)
{
	struct v4l2_queue q = v4l2_capture(V4L2_CONTIG);
	const size_t size = (q.size[0] + PAGE - 1) & -PAGE;
	int bad[12], good[2];

	for (int i = 0; i < 12; i++)
		bad[i] = make_memory(MEMORY_SCATTERED, size);
	for (int i = 0; i < 2; i++)
		good[i] = make_memory(MEMORY_CMA_HEAP, size);
	expect_none(bad[0]);
	check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 2));
	for (int i = 0; i < 12; i++) {
		check(v4l2_queue_buffer(&q, 0, bad[i]) < 0);
		check_eq(refusal_of(bad[i]).step, DMA_BUF_STEP_GIVEN_BACK);
	}
	for (int i = 0; i < 4; i++) {
		check_ok(v4l2_queue_buffer(&q, 0, good[i % 2]));
		check_ok(v4l2_start(&q));
		check_ok(v4l2_stop(&q));
	}
	for (int i = 0; i < 4; i++)
		expect_none(bad[i]);
	for (int i = 4; i < 12; i++)
		check_eq(refusal_of(bad[i]).step, DMA_BUF_STEP_GIVEN_BACK);
	check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 0));
	for (int i = 0; i < 12; i++)
		close(bad[i]);
	for (int i = 0; i < 2; i++)
		close(good[i]);
	close(q.fd);
}

/* --- who is told --- */

static void refuse(struct scene *s)
{
	check_ok(mock_fail(s->exporter, s->b.id, PRIME_MOCK_ATTACH, 1, EPERM));
	check_error(do_import(s), EPERM);
}

static void in_child(void (*run)(struct scene *s), struct scene *s)
{
	int status;
	pid_t pid = fork();

	check(pid >= 0);
	if (!pid) {
		run(s);
		_exit(0);
	}
	check_eq(waitpid(pid, &status, 0), pid);
	check_eq(status, 0);
}

static void child_asks(struct scene *s)
{
	if (refusal_of(s->b.fd).error)
		_exit(1);
}

static void child_is_refused(struct scene *s)
{
	refuse(s);
	if (refusal_of(s->b.fd).error != EPERM)
		_exit(1);
}

/**
 * SUBTEST: other-processes
 * Description: A process is told of its own refusals only: neither its child nor its
 *  parent learns of them.
 */
static void other_processes(void)
{
	struct scene s = scene_open(0);

	in_child(child_is_refused, &s);
	expect_none(s.b.fd);
	refuse(&s);
	in_child(child_asks, &s);
	check_eq(refusal_of(s.b.fd).error, EPERM);
	scene_close(&s);
}

/**
 * SUBTEST: success-keeps
 * Description: A refusal that was told stays, whatever succeeds with the buffer
 *  afterwards, even a call that looks like the one that was refused.
 */
static void success_keeps(void)
{
	struct scene s = scene_open(0);
	int importer = mock_open(1);

	check_ok((int)gem_import(importer, s.b.fd));
	refuse(&s);
	/* The kernel tells calls apart by their second argument, of which close() has none. */
	check_eq(syscall(SYS_close, importer, DRM_IOCTL_PRIME_FD_TO_HANDLE), 0);
	check_eq(refusal_of(s.b.fd).error, EPERM);
	scene_close(&s);
}

static void *thread_refuses(void *data)
{
	refuse(data);
	return NULL;
}

/**
 * SUBTEST: threads
 * Description: A thread that has ended leaves its refusal to its process.
 */
static void threads(void)
{
	struct scene s = scene_open(0);
	pthread_t thread;

	check_eq(pthread_create(&thread, NULL, thread_refuses, &s), 0);
	check_eq(pthread_join(thread, NULL), 0);
	check_eq(refusal_of(s.b.fd).error, EPERM);
	scene_close(&s);
}

/**
 * SUBTEST: eight-buffers
 * Description: A process has the refusals of the last eight buffers.
 */
static void eight_buffers(void)
{
	struct scene s[9];

	for (int i = 0; i < 9; i++)
		s[i] = scene_open(0);
	for (int i = 0; i < 9; i++)
		refuse(&s[i]);
	expect_none(s[0].b.fd);
	for (int i = 1; i < 9; i++)
		check_eq(refusal_of(s[i].b.fd).error, EPERM);
	for (int i = 0; i < 9; i++)
		scene_close(&s[i]);
}

/* What a process is told of some buffers: the model of eight_mixed(). */
struct told {
	int error;		/* 0: nothing */
	int when;
};

static void model_refused(struct told *told, int count, int which, int error, int when)
{
	int all = 0, oldest = which;

	told[which] = (struct told){ error, when };
	for (int i = 0; i < count; i++) {
		all += told[i].error != 0;
		if (told[i].error && told[i].when < told[oldest].when)
			oldest = i;
	}
	if (all > 8)
		told[oldest].error = 0;
}

/**
 * SUBTEST: eight-mixed
 * Description: Steps that fail, buffers that are given back, and imports that succeed,
 *  at random. After each a process has the refusals of the last eight buffers.
 */
static void eight_mixed(void)
{
	struct scene s[12];
	struct told told[12] = { 0 };

	for (int i = 0; i < 12; i++)
		s[i] = scene_open(0);
	srandom(29);
	for (int n = 1; n <= 300; n++) {
		int which = random() % 12, what = random() % 3, error = EPERM + n % 3;

		if (what == 0)
			check_ok(mock_fail(s[which].exporter, s[which].b.id,
					   PRIME_MOCK_ATTACH, 1, error));
		else if (what == 1)
			check_ok(mock_fail(s[which].importer, 0, PRIME_MOCK_IMPORT_SG, 1, error));
		check_error(do_import(&s[which]), what < 2 ? error : 0);
		if (what < 2)
			model_refused(told, 12, which, error, n);
		for (int i = 0; i < 12; i++)
			check_eq(refusal_of(s[i].b.fd).error, told[i].error);
	}
	for (int i = 0; i < 12; i++)
		scene_close(&s[i]);
}

static void child_is_refused_twice(struct scene *s)
{
	refuse(s);
	child_is_refused(s);
}

/**
 * SUBTEST: dead-processes
 * Description: The refusals of processes that have ended make room first, however
 *  many there were.
 */
static void dead_processes(void)
{
	struct scene s = scene_open(0);

	refuse(&s);
	for (int i = 0; i < KEPT + 20; i++)
		in_child(child_is_refused, &s);
	check_eq(refusal_of(s.b.fd).error, EPERM);
	scene_close(&s);
}

/**
 * SUBTEST: dead-processes-freed
 * Description: Nothing of a process that was refused stays when its refusals have made
 *  room.
 */
static void dead_processes_freed(void)
{
	/* Here to skip early. */
	long pids = slab_objects("pid");
	struct scene s = scene_open(0);

	for (int i = 0; i < KEPT + 20; i++)
		in_child(child_is_refused, &s);
	pids = slab_objects("pid");
	for (int i = 0; i < TWICE; i++)
		in_child(child_is_refused_twice, &s);
	check(slab_objects("pid") <= pids + TWICE / 2);
	scene_close(&s);
}

/* --- calls that are not over --- */

#define CALLS	16	/* of a process: so many have a record */

static void *call_of_thread(void *data)
{
	check_error(do_import(data), ELOOP);
	return NULL;
}

/* The import of another thread is refused. It ends when the exporter's detach does. */
static pthread_t begin_call(struct scene *s)
{
	pthread_t thread;

	check_ok(mock_fail(s->exporter, s->b.id, PRIME_MOCK_MAP, 1, ELOOP));
	check_ok(mock_sleep(s->exporter, s->b.id, PRIME_MOCK_DETACH, PRIME_MOCK_MAX_SLEEP_US, 0));
	check_eq(pthread_create(&thread, NULL, call_of_thread, s), 0);
	mock_wait_calls(&s->b, PRIME_MOCK_DETACH, 1);
	return thread;
}

static void end_call(struct scene *s, pthread_t thread)
{
	/* Otherwise the sleep was too short for this machine. */
	check_eq(mock_balance(&s->b, PRIME_MOCK_ATTACHED), 1);
	check_ok(mock_quiet(s->exporter, s->b.id, PRIME_MOCK_DETACH));
	check_eq(pthread_join(thread, NULL), 0);
}

/**
 * SUBTEST: sixteen-calls
 * Description: While sixteen calls of a process are not over, it is not told of further
 *  refusals. Other processes are. When a call has ended, there is room for another one.
 */
static void sixteen_calls(void)
{
	struct scene s[CALLS + 2];
	pthread_t threads[CALLS];

	for (int i = 0; i < CALLS + 2; i++)
		s[i] = scene_open(0);
	for (int i = 0; i < CALLS - 1; i++)
		threads[i] = begin_call(&s[i]);
	refuse(&s[CALLS]);
	check_eq(refusal_of(s[CALLS].b.fd).error, EPERM);
	threads[CALLS - 1] = begin_call(&s[CALLS - 1]);
	refuse(&s[CALLS + 1]);
	expect_none(s[CALLS + 1].b.fd);
	in_child(child_is_refused, &s[CALLS + 1]);
	end_call(&s[0], threads[0]);
	check_eq(refusal_of(s[0].b.fd).error, ELOOP);
	refuse(&s[CALLS + 1]);
	check_eq(refusal_of(s[CALLS + 1].b.fd).error, EPERM);
	for (int i = 1; i < CALLS; i++)
		end_call(&s[i], threads[i]);
	for (int i = 0; i < CALLS + 2; i++)
		scene_close(&s[i]);
}

/* --- for root --- */

/* Of all processes, if @pid is 0. */
static int lines_of(pid_t pid, bool *told)
{
	char *text = read_text(DEBUGFS), *line, *rest = text;
	int lines = 0;

	if (!text)
		prime_skip("%s can't be read", DEBUGFS);
	if (told)
		*told = strstr(text, "\tprime_mock\t") != NULL;
	while ((line = strsep(&rest, "\n")))
		lines += pid ? atoi(line) == pid : atoi(line) > 0;
	free(text);
	return lines;
}

/**
 * SUBTEST: debugfs
 * Description: Root sees the refusals of all processes that live, others can't read
 *  the file.
 */
static void debugfs(void)
{
	struct scene s = scene_open(0);
	struct stat st;
	int status, done[2];
	bool told;
	pid_t pid;

	check_eq(lines_of(getpid(), NULL), 0);
	check(!stat(DEBUGFS, &st));
	check_eq(st.st_mode & 0777, 0400);
	refuse(&s);
	check_eq(lines_of(getpid(), &told), 1);
	check(told);
	check(!pipe(done));
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		child_is_refused(&s);
		check(write(done[1], "", 1) == 1);
		pause();
		_exit(0);
	}
	check(read(done[0], &status, 1) == 1);
	check_eq(lines_of(pid, NULL), 1);
	kill(pid, SIGKILL);
	check_eq(waitpid(pid, &status, 0), pid);
	check_eq(lines_of(pid, NULL), 0);
	scene_close(&s);
}

#define TOLD	256	/* refusals of all processes */

static pid_t child_is_refused_eight(struct scene *s)
{
	int done[2], pid;
	char byte;

	check(!pipe(done));
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		for (int i = 0; i < 8; i++)
			child_is_refused(&s[i]);
		check(write(done[1], "", 1) == 1);
		pause();
		_exit(0);
	}
	close(done[1]);
	check(read(done[0], &byte, 1) == 1);
	close(done[0]);
	return pid;
}

/**
 * SUBTEST: of-all-processes
 * Description: The last 256 refusals are told, of processes that live. The next one takes
 *  the place of the oldest one, which is that of another process.
 */
static void of_all_processes(void)
{
	pid_t pids[TOLD / 8 + 1];
	struct scene s[8];

	for (int i = 0; i < 8; i++)
		s[i] = scene_open(0);
	refuse(&s[0]);
	for (int i = 0; i < TOLD / 8 + 1; i++) {
		pids[i] = child_is_refused_eight(s);
		check_eq(lines_of(pids[i], NULL), 8);
		check(lines_of(0, NULL) <= TOLD);
	}
	check_eq(lines_of(0, NULL), TOLD);
	expect_none(s[0].b.fd);
	for (int i = 0; i < TOLD / 8 + 1; i++) {
		kill(pids[i], SIGKILL);
		check_eq(waitpid(pids[i], NULL, 0), pids[i]);
	}
	for (int i = 0; i < 8; i++)
		scene_close(&s[i]);
}

#define TRACEFS		"/sys/kernel/tracing"
#define INSTANCE	TRACEFS "/instances/dmabuf_refusal"
#define EVENT		INSTANCE "/events/dma_buf/dma_buf_refusal"

/**
 * SUBTEST: trace-event
 * Description: Each refusal is a trace event, and what succeeds in the end is none.
 */
static void trace_event(void)
{
	struct scene s = scene_open(0);
	char *trace, wanted[64];

	if (access(TRACEFS "/instances", F_OK))
		mount_until_end("tracefs", TRACEFS);
	undo_later(remove_back, INSTANCE, "");
	if (mkdir(INSTANCE, 0700) && errno != EEXIST)
		prime_skip("no trace instance can be made: %s", strerror(errno));
	check_ok(write_text(EVENT "/enable", "1"));
	check_ok(do_import(&s));
	refuse(&s);
	check_ok(write_text(EVENT "/enable", "0"));
	trace = read_text(INSTANCE "/trace");
	check(trace);
	snprintf(wanted, sizeof(wanted), "ino=%llu dev_name=prime_mock",
		 (unsigned long long)inode_of(s.b.fd));
	check(strstr(trace, wanted));
	check(!strstr(strstr(trace, wanted) + 1, "dma_buf_refusal:"));
	snprintf(wanted, sizeof(wanted), "step=%u by=%u error=%u", DMA_BUF_STEP_ATTACH,
		 DMA_BUF_BY_EXPORTER, EPERM);
	check(strstr(trace, wanted));
	free(trace);
	scene_close(&s);
}

/**
 * SUBTEST: first-release
 * Description: A program of the first release knows 88 bytes, and gets no more.
 */
static void first_release(void)
{
	struct scene s = scene_open(0);
	unsigned char bytes[128];
	uint32_t field;

	refuse(&s);
	memset(bytes, 0xff, sizeof(bytes));
	check_ok(xioctl(s.b.fd, _IOC(_IOC_READ, 'b', 0x23, 88), bytes));
	memcpy(&field, bytes, sizeof(field));
	check(field);
	check(!strncmp((char *)bytes + 24, "prime_mock", 10));
	for (int i = 88; i < 128; i++)
		check_eq(bytes[i], 0xff);
	scene_close(&s);
}

static const struct prime_subtest subtests[] = {
	{ "steps", steps_are_told },
	SUBTEST(missing_operations),
	{ "limits", limits_are_told },
	SUBTEST(v4l2_contiguous),
	SUBTEST(v4l2_interrupted),
	SUBTEST(v4l2_success),
	SUBTEST(v4l2_replaced),
	SUBTEST(v4l2_eight),
	SUBTEST(other_processes),
	SUBTEST(success_keeps),
	SUBTEST(threads),
	SUBTEST(eight_buffers),
	SUBTEST(eight_mixed),
	SUBTEST(dead_processes),
	SUBTEST(dead_processes_freed),
	SUBTEST(sixteen_calls),
	SUBTEST(debugfs),
	SUBTEST(of_all_processes),
	SUBTEST(trace_event),
	SUBTEST(first_release),
};

PRIME_MAIN(subtests)
