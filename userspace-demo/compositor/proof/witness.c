// SPDX-License-Identifier: MIT
/* What is known of each window and its frames; it listens to the scene, which does not know it. */

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common.h"
#include "../backend/capture.h"
#include "../backend/kms.h"
#include "../backend/picture.h"
#include "../base/log.h"
#include "../base/options.h"
#include "../base/say.h"
#include "../scene/scene.h"
#include "memory.h"
#include "witness.h"

#define SECOND	1000000000ull

/* What is known of a picture. */
struct known {
	struct wl_listener destroyed;
	unsigned int number;
	bool fb, images;	/* was asked for its memory */
	bool other_fb, other_images;	/* that is other memory than the client's */
};

static void picture_destroyed(struct wl_listener *listener, void *data)
{
	struct known *known = wl_container_of(listener, known, destroyed);

	(void)data;
	wl_list_remove(&known->destroyed.link);
	free(known);
}

/* NULL: this picture has not been seen before. */
static struct known *known_of(struct picture *pic)
{
	struct wl_listener *listener = wl_signal_get(&pic->destroyed, picture_destroyed);
	struct known *known;

	return listener ? wl_container_of(listener, known, destroyed) : NULL;
}

static void check_memory(const struct picture *pic, struct known *known)
{
	if (pic->fb && !known->fb) {
		known->fb = true;
		known->other_fb = !memory_of_fb(pic);
	}
	if (pic->textures[0] && !pic->pixels && !known->images) {
		known->images = true;
		known->other_images = !memory_of_images(pic);
	}
}

static void log_buffer(const struct witness *w, const struct shot *shot, const struct picture *pic,
		       bool copied)
{
	const struct dmabuf *buf = pic->dmabufs[0];

	log_event("buffer", "\"client\":\"%s\",\"buffer\":%u,\"exporter\":\"%s\","
		  "\"inode_here\":%" PRIu64 ",\"handle\":%u,\"fb\":%u,\"width\":%u,\"height\":%u,"
		  "\"fourcc\":\"%.4s\",\"stride\":%u,\"modifier\":%" PRIu64 ",\"copied\":%s",
		  w->view->name, shot->buffer, buf ? buf->exporter : "wl_shm",
		  buf ? buf->inode : 0, buf ? buf->handle : 0, pic->fb, pic->width, pic->height,
		  (const char *)&pic->fourcc, pic->strides[0], pic->modifier,
		  copied || pic->pixels ? "true" : "false");
}

/* A picture comes with a frame, maybe not for the first time. */
static struct known *meet_picture(struct witness *w, struct picture *pic, bool *fresh)
{
	static unsigned int number;
	struct known *known = known_of(pic);

	*fresh = !known;
	if (known) {
		w->tally.reuses++;
		return known;
	}
	known = calloc(1, sizeof(*known));
	if (!known)
		err(1, "out of memory");
	known->number = number++;
	known->destroyed.notify = picture_destroyed;
	wl_signal_add(&pic->destroyed, &known->destroyed);
	check_memory(pic, known);
	w->tally.imports += pic->imports;
	w->tally.foreign_inodes += known->other_fb || known->other_images;
	return known;
}

struct shot *witness_find(struct witness *w, uint32_t sequence)
{
	unsigned int i;

	for (i = 0; i < SHOTS && i < w->n_shots; i++)
		if (w->shots[i].sequence == sequence && w->shots[i].serial)
			return &w->shots[i];
	return NULL;
}

static struct shot *shot_of(struct witness *w, const struct frame *frame)
{
	unsigned int i;

	for (i = 0; i < SHOTS && i < w->n_shots; i++)
		if (w->shots[i].serial == frame->serial)
			return &w->shots[i];
	return NULL;
}

struct shot *witness_announce(struct witness *w)
{
	struct shot *shot = &w->shots[w->n_shots++ % SHOTS];

	*shot = (struct shot){ 0 };
	return shot;
}

void witness_compare(struct witness *w, const struct shot *shot)
{
	if (!shot->has_drawn || !shot->has_shown)
		return;
	w->tally.compared++;
	if (shot->drawn == shot->shown)
		w->tally.equal++;
	else
		say("%s: frame %u: shown %016" PRIx64 ", drawn %016" PRIx64, w->view->name,
		    shot->sequence, shot->shown, shot->drawn);
}

