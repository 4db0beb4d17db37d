// SPDX-License-Identifier: MIT
/*
 * An object has several handles in a file, each of which was exported, all as one
 * dma-buf. Which handle FD_TO_HANDLE gives for that must not depend on handles that
 * are closed meanwhile, as long as the one it gave before is open.
 * usage: 06-handle-of-two [DRIVER]   (vgem; one with flink)
 */
#include "reproducer.h"

int main(int argc, char **argv)
{
	int card = open_card(argc, argv, "vgem"), fd = -1;
	uint32_t handle[8];

	handle[0] = dumb(card, 1);
	for (int i = 1; i < 8; i++) {
		struct drm_gem_flink flink = { .handle = handle[0] };
		struct drm_gem_open again = { };

		step(ioctl(card, DRM_IOCTL_GEM_FLINK, &flink));
		again.name = flink.name;
		step(ioctl(card, DRM_IOCTL_GEM_OPEN, &again));
		handle[i] = again.handle;
	}
	for (int i = 0; i < 8; i++) {
		int next = export_handle(card, handle[(i * 3 + 1) % 8]);

		if (fd >= 0)
			close(fd);
		fd = next;
	}
	for (int i = 0; i < 8; i++) {
		uint32_t answer = import_fd(card, fd), after;

		if (handle[i] == answer)
			continue;
		close_handle(card, handle[i]);
		after = import_fd(card, fd);
		if (after != answer)
			end(WRONG, "handle %u is closed, and the answer goes from %u to %u, both open",
			    handle[i], answer, after);
	}
	end(RIGHT, "the answer stays the same");
}
