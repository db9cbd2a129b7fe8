# SPDX-License-Identifier: BSD-2-Clause
# The engine haxm, on a HAXM of our own that runs guests by the engine soft (test/haxm/serve.h) and is preloaded: boots Linux,
# and moves it to and fro.
. test/tap.sh
haxm=$(realpath "$(dirname "$LODGE")")/test/haxm.so
[ -e "$haxm" ] || skip_all "the engine haxm" "$haxm is not built"
guest x86_64

"$LODGE" engines >"$tmp/out"
grep -qE '^haxm +x86_64 +yes ' "$tmp/out" && skip_all "the engine haxm" "this host has a HAXM of its own"
has "$tmp/out" '^haxm +x86_64 +no +haxm: there is no /dev/HAX ' "without, it says what is missing"
LD_PRELOAD=$haxm "$LODGE" engines >"$tmp/out"
has "$tmp/out" '^haxm +x86_64 +yes ' "it is there"

# boot NAME COMMANDS OPTIONS...: on PCs, which have timers by which a guest can find out how fast others are; HAXM does not say.
boot() {
	name=$1 commands=$2
	shift 2
	echo "$commands; poweroff -f" | LD_PRELOAD=$haxm timeout -k 5 300 "$LODGE" run -q -m 256M -n none \
		-k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" -p "console=ttyS0 panic=-1 quiet" -M pc "$@" \
		>"$tmp/out" 2>"$tmp/err"
	ok $? "$name: powers off with exit status 0"
	tr -d '\r' <"$tmp/out" >"$tmp/text"
}

boot "1 CPU" 'echo shell $((6 * 7))' -E haxm
has "$tmp/text" '^shell 42$' "1 CPU: a shell"
boot "2 CPUs" 'echo shell $((6 * 7)) $(nproc)' -E haxm -c 2
has "$tmp/text" '^shell 42 2$' "2 CPUs: a shell"

# Each move is in the middle of the loop; the time it sees never goes back.
loop='last=0; for i in $(seq 60); do md5sum /bin/busybox; read t x </proc/uptime; [ ${t%.*} -ge $last ] || echo BACK; last=${t%.*}; sleep 0.1; done | sort | uniq -c | sed "s/^ *//"'
boot "to and fro" "$loop" -E haxm+soft --engine-after 5s:soft --engine-after 7s:haxm --engine-after 8s:soft
is "$(grep -c '^60 [0-9a-f]* */bin/busybox$' "$tmp/text")" 1 "to and fro: memory is right"
is "$(grep -c "^BACK$" "$tmp/text")" 0 "to and fro: time never goes back"
is "$(cat "$tmp/err")" "" "to and fro: each move was made"
finish
