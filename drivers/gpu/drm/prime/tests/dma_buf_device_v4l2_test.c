// SPDX-License-Identifier: GPL-2.0
/*
 * Which device a V4L2 node stands for, and how it gets at its buffers. The node is
 * registered, and the file and its queues are made up, since no driver for a guest
 * has queues of two kinds.
 */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <media/v4l2-dev.h>
#include <media/v4l2-device.h>
#include <media/v4l2-fh.h>
#include <media/v4l2-mem2mem.h>
#include <media/videobuf2-dma-contig.h>
#include <media/videobuf2-vmalloc.h>

#include "../negotiate/internal.h"
#include "prime_test.h"

struct v4l2_fixture {
	struct device *(*ask)(struct file *file, unsigned int *how);
	const struct vb2_mem_ops *copied;
	const struct vb2_mem_ops *contiguous;
	struct device *parent;
	struct v4l2_device v4l2;
	struct video_device *vdev;
	struct v4l2_fh fh;
	struct v4l2_m2m_ctx m2m;
	struct file *file;
	struct device *answer;		/* of another thread */
	struct completion answered;
};

static const struct vb2_mem_ops other_memops;

static int no_open(struct file *file)
{
	return -ENODEV;
}

static const struct v4l2_file_operations node_fops = {
	.owner = THIS_MODULE,
	.open = no_open,
	.release = no_open,
};

static const struct file_operations file_fops = {
	.owner = THIS_MODULE,
};

static int v4l2_init(struct kunit *test)
{
	struct v4l2_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fix);
	test->priv = fix;
	init_completion(&fix->answered);
	fix->ask = symbol_request(dma_buf_device_of_v4l2);
	fix->copied = symbol_request(vb2_vmalloc_memops);
	fix->contiguous = symbol_request(vb2_dma_contig_memops);
	if (!fix->ask || !fix->copied || !fix->contiguous)
		kunit_skip(test, "needs dma_buf_device_v4l2, videobuf2-vmalloc and -dma-contig");
	fix->parent = prime_test_device(test);
	KUNIT_ASSERT_EQ(test, v4l2_device_register(fix->parent, &fix->v4l2), 0);
	fix->vdev = video_device_alloc();
	KUNIT_ASSERT_NOT_NULL(test, fix->vdev);
	fix->vdev->v4l2_dev = &fix->v4l2;
	fix->vdev->fops = &node_fops;
	fix->vdev->release = video_device_release;
	fix->vdev->vfl_dir = VFL_DIR_M2M;
	fix->vdev->device_caps = V4L2_CAP_VIDEO_M2M;
	set_bit(V4L2_FL_USES_V4L2_FH, &fix->vdev->flags);
	KUNIT_ASSERT_EQ(test, video_register_device(fix->vdev, VFL_TYPE_VIDEO, -1), 0);

	fix->file = anon_inode_create_getfile("node", &file_fops, &fix->fh, O_RDWR, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(fix->file));
	file_inode(fix->file)->i_mode = S_IFCHR | 0600;
	file_inode(fix->file)->i_rdev = fix->vdev->dev.devt;
	file_inode(fix->file)->i_cdev = fix->vdev->cdev;
	fix->fh.m2m_ctx = &fix->m2m;
	return 0;
}

static void v4l2_exit(struct kunit *test)
{
	struct v4l2_fixture *fix = test->priv;

	if (!fix)
		return;
	if (!IS_ERR_OR_NULL(fix->file)) {
		/* No open has taken a reference to it. */
		file_inode(fix->file)->i_cdev = NULL;
		fput(fix->file);
	}
	video_unregister_device(fix->vdev);
	v4l2_device_unregister(&fix->v4l2);
	if (fix->contiguous)
		symbol_put(vb2_dma_contig_memops);
	if (fix->copied)
		symbol_put(vb2_vmalloc_memops);
	if (fix->ask)
		symbol_put(dma_buf_device_of_v4l2);
}

static void expect_node(struct kunit *test, struct device *wanted, unsigned int wanted_how)
{
	struct v4l2_fixture *fix = test->priv;
	unsigned int refs = kref_read(&wanted->kobj.kref);
	unsigned int how = 0;
	struct device *dev = fix->ask(fix->file, &how);

	KUNIT_EXPECT_PTR_EQ(test, dev, wanted);
	KUNIT_EXPECT_EQ(test, how, wanted_how);
	if (IS_ERR(dev))
		return;
	KUNIT_EXPECT_EQ(test, kref_read(&wanted->kobj.kref), refs + 1);
	put_device(dev);
}

