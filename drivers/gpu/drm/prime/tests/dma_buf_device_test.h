/* SPDX-License-Identifier: GPL-2.0 */
#ifndef DMA_BUF_DEVICE_TEST_H
#define DMA_BUF_DEVICE_TEST_H

#include "mock_drm.h"

/* What dma_buf_device_of_drm() says of a node of @mock: a device with a reference, or an error. */
struct device *dma_buf_device_told(struct kunit *test, struct mock_drm *mock);

/* Expects that it says @wanted, with one new reference, and drops that. */
void dma_buf_device_expect(struct kunit *test, struct mock_drm *mock, struct device *wanted);

#endif /* DMA_BUF_DEVICE_TEST_H */
