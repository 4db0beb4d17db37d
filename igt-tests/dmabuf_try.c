// SPDX-License-Identifier: MIT
/**
 * TEST: dmabuf try
 * Description: DMA_BUF_IOCTL_TRY_DEVICE: would this device take this buffer? The answer
 *  and its reason are those of the import that follows, and an attempt leaves nothing.
 *  The kernel without the layer has no such request.
 */
#include "lib/mock_buffer.h"
#include "lib/prime_memory.h"
#include "lib/prime_v4l2.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <linux/dma-buf-constraints.h>
#include <linux/landlock.h>

#define PAGES	4

static int try_device(int buffer, int device, uint32_t judged)
{
	struct dma_buf_try_device arg = { .device_fd = device, .judged = ~0u };
	int ret = xioctl(buffer, DMA_BUF_IOCTL_TRY_DEVICE, &arg);

	if (ret == -ENOTTY)
		prime_skip("the kernel can't try devices (CONFIG_DRM_PRIME_TRY_DEVICE)");
	check_eq(arg.judged, judged);
	return ret;
}

static struct dma_buf_refusal refusal_of(int buffer)
{
	struct dma_buf_refusal why;

	check_ok(xioctl(buffer, DMA_BUF_IOCTL_GET_REFUSAL, &why));
	return why;
}

/* The buffer was refused twice: for the same reason. */
static void same_reason(struct dma_buf_refusal a, struct dma_buf_refusal b)
{
	check(a.field);
	check_eq(a.field, b.field);
	check_eq(a.step, b.step);
	check_eq(a.error, b.error);
	check(!memcmp(&a, &b, sizeof(a)));
}

/* --- DRM --- */

/* Gives the answer, which is that of the import. */
static int agree_drm(int buffer, int device)
{
	int ret = try_device(buffer, device, DMA_BUF_TRY_IMPORT);
	struct dma_buf_refusal why;
	int64_t handle;

	check_eq(settle_attachments(buffer, 0), 0);
	why = refusal_of(buffer);
	handle = gem_import(device, buffer);
	if (handle >= 0)
		check_ok(gem_close(device, handle));
	check_eq(ret, handle < 0 ? handle : 0);
	if (ret)
		same_reason(why, refusal_of(buffer));
	return ret;
}

static struct drm_prime_mock_stats stats_of(int mock, uint32_t id)
{
	struct drm_prime_mock_stats stats = { };

	check_ok(mock_stats(mock, id, &stats));
	return stats;
}

/* The counters of the exporter's object, or of the device (@id 0), are as before. */
static void check_untouched(int mock, uint32_t id, const struct drm_prime_mock_stats *before)
{
	struct drm_prime_mock_stats now = stats_of(mock, id);

	for (int i = 0; i < PRIME_MOCK_PAIRS; i++)
		check_eq(now.balance[i], before->balance[i]);
	check_eq(now.objects, before->objects);
	check_eq(now.imports, before->imports);
	check_eq(now.moves, before->moves);
}

static void run_kind(void *data)
{
	const struct mock_kind *kind = data;
	struct mock_scene s = mock_scene(kind->flags, PAGES);
	struct drm_prime_mock_stats object = stats_of(s.exporter, s.b.id);
	struct drm_prime_mock_stats importer = stats_of(s.importer, 0);
	unsigned int maps = mock_count(&s.b, PRIME_MOCK_MAP);

	check_ok(try_device(s.b.fd, s.importer, DMA_BUF_TRY_IMPORT));
	check_eq(mock_count(&s.b, PRIME_MOCK_MAP), maps + 1);
	check_untouched(s.exporter, s.b.id, &object);
	check_untouched(s.importer, 0, &importer);
	check_ok(agree_drm(s.b.fd, s.importer));
	mock_scene_end(&s);
}

/**
 * SUBTEST: mock
 * Description: Each kind of exporter: the buffer is mapped and unmapped once, and pins,
 *  attachments, objects and the place of the storage are as before.
 */
static void mock(void)
{
	for (int i = 0; i < MOCK_KINDS; i++)
		prime_dynamic(mock_kinds[i].name, run_kind, (void *)&mock_kinds[i]);
}

