#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# gdb on running Debian kernels, with two CPUs: breakpoints by name, types, backtraces, watchpoints, threads, leaving
# and coming back; and through all modes of x86.  Symbols are the guest's own (/proc/kallsyms).  With LODGE_DBG=yes
# they are those of Debian's -dbg packages, which are a gigabyte large.
. test/tap.sh
command -v gdb-multiarch >/dev/null || skip_all "gdb" "there is no gdb-multiarch"

# Both ends stay open: there is no end of what may be typed.
mkfifo "$tmp/in"
exec 9<>"$tmp/in"

# boot GUEST OPTIONS...: runs it until gdb can come; its shell will execute what is in $tmp/commands.
boot() {
	guest "$1"
	shift
	rm -f "$tmp/gdb.sock"
	cat "$tmp/commands" >&9
	timeout 300 "$LODGE" run -q -m 256M --timeout 280s --ctl "$tmp/vm.ctl" "$@" -k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" \
		-p "console=ttyS0 quiet panic=-1 nokaslr" -g "unix:$tmp/gdb.sock" <"$tmp/in" >"$tmp/out" 2>"$tmp/err" &
	machine=$!
	for i in $(seq 200); do
		[ -S "$tmp/gdb.sock" ] && break
		sleep 0.1
	done
}

# comes PATTERN: waits until the guest has said it.
comes() {
	for i in $(seq 600); do
		grep -aEq "$1" "$tmp/out" && return 0
		kill -0 $machine 2>/dev/null || return 1
		sleep 0.2
	done
	return 1
}

# end: the machine's end, whoever has brought it about.
end() {
	kill $machine 2>/dev/null
	wait $machine 2>/dev/null
}

# Debian's symbols take gdb minutes on a slow host.
patience=120
[ "${LODGE_DBG:-}" != yes ] || patience=600

# debug COMMANDS: gdb does them; what it says is in $tmp/gdb.
# gdb 13 has died once in some hundred sessions (a signal in its own code), so then there is a second one; the last packets
# of the first are printed for whoever looks into that.
debug() {
	printf '%s\n' "$1" >"$tmp/script"
	for round in 1 2; do
		timeout "$patience" gdb-multiarch -nx -batch -ex 'set pagination off' -ex 'set width 0' -ex 'set confirm off' \
			-ex "set logging file $tmp/packets" -ex 'set logging overwrite on' -ex 'set logging debugredirect on' \
			-ex 'set logging enabled on' -ex 'set debug remote 1' -x "$tmp/script" >"$tmp/gdb" 2>&1 </dev/null
		grep -q '^A fatal error internal to GDB' "$tmp/gdb" || break
		echo "# gdb has died by itself, round $round; its last packets:"
		tail -n 30 "$tmp/packets" | cut -c1-200 | sed 's/^/#   /'
	done
}

# dbg ARCH: prints the file with the symbols of its kernel, from the -dbg package.
dbg() {
	package=$(cat "$guest_dir/version")-dbg
	file=${LODGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lodge}/dbg/$package
	if [ ! -f "$file" ]; then
		mkdir -p "${file%/*}"
		deb=amd64
		[ "$1" = x86_64 ] || deb=riscv64
		(cd "$tmp" && "$OLDPWD/tools/apt-for.sh" trixie $deb apt-get -q download "$package" >&2) || return 1
		dpkg-deb --fsys-tarfile "$tmp/$package"_*.deb |
			tar -xO --wildcards './usr/lib/debug/boot/vmlinux-*' >"$file.new" && mv "$file.new" "$file"
		rm -f "$tmp/$package"_*.deb
	fi
	echo "$file"
}

# symbols ARCH COMPILER FIELDS: makes $tmp/symbols of what the guest has printed, and the type of the argument of system
# calls; $load is how gdb reads them, and $at is * where nothing tells it of stack frames.
symbols() {
	if [ "${LODGE_DBG:-}" = yes ]; then
		load="file $(dbg "$1")" at=
		return
	fi
	python3 test/boot/gdb/symbols.py "$1" "$tmp/symbols" <"$tmp/out"
	echo "struct pt_regs { unsigned long $3; } pt_regs_type;" >"$tmp/types.c"
	$2 -g -c -o "$tmp/types.o" "$tmp/types.c" || return 1
	load="file $tmp/symbols
add-symbol-file $tmp/types.o" at=*
}

