#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Recordings go backwards: gdb in the replay of a program that spoils its memory, and of Debian's kernel with a disk, a network
# and typed commands; and lodge why-wrote, which says who has written to memory last, also if that was a device.
. test/tap.sh
needs_going_back "going back in replays"

# replay FILE: plays it for gdb, which says when it begins.
replay() {
	rm -f "$tmp/gdb.sock"
	timeout -k 5 200 "$LODGE" replay -q -S -g "unix:$tmp/gdb.sock" "$1" </dev/null >"$tmp/out" 2>"$tmp/err" &
	machine=$!
	for i in $(seq 200); do
		[ -S "$tmp/gdb.sock" ] && break
		sleep 0.1
	done
}

# debug OPTIONS...: gdb does what is in $tmp/script; what it says is in $tmp/gdb.
debug() {
	timeout -k 5 150 gdb-multiarch -nx -batch -ex 'set pagination off' -ex 'set width 0' -ex 'set confirm off' "$@" \
		-ex "target remote $tmp/gdb.sock" -x "$tmp/script" >"$tmp/gdb" 2>&1 </dev/null
}

end() {
	kill $machine 2>/dev/null
	wait $machine 2>/dev/null
}

# wrote ARGS...: what why-wrote says is in $tmp/who, its status in $rc.
wrote() {
	timeout -k 5 150 "$LODGE" why-wrote "$@" >"$tmp/who" 2>"$tmp/err" </dev/null
	rc=$?
}

gdb=$(command -v gdb-multiarch)

# The program of the manual, which powers off.
if command -v riscv64-linux-gnu-gcc >/dev/null; then
	riscv64-linux-gnu-gcc -g -DPOWER_OFF -ffreestanding -nostdlib -static -mcmodel=medany \
		-Wl,-Ttext=0x80200000,--build-id=none -o "$tmp/bank" test/boot/reverse/bank.c
	timeout -k 5 100 "$LODGE" run -q --record "$tmp/rec" -m 64M -n none -k "$tmp/bank" </dev/null >"$tmp/out" 2>"$tmp/err"
	ok $? "bank: recorded"
	bank=0x$(riscv64-linux-gnu-nm "$tmp/bank" | awk '$3 == "bank" { print $1 }')
	wrote "$tmp/rec" $((bank + 5 * 16 + 8)):8
	is $rc 0 "bank: who wrote that balance"
	has "$tmp/who" '^CPU 0 at 0x80200[0-9a-f]+ \(copy\+0x[0-9a-f]+\): sb ' "bank: it was copy()"
	count=$(sed -n 's/^before instruction \([0-9]*\);.*/\1/p' "$tmp/who")
	wrote --before "$count" "$tmp/rec" $((bank + 5 * 16 + 8)):8
	has "$tmp/who" '^CPU 0 at 0x80200[0-9a-f]+ \((pay|work|copy)\+0x[0-9a-f]+\): s[bd] ' "bank: and before that somebody else"
	earlier=$(sed -n 's/^before instruction \([0-9]*\);.*/\1/p' "$tmp/who")
	[ "${earlier:-$count}" -lt "$count" ]
	ok $? "bank: which was earlier"
	wrote -p "$tmp/rec" $((bank + 7 * 16))
	is "$rc $(cat "$tmp/who")" "5 nobody has, since the beginning" "bank: what nobody has written"
	wrote --before 99999999999 "$tmp/rec" "$bank"
	is "$rc $(grep -c 'ends at instruction' "$tmp/err")" "1 1" "bank: there is not so much"
	wrote -c 1 "$tmp/rec" "$bank"
	is $rc 1 "bank: there is no such CPU"
	what="why-wrote without an address"
	refused "usage: lodge why-wrote" why-wrote "$tmp/rec"
	what="why-wrote with an address that is none"
	refused "ADDRESS is wanted|ADDRESS or ADDRESS:LENGTH" why-wrote "$tmp/rec" here
	what="why-wrote of no recording"
	refused "bank" why-wrote "$tmp/bank" 0x80200000
else
	skip "bank" "there is no riscv64-linux-gnu-gcc"
fi
if [ "$gdb" ] && [ -f "$tmp/bank" ]; then
	replay "$tmp/rec"
	cat >"$tmp/script" <<'COMMANDS'
continue
monitor when
print bank[5]
watch -l bank[5].balance
reverse-continue
backtrace
delete
reverse-finish
print name
python
for change in "bank[5].balance = 1000", "$sp = 1":
    try:
        gdb.execute("print " + change)
    except gdb.error as why:
        print("REFUSED", why)
