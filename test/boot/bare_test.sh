# SPDX-License-Identifier: BSD-2-Clause
# Bare programs in M mode that end through tohost, as riscv-tests do: their status is ours with --exit-from-guest.
. test/tap.sh
gcc=riscv64-linux-gnu-gcc
command -v $gcc >/dev/null || skip_all "bare programs" "no $gcc here"

build() {
	$gcc -O2 -march=rv64gc -mabi=lp64d -mcmodel=medany -static -nostdlib -nostartfiles -ffreestanding \
		-fno-pie -no-pie -fno-stack-protector -Wl,--build-id=none -T bench/bare/link.ld "$@" bench/bare/start.S
}

build -DROUNDS=50 -o "$tmp/mix" bench/bare/mix.c
$LODGE run -q --timeout 60s --exit-from-guest -k "$tmp/mix" >"$tmp/out" 2>"$tmp/err" </dev/null
is $? 0 "the CoreMark-like program checks its own sums"

echo 'int main(void) { return 7; }' >"$tmp/seven.c"
build -o "$tmp/seven" "$tmp/seven.c"
$LODGE run -q --timeout 60s --exit-from-guest -k "$tmp/seven" >"$tmp/out" 2>"$tmp/err" </dev/null
is $? 7 "--exit-from-guest gives the guest's own status"
$LODGE run -q --timeout 60s -k "$tmp/seven" >"$tmp/out" 2>"$tmp/err" </dev/null
is $? 0 "without it a guest that ended is a guest that ended"

cat >"$tmp/hello.c" <<'END'
extern volatile unsigned long tohost;
int main(void)
{
	for (const char *s = "hello, world\n"; *s; s++)
		tohost = 1ul << 56 | 1ul << 48 | (unsigned char)*s;
	return 0;
}
END
build -o "$tmp/hello" "$tmp/hello.c"
$LODGE run -q --timeout 60s -k "$tmp/hello" >"$tmp/out" 2>"$tmp/err" </dev/null
is "$(cat "$tmp/out")" "hello, world" "HTIF's console is standard output"

# What a guest does wrong is the guest's affair: no crash, no hang, no wall of text.
cat >"$tmp/hole.c" <<'END'
int main(void) { ((void (*)(void))0x40000000)(); return 0; }
END
build -o "$tmp/hole" "$tmp/hole.c"
$LODGE run -q --timeout 2s -k "$tmp/hole" >"$tmp/out" 2>"$tmp/err" </dev/null
is $? 4 "a guest that jumps into a hole faults for ever, until --timeout"
[ "$(wc -l <"$tmp/err")" -le 1 ]
ok $? "and Lodge says no more than one line"
finish
