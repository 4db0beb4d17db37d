// SPDX-License-Identifier: MIT
/*
 * A buffer has three handles in one file. FD_TO_HANDLE must return the same
 * one as long as that is open. But the result changes when another one is exported.
 * usage: 06-fd-to-handle-changes [DRIVER]   (vgem)
 */
#include "reproducer.h"

int main(int argc, char **argv)
{
	int card = open_card(argc, argv, "vgem"), fd;
	struct drm_gem_flink flink = { .handle = dumb(card, 1) };
	struct drm_gem_open other = { };
	uint32_t first, now;

	step(ioctl(card, DRM_IOCTL_GEM_FLINK, &flink));
	other.name = flink.name;
	fd = export_handle(card, flink.handle);
	first = import_fd(card, fd);
	for (int i = 2; i <= 3; i++) {
		step(ioctl(card, DRM_IOCTL_GEM_OPEN, &other));
		close(export_handle(card, other.handle));
		now = import_fd(card, fd);
		if (now != first)
			end(WRONG, "handle %u before, handle %u with %d of its handles exported",
			    first, now, i);
	}
	end(RIGHT, "handle %u each time", first);
}
