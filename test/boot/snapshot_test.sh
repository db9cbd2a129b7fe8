# SPDX-License-Identifier: BSD-2-Clause
# A guest of 512 MiB under load is saved, killed and restored many times (LODGE_ROUNDS, 4 by default), and its memory is
# right all the time; what is restored and saved again at once is the same; copies go on by themselves.
. test/tap.sh
rounds=${LODGE_ROUNDS:-4}
ctl=$tmp/vm.ctl
export XDG_RUNTIME_DIR=$tmp

# It fills memory and looks whether that stays what it is.
load='mkdir -p /tmp; head -c 20000000 /dev/urandom >/tmp/f; md5sum /tmp/f >/tmp/s; n=0; echo READY; while md5sum -c /tmp/s >/tmp/o 2>&1; do n=$((n+1)); echo "ROUND $n $(head -c 8 /dev/urandom | od -An -tx8)"; done; echo BROKEN'

# wait_for FILE PATTERN: for a minute or two.
wait_for() {
	for i in $(seq 1200); do
		grep -Eaq -- "$2" "$1" 2>/dev/null && return 0
		sleep 0.1
	done
	return 1
}

# kill_vm PID
kill_vm() {
	kill -9 "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	rm -f "$ctl"
}

first_round() { sed -nE 's/.*ROUND ([0-9]+) .*/\1/p' "$1" | head -n 1; }
last_round() { sed -nE 's/.*ROUND ([0-9]+) .*/\1/p' "$1" | tail -n 1; }

# start ARCH OPTIONS...: $pid, with the load running; its output is in $tmp/out.
start() {
	arch=$1
	shift
	echo "$load" | $LODGE run -q -m 512M --timeout 900s --ctl "$ctl" "$@" -k "$guest_dir/vmlinux" \
		-i "$guest_dir/initrd.gz" -p "console=ttyS0 quiet panic=-1" >"$tmp/out" 2>"$tmp/err" &
	pid=$!
	wait_for "$tmp/out" 'ROUND 2 '
	ok $? "$arch: the load runs"
}

# many_rounds ARCH OPTIONS OF SNAPSHOT...
many_rounds() {
	arch=$1 bad=0 last=0
	shift
	for round in $(seq "$rounds"); do
		before=$(last_round "$tmp/out")
		timeout 120 "$LODGE" snapshot "$@" "$ctl" "$tmp/snap" 2>"$tmp/err" || { bad=1; break; }
		last=$(last_round "$tmp/out") # which may be some rounds behind what was saved
		kill_vm $pid
		$LODGE restore -q --ctl "$ctl" -C stdio "$tmp/snap" >"$tmp/out" 2>"$tmp/err" </dev/null &
		pid=$!
		wait_for "$tmp/out" "ROUND $((last + 3)) " || { bad=1; break; }
		first=$(first_round "$tmp/out")
		[ "$first" -ge "$before" ] && [ "$first" -le $((last + 2)) ] || { bad=1; break; }
		grep -aq BROKEN "$tmp/out" && { bad=1; break; }
	done
	ok $bad "$arch: $rounds times saved${*:+ ($*)}, killed and restored, memory is right"
	[ $bad -eq 0 ] || { echo "#   round $round, last $last"; tail -n 3 "$tmp/err" "$tmp/out" | sed 's/^/# /'; }
}

