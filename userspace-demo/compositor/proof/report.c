// SPDX-License-Identifier: MIT
/*
 * Lines for people, JSON and results for programs, pictures. It gets data, and calls nothing of
 * what it reports on.
 */

#include <err.h>
#include <png.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common.h"
#include "../base/log.h"
#include "../base/options.h"
#include "../base/say.h"
#include "report.h"

static FILE *results_file;
static bool unsound;

static double seconds(uint64_t since)
{
	return (now() - since) / 1e9;
}

void report_open(void)
{
	if (!options.results)
		return;
	results_file = fopen(options.results, "we");
	if (!results_file)
		err(1, "%s: cannot write", options.results);
}

void tally_begin(struct tally *t)
{
	t->begun = now();
	t->reported_at = t->begun;
	t->latencies = malloc(MAX_LATENCIES * sizeof(*t->latencies));
	if (!t->latencies)
		err(1, "out of memory");
}

void tally_shown(struct tally *t, uint64_t submitted, uint64_t flipped)
{
	if (t->shown && flipped - t->last_flip > t->longest)
		t->longest = flipped - t->last_flip;
	t->last_flip = flipped;
	t->latencies[t->shown++ % MAX_LATENCIES] =
		flipped > submitted ? (flipped - submitted) / 1000 : 0;
}

static int compare_numbers(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* p50 and p99 of the latencies from first to last, as far as they are kept, in milliseconds. */
static void percentiles(const struct tally *t, unsigned int first, double *p50, double *p99)
{
	const unsigned int shown = t->shown - first;
	const unsigned int n = shown < MAX_LATENCIES ? shown : MAX_LATENCIES;
	uint32_t *sorted = n ? malloc(n * sizeof(*sorted)) : NULL;
	unsigned int i;

	*p50 = *p99 = 0;
	if (!sorted)
		return;
	for (i = 0; i < n; i++)
		sorted[i] = t->latencies[(t->shown - n + i) % MAX_LATENCIES];
	qsort(sorted, n, sizeof(*sorted), compare_numbers);
	*p50 = sorted[n / 2] / 1e3;
	*p99 = sorted[n * 99 / 100] / 1e3;
	free(sorted);
}

void report_second(const char *name, struct tally *t, bool on_plane)
{
	double p50, p99, fps;

	percentiles(t, t->reported, &p50, &p99);
	fps = (t->shown - t->reported) / seconds(t->reported_at);
	say("%-17s %5.1f fps  latency %5.1f / %5.1f ms  imports %u  reuses %u  copies %u  %s",
	    name, fps, p50, p99, t->imports, t->reuses, t->copies,
	    on_plane ? "plane" : "composed");
	log_event("second", "\"client\":\"%s\",\"fps\":%.2f,\"p50_ms\":%.3f,"
		  "\"p99_ms\":%.3f,\"imports\":%u,\"reuses\":%u,\"copies\":%u,\"shown\":%u",
		  name, fps, p50, p99, t->imports, t->reuses, t->copies, t->shown);
	t->reported = t->shown;
	t->reported_at = now();
}

__attribute__((format(printf, 4, 5)))
static void result(const char *name, const char *test, bool pass, const char *format, ...)
{
	va_list args;

	if (!pass)
		say("%s: FAIL %s", name, test);
	if (!results_file)
		return;
	fprintf(results_file, "%s-%s\t%s\t", name, test, pass ? "pass" : "fail");
	va_start(args, format);
	vfprintf(results_file, format, args);
	va_end(args);
	fprintf(results_file, "\n");
	fflush(results_file);
}

void report_client(const char *name, const struct tally *t, bool kept)
{
	double p50, p99;

	percentiles(t, 0, &p50, &p99);
	say("%s: %s after %u frames (%u composed, %u gaps), %.1f fps, latency %.1f / %.1f ms, longest pause %.0f ms",
	    name, kept ? "left" : "dropped", t->shown, t->composed, t->dropped,
	    t->shown / seconds(t->begun), p50, p99, t->longest / 1e6);
	say("%s: imports %u, reuses %u, copies %u; held by a fence %u, too early %u; read back %u, compared %u, equal %u",
	    name, t->imports, t->reuses, t->copies, t->held, t->early, t->read, t->compared,
	    t->equal);
	log_event("total", "\"client\":\"%s\",\"kept\":%s,\"shown\":%u,\"composed\":%u,"
		  "\"gaps\":%u,\"fps\":%.2f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"longest_ms\":%.1f,"
		  "\"imports\":%u,\"reuses\":%u,\"copies\":%u,\"held\":%u,\"early\":%u,"
		  "\"read\":%u,\"compared\":%u,\"equal\":%u,\"unreadable\":%u", name,
		  kept ? "true" : "false", t->shown, t->composed, t->dropped,
		  t->shown / seconds(t->begun), p50, p99, t->longest / 1e6, t->imports,
		  t->reuses, t->copies, t->held, t->early, t->read, t->compared, t->equal,
		  t->unreadable);

	result(name, "inodes", !t->foreign_inodes && t->copies == t->shm,
	       "%u of %u imported buffers, %u of %u frames are not the client's own memory; %u are copies of wl_shm",
	       t->foreign_inodes, t->imports, t->copies, t->shown, t->shm);
	result(name, "fences", !t->early, "%u of %u frames came before they were drawn, %u were shown too early",
	       t->held, t->shown, t->early);
	result(name, "goodbye", kept, "%s",
	       kept ? "it left when it was done" : "it was dropped");
	if (options.frames)
		result(name, "frames", t->shown >= options.frames, "%u shown, at least %u wanted",
		       t->shown, options.frames);
	if (options.proofs)
		result(name, "checksums", t->equal == t->compared &&
		       t->compared + t->unreadable >=
		       (options.proofs < t->shown ? options.proofs : t->shown),
		       "%u of %u pictures read back are what was drawn, at least %u wanted; %u are covered, translucent or written already",
		       t->equal, t->compared, options.proofs, t->unreadable);
	unsound |= t->foreign_inodes || t->copies != t->shm || t->early || t->equal != t->compared;
}

void report_picture(unsigned int flip, const char *pixels, size_t stride, uint32_t width,
		    uint32_t height)
{
	png_image image = {
		.version = PNG_IMAGE_VERSION,
		.width = width,
		.height = height,
		.format = PNG_FORMAT_BGR,
		.flags = PNG_IMAGE_FLAG_FAST,
	};
	const size_t row = PNG_IMAGE_ROW_STRIDE(image);
	uint8_t *copy = malloc(PNG_IMAGE_SIZE(image));
	char path[512];
	uint32_t x, y;

	if (!copy)
		err(1, "out of memory");
	for (y = 0; y < height; y++)
		for (x = 0; x < width; x++)
			memcpy(copy + y * row + 3 * x, pixels + y * stride + 4 * x, 3);

	snprintf(path, sizeof(path), "%s/screen-%06u.png", options.pictures, flip);
	if (png_image_write_to_file(&image, path, 0, copy, 0, NULL)) {
		log_event("picture", "\"file\":\"screen-%06u.png\",\"flip\":%u", flip, flip);
	} else {
		say("%s: cannot write the picture: %s", path, image.message);
		unsound = true;
	}
	free(copy);
}

bool report_close(void)
{
	if (results_file && fclose(results_file))
		err(1, "%s: cannot write", options.results);
	return !unsound;
}
