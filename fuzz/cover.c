// SPDX-License-Identifier: MIT
/* What the kernel ran, by KCOV: each thread has a buffer that this process maps, too. */
#include "fuzz.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define KCOV_INIT_TRACE	_IOR('c', 1, unsigned long)
#define KCOV_ENABLE	_IO('c', 100)
#define KCOV_DISABLE	_IO('c', 101)
#define KCOV_TRACE_PC	0

#define ENTRIES		(64u << 10)
/* Sets of hashes, as bits. */
#define SET_BITS	20

struct set {
	unsigned int count;
	uint8_t bits[(1u << SET_BITS) / 8];
};

struct cover {
	int fds[MAX_THREADS];
	uint64_t *traces[MAX_THREADS];
	struct set steps, blocks, found;
};

struct cover *cover_open(void)
{
	struct cover *cover = calloc(1, sizeof(*cover));

	for (unsigned int i = 0; cover && i < MAX_THREADS; i++) {
		int fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);

		if (fd < 0 || ioctl(fd, KCOV_INIT_TRACE, ENTRIES))
			return NULL;
		cover->fds[i] = fd;
		cover->traces[i] = mmap(NULL, ENTRIES * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
					0);
		if (cover->traces[i] == MAP_FAILED)
			return NULL;
	}
	return cover;
}

void cover_reset(struct cover *cover)
{
	for (unsigned int i = 0; cover && i < MAX_THREADS; i++)
		__atomic_store_n(cover->traces[i], 0, __ATOMIC_RELAXED);
}

void cover_begin(struct cover *cover, unsigned int thread)
{
	if (cover)
		ioctl(cover->fds[thread], KCOV_ENABLE, KCOV_TRACE_PC);
}

void cover_end(struct cover *cover, unsigned int thread)
{
	if (cover)
		ioctl(cover->fds[thread], KCOV_DISABLE, 0);
}

/* Was it new? */
static bool set_add(struct set *set, uint64_t value, bool keep)
{
	uint32_t hash = value * 0x9e3779b97f4a7c15ull >> (64 - SET_BITS);

	if (set->bits[hash / 8] & 1 << hash % 8)
		return false;
	if (keep) {
		set->bits[hash / 8] |= 1 << hash % 8;
		set->count++;
	}
	return true;
}

unsigned int cover_new(struct cover *cover, bool keep)
{
	if (!cover)
		return 0;
	memset(&cover->found, 0, sizeof(cover->found));
	for (unsigned int i = 0; i < MAX_THREADS; i++) {
		const uint64_t *trace = cover->traces[i];
		uint64_t n = __atomic_load_n(trace, __ATOMIC_RELAXED), before = 0;

		for (uint64_t k = 1; k <= n && k < ENTRIES; k++) {
			uint64_t step = trace[k] ^ before << 32 ^ before >> 32;

			if (set_add(&cover->steps, step, keep))
				set_add(&cover->found, step, true);
			set_add(&cover->blocks, trace[k], keep);
			before = trace[k];
		}
	}
	return cover->found.count;
}

unsigned int cover_blocks(const struct cover *cover)
{
	return cover ? cover->blocks.count : 0;
}
