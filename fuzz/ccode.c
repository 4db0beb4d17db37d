// SPDX-License-Identifier: MIT
/* Writes a program as C that needs nothing of this folder: helpers.h, the calls, a verdict. */
#include "fuzz.h"

#include <string.h>

/* The text of helpers.h, by the Makefile. */
extern const char helpers_text[];

static const char begin_text[] =
	"/*\n"
	" * Written by prime-fuzz. Exit status: 0 the kernel is silent, 1 it is not (the line says\n"
	" * what), 77 can't be tried.\n"
	" * gcc -D_GNU_SOURCE -I/usr/include/libdrm THIS.c -pthread\n"
	" */\n";

static const char middle_text[] =
	"/* What each call gave, the second thing in s. */\n"
	"static volatile int64_t r[256], s[256];\n"
	"static pthread_barrier_t __attribute__((unused)) barrier;\n"
	"static unsigned int first_file;\n"
	"static uint64_t shift[4];\n"
	"\n"
	"/* In each round, the threads are shifted against each other in another way. */\n"
	"static void __attribute__((unused)) stagger(int thread)\n"
	"{\n"
	"\tshift[thread] = shift[thread] * 6364136223846793005ull + 1442695040888963407ull +\n"
	"\t\t\tthread;\n"
	"\tspend(shift[thread] >> 40 & ((1u << (shift[thread] >> 60)) - 1));\n"
	"}\n";

static const char log_text[] =
	"/* The next line of the log that is a complaint. */\n"
	"static int complaint(int log, char *line, size_t size)\n"
	"{\n"
	"\tstatic const char *const words[] = {\n"
	"\t\t\"BUG:\", \"WARNING:\", \"refcount_t:\", \"KASAN\", \"Oops\", \"DMA-API:\"\n"
	"\t};\n"
	"\tssize_t n;\n"
	"\n"
	"\twhile ((n = read(log, line, size - 1)) > 0 || (n < 0 && errno == EPIPE)) {\n"
	"\t\tline[n > 0 ? n : 0] = 0;\n"
	"\t\tline[strcspn(line, \"\\n\")] = 0;\n"
	"\t\tfor (unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++)\n"
	"\t\t\tif (strstr(line, words[i]))\n"
	"\t\t\t\treturn 1;\n"
	"\t}\n"
	"\treturn 0;\n"
	"}\n";

static void print_value(const struct argument *argument, FILE *out)
{
	if (argument->id)
		fprintf(out, "%c[%u]", "rs"[argument->out], argument->id);
	else
		number_print(argument->value, out);
}

static void print_ioctl(const struct call *call, FILE *out)
{
	const struct call_type *type = call->type;

	fprintf(out, "\t{\n\t\t%s a = { 0 };\n", type->struct_name);
	fputs(type->gives || type->out[0].name ? "\t\tint ret;\n\n" : "\n", out);
	for (unsigned int i = 1; i < call_arguments(type); i++) {
		fprintf(out, "\t\ta.%s = ", type->in[i - 1].name);
		print_value(&call->arguments[i], out);
		fputs(";\n", out);
	}
	fputs(type->gives || type->out[0].name ? "\t\tret = ioctl(" : "\t\tioctl(", out);
	print_value(&call->arguments[0], out);
	fprintf(out, ", %s, &a);\n", type->request_name);
	if (type->gives)
		fprintf(out, "\t\tr[%u] = ret;\n", call->id);
	for (unsigned int i = 0; i < MAX_OUT && type->out[i].name; i++)
		fprintf(out, "\t\tif (!ret)\n\t\t\t%c[%u] = a.%s;\n", "rs"[i], call->id,
			type->out[i].name);
	fputs("\t}\n", out);
}

