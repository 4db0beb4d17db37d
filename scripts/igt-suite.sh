# SPDX-License-Identifier: GPL-2.0
# Sourced by scripts/igt and scripts/uapi: run a suite of IGT-protocol programs on kernels and show the table.
# shellcheck shell=bash
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# parse_kernels ARGUMENT...: sets kernels and modules
parse_kernels()
{
	kernels=() modules=
	while [ $# -gt 0 ]; do
		case $1 in
		-h | --help) usage; exit 0 ;;
		--modules)
			[ $# -ge 2 ] || { echo "${0##*/}: --modules wants a name (see build/mod)" >&2; exit 2; }
			modules=$2
			shift ;;
		-*) echo "${0##*/}: unknown option $1 (see --help)" >&2; exit 2 ;;
		*) kernels+=("$1") ;;
		esac
		shift
	done
	[ ${#kernels[@]} -gt 0 ] || { usage >&2; exit 2; }
}

# run_suite SUITE TEST-ROOT-IN-THE-GUEST: all kernels, then the table. suite_groups KERNEL, of the caller, says which
# programs run there: DRIVER:PROGRAM,PROGRAM… …
run_suite()
{
	local suite=$1 root=$2 kernel label out start status=0 expected tsvs=() env=()
	for kernel in "${kernels[@]}"; do
		label=$kernel${modules:+-$modules}
		out=$top/build/out/$suite-$label
		rm -rf "$out"
		mkdir -p "$out"
		case $kernel in stock) expected=stock ;; *) expected=ours ;; esac
		case $kernel in
		kcsan) env=(--env PRIME_RACE_SECONDS=8) ;; # it samples: it needs time
		debug | kmemleak) env=(--env PRIME_SCALE_SECONDS=3) ;; # slow: fewer than 100,000 either way
		*) env=() ;;
		esac
		[ "$suite" != uapi ] || env+=(--env "PRIME_MOCK=/repo/build/mock/$kernel/prime_mock.ko")
		echo "$suite on $label: running (results in build/out/$suite-$label)"
		start=$SECONDS
		# shellcheck disable=SC2046 # a list
		"$top/vm/run" "$kernel" ${modules:+--modules "$modules"} --out "$out" --timeout 900 "${env[@]}" \
			--device virtio-gpu-pci -- /repo/scripts/igt-guest "$root" $(suite_groups "$kernel") ||
			{ echo "$suite on $label: the guest ended with status $?"; status=1; }
		"$top/scripts/igt-results" judge "$suite" "$label" "$expected" "$out" \
			"$top/build/results/$suite-$label.tsv" || status=1
		echo "$suite on $label: $((SECONDS - start)) s"
	done
	# Stock stands beside whatever was run, from an earlier run if need be.
	for kernel in stock "${kernels[@]/%/${modules:+-$modules}}"; do
		local tsv=$top/build/results/$suite-$kernel.tsv
		[ ! -f "$tsv" ] || [[ " ${tsvs[*]} " == *" $tsv "* ]] || tsvs+=("$tsv")
	done
	[ ${#tsvs[@]} = 0 ] || "$top/scripts/igt-results" table "$suite" "${tsvs[@]}"
	return $status
}
