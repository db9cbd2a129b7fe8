# SPDX-License-Identifier: BSD-2-Clause
# A copy of a running machine is a machine of its own to everybody else: another network address, of which its guest learns by
# a link that goes down and comes back, another CID, other sockets and files of the host's, no forwarded ports.
. test/tap.sh
ctl=$tmp/vm.ctl
export XDG_RUNTIME_DIR=$tmp

# wait_for FILE PATTERN: for a minute or two.
wait_for() {
	for i in $(seq 600); do
		grep -Eaq -- "$2" "$1" 2>/dev/null && return 0
		sleep 0.1
	done
	return 1
}

# It tells its address and how often the link went down; when that is more than before, it looks at the card anew.
watch='d=/sys/class/net/eth0; b=/sys/bus/virtio/drivers/virtio_net; ip link set eth0 up
look() { echo "$1 $(cat $d/address) $(cat $d/carrier_down_count) $(cat $d/carrier)"; }
n=$(cat $d/carrier_down_count); look WATCHES
while [ $(cat $d/carrier_down_count) = $n ]; do usleep 20000; done; look DOWN
while [ $(cat $d/carrier) = 0 ]; do usleep 20000; done; look BACK
v=$(basename $(readlink $d/device)); echo $v >$b/unbind; echo $v >$b/bind; ip link set eth0 up; look ANEW; cat'

guest devices-x86_64
python3 -c '
import socket, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' >"$tmp/port"
port=$(cat "$tmp/port")
echo "$watch" | $LODGE run -q -M microvm -m 256M --timeout 600s --ctl "$ctl" -o sandbox=off -o "vsock=$tmp/v,cid=33" \
	-n "user,mac=52:54:00:00:00:07,fwd=tcp:127.0.0.1:$port:22,dump=$tmp/pcap" -n "unix:$tmp/net,listen" -o "port=p,unix:$tmp/line" \
	-k "$guest_dir/vmlinux" -i "$guest_dir/initrd.gz" -p "console=ttyS0 quiet panic=-1" >"$tmp/out" 2>"$tmp/err" &
pid=$!
wait_for "$tmp/out" '^WATCHES'
ok $? "the guest looks at its link"
has "$tmp/out" '^WATCHES 52:54:00:00:00:07 1 1' "which is up, and has the address that it was given"
for n in 1 2; do
	timeout 60 "$LODGE" fork -C "file:$tmp/copy$n" "$ctl" "copy$n" >"$tmp/said" 2>&1
	ok $? "copy $n is made"
done
for n in 1 2; do
	wait_for "$tmp/copy$n" '^ANEW'
	has "$tmp/copy$n" '^BACK 52:54:00:00:00:07 2 1' "copy $n: the link was down, and is up"
	[ -S "$tmp/v.copy$n" ] && [ -S "$tmp/net.copy$n" ] && [ -S "$tmp/line.copy$n" ]
	ok $? "copy $n: sockets are its own"
done
sed -n 's/^ANEW \([^ ]*\).*/\1/p' "$tmp/copy1" "$tmp/copy2" >"$tmp/macs"
echo 52:54:00:00:00:07 >>"$tmp/macs"
is "$(sort -u "$tmp/macs" | wc -l)" 3 "three machines have three network addresses"
is "$(grep -ac '^DOWN' "$tmp/out")" 0 "the first one hears of nothing"
for n in 1 2; do timeout 20 python3 test/boot/ask.py "$tmp/lodge/copy$n.ctl" quit >/dev/null; done
timeout 20 python3 test/boot/ask.py "$ctl" quit >/dev/null
wait $pid 2>/dev/null
finish
