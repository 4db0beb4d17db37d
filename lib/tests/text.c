// SPDX-License-Identifier: MIT
/* What the library says of the structs; a line "PASS name" or "FAIL name" each. */
#include "prime-negotiate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

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

#define HEAP " Allocate from the heap negotiated; if that is refused too, copy."
#define EXPORT " Allocate from the heap negotiated; if that is refused too, export from this device, or copy."
#define SYSTEM " Allocate from the heap system; if that is refused too, copy."
#define ADD " Add all devices before the buffer is used; if that is refused too, copy."
#define NOTHING " Copy: no memory suits this device."

static void refusal(const char *name, uint32_t field, uint64_t wanted,
		    uint64_t found, const char *expect)
{
	struct dma_buf_refusal r = {
		.field = field, .wanted = wanted, .found = found,
		.device = "0000:00:05.0", .exporter = "vgem",
		.step = DMA_BUF_STEP_GIVEN_BACK, .error = EINVAL,
	};
	char text[256], all[300];

	prime_negotiate_refusal_text(&r, text, sizeof(text));
	snprintf(all, sizeof(all), "0000:00:05.0 wants %s" HEAP, expect);
	same(name, text, all);
}

static void refusals_of_constraints(void)
{
	refusal("refusal-mask", DMA_BUF_FIELD_DMA_MASK, (1 << 28) - 1,
		(3ull << 30) - 1,
		"addresses below 256 MiB; the buffer of vgem has pages up to 3 GiB.");
	refusal("refusal-mask-unknown", DMA_BUF_FIELD_DMA_MASK, (1 << 28) - 1, 0,
		"addresses below 256 MiB; the buffer of vgem may have others.");
	refusal("refusal-mask-64", DMA_BUF_FIELD_DMA_MASK, UINT32_MAX,
		UINT64_MAX,
		"addresses below 4 GiB; the buffer of vgem has pages up to 16 EiB.");
	refusal("refusal-boundary", DMA_BUF_FIELD_SEGMENT_BOUNDARY,
		(4 << 20) - 1, (8 << 20) - 1,
		"no segment across multiples of 4 MiB; the buffer of vgem has one that only fits multiples of 8 MiB.");
	refusal("refusal-segment-size", DMA_BUF_FIELD_MAX_SEGMENT_SIZE,
		64 << 10, 68 << 10,
		"segments of at most 64 KiB; the buffer of vgem has one of 68 KiB.");
	refusal("refusal-segments", DMA_BUF_FIELD_MAX_SEGMENTS, 1, 576,
		"at most 1 segment; the buffer of vgem has 576.");
	refusal("refusal-contiguous", DMA_BUF_FIELD_CONTIGUOUS, 1, 412,
		"one contiguous piece; the buffer of vgem has 412.");
	refusal("refusal-alignment", DMA_BUF_FIELD_ALIGNMENT, 65536, 4096,
		"alignment to 64 KiB; the buffer of vgem has 4 KiB.");
	refusal("refusal-length", DMA_BUF_FIELD_LENGTH_ALIGN, 8192, 1,
		"lengths of a multiple of 8 KiB; the buffer of vgem has 1 byte.");
	refusal("refusal-size-align", DMA_BUF_FIELD_SIZE_ALIGN, 65536, 4096,
		"a size of a multiple of 64 KiB; the buffer of vgem has 4 KiB.");
	refusal("refusal-coherent", DMA_BUF_FIELD_COHERENT, 1, 0,
		"coherent memory; the buffer of vgem is not.");
	refusal("refusal-bounce", DMA_BUF_FIELD_BOUNCE, 0, 1,
		"the memory itself; the buffer of vgem would reach it as a copy.");
	refusal("refusal-size", DMA_BUF_FIELD_SIZE, 256 << 10, 8 << 20,
		"pieces of at most 256 KiB; the buffer of vgem has one of 8 MiB.");
	refusal("refusal-of-a-later-kernel", 99, 1, 2,
		"something of field 99: 0x1; the buffer of vgem has 0x2.");
}

/* Where a step failed for no constraint. */
static void failure(const char *name, uint32_t step, uint32_t field, int error,
		    const char *expect)
{
	struct dma_buf_refusal r = {
		.field = field, .step = step, .error = error,
		.device = "0000:00:05.0", .exporter = "vgem",
	};
	char text[256];

	prime_negotiate_refusal_text(&r, text, sizeof(text));
	same(name, text, expect);
}

