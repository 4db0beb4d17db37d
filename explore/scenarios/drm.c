// SPDX-License-Identifier: GPL-2.0
/* Two DRM devices with an exporter and an importer of the usual shape. */
#include <linux/anon_inodes.h>
#include <linux/device.h>
#include <linux/file.h>
#include <linux/kdev_t.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_vma_manager.h>

#include "drm_internal.h"
#include "mocks.h"
#include "negotiate/internal.h"

struct object {
	struct drm_gem_object base;
	struct sg_table *sgt;
	int pins;
	bool handled;
};

#define to_object(obj) container_of(obj, struct object, base)

struct drm_device *drm_devices[2];
static atomic_t objects_alive;
static atomic_t imports;
bool imports_one_by_one;
static struct inode drm_inode;

void drm_dev_get(struct drm_device *dev)
{
	kref_get(&dev->ref);
}

bool drm_dev_enter(struct drm_device *dev, int *idx)
{
	return true;
}

void drm_dev_exit(int idx)
{
}

static void dev_gone(struct kref *ref)
{
	ex_fault("the DRM device loses its last reference");
}

void drm_dev_put(struct drm_device *dev)
{
	kref_put(&dev->ref, dev_gone);
}

/* The parent of both DRM devices. The importers do their DMA, as a controller does that of USB. */
static u64 parent_mask = DMA_BIT_MASK(64);
static struct device parent = {
	.init_name = "parent",
	.dma_mask = &parent_mask,
	.devres_lock = __SPIN_LOCK_UNLOCKED(parent.devres_lock),
	.devres_head = LIST_HEAD_INIT(parent.devres_head),
};

/* Asked for the reason of a refusal: that is about the device that does the DMA. */
size_t dma_max_mapping_size(struct device *dev)
{
	CHECK(dev != &parent);
	return SIZE_MAX;
}

static atomic_t mappings;

int dma_map_sgtable(struct device *dev, struct sg_table *sgt, enum dma_data_direction dir,
		    unsigned long attrs)
{
	int ret = mock_fails(-EIO, "dma_map_sgtable()");

	if (!ret)
		atomic_inc(&mappings);
	return ret;
}

void dma_unmap_sg_attrs(struct device *dev, struct scatterlist *sg, int n,
			enum dma_data_direction dir, unsigned long attrs)
{
	CHECK(atomic_dec_return(&mappings) >= 0);
}

static void object_free(struct drm_gem_object *obj)
{
	struct object *o = to_object(obj);

	CHECK(!o->pins);
	if (obj->import_attach)
		drm_prime_gem_destroy(obj, o->sgt);
	drm_gem_object_release(obj);
	atomic_dec(&objects_alive);
	kfree(o);
}

static int object_pin(struct drm_gem_object *obj)
{
	int ret;

	dma_resv_assert_held(obj->resv);
	ret = mock_fails(-ENOSPC, "the driver's pin");
	to_object(obj)->pins += !ret;
	return ret;
}

static void object_unpin(struct drm_gem_object *obj)
{
	dma_resv_assert_held(obj->resv);
	CHECK(to_object(obj)->pins-- > 0);
}

static struct sg_table *object_table(struct drm_gem_object *obj)
{
	struct sg_table *sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);

	if (!sgt || sg_alloc_table(sgt, 1, GFP_KERNEL)) {
		kfree(sgt);
		return ERR_PTR(-ENOMEM);
	}
	sg_dma_address(sgt->sgl) = 0x1000;
	sg_dma_len(sgt->sgl) = PAGE_SIZE;
	return sgt;
}

static int object_vmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	dma_resv_assert_held(obj->resv);
	if (ex_choose(2, "the driver's vmap"))
		return -ENOMEM;
	to_object(obj)->pins++;
	iosys_map_set_vaddr(map, obj);
	return 0;
}

static void object_vunmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	dma_resv_assert_held(obj->resv);
	CHECK(to_object(obj)->pins-- > 0 && map->vaddr == obj);
}

static int object_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	return ex_choose(2, "the driver's mmap") ? -EINVAL : 0;
}

