# SPDX-License-Identifier: BSD-2-Clause
# Debian's riscv64 kernel under our own SBI: it boots, sees what it should, and every way to end has its exit status.
. test/tap.sh
guest riscv64

# linux ARGS... -- COMMAND: boots, runs the command in the guest; output in $tmp/out, status in $rc.
linux() {
	args=
	while [ "$1" != -- ]; do
		args="$args $1"
		shift
	done
	# shellcheck disable=SC2086 # words on purpose
	$LODGE run -q -m 256M --timeout 300s $args -k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" \
		-p "console=ttyS0 quiet panic=-1 lodge.run=$(echo "$2" | tr ' ' _)" >"$tmp/out" 2>"$tmp/err" </dev/null
	rc=$?
}

linux -- 'cat /proc/cpuinfo /proc/interrupts; cat /sys/firmware/devicetree/base/model'
is $rc 0 "exit status 0 at power off"
has "$tmp/out" 'GUEST-READY riscv64 1 CPU' "user land is reached with one CPU"
has "$tmp/out" 'mmu.*sv57' "the MMU is the best that the CPU has"
has "$tmp/out" 'isa.*zba.*zbb.*zbs' "the kernel knows the extensions"
has "$tmp/out" 'riscv-virtio,lodge' "the device tree is ours"
has "$tmp/out" 'GUEST-DONE 0' "the guest's command ends well"

linux -c 4 -- 'for i in 0 1 2 3; do taskset $((1<<i)) true || exit 1; done; sleep 1; grep -c ^processor /proc/cpuinfo'
is $rc 0 "exit status 0 with four CPUs"
has "$tmp/out" 'GUEST-READY riscv64 4 CPU' "four harts come up through HSM"
has "$tmp/out" 'GUEST-DONE 0' "each of them runs a process"

linux -o deterministic=on -- 'date +%s; head -c 8 /dev/urandom | od -t x1; cat /proc/uptime'
cp "$tmp/out" "$tmp/first"
linux -o deterministic=on -- 'date +%s; head -c 8 /dev/urandom | od -t x1; cat /proc/uptime'
cmp -s "$tmp/first" "$tmp/out"
ok $? "two deterministic runs print the same bytes, time and entropy included"

linux --no-reboot -- 'echo c > /proc/sysrq-trigger'
is $rc 3 "exit status 3 at a panic with panic=-1 and --no-reboot"
has "$tmp/out" 'Kernel panic' "and it was a panic"

$LODGE run -q -m 256M --timeout 300s -k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" \
	-p "console=ttyS0 quiet lodge.run=reboot_-f" >"$tmp/out" 2>"$tmp/err" </dev/null &
pid=$!
for i in $(seq 300); do
	[ "$(grep -c GUEST-READY "$tmp/out" 2>/dev/null)" != 2 ] || break
	kill -0 $pid 2>/dev/null || break
	sleep 1
done
kill $pid
wait $pid 2>/dev/null
is "$(grep -c GUEST-READY "$tmp/out")" 2 "a machine that reboots comes up again"

linux -o device=rng_timeriomem,addr=0x10200000 -- 'ls /sys/firmware/devicetree/base/soc; devmem 0x10200000 32'
has "$tmp/out" 'rng@10200000' "a device that the configuration adds is in the device tree"
has "$tmp/out" '^0x[0-9A-F]{8}' "and answers"

$LODGE run -q -m 256M --timeout 15s -k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" \
	-p "console=ttyS0 quiet lodge.run=sleep_1000" >"$tmp/out" 2>"$tmp/err" </dev/null
is $? 4 "exit status 4 at --timeout"

printf 'uname -m\necho $((6*7))\npoweroff -f\n' | $LODGE run -q -m 256M --timeout 300s -k "$guest_dir/vmlinux" \
	-i "$guest_dir/initrd.gz" -p "console=ttyS0 quiet" >"$tmp/out" 2>"$tmp/err"
is $? 0 "exit status 0 when commands come on standard input"
has "$tmp/out" '^riscv64' "the shell ran the first of them"
has "$tmp/out" '^42' "and the second"
is "$(cat "$tmp/err")" "" "nothing but the guest's output with -q"
finish
