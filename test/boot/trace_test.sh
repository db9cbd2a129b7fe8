#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What a booting kernel does, seen from outside: events in a file, the last ones of a run that ends badly, and the
# exception that a kernel has died of.
. test/tap.sh

# told: how many lines Lodge has printed, without the one of builds that do not confine themselves.
told() {
	grep -cv 'a sanitizer looks at more than a machine needs' "$tmp/err"
}

# boot ARCH OPTIONS...: a guest whose shell does what comes from standard input.
boot() {
	guest "$1"
	shift
	timeout 150 "$LODGE" run -q -m 256M -n none --timeout 120s -k "${kernel:-$guest_dir/vmlinux}" \
		-i "$guest_dir/initrd.gz" -p "console=ttyS0 quiet panic=-1 oops=panic nokaslr" "$@" \
		>"$tmp/out" 2>"$tmp/err"
}

# files ARCH OPTIONS...: a boot is traced to a file, and parts of that are printed.
files() {
	arch=$1
	printf '%s\n' "grep ' kernel_init$' /proc/kallsyms" 'poweroff -f' |
		boot "$@" --trace exceptions,mmu,irq,device=uart_ns16550 --trace-file "$tmp/trace"
	is $? 0 "$arch: a guest that is traced powers off"
	is "$(told)" 0 "$arch: events in a file are not printed"
	sed -n 's/^\([0-9a-f]*\) . kernel_init\r*$/\1/p' "$tmp/out" >"$tmp/kernel_init.$arch"
	"$LODGE" trace "$tmp/trace" >"$tmp/all"
	is $? 0 "$arch: the file can be read"
	has "$tmp/all" '^ +[0-9]+\.[0-9]{9} cpu0 +[0-9]+ [0-9a-f]{16} exceptions .*page fault.*' "$arch: page faults"
	has "$tmp/all" " mmu +user read at 0x[0-9a-f]+, fault 0x[0-9a-f]+: not present: L[2-4] .*, L[0-3] " \
		"$arch: and the page tables that they come from"
	has "$tmp/all" ' irq .*interrupt' "$arch: interrupts that are taken"
	has "$tmp/all" ' irq .*(plic: source|ioapic: input) [0-9]+ is up uart_ns16550' "$arch: and who asked for them"
	has "$tmp/all" ' device +uart_ns16550: write rbr/thr .*: 0x23$' "$arch: accesses of a device by their names"
	"$LODGE" trace -t irq -c 0 -n 7 "$tmp/trace" >"$tmp/some"
	is "$(grep -c '^ .* cpu0 .* irq ' "$tmp/some")/$(wc -l <"$tmp/some")" 7/7 "$arch: some kinds, of a CPU, the last ones"
	count=$(awk '$2 == "cpu0" { print $3; exit }' "$tmp/some")
	"$LODGE" trace -t irq -r "$count-" "$tmp/trace" >"$tmp/some"
	awk -v from="$count" '$3 < from { bad = 1 } END { exit bad || NR < 1 || NR > 1000 }' "$tmp/some"
	ok $? "$arch: those from a count of instructions on"
}

files x86_64 -M microvm
head -c 300000 "$tmp/trace" >"$tmp/cut"
"$LODGE" trace "$tmp/cut" >"$tmp/cut.out" 2>"$tmp/err"
head -n "$(($(wc -l <"$tmp/cut.out") - 1))" "$tmp/cut.out" >"$tmp/cut.whole"
head -n "$(wc -l <"$tmp/cut.whole")" "$tmp/all" | cmp -s - "$tmp/cut.whole"
ok $? "a file that was cut off has what is before"
printf '\377%.0s' $(seq 40) | dd of="$tmp/trace" bs=1 seek=200 conv=notrunc 2>/dev/null
"$LODGE" trace "$tmp/trace" >"$tmp/out" 2>"$tmp/err"
is $? 1 "damage is an error"
has "$tmp/err" '1 piece of it is damaged' "and is told"
[ "$(wc -l <"$tmp/out")" -gt 1000 ]
ok $? "but the other pieces are printed"

files riscv64

# Killed at any time: all is there.
guest riscv64
timeout 100 "$LODGE" run -q -m 256M -n none -k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" -p "console=ttyS0" \
	--trace exec=block --trace-file "$tmp/killed" </dev/null >"$tmp/out" 2>&1 &
pid=$!
for i in $(seq 300); do
	[ "$(stat -c %s "$tmp/killed" 2>/dev/null || echo 0)" -gt 1000000 ] && break
	sleep 0.1
done
kill -9 "$(pgrep -P $pid)"
wait $pid 2>/dev/null
"$LODGE" trace -n 100 "$tmp/killed" >"$tmp/some" 2>"$tmp/err"
is "$?/$(grep -c ' exec ' "$tmp/some")" 0/100 "a trace of instructions is whole though its writer was killed"
has "$tmp/some" ' exec +[0-9a-f]{4,8} +[a-z.]+' "instructions are disassembled"

