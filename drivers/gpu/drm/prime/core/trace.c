// SPDX-License-Identifier: GPL-2.0-only
/* The tracepoints of <trace/events/dma_buf.h>. */
#define CREATE_TRACE_POINTS
#include "internal.h"
