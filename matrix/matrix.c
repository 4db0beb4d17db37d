// SPDX-License-Identifier: GPL-2.0
/*
 * The matrix: every exporter against sets of importers. Prints a line a cell to
 * a file, which tells where to go on when the machine has died in between.
 *
 * A cell runs in a process of its own with a time limit. In it the exporter
 * makes two buffers, all importers of the set import both and keep them, and
 * then the bytes go around: what the processor or one importer wrote, everybody
 * else must read.
 */
#include "matrix.h"
#include "prime-negotiate.h"
#include "lib/prime_test.h"
#include "lib/prime_v4l2.h"

#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define CELL_SECONDS	60
#define EXIT_MORE	3	/* call again: there are more cells to do */
#define EXIT_STUCK	4	/* the same, but the machine has to start anew */

static const char usage[] =
	"usage: matrix [options] FILE\n"
	"A cell is an exporter and a set of importers, which import buffers of it at the\n"
	"same time. The program tries all cells, and appends a line for each to FILE,\n"
	"with tabs between the columns: exporter, set, verdict, the importer concerned,\n"
	"error, tried, text. A cell that has a line already is not repeated.\n"
	"Tried is N/V/M. Of M imports the kernel was asked beforehand about N\n"
	"(DMA_BUF_IOCTL_TRY_DEVICE). V of these went another way than the kernel had\n"
	"said, and repeated attempts give both answers: that is chance. If they give\n"
	"one only, the cell has failed.\n"
	"\n"
	"  --exporters LIST  names with commas between (all)\n"
	"  --importers LIST  the same\n"
	"  --sets N          sets of up to N importers, the set of all, and all sets that\n"
	"                    lack one of these (2). Sets of more than two leave out\n"
	"                    importers that take no foreign buffer\n"
	"  --cells N         ends after N cells (all)\n"
	"  --list            prints the names of exporters and importers\n"
	"  --count           prints how many cells there are\n"
	"\n"
	"Verdicts: works, refused, corrupt (wrong bytes), absent (no such exporter),\n"
	"failed (something else went wrong), hang (for 60 s), crash, panic.\n"
	"Exit status: 0 all cells are in FILE, 3 some are left: call it again, 4 a cell\n"
	"is stuck: reboot, then call it again, 2 wrong arguments.\n";

struct cell {
	const struct exporter *exporter;
	unsigned int set;	/* of importers, a bit each */
};

/* --- bytes --- */

void pattern(void *memory, size_t size, uint32_t seed)
{
	uint64_t *words = memory;

	for (size_t i = 0; i < size / sizeof(*words); i++) {
		uint64_t x = (i + 1) * 0x9e3779b97f4a7c15 + seed * 0xbf58476dull;

		words[i] = x ^ x >> 29;
	}
}

/*
 * For reading and writing whatever is done: udmabuf keeps the direction of the
 * first access.
 */
