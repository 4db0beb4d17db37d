// SPDX-License-Identifier: MIT
/* For dmabuf_iter.c: a line for each buffer. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "Dual MIT/GPL";

SEC("iter/dmabuf")
int print_buffer(struct bpf_iter__dmabuf *ctx)
{
	struct dma_buf *dmabuf = ctx->dmabuf;
	char exporter[32] = "", name[32] = "";

	if (!dmabuf)
		return 0;
	bpf_probe_read_kernel_str(exporter, sizeof(exporter), dmabuf->exp_name);
	bpf_probe_read_kernel_str(name, sizeof(name), dmabuf->name);
	BPF_SEQ_PRINTF(ctx->meta->seq, "%llu %llu %s %s\n", (__u64)dmabuf->file->f_inode->i_ino,
		       (__u64)dmabuf->size, exporter, name);
	return 0;
}