# Two snapshots hold the same, but for the settings and where chunks are; timers that count when they are looked at were
# looked at.
same() {
	python3 - "$1" "$2" <<'EOF'
import struct, sys
def read(path):
    f = open(path, "rb")
    h = struct.unpack("<8sII6QQ", f.read(72))
    f.seek(h[5])
    state, sections = f.read(h[6]), {}
    while state:
        n = state[0]
        size = struct.unpack_from("<I", state, 1 + n)[0]
        sections[state[1:1 + n].decode()] = state[5 + n:5 + n + size]
        state = state[5 + n + size:]
    f.seek(h[3])
    return sections, f.read(h[4])
(a, ram_a), (b, ram_b) = read(sys.argv[1]), read(sys.argv[2])
lazy = ["state" + n[6:] for n in a if n.startswith("device") and a[n].split()[0] in (b"pit_8254", b"hpet")]
differ = [n for n in sorted(set(a) | set(b)) if n not in ["config", "folder", "chunks"] + lazy and a.get(n) != b.get(n)]
for n in differ:
    print("#   differs:", n, a.get("device" + n[5:]) if n.startswith("state") else "")
if ram_a != ram_b:
    print("#   RAM differs")
sys.exit(bool(differ) or ram_a != ram_b)
EOF
}

saved_again() {
	start "$@" --deterministic
	timeout 120 "$LODGE" snapshot "$ctl" "$tmp/snap" 2>"$tmp/err"
	ok $? "$1: a deterministic machine is saved"
	kill_vm $pid
	$LODGE restore -q -S --ctl "$ctl" -C none "$tmp/snap" 2>"$tmp/err" </dev/null &
	pid=$!
	# Its socket may be there a moment before somebody can connect.
	for i in $(seq 300); do "$LODGE" status "$ctl" >/dev/null 2>&1 && break; sleep 0.1; done
	timeout 120 "$LODGE" snapshot "$ctl" "$tmp/again" 2>"$tmp/again.err"
	rc=$?
	ok $rc "$1: restored, and saved before it runs"
	[ $rc -eq 0 ] || tail -n 3 "$tmp/err" "$tmp/again.err" | sed 's/^/# /'
	kill_vm $pid
	same "$tmp/snap" "$tmp/again"
	ok $? "$1: both hold the same"
	timeout 60 "$LODGE" restore --check "$tmp/again"
	ok $? "$1: and are whole"
}

copies() {
	arch=$1
	shift
	start "$arch" "$@" -o sandbox=off
	for n in 1 2 3; do
		timeout 60 "$LODGE" fork -C "file:$tmp/copy$n" "$ctl" "copy$n" 2>"$tmp/err"
		rc=$?
		ok $rc "$arch: copy $n is made"
		[ $rc -eq 0 ] || sed "s/^/# status $rc: /" "$tmp/err"
	done
	last=$(last_round "$tmp/out")
	wait_for "$tmp/out" "ROUND $((last + 3)) "
	ok $? "$arch: the guest goes on"
	for n in 1 2 3; do
		wait_for "$tmp/copy$n" "ROUND $((last + 3)) "
		ok $? "$arch: copy $n goes on"
	done
	cat "$tmp/copy1" "$tmp/copy2" "$tmp/copy3" | grep -ac BROKEN >"$tmp/broken"
	is "$(cat "$tmp/broken")" 0 "$arch: their memory is right"
	for n in 1 2 3; do sed -nE "s/.*ROUND $((last + 3)) +([0-9a-f]+).*/\1/p" "$tmp/copy$n"; done | sort -u | wc -l >"$tmp/kinds"
	is "$(cat "$tmp/kinds")" 3 "$arch: their random numbers are their own"
	refused_name=$(timeout 60 "$LODGE" fork "$ctl" copy1 2>&1)
	is $? 2 "$arch: a name that is taken is refused"
	echo "$refused_name" | grep -q copy1
	ok $? "$arch: with its name"
	for n in 1 2 3; do
		python3 test/boot/ask.py "$tmp/lodge/copy$n.ctl" quit >/dev/null
	done
	kill_vm $pid
}

for arch in riscv64 x86_64; do
	guest $arch
	board=
	[ $arch = riscv64 ] || board="-M microvm"
	start $arch $board
	many_rounds $arch
	rounds=2 many_rounds $arch --compress
	rounds=2 many_rounds $arch --live
	kill_vm $pid
	saved_again $arch $board
	copies $arch $board
done
guest pc
start pc -M pc
rounds=2 many_rounds pc
kill_vm $pid
saved_again pc -M pc
finish
