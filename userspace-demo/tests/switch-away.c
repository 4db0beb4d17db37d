// SPDX-License-Identifier: MIT
/*
 * Another session: goes to the second virtual terminal, becomes master of a display, shows a picture in
 * another mode until its input ends, and goes back to the first terminal.
 */

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/vt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "../common.h"

#define PATIENCE_NS	30000000000ull

static void go_to_terminal(int number)
{
	int tty = open("/dev/tty0", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (tty < 0 || ioctl(tty, VT_ACTIVATE, number) || ioctl(tty, VT_WAITACTIVE, number))
		err(1, "cannot go to terminal %d", number);
	close(tty);
}

/* Until who was in front has let go. */
static void become_master(int card)
{
	const uint64_t begun = now();

	while (drmSetMaster(card)) {
		if (now() - begun > PATIENCE_NS)
			err(1, "cannot become master of the display");
		usleep(10000);
	}
}

/* A mode of another size than the one that is set, and all black. */
static void show(int card)
{
	drmModeRes *res = drmModeGetResources(card);
	drmModeConnector *con = NULL;
	drmModeCrtc *crtc;
	uint32_t handle, pitch, fb;
	uint64_t size;
	int i, m;

	for (i = 0; res && i < res->count_connectors; i++) {
		con = drmModeGetConnector(card, res->connectors[i]);
		if (con && con->connection == DRM_MODE_CONNECTED && con->count_modes > 1)
			break;
	}
	if (!con || !res->count_crtcs)
		errx(1, "the display has no monitor");
	crtc = drmModeGetCrtc(card, res->crtcs[0]);
	for (m = 0; m < con->count_modes - 1; m++)
		if (con->modes[m].hdisplay != crtc->width)
			break;
	if (drmModeCreateDumbBuffer(card, con->modes[m].hdisplay, con->modes[m].vdisplay, 32, 0,
				    &handle, &pitch, &size) ||
	    drmModeAddFB(card, con->modes[m].hdisplay, con->modes[m].vdisplay, 24, 32, pitch, handle,
			 &fb) ||
	    drmModeSetCrtc(card, crtc->crtc_id, fb, 0, 0, &con->connector_id, 1, &con->modes[m]))
		err(1, "cannot show %ux%u", con->modes[m].hdisplay, con->modes[m].vdisplay);
	printf("mode %ux%u instead of %ux%u\nshown %" PRIu64 "\n", con->modes[m].hdisplay,
	       con->modes[m].vdisplay, crtc->width, crtc->height, now());
	fflush(stdout);
	drmModeFreeCrtc(crtc);
	drmModeFreeConnector(con);
	drmModeFreeResources(res);
}

int main(int argc, char **argv)
{
	char byte;
	int card;

	if (argc != 2 || argv[1][0] == '-') {
		fprintf(argc == 2 ? stdout : stderr, "usage: switch-away CARD\n"
			"Shows a picture on CARD from another virtual terminal, until its input ends.\n");
		return argc == 2 ? 0 : 2;
	}
	go_to_terminal(2);
	card = open(argv[1], O_RDWR | O_CLOEXEC);
	if (card < 0)
		err(1, "%s: cannot open", argv[1]);
	become_master(card);
	show(card);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	printf("gone %" PRIu64 "\n", now());
	fflush(stdout);
	/* With it go its picture and its mode. */
	close(card);
	go_to_terminal(1);
	return 0;
}
