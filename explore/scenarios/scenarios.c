// SPDX-License-Identifier: GPL-2.0
/*
 * What is explored. Each scenario sets up, starts its threads, and finishes by
 * itself; what is left then is a leak.
 */
#include "mocks.h"

/* What the threads of a scenario share. */
static struct drm_file *files[3];
static int fd;
static int handles[3] __aligned(8);

/* --- import of one buffer by two threads --- */

static void import_a(void)
{
	handles[0] = fd_to_handle(files[1], fd);
}

static void import_b(void)
{
	handles[1] = fd_to_handle(files[1], fd);
}

static void import_two(void)
{
	drm_begin();
	files[0] = file_open(0);
	files[1] = file_open(1);
	fd = handle_to_fd(files[0], object_new(files[0]));
	thread(1, import_a);
	thread(2, import_b);
	run_threads();

	/* Invariant 6. */
	CHECK(handles[0] < 0 || handles[1] < 0 || handles[0] == handles[1]);
	ex_close(fd);
	file_close(files[0]);
	file_close(files[1]);
	ex_join();
	drm_end();
}

const struct ex_scenario ex_scenarios[] = {
	{ "import-two", "two threads import one buffer into one file", import_two, 2, 1, 3, 2, 2 },
	{ }
};
