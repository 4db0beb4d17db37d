// SPDX-License-Identifier: MIT
/*
 * One thread calls ADDFB2 with a handle that another thread closes, while an fd of the
 * object's dma-buf is open. An export of the handle that GETFB2 gives must return that
 * dma-buf. But it makes a second one of the same object, and then an import of the first
 * one makes the kernel warn.
 * usage: 08-second-dmabuf [DRIVER]   (vkms; root or the display's owner)
 */
#include "reproducer.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#include <libdrm/drm_fourcc.h>

#define SECONDS	120
#define ROWS	16

static int card;
static uint32_t raced;
static unsigned int late;		/* how long the closer waits */
static atomic_uint turn;		/* odd: go; even: done */

static void *closer(void *unused)
{
	for (unsigned int next = 1; ; next += 2) {
		while (atomic_load(&turn) < next)
			sched_yield();
		for (volatile unsigned int i = 0; i < late; i++)
			;
		close_handle(card, raced);
		atomic_store(&turn, next + 1);
	}
	return unused;
}

static ino_t inode(int fd)
{
	struct stat st;

	step(fstat(fd, &st));
	return st.st_ino;
}

/* A race of ADDFB2 and the close: the number of the framebuffer, or 0 if the close was first. */
static uint32_t framebuffer(int fd, unsigned int before)
{
	struct drm_mode_fb_cmd2 add = {
		.width = getpagesize() / 4, .height = ROWS, .pixel_format = DRM_FORMAT_XRGB8888,
		.pitches[0] = getpagesize(),
	};
	unsigned int go = atomic_load(&turn) + 1;
	int ret;

	add.handles[0] = raced = import_fd(card, fd);
	atomic_store(&turn, go);
	for (volatile unsigned int i = 0; i < before; i++)
		;
	ret = ioctl(card, DRM_IOCTL_MODE_ADDFB2, &add);
	if (ret && errno != ENOENT)
		end(SKIP, "ADDFB2: %s", strerror(errno));
	while (atomic_load(&turn) == go)
		sched_yield();
	return ret ? 0 : add.fb_id;
}

int main(int argc, char **argv)
{
	time_t stop = time(NULL) + SECONDS;
	unsigned int rounds = 0;
	pthread_t thread;
	uint32_t handle;
	int fd;

	card = open_card(argc, argv, "vkms");
	handle = dumb(card, ROWS);
	fd = export_handle(card, handle);
	close_handle(card, handle);
	if (pthread_create(&thread, NULL, closer, NULL))
		end(SKIP, "no thread");
	for (srand(1); time(NULL) < stop; rounds++) {
		struct drm_mode_fb_cmd2 get = { };
		int again;

		late = rand() % 8000;
		get.fb_id = framebuffer(fd, rand() % 8000);
		if (!get.fb_id)
			continue;
		step(ioctl(card, DRM_IOCTL_MODE_GETFB2, &get));
		again = export_handle(card, get.handles[0]);
		if (inode(again) != inode(fd)) {
			/* Here the kernel warns. */
			import_fd(card, fd);
			end(WRONG, "round %u: a second dma-buf of the object", rounds);
		}
		close(again);
		close_handle(card, get.handles[0]);
		step(ioctl(card, DRM_IOCTL_MODE_RMFB, &get.fb_id));
	}
	end(RIGHT, "%u rounds, always the same dma-buf", rounds);
}