static void failures(void)
{
	failure("failure-dma", DMA_BUF_STEP_DMA, DMA_BUF_FIELD_ERROR, EIO,
		"the kernel can't map the buffer of vgem for 0000:00:05.0: Input/output error." HEAP);
	failure("failure-pin", DMA_BUF_STEP_PIN, DMA_BUF_FIELD_ERROR, ENOSPC,
		"vgem can't pin its buffer for 0000:00:05.0: No space left on device." HEAP);
	failure("failure-map", DMA_BUF_STEP_MAP, DMA_BUF_FIELD_ERROR, ENOMEM,
		"vgem can't map its buffer for 0000:00:05.0: Cannot allocate memory. It may be that memory is short: try again with less.");
	failure("failure-table", DMA_BUF_STEP_TABLE, DMA_BUF_FIELD_ERROR, EBUSY,
		"the buffer of vgem is not ready for 0000:00:05.0: Device or resource busy. Try again when the devices that use it are done.");
	failure("failure-attach", DMA_BUF_STEP_ATTACH, DMA_BUF_FIELD_ERROR, EPERM,
		"vgem does not share its buffer with 0000:00:05.0: Operation not permitted." HEAP);
	failure("failure-vmap", DMA_BUF_STEP_VMAP, DMA_BUF_FIELD_OPERATION, EINVAL,
		"vgem can't map its buffer into the kernel: the driver has no such function." SYSTEM);
	failure("failure-mmap", DMA_BUF_STEP_MMAP, DMA_BUF_FIELD_ERROR, ENXIO,
		"the buffer of vgem can't be mapped by a program: No such device or address." SYSTEM);
	failure("failure-cpu", DMA_BUF_STEP_CPU, DMA_BUF_FIELD_ERROR, EIO,
		"vgem can't let the processor at its buffer: Input/output error." SYSTEM);
	failure("failure-given-back", DMA_BUF_STEP_GIVEN_BACK, DMA_BUF_FIELD_ERROR, EFAULT,
		"0000:00:05.0 looked at the buffer of vgem and gave it back: Bad address." EXPORT);
	failure("failure-import", DMA_BUF_STEP_IMPORT, DMA_BUF_FIELD_OPERATION, EINVAL,
		"0000:00:05.0 does not import the buffer of vgem: the driver has no such function. Export from this device, or copy.");
	failure("failure-handle", DMA_BUF_STEP_HANDLE, DMA_BUF_FIELD_ERROR, ENOSPC,
		"the buffer of vgem was refused to 0000:00:05.0: No space left on device." HEAP);
	failure("failure-admit", DMA_BUF_STEP_ADMIT, DMA_BUF_FIELD_ERROR, EIO,
		"the buffer of vgem can't be placed for 0000:00:05.0: Input/output error." ADD);
}

/* The two refusals of virtio-gpu: of any exporter's buffer, and then of one of the heap. */
static void refusals_of_all_buffers(void)
{
	struct dma_buf_refusal r = {
		.field = DMA_BUF_FIELD_ERROR, .error = ENODEV,
		.by = DMA_BUF_BY_IMPORTER, .device = "0000:00:06.0",
		.exporter = "vgem", .step = DMA_BUF_STEP_GIVEN_BACK,
	};
	char text[256];

	prime_negotiate_refusal_text(&r, text, sizeof(text));
	same("refusal-imports-nothing", text,
	     "0000:00:06.0 looked at the buffer of vgem and gave it back: No such device." EXPORT);
	strcpy(r.exporter, "negotiated");
	r.step = DMA_BUF_STEP_IMPORT;
	prime_negotiate_refusal_text(&r, text, sizeof(text));
	same("refusal-imports-nothing-of-the-heap", text,
	     "0000:00:06.0 does not import the buffer of negotiated: No such device. Export from this device, or copy.");
}

/* Does the sentence say that no memory suits? */
static void suits(const char *name, struct dma_buf_refusal r, bool nothing)
{
	char text[256], *end;

	r.field = DMA_BUF_FIELD_MAX_SEGMENTS;
	r.step = DMA_BUF_STEP_GIVEN_BACK;
	prime_negotiate_refusal_text(&r, text, sizeof(text));
	end = strstr(text, NOTHING);
	verdict(name, end ? nothing && !strcmp(end, NOTHING) :
			    !nothing && strstr(text, HEAP));
}

#define WANTS(...) ((struct dma_buf_refusal){ __VA_ARGS__ })

