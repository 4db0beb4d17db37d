// SPDX-License-Identifier: GPL-2.0
/*
 * A walk of all holders of all buffers, as a read of debugfs' dma_buf/holders
 * makes it, against what comes and goes meanwhile: handles, imports, framebuffers
 * and files of DRM, descriptors, mappings, processes, and files in messages.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <net/af_unix.h>
#include <net/net_namespace.h>
#include <net/scm.h>
#include "net/unix/af_unix.h"

#include "mocks.h"

/* DRM files of two devices and their descriptors, an object of the first, its handle and fd. */
static struct drm_file *files[2];
static int nodes[2];
static struct drm_gem_object *object;
static u32 handle, imported;
static int fd;

/* --- what a walk prints --- */

static int buffers[5], ends[5];
/* Buffers that nobody lets go. */
static int stay;
/* Nothing changes, and the line of this buffer or object has named the driver. */
static bool at_rest, named;

static void printed(const char *format, va_list args)
{
	long count;

	if (!strncmp(format, "buffer ", 7)) {
		buffers[ex_self()]++;
		named = false;
	} else if (at_rest && !strcmp(format, " of %*pEs")) {
		count = va_arg(args, int);
		named = count == strlen("explore") && !strcmp(va_arg(args, const char *), "explore");
	} else if (strstr(format, "locks were busy")) {
		ends[ex_self()]++;
		if (at_rest)
			CHECK(!va_arg(args, unsigned int));
	} else if (at_rest && strstr(format, "references")) {
		/* The holders that were found explain all references. */
		CHECK(named);
		count = va_arg(args, long);
		CHECK(va_arg(args, long) == count);
	}
}

static void walk(void)
{
	buffers[ex_self()] = 0;
	ends[ex_self()] = 0;
	ex_read_debugfs("holders");
	/* Without memory, or after a signal, it prints nothing. */
	CHECK(!ends[ex_self()] || buffers[ex_self()] >= stay);
}

static void begin(bool exported)
{
	int i;

	drm_begin();
	ex_process_begin();
	ex_printed = printed;
	for (i = 0; i < 2; i++) {
		files[i] = file_open(i);
		nodes[i] = file_fd(files[i]);
	}
	handle = object_new(files[0]);
	fd = exported ? handle_to_fd(files[0], handle) : -1;
}

static void run(void (*a)(void), void (*b)(void))
{
	thread(1, walk);
	thread(2, a);
	if (b)
		thread(3, b);
	run_threads();
	at_rest = true;
	walk();
	at_rest = false;
}

static void end(void)
{
	CHECK(!atomic_read(&drm_held));
	ex_files_end();
	ex_process_end();
	ex_join();
	drm_end();
}

/* --- handles, imports and files of DRM --- */

/* A system call holds the file of its descriptor. */
static void with_node(int i, void (*call)(struct drm_file *file))
{
	struct file *node = fget(nodes[i]);

	if (!node)
		return;
	call(node->private_data);
	fput(node);
	ex_user_return();
}

static void export_call(struct drm_file *file)
{
	handle_to_fd(file, handle);
}

static void import_call(struct drm_file *file)
{
	fd_to_handle(file, fd);
}

static void close_call(struct drm_file *file)
{
	handle_close(file, handle);
}

static void close_import_call(struct drm_file *file)
{
	handle_close(file, imported);
}

static void export(void) { with_node(0, export_call); }
static void import(void) { with_node(1, import_call); }
static void close_handle(void) { with_node(0, close_call); }
static void close_import(void) { with_node(1, close_import_call); }

static void close_fd(void)
{
	ex_close(fd);
}

static void close_importer(void)
{
	ex_close(nodes[1]);
}

static void close_exporter(void)
{
	ex_close(nodes[0]);
}

static void holders_export(void)
{
	begin(false);
	run(export, NULL);
	end();
}
EX_SCENARIO(holders_export, "holders-export", "a walk of all holders against the first export",
	    holders_export, 2, 0, 3, 1);

static void holders_close(void)
{
	begin(true);
	handle_close(files[0], handle);
	run(close_fd, NULL);
	end();
}
EX_SCENARIO(holders_close, "holders-close", "a walk against the last close of an object's buffer",
	    holders_close, 2, 0, 2, 1);

static void holders_import(void)
{
	begin(true);
	stay = 1;
	run(import, NULL);
	end();
}
EX_SCENARIO(holders_import, "holders-import", "a walk against an import", holders_import, 2, 0, 3,
	    1);

static void holders_import_close(void)
{
	begin(true);
	run(import, close_fd);
	end();
}
EX_SCENARIO(holders_import_close, "holders-import-close",
	    "a walk, an import and the close of the fd", holders_import_close, 2, 0, 2, 1);

