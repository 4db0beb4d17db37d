// SPDX-License-Identifier: MIT
/*
 * vim2m is unbound while a job runs, and its file is closed. The end of the job queues a
 * work of the device. Nobody waits for the work: the device is freed, and then the work
 * runs. The thread that closes has a real-time priority on the worker's processor, so that
 * it always comes first. The trace shows the order of the two. The kernel may crash: run this
 * in a guest. slab_debug=P on its command line poisons what is freed; then it should crash.
 * usage: 16-m2m-freed-work   (vim2m that nobody uses; tracefs, root)
 */
#include "reproducer.h"

#include <pthread.h>
#include <sched.h>
#include <linux/videodev2.h>

#define DRIVER		"/sys/bus/platform/drivers/vim2m/"
#define DEVICE		"vim2m.0"
#define TRACE		"/sys/kernel/tracing/"
#define JOB_TIME	(V4L2_CID_USER_BASE + 0x1000)	/* a control of vim2m */
#define JOB_MS		1000	/* longer than the unbinding takes */

static int open_node(void)
{
	struct v4l2_capability capability;
	char path[32];

	for (int i = 0; i < 64; i++) {
		int node;

		snprintf(path, sizeof(path), "/dev/video%d", i);
		node = open(path, O_RDWR | O_CLOEXEC);
		if (node >= 0 && !ioctl(node, VIDIOC_QUERYCAP, &capability) &&
		    !strcmp((char *)capability.driver, "vim2m"))
			return node;
		if (node >= 0)
			close(node);
	}
	end(SKIP, "no node of vim2m");
}

static void start(int node, unsigned int type)
{
	struct v4l2_requestbuffers request = {
		.count = 1, .type = type, .memory = V4L2_MEMORY_MMAP,
	};
	struct v4l2_buffer buffer = { .type = type, .memory = V4L2_MEMORY_MMAP };

	step(ioctl(node, VIDIOC_REQBUFS, &request));
	step(ioctl(node, VIDIOC_QUERYBUF, &buffer));
	buffer.bytesused = buffer.length;
	buffer.field = V4L2_FIELD_NONE;
	step(ioctl(node, VIDIOC_QBUF, &buffer));
	step(ioctl(node, VIDIOC_STREAMON, &type));
}

/* Keeps the processor busy: an idle one might leave the job's timer to another. */
static void *spin(void *unused)
{
	for (;;)
		;
	return unused;
}

/* The job's work is queued on the processor where the job has begun. */
static void stay_here(void)
{
	pthread_t thread;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(step(sched_getcpu()), &one);
	step(sched_setaffinity(0, sizeof(one), &one));
	if (pthread_create(&thread, NULL, spin, NULL))
		end(SKIP, "no thread");
}

/* The frees that the filter lets through, and all works. */
static void trace(const char *on, const char *filter)
{
	put(TRACE "events/kmem/kfree/filter", filter);
	put(TRACE "events/kmem/kfree/enable", on);
	put(TRACE "events/workqueue/workqueue_execute_start/enable", on);
}

static int ran_after_free(void)
{
	FILE *file = fopen(TRACE "trace", "r");
	int freed = 0, ran = 0;
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		/* v4l2_m2m_release() may end with a jump to kfree(). */
		if (strstr(line, "kfree: call_site=v4l2_m2m_release+") ||
		    strstr(line, "kfree: call_site=vim2m_device_release+"))
			freed = 1;
		else if (freed && strstr(line, "v4l2_m2m_device_run_work"))
			ran = 1;
	}
	if (!freed)
		end(SKIP, "the trace does not have the free of the device");
	return ran;
}

int main(void)
{
	struct sched_param first = { .sched_priority = 1 }, usual = { .sched_priority = 0 };
	struct v4l2_control time = { .id = JOB_TIME, .value = JOB_MS };
	int node = open_node(), ran = 0;
	char mine[32];

	stay_here();
	step(ioctl(node, VIDIOC_S_CTRL, &time));
	start(node, V4L2_BUF_TYPE_VIDEO_OUTPUT);
	start(node, V4L2_BUF_TYPE_VIDEO_CAPTURE);
	put(DRIVER "unbind", DEVICE);
	close(step(open(TRACE "trace", O_WRONLY | O_TRUNC | O_CLOEXEC)));
	snprintf(mine, sizeof(mine), "common_pid == %d", getpid());
	trace("1", mine);
	step(sched_setscheduler(0, SCHED_FIFO, &first));
	/* It waits for the end of the job. */
	close(node);
	step(sched_setscheduler(0, SCHED_OTHER, &usual));
	/* On a kernel that is right nothing comes, so no state says that enough time has passed. */
	wait_for((ran = ran_after_free()));
	trace("0", "0");
	put(DRIVER "bind", DEVICE);
	if (ran)
		end(WRONG, "the device is freed, and then its work runs");
	end(RIGHT, "no work of the device runs after it is freed");
}