void processor_begin(const struct buffer *b)
{
	check_ok(dmabuf_sync(b->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
}

void processor_end(const struct buffer *b)
{
	check_ok(dmabuf_sync(b->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
}

/* --- one cell, in its own process --- */

static void result(const char *verdict, const char *who, int error,
		   const char *format, ...)
	__attribute__((noreturn, format(printf, 4, 5)));

/*
 * In this cell: imports, those that the kernel judged beforehand, those about which its
 * answer varies.
 */
static unsigned int imported, judged_before, varied;

static void result(const char *verdict, const char *who, int error,
		   const char *format, ...)
{
	va_list ap;

	printf("RESULT\t%s\t%s\t%s\t%u/%u/%u\t", verdict, who,
	       error ? strerrorname_np(error) : "-", judged_before, varied,
	       imported);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	_exit(0);
}

/* The kernel's reason, or nothing where it tells none. */
static void reason(const struct buffer *b, char *text, size_t room)
{
	struct dma_buf_refusal refusal;

	*text = '\0';
	for (int i = 0; i < BUFFERS && !*text; i++)
		if (!prime_negotiate_refusal(b[i].fd, &refusal) &&
		    refusal.field != DMA_BUF_FIELD_NONE)
			prime_negotiate_refusal_text(&refusal, text, room);
}

static void refused_at_use(const char *who, int error, const struct buffer *b)
{
	char text[512];

	reason(b, text, sizeof(text));
	result("refused", who, -error, "at first use%s%s", *text ? ": " : "",
	       text);
}

/* All devices first, and then the storage is placed; each says why if it can't be. */
static void negotiate(struct user *users, unsigned int count, int fd)
{
	struct dma_buf_device_use use;
	struct dma_buf_commit commit;
	char why[512];
	int ret;

	for (unsigned int n = 0; n < count; n++) {
		ret = prime_negotiate_add(fd, users[n].fd, DMA_BUF_USE_READ |
					  DMA_BUF_USE_WRITE, &use);
		if (!ret)
			continue;
		prime_negotiate_add_text(&use, why, sizeof(why));
		result("refused", users[n].importer->name, -ret,
		       "when added: %s", why);
	}
	ret = prime_negotiate_commit(fd, 0, &commit);
	if (ret) {
		prime_negotiate_commit_text(&commit, why, sizeof(why));
		result("refused", "commit", -ret, "%s", why);
	}
}

static void processor_fills(struct buffer *b, uint32_t seed)
{
	for (int i = 0; i < BUFFERS; i++) {
		pattern(b[i].expect, SIZE, seed + i);
		processor_begin(&b[i]);
		memcpy(b[i].map, b[i].expect, SIZE);
		processor_end(&b[i]);
	}
}

static void processor_reads(const struct buffer *b, const char *writer)
{
	for (int i = 0; i < BUFFERS; i++) {
		unsigned int pages = 0;

		processor_begin(&b[i]);
		for (size_t at = 0; at < SIZE; at += 4096)
			pages += !!memcmp(b[i].map + at, b[i].expect + at, 4096);
		processor_end(&b[i]);
		if (pages)
			result("corrupt", writer, 0,
			       "the processor reads other bytes than %s wrote, in %u of %u pages",
			       writer, pages, PAGES);
	}
}

static void importers_read(struct user *users, unsigned int count,
			   const struct buffer *b, const char *writer)
{
	for (unsigned int n = 0; n < count; n++) {
		const struct importer *reader = users[n].importer;

		for (int i = 0; reader->read && i < BUFFERS; i++) {
			int ret = reader->read(&users[n], b, i);

			if (ret < 0)
				refused_at_use(reader->name, ret, b);
			if (!ret)
				result("corrupt", reader->name, 0,
				       "%s reads other bytes than %s wrote",
				       reader->name, writer);
		}
	}
}

/*
 * As on a machine that has been up for a while: free pages are single ones, so
 * that no buffer of pages is in one piece by chance. The pages of two pipes lie
 * by turns, and those of one are freed; the other one is closed when the cell
 * ends. For each cell anew: what the one before has freed may be in one piece.
 * Pages of a file would not do: the kernel keeps movable pages apart from others.
 */
static void scatter_memory(void)
{
	const int size = 16 << 20;
	static const char page[4096];
	int pipes[2][2];

	for (int i = 0; i < 2; i++) {
		check_ok(pipe2(pipes[i], O_CLOEXEC | O_NONBLOCK) ? -errno : 0);
		check_ok(fcntl(pipes[i][1], F_SETPIPE_SZ, size) < 0 ? -errno : 0);
	}
	for (int at = 0; at < size; at += sizeof(page))
		for (int i = 0; i < 2; i++)
			check_eq(write(pipes[i][1], page, sizeof(page)),
				 sizeof(page));
	close(pipes[1][0]);
	close(pipes[1][1]);
}

static int try_device(struct user *u, const struct buffer *b, uint32_t *judged)
{
	int tried = 0;

	for (int i = 0; i < BUFFERS && !tried; i++)
		tried = prime_negotiate_try(b[i].fd, u->fd, judged);
	return tried;
}

/* What an attempt or an import answered, with the reason. */
struct answer {
	int error;
	char text[512];
};

static bool same_answer(const struct answer *one, const struct answer *other,
			bool with_text)
{
	return one->error == other->error &&
	       (!one->error || !with_text || !strcmp(one->text, other->text));
}

/*
 * Of bounced pages it is a matter of chance whether their copies are in one piece,
 * for each mapping anew. Then repeated attempts give different answers.
 */
static bool answer_varies(struct user *u, const struct buffer *b,
			  const struct answer *before, const struct answer *after)
{
	struct user other = *u;
	const bool with_text = before->error == after->error;
	bool as_before = false, as_after = false;
	struct answer now;
	uint32_t judged;

	/* A DRM file that has a handle of a buffer answers 0 at once. */
	if (u->handle[0])
		u->importer->open(&other);
	for (int i = 0; i < 300 && !(as_before && as_after); i++) {
		now.error = try_device(&other, b, &judged);
		reason(b, now.text, sizeof(now.text));
		as_before |= same_answer(&now, before, with_text);
		as_after |= same_answer(&now, after, with_text);
	}
	return as_before && as_after;
}

/* Where the kernel tries devices, its answer and its reason must be those of the import. */
static void import_as_tried(struct user *u, const struct buffer *b)
{
	struct answer before, after;
	uint32_t judged = 0;

	before.error = try_device(u, b, &judged);
	reason(b, before.text, sizeof(before.text));
	after.error = u->importer->import(u, b);
	reason(b, after.text, sizeof(after.text));
	imported++;
	judged_before += !!judged;
	if (judged && !same_answer(&before, &after, true)) {
		if (!answer_varies(u, b, &before, &after))
			result("failed", u->importer->name, 0,
			       "tried, it says %d '%s', and imported %d '%s'",
			       before.error, before.text, after.error,
			       after.text);
		varied++;
	}
	if (after.error)
		result("refused", u->importer->name, -after.error, "%s",
		       after.text);
}

static void run_cell(const struct cell *cell)
{
	struct user users[32] = { };
	struct buffer b[BUFFERS];
	unsigned int count = 0;
	int fds[BUFFERS];

	scatter_memory();
	cell->exporter->make(fds);
	for (int i = 0; i < BUFFERS; i++) {
		b[i].fd = fds[i];
		b[i].expect = malloc(SIZE);
		check(b[i].expect);
	}
	for (unsigned int n = 0; n < importers_count; n++) {
		if (!(cell->set & 1u << n))
			continue;
		users[count].importer = &importers[n];
		importers[n].open(&users[count]);
		count++;
	}

	for (int i = 0; i < BUFFERS && cell->exporter->late; i++)
		negotiate(users, count, fds[i]);
	for (unsigned int n = 0; n < count; n++)
		import_as_tried(&users[n], b);

	for (int i = 0; i < BUFFERS; i++) {
		b[i].map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
				fds[i], 0);
		check(b[i].map != MAP_FAILED);
	}
	processor_fills(b, 1);
	importers_read(users, count, b, "the processor");
	for (unsigned int n = 0; n < count; n++) {
		const struct importer *writer = users[n].importer;

		if (!writer->write)
			continue;
		writer->write(&users[n], b);
		processor_reads(b, writer->name);
		importers_read(users, count, b, writer->name);
	}
	/* Once more: what was true before must not be seen again. */
	processor_fills(b, 1000);
	importers_read(users, count, b, "the processor");
	processor_reads(b, "the processor");
	result("works", "-", 0, "%s", "");
}

/* --- what the kernel says meanwhile --- */

enum trouble { NONE, WARNING, OOPS };

/* Where the last oops was, and whether a function of the layer called it. */
static char oops_in[128];
static bool oops_of_layer;

static void look_at_oops(const char *record)
{
	static const char * const layer[] = { " dma_buf_", " drm_gem_", " drm_prime_" };
	const char *at = strstr(record, "RIP: 0010:");

	if (at && !*oops_in)
		snprintf(oops_in, sizeof(oops_in), "%.*s",
			 (int)strcspn(at + 10, "+\n"), at + 10);
	for (size_t i = 0; i < sizeof(layer) / sizeof(layer[0]); i++)
		oops_of_layer |= !!strstr(record, layer[i]);
}

static enum trouble kernel_trouble(void)
{
	static int log = -1;
	enum trouble found = NONE;
	char record[8192];
	ssize_t got;

	if (log < 0) {
		log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		lseek(log, 0, SEEK_END);
		return NONE;
	}
	while ((got = read(log, record, sizeof(record) - 1)) > 0 ||
	       (got < 0 && errno == EPIPE)) {
		record[got > 0 ? got : 0] = '\0';
		if (strstr(record, "Oops: ") || strstr(record, "kernel BUG at"))
			found = OOPS;
		if (found == OOPS)
			look_at_oops(record);
		else if (found == NONE && strstr(record, "WARNING: "))
			found = WARNING;
	}
	return found;
}

/* --- all cells --- */

static const char *set_name(unsigned int set)
{
	static char name[256];
	size_t length = 0;

	*name = '\0';
	for (unsigned int n = 0; n < importers_count; n++)
		if (set & 1u << n)
			length += snprintf(name + length, sizeof(name) - length,
					   "%s%s", length ? "," : "",
					   importers[n].name);
	return name;
}

static void write_line(FILE *file, const struct cell *cell, const char *text)
{
	fprintf(file, "%s\t%s\t%s\n", cell->exporter->name, set_name(cell->set),
		text);
	fflush(file);
	fsync(fileno(file));
}

/* The last line that begins with @start, without it; false when there is none. */
static bool find_line(char *text, const char *start, char *line, size_t room)
{
	char *found = NULL, *at = text;

	while ((at = strstr(at, start))) {
		if (at == text || at[-1] == '\n')
			found = at + strlen(start);
		at++;
	}
	if (!found)
		return false;
	snprintf(line, room, "%.*s", (int)strcspn(found, "\n"), found);
	for (char *c = line; *c; c++)
		if (*c == '\t')
			*c = ' ';
	return true;
}

/* What the process said, or how it ended when it said nothing. */
static void judge(char *said, int status, char *text, size_t room)
{
	char line[400] = "", *end;
	char *found = strstr(said, "RESULT\t");

	if (found && WIFEXITED(status) && !WEXITSTATUS(status)) {
		end = strchr(found, '\n');
		snprintf(text, room, "%.*s",
			 (int)(end ? end - found - 7 : (long)strlen(found) - 7),
			 found + 7);
	} else if (WIFSIGNALED(status)) {
		snprintf(text, room, "crash\t-\t-\t-\tsignal %d", WTERMSIG(status));
	} else if (WEXITSTATUS(status) == PRIME_EXIT_SKIP) {
		find_line(said, "Test requirement not met: ", line, sizeof(line));
		snprintf(text, room, "absent\t-\t-\t-\t%s", line);
	} else {
		find_line(said, "Failed at ", line, sizeof(line));
		snprintf(text, room, "failed\t-\t-\t-\t%s", line);
	}
}

/* False when the process cannot be killed. */
static bool try_cell(const struct cell *cell, char *text, size_t room)
{
	char said[4096] = "";
	double end = now() + CELL_SECONDS;
	bool late = false;
	size_t length = 0;
	int pipes[2], status = 0;
	pid_t pid;

	check_ok(pipe2(pipes, O_CLOEXEC));
	fflush(NULL);
	pid = fork();
	check_ok(pid);
	if (!pid) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(pipes[1], STDOUT_FILENO);
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		run_cell(cell);
	}
	close(pipes[1]);
	for (;;) {
		struct pollfd wait = { .fd = pipes[0], .events = POLLIN };
		ssize_t got;

		/*
		 * Looks often: the clock of a guest that counts instructions
		 * jumps to the next timer when all wait for the host.
		 */
		if (poll(&wait, 1, 1) > 0) {
			got = read(pipes[0], said + length,
				   sizeof(said) - 1 - length);
			if (got <= 0)
				break;
			length += got;
		}
		if (now() > end) {
			if (late)
				break;
			late = true;
			end = now() + 10;
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
		}
	}
	close(pipes[0]);
	said[length] = '\0';
	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (now() > end + 10) {
			snprintf(text, room,
				 "hang\t-\t-\t-\tstuck in the kernel");
			return false;
		}
		usleep(1000);
	}
	if (late)
		snprintf(text, room, "hang\t-\t-\t-\tnot done in %d s",
			 CELL_SECONDS);
	else
		judge(said, status, text, room);
	return true;
}

/* --- which cells --- */

static bool named(const char *name, const char *list)
{
	size_t length = strlen(name);

	for (const char *at = list; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, name, length) &&
		    (!at[length] || at[length] == ','))
			return true;
	}
	return !list;
}