static void refusals_of_all_memory(void)
{
	const uint64_t picture = 1024 * 576 * 4;

	/* mock-1m of the matrix */
	suits("suits-too-large", WANTS(.size = picture, .max_segments = 16,
				       .max_segment_size = 64 << 10), true);
	suits("suits-just", WANTS(.size = 1 << 20, .max_segments = 16,
				  .max_segment_size = 64 << 10), false);
	suits("suits-a-byte-more", WANTS(.size = (1 << 20) + 1, .max_segments = 16,
					 .max_segment_size = 64 << 10), true);
	suits("suits-boundary", WANTS(.size = (8 << 20) + 1, .max_segments = 2,
				      .max_segment_size = UINT32_MAX,
				      .segment_boundary = (4 << 20) - 1), true);
	suits("suits-boundary-just", WANTS(.size = 8 << 20, .max_segments = 2,
					   .segment_boundary = (4 << 20) - 1), false);
	suits("suits-contiguous", WANTS(.size = picture, .max_segment_size = 64 << 10,
					.wants = DMA_BUF_CONSTRAINT_CONTIGUOUS), true);
	suits("suits-contiguous-any", WANTS(.size = picture,
					    .wants = DMA_BUF_CONSTRAINT_CONTIGUOUS), false);
	suits("suits-mask", WANTS(.size = picture, .dma_mask = (1 << 20) - 1), true);
	suits("suits-mask-just", WANTS(.size = 1 << 20, .dma_mask = (1 << 20) - 1), false);
	suits("suits-unknown", WANTS(.size = picture), false);
	suits("suits-size-unknown", WANTS(.max_segments = 1, .max_segment_size = 1,
					  .dma_mask = 1), false);
	suits("suits-segments-unknown", WANTS(.size = picture,
					      .max_segment_size = 64 << 10), false);
	suits("suits-any-number", WANTS(.size = UINT64_MAX, .max_segment_size = 4096,
					.max_segments = UINT32_MAX), false);
	/* The product has more than 64 bits. */
	suits("suits-largest", WANTS(.size = UINT64_MAX, .max_segments = 16,
				     .max_segment_size = UINT64_MAX,
				     .segment_boundary = UINT64_MAX,
				     .dma_mask = UINT64_MAX), false);
}

static void refusals(void)
{
	struct dma_buf_refusal r = { };
	char text[256];

	prime_negotiate_refusal_text(&r, text, sizeof(text));
	same("refusal-none", text, "nothing was refused");
	refusals_of_constraints();
	refusals_of_all_buffers();
	refusals_of_all_memory();
	failures();

	r = (struct dma_buf_refusal){
		.field = DMA_BUF_FIELD_CONTIGUOUS, .wanted = 1, .found = 2,
		.device = "vivid-000", .exporter = "negotiated",
		.step = DMA_BUF_STEP_GIVEN_BACK, .flags = DMA_BUF_REFUSAL_GUESSED,
	};
	prime_negotiate_refusal_text(&r, text, sizeof(text));
	same("refusal-guessed", text,
	     "vivid-000 seems to want one contiguous piece; the buffer of negotiated has 2." ADD);

	r = (struct dma_buf_refusal){
		.field = DMA_BUF_FIELD_BOUNCE, .found = 1, .error = EOPNOTSUPP,
		.device = "0000:00:05.0", .exporter = "udmabuf",
		.step = DMA_BUF_STEP_TABLE, .flags = DMA_BUF_REFUSAL_BOUNCED,
	};
	prime_negotiate_refusal_text(&r, text, sizeof(text));
	same("refusal-bounced", text,
	     "0000:00:05.0 wants the memory itself; the buffer of udmabuf would reach it as a copy." HEAP);

	/* Of a kernel that tells 88 bytes. */
	r = (struct dma_buf_refusal){
		.field = DMA_BUF_FIELD_CONTIGUOUS, .wanted = 1, .found = 2,
		.device = "vivid-000",
	};
	prime_negotiate_refusal_text(&r, text, sizeof(text));
	same("refusal-of-an-older-kernel", text,
	     "vivid-000 wants one contiguous piece; the buffer of another driver has 2." HEAP);

	memset(&r, 'x', sizeof(r));
	r.field = DMA_BUF_FIELD_BOUNCE;
	r.flags = 0;
	verdict("refusal-names-without-end",
		prime_negotiate_refusal_text(&r, text, sizeof(text)) == 64 + 32 +
		(int)strlen(" wants the memory itself; the buffer of  would reach it as a copy." HEAP));
}

