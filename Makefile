# SPDX-License-Identifier: GPL-2.0
# The targets are phases of scripts/phases; `make help` lists them.

.DEFAULT_GOAL := $(if $(filter arm64,$(ARCH)),arm64,help)

help: ## this list
	@echo "make demo and make check do all the set-up that they need. Targets:"
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='	' read -r target what; do printf '  %-14s %s\n' "$$target" "$$what"; done
	@echo "KERNELS=\"stock ours\" chooses the kernels of kunit, uapi, edu and igt, DEVICES=\"vgem vkms prime_mock\" the devices of uapi; make ARCH=arm64 is make arm64."

demo: ## the main job: several programs share pictures on our kernel, out/demo/ gets what was shown; CLIENTS=gl,camera,video,kmscube
demo-live: ## the same in a window on this screen, until it is closed
check: ## every test, on the stock kernel and on ours
check-debug: ## the same tests on kernels with lockdep and KASAN, with kmemleak, and with KCSAN (KERNELS=debug: the first only)
kunit: ## KUnit tests of the layer
uapi: ## our own tests of ioctls and files, from user space
edu: ## the sample driver prime_edu, moving bytes by DMA in four machines
negotiate: ## lib/, the library and program that negotiate storage
matrix: ## who can share a buffer with whom: exporters against sets of importers, stock beside ours; SETS=3, MACHINES=plain, KEEP=1
igt: ## unmodified IGT tests, with expectations
abi: ## every export of stock is on ours, with the same CRC, namespace and licence
layers: ## the call graph of the layer is the one that the design allows
style: ## checkpatch, sparse, kernel-doc, W=1
originality: ## no run of code or prose of the replaced files
graft-check: ## the tests of make graft
docs: ## the documentation, as HTML, in build/docs
bench: ## what the layer costs beside stock, in instructions and in threads; ONLY=row, RUNS=5
shell: ## an interactive guest; KERNEL=stock|ours|debug|kmemleak|kcsan chooses its kernel (ours)
bootstrap: ## install the Debian packages that are missing, naming them
source: ## unpack the kernel source
root: ## make the guest's root
kernel: ## graft a private copy of the source, build the stock kernel and ours
kernel-debug: ## build the debug kernels: debug, kmemleak, kcsan
arm64: ## cross-compile ours for arm64 (compile and link)

phases := demo demo-live check check-debug kunit uapi edu negotiate matrix igt abi layers style originality graft-check docs bench shell bootstrap source root kernel \
	kernel-debug arm64
$(phases):
	@KERNELS="$(KERNELS)" KERNEL="$(KERNEL)" CLIENTS="$(CLIENTS)" scripts/phases $@

graft: ## KERNEL=path/to/tree [UNDO=1]: graft the layer on a kernel tree of yours, or take it off
	@test -n "$(KERNEL)" || { echo 'graft: which tree? make graft KERNEL=path/to/tree [UNDO=1]' >&2; exit 2; }
	@scripts/graft $(if $(UNDO),--undo) $(if $(FORCE),--force) "$(KERNEL)"

modules: ## KDIR=kernel build [OUT=dir]: prime_edu and prime_mock as modules for a kernel of yours, with the layer or without
	@$(MAKE) -C drivers/gpu/drm/prime/mock $(if $(KDIR),KDIR="$(abspath $(KDIR))") $(if $(OUT),OUT="$(abspath $(OUT))") modules

conformance: ## DEVICE=/dev/dri/cardN [KDIR=kernel build] [OUT=dir]: the tests against a driver of yours, on the running kernel, no VM
	@DEVICE="$(DEVICE)" KDIR="$(KDIR)" OUT="$(OUT)" BIN="$(BIN)" MODULES_DIR="$(MODULES_DIR)" scripts/conformance

clean: ## remove what was built (build/, out/), keep the cache
	@flock -n build/.lock true 2>/dev/null || test ! -e build/.lock || { echo 'clean: another make works under build/' >&2; exit 1; }
	rm -rf build out

distclean: clean ## remove the cache too
	@scripts/guest-root --remove

.PHONY: help graft modules conformance clean distclean $(phases)
