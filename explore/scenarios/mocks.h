/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parties of a scenario: an exporter and importers, plain and of DRM. They
 * check the layer against Documentation/invariants.rst.
 */
#ifndef EXPLORE_MOCKS_H
#define EXPLORE_MOCKS_H

#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>

#include "runtime.h"

#define CHECK(condition)						\
	do {								\
		if (!(condition))					\
			ex_fault("%s:%d: not so: %s", kbasename(__FILE__), __LINE__, #condition); \
	} while (0)

/* --- threads --- */

void thread(int id, void (*run)(void));
/* Runs the threads until all have ended; then the rest of the scenario runs by itself. */
void run_threads(void);

/* --- errors of exporters and importers --- */

/* Returns @error if it is the turn of this operation to fail, otherwise 0. */
int mock_fails(int error, const char *what);
/* The last such error of each thread, or 0. */
extern int mock_error[EX_THREADS];

/* --- a plain exporter --- */

struct storage {
	struct dma_buf *dmabuf;
	atomic_t attached, accesses;	/* changed without the lock */
	int pinned, vmapped;
	bool dynamic, released;
	struct dma_fence *begins;	/* added by the first begin_cpu_access, as by a move */
};

extern struct module exporter_module;
/* Maps a buffer for user space, faults, and unmaps. */
void buffer_fault(int fd);
/* A buffer of an exporter that can move it, if @dynamic. NULL without memory. */
struct storage *storage_export(bool dynamic, struct dma_resv *resv);
/* How many storages have been released. */
extern atomic_t storages_released;
/* A walk of all holders. Without processes (holders.c) it looks at the list of buffers only. */
void read_holders(void);
/* The exporter moves the storage: it tells importers, with the lock held. */
void storage_move(struct storage *st);

/* --- importers --- */

/* With drivers and a lock, for negotiation; the second one reaches 16 MB only. */
extern struct device importers[2];
void importers_begin(void);
void importer_unbind(int i);
struct importer {
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
	int moves;
};

extern const struct dma_buf_attach_ops importer_ops;

/* --- fences --- */

/* Its lock goes with it, a grace period after the last reference. */
struct dma_fence *fence_new(void);
/* Its lock goes a grace period after the signal, while somebody may still hold the fence. */
struct dma_fence *fence_new_lock_apart(void);
/* The device is done: an interrupt signals the fence. */
void fence_signal_by_interrupt(struct dma_fence *fence);
/* Adds it to the buffer's reservation object; false without memory. */
bool fence_add(struct dma_buf *dmabuf, struct dma_fence *fence, enum dma_resv_usage usage);

/* --- DRM: two devices, with a file or two each --- */

extern struct drm_device *drm_devices[2];
/* How often symbol_get() holds drm.ko. */
extern atomic_t drm_held;
void drm_begin(void);
void drm_end(void);
struct drm_file *file_open(int device);
void file_close(struct drm_file *file);
/* A descriptor of a DRM node. */
int node_open(const struct file_operations *fops, void *priv);
/* The DRM file as a descriptor, with which it ends. */
int file_fd(struct drm_file *file);
/* A framebuffer of the file, with one object; false without memory. */
bool fb_add(struct drm_file *file, struct drm_gem_object *obj);
void fb_remove(struct drm_file *file);
/* A new object of the file's device, and its handle; 0 without memory. */
u32 object_new(struct drm_file *file);
/* The scenario imports one buffer into one file only: then one import runs at a time. */
extern bool imports_one_by_one;
/* The ioctls; negative errno. */
int handle_to_fd(struct drm_file *file, u32 handle);
int fd_to_handle(struct drm_file *file, int fd);
void handle_close(struct drm_file *file, u32 handle);
/* Somebody holds the object of a handle, and can give it another handle (GETFB2). */
struct drm_gem_object *object_get(struct drm_file *file, u32 handle);
u32 object_get_handle(struct drm_file *file, struct drm_gem_object *obj);

#endif /* EXPLORE_MOCKS_H */
