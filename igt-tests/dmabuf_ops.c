// SPDX-License-Identifier: MIT
/**
 * TEST: dmabuf ops
 * Description: Which operations of an exporter the core calls for each step of an
 *  importer, with both sides static or dynamic. None is missing, none is called
 *  twice, and each is undone, also when one of them fails, sleeps or moves the
 *  storage. Both sides are prime_mock, so only the core is tested.
 */
#include "lib/mock_buffer.h"
#include "lib/prime_memory.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static const uint32_t ways[] = { 0, PRIME_MOCK_IMPORT_DYNAMIC };

static int step(struct mock_scene *s, uint32_t import, uint32_t op)
{
	return mock_step(s->importer, import, op);
}

static int map(struct mock_scene *s, uint32_t import)
{
	return mock_map(s->importer, import, PRIME_MOCK_BIDIRECTIONAL);
}

static void say(const struct mock_kind *kind, uint32_t way)
{
	printf("exporter: %s, importer: %s\n", kind->name,
	       way ? "dynamic" : "static");
}

/*
 * Only one side is dynamic, and the kernel is one that then maps at the attachment.
 */
static bool is_mixed(const struct mock_kind *kind, uint32_t way)
{
	return kind->dynamic != !!way && !kernel_has(KERNEL_MAPS_AT_MAP);
}

/* Is the exporter's first mapping kept until the detach? */
static bool keeps(const struct mock_kind *kind)
{
	return kind->cached && !kernel_has(KERNEL_MAPS_AT_MAP);
}

/* --- which operations are called --- */

/* The number of calls that each operation should have had by now. */
struct calls {
	unsigned int attach, detach, pin, unpin, map, unmap;
};

static void check_calls(const struct mock_kind *kind, const struct mock_buffer *b,
			struct calls want)
{
	bool pinned_by_attach = kind->flags == PRIME_MOCK_DEFAULT;
	struct drm_prime_mock_stats stats;

	check_ok(mock_stats(b->mock, b->id, &stats));
	if (kind->counts_attach) {
		check_eq(stats.calls[PRIME_MOCK_ATTACH], want.attach);
		check_eq(stats.calls[PRIME_MOCK_DETACH], want.detach);
	}
	if (pinned_by_attach) {
		/* The object is pinned at attach or when it is first mapped, until detach. */
		if (want.map || stats.calls[PRIME_MOCK_PIN])
			check_eq(stats.calls[PRIME_MOCK_PIN], want.attach);
		check_eq(stats.calls[PRIME_MOCK_UNPIN],
			 stats.calls[PRIME_MOCK_PIN] ? want.detach : 0);
	} else {
		check_eq(stats.calls[PRIME_MOCK_PIN], want.pin);
		check_eq(stats.calls[PRIME_MOCK_UNPIN], want.unpin);
		check_eq(stats.calls[PRIME_MOCK_UNMAP], want.unmap);
	}
	check_eq(stats.calls[PRIME_MOCK_MAP], want.map);
	check_eq(stats.calls[PRIME_MOCK_VMAP], 0);
	check_eq(stats.calls[PRIME_MOCK_BEGIN], 0);
	check_eq(stats.calls[PRIME_MOCK_END], 0);
	check_eq(stats.calls[PRIME_MOCK_RELEASE], 0);
}

/**
 * SUBTEST: calls-of-each-step
 * Description: For each exporter and importer: the calls that attach, map, unmap,
 *  map again, unmap and detach make. Before 6.16, if only one side is dynamic, the
 *  core maps at attach and unmaps at detach. It pins dynamic storage for an
 *  importer that can't follow a move.
 */
static void calls_of_each_step(void)
{
	for (int i = 0; i < MOCK_KINDS * 2; i++) {
		const struct mock_kind *kind = &mock_kinds[i / 2];
		uint32_t way = ways[i & 1], import;
		bool mixed = is_mixed(kind, way);
		bool kept = mixed || keeps(kind);
		bool pins = kind->dynamic && (!way || !kernel_moves());
		struct mock_scene s = mock_scene(kind->flags, 3);
		struct calls want = { };

		say(kind, way);
		import = mock_scene_attach(&s, way);
		want.attach++;
		want.map += mixed;
		want.pin += mixed && pins;
		check_calls(kind, &s.b, want);

		for (int round = 0; round < 2; round++) {
			check_ok(map(&s, import));
			if (!mixed && (!round || !kept)) {
				want.map++;
				want.pin += pins;
			}
			check_calls(kind, &s.b, want);
			check_ok(step(&s, import, PRIME_MOCK_UNMAP));
			if (!kept) {
				want.unmap++;
				want.unpin += pins;
			}
			check_calls(kind, &s.b, want);
		}

		check_ok(step(&s, import, PRIME_MOCK_DETACH));
		want.detach++;
		want.unmap = want.map;
		want.unpin = want.pin;
		check_calls(kind, &s.b, want);
		mock_scene_end(&s);
	}
}

/**
 * SUBTEST: calls-of-pin
 * Description: A dynamic importer's pin and unpin reach a dynamic exporter, once
 *  each. With a static exporter they succeed, and the core calls nothing.
 */
