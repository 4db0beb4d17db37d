// SPDX-License-Identifier: MIT
/* Why the kernel refuses a dma-buf, in the words of libprime-negotiate. Not every kernel tells. */

#include <inttypes.h>
#include <prime-negotiate.h>
#include <stdio.h>
#include <string.h>

#include "../../common.h"
#include "log.h"
#include "refusal.h"
#include "say.h"

void refusal_tell(int fd, const char *by, char *why, size_t size)
{
	struct dma_buf_refusal refusal;
	char text[512];

	if (prime_negotiate_refusal(fd, &refusal) || refusal.field == DMA_BUF_FIELD_NONE)
		return;
	prime_negotiate_refusal_text(&refusal, text, sizeof(text));
	log_plain(text);
	if (!strncmp(why, text, size - 1))
		return;
	snprintf(why, size, "%s", text);
	say("a buffer is refused by %s: %s", by, text);
	log_event("refusal", "\"by\":\"%s\",\"inode\":%" PRIu64 ",\"why\":\"%s\"", by,
		  dma_buf_inode(fd), text);
}