/* A decoder may copy its input by the processor, and have its output written by DMA. */
static void two_queues(struct kunit *test)
{
	struct v4l2_fixture *fix = test->priv;
	const struct {
		const struct vb2_mem_ops *out, *capture;
		unsigned int how;
	} pairs[] = {
		{ fix->copied, fix->copied, DMA_BUF_DEVICE_PROCESSOR },
		{ fix->copied, fix->contiguous, DMA_BUF_DEVICE_ONE_ADDRESS },
		{ fix->contiguous, fix->copied, DMA_BUF_DEVICE_ONE_ADDRESS },
		{ fix->contiguous, &other_memops, DMA_BUF_DEVICE_ONE_ADDRESS },
		{ fix->copied, &other_memops, 0 },
		{ &other_memops, fix->copied, 0 },
		{ &other_memops, &other_memops, 0 },
	};
	struct device *own = prime_test_device(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(pairs); i++) {
		fix->m2m.out_q_ctx.q.mem_ops = pairs[i].out;
		fix->m2m.cap_q_ctx.q.mem_ops = pairs[i].capture;
		expect_node(test, fix->parent, pairs[i].how);
	}
	/* Only a queue that does DMA has to have a device. */
	fix->m2m.cap_q_ctx.q.dev = own;
	expect_node(test, own, 0);
	swap(fix->m2m.cap_q_ctx.q.dev, fix->m2m.out_q_ctx.q.dev);
	expect_node(test, own, 0);
}

static void one_queue(struct kunit *test)
{
	struct v4l2_fixture *fix = test->priv;
	struct vb2_queue queue = { .mem_ops = fix->copied };

	fix->vdev->queue = &queue;
	expect_node(test, fix->parent, DMA_BUF_DEVICE_PROCESSOR);
	queue.mem_ops = fix->contiguous;
	queue.dev = prime_test_device(test);
	expect_node(test, queue.dev, DMA_BUF_DEVICE_ONE_ADDRESS);
	fix->vdev->queue = NULL;
	/* None: the node may be a radio. */
	fix->fh.m2m_ctx = NULL;
	expect_node(test, fix->parent, 0);
}

/* A CUSE program that ended has left a file of the number that the node has now. */
static void left_by_another(struct kunit *test)
{
	struct v4l2_fixture *fix = test->priv;
	unsigned int how = 0;
	struct cdev other;

	file_inode(fix->file)->i_cdev = &other;
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(fix->ask(fix->file, &how)), -ENODEV);
}

static int asking_thread(void *data)
{
	struct v4l2_fixture *fix = data;
	unsigned int how;

	fix->answer = fix->ask(fix->file, &how);
	complete(&fix->answered);
	return 0;
}

/* The parent may be freed when the node has gone, so nobody gets hold of it then. */
static void goes_meanwhile(struct kunit *test)
{
	struct v4l2_fixture *fix = test->priv;
	struct task_struct *task = kthread_create(asking_thread, fix, "prime-ask");

	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	get_task_struct(task);
	device_lock(&fix->vdev->dev);
	wake_up_process(task);
	KUNIT_EXPECT_TRUE(test, prime_test_wait(completion_done(&fix->answered) ||
						READ_ONCE(task->__state) == TASK_INTERRUPTIBLE));
	/* As video_unregister_device() does, which then waits for this lock. */
	clear_bit(V4L2_FL_REGISTERED, &fix->vdev->flags);
	device_unlock(&fix->vdev->dev);
	wait_for_completion(&fix->answered);
	put_task_struct(task);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(fix->answer), -ENODEV);
	if (!IS_ERR(fix->answer))
		put_device(fix->answer);
	set_bit(V4L2_FL_REGISTERED, &fix->vdev->flags);
}

static struct kunit_case dma_buf_device_v4l2_cases[] = {
	KUNIT_CASE(two_queues),
	KUNIT_CASE(one_queue),
	KUNIT_CASE(left_by_another),
	KUNIT_CASE(goes_meanwhile),
	{}
};

static struct kunit_suite dma_buf_device_v4l2_suite = {
	.name = "dma_buf_device_v4l2",
	.init = v4l2_init,
	.exit = v4l2_exit,
	.test_cases = dma_buf_device_v4l2_cases,
};

kunit_test_suite(dma_buf_device_v4l2_suite);
