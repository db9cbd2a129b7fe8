# SPDX-License-Identifier: BSD-2-Clause
# Debian's amd64 kernel on both x86-64 boards, by each entry that it has: tables, devices, CPUs, and how it ends.
. test/tap.sh
case $($LODGE run -a x86_64 -k /dev/null 2>&1) in
*'arch "x86_64"'*) skip_all "x86_64" "this build has no such CPU" ;;
esac
guest x86_64

# linux MACHINE ARGS... -- COMMAND: boots, runs the command in the guest; output in $tmp/out, status in $rc.
linux() {
	args="-M $1"
	shift
	while [ "$1" != -- ]; do
		args="$args $1"
		shift
	done
	# shellcheck disable=SC2086 # words on purpose
	$LODGE run -q -a x86_64 -m 256M --timeout 400s $args -k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" \
		-p "console=ttyS0 panic=-1 lodge.run=$(echo "$2" | tr ' ' _)" >"$tmp/out" 2>"$tmp/err" </dev/null
	rc=$?
}

look='cat /proc/interrupts; ls /sys/bus/acpi/devices /sys/bus/platform/devices; cat /sys/class/dmi/id/product?name'
for entry in linux64 linux32 pvh; do
	linux microvm -o entry=$entry -- "$look"
	is $rc 0 "$entry: exit status 0 at power off"
	has "$tmp/out" 'GUEST-READY x86_64 1 CPU' "$entry: user land is reached"
	has "$tmp/out" 'GUEST-DONE 0' "$entry: the guest's command ends well"
done
has "$tmp/out" 'ACPI: RSDP 0x00000000000E0000' "the kernel finds our tables"
ok "$(grep -ciE 'ACPI (BIOS )?(Error|Warning)|firmware bug' "$tmp/out")" "and has no complaints about them"
has "$tmp/out" 'LNRO0005:00' "virtio-mmio is in ACPI"
has "$tmp/out" '^microvm' "SMBIOS has the machine's name"
has "$tmp/out" 'IO-APIC +4-edge +ttyS0' "the serial port's interrupt comes through the I/O APIC"

linux pc -- "$look"
is $rc 0 "pc: exit status 0 at power off"
has "$tmp/out" 'GUEST-READY x86_64 1 CPU' "pc: user land is reached"
has "$tmp/out" 'PCI host bridge to bus 0000:00' "pc: ACPI has the PCI root"
has "$tmp/out" 'PNP0303' "pc: and the keyboard"
ok "$(grep -ciE 'ACPI (BIOS )?(Error|Warning)|firmware bug' "$tmp/out")" "pc: there are no complaints about the tables"

linux microvm -c 4 -- 'for i in 0 1 2 3; do taskset $((1<<i)) true || exit 1; done'
is $rc 0 "exit status 0 with four CPUs"
has "$tmp/out" 'GUEST-READY x86_64 4 CPU' "four CPUs come up"
has "$tmp/out" 'GUEST-DONE 0' "each of them runs a process"

linux microvm --no-reboot -- 'reboot -f'
is $rc 3 "exit status 3 at a reset with --no-reboot"
linux pc --no-reboot -- 'echo c > /proc/sysrq-trigger'
is $rc 3 "exit status 3 at a panic with panic=-1 and --no-reboot"

truncate -s 4M "$tmp/disk"
printf 'on the disk\n' | dd of="$tmp/disk" conv=notrunc 2>/dev/null
for machine in microvm pc; do
	linux $machine -d "$tmp/disk,ro" -- 'head -n 1 /dev/vda'
	has "$tmp/out" '^on the disk' "$machine: a disk can be read"
done
finish