static void calls_of_pin(void)
{
	for (int i = 0; i < MOCK_KINDS; i++) {
		const struct mock_kind *kind = &mock_kinds[i];
		struct mock_scene s = mock_scene(kind->flags, 3);
		uint32_t import = mock_scene_attach(&s, PRIME_MOCK_IMPORT_DYNAMIC);
		unsigned int before = mock_count(&s.b, PRIME_MOCK_PIN);

		say(kind, PRIME_MOCK_IMPORT_DYNAMIC);
		for (unsigned int n = 1; n <= 3; n++) {
			check_ok(step(&s, import, PRIME_MOCK_PIN));
			check_eq(mock_count(&s.b, PRIME_MOCK_PIN) - before,
				 kind->dynamic * n);
		}
		for (unsigned int n = 1; n <= 3; n++) {
			check_ok(step(&s, import, PRIME_MOCK_UNPIN));
			check_eq(mock_count(&s.b, PRIME_MOCK_UNPIN),
				 kind->dynamic * n);
		}
		check_error(step(&s, import, PRIME_MOCK_UNPIN), EINVAL);
		check_ok(step(&s, import, PRIME_MOCK_DETACH));
		mock_scene_end(&s);
	}
}

/**
 * SUBTEST: calls-of-vmap
 * Description: The exporter maps the buffer into the kernel once for all users, and
 *  unmaps it after the last one. An exporter without vmap refuses.
 */
static void calls_of_vmap(void)
{
	for (int i = 0; i < MOCK_KINDS; i++) {
		struct mock_scene s = mock_scene(mock_kinds[i].flags, 3);
		uint32_t import[2] = { mock_scene_attach(&s, 0), mock_scene_attach(&s, ways[1]) };

		say(&mock_kinds[i], 0);
		if (mock_kinds[i].flags == PRIME_MOCK_MINIMAL) {
			check_error(step(&s, import[0], PRIME_MOCK_VMAP), EINVAL);
		} else {
			for (int n = 0; n < 6; n++)
				check_ok(step(&s, import[n & 1],
					      PRIME_MOCK_VMAP));
			check_eq(mock_count(&s.b, PRIME_MOCK_VMAP), 1);
			for (int n = 0; n < 6; n++) {
				check_eq(mock_count(&s.b, PRIME_MOCK_VUNMAP), 0);
				check_ok(step(&s, import[n / 3],
					      PRIME_MOCK_VUNMAP));
			}
			check_eq(mock_count(&s.b, PRIME_MOCK_VUNMAP), 1);
		}
		for (int n = 0; n < 2; n++)
			check_ok(step(&s, import[n], PRIME_MOCK_DETACH));
		mock_scene_end(&s);
	}
}

/**
 * SUBTEST: calls-of-sync
 * Description: SYNC calls the exporter's begin and end once each, also for an end
 *  without a begin. SYNC succeeds if the exporter has neither.
 */
static void calls_of_sync(void)
{
	for (int i = 0; i < MOCK_KINDS; i++) {
		const struct mock_kind *kind = &mock_kinds[i];
		bool counts = kind->counts_attach;	/* the same kinds */
		struct mock_scene s = mock_scene(kind->flags, 1);

		say(kind, 0);
		for (unsigned int n = 1; n <= 3; n++) {
			check_ok(dmabuf_sync(s.b.fd, DMA_BUF_SYNC_START | n));
			check_eq(mock_count(&s.b, PRIME_MOCK_BEGIN), counts * n);
			check_eq(mock_count(&s.b, PRIME_MOCK_END),
				 counts * (n - 1));
			check_ok(dmabuf_sync(s.b.fd, DMA_BUF_SYNC_END | n));
			check_eq(mock_count(&s.b, PRIME_MOCK_END), counts * n);
		}
		check_ok(dmabuf_sync(s.b.fd, DMA_BUF_SYNC_END |
				     DMA_BUF_SYNC_READ));
		check_eq(mock_count(&s.b, PRIME_MOCK_END), counts * 4);
		check_ok(dmabuf_sync(s.b.fd, DMA_BUF_SYNC_START |
				     DMA_BUF_SYNC_READ));
		mock_scene_end(&s);
	}
}

/**
 * SUBTEST: steps-out-of-order
 * Description: An unmap, unpin or vunmap without its counterpart, a second map, a
 *  pin by a static importer, a detach of a mapped attachment and a second detach
 *  are refused before they reach the exporter.
 */
static void steps_out_of_order(void)
{
	struct mock_scene s = mock_scene(PRIME_MOCK_DYNAMIC, 2);
	uint32_t fixed = mock_scene_attach(&s, 0), import = mock_scene_attach(&s, ways[1]);

	check_error(step(&s, import, PRIME_MOCK_UNMAP), EINVAL);
	check_error(step(&s, import, PRIME_MOCK_UNPIN), EINVAL);
	check_error(step(&s, import, PRIME_MOCK_VUNMAP), EINVAL);
	check_error(step(&s, fixed, PRIME_MOCK_PIN), EINVAL);
	check_ok(map(&s, import));
	check_error(map(&s, import), EBUSY);
	check_error(step(&s, import, PRIME_MOCK_DETACH), EBUSY);
	check_ok(step(&s, import, PRIME_MOCK_UNMAP));
	check_ok(step(&s, import, PRIME_MOCK_DETACH));
	check_error(step(&s, import, PRIME_MOCK_DETACH), ENOENT);
	check_error(map(&s, import), ENOENT);
	check_eq(mock_balance(&s.b, PRIME_MOCK_ATTACHED), 1);
	check_ok(step(&s, fixed, PRIME_MOCK_DETACH));
	mock_scene_end(&s);
}

/* --- refusals --- */

