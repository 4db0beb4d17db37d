// SPDX-License-Identifier: MIT
/* What the library says of the structs; a line "PASS name" or "FAIL name" each. */
#include "prime-negotiate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int failed;

static void verdict(const char *name, bool good)
{
	printf("%s %s\n", good ? "PASS" : "FAIL", name);
	failed |= !good;
}

static void same(const char *name, const char *text, const char *wanted)
{
	verdict(name, !strcmp(text, wanted));
	if (strcmp(text, wanted))
		printf("  is:     %s\n  wanted: %s\n", text, wanted);
}

static void refusal(const char *name, uint32_t field, uint64_t wanted,
		    uint64_t found, const char *expect)
{
	struct dma_buf_refusal r = {
		.field = field, .wanted = wanted, .found = found,
		.device = "0000:00:05.0",
	};
	char text[256], all[300];

	prime_negotiate_refusal_text(&r, text, sizeof(text));
	snprintf(all, sizeof(all), "0000:00:05.0 wants %s", expect);
	same(name, text, all);
}

static void refusals(void)
{
	struct dma_buf_refusal r = { };
	char text[256];

	prime_negotiate_refusal_text(&r, text, sizeof(text));
	same("refusal-none", text, "nothing was refused");
	refusal("refusal-mask", DMA_BUF_FIELD_DMA_MASK, (1 << 28) - 1,
		(3ull << 30) - 1,
		"addresses below 256 MiB, the buffer has pages up to 3 GiB");
	refusal("refusal-mask-64", DMA_BUF_FIELD_DMA_MASK, UINT32_MAX,
		UINT64_MAX,
		"addresses below 4 GiB, the buffer has pages up to 16 EiB");
	refusal("refusal-boundary", DMA_BUF_FIELD_SEGMENT_BOUNDARY,
		(4 << 20) - 1, (8 << 20) - 1,
		"no segment across multiples of 4 MiB, the buffer has one that only fits multiples of 8 MiB");
	refusal("refusal-segment-size", DMA_BUF_FIELD_MAX_SEGMENT_SIZE,
		64 << 10, 68 << 10,
		"segments of at most 64 KiB, the buffer has one of 68 KiB");
	refusal("refusal-segments", DMA_BUF_FIELD_MAX_SEGMENTS, 1, 576,
		"at most 1 segment, the buffer has 576 segments");
	refusal("refusal-contiguous", DMA_BUF_FIELD_CONTIGUOUS, 1, 2,
		"contiguous memory, the buffer has 2 segments");
	refusal("refusal-alignment", DMA_BUF_FIELD_ALIGNMENT, 65536, 4096,
		"alignment to 64 KiB, the buffer has 4 KiB");
	refusal("refusal-length", DMA_BUF_FIELD_LENGTH_ALIGN, 8192, 1,
		"lengths of a multiple of 8 KiB, the buffer has 1 byte");
	refusal("refusal-coherent", DMA_BUF_FIELD_COHERENT, 1, 0,
		"coherent memory, the buffer is not");
	refusal("refusal-bounce", DMA_BUF_FIELD_BOUNCE, 0, 1,
		"the memory itself, and would get a copy");
	refusal("refusal-of-a-later-kernel", 99, 1, 2,
		"something of field 99: 0x1, the buffer has 0x2");

	memset(&r, 'x', sizeof(r));
	r.field = DMA_BUF_FIELD_BOUNCE;
	verdict("refusal-name-without-end",
		prime_negotiate_refusal_text(&r, text, sizeof(text)) ==
		(int)(64 + strlen(" wants the memory itself, and would get a copy")));
}

