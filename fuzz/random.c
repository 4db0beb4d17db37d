// SPDX-License-Identifier: MIT
/* Numbers that a seed decides. */
#include "fuzz.h"

static uint64_t state;

void random_seed(uint64_t seed)
{
	state = seed * 0x9e3779b97f4a7c15ull + 1;
}

uint64_t random_bits(void)
{
	uint64_t x;

	state += 0x9e3779b97f4a7c15ull;
	x = (state ^ state >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

unsigned int random_below(unsigned int below)
{
	return below ? random_bits() % below : 0;
}

bool random_chance(unsigned int percent)
{
	return random_below(100) < percent;
}
