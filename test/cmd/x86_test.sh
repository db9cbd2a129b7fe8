# SPDX-License-Identifier: BSD-2-Clause
# Bad input for x86: models and features, boards, kernels of every protocol, memory, devices.
. test/tap.sh
case $($LODGE run -a x86_64 -k /dev/null 2>&1) in
*'arch "x86_64"'*) skip_all "x86_64" "this build has no such CPU" ;;
esac

# poke FILE OFFSET BYTES: as printf has them.
poke() {
	printf "$3" | dd of="$1" bs=1 seek=$(($2)) conv=notrunc 2>/dev/null
}

# bzimage FILE: the header of a Linux 6 kernel that wants to be at 16 MiB, and to have 64.
bzimage() {
	head -c 3072 /dev/zero >"$1"
	poke "$1" 0x1f1 '\001\0\0\200\0\0\0'
	poke "$1" 0x1fe '\125\252\353\152HdrS\017\002'
	poke "$1" 0x211 '\001'
	poke "$1" 0x22c '\377\377\377\177\0\0\040\0\001\0\001\0\377\007\0\0'
	poke "$1" 0x25b '\001\0\0\0\0\0\0\0\004'
}

# elf FILE MACHINE CLASS: a header without a program behind it.
elf() {
	head -c 64 /dev/zero >"$1"
	poke "$1" 0 "\\177ELF\\$3\\1\\1"
	poke "$1" 16 "\\2\\0\\$2\\0\\1"
}

# multiboot FILE: one that fits into its header, at 1 MiB, and halts.
multiboot() {
	head -c 64 /dev/zero >"$1"
	poke "$1" 0 '\002\260\255\033\0\0\001\0\376\117\121\344'
	poke "$1" 12 '\0\0\020\0\0\0\020\0\100\0\020\0\100\0\020\0\040\0\020\0\364\353\375'
}

bzimage "$tmp/linux"
elf "$tmp/elf64" 76 2
elf "$tmp/elf32" 3 1
multiboot "$tmp/halt"
: >"$tmp/empty"
head -c 1000 "$tmp/linux" >"$tmp/cut"
head -c 20000000 /dev/zero >"$tmp/large"
printf 'no kernel\n' >"$tmp/text"
small="-a x86_64 -M microvm -m 128M"
pc="-a x86_64 -M pc -m 128M"

what="an unknown model" refused 'no x86 CPU model "pentium9".*x86-64-v3.*486' run $small -k "$tmp/halt" -o cpu-model=pentium9
what="an unknown feature" refused 'no feature "avx9"' run $small -k "$tmp/halt" -o cpu-model=x86-64-v2,+avx9
what="an unknown vendor" refused 'vendor=cyrix.*vendor=amd' run $small -k "$tmp/halt" -o cpu-model=486,vendor=cyrix
what="an unknown identity" refused 'identity=vbox.*identity=kvm' run $small -k "$tmp/halt" -o cpu-model=best,identity=vbox
what="a name without end" refused 'no x86 CPU model' run $small -k "$tmp/halt" -o "cpu-model=$(printf %0300d 0)"
what="too many CPUs" refused 'cpus "65".*1 to 64' run $small -k "$tmp/halt" -c 65
what="another CPU's board" refused 'machine "virt".*none for arch x86_64' run -a x86_64 -M virt -k "$tmp/halt"
what="a board for another CPU" refused 'machine "pc".*none for arch riscv64' run -a riscv64 -M pc -k "$tmp/halt"

what="an empty kernel" refused 'empty is empty' run $small -k "$tmp/empty"
what="a kernel that is none" refused 'text is no bzImage' run $small -k "$tmp/text"
what="a bzImage cut short" refused 'cut.*cut short' run $small -k "$tmp/cut"
what="an ELF program of 64 bits without program" refused 'elf64' run $small -k "$tmp/elf64"
what="an ELF program of 32 bits without program" refused 'elf32' run $small -k "$tmp/elf32"
what="a protocol that there is not" refused 'entry "grub".*linux64.*pvh' run $small -k "$tmp/linux" -o entry=grub
what="Multiboot without a header" refused 'linux.*Multiboot header is not there' run $small -k "$tmp/linux" -o entry=multiboot
what="PVH without a program" refused 'linux.*vmlinux' run $small -k "$tmp/linux" -o entry=pvh
what="Linux without a header" refused 'halt.*bzImage' run $small -k "$tmp/halt" -o entry=linux32
what="a kernel of 64 bits for a CPU of 32" refused 'linux needs 64-bit mode' run $small -k "$tmp/linux" -o cpu-model=i686
what="a kernel for more memory" refused 'linux needs 64 MiB at 0x1000000: there are 64 MiB' \
	run -a x86_64 -M microvm -m 64M -k "$tmp/linux"
