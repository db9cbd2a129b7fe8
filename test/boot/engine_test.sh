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

# wait_for PATTERN [FILE]: in the guest's output, for a few minutes.
wait_for() {
	for i in $(seq 2400); do
		grep -Eaq -- "$1" "${2:-$tmp/out}" 2>/dev/null && return 0
		kill -0 $pid 2>/dev/null || return 1
		sleep 0.1
	done
	return 1
}

last_round() { sed -nE 's/^ROUND ([0-9]+).*/\1/p' "$tmp/out" | tail -n 1; }

# begin COMMAND OPTIONS...: $pid, with the program running; what is written to descriptor 3 is typed.
begin() {
	rm -f "$tmp/in"
	mkfifo "$tmp/in"
	: >"$tmp/out"
	$LODGE "$@" -q --timeout 3000s --ctl "$ctl" -C stdio <"$tmp/in" >"$tmp/out" 2>"$tmp/err" &
	pid=$!
	exec 3>"$tmp/in"
	wait_for '^ROUND '
	ok $? "$name: the guest works"
}

# start CPUS OPTIONS...
start() {
	cpus=$1
	shift
	begin run -c "$cpus" -m 256M "$@" -k "$guest_dir/vmlinux" -i "$tmp/initrd" \
		-p "console=ttyS0 panic=-1 lodge.run=/watch_$cpus;_dmesg"
}

# It is told to end, and does.
end() {
	echo enough >&3
	wait_for 'GUEST-DONE' || :
	exec 3>&-
	wait $pid
	is $? 0 "$name: the guest hears the console, and powers off"
	has "$tmp/out" '^ROUNDS ALL RIGHT' "$name: no sum was wrong, and no clock went back"
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
	end
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

# Snapshots and copies of a machine that moves all the time are machines as any other.
moves_on_and_on() {
	while :; do
		$LODGE engine "$ctl" interp 2>/dev/null
		$LODGE engine "$ctl" soft 2>/dev/null
	done
}

others() {
	name="$1, snapshots and copies"
	start 2 -E soft+interp -o sandbox=off
	moves_on_and_on &
	mover=$!
	timeout 120 "$LODGE" snapshot -l "$ctl" "$tmp/snap" 2>"$tmp/why"
	ok $? "$name: one is saved while it moves" || sed 's/^/# /' "$tmp/why"
	timeout 60 "$LODGE" fork -C "file:$tmp/copy" "$ctl" copy1 2>"$tmp/why"
	ok $? "$name: one is copied while it moves" || sed 's/^/# /' "$tmp/why"
	kill $mover
	wait $mover 2>/dev/null
	wait_for '^ROUND ' "$tmp/copy"
	ok $? "$name: the copy goes on"
	: >"$tmp/copied"
	for engine in interp soft interp; do
		timeout 60 "$LODGE" engine copy1 $engine 2>"$tmp/why" && "$LODGE" engine copy1 >>"$tmp/copied"
	done
	is "$(tr '\n' ' ' <"$tmp/copied")" "interp soft interp " "$name: and moves"
	n=$(grep -c '^ROUND ' "$tmp/copy")
	for i in $(seq 600); do [ "$(grep -c '^ROUND ' "$tmp/copy")" -gt $((n + 1)) ] && break; sleep 0.1; done
	ok "$(grep -c WRONG "$tmp/copy")" "$name: with nothing wrong"
	$LODGE monitor copy1 quit >/dev/null 2>&1
	end
	begin restore "$tmp/snap"
	end
}
if prepare riscv64 riscv64-linux-gnu-gcc; then others riscv64; else skip "snapshots and copies" "no compiler here"; fi

# What cannot be done is said, and the guest goes on.
if prepare riscv64 riscv64-linux-gnu-gcc; then
	name="what cannot be done"
	start 1 -E interp
	what="an engine that there is none of" refused 'there is no such engine' engine "$ctl" kqemu
	if "$LODGE" status "$ctl" | grep -q '^sandbox *on'; then
		timeout 60 "$LODGE" engine "$ctl" soft 2>"$tmp/why"
		is $? 2 "$name: an engine that the sandbox is in the way of"
		has "$tmp/why" 'is named at the start has what it needs: engine=interp\+soft' "$name: it is said"
		is "$("$LODGE" engine "$ctl")" interp "$name: it stays where it was"
	fi
	end
fi
finish
