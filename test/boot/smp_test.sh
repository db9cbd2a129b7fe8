# SPDX-License-Identifier: BSD-2-Clause
# Four harts on four threads: a bare program tries atomics, orders, remote fences and code that changes
# (smp/main.c).  SMP_SCALE=100 tries a hundred times as long, SMP_ONCE=1 in one way.
. test/tap.sh
gcc=riscv64-linux-gnu-gcc
command -v $gcc >/dev/null || skip_all "four harts" "no $gcc here"

$gcc -O2 -march=rv64gc -mabi=lp64d -mcmodel=medany -static -nostdlib -nostartfiles -ffreestanding \
	-fno-pie -no-pie -fno-stack-protector -Wall -Wextra -Werror -Wl,--build-id=none \
	-DSCALE="${SMP_SCALE:-1}" -T test/boot/smp/link.ld -o "$tmp/smp" test/boot/smp/*.S test/boot/smp/*.c

# try NAME OPTIONS...
try() {
	name=$1
	shift
	$LODGE run -q "$@" --timeout "$((120 * ${SMP_SCALE:-1}))s" --exit-from-guest -k "$tmp/smp" \
		>"$tmp/out" 2>"$tmp/err" </dev/null
	is $? 0 "what harts expect of each other: $name"
	has "$tmp/out" "right: code and data" "they have tried everything: $name"
	sed 's/^/# /' "$tmp/out" "$tmp/err"
}

try "four threads" -c 4
[ -z "${SMP_ONCE:-}" ] || finish
try "four threads, compiled when first run" -c 4 -o jit-eager=yes
try "four harts that take turns" -c 4 -o deterministic=yes
finish
