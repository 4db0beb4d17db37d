// SPDX-License-Identifier: MIT
/**
 * TEST: vfio dmabuf
 * Description: The memory of a PCI device as a dma-buf of vfio-pci, used by another
 *  PCI device. An ivshmem device has the memory, and an edu device has a DMA engine.
 *  This program drives the engine itself with the buffer mapped by iommufd, or
 *  prime_edu does, which imports the buffer for peer-to-peer DMA. Bytes arrive as
 *  long as the memory may be used, and none arrives after it was revoked.
 *
 * Linux 7.3 and later. The two devices are taken from their drivers, so the
 * program needs --destructive. It is compiled by scripts/selftests, as it needs
 * the headers of that kernel.
 */
#include "lib/prime_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <linux/dma-heap.h>
#include <linux/iommufd.h>
#include <linux/pci_regs.h>
#include <linux/sync_file.h>
#include <linux/vfio.h>
#include <drm/prime_edu.h>

#define SENT		2048	/* QEMU 7.2 aborts when edu moves 4096 */
#define PCI		"/sys/bus/pci/devices/"
#define DRIVERS		"/sys/bus/pci/drivers/"
#define BAR_IOVA	0x1000000	/* edu reaches 28 bits */
#define RAM_IOVA	0x2000000
#define SECOND_IOVA	0x3000000
#define MAP_FLAGS	(IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |	\
			 IOMMU_IOAS_MAP_WRITEABLE)

/* The registers of edu, and where its buffer is for its DMA engine. */
enum { EDU_SOURCE = 0x80, EDU_TARGET = 0x88, EDU_COUNT = 0x90, EDU_COMMAND = 0x98 };
enum { EDU_RUN = 1, EDU_WRITE = 2, EDU_BUFFER = 0x40000 };

struct device {
	char name[64];		/* its address on the bus */
	int fd;
	uint64_t config;	/* where its configuration begins in fd */
	uint8_t *bar;
	size_t size;
};

static struct device shm, edu;
static int iommu;
static uint32_t ioas;
static uint8_t *ram;

/* --- devices --- */

static bool has_id(const char *name, const char *vendor, const char *device)
{
	char path[PATH_MAX], *text;
	bool same;

	snprintf(path, sizeof(path), PCI "%s/vendor", name);
	text = read_text(path);
	same = text && !strncmp(text, vendor, strlen(vendor));
	free(text);
	snprintf(path, sizeof(path), PCI "%s/device", name);
	text = read_text(path);
	same = same && text && !strncmp(text, device, strlen(device));
	free(text);
	return same;
}

static void find_device(struct device *dev, const char *vendor, const char *device)
{
	DIR *dir = opendir(PCI);
	struct dirent *entry;

	check(dir);
	dev->name[0] = '\0';
	while ((entry = readdir(dir)))
		if (has_id(entry->d_name, vendor, device))
			snprintf(dev->name, sizeof(dev->name), "%.63s", entry->d_name);
	closedir(dir);
	if (!dev->name[0])
		prime_skip("no PCI device %s:%s", vendor, device);
}

static int tell_driver(const struct device *dev, const char *driver, const char *file)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DRIVERS "%s/%s", driver, file);
	return write_text(path, dev->name);
}

/* The same, when the subtest ends. */
static void tell_driver_later(const struct device *dev, const char *driver, const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), DRIVERS "%s/%s", driver, file);
	undo_later(write_back, path, dev->name);
}

/* Takes the device from the driver that has it, if that is another one, until the subtest ends. */
static void bind_to(const struct device *dev, const char *driver)
{
	char path[PATH_MAX], link[PATH_MAX] = "", *name, *before;

	snprintf(path, sizeof(path), PCI "%s/driver", dev->name);
	if (readlink(path, link, sizeof(link) - 1) > 0) {
		name = strrchr(link, '/') + 1;
		if (!strcmp(name, driver))
			return;
		tell_driver_later(dev, name, "bind");
		check_ok(tell_driver(dev, name, "unbind"));
	}
	snprintf(path, sizeof(path), PCI "%s/driver_override", dev->name);
	before = read_text(path);
	check(before);
	undo_later(write_back, path, strncmp(before, "(null)", 6) ? before : "");
	free(before);
	check_ok(write_text(path, driver));
	tell_driver_later(dev, driver, "unbind");
	check_ok(tell_driver(dev, driver, "bind"));
}

