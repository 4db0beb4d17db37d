/* SPDX-License-Identifier: MIT */
/*
 * prime-top: what each part offers to those above it.
 *
 *   main.c
 *   view.c text.c json.c module.c     what people and programs read
 *   rows.c lines.c                    tables: grouped, sorted, filtered; their lines
 *   collect.c                         one snapshot, from all sources
 *   proc.c debugfs.c holders.c        the sources
 *   pss.c                             the arithmetic of shares
 *   snapshot.c out.c file.c           arrays, output, files
 *
 * A file calls only files of its own line that come after it, and of lines below
 * (make layers finds circles).
 */
#ifndef PRIME_TOP_H
#define PRIME_TOP_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PRIME_TOP_VERSION "0.1"

/* How somebody holds a buffer. Those up to HOLD_FRAMEBUFFER give a process its share. */
enum hold { HOLD_FD, HOLD_MAPPING, HOLD_HANDLE, HOLD_FRAMEBUFFER, HOLD_MESSAGE, HOLD_ATTACHMENT,
	    HOLD_FENCE, HOLD_OTHER, HOLD_KINDS };

extern const char hold_names[HOLD_KINDS][16];

/* The first two processes of a snapshot stand for what no process holds. */
enum { NOBODY_KERNEL, NOBODY_FLIGHT, FIRST_PROCESS };

#define NONE UINT32_MAX

/*
 * @next: index of the buffer's next holder, or NONE
 * @process: index of a process; NOBODY_KERNEL without one
 * @number: fd, handle, id, or page; unique among those of a kind and process. Of
 *	a fence: nanoseconds since 1970 when it was first seen
 * @where: driver or device; of a fence: context and number, timeline and driver
 */
struct holder {
	char where[96];
	uint32_t next, process;
	enum hold kind;
	uint64_t number;
};

/* What is known of a buffer's fences: nothing, there is none, all have signalled, or not all. */
enum fences { FENCES_UNKNOWN, FENCES_NONE, FENCES_SIGNALLED, FENCES_PENDING };

/*
 * @count: references to the file, or -1 if not known
 * @born: nanoseconds since 1970; 0 if nobody has looked yet, -1 if it can't be known
 * @first, @last: indices of the first and the last holder, or NONE
 * @sharers: among how many the bytes are divided, at least 1
 * @attachments: devices that are attached
 * @pending: when the oldest of the pending fences was seen first, in nanoseconds since 1970
 */
struct buffer {
	char exporter[32], name[40];
	uint64_t ino, size;
	int64_t count, born, pending;
	uint32_t first, last, sharers, attachments;
	enum fences fences;
};

/*
 * @next: another process with the same hash, or NONE
 * @size: bytes of all buffers that it holds, @pss: its share of them
 * @stamp: marks processes that a walk of a buffer's holders has seen
 * @warned: its leak was reported
 */
struct process {
	char comm[24], cgroup[256];
	int pid;
	uint32_t next, buffers, stamp;
	uint64_t size, pss;
	bool warned;
};

/*
 * @table: hash of inode numbers; indices of buffers, or NONE
 * @pids: hash of processes; indices, or NONE
 * @size: bytes of all buffers
 * @now: nanoseconds since 1970
 * @kernel_tells: the kernel listed all holders itself
 * @unread: files in messages that nobody has read, of any kind
 * @hidden: processes that may not be looked into
 * @missing: lines, each of which says what can't be seen, and how to get it
 */
struct snapshot {
	struct buffer *buffers;
	struct holder *holders;
	struct process *processes;
	uint32_t *table;
	uint32_t nr_buffers, nr_holders, nr_processes;
	uint32_t room_buffers, room_holders, room_processes, table_size;
	uint32_t pids[512];
	uint64_t size;
	int64_t now;
	bool kernel_tells;
	uint64_t unread;
	char missing[6][200];
	unsigned int hidden, nr_missing;
};

/* --- file.c --- */

struct bytes {
	char *data;
	size_t used, room;
};

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *grow_more(void *array, uint32_t *room, size_t size);
int read_file(int dir, const char *path, struct bytes *bytes);
void copy_rest(char *to, size_t size, const char *from, size_t length);
int columns_of(const char *text, size_t left, int *length);