# A machine that runs already.
timeout 100 "$LODGE" run -q -m 256M -n none --ctl "$tmp/vm.ctl" -k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" \
	-p "console=ttyS0" --trace-file "$tmp/later" </dev/null >"$tmp/out" 2>&1 &
pid=$!
for i in $(seq 100); do
	timeout 20 "$LODGE" monitor "$tmp/vm.ctl" vm-trace events=exceptions,exec=block >"$tmp/mon" 2>&1 && break
	sleep 0.1
done
for i in $(seq 300); do
	[ "$(stat -c %s "$tmp/later" 2>/dev/null || echo 0)" -gt 100000 ] && break
	sleep 0.1
done
timeout 20 "$LODGE" monitor "$tmp/vm.ctl" vm-trace events=off >"$tmp/mon" 2>&1
ok $? "a machine that runs is told what to trace"
timeout 20 "$LODGE" monitor "$tmp/vm.ctl" quit >"$tmp/mon" 2>&1
wait $pid 2>/dev/null
"$LODGE" trace "$tmp/later" >"$tmp/some" 2>"$tmp/err"
is $? 0 "what it has traced can be read"
has "$tmp/some" ' exec +[0-9a-f]{4,8} +[a-z.]+' "and has what was asked for"

boot x86_64 -M microvm --trace exec,exec=regs --trace-last 50 --timeout 2s </dev/null
is $? 4 "the time of a guest is over"
is "$(grep -c '^lodge: .* exec ' "$tmp/err")" 50 "and the last events are printed"
has "$tmp/err" ' exec +r[a-z0-9]+=[0-9a-f]+' "with the registers that have changed"

# What it has died of: an instruction that is none, where the first program is started.
# broken ARCH IMAGE: the kernel with two bytes of zeroes (riscv64) or UD2 (x86) there; prints where that is.
broken() {
	python3 - "$1" "$2" "$(cat "$tmp/kernel_init.$1")" "$tmp/broken" <<'PYTHON'
import struct, sys
arch, image, address = sys.argv[1], bytearray(open(sys.argv[2], "rb").read()), int(sys.argv[3], 16)
at, bad = address - 0xffffffff80000000, b"\0\0"
if arch == "x86_64":
    bad = b"\x0f\x0b"
    table, n = struct.unpack_from("<Q", image, 32)[0], struct.unpack_from("<H", image, 56)[0]
    for i in range(n):
        kind, _, offset, va, _, size = struct.unpack_from("<IIQQQQ", image, table + 56 * i)
        if kind == 1 and va <= address < va + size:
            at = address - va + offset
begin = at
while image[at:at + 2] == b"\1\0" or image[at:at + 4] == b"\x13\0\0\0":  # which the kernel writes anew
    at += 2 if image[at] == 1 else 4
image[at:at + 2] = bad
open(sys.argv[4], "wb").write(image)
print(f"{address + at - begin:x}")
PYTHON
}

# dies ARCH IMAGE PATTERN OPTIONS...: the image's kernel is explained, which has met that.
dies() {
	arch=$1
	where=$(broken "$1" "$2")
	pattern=$3
	shift 3
	kernel=$tmp/broken
	boot "$arch" --explain "$@" </dev/null
	is $? 3 "$arch: a kernel with a broken instruction resets"
	kernel=
	has "$tmp/err" '^lodge: the first exception in the kernel that nobody returned from:' "$arch: what it died of is told"
	has "$tmp/err" "^lodge: .* $where exceptions $pattern" "$arch: the exception"
	has "$tmp/err" "^lodge: => $where  " "$arch: the code"
	has "$tmp/err" '^lodge: (satp|cr0) [0-9a-f]+  ' "$arch: registers"
	has "$tmp/err" '^lodge: before:' "$arch: what was before"
}

if command -v zstd >/dev/null; then
	guest x86_64
	at=$(LC_ALL=C grep -abo "$(printf '\050\265\057\375')" "$guest_dir/vmlinux" | head -n 1 | cut -d: -f1)
	tail -c "+$((at + 1))" "$guest_dir/vmlinux" | zstd -dcq >"$tmp/vmlinux" 2>/dev/null
	dies x86_64 "$tmp/vmlinux" '#UD invalid opcode .6., from ring 0, 64-bit' -M microvm
	rm "$tmp/vmlinux"
else
	skip "x86_64: a broken kernel" "there is no zstd, which the kernel is packed with"
fi
guest riscv64
dies riscv64 "$guest_dir/vmlinux" 'illegal instruction .2., tval 0, S -> S'
printf 'poweroff -f\n' | boot riscv64 --explain
is "$?/$(told)" 0/0 "nothing is told of a kernel that is well"
finish