static const struct vm_operations_struct object_vm_ops = {
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
};

static const struct drm_gem_object_funcs object_funcs = {
	.vmap = object_vmap,
	.vunmap = object_vunmap,
	.mmap = object_mmap,
	.vm_ops = &object_vm_ops,
	.free = object_free,
	.pin = object_pin,
	.unpin = object_unpin,
	.get_sg_table = object_table,
};

static struct drm_gem_object *object_create(struct drm_device *dev, struct dma_resv *resv)
{
	struct object *o = kzalloc(sizeof(*o), GFP_KERNEL);

	if (!o)
		return NULL;
	o->base.funcs = &object_funcs;
	o->base.resv = resv;
	drm_gem_private_object_init(dev, &o->base, PAGE_SIZE);
	atomic_inc(&objects_alive);
	return &o->base;
}

static struct drm_gem_object *object_import(struct drm_device *dev,
					    struct dma_buf_attachment *attach, struct sg_table *sgt)
{
	struct drm_gem_object *obj;

	lockdep_assert_not_held(&dev->object_name_lock);
	/* Invariant 7. Another thread may run while memory is allocated. */
	CHECK(atomic_inc_return(&imports) == 1 || !imports_one_by_one);
	obj = object_create(dev, attach->dmabuf->resv);
	atomic_dec(&imports);
	if (!obj)
		return ERR_PTR(-ENOMEM);
	to_object(obj)->sgt = sgt;
	return obj;
}

static const struct file_operations drm_fops = { .owner = &exporter_module };
static const struct drm_driver driver = {
	.name = "explore",
	.driver_features = DRIVER_GEM,
	.gem_prime_import_sg_table = object_import,
	.fops = &drm_fops,
};

void drm_begin(void)
{
	int i;

	drm_inode.i_mapping = &drm_inode.i_data;
	for (i = 0; i < 2; i++) {
		struct drm_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

		kref_init(&dev->ref);
		dev->driver = &driver;
		dev->dev = &parent;
		dev->dma_dev = &importers[i];
		dev->driver_features = DRIVER_GEM;
		dev->anon_inode = &drm_inode;
		mutex_init(&dev->object_name_lock);
		mutex_init(&dev->gem_lru_mutex);
		idr_init_base(&dev->object_name_idr, 1);
		dev->vma_offset_manager = kzalloc(sizeof(*dev->vma_offset_manager), GFP_KERNEL);
		drm_vma_offset_manager_init(dev->vma_offset_manager, DRM_FILE_PAGE_OFFSET_START,
					    DRM_FILE_PAGE_OFFSET_SIZE);
		drm_devices[i] = dev;
	}
}

void drm_end(void)
{
	int i;

	CHECK(!atomic_read(&objects_alive) && !atomic_read(&mappings));
	for (i = 0; i < 2; i++) {
		/* Invariant 2: every buffer has given its reference back. */
		CHECK(kref_read(&drm_devices[i]->ref) == 1);
		drm_vma_offset_manager_destroy(drm_devices[i]->vma_offset_manager);
		kfree(drm_devices[i]->vma_offset_manager);
		idr_destroy(&drm_devices[i]->object_name_idr);
		kfree(drm_devices[i]);
	}
}

struct drm_file *file_open(int device)
{
	struct drm_file *file = kzalloc(sizeof(*file), GFP_KERNEL);
	struct drm_minor *minor = kzalloc(sizeof(*minor), GFP_KERNEL);

	minor->dev = drm_devices[device];
	file->minor = minor;
	INIT_LIST_HEAD(&file->fbs);
	mutex_init(&file->fbs_lock);
	drm_gem_open(minor->dev, file);
	drm_prime_init_file_private(&file->prime);
	return file;
}

/* Nobody else has the framebuffer any more, nor the list. */
static void fb_free(struct drm_framebuffer *fb)
{
	list_del_init(&fb->filp_head);
	drm_gem_object_put(fb->obj[0]);
	kfree(fb);
}

