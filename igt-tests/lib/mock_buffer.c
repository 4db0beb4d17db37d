// SPDX-License-Identifier: MIT
#include "lib/mock_buffer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>

const struct mock_kind mock_kinds[MOCK_KINDS] = {
	{ "static", 0, false, false, true, true },
	{ "default", PRIME_MOCK_DEFAULT, false, true, true, false },
	{ "dynamic", PRIME_MOCK_DYNAMIC, true, false, true, true },
	{ "minimal", PRIME_MOCK_MINIMAL, false, false, false, false },
	{ "cached", PRIME_MOCK_CACHED, false, true, true, true },
};

unsigned int mock_index_beside(int drm)
{
	struct stat tested, st;
	int mock = mock_open(0);

	check_ok(fstat(drm, &tested) ? -errno : 0);
	check_ok(fstat(mock, &st) ? -errno : 0);
	close(mock);
	return st.st_rdev == tested.st_rdev;
}

int mock_beside(int drm)
{
	return mock_open(mock_index_beside(drm));
}

struct mock_buffer mock_buffer_as(int mock, uint32_t flags, uint32_t backing,
				  unsigned int pages)
{
	struct drm_prime_mock_create args = {
		.size = (uint64_t)pages * PAGE, .flags = flags,
		.backing = backing,
	};
	struct mock_buffer b = { .mock = mock, .size = args.size };

	check_ok(mock_create_as(mock, &args));
	b.handle = args.handle;
	b.id = args.id;
	b.fd = check_ok(gem_export(mock, b.handle, DRM_CLOEXEC | DRM_RDWR));
	return b;
}

struct mock_buffer mock_buffer(int mock, uint32_t flags, unsigned int pages)
{
	return mock_buffer_as(mock, flags, PRIME_MOCK_SCATTERED, pages);
}

void mock_buffer_close_handle(struct mock_buffer *b)
{
	if (b->handle)
		check_ok(gem_close(b->mock, b->handle));
	b->handle = 0;
}

void mock_buffer_close_fd(struct mock_buffer *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}

void mock_buffer_end(struct mock_buffer *b)
{
	mock_settled(b);
	mock_buffer_close_handle(b);
	mock_buffer_close_fd(b);
	mock_gone(b);
}

struct mock_scene mock_scene_as(uint32_t flags, uint32_t backing,
				unsigned int pages)
{
	struct mock_scene s = { .exporter = mock_open(0), .importer = mock_open(1) };

	s.b = mock_buffer_as(s.exporter, flags, backing, pages);
	return s;
}

struct mock_scene mock_scene(uint32_t flags, unsigned int pages)
{
	return mock_scene_as(flags, PRIME_MOCK_SCATTERED, pages);
}

uint32_t mock_scene_attach(struct mock_scene *s, uint32_t way)
{
	return check_ok(mock_attach(s->importer, s->b.fd, way));
}

struct drm_prime_mock_query mock_scene_state(struct mock_scene *s, uint32_t import)
{
	struct drm_prime_mock_query query;

	check_ok(mock_query(s->importer, import, 0, &query, NULL, 0));
	return query;
}

void mock_scene_end(struct mock_scene *s)
{
	mock_buffer_end(&s->b);
	close(s->exporter);
	close(s->importer);
}

static struct drm_prime_mock_stats stats_of(const struct mock_buffer *b)
{
	struct drm_prime_mock_stats stats;

	check_ok(mock_stats(b->mock, b->id, &stats));
	return stats;
}

unsigned int mock_count(const struct mock_buffer *b, uint32_t op)
{
	return stats_of(b).calls[op];
}

int mock_balance(const struct mock_buffer *b, uint32_t pair)
{
	return stats_of(b).balance[pair];
}

void mock_wait_calls(const struct mock_buffer *b, uint32_t op,
		     unsigned int calls)
{
	double end = now() + 5;

	while (mock_count(b, op) < calls) {
		check(now() < end);
		usleep(1000);
	}
}

static bool is_settled(const struct drm_prime_mock_stats *stats)
{
	for (int pair = 0; pair < PRIME_MOCK_EXPORTED; pair++)
		if (stats->balance[pair])
			return false;
	return true;
}

/* The work of a last close may be deferred, so this waits for it. */
void mock_settled(const struct mock_buffer *b)
{
	struct drm_prime_mock_stats stats = stats_of(b);
	double end = now() + 3;

	while (!is_settled(&stats) && now() < end) {
		usleep(1000);
		stats = stats_of(b);
	}
	check_eq(stats.balance[PRIME_MOCK_ATTACHED], 0);
	check_eq(stats.balance[PRIME_MOCK_PINNED], 0);
	check_eq(stats.balance[PRIME_MOCK_MAPPED], 0);
	check_eq(stats.balance[PRIME_MOCK_VMAPPED], 0);
	check_eq(stats.balance[PRIME_MOCK_BEGUN], 0);
}

void mock_gone(const struct mock_buffer *b)
{
	struct drm_prime_mock_stats stats = stats_of(b);
	double end = now() + 3;

	while (stats.objects && now() < end) {
		usleep(1000);
		stats = stats_of(b);
	}
	check_eq(stats.objects, 0);
	mock_settled(b);
	check_eq(stats.balance[PRIME_MOCK_EXPORTED], 0);
}

size_t contiguous_bytes(int dmabuf)
{
	int mock = mock_open(0);
	uint32_t room = lseek(dmabuf, 0, SEEK_END) / PAGE;
	struct drm_prime_mock_segment *list = calloc(room, sizeof(*list));
	uint32_t import = check_ok(mock_attach(mock, dmabuf, 0));
	size_t bytes = 0;
	int64_t count;

	check(list);
	check_ok(mock_map(mock, import, PRIME_MOCK_BIDIRECTIONAL));
	count = check_ok(mock_query(mock, import, 0, NULL, list, room));
	for (int64_t i = 0; i < count; i++) {
		if (list[i].address != list[0].address + bytes)
			break;
		bytes += list[i].length;
	}
	free(list);
	/* This also ends its mappings. */
	close(mock);
	return bytes;
}

bool kernel_moves(void)
{
	static int moves = -1;
	char line[256];
	FILE *config;

	if (moves >= 0)
		return moves;
	config = popen("zcat /proc/config.gz 2>/dev/null", "r");
	while (config && fgets(line, sizeof(line), config)) {
		/* A newer kernel has no such option: importers may always follow. */
		if (moves < 0)
			moves = 1;
		if (strstr(line, "CONFIG_DMABUF_MOVE_NOTIFY"))
			moves = line[0] != '#';
	}
	if (config)
		pclose(config);
	if (moves < 0)
		prime_skip("/proc/config.gz does not tell DMABUF_MOVE_NOTIFY");
	return moves;
}

volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

void alarm_every(int ms)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval timer = {
		.it_value.tv_usec = ms * 1000,
		.it_interval.tv_usec = ms * 1000,
	};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}
