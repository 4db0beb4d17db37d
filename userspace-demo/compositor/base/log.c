// SPDX-License-Identifier: MIT
/* Events for programs, as lines of JSON. */

#include <err.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "../../common.h"
#include "log.h"
#include "options.h"

static FILE *file;

void log_event(const char *event, const char *format, ...)
{
	va_list args;

	if (!file)
		return;
	fprintf(file, "{\"event\":\"%s\",\"ns\":%" PRIu64 ",", event, now());
	va_start(args, format);
	vfprintf(file, format, args);
	va_end(args);
	fprintf(file, "}\n");
}

void log_plain(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
			*text = '?';
}

void log_open(void)
{
	if (!options.log)
		return;
	file = fopen(options.log, "we");
	if (!file)
		err(1, "%s: cannot write", options.log);
	setvbuf(file, NULL, _IOLBF, 0);
}

void log_close(void)
{
	if (file && fclose(file))
		err(1, "%s: cannot write", options.log);
}