/* The client must mean the buffer that has come here. */
static void compare_inodes(struct witness *w, const struct shot *shot, const struct picture *pic)
{
	const uint64_t inode = pic->dmabufs[0] ? pic->dmabufs[0]->inode : 0;
	char reason[100];

	if (!shot->inode || shot->inode == inode)
		return;
	snprintf(reason, sizeof(reason), "its buffer has inode %" PRIu64 " here, %" PRIu64 " there",
		 inode, shot->inode);
	w->view->fault(w->view, reason);
}

static void on_queued(struct wl_listener *listener, void *data)
{
	struct witness *w = wl_container_of(listener, w, queued);
	struct shot *shot = &w->shots[(w->n_shots - 1) % SHOTS];
	struct frame *frame = data;
	struct known *known;
	bool fresh;

	known = meet_picture(w, frame->picture, &fresh);
	if (!w->n_shots || shot->serial) {
		/* Nobody has told of it. */
		shot = witness_announce(w);
		shot->sequence = w->n_shots - 1;
		shot->buffer = known->number;
		shot->submitted = frame->received;
	}
	shot->serial = frame->serial;
	/* A clock that is ahead, or far behind, would only spoil the latency. */
	if (shot->submitted > frame->received || frame->received - shot->submitted > SECOND)
		shot->submitted = frame->received;
	w->tally.held += frame->held;
	if (fresh)
		log_buffer(w, shot, frame->picture, known->other_fb || known->other_images);
	compare_inodes(w, shot, frame->picture);
}

/* Something of the window is on the screen. */
static void first_seen(struct witness *w)
{
	const struct view *view = w->view;

	w->seen = true;
	say("%s: %s, pid %d; its place is %ux%u at %u,%u", view->name, w->device, view->pid,
	    view->where.width, view->where.height, view->where.x, view->where.y);
	log_event("client", "\"name\":\"%s\",\"device\":\"%s\",\"pid\":%d,\"x\":%u,\"y\":%u,"
		  "\"width\":%u,\"height\":%u", view->name, w->device, view->pid, view->where.x,
		  view->where.y, view->where.width, view->where.height);
}

static void on_shown(struct wl_listener *listener, void *data)
{
	const uint64_t period = kms.refresh ? 1000 * SECOND / kms.refresh : 0;
	struct witness *w = wl_container_of(listener, w, shown);
	const struct frame *frame = data;
	const struct shot *shot = shot_of(w, frame);
	struct known *known = known_of(frame->picture);
	uint64_t drawn = 0;

	if (!w->seen)
		first_seen(w);
	/* Did the display wait for the drawing? A late vblank's stamp may be a period before it. */
	if (frame->fence >= 0)
		w->tally.early += fence_pending(frame->fence) ||
			(fence_time(frame->fence, &drawn) && drawn > frame->flipped + period);
	check_memory(frame->picture, known);
	w->tally.shm += frame->picture->pixels != NULL;
	w->tally.copies += frame->picture->pixels ||
		(frame->plane ? known->other_fb : known->other_images);
	w->tally.composed += !frame->plane;
	tally_shown(&w->tally, shot ? shot->submitted : frame->received, frame->flipped);
}

/* A frame has left the screen: all that is known of it. */
static void on_left(struct wl_listener *listener, void *data)
{
	struct witness *w = wl_container_of(listener, w, left);
	const struct frame *frame = data;
	const struct shot *shot = shot_of(w, frame);

	if (!frame->flipped || !shot)
		return;
	log_event("frame", "\"client\":\"%s\",\"buffer\":%u,\"sequence\":%u,\"fb\":%u,"
		  "\"plane\":%u,\"held\":%s,\"submit_ns\":%" PRIu64 ",\"commit_ns\":%" PRIu64
		  ",\"flip_ns\":%" PRIu64 ",\"release_ns\":%" PRIu64
		  ",\"flip\":%u,\"removing_flip\":%u"
		  ",\"checksum_drawn\":\"%016" PRIx64 "\",\"checksum_shown\":\"%016" PRIx64 "\"",
		  w->view->name, shot->buffer, shot->sequence, frame->picture->fb, frame->plane,
		  frame->held ? "true" : "false", shot->submitted, frame->committed,
		  frame->flipped, frame->removed, frame->flip, frame->removing_flip, shot->drawn,
		  shot->shown);
}

