// SPDX-License-Identifier: MIT
/* What the structs say, in words. */
#include "prime-negotiate.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Text that grows. Its length is counted even when the room is used up. */
struct text {
	char *start;
	size_t room, length;
};

static void add(struct text *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *format, ...)
{
	bool fits = t->length < t->room;
	va_list ap;
	int got;

	va_start(ap, format);
	got = vsnprintf(fits ? t->start + t->length : NULL,
			fits ? t->room - t->length : 0, format, ap);
	va_end(ap);
	if (got > 0)
		t->length += got;
}

static struct text begin(char *start, size_t room)
{
	if (room)
		*start = '\0';
	return (struct text){ .start = start, .room = room };
}

/* In the largest unit of which it is a whole number. */
static void add_bytes(struct text *t, uint64_t bytes)
{
	static const char *const units[] = {
		"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB",
	};
	unsigned int unit = 0;

	while (bytes && !(bytes % 1024) && unit < 6) {
		bytes /= 1024;
		unit++;
	}
	add(t, "%llu %s", (unsigned long long)bytes,
	    unit || bytes != 1 ? units[unit] : "byte");
}

/* The limit is one byte above the highest address. 2^64 does not fit a u64. */
static void add_limit(struct text *t, uint64_t highest)
{
	if (highest == UINT64_MAX)
		add(t, "16 EiB");
	else
		add_bytes(t, highest + 1);
}

static void add_count(struct text *t, uint64_t count, const char *what)
{
	add(t, "%llu %s%s", (unsigned long long)count, what,
	    count == 1 ? "" : "s");
}

/* --- names --- */

const char *prime_negotiate_field_name(uint32_t field)
{
	static const char *const names[] = {
		[DMA_BUF_FIELD_NONE] = "none",
		[DMA_BUF_FIELD_DMA_MASK] = "DMA mask",
		[DMA_BUF_FIELD_SEGMENT_BOUNDARY] = "segment boundary",
		[DMA_BUF_FIELD_MAX_SEGMENT_SIZE] = "maximum segment size",
		[DMA_BUF_FIELD_MAX_SEGMENTS] = "maximum segments",
		[DMA_BUF_FIELD_ALIGNMENT] = "alignment",
		[DMA_BUF_FIELD_LENGTH_ALIGN] = "alignment of length",
		[DMA_BUF_FIELD_COHERENT] = "coherence",
		[DMA_BUF_FIELD_CONTIGUOUS] = "contiguity",
		[DMA_BUF_FIELD_BOUNCE] = "bounce",
		[DMA_BUF_FIELD_OPERATION] = "operation",
		[DMA_BUF_FIELD_SIZE] = "size of a mapping",
		[DMA_BUF_FIELD_ERROR] = "error",
		[DMA_BUF_FIELD_SIZE_ALIGN] = "alignment of the size",
	};

	return field < sizeof(names) / sizeof(names[0]) ? names[field] :
							  "unknown";
}

/* The last part of what a link of sysfs points to. */
static bool link_name(const char *link, char *name, size_t room)
{
	char target[PATH_MAX], *last;

	if (!realpath(link, target))
		return false;
	last = strrchr(target, '/');
	return (size_t)snprintf(name, room, "%s", last ? last + 1 : target) <
	       room;
}

int prime_negotiate_device_name(const char *path, char *text, size_t room)
{
	const char *last = strrchr(path, '/');
	struct text t = begin(text, room);
	char link[128], name[256];
	struct stat st;

	if (!stat(path, &st) && S_ISCHR(st.st_mode)) {
		snprintf(link, sizeof(link), "/sys/dev/char/%u:%u/device",
			 major(st.st_rdev), minor(st.st_rdev));
		if (link_name(link, name, sizeof(name))) {
			add(&t, "%s (%s)", last ? last + 1 : path, name);
			return t.length;
		}
	}
	add(&t, "%s", path);
	return t.length;
}

