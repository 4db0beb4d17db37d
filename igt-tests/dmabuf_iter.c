// SPDX-License-Identifier: MIT
/**
 * TEST: dmabuf iter
 * Description: The BPF iterator "dmabuf". A program sees each buffer once, also
 *  while buffers are freed, and the iterator keeps no reference.
 *
 * The kernel needs BTF. The program is compiled by scripts/selftests, as it needs
 * libbpf and the types of that kernel.
 */
#include "lib/prime_test.h"

#include <bpf/bpf.h>
#include "dmabuf_iter_print.skel.h"

#define BUFFERS	40

/* An open iterator. */
static int open_iter(void)
{
	struct dmabuf_iter_print *bpf = dmabuf_iter_print__open();
	int fd;

	check(bpf);
	/* A kernel that has the iterator has a type of this name. */
	if (libbpf_find_vmlinux_btf_id("dmabuf", BPF_TRACE_ITER) < 0)
		prime_skip("no BPF iterator \"dmabuf\"");
	check_ok(dmabuf_iter_print__load(bpf));
	check_ok(dmabuf_iter_print__attach(bpf));
	fd = bpf_iter_create(bpf_link__fd(bpf->links.print_buffer));
	dmabuf_iter_print__destroy(bpf);
	return check_ok(fd);
}

/* All that is left to read, in pieces of this size. */
static char *read_iter(int iter, size_t piece)
{
	size_t length = 0, room = 1 << 20;
	char *text = malloc(room);
	ssize_t count;

	check(text);
	while ((count = check_ok(read(iter, text + length, piece)))) {
		length += count;
		check(length + piece < room);
	}
	text[length] = '\0';
	check_eq(read(iter, text + length, piece), 0);
	return text;
}

static int lines_of(const char *text, const char *line)
{
	int count = 0;

	for (; (text = strstr(text, line)); text++)
		count++;
	return count;
}

static int named_buffer(int vgem, int i)
{
	int fd = make_dmabuf(vgem, 1 + i, NULL);
	char name[32];

	snprintf(name, sizeof(name), "iter-%d", i);
	check_ok(dmabuf_set_name(fd, name));
	return fd;
}

static void line_of(int fd, int i, char *line, size_t size)
{
	snprintf(line, size, "%llu %llu drm iter-%d\n", (unsigned long long)inode_of(fd),
		 (unsigned long long)PAGE * (1 + i), i);
}

/**
 * SUBTEST: each-once
 * Description: A walk in one read or in many shows each buffer once, with its inode,
 *  size, exporter ("drm" for all DRM drivers) and name, and no others.
 */
static void each_once(void)
{
	const size_t pieces[] = { 1 << 16, 1 };
	int vgem = open_driver("vgem"), fds[BUFFERS];
	char line[96];

	for (int i = 0; i < BUFFERS; i++)
		fds[i] = named_buffer(vgem, i);
	for (int i = 0; i < 2; i++) {
		int iter = open_iter();
		char *text = read_iter(iter, pieces[i]);

		for (int k = 0; k < BUFFERS; k++) {
			line_of(fds[k], k, line, sizeof(line));
			check_eq(lines_of(text, line), 1);
		}
		check_eq(lines_of(text, "\n"), all_buffers());
		free(text);
		close(iter);
	}
}

/**
 * SUBTEST: closed-meanwhile
 * Description: All buffers are closed between two reads. The walk still has a
 *  reference to the one where it stands, and to no other one. It drops that at the
 *  next read, and ends.
 */
static void closed_meanwhile(void)
{
	int vgem = open_driver("vgem"), fds[BUFFERS], iter = open_iter();
	char line[96] = "", *text;

	for (int i = 0; i < BUFFERS; i++) {
		uint32_t handle;

		fds[i] = make_dmabuf(vgem, 1, &handle);
		check_ok(gem_close(vgem, handle));
	}
	check(read(iter, line, 1) == 1);
	for (int i = 0; i < BUFFERS; i++)
		close(fds[i]);
	check_eq(settle_buffers(1), 1);
	text = read_iter(iter, 64);
	/* The rest of the first line, and the line of the buffer that was kept. */
	check(lines_of(text, "\n") <= 2 + buffers_before);
	check_eq(settle_buffers(0), 0);
	free(text);
	close(iter);
}

/**
 * SUBTEST: given-up
 * Description: A walk that is abandoned in the middle leaves no reference.
 */
static void given_up(void)
{
	int vgem = open_driver("vgem"), fds[BUFFERS], iter;
	char byte;

	for (int i = 0; i < BUFFERS; i++) {
		uint32_t handle;

		fds[i] = make_dmabuf(vgem, 1, &handle);
		check_ok(gem_close(vgem, handle));
	}
	iter = open_iter();
	check_eq(read(iter, &byte, 1), 1);
	for (int i = 0; i < BUFFERS; i++)
		close(fds[i]);
	check_eq(settle_buffers(1), 1);
	close(iter);
	check_eq(settle_buffers(0), 0);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(each_once),
	SUBTEST(closed_meanwhile),
	SUBTEST(given_up),
};

PRIME_MAIN(subtests)
