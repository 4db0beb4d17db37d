# SPDX-License-Identifier: GPL-2.0
# Sourced by scripts/igt and scripts/uapi: run a suite of IGT-protocol programs on kernels and show the table.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# parse_kernels ARGUMENT...: sets kernels and modules
parse_kernels()
{
	kernels=() modules=
	while [ $# -gt 0 ]; do
		case $1 in
		-h | --help) usage; exit 0 ;;
		--modules)
			[ $# -ge 2 ] || die "--modules wants a name (see mod in build/$lane)"
			modules=$2
			shift ;;
		-*) die "unknown option $1 (see --help)" ;;
		*) kernels+=("$1") ;;
		esac
		shift
	done
	[ ${#kernels[@]} -gt 0 ] || { usage >&2; exit 2; }
}

# Converts the results of igt_runner to JSON, with the guest's igt_results, and lists the tests that no guest has begun. Says how
# many these are, and how many tests were begun and not ended.
collect()
{
	local results
	for results in "$1"/results-*; do
		"$root/lib64/ld-linux-x86-64.so.2" --library-path "$root/usr/lib/x86_64-linux-gnu" "$root/usr/bin/igt_results" \
			"$results" >>"$1/igt_results.log" 2>&1 || :
	done
	"$top/scripts/igt-results" todo "$1"
}

# run_guests KERNEL: boot guests until the suite is done. If a guest hangs or dies, its test has no verdict, and the next
# guest continues after that test, as long as each guest gets further. A guest that hangs or dies between two tests, or after the
# last one, is a failure of its own: sets lost.
run_guests()
{
	local kernel=$1 label=$1${modules:+-$modules} out start=$SECONDS status env=() before left boot cut=0 cuts
	out=$build/out/$suite-$label
	rm -rf "$out"
	mkdir -p "$out"
	case $kernel in
	kcsan) env=(--env PRIME_RACE_SECONDS=8) ;; # it samples: it needs time
	debug | kmemleak)
		env=(--env PRIME_SCALE=10000) # slow: fewer than 100,000
		# vivid maps longer segments than the 64 KiB that it claims, on stock, too. Linux 7.3 always checks that, so only
		# prime_mock is checked.
		env+=(--append dma_debug_driver=prime_mock) ;;
	esac
	[ "$suite" != uapi ] || env+=(--env "PRIME_MOCK=$guest_build/mock/$kernel/prime_mock.ko")
	left=unknown lost=''
	for boot in 1 2 3 4 5 6; do
		before=$left status=0
		# shellcheck disable=SC2046 # a list
		"$top/vm/run" "$kernel" ${modules:+--modules "$modules"} --out "$out" --timeout 3600 --stall "${STALL:-420}" "${env[@]}" \
			--device virtio-gpu-pci --device bochs-display -- /repo/scripts/igt-guest "$test_root" $(suite_groups "$kernel") || status=$?
		cuts=$cut
		read -r left cut <<<"$(collect "$out")"
		case $status in 124 | 125) ;; *) break ;; esac
		[ "$cut" -gt "$cuts" ] || lost+="${lost:+; }guest $boot ended with status $status, and not in a test"
		echo "$suite on $label: guest $boot ended with status $status; subtests that no guest has begun: $left"
		[ "$left" != "$before" ] || break
	done
	echo "$suite on $label: $((SECONDS - start)) s, results in ${out#"$top"/}"
	[ $status = 0 ] || lost+="${lost:+; }the last guest ended with status $status"
	[ ! "$lost" ] || { echo "$suite on $label: $lost"; return 1; }
}

# run_suite SUITE TEST-ROOT-IN-THE-GUEST: all kernels, then the table. suite_groups KERNEL, of the caller, says which
# programs run there: DRIVER:PROGRAM,PROGRAM… …
run_suite()
{
	local kernel label expected ended lost status=0 tsv tsvs=()
	suite=$1 test_root=$2
	for kernel in "${kernels[@]}"; do
		ended=pass
		run_guests "$kernel" || ended=fail
		label=$kernel${modules:+-$modules}
		case $kernel in stock) expected=stock ;; *) expected=ours ;; esac
		"$top/scripts/igt-results" judge "$suite" "$label" "$expected" "$build/out/$suite-$label" \
			"$build/results/$suite-$label.tsv" || status=1
		[ $ended = pass ] || status=1
		printf 'kernel/guest@end\t%s\t%s\n' $ended "$lost" >>"$build/results/$suite-$label.tsv"
	done
	# The table always has stock, from an earlier run if necessary.
	for kernel in stock "${kernels[@]/%/${modules:+-$modules}}"; do
		tsv=$build/results/$suite-$kernel.tsv
		[ ! -f "$tsv" ] || [[ " ${tsvs[*]} " == *" $tsv "* ]] || tsvs+=("$tsv")
	done
	[ ${#tsvs[@]} = 0 ] || "$top/scripts/igt-results" table "$suite" "${tsvs[@]}"
	return $status
}