/* The first node of this class whose device has the name. */
static bool find_node(const char *pattern, const char *device, char *node,
		      size_t room)
{
	bool found = false;
	glob_t links;

	if (glob(pattern, 0, NULL, &links))
		return false;
	for (size_t i = 0; i < links.gl_pathc && !found; i++) {
		char *end = strstr(links.gl_pathv[i], "/device"), name[256];

		if (!link_name(links.gl_pathv[i], name, sizeof(name)) ||
		    strcmp(name, device))
			continue;
		*end = '\0';
		found = (size_t)snprintf(node, room, "%s",
				strrchr(links.gl_pathv[i], '/') + 1) < room;
	}
	globfree(&links);
	return found;
}

int prime_negotiate_node_name(const char *device, char *text, size_t room)
{
	struct text t = begin(text, room);
	char node[64];

	if (find_node("/sys/class/drm/card[0-9]*/device", device, node,
		      sizeof(node)) ||
	    find_node("/sys/class/drm/renderD*/device", device, node,
		      sizeof(node)) ||
	    find_node("/sys/class/video4linux/video*/device", device, node,
		      sizeof(node)))
		add(&t, "%s (%s)", node, device);
	else
		add(&t, "%s", device);
	return t.length;
}

/* --- constraints --- */

static const char *separator(const struct text *t)
{
	return t->length ? ", " : "";
}

int prime_negotiate_constraints_text(const struct dma_buf_constraints_info *info,
				     char *text, size_t room)
{
	struct text t = begin(text, room);

	/* A mask of all bits means no limit, and so does a maximum of 0. */
	if (info->dma_mask && info->dma_mask != UINT64_MAX) {
		add(&t, "addresses below ");
		add_limit(&t, info->dma_mask);
	}
	if (info->flags & DMA_BUF_CONSTRAINT_CONTIGUOUS)
		add(&t, "%scontiguous", separator(&t));
	if (info->max_segments && info->max_segments != UINT32_MAX) {
		add(&t, "%sat most ", separator(&t));
		add_count(&t, info->max_segments, "segment");
	}
	if (info->max_segment_size && info->max_segment_size < UINT32_MAX) {
		add(&t, "%ssegments of at most ", separator(&t));
		add_bytes(&t, info->max_segment_size);
	}
	if (info->segment_boundary && info->segment_boundary < UINT32_MAX) {
		add(&t, "%sno segment across multiples of ", separator(&t));
		add_limit(&t, info->segment_boundary);
	}
	if (info->alignment > 1) {
		add(&t, "%saligned to ", separator(&t));
		add_bytes(&t, info->alignment);
	}
	if (info->length_align > 1) {
		add(&t, "%slengths of a multiple of ", separator(&t));
		add_bytes(&t, info->length_align);
	}
	if (info->pitch_align > 1) {
		add(&t, "%slines of a multiple of ", separator(&t));
		add_bytes(&t, info->pitch_align);
	}
	if (info->offset_align > 1) {
		add(&t, "%simages that start at a multiple of ", separator(&t));
		add_bytes(&t, info->offset_align);
	}
	if (info->size_align > 1) {
		add(&t, "%sa size of a multiple of ", separator(&t));
		add_bytes(&t, info->size_align);
	}
	if (info->flags & DMA_BUF_CONSTRAINT_COHERENT)
		add(&t, "%scoherent", separator(&t));
	if (info->flags & DMA_BUF_CONSTRAINT_TRANSLATED)
		add(&t, "%sbehind an IOMMU", separator(&t));
	if (!t.length)
		add(&t, "nothing special");
	return t.length;
}

/* --- storage --- */