struct choice {
	const char *exporters, *importers;
	unsigned int largest;
};

/* Small sets first; those that lack one importer or none at the end. */
static unsigned int choose_cells(const struct choice *choice,
				 struct cell *cells)
{
	unsigned int all = 0, never = 0, count = 0, total;

	for (unsigned int n = 0; n < importers_count; n++)
		if (named(importers[n].name, choice->importers)) {
			all |= 1u << n;
			never |= (unsigned int)importers[n].never << n;
		}
	total = __builtin_popcount(all & ~never);
	for (unsigned int size = 1; size <= total || size <= 2; size++) {
		if (size > 2)
			all &= ~never;
		if (size > choice->largest && size + 1 < total)
			continue;
		for (unsigned int e = 0; e < exporters_count; e++) {
			if (!named(exporters[e].name, choice->exporters))
				continue;
			for (unsigned int set = 1; set <= all; set++)
				if (!(set & ~all) &&
				    __builtin_popcount(set) == (int)size)
					cells[count++] = (struct cell){
						&exporters[e], set,
					};
		}
	}
	return count;
}

/* Is the cell in the file? */
static bool is_done(const char *text, const struct cell *cell)
{
	char start[300];
	const char *at = text;

	snprintf(start, sizeof(start), "%s\t%s\t", cell->exporter->name,
		 set_name(cell->set));
	while (at && (at = strstr(at, start))) {
		if (at == text || at[-1] == '\n')
			return true;
		at++;
	}
	return false;
}

