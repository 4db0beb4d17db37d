// SPDX-License-Identifier: MIT
/* The table of kernels. */
#include "prime_version.h"

#include <sys/utsname.h>

#define RELEASE(major, minor)	((major) << 8 | (minor))
#define FIRST			RELEASE(6, 12)
#define LAST			RELEASE(7, 3)

static const struct {
	int since;
	const char *what;
} changes[] = {
	[KERNEL_MAPS_AT_MAP] = {
		RELEASE(6, 16), "the core maps for an importer when that maps, not when it attaches"
	},
	[KERNEL_TAKES_UNTOLD] = {
		RELEASE(7, 1), "a dynamic importer may do without a callback, and is not told of moves"
	},
};

static int running(void)
{
	struct utsname name;
	int major, minor;

	if (uname(&name) || sscanf(name.release, "%d.%d", &major, &minor) != 2)
		return 0;
	return RELEASE(major, minor);
}

bool kernel_has(enum kernel_change change)
{
	return running() >= changes[change].since;
}

bool kernel_known(void)
{
	return running() >= FIRST && running() <= LAST;
}

bool kernel_tell(FILE *stream)
{
	int now = running();

	fprintf(stream, "kernels %d.%d to %d.%d, this one is %d.%d%s\n",
		FIRST >> 8, FIRST & 255, LAST >> 8, LAST & 255, now >> 8, now & 255,
		kernel_known() ? "" : ", which is not known");
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		fprintf(stream, "since %d.%d: %s\n", changes[i].since >> 8,
			changes[i].since & 255, changes[i].what);
	return kernel_known();
}
