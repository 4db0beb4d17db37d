// SPDX-License-Identifier: MIT
/*
 * The structs of the uapi headers on this ABI: "make check" compiles this for 64
 * and for 32 bits, and a hole is an error (-Wpadded). Programs keep the size that they
 * were compiled with, so a struct may only grow, at its end.
 */
#include <drm/prime_edu.h>
#include <drm/prime_mock.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-constraints.h>

#define SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type)
#define AT(type, field, offset) \
	_Static_assert(__builtin_offsetof(struct type, field) == (offset), #type "." #field)

SIZE(dma_buf_constraints_info, 64);
SIZE(dma_buf_device_use, 96);
SIZE(dma_buf_commit, 96);
SIZE(dma_buf_storage_info, 64);
SIZE(dma_buf_refusal, 208);
SIZE(dma_buf_try_device, 12);

AT(dma_buf_constraints_info, flags, 36);
AT(dma_buf_constraints_info, use, 40);
AT(dma_buf_constraints_info, devices, 56);
AT(dma_buf_device_use, field, 12);
AT(dma_buf_device_use, device, 32);
AT(dma_buf_commit, field, 12);
AT(dma_buf_commit, device, 32);
AT(dma_buf_storage_info, exporter, 32);
/* The first release had the part before step. */
AT(dma_buf_refusal, device, 24);
AT(dma_buf_refusal, step, 88);

/* Numbers that programs have been compiled with. */
_Static_assert(DMA_BUF_IOCTL_GET_REFUSAL == 0x80d06223, "GET_REFUSAL");
_Static_assert(DMA_BUF_IOCTL_TRY_DEVICE == 0xc00c6224, "TRY_DEVICE");
_Static_assert(DMA_BUF_IOCTL_ADD_DEVICE == 0xc0606225, "ADD_DEVICE");
_Static_assert(DMA_BUF_IOCTL_REMOVE_DEVICE == 0xc0606226, "REMOVE_DEVICE");
_Static_assert(DMA_BUF_IOCTL_COMMIT == 0xc0606227, "COMMIT");
_Static_assert(DMA_BUF_IOCTL_GET_CONSTRAINTS == 0x80406228, "GET_CONSTRAINTS");
_Static_assert(DMA_BUF_IOCTL_GET_STORAGE == 0x80406229, "GET_STORAGE");
