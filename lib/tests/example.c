// SPDX-License-Identifier: MIT
/* The example of Documentation/negotiate.rst. */
#include <prime-negotiate.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* example: negotiate */
/* A buffer that the camera fills and the display shows; -1 if there is none. */
static int shared_buffer(uint64_t size, int camera, int display)
{
	int buffer = prime_negotiate_alloc(0), ret;
	struct dma_buf_device_use add = { };
	struct dma_buf_commit commit;
	char why[256];

	if (buffer < 0) {
		fprintf(stderr, "no negotiated buffer: %s\n", strerror(-buffer));
		return -1;
	}
	ret = prime_negotiate_add(buffer, camera, DMA_BUF_USE_WRITE, &add);
	if (!ret)
		ret = prime_negotiate_add(buffer, display, DMA_BUF_USE_READ |
					  DMA_BUF_USE_SCANOUT, &add);
	if (ret) {
		prime_negotiate_add_text(&add, why, sizeof(why));
	} else {
		ret = prime_negotiate_commit(buffer, size, &commit);
		prime_negotiate_commit_text(&commit, why, sizeof(why));
	}
	/* Now VIDIOC_QBUF and DRM_IOCTL_PRIME_FD_TO_HANDLE find it placed. */
	if (!ret)
		return buffer;
	fprintf(stderr, "they can't share it: %s\n", why);
	close(buffer);
	return -1;
}
/* example: end */

int main(void)
{
	int buffer = shared_buffer(1 << 20, -1, -1);

	if (buffer >= 0)
		close(buffer);
	return buffer < 0;
}
