// SPDX-License-Identifier: MIT
/*
 * Views, their frames, and the flips that put them on the screen. Every frame of a view is shown,
 * in order. The loop waits for fences, never for time to pass; timers are for errors only.
 */

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../backend/capture.h"
#include "../backend/display.h"
#include "../backend/kms.h"
#include "../backend/picture.h"
#include "../backend/seat.h"
#include "../base/options.h"
#include "../base/say.h"
#include "../renderer/renderer.h"
#include "scene.h"

#define SECOND	1000000000ull
#define SOON_MS	1		/* the display was busy, or is looked at */
#define LATER_MS 1000		/* the display failed */

struct scene scene;

/* What the display is doing, and the sync_file that tells when it has done it. */
static enum { IDLE, FLIPPING, CAPTURING } state;
static int fence = -1;
static uint64_t state_since;
static struct wl_event_loop *loop;
static struct wl_event_source *fence_source, *idle, *retry;
static void (*captured)(void);
static int last_error;

static void repaint(void *data);

static void schedule(void)
{
	if (!idle)
		idle = wl_event_loop_add_idle(loop, repaint, NULL);
}

struct frame *frame_create(void)
{
	struct frame *frame = calloc(1, sizeof(*frame));

	if (!frame)
		return NULL;
	frame->fence = -1;
	wl_signal_init(&frame->events.taken);
	wl_signal_init(&frame->events.shown);
	wl_signal_init(&frame->events.left);
	return frame;
}

void frame_destroy(struct frame *frame)
{
	wl_signal_emit_mutable(&frame->events.left, frame);
	if (frame->waiting)
		wl_event_source_remove(frame->waiting);
	if (frame->fence >= 0)
		close(frame->fence);
	if (frame->picture)
		renderer_unref(frame->picture);
	free(frame);
}

/* Whether it may be shown: its drawing has ended. */
static bool is_drawn(const struct frame *frame)
{
	return frame->fence < 0 || !fence_pending(frame->fence);
}

/* A frame that the view had. */
static void frame_left(struct frame *frame, uint64_t time)
{
	frame->removed = time;
	frame->removing_flip = scene.flips;
	wl_signal_emit_mutable(&frame->view->events.left, frame);
	frame_destroy(frame);
}

static bool is_free(unsigned int cell, unsigned int part)
{
	struct view *view;

	wl_list_for_each(view, &scene.views, link)
		if (view->cell == cell && view->part == part && !view->leaving)
			return false;
	return true;
}

/* Above the parts that there are. If the topmost place is taken, the highest one that is free. */
static bool find_part(struct view *view)
{
	unsigned int part = MAX_PARTS;

	while (part > 1 && is_free(view->cell, part - 1))
		part--;
	if (part == MAX_PARTS)
		do
			part--;
		while (part && !is_free(view->cell, part));
	view->part = part;
	return part;
}

/* A free cell of the screen, or a free part of the parent's. */
static bool find_place(struct view *view)
{
	if (view->parent) {
		view->cell = view->parent->cell;
		return find_part(view);
	}
	for (view->cell = 0; view->cell < options.columns * options.rows; view->cell++)
		if (is_free(view->cell, 0))
			return true;
	return false;
}

struct view *view_create(pid_t pid, struct view *parent)
{
	struct view *view = calloc(1, sizeof(*view));

	if (!view)
		return NULL;
	/* Parts of parts are parts of the window. */
	view->parent = parent && parent->parent ? parent->parent : parent;
	if (find_place(view))
		view->layer = display_layer_create(view->cell, view->part, view->name);
	if (!view->layer) {
		free(view);
		return NULL;
	}
	view->pid = pid;
	/* Until the client says what it is. */
	if (parent)
		snprintf(view->name, sizeof(view->name), "%.36s part %u", view->parent->name,
			 view->part);
	else
		snprintf(view->name, sizeof(view->name), "pid-%d", pid);
	wl_signal_init(&view->events.closed);
	wl_list_init(&view->queue);
	wl_signal_init(&view->events.queued);
	wl_signal_init(&view->events.shown);
	wl_signal_init(&view->events.left);
	wl_signal_init(&view->events.gone);
	wl_list_insert(scene.views.prev, &view->link);
	wl_signal_emit_mutable(&scene.events.view, view);
	return view;
}

void view_bounds(uint32_t *width, uint32_t *height)
{
	*width = kms.width / options.columns;
	*height = kms.height / options.rows;
}