static const struct {
	const char *name;
	uint32_t op;
	bool of_importer;
} steps[] = {
	{ "attach", PRIME_MOCK_ATTACH, false },
	{ "pin", PRIME_MOCK_PIN, false },
	{ "map", PRIME_MOCK_MAP, false },
	{ "import", PRIME_MOCK_IMPORT, true },
	{ "given-back", PRIME_MOCK_IMPORT_SG, true },
};

static void run_step(void *data)
{
	struct mock_scene s = mock_scene(PRIME_MOCK_DYNAMIC, PAGES);
	const unsigned int i = (uintptr_t)data;
	const int mock = steps[i].of_importer ? s.importer : s.exporter;
	struct drm_prime_mock_stats object, importer;
	struct dma_buf_refusal why;

	check_ok(try_device(s.b.fd, s.importer, DMA_BUF_TRY_IMPORT));
	object = stats_of(s.exporter, s.b.id);
	importer = stats_of(s.importer, 0);
	check_ok(mock_fail(mock, steps[i].of_importer ? 0 : s.b.id, steps[i].op, 1, ELOOP));
	check_error(try_device(s.b.fd, s.importer, DMA_BUF_TRY_IMPORT), ELOOP);
	check_untouched(s.exporter, s.b.id, &object);
	check_untouched(s.importer, 0, &importer);
	why = refusal_of(s.b.fd);
	check_eq(why.error, ELOOP);
	check_ok(mock_fail(mock, steps[i].of_importer ? 0 : s.b.id, steps[i].op, 1, ELOOP));
	check_error(gem_import(s.importer, s.b.fd), ELOOP);
	same_reason(why, refusal_of(s.b.fd));
	check_ok(agree_drm(s.b.fd, s.importer));
	mock_scene_end(&s);
}

/**
 * SUBTEST: steps
 * Description: Each step that can fail: the errno and the reason are those of the import
 *  in which it fails.
 */
static void steps_are_told(void)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		prime_dynamic(steps[i].name, run_step, (void *)(uintptr_t)i);
}

/**
 * SUBTEST: limits
 * Description: A device that takes one segment refuses a scattered buffer and takes a
 *  contiguous one.
 */
static void limits(void)
{
	int exporter = mock_open(0), importer = mock_open(1);
	struct drm_prime_mock_limits one = MOCK_NO_LIMITS;
	struct mock_buffer bad = mock_buffer(exporter, 0, PAGES);
	struct mock_buffer good = mock_buffer_as(exporter, 0, PRIME_MOCK_CONTIGUOUS, PAGES);
	int ret;

	/* A kernel that can't try ends the subtest here, and no limit stays. */
	check_ok(try_device(good.fd, importer, DMA_BUF_TRY_IMPORT));
	one.max_segments = 1;
	check_ok(mock_limits(importer, one));
	ret = agree_drm(bad.fd, importer);
	check_ok(agree_drm(good.fd, importer));
	check_ok(mock_limits(importer, MOCK_NO_LIMITS));
	check_error(ret, E2BIG);
	check_eq(refusal_of(bad.fd).field, DMA_BUF_FIELD_MAX_SEGMENTS);
	mock_buffer_end(&good);
	mock_buffer_end(&bad);
	close(importer);
	close(exporter);
}

static const char *const drivers[] = { "vgem", "vkms", "virtio_gpu", "prime_mock" };

static void run_driver(void *data)
{
	int device = open_driver(data), drm = try_driver("vgem");
	int buffers[] = {
		make_memory(MEMORY_UDMABUF, PAGES * PAGE),
		make_memory(MEMORY_SYSTEM_HEAP, PAGES * PAGE),
		drm < 0 ? -1 : make_dmabuf(drm, PAGES, NULL),
		make_dmabuf(device, PAGES, NULL),
	};

	for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
		if (buffers[i] < 0)
			continue;
		agree_drm(buffers[i], device);
		close(buffers[i]);
	}
	close(device);
	if (drm >= 0)
		close(drm);
}

/**
 * SUBTEST: drivers
 * Description: Buffers of udmabuf, a heap, vgem and the device itself: each driver
 *  answers as in the import, whether it takes them or not.
 */
