# SPDX-License-Identifier: BSD-2-Clause
# What a guest flushed to its disk is there after kill -9 of Lodge; a snapshot leaves the file alone; a read-only disk is one;
# entropy and console over virtio, and the old register layout.
. test/tap.sh
PATH=$PATH:/usr/sbin:/sbin
command -v mkfs.ext4 >/dev/null || skip_all "disks" "no e2fsprogs here"
guest riscv64
disk=$tmp/disk.img

# linux COMMAND ARGS...: with the disk; output in $tmp/out.
linux() {
	command=$(echo "$1" | tr ' ' _)
	shift
	$LODGE run -q -m 256M --timeout 300s "$@" -k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" \
		-p "console=ttyS0 quiet lodge.run=$command" >"$tmp/out" 2>"$tmp/err" </dev/null
}

truncate -s 160M "$disk"
mkfs.ext4 -q "$disk"
linux 'mount -t ext4 /dev/vda /mnt && head -c 67108864 /dev/urandom >/mnt/f && md5sum /mnt/f && sync && echo SYNCED && sleep 1000' \
	-d "$disk" &
pid=$!
for i in $(seq 300); do
	grep -q SYNCED "$tmp/out" 2>/dev/null && break
	kill -0 $pid 2>/dev/null || break
	sleep 1
done
lodge=$(pgrep -P $pid 2>/dev/null || echo $pid)
kill -9 "$lodge"
wait $pid
has "$tmp/out" SYNCED "the guest wrote 64 MiB and synced before the kill"
sum=$(sed -nE 's/^([0-9a-f]{32}) .*/\1/p' "$tmp/out")

linux 'mount -t ext4 /dev/vda /mnt && ls -l /mnt/f && md5sum /mnt/f && umount /mnt' -d "$disk"
is $? 0 "the next boot mounts the disk"
is "$(sed -nE 's/^([0-9a-f]{32}) .*/\1/p' "$tmp/out")" "$sum" "the file has its checksum"
e2fsck -fn "$disk" >"$tmp/fsck" 2>&1
is $? 0 "e2fsck -fn is clean"

before=$(md5sum <"$disk")
linux 'mount -t ext4 /dev/vda /mnt && rm /mnt/f && sync && ls /mnt && umount /mnt' -d "$disk,snapshot"
is $? 0 "a snapshot can be written to"
is "$(md5sum <"$disk")" "$before" "and the file stays as it was"

linux 'cat /sys/block/vda/ro && dd if=/dev/zero of=/dev/vda count=1' -d "$disk,ro"
has "$tmp/out" '^1' "a read-only disk says so"
is "$(md5sum <"$disk")" "$before" "and cannot be written to"
has "$tmp/out" 'GUEST-DONE [1-9]' "the guest sees the failure"

linux 'head -c 32 /dev/hwrng | wc -c; cat /sys/class/misc/hw_random/rng_current' -d "$disk,ro"
has "$tmp/out" '^32' "virtio entropy feeds /dev/hwrng"

linux 'mount -t ext4 /dev/vda /mnt && ls /mnt && umount /mnt && head -c 16 /dev/hwrng | wc -c' -d "$disk,snapshot" -o virtio=legacy
has "$tmp/out" '^lost\+found|^f' "the disk works through version 1 of the registers"
has "$tmp/out" '^16' "and so does entropy"
linux 'echo to the host >/dev/hvc0' -o console-device=virtio
has "$tmp/out" '^to the host' "virtio console writes to the host"
# Linux may drop what comes before a port is open, so the host types when the guest says that it is.
: >"$tmp/out"
{
	for i in $(seq 300); do
		grep -q ready "$tmp/out" && break
		sleep 1
	done
	echo "typed on the host"
} | $LODGE run -q -m 256M --timeout 300s -o console-device=virtio -k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" \
	-p "console=ttyS0 quiet lodge.run=exec_3<>/dev/hvc0;echo_ready>&3;read_x<&3;echo_got_\$x>&3" >"$tmp/out" 2>"$tmp/err"
has "$tmp/out" '^got typed on the host' "and reads from it"
finish