void view_move(struct view *view, int32_t x, int32_t y)
{
	view->x = x;
	view->y = y;
}

void view_destroy(struct view *view, bool kept)
{
	struct frame *frame, *tmp;
	struct view *part;

	wl_list_for_each(part, &scene.views, link)
		if (part->parent == view && !part->leaving)
			view_destroy(part, kept);
	wl_signal_emit_mutable(&view->events.closed, view);
	/* Its place may be another's from now on. */
	display_layer_destroy(view->layer);
	view->layer = NULL;
	view->leaving = true;
	view->kept = kept;
	view->fault = NULL;
	wl_list_for_each_safe(frame, tmp, &view->queue, link) {
		wl_list_remove(&frame->link);
		frame_left(frame, 0);
	}
	view->queued = 0;
	schedule();
}

static void view_free(struct view *view, uint64_t time)
{
	struct view *part;

	wl_list_for_each(part, &scene.views, link)
		if (part->parent == view)
			part->parent = NULL;
	if (view->current)
		frame_left(view->current, time);
	if (view->next)
		frame_left(view->next, 0);
	wl_signal_emit_mutable(&view->events.gone, view);
	wl_list_remove(&view->link);
	free(view);
}

static void fault(struct view *view, const char *reason)
{
	if (view->fault)
		view->fault(view, reason);
}

/* The drawing of a frame has ended. */
static int frame_drawn(int fd, uint32_t mask, void *data)
{
	struct frame *frame = data;

	(void)fd;
	(void)mask;
	wl_event_source_remove(frame->waiting);
	frame->waiting = NULL;
	schedule();
	return 0;
}

void view_queue(struct view *view, struct frame *frame, int sync_file)
{
	static uint64_t serial;

	frame->view = view;
	frame->serial = ++serial;
	frame->received = now();
	frame->fence = sync_file;
	wl_list_insert(view->queue.prev, &frame->link);
	view->queued++;
	/*
	 * A commit cannot be taken back: a fence in it that never signals would stop every
	 * window. So the drawing is waited for here, where it stops only its own window.
	 */
	frame->held = !is_drawn(frame);
	if (frame->held)
		frame->waiting = wl_event_loop_add_fd(loop, sync_file, WL_EVENT_READABLE,
						      frame_drawn, frame);
	if (frame->held && !frame->waiting)
		fault(view, "out of memory: cannot wait for the drawing of a frame");
	wl_signal_emit_mutable(&view->events.queued, frame);
	schedule();
}

/* The oldest frame that waits, if it may go into the next commit. */
static struct frame *frame_ready(struct view *view)
{
	struct frame *frame;

	if (view->leaving || wl_list_empty(&view->queue))
		return NULL;
	frame = wl_container_of(view->queue.next, frame, link);
	return is_drawn(frame) ? frame : NULL;
}

/* Whether there is anything new to see. */
static bool flip_needed(void)
{
	bool needed = !scene.flips || display_is_stale();
	struct view *view;

	wl_list_for_each(view, &scene.views, link)
		needed |= frame_ready(view) || view->next || (view->leaving && view->current);
	return needed;
}

/* Where the part is in its cell, if its corner is there. */
static void place_part(struct view *view, const struct picture *pic, uint32_t width,
		       uint32_t height)
{
	const uint32_t left = view->cell % options.columns * width;
	const uint32_t top = view->cell / options.columns * height;
	int32_t x = view->parent->where.x - left + view->x;
	int32_t y = view->parent->where.y - top + view->y;

	x = x < 0 ? 0 : x > (int32_t)width - 2 ? (int32_t)width - 2 : x;
	y = y < 0 ? 0 : y > (int32_t)height - 2 ? (int32_t)height - 2 : y;
	view->where = (struct rect){
		left + x, top + y, pic->width < width - x ? pic->width : width - x,
		pic->height < height - y ? pic->height : height - y,
	};
}

/* The middle of its cell; even, as NV12 needs it. What does not fit is cut off. */
static void place(struct view *view, const struct picture *pic)
{
	uint32_t width, height;
	struct rect *where = &view->where;

	view_bounds(&width, &height);
	if (view->parent) {
		place_part(view, pic, width, height);
		return;
	}
	where->width = pic->width < width ? pic->width : width;
	where->height = pic->height < height ? pic->height : height;
	where->x = view->cell % options.columns * width + ((width - where->width) / 2 & ~1u);
	where->y = view->cell / options.columns * height + ((height - where->height) / 2 & ~1u);
}

