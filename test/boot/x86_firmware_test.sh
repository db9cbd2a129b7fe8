# SPDX-License-Identifier: BSD-2-Clause
# Firmware on the board pc: resets of all kinds, power off and the A20 gate by a ROM of our own and under SeaBIOS; then
# Debian's OVMF to its shell with its variables in flash, GRUB's rescue image, iPXE and Memtest86+.
# There is no network: firmware would wait for a server to boot from.
# CHECK=slow runs what takes minutes on the interpreter, too.
. test/tap.sh
case $($LODGE run -a x86_64 -k /dev/null 2>&1) in
*'arch "x86_64"'*) skip_all "x86_64" "this build has no such CPU" ;;
esac

is_slow() {
	case " ${CHECK:-} " in *" slow "*) return 0 ;; esac
	return 1
}

# A ROM or boot sector -------------------------------------------------------------------------

# assemble NAME ORIGIN: 16-bit code on standard input.
assemble() {
	as --32 -o "$tmp/$1.o" - && ld -m elf_i386 -Ttext "$2" -e 0 --oformat binary -o "$tmp/$1" "$tmp/$1.o"
}

common='
	.code16
	jmp main
# Prints the text at %cs:%si.
puts:	mov $0x3f8, %dx
1:	lodsb %cs:(%si), %al
	test %al, %al
	jz 2f
	out %al, %dx
	jmp 1b
2:	ret
power_off:
	mov $0x604, %dx
	mov $0x3c00, %ax
	out %ax, %dx
3:	hlt
	jmp 3b
# Whether 1 MiB is 0: "w" or "n".  %ds is 0, %es 0xffff.
probe:	movb $0x11, 0x500
	movb $0x22, %es:0x510
	mov $wraps, %si
	cmpb $0x11, 0x500
	jne 4f
	mov $not, %si
4:	jmp puts
wraps:	.asciz "w"
not:	.asciz "n"
'

# rom NAME: code from `main` on, in the last 64 KiB; it begins there above 1 MiB, in the ROM itself.
rom() {
	{
		echo "$common"
		cat
		printf '\t.org 0xfff0\n\t.code16\n\tjmp start\n\t.org 0x10000\n'
	} | sed '0,/jmp main/s//start: jmp main/' | assemble "$1" 0
}

# The first time it does this, the second time it ends.
reset_rom() {
	rom "$1" <<-END
	main:	cli
		cld
		mov \$0x7000, %sp
		mov \$0x40, %al
		out %al, \$0x70
		in \$0x71, %al
		cmp \$0x5a, %al
		je second
		mov \$0x5a, %al
		out %al, \$0x71
		mov \$first, %si
		call puts
		$2
	1:	hlt
		jmp 1b
	second:	mov \$again, %si
		call puts
		jmp power_off
	first:	.asciz "first\n"
	again:	.asciz "again\n"
	nothing:	.fill 6
	END
}

printf '\t.code16\n\tmov $1, %%al\n' | assemble probe 0 2>/dev/null ||
	skip_all "firmware" "there is no assembler for x86 here"

resets() {
	reset_rom "$1" "$2"
	$LODGE run -q -a x86_64 -M pc -m 16M --timeout 120s -b "$tmp/$1" >"$tmp/out" 2>"$tmp/err" </dev/null
	is $? 0 "$3 resets, and the machine starts again"
	is "$(cat "$tmp/out")" "$(printf 'first\nagain\n')" "$3: the second start is a second one"
	$LODGE run -q -a x86_64 -M pc -m 16M --timeout 120s --no-reboot -b "$tmp/$1" >"$tmp/out" 2>"$tmp/err" </dev/null
	is $? 3 "$3: exit status 3 with --no-reboot"
	is "$(cat "$tmp/out")" "first" "$3: and that is the end"
}

resets cf9 'mov $0xcf9, %dx; mov $2, %al; out %al, %dx; mov $6, %al; out %al, %dx' "port 0xcf9"
resets acpi 'mov $0xcf9, %dx; mov $6, %al; out %al, %dx' "ACPI's reset register"
resets pulse 'mov $0xfe, %al; out %al, $0x64' "the keyboard controller's command 0xfe"
resets output 'mov $0xd1, %al; out %al, $0x64; mov $2, %al; out %al, $0x60' "the keyboard controller's output port"
resets port92 'in $0x92, %al; or $1, %al; out %al, $0x92' "port 0x92"
resets triple 'lidtl %cs:nothing; int3' "a triple fault"

rom a20 <<'END'
main:	cli
	cld
	ljmp $0xf000, $low	# the gate would hide the ROM
low:
	mov $0x7000, %sp
	mov $0xffff, %ax
	mov %ax, %es
	call probe
	in $0x92, %al
	and $0xfd, %al
	out %al, $0x92
	call probe
	mov $2, %al
	out %al, $0x92
	call probe
	mov $0xd1, %al
	out %al, $0x64
	mov $0xdd, %al
	out %al, $0x60
	call probe
	mov $0xdf, %al
	out %al, $0x64
	call probe
	mov $0xdd, %al
	out %al, $0x64
	call probe
	jmp power_off