/* Loads modules now, and not when a cell's time is running. */
static void prepare(const struct choice *choice)
{
	close(v4l2_open(V4L2_VMALLOC, false));
	close(v4l2_open(V4L2_MEM2MEM, false));
	for (unsigned int n = 0; n < importers_count; n++)
		if (importers[n].prepare &&
		    named(importers[n].name, choice->importers))
			importers[n].prepare();
}

/* Adds it to the result; true when the machine has to start anew. */
static bool tell_trouble(char *text, size_t room)
{
	size_t length = strlen(text);

	switch (kernel_trouble()) {
	case OOPS:
		snprintf(text, room, "crash\t-\t-\t-\tthe kernel oopsed in %s%s",
			 oops_in, oops_of_layer ? ", called by the layer" : "");
		return true;
	case WARNING:
		snprintf(text + length, room - length, "%sthe kernel warned",
			 text[length - 1] == '\t' ? "" : "; ");
		return false;
	default:
		return false;
	}
}

static int run_cells(const char *path, const struct cell *cells,
		     unsigned int count, unsigned int limit)
{
	char *done = read_text(path), text[2048], current[300];
	FILE *file = fopen(path, "a");
	unsigned int tried = 0;

	if (!file) {
		perror(path);
		return 1;
	}
	/* The cell that a machine which died has left. */
	snprintf(current, sizeof(current), "%s.current", path);
	for (unsigned int i = 0; i < count; i++) {
		char *left = read_text(current), name[300];
		bool stuck;
		FILE *mark;

		if (done && is_done(done, &cells[i])) {
			free(left);
			continue;
		}
		snprintf(name, sizeof(name), "%s\t%s\n",
			 cells[i].exporter->name, set_name(cells[i].set));
		if (left && !strcmp(left, name)) {
			write_line(file, &cells[i],
				   "panic\t-\t-\t-\tthe machine died in this cell");
			unlink(current);
			free(left);
			continue;
		}
		free(left);
		if (tried++ == limit)
			return EXIT_MORE;
		mark = fopen(current, "w");
		if (mark) {
			fputs(name, mark);
			fflush(mark);
			fsync(fileno(mark));
			fclose(mark);
		}
		kernel_trouble();
		stuck = !try_cell(&cells[i], text, sizeof(text));
		stuck |= tell_trouble(text, sizeof(text));
		write_line(file, &cells[i], text);
		unlink(current);
		if (stuck)
			return EXIT_STUCK;
	}
	fclose(file);
	free(done);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "exporters", required_argument, NULL, 'e' },
		{ "importers", required_argument, NULL, 'i' },
		{ "sets", required_argument, NULL, 's' },
		{ "cells", required_argument, NULL, 'c' },
		{ "list", no_argument, NULL, 'l' },
		{ "count", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	static struct cell cells[1 << 14];
	struct choice choice = { .largest = 2 };
	unsigned int limit = 0, count;
	bool only_count = false;
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'e':
			choice.exporters = optarg;
			break;
		case 'i':
			choice.importers = optarg;
			break;
		case 's':
			choice.largest = atoi(optarg);
			break;
		case 'c':
			limit = atoi(optarg);
			break;
		case 'l':
			for (unsigned int e = 0; e < exporters_count; e++)
				printf("exporter %s\n", exporters[e].name);
			for (unsigned int n = 0; n < importers_count; n++)
				printf("importer %s\n", importers[n].name);
			return 0;
		case 'n':
			only_count = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	count = choose_cells(&choice, cells);
	if (only_count) {
		printf("%u\n", count);
		return 0;
	}
	if (optind != argc - 1 || !count) {
		fputs(usage, stderr);
		return 2;
	}
	prepare(&choice);
	return run_cells(argv[optind], cells, count, limit ? limit : count);
}