static void drivers_agree(void)
{
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		prime_dynamic(drivers[i], run_driver, (void *)drivers[i]);
}

/**
 * SUBTEST: known-buffer
 * Description: A file that has a handle of the buffer imports nothing, and keeps its
 *  handle.
 */
static void known_buffer(void)
{
	struct mock_scene s = mock_scene(0, PAGES);
	int64_t handle = check_ok(gem_import(s.importer, s.b.fd));
	unsigned int maps = mock_count(&s.b, PRIME_MOCK_MAP);

	check_ok(try_device(s.b.fd, s.importer, DMA_BUF_TRY_IMPORT));
	check_eq(mock_count(&s.b, PRIME_MOCK_MAP), maps);
	check_eq(gem_import(s.importer, s.b.fd), handle);
	check_ok(gem_close(s.importer, handle));
	mock_scene_end(&s);
}

/* --- V4L2 --- */

/* A buffer of prime_mock for one picture; @backing makes it fit or unfit. */
static struct mock_buffer picture_buffer(int mock, const struct v4l2_queue *q, uint32_t flags,
					 uint32_t backing)
{
	return mock_buffer_as(mock, flags, backing, (q->size[0] + PAGE - 1) / PAGE);
}

/* Queues it in a queue that has no buffers, and gives the answer of both. */
static int agree_v4l2(int buffer, struct v4l2_queue *q)
{
	int ret = try_device(buffer, q->fd, DMA_BUF_TRY_MAPPING), queued;
	struct dma_buf_refusal why = refusal_of(buffer);

	check_eq(settle_attachments(buffer, 0), 0);
	check_ok(v4l2_request(q, V4L2_MEMORY_DMABUF, 1));
	queued = v4l2_queue_buffer(q, 0, buffer);
	check_ok(v4l2_request(q, V4L2_MEMORY_DMABUF, 0));
	check_eq(ret, queued < 0 ? queued : 0);
	if (ret)
		same_reason(why, refusal_of(buffer));
	return ret;
}

static void run_memory(int device, enum memory kind)
{
	struct v4l2_queue q = v4l2_capture(device);
	int fd = make_memory(kind, (q.size[0] + PAGE - 1) & -PAGE);
	int ret = agree_v4l2(fd, &q);

	/* Whether the others are contiguous is chance. */
	if (kind == MEMORY_CMA_HEAP)
		check_ok(ret);
	if (kind == MEMORY_SCATTERED && device == V4L2_CONTIG) {
		check(ret < 0);
		check_eq(refusal_of(fd).field, DMA_BUF_FIELD_CONTIGUOUS);
	}
	close(fd);
	close(q.fd);
}

static void contig_memory(void *kind)
{
	run_memory(V4L2_CONTIG, (uintptr_t)kind);
}

static void vmalloc_memory(void *kind)
{
	run_memory(V4L2_VMALLOC, (uintptr_t)kind);
}

static const char *const memories[] = {
	[MEMORY_UDMABUF] = "udmabuf",
	[MEMORY_SCATTERED] = "scattered",
	[MEMORY_SYSTEM_HEAP] = "system-heap",
	[MEMORY_CMA_HEAP] = "cma-heap",
};

/**
 * SUBTEST: v4l2-contig
 * Description: A camera that takes one piece answers as VIDIOC_QBUF does.
 */
static void v4l2_contig(void)
{
	for (uintptr_t i = 0; i <= MEMORY_CMA_HEAP; i++)
		prime_dynamic(memories[i], contig_memory, (void *)i);
}

/**
 * SUBTEST: v4l2-vmalloc
 * Description: The same of a camera whose pictures the processor copies.
 */
static void v4l2_vmalloc(void)
{
	for (uintptr_t i = 0; i <= MEMORY_CMA_HEAP; i++)
		prime_dynamic(memories[i], vmalloc_memory, (void *)i);
}

/* Of the module that tried; 0 where it is built in. */
static int module_users(void)
{
	char *text = read_text("/sys/module/dma_buf_try_v4l2/refcnt");
	int users = text ? atoi(text) : 0;

	free(text);
	return users;
}

