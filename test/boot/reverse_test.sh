#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# gdb goes back: in a program that spoils its memory, by the very session of doc/gdb.md; and in Debian's kernels with two
# CPUs, where everything is as it was.
. test/tap.sh
command -v gdb-multiarch >/dev/null || skip_all "reverse" "there is no gdb-multiarch"
needs_going_back "reverse"

mkfifo "$tmp/in"
exec 9<>"$tmp/in"

# run OPTIONS...: a machine that can go back, which waits for gdb.
run() {
	rm -f "$tmp/gdb.sock"
	timeout 100 "$LODGE" run -q --reverse -n none -g "unix:$tmp/gdb.sock" "$@" <"$tmp/in" >"$tmp/out" 2>"$tmp/err" &
	machine=$!
	for i in $(seq 300); do
		[ -S "$tmp/gdb.sock" ] && break
		sleep 0.1
	done
}

# debug FILE OPTIONS...: gdb does what is in the file; what it says is in $tmp/gdb.
debug() {
	script=$1
	shift
	timeout 60 gdb-multiarch -nx -batch -ex 'set pagination off' -ex 'set width 0' -ex 'set confirm off' "$@" \
		-ex "target remote $tmp/gdb.sock" -x "$script" >"$tmp/gdb" 2>&1 </dev/null
}

end() {
	kill $machine 2>/dev/null
	wait $machine 2>/dev/null
}

# The session of the manual.
if command -v riscv64-linux-gnu-gcc >/dev/null; then
	riscv64-linux-gnu-gcc -g -ffreestanding -nostdlib -static -mcmodel=medany -Wl,-Ttext=0x80200000,--build-id=none \
		-o "$tmp/bank" test/boot/reverse/bank.c
	run -S -m 64M -k "$tmp/bank"
	debug test/boot/reverse/bank.gdb "$tmp/bank"
	has "$tmp/gdb" '^\$1 = .*"ferdinan", balance = 100}' "a balance is wrong"
	has "$tmp/gdb" "^New value = 868" "who wrote it last is found by going back"
	has "$tmp/gdb" "^#1 .* rename_account .*ferdinand" "and who has called that"
	has "$tmp/gdb" '^\$2 = .*"ferdinand"' "reverse-finish"
	has "$tmp/gdb" "^instruction [0-9]+ .*it was up to instruction [0-9]+" "monitor when"
	end

	run -S -m 64M -k "$tmp/bank"
	cat >"$tmp/script" <<'COMMANDS'
break wrong
continue
python gdb.execute("monitor wrote %#x:8" % int(gdb.parse_and_eval("&bank[5].balance")))
python gdb.execute("monitor wrote %#x" % int(gdb.parse_and_eval("&bank[7].name")))
backtrace 1
COMMANDS
	debug "$tmp/script" "$tmp/bank"
	has "$tmp/gdb" "^CPU 0 at 0x80200[0-9a-f]+: s[bd] " "monitor wrote: which instruction it was"
	has "$tmp/gdb" "^before instruction [0-9]+; physical address 0x8[0-9a-f]+" "and when"
	has "$tmp/gdb" "^nobody has, since the beginning" "or that none was"
	has "$tmp/gdb" "^#0 +wrong" "and the guest stays where it is"
	end
	missing=$(sed 's/^/(gdb) /' test/boot/reverse/bank.gdb | while read -r line; do
		grep -qF -- "$line" doc/gdb.md || echo "$line"
	done)
	is "$missing" "" "the manual has this session"
else
	skip "the manual's session" "there is no riscv64-linux-gnu-gcc"
fi

# kernel GUEST OPTIONS...: a kernel with two CPUs.
kernel() {
	arch=$1
	guest "$arch"
	shift
	run -m 256M -c 2 "$@" -k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" -S -p "console=ttyS0 quiet panic=-1 nokaslr"
	cat >"$tmp/script" <<'COMMANDS'
monitor seek 100000000
maintenance flush register-cache
printf "PC1 %lx SP %lx\n", (long)$pc, (long)$sp
monitor bookmark early
monitor seek 300000001
maintenance flush register-cache
printf "PC2 %lx SP %lx\n", (long)$pc, (long)$sp
set $there = $pc
stepi 40
printf "AFTER %lx\n", (long)$pc
reverse-stepi 40
printf "BACK %d\n", $pc == $there
stepi 40
printf "AFTER %lx\n", (long)$pc
watch *(long (*)[32])$sp
reverse-continue
set $old = *(long (*)[32])$sp
delete
monitor seek early
maintenance flush register-cache
printf "PC1 %lx SP %lx\n", (long)$pc, (long)$sp
monitor seek 300000001
maintenance flush register-cache
printf "PC2 %lx SP %lx\n", (long)$pc, (long)$sp
break *$there
reverse-continue
printf "HERE %d\n", $pc == $there
delete
reverse-continue
monitor when
monitor checkpoints
monitor seek nowhere
kill
COMMANDS
	debug "$tmp/script"
	is "$(grep -c '^PC1 ' "$tmp/gdb") $(grep '^PC1 ' "$tmp/gdb" | sort -u | wc -l)" "2 1" "$arch: seek to a bookmark"
	is "$(grep -c '^PC2 ' "$tmp/gdb") $(grep '^PC2 ' "$tmp/gdb" | sort -u | wc -l)" "2 1" "$arch: seek by count"
	is "$(grep -c '^AFTER ' "$tmp/gdb") $(grep '^AFTER ' "$tmp/gdb" | sort -u | wc -l)" "2 1" "$arch: the same again"
	has "$tmp/gdb" "^BACK 1" "$arch: reverse-stepi"
	has "$tmp/gdb" "^Old value = " "$arch: reverse-continue to what wrote a word"
	has "$tmp/gdb" "No more reverse-execution history" "$arch: back to the beginning"
	has "$tmp/gdb" "^instruction 0 " "$arch: where nothing was done"
	has "$tmp/gdb" "^[0-9]+ checkpoints" "$arch: monitor checkpoints"
	has "$tmp/gdb" "or the name of a bookmark" "$arch: a bookmark that is not there"
	end
}
kernel riscv64
kernel x86_64 -M microvm

what="a disk that is written, with --reverse"
: >"$tmp/disk"
truncate -s 1M "$tmp/disk"
refused "reverse: disk .*is written" run --reverse -n none -d "$tmp/disk" -k "$guest_dir/vmlinux"
what="a network, with --reverse"
refused "reverse: there is no way back" run --reverse -n user -k "$guest_dir/vmlinux"

finish