int prime_negotiate_storage_text(const struct dma_buf_storage_info *info,
				 char *text, size_t room)
{
	struct text t = begin(text, room);

	add_bytes(&t, info->size);
	if (!(info->flags & DMA_BUF_STORAGE_PLACED)) {
		add(&t, ", not placed yet");
		return t.length;
	}
	add(&t, " in ");
	add_count(&t, info->segments, "segment");
	if (info->segments > 1) {
		add(&t, ", the largest ");
		add_bytes(&t, info->largest);
	}
	if (info->reach) {
		add(&t, ", below ");
		add_limit(&t, info->reach);
	}
	if (info->flags & DMA_BUF_STORAGE_COMMITTED)
		add(&t, ", committed");
	return t.length;
}

/* --- refusal --- */

/* The kernel terminates the names, but others may fill in the struct. */
struct parties {
	char device[192], exporter[40];
};

/* The answers of these calls don't tell the exporter: the buffer is the caller's. */
static bool placing(const struct dma_buf_refusal *r)
{
	return r->step == DMA_BUF_STEP_ADMIT || r->step == DMA_BUF_STEP_COMMIT;
}

static struct parties parties_of(const struct dma_buf_refusal *r)
{
	struct parties p = { };
	char device[sizeof(r->device) + 1] = "";

	memcpy(device, r->device, sizeof(r->device));
	if (*device)
		prime_negotiate_node_name(device, p.device, sizeof(p.device));
	else
		strcpy(p.device, "a device");
	if (*r->exporter)
		snprintf(p.exporter, sizeof(p.exporter), "%.*s",
			 (int)sizeof(r->exporter), r->exporter);
	else if (!placing(r))
		strcpy(p.exporter, "another driver");
	return p;
}

static void add_buffer(struct text *t, const struct parties *p)
{
	add(t, *p->exporter ? "the buffer of %s" : "the buffer", p->exporter);
}

static void add_wanted(struct text *t, const struct dma_buf_refusal *r)
{
	switch (r->field) {
	case DMA_BUF_FIELD_DMA_MASK:
		add(t, "addresses below ");
		add_limit(t, r->wanted);
		break;
	case DMA_BUF_FIELD_SEGMENT_BOUNDARY:
		add(t, "no segment across multiples of ");
		add_limit(t, r->wanted);
		break;
	case DMA_BUF_FIELD_MAX_SEGMENT_SIZE:
		add(t, "segments of at most ");
		add_bytes(t, r->wanted);
		break;
	case DMA_BUF_FIELD_MAX_SEGMENTS:
		add(t, "at most ");
		add_count(t, r->wanted, "segment");
		break;
	case DMA_BUF_FIELD_ALIGNMENT:
		add(t, "alignment to ");
		add_bytes(t, r->wanted);
		break;
	case DMA_BUF_FIELD_LENGTH_ALIGN:
		add(t, "lengths of a multiple of ");
		add_bytes(t, r->wanted);
		break;
	case DMA_BUF_FIELD_COHERENT:
		add(t, "coherent memory");
		break;
	case DMA_BUF_FIELD_CONTIGUOUS:
		add(t, "one contiguous piece");
		break;
	case DMA_BUF_FIELD_BOUNCE:
		add(t, "the memory itself");
		break;
	case DMA_BUF_FIELD_SIZE_ALIGN:
		add(t, "a size of a multiple of ");
		add_bytes(t, r->wanted);
		break;
	case DMA_BUF_FIELD_SIZE:
		add(t, "pieces of at most ");
		add_bytes(t, r->wanted);
		break;
	default:
		add(t, "something of field %u: %#llx", r->field,
		    (unsigned long long)r->wanted);
	}
}