/**
 * SUBTEST: attach-refused
 * Description: For each exporter and importer, the exporter's attach, pin and map
 *  fail in turn while a device attaches. The importer gets the exporter's errno,
 *  and exactly what was done is undone.
 */
static void attach_refused(void)
{
	static const uint32_t ops[] = {
		PRIME_MOCK_ATTACH, PRIME_MOCK_PIN, PRIME_MOCK_MAP,
	};

	for (int i = 0; i < MOCK_KINDS * 2 * 3; i++) {
		const struct mock_kind *kind = &mock_kinds[i / 6];
		uint32_t way = ways[i / 3 % 2], op = ops[i % 3];
		bool mixed = is_mixed(kind, way);
		struct calls want = { .attach = 1, .detach = op != ops[0] };
		struct mock_scene s;

		/* Which operations are called while a device attaches? */
		if (op == PRIME_MOCK_ATTACH ? !kind->counts_attach :
		    op == PRIME_MOCK_PIN ? !(kind->dynamic && mixed) : !mixed)
			continue;
		say(kind, way);
		printf("op %u\n", op);
		s = mock_scene(kind->flags, 2);
		check_ok(mock_fail(s.exporter, s.b.id, op, 1, EDOM));
		check_error(mock_attach(s.importer, s.b.fd, way), EDOM);
		want.pin = kind->dynamic && mixed && op != PRIME_MOCK_ATTACH;
		want.unpin = want.pin && op == PRIME_MOCK_MAP;
		want.map = op == PRIME_MOCK_MAP;
		check_calls(kind, &s.b, want);
		check_eq(attachments_of(s.b.fd), 0);
		mock_scene_end(&s);
	}
}

/**
 * SUBTEST: map-refused
 * Description: The n-th map fails in the exporter's pin or map. The importer gets
 *  that errno, what was pinned for this map is unpinned, and the next map works.
 */
static void map_refused(void)
{
	for (int i = 0; i < MOCK_KINDS * 2 * 3; i++) {
		const struct mock_kind *kind = &mock_kinds[i / 6];
		uint32_t way = ways[i / 3 % 2], nth = i % 3 + 1, import;
		bool pins = kind->dynamic && (!way || !kernel_moves());
		struct mock_scene s;

		/* A mapping that is kept is not made again. */
		if (is_mixed(kind, way) || (keeps(kind) && nth > 1))
			continue;
		say(kind, way);
		s = mock_scene(kind->flags, 2);
		import = mock_scene_attach(&s, way);
		for (int pin = 0; pin < 1 + pins; pin++) {
			uint32_t op = pin ? PRIME_MOCK_PIN : PRIME_MOCK_MAP;
			unsigned int pinned = mock_count(&s.b, PRIME_MOCK_PIN);
			unsigned int maps = mock_count(&s.b, PRIME_MOCK_MAP);

			check_ok(mock_fail(s.exporter, s.b.id, op, nth, EXFULL));
			for (unsigned int n = 1; n < nth; n++) {
				check_ok(map(&s, import));
				check_ok(step(&s, import, PRIME_MOCK_UNMAP));
			}
			check_error(map(&s, import), EXFULL);
			check_eq(mock_count(&s.b, PRIME_MOCK_MAP) - maps,
				 nth - pin);
			if (kind->dynamic)
				check_eq(mock_count(&s.b, PRIME_MOCK_PIN) - pinned,
					 pins * nth);
			check_eq(mock_balance(&s.b, PRIME_MOCK_MAPPED), 0);
			if (kind->dynamic)
				check_eq(mock_balance(&s.b, PRIME_MOCK_PINNED),
					 0);
		}
		check_ok(map(&s, import));
		check_ok(step(&s, import, PRIME_MOCK_UNMAP));
		check_ok(step(&s, import, PRIME_MOCK_DETACH));
		mock_scene_end(&s);
	}
}

/**
 * SUBTEST: list-refused
 * Description: The importer's driver refuses the list that it got. Map and attach
 *  are undone, for a static and for a dynamic import.
 */
static void list_refused(void)
{
	for (int i = 0; i < MOCK_KINDS * 2; i++) {
		const struct mock_kind *kind = &mock_kinds[i / 2];
		struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;
		struct mock_scene s = mock_scene(kind->flags, 2);

		say(kind, ways[i & 1]);
		limits.flags = i & 1 ? PRIME_MOCK_GEM_DYNAMIC : 0;
		check_ok(mock_limits(s.importer, limits));
		check_ok(mock_fail(s.importer, 0, PRIME_MOCK_IMPORT_SG, 1, ENFILE));
		check_error(gem_import(s.importer, s.b.fd), ENFILE);
		mock_settled(&s.b);
		check_ok(mock_fail(s.importer, 0, PRIME_MOCK_IMPORT, 1, EDOM));
		check_error(gem_import(s.importer, s.b.fd), EDOM);
		mock_settled(&s.b);
		check_ok(gem_close(s.importer,
				   check_ok(gem_import(s.importer, s.b.fd))));
		check_ok(mock_limits(s.importer, MOCK_NO_LIMITS));
		mock_scene_end(&s);
	}
}

/**
 * SUBTEST: export-refused
 * Description: The driver can't export the object. The program gets its errno and no
 *  buffer. The next export works, and all later ones give the same buffer.
 */
