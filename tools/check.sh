#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check.sh: build and run everything that tests Lodge; the last line counts.  CHECK="unit boot" runs a part.
#   build  gcc and clang, -Werror       lint  limits of the tree, man pages
#   unit   test/**/*_test.c under ASan and UBSan, and again as built under PR_SET_MDWE
#   boot   test/**/*_test.sh: real kernels, firmware, bad input; under PR_SET_MDWE too
#   modes  what runs guests, again: on the interpreter, for old hosts, compiled when first executed, as if hot
#          (all-modes: every script in each)
#   race   what has several threads, under TSan
#   matrix (only if asked for: it takes long) every kernel for x86 on each board, by each entry, with 1 and 4 CPUs
set -u
cd "$(dirname "$0")/.."
parts=${CHECK:-build lint unit boot modes race}
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
logs=build-check
mkdir -p $logs
results=$logs/results
failures=$logs/failures
: >$results
: >$failures
start=$(date +%s)

# A test that hangs has failed after this many seconds.
limit=${CHECK_LIMIT:-1800}

# As many tests run at a time as there are CPUs: each takes a word from the pool, and puts it back.
mkfifo $logs/pool.$$
exec 9<>$logs/pool.$$
rm $logs/pool.$$
for _ in $(seq "$jobs"); do echo >&9; done

# later NAME COMMAND...: as run, beside others.
later() {
	read -r _ <&9
	{
		run "$@" 9>&-
		echo >&9
	} &
}

# run NAME COMMAND...: the command prints TAP; a failure without TAP is one failed test.
run() {
	name=$1
	shift
	log=$logs/$(echo "$name" | tr '/ ' '__').log
	from=$(date +%s)
	timeout -k 10 "$limit" "$@" >"$log" 2>&1
	rc=$?
	# cmocka before 2.0 says "not ok" of what it skips.
	skips=$(grep -cE '^[[:space:]]*(not )?ok [0-9]+.*# *(SKIP|skip)' "$log")
	bad=$(grep -E '^[[:space:]]*not ok [0-9]+' "$log" | grep -cvE '# *(SKIP|skip)')
	tests=$(($(grep -cE '^[[:space:]]*(not )?ok [0-9]+' "$log") - bad))
	[ $rc -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
	[ $rc -ne 0 ] || [ "$tests" -gt 0 ] || [ "$bad" -gt 0 ] || tests=1
	echo "$((tests - skips)) $bad $skips" >>$results
	say >"$log.said"
	cat "$log.said" # at once, since others speak, too
	[ "$bad" -eq 0 ] || cat "$log.said" >>$failures
}

# What run has seen.
say() {
	printf '%-44s %4d passed %3d failed %3d skipped %5d s\n' "$name" $((tests - skips)) "$bad" "$skips" \
		$(($(date +%s) - from))
	[ "$skips" -eq 0 ] || sed -nE 's/^[[:space:]]*(not )?ok [0-9]+ (.*# *(SKIP|skip).*)/    skipped: \2/p' "$log"
	[ "$bad" -eq 0 ] || {
		grep -E '^[[:space:]]*not ok|^# ' "$log" | grep -vE '# *(SKIP|skip)' | head -n 40 | sed 's/^/    /'
		echo "    exit status $rc; the last lines of $log:"
		tail -n 25 "$log" | sed 's/^/    | /'
	}
}

wants() {
	case " $parts " in *" $1 "*) return 0 ;; esac
	return 1
}

asan="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"
if wants build; then
	run "build with gcc" make -s -j"$jobs" all tests
	run "build with clang" make -s -j"$jobs" O=build-clang CC=clang all
	run "build with ASan and UBSan" make -s -j"$jobs" O=build-asan CFLAGS="$asan" all tests
