# SPDX-License-Identifier: BSD-2-Clause
# Real M-mode firmware: Debian's OpenSBI as fw_jump and fw_dynamic starts Linux, and U-Boot comes to its prompt in M and S mode.
. test/tap.sh
guest riscv64
linux=$guest_dir
guest firmware
fw=$guest_dir

for kind in jump dynamic; do
	$LODGE run -q -m 256M -c 2 --timeout 300s -b "$fw/fw_$kind.bin" -k "$linux/vmlinux" -i "$linux/initrd.gz" \
		-p "console=ttyS0 quiet lodge.run=true" >"$tmp/out" 2>"$tmp/err" </dev/null
	is $? 0 "Linux under OpenSBI fw_$kind powers off"
	has "$tmp/out" 'OpenSBI v[0-9]' "fw_$kind prints its banner"
	has "$tmp/out" 'GUEST-READY riscv64 2 CPU' "fw_$kind starts both harts"
done

printf 'version\npoweroff\n' | $LODGE run -q -m 256M --timeout 60s -a riscv64 -b "$fw/qemu-riscv64.bin" >"$tmp/out" 2>"$tmp/err"
is $? 0 "U-Boot in M mode obeys poweroff"
has "$tmp/out" 'U-Boot 20[0-9][0-9]' "and prints its banner"

printf 'version\npoweroff\n' | $LODGE run -q -m 256M --timeout 60s -a riscv64 -b "$fw/fw_jump.bin" -k "$fw/qemu-riscv64_smode.bin" \
	>"$tmp/out" 2>"$tmp/err"
is $? 0 "U-Boot in S mode under OpenSBI obeys poweroff"
has "$tmp/out" 'U-Boot 20[0-9][0-9]' "and prints its banner"

printf 'version\npoweroff\n' | $LODGE run -q -m 256M --timeout 60s -a riscv64 -k "$fw/qemu-riscv64_smode.bin" >"$tmp/out" 2>"$tmp/err"
is $? 0 "U-Boot in S mode under our own SBI obeys poweroff"

truncate -s 2M "$tmp/disk" "$tmp/disk2"
printf '\nvirtio info\nnvme scan\nnvme info\npoweroff\n' | $LODGE run -q -m 256M --timeout 60s -a riscv64 -k "$fw/qemu-riscv64_smode.bin" \
	-d "$tmp/disk" -d "$tmp/disk2,if=nvme" -o virtio-bus=pci >"$tmp/out" 2>"$tmp/err"
has "$tmp/out" 'VirtIO Block Device' "U-Boot finds a virtio disk on PCI"
has "$tmp/out" 'nvme-' "and one by NVMe"
finish
