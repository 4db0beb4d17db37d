// SPDX-License-Identifier: MIT
/* prime-top: who holds which dma-buf. */
#include "top.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

static const char usage[] =
	"usage: prime-top [options]\n"
	"Shows the dma-bufs of this machine and who holds them. The bytes of a buffer are\n"
	"divided among the processes that hold it, so that all shares add up.\n"
	"\n"
	"  -y, --by TABLE     buffers, processes, cgroups or devices (buffers)\n"
	"  -s, --sort KEY     size, share, age, buffers, process, cgroup, device, name or fence\n"
	"  -r, --reverse      the smallest first\n"
	"  -f, --filter TEXT  only rows that contain the text, or have such a holder\n"
	"  -d, --delay TIME   seconds between two refreshes, 0.1 to 3600 (2)\n"
	"  -n, --count N      end after N refreshes\n"
	"  -b, --batch        print text instead of drawing on the terminal\n"
	"  -j, --json         with --batch: everything, as one JSON object for each refresh\n"
	"  -l, --leak N       with --batch: report processes with more than N buffers, once\n"
	"  -m, --module NAME  say what keeps a module from being unloaded\n"
	"      --root DIR     read DIR/proc and DIR/sys (/)\n"
	"  -h, --help         this text\n"
	"  -V, --version\n"
	"\n"
	"Exit status: 0, 1 if something failed, 2 for a wrong argument or no terminal.\n";

struct options {
	struct wish wish;
	bool batch, json, sorted;
	double delay;
	long count, leak;
	const char *module, *root;
};

static _Noreturn void refuse(const char *what, const char *value, const char *way_out)
{
	fprintf(stderr, "prime-top: %s '%s': %s\n", what, value, way_out);
	exit(2);
}

static int one_of(const char *value, const char *const *names, int count)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(value, names[i]))
			return i;
	return -1;
}

static void take_by(struct options *o, const char *value)
{
	int by = one_of(value, by_names, BY_HOLDER);

	if (by < 0)
		refuse("no table", value, "buffers, processes, cgroups or devices");
	o->wish.by = by;
}

static void take_sort(struct options *o, const char *value)
{
	int sort = one_of(value, sort_names, SORT_KINDS);

	if (sort < 0)
		refuse("no key to sort by", value,
		       "size, share, age, buffers, process, cgroup, device, name or fence");
	o->wish.sort = sort;
	o->sorted = true;
}

static void take_delay(struct options *o, const char *value)
{
	char *end;

	o->delay = strtod(value, &end);
	if (end == value || *end || !isfinite(o->delay) || o->delay < 0.1 || o->delay > 3600)
		refuse("no delay", value, "seconds from 0.1 to 3600");
}

static long take_number(const char *what, const char *value)
{
	char *end;
	long number = strtol(value, &end, 10);

	if (end == value || *end || number < 1 || number > 1000000000)
		refuse(what, value, "a number from 1 to 1000000000");
	return number;
}

static void take_filter(struct options *o, const char *value)
{
	if (!*value || strlen(value) >= sizeof(o->wish.filter))
		refuse("no filter", value, "1 to 63 bytes");
	strcpy(o->wish.filter, value);
}

static void take_module(struct options *o, const char *value)
{
	if (!*value || strlen(value) > 55 || strchr(value, '/') || value[0] == '.')
		refuse("no name of a module", value, "lsmod lists them");
	o->module = value;
}

