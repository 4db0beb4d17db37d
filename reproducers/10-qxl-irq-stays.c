// SPDX-License-Identifier: MIT
/*
 * The module qxl is unloaded, and its interrupt handler stays registered. The next
 * interrupt of that line calls it: run this in a guest that may crash.
 * usage: 10-qxl-irq-stays   (a qxl display that nobody uses; root)
 */
#include "reproducer.h"

#include <glob.h>
#include <sys/syscall.h>

/* The directory of a handler of qxl, or NULL. */
static const char *handler(void)
{
	static glob_t found;

	return glob("/proc/irq/*/qxl", 0, NULL, &found) ? NULL : found.gl_pathv[0];
}

int main(void)
{
	const char *path = handler();

	if (!path)
		end(SKIP, "no interrupt handler of qxl (modprobe qxl)");
	step(syscall(SYS_delete_module, "qxl", O_NONBLOCK));
	path = handler();
	if (path)
		end(WRONG, "qxl is unloaded, and %s is there", path);
	end(RIGHT, "the handler went with qxl");
}