# session ARCH SYSCALL ARGUMENT NAME ROOT PIC: what kernel developers do; NAME: the field with the file's name; ROOT: the
# register that page tables begin with; PIC: what external interrupts come from.
session() {
	arch=$1 call=$2 argument=$3 name=$4 root=$5 pic=$6
	debug "$load
target remote $tmp/gdb.sock
break $at$call
continue
echo WHERE\\n
backtrace 1
ptype struct pt_regs
printf \"NAME %s\\n\", (char *)((struct pt_regs *)$argument)->$name
delete
up
set \$back = \$pc
down
finish
printf \"BACK %d\\n\", \$pc == \$back
stepi
stepi
info threads
watch *(unsigned long *)&jiffies
continue
continue
delete
thread 2
info registers pc
monitor info cpus
break $at$call if ((struct pt_regs *)$argument)->$name != 0
ignore \$bpnum 5
continue
info breakpoints
delete
detach"
	has "$tmp/gdb" "hit Breakpoint 1(\.[0-9]+)?, .*$call" "$arch: a breakpoint on a function by its name"
	has "$tmp/gdb" "^#0 .* $call" "$arch: a backtrace"
	has "$tmp/gdb" "unsigned long.* $name" "$arch: ptype of a structure"
	has "$tmp/gdb" "^NAME /(proc/version|dev/null)" "$arch: what it is called with, in the process's memory"
	has "$tmp/gdb" "^BACK 1" "$arch: finish"
	has "$tmp/gdb" "CPU 1" "$arch: CPUs are threads"
	is "$(grep -c '^New value = ' "$tmp/gdb")" 2 "$arch: a variable is watched"
	has "$tmp/gdb" "^\* CPU 1: pc" "$arch: monitor commands"
	has "$tmp/gdb" "breakpoint already hit [67] times" "$arch: a condition, and hits that are not counted"
	has "$tmp/gdb" "detached" "$arch: gdb leaves"
	kill -0 $machine 2>/dev/null
	ok $? "$arch: and the guest goes on"

	printf '%s\n' "$load
info threads
x/2i \$pc
detach" >"$tmp/script"
	timeout 120 "$LODGE" debug "$tmp/vm.ctl" -nx -batch -x "$tmp/script" >"$tmp/gdb" 2>&1 </dev/null
	has "$tmp/gdb" "^\* 1 .*CPU 0" "$arch: gdb comes back, by lodge debug"
	has "$tmp/gdb" "^=> 0x[0-9a-f]+" "$arch: and sees code"

	# In one command each: an address that has a page, and one that has none; and what is traced from now on.
	text=$(sed -n 's/^\([0-9a-f]*\) [Tt] _text.*/0x\1/p' "$tmp/out")
	timeout 60 "$LODGE" debug "$tmp/vm.ctl" -nx -batch -ex "monitor walk $text" -ex 'monitor walk 0x10' >"$tmp/gdb" 2>&1 </dev/null
	has "$tmp/gdb" '^level [1-4]: at 0x[0-9a-f]+: [0-9a-f]{16} .* table at 0x[0-9a-f]+' "$arch: monitor walk prints page tables"
	has "$tmp/gdb" "^$text is at 0x[0-9a-f]+, in a page of (12|21|30) bits" "$arch: to where an address is"
	has "$tmp/gdb" '^0x10 is nowhere' "$arch: or is not"
	has "$tmp/gdb" '^(user|kernel) mode: reads: a fault: ' "$arch: and why there would be a fault"
	timeout 60 "$LODGE" debug "$tmp/vm.ctl" -nx -batch -ex 'monitor trace exceptions' -ex 'monitor trace that' >"$tmp/gdb" 2>&1 </dev/null
	for i in $(seq 100); do
		grep -q ' exceptions ' "$tmp/err" && break
		sleep 0.1
	done
	has "$tmp/err" '^lodge: .* cpu[01] +[0-9]+ [0-9a-f]{16} exceptions ' "$arch: monitor trace prints where Lodge was started"
	has "$tmp/gdb" 'that' "$arch: and knows what there is"
	timeout 60 "$LODGE" debug "$tmp/vm.ctl" -nx -batch -ex 'monitor trace off' >"$tmp/gdb" 2>&1 </dev/null
	lines=$(grep -c ' exceptions ' "$tmp/err")
	sleep 1
	is "$(grep -c ' exceptions ' "$tmp/err")" "$lines" "$arch: until it is told to end"

	timeout 60 "$LODGE" debug "$tmp/vm.ctl" -nx -batch -ex 'monitor info registers 1' -ex 'monitor info mem 3' \
		-ex "monitor info tlb $text" -ex 'monitor info mtree' -ex 'monitor info irq' -ex 'monitor info devices' \
		-ex 'monitor info devices uart_ns16550' -ex 'monitor info devices virtio_rng' -ex 'monitor info devices uart' \
		-ex 'monitor info snapshots' >"$tmp/gdb" 2>&1 </dev/null
	has "$tmp/gdb" "^$root +0x[0-9a-f]+" "$arch: monitor info registers has what gdb does not show"
	has "$tmp/gdb" '^[0-9a-f]{16}-[0-9a-f]{16} [0-9a-f]{16} r' "$arch: monitor info mem"
	has "$tmp/gdb" "^$text is at 0x[0-9a-f]+" "$arch: monitor info tlb"
	has "$tmp/gdb" '^[0-9a-f]{16}-[0-9a-f]{16} RAM' "$arch: monitor info mtree: memory"
	has "$tmp/gdb" '^[0-9a-f]{16}-[0-9a-f]{16} uart_ns16550' "$arch: and devices"
	has "$tmp/gdb" "^$pic at 0x[0-9a-f]+" "$arch: monitor info irq"
	has "$tmp/gdb" '^uart_ns16550 at (port )?0x[0-9a-f]+, interrupt [0-9]+' "$arch: monitor info devices"
	has "$tmp/gdb" '^ier +0x[0-9a-f]+' "$arch: one of them, with its registers"
	has "$tmp/gdb" '^features +0x[0-9a-f]+' "$arch: or what is behind virtio's"
	has "$tmp/gdb" '^there is no uart' "$arch: or none"
	has "$tmp/gdb" '^none was made' "$arch: monitor info snapshots"

	timeout 20 "$LODGE" debug --listen "unix:$tmp/more.sock" "$tmp/vm.ctl" >"$tmp/where"
	debug "$(cat "$tmp/where")
info registers pc
detach"
	has "$tmp/gdb" "^(pc|rip) " "$arch: at one more place, lodge debug --listen"

	# What it does when a person presses Ctrl-C.
	printf '%s\n' "$load
target remote $tmp/gdb.sock
echo GOING\\n
continue
echo STOPPED\\n
info registers pc
kill" >"$tmp/script"
	timeout 120 gdb-multiarch -nx -batch -ex 'set confirm off' -x "$tmp/script" >"$tmp/gdb" 2>&1 </dev/null &
	gdb=$!
	for i in $(seq 100); do # symbols of Debian's -dbg packages take a while
		grep -q '^GOING' "$tmp/gdb" && break
		sleep 0.5
	done
	sleep 3
	kill -INT "$(pgrep -P $gdb)"
	wait $gdb
	has "$tmp/gdb" "received signal SIGINT" "$arch: Ctrl-C stops the guest"
	for i in $(seq 50); do
		kill -0 $machine 2>/dev/null || break
		sleep 0.2
	done
	! kill -0 $machine 2>/dev/null
	ok $? "$arch: kill ends the machine"
	end
}

