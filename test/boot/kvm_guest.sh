# SPDX-License-Identifier: BSD-2-Clause
# What kvm_test.sh runs where KVM works: guests of Lodge on it.  Prints TAP; the plan is the caller's.
n=0 bad=0

# ok STATUS TEXT
ok() {
	n=$((n + 1))
	[ "$1" -eq 0 ] && echo "ok $n - $2" || { bad=1; echo "not ok $n - $2"; }
}

skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# boot NAME OPTIONS...: a guest that writes to a disk and reads it, and powers off.  noxsave: QEMU 7.2 tells no hypervisor of
# XSETBV, so XCR0 is not what KVM takes it for, and a kernel complains.  Nothing is said of clocks: one that QEMU imitates on a busy
# host stands still now and then.
boot() {
	name=$1
	shift
	dd if=/dev/urandom of=/tmp/disk bs=1M count=4 2>/dev/null
	printf '%s\n' 'nproc' 'dd if=/dev/vda bs=1M count=2 2>/dev/null | dd of=/dev/vda bs=1M seek=2 2>/dev/null; sync' \
		'echo SUM $(dd if=/dev/vda bs=1M count=2 2>/dev/null | md5sum)' 'dmesg | grep -iE "bug:|warn|oops|stall"' \
		'poweroff -f' |
		timeout -k 5 200 lodge run -q -E kvm -n none -m 256M "$@" -d /tmp/disk,format=raw -k vmlinux -i initrd.gz \
			-p "console=ttyS0 panic=-1 quiet noxsave" >/tmp/out 2>/tmp/err
	rc=$?
	# Seconds are minutes here now and then.  One that has done its work and does not end is another matter.
	if { [ $rc -eq 124 ] || [ $rc -eq 137 ]; } && ! grep -q '^SUM ' /tmp/out; then
		skip "$name" "the imitated machine was too slow: nothing was wrong in 200 s, and it was not done"
		return
	fi
	ok $rc "$name: boots, and powers off with status 0"
	sum=$(dd if=/tmp/disk bs=1M count=2 2>/dev/null | md5sum | cut -c 1-32)
	grep -q "^SUM $sum" /tmp/out
	ok $? "$name: reads its disk"
	[ "$(dd if=/tmp/disk bs=1M skip=2 2>/dev/null | md5sum | cut -c 1-32)" = "$sum" ]
	ok $? "$name: writes its disk"
	[ -n "${KVM_SHORT:-}" ] || { # on a busy host it may complain of that
		! grep -qiE "^\[.*(bug:|warn|oops|stall)" /tmp/out
		ok $? "$name: the kernel complains of nothing"
	}
	[ $bad -eq 0 ] || { echo "# exit status $rc"; tail -n 30 /tmp/err /tmp/out | sed 's/^/# /'; }
}

lodge engines | grep -E '^kvm +x86_64 +yes' >/dev/null
ok $? "it can be used"
if [ -n "${KVM_LAB:-}" ]; then
	lodge selftest -E kvm >/tmp/lab 2>&1
	ok $? "the conformance lab: $(tail -n 1 /tmp/lab)"
	[ $bad -eq 0 ] || grep -E '^  FAILED|^lodge:' /tmp/lab | sed 's/^/# /'
	exit $bad
fi
if [ -n "${KVM_MOVES:-}" ]; then
	. ./moves.sh
	moves "$KVM_MOVES" "$KVM_ROUNDS" 100000
	exit $bad
fi
boot "one CPU" -M microvm
boot "a PC" -M pc
[ -z "${KVM_SHORT:-}" ] || exit $bad
./debug lodge $n >/tmp/debug.out || bad=1
cat /tmp/debug.out
n=$((n + $(grep -cE '^(not )?ok ' /tmp/debug.out)))
./alone lodge kvm $n || bad=1
n=$((n + 1))
. ./moves.sh
moves 1 "$KVM_ROUNDS" 100
boot "two CPUs" -M microvm -c 2
boot "a PC with two CPUs" -M pc -c 2
exit $bad