/* What the answers of add and commit say. */
static void answers(void)
{
	struct dma_buf_device_use use = {
		.field = DMA_BUF_FIELD_DMA_MASK, .wanted = (1 << 28) - 1,
		.found = (1 << 29) - 1, .device = "0000:00:05.0",
	};
	struct dma_buf_commit commit = {
		.field = DMA_BUF_FIELD_CONTIGUOUS, .wanted = 1,
	};
	char text[256];

	prime_negotiate_add_text(&use, text, sizeof(text));
	same("answer-add", text,
	     "0000:00:05.0 wants addresses below 256 MiB; the buffer has pages up to 512 MiB." ADD);
	use.field = DMA_BUF_FIELD_ERROR;
	use.found = ENODEV;
	prime_negotiate_add_text(&use, text, sizeof(text));
	same("answer-add-error", text,
	     "the buffer can't be placed for 0000:00:05.0: No such device." ADD);
	prime_negotiate_commit_text(&commit, text, sizeof(text));
	same("answer-commit", text,
	     "a device wants one contiguous piece; the buffer can't have it. Commit before the buffer is used; if that is refused too, copy.");
	commit.field = DMA_BUF_FIELD_ERROR;
	commit.found = ENOMEM;
	prime_negotiate_commit_text(&commit, text, sizeof(text));
	same("answer-commit-memory", text,
	     "the buffer can't be placed: Cannot allocate memory. It may be that memory is short: try again with less.");
	commit.field = DMA_BUF_FIELD_NONE;
	prime_negotiate_commit_text(&commit, text, sizeof(text));
	same("answer-none", text, "nothing was refused");
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
		.pitch_align = 64, .offset_align = 256, .size_align = 64 << 10,
	};
	prime_negotiate_constraints_text(&info, text, sizeof(text));
	same("constraints-of-images", text,
	     "lines of a multiple of 64 bytes, images that start at a multiple of 256 bytes, a size of a multiple of 64 KiB");
}

static void storage(void)
{
	struct dma_buf_storage_info info = { .size = 8 << 20 };
	char text[256];

	prime_negotiate_storage_text(&info, text, sizeof(text));
	same("storage-none", text, "8 MiB, not placed yet");
	info.flags = DMA_BUF_STORAGE_PLACED;
	info.segments = 3;
	info.largest = 4 << 20;
	info.reach = UINT32_MAX;
	prime_negotiate_storage_text(&info, text, sizeof(text));
	same("storage-pieces", text,
	     "8 MiB in 3 segments, the largest 4 MiB, below 4 GiB");
	info.flags = DMA_BUF_STORAGE_PLACED | DMA_BUF_STORAGE_CONTIGUOUS |
		     DMA_BUF_STORAGE_COMMITTED;
	info.segments = 1;
	info.reach = UINT64_MAX;
	prime_negotiate_storage_text(&info, text, sizeof(text));
	same("storage-contiguous", text,
	     "8 MiB in 1 segment, below 16 EiB, committed");
}

static void names(void)
{
	char text[64];

	prime_negotiate_device_name("/dev/null", text, sizeof(text));
	same("name-without-device", text, "/dev/null");
	prime_negotiate_device_name("/no/such/node", text, sizeof(text));
	same("name-without-node", text, "/no/such/node");
	same("field-unknown", prime_negotiate_field_name(14), "unknown");
	same("field-last", prime_negotiate_field_name(DMA_BUF_FIELD_SIZE_ALIGN),
	     "alignment of the size");
}

/* A file that is no dma-buf. */
static void wrong_files(void)
{
	struct dma_buf_constraints_info info;
	struct dma_buf_storage_info storage;
	struct dma_buf_refusal why;

	struct dma_buf_device_use use;
	uint32_t judged = 1;

	verdict("add-bad-fd", prime_negotiate_add(-1, -1, DMA_BUF_USE_READ,
						  NULL) == -EBADF);
	verdict("add-no-path",
		prime_negotiate_add_path(-1, "/no/such/node", DMA_BUF_USE_READ,
					 &use) == -ENOENT &&
		use.field == DMA_BUF_FIELD_ERROR && use.found == ENOENT);
	verdict("remove-bad-fd", prime_negotiate_remove(-1, -1) == -EBADF);
	verdict("commit-bad-fd", prime_negotiate_commit(-1, 0, NULL) == -EBADF);
	verdict("constraints-bad-fd",
		prime_negotiate_constraints(-1, &info) == -EBADF);
	verdict("storage-no-dmabuf",
		prime_negotiate_storage(0, &storage) < 0);
	verdict("refusal-no-dmabuf", prime_negotiate_refusal(0, &why) < 0);
	verdict("try-bad-fd", prime_negotiate_try(-1, -1, &judged) == -EBADF &&
			      !judged);
}

/* A process without room for one fd more does not know what the kernel has. */
static void without_fds(void)
{
	struct rlimit before, none;

	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	verdict("supported-without-fds", prime_negotiate_supported() == -EMFILE);
	setrlimit(RLIMIT_NOFILE, &before);
}

int main(void)
{
	refusals();
	answers();
	constraints();
	storage();
	names();
	wrong_files();
	without_fds();
	return failed;
}
