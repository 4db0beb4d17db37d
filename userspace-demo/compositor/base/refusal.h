/* SPDX-License-Identifier: MIT */
/* Why the kernel refuses a dma-buf. */
#ifndef DEMO_REFUSAL_H
#define DEMO_REFUSAL_H

#include <stddef.h>

/*
 * Tell why this process was refused the dma-buf last, and by whom. To be called right after the
 * refusal, since the kernel keeps few of them. why is for the client, whose libwayland gets the
 * first 127 bytes only: it says first what to do. If why says this already, or if the kernel gives
 * no reason, why stays as it is, and nothing is told.
 */
void refusal_tell(int fd, const char *by, char *why, size_t size);

#endif
