# SPDX-License-Identifier: GPL-2.0
# `make help` lists the targets.

.DEFAULT_GOAL := $(if $(filter arm64,$(ARCH)),arm64,help)

help: ## this list
	@echo "make demo and make check do all the set-up that they need. Targets:"
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='	' read -r target what; do printf '  %-14s %s\n' "$$target" "$$what"; done
	@echo "LANE=7.3 (or 6.12) chooses the version of Linux, KERNELS=\"stock ours\" the kernels of kunit, uapi, edu, negotiate, top, igt and matrix, DEVICES=\"vgem vkms prime_mock\" the devices of uapi, JOBS=1 how many suites run at a time; make ARCH=arm64 is make arm64."

demo := userspace-demo/run $(if $(CLIENTS),--clients "$(CLIENTS)")

ifndef PRIME_TARGET
# Each of these is made by a second make, below, once scripts/target has seen that all is there and has the lock.
demo demo-live:
	@$(demo) $(if $(filter %live,$@),--live) --check
	@scripts/target $@
check check-more check-debug check-ours quick kunit uapi edu negotiate top igt matrix abi layers style originality graft-check port-check interrupts users selftests compositors \
patches patches-check patches-build dkms deb-check rig-check docs bench-lane shell coverage explore explore-check litmus mutants soak fuzz fuzz-check conformance-check conformance-farm reproducers bootstrap source root kernel kernel-debug arm64:
	@scripts/target $@
else
phase := scripts/phase
test := $(phase) --test
kernels := $(or $(KERNELS),$(if $(filter %-debug,$(PRIME_TARGET)),debug kmemleak kcsan,$(if $(filter %-ours,$(PRIME_TARGET)),,stock )ours))

builds := $(addprefix built-,stock ours bare debug kmemleak kcsan quick coverage fuzz fuzz-stock explore arm64 arm64-64k users-stock users-ours mixed farm um sleep)
runs := negotiate-host top-host $(foreach suite,kunit uapi edu negotiate top igt,$(addprefix $(suite)-,stock ours bare debug kmemleak kcsan))

# --- set-up ---
packages:
	@$(phase) $@ scripts/bootstrap $(filter quick coverage fuzz arm64 dkms docs,$(patsubst fuzz%,fuzz,$(patsubst explore%,quick,$(PRIME_TARGET:check-more=arm64)))) $(if $(filter selftests check-more,$(PRIME_TARGET)),users) $(if $(filter mutants check-more,$(PRIME_TARGET)),mutants) $(if $(filter users,$(PRIME_TARGET)),arm64) $(if $(filter deb-check check-more,$(PRIME_TARGET)),deb dkms) $(if $(filter %live,$(PRIME_TARGET)),$(if $(WAYLAND_DISPLAY)$(DISPLAY),live)) $(if $(filter bench%,$(PRIME_TARGET)),bench)
source: packages ## unpack the kernel source
	@$(phase) $@ scripts/source
root: packages ## make the guest's root
	@$(phase) $@ scripts/guest-root
root-clients: packages
	@$(phase) $@ env GUEST=clients scripts/guest-root
$(builds): built-%: source
	@$(phase) $@ scripts/kernel $*
built-mixed: built-stock built-ours
setup: $(kernels:%=built-%) root
bootstrap: packages ## list the missing Debian packages and install them
kernel: built-mixed ## add the layer to a private copy of the source, build the stock kernel and ours
kernel-debug: $(kernels:%=built-%) ## build the debug kernels: debug, kmemleak, kcsan

# --- the demo: what it prints is for the person who waits ---
demo: built-ours root ## several programs share pictures on our kernel; out/demo/ gets what was shown; CLIENTS=gl,simple-dmabuf-egl,kmscube
	@VM_HEALTH=$@ $(demo) ours
demo-live: built-ours root ## the same in a window on this screen, until it is closed; where there is no screen, over VNC (it prints how to connect)
	@VM_HEALTH=$@ $(demo) --live ours

# Linux 6.12 for user mode knows one processor only, and its spinlocks vanish.
exploration := $(if $(filter 6.12,$(LANE)),,explore explore-check)

