# SPDX-License-Identifier: BSD-2-Clause
# Recorded boots of Debian's kernels, with a disk, a network and typed commands, are played again bit by bit: the sums that the
# recording has of CPUs and memory are checked on the way, and consoles are compared.  Cut recordings end where they were cut.
. test/tap.sh

# record NAME ARCH OPTIONS...: $tmp/rec, and what the console said in $tmp/first.
record() {
	name=$1 arch=$2
	shift 2
	guest "devices-$arch"
	head -c 1048576 /dev/urandom >"$tmp/disk"
	sum=$(md5sum <"$tmp/disk" | cut -c1-32)
	rm -rf "$tmp/rec" "$tmp/share"
	mkdir "$tmp/share"
	head -c 300000 /dev/urandom >"$tmp/share/file"
	shared=$(md5sum <"$tmp/share/file" | cut -c1-32)
	{
		sleep 2
		echo 'md5sum </dev/vda; head -c 65536 /dev/urandom | dd of=/dev/vda seek=1000 conv=fsync 2>/dev/null'
		sleep 1
		[ "$arch" != riscv64 ] || # which has a driver for it
			echo 'mount -t 9p -o trans=virtio,version=9p2000.L data /mnt; md5sum </mnt/file; date >/mnt/date'
		echo 'ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ping -c 2 10.0.2.2; date; sleep 1; poweroff -f'
	} | timeout -k 5 300 "$LODGE" run -q --record "$tmp/rec" -m 256M -d "$tmp/disk,format=raw" -n user -k "$guest_dir/vmlinux" \
		-i "$guest_dir/initrd.gz" -p "console=ttyS0 panic=-1 quiet" "$@" >"$tmp/first" 2>"$tmp/err"
	ok $? "$name: recorded, to its power off"
	[ -s "$tmp/err" ] && sed 's/^/# /' "$tmp/err"
	grep -aq "^$sum" "$tmp/first"
	ok $? "$name: it read its disk"
	grep -aq " 0% packet loss" "$tmp/first"
	ok $? "$name: it used its network"
	[ "$arch" = riscv64 ] || return 0
	grep -aq "^$shared" "$tmp/first" && [ -s "$tmp/share/date" ]
	ok $? "$name: it used a folder of the host"
}

# again NAME FILE STATUS: plays it; what the console says is in $tmp/again.
again() {
	timeout -k 5 300 "$LODGE" replay -q "$2" >"$tmp/again" 2>"$tmp/err" </dev/null
	rc=$?
	is $rc "$3" "$1"
	[ $rc -eq "$3" ] || sed 's/^/# /' "$tmp/err"
}

check() {
	record "$@"
	rm -rf "$tmp/disk" "$tmp/share" # they are in the recording
	again "$1: played again" "$tmp/rec" 0
	cmp "$tmp/first" "$tmp/again" >"$tmp/out" 2>&1
	ok $? "$1: the console says the same"
	sed 's/^/# /' "$tmp/out"
}

check "riscv64, 2 CPUs" riscv64 -c 2 -s "$tmp/share:data" -o "vsock=$tmp/vsock"
check "microvm, 1 CPU" x86_64 -M microvm

size=$(stat -c %s "$tmp/rec")
head -c $((size - 5000)) "$tmp/rec" >"$tmp/cut"
again "cut near its end" "$tmp/cut" 5
cmp -n "$(stat -c %s "$tmp/again")" "$tmp/first" "$tmp/again" >"$tmp/out" 2>&1
ok $? "cut near its end: the console says the same until there"
bad=0
for n in 1 2 3 4 5 6 7 8; do
	head -c $((size * n / 9)) "$tmp/rec" >"$tmp/cut"
	timeout -k 5 300 "$LODGE" replay -q "$tmp/cut" >"$tmp/out" 2>"$tmp/err" </dev/null
	rc=$?
	[ $rc -eq 5 ] || [ $rc -eq 1 ] || { bad=1; echo "#   at $n/9: exit status $rc"; }
	[ -s "$tmp/err" ] || bad=1
done
ok $bad "cut in 8 places: said so, no crash"
check "pc, 2 CPUs" x86_64 -M pc -c 2
finish