static void export_refused(void)
{
	int mock = mock_open(0);
	struct drm_prime_mock_create args = { .size = PAGE };
	int fd, again;

	check_ok(mock_create_as(mock, &args));
	for (int i = 0; i < 10; i++) {
		check_ok(mock_fail(mock, args.id, PRIME_MOCK_EXPORT, 1, EDQUOT));
		check_error(gem_export(mock, args.handle, O_CLOEXEC), EDQUOT);
		check_eq(count_buffers(), 0);
	}
	fd = check_ok(gem_export(mock, args.handle, O_CLOEXEC));
	check_ok(mock_fail(mock, args.id, PRIME_MOCK_EXPORT, 1, EDQUOT));
	again = check_ok(gem_export(mock, args.handle, O_CLOEXEC));
	check_eq(inode_of(again), inode_of(fd));
	close(fd);
	close(again);
	check_ok(gem_close(mock, args.handle));
	check_eq(settle_buffers(0), 0);
}

/**
 * SUBTEST: mmap-refused
 * Description: The exporter refuses mmap, or has none. The program gets the errno,
 *  nothing of the mapping is left, and the buffer is freed when it is closed.
 */
static void mmap_refused(void)
{
	static const int errors[] = { EPERM, ENOMEM, EAGAIN, EACCES };
	struct mock_scene s = mock_scene(0, 2);
	int fd;

	for (int i = 0; i < 4; i++) {
		check_ok(mock_fail(s.exporter, s.b.id, PRIME_MOCK_MMAP, 1,
				   errors[i]));
		check(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, s.b.fd, 0) ==
		      MAP_FAILED);
		check_eq(errno, errors[i]);
	}
	unmap(map_dmabuf(s.b.fd, PAGE), PAGE);
	mock_scene_end(&s);

	s = mock_scene(PRIME_MOCK_MINIMAL, 2);
	fd = s.b.fd;
	check(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	check_eq(errno, EINVAL);
	mock_scene_end(&s);
}

/**
 * SUBTEST: vmap-refused
 * Description: The n-th vmap fails at the exporter. The importer gets its errno, no
 *  count is left, and the next vmap works.
 */
static void vmap_refused(void)
{
	struct mock_scene s = mock_scene(0, 2);
	uint32_t import = mock_scene_attach(&s, 0);

	for (int i = 0; i < 5; i++) {
		check_ok(mock_fail(s.exporter, s.b.id, PRIME_MOCK_VMAP, 1, ENOMEM));
		check_error(step(&s, import, PRIME_MOCK_VMAP), ENOMEM);
		check_eq(mock_scene_state(&s, import).vmaps, 0);
		check_eq(mock_balance(&s.b, PRIME_MOCK_VMAPPED), 0);
		check_ok(step(&s, import, PRIME_MOCK_VMAP));
		/* While there is a vmap, the exporter is not called again. */
		check_ok(mock_fail(s.exporter, s.b.id, PRIME_MOCK_VMAP, 1, EIO));
		check_ok(step(&s, import, PRIME_MOCK_VMAP));
		check_ok(step(&s, import, PRIME_MOCK_VUNMAP));
		check_ok(step(&s, import, PRIME_MOCK_VUNMAP));
		check_ok(mock_quiet(s.exporter, s.b.id, PRIME_MOCK_VMAP));
	}
	check_ok(step(&s, import, PRIME_MOCK_DETACH));
	mock_scene_end(&s);
}

/**
 * SUBTEST: sync-refused
 * Description: The exporter's begin or end fails. SYNC and the kernel's own access
 *  get its errno, and no end follows a begin that failed.
 */
static void sync_refused(void)
{
	struct mock_scene s = mock_scene(0, 2);
	uint32_t import = mock_scene_attach(&s, 0);

	for (unsigned int n = 1; n <= 3; n++) {
		check_ok(mock_fail(s.exporter, s.b.id, PRIME_MOCK_BEGIN, 1, EIO));
		check_error(dmabuf_sync(s.b.fd, DMA_BUF_SYNC_START | n), EIO);
		check_eq(mock_balance(&s.b, PRIME_MOCK_BEGUN), 0);
		check_ok(mock_fail(s.exporter, s.b.id, PRIME_MOCK_BEGIN, 1, ENXIO));
		check_error(mock_begin(s.importer, import, n - 1), ENXIO);
		check_eq(mock_count(&s.b, PRIME_MOCK_END), (n - 1) * 2);

		check_ok(dmabuf_sync(s.b.fd, DMA_BUF_SYNC_START | n));
		check_ok(mock_fail(s.exporter, s.b.id, PRIME_MOCK_END, 1, EBUSY));
		check_error(dmabuf_sync(s.b.fd, DMA_BUF_SYNC_END | n), EBUSY);
		check_eq(mock_balance(&s.b, PRIME_MOCK_BEGUN), 1);
		check_ok(dmabuf_sync(s.b.fd, DMA_BUF_SYNC_END | n));
	}
	check_ok(step(&s, import, PRIME_MOCK_DETACH));
	mock_scene_end(&s);
}

/* --- sleeps and signals --- */

#define SLEEP_US	10000000	/* if nobody ends it */

struct call {
	pthread_t thread;
	struct mock_scene *scene;
	uint32_t import;
	int result;
};

static void *map_run(void *data)
{
	struct call *call = data;

	call->result = map(call->scene, call->import);
	return NULL;
}

static void *close_fd_run(void *data)
{
	struct call *call = data;

	call->result = close(call->scene->b.fd);
	return NULL;
}

/**
 * SUBTEST: sleep-interrupted
 * Description: A signal comes while the exporter sleeps in attach, pin, map, vmap or
 *  begin. The step gives EINTR, nothing of it is left, and it works when it is
 *  repeated.
 */