fi
wants lint && run "lint" tools/lint.py build
wants lint && run "manual pages" mandoc -T lint -W warning doc/*.[135]
if wants unit; then
	export CMOCKA_MESSAGE_OUTPUT=TAP
	for t in $(find test -name '*_test.c' | LC_ALL=C sort); do
		later "${t%.c} (sanitized)" "build-asan/${t%.c}"
	done
	for t in $(find test -name '*_test.c' | LC_ALL=C sort); do
		later "${t%.c} (no W+X)" build/test/no_wx "build/${t%.c}"
	done
	unset CMOCKA_MESSAGE_OUTPUT
fi
if wants boot; then
	for t in $(find test -name '*_test.sh' | LC_ALL=C sort); do
		no_wx=build/test/no_wx
		case $t in test/boot/kvm_*) no_wx= ;; esac # QEMU compiles to memory that it may write, too
		later "${t%.sh}" env LODGE="$PWD/build/lodge" $no_wx /bin/sh "$t"
	done
fi
if wants matrix; then
	for t in test/boot/x86_kernels_test test/boot/x86_installer_test; do
		later "$t (all of them)" env LODGE="$PWD/build/lodge" LODGE_MATRIX=yes /bin/sh $t.sh
	done
fi
# mode NAME OPTION SCRIPTS: the scripts with a program that runs guests with this option first.
mode() {
	mode_name=$1
	wrapper=build/lodge-$(echo "$mode_name" | tr ' ' '-') # beside what else was built, where tests look for it
	printf '#!/bin/sh\n[ "$1" != run ] || { shift; set -- run %s "$@"; }\nexec "%s" "$@"\n' "$2" \
		"$PWD/build/lodge" >"$wrapper"
	chmod +x "$wrapper"
	shift 2
	wants all-modes && set -- $(find test -name '*_test.sh' ! -name 'kvm_*' | LC_ALL=C sort) # KVM's CPUs have no modes
	for t; do
		later "${t%.sh} ($mode_name)" env LODGE="$PWD/$wrapper" build/test/no_wx /bin/sh "$t"
	done
}

if wants modes || wants all-modes; then
	mode interpreter "-E interp" test/boot/bare_test.sh test/boot/smp_test.sh
	mode "old host" "-o jit-baseline=yes" test/boot/bare_test.sh test/boot/smp_test.sh
	mode "compiled at once" "-o jit-eager=yes" test/boot/bare_test.sh test/boot/linux_test.sh
	mode "compiled in the background" "-o jit-background=yes" test/boot/linux_test.sh test/boot/smp_test.sh
	mode "paths at once" "-o jit-paths=yes" test/boot/bare_test.sh test/boot/smp_test.sh test/boot/linux_test.sh
fi
wait
if wants race; then
	races="test/base/thread_test test/core/bus_test test/core/clock_test test/core/event_test test/lib/machine_test
		test/host/block_image_test test/host/nbd_test
		test/machine/riscv64_virt_test test/dev/pc_irq_board_test test/dev/pci_test test/dev/virtio_evil_test test/jit/later_test
		test/cpu/riscv64/later_test test/host/vsock_test test/dev/virtio_share_test"
	run "build with TSan" make -s -j"$jobs" O=build-tsan CFLAGS="-O1 -g -fsanitize=thread -Wno-tsan" \
		build-tsan/lodge $(for t in $races; do echo "build-tsan/$t"; done)
	export TSAN_OPTIONS="suppressions=$PWD/test/tsan.supp history_size=7"
	for t in $races; do
		later "$t (TSan)" env CMOCKA_MESSAGE_OUTPUT=TAP build-tsan/$t
	done
	later "test/boot/smp_test (TSan)" env LODGE="$PWD/build-tsan/lodge" SMP_ONCE=1 /bin/sh test/boot/smp_test.sh
	wait
fi
[ ! -s $failures ] || { # once more at the end, where whoever has only the last lines finds them
	echo "What failed:"
	cat $failures
}
awk -v t=$(($(date +%s) - start)) '{ p += $1; f += $2; s += $3 } END {
	printf "%d s\n%d passed, %d failed, %d skipped\n", t, p, f, s; exit f != 0 }' $results