static void print_helper(const struct call *call, FILE *out)
{
	fputc('\t', out);
	if (call->type->gives)
		fprintf(out, "r[%u] = ", call->id);
	fprintf(out, "%s(", call->type->name);
	for (unsigned int i = 0; i < 3; i++) {
		fputs(i ? ", " : "", out);
		if (i < call_arguments(call->type))
			print_value(&call->arguments[i], out);
		else
			fputc('0', out);
	}
	fputs(");\n", out);
}

/* What the calls need that no package has. */
static void print_includes(const struct program *program, FILE *out)
{
	bool mock = false, layer = false;

	for (unsigned int i = 0; i < program->count; i++) {
		const struct call_type *type = program->calls[i].type;

		mock |= type->on == MOCK;
		layer |= type->on == DMABUF && (type->request & 0xff) >= 0x20;
	}
	if (mock)
		fputs("#include <drm/prime_mock.h>\n", out);
	if (layer)
		fputs("#include <linux/dma-buf-constraints.h>\n", out);
}

static void print_thread(const struct program *program, unsigned int thread, FILE *out)
{
	fprintf(out, "\nstatic void *thread_%u(void *unused)\n{\n", thread);
	if (thread)
		fputs("\tpthread_barrier_wait(&barrier);\n", out);
	for (unsigned int i = 0; i < program->count; i++) {
		const struct call *call = &program->calls[i];

		if (call->thread != thread)
			continue;
		if (thread)
			fprintf(out, "\tstagger(%u);\n", thread);
		(call->type->on ? print_ioctl : print_helper)(call, out);
	}
	fputs("\treturn unused;\n}\n", out);
}

static void print_main(unsigned int threads, unsigned int rounds, FILE *out)
{
	fprintf(out, "\nint main(void)\n{\n"
		"\tint log = open(\"/dev/kmsg\", O_RDONLY | O_NONBLOCK | O_CLOEXEC);\n"
		"\tchar line[1024];\n"
		"%s\n"
		"\tif (log < 0 || lseek(log, 0, SEEK_END)) {\n"
		"\t\tputs(\"/dev/kmsg can't be read\");\n\t\treturn 77;\n\t}\n"
		"\thelpers_begin();\n"
		"\tfirst_file = dup(0);\n"
		"\tclose(first_file);\n"
		"\tfor (int round = 0; round < %u; round++) {\n"
		"\t\tmemset((void *)r, 0xff, sizeof(r));\n"
		"\t\tmemset((void *)s, 0xff, sizeof(s));\n"
		"\t\tthread_0(NULL);\n",
		threads > 1 ? "\tpthread_t threads[4];\n" : "", rounds);
	if (threads > 1)
		fprintf(out, "\t\tpthread_barrier_init(&barrier, NULL, %u);\n", threads - 1);
	for (unsigned int i = 1; i < threads; i++)
		fprintf(out, "\t\tpthread_create(&threads[%u], NULL, thread_%u, NULL);\n", i, i);
	for (unsigned int i = 1; i < threads; i++)
		fprintf(out, "\t\tpthread_join(threads[%u], NULL);\n", i);
	fputs("\t\thelpers_end();\n\t\tsyscall(SYS_close_range, first_file, ~0u, 0);\n\t}\n"
	      "\tif (complaint(log, line, sizeof(line))) {\n"
	      "\t\tprintf(\"the kernel says: %s; right: nothing\\n\", line);\n"
	      "\t\treturn 1;\n\t}\n", out);
	fprintf(out, "\tputs(\"%u rounds: the kernel is silent\");\n\treturn 0;\n}\n", rounds);
}

void program_print_c(const struct program *program, unsigned int rounds, FILE *out)
{
	unsigned int threads = program_threads(program);

	fputs(begin_text, out);
	fputs(helpers_text, out);
	print_includes(program, out);
	fputc('\n', out);
	fputs(middle_text, out);
	fputc('\n', out);
	fputs(log_text, out);
	for (unsigned int i = 0; i < threads; i++)
		print_thread(program, i, out);
	print_main(threads, rounds, out);
}
