// SPDX-License-Identifier: MIT
/* The example of Documentation/negotiate.rst. */
#include <errno.h>
#include <prime-negotiate.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* example: negotiate */
/* A buffer that the camera fills and the display shows; -1 if there is none. */
static int shared_buffer(uint64_t size, int camera, int display)
{
	int devices[] = { camera, display };
	int buffer = prime_negotiate_alloc(size);

	if (buffer < 0) {
		fprintf(stderr, "no negotiated buffer: %s\n", strerror(-buffer));
		return -1;
	}
	for (int i = 0; i < 2; i++) {
		int ret = prime_negotiate_add(buffer, devices[i], NULL);
		struct dma_buf_refusal why;
		char text[256];

		if (!ret)
			continue;
		/* Only EBUSY is a refusal, and has a reason. */
		if (ret == -EBUSY && !prime_negotiate_refusal(buffer, &why) &&
		    why.field != DMA_BUF_FIELD_NONE) {
			prime_negotiate_refusal_text(&why, text, sizeof(text));
			fprintf(stderr, "they can't share it: %s\n", text);
		} else {
			fprintf(stderr, "device %d can't be added: %s\n", i,
				strerror(-ret));
		}
		close(buffer);
		return -1;
	}
	/* Now VIDIOC_QBUF and DRM_IOCTL_PRIME_FD_TO_HANDLE place the storage. */
	return buffer;
}
/* example: end */

int main(void)
{
	int buffer = shared_buffer(1 << 20, -1, -1);

	if (buffer >= 0)
		close(buffer);
	return buffer < 0;
}