static void run_v4l2_mock(void *data)
{
	struct v4l2_queue q = v4l2_capture((uintptr_t)data);
	int exporter = mock_open(0);
	struct mock_buffer good = picture_buffer(exporter, &q, 0, PRIME_MOCK_CONTIGUOUS);
	struct mock_buffer bad = picture_buffer(exporter, &q, PRIME_MOCK_MINIMAL,
						PRIME_MOCK_SCATTERED);
	struct drm_prime_mock_stats before = stats_of(exporter, 0);

	check_ok(try_device(good.fd, q.fd, DMA_BUF_TRY_MAPPING));
	check_untouched(exporter, 0, &before);
	check_eq(module_users(), 0);
	check_ok(agree_v4l2(good.fd, &q));
	/* Neither contiguous nor with a vmap. */
	check(try_device(bad.fd, q.fd, DMA_BUF_TRY_MAPPING) < 0);
	check_untouched(exporter, 0, &before);
	check(agree_v4l2(bad.fd, &q) < 0);
	if ((uintptr_t)data == V4L2_CONTIG) {
		check_ok(mock_fail(exporter, good.id, PRIME_MOCK_MAP, 1, ELOOP));
		check_error(try_device(good.fd, q.fd, DMA_BUF_TRY_MAPPING), EINVAL);
		check_eq(refusal_of(good.fd).step, DMA_BUF_STEP_MAP);
		check_ok(mock_fail(exporter, good.id, PRIME_MOCK_ATTACH, 1, ELOOP));
		check_error(try_device(good.fd, q.fd, DMA_BUF_TRY_MAPPING), ELOOP);
		check_eq(refusal_of(good.fd).step, DMA_BUF_STEP_ATTACH);
		check_untouched(exporter, 0, &before);
	}
	close(q.fd);
	mock_buffer_end(&good);
	mock_buffer_end(&bad);
	close(exporter);
}

/**
 * SUBTEST: v4l2-mock
 * Description: Cameras leave no attachment, mapping or pin, whatever they answer.
 */
static void v4l2_mock(void)
{
	prime_dynamic("vivid-contig", run_v4l2_mock, (void *)(uintptr_t)V4L2_CONTIG);
	prime_dynamic("vivid-vmalloc", run_v4l2_mock, (void *)(uintptr_t)V4L2_VMALLOC);
}

/**
 * SUBTEST: v4l2-mem2mem
 * Description: A memory-to-memory device has a queue for each direction, and each must
 *  take it.
 */
static void v4l2_mem2mem(void)
{
	int fd = v4l2_open(V4L2_MEM2MEM, false), exporter = mock_open(0);
	struct v4l2_queue in = v4l2_queue_of(fd, V4L2_MEM2MEM, true);
	struct mock_buffer good = picture_buffer(exporter, &in, 0, PRIME_MOCK_SCATTERED);
	struct mock_buffer bad = picture_buffer(exporter, &in, PRIME_MOCK_MINIMAL,
						PRIME_MOCK_SCATTERED);
	unsigned int vmaps = mock_count(&good, PRIME_MOCK_VMAP);

	check_ok(try_device(good.fd, fd, DMA_BUF_TRY_MAPPING));
	check_eq(mock_count(&good, PRIME_MOCK_VMAP), vmaps + 2);
	check_ok(agree_v4l2(good.fd, &in));
	check(agree_v4l2(bad.fd, &in) < 0);
	close(fd);
	mock_buffer_end(&good);
	mock_buffer_end(&bad);
	close(exporter);
}

/**
 * SUBTEST: v4l2-no-queue
 * Description: A radio has no queue for buffers. Nothing is tried.
 */
static void v4l2_no_queue(void)
{
	struct mock_scene s = mock_scene(0, PAGES);
	int camera = v4l2_open(V4L2_VMALLOC, false);
	int radio = open("/dev/radio0", O_RDWR | O_CLOEXEC);

	if (radio < 0)
		prime_skip("vivid has no radio: %s", strerror(errno));
	check_error(try_device(s.b.fd, radio, 0), EOPNOTSUPP);
	check_eq(refusal_of(s.b.fd).error, 0);
	close(radio);
	close(camera);
	mock_scene_end(&s);
}

