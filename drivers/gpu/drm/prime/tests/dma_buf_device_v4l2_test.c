// SPDX-License-Identifier: GPL-2.0
/*
 * Which device a V4L2 node stands for, and how it gets at its buffers; and which
 * node can be tried, under which locks. The node is registered, and the file and
 * its queues are made up, since no driver for a guest has queues of two kinds.
 */
#include <linux/anon_inodes.h>
#include <linux/dma-buf-constraints.h>
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
#include "../try/internal.h"
#include "prime_test.h"

struct v4l2_fixture {
	struct device *(*ask)(struct file *file, unsigned int *how);
	int (*try)(struct file *file, struct dma_buf *dmabuf, u32 *judged);
	const struct vb2_mem_ops *copied;
	const struct vb2_mem_ops *contiguous;
	struct device *parent;
	struct v4l2_device v4l2;
	struct video_device *vdev;
	struct v4l2_fh fh;
	struct v4l2_m2m_ctx m2m;
	struct file *file;
	struct vb2_queue queue;		/* to be tried */
	struct mutex lock;		/* of @queue */
	struct device *answer;		/* of another thread */
	int tried;			/* the same */
	struct completion answered;
};

static const struct vb2_mem_ops other_memops;

/* An attempt with the right device and locks ends here, with an errno that nothing else gives. */
static void *attach_says(struct vb2_buffer *vb, struct device *dev, struct dma_buf *dmabuf,
			 unsigned long size)
{
	struct v4l2_fixture *fix = container_of(vb->vb2_queue, struct v4l2_fixture, queue);

	return ERR_PTR(dev == fix->parent && mutex_is_locked(&fix->lock) &&
		       mutex_is_locked(&fix->vdev->dev.mutex) ? -EXFULL : -EBADR);
}

static int never_maps(void *mem)
{
	return -EBADR;
}

static void never(void *mem)
{
}

static const struct vb2_mem_ops tried_memops = {
	.attach_dmabuf = attach_says,
	.map_dmabuf = never_maps,
	.unmap_dmabuf = never,
	.detach_dmabuf = never,
};

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
	mutex_init(&fix->lock);
	fix->queue = (struct vb2_queue){
		.io_modes = VB2_DMABUF, .mem_ops = &tried_memops, .lock = &fix->lock,
	};
	fix->ask = symbol_request(dma_buf_device_of_v4l2);
	/* NULL without DRM_PRIME_TRY_DEVICE. */
	fix->try = symbol_request(dma_buf_v4l2_try);
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
	if (fix->try)
		symbol_put(dma_buf_v4l2_try);
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
	/* One of the queues may have no device: one that does no DMA needs none. */
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

/* Whatever is tried gives EXFULL. */
static int try_node(struct kunit *test)
{
	struct v4l2_fixture *fix = test->priv;
	struct dma_buf dmabuf = { .size = PAGE_SIZE };
	u32 judged = 0;
	int ret;

	if (!fix->try)
		kunit_skip(test, "the kernel can't try devices");
	ret = fix->try(fix->file, &dmabuf, &judged);
	KUNIT_EXPECT_EQ(test, judged, ret == -EXFULL ? DMA_BUF_TRY_MAPPING : 0);
	return ret;
}