static void file_end(struct drm_file *file)
{
	struct drm_framebuffer *fb, *next;

	list_for_each_entry_safe(fb, next, &file->fbs, filp_head)
		fb_free(fb);
	drm_gem_release(file->minor->dev, file);
	drm_prime_destroy_file_private(&file->prime);
	kfree(file->minor);
	kfree(file);
}

void file_close(struct drm_file *file)
{
	file_end(file);
	ex_user_return();
}

static int node_release(struct inode *inode, struct file *file)
{
	file_end(file->private_data);
	return 0;
}

static const struct file_operations node_fops = { .release = node_release };

int node_open(const struct file_operations *fops, void *priv)
{
	struct file *file = anon_inode_getfile("card", fops, priv, O_RDWR);
	int fd = get_unused_fd_flags(0);

	file->f_inode->i_mode = S_IFCHR;
	file->f_inode->i_rdev = MKDEV(DMA_BUF_MAJOR_DRM, 0);
	fd_install(fd, file);
	return fd;
}

int file_fd(struct drm_file *drm)
{
	return node_open(&node_fops, drm);
}

bool fb_add(struct drm_file *file, struct drm_gem_object *obj)
{
	struct drm_framebuffer *fb = kzalloc(sizeof(*fb), GFP_KERNEL);

	if (!fb)
		return false;
	drm_gem_object_get(obj);
	fb->obj[0] = obj;
	guard(mutex)(&file->fbs_lock);
	list_add(&fb->filp_head, &file->fbs);
	return true;
}

void fb_remove(struct drm_file *file)
{
	struct drm_framebuffer *fb;

	ex_note("the framebuffer is removed");
	mutex_lock(&file->fbs_lock);
	fb = list_first_entry_or_null(&file->fbs, struct drm_framebuffer, filp_head);
	if (fb)
		list_del_init(&fb->filp_head);
	mutex_unlock(&file->fbs_lock);
	if (fb)
		fb_free(fb);
	ex_user_return();
}

u32 object_new(struct drm_file *file)
{
	struct drm_gem_object *obj = object_create(file->minor->dev, NULL);
	u32 handle = 0;

	if (obj) {
		if (drm_gem_handle_create(file, obj, &handle))
			handle = 0;
		drm_gem_object_put(obj);
	}
	ex_user_return();
	return handle;
}

int handle_to_fd(struct drm_file *file, u32 handle)
{
	struct drm_prime_handle args = { .handle = handle, .flags = DRM_RDWR };
	int ret;

	ex_note("handle %u to fd", handle);
	ex_installed[ex_self()] = 0;
	ret = drm_prime_handle_to_fd_ioctl(file->minor->dev, &args, file);
	/* Invariant 8. */
	CHECK(ex_installed[ex_self()] == !ret);
	ex_user_return();
	ex_note("  gives %d", ret ?: args.fd);
	return ret ?: args.fd;
}

int fd_to_handle(struct drm_file *file, int fd)
{
	struct drm_prime_handle args = { .fd = fd };
	int ret;

	ex_note("fd %d to handle", fd);
	mock_error[ex_self()] = 0;
	ret = drm_prime_fd_to_handle_ioctl(file->minor->dev, &args, file);
	/* The errno is that of what failed: exporter or driver, an allocation, or the fd. */
	CHECK(!ret || ret == mock_error[ex_self()] || ret == -ENOMEM || ret == -EBADF);
	ex_user_return();
	ex_note("  gives %d", ret ?: (int)args.handle);
	return ret ?: args.handle;
}

void handle_close(struct drm_file *file, u32 handle)
{
	ex_note("close of handle %u", handle);
	drm_gem_handle_delete(file, handle);
	ex_user_return();
}

struct drm_gem_object *object_get(struct drm_file *file, u32 handle)
{
	return drm_gem_object_lookup(file, handle);
}

u32 object_get_handle(struct drm_file *file, struct drm_gem_object *obj)
{
	u32 handle = 0;

	ex_note("another handle of the object");
	if (drm_gem_handle_create(file, obj, &handle))
		handle = 0;
	ex_user_return();
	ex_note("  gives %u", handle);
	return handle;
}
