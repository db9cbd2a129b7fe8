# SPDX-License-Identifier: BSD-2-Clause
# Disks and CDs on a SCSI host and by NVMe, with Debian's own drivers, on both boards: file systems, names and features that the
# drivers find, disks that come and go while the guest runs, discs that are changed.
. test/tap.sh
PATH=$PATH:/usr/sbin:/sbin
command -v mkfs.ext4 >/dev/null || skip_all "disks" "no e2fsprogs here"
command -v python3 >/dev/null || skip_all "disks" "no python3 here"

# What the guest does; it is on its CD, since it is too long for a command line.  The cache of a disk that is gone cannot be
# flushed, which sd tells; nor can a disc be read that is ejected meanwhile, which sr does.
# shellcheck disable=SC2016 # the guest expands it
guest_does='exec 2>/dev/null; t() { d=$1; mount -t ext4 /dev/$d /mnt && head -c 1000000 /dev/urandom >/mnt/f &&
a=$(md5sum </mnt/f) && umount /mnt && echo 3 | tee /proc/sys/vm/drop_caches >/dev/null && mount -t ext4 /dev/$d /mnt &&
b=$(md5sum </mnt/f) && umount /mnt && [ "$a" = "$b" ] && echo "same-on-$d $a"; };
wait() { n=0; while ! eval "$1" && [ $n -lt 3000 ]; do sleep 0.1; n=$((n+1)); done; eval "$1"; };
t sda; t nvme0n1; mount -o ro,noload -t ext4 /dev/sr0 /mnt && echo "cd $(cat /mnt/word)" && umount /mnt;
for a in vendor model type; do echo "$a $(cat /sys/block/sda/device/$a)"; done; echo "wwid $(cat /sys/block/sda/device/wwid)";
echo "cache $(cat /sys/block/sda/queue/write_cache) fua $(cat /sys/block/sda/queue/fua)";
echo "discard $(cat /sys/block/sda/queue/discard_max_bytes) $(cat /sys/block/sda/queue/physical_block_size)";
echo "nvme $(cat /sys/block/nvme0n1/device/serial)";
echo ALL-FOUND; wait "[ -b /dev/sdb ]"; echo "size $(cat /sys/block/sdb/size)"; t sdb; echo SCSI-CAME; wait "[ ! -b /dev/sdb ]" && echo SCSI-WENT;
wait "[ -b /dev/nvme0n2 ]"; t nvme0n2; echo NVME-CAME; wait "[ ! -b /dev/nvme0n2 ]" && echo NVME-WENT;
word() { sleep 1; mount -o ro,noload -t ext4 /dev/sr0 /mnt && w=$(cat /mnt/word); umount /mnt; [ "$w" = second ]; };
wait word && echo DISC-CHANGED;
wait "! dd if=/dev/sr0 of=/dev/null count=1" && echo DISC-GONE; t sda;
dmesg | grep -vE "lodge.run|Synchronize Cache|\[sr0\].* FAILED Result: hostbyte=DID_OK" | grep -iE "(sd|sr|nvme|scsi|virtio).*(error|fail|abort|timeout)" |
sed "s/^/COMPLAINT /"'

# image FILE SIZE: with a file system.
image() {
	truncate -s "$2" "$1"
	mkfs.ext4 -q "$1"
}

# disc FILE WORD: a CD with a file system of one file.
disc() {
	mkdir -p "$tmp/disc"
	echo "$2" >"$tmp/disc/word"
	echo "$guest_does" >"$tmp/disc/do"
	truncate -s 2M "$1"
	mkfs.ext4 -q -b 2048 -O ^has_journal -d "$tmp/disc" "$1"
}

# said WORD: waits until the guest has said it.
said() {
	for i in $(seq 400); do
		grep -q "^$1" "$tmp/out" && return
		kill -0 $pid 2>/dev/null || break
		sleep 1
	done
	ok 1 "the guest says $1"
}

same() {
	has "$tmp/out" "^same-on-$1 " "$board: a file on $1 has its checksum after it was read again"
	e2fsck -fn "$2" >"$tmp/fsck" 2>&1
	is $? 0 "$board: $1: e2fsck -fn is clean"
}