/* V4L2 tells the queue, its lock and its operations; all three have to be there. */
static void tried(struct kunit *test)
{
	struct v4l2_fixture *fix = test->priv;

	/* Two queues, without a lock. */
	KUNIT_EXPECT_EQ(test, try_node(test), -EOPNOTSUPP);
	/* None. */
	fix->fh.m2m_ctx = NULL;
	KUNIT_EXPECT_EQ(test, try_node(test), -EOPNOTSUPP);

	fix->vdev->queue = &fix->queue;
	KUNIT_EXPECT_EQ(test, try_node(test), -EXFULL);
	fix->queue.io_modes = VB2_MMAP;
	KUNIT_EXPECT_EQ(test, try_node(test), -EOPNOTSUPP);
	fix->queue.io_modes = VB2_DMABUF;
	fix->queue.mem_ops = &other_memops;
	KUNIT_EXPECT_EQ(test, try_node(test), -EOPNOTSUPP);
	fix->queue.mem_ops = &tried_memops;
	fix->queue.owner = fix->vdev;
	KUNIT_EXPECT_EQ(test, try_node(test), -EBUSY);
	fix->queue.owner = NULL;
	/* A queue that has no lock uses the node's. */
	fix->queue.lock = NULL;
	KUNIT_EXPECT_EQ(test, try_node(test), -EOPNOTSUPP);
	fix->vdev->lock = &fix->lock;
	KUNIT_EXPECT_EQ(test, try_node(test), -EXFULL);
	KUNIT_EXPECT_FALSE(test, mutex_is_locked(&fix->lock));
	KUNIT_EXPECT_FALSE(test, mutex_is_locked(&fix->vdev->dev.mutex));
	fix->vdev->lock = NULL;
	fix->vdev->queue = NULL;
}

/* A CUSE program that ended has left a file of the number that the node has now. */
static void left_by_another(struct kunit *test)
{
	struct v4l2_fixture *fix = test->priv;
	unsigned int how = 0;
	struct cdev other;

	file_inode(fix->file)->i_cdev = &other;
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(fix->ask(fix->file, &how)), -ENODEV);
	fix->vdev->queue = &fix->queue;
	KUNIT_EXPECT_EQ(test, try_node(test), -ENODEV);
	fix->vdev->queue = NULL;
}

static int asking_thread(void *data)
{
	struct v4l2_fixture *fix = data;
	unsigned int how;

	fix->answer = fix->ask(fix->file, &how);
	complete(&fix->answered);
	return 0;
}

static int trying_thread(void *data)
{
	struct v4l2_fixture *fix = data;
	struct dma_buf dmabuf = { .size = PAGE_SIZE };
	u32 judged;

	fix->tried = fix->try(fix->file, &dmabuf, &judged);
	complete(&fix->answered);
	return 0;
}

/* The node goes while another thread waits for its lock. */
static void go_meanwhile(struct kunit *test, int (*thread)(void *fix))
{
	struct v4l2_fixture *fix = test->priv;
	struct task_struct *task = kthread_create(thread, fix, "prime-ask");

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
	set_bit(V4L2_FL_REGISTERED, &fix->vdev->flags);
}

/* The parent may be freed when the node has gone, so nobody gets hold of it then. */
static void goes_meanwhile(struct kunit *test)
{
	struct v4l2_fixture *fix = test->priv;

	go_meanwhile(test, asking_thread);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(fix->answer), -ENODEV);
	if (!IS_ERR(fix->answer))
		put_device(fix->answer);
}

/* The same for its queue. */
static void goes_before_attempt(struct kunit *test)
{
	struct v4l2_fixture *fix = test->priv;

	fix->vdev->queue = &fix->queue;
	KUNIT_EXPECT_EQ(test, try_node(test), -EXFULL);
	go_meanwhile(test, trying_thread);
	KUNIT_EXPECT_EQ(test, fix->tried, -ENODEV);
	clear_bit(V4L2_FL_REGISTERED, &fix->vdev->flags);
	KUNIT_EXPECT_EQ(test, try_node(test), -ENODEV);
	set_bit(V4L2_FL_REGISTERED, &fix->vdev->flags);
	fix->vdev->queue = NULL;
}

static struct kunit_case dma_buf_device_v4l2_cases[] = {
	KUNIT_CASE(two_queues),
	KUNIT_CASE(one_queue),
	KUNIT_CASE(tried),
	KUNIT_CASE(left_by_another),
	KUNIT_CASE(goes_meanwhile),
	KUNIT_CASE(goes_before_attempt),
	{}
};

static struct kunit_suite dma_buf_device_v4l2_suite = {
	.name = "dma_buf_device_v4l2",
	.init = v4l2_init,
	.exit = v4l2_exit,
	.test_cases = dma_buf_device_v4l2_cases,
};

kunit_test_suite(dma_buf_device_v4l2_suite);
