// SPDX-License-Identifier: MIT
/*
 * A program asks for a udmabuf of 2 TiB. It must get EINVAL or ENOMEM, and nothing else has to
 * happen. The kernel also warns, once until the next boot.
 * usage: 22-udmabuf-warns   (CONFIG_UDMABUF, /dev/kmsg)
 */
#include "reproducer.h"

#include <linux/udmabuf.h>

int main(void)
{
	/* No memfd is needed: the driver looks at it later. */
	struct udmabuf_create arg = { .memfd = -1, .size = 2ull << 40 };
	int node = step(open("/dev/udmabuf", O_RDWR | O_CLOEXEC)), log = kernel_log(), ret, error;

	ret = ioctl(node, UDMABUF_CREATE, &arg);
	error = errno;
	if (ret >= 0)
		end(SKIP, "there is a udmabuf of 2 TiB");
	if (logged(log, "WARNING:", "kvmalloc"))
		end(WRONG, "UDMABUF_CREATE failed with %s, and the kernel warned", strerrorname_np(error));
	end(RIGHT, "UDMABUF_CREATE failed with %s, and the kernel did not warn", strerrorname_np(error));
}
