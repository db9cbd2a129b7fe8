# SPDX-License-Identifier: BSD-2-Clause
# A Linux guest that watches its memory, registers and clocks (engine/watch.c) moves from engine to engine and back, many
# times (LODGE_ROUNDS, 20 by default; LODGE_ENGINES: between which, "soft interp" by default), and notices nothing.
. test/tap.sh
trap '' PIPE
rounds=${LODGE_ROUNDS:-20}
ENGINES=${LODGE_ENGINES:-soft interp}
ctl=$tmp/vm.ctl
export XDG_RUNTIME_DIR=$tmp

# What Linux would say.
complaints='clocksource.*(unstable|skew)|hung task|blocked for more than|soft lockup|hard LOCKUP|rcu.*stall|WARNING:|BUG:|Oops'

# prepare GUEST COMPILER: $guest_dir, and $tmp/initrd with the program.
prepare() {
	guest "$1"
	command -v "$2" >/dev/null || return 1
	mkdir -p "$tmp/root"
	"$2" -O2 -static -nostdlib -ffreestanding -fno-pie -no-pie -fno-stack-protector -fno-tree-loop-distribute-patterns \
		-Wall -Wextra -Werror -Wl,--build-id=none -Wl,--no-relax -o "$tmp/root/watch" test/boot/engine/watch.c 2>"$tmp/guest.log" || return 1
	(cd "$tmp/root" && find . | cpio -o -H newc -R 0:0 --quiet) | gzip -1n | cat "$guest_dir/initrd.gz" - >"$tmp/initrd"
}

# wait_for PATTERN: in the guest's output, for a few minutes.
wait_for() {
	for i in $(seq 2400); do
		grep -Eaq -- "$1" "$tmp/out" && return 0
		kill -0 $pid 2>/dev/null || return 1
		sleep 0.1
	done
	return 1
}

last_round() { sed -nE 's/^ROUND ([0-9]+).*/\1/p' "$tmp/out" | tail -n 1; }

# start CPUS OPTIONS...: $pid, with the program running; what is written to descriptor 3 is typed.
start() {
	cpus=$1
	shift
	rm -f "$tmp/in"
	mkfifo "$tmp/in"
	: >"$tmp/out"
	$LODGE run -q -c "$cpus" -m 256M --timeout 3000s --ctl "$ctl" "$@" -k "$guest_dir/vmlinux" -i "$tmp/initrd" \
		-p "console=ttyS0 panic=-1 lodge.run=/watch_$cpus;_dmesg" <"$tmp/in" >"$tmp/out" 2>"$tmp/err" &
	pid=$!
	exec 3>"$tmp/in"
	wait_for '^ROUND '
	ok $? "$name: the guest works"
}

# move ENGINE: there, and the guest has stood still for so many microseconds.
move() {
	timeout 60 "$LODGE" engine "$ctl" "$1" 2>"$tmp/why" || return 1
	[ "$("$LODGE" engine "$ctl")" = "$1" ] || return 1
	$LODGE monitor "$ctl" query-vm-engine | sed -nE 's/.*"?downtime-us"?[:=] *([0-9]+).*/\1/p' >>"$tmp/times"
}

there_and_back() {
	bad=0
	: >"$tmp/times"
	for round in $(seq "$rounds"); do
		move "$to" && move "$from" || { bad=1; break; }
	done
	ok $bad "$name: $rounds times there and back"
	[ $bad -eq 0 ] || { echo "#   round $round"; tail -n 3 "$tmp/why" "$tmp/err" "$tmp/out" | sed 's/^/# /'; }
	sort -n "$tmp/times" | awk '{ t[NR] = $1; s += $1 } END { if (NR) printf "#   %d moves of %.2f ms, %.2f in the middle, the longest of %.2f\n", NR, s / NR / 1000, t[int((NR + 1) / 2)] / 1000, t[NR] / 1000 }'
}

# watched GUEST CPUS OPTIONS...
watched() {
	name="$1, $2 CPU, $from to $to" n=$2
	shift 2
	start "$n" -E "$from+$to" "$@"
	there_and_back
	last=$(last_round)
	echo enough >&3
	wait_for 'GUEST-DONE' || :
	exec 3>&-
	wait $pid
	is $? 0 "$name: the guest hears the console, and powers off"
	has "$tmp/out" '^ROUNDS ALL RIGHT' "$name: no sum was wrong, and no clock went back"
	now=$(sed -nE 's/^ROUNDS [A-Z ]+ ([0-9]+).*/\1/p' "$tmp/out")
	[ "${now:-0}" -gt "${last:-0}" ]
	ok $? "$name: it worked on to the end"
	grep -Eai "$complaints" "$tmp/out" >"$tmp/found"
	ok $(($? == 0)) "$name: its kernel has nothing to complain of"
	sed 's/^/#   /' "$tmp/found"
}

from=${ENGINES% *} to=${ENGINES#* }
if [ "$(uname -m)" = x86_64 ] && prepare x86_64 gcc; then
	watched x86_64 1 -M microvm
	watched x86_64 2 -M pc
else
	skip "x86_64" "no compiler for it here"
fi
if prepare riscv64 riscv64-linux-gnu-gcc; then
	watched riscv64 1
	watched riscv64 2
else
	skip "riscv64" "no riscv64-linux-gnu-gcc here"
fi

# What cannot be done is said, and the guest goes on.
if prepare riscv64 riscv64-linux-gnu-gcc; then
	name="what cannot be done"
	start 1 -E interp
	what="an engine that there is none of" refused 'there is no such engine' engine "$ctl" kqemu
	echo enough >&3
	wait_for 'GUEST-DONE' || :
	exec 3>&-
	wait $pid
	is $? 0 "$name: the guest goes on"
fi
finish
