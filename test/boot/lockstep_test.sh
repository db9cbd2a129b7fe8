# SPDX-License-Identifier: BSD-2-Clause
# Compiled code beside the interpreter, on bare programs; LOCKSTEP_BOOT=1 boots Debian to its shell, too (minutes).
. test/tap.sh
gcc=riscv64-linux-gnu-gcc
command -v $gcc >/dev/null || skip_all "lockstep" "no $gcc here"

# With the interpreter alone there is nothing to compare.
$LODGE run -q --lockstep --timeout 1s -k "$0" -a riscv64 2>&1 </dev/null | grep -q 'compiles nothing' &&
	skip_all "lockstep" "the interpreter is asked for"

build() {
	$gcc -O2 -march=rv64gc -mabi=lp64d -mcmodel=medany -static -nostdlib -nostartfiles -ffreestanding \
		-fno-pie -no-pie -fno-stack-protector -Wl,--build-id=none "$@"
}

build -DROUNDS=200 -T bench/bare/link.ld -o "$tmp/mix" bench/bare/mix.c bench/bare/start.S
$LODGE run -q --lockstep --timeout 600s --exit-from-guest -k "$tmp/mix" >"$tmp/out" 2>"$tmp/err" </dev/null
is $? 0 "a program in M mode"
is "$(cat "$tmp/err")" "" "nothing differs"

build -DSCALE=1/4 -T test/boot/smp/link.ld -o "$tmp/smp" test/boot/smp/*.S test/boot/smp/*.c
$LODGE run -q --lockstep -c 4 --timeout 600s --exit-from-guest -k "$tmp/smp" >"$tmp/out" 2>"$tmp/err" </dev/null
is $? 0 "four harts in S mode that take turns, with pages that move and code that changes"
is "$(cat "$tmp/err")" "" "nothing differs"

if [ -n "${LOCKSTEP_BOOT:-}" ]; then
	guest riscv64
	for cpus in 1 2; do
		$LODGE run -q --lockstep -c $cpus -m 256M --timeout 3600s -k "$guest_dir/vmlinux" \
			-i "$guest_dir/initrd.gz" -p "console=ttyS0 quiet lodge.run=true" \
			>"$tmp/out" 2>"$tmp/err" </dev/null
		is $? 0 "Debian boots on $cpus"
		has "$tmp/out" "GUEST-DONE 0" "to user land"
		is "$(cat "$tmp/err")" "" "nothing differs"
	done
fi
finish
