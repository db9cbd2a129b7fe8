# SPDX-License-Identifier: BSD-2-Clause
# No mapping of a running Lodge can be written and executed; the interpreter alone executes nothing but files.
. test/tap.sh
gcc=riscv64-linux-gnu-gcc
command -v $gcc >/dev/null || skip_all "mappings" "no $gcc here"
[ -r /proc/self/maps ] || skip_all "mappings" "no /proc/PID/maps here"

# Says that it is there, then computes for ever on what will be compiled.
cat >"$tmp/busy.c" <<'END'
extern volatile unsigned long tohost;
int main(void)
{
	for (unsigned long i = 0;; i++)
		if (i == 1000000)
			tohost = 1ul << 56 | 1ul << 48 | '!';
}
END
$gcc -O2 -march=rv64gc -mabi=lp64d -mcmodel=medany -static -nostdlib -nostartfiles -ffreestanding \
	-fno-pie -no-pie -fno-stack-protector -Wl,--build-id=none -T bench/bare/link.ld \
	-o "$tmp/busy" "$tmp/busy.c" bench/bare/start.S

# look ENGINE: its maps while the guest runs.
look() {
	: >"$tmp/out"
	$LODGE run -q -E "$1" --timeout 300s -k "$tmp/busy" >"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
	while [ ! -s "$tmp/out" ] && kill -0 $pid 2>/dev/null; do
		sleep 0.1
	done
	cat /proc/$pid/maps >"$tmp/maps"
	kill $pid
	wait $pid 2>/dev/null
}

look soft
has "$tmp/out" "!" "the guest runs: soft"
is "$(awk '$2 ~ /wx/' "$tmp/maps")" "" "nothing is writable and executable"
look interp
has "$tmp/out" "!" "the guest runs: interp"
is "$(awk '$2 ~ /wx/' "$tmp/maps")" "" "nothing is writable and executable"
is "$(awk '$2 ~ /x/ && $6 !~ /^\// && $6 !~ /^\[v/' "$tmp/maps")" "" "nothing but files is executable"
finish
