# SPDX-License-Identifier: BSD-2-Clause
# Cards in slots of PCI Express that come and go while the guest runs, with Debian's own drivers: a disk with a file system, and
# a network card that gets an address and reaches the gateway.  Debian's kernel for riscv64 has no driver for such slots.
. test/tap.sh
PATH=$PATH:/usr/sbin:/sbin
command -v mkfs.ext4 >/dev/null || skip_all "cards" "no e2fsprogs here"
command -v python3 >/dev/null || skip_all "cards" "no python3 here"
case $($LODGE run -n user,fwd= -k /dev/null 2>&1) in
*libslirp*) skip_all "cards" "this build has no libslirp" ;;
esac

# What the guest does: it is on a disk that is there from the start, since it is too long for a command line.
# shellcheck disable=SC2016 # the guest expands it
guest_does='exec 2>/dev/null
wait_for() { n=0; while ! eval "$1" && [ $n -lt 3000 ]; do sleep 0.1; n=$((n+1)); done; eval "$1"; }
echo ALL-READY
wait_for "[ -b /dev/vdb ]" && mount -t ext4 /dev/vdb /mnt && head -c 1000000 /dev/urandom >/mnt/f && a=$(md5sum </mnt/f) &&
umount /mnt && mount -t ext4 /dev/vdb /mnt && b=$(md5sum </mnt/f) && [ "$a" = "$b" ] && umount /mnt && echo DISK-USED
wait_for "[ -e /sys/class/net/eth0 ]"
printf "#!/bin/sh\n[ \$1 != bound ] || { ip addr add \$ip/24 dev \$interface; ip route add default via \$router; }\n" >/lease
chmod 755 /lease
ip link set eth0 up && udhcpc -n -q -t 20 -i eth0 -s /lease >/dev/null && ping -c 2 -W 5 10.0.2.2 >/dev/null && echo NET-USED
wait_for "[ ! -b /dev/vdb ]" && echo DISK-WENT
wait_for "[ ! -e /sys/class/net/eth0 ]" && echo NET-WENT
wait_for "[ -b /dev/vdb ]" && mount -o ro -t ext4 /dev/vdb /mnt && md5sum </mnt/f >/dev/null && umount /mnt && echo DISK-BACK
dmesg | grep -iE "(pciehp|pcieport|virtio|vdb).*(error|fail|timeout)" | sed "s/^/COMPLAINT /"'

# said WORD: waits until the guest has said it.
said() {
	for i in $(seq 60); do
		grep -q "^$1" "$tmp/out" && return
		kill -0 $pid 2>/dev/null || break
		sleep 1
	done
	ok 1 "the guest says $1"
}

ask() {
	what=$1
	shift
	test/boot/qmp.py "$tmp/ctl" "$@" >"$tmp/qmp" 2>&1
	is $? 0 "$board: $what"
}

# try BOARD OPTIONS...: on the guest in $guest_dir.
try() {
	board=$1
	shift
	mkdir -p "$tmp/first"
	echo "$guest_does" >"$tmp/first/do"
	for i in disk hot; do
		rm -f "$tmp/$i"
		truncate -s 16M "$tmp/$i"
	done
	mkfs.ext4 -q -d "$tmp/first" "$tmp/disk"
	mkfs.ext4 -q "$tmp/hot"
	: >"$tmp/out"
	$LODGE run -q "$@" -m 256M --timeout 180s -n none --ctl "$tmp/ctl" -o hotplug-ports=2 -o "sandbox-paths=$tmp" \
		-d "$tmp/disk,format=raw" -k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" \
		-p "console=ttyS0 panic=-1 quiet lodge.run=mount_-o_ro,noload_-t_ext4_/dev/vda_/mnt;cp_/mnt/do_/do;umount_/mnt;sh_/do" \
		>"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
	said ALL-READY
	ask "a disk is added as a card" "disk-add id=d disk=$tmp/hot,if=virtio,format=raw"
	said DISK-USED
	ask "a network card is added" "netdev_add type=user id=n" "device_add driver=virtio-net-pci id=c netdev=n"
	said NET-USED
	ask "the guest gives up the disk" "device_del id=d" "wait DEVICE_DELETED d"
	ask "and the network card" "device_del id=c" "wait DEVICE_DELETED c" "netdev_del id=n"
	said NET-WENT
	ask "the disk is added again" "disk-add id=d disk=$tmp/hot,if=virtio,format=raw"
	wait $pid
	is $? 0 "$board: the guest powers off"
	for word in DISK-USED NET-USED DISK-WENT NET-WENT DISK-BACK; do
		has "$tmp/out" "^$word" "$board: the guest has seen $word"
	done
	is "$(grep -c '^COMPLAINT' "$tmp/out")" 0 "$board: no driver complains"
	grep '^COMPLAINT' "$tmp/out" | sed 's/^/#   /'
	e2fsck -fn "$tmp/hot" >"$tmp/fsck" 2>&1
	is $? 0 "$board: e2fsck -fn is clean"
}

guest devices-x86_64
try pc -a x86_64 -M pc
finish