# try BOARD OPTIONS...: on the guest in $guest_dir.
try() {
	board=$1
	shift
	for i in scsi nvme scsi2 nvme2; do
		image "$tmp/$i" 24M
	done
	disc "$tmp/cd" first
	disc "$tmp/cd2" second
	: >"$tmp/out"
	$LODGE run -q "$@" -m 256M --timeout 900s --ctl "$tmp/ctl" -o "sandbox-paths=$tmp" -d "$tmp/scsi,if=scsi,format=raw" -d "$tmp/nvme,if=nvme,format=raw" \
		-d "$tmp/cd,if=scsi,cdrom,format=raw" -k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" \
		-p "console=ttyS0 panic=-1 quiet lodge.run=mount_-o_ro,noload_-t_ext4_/dev/sr0_/mnt;cp_/mnt/do_/do;umount_/mnt;sh_/do" >"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
	said ALL-FOUND
	has "$tmp/out" '^cd first' "$board: a CD is mounted"
	has "$tmp/out" '^vendor LODGE' "$board: the disk says whose it is"
	has "$tmp/out" '^wwid (naa|t10)\.' "$board: and has a name of its own"
	has "$tmp/out" '^cache write back fua 1' "$board: its write cache and FUA are known"
	has "$tmp/out" '^discard [1-9][0-9]* 4096' "$board: blocks can be discarded"
	test/boot/qmp.py "$tmp/ctl" \
		"{\"execute\": \"blockdev-add\", \"arguments\": {\"driver\": \"raw\", \"node-name\": \"n1\",
		  \"file\": {\"driver\": \"file\", \"filename\": \"$tmp/scsi2\"}}}" \
		"device_add driver=scsi-hd id=d1 drive=n1 serial=HOT" >"$tmp/qmp" 2>&1
	is $? 0 "$board: a disk is added to the SCSI host"
	said SCSI-CAME
	test/boot/qmp.py "$tmp/ctl" "device_del id=d1" "wait DEVICE_DELETED d1" "blockdev-del node-name=n1" >"$tmp/qmp" 2>&1
	is $? 0 "$board: and taken from it"
	said SCSI-WENT
	test/boot/qmp.py "$tmp/ctl" "disk-add id=d2 disk=$tmp/nvme2,if=nvme,format=raw" >"$tmp/qmp" 2>&1
	is $? 0 "$board: a namespace is added"
	said NVME-CAME
	test/boot/qmp.py "$tmp/ctl" "device_del id=d2" "wait DEVICE_DELETED d2" >"$tmp/qmp" 2>&1
	is $? 0 "$board: and taken away"
	said NVME-WENT
	# The tray is locked while the disc is mounted.
	for i in $(seq 200); do
		test/boot/qmp.py "$tmp/ctl" "blockdev-change-medium id=disk2 filename=$tmp/cd2 format=raw" \
			"wait DEVICE_TRAY_MOVED false" >"$tmp/qmp" 2>&1 && break
		sleep 0.3
	done
	has "$tmp/qmp" TRAY_MOVED "$board: a disc is changed"
	said DISC-CHANGED
	test/boot/qmp.py "$tmp/ctl" "eject id=disk2 force=true" "wait DEVICE_TRAY_MOVED true" >"$tmp/qmp" 2>&1
	is $? 0 "$board: and ejected"
	wait $pid
	is $? 0 "$board: the guest powers off"
	same sda "$tmp/scsi"
	same sdb "$tmp/scsi2"
	same nvme0n1 "$tmp/nvme"
	same nvme0n2 "$tmp/nvme2"
	for word in SCSI-CAME SCSI-WENT NVME-CAME NVME-WENT DISC-CHANGED DISC-GONE; do
		has "$tmp/out" "^$word" "$board: the guest has seen $word"
	done
	is "$(grep -c '^COMPLAINT' "$tmp/out")" 0 "$board: no driver complains"
	grep '^COMPLAINT' "$tmp/out" | sed 's/^/#   /'
}

guest devices-riscv64
try virt -a riscv64
guest devices-x86_64
try pc -a x86_64 -M pc
finish