static void constraints(void)
{
	struct dma_buf_constraints_info info = {
		.dma_mask = UINT64_MAX, .segment_boundary = UINT64_MAX,
		.max_segment_size = UINT64_MAX, .max_segments = UINT32_MAX,
		.alignment = 1, .length_align = 1,
	};
	char text[256], small[8];
	int length;

	prime_negotiate_constraints_text(&info, text, sizeof(text));
	same("constraints-none", text, "nothing special");
	info.dma_mask = (1 << 28) - 1;
	info.max_segments = 1;
	info.max_segment_size = 64 << 10;
	info.segment_boundary = (4 << 20) - 1;
	info.alignment = 4096;
	info.length_align = 512;
	info.flags = DMA_BUF_CONSTRAINT_CONTIGUOUS |
		     DMA_BUF_CONSTRAINT_COHERENT | DMA_BUF_CONSTRAINT_TRANSLATED;
	length = prime_negotiate_constraints_text(&info, text, sizeof(text));
	same("constraints-all", text,
	     "addresses below 256 MiB, contiguous, at most 1 segment, segments of at most 64 KiB, no segment across multiples of 4 MiB, aligned to 4 KiB, lengths of a multiple of 512 bytes, coherent, behind an IOMMU");
	verdict("constraints-length", length == (int)strlen(text));
	verdict("text-is-cut",
		prime_negotiate_constraints_text(&info, small, sizeof(small)) ==
		length && !strcmp(small, "address"));
	verdict("text-without-room",
		prime_negotiate_constraints_text(&info, NULL, 0) == length);
	info = (struct dma_buf_constraints_info){
		.flags = DMA_BUF_CONSTRAINT_CONTIGUOUS_PREFERRED,
	};
	prime_negotiate_constraints_text(&info, text, sizeof(text));
	same("constraints-preferred", text, "contiguous preferred");
}

static void storage(void)
{
	struct dma_buf_storage_info info = { .size = 8 << 20 };
	char text[256];

	prime_negotiate_storage_text(&info, text, sizeof(text));
	same("storage-none", text, "8 MiB, not placed yet");
	info.flags = DMA_BUF_STORAGE_PLACED | DMA_BUF_STORAGE_COHERENT;
	info.segments = 3;
	info.largest = 4 << 20;
	info.zone = DMA_BUF_ZONE_DMA32;
	prime_negotiate_storage_text(&info, text, sizeof(text));
	same("storage-pieces", text,
	     "8 MiB in 3 segments, the largest 4 MiB, zone DMA32, coherent");
	info.flags = DMA_BUF_STORAGE_PLACED | DMA_BUF_STORAGE_CONTIGUOUS |
		     DMA_BUF_STORAGE_MAPPED;
	info.segments = 1;
	info.zone = DMA_BUF_ZONE_CMA;
	prime_negotiate_storage_text(&info, text, sizeof(text));
	same("storage-contiguous", text,
	     "8 MiB in 1 segment, zone CMA, contiguous, mapped by a device");
}

static void names(void)
{
	char text[64];

	prime_negotiate_device_name("/dev/null", text, sizeof(text));
	same("name-without-device", text, "/dev/null");
	prime_negotiate_device_name("/no/such/node", text, sizeof(text));
	same("name-without-node", text, "/no/such/node");
	same("field-unknown", prime_negotiate_field_name(10), "unknown");
	same("field-last", prime_negotiate_field_name(DMA_BUF_FIELD_BOUNCE),
	     "bounce");
	same("zone-unknown", prime_negotiate_zone_name(5), "unknown");
}

/* A file that is no dma-buf. */
static void wrong_files(void)
{
	struct dma_buf_constraints_info info;
	struct dma_buf_storage_info storage;
	struct dma_buf_refusal why;

	verdict("add-bad-fd", prime_negotiate_add(-1, -1, NULL) == -EBADF);
	verdict("add-no-path",
		prime_negotiate_add_path(-1, "/no/such/node", NULL) == -ENOENT);
	verdict("constraints-bad-fd",
		prime_negotiate_constraints(-1, &info) == -EBADF);
	verdict("storage-no-dmabuf",
		prime_negotiate_storage(0, &storage) < 0);
	verdict("refusal-no-dmabuf", prime_negotiate_refusal(0, &why) < 0);
}

int main(void)
{
	refusals();
	constraints();
	storage();
	names();
	wrong_files();
	return failed;
}
