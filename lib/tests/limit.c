// SPDX-License-Identifier: MIT
/* Gives a device of prime_mock narrow limits, so that it refuses a buffer with a reason. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <drm/prime_mock.h>

int main(int argc, char **argv)
{
	struct drm_prime_mock_limits limits = { };
	int mock;

	if (argc != 6) {
		fputs("usage: limit DEVICE BITS SEGMENTS SEGMENT_BYTES BOUNDARY_MASK\n",
		      stderr);
		return 2;
	}
	limits.dma_bits = atoi(argv[2]);
	limits.max_segments = atoi(argv[3]);
	limits.max_segment_size = strtoul(argv[4], NULL, 0);
	limits.segment_boundary = strtoull(argv[5], NULL, 0);
	mock = open(argv[1], O_RDWR | O_CLOEXEC);
	if (mock < 0 || ioctl(mock, DRM_IOCTL_PRIME_MOCK_LIMITS, &limits)) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	return 0;
}
