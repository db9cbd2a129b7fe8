# SPDX-License-Identifier: BSD-2-Clause
# The engine nvmm, on Lodge's own libnvmm, which runs guests by the engine soft: a program that is built as on systems that
# have the library boots Linux, and moves it to and fro.
. test/tap.sh
built=$(dirname "$LODGE")
[ -x "$built/test/lodge_nvmm" ] || skip_all "the engine nvmm" "$built/test/lodge_nvmm is not built"
guest x86_64
ln -s "$(realpath "$built")/libnvmm.so" "$tmp/libnvmm.so.0"
export LD_LIBRARY_PATH=$tmp LODGE_NVMM_ENGINE=soft
LODGE=$built/test/lodge_nvmm

$LODGE engines >"$tmp/out"
has "$tmp/out" '^nvmm +x86_64 +yes ' "it is there"

# boot NAME COMMANDS OPTIONS...
boot() {
	name=$1 commands=$2
	shift 2
	echo "$commands; poweroff -f" | timeout -k 5 300 "$LODGE" run -q -m 256M -n none -k "$guest_dir/vmlinux" \
		-i "$guest_dir/initrd.gz" -p "console=ttyS0 panic=-1 quiet" "$@" >"$tmp/out" 2>"$tmp/err"
	ok $? "$name: powers off with exit status 0"
	tr -d '\r' <"$tmp/out" >"$tmp/text"
}

boot "microvm, 1 CPU" 'echo shell $((6 * 7))' -E nvmm -M microvm
has "$tmp/text" '^shell 42$' "microvm, 1 CPU: a shell"
boot "pc, 2 CPUs" 'echo shell $((6 * 7)) $(nproc)' -E nvmm -M pc -c 2
has "$tmp/text" '^shell 42 2$' "pc, 2 CPUs: a shell"

# Each move is in the middle of the loop; the time it sees never goes back.
loop='last=0; for i in $(seq 60); do md5sum /bin/busybox; read t x </proc/uptime; [ ${t%.*} -ge $last ] || echo BACK; last=${t%.*}; sleep 0.1; done | sort | uniq -c | sed "s/^ *//"'
boot "to and fro" "$loop" -M microvm -E soft+nvmm --engine-after 5s:nvmm --engine-after 7s:soft --engine-after 8s:nvmm
is "$(grep -c '^60 [0-9a-f]* */bin/busybox$' "$tmp/text")" 1 "to and fro: memory is right"
is "$(grep -c "^BACK$" "$tmp/text")" 0 "to and fro: time never goes back"
is "$(cat "$tmp/err")" "" "to and fro: each move was made"
finish