static int open_vfio(const struct device *dev)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;
	int fd = -1;

	snprintf(path, sizeof(path), PCI "%s/vfio-dev", dev->name);
	dir = opendir(path);
	check(dir);
	while (fd < 0 && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "vfio", 4)) {
			snprintf(path, sizeof(path), "/dev/vfio/devices/%s", entry->d_name);
			fd = open(path, O_RDWR | O_CLOEXEC);
		}
	closedir(dir);
	check(fd >= 0);
	return fd;
}

static struct vfio_region_info region(const struct device *dev, uint32_t index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	check_ok(xioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, &info));
	return info;
}

static void set_command(const struct device *dev, uint16_t set, uint16_t clear)
{
	uint16_t command;

	check_eq(pread(dev->fd, &command, 2, dev->config + PCI_COMMAND), 2);
	command = (command | set) & ~clear;
	check_eq(pwrite(dev->fd, &command, 2, dev->config + PCI_COMMAND), 2);
}

/* Opens the device, lets it use the address space of the test, maps its BAR. */
static void take_device(struct device *dev, uint32_t bar)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = iommu };
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach), .pt_id = ioas };
	struct vfio_region_info info;

	bind_to(dev, "vfio-pci");
	dev->fd = open_vfio(dev);
	check_ok(xioctl(dev->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind));
	check_ok(xioctl(dev->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach));
	dev->config = region(dev, VFIO_PCI_CONFIG_REGION_INDEX).offset;
	set_command(dev, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
	info = region(dev, bar);
	dev->size = info.size;
	dev->bar = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED, dev->fd, info.offset);
	check(dev->bar != MAP_FAILED);
}

static void map_ram(void)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map), .ioas_id = ioas, .iova = RAM_IOVA, .length = PAGE,
		.flags = MAP_FLAGS,
	};

	ram = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(ram != MAP_FAILED);
	map.user_va = (uintptr_t)ram;
	check_ok(xioctl(iommu, IOMMU_IOAS_MAP, &map));
}

static void begin_memory(void)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

	need_destructive("taking PCI devices from their drivers");
	find_device(&shm, "0x1af4", "0x1110");
	find_device(&edu, "0x1234", "0x11e8");
	iommu = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (iommu < 0)
		prime_skip("/dev/iommu: %s", strerror(errno));
	check_ok(xioctl(iommu, IOMMU_IOAS_ALLOC, &alloc));
	ioas = alloc.out_ioas_id;
	take_device(&shm, 2);
}

static void begin(void)
{
	begin_memory();
	take_device(&edu, 0);
	map_ram();
}

/* --- buffers --- */

static int export_bar(void)
{
	uint64_t memory[16] = {};
	struct vfio_device_feature *feature = (void *)memory;
	struct vfio_device_feature_dma_buf *get = (void *)feature->data;

	feature->argsz = sizeof(*feature) + sizeof(*get) + sizeof(get->dma_ranges[0]);
	feature->flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF;
	get->region_index = 2;
	get->open_flags = O_RDWR | O_CLOEXEC;
	get->nr_ranges = 1;
	get->dma_ranges[0].length = shm.size;
	return xioctl(shm.fd, VFIO_DEVICE_FEATURE, feature);
}

static int map_file(int fd, uint64_t iova)
{
	struct iommu_ioas_map_file map = {
		.size = sizeof(map), .ioas_id = ioas, .fd = fd, .iova = iova, .length = PAGE,
		.flags = MAP_FLAGS,
	};

	return xioctl(iommu, IOMMU_IOAS_MAP_FILE, &map);
}

/* --- DMA --- */

static void edu_set(uint32_t reg, uint64_t value)
{
	*(volatile uint32_t *)(edu.bar + reg) = value;
	*(volatile uint32_t *)(edu.bar + reg + 4) = value >> 32;
}

static void edu_run(uint64_t source, uint64_t target, uint32_t command)
{
	double end = now() + 20;

	edu_set(EDU_SOURCE, source);
	edu_set(EDU_TARGET, target);
	edu_set(EDU_COUNT, SENT);
	*(volatile uint32_t *)(edu.bar + EDU_COMMAND) = command | EDU_RUN;
	while (*(volatile uint32_t *)(edu.bar + EDU_COMMAND) & EDU_RUN) {
		check(now() < end);
		usleep(1000);
	}
}