END
$LODGE run -q -a x86_64 -M pc -m 16M --timeout 120s -b "$tmp/a20" >"$tmp/out" 2>"$tmp/err" </dev/null
is $? 0 "a ROM powers off"
is "$(cat "$tmp/out")" "nwnwnw" "the A20 gate masks: port 0x92, keyboard controller's 0xd1, 0xdf and 0xdd"

rom write <<'END'
main:	cli
	cld
	mov $0x7000, %sp
	lgdtl %cs:table
	mov %cr0, %eax
	or $1, %al
	mov %eax, %cr0
	mov $8, %ax
	mov %ax, %fs
	mov %cr0, %eax
	and $0xfe, %al
	mov %eax, %cr0
	mov $0xffff0000, %ebx
	mov %fs:(%ebx), %eax
	movl $0x12345678, %fs:(%ebx)
	cmp %fs:(%ebx), %eax
	mov $good, %si
	je 1f
	mov $bad, %si
1:	call puts
	jmp power_off
good:	.asciz "same"
bad:	.asciz "changed"
	.balign 8
gdt:	.quad 0, 0x00cf93000000ffff
table:	.word 15
	.long 0xf0000 + gdt
END
$LODGE run -q -a x86_64 -M pc -m 16M --timeout 120s -b "$tmp/write" >"$tmp/out" 2>"$tmp/err" </dev/null
is "$?,$(cat "$tmp/out")" "0,same" "a ROM cannot be written"

# Bad input -------------------------------------------------------------------------------------

# refused WHAT PATTERN ARGS...
refused() {
	refused_what=$1 refused_pattern=$2
	shift 2
	$LODGE run -q --timeout 60s "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	is "$?,$(wc -l <"$tmp/err")" "1,1" "$refused_what: one sentence, exit status 1"
	has "$tmp/err" "$refused_pattern" "$refused_what: it says why"
}

: >"$tmp/empty"
truncate -s 1000 "$tmp/odd"
truncate -s 16M "$tmp/large"
truncate -s 17M "$tmp/huge"
truncate -s 128K "$tmp/vars"
refused "a firmware that is not there" 'firmware.*nowhere' -M pc -b "$tmp/nowhere"
refused "an empty firmware" 'firmware.*empty' -M pc -b "$tmp/empty"
refused "a firmware of 17 MiB" 'firmware .*16 MiB' -M pc -b "$tmp/huge"
refused "variables that are not there" 'firmware-vars.*nowhere' -M pc -b "$tmp/a20" -o firmware-vars="$tmp/nowhere"
refused "variables of an odd size" 'firmware-vars.*multiple of 512' -M pc -b "$tmp/a20" -o firmware-vars="$tmp/odd"
refused "variables for which there is no room" 'firmware-vars.*16 MiB' -M pc -b "$tmp/large" -o firmware-vars="$tmp/vars"
refused "variables without firmware" 'firmware-vars.*-b' -M pc -k "$tmp/a20" -o firmware-vars="$tmp/vars"
refused "variables on a board without flash" 'firmware-vars.*microvm' -M microvm -b "$tmp/a20" -o firmware-vars="$tmp/vars"

# Debian's firmware -----------------------------------------------------------------------------

guest x86_64
linux=$guest_dir
guest pc-firmware
fw=$guest_dir

# boot ARGS...: on the board pc in the background; what it prints is in $tmp/out, and `say` types.
boot() {
	rm -f "$tmp/in"
	mkfifo "$tmp/in"
	: >"$tmp/out"
	$LODGE run -q -a x86_64 -M pc -n none "$@" <"$tmp/in" >"$tmp/out" 2>"$tmp/err" &
	pid=$!
	exec 3>"$tmp/in"
}

say() {
	printf '%s\r' "$1" >&3
}

# wait_for SECONDS PATTERN TEXT: one result; ends the guest when it fails.
wait_for() {
	left=$(($1 * 5))
	until tr '\000\n\r' '   ' <"$tmp/out" | grep -aEq -- "$2"; do
		left=$((left - 1))
		[ $left -gt 0 ] && kill -0 $pid 2>/dev/null && sleep 0.2 && continue
		break
	done
	tr '\000\n\r' '   ' <"$tmp/out" >"$tmp/line"
	has "$tmp/line" "$2" "$3"
	[ $left -gt 0 ]
}

# ends STATUS TEXT: the guest ends by itself.
ends() {
	wait $pid
	is $? "$1" "$2"
	exec 3>&-
}

end_now() {
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	exec 3>&-
}