static void on_gone(struct wl_listener *listener, void *data)
{
	struct witness *w = wl_container_of(listener, w, gone);

	(void)data;
	/* The clients of this tree wait until their goodbye has been read. Others need not. */
	report_client(w->view->name, &w->tally,
		      w->view->kept || (w->hung_up && !w->announced));
	wl_list_remove(&w->queued.link);
	wl_list_remove(&w->shown.link);
	wl_list_remove(&w->left.link);
	wl_list_remove(&w->gone.link);
	free(w->tally.latencies);
	free(w);
}

static void on_view(struct wl_listener *listener, void *data)
{
	struct witness *w = calloc(1, sizeof(*w));

	(void)listener;
	if (!w)
		err(1, "out of memory");
	w->view = data;
	w->last_sequence = w->last_drawn = -1;
	snprintf(w->device, sizeof(w->device), "a device that it does not tell");
	tally_begin(&w->tally);
	w->queued.notify = on_queued;
	w->shown.notify = on_shown;
	w->left.notify = on_left;
	w->gone.notify = on_gone;
	wl_signal_add(&w->view->events.queued, &w->queued);
	wl_signal_add(&w->view->events.shown, &w->shown);
	wl_signal_add(&w->view->events.left, &w->left);
	wl_signal_add(&w->view->events.gone, &w->gone);
}

struct witness *witness_of(struct view *view)
{
	struct witness *w;

	return wl_container_of(wl_signal_get(&view->events.queued, on_queued), w, queued);
}

/* The first flip has the number 1. */
static bool picture_due(void)
{
	return options.picture_every && (scene.flips - 1) % options.picture_every == 0;
}

/*
 * Only what the last flip brought; the rest has been compared before. But in a picture, the window
 * of a client that sends no checksums is always compared.
 */
static bool proof_due(const struct view *view, const struct witness *w)
{
	if (!view->current || !options.proofs)
		return false;
	if (!w->announced && picture_due())
		return true;
	return view->fresh && w->tally.read < options.proofs;
}

/* Another part of the same window may be over it. */
static bool is_covered(const struct view *view)
{
	const struct view *other;

	wl_list_for_each(other, &scene.views, link)
		if (other->cell == view->cell && other->part > view->part && other->current)
			return true;
	return false;
}

static void compare(struct view *view, struct witness *w)
{
	const char *pixels = capture.pixels + (size_t)view->where.y * capture.stride +
		4 * view->where.x;
	struct shot *shot = shot_of(w, view->current);

	w->tally.read++;
	if (!shot)
		return;
	if (is_covered(view)) {
		w->tally.unreadable++;
		return;
	}
	shot->shown = checksum(pixels, capture.stride, view->where.width, view->where.height);
	shot->has_shown = true;
	if (!w->announced) {
		shot->drawn = memory_checksum(view->current->picture, view->where.width,
					      view->where.height);
		shot->has_drawn = shot->drawn;
		w->tally.unreadable += !shot->drawn;
	}
	witness_compare(w, shot);
}

static void on_captured(void)
{
	struct view *view;

	wl_list_for_each(view, &scene.views, link)
		if (proof_due(view, witness_of(view)))
			compare(view, witness_of(view));
	if (picture_due())
		report_picture(scene.flips, capture.pixels, capture.stride, kms.width, kms.height);
}

/* Whether this flip is read back: for a picture, or for a proof that some window lacks. */
static void on_flipped(struct wl_listener *listener, void *data)
{
	bool due = picture_due();
	struct view *view;

	(void)listener;
	(void)data;
	wl_list_for_each(view, &scene.views, link)
		due |= proof_due(view, witness_of(view));
	if (due)
		scene_capture(on_captured);
}

void witnesses_open(void)
{
	static struct wl_listener view = { .notify = on_view }, flipped = { .notify = on_flipped };

	wl_signal_add(&scene.events.view, &view);
	wl_signal_add(&scene.events.flipped, &flipped);
}