/* What the view shows from the next commit on: its next frame, or still the current one. */
static void layer_fill(struct view *view)
{
	const struct frame *frame = view->next ? view->next : view->current;

	if (!frame)
		return;
	place(view, frame->picture);
	view->layer->where = view->where;
	view->layer->picture = frame->picture;
	view->layer->fence = frame->fence;
	view->layer->serial = frame->serial;
}

/* Windows that neither the display nor EGL can show. */
static void tell_refused(void)
{
	const char *why;
	struct view *view;

	wl_list_for_each(view, &scene.views, link) {
		if (!view->layer || !view->layer->refused)
			continue;
		why = view->layer->picture->refusal;
		fault(view, *why ? why : "neither the display nor EGL can show its buffer");
	}
}

/* Put what the layers hold on the screen. A sync_file that says when it is there, or an error. */
static int layers_show(void)
{
	uint32_t background;
	int done, drawing;

	do {
		done = display_plan(renderer_framebuffer());
		if (done < 0)
			return done;
		background = renderer_draw(&drawing);
		tell_refused();
		done = display_commit(background, drawing);
	} while (done == -EAGAIN);
	if (done >= 0)
		renderer_shown(background);
	return done;
}

/* Take each view's next frame that is ready. Views that go have no layer any more. */
static void views_prepare(uint64_t time)
{
	struct frame *frame;
	struct view *view;

	wl_list_for_each(view, &scene.views, link) {
		view->fresh = false;
		view->unmapped = view->leaving;
		if (view->leaving)
			continue;
		frame = view->next ? NULL : frame_ready(view);
		if (frame) {
			wl_list_remove(&frame->link);
			view->queued--;
			view->next = frame;
		}
		if (view->next)
			view->next->committed = time;
		layer_fill(view);
	}
}

static int fence_done(int fd, uint32_t mask, void *data);

/* The loop takes a descriptor of its own. When there is none, on_retry() looks at the fence. */
static void wait_for_fence(int fd)
{
	fence = fd;
	state_since = now();
	fence_source = wl_event_loop_add_fd(loop, fd, WL_EVENT_READABLE, fence_done, NULL);
	if (!fence_source)
		wl_event_source_timer_update(retry, SOON_MS);
}

/* The display could not do something: it is asked again, and everything else goes on. */
static void try_again(int error)
{
	/*
	 * A plane that is off and stays off still belongs to a commit until its worker has
	 * ended, and the flip's fence may be a moment ahead of that: then it is too early.
	 */
	if (error == -EBUSY) {
		wl_event_source_timer_update(retry, SOON_MS);
		return;
	}
	if (error != last_error)
		say("%s: cannot flip: %s; trying again each second", kms.device, strerror(-error));
	last_error = error;
	wl_event_source_timer_update(retry, LATER_MS);
}

/* One flip: every view's next frame that is ready, and without those who leave. */
static void flip(void)
{
	struct view *view;
	int done;

	views_prepare(now());
	done = layers_show();
	if (done < 0) {
		try_again(done);
		return;
	}
	if (last_error)
		say("%s: flips again", kms.device);
	last_error = 0;
	scene.flips++;
	state = FLIPPING;
	wait_for_fence(done);
	wl_list_for_each(view, &scene.views, link) {
		if (!view->next)
			continue;
		view->next->plane = view->layer ? view->layer->plane : 0;
		wl_signal_emit_mutable(&view->next->events.taken, view->next);
	}
}

/* Views that have nothing on the screen go at once; all else is for the next flip. */
static void repaint(void *data)
{
	struct view *view, *tmp;

	(void)data;
	idle = NULL;
	wl_list_for_each_safe(view, tmp, &scene.views, link)
		if (view->leaving && !view->current && !view->next)
			view_free(view, 0);
	if (state == IDLE && seat.active && flip_needed())
		flip();
}

static void capture_now(void)
{
	int done = display_read_back();

	if (done == -EBUSY) {
		try_again(done);
	} else if (done < 0) {
		say("%s: cannot read back: %s", kms.device, strerror(-done));
		state = IDLE;
		schedule();
	} else {
		wait_for_fence(done);
	}
}

