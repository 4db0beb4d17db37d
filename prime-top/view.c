// SPDX-License-Identifier: MIT
/* The screen. */
#include "top.h"

#include <curses.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * @wishes: the tables that the user went through, from the first one to the current one
 * @selected, @top: the selected row and the first one on the screen
 * @id: the id of the selected row, or 0
 */
struct view {
	struct snapshot snapshots[2];
	struct rows rows;
	struct wish wishes[4];
	int depth, now;
	uint32_t selected, top, height;
	uint64_t id;
	bool typing, quit;
	int root;
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	ended = number;
}

static void restore(void)
{
	if (!isendwin())
		endwin();
}

static struct wish *wish_of(struct view *v)
{
	return &v->wishes[v->depth];
}

/* Keeps the same row selected when it has moved. */
static void follow(struct view *v)
{
	const struct rows *r = &v->rows;
	uint32_t i;

	for (i = 0; i < r->nr && r->order[i]->id != v->id; i++)
		;
	if (i < r->nr)
		v->selected = i;
	if (v->selected >= r->nr)
		v->selected = r->nr ? r->nr - 1 : 0;
	if (r->nr)
		v->id = r->order[v->selected]->id;
}

static void rebuild(struct view *v)
{
	rows_build(&v->rows, &v->snapshots[v->now], wish_of(v));
	follow(v);
}

static void refresh_all(struct view *v)
{
	const struct snapshot *before = &v->snapshots[v->now];

	v->now ^= 1;
	collect(&v->snapshots[v->now], before, v->root);
	rebuild(v);
}

/* --- drawing --- */

static void put_line(int y, const char *text)
{
	int bytes = 0, columns = 0;

	for (; text[bytes] && columns <= COLS; bytes++)
		columns += (text[bytes] & 0xc0) != 0x80;
	mvaddnstr(y, 0, text, columns > COLS ? bytes - 1 : bytes);
	clrtoeol();
}

static void title(struct view *v, char *line, size_t size)
{
	const struct wish *wish = wish_of(v);
	char of[300] = "", filter[100] = "";

	if (wish->by == BY_HOLDER)
		snprintf(of, sizeof(of), " of buffer %llu", (unsigned long long)wish->ino);
	else if (wish->of == BY_PROCESS && wish->pid)
		snprintf(of, sizeof(of), " of process %d %s", wish->pid, wish->group);
	else if (wish->of != BY_BUFFER)
		snprintf(of, sizeof(of), " of %s", wish->group);
	if (wish->filter[0] || v->typing)
		snprintf(filter, sizeof(filter), ", with \"%s%s", wish->filter,
			 v->typing ? "" : "\"");
	snprintf(line, size, "%s%s%s%s%s%s", by_names[wish->by], of,
		 wish->by == BY_HOLDER ? "" : " by ",
		 wish->by == BY_HOLDER ? "" : sort_names[wish->sort],
		 wish->by == BY_HOLDER || !wish->reverse ? "" : ", reversed", filter);
}

static const char *help_line(const struct view *v)
{
	return v->typing ? "type a part of a name; Enter ends, Escape drops it" :
	       "b p c d: tables  Enter: down  Backspace: up  s r: sort  /: filter  q: quit";
}

static void draw(struct view *v)
{
	const struct snapshot *s = &v->snapshots[v->now];
	char line[LINE];
	int y = 0;

	print_summary(s, line);
	put_line(y++, line);
	for (unsigned int i = 0; i < s->nr_missing && y < LINES - 6; i++) {
		snprintf(line, sizeof(line), "missing: %s", s->missing[i]);
		/* The text says at its end what to do, so it is not cut. */
		for (const char *at = line; *at; at += strnlen(at, COLS))
			put_line(y++, at);
	}
	title(v, line, sizeof(line));
	put_line(y++, line);
	snprintf(line, sizeof(line), "%-*s", COLS, rows_header(wish_of(v)->by));
	attron(A_REVERSE);
	put_line(y++, line);
	attroff(A_REVERSE);

	v->height = LINES - 1 > y ? LINES - 1 - y : 1;
	if (v->selected < v->top)
		v->top = v->selected;
	if (v->selected >= v->top + v->height)
		v->top = v->selected - v->height + 1;
	for (uint32_t i = v->top; i < v->top + v->height; i++) {
		line[0] = '\0';
		if (i < v->rows.nr)
			row_print(&v->rows, s, wish_of(v), v->rows.order[i], line);
		if (i == v->selected)
			attron(A_BOLD | A_STANDOUT);
		put_line(y++, line);
		attroff(A_BOLD | A_STANDOUT);
	}
	put_line(LINES - 1, help_line(v));
	refresh();
}

/* --- keys --- */

static void go_to(struct view *v, enum by by)
{
	struct wish *wish = &v->wishes[0];

	v->depth = 0;
	wish->by = by;
	wish->sort = first_sort(by);
	v->selected = v->top = 0;
	v->id = 0;
	rebuild(v);
}

