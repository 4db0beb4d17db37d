// SPDX-License-Identifier: MIT
/*
 * dma_buf/holders: the kernel's own list of all holders, where it has one
 * (CONFIG_DRM_PRIME_ACCOUNT). This file alone knows its format:
 *
 *   buffer 17: 4096 bytes of vgem: 4 references, 4 found
 *   <tab>fd 3 in 214 (compositor)
 *   <tab>handle 1 of vkms minor 1 in 214 (compositor)
 *   <tab>object 0 of vkms: 1 references, 1 found		(what handles and framebuffers hold)
 *   <tab>fence 0 of 12:7 renderer vgem unsignalled	(holds nothing; debugfs.c reads bufinfo's)
 *   2 locks were busy
 */
#include "top.h"

/* Copies the text up to a colon or " in ", and moves to that. */
static void get_where(const char **at, const char *end, char *where, size_t size)
{
	const char *from, *stop;

	where[0] = '\0';
	if (!get_word(at, end, " of "))
		return;
	from = *at;
	for (stop = from; stop < end; stop++)
		if ((*stop == ':' && stop[1] == ' ') || (*stop == ' ' && !strncmp(stop, " in ", 4)))
			break;
	copy_text(where, size, from, stop - from);
	*at = stop;
}

static struct buffer *add_buffer(struct snapshot *s, const char *at, const char *end)
{
	uint64_t ino, size, count;
	struct buffer *b;

	if (!get_number(&at, &ino) || !get_word(&at, end, ": ") ||
	    !get_number(&at, &size) || !get_word(&at, end, " bytes"))
		return NULL;
	b = snapshot_buffer(s, ino);
	b->size = size;
	get_where(&at, end, b->exporter, sizeof(b->exporter));
	if (get_word(&at, end, ": ") && get_number(&at, &count))
		b->count = count;
	return b;
}

static void add_holder(struct snapshot *s, struct buffer *b, const char *at, const char *end)
{
	uint32_t process = NOBODY_KERNEL;
	uint64_t number, pid;
	unsigned int length;
	struct holder *h;
	enum hold kind;
	char where[48];

	for (kind = 0; kind < HOLD_OTHER; kind++) {
		for (length = 0; at[length] == hold_names[kind][length]; length++)
			;
		if (at[length] == ' ' && !hold_names[kind][length])
			break;
	}
	while (at < end && *at != ' ')
		at++;
	if (!get_word(&at, end, " ") || !get_number(&at, &number))
		return;
	where[0] = '\0';
	if (at[1] == 'o')
		get_where(&at, end, where, sizeof(where));
	if (get_word(&at, end, " in ") && get_number(&at, &pid) && get_word(&at, end, " ("))
		process = snapshot_process(s, pid, at, end > at ? end - at - 1 : 0);
	h = snapshot_hold(s, b, kind, process, number);
	if (where[0])
		memcpy(h->where, where, sizeof(where));
}

static void parse(struct snapshot *s, const char *at, const char *end)
{
	struct buffer *b = NULL;
	const char *stop;
	uint64_t busy;

	for (; at < end; at = stop + 1) {
		stop = memchr(at, '\n', end - at);
		if (!stop)
			stop = end;
		if (get_word(&at, stop, "\t")) {
			if (b && *at != 'o' && (*at != 'f' || at[1] != 'e'))
				add_holder(s, b, at, stop);
		} else if (get_word(&at, stop, "buffer ")) {
			b = add_buffer(s, at, stop);
		} else if (get_number(&at, &busy) && busy) {
			snapshot_missing(s,
				"%llu locks were busy: some holders are not seen until the next refresh",
				(unsigned long long)busy);
		}
	}
}

/* Returns whether the kernel lists the holders. If it does, all of them are in the list. */
bool holders_read(struct snapshot *s, int root)
{
	static struct bytes bytes;

	if (read_file(root, DEBUGFS "dma_buf/holders", &bytes))
		return false;
	parse(s, bytes.data, bytes.data + bytes.used);
	s->kernel_tells = true;
	return true;
}