/**
 * SUBTEST: v4l2-streaming
 * Description: A camera that streams goes on. Its own file may try, and others are told
 *  that it is busy.
 */
static void v4l2_streaming(void)
{
	struct v4l2_queue q = v4l2_capture(V4L2_CONTIG);
	int other = v4l2_open(V4L2_CONTIG, false), exporter = mock_open(0);
	struct mock_buffer b[2];

	for (int i = 0; i < 2; i++)
		b[i] = picture_buffer(exporter, &q, 0, PRIME_MOCK_CONTIGUOUS);
	check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 2));
	check_ok(v4l2_queue_buffer(&q, 0, b[0].fd));
	check_ok(v4l2_start(&q));
	for (int i = 0; i < 4; i++) {
		check_ok(try_device(b[1].fd, q.fd, DMA_BUF_TRY_MAPPING));
		check_ok(try_device(b[0].fd, q.fd, DMA_BUF_TRY_MAPPING));
		check_error(try_device(b[1].fd, other, 0), EBUSY);
		check_eq(v4l2_dequeue(&q), 0);
		check_ok(v4l2_queue_buffer(&q, 0, b[0].fd));
	}
	check_ok(v4l2_stop(&q));
	check_ok(v4l2_request(&q, V4L2_MEMORY_DMABUF, 0));
	check_ok(try_device(b[1].fd, other, DMA_BUF_TRY_MAPPING));
	close(other);
	close(q.fd);
	for (int i = 0; i < 2; i++)
		mock_buffer_end(&b[i]);
	close(exporter);
}

struct attempt {
	int buffer, device;
	uint32_t judged;
	int ret;
};

static void *attempt_of_thread(void *data)
{
	struct attempt *attempt = data;

	attempt->ret = try_device(attempt->buffer, attempt->device, attempt->judged);
	return NULL;
}

/**
 * SUBTEST: v4l2-lock
 * Description: While a camera maps a buffer for an attempt, no other request changes its
 *  queue, and another attempt waits, too. A signal ends the wait.
 */
static void v4l2_lock(void)
{
	struct v4l2_queue q = v4l2_capture(V4L2_CONTIG);
	int exporter = mock_open(0);
	struct mock_buffer b = picture_buffer(exporter, &q, 0, PRIME_MOCK_CONTIGUOUS);
	struct attempt attempt = { b.fd, q.fd, DMA_BUF_TRY_MAPPING };
	pthread_t thread;

	check_ok(try_device(b.fd, q.fd, DMA_BUF_TRY_MAPPING));
	check_ok(mock_sleep(exporter, b.id, PRIME_MOCK_MAP, PRIME_MOCK_MAX_SLEEP_US, 0));
	check_eq(pthread_create(&thread, NULL, attempt_of_thread, &attempt), 0);
	mock_wait_calls(&b, PRIME_MOCK_MAP, 2);
	alarm_every(40);
	check_error(v4l2_request(&q, V4L2_MEMORY_DMABUF, 1), EINTR);
	check_error(try_device(b.fd, q.fd, 0), EINTR);
	alarm_every(0);
	check_ok(mock_quiet(exporter, b.id, PRIME_MOCK_MAP));
	check_eq(pthread_join(thread, NULL), 0);
	check_ok(attempt.ret);
	check_eq(mock_count(&b, PRIME_MOCK_MAP), 2);
	check_eq(refusal_of(b.fd).error, 0);
	close(q.fd);
	mock_buffer_end(&b);
	close(exporter);
}

/**
 * SUBTEST: v4l2-mem2mem-lock
 * Description: Each open file of a memory-to-memory device has queues with a lock of their
 *  own. While a buffer is tried in one of them, the node can't go. An attempt in
 *  another one waits for that, too, until a signal ends the wait.
 */