end
stepi
reverse-stepi
monitor seek begin
monitor when
maintenance flush register-cache
printf "AT %d\n", $pc == &_start
kill
COMMANDS
	debug "$tmp/bank"
	has "$tmp/gdb" "No more reverse-execution history" "bank: the end of the recording"
	has "$tmp/gdb" "^instruction [0-9]+ .*; the recording ends here" "bank: monitor when says so"
	has "$tmp/gdb" '^\$1 = .*"ferdinan", balance = 100}' "bank: there a balance is wrong"
	has "$tmp/gdb" "^New value = 868" "bank: who wrote it last is found by going back"
	has "$tmp/gdb" "^#1 .* rename_account .*ferdinand" "bank: and who has called that"
	has "$tmp/gdb" '^\$2 = .*"ferdinand"' "bank: reverse-finish"
	is "$(grep -c "^REFUSED" "$tmp/gdb")" 2 "bank: nobody can change it"
	has "$tmp/gdb" "^instruction 0 " "bank: the begin"
	has "$tmp/gdb" "^AT 1" "bank: where it has done nothing"
	end
fi

# record ARCH OPTIONS...: $tmp/rec, and what the console said in $tmp/first; the disk begins with a text.
record() {
	arch=$1
	shift
	guest "devices-$arch"
	{ echo "LODGE-MARK-ON-DISK-$arch"; head -c 1048576 /dev/urandom; } | head -c 1048576 >"$tmp/disk"
	rm -f "$tmp/rec"
	{
		sleep 2
		echo 'exec 3</dev/vda; dd bs=4096 count=1 of=/dev/null <&3 2>/dev/null; head -c 65536 /dev/urandom | dd of=/dev/vda seek=1000 2>/dev/null'
		sleep 1
		echo 'ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ping -c 2 10.0.2.2; date; poweroff -f'
	} | timeout -k 5 300 "$LODGE" run -q --record "$tmp/rec" -m 256M -d "$tmp/disk,format=raw" -n user \
		-k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" -p "console=ttyS0 panic=-1 quiet" "$@" >"$tmp/first" 2>"$tmp/err"
	ok $? "$arch: recorded"
	rm -f "$tmp/disk"
}

# back ARCH RAM LENGTH: there and back again.  What came from the disk can be anywhere in RAM, of which there is enough for the
# guest to keep it.
back() {
	replay "$tmp/rec"
	cat >"$tmp/script" <<COMMANDS
continue
monitor when
python end = int(gdb.execute("monitor when", to_string=True).split()[1])
python there = [gdb.execute("monitor seek %d" % (end * n // 10), to_string=True) and gdb.execute("maintenance flush register-cache", to_string=True) or "%x %x" % (gdb.parse_and_eval("(long)\$pc"), gdb.parse_and_eval("(long)\$sp")) for n in range(1, 10)]
python again = [gdb.execute("monitor seek %d" % (end * n // 10), to_string=True) and gdb.execute("maintenance flush register-cache", to_string=True) or "%x %x" % (gdb.parse_and_eval("(long)\$pc"), gdb.parse_and_eval("(long)\$sp")) for n in range(9, 0, -1)]
python print("SAME", there == again[::-1])
monitor seek end
maintenance flush register-cache
set \$there = \$pc
reverse-stepi 30
stepi 30
printf "BACK %d\n", \$pc == \$there
monitor physical on
find /b $2, +$3, 'L', 'O', 'D', 'G', 'E', '-', 'M', 'A', 'R', 'K', '-', 'O', 'N'
printf "FOUND AT %#lx\\n", \$_
eval "monitor wrote %#lx:8", \$_
monitor when
kill
COMMANDS
	debug
	has "$tmp/gdb" "No more reverse-execution history" "$1: to the end"
	has "$tmp/gdb" "the recording ends here" "$1: which it knows"
	cmp "$tmp/first" "$tmp/out" >"$tmp/cmp" 2>&1
	ok $? "$1: the console says the same, and once"
	sed 's/^/# /' "$tmp/cmp"
	has "$tmp/gdb" "^SAME True" "$1: the same, wherever it goes"
	has "$tmp/gdb" "^BACK 1" "$1: steps back, and again"
	has "$tmp/gdb" "^device (virtio|pci)" "$1: who wrote what came from a disk"
	end
}

if [ "$gdb" ]; then
	record riscv64 -c 2
	back riscv64 0x80000000 0x10000000
	record x86_64 -M microvm
	back x86_64 0x100000 0xff00000
else
	skip "kernels" "there is no gdb-multiarch"
fi
finish