cat >"$tmp/commands" <<'COMMANDS'
grep -E ' (__x64_sys_openat|__riscv_sys_openat|start_kernel|jiffies|_text|do_syscall_64)$' /proc/kallsyms
echo GUEST-SYMBOLS
while :; do cat /proc/version >/dev/null; done
COMMANDS

boot x86_64 -M microvm -c 2
comes '^GUEST-SYMBOLS'
ok $? "x86_64 is up"
symbols x86_64 gcc r15,r14,r13,r12,bp,bx,r11,r10,r9,r8,ax,cx,dx,si,di,orig_ax,ip,cs,flags,sp,ss
session x86_64 __x64_sys_openat '$rdi' si cr3 ioapic
start_kernel=$(sed -n 's/^\([0-9a-f]*\) T start_kernel.*/0x\1/p' "$tmp/out")

boot riscv64 -c 2
comes '^GUEST-SYMBOLS'
ok $? "riscv64 is up"
symbols riscv64 riscv64-linux-gnu-gcc epc,ra,sp,gp,tp,t0,t1,t2,s0,s1,a0,a1,a2
session riscv64 __riscv_sys_openat '$a0' a1 satp plic

# From the kernel's real-mode code over its 32-bit entry to its own code.
guest seabios
boot x86_64 -M pc -b "$guest_dir/bios-256k.bin" -o entry=linux16 -S
debug "target remote $tmp/gdb.sock
printf \"REAL %x\\n\", \$cr0 & 1
x/i \$pc
break *0x10200
continue
printf \"SETUP %x %lx\\n\", \$cr0 & 1, (long)\$pc
break *0x100000
continue
printf \"PROTECTED %x %lx %x\\n\", \$cr0 & 1, (long)\$pc, (\$cr0 >> 31) & 1
stepi
break *0x100200
continue
printf \"LONG %x %lx\\n\", (\$efer >> 10) & 1, (long)\$pc
break *$start_kernel
continue
printf \"KERNEL %lx\\n\", (long)\$pc
monitor arch i386
unset tdesc filename
info registers eip
monitor arch x86-64
unset tdesc filename
info registers rip
kill"
has "$tmp/gdb" '^REAL 0' "x86 modes: it begins in real mode"
has "$tmp/gdb" '^SETUP 0 10200' "x86 modes: a breakpoint in the kernel's 16-bit code"
has "$tmp/gdb" '^PROTECTED 1 100000 0' "x86 modes: a breakpoint in 32-bit code"
has "$tmp/gdb" '^LONG 1 100200' "x86 modes: and in 64-bit code"
has "$tmp/gdb" "^KERNEL ${start_kernel#0x}" "x86 modes: and in the kernel"
has "$tmp/gdb" '^eip ' "x86 modes: gdb may see an i386"
has "$tmp/gdb" '^rip ' "x86 modes: and an x86-64 again"
! grep -q 'too long' "$tmp/gdb"
ok $? "x86 modes: no answer is too long"
end
finish
