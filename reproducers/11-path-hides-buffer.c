// SPDX-License-Identifier: MIT
/*
 * An O_PATH descriptor is all that is left of a buffer. It keeps the buffer's memory and
 * the driver's module, so debugfs must list the buffer. But it does not.
 * usage: 11-path-hides-buffer   (vgem; debugfs, root)
 */
#include "reproducer.h"

static int users(void)
{
	FILE *file = fopen("/sys/module/vgem/refcnt", "r");
	int count = -1;

	if (!file || fscanf(file, "%d", &count) != 1)
		end(SKIP, "vgem is no module");
	fclose(file);
	return count;
}

int main(int argc, char **argv)
{
	int before = buffers(), idle = users(), card = open_card(argc, argv, "vgem");
	int fd = export_handle(card, dumb(card, 256)), path;
	char link[32];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	path = step(open(link, O_PATH | O_CLOEXEC));
	close(card);
	close(fd);
	/* What was closed may be freed a moment later. */
	wait_for(users() == idle || buffers() == before + 1);
	if (users() == idle)
		end(RIGHT, "the path keeps nothing");
	if (buffers() == before + 1)
		end(RIGHT, "the buffer is listed");
	end(WRONG, "vgem has %d more user, by path %d, and bufinfo has no buffer of it",
	    users() - idle, path);
}