static void add_found(struct text *t, const struct dma_buf_refusal *r)
{
	switch (r->field) {
	case DMA_BUF_FIELD_DMA_MASK:
		if (!r->found) {
			add(t, "may have others");
			break;
		}
		add(t, "has pages up to ");
		add_limit(t, r->found);
		break;
	case DMA_BUF_FIELD_SEGMENT_BOUNDARY:
		add(t, "has one that only fits multiples of ");
		add_limit(t, r->found);
		break;
	case DMA_BUF_FIELD_MAX_SEGMENT_SIZE:
	case DMA_BUF_FIELD_SIZE:
		add(t, "has one of ");
		add_bytes(t, r->found);
		break;
	case DMA_BUF_FIELD_MAX_SEGMENTS:
	case DMA_BUF_FIELD_CONTIGUOUS:
		if (r->found)
			add(t, "has %llu", (unsigned long long)r->found);
		else
			add(t, "can't have it");
		break;
	case DMA_BUF_FIELD_ALIGNMENT:
	case DMA_BUF_FIELD_LENGTH_ALIGN:
	case DMA_BUF_FIELD_SIZE_ALIGN:
		add(t, "has ");
		add_bytes(t, r->found);
		break;
	case DMA_BUF_FIELD_COHERENT:
		add(t, "is %s", r->found ? "coherent" : "not");
		break;
	case DMA_BUF_FIELD_BOUNCE:
		add(t, "would reach it as a copy");
		break;
	default:
		add(t, "has %#llx", (unsigned long long)r->found);
	}
}

/* The step that failed, if no constraint is the reason. */
static void add_failure(struct text *t, const struct dma_buf_refusal *r,
			const struct parties *p)
{
	const char *x = p->exporter, *d = p->device;

	switch (r->step) {
	case DMA_BUF_STEP_DMA:
		add(t, "the kernel can't map the buffer of %s for %s", x, d);
		break;
	case DMA_BUF_STEP_PIN:
		add(t, "%s can't pin its buffer for %s", x, d);
		break;
	case DMA_BUF_STEP_MAP:
		add(t, "%s can't map its buffer for %s", x, d);
		break;
	case DMA_BUF_STEP_TABLE:
		add(t, "the buffer of %s is not ready for %s", x, d);
		break;
	case DMA_BUF_STEP_ADMIT:
	case DMA_BUF_STEP_COMMIT:
		add_buffer(t, p);
		add(t, " can't be placed");
		if (r->step == DMA_BUF_STEP_ADMIT)
			add(t, " for %s", d);
		break;
	case DMA_BUF_STEP_ATTACH:
		add(t, "%s does not share its buffer with %s", x, d);
		break;
	case DMA_BUF_STEP_VMAP:
		add(t, "%s can't map its buffer into the kernel", x);
		break;
	case DMA_BUF_STEP_MMAP:
		add(t, "the buffer of %s can't be mapped by a program", x);
		break;
	case DMA_BUF_STEP_CPU:
		add(t, "%s can't let the processor at its buffer", x);
		break;
	case DMA_BUF_STEP_GIVEN_BACK:
		add(t, "%s looked at the buffer of %s and gave it back", d, x);
		break;
	case DMA_BUF_STEP_IMPORT:
		add(t, "%s does not import the buffer of %s", d, x);
		break;
	default:
		add(t, "the buffer of %s was refused to %s", x, d);
	}
}

/*
 * Does the record show that no memory of this size suits the device? A field of 0 is not
 * known. Segments are whole pages, so more of them may be needed than are counted here.
 */
static bool nothing_suits(const struct dma_buf_refusal *r)
{
	uint64_t longest = r->max_segment_size ? r->max_segment_size : UINT64_MAX;

	if (!r->size)
		return false;
	if (r->dma_mask && r->size - 1 > r->dma_mask)
		return true;
	if (r->wants & DMA_BUF_CONSTRAINT_CONTIGUOUS && r->size > longest)
		return true;
	if (!r->max_segments || r->max_segments == UINT32_MAX)
		return false;
	if (r->segment_boundary && r->segment_boundary < longest)
		longest = r->segment_boundary + 1;
	/* Are that many of the longest segments shorter than the buffer? */
	return (r->size - 1) / longest >= r->max_segments;
}

/*
 * What to do, and what to do if that is refused, too. The record is about one device, and
 * another one may refuse what suits this one. So each way ends with a copy.
 */
