# SPDX-License-Identifier: BSD-2-Clause
# What kvm_riscv64_test.sh runs where KVM works: guests of Lodge on it.  Prints TAP; the plan is the caller's.
n=0 bad=0

# ok STATUS TEXT
ok() {
	n=$((n + 1))
	[ "$1" -eq 0 ] && echo "ok $n - $2" || { bad=1; echo "not ok $n - $2"; }
}

# wait_for WHAT [TIMES]: until it stands so often at the start of a line that the guest has written; seconds are minutes here now
# and then.
wait_for() {
	for i in $(seq 400); do
		[ "$(grep -ac "^$1" /tmp/out)" -lt "${2:-1}" ] || return 0
		kill -0 "$pid" 2>/dev/null || return 1
		sleep 0.5
	done
	return 1
}

# begin COMMAND...: a machine, with its console behind descriptor 3.
begin() {
	rm -f /tmp/in
	mkfifo /tmp/in
	: >/tmp/out
	"$@" </tmp/in >/tmp/out 2>/tmp/err &
	pid=$!
	exec 3>/tmp/in
}

# end TEXT
end() {
	echo 'poweroff -f' >&3
	exec 3>&-
	wait $pid
	rc=$?
	ok $rc "$1: powers off with status 0"
	[ $bad -eq 0 ] || { echo "# exit status $rc"; tail -n 30 /tmp/err /tmp/out | sed 's/^/# /'; }
}

# asks TEXT LINE COMMANDS: the guest's answer starts with that line, and all of its programs run.
asks() {
	echo "$3" >&3
	wait_for "$2"
	ok $? "$1"
}

# boot NAME OPTIONS...: a guest that writes to a disk and reads it.
boot() {
	name=$1
	shift
	dd if=/dev/urandom of=/tmp/disk bs=1M count=4 2>/dev/null
	begin lodge run -q -E kvm -n none -m 128M "$@" -d /tmp/disk,format=raw -k vmlinux -i initrd.gz \
		-p "console=ttyS0 panic=-1 quiet"
	wait_for GUEST-READY
	ok $? "$name: boots: $(grep -a '^GUEST-READY' /tmp/out | tr -d '\r')"
	sum=$(dd if=/tmp/disk bs=1M count=2 2>/dev/null | md5sum | cut -c 1-32)
	asks "$name: reads its disk" "SUM $sum" 'echo SUM $(dd if=/dev/vda bs=1M count=2 2>/dev/null | md5sum)'
	asks "$name: the kernel complains of nothing" QUIET 'dmesg | grep -iE "bug:|warn|oops" || echo QUIET'
	asks "$name: writes its disk" DONE \
		'dd if=/dev/vda bs=1M count=2 2>/dev/null | dd of=/dev/vda bs=1M seek=2 2>/dev/null; sync; echo DONE'
	echo 'reboot -f' >&3
	wait_for GUEST-READY 2
	ok $? "$name: boots again"
	end "$name"
	[ "$(dd if=/tmp/disk bs=1M skip=2 2>/dev/null | md5sum | cut -c 1-32)" = "$sum" ]
	ok $? "$name: what it wrote is there"
}

# moves CPUS [OPTION]: from kvm to our own CPU and back; into a file, with that option, and on from there.  ls is a program that
# starts, so what is wrong in memory is seen.
moves() {
	name="moves, CPUs: $1"
	begin lodge run -q -E kvm+interp -n none -m 96M -c "$1" --ctl /tmp/ctl -C stdio -k vmlinux -i initrd.gz \
		-p "console=ttyS0 panic=-1 quiet"
	wait_for GUEST-READY
	ok $? "$name: boots"
	lodge pause /tmp/ctl && sleep 1 && lodge resume /tmp/ctl
	asks "$name: goes on after a pause" LS1 'ls / >/dev/null && ls / >/dev/null && echo LS1'
	lodge engine /tmp/ctl interp
	ok $? "$name: to interp"
	asks "$name: works there" LS2 'ls / >/dev/null && ls / >/dev/null && echo LS2'
	lodge engine /tmp/ctl kvm
	ok $? "$name: and back"
	asks "$name: works there" LS3 'ls / >/dev/null && ls / >/dev/null && sleep 1 && echo LS3'
	lodge snapshot ${2:-} /tmp/ctl /tmp/snap 2>/dev/null
	ok $? "$name: into a file${2:+ with $2}"
	end "$name"
	begin lodge restore -q -C stdio /tmp/snap
	asks "$name: goes on from the file" "CPUS $1" 'ls / >/dev/null && echo CPUS $(nproc)'
	end "$name, from the file"
	rm -f /tmp/snap
}

lodge engines | grep -E '^kvm +riscv64 +yes' >/dev/null
ok $? "it can be used"
! lodge run -q -E kvm -n none -b none -k vmlinux </dev/null >/dev/null 2>/tmp/err && grep -q 'no M mode' /tmp/err
ok $? "a bare program, which needs M mode, is refused"
boot "one CPU" -c 1
boot "two CPUs" -c 2
moves 1
moves 2 -l
exit $bad
