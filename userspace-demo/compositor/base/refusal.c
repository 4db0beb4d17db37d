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

/* A sentence says what is wrong, and the next one what to do. The way out comes first here. */
static void way_out_first(const char *text, char *to, size_t size)
{
	const char *end = NULL, *next = text;

	while ((next = strstr(next, ". ")))
		end = next++;
	if (end)
		snprintf(to, size, "%s Why: %.*s", end + 2, (int)(end - text), text);
	else
		snprintf(to, size, "%s", text);
}

void refusal_tell(int fd, const char *by, char *why, size_t size)
{
	struct dma_buf_refusal refusal;
	char text[512], ordered[512];

	if (prime_negotiate_refusal(fd, &refusal) || refusal.field == DMA_BUF_FIELD_NONE)
		return;
	prime_negotiate_refusal_text(&refusal, text, sizeof(text));
	log_plain(text);
	way_out_first(text, ordered, sizeof(ordered));
	if (!strncmp(why, ordered, size - 1))
		return;
	snprintf(why, size, "%s", ordered);
	say("a buffer is refused by %s: %s", by, text);
	log_event("refusal", "\"by\":\"%s\",\"inode\":%" PRIu64 ",\"why\":\"%s\"", by,
		  dma_buf_inode(fd), text);
}
