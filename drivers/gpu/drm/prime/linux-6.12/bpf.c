// SPDX-License-Identifier: GPL-2.0-only
/*
 * The BPF iterator "dmabuf" for Linux 6.12: a program of the section
 * "iter/dmabuf" sees each buffer once. 7.3 has its own.
 */
#include <linux/bpf.h>
#include <linux/btf_ids.h>
#include <linux/dma-buf.h>
#include <linux/init.h>
#include <linux/seq_file.h>

/* The current buffer of the walk. It is held between two reads, too. */
struct dmabuf_walk {
	struct dma_buf *at;
};

static void *dmabuf_walk_start(struct seq_file *seq, loff_t *pos)
{
	struct dmabuf_walk *walk = seq->private;

	if (!*pos && !walk->at)
		walk->at = dma_buf_iter_begin();
	return walk->at;
}

static void *dmabuf_walk_next(struct seq_file *seq, void *v, loff_t *pos)
{
	struct dmabuf_walk *walk = seq->private;

	++*pos;
	walk->at = dma_buf_iter_next(walk->at);
	return walk->at;
}

struct bpf_iter__dmabuf {
	__bpf_md_ptr(struct bpf_iter_meta *, meta);
	__bpf_md_ptr(struct dma_buf *, dmabuf);
};

static int dmabuf_walk_show(struct seq_file *seq, void *v)
{
	struct bpf_iter_meta meta = { .seq = seq };
	struct bpf_iter__dmabuf ctx = { .meta = &meta, .dmabuf = v };
	struct bpf_prog *prog = bpf_iter_get_info(&meta, false);

	return prog ? bpf_iter_run_prog(prog, &ctx) : 0;
}

/* The walk keeps its buffer; dmabuf_walk_end() drops the last one. */
static void dmabuf_walk_stop(struct seq_file *seq, void *v)
{
}

static void dmabuf_walk_end(void *private)
{
	struct dmabuf_walk *walk = private;

	if (walk->at)
		dma_buf_put(walk->at);
}

static const struct seq_operations dmabuf_walk_ops = {
	.start = dmabuf_walk_start,
	.next = dmabuf_walk_next,
	.stop = dmabuf_walk_stop,
	.show = dmabuf_walk_show,
};

static const struct bpf_iter_seq_info dmabuf_walk_info = {
	.seq_ops = &dmabuf_walk_ops,
	.fini_seq_private = dmabuf_walk_end,
	.seq_priv_size = sizeof(struct dmabuf_walk),
};

DEFINE_BPF_ITER_FUNC(dmabuf, struct bpf_iter_meta *meta, struct dma_buf *dmabuf)
BTF_ID_LIST_SINGLE(dmabuf_btf_id, struct, dma_buf)

static struct bpf_iter_reg dmabuf_target = {
	.target = "dmabuf",
	.feature = BPF_ITER_RESCHED,
	.ctx_arg_info_size = 1,
	.ctx_arg_info = {
		{ offsetof(struct bpf_iter__dmabuf, dmabuf), PTR_TO_BTF_ID_OR_NULL },
	},
	.seq_info = &dmabuf_walk_info,
};

static int __init dmabuf_target_init(void)
{
	dmabuf_target.ctx_arg_info[0].btf_id = dmabuf_btf_id[0];
	return bpf_iter_reg_target(&dmabuf_target);
}
late_initcall(dmabuf_target_init);
