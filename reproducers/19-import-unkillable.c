// SPDX-License-Identifier: MIT
/*
 * A driver imports a buffer, and that takes long in the exporter. A second process, with a file of
 * its own of the same device, imports another buffer. It must not wait for the first import, or a
 * signal must at least end it. But it waits for the whole import, and SIGKILL does not end it.
 * usage: 19-import-unkillable [DRIVER]   (vkms, which imports; vgem; memory cgroups of version 2,
 * root)
 */
#include "reproducer.h"

#define SECONDS	3

/* Into a file of its own. */
static pid_t import(int argc, char **argv, int fd)
{
	struct drm_prime_handle arg = { .fd = fd };
	pid_t pid = child();

	if (!pid)
		_exit(!!ioctl(open_card(argc, argv, "vkms"), DRM_IOCTL_PRIME_FD_TO_HANDLE, &arg));
	return pid;
}

int main(int argc, char **argv)
{
	int to = open_card(argc, argv, "vkms"), from = open_card(1, argv, "vgem");
	int fd = export_handle(from, dumb(from, 1)), waits, stays = 0, imports;
	pid_t importer, other = import(argc, argv, fd);

	if (!ends(other, 1000 * SECONDS)) {
		stop(other);
		end(SKIP, "an import waits although there is no other");
	}
	importer = slow_import(from, to);
	other = import(argc, argv, fd);
	waits = !ends(other, 1000 * SECONDS);
	if (waits) {
		kill(other, SIGKILL);
		stays = !ends(other, 1000 * SECONDS);
	}
	imports = stop(importer);
	if (stays)
		ends(other, 10000);
	if (!imports)
		end(SKIP, "the first import ended too early");
	if (stays)
		end(WRONG, "another file's import waits, and still does %d s after SIGKILL", SECONDS);
	if (waits)
		end(RIGHT, "another file's import waits until it is killed");
	end(RIGHT, "another file's import does not wait");
}
