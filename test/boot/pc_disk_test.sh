# SPDX-License-Identifier: BSD-2-Clause
# Disks and CDs of machine pc by each bus that it has: SeaBIOS boots from them, Linux writes to them and finds it again.
. test/tap.sh
PATH=$PATH:/usr/sbin:/sbin
case $($LODGE run -a x86_64 -k /dev/null 2>&1) in
*'arch "x86_64"'*) skip_all "x86_64" "this build has no such CPU" ;;
esac
bios=/usr/share/seabios/bios-256k.bin

# boot_sector FILE WORD: prints the word on the serial port, and powers off.
boot_sector() {
	truncate -s 1440K "$1"
	{
		printf '\061\300\216\330\374\272\370\003\276\034\174\254\204\300\164\003\356\353\370'
		printf '\272\004\006\270\000\074\357\353\376%s\r\n\000' "$2"
	} | dd of="$1" conv=notrunc status=none
	printf '\125\252' | dd of="$1" bs=1 seek=510 conv=notrunc status=none
}

if [ -r $bios ]; then
	for bus in virtio scsi ahci ide nvme floppy; do
		boot_sector "$tmp/boot" "booted-by-$bus"
		$LODGE run -q -a x86_64 -M pc -m 64M --timeout 200s -b $bios -d "$tmp/boot,ro,if=$bus" >"$tmp/out" 2>&1 </dev/null
		is $? 0 "SeaBIOS boots from if=$bus"
		has "$tmp/out" "booted-by-$bus" "the boot sector of if=$bus runs"
	done
else
	skip "SeaBIOS boots from disks" "there is no $bios"
fi

if [ -r $bios ] && command -v grub-mkrescue >/dev/null && command -v xorriso >/dev/null && [ -d /usr/lib/grub/i386-pc ]; then
	mkdir -p "$tmp/grub/boot/grub"
	printf '%s\n' 'serial --unit=0' 'terminal_output serial' 'echo GRUB-RUNS' 'search --file --set=r /boot/grub/grub.cfg' \
		'echo "found on $r"' >"$tmp/grub/boot/grub/grub.cfg"
	grub-mkrescue -o "$tmp/grub.iso" "$tmp/grub" >"$tmp/mkrescue" 2>&1
	for bus in ahci ide; do
		$LODGE run -q -a x86_64 -M pc -m 64M --timeout 200s -b $bios -d "$tmp/grub.iso,if=$bus" >"$tmp/out" 2>&1 </dev/null &
		pid=$!
		for i in $(seq 200); do
			grep -q 'found on' "$tmp/out" && break
			kill -0 $pid 2>/dev/null || break
			sleep 1
		done
		kill -9 $pid 2>/dev/null # GRUB has no ears for a power button
		wait $pid 2>/dev/null
		has "$tmp/out" GRUB-RUNS "SeaBIOS boots GRUB from a CD with if=$bus"
		has "$tmp/out" 'found on cd' "GRUB reads the CD with if=$bus"
	done
else
	skip "SeaBIOS boots from CDs" "there is no SeaBIOS, grub-mkrescue, xorriso or grub-pc-bin"
fi

command -v mkfs.ext4 >/dev/null || skip_all "Linux on disks" "no e2fsprogs here"
guest pc

# linux COMMAND ARGS...: output in $tmp/out, status in $rc.
linux() {
	command=$(printf %s "$1" | tr ' \n' __)
	shift
	$LODGE run -q -a x86_64 -M pc -m 256M --timeout 900s "$@" -k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" \
		-p "console=ttyS0 panic=-1 quiet lodge.run=$command" >"$tmp/out" 2>"$tmp/err" </dev/null
	rc=$?
}

for bus in ahci ide nvme; do
	truncate -s 64M "$tmp/$bus"
	mkfs.ext4 -q "$tmp/$bus"
done
head -c 3000000 /dev/urandom >"$tmp/cd"
truncate -s 3010560 "$tmp/cd"
# shellcheck disable=SC2016 # the guest expands it
linux 'for d in sda sdb nvme0n1; do mount -t ext4 /dev/$d /mnt && head -c 4000000 /dev/urandom >/mnt/f && a=$(md5sum </mnt/f) &&
umount /mnt && echo 3 | tee /proc/sys/vm/drop?caches && mount -t ext4 /dev/$d /mnt && b=$(md5sum </mnt/f) && umount /mnt &&
[ "$a" = "$b" ] && echo "same-on-$d $a"; done; for c in sr0 sr1; do echo "$c $(md5sum </dev/$c)"; done;
dmesg | grep -v lodge.run | grep -iE "ata.*(exception|failed)|nvme.*(abort|timeout)" | sed "s/^/COMPLAINT /"; cat /proc/interrupts' \
	-d "$tmp/ahci,if=ahci" -d "$tmp/ide,if=ide" -d "$tmp/nvme,if=nvme" -d "$tmp/cd,cdrom" -d "$tmp/cd,if=ide,cdrom"
is $rc 0 "Linux powers off"
for pair in ahci:sda ide:sdb nvme:nvme0n1; do
	bus=${pair%:*}
	has "$tmp/out" "^same-on-${pair#*:} " "$bus: a file has its checksum after it was read from the disk again"
	e2fsck -fn "$tmp/$bus" >"$tmp/fsck" 2>&1
	is $? 0 "$bus: e2fsck -fn is clean"
	command -v debugfs >/dev/null && is "$(debugfs -R 'cat /f' "$tmp/$bus" 2>/dev/null | md5sum)" \
		"$(sed -n "s/^same-on-${pair#*:} \([0-9a-f]*\).*/\1  -/p" "$tmp/out")" "$bus: the host sees the same file"
done
sum=$(md5sum <"$tmp/cd")
has "$tmp/out" "^sr0 $sum" "the CD by AHCI has all its bytes"
has "$tmp/out" "^sr1 $sum" "and so has that by IDE"
has "$tmp/out" 'MSI.*ahci' "AHCI's interrupts are messages"
has "$tmp/out" 'MSI-?X.*nvme0q1' "NVMe's queues have their own"
has "$tmp/out" '14-edge +ata_piix' "IDE's interrupt is 14"
ok "$(grep -c '^COMPLAINT' "$tmp/out")" "no driver complains"
finish
