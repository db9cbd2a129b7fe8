#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check.sh: build and run everything that tests Lodge; the last line counts.  CHECK="unit boot" runs a part.
#   build  gcc and clang, -Werror       lint  limits of the tree, man pages
#   unit   test/**/*_test.c under ASan and UBSan, and again as built under PR_SET_MDWE
#   boot   test/**/*_test.sh: real kernels, firmware, bad input; under PR_SET_MDWE too
set -u
cd "$(dirname "$0")/.."
parts=${CHECK:-build lint unit boot}
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
logs=build-check
mkdir -p $logs
results=$logs/results
: >$results
start=$(date +%s)

# run NAME COMMAND...: the command prints TAP; a failure without TAP is one failed test.
run() {
	name=$1
	shift
	log=$logs/$(echo "$name" | tr '/ ' '__').log
	from=$(date +%s)
	"$@" >"$log" 2>&1
	rc=$?
	tests=$(grep -cE '^[[:space:]]*ok [0-9]+' "$log")
	skips=$(grep -cE '^[[:space:]]*ok [0-9]+.*# *(SKIP|skip)' "$log")
	bad=$(grep -cE '^[[:space:]]*not ok [0-9]+' "$log")
	[ $rc -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
	[ $rc -ne 0 ] || [ "$tests" -gt 0 ] || [ "$bad" -gt 0 ] || tests=1
	echo "$((tests - skips)) $bad $skips" >>$results
	printf '%-44s %4d passed %3d failed %3d skipped %5d s\n' "$name" $((tests - skips)) "$bad" "$skips" \
		$(($(date +%s) - from))
	[ "$skips" -eq 0 ] || sed -nE 's/^[[:space:]]*ok [0-9]+ (.*# *(SKIP|skip).*)/    skipped: \1/p' "$log"
	[ "$bad" -eq 0 ] || {
		grep -E '^[[:space:]]*not ok|^# ' "$log" | head -n 40 | sed 's/^/    /'
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
wants lint && run "manual pages" mandoc -T lint -W warning doc/*.[15]
if wants unit; then
	export CMOCKA_MESSAGE_OUTPUT=TAP
	for t in $(find test -name '*_test.c' | LC_ALL=C sort); do
		run "${t%.c} (sanitized)" "build-asan/${t%.c}"
	done
	for t in $(find test -name '*_test.c' | LC_ALL=C sort); do
		run "${t%.c} (no W+X)" build/test/no_wx "build/${t%.c}"
	done
	unset CMOCKA_MESSAGE_OUTPUT
fi
if wants boot; then
	for t in $(find test -name '*_test.sh' | LC_ALL=C sort); do
		run "${t%.sh}" env LODGE="$PWD/build/lodge" build/test/no_wx /bin/sh "$t"
	done
fi
awk -v t=$(($(date +%s) - start)) '{ p += $1; f += $2; s += $3 } END {
	printf "%d s\n%d passed, %d failed, %d skipped\n", t, p, f, s; exit f != 0 }' $results