static void v4l2_mem2mem_lock(void)
{
	int exporter = mock_open(0), fd = v4l2_open(V4L2_MEM2MEM, false);
	struct v4l2_queue q = v4l2_queue_of(fd, V4L2_MEM2MEM, true);
	struct mock_buffer b = picture_buffer(exporter, &q, 0, PRIME_MOCK_SCATTERED);
	struct attempt attempt = { b.fd, fd, DMA_BUF_TRY_MAPPING };
	unsigned int vmaps = mock_count(&b, PRIME_MOCK_VMAP);
	int other = v4l2_open(V4L2_MEM2MEM, false);
	pthread_t thread;

	check_ok(mock_sleep(exporter, b.id, PRIME_MOCK_VMAP, PRIME_MOCK_MAX_SLEEP_US, 0));
	check_eq(pthread_create(&thread, NULL, attempt_of_thread, &attempt), 0);
	mock_wait_calls(&b, PRIME_MOCK_VMAP, vmaps + 1);
	alarm_every(40);
	check_error(try_device(b.fd, other, 0), EINTR);
	alarm_every(0);
	check_eq(mock_count(&b, PRIME_MOCK_VMAP), vmaps + 1);
	check_ok(mock_quiet(exporter, b.id, PRIME_MOCK_VMAP));
	check_eq(pthread_join(thread, NULL), 0);
	check_ok(attempt.ret);
	check_ok(try_device(b.fd, other, DMA_BUF_TRY_MAPPING));
	close(other);
	close(fd);
	mock_buffer_end(&b);
	close(exporter);
}

#define VIM2M "/sys/bus/platform/drivers/vim2m"

static void *unbind_of_thread(void *data)
{
	*(int *)data = write_text(VIM2M "/unbind", "vim2m.0");
	return NULL;
}

/**
 * SUBTEST: v4l2-mem2mem-unplugged
 * Description: A memory-to-memory device goes while a buffer is tried in its first queue,
 *  which takes it. The second queue is not asked, so ENODEV is no importer's answer.
 */
static void v4l2_mem2mem_unplugged(void)
{
	int exporter = mock_open(0), fd = v4l2_open(V4L2_MEM2MEM, false), unbound;
	struct v4l2_queue q = v4l2_queue_of(fd, V4L2_MEM2MEM, true);
	struct mock_buffer b = picture_buffer(exporter, &q, 0, PRIME_MOCK_SCATTERED);
	struct attempt attempt = { b.fd, fd, 0 };
	unsigned int vmaps = mock_count(&b, PRIME_MOCK_VMAP);
	struct v4l2_capability cap;
	pthread_t threads[2];

	need_destructive("unbinding vim2m");
	check_ok(try_device(b.fd, fd, DMA_BUF_TRY_MAPPING));
	check_eq(mock_count(&b, PRIME_MOCK_VMAP), vmaps + 2);
	check_ok(mock_sleep(exporter, b.id, PRIME_MOCK_VMAP, PRIME_MOCK_MAX_SLEEP_US, 0));
	check_eq(pthread_create(&threads[0], NULL, attempt_of_thread, &attempt), 0);
	mock_wait_calls(&b, PRIME_MOCK_VMAP, vmaps + 3);
	undo_later(write_back, VIM2M "/bind", "vim2m.0");
	check_eq(pthread_create(&threads[1], NULL, unbind_of_thread, &unbound), 0);
	/* If unbinding fails, its errno says more than a test that does not end. */
	for (int i = 0; i < 10000 && !xioctl(fd, VIDIOC_QUERYCAP, &cap); i++)
		usleep(1000);
	check_ok(mock_quiet(exporter, b.id, PRIME_MOCK_VMAP));
	for (int i = 0; i < 2; i++)
		check_eq(pthread_join(threads[i], NULL), 0);
	check_ok(unbound);
	check_error(attempt.ret, ENODEV);
	check_eq(mock_count(&b, PRIME_MOCK_VMAP), vmaps + 3);
	check_error(try_device(b.fd, fd, 0), ENODEV);
	close(fd);
	mock_buffer_end(&b);
	close(exporter);
}

/* --- a sandbox --- */

/* Requests of devices, in <linux/landlock.h> since 6.10. */
#define IOCTL_DEV	(1ull << 15)

/* The same device, opened anew. */
static int open_again(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, flags | O_CLOEXEC);
	check(fd >= 0);
	return fd;
}