# --- tests, as many at a time as scripts/target says; the long ones first ---
check: uapi $(filter igt-stock,$(kernels:%=igt-%)) demotests-ours quick $(exploration) igt edu kunit demo-ours negotiate top style rig-check graft-check port-check patches-check conformance-check originality abi layers ## the tests, on the stock kernel and on ours; check-more has the rest
# Without this, what needs few kernels or none would start while the kernels are built, and the long ones would wait for it.
ifeq ($(PRIME_TARGET),check)
style graft-check port-check patches-check conformance-check originality abi layers: | setup
endif
check-more: built-bare $(if $(exploration),explore-more litmus mutants-draw soak-short soak-sleep fuzz-check fuzz-ours fuzz-stock) igt-ours-mixed demo-stock demotests-stock compositors reproducers kunit-bare igt-bare arm64 users selftests interrupts patches-build deb-check ## tests that are not in check: on 7.3, explore with deeper bounds, litmus, 30 mutants, five minutes of soak, five of a machine that sleeps, 20 minutes of fuzz on ours and 20 on stock, its check, and faults of mainline; on both lanes, IGT with the drivers as built for stock, the demo on stock, Debian's Wayland clients on the demo's compositor and on Debian's, the layer without its options, KUnit on arm64, users, selftests, interrupts, patches-build, deb-check
check-debug: uapi $(foreach k,$(filter-out kcsan,$(kernels)),igt-$k edu-$k kunit-$k) ## the tests on kernels with lockdep and KASAN, with kmemleak, and with KCSAN (KERNELS=debug: the first only)
check-ours: uapi kunit abi ## uapi, kunit and abi on ours only; stock is not built
quick: kunit-quick ## run this first: KUnit of the layer and of mainline in user-mode Linux, without emulator or root
explore: built-explore ## the layer's own C under every schedule of two and three threads, up to a bound; REPLAY='...' shows one
	@$(if $(REPLAY),scripts/explore --replay '$(REPLAY)',$(test) $@ scripts/explore)
explore-check: built-explore ## explore finds faults that are put in on purpose
	@$(test) faults scripts/explore --check
litmus: source ## does the kernel's memory model keep the orders of accesses that the layer relies on (herd7)
	@$(test) $@ scripts/litmus
explore-more: built-explore
	@$(test) $@ scripts/explore --more
fuzz: $(patsubst %,fuzz-%,$(or $(KERNELS),ours)) ## calls around dma-bufs at random, guided by coverage, in user-mode Linux with KASAN (7.3); MINUTES=20, KERNELS="stock ours"
fuzz-ours: built-fuzz
fuzz-stock: built-fuzz-stock
fuzz-ours fuzz-stock:
	@$(test) $@ scripts/fuzz $(@:fuzz-%=%)
fuzz-check: built-fuzz ## fuzz finds a fault that is put in on purpose, and shortens the program that shows it
	@$(test) $@ scripts/fuzz --check
arm64: kunit-arm64 kunit-arm64-64k ## KUnit on emulated arm64, with pages of 4 and of 64 KiB
kunit-quick kunit-arm64 kunit-arm64-64k: kunit-%: built-%
	@$(test) $@ scripts/kunit $*
coverage: built-coverage ## which lines and branches of the layer KUnit and igt-tests/ reach, on user-mode Linux; MORE=folder of gcov's or lcov's files
	@$(test) $@ scripts/coverage
mutants mutants-draw: built-um built-explore
mutants: ## faults put in on purpose, which the tests must notice (Linux 7.3); FRESH=1
	@$(test) mutants mutants/run $(if $(FRESH),--fresh)
mutants-draw:
	@$(test) mutants mutants/run --draw 30
soak: $(patsubst %,soak-%,$(or $(KERNELS),ours)) ## remove devices while their buffers are used, and repeat quick to find flakes; MINUTES=60, KERNELS=ours
soak-ours: built-fuzz built-debug built-ours built-quick root
soak-stock: built-fuzz-stock built-stock root
soak-ours soak-stock:
	@MINUTES=$(MINUTES) $(test) $@ scripts/soak $(@:soak-%=%)
soak-short: built-fuzz built-quick
	@MINUTES=5 $(test) soak-ours scripts/soak ours unplug quick
soak-sleep: built-sleep root
	@MINUTES=5 $(test) $@ scripts/soak ours sleep
kunit: $(kernels:%=kunit-%) ## KUnit tests of the layer
uapi: $(kernels:%=uapi-%) ## our own tests of ioctls and files, from user space
edu: $(kernels:%=edu-%) ## tests of the sample driver prime_edu, which moves bytes by DMA, in four machines
negotiate: negotiate-host $(kernels:%=negotiate-%) ## tests of lib/, the library and the program for negotiated storage; six cells of the matrix
top: top-host $(kernels:%=top-%) ## tests of prime-top, on made-up trees, on a terminal and with real buffers
igt: $(kernels:%=igt-%) ## unmodified IGT tests, with expectations
# To save time, make check leaves some of stock, of IGT and of the demo to check-all.
short := $(if $(ALL),,$(filter check,$(PRIME_TARGET)))
uapi-stock: export DEVICES := $(or $(DEVICES),$(if $(short),vgem))
edu-stock: export MACHINES := $(or $(MACHINES),$(if $(short),plain))
igt-stock igt-ours: export SHORT := $(short)
$(runs): setup
	@$(test) $@ scripts/$(subst -, ,$@)