static void go_down(struct view *v)
{
	const struct snapshot *s = &v->snapshots[v->now];
	const struct wish *from = wish_of(v);
	struct wish *to = &v->wishes[v->depth + 1];
	const struct row *row;

	if (from->by == BY_HOLDER || v->selected >= v->rows.nr)
		return;
	row = v->rows.order[v->selected];
	*to = (struct wish){ .by = BY_BUFFER, .of = from->by, .sort = SORT_SIZE };
	if (from->by == BY_BUFFER) {
		to->by = BY_HOLDER;
		to->ino = row->id;
	} else if (from->by == BY_PROCESS) {
		to->pid = s->processes[row->index].pid;
		snprintf(to->group, sizeof(to->group), "%s", s->processes[row->index].comm);
	} else {
		memcpy(to->group, v->rows.groups[row->index].name, sizeof(to->group));
	}
	v->depth++;
	v->selected = v->top = 0;
	v->id = 0;
	rebuild(v);
}

static void go_up(struct view *v)
{
	if (!v->depth)
		return;
	v->id = wish_of(v)->by == BY_HOLDER ? wish_of(v)->ino : 0;
	v->depth--;
	v->selected = v->top = 0;
	rebuild(v);
}

static void move_by(struct view *v, long step)
{
	long to = (long)v->selected + step;

	if (to >= (long)v->rows.nr)
		to = (long)v->rows.nr - 1;
	v->selected = to > 0 ? to : 0;
	if (v->rows.nr)
		v->id = v->rows.order[v->selected]->id;
}

/* A key while the filter is typed. */
static void type(struct view *v, int key)
{
	char *filter = wish_of(v)->filter;
	size_t length = strlen(filter);

	v->typing = key != '\n' && key != KEY_ENTER && key != 27;
	if (key == 27)
		filter[0] = '\0';
	else if ((key == KEY_BACKSPACE || key == 127 || key == 8) && length)
		filter[length - 1] = '\0';
	else if (key >= ' ' && key < 127 && length + 1 < sizeof(wish_of(v)->filter))
		snprintf(filter + length, 2, "%c", key);
	rebuild(v);
}

static void sort_keys(struct view *v, int key)
{
	struct wish *wish = wish_of(v);

	if (key == 's')
		wish->sort = next_sort(wish->by, wish->sort);
	else
		wish->reverse = !wish->reverse;
	v->selected = v->top = 0;
	v->id = 0;
	rebuild(v);
}

static void press(struct view *v, int key)
{
	switch (key) {
	case 'q': v->quit = true; break;
	case 'b': go_to(v, BY_BUFFER); break;
	case 'p': go_to(v, BY_PROCESS); break;
	case 'c': go_to(v, BY_CGROUP); break;
	case 'd': go_to(v, BY_DEVICE); break;
	case 's': case 'r': sort_keys(v, key); break;
	case '/': v->typing = true; break;
	case ' ': refresh_all(v); break;
	case '\n': case KEY_ENTER: case KEY_RIGHT: go_down(v); break;
	case KEY_BACKSPACE: case 127: case 8: case 27: case KEY_LEFT: go_up(v); break;
	case KEY_UP: case 'k': move_by(v, -1); break;
	case KEY_DOWN: case 'j': move_by(v, 1); break;
	case KEY_PPAGE: move_by(v, -(long)v->height); break;
	case KEY_NPAGE: move_by(v, v->height); break;
	case KEY_HOME: move_by(v, -(long)v->rows.nr); break;
	case KEY_END: move_by(v, v->rows.nr); break;
	}
}

/* Returns false if there is no terminal that could be drawn on. */
static bool start_screen(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return false;
	setlocale(LC_CTYPE, "");
	if (!newterm(NULL, stdout, stdin))
		return false;
	atexit(restore);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &action, NULL);
	cbreak();
	noecho();
	curs_set(0);
	set_escdelay(25);
	keypad(stdscr, TRUE);
	return true;
}

int view_run(int root, struct wish *wish, double delay, long count)
{
	static struct view v;

	v.root = root;
	v.wishes[0] = *wish;
	v.id = 0;
	if (!start_screen()) {
		fputs("prime-top: this is no terminal that can be drawn on; use --batch, or set TERM\n",
		      stderr);
		return 2;
	}
	refresh_all(&v);
	timeout(delay * 1000);
	while (!v.quit && !ended) {
		int key;

		draw(&v);
		key = getch();
		if (key == ERR) {
			if (count && --count == 0)
				break;
			refresh_all(&v);
		} else if (v.typing && key != KEY_RESIZE) {
			type(&v, key);
		} else {
			press(&v, key);
		}
	}
	restore();
	return ended ? 128 + ended : 0;
}
