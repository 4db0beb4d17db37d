# SPDX-License-Identifier: MIT
# Sourced by guest, kill-rounds and ../others/guest: start and stop the compositor, count dma-bufs.
# shellcheck shell=bash disable=SC2154,SC2034 # variables of, and for, the script that sources this

# shellcheck source=userspace-demo/cards.sh
. "$(dirname "${BASH_SOURCE[0]}")/../cards.sh"

# The card of vkms.
find_display()
{
	local card
	card=$(cards vkms | head -n 1)
	[ "$card" ] || { echo "no display came up" >&2; return 1; }
	echo "$card"
}

# run_to FILE COMMAND...: in the background, all that it says to the file.
run_to()
{
	local file=$1
	shift
	"$@" >"$file" 2>&1 &
}

# start_compositor NAME OPTION...: sets compositor to its process id and own to how many dma-bufs it has for itself
# (two to draw into, and what Mesa makes). It listens when this returns.
start_compositor()
{
	local name=$1 _
	shift
	rm -f /tmp/ready
	mkfifo /tmp/ready
	"$bin/compositor" --device "$display" --mode 640x480 "$@" --ready-fd 3 3>/tmp/ready >>"${said_in:-$out}/compositor-$name.txt" 2>>"$out/compositor-$name.txt" &
	compositor=$!
	# When it dies instead, the pipe ends.
	read -r _ </tmp/ready || { echo "the compositor does not start:" >&2; tail -n 3 "$out/compositor-$name.txt" >&2; return 1; }
	count_objects
	own=$objects
}

# Sets status to how it ended.
stop_compositor()
{
	kill -TERM "$compositor" 2>/dev/null || :
	status=0
	wait "$compositor" || status=$?
}

count_objects()
{
	mapfile -t bufinfo </sys/kernel/debug/dma_buf/bufinfo
	# The last line: Total N objects, …
	read -r _ objects _ <<<"${bufinfo[-1]}"
}

# until_objects N SECONDS: wait until so many dma-bufs are there; sets objects to what there are in the end.
until_objects()
{
	local end=$((SECONDS + $2))
	while :; do
		count_objects
		[ "$objects" != "$1" ] || return 0
		[ $SECONDS -lt $end ] || break
		sleep 0.05
	done
	echo "there are $objects dma-bufs, $1 were expected:" >&2
	printf '%s\n' "${bufinfo[@]}" >&2
}

# What the kernel has warned of. Not what vkms's composer does: on a busy machine its worker may come late, find planes that
# are unmapped already, and warn of that (compose_active_planes; seen on stock). The judge tells how often.
vkms_warning='WARNING: .*drivers/gpu/drm/vkms/vkms_composer\.c:'
complaints() { dmesg | grep -E 'WARNING:|BUG:|Oops|refcount_t:' | grep -v "$vkms_warning" || :; }