/* Refuses options that do not go together. */
static void check(struct options *o)
{
	static const char *const keys[] = {
		"size, share, age, process, cgroup, device, name or fence",
		"size, share, buffers, process or cgroup",
		"size, share, buffers or cgroup",
		"size, buffers or device"
	};

	if (!o->sorted)
		o->wish.sort = first_sort(o->wish.by);
	if (!can_sort(o->wish.by, o->wish.sort))
		refuse("this table has no key", sort_names[o->wish.sort], keys[o->wish.by]);
	if (o->json && !o->batch)
		refuse("--json", "", "add --batch");
	if (o->json && (o->wish.by || o->sorted || o->wish.filter[0] || o->wish.reverse))
		refuse("--json", "",
		       "it has everything; leave out --by, --sort, --reverse and --filter");
	if (o->leak && !o->batch)
		refuse("--leak", "", "add --batch");
	if (o->leak && (o->json || o->wish.by || o->sorted || o->wish.filter[0] || o->wish.reverse))
		refuse("--leak", "",
		       "it prints no table; leave out --json, --by, --sort, --reverse and --filter");
	if (o->module && (o->batch || o->json))
		refuse("--module", o->module, "it is printed once, without --batch");
}

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "by", required_argument, NULL, 'y' },
		{ "sort", required_argument, NULL, 's' },
		{ "reverse", no_argument, NULL, 'r' },
		{ "filter", required_argument, NULL, 'f' },
		{ "delay", required_argument, NULL, 'd' },
		{ "count", required_argument, NULL, 'n' },
		{ "batch", no_argument, NULL, 'b' },
		{ "json", no_argument, NULL, 'j' },
		{ "leak", required_argument, NULL, 'l' },
		{ "module", required_argument, NULL, 'm' },
		{ "root", required_argument, NULL, 'R' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 }
	};
	int option;

	while ((option = getopt_long(argc, argv, "y:s:rf:d:n:bjl:m:hV", longs, NULL)) != -1) {
		switch (option) {
		case 'y': take_by(o, optarg); break;
		case 's': take_sort(o, optarg); break;
		case 'r': o->wish.reverse = true; break;
		case 'f': take_filter(o, optarg); break;
		case 'd': take_delay(o, optarg); break;
		case 'n': o->count = take_number("no count", optarg); break;
		case 'l': o->leak = take_number("no number of buffers", optarg); break;
		case 'b': o->batch = true; break;
		case 'j': o->json = true; break;
		case 'm': take_module(o, optarg); break;
		case 'R': o->root = optarg; break;
		case 'h': fputs(usage, stdout); exit(0);
		case 'V': puts("prime-top " PRIME_TOP_VERSION); exit(0);
		default: fputs("prime-top: --help lists the options\n", stderr); exit(2);
		}
	}
	if (optind < argc)
		refuse("unknown argument", argv[optind], "--help lists the options");
	check(o);
}

/* Returns the exit status. */
static int ended(bool written)
{
	if (!written)
		fprintf(stderr, "prime-top: the output can't be written: %s\n", strerror(errno));
	return !written;
}

/* Prints until the count is reached or nobody reads the output any more. */
static int batch(const struct options *o, int root)
{
	struct timespec pause = { o->delay, (o->delay - (long)o->delay) * 1e9 };
	static struct snapshot snapshots[2];
	bool written = true;

	for (long i = 0; written && (!o->count || i < o->count); i++) {
		struct snapshot *s = &snapshots[i & 1], *before = i ? &snapshots[~i & 1] : NULL;

		if (i)
			nanosleep(&pause, NULL);
		collect(s, before, root);
		written = o->leak ? leak_print(s, before, o->leak) :
			  o->json ? json_print(s) : text_print(s, &o->wish);
	}
	return ended(written);
}

int main(int argc, char **argv)
{
	static struct snapshot once;
	struct options o = { .delay = 2, .root = "/" };
	int root, status;

	setlocale(LC_CTYPE, "C.UTF-8");
	parse(&o, argc, argv);
	root = open(o.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		refuse("--root", o.root, strerror(errno));
	if (o.batch)
		return batch(&o, root);
	if (!o.module)
		return view_run(root, &o.wish, o.delay, o.count);
	collect(&once, NULL, root);
	status = module_print(&once, root, o.module);
	return ended(!fflush(stdout) && !ferror(stdout)) || status;
}
