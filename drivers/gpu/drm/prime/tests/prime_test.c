// SPDX-License-Identifier: GPL-2.0
/*
 * Helpers that no single suite owns, and what the module says of itself.
 */
#include <linux/anon_inodes.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/fdtable.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/kthread.h>
#include <linux/sched/signal.h>

#include <kunit/device.h>

#include "prime_test.h"

bool prime_test_warn = true;
module_param_named(warn, prime_test_warn, bool, 0444);
MODULE_PARM_DESC(warn, "run the tests that make the kernel warn by design (default: Y)");

static const struct file_operations prime_test_fops = {
	.owner = THIS_MODULE,
	.llseek = noop_llseek,
};

static void put_file(void *file)
{
	fput(file);
}

/* A file that is no dma-buf. */
struct file *prime_test_file(struct kunit *test)
{
	struct file *file = anon_inode_getfile("prime-test", &prime_test_fops, NULL, O_RDWR);

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_file, file), 0);
	return file;
}

/* The number the next descriptor would get: it grows with each one leaked. */
int prime_test_next_fd(void)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd >= 0)
		put_unused_fd(fd);
	return fd;
}

void prime_test_close_fd(struct kunit *test, int fd)
{
	KUNIT_EXPECT_EQ(test, close_fd(fd), 0);
	flush_delayed_fput();
}

/* The test thread has a signal struct, hence limits, of its own. */
void prime_test_set_nofile(unsigned long limit)
{
	current->signal->rlim[RLIMIT_NOFILE].rlim_cur = limit;
}

/* One anonymous page of user memory; the memory goes with the test's thread. */
void __user *prime_test_user_page(struct kunit *test, unsigned long prot)
{
	unsigned long addr = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, prot,
					   MAP_ANONYMOUS | MAP_PRIVATE, 0);

	KUNIT_ASSERT_NE(test, addr, 0UL);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	return (void __user *)addr;
}

static int read_only_mmap(struct file *file, struct vm_area_struct *vma)
{
	vm_flags_clear(vma, VM_MAYWRITE);
	return remap_pfn_range(vma, vma->vm_start, virt_to_phys(file->private_data) >> PAGE_SHIFT,
			       PAGE_SIZE, vma->vm_page_prot);
}

static const struct file_operations read_only_fops = {
	.owner = THIS_MODULE,
	.mmap = read_only_mmap,
};

static void free_page_of(void *page)
{
	free_page((unsigned long)page);
}

/* Address of a copy of @data that user space may read and not write. */
unsigned long prime_test_user_read_only(struct kunit *test, const void *data, size_t size)
{
	void *page = (void *)get_zeroed_page(GFP_KERNEL);
	struct file *file;
	unsigned long addr;

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_page_of, page), 0);
	memcpy(page, data, size);
	file = anon_inode_getfile("prime-test-page", &read_only_fops, page, O_RDWR);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	addr = kunit_vm_mmap(test, file, 0, PAGE_SIZE, PROT_READ, MAP_SHARED, 0);
	fput(file);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	return addr;
}

static void put_vma_file(void *data)
{
	struct vm_area_struct *vma = data;

	fput(vma->vm_file);
}

/* An area that belongs to no address space: enough for an mmap callback. */
struct vm_area_struct *prime_test_vma(struct kunit *test, struct file *file,
				      unsigned long pages, unsigned long pgoff)
{
	struct vm_area_struct *vma = kunit_kzalloc(test, sizeof(*vma), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vma);
	vma->vm_start = PAGE_SIZE;
	vma->vm_end = PAGE_SIZE + (pages << PAGE_SHIFT);
	vma->vm_pgoff = pgoff;
	vm_flags_init(vma, VM_READ | VM_WRITE | VM_SHARED);
	vma->vm_file = get_file(file);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_vma_file, vma), 0);
	return vma;
}

/* A module that nobody has loaded, with one reference; for tests that are built in, too. */
struct module *prime_test_module(struct kunit *test, enum module_state state)
{
	struct module *mod = kunit_kzalloc(test, sizeof(*mod), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mod);
	mod->state = state;
#ifdef CONFIG_MODULE_UNLOAD
	atomic_set(&mod->refcnt, 1);
#endif
	return mod;
}

/* A device that reaches all memory. */
struct device *prime_test_device(struct kunit *test)
{
	static atomic_t number = ATOMIC_INIT(0);
	struct device *dev;
	char name[32];

	/* The bus refuses two devices of one name. */
	snprintf(name, sizeof(name), "prime-test-%d", atomic_inc_return(&number));
	dev = kunit_device_register(test, name);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dev));
	KUNIT_ASSERT_EQ(test, dma_set_mask(dev, DMA_BIT_MASK(64)), 0);
	return dev;
}

/*
 * How much memory is free below @end, in bytes. Only blocks count from which
 * alloc_contig_range() takes some: it takes none from a pageblock with a page of the
 * kernel.
 */
u64 prime_test_free_below(u64 end)
{
	const unsigned int least = min(pageblock_order, get_order(SZ_4M));
	unsigned long pfn, n = 0;

	for (pfn = 0; pfn < PHYS_PFN(end); pfn += 1UL << least) {
		struct page *page = pfn_valid(pfn) ? pfn_to_page(pfn) : NULL;
		/* Read once: somebody may take the block meanwhile. */
		unsigned long order = page && PageBuddy(page) ? READ_ONCE(page->private) : 0;

		if (order >= least && order <= MAX_PAGE_ORDER)
			n += 1UL << order;
	}
	return PFN_PHYS(n);
}

/*
 * The mask of @bits, or of as many more as it takes until memory is free below
 * it: machines differ in where theirs begins, and some have the kernel there.
 */
u64 prime_test_low_mask(unsigned int bits)
{
	const u64 wanted = min_t(u64, BIT_ULL(min(bits, 63u)) / 2, SZ_64M);

	while (bits < 32 && prime_test_free_below(BIT_ULL(bits)) < wanted)
		bits++;
	return DMA_BIT_MASK(bits);
}

/* Makes the next interruptible wait of this thread end, with -ERESTARTSYS or (a lock) -EINTR. */
void prime_test_signal_self(void)
{
	allow_signal(SIGUSR1);
	send_sig(SIGUSR1, current, 1);
}

/* Makes this thread one that is being killed, until prime_test_signal_clear(). */
void prime_test_kill_self(void)
{
	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
}

void prime_test_signal_clear(void)
{
	disallow_signal(SIGKILL);
	disallow_signal(SIGUSR1);
	flush_signals(current);
}

/* Ten seconds are as good as for ever, and end a test that can't be interrupted. */
static int holder_thread(void *data)
{
	struct prime_test_holder *holder = data;

	dma_resv_lock(holder->resv, NULL);
	complete(&holder->held);
	if (holder->meanwhile)
		holder->meanwhile(holder->data);
	else
		wait_for_completion_timeout(&holder->let_go, 10 * HZ);
	dma_resv_unlock(holder->resv);
	complete(&holder->gone);
	return 0;
}

void prime_test_hold(struct kunit *test, struct prime_test_holder *holder)
{
	struct task_struct *task;

	init_completion(&holder->held);
	init_completion(&holder->let_go);
	init_completion(&holder->gone);
	task = kthread_run(holder_thread, holder, "prime-holder");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	wait_for_completion(&holder->held);
}

void prime_test_let_go(struct prime_test_holder *holder)
{
	complete(&holder->let_go);
	wait_for_completion(&holder->gone);
}

MODULE_DESCRIPTION("KUnit tests of the dma-buf core and the DRM GEM PRIME layer");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
