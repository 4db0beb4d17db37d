// SPDX-License-Identifier: MIT
/*
 * The arithmetic of shares on a model: 100,000 random steps of fork, exec, messages, imports,
 * framebuffers, close and kill -9. After each the shares must add up, and be what the model says.
 * A line "PASS name" or "FAIL name why" each.
 */
#include "top.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

enum { PROCESSES = 10, BUFFERS = 20, STEPS = 100000, MESSAGES = 30 };

struct model {
	uint64_t sizes[BUFFERS];	/* 0: there is none */
	int fds[PROCESSES][BUFFERS], cloexec[PROCESSES][BUFFERS], maps[PROCESSES][BUFFERS];
	int handles[PROCESSES][BUFFERS], framebuffers[PROCESSES][BUFFERS];
	int screen[BUFFERS];		/* shows a framebuffer that nobody has any more */
	bool alive[PROCESSES];
	struct { int buffer, to; } messages[MESSAGES];
	int nr_messages;
	unsigned int random;
};

static int draw(struct model *m, int below)
{
	m->random = m->random * 1103515245 + 12345;
	return (m->random >> 16) % below;
}

static bool holds(const struct model *m, int p, int b)
{
	return m->fds[p][b] + m->cloexec[p][b] + m->maps[p][b] + m->handles[p][b] +
	       m->framebuffers[p][b];
}

static bool in_message(const struct model *m, int b)
{
	for (int i = 0; i < m->nr_messages; i++)
		if (m->messages[i].buffer == b)
			return true;
	return false;
}

static int attached(const struct model *m, int b)
{
	int count = m->screen[b];

	for (int p = 0; p < PROCESSES; p++)
		count += m->handles[p][b] + m->framebuffers[p][b];
	return count;
}

static void clear(struct model *m, int p)
{
	memset(m->fds[p], 0, sizeof(m->fds[p]));
	memset(m->cloexec[p], 0, sizeof(m->cloexec[p]));
	memset(m->maps[p], 0, sizeof(m->maps[p]));
	memset(m->handles[p], 0, sizeof(m->handles[p]));
	memset(m->framebuffers[p], 0, sizeof(m->framebuffers[p]));
}

static void drop_message(struct model *m, int i)
{
	m->messages[i] = m->messages[--m->nr_messages];
}

static void fork_or_kill(struct model *m, int p, int other)
{
	if (!m->alive[other]) {
		memcpy(m->fds[other], m->fds[p], sizeof(m->fds[p]));
		memcpy(m->cloexec[other], m->cloexec[p], sizeof(m->cloexec[p]));
		memcpy(m->maps[other], m->maps[p], sizeof(m->maps[p]));
		memcpy(m->handles[other], m->handles[p], sizeof(m->handles[p]));
		memcpy(m->framebuffers[other], m->framebuffers[p], sizeof(m->framebuffers[p]));
		m->alive[other] = true;
	} else if (other != p) {
		clear(m, other);
		m->alive[other] = false;
		for (int i = m->nr_messages; i--;)
			if (m->messages[i].to == other)
				drop_message(m, i);
	}
}

static void message(struct model *m, int p, int b, int other)
{
	if (m->nr_messages < MESSAGES && m->fds[p][b] && m->alive[other]) {
		m->messages[m->nr_messages].buffer = b;
		m->messages[m->nr_messages++].to = other;
	}
}

static void receive(struct model *m, int p)
{
	for (int i = 0; i < m->nr_messages; i++) {
		if (m->messages[i].to == p) {
			m->fds[p][m->messages[i].buffer]++;
			drop_message(m, i);
			return;
		}
	}
}

/* A framebuffer is made of a handle and outlives it. CLOSEFB leaves it on the screen. */
static void show(struct model *m, int p, int b)
{
	if (m->handles[p][b] && draw(m, 2)) {
		m->framebuffers[p][b]++;
	} else if (m->framebuffers[p][b]) {
		m->framebuffers[p][b]--;
		m->screen[b] |= draw(m, 2);
	} else {
		m->screen[b] &= draw(m, 8) > 0;
	}
}