static void fill(uint8_t *bytes, uint8_t seed)
{
	for (int i = 0; i < SENT; i++)
		bytes[i] = seed + i * 7;
}

static bool filled(const volatile uint8_t *bytes, uint8_t seed)
{
	for (int i = 0; i < SENT; i++)
		if (bytes[i] != (uint8_t)(seed + i * 7))
			return false;
	return true;
}

/* Bytes of this pattern, from memory through edu to @iova. */
static void send(uint8_t seed, uint64_t iova)
{
	fill(ram, seed);
	edu_run(RAM_IOVA, EDU_BUFFER, 0);
	edu_run(EDU_BUFFER, iova, EDU_WRITE);
}

/* Nothing that edu sends to @iova arrives, and the memory does not change. */
static void check_cut_off(uint64_t iova)
{
	fill(shm.bar, 99);
	send(100, iova);
	check(filled(shm.bar, 99));
}

static int mapped_bar(void)
{
	int fd = check_ok(export_bar());

	check_ok(map_file(fd, BAR_IOVA));
	send(1, BAR_IOVA);
	check(filled(shm.bar, 1));
	return fd;
}

/**
 * SUBTEST: bytes
 * Description: The memory of one device holds what the other device writes and reads
 *  at the addresses of the buffer.
 */
static void bytes(void)
{
	int fd;

	begin();
	fd = mapped_bar();
	check_eq(lseek(fd, 0, SEEK_END), (off_t)shm.size);
	fill(shm.bar, 50);
	edu_run(BAR_IOVA, EDU_BUFFER, 0);
	edu_run(EDU_BUFFER, RAM_IOVA, EDU_WRITE);
	check(filled(ram, 50));
}

/**
 * SUBTEST: refused
 * Description: iommufd refuses a buffer of a heap. vgem refuses a buffer of
 *  vfio-pci, since it reaches no memory of a device and can't be told to let go.
 */
static void refused(void)
{
	struct dma_heap_allocation_data data = { .len = PAGE, .fd_flags = O_RDWR | O_CLOEXEC };
	int heap = open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC), vgem = open_driver("vgem");

	begin();
	check(heap >= 0);
	check_ok(xioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data));
	check_error(map_file(data.fd, BAR_IOVA), EOPNOTSUPP);
	check_error(gem_import(vgem, check_ok(export_bar())), EOPNOTSUPP);
}

/**
 * SUBTEST: memory-disabled
 * Description: When the memory bit of its device is cleared, the buffer is revoked:
 *  no byte arrives, and it can't be mapped. When the bit is set again, the old
 *  mapping stays cut off, and a new one works.
 */
static void memory_disabled(void)
{
	int fd;

	begin();
	fd = mapped_bar();
	set_command(&shm, 0, PCI_COMMAND_MEMORY);
	check_error(map_file(fd, SECOND_IOVA), ENODEV);
	send(2, BAR_IOVA);
	set_command(&shm, PCI_COMMAND_MEMORY, 0);
	check(filled(shm.bar, 1));
	check_cut_off(BAR_IOVA);
	check_ok(map_file(fd, SECOND_IOVA));
	send(3, SECOND_IOVA);
	check(filled(shm.bar, 3));
}

/**
 * SUBTEST: reset
 * Description: A reset of the device revokes existing mappings of the buffer for
 *  good. A mapping that is made afterwards works.
 */
static void reset(void)
{
	int fd;

	begin();
	fd = mapped_bar();
	check_ok(xioctl(shm.fd, VFIO_DEVICE_RESET, NULL));
	check_cut_off(BAR_IOVA);
	check_ok(map_file(fd, SECOND_IOVA));
	send(4, SECOND_IOVA);
	check(filled(shm.bar, 4));
}

static atomic_bool over;
static atomic_uint sent;

static void *keep_sending(void *data)
{
	for (uint8_t seed = 10; !atomic_load(&over); seed ^= 4) {
		send(seed, BAR_IOVA);
		atomic_fetch_add(&sent, 1);
	}
	return data;
}

static void await_sent(unsigned int more)
{
	unsigned int wanted = atomic_load(&sent) + more;
	double end = now() + 30;

	while (atomic_load(&sent) < wanted) {
		check(now() < end);
		usleep(1000);
	}
}

/**
 * SUBTEST: revoked-in-use
 * Description: The memory is disabled while a device writes to the buffer without a
 *  pause. After that call has returned, nothing is written any more.
 */