{
	echo "$common"
	cat <<-'END'
	main:	cli
		cld
		xor %ax, %ax
		mov %ax, %ds
		mov %ax, %ss
		mov $0x7000, %sp
		ljmp $0, $1f
	1:	mov $0xffff, %ax
		mov %ax, %es
		mov $hello, %si
		call puts
		mov $0x2401, %ax
		int $0x15
		call probe
		mov $0x2400, %ax
		int $0x15
		call probe
		mov $0x2402, %ax
		int $0x15
		add $0x30, %al
		mov $0x3f8, %dx
		out %al, %dx
		mov $0x2401, %ax
		int $0x15
		call probe
		jmp power_off
	hello:	.asciz "sector: "
		.org 510
		.word 0xaa55
	END
} | assemble sector 0x7c00
truncate -s 1M "$tmp/sector"
$LODGE run -q -a x86_64 -M pc -m 32M --timeout 60s -b "$fw/bios-256k.bin" -d "$tmp/sector,ro" >"$tmp/out" 2>"$tmp/err" </dev/null
is $? 0 "SeaBIOS starts a boot sector, and ACPI's S5 powers off under it"
has "$tmp/out" 'sector: nw0n' "INT 15h moves the A20 gate"

boot -m 64M --timeout 300s -b "$fw/bios-256k.bin" -k "$fw/ipxe.lkrn"
wait_for 250 'Ctrl-B' "SeaBIOS starts iPXE, given as the kernel" &&
	printf '\002' >&3
wait_for 50 'iPXE>' "iPXE comes to its prompt"
say 'reboot'
wait_for 50 'iPXE> .*SeaBIOS' "iPXE's reboot starts SeaBIOS again"
end_now

boot -m 64M --timeout 300s -b "$fw/bios-256k.bin" -d "$fw/grub-rescue-cdrom.iso,ro"
wait_for 250 'GNU GRUB +version 2' "SeaBIOS starts GRUB's rescue image"
wait_for 50 'highlighted entry' "GRUB shows its menu"
printf 'c' >&3
wait_for 50 'grub>' "a key reaches it, and it has its command line"
say halt
ends 0 "GRUB's halt ends the run"

boot -m 64M --timeout 300s -b "$fw/bios-256k.bin" -k "$fw/memtest86+ia32.bin" -p "console=ttyS0,115200"
wait_for 250 '#0 .*Address test' "SeaBIOS starts Memtest86+ for 32 bits"
end_now
boot -m 64M --timeout 3700s -b "$fw/bios-256k.bin" -k "$fw/memtest86+x64.bin" -p "console=ttyS0,115200"
wait_for 250 '#0 .*Address test' "SeaBIOS starts Memtest86+ for 64 bits"
if is_slow; then
	wait_for 3600 'Pass: +1 +Errors' "Memtest86+ goes over 64 MB"
	has "$tmp/out" 'Pass: +1 +Errors: 0 ' "Memtest86+ finds no error"
fi
end_now

# linux STATUS-TEXT ARGS...: a kernel by way of the firmware.
linux() {
	linux_what=$1
	shift
	$LODGE run -q -a x86_64 -M pc -m 512M --timeout 300s -k "$linux/vmlinux" -i "$linux/initrd.gz" \
		-p "console=ttyS0 panic=-1 lodge.run=true" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	is $? 0 "$linux_what Linux, which powers off"
	has "$tmp/out" 'GUEST-DONE 0' "$linux_what Linux: its user land has run"
	ok "$(grep -aciE 'ACPI (BIOS )?(Error|Warning)|firmware bug' "$tmp/out")" "$linux_what Linux: it has no complaints about tables"
}
linux "SeaBIOS starts" -b "$fw/bios-256k.bin"
cp "$fw/OVMF_VARS_4M.fd" "$tmp/vars"
linux "OVMF starts" -c 2 -b "$fw/OVMF_CODE_4M.fd" -o firmware-vars="$tmp/vars"
has "$tmp/out" 'GUEST-READY x86_64 2 CPU' "and both CPUs"
has "$tmp/out" 'efivars: Registered efivars operations' "OVMF's variables are there for Linux"

# OVMF: ROM and flash; then the combined file, which is a ROM alone.
cp "$fw/OVMF_VARS_4M.fd" "$tmp/vars"
ovmf() {
	boot -m 256M --timeout 600s -b "$fw/OVMF_CODE_4M.fd" -o firmware-vars="$tmp/vars" "$@"
	wait_for 500 'startup.nsh' "OVMF starts its shell" && printf '\033' >&3
	wait_for 100 'Shell>' "it has a prompt"
}
guid=91b1d27b-e126-48d1-82fd-4a3e3bf41d49
ovmf
say "setvar lodge -guid $guid -bs -rt -nv =0x12345678"
say 'reset -s'
ends 0 "reset -s powers off by ACPI"
cmp -s "$fw/OVMF_VARS_4M.fd" "$tmp/vars"
is $? 1 "the file of variables has changed"
ovmf
say "setvar lodge -guid $guid"
wait_for 30 '78 56 34 12' "a variable is there in the next run"
say 'reset'
wait_for 500 'Shell>.*startup.nsh' "reset starts it again"
end_now

if is_slow; then
	boot -m 256M --timeout 600s -b "$fw/OVMF.fd"
	wait_for 500 'startup.nsh' "the combined OVMF starts its shell, without flash" && printf '\033' >&3
	wait_for 100 'Shell>' "it has a prompt"
	say 'reset -s'
	ends 0 "and powers off"
fi
finish