static const char *way_out(const struct dma_buf_refusal *r)
{
	const bool negotiated = !strcmp(r->exporter, "negotiated");
	const bool constraint = r->field != DMA_BUF_FIELD_ERROR &&
				r->field != DMA_BUF_FIELD_OPERATION;

	if (nothing_suits(r))
		return "Copy: no memory suits this device.";
	if (r->error == ENOMEM && r->field == DMA_BUF_FIELD_ERROR)
		return "It may be that memory is short: try again with less.";
	switch (r->step) {
	case DMA_BUF_STEP_COMMIT:
		return "Commit before the buffer is used; if that is refused too, copy.";
	case DMA_BUF_STEP_VMAP:
	case DMA_BUF_STEP_MMAP:
	case DMA_BUF_STEP_CPU:
		return "Allocate from the heap system; if that is refused too, copy.";
	case DMA_BUF_STEP_TABLE:
		if (constraint)
			break;
		return "Try again when the devices that use it are done.";
	case DMA_BUF_STEP_GIVEN_BACK:
	case DMA_BUF_STEP_IMPORT:
		if (constraint)
			break;
		/* The driver may import nothing. Without the function it does not. */
		if (negotiated || r->field == DMA_BUF_FIELD_OPERATION)
			return "Export from this device, or copy.";
		return "Allocate from the heap negotiated; if that is refused too, export from this device, or copy.";
	}
	/* This device may have joined after the storage was placed for others. */
	if (negotiated || r->step == DMA_BUF_STEP_ADMIT)
		return "Add all devices before the buffer is used; if that is refused too, copy.";
	return "Allocate from the heap negotiated; if that is refused too, copy.";
}

int prime_negotiate_refusal_text(const struct dma_buf_refusal *refusal,
				 char *text, size_t room)
{
	const struct parties p = parties_of(refusal);
	const bool guessed = refusal->flags & DMA_BUF_REFUSAL_GUESSED;
	struct text t = begin(text, room);

	switch (refusal->field) {
	case DMA_BUF_FIELD_NONE:
		add(&t, "nothing was refused");
		return t.length;
	case DMA_BUF_FIELD_OPERATION:
		add_failure(&t, refusal, &p);
		add(&t, ": the driver has no such function. ");
		break;
	case DMA_BUF_FIELD_ERROR:
		add_failure(&t, refusal, &p);
		add(&t, ": %s. ", strerror(refusal->error));
		break;
	default:
		add(&t, "%s %s ", p.device, guessed ? "seems to want" : "wants");
		add_wanted(&t, refusal);
		add(&t, "; ");
		add_buffer(&t, &p);
		add(&t, " ");
		add_found(&t, refusal);
		add(&t, ". ");
	}
	add(&t, "%s", way_out(refusal));
	return t.length;
}

/* What an answer says, as GET_REFUSAL would. */
static int answer_text(struct dma_buf_refusal r, const char *device, char *text,
		       size_t room)
{
	memcpy(r.device, device, sizeof(r.device));
	if (r.field == DMA_BUF_FIELD_ERROR)
		r.error = r.found;
	return prime_negotiate_refusal_text(&r, text, room);
}

int prime_negotiate_add_text(const struct dma_buf_device_use *answer,
			     char *text, size_t room)
{
	struct dma_buf_refusal r = {
		.field = answer->field, .wanted = answer->wanted,
		.found = answer->found, .step = DMA_BUF_STEP_ADMIT,
	};

	return answer_text(r, answer->device, text, room);
}

int prime_negotiate_commit_text(const struct dma_buf_commit *answer,
				char *text, size_t room)
{
	struct dma_buf_refusal r = {
		.field = answer->field, .wanted = answer->wanted,
		.found = answer->found, .step = DMA_BUF_STEP_COMMIT,
	};

	return answer_text(r, answer->device, text, room);
}