static void revoked_in_use(void)
{
	pthread_t thread;

	begin();
	mapped_bar();
	check_eq(pthread_create(&thread, NULL, keep_sending, NULL), 0);
	await_sent(2);
	check(filled(shm.bar, 10) || filled(shm.bar, 14));
	set_command(&shm, 0, PCI_COMMAND_MEMORY);
	set_command(&shm, PCI_COMMAND_MEMORY, 0);
	fill(shm.bar, 77);
	await_sent(2);
	check(filled(shm.bar, 77));
	atomic_store(&over, true);
	check_eq(pthread_join(thread, NULL), 0);
}

/**
 * SUBTEST: unbind
 * Description: The device is closed and unbound while iommufd still has the buffer
 *  mapped. The mapping ends, and the buffer can't be mapped any more. After a bind a
 *  new buffer works.
 */
static void unbind(void)
{
	int fd;

	begin();
	fd = mapped_bar();
	munmap(shm.bar, shm.size);
	close(shm.fd);
	check_error(map_file(fd, SECOND_IOVA), ENODEV);
	check_ok(tell_driver(&shm, "vfio-pci", "unbind"));
	send(5, BAR_IOVA);
	check_error(map_file(fd, SECOND_IOVA), ENODEV);
	check_eq(lseek(fd, 0, SEEK_END), (off_t)shm.size);
	take_device(&shm, 2);
	check(filled(shm.bar, 1));
	check_cut_off(BAR_IOVA);
	check_ok(map_file(check_ok(export_bar()), SECOND_IOVA));
	send(6, SECOND_IOVA);
	check(filled(shm.bar, 6));
}

/* --- prime_edu --- */

static int drm;			/* its card */
static uint32_t own;		/* a buffer of the card, mapped at ram */
static int own_fd;

static void begin_peer(void)
{
	begin_memory();
	if (access(DRIVERS "prime_edu", F_OK))
		prime_skip("prime_edu is not loaded");
	bind_to(&edu, "prime_edu");
	drm = open_driver("prime_edu");
	own_fd = make_dmabuf(drm, PRIME_EDU_MAX_COPY / PAGE, &own);
	ram = mmap(NULL, PRIME_EDU_MAX_COPY, PROT_READ | PROT_WRITE, MAP_SHARED, own_fd, 0);
	check(ram != MAP_FAILED);
}

/*
 * Starts a copy and gives a file of its fence. A fence on the card's own buffer holds
 * the copy back until there is this file: the error of a copy that has ended is lost.
 */
static int start(uint32_t from, uint32_t to, int to_fd, uint64_t size)
{
	struct drm_prime_edu_copy copy = { .src_handle = from, .dst_handle = to, .size = size };
	int timeline = sw_timeline(), fence = sw_fence(timeline, 1), file;

	check_ok(dmabuf_import_sync_file(own_fd, DMA_BUF_SYNC_WRITE, fence));
	check_ok(xioctl(drm, DRM_IOCTL_PRIME_EDU_COPY, &copy));
	file = check_ok(dmabuf_export_sync_file(to_fd, DMA_BUF_SYNC_READ));
	sw_advance(timeline, 1);
	close(fence);
	close(timeline);
	return file;
}

/* 1, or the negative errno with which the copy has ended. */
static int ended(int file)
{
	struct sync_file_info info = {};

	check_eq(poll_events(file, POLLIN, 30000), POLLIN);
	check_ok(xioctl(file, SYNC_IOC_FILE_INFO, &info));
	close(file);
	return info.status;
}

/* Bytes of this pattern, from a buffer of the card to the memory. */
static int peer_send(uint8_t seed, uint32_t handle, int fd)
{
	fill(ram, seed);
	return ended(start(own, handle, fd, SENT));
}

static int imported_bar(uint32_t *handle)
{
	int fd = check_ok(export_bar());

	*handle = check_ok(gem_import(drm, fd));
	check_eq(peer_send(1, *handle, fd), 1);
	check(filled(shm.bar, 1));
	return fd;
}

/* Nothing that is sent to a revoked import arrives. A new import works. */
static void check_imported_anew(uint32_t handle, int fd)
{
	fill(shm.bar, 99);
	check_error(peer_send(100, handle, fd), ENODEV);
	check(filled(shm.bar, 99));
	check_ok(gem_close(drm, handle));
	handle = check_ok(gem_import(drm, fd));
	check_eq(peer_send(101, handle, fd), 1);
	check(filled(shm.bar, 101));
}

