// SPDX-License-Identifier: MIT
/* What the compositor tells: lines for people, JSON and results for programs, pictures. */

#include <err.h>
#include <inttypes.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compositor.h"

static FILE *log_file, *results_file;
static uint64_t begun;
static bool unsound;

static double seconds(uint64_t since)
{
	return (now() - since) / 1e9;
}

void say(const char *format, ...)
{
	va_list args;

	if (!begun)
		begun = now();
	printf("%7.3f  ", seconds(begun));
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

void log_event(const char *event, const char *format, ...)
{
	va_list args;

	if (!log_file)
		return;
	fprintf(log_file, "{\"event\":\"%s\",\"ns\":%" PRIu64 ",", event, now());
	va_start(args, format);
	vfprintf(log_file, format, args);
	va_end(args);
	fprintf(log_file, "}\n");
}

void report_open(void)
{
	if (options.log) {
		log_file = fopen(options.log, "we");
		if (!log_file)
			err(1, "%s: cannot write", options.log);
	}
	if (options.results) {
		results_file = fopen(options.results, "we");
		if (!results_file)
			err(1, "%s: cannot write", options.results);
	}
}

static int compare_numbers(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* p50 and p99 of the latencies from first to last, in milliseconds. */
static void percentiles(const struct client *c, unsigned int first, double *p50, double *p99)
{
	const unsigned int n = c->shown - first;
	uint32_t *sorted = n ? malloc(n * sizeof(*sorted)) : NULL;

	*p50 = *p99 = 0;
	if (!sorted)
		return;
	memcpy(sorted, c->latencies + first, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_numbers);
	*p50 = sorted[n / 2] / 1e3;
	*p99 = sorted[n * 99 / 100] / 1e3;
	free(sorted);
}

void report_second(void)
{
	static uint64_t last;
	double p50, p99, fps;

	for_each_client(c) {
		if (!c->greeted || c->gone)
			continue;
		percentiles(c, c->reported, &p50, &p99);
		fps = (c->shown - c->reported) / seconds(last > c->begun ? last : c->begun);
		say("%-10s %5.1f fps  latency %5.1f / %5.1f ms  imports %u  reuses %u  copies %u  %s",
		    c->name, fps, p50, p99, c->imports, c->reuses, c->copies,
		    c->plane ? "plane" : "composed");
		log_event("second", "\"client\":\"%s\",\"fps\":%.2f,\"p50_ms\":%.3f,"
			  "\"p99_ms\":%.3f,\"imports\":%u,\"reuses\":%u,\"copies\":%u,\"shown\":%u",
			  c->name, fps, p50, p99, c->imports, c->reuses, c->copies, c->shown);
		c->reported = c->shown;
	}
	last = now();
	if (log_file)
		fflush(log_file);
}

void report_frame(struct client *c, const struct frame *frame, uint64_t released)
{
	const struct proof *proof = find_proof(c, frame->sequence);

	log_event("frame", "\"client\":\"%s\",\"buffer\":%u,\"sequence\":%u,\"fb\":%u,"
		  "\"plane\":%u,\"held\":%s,\"submit_ns\":%" PRIu64 ",\"commit_ns\":%" PRIu64
		  ",\"flip_ns\":%" PRIu64 ",\"release_ns\":%" PRIu64
		  ",\"checksum_drawn\":\"%016" PRIx64 "\",\"checksum_shown\":\"%016" PRIx64 "\"",
		  c->name, frame->cookie, frame->sequence, frame->picture->fb, c->plane,
		  frame->held ? "true" : "false", frame->submitted, frame->committed,
		  frame->flipped, released, proof ? proof->drawn : 0, proof ? proof->shown : 0);
}

__attribute__((format(printf, 4, 5)))
static void result(const struct client *c, const char *test, bool pass, const char *format, ...)
{
	va_list args;

	if (!pass)
		say("%s: FAIL %s", c->name, test);
	if (!results_file)
		return;
	fprintf(results_file, "%s-%s\t%s\t", c->name, test, pass ? "pass" : "fail");
	va_start(args, format);
	vfprintf(results_file, format, args);
	va_end(args);
	fprintf(results_file, "\n");
	fflush(results_file);
}

void report_client(const struct client *c)
{
	double p50, p99;

	percentiles(c, 0, &p50, &p99);
	say("%s: %s after %u frames (%u composed, %u gaps), %.1f fps, latency %.1f / %.1f ms, longest pause %.0f ms",
	    c->name, c->gone ? "dropped" : "goodbye", c->shown, c->composed, c->dropped,
	    c->shown / seconds(c->begun), p50, p99, c->longest / 1e6);
	say("%s: imports %u, reuses %u, copies %u; held by a fence %u, too early %u; read back %u, compared %u, equal %u",
	    c->name, c->imports, c->reuses, c->copies, c->held, c->early, c->read, c->compared,
	    c->equal);
	log_event("total", "\"client\":\"%s\",\"kept\":%s,\"shown\":%u,\"composed\":%u,"
		  "\"gaps\":%u,\"fps\":%.2f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"longest_ms\":%.1f,"
		  "\"imports\":%u,\"reuses\":%u,\"copies\":%u,\"held\":%u,\"early\":%u,"
		  "\"read\":%u,\"compared\":%u,\"equal\":%u", c->name,
		  c->gone ? "false" : "true", c->shown, c->composed, c->dropped,
		  c->shown / seconds(c->begun), p50, p99, c->longest / 1e6, c->imports,
		  c->reuses, c->copies, c->held, c->early, c->read, c->compared, c->equal);

	result(c, "inodes", !c->foreign_inodes && !c->copies,
	       "%u of %u imported buffers, %u of %u frames are not the client's own memory",
	       c->foreign_inodes, c->imports, c->copies, c->shown);
	result(c, "fences", !c->early, "%u of %u frames were committed before they were drawn, %u were shown too early",
	       c->held, c->shown, c->early);
	result(c, "goodbye", !c->gone, "%s",
	       c->gone ? "it was dropped" : "it left when it was done");
	if (options.frames)
		result(c, "frames", c->shown >= options.frames, "%u shown, at least %u wanted",
		       c->shown, options.frames);
	if (options.proofs)
		result(c, "checksums", c->equal == c->compared &&
		       c->compared >= (options.proofs < c->shown ? options.proofs : c->shown),
		       "%u of %u pictures read back are what was drawn, at least %u wanted",
		       c->equal, c->compared, options.proofs);
	unsound |= c->foreign_inodes || c->copies || c->early || c->equal != c->compared;
}

void report_picture(unsigned int flip)
{
	png_image image = {
		.version = PNG_IMAGE_VERSION,
		.width = display.width,
		.height = display.height,
		.format = PNG_FORMAT_BGR,
		.flags = PNG_IMAGE_FLAG_FAST,
	};
	const size_t stride = PNG_IMAGE_ROW_STRIDE(image);
	uint8_t *pixels = malloc(PNG_IMAGE_SIZE(image));
	char path[512];
	uint32_t x, y;

	if (!pixels)
		err(1, "out of memory");
	for (y = 0; y < display.height; y++)
		for (x = 0; x < display.width; x++)
			memcpy(pixels + y * stride + 3 * x,
			       display.pixels + (size_t)y * display.stride + 4 * x, 3);

	snprintf(path, sizeof(path), "%s/screen-%06u.png", options.pictures, flip);
	if (!png_image_write_to_file(&image, path, 0, pixels, 0, NULL))
		errx(1, "%s: cannot write the picture: %s", path, image.message);
	free(pixels);
	log_event("picture", "\"file\":\"screen-%06u.png\",\"flip\":%u", flip, flip);
}

bool report_close(void)
{
	if (log_file && fclose(log_file))
		err(1, "%s: cannot write", options.log);
	if (results_file && fclose(results_file))
		err(1, "%s: cannot write", options.results);
	return !unsound;
}