static void step(struct model *m)
{
	int p = draw(m, PROCESSES), b = draw(m, BUFFERS), other = draw(m, PROCESSES);

	if (!m->alive[p])
		return;
	switch (draw(m, 14)) {
	case 0: case 1:
		if (!m->sizes[b]) {
			m->sizes[b] = 1 + draw(m, 32768) * 7;
			m->fds[p][b] = 1;
		}
		break;
	case 2: m->fds[p][b] += m->fds[p][b] > 0; break;
	case 3: m->fds[p][b] -= m->fds[p][b] > 0; break;
	case 4: m->maps[p][b] += m->fds[p][b] > 0; break;
	case 5: m->maps[p][b] -= m->maps[p][b] > 0; break;
	case 6: m->handles[p][b] |= m->fds[p][b] > 0; break;
	case 7: m->handles[p][b] = 0; break;
	case 8: message(m, p, b, other); break;
	case 9: receive(m, p); break;
	case 10:
		if (draw(m, 3) == 0)
			fork_or_kill(m, p, other);
		break;
	case 11:	/* exec */
		memset(m->cloexec[p], 0, sizeof(m->cloexec[p]));
		memset(m->maps[p], 0, sizeof(m->maps[p]));
		break;
	case 12: m->cloexec[p][b] += m->fds[p][b] > 0; break;
	case 13: show(m, p, b); break;
	}
	for (b = 0; b < BUFFERS; b++) {
		bool held = m->screen[b] || in_message(m, b);

		for (p = 0; p < PROCESSES; p++)
			held |= holds(m, p, b);
		if (!held)
			m->sizes[b] = 0;
	}
}

static void add(struct snapshot *s, int b, enum hold kind, uint32_t process, int count)
{
	for (int i = 0; i < count; i++)
		snapshot_hold(s, snapshot_find(s, b + 1), kind, process, i);
}

static void look(const struct model *m, struct snapshot *s, uint32_t *index)
{
	int b, p;

	snapshot_clear(s);
	s->kernel_tells = true;
	for (p = 0; p < PROCESSES; p++)
		index[p] = snapshot_process(s, p + 1, NULL, 0);
	for (b = 0; b < BUFFERS; b++) {
		if (!m->sizes[b])
			continue;
		snapshot_buffer(s, b + 1)->size = m->sizes[b];
		for (p = 0; p < PROCESSES; p++) {
			add(s, b, HOLD_FD, index[p], m->fds[p][b] + m->cloexec[p][b]);
			add(s, b, HOLD_MAPPING, index[p], m->maps[p][b]);
			add(s, b, HOLD_HANDLE, index[p], m->handles[p][b]);
			add(s, b, HOLD_FRAMEBUFFER, index[p], m->framebuffers[p][b]);
		}
		add(s, b, HOLD_ATTACHMENT, NOBODY_KERNEL, attached(m, b));
	}
	for (b = 0; b < m->nr_messages; b++)
		add(s, m->messages[b].buffer, HOLD_MESSAGE, index[m->messages[b].to], 1);
	pss_divide(s);
}

static const char *judge(const struct model *m, const struct snapshot *s, const uint32_t *index)
{
	uint64_t size = 0, shares = 0, kernel = 0, flight = 0, low[PROCESSES] = { 0 },
		 high[PROCESSES] = { 0 };
	uint32_t i;

	for (int b = 0; b < BUFFERS; b++) {
		int count = 0, p;

		size += m->sizes[b];
		for (p = 0; p < PROCESSES; p++)
			count += holds(m, p, b);
		for (p = 0; p < PROCESSES; p++) {
			low[p] += holds(m, p, b) ? m->sizes[b] / count : 0;
			high[p] += holds(m, p, b) ? (m->sizes[b] + count - 1) / count : 0;
		}
		if (!count)
			*(in_message(m, b) && !attached(m, b) ? &flight : &kernel) += m->sizes[b];
	}
	for (i = 0; i < s->nr_processes; i++)
		shares += s->processes[i].pss;
	for (i = 0; i < PROCESSES; i++)
		if (s->processes[index[i]].pss < low[i] || s->processes[index[i]].pss > high[i])
			return "a process has a wrong share";
	return s->size != size				 ? "the snapshot has another size" :
	       shares != size				 ? "the shares are not the size" :
	       s->processes[NOBODY_KERNEL].pss != kernel ? "(kernel) is wrong" :
	       s->processes[NOBODY_FLIGHT].pss != flight ? "(in flight) is wrong" :
							   NULL;
}

