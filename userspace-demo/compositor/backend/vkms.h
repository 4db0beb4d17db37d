/* SPDX-License-Identifier: MIT */
/* What vkms does differently, and how the rest of the backend gets on with it. */
#ifndef DEMO_VKMS_H
#define DEMO_VKMS_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a readback has to be the only output: it then shows no picture on the monitor. */
bool vkms_one_output(void);
/* Whether its planes show such a format, but compute other pixels than the renderer. */
bool vkms_rounds(uint32_t fourcc);
/* Help a readback that does not end. False when there was no help. */
bool vkms_nudge(void);
/* The readback has ended. */
void vkms_nudge_done(void);

#endif
