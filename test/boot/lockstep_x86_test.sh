# SPDX-License-Identifier: BSD-2-Clause
# Compiled code beside the interpreter on Debian's amd64 kernel: as far as it comes in half a minute;
# LOCKSTEP_BOOT=1: to its shell and to power off, on both boards, compiled in all ways (minutes each).
. test/tap.sh
case $($LODGE run -a x86_64 -k /dev/null 2>&1) in
*'arch "x86_64"'*) skip_all "x86_64" "this build has no such CPU" ;;
esac

# With the interpreter alone there is nothing to compare.
$LODGE run -q --lockstep --timeout 1s -k "$0" -a x86_64 2>&1 </dev/null | grep -q 'compiles nothing' &&
	skip_all "lockstep" "the interpreter is asked for"
guest x86_64

# boot TIME ARGS...: output in $tmp/out and $tmp/err, status in $rc.
boot() {
	time=$1
	shift
	$LODGE run -q --lockstep --timeout "$time" -m 256M "$@" -a x86_64 -k "$guest_dir/vmlinux" \
		-i "$guest_dir/initrd.gz" -p "console=ttyS0 panic=-1 lodge.run=true" \
		>"$tmp/out" 2>"$tmp/err" </dev/null
	rc=$?
}

boot 30s -M microvm -o jit-eager=yes
case $rc in
0 | 4) ok 0 "the kernel starts" ;;
*) is $rc 4 "the kernel starts" ;;
esac
is "$(grep lockstep "$tmp/err")" "" "nothing differs"

if [ -n "${LOCKSTEP_BOOT:-}" ]; then
	for board in microvm pc; do
		for how in jit-eager=no jit-eager=yes jit-paths=yes jit-baseline=yes; do
			boot 3600s -M $board -o $how
			is $rc 0 "$board, $how: Debian boots and ends"
			has "$tmp/out" 'GUEST-DONE 0' "$board, $how: to user land"
			is "$(cat "$tmp/err")" "" "$board, $how: nothing differs"
		done
	done
fi
finish
