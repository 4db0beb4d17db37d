// SPDX-License-Identifier: MIT
/*
 * What vkms does differently, and how the rest of the backend gets on with it. No other display
 * needs any of this.
 */

#include <drm_fourcc.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../base/say.h"
#include "kms.h"
#include "vkms.h"

static int crc_fd = -1;

static bool is_vkms(void)
{
	return !strcmp(kms.driver, "vkms");
}

/* On 6.12 it does not show one picture on two connectors. */
bool vkms_one_output(void)
{
	return is_vkms();
}

/*
 * On 7.3 it has planes for NV12, but rounds in another way than the shader of the renderer, and
 * checksums compare to the bit.
 */
bool vkms_rounds(uint32_t fourcc)
{
	return is_vkms() && fourcc == DRM_FORMAT_NV12;
}

/*
 * It composes only while it is told to. The clean-up of one readback runs some time after its
 * fence. It may switch composing off when the next readback has just been asked for: that one
 * then never ends. Its CRC file in debugfs switches composing on for as long as it is open.
 */
bool vkms_nudge(void)
{
	char path[64];
	struct stat st;

	if (!is_vkms() || crc_fd >= 0 || fstat(kms.drm, &st))
		return false;
	snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%u/crtc-0/crc/data",
		 minor(st.st_rdev));
	/* Without blocking, it is open at once, and the first entry may come when it likes. */
	crc_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (crc_fd < 0) {
		warn("%s: a readback does not end, and cannot open %s to help", kms.device, path);
		return false;
	}
	say("display: a readback was stuck; composing switched on again");
	return true;
}

void vkms_nudge_done(void)
{
	if (crc_fd >= 0)
		close(crc_fd);
	crc_fd = -1;
}