static void sleep_interrupted(void)
{
	static const uint32_t ops[] = {
		PRIME_MOCK_ATTACH, PRIME_MOCK_PIN, PRIME_MOCK_MAP,
		PRIME_MOCK_VMAP, PRIME_MOCK_BEGIN,
	};

	for (int i = 0; i < 5; i++) {
		struct mock_scene s = mock_scene(PRIME_MOCK_DYNAMIC, 2);
		int64_t import;
		int ret = 0;

		printf("op %u\n", ops[i]);
		check_ok(mock_sleep(s.exporter, s.b.id, ops[i], 10000000,
				    PRIME_MOCK_INTERRUPTIBLE));
		alarm_every(40);
		import = mock_attach(s.importer, s.b.fd, 0);
		if (import > 0 && ops[i] == PRIME_MOCK_VMAP)
			ret = step(&s, import, PRIME_MOCK_VMAP);
		else if (import > 0 && ops[i] == PRIME_MOCK_BEGIN)
			ret = dmabuf_sync(s.b.fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
		else if (import > 0) /* since 6.16 an attach neither pins nor maps */
			ret = map(&s, import);
		alarm_every(0);
		check_error(import > 0 ? ret : import, EINTR);
		check_eq(mock_balance(&s.b, PRIME_MOCK_VMAPPED), 0);
		check_eq(mock_balance(&s.b, PRIME_MOCK_BEGUN), 0);
		check_ok(mock_quiet(s.exporter, s.b.id, ops[i]));
		if (import < 0) {
			mock_settled(&s.b);
			import = mock_scene_attach(&s, 0);
		}
		check_ok(map(&s, import));
		check_ok(step(&s, import, PRIME_MOCK_VMAP));
		check_ok(step(&s, import, PRIME_MOCK_VUNMAP));
		check_ok(step(&s, import, PRIME_MOCK_UNMAP));
		check_ok(step(&s, import, PRIME_MOCK_DETACH));
		mock_scene_end(&s);
	}
}

/**
 * SUBTEST: sleep-in-map
 * Description: The exporter sleeps in map for one importer. Another buffer is mapped
 *  meanwhile, and a second importer of the first buffer gets its mapping
 *  afterwards.
 */
static void sleep_in_map(void)
{
	struct mock_scene s = mock_scene(0, 2), other = s;
	struct call calls[2];

	other.b = mock_buffer(s.exporter, 0, 2);
	for (int i = 0; i < 2; i++)
		calls[i] = (struct call){ .scene = &s, .import = mock_scene_attach(&s, 0) };
	check_ok(mock_sleep(s.exporter, s.b.id, PRIME_MOCK_MAP, SLEEP_US, 0));
	for (int i = 0; i < 2; i++)
		check_eq(pthread_create(&calls[i].thread, NULL, map_run,
					&calls[i]), 0);
	mock_wait_calls(&s.b, PRIME_MOCK_MAP, 1);
	await_threads_asleep(2, SYS_ioctl);
	check_ok(map(&other, mock_scene_attach(&other, 0)));
	check_eq(mock_balance(&s.b, PRIME_MOCK_MAPPED), 0);
	check_eq(threads_asleep(SYS_ioctl), 2);
	check_ok(mock_quiet(s.exporter, s.b.id, PRIME_MOCK_MAP));
	for (int i = 0; i < 2; i++) {
		check_eq(pthread_join(calls[i].thread, NULL), 0);
		check_ok(calls[i].result);
	}
	close(s.importer);
	s.importer = mock_open(1);
	mock_buffer_end(&other.b);
	mock_scene_end(&s);
}

/**
 * SUBTEST: sleep-in-release
 * Description: While the exporter sleeps in the release of a buffer, other buffers
 *  are made, exported, imported and released, and bufinfo is read.
 */
static void sleep_in_release(void)
{
	struct mock_scene s = mock_scene(0, 2);
	struct call call = { .scene = &s };

	mock_buffer_close_handle(&s.b);
	check_ok(mock_sleep(s.exporter, s.b.id, PRIME_MOCK_RELEASE, SLEEP_US, 0));
	check_eq(pthread_create(&call.thread, NULL, close_fd_run, &call), 0);
	mock_wait_calls(&s.b, PRIME_MOCK_RELEASE, 1);
	for (int i = 0; i < 10; i++) {
		struct mock_buffer b = mock_buffer(s.exporter, 0, 1);

		check_ok(gem_close(s.importer,
				   check_ok(gem_import(s.importer, b.fd))));
		check(count_buffers() >= 1);
		mock_buffer_end(&b);
	}
	check_eq(mock_balance(&s.b, PRIME_MOCK_EXPORTED), 1);
	check_ok(mock_quiet(s.exporter, s.b.id, PRIME_MOCK_RELEASE));
	check_eq(pthread_join(call.thread, NULL), 0);
	mock_gone(&s.b);
	check_eq(mock_count(&s.b, PRIME_MOCK_RELEASE), 1);
}

/**
 * SUBTEST: released-once
 * Description: A buffer is held by a handle, two fds, a mapping and an attachment.
 *  It is released once, when the last of these ends, in each order.
 */
static void released_once(void)
{
	for (int order = 0; order < 5; order++) {
		struct mock_scene s = mock_scene(0, 2);
		int second = dup(s.b.fd);
		uint32_t import = mock_scene_attach(&s, 0);
		void *memory = map_dmabuf(s.b.fd, PAGE);

		for (int i = 0; i < 5; i++) {
			check_eq(mock_count(&s.b, PRIME_MOCK_RELEASE), 0);
			check_eq(count_buffers(), 1);
			switch ((order + i) % 5) {
			case 0:
				mock_buffer_close_fd(&s.b);
				break;
			case 1:
				close(second);
				break;
			case 2:
				check_ok(step(&s, import, PRIME_MOCK_DETACH));
				break;
			case 3:
				unmap(memory, PAGE);
				break;
			case 4:
				mock_buffer_close_handle(&s.b);
				break;
			}
		}
		mock_gone(&s.b);
		check_eq(mock_count(&s.b, PRIME_MOCK_RELEASE), 1);
		check_eq(settle_buffers(0), 0);
	}
}

/* --- moves --- */

static void read_and_check(struct mock_scene *s, uint32_t import, uint32_t seed)
{
	uint8_t *bytes = malloc(s->b.size);

	check(bytes);
	check_ok(mock_read(s->importer, import, 0, 0, bytes, s->b.size));
	check_eq(filled(bytes, s->b.size, seed), s->b.size);
	free(bytes);
}

/**
 * SUBTEST: move-pinned
 * Description: Storage that is pinned, mapped by a static importer, or mapped in the
 *  kernel does not move. Storage that a dynamic importer has only attached does.
 */
static void move_pinned(void)
{
	struct mock_scene s = mock_scene(PRIME_MOCK_DYNAMIC, 16);
	uint32_t dynamic = mock_scene_attach(&s, ways[1]), fixed;
	int ret;

	fill_dmabuf(s.b.fd, s.b.size, 1);
	check_ok(mock_move(s.exporter, s.b.handle, PRIME_MOCK_CONTIGUOUS));
	check_ok(step(&s, dynamic, PRIME_MOCK_PIN));
	check_error(mock_move(s.exporter, s.b.handle, PRIME_MOCK_SCATTERED), EBUSY);
	check_ok(step(&s, dynamic, PRIME_MOCK_UNPIN));
	check_ok(mock_move(s.exporter, s.b.handle, PRIME_MOCK_SCATTERED));
	check_ok(step(&s, dynamic, PRIME_MOCK_VMAP));
	check_error(mock_move(s.exporter, s.b.handle, PRIME_MOCK_SCATTERED), EBUSY);
	check_ok(step(&s, dynamic, PRIME_MOCK_VUNMAP));
	fixed = mock_scene_attach(&s, 0);
	ret = mock_move(s.exporter, s.b.handle, PRIME_MOCK_SCATTERED);
	check_eq(ret, mock_balance(&s.b, PRIME_MOCK_PINNED) ? -EBUSY : 0);
	check_ok(map(&s, fixed));
	check_error(mock_move(s.exporter, s.b.handle, PRIME_MOCK_CONTIGUOUS), EBUSY);
	read_and_check(&s, fixed, 1);
	check_ok(step(&s, fixed, PRIME_MOCK_UNMAP));
	check_ok(step(&s, fixed, PRIME_MOCK_DETACH));
	check_ok(mock_move(s.exporter, s.b.handle, PRIME_MOCK_CONTIGUOUS));
	check_eq(filled_dmabuf(s.b.fd, s.b.size, 1), s.b.size);
	check_ok(step(&s, dynamic, PRIME_MOCK_DETACH));
	mock_scene_end(&s);
}

/**
 * SUBTEST: move-static
 * Description: A static exporter's storage stays while anybody has it mapped, and
 *  moves before and after.
 */
static void move_static(void)
{
	for (int i = 0; i < 2; i++) {
		struct mock_scene s = mock_scene(0, 16);
		uint32_t import;

		fill_dmabuf(s.b.fd, s.b.size, 2);
		check_ok(mock_move(s.exporter, s.b.handle, PRIME_MOCK_CONTIGUOUS));
		import = mock_scene_attach(&s, ways[i]);
		check_ok(map(&s, import));
		check_error(mock_move(s.exporter, s.b.handle, 0), EBUSY);
		read_and_check(&s, import, 2);
		check_ok(step(&s, import, PRIME_MOCK_UNMAP));
		check_ok(step(&s, import, PRIME_MOCK_DETACH));
		check_ok(mock_move(s.exporter, s.b.handle, 0));
		check_eq(filled_dmabuf(s.b.fd, s.b.size, 2), s.b.size);
		mock_scene_end(&s);
	}
}

/**
 * SUBTEST: move-notifies
 * Description: Each dynamic importer is told of each move, whether it has mapped or
 *  not, and nobody else is told. When it maps again it finds the bytes. Where the
 *  kernel lets no one follow moves, a mapping keeps the storage in place instead.
 */
static void move_notifies(void)
{
	struct mock_scene s = mock_scene(PRIME_MOCK_DYNAMIC, 16);
	uint32_t import[3];
	uint8_t byte;

	fill_dmabuf(s.b.fd, s.b.size, 3);
	for (int i = 0; i < 3; i++)
		import[i] = mock_scene_attach(&s, ways[1]);
	for (unsigned int n = 1; n <= 4; n++) {
		check_ok(mock_move(s.exporter, s.b.handle, n % 2));
		for (int i = 0; i < 3; i++) {
			check_eq(mock_scene_state(&s, import[i]).notified, n);
			check(!(mock_scene_state(&s, import[i]).state &
				PRIME_MOCK_IS_STALE));
		}
	}
	check_ok(map(&s, import[0]));
	if (!kernel_moves()) {
		check_error(mock_move(s.exporter, s.b.handle, 0), EBUSY);
		read_and_check(&s, import[0], 3);
	} else {
		check_ok(mock_move(s.exporter, s.b.handle, 0));
		check_eq(mock_scene_state(&s, import[0]).notified, 5);
		check(mock_scene_state(&s, import[0]).state & PRIME_MOCK_IS_STALE);
		check_error(mock_read(s.importer, import[0], 0, 0, &byte, 1),
			    ESTALE);
	}
	check_ok(step(&s, import[0], PRIME_MOCK_UNMAP));
	check_ok(map(&s, import[0]));
	check(!(mock_scene_state(&s, import[0]).state & PRIME_MOCK_IS_STALE));
	read_and_check(&s, import[0], 3);
	check_ok(step(&s, import[0], PRIME_MOCK_UNMAP));
	for (int i = 0; i < 3; i++)
		check_ok(step(&s, import[i], PRIME_MOCK_DETACH));
	check_ok(mock_move(s.exporter, s.b.handle, 1));
	mock_scene_end(&s);
}

/**
 * SUBTEST: move-under-object
 * Description: An imported object that follows moves has the right bytes after each
 *  of them, and so have a process's mappings of the buffer.
 */
static void move_under_object(void)
{
	struct drm_prime_mock_limits limits = MOCK_NO_LIMITS;
	struct mock_scene s = mock_scene(PRIME_MOCK_DYNAMIC, 16);
	uint8_t *memory = map_dmabuf(s.b.fd, s.b.size), bytes[16 * PAGE];
	uint32_t handle;

	limits.flags = PRIME_MOCK_GEM_DYNAMIC;
	check_ok(mock_limits(s.importer, limits));
	handle = check_ok(gem_import(s.importer, s.b.fd));
	check_ok(mock_limits(s.importer, MOCK_NO_LIMITS));
	for (int i = 0; i < 6; i++) {
		int ret;

		fill(memory, s.b.size, i);
		ret = mock_move(s.exporter, s.b.handle, i % 2);
		if (kernel_moves())
			check_ok(ret);
		else
			check_error(ret, EBUSY);
		check_ok(mock_read(s.importer, handle, PRIME_MOCK_BY_HANDLE, 0,
				   bytes, s.b.size));
		check_eq(filled(bytes, s.b.size, i), s.b.size);
		check_eq(filled(memory, s.b.size, i), s.b.size);
	}
	unmap(memory, s.b.size);
	check_ok(gem_close(s.importer, handle));
	check_ok(mock_move(s.exporter, s.b.handle, 1));
	mock_scene_end(&s);
}

/**
 * SUBTEST: move-waits
 * Description: A move waits for what is pending on the buffer. If a signal ends that
 *  wait, nobody has been told of a move.
 */
static void move_waits(void)
{
	struct mock_scene s = mock_scene(PRIME_MOCK_DYNAMIC, 4);
	uint32_t import = mock_scene_attach(&s, ways[1]), number;
	int64_t fence;
	int ret, file;

	for (uint32_t usage = 0; usage <= PRIME_MOCK_USAGE_BOOKKEEP; usage++) {
		file = check_ok(mock_fence_fd(s.importer, s.b.fd, usage, 200, &number));
		check_ok(mock_move(s.exporter, s.b.handle, 0));
		check_eq(poll_events(file, POLLIN, 0), POLLIN);	/* it has signalled */
		close(file);
		check_eq(mock_scene_state(&s, import).notified, usage + 1);
	}
	fence = check_ok(mock_fence(s.importer, s.b.fd, PRIME_MOCK_USAGE_READ, 0));
	alarm_every(50);
	ret = mock_move(s.exporter, s.b.handle, 0);
	alarm_every(0);
	check_error(ret, EINTR);
	check_eq(mock_scene_state(&s, import).notified, 4);
	check_ok(mock_signal(s.importer, fence, 0));
	check_ok(step(&s, import, PRIME_MOCK_DETACH));
	mock_scene_end(&s);
}

struct mover {
	pthread_t thread;
	struct mock_scene *scene;
	double end;
	atomic_uint moves;	/* that were not refused */
};

/* Until the time is over, and at least one move was possible. */
static bool mover_goes_on(struct mover *mover)
{
	return now() < mover->end || (!atomic_load(&mover->moves) && now() < mover->end + 20);
}

static void *mover_run(void *data)
{
	struct mover *mover = data;

	for (unsigned int turn = 0; mover_goes_on(mover); turn++) {
		int ret = mock_move(mover->scene->exporter, mover->scene->b.handle, turn % 2);

		if (ret == -EBUSY)
			continue;
		check_ok(ret);
		atomic_fetch_add(&mover->moves, 1);
	}
	return NULL;
}

/**
 * SUBTEST: race-move-map
 * Description: One thread moves the storage while others attach, map, read and
 *  detach, statically and dynamically. A reader finds the bytes, or is told that
 *  they have moved.
 */
static void race_move_map(void)
{
	struct mock_scene s = mock_scene(PRIME_MOCK_DYNAMIC, 8);
	struct mover mover = { .scene = &s, .end = now() + race_seconds() / 2 };
	uint8_t bytes[8 * PAGE];

	fill_dmabuf(s.b.fd, s.b.size, 9);
	check_eq(pthread_create(&mover.thread, NULL, mover_run, &mover), 0);
	for (int i = 0; mover_goes_on(&mover); i++) {
		uint32_t import = mock_scene_attach(&s, ways[i & 1]);
		int ret;

		check_ok(map(&s, import));
		ret = mock_read(s.importer, import, 0, 0, bytes, s.b.size);
		if (ret != -ESTALE) {
			check_ok(ret);
			check_eq(filled(bytes, s.b.size, 9), s.b.size);
		}
		check_ok(step(&s, import, PRIME_MOCK_UNMAP));
		check_ok(step(&s, import, PRIME_MOCK_DETACH));
	}
	check_eq(pthread_join(mover.thread, NULL), 0);
	printf("%u moves\n", atomic_load(&mover.moves));
	check(atomic_load(&mover.moves) > 0);
	check_eq(filled_dmabuf(s.b.fd, s.b.size, 9), s.b.size);
	mock_scene_end(&s);
}

/* --- presence --- */

static void unload_refused(void)
{
	check(syscall(SYS_delete_module, "prime_mock", O_NONBLOCK) < 0);
	check(errno == EWOULDBLOCK || errno == EBUSY);
}

/**
 * SUBTEST: module-stays
 * Description: The exporter's module can't be unloaded while one of its buffers is
 *  held by an fd or only by a mapping, or one of its fences by a sync_file.
 */
static void module_stays(void)
{
	int mock = mock_open(0), sync_file;
	struct mock_buffer b = mock_buffer(mock, 0, 1);
	uint32_t fence;
	void *memory;

	sync_file = check_ok(mock_fence_fd(mock, b.fd, PRIME_MOCK_USAGE_READ, 0,
					   &fence));
	close(mock);
	unload_refused();
	memory = map_dmabuf(b.fd, PAGE);
	close(b.fd);
	unload_refused();
	unmap(memory, PAGE);
	check_eq(settle_buffers(0), 0);
	check_eq(poll_events(sync_file, POLLIN, 0), POLLIN);
	unload_refused();
	close(sync_file);
}

/**
 * SUBTEST: exporter-unplugged
 * Description: The exporting device is taken away while a buffer of it is attached,
 *  mapped and seen by a process. All of this still works, and ends as usual.
 */
static void exporter_unplugged(void)
{
	for (int i = 0; i < MOCK_KINDS * 2; i++) {
		const struct mock_kind *kind = &mock_kinds[i / 2];
		struct mock_scene s = mock_scene(kind->flags, 2);
		uint32_t import = mock_scene_attach(&s, ways[i & 1]);

		say(kind, ways[i & 1]);
		if (kind->can_mmap)
			fill_dmabuf(s.b.fd, s.b.size, 5);
		check_ok(mock_replug(s.exporter, 0));
		check_error(gem_export(s.exporter, s.b.handle, O_CLOEXEC), ENODEV);
		check_ok(map(&s, import));
		if (kind->can_mmap) {
			read_and_check(&s, import, 5);
			check_eq(filled_dmabuf(s.b.fd, s.b.size, 5), s.b.size);
		}
		check_ok(step(&s, import, PRIME_MOCK_UNMAP));
		close(s.exporter);
		check_ok(map(&s, import));
		close(s.b.fd);
		check_eq(settle_buffers(1), 1);
		check_ok(step(&s, import, PRIME_MOCK_UNMAP));
		check_ok(step(&s, import, PRIME_MOCK_DETACH));
		check_eq(settle_buffers(0), 0);
		close(s.importer);
	}
}

/**
 * SUBTEST: importer-unplugged
 * Description: The importing device is taken away while it has a buffer attached,
 *  mapped and pinned. When its file is closed, the exporter has been called once
 *  for each step and its undoing.
 */
static void importer_unplugged(void)
{
	for (int i = 0; i < MOCK_KINDS * 2; i++) {
		const struct mock_kind *kind = &mock_kinds[i / 2];
		struct mock_scene s = mock_scene(kind->flags, 2);
		uint32_t import = mock_scene_attach(&s, ways[i & 1]);

		say(kind, ways[i & 1]);
		check_ok(map(&s, import));
		if (ways[i & 1])
			check_ok(step(&s, import, PRIME_MOCK_PIN));
		check_ok(gem_import(s.importer, s.b.fd));
		check_ok(mock_replug(s.importer, 1));
		check_error(step(&s, import, PRIME_MOCK_UNMAP), ENODEV);
		close(s.importer);
		mock_settled(&s.b);
		s.importer = mock_open(1);
		mock_scene_end(&s);
	}
}

static const struct prime_subtest subtests[] = {
	SUBTEST(calls_of_each_step),
	SUBTEST(calls_of_pin),
	SUBTEST(calls_of_vmap),
	SUBTEST(calls_of_sync),
	SUBTEST(steps_out_of_order),
	SUBTEST(attach_refused),
	SUBTEST(map_refused),
	SUBTEST(list_refused),
	SUBTEST(export_refused),
	SUBTEST(mmap_refused),
	SUBTEST(vmap_refused),
	SUBTEST(sync_refused),
	SUBTEST(sleep_interrupted),
	SUBTEST(sleep_in_map),
	SUBTEST(sleep_in_release),
	SUBTEST(released_once),
	SUBTEST(move_pinned),
	SUBTEST(move_static),
	SUBTEST(move_notifies),
	SUBTEST(move_under_object),
	SUBTEST(move_waits),
	SUBTEST(race_move_map),
	SUBTEST(module_stays),
	SUBTEST(exporter_unplugged),
	SUBTEST(importer_unplugged),
};

PRIME_MAIN(subtests)