extern const uint32_t powers_of_ten[9];
extern const char pairs_of_digits[200];

/* A process is hidden from others by its mode (EACCES), or by hidepid=1 (EPERM). */
static inline bool forbidden(int error)
{
	return error == -EACCES || error == -EPERM;
}

/* Returns the array with room for one more. */
static inline void *grow(void *array, uint32_t used, uint32_t *room, size_t size)
{
	return used < *room ? array : grow_more(array, room, size);
}

/*
 * Copies eight bytes. Returns how many of them are printable ASCII that JSON
 * needs no backslash for, up to the first one that is not. Up to seven bytes
 * behind a text are read and written, too. So a text must not be at the end of a
 * struct, file or array.
 */
static inline unsigned int copy_plain(char *to, const char *from)
{
	const uint64_t each = 0x0101010101010101;
	uint64_t x, quote, backslash, no;

	memcpy(&x, from, 8);
	memcpy(to, &x, 8);
	quote = x ^ each * '"';
	backslash = x ^ each * '\\';
	/* The top bit of each byte below a space or above 126, and of each quote and backslash. */
	no = (((x - each * ' ') | (quote - each) | (backslash - each)) & ~x) | (x + each) | x;
	no &= each << 7;
	return no ? __builtin_ctzll(no) / 8 : 8;
}

/*
 * Copies a text that any program may have chosen. Characters that could move a
 * terminal's cursor become question marks. Most texts have plain characters only.
 */
static inline void copy_text(char *to, size_t size, const char *from, size_t length)
{
	size_t done = 0, plain;

	while (done < length && done + 8 < size) {
		plain = copy_plain(to + done, from + done);
		done += plain;
		if (plain < 8)
			break;
	}
	if (done < length)
		copy_rest(to, size, from, length);
	else
		to[length] = '\0';
}

/*
 * Reads a decimal number, if there is one, and moves behind it. It takes eight
 * digits in one step: it shifts them to the top of a word, and then joins
 * neighbours to numbers of two, four and eight digits.
 */
static inline bool get_number(const char **at, uint64_t *number)
{
	const uint64_t each = 0x0101010101010101;
	unsigned int digits = 8;
	const char *p = *at;
	uint64_t n = 0, x;

	while (digits == 8) {
		uint64_t no;

		memcpy(&x, p, 8);
		x ^= each * '0';
		no = (x | (x + each * 6)) & each * 0xf0;
		digits = no ? __builtin_ctzll(no) / 8 : 8;
		if (!digits)
			break;
		x <<= 64 - 8 * digits;
		x = x * 10 + (x >> 8);
		x = ((x & 0x000000ff000000ff) * (100 + (1000000ull << 32)) +
		     (x >> 16 & 0x000000ff000000ff) * (1 + (10000ull << 32))) >> 32;
		n = n * powers_of_ten[digits] + x;
		p += digits;
	}
	*number = n;
	if (p == *at)
		return false;
	*at = p;
	return true;
}

/* Writes the number so that its last digit is before @end. Returns the first one. */
static inline char *number_text(uint64_t number, char *end)
{
	for (; number >= 100; number /= 100) {
		end -= 2;
		memcpy(end, pairs_of_digits + number % 100 * 2, 2);
	}
	*--end = pairs_of_digits[number * 2 + 1];
	if (number >= 10)
		*--end = pairs_of_digits[number * 2];
	return end;
}

/* Moves behind the text if it is there. Inline, since callers know its length. */
static inline bool get_text(const char **at, const char *end, const char *text, size_t length)
{
	if ((size_t)(end - *at) < length || memcmp(*at, text, length))
		return false;
	*at += length;
	return true;
}

#define get_word(at, end, word) get_text(at, end, word, sizeof(word) - 1)

/* --- snapshot.c --- */

/* Seconds since a moment that the snapshot knows. */
static inline uint64_t since(const struct snapshot *s, int64_t then)
{
	return s->now > then ? (s->now - then) / 1000000000 : 0;
}

void snapshot_clear(struct snapshot *s);
struct buffer *snapshot_find(const struct snapshot *s, uint64_t ino);
struct buffer *snapshot_buffer(struct snapshot *s, uint64_t ino);
uint32_t snapshot_process(struct snapshot *s, int pid, const char *comm, size_t length);
const struct process *snapshot_find_process(const struct snapshot *s, int pid);
struct holder *snapshot_hold(struct snapshot *s, struct buffer *buffer, enum hold kind,
			     uint32_t process, uint64_t number);
