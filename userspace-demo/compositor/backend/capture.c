// SPDX-License-Identifier: MIT
/* Reading back what the display shows, by its writeback connector. */

#include <drm_fourcc.h>
#include <err.h>
#include <sys/mman.h>

#include "capture.h"
#include "kms.h"
#include "vkms.h"

struct capture capture;

static uint32_t handle;
static uint64_t size;

void capture_open(void)
{
	uint32_t zero[4] = { 0 }, handles[4] = { 0 }, strides[4] = { 0 };
	uint64_t offset;
	void *map;

	if (!kms.writeback.id)
		errx(1, "%s: no writeback connector to read back by (modprobe vkms enable_writeback=1)",
		     kms.device);
	if (drmModeCreateDumbBuffer(kms.drm, kms.width, kms.height, 32, 0, &handle,
				    &capture.stride, &size) ||
	    drmModeMapDumbBuffer(kms.drm, handle, &offset))
		err(1, "%s: cannot create a buffer to read back into", kms.device);
	map = mmap(NULL, size, PROT_READ, MAP_SHARED, kms.drm, offset);
	if (map == MAP_FAILED)
		err(1, "%s: cannot map the buffer to read back into", kms.device);
	capture.pixels = map;
	handles[0] = handle;
	strides[0] = capture.stride;
	if (drmModeAddFB2(kms.drm, kms.width, kms.height, DRM_FORMAT_XRGB8888, handles,
			  strides, zero, &capture.fb, 0))
		err(1, "%s: cannot make a framebuffer to read back into", kms.device);
}

void capture_stuck(void)
{
	capture.stuck += vkms_nudge();
}

void capture_done(void)
{
	vkms_nudge_done();
}

void capture_close(void)
{
	if (!capture.fb)
		return;
	drmModeRmFB(kms.drm, capture.fb);
	munmap((void *)capture.pixels, size);
	drmModeDestroyDumbBuffer(kms.drm, handle);
	capture.fb = 0;
}
