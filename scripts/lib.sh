# SPDX-License-Identifier: GPL-2.0
# Sourced by the scripts of this and other folders: where things are, preflight checks, the lock, machines, tools.
# shellcheck shell=bash disable=SC2034 # variables are used by the scripts that source this
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/drm-prime-layer
suite=$(sed -n 's/^suite //p' "$top/vm/root.recipe" 2>/dev/null || :) # scripts/graft may run from a copy without vm/
root=$cache/root-$suite${GUEST:+-$GUEST} # GUEST chooses a guest with more programs: vm/GUEST.recipe

# The compiler cache outlives build/, and serves every clone.
export CCACHE_DIR=$cache/ccache CCACHE_BASEDIR=$top CCACHE_MAXSIZE=4G

# The kernel's make must not see the options and variables of ours.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES ARCH CROSS_COMPILE KBUILD_OUTPUT GREP_OPTIONS
export LC_ALL=C.UTF-8
# Python's cache must not be written to the kernel's tree.
export PYTHONDONTWRITEBYTECODE=1

me=${0#"$top"/}
# Exit status 2: something could not be run, or an argument is wrong. 1: a test failed.
die() { echo "$me: $*" >&2; exit 2; }
say() { echo "$me: $*"; }
need_number() { # name, value
	[[ $2 =~ ^[1-9][0-9]*$ ]] || die "$1 is a whole number from 1 on, not '$2'"
}

# LANE chooses the version of Linux: each has a folder of its own under build/.
lanes="7.3 6.12"
lane=${LANE:-7.3}
[[ " $lanes " == *" $lane "* ]] || die "LANE is ${lanes// / or }, not '$lane'"
export LANE=$lane
build=$top/build/$lane
guest_build=/repo/build/$lane # the same in a guest (vm/run)
src=$build/src
source_package=linux-source-$lane
# The Debian suite that has the package, if this machine does not install from it; the layer's sources that are for other versions.
case $lane in
7.3) source_suite=trixie-backports other_sources="linux-6.12/bpf linux-6.12/probe tests/dma_buf_kept_test tests/dma_buf_device_probed_test" ;;
6.12) source_suite='' other_sources="gem/rename tests/dma_buf_nocallback_test tests/dma_buf_device_known_test tests/gem_prime_device_test" ;;
esac

# as_root COMMAND...: runs the command as root, through sudo if necessary.
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# The mirror this machine takes Debian from.
mirror() {
	apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | grep -v security | grep -m 1 '/debian/*$' ||
		die "apt has no Debian mirror configured (apt-get indextargets names none ending in /debian)"
}

# --- preflight checks: each reports what is missing and what to do, and changes nothing ---

need_network() { # what for
	local site file
	site=$(mirror)
	file=$(mktemp)
	if ! timeout 60 /usr/lib/apt/apt-helper -o Acquire::Retries=1 download-file "$site/dists/stable/Release" "$file.new" >"$file" 2>&1; then
		tail -n 3 "$file" >&2
		rm -f "$file" "$file.new"
		die "no network: the Debian mirror $site does not answer; it is needed for $1"
	fi
	rm -f "$file" "$file.new"
}

need_root() { # what for
	[ "$(id -u)" = 0 ] && return
	command -v sudo >/dev/null || die "neither root nor sudo: one of them is needed for $1"
	sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; } || die "sudo refuses: root is needed for $1"
}

need_disk() { # directory, GB, what for
	local dir=$1 free
	while [ ! -d "$dir" ]; do dir=$(dirname "$dir"); done
	free=$(($(stat -f -c '%a * %S' "$dir") / 1000000000))
	[ "$free" -ge "$2" ] || die "not enough disk: $free GB are free at $dir, $3 needs $2 GB"
}

need_ram() { # MB, what for
	local free
	free=$(($(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo) / 1000))
	[ "$free" -ge "$1" ] || die "not enough RAM: $free MB are available, $2 needs $1 MB"
}

# One make at a time works under build/, on any lane; a second one waits. Scripts that the holder of the lock starts don't wait.
lock() {
	mkdir -p "$build"
	[ "${PRIME_LOCKED:-}" != "$top" ] || return 0
	exec 9>>"$top/build/.lock"
	if ! flock -n 9; then
		say "another make works under build/; waiting for it" >&2
		flock 9
	fi
	export PRIME_LOCKED=$top
}

# The release that NEWS.md begins with.
release_version() { sed -n 's/^## \([0-9.]*\).*/\1/p' "$top/NEWS.md" | head -n 1; }

minutes() { printf '%dm%02ds' $(($1 / 60)) $(($1 % 60)); }

# --- a test written in shell: one line of $tsv for each result; a failure sets status to 1 ---

result() { # name, pass, fail or skip, text: a failure whose text begins with "expected:" does not count
	printf '%s\t%s\t%s\n' "$1" "$2" "${3:-}" >>"$tsv"
	[[ $2 != fail || ${3:-} == expected:* ]] || { status=1; echo "$1: $2 ${3:-}"; }
}
# The results that a program says, on standard input: PASS, FAIL or SKIP, a name, and why.
results_said() {
	local word name text
	while read -r word name text; do
		case $word in PASS) result "$name" pass "$text" ;; FAIL) result "$name" fail "$text" ;; SKIP) result "$name" skip "$text" ;; esac
	done
}

# The machines of the sample driver and of the matrix: options of vm/run.
machines="plain intel-iommu virtio-iommu swiotlb"
machine() {
	case $1 in
	plain) ;;
	intel-iommu) echo --append intel_iommu=on --device intel-iommu ;;
	virtio-iommu) echo --device virtio-iommu-pci ;;
	swiotlb) echo --append swiotlb=force ;;
	*) die "machines are ${machines// /, }, not '$1'" ;;
	esac
}

# lost_options FRAGMENT CONFIG: the lines of a fragment that Kconfig did not take. It drops an option without a word if a
# dependency is missing. The last line for an option counts: a later fragment may override an earlier one.
lost_options() {
	local line option
	awk -F '[= ]' '/^CONFIG_/ { last[$1] = $0 } /^# CONFIG_.* is not set$/ { last[$2] = $0 }
		END { for (o in last) print last[o] }' "$1" | sort | while read -r line; do
		case $line in
		CONFIG_*=n) ! grep -q "^${line%=n}=" "$2" || echo "$line" ;;
		CONFIG_*) grep -qxF "$line" "$2" || echo "$line" ;;
		*) option=${line#\# }; ! grep -q "^${option%% *}=" "$2" || echo "$line" ;;
		esac
	done
}

# tool ARGUMENT...: make, for what several phases use that may run at the same time.
tool() {
	mkdir -p "$build"
	flock "$build/.tools" make -s "$@" </dev/null
}

# own_groups: from now on each background job is a process group, which ends with the script.
own_groups() {
	set -m
	trap 'for job in $(jobs -p); do kill -- "-$job" 2>/dev/null || :; done' EXIT
	trap 'exit 130' INT TERM HUP
}

# drivers_of KERNEL...: build prime_mock and the samples for them.
drivers_of() {
	local kernel log
	mkdir -p "$build/log"
	for kernel; do
		log=$build/log/mock-$kernel.log
		tool -C "$top/drivers/gpu/drm/prime/mock" KDIR="$build/$kernel" OUT="$build/mock/$kernel" >"$log" 2>&1 ||
			{ tail -n 20 "$log" >&2; die "the drivers of mock/ do not build for $kernel (log: ${log#"$top"/})"; }
	done
}