/* From now on this process makes requests only of @allowed, and of what it has open. */
static void enter_sandbox(int allowed)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = IOCTL_DEV };
	struct landlock_path_beneath_attr rule = { .allowed_access = IOCTL_DEV };
	int rules = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);

	if (rules < 0)
		prime_skip("no Landlock, or one before Linux 6.10: %s", strerror(errno));
	rule.parent_fd = open_again(allowed, O_PATH);
	check(!syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0));
	check(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	check(!syscall(SYS_landlock_restrict_self, rules, 0));
	close(rule.parent_fd);
	close(rules);
}

/**
 * SUBTEST: landlock
 * Description: A process in a sandbox of Landlock can try what it can import into: what
 *  it opened before, and what the sandbox allows. Of another device nothing is tried.
 */
static void landlock(void)
{
	struct mock_scene s = mock_scene(0, PAGES);
	int outside = open_again(s.importer, O_RDWR), inside, allowed;
	unsigned int maps;

	check_ok(agree_drm(s.b.fd, outside));
	enter_sandbox(s.exporter);
	check_ok(agree_drm(s.b.fd, outside));
	allowed = open_again(s.exporter, O_RDWR);
	check_ok(agree_drm(s.b.fd, allowed));
	inside = open_again(s.importer, O_RDWR);
	maps = mock_count(&s.b, PRIME_MOCK_MAP);
	check_error(gem_import(inside, s.b.fd), EACCES);
	check_error(try_device(s.b.fd, inside, 0), EACCES);
	check_eq(mock_count(&s.b, PRIME_MOCK_MAP), maps);
	check_eq(refusal_of(s.b.fd).error, 0);
	close(inside);
	close(allowed);
	close(outside);
	mock_scene_end(&s);
}

/**
 * SUBTEST: landlock-v4l2
 * Description: The same of a camera, whose import is VIDIOC_QBUF.
 */
static void landlock_v4l2(void)
{
	struct v4l2_queue q = v4l2_capture(V4L2_VMALLOC), inside = q;
	struct mock_scene s = mock_scene(0, (q.size[0] + PAGE - 1) / PAGE);

	check_ok(agree_v4l2(s.b.fd, &q));
	enter_sandbox(s.exporter);
	check_ok(agree_v4l2(s.b.fd, &q));
	inside.fd = open_again(q.fd, O_RDWR);
	check_error(v4l2_queue_buffer(&inside, 0, s.b.fd), EACCES);
	check_error(try_device(s.b.fd, inside.fd, 0), EACCES);
	close(inside.fd);
	close(q.fd);
	mock_scene_end(&s);
}

/* --- negotiated storage --- */

static struct dma_buf_storage_info storage_of(int buffer)
{
	struct dma_buf_storage_info info;

	check_ok(xioctl(buffer, DMA_BUF_IOCTL_GET_STORAGE, &info));
	return info;
}

/**
 * SUBTEST: negotiated
 * Description: An attempt never places storage. It is refused until the storage is
 *  committed, and then the storage stays where it is.
 */
static void negotiated(void)
{
	int heap = heap_open("negotiated"), device = mock_open(1), buffer;
	struct dma_buf_commit commit = { };
	struct dma_buf_storage_info before, after;

	if (heap < 0)
		prime_skip("no heap negotiated (CONFIG_DMABUF_HEAPS_NEGOTIATED)");
	buffer = check_ok(heap_alloc(heap, PAGES * PAGE, O_RDWR | O_CLOEXEC, 0));
	check_error(try_device(buffer, device, 0), EOPNOTSUPP);
	check_eq(storage_of(buffer).flags, 0);
	check_ok(xioctl(buffer, DMA_BUF_IOCTL_COMMIT, &commit));
	before = storage_of(buffer);
	check_ok(agree_drm(buffer, device));
	after = storage_of(buffer);
	check(!memcmp(&before, &after, sizeof(before)));
	close(buffer);
	close(heap);
	close(device);
}

/* --- the request --- */

/**
 * SUBTEST: wrong-file
 * Description: Files that are no device node, and none at all.
 */