what="a command line longer than the kernel takes" refused 'cmdline.*3[0-9]* characters.*at most 2047' \
	run $small -k "$tmp/linux" -p "$(printf %03000d 0)"
what="an initrd that is missing" refused '/nonexistent/i' run $small -k "$tmp/linux" -i /nonexistent/i
what="an initrd that does not fit" refused 'initrd.*large.*fit' run -a x86_64 -M pc -m 81M -k "$tmp/linux" -i "$tmp/large"
what="a module that is missing" refused 'module /nonexistent/m' run $small -k "$tmp/halt" -i "$tmp/text a,/nonexistent/m b"
what="a module larger than memory" refused 'module.*large' run -a x86_64 -M pc -m 16M -k "$tmp/halt" -i "$tmp/large"
what="memory for nothing" refused 'needs 2M' run -a x86_64 -M pc -m 1M -k "$tmp/halt"
what="half a page of memory" refused 'steps of 4K' run -a x86_64 -M pc -m 16385K -k "$tmp/halt"

what="nothing to run" refused 'kernel' run -a x86_64 -M pc
what="firmware on a microvm" refused 'microvm starts kernels itself' run $small -k "$tmp/halt" -b "$tmp/text"
what="firmware that is missing" refused '/nonexistent/b' run $pc -b /nonexistent/b
what="empty firmware" refused 'empty' run $pc -b "$tmp/empty"
what="firmware larger than its place" refused 'large.*16 MiB' run $pc -b "$tmp/large"

what="a device as a PCI function" refused 'virtio_pci.*function of PCI' run $pc -k "$tmp/halt" -o device=virtio_pci
what="a device where another is" refused '0x3f8' run $pc -k "$tmp/halt" -o device=isa_debugcon,port=0x3f8
what="a device at a place that is none" refused 'port=65536' run $pc -k "$tmp/halt" -o device=isa_debugcon,port=65536
what="a console for a device without a line" refused 'post_port.*no line' \
	run $pc -k "$tmp/halt" -o device=post_port,port=0x84,console=file:$tmp/line
what="a console that cannot be written" refused '/nonexistent/c' \
	run $pc -k "$tmp/halt" -o device=isa_debugcon,port=0x402,console=file:/nonexistent/c

# mov al, 'K'; mov dx, 0x402; out dx, al; out 0xf4, al
poke "$tmp/halt" 32 '\260\113\146\272\002\004\356\346\364'
timeout 60 "$LODGE" run -q $pc -k "$tmp/halt" -o device=isa_debug_exit,port=0xf4 \
	-o "device=isa_debugcon,port=0x402,console=file:$tmp/line" >"$tmp/out" 2>"$tmp/err" </dev/null
is $? 0 "a program with two devices that were added"
is "$(cat "$tmp/line")" K "what it sends to one with a console comes out there"
multiboot "$tmp/halt"

# All devices that there are may be asked for: they are made, or there is a reason.
for class in $("$LODGE" run -o device= 2>&1 | sed 's/.*there is //; s/,//g'); do
	for place in "" ,port=0x5000; do
		timeout 20 "$LODGE" run -q $pc -k "$tmp/halt" --timeout 50ms -o "device=$class$place" >"$tmp/out" 2>"$tmp/err" \
			</dev/null
		rc=$?
		[ $rc -eq 4 ] || { [ $rc -eq 1 ] && [ "$(wc -l <"$tmp/err")" -eq 1 ]; }
		ok $? "device=$class$place: it runs, or it is refused (status $rc)"
	done
done
finish