static void holders_handle(void)
{
	begin(true);
	stay = 1;
	run(close_handle, NULL);
	end();
}
EX_SCENARIO(holders_handle, "holders-close-handle",
	    "a walk against the close of an exported handle", holders_handle, 2, 0, 3, 1);

/* What is imported has no other holder but the handle. */
static void import_only(void)
{
	imported = fd_to_handle(files[1], fd);
	handle_close(files[0], handle);
	ex_close(fd);
}

static void holders_import_handle(void)
{
	begin(true);
	import_only();
	run(close_import, NULL);
	end();
}
EX_SCENARIO(holders_import_handle, "holders-close-import",
	    "a walk against the close of the last handle, which is of an import",
	    holders_import_handle, 2, 0, 2, 1);

static void holders_file(void)
{
	begin(true);
	import_only();
	run(close_importer, NULL);
	end();
}
EX_SCENARIO(holders_file, "holders-file-close",
	    "a walk against the close of a DRM file with an import", holders_file, 2, 0, 2, 1);

static void holders_file_file(void)
{
	begin(true);
	imported = fd_to_handle(files[1], fd);
	ex_close(fd);
	run(close_importer, close_exporter);
	end();
}
EX_SCENARIO(holders_file_file, "holders-files-close",
	    "a walk, the close of the importer's file and of the exporter's", holders_file_file,
	    1, 0, 2, 0);

/* --- framebuffers --- */

static void begin_fb(void)
{
	begin(true);
	import_only();
	object = object_get(files[1], imported);
	CHECK(fb_add(files[1], object));
	drm_gem_object_put(object);
	ex_user_return();
}

static void remove_fb(void) { with_node(1, fb_remove); }

static void holders_fb(void)
{
	begin_fb();
	stay = 1;
	run(remove_fb, NULL);
	end();
}
EX_SCENARIO(holders_fb, "holders-fb", "a walk against the removal of a framebuffer", holders_fb,
	    2, 0, 3, 1);

static void holders_fb_handle(void)
{
	begin_fb();
	run(remove_fb, close_import);
	end();
}
EX_SCENARIO(holders_fb_handle, "holders-fb-close-import",
	    "a walk, the removal of a framebuffer and the close of its object's handle",
	    holders_fb_handle, 1, 0, 2, 0);

/* --- descriptors, mappings and processes --- */

static void map(void)
{
	ex_mmap(fd);
}

static void holders_map(void)
{
	begin(true);
	run(map, close_fd);
	end();
}
EX_SCENARIO(holders_map, "holders-mmap-close", "a walk, a mapping of user space and the last close",
	    holders_map, 2, 0, 2, 1);

static void unmap(void)
{
	ex_munmap();
}

static void holders_unmap(void)
{
	begin(true);
	handle_close(files[0], handle);
	CHECK(ex_mmap(fd));
	ex_close(fd);
	run(unmap, NULL);
	end();
}
EX_SCENARIO(holders_unmap, "holders-munmap", "a walk against the last unmap of user space",
	    holders_unmap, 2, 0, 2, 1);

static struct task_struct *other;

static void exit_other(void)
{
	ex_process_exit(other);
}

/* Only the other process has the buffer, in a descriptor and a mapping, and a DRM file. */
static void holders_exit(void)
{
	begin(true);
	other = ex_process_new(fd, nodes[1]);
	handle_close(files[0], handle);
	ex_close(fd);
	ex_close(nodes[0]);
	ex_close(nodes[1]);
	run(exit_other, NULL);
	end();
}
EX_SCENARIO(holders_exit, "holders-exit",
	    "a walk against the exit of the process that has the buffer", holders_exit, 2, 0, 2, 1);

static void holders_exit_close(void)
{
	begin(true);
	other = ex_process_new(fd, nodes[1]);
	handle_close(files[0], handle);
	run(exit_other, close_fd);
	end();
}
EX_SCENARIO(holders_exit_close, "holders-exit-close",
	    "a walk, the exit of a process and a close, which share the file", holders_exit_close,
	    1, 0, 2, 0);

static void kill_walk(void)
{
	ex_kill(1);
}

static void holders_kill(void)
{
	begin(true);
	run(kill_walk, close_fd);
	end();
}
EX_SCENARIO(holders_kill, "holders-kill-close", "a walk, a fatal signal for it and a close",
	    holders_kill, 2, 0, 2, 1);