/**
 * SUBTEST: peer-bytes
 * Description: prime_edu imports the buffer and copies by peer-to-peer DMA. The
 *  memory holds what it writes, and it reads what the memory holds.
 */
static void peer_bytes(void)
{
	uint32_t handle;

	begin_peer();
	imported_bar(&handle);
	fill(shm.bar, 50);
	check_eq(ended(start(handle, own, own_fd, SENT)), 1);
	check(filled(ram, 50));
}

/**
 * SUBTEST: peer-memory-disabled
 * Description: The memory of the device is disabled. prime_edu can't import the
 *  buffer, and copies to an import end with ENODEV, even after the memory is enabled
 *  again. A new import works then.
 */
static void peer_memory_disabled(void)
{
	uint32_t handle;
	int fd;

	begin_peer();
	fd = imported_bar(&handle);
	set_command(&shm, 0, PCI_COMMAND_MEMORY);
	check_error(gem_import(open_driver("prime_edu"), fd), ENODEV);
	check_error(peer_send(2, handle, fd), ENODEV);
	set_command(&shm, PCI_COMMAND_MEMORY, 0);
	check(filled(shm.bar, 1));
	check_imported_anew(handle, fd);
}

/**
 * SUBTEST: peer-reset
 * Description: The same for a reset of the device.
 */
static void peer_reset(void)
{
	uint32_t handle;
	int fd;

	begin_peer();
	fd = imported_bar(&handle);
	check_ok(xioctl(shm.fd, VFIO_DEVICE_RESET, NULL));
	check_imported_anew(handle, fd);
}

/**
 * SUBTEST: peer-revoked-in-use
 * Description: The memory is disabled while prime_edu copies to it. The copy ends
 *  early with ENODEV. Once the memory is disabled, nothing is written any more.
 */
static void peer_revoked_in_use(void)
{
	const size_t size = PRIME_EDU_MAX_COPY;
	volatile uint8_t *bar;
	double end = now() + 30;
	uint32_t handle;
	int fd, file;

	begin_peer();
	fd = imported_bar(&handle);
	bar = shm.bar;
	memset(shm.bar, 0, size);
	memset(ram, 5, size);
	file = start(own, handle, fd, size);
	while (bar[SENT - 1] != 5) {
		check(now() < end);
		usleep(1000);
	}
	set_command(&shm, 0, PCI_COMMAND_MEMORY);
	set_command(&shm, PCI_COMMAND_MEMORY, 0);
	check_eq(bar[size - 1], 0);
	memset(shm.bar, 77, size);
	check_error(ended(file), ENODEV);
	for (size_t i = 0; i < size; i++)
		check_eq(bar[i], 77);
	check_imported_anew(handle, fd);
}

/**
 * SUBTEST: peer-unbind
 * Description: The device is closed and unbound while prime_edu has the buffer
 *  imported. Copies end with ENODEV, and the buffer can't be imported any more.
 *  After a bind a new one works.
 */
static void peer_unbind(void)
{
	uint32_t handle;
	int fd;

	begin_peer();
	fd = imported_bar(&handle);
	munmap(shm.bar, shm.size);
	close(shm.fd);
	check_error(gem_import(open_driver("prime_edu"), fd), ENODEV);
	check_ok(tell_driver(&shm, "vfio-pci", "unbind"));
	check_error(peer_send(5, handle, fd), ENODEV);
	check_error(gem_import(open_driver("prime_edu"), fd), ENODEV);
	take_device(&shm, 2);
	check(filled(shm.bar, 1));
	check_error(peer_send(6, handle, fd), ENODEV);
	check(filled(shm.bar, 1));
	imported_bar(&handle);
}

static const struct prime_subtest subtests[] = {
	SUBTEST(bytes),
	SUBTEST(refused),
	SUBTEST(memory_disabled),
	SUBTEST(reset),
	SUBTEST(revoked_in_use),
	SUBTEST(unbind),
	SUBTEST(peer_bytes),
	SUBTEST(peer_memory_disabled),
	SUBTEST(peer_reset),
	SUBTEST(peer_revoked_in_use),
	SUBTEST(peer_unbind),
};

PRIME_MAIN(subtests)