static void wrong_file(void)
{
	struct mock_scene s = mock_scene(0, PAGES);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), memory = memfd_sealed(PAGE, 0);

	check(null >= 0);
	check_error(try_device(s.b.fd, null, 0), EOPNOTSUPP);
	check_error(try_device(s.b.fd, memory, 0), EOPNOTSUPP);
	check_error(try_device(s.b.fd, s.b.fd, 0), EOPNOTSUPP);
	close(memory);
	check_error(try_device(s.b.fd, memory, 0), EBADF);
	check_error(try_device(s.b.fd, -1, 0), EBADF);
	check_eq(refusal_of(s.b.fd).error, 0);
	close(null);
	mock_scene_end(&s);
}

struct request {
	int buffer, ret;
	struct dma_buf_try_device *arg;
};

static void *request_of_thread(void *data)
{
	struct request *request = data;

	request->ret = xioctl(request->buffer, DMA_BUF_IOCTL_TRY_DEVICE, request->arg);
	return NULL;
}

/**
 * SUBTEST: wrong-argument
 * Description: Unknown flags and lengths, and memory that can't take the answer: nothing
 *  is tried. If the memory changes meanwhile, the attempt ends with EFAULT.
 */
static void wrong_argument(void)
{
	struct mock_scene s = mock_scene(0, PAGES);
	struct dma_buf_try_device arg = { .device_fd = s.importer };
	struct drm_prime_mock_stats before = stats_of(s.exporter, s.b.id);
	struct request request = { .buffer = s.b.fd };
	struct dma_buf_try_device *fixed;
	pthread_t thread;

	check_ok(try_device(s.b.fd, s.importer, DMA_BUF_TRY_IMPORT));
	before = stats_of(s.exporter, s.b.id);
	for (int i = 0; i < 32; i++) {
		arg.flags = 1u << i;
		check_error(xioctl(s.b.fd, DMA_BUF_IOCTL_TRY_DEVICE, &arg), EINVAL);
	}
	arg.flags = 0;
	check_error(xioctl(s.b.fd, _IOC(_IOC_READ | _IOC_WRITE, 'b', 0x24, 8), &arg), EINVAL);
	check_error(xioctl(s.b.fd, DMA_BUF_IOCTL_TRY_DEVICE, NULL), EFAULT);
	fixed = readonly_page(&arg, sizeof(arg));
	check_error(xioctl(s.b.fd, DMA_BUF_IOCTL_TRY_DEVICE, fixed), EFAULT);
	writable_page(fixed);
	check_eq(mock_count(&s.b, PRIME_MOCK_MAP), before.calls[PRIME_MOCK_MAP]);
	check_untouched(s.exporter, s.b.id, &before);

	request.arg = fixed;
	check_ok(mock_sleep(s.exporter, s.b.id, PRIME_MOCK_MAP, PRIME_MOCK_MAX_SLEEP_US, 0));
	check_eq(pthread_create(&thread, NULL, request_of_thread, &request), 0);
	mock_wait_calls(&s.b, PRIME_MOCK_MAP, before.calls[PRIME_MOCK_MAP] + 1);
	check(!mprotect(fixed, PAGE, PROT_READ));
	check_ok(mock_quiet(s.exporter, s.b.id, PRIME_MOCK_MAP));
	check_eq(pthread_join(thread, NULL), 0);
	check_error(request.ret, EFAULT);
	check_untouched(s.exporter, s.b.id, &before);
	mock_scene_end(&s);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(mock),
	{ "steps", steps_are_told },
	SUBTEST(limits),
	{ "drivers", drivers_agree },
	SUBTEST(known_buffer),
	SUBTEST(v4l2_contig),
	SUBTEST(v4l2_vmalloc),
	SUBTEST(v4l2_mock),
	SUBTEST(v4l2_mem2mem),
	SUBTEST(v4l2_no_queue),
	SUBTEST(v4l2_streaming),
	SUBTEST(v4l2_lock),
	SUBTEST(v4l2_mem2mem_lock),
	SUBTEST(v4l2_mem2mem_unplugged),
	SUBTEST(landlock),
	SUBTEST(landlock_v4l2),
	SUBTEST(negotiated),
	SUBTEST(wrong_file),
	SUBTEST(wrong_argument),
};

PRIME_MAIN(subtests)
