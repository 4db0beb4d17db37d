# SPDX-License-Identifier: GPL-2.0
# Sourced by the scripts beside it: where things are, preflight checks, the lock, phases.
# shellcheck shell=bash disable=SC2034 # variables are used by the scripts that source this
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$top/build
cache=${XDG_CACHE_HOME:-$HOME/.cache}/drm-prime-layer
src=$build/src
root=$cache/root-forky
source_package=linux-source-6.12

# The kernel's make must not see the options and variables of ours.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES ARCH CROSS_COMPILE KBUILD_OUTPUT GREP_OPTIONS
export LC_ALL=C.UTF-8

# What could not be run, or was asked for wrongly, is 2; a test that failed is 1.
die() { echo "${0##*/}: $*" >&2; exit 2; }
say() { echo "${0##*/}: $*"; }

# as_root COMMAND...: as it is for root, through sudo for everyone else.
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# The mirror this machine takes Debian from.
mirror() {
	apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | grep -v security | grep -m 1 '/debian/*$' ||
		die "apt has no Debian mirror configured (apt-get indextargets names none ending in /debian)"
}

# --- preflight: each says what is missing and what to do; none changes anything ---

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

# One make at a time works under build/; a second one waits. Scripts started by the holder go on.
lock() {
	[ "${PRIME_LOCKED:-}" != "$build" ] || return 0
	mkdir -p "$build"
	exec 9>>"$build/.lock"
	if ! flock -n 9; then
		say "another make works under build/; waiting for it" >&2
		flock 9
	fi
	export PRIME_LOCKED=$build
}

minutes() { printf '%dm%02ds' $(($1 / 60)) $(($1 % 60)); }

# phase NUMBER TOTAL NAME COMMAND...: run it with its output in a log, show that it runs.
phase() {
	local label="[$1/$2] $3" log pid start=$SECONDS status=0 shown=0 elapsed
	log=$build/log/$(tr -cs 'a-zA-Z0-9\n' - <<<"$3").log
	shift 3
	mkdir -p "$build/log"
	[ -t 1 ] || echo "$label, log ${log#"$top"/}"
	"$@" >"$log" 2>&1 </dev/null 9>&- &
	pid=$!
	# shellcheck disable=SC2064 # the process id of now
	trap "kill $pid 2>/dev/null; exit 130" INT TERM HUP
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		elapsed=$((SECONDS - start))
		if [ -t 1 ]; then
			printf '\r\033[K%s … %s, log %s' "$label" "$(minutes $elapsed)" "${log#"$top"/}"
		elif [ $((elapsed / 30)) -gt "$shown" ]; then
			shown=$((elapsed / 30))
			echo "$label … $(minutes $elapsed)"
		fi
	done
	wait "$pid" || status=$?
	trap - INT TERM HUP
	[ ! -t 1 ] || printf '\r\033[K'
	elapsed=$(minutes $((SECONDS - start)))
	phase_log=$log
	if [ $status = 0 ]; then
		echo "$label: done in $elapsed${phase_note:+, $($phase_note)}"
		return 0
	fi
	echo "$label: FAILED after $elapsed${phase_note:+, $($phase_note)}, log ${log#"$top"/}; its last lines:"
	tail -n 25 "$log" | sed 's/^/    /'
	echo "    to repeat it: ${*/#$top\//}"
	return $status
}