static int on_retry(void *data)
{
	(void)data;
	if (fence >= 0 && !fence_source && fence_pending(fence))
		wl_event_source_timer_update(retry, SOON_MS);
	else if (fence >= 0 && !fence_source)
		fence_done(fence, 0, NULL);
	else if (state == CAPTURING && fence < 0)
		capture_now();
	else
		schedule();
	return 0;
}

void scene_capture(void (*done)(void))
{
	captured = done;
	state = CAPTURING;
	state_since = now();
	capture_now();
}

/* A new frame is on the screen. */
static void frame_shown(struct view *view, uint64_t time)
{
	struct frame *frame = view->next;
	uint64_t drawn;

	if (frame->fence >= 0 && !fence_time(frame->fence, &drawn))
		fault(view, "the drawing of a frame ended with an error");
	if (view->current)
		frame_left(view->current, time);
	frame->flipped = time;
	frame->flip = scene.flips;
	view->current = frame;
	view->next = NULL;
	view->fresh = true;
	wl_signal_emit_mutable(&view->events.shown, frame);
	wl_signal_emit_mutable(&frame->events.shown, frame);
}

/* The flip is done: what it brought is on the screen, what it took off has gone. */
static void flip_done(uint64_t time)
{
	struct view *view, *tmp;

	wl_list_for_each_safe(view, tmp, &scene.views, link) {
		if (view->unmapped)
			view_free(view, time);
		else if (view->next)
			frame_shown(view, time);
	}
	state = IDLE;
	wl_signal_emit_mutable(&scene.events.flipped, NULL);
}

/* The fence of the flip or of the capture has signalled. */
static int fence_done(int fd, uint32_t mask, void *data)
{
	const bool flipping = state == FLIPPING;
	uint64_t time;

	(void)mask;
	(void)data;
	if (fence_source)
		wl_event_source_remove(fence_source);
	fence_source = NULL;
	/* It is on the screen or not: nothing tells, and the next flip will. */
	if (!fence_time(fd, &time)) {
		say("%s: a %s ended with an error", kms.device, flipping ? "flip" : "readback");
		time = now();
	}
	close(fd);
	fence = -1;
	if (flipping) {
		flip_done(time);
	} else {
		capture_done();
		state = IDLE;
		captured();
	}
	schedule();
	return 0;
}

void scene_lose_patience(void)
{
	const uint64_t limit = options.patience * SECOND, time = now();
	struct frame *frame;
	struct view *view;
	char reason[80];

	wl_list_for_each(view, &scene.views, link) {
		if (wl_list_empty(&view->queue))
			continue;
		frame = wl_container_of(view->queue.next, frame, link);
		/* While the display is stuck, so may be a drawing that waits for a release. */
		if (!frame->waiting || time - frame->received < limit ||
		    (state != IDLE && time - state_since > limit))
			continue;
		snprintf(reason, sizeof(reason), "the drawing of a frame has not ended in %u seconds",
			 options.patience);
		fault(view, reason);
	}
	if (state == CAPTURING && time - state_since > SECOND)
		capture_stuck();
	/* There is nothing that could be tried: a commit cannot be taken back. */
	if (fence >= 0 && time - state_since > 3 * limit)
		errx(1, "%s: no %s in %u seconds", kms.device,
		     state == FLIPPING ? "flip" : "picture to read back", 3 * options.patience);
}

static void on_stale(struct wl_listener *listener, void *data)
{
	(void)listener;
	(void)data;
	schedule();
}

void scene_open(struct wl_event_loop *event_loop)
{
	static struct wl_listener stale = { .notify = on_stale };

	loop = event_loop;
	wl_signal_add(&display_stale, &stale);
	retry = wl_event_loop_add_timer(loop, on_retry, NULL);
	if (!retry)
		err(1, "cannot make a timer");
	wl_list_init(&scene.views);
	wl_signal_init(&scene.events.view);
	wl_signal_init(&scene.events.flipped);
	schedule();
}

void scene_close(void)
{
	/* A display that fails now, or is somebody else's, keeps nobody here. */
	while (!wl_list_empty(&scene.views) && (state != IDLE || (!last_error && seat.active))) {
		if (wl_event_loop_dispatch(loop, 1000) < 0)
			break;
		if (state == CAPTURING)
			capture_stuck();
	}
	while (fence >= 0 && wl_event_loop_dispatch(loop, 1000) >= 0)
		;
	wl_event_source_remove(retry);
}