void snapshot_missing(struct snapshot *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static inline bool shares(const struct holder *h)
{
	return h->kind <= HOLD_FRAMEBUFFER && h->process >= FIRST_PROCESS;
}

/* --- pss.c --- */

void pss_divide(struct snapshot *s);
const struct process *holder_of(const struct snapshot *s, const struct buffer *b);

/* --- the sources. @root is a directory with proc and sys in it --- */

#define DEBUGFS "sys/kernel/debug/"

bool holders_read(struct snapshot *s, int root);
bool bufinfo_read(struct snapshot *s, int root);
bool sysfs_read(struct snapshot *s, int root);
void proc_read(struct snapshot *s, int root);
void proc_complete(struct snapshot *s, const struct snapshot *before, int root);

/* A file of a device that a process has open. */
struct open_device {
	int pid, fd;
	char comm[24], path[64], driver[32];
};

size_t proc_devices(int root, struct open_device **list);

/* --- collect.c --- */

void collect(struct snapshot *s, const struct snapshot *before, int root);

/* --- rows.c --- */

enum by { BY_BUFFER, BY_PROCESS, BY_CGROUP, BY_DEVICE, BY_HOLDER, BY_KINDS };
enum sort { SORT_SIZE, SORT_SHARE, SORT_AGE, SORT_BUFFERS, SORT_PROCESS, SORT_CGROUP, SORT_DEVICE,
	    SORT_NAME, SORT_FENCE, SORT_KINDS };

extern const char *const by_names[BY_KINDS];
extern const char *const sort_names[SORT_KINDS];

/*
 * What a user wants to see.
 * @of: for BY_BUFFER: the kind of group whose buffers are shown; BY_BUFFER for all buffers
 * @pid: the process, if @of is BY_PROCESS; 0 for (in flight) and (kernel)
 * @group: the name of the group or process
 * @ino: the buffer whose holders BY_HOLDER shows
 */
struct wish {
	enum by by, of;
	enum sort sort;
	bool reverse;
	int pid;
	char group[256], filter[64];
	uint64_t ino;
};

/* @index: of a buffer, process, group or holder. @id: not 0, the same in each snapshot. */
struct row {
	uint64_t key, id;
	const char *text;
	uint32_t index;
};

struct group {
	uint64_t size, pss;
	uint32_t buffers, members, stamp;
	char name[256];
};

/* @order: the rows as they are shown, @other: room for sorting */
struct rows {
	struct row *rows, **order, **other;
	struct group *groups;
	uint32_t nr, room, nr_groups, room_groups;
};

bool can_sort(enum by by, enum sort sort);
enum sort first_sort(enum by by);
enum sort next_sort(enum by by, enum sort sort);
void rows_build(struct rows *r, const struct snapshot *s, const struct wish *wish);
/* --- lines.c. Names are short, so a line has room for all columns --- */

enum { LINE = 1024 };

char *row_print(const struct rows *r, const struct snapshot *s, const struct wish *wish,
		const struct row *row, char line[LINE]);
void print_summary(const struct snapshot *s, char line[LINE]);
const char *rows_header(enum by by);
const char *size_text(uint64_t bytes);

/*
 * --- out.c: room for 2 KiB, and functions that write there and return the end of their text.
 * out_flush() returns whether all output so far could be written ---
 */

char *out_room(void);
void out_end(const char *end);
void out_text(const char *text);
bool out_flush(void);
char *put_quoted(char *to, const char *text);
char *put_number(char *to, uint64_t number);

/* Inline, since the compiler then knows the length of most texts. */
static inline char *put_text(char *to, const char *text)
{
	size_t length = strlen(text);

	memcpy(to, text, length);
	return to + length;
}

/* --- what people and programs read --- */

bool json_print(const struct snapshot *s);
bool text_print(const struct snapshot *s, const struct wish *wish);
bool leak_print(struct snapshot *s, const struct snapshot *before, uint32_t limit);
int module_print(const struct snapshot *s, int root, const char *module);
int view_run(int root, struct wish *wish, double delay, long count);

#endif /* PRIME_TOP_H */