kunit-bare igt-bare: built-bare
# If the expectations are not for this version of IGT, the results of stock decide.
igt-ours: | $(filter igt-stock,$(kernels:%=igt-%))
igt-ours-mixed: built-mixed root
	@$(test) $@ scripts/igt ours --modules mixed
demo-stock demo-ours: setup
	@$(test) $@ userspace-demo/run $(if $(short),--frames 300) $(@:demo-%=%)
demotests-stock demotests-ours: setup
	@$(test) $@ userspace-demo/tests/run $(if $(short),--rounds 12,--live) $(@:demotests-%=%)
compositors: $(kernels:%=compositors-%) ## Debian's Wayland clients on the demo's compositor, weston, labwc and KWin; none may be worse off on ours than on stock
	@$(if $(filter stock,$(kernels)),$(if $(filter ours,$(kernels)),$(test) $@-compare userspace-demo/others/run --compare))
compositors-stock compositors-ours: setup root-clients
	@$(test) $@ userspace-demo/others/run $(@:compositors-%=%)
matrix: $(kernels:%=matrix-%) ## find out which devices can share a buffer, on stock and on ours; SETS=3, MACHINES=plain, KEEP=1
	@$(phase) --measure $@ scripts/matrix-report
matrix-stock matrix-ours: setup
	@$(phase) --measure $@ scripts/matrix $(@:matrix-%=%)
abi: $(filter built-stock,$(kernels:%=built-%)) built-ours ## check that every export of stock is on ours, with the same CRC, namespace and licence
	@$(test) $@ scripts/abi $(if $(filter stock,$(kernels)),,--against scripts/abi-$(LANE).symvers)
layers: built-ours root ## check calls and includes between files against the design
	@$(test) $@ scripts/layers
style: built-stock built-ours ## checkpatch, sparse, kernel-doc, W=1
	@$(test) $@ scripts/style
originality: source ## check that no code or prose of the replaced files was copied
	@$(test) $@ scripts/originality
graft-check: built-stock ## the tests of make graft
	@$(test) graft scripts/graft-check
port-check: source ## the tests of make port
	@$(test) port scripts/port-check
users: built-ours ## check that every file of the kernel that uses the layer compiles and finds its symbols
	@$(test) $@ scripts/users
selftests: selftests-stock selftests-ours ## run the kernel's own selftests, the BPF iterator and, with Linux 7.3, mainline's KUnit suites and tests of vfio-pci, iommufd and peer-to-peer DMA
# Stock of 6.12 has no iterator, so any kernel will do.
old_stock := $(and $(filter 6.12,$(LANE)),stock)
selftests-stock: built-$(or $(old_stock),users-stock) root
selftests-ours: built-users-ours root
selftests-stock selftests-ours: selftests-%:
	@$(test) $@ scripts/selftests $* $(if $(filter $*,$(old_stock)),--plain)
patches: source ## write the layer as a patch series for LANE to patches/LANE
	@$(phase) --measure $@ scripts/patches
patches-check: source ## check that git am of the series gives the grafted tree
	@$(test) patches scripts/patches-check
patches-build: built-stock ## check that the tree builds and passes its tests after each patch, with the switch off and on (user-mode Linux)
	@$(test) $@ scripts/patches-check --build
dkms: packages ## build a DKMS package of prime_mock, the samples and the conformance programs in build/dkms
	@$(phase) --measure $@ scripts/dkms
deb-check: source dkms ## install the packages of make deb CONFIG=lean and make dkms on a Debian, and boot it
	@$(phase) deb-lean scripts/deb lean
	@$(test) deb scripts/deb-check
rig-check: setup ## check that a guest that dies or hangs loses the result of one test only
	@$(test) rig scripts/rig-check $(firstword $(kernels))
docs: source ## build the documentation as HTML in build/LANE/docs
	@$(phase) --measure $@ scripts/docs
bench-lane: built-stock built-bare built-ours root
	@$(phase) --measure $@ scripts/bench $(ONLY)