static void texts(void)
{
	static const struct {
		char from[24], to[24];
	} cases[] = {
		{ "plain", "plain" },
		{ "a\x1b[2Jb\n", "a?[2Jb?" },
		{ "\xc3\xa4", "\xc3\xa4" },
		{ "\xc3", "?" },
		{ "\xc2\x9bJ", "?J" },
		{ "\xed\xa0\x80", "???" },
		{ "\xff\xfe", "??" },
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
		{ "abcdefgh\xc3\xa4", "abcdefgh" },
		{ "a\"b\\c\x7f", "a\"b\\c?" },
		{ "0123456789", "012345678" },
		{ "\xc3\xa4" "0123456789", "\xc3\xa4" "0123456" },
		/* Seen from right to left, without width, a line's end. */
		{ "a\xe2\x80\xae" "b", "a?b" },
		{ "a\xe2\x80\x8b" "b", "a?b" },
		{ "a\xe2\x80\xa8" "b", "a?b" },
		{ "\xe4\xb8\xad", "\xe4\xb8\xad" },
	};
	char text[10];

	setlocale(LC_CTYPE, "C.UTF-8");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		copy_text(text, sizeof(text), cases[i].from, strlen(cases[i].from));
		printf("%s text-%zu\n", strcmp(text, cases[i].to) ? "FAIL" : "PASS", i);
	}
}

/* A number that is read is the one that is written, and what comes after it is left. */
static void numbers(void)
{
	static const uint64_t cases[] = { 0, 9, 10, 99, 100, 1234567, 12345678, 99999999, 123456789,
					  1000000000000000, 9999999999999999, UINT64_MAX };
	char text[48];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *at = text;
		uint64_t number;

		memset(text, 0, sizeof(text));
		text[20] = ':';
		memmove(text, number_text(cases[i], text + 20), 21);
		bool same = get_number(&at, &number) && number == cases[i] && *at == ':';

		printf("%s number-%zu\n", same ? "PASS" : "FAIL", i);
	}
	strcpy(text, "x1");
	printf("%s no-number\n",
	       get_number(&(const char *){ text }, &(uint64_t){ 0 }) ? "FAIL" : "PASS");
}

int main(void)
{
	static struct model m = { .alive = { true }, .random = 1 };
	static struct snapshot s;
	unsigned int held = 0, both = 0;
	uint32_t index[PROCESSES];
	const char *wrong;

	texts();
	numbers();
	for (int i = 0; i < STEPS; i++) {
		step(&m);
		/* The first one never dies, so that there is somebody to fork. */
		m.alive[0] = true;
		look(&m, &s, index);
		wrong = judge(&m, &s, index);
		if (wrong) {
			printf("FAIL shares step %d: %s\n", i, wrong);
			return 1;
		}
		held += s.nr_buffers;
		both += s.processes[NOBODY_KERNEL].pss && s.processes[NOBODY_FLIGHT].pss;
	}
	printf("PASS shares %d steps, %u buffers at a time, (kernel) and (in flight) in %u\n",
	       STEPS, held / STEPS, both);
	printf("%s shares-are-of-all-kinds\n", held / STEPS > 2 && both > 100 ? "PASS" : "FAIL");
	return 0;
}
