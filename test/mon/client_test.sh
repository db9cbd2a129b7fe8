# SPDX-License-Identifier: BSD-2-Clause
# A script for a stock client of QEMU's protocol drives a machine: pause, resume, status, pictures, reset, power off.
# LODGE_QMP=FOLDER: with QEMU's own, which is there (python/ of its source).
. test/tap.sh
command -v python3 >/dev/null || skip_all "a stock client" "no python3 here"
# A ROM that sets a mode of 320x200, by the registers at 0x1ce that a table has values for, and powers off when the button is
# pressed (test/cmd/running_test.sh): mov si, table; mov cx, 4; next: mov dx, 0x1ce; cs lodsw; out dx, ax; inc dx; cs lodsw;
# out dx, ax; loop next; ...
{
	head -c 65408 /dev/zero
	printf '\276\242\377\271\004\000\272\316\001\056\255\357\102\056\255\357\342\364'
	printf '\272\001\006\354\250\001\164\373\272\005\006\260\074\356\353\376'
	printf '\001\000\100\001\002\000\310\000\003\000\010\000\004\000\101\000'
	head -c 62 /dev/zero
	printf '\353\216'
	head -c 14 /dev/zero
} >"$tmp/rom"
mkdir "$tmp/allowed"
$LODGE run -q -a x86_64 -M pc -m 64M -c 2 -b "$tmp/rom" -C none --ctl "$tmp/vm.ctl" -o sandbox-paths="$tmp/allowed" \
	--timeout 120s client >"$tmp/log" 2>&1 </dev/null &
pid=$!
for i in $(seq 300); do
	[ ! -S "$tmp/vm.ctl" ] || break
	sleep 0.1
done
SANDBOX=$($LODGE status "$tmp/vm.ctl" | sed -n 's/^sandbox *//p')
export SANDBOX
timeout 100 python3 test/mon/client.py "$tmp/vm.ctl" "$tmp" >"$tmp/tap"
rc=$?
grep -v '^1\.\.' "$tmp/tap"
tests=$(grep -c '^\(not \)\?ok' "$tmp/tap")
! grep -q '^not ok' "$tmp/tap" || failed=1
is $rc 0 "the script came to its end"
wait $pid
is $? 0 "and so did the machine, by power off"
finish