/* Without DRM files a walk is short enough for two of them. */
static void holders_two(void)
{
	begin(true);
	handle_close(files[0], handle);
	ex_close(nodes[0]);
	ex_close(nodes[1]);
	run(walk, close_fd);
	end();
}
EX_SCENARIO(holders_two, "holders-two-close", "two walks and the last close", holders_two,
	    1, 0, 2, 0);

/* --- messages: a socket with an unread message, which alone has the file --- */

struct list_head net_namespace_list = LIST_HEAD_INIT(net_namespace_list);
static struct net *net;
static struct unix_sock *receiver;
static int receiver_fd;

static struct sk_buff *message_take(void)
{
	struct sk_buff *skb;

	spin_lock(&receiver->sk.sk_receive_queue.lock);
	skb = __skb_dequeue(&receiver->sk.sk_receive_queue);
	spin_unlock(&receiver->sk.sk_receive_queue.lock);
	if (skb)
		atomic_dec(&receiver->scm_stat.nr_fds);
	return skb;
}

static void message_free(struct sk_buff *skb)
{
	struct scm_fp_list *fp = UNIXCB(skb).fp;

	kfree(skb);
	fput(fp->fp[0]);
	kfree(fp);
}

static int socket_release(struct inode *inode, struct file *file)
{
	struct socket *sock = file->private_data;
	struct sk_buff *skb;

	spin_lock(&net->unx.table.locks[0]);
	__sk_del_node_init(&receiver->sk);
	spin_unlock(&net->unx.table.locks[0]);
	while ((skb = message_take()))
		message_free(skb);
	kfree(receiver);
	kfree(sock);
	return 0;
}

static const struct file_operations socket_fops = { .release = socket_release };

struct socket *sock_from_file(struct file *file)
{
	return file->f_op == &socket_fops ? file->private_data : NULL;
}

static void begin_message(void)
{
	struct socket *sock = kzalloc(sizeof(*sock), GFP_KERNEL);
	struct sk_buff *skb = kzalloc(sizeof(*skb), GFP_KERNEL);
	struct scm_fp_list *fp = kzalloc(sizeof(*fp), GFP_KERNEL);
	int i;

	begin(true);
	handle_close(files[0], handle);
	net = kzalloc(sizeof(*net), GFP_KERNEL);
	net->unx.table.locks = kvcalloc(UNIX_HASH_SIZE, sizeof(spinlock_t), GFP_KERNEL);
	net->unx.table.buckets = kvcalloc(UNIX_HASH_SIZE, sizeof(struct hlist_head), GFP_KERNEL);
	for (i = 0; i < UNIX_HASH_SIZE; i++)
		spin_lock_init(&net->unx.table.locks[i]);
	list_add(&net->list, &net_namespace_list);

	receiver = kzalloc(sizeof(*receiver), GFP_KERNEL);
	receiver->sk.sk_family = AF_UNIX;
	skb_queue_head_init(&receiver->sk.sk_receive_queue);
	mutex_init(&receiver->iolock);
	__sk_add_node(&receiver->sk, &net->unx.table.buckets[0]);
	fp->fp[0] = fget(fd);
	fp->count = 1;
	UNIXCB(skb).fp = fp;
	__skb_queue_tail(&receiver->sk.sk_receive_queue, skb);
	atomic_inc(&receiver->scm_stat.nr_fds);
	ex_close(fd);

	sock->sk = &receiver->sk;
	receiver_fd = get_unused_fd_flags(0);
	fd_install(receiver_fd, anon_inode_getfile("socket", &socket_fops, sock, O_RDWR));
}

static void end_message(void)
{
	ex_files_end();
	list_del(&net->list);
	kvfree(net->unx.table.locks);
	kvfree(net->unx.table.buckets);
	kfree(net);
	end();
}

/* Takes the file out of the message, and closes it. */
static void receive(void)
{
	struct file *file = fget(receiver_fd);
	struct sk_buff *skb;

	if (!file)
		return;
	mutex_lock(&receiver->iolock);
	skb = message_take();
	mutex_unlock(&receiver->iolock);
	if (skb)
		message_free(skb);
	fput(file);
	ex_user_return();
}

static void close_socket(void)
{
	ex_close(receiver_fd);
}

static void holders_receive(void)
{
	begin_message();
	run(receive, NULL);
	end_message();
}
EX_SCENARIO(holders_receive, "holders-receive",
	    "a walk against a receiver that takes the last file out of a message", holders_receive,
	    2, 0, 2, 1);

static void holders_socket(void)
{
	begin_message();
	run(receive, close_socket);
	end_message();
}
EX_SCENARIO(holders_socket, "holders-receive-close",
	    "a walk, a receiver and the close of its socket", holders_socket, 1, 0, 2, 0);