conformance-farm: built-farm root ## run the conformance tests on stock with every driver that needs no hardware; FARM="vgem qxl"
	@$(phase) --measure $@ scripts/conformance-farm $(FARM)
reproducers: $(if $(filter 6.12,$(LANE)),,reproducers-stock reproducers-ours reproducers-farm) ## show the faults of mainline that this project found, on stock and on ours (Linux 7.3)
reproducers-stock reproducers-ours reproducers-farm: reproducers-%: built-% root
	@$(test) $@ scripts/reproducers $*
interrupts: interrupts-$(firstword $(kernels)) ## check that programs that are interrupted restore what they changed in the machine
interrupts-stock interrupts-ours interrupts-debug: setup
	@$(test) $@ scripts/interrupts $(@:interrupts-%=%)
conformance-check: packages ## the tests of make conformance that need no guest
	@$(test) conformance scripts/conformance-check
shell: built-$(or $(KERNEL),ours) root ## an interactive guest; KERNEL=stock|ours|debug|kmemleak|kcsan chooses its kernel (ours)
	@vm/run $(or $(KERNEL),ours) --shell
.PHONY: packages setup root-clients $(builds) $(runs)
endif

check-all: ## check, check-more, check-debug and matrix on both lanes, counted together: hours
	@status=0; for lane in 7.3 6.12; do for t in check check-more check-debug matrix; do \
		ALL=1 $(MAKE) LANE=$$lane $$t || status=1; done; done; scripts/summary all || status=1; exit $$status

bench: ## measure what the layer costs and what stock costs, on both lanes, in instructions and with threads; ONLY=row, RUNS=3
	@for lane in 7.3 6.12; do $(MAKE) LANE=$$lane bench-lane || exit; done
	@scripts/bench-report $(if $(ONLY),out/bench,bench/results) 7.3=build/7.3/out/bench 6.12=build/6.12/out/bench

graft: ## KERNEL=path/to/tree [UNDO=1]: add the layer to a kernel tree of yours, or remove it
	@test -n "$(KERNEL)" || { echo 'graft: which tree? make graft KERNEL=path/to/tree [UNDO=1]' >&2; exit 2; }
	@scripts/graft $(if $(UNDO),--undo) $(if $(FORCE),--force) "$(KERNEL)"

port: ## KERNEL=path/to/tree: report what a newer kernel has changed that the layer depends on
	@test -n "$(KERNEL)" || { echo 'port: which tree? make port KERNEL=path/to/tree' >&2; exit 2; }
	@scripts/source
	@scripts/port "$(KERNEL)"

deb: ## [CONFIG=running|lean|FILE] [YES=1]: Debian packages of a kernel with the layer, in build/LANE/deb
	@scripts/bootstrap deb
	@YES="$(YES)" scripts/deb $(CONFIG)

modules: ## KDIR=kernel build [OUT=dir]: build prime_edu and prime_mock for a kernel of yours, with or without the layer
	@$(MAKE) -C drivers/gpu/drm/prime/mock $(if $(KDIR),KDIR="$(abspath $(KDIR))") $(if $(OUT),OUT="$(abspath $(OUT))") modules

conformance: ## DEVICE=/dev/dri/cardN [DESTRUCTIVE=1] [KDIR=kernel build] [OUT=dir] [TAP=file] [JUNIT=file]: the tests against a driver of yours, on the running kernel, no VM
	@DEVICE="$(DEVICE)" KDIR="$(KDIR)" OUT="$(OUT)" BIN="$(BIN)" MODULES_DIR="$(MODULES_DIR)" scripts/conformance $(if $(DESTRUCTIVE),--destructive) $(if $(TAP),--tap "$(TAP)") $(if $(JUNIT),--junit "$(JUNIT)")

# The lock stays: a make that began to wait for it meanwhile would wait for a file that the next one does not see.
clean: ## remove what was built (build/, out/), keep the cache
	@mkdir -p build
	@exec 9>>build/.lock; flock -n 9 || { echo 'clean: another make works under build/: wait until it has ended' >&2; exit 1; }; rm -rf build/* out

distclean: clean ## remove the cache too
	@scripts/guest-root --remove

.PHONY: help demo demo-live check check-more check-debug check-ours check-all quick explore explore-check litmus fuzz fuzz-check kunit uapi edu negotiate top igt matrix abi layers style originality \
	graft-check port-check interrupts users selftests compositors rig-check docs bench shell coverage bootstrap source root kernel kernel-debug arm64 graft port patches patches-check patches-build \
	deb deb-check dkms modules conformance conformance-check conformance-farm reproducers mutants soak clean distclean
